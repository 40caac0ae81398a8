"""The signs of factor misallocation behind the absolute values of a simulated panel, on [N, T] arrays (cities × years)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hinterland.data.world_process import stream

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

_FLIPS = 60
_FEWEST = 8
_CLOSE = 5e-4


@dataclass(frozen=True, slots=True)
class Distortions:
    """Relative distortions γ = 1/(1 + τ) of capital and labour, [N, T] each."""

    capital: Floats
    labour: Floats


def draw_distortions(
    seed: int, size: Mapping[str, Floats], law: Mapping[str, Any], *, gdp: Floats, growth: Floats, groups: NDArray[Any]
) -> Distortions:
    """Signs for the absolute distortions ``size`` (``capital``, ``labour`` → [N, T]), and the γ that follow.

    A sign is permanent. It is drawn: negative (over-allocated) with the law's probability, which moves with ``gdp`` [N], GDP per head in standard
    deviations; and always positive where |τ| is ever above ``at_most`` or, for capital, where the stock would ever shrink by more than
    it depreciates (``growth`` [N, T - 1] is that of the stock without distortions, K_t/K_t-1). Then the signs of single cities of each group [N] are turned until
    the regression of ln(Y/L) on ln(K/L) with effects of cities and years gives the law's elasticity.
    """
    rng = stream(seed, "inputs signs")
    negative, free = {}, {}
    for factor in ("capital", "labour"):
        rule, tau = law[factor], size[factor]
        odds = rule["negative"] / (1 - rule["negative"]) * np.exp(rule["gdp"] * gdp)
        free[factor] = tau.max(axis=1) <= rule["at_most"]
        if factor == "capital":
            free[factor] &= _never_shrinks(np.where(free[factor][:, None], tau, 0.0), growth, law["depreciation"])
        negative[factor] = (rng.random(len(gdp)) < odds / (1 + odds)) & free[factor]
    states = _states(size, free)
    chosen = negative["capital"] + 2 * negative["labour"]
    for group in np.unique(groups):
        member = np.flatnonzero(groups == group)
        chosen[member] = turned(states[:, member], chosen[member], free["capital"][member] + 2 * free["labour"][member], law["elasticity"])
    return Distortions(
        *(1 / (1 + np.where(((chosen & bit) > 0)[:, None], -size[f], size[f])) for f, bit in (("capital", 1), ("labour", 2)))
    )


def _never_shrinks(tau: Floats, growth: Floats, depreciation: float) -> Flags:
    """[N] whether the capital of a city with distortion -``tau`` never shrinks by more than nine tenths of what it loses to age."""
    change = (1 - tau[:, :-1]) / (1 - tau[:, 1:])
    return np.asarray((growth * change > 1 - 0.9 * depreciation).all(axis=1))


def _states(size: Mapping[str, Floats], free: Mapping[str, Flags]) -> Floats:
    """[4, N, T, 2] of ln(K/L) and ln(Y/L), in deviations from the city's mean, by the four pairs of signs (bit 0: capital, bit 1: labour)."""
    logs = {f: [-np.log1p(tau), -np.log1p(np.where(free[f][:, None], -tau, tau))] for f, tau in size.items()}
    made = [np.stack([logs["capital"][s & 1] - logs["labour"][s >> 1], -logs["labour"][s >> 1]], axis=-1) for s in range(4)]
    return np.stack([m - m.mean(axis=1, keepdims=True) for m in made])


def turned(states: Floats, chosen: NDArray[np.int64], free: NDArray[np.int64], target: float) -> NDArray[np.int64]:
    """Signs [n] with which the within-regression's slope is as near ``target`` as turning single signs, the best first, can bring it.

    ``states`` [4, n, T, 2] holds the regressor and the outcome of each city under each pair of signs, ``free`` [n] the bits that may be turned. Groups of
    fewer than eight cities stay as they are drawn.
    """
    n = len(chosen)
    if n < _FEWEST:
        return chosen
    chosen, cities = chosen.copy(), np.arange(n)
    products = np.stack([(states[..., 0] ** 2).sum(axis=2), (states[..., 0] * states[..., 1]).sum(axis=2)])
    for _ in range(_FLIPS):
        now = states[chosen, cities]
        total, mean = products[:, chosen, cities].sum(axis=1), now.mean(axis=0)
        if abs(_slope(total, mean, n) - target) < _CLOSE:
            break
        best = (abs(_slope(total, mean, n) - target), -1, 0)
        for bit in (1, 2):
            other = chosen ^ bit
            after = total[:, None] + products[:, other, cities] - products[:, chosen, cities]
            gap = np.where(free & bit, np.abs(_slope(after, mean + (states[other, cities] - now) / n, n) - target), np.inf)
            best = min(best, (float(gap.min()), int(gap.argmin()), bit))
        if best[1] < 0:
            break
        chosen[best[1]] ^= best[2]
    return chosen


def _slope(products: Floats, mean: Floats, n: int) -> Any:
    """Slope from Σx², Σxy [2, …] of deviations from cities' means, and the means over cities […, T, 2], which are the years' effects."""
    x, y = mean[..., 0], mean[..., 1]
    return (products[1] - n * (x * y).sum(axis=-1)) / (products[0] - n * (x**2).sum(axis=-1))
