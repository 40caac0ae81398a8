"""Measures of a study: from its raw tables to values, and from values to columns of the panel."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from hinterland.data.panel import Column, Panel
from hinterland.errors import Finding, InputError, StudyError, did_you_mean, fail_if_any
from hinterland.measure.entry import measure
from hinterland.measure.register import INDICATORS
from hinterland.measure.result import Measure
from hinterland.study.schema_measure import MeasureJoinTable, MeasureTable

if TYPE_CHECKING:
    from hinterland.study.workspace import Workspace

_ROW, _ONE = "·row", "·one"


def measured(work: Workspace, name: str) -> Measure:
    """The values of one measure. Raises :class:`~hinterland.InputError` with every problem, each with the measure's name."""
    table = work.study.measure[name]
    try:
        frame = source_table(work, name)
        return measure(
            table.indicator,
            frame,
            state=table.state,
            suppressed=table.suppressed,
            complete=table.complete,
            on_negative=table.on_negative,
            min_coverage=float(table.min_coverage),
            **dict(table.columns),
            **_parameters(work, table),
        )
    except InputError as error:
        raise StudyError([_placed(work, name, f) for f in error.findings], f"measure {name}") from error


def _placed(work: Workspace, name: str, finding: Finding) -> Finding:
    """The finding, where the study asks for the measure."""
    line = work.loaded.where("measure", name)
    return finding if finding.where.startswith(line) else replace(finding, where=f"{line}: {finding.where}")


def _parameters(work: Workspace, table: MeasureTable) -> dict[str, Any]:
    """Parameters as the indicator takes them: names of tables as tables."""
    known = INDICATORS[table.indicator].parameters
    return {k: named_table(work, str(v)) if known[k].table and is_source(v) else v for k, v in table.parameters.items()}


def is_source(value: object) -> bool:
    """Whether a parameter's value names a table that the study brings: an input of the world, a measure, or a file (it has a suffix)."""
    return isinstance(value, str) and (value.startswith(("world:", "measure:")) or bool(Path(value).suffix))


def source_table(work: Workspace, name: str) -> pl.DataFrame:
    """The raw table of a measure: read, renamed, joined, derived, filtered."""
    table = work.study.measure[name]
    frame = named_table(work, table.source, table)
    if table.rename:
        _fail_if_unknown(frame, table.rename, f"measure.{name}.rename")
        frame = frame.rename(dict(table.rename))
    for i, join in enumerate(table.join):
        frame = _joined(work, frame, join, f"measure.{name}.join[{i + 1}]")
    if table.derive:
        frame = _derived(frame, table.derive)
    return frame if table.where is None else filtered(frame, table.where)


def named_table(work: Workspace, source: str, table: MeasureTable | None = None) -> pl.DataFrame:
    """The table that ``source`` names: a file, an input of the world, the panel, or the values of a measure."""
    kind, _, rest = source.partition(":")
    if source == "panel":
        return work.raw_panel.frame
    if kind == "world" and work.world is not None:
        return work.world.input(rest)
    if kind == "measure":
        return work.measured(rest).frame
    from hinterland.data.readers import read_numbers

    path = work.path(source)
    if table is None:
        return read_numbers(path)
    return read_numbers(path, encoding=table.encoding, sheet=table.sheet, missing=table.missing, keep=table.suppressed)


def _joined(work: Workspace, frame: pl.DataFrame, join: MeasureJoinTable, where: str) -> pl.DataFrame:
    other = named_table(work, join.source)
    if join.where is not None:
        other = filtered(other, join.where)
    _fail_if_unknown(other, (*join.on, *join.columns), f"{where} (of {join.source})")
    _fail_if_unknown(frame, join.on.values(), where)
    taken = [new for new in join.columns.values() if new in frame.columns]
    fail_if_any(
        [Finding("column-taken", f"the table already has a column {n!r}", where, "join it under another name") for n in taken],
        "measure",
        StudyError,
    )
    keys = {theirs: f"·{i}" for i, theirs in enumerate(join.on)}
    right = other.select(
        *(pl.col(theirs).cast(pl.String).alias(k) for theirs, k in keys.items()), *(pl.col(o).alias(n) for o, n in join.columns.items())
    )
    twice = right.select(keys.values()).is_duplicated()
    if twice.any():
        what = f"{int(twice.sum())} rows of {join.source} share their keys with another row"
        raise StudyError(
            Finding("duplicate-cell", what, where, "name the columns that tell them apart in on, or filter with where"), "measure"
        )
    left = frame.with_columns(pl.col(ours).cast(pl.String).alias(keys[theirs]) for theirs, ours in join.on.items())
    return left.join(right, on=list(keys.values()), how="left", maintain_order="left").drop(keys.values())


def _fail_if_unknown(frame: pl.DataFrame, names: Any, where: str) -> None:
    missing = [n for n in names if n not in frame.columns]
    findings = [Finding("unknown-column", f"there is no column {n!r}", where, did_you_mean(n, frame.columns)) for n in missing]
    fail_if_any(findings, "measure", StudyError)


def _rows(frame: pl.DataFrame) -> Panel:
    """The table as a panel of its rows, for the language of [panel.derive]."""
    numbered = frame.with_row_index(_ROW).with_columns(pl.lit(0).alias(_ONE))
    return Panel(numbered, unit=_ROW, time=_ONE, columns={c: Column(c) for c in numbered.columns})


def _derived(frame: pl.DataFrame, formulas: Mapping[str, str]) -> pl.DataFrame:
    from hinterland.data.derive import derive

    return derive(_rows(frame), formulas).frame.drop(_ROW, _ONE)


def filtered(frame: pl.DataFrame, expression: str) -> pl.DataFrame:
    """The rows for which ``expression`` is true. Raises where none is."""
    from hinterland.study.samples import where

    kept = where(_rows(frame), expression).frame.drop(_ROW, _ONE)
    if kept.is_empty():
        finding = Finding("empty-table", f"no row satisfies {expression!r}", "where", "correct the expression")
        raise StudyError(finding, "measure")
    return kept


def selected_values(work: Workspace, name: str) -> pl.DataFrame:
    """The values of the component and of the keys that the study selects.

    Raises:
        StudyError: none has them.
    """
    table, found = work.study.measure[name], work.measured(name)
    frame, names = found.frame, key_columns(work, name)
    findings: list[Finding] = []
    if table.component is not None:
        frame = frame.filter(pl.col("component") == table.component)
        if frame.is_empty():
            findings.append(_nothing(work, name, "component", table.component, found.frame["component"]))
    for key, value in table.select.items():
        known = found.frame[names[key]].cast(pl.String)
        if str(value) not in set(known):
            findings.append(_nothing(work, name, key, str(value), known))
        frame = frame.filter(pl.col(names[key]).cast(pl.String) == str(value))
    fail_if_any(findings, f"measure {name}", StudyError)
    return frame


def key_columns(work: Workspace, name: str) -> dict[str, str]:
    """Result key → column of a measure's values."""
    found = work.measured(name)
    return {k: found.meta["roles"].get(k, k) for k in INDICATORS[found.id].keys}


def _nothing(work: Workspace, name: str, key: str, value: str, known: pl.Series) -> Finding:
    where = work.loaded.where("measure", name, "component" if key == "component" else "select")
    return Finding(
        "nothing-selected",
        f"no value of measure {name!r} has the {key} {value!r}",
        where,
        did_you_mean(value, known.drop_nulls().unique().sort()),
    )


def measure_sources(measures: Mapping[str, MeasureTable]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Every file that measures name, with its key."""
    for name, table in measures.items():
        if is_file(table.source):
            yield ("measure", name, "source"), table.source
        for i, join in enumerate(table.join):
            if is_file(join.source):
                yield ("measure", name, "join", i, "source"), join.source
        for key, value in table.parameters.items():
            known = INDICATORS[table.indicator].parameters.get(key)
            if known is not None and known.table and is_source(value) and is_file(str(value)):
                yield ("measure", name, "parameters", key), str(value)
        if table.boundaries is not None:
            yield ("measure", name, "boundaries"), table.boundaries


def is_file(source: str) -> bool:
    """Whether a source is a file, not a part of the study."""
    return source != "panel" and not source.startswith(("world:", "measure:"))


def findings_of(work: Workspace) -> list[Finding]:
    """What is wrong with the measures, and what they have to say: each is computed, and kept for the run."""
    found: list[Finding] = []
    failed: set[str] = set()
    for name, table in work.study.measure.items():
        used = {s.removeprefix("measure:") for s in _measures_used(table)}
        if used & failed:
            failed.add(name)
            continue
        try:
            result = work.measured(name)
            found += [_placed(work, name, f) for f in result.findings]
            boundaries(work, name)
            selected_values(work, name)
        except InputError as error:
            failed.add(name)
            found += error.findings
    return found


def boundaries(work: Workspace, name: str) -> pl.DataFrame | None:
    """The boundaries of a measure's regions (see :func:`~hinterland.study.outlines.outlines`), where the study names a file of them."""
    from hinterland.study.outlines import outlines

    table, found = work.study.measure[name], work.measured(name)
    column = found.meta["roles"].get("region", "region")
    if table.boundaries is None or column not in found.frame.columns:
        return None
    try:
        return outlines(work.path(table.boundaries), table.boundary_key, found.frame[column].drop_nulls().unique().cast(pl.String))
    except InputError as error:
        raise StudyError([_placed(work, name, f) for f in error.findings], f"measure {name}") from error


def _measures_used(table: MeasureTable) -> Iterator[str]:
    yield from (s for s in (table.source, *(j.source for j in table.join)) if s.startswith("measure:"))
    yield from (v for v in table.parameters.values() if isinstance(v, str) and v.startswith("measure:"))


def measures_used(table: MeasureTable) -> tuple[str, ...]:
    """Names of the measures that a measure builds on."""
    return tuple(dict.fromkeys(s.removeprefix("measure:") for s in _measures_used(table)))
