"""Localisation of industries and density of regions: adapters and entries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from hinterland.errors import Finding
from hinterland.measure import localisation
from hinterland.measure.data import Cube, Data
from hinterland.measure.entries.region_industry import (
    CELL_KEYS,
    CELLS,
    INDUSTRY,
    REGION,
    SIZE,
    TIME,
    VALUE,
    Floats,
    beside_all,
    column_block,
    region_number,
    row_block,
    without_unknown,
    zero_margins,
)
from hinterland.measure.indicator import Indicator, Parameter, Role
from hinterland.measure.result import Measured, dense

_AREA = Role("area", "number", "area of the region, km²: built-up or administrative, the caller's choice", sign="positive")


def _industries(data: Data) -> tuple[Cube, Floats, Floats | None, tuple[Finding, ...]]:
    """Cells, values of regions whose size is known, size, and what was found."""
    cube, size = data.cube("time", "region", "industry"), None
    size = region_number(data, "size")
    findings = zero_margins(cube, "region", "industry")
    if size is None and len(data.labels("industry")) == 1:
        what = "with one industry and no size, the industry is set beside itself, and every value is 0"
        findings = (*findings, Finding("one-industry", what, "argument size", "give all industries, or a column of size", "warning"))
    return cube, without_unknown(cube, size), size, findings


def _reasons(cube: Cube, values: Floats) -> Mapping[str, Any]:
    return {"missing-region-size": cube.observed.any(axis=1) & ~np.isfinite(values).any(axis=1)}


def _coverage(cube: Cube, values: Floats, size: Floats | None) -> dict[str, Any]:
    seen = np.isfinite(values)
    return {"n_used": seen.sum(axis=1), "coverage": beside_all(cube, 1) if size is None else seen.mean(axis=1)}


def hoover(data: Data) -> Measured:
    """One value per time and industry."""
    cube, values, size, findings = _industries(data)
    value = localisation.hoover_localisation(values, size)
    return Measured([column_block(cube, value, _reasons(cube, values), **_coverage(cube, values, size))], findings)


def gini(data: Data, *, scale: localisation.Scale = "unit") -> Measured:
    """One value per time and industry."""
    cube, values, size, findings = _industries(data)
    value = localisation.locational_gini(values, size, scale)
    return Measured([column_block(cube, value, _reasons(cube, values), **_coverage(cube, values, size))], findings)


def theil(data: Data) -> Measured:
    """One value per time and industry."""
    cube, values, size, findings = _industries(data)
    value = localisation.theil_localisation(values, size)
    where = localisation.regional_size(values, size) == 0
    empty = {"zero-size": ((np.nan_to_num(values) > 0) & where[:, :, None]).any(axis=1)}
    reasons = {**_reasons(cube, values), **empty}
    return Measured([column_block(cube, value, reasons, **_coverage(cube, values, size))], findings)


def density(data: Data) -> Measured:
    """One value per time and region."""
    cube = data.cube("time", "region")
    area = region_number(data, "area")
    if area is None:
        area = np.full(cube.values.shape, np.nan)
    reasons = {"suppressed-input": cube.suppressed, "missing-input": ~cube.observed, "missing-area": ~np.isfinite(area)}
    value = localisation.density(cube.values, area)
    seen = cube.observed & np.isfinite(area)
    return Measured([dense(cube, value, n_used=seen, coverage=seen, reasons=reasons)])


def spatial_concentration(data: Data) -> Measured:
    """Relative density per time, region and industry, and its sum over the industries per time and region."""
    cube = data.cube("time", "region", "industry")
    area = region_number(data, "area")
    if area is None:
        area = np.full(cube.values.shape[:2], np.nan)
    values = without_unknown(cube, area)
    each = localisation.relative_density(values, np.where(np.isfinite(values).any(axis=2), area, np.nan))
    unknown = ~np.isfinite(area)
    nowhere = np.nansum(values, axis=1) == 0
    settings = {"n_used": cube.observed.sum(axis=1, keepdims=True), "coverage": cube.observed.mean(axis=1, keepdims=True)}
    reasons = {
        "suppressed-input": cube.suppressed,
        "missing-input": ~cube.observed,
        "missing-area": unknown[:, :, None],
        "zero-industry-total": nowhere[:, None, :],
    }
    total = np.where(np.isfinite(each).any(axis=2), np.nansum(each, axis=2), np.nan)
    blocks = [
        row_block(cube, total, {"missing-area": unknown}, component="summed-density", coverage=beside_all(cube, 2)),
        dense(cube, each, reasons=reasons, component="relative-density", **settings),
    ]
    return Measured(blocks, zero_margins(cube, "region", "industry"))


_HERE = "hinterland.measure.entries.localisation"
_COLUMNS: dict[str, Any] = {
    "family": "agglomeration",
    "unit": "index",
    "roles": (*CELLS, SIZE),
    "keys": ("time", "industry"),
    "unique": CELL_KEYS,
}

ENTRIES = (
    Indicator(
        id="hoover-localisation",
        range=(0.0, 1.0),
        formula=r"L_i = \tfrac12\sum_r |g_{ri}-x_r|",
        source="Hoover (1936)",
        compute=f"{_HERE}:hoover",
        **_COLUMNS,
    ),
    Indicator(
        id="locational-gini",
        range=(0.0, 1.0),
        formula=r"G_i = 1-\sum_r (\bar g_r+\bar g_{r-1})(\bar x_r-\bar x_{r-1})",
        source="Hoover (1936); Krugman (1991)",
        compute=f"{_HERE}:gini",
        parameters={
            "scale": Parameter("unit", ("unit", "area"), help="from 0 to 1, or the area between curve and diagonal, which is half of it")
        },
        **_COLUMNS,
    ),
    Indicator(
        id="theil-localisation",
        range=(0.0, None),
        formula=r"T_i = \sum_r g_{ri}\ln(g_{ri}/x_r)",
        source="Theil (1967); Brülhart & Traeger (2005)",
        compute=f"{_HERE}:theil",
        **_COLUMNS,
    ),
    Indicator(
        id="density",
        family="agglomeration",
        unit="per-km2",
        range=(0.0, None),
        formula=r"D_r = L_r/A_r",
        source="Ciccone & Hall (1996)",
        roles=(REGION, VALUE, _AREA, TIME),
        keys=("time", "region"),
        compute=f"{_HERE}:density",
        unique=("time", "region"),
    ),
    Indicator(
        id="spatial-concentration",
        family="agglomeration",
        unit="index",
        range=(0.0, None),
        formula=r"S_r = \sum_k \frac{X_{rk}/A_r}{X_{\cdot k}/A_\cdot}",
        source="used in studies of Chinese cities",
        roles=(REGION, VALUE, _AREA, Role("industry", "key", INDUSTRY.help, required=False), TIME),
        keys=CELL_KEYS,
        compute=f"{_HERE}:spatial_concentration",
        components=("summed-density", "relative-density"),
        unique=CELL_KEYS,
    ),
)
