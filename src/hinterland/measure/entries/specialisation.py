"""Specialisation and diversity of regions: adapters and entries."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import polars as pl

from hinterland.errors import Finding, InputError
from hinterland.measure import specialisation
from hinterland.measure.data import Cube, Data
from hinterland.measure.entries.region_industry import (
    CELL_KEYS,
    CELLS,
    GIVEN,
    INDUSTRY,
    REFERENCE,
    REGION,
    TIME,
    VALUE,
    Floats,
    beside_all,
    column_block,
    fail_if_shares_do_not_sum,
    row_block,
    zero_margins,
)
from hinterland.measure.indicator import Indicator, Parameter, Role
from hinterland.measure.result import Block, Measured, block
from hinterland.measure.second import Reference, reference_vector
from hinterland.measure.variety import variety as variety_of

Given = Literal["levels", "shares"]


def _regions(data: Data, given: Given) -> Cube:
    cube = data.cube("time", "region", "industry")
    fail_if_shares_do_not_sum(cube, given)
    return cube


def herfindahl_specialisation(data: Data, *, normalised: bool = False, given: Given = "levels") -> Measured:
    """One value per time and region."""
    cube = _regions(data, given)
    value = specialisation.herfindahl(cube.values, normalised=normalised)
    alone = {"one-cell": (cube.observed.sum(axis=2) == 1) & normalised}
    return Measured([row_block(cube, value, alone)], zero_margins(cube, "region"))


def herfindahl_concentration(data: Data, *, normalised: bool = False, given: Given = "levels") -> Measured:
    """One value per time and industry."""
    cube = data.cube("time", "region", "industry")
    fail_if_shares_do_not_sum(cube, given, axis=1)
    value = specialisation.herfindahl(cube.values, -2, normalised=normalised)
    alone = {"one-cell": (cube.observed.sum(axis=1) == 1) & normalised}
    return Measured([column_block(cube, value, alone)], zero_margins(cube, "industry"))


def entropy(data: Data, *, base: float | None = None, given: Given = "levels") -> Measured:
    """One value per time and region."""
    cube = _regions(data, given)
    return Measured([row_block(cube, specialisation.entropy(cube.values, _base(base)))], zero_margins(cube, "region"))


def jacobs(data: Data, *, given: Given = "levels") -> Measured:
    """One value per time and region."""
    cube = _regions(data, given)
    return Measured([row_block(cube, specialisation.jacobs_diversity(cube.values))], zero_margins(cube, "region"))


def krugman(data: Data, *, versus: specialisation.Versus = "nation", reference: Reference = None, given: Given = "levels") -> Measured:
    """One value per time and region."""
    _fail_if_shares_lack_nation(reference, given, versus)
    cube = _regions(data, given)
    national, findings = reference_vector(data, cube, reference)
    if versus == "rest" and national is not None:
        _fail_if_above_nation(cube, national)
    value = specialisation.krugman(cube.values, national, versus)
    alone = {
        "no-other-region": (specialisation.national_total(cube.values, national).sum(axis=1)[:, None] == np.nansum(cube.values, axis=2))
    }
    reasons = alone if versus == "rest" else None
    return Measured([row_block(cube, value, reasons, coverage=_coverage(cube, national))], (*findings, *zero_margins(cube, "region")))


def relative_diversity(data: Data, *, reference: Reference = None, given: Given = "levels") -> Measured:
    """One value per time and region."""
    _fail_if_shares_lack_nation(reference, given, "nation")
    cube = _regions(data, given)
    national, findings = reference_vector(data, cube, reference)
    value = specialisation.relative_diversity(cube.values, national)
    same = {"same-structure": ~np.isfinite(value) & np.isfinite(specialisation.krugman(cube.values, national))}
    return Measured([row_block(cube, value, same, coverage=_coverage(cube, national))], (*findings, *zero_margins(cube, "region")))


def krugman_pairs(data: Data, *, given: Given = "levels") -> Measured:
    """One value per time and pair of regions, the first before the second."""
    cube = _regions(data, given)
    value, seen = specialisation.krugman_pairs(cube.values), cube.observed.astype(np.float64)
    first, second = np.triu_indices(seen.shape[1], 1)
    shared = (seen @ np.swapaxes(seen, 1, 2))[:, first, second]
    zero = np.nansum(cube.values, axis=2) == 0
    reasons = {"missing-input": shared == 0, "zero-region-total": zero[:, first] | zero[:, second], "no-common-industry": np.isnan(value)}
    blocks = [_pairs(cube, t, (first, second), (value[t], shared[t]), {k: v[t] for k, v in reasons.items()}) for t in range(len(value))]
    return Measured(blocks, zero_margins(cube, "region"))


def _pairs(cube: Cube, t: int, pairs: tuple[Any, Any], numbers: tuple[Floats, Floats], reasons: dict[str, Any]) -> Block:
    value, shared = numbers
    times, regions = cube.labels[0], cube.labels[1]
    year = pl.Series("time", times.gather(np.full(len(value), t)))
    keys = {"time": year, "region": regions.gather(pairs[0]), "other": regions.gather(pairs[1])}
    return block(keys, value, n_used=shared, coverage=shared / cube.values.shape[2], reasons=reasons)


def variety(data: Data, *, digits: int = 2, base: float = 2.0, given: Given = "levels") -> Measured:
    """Unrelated, related and total variety per time and region."""
    cube = _regions(data, given)
    found = variety_of(cube.values, _groups(data, cube, digits), _base(base) or np.e)
    parts = {"related-variety": found.related, "unrelated-variety": found.unrelated, "total-variety": found.total}
    return Measured([row_block(cube, v, component=k) for k, v in parts.items()], zero_margins(cube, "region"))


def _groups(data: Data, cube: Cube, digits: int) -> Any:
    """[I] number of each industry's group: from column ``group``, else from the first digits of its code.

    Raises:
        InputError: an industry in two groups, or codes too short.
    """
    industries = cube.labels[2]
    if data.has("group"):
        table = data.frame.select("industry", "group").unique().sort("industry", "group")
        double = table.filter(table["industry"].is_duplicated())
        if double.height:
            what = "; ".join(f"industry {i} is in group {g}" for i, g in double.head(6).iter_rows())
            raise InputError(Finding("two-groups", what, f"column {data.columns['group']!r}", "give each industry one group"), "variety")
        names = table["group"]
    else:
        names = _prefixes(industries, digits)
    return names.rank("dense").to_numpy().astype(np.int64) - 1


def _prefixes(industries: pl.Series, digits: int) -> pl.Series:
    short = [i for i in industries if len(i) <= digits]
    if isinstance(digits, bool) or not isinstance(digits, int) or digits < 1:
        raise InputError(
            Finding("out-of-range", f"digits is {digits!r}", "parameter digits", "give a number of leading characters"), "variety"
        )
    if short:
        what = f"industry codes have no more than {digits} characters: {', '.join(short[:5])}"
        raise InputError(Finding("code-too-short", what, "column of industry", "name a column as group, or give longer codes"), "variety")
    return industries.str.slice(0, digits)


def _base(base: float | None) -> float | None:
    """Raises where ``base`` is no base of logarithms."""
    if base is not None and (isinstance(base, bool) or not isinstance(base, int | float) or not base > 1):
        raise InputError(Finding("out-of-range", f"base is {base!r}", "parameter base", "give a number above 1, such as 2"), "entropy")
    return base


def _coverage(cube: Cube, national: Floats | None) -> Floats:
    return np.asarray(beside_all(cube, 2) if national is None else cube.observed.mean(axis=2), dtype=np.float64)


def _fail_if_shares_lack_nation(reference: Reference, given: Given, versus: str) -> None:
    if given == "shares" and (reference is None or versus == "rest"):
        what = "regions are given as shares, which do not add up to a nation"
        remedy = "give the national shares as reference, with versus='nation'; or give amounts"
        raise InputError(Finding("shares-need-reference", what, "parameter reference", remedy), "shares")


def _fail_if_above_nation(cube: Cube, national: Floats) -> None:
    above = np.argwhere(np.nan_to_num(cube.values) > national[:, None, :] * (1 + 1e-9))
    if len(above):
        cells = [f"region {cube.labels[1][int(r)]}, industry {cube.labels[2][int(i)]}" for _, r, i in above[:6]]
        what = f"{len(above)} cell(s) are larger than the nation, and nothing is left for the rest"
        remedy = "give national figures that include the regions, in the same unit"
        raise InputError(Finding("reference-below-region", what, "; ".join(cells), remedy), "parameter reference")


_HERE = "hinterland.measure.entries.specialisation"
_NORMALISED = Parameter(default=False, values=(False, True), help="whether (H − 1/n) / (1 − 1/n) is given")
_BASE = Parameter(None, help="of the logarithm: natural by default")
_ROWS: dict[str, Any] = {"family": "agglomeration", "unit": "index", "roles": CELLS, "keys": ("time", "region"), "unique": CELL_KEYS}

ENTRIES = (
    Indicator(
        id="herfindahl-specialisation",
        range=(0.0, 1.0),
        formula=r"H_r = \sum_i s_{ri}^2",
        source="Herfindahl (1950)",
        compute=f"{_HERE}:herfindahl_specialisation",
        parameters={"normalised": _NORMALISED, "given": GIVEN},
        **_ROWS,
    ),
    Indicator(
        id="herfindahl-concentration",
        range=(0.0, 1.0),
        formula=r"H_i = \sum_r g_{ri}^2",
        source="Herfindahl (1950)",
        compute=f"{_HERE}:herfindahl_concentration",
        parameters={"normalised": _NORMALISED, "given": GIVEN},
        **(_ROWS | {"keys": ("time", "industry")}),
    ),
    Indicator(
        id="krugman-specialisation",
        range=(0.0, 2.0),
        formula=r"K_r = \sum_i |s_{ri}-m_i|",
        source="Krugman (1991)",
        compute=f"{_HERE}:krugman",
        parameters={
            "versus": Parameter("nation", ("nation", "rest"), help="what the region is set beside: the nation, or the nation without it"),
            "reference": REFERENCE,
            "given": GIVEN,
        },
        **_ROWS,
    ),
    Indicator(
        id="krugman-dissimilarity",
        range=(0.0, 2.0),
        formula=r"K_{rq} = \sum_i |s_{ri}-s_{qi}|",
        source="Krugman (1991)",
        compute=f"{_HERE}:krugman_pairs",
        parameters={"given": GIVEN},
        **(_ROWS | {"keys": ("time", "region", "other")}),
    ),
    Indicator(
        id="industrial-entropy",
        range=(0.0, None),
        formula=r"E_r = -\sum_i s_{ri}\ln s_{ri}",
        source="Shannon (1948); Attaran (1986)",
        compute=f"{_HERE}:entropy",
        parameters={"base": _BASE, "given": GIVEN},
        **_ROWS,
    ),
    Indicator(
        id="relative-diversity",
        range=(0.0, None),
        formula=r"RDI_r = 1/\sum_i |s_{ri}-m_i|",
        source="Duranton & Puga (2000)",
        compute=f"{_HERE}:relative_diversity",
        parameters={"reference": REFERENCE, "given": GIVEN},
        **_ROWS,
    ),
    Indicator(
        id="jacobs-diversity",
        range=(1.0, None),
        formula=r"D_r = 1/\sum_i s_{ri}^2",
        source="Jacobs (1969); Henderson, Kuncoro & Turner (1995)",
        compute=f"{_HERE}:jacobs",
        parameters={"given": GIVEN},
        **_ROWS,
    ),
    Indicator(
        id="variety",
        range=(0.0, None),
        formula=r"RV_r = \sum_G P_G \sum_{i\in G}\frac{p_i}{P_G}\log_2\frac{P_G}{p_i},\quad UV_r = \sum_G P_G\log_2\frac{1}{P_G}",
        source="Frenken, Van Oort & Verburg (2007)",
        compute=f"{_HERE}:variety",
        parameters={
            "digits": Parameter(2, help="leading characters of the industry code that make its group, where no column of groups is named"),
            "base": Parameter(2.0, help="of the logarithm: bits by default"),
            "given": GIVEN,
        },
        components=("related-variety", "unrelated-variety", "total-variety"),
        **(_ROWS | {"roles": (REGION, INDUSTRY, VALUE, TIME, Role("group", "key", "group of the industry", required=False))}),
    ),
)
