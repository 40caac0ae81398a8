"""The figure of groups: their effects as circles, their differences as diamonds below, on one axis."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hinterland.report.digits import signed
from hinterland.report.marks import Floats, column
from hinterland.report.style import BLUE, MUTED, ORANGE, PAPER, RULE, canvas, drawing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MANY = 14
"""Rows from which they are set closer."""


def groups_and_differences(rows: pl.DataFrame, *, unit: str, reference: float | None = None) -> Figure:
    """Effects of groups, and below a rule their differences.

    Args:
        rows: ``label, kind, method, few, estimate, conf_low, conf_high``, top to bottom; ``kind`` is ``group`` or ``difference``. Rows of ``few`` treated clusters
            have dashed intervals; a null interval is not drawn, an infinite end runs to the edge. Marks of estimators other than the first row's are open.
        unit: label of the horizontal axis;  reference: the estimate of the whole sample, drawn through the groups.
    """
    with drawing():
        dense = rows.height > MANY
        figure, (axes,) = canvas(0.9 + (0.21 if dense else 0.3) * max(rows.height, 2))
        y = np.arange(rows.height, dtype=np.float64)[::-1]
        groups = (rows["kind"] == "group").to_numpy()
        axes.axvline(0, color=MUTED, linewidth=0.8, zorder=1)
        if groups.any() and reference is not None:
            axes.plot([reference] * 2, [y[groups].min() - 0.4, y.max() + 0.5], color=BLUE, linewidth=0.9, linestyle=(0, (4, 3)), zorder=1)
        if groups.any() and not groups.all():
            axes.axhline(y[groups].min() - 0.5, color=RULE, linewidth=1.0, zorder=1)
        _limits(axes, rows, reference)
        _marks(axes, rows, y, groups)
        axes.set_yticks(y, [str(v) for v in rows["label"]])
        axes.tick_params(axis="y", length=0, labelsize=7.5 if dense else 8.5)
        axes.spines["left"].set_visible(False)
        axes.set_xlabel(unit)
        axes.set_ylim(-0.6, rows.height - 0.4)
    return figure


def _limits(axes: Axes, rows: pl.DataFrame, reference: float | None) -> None:
    """Room for every finite end, so that open intervals can run to the edge."""
    ends = np.concatenate([column(rows, c) for c in ("estimate", "conf_low", "conf_high")])
    ends = np.append(ends[np.isfinite(ends)], [0.0, *([] if reference is None else [reference])])
    room = 0.06 * float(np.ptp(ends)) or 1.0
    axes.set_xlim(float(ends.min()) - room, float(ends.max()) + room)


def _marks(axes: Axes, rows: pl.DataFrame, y: Floats, groups: NDArray[np.bool_]) -> None:
    estimate, low, high = (column(rows, c) for c in ("estimate", "conf_low", "conf_high"))
    left, right = axes.get_xlim()
    low, high = np.where(np.isneginf(low), left, low), np.where(np.isposinf(high), right, high)
    other, few = (rows["method"] != rows["method"][0]).to_numpy(), rows["few"].fill_null(value=False).to_numpy()
    for chosen, colour, face in ((~other, BLUE, BLUE), (other, ORANGE, PAPER)):
        for thin, style in ((False, "-"), (True, (0, (2, 1.6)))):
            some = chosen & (few == thin)
            axes.hlines(y[some], low[some], high[some], color=colour, linewidth=1.2 if thin else 1.8, linestyle=style, zorder=2)
        for inside, marker in ((groups, "o"), (~groups, "D")):
            some = chosen & inside
            axes.plot(estimate[some], y[some], marker, color=colour, markerfacecolor=face, markersize=5, zorder=3)
    for value, place in zip(estimate, y, strict=True):
        axes.annotate(
            signed(value), (1.0, place), xycoords=("axes fraction", "data"), xytext=(6, 0), textcoords="offset points", va="center",
            fontsize=7.5 if rows.height > MANY else 8,
        )  # fmt: skip
