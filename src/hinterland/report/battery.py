"""The battery of robustness rows: one table in which each row says what it changes and on how much data, one figure of all of them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import polars as pl

from hinterland.report import figures, tables, uncertainty
from hinterland.report.battery_figure import Kind, Line, Mark, battery_forest
from hinterland.report.blocks import Block, Chart, Heading, Prose
from hinterland.report.digits import ALPHA, count, decimals_for, number, p_cell, share, signed
from hinterland.report.record import Fit, Record
from hinterland.report.sentences import Listed, Name, Ref, Sentence, Speaker, Value, bracketed, say
from hinterland.report.table import Heading as Column
from hinterland.report.table import Row, Table

STATIC = "twfe"
SECTIONS: Mapping[str, tuple[str, ...]] = {
    "sample": ("drop", "winsorise", "trim", "concurrent_drop"),
    "matching": ("matching",),
    "policy": ("timing", "partial"),
    "controls": ("concurrent_control", "lag_controls", "fe"),
    "outcome": ("outcome",),
    "estimator": ("comparison", "method"),
    "inference": ("cluster",),
}
"""What rows change, and the codes of rows that change it; rows of other codes are the study's own."""


@dataclass(frozen=True, slots=True)
class Changed:
    """One estimator of one row: the ``fit``, its ``code`` and ``values`` (see :func:`hinterland.study.battery.told`), and the difference to the
    baseline with its standard error and p-value, ``None`` where there is none; ``reason`` says why.
    """

    fit: Fit
    code: str
    values: Mapping[str, Any]
    difference: float | None
    std_error: float | None
    p_value: float | None
    reason: str

    @property
    def section(self) -> str:
        """What kind of choice the row changes."""
        code = self.fit.label.partition("-")[0] if self.code == "variation" else self.code
        return next((name for name, codes in SECTIONS.items() if code in codes), "own")

    @property
    def moved(self) -> bool:
        """Whether the difference to the baseline differs from zero at :data:`ALPHA`."""
        return self.p_value is not None and self.p_value < ALPHA


def battery(record: Record, speaker: Speaker, head: Fit) -> tuple[Block, ...]:
    """Words, figure and table of the rows on the headline's outcome; nothing where there is none."""
    rows = changed_rows(record, head.outcome)
    if not rows or head.overall is None:
        return ()
    said = (*sentences(record, speaker, head, rows), *_not_possible(record, speaker, head.outcome))
    title = speaker.ui("title.forest", outcome=Name("variable", head.outcome))
    lines = _lines(record, speaker, head, rows)
    unit = figures.unit_axis(speaker, record.scale(head.outcome, head.family), head.outcome)
    data = pl.DataFrame([{"group": line.group, "label": line.label, **mark.as_row()} for line in lines for mark in line.marks])
    alt = speaker.paragraph(s for s in said if not any(isinstance(v, Ref) for v in s.values.values()))
    figure = battery_forest(lines, speaker, unit=unit)
    return (
        Heading(speaker.ui("heading.variations")),
        Prose(said),
        Chart("robustness", title, speaker.ui("subtitle.forest"), alt, figure, data),
        table(record, speaker, head, rows),
    )


def changed_rows(record: Record, outcome: str) -> tuple[Changed, ...]:
    """The rows of the record that could be estimated, in the order of the table."""
    known = _table(record, outcome)
    made = []
    for fit in record.chosen(outcome=outcome, roles=("robustness",), sample=None):
        if fit.overall is None:
            continue
        row = known.get((fit.label, fit.method), {})
        numbers = (row.get("difference"), row.get("difference_std_error"), row.get("difference_p_value"))
        values = json.loads(row.get("values") or "{}")
        made.append(Changed(fit, row.get("code") or "variation", values, *numbers, row.get("reason") or ""))
    return _ordered(made)


def _ordered(rows: Sequence[Changed]) -> tuple[Changed, ...]:
    """By section, then row, each in the record's order; two-way fixed effects come after the other estimators of a row."""
    sections, labels = [*SECTIONS, "own"], list(dict.fromkeys(c.fit.label for c in rows))
    return tuple(sorted(rows, key=lambda c: (sections.index(c.section), labels.index(c.fit.label), c.fit.method == STATIC)))


def _table(record: Record, outcome: str) -> dict[tuple[str, str], dict[str, Any]]:
    if not record.has("robustness"):
        return {}
    rows = record.tables["robustness"].filter(pl.col("outcome") == outcome)
    return {(r["row"], r["method"]): r for r in rows.iter_rows(named=True)}


def words(speaker: Speaker, label: str, code: str, values: Mapping[str, Any]) -> str:
    """What a row changes, in words: the study's own label, else that of the label files."""
    own = f"variation.{label}"
    if code == "variation" or own in speaker.own:
        return speaker.name(label, "variation")
    return speaker.labelled(f"change.{code}", **_told(speaker, values))


def _told(speaker: Speaker, values: Mapping[str, Any]) -> dict[str, Value]:
    out: dict[str, Value] = {}
    for key, value in values.items():
        match key:
            case "limits":
                out |= {"low": _percent(value[0]), "high": _percent(value[1])}
            case "programme":
                out[key] = Name("register", value)
            case "outcome":
                out[key] = Name("variable", value)
            case "method":
                out[key] = Name("method_short", value)
            case "effects":
                out[key] = Listed(tuple(" × ".join(_column(speaker, part) for part in effect.split("^")) for effect in value))
            case "clusters":
                out[key] = Listed(tuple(_column(speaker, name) for name in value))
            case _:
                out[key] = count(value)
    return out


def _percent(value: float) -> str:
    return share(value, 0 if abs(100 * value - round(100 * value)) < 1e-9 else 1)


def _column(speaker: Speaker, name: str) -> str:
    """A column, or a region set, in words."""
    return speaker.name(name, "leave_by") if speaker.has(f"leave_by.{name}") else speaker.name(name)


def sentences(record: Record, speaker: Speaker, head: Fit, rows: Sequence[Changed]) -> tuple[Sentence, ...]:
    """How far the estimate moves over the rows of the headline and of two-way fixed effects, and which rows differ from the baseline."""
    said = []
    for key in ("range", "static_range"):
        comparable = [c for c in rows if (c.fit.method == STATIC) == (key == "static_range") and c.reason != "other-outcome"]
        told = [c.fit.overall for c in comparable if c.fit.overall]
        base = head if key == "range" else record.static(head.outcome)
        if not told or base is None or base.overall is None or (key == "static_range" and head.method == STATIC):
            continue
        estimates = [e.estimate for e in told]
        values: dict[str, Value] = {
            "n": count(len(told)),
            "low": signed(min(estimates)),
            "high": signed(max(estimates)),
            "same": count(sum(e.estimate * base.overall.estimate > 0 for e in told)),
            "clear": count(sum(e.p_value < ALPHA for e in told)),
            "baseline": signed(base.overall.estimate),
        }
        said.append(Sentence(f"robustness.{key}", values))
    tested = [c for c in rows if c.p_value is not None]
    moved = [c for c in tested if c.moved]
    if tested:
        names = Listed(tuple(_by(speaker, words(speaker, c.fit.label, c.code, c.values), c.fit.method) for c in moved))
        said.append(say("robustness.moved" if moved else "robustness.still", n=count(len(tested)), moved=count(len(moved)), rows=names))
    return (*said, say("robustness.see", table=Ref("table", "robustness"), figure=Ref("figure", "robustness")))


def _by(speaker: Speaker, row: str, method: str) -> str:
    return bracketed(row, speaker.name(method, "method_short"), speaker.language)


def _not_possible(record: Record, speaker: Speaker, outcome: str) -> tuple[Sentence, ...]:
    lost = [r for r in _table(record, outcome).values() if r["effects_id"] is None]
    names = tuple(_by(speaker, words(speaker, r["row"], r["code"], json.loads(r["values"])), r["method"]) for r in lost)
    return (say("robustness.not_possible", rows=Listed(names)),) if lost else ()


def _lines(record: Record, speaker: Speaker, head: Fit, rows: Sequence[Changed]) -> list[Line]:
    """The figure's lines: the baseline, then one line per row with a mark for each estimator. Rows on another scale are left to the table."""
    static = record.static(head.outcome)
    base = [head] if static is None or static.method == head.method else [head, static]
    lines = [Line("", speaker.ui("row.baseline"), tuple(_mark(f, head) for f in base))]
    shown = [c for c in rows if c.reason != "other-outcome" or _same_scale(record, head, c)]
    for (section, _), found in groupby(shown, key=lambda c: (c.section, c.fit.label)):
        each = list(found)
        first = each[0]
        label = words(speaker, first.fit.label, first.code, first.values)
        lines.append(Line(speaker.ui(f"rows.{section}"), label, tuple(_mark(c.fit, head) for c in each)))
    return lines


def _same_scale(record: Record, head: Fit, row: Changed) -> bool:
    scale = record.scale(head.outcome, head.family)
    return scale != "level" and record.scale(str(row.values.get("outcome")), row.fit.family) == scale


def _mark(fit: Fit, head: Fit) -> Mark:
    kind: Kind = "headline" if fit.method == head.method else "static" if fit.method == STATIC else "other"
    e = fit.overall
    if e is None:
        raise ValueError("a row without an estimate")  # changed_rows leaves these out
    return Mark(kind, fit.method, e.estimate, e.std_error, e.conf_low, e.conf_high, int(fit.facts.get("n_obs") or 0))


def table(record: Record, speaker: Speaker, head: Fit, rows: Sequence[Changed]) -> Table:
    """One row per estimator and choice: what changed, estimate, error, p, the difference to the baseline with its error, and n."""
    static = record.static(head.outcome)
    base = [f for f in (head, static) if f is not None and f.overall is not None]
    base = base[:1] if len(base) == 2 and base[0].method == base[1].method else base
    decimals = decimals_for([f.overall.std_error for f in base if f.overall])
    body = [Row((speaker.ui("rows.baseline"),), "head"), *(_cells(speaker, speaker.ui("row.baseline"), f, decimals) for f in base)]
    for section, found in groupby(rows, key=lambda c: c.section):
        body.append(Row((speaker.ui(f"rows.{section}"),), "head"))
        body += list(_section(speaker, list(found), decimals))
    moved = speaker.ui("spanner.difference")
    headings = (
        Column(speaker.ui("col.variation"), "left"),
        Column(speaker.ui("col.method"), "left"),
        *(Column(speaker.ui(f"col.{c}")) for c in ("estimate", "std_error", "p")),
        *(Column(speaker.ui(f"col.{c}"), "right", moved) for c in ("estimate", "std_error")),
        *(Column(speaker.ui(f"col.{c}")) for c in ("n", "units", "treated")),
    )
    errors = uncertainty.of_all(speaker, [*base, *(c.fit for c in rows if c.section != "inference")])
    notes = [speaker.ui("note.robustness"), speaker.ui("note.errors_compare", errors=errors)]
    if any(c.code in ("winsorise", "trim") for c in rows):
        notes.append(speaker.ui("note.quantiles"))
    if any(c.code.startswith("concurrent") for c in rows):
        notes.append(speaker.ui("note.concurrent"))
    title = speaker.ui("title.robustness", outcome=Name("variable", head.outcome))
    return Table("robustness", title, headings, tuple(body), tables.source_line(record, speaker), tuple(notes))


def _section(speaker: Speaker, rows: Sequence[Changed], decimals: int) -> Iterator[Row]:
    last = ""
    for c in rows:
        name = words(speaker, c.fit.label, c.code, c.values)
        yield _cells(speaker, "" if c.fit.label == last else name, c.fit, decimals, c)
        last = c.fit.label


def _cells(speaker: Speaker, name: str, fit: Fit, decimals: int, changed: Changed | None = None) -> Row:
    e = fit.overall
    gap, error = (None, None) if changed is None else (changed.difference, changed.std_error)
    estimates = ("–", "–", "–") if e is None else (number(e.estimate, decimals), f"({number(e.std_error, decimals)})", p_cell(e.p_value))
    moved = (signed(gap, decimals), "–" if error is None else f"({number(error, decimals)})") if changed is not None else ("", "")
    sizes = (count(fit.facts.get(k)) for k in ("n_obs", "n_units", "n_treated"))
    return Row((name, speaker.name(fit.method, "method_short"), *estimates, *moved, *sizes))
