"""Figures of the chapter on mechanisms: the path diagram, and indirect effects by the strength of an unmeasured confounder."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from hinterland.report.marks import column
from hinterland.report.sentences import Speaker
from hinterland.report.style import BLUE, INK, MUTED, ORANGE, PAPER, RULE, canvas, drawing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LETTERS = 26
"""Letters in a line of a box or of a panel's title; a Chinese character counts as two."""


@dataclass(frozen=True, slots=True)
class Path:
    """The words and numbers of a path diagram: K mediators with the effect on each, the outcome's slope, the product, and its share in per cent (empty: not told)."""

    policy: str
    outcome: str
    mediators: tuple[str, ...]
    effect: tuple[str, ...]
    slope: tuple[str, ...]
    indirect: tuple[str, ...]
    share: tuple[str, ...]
    direct: str
    total: str


def wrapped(text: str, letters: int = _LETTERS) -> str:
    """``text`` in lines of at most about ``letters``."""
    if any(c > "\u2e80" for c in text):
        half = max(letters // 2, 4)
        return "\n".join(text[i : i + half] for i in range(0, len(text), half))
    return "\n".join(textwrap.wrap(text, letters)) or text


def path_diagram(path: Path, speaker: Speaker) -> Figure:
    """Policy → mediators → outcome with a number on every arrow, and the direct path below."""
    rows = len(path.mediators)
    with drawing():
        figure, (axes,) = canvas(1.4 + 0.78 * rows)
        axes.set_axis_off()
        axes.set_xlim(0, 10)
        axes.set_ylim(-1.1, rows)
        middle = rows / 2 - 0.25
        _box(axes, (1.0, middle), wrapped(path.policy, 18), bold=True)
        _box(axes, (9.0, middle), wrapped(path.outcome, 18), bold=True)
        for k in range(rows):
            y = rows - 0.5 - k
            through = speaker.ui("mark.through", indirect=path.indirect[k])
            part = "\n" + speaker.ui("mark.share", share=path.share[k]) if path.share[k] else ""
            _box(axes, (5.0, y), f"{wrapped(path.mediators[k], 34)}\n{through}{part}")
            _arrow(axes, (2.0, middle), (3.35, y), path.effect[k], at=0.55)
            _arrow(axes, (6.65, y), (8.0, middle), path.slope[k], at=0.45)
        _arrow(
            axes, (1.0, middle - 0.42), (9.0, middle - 0.42), speaker.ui("mark.direct", direct=path.direct, total=path.total), bent=-0.62
        )
    return figure


def _box(axes: Axes, at: tuple[float, float], text: str, *, bold: bool = False) -> None:
    style = {"boxstyle": "round,pad=0.45", "facecolor": PAPER, "edgecolor": INK if bold else BLUE, "linewidth": 1.0}
    axes.text(*at, text, ha="center", va="center", fontsize=8.5 if bold else 8, bbox=style, zorder=4, linespacing=1.35)


def _arrow(
    axes: Axes, start: tuple[float, float], end: tuple[float, float], text: str, *, at: float = 0.5, bent: float | None = None
) -> None:
    if bent is None:
        axes.annotate(
            "", end, start, arrowprops={"arrowstyle": "-|>", "color": INK, "linewidth": 1.0, "shrinkA": 2, "shrinkB": 2}, zorder=2
        )
        x, y = start[0] + at * (end[0] - start[0]), start[1] + at * (end[1] - start[1])
    else:
        y = bent
        corner = {"color": ORANGE, "linewidth": 1.2, "zorder": 2, "solid_capstyle": "butt"}
        axes.plot([start[0], start[0], end[0]], [start[1], y, y], **corner)  # type: ignore[arg-type]  # keywords of Line2D
        axes.annotate(
            "", end, (end[0], y), arrowprops={"arrowstyle": "-|>", "color": ORANGE, "linewidth": 1.2, "shrinkA": 0, "shrinkB": 0}, zorder=2
        )
        x = (start[0] + end[0]) / 2
    plain = {"facecolor": PAPER, "edgecolor": "none", "pad": 1.5}
    axes.text(x, y, text, ha="center", va="center", fontsize=8.5, color=ORANGE if bent is not None else INK, bbox=plain, zorder=3)


def confounded(panels: Sequence[tuple[str, pl.DataFrame]], speaker: Speaker, *, unit: str) -> Figure:
    """Indirect effects with intervals by the correlation of the errors of mediator and outcome, one panel per mediator: title and rows of table ``mechanism_sensitivity``."""
    with drawing():
        figure, axes = canvas(2.9, len(panels), sharey=True)
        for k, (title, frame) in enumerate(panels):
            rho, estimate = column(frame, "rho"), column(frame, "estimate")
            low, high = column(frame, "conf_low"), column(frame, "conf_high")
            axes[k].axhline(0, color=MUTED, linewidth=0.8, zorder=1)
            axes[k].axvline(0, color=RULE, linewidth=0.8, zorder=1)
            axes[k].fill_between(rho, low, high, color=BLUE, alpha=0.2, linewidth=0, zorder=2)
            axes[k].plot(rho, estimate, color=BLUE, linewidth=1.5, zorder=3)
            _mark_zero(axes[k], rho, estimate)
            axes[k].set_title(title, pad=6)
            axes[k].set_xlabel(speaker.ui("axis.rho"))
            axes[k].set_xticks([-0.8, -0.4, 0, 0.4, 0.8])
        axes[0].set_ylabel(unit)
    return figure


def _mark_zero(axes: Axes, rho: np.ndarray, estimate: np.ndarray) -> None:
    """A mark where the line crosses zero."""
    crossing = np.flatnonzero(np.sign(estimate[1:]) != np.sign(estimate[:-1]))
    for j in crossing[:1]:
        gap = estimate[j + 1] - estimate[j]
        x = rho[j] - estimate[j] * (rho[j + 1] - rho[j]) / gap if gap else rho[j]
        axes.plot(x, 0, "o", color=ORANGE, markersize=5, zorder=4)
