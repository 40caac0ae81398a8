"""One part of a programme at given prices of the rows that tie it to the others: the pricing problem of a decomposition.

It has all variables of the part and, of its moves, those that have been worth while; the others are priced by the two rows that they enter, and come in until
none would pay. The simplex method goes on from its last vertex whenever moves come in.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from hinterland.errors import SolverError
from hinterland.plan.arcs import Mask, charge_of_moves, free_years, most_release
from hinterland.plan.certify import savings
from hinterland.plan.parts import Apart, Part, Positions
from hinterland.plan.problem import Problem
from hinterland.plan.program import Floats, Program
from hinterland.plan.screen import best_of_ends
from hinterland.plan.solve import SolverOptions, opened, set_option

USED = 1e-9
"""Amounts above which a variable is used."""
_PRIMAL = 4
"""HiGHS's number of the primal simplex."""


@dataclass(frozen=True, slots=True)
class Limits:
    """When a decomposition ends, and what comes in at a time: as in :class:`hinterland.plan.columns.Generation`; and the solver's options."""

    per_cell: int
    tolerance: float
    gap: float
    rounds: int
    options: SolverOptions


class Moves:
    """Every move of a problem as a column: what it costs, and the two rows that it is in.

    Args:
        problem: with every arc.
        program: a model of some of its arcs, in which each cell that an arc leaves or enters has its rows.
    """

    def __init__(self, problem: Problem, program: Program) -> None:
        years = len(problem.years)
        self.source, self.host = problem.links["arc.source"], problem.links["arc.host"]
        self.leaves = _first_rows(program, "departures", self.source, years)
        self.arrives = _first_rows(program, "arrivals", self.host, years)
        self.release = most_release(problem)
        self.years = years
        costly = problem.settings.objective == "cost"
        self._charge = charge_of_moves(problem) if costly else np.zeros(self.release.shape)
        self._free = free_years(problem)
        self._cost = problem["arc_cost"].values

    def cost(self, arcs: Positions) -> Floats:
        """[arcs, year] discounted cost of a unit; infinite in years in which the move may not be decided."""
        host = self.host[arcs]
        return np.where(self._free[host], self._charge[host] * self._cost[arcs, None], np.inf)

    def columns(self, arcs: Positions, year: Positions) -> tuple[Floats, Positions]:
        """[k] cost and [k, 2] rows of moves in given years."""
        rows = np.stack([self.leaves[arcs] + year, self.arrives[arcs] + year], axis=1)
        return self._charge[self.host[arcs], year] * self._cost[arcs], rows


def _first_rows(program: Program, name: str, cells: Positions, years: int) -> Positions:
    """[arc] row of the first year of the block ``name``, which has the cells that any arc is at, in order."""
    at = np.bincount(cells) > 0
    return program.rows[name][0] + (np.cumsum(at) - 1)[cells] * years


def two_entries(rows: Positions, height: int) -> sp.csc_array:
    """[height, k] −1 in the two rows of each move."""
    k = len(rows)
    return sp.csc_array((np.full(2 * k, -1.0), rows.ravel(), 2 * np.arange(k + 1)), shape=(height, k))


class Whole:
    """A model taken apart, as its parts and its master need it.

    Attributes:
        program: with what observed moves carry and cost taken to the sides of its rows and the constant; all moves are 0.
        matrix: the programme's, by columns.
        apart: its parts.
        moves: every move.
    """

    def __init__(self, problem: Problem, program: Program, apart: Apart) -> None:
        self.program, self.apart, self.moves = without_moves(program), apart, Moves(problem, program)
        self.matrix = sp.csc_array(self.program.matrix)


def without_moves(program: Program) -> Program:
    """The programme with what observed moves carry and cost taken to the sides of its rows and the constant; all moves are 0."""
    start, end, _ = program.columns["move"]
    seen, none = program.lower[start:end], np.zeros(end - start)
    carried = program.matrix[:, start:end] @ seen
    lower, upper = program.lower.copy(), program.upper.copy()
    lower[start:end] = upper[start:end] = none
    return replace(
        program,
        row_lower=program.row_lower - carried,
        row_upper=program.row_upper - carried,
        lower=lower,
        upper=upper,
        constant=program.constant + float(program.cost[start:end] @ seen),
    )


@dataclass(frozen=True, slots=True, eq=False)
class Priced:
    """A part's optimum at given prices, or a direction without end.

    Attributes:
        bounded: whether there is an optimum.
        used: [columns of the part] what is not zero in it.
        arcs, years: moves that are not zero, as positions in the whole problem.
        y: [rows of the part] duals; empty without an optimum.
        iterations: of the simplex method.
        seconds: that it took.
    """

    bounded: bool
    used: NDArray[np.bool_]
    arcs: Positions
    years: Positions
    y: Floats
    iterations: int
    seconds: float


class Subproblem:
    """A part, solved again and again at other prices.

    Args:
        part: what belongs to it.
        whole: what it is a part of.
        inside: [arc] moves to begin with.
        limits: what may come in at a time, and below which size a negative reduced cost counts as none.
    """

    def __init__(self, part: Part, whole: Whole, inside: Mask, limits: Limits) -> None:
        self.part, self.moves, self.limits = part, whole.moves, limits
        program, moves, columns = whole.program, whole.moves, sp.csc_array(whole.matrix[:, part.columns])
        self._ties, self._matrix = sp.csc_array(columns[whole.apart.ties]), sp.csc_array(columns[part.rows])
        self._cost, self._lower, self._upper = (v[part.columns] for v in (program.cost, program.lower, program.upper))
        self._low, self._high = program.row_lower[part.rows], program.row_upper[part.rows]
        place = np.full(program.shape[0], -1, dtype=np.int64)
        place[part.rows] = np.arange(len(part.rows))
        self.arcs = np.flatnonzero(place[moves.leaves] >= 0)
        self._leaves, self._arrives = place[moves.leaves[self.arcs]], place[moves.arrives[self.arcs]]
        self._move_cost = moves.cost(self.arcs)
        self._inside = inside[self.arcs].copy()

    def at(self, prices: Floats, rounds: int | None = None) -> Priced:
        """The optimum at prices [rows that tie].

        Args:
            prices: duals of the rows that tie.
            rounds: how often moves may be priced; until none would pay by default.

        Raises:
            SolverError: the part has no feasible point, or the solver reached no end.
        """
        started = time.perf_counter()
        solver, arc, year = self._opened(self._cost - self._ties.T @ prices)
        iterations = done = 0
        while True:
            if not self._run(solver):
                return self._endless(solver, arc, year, time.perf_counter() - started)
            iterations, done = iterations + solver.getInfo().simplex_iteration_count, done + 1
            found = solver.getSolution()
            y = np.array(found.row_dual)
            reduced = self._reduced(y)
            entering = self._entering(reduced) if rounds is None or done <= rounds else np.zeros(0, dtype=np.int64)
            if not len(entering):
                break
            more = self._added(solver, entering)
            arc, year = np.concatenate([arc, more[0]]), np.concatenate([year, more[1]])
        x = np.array(found.col_value)
        n = len(self.part.columns)
        flows = np.abs(x[n:]) > USED
        self._keep(arc[flows], reduced)
        seconds = time.perf_counter() - started
        return Priced(True, np.abs(x[:n]) > USED, self.arcs[arc[flows]], year[flows], y, iterations, seconds)

    def _opened(self, cost: Floats) -> tuple[Any, Positions, Positions]:
        """HiGHS with the part in it, and which moves its last columns are."""
        at, year = np.nonzero(np.isfinite(self._move_cost) & self._inside[:, None])
        k, rows = len(at), self._rows_of(at, year)
        program = Program(
            cost=np.concatenate([cost, self._move_cost[at, year]]),
            matrix=sp.hstack([self._matrix, two_entries(rows, len(self._low))], format="csr"),
            row_lower=self._low,
            row_upper=self._high,
            lower=np.concatenate([self._lower, np.zeros(k)]),
            upper=np.concatenate([self._upper, np.full(k, np.inf)]),
            integral=np.zeros(len(cost) + k, dtype=bool),
            constant=0.0,
            columns={},
            rows={},
            objectives={},
            penalty=np.zeros(len(cost) + k),
        )
        solver, _ = opened(program)
        for name, value in {"output_flag": False, "solver": "simplex", "threads": 1, "time_limit": self.limits.options.time_limit}.items():
            set_option(solver, name, value)
        for kind in ("primal", "dual"):
            set_option(solver, f"{kind}_feasibility_tolerance", self.limits.options.tolerance)
        return solver, at, year

    def _rows_of(self, at: Positions, year: Positions) -> Positions:
        return np.stack([self._leaves[at] + year, self._arrives[at] + year], axis=1)

    def _run(self, solver: Any) -> bool:
        """Whether there is an optimum, or else a direction without end."""
        import highspy

        kinds = highspy.HighsModelStatus
        solver.run()
        if solver.getModelStatus() == kinds.kUnboundedOrInfeasible:
            set_option(solver, "presolve", "off")
            solver.run()
        status = solver.getModelStatus()
        if status not in (kinds.kOptimal, kinds.kUnbounded):
            raise SolverError(f"a part of {len(self.part.rows)} rows is {solver.modelStatusToString(status)} on its own")
        set_option(solver, "simplex_strategy", _PRIMAL)
        return bool(status == kinds.kOptimal)

    def _endless(self, solver: Any, arc: Positions, year: Positions, seconds: float) -> Priced:
        """What the direction without end is made of."""
        set_option(solver, "presolve", "off")
        _, exists, values = solver.getPrimalRay()
        if not exists:
            solver.run()
            _, exists, values = solver.getPrimalRay()
        if not exists:
            raise SolverError("a part is unbounded at the prices of the rows that tie, and the solver gives no direction")
        ray, n = np.abs(np.array(values)) > USED, len(self.part.columns)
        return Priced(False, ray[:n], self.arcs[arc[ray[n:]]], year[ray[n:]], np.zeros(0), 0, seconds)

    def _reduced(self, y: Floats) -> Floats:
        """[arc, year] reduced costs of the part's moves; infinite where a move may not be decided."""
        year = np.arange(self.moves.years)
        return np.asarray(self._move_cost + y[self._leaves[:, None] + year] + y[self._arrives[:, None] + year])

    def _entering(self, reduced: Floats) -> Positions:
        """The moves that are not in and would save most, a few of each cell that they leave or enter."""
        gain = savings(reduced, self.moves.release[self.moves.source[self.arcs]])
        at = np.flatnonzero(~self._inside & (reduced.min(axis=1) < -self.limits.tolerance) & (gain > 0))
        return at[self._best(at, -gain[at])]

    def _best(self, at: Positions, value: Floats) -> Mask:
        """The few of least value from each source's cell, and to each host's."""
        arcs = self.arcs[at]
        return best_of_ends(self.moves.source[arcs], self.moves.host[arcs], value, self.limits.per_cell)

    def _added(self, solver: Any, entering: Positions) -> tuple[Positions, Positions]:
        """Put moves into the solver."""
        self._inside[entering] = True
        at, year = np.nonzero(np.isfinite(self._move_cost[entering]))
        at = entering[at]
        k, rows = len(at), self._rows_of(at, year)
        starts = np.arange(0, 2 * k, 2, dtype=np.int32)
        entries = np.full(2 * k, -1.0)
        free = np.full(k, np.inf)
        solver.addCols(k, self._move_cost[at, year], np.zeros(k), free, 2 * k, starts, rows.ravel().astype(np.int32), entries)
        return at, year

    def _keep(self, used: Positions, reduced: Floats) -> None:
        """Begin the next time with the moves that are used, and those that are nearest to it."""
        self._inside = self._best(np.arange(len(self.arcs)), reduced.min(axis=1))
        self._inside[used] = True
