"""What it is worth that policy can be relied on.

``E[cost | policy may be withdrawn, decided without knowing] − E[cost | policy stays]``: the same tree of scenarios twice, with the withdrawals and without.
Scenarios share every decision of the years in which they do not yet differ; a withdrawal is known from its year on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hinterland.errors import Finding, InputError
from hinterland.labels import Note
from hinterland.plan.compose import Composed, Whole, compose, mean_program
from hinterland.plan.extend import held
from hinterland.plan.logbook import Logbook
from hinterland.plan.model import Model
from hinterland.plan.objectives import AIMS
from hinterland.plan.problem import Problem
from hinterland.plan.result import Plan
from hinterland.plan.scenarios import Scenario, column_years, fail_if_bad_scenarios, models, withdrawn
from hinterland.plan.solve import Solution, SolverOptions
from hinterland.plan.stochastic import ALWAYS, UNTIL, aimed, plans_of

__all__ = ["ContinuityValue", "continuity_value"]


@dataclass(frozen=True, slots=True, eq=False)
class ContinuityValue:
    """The value of policy continuity, in the unit of the objective, which counts what falls short at its price.

    Attributes:
        value: what more is lost, on average, where policy may be withdrawn than where it stays.
        share: of the cost where it stays.
        values: measure (withdrawal, commitment, continuity-value, wait-and-see, evpi, expected-plan, vss; continuity-objective and continuity-shortfall are the
            parts of the value), value, low, high (by the solver's bounds), unit, share (of commitment).
        scenarios: scenario, probability, withdrawal, differs (first year in which it is not as the first scenario), uncertain and committed (value), shortfall
            of each (the price of falling short in the value).
        solver: one row per programme solved.
        uncertain, committed: a plan per scenario.
        notes: what a reader must know.
    """

    value: float
    share: float
    values: pl.DataFrame
    scenarios: pl.DataFrame
    solver: pl.DataFrame
    uncertain: tuple[Plan, ...]
    committed: tuple[Plan, ...]
    notes: tuple[Note, ...]

    @property
    def tables(self) -> dict[str, pl.DataFrame]:
        """Frames by the name of their table."""
        return {"plan_continuity": self.values, "plan_continuity_each": self.scenarios, "plan_continuity_solver": self.solver}

    def __repr__(self) -> str:
        return f"ContinuityValue({self.value:.6g}, {self.share:.2%} of the cost under commitment, {self.scenarios.height} scenarios)"


def continuity_value(
    problem: Problem, scenarios: Sequence[Scenario], *, options: SolverOptions | None = None, model: Model | None = None
) -> ContinuityValue:
    """What it costs that policy may be withdrawn and nobody knows.

    Args:
        problem: the case; its objective is what is made small.
        scenarios: what may come, some of it with a year of withdrawal; other changes are the same with and without.
        options: of the solver.
        model: the problem's own model, where it is built already.

    Raises:
        InputError: scenarios that make no sense, or none that withdraws policy.
        SolverError: the solver reached no end.
    """
    fail_if_bad_scenarios(problem, scenarios)
    if all(s.withdrawal is None for s in scenarios):
        remedy = "give one or more a year of withdrawal, such as Scenario(..., withdrawal=2031)"
        raise InputError(Finding("no-withdrawal", "no scenario withdraws policy", "argument scenarios", remedy), "the scenarios")
    stays = [replace(s, withdrawal=None) for s in scenarios]
    book = Logbook(options)
    staying = models(problem, stays, model)
    kept = aimed(problem, staying)
    made = aimed(problem, [m if s.withdrawal is None else withdrawn(m, s.withdrawal) for m, s in zip(staying, scenarios, strict=True)])
    tree, answer = _tree(made, scenarios, "uncertain", book)
    trunk, promised = _tree(kept, stays, "committed", book)
    alone = [book.solve(m.program, "wait-and-see", s.name) for m, s in zip(made, scenarios, strict=True)]
    after = _after_mean(made, scenarios, tree, book)
    plans = plans_of(made, tree, answer, options, None), plans_of(kept, trunk, promised, options, None)
    frame = _scenarios(problem, scenarios, *plans)
    values = _values(tree, answer, promised, alone, after, frame=frame, unit=AIMS[problem.settings.objective].unit)
    found = values.row(by_predicate=pl.col("measure") == "continuity-value", named=True)
    return ContinuityValue(found["value"], found["share"], values, frame, book.frame, *plans, _notes(made, scenarios, after, values))


def shared_until_they_differ(years: NDArray[np.int64], scenarios: Sequence[Scenario], span: Sequence[int]) -> Whole:
    """[S, n] the first scenario from which each scenario does not differ up to the year of each column.

    Args:
        years: [n] year of each column.
        scenarios: of the set.
        span: years of the plan; columns of no single year are decided with the last one.
    """
    at = np.minimum(years, span[-1])
    out = np.empty((len(scenarios), len(years)), dtype=np.int64)
    for i, s in enumerate(scenarios):
        out[i] = i
        for j in range(i - 1, -1, -1):
            out[i] = np.where(s.differs(scenarios[j], span) > at, j, out[i])
    return out


def _tree(made: Sequence[Model], scenarios: Sequence[Scenario], name: str, book: Logbook) -> tuple[Composed, Solution]:
    """The scenarios as one programme, and its answer."""
    together = shared_until_they_differ(column_years(made[0]), scenarios, made[0].problem.years)
    composed = compose([m.program for m in made], [s.probability for s in scenarios], together)
    return composed, book.solve(composed.program, name)


def _after_mean(made: Sequence[Model], scenarios: Sequence[Scenario], tree: Composed, book: Logbook) -> Solution:
    """The tree whose decisions of the years that all scenarios share are those of the plan for expected numbers.

    What comes after stays free: the value of the stochastic solution at the root (Escudero, Garín, Merino & Pérez 2007).
    """
    first, years = made[0], made[0].problem.years
    mean = book.solve(mean_program([m.program for m in made], tree.probabilities.tolist()), "expected-value")
    until = min([s.differs(scenarios[0], years) for s in scenarios[1:]], default=years[-1] + 1)
    early = column_years(first) < until
    root = np.zeros(len(early), dtype=bool)
    for name, (start, end, _) in first.program.columns.items():
        if name in (*ALWAYS, *UNTIL):
            root[start:end] = early[start:end]
    x, where = np.zeros(tree.program.shape[1]), np.zeros(tree.program.shape[1], dtype=bool)
    x[tree.column_at[0]], where[tree.column_at[0]] = mean.x, root
    return book.solve(held(tree.program, where, x), "expected-plan", may_fail=True)


def _values(
    tree: Composed, answer: Solution, promised: Solution, alone: Sequence[Solution], after: Solution, *, frame: pl.DataFrame, unit: str
) -> pl.DataFrame:
    """Values, each with what the solver's bounds leave open; and the parts of the value of continuity that are the objective and falling short."""
    p = tree.probabilities
    see = float(p @ [a.objective for a in alone])
    see_bound = float(p @ [a.bound for a in alone])
    fixed = (np.inf, np.inf) if after.status == "infeasible" else (after.objective, after.bound)
    rows = {
        "withdrawal": (answer.objective, answer.bound, answer.objective),
        "commitment": (promised.objective, promised.bound, promised.objective),
        "continuity-value": (answer.objective - promised.objective, answer.bound - promised.objective, answer.objective - promised.bound),
        "wait-and-see": (see, see_bound, see),
        "evpi": (answer.objective - see, answer.bound - see, answer.objective - see_bound),
        "expected-plan": (fixed[0], fixed[1], fixed[0]),
        "vss": (fixed[0] - answer.objective, fixed[1] - answer.objective, fixed[0] - answer.bound),
    }
    for part, suffix in (("objective", ""), ("shortfall", "_shortfall")):
        more = float(p @ (frame[f"uncertain{suffix}"] - frame[f"committed{suffix}"]).to_numpy())
        rows[f"continuity-{part}"] = (more, more, more)
    size = abs(promised.objective) or 1.0
    return pl.DataFrame([{"measure": k, "value": v, "low": a, "high": b, "unit": unit, "share": v / size} for k, (v, a, b) in rows.items()])


def _scenarios(problem: Problem, scenarios: Sequence[Scenario], uncertain: Sequence[Plan], committed: Sequence[Plan]) -> pl.DataFrame:
    aim = problem.settings.objective

    def of(plan: Plan, name: str) -> float:
        return (
            float(plan.model.program.objectives[aim] @ plan.solution.x)
            if name == "value"
            else float(plan.model.program.penalty @ plan.solution.x)
        )

    last = problem.years[-1]
    first = [s.differs(scenarios[0], problem.years) for s in scenarios]
    columns = {
        "scenario": pl.Series([s.name for s in scenarios]),
        "probability": pl.Series([float(s.probability) for s in scenarios]),
        "changes": pl.Series(["; ".join(map(str, s.each)) for s in scenarios], dtype=pl.String),
        "withdrawal": pl.Series([s.withdrawal for s in scenarios], dtype=pl.Int64),
        "differs": pl.Series([y if y <= last else None for y in first], dtype=pl.Int64),
    }
    for name, plans in (("uncertain", uncertain), ("committed", committed)):
        columns[name] = pl.Series([of(p, "value") for p in plans])
        columns[f"{name}_shortfall"] = pl.Series([of(p, "shortfall") for p in plans])
    return pl.DataFrame(columns)


def _notes(made: Sequence[Model], scenarios: Sequence[Scenario], after: Solution, values: pl.DataFrame) -> tuple[Note, ...]:
    out = [Note("plan-withdrawal", {})]
    problem = made[0].problem
    first = min(s.differs(scenarios[0], problem.years) for s in scenarios)
    if len(scenarios) > 1 and first <= problem.years[int(np.argmax(problem.decided))]:
        out.append(Note("plan-nothing-shared", {"year": first}))
    parts = dict(values.select("measure", "value").iter_rows())
    if parts["continuity-shortfall"] > 0.5 * abs(parts["continuity-value"]):
        out.append(Note("plan-continuity-shortfall", {"share": parts["continuity-shortfall"] / parts["continuity-value"]}))
    if after.status == "infeasible":
        out.append(Note("plan-expected-plan-fails", {"count": 1}))
    if made[0].program.is_mixed:
        out.append(Note("plan-values-within-gap", {}))
    return tuple(out)
