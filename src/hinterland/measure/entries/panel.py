"""A table as a grid of years without gaps, relative to each year's mean where asked."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from hinterland.errors import Finding, InputError
from hinterland.measure.data import Data, Floats
from hinterland.measure.entries.inequality import years_of


@dataclass(frozen=True, slots=True)
class Grid:
    """Values [T, R], one row for every year from the first to the last; NaN where not observed."""

    value: Floats
    regions: pl.Series


def plain(values: Floats) -> list[list[float | None]]:
    """Rows of numbers for the record, with nothing where there is no number."""
    return [[float(v) if np.isfinite(v) else None for v in row] for row in np.atleast_2d(values)]


def relative_to_mean(y: Floats, weight: Floats) -> Floats:
    """[T, R] values over their year's weighted mean; NaN where the mean is zero."""
    seen = np.isfinite(y) & np.isfinite(weight)
    w = np.where(seen, weight, 0.0)
    total = w.sum(axis=1, keepdims=True)
    mean = np.divide((w * np.where(seen, y, 0.0)).sum(axis=1, keepdims=True), total, out=np.zeros(total.shape), where=total > 0)
    return np.asarray(np.divide(y, mean, out=np.full(y.shape, np.nan), where=mean != 0))


def yearly_grid(data: Data, step: int, relative: bool) -> Grid:
    """The table's values by year and region; years that it lacks are not observed.

    Raises:
        InputError: fewer than ``step`` + 1 years, or a step that is no positive whole number.
    """
    if isinstance(step, bool) or not isinstance(step, int) or step < 1:
        raise InputError(
            Finding("out-of-range", f"step is {step!r}", "parameter step", "give a whole number of years, 1 or more"), "arguments"
        )
    years = years_of(data)
    times = years.times.to_numpy()
    if times[-1] - times[0] < step:
        what = f"years from {times[0]} to {times[-1]}, and moves over {step}"
        raise InputError(
            Finding("single-period", what, f"column {data.columns['time']!r}", "give more years, or a shorter step"), "the years"
        )
    y = relative_to_mean(years.value, years.weight) if relative else years.value
    out = np.full((int(times[-1] - times[0]) + 1, y.shape[1]), np.nan)
    out[times - times[0]] = y
    return Grid(out, data.labels("region"))
