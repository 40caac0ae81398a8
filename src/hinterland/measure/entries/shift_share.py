"""Shift-share analysis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hinterland.errors import Finding, InputError
from hinterland.measure import shift_share as formulas
from hinterland.measure.data import Cube, Data, positions
from hinterland.measure.entries.axes import axes
from hinterland.measure.entries.changes import CELLS, COMPARE, UNIQUE, Compare, Pair, known, later, pairs, period_meta
from hinterland.measure.indicator import Indicator, Parameter
from hinterland.measure.result import Block, Measured, dense
from hinterland.measure.second import Reference, reference_vector, table

Floats = NDArray[np.float64]

_DUNN = {
    "national-growth": "national",
    "industry-mix": "industry",
    "regional-shift": "regional",
    "new-industry": "new_industry",
    "competitive-effect": "competitive",
    "allocation-effect": "allocation",
}
_SPATIAL = {"national-growth": "national", "neighbourhood-mix": "neighbourhood", "regional-shift": "regional"}


def shift_share(
    data: Data, *, compare: Compare = "first-last", reference: Reference = None, level: Literal["cell", "region"] = "cell"
) -> Measured:
    """Six components per pair of years, region and industry."""
    cube = data.cube("time", "region", "industry")
    compared = pairs(cube, compare)
    national, findings = reference_vector(data, cube, reference)
    found = [formulas.shift_share(p.start, p.end, **_nation(national, p)) for p in compared]
    return Measured(_blocks(cube, compared, found, _DUNN, level), findings, meta=period_meta(cube, compared))


def _nation(national: Floats | None, p: Pair) -> dict[str, Floats | None]:
    """The nation's two vectors.

    Raises:
        InputError: regions have an industry in the base year of which the nation has none.
    """
    if national is None:
        return {"national_start": None, "national_end": None}
    start, end = national[p.first], national[p.last]
    bad = np.flatnonzero((start == 0) & (np.nansum(p.start, axis=0) > 0))
    if len(bad):
        what = f"the nation has none of {len(bad)} industry(ies) that regions have in the base year (numbers {bad[:5].tolist()})"
        raise InputError(Finding("nation-lacks-base", what, "parameter reference", "correct the national figures"), "shift-share")
    return {"national_start": start, "national_end": end}


def dynamic(data: Data, *, reference: Reference = None, level: Literal["cell", "region"] = "cell") -> Measured:
    """Six components per region and industry, summed over consecutive years."""
    cube = data.cube("time", "region", "industry")
    steps = pairs(cube, "previous")
    national, findings = reference_vector(data, cube, reference)
    for step in steps:
        _nation(national, step)
    complete = np.where(np.isfinite(cube.values).all(axis=0), cube.values, np.nan)
    found = formulas.dynamic_shift_share(complete, national=national)
    whole = Pair(0, len(complete) - 1, complete[0], complete[-1])
    return Measured(_blocks(cube, [whole], [found], _DUNN, level), findings, meta=period_meta(cube, steps))


def spatial(
    data: Data,
    *,
    weights: Any = None,
    rate: str = "ratio",
    compare: Compare = "first-last",
    reference: Reference = None,
    level: Literal["cell", "region"] = "cell",
) -> Measured:
    """Three components per pair of years, region and industry."""
    cube = data.cube("time", "region", "industry")
    compared = pairs(cube, compare)
    w = _weights(weights, cube.labels[1])
    national, findings = reference_vector(data, cube, reference)
    found = [
        formulas.spatial_shift_share(np.nan_to_num(p.start), np.nan_to_num(p.end), w, rate=rate, **_nation(national, p)) for p in compared
    ]
    return Measured(_blocks(cube, compared, found, _SPATIAL, level), findings, meta=period_meta(cube, compared))


def _weights(source: Any, regions: pl.Series) -> Floats:
    """[R, R] weights of neighbours, in both directions where the table gives one.

    Raises:
        InputError: no table, weights that are negative or no numbers, or regions that the data do not have.
    """
    where = "parameter weights"
    if source is None:
        raise InputError(
            Finding("missing-neighbours", "no neighbours were given", where, "give a table with columns region, other and value"), where
        )
    pairs_ = table(source, "weights", ["region", "other", "value"], unique=["region", "other"])
    pairs_ = pairs_.with_columns(pl.col("region", "other").cast(pl.String), pl.col("value").cast(pl.Float64, strict=False))
    bad = pairs_.filter(pl.col("value").is_null() | ~pl.col("value").is_finite() | (pl.col("value") < 0))
    if bad.height:
        raise InputError(
            Finding("neighbour-weight-wrong", f"{bad.height} weight(s) are negative or no numbers", where, "give 0 or more"), where
        )
    inside = pairs_.filter(pl.col("region").is_in(regions.implode()) & pl.col("other").is_in(regions.implode()))
    out = np.zeros((len(regions), len(regions)))
    out[positions(inside["region"], regions), positions(inside["other"], regions)] = inside["value"].to_numpy()
    np.fill_diagonal(out, 0.0)
    return out


def _blocks(cube: Cube, compared: list[Pair], found: Sequence[Any], names: Mapping[str, str], level: str) -> list[Block]:
    seen = known(cube, compared)
    regional = level == "region"
    labels: dict[str, pl.Series] = {"time": later(cube, compared), "region": cube.labels[1]}
    where = axes(**labels) if regional else axes(**labels, industry=cube.labels[2])
    used, coverage = seen.industries
    if regional:
        # A region's sum needs every industry that it has.
        used, coverage = seen.observed.sum(axis=2), seen.observed.mean(axis=2)
    blocks = []
    for component, field in names.items():
        values = np.stack([getattr(f, field) for f in found])
        values = np.where(seen.observed, values, np.nan)
        unknown = ~np.isfinite(values) & seen.observed
        if regional:
            values, unknown = np.nansum(values, axis=2), unknown.any(axis=2)
        nothing = seen.observed.sum(axis=2) == 0 if regional else ~seen.observed
        reasons = {"missing-input": nothing, _UNKNOWN.get(component, "no-neighbour-base"): unknown}
        reasons = reasons if regional else {"suppressed-input": seen.suppressed, **reasons}
        blocks.append(dense(where, values, n_used=used, coverage=coverage, reasons=reasons, component=component))
    return blocks


_UNKNOWN = {"competitive-effect": "no-regional-base", "allocation-effect": "no-regional-base"}
_REFERENCE = Parameter(
    None, help="the nation: the sum over the table's regions, or a table with the columns of industry, value and time", table=True
)
_LEVEL = Parameter("cell", ("cell", "region"), "a value for each region and industry, or their sum for each region")


def _entry(
    name: str, compute: str, *, formula: str, source: str, components: Mapping[str, str], parameters: dict[str, Parameter]
) -> Indicator:
    return Indicator(
        id=name,
        family="transfer",
        unit="as-input",
        range=(None, None),
        formula=formula,
        source=source,
        roles=CELLS,
        keys=("time", "region", "industry"),
        compute=f"hinterland.measure.entries.shift_share:{compute}",
        parameters=parameters | {"reference": _REFERENCE, "level": _LEVEL},
        components=tuple(components),
        unique=UNIQUE,
    )


ENTRIES = (
    _entry(
        "shift-share",
        "shift_share",
        formula=r"\Delta E_{ri} = E^0_{ri} G + E^0_{ri}(G_i - G) + E^0_{ri}(g_{ri} - G_i)",
        source="Dunn (1960); Esteban-Marquillas (1972)",
        components=_DUNN,
        parameters={"compare": COMPARE},
    ),
    _entry(
        "dynamic-shift-share",
        "dynamic",
        formula=r"\Delta E_{ri} = \sum_t \left[E^t_{ri} G^t + E^t_{ri}(G^t_i - G^t) + E^t_{ri}(g^t_{ri} - G^t_i)\right]",
        source="Barff & Knight (1988)",
        components=_DUNN,
        parameters={},
    ),
    _entry(
        "spatial-shift-share",
        "spatial",
        formula=r"\Delta E_{ri} = E^0_{ri} G + E^0_{ri}(\breve g_{ri} - G) + E^0_{ri}(g_{ri} - \breve g_{ri})",
        source="Nazara & Hewings (2004)",
        components=_SPATIAL,
        parameters={
            "weights": Parameter(None, help="neighbours: a table with columns region, other and value", table=True),
            "rate": Parameter("ratio", ("ratio", "mean"), "neighbours' growth: of their weighted sum, or the weighted mean of their rates"),
            "compare": COMPARE,
        },
    ),
)
