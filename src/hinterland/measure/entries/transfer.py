"""Redistribution of industries between regions, and the gradient that it follows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hinterland.errors import Finding, InputError, fail_if_any, listed
from hinterland.labels import Note
from hinterland.measure import redistribution
from hinterland.measure.data import Cube, Data
from hinterland.measure.entries.axes import axes
from hinterland.measure.entries.changes import (
    CELLS,
    COMPARE,
    UNIQUE,
    Compare,
    cell_changes,
    industry_changes,
    known,
    later,
    pairs,
    period_meta,
)
from hinterland.measure.gradient import gradient_coefficient
from hinterland.measure.indicator import Indicator, Parameter, Role
from hinterland.measure.result import Measured, block, dense

Floats = NDArray[np.float64]
Method = Literal["degrees", "sphere"]


def share_change(data: Data, *, compare: Compare = "first-last") -> Measured:
    """One value per pair of years, region and industry."""
    return cell_changes(data, compare, redistribution.share_change)


def absolute_transfer(data: Data, *, compare: Compare = "first-last") -> Measured:
    """One value per pair of years, region and industry."""
    return cell_changes(data, compare, redistribution.absolute_transfer, without=("no-industry-end",))


def relative_transfer(data: Data, *, compare: Compare = "first-last") -> Measured:
    """One value per pair of years, region and industry."""
    return cell_changes(data, compare, redistribution.relative_transfer)


def gross_shift(data: Data, *, compare: Compare = "first-last") -> Measured:
    """One value per pair of years and industry."""
    return industry_changes(data, compare, redistribution.gross_shift)


def concentration_shift(data: Data, *, compare: Compare = "first-last") -> Measured:
    """One value per pair of years and industry."""
    return industry_changes(data, compare, redistribution.hhi_shift)


def closure_share(data: Data, *, compare: Compare = "first-last") -> Measured:
    """One value per pair of years and industry."""
    return industry_changes(data, compare, redistribution.closure_share, extra="nobody-loses")


def proportional_match(data: Data, *, compare: Compare = "first-last") -> Measured:
    """One value per pair of years, source, host and industry, where it is not zero; imputed."""
    cube = data.cube("time", "region", "industry")
    compared = pairs(cube, compare)
    seen = known(cube, compared)
    flows = np.stack([redistribution.proportional_match(redistribution.absolute_transfer(p.start, p.end)) for p in compared])
    year, source, host, industry = np.nonzero(flows)
    used, coverage = (np.broadcast_to(x, seen.observed.shape)[year, source, industry] for x in seen.industries)
    regions, industries = cube.labels[1], cube.labels[2]
    keys = {
        "time": later(cube, compared).gather(year),
        "region": regions.gather(source),
        "other": regions.gather(host),
        "industry": industries.gather(industry),
    }
    made = block(keys, flows[year, source, host, industry], n_used=used, coverage=coverage)
    return Measured([made], notes=(Note("transfer-imputed"),), meta={"imputed": True, **period_meta(cube, compared)})


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


def gradient(data: Data, *, cp_base: Literal["industry", "region"] = "industry") -> Measured:
    """Six components per time, region and industry; two of them need capital."""
    names = [n for n in ("output", "labour", "capital") if data.has(n)]
    cubes = {n: data.cube("time", "region", "industry", value=n) for n in names}
    both = cubes["output"].observed & cubes["labour"].observed
    basic = _gradients(cubes, both, cp_base)
    blocks = [_component(cubes["output"], name, [getattr(g, f) for g in basic], both) for name, f in _GRADIENT.items()]
    if data.has("capital"):
        every = both & cubes["capital"].observed
        improved = _gradients(cubes, every, cp_base)
        blocks += [_component(cubes["output"], name, [getattr(g, f) for g in improved], every) for name, f in _IMPROVED.items()]
    return Measured(blocks)


def _gradients(cubes: Mapping[str, Cube], known_: NDArray[np.bool_], cp_base: Literal["industry", "region"]) -> list[Any]:
    values = {n: np.where(known_, c.values, np.nan) for n, c in cubes.items()}
    capital = values.get("capital")
    return [
        gradient_coefficient(values["output"][t], values["labour"][t], None if capital is None else capital[t], cp_base=cp_base)
        for t in range(len(known_))
    ]


def _component(cube: Cube, name: str, values: list[Floats], known_: NDArray[np.bool_]) -> Any:
    used = known_.sum(axis=1, keepdims=True)
    reasons = {"missing-input": ~known_, "zero-denominator": np.ones(known_.shape, dtype=bool) & ~np.isfinite(np.stack(values))}
    return dense(cube, np.stack(values), n_used=used, coverage=used / known_.shape[1], reasons=reasons, component=name)


_GRADIENT = {
    "gradient": "coefficient",
    "log-gradient": "log_coefficient",
    "gradient-quotient": "quotient",
    "comparative-labour-productivity": "labour",
}
_IMPROVED = {"improved-gradient": "improved", "comparative-capital-return": "capital"}
_PLACED = (
    *CELLS,
    Role("x", "number", "longitude of the region, degrees east"),
    Role("y", "number", "latitude of the region, degrees north"),
)
_FACTORS = (
    Role("region", "key", "region"),
    Role("industry", "key", "industry, on one classification"),
    Role("output", "number", "value added", sign="non-negative"),
    Role("labour", "number", "employment", sign="non-negative"),
    Role("capital", "number", "capital stock", required=False, sign="non-negative"),
    Role("time", "time", "year", required=False),
)
_METHOD = Parameter("degrees", ("degrees", "sphere"), "weighted mean of degrees, or direction of the weighted mean of unit vectors")
_CELL_KEYS, _INDUSTRY_KEYS = ("time", "region", "industry"), ("time", "industry")


def _entry(
    name: str,
    compute: str,
    *,
    formula: str,
    unit: str = "share",
    bounds: tuple[float | None, float | None] = (None, None),
    keys: tuple[str, ...] = _CELL_KEYS,
    more: Mapping[str, Any] | None = None,
) -> Indicator:
    said = {"source": "this library's own", "roles": CELLS, "parameters": {"compare": COMPARE}} | dict(more or {})
    return Indicator(
        id=name,
        family="transfer",
        unit=unit,
        range=bounds,
        formula=formula,
        keys=keys,
        compute=f"hinterland.measure.entries.transfer:{compute}",
        unique=UNIQUE,
        **said,
    )


_MOVED: Mapping[str, Any] = {
    "roles": _PLACED,
    "parameters": {"method": _METHOD, "compare": COMPARE},
    "source": "centre of gravity; haversine formula",
}

ENTRIES = (
    _entry(
        "share-change",
        "share_change",
        formula=r"\Delta g_{ri} = X^1_{ri}/X^1_{\cdot i} - X^0_{ri}/X^0_{\cdot i}",
        bounds=(-1.0, 1.0),
        more={"source": "standard net measure of industrial transfer"},
    ),
    _entry(
        "absolute-transfer",
        "absolute_transfer",
        formula=r"X^1_{ri} - X^0_{ri} X^1_{\cdot i}/X^0_{\cdot i}",
        unit="as-input",
        more={"source": "regional shift of Dunn (1960), in levels"},
    ),
    _entry(
        "relative-transfer",
        "relative_transfer",
        formula=r"LQ^1_{ri} - LQ^0_{ri}",
        unit="index",
        more={"source": "change of Florence's (1939) quotient"},
    ),
    _entry(
        "gross-shift",
        "gross_shift",
        formula=r"\tfrac12 \sum_r |\Delta g_{ri}|",
        bounds=(0.0, 1.0),
        keys=_INDUSTRY_KEYS,
        more={"source": "dissimilarity of two years' shares (Hoover 1936)"},
    ),
    _entry(
        "concentration-shift",
        "concentration_shift",
        formula=r"\sum_r (g^1_{ri})^2 - \sum_r (g^0_{ri})^2",
        unit="index",
        bounds=(-1.0, 1.0),
        keys=_INDUSTRY_KEYS,
        more={"source": "change of the Herfindahl index"},
    ),
    _entry(
        "closure-share",
        "closure_share",
        formula=r"\sum_s \max(X^0_{si}-X^1_{si}, 0) / \sum_s loss_{si}",
        bounds=(0.0, None),
        keys=_INDUSTRY_KEYS,
    ),
    _entry(
        "proportional-match",
        "proportional_match",
        formula=r"T_{sh,i} = loss_{si}\, gain_{hi} / \sum_h gain_{hi}",
        unit="as-input",
        bounds=(0.0, None),
        keys=("time", "region", "other", "industry"),
    ),
    _entry(
        "gravity-centre",
        "gravity_centre",
        formula=r"(\bar\lambda_i, \bar\phi_i) = \sum_r g_{ri} (\lambda_r, \phi_r)",
        unit="degree",
        bounds=(-180.0, 180.0),
        keys=_INDUSTRY_KEYS,
        more={
            "roles": _PLACED,
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
        keys=_INDUSTRY_KEYS,
        more=_MOVED,
    ),
    _entry(
        "gravity-bearing",
        "gravity_bearing",
        formula=r"\theta = \mathrm{atan2}(\sin\Delta\lambda\cos\phi_1, \cos\phi_0\sin\phi_1 - \sin\phi_0\cos\phi_1\cos\Delta\lambda)",
        unit="degree",
        bounds=(0.0, 360.0),
        keys=_INDUSTRY_KEYS,
        more=_MOVED,
    ),
    _entry(
        "gradient-coefficient",
        "gradient",
        formula=r"IGC_{ri} = LQ_{ri}\cdot\frac{VA_{ri}/VA_{\cdot i}}{L_{ri}/L_{\cdot i}},\; IGC'_{ri} = IGC_{ri}\cdot\frac{VA_{ri}/VA_{\cdot i}}{K_{ri}/K_{\cdot i}}",
        unit="index",
        bounds=(None, None),
        more={
            "roles": _FACTORS,
            "source": "Chen & Xiong (2007)",
            "parameters": {
                "cp_base": Parameter(
                    "industry", ("industry", "region"), "labour productivity relative to the nation's industry, or to the region's total"
                )
            },
            "components": (*_GRADIENT, *_IMPROVED),
        },
    ),
)
