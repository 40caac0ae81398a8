"""``hinterland report``: write the report of a run again, from its record."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hinterland.cli import options
from hinterland.cli.output import write


def report(
    out: Annotated[Path, typer.Argument(metavar="OUT_DIR", help="Folder of a finished run.", show_default=False)],
    language: options.Languages = None,
    formats: Annotated[
        str | None,
        typer.Option(
            "--formats", metavar="html,docx,pdf", help="Formats, separated by commas; the study's by default.", show_default=False
        ),
    ] = None,
) -> None:
    """Write the report again from the record alone: other languages, other formats, no estimation."""
    from hinterland.study.rebuild import rebuild_report

    chosen = None if formats is None else tuple(part.strip() for part in formats.split(",") if part.strip())
    written = rebuild_report(out, options.languages(language), chosen)
    write("".join(f"{out / name}\n" for name in written if name.startswith("report")))
