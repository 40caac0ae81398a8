"""The steps of a plan: the plan with what follows from it, and each further question about it, as tables of the record."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict

import polars as pl

from hinterland.errors import Finding
from hinterland.labels import Note
from hinterland.plan.advice import advice_frames
from hinterland.plan.result import Plan
from hinterland.plan.tables import PLAN_TABLES, shaped
from hinterland.plan.validate import checked
from hinterland.study.pathway import evidence_of, problem_to_solve, rules_of, scenarios_of, solver_options
from hinterland.study.planning import asked
from hinterland.study.step import Step, seed_of
from hinterland.study.steps.output import Output, notes_table, output
from hinterland.study.workspace import Workspace


def pathway(work: Workspace, step: Step) -> Output:
    """Every frame of the plan that has rows, what follows from it, how evidence changed it, its notes, and what reading the case found."""
    plan = work.pathway
    frames = {**plan.tables, **advice_frames(plan, work.pathway_without_roles)}
    if work.calibration is not None:
        frames |= work.calibration.tables
    parts = [*_parts(frames), ("notes", notes_table(step.id, (*plan.notes, validated(plan))))]
    findings = plan.problem.findings
    if findings:
        parts.append(("measure_findings", _findings("plan", findings)))
    return output(parts)


def validated(plan: Plan) -> Note:
    """What a second derivation of every rule from the plan's own tables finds: how many rows hold, or how many do not and by how much at most."""
    sheet = checked(plan, tolerance=TOLERANCE)
    broken = sheet.result()
    rows = sum(sheet.checked.values())
    if broken.is_empty():
        return Note("plan-rules-hold", {"rows": rows, "tolerance": TOLERANCE})
    worst = broken.row(0, named=True)
    values = {
        "rows": broken.height,
        "all": rows,
        "family": worst["family"],
        "constraint": worst["constraint"],
        "relative": worst["relative"],
    }
    return Note("plan-rules-broken", values)


TOLERANCE = 1e-6
"""Relative violation up to which a rule holds."""


def pareto(work: Workspace, step: Step) -> Output:
    """The front of objectives."""
    from hinterland.plan.pareto import pareto as front

    table = asked(work.study).pareto
    if table is None:
        return output([])
    options = solver_options(work.study)
    found = front(work.pathway, table.objectives, table.points, floors=dict(table.floors), hold=table.hold, options=options)
    points = found.points.join(_distinct(found.points), on="point")
    payoff = found.payoff.rename({"made_best": "other"})
    return output([*_parts({"plan_pareto": points, "plan_payoff": payoff}), ("notes", notes_table(step.id, found.notes))])


def _distinct(points: pl.DataFrame) -> pl.DataFrame:
    """Whether a point differs from all before it, by a millionth of the range of some objective."""
    wide = (
        points.filter(pl.col("share").is_not_null())
        .with_columns(pl.col("share").round(6))
        .pivot(on="objective", index="point", values="share")
    )
    shares = [c for c in wide.columns if c != "point"]
    return wide.select("point", distinct=pl.struct(shares).is_first_distinct())


def alternatives(work: Workspace, step: Step) -> Output:
    """Near-optimal alternatives."""
    from hinterland.plan.alternatives import alternatives as near

    table = asked(work.study).alternatives
    if table is None:
        return output([])
    chosen = list(table.groups) or None
    found = near(
        work.pathway,
        table.slack,
        groups=chosen,
        year=table.year,
        threshold=table.threshold,
        hold=table.hold,
        seconds=table.seconds,
        options=solver_options(work.study),
    )
    ranges = found.ranges.rename({"lowest": "low", "highest": "high", "class": "verdict"})
    return output([*_parts({"plan_alternatives": ranges}), ("notes", notes_table(step.id, found.notes))])


def sensitivity(work: Workspace, step: Step) -> Output:
    """What the ranges of parameters do."""
    from hinterland.plan.sensitivity import sensitivities

    table = asked(work.study).sensitivity
    if table is None:
        return output([])
    found = sensitivities(work.pathway, table.exact, options=solver_options(work.study))
    base = work.pathway.solution.objective
    ends = {
        f"{kind}_{end}": pl.col(f"{name}_{end}") + base
        for kind, name in (("first", "first_order"), ("exact", "exact"))
        for end in ("low", "high")
    }
    effects = found.effects.filter(pl.col("status") == "scaled").with_columns(**ends)
    return output([*_parts({"plan_sensitivity": effects}), ("notes", notes_table(step.id, found.notes))])


def scenarios(work: Workspace, step: Step) -> Output:
    """The plan under uncertainty: what knowing would be worth, and what thinking of it is."""
    from hinterland.plan.stochastic import stochastic

    found = stochastic(problem_to_solve(work), scenarios_of(work.study), options=solver_options(work.study), model=work.pathway.model)
    return output([*_parts(found.tables), ("notes", notes_table(step.id, found.notes))])


def continuity(work: Workspace, step: Step) -> Output:
    """The value of policy continuity."""
    from hinterland.plan.continuity_value import continuity_value

    found = continuity_value(problem_to_solve(work), scenarios_of(work.study), options=solver_options(work.study), model=work.pathway.model)
    return output([*_parts(found.tables), ("notes", notes_table(step.id, found.notes))])


def draws(work: Workspace, step: Step) -> Output:
    """Plans for draws of the estimates."""
    from hinterland.plan.calibration_draws import calibrated_draws

    table = asked(work.study).evidence
    if table is None:
        return output([])
    found = calibrated_draws(
        work.problem,
        evidence_of(work, table),
        rules_of(table),
        table.draws,
        seed=seed_of(work.study, step.id),
        elasticities=table.elasticities,
        options=solver_options(work.study),
    )
    return output([*_parts(found.tables), ("notes", notes_table(step.id, found.notes))])


def _findings(owner: str, findings: tuple[Finding, ...]) -> pl.DataFrame:
    """Findings as rows of the record."""
    return pl.DataFrame([{"measure": owner, **asdict(f)} for f in findings])


def _parts(frames: Mapping[str, pl.DataFrame]) -> Iterator[tuple[str, pl.DataFrame]]:
    """The frames that are tables of the record and have rows, in their columns."""
    yield from ((name, shaped(name, frame)) for name, frame in frames.items() if name in PLAN_TABLES and frame.height)
