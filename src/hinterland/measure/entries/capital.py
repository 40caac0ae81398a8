"""Capital stock by perpetual inventory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hinterland.errors import Finding, fail_if_any, listed
from hinterland.measure import capital
from hinterland.measure.data import Cube, Data
from hinterland.measure.entries.arguments import out_of_range
from hinterland.measure.indicator import Indicator, Parameter, Role
from hinterland.measure.result import Measured, dense

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class _Series:
    """Investment in constant prices and how it came about, each [T, R]; ``unreached``: years with a price that does not join the base year."""

    cube: Cube
    real: Array
    chained: Mask
    spliced: Mask
    no_price: Mask
    unreached: Mask


def capital_stock(
    data: Data,
    *,
    delta: float = 0.096,
    k0: str = "harberger",
    growth_years: int = 5,
    assumed_growth: float | None = None,
    price_form: str = "chain",
    base: int | None = None,
    warm_up: int = 8,
    used_from: int | None = None,
    negative: str = "raise",
) -> Measured:
    """One stock per time and region; real investment, and the share that the first stock still has, beside it."""
    years = data.labels("time").to_numpy()
    findings = out_of_range("delta", delta, 0, 1, open_ends=True) + out_of_range("growth_years", growth_years, 1, np.inf, whole=True)
    findings += out_of_range("warm_up", warm_up, 0, np.inf, whole=True)
    findings += [] if assumed_growth is None else out_of_range("assumed_growth", assumed_growth, -1, 1, open_ends=True)
    below = _negative(data, negative)
    findings += _input_findings(data, years, k0, base) + _price_findings(data, price_form) + [f for f in below if f.severity == "error"]
    fail_if_any(findings, "capital-stock")
    series = _real_investment(data, price_form, 0 if base is None else int(np.searchsorted(years, base)), gaps=negative == "gap")
    rate = data.cube("time", "region", value="depreciation").values if data.has("depreciation") else delta
    stock = capital.perpetual_inventory(
        series.real,
        depreciation=rate,
        rule="ten-percent" if k0 == "ten-percent" else "harberger",
        growth_years=growth_years,
        growth=assumed_growth,
        initial=_given_stock(data, series.real) if k0 == "given" else None,
    )
    assumed = [] if k0 == "given" else _warm_up(stock, years, warm_up, used_from)
    warnings = below + _flagged(data, series, years) + assumed
    return Measured(_blocks(series, stock, np.isnan(rate)), tuple(warnings), meta=_meta(series, stock, years))


def _input_findings(data: Data, years: NDArray[np.int64], k0: str, base: int | None) -> list[Finding]:
    absent = sorted(set(range(int(years[0]), int(years[-1]) + 1)) - set(years.tolist()))
    findings = []
    if absent:
        what = f"no region has a row for {listed(absent)}, and every later stock contains those years"
        findings.append(
            Finding("years-not-consecutive", what, data.columns["time"], "add the years, with empty cells where investment is not known")
        )
    if k0 == "given" and not data.has("initial"):
        findings.append(
            Finding(
                "missing-role",
                "k0 is 'given' and no column holds the first stock",
                "argument initial",
                'pass initial="<name of the column>"',
            )
        )
    if base is not None and base not in years:
        findings.append(Finding("out-of-range", f"base is {base!r}", "parameter base", f"give a year from {years[0]} to {years[-1]}"))
    return findings


def _price_findings(data: Data, price_form: str) -> list[Finding]:
    """Indices and rates that are on another scale than they should be."""
    findings = []
    prices = [r for r in ("price", "price_substitute") if data.has(r)]
    for role in prices:
        middle = data.frame[role].median()
        if price_form == "chain" and isinstance(middle, float) and middle < 20:
            what = f"half of the chain index is below {middle:g}, where the previous year is 100"
            findings.append(
                Finding("price-not-per-hundred", what, f"column {data.columns[role]!r}", "multiply by 100, or add 100 to rates")
            )
    size = data.frame["investment_growth"].abs().median() if data.has("investment_growth") else None
    if isinstance(size, float) and size > 1:
        what = f"half of the growth rates are above {size:g}, which as fractions would be {100 * size:.0f} %"
        findings.append(Finding("growth-in-percent", what, f"column {data.columns['investment_growth']!r}", "divide by 100"))
    return findings


def _negative(data: Data, negative: str) -> list[Finding]:
    """Investment below zero: an error, a disposal, or a gap."""
    values = data.number("investment")
    rows = np.flatnonzero(values < 0)
    if not len(rows):
        return []
    what = f"investment is negative: {listed(values[rows])}"
    where = data.where(rows, "investment")
    if negative == "raise":
        remedy = 'correct the cells; or pass negative="keep" (assets were disposed of) or negative="gap" (not known)'
        return [Finding("negative-investment", what, where, remedy)]
    return [Finding("negative-investment", what, where, "nothing, if that is meant", "warning")]


def _real_investment(data: Data, price_form: str, base: int, *, gaps: bool) -> _Series:
    cube = data.cube("time", "region", value="investment")
    nominal = np.where(cube.values < 0, np.nan, cube.values) if gaps else cube.values
    none = np.zeros(cube.values.shape, dtype=bool)
    chained, spliced, no_price, unreached = none, none, none, none
    if data.has("investment_growth"):
        nominal, chained = capital.chain_levels(nominal, data.cube("time", "region", value="investment_growth").values)
    if data.has("price"):
        index = data.cube("time", "region", value="price").values
        substitute = data.cube("time", "region", value="price_substitute").values if data.has("price_substitute") else None
        prices = capital.price_level(index, form="fixed" if price_form == "fixed" else "chain", base=base, substitute=substitute)
        spliced, no_price = prices.spliced, np.isnan(prices.level)
        unreached = no_price & np.isfinite(index)
        nominal = nominal / prices.level
    return _Series(cube, nominal, chained, spliced, no_price, unreached)


def _given_stock(data: Data, real: Array) -> Array:
    """[R] the column's number in the region's first year of investment."""
    seen = np.isfinite(real)
    given = data.cube("time", "region", value="initial").values
    return np.where(seen.any(axis=0), given[seen.argmax(axis=0), np.arange(real.shape[1])], np.nan)


def _blocks(series: _Series, stock: capital.CapitalStock, no_rate: Any) -> list[Any]:
    cube, seen = series.cube, np.isfinite(series.real)
    position = np.arange(len(series.real))[:, None]
    years_in = np.cumsum(seen, axis=0)
    expected = np.maximum(position - stock.start + 1, 0)
    investment = _why(series)
    later = position > stock.start
    reasons: Mapping[str, Any] = {
        "missing-price": ((stock.start == len(series.real)) & series.no_price.any(axis=0))[None, :],
        "no-investment": (stock.start == len(series.real))[None, :],
        "before-start": position < stock.start,
        "initial-stock-undefined": np.isnan(stock.initial)[None, :],
        **{code: mask & later for code, mask in investment.items()},
        "missing-depreciation": np.broadcast_to(no_rate, seen.shape) & later,
        "earlier-gap": np.isnan(stock.stock),
    }
    share = np.divide(years_in, expected, out=np.zeros(seen.shape), where=expected > 0)
    made = [
        dense(cube, stock.stock, n_used=years_in, coverage=share, reasons=reasons, component="capital-stock"),
        dense(cube, series.real, n_used=seen, coverage=seen, reasons=investment, component="real-investment"),
        dense(cube, stock.initial_share, n_used=years_in, coverage=share, reasons=reasons, component="initial-share"),
    ]
    flags = (("level-chained", series.chained), ("price-substituted", series.spliced))
    return made + [dense(cube, flag, n_used=1, component=name) for name, flag in flags if flag.any()]


def _why(series: _Series) -> Mapping[str, Any]:
    """Why a year has no investment in constant prices."""
    lost = np.isnan(series.real) & ~series.chained
    return {
        "suppressed-input": series.cube.suppressed & lost,
        "missing-input": lost & ~series.cube.suppressed & ~series.no_price,
        "missing-price": series.no_price,
    }


def _flagged(data: Data, series: _Series, years: NDArray[np.int64]) -> list[Finding]:
    findings = _without_base(data, series)
    chained, spliced = (years[f.any(axis=1)].tolist() for f in (series.chained, series.spliced))
    if chained:
        what = f"investment of {listed(chained)} is the last level carried on by growth rates"
        findings.append(
            Finding(
                "level-chained",
                what,
                f"column {data.columns['investment']!r}",
                "nothing; name the years in a note below the table",
                "warning",
            )
        )
    if spliced:
        what = f"prices of {listed(spliced)} move with the second index"
        findings.append(
            Finding(
                "price-substituted",
                what,
                f"column {data.columns['price']!r}",
                "nothing; name the years in a note below the table",
                "warning",
            )
        )
    return findings


def _without_base(data: Data, series: _Series) -> list[Finding]:
    """Regions whose prices do not reach the base year."""
    lost = series.unreached.any(axis=0)
    if not lost.any():
        return []
    what = f"the prices of {listed(series.cube.labels[1].filter(pl.Series(lost)))} begin after the base year or have a gap, so that they do not join it"
    return [
        Finding(
            "base-without-price",
            what,
            f"column {data.columns['price']!r}",
            "take as base a year after which no price is missing",
            "warning",
        )
    ]


def _warm_up(stock: capital.CapitalStock, years: NDArray[np.int64], warm_up: int, used_from: int | None) -> list[Finding]:
    """Whether the first stock still matters in the first year that is used."""
    inside = stock.start < len(years)
    if not inside.any():
        return []
    latest = int(years[stock.start[inside].max()])
    safe = latest + warm_up
    if (used_from is not None and used_from >= safe) or warm_up == 0:
        return []
    at = int(np.clip(np.searchsorted(years, latest if used_from is None else used_from), 0, len(years) - 1))
    share = float(np.max(stock.initial_share[at], initial=0.0, where=np.isfinite(stock.initial_share[at])))
    what = f"stocks before {safe} lean on the assumed first stock of {latest}: it is up to {share:.0%} of the stocks of {years[at]}"
    remedy = f"use stocks from {safe} on, and say so with used_from; or start the investment series {warm_up} years before the sample"
    return [Finding("short-warm-up", what, "parameter used_from", remedy, "warning")]


def _meta(series: _Series, stock: capital.CapitalStock, years: NDArray[np.int64]) -> dict[str, Any]:
    labels = series.cube.labels[1].to_list()
    growth = {str(r): float(g) for r, g in zip(labels, stock.growth, strict=True) if np.isfinite(g)}
    chained, spliced = (years[f.any(axis=1)].tolist() for f in (series.chained, series.spliced))
    return {"initial_growth": growth, "years_chained": chained, "years_price_substituted": spliced}


ENTRIES = (
    Indicator(
        id="capital-stock",
        family="misallocation",
        unit="as-input",
        range=(0.0, None),
        formula=r"K_t = (1-\delta)K_{t-1} + I_t/P_t, \quad K_0 = \frac{I_0/P_0}{\bar g+\delta}",
        source="Goldsmith (1951); Harberger (1978); Zhang, Wu & Zhang (2004); Shan (2008)",
        roles=(
            Role("region", "key", "region or city"),
            Role("time", "time", "year; no year may be left out"),
            Role("investment", "number", "investment at current prices (at constant prices where no price is given)"),
            Role("price", "number", "price index of investment", required=False, sign="positive"),
            Role(
                "price_substitute", "number", "price index whose changes stand in where the first has none", required=False, sign="positive"
            ),
            Role(
                "investment_growth",
                "number",
                "growth of investment over the year before, as a fraction, used where the level is missing",
                required=False,
            ),
            Role(
                "depreciation",
                "number",
                "rate of depreciation of the region and year, instead of delta",
                required=False,
                sign="non-negative",
            ),
            Role("initial", "number", "stock of the region's first year, for k0 = given", required=False, sign="non-negative"),
        ),
        keys=("time", "region"),
        compute="hinterland.measure.entries.capital:capital_stock",
        parameters={
            "delta": Parameter(0.096, help="rate of depreciation a year: 0.096 (Zhang, Wu & Zhang 2004), 0.1096 (Shan 2008)"),
            "k0": Parameter(
                "harberger",
                ("harberger", "ten-percent", "given"),
                "first stock: investment over growth and depreciation; ten times investment; a column",
            ),
            "growth_years": Parameter(5, help="annual changes whose geometric mean is the growth of the harberger rule"),
            "assumed_growth": Parameter(None, help="growth for the harberger rule, instead of that of the data"),
            "price_form": Parameter("chain", ("chain", "fixed"), "chain: previous year = 100; fixed: an index of any base"),
            "base": Parameter(None, help="year of constant prices; the first by default", kind="whole"),
            "warm_up": Parameter(8, help="years after which the first stock hardly matters"),
            "used_from": Parameter(None, help="first year whose stock will be used", kind="whole"),
            "negative": Parameter("raise", ("raise", "keep", "gap"), "negative investment: an error, a disposal of assets, or not known"),
        },
        components=("capital-stock", "real-investment", "initial-share", "level-chained", "price-substituted"),
        units={"initial-share": "share", "level-chained": "index", "price-substituted": "index"},
        unique=("time", "region"),
    ),
)
