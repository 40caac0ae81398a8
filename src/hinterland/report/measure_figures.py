"""Figures of measures: rankings with their change, courses over time, matrices, curves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hinterland.report.digits import compact
from hinterland.report.measure_record import Measured
from hinterland.report.measure_tables import some_of
from hinterland.report.sentences import Speaker, bracketed
from hinterland.report.style import BLUE, CYCLE, INK, MARKERS, MUTED, ORANGE, RULE, SKY, canvas, drawing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]

MOST = 40
"""Bars that a ranking shows; of more, both ends."""
_ROWS, _COLUMNS = 40, 41
"""Rows and columns that a matrix shows."""


def figure_of(m: Measured, speaker: Speaker) -> Figure | None:
    """The figure that goes with the measure's shape; none where its table says it all."""
    if not m.lead["value"].count():
        return None
    match m.shape:
        case "ranked":
            return ranking(m, speaker)
        case "lines":
            return parts(m, speaker) if str(m.facts["indicator"]) in PARTS else courses(m, speaker)
        case "matrix":
            return matrix(m, speaker)
        case "curves":
            return curves(m, speaker)
        case "surface":
            return surface(m, speaker)
        case _:
            return None


def ranking(m: Measured, speaker: Speaker) -> Figure:
    """Values of the last period, highest first, as dots on a line from the first period's value."""
    key = m.labels[0]
    rows = m.last().drop_nulls("value").sort("value", descending=True, maintain_order=True)
    cut = rows.height > MOST
    shown = pl.concat([rows.head(MOST // 2), rows.tail(MOST // 2)]) if cut else rows
    before = dict(m.first().select(key, "value").iter_rows()) if len(m.periods) > 1 else {}
    place = np.arange(shown.height, 0, -1, dtype=np.float64) - (np.arange(shown.height) >= MOST // 2 if cut else 0)
    then = np.array([np.nan if before.get(k) is None else before[k] for k in shown[key]], dtype=np.float64)
    now = shown["value"].to_numpy()
    with drawing():
        figure, (axes,) = canvas(0.9 + 0.17 * (shown.height + cut))
        _reference(axes, m)
        axes.hlines(place, np.where(np.isfinite(then), then, now), now, color=BLUE, alpha=0.45, linewidth=1.2)
        if before:
            axes.plot(then, place, "o", color="white", markeredgecolor=MUTED, markersize=4, label=str(m.periods[0]))
        axes.plot(now, place, "o", color=BLUE, markersize=4.5, label=str(m.periods[-1]) if m.periods else "_")
        axes.set_yticks(place, [m.place(speaker, key, k) for k in shown[key]], fontsize=7.5)
        axes.set_ylim(place.min() - 0.8, place.max() + 0.8)
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="x", color=RULE, linewidth=0.5)
        axes.set_axisbelow(True)
        axes.spines["left"].set_visible(False)
        axes.set_xlabel(_unit(m, speaker))
        if before:
            axes.legend(loc="lower left", bbox_to_anchor=(-0.01, 1.0), ncols=2, borderaxespad=0.1)
    return figure


def _unit(m: Measured, speaker: Speaker) -> str:
    """What an axis shows: the component with its unit, or the unit, since the title names the rest."""
    unit = speaker.name(str(m.facts["unit"]), "unit")
    return bracketed(m.component_name(speaker, m.components[0]), unit, speaker.language) if m.components[0] else unit


def _reference(axes: Axes, m: Measured) -> None:
    """A line at 1 for quotients, at 0 for numbers of either sign."""
    values = m.lead["value"].drop_nulls()
    if str(m.facts["indicator"]).endswith("location-quotient"):
        axes.axvline(1, color=MUTED, linewidth=0.8)
    elif len(values) and float(values.min()) < 0 < float(values.max()):  # type: ignore[arg-type]
        axes.axvline(0, color=MUTED, linewidth=0.8)


PARTS = {
    "dagum-gini": ("dagum-within", "dagum-net-between", "dagum-transvariation"),
    "theil": ("theil-within", "theil-between"),
}
"""Components that add up to the first one of an indicator."""


def parts(m: Measured, speaker: Speaker) -> Figure:
    """Parts of a whole over time, one on top of the other, with their shares in the first and last period."""
    named = [c for c in PARTS[str(m.facts["indicator"])] if m.of(c)["value"].count()]
    if not named:
        return courses(m, speaker)
    whole = m.of(m.components[0]).sort("time")
    years, base = whole["time"].to_numpy(), np.zeros(whole.height)
    with drawing():
        figure, (axes,) = canvas(3.1)
        for component, colour in zip(named, (BLUE, ORANGE, SKY), strict=False):
            value = m.of(component).sort("time")["value"].fill_null(np.nan).to_numpy()
            share = value / whole["value"].fill_null(np.nan).to_numpy()
            axes.bar(years, value, bottom=base, width=0.8, color=colour, label=m.component_name(speaker, component))
            for at in (0, len(years) - 1):
                if share[at] > 0.08:
                    middle = base[at] + value[at] / 2
                    axes.annotate(f"{share[at]:.0%}", (years[at], middle), ha="center", va="center", fontsize=6.5, color="white")
            base = base + np.nan_to_num(value)
        axes.grid(axis="y", color=RULE, linewidth=0.5)
        axes.set_axisbelow(True)
        _whole_years(axes)
        axes.set_ylabel(_unit(m, speaker))
        axes.legend(loc="lower left", bbox_to_anchor=(-0.01, 1.0), ncols=3, borderaxespad=0.1)
    return figure


def _whole_years(axes: Axes, most: int = 9) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(most, integer=True))


def _auxiliary(component: str) -> bool:
    """Numbers that describe a test, which no line is drawn of."""
    return component.endswith(("-p", "-p-value", "-statistic", "-variance", "-std-error", "-share")) or component == "expected-value"


def courses(m: Measured, speaker: Speaker) -> Figure:
    """One line per component over time; components of another size in a panel of their own."""
    named = [c for c in m.components if m.of(c)["value"].count() > 1 and (c == m.components[0] or not _auxiliary(c))][:6]
    groups = _by_size(m, named)
    with drawing():
        figure, panels = canvas(2.9, len(groups))
        for axes, components in zip(panels, groups, strict=True):
            for component in components:
                k = named.index(component)
                rows = m.of(component).sort("time")
                label = m.component_name(speaker, component)
                axes.plot(
                    rows["time"],
                    rows["value"].fill_null(np.nan),
                    color=CYCLE[k],
                    marker=MARKERS[k],
                    markersize=3.5,
                    linewidth=1.3,
                    label=label,
                )
            axes.grid(axis="y", color=RULE, linewidth=0.5)
            _whole_years(axes, 9 // len(groups) + 1)
            axes.set_xlabel("")
            if len(named) > 1:
                axes.legend(loc="lower left", bbox_to_anchor=(-0.01, 1.0), ncols=1 if len(groups) > 1 else 2, borderaxespad=0.1)
            else:
                axes.set_ylabel(_unit(m, speaker))
    return figure


def _by_size(m: Measured, components: list[str]) -> list[list[str]]:
    """Components whose largest values are within a factor of 20 of one another share a panel; three panels at most."""
    groups: list[tuple[float, list[str]]] = []
    for component in components:
        size = float(np.nanmax(np.abs(m.of(component)["value"].drop_nulls().to_numpy()))) or 1e-12
        near = next((g for s, g in groups if 1 / 20 <= size / s <= 20), None)
        if near is None and len(groups) < 3:
            groups.append((size, [component]))
        else:
            (near if near is not None else groups[-1][1]).append(component)
    return [g for _, g in groups]


def matrix(m: Measured, speaker: Speaker) -> Figure:
    """Values of the last period as shades: rows and columns with the largest means first where there are too many."""
    row, column = m.labels
    rows = m.last()
    wide = [m.ordered(key, _leading(rows, key, most)) for key, most in ((row, _ROWS), (column, _COLUMNS))]
    grid = np.full((len(wide[0]), len(wide[1])), np.nan)
    at = [{label: i for i, label in enumerate(labels)} for labels in wide]
    for a, b, value in rows.select(row, column, "value").iter_rows():
        if a in at[0] and b in at[1] and value is not None:
            grid[at[0][a], at[1][b]] = value
    with drawing():
        figure, (axes,) = canvas(1.9 + max(0.165 * grid.shape[0], 0.6))
        image = axes.pcolormesh(np.ma.masked_invalid(grid), **_shades(m, grid))
        axes.invert_yaxis()
        axes.set_yticks(np.arange(grid.shape[0]) + 0.5, [m.place(speaker, row, x) for x in wide[0]], fontsize=7)
        turned = 0 if grid.shape[1] <= 6 else 90
        axes.set_xticks(
            np.arange(grid.shape[1]) + 0.5, [_short(m.place(speaker, column, x)) for x in wide[1]], fontsize=6.5, rotation=turned
        )
        axes.tick_params(length=0)
        for side in ("left", "bottom"):
            axes.spines[side].set_visible(False)
        bar = figure.colorbar(image, ax=axes, fraction=0.025, pad=0.01, extend="both" if _is_quotient(m) else "max")
        bar.outline.set_visible(False)
        bar.set_label(_unit(m, speaker), fontsize=8)
        if grid.size <= _ANNOTATED:
            _annotate(axes, grid, image)
        if _is_quotient(m):
            bar.set_ticks([1 / _TIMES, 0.25, 0.5, 1, 2, 4, _TIMES], labels=["1/8", "1/4", "1/2", "1", "2", "4", "8"])
            bar.ax.minorticks_off()
    return figure


_TIMES = 8
"""A location quotient beyond this, or below its inverse, has the last shade."""


_ANNOTATED = 64
"""Cells of a matrix that are few enough for their numbers to stand in them."""


def _annotate(axes: Axes, grid: Floats, image: Any) -> None:
    for (i, j), value in np.ndenumerate(grid):
        if np.isfinite(value):
            red, green, blue, _ = image.cmap(image.norm(value))
            ink = "white" if 0.299 * red + 0.587 * green + 0.114 * blue < 0.5 else INK
            axes.annotate(compact(float(value), 3), (j + 0.5, i + 0.5), ha="center", va="center", fontsize=7.5, color=ink)


def _is_quotient(m: Measured) -> bool:
    return str(m.facts["indicator"]) == "location-quotient"


def _shades(m: Measured, grid: Floats) -> dict[str, Any]:
    """Colours and their scale: around 1 in multiples for quotients, around 0 for numbers of either sign, from light to dark for others."""
    from matplotlib.colors import LogNorm

    if _is_quotient(m):
        grid[grid <= 0] = 1e-9
        return {"cmap": "RdBu_r", "norm": LogNorm(1 / _TIMES, _TIMES)}
    top, low = float(np.nanquantile(grid, 0.98)), float(np.nanmin(grid))
    wide = max(abs(low), top)
    limits = (low, max(top, low + 1e-12)) if low >= 0 else (-wide, wide)
    return {"cmap": "Blues" if low >= 0 else "RdBu_r", "vmin": limits[0], "vmax": limits[1]}


def _short(label: str, most: int = 26) -> str:
    return label if len(label) <= most else f"{label[: most - 1]}…"


def _leading(rows: pl.DataFrame, key: str, most: int) -> list[str]:
    """Labels in their own order; those with the largest mean size where there are too many."""
    labels = rows[key].drop_nulls().unique().sort()
    if len(labels) <= most:
        return labels.to_list()
    mean = (
        rows.drop_nulls(key)
        .group_by(key)
        .agg(pl.col("value").abs().mean())
        .sort("value", descending=True, nulls_last=True, maintain_order=False)
    )
    kept = set(mean.sort(["value", key], descending=[True, False], nulls_last=True)[key].head(most))
    return [x for x in labels if x in kept]


def surface(m: Measured, speaker: Speaker) -> Figure:
    """A density over two axes, given the level on one; the diagonal is where nothing changes."""
    axis = [m.lead[k].drop_nulls().unique().sort().to_numpy() for k in ("given", "point")]
    at = [np.searchsorted(a, m.lead[k].to_numpy()) for a, k in zip(axis, ("given", "point"), strict=True)]
    grid = np.full((len(axis[0]), len(axis[1])), np.nan)
    grid[at[0], at[1]] = m.lead["value"].fill_null(np.nan).to_numpy()
    with drawing():
        figure, (axes,) = canvas(4.2)
        image = axes.pcolormesh(axis[0], axis[1], np.ma.masked_invalid(grid.T), cmap="Blues", shading="nearest")
        ends = max(a.min() for a in axis), min(a.max() for a in axis)
        axes.plot(ends, ends, color=ORANGE, linewidth=1)
        axes.set_xlabel(speaker.ui("col.key_given"))
        axes.set_ylabel(speaker.ui("axis.point"))
        bar = figure.colorbar(image, ax=axes, fraction=0.04, pad=0.01)
        bar.outline.set_visible(False)
    return figure


def curves(m: Measured, speaker: Speaker) -> Figure:
    """Values along an axis: one curve for up to six periods, from grey to blue."""
    chosen: list[int | None] = [*some_of(m.periods)] or [None]
    with drawing():
        figure, (axes,) = canvas(3.2)
        for k, period in enumerate(chosen):
            rows = m.lead if period is None else m.lead.filter(pl.col("time") == period)
            for _, part in rows.group_by(*(m.labels or ["measure"]), maintain_order=True):
                line = part.sort("point")
                latest = k == len(chosen) - 1
                axes.plot(
                    line["point"],
                    line["value"].fill_null(np.nan),
                    color=ORANGE if latest else BLUE,
                    alpha=0.25 + 0.75 * (k + 1) / len(chosen),
                    linewidth=1.8 if latest else 1.1,
                    label="_" if period is None else str(period),
                )
        axes.set_ylabel(_unit(m, speaker))
        axes.set_xlabel(speaker.ui("axis.point"))
        axes.axhline(0, color=INK, linewidth=0.5)
        if m.periods:
            axes.legend(loc="upper right")
    return figure
