"""Static two-way fixed-effects coefficients of many permuted assignments, where no closed form exists.

Unbalanced panels, sampling weights, extra fixed effects, clusters that units move between, several groupings, groups of unequal size: each
draw's treatment is residualised, on a factorisation that is made once. n rows, R draws.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from hinterland.evaluate.coding import Factor
from hinterland.evaluate.design import Design
from hinterland.evaluate.hdfe import Absorber, project_off
from hinterland.evaluate.paths import covariate_basis
from hinterland.evaluate.regression import projection
from hinterland.evaluate.vcov import intersect

Floats = NDArray[np.float64]
Index = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class RowBatch:
    """What no draw changes: the projection, and outcome and covariates after it, times the root of the weights.

    ``table`` [K, T] treatment paths; ``outcome`` [n]; ``basis`` [n, r] orthonormal; ``root`` [n] square root of the weights, or ``None``; ``unit``, ``period`` [n]
    codes; ``groupings`` the groupings of the variance, each with its sign (Cameron, Gelbach & Miller 2011).
    """

    prepared: Absorber
    table: Floats
    outcome: Floats
    basis: Floats
    root: Floats | None
    unit: Index
    period: Index
    groupings: tuple[tuple[int, Factor], ...]

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
        return slope, sum(sign * _squared(score, group) for sign, group in self.groupings) / total**2


def _squared(score: Floats, group: Factor) -> Floats:
    """[R] sums of squared sums of ``score`` [n, R] within the levels of ``group``."""
    sums = np.stack([np.bincount(group.codes, weights=s, minlength=group.size) for s in score.T], axis=1)
    return np.asarray(np.einsum("ij,ij->j", sums, sums))


def _signed(clusters: Sequence[Factor]) -> tuple[tuple[int, Factor], ...]:
    """Every intersection of the groupings, with its sign."""
    chosen = [part for count in range(1, len(clusters) + 1) for part in combinations(clusters, count)]
    return tuple(((-1) ** (len(part) + 1), part[0] if len(part) == 1 else intersect(part)) for part in chosen)


def row_batch(design: Design, table: Floats) -> RowBatch:
    """Prepare the batch for any design ``twfe`` accepts, with treatment paths ``table`` [K, T]."""
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
        groupings=_signed(design.clusters),
    )
