"""One call from a problem to a plan."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl

from hinterland.errors import Finding, InputError, SolverError, did_you_mean
from hinterland.labels import Note
from hinterland.plan import frames
from hinterland.plan.model import Model, build
from hinterland.plan.objectives import AIMS
from hinterland.plan.problem import Problem
from hinterland.plan.program import Floats, tightened
from hinterland.plan.provenance import illustrative
from hinterland.plan.result import Plan
from hinterland.plan.settings import OBJECTIVES
from hinterland.plan.solve import Solution, SolverOptions, solve

__all__ = ["Plan", "plan"]

NOISE = 1e-6
"""Amounts below this part of the largest of their block are rounding of the solver, and are no rows of moves, trade and support.

An answer that is no vertex leaves amounts above it that nobody decided; the frames keep them, and :mod:`hinterland.plan.specks` says what is shown.
"""


def plan(problem: Problem, objective: str | None = None, *, options: SolverOptions | None = None, model: Model | None = None) -> Plan:
    """The plan that makes an objective best.

    Args:
        problem: the case (:func:`hinterland.read_problem`).
        objective: ``cost``, ``value-added``, ``emissions``, ``resilience``, ``equity`` or ``self-sufficiency``; the case's by default.
        options: of the solver.
        model: the built model, where several plans are made of one problem.

    Raises:
        InputError: an objective that does not exist, or that the case's tables do not allow.
        SolverError: the solver did not do what it was asked for, or reached no end.
    """
    aim = problem.settings.objective if objective is None else objective
    if aim not in OBJECTIVES:
        raise InputError(
            Finding("unknown-objective", f"there is no objective {aim!r}", "argument objective", did_you_mean(aim, OBJECTIVES)), "the plan"
        )
    problem = problem.with_settings(objective=aim)
    made = build(problem) if model is None else model
    program = made.program.aimed_at(aim)
    made = replace(made, problem=problem, program=program)
    answer = solve(program, options)
    if answer.status in ("infeasible", "unbounded"):
        raise SolverError(
            f"the plan is {answer.status} although every resource may give way: hard rows contradict each other; see the notes on hard constraints"
        )
    return plan_of(made, answer, duals=with_duals(made, answer, options))


def with_duals(made: Model, answer: Solution, options: SolverOptions | None) -> Solution:
    """The solution whose duals are reported: with whole variables held where they are, since prices have no other meaning there."""
    if answer.y is not None:
        return answer
    x = np.where(made.program.integral, np.round(answer.x), answer.x)
    whole = made.program.integral
    held = replace(made.program.relaxed(), lower=np.where(whole, x, made.program.lower), upper=np.where(whole, x, made.program.upper))
    return solve(held, options)


def plan_of(made: Model, answer: Solution, duals: Solution | None = None) -> Plan:
    """A plan of a solution."""
    x = tightened(made.program, answer.x)

    def of(name: str) -> pl.DataFrame:
        return frames.block(made, name, x)

    cell_year = ("region", "industry", "year")
    return Plan(
        status=answer.status,
        gap=answer.gap,
        objective=made.problem.settings.objective,
        objectives=objective_values(made, x),
        costs=pl.DataFrame(
            [{"part": k, "value": float(v @ x)} for k, v in sorted(made.costs.items())], schema={"part": pl.String, "value": pl.Float64}
        ),
        flows=_positive(of("move")),
        capacity=frames.joined(
            {n: of(n) for n in ("capacity", "output", "greenfield", "arrivals", "departures", "unexplained")}, cell_year
        ),
        trade=_positive(of("trade")),
        abroad=_abroad(made, x),
        support=_positive(of("support")),
        infrastructure=frames.joined({n: of(n) for n in ("investment", "service")}, ("region", "kind", "year")),
        people=frames.joined({n: of(n) for n in ("people", "migrants", "trained")}, ("region", "skill", "year")),
        resources=_resources(made, x),
        money=frames.joined({n: of(n) for n in ("levy", "compensation")}, ("region", "year")),
        enclaves=frames.joined({n: of(n) for n in ("active", "started", "shared")}, ("enclave", "year")),
        sizes=frames.joined({n: of(n) for n in ("filled", "reached")}, ("region", "industry", "segment", "year")),
        shortfalls=_shortfalls(made, x),
        duals=_prices(made, duals or answer),
        solver=_solver(answer),
        notes=_notes(made, answer),
        problem=made.problem,
        model=made,
        solution=answer,
    )


def _positive(frame: pl.DataFrame) -> pl.DataFrame:
    """Rows with an amount that is more than rounding."""
    if not frame.height:
        return frame
    return frame.filter(pl.col("value") > NOISE * max(1.0, float(frame["value"].max())))  # type: ignore[arg-type]


def objective_values(made: Model, x: Floats) -> pl.DataFrame:
    """Value, unit and direction of every objective, and the price of falling short, of a tightened vector [n]."""
    rows: list[dict[str, Any]] = [
        {
            "objective": name,
            "value": AIMS[name].sign * float(c @ x),
            "unit": unit_of(made, name),
            "better": "less" if AIMS[name].sign > 0 else "more",
        }
        for name, c in made.program.objectives.items()
    ]
    rows.append({"objective": "shortfall", "value": float(made.program.penalty @ x), "unit": "100m-yuan", "better": "less"})
    return pl.DataFrame(rows)


def unit_of(made: Model, name: str) -> str:
    """The unit of an objective: of emissions, that of their resource."""
    emissions = f"use:{made.problem.settings.emissions}"
    return made.columns[emissions].unit if name == "emissions" and emissions in made.columns else AIMS[name].unit


def _abroad(made: Model, x: Floats) -> pl.DataFrame:
    keys = ("region", "industry", "market", "year")
    imports, exports = frames.block(made, "imports", x), frames.block(made, "exports", x)
    parts = []
    if imports.height:
        parts.append(imports.rename({"value": "imports"}).with_columns(market=pl.lit(None, dtype=pl.String), exports=pl.lit(0.0)))
    if exports.height:
        parts.append(exports.rename({"value": "exports"}).with_columns(imports=pl.lit(0.0)))
    schema = {
        "region": pl.String,
        "industry": pl.String,
        "market": pl.String,
        "year": pl.Int64,
        "imports": pl.Float64,
        "exports": pl.Float64,
    }
    if not parts:
        return pl.DataFrame(schema=schema)
    return pl.concat([p.select(*keys, "imports", "exports") for p in parts]).sort(*keys)


def _resources(made: Model, x: Floats) -> pl.DataFrame:
    parts = []
    for resource in made.problem.index["resource"]:
        blocks = {"used": frames.block(made, f"use:{resource}", x), "banked": frames.block(made, f"bank:{resource}", x)}
        found = frames.joined(blocks, ("region", "year"))
        unit = made.columns[f"use:{resource}"].unit
        parts.append(found.with_columns(resource=pl.lit(str(resource)), unit=pl.lit(unit)))
    schema = {"region": pl.String, "resource": pl.String, "year": pl.Int64, "used": pl.Float64, "banked": pl.Float64, "unit": pl.String}
    return pl.concat(parts).select(*schema) if parts else pl.DataFrame(schema=schema)


def _shortfalls(made: Model, x: Floats) -> pl.DataFrame:
    """Every slack that is more than rounding of what its row is about."""
    parts = []
    for name, row in made.rows.items():
        for short in row.short:
            found = frames.block(made, short, x)
            size = NOISE * max(1.0, float(np.abs(_sides(made, name)).max(initial=0.0)))
            found = found.filter(pl.col("value") > size)
            side = short.split(":", 1)[0]
            parts.append(_placed(found, name, row.family, row.unit).with_columns(side=pl.lit(side)))
    schema = _schema() | {"side": pl.String}
    return pl.concat(parts, how="diagonal").select(*schema) if parts else pl.DataFrame(schema=schema)


def _sides(made: Model, name: str) -> Floats:
    start, end, _ = made.program.rows[name]
    sides = np.concatenate([made.program.row_lower[start:end], made.program.row_upper[start:end]])
    return np.asarray(sides[np.isfinite(sides)])


def _prices(made: Model, answer: Solution) -> pl.DataFrame:
    """Duals of rows that bind."""
    if answer.y is None:
        return pl.DataFrame(schema=_schema() | {"price": pl.Float64})
    parts = []
    for name, row in made.rows.items():
        values = made.program.row(name, answer.y)
        found = (
            frames.labelled(made.problem, made.labels[f"row:{name}"], values) if values.shape else pl.DataFrame({"value": [float(values)]})
        )
        size = NOISE * max(1.0, float(np.abs(answer.y).max(initial=0.0)) * 1e-3)
        parts.append(_placed(found.filter(pl.col("value").abs() > size), name, row.family, row.unit))
    out = pl.concat(parts, how="diagonal").select(*_schema())
    return out.with_columns(price=pl.col("value").abs())


def _schema() -> dict[str, Any]:
    text = {"constraint": pl.String(), "family": pl.String(), **dict.fromkeys(frames.PLACES, pl.String())}
    return text | {"year": pl.Int64(), "value": pl.Float64(), "unit": pl.String()}


def _placed(found: pl.DataFrame, name: str, family: str, unit: str) -> pl.DataFrame:
    schema = _schema()
    have = [c for c in found.columns if c in schema]
    rows = found.select(pl.col(c).cast(schema[c]) for c in have)
    rows = rows.with_columns(pl.lit(name).alias("constraint"), pl.lit(family).alias("family"), pl.lit(unit).alias("unit"))
    return rows.with_columns(pl.lit(None, dtype=t).alias(c) for c, t in schema.items() if c not in rows.columns).select(*schema)


def _solver(answer: Solution) -> dict[str, Any]:
    r = answer.residuals
    return {
        "solver": f"HiGHS {answer.version}",
        "answered": answer.solver,
        "attempts": [{"method": a.method, "status": a.status, "seconds": a.seconds, "iterations": a.iterations} for a in answer.attempts],
        "vertex": answer.crossover,
        "objective": answer.objective,
        "bound": answer.bound,
        "gap": answer.gap,
        "primal_residual": r.primal,
        "dual_residual": r.dual,
        "duality_gap": r.gap,
        "integrality": r.integral,
    }


def _notes(made: Model, answer: Solution) -> tuple[Note, ...]:
    p = made.problem
    out = []
    observed = [y for y, free in zip(p.years, p.decided, strict=True) if not free]
    if observed:
        out.append(Note("plan-observed-years", {"first": observed[0], "last": observed[-1]}))
    marked = illustrative(p.provenance)
    if marked:
        out.append(Note("plan-illustrative", {"parameters": ", ".join(marked), "count": len(marked)}))
    short = float(made.program.penalty @ answer.x)
    if short > NOISE * max(1.0, 1e-3 * abs(answer.objective)):
        out.append(Note("plan-shortfalls", {"penalty": short}))
    if p.settings.off:
        out.append(Note("plan-off", {"families": ", ".join(p.settings.off)}))
    if not answer.crossover:
        out.append(Note("plan-interior", {}))
    if answer.status == "feasible":
        out.append(Note("plan-not-proven", {"gap": answer.gap}) if np.isfinite(answer.gap) else Note("plan-without-bound", {}))
    return tuple(out)
