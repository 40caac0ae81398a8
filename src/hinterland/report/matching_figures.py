"""Figures of matching: standardised differences before and after, and where propensity scores overlap."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hinterland.report.sentences import Speaker
from hinterland.report.style import BLUE, CYCLE, INK, MARKERS, MUTED, ORANGE, canvas, drawing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]

BALANCED = 0.1
"""Absolute standardised difference up to which a covariate is usually taken as balanced (Austin 2009)."""
_SPREAD = 0.5
"""Share of a row's height over which the ways of matching are spread."""


def love(panels: Sequence[tuple[str, pl.DataFrame]], speaker: Speaker) -> Figure:
    """Absolute standardised differences of each covariate before (open circle) and after every way of matching.

    Args:
        panels: a title and rows ``row, name, variable, smd_before, smd_after`` each; ``name`` is what the way is called.
        speaker: the language.
    """
    names = [list(frame["variable"].unique(maintain_order=True)) for _, frame in panels]
    with drawing():
        figure, axes = canvas(1.5 + 0.42 * max(map(len, names)), len(panels), sharey=False)
        for at, (title, frame) in enumerate(panels):
            _love_panel(axes[at], frame, names[at], speaker, labelled=at == 0)
            if len(panels) > 1:
                axes[at].set_title(title, pad=6)
            axes[at].set_xlabel(speaker.ui("axis.smd"))
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=min(5, len(labels)), frameon=False)
    return figure


def _love_panel(axes: Axes, frame: pl.DataFrame, variables: Sequence[str], speaker: Speaker, *, labelled: bool) -> None:
    place = {name: float(len(variables) - 1 - k) for k, name in enumerate(variables)}
    axes.axvline(0, color=MUTED, linewidth=0.8, zorder=1)
    axes.axvline(BALANCED, color=MUTED, linewidth=0.8, linestyle=(0, (4, 3)), zorder=1)
    first = frame.filter(pl.col("row") == frame["row"][0])
    axes.plot(
        first["smd_before"].abs(),
        [place[v] for v in first["variable"]],
        "o",
        markerfacecolor="white",
        markeredgecolor=INK,
        markersize=6,
        linestyle="none",
        zorder=2,
        label=speaker.ui("mark.before"),
    )
    ways = list(frame.group_by("row", maintain_order=True))
    shift = np.linspace(_SPREAD / 2, -_SPREAD / 2, len(ways)) if len(ways) > 1 else np.zeros(1)
    for k, (_, part) in enumerate(ways):
        y = [place[v] + shift[k] for v in part["variable"]]
        mark, colour = MARKERS[(k + 1) % len(MARKERS)], CYCLE[k % len(CYCLE)]
        axes.plot(part["smd_after"].abs(), y, mark, color=colour, markersize=4.5, linestyle="none", zorder=3, label=str(part["name"][0]))
    axes.set_yticks(list(place.values()), [speaker.name(v) for v in variables] if labelled else [""] * len(variables))
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set_ylim(-0.6, len(variables) - 0.4)
    axes.set_xlim(left=-0.01)


def weighted_density(values: Floats, weight: Floats, points: int = 256) -> tuple[Floats, Floats]:
    """A Gaussian kernel density of weighted ``values`` [n] on ``points`` places; Silverman's rule for the effective number of values."""
    share = weight / weight.sum()
    mean = float(share @ values)
    spread = float(np.sqrt(share @ (values - mean) ** 2)) or 1.0
    width = 0.9 * spread * float(1 / (share @ share)) ** -0.2
    grid = np.linspace(values.min() - 3 * width, values.max() + 3 * width, points)
    heights = (share * np.exp(-0.5 * ((grid[:, None] - values[None, :]) / width) ** 2)).sum(axis=1) / (width * np.sqrt(2 * np.pi))
    return grid, heights


def overlap(panels: Mapping[str, pl.DataFrame], speaker: Speaker) -> Figure:
    """Densities of the log odds of the score, treated (blue) and comparison (orange, dashed), one panel for each title.

    Args:
        panels: title to rows ``treated, score, weight`` of weight above zero.
        speaker: the language.
    """
    top = 0.0
    with drawing():
        figure, axes = canvas(2.7, len(panels), sharey=True)
        for at, (title, frame) in enumerate(panels.items()):
            for treated, colour, dashes in ((True, BLUE, "-"), (False, ORANGE, (0, (4, 2)))):
                part = frame.filter(pl.col("treated") == treated)
                if part.height < 2:
                    continue
                score = np.clip(part["score"].to_numpy(), 1e-12, 1 - 1e-12)
                x, y = weighted_density(np.log(score / (1 - score)), part["weight"].to_numpy())
                top = max(top, float(y.max()))
                name = speaker.ui("mark.treated" if treated else "mark.comparison")
                axes[at].plot(x, y, color=colour, linestyle=dashes, linewidth=1.5, label=name)
                axes[at].fill_between(x, y, color=colour, alpha=0.12, linewidth=0)
            axes[at].set_title(title, pad=6)
            axes[at].set_yticks([])
            axes[at].spines["left"].set_visible(False)
        axes[0].set_ylim(0, 1.08 * top if top > 0 else 1.0)
        figure.supxlabel(speaker.ui("axis.log_odds"), fontsize=9)
        figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=2, frameon=False)
    return figure
