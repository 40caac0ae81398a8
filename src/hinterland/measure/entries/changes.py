"""Two years of a table side by side: which are compared, and which cells are known in both."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hinterland.errors import Finding, InputError
from hinterland.measure.data import Cube, Data
from hinterland.measure.entries.axes import axes
from hinterland.measure.indicator import Parameter, Role
from hinterland.measure.result import Measured, dense

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Compare = Literal["first-last", "first", "previous"]

CELLS = (
    Role("region", "key", "region"),
    Role("industry", "key", "industry, on one classification"),
    Role("time", "time", "year"),
    Role("value", "number", "employment, output or value added, in one unit and at constant prices", sign="non-negative"),
)
UNIQUE = ("time", "region", "industry")
COMPARE = Parameter(
    "first-last",
    ("first-last", "first", "previous"),
    "years compared: the last with the first, every year with the first, or every year with the one before",
)


@dataclass(frozen=True, slots=True)
class Pair:
    """Two years of a cube: positions, and values [R, I] that are NaN unless known in both."""

    first: int
    last: int
    start: Floats
    end: Floats


def pairs(cube: Cube, compare: Compare) -> list[Pair]:
    """The years to compare.

    Raises:
        InputError: the table has one year only.
    """
    count = len(cube.labels[0])
    if count < 2:
        what = f"the table has one period: {cube.labels[0].to_list()}"
        raise InputError(Finding("change-needs-two-periods", what, "argument time", "give a table with at least two periods"), "a change")
    chosen = {"first-last": [(0, count - 1)], "first": [(0, t) for t in range(1, count)], "previous": [(t - 1, t) for t in range(1, count)]}
    return [_pair(cube, a, b) for a, b in chosen[compare]]


def _pair(cube: Cube, first: int, last: int) -> Pair:
    known = np.isfinite(cube.values[first]) & np.isfinite(cube.values[last])
    return Pair(first, last, np.where(known, cube.values[first], np.nan), np.where(known, cube.values[last], np.nan))


def later(cube: Cube, compared: list[Pair]) -> pl.Series:
    """The second year of each pair: the period of its result."""
    return cube.labels[0].gather([p.last for p in compared])


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of the pairs of years, [P, R, I] each."""

    observed: Bools
    suppressed: Bools
    start: Floats
    end: Floats

    @property
    def industries(self) -> tuple[NDArray[np.int64], Floats]:
        """[P, 1, I] regions known in both years, and their share."""
        used = self.observed.sum(axis=1, keepdims=True)
        return used, used / self.observed.shape[1]

    @property
    def reasons(self) -> Mapping[str, Any]:
        """Why a cell has no change."""
        return {
            "suppressed-input": self.suppressed,
            "missing-input": ~self.observed,
            "no-industry-base": np.nansum(self.start, axis=1, keepdims=True) == 0,
            "no-industry-end": np.nansum(self.end, axis=1, keepdims=True) == 0,
            "zero-region-total": (np.nansum(self.start, axis=2, keepdims=True) == 0) | (np.nansum(self.end, axis=2, keepdims=True) == 0),
        }


def known(cube: Cube, compared: list[Pair]) -> Known:
    """Which cells are known in both years of each pair."""
    start, end = np.stack([p.start for p in compared]), np.stack([p.end for p in compared])
    suppressed = np.stack([cube.suppressed[p.first] | cube.suppressed[p.last] for p in compared])
    return Known(np.isfinite(start), suppressed, start, end)


def cell_changes(data: Data, compare: Compare, compute: Callable[[Floats, Floats], Floats], without: tuple[str, ...] = ()) -> Measured:
    """One value per pair of years, region and industry; ``without``: reasons that do not stop the formula."""
    cube = data.cube("time", "region", "industry")
    compared = pairs(cube, compare)
    seen = known(cube, compared)
    used, coverage = seen.industries
    values = np.stack([compute(p.start, p.end) for p in compared])
    reasons = {k: v for k, v in seen.reasons.items() if k not in without}
    where = axes(time=later(cube, compared), region=cube.labels[1], industry=cube.labels[2])
    return Measured([dense(where, values, n_used=used, coverage=coverage, reasons=reasons)], meta=period_meta(cube, compared))


def industry_changes(data: Data, compare: Compare, compute: Callable[[Floats, Floats], Floats], extra: str = "") -> Measured:
    """One value per pair of years and industry; ``extra`` is the reason where the formula alone has none."""
    cube = data.cube("time", "region", "industry")
    compared = pairs(cube, compare)
    seen = known(cube, compared)
    used, coverage = (x[:, 0] for x in seen.industries)
    values = np.stack([compute(p.start, p.end) for p in compared])
    totals = {k: v[:, 0] for k, v in seen.reasons.items() if k.startswith("no-industry")}
    reasons = {"missing-input": used == 0, **totals} | ({extra: ~np.isfinite(values)} if extra else {})
    where = axes(time=later(cube, compared), industry=cube.labels[2])
    return Measured([dense(where, values, n_used=used, coverage=coverage, reasons=reasons)], meta=period_meta(cube, compared))


def period_meta(cube: Cube, compared: list[Pair]) -> Mapping[str, Any]:
    """Which year each result is compared with."""
    times = cube.labels[0].to_list()
    return {"compared": [[times[p.first], times[p.last]] for p in compared]}
