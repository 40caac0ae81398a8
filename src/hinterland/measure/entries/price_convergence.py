"""Market integration read from price levels: persistence and half-life of relative prices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import polars as pl

from hinterland.errors import Finding, InputError
from hinterland.measure import price_convergence
from hinterland.measure.data import Data
from hinterland.measure.indicator import Indicator, Parameter, Role
from hinterland.measure.neighbours import pair_set
from hinterland.measure.result import Block, Measured, block
from hinterland.measure.second import Second

_CONVERGENCE = ("price-persistence", "price-persistence-std-error", "price-half-life", "price-half-life-std-error")


def convergence(
    data: Data,
    *,
    against: Literal["pairs", "mean"] = "pairs",
    pairs: Second = "all",
    hainan_guangdong: bool = True,
    lags: int = 0,
    bias: Literal["none", "nickell"] = "none",
    pooled: bool = False,
) -> Measured:
    """Persistence and half-life by good, or for all goods together."""
    _fail_if_choices_wrong(lags, bias, pairs)
    cube = data.cube("time", "region", "item")
    chosen, findings = pair_set(cube.labels[1], pairs, None, hainan_guangdong) if against == "pairs" else (None, ())
    goods = [
        price_convergence.deviations_from_mean(level) if chosen is None else price_convergence.relative_prices(level, chosen.a, chosen.b)
        for level in np.moveaxis(cube.values, 2, 0)
    ]
    names = cube.labels[2]
    if pooled:
        goods, names = [price_convergence.stacked(goods)], pl.Series([None], dtype=pl.String)
    periods = cube.labels[0].to_numpy()
    found = [price_convergence.persistence(g, periods, lags=lags, nickell=bias == "nickell") for g in goods]
    return Measured(_convergence_blocks(names, found, goods, len(periods) - 1 - lags), findings)


def _fail_if_choices_wrong(lags: int, bias: str, pairs: Second) -> None:
    findings = []
    if isinstance(pairs, str) and pairs == "distance":
        remedy = "choose 'all', 'contiguous' or a table of pairs"
        findings.append(Finding("unknown-value", "pairs is 'distance', but no mean over pairs is taken", "parameter pairs", remedy))
    if isinstance(lags, bool) or not isinstance(lags, int) or lags < 0:
        findings.append(Finding("out-of-range", f"lags is {lags!r}", "parameter lags", "give a whole number from 0"))
    elif lags and bias == "nickell":
        what = "the correction of the bias is known without lagged changes only"
        findings.append(Finding("option-not-available", what, f"parameters lags={lags}, bias='nickell'", "pass lags=0, or bias='none'"))
    if findings:
        raise InputError(findings, "parameters")


def _convergence_blocks(
    names: pl.Series, found: Sequence[price_convergence.Persistence], series: Sequence[price_convergence.Series], periods: int
) -> list[Block]:
    reason = np.array([f.reason for f in found])
    estimated = np.isin(reason, ["", "not-mean-reverting", "oscillating"])
    possible = np.array([max(1, s.x.shape[1] * periods) for s in series])
    used = np.array([f.n for f in found])
    values = np.array([(f.rho, f.std_error, f.half_life, f.half_life_std_error) for f in found]).T
    return [
        block(
            {"item": names},
            v,
            n_used=used,
            coverage=np.minimum(used / possible, 1.0),
            reasons={code: (reason == code) & ~(estimated & (row < 2)) for code in dict.fromkeys(reason) if code}
            | {"too-few-regions": estimated & ~np.isfinite(v)},
            component=c,
        )
        for row, (c, v) in enumerate(zip(_CONVERGENCE, values, strict=True))
    ]


ENTRIES = (
    Indicator(
        id="price-convergence",
        family="segmentation",
        unit="index",
        range=(None, None),
        formula=r"\Delta x_{st} = a_s + (\rho-1)x_{s,t-1} + \sum_l \varphi_l \Delta x_{s,t-l} + \varepsilon_{st},\quad h = \ln\tfrac12/\ln\rho",
        source="Parsley & Wei (1996); Fan & Wei (2006); Nickell (1981)",
        roles=(
            Role("region", "key", "province, by code or name, or another region"),
            Role("item", "key", "good"),
            Role("value", "number", "price level, not an index of the previous period", sign="positive"),
            Role("time", "time", "year, quarter or month, numbered one after the other"),
        ),
        keys=("item",),
        compute="hinterland.measure.entries.price_convergence:convergence",
        parameters={
            "against": Parameter("pairs", ("pairs", "mean"), "relative to other regions pair by pair, or to the mean of all"),
            "pairs": Parameter("all", help="all, contiguous, or a table of columns region and other", table=True),
            "hainan_guangdong": Parameter(True, (True, False), "for contiguous: count the two as neighbours"),
            "lags": Parameter(0, help="lagged changes beside the lagged level, a whole number"),
            "bias": Parameter("none", ("none", "nickell"), "nickell: correct for the bias of short series"),
            "pooled": Parameter(False, (False, True), "one persistence for all goods"),
        },
        components=_CONVERGENCE,
        unique=("time", "region", "item"),
    ),
)
