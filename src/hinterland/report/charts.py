"""Figures of the design: who was treated when and where, what two-way fixed effects average, and permuted adoption."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hinterland.report.digits import count, p_value, share, signed
from hinterland.report.sentences import Speaker
from hinterland.report.style import BLUE, CYCLE, INK, MARKERS, MUTED, ORANGE, PAPER, RULE, canvas, drawing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]

_MEAN_LATITUDE = 33.0
"""Latitude at which a degree of longitude is drawn at its true length relative to a degree of latitude."""


def timeline(zones: pl.DataFrame, speaker: Speaker, window: tuple[int, int] | None) -> Figure:
    """When each zone was approved (open circle) and from when its units count as treated (filled), within the panel's years (grey)."""
    rows = zones.filter(pl.col("approval_year").is_not_null()).sort("approval_year", "zone_id")
    with drawing():
        figure, (axes,) = canvas(0.95 + 0.3 * rows.height)
        if window:
            axes.axvspan(window[0] - 0.5, window[1] + 0.5, color=RULE, alpha=0.35, linewidth=0, zorder=0)
        for y, row in zip(range(rows.height - 1, -1, -1), rows.iter_rows(named=True), strict=True):
            approved, first = row["approval_year"], row["first_period"]
            if first is not None:
                axes.plot([approved, first], [y, y], color=BLUE, linewidth=1.2, zorder=2)
                axes.plot(first, y, "o", color=BLUE, markersize=6, zorder=4)
            axes.plot(
                approved,
                y,
                "o",
                markerfacecolor="white",
                markeredgecolor=BLUE if first is not None else MUTED,
                markersize=6 if first != approved else 9,
                zorder=3,
            )
            axes.annotate(
                _cities(row),
                (max(approved, first or approved), y),
                xytext=(9, 0),
                textcoords="offset points",
                va="center",
                fontsize=8,
                color=MUTED,
            )
        axes.set_yticks(range(rows.height - 1, -1, -1), [_zone(row, speaker) for row in rows.iter_rows(named=True)])
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.set_ylim(-0.7, rows.height - 0.3)
        years = [v for c in ("approval_year", "first_period") for v in rows[c].to_list() if v is not None] + list(window or ())
        axes.set_xlim(min(years) - 0.8, max(years) + 2.2)
        axes.set_xticks(range(min(years), max(years) + 1, 1 if max(years) - min(years) < 16 else 2))
    return figure


def _zone(row: dict[str, object], speaker: Speaker) -> str:
    name = str(row["zone_zh"] if speaker.language == "zh" else row["zone_en"])
    return name.replace("承接产业转移示范区", "")


def _cities(row: dict[str, object]) -> str:
    n, inside = row.get("n_cities"), row.get("n_in_panel")
    return count(n) if inside is None or inside == n else f"{count(inside)}/{count(n)}"


_OTHERS = (
    ("never", 11, "o", RULE, RULE),
    ("outside-window", 15, "v", "white", MUTED),
    ("excluded", 15, "X", "white", MUTED),
    ("not-in-panel", 15, "d", "white", MUTED),
)
"""Units without a cohort on the map: status, size, marker, colour, colour of the edge."""


def city_map(cities: pl.DataFrame, speaker: Speaker) -> Figure:
    """The units by longitude and latitude, coloured by cohort. No boundary is drawn."""
    known = cities.filter(pl.col("lon").is_not_null() & pl.col("lat").is_not_null())
    with drawing():
        figure, (axes,) = canvas(4.1)
        _other_units(axes, known, speaker)
        _treated_units(axes, known.filter(pl.col("status") == "treated"), speaker)
        axes.set_aspect(1 / np.cos(np.deg2rad(_MEAN_LATITUDE)))
        axes.set_xlabel(speaker.ui("axis.longitude"))
        axes.set_ylabel(speaker.ui("axis.latitude"))
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), handletextpad=0.2, labelspacing=0.5)
    return figure


def _other_units(axes: Axes, known: pl.DataFrame, speaker: Speaker) -> None:
    for k, (status, size, marker, face, edge) in enumerate(_OTHERS):
        part = known.filter(pl.col("status") == status)
        if part.height:
            label = f"{speaker.name(status, 'policy-status')} ({count(part.height)})"
            axes.scatter(
                part["lon"], part["lat"], s=size, marker=marker, facecolor=face, edgecolor=edge, linewidth=0.7, zorder=1 + k, label=label
            )


def _treated_units(axes: Axes, treated: pl.DataFrame, speaker: Speaker) -> None:
    for k, cohort in enumerate(sorted(treated["cohort"].drop_nulls().unique())):
        part = treated.filter(pl.col("cohort") == cohort)
        axes.scatter(
            part["lon"],
            part["lat"],
            s=24,
            marker=MARKERS[k % len(MARKERS)],
            color=CYCLE[k % len(CYCLE)],
            linewidth=0.4,
            edgecolor="white",
            zorder=6,
            label=speaker.ui("mark.cohort", cohort=str(cohort), n=count(part.height)),
        )


def bacon_scatter(table: pl.DataFrame, speaker: Speaker) -> Figure:
    """Every 2×2 comparison behind the two-way fixed-effects estimate: its weight and its estimate (Goodman-Bacon 2021)."""
    shown = table.filter(pl.col("estimate").is_not_null())
    total = float((shown["weight"] * shown["estimate"]).sum())
    with drawing():
        figure, (axes,) = canvas(3.7)
        axes.axhline(0, color=MUTED, linewidth=0.8, zorder=1)
        axes.axhline(total, color=INK, linewidth=0.9, linestyle=(0, (4, 3)), zorder=1)
        for k, (key, part) in enumerate(shown.group_by("type", maintain_order=True)):
            label = f"{speaker.name(str(key[0]), 'bacon_type')} ({share(part['weight'].sum())}%)"
            axes.plot(
                part["weight"],
                part["estimate"],
                MARKERS[k],
                color=CYCLE[k],
                markerfacecolor=CYCLE[k] if k != 1 else "white",
                markersize=5.5,
                linestyle="none",
                zorder=3,
                label=label,
            )
        axes.annotate(
            speaker.ui("mark.twfe", estimate=signed(total)),
            (1.0, total),
            xycoords=("axes fraction", "data"),
            xytext=(-2, 3),
            textcoords="offset points",
            ha="right",
            va="bottom",
            fontsize=8,
        )
        axes.set_xlim(left=0)
        axes.set_xlabel(speaker.ui("axis.weight"))
        axes.set_ylabel(speaker.ui("axis.comparison_estimate"))
        axes.legend(loc="lower left", bbox_to_anchor=(-0.01, 1.0), ncols=2, borderaxespad=0.1)
    return figure


def density(values: Floats, points: int = 256) -> tuple[Floats, Floats]:
    """A Gaussian kernel density of ``values`` [n] on ``points`` places (Silverman's rule of thumb)."""
    spread = float(np.std(values, ddof=1))
    quartiles = np.percentile(values, [25, 75])
    width = 0.9 * min(spread, float(quartiles[1] - quartiles[0]) / 1.349 or spread) * len(values) ** -0.2
    grid = np.linspace(values.min() - 3 * width, values.max() + 3 * width, points)
    heights = np.exp(-0.5 * ((grid[:, None] - values[None, :]) / width) ** 2).sum(axis=1) / (len(values) * width * np.sqrt(2 * np.pi))
    return grid, heights


def _rug(values: Floats, top: float) -> tuple[Floats, Floats]:
    # One broken line rather than n marks: a thousand draws stay one path of the SVG.
    x = np.repeat(np.sort(values), 3)
    y = np.tile([-0.06 * top, -0.02 * top, np.nan], len(values))
    return x, y


def placebo_density(panels: Sequence[tuple[str, pl.DataFrame, float]], speaker: Speaker, *, unit: str) -> Figure:
    """The distribution of the estimate when adoption is permuted over units, with the actual estimate and its exact p-value.

    Args:
        panels: title, draws (``draw, estimate``; draw 0 is the actual assignment) and permutation p-value of each estimator.
        speaker: the language.
        unit: label of the horizontal axis.
    """
    with drawing():
        figure, axes = canvas(3.1, len(panels))
        for k, (title, draws, p_exact) in enumerate(panels):
            _placebo(axes[k], draws, p_exact, speaker)
            axes[k].set_xlabel(unit)
            if len(panels) > 1:
                axes[k].set_title(title, pad=8)
    return figure


def _placebo(axes: Axes, draws: pl.DataFrame, p_exact: float, speaker: Speaker) -> None:
    actual = float(draws.filter(pl.col("draw") == 0)["estimate"][0])
    values = draws.filter((pl.col("draw") != 0) & pl.col("estimate").is_not_null())["estimate"].to_numpy()
    grid, heights = density(values)
    axes.fill_between(grid, heights, color=BLUE, alpha=0.18, linewidth=0)
    axes.plot(grid, heights, color=BLUE, linewidth=1.4)
    axes.plot(*_rug(values, heights.max()), color=BLUE, alpha=0.35, linewidth=0.5)
    axes.axvline(0, color=MUTED, linewidth=0.8)
    axes.axvline(actual, color=ORANGE, linewidth=1.8)
    low, high = axes.get_xlim()
    right = actual < low + 0.6 * (high - low)
    axes.annotate(
        speaker.ui("mark.actual", estimate=signed(actual), p=p_value(p_exact)),
        (actual, 1.0),
        xycoords=("data", "axes fraction"),
        xytext=(6 if right else -6, -2),
        textcoords="offset points",
        ha="left" if right else "right",
        va="top",
        color=ORANGE,
        fontsize=8.5,
        linespacing=1.5,
        bbox={"facecolor": PAPER, "edgecolor": "none", "alpha": 0.85, "pad": 1},
    )
    axes.set_ylim(top=1.28 * float(heights.max()))
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.set_ylabel(speaker.ui("axis.density", n=count(len(values))))
