"""Options that several verbs share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, cast

import typer

from hinterland.cli.output import refuse
from hinterland.errors import did_you_mean

if TYPE_CHECKING:
    from hinterland.study.load import LoadedStudy

Study = Annotated[Path, typer.Argument(metavar="STUDY", help="The study file (TOML).", show_default=False)]
MaybeStudy = Annotated[
    Path | None,
    typer.Argument(metavar="STUDY", help="The study file (TOML); the packaged demonstration study without one.", show_default=False),
]
Data = Annotated[
    Path | None,
    typer.Option(
        "--data",
        metavar="DIR",
        envvar="HINTERLAND_DATA",
        help="Folder of the study's data files; the study file's own by default.",
        show_default=False,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="One JSON document to stdout.")]
Csv = Annotated[bool, typer.Option("--csv", help="CSV to stdout.")]
File = Annotated[
    Path | None,
    typer.Option(
        "-o", "--output", metavar="FILE", help="Write to FILE; its suffix (.csv, .parquet, .json) is the format.", show_default=False
    ),
]
Languages = Annotated[
    str | None, typer.Option("--language", metavar="en|zh|both", help="Language of the report; the study's by default.", show_default=False)
]
Language = Annotated[str, typer.Option("--language", metavar="en|zh", help="Language of the texts.")]

Spoken = Literal["en", "zh"]


def load(study: Path | None, data: Path | None) -> LoadedStudy:
    """Read and check a study file; the folder of --data must exist."""
    from hinterland.study.load import load_study

    if data is not None and not data.is_dir():
        refuse(
            "missing-folder",
            f"there is no folder {str(data)!r}",
            "--data (or HINTERLAND_DATA)",
            "name the folder of the study's data files",
        )
    return load_study(study, data)


def languages(text: str | None) -> tuple[Spoken, ...] | None:
    """``both`` and lists as languages; ``None`` as it is."""
    if text is None:
        return None
    parts = ["en", "zh"] if text == "both" else [p.strip() for p in text.split(",")]
    for part in parts:
        if part not in {"en", "zh"}:
            refuse("unknown-language", f"the language {part!r} is not known", "--language", did_you_mean(part, ("en", "zh", "both")))
    return cast("tuple[Spoken, ...]", tuple(parts))


def language(text: str) -> Spoken:
    """One language."""
    found = languages(text)
    if found is None or len(found) != 1:
        refuse("unknown-language", f"the language is {text!r}", "--language", "give en or zh")
    return found[0]
