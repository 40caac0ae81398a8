"""Plans that hold though some coefficients are not as assumed: a budget of how many of a row's coefficients turn out badly at once.

A coefficient lies anywhere within an interval about its value. A plan is protected against any ``Γ`` of a row's uncertain coefficients at their worst, and
one more by the part of ``Γ`` that is no whole number (Bertsimas & Sim 2004). ``Γ = 0`` is the nominal plan, ``Γ`` as large as the number of uncertain coefficients the worst case of all (Soyster 1973).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl

from hinterland.errors import Finding, InputError, fail_if_any
from hinterland.labels import Note
from hinterland.plan.entry import plan_of
from hinterland.plan.extend import priced
from hinterland.plan.logbook import Logbook
from hinterland.plan.model import Model, build
from hinterland.plan.problem import Problem
from hinterland.plan.program import Floats, Program, residuals
from hinterland.plan.result import Plan
from hinterland.plan.robust_bounds import simulated, violation_bound
from hinterland.plan.robust_rows import Protection, Uncertain, protected, protection
from hinterland.plan.solve import Solution, SolverOptions

__all__ = ["RobustPlan", "Uncertain", "robust"]


@dataclass(frozen=True, slots=True, eq=False)
class RobustPlan:
    """Plans for growing budgets of uncertainty.

    Attributes:
        prices: one row per budget: gamma, objective, price (against gamma 0), share, bound and largest_bound (probability that a row is violated: mean over rows
            and largest, by Bertsimas & Sim 2004, theorem 3), frequency and largest_frequency (the same, simulated), rows, draws.
        rows: one row per budget and protected row that is not trivially safe: gamma, constraint, row, n (uncertain coefficients), bound, frequency.
        solver: one row per programme solved.
        plans: a plan per budget, in the order of ``prices``.
        notes: what a reader must know.
    """

    prices: pl.DataFrame
    rows: pl.DataFrame
    solver: pl.DataFrame
    plans: tuple[Plan, ...]
    notes: tuple[Note, ...]

    def plan(self, gamma: float) -> Plan:
        """The plan of one budget."""
        return self.plans[self.prices["gamma"].to_list().index(gamma)]

    @property
    def tables(self) -> dict[str, pl.DataFrame]:
        """Frames by the name of their table."""
        return {"plan_robust": self.prices, "plan_robust_rows": self.rows, "plan_robust_solver": self.solver}

    def __repr__(self) -> str:
        last = self.prices.row(-1, named=True)
        return f"RobustPlan({self.prices.height} budgets up to {last['gamma']:g}, which costs {last['share']:.2%} more)"


def robust(
    problem: Problem,
    uncertain: Sequence[Uncertain],
    gammas: Sequence[float],
    *,
    draws: int = 2000,
    seed: int = 0,
    options: SolverOptions | None = None,
    model: Model | None = None,
) -> RobustPlan:
    """The plan for each budget of uncertainty, what it costs more, and how often it would fail.

    Args:
        problem: the case; its objective is what is made small.
        uncertain: which coefficients, and how far they may be off.
        gammas: budgets, 0 or more; a row with fewer uncertain coefficients than that is protected against all of them.
        draws: of coefficients, uniform within their intervals and independent, with which each plan is tried out.
        seed: of the draws.
        options: of the solver.
        model: the problem's own model, where it is built already.

    Raises:
        InputError: blocks that are not there, shares or budgets that make no sense, rows that are equations.
    """
    _fail_if_bad_gammas(gammas, draws)
    made = build(problem) if model is None else model
    made = replace(made, problem=problem, program=made.program.aimed_at(problem.settings.objective))
    guard = protection(made.program, uncertain)
    book = Logbook(options)
    nominal = book.solve(made.program, "nominal")
    prices, details, plans = [], [], []
    for gamma in gammas:
        wide = protected(made.program, guard, gamma)
        answer = book.solve(wide, f"gamma {gamma:g}")
        plan = _plan(made, wide, answer, options)
        frame = _violations(made.program, guard, plan.solution.x, gamma, draws=draws, seed=seed)
        plans.append(plan)
        details.append(frame)
        prices.append(_price(gamma, answer, nominal, frame, draws))
    notes = [Note("plan-robust-independent", {})]
    if made.program.is_mixed:
        notes.append(Note("plan-values-within-gap", {}))
    return RobustPlan(pl.DataFrame(prices), pl.concat(details), book.frame, tuple(plans), tuple(notes))


def _fail_if_bad_gammas(gammas: Sequence[float], draws: int) -> None:
    out = [
        Finding("bad-argument", f"a budget is {g:g}", "argument gammas", "give 0 or more")
        for g in gammas
        if not (np.isfinite(g) and g >= 0)
    ]
    if not len(gammas):
        out.append(Finding("bad-argument", "there is no budget", "argument gammas", "give one or more, such as [0, 1, 2]"))
    if draws < 1:
        out.append(Finding("bad-argument", f"draws is {draws}", "argument draws", "give 1 or more"))
    fail_if_any(out, "the robust plan", InputError)


def _plan(made: Model, wide: Program, answer: Solution, options: SolverOptions | None) -> Plan:
    m, n = made.program.shape
    y = priced(wide, answer, options)
    x = answer.x[:n]
    mine = replace(answer, x=x, y=None, residuals=residuals(made.program, x, None))
    return plan_of(made, mine, duals=replace(mine, y=None if y is None else y[:m]))


def _violations(program: Program, guard: Protection, x: Floats, gamma: float, *, draws: int, seed: int) -> pl.DataFrame:
    """How often each protected row would be violated: the bound, and a simulation."""
    frequency = simulated(program, guard.rows, guard.deviation, x, draws=draws, seed=seed)
    counts = guard.counts
    starts = {name: start for name, (start, _, _) in program.rows.items()}
    return pl.DataFrame(
        {
            "gamma": [float(gamma)] * len(counts),
            "constraint": list(guard.names),
            "row": [int(r) - starts[b] for r, b in zip(guard.rows, guard.names, strict=True)],
            "n": counts,
            "bound": [violation_bound(int(c), min(gamma, int(c))) for c in counts],
            "frequency": frequency,
        }
    )


def _price(gamma: float, answer: Solution, nominal: Solution, frame: pl.DataFrame, draws: int) -> dict[str, Any]:
    more = answer.objective - nominal.objective
    return {
        "gamma": float(gamma),
        "objective": answer.objective,
        "price": more,
        "share": more / (abs(nominal.objective) or 1.0),
        "bound": frame["bound"].mean(),
        "largest_bound": frame["bound"].max(),
        "frequency": frame["frequency"].mean(),
        "largest_frequency": frame["frequency"].max(),
        "rows": frame.height,
        "draws": draws,
    }
