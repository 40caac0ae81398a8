"""Many small linear programs at once: the revised simplex method, batched over programs that share most of their columns.

Frontier models give one program per observation, with few rows (inputs, outputs, pollutants) and one column per observation of the
technology. The columns are the same for all programs; only slacks, direction, costs and right-hand sides are a program's own. All
programs therefore pivot together, and one matrix product prices every column of every program.

A basis is factorised anew at every step, so that rounding does not build up, and an optimum is accepted only with its certificate
(primal and dual feasibility). What remains without one (numerical trouble, stalling) is handed to HiGHS, one program at a time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

PRICE = 1e-11
"""Gain per unit of a scaled column from which it may enter the basis."""
PIVOT = 1e-9
FEASIBLE = 1e-8
"""Sum of scaled artificial variables above which a program has no solution."""
STALLED = 30
"""Steps without progress after which the first column that gains enters (Bland's rule), which cannot cycle."""
CELLS = 4_000_000
"""Numbers priced at a time; bounds memory."""

OPTIMAL, INFEASIBLE, UNBOUNDED, UNDECIDED = 0, 1, 2, 3


@dataclass(frozen=True, slots=True)
class Solutions:
    """Optima of a batch.

    Attributes:
        objective: [B], NaN where there is none.
        status: [B], one of OPTIMAL, INFEASIBLE, UNBOUNDED.
        handed_over: how many programs HiGHS solved.
    """

    objective: FloatArray
    status: IntArray
    handed_over: int


@dataclass(frozen=True, slots=True)
class _Batch:
    """Scaled programs; the last m own columns are artificial.

    ``shared`` [m, K], ``own`` [B, m, p + m], ``cost`` [B, p + m], ``rhs`` [B, m], ``unit`` [B]: what an objective of one is worth.
    """

    shared: FloatArray
    own: FloatArray
    cost: FloatArray
    rhs: FloatArray
    unit: FloatArray

    @property
    def rows(self) -> int:
        return int(self.shared.shape[0])

    @property
    def artificial(self) -> int:
        """Number of the first artificial column."""
        return int(self.shared.shape[1] + self.own.shape[2]) - self.rows

    def take(self, which: IntArray) -> _Batch:
        return _Batch(self.shared, self.own[which], self.cost[which], self.rhs[which], self.unit[which])


def maximise(shared: FloatArray, own: FloatArray, cost: FloatArray, rhs: FloatArray) -> Solutions:
    """Maximise ``cost[b] · z`` subject to ``shared @ w + own[b] @ z = rhs[b]``, ``w, z >= 0``, for every b.

    Args:
        shared: [m, K], columns of all programs, without cost; no column is zero.
        own: [B, m, p], columns of each program; no column is zero.
        cost: [B, p].
        rhs: [B, m], not negative.

    Returns:
        The optima; where they are attained is not unique and not returned.
    """
    size = max(1, CELLS // max(1, shared.shape[1] + own.shape[2]))
    starts = range(0, len(rhs), size)
    parts = [_chunk(_scaled(shared, own[i : i + size], cost[i : i + size], rhs[i : i + size])) for i in starts]
    return Solutions(
        np.concatenate([p.objective for p in parts]) if parts else np.empty(0),
        np.concatenate([p.status for p in parts]) if parts else np.empty(0, dtype=np.int64),
        sum(p.handed_over for p in parts),
    )


def _scaled(shared: FloatArray, own: FloatArray, cost: FloatArray, rhs: FloatArray) -> _Batch:
    """Rows, columns, right-hand sides and costs of size one, with artificial columns."""
    m, count = shared.shape[0], len(rhs)
    typical = np.abs(shared).sum(axis=1) / max(shared.shape[1], 1) + np.abs(rhs).mean(axis=0)
    row = np.where(typical > 0, typical, 1.0)
    shared, own, rhs = shared / row[:, None], own / row[:, None], rhs / row
    shared = shared / np.linalg.norm(shared, axis=0)
    length = np.linalg.norm(own, axis=1)
    own, cost = own / length[:, None, :], cost / length
    size, worth = _positive(rhs.max(axis=1)), _positive(np.abs(cost).max(axis=1))
    own = np.concatenate([own, np.broadcast_to(np.eye(m), (count, m, m))], axis=2)
    cost = np.concatenate([cost / worth[:, None], np.zeros((count, m))], axis=1)
    return _Batch(shared, own, cost, rhs / size[:, None], size * worth)


def _positive(values: FloatArray) -> FloatArray:
    return np.where(values > 0, values, 1.0)


def _chunk(batch: _Batch) -> Solutions:
    """Phase one finds a feasible basis, phase two the optimum."""
    m, count = batch.rows, len(batch.rhs)
    basis = np.tile(batch.artificial + np.arange(m), (count, 1))
    phase_one = np.zeros_like(batch.cost)
    phase_one[:, -m:] = -1.0
    first = _Batch(batch.shared, batch.own, phase_one, batch.rhs, batch.unit)
    status = _pivot(first, basis, np.arange(count))
    status[(status == OPTIMAL) & (_objective(first, basis)[0] < -FEASIBLE)] = INFEASIBLE
    feasible = np.flatnonzero(status == OPTIMAL)
    status[feasible] = _pivot(batch, basis, feasible)
    value, error = _objective(batch, basis)
    status[(status == OPTIMAL) & ~(error < PIVOT)] = UNDECIDED
    objective = np.where(status == OPTIMAL, value * batch.unit, np.nan)
    left = np.flatnonzero(status == UNDECIDED)
    for b in left:
        objective[b], status[b] = _by_highs(batch, int(b))
    return Solutions(objective, status, len(left))


def _columns(batch: _Batch, numbers: IntArray) -> FloatArray:
    """Columns [B, k, m] by number [B, k]: shared ones first, then own ones."""
    count = batch.shared.shape[1]
    of_own = np.clip(numbers - count, 0, None)
    own = np.take_along_axis(batch.own, of_own[:, None, :], axis=2).transpose(0, 2, 1)
    if count == 0:
        return own
    return np.where((numbers < count)[..., None], batch.shared.T[np.minimum(numbers, count - 1)], own)


def _basic_cost(batch: _Batch, basis: IntArray) -> FloatArray:
    """Costs [B, m] of the basic columns."""
    count = batch.shared.shape[1]
    own = np.take_along_axis(batch.cost, np.clip(basis - count, 0, None), axis=1)
    return np.where(basis < count, 0.0, own)


def _objective(batch: _Batch, basis: IntArray) -> tuple[FloatArray, FloatArray]:
    """Objective [B] of the bases, and how far [B] each is from being feasible."""
    matrix = _columns(batch, basis).transpose(0, 2, 1)
    inverse = _inverse(matrix)
    x = np.einsum("bij,bj->bi", inverse, batch.rhs)
    residual = np.abs(np.einsum("bij,bj->bi", matrix, x) - batch.rhs).max(axis=1)
    return (_basic_cost(batch, basis) * x).sum(axis=1), np.maximum(residual, -x.min(axis=1))


def _inverse(matrix: FloatArray) -> FloatArray:
    """Inverses of a stack; NaN for the singular ones."""
    try:
        return np.asarray(np.linalg.inv(matrix), dtype=np.float64)
    except np.linalg.LinAlgError:
        inverse = np.full_like(matrix, np.nan)
        good = np.linalg.matrix_rank(matrix) == matrix.shape[1]
        inverse[good] = np.linalg.inv(matrix[good])
        return inverse


def _pivot(batch: _Batch, basis: IntArray, active: IntArray) -> IntArray:
    """Move the bases (in place) of the ``active`` programs to their optima; the status of each."""
    status = np.full(len(active), UNDECIDED)
    place, best, stalled = np.arange(len(active)), np.full(len(active), -np.inf), np.zeros(len(active), dtype=np.int64)
    for _ in range(50 * (batch.rows + 2)):
        now = batch.take(active)
        inverse = _inverse(_columns(now, basis[active]).transpose(0, 2, 1))
        x = np.maximum(np.einsum("bij,bj->bi", inverse, now.rhs), 0.0)
        cost = _basic_cost(now, basis[active])
        value = (cost * x).sum(axis=1)
        stalled = np.where(value > best + PRICE, 0, stalled + 1)
        best = np.maximum(best, value)
        entering, gain = _price(now, np.einsum("bi,bij->bj", cost, inverse), stalled > STALLED)
        step = np.einsum("bij,bj->bi", inverse, _columns(now, entering[:, None])[:, 0])
        leaving, bounded = _leave(x, step, basis[active], batch.artificial, stalled > STALLED)
        optimal = gain <= PRICE
        status[place[optimal]] = OPTIMAL
        status[place[~optimal & ~bounded]] = UNBOUNDED
        status[place[np.isnan(gain)]] = UNDECIDED
        go = ~optimal & bounded & ~np.isnan(gain)
        basis[active[go], leaving[go]] = entering[go]
        active, place, best, stalled = active[go], place[go], best[go], stalled[go]
        if not len(active):
            break
    return status


def _price(batch: _Batch, dual: FloatArray, first: BoolArray) -> tuple[IntArray, FloatArray]:
    """The column of most gain per unit, or the first that gains, and its gain; artificial columns never enter."""
    gains = np.empty((len(dual), batch.artificial))
    count = batch.shared.shape[1]
    np.matmul(-dual, batch.shared, out=gains[:, :count])
    own = batch.own[:, :, : -batch.rows]
    gains[:, count:] = batch.cost[:, : -batch.rows] - np.einsum("bi,bij->bj", dual, own)
    entering = gains.argmax(axis=1)
    if first.any():
        entering[first] = (gains[first] > PRICE).argmax(axis=1)
    return entering, gains.max(axis=1)


def _leave(x: FloatArray, step: FloatArray, basis: IntArray, artificial: int, first: BoolArray) -> tuple[IntArray, BoolArray]:
    """The row that leaves: least ratio; among ties the largest pivot, or the first column. Artificials at zero leave at once."""
    idle = (basis >= artificial) & (x <= PIVOT) & (np.abs(step) > PIVOT)
    may = (step > PIVOT) | idle
    ratio = np.where(may, np.where(idle, 0.0, x / np.where(step > PIVOT, step, 1.0)), np.inf)
    least = ratio.min(axis=1, keepdims=True)
    tied = may & (ratio <= least + PRICE)
    by_size = np.where(tied, np.abs(step), -1.0).argmax(axis=1)
    by_number = np.where(tied, basis, np.iinfo(np.int64).max).argmin(axis=1)
    return np.where(first, by_number, by_size), np.asarray(may.any(axis=1))


def _by_highs(batch: _Batch, b: int) -> tuple[float, int]:
    """Program ``b`` by HiGHS."""
    from scipy.optimize import linprog

    real = batch.own.shape[2] - batch.rows
    matrix = np.hstack([batch.shared, batch.own[b, :, :real]])
    cost = np.concatenate([np.zeros(batch.shared.shape[1]), -batch.cost[b, :real]])
    tight = {"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10}
    found = linprog(cost, A_eq=matrix, b_eq=batch.rhs[b], method="highs", options=tight)
    if found.status == 0:
        return -float(found.fun) * float(batch.unit[b]), OPTIMAL
    return float("nan"), {2: INFEASIBLE, 3: UNBOUNDED}.get(found.status, UNDECIDED)
