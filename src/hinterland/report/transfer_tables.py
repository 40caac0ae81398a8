"""Tables of the chapter of transfer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import polars as pl

from hinterland.report.digits import MISSING, compact, count
from hinterland.report.table import Heading, Row, Table
from hinterland.report.transfer_words import Words

MOST, PAPER = 60, 25
_KEYS = ("role", "region", "other", "industry", "group", "item", "series", "policy")


def wide(words: Words, frame: pl.DataFrame, key: str, columns: Sequence[tuple[str, str]], *, name: str, title: str) -> Table:
    """One row per label of ``key``, one column per (measure, component), the first of which sorts."""
    speaker = words.speaker
    made: dict[str, list[float | None]] = {}
    for place, (measure, component) in enumerate(columns):
        rows = frame.filter(pl.col("measure") == measure, pl.col("component") == component).drop_nulls(key)
        for label, value in rows.select(key, "value").iter_rows():
            made.setdefault(label, [None] * len(columns))[place] = value
    order = sorted(made.items(), key=lambda item: (item[1][0] is None, -(item[1][0] or 0.0), item[0]))
    body = [Row((words.said(key, label), *(compact(v) for v in values))) for label, values in order]
    headings = (Heading(speaker.ui(f"col.key_{key}"), "left"), *(Heading(words.measure(m, c)) for m, c in columns))
    return _shortened(Table(name, title, headings, tuple(body)), words)


def tall(words: Words, frame: pl.DataFrame, *, name: str, title: str) -> Table:
    """The rows of a frame as they are: keys that differ, measure, value, label."""
    speaker = words.speaker
    keys = [k for k in _KEYS if k in frame.columns and frame[k].n_unique() > 1]
    timed = "time" in frame.columns and frame["time"].n_unique() > 1
    labelled = "label" in frame.columns and (frame["label"].fill_null("") != "").any()
    measures = frame.select("measure", "component").n_unique() > 1

    def cells(row: dict[str, object]) -> tuple[str, ...]:
        found = [speaker.name(str(row[k]), "transfer_role") if k == "role" else words.said(k, row[k]) for k in keys]
        found += [words.measure(str(row["measure"]), str(row["component"] or ""))] if measures else []
        found += [MISSING if row["time"] is None else str(row["time"])] if timed else []
        reason = str(row["reason"] or "")
        found += [speaker.name(reason, "reason") if reason else compact(row["value"])]
        return (*found, *((words.speaker.name(str(row["label"]), "transfer_label"),) if labelled else ()))

    headings = [Heading(speaker.ui(f"col.key_{k}"), "left") for k in keys]
    headings += [Heading(speaker.ui("col.measure_measure"), "left")] if measures else []
    headings += [Heading(speaker.ui("col.key_time"))] if timed else []
    headings += [Heading(speaker.ui("col.value"))]
    headings += [Heading(speaker.ui("col.transfer_label"), "left")] if labelled else []
    body = tuple(Row(cells(row)) for row in frame.iter_rows(named=True))
    return _shortened(Table(name, title, tuple(headings), body), words)


def _shortened(table: Table, words: Words) -> Table:
    """The first rows of a long table, fewer on paper."""
    total = len(table.rows)

    def cut(most: int) -> Table:
        note = words.speaker.ui("note.transfer_cut", shown=count(min(most, total)), of=count(total))
        return table if total <= most else replace(table, rows=table.rows[:most], notes=(*table.notes, note))

    return replace(cut(MOST), paper=cut(PAPER)) if total > PAPER else table
