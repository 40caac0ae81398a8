"""Market integration read from production: whose shocks growth follows, and how far structures lie apart."""

from __future__ import annotations

from typing import Literal

import numpy as np
import polars as pl

from hinterland.errors import Finding, InputError
from hinterland.measure import comovement
from hinterland.measure.data import Data
from hinterland.measure.indicator import Indicator, Parameter, Role
from hinterland.measure.result import Measured, block, dense

_SHARES = ("comovement-national", "comovement-industry", "comovement-province", "comovement-residual")


def growth_comovement(data: Data, *, input: Literal["level", "growth"] = "level", pool: Literal["year", "all"] = "year") -> Measured:  # noqa: A002
    """Shares of the variance of growth by year, or over all years."""
    cube = data.cube("time", "region", "industry")
    growth, findings = cube.values, _negative_levels(data) if input == "level" else ()
    periods = cube.labels[0].fill_null(0).to_numpy()
    if input == "level":
        growth = comovement.growth_rates(cube.values, periods)
    s = comovement.variance_shares(growth, pool == "all")
    first = np.concatenate([[True], np.diff(periods) != 1]) & (input == "level")
    every = growth.shape[1] * growth.shape[2]
    reasons = {
        "no-previous-period": first if pool == "year" else first.all(keepdims=True),
        "missing-input": s.n == 0,
        "not-connected": ~s.connected,
        "too-few-cells": s.spare < 1,
        "zero-variance": s.variance == 0,
    }
    keys = {"time": cube.labels[0] if pool == "year" else pl.Series([None], dtype=pl.Int64)}
    possible = every * (1 if pool == "year" else max(1, int((~first).sum())))
    blocks = [
        block(keys, v, n_used=s.n, coverage=s.n / possible, reasons=reasons, component=c)
        for c, v in zip(_SHARES, (s.national, s.industry, s.province, s.residual), strict=True)
    ]
    return Measured(blocks, findings)


def _negative_levels(data: Data) -> tuple[Finding, ...]:
    """Raises on negative levels; says how many zeros have no growth rate."""
    values = data.number()
    below, zero = np.flatnonzero(values < 0), np.flatnonzero(values == 0)
    if len(below):
        remedy = 'correct them; or pass input="growth" if the column holds growth rates'
        finding = Finding("negative-value", f"{len(below)} level(s) are negative", data.where(below, "value"), remedy)
        raise InputError(finding, "levels")
    if not len(zero):
        return ()
    what = f"{len(zero)} level(s) are zero, and growth from or to them is undefined; they count as missing"
    return (Finding("zero-level", what, data.where(zero, "value"), "merge small industries, or accept the gaps", "warning"),)


def output_structure(data: Data) -> Measured:
    """The Krugman index of each region against all, and its change since the region's first year."""
    cube = data.cube("time", "region", "industry")
    index = comovement.krugman_from_nation(cube.values)
    used = cube.observed.sum(axis=2)
    coverage = used / cube.values.shape[2]
    begun = np.isfinite(index)
    start = index[np.argmax(begun, axis=0), np.arange(index.shape[1])]
    empty = {"suppressed-input": (used == 0) & cube.suppressed.any(axis=2), "missing-input": used == 0, "zero-region-total": ~begun}
    dims = ("time", "region")
    return Measured(
        [
            dense(cube, index, n_used=used, coverage=coverage, reasons=empty, component="structure-difference", dims=dims),
            dense(cube, index - start, n_used=used, coverage=coverage, reasons=empty, component="structure-change", dims=dims),
        ]
    )


_TIME = Role("time", "time", "year", required=False)
_OUTPUT = (
    Role("region", "key", "province or other region"),
    Role("industry", "key", "industry, on one classification"),
)
_CELL = ("time", "region", "industry")
ENTRIES = (
    Indicator(
        id="growth-comovement",
        family="segmentation",
        unit="share",
        range=(None, None),
        formula=r"g_{pit} = \lambda_t + \alpha_{it} + \beta_{pt} + u_{pit},\quad \operatorname{Cov}(g,\beta)/\operatorname{Var}(g)",
        source="Xu (2002); Stockman (1988)",
        roles=(*_OUTPUT, Role("value", "number", "output in constant prices, or its growth"), _TIME),
        keys=("time",),
        compute="hinterland.measure.entries.comovement:growth_comovement",
        parameters={
            "input": Parameter("level", ("level", "growth"), "level: logs are differenced; growth: taken as they are"),
            "pool": Parameter("year", ("year", "all"), "one decomposition a year, or one over all years with the nation's moves as a part"),
        },
        components=_SHARES,
        unique=_CELL,
    ),
    Indicator(
        id="output-structure",
        family="segmentation",
        unit="index",
        range=(-2.0, 2.0),
        formula=r"K_{rt} = \sum_i |s_{rit} - m_{it}|",
        source="Young (2000); Krugman (1991)",
        roles=(*_OUTPUT, Role("value", "number", "output or employment", sign="non-negative"), _TIME),
        keys=("time", "region"),
        compute="hinterland.measure.entries.comovement:output_structure",
        components=("structure-difference", "structure-change"),
        unique=_CELL,
    ),
)
