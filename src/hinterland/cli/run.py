"""``hinterland run``: everything the study file asks for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hinterland.cli import options
from hinterland.cli.output import INTERRUPTED, progress, say, write, write_document

if TYPE_CHECKING:
    from hinterland.study.record import Run


def run(
    study: options.MaybeStudy = None,
    *,
    out: Annotated[Path, typer.Option("-o", "--out", metavar="OUT", help="Folder of the run record.")] = Path("out"),
    only: Annotated[
        list[str] | None,
        typer.Option(
            "--only",
            metavar="KIND",
            help="Only these kinds of steps (evaluate, robustness, report, …) and what they build on; may be repeated.",
            show_default=False,
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Do every step again, also what is done and unchanged.")] = False,
    as_json: options.Json = False,
    data: options.Data = None,
    language: options.Languages = None,
) -> None:
    """Run a study and leave its record: tables, figures and the report. Goes on where an earlier run stopped."""
    from hinterland.study.runner import run as run_study

    loaded = options.load(study, data)
    try:
        with progress() as watch:
            made = run_study(loaded, out, only=only, force=force, languages=options.languages(language), watch=watch)
    except KeyboardInterrupt:
        say("interrupted: the steps that are finished are kept, and the same command goes on from there")
        raise typer.Exit(INTERRUPTED) from None
    _summarise(made)
    if as_json:
        write_document({"path": str(made.path), **made.record})
    else:
        write("".join(f"{path}\n" for path in made.reports or (made.path,)))


def _summarise(made: Run) -> None:
    """What was done, and the headline of each outcome, to stderr."""
    steps = made.record["steps"]
    cached = sum(1 for s in steps if s["status"] == "cached")
    say(f"{len(steps)} steps ({cached} unchanged since an earlier run), {len(made.tables)} tables in {made.path}")
    for finding in made.record["facts"].get("findings", ()):
        say(f"note: {finding['what']} ({finding['where']})")
    for step in steps:
        for warning in step.get("warnings", ()):
            say(f"{step['id']}: {warning}")
    if "models" not in made.tables or "effects" not in made.tables:
        return
    from hinterland.study.summary import headlines, recommended

    effects = made.effects
    for line in headlines(effects):
        say(line)
    if "recommendations" in made.tables:
        lead = effects.filter(role="headline", sample="all")
        for line in recommended(made.tables["recommendations"], dict(lead.select("outcome", "method").iter_rows())):
            say(line)
