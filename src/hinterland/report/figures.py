"""Figures of estimates: event studies, terms, estimators side by side. Each takes record frames and returns the figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from hinterland.labels import Language
from hinterland.report.digits import count, signed
from hinterland.report.marks import Floats, column, draw_bars, event_ticks
from hinterland.report.panels import Deviation, deviations, dose_curves
from hinterland.report.sentences import Name, Speaker, term_name
from hinterland.report.style import BLUE, CYCLE, INK, MARKERS, MUTED, ORANGE, PAPER, RULE, canvas, drawing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from hinterland.evaluate.result import Effects
    from hinterland.evaluate.sensitivity import Sensitivity


_CURVE = r"^(att|acrt)\((.+)\)$"
"""Terms of a curve over doses."""


def plot_data(effects: Effects) -> pl.DataFrame:
    """The data behind :func:`plot_effects`, one row per mark: ``effects.tidy()``, and for effects by dose the columns ``curve`` (``att``,
    ``acrt``) and ``dose``.
    """
    return with_doses(effects.tidy())


def with_doses(frame: pl.DataFrame) -> pl.DataFrame:
    """``frame`` with ``curve`` and ``dose`` where its terms are those of a curve over doses; otherwise as it is."""
    if not frame["term"].str.contains(_CURVE).any():
        return frame
    found = frame["term"].str.extract_groups(_CURVE)
    return frame.with_columns(found.struct[0].alias("curve"), found.struct[1].cast(pl.Float64).alias("dose"))


def plot_effects(effects: Effects, *, language: Language = "en") -> Figure:
    """The plot that fits: an event study, averages by cohort or period, paths by cohort, a curve over doses, or a list of terms."""
    speaker, frame = Speaker(language), plot_data(effects)
    unit = unit_axis(speaker, "poisson" if effects.family == "poisson" else "level", effects.outcome)
    if effects.aggregation == "event-time":
        return event_study(frame, speaker, unit=unit)
    if effects.aggregation in ("cohort", "calendar"):
        x = "cohort" if effects.aggregation == "cohort" else "time"
        return _single(frame.filter(pl.col(x).is_not_null()), x, speaker, unit)
    if effects.aggregation == "group-time":
        return _paths(frame, speaker, unit)
    if "dose" in frame.columns:
        return dose_curves(dose_panels(frame), speaker, outcome=speaker.name(effects.outcome))
    if effects.aggregation == "coefficient" and frame["event_time"].null_count() == 0:
        return event_panels(_channels(frame, speaker), speaker, unit=unit)
    labels = pl.Series("label", [term_name(speaker, t) for t in frame["term"]])
    return forest(frame.select(labels, "estimate", "conf_low", "conf_high"), unit=unit)


def dose_panels(frame: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """Rows of the curves in ``frame`` by curve, ``att`` first."""
    return {name: rows for name in ("att", "acrt") if (rows := frame.filter(pl.col("curve") == name)).height}


def _channels(frame: pl.DataFrame, speaker: Speaker) -> list[tuple[str, pl.DataFrame]]:
    """Event studies told in one list of terms, by what comes before the event time in their names."""
    names = frame["term"].str.replace(r", event time -?\d+$", "")
    return [
        (term_name(speaker, str(key[0])), part.drop("channel"))
        for key, part in frame.with_columns(names.alias("channel")).group_by("channel", maintain_order=True)
    ]


def plot_sensitivity(sensitivity: Sensitivity, *, language: Language = "en") -> Figure:
    """Intervals by the size of the deviation from parallel trends, with the interval under parallel trends and the breakdown value."""
    speaker = Speaker(language)
    rows = sensitivity.frame.rename({"bound": "value"})
    rows = rows.filter(pl.col("value") > 0) if sensitivity.kind == "relative-magnitude" else rows
    unit = unit_axis(speaker, "level", sensitivity.outcome)
    panel = Deviation(sensitivity.kind, sensitivity.estimand, rows, sensitivity.original, sensitivity.breakdown)
    return deviations([panel], speaker, unit=unit)


def unit_axis(speaker: Speaker, scale: str, outcome: str) -> str:
    """The words of the axis that carries effects on ``outcome``."""
    return speaker.ui(f"axis.effect_{'log' if scale in ('log', 'log1p', 'poisson') else 'level'}", outcome=Name("variable", outcome))


def event_study(events: pl.DataFrame, speaker: Speaker, *, unit: str) -> Figure:
    """Effects by event time with pointwise (dark) and simultaneous (light) intervals, the reference marked, and the number of
    treated units under each horizon.

    Args:
        events: columns of ``Effects.tidy()``, event-time rows only.
        speaker: the language of axes and marks.
        unit: label of the vertical axis.
    """
    with drawing():
        figure, (axes,) = canvas(3.9)
        draw_events(axes, events, speaker, supports=True)
        axes.set_ylabel(unit)
        axes.set_xlabel(speaker.ui("axis.event_time"), labelpad=18 if "n_treated" in events.columns else 4)
    return figure


def draw_events(axes: Axes, events: pl.DataFrame, speaker: Speaker, *, supports: bool, legend: bool = True) -> None:
    """Draw one event study into ``axes``."""
    frame = events.sort("event_time")
    x, y = column(frame, "event_time"), column(frame, "estimate")
    axes.axhline(0, color=MUTED, linewidth=0.8, zorder=1)
    axes.axvline(-0.5, color=MUTED, linewidth=0.8, linestyle=(0, (4, 3)), zorder=1)
    draw_bars(axes, x, frame, "band", width=5.5, alpha=0.28, label=speaker.ui("mark.simultaneous"))
    draw_bars(axes, x, frame, "conf", width=2.2, alpha=0.95, label=speaker.ui("mark.pointwise"))
    reference = frame["reference"].to_numpy().astype(bool)
    axes.plot(x[~reference], y[~reference], "o", color=BLUE, markersize=4.5, zorder=4)
    if reference.any():
        axes.plot(
            x[reference],
            np.zeros(int(reference.sum())),
            "o",
            markersize=5,
            markerfacecolor="white",
            markeredgecolor=INK,
            zorder=4,
            label=speaker.ui("mark.reference"),
        )
    axes.set_xticks(event_ticks(x, 26 if supports else 9))
    axes.margins(x=0.03, y=0.12)
    if legend:
        axes.legend(loc="lower left", bbox_to_anchor=(-0.01, 1.0), ncols=3, handletextpad=0.6, columnspacing=1.6, borderaxespad=0.1)
    if supports and frame["n_treated"].null_count() < frame.height:
        _supports(axes, frame, speaker)


def _supports(axes: Axes, frame: pl.DataFrame, speaker: Speaker) -> None:
    transform = axes.get_xaxis_transform()
    for event, treated in frame.select("event_time", "n_treated").iter_rows():
        if treated is not None:
            axes.text(event, -0.105, count(treated), transform=transform, ha="center", va="top", fontsize=7.5, color=MUTED)
    axes.text(-0.012, -0.105, speaker.ui("mark.treated_units"), transform=axes.transAxes, ha="right", va="top", fontsize=7.5, color=MUTED)


def estimators(series: Mapping[str, pl.DataFrame], speaker: Speaker, *, unit: str) -> Figure:
    """Several event studies side by side at each horizon: ``series`` maps an estimator's id to its event-time rows."""
    with drawing():
        figure, (axes,) = canvas(3.6)
        axes.axhline(0, color=MUTED, linewidth=0.8, zorder=1)
        axes.axvline(-0.5, color=MUTED, linewidth=0.8, linestyle=(0, (4, 3)), zorder=1)
        shift = np.linspace(-0.18, 0.18, len(series)) if len(series) > 1 else np.zeros(1)
        for k, (method, frame) in enumerate(series.items()):
            x, y = column(frame, "event_time") + shift[k], column(frame, "estimate")
            low, high = column(frame, "conf_low"), column(frame, "conf_high")
            axes.vlines(x, low, high, color=CYCLE[k], linewidth=1.4, zorder=2)
            axes.plot(
                x,
                y,
                MARKERS[k],
                color=CYCLE[k],
                markersize=4.5,
                markerfacecolor=CYCLE[k] if k % 2 == 0 else "white",
                zorder=3,
                label=speaker.name(method, "method_short"),
            )
        axes.set_xticks(event_ticks(np.concatenate([column(f, "event_time") for f in series.values()])))
        axes.set_xlabel(speaker.ui("axis.event_time"))
        axes.set_ylabel(unit)
        axes.margins(x=0.03, y=0.1)
        axes.legend(loc="lower left", bbox_to_anchor=(-0.01, 1.0), ncols=min(3, len(series)), borderaxespad=0.1)
    return figure


def event_panels(panels: Sequence[tuple[str, pl.DataFrame]], speaker: Speaker, *, unit: str) -> Figure:
    """Event studies of several outcomes in panels next to each other: ``panels`` holds a title and event-time rows."""
    with drawing():
        figure, axes = canvas(3.3, len(panels))
        for k, (title, frame) in enumerate(panels):
            draw_events(axes[k], frame, speaker, supports=False, legend=False)
            axes[k].set_title(title, pad=6)
            axes[k].set_xlabel(speaker.ui("axis.event_time"))
        axes[0].set_ylabel(unit)
    return figure


MANY = 14
"""Rows of a forest from which they are set closer."""


def forest(rows: pl.DataFrame, *, unit: str, reference: float | None = None) -> Figure:
    """Estimates with intervals, one row each.

    Args:
        rows: ``label, estimate, conf_low, conf_high``, top to bottom; a null interval is not drawn. With a column ``method``, marks of
            estimators other than that of the first row are open.
        unit: label of the horizontal axis.
        reference: the estimate the rows are held against, drawn as a vertical line.
    """
    with drawing():
        dense = rows.height > MANY
        figure, (axes,) = canvas(0.9 + (0.19 if dense else 0.3) * max(rows.height, 2))
        y = np.arange(rows.height, dtype=np.float64)[::-1]
        axes.axvline(0, color=MUTED, linewidth=0.8, zorder=1)
        if reference is not None:
            axes.axvline(reference, color=BLUE, linewidth=0.9, linestyle=(0, (4, 3)), zorder=1)
        _marks(axes, rows, y)
        axes.set_yticks(y, [str(v) for v in rows["label"]])
        axes.tick_params(axis="y", length=0, labelsize=7.5 if dense else 8.5)
        axes.spines["left"].set_visible(False)
        axes.set_xlabel(unit)
        axes.margins(y=0.5 / max(rows.height, 1))
    return figure


def _marks(axes: Axes, rows: pl.DataFrame, y: Floats) -> None:
    estimate, low, high = (column(rows, c) for c in ("estimate", "conf_low", "conf_high"))
    other = (rows["method"] != rows["method"][0]).to_numpy() if "method" in rows.columns else np.zeros(rows.height, dtype=bool)
    for chosen, colour, face in ((~other, BLUE, BLUE), (other, ORANGE, PAPER)):
        axes.hlines(y[chosen], low[chosen], high[chosen], color=colour, linewidth=1.8, zorder=2)
        axes.plot(estimate[chosen], y[chosen], "o", color=colour, markerfacecolor=face, markersize=5, zorder=3)
    for value, place in zip(estimate, y, strict=True):
        axes.annotate(
            signed(value),
            (1.0, place),
            xycoords=("axes fraction", "data"),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            fontsize=7.5 if rows.height > MANY else 8,
        )


def _single(frame: pl.DataFrame, x: str, speaker: Speaker, unit: str) -> Figure:
    with drawing():
        figure, (axes,) = canvas(3.4)
        place = column(frame, x)
        axes.axhline(0, color=MUTED, linewidth=0.8, zorder=1)
        draw_bars(axes, place, frame, "band", width=5.5, alpha=0.28, label=speaker.ui("mark.simultaneous"))
        draw_bars(axes, place, frame, "conf", width=2.2, alpha=0.95, label=speaker.ui("mark.pointwise"))
        axes.plot(place, column(frame, "estimate"), "o", color=BLUE, markersize=4.5, zorder=4)
        axes.set_xticks(event_ticks(place) if len(place) else [])
        axes.set_xlabel(speaker.ui(f"axis.{x}"))
        axes.set_ylabel(unit)
        axes.legend(loc="lower left", bbox_to_anchor=(-0.01, 1.0), ncols=2, borderaxespad=0.1)
    return figure


def _paths(frame: pl.DataFrame, speaker: Speaker, unit: str) -> Figure:
    with drawing():
        figure, (axes,) = canvas(3.8)
        axes.axhline(0, color=MUTED, linewidth=0.8, zorder=1)
        for k, (key, part) in enumerate(frame.filter(pl.col("cohort").is_not_null()).group_by("cohort", maintain_order=True)):
            path = part.sort("time")
            colour = CYCLE[k % len(CYCLE)]
            axes.plot(
                column(path, "time"),
                column(path, "estimate"),
                color=colour,
                marker=MARKERS[k % len(MARKERS)],
                markersize=3.5,
                linewidth=1.2,
            )
            last = path.row(-1, named=True)
            axes.annotate(
                str(key[0]),
                (last["time"], last["estimate"]),
                xytext=(5, 0),
                textcoords="offset points",
                va="center",
                color=colour,
                fontsize=8,
            )
        axes.set_xlabel(speaker.ui("axis.time"))
        axes.set_ylabel(unit)
        axes.spines["bottom"].set_color(RULE)
    return figure
