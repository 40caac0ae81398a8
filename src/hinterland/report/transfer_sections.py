"""Sections of the chapter of transfer that are tables: kinds, modes, drivers, constraints, phases, security."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from hinterland.report.blocks import Block, Heading, Prose
from hinterland.report.sentences import say
from hinterland.report.transfer_tables import grid, tall
from hinterland.report.transfer_words import Words

_COLUMNS = 8
"""Most hosts that are set side by side; more are listed below each other."""


def heading(words: Words, name: str) -> Heading:
    """The heading of a part of the analysis."""
    return Heading(words.speaker.labelled(f"transfer_table.transfer_{name}"))


def rows_of(words: Words, name: str, **keys: object) -> pl.DataFrame:
    """Rows of a frame with these keys; empty where the record does not have it."""
    frame = words.record.tables.get(f"transfer_{name}")
    if frame is None:
        return pl.DataFrame()
    for key, value in keys.items():
        frame = frame.filter(pl.col(key) == value)
    return frame


def structure(words: Words) -> list[Block]:
    """How much of each group moved, and which groups each region gained and lost."""
    frame = rows_of(words, "structure", span="whole")
    if not frame.height:
        return []
    speaker, blocks = words.speaker, [heading(words, "structure")]
    groups = frame.filter(pl.col("level") == "group", pl.col("measure").is_in(["gross-shift", "concentration-shift", "closure-share"]))
    if groups.height:
        title = speaker.ui("title.transfer_groups")
        blocks.append(grid(words, groups, ["group"], "measure", name="transfer-groups", title=title, note="note.transfer_closure"))
    moved = frame.filter(level="region-group", measure="absolute-transfer")
    if moved.height:
        blocks.append(grid(words, moved, ["region"], "group", name="transfer-structure", title=speaker.ui("title.transfer_structure"), sort=True))
    return blocks


def reception(words: Words) -> list[Block]:
    """What drew arrivals: shares of each mode into each host."""
    return _modes(words, "reception", "reception_kind")


def pattern(words: Words) -> list[Block]:
    """Shares of each pattern in what flows into each host."""
    return _modes(words, "pattern", "transfer_label")


def _modes(words: Words, name: str, section: str) -> list[Block]:
    frame = rows_of(words, name)
    if not frame.height:
        return []
    frame = frame.with_columns(pl.col("other").alias("host"), pl.col("component").alias(section))
    shares = frame.filter((pl.col("measure") == f"{name}-share") & (pl.col("span").fill_null("whole") == "whole"))
    blocks: list[Block] = [heading(words, name), Prose((say(f"transfer.{name}"),))]
    keys = ["basis", "host"] if shares["basis"].n_unique() > 1 else ["host"]
    title = words.speaker.labelled(f"transfer_table.transfer_{name}")
    if shares.height:
        return [*blocks, grid(words, shares, keys, section, name=f"transfer-{name}", title=title)]
    return [*blocks, tall(words, frame, name=f"transfer-{name}", title=title)]


def drivers(words: Words) -> list[Block]:
    """Stages of industries, costs of hosts, places in chains."""
    frame = rows_of(words, "drivers")
    blocks: list[Block] = []
    for (measure,), rows in frame.group_by("measure", maintain_order=True) if frame.height else ():
        name, title = f"transfer-{measure}", words.measure(str(measure))
        if measure == "product-cycle":
            lead = rows.filter(pl.col("component") == rows["component"][0]).sort("value", "industry", nulls_last=True)
            blocks.append(tall(words, lead, name=name, title=title))
        elif measure == "location-cost":
            blocks += _costs(words, rows, name, title)
        else:
            blocks += _measured(words, rows, name, title)
    return [heading(words, "drivers"), *blocks] if blocks else []


def _costs(words: Words, frame: pl.DataFrame, name: str, title: str) -> list[Block]:
    """Costs that are the same for every industry of a host in one table; the others by industry."""
    counts = frame.group_by("component", "region", maintain_order=True).agg(pl.col("value").drop_nulls().n_unique().alias("n"))
    plain = [c for c in frame["component"].unique(maintain_order=True) if (counts.filter(component=c)["n"] <= 1).all()]
    common = frame.filter(pl.col("component").is_in(plain)).drop_nulls("value").unique(["region", "component"], maintain_order=True)
    blocks: list[Block] = [grid(words, common, ["region"], "component", name=name, title=title)] if common.height else []
    for (component,), rows in frame.filter(~pl.col("component").is_in(plain)).group_by("component", maintain_order=True):
        said = words.measure(name, str(component))
        blocks += _measured(words, rows, f"{name}-{component}", f"{title}: {said}")
    return blocks


def constraints(words: Words) -> list[Block]:
    """What holds hosts back, as scored."""
    frame = rows_of(words, "constraints")
    if not frame.height:
        return []
    title = words.speaker.labelled("transfer_table.transfer_constraints")
    return [heading(words, "constraints"), tall(words, frame, name="transfer-constraints", title=title)]


def phases(words: Words) -> list[Block]:
    """Breaks of each series, the phases between them, and how far policies are from breaks."""
    frame = rows_of(words, "phases")
    if not frame.height:
        return []
    speaker, keys = words.speaker, ["named"]
    frame = frame.with_columns(named=pl.Series([_named(words, row) for row in frame.iter_rows(named=True)], dtype=pl.String))
    blocks: list[Block] = [heading(words, "phases"), Prose((say("transfer.phases"),))]
    shown = ["break-count", "break-1", "break-2", "break-3", "sup-f-p", "explained-by-breaks"]
    breaks = frame.filter(pl.col("measure").is_in(["structural-breaks", "common-breaks"]) & pl.col("component").is_in(shown))
    if breaks.height:
        title = speaker.ui("title.transfer_breaks")
        blocks.append(grid(words, breaks, keys, "component", name="transfer-breaks", title=title, columns=shown, whole=shown[:4]))
    means = frame.filter(measure="phase", component="phase-mean")
    if means.height:
        spans = means.with_columns(span=pl.format("{}–{}", "time_from", "time"))
        blocks.append(grid(words, spans, [*keys, "span"], "component", name="transfer-phases", title=speaker.ui("title.transfer_phases")))
    policies = frame.filter(measure="policy-distance")
    if policies.height:
        title = speaker.ui("title.transfer_policies")
        blocks.append(grid(words, policies, keys, "policy", name="transfer-policies", title=title))
    return blocks


def _named(words: Words, row: dict[str, object]) -> str:
    """A series with its region or group."""
    of = [words.said(k, row[k]) for k in ("region", "group") if row[k] is not None]
    return words.speaker.ui("mark.series_of", series=words.said("series", row["series"]), of=of[0]) if of else words.said("series", row["series"])


def security(words: Words) -> list[Block]:
    """Linkages, extraction, supply, self-sufficiency and resilience: hosts or components side by side, in the last year."""
    frame = rows_of(words, "security")
    if not frame.height:
        return []
    blocks: list[Block] = [heading(words, "security")]
    frame = frame.with_columns(industry=pl.coalesce("industry", "item"))
    left = ("actual-change", "expected-change", "backward-variation", "forward-variation", "supply-hhi")
    for (measure, component), rows in frame.group_by("measure", "component", maintain_order=True):
        if component in left or measure in ("hypothetical-extraction", "embodied-self-sufficiency"):
            continue
        title = words.measure(str(measure))
        said = words.measure(str(measure), str(component or ""))
        blocks += _measured(words, rows, f"transfer-{measure}-{component or 'all'}", title if said == title else f"{title}: {said}")
    for measure in ("embodied-self-sufficiency", "hypothetical-extraction"):
        for level in ("region", "industry"):
            rows = _latest(frame.filter(measure=measure, level=level))
            if rows.height:
                title = words.measure(measure) + _year(rows)
                blocks.append(grid(words, rows, [level], "component", name=f"transfer-{measure}-{level}", title=title, sort=True))
    return blocks


def _measured(words: Words, frame: pl.DataFrame, name: str, title: str) -> list[Block]:
    """One number of a measure: industries by hosts, or regions by years; as it is where that does not fit."""
    hosts = _hosts(words)
    cells = frame.filter(pl.col("region").is_in(hosts) & pl.col("industry").is_not_null())
    if cells.height and len(hosts) <= _COLUMNS:
        latest = _latest(cells)
        return [grid(words, latest, ["industry"], "region", name=name, title=title + _year(latest), columns=hosts)]
    times = frame["time"].drop_nulls().unique().sort().to_list()
    if frame["industry"].null_count() == frame.height and 1 < len(times) <= _COLUMNS:
        when = pl.when(pl.col("time_from").is_not_null()).then(pl.format("{}–{}", "time_from", "time")) if "time_from" in frame.columns else None
        text = pl.col("time").cast(pl.String)
        timed = frame.sort("time").with_columns(span=text if when is None else when.otherwise(text))
        return [grid(words, timed, ["region"], "span", name=name, title=title, sort=True)]
    return [tall(words, _latest(frame).sort("rank", "value", nulls_last=True, maintain_order=True), name=name, title=title)]


def _hosts(words: Words) -> Sequence[str]:
    frame = rows_of(words, "selection", measure="relatedness-density")
    return frame["region"].unique(maintain_order=True).to_list() if frame.height else []


def _latest(frame: pl.DataFrame) -> pl.DataFrame:
    return frame if frame["time"].null_count() == frame.height else frame.filter(pl.col("time") == frame["time"].max())


def _year(frame: pl.DataFrame) -> str:
    return f" ({frame['time'].max()})" if frame.height and frame["time"].null_count() < frame.height else ""
