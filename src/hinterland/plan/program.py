"""A linear or mixed-integer programme as arrays: what the model becomes, what a solver takes, and what anyone can check without one.

::

    min  cost · x + constant
    row_lower ≤ matrix x ≤ row_upper,  lower ≤ x ≤ upper,  x_j whole where integral_j
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Program:
    """The arrays of a programme, and where each named block lies in them.

    Attributes:
        cost: [n].
        matrix: [m, n] in compressed rows.
        row_lower, row_upper: [m].
        lower, upper: [n].
        integral: [n] whether the variable is whole.
        constant: added to the objective.
        columns, rows: first and last (excluded) position of each block, and its shape.
        objectives: [n] coefficients of every objective by name.
        penalty: [n] price of falling short.
    """

    cost: Floats
    matrix: sp.csr_array
    row_lower: Floats
    row_upper: Floats
    lower: Floats
    upper: Floats
    integral: NDArray[np.bool_]
    constant: float
    columns: Mapping[str, tuple[int, int, tuple[int, ...]]]
    rows: Mapping[str, tuple[int, int, tuple[int, ...]]]
    objectives: Mapping[str, Floats]
    penalty: Floats

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return int(self.matrix.shape[0]), int(self.matrix.shape[1])

    @property
    def is_mixed(self) -> bool:
        """Whether some variables are whole."""
        return bool(self.integral.any())

    def aimed_at(self, name: str) -> Program:
        """The same programme with another objective, and the price of falling short."""
        return replace(self, cost=self.objectives[name] + self.penalty, constant=0.0)

    def relaxed(self) -> Program:
        """Without the requirement that variables are whole."""
        return replace(self, integral=np.zeros_like(self.integral))

    def column(self, name: str, values: Floats) -> Floats:
        """The block ``name`` of a vector of columns, in its shape."""
        start, end, shape = self.columns[name]
        return values[start:end].reshape(shape)

    def row(self, name: str, values: Floats) -> Floats:
        """The block ``name`` of a vector of rows, in its shape."""
        start, end, shape = self.rows[name]
        return values[start:end].reshape(shape)

    def with_rows(self, matrix: sp.csr_array, lower: Floats, upper: Floats, name: str) -> Program:
        """The programme with a further block of rows."""
        m = self.shape[0]
        return replace(
            self,
            matrix=sp.vstack([self.matrix, matrix], format="csr"),
            row_lower=np.concatenate([self.row_lower, lower]),
            row_upper=np.concatenate([self.row_upper, upper]),
            rows={**self.rows, name: (m, m + matrix.shape[0], (matrix.shape[0],))},
        )


@dataclass(frozen=True, slots=True)
class Residuals:
    """How well a solution satisfies the conditions of optimality, from the arrays alone.

    Attributes:
        primal: largest violation of a row or bound, over 1 + its side.
        dual: largest violation of the sign of a reduced cost, over 1 + the cost's size.
        gap: primal less dual objective, over 1 + their size. Not a number for whole variables.
        integral: largest distance of a whole variable from a whole number.
    """

    primal: float
    dual: float
    gap: float
    integral: float


def residuals(program: Program, x: Floats, y: Floats | None) -> Residuals:
    """Check a solution without a solver.

    Weak duality with bounds: ``y·b + Σ min(rc_j l_j, rc_j u_j)`` is no more than the optimum for every ``y``, where ``b`` takes the side that the sign of
    ``y`` points at and ``rc = cost − A'y``.

    Args:
        program: the programme.
        x: [n] primal solution.
        y: [m] dual solution, or ``None`` where there is none.
    """
    activity = program.matrix @ x
    rows = np.maximum(_over(program.row_lower, activity), _over(activity, program.row_upper))
    columns = np.maximum(_over(program.lower, x), _over(x, program.upper))
    primal = float(max(rows.max(initial=0.0), columns.max(initial=0.0)))
    whole = x[program.integral]
    integral = float(np.abs(whole - np.round(whole)).max(initial=0.0))
    if y is None or program.is_mixed:
        return Residuals(primal, np.nan, np.nan, integral)
    reduced = program.cost - program.matrix.T @ y
    scale = 1 + np.abs(program.cost)
    wrong = np.where(
        (reduced > 0) & ~np.isfinite(program.lower) | (reduced < 0) & ~np.isfinite(program.upper), np.abs(reduced) / scale, 0.0
    )
    sided = np.where((y > 0) & ~np.isfinite(program.row_lower) | (y < 0) & ~np.isfinite(program.row_upper), np.abs(y), 0.0)
    bound = dual_objective(program, y, reduced)
    value = float(program.cost @ x)
    return Residuals(primal, float(max(wrong.max(initial=0.0), sided.max(initial=0.0))), (value - bound) / (1 + abs(value)), integral)


def dual_objective(program: Program, y: Floats, reduced: Floats) -> float:
    """The bound of weak duality; terms whose side is infinite are left out and counted as dual residuals."""
    side = np.where(y > 0, program.row_lower, program.row_upper)
    end = np.where(reduced > 0, program.lower, program.upper)
    rows = np.where(np.isfinite(side), y * np.where(np.isfinite(side), side, 0.0), 0.0)
    columns = np.where(np.isfinite(end), reduced * np.where(np.isfinite(end), end, 0.0), 0.0)
    return float(rows.sum() + columns.sum())


_LEAST = {"unmet": ("unmet",), "crowded": ("congestion",), "change": ("change_up", "change_down")}
"""Blocks of which each variable is the least that its rows allow: rows of the same shape, with coefficient 1."""


def tightened(program: Program, x: Floats) -> Floats:
    """The vector with auxiliary variables at the values that the others imply.

    A variable that stands for a least or a worst value, or for an absolute one, is free to be beside it where nothing aims at it. ``unmet`` becomes what
    fails, ``worst`` the largest sum of what fails, ``last`` the least value added per head, ``crowded`` the capacity beyond the bend, ``change`` the size of
    a change.
    """
    out = x.copy()
    for name, rows in _LEAST.items():
        if name in program.columns:
            start, end, _ = program.columns[name]
            out[start:end] = np.max([_needed(program, out, name, r) for r in rows], axis=0).clip(min=0.0)
    out = _extreme(program, out, "worst", "worst_loss", np.max)
    return _extreme(program, out, "last", "last", np.min)


def _needed(program: Program, x: Floats, name: str, rows: str) -> Floats:
    """What the block ``name`` must be at least for ``rows`` to hold."""
    start, end, _ = program.columns[name]
    first, last, _ = program.rows[rows]
    return np.asarray(program.row_lower[first:last] - (program.matrix[first:last] @ x - x[start:end]))


def _extreme(program: Program, x: Floats, name: str, rows: str, choose: Callable[..., Floats]) -> Floats:
    """Set the block ``name`` [year] to the extreme of what its ``rows`` [·, year] compare it with: ``±(name − compared) ≥ 0``."""
    if name not in program.columns:
        return x
    start, end, _ = program.columns[name]
    first, last, shape = program.rows[rows]
    without = x.copy()
    without[start:end] = 0.0
    sign = -1.0 if choose is np.max else 1.0
    compared = sign * (program.matrix[first:last] @ without).reshape(shape)
    without[start:end] = choose(compared, axis=0)
    return without


def _over(low: Floats, high: Floats) -> Floats:
    """How far ``low`` exceeds ``high``, relative; 0 where either is infinite."""
    with np.errstate(invalid="ignore"):
        gap = np.where(np.isfinite(low) & np.isfinite(high), low - high, 0.0)
    size = 1 + np.minimum(np.abs(np.where(np.isfinite(low), low, 0.0)), np.abs(np.where(np.isfinite(high), high, 0.0)))
    return np.asarray(np.maximum(gap, 0.0) / size)
