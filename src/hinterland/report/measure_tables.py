"""Tables of measures: all of them at a glance, and the values of each."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

import polars as pl

from hinterland.measure.indicator import LABEL_KEYS
from hinterland.report.digits import MISSING, compact, count, share, signed
from hinterland.report.measure_record import Measured
from hinterland.report.sentences import Speaker
from hinterland.report.table import Heading, Row, Table

MOST, PAGE, PAPER = 60, 30, 12
"""Rows of values that a page shows whole, at either end of a longer ranking, and on paper."""
_COLUMNS = 6


def overview(found: Sequence[Measured], speaker: Speaker) -> Table:
    """One row per measure: name, unit, years, values, coverage, source."""
    rows = [
        Row(
            (
                m.heading(speaker),
                speaker.name(str(m.facts["unit"]), "unit"),
                f"{m.periods[0]}–{m.periods[-1]}" if len(m.periods) > 1 else str(m.periods[0]) if m.periods else MISSING,
                count(m.facts["n_values"]),
                count(m.facts["n_results"] - m.facts["n_values"]),
                share(m.facts["coverage"]),
                str(m.facts["input"]).rsplit("/", 1)[-1],
            )
        )
        for m in found
    ]
    names = ("measure", "unit", "years", "values", "without", "coverage", "input")
    left = {"measure", "unit", "input"}
    headings = tuple(Heading(speaker.ui(f"col.measure_{n}"), "left" if n in left else "right") for n in names)
    return Table("measures", speaker.ui("title.measures"), headings, tuple(rows), "", (speaker.ui("note.measures"),))


def values_table(m: Measured, speaker: Speaker) -> Table:
    """The values of one measure, laid out by its shape."""
    match m.shape:
        case "ranked":
            return _ranked(m, speaker)
        case "lines":
            return _courses(m, speaker)
        case _:
            return _listed(m, speaker)


def _table(m: Measured, speaker: Speaker, headings: Sequence[Heading], rows: Sequence[Row], notes: Sequence[str] = ()) -> Table:
    said = [speaker.ui("note.measure_parameters", parameters=_parameters(m))] if m.facts["variant"] != "default" else []
    formula = speaker.ui("note.measure_formula", formula=_plain_formula(str(m.facts["formula"])), source=str(m.facts["source"]))
    return Table(f"measure-{m.name}", m.heading(speaker), tuple(headings), tuple(rows), "", (formula, *said, *notes))


def _parameters(m: Measured) -> str:
    chosen = json.loads(m.facts["parameters"] or "{}")
    return "; ".join(f"{k} = {v}" for k, v in chosen.items() if v is not None)


def _plain_formula(formula: str) -> str:
    """The formula as it is written in LaTeX, between signs that say so."""
    return f"$ {formula} $"


def _ranked(m: Measured, speaker: Speaker) -> Table:
    """By rank in the last period: the value then, the first one, the change; other components beside it."""
    key, timed = m.labels[0], len(m.periods) > 1
    rows = m.last().sort("value", descending=True, nulls_last=True, maintain_order=True)
    before = dict(m.first().select(key, "value").iter_rows()) if timed else {}
    others = [(c, dict(m.last(m.of(c)).select(key, "value").iter_rows())) for c in m.components[1:_COLUMNS]]
    made = []
    for rank, row in enumerate(rows.iter_rows(named=True), 1):
        value, then = row["value"], before.get(row[key])
        cells = [MISSING if value is None else str(rank), m.place(speaker, key, row[key])]
        cells += [compact(then)] if timed else []
        cells += [compact(value) if value is not None else speaker.name(row["reason"], "reason")]
        cells += [signed_compact(None if value is None or then is None else value - then)] if timed else []
        cells += [compact(other.get(row[key])) for _, other in others]
        cells += [count(row["n_used"]), share(row["coverage"], 0)]
        made.append(Row(tuple(cells)))
    first, last = (str(m.periods[0]), str(m.periods[-1])) if timed else ("", "")
    headings = [Heading(speaker.ui("col.rank")), Heading(speaker.ui(f"col.key_{key}"), "left")]
    headings += [Heading(first)] if timed else []
    headings += [Heading(last or (m.component_name(speaker, m.components[0]) if m.components[0] else speaker.ui("col.value")))]
    headings += [Heading(speaker.ui("col.change"))] if timed else []
    headings += [Heading(m.component_name(speaker, c)) for c, _ in others]
    headings += [Heading(speaker.ui("col.n_used")), Heading(speaker.ui("col.covered"))]
    whole = _table(m, speaker, headings, made)
    shown = _ends(whole, made, speaker, PAGE) if len(made) > MOST + 20 else whole
    return replace(shown, paper=_ends(whole, made, speaker, PAPER)) if len(made) > 2 * PAPER + 8 else shown


def signed_compact(value: float | None) -> str:
    """A change with its sign."""
    text = compact(value)
    return signed(0.0) if text == "0" else text if text == MISSING or value is None or value < 0 else f"+{text}"


def _ends(whole: Table, made: Sequence[Row], speaker: Speaker, most: int) -> Table:
    """Both ends of a ranking."""
    blank = Row(("…", *[""] * (len(whole.headings) - 1)))
    note = speaker.ui("note.measure_ends", n=count(most), of=count(len(made)))
    return replace(whole, rows=(*made[:most], blank, *made[-most:]), notes=(*whole.notes, note))


def _cut(speaker: Speaker, total: int, shown: int) -> tuple[str, ...]:
    return (speaker.ui("note.measure_cut", shown=count(shown), of=count(total)),) if total > shown else ()


def _courses(m: Measured, speaker: Speaker) -> Table:
    """One row per period, one column per component."""
    columns = m.components[:_COLUMNS]
    by = {c: dict(m.of(c).select("time", "value").iter_rows()) for c in columns}
    periods = m.lead["time"].drop_nulls().unique().sort().to_list()
    used = dict(m.lead.select("time", "n_used").iter_rows())
    rows = [Row((str(t), *(compact(by[c].get(t)) for c in columns), count(used.get(t)))) for t in periods]
    headings = [
        Heading(speaker.ui("col.key_time"), "left"),
        *(Heading(m.component_name(speaker, c) if c else speaker.ui("col.value")) for c in columns),
    ]
    return _table(m, speaker, [*headings, Heading(speaker.ui("col.n_used"))], rows)


def _listed(m: Measured, speaker: Speaker) -> Table:
    """The largest values of the last period, with all their keys and components."""
    rows = pl.concat([m.last(m.of(c)) for c in m.components])
    keys = [k for k in (*LABEL_KEYS, "point") if rows[k].null_count() < rows.height and (rows[k].n_unique() > 1)]
    rows = rows.drop_nulls("value") if rows["value"].null_count() < rows.height else rows
    if m.components[0] == "" and not m.facts["indicator"].startswith("kernel"):
        rows = rows.sort("value", descending=True, nulls_last=True, maintain_order=True)
    shown = rows.head(MOST)
    named = len(m.components) > 1

    def cells(row: dict[str, object]) -> tuple[str, ...]:
        labels = [compact(row[k]) if k == "point" else m.place(speaker, k, row[k]) for k in keys]  # type: ignore[arg-type]
        value = compact(row["value"]) if row["value"] is not None else speaker.name(str(row["reason"]), "reason")
        return (*labels, *((m.component_name(speaker, str(row["component"])),) if named else ()), value, count(row["n_used"]))

    made = [Row(cells(r)) for r in shown.iter_rows(named=True)]
    headings = [Heading(speaker.ui(f"col.key_{k}"), "right" if k == "point" else "left") for k in keys]
    headings += [Heading(speaker.ui("col.component"), "left")] if named else []
    headings += [Heading(str(m.periods[-1]) if m.periods else speaker.ui("col.value")), Heading(speaker.ui("col.n_used"))]
    if len(headings) == 2:
        headings, made = [Heading("", "left"), *headings], [Row((m.title(speaker), *r.cells)) for r in made]
    whole = _table(m, speaker, headings, made, _cut(speaker, rows.height, MOST))
    note = speaker.ui("note.measure_cut", shown=count(2 * PAPER), of=count(rows.height))
    return (
        replace(whole, paper=replace(whole, rows=tuple(made[: 2 * PAPER]), notes=(*whole.notes, note))) if len(made) > 2 * PAPER else whole
    )
