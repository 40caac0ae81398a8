"""Convergence and the shape of distributions: what each indicator reads, and how its rows are made."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from hinterland.data.cells import normalise_codes
from hinterland.errors import Finding, InputError, listed
from hinterland.measure.convergence import Beta, beta, sd_log
from hinterland.measure.data import Bools, Cube, Data, Floats
from hinterland.measure.entries.inequality import groups_of, years_of
from hinterland.measure.indicator import Indicator, Parameter, Role
from hinterland.measure.inequality import coefficient_of_variation
from hinterland.measure.result import Block, Measured, block
from hinterland.measure.second import table

_REGION = Role("region", "key", "region")
_VALUE = Role("value", "number", "a quantity per head, in constant prices", sign="non-negative")
_TIME = Role("time", "time", "year")
_WEIGHT = Role("weight", "number", "population or another weight; regions count alike without it", required=False, sign="non-negative")
_HERE = "hinterland.measure.entries.convergence"


def sigma_convergence(data: Data, *, ddof: int = 0) -> Measured:
    """Dispersion by year."""
    years = years_of(data)
    counted = years.seen & (years.weight > 0)
    few = {"too-few": counted.sum(axis=1) <= ddof}
    zero = {"zero-value": (counted & (years.value == 0)).any(axis=1)}
    found = {
        "variation": (coefficient_of_variation(years.value, years.weight, ddof), few),
        "sd-log": (sd_log(years.value, years.weight, ddof), few | zero),
    }
    return Measured(
        [
            block({"time": years.times}, v, n_used=years.used, coverage=years.coverage, reasons=years.reasons | more, component=k)
            for k, (v, more) in found.items()
        ]
    )


def beta_convergence(
    data: Data,
    *,
    start: int | None = None,
    end: int | None = None,
    controls: Any = None,
    groups: str = "effects",
    std_errors: str = "classical",
) -> Measured:
    """One regression, or one in each group."""
    cube = data.cube("time", "region")
    first, last = _period(data, cube, start, end)
    times = cube.labels[0]
    initial, final = cube.values[times.index_of(first)], cube.values[times.index_of(last)]
    others = _controls(data, cube.labels[1], controls)
    held = np.isfinite(initial) & np.isfinite(final) & np.isfinite(others).all(axis=1)
    if not data.has("group"):
        return Measured([*_rows(beta(initial[held], final[held], last - first, others[held], std_errors == "robust"), {}, held, held)])
    codes, labels = groups_of(data)[times.index_of(first)], data.labels("group")
    if groups == "effects":
        dummies = np.column_stack([others, np.eye(len(labels))[codes][:, 1:]])
        return Measured([*_rows(beta(initial[held], final[held], last - first, dummies[held], std_errors == "robust"), {}, held, held)])
    blocks: list[Block] = []
    for g, name in enumerate(labels):
        inside = held & (codes == g)
        fit = beta(initial[inside], final[inside], last - first, others[inside], std_errors == "robust")
        blocks += _rows(fit, {"group": [name]}, inside, codes == g)
    return Measured(blocks)


def _period(data: Data, cube: Cube, start: int | None, end: int | None) -> tuple[int, int]:
    times = cube.labels[0].to_list()
    first, last = times[0] if start is None else start, times[-1] if end is None else end
    absent = [t for t in (first, last) if t not in times]
    if absent:
        what = f"the table has no year {listed(absent)}"
        raise InputError(
            Finding("year-absent", what, f"column {data.columns['time']!r}", f"choose from {listed(times, 40)}"), "beta-convergence"
        )
    if last <= first:
        what = f"growth from {first} to {last}"
        raise InputError(Finding("single-period", what, "parameters start, end", "give two years, the earlier first"), "beta-convergence")
    zero = np.flatnonzero((cube.values[[times.index(first), times.index(last)]] == 0).any(axis=0))
    if len(zero):
        what = f"values of 0 have no logarithm: {listed(cube.labels[1].gather(zero))}"
        raise InputError(
            Finding("zero-value", what, f"column {data.columns['value']!r}", "correct the cells, or empty them"), "beta-convergence"
        )
    return first, last


def _controls(data: Data, regions: pl.Series, source: Any) -> Floats:
    """[R, K] every number of the table of controls, by region; no column without a table."""
    if source is None:
        return np.empty((len(regions), 0))
    region = data.columns["region"]
    frame = table(source, "controls")
    key = table(source, "controls", ["region"], data.columns)["region"]
    names = [c for c in frame.columns if c != region and frame.schema[c].is_numeric()]
    odd = [c for c in names if frame.schema[c].is_float() and frame[c].is_infinite().any()]
    if odd:
        remedy = "correct the cells, or empty them"
        raise InputError(Finding("infinite", f"{listed(odd)} hold infinite values", "parameter controls", remedy), "beta-convergence")
    if not names or key.is_duplicated().any():
        what = (
            "the table of controls has no number"
            if not names
            else f"regions occur twice: {listed(key.filter(key.is_duplicated()).unique(maintain_order=True))}"
        )
        raise InputError(
            Finding("bad-controls", what, "parameter controls", "give one row per region, with its numbers"), "beta-convergence"
        )
    found = frame.select(pl.col(names).cast(pl.Float64)).with_columns(normalise_codes(key, typed=True).cast(pl.String).alias("region"))
    ordered = pl.DataFrame({"region": regions}).join(found, on="region", how="left", maintain_order="left")
    return ordered.select(pl.col(names).fill_null(np.nan)).to_numpy()


def _rows(fit: Beta, keys: dict[str, list[str]], used: Bools, asked: Bools) -> list[Block]:
    n, coverage = int(used.sum()), float(used.sum() / max(int(asked.sum()), 1)) if keys else float(used.mean())
    empty = np.isnan(fit.slope)
    few = {"too-few": [empty and n <= fit.n_parameters], "no-variation": [empty]}
    steep = {"steep-slope": [np.isnan(fit.speed)]}
    exact = {"exact-fit": [np.isnan(fit.statistic)]}
    special = {
        "speed": steep,
        "speed_std_error": steep,
        "half_life": steep | {"diverging": [np.isnan(fit.half_life)]},
        "p_value": exact,
        "r_squared": {"no-variation": [np.isnan(fit.r_squared)]},
    }
    return [
        block(keys, getattr(fit, k), n_used=n, coverage=coverage, reasons=few | special.get(k, {}), component=name)
        for k, name in _BETA.items()
    ]


_BETA = {
    "slope": "beta-slope",
    "std_error": "beta-std-error",
    "p_value": "beta-p-value",
    "intercept": "beta-intercept",
    "speed": "convergence-speed",
    "speed_std_error": "convergence-speed-std-error",
    "half_life": "half-life",
    "r_squared": "beta-r-squared",
}
ENTRIES = (
    Indicator(
        id="sigma-convergence",
        family="convergence",
        unit="index",
        range=(0.0, None),
        formula=r"\sigma_t = \sqrt{\sum_i p_i (\ln y_{it} - \overline{\ln y}_t)^2}",
        source="Barro and Sala-i-Martin (1992)",
        roles=(_REGION, _VALUE, _TIME, _WEIGHT),
        keys=("time",),
        compute=f"{_HERE}:sigma_convergence",
        parameters={"ddof": Parameter(0, (0, 1), "0: the formula of the population; 1: variance times n/(n-1)")},
        components=("variation", "sd-log"),
        unique=("time", "region"),
    ),
    Indicator(
        id="beta-convergence",
        family="convergence",
        unit="index",
        range=(None, None),
        formula=r"\frac{1}{T}\ln\frac{y_{iT}}{y_{i0}} = a + b\ln y_{i0} + \gamma' x_i,\quad \lambda = -\frac{\ln(1+bT)}{T}",
        source="Barro and Sala-i-Martin (1992)",
        roles=(
            _REGION,
            _VALUE,
            _TIME,
            Role("group", "key", "group of the region, for effects of groups or a regression in each", required=False),
        ),
        keys=("group",),
        compute=f"{_HERE}:beta_convergence",
        parameters={
            "start": Parameter(None, help="first year; that of the table by default", kind="whole"),
            "end": Parameter(None, help="last year; that of the table by default", kind="whole"),
            "controls": Parameter(
                None, help="conditional convergence: a table with a row per region, all of whose numbers are controls", table=True
            ),
            "groups": Parameter("effects", ("effects", "separate"), "where a group is given: an effect of each, or a regression in each"),
            "std_errors": Parameter("classical", ("classical", "robust"), "homoskedastic, or HC1"),
        },
        components=tuple(_BETA.values()),
        unique=("time", "region"),
    ),
)
