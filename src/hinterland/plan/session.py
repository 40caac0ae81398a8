"""A programme kept open in the solver, so that a change of cost or of a row's side goes on from the last vertex instead of starting anew.

The primal simplex goes on after a change of cost, since the last vertex is still feasible; the dual simplex after a change of a side, since it is still
dual feasible. Where that takes longer than starting anew has taken, the programme is solved anew, and the session stops trying.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from hinterland.plan.program import Floats, Program
from hinterland.plan.solve import Places, Solution, SolverOptions, answered, opened, set_option, solve

Sides = Mapping[int, tuple[float, float]]
"""Lower and upper side by row."""

PATIENCE = 1.0
"""How many times the seconds of a solution from nothing the next one may take from the last vertex."""
SHORTEST = 1.0
"""Seconds that it may take in any case."""
GIVE_UP = 2
"""Failures after which a session solves everything anew."""


class Session:
    """One programme, solved again and again.

    The first answer comes by the ladder of :func:`hinterland.plan.solve.solve`, or goes on from a vertex that is given. Whole programmes, interior points and solvers that were asked for by name
    other than the simplex have no vertex to go on from: they are solved anew each time.

    Args:
        program: the programme; never changed.
        options: of the solver.
        start: a vertex of a programme with the same columns, and the first of the rows, from which the first solution goes on.
        vertices: whether answers that do not go on from a vertex are brought to a vertex; that can take longer than the answer.
    """

    def __init__(
        self, program: Program, options: SolverOptions | None = None, start: Solution | None = None, *, vertices: bool = True
    ) -> None:
        self._vertices = vertices
        self.program = program
        self.options = options or SolverOptions()
        self._solver: Any = None
        self._lines: list[str] = []
        self._seconds = 0.0
        self._failures = 0
        if self.warm and start is not None and start.basis is not None:
            self._open(_extended(start.basis, program.shape[0]))
            self._seconds = sum(a.seconds for a in start.attempts)

    @property
    def warm(self) -> bool:
        """Whether the next solution goes on from the last."""
        able = not self.program.is_mixed and self.options.crossover and self.options.method in ("auto", "simplex")
        return able and self._failures < GIVE_UP

    def solve(self, *, cost: Floats | None = None, sides: Sides | None = None, time_limit: float | None = None) -> Solution:
        """Solve the programme with another cost or other sides of rows; what is not given is as it was at the last call.

        Args:
            cost: [n].
            sides: lower and upper side of some rows.
            time_limit: seconds for this solution; the options' by default.

        Raises:
            SolverError: as :func:`hinterland.plan.solve.solve`.
        """
        self.program = changed(self.program, cost, sides)
        options = self.options if time_limit is None else replace(self.options, time_limit=min(time_limit, self.options.time_limit))
        if self._solver is not None and self.warm:
            self._change(cost, sides)
            answer = self._go_on(options.time_limit)
            if answer.status in ("optimal", "infeasible", "unbounded"):
                return answer
            self._failures += 1
            anew = self._anew(options)
            return replace(anew, attempts=(*answer.attempts, *anew.attempts))
        started = time.perf_counter()
        answer = self._anew(options)
        self._seconds = time.perf_counter() - started
        if self.warm and answer.basis is not None:
            self._open(answer.basis)
        return answer

    def _anew(self, options: SolverOptions) -> Solution:
        return solve(self.program, options if self._vertices else replace(options, crossover=False))

    def _open(self, basis: tuple[Places, Places]) -> None:
        """Put the programme and the vertex that was found into HiGHS."""
        self._solver, self._lines = opened(self.program)
        tolerance = self.options.tolerance
        set_option(self._solver, "threads", self.options.threads)
        set_option(self._solver, "solver", "simplex")
        set_option(self._solver, "primal_feasibility_tolerance", tolerance)
        set_option(self._solver, "dual_feasibility_tolerance", tolerance)
        self._solver.setBasis(_basis(basis))

    def _change(self, cost: Floats | None, sides: Sides | None) -> None:
        if cost is not None:
            at = np.arange(len(cost), dtype=np.int32)
            self._solver.changeColsCost(len(cost), at, cost)
        for row, (low, high) in (sides or {}).items():
            self._solver.changeRowBounds(row, low, high)

    def _go_on(self, time_limit: float) -> Solution:
        import highspy

        self._lines.clear()
        patience = max(SHORTEST, PATIENCE * self._seconds)
        set_option(self._solver, "time_limit", self._solver.getRunTime() + min(patience, time_limit))
        started = time.perf_counter()
        if self._solver.run() == highspy.HighsStatus.kError:
            self._failures = GIVE_UP
        seconds = time.perf_counter() - started
        return answered(self._solver, self.program, "simplex", self._lines, seconds=seconds, vertex=True)


def changed(program: Program, cost: Floats | None, sides: Sides | None) -> Program:
    """The programme with another cost, or other sides of some rows."""
    if cost is not None:
        program = replace(program, cost=cost)
    if sides:
        low, high = program.row_lower.copy(), program.row_upper.copy()
        for row, (below, above) in sides.items():
            low[row], high[row] = below, above
        program = replace(program, row_lower=low, row_upper=high)
    return program


def _extended(places: tuple[Places, Places], rows: int) -> tuple[Places, Places]:
    """The basis of a programme with further rows, whose slacks are basic."""
    columns, have = places
    return columns, np.concatenate([have, np.ones(rows - len(have), dtype=np.int8)])


def _basis(places: tuple[Places, Places]) -> Any:
    """The basis as HiGHS takes it."""
    import highspy

    basis = highspy.HighsBasis()
    kinds = {int(k): k for k in highspy.HighsBasisStatus.__members__.values()}
    basis.col_status, basis.row_status = ([kinds[int(p)] for p in where] for where in places)
    basis.valid = True
    return basis
