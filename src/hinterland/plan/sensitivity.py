"""Which parameters matter: what their documented ranges do to the optimum, first by its derivative, then exactly for those that matter most."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import polars as pl

from hinterland.errors import Finding, InputError, did_you_mean
from hinterland.labels import Note
from hinterland.plan.entry import plan as solve_plan
from hinterland.plan.entry import unit_of, with_duals
from hinterland.plan.envelope import STEP, Optimum, derivative, optimum, same_structure
from hinterland.plan.model import Model, build
from hinterland.plan.problem import Problem
from hinterland.plan.provenance import Scope, named, scope
from hinterland.plan.result import Plan
from hinterland.plan.scaling import beyond, scalable, scaled
from hinterland.plan.solve import SolverOptions

__all__ = ["Sensitivities", "sensitivities"]


@dataclass(frozen=True, slots=True, eq=False)
class Sensitivities:
    """What the ranges of parameters do to a plan.

    Attributes:
        effects: parameter, of, basis, low, high, first_order_low, first_order_high, exact_low, exact_high, unit, status, beyond: change of the optimum, cost
            and price of falling short together, where the parameter, or its labels ``of``, is multiplied by ``low`` or ``high``; the largest effect first.
            Without labels it is all of the parameter that no other row names. ``status`` is ``scaled``, or why there is no first-order effect:
            ``whole-numbers-or-text``, ``absent`` from the case, ``unknown``, or ``structure-changes``. ``beyond`` says that a factor takes values out of the
            range that the schema allows.
        outputs: parameter, of, factor, output, region, base, value, change, unit: what moves to hosts in all, each host's capacity in the last year, and the price
            of falling short, where it was solved again.
        notes: what a reader must know.
    """

    effects: pl.DataFrame
    outputs: pl.DataFrame
    notes: tuple[Note, ...]

    @property
    def tables(self) -> dict[str, pl.DataFrame]:
        """Every frame by the name of its table."""
        return {"sensitivities_effects": self.effects, "sensitivities_outputs": self.outputs}

    def __repr__(self) -> str:
        known = self.effects.filter(pl.col("status") == "scaled")
        most = f"most by {named(*known.select('parameter', 'of').row(0))}" if known.height else "none scaled"
        again = self.outputs.select("parameter", "of").unique().height
        return f"Sensitivities({self.effects.height} parameters, {most}, {again} solved again)"


@dataclass(frozen=True, slots=True)
class _Range:
    """A parameter, or some labels of it, with its factors, and its derivative where it has one."""

    parameter: str
    of: str | None
    labels: Scope
    basis: str | None
    low: float
    high: float
    status: str
    slope: float | None = field(default=None)

    @property
    def name(self) -> str:
        """The row in one word: ``intensity:carbon``, or the parameter alone."""
        return named(self.parameter, self.of)

    def beyond(self, problem: Problem) -> bool:
        """Whether one of the factors takes values out of the schema's range."""
        return self.status == "scaled" and any(beyond(problem, self.parameter, f, self.labels) for f in (self.low, self.high))

    @property
    def largest(self) -> float:
        """The larger first-order effect; −1 where there is none."""
        return -1.0 if self.slope is None else max(abs(self.slope * (self.low - 1)), abs(self.slope * (self.high - 1)))


def sensitivities(
    plan: Plan, exact: int | Sequence[str] = 5, *, options: SolverOptions | None = None, executor: Executor | None = None
) -> Sensitivities:
    """What the ranges in the case's table of provenance do to the plan's optimum.

    The first-order effect is the derivative of the optimum (envelope theorem) times the change of the factor: two models are built for each parameter and
    none is solved. Whole decisions are held where they are.

    Args:
        plan: an optimal plan; its objective is what changes.
        exact: how many rows with the largest first-order effects are solved again at both ends of their range; or names of parameters, of which every row is
            meant, or of single rows such as ``intensity:carbon``.
        options: of the solver.
        executor: spreads the models and what is solved again.

    Raises:
        InputError: names in ``exact`` that have no range.
        SolverError: as :func:`hinterland.plan.solve.solve`.
    """
    ranges = _ranges(plan.problem)
    _fail_if_unknown(exact, list(dict.fromkeys(n for r in ranges for n in (r.parameter, r.name))))
    at = optimum(plan.model.program, plan.solution, with_duals(plan.model, plan.solution, options))
    run: Callable[..., Iterable[Any]] = map if executor is None else executor.map
    found = list(run(partial(_with_slope, plan.model, plan.objective, at), ranges))
    found.sort(key=lambda r: (-r.largest, r.name))
    chosen = [r for r in found if r.status in ("scaled", "structure-changes")]
    chosen = chosen[:exact] if isinstance(exact, int) else [r for r in chosen if {r.name, r.parameter} & set(exact)]
    tasks = [(r, f) for r in chosen for f in (r.low, r.high) if f != 1.0]
    solved = list(run(partial(_again, plan.model, plan.objective, options), tasks))
    ends = {(r.name, f): value - plan.solution.objective for (r, f), (value, _) in zip(tasks, solved, strict=True)}
    base = _outputs(plan)
    return Sensitivities(_effects(plan, found, ends), _changes(base, tasks, [o for _, o in solved]), _notes(plan, found))


def _ranges(problem: Problem) -> list[_Range]:
    """Every row of the table of provenance that has a low or a high factor; one that is not given is 1."""
    rows = problem.provenance.filter(pl.col("low").is_not_null() | pl.col("high").is_not_null()).unique(
        ["parameter", "of"], keep="first", maintain_order=True
    )
    known = {"not-a-parameter": "unknown", "not-a-number": "whole-numbers-or-text"}
    out = []
    for row in rows.iter_rows(named=True):
        low, high = (1.0 if row[k] is None else float(row[k]) for k in ("low", "high"))
        labels = scope(problem, row["parameter"], row["of"])
        status = scalable(problem, row["parameter"], labels)
        out.append(_Range(row["parameter"], row["of"], labels, row["basis"], low, high, known.get(status, status)))
    return out


def _fail_if_unknown(exact: int | Sequence[str], names: Sequence[str]) -> None:
    if isinstance(exact, int):
        return
    findings = [
        Finding("no-range", f"{n!r} has no range in the table provenance", "argument exact", did_you_mean(n, names))
        for n in exact
        if n not in names
    ]
    if findings:
        raise InputError(findings, "the sensitivities")


def _with_slope(model: Model, objective: str, at: Optimum, one: _Range) -> _Range:
    """The derivative of the optimum by the factor of one row."""
    if one.status != "scaled":
        return one
    below, above = (_scaled(model, one, f).program.aimed_at(objective) for f in (1 - STEP, 1 + STEP))
    if not (same_structure(below, at.program) and same_structure(above, at.program)):
        return replace(one, status="structure-changes")
    return replace(one, slope=derivative(at, below, above))


def _scaled(model: Model, one: _Range, factor: float) -> Model:
    """The model with what a row speaks of multiplied: only what reads it is built again."""
    return build(scaled(model.problem, one.parameter, factor, one.labels), like=model)


def _again(model: Model, objective: str, options: SolverOptions | None, task: tuple[_Range, float]) -> tuple[float, pl.DataFrame]:
    """The optimum and the outputs with a parameter multiplied."""
    one, factor = task
    made = _scaled(model, one, factor)
    found = solve_plan(made.problem, objective, options=options, model=made)
    return found.solution.objective, _outputs(found)


def _outputs(plan: Plan) -> pl.DataFrame:
    """Headline outputs of a plan: output, region, value, unit."""
    p = plan.problem
    hosts = [str(r) for r, h in zip(p.index["region"], p["host"].values, strict=True) if h]
    to_hosts = plan.flows.filter(pl.col("host").is_in(hosts))["value"].sum() if plan.flows.height else 0.0
    last = plan.capacity.filter((pl.col("year") == p.years[-1]) & pl.col("region").is_in(hosts))
    held = last.group_by("region").agg(value=pl.col("capacity").sum()).sort("region")
    short = plan.objectives.filter(pl.col("objective") == "shortfall")["value"][0]
    rows = [
        {"output": "moved", "region": None, "value": float(to_hosts), "unit": "100m-yuan"},
        *({"output": "capacity", "region": r, "value": float(v), "unit": "100m-yuan"} for r, v in held.iter_rows()),
        {"output": "shortfall", "region": None, "value": float(short), "unit": "100m-yuan"},
    ]
    return pl.DataFrame(rows, schema={"output": pl.String, "region": pl.String, "value": pl.Float64, "unit": pl.String})


def _effects(plan: Plan, found: Sequence[_Range], ends: dict[tuple[str, float], float]) -> pl.DataFrame:
    unit = unit_of(plan.model, plan.objective)
    solved = {name for name, _ in ends}

    def exact(r: _Range, factor: float) -> float | None:
        return ends.get((r.name, factor), 0.0 if r.name in solved else None)

    rows = [
        {
            "parameter": r.parameter,
            "of": r.of,
            "basis": r.basis,
            "low": r.low,
            "high": r.high,
            "first_order_low": None if r.slope is None else r.slope * (r.low - 1),
            "first_order_high": None if r.slope is None else r.slope * (r.high - 1),
            "exact_low": exact(r, r.low),
            "exact_high": exact(r, r.high),
            "unit": unit,
            "status": r.status,
            "beyond": r.beyond(plan.problem),
        }
        for r in found
    ]
    numbers = ("low", "high", "first_order_low", "first_order_high", "exact_low", "exact_high")
    text = ("unit", "status")
    schema: dict[str, Any] = {**dict.fromkeys(("parameter", "of", "basis"), pl.String), **dict.fromkeys(numbers, pl.Float64)}
    return pl.DataFrame(rows, schema=schema | dict.fromkeys(text, pl.String) | {"beyond": pl.Boolean})


def _changes(base: pl.DataFrame, tasks: Sequence[tuple[_Range, float]], outputs: Sequence[pl.DataFrame]) -> pl.DataFrame:
    text, numbers = ("output", "region"), ("base", "value")
    schema: dict[str, Any] = {"parameter": pl.String, "of": pl.String, "factor": pl.Float64}
    schema |= {**dict.fromkeys(text, pl.String), **dict.fromkeys(numbers, pl.Float64)}
    parts = [
        base.rename({"value": "base"})
        .join(found.drop("unit"), on=["output", "region"], how="left", nulls_equal=True, maintain_order="left")
        .with_columns(parameter=pl.lit(r.parameter), of=pl.lit(r.of, dtype=pl.String), factor=pl.lit(factor))
        .with_columns(change=pl.col("value") - pl.col("base"))
        for (r, factor), found in zip(tasks, outputs, strict=True)
    ]
    columns = [*schema, "change", "unit"]
    return pl.concat(parts).select(columns) if parts else pl.DataFrame(schema=schema | {"change": pl.Float64, "unit": pl.String})


def _notes(plan: Plan, found: Sequence[_Range]) -> tuple[Note, ...]:
    out = [Note("sensitivities-first-order", {})]
    lost = [r.name for r in found if r.status != "scaled"]
    if lost:
        out.append(Note("sensitivities-left-out", {"parameters": ", ".join(lost), "count": len(lost)}))
    wide = [r.name for r in found if r.beyond(plan.problem)]
    if wide:
        out.append(Note("sensitivities-beyond", {"parameters": ", ".join(wide)}))
    if plan.model.program.is_mixed:
        out.append(Note("sensitivities-whole", {}))
    if plan.status != "optimal":
        out.append(Note("sensitivities-not-optimal", {"status": plan.status}))
    return tuple(out)
