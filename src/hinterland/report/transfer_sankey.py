"""Sankey diagram of transfer: from sources through industry groups to hosts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import polars as pl

from hinterland.report.measure_shapes import bare
from hinterland.report.sentences import Speaker, bracketed
from hinterland.report.style import BLUE, GREEN, INK, MUTED, ORANGE, PURPLE, YELLOW, canvas, drawing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

GROUP_COLOURS = {"labour": ORANGE, "capital": BLUE, "technology": PURPLE, "resource": GREEN}
"""Colour of each industry group; of any other, yellow or grey."""


def concept_of(flows: pl.DataFrame, speaker: Speaker) -> str:
    """The concept of the flows in words, nothing where they have none. Raises ``ValueError`` where they have several: those are not to be added up."""
    found = flows["concept"].unique().to_list() if "concept" in flows.columns else []
    if len(found) > 1:
        raise ValueError(f"flows of several concepts in one figure: {sorted(found)}")
    return speaker.name(found[0], "flow_concept") if found else ""


def sankey(flows: pl.DataFrame, names: Mapping[str, str], speaker: Speaker, *, most: int = 8, unit: str = "") -> Figure:
    """Bands from sources (left) through industry groups (middle) to hosts (right), as wide as what flows.

    Args:
        flows: ``source``, ``group``, ``host``, ``value``.
        names: of regions, in the speaker's language.
        speaker: the language.
        most: sources, and hosts, shown by name; the others together.
        unit: of the value, in words.
    """
    rows = flows.filter((pl.col("source") != pl.col("host")) & (pl.col("value") > 0)).with_columns(pl.col("group").fill_null(""))
    rows = rows.with_columns(_largest(rows, "source", most), _largest(rows, "host", most))
    columns = [_stack(rows, c) for c in ("source", "group", "host")]
    with drawing():
        figure, (axes,) = canvas(4.6)
        if rows.height:
            _bands(axes, rows, columns, float(rows["value"].sum()))
        else:
            axes.annotate(speaker.labelled("flow_figure.none"), (1, 0.5), ha="center", color=MUTED)
        for number, (key, stack) in enumerate(zip(("source", "group", "host"), columns, strict=True)):
            _blocks(axes, (number, key), stack, names, speaker)
        axes.set_xlim(-0.55, 2.55)
        axes.set_ylim(-0.02, 1.06)
        for x, key in ((0, "source"), (2, "host")):
            axes.annotate(speaker.labelled(f"flow_figure.{key}"), (x, 1.03), ha="center", fontsize=8.5, color=MUTED)
        concept = concept_of(flows, speaker)
        middle = bracketed(unit, concept, speaker.language) if unit and concept else unit or concept
        axes.annotate(middle, (1, 1.03), ha="center", fontsize=8.5, color=MUTED)
        bare(axes)
    return figure


_OTHERS = "\uffff"
"""Stands for what is not named; sorts last."""


def _largest(rows: pl.DataFrame, key: str, most: int) -> pl.Expr:
    named = rows.group_by(key).agg(pl.col("value").sum()).sort("value", key, descending=[True, False])[key]
    kept = named if len(named) <= most + 1 else named.head(most)
    return pl.when(pl.col(key).is_in(kept.implode())).then(pl.col(key)).otherwise(pl.lit(_OTHERS))


def _stack(rows: pl.DataFrame, key: str) -> dict[str, tuple[float, float]]:
    """Top and height of each block, from 1 downwards, with gaps; others last."""
    sums = rows.group_by(key).agg(pl.col("value").sum())
    last = pl.col(key) == _OTHERS
    ordered = sums.sort(last, "value", key, descending=[False, True, False])
    total, gap = float(sums["value"].sum()), 0.015
    room = 1 - gap * max(ordered.height - 1, 0)
    out, top = {}, 1.0
    for name, value in ordered.iter_rows():
        height = room * value / total
        out[name] = (top, height)
        top -= height + gap
    return out


def _bands(axes: Axes, rows: pl.DataFrame, columns: Sequence[Mapping[str, tuple[float, float]]], total: float) -> None:
    for left, (a, b) in enumerate((("source", "group"), ("group", "host"))):
        sums = rows.group_by(a, b).agg(pl.col("value").sum())
        used_a = {k: v[0] for k, v in columns[left].items()}
        used_b = {k: v[0] for k, v in columns[left + 1].items()}
        width = {(x, y): value for x, y, value in sums.iter_rows()}
        scale_a, scale_b = (sum(h for _, h in columns[left + side].values()) / total for side in (0, 1))
        right: dict[tuple[str, str], float] = {}
        for y in columns[left + 1]:
            for x in columns[left]:
                if (x, y) in width:
                    right[x, y] = used_b[y]
                    used_b[y] -= width[x, y] * scale_b
        for x in columns[left]:
            for y in columns[left + 1]:
                if (x, y) not in width:
                    continue
                tall = width[x, y]
                group = y if b == "group" else x
                _band(
                    axes,
                    left,
                    (used_a[x], tall * scale_a),
                    (right[x, y], tall * scale_b),
                    GROUP_COLOURS.get(group, YELLOW if group else MUTED),
                )
                used_a[x] -= tall * scale_a


def _band(axes: Axes, left: int, a: tuple[float, float], b: tuple[float, float], colour: str) -> None:
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    x0, x1 = left + 0.05, left + 0.95
    middle = (x0 + x1) / 2
    upper = [(x0, a[0]), (middle, a[0]), (middle, b[0]), (x1, b[0])]
    lower = [(x1, b[0] - b[1]), (middle, b[0] - b[1]), (middle, a[0] - a[1]), (x0, a[0] - a[1])]
    codes = [Path.MOVETO, *[Path.CURVE4] * 3, Path.LINETO, *[Path.CURVE4] * 3, Path.CLOSEPOLY]
    axes.add_patch(PathPatch(Path([*upper, *lower, upper[0]], codes), facecolor=colour, alpha=0.4, linewidth=0))


def _blocks(
    axes: Axes, column: tuple[int, str], stack: Mapping[str, tuple[float, float]], names: Mapping[str, str], speaker: Speaker
) -> None:
    """The blocks of one column, with their names and shares."""
    from matplotlib.patches import Rectangle

    number, key = column
    whole = sum(h for _, h in stack.values())
    for name, (top, height) in stack.items():
        face = GROUP_COLOURS.get(name, YELLOW if name else MUTED) if key == "group" else INK
        axes.add_patch(Rectangle((number - 0.05, top - height), 0.1, height, facecolor=face, linewidth=0))
        share = height / whole if whole else 0.0
        if key == "group":
            said = speaker.name(name, "industry_group") if name else speaker.labelled("flow_figure.ungrouped")
        else:
            said = speaker.labelled("flow_figure.others") if name == _OTHERS else names.get(name, name)
        words = f"{said}  {share:.0%}"
        x, ha = {0: (-0.08, "right"), 1: (1.0, "center"), 2: (2.08, "left")}[number]
        box = {"boxstyle": "round,pad=0.15", "facecolor": "white", "edgecolor": "none", "alpha": 0.75} if number == 1 else None
        axes.annotate(words, (x, top - height / 2), ha=ha, va="center", fontsize=7, color=INK, bbox=box)
