"""Capital stock by perpetual inventory (永续盘存法): prices, investment, the first stock, and the stock itself.

Arrays are ``[T, R]``: consecutive periods by regions. NaN is a value that was not observed; the stock is NaN from the
first gap on, because every later year contains the missing one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
PriceForm = Literal["chain", "fixed"]
InitialRule = Literal["harberger", "ten-percent"]


@dataclass(frozen=True, slots=True)
class Prices:
    """A price index.

    Attributes:
        level: ``[T, R]``, 1 in the base period; NaN where no link of the chain reaches.
        spliced: ``[T, R]``, whether the change into this period comes from the second index.
    """

    level: Array
    spliced: Mask


@dataclass(frozen=True, slots=True)
class CapitalStock:
    """Stocks and how much of them is still the first stock.

    Attributes:
        stock: ``[T, R]``, end of period, in the units of investment; NaN before a region's first investment and from its first gap on.
        initial: ``[R]``, stock of the first period; NaN where undefined.
        start: ``[R]``, position of the first period; ``T`` for a region without investment.
        growth: ``[R]``, growth of real investment that the first stock assumes; NaN where none is needed.
        initial_share: ``[T, R]``, what depreciation has left of the first stock, as a share of the stock.
    """

    stock: Array
    initial: Array
    start: NDArray[np.intp]
    growth: Array
    initial_share: Array


def price_level(index: ArrayLike, *, form: PriceForm = "chain", base: int = 0, substitute: ArrayLike | None = None) -> Prices:
    """A price index of base 1, from a chain or a fixed-base index, continued by a second index where the first stops.

    Args:
        index: ``[T, R]``; ``chain``: previous period = 100; ``fixed``: a level of any base.
        form: what ``index`` and ``substitute`` are.
        base: position of the period in which the level is 1.
        substitute: ``[T, R]``, whose *changes* stand in where the first index has none (a GDP deflator after the investment
            price index ends in 2019).
    """
    change, second = _changes(index, form), None if substitute is None else _changes(substitute, form)
    spliced = np.zeros(change.shape, dtype=bool)
    if second is not None:
        spliced = np.isnan(change) & np.isfinite(second)
        change = np.where(spliced, second, change)
    spliced[0] = False
    level = np.ones_like(change)
    level[base + 1 :] = np.cumprod(change[base + 1 :], axis=0)
    level[:base] = 1 / np.cumprod(change[base:0:-1], axis=0)[::-1]
    return Prices(level, spliced)


def _changes(index: ArrayLike, form: PriceForm) -> Array:
    """Ratio to the previous period, ``[T, R]``; the first is 1 and never used."""
    given = np.where(np.asarray(index, dtype=np.float64) > 0, index, np.nan)
    change = np.ones_like(given)
    change[1:] = given[1:] / 100 if form == "chain" else given[1:] / given[:-1]
    return change


def chain_levels(level: ArrayLike, growth: ArrayLike) -> tuple[Array, Mask]:
    """Continue levels by growth rates where levels are no longer published.

    ``I_t = I_{t−1} (1 + g_t)`` wherever ``I_t`` is missing and ``I_{t−1}`` (observed or itself chained) is not: provincial and city
    fixed-asset investment from 2018.

    Args:
        level: ``[T, R]``, NaN where not published.
        growth: ``[T, R]``, growth over the previous period as a fraction.

    Returns:
        The levels, and which of them are chained, both ``[T, R]``.
    """
    values, rate = np.array(level, dtype=np.float64), np.asarray(growth, dtype=np.float64)
    chained = np.zeros(values.shape, dtype=bool)
    for t in range(1, len(values)):
        following = values[t - 1] * (1 + rate[t])
        chained[t] = np.isnan(values[t]) & np.isfinite(following)
        values[t] = np.where(chained[t], following, values[t])
    return values, chained


def initial_stock(
    investment: ArrayLike,
    start: NDArray[np.intp],
    depreciation: ArrayLike,
    *,
    rule: InitialRule = "harberger",
    growth_years: int = 5,
    growth: ArrayLike | None = None,
) -> tuple[Array, Array]:
    """The stock of each region's first period.

    * ``harberger``: ``K_0 = I_0 / (ḡ + δ)`` with ``ḡ = (I_n/I_0)^{1/n} − 1`` over the first ``n = growth_years`` changes (Harberger 1978; Hall &
      Jones 1999), or ``growth`` where it is given;
    * ``ten-percent``: ``K_0 = I_0 / 0.1`` (Zhang, Wu & Zhang 2004, for provinces from 1952).

    Args:
        investment: ``[T, R]``, constant prices.
        start: ``[R]``, position of each region's first period.
        depreciation: rate per period, broadcast to ``[R]``.

    Returns:
        ``K_0`` and ``ḡ``, each ``[R]``; NaN where the first investment is not positive, the growth cannot be computed, or ``ḡ + δ ≤ 0``.
    """
    real = np.asarray(investment, dtype=np.float64)
    first = _row(real, start)
    first = np.where(first > 0, first, np.nan)
    if rule == "ten-percent":
        return first / 0.1, np.full(first.shape, np.nan)
    if growth is None:
        later = _row(real, start + growth_years)
        mean = np.where(later > 0, later, np.nan) / first
        mean = mean ** (1 / growth_years) - 1
    else:
        mean = np.broadcast_to(np.asarray(growth, dtype=np.float64), first.shape).copy()
    denominator = mean + np.broadcast_to(np.asarray(depreciation, dtype=np.float64), first.shape)
    return first / np.where(denominator > 0, denominator, np.nan), mean


def _row(values: Array, position: NDArray[np.intp]) -> Array:
    """``values[position[r], r]``, NaN where the position is past the end."""
    inside = position < len(values)
    return np.where(inside, values[np.where(inside, position, 0), np.arange(values.shape[1])], np.nan)


def perpetual_inventory(
    investment: ArrayLike,
    *,
    depreciation: ArrayLike = 0.096,
    rule: InitialRule = "harberger",
    growth_years: int = 5,
    growth: ArrayLike | None = None,
    initial: ArrayLike | None = None,
) -> CapitalStock:
    """``K_t = (1 − δ_t) K_{t−1} + I_t`` from each region's first observed investment.

    Args:
        investment: ``[T, R]``, constant prices (nominal investment over :func:`price_level`).
        depreciation: rate per period, broadcast to ``[T, R]``; 0.096 is Zhang, Wu & Zhang (2004), 0.1096 Shan (2008).
        rule, growth_years, growth: see :func:`initial_stock`.
        initial: stock of the first period, broadcast to ``[R]``, instead of a rule.
    """
    real = np.asarray(investment, dtype=np.float64)
    periods, regions = real.shape
    rate = np.broadcast_to(np.asarray(depreciation, dtype=np.float64), real.shape)
    seen = np.isfinite(real)
    start = np.where(seen.any(axis=0), seen.argmax(axis=0), periods).astype(np.intp)
    first, mean = initial_stock(real, start, _row(rate, start), rule=rule, growth_years=growth_years, growth=growth)
    if initial is not None:
        first = np.where(start < periods, np.broadcast_to(np.asarray(initial, dtype=np.float64), (regions,)), np.nan)
        mean = np.full(regions, np.nan)
    stock, rest = np.full((periods, regions), np.nan), np.full((periods, regions), np.nan)
    for t in range(periods):
        if t > 0:
            stock[t] = (1 - rate[t]) * stock[t - 1] + real[t]
            rest[t] = (1 - rate[t]) * rest[t - 1]
        stock[t] = np.where(start == t, first, stock[t])
        rest[t] = np.where(start == t, first, rest[t])
    rest[np.isnan(stock)] = np.nan
    return CapitalStock(stock, first, start, mean, np.divide(rest, stock, out=np.full_like(stock, np.nan), where=stock > 0))
