"""Figures of choice and doubt: the front between objectives, ranges of alternatives, and how far parameters move the objective."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from hinterland.report.digits import compact
from hinterland.report.marks import column
from hinterland.report.pathway_figures import panels
from hinterland.report.pathway_words import PlanWords
from hinterland.report.style import BLUE, GREEN, INK, MUTED, ORANGE, RULE, canvas, drawing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST = 24
"""Ranges, and parameters, that are drawn."""
_PALE = 0.4
"""Strength of what prices say, against plans that were made again."""
_COLOURS = {"must-have": GREEN, "must-avoid": ORANGE, "free": BLUE}


def front(frame: pl.DataFrame, words: PlanWords) -> Figure:
    """The first objective against each of the others; points that repeat another are hollow.

    Args:
        frame: ``point``, ``objective``, ``value``, ``unit``, ``distinct``.
        words: names.
    """
    aims = frame.unique("objective", maintain_order=True)
    names = aims["objective"].to_list()
    axis = {o: f"{words.said('objective', o)}\n{words.unit(u)}{words.sign}" for o, u in aims.select("objective", "unit").iter_rows()}
    wide = frame.pivot("objective", index="point", values="value").sort("point")
    same = frame.group_by("point").agg((~pl.col("distinct").fill_null(value=True)).any()).sort("point")["distinct"].to_numpy()
    with drawing():
        figure, axes = panels(len(names) - 1, 2.9)
        for place, other in zip(axes, names[1:], strict=True):
            x, y = column(wide, names[0]), column(wide, other)
            order = np.argsort(x, kind="stable")
            place.plot(x[order], y[order], color=RULE, linewidth=1, zorder=1)
            place.scatter(x, y, s=26, facecolor=np.where(same, "white", BLUE), edgecolor=BLUE, zorder=2)
            for at, point in enumerate(wide["point"]):
                place.annotate(str(point), (x[at], y[at]), xytext=(4, 4), textcoords="offset points", fontsize=7, color=MUTED)
            place.set_xlabel(axis[names[0]])
            place.set_ylabel(axis[other])
            place.margins(0.08)
            for side in (place.xaxis, place.yaxis):
                side.set_major_formatter(lambda value, _: f"{value:,.6g}")
            place.tick_params(labelsize=7.5)
    return figure


def ranges(frame: pl.DataFrame, words: PlanWords) -> Figure:
    """A line from the least to the most capacity for each host and group, the plan's own as a dot; wider slacks are paler.

    Args:
        frame: ``slack``, ``host``, ``group``, ``year``, ``optimum``, ``low``, ``high``, ``verdict``.
        words: names.
    """
    slacks = sorted(frame["slack"].unique().to_list())
    last = frame.filter(pl.col("slack") == slacks[-1]).with_columns(reach=pl.col("high") - pl.col("low"))
    last = last.sort("reach", descending=True).head(MOST).sort("host", "group", "year")
    keys = list(last.select("host", "group", "year").iter_rows())
    place = {key: len(keys) - n for n, key in enumerate(keys)}
    with drawing():
        figure, (axes,) = canvas(0.9 + 0.21 * len(keys))
        for number, slack in enumerate(reversed(slacks)):
            for row in frame.filter(pl.col("slack") == slack).iter_rows(named=True):
                at = place.get((row["host"], row["group"], row["year"]))
                if at is not None:
                    strength = 0.35 + 0.65 * (number + 1) / len(slacks)
                    colour = _COLOURS.get(row["verdict"], MUTED)
                    axes.plot(
                        [row["low"], row["high"]],
                        [at, at],
                        color=colour,
                        alpha=strength,
                        linewidth=2.2 + 1.6 * number,
                        solid_capstyle="butt",
                    )
                    axes.plot([row["low"], row["high"]], [at, at], "|", color=colour, markersize=5.5, markeredgewidth=1.4)
        axes.plot([r["optimum"] for r in last.iter_rows(named=True)], [place[k] for k in keys], "o", color=INK, markersize=3.4, zorder=4)
        said = [
            words.speaker.ui("mark.pathway_range", host=words.said("host", h), group=words.said("group", g), year=str(y))
            for h, g, y in keys
        ]
        axes.set_yticks([place[k] for k in keys], said, fontsize=7)
        axes.set_ylim(0.3, len(keys) + 0.7)
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="x", color=RULE, linewidth=0.5)
        axes.set_axisbelow(True)
        axes.spines["left"].set_visible(False)
        axes.set_xlabel(words.speaker.ui("axis.pathway_capacity") + words.sign)
        axes.xaxis.set_major_formatter(lambda value, _: compact(float(value), 3))
        _range_legend(figure, words, slacks)
    return figure


def _range_legend(figure: Figure, words: PlanWords, slacks: list[float]) -> None:
    from matplotlib.lines import Line2D

    speaker = words.speaker
    handles = [Line2D([], [], marker="o", linestyle="", color=INK, markersize=4, label=speaker.ui("mark.pathway_optimum"))]
    handles += [Line2D([], [], color=c, linewidth=3, label=words.said("verdict", v)) for v, c in _COLOURS.items()]
    for number, slack in enumerate(slacks):
        wide = 2.2 + 1.6 * (len(slacks) - 1 - number)
        label = speaker.ui("mark.pathway_slack", percent=compact(100 * slack, 2))
        handles.append(Line2D([], [], color=MUTED, alpha=0.35 + 0.65 * (len(slacks) - number) / len(slacks), linewidth=wide, label=label))
    figure.legend(handles=handles, loc="outside lower center", ncols=4, handlelength=1.6, columnspacing=1.4)


def tornado(frame: pl.DataFrame, words: PlanWords, base: float) -> Figure:
    """A bar from the objective at the low end of a parameter's range to that at its high end, the widest on top.

    Args:
        frame: ``parameter``, ``at_low``, ``at_high``, ``again`` (the plan was made again; else by its prices), by width.
        words: names.
        base: the objective of the plan.
    """
    shown = frame.drop_nulls(["at_low", "at_high"]).head(MOST)
    place = np.arange(shown.height, 0, -1)
    with drawing():
        figure, (axes,) = canvas(1.0 + 0.23 * shown.height)
        for end, colour in (("at_low", BLUE), ("at_high", ORANGE)):
            width = column(shown, end) - base
            solid = shown["again"].to_numpy().astype(bool)
            for flag, strength in ((True, 0.9), (False, _PALE)):
                at = solid == flag
                axes.barh(place[at], width[at], left=base, height=0.62, color=colour, alpha=strength, linewidth=0)
        axes.axvline(base, color=INK, linewidth=0.8)
        axes.set_yticks(place, [words.parameter(row) for row in shown.iter_rows(named=True)], fontsize=7.5)
        axes.set_ylim(0.3, shown.height + 0.7)
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        unit = words.unit(str(shown["unit"][0])) if shown.height else ""
        axes.set_xlabel(words.speaker.ui("mark.pathway_with_unit", name=words.said("objective", words.aim), unit=unit) + words.sign)
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.6g}")
        axes.margins(x=0.06)
        _tornado_legend(figure, words, pale=not bool(shown["again"].all()))
    return figure


def _tornado_legend(figure: Figure, words: PlanWords, *, pale: bool) -> None:
    from matplotlib.patches import Patch

    speaker = words.speaker
    handles = [Patch(color=BLUE, label=speaker.ui("mark.pathway_at_low")), Patch(color=ORANGE, label=speaker.ui("mark.pathway_at_high"))]
    if pale:
        handles.append(Patch(color=MUTED, alpha=_PALE, label=speaker.ui("mark.pathway_by_prices")))
    figure.legend(handles=handles, loc="outside lower center", ncols=3, handlelength=1.4)
