"""How much of which industry was redistributed: changes of shares and levels, shift-share, and what part of an industry changed place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hinterland.measure.data import Data
from hinterland.measure.division import ratio
from hinterland.measure.entries.changes import Known, known, pairs
from hinterland.measure.redistribution import absolute_transfer
from hinterland.transfer.inputs import Cells, aggregated, for_years
from hinterland.transfer.rows import applied, conformed, measured_rows, number_rows

__all__ = ["BY_CELL", "BY_INDUSTRY", "changes", "moved_rows", "scale_frame"]

Floats = NDArray[np.float64]

BY_CELL = ("share-change", "absolute-transfer", "relative-transfer")
"""Measures with a value for each region and industry."""
BY_INDUSTRY = ("gross-shift", "closure-share", "concentration-shift")
"""Measures with a value for each industry."""

_REDISTRIBUTION: Mapping[str, Any] = {"concept": "redistribution"}


def scale_frame(cells: Cells, *, neighbours: Any = None) -> pl.DataFrame:
    """Rows of ``transfer_scale``."""
    total = aggregated(cells.data, dict.fromkeys(cells.data.labels("industry"), "all"))
    parts = [*changes(cells, cells.data, "cell", "industry"), *_shift_shares(cells, neighbours)]
    whole = [f.with_columns(industry=pl.lit(None, pl.String)) for f in changes(cells, total, "region", "all")]
    return conformed("transfer_scale", [*(cells.grouped(f) for f in parts), *whole, *moved_rows(cells, {}, "all")])


def changes(cells: Cells, data: Data, cell: str, industry: str) -> Iterator[pl.DataFrame]:
    """Measures by cell over each span, and by industry over each span and from year to year; ``cell`` and ``industry`` name the levels."""
    for span, first, last in cells.spans:
        pair = for_years(data, first, last)
        for name in BY_CELL:
            if industry == "all" and name == "relative-transfer":
                continue  # With one industry every quotient is 1.
            yield measured_rows(name, applied(name, pair), level=cell, span=span, **_REDISTRIBUTION)
        for name in BY_INDUSTRY:
            yield measured_rows(name, applied(name, pair), level=industry, span=span, **_REDISTRIBUTION)
    for name in BY_INDUSTRY:
        yield measured_rows(name, applied(name, data, compare="previous"), level=industry, span="year", **_REDISTRIBUTION)


def _shift_shares(cells: Cells, neighbours: Any) -> Iterator[pl.DataFrame]:
    for level in ("cell", "region"):
        said = {"level": level, **_REDISTRIBUTION}
        for span, first, last in cells.spans:
            pair = for_years(cells.data, first, last)
            yield _keyed(measured_rows("shift-share", applied("shift-share", pair, level=level), span=span, **said))
            if neighbours is not None:
                found = applied("spatial-shift-share", pair, level=level, weights=neighbours)
                yield _keyed(measured_rows("spatial-shift-share", found, span=span, **said))
        found = applied("dynamic-shift-share", cells.data, level=level)
        rows = measured_rows("dynamic-shift-share", found, span="whole", **said)
        yield _keyed(rows.with_columns(time_from=pl.lit(cells.years[0]), time=pl.lit(cells.years[-1])))


def _keyed(frame: pl.DataFrame) -> pl.DataFrame:
    return frame if "industry" in frame.columns else frame.with_columns(industry=pl.lit(None, pl.String))


def moved_rows(cells: Cells, groups: Mapping[str, str], level: str) -> Iterator[pl.DataFrame]:
    """``redistributed``: volume Σ_i Σ_r max(absolute transfer, 0), and its share of activity in the later year; by group, or of all."""
    for span, data, compare in _spans(cells):
        yield _moved(data, compare, groups, level).with_columns(span=pl.lit(span), concept=pl.lit("redistribution"))


def _spans(cells: Cells) -> Iterator[tuple[str, Data, Any]]:
    for span, first, last in cells.spans:
        yield span, for_years(cells.data, first, last), "first-last"
    yield "year", cells.data, "previous"


def _moved(data: Data, compare: Any, groups: Mapping[str, str], level: str) -> pl.DataFrame:
    """Rows of measure ``redistributed``: ``moved-volume``, ``moved-share`` of the later year's activity, and ``moved-part`` of what moved in all industries."""
    cube = data.cube("time", "region", "industry")
    compared = pairs(cube, compare)
    seen: Known = known(cube, compared)
    shift = np.stack([absolute_transfer(p.start, p.end) for p in compared])
    gain = np.nansum(np.maximum(shift, 0.0), axis=1)
    size = np.nansum(seen.end, axis=1)
    names = sorted(set(groups.values())) if level == "group" else [None]
    member = np.array([[level != "group" or groups.get(i) == name for i in cube.labels[2]] for name in names], dtype=np.float64)
    volume, total, count = gain @ member.T, size @ member.T, seen.observed.sum(axis=1) @ member.T
    coverage = ratio(count, member.sum(axis=1) * seen.observed.shape[1])
    times = cube.labels[0].to_list()
    p, g = (x.ravel() for x in np.indices(volume.shape))
    keys = {
        "group": pl.Series([names[k] for k in g], dtype=pl.String),
        "time_from": [times[compared[k].first] for k in p],
        "time": [times[compared[k].last] for k in p],
    }
    numbers = {"moved-volume": volume, "moved-share": ratio(volume, total)}
    if level == "group":
        numbers["moved-part"] = ratio(volume, gain.sum(axis=1, keepdims=True))
    reasons = {"missing-input": count.ravel() == 0, "zero-total": total.ravel() == 0}
    made = [
        number_rows(
            keys,
            v.ravel(),
            n_used=count.ravel(),
            reasons=reasons if c != "moved-volume" else {},
            component=c,
            measure="redistributed",
            level=level,
        )
        for c, v in numbers.items()
    ]
    return pl.concat([m.with_columns(coverage=pl.Series(coverage.ravel())) for m in made])
