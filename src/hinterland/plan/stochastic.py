"""Two stages: what is decided before it is known what comes, and what can be decided after.

The first stage holds agreements and investment in infrastructure of every year, and moves, new plants and support up to a year; all else answers to the
scenario. Values are those of Birge & Louveaux (2011, chapter 4): the recourse problem RP, wait-and-see WS, the expected result EEV of the plan for
expected numbers; ``EVPI = RP − WS`` is what perfect information would be worth, ``VSS = EEV − RP`` what minding uncertainty is worth.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hinterland.errors import Finding, InputError
from hinterland.labels import Note
from hinterland.plan.compose import Composed, compose, mean_program
from hinterland.plan.cvar import CVaR, cautious, conditional_value_at_risk
from hinterland.plan.entry import plan_of
from hinterland.plan.extend import held, priced
from hinterland.plan.logbook import Logbook
from hinterland.plan.model import Model
from hinterland.plan.objectives import AIMS
from hinterland.plan.problem import Problem
from hinterland.plan.program import Floats, residuals
from hinterland.plan.result import Plan
from hinterland.plan.scenarios import Scenario, column_years, fail_if_bad_scenarios, models
from hinterland.plan.solve import Solution, SolverOptions

__all__ = ["StochasticPlan", "stochastic"]

ALWAYS = ("active", "started", "investment")
"""Blocks whose every year is decided before it is known what comes."""
UNTIL = ("move", "greenfield", "support", "trained")
"""Blocks that are decided so up to a year."""


@dataclass(frozen=True, slots=True, eq=False)
class StochasticPlan:
    """A plan under scenarios. Values are of what was made small: the objective and the price of falling short.

    Attributes:
        scenarios: name, probability, value (of the plan in the scenario), perfect (of the best plan for that scenario alone), regret.
        values: measure (expected, its parts expected-cost and expected-shortfall, recourse, wait-and-see, expected-plan, evpi, vss, cvar, caution), value, low,
            high (by the solver's bounds), unit, share (of RP).
        solver: one row per programme solved: programme, scenario, status, method, seconds, objective, bound, primal_residual.
        plans: a plan per scenario, of one first stage.
        first_stage_until: last year of moves, new plants and support of the first stage.
        risk: what caution was asked for.
        notes: what a reader must know.
    """

    scenarios: pl.DataFrame
    values: pl.DataFrame
    solver: pl.DataFrame
    plans: tuple[Plan, ...]
    first_stage_until: int
    risk: CVaR | None
    notes: tuple[Note, ...]

    def value(self, measure: str) -> float:
        """One of the values."""
        return float(self.values.filter(pl.col("measure") == measure)["value"][0])

    def plan(self, scenario: str) -> Plan:
        """The plan of a scenario."""
        return self.plans[self.scenarios["scenario"].to_list().index(scenario)]

    @property
    def tables(self) -> dict[str, pl.DataFrame]:
        """Frames by the name of their table."""
        return {"plan_scenarios": self.values, "plan_scenarios_each": self.scenarios, "plan_scenarios_solver": self.solver}

    def __repr__(self) -> str:
        return f"StochasticPlan({len(self.plans)} scenarios, expected {self.value('expected'):.6g}, EVPI {self.value('evpi'):.4g}, VSS {self.value('vss'):.4g})"


def stochastic(
    problem: Problem,
    scenarios: Sequence[Scenario],
    *,
    first_stage_until: int | None = None,
    risk: CVaR | None = None,
    options: SolverOptions | None = None,
    model: Model | None = None,
) -> StochasticPlan:
    """The plan that is best on average, or cautiously so, over scenarios.

    Args:
        problem: the case; its objective is what is made small.
        scenarios: what may come.
        first_stage_until: last year whose moves, new plants, support and training are decided without knowing; the end of the first decided phase by default.
        risk: weigh the worst scenarios beside the mean.
        options: of the solver. Differences of mixed programmes are no finer than its gap.
        model: the problem's own model, where it is built already.

    Raises:
        InputError: scenarios, or a year, that make no sense.
        SolverError: the solver reached no end.
    """
    fail_if_bad_scenarios(problem, scenarios)
    until = first_stage_end(problem, first_stage_until)
    made = aimed(problem, models(problem, scenarios, model))
    first = first_stage(made[0], until)
    book = Logbook(options)
    together = np.where(first[None, :], 0, np.arange(len(made))[:, None])
    composed = compose([m.program for m in made], [s.probability for s in scenarios], together)
    answer = book.solve(composed.program, "recourse")
    alone = [book.solve(m.program, "wait-and-see", s.name) for m, s in zip(made, scenarios, strict=True)]
    after = _expected_plan(made, scenarios, first, book)
    careful, chosen = composed, answer
    if risk is not None:
        careful = cautious(composed, risk)
        chosen = book.solve(careful.program, "cautious")
    x = careful.of(chosen.x)
    costs = np.array([m.program.cost @ one for m, one in zip(made, x, strict=True)])
    aim, p = problem.settings.objective, composed.probabilities
    short = float(p @ [m.program.penalty @ one for m, one in zip(made, x, strict=True)])
    values = _values(p, answer, alone, after, costs=costs, short=short, risk=risk, aim=aim)
    plans = plans_of(made, careful, chosen, options if risk is None else None, risk)
    return StochasticPlan(_scenarios(scenarios, costs, alone), values, book.frame, plans, until, risk, _notes(after, until, made))


def aimed(problem: Problem, made: Sequence[Model]) -> tuple[Model, ...]:
    """The models with the problem's objective."""
    aim = problem.settings.objective
    return tuple(replace(m, problem=m.problem.with_settings(objective=aim), program=m.program.aimed_at(aim)) for m in made)


def first_stage_end(problem: Problem, until: int | None) -> int:
    """The last year of the first stage."""
    decided = [y for y, free in zip(problem.years, problem.decided, strict=True) if free]
    if until is None:
        phase = problem.phases[int(problem.links["year.phase"][problem.years.index(decided[0])])]
        return problem.phase_years(phase)[-1]
    if until not in (decided[0] - 1, *decided):
        what, remedy = (
            f"first_stage_until is {until}",
            f"give a year from {decided[0] - 1} (nothing but agreements and investment) to {decided[-1]}",
        )
        raise InputError(Finding("bad-argument", what, "argument first_stage_until", remedy), "the plan")
    return until


def first_stage(model: Model, until: int) -> NDArray[np.bool_]:
    """[n] columns that are decided before it is known what comes."""
    early = column_years(model) <= until
    out = np.zeros(len(early), dtype=bool)
    for name, (start, end, _) in model.program.columns.items():
        if name in ALWAYS:
            out[start:end] = True
        elif name in UNTIL:
            out[start:end] = early[start:end]
    return out


def _expected_plan(made: Sequence[Model], scenarios: Sequence[Scenario], first: NDArray[np.bool_], book: Logbook) -> list[Solution]:
    """Each scenario with the first stage of the plan for expected numbers; infeasible where that plan leaves it no answer."""
    middle = mean_program([m.program for m in made], [s.probability for s in scenarios])
    mean = book.solve(middle, "expected-value")
    pairs = zip(made, scenarios, strict=True)
    return [book.solve(held(m.program, first, mean.x), "expected-plan", s.name, may_fail=True) for m, s in pairs]


def _values(
    p: Floats,
    answer: Solution,
    alone: Sequence[Solution],
    after: Sequence[Solution],
    *,
    costs: Floats,
    short: float,
    risk: CVaR | None,
    aim: str,
) -> pl.DataFrame:
    """The values with what the solver's bounds leave open."""
    recourse = (answer.objective, answer.bound, answer.objective)
    see = tuple(float(p @ [getattr(a, n) for a in alone]) for n in ("objective", "bound", "objective"))
    fails = any(a.status == "infeasible" for a in after)
    fixed = (np.inf,) * 3 if fails else tuple(float(p @ [getattr(a, n) for a in after]) for n in ("objective", "bound", "objective"))
    rows: dict[str, tuple[float, float, float]] = {
        "expected": (float(p @ costs),) * 3,
        "expected-cost" if aim == "cost" else "expected-objective": (float(p @ costs) - short,) * 3,
        "expected-shortfall": (short,) * 3,
        "recourse": recourse,
        "wait-and-see": (see[0], see[1], see[2]),
        "expected-plan": (fixed[0], fixed[1], fixed[2]),
        "evpi": (recourse[0] - see[0], recourse[1] - see[2], recourse[2] - see[1]),
        "vss": (fixed[0] - recourse[0], fixed[1] - recourse[2], fixed[2] - recourse[1]),
    }
    if risk is not None:
        tail = conditional_value_at_risk(costs, p, risk.level)
        rows["cvar"] = (tail,) * 3
        rows["caution"] = (float(p @ costs) - recourse[0], float(p @ costs) - recourse[2], float(p @ costs) - recourse[1])
    size, unit = abs(recourse[0]) or 1.0, AIMS[aim].unit
    return pl.DataFrame(
        [{"measure": k, "value": v, "low": low, "high": high, "unit": unit, "share": v / size} for k, (v, low, high) in rows.items()]
    )


def _scenarios(scenarios: Sequence[Scenario], costs: Floats, alone: Sequence[Solution]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "scenario": [s.name for s in scenarios],
            "probability": [float(s.probability) for s in scenarios],
            "changes": ["; ".join(map(str, s.each)) for s in scenarios],
            "withdrawal": pl.Series([s.withdrawal for s in scenarios], dtype=pl.Int64),
            "value": costs,
            "perfect": [a.objective for a in alone],
            "regret": [float(c - a.objective) for c, a in zip(costs, alone, strict=True)],
        }
    )


def plans_of(
    made: Sequence[Model], whole: Composed, answer: Solution, options: SolverOptions | None, risk: CVaR | None
) -> tuple[Plan, ...]:
    """A plan per scenario. Prices are those given that the scenario comes; a cautious plan has none, since its weights are no probabilities."""
    y = None if risk is not None else priced(whole.program, answer, options)
    prices = [None] * len(made) if y is None else list(whole.prices(y))
    out = []
    for model, x, price in zip(made, whole.of(answer.x), prices, strict=True):
        check = residuals(model.program, x, None)
        mine = replace(answer, x=x, y=None, objective=float(model.program.cost @ x), bound=np.nan, residuals=check)
        out.append(plan_of(model, mine, duals=replace(mine, y=price)))
    return tuple(out)


def _notes(after: Sequence[Solution], until: int, made: Sequence[Model]) -> tuple[Note, ...]:
    out = [Note("plan-first-stage", {"year": until})]
    if any(a.status == "infeasible" for a in after):
        out.append(Note("plan-expected-plan-fails", {"count": sum(a.status == "infeasible" for a in after)}))
    if made[0].program.is_mixed:
        out.append(Note("plan-values-within-gap", {}))
    return tuple(out)
