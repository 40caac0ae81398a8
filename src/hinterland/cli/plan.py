"""``hinterland plan``: the plan of a study, or of a case's folder; nothing written but what is asked for."""

from __future__ import annotations

import json
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hinterland.cli import options
from hinterland.cli.output import FOUND, fail_if_many, refuse, say, write_frame
from hinterland.errors import did_you_mean

if TYPE_CHECKING:
    import polars as pl

    from hinterland.plan.result import Plan

Case = Annotated[Path, typer.Argument(metavar="STUDY", help="The study file (TOML), or the folder of a planning case.", show_default=False)]


def plan(
    study: Case,
    *,
    part: Annotated[
        str,
        typer.Option(
            "--part", metavar="PART", help="pathway, first_moves, support_needed, restrictions, flows, capacity, shortfalls, duals, …"
        ),
    ] = "pathway",
    objective: Annotated[
        str | None,
        typer.Option(
            "--objective", metavar="NAME", help="cost, value-added, emissions, resilience, equity or self-sufficiency.", show_default=False
        ),
    ] = None,
    data: options.Data = None,
    as_json: options.Json = False,
    as_csv: options.Csv = False,
    file: options.File = None,
    language: options.Language = "en",
) -> None:
    """Plan: which industry, from where to where, when, with what support. Exit code 3 where the plan falls short of a constraint."""
    fail_if_many(json=as_json, csv=as_csv, output=file is not None)
    spoken = options.language(language)
    made = _made(study, data, objective)
    frames = _frames(made)
    if part not in frames:
        refuse("unknown-part", f"there is no part {part!r}", "--part", did_you_mean(part, frames))
    write_frame(frames[part], as_csv=as_csv, as_document=as_json, file=file, document=lambda: _document(made, frames, spoken))
    for finding in made.problem.findings:
        say(f"note: {finding.what} ({finding.where})")
    for sentence in made.explain(spoken):
        say(sentence)
    if made.shortfalls.height:
        raise typer.Exit(FOUND)


def _made(study: Path, data: Path | None, objective: str | None) -> Plan:
    """The plan of a folder of tables, or of a study."""
    from hinterland.plan.case import read_problem
    from hinterland.plan.entry import plan as solved

    if study.is_dir():
        return solved(read_problem(study), objective)
    from hinterland.study.pathway import solver_options
    from hinterland.study.provenance import input_files
    from hinterland.study.workspace import Workspace

    loaded = options.load(study, data)
    if loaded.study.plan is None:
        refuse("nothing-to-do", "the study plans nothing", loaded.name, "add a table [plan]")
    input_files(loaded)
    return solved(Workspace(loaded).problem, objective, options=solver_options(loaded.study))


def _frames(made: Plan) -> dict[str, pl.DataFrame]:
    """Every frame by its part: of the plan, and of what follows from it."""
    from hinterland.plan.advice import advice_frames

    return {name.removeprefix("plan_"): frame for name, frame in {**made.tables, **advice_frames(made)}.items()}


def _document(made: Plan, frames: dict[str, pl.DataFrame], language: options.Spoken) -> dict[str, Any]:
    """Every part, how it was found, and what it says in words."""
    return {
        "status": made.status,
        "gap": made.gap,
        "objective": made.objective,
        "solver": json.loads(
            json.dumps({k: None if isinstance(v, float) and not isfinite(v) else v for k, v in made.solver.items()}, default=str)
        ),
        "parts": {name: frame.to_dicts() for name, frame in frames.items()},
        "said": made.explain(language),
    }
