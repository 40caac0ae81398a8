"""Planning year by year: each time a few years ahead are seen, a step of them is carried out, and the plan is made again.

A window is a part of the problem's programme. Years before it are done: capacity, infrastructure, people, agreements, what is kept of resources, and
what was decided and is not yet in service stand in the rows of the window as numbers. Years after it are not seen: their rows and columns are left out,
but for the terms of agreements, which bind beyond any window. Rows that speak of a phase count the years up to the end of the window.

What is left at the end of a window is worth what it would cost to have it for longer: capital is paid as it is used (:func:`hinterland.plan.costs.capital_charge`),
and a window is charged for its own years only, so that nothing is put off for want of years to come. A decision is open only if it comes into service
within the window, as in the whole plan.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl
import scipy.sparse as sp
from numpy.typing import NDArray

from hinterland.errors import Finding, InputError, SolverError
from hinterland.labels import Note
from hinterland.plan.costs import capital_charge
from hinterland.plan.entry import Plan, plan_of
from hinterland.plan.model import Model, build
from hinterland.plan.objectives import AIMS
from hinterland.plan.problem import Problem
from hinterland.plan.program import Floats, Program, residuals
from hinterland.plan.scenarios import TIMELESS, column_years, row_years
from hinterland.plan.solve import Solution, SolverOptions, solve

__all__ = ["RollingPlan", "rolling"]

AHEAD = ("terms",)
"""Blocks of rows that bind years after their own."""
CHARGED = {"greenfield": "capital", "move": "relocation", "investment": "infrastructure"}
"""Blocks of columns whose cost is a charge for years of use, and the part of the cost that holds it."""


@dataclass(frozen=True, slots=True, eq=False)
class RollingPlan:
    """What comes of planning a few years ahead at a time.

    Attributes:
        plan: the whole pathway that was carried out: feasible, its gap against the best with foresight; without prices, since no one programme made it.
        foresight: the plan of one who sees every year.
        windows: one row per window: first and last (year seen), done (last year carried out), status, method, seconds, objective (of the window), gap.
        values: measure (rolling, foresight, myopia), value, low, high, share (of foresight).
        notes: what a reader must know.
    """

    plan: Plan
    foresight: Plan
    windows: pl.DataFrame
    values: pl.DataFrame
    notes: tuple[Note, ...]

    def value(self, measure: str) -> float:
        """One of the values."""
        return float(self.values.filter(pl.col("measure") == measure)["value"][0])

    @property
    def tables(self) -> dict[str, pl.DataFrame]:
        """Frames by the name of their table."""
        return {"plan_windows": self.windows, "plan_rolling": self.values}

    def __repr__(self) -> str:
        return (
            f"RollingPlan({self.windows.height} windows, {self.value('rolling'):.6g}, {self.value('myopia'):.4g} more than with foresight)"
        )


def rolling(
    problem: Problem, window: int = 4, step: int = 1, *, options: SolverOptions | None = None, model: Model | None = None
) -> RollingPlan:
    """Plan ``window`` years ahead, carry ``step`` of them out, and plan again.

    Args:
        problem: the case; its objective is what is made small.
        window: years that are seen at a time. As many as there are makes it the plan with foresight.
        step: years that are carried out before the next plan.
        options: of the solver.
        model: the problem's own model, where it is built already.

    Raises:
        InputError: a window or a step that makes no sense.
        SolverError: a window has no answer, or the solver reached no end.
    """
    decided = [y for y, free in zip(problem.years, problem.decided, strict=True) if free]
    _fail_if_bad_window(window, step, len(decided))
    made = build(problem) if model is None else model
    made = replace(made, problem=problem, program=made.program.aimed_at(problem.settings.objective))
    x = np.zeros(made.program.shape[1])
    rows = []
    for first, last, done in spans(decided, window, step):
        answer, seconds = _carry_out(made, x, first, last, options)
        rows.append(_row(first, last, done, answer, seconds))
    whole = solve(made.program, options)
    return _result(made, x, pl.DataFrame(rows), whole, lead=_longest_lead(problem), window=window)


def spans(decided: list[int], window: int, step: int) -> Iterator[tuple[int, int, int]]:
    """First and last year of each window, and the last year carried out."""
    for at in range(0, len(decided), step):
        last = decided[min(at + window, len(decided)) - 1]
        done = decided[min(at + step, len(decided)) - 1]
        yield decided[at], last, done


def _fail_if_bad_window(window: int, step: int, years: int) -> None:
    out = []
    if not 1 <= window <= years:
        out.append(Finding("bad-argument", f"window is {window}", "argument window", f"give 1 to {years} years"))
    if not 1 <= step <= window:
        out.append(Finding("bad-argument", f"step is {step}", "argument step", f"give 1 to {window} years: no more than is seen"))
    if out:
        raise InputError(out, "the rolling plan")


def _carry_out(made: Model, x: Floats, first: int, last: int, options: SolverOptions | None) -> tuple[Solution, float]:
    """Solve a window and write its answer into ``x``, in place; years before ``first`` are as they are there."""
    started = time.perf_counter()
    part, open_ = windowed(made, x, first, last)
    answer = solve(part, options)
    if answer.status in ("infeasible", "unbounded"):
        raise SolverError(
            f"the window {first} to {last} is {answer.status}: what was carried out before leaves it no answer; see further ahead"
        )
    x[open_] = answer.x
    return answer, time.perf_counter() - started


def windowed(made: Model, x: Floats, first: int, last: int) -> tuple[Program, NDArray[np.int64]]:
    """The programme of the years from ``first`` to ``last``, and the columns of the whole that it holds.

    Args:
        made: the whole model.
        x: [n] values of the years before ``first``.
        first, last: years that are planned; observed years belong to the first window.
    """
    program = made.program
    years, when = column_years(made), row_years(made)
    start = _earliest(made, first)
    done, seen = years < start, (years <= last) | (years == TIMELESS)
    ahead = _ahead(made, (when >= 0) & (when <= last))
    open_ = np.flatnonzero((seen | ahead) & ~done)
    kept = sp.csr_array(program.matrix[:, open_])
    rows = np.flatnonzero((np.diff(kept.indptr) > 0) & ((when <= last) | (when == TIMELESS)))
    before = program.matrix @ np.where(done, x, 0.0)
    upper = np.where(_too_late(made, last), np.minimum(program.upper, np.maximum(program.lower, 0.0)), program.upper)
    part = Program(
        cost=np.where(ahead, 0.0, _costs(made, last))[open_],
        matrix=sp.csr_array(kept[rows]),
        row_lower=(program.row_lower - before)[rows],
        row_upper=(program.row_upper - before)[rows],
        lower=program.lower[open_],
        upper=upper[open_],
        integral=program.integral[open_],
        constant=0.0,
        columns={"all": (0, len(open_), (len(open_),))},
        rows={"all": (0, len(rows), (len(rows),))},
        objectives={},
        penalty=program.penalty[open_],
    )
    return part, open_.astype(np.int64)


def _earliest(made: Model, first: int) -> int:
    """The first year whose columns are open: observed years go with the first decided one."""
    problem = made.problem
    decided = [y for y, free in zip(problem.years, problem.decided, strict=True) if free]
    return problem.years[0] if first == decided[0] else first


def _ahead(made: Model, rows: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """[n] columns after their row's year in rows that bind ahead."""
    program = made.program
    out = np.zeros(program.shape[1], dtype=bool)
    last = int(row_years(made)[rows].max(initial=0))
    for name, (start, end, _) in program.rows.items():
        if name.split(":")[0] in AHEAD:
            mine = np.arange(start, end)[rows[start:end]]
            out[program.matrix[mine].indices] = True
    return np.asarray(out & (column_years(made) > last) & (column_years(made) != TIMELESS))


def _leads(made: Model) -> dict[str, NDArray[np.int64]]:
    """Years to service of each label of the first dimension that charged blocks vary by, in their shape."""
    p = made.problem
    of_cell = np.where(p.cells_where(region="host"), p.of_cells("lead").values, 0).astype(np.int64)
    out = {"greenfield": of_cell[:, None], "move": of_cell[p.links["arc.host"]][:, None]}
    if "investment" in made.program.columns:
        out["investment"] = p["kind_lead"].values.astype(np.int64)[None, :, None]
    return out


def _longest_lead(problem: Problem) -> int:
    """The most years from a decision to its service."""
    kinds = problem["kind_lead"].values
    return int(max(problem["lead"].values.max(initial=0), kinds.max(initial=0) if kinds.size else 0))


def _too_late(made: Model, last: int) -> NDArray[np.bool_]:
    """[n] decisions that do not come into service by ``last``."""
    out = np.zeros(made.program.shape[1], dtype=bool)
    years = column_years(made)
    decided = dict(zip(made.problem.years, made.problem.decided, strict=True))
    free = np.array([decided.get(int(y), False) for y in years])
    for name, lead in _leads(made).items():
        start, end, shape = made.program.columns[name]
        late = years[start:end].reshape(shape) + lead > last
        out[start:end] = late.ravel() & free[start:end]
    return out


def _costs(made: Model, last: int) -> Floats:
    """[n] costs with capital charged up to ``last`` only."""
    program, p = made.program, made.problem
    cost = program.cost.copy()
    if p.settings.objective != "cost" or last == p.years[-1]:
        return cost
    seen = np.where(np.asarray(p.years) <= last, p.weights.values, 0.0)
    wear = {"greenfield": p.of_cells("depreciation").values, "move": p.of_cells("depreciation").values[p.links["arc.host"]]}
    wear["investment"] = p["kind_depreciation"].values
    for name, lead in _leads(made).items():
        start, end, shape = program.columns[name]
        years = lead.ravel()
        whole = capital_charge(p.weights.values, wear[name], years, p.settings.discount)
        part = capital_charge(seen, wear[name], years, p.settings.discount)
        ratio = np.where(whole > 0, part / np.where(whole > 0, whole, 1.0), 1.0)
        charged = made.costs[CHARGED[name]][start:end].reshape(shape)
        cost[start:end] -= (charged * (1 - ratio)).ravel()
    return cost


def _row(first: int, last: int, done: int, answer: Solution, seconds: float) -> dict[str, Any]:
    return {
        "first": first,
        "last": last,
        "done": done,
        "status": answer.status,
        "method": answer.solver,
        "seconds": seconds,
        "objective": answer.objective,
        "gap": answer.gap,
        "primal_residual": answer.residuals.primal,
    }


def _result(made: Model, x: Floats, windows: pl.DataFrame, whole: Solution, *, lead: int, window: int) -> RollingPlan:
    program = made.program
    value = float(program.cost @ x)
    done = replace(
        whole, x=x, y=None, objective=value, gap=(value - whole.bound) / max(abs(value), 1e-9), residuals=residuals(program, x, None)
    )
    rows = {
        "rolling": (value, value, value),
        "foresight": (whole.objective, whole.bound, whole.objective),
        "myopia": (value - whole.objective, value - whole.objective, value - whole.bound),
    }
    size = abs(whole.objective) or 1.0
    values = pl.DataFrame(
        [
            {"measure": k, "value": v, "low": a, "high": b, "unit": AIMS[made.problem.settings.objective].unit, "share": v / size}
            for k, (v, a, b) in rows.items()
        ]
    )
    notes = [Note("plan-rolling", {"window": window})]
    if window <= lead:
        notes.append(Note("plan-window-short", {"window": window, "lead": lead}))
    carried = plan_of(made, replace(done, status="feasible"))
    carried = replace(carried, notes=tuple(n for n in carried.notes if n.code != "plan-not-proven"))
    return RollingPlan(carried, plan_of(made, whole), windows, values, tuple(notes))
