"""Ellison–Glaeser index and pairwise co-agglomeration, from plants or from cells: adapters and entries."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from hinterland.errors import Finding, InputError, fail_if_any, listed
from hinterland.labels import Note
from hinterland.measure import plants
from hinterland.measure.data import Bools, Data, Floats
from hinterland.measure.entries.region_industry import CELL_KEYS, CELLS, INDUSTRY, REGION, SIZE, TIME, region_number
from hinterland.measure.indicator import Indicator, Parameter, Role
from hinterland.measure.localisation import regional_size
from hinterland.measure.result import Block, Measured, block, product_of

_VALUE = Role("value", "number", "employment of the plant, or of the cell", sign="non-negative")
_PLANTS = Role(
    "plants", "number", "how many plants the row stands for, all of its mean size (size classes)", required=False, sign="positive"
)
_SQUARES = Role(
    "squares", "number", "sum of the squares of the plants' employment, in rows that are cells", required=False, sign="non-negative"
)
_HERFINDAHL = Role(
    "herfindahl", "number", "Herfindahl index of the industry's plants, repeated in its rows", required=False, sign="positive"
)


def ellison_glaeser(data: Data) -> Measured:
    """γ, G and H per time and industry."""
    given = [r for r in ("plants", "squares", "herfindahl") if data.has(r)]
    if len(given) > 1:
        what = f"plants' sizes are described more than once: {listed(given)}"
        raise InputError(Finding("two-sizes", what, "arguments", "give one of them, or none if each row is a plant"), "ellison-glaeser")
    X, seen = _employment(data)
    h = _plant_herfindahl(data, X)
    size, industries = region_number(data, "size"), np.nansum(X, axis=1)
    found = plants.ellison_glaeser(X, h, _known(size))
    sized = regional_size(X, _known(size))
    reasons = {
        "missing-input": _none_known(seen),
        "zero-industry-total": industries == 0,
        "missing-herfindahl": ~np.isfinite(h),
        "one-sized-region": ((sized > 0).sum(axis=1) < 2)[:, None],
        "one-plant": h >= 1 - 1e-12,
    }
    parts = (("gamma", found.gamma, 5), ("raw-concentration", found.concentration, 2), ("plant-herfindahl", h, 3))
    blocks = [_block(data, v, seen, dict(list(reasons.items())[:n]), name) for name, v, n in parts]
    notes = (Note("size-classes"),) if data.has("plants") else ()
    return Measured(blocks, _one_plant(data, reasons["one-plant"]), notes, {"sizes": given[0] if given else "each row is a plant"})


def _one_plant(data: Data, alone: Bools) -> tuple[Finding, ...]:
    if not alone.any():
        return ()
    industries = listed(dict.fromkeys(data.labels("industry").gather(np.argwhere(alone)[:, 1])))
    what = f"industries have one plant, and no index: {industries}"
    return (Finding("one-plant", what, f"column {data.columns['industry']!r}", "nothing; or use a coarser classification", "warning"),)


def _known(size: Floats | None) -> Floats | None:
    """[T, R] sizes, which must be known for every region.

    Raises:
        InputError: a region without one.
    """
    if size is not None and np.isnan(size).any():
        what = f"{int(np.isnan(size).sum())} region(s) have no size"
        raise InputError(Finding("missing-region-size", what, "argument size", "give every region a size in every year"), "size")
    return size


def _sum(data: Data, number: Floats, *roles: str) -> Floats:
    """Sum of a number by row over cells; rows without one count as 0."""
    shape = tuple(len(data.labels(r)) for r in roles)
    flat = np.ravel_multi_index(tuple(data.codes(r) for r in roles), shape)
    return np.bincount(flat, weights=np.nan_to_num(number), minlength=int(np.prod(shape))).reshape(shape).astype(np.float64)


def _employment(data: Data) -> tuple[Floats, tuple[Floats, Floats]]:
    """[T, R, I] employment, 0 where there is no row, NaN where no row has a value; rows with one and all rows by time and industry."""
    value = data.number()
    known = np.isfinite(value).astype(np.float64)
    counts = (_sum(data, known, "time", "industry"), _sum(data, np.ones_like(known), "time", "industry"))
    unknown = (_sum(data, np.ones_like(known), *CELL_KEYS) > 0) & (_sum(data, known, *CELL_KEYS) == 0)
    return np.where(unknown, np.nan, _sum(data, value, *CELL_KEYS)), counts


def _none_known(seen: tuple[Floats, Floats]) -> Bools:
    """[T, I] industries with rows, none of which has a value: their total is not zero, but unknown."""
    return np.asarray((seen[0] == 0) & (seen[1] > 0))


def _plant_herfindahl(data: Data, X: Floats) -> Floats:
    """[T, I] Σ z² from the index given, from squares, from size classes, or from rows that are plants."""
    if data.has("herfindahl"):
        return _industry_number(data, "herfindahl")
    value = data.number()
    squares = data.number("squares") if data.has("squares") else value**2
    if data.has("plants"):
        squares = value**2 / data.number("plants")
    known = _sum(data, (np.isfinite(value) & ~np.isfinite(squares)).astype(np.float64), "time", "industry") == 0
    return np.where(known, plants.plant_herfindahl(np.nansum(X, axis=1), _sum(data, squares, "time", "industry")), np.nan)


def _industry_number(data: Data, role: str) -> Floats:
    """[T, I] a number that describes an industry. Raises where rows disagree, or are above 1."""
    at, number = (data.codes("time"), data.codes("industry")), data.number(role)
    out = np.full((len(data.labels("time")), len(data.labels("industry"))), np.nan)
    known = np.isfinite(number)
    out[at[0][known], at[1][known]] = number[known]
    differing, above = np.flatnonzero(known & (number != out[at])), np.flatnonzero(known & (number > 1))
    findings = [
        Finding(code, f"{data.columns[role]!r} {what}", data.where(rows, role), remedy)
        for rows, code, what, remedy in (
            (differing, "differs-within-industry", "differs between rows of one industry and year", "give each industry one figure a year"),
            (above, "out-of-range", "is above 1", "give the index as Σ z², not × 10 000"),
        )
        if len(rows)
    ]
    fail_if_any(findings, role, InputError)
    return out


def _block(data: Data, value: Floats, seen: tuple[Floats, Floats], reasons: dict[str, Any], component: str) -> Block:
    used, rows = (s.ravel() for s in seen)
    keys = product_of(("time", "industry"), (data.labels("time"), data.labels("industry")))
    coverage = np.divide(used, rows, out=np.zeros_like(used), where=rows > 0)
    flat = {k: np.broadcast_to(v, value.shape).ravel() for k, v in reasons.items()}
    return block(keys, value.ravel(), n_used=used, coverage=coverage, reasons=flat, component=component)


def coagglomeration(data: Data, *, weighting: plants.Weighting = "total") -> Measured:
    """One value per time and pair of industries, the first before the second."""
    X, seen = _employment(data)
    found = plants.pairwise_coagglomeration(X, _known(region_number(data, "size")), weighting)
    first, second = np.triu_indices(X.shape[2], 1)
    zero, none = np.asarray(np.nansum(X, axis=1) == 0), _none_known(seen)
    used, rows = (s[:, first] + s[:, second] for s in seen)
    times, industries = data.labels("time"), data.labels("industry")
    year = pl.Series("time", times.gather(np.repeat(np.arange(len(times)), len(first))))
    keys = {
        "time": year,
        "industry": industries.gather(np.tile(first, len(times))),
        "other_industry": industries.gather(np.tile(second, len(times))),
    }
    coverage = np.divide(used, rows, out=np.zeros_like(used), where=rows > 0)
    value = found[:, first, second].ravel()
    reasons = {
        "missing-input": (none[:, first] | none[:, second]).ravel(),
        "zero-industry-total": (zero[:, first] | zero[:, second]).ravel(),
        "no-common-region": np.isnan(value),
    }
    return Measured([block(keys, value, n_used=used.ravel(), coverage=coverage.ravel(), reasons=reasons)])


_HERE = "hinterland.measure.entries.plants"

ENTRIES = (
    Indicator(
        id="ellison-glaeser",
        family="agglomeration",
        unit="index",
        range=(None, None),
        formula=r"\gamma_i = \frac{G_i-(1-\sum_r x_r^2)H_i}{(1-\sum_r x_r^2)(1-H_i)},\quad G_i = \sum_r (g_{ri}-x_r)^2",
        source="Ellison & Glaeser (1997)",
        roles=(REGION, INDUSTRY, _VALUE, TIME, _PLANTS, _SQUARES, _HERFINDAHL, SIZE),
        keys=("time", "industry"),
        compute=f"{_HERE}:ellison_glaeser",
        components=("gamma", "raw-concentration", "plant-herfindahl"),
    ),
    Indicator(
        id="co-agglomeration",
        family="agglomeration",
        unit="index",
        range=(None, None),
        formula=r"\gamma^c_{ij} = \frac{\sum_r (g_{ri}-x_r)(g_{rj}-x_r)}{1-\sum_r x_r^2}",
        source="Ellison, Glaeser & Kerr (2010)",
        roles=(*CELLS, SIZE),
        keys=("time", "industry", "other_industry"),
        compute=f"{_HERE}:coagglomeration",
        parameters={
            "weighting": Parameter(
                "total", ("total", "mean-share"), help="x: the region's share of all employment, or the mean of its shares of industries"
            )
        },
    ),
)
