"""The pairs cluster bootstrap of a mediation model with unit and period effects, from sums over clusters.

Clusters are drawn whole, with all their units and periods, and everything is estimated again, period effects included. Unit effects are removed within units, so the normal equations
of treatment, mediators, covariates and periods add up over clusters: draws are one matrix product, multiplicities [R, C] times cluster sums [C, moments], and small systems solved in batches.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hinterland.evaluate.coding import Factor, Floats
from hinterland.evaluate.design import Design
from hinterland.evaluate.regression import treatment

Ints = NDArray[np.int64]

BLOCK = 256
"""Draws that are solved at a time."""
ROWS = 20_000
COLLINEAR = 1e-9
"""Share of a treatment's or mediator's variation that must be left net of the rest."""


@dataclass(frozen=True, slots=True)
class ClusterSums:
    """Cross-products of (treatment, covariates, periods, mediators, confounders, outcome), net of unit means, by cluster.

    Attributes:
        products: [C, q(q + 1)/2] upper triangles;  width: q.
        base: how many columns the total effect is regressed on: treatment, covariates, periods;  mediators: K;  confounders: L. Their columns follow in that order, the outcome last.
    """

    products: Floats
    width: int
    base: int
    mediators: int
    confounders: int

    def paths(self, weights: Floats) -> Floats:
        """[R, 1 + 3K] total, effects, slopes and spreads for multiplicities ``weights`` [R, C]; NaN where a draw does not identify them."""
        return np.concatenate([self._solved(weights[i : i + BLOCK] @ self.products) for i in range(0, len(weights), BLOCK)])

    def without(self) -> Floats:
        """[C, 1 + 3K] the same without each cluster in turn, by subtraction."""
        total = self.products.sum(axis=0)
        return np.concatenate([self._solved(total - self.products[i : i + BLOCK]) for i in range(0, len(self.products), BLOCK)])

    def _solved(self, products: Floats) -> Floats:
        q, base, k = self.width, self.base, self.mediators
        upper = np.triu_indices(q)
        gram = np.zeros((len(products), q, q))
        gram[:, upper[0], upper[1]] = products
        gram[:, upper[1], upper[0]] = products
        short, treated = _inverse(gram[:, :base, :base], np.zeros(1, dtype=np.int64))
        reduced = np.einsum("rj,rjm->rm", short[:, 0], np.concatenate([gram[:, :base, -1:], gram[:, :base, base : base + k]], axis=2))
        at = np.arange(base, base + k)
        long, told = _inverse(gram[:, :-1, :-1], np.concatenate([[0], at]))
        coefficients = np.einsum("rij,rj->ri", long, gram[:, :-1, -1])
        ssr = np.maximum(gram[:, -1, -1] - np.einsum("ri,ri->r", coefficients, gram[:, :-1, -1]), 0.0)
        spread = np.sqrt(ssr[:, None] * np.einsum("rkk->rk", long[:, at][:, :, at]))
        out = np.column_stack([reduced, coefficients[:, at], spread])
        out[~(treated & told)] = np.nan
        return out


def _inverse(gram: Floats, watched: Ints) -> tuple[Floats, NDArray[np.bool_]]:
    """[R, q, q] inverses, and [R] whether the ``watched`` columns vary net of the others; columns without variation (a period that no unit of a draw has) get the coefficient zero."""
    scale = np.sqrt(np.maximum(np.einsum("rii->ri", gram), 0.0))
    empty = scale <= 1e-12 * scale.max(axis=1, keepdims=True)
    scale = np.where(empty, 1.0, scale)
    gram = gram / scale[:, :, None] / scale[:, None, :] + empty[:, :, None] * np.eye(gram.shape[1])
    try:
        inverse = np.linalg.inv(gram)
    except np.linalg.LinAlgError:
        inverse = np.stack([np.linalg.pinv(g, hermitian=True) for g in gram])
    diagonal = np.einsum("rii->ri", inverse)[:, watched]
    with np.errstate(divide="ignore", invalid="ignore"):
        left = 1 / diagonal
    defined = ((left > COLLINEAR) & (left < 1 + 1e-6) & ~empty[:, watched]).all(axis=1)
    inverse = np.where(empty[:, :, None] | empty[:, None, :], 0.0, inverse)
    return inverse / scale[:, :, None] / scale[:, None, :], defined


def is_exact(design: Design) -> bool:
    """Whether drawing clusters again is a sum over clusters: no further fixed effects, and one grouping that does not cut through units."""
    starts = unit_starts(design)
    codes = design.clusters[0].codes
    return not design.fixed_effects and len(design.clusters) == 1 and bool((codes == codes[starts][design.unit]).all())


def unit_starts(design: Design) -> Ints:
    """[N] first row of each unit."""
    return np.flatnonzero(np.append(True, design.unit[1:] != design.unit[:-1]))


def cluster_sums(design: Design, mediators: Sequence[str], confounders: Sequence[str], covariates: Sequence[str]) -> ClusterSums:
    """The sums over clusters of the design's rows; ``covariates``: those of the design that are not collinear."""
    kept = [design.covariate_names.index(name) for name in covariates]
    base = 1 + len(kept) + design.n_periods - 1
    width = base + len(mediators) + len(confounders) + 1
    cluster: Factor = design.clusters[0]
    upper = np.triu_indices(width)
    products = np.zeros((cluster.size, len(upper[0])))
    scale = np.array([np.std(design.covariates[:, j]) or 1.0 for j in kept])
    carried = [np.asarray(design.columns[name], dtype=np.float64) for name in (*mediators, *confounders)]
    d = treatment(design)
    for start, end, units in _blocks(design):
        rows = slice(start, end)
        z = np.zeros((end - start, width))
        z[:, 0], z[:, 1 : 1 + len(kept)] = d[rows], design.covariates[rows][:, kept] / scale
        period = design.period[rows].astype(np.int64)
        later = np.flatnonzero(period > 0)
        z[later, len(kept) + period[later]] = 1.0
        z[:, base:] = np.column_stack([*(c[rows] for c in carried), design.y[rows]])
        weight = np.ones(end - start) if design.weight is None else design.weight[rows]
        mean = np.add.reduceat(z * weight[:, None], units) / np.add.reduceat(weight, units)[:, None]
        z -= np.repeat(mean, np.diff(np.append(units, end - start)), axis=0)
        crossed = np.add.reduceat((z * weight[:, None])[:, upper[0]] * z[:, upper[1]], units)
        np.add.at(products, cluster.codes[rows][units], crossed)
    return ClusterSums(products, width, base, len(mediators), len(confounders))


def _blocks(design: Design) -> Iterator[tuple[int, int, Ints]]:
    """First and last row of some thousand rows at a time, whole units, with the first row of each unit among them."""
    starts = unit_starts(design)
    first = 0
    while first < len(starts):
        last = max(int(np.searchsorted(starts, starts[first] + ROWS, side="left")), first + 1)
        end = design.n_obs if last >= len(starts) else int(starts[last])
        yield int(starts[first]), end, starts[first:last] - starts[first]
        first = last
