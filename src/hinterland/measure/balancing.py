"""Balancing: the matrix nearest to a prior that has given row and column sums, in batches.

RAS (Deming & Stephan 1940; Stone 1961) minimises the relative entropy Σ x ln(x/k) to the prior k among all matrices with those margins: with margins that
hold, RAS and cross-entropy are one (Bacharach 1970). Scale factors are kept as logarithms, so that priors may span any range; what scaling leaves is
finished with Newton's method on the dual, which is convex.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog

__all__ = ["Balanced", "Bottleneck", "bottleneck", "cross_entropy", "ras"]

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

_ABSORB = 20
_POLISH = 5


@dataclass(frozen=True, slots=True)
class Balanced:
    """Balanced matrices.

    Attributes:
        flows: X, [..., R, C].
        error: largest deviation from a margin, as a share of the matrix's total, [...].
        rounds: scalings of rows and columns that were made, for the slowest matrix.
    """

    flows: Floats
    error: Floats
    rounds: int


@dataclass(frozen=True, slots=True)
class Bottleneck:
    """Rows that can deliver to few columns only, and what they have too much.

    Attributes:
        rows: positions of the rows, [k].
        columns: positions of all columns that these rows reach, [l].
        excess: sum of the rows' totals that the columns cannot take.
    """

    rows: NDArray[np.intp]
    columns: NDArray[np.intp]
    excess: float


def ras(log_prior: Floats, rows: Floats, columns: Floats, *, tolerance: float = 1e-12, most: int = 2000) -> Balanced:
    """Scale rows and columns of the prior until sums are ``rows`` and ``columns``: x_ij = e^{a_i} k_ij e^{b_j}.

    Args:
        log_prior: ln k, [..., R, C]; -inf where nothing can flow. Scaling rows or columns of k changes nothing.
        rows, columns: margins, [..., R] and [..., C], nonnegative, with the same total in each matrix.
        tolerance: largest deviation from a margin, as a share of the total.
        most: scalings of rows and columns, at most.

    Raises:
        ValueError: margins are negative, not finite or differ in total; or no matrix on the prior's support has them (the rows are named).
    """
    prior, p, q, shape = _batch(log_prior, rows, columns)
    _fail_if_margins_differ(p, q)
    total = np.where(p.sum(axis=1) > 0, p.sum(axis=1), 1.0)
    flows, rounds, error = _scaled(_Problems(prior, p, q, total), tolerance, most)
    if (error > 1e-8).any():
        _fail_with_bottleneck(int(np.argmax(error)), prior, p, q, float(error.max()))
    return Balanced(flows.reshape(shape), error.reshape(shape[:-2]), rounds)


def cross_entropy(
    log_prior: Floats, rows: Floats, columns: Floats, *, trust: float = 10.0, tolerance: float = 1e-10, most: int = 5000
) -> Balanced:
    """The matrix that minimises D(x‖k) + trust · [D(x1‖rows) + D(x'1‖columns)], D(x‖y) = Σ x ln(x/y) - x + y.

    Margins are data with errors, weighed against the prior, and may conflict. Large ``trust`` comes to RAS where margins agree. The level of the prior
    counts here. ``error`` is what margins deviate from those given.

    Raises:
        ValueError: margins are negative or not finite, ``trust`` is not positive, or so large that scaling does not settle.
    """
    if not trust > 0:
        raise ValueError(f"trust in the margins is {trust}: it must be positive")
    prior, p, q, shape = _batch(log_prior, rows, columns)
    power, a, b = trust / (1 + trust), np.zeros_like(p), np.zeros_like(q)
    moved, rounds = np.inf, 0
    while moved > tolerance:
        if rounds == most:
            raise ValueError(f"margins still move by {moved:.1e} after {most} scalings: trust less in them, or use ras")
        previous, rounds = a, rounds + 1
        a = power * _finite(_log(p) - _logsum(prior + b[:, None, :], 2))
        b = power * _finite(_log(q) - _logsum(prior + a[:, :, None], 1))
        moved = float(np.abs(a - previous).max(initial=0.0))
    flows = np.exp(prior + a[:, :, None] + b[:, None, :])
    total = np.maximum(np.maximum(p.sum(axis=1), q.sum(axis=1)), np.finfo(float).tiny)
    off = np.maximum(np.abs(flows.sum(axis=2) - p).max(axis=1), np.abs(flows.sum(axis=1) - q).max(axis=1)) / total
    return Balanced(flows.reshape(shape), off.reshape(shape[:-2]), rounds)


def bottleneck(support: Flags, rows: Floats, columns: Floats) -> Bottleneck | None:
    """The rows that make margins infeasible on ``support`` [R, C], by the largest flow and its cut (Gale 1957); ``None`` if they are feasible."""
    if not support.any():
        return Bottleneck(np.flatnonzero(rows > 0), np.flatnonzero(support.any(axis=0)), float(rows.sum())) if rows.any() else None
    i, j = np.nonzero(support)
    cells, scale = np.arange(len(i)), max(float(rows.sum()), np.finfo(float).tiny)
    limits = np.zeros((len(rows) + len(columns), len(i)))
    limits[i, cells] = limits[len(rows) + j, cells] = 1.0
    solved = linprog(-np.ones(len(i)), A_ub=limits, b_ub=np.concatenate([rows, columns]) / scale, method="highs")
    short = 1 + solved.fun
    if short <= 1e-9:
        return None
    stuck = (solved.ineqlin.marginals[: len(rows)] > -0.5) & (rows > 0)
    at = np.flatnonzero(stuck)
    return Bottleneck(at, np.flatnonzero(support[at].any(axis=0)), float(short * scale))


def _batch(log_prior: Floats, rows: Floats, columns: Floats) -> tuple[Floats, Floats, Floats, tuple[int, ...]]:
    """Priors [B, R, C] with nothing where a margin is zero, margins [B, R] and [B, C], and the shape of the answer."""
    r, c = log_prior.shape[-2:]
    outer = np.broadcast_shapes(log_prior.shape[:-2], rows.shape[:-1], columns.shape[:-1])
    p, q = np.broadcast_to(rows, (*outer, r)).reshape(-1, r), np.broadcast_to(columns, (*outer, c)).reshape(-1, c)
    for name, margin in (("rows", p), ("columns", q)):
        if not np.isfinite(margin).all() or (margin < 0).any():
            raise ValueError(f"margins of {name} are negative or not finite: {margin[~(np.isfinite(margin) & (margin >= 0))][:5].tolist()}")
    live = (p > 0)[:, :, None] & (q > 0)[:, None, :]
    return np.where(live, np.broadcast_to(log_prior, (*outer, r, c)).reshape(-1, r, c), -np.inf), p, q, (*outer, r, c)


def _fail_if_margins_differ(p: Floats, q: Floats) -> None:
    gap = np.abs(p.sum(axis=1) - q.sum(axis=1))
    bad = np.flatnonzero(gap > 1e-9 * np.maximum(p.sum(axis=1), q.sum(axis=1)))
    if len(bad):
        b = int(bad[0])
        raise ValueError(
            f"margins of matrix {b} differ: rows sum to {p[b].sum():g}, columns to {q[b].sum():g} ({len(bad)} such); reconcile them first"
        )


def _fail_with_bottleneck(b: int, prior: Floats, p: Floats, q: Floats, error: float) -> None:
    found = bottleneck(np.isfinite(prior[b]), p[b], q[b])
    if found is None:
        raise ValueError(f"matrix {b} is balanced to {error:.1e} of its total only: the prior is too extreme for its margins")
    raise ValueError(
        f"matrix {b} cannot be balanced: rows {found.rows.tolist()} reach only columns {found.columns.tolist()}, "
        f"which take {found.excess:g} less than the rows hold"
    )


@dataclass(frozen=True, slots=True)
class _Problems:
    """Priors [B, R, C] and margins [B, R], [B, C], which sum to ``total`` [B] or, where that is zero, to nothing."""

    prior: Floats
    p: Floats
    q: Floats
    total: Floats

    def at(self, which: NDArray[np.intp]) -> _Problems:
        return _Problems(self.prior[which], self.p[which], self.q[which], self.total[which])


def _scaled(these: _Problems, tolerance: float, most: int) -> tuple[Floats, int, Floats]:
    """Balanced flows [B, R, C], rounds made, error [B]: matrices that are done are left alone."""
    flows, error = np.zeros_like(these.prior), np.full(len(these.p), np.inf)
    a, b = np.zeros_like(these.p), np.zeros_like(these.q)
    todo, rounds = np.arange(len(a)), 0
    while len(todo) and rounds < most:
        newton = rounds >= 2 * _ABSORB
        a[todo], b[todo], flows[todo], error[todo] = _round(these.at(todo), a[todo], b[todo], newton)
        rounds += _ABSORB
        todo = todo[error[todo] > tolerance]
    return flows, rounds, error


def _round(these: _Problems, a: Floats, b: Floats, newton: bool) -> tuple[Floats, Floats, Floats, Floats]:
    """One scaling in logarithms, which nothing can overflow, or a step on the dual; then some in plain numbers, taken into the logarithms."""
    prior, p, q = these.prior, these.p, these.q
    if newton:
        a, b = _newton(these, a, b)
    else:
        a = _finite(_log(p) - _logsum(prior + b[:, None, :], 2))
        b = _finite(_log(q) - _logsum(prior + a[:, :, None], 1))
    kernel = np.exp(prior + a[:, :, None] + b[:, None, :])
    u, v = np.ones_like(p), np.ones_like(q)
    for _ in range(_POLISH if newton else _ABSORB):
        u = _over(p, np.matmul(kernel, v[:, :, None])[:, :, 0])
        v = _over(q, np.matmul(u[:, None, :], kernel)[:, 0, :])
    flows = u[:, :, None] * kernel * v[:, None, :]
    off = np.maximum(np.abs(flows.sum(axis=2) - p).max(axis=1), np.abs(flows.sum(axis=1) - q).max(axis=1)) / these.total
    return a + np.log(u), b + np.log(v), flows, off


def _newton(these: _Problems, a: Floats, b: Floats) -> tuple[Floats, Floats]:
    """One Newton step on the rows' factors with columns always balanced (the columns' factors follow); kept where the rows come nearer."""
    prior, p, q = these.prior, these.p, these.q
    flows = np.exp(prior + a[:, :, None] + b[:, None, :])
    held = flows.sum(axis=2)
    inner = np.matmul(_over(flows, q[:, None, :], empty=0.0), flows.transpose(0, 2, 1))
    size = np.maximum(held.max(axis=1), np.finfo(float).tiny)
    diagonal = np.where(held > 0, held, 1.0) + 1e-13 * size[:, None]
    hessian = diagonal[:, :, None] * np.eye(p.shape[1]) - inner
    step = np.clip(np.linalg.solve(hessian, (p - held)[:, :, None])[:, :, 0], -20.0, 20.0)
    step = np.where(p > 0, step - step.mean(axis=1, keepdims=True), 0.0)
    tried = prior + (a + step)[:, :, None] + b[:, None, :]
    follow = np.where(q > 0, _log(q) - _logsum(tried, 1), 0.0)
    better = np.abs(np.exp(tried + follow[:, None, :]).sum(axis=2) - p).max(axis=1) < np.abs(held - p).max(axis=1)
    return np.where(better[:, None], a + step, a), np.where(better[:, None], b + follow, b)


def _over(top: Floats, bottom: Floats, empty: float = 1.0) -> Floats:
    """``top / bottom``, ``empty`` where the denominator or the numerator is zero."""
    live = (bottom > 0) & (top > 0)
    return np.asarray(np.divide(top, bottom, out=np.full(np.broadcast_shapes(top.shape, bottom.shape), empty), where=live))


def _log(x: Floats) -> Floats:
    """Ln x, and a very small number's where x is zero: what it scales is empty."""
    return np.log(np.maximum(x, np.finfo(float).tiny))


def _finite(x: Floats) -> Floats:
    """Zero where a row or column is empty: its prior is -inf throughout, and no factor changes that."""
    return np.where(np.isfinite(x), x, 0.0)


def _logsum(x: Floats, axis: int) -> Floats:
    """Ln Σ e^x along an axis, -inf where nothing is there."""
    top = x.max(axis=axis, keepdims=True)
    base = np.where(np.isfinite(top), top, 0.0)
    total = np.exp(x - base).sum(axis=axis)
    return np.asarray(np.where(total > 0, _log(total) + base.squeeze(axis), -np.inf), dtype=np.float64)
