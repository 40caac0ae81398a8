"""Density of distances between plants with bands of random sites: adapter and entry."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hinterland.errors import Finding, InputError, fail_if_any
from hinterland.measure import duranton_overman as estimator
from hinterland.measure.data import Data
from hinterland.measure.entries.region_industry import INDUSTRY, TIME, fail_if_no_share, fail_if_not_whole
from hinterland.measure.indicator import Indicator, Parameter, Role
from hinterland.measure.k_density import Coordinates, points, silverman_bandwidth
from hinterland.measure.result import Block, Measured, block

CURVES = ("distance-density", "local-low", "local-high", "global-low", "global-high")
NUMBERS = ("localisation-index", "dispersion-index", "kernel-bandwidth")


def duranton_overman(
    data: Data,
    *,
    coordinates: Coordinates = "geographic",
    draws: int = 1000,
    seed: int = 0,
    bandwidth: float | None = None,
    cutoff: float | None = None,
    steps: int = 100,
    level: float = 0.95,
    hold: estimator.Hold = "both",
    reflect: bool = True,
    least_plants: int = 10,
) -> Measured:
    """Curves by time, industry and distance (key ``point``), and indices by time and industry; every row of a year is an active site."""
    data = _by_place(data)
    x, y, weight = data.number("x"), data.number("y"), data.number() if data.has("value") else None
    _fail_if_not_degrees(data, x, y, coordinates)
    located = np.isfinite(x) & np.isfinite(y)
    known = located if weight is None else located & np.isfinite(weight)
    least = {"draws": 20, "seed": 0, "steps": 1, "least_plants": 1}
    fail_if_not_whole(least, {"draws": draws, "seed": seed, "steps": steps, "least_plants": least_plants})
    _fail_if_not_lengths({"bandwidth": bandwidth, "cutoff": cutoff})
    fail_if_no_share(level)
    options: dict[str, Any] = {"draws": draws, "seed": seed, "bandwidth": bandwidth, "steps": steps, "level": level, "hold": hold}
    blocks: list[Block] = []
    for year, now in _years(data):
        sites = points(x[now & located], y[now & located], coordinates)
        reach = estimator.median_distance(sites) if cutoff is None else cutoff
        for industry, mine in _industries(data, now):
            keys, plants = {"time": year, "industry": industry}, points(x[mine & known], y[mine & known], coordinates)
            weights = None if weight is None else weight[mine & known]
            n, share = len(plants), len(plants) / int(mine.sum())
            why = _unfit(n, least_plants, weights, (silverman_bandwidth(plants) if bandwidth is None else bandwidth, reach))
            if why:
                blocks += _empty(keys, n, share, why)
                continue
            found = estimator.duranton_overman(plants, sites, weights=weights, cutoff=reach, reflect=reflect, **options)
            blocks += _filled(keys, n, share, found)
    return Measured(blocks)


def _by_place(data: Data) -> Data:
    """The rows in the order of their places, so that a seed draws the same sites whatever the order of the table."""
    by = [role for role in ("x", "y", "value", "industry") if data.has(role)]
    return Data(data.frame.sort(by), data.columns, data.whole, data.complete, data.findings)


def _years(data: Data) -> Iterator[tuple[int | None, NDArray[np.bool_]]]:
    """Each year, and its rows."""
    when = data.codes("time")
    return ((year, when == t) for t, year in enumerate(data.labels("time")))


def _industries(data: Data, now: NDArray[np.bool_]) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Each industry that a year has, and its rows."""
    what = data.codes("industry")
    for i in np.unique(what[now]):
        yield data.labels("industry")[int(i)], now & (what == i)


def _unfit(n: int, least: int, weights: NDArray[np.float64] | None, lengths: tuple[float, float]) -> str:
    """Why an industry has no density; ``lengths``: bandwidth and cut-off."""
    if n < max(least, 3):
        return "too-few-plants"
    if weights is not None and not (weights > 0).sum() > 1:
        return "zero-industry-total"
    return "no-bandwidth" if not lengths[0] > 0 else "no-cut-off" if not lengths[1] > 0 else ""


def _rows(keys: Mapping[str, Any], distance: Any) -> dict[str, pl.Series]:
    n = len(distance)
    return {
        "time": pl.Series([keys["time"]] * n, dtype=pl.Int64),
        "industry": pl.Series([keys["industry"]] * n, dtype=pl.String),
        "point": pl.Series(distance, dtype=pl.Float64),
    }


def _empty(keys: Mapping[str, Any], n: int, share: float, why: str) -> Iterator[Block]:
    for name in (*NUMBERS, *CURVES):
        yield block(_rows(keys, [None]), [np.nan], n_used=n, coverage=share, reasons={why: [True]}, component=name)


def _filled(keys: Mapping[str, Any], n: int, share: float, found: estimator.KDensity) -> Iterator[Block]:
    for name, value in zip(NUMBERS, (found.localisation_index, found.dispersion_index, found.bandwidth), strict=True):
        yield block(_rows(keys, [None]), [value], n_used=n, coverage=share, component=name)
    b = found.bands
    for name, curve in zip(CURVES, (found.density, b.local_low, b.local_high, b.global_low, b.global_high), strict=True):
        yield block(_rows(keys, found.distance), curve, n_used=n, coverage=share, component=name)


def _fail_if_not_lengths(given: Mapping[str, float | None]) -> None:
    findings = [
        Finding("out-of-range", f"{name} is {value!r}", f"parameter {name}", "give a distance above 0, or leave it out")
        for name, value in given.items()
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < np.inf)
    ]
    fail_if_any(findings, "parameters", InputError)


def _fail_if_not_degrees(data: Data, x: NDArray[np.float64], y: NDArray[np.float64], coordinates: Coordinates) -> None:
    if coordinates == "planar":
        return
    findings = []
    for role, values, most in (("x", x, 180), ("y", y, 90)):
        rows = np.flatnonzero(np.abs(values) > most)
        if len(rows):
            what = f"{len(rows)} value(s) of {data.columns[role]!r} are no degrees, such as {values[rows[0]]:g}"
            remedy = "give longitude as x and latitude as y, or pass coordinates='planar'"
            findings.append(Finding("not-degrees", what, data.where(rows, role), remedy))
    fail_if_any(findings, "coordinates", InputError)


ENTRIES = (
    Indicator(
        id="duranton-overman",
        family="agglomeration",
        unit="index",
        range=(0.0, None),
        formula=r"\hat K(d) = \frac{1}{Mh}\sum_{a<b}\varphi\left(\frac{d-d_{ab}}{h}\right),\quad M=\tfrac{n(n-1)}2",
        source="Duranton & Overman (2005)",
        roles=(
            INDUSTRY,
            Role("x", "number", "longitude of the plant in degrees, or a plane coordinate"),
            Role("y", "number", "latitude of the plant in degrees, or a plane coordinate"),
            Role("value", "number", "employment: pairs then count with the product", required=False, sign="non-negative"),
            TIME,
        ),
        keys=("time", "industry", "point"),
        compute="hinterland.measure.entries.duranton_overman:duranton_overman",
        parameters={
            "coordinates": Parameter("geographic", ("geographic", "planar"), help="degrees, with distances in km; or a plane"),
            "draws": Parameter(1000, help="of random sites"),
            "seed": Parameter(0, help="of the draws", low=0),
            "bandwidth": Parameter(None, help="of the kernel: Silverman's rule by default"),
            "cutoff": Parameter(None, help="largest distance: the median distance between sites by default"),
            "steps": Parameter(100, help="between 0 and the cut-off"),
            "level": Parameter(0.95, help="of the bands"),
            "hold": Parameter(
                "both", ("both", "each"), help="whether the global bands hold together, or each on its own, in a share `level` of the draws"
            ),
            "reflect": Parameter(default=True, values=(True, False), help="whether the kernel is reflected at distance 0"),
            "least_plants": Parameter(10, help="industries with fewer have no value"),
        },
        components=(*NUMBERS, *CURVES),
        units={"kernel-bandwidth": "km"},
    ),
)
