"""Estimators side by side: which are shown where, their average effects in a figure and a table, and how far they agree."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from hinterland.report import figures, prose, tables, uncertainty
from hinterland.report.blocks import Block, Chart, Heading, Prose
from hinterland.report.digits import count, number, p_cell, places_for, signed
from hinterland.report.panels import MOST_IN_ONE, event_grid
from hinterland.report.record import Estimate, Fit, Record
from hinterland.report.sentences import Listed, Name, Ref, Sentence, Speaker, Value, method_notes, say
from hinterland.report.table import Heading as Column
from hinterland.report.table import Row, Table

COLUMNS = 5
"""Models that stand beside each other in a table of models; all of them are rows of the table of estimators."""

_ORDER = {"headline": 0, "baseline": 1}


def fits_of(record: Record, outcome: str) -> list[Fit]:
    """Every estimator with an average effect on ``outcome``: the headline, two-way fixed effects, then the others in the record's order."""
    fits = [f for f in record.chosen(outcome=outcome, roles=("baseline", "headline", "alternative")) if f.overall is not None]
    return sorted(fits, key=lambda f: _ORDER.get(f.role, 2))


def side_by_side(record: Record, speaker: Speaker, outcome: str) -> tuple[Block, ...]:
    """Figure, table and words on the average effect by estimator; nothing with fewer than three of them."""
    fits = fits_of(record, outcome)
    if len(fits) < 3 or fits[0].overall is None:
        return ()
    same = comparable(record, fits)
    data = _marks(speaker, same)
    unit = figures.unit_axis(speaker, record.scale(outcome, fits[0].family), outcome)
    title = Name("variable", outcome)
    chart = Chart(
        "methods",
        speaker.ui("title.methods", outcome=title),
        speaker.ui("subtitle.methods"),
        speaker.ui("alt.methods", n=data.height),
        figures.forest(data, unit=unit, reference=fits[0].overall.estimate),
        data,
    )
    said = sentences(same, [f for f in fits if f not in same])
    intro = say("methods.intro", figure=Ref("figure", "methods"), table=Ref("table", "methods"))
    table = methods_table(record, speaker, [fits], key="methods", title=speaker.ui("title.methods_table", outcome=title))
    return Heading(speaker.ui("heading.methods")), Prose((intro, *said)), chart, table


def comparable(record: Record, fits: Sequence[Fit]) -> list[Fit]:
    """Those of ``fits`` whose effects are on the scale of the first."""
    scale = record.scale(fits[0].outcome, fits[0].family)
    return [f for f in fits if record.scale(f.outcome, f.family) == scale]


def _marks(speaker: Speaker, fits: Sequence[Fit]) -> pl.DataFrame:
    rows = [
        {
            "label": speaker.name(f.method, "method_short"),
            "method": f.method,
            "estimate": f.overall.estimate,
            "std_error": f.overall.std_error,
            "conf_low": f.overall.conf_low,
            "conf_high": f.overall.conf_high,
        }
        for f in fits
        if f.overall
    ]
    return pl.DataFrame(rows).with_columns(pl.col(pl.Float64).fill_nan(None))


def sentences(same: Sequence[Fit], apart: Sequence[Fit] = ()) -> tuple[Sentence, ...]:
    """Range, signs, which others lie outside the headline's interval, and what may be behind a difference.

    ``same`` are estimators on one scale, the headline first; ``apart`` those on another.
    """
    head = same[0].overall
    told = [(f, f.overall) for f in same if f.overall is not None]
    if head is None or len(told) < 2:
        return ()
    low, high = min(told, key=lambda t: t[1].estimate), max(told, key=lambda t: t[1].estimate)
    said = [
        say(
            "methods.range",
            n=count(len(told)),
            low=signed(low[1].estimate),
            low_method=_name(low[0]),
            high=signed(high[1].estimate),
            high_method=_name(high[0]),
            clear=count(sum(prose.significant(e) for _, e in told)),
        ),
        _signs([e for _, e in told]),
    ]
    others = told[1:]
    outside = [f for f, e in others if not head.conf_low <= e.estimate <= head.conf_high]
    values: dict[str, Value] = {"method": _name(same[0]), "inside": count(len(others) - len(outside)), "others": count(len(others))}
    said.append(Sentence("methods.inside", values))
    if outside:
        said.append(say("methods.outside", methods=Listed(tuple(_name(f) for f in outside))))
    rows = [int(f.facts["n_obs"]) for f in (*same, *apart) if f.facts.get("n_obs")]
    if rows and max(rows) != min(rows):
        said.append(say("methods.samples", low=count(min(rows)), high=count(max(rows))))
    if apart:
        said.append(say("methods.scale" if len(apart) == 1 else "methods.scales", methods=Listed(tuple(_name(f) for f in apart))))
    return tuple(said)


def disagree_in_sign(fits: Sequence[Fit]) -> bool:
    """Whether estimates that differ from zero have different signs."""
    clear = [f.overall.estimate for f in fits if f.overall is not None and prose.significant(f.overall)]
    return bool(clear) and min(clear) < 0 < max(clear)


def _signs(estimates: Sequence[Estimate]) -> Sentence:
    negative = sum(e.estimate < 0 for e in estimates)
    if negative in (0, len(estimates)):
        return say("methods.one_sign")
    return say("methods.two_signs", negative=count(negative), positive=count(len(estimates) - negative))


def _name(fit: Fit) -> Name:
    return Name("method_short", fit.method)


def methods_table(record: Record, speaker: Speaker, groups: Sequence[Sequence[Fit]], *, key: str, title: str) -> Table:
    """One row per estimator with its sample and its kind of standard error; a panel per outcome, and per scale.

    Estimators that the table of the first outcome explains are not explained again.
    """
    rows: list[Row] = []
    shown: list[Fit] = []
    several, scales = len(groups) > 1, False
    for fits in groups:
        same = comparable(record, fits)
        apart = [f for f in fits if f not in same]
        scales = scales or bool(apart)
        if several:
            rows.append(Row((speaker.name(fits[0].outcome),), "head"))
        rows += _method_rows(speaker, same)
        if apart:
            rows.append(Row((speaker.ui("row.own_scale"),), "head"))
            rows += _method_rows(speaker, apart)
        shown += fits
    headings = (
        Column(speaker.ui("col.method"), "left"),
        *(Column(speaker.ui(f"col.{c}")) for c in ("estimate", "std_error", "pointwise", "p", "n", "units_treated")),
        Column(speaker.ui("col.std_error_kind"), "left"),
    )
    told = {f.method for f in fits_of(record, record.outcomes[0])} if key != "methods" and record.outcomes else set()
    notes = [speaker.ui("note.methods"), *([speaker.ui("note.methods_scale")] if scales else [])]
    notes += method_notes(speaker, ((f.method, f.facts.get("estimand")) for f in shown if f.method not in told))
    return Table(key, title, headings, tuple(rows), tables.source_line(record, speaker), tuple(notes))


def _method_rows(speaker: Speaker, fits: Sequence[Fit]) -> list[Row]:
    decimals = places_for([f.overall.std_error for f in fits if f.overall], most=4)
    found = []
    for f in fits:
        e = f.overall
        if e is None:
            continue
        sizes = f"{count(f.facts.get('n_units'))} ({count(f.facts.get('n_treated'))})"
        cells = (number(e.estimate, decimals), f"({number(e.std_error, decimals)})", tables.interval(e, decimals), p_cell(e.p_value))
        name = speaker.name(f.method, "method_short")
        found.append(Row((name, *cells, count(f.facts.get("n_obs")), sizes, uncertainty.phrase(speaker, f.facts))))
    return found


def event_studies(record: Record, speaker: Speaker, outcome: str, *, unit: str, scale: str) -> tuple[Block, ...]:
    """The event studies of all estimators on one scale: in one panel where they are few, else a panel each."""
    found = {
        f.method: f.events
        for f in record.fits
        if f.outcome == outcome and f.sample == "all" and f.role in ("headline", "baseline", "alternative") and f.events is not None
        if record.scale(outcome, f.family) == scale
    }
    if len(found) < 2:
        return ()
    head = record.headline(outcome)
    first = head.method if head is not None and head.method in found else next(iter(found))
    series = {first: found[first], **found}
    few = len(series) <= MOST_IN_ONE
    drawn = figures.estimators(series, speaker, unit=unit) if few else event_grid(series, speaker, unit=unit, headline=first)
    subtitle = speaker.ui("subtitle.estimators" if few else "subtitle.estimators_grid").rstrip()
    data = pl.concat([e.with_columns(pl.lit(m).alias("method")) for m, e in series.items()], how="diagonal_relaxed")
    title = speaker.ui("title.estimators", outcome=Name("variable", outcome))
    return (Chart("estimators", title, subtitle, speaker.ui("alt.estimators", n=len(series)), drawn, data),)
