"""The whole programme with those of its variables that have been of use: the restricted master problem of a decomposition.

Points of the parts are not kept as points but as the variables that they use, which may then be combined in any way: the master holds every convex combination
of the points, and more, so that few rounds are needed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from hinterland.errors import SolverError
from hinterland.plan.arcs import Mask
from hinterland.plan.parts import Positions
from hinterland.plan.program import Floats, Program
from hinterland.plan.solve import Solution, SolverOptions, solve
from hinterland.plan.subproblem import Priced, Whole, two_entries


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """An optimum of the master.

    Attributes:
        answer: of the solver, over the master's own columns.
        y: [m] its duals.
        x: [n] of the programme's columns; moves are 0.
        arcs, years, amounts: what is moved.
    """

    answer: Solution
    y: Floats
    x: Floats
    arcs: Positions
    years: Positions
    amounts: Floats

    @property
    def objective(self) -> float:
        """What the plan reaches, with the price of falling short."""
        return self.answer.objective


class Master:
    """Variables that have been of use, and the programme with those.

    Args:
        whole: the model and its parts.
    """

    def __init__(self, whole: Whole) -> None:
        self._whole, program, moves = whole, whole.program, whole.moves
        start, end, _ = program.columns["move"]
        self._movable = np.ones(program.shape[1], dtype=bool)
        self._movable[start:end] = False
        self._kept = (program.lower > 0) | (program.upper < 0)
        self._kept[whole.apart.own] = True
        self._kept &= self._movable
        self._used: NDArray[np.bool_] = np.zeros((len(moves.source), moves.years), dtype=bool)

    @property
    def columns(self) -> int:
        """How many variables are in."""
        return int(self._kept.sum()) + int(self._used.sum())

    @property
    def arcs(self) -> Mask:
        """[arc] moves of which some year is in."""
        return np.asarray(self._used.any(axis=1))

    def take(self, answers: list[Priced]) -> None:
        """Take in what the parts have used."""
        for part, answer in zip(self._whole.apart.parts, answers, strict=True):
            self._kept[part.columns[answer.used]] = True
            self._used[answer.arcs, answer.years] = True

    def missing(self, answers: list[Priced]) -> int:
        """How many variables the parts have used that are not in."""
        return sum(
            int(np.count_nonzero(~self._kept[part.columns[a.used]])) + int(np.count_nonzero(~self._used[a.arcs, a.years]))
            for part, a in zip(self._whole.apart.parts, answers, strict=True)
        )

    def optimum(self, options: SolverOptions) -> Found:
        """The optimum with the variables that are in; where those have no feasible point, with all variables other than moves.

        Raises:
            SolverError: there is none, or the solver did not do what it was asked for.
        """
        answer = self._solved(options)
        if answer.status == "infeasible":
            self._kept |= self._movable
            answer = self._solved(options)
        if answer.status != "optimal" or answer.y is None:
            raise SolverError(f"a model of {self.columns} columns is {answer.status}: moves can be priced at an optimum only")
        columns, (arc, year) = np.flatnonzero(self._kept), np.nonzero(self._used)
        x = np.zeros(len(self._kept))
        x[columns] = answer.x[: len(columns)]
        return Found(answer, answer.y, x, arc, year, answer.x[len(columns) :])

    def _solved(self, options: SolverOptions) -> Solution:
        chosen = replace(options, method="simplex") if options.method == "auto" else options
        return solve(self._restricted(), chosen)

    def _restricted(self) -> Program:
        p, columns = self._whole.program, np.flatnonzero(self._kept)
        cost, rows = self._whole.moves.columns(*np.nonzero(self._used))
        k, none = len(cost), np.zeros(len(cost))
        return replace(
            p,
            cost=np.concatenate([p.cost[columns], cost]),
            matrix=sp.hstack([self._whole.matrix[:, columns], two_entries(rows, p.shape[0])], format="csr"),
            lower=np.concatenate([p.lower[columns], none]),
            upper=np.concatenate([p.upper[columns], none + np.inf]),
            integral=np.zeros(len(columns) + k, dtype=bool),
            columns={},
            rows={},
            objectives={},
            penalty=np.concatenate([p.penalty[columns], none]),
        )
