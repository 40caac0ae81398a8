"""Plans that are nearly as good and quite different: what every one of them has, what none has, and what is free to choose.

Modelling to generate alternatives (Brill, Chang and Hopkins 1982; DeCarolis 2011): what is best in a model is not best in the world, since a model leaves
things out; its near-optimal plans differ, and what they share is robust (Lombardi, Pickering, Colombo and Pfenninger 2020).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import polars as pl

from hinterland.errors import Finding, InputError, SolverError, fail_if_any
from hinterland.labels import Note
from hinterland.plan.alternatives_frames import Reached, Thresholds, found_frame, ranges
from hinterland.plan.directions import Groups, Sites, extremes, halton, sites
from hinterland.plan.entry import plan_of, with_duals
from hinterland.plan.hold import ANSWERED, least_shortfall, limited, slight
from hinterland.plan.model import Model
from hinterland.plan.problem import Problem
from hinterland.plan.program import Floats, Program
from hinterland.plan.result import Plan
from hinterland.plan.session import Session
from hinterland.plan.several import known_of, model_of, whole_held
from hinterland.plan.solve import Solution, SolverOptions, solve

__all__ = ["Alternatives", "alternatives"]

Directions = Literal["extremes", "random"]
PIECES = 16
"""Into how many parts the directions are cut for an executor."""
COST_ROW = "kept:cost"


@dataclass(frozen=True, slots=True, eq=False)
class Alternatives:
    """Near-optimal plans of a case.

    Attributes:
        ranges: slack, host, group, year, initial, optimum, lowest, highest, class, proven, unit: capacity of each host in each group. ``class`` is
            ``must-have``, ``must-avoid`` or ``free``; ``proven`` says whether lowest and highest are the ends themselves and not the widest that was seen.
        found: alternative, slack, aim, host, group, value, cost: capacity in every alternative, and its cost; ``aim`` is what it was made for.
        cost: of the best plan, 100m yuan.
        penalty: least price of falling short, kept in every alternative; 100m yuan.
        notes: what a reader must know.
    """

    ranges: pl.DataFrame
    found: pl.DataFrame
    cost: float
    penalty: float
    notes: tuple[Note, ...]
    model: Model = field(repr=False)
    program: Program = field(repr=False)
    where: Sites = field(repr=False)
    reached: tuple[Reached, ...] = field(repr=False)
    options: SolverOptions = field(repr=False)

    @property
    def tables(self) -> dict[str, pl.DataFrame]:
        """Every frame by the name of its table."""
        return {"alternatives_ranges": self.ranges, "alternatives_found": self.found}

    def plan(self, alternative: int) -> Plan:
        """The plan of an alternative, solved again.

        Raises:
            InputError: there is no such alternative.
            SolverError: as :func:`hinterland.plan.solve.solve`.
        """
        if not 0 <= alternative < len(self.reached):
            what, remedy = f"there is no alternative {alternative}", f"choose one of 0 to {len(self.reached) - 1}"
            raise InputError(Finding("unknown-alternative", what, "argument alternative", remedy), "the alternatives")
        asked = self.reached[alternative]
        session = Session(replace(self.program, cost=self.where.cost(asked.weights, self.program.shape[1])), self.options)
        answer = session.solve(sides={_cost_row(self.program): (-np.inf, _most(self.cost, asked.slack))})
        made = replace(self.model, program=session.program, problem=self.model.problem.with_settings(objective="cost"))
        return plan_of(made, answer, duals=with_duals(made, answer, self.options))

    def __repr__(self) -> str:
        counts = self.ranges["class"].value_counts()
        said = ", ".join(f"{n} {c}" for c, n in sorted(row for row in counts.iter_rows() if row[0] is not None))
        return f"Alternatives({len(self.reached)} near {self.cost:.6g}: {said or 'no classes'})"


def alternatives(
    case: Problem | Plan,
    slack: float | Sequence[float] = 0.05,
    *,
    groups: Groups | Sequence[str] | None = None,
    directions: Directions = "extremes",
    count: int = 32,
    seed: int | None = None,
    year: int | None = None,
    threshold: float = 0.5,
    negligible: float = 0.05,
    shortfall: float = 0.0,
    hold: bool = False,
    seconds: float | None = None,
    options: SolverOptions | None = None,
    executor: Executor | None = None,
) -> Alternatives:
    """Plans that cost little more than the best, as different from it as can be.

    Args:
        case: a problem, or a plan, whose model is used again.
        slack: part of the least cost by which alternatives may be dearer; several are answered each.
        groups: industries by the name of their group, or names of the case's groups or industries; by default the case's groups, or each relocatable industry.
        directions: ``extremes`` makes the capacity of every host in every group least, then most: exact ranges. ``random`` makes sums of all of them with
            random weights most: joint alternatives, and ranges that are inner bounds.
        count: number of random directions.
        seed: of the random directions, which need one.
        year: of the capacity; the last by default.
        threshold: part of what the best plan adds that every alternative must add for a class ``must-have``.
        negligible: part of the largest addition that any host can have in the group, below which an addition is none: what no alternative adds is
            ``must-avoid``.
        shortfall: part of their least price by which shortfalls may be larger than unavoidable.
        hold: leave whole decisions where the plan has them: every alternative is then linear, and one with those decisions.
        seconds: no further alternative is begun after them.
        options: of the solver.
        executor: spreads the directions.

    Raises:
        InputError: arguments that cannot be.
        SolverError: the solver did not do what it was asked for, or reached no end.
    """
    slacks = (float(slack),) if isinstance(slack, int | float) else tuple(sorted(float(s) for s in slack))
    thresholds = Thresholds(threshold, negligible)
    _fail_if_wrong(slacks, directions, thresholds, count=count, seed=seed)
    case, said = whole_held(case, options) if hold else (case, ())
    made = model_of(case)
    options = options or SolverOptions()
    where = sites(made, groups, year)
    least = least_shortfall(made.program, "cost", options, known=known_of(case, "cost"), margin=shortfall)
    cost = made.program.objectives["cost"]
    best = least.best or solve(replace(least.program, cost=cost), replace(options, crossover=True))
    if best.status not in ANSWERED:
        raise SolverError(f"the least cost with the least shortfall was not found: {best.status}")
    paid = float(cost @ best.x)
    program = limited(least.program, cost, _most(paid, slacks[-1]), COST_ROW)
    optimum = where.held(best.x)
    weights = extremes(len(optimum)) if directions == "extremes" else halton(count, _sizes(where, optimum), seed or 0)
    asked = [(s, w) for s in slacks for w in weights]
    until = np.inf if seconds is None else time.time() + seconds
    reached = _Search(program, where, best, paid, options=options, until=until).all(asked, executor)
    exact = directions == "extremes"
    return Alternatives(
        ranges=ranges(where, slacks, optimum, reached, thresholds=thresholds, exact=exact),
        found=found_frame(where, reached, exact=exact),
        cost=paid,
        penalty=least.penalty,
        notes=said + _notes(made, reached, len(asked), kept=(least.penalty, shortfall), exact=exact, thresholds=thresholds),
        model=made,
        program=program,
        where=where,
        reached=tuple(reached),
        options=options,
    )


def _fail_if_wrong(slacks: Sequence[float], directions: str, thresholds: Thresholds, *, count: int, seed: int | None) -> None:
    findings = []
    if not slacks or any(not s > 0 for s in slacks):
        findings.append(Finding("bad-slack", f"slack is {list(slacks)}", "argument slack", "give parts of the least cost above 0"))
    if directions not in ("extremes", "random"):
        remedy = "choose extremes or random"
        findings.append(Finding("unknown-directions", f"there are no directions {directions!r}", "argument directions", remedy))
    if directions == "random" and seed is None:
        what = "random directions have no seed"
        findings.append(Finding("no-seed", what, "argument seed", "give a whole number, so that the answer can be had again"))
    if directions == "random" and count < 1:
        findings.append(Finding("bad-count", f"count is {count}", "argument count", "give at least 1"))
    for name, part in (("threshold", thresholds.needed), ("negligible", thresholds.negligible)):
        if not 0 <= part <= 1:
            findings.append(Finding("not-a-part", f"{name} is {part}", f"argument {name}", "give a part between 0 and 1"))
    fail_if_any(findings, "the alternatives", InputError)


def _sizes(where: Sites, optimum: Floats) -> Floats:
    """[s] capacity that counts as large at each site."""
    sizes = np.maximum(where.initial, optimum)
    return np.maximum(sizes, 1e-3 * float(sizes.max(initial=1.0)))


def _most(cost: float, slack: float) -> float:
    return cost + slack * abs(cost) + slight(cost)


def _cost_row(program: Program) -> int:
    return program.rows[COST_ROW][0]


@dataclass(frozen=True, slots=True, eq=False)
class _Search:
    """What every direction has in common: the programme, where capacity can be, the best plan and its cost, how to solve, and until when."""

    program: Program
    where: Sites
    best: Solution
    cost: float
    options: SolverOptions
    until: float

    def piece(self, asked: Sequence[tuple[float, Floats]]) -> list[Reached]:
        """Some directions, one after the other in one session."""
        session, n, row = Session(self.program, self.options, self.best, vertices=False), self.program.shape[1], _cost_row(self.program)
        out = []
        for slack, weights in asked:
            if time.time() >= self.until:
                break
            answer = session.solve(cost=self.where.cost(weights, n), sides={row: (-np.inf, _most(self.cost, slack))})
            if answer.status not in ANSWERED:
                what = f"no alternative within {slack:.3g} of the least cost was found although the best plan is one: {answer.status}"
                raise SolverError(what)
            paid = float(self.program.objectives["cost"] @ answer.x)
            out.append(Reached(slack, weights, self.where.held(answer.x), paid, answer.status, answer.gap))
        return out

    def all(self, asked: Sequence[tuple[float, Floats]], executor: Executor | None) -> list[Reached]:
        """Every direction, those of less slack first, so that each vertex is feasible for the next."""
        run: Callable[..., Iterable[list[Reached]]] = map if executor is None else executor.map
        size = len(asked) if executor is None else max(1, -(-len(asked) // PIECES))
        return [r for piece in run(self.piece, [asked[n : n + size] for n in range(0, len(asked), size)]) for r in piece]


def _notes(
    made: Model, reached: Sequence[Reached], asked: int, *, kept: tuple[float, float], exact: bool, thresholds: Thresholds
) -> tuple[Note, ...]:
    penalty, margin = kept
    out = [Note("alternatives-classes", {"threshold": thresholds.needed, "negligible": thresholds.negligible})]
    if penalty > 0:
        out.append(Note("shortfall-kept", {"penalty": penalty, "margin": margin}))
    if not exact:
        out.append(Note("alternatives-sampled", {"count": len(reached)}))
    if len(reached) < asked:
        out.append(Note("alternatives-unbegun", {"count": asked - len(reached), "all": asked}))
    if made.program.is_mixed:
        out.append(Note("alternatives-mixed", {"gap": max((r.gap for r in reached), default=0.0)}))
    return tuple(out)
