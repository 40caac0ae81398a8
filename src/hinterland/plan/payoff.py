"""The payoff table of several objectives by lexicographic optimisation, and whether they conflict at all.

Each row makes one objective best and then, among its best solutions, the others in order (Mavrotas 2009, section 3). Single optima would leave the others
wherever the solver happened to stop, and so exaggerate the range of the front.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from hinterland.errors import SolverError
from hinterland.plan.hold import ANSWERED, kept
from hinterland.plan.program import Floats, Program
from hinterland.plan.solve import Solution, SolverOptions, solve

CONFLICT = 1e-5
"""A range below this part of the size of the objective is none."""


@dataclass(frozen=True, slots=True, eq=False)
class Payoff:
    """The payoff table.

    Attributes:
        names: [p] objectives in order.
        values: [p, p] value of each objective (column) where each (row) is best; turned round where more is better.
        solutions: [p] solution of each row.
        start: the vertex that is best in the first objective, before the others were looked at.
    """

    names: tuple[str, ...]
    values: Floats
    solutions: tuple[Solution, ...]
    start: Solution

    @property
    def ideal(self) -> Floats:
        """[p] best value of each."""
        return np.asarray(self.values.min(axis=0))

    @property
    def nadir(self) -> Floats:
        """[p] worst value of each in the table: for three objectives an estimate of its worst on the front."""
        return np.asarray(self.values.max(axis=0))

    @property
    def ranges(self) -> Floats:
        """[p] nadir less ideal."""
        return np.asarray(self.nadir - self.ideal)

    @property
    def flat(self) -> list[str]:
        """Objectives that are at their best whatever else is made best."""
        size = 1 + np.maximum(np.abs(self.ideal), np.abs(self.nadir))
        return [n for n, r, s in zip(self.names, self.ranges, size, strict=True) if r <= CONFLICT * s]


def payoff(
    program: Program, names: Sequence[str], options: SolverOptions, *, start: Solution | None = None, executor: Executor | None = None
) -> Payoff:
    """Make each objective best, then the others in turn.

    Args:
        program: with whatever is held beforehand.
        names: objectives, in order.
        options: of the solver; answers are brought to a vertex.
        start: the vertex that is best in the first objective, where it is known.
        executor: spreads the rows.

    Raises:
        SolverError: as :func:`hinterland.plan.solve.solve`.
    """
    vertex = replace(options, crossover=True)
    first = solve(replace(program, cost=program.objectives[names[0]], constant=0.0), vertex) if start is None else start
    tasks = [((name, *(n for n in names if n != name)), None if k else first) for k, name in enumerate(names)]
    run: Callable[..., Iterable[Solution]] = map if executor is None else executor.map
    found = tuple(run(partial(_row, program, vertex), tasks))
    values = np.array([[float(program.objectives[n] @ s.x) for n in names] for s in found])
    return Payoff(tuple(names), values, found, first)


def _row(program: Program, options: SolverOptions, task: tuple[Sequence[str], Solution | None]) -> Solution:
    order, start = task
    return lexicographic(program, order, options=options, start=start)


def lexicographic(program: Program, order: Sequence[str], *, options: SolverOptions, start: Solution | None = None) -> Solution:
    """Make the first objective best, among its best solutions the second, and so on.

    Where rounding leaves the fixed face empty, the row alone keeps the objective. The duals are those of the last objective's programme.

    Raises:
        SolverError: an objective has no best, or what was reached before could not be kept.
    """
    first, *rest = order
    held = loose = replace(program, cost=program.objectives[first], constant=0.0)
    answer = solve(held, options) if start is None else start
    if answer.status not in ANSWERED:
        raise SolverError(f"{first} could not be made best: {answer.status}")
    for name in rest:
        held, loose = kept(held, answer, f"kept:{name}"), kept(loose, answer, f"kept:{name}", face=False)
        held, loose = (replace(p, cost=program.objectives[name]) for p in (held, loose))
        found = solve(held, options)
        if found.status not in ANSWERED:
            found = solve(loose, options)
        if found.status not in ANSWERED:
            raise SolverError(f"{name} could not be made best with what came before it kept: {found.status}")
        answer = found
    return answer
