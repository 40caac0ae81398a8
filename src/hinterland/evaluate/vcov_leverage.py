"""Covariances that correct residuals for leverage: CR2 and CR3 by cluster, HC2 and HC3 by row, and what each cluster weighs.

In rows scaled by the roots of the weights, the residual maker M = I − QQ' − UU' of the whole regression, absorbed effects included, is
known by a basis Q [n, q] of the eliminated fixed effect (sparse) and U = [L, X B^½] [n, m], with L a basis of what the other effects add
(m is small). For cluster g with scores x_g and residuals r_g,

    s_g = B x_g' A_g r_g,   A_g = M_gg^(−½) (CR2),   A_g = M_gg^(−1) (CR3, where s_g = β̂ − β̂₍₋g₎),

with Moore–Penrose powers, so that effects nested in clusters drop out (Bell & McCaffrey 2002; Pustejovsky & Tipton 2018, with errors
independent and of variance 1/w as the working model; MacKinnon, Nielsen & Webb 2023 for the jackknife).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hinterland.errors import EstimationError, Finding
from hinterland.evaluate.coding import Factor, Floats
from hinterland.evaluate.hdfe import DIRECT, Block, level_columns, sparse_system, split_block
from hinterland.evaluate.vcov import Moments, is_nested

Ints = NDArray[np.int64]

VANISHING = 1e-10
"""Eigenvalues of M_gg below this are zero: directions in which the cluster is fitted exactly."""
LOST = 1e-6
"""Share of a regressor's variation in such directions from which it counts as not identified without the cluster."""
LARGEST = 3000
"""Rows of a cluster that cuts through units, whose M_gg must be decomposed whole (CR2)."""
JACKKNIFE = 1.0
"""The power of CR3, under which M_gg⁻¹r_g is a solution and needs no decomposition."""
CHUNK = 2_000_000
"""Numbers in memory at a time, about."""


@dataclass(frozen=True, slots=True)
class Adjusted:
    """Scores of clusters corrected for leverage.

    Attributes:
        scores: [G, k] s_g, with ``scores.T @ scores`` their covariance (CR3: before (G − 1)/G).
        df: [k] Satterthwaite degrees of freedom of each coefficient under the working model (CR2); ``None`` under CR3.
        leverage: [G] trace of what the regressors and the effects that are not nested in clusters explain of each cluster.
        lost: [G, k] coefficients that are not identified without the cluster.
    """

    scores: Floats
    df: Floats | None
    leverage: Floats
    lost: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Projection:
    """The projection on all that was fitted, row by row.

    Attributes:
        block: the eliminated effect.
        z, crossed: sparse [n, M] columns of the other effects' levels, scaled, and C [q, M] their products with Q.
        levels: [M, r] such that L = (Z − Q C) ``levels``.
        x: [n, k] regressors, scaled;  residual: [n] residuals, scaled.
        half: [k, k] with ``half @ half.T`` the bread.
        basis: the non-zero entries of Q, one column [n] for the intercept and one per slope.
    """

    block: Block
    z: Any
    crossed: Any
    levels: Floats
    x: Floats
    residual: Floats
    half: Floats
    basis: tuple[Floats, ...]

    @property
    def width(self) -> int:
        """Columns m of U."""
        return int(self.levels.shape[1] + self.x.shape[1])

    def u(self, rows: Ints) -> Floats:
        """U at ``rows`` [b, m]."""
        from scipy import sparse

        right = self.x[rows] @ self.half
        if self.z is None:
            return np.asarray(right)
        codes, size = self.block.groups.codes[rows], self.block.groups.size
        reduced = self.z[rows]
        for part, b in enumerate(self.basis):
            reduced = reduced - sparse.diags_array(b[rows]) @ self.crossed[codes + part * size]
        return np.hstack([reduced @ self.levels, right])


def projection_of(moments: Moments) -> Projection:
    """Prepare the projection behind ``moments``.

    Raises:
        EstimationError: more than 1 500 levels of fixed effects beside the largest one.
    """
    block, others = split_block(moments.factors, moments.weights)
    root = None if moments.weights is None else np.sqrt(moments.weights)
    z = crossed = None
    levels = np.zeros((0, 0))
    if others:
        starts = tuple(int(s) for s in np.cumsum([0, *(f.size for f in others)]))
        _fail_if_too_many(starts[-1])
        crossed, own = sparse_system(block, others, starts)
        levels = _inverse_root(own.toarray() - (crossed.T @ crossed).toarray(), own.diagonal())
        z = level_columns(others, starts)
        if root is not None:
            from scipy import sparse

            z = (sparse.diags_array(root) @ z).tocsr()
    x = moments.x if root is None else moments.x * root[:, None]
    residual = moments.u if root is None else moments.u / root
    own_scale = (1 / np.sqrt(block.total))[block.groups.codes]
    basis = tuple(b if root is None else b * root for b in (own_scale, *block.basis))
    half = np.linalg.cholesky(moments.bread).astype(np.float64, copy=False)
    return Projection(block, z, crossed, levels, x, residual, half, basis)


def _fail_if_too_many(levels: int) -> None:
    if levels > DIRECT:
        what = f"the fixed effects beside the largest one have {levels} levels, more than {DIRECT}"
        remedy = "choose vcov='cluster', or leave out fixed effects"
        raise EstimationError(Finding("too-many-levels", what, "option vcov", remedy), "options")


def _inverse_root(system: Floats, own: Floats) -> Floats:
    """[M, r] R with R R' a generalised inverse of the system."""
    scale = np.sqrt(np.where(own > 0, own, 1.0))
    values, vectors = np.linalg.eigh(system / scale[:, None] / scale)
    kept = values > 1e-10
    return np.asarray(vectors[:, kept] / np.sqrt(values[kept]) / scale[:, None])


def row_leverage(projection: Projection) -> Floats:
    """[n] diagonal of the projection: the leverage of each row."""
    out = np.sum([b * b for b in projection.basis], axis=0)
    step = max(CHUNK // max(projection.width, 1), 1)
    for start in range(0, len(out), step):
        rows = np.arange(start, min(start + step, len(out)))
        u = projection.u(rows)
        out[rows] += np.einsum("ij,ij->i", u, u)
    return np.asarray(out)


def adjusted_scores(projection: Projection, cluster: Factor, power: float) -> Adjusted:
    """Scores by cluster corrected by M_gg^(−``power``): 0.5 for CR2, 1 for CR3.

    Raises:
        EstimationError: CR2 with clusters that cut through the units and have more than 3 000 rows.
    """
    unit = Factor("", projection.block.groups.codes, projection.block.groups.size)
    nested = is_nested(unit, cluster)
    sums = _Sums.empty(cluster.size, projection, nested, power)
    whole = not nested and power != JACKKNIFE
    if whole:
        _fail_if_too_large(cluster)
    for numbers, rows in _batches(cluster, projection.width):
        batch = _Batch(numbers, rows, projection.u(rows.reshape(-1)).reshape(*rows.shape, projection.width))
        if whole or rows.shape[1] <= projection.width:
            _by_rows(batch, projection, power, sums)
        elif nested:
            _by_products(batch, projection, power, sums)
        else:
            _by_solving(batch, projection, sums)
    df = None if sums.model is None else sums.model.df(cluster.size)
    return Adjusted(sums.scores, df, sums.leverage, sums.lost > LOST * np.sum(projection.half**2, axis=1))


@dataclass(frozen=True, slots=True)
class _Batch:
    """Clusters of one size s: their ``numbers`` [b], ``rows`` [b, s] and ``u`` [b, s, m]."""

    numbers: Ints
    rows: Ints
    u: Floats


def _fail_if_too_large(cluster: Factor) -> None:
    largest = int(np.bincount(cluster.codes).max())
    if largest > LARGEST:
        what = f"clusters of {cluster.name!r} cut through units and have up to {largest} rows, more than {LARGEST}"
        remedy = "choose vcov='CR3' or vcov='cluster', or cluster on a column that is constant within units"
        raise EstimationError(Finding("cluster-too-large", what, "option vcov", remedy), "options")


def _batches(cluster: Factor, width: int) -> Iterator[tuple[Ints, Ints]]:
    order = np.argsort(cluster.codes, kind="stable")
    sizes = np.bincount(cluster.codes, minlength=cluster.size)
    starts = np.cumsum(sizes) - sizes
    for size in np.unique(sizes):
        chosen = np.flatnonzero(sizes == size)
        step = max(int(CHUNK // (size * max(width, min(size, LARGEST)))), 1)
        for first in range(0, len(chosen), step):
            numbers = chosen[first : first + step]
            yield numbers, order[starts[numbers][:, None] + np.arange(size)]


@dataclass(frozen=True, slots=True)
class _Sums:
    """What clusters are put into: ``scores`` and ``lost`` [G, k], ``leverage`` [G], and under CR2 what the degrees of freedom need.

    ``nested``: the eliminated effect is nested in clusters.
    """

    scores: Floats
    leverage: Floats
    lost: Floats
    nested: bool
    model: _Satterthwaite | None

    @classmethod
    def empty(cls, size: int, projection: Projection, nested: bool, power: float) -> _Sums:
        k = projection.x.shape[1]
        model = None if power == JACKKNIFE else _Satterthwaite.empty(size, projection, nested)
        return cls(np.zeros((size, k)), np.zeros(size), np.zeros((size, k)), nested, model)


@dataclass(slots=True)
class _Satterthwaite:
    """What is added up over clusters; with p_g = A_g x_g B l for the coefficient l, w_g = U_g'p_g and y_g = Q_g'p_g.

    ``trace`` and ``squares`` [k]: Σ tr P_gg and Σ_g p_g'p_g (p_g'p_g − 2 |w_g|² − 2 |y_g|²); ``crossed`` [k, m, m]: Σ w_g w_g' where the
    eliminated effect is nested in clusters (y_g = 0); else ``parts`` holds w_g [G, k, m] and ``entries`` the y_g.
    """

    trace: Floats
    squares: Floats
    crossed: Floats
    parts: Floats | None
    entries: list[tuple[Ints, Ints, Floats]]

    @classmethod
    def empty(cls, size: int, projection: Projection, nested: bool) -> _Satterthwaite:
        k, m = projection.x.shape[1], projection.width
        return cls(np.zeros(k), np.zeros(k), np.zeros((k, m, m)), None if nested else np.zeros((size, k, m)), [])

    def add(self, numbers: Ints, length: Floats, w: Floats, y: Floats | None) -> None:
        """``length`` [b, k] p_g'p_g;  ``w`` [b, m, k];  ``y`` [b, k] |y_g|²."""
        explained = np.einsum("bmk,bmk->bk", w, w)
        if y is not None:
            explained = explained + y
        self.trace += (length - explained).sum(axis=0)
        self.squares += (length * (length - 2 * explained)).sum(axis=0)
        if self.parts is None:
            self.crossed += np.einsum("bmk,bnk->kmn", w, w, optimize=True)
        else:
            self.parts[numbers] = w.transpose(0, 2, 1)

    def df(self, size: int) -> Floats:
        """[k] (tr P)² / tr P², for P_gh = p_g' M_gh p_h over ``size`` clusters."""
        if self.parts is None:
            between = np.einsum("kmn,kmn->k", self.crossed, self.crossed)
        else:
            between = np.array([self._between(self.parts[:, j], j, size) for j in range(len(self.trace))])
        total = self.squares + between
        return np.asarray(np.divide(self.trace**2, total, out=np.full_like(total, np.nan), where=total > 0))

    def _between(self, w: Floats, j: int, size: int) -> float:
        """‖YY' + WW'‖² over clusters, for coefficient j."""
        from scipy import sparse

        g, q = (np.concatenate([e[i] for e in self.entries]) for i in (0, 1))
        values = np.concatenate([e[2][:, j] for e in self.entries])
        y = sparse.csr_array((values, (g, q)), shape=(size, int(q.max()) + 1))
        both = sparse.hstack([y, sparse.csr_array(w)]).tocsr()
        product = both @ both.T if both.shape[0] <= both.shape[1] else both.T @ both
        return float((product.data**2).sum())


def _powers(values: Floats, power: float) -> Floats:
    """``values`` to the power −``power``, zero where they vanish."""
    alive = values > VANISHING
    return np.where(alive, np.where(alive, values, 1.0) ** -power, 0.0)


def _by_products(batch: _Batch, projection: Projection, power: float, sums: _Sums) -> None:
    """Clusters with more rows than U has columns, units within clusters: from the eigenvalues of U_g'U_g [m, m]."""
    u, numbers = batch.u, batch.numbers
    k = projection.x.shape[1]
    values, vectors = np.linalg.eigh(u.transpose(0, 2, 1) @ u)
    values = np.clip(values, 0.0, 1.0)
    factor = _powers(1 - values, power)
    # x_g B = U_g c, and c is zero but for its last k rows.
    turned = vectors[:, -k:, :].transpose(0, 2, 1) @ projection.half.T
    moved = vectors.transpose(0, 2, 1) @ np.einsum("bsm,bs->bm", u, projection.residual[batch.rows])[:, :, None]
    weighted = factor[:, :, None] * turned
    sums.scores[numbers] = np.einsum("bmk,bm->bk", weighted, moved[:, :, 0])
    sums.leverage[numbers] = values.sum(axis=1)
    sums.lost[numbers] = np.einsum("bm,bmk->bk", values * (factor == 0), turned**2)
    if sums.model is not None:
        length = np.einsum("bm,bmk->bk", values, weighted**2)
        sums.model.add(numbers, length, vectors @ (values[:, :, None] * weighted), None)


def _by_rows(batch: _Batch, projection: Projection, power: float, sums: _Sums) -> None:
    """Other clusters: from the eigenvalues of M_gg [s, s]."""
    u, rows, numbers = batch.u, batch.rows, batch.numbers
    codes, basis = projection.block.groups.codes[rows], projection.basis
    same = codes[:, :, None] == codes[:, None, :]
    own = np.sum([b[rows][:, :, None] * b[rows][:, None, :] for b in basis], axis=0) * same
    values, vectors = np.linalg.eigh(np.eye(rows.shape[1]) - own - u @ u.transpose(0, 2, 1))
    factor = _powers(values, power)
    right = u[:, :, -projection.x.shape[1] :] @ projection.half.T
    turned = vectors.transpose(0, 2, 1) @ right
    p = vectors @ (factor[:, :, None] * turned)
    sums.scores[numbers] = np.einsum("bsk,bs->bk", p, projection.residual[rows])
    sums.leverage[numbers] = np.einsum("bsm,bsm->b", u, u)
    sums.lost[numbers] = np.einsum("bs,bsk->bk", (factor == 0).astype(np.float64), turned**2)
    if not sums.nested:
        sums.leverage[numbers] += np.einsum("bss->b", own)
    if sums.model is not None:
        y = None if sums.nested else _eliminated_part(batch, projection, p, sums.model)
        sums.model.add(numbers, np.einsum("bsk,bsk->bk", p, p), u.transpose(0, 2, 1) @ p, y)


def _eliminated_part(batch: _Batch, projection: Projection, p: Floats, model: _Satterthwaite) -> Floats:
    """[b, k] |Q_g'p_g|²; the entries of Q_g'p_g are kept."""
    out = np.zeros((len(batch.numbers), p.shape[2]))
    size = projection.block.groups.size
    found, place = _units_within(batch, projection)
    for part, b in enumerate(projection.basis):
        entry = np.zeros((len(found), p.shape[2]))
        np.add.at(entry, place, (b[batch.rows][:, :, None] * p).reshape(-1, p.shape[2]))
        where, level = found // size, found % size + part * size
        np.add.at(out, where, entry**2)
        model.entries.append((batch.numbers[where], level, entry))
    return out


def _units_within(batch: _Batch, projection: Projection) -> tuple[Ints, Ints]:
    """The levels of the eliminated effect within each cluster, as cluster · levels + level [e], and which of them each row is in [b · s]."""
    groups = projection.block.groups
    found, place = np.unique(np.arange(len(batch.numbers))[:, None] * groups.size + groups.codes[batch.rows], return_inverse=True)
    return found, place.reshape(-1)


def _by_solving(batch: _Batch, projection: Projection, sums: _Sums) -> None:
    """Clusters that cut through units, under CR3, however large: M_gg z = r_g without M_gg.

    M_gg = D − U_g U_g', D = I − Q_g Q_g' a block for each unit. So z = D⁺(r_g + U_g a) with (I − U_g'D⁺U_g) a = U_g'D⁺r_g [m, m], and
    M_gg⁺ r_g is z less its part in the null space of M_gg, which is D⁺U_g times that of I − U_g'D⁺U_g (beside that of D, where U_g is zero).
    """
    u, rows, numbers = batch.u, batch.rows, batch.numbers
    m = projection.width
    solved, own = _within_units(batch, projection, np.concatenate([u, projection.residual[rows][:, :, None]], axis=2))
    left, z = solved[:, :, :m], solved[:, :, m:]
    values, vectors = np.linalg.eigh(np.eye(m) - u.transpose(0, 2, 1) @ left)
    factor = _powers(values, 1.0)
    z = z + left @ (vectors @ (factor[:, :, None] * (vectors.transpose(0, 2, 1) @ (u.transpose(0, 2, 1) @ z))))
    right = u[:, :, -projection.x.shape[1] :] @ projection.half.T
    fitted = left @ (vectors * (factor == 0)[:, None, :])
    turned = fitted.transpose(0, 2, 1)
    inverse = np.linalg.pinv(turned @ fitted, hermitian=True)
    z = z - fitted @ (inverse @ (turned @ z))
    part = turned @ right
    sums.scores[numbers] = (right.transpose(0, 2, 1) @ z)[:, :, 0]
    sums.leverage[numbers] = np.einsum("bsm,bsm->b", u, u) + own
    sums.lost[numbers] = np.einsum("bmk,bmk->bk", part, inverse @ part)


def _within_units(batch: _Batch, projection: Projection, y: Floats) -> tuple[Floats, Floats]:
    """D⁺y [b, s, c] for y [b, s, c], D = I − Q_g Q_g'; and the traces of Q_g Q_g' [b].

    With C the product Q_i'Q_i of a unit's rows in the cluster (V its eigenvectors, c its eigenvalues), D⁺ = I + Q V diag(f) V'Q',
    f = 1/(1 − c), and −1/c where the unit is within the cluster (c = 1).
    """
    from scipy import sparse

    found, place = _units_within(batch, projection)
    rows, parts = batch.rows.reshape(-1), len(projection.basis)
    entries = np.column_stack([b[rows] for b in projection.basis])
    column = place[:, None] * parts + np.arange(parts)
    index = np.arange(0, len(rows) * parts + 1, parts)
    q = sparse.csr_array((entries.reshape(-1), column.reshape(-1), index), shape=(len(rows), len(found) * parts))
    gram = np.zeros((len(found), parts, parts))
    np.add.at(gram, place, entries[:, :, None] * entries[:, None, :])
    values, vectors = np.linalg.eigh(gram)
    spare = 1 - values
    inside = spare <= VANISHING
    factor = np.where(inside, -1 / np.where(inside, values, 1.0), 1 / np.where(inside, 1.0, spare))
    flat = y.reshape(len(rows), -1)
    moved = (q.T @ flat).reshape(len(found), parts, -1)
    moved = vectors @ (factor[:, :, None] * (vectors.transpose(0, 2, 1) @ moved))
    trace = np.bincount(found // projection.block.groups.size, np.einsum("epp->e", gram), len(batch.numbers)).astype(np.float64)
    out: Floats = flat + q @ moved.reshape(len(found) * parts, -1)
    return out.reshape(y.shape), trace
