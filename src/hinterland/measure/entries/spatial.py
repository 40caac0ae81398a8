"""Spatial dependence: what each indicator reads, and how its rows are made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from hinterland.errors import Finding, InputError
from hinterland.measure.data import Cube, Data, Floats
from hinterland.measure.entries.markov import fail_if_not_count
from hinterland.measure.indicator import Indicator, Parameter, Role
from hinterland.measure.lisa import LocalMoran, false_discovery, local_moran
from hinterland.measure.moran import Autocorrelation, Draws, flat, geary, moran, weight_moments
from hinterland.measure.neighbour_choice import PARAMETERS, Choice, neighbours_of, weights_of
from hinterland.measure.result import Block, Measured, dense
from hinterland.measure.weights import among
from hinterland.measure.weights import islands as alone

_ROLES = (Role("region", "key", "region"), Role("value", "number", "any number"), Role("time", "time", "year", required=False))
_TESTS = {
    "draws": Parameter(999, help="permutations; 0 for none"),
    "seed": Parameter(0, help="of the permutations, the same in every year", low=0),
    "alternative": Parameter(
        "two-sided", ("two-sided", "greater", "less", "directed"), "of the permutation p-value; esda's p_sim is directed, half as large"
    ),
}
_STYLE = Parameter("row", ("row", "binary"), "weights of a region's neighbours: alike and adding up to one, or one each")
_HERE = "hinterland.measure.entries.spatial"
_GLOBAL = {
    "expected-value": "expected",
    "randomisation-variance": "variance",
    "normal-statistic": "statistic",
    "normal-p": "p_value",
    "permutation-p": "p_permutation",
}
_TOGETHER = 5
"""More regions than these at the smallest p-value is too much to ask before one of them counts."""
_LOCAL = ("local-moran-i", "spatial-lag", "lisa-quadrant", "lisa-p", "lisa-q", "lisa-cluster")
Statistic = Callable[..., Autocorrelation]


def moran_index(data: Data, **options: Any) -> Measured:
    """Moran's I by year."""
    return _global(data, moran, "moran-i", **options)


def geary_index(data: Data, **options: Any) -> Measured:
    """Geary's C by year."""
    return _global(data, geary, "geary-c", **options)


def _global(data: Data, statistic: Statistic, name: str, *, draws: int, seed: int, alternative: Any, style: str, **chosen: Any) -> Measured:
    fail_if_not_count(draws, "draws")
    cube = data.cube("time", "region")
    found, findings = neighbours_of(cube.labels[1], Choice(**chosen))
    whole = weights_of(found, style)
    moments = weight_moments(whole)
    results = []
    for y in cube.values:
        seen = np.isfinite(y)
        inner = whole if seen.all() else weights_of(among(found, seen), style)
        results.append(statistic(y[seen], inner, Draws(draws, seed, alternative), moments if seen.all() else None))
    return Measured([_global_rows(cube, k, results, draws) for k in _global_names(name)], findings)


def _global_names(name: str) -> tuple[str, ...]:
    return (name, *_GLOBAL)


def _global_rows(cube: Cube, component: str, results: list[Autocorrelation], draws: int) -> Block:
    got = np.array([getattr(r, _GLOBAL.get(component, "value")) for r in results])
    used = np.array([r.n_obs for r in results])
    reasons = {
        "suppressed-input": (used == 0) & cube.suppressed.any(axis=1),
        "missing-input": used == 0,
        "too-few": (used < 2) | ((used < 4) & (component in ("randomisation-variance", "normal-statistic", "normal-p"))),
        "no-variation": np.array([flat(y[np.isfinite(y)]) for y in cube.values]),
        "no-neighbours": np.array([np.isnan(r.value) for r in results]),
        "no-draws": np.full(len(used), component == "permutation-p" and draws == 0),
    }
    return dense(cube, got, n_used=used, coverage=used / cube.values.shape[1], reasons=reasons, component=component, dims=("time",))


def local(data: Data, *, alpha: float, adjust: str, engine: str, draws: int, seed: int, alternative: Any, **chosen: Any) -> Measured:
    """Local Moran by year and region, with clusters that survive the adjustment for many tests."""
    fail_if_not_count(draws, "draws")
    if isinstance(alpha, bool) or not isinstance(alpha, int | float) or not 0 < alpha < 1:
        raise InputError(Finding("out-of-range", f"alpha is {alpha!r}", "parameter alpha", "give a number between 0 and 1"), "arguments")
    cube = data.cube("time", "region")
    found, findings = neighbours_of(cube.labels[1], Choice(**chosen))
    rows = {k: np.full(cube.values.shape, np.nan) for k in _LOCAL}
    lonely, constant = np.zeros(cube.values.shape, dtype=bool), np.zeros(cube.values.shape, dtype=bool)
    for t, y in enumerate(cube.values):
        seen = np.isfinite(y)
        inner = weights_of(among(found, seen))
        got = local_moran(y[seen], inner, Draws(draws, seed, alternative), engine)
        lonely[t, seen], constant[t, seen] = alone(inner), flat(y[seen])
        for name, value in _local_values(got, alpha, adjust).items():
            rows[name][t, seen] = value
    reasons = {"suppressed-input": cube.suppressed, "missing-input": ~cube.observed, "no-variation": constant, "no-neighbours": lonely}
    few = _few_draws(draws, alternative, alpha, int(cube.observed.sum(axis=1).max())) if adjust == "fdr" else ()
    return Measured([_local_rows(cube, k, v, reasons, draws) for k, v in rows.items()], (*findings, *few))


def _few_draws(draws: int, alternative: str, alpha: float, tests: int) -> tuple[Finding, ...]:
    """With few draws no single region can survive the adjustment: the smallest p-value is too large for so many tests."""
    least = (2 if alternative == "two-sided" else 1) / (draws + 1)
    together = int(np.ceil(least * tests / alpha))
    if draws == 0 or together <= _TOGETHER:
        return ()
    what = f"with {draws} permutations the smallest p-value is {least:g}: of {tests} regions at least {together} must reach it before one counts at {alpha:g}"
    return (
        Finding(
            "few-permutations",
            what,
            "parameter draws",
            f"pass draws={int(np.ceil(least * (draws + 1) * tests / alpha / _TOGETHER))} or more",
            "warning",
        ),
    )


def _local_rows(cube: Cube, component: str, value: Floats, reasons: Mapping[str, Any], draws: int) -> Block:
    used = cube.observed.sum(axis=1, keepdims=True)
    tested = {"no-draws": np.full(value.shape, draws == 0)} if component in ("lisa-p", "lisa-q", "lisa-cluster") else {}
    coverage = used / value.shape[1]
    return dense(cube, value, n_used=used, coverage=coverage, reasons={**reasons, **tested}, component=component)


def _local_values(got: LocalMoran, alpha: float, adjust: str) -> dict[str, Floats]:
    q = false_discovery(got.p_value) if adjust == "fdr" else got.p_value
    return {
        "local-moran-i": got.value,
        "spatial-lag": got.lag,
        "lisa-quadrant": got.quadrant.astype(float),
        "lisa-p": got.p_value,
        "lisa-q": q,
        "lisa-cluster": np.where(q <= alpha, got.quadrant, 0).astype(float),
    }


def _entry(name: str, compute: str, formula: str, source: str, **more: Any) -> Indicator:
    given = {"range": (None, None), "keys": ("time",)} | more
    return Indicator(
        id=name,
        family="spatial",
        unit="index",
        formula=formula,
        source=source,
        roles=_ROLES,
        compute=f"{_HERE}:{compute}",
        unique=("time", "region"),
        **given,
    )


ENTRIES = (
    _entry(
        "moran",
        "moran_index",
        r"I = \frac{n}{S_0}\frac{z'Wz}{z'z}",
        "Moran (1950); Cliff and Ord (1981)",
        parameters={**_TESTS, "style": _STYLE, **PARAMETERS},
        components=_global_names("moran-i"),
    ),
    _entry(
        "geary",
        "geary_index",
        r"C = \frac{n-1}{2S_0}\frac{\sum_{ij} w_{ij}(y_i-y_j)^2}{z'z}",
        "Geary (1954); Cliff and Ord (1981)",
        parameters={**_TESTS, "style": _STYLE, **PARAMETERS},
        components=_global_names("geary-c"),
    ),
    _entry(
        "local-moran",
        "local",
        r"I_i = (n-1)\frac{z_i\sum_j w_{ij}z_j}{z'z}",
        "Anselin (1995), scaled by n-1; Caldas de Castro and Singer (2006)",
        keys=("time", "region"),
        parameters={
            **_TESTS,
            "draws": Parameter(9999, help="conditional permutations; 0 for none; the adjustment for many tests needs many"),
            "alpha": Parameter(0.05, help="rate of false discoveries at which a cluster counts"),
            "adjust": Parameter("fdr", ("fdr", "none"), "for many tests: Benjamini and Hochberg, or not at all"),
            "engine": Parameter("own", ("own", "esda"), "whose conditional permutations: esda needs the extra spatial"),
            **PARAMETERS,
        },
        components=_LOCAL,
    ),
)
