r"""What a small change of a parameter does to the optimum, from the solution and its duals: no programme is solved.

By the envelope theorem (for linear programmes Gal 1995, chapter 4) the derivative of the optimum is that of the Lagrangian at fixed :math:`x` and :math:`y`,

.. math:: dV = dc \cdot x + y \cdot (db - dA\,x) + \sum_j rc_j\, d\ell_j

with :math:`b` the side of each row that :math:`y` points at, :math:`rc = c - A'y`, and :math:`\ell_j` the finite bound that the reduced cost points at.
Where the optimum is degenerate it has different derivatives to either side, and this is one between them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from hinterland.plan.program import Floats, Program
from hinterland.plan.solve import Solution

STEP = 1e-4
"""Relative step of the parameter to either side from which the derivative of the arrays is taken; its error is of the order of its square."""


@dataclass(frozen=True, slots=True, eq=False)
class Optimum:
    """An optimum with its prices.

    Attributes:
        program: what was solved.
        x: [n] solution.
        y: [m] duals.
        held: [n] variables that do not react: whole ones, whose derivative is not defined.
    """

    program: Program
    x: Floats
    y: Floats
    held: NDArray[np.bool_]


def optimum(program: Program, answer: Solution, duals: Solution) -> Optimum:
    """The optimum of an answer; where there are whole variables, at their values, with the duals of the programme that holds them."""
    whole = program.integral
    x = np.where(whole, np.round(answer.x), answer.x) if duals is answer else duals.x
    y = np.zeros(program.shape[0]) if duals.y is None else duals.y
    return Optimum(program, x, y, whole)


def same_structure(one: Program, other: Program) -> bool:
    """Whether two programmes have the same blocks, and bounds and sides that are finite in the same places."""
    if dict(one.columns) != dict(other.columns) or dict(one.rows) != dict(other.rows):
        return False
    pairs = ((one.lower, other.lower), (one.upper, other.upper), (one.row_lower, other.row_lower), (one.row_upper, other.row_upper))
    return all(np.array_equal(np.isfinite(a), np.isfinite(b)) for a, b in pairs)


def derivative(at: Optimum, below: Program, above: Program, step: float = STEP) -> float:
    """Derivative of the optimum by the factor of a parameter.

    Args:
        at: the optimum at factor 1.
        below, above: the programme at factors ``1 − step`` and ``1 + step``, of the same structure.
        step: relative.
    """
    width = 2 * step
    matrix = sp.csr_array(above.matrix - below.matrix)
    rows = at.y * (_side(above, at.y) - _side(below, at.y) - matrix @ at.x)
    reduced = at.program.cost - at.program.matrix.T @ at.y
    free = ~at.held
    bounds = reduced[free] * (_bound(above, reduced)[free] - _bound(below, reduced)[free])
    costs = (above.cost - below.cost) * at.x
    return float((costs.sum() + rows.sum() + bounds.sum()) / width)


def _side(program: Program, y: Floats) -> Floats:
    """[m] the side of each row that its dual points at; 0 where it has none."""
    return _finite(np.where(y > 0, program.row_lower, program.row_upper))


def _bound(program: Program, reduced: Floats) -> Floats:
    """[n] the bound of each column that its reduced cost points at; 0 where it has none."""
    return _finite(np.where(reduced > 0, program.lower, program.upper))


def _finite(values: Floats) -> Floats:
    return np.asarray(np.where(np.isfinite(values), values, 0.0))
