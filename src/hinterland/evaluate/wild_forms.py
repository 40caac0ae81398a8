"""Cluster-level forms of a wild bootstrap: everything a draw needs, without rows.

One restriction R'β = r reduces a regression to one regressor z [n], the restricted direction net of fixed effects and of everything else in the model
(Frisch–Waugh–Lovell): τ̂ = z'Wy / z'Wz. With weights v on bootstrap clusters g, residuals ũ and M the projection off fixed effects and
regressors,

    τ* − r = Σ_g v_g a_g / D,    s*_h = Σ_g v_g k_hg,    k_hg = Σ_{i∈h} z_i w_i (M ũ 1_g)_i

with a_g = Σ_{i∈g} z_i w_i ũ_i and D = z'Wz; the variance is Σ_h s*_h² / D² times its small-sample factor (Roodman, MacKinnon, Nielsen & Webb 2019;
MacKinnon 2023). Each residual ũ comes as two: û and z, of which the restricted residual is û + (τ̂ − r) z.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from hinterland.errors import EstimationError, Finding
from hinterland.evaluate.coding import Factor, Floats
from hinterland.evaluate.hdfe import DIRECT, Absorber, Balanced, Eliminated
from hinterland.evaluate.vcov import is_nested

DENSE = 20_000_000
"""Largest table of clusters by levels that is stored in full; larger ones are sparse."""
PROJECTIONS = 3000
"""Most bootstrap clusters where each costs a projection of all rows."""
STORED = 200_000_000
"""Most numbers in the tables of clusters by bootstrap clusters."""
SORTED = 2000
NARROW = 6
"""Clusters up to which, and regressors beyond which, rows are sorted and multiplied cluster by cluster."""
MOMENTS = 50_000_000
"""Most numbers in the cross products of all regressors by cluster."""


@dataclass(frozen=True, slots=True)
class Restricted:
    """One restriction, as rows.

    ``slope`` [p] with z = X slope;  ``z`` [n] the restricted direction;  ``wz`` [n] times the weights;  ``residuals`` 1 or 2 columns [n]: û, and z where the
    null is imposed;  ``x`` [n, p] all residualised regressors;  ``bread`` [p, p];  ``weights`` [n] or ``None``.
    """

    slope: Floats
    z: Floats
    wz: Floats
    residuals: tuple[Floats, ...]
    x: Floats
    bread: Floats
    weights: Floats | None


@dataclass(frozen=True, slots=True)
class Products:
    """Sums over the clusters of one grouping, which serve every restriction.

    ``scores`` [G, p] Σ x w û;  ``gram`` [G, p, p] Σ x w x', or ``None`` where that is too large (see :data:`MOMENTS`).
    """

    factor: Factor
    scores: Floats
    gram: Floats | None

    @classmethod
    def of(cls, factor: Factor, x: Floats, u: Floats, weights: Floats | None) -> Products:
        """Sum over the rows of x [n, p] and weighted residuals u [n]."""
        p = x.shape[1]
        scores = np.stack([_sums(x[:, j] * u, factor) for j in range(p)], axis=1)
        if factor.size * p * p > MOMENTS:
            return cls(factor, scores, None)
        gram = np.empty((factor.size, p, p))
        if factor.size <= SORTED and p > NARROW:
            order = np.argsort(factor.codes, kind="stable")
            rows = np.ascontiguousarray(x[order])
            weighted = rows if weights is None else rows * weights[order, None]
            ends = np.searchsorted(factor.codes[order], np.arange(factor.size + 1))
            for g, (start, end) in enumerate(pairwise(ends.tolist())):
                gram[g] = rows[start:end].T @ weighted[start:end]
            return cls(factor, scores, gram)
        for j in range(p):
            own = x[:, j] if weights is None else x[:, j] * weights
            for k in range(j + 1):
                gram[:, j, k] = gram[:, k, j] = _sums(own * x[:, k], factor)
        return cls(factor, scores, gram)

    def along(self, restricted: Restricted) -> Floats:
        """[G, p] Σ x w z."""
        if self.gram is not None:
            return np.asarray(self.gram @ restricted.slope)
        return np.stack([_sums(restricted.x[:, j] * restricted.wz, self.factor) for j in range(restricted.x.shape[1])], axis=1)


@dataclass(frozen=True, slots=True)
class Grouping:
    """A grouping that the variance sums over: ``factor`` with the signed small-sample ``scale`` of its term."""

    factor: Factor
    scale: float


@dataclass(frozen=True, slots=True)
class Gram:
    """The variance as quadratic forms in the weights.

    ``own`` [s, G] numerators a_g / D;  ``forms`` [pairs, G, G] symmetric, for the pairs (0,0), (0,1), (1,1).
    """

    own: Floats
    forms: Floats

    def __call__(self, v: Floats) -> tuple[Floats, Floats]:
        """Numerators [R, s] and variances [R, pairs] of the draws v [R, G]."""
        return v @ self.own.T, np.stack([np.einsum("rg,rg->r", v @ q, v) for q in self.forms], axis=1)


@dataclass(frozen=True, slots=True)
class Wide:
    """The variance as sums of squares over few clusters h: ``tables`` per grouping [s, H, G], ``scales`` their signed factors."""

    own: Floats
    tables: tuple[Floats, ...]
    scales: tuple[float, ...]

    def __call__(self, v: Floats) -> tuple[Floats, Floats]:
        """As :meth:`Gram.__call__`."""
        pairs = _pairs(len(self.own))
        total = np.zeros((len(v), len(pairs)))
        for table, scale in zip(self.tables, self.scales, strict=True):
            scores = [v @ k.T for k in table]
            total += scale * np.stack([np.einsum("rh,rh->r", scores[a], scores[b]) for a, b in pairs], axis=1)
        return v @ self.own.T, total


@dataclass(frozen=True, slots=True)
class LowRank:
    """One-way clusters, many of them: k_hg = 1[h = g] b_g − l_h' m r_g, with few levels beyond the clusters.

    ``own`` [s, G] numerators; ``score`` [s, G] b; ``crossed`` s tables [G, m] of b_g l_g; ``right`` s tables [G, m]; ``middle`` [m, m];
    ``outer`` [m, m] Σ_g l_g l_g'; ``scale`` small-sample factor over D². Tables are dense or sparse. ``signs``: v² = 1.
    """

    own: Floats
    score: Floats
    crossed: tuple[Any, ...]
    right: tuple[Any, ...]
    middle: Floats
    outer: Floats
    scale: float
    signs: bool

    def __call__(self, v: Floats) -> tuple[Floats, Floats]:
        """As :meth:`Gram.__call__`."""
        right = [np.asarray(v @ r) @ self.middle.T for r in self.right]
        crossed = [np.asarray(v @ c) for c in self.crossed]
        squares = np.ones_like(v[:1]) if self.signs else v * v
        parts = []
        for a, b in _pairs(len(self.own)):
            diagonal = squares @ (self.score[a] * self.score[b])
            mixed = np.einsum("rm,rm->r", crossed[a], right[b]) + np.einsum("rm,rm->r", crossed[b], right[a])
            parts.append(diagonal - mixed + np.einsum("rm,rm->r", right[a] @ self.outer, right[b]))
        return v @ self.own.T, self.scale * np.stack(parts, axis=1)


Form = Gram | Wide | LowRank


def _pairs(shifts: int) -> list[tuple[int, int]]:
    return [(0, 0)] if shifts == 1 else [(0, 0), (0, 1), (1, 1)]


def _scaled(table: Any, values: Floats) -> Any:
    return table.multiply(values[:, None]).tocsr() if hasattr(table, "toarray") else table * values[:, None]


def form(prepared: Absorber, restricted: Restricted, products: Sequence[Products], groupings: Sequence[Grouping], *, signs: bool) -> Form:
    """The cheapest exact form of the bootstrap.

    Args:
        prepared: the projection off the fixed effects.
        restricted: the restriction.
        products: sums over the grouping that shares a weight, then over each of ``groupings``, those that the variance sums over.
        signs: the weights are ±1.

    Raises:
        EstimationError: the bootstrap clusters are too many for fixed effects that cut across them.
    """
    boot = products[0].factor
    total = float(restricted.z @ restricted.wz)
    own = np.stack([_sums(restricted.wz * u, boot) for u in restricted.residuals]) / total
    if nests(prepared, [p.factor for p in products]) and (tables := _tables(prepared, restricted, products)) is not None:
        left, right, middle = tables
        if len(groupings) == 1 and groupings[0].factor.codes is boot.codes and boot.size > 2 * len(middle):
            scale = groupings[0].scale / total**2
            crossing = tuple(_scaled(left[0], b) for b in own * total)
            return LowRank(own, own * total, crossing, right, middle, _dense(left[0].T @ left[0]), scale, signs)
        crossed = tuple(
            np.stack(
                [
                    _cross(restricted.wz * u, g.factor, boot) - _dense(lv @ (middle @ _dense(r).T))
                    for u, r in zip(restricted.residuals, right, strict=True)
                ]
            )
            for g, lv in zip(groupings, left, strict=True)
        )
    else:
        crossed = _projected(prepared, restricted, boot, groupings)
    return _smaller(own, crossed, tuple(g.scale / total**2 for g in groupings))


def _smaller(own: Floats, tables: tuple[Floats, ...], scales: tuple[float, ...]) -> Form:
    """Quadratic forms where bootstrap clusters are fewer than clusters, else sums of squares."""
    shifts, size = own.shape
    if size > sum(t.shape[1] for t in tables) or size > PROJECTIONS:
        return Wide(own, tables, scales)
    forms = []
    for a, b in _pairs(shifts):
        q = sum((scale * (t[a].T @ t[b]) for t, scale in zip(tables, scales, strict=True)), np.zeros((size, size)))
        forms.append((q + q.T) / 2)
    return Gram(own, np.stack(forms))


def _sums(values: Floats, factor: Factor) -> Floats:
    return np.bincount(factor.codes, weights=values, minlength=factor.size).astype(np.float64, copy=False)


def _cross(values: Floats, rows: Factor, columns: Factor) -> Floats:
    """[H, G] sums of values by both groupings."""
    code = rows.codes.astype(np.int64) * columns.size + columns.codes
    table = np.bincount(code, weights=values, minlength=rows.size * columns.size)
    return table.astype(np.float64, copy=False).reshape(rows.size, columns.size)


def _dense(table: Any) -> Floats:
    return np.asarray(table.toarray() if hasattr(table, "toarray") else table, dtype=np.float64)


def nests(prepared: Absorber, factors: Sequence[Factor]) -> bool:
    """Whether every level of the fixed effect that was eliminated first lies within one cluster of each grouping."""
    return all(_nests(prepared, f) for f in factors)


def _nests(prepared: Absorber, factor: Factor) -> bool:
    if isinstance(prepared, Balanced):
        units = Factor("", np.repeat(np.arange(prepared.units, dtype=np.int32), prepared.periods), prepared.units)
        return is_nested(units, factor)
    if isinstance(prepared, Eliminated):
        return is_nested(Factor("", prepared.block.groups.codes, prepared.block.groups.size), factor)
    return False


def _tables(prepared: Absorber, restricted: Restricted, products: Sequence[Products]) -> tuple[list[Any], tuple[Any, ...], Floats] | None:
    """Per grouping l [H, m]; per residual r [G, m]; and m [m, m]: what the fixed effects that clusters share, and the regressors, take out.

    z and the residuals are orthogonal to the factor eliminated first, and it lies within clusters, so it takes nothing out.
    ``None`` where the other fixed effects are too many for a generalised inverse.
    """
    boot, others = products[0], _others(prepared)
    factors, inverse = others
    levels = sum(f.size for f in factors)
    if levels > DIRECT or (sum(g.factor.size for g in products[1:]) * boot.factor.size > STORED and len(products) > 2):
        return None
    middle = np.zeros((levels + len(restricted.bread),) * 2)
    middle[:levels, :levels] = inverse()
    middle[levels:, levels:] = restricted.bread
    left = [_table(restricted.wz, p.factor, factors, p.along(restricted)) for p in products[1:]]
    weighted = [u if restricted.weights is None else u * restricted.weights for u in restricted.residuals]
    shared = (boot.scores, boot.along(restricted))
    right = tuple(_table(u, boot.factor, factors, r) for u, r in zip(weighted, shared, strict=False))
    return left, right, middle


def _others(prepared: Absorber) -> tuple[tuple[Factor, ...], Any]:
    """The fixed effects besides the one eliminated first, and a function that gives a generalised inverse [m, m] of their system."""
    if isinstance(prepared, Balanced):
        periods = Factor("", np.tile(np.arange(prepared.periods, dtype=np.int32), prepared.units), prepared.periods)
        return (periods,), lambda: np.eye(prepared.periods) / prepared.units
    if not isinstance(prepared, Eliminated):
        return (), lambda: np.zeros((0, 0))
    size = sum(f.size for f in prepared.others)
    return prepared.others, lambda: np.stack([prepared.solve(e) for e in np.eye(size)], axis=1)


def _table(values: Floats, clusters: Factor, others: Sequence[Factor], regressors: Floats) -> Any:
    """[G, m] sums of values by cluster and level of the other fixed effects, then ``regressors`` [G, p]: of values times each regressor."""
    levels = sum(f.size for f in others)
    if clusters.size * levels <= DENSE:
        return np.concatenate([*(_cross(values if f.slope is None else values * f.slope, clusters, f) for f in others), regressors], axis=1)
    from scipy import sparse

    parts = [
        sparse.csr_array((values if f.slope is None else values * f.slope, (clusters.codes, f.codes)), shape=(clusters.size, f.size))
        for f in others
    ]
    return sparse.hstack([*parts, sparse.csr_array(regressors)]).tocsr()


def _projected(prepared: Absorber, restricted: Restricted, boot: Factor, groupings: Sequence[Grouping]) -> tuple[Floats, ...]:
    """Per grouping k [s, H, G], by projecting the residuals of one bootstrap cluster after another off everything."""
    rows = sum(g.factor.size for g in groupings)
    if boot.size > PROJECTIONS or boot.size * rows > STORED:
        raise EstimationError(
            Finding(
                "wild-too-large",
                f"{boot.size} bootstrap clusters by {rows} clusters of the variance, with fixed effects that cut across them, are too many",
                f"bootcluster {boot.name!r}",
                "bootstrap on the grouping with the fewest clusters (bootcluster=), or cluster one way on a column that contains whole units",
            ),
            "bootstrap",
        )
    tables = tuple(np.zeros((len(restricted.residuals), g.factor.size, boot.size)) for g in groupings)
    for g in range(boot.size):
        inside = boot.codes == g
        for s, u in enumerate(restricted.residuals):
            part = np.where(inside, u, 0.0)
            weighted = part if restricted.weights is None else part * restricted.weights
            rest = prepared.column(part) - restricted.x @ (restricted.bread @ (restricted.x.T @ weighted))
            for table, grouping in zip(tables, groupings, strict=True):
                table[s, :, g] = _sums(restricted.wz * rest, grouping.factor)
    return tables
