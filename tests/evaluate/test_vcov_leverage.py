"""CR2, CR3, HC2 and HC3 against the definitions, computed with dense dummies."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

from hinterland.evaluate.coding import Factor
from hinterland.evaluate.hdfe import residualise
from hinterland.evaluate.vcov import Moments
from hinterland.evaluate.vcov_leverage import adjusted_scores, projection_of, row_leverage

Array = Any
Make = Callable[..., Any]


@dataclass(frozen=True)
class Dense:
    """The regression on dummies: rows scaled by the roots of the weights."""

    moments: Moments
    full: Array
    residual: Array
    k: int


def _dummies(factor: Factor) -> Array:
    out = (factor.codes[:, None] == np.arange(factor.size)).astype(float)
    return out if factor.slope is None else out * factor.slope[:, None]


def _regression(
    seed: int = 0, *, weighted: bool = False, slope: bool = False, gaps: bool = False, extra: bool = False, once: bool = False
) -> Dense:
    rng = np.random.default_rng(seed)
    units, periods = 18, 6
    unit, period = np.repeat(np.arange(units), periods), np.tile(np.arange(periods), units)
    keep = rng.uniform(size=len(unit)) > (0.2 if gaps else -1)
    unit, period = unit[keep].astype(np.int32), period[keep].astype(np.int32)
    n = len(unit)
    x = np.column_stack([(unit % 3 == 0) & (period >= 3), rng.normal(size=n)]).astype(float)
    if once:
        x[:, 0] = (unit % 3 == 0) & (period == 3)
    y = rng.normal(size=n) + x[:, 0] + rng.normal(size=units)[unit]
    weights = rng.uniform(0.5, 2, n) if weighted else None
    factors = [Factor("unit", unit, units), Factor("year", period, periods)]
    if slope:
        factors.append(Factor("unit[t]", unit, units, None, period.astype(float)))
    if extra:
        factors.append(Factor("region^year", (unit % 3 * periods + period).astype(np.int32), 3 * periods))
        x = x[:, 1:]
    inside = residualise(np.column_stack([x, y]), factors, weights)
    x_in, y_in = inside[:, :-1], inside[:, -1]
    w = np.ones(n) if weights is None else weights
    bread = np.linalg.inv(x_in.T @ (w[:, None] * x_in))
    e = y_in - x_in @ (bread @ (x_in.T @ (w * y_in)))
    full = np.sqrt(w)[:, None] * np.hstack([x, *(_dummies(f) for f in factors)])
    moments = Moments(x_in, e * w, bread, tuple(factors), None, None, weights)
    return Dense(moments, full, np.sqrt(w) * e, x.shape[1])


def _power(matrix: Array, power: float) -> Array:
    values, vectors = np.linalg.eigh(matrix)
    alive = values > 1e-9
    return (vectors * np.where(alive, np.where(alive, values, 1) ** -power, 0)) @ vectors.T


def _definition(case: Dense, codes: Array, power: float) -> tuple[Array, Array, Array]:
    """Scores [G, k], Satterthwaite degrees of freedom [k], and the leverage of the clusters, from M [n, n]."""
    bread = np.linalg.pinv(case.full.T @ case.full)
    hat = case.full @ bread @ case.full.T
    maker = np.eye(len(hat)) - hat
    rows = [np.flatnonzero(codes == g) for g in range(codes.max() + 1)]
    by_row = case.full @ bread[:, : case.k]
    p = [_power(maker[np.ix_(r, r)], power) @ by_row[r] for r in rows]
    scores = np.array([v.T @ case.residual[r] for v, r in zip(p, rows, strict=True)])
    df = np.empty(case.k)
    for j in range(case.k):
        big = np.column_stack([maker[:, r] @ v[:, j] for v, r in zip(p, rows, strict=True)])
        gram = big.T @ big
        df[j] = np.trace(gram) ** 2 / (gram**2).sum()
    return scores, df, np.array([np.trace(hat[np.ix_(r, r)]) for r in rows])


CASES: Mapping[str, dict[str, bool]] = {
    "plain": {},
    "weights": {"weighted": True},
    "gaps": {"gaps": True},
    "trends": {"slope": True, "gaps": True},
    "region by year": {"extra": True, "weighted": True},
    "a regressor of one year": {"once": True, "gaps": True, "weighted": True},
}


def _groups(case: Dense, grouping: str) -> Factor:
    unit, year = case.moments.factors[0], case.moments.factors[1]
    codes = {
        "unit": unit.codes,
        "region": (unit.codes % 4) * (unit.codes % 4 < 3),
        "year": year.codes,
        "block": (year.codes // 2 + 3 * (unit.codes % 2)).astype(np.int32),
    }[grouping]
    return Factor(grouping, codes.astype(np.int32), int(codes.max()) + 1)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("grouping", ["unit", "region", "year", "block"])
@pytest.mark.parametrize("power", [0.5, 1.0])
def test_scores_and_degrees_of_freedom_are_those_of_the_definition(name: str, grouping: str, power: float) -> None:
    case = _regression(**CASES[name])
    cluster = _groups(case, grouping)
    ours = adjusted_scores(projection_of(case.moments), cluster, power)
    scores, df, leverage = _definition(case, cluster.codes, power)
    assert_allclose(ours.scores, scores, atol=1e-10)
    assert ours.lost.any() == (name == "a regressor of one year" and grouping == "year")
    if power == 1.0:
        assert ours.df is None
    else:
        assert_allclose(ours.df, df, rtol=1e-7)
    nested = 0.0
    if grouping in ("unit", "region"):
        unit = case.moments.factors[0].codes
        slopes = int(any(f.slope is not None for f in case.moments.factors))
        nested = np.array([(1 + slopes) * len(np.unique(unit[cluster.codes == g])) for g in range(cluster.size)])
    assert_allclose(ours.leverage, leverage - nested, atol=1e-9)


@pytest.mark.parametrize("name", CASES)
def test_leverage_of_rows(name: str) -> None:
    case = _regression(**CASES[name])
    hat = case.full @ np.linalg.pinv(case.full.T @ case.full) @ case.full.T
    assert_allclose(row_leverage(projection_of(case.moments)), np.diag(hat), atol=1e-10)
