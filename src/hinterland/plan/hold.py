"""Keep what was reached: the solutions of a programme that are as good, in one linear expression, as the best one.

The optimal face of a linear programme is known from any dual solution: columns with a reduced cost stay at their bound, rows with a dual stay at their side
(complementary slackness; Sherali and Soyster 1983). Fixing them keeps the face exactly, leaves it an interior, and makes the programme smaller. A row that
says the same within a tolerance is added in any case: alone where there are whole variables, since then there are no duals.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp

from hinterland.errors import SolverError
from hinterland.plan.program import Floats, Program
from hinterland.plan.solve import Solution, SolverOptions, solve

ANSWERED = ("optimal", "feasible")
"""States of a solution that has values."""
TOLERANCE = 1e-7
"""How far what is kept may be from its best, over 1 + its size."""
_DEAR = 1e-6
"""Reduced costs and duals above this part of the largest cost are no rounding."""


@dataclass(frozen=True, slots=True, eq=False)
class Least:
    """The programme whose every solution falls short by no more than is unavoidable.

    Attributes:
        program: with the price of falling short held at its least; its cost is 0.
        penalty: the least price, 100m yuan.
        best: the vertex of the programme that is best in the objective asked for, where it was found on the way.
    """

    program: Program
    penalty: float
    best: Solution | None


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """What a plan tells about its programme.

    Attributes:
        penalty: price at which it falls short, 100m yuan.
        best: its solution, where it is a proven vertex, best in the objective asked for.
    """

    penalty: float
    best: Solution | None


def least_shortfall(program: Program, aim: str, options: SolverOptions, *, known: Known | None = None, margin: float = 0.0) -> Least:
    """Find the least total price of falling short, and keep it.

    The programme that falls short of nothing is tried first, aimed at what is wanted next: where it has a solution, that is the end of the matter.

    Args:
        program: any programme of a case.
        aim: the objective that is to be made best next.
        options: of the solver; answers are brought to a vertex.
        known: what a plan of the programme tells: the trial is left out where it falls short, and where it is itself the answer.
        margin: part of the least price by which solutions may exceed it.

    Raises:
        SolverError: as :func:`hinterland.plan.solve.solve`, or the hard rows contradict each other.
    """
    vertex, nothing = replace(options, crossover=True), np.zeros_like(program.cost)
    slack = program.penalty > 0
    full = replace(program, upper=np.where(slack, np.minimum(program.upper, 0.0), program.upper), constant=0.0)
    if known is None or known.penalty <= slight(known.penalty):
        best = known.best if known is not None else None
        best = _tried(replace(full, cost=program.objectives[aim]), vertex) if best is None else best
        if best is not None:
            return Least(replace(full, cost=nothing), 0.0, best)
    aimed = replace(program, cost=program.penalty, constant=0.0)
    found = solve(aimed, vertex)
    if found.status not in ANSWERED:
        raise SolverError(f"the plan is {found.status} although every resource may give way: hard rows contradict each other")
    least = max(float(program.penalty @ found.x), 0.0)
    if least <= slight(least):
        return Least(replace(full, cost=nothing), 0.0, None)
    held = limited(program, program.penalty, least * (1 + margin), "kept:shortfall") if margin > 0 else kept(aimed, found, "kept:shortfall")
    return Least(replace(held, cost=nothing, constant=0.0), least, None)


def _tried(program: Program, options: SolverOptions) -> Solution | None:
    """The solution, where there is one and a solver finds it."""
    try:
        found = solve(program, options)
    except SolverError:
        return None
    return found if found.status in ANSWERED else None


def slight(value: float) -> float:
    """What is rounding of a value of this size."""
    return TOLERANCE * (1 + abs(value))


def kept(program: Program, found: Solution, name: str, *, face: bool = True) -> Program:
    """The programme whose solutions are as good as ``found`` in the cost of ``program``.

    Args:
        program: as it was solved.
        found: its solution.
        name: of the row that is added.
        face: whether columns and rows are fixed on the optimal face as well, where there are duals of a vertex.
    """
    value = float(program.cost @ found.x)
    held = limited(program, program.cost, value + slight(value), name)
    if not face or found.y is None or found.basis is None or program.is_mixed:
        return held
    return _on_face(held, program, found.y)


def limited(program: Program, expression: Floats, most: float, name: str) -> Program:
    """The programme with a further row: the expression is no more than ``most``."""
    row = sp.csr_array(expression[None, :])
    return program.with_rows(row, np.array([-np.inf]), np.array([most]), name)


def _on_face(held: Program, program: Program, y: Floats) -> Program:
    """Columns with a reduced cost at their bound, rows with a dual at their side."""
    reduced = program.cost - program.matrix.T @ y
    dear = _DEAR * max(float(np.abs(program.cost).max(initial=0.0)), 1e-12)
    at_low = (reduced > dear) & np.isfinite(program.lower)
    at_high = (reduced < -dear) & np.isfinite(program.upper)
    m = program.shape[0]
    scale = np.sqrt(np.asarray(program.matrix.multiply(program.matrix).sum(axis=1))).ravel()
    worth = y * np.maximum(scale, 1.0)
    below = (worth > dear) & np.isfinite(program.row_lower)
    above = (worth < -dear) & np.isfinite(program.row_upper)
    low, high = held.row_lower.copy(), held.row_upper.copy()
    high[:m] = np.where(below, program.row_lower, high[:m])
    low[:m] = np.where(above, program.row_upper, low[:m])
    return replace(
        held,
        lower=np.where(at_high, program.upper, held.lower),
        upper=np.where(at_low, program.lower, held.upper),
        row_lower=low,
        row_upper=high,
    )
