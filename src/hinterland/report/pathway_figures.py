"""Figures of the pathway: when each host takes what in, what its capacity becomes, what support is paid, what restrictions cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from hinterland.plan.specks import NOTHING, Left
from hinterland.report.digits import compact
from hinterland.report.pathway_specks import rows_without_specks, without_specks
from hinterland.report.pathway_words import PlanWords
from hinterland.report.style import BLUE, CYCLE, INK, MUTED, ORANGE, RULE, SKY, WIDTH, drawing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLUMNS = 2
_SHADES = ("#f4f5f7", "#ffffff")
_SEEN = "#e9e4d8"
"""Ground of observed years."""
_STACK = (*CYCLE, MUTED, "#7a5195", "#8a8d3b", "#a8603f", "#3f7f7d", "#b3b6bb")
"""Colours of what a stack is made of."""


def panels(count: int, height: float, columns: int = _COLUMNS, *, sharex: bool = True) -> tuple[Figure, list[Axes]]:
    """A figure of ``count`` panels, in rows of ``columns``, each ``height`` inches high; call inside :func:`drawing`."""
    from matplotlib.figure import Figure

    wide = min(columns, count)
    rows = -(-count // wide)
    figure = Figure(figsize=(WIDTH, 0.55 + rows * height), layout="constrained")
    grid = figure.subplots(rows, wide, squeeze=False, sharex=sharex)
    flat = [grid[r][c] for r in range(rows) for c in range(wide)]
    for axes in flat[count:]:
        axes.set_visible(False)
    for axes in flat[max(0, count - wide) : count]:
        axes.tick_params(labelbottom=True)
    return figure, flat[:count]


def ground(axes: Axes, words: PlanWords) -> None:
    """Phases as bands; observed years in a colour of their own."""
    for number, row in enumerate(words.phases.iter_rows(named=True)):
        axes.axvspan(row["first_year"] - 0.5, row["last_year"] + 0.5, color=_SHADES[number % 2], zorder=0, linewidth=0)
    seen = words.rows("years").filter(pl.col("observed"))["year"].to_list() if words.rows("years").height else []
    if seen:
        axes.axvspan(min(seen) - 0.5, max(seen) + 0.5, color=_SEEN, zorder=0, linewidth=0)
    for row in words.phases.iter_rows(named=True):
        axes.axvline(row["last_year"] + 0.5, color=RULE, linewidth=0.6, zorder=0)


def timeline_data(words: PlanWords) -> tuple[pl.DataFrame, Left]:
    """``host``, ``label``, ``year``, ``moved``, ``new``: capacity decided by host, group (industry without groups) and year; and what is too small for it."""
    frame = words.rows("capacity").filter(pl.col("region").is_in(words.hosts))
    groups = words.rows("groups")
    frame = frame.rename({"region": "host"})
    labelled = frame.join(groups, on="industry", how="inner") if groups.height else frame.with_columns(group="industry")
    made = labelled.group_by("host", "year", label="group").agg(moved=pl.col("arrivals").sum(), new=pl.col("greenfield").sum())
    labels = groups["group"].unique(maintain_order=True) if groups.height else made["label"].unique().sort()
    order = pl.Enum(labels.to_list())
    return without_specks(
        words, made.sort("host", pl.col("label").cast(order), "year").select("host", "label", "year", "moved", "new"), ["moved", "new"]
    )


def gantt(data: pl.DataFrame, words: PlanWords) -> Figure:
    """One panel per host, one row per group: bars over the years, as high as what is decided in the year.

    Args:
        data: the frame of :func:`timeline_data`.
        words: names and phases.
    """
    labels = data["label"].unique(maintain_order=True).to_list()
    dim = "group" if words.rows("groups").height else "industry"
    largest = max(float((data["moved"] + data["new"]).to_numpy().max()), 1e-12)
    with drawing():
        figure, axes = panels(len(words.hosts), 0.42 + 0.21 * len(labels))
        for place, host in zip(axes, words.hosts, strict=True):
            ground(place, words)
            _bars(place, data.filter(host=host), labels, largest)
            place.set_title(words.said("host", host))
            place.set_yticks(range(len(labels)), [words.said(dim, g) for g in labels], fontsize=7)
            place.set_ylim(len(labels) - 0.45, -0.6)
            place.tick_params(axis="y", length=0)
            place.spines["left"].set_visible(False)
            _years(place, words)
        _timeline_legend(figure, words, largest)
    return figure


def _bars(axes: Axes, data: pl.DataFrame, labels: Sequence[str], largest: float) -> None:
    from matplotlib.patches import Rectangle

    for row in data.iter_rows(named=True):
        base = labels.index(row["label"]) + 0.4
        for value, colour in ((row["moved"], BLUE), (row["new"], SKY)):
            tall = 0.8 * value / largest
            if tall > 1e-4:
                base -= tall
                axes.add_patch(Rectangle((row["year"] - 0.45, base), 0.9, max(tall, 0.035), facecolor=colour, linewidth=0, zorder=2))
    for number in range(len(labels)):
        axes.axhline(number + 0.4, color=RULE, linewidth=0.4, zorder=1)


def _years(axes: Axes, words: PlanWords) -> None:
    first, last = int(words.phases["first_year"][0]), int(words.phases["last_year"][-1])
    step = max(1, -(-(last - first + 1) // 7))
    axes.set_xlim(first - 0.5, last + 0.5)
    axes.set_xticks(range(first, last + 1, step), [str(y) for y in range(first, last + 1, step)], fontsize=7.5)


def _timeline_legend(figure: Figure, words: PlanWords, largest: float) -> None:
    from matplotlib.patches import Patch

    speaker = words.speaker
    handles = [
        Patch(color=BLUE, label=speaker.ui("mark.pathway_moved")),
        Patch(color=SKY, label=speaker.ui("mark.pathway_new")),
        Patch(color=_SEEN, label=speaker.ui("mark.pathway_seen")),
        Patch(color="none", label=speaker.ui("mark.pathway_full", value=compact(largest, 3) + words.sign)),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=4, handlelength=1.2, columnspacing=1.4)


MOST = 5
"""Industries that have a colour of their own; the others are one."""


def capacity_data(words: PlanWords) -> pl.DataFrame:
    """``host``, ``industry`` (null for the others together), ``year``, ``capacity``: industries in groups (all without groups), most moved or built first."""
    frame = words.rows("capacity").filter(pl.col("region").is_in(words.hosts)).rename({"region": "host"})
    groups = words.rows("groups")
    if groups.height:
        frame = frame.filter(pl.col("industry").is_in(groups["industry"].unique().implode()))
    new = frame.group_by("industry").agg(new=(pl.col("arrivals") + pl.col("greenfield")).sum(), held=pl.col("capacity").sum())
    order = new.sort("new", "held", "industry", descending=[True, True, False])["industry"].to_list()
    named = order if len(order) <= MOST + 1 else order[:MOST]
    rank = {name: n for n, name in enumerate(named)}
    shown = pl.when(pl.col("industry").is_in(named)).then("industry").alias("industry")
    made = frame.with_columns(shown).group_by("host", "industry", "year").agg(pl.col("capacity").sum())
    place = pl.col("industry").replace_strict(rank, default=len(named), return_dtype=pl.Int64)
    return made.sort("host", place, "year").select("host", "industry", "year", "capacity")


def capacities(data: pl.DataFrame, words: PlanWords) -> Figure:
    """One panel per host: capacity by industry, stacked, year by year.

    Args:
        data: of :func:`capacity_data`.
        words: names and phases.
    """
    names = data["industry"].unique(maintain_order=True).to_list()
    colours = [MUTED if n is None else CYCLE[k % len(CYCLE)] for k, n in enumerate(names)]
    said = [words.speaker.ui("mark.pathway_others") if n is None else words.said("industry", n) for n in names]
    with drawing():
        figure, axes = panels(len(words.hosts), 1.75)
        for place, host in zip(axes, words.hosts, strict=True):
            ground(place, words)
            part = data.filter(host=host)
            years = part["year"].unique().sort().to_numpy()
            by = {(i, y): v for i, y, v in part.select("industry", "year", "capacity").iter_rows()}
            stacks = [[by.get((n, y), 0.0) for y in years] for n in names]
            place.stackplot(years, stacks, colors=colours, alpha=0.8, labels=said, linewidth=0, zorder=2)
            place.set_title(words.said("host", host))
            _years(place, words)
            place.yaxis.set_major_formatter(lambda value, _: compact(float(value), 3))
            place.tick_params(axis="y", labelsize=7.5)
        handles, texts = axes[0].get_legend_handles_labels()
        figure.legend(handles, texts, loc="outside lower center", ncols=3, handlelength=1.2, columnspacing=1.4)
        figure.supylabel(words.speaker.ui("axis.pathway_capacity") + words.sign, fontsize=8.5)
    return figure


def support_data(words: PlanWords) -> tuple[pl.DataFrame, Left]:
    """``host``, ``phase``, ``kind``, ``instrument``, ``amount``: money that is needed; and what is too small for it."""
    frame = words.rows("support_needed")
    frame = frame.filter(side="need") if frame.height else frame
    if not frame.height:
        return frame, NOTHING
    return rows_without_specks(words, frame.select("host", "phase", "kind", "instrument", "amount"), "amount", within=["kind"])


def support(data: pl.DataFrame, words: PlanWords, named: Mapping[tuple[str, str | None], str]) -> Figure:
    """Money by phase, and by host, stacked by what it is for.

    Args:
        data: of :func:`support_data`.
        words: names and phases.
        named: what each (kind, instrument) is called, in the order of the stack.
    """
    phases = [p for p in words.phases["phase"] if p in data["phase"].unique().to_list()]
    spans = {r["phase"]: words.span(r) for r in words.phases.iter_rows(named=True)}
    sides = [("phase", phases, [spans[p] for p in phases]), ("host", words.hosts, [words.said("host", h) for h in words.hosts])]
    with drawing():
        figure, axes = panels(2, 2.7, sharex=False)
        for place, (key, order, labels) in zip(axes, sides, strict=True):
            base = np.zeros(len(order))
            for number, ((kind, instrument), said) in enumerate(named.items()):
                part = data.filter(pl.col("kind") == kind, pl.col("instrument").eq_missing(pl.lit(instrument)))
                by = dict(part.group_by(key).agg(pl.col("amount").sum()).iter_rows())
                heights = np.array([by.get(o, 0.0) for o in order])
                place.bar(range(len(order)), heights, bottom=base, color=_STACK[number % len(_STACK)], width=0.65, label=said, linewidth=0)
                base += heights
            place.set_xticks(range(len(order)), labels, fontsize=7.5)
            place.set_xlim(-0.6, len(order) - 0.4)
            place.set_title(words.speaker.ui(f"mark.pathway_by_{key}"))
            place.yaxis.set_major_formatter(lambda value, _: compact(float(value), 3))
        handles, texts = axes[0].get_legend_handles_labels()
        figure.legend(handles, texts, loc="outside lower center", ncols=3, handlelength=1.2, columnspacing=1.4, fontsize=7.5)
        figure.supylabel(words.speaker.ui("axis.pathway_amount") + words.sign, fontsize=8.5)
    return figure


def cost_data(words: PlanWords) -> pl.DataFrame:
    """``constraint``, ``cost``, ``rows``: what each block of restrictions costs over all places and years, the costliest first; those with a number only."""
    frame = words.rows("restrictions")
    if not frame.height:
        return frame
    known = frame.filter(~pl.col("falls_short")).drop_nulls("cost")
    made = known.group_by("constraint").agg(pl.col("cost").sum(), pl.col("rows").sum())
    return made.sort("cost", "constraint", descending=[True, False])


def costs(data: pl.DataFrame, words: PlanWords) -> Figure:
    """A bar per restriction."""
    from hinterland.report.style import canvas

    shown = data.head(14)
    place = np.arange(shown.height, 0, -1)
    with drawing():
        figure, (axes,) = canvas(0.9 + 0.24 * shown.height)
        axes.barh(place, shown["cost"], height=0.66, color=ORANGE)
        axes.set_yticks(place, [words.constraint(c) for c in shown["constraint"]], fontsize=7.5)
        for at, value in zip(place, shown["cost"], strict=True):
            axes.annotate(compact(value, 3), (value, at), xytext=(4, 0), textcoords="offset points", va="center", fontsize=7, color=INK)
        axes.set_ylim(0.4, shown.height + 0.6)
        axes.margins(x=0.12)
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="x", color=RULE, linewidth=0.5)
        axes.set_axisbelow(True)
        axes.spines["left"].set_visible(False)
        axes.set_xlabel(words.speaker.ui("axis.pathway_cost") + words.sign)
        axes.xaxis.set_major_formatter(lambda value, _: compact(float(value), 3))
    return figure
