"""Local spatial clusters: a map by kind of cluster, how many of each there are, and who is in them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from hinterland.report.blocks import Block, Bullets, Chart
from hinterland.report.digits import count, number, p_cell
from hinterland.report.measure_record import Measured
from hinterland.report.measure_shapes import fill, place_points, shaped
from hinterland.report.measure_tables import remarks, shortened
from hinterland.report.sentences import Listed, Sentence, Speaker, Value, say
from hinterland.report.style import BLUE, MUTED, ORANGE, SKY, YELLOW, canvas, drawing
from hinterland.report.table import Heading, Row, Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.path import Path

KINDS = (1, 3, 2, 4, 0)
"""High among high, low among low, low among high, high among low, not significant."""
_COLOURS = {1: ORANGE, 3: BLUE, 2: SKY, 4: YELLOW, 0: "#e7e9ec"}
_NAMED = 40
CLUSTER = "lisa-cluster"


def clusters(m: Measured, speaker: Speaker, subtitle: str) -> list[Block]:
    """Every block of the section after its text."""
    blocks: list[Block] = [Bullets(tuple(_members(m)))]
    if m.places.height and _kinds(m, m.periods[-1] if m.periods else None).height >= 3:
        title = speaker.ui("title.measure_clusters", measure=m.title(speaker))
        note = re.split("[;；.。]", speaker.ui("subtitle.measure_map_" + ("shapes" if m.outlines.height else "points")))[0]
        alt = speaker.ui("alt.measure_clusters", measure=m.title(speaker))
        said = f"{subtitle} {note}{'.' if speaker.language == 'en' else '。'}"
        blocks.append(Chart(f"measure-{m.name}-map", title, said, alt, _maps(m, speaker), m.of(CLUSTER)))
    blocks += [_counts(m, speaker), _significant(m, speaker)]
    return blocks


def _kinds(m: Measured, period: int | None) -> pl.DataFrame:
    rows = m.of(CLUSTER).drop_nulls("value")
    return rows if period is None else rows.filter(pl.col("time") == period)


def _members(m: Measured) -> list[Sentence]:
    """Who is in each kind of cluster in the last period."""
    last = _kinds(m, m.periods[-1] if m.periods else None)
    said = []
    for kind in KINDS[:4]:
        regions = last.filter(pl.col("value") == kind)["region"].to_list()
        names = tuple(m.both("region", r) for r in m.ordered("region", regions)[:_NAMED])
        values: dict[str, Value] = {"n": count(len(regions)), "kind": say(f"measures.cluster_{kind}")}
        more = len(regions) - len(names)
        if not names:
            said.append(say("measures.cluster_none", kind=values["kind"]))
        elif more:
            said.append(say("measures.cluster_more", **values, names=Listed(names), more=count(more)))
        else:
            said.append(say("measures.cluster", **values, names=Listed(names)))
    return said


def _maps(m: Measured, speaker: Speaker) -> Figure:
    """One panel for up to three periods."""
    from matplotlib.patches import Patch

    periods: list[int | None] = [*m.periods] or [None]
    chosen = [periods[i] for i in sorted({0, len(periods) // 2, len(periods) - 1})]
    with drawing():
        shapes = shaped(m.outlines) if m.outlines.height else []
        figure, panels = canvas(2.75 if len(chosen) > 1 else 4.2, len(chosen))
        for axes, period in zip(panels, chosen, strict=True):
            _map(axes, m, shapes, period)
            if period is not None:
                axes.set_title(str(period), loc="center")
        named = [Patch(facecolor=_COLOURS[k], edgecolor=MUTED, linewidth=0.4, label=speaker.ui(f"mark.cluster_{k}")) for k in KINDS]
        if m.outlines.height:
            named.append(Patch(facecolor="white", edgecolor=MUTED, linewidth=0.4, label=speaker.ui("mark.no_value")))
        figure.legend(handles=named, loc="outside lower center", ncols=len(named), columnspacing=1.2, handlelength=1.2, fontsize=7.5)
    return figure


def _map(axes: Axes, m: Measured, shapes: Sequence[tuple[str | None, Path]], period: int | None) -> None:
    kinds = dict(_kinds(m, period).select("region", "value").iter_rows())
    if shapes:
        fill(axes, shapes, {r: _COLOURS[int(k)] for r, k in kinds.items()}, small=True)
    else:
        known = m.places.drop_nulls(["lon", "lat"]).filter(pl.col("region").is_in(list(kinds)))
        rank = [int(kinds[r] != 0) for r in known["region"]]
        known = known[list(np.argsort(rank, kind="stable"))]
        _frame(axes, m)
        place_points(axes, known, [_COLOURS[int(kinds[r])] for r in known["region"]], size=11)


def _frame(axes: Axes, m: Measured) -> None:
    """The same extent in every panel."""
    places = m.places.drop_nulls(["lon", "lat"])
    for column, limit in (("lon", axes.set_xlim), ("lat", axes.set_ylim)):
        low, high = places[column].to_numpy().min(), places[column].to_numpy().max()
        limit(low - 0.04 * (high - low), high + 0.04 * (high - low))


def _counts(m: Measured, speaker: Speaker) -> Table:
    """How many regions of each kind, by period."""
    periods: list[int | None] = [*m.periods] or [None]
    rows = []
    for period in periods:
        found = _kinds(m, period)["value"]
        rows.append(Row((str(period or ""), *(count(int((found == k).sum())) for k in KINDS), count(len(found)))))
    headings = [
        Heading(speaker.ui("col.key_time"), "left"),
        *(Heading(speaker.ui(f"mark.cluster_{k}")) for k in KINDS),
        Heading(speaker.ui("col.n_used")),
    ]
    return Table(
        f"measure-{m.name}-counts",
        speaker.ui("title.measure_cluster_counts", measure=m.title(speaker)),
        tuple(headings),
        tuple(rows),
        "",
        (),
    )


def _significant(m: Measured, speaker: Speaker) -> Table:
    """The regions that are in a cluster in the last period: kind, local I, neighbours' mean, p-values."""
    parts = {c: dict(m.last(m.of(c)).select("region", "value").iter_rows()) for c in ("local-moran-i", "spatial-lag", "lisa-p", "lisa-q")}
    kinds = dict(m.last(m.of(CLUSTER)).drop_nulls("value").filter(pl.col("value") != 0).select("region", "value").iter_rows())
    order = sorted(kinds, key=lambda r: (KINDS.index(int(kinds[r])), -(parts["local-moran-i"].get(r) or 0), r))
    rows = [
        Row(
            (
                speaker.ui(f"mark.cluster_{int(kinds[r])}"),
                m.place(speaker, "region", r),
                number(parts["local-moran-i"].get(r), 2),
                number(parts["spatial-lag"].get(r), 2),
                p_cell(parts["lisa-p"].get(r)),
                p_cell(parts["lisa-q"].get(r)),
            )
        )
        for r in order
    ]
    headings = [Heading(speaker.ui("col.cluster"), "left"), Heading(speaker.ui("col.key_region"), "left")]
    headings += [Heading(m.component_name(speaker, c)) for c in ("local-moran-i", "spatial-lag", "lisa-p", "lisa-q")]
    when = str(m.periods[-1]) if m.periods else ""
    title = speaker.ui("title.measure_clustered", measure=m.title(speaker), time=when)
    return shortened(Table(f"measure-{m.name}", title, tuple(headings), tuple(rows), "", remarks(m, speaker)), speaker, len(rows))
