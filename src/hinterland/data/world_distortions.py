"""The signs of factor misallocation behind the absolute values of a simulated panel, on [N, T] arrays (cities × years)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hinterland.data.world_process import stream

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

_TURNS, _TRIED, _MOVES = 60, 300, 500
_FEWEST = 8
_CLOSE = 5e-4


@dataclass(frozen=True, slots=True)
class Distortions:
    """Relative distortions γ = 1/(1 + τ) of capital and labour, [N, T] each."""

    capital: Floats
    labour: Floats


def draw_distortions(
    seed: int,
    size: Mapping[str, Floats],
    law: Mapping[str, Any],
    *,
    free: Mapping[str, Flags],
    gdp: Floats,
    ratio: Floats,
    groups: NDArray[Any],
) -> Distortions:
    """Signs for the absolute distortions ``size`` (``capital``, ``labour`` → [N, T]), and the γ that follow.

    A sign is permanent. It is drawn: negative (over-allocated) with the law's probability, which moves with ``gdp`` [N], GDP per head in standard
    deviations, and only where the city is ``free`` to be so (→ [N]). Then single signs are turned until the regression of ln(Y/L) on ln(K/L) with
    effects of cities and years gives the law's elasticity in each of the ``groups`` [N]; ``ratio`` [T] is the nation's ln(K/L).
    """
    rng = stream(seed, "inputs signs")
    chosen = np.zeros(len(gdp), dtype=np.int64)
    for factor, bit in (("capital", 1), ("labour", 2)):
        rule = law[factor]
        odds = rule["negative"] / (1 - rule["negative"]) * np.exp(rule["gdp"] * gdp)
        chosen |= np.where((rng.random(len(gdp)) < odds / (1 + odds)) & free[factor], bit, 0)
    states = _states(size, free, ratio, law["elasticity"])
    chosen = turned(states, chosen, free["capital"] + 2 * free["labour"], groups)
    gamma = [1 / (1 + np.where(((chosen & bit) > 0)[:, None], -size[f], size[f])) for f, bit in (("capital", 1), ("labour", 2))]
    return Distortions(*gamma)


def _states(size: Mapping[str, Floats], free: Mapping[str, Flags], national: Floats, elasticity: float) -> Floats:
    """[4, N, T, 2] of x = ln(K/L) and e = ln(Y/L) - βx, the latter up to effects of years, in deviations from the city's mean.

    By the four pairs of signs (bit 0: capital is negative, bit 1: labour is).
    """
    logs = {f: [-np.log1p(tau), -np.log1p(np.where(free[f][:, None], -tau, tau))] for f, tau in size.items()}
    ratio = [logs["capital"][s & 1] - logs["labour"][s >> 1] for s in range(4)]
    made = [np.stack([x + national, -logs["labour"][s >> 1] - elasticity * x], axis=-1) for s, x in enumerate(ratio)]
    return np.stack([m - m.mean(axis=1, keepdims=True) for m in made])


def turned(states: Floats, chosen: Ints, free: Ints, groups: NDArray[Any]) -> Ints:
    """Signs [N] with which the slopes of the groups are near β: signs are turned, one or two at a time, those that bring them nearest.

    The slopes are those of a regression for each group, with effects of its cities and years, and of one regression with a slope for each group and
    common effects of years. ``states`` [4, N, T, 2] holds x and e of each city under each pair of signs, ``free`` [N] the bits
    that may be turned. Groups of fewer than eight cities stay as they are drawn.
    """
    members = [groups == g for g in np.unique(groups) if (groups == g).sum() >= _FEWEST]
    inside = np.any([np.zeros(len(groups), dtype=np.bool_), *members], axis=0)
    city, bit = (np.concatenate(m) for m in zip(*(_turnable(free, inside, b) for b in (1, 2)), strict=True))
    now, nearest = chosen.copy(), (np.inf, chosen)
    for _ in range(_TURNS if len(city) else 0):
        gaps, after = _gaps(states, now, members, city, bit)
        if (size := float(np.abs(gaps).max())) < nearest[0]:
            nearest = (size, now.copy())
        if size <= _CLOSE:
            break
        for move in _moves(gaps, after - gaps, city):
            now[city[move]] ^= bit[move]
    return nearest[1]


def _turnable(free: Ints, inside: Flags, bit: int) -> tuple[Ints, Ints]:
    """[M] cities whose bit may be turned, evenly spaced where there are many, and the bit."""
    found = np.flatnonzero(inside & ((free & bit) > 0))
    found = found[:: max(1, -(-len(found) // _MOVES))]
    return found, np.full(len(found), bit)


def _moves(gaps: Floats, change: Floats, city: Ints) -> list[int]:
    """Which of the M moves to make: one that at least halves the gaps [G], or else two whose changes [M, G] together come nearest to closing them."""
    left = ((gaps + change) ** 2).sum(axis=1)
    first = int(left.argmin())
    if left[first] < (gaps**2).sum() / 4:
        return [first]
    few = np.argsort((change**2).sum(axis=1), kind="stable")[:_TRIED]
    both = np.zeros((len(few), len(few)))
    for g, gap in enumerate(gaps):
        both += (gap + change[few, g][:, None] + change[few, g][None, :]) ** 2
    both[city[few][:, None] == city[few][None, :]] = np.inf
    a, b = np.unravel_index(int(both.argmin()), both.shape)
    return [int(few[a]), int(few[b])] if both[a, b] < left[first] else [first]


def _gaps(states: Floats, chosen: Ints, members: list[Flags], city: Ints, bit: Ints) -> tuple[Floats, Floats]:
    """[2G] how far the slopes of each group are from β (see :func:`_gap`), and [M, 2G] how far they would be with the bit of the city turned."""
    n = len(chosen)
    now, there = states[chosen, np.arange(n)], states[chosen[city] ^ bit, city]
    year, products = now[..., 1].mean(axis=0), _products(now)
    change, difference = there - now[city], _products(there) - products[:, city]
    years = year + change[..., 1] / n
    gaps, after = np.empty((len(members), 2)), np.empty((len(city), len(members), 2))
    for g, m in enumerate(members):
        size, product, total = int(m.sum()), products[:, m].sum(axis=1), now[m].sum(axis=0)
        gaps[g] = _gap(product, total, year, size, n)
        after[:, g] = _gap(product[:, None] + m[city] * difference, total + m[city][:, None, None] * change, years, size, n)
    return gaps.ravel(), after.reshape(len(city), -1)


def _products(values: Floats) -> Floats:
    """[2, N] of Σx² and Σxe over the years."""
    return np.stack([(values[..., 0] ** 2).sum(axis=-1), (values[..., 0] * values[..., 1]).sum(axis=-1)])


def _gap(products: Floats, total: Floats, year: Floats, size: int, n: int) -> Floats:
    """[…, 2] how far a group's slope is from β in a regression of its own, and what its mean path adds to that in the regression of all.

    Σ(x - x̄)(e - ē) over Σ(x - x̄)² with means x̄, ē of the group's years, and Σx̄(ē - ē of all cities) over Σx² less what the years' effects take.
    ``total`` […, T, 2] of x and e over the group, ``year`` […, T] the mean of e over all cities, ``size`` of the group's, ``n`` of all.
    """
    x, e = total[..., 0], total[..., 1] / size
    squares = (x**2).sum(axis=-1)
    own = (products[1] - (x * e).sum(axis=-1)) / (products[0] - squares / size)
    return np.stack([own, (x * (e - year)).sum(axis=-1) / (products[0] - squares / n)], axis=-1)
