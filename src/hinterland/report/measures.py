"""The chapter of measures: for each what it says, where its values come from, a map, a ranking or a course, and a table."""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from hinterland.report import measure_figures, measure_maps, measure_tables
from hinterland.report.blocks import Block, Bullets, Chart, Heading, Prose
from hinterland.report.digits import count, number, share
from hinterland.report.measure_clusters import clusters
from hinterland.report.measure_excluded import excluded
from hinterland.report.measure_record import Measured, measures_of
from hinterland.report.measure_transitions import transitions
from hinterland.report.record import Record
from hinterland.report.sentences import Listed, Name, Ref, Sentence, Speaker, Value, say


def measures(record: Record, speaker: Speaker, _: str = "") -> tuple[Block, ...]:
    """Every measure of the record."""
    found = list(measures_of(record))
    blocks: list[Block] = []
    if len(found) > 1:
        blocks += [
            Prose((say("measures.intro", n=count(len(found)), table=Ref("table", "measures")),)),
            measure_tables.overview(found, speaker),
        ]
    owners: dict[str, str] = {}
    told: set[tuple[str, str]] = set()
    for measured in found:
        blocks += _one(measured, speaker, owners, told)
    return tuple(blocks)


def _one(m: Measured, speaker: Speaker, owners: dict[str, str], told: set[tuple[str, str]]) -> list[Block]:
    """One section; what was said of a raw table before (``owners``, ``told``) is not said again."""
    blocks: list[Block] = [Heading(m.heading(speaker)), Prose(tuple(_said(m)))]
    blocks += excluded(m, speaker, owners)
    subtitle = _subtitle(m, speaker)
    match m.shape:
        case "clusters":
            blocks += clusters(m, speaker, subtitle)
        case "transitions":
            blocks += transitions(m, speaker, subtitle)
        case _:
            blocks += [*_charts(m, speaker, subtitle), measure_tables.values_table(m, speaker)]
    new = [r for r in m.findings.iter_rows(named=True) if (r["what"], r["where"]) not in told]
    told |= {(r["what"], r["where"]) for r in new}
    if new:
        items = tuple(say("measures.finding", what=row["what"], where=row["where"]) for row in new)
        blocks += [Prose((say("measures.findings"),)), Bullets(items)]
    return blocks


def _said(m: Measured) -> Iterable[Sentence]:
    """Meaning, source, coverage, extremes, caution."""
    indicator = str(m.facts["indicator"])
    yield say("measures.meaning", text=Name("indicator", f"{indicator}.meaning"))
    yield say("measures.made", input=m.input, rows=count(m.facts["n_rows"]), source=str(m.facts["source"]))
    if m.facts["variant"] != "default":
        yield say("measures.variant", variant=str(m.facts["variant"]))
    yield from _gaps(m)
    yield from _extremes(m)
    if m.facts["column"]:
        yield say("measures.column", column=str(m.facts["column"]))
    yield say("measures.caution", text=Name("indicator", f"{indicator}.caution"))


def _gaps(m: Measured) -> Iterable[Sentence]:
    missing = m.values.filter(pl.col("value").is_null())
    if missing.height:
        reasons = missing.group_by("reason").len().sort("len", descending=True).head(4)
        said = tuple(say("measures.reason", n=count(n), reason=Name("reason", str(r))) for r, n in reasons.iter_rows())
        yield say("measures.missing", n=count(missing.height), of=count(m.values.height), reasons=Listed(said))
    covered = m.facts["coverage"]
    if covered is not None and covered < 0.9995:
        yield say("measures.coverage", share=share(covered))


def _extremes(m: Measured) -> Iterable[Sentence]:
    """Who is highest and lowest in the last period, and whether the middle rose or fell since the first."""
    if m.shape != "ranked":
        return
    key, rows = m.labels[0], m.last().drop_nulls("value").sort("value", descending=True, maintain_order=True)
    if rows.height < 3:
        return
    top, bottom = (_named(m, key, part) for part in (rows.head(3), rows.tail(3).reverse()))
    values: dict[str, Value] = {"top": Listed(top), "bottom": Listed(bottom)}
    yield Sentence("measures.extremes_when", {**values, "time": str(m.periods[-1])}) if m.periods else Sentence("measures.extremes", values)
    if len(m.periods) > 1:
        places = measure_tables.decimals(m.last()["value"])
        then, now = m.first()["value"].median(), rows["value"].median()
        yield say("measures.middle", first=str(m.periods[0]), last=str(m.periods[-1]), then=number(then, places), now=number(now, places))


def _named(m: Measured, key: str, rows: pl.DataFrame) -> tuple[Value, ...]:
    places = measure_tables.decimals(m.last()["value"])
    return tuple(say("measures.named", name=m.both(key, r[key]), value=number(r["value"], places)) for r in rows.iter_rows(named=True))


def _charts(m: Measured, speaker: Speaker, subtitle: str) -> list[Block]:
    charts: list[Block] = []
    title = m.heading(speaker)
    if m.shape == "ranked" and m.labels[0] == "region" and m.places.height:
        drawn = measure_maps.map_of(m, speaker)
        if drawn is not None:
            when = str(m.periods[-1]) if m.periods else ""
            named = speaker.ui("title.measure_map", measure=title, time=when) if when else title
            charts.append(
                Chart(
                    f"measure-{m.name}-map",
                    named,
                    f"{subtitle} {speaker.ui('subtitle.measure_map_' + drawn.kind)}",
                    speaker.ui("alt.measure_map", measure=title),
                    drawn.figure,
                    m.last(),
                )
            )
    figure = measure_figures.figure_of(m, speaker)
    if figure is not None:
        alt = speaker.ui(f"alt.measure_{m.shape}", measure=title)
        named = speaker.ui(f"title.measure_{m.shape}", measure=title)
        charts.append(Chart(f"measure-{m.name}", named, subtitle, alt, figure, m.lead))
    return charts


def _subtitle(m: Measured, speaker: Speaker) -> str:
    """Unit, source, years."""
    unit = speaker.name(str(m.facts["unit"]), "unit")
    source = m.input
    if not m.periods:
        return speaker.ui("subtitle.measure", unit=unit, source=source)
    return speaker.ui("subtitle.measure_years", unit=unit, source=source, first=str(m.periods[0]), last=str(m.periods[-1]))
