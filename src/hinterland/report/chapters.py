"""The chapters of an evaluation, in the order of the empirical part of a paper. A chapter without records is left out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import polars as pl

from hinterland.labels import Language
from hinterland.report import charts, description, estimators, figures, moderation, prose, tables
from hinterland.report.advice import advice
from hinterland.report.answer import answer
from hinterland.report.appendix import appendix
from hinterland.report.battery import battery
from hinterland.report.blocks import Block, Bullets, Chapter, Chart, Document, Heading, Prose, numbering
from hinterland.report.caveats import caveats
from hinterland.report.cohorts import by_cohort
from hinterland.report.curve import curve
from hinterland.report.displacement import displacement
from hinterland.report.doses import doses
from hinterland.report.leave_out import leave_out
from hinterland.report.matching import matching
from hinterland.report.measures import measures
from hinterland.report.mechanism import mechanism
from hinterland.report.outcome_family import outcome_family
from hinterland.report.pathway import pathway
from hinterland.report.recommendations import recommendations
from hinterland.report.record import Fit, Record
from hinterland.report.sensitivity import further_table, sensitivity
from hinterland.report.sentences import Name, Ref, Sentence, Speaker, say
from hinterland.report.small_sample import small_sample
from hinterland.report.subgroups import subgroups
from hinterland.report.transfer import transfer

BESIDE = 3
"""Estimators of a further outcome up to which all of them are columns of one table; of more, the headline and two-way fixed effects are."""

Maker = Callable[[Record, Speaker, str], tuple[Block, ...]]


def document(record: Record, language: Language) -> Document:
    """The report of a record in one language."""
    speaker = Speaker(language, description.own_labels(record))
    outcome = record.outcomes[0] if record.outcomes else ""
    makers: tuple[tuple[str, Maker, bool], ...] = (
        ("data", _data, True),
        ("descriptives", _descriptives, True),
        ("measures", measures, True),
        ("transfer", transfer, True),
        ("baseline", _baseline, True),
        ("trends", _trends, True),
        ("sensitivity", sensitivity, True),
        ("robustness", _robustness, True),
        ("displacement", displacement, True),
        ("subgroups", subgroups, True),
        ("moderation", moderation.moderation, True),
        ("mechanism", mechanism, True),
        ("outcomes", _outcomes, True),
        ("pathway", pathway, True),
        ("advice", advice, True),
        ("caveats", lambda r, _, o: _caveats(r, o) if o else (), True),
        ("appendix", lambda r, s, _: appendix(r, s), False),
    )
    made = ((key, make(record, speaker, outcome), numbered) for key, make, numbered in makers)
    chapters = tuple(Chapter(key, _title(record, speaker, key), blocks, numbered) for key, blocks, numbered in made if blocks)
    return Document(
        language,
        description.title(record, speaker),
        description.byline(record, speaker),
        _summary(record, outcome),
        chapters,
        replace(speaker, numbering=numbering(chapters)),
    )


def _title(record: Record, speaker: Speaker, key: str) -> str:
    if key == "subgroups":
        groups = {f.sample.partition("=")[0] for f in record.chosen(roles=("subgroup",), sample=None)}
        if groups and all("sichuan-chongqing" in g for g in groups):
            return speaker.ui("chapter.sichuan_chongqing")
    if key == "outcomes" and not any("quality" in o for o in record.outcomes[1:]):
        return speaker.ui("chapter.further")
    if key == "moderation":
        return moderation.chapter_title(record, speaker)
    return speaker.ui(f"chapter.{key}")


def _summary(record: Record, outcome: str) -> tuple[Prose, ...]:
    head = record.headline(outcome)
    found = (
        [Prose((say("own_summary", text=description.both(record.study("study", "summary"))),), "own")]
        if record.study("study", "summary")
        else []
    )
    if record.simulated:
        found.append(Prose((say("caveat.simulated"),), "warning"))
    if head is not None and head.overall is not None:
        found.append(Prose(answer(record, head), "lead"))
    return tuple(found)


def _data(record: Record, speaker: Speaker, outcome: str) -> tuple[Block, ...]:
    if not outcome and not record.study("panel", "source"):
        return ()
    blocks: list[Block] = [Prose(description.question(record, outcome)), Prose(description.panel(record))]
    policy = description.policy(record)
    if policy:
        blocks.append(Prose(policy))
    if record.has("policy_timeline"):
        zones = record.tables["policy_timeline"]
        facts = record.run.get("facts", {})
        window = (int(facts["first"]), int(facts["last"])) if {"first", "last"} <= facts.keys() else None
        figure = charts.timeline(zones, speaker, window)
        blocks.append(
            Chart(
                "timeline",
                speaker.ui("title.timeline"),
                speaker.ui("subtitle.timeline"),
                speaker.ui("alt.timeline", n=zones.height),
                figure,
                zones,
            )
        )
        blocks.append(tables.zone_table(record, speaker))
    if record.has("policy_cities"):
        cities = record.tables["policy_cities"]
        if cities["lon"].null_count() < cities.height:
            blocks.append(Prose(description.places(cities)))
            blocks.append(
                Chart(
                    "map",
                    speaker.ui("title.map"),
                    speaker.ui("subtitle.map"),
                    speaker.ui("alt.map", n=cities.filter(pl.col("status") == "treated").height),
                    charts.city_map(cities, speaker),
                    cities,
                )
            )
    if record.has("cohort_sizes"):
        blocks.append(tables.cohort_table(record, speaker))
    return tuple(blocks)


def _descriptives(record: Record, speaker: Speaker, outcome: str) -> tuple[Block, ...]:
    if not record.has("descriptives"):
        return ()
    return (Prose(description.moments(record, outcome)), tables.descriptive_table(record, speaker))


def _baseline(record: Record, speaker: Speaker, outcome: str) -> tuple[Block, ...]:
    head = record.headline(outcome)
    if head is None:
        return ()
    fits = estimators.fits_of(record, outcome)
    title = speaker.ui("title.baseline", outcome=Name("variable", outcome))
    said = [say("baseline.intro", table=Ref("table", "baseline"))]
    if len(fits) > estimators.COLUMNS:
        said.append(say("baseline.others", table=Ref("table", "methods")))
    return (
        *recommendations(record, speaker, outcome),
        Prose((*said, *prose.design_facts(head))),
        Prose(answer(record, head)),
        tables.model_table(record, speaker, fits[: estimators.COLUMNS], key="baseline", title=title),
        *estimators.side_by_side(record, speaker, outcome),
    )


def _trends(record: Record, speaker: Speaker, outcome: str) -> tuple[Block, ...]:
    fit = record.dynamic(outcome)
    if fit is None or fit.events is None:
        return ()
    scale = record.scale(outcome, fit.family)
    unit = figures.unit_axis(speaker, scale, outcome)
    names = {"outcome": Name("variable", outcome), "method": Name("method", fit.method)}
    blocks: list[Block] = [
        Prose((say("trends.intro", figure=Ref("figure", "event-study"), **names), *prose.pretrends(fit))),
        Prose(prose.path(fit)),
        Chart(
            "event-study",
            speaker.ui("title.event_study", **names),
            speaker.ui("subtitle.event_study") + tables.source_line(record, speaker),
            _sentences(speaker, prose.path(fit)),
            figures.event_study(fit.events, speaker, unit=unit),
            fit.events,
        ),
        tables.event_table(record, speaker, fit, "event-study"),
    ]
    blocks += estimators.event_studies(record, speaker, outcome, unit=unit, scale=scale)
    cohorts = by_cohort(record, speaker, record.headline(outcome))
    return (*blocks, *cohorts, *doses(record, speaker, outcome), *_bacon(record, speaker, outcome))


def _bacon(record: Record, speaker: Speaker, outcome: str) -> tuple[Block, ...]:
    if not record.has("bacon", "bacon_summary"):
        return ()
    table, summary = (record.tables[t].filter(pl.col("outcome") == outcome) for t in ("bacon", "bacon_summary"))
    if not table.height or not summary.height:
        return ()
    said = prose.decomposition(summary)
    title = speaker.ui("title.bacon_scatter", outcome=Name("variable", outcome))
    return (
        Heading(speaker.ui("heading.bacon")),
        Prose((say("bacon.intro", figure=Ref("figure", "bacon"), table=Ref("table", "bacon")), *said)),
        Chart("bacon", title, speaker.ui("subtitle.bacon_scatter"), _sentences(speaker, said), charts.bacon_scatter(table, speaker), table),
        tables.bacon_table(record, speaker, outcome),
    )


def _robustness(record: Record, speaker: Speaker, outcome: str) -> tuple[Block, ...]:
    head = record.headline(outcome)
    if head is None or head.overall is None:
        return ()
    return (
        *_placebo(record, speaker, head),
        *small_sample(record, speaker, outcome),
        *leave_out(record, speaker, outcome),
        *matching(record, speaker, head),
        *battery(record, speaker, head),
        *curve(record, speaker, outcome),
    )


def _placebo(record: Record, speaker: Speaker, head: Fit) -> tuple[Block, ...]:
    if not record.has("placebo"):
        return ()
    outcome = head.outcome
    frame = _whole_sample(record.tables["placebo"]).filter(pl.col("outcome") == outcome)
    frame = frame.sort(pl.col("method") != head.method, "method", "shift")
    space, time = (list(frame.filter(pl.col("kind") == k).iter_rows(named=True)) for k in ("space", "time"))
    blocks: list[Block] = _placebo_space(record, speaker, outcome, space) if space and record.has("placebo_space") else []
    if time:
        said = Prose(prose.placebo_time(time))
        blocks += [Heading(speaker.ui("heading.placebo_time")), said, tables.placebo_time_table(record, speaker, outcome)]
    return tuple(blocks)


def _placebo_space(record: Record, speaker: Speaker, outcome: str, rows: list[dict[str, Any]]) -> list[Block]:
    fits = {f.method: f.overall for f in record.chosen(outcome=outcome, roles=("headline", "baseline", "alternative")) if f.overall}
    draws = _whole_sample(record.tables["placebo_space"]).filter(pl.col("outcome") == outcome)
    panels = [(speaker.name(r["method"], "method"), draws.filter(pl.col("method") == r["method"]), float(r["p_exact"])) for r in rows]
    said = [prose.placebo_space(r, fits.get(r["method"])) for r in rows]
    unit = figures.unit_axis(speaker, record.scale(outcome), outcome)
    figure = charts.placebo_density([p for p in panels if p[1].height], speaker, unit=unit)
    title = speaker.ui("title.placebo", outcome=Name("variable", outcome))
    alt = _sentences(speaker, tuple(s for sentences in said for s in sentences))
    chart = Chart("placebo", title, speaker.ui("subtitle.placebo"), alt, figure, draws)
    return [Heading(speaker.ui("heading.placebo_space")), *(Prose(s) for s in said), chart]


def _whole_sample(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.filter(pl.col("sample").is_null() | (pl.col("sample") == "all")) if "sample" in frame.columns else frame


def _outcomes(record: Record, speaker: Speaker, outcome: str) -> tuple[Block, ...]:
    others = [(o, record.headline(o)) for o in record.outcomes if o != outcome]
    found = [(o, h) for o, h in others if h is not None and h.overall is not None]
    if not found:
        return ()
    blocks: list[Block] = [*outcome_family(record, speaker)]
    fits: list[Fit] = []
    panels: list[tuple[str, pl.DataFrame]] = []
    every: list[list[Fit]] = []
    for name, head in found:
        said: tuple[Sentence, ...] = answer(record, head)
        if head.family == "poisson":
            said = (say("outcomes.count", outcome=Name("variable", name)), *said)
        blocks.append(Prose(said))
        each = estimators.fits_of(record, name)
        every.append(each)
        fits += [f for f in each if f.role in ("headline", "baseline") or len(each) <= BESIDE]
        dynamic = record.dynamic(name)
        if dynamic is not None and dynamic.events is not None:
            panels.append((speaker.name(name), dynamic.events))
    blocks.append(tables.model_table(record, speaker, fits, key="outcomes", title=speaker.ui("title.outcomes"), by_outcome=True))
    if len(fits) < sum(map(len, every)):
        title = speaker.ui("title.outcomes_methods")
        blocks.append(estimators.methods_table(record, speaker, every, key="outcomes-methods", title=title))
    blocks += [t for t in (further_table(record, speaker, [name for name, _ in found]),) if t is not None]
    if panels:
        data = pl.concat([e.with_columns(pl.lit(t).alias("outcome")) for t, e in panels], how="diagonal_relaxed")
        figure = figures.event_panels(panels[:3], speaker, unit=speaker.ui("axis.effect"))
        blocks.append(
            Chart(
                "outcomes",
                speaker.ui("title.event_panels"),
                speaker.ui("subtitle.event_panels") + tables.source_line(record, speaker),
                speaker.ui("alt.event_panels", n=len(panels)),
                figure,
                data,
            )
        )
    return tuple(blocks)


def _caveats(record: Record, outcome: str) -> tuple[Block, ...]:
    found = caveats(record, outcome)
    return (Prose((say("caveat.intro"),)), Bullets(found)) if found else ()


def _sentences(speaker: Speaker, sentences: tuple[Sentence, ...]) -> str:
    return speaker.paragraph(s for s in sentences if not any(isinstance(v, Ref) for v in s.values.values()))
