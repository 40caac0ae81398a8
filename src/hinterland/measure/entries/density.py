"""Densities and moves of a distribution: what each indicator reads, and how its rows are made."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from hinterland.errors import Finding, InputError
from hinterland.measure.data import Data, Floats
from hinterland.measure.density import kernel_density, silverman, stochastic_kernel
from hinterland.measure.entries.inequality import Years, years_of
from hinterland.measure.entries.panel import plain, relative_to_mean, yearly_grid
from hinterland.measure.indicator import Indicator, Parameter, Role
from hinterland.measure.neighbour_choice import PARAMETERS, Choice, neighbours_of
from hinterland.measure.result import Block, Measured, block, product_of
from hinterland.measure.weights import lag, row_standardised

_REGION = Role("region", "key", "region")
_VALUE = Role("value", "number", "the quantity whose distribution is shown")
_WEIGHT = Role("weight", "number", "population or another weight; regions count alike without it", required=False, sign="non-negative")
_POINTS = Parameter(101, help="points of the grid")
_BANDWIDTH = Parameter(None, help="of the Gaussian kernel, in units of the value; Silverman's by default")
_BOUNDARY = Parameter("auto", ("auto", "reflect", "none"), "reflect the kernel at zero: where no value is negative, always, or never")
_HERE = "hinterland.measure.entries.density"


def _grid(y: Floats, widest: float, points: int, reflect: bool) -> Floats:
    low, high = float(np.nanmin(y)) - 3 * widest, float(np.nanmax(y)) + 3 * widest
    return np.linspace(max(low, 0.0) if reflect else low, high, points)


def _fail_if_bad(points: Any, bandwidth: Any) -> None:
    findings = []
    if isinstance(points, bool) or not isinstance(points, int) or not 2 <= points <= 10_000:
        findings.append(Finding("out-of-range", f"points is {points!r}", "parameter points", "give a whole number from 2 to 10000"))
    if bandwidth is not None and (isinstance(bandwidth, bool) or not isinstance(bandwidth, int | float) or not 0 < bandwidth < np.inf):
        findings.append(Finding("out-of-range", f"bandwidth is {bandwidth!r}", "parameter bandwidth", "give a number above 0"))
    if findings:
        raise InputError(findings, "arguments")


def _reflects(boundary: str, y: Floats) -> bool:
    if boundary == "reflect" and bool((y < 0).any()):
        what = f"values below zero, the smallest {np.nanmin(y):g}, cannot be reflected at zero"
        raise InputError(Finding("negative-value", what, "parameter boundary", "pass boundary='none'"), "kernel-density")
    return boundary != "none" and not bool((y < 0).any())


def kernel(data: Data, *, points: int = 101, bandwidth: float | None = None, boundary: str = "auto", relative: bool = False) -> Measured:
    """A density by year, at points that are the same in every year."""
    _fail_if_bad(points, bandwidth)
    years = years_of(data)
    y = relative_to_mean(years.value, years.weight) if relative else years.value
    reflect = _reflects(boundary, y)
    widths = [bandwidth or silverman(row[s]) for row, s in zip(y, years.seen, strict=True)]
    known = [w for w in widths if np.isfinite(w)]
    if not known:
        return Measured([_density_rows(years, t, np.empty(0), np.empty(0)) for t in range(len(years.times))])
    grid = _grid(y, max(known), points, reflect)
    blocks = []
    for t, width in enumerate(widths):
        s = years.seen[t]
        if np.isfinite(width) and s.any() and years.weight[t, s].sum() > 0:
            blocks.append(_density_rows(years, t, grid, kernel_density(grid, y[t, s], float(width), years.weight[t, s], reflect)))
        else:
            blocks.append(_density_rows(years, t, np.empty(0), np.empty(0)))
    meta = {"bandwidth": dict(zip(years.times.to_list(), plain(np.array(widths, float))[0], strict=True)), "reflected": reflect}
    return Measured(blocks, meta=meta)


def _density_rows(years: Years, t: int, grid: Floats, value: Floats) -> Block:
    """The density of one year, or one row that says why there is none."""
    seen = bool(years.seen[t].any())
    points, values = (grid, value) if len(grid) else (np.array([np.nan]), np.array([np.nan]))
    time = pl.Series([years.times[t]] * len(points), dtype=years.times.dtype)
    reasons = {"missing-input": [not seen] * len(points), "no-variation": np.isnan(values)}
    return block({"time": time, "point": points}, values, n_used=int(years.used[t]), coverage=float(years.coverage[t]), reasons=reasons)


def kernel_moves(
    data: Data,
    *,
    given: str = "own",
    step: int = 1,
    points: int = 41,
    boundary: str = "auto",
    relative: bool = True,
    neighbours: Any = None,
    nearest: int | None = None,
    within_km: float | None = None,
    coordinates: Any = None,
    islands: str = "attach",
) -> Measured:
    """The density of values given own values ``step`` years before, or given the neighbours' mean of then, over all years together."""
    _fail_if_bad(points, None)
    panel = yearly_grid(data, step, relative)
    y, around = panel.value, panel.value
    findings: tuple[Finding, ...] = ()
    if given != "own":
        found, findings = neighbours_of(panel.regions, Choice(neighbours, nearest, within_km, coordinates, islands))
        around = lag(row_standardised(found), y)
    before, after = around[: len(y) - step].ravel(), y[step:].ravel()
    held = np.isfinite(before) & np.isfinite(after)
    x, z = before[held], after[held]
    widths = (silverman(x), silverman(z))
    coverage = float(held.mean()) if len(held) else 0.0
    if not np.isfinite(widths).all():
        empty = block({"given": [np.nan], "point": [np.nan]}, [np.nan], n_used=len(x), coverage=coverage, reasons={"no-variation": [True]})
        return Measured([empty], findings)
    reflect = _reflects(boundary, y)
    grids = [_grid(v, w, points, reflect) for v, w in zip((x, z), widths, strict=True)]
    value = stochastic_kernel(grids[1], grids[0], x=x, y=z, bandwidth=widths, reflect=reflect).ravel()
    keys = product_of(("given", "point"), [pl.Series(g) for g in grids])
    rows = block(keys, value, n_used=len(x), coverage=coverage, reasons={"no-mass": np.isnan(value)})
    return Measured([rows], findings, meta={"bandwidth": {"given": widths[0], "point": widths[1]}, "reflected": reflect})


ENTRIES = (
    Indicator(
        id="kernel-density",
        family="convergence",
        unit="index",
        range=(0.0, None),
        formula=r"\hat f(x) = \frac{1}{h}\sum_i p_i\,\phi\!\left(\frac{x-y_i}{h}\right),\quad h = 0.9\min\!\left(s, \tfrac{IQR}{1.34}\right)n^{-1/5}",
        source="Silverman (1986), eq. 3.31 and sec. 2.10",
        roles=(_REGION, _VALUE, Role("time", "time", "year", required=False), _WEIGHT),
        keys=("time", "point"),
        compute=f"{_HERE}:kernel",
        parameters={
            "points": _POINTS,
            "bandwidth": _BANDWIDTH,
            "boundary": _BOUNDARY,
            "relative": Parameter(False, (False, True), "divide by the year's mean first"),
        },
        unique=("time", "region"),
    ),
    Indicator(
        id="stochastic-kernel",
        family="convergence",
        unit="index",
        range=(0.0, None),
        formula=r"\hat f(y_{t+s}\mid x_t) = \frac{\hat f(x_t, y_{t+s})}{\hat f(x_t)}",
        source="Quah (1997)",
        roles=(_REGION, _VALUE, Role("time", "time", "year"), _WEIGHT),
        keys=("given", "point"),
        compute=f"{_HERE}:kernel_moves",
        parameters={
            "given": Parameter("own", ("own", "neighbours"), "condition on the region's own value, or on the mean of its neighbours"),
            "step": Parameter(1, help="years between the two"),
            "points": Parameter(41, help="points of the grid in each direction"),
            "boundary": _BOUNDARY,
            "relative": Parameter(True, (True, False), "divide by the year's mean first"),
            **PARAMETERS,
        },
        unique=("time", "region"),
    ),
)
