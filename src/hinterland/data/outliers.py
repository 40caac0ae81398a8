"""Values far from the others: set to a quantile (winsorised) or left out (trimmed), pooled over all rows of a panel.

Quantiles are those of Stata's ``_pctile``, which ``winsor2`` and ``summarize, detail`` use (Hyndman & Fan 1996, The American Statistician
50(4), definition 2): with the n known values sorted, x₍₁₎ ≤ … ≤ x₍ₙ₎, the quantile p is x₍⌊np⌋₊₁₎, or (x₍ₙₚ₎ + x₍ₙₚ₊₁₎)/2 where np is whole.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hinterland.data.panel import Panel

Limits = tuple[float, float]
"""Lower and upper share of the rows, 0 ≤ low < high ≤ 1."""

_WHOLE = 1e-9
"""Rounding of n·p: a share such as 0.29 of 100 rows is whole."""


def quantile(values: NDArray[np.float64], p: float) -> float:
    """The quantile ``p`` of finite ``values`` [n], n ≥ 1, by the definition above."""
    ordered = np.sort(values)
    place = len(ordered) * p
    whole = round(place)
    if abs(place - whole) > _WHOLE * max(1.0, place):
        return float(ordered[int(np.floor(place))])
    if whole in (0, len(ordered)):
        return float(ordered[0 if whole == 0 else -1])
    return float((ordered[whole - 1] + ordered[whole]) / 2)


def bounds(values: pl.Series, limits: Limits) -> tuple[float, float] | None:
    """The two quantiles of the known values; ``None`` where there are none."""
    known = values.cast(pl.Float64).drop_nulls().drop_nans().to_numpy()
    return (quantile(known, limits[0]), quantile(known, limits[1])) if len(known) else None


def measured(panel: Panel, columns: Sequence[str]) -> list[str]:
    """Those of ``columns`` that measure something: numbers with more than two values (an indicator has no tails)."""
    frame = panel.frame
    return [c for c in dict.fromkeys(columns) if frame.schema[c].is_numeric() and frame[c].drop_nulls().n_unique() > 2]


def winsorise(panel: Panel, columns: Sequence[str], limits: Limits) -> Panel:
    """The panel with values of ``columns`` beyond their quantiles set to them; missing values stay missing."""
    return _within(panel, columns, limits, lambda value, low, high: value.clip(low, high))


def trim(panel: Panel, columns: Sequence[str], limits: Limits) -> Panel:
    """The panel with values of ``columns`` beyond their quantiles made missing."""
    return _within(panel, columns, limits, lambda value, low, high: pl.when(value.is_between(low, high)).then(value))


def _within(panel: Panel, columns: Sequence[str], limits: Limits, apply: Callable[[pl.Expr, float, float], pl.Expr]) -> Panel:
    found = {c: bounds(panel.frame[c], limits) for c in measured(panel, columns)}
    changed = [apply(pl.col(c).cast(pl.Float64), *ends).alias(c) for c, ends in found.items() if ends is not None]
    return panel.with_columns(*changed) if changed else panel


def lag(panel: Panel, columns: Sequence[str], periods: int) -> Panel:
    """The panel with each of ``columns`` holding the unit's value ``periods`` earlier, by the value of the period: missing where there is none."""
    keys = [panel.unit, panel.time]
    names = [c for c in dict.fromkeys(columns) if c not in keys]
    past = panel.frame.select(panel.unit, pl.col(panel.time) + periods, *names)
    frame = panel.frame.drop(names).join(past, on=keys, how="left", maintain_order="left").select(panel.frame.columns)
    return replace(panel, frame=frame)
