"""Centres of gravity of industries, and how they move."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hinterland.errors import Finding, InputError, fail_if_any, listed
from hinterland.measure import redistribution
from hinterland.measure.data import Cube, Data
from hinterland.measure.entries.axes import axes
from hinterland.measure.entries.changes import CELLS, COMPARE, UNIQUE, Compare, known, later, pairs, period_meta
from hinterland.measure.indicator import Indicator, Parameter, Role
from hinterland.measure.result import Measured, dense

Floats = NDArray[np.float64]
Method = Literal["degrees", "sphere"]


def gravity_centre(data: Data, *, method: Method = "degrees") -> Measured:
    """Two components per time and industry."""
    cube, lon, lat = _places(data)
    centre = redistribution.gravity_centre(cube.values, lon, lat, method=method)
    used, reasons = cube.observed.sum(axis=1), _centre_reasons(cube)
    blocks = [
        dense(cube, centre[..., k], n_used=used, coverage=used / len(lon), reasons=reasons, component=name, dims=("time", "industry"))
        for k, name in enumerate(("centre-longitude", "centre-latitude"))
    ]
    return Measured(blocks)


def gravity_distance(data: Data, *, method: Method = "degrees", compare: Compare = "first-last") -> Measured:
    """One value per pair of years and industry."""
    return _moved(data, method, compare, "distance")


def gravity_bearing(data: Data, *, method: Method = "degrees", compare: Compare = "first-last") -> Measured:
    """One value per pair of years and industry."""
    return _moved(data, method, compare, "bearing")


def _moved(data: Data, method: Method, compare: Compare, what: str) -> Measured:
    cube, lon, lat = _places(data)
    compared = pairs(cube, compare)
    seen = known(cube, compared)
    values = []
    for p in compared:
        ends = (redistribution.gravity_centre(x, lon, lat, method=method) for x in (p.start, p.end))
        values.append(getattr(redistribution.gravity_shift(*ends), what))
    used, coverage = (x[:, 0] for x in seen.industries)
    reasons = {"missing-input": used == 0} | {k: v[:, 0] for k, v in seen.reasons.items() if k.startswith("no-industry")}
    reasons |= {"did-not-move": ~np.isfinite(np.stack(values))}
    where = axes(time=later(cube, compared), industry=cube.labels[2])
    return Measured([dense(where, np.stack(values), n_used=used, coverage=coverage, reasons=reasons)], meta=period_meta(cube, compared))


def _centre_reasons(cube: Cube) -> Mapping[str, Any]:
    return {"missing-input": cube.observed.sum(axis=1) == 0, "zero-industry-total": np.nansum(cube.values, axis=1) == 0}


def _places(data: Data) -> tuple[Cube, Floats, Floats]:
    """The cells, and longitude and latitude of each region.

    Raises:
        InputError: a region without a position, with several, or with one that is none in degrees.
    """
    places = data.frame.group_by("region", maintain_order=False).agg(
        pl.col("x").drop_nulls().n_unique().alias("nx"),
        pl.col("y").drop_nulls().n_unique().alias("ny"),
        pl.col("x").drop_nulls().first(),
        pl.col("y").drop_nulls().first(),
    )
    places = places.sort("region")
    odd = places.filter((pl.col("nx") != 1) | (pl.col("ny") != 1))["region"]
    out = places.filter((pl.col("x").abs() > 180) | (pl.col("y").abs() > 90))["region"]
    where = f"columns {data.columns['x']!r} and {data.columns['y']!r}"
    findings = []
    if len(odd):
        findings.append(
            Finding("region-position", f"regions without one position: {listed(odd)}", where, "give each region one longitude and latitude")
        )
    if len(out):
        findings.append(Finding("position-not-degrees", f"positions are outside ±180 and ±90: {listed(out)}", where, "give degrees"))
    fail_if_any(findings, "gravity centre", InputError)
    return data.cube("time", "region", "industry"), places["x"].to_numpy(), places["y"].to_numpy()


_PLACED = (
    *CELLS,
    Role("x", "number", "longitude of the region, degrees east"),
    Role("y", "number", "latitude of the region, degrees north"),
)
_METHOD = Parameter("degrees", ("degrees", "sphere"), "weighted mean of degrees, or direction of the weighted mean of unit vectors")


def _entry(
    name: str, compute: str, *, formula: str, unit: str, bounds: tuple[float, float], more: Mapping[str, Any] | None = None
) -> Indicator:
    said = {"source": "centre of gravity; haversine formula", "parameters": {"method": _METHOD, "compare": COMPARE}} | dict(more or {})
    return Indicator(
        id=name,
        family="transfer",
        unit=unit,
        range=bounds,
        formula=formula,
        roles=_PLACED,
        keys=("time", "industry"),
        compute=f"hinterland.measure.entries.gravity:{compute}",
        unique=UNIQUE,
        **said,
    )


ENTRIES = (
    _entry(
        "gravity-centre",
        "gravity_centre",
        formula=r"(\bar\lambda_i, \bar\phi_i) = \sum_r g_{ri} (\lambda_r, \phi_r)",
        unit="degree",
        bounds=(-180.0, 180.0),
        more={
            "parameters": {"method": _METHOD},
            "components": ("centre-longitude", "centre-latitude"),
            "source": "centre of gravity",
        },
    ),
    _entry(
        "gravity-shift",
        "gravity_distance",
        formula=r"d = 2R\arcsin\sqrt{\mathrm{hav}(\Delta\phi) + \cos\phi_0\cos\phi_1\,\mathrm{hav}(\Delta\lambda)}",
        unit="km",
        bounds=(0.0, 20016.0),
    ),
    _entry(
        "gravity-bearing",
        "gravity_bearing",
        formula=r"\theta = \mathrm{atan2}(\sin\Delta\lambda\cos\phi_1, \cos\phi_0\sin\phi_1 - \sin\phi_0\cos\phi_1\cos\Delta\lambda)",
        unit="degree",
        bounds=(0.0, 360.0),
    ),
)
