"""The forest figure of the robustness rows: one line per row, a mark for each estimator, told apart by shape and fill as well as colour."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from hinterland.report.digits import count, signed
from hinterland.report.sentences import Speaker
from hinterland.report.style import BLUE, GREEN, INK, MUTED, ORANGE, PAPER, canvas, drawing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Kind = Literal["headline", "static", "other"]
_LOOK: dict[str, tuple[str, str, str]] = {"headline": ("o", BLUE, BLUE), "static": ("s", ORANGE, PAPER), "other": ("D", GREEN, GREEN)}
"""Marker, colour and fill of each kind."""
_STEP = 0.235
"""Inches for each line."""


@dataclass(frozen=True, slots=True)
class Mark:
    """One estimate of a line; ``n`` observations."""

    kind: Kind
    method: str
    estimate: float
    std_error: float
    conf_low: float
    conf_high: float
    n: int

    def as_row(self) -> dict[str, Any]:
        """The mark as a row of the figure's data."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Line:
    """One row: the heading it stands under (empty: none), its label, its marks."""

    group: str
    label: str
    marks: tuple[Mark, ...]


def battery_forest(lines: Sequence[Line], speaker: Speaker, *, unit: str) -> Figure:
    """Estimates with 95% intervals; the first line is the baseline, whose estimates are drawn through all lines.

    Args:
        lines: top to bottom.
        unit: label of the horizontal axis.
    """
    places, headings, total = _places(lines)
    with drawing():
        figure, (axes,) = canvas(0.95 + _STEP * total)
        axes.axvline(0, color=MUTED, linewidth=0.9, zorder=1)
        for mark in lines[0].marks:
            colour, dash = _LOOK[mark.kind][1], (0, (5, 3)) if mark.kind == "headline" else (0, (1, 2))
            axes.axvline(mark.estimate, color=colour, linewidth=0.9, linestyle=dash, zorder=1)
        for place, line in zip(places, lines, strict=True):
            _line(axes, place, line)
        _legend(figure, lines, speaker)
        axes.set_yticks(places, [line.label for line in lines])
        axes.tick_params(axis="y", length=0, labelsize=7.5)
        for place, text in headings:
            axes.text(-0.01, place, text, transform=axes.get_yaxis_transform(), ha="right", va="center", fontsize=8, color=BLUE)
        axes.spines["left"].set_visible(False)
        axes.set_ylim(-total + 0.4, 1.1)
        axes.set_xlabel(unit)
        _columns(axes, places, lines, speaker)
    return figure


def _places(lines: Sequence[Line]) -> tuple[list[float], list[tuple[float, str]], float]:
    """Height of each line, the headings with theirs, and how many lines that makes."""
    places, headings, at, last = [], [], 0.0, ""
    for line in lines:
        if line.group != last:
            headings.append((at, line.group))
            at -= 1.0
            last = line.group
        places.append(at)
        at -= 1.0
    return places, headings, -at


def _line(axes: Axes, place: float, line: Line) -> None:
    offsets = np.linspace(0.18, -0.18, len(line.marks)) if len(line.marks) > 1 else np.zeros(1)
    for mark, offset in zip(line.marks, offsets, strict=True):
        marker, colour, face = _LOOK[mark.kind]
        y = place + float(offset)
        axes.hlines(y, mark.conf_low, mark.conf_high, color=colour, linewidth=1.7 if mark.kind == "headline" else 1.0, zorder=2)
        axes.plot(mark.estimate, y, marker, color=colour, markerfacecolor=face, markersize=4.5 if marker != "D" else 4.0, zorder=3)


def _legend(figure: Figure, lines: Sequence[Line], speaker: Speaker) -> None:
    from matplotlib.lines import Line2D

    seen = {mark.kind: mark.method for line in reversed(lines) for mark in line.marks}
    handles = []
    for kind in ("headline", "static", "other"):
        if kind in seen:
            marker, colour, face = _LOOK[kind]
            name = speaker.ui("mark.other_estimators") if kind == "other" else speaker.name(seen[kind], "method_short")
            handles.append(Line2D([], [], color=colour, marker=marker, markerfacecolor=face, markersize=4.5, linewidth=1.2, label=name))
    figure.legend(handles=handles, loc="outside upper left", ncols=3)


def _columns(axes: Axes, places: Sequence[float], lines: Sequence[Line], speaker: Speaker) -> None:
    """Beside each line the leading estimate and its number of observations."""
    for place, line in zip(places, lines, strict=True):
        _beside(axes, place, (signed(line.marks[0].estimate), count(line.marks[0].n)), INK)
    _beside(axes, 0.95, (speaker.ui("col.estimate"), speaker.ui("col.n")), MUTED)


def _beside(axes: Axes, place: float, texts: Sequence[str], colour: str) -> None:
    """Texts to the right of the axes at height ``place``, in columns of fixed width."""
    for points, text in zip((42, 80), texts, strict=True):
        axes.annotate(
            text,
            (1.0, place),
            xycoords=("axes fraction", "data"),
            xytext=(points, 0),
            textcoords="offset points",
            ha="right",
            va="center",
            fontsize=7.2,
            color=colour,
        )
