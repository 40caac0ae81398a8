"""The figure of a moderation: the line with its bands, effects by bin and stratum, and who is at which value."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from hinterland.report.marks import column
from hinterland.report.sentences import Speaker
from hinterland.report.style import BLUE, GREEN, INK, MUTED, ORANGE, PAPER, RULE, WIDTH, drawing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_ASIDE = 0.012
"""How far the strata are set beside the bins, as a share of the axis."""
_ROOM = 2.2
"""The vertical axis reaches no further than so many times the span of the line's pointwise interval."""


def moderation_figure(
    line: pl.DataFrame,
    bins: pl.DataFrame,
    histogram: pl.DataFrame,
    shared: tuple[float, float],
    speaker: Speaker,
    *,
    names: tuple[str, str, str],
) -> Figure:
    """Effects along a moderator above, units by its value below.

    Args:
        line: ``value, estimate`` and its intervals and bands, on a grid.
        bins: effects by bin of versions ``binning`` and ``strata``.
        histogram: ``low, high, n_treated, n_comparison``.
        shared: the range that treated and comparison units share.
        speaker: the language.
        names: of the effect's axis, the moderator's axis, and the estimator of the strata.
    """
    from matplotlib.figure import Figure

    effect, moderator, method = names
    with drawing():
        figure = Figure(figsize=(WIDTH, 4.3), layout="constrained")
        above, below = figure.subplots(2, 1, sharex=True, height_ratios=[3.2, 1])
        _line(above, line, speaker)
        _bins(above, bins, line, speaker, method)
        for end in shared:
            above.axvline(end, color=MUTED, linewidth=0.7, linestyle=(0, (2, 2)), zorder=1)
            below.axvline(end, color=MUTED, linewidth=0.7, linestyle=(0, (2, 2)), zorder=1)
        above.set_ylim(*_limits(line, bins))
        above.set_ylabel(effect)
        above.legend(loc="lower left", bbox_to_anchor=(-0.01, 1.0), ncols=3, borderaxespad=0.1)
        _histogram(below, histogram, speaker)
        below.set_xlabel(moderator)
        below.set_ylabel(speaker.ui("axis.moderation_units"))
    return figure


def _line(axes: Axes, line: pl.DataFrame, speaker: Speaker) -> None:
    x = column(line, "value")
    axes.axhline(0, color=MUTED, linewidth=0.8, zorder=1)
    for name, alpha in (("band", 0.13), ("conf", 0.24)):
        axes.fill_between(x, column(line, f"{name}_low"), column(line, f"{name}_high"), color=BLUE, alpha=alpha, linewidth=0, zorder=2)
    axes.plot(x, column(line, "estimate"), color=BLUE, linewidth=1.6, zorder=3, label=speaker.ui("mark.moderation_line"))


def _bins(axes: Axes, bins: pl.DataFrame, line: pl.DataFrame, speaker: Speaker, method: str) -> None:
    span = float(np.ptp(column(line, "value")))
    strata = bins.filter(pl.col("version") == "strata")
    first = strata.filter(pl.col("method") == strata["method"][0]) if strata.height else strata
    kinds = (
        (bins.filter(pl.col("version") == "binning"), -1, "o", ORANGE, speaker.ui("mark.moderation_bins")),
        (first, 1, "s", GREEN, speaker.ui("mark.moderation_strata", method=method)),
    )
    for frame, side, marker, colour, label in kinds:
        known = frame.filter(pl.col("estimate").is_not_null())
        if known.height:
            x = column(known, "at") + side * _ASIDE * span
            axes.vlines(x, column(known, "conf_low"), column(known, "conf_high"), color=colour, linewidth=1.6, zorder=4)
            axes.plot(x, column(known, "estimate"), marker, color=colour, markersize=5, linestyle="none", zorder=5, label=label)


def _limits(line: pl.DataFrame, bins: pl.DataFrame) -> tuple[float, float]:
    """The pointwise interval whole, and bins and bands as far as they do not dwarf it."""
    low, high = float(column(line, "conf_low").min()), float(column(line, "conf_high").max())
    middle, reach = (low + high) / 2, _ROOM * (high - low) / 2
    ends = np.concatenate(
        [column(bins, c) for c in ("estimate", "conf_low", "conf_high")] + [column(line, c) for c in ("band_low", "band_high")]
    )
    ends = np.clip(ends[np.isfinite(ends)], middle - reach, middle + reach)
    low, high = min(low, float(ends.min(initial=low))), max(high, float(ends.max(initial=high)))
    return low - 0.05 * (high - low), high + 0.05 * (high - low)


def _histogram(axes: Axes, histogram: pl.DataFrame, speaker: Speaker) -> None:
    if not histogram.height:
        return
    low, high = column(histogram, "low"), column(histogram, "high")
    treated, others = column(histogram, "n_treated"), column(histogram, "n_comparison")
    width = high - low
    axes.bar(low, others, width, align="edge", color=PAPER, edgecolor=MUTED, linewidth=0.7, label=speaker.ui("mark.moderation_comparison"))
    axes.bar(low, -treated, width, align="edge", color=BLUE, edgecolor=PAPER, linewidth=0.4, label=speaker.ui("mark.moderation_treated"))
    axes.axhline(0, color=INK, linewidth=0.7)
    ticks = [t for t in axes.get_yticks() if float(t).is_integer()]
    axes.set_yticks(ticks, [f"{abs(t):.0f}" for t in ticks])
    axes.spines["bottom"].set_color(RULE)
    axes.legend(loc="upper right", ncols=2, borderaxespad=0.1)
