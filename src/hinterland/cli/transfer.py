"""``hinterland transfer``: the transfer analysis of a study; nothing written but what is asked for."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hinterland.cli import options
from hinterland.cli.output import fail_if_many, refuse, say, write_frame
from hinterland.errors import did_you_mean

if TYPE_CHECKING:
    from hinterland.transfer.result import Transfer


def transfer(
    study: options.Study,
    *,
    part: Annotated[
        str,
        typer.Option(
            "--part",
            metavar="PART",
            help="scale, structure, sources, flows, reception, pattern, drivers, constraints, selection, phases, security or paths.",
        ),
    ] = "scale",
    data: options.Data = None,
    as_json: options.Json = False,
    as_csv: options.Csv = False,
    file: options.File = None,
    language: options.Language = "en",
) -> None:
    """Analyse transfer: how much moved, of which kind, from where to where, in which mode, and what could come next."""
    from hinterland.study.provenance import input_files
    from hinterland.study.workspace import Workspace
    from hinterland.transfer.result import FRAMES

    fail_if_many(json=as_json, csv=as_csv, output=file is not None)
    spoken = options.language(language)
    if part not in FRAMES:
        refuse("unknown-part", f"there is no part {part!r}", "--part", did_you_mean(part, FRAMES))
    loaded = options.load(study, data)
    if loaded.study.transfer is None:
        refuse("nothing-to-do", "the study has no transfer analysis", loaded.name, "add a table [transfer]")
    input_files(loaded)
    found = Workspace(loaded).transferred
    write_frame(getattr(found, part), as_csv=as_csv, as_document=as_json, file=file, document=lambda: _document(found, spoken))
    for finding in found.findings:
        say(f"note: {finding.what} ({finding.where})")
    for note in found.notes:
        say(f"note: {note.text(spoken)}")


def _document(found: Transfer, language: options.Spoken) -> dict[str, Any]:
    """Every part, what is known of the inputs, and the notes in words."""
    return {
        "parts": {name.removeprefix("transfer_"): frame.to_dicts() for name, frame in found.tables.items()},
        "meta": json.loads(json.dumps(dict(found.meta), default=str)),
        "notes": [note.text(language) for note in found.notes],
    }
