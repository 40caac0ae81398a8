"""What every figure of estimates draws with: columns as floats, vertical intervals, whole ticks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hinterland.report.style import BLUE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = NDArray[np.float64]


def column(frame: pl.DataFrame, name: str) -> Floats:
    """A column as floats: NaN for null, and throughout where the frame has no such column."""
    if name not in frame.columns:
        return np.full(frame.height, np.nan)
    return np.asarray(frame[name].cast(pl.Float64).fill_null(np.nan).to_numpy(), dtype=np.float64)


def draw_bars(axes: Axes, x: Floats, frame: pl.DataFrame, name: str, *, width: float, alpha: float, label: str = "_") -> None:
    """Vertical bars from ``NAME_low`` to ``NAME_high`` at ``x`` [n], where both are finite."""
    low, high = column(frame, f"{name}_low"), column(frame, f"{name}_high")
    shown = np.isfinite(low) & np.isfinite(high)
    if shown.any():
        axes.vlines(
            x[shown], low[shown], high[shown], color=BLUE, linewidth=width, alpha=alpha, zorder=2 if name == "band" else 3, label=label
        )


def event_ticks(x: Floats, most: int = 26) -> Floats:
    """Whole numbers in the range of ``x``, about ``most`` of them, zero among them."""
    step = max(1, int(np.ceil((x.max() - x.min() + 1) / most)))
    whole = np.arange(int(x.min()), int(x.max()) + 1, dtype=np.float64)
    return np.asarray(whole[whole % step == 0])
