"""Industrial structure: upgrading, rationalisation, similarity between places and change over time.

Shapes: ``Y`` [..., I] activity (value added, output, employment) in I industries, ≥ 0, NaN where not known; leading axes (years, regions)
are batched. Two tables in one function broadcast against each other.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hinterland.measure.division import ratio

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]
Rationalisation = Literal["theil", "negative", "inverse"]
Pair = Callable[[Floats, Floats], Floats]


def shares(Y: Floats) -> Floats:
    """[..., I] share of each industry in what is observed; NaN where that is not above zero."""
    return ratio(Y, np.nansum(Y, axis=-1, keepdims=True))


def tertiary_secondary_ratio(Y: Floats) -> Floats:
    """[...] upgrading as the ratio of tertiary to secondary output, Y₃ / Y₂ (Gan, Zheng & Yu 2011).

    Args:
        Y: [..., 3] output of the primary, secondary and tertiary sector, in this order.
    """
    return ratio(Y[..., 2], Y[..., 1])


def level_coefficient(Y: Floats) -> Floats:
    """[...] upgrading as the mean level, Σ n·s_n, from 1 (all in the lowest sector) to the number of sectors.

    Args:
        Y: [..., n] output of the sectors from the lowest to the highest.
    """
    return np.asarray(shares(Y) @ np.arange(1.0, Y.shape[-1] + 1.0))


def vector_angle(Y: Floats) -> Floats:
    """[...] upgrading as a weighted sum of angles (Fu 2010): Σ_k Σ_{j ≤ k} θ_j, in radians.

    θ_j is the angle between the shares and the j-th axis, so that with three sectors the index is 3θ₁ + 2θ₂ + θ₃: the further from the
    lowest sector's axis, the higher. From 3π/2 (all primary) over 2π (all secondary) to 5π/2 (all tertiary).

    Args:
        Y: [..., n] output of the sectors from the lowest to the highest.
    """
    part = shares(Y)
    length = np.sqrt((part**2).sum(axis=-1, keepdims=True))
    angle = np.arccos(np.clip(part / length, 0.0, 1.0))
    return np.asarray(angle @ np.arange(Y.shape[-1], 0.0, -1.0))


def rationalisation(Y: Floats, L: Floats, direction: Rationalisation = "theil") -> Floats:
    """[...] Theil index of rationalisation, TL = Σ y_i ln(y_i / l_i) over the industries observed in both (Gan, Zheng & Yu 2011).

    y and l are an industry's shares of output and of labour. TL ≥ 0, and 0 is best: productivity is the same everywhere. NaN where an
    industry has output and no labour.

    Args:
        Y: [..., I] output.
        L: [..., I] labour.
        direction: ``theil``: TL; ``negative``: −TL, so that more is better; ``inverse``: 1 / TL, NaN at TL = 0.
    """
    y, relative = _share_ratio(Y, L)
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(y > 0, y * np.log(relative), np.where(y == 0, 0.0, np.nan))
    theil = np.maximum(_sum(terms, _both(Y, L)), 0.0)
    if direction == "negative":
        return 0.0 - theil
    if direction == "inverse":
        return np.where(theil > 0, 1.0 / np.where(theil > 0, theil, 1.0), np.nan)
    if direction == "theil":
        return theil
    raise ValueError(f"direction is {direction!r}; it is one of theil, negative, inverse")


def structural_deviation(Y: Floats, L: Floats) -> Floats:
    """[...] deviation of structure, E = Σ |y_i / l_i − 1| over the industries observed in both; 0 is best.

    An industry without output and without labour is not counted. NaN where one has output and no labour.
    """
    y, relative = _share_ratio(Y, L)
    absent = (y == 0) & np.isnan(relative) & _both(Y, L)
    return _sum(np.where(absent, 0.0, np.abs(relative - 1.0)), _both(Y, L))


def _both(Y: Floats, L: Floats) -> Bools:
    return np.isfinite(Y) & np.isfinite(L)


def _share_ratio(Y: Floats, L: Floats) -> tuple[Floats, Floats]:
    """Shares of output, and their ratio to the shares of labour (NaN where an industry has none)."""
    both = _both(Y, L)
    y, labour = (shares(np.where(both, a, np.nan)) for a in (Y, L))
    return y, ratio(y, labour)


def _sum(terms: Floats, counted: Bools) -> Floats:
    """Sum over the counted industries; NaN where there is none, or a term is NaN."""
    total = np.where(counted, terms, 0.0).sum(axis=-1)
    return np.where(counted.any(axis=-1), total, np.nan)


def _common(A: Floats, B: Floats) -> tuple[Floats, Floats]:
    """The activity of both in the industries that both know; 0 elsewhere."""
    both = _both(A, B)
    return np.where(both, A, 0.0), np.where(both, B, 0.0)


def _length(a: Floats) -> Floats:
    return np.asarray(np.sqrt(np.einsum("...i,...i->...", a, a)))


def cosine_similarity(A: Floats, B: Floats) -> Floats:
    """[...] coefficient of structural similarity, Σ a b / √(Σ a² Σ b²), over the industries observed in both (UNIDO 1979).

    1 where the structures are the same, 0 where they share no industry. NaN where either has nothing in the common industries.
    """
    a, b = _common(A, B)
    length = _length(a) * _length(b)
    cosine = np.clip(np.einsum("...i,...i->...", a, b) / np.where(length > 0, length, 1.0), 0.0, 1.0)
    return np.where(length > 0, cosine, np.nan)


def krugman_distance(A: Floats, B: Floats) -> Floats:
    """[...] Σ |a − b| between shares over the industries observed in both, from 0 to 2 (Krugman 1991)."""
    a, b = _common(A, B)
    total_a, total_b = a.sum(axis=-1, keepdims=True), b.sum(axis=-1, keepdims=True)
    apart = np.abs(a / np.where(total_a > 0, total_a, 1.0) - b / np.where(total_b > 0, total_b, 1.0)).sum(axis=-1)
    return np.where((total_a > 0)[..., 0] & (total_b > 0)[..., 0], apart, np.nan)


def krugman_similarity(A: Floats, B: Floats) -> Floats:
    """[...] 1 − ½ Σ |a − b|: the part of one structure that lies within the other, from 0 to 1."""
    return np.asarray(1.0 - 0.5 * krugman_distance(A, B))


def moore_angle(A: Floats, B: Floats) -> Floats:
    """[...] angle between two structures in radians, from 0 to π/2 (Moore 1978).

    Computed as 2·atan2(|û − v̂|, |û + v̂|) of the unit vectors: arccos of the cosine loses half of the digits of a small angle.
    """
    a, b = _common(A, B)
    length_a, length_b = _length(a), _length(b)
    u, v = (z / np.where(n > 0, n, 1.0)[..., None] for z, n in ((a, length_a), (b, length_b)))
    angle = 2.0 * np.arctan2(_length(u - v), _length(u + v))
    return np.where((length_a > 0) & (length_b > 0), angle, np.nan)


def jaccard(A: Bools, B: Bools) -> Floats:
    """[...] overlap of two sets of industries, |A ∩ B| / |A ∪ B|; NaN where both are empty."""
    union = (A | B).sum(axis=-1)
    return np.where(union > 0, (A & B).sum(axis=-1) / np.where(union > 0, union, 1), np.nan)


def pairwise(values: Floats | Bools, index: Callable[..., Floats]) -> Floats:
    """[..., R, R] an index of two structures for every pair of regions of ``values`` [..., R, I]; one region at a time, to save memory."""
    return np.stack([index(values[..., r : r + 1, :], values) for r in range(values.shape[-2])], axis=-2)


def change(Y: Floats, times: Ints, index: Pair, lag: int = 1) -> Floats:
    """[T, ...] an index between each year of ``Y`` [T, ..., I] and ``lag`` years before; NaN where that year is not among ``times`` [T]."""
    now, before = np.nonzero(times[:, None] - lag == times)
    out = np.full(Y.shape[:-1], np.nan)
    out[now] = index(Y[now], Y[before])
    return out


def key_industries(X: Floats, top: int = 10, least: float = 1.0) -> Bools:
    """[..., R, I] the ``top`` industries by location quotient of each region, among those above ``least``.

    Ties at the border go to the industry with more of the region's activity, then to the first.

    Args:
        X: [..., R, I] activity.
        top: how many industries at most.
        least: location quotient that an industry must exceed.
    """
    part = shares(X)
    nation = shares(np.nansum(X, axis=-2))[..., None, :]
    with np.errstate(invalid="ignore"):
        quotient = np.where((nation > 0) & np.isfinite(part), part / np.where(nation > 0, nation, 1.0), -np.inf)
    order = np.lexsort((-np.nan_to_num(part), -quotient), axis=-1)
    rank = np.empty_like(order)
    np.put_along_axis(rank, order, np.broadcast_to(np.arange(X.shape[-1]), order.shape), axis=-1)
    return np.asarray((rank < top) & (quotient > least))
