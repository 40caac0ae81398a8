"""Tables of the chapter of transfer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import polars as pl

from hinterland.report.digits import MISSING, compact, count
from hinterland.report.table import Heading, Row, Table
from hinterland.report.transfer_words import Words

MOST, PAPER = 60, 25
_KEYS = ("role", "source", "host", "region", "other", "industry", "group", "item", "series", "policy")


def wide(
    words: Words, frame: pl.DataFrame, key: str, columns: Sequence[tuple[str, str]], *, name: str, title: str, note: str = ""
) -> Table:
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
    return _shortened(Table(name, title, headings, tuple(body), "", (speaker.ui(note),) if note else ()), words)


def grid(
    words: Words,
    frame: pl.DataFrame,
    keys: Sequence[str],
    across: str,
    *,
    name: str,
    title: str,
    columns: Sequence[str] = (),
    whole: Sequence[str] = (),
    sort: bool = False,
    note: str = "",
) -> Table:
    """One row per combination of ``keys``, one column per value of ``across`` (``columns`` says which come first); ``whole`` are years or counts.

    Rows come as in the frame, or by the first column, the largest first.
    """
    speaker = words.speaker
    known = frame.drop_nulls(across)[across].unique(maintain_order=True).to_list()
    order = [*(c for c in columns if c in known), *(c for c in known if c not in columns)]
    made: dict[tuple[object, ...], dict[object, float | None]] = {}
    for row in frame.drop_nulls(across).select(*keys, across, "value").iter_rows():
        made.setdefault(row[:-2], {})[row[-2]] = row[-1]
    rows = sorted(made.items(), key=lambda item: _falling(item[1].get(order[0]))) if sort else list(made.items())
    shown = [k for j, k in enumerate(keys) if len(made) == 1 or len({key[j] for key in made}) > 1]
    body = []
    for key, values in rows:
        cells = [words.said(k, v) if v is not None else words.whole(k) for k, v in zip(keys, key, strict=True) if k in shown]
        body.append(Row((*cells, *(_number(values.get(c), c in whole) for c in order))))
    headings = [Heading(speaker.ui(f"col.key_{k}"), "left") for k in shown]
    headings += [Heading(words.across(across, str(c))) for c in order]
    return _shortened(Table(name, title, tuple(headings), tuple(body), "", (speaker.ui(note),) if note else ()), words)


def _falling(value: float | None) -> tuple[bool, float]:
    return value is None, -(value or 0.0)


def _number(value: float | None, whole: bool) -> str:
    return MISSING if value is None else str(round(value)) if whole else compact(value)


def tall(words: Words, frame: pl.DataFrame, *, name: str, title: str) -> Table:
    """The rows of a frame as they are: keys that differ, measure, value, label."""
    speaker = words.speaker
    keys = [k for k in _KEYS if k in frame.columns and frame[k].n_unique() > 1]
    timed = "time" in frame.columns and frame["time"].n_unique() > 1
    labelled = "label" in frame.columns and (frame["label"].fill_null("") != "").any()
    measures = frame.select("measure", "component").n_unique() > 1

    def cells(row: dict[str, object]) -> tuple[str, ...]:
        found = [words.said(k, row[k]) for k in keys]
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
