"""The chapter of transfer: how much moved, from where to where, in which mode, and what could come next."""

from __future__ import annotations

import json
from collections.abc import Iterator

import polars as pl

from hinterland.labels import Note
from hinterland.report import transfer_flow_figures as figures
from hinterland.report.blocks import Block, Bullets, Chart, Prose
from hinterland.report.digits import count, share
from hinterland.report.measure_excluded import excluded
from hinterland.report.record import Record
from hinterland.report.sentences import Both, Name, Ref, Sentence, Speaker, say
from hinterland.report.transfer_bars import bars
from hinterland.report.transfer_sections import constraints, drivers, heading, pattern, phases, reception, rows_of, security, structure
from hinterland.report.transfer_selection import selection
from hinterland.report.transfer_tables import tall, wide
from hinterland.report.transfer_words import Words

_PATHS = 5
_PAIRS = 20


def transfer(record: Record, speaker: Speaker, _: str = "") -> tuple[Block, ...]:
    """Every part of the analysis that has rows."""
    if not any(name.startswith("transfer_") for name in record.tables):
        return ()
    words = Words(record, speaker)
    blocks: list[Block] = [Prose((say("transfer.concepts"),))]
    absent = list(_absent(record))
    if absent:
        blocks += [Prose((say("transfer.absent", n=count(len(absent))),)), Bullets(tuple(absent))]
    blocks += excluded(words, speaker, {}, "transfer-excluded")
    if words.findings.height:
        found = tuple(say("measures.finding", what=row["what"], where=row["where"]) for row in words.findings.iter_rows(named=True))
        blocks += [Prose((say("transfer.findings"),)), Bullets(found)]
    for part in (_scale, structure, _paths, _flows, reception, pattern, drivers, constraints, selection, phases, security):
        blocks += part(words)
    return tuple(blocks)


def _absent(record: Record) -> Iterator[Sentence]:
    """What the analysis says that it lacks."""
    if not record.has("notes"):
        return
    for code, values in record.tables["notes"].filter(pl.col("scope") == "transfer").select("code", "values").iter_rows():
        note = Note(code, json.loads(values))
        yield say("transfer.note", text=Both(note.text("en"), note.text("zh")))


def _scale(words: Words) -> list[Block]:
    whole = rows_of(words, "scale", span="whole")
    if not whole.height:
        return []
    speaker, every = words.speaker, whole.filter(level="all")
    moved, closed = (_one(every, m) for m in ("gross-shift", "closure-share"))
    first, last = str(whole["time_from"].min()), str(whole["time"].max())
    blocks: list[Block] = [heading(words, "scale")]
    said = [say("transfer.scale", first=first, last=last, moved=share(moved), table=Ref("table", "transfer-industries"))]
    if closed is not None:
        said.append(say("transfer.closure", closed=share(closed)) if closed <= 1 else say("transfer.shrank"))
    blocks.append(Prose(tuple(said)))
    net = whole.filter(level="region", measure="absolute-transfer").drop_nulls("value").sort("value", descending=True)
    if net.height > 1:
        title = speaker.ui("title.transfer_regions", first=first, last=last)
        figure = bars([words.said("region", r) for r in net["region"]], net["value"].to_numpy(), speaker.ui("axis.transfer_net"))
        blocks.append(
            Chart("transfer-regions", title, speaker.ui("subtitle.transfer_regions"), speaker.ui("alt.transfer_regions"), figure, net)
        )
    columns = [("gross-shift", ""), ("concentration-shift", ""), ("closure-share", "")]
    title = speaker.ui("title.transfer_industries", first=first, last=last)
    blocks.append(
        wide(
            words,
            whole.filter(level="industry"),
            "industry",
            columns,
            name="transfer-industries",
            title=title,
            note="note.transfer_closure",
        )
    )
    return blocks


def _one(frame: pl.DataFrame, measure: str) -> float | None:
    found = frame.filter(measure=measure)["value"].drop_nulls()
    return float(found[0]) if len(found) else None


def _paths(words: Words) -> list[Block]:
    frame = rows_of(words, "paths")
    if not frame.height:
        return []
    speaker = words.speaker
    named = {"": speaker.ui("mark.all_industries")}
    name = pl.when(pl.col("level") == "group").then(pl.col("group")).otherwise(pl.coalesce("industry", pl.lit("")))
    series = frame.with_columns(series=name, lon="longitude", lat="latitude")
    moved = rows_of(words, "scale", span="whole", level="industry", measure="gross-shift").sort("value", descending=True, nulls_last=True)
    grouped = series.filter(level="group")["series"].unique(maintain_order=True).to_list()
    chosen = ["", *(grouped or moved["industry"].head(_PATHS).to_list())]
    shown = series.filter(pl.col("series").is_in(chosen))
    named |= {s: words.said("group" if grouped else "industry", s) for s in chosen if s}
    figure = figures.centre_paths(shown, named, speaker)
    chart = Chart(
        "transfer-paths",
        speaker.ui("title.transfer_paths"),
        speaker.ui("subtitle.transfer_paths"),
        speaker.ui("alt.transfer_paths"),
        figure,
        shown,
    )
    return [heading(words, "paths"), Prose((say("transfer.paths"),)), chart]


def _flows(words: Words) -> list[Block]:
    frame = rows_of(words, "flows", span="whole")
    blocks: list[Block] = []
    for (basis,), rows in frame.group_by("basis", maintain_order=True) if frame.height else ():
        blocks += _flow(words, str(basis), rows)
    return [heading(words, "flows"), *blocks] if blocks else []


def _flow(words: Words, basis: str, frame: pl.DataFrame) -> list[Block]:
    """Flows on one basis: a map, bands by group, and the largest pairs."""
    speaker = words.speaker
    lead = frame.filter((pl.col("measure") == frame["measure"][0]) & (pl.col("component") == frame["component"][0])).drop_nulls("value")
    pairs = lead.group_by(pl.col("region").alias("source"), pl.col("other").alias("host")).agg(pl.col("value").sum())
    pairs = pairs.sort("value", "source", "host", descending=[True, False, False])
    named = Name("transfer_basis", "modelled" if basis == "model" else basis)
    blocks: list[Block] = [Prose((say("transfer.flows", basis=named, n=count(pairs.height)),))]
    title = speaker.ui("title.transfer_map", basis=named)
    if words.places.height and words.places["lon"].null_count() == 0:
        figure = figures.flow_map(pairs, words.places, speaker, outlines=words.outlines)
        blocks.append(
            Chart(f"transfer-map-{basis}", title, speaker.ui("subtitle.transfer_map"), speaker.ui("alt.transfer_map"), figure, pairs)
        )
    if lead["group"].null_count() < lead.height:
        banded = lead.select(pl.col("region").alias("source"), "group", pl.col("other").alias("host"), "value")
        figure = figures.sankey(banded, words.regions, speaker)
        blocks.append(
            Chart(
                f"transfer-bands-{basis}",
                speaker.ui("title.transfer_bands", basis=named),
                speaker.ui("subtitle.transfer_bands"),
                speaker.ui("alt.transfer_bands"),
                figure,
                banded,
            )
        )
    shown = pairs.with_columns(measure=pl.lit("flow-sum"), component=pl.lit(""), time=pl.lit(None), reason=pl.lit(""))
    return [*blocks, tall(words, shown.head(_PAIRS), name=f"transfer-pairs-{basis}", title=speaker.ui("title.transfer_pairs", basis=named))]
