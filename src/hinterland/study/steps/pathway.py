"""The steps of a plan: the plan with what follows from it, as tables of the record."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict

import polars as pl

from hinterland.errors import Finding
from hinterland.plan.advice import advice_frames
from hinterland.plan.tables import PLAN_TABLES, shaped
from hinterland.study.step import Step
from hinterland.study.steps.output import Output, notes_table, output
from hinterland.study.workspace import Workspace


def pathway(work: Workspace, step: Step) -> Output:
    """Every frame of the plan that has rows, what follows from it, its notes, and what reading the case found."""
    plan = work.pathway
    frames = {**plan.tables, **advice_frames(plan, work.pathway_without_roles)}
    parts = [(name, shaped(name, frame)) for name, frame in frames.items() if frame.height]
    parts.append(("notes", notes_table(step.id, plan.notes)))
    if plan.problem.findings:
        parts.append(("measure_findings", findings_table("plan", plan.problem.findings)))
    return output(parts)


def findings_table(owner: str, findings: tuple[Finding, ...]) -> pl.DataFrame:
    """Findings as rows of the record."""
    return pl.DataFrame([{"measure": owner, **asdict(f)} for f in findings])


def plan_parts(frames: dict[str, pl.DataFrame]) -> Iterator[tuple[str, pl.DataFrame]]:
    """The frames that are tables of the record and have rows, shaped."""
    yield from ((name, shaped(name, frame)) for name, frame in frames.items() if name in PLAN_TABLES and frame.height)
