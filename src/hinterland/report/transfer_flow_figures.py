"""Figures of transfer: arcs from sources to hosts, their division by industry group, candidate industries, and paths of centres."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hinterland.report.digits import compact
from hinterland.report.measure_maps import TILES, short_name
from hinterland.report.measure_shapes import MEAN_LATITUDE, bare, shaped
from hinterland.report.sentences import Speaker
from hinterland.report.style import BLUE, CYCLE, GREEN, INK, MARKERS, MUTED, ORANGE, RULE, canvas, drawing
from hinterland.report.transfer_sankey import GROUP_COLOURS, concept_of, sankey

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["centre_paths", "flow_map", "plane", "sankey"]

Floats = NDArray[np.float64]

MOST_ARCS = 40
_BEND = 0.18
"""How far an arc's middle lies off the straight line, as a share of its length."""


def flow_map(
    flows: pl.DataFrame,
    places: pl.DataFrame,
    speaker: Speaker,
    *,
    outlines: pl.DataFrame | None = None,
    unit: str = "",
    most: int = MOST_ARCS,
) -> Figure:
    """Arcs from sources to hosts, the ``most`` largest, over boundaries where there are any, else over tiles for provinces, else points.

    Args:
        flows: ``source``, ``host``, ``value``; rows within a region are not drawn.
        places: ``region``, ``name_zh``, ``name_en``, ``lon``, ``lat``.
        speaker: the language.
        outlines: boundaries, ``region``, ``shape``, ``part``, ``ring``, ``lon``, ``lat``.
        unit: of the value, in words.
        most: arcs drawn.
    """
    shown = flows.filter((pl.col("source") != pl.col("host")) & (pl.col("value") > 0)).sort(
        "value", "source", "host", descending=[True, False, False]
    )
    tiled = outlines is None and _all_provinces(places)
    where = _tile_places(places) if tiled else {r: (x, y) for r, x, y in places.select("region", "lon", "lat").drop_nulls().iter_rows()}
    shown = shown.filter(pl.col("source").is_in(list(where)) & pl.col("host").is_in(list(where))).head(most)
    with drawing():
        figure, (axes,) = canvas(4.4)
        if outlines is not None:
            _boundaries(axes, outlines)
        elif tiled:
            _tile_ground(axes)
        largest = float(shown["value"].to_numpy().max()) if shown.height else 0.0
        for source, host, value in shown.select("source", "host", "value").sort("value").iter_rows():
            _arc(axes, where[source], where[host], 0.3 + 3.2 * value / largest)
        _ends(axes, places, where, speaker, balance=_balance(flows), drawn=set(shown["source"]) | set(shown["host"]), tiled=tiled)
        axes.set_aspect(0.85 if tiled else 1 / np.cos(np.deg2rad(MEAN_LATITUDE)))
        bare(axes)
        _arc_legend(axes, speaker, largest, unit, concept_of(flows, speaker))
    return figure


def _all_provinces(places: pl.DataFrame) -> bool:
    return places.height > 0 and all(n in TILES for n in places["name_zh"])


def _tile_places(places: pl.DataFrame) -> dict[str, tuple[float, float]]:
    return {r: (TILES[n][0] + 0.5, 0.5 - TILES[n][1]) for r, n in places.select("region", "name_zh").iter_rows()}


def _tile_ground(axes: Axes) -> None:
    from matplotlib.patches import Rectangle

    for x, y in TILES.values():
        axes.add_patch(Rectangle((x + 0.04, -y + 0.04), 0.92, 0.92, facecolor="#f1f2f4", edgecolor=RULE, linewidth=0.5, zorder=0))
    axes.set_xlim(-0.1, 8.1)
    axes.set_ylim(-7.1, 1.1)


def _boundaries(axes: Axes, outlines: pl.DataFrame) -> None:
    from matplotlib.collections import PathCollection

    shapes = [path for _, path in shaped(outlines)]
    axes.add_collection(PathCollection(shapes, facecolors="#f1f2f4", edgecolors=MUTED, linewidths=0.35, zorder=0))
    axes.autoscale_view()


def _balance(flows: pl.DataFrame) -> dict[str, float]:
    """Inflow less outflow of each region, over all flows, not only those drawn."""
    between = flows.filter(pl.col("source") != pl.col("host"))
    into = between.select(region="host", value="value")
    out = between.select(region="source", value=-pl.col("value"))
    return dict(pl.concat([into, out]).group_by("region").agg(pl.col("value").sum()).iter_rows())


def _arc(axes: Axes, a: tuple[float, float], b: tuple[float, float], width: float) -> None:
    from matplotlib.patches import FancyArrowPatch

    style = f"-|>,head_length={2.0 + 0.8 * width:.2f},head_width={0.9 + 0.5 * width:.2f}"
    patch = FancyArrowPatch(
        a, b, connectionstyle=f"arc3,rad={_BEND}", arrowstyle=style, linewidth=width, color=BLUE, alpha=0.5, shrinkA=4, shrinkB=5, zorder=2
    )
    axes.add_patch(patch)


def _ends(
    axes: Axes,
    places: pl.DataFrame,
    where: Mapping[str, tuple[float, float]],
    speaker: Speaker,
    *,
    balance: Mapping[str, float],
    drawn: set[str],
    tiled: bool,
) -> None:
    """A dot for each region, filled by which way it is on balance, and its name: all on tiles, else those of arcs."""
    for region, zh, en in places.select("region", "name_zh", "name_en").iter_rows():
        if region not in where:
            continue
        x, y = where[region]
        net = balance.get(region, 0.0)
        face = GREEN if net > 0 else ORANGE if net < 0 else "white"
        axes.plot(x, y, "o", color=face, markeredgecolor=INK if region in drawn else MUTED, markeredgewidth=0.5, markersize=4.5, zorder=3)
        if tiled or region in drawn:
            name = zh if speaker.language == "zh" else short_name(zh, en) if tiled else en
            axes.annotate(
                name, (x, y), xytext=(0, -9), textcoords="offset points", ha="center", va="center", fontsize=6.2, color=INK, zorder=4,
                bbox={"boxstyle": "round,pad=0.1", "facecolor": "white", "edgecolor": "none", "alpha": 0.65},
            )  # fmt: skip
    axes.autoscale_view()


def _arc_legend(axes: Axes, speaker: Speaker, largest: float, unit: str, concept: str) -> None:
    from matplotlib.lines import Line2D

    word = speaker.labelled
    handles: list[Any] = [
        Line2D([], [], marker="o", linestyle="", color=GREEN, markeredgecolor=INK, markersize=5, label=word("flow_figure.inflow")),
        Line2D([], [], marker="o", linestyle="", color=ORANGE, markeredgecolor=INK, markersize=5, label=word("flow_figure.outflow")),
    ]
    if largest > 0:
        said = word("flow_figure.own_size", unit=unit or word("flow_figure.flow_value"), most=compact(largest, 3))
        handles.append(Line2D([], [], color=BLUE, alpha=0.5, linewidth=4, label=said))
    else:
        handles.append(Line2D([], [], linestyle="", label=word("flow_figure.none")))
    if concept:
        handles.append(Line2D([], [], linestyle="", label=speaker.labelled("flow_figure.concept", concept=concept)))
    axes.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.5, 0.0), ncols=2, columnspacing=1.2, handlelength=1.6)


def plane(points: pl.DataFrame, speaker: Speaker, *, label: int = 12) -> Figure:
    """Industries of one host by relatedness (across) and complexity (up), divided at the middle of both (Balland et al. 2019).

    Args:
        points: ``industry`` (its name), ``relatedness``, ``complexity``; ``present`` (true where the host has it already) and ``size`` where known.
        speaker: the language.
        label: how many absent industries are named, where there is room: those that are furthest towards close and complex.
    """
    known = points.drop_nulls(["relatedness", "complexity"])
    x, y = known["relatedness"].to_numpy(), known["complexity"].to_numpy()
    present = known["present"].fill_null(value=False).to_numpy() if "present" in known.columns else np.zeros(known.height, dtype=bool)
    size = _areas(known)
    with drawing():
        figure, (axes,) = canvas(4.3)
        axes.axhline(float(np.median(y)), color=RULE, linewidth=0.8, zorder=0)
        axes.axvline(float(np.median(x)), color=RULE, linewidth=0.8, zorder=0)
        for flag, face, edge, key in ((True, "white", MUTED, "present"), (False, BLUE, BLUE, "absent")):
            at = present == flag
            if at.any():
                said = speaker.labelled(f"flow_figure.{key}")
                axes.scatter(x[at], y[at], s=size[at], facecolor=face, edgecolor=edge, alpha=0.75, linewidth=0.8, label=said)
        axes.margins(x=0.07, y=0.12)
        _corners(axes, speaker)
        _name_points(axes, known["industry"].to_list(), (x, y), ~present, label)
        axes.set_xlabel(speaker.labelled("flow_figure.relatedness"))
        axes.set_ylabel(speaker.labelled("flow_figure.complexity"))
        axes.legend(loc="lower left", bbox_to_anchor=(-0.01, 1.0), ncols=2, borderaxespad=0.1)
    return figure


def _areas(known: pl.DataFrame) -> Floats:
    if "size" not in known.columns:
        return np.full(known.height, 26.0)
    size = np.sqrt(np.maximum(known["size"].fill_null(0.0).to_numpy().astype(np.float64), 0.0))
    return np.asarray(12 + 160 * (size / max(float(size.max()), 1e-300)) ** 2)


def _corners(axes: Axes, speaker: Speaker) -> None:
    corners = {
        "harder_complex": (0.01, 0.985),
        "easier_complex": (0.99, 0.985),
        "harder_simple": (0.01, 0.015),
        "easier_simple": (0.99, 0.015),
    }
    for key, (x, y) in corners.items():
        axes.annotate(
            speaker.labelled(f"flow_figure.{key}"), (x, y), xycoords="axes fraction", fontsize=7, color=MUTED,
            ha="left" if x < 0.5 else "right", va="bottom" if y < 0.5 else "top",
        )  # fmt: skip


def _name_points(axes: Axes, names: Sequence[str], at: tuple[Floats, Floats], eligible: NDArray[np.bool_], label: int) -> None:
    """Names of the eligible industries that are closest and most complex, by the sum of their ranks; to the left of points that are far right."""
    x, y = at
    order = np.argsort(np.argsort(x)) + np.argsort(np.argsort(y))
    chosen = [i for i in np.argsort(-order, kind="stable") if eligible[i]][:label]
    middle = (float(x.min()) + 2 * float(x.max())) / 3
    points = axes.transData.transform(np.column_stack([x, y])) * 72 / axes.figure.dpi
    taken: list[tuple[float, float, float]] = []
    for i in sorted(chosen, key=lambda i: -y[i]):
        side = -1 if x[i] > middle else 1
        long = sum(_WIDE if ord(c) > 0x2E80 else _NARROW for c in names[i])
        left, right = sorted((points[i, 0], points[i, 0] + side * (long + 4)))
        drop = next((d for d in _STEPS if all(abs(points[i, 1] + d - h) > 7.5 or right < a or left > b for a, b, h in taken)), None)
        if drop is None:
            continue
        taken.append((left, right, points[i, 1] + drop))
        line = {"arrowstyle": "-", "color": MUTED, "linewidth": 0.4, "shrinkA": 0, "shrinkB": 2} if abs(drop) > 8 else None
        ha, place = ("right" if side < 0 else "left"), (4 * side, drop)
        axes.annotate(
            names[i], (x[i], y[i]), xytext=place, textcoords="offset points", ha=ha, va="center", fontsize=6.5, color=INK, arrowprops=line
        )


_STEPS = (3.0, -5.0, 11.0, -13.0, 19.0, -21.0, -29.0, -37.0)
"""Heights, in points, at which a name is tried beside its point; a name that fits at none is left out."""
_NARROW, _WIDE = 3.8, 6.8
"""Width of a letter and of a Chinese character, in points."""


def centre_paths(paths: pl.DataFrame, names: Mapping[str, str], speaker: Speaker) -> Figure:
    """Where the centre of each industry (or group) was, year after year: first and last year are named.

    Args:
        paths: ``series``, ``time``, ``lon``, ``lat``.
        names: of the series, in the speaker's language.
        speaker: the language.
    """
    series = paths["series"].unique(maintain_order=True).to_list()
    with drawing():
        figure, (axes,) = canvas(4.2)
        for number, name in enumerate(series):
            rows = paths.filter(pl.col("series") == name).drop_nulls(["lon", "lat"]).sort("time")
            if not rows.height:
                continue
            colour, marker = GROUP_COLOURS.get(name, CYCLE[number % len(CYCLE)]), MARKERS[number % len(MARKERS)]
            lon, lat = rows["lon"].to_numpy(), rows["lat"].to_numpy()
            axes.plot(lon, lat, "-", color=colour, linewidth=1.2, alpha=0.8)
            axes.plot(lon[:-1], lat[:-1], marker, color=colour, markersize=2.8, linestyle="", alpha=0.8)
            axes.plot(lon[-1:], lat[-1:], marker, color=colour, markersize=7, label=names.get(name, name))
            for at in {0, rows.height - 1}:
                axes.annotate(
                    str(rows["time"][at]), (lon[at], lat[at]), xytext=(4, 4), textcoords="offset points", fontsize=6.5, color=colour
                )
        axes.set_aspect(1 / np.cos(np.deg2rad(MEAN_LATITUDE)), adjustable="datalim")
        axes.grid(color=RULE, linewidth=0.5)
        axes.set_axisbelow(True)
        axes.set_xlabel(speaker.labelled("flow_figure.longitude"))
        axes.set_ylabel(speaker.labelled("flow_figure.latitude"))
        axes.legend(loc="lower left", bbox_to_anchor=(-0.01, 1.0), ncols=4, borderaxespad=0.1)
    return figure
