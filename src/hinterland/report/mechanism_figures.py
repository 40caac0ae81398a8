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
    from matplotlib.text import Text

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
        figure, (axes,) = canvas(0.9 + 0.78 * rows)
        axes.set_axis_off()
        axes.set_xlim(0, 10)
        axes.set_ylim(-0.75, rows)
        middle = rows / 2
        policy = _box(axes, (1.0, middle), wrapped(path.policy, 18), edge=INK)
        outcome = _box(axes, (9.0, middle), wrapped(path.outcome, 18), edge=INK)
        for k in range(rows):
            y = rows - 0.5 - k
            through = speaker.ui("mark.through", indirect=path.indirect[k])
            part = "\n" + speaker.ui("mark.share", share=path.share[k]) if path.share[k] else ""
            box = _box(axes, (5.0, y), f"{wrapped(path.mediators[k], 34)}\n{through}{part}", edge=BLUE)
            _arrow(axes, policy, box, path.effect[k])
            _arrow(axes, box, outcome, path.slope[k])
        _direct(axes, policy, outcome, speaker.ui("mark.direct", direct=path.direct, total=path.total))
    return figure


def _box(axes: Axes, at: tuple[float, float], text: str, *, edge: str) -> Text:
    style = {"boxstyle": "round,pad=0.45", "facecolor": PAPER, "edgecolor": edge, "linewidth": 1.0}
    return axes.text(*at, text, ha="center", va="center", fontsize=8.5 if edge == INK else 8, bbox=style, zorder=4, linespacing=1.35)


def _arrow(axes: Axes, start: Text, end: Text, text: str) -> None:
    """From box to box, with the number in the middle of what is seen of the arrow."""
    (x0, y0), (x1, y1) = start.get_position(), end.get_position()
    line = {
        "arrowstyle": "-|>",
        "color": INK,
        "linewidth": 1.0,
        "patchA": start.get_bbox_patch(),
        "patchB": end.get_bbox_patch(),
        "shrinkA": 1,
        "shrinkB": 1,
    }
    axes.annotate("", (x1, y1), (x0, y0), arrowprops=line, zorder=2)
    _number(axes, ((x0 + x1) / 2, (y0 + y1) / 2), text, INK)


def _direct(axes: Axes, start: Text, end: Text, text: str) -> None:
    """The path below all mediators, from under one box to under the other."""
    (x0, y0), (x1, y1) = start.get_position(), end.get_position()
    low = -0.55
    axes.plot([x0, x0, x1], [y0, low, low], color=ORANGE, linewidth=1.2, zorder=2)
    line = {"arrowstyle": "-|>", "color": ORANGE, "linewidth": 1.2, "patchB": end.get_bbox_patch(), "shrinkA": 0, "shrinkB": 1}
    axes.annotate("", (x1, y1), (x1, low), arrowprops=line, zorder=2)
    _number(axes, ((x0 + x1) / 2, low), text, ORANGE)


def _number(axes: Axes, at: tuple[float, float], text: str, colour: str) -> None:
    plain = {"facecolor": PAPER, "edgecolor": "none", "pad": 1.5}
    axes.text(*at, text, ha="center", va="center", fontsize=8.5, color=colour, bbox=plain, zorder=3)


def confounded(panels: Sequence[tuple[str, pl.DataFrame]], speaker: Speaker, *, unit: str) -> Figure:
    """Indirect effects with intervals by the correlation of the errors of mediator and outcome, one panel per mediator: title and rows of table ``mechanism_sensitivity``."""
    with drawing():
        figure, axes = canvas(2.7, len(panels), sharey=True)
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
        axes[0].set_ylabel(unit)
    return figure


def _mark_zero(axes: Axes, rho: np.ndarray, estimate: np.ndarray) -> None:
    """A mark where the line crosses zero."""
    crossing = np.flatnonzero(np.sign(estimate[1:]) != np.sign(estimate[:-1]))
    for j in crossing[:1]:
        gap = estimate[j + 1] - estimate[j]
        x = rho[j] - estimate[j] * (rho[j + 1] - rho[j]) / gap if gap else rho[j]
        axes.plot(x, 0, "o", color=ORANGE, markersize=5, zorder=4)
