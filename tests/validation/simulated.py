"""Panels that are coded once and drawn many times."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hinterland.data.cohorts import NEVER, Cohorts
from hinterland.data.panel import Panel
from hinterland.evaluate.design import Design, make_design

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def make(
    cohort: Ints,
    periods: int,
    *,
    columns: Mapping[str, Any] | None = None,
    keep: NDArray[np.bool_] | None = None,
    weight: str | None = None,
    coordinates: tuple[str, str] | None = None,
    **options: Any,
) -> Design:
    """The design of N units × ``periods`` 1…, ``cohort`` [N] (``NEVER``: never), ``columns`` by name ([N] or [N, T]); rows where ``keep`` [N, T]."""
    n = len(cohort)
    names = np.array([f"u{i:05d}" for i in range(n)])
    data = {
        "unit": np.repeat(names, periods),
        "year": np.tile(np.arange(1, periods + 1), n),
        "y": np.random.default_rng(0).normal(size=n * periods),
    }
    for name, values in (columns or {}).items():
        data[name] = np.repeat(values, periods) if np.ndim(values) == 1 else np.ravel(values)
    frame = pl.DataFrame(data)
    if keep is not None:
        frame = frame.filter(pl.Series(keep.ravel()))
    first = pl.Series([None if c == NEVER else int(c) for c in cohort], dtype=pl.Int64)
    table = pl.DataFrame({"unit": names, "cohort": first, "dose": 1.0, "excluded": False, "reason": ""})
    panel = Panel(frame, "unit", "year", weight=weight, coordinates=coordinates)
    return make_design(panel, "y", Cohorts(table, closed=True, source="drawn", timing="column"), **options)


def redrawn(design: Design, y: Floats) -> Design:
    """The design with outcomes ``y`` [N, T], those of rows that are not observed left out."""
    if design.balanced:
        return replace(design, y=y.ravel())
    return replace(design, y=y[design.unit, design.periods[design.period] - 1])


def autoregressive(rng: np.random.Generator, units: int, periods: int, rho: float) -> Floats:
    """[units, periods] errors whose innovations have variance 1; the first is one innovation."""
    error = rng.normal(size=(units, periods))
    for j in range(1, periods):
        error[:, j] += rho * error[:, j - 1]
    return error


def event_time(cohort: Ints, periods: int) -> Ints:
    """[N, T] periods since adoption; -99 where never treated."""
    since = np.arange(1, periods + 1) - np.where(cohort == NEVER, 0, cohort)[:, None]
    return np.where((cohort == NEVER)[:, None], -99, since)
