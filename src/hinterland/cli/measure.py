"""``hinterland measure``: the indicators of a study, or one indicator of a table; nothing written but what is asked for."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hinterland.cli import options
from hinterland.cli.output import fail_if_many, progress, refuse, say, write_frame

if TYPE_CHECKING:
    import polars as pl

    from hinterland.measure.result import Measure


def measure(
    source: Annotated[
        Path | None,
        typer.Argument(
            metavar="STUDY|TABLE",
            help="A study file (TOML), or with --indicator a table; the packaged demonstration study without one.",
            show_default=False,
        ),
    ] = None,
    *,
    name: Annotated[
        list[str] | None,
        typer.Option("--name", metavar="NAME", help="Only this measure of the study; may be repeated.", show_default=False),
    ] = None,
    indicator: Annotated[
        str | None, typer.Option("--indicator", metavar="ID", help="Measure this indicator of a table.", show_default=False)
    ] = None,
    column: Annotated[
        list[str] | None,
        typer.Option("--column", metavar="ROLE=NAME", help="With --indicator: which column has which role; repeated.", show_default=False),
    ] = None,
    parameter: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="With --indicator: a choice of the formula; may be repeated.", show_default=False),
    ] = None,
    complete: Annotated[bool, typer.Option("--complete", help="With --indicator: an absent row is a true zero.")] = False,
    data: options.Data = None,
    as_json: options.Json = False,
    as_csv: options.Csv = False,
    file: options.File = None,
    language: options.Language = "en",
) -> None:
    """Measure: values with how many observations they rest on, and the reason where there is none."""
    fail_if_many(json=as_json, csv=as_csv, output=file is not None)
    spoken = options.language(language)
    _fail_if_mixed(indicator, name, column, parameter, complete=complete)
    if indicator is None:
        found = _of_study(source, data, name or [])
    else:
        found = {indicator: _of_table(source, indicator, column or [], parameter or [], complete=complete)}
    frame = _together(found, study=indicator is None)
    write_frame(frame, as_csv=as_csv, as_document=as_json, file=file, document=lambda: [_document(n, m, spoken) for n, m in found.items()])
    for label, result in found.items():
        for finding in result.findings:
            say(f"note: {label}: {finding.what} ({finding.where})")
        for note in result.notes:
            say(f"note: {label}: {note.text(spoken)}")


def _fail_if_mixed(indicator: str | None, name: Any, column: Any, parameter: Any, *, complete: bool) -> None:
    if indicator is None and (column or parameter or complete):
        refuse(
            "needs-indicator", "--column, --set and --complete go with --indicator", "options", "add --indicator ID, or write a study file"
        )
    if indicator is not None and name:
        refuse("study-only", "--name goes with a study file", "options", "leave --name or --indicator out")


def _of_study(source: Path | None, data: Path | None, names: list[str]) -> dict[str, Measure]:
    from hinterland.errors import did_you_mean
    from hinterland.study.measuring import measures_used
    from hinterland.study.provenance import input_files
    from hinterland.study.workspace import Workspace

    loaded = options.load(source, data)
    known = loaded.study.measure
    if not known:
        refuse("nothing-to-do", "the study has no measure", loaded.name, "add a table [measure.NAME]")
    for wanted in names:
        if wanted not in known:
            refuse("unknown-measure", f"the study has no measure {wanted!r}", "--name", did_you_mean(wanted, known))
    input_files(loaded)
    work = Workspace(loaded)
    chosen = names or list(known)
    with progress() as watch:
        for number, wanted in enumerate(chosen):
            if watch is not None:
                watch(wanted, number, len(chosen))
            for used in (*measures_used(known[wanted]), wanted):
                work.measured(used)
    return {wanted: work.measured(wanted) for wanted in chosen}


def _of_table(source: Path | None, indicator: str, columns: Iterable[str], parameters: Iterable[str], *, complete: bool) -> Measure:
    from hinterland.measure.entry import measure as compute

    if source is None:
        refuse("missing-argument", "no table was named", "argument STUDY|TABLE", "name a file: .csv .xlsx .dta .parquet")
    given: dict[str, Any] = dict(_pair(text, "--column") for text in columns)
    given |= {k: _value(v) for k, v in (_pair(text, "--set") for text in parameters)}
    return compute(indicator, source, complete=complete, **given)


def _pair(text: str, option: str) -> tuple[str, str]:
    left, equals, right = text.partition("=")
    if not equals or not left.strip() or not right.strip():
        refuse("bad-pair", f"{option} is {text!r}", option, "write NAME=VALUE")
    return left.strip(), right.strip()


def _value(text: str) -> Any:
    """A value as JSON where it is JSON (2, 0.5, true, [1, 2]), as text where it is not."""
    try:
        found = json.loads(text)
    except ValueError:
        return text
    return tuple(found) if isinstance(found, list) else found


def _together(found: dict[str, Measure], *, study: bool) -> pl.DataFrame:
    import polars as pl

    if not study:
        return next(iter(found.values())).frame
    parts = [
        m.frame.with_columns(pl.lit(name).alias("measure")).select("measure", pl.all().exclude("measure")) for name, m in found.items()
    ]
    return pl.concat(parts, how="diagonal_relaxed")


def _document(name: str, found: Measure, language: options.Spoken) -> dict[str, Any]:
    from dataclasses import asdict

    from hinterland.measure.register import INDICATORS

    return {
        "measure": name,
        "indicator": found.id,
        "name": INDICATORS[found.id].name(language),
        "meta": dict(found.meta),
        "values": found.frame.to_dicts(),
        "findings": [asdict(f) for f in found.findings],
        "notes": [n.text(language) for n in found.notes],
    }
