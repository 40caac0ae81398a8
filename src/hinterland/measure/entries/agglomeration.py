"""Agglomeration and specialisation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from hinterland.errors import Finding, InputError, fail_if_any, listed
from hinterland.measure import agglomeration
from hinterland.measure.data import Cube, Data
from hinterland.measure.entries import duranton_overman, localisation, plants, specialisation
from hinterland.measure.entries.region_industry import (
    CELL_KEYS,
    CELLS,
    REFERENCE,
    beside_all,
    column_block,
    fail_if_no_share,
    fail_if_not_whole,
    row_block,
    zero_margins,
)
from hinterland.measure.indicator import Indicator, Parameter
from hinterland.measure.result import Measured, dense
from hinterland.measure.second import Reference, reference_vector
from hinterland.measure.shares import nansum_or_nan, ratio

PRODUCER_SERVICES = ("G", "I", "J", "L", "M")
"""Sections of GB/T 4754-2017: transport and post; information; finance; leasing and business services; research and technical services."""
MANUFACTURING = ("C",)


def location_quotient(data: Data, *, reference: Reference = None) -> Measured:
    """One value per time, region and industry."""
    cube, national, quotient, findings = _quotients(data, reference)
    used, coverage = _row_and_column(cube)
    return Measured([dense(cube, quotient, n_used=used, coverage=coverage, reasons=_reasons(cube, national))], findings)


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


def symmetric_location_quotient(data: Data, *, reference: Reference = None) -> Measured:
    """One value per time, region and industry."""
    cube, national, quotient, findings = _quotients(data, reference)
    used, coverage = _row_and_column(cube)
    value = agglomeration.symmetric_location_quotient(quotient)
    return Measured([dense(cube, value, n_used=used, coverage=coverage, reasons=_reasons(cube, national))], findings)


def standardised_location_quotient(
    data: Data,
    *,
    reference: Reference = None,
    transform: agglomeration.Transform = "none",
    level: float = 0.95,
    draws: int = 999,
    seed: int = 0,
) -> Measured:
    """Standardised quotient and its one-sided normal p-value per time, region and industry; the bootstrapped cut-off per time and industry."""
    fail_if_not_whole({"draws": 1, "seed": 0}, {"draws": draws, "seed": seed})
    fail_if_no_share(level)
    cube, national, quotient, findings = _quotients(data, reference)
    used, coverage = _row_and_column(cube)
    z = agglomeration.standardised_location_quotient(quotient, transform)
    cutoff = agglomeration.bootstrap_cutoffs(z, level, draws, seed)
    zero = {"zero-quotient": (quotient == 0) & (transform == "log")}
    flat = {"flat-quotients": np.isfinite(quotient) & ~np.isfinite(z)}
    more: dict[str, Any] = {"n_used": used, "coverage": coverage, "reasons": {**_reasons(cube, national), **zero, **flat}}
    blocks = [
        dense(cube, z, component="standardised-quotient", **more),
        dense(cube, ndtr(-z), component="normal-p-value", **more),
        column_block(cube, cutoff, {"flat-quotients": ~np.isfinite(cutoff)}, component="cut-off"),
    ]
    return Measured(blocks, findings)


def _quotients(data: Data, reference: Reference) -> tuple[Cube, NDArray[np.float64] | None, NDArray[np.float64], tuple[Finding, ...]]:
    """Cells, national activity, location quotients, and what was found."""
    cube = data.cube("time", "region", "industry")
    national, findings = reference_vector(data, cube, reference)
    return cube, national, agglomeration.location_quotient(cube.values, national), (*findings, *zero_margins(cube, "region", "industry"))


def producer_services(
    data: Data, *, reference: Reference = None, services: Sequence[str] = PRODUCER_SERVICES, manufacturing: Sequence[str] = MANUFACTURING
) -> Measured:
    """C⁺, C and the two quotients per time and region."""
    cube = data.cube("time", "region", "industry")
    national, findings = reference_vector(data, cube, reference)
    sets = _industry_sets(cube, {"manufacturing": manufacturing, "services": services})
    nation = np.nansum(cube.values, axis=1) if national is None else national
    first, second = (_quotient_of(cube, nation, rows) for rows in sets)
    closeness, deepened = agglomeration.co_agglomeration(first, second)
    lacking = [~cube.observed[:, :, rows].any(axis=2) for rows in sets]
    nowhere = [nation[:, rows].sum(axis=1)[:, None] == 0 for rows in sets]
    together = {
        "missing-input": lacking[0] | lacking[1],
        "both-zero": (first == 0) & (second == 0),
        "zero-industry-total": nowhere[0] | nowhere[1],
    }
    parts = (
        ("closeness-and-depth", deepened, together),
        ("closeness", closeness, together),
        ("lq-manufacturing", first, {"missing-input": lacking[0], "zero-industry-total": nowhere[0]}),
        ("lq-services", second, {"missing-input": lacking[1], "zero-industry-total": nowhere[1]}),
    )
    coverage = beside_all(cube, 2)
    blocks = [row_block(cube, value, reasons, component=name, coverage=coverage) for name, value, reasons in parts]
    return Measured(blocks, (*findings, *zero_margins(cube, "region")))


def _quotient_of(cube: Cube, nation: NDArray[np.float64], rows: NDArray[np.bool_]) -> NDArray[np.float64]:
    """[T, R] location quotient of several industries taken together."""
    own = nansum_or_nan(cube.values[:, :, rows], 2)
    return ratio(ratio(own, np.nansum(cube.values, axis=2)), ratio(nation[:, rows].sum(axis=1), nation.sum(axis=1))[:, None])


def _industry_sets(cube: Cube, sets: Mapping[str, Sequence[str]]) -> list[NDArray[np.bool_]]:
    """[I] which industries are in each set.

    Raises:
        InputError: a set without any industry of the table, or industries in both.
    """
    labels = cube.labels[2].to_list()
    chosen = {name: {str(i) for i in ([codes] if isinstance(codes, str | int) else codes)} for name, codes in sets.items()}
    findings = []
    for name, codes in chosen.items():
        if not codes & set(labels):
            what = f"none of {listed(sorted(codes))} is an industry of the table"
            findings.append(Finding("unknown-industry", what, f"parameter {name}", f"name some of: {listed(labels, 12)}"))
    twice = set.intersection(*chosen.values())
    if twice:
        what = f"industries are in both sets: {listed(sorted(twice))}"
        findings.append(Finding("industry-in-both", what, f"parameters {' and '.join(chosen)}", "put each in one set"))
    fail_if_any(findings, "producer services", InputError)
    return [np.isin(np.array(labels, dtype=object), list(codes)) for codes in chosen.values()]


_HERE = "hinterland.measure.entries.agglomeration"

ENTRIES = (
    Indicator(
        id="location-quotient",
        family="agglomeration",
        unit="index",
        range=(0.0, None),
        formula=r"LQ_{ri} = \frac{X_{ri}/X_{r\cdot}}{X_{\cdot i}/X_{\cdot\cdot}}",
        source="Florence (1939); Balassa (1965)",
        roles=CELLS,
        keys=CELL_KEYS,
        compute=f"{_HERE}:location_quotient",
        parameters={"reference": REFERENCE},
        unique=CELL_KEYS,
    ),
    Indicator(
        id="symmetric-location-quotient",
        family="agglomeration",
        unit="index",
        range=(-1.0, 1.0),
        formula=r"SLQ_{ri} = \frac{LQ_{ri}-1}{LQ_{ri}+1}",
        source="Laursen (2015)",
        roles=CELLS,
        keys=CELL_KEYS,
        compute=f"{_HERE}:symmetric_location_quotient",
        parameters={"reference": REFERENCE},
        unique=CELL_KEYS,
    ),
    Indicator(
        id="standardised-location-quotient",
        family="agglomeration",
        unit="index",
        range=(None, None),
        formula=r"z_{ri} = \frac{LQ_{ri}-\overline{LQ}_i}{\mathrm{sd}_r(LQ_{ri})}",
        source="O'Donoghue & Gleave (2004); Tian (2013)",
        roles=CELLS,
        keys=CELL_KEYS,
        compute=f"{_HERE}:standardised_location_quotient",
        parameters={
            "reference": REFERENCE,
            "transform": Parameter("none", ("none", "log"), help="whether logarithms of the quotients are standardised"),
            "level": Parameter(0.95, help="quantile of the bootstrapped cut-off"),
            "draws": Parameter(999, help="resamples of the regions"),
            "seed": Parameter(0, help="of the resamples", low=0),
        },
        components=("standardised-quotient", "normal-p-value", "cut-off"),
        unique=CELL_KEYS,
    ),
    Indicator(
        id="producer-services-co-agglomeration",
        family="agglomeration",
        unit="index",
        range=(0.0, None),
        formula=r"C^+_r = 1-\frac{|LQ_m-LQ_s|}{LQ_m+LQ_s} + LQ_m+LQ_s",
        source="Yang (2013); Chen & Chen (2012)",
        roles=CELLS,
        keys=("time", "region"),
        compute=f"{_HERE}:producer_services",
        parameters={
            "reference": REFERENCE,
            "services": Parameter(
                PRODUCER_SERVICES, help="industries that are producer services: sections G, I, J, L, M of GB/T 4754-2017"
            ),
            "manufacturing": Parameter(MANUFACTURING, help="industries that are manufacturing: section C"),
        },
        components=("closeness-and-depth", "closeness", "lq-manufacturing", "lq-services"),
        unique=CELL_KEYS,
    ),
    *specialisation.ENTRIES,
    *localisation.ENTRIES,
    *plants.ENTRIES,
    *duranton_overman.ENTRIES,
)
