"""``hinterland explain``: what a method, an option, a key of the study file, a word or a code means."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from hinterland.cli import options
from hinterland.cli.output import refuse, write, write_document

if TYPE_CHECKING:
    from hinterland.study.glossary import Entry

_TITLES = {
    "indicator": ("Indicators", "指标"),
    "parameter": ("Parameters of indicators", "指标的参数"),
    "method": ("Estimators", "估计方法"),
    "option": ("Options of estimators", "估计方法的选项"),
    "study-key": ("Keys of the study file", "研究文件的键"),
    "word": ("Words", "术语"),
    "note": ("Notes of results", "结果附注"),
    "finding": ("Codes of findings", "问题代码"),
    "not-available-yet": ("Not available in this version", "本版本尚不支持"),
}


def explain(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="ID",
            help="What to explain: callaway-santanna, panel.years, parallel-trends, …; a list of everything without it.",
            show_default=False,
        ),
    ] = None,
    schema: Annotated[bool, typer.Option("--schema", help="With ID study: the JSON Schema of the study file, for editors.")] = False,
    as_json: options.Json = False,
    language: options.Language = "en",
) -> None:
    """Explain a method, an option, a key of the study file, a word, or the code of a note or finding."""
    spoken = options.language(language)
    if schema:
        _schema(name)
        return
    from hinterland.study import glossary

    found = glossary.entries(spoken) if name is None else glossary.explain(name, spoken)
    if as_json:
        write_document([asdict(e) for e in found])
    elif name is None:
        write(_index(found, spoken))
    else:
        write("\n".join(f"{e.id} ({e.name or e.kind})\n{_indented(e.text)}" for e in found) + "\n")


def _schema(name: str | None) -> None:
    if name != "study":
        refuse("schema-of-study", f"--schema is given with ID {name!r}", "options", "write: hinterland explain study --schema")
    from hinterland.study.schema import json_schema

    write_document(json_schema())


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines())


def _index(found: tuple[Entry, ...], language: options.Spoken) -> str:
    lines = []
    for kind, titles in _TITLES.items():
        names = [f"{e.id}  {e.name}".rstrip() for e in found if e.kind == kind]
        if names:
            lines += [titles[language == "zh"], *(f"    {n}" for n in names), ""]
    return "\n".join(lines)
