"""Plans of many industries that share places but not goods: one small programme for each industry, and one that settles what they share.

The rows that tie industries get prices. At given prices every industry is planned alone, with all its moves (:mod:`hinterland.plan.subproblem`); what the plans
use enters a programme of all industries (:mod:`hinterland.plan.master`), whose duals are the next prices. The industries' duals and the prices together are
duals of the whole programme, so that every round gives a bound on the optimum with every move, by the same arithmetic that prices moves without taking
anything apart. It ends when objective and bound meet (Dantzig and Wolfe 1960; Lasdon 1970; for masters of columns in place of points, Sadykov and
Vanderbeck 2013).
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import count

import numpy as np

from hinterland.data.processors import processors
from hinterland.plan.arcs import Mask
from hinterland.plan.certify import Prices, distance, lower_bound, priced_by
from hinterland.plan.master import Found, Master
from hinterland.plan.model import Model
from hinterland.plan.moves import with_moves
from hinterland.plan.parts import Apart
from hinterland.plan.problem import Problem
from hinterland.plan.program import Floats, residuals
from hinterland.plan.solve import Attempt, Solution, Status
from hinterland.plan.subproblem import Limits, Priced, Subproblem, Whole

FIRST = 2
"""How often moves are priced in each part before there are any prices of what ties them."""
NEGLIGIBLE = 1e-9
"""Relative distance of objective and bound that is rounding."""


@dataclass(slots=True, eq=False)
class Bound:
    """The best bound on the optimum with every move, and the duals that prove it."""

    value: float = -np.inf
    y: Floats = field(default_factory=lambda: np.zeros(0))
    minimum: float = -np.inf
    residual: float = np.nan


@dataclass(frozen=True, slots=True, eq=False)
class Decomposed:
    """What a decomposition found.

    Attributes:
        made: the model with the moves that are in the last master.
        answer: the master's optimum as a solution of that model, with the duals that prove the bound.
        inside: [arc] those moves.
        prices: of every move under those duals.
        bound: on the optimum with every move.
        rounds: one for each master: arcs, columns, rows, objective, bound, gap, minimum, entered, seconds_solve, seconds_parts, seconds_all.
        settled: whether objective and bound met, or nothing was left to come in.
    """

    made: Model
    answer: Solution
    inside: Mask
    prices: Prices
    bound: Bound
    rounds: list[dict[str, float]]
    settled: bool


class Decomposition:
    """A model taken apart, ready to be solved.

    Args:
        problem: with every arc.
        made: the model with some of them, aimed at its objective; every cell that any arc leaves or enters has one.
        apart: its parts.
        inside: [arc] those that it has.
        limits: when it ends; parts are solved by the simplex method, as many side by side as its options have threads.
    """

    def __init__(self, problem: Problem, made: Model, apart: Apart, inside: Mask, limits: Limits) -> None:
        self.problem, self.made, self.apart, self.limits, self._first = problem, made, apart, limits, inside
        whole = Whole(problem, made.program, apart)
        self.moves, self.master = whole.moves, Master(whole)
        self.parts = [Subproblem(part, whole, inside, limits) for part in apart.parts]

    def solved(self) -> Decomposed:
        """Masters and parts in turn, until objective and bound meet.

        Raises:
            SolverError: a programme without an optimum.
        """
        bound, rounds = Bound(), list[dict[str, float]]()
        with ThreadPoolExecutor(self.limits.options.threads or processors()) as pool:
            started = time.perf_counter()
            answers = self._priced(pool, np.zeros(len(self.apart.ties)), FIRST)
            for n in count(1):
                self.master.take(answers)
                found = self.master.optimum(self.limits.options)
                priced_at = time.perf_counter()
                answers = self._priced(pool, found.y[self.apart.ties])
                self._improve(bound, found, answers)
                gap = distance(found.objective, bound.value)
                missing = self.master.missing(answers)
                settled = gap <= max(self.limits.gap, NEGLIGIBLE) or not missing
                last = settled or n >= self.limits.rounds
                now = time.perf_counter()
                rounds.append(self._round(found, bound, 0 if last else missing, seconds_parts=now - priced_at, seconds_all=now - started))
                started = now
                if last:
                    break
        return self._ended(found, answers, bound, rounds, settled)

    def _priced(self, pool: ThreadPoolExecutor, prices: Floats, rounds: int | None = None) -> list[Priced]:
        """Every part at prices of what ties them."""
        return list(pool.map(lambda part: part.at(prices, rounds), self.parts))

    def _improve(self, bound: Bound, found: Found, answers: list[Priced]) -> None:
        """Take the bound of these duals where it is better; a part without end leaves none."""
        if not all(a.bounded for a in answers):
            return
        y = found.y.copy()
        for part, answer in zip(self.apart.parts, answers, strict=True):
            y[part.rows] = answer.y
        prices = priced_by(self.made.program, y, self.problem, self._inside())
        value, residual = lower_bound(self.made.program, y, found.objective, self.problem, prices)
        if value > bound.value:
            bound.value, bound.y, bound.minimum, bound.residual = value, y, prices.minimum, residual

    def _inside(self) -> Mask:
        """[arc] moves that are in the master, and of the first ones those from or to cells that would have none, since a model has rows for cells with moves."""
        inside = self.master.arcs
        lacking = self._first & ~inside
        for cells in (self.moves.source, self.moves.host):
            has = np.bincount(cells[inside], minlength=len(self.moves.release)) > 0
            inside = inside | (lacking & ~has[cells])
        return np.asarray(inside)

    def _round(self, found: Found, bound: Bound, entered: int, **seconds: float) -> dict[str, float]:
        return {
            "arcs": int(self._inside().sum()),
            "columns": self.master.columns,
            "rows": self.made.program.shape[0],
            "objective": found.objective,
            "bound": bound.value,
            "gap": distance(found.objective, bound.value),
            "minimum": bound.minimum,
            "entered": entered,
            "seconds_solve": sum(a.seconds for a in found.answer.attempts),
            **seconds,
        }

    def _ended(self, found: Found, answers: list[Priced], bound: Bound, rounds: list[dict[str, float]], settled: bool) -> Decomposed:
        """The master's optimum as a solution of the model with its moves, with the duals of the best bound; of the master where there is none."""
        inside = self._inside()
        y = bound.y if len(bound.y) else found.y
        made = with_moves(self.made, self.problem, inside)
        start, end, shape = made.program.columns["move"]
        was = self.made.program.columns["move"]
        moved = made.program.lower[start:end].reshape(shape).copy()
        moved[(np.cumsum(inside) - 1)[found.arcs], found.years] += found.amounts
        x = np.concatenate([found.x[: was[0]], moved.ravel(), found.x[was[1] :]])
        gap = distance(found.objective, bound.value)
        attempts = (_of_parts(answers), *(replace(a, method=f"{a.method}, restricted") for a in found.answer.attempts))
        answer = replace(
            found.answer, x=x, y=y, bound=bound.value, gap=gap, residuals=residuals(made.program, x, y), attempts=attempts, basis=None
        )
        return Decomposed(made, answer, inside, priced_by(self.made.program, y, self.problem, inside), bound, rounds, settled)


def _of_parts(answers: list[Priced]) -> Attempt:
    """The last time that the parts were solved, as one attempt; its seconds are those of all parts, one after another."""
    status: Status = "optimal" if all(a.bounded for a in answers) else "unbounded"
    return Attempt(f"simplex, {len(answers)} parts", status, sum(a.seconds for a in answers), sum(a.iterations for a in answers))
