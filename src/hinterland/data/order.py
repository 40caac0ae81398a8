"""What can be read off rows that are in order already, without sorting or counting distinct values."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray


def grid_periods(frame: pl.DataFrame, unit: str, time: str) -> NDArray[np.int64] | None:
    """[T] periods, increasing, when every unit has a row in each of them and rows go by unit, then period; ``None`` when not.

    Such rows have neither gaps nor copies, and need no sorting.
    """
    units, periods = frame[unit], frame[time]
    if units.dtype not in (pl.Int64, pl.String) or periods.dtype != pl.Int64:
        return None
    if not frame.height or units.null_count() or periods.null_count():
        return None
    starts = run_starts(units)
    width = frame.height // len(starts)
    if width * len(starts) != frame.height or starts[-1] != frame.height - width:
        return None
    if not (starts == np.arange(0, frame.height, width)).all() or not _increases(units[starts]):
        return None
    grid = periods.to_numpy().reshape(len(starts), width)
    same = (grid[0, 1:] > grid[0, :-1]).all() and (grid == grid[0]).all()
    return grid[0] if same else None


def run_starts(values: pl.Series) -> NDArray[np.int64]:
    """[N] first row of each run of equal values, for values none of which is missing."""
    if values.dtype.is_integer():
        numbers = values.to_numpy()
        change = numbers[1:] != numbers[:-1]
    else:
        change = (values[1:] != values[:-1]).to_numpy()
    return np.concatenate(([0], np.flatnonzero(change) + 1))


def _increases(values: pl.Series) -> bool:
    return bool((values[1:] > values[:-1]).all())
