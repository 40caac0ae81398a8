"""Tables of measures: all of them at a glance, and the values of each."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace

import polars as pl

from hinterland.measure.indicator import LABEL_KEYS, NUMBER_KEYS
from hinterland.report.digits import MISSING, compact, count, number, p_cell, share, signed
from hinterland.report.formula import plain
from hinterland.report.measure_record import Measured
from hinterland.report.sentences import Speaker
from hinterland.report.table import Heading, Row, Table

MOST, PAGE, PAPER = 60, 30, 12
"""Rows of values that a page shows whole, at either end of a longer ranking, and on paper."""
_COLUMNS, _POINTS = 6, 16


def overview(found: Sequence[Measured], speaker: Speaker) -> Table:
    """One row per measure: name, years, values, coverage, source."""
    rows = [
        Row(
            (
                m.heading(speaker),
                f"{m.periods[0]}–{m.periods[-1]}" if len(m.periods) > 1 else str(m.periods[0]) if m.periods else MISSING,
                count(m.facts["n_values"]),
                count(m.facts["n_results"] - m.facts["n_values"]),
                share(m.facts["coverage"]),
                _input(m),
            )
        )
        for m in found
    ]
    names = ("measure", "years", "values", "without", "coverage", "input")
    left = {"measure", "input"}
    headings = tuple(Heading(speaker.ui(f"col.measure_{n}"), "left" if n in left else "right") for n in names)
    return Table("measures", speaker.ui("title.measures"), headings, tuple(rows), "", (speaker.ui("note.measures"),))


def _input(m: Measured) -> str:
    """The first file without its suffix, or the input of the world by its name, and how many more there are."""
    first, *further = m.input.split(", ")
    return (first.rpartition(".")[0] or first) + (f" +{len(further)}" if further else "")


def values_table(m: Measured, speaker: Speaker) -> Table:
    """The values of one measure, laid out by its shape."""
    match m.shape:
        case "ranked":
            return _ranked(m, speaker)
        case "lines":
            return _courses(m, speaker)
        case "surface":
            return _surface(m, speaker)
        case "curves" if not m.labels and len(m.periods) > 1:
            return _curves(m, speaker)
        case _:
            return _listed(m, speaker)


def _table(m: Measured, speaker: Speaker, headings: Sequence[Heading], rows: Sequence[Row]) -> Table:
    return Table(f"measure-{m.name}", m.heading(speaker), tuple(headings), tuple(rows), "", remarks(m, speaker))


def remarks(m: Measured, speaker: Speaker) -> tuple[str, ...]:
    """What stands below a table: the formula, and the parameters where they are not the default ones."""
    formula = speaker.ui("note.measure_formula", formula=plain(str(m.facts["formula"])), source=str(m.facts["source"]))
    said = [speaker.ui("note.measure_parameters", parameters=_parameters(m))] if m.facts["variant"] != "default" else []
    return (formula, *said)


def _parameters(m: Measured) -> str:
    chosen = json.loads(m.facts["parameters"] or "{}")
    return "; ".join(f"{k} = {v}" for k, v in chosen.items() if v is not None)


def shortened(whole: Table, speaker: Speaker, total: int, most: int = MOST) -> Table:
    """The first rows of a table of ``total``: ``most`` on a page, fewer on paper."""

    def cut(rows: int) -> Table:
        note = speaker.ui("note.measure_cut", shown=count(rows), of=count(total))
        return replace(whole, rows=whole.rows[:rows], notes=(*whole.notes, note))

    shown = cut(most) if total > most else whole
    return replace(shown, paper=cut(2 * PAPER)) if total > 2 * PAPER + 8 else shown


def cell(value: float | None, component: str, decimals: int) -> str:
    """A number with the decimals of its column; a p-value as one."""
    return p_cell(value) if is_p_value(component) else number(value, decimals)


def is_p_value(component: str) -> bool:
    """Whether a number is a p-value or one adjusted for many tests."""
    return component.endswith(("-p", "-p-value", "lisa-q"))


def decimals(values: pl.Series) -> int:
    """Decimals that show three digits of a middling value, four at most: the same for a whole column."""
    sizes = values.drop_nulls().abs()
    sizes = sizes.filter(sizes > 0)
    if not len(sizes) or (sizes % 1 == 0).all():
        return 0
    return min(4, max(0, 2 - math.floor(math.log10(float(sizes.median())))))  # type: ignore[arg-type]


def _ranked(m: Measured, speaker: Speaker) -> Table:
    """By rank in the last period: the value then, the first one, the change; other components beside it."""
    key, timed = m.labels[0], len(m.periods) > 1
    rows = m.last().sort("value", descending=True, nulls_last=True, maintain_order=True)
    before = dict(m.first().select(key, "value").iter_rows()) if timed else {}
    others = [(c, dict(m.last(m.of(c)).select(key, "value").iter_rows())) for c in m.components[1:_COLUMNS]]
    places = decimals(rows["value"])
    made = []
    for rank, row in enumerate(rows.iter_rows(named=True), 1):
        value, then = row["value"], before.get(row[key])
        cells = [MISSING if value is None else str(rank), m.place(speaker, key, row[key])]
        cells += [number(then, places)] if timed else []
        cells += [number(value, places) if value is not None else speaker.name(row["reason"], "reason")]
        cells += [signed(None if value is None or then is None else value - then, places)] if timed else []
        cells += [cell(other.get(row[key]), c, decimals(pl.Series(list(other.values()), dtype=pl.Float64))) for c, other in others]
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


def _ends(whole: Table, made: Sequence[Row], speaker: Speaker, most: int) -> Table:
    """Both ends of a ranking."""
    blank = Row(("…", *[""] * (len(whole.headings) - 1)))
    note = speaker.ui("note.measure_ends", n=count(most), of=count(len(made)))
    return replace(whole, rows=(*made[:most], blank, *made[-most:]), notes=(*whole.notes, note))


def _courses(m: Measured, speaker: Speaker) -> Table:
    """One row per period, one column per component."""
    columns = m.components[:_COLUMNS]
    by = {c: dict(m.of(c).select("time", "value").iter_rows()) for c in columns}
    places = {c: decimals(m.of(c)["value"]) for c in columns}
    periods = m.lead["time"].drop_nulls().unique().sort().to_list()
    used = dict(m.lead.select("time", "n_used").iter_rows())
    rows = [Row((str(t), *(cell(by[c].get(t), c, places[c]) for c in columns), count(used.get(t)))) for t in periods]
    headings = [
        Heading(speaker.ui("col.key_time"), "left"),
        *(Heading(m.component_name(speaker, c) if c else speaker.ui("col.value")) for c in columns),
    ]
    return _table(m, speaker, [*headings, Heading(speaker.ui("col.n_used"))], rows)


def _listed(m: Measured, speaker: Speaker) -> Table:
    """The largest values of the last period, with all their keys; components as columns where they share keys."""
    lead = m.last()
    keys = [k for k in (*LABEL_KEYS, *NUMBER_KEYS) if lead[k].null_count() < lead.height and (lead[k].n_unique() > 1)]
    if not keys and len(m.components) > 1:
        return _numbers(m, speaker)
    rows = lead.drop_nulls("value") if lead["value"].null_count() < lead.height else lead
    if not set(keys) & set(NUMBER_KEYS):
        rows = rows.sort("value", descending=True, nulls_last=True, maintain_order=True)
    beside = [(c, m.last(m.of(c)), decimals(m.of(c)["value"])) for c in m.components[1:_COLUMNS]]
    found = [(c, {tuple(r[:-1]): r[-1] for r in f.select(*keys, "value").iter_rows()}, d) for c, f, d in beside]
    places = decimals(rows["value"])

    def cells(row: dict[str, object]) -> tuple[str, ...]:
        labels = [compact(row[k]) if k in NUMBER_KEYS else m.place(speaker, k, row[k]) for k in keys]  # type: ignore[arg-type]
        value = number(row["value"], places) if row["value"] is not None else speaker.name(str(row["reason"]), "reason")
        at = tuple(row[k] for k in keys)
        return (*labels, value, *(cell(other.get(at), c, d) for c, other, d in found), count(row["n_used"]))

    made = [Row(cells(r)) for r in rows.head(MOST).iter_rows(named=True)]
    headings = [Heading(speaker.ui(f"col.key_{k}"), "right" if k in NUMBER_KEYS else "left") for k in keys]
    lead_name = m.component_name(speaker, m.components[0]) if found else str(m.periods[-1]) if m.periods else speaker.ui("col.value")
    headings += [Heading(lead_name), *(Heading(m.component_name(speaker, c)) for c, *_ in found), Heading(speaker.ui("col.n_used"))]
    if not keys:
        headings, made = [Heading("", "left"), *headings], [Row((m.title(speaker), *r.cells)) for r in made]
    return shortened(_table(m, speaker, headings, made), speaker, rows.height)


def _curves(m: Measured, speaker: Speaker) -> Table:
    """Heights at some points of the axis, one column for each of some periods."""
    points = m.lead["point"].drop_nulls().unique().sort().to_list()
    step = max(1, len(points) // _POINTS)
    periods = some_of(m.periods)
    by = {(t, x): v for t, x, v in m.lead.select("time", "point", "value").iter_rows()}
    places = decimals(m.lead["value"])
    rows = [Row((compact(x, 3), *(number(by.get((t, x)), places) for t in periods))) for x in points[::step]]
    headings = [Heading(speaker.ui("col.key_point")), *(Heading(str(t)) for t in periods)]
    whole = _table(m, speaker, headings, rows)
    note = speaker.ui("note.measure_cut", shown=count(len(rows)), of=count(len(points)))
    return replace(whole, notes=(*whole.notes, note)) if len(rows) < len(points) else whole


def _surface(m: Measured, speaker: Speaker) -> Table:
    """For some levels of the condition, where the density is highest."""
    given = m.lead.drop_nulls("value")["given"].unique().sort().to_list()
    rows = []
    for x in given[:: max(1, len(given) // _POINTS)]:
        top = m.lead.filter(pl.col("given") == x).sort("value", descending=True, nulls_last=True).row(0, named=True)
        rows.append(Row((compact(x, 3), compact(top["point"], 3), number(top["value"], 3))))
    headings = [Heading(speaker.ui("col.key_given")), Heading(speaker.ui("col.mode")), Heading(speaker.ui("col.value"))]
    return _table(m, speaker, headings, rows)


def some_of(periods: Sequence[int], most: int = 6) -> list[int]:
    """Up to ``most`` of the periods, the first and the last among them."""
    last = len(periods) - 1
    return [periods[round(last * i / (min(most, len(periods)) - 1))] for i in range(min(most, len(periods)))] if last > 0 else [*periods]


def _numbers(m: Measured, speaker: Speaker) -> Table:
    """One row per component of an indicator whose numbers have no keys."""
    made = []
    for component in m.components:
        for row in m.last(m.of(component)).iter_rows(named=True):
            value = row["value"]
            shown = (
                speaker.name(str(row["reason"]), "reason") if value is None else p_cell(value) if is_p_value(component) else compact(value)
            )
            made.append(Row((m.component_name(speaker, component), shown, count(row["n_used"]))))
    headings = [Heading(speaker.ui("col.component"), "left"), Heading(speaker.ui("col.value")), Heading(speaker.ui("col.n_used"))]
    return _table(m, speaker, headings, made)
