"""Agglomeration and specialisation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hinterland.measure import agglomeration
from hinterland.measure.data import Cube, Data
from hinterland.measure.indicator import Indicator, Parameter, Role
from hinterland.measure.result import Measured, dense
from hinterland.measure.second import Reference, reference_vector

_REGION = Role("region", "key", "region, host or city")
_INDUSTRY = Role("industry", "key", "industry, on one classification")
_TIME = Role("time", "time", "year", required=False)
_VALUE = Role("value", "number", "employment, output or value added, in one unit", sign="non-negative")
_CELLS = (_REGION, _INDUSTRY, _VALUE, _TIME)

_REFERENCE = Parameter(
    None,
    help="national activity: the sum over the table's regions, or a table with the columns of industry, value and time",
    table=True,
)


def location_quotient(data: Data, *, reference: Reference = None) -> Measured:
    """One value per time, region and industry."""
    cube = data.cube("time", "region", "industry")
    national, findings = reference_vector(data, cube, reference)
    value = agglomeration.location_quotient(cube.values, national)
    used, coverage = _row_and_column(cube)
    return Measured([dense(cube, value, n_used=used, coverage=coverage, reasons=_reasons(cube, national))], findings)


def _row_and_column(cube: Cube) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """[T, R, I] how many cells of the region's row and of the industry's column are observed, and their share."""
    seen = cube.observed
    regions, industries = seen.shape[1:]
    used = seen.sum(axis=2, keepdims=True) + seen.sum(axis=1, keepdims=True) - seen
    return used, used / (regions + industries - 1)


def _reasons(cube: Cube, national: NDArray[np.float64] | None) -> Mapping[str, Any]:
    """Why a cell, or the totals that it is divided by, have no value."""
    nation = np.nansum(cube.values, axis=1) if national is None else national
    return {
        "suppressed-input": cube.suppressed,
        "missing-input": ~cube.observed,
        "zero-region-total": np.nansum(cube.values, axis=2)[:, :, None] == 0,
        "zero-industry-total": ~(nation > 0)[:, None, :],
    }


ENTRIES = (
    Indicator(
        id="location-quotient",
        family="agglomeration",
        unit="index",
        range=(0.0, None),
        formula=r"LQ_{ri} = \frac{X_{ri}/X_{r\cdot}}{X_{\cdot i}/X_{\cdot\cdot}}",
        source="Florence (1939); Balassa (1965)",
        roles=_CELLS,
        keys=("time", "region", "industry"),
        compute="hinterland.measure.entries.agglomeration:location_quotient",
        parameters={"reference": _REFERENCE},
        unique=("time", "region", "industry"),
    ),
)
