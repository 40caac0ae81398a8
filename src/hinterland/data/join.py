"""Join columns of another table to a panel, with every unit that finds no partner counted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import polars as pl

from hinterland.data.cells import Wanted, convert, normalise_time
from hinterland.data.checks import fail_if_column_unknown, fail_if_duplicate_unit_period, fail_if_role_not_numeric
from hinterland.data.geography import match_cities
from hinterland.data.panel import Column, Panel
from hinterland.data.roles import Roles
from hinterland.data.table import Table
from hinterland.errors import Finding, PanelError, fail_if_any, listed

if TYPE_CHECKING:
    from narwhals.typing import IntoFrame


def join_columns(
    panel: Panel,
    source: str | Path | IntoFrame,
    *,
    unit: str,
    time: str | None,
    columns: Sequence[str] | Mapping[str, str],
    encoding: str | None = None,
    sheet: str | int | None = None,
    name: str = "",
    numeric: Sequence[str] = (),
    missing: Sequence[str] = (),
    match: Literal["code", "cities"] = "code",
) -> Panel:
    """Add columns of another table to every row of the panel that has a partner there (a left join).

    Args:
        panel: the panel; its rows stay as they are.
        source: path or frame, as for :func:`read_panel`.
        unit: column of unit codes in ``source``, matched as text: 340100, ``"340100"`` and 340100.0 are the same.
        time: column of periods in ``source``; ``None`` for a table with one row per unit.
        columns: columns to add, or ``{name in source: name in panel}``.
        encoding: of text files.
        sheet: of Excel files.
        name: what messages call the source; the file's name by default.
        numeric: columns (names in the source) that must hold numbers.
        missing: further marks of a missing value.
        match: ``code`` compares units as they are written; ``cities`` compares the prefecture-level units that codes or names on
            either side stand for (:func:`~hinterland.data.geography.match_cities`).

    Raises:
        PanelError: unknown columns, names already taken, several rows per unit and period, no unit in common, bad cells.
    """
    from hinterland.data.readers import load_table

    names = dict(columns) if isinstance(columns, Mapping) else {c: c for c in columns}
    table = load_table(source, encoding=encoding, sheet=sheet)
    table = replace(table, source=name or table.source)
    keys = [unit] if time is None else [unit, time]
    findings = [*fail_if_column_unknown(table, [("join key", k) for k in keys] + [("column to join", c) for c in (*names, *numeric)])]
    findings += _fail_if_name_taken(panel, names, table.source)
    fail_if_any(findings, table.source, PanelError)

    table = replace(table, frame=table.frame.select(list(dict.fromkeys([*keys, *names]))))
    table = convert(table, Wanted(numeric, set() if time is None else {time}, {unit}, missing))
    if match == "cities":
        table = _as_cities(table, unit)
    table = _drop_rows_without_unit(table, unit)
    if time is not None:
        periods, said = normalise_time(table, time)
        table = replace(table, frame=table.frame.with_columns(periods)).with_findings(*said)
    ours = panel.frame[panel.unit].cast(pl.String)
    ours = match_cities(ours)["adcode"] if match == "cities" else ours
    findings = [*table.findings, *_fail_if_many(table, unit, time), *_fail_if_nothing_matches(ours, table, unit)]
    findings += fail_if_role_not_numeric(table, Roles(unit, time or unit, numeric=tuple(numeric)))
    fail_if_any(findings, table.source, PanelError)

    joined, right = _meet(panel, ours, table, unit=unit, time=time, names=names)
    findings += _warn_of_unmatched(panel, joined, right, table.source)
    provenance = {new: replace(table.columns.get(old, Column(table.source)), source=f"{table.source}:{old}") for old, new in names.items()}
    return replace(
        panel,
        frame=joined.drop("·found", "·unit", "·time"),
        columns={**panel.columns, **provenance},
        findings=(*panel.findings, *(f for f in findings if f.severity == "warning")),
    )


def _meet(
    panel: Panel, ours: pl.Series, table: Table, *, unit: str, time: str | None, names: Mapping[str, str]
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The panel's rows with their partners' columns (``·found`` marks a partner), and the table's rows under the keys ``·unit``, ``·time``."""
    right = table.frame.select(
        pl.col(unit).cast(pl.String).alias("·unit"),
        *([] if time is None else [pl.col(time).alias("·time")]),
        *(pl.col(old).alias(new) for old, new in names.items()),
    )
    on = ["·unit"] if time is None else ["·unit", "·time"]
    joined = panel.frame.with_columns(ours.alias("·unit"), pl.col(panel.time).alias("·time")).join(
        right.with_columns(pl.lit(value=True).alias("·found")), on=on, how="left", maintain_order="left"
    )
    return joined, right


def _fail_if_name_taken(panel: Panel, names: Mapping[str, str], source: str) -> list[Finding]:
    taken = [new for new in names.values() if new in panel.frame.columns]
    twice = sorted({new for new in names.values() if list(names.values()).count(new) > 1})
    return [
        Finding(
            "column-taken", f"the panel already has a column {new!r}", source, f"join it under another name: columns={{{old!r}: '{new}_2'}}"
        )
        for old, new in names.items()
        if new in taken
    ] + [Finding("column-taken", f"two columns would be called {new!r}", source, "give each a name of its own") for new in twice]


def _as_cities(table: Table, unit: str) -> Table:
    """The table with the code of each unit in the place of its name; names that are no city are passed over, and said."""
    found = match_cities(table.frame[unit].cast(pl.String))
    known = found["adcode"].is_not_null()
    lost = found.filter(~known & pl.col("name").is_not_null())["name"].unique().sort()
    coded = replace(table, frame=table.frame.with_columns(found["adcode"].alias(unit))).filter(known)
    if not len(lost):
        return coded
    what = f"{len(lost)} unit(s) are no prefecture-level city that is known, and were passed over: {listed(lost.to_list())}"
    return coded.with_findings(Finding("unknown-city", what, table.source, "write the code in their place if they matter", "warning"))


def _drop_rows_without_unit(table: Table, unit: str) -> Table:
    empty = table.frame[unit].is_null()
    if not empty.any():
        return table
    at = empty.arg_true()
    finding = Finding(
        "unit-missing", f"{len(at)} row(s) without a unit code were passed over", table.where(at, unit), "fill in the codes", "warning"
    )
    return table.filter(~empty).with_findings(finding)


def _fail_if_many(table: Table, unit: str, time: str | None) -> list[Finding]:
    if time is not None:
        return fail_if_duplicate_unit_period(table, Roles(unit, time))
    counts = table.frame.group_by(unit).len().filter(pl.col("len") > 1).sort(unit)
    if counts.is_empty():
        return []
    what = f"{counts.height} unit(s) have several rows, so that it is not clear which to join: {listed(counts[unit].to_list())}"
    return [Finding("many-to-many", what, table.source, "name the period column as time, or keep one row per unit")]


def _fail_if_nothing_matches(codes: pl.Series, table: Table, unit: str) -> list[Finding]:
    ours = codes.drop_nulls().unique()
    theirs = table.frame[unit].cast(pl.String).unique().drop_nulls()
    if ours.is_in(theirs.implode()).any():
        return []
    what = f"no unit is in both tables: the panel has {listed(ours.sort().head(3).to_list())}, column {unit!r} has {listed(theirs.sort().head(3).to_list())}"
    remedy = "name the column that holds the same codes as the panel's unit column"
    if not theirs.cast(pl.String).str.contains(r"\d").any() or not ours.str.contains(r"\d").any():
        remedy += '; with match = "cities", names of cities and codes find each other'
    return [Finding("no-unit-matches", what, table.source, remedy)]


def _warn_of_unmatched(panel: Panel, joined: pl.DataFrame, right: pl.DataFrame, source: str) -> list[Finding]:
    findings = []
    lost = joined.filter(pl.col("·found").is_null())
    if lost.height:
        units = joined.group_by("·unit").agg(pl.col("·found").any()).filter(~pl.col("·found").fill_null(value=False))["·unit"].sort()
        whole = f"; {len(units)} unit(s) are not there at all: {listed(units.to_list())}" if len(units) else ""
        years = lost[panel.time].unique().sort().to_list()
        rows = f"{lost[panel.unit].n_unique()} unit(s), {years[0]}–{years[-1]}"
        what = f"{lost.height} of {joined.height} rows find no partner and have missing values ({rows}){whole}"
        findings.append(Finding("join-unmatched", what, source, "check the codes and years if more was expected", "warning"))
    spare = right.filter(~pl.col("·unit").is_in(joined["·unit"].unique().implode()))["·unit"].unique().sort()
    if len(spare):
        what = f"{len(spare)} unit(s) are not in the panel and were left out: {listed(spare.to_list())}"
        findings.append(Finding("join-unused", what, source, "nothing, if the panel is meant to be smaller", "warning"))
    return findings
