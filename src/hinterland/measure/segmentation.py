"""Market segmentation as the variance of relative price changes over goods, pair by pair and region by region.

Parsley & Wei (1996, Quarterly Journal of Economics 111(4); 2001, Journal of International Economics 55(1)); Gui, Chen, Lu & Chen (2006); Lu & Chen
(2009). For neighbouring regions p, q, good k and period t, with chain indices R (previous period = 100):

    a_pqkt = |ln(R_pkt / R_qkt)|,    q_pqkt = a_pqkt − mean over pairs of a_pqkt,    V_pqt = Var_k(q_pqkt),    Seg_pt = Σ_q w_pq V_pqt / Σ_q w_pq.

The chain index is the ratio of two price levels already, so nothing more is differenced; the absolute value comes before the mean over pairs is
removed, so that the order of a pair does not matter.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Strings = NDArray[np.str_]
Basket = Literal["balanced", "unbalanced"]

LEAST_GOODS = 3
LEAST_PAIRS = 3
"""With one pair q is zero, with two it is the same number with opposite signs; with two goods a variance has one degree of freedom."""
LEAST_COMMON_GOODS = 5
"""Goods that a pair must share in an unbalanced basket."""
ZERO = 1e-24
"""A variance below this, of prices that differ by less than 1e-12 of themselves, is rounding."""
BLOCK = 2_000_000
"""Pairs × goods × periods worked through at a time."""


@dataclass(frozen=True, slots=True)
class Pairs:
    """E unordered pairs of regions: positions ``a`` [E] and ``b`` [E], and the ``weight`` [E] of each in its regions' means."""

    a: Ints
    b: Ints
    weight: Floats

    @classmethod
    def of(cls, a: Ints, b: Ints) -> Pairs:
        """Pairs of equal weight, whichever way round and however often they are listed."""
        both = np.unique(np.column_stack([np.minimum(a, b), np.maximum(a, b)])[a != b].reshape(-1, 2), axis=0)
        return cls(both[:, 0], both[:, 1], np.ones(len(both)))

    @classmethod
    def every(cls, count: int) -> Pairs:
        """All pairs of ``count`` regions, of equal weight."""
        a, b = np.triu_indices(count, 1)
        return cls(a.astype(np.int64), b.astype(np.int64), np.ones(len(a)))

    @classmethod
    def by_distance(cls, distance: Floats) -> Pairs:
        """All pairs with a known distance, weighted by its inverse; ``distance`` [P, P] positive off the diagonal, NaN where unknown."""
        every = cls.every(len(distance))
        d = distance[every.a, every.b]
        known = np.isfinite(d)
        return cls(every.a[known], every.b[known], 1 / d[known])


@dataclass(frozen=True, slots=True)
class PairVariances:
    """V of each pair in each period.

    Attributes:
        variance: [T, E] squared log points, NaN where undefined.
        goods: [T, E] goods that each variance is taken over.
        basket: [T, K] goods that entered in each period.
        reason: [T, E] why a variance is undefined, or an empty text.
    """

    variance: Floats
    goods: Ints
    basket: NDArray[np.bool_]
    reason: Strings


@dataclass(frozen=True, slots=True)
class Segmentation:
    """Segmentation of each region in each period.

    Attributes:
        value: [T, P] squared log points, NaN where undefined.
        neighbours: [T, P] pairs that each value is the mean of.
        possible: [P] pairs that each region has.
        prices: [T, P] relative prices that each value rests on (pairs times goods).
        reason: [T, P] why a value is undefined, or an empty text.
        pairs: the variances by pair.
    """

    value: Floats
    neighbours: Ints
    possible: Ints
    prices: Ints
    reason: Strings
    pairs: PairVariances


def price_changes(prices: Floats, periods: Ints, index: Literal["chain", "fixed"] = "chain") -> Floats:
    """[T, P, K] log price changes.

    Args:
        prices: [T, P, K] positive indices, NaN where not observed: of the previous period (``chain``) or of one base period (``fixed``).
        periods: [T] ascending; a fixed-base index has no change in a period whose predecessor is not among them.
    """
    logs = np.log(prices)
    if index == "chain":
        return logs
    change = np.full_like(logs, np.nan)
    after = np.flatnonzero(np.diff(periods) == 1) + 1
    change[after] = logs[after] - logs[after - 1]
    return change


def pair_variances(
    change: Floats, pairs: Pairs, *, basket: Basket = "balanced", least_goods: int | None = None, ddof: int = 1
) -> PairVariances:
    """V_pqt of every pair and period.

    A region without any price in a period takes its pairs out of that period's pair set.

    Args:
        change: [T, P, K] log price changes, NaN where not observed.
        pairs: the pair set, which is also the set that each good's mean is taken over.
        basket: ``balanced``: goods observed for all pairs of the period; ``unbalanced``: the goods that each pair shares, among those that
            at least three pairs observe.
        least_goods: goods below which V is undefined; 3 in a balanced basket and 5 in an unbalanced one by default, never below 3.
        ddof: 1 divides by K − 1, 0 by K.
    """
    least = max(LEAST_GOODS, (LEAST_GOODS if basket == "balanced" else LEAST_COMMON_GOODS) if least_goods is None else least_goods)
    periods, _, goods = change.shape
    step = max(1, BLOCK // max(1, len(pairs.a) * goods))
    blocks = [_variances(change[t : t + step], pairs, basket, least, ddof) for t in range(0, periods, step)]
    if not blocks:
        return PairVariances(
            np.empty((0, len(pairs.a))), np.empty((0, len(pairs.a)), int), np.empty((0, goods), bool), np.empty((0, len(pairs.a)), "U1")
        )
    return PairVariances(*(np.concatenate([getattr(b, name) for b in blocks]) for name in PairVariances.__slots__))


def _variances(change: Floats, pairs: Pairs, basket: Basket, least: int, ddof: int) -> PairVariances:
    gap = np.abs(change[:, pairs.a] - change[:, pairs.b])
    seen = np.isfinite(gap)
    present = np.asarray(np.isfinite(change).any(axis=2))
    active = present[:, pairs.a] & present[:, pairs.b]
    if basket == "balanced":
        within = np.asarray((seen | ~active[:, :, None]).all(axis=1) & np.any(active, axis=1, keepdims=True))
    else:
        within = np.asarray(seen.sum(axis=1) >= LEAST_PAIRS)
    used = seen & active[:, :, None] & within[:, None, :]
    goods = used.sum(axis=2)
    gap = np.where(used, gap, 0.0)
    moved = np.where(used, gap - _ratio(gap.sum(axis=1), used.sum(axis=1))[:, None, :], 0.0)
    deviation = np.where(used, moved - _ratio(moved.sum(axis=2), goods)[:, :, None], 0.0)
    enough = (goods >= least) & (active.sum(axis=1) >= LEAST_PAIRS)[:, None]
    variance = np.where(enough, _ratio(np.einsum("tek,tek->te", deviation, deviation), goods - ddof), np.nan)
    few_pairs = np.broadcast_to((active.sum(axis=1) < LEAST_PAIRS)[:, None], active.shape)
    reason = np.select([enough, ~active, few_pairs], ["", "missing-input", "too-few-pairs"], "too-few-goods")
    return PairVariances(variance, goods, within, reason)


def _ratio(top: Floats, below: Ints) -> Floats:
    """``top / below``, zero where ``below`` is not positive."""
    return np.divide(top, below, out=np.zeros_like(top), where=below > 0)


def segmentation(
    change: Floats, pairs: Pairs, *, basket: Basket = "balanced", least_goods: int | None = None, ddof: int = 1
) -> Segmentation:
    """Seg_pt: the mean of a region's pair variances, weighted by the pairs' weights.

    Arguments as in :func:`pair_variances`.
    """
    variances = pair_variances(change, pairs, basket=basket, least_goods=least_goods, ddof=ddof)
    count = change.shape[1]
    defined = np.isfinite(variances.variance)
    member = np.zeros((len(pairs.a), count))
    member[np.arange(len(pairs.a)), pairs.a] = member[np.arange(len(pairs.a)), pairs.b] = 1.0
    weight = (defined * pairs.weight) @ member
    total = (np.where(defined, variances.variance, 0.0) * pairs.weight) @ member
    neighbours = (defined @ member).astype(np.int64)
    possible = member.sum(axis=0).astype(np.int64)
    value = np.divide(total, weight, out=np.full_like(total, np.nan), where=neighbours > 0)
    prices = ((defined * variances.goods) @ member).astype(np.int64)
    return Segmentation(value, neighbours, possible, prices, _reasons(change, variances, member, neighbours, possible), variances)


def _reasons(change: Floats, variances: PairVariances, member: Floats, neighbours: Ints, possible: Ints) -> Strings:
    """[T, P] why no pair of a region has a variance: it has no pair, no prices, or what its pairs lack."""
    lacking = {code: (variances.reason == code) @ member > 0 for code in ("too-few-goods", "too-few-pairs")}
    absent = ~np.isfinite(change).any(axis=2)
    island = np.broadcast_to(possible == 0, absent.shape)
    return np.select([neighbours > 0, island, absent, *lacking.values()], ["", "no-neighbour", "missing-input", *lacking], "missing-input")


def integration(value: Floats) -> Floats:
    """Seg^(−1/2), the integration index (Sheng & Mao 2011); NaN where segmentation is zero (but for rounding) or undefined."""
    return np.power(value, -0.5, out=np.full_like(value, np.nan), where=value > ZERO)


def broadcast(value: Floats, home: Ints) -> Floats:
    """[T, C] the value of each city's province: ``value`` [T, P], ``home`` [C] positions of provinces, negative where unknown."""
    return np.where(home >= 0, value[:, home], np.nan)


def distance_weighted(value: Floats, distance: Floats, nearest: float) -> Floats:
    """[T, C] mean of the values of provinces near each city, weighted by the inverse of their distance.

    Args:
        value: [T, P], NaN where undefined (left out of the mean).
        distance: [C, P] kilometres from a city to the seats of its own and its neighbouring provinces, NaN for all others.
        nearest: kilometres that shorter distances count as, so that a province's seat does not listen to its own province alone.
    """
    weight = np.nan_to_num(1 / np.maximum(distance, nearest))
    defined = np.isfinite(value)
    below = defined @ weight.T
    total = np.where(defined, value, 0.0) @ weight.T
    return np.divide(total, below, out=np.full_like(total, np.nan), where=below > 0)


def basket_changes(basket: NDArray[np.bool_]) -> Ints:
    """Positions of the periods whose goods are not those of the last period that had any; ``basket`` [T, K]."""
    filled = np.flatnonzero(basket.any(axis=1))
    changed: Ints = filled[1:][(basket[filled[1:]] != basket[filled[:-1]]).any(axis=1)]
    return changed
