"""Bars around zero: who gained and who lost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hinterland.report.digits import compact
from hinterland.report.style import BLUE, MUTED, ORANGE, RULE, canvas, drawing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MOST = 40


def bars(names: Sequence[str], values: NDArray[np.float64], axis: str) -> Figure:
    """One bar per name, gains in blue, losses in orange, in the order given; of more than 40, both ends."""
    keep = list(range(len(names))) if len(names) <= _MOST else [*range(_MOST // 2), *range(len(names) - _MOST // 2, len(names))]
    shown, label = values[keep], [names[k] for k in keep]
    place = np.arange(len(keep), 0, -1)
    with drawing():
        figure, (axes,) = canvas(0.8 + 0.18 * len(keep))
        axes.barh(place, shown, height=0.7, color=[BLUE if v >= 0 else ORANGE for v in shown])
        axes.axvline(0, color=MUTED, linewidth=0.8)
        axes.set_yticks(place, label, fontsize=7.5)
        axes.set_ylim(0.3, len(keep) + 0.7)
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="x", color=RULE, linewidth=0.5)
        axes.set_axisbelow(True)
        axes.spines["left"].set_visible(False)
        axes.set_xlabel(axis)
        axes.xaxis.set_major_formatter(lambda value, _: compact(float(value)))
    return figure
