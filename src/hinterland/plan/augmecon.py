r"""The augmented epsilon-constraint method AUGMECON2 (Mavrotas and Florios 2013), for two or three objectives.

For every combination of levels :math:`e_k` of the other objectives,

.. math:: \min\ f_1 + \epsilon r_1 \left(\frac{f_2}{r_2} + \frac{f_3}{10 r_3}\right) \quad f_k \le e_k

which is the method's :math:`\min f_1 - \epsilon r_1 (s_2/r_2 + s_3/(10 r_3))` with :math:`f_k + s_k = e_k`, its slacks written out and constants left out;
:math:`r_k` is the range of the payoff table. The term makes every answer efficient. Where the innermost slack is :math:`b` steps or more, the next
:math:`b` levels would give the same answer and are passed over; where a level is out of reach, so are the tighter ones of its line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import product

import numpy as np

from hinterland.plan.hold import ANSWERED, limited
from hinterland.plan.payoff import Payoff
from hinterland.plan.program import Floats, Program
from hinterland.plan.session import Session
from hinterland.plan.solve import Solution, SolverOptions

EPSILON = 1e-3
"""Weight of what the other objectives gain within their levels, per range of the first."""
INSIDE = 1e-6
"""The tightest level is the ideal and this part of the range: at the ideal itself nothing is left to choose, and an interior point has no interior."""

Level = tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Visit:
    """One position of the grid.

    Attributes:
        level: [p − 1] position on the grid of each limited objective, 0 the loosest.
        limits: [p − 1] its levels.
        solution: the answer; ``None`` where the position was passed over.
        same_as: the position whose answer holds here as well, where it was passed over.
        priced: whether the answer's duals are of the programme of the grid, and not of a row of the payoff table.
    """

    level: Level
    limits: Floats
    solution: Solution | None
    same_as: Level | None = field(default=None)
    priced: bool = field(default=True)

    @property
    def found(self) -> bool:
        """Whether there is an answer of its own."""
        return self.solution is not None and self.solution.status in ANSWERED

    @property
    def answer(self) -> Solution:
        """The answer.

        Raises:
            LookupError: the position was passed over.
        """
        if self.solution is None:
            raise LookupError(f"position {self.level} was passed over")
        return self.solution


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """What is swept.

    Attributes:
        program: with a row for each limited objective; its cost is augmented.
        payoff: table of the objectives.
        levels: for each limited objective its levels, the loosest first.
        bypass: whether positions that would give the same are passed over.
        options: of the solver.
    """

    program: Program
    payoff: Payoff
    levels: tuple[Floats, ...]
    bypass: bool
    options: SolverOptions

    def row(self, k: int) -> int:
        """Position of the row that limits the objective ``k``, from 1."""
        return self.program.rows[f"level:{self.payoff.names[k]}"][0]


def grid(program: Program, payoff: Payoff, counts: Sequence[int], options: SolverOptions, *, bypass: bool = True) -> Grid:
    """The programme and the levels.

    Args:
        program: with what is held beforehand.
        payoff: table of its objectives, none of them flat.
        counts: [p − 1] number of levels of each limited objective, both ends counted.
        options: of the solver.
        bypass: whether positions that would give the same are passed over.
    """
    ranges = payoff.ranges
    cost = program.objectives[payoff.names[0]].copy()
    levels = []
    for k, (name, count) in enumerate(zip(payoff.names[1:], counts, strict=True), start=1):
        cost += EPSILON * 0.1 ** (k - 1) * ranges[0] / ranges[k] * program.objectives[name]
        program = limited(program, program.objectives[name], payoff.nadir[k], f"level:{name}")
        shares = np.linspace(0.0, 1.0, count)
        levels.append(payoff.nadir[k] - np.minimum(shares, 1.0 - INSIDE) * ranges[k])
    return Grid(replace(program, cost=cost, constant=0.0), payoff, tuple(levels), bypass, options)


def sweep(swept: Grid, executor: Executor | None = None) -> list[Visit]:
    """Visit every position, line by line.

    With two objectives the ends are those of the payoff table, found by the same lexicographic order; the line between them is one session, each answer
    going on from the last. An executor gets a piece for each position of two objectives, or for each line of three.

    Raises:
        SolverError: as :func:`hinterland.plan.solve.solve`.
    """
    run: Callable[..., Iterable[list[Visit]]] = map if executor is None else executor.map
    inner = range(len(swept.levels[0]))
    if len(swept.levels) == 1:
        first, last = (_end(swept, n) for n in (0, len(inner) - 1))
        between = list(inner)[1:-1]
        pieces = [between] if executor is None else [[n] for n in between]
        return [first, *(v for line in run(partial(_line, swept, ()), pieces) for v in line), last]
    outer = list(product(*(range(len(levels)) for levels in swept.levels[1:])))
    return [v for line in run(partial(_whole_line, swept, list(inner)), outer) for v in line]


def _end(swept: Grid, at: int) -> Visit:
    """The end of a line of two objectives: a row of the payoff table."""
    return Visit((at,), swept.levels[0][[at]], swept.payoff.solutions[0 if at == 0 else 1], priced=False)


def _whole_line(swept: Grid, inner: list[int], outer: Level) -> list[Visit]:
    return _line(swept, outer, inner)


def _line(swept: Grid, outer: Level, inner: Sequence[int]) -> list[Visit]:
    """Visit some positions of a line, the loosest first."""
    fixed = [float(swept.levels[k + 1][n]) for k, n in enumerate(outer)]
    tight = any(n == len(swept.levels[k + 1]) - 1 for k, n in enumerate(outer))
    options = replace(swept.options, crossover=swept.options.crossover or tight)
    session = Session(swept.program, options, swept.payoff.start)
    sides = {swept.row(k + 2): (-np.inf, e) for k, e in enumerate(fixed)}
    expression = swept.program.objectives[swept.payoff.names[1]]
    levels = swept.levels[0]
    step = swept.payoff.ranges[1] / (len(levels) - 1)
    visits: list[Visit] = []
    skip, last = 0, (0, *outer)
    for n in inner:
        here, limits = (n, *outer), np.array([levels[n], *fixed])
        if skip > 0:
            visits.append(Visit(here, limits, None, last))
            skip -= 1
            continue
        answer = session.solve(sides={**sides, swept.row(1): (-np.inf, float(levels[n]))})
        visits.append(Visit(here, limits, answer))
        if answer.status not in ANSWERED:
            break
        slack = levels[n] - float(expression @ answer.x)
        skip, last = (int(slack / step + 1e-9) if swept.bypass else 0), here
    return visits
