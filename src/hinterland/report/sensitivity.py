"""The chapter on violations of parallel trends: intervals that allow for them, breakdown values, and the power of the pre-trend test."""

from __future__ import annotations

import math
from typing import Any

import polars as pl

from hinterland.report import bounds, figures, prose, tables
from hinterland.report.answer import with_trends
from hinterland.report.blocks import Block, Chart, Heading, Prose
from hinterland.report.bounds import Bounds
from hinterland.report.digits import MISSING, decimals_for, number, share, signed
from hinterland.report.panels import Deviation, deviations
from hinterland.report.record import Record
from hinterland.report.sentences import Name, Ref, Sentence, Speaker, Value, say
from hinterland.report.table import Heading as Column
from hinterland.report.table import Row, Table

_HALF = 0.5 + 1e-6
"""Powers up to which a trend counts as missed half of the time or more."""


def sensitivity(record: Record, speaker: Speaker, outcome: str) -> tuple[Block, ...]:
    """Intervals and power for ``outcome``; nothing where the record has neither."""
    return (*_intervals(record, speaker, outcome), *_power(record, speaker, outcome))


def _intervals(record: Record, speaker: Speaker, outcome: str) -> tuple[Block, ...]:
    every = bounds.bounds(record, outcome)
    head = record.headline(outcome)
    if not every or head is None:
        return ()
    first = bounds.leading(record, head) or every[0]
    shown = [b for b in every if b.method == first.method]
    said = _said(record, first, shown)
    names: dict[str, Value] = {"outcome": Name("variable", outcome), "method": Name("method", first.method)}
    subtitle = speaker.ui("subtitle.sensitivity") + tables.source_line(record, speaker)
    unit = figures.unit_axis(speaker, record.scale(outcome, head.family), outcome)
    panels = [Deviation(b.kind, b.estimand, b.deviating, b.original, b.breakdown) for b in shown]
    figure = deviations(panels, speaker, unit=unit)
    chart = Chart("sensitivity", speaker.ui("title.sensitivity", **names), subtitle, speaker.ui("alt.sensitivity"), figure, _data(shown))
    return *(Prose(part) for part in said), chart, intervals_table(record, speaker, outcome, every)


def _said(record: Record, first: Bounds, shown: list[Bounds]) -> list[tuple[Sentence, ...]]:
    refs: dict[str, Value] = {"figure": Ref("figure", "sensitivity"), "table": Ref("table", "sensitivity")}
    head = record.headline(first.outcome)
    scale = record.scale(first.outcome, head.family if head is not None else "gaussian")
    about = say("sensitivity.not_average", estimand=bounds.estimand(first)) if first.estimand == "first" else say("sensitivity.average")
    intro = say("sensitivity.intro", estimand=bounds.estimand(first), method=Name("method", first.method), **refs)
    same = [b for b in shown if b.estimand == first.estimand]
    return [(intro, about), *((say(f"sensitivity.{b.kind}"), bounds.conclusion(b), *bounds.bounded(b, scale)) for b in same)]


def _data(groups: list[Bounds]) -> pl.DataFrame:
    return pl.concat([b.rows for b in groups], how="diagonal_relaxed")


def intervals_table(record: Record, speaker: Speaker, outcome: str, groups: tuple[Bounds, ...]) -> Table:
    """Every interval: a panel per estimator, kind and estimand, with the interval under parallel trends and the breakdown value."""
    ends = [v for b in groups for c in ("conf_low", "conf_high") for v in b.rows[c].drop_nulls()]
    spread = [abs(v) for v in ends if v]
    decimals = decimals_for([max(spread, default=1.0) / 10], least=3, most=5)
    rows: list[Row] = []
    for group in groups:
        name = speaker.name(group.method, "method_short")
        what = " · ".join((name, speaker.name(group.kind, "deviation_kind"), speaker.name(group.estimand, "deviation_estimand")))
        rows.append(Row((what,), "head"))
        exact = f"[{number(group.original[0], decimals)}, {number(group.original[1], decimals)}]"
        rows.append(Row((speaker.ui("col.original"), exact, _excludes(speaker, *group.original), _breakdown(speaker, group))))
        for r in group.deviating.iter_rows(named=True):
            low, high = r["conf_low"], r["conf_high"]
            cells = (f"[{_end(speaker, r, 'low', decimals)}, {_end(speaker, r, 'high', decimals)}]", _excludes(speaker, low, high), "")
            rows.append(Row((_value(group, r["value"]), *((speaker.ui("row.empty"), MISSING, "") if r.get("empty") else cells))))
    headings = (
        Column(speaker.ui("col.bound"), "left"),
        *(Column(speaker.ui(f"col.{c}")) for c in ("interval", "excludes_zero", "breakdown")),
    )
    title = speaker.ui("title.sensitivity_table", outcome=Name("variable", outcome))
    return Table("sensitivity", title, headings, tuple(rows), tables.source_line(record, speaker), (speaker.ui("note.sensitivity"),))


def further_table(record: Record, speaker: Speaker, outcomes: list[str]) -> Table | None:
    """Relative deviations for the headline of further outcomes: the interval under parallel trends, that at M̄ = 1, the breakdown value."""
    leads = [lead for name in outcomes if (lead := bounds.leading(record, record.headline(name))) is not None]
    groups = [b for lead in leads for b in bounds.bounds(record, lead.outcome, lead.method) if b.kind == bounds.RELATIVE]
    rows = [Row((speaker.name(b.outcome), speaker.name(b.method, "method_short"), *_in_one_row(speaker, b))) for b in groups]
    headings = (
        *(Column(speaker.ui(f"col.{c}"), "left") for c in ("variable", "method", "estimand")),
        *(Column(speaker.ui(f"col.{c}")) for c in ("original", "as_seen", "breakdown")),
    )
    title, notes = speaker.ui("title.outcomes_sensitivity"), (speaker.ui("note.sensitivity"),)
    return Table("outcomes-sensitivity", title, headings, tuple(rows), tables.source_line(record, speaker), notes) if rows else None


def _in_one_row(speaker: Speaker, group: Bounds) -> tuple[str, ...]:
    row = group.at(bounds.AS_SEEN)
    ends = [abs(v) for v in (*group.original, *((row["conf_low"], row["conf_high"]) if row else ())) if v is not None]
    decimals = decimals_for([max(ends) / 10], least=3, most=5)
    seen = MISSING if row is None else f"[{_end(speaker, row, 'low', decimals)}, {_end(speaker, row, 'high', decimals)}]"
    exact = f"[{number(group.original[0], decimals)}, {number(group.original[1], decimals)}]"
    return speaker.name(group.estimand, "deviation_estimand"), exact, seen, _breakdown(speaker, group)


def _value(group: Bounds, value: float) -> str:
    return f"{'M' if group.kind == bounds.SLOPE else 'M̄'} = {bounds.said(group, value)}"


def _end(speaker: Speaker, row: dict[str, Any], side: str, decimals: int) -> str:
    value = row[f"conf_{side}"]
    return speaker.ui(f"row.open_{side}") if value is None else number(value, decimals)


def _excludes(speaker: Speaker, low: float | None, high: float | None) -> str:
    if low is not None and math.isnan(low):
        return MISSING
    return speaker.ui("yes" if (low is not None and low > 0) or (high is not None and high < 0) else "no")


def _breakdown(speaker: Speaker, group: Bounds) -> str:
    if math.isnan(group.breakdown):
        return speaker.ui("row.no_breakdown")
    if math.isinf(group.breakdown):
        return speaker.ui("row.beyond", value=bounds.said(group, float(group.rows["value"].max())))  # type: ignore[arg-type]
    return bounds.said(group, group.breakdown)


def _power(record: Record, speaker: Speaker, outcome: str) -> tuple[Block, ...]:
    rows = power_rows(record, outcome)
    head = record.headline(outcome)
    if not rows or head is None:
        return ()
    told = with_trends(record, head)
    rejected = prose.trends_rejected(told.pretrend)
    said = [say("power.intro_rejected" if rejected else "power.intro", table=Ref("table", "power"))]
    for row in leading_power(rows, head.method)[:1]:
        said.append(
            say(
                "power.detects",
                method=Name("method", row["method"]),
                test=Name("pretrend_test", str(row["test"])),
                slope=_slope(row["slope"]),
                power=share(row["power"], 0),
            )
        )
        if head.overall is not None and math.isfinite(row["drift"]) and not rejected:
            said.append(_compared(abs(row["drift"]), head.overall.estimate))
    return Heading(speaker.ui("heading.power")), Prose(tuple(said)), power_table(record, speaker, outcome, rows)


def _compared(drift: float, estimate: float) -> Sentence:
    values: dict[str, Value] = {"drift": number(drift), "estimate": signed(estimate)}
    if drift >= abs(estimate):
        return Sentence("power.over", values)
    return say("power.under", share=share(drift / abs(estimate), 0), **values)


def power_rows(record: Record, outcome: str) -> list[dict[str, Any]]:
    """Rows of table ``pretrend_power`` on ``outcome``, each with ``drift``: what its trend adds to the average from adoption on."""
    if not record.has("pretrend_power"):
        return []
    rows = record.tables["pretrend_power"].filter(pl.col("outcome") == outcome).iter_rows(named=True)
    return [{**row, "slope": float(row["slope"]), "drift": _drift(record, row)} for row in rows if row["slope"] is not None]


def leading_power(rows: list[dict[str, Any]], method: str) -> list[dict[str, Any]]:
    """The rows of the headline's test, else of the first estimator's: those of the joint test first, and of the least power."""
    own = [r for r in rows if r["method"] == method] or [r for r in rows if r["method"] == rows[0]["method"]]
    return sorted(own, key=lambda r: (r["test"] != "joint", r["power"]))


def misses_the_estimate(record: Record, outcome: str) -> bool:
    """Whether a trend that the test of the headline would miss half of the time or more adds up to as much as the estimate; not where the
    test rejects.
    """
    head = record.headline(outcome)
    if head is None or head.overall is None or prose.trends_rejected(with_trends(record, head).pretrend):
        return False
    rows = power_rows(record, outcome)
    found = leading_power(rows, head.method)[:1] if rows else []
    return any(r["power"] <= _HALF and abs(r["drift"]) >= abs(head.overall.estimate) for r in found if math.isfinite(r["drift"]))


def _drift(record: Record, row: dict[str, Any]) -> float:
    """The trend averaged over event times from 0 on, as a distance from the last period before them."""
    recorded = row.get("bias_unconditional")
    if recorded is not None:
        return float(recorded)
    fit = next((f for f in record.chosen(outcome=row["outcome"]) if f.method == row["method"] and f.events is not None), None)
    fit = fit or record.dynamic(row["outcome"])
    if fit is None or fit.events is None:
        return math.nan
    after = fit.events.filter(pl.col("event_time") >= 0)["event_time"]
    return float(row["slope"]) * float((after + 1).mean()) if len(after) else math.nan  # type: ignore[arg-type]


def power_table(record: Record, speaker: Speaker, outcome: str, rows: list[dict[str, Any]]) -> Table:
    """The trends that each estimator's test would find with the stated probability."""
    body = [
        Row(
            (
                speaker.name(r["method"], "method_short"),
                speaker.name(str(r["test"]), "pretrend_test"),
                share(r["power"], 0),
                _slope(r["slope"]),
                number(r["drift"]),
                number(r.get("bias")),
            )
        )
        for r in rows
    ]
    headings = (
        Column(speaker.ui("col.method"), "left"),
        Column(speaker.ui("col.test"), "left"),
        *(Column(speaker.ui(f"col.{c}")) for c in ("power", "slope", "drift", "passed")),
    )
    title = speaker.ui("title.power", outcome=Name("variable", outcome))
    subtitle = speaker.ui("subtitle.power") + tables.source_line(record, speaker)
    return Table("power", title, headings, tuple(body), subtitle, (speaker.ui("note.power"),))


def _slope(slope: float) -> str:
    return number(slope, decimals_for([abs(slope)], least=3, most=6))
