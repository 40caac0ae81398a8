"""The front of two or three objectives: plans that cannot be better in one without being worse in another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace

import numpy as np
import polars as pl

from hinterland.errors import Finding, InputError
from hinterland.labels import Note
from hinterland.plan import pareto_frames as frames
from hinterland.plan.augmecon import Grid, Visit, grid, sweep
from hinterland.plan.dominance import hypervolume
from hinterland.plan.entry import plan_of, unit_of, with_duals
from hinterland.plan.hold import ANSWERED, Least, least_shortfall, limited
from hinterland.plan.model import Model
from hinterland.plan.objectives import AIMS
from hinterland.plan.payoff import payoff
from hinterland.plan.problem import Problem
from hinterland.plan.program import Program
from hinterland.plan.result import Plan
from hinterland.plan.session import changed
from hinterland.plan.several import counts_of, fail_if_flat, fail_if_not_possible, known_of, model_of, whole_held
from hinterland.plan.solve import SolverOptions, solve

__all__ = ["Pareto", "pareto"]


@dataclass(frozen=True, slots=True, eq=False)
class Pareto:
    """A front.

    Attributes:
        objectives: the first is made best, the others are limited level by level.
        points: point, objective, role, value, unit, better, share: every objective at every point. ``role`` is ``best``, ``limited``, ``floor``, ``reported``
            or ``kept`` (the price of falling short); ``share`` is how far an active objective is from its ideal, in parts of its range.
        solves: every position of the grid: its limits, status, gap, solver, seconds, and the point it gave; ``bypassed`` where it was passed over because
            its answer is known, ``dominated`` where a tolerance of the solver let it be worse than another.
        payoff: made_best, objective, value, unit: the lexicographic payoff table.
        trade_offs: point, other, objective, against, price, unit, basis: what a unit by which ``objective`` is better costs of ``against``: at the point,
            from the ``dual`` of its level; on the way to the next point, by ``difference``.
        hypervolume: part of the box between ideal and nadir that the front dominates.
        penalty: least price of falling short, kept in every point; 100m yuan.
        notes: what a reader must know.
    """

    objectives: tuple[str, ...]
    points: pl.DataFrame
    solves: pl.DataFrame
    payoff: pl.DataFrame
    trade_offs: pl.DataFrame
    hypervolume: float
    penalty: float
    notes: tuple[Note, ...]
    model: Model = field(repr=False)
    swept: Grid = field(repr=False)
    visits: tuple[Visit, ...] = field(repr=False)

    @property
    def front(self) -> pl.DataFrame:
        """A row for each point: its value of every objective."""
        return self.points.pivot(on="objective", index="point", values="value").sort("point")

    @property
    def tables(self) -> dict[str, pl.DataFrame]:
        """Every frame by the name of its table."""
        return {f"pareto_{n}": getattr(self, n) for n in ("points", "solves", "payoff", "trade_offs")}

    def plan(self, point: int) -> Plan:
        """The plan of a point: its objective is the first of the front, and its duals are prices in that objective.

        Raises:
            InputError: there is no such point.
        """
        if not 0 <= point < len(self.visits):
            what = f"there is no point {point}"
            raise InputError(Finding("unknown-point", what, "argument point", f"choose one of 0 to {len(self.visits) - 1}"), "the front")
        visit = self.visits[point]
        sides = {self.swept.row(k): (-np.inf, float(e)) for k, e in enumerate(visit.limits, start=1)}
        program = changed(self.swept.program, None, sides)
        problem = self.model.problem.with_settings(objective=self.objectives[0])
        made = replace(self.model, problem=problem, program=program)
        if program.is_mixed:
            return plan_of(made, visit.answer, duals=with_duals(made, visit.answer, self.swept.options))
        return plan_of(made, visit.answer, duals=visit.answer if visit.priced else solve(program, self.swept.options))

    def __repr__(self) -> str:
        solved = self.solves.filter(~pl.col("bypassed")).height
        return f"Pareto({' × '.join(self.objectives)}: {len(self.visits)} points of {solved} solved, hypervolume {self.hypervolume:.3f})"


def pareto(
    case: Problem | Plan,
    objectives: Sequence[str] = ("cost", "emissions"),
    points: int | Sequence[int] = 8,
    *,
    floors: Mapping[str, float] | None = None,
    shortfall: float = 0.0,
    bypass: bool = True,
    hold: bool = False,
    options: SolverOptions | None = None,
    executor: Executor | None = None,
) -> Pareto:
    """The front of two or three objectives, by AUGMECON2 (Mavrotas and Florios 2013).

    Shortfalls are no means of doing well: their least total price is found first and kept in every point, so that no point buys an objective with them.

    Args:
        case: a problem, or a plan, whose model is used again.
        objectives: two or three of ``cost``, ``value-added``, ``emissions``, ``resilience``, ``equity`` and ``self-sufficiency``.
        points: number of levels of each objective after the first, both ends counted; at most 100 positions in all.
        floors: a value that another objective must reach, in its unit: at least where more is better, at most where less is.
        shortfall: part of their least price by which shortfalls may be larger.
        hold: leave whole decisions (agreements, steps of size) where the plan has them: every point is then linear, and the front is one with those decisions.
        bypass: pass positions over whose answer is known.
        options: of the solver; the ends of the front are brought to a vertex in any case.
        executor: spreads rows of the payoff table and positions or lines of the grid.

    Raises:
        InputError: objectives, points or floors that cannot be.
        EstimationError: the objectives do not conflict.
        SolverError: the solver did not do what it was asked for, or reached no end.
    """
    chosen, wanted = tuple(objectives), dict(floors or {})
    counts = counts_of(chosen, points)
    case, said = whole_held(case, options) if hold else (case, ())
    made = model_of(case)
    fail_if_not_possible(made, chosen, wanted)
    options = options or SolverOptions()
    least = least_shortfall(made.program, chosen[0], options, known=known_of(case, chosen[0]), margin=shortfall)
    program = with_floors(made, least, wanted, options)
    table = payoff(program, chosen, options, start=None if wanted else least.best, executor=executor)
    fail_if_flat(table, least.penalty)
    swept = grid(program, table, counts, options, bypass=bypass)
    found = frames.collected(swept, sweep(swept, executor))
    return Pareto(
        objectives=chosen,
        points=frames.points(made, swept, found, wanted),
        solves=frames.solves(swept, found),
        payoff=frames.payoff_table(made, table),
        trade_offs=frames.trade_offs(made, swept, found),
        hypervolume=hypervolume(found.shares[list(found.kept)]),
        penalty=least.penalty,
        notes=(*said, *_notes(made, swept, found, least, shortfall=shortfall, floors=wanted)),
        model=made,
        swept=swept,
        visits=tuple(found.visits[n] for n in found.kept),
    )


def with_floors(made: Model, least: Least, floors: Mapping[str, float], options: SolverOptions) -> Program:
    """The programme with a row for each floor.

    Raises:
        InputError: floors that cannot be reached, with the best that can.
    """
    program = least.program
    for name, value in floors.items():
        program = limited(program, program.objectives[name], AIMS[name].sign * value, f"floor:{name}")
    if not floors or solve(program, options).status in ANSWERED:
        return program
    findings = []
    for name, value in floors.items():
        best = solve(replace(least.program, cost=least.program.objectives[name]), options)
        reach = AIMS[name].sign * best.objective
        what = f"the floor of {name}, {value:g} {unit_of(made, name)}, cannot be reached with the others"
        findings.append(Finding("floor-out-of-reach", what, "argument floors", f"alone, {name} reaches {reach:.6g}: ask for less"))
    raise InputError(findings, "the front")


def _notes(
    made: Model, swept: Grid, found: frames.Found, least: Least, *, shortfall: float, floors: Mapping[str, float]
) -> tuple[Note, ...]:
    visited, passed = len(found.visits), sum(v.solution is None for v in found.visits)
    failed = sum(v.solution is not None and not v.found for v in found.visits)
    out = [Note("pareto-points", {"points": len(found.kept), "visited": visited, "bypassed": passed, "infeasible": failed})]
    if least.penalty > 0:
        out.append(Note("shortfall-kept", {"penalty": least.penalty, "margin": shortfall}))
    if found.dominated:
        out.append(Note("pareto-dominated", {"count": len(found.dominated)}))
    if len(swept.levels) > 1:
        out.append(Note("pareto-nadir", {}))
    if floors:
        said = ", ".join(f"{n} {v:g} {unit_of(made, n)}" for n, v in floors.items())
        out.append(Note("pareto-floors", {"floors": said}))
    if swept.program.is_mixed:
        worst = max((v.solution.gap for v in found.visits if v.solution is not None and v.found), default=0.0)
        first = swept.payoff.values[:, 0]
        share = worst * float(abs(first).max()) / float(swept.payoff.ranges[0])
        out.append(Note("pareto-mixed", {"gap": worst, "share": share}))
    if not swept.options.crossover:
        out.append(Note("plan-interior", {}))
    return tuple(out)
