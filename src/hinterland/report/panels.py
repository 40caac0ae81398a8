"""Figures of many panels and of curves: event studies of many estimators, intervals by deviation, effects by dose, estimates in order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from hinterland.report.digits import compact, number
from hinterland.report.marks import Floats, column, draw_bars, event_ticks
from hinterland.report.sentences import Speaker
from hinterland.report.style import BLUE, INK, MUTED, ORANGE, PAPER, RULE, WIDTH, canvas, drawing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_IN_ONE = 3
"""Event studies that are drawn in one panel; more get a panel each."""
_ROOM = 0.12
_FAR = 3.0
"""A point further from the middle than so many times the spread of the headline's intervals does not widen the common axis."""


def event_grid(series: Mapping[str, pl.DataFrame], speaker: Speaker, *, unit: str, headline: str) -> Figure:
    """One event study per panel on common axes, with the path of ``headline`` as a grey line behind the others: from adoption on only,
    where it has no reference period and so no levels before.

    Args:
        series: event-time rows by estimator.
        speaker: the language.
        unit: label of the vertical axis.
        headline: the estimator whose path every panel repeats.
    """
    from matplotlib.figure import Figure

    across = 2 if len(series) <= 4 else 3
    down = -(-len(series) // across)
    with drawing():
        figure = Figure(figsize=(WIDTH, 0.5 + 1.55 * down), layout="constrained")
        grid = figure.subplots(down, across, squeeze=False, sharex=True, sharey=True)
        places = [axes for row in grid for axes in row]
        whole = np.concatenate([column(f, "event_time") for f in series.values()])
        for axes, (method, frame) in zip(places, series.items(), strict=False):
            _event_panel(axes, frame, None if method == headline else series.get(headline))
            axes.set_title(speaker.name(method, "method_short"), pad=3, fontsize=8.5)
            axes.set_xticks(event_ticks(whole, 7))
        for axes in places[len(series) :]:
            axes.set_axis_off()
        for k, axes in enumerate(places[: len(series)]):
            axes.tick_params(labelsize=7.5, labelbottom=k + across >= len(series), labelleft=k % across == 0)
        places[0].set_ylim(*common_range(series, headline))
        figure.supxlabel(speaker.ui("axis.event_time"), fontsize=9)
        figure.supylabel(unit, fontsize=9)
    return figure


def _event_panel(axes: Axes, frame: pl.DataFrame, behind: pl.DataFrame | None) -> None:
    axes.axhline(0, color=MUTED, linewidth=0.7, zorder=1)
    axes.axvline(-0.5, color=MUTED, linewidth=0.7, linestyle=(0, (4, 3)), zorder=1)
    if behind is not None:
        based = behind["reference"].any()
        path = behind.sort("event_time") if based else behind.filter(pl.col("event_time") >= 0).sort("event_time")
        axes.plot(column(path, "event_time"), column(path, "estimate"), color=MUTED, alpha=0.55, linewidth=1.1, zorder=1.5)
    ordered = frame.sort("event_time")
    x, y = column(ordered, "event_time"), column(ordered, "estimate")
    draw_bars(axes, x, ordered, "band", width=3.6, alpha=0.28)
    draw_bars(axes, x, ordered, "conf", width=1.5, alpha=0.95)
    reference = ordered["reference"].to_numpy().astype(bool)
    axes.plot(x[~reference], y[~reference], "o", color=BLUE, markersize=2.8, zorder=4)
    axes.plot(x[reference], np.zeros(int(reference.sum())), "o", markersize=3.4, markerfacecolor=PAPER, markeredgecolor=INK, zorder=4)


def common_range(series: Mapping[str, pl.DataFrame], headline: str) -> tuple[float, float]:
    """Limits of the common vertical axis: the headline's intervals and bands whole, and every other estimate that is not far beyond them."""
    lead = series.get(headline, next(iter(series.values())))
    own = np.concatenate([column(lead, c) for c in ("estimate", "conf_low", "conf_high", "band_low", "band_high")])
    low, high = np.nanmin(own), np.nanmax(own)
    middle, spread = (low + high) / 2, (high - low) / 2
    points = np.concatenate([column(f, "estimate") for f in series.values()])
    points = points[np.abs(points - middle) <= _FAR * spread]
    low, high = min(low, points.min(initial=low)), max(high, points.max(initial=high))
    return float(low - _ROOM * (high - low)), float(high + _ROOM * (high - low))


@dataclass(frozen=True, slots=True)
class Deviation:
    """One panel of intervals: ``rows`` have ``value, conf_low, conf_high``; ``original`` is the interval under parallel trends; no
    ``breakdown`` is drawn where it is NaN or infinite.
    """

    kind: str
    estimand: str
    rows: pl.DataFrame
    original: tuple[float, float]
    breakdown: float


def deviations(panels: Sequence[Deviation], speaker: Speaker, *, unit: str) -> Figure:
    """Intervals by the size of the deviation allowed: a row per kind of deviation, a column per estimand."""
    from matplotlib.figure import Figure

    kinds, abouts = (list(dict.fromkeys(getattr(p, name) for p in panels)) for name in ("kind", "estimand"))
    with drawing():
        figure = Figure(figsize=(WIDTH, 0.4 + 2.9 * len(kinds)), layout="constrained")
        grid = figure.subplots(len(kinds), len(abouts), squeeze=False, sharey="col")
        for axes in grid.flat:
            axes.set_axis_off()
        for panel in panels:
            row, place = kinds.index(panel.kind), abouts.index(panel.estimand)
            axes = grid[row, place]
            axes.set_axis_on()
            _deviation_panel(axes, panel, speaker)
            axes.set_xlabel(_wrapped(speaker.ui(f"axis.{panel.kind}"), 90 if len(abouts) == 1 else 44, speaker), fontsize=8.5)
            if len(panels) > 1:
                axes.set_title(speaker.name(panel.estimand, "deviation_estimand"), pad=5)
        figure.supylabel(unit, fontsize=9)
    return figure


def _deviation_panel(axes: Axes, panel: Deviation, speaker: Speaker) -> None:
    rows, original, breakdown = panel.rows, panel.original, panel.breakdown
    x = column(rows, "value")
    step = float(np.min(np.diff(x))) if len(x) > 1 else float(x[0] if len(x) else 1.0)
    first = float(x[0] - step) if len(x) else 0.0
    axes.axhline(0, color=MUTED, linewidth=0.8, zorder=1)
    axes.vlines([first], [original[0]], [original[1]], color=INK, linewidth=3, zorder=2)
    draw_bars(axes, x, rows, "conf", width=3, alpha=0.95)
    open_ = ~np.isfinite(column(rows, "conf_low")) | ~np.isfinite(column(rows, "conf_high"))
    low, high = axes.get_ylim()
    axes.vlines(x[open_], low, high, color=RULE, linewidth=3, zorder=1)
    ticks = x if len(x) <= 6 else x[:: -(-len(x) // 5)]
    axes.set_xticks([first, *ticks], [speaker.ui("mark.original"), *(f"{t:.2g}" for t in ticks)])
    if np.isfinite(breakdown) and len(x) and breakdown <= x[-1] + step:
        axes.axvline(breakdown, color=ORANGE, linewidth=1.1, linestyle=(0, (4, 3)), zorder=1)
        right = breakdown < first + 0.6 * (x[-1] - first)
        axes.annotate(
            speaker.ui("mark.breakdown", value=number(breakdown, 2) if breakdown >= 0.1 else compact(breakdown, 2)),
            (breakdown, 1.0),
            xycoords=("data", "axes fraction"),
            xytext=(4 if right else -4, -2),
            textcoords="offset points",
            ha="left" if right else "right",
            va="top",
            color=ORANGE,
            fontsize=8.5,
            bbox={"facecolor": PAPER, "edgecolor": "none", "alpha": 0.85, "pad": 1},
        )
    axes.margins(x=0.08, y=0.14)


def _wrapped(words: str, most: int, speaker: Speaker) -> str:
    """``words`` in lines of at most about ``most`` Latin letters, which are half as wide as Chinese ones; Chinese lines of equal length."""
    import textwrap

    if speaker.language == "en":
        return "\n".join(textwrap.wrap(words, most))
    size = sum(2 if c > "\u2e80" else 1 for c in words)
    width = -(-len(words) // max(1, -(-size // most)))
    return "\n".join(words[k : k + width] for k in range(0, len(words), width))


def ranked(rows: pl.DataFrame, names: Mapping[str, str], speaker: Speaker, *, unit: str, reference: float) -> Figure:
    """Many estimates in order of size, with the few in ``names`` (``dropped`` → words) named.

    Args:
        rows: ``dropped, estimate, conf_low, conf_high``.
        names: what to write beside which rows.
        speaker: the language.
        unit: label of the vertical axis.
        reference: the estimate that they are held against.
    """
    frame = rows.sort("estimate")
    with drawing():
        figure, (axes,) = canvas(3.4)
        x, y = np.arange(frame.height, dtype=np.float64), column(frame, "estimate")
        axes.axhline(0, color=MUTED, linewidth=0.8, zorder=1)
        axes.axhline(reference, color=BLUE, linewidth=0.9, linestyle=(0, (4, 3)), zorder=1)
        draw_bars(axes, x, frame, "conf", width=max(0.5, min(2.0, 260 / frame.height)), alpha=0.35)
        axes.plot(x, y, "o", color=BLUE, markersize=max(1.6, min(4.5, 480 / frame.height)), zorder=4)
        for k, dropped in enumerate(frame["dropped"]):
            if dropped in names:
                left = k < frame.height / 2
                axes.plot(x[k], y[k], "o", color=ORANGE, markersize=4.5, zorder=5)
                axes.annotate(
                    names[dropped],
                    (x[k], y[k]),
                    xytext=(7 if left else -7, -9 if left else 8),
                    textcoords="offset points",
                    ha="left" if left else "right",
                    color=ORANGE,
                    fontsize=8,
                    zorder=6,
                    bbox={"facecolor": PAPER, "edgecolor": "none", "alpha": 0.8, "pad": 0.8},
                )
        axes.set_xticks([])
        axes.set_xlabel(speaker.ui("axis.rank"))
        axes.set_ylabel(unit)
        axes.margins(x=0.02, y=0.12)
    return figure


def dose_curves(curves: Mapping[str, pl.DataFrame], speaker: Speaker, *, outcome: str) -> Figure:
    """Effects by dose: a panel for ``att`` and one for ``acrt``, whichever there are; rows ``dose, estimate`` and intervals."""
    with drawing():
        figure, axes = canvas(3.4, max(len(curves), 1))
        for k, (name, frame) in enumerate(curves.items()):
            ordered = frame.sort("dose")
            x, y = column(ordered, "dose"), column(ordered, "estimate")
            axes[k].axhline(0, color=MUTED, linewidth=0.8, zorder=1)
            _ribbon(axes[k], x, ordered, "band", 0.14)
            _ribbon(axes[k], x, ordered, "conf", 0.28)
            axes[k].plot(x, y, "-o", color=BLUE, markersize=3.6, linewidth=1.4, zorder=4)
            axes[k].set_xlabel(speaker.ui("axis.dose"))
            axes[k].set_ylabel(_wrapped(speaker.ui(f"axis.curve_{name}", outcome=outcome), 44, speaker))
            axes[k].margins(x=0.03, y=0.1)
    return figure


def _ribbon(axes: Axes, x: Floats, frame: pl.DataFrame, name: str, alpha: float) -> None:
    low, high = column(frame, f"{name}_low"), column(frame, f"{name}_high")
    if np.isfinite(low).any():
        axes.fill_between(x, low, high, color=BLUE, alpha=alpha, linewidth=0, zorder=2)
