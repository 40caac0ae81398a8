"""Least squares over the simplex, with a ridge: the problem behind synthetic weights, solved exactly and in batches.

    minimise ½‖A w - b‖² + ½ η‖w‖²  over  w ≥ 0, Σ w = 1,     A [m, n] with n possibly far larger than m.

Three solvers. :func:`dual_newton` works on the m + 1 dual variables, of which w is a function, w = max(0, ν - A'v): no [n, n] matrix
exists, and one pass over A costs n m² for a whole batch of targets b and multiplicities of the columns. :func:`active_set` works on the
n × n quadratic form, where n is small. :func:`few_columns` adds columns one at a time, where η is negligible and few carry weight.
:func:`frank_wolfe` repeats the steps and the early stop of R's ``synthdid``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

_STEPS = 60
_HALVINGS = 40
_EXACT = 1e-11
"""Constraint violations, relative to the size of b and of 1, that count as rounding."""
_LEAST_RIDGE = 1e-16
"""Ridge, relative to the mean square of A, that still picks one solution where many fit."""
_TABLE = 20_000_000
"""Entries of a table of products up to which a batch is one matrix product."""


@dataclass(frozen=True, slots=True)
class DualFit:
    """``weights`` [B, n], for one copy of each column;  ``converged`` [B]."""

    weights: Floats
    converged: Mask


@dataclass(frozen=True, slots=True)
class _Dual:
    """B dual problems in (v, ν) that share ``A`` [m, n]: targets ``b`` [B, m], ridges ``eta`` [B], ``counts`` [B, n] of the columns or ``None``."""

    A: Floats
    b: Floats
    eta: Floats
    counts: Floats | None

    def take(self, rows: NDArray[np.intp] | Mask) -> _Dual:
        """Some of the problems."""
        return _Dual(self.A, self.b[rows], self.eta[rows], None if self.counts is None else self.counts[rows])

    def copies(self, values: Floats) -> Floats:
        """[B, n] ``values`` times the counts."""
        return values if self.counts is None else values * self.counts

    def primal(self, state: Floats) -> Floats:
        """[B, n] w = max(0, ν - A'v)."""
        return np.maximum(state[:, -1:] - state[:, :-1] @ self.A, 0.0)

    def gradient(self, w: Floats, state: Floats) -> Floats:
        """[B, m + 1] (ηv + b - Aw, Σw - 1)."""
        weight = self.copies(w)
        return np.column_stack([self.eta[:, None] * state[:, :-1] + self.b - weight @ self.A.T, weight.sum(axis=1) - 1.0])

    def value(self, state: Floats) -> Floats:
        """[B] ½η‖v‖² + b'v - ν + ½ Σ_j c_j max(0, ν - a_j'v)²."""
        w, v = self.primal(state), state[:, :-1]
        square = np.einsum("bn,bn->b", w, self.copies(w))
        return np.asarray(0.5 * self.eta * np.einsum("bm,bm->b", v, v) + np.einsum("bm,bm->b", v, self.b) - state[:, -1] + 0.5 * square)


def dual_newton(A: Floats, b: Floats, eta: Floats, counts: Floats | None = None) -> DualFit:
    """Solve B problems that share ``A`` [m, n].

    Minimises the convex dual ½η‖v‖² + b'v - ν + ½ Σ_j c_j max(0, ν - a_j'v)² by Newton steps with Armijo's rule. At the solution
    A w - b = η v. Since the dual is piecewise quadratic, the steps end at the exact solution. Where the ridge is negligible and b lies
    outside the hull of the columns, v runs off and ``converged`` says so.

    Args:
        A: [m, n] columns;  b: [B, m] targets;  eta: [B] ridges.
        counts: [B, n] copies of each column in each problem, 0 to leave it out (``None``: one each).
    """
    size = float(np.sqrt(np.mean(A * A))) or 1.0
    dual = _Dual(A / size, b / size, np.maximum(eta / size**2, _LEAST_RIDGE), counts)
    state = np.zeros((len(b), len(A) + 1))
    state[:, -1] = 1.0 / (A.shape[1] if counts is None else counts.sum(axis=1))
    gram = Gram.of(dual.A, len(b))
    tolerance = _EXACT * (1.0 + np.abs(dual.b).max(axis=1, initial=0.0))
    rows = np.arange(len(b))
    for _ in range(_STEPS):
        part = dual.take(rows)
        w = part.primal(state[rows])
        gradient = part.gradient(w, state[rows])
        left = np.abs(gradient).max(axis=1) > tolerance[rows]
        rows = rows[left]
        if len(rows) == 0:
            break
        part = part.take(left)
        step = _newton_step(part, gram, w[left], gradient[left])
        state[rows] = _line_search(part, state[rows], step, gradient[left])
    weights = dual.primal(state)
    total = dual.copies(weights).sum(axis=1)
    converged = total > 0
    converged[rows] = False
    return DualFit(weights / np.where(total > 0, total, 1.0)[:, None], converged)


@dataclass(frozen=True, slots=True)
class Gram:
    """Weighted cross-products of the columns of ``A`` [m, n], for many weightings at once."""

    A: Floats
    pairs: Floats | None

    @classmethod
    def of(cls, A: Floats, weightings: int) -> Gram:
        """With a table [n, m (m + 1) / 2] of products of the rows of A, where it serves several weightings and is not too large."""
        rows, columns = np.triu_indices(len(A))
        useful = weightings > 1 and len(rows) * A.shape[1] <= _TABLE
        return cls(A, np.ascontiguousarray((A[rows] * A[columns]).T) if useful else None)

    def weighted(self, weights: Floats) -> Floats:
        """[B, m, m] Σ_j w_bj a_j a_j' for ``weights`` [B, n]."""
        m = len(self.A)
        out = np.empty((len(weights), m, m))
        if self.pairs is None:
            for i, w in enumerate(weights):
                out[i] = (self.A * w) @ self.A.T
            return out
        rows, columns = np.triu_indices(m)
        products = weights @ self.pairs
        out[:, rows, columns] = products
        out[:, columns, rows] = products
        return out


def _newton_step(dual: _Dual, gram: Gram, w: Floats, gradient: Floats) -> Floats:
    active = dual.copies((w > 0).astype(np.float64))
    m = len(dual.A)
    hessian = np.empty((len(w), m + 1, m + 1))
    hessian[:, :m, :m] = gram.weighted(active)
    border = active @ dual.A.T
    hessian[:, :m, m] = -border
    hessian[:, m, :m] = -border
    hessian[:, m, m] = active.sum(axis=1)
    diagonal = np.arange(m)
    hessian[:, diagonal, diagonal] += dual.eta[:, None]
    every = np.arange(m + 1)
    hessian[:, every, every] += (1e-14 * np.trace(hessian, axis1=1, axis2=2) + np.finfo(np.float64).tiny)[:, None]
    return np.asarray(-np.linalg.solve(hessian, gradient[:, :, None])[:, :, 0])


def _line_search(dual: _Dual, state: Floats, step: Floats, gradient: Floats) -> Floats:
    start = dual.value(state)
    slope = np.einsum("bm,bm->b", step, gradient)
    length = np.ones(len(state))
    rows = np.arange(len(state))
    for _ in range(_HALVINGS):
        value = dual.take(rows).value(state[rows] + length[rows, None] * step[rows])
        noise = 1e-14 * (1.0 + np.abs(start[rows]))
        rows = rows[value > start[rows] + 1e-4 * length[rows] * slope[rows] + noise]
        if len(rows) == 0:
            break
        length[rows] /= 2
    return np.asarray(state + length[:, None] * step)


@dataclass(frozen=True, slots=True)
class _Active:
    """State of :func:`active_set`, changed in place: ``w`` [B, n], the columns in ``use`` [B, n], the one that ``entered`` last [B]."""

    Q: Floats
    c: Floats
    w: Floats
    use: Mask
    entered: NDArray[np.intp]
    scale: Floats

    @classmethod
    def start(cls, Q: Floats, c: Floats) -> _Active:
        """Each problem at its best single column."""
        first = np.argmin(0.5 * np.diagonal(Q, axis1=1, axis2=2) - c, axis=1)
        w = np.zeros(c.shape)
        w[np.arange(len(c)), first] = 1.0
        return cls(Q, c, w, w > 0, first, np.abs(Q).max(axis=(1, 2)) + np.abs(c).max(axis=1))


def active_set(Q: Floats, c: Floats) -> Floats:
    """[B, n] minimisers of ½w'Qw - c'w over the simplex, for positive definite ``Q`` [B, n, n] and ``c`` [B, n].

    Lawson & Hanson's scheme with the constraint Σw = 1, on all problems of the batch at once: solve on the columns in use, step back to
    the boundary where one turns negative, let in the column with the most negative gradient; end when none is.
    """
    state = _Active.start(Q, c)
    rows = np.arange(len(c))
    for _ in range(20 * c.shape[1] + 20):
        target = _on_columns(Q[rows], c[rows], state.use[rows])
        negative = state.use[rows] & (target <= 0)
        newest = state.entered[rows]
        # A column that turns negative as soon as it is let in was let in by rounding.
        rejected = negative[np.arange(len(rows)), newest] & (state.w[rows, newest] == 0)
        inside = ~negative.any(axis=1)
        back = ~inside & ~rejected
        state.w[rows[inside]] = target[inside]
        _step_back(state, rows[back], target[back], negative[back])
        state.use[rows[rejected], newest[rejected]] = False
        finished = np.concatenate([rows[rejected], _let_in(state, rows[inside])])
        rows = np.setdiff1d(rows, finished, assume_unique=True)
        if len(rows) == 0:
            break
    return state.w


def _on_columns(Q: Floats, c: Floats, use: Mask) -> Floats:
    """Minimisers with Σw = 1 on the columns in use, zero elsewhere."""
    count, n = c.shape
    both = use[:, :, None] & use[:, None, :]
    system = np.zeros((count, n + 1, n + 1))
    system[:, :n, :n] = np.where(both, Q, 0.0)
    system[:, np.arange(n), np.arange(n)] += ~use
    size = np.abs(np.where(use, np.diagonal(Q, axis1=1, axis2=2), 0.0)).max(axis=1)
    size = np.where(size > 0, size, 1.0)
    system[:, :n, n] = use * size[:, None]
    system[:, n, :n] = use * size[:, None]
    right = np.column_stack([np.where(use, c, 0.0), size])
    return np.where(use, np.linalg.solve(system, right[:, :, None])[:, :n, 0], 0.0)


def _step_back(state: _Active, rows: NDArray[np.intp], target: Floats, negative: Mask) -> None:
    """Move towards ``target`` up to the boundary, and put out the columns that reach it."""
    here = state.w[rows]
    ratio = np.where(negative, here / np.where(negative, here - target, 1.0), np.inf)
    alpha = ratio.min(axis=1, keepdims=True)
    moved = here + alpha * (target - here)
    out = negative & (ratio <= alpha * (1 + 1e-12))
    moved[out | ~state.use[rows]] = 0.0
    state.w[rows] = moved
    state.use[rows] &= ~out


def _let_in(state: _Active, rows: NDArray[np.intp]) -> NDArray[np.intp]:
    """Let in the column with the most negative reduced gradient; the rows where there is none are finished."""
    w = state.w[rows]
    gradient = np.einsum("bij,bj->bi", state.Q[rows], w) - state.c[rows]
    level = np.einsum("bi,bi->b", gradient, w)
    reduced = np.where(state.use[rows], np.inf, gradient - level[:, None])
    best = reduced.argmin(axis=1)
    better = reduced[np.arange(len(rows)), best] < -1e-13 * state.scale[rows]
    state.entered[rows[better]] = best[better]
    state.use[rows[better], best[better]] = True
    return np.asarray(rows[~better])


def few_columns(A: Floats, b: Floats, eta: float, allowed: Mask | None = None) -> Floats:
    """[n] the solution of one problem whose ridge is negligible and whose weights are few.

    Solves on a small set of columns by :func:`active_set`, puts out those without weight, lets in those with the most negative
    gradient, and repeats until there is none.
    """
    gap = np.einsum("mn,mn->n", A - b[:, None], A - b[:, None])
    if allowed is not None:
        gap = np.where(allowed, gap, np.inf)
    chosen = np.array([int(gap.argmin())])
    w = np.zeros(A.shape[1])
    tolerance = 1e-13 * float(np.einsum("mn,mn->n", A, A).max() + b @ b)
    for _ in range(10 * len(A) + 100):
        part = A[:, chosen]
        solved = active_set((part.T @ part + eta * np.eye(len(chosen)))[None], (part.T @ b)[None])[0]
        w[:] = 0.0
        w[chosen] = solved
        gradient = A.T @ (part @ solved - b) + eta * w
        reduced = gradient - gradient @ w
        reduced[chosen] = np.inf
        if allowed is not None:
            reduced[~allowed] = np.inf
        worst = np.argsort(reduced)[:3]
        worst = worst[reduced[worst] < -tolerance]
        if len(worst) == 0:
            break
        chosen = np.concatenate([chosen[solved > 0], worst])
    return w


def least_squares(A: Floats, b: Floats, eta: Floats, counts: Floats | None = None) -> Floats:
    """[B, n] exact weights: the dual where it converges, column by column where the ridge is negligible."""
    fitted = dual_newton(A, b, eta, counts)
    weights = fitted.weights
    for i in np.flatnonzero(~fitted.converged):
        weights[i] = few_columns(A, b[i], float(eta[i]), None if counts is None else counts[i] > 0)
        if counts is not None:
            weights[i] /= np.maximum(counts[i], 1.0)
    return weights


def frank_wolfe(A: Floats, b: Floats, eta: float, *, least_decrease: float, start: Floats, steps: int) -> Floats:
    """[n] weights after at most ``steps`` Frank–Wolfe steps with exact line search from ``start`` [n].

    Stops when a step lowers (‖Aw - b‖² + η‖w‖²) / m by no more than ``least_decrease`` squared, after two steps at least (Arkhangelsky et
    al. 2021, and R's ``synthdid``).
    """
    w, fit = start.copy(), A @ start
    before = np.inf
    for step in range(steps):
        half = (fit - b) @ A + eta * w
        j = int(half.argmin())
        direction = -w
        direction[j] += 1.0
        change = A[:, j] - fit
        curvature = float(change @ change + eta * (direction @ direction))
        if curvature <= 0:
            break
        length = min(1.0, max(0.0, -float(half @ direction) / curvature))
        w = w + length * direction
        fit = A @ w if step % 50 == 0 else fit + length * change
        error = fit - b
        value = float(error @ error + eta * (w @ w)) / len(b)
        if step > 0 and before - value <= least_decrease**2:
            break
        before = value
    return w


def objective(A: Floats, b: Floats, eta: float, w: Floats) -> float:
    """(‖Aw - b‖² + η‖w‖²) / m."""
    error = A @ w - b
    return float(error @ error + eta * (w @ w)) / len(b)
