"""Redistribution of industries between regions, and the gradient that it follows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from hinterland.labels import Note
from hinterland.measure import redistribution
from hinterland.measure.data import Cube, Data
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
    return cell_changes(data, compare, redistribution.share_change, without=("zero-region-total",))


def absolute_transfer(data: Data, *, compare: Compare = "first-last") -> Measured:
    """One value per pair of years, region and industry."""
    return cell_changes(data, compare, redistribution.absolute_transfer, without=("no-industry-end", "zero-region-total"))


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
    number = np.stack(values)
    nothing = (cube.values == 0) & (name == "log-gradient")
    reasons = {"missing-input": ~known_, "zero-value": nothing, "zero-denominator": ~np.isfinite(number)}
    return dense(cube, number, n_used=used, coverage=used / known_.shape[1], reasons=reasons, component=name)


_GRADIENT = {
    "gradient": "coefficient",
    "log-gradient": "log_coefficient",
    "gradient-quotient": "quotient",
    "comparative-labour-productivity": "labour",
}
_IMPROVED = {"improved-gradient": "improved", "comparative-capital-return": "capital"}
_FACTORS = (
    Role("region", "key", "region"),
    Role("industry", "key", "industry, on one classification"),
    Role("output", "number", "value added", sign="non-negative"),
    Role("labour", "number", "employment", sign="non-negative"),
    Role("capital", "number", "capital stock", required=False, sign="non-negative"),
    Role("time", "time", "year", required=False),
)
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
            "units": {"log-gradient": "log"},
        },
    ),
)
