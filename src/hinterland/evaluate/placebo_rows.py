"""Static two-way fixed-effects coefficients of many permuted assignments, where no closed form exists.

Unbalanced panels, sampling weights, extra fixed effects, clusters that units move between, groups of unequal size: each
draw's treatment is residualised, on a factorisation that is made once. n rows, R draws.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hinterland.evaluate.design import Design
from hinterland.evaluate.hdfe import Absorber, project_off
from hinterland.evaluate.paths import covariate_basis
from hinterland.evaluate.regression import projection

Floats = NDArray[np.float64]
Index = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class RowBatch:
    """What no draw changes: the projection, and outcome and covariates after it, times the root of the weights.

    ``table`` [K, T] treatment paths; ``outcome`` [n]; ``basis`` [n, r] orthonormal; ``root`` [n] square root of the weights, or ``None``; ``unit``, ``period``,
    ``cluster`` [n] codes.
    """

    prepared: Absorber
    table: Floats
    outcome: Floats
    basis: Floats
    root: Floats | None
    unit: Index
    period: Index
    cluster: Index
    n_clusters: int

    def __call__(self, assignments: Index) -> tuple[Floats, Floats]:
        """Coefficient [R] and its sandwich variance [R] without small-sample factor, for the paths ``assignments`` [R, N]."""
        treated = self.table[assignments.T[self.unit], self.period[:, None]]
        raw = np.einsum("ij,ij->j", treated, treated)
        d = project_off(self.prepared, treated)
        d = d if self.root is None else d * self.root[:, None]
        d = d - self.basis @ (self.basis.T @ d)
        total = np.einsum("ij,ij->j", d, d)
        total = np.where(total > 1e-12 * raw, total, np.nan)
        slope = (self.outcome @ d) / total
        score = d * (self.outcome[:, None] - d * slope)
        by_cluster = np.stack([np.bincount(self.cluster, weights=s, minlength=self.n_clusters) for s in score.T], axis=1)
        return slope, np.einsum("ij,ij->j", by_cluster, by_cluster) / total**2


def row_batch(design: Design, table: Floats) -> RowBatch:
    """Prepare the batch for any design ``twfe`` accepts, with one-way clusters and treatment paths ``table`` [K, T]."""
    prepared = projection(design, design.weight)
    root = None if design.weight is None else np.sqrt(design.weight)
    basis = covariate_basis(design, prepared)
    y = prepared.column(design.y)
    y = y if root is None else y * root
    return RowBatch(
        prepared=prepared,
        table=table,
        outcome=y - basis @ (basis.T @ y),
        basis=basis,
        root=root,
        unit=design.unit.astype(np.intp),
        period=design.period.astype(np.intp),
        cluster=design.clusters[0].codes.astype(np.intp),
        n_clusters=design.clusters[0].size,
    )
