"""Raw tables of a study, prepared: read, renamed, recoded, joined, derived, with rows left out for stated reasons, and totalled."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from hinterland.data.panel import Column, Panel
from hinterland.errors import Finding, StudyError, did_you_mean, fail_if_any, listed
from hinterland.study.schema_source import ExcludeTable, SourceJoinTable, SourceTable, TotalTable

if TYPE_CHECKING:
    from hinterland.study.workspace import Workspace

_ROW, _ONE, _RULE = "·row", "·one", "·rule"
PREFIXES = ("world:", "measure:", "table:", "packaged:")
"""What a source that is no file begins with."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Rows that one rule of ``owner`` (``table:NAME`` or ``measure:NAME``) left out, of ``before`` rows that were there."""

    owner: str
    rule: int
    table: ExcludeTable
    rows: pl.DataFrame
    before: int


@dataclass(frozen=True, slots=True)
class Prepared:
    """A table as a measure reads it, what was left out of it on purpose, and what was found on the way."""

    frame: pl.DataFrame
    left_out: tuple[LeftOut, ...] = ()
    findings: tuple[Finding, ...] = ()

    def with_frame(self, frame: pl.DataFrame, *findings: Finding) -> Prepared:
        """The same with another table, and more findings."""
        return replace(self, frame=frame, findings=(*self.findings, *findings))


def is_source(value: object) -> bool:
    """Whether a parameter's value names a table that the study brings: a prepared table, an input of the world, a measure, or a file (it has a suffix)."""
    return isinstance(value, str) and (value.startswith(PREFIXES) or bool(Path(value).suffix))


def is_file(source: str) -> bool:
    """Whether a source is a file, not a part of the study."""
    return source != "panel" and not source.startswith(PREFIXES)


def sources_of(table: SourceTable) -> Iterable[tuple[tuple[str | int, ...], str]]:
    """Every source that a table names, with its key."""
    yield ("source",), table.source
    yield from ((("join", i, "source"), j.source) for i, j in enumerate(table.join))
    yield from ((("exclude", i, "source"), e.source) for i, e in enumerate(table.exclude) if e.source is not None)


def named_table(work: Workspace, source: str, table: SourceTable | None = None) -> Prepared:
    """The table that ``source`` names: a file, an input of the world, the panel, a packaged or prepared table, or the values of a measure."""
    kind, _, rest = source.partition(":")
    if source == "panel":
        return Prepared(work.raw_panel.frame)
    if kind == "world" and work.world is not None:
        return Prepared(work.world.input(rest))
    if kind == "measure":
        return Prepared(work.measured(rest).frame)
    if kind == "table":
        return work.prepared(rest)
    if kind == "packaged":
        from hinterland.study.packaged import table as packaged

        return Prepared(packaged(rest))
    from hinterland.data.readers import read_numbers

    path = work.path(source)
    if table is None:
        return Prepared(read_numbers(path))
    return Prepared(read_numbers(path, encoding=table.encoding, sheet=table.sheet, missing=table.missing, keep=table.suppressed))


def prepared(work: Workspace, owner: tuple[str, str], table: SourceTable) -> Prepared:
    """The table that ``owner`` (``("measure", NAME)`` or ``("table", NAME)``) asks for.

    Raises:
        StudyError: columns, labels or rows that are named and not there.
    """
    place = work.loaded.where(*owner)
    made = named_table(work, table.source, table)
    if table.rename:
        _fail_if_unknown(made.frame, table.rename, f"{place}: rename")
        made = made.with_frame(made.frame.rename(dict(table.rename)))
    for column, labels in table.recode.items():
        made = made.with_frame(_recoded(made.frame, column, labels, f"{place}: recode.{column}"))
    for i, join in enumerate(table.join):
        made = _joined(work, made, join, f"{place}: join {i + 1}")
    if table.derive:
        made = made.with_frame(_derived(made.frame, table, place))
    if table.where is not None:
        made = made.with_frame(filtered(made.frame, table.where, table))
    for i, rule in enumerate(table.exclude):
        made = _without(work, made, (table, rule), (":".join(owner), i + 1, f"{place}: exclude {i + 1}"))
    return made if table.total is None else _totalled(made, table.total, f"{place}: total")


def _recoded(frame: pl.DataFrame, column: str, labels: Mapping[str, str], where: str) -> pl.DataFrame:
    _fail_if_unknown(frame, [column], where)
    written = _key(frame[column])
    known = written.unique().drop_nulls().sort()
    absent = [old for old in labels if old not in set(known)]
    findings = [
        Finding("unknown-label", f"column {column!r} has no label {o!r}", where, did_you_mean(o, known.cast(pl.String))) for o in absent
    ]
    fail_if_any(findings, "tables", StudyError)
    return frame.with_columns(written.replace(dict(labels)).alias(column))


def _key(values: pl.Series) -> pl.Series:
    """Labels as text, so that 2005, 2005.0 and "2005" are the same."""
    if values.dtype.is_float() and ((values.drop_nulls() % 1) == 0).all():
        values = values.cast(pl.Int64)
    return values.cast(pl.String)


def _keyed(frame: pl.DataFrame, columns: Iterable[str]) -> pl.DataFrame:
    return pl.DataFrame([_key(frame[c]).alias(f"·{i}") for i, c in enumerate(columns)])


def _joined(work: Workspace, made: Prepared, join: SourceJoinTable, where: str) -> Prepared:
    other = named_table(work, join.source).frame
    if join.where is not None:
        other = filtered(other, join.where)
    frame = made.frame
    _fail_if_unknown(other, (*join.on, *join.columns), f"{where} (of {join.source})")
    _fail_if_unknown(frame, join.on.values(), where)
    taken = [new for new in join.columns.values() if new in frame.columns]
    fail_if_any(
        [Finding("column-taken", f"the table already has a column {n!r}", where, "join it under another name") for n in taken],
        "tables",
        StudyError,
    )
    keys = _keyed(other, join.on)
    twice = keys.is_duplicated()
    if twice.any():
        what = f"{int(twice.sum())} rows of {join.source} share their keys with another row"
        raise StudyError(
            Finding("duplicate-cell", what, where, "name the columns that tell them apart in on, or filter with where"), "tables"
        )
    right = keys.hstack([other[o].alias(n) for o, n in join.columns.items()]).with_columns(pl.lit(value=True).alias(_RULE))
    left = frame.hstack(_keyed(frame, join.on.values()))
    found = left.join(right, on=keys.columns, how="left", maintain_order="left").drop(keys.columns)
    unmatched = _unmatched(found[_RULE].is_null(), frame, tuple(join.on.values()), (join.source, where))
    return made.with_frame(found.drop(_RULE), *unmatched)


def _unmatched(lacking: pl.Series, frame: pl.DataFrame, on: tuple[str, ...], place: tuple[str, str]) -> list[Finding]:
    """Rows without a partner: an error where none has one, a warning where some have not."""
    source, where = place
    if not lacking.any():
        return []
    shown = frame.select(on).filter(lacking).unique(maintain_order=True).head(3)
    said = listed(", ".join(map(str, row)) for row in shown.iter_rows())
    if lacking.all():
        what = f"no row has a partner in {source}: rows are like {said}"
        raise StudyError(Finding("nothing-joined", what, where, "write the keys alike: rename, recode, or another on"), "tables")
    what = f"{int(lacking.sum())} of {frame.height} rows have no partner in {source}, such as {said}"
    return [Finding("unmatched-rows", what, where, "nothing, if these are not known there; otherwise write the keys alike", "warning")]


def placed(work: Workspace, owner: tuple[str, ...], finding: Finding) -> Finding:
    """The finding, where the study asks for what ``owner`` is the key of, unless it says already where in the study it is."""
    said = finding.where.startswith(f"{work.loaded.name}, line")
    return finding if said else replace(finding, where=f"{work.loaded.where(*owner)}: {finding.where}")


def _fail_if_unknown(frame: pl.DataFrame, names: Iterable[str], where: str) -> None:
    missing = [n for n in names if n not in frame.columns]
    findings = [Finding("unknown-column", f"there is no column {n!r}", where, did_you_mean(n, frame.columns)) for n in missing]
    fail_if_any(findings, "tables", StudyError)


def _rows(frame: pl.DataFrame, table: SourceTable | None = None) -> Panel:
    """The table as a panel of its units and periods where it says what they are, else of its rows."""
    if table is not None and table.unit is not None and table.time is not None:
        names = (table.unit, table.time)
        _fail_if_unknown(frame, names, "unit, time")
        return Panel(frame.sort(names, maintain_order=True), *names, columns={c: Column(c) for c in frame.columns})
    numbered = frame.with_row_index(_ROW).with_columns(pl.lit(0).alias(_ONE))
    return Panel(numbered, unit=_ROW, time=_ONE, columns={c: Column(c) for c in numbered.columns})


def _derived(frame: pl.DataFrame, table: SourceTable, place: str) -> pl.DataFrame:
    from hinterland.data.derive import derive

    rows = _rows(frame, table)
    if rows.unit != _ROW and rows.frame.select(rows.unit, rows.time).is_duplicated().any():
        double = rows.frame.filter(rows.frame.select(rows.unit, rows.time).is_duplicated()).select(rows.unit, rows.time)
        what = f"{double.height} rows share {rows.unit} and {rows.time} with another row, such as {', '.join(map(str, double.row(0)))}"
        raise StudyError(Finding("duplicate-cell", what, f"{place}: unit", "name columns that tell rows apart, or drop unit"), "tables")
    return derive(rows, table.derive).frame.drop(_ROW, _ONE, strict=False)


def filtered(frame: pl.DataFrame, expression: str, table: SourceTable | None = None) -> pl.DataFrame:
    """The rows for which ``expression`` is true. Raises where none is."""
    from hinterland.study.samples import where

    kept = where(_rows(frame, table), expression).frame.drop(_ROW, _ONE, strict=False)
    if kept.is_empty():
        finding = Finding("empty-table", f"no row satisfies {expression!r}", "where", "correct the expression")
        raise StudyError(finding, "tables")
    return kept


def _without(work: Workspace, made: Prepared, asked: tuple[SourceTable, ExcludeTable], place: tuple[str, int, str]) -> Prepared:
    """The table without the rows of one rule."""
    (table, rule), (owner, number, where) = asked, place
    frame = made.frame.with_row_index(_RULE)
    if rule.source is None:
        gone = filtered(frame, str(rule.where), table)[_RULE]
        findings: list[Finding] = []
    else:
        gone, findings = _listed_rows(work, frame, rule, where)
    out = frame[_RULE].is_in(gone.implode())
    if out.all():
        raise StudyError(Finding("empty-table", "the rule leaves no row", where, "correct the rule"), "tables")
    rows = made.frame.filter(out)
    kept = made.with_frame(made.frame.filter(~out), *findings)
    return replace(kept, left_out=(*made.left_out, LeftOut(owner, number, rule, rows, made.frame.height)))


def _listed_rows(work: Workspace, frame: pl.DataFrame, rule: ExcludeTable, where: str) -> tuple[pl.Series, list[Finding]]:
    """Numbers of the rows that a further table lists."""
    source = str(rule.source)
    other = named_table(work, source).frame
    other = other if rule.where is None else filtered(other, rule.where)
    _fail_if_unknown(other, rule.on, f"{where} (of {source})")
    _fail_if_unknown(frame, rule.on.values(), where)
    named = _keyed(other, rule.on).unique(maintain_order=True)
    here = _keyed(frame, rule.on.values()).with_columns(frame[_RULE])
    gone = here.join(named, on=named.columns, how="semi")[_RULE]
    stray = named.join(here, on=named.columns, how="anti")
    if stray.height == named.height:
        what = f"none of the {named.height} rows that {source} lists is in the table"
        raise StudyError(Finding("nothing-excluded", what, where, "write the keys alike: rename, recode, or another on"), "tables")
    if not stray.height:
        return gone, []
    what = (
        f"{stray.height} of the {named.height} rows that {source} lists are not in the table, such as {', '.join(map(str, stray.row(0)))}"
    )
    return gone, [
        Finding("unmatched-rows", what, where, "nothing, if the table does not cover them; otherwise write the keys alike", "warning")
    ]


def _totalled(made: Prepared, total: TotalTable, where: str) -> Prepared:
    frame = made.frame
    _fail_if_unknown(frame, (*total.by, *total.sum), where)
    texts = [c for c in total.sum if not frame.schema[c].is_numeric()]
    findings = [Finding("not-a-number", f"column {c!r} holds text", where, "name a column of numbers") for c in texts]
    fail_if_any(findings, "tables", StudyError)
    sums = [pl.when(pl.col(o).count() > 0).then(pl.col(o).sum()).alias(n) for o, n in total.sum.items()]
    grouped = frame.group_by(total.by, maintain_order=True)
    holes = {c: frame[c].null_count() for c in total.sum if frame[c].null_count()}
    part = grouped.agg(pl.any_horizontal(pl.col(c).is_null().any() & (pl.col(c).count() > 0) for c in total.sum).alias(_RULE))[_RULE].sum()
    said = [
        Finding(
            "partial-sum",
            f"{part} of {grouped.len().height} sums lack a part: {', '.join(f'{n} cells of {c}' for c, n in holes.items())} are missing",
            where,
            "nothing, if the parts are small; otherwise complete the cells, or leave the groups out",
            "warning",
        )
    ]
    return made.with_frame(grouped.agg(sums), *(said if part else []))
