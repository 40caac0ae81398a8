"""Global spatial autocorrelation: Moran's I and Geary's C, with all permutations in one sparse product.

Moran, P. A. P. (1950), *Biometrika* 37; Geary, R. C. (1954), *The Incorporated Statistician* 5; moments from Cliff & Ord (1981), *Spatial Processes*, ch. 1 and 2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.sparse import csr_array
from scipy.special import ndtr

from hinterland.measure.inequality import Floats

Alternative = Literal["two-sided", "greater", "less", "directed"]
_BLOCK = 16
"""Permutations in one product: few enough that they stay in the cache."""


@dataclass(frozen=True, slots=True)
class Draws:
    """Permutations: how many (``count``), the ``seed`` of their random numbers, and the ``alternative`` of the p-value."""

    count: int = 999
    seed: int = 0
    alternative: Alternative = "two-sided"


DRAWS = Draws()


@dataclass(frozen=True, slots=True)
class Autocorrelation:
    """A global statistic and its inference.

    Attributes:
        value: of Moran's I or Geary's C.
        expected: under no spatial dependence.
        variance: under randomisation (Cliff & Ord 1981).
        statistic: standard normal statistic under randomisation;  p_value: two-sided.
        p_permutation: ``(r + 1)/(D + 1)``; NaN without draws.
        draws: [D] values under permutation.
        n_obs: regions.
    """

    value: float
    expected: float
    variance: float
    statistic: float
    p_value: float
    p_permutation: float
    draws: Floats
    n_obs: int


@dataclass(frozen=True, slots=True)
class Moments:
    """Sums of the weights (Cliff & Ord 1981): ``s0`` total, ``s1`` of ``(w_ij + w_ji)^2 / 2``, ``s2`` of ``(row + column sum)^2``."""

    s0: float
    s1: float
    s2: float


def weight_moments(weights: csr_array) -> Moments:
    """The sums of weights [R, R] that enter the moments of I and C."""
    both = weights + weights.T
    margin = np.asarray(both.sum(axis=1)).reshape(-1)
    return Moments(float(weights.sum()), float((both.multiply(both)).sum() / 2), float(margin @ margin))


def permutation_p(value: Floats, draws: Floats, alternative: Alternative = "two-sided") -> Floats:
    """[...] p-values ``(r + 1)/(D + 1)`` of ``value`` [...] among ``draws`` [..., D], ties counted as extreme.

    ``two-sided`` doubles the smaller tail (at most 1); ``directed`` does not double it, as esda's ``p_sim``, and so is half as large as it should be
    when the direction was not chosen beforehand.
    """
    size = draws.shape[-1]
    slack = 1e-12 * np.maximum(np.abs(value), 1.0)[..., None]
    above = (1 + (draws >= value[..., None] - slack).sum(-1)) / (1 + size)
    below = (1 + (draws <= value[..., None] + slack).sum(-1)) / (1 + size)
    match alternative:
        case "greater":
            return np.asarray(above)
        case "less":
            return np.asarray(below)
        case "directed":
            return np.asarray(np.minimum(above, below))
        case _:
            return np.asarray(np.minimum(2 * np.minimum(above, below), 1.0))


def cross_products(z: Floats, weights: csr_array, draws: Draws, squares: Floats | None = None) -> tuple[Floats, Floats]:
    """[D] values of ``z'Wz`` and of ``squares' z^2`` with z in random order: a block of permutations is one sparse product.

    Args:
        z: [R];  weights: [R, R];  squares: [R] coefficients of the squares; the second array is zero without them.
    """
    rng = np.random.default_rng(draws.seed)
    products, rest = np.empty(draws.count), np.zeros(draws.count)
    for start in range(0, draws.count, _BLOCK):
        block = slice(start, min(start + _BLOCK, draws.count))
        rows = np.tile(z, (block.stop - start, 1))
        for row in rows:
            rng.shuffle(row)
        mixed = np.ascontiguousarray(rows.T)
        products[block] = np.einsum("ij,ij->j", mixed, weights @ mixed)
        if squares is not None:
            rest[block] = squares @ mixed**2
    return products, rest


def moran(y: Floats, weights: csr_array, draws: Draws = DRAWS, moments: Moments | None = None) -> Autocorrelation:
    r"""Moran's :math:`I = (n/S_0)\, z'Wz / z'z`.

    Args:
        y: [R] values, finite.
        weights: [R, R] with zero diagonal; rows need not add up to one.
        draws: permutations.
        moments: of the weights, if they are known already.

    Returns:
        All NaN when y does not vary or nobody has a neighbour; the variance NaN for fewer than 4 regions.
    """
    n, m = len(y), moments or weight_moments(weights)
    if flat(y) or m.s0 <= 0:
        return _undefined(n)
    z = deviations(y)
    scale = n / (m.s0 * float(z @ z))
    value = scale * float(z @ (weights @ z))
    expected = -1 / (n - 1)
    sampled = scale * cross_products(z, weights, draws)[0]
    return _inferred((value, expected, moran_variance(z, m)), sampled, draws, n)


def moran_variance(z: Floats, m: Moments) -> float:
    """Variance of I under randomisation (Cliff & Ord 1981, ch. 1) for deviations ``z`` [R]; NaN for fewer than 4 regions."""
    n = len(z)
    if n < 4:
        return float("nan")
    kurtosis = n * float((z**4).sum()) / float(z @ z) ** 2
    first = n * ((n * n - 3 * n + 3) * m.s1 - n * m.s2 + 3 * m.s0**2)
    second = kurtosis * ((n * n - n) * m.s1 - 2 * n * m.s2 + 6 * m.s0**2)
    return (first - second) / ((n - 1) * (n - 2) * (n - 3) * m.s0**2) - 1 / (n - 1) ** 2


def geary(y: Floats, weights: csr_array, draws: Draws = DRAWS, moments: Moments | None = None) -> Autocorrelation:
    r"""Geary's :math:`C = \frac{n-1}{2S_0}\sum_{ij} w_{ij}(y_i-y_j)^2 / z'z`: below 1 when neighbours are alike. Arguments as in :func:`moran`."""
    n, m = len(y), moments or weight_moments(weights)
    if flat(y) or m.s0 <= 0:
        return _undefined(n)
    z = deviations(y)
    margin = np.asarray(weights.sum(axis=1)).reshape(-1) + np.asarray(weights.sum(axis=0)).reshape(-1)
    scale = (n - 1) / (2 * m.s0 * float(z @ z))
    pairs = weights.tocoo()
    value = scale * float(pairs.data @ (z[pairs.coords[0]] - z[pairs.coords[1]]) ** 2)
    products, squares = cross_products(z, weights, draws, margin)
    return _inferred((value, 1.0, geary_variance(z, m)), scale * (squares - 2 * products), draws, n)


def geary_variance(z: Floats, m: Moments) -> float:
    """Variance of C under randomisation (Cliff & Ord 1981, ch. 1) for deviations ``z`` [R]; NaN for fewer than 4 regions."""
    n = len(z)
    if n < 4:
        return float("nan")
    k = n * float((z**4).sum()) / float(z @ z) ** 2
    a = (n - 1) * m.s1 * (n * n - 3 * n + 3 - (n - 1) * k)
    b = (n - 1) * m.s2 * (n * n + 3 * n - 6 - (n * n - n + 2) * k) / 4
    c = m.s0**2 * (n * n - 3 - (n - 1) ** 2 * k)
    return (a - b + c) / (n * (n - 2) * (n - 3) * m.s0**2)


def deviations(y: Floats) -> Floats:
    """[R] deviations from the mean, the largest of them 1 or -1: no statistic here depends on the unit."""
    z = y - y.mean()
    return np.asarray(z / np.abs(z).max())


def flat(y: Floats) -> bool:
    """Whether there is nothing to correlate: fewer than two values, or all of them alike."""
    return len(y) < 2 or bool(np.ptp(y) <= 1e-12 * max(float(np.abs(y).max()), 1e-300))


def _inferred(found: tuple[float, float, float], sampled: Floats, draws: Draws, n: int) -> Autocorrelation:
    value, expected, variance = found
    statistic = (value - expected) / np.sqrt(variance) if variance > 0 else float("nan")
    p = float(permutation_p(np.array(value), sampled, draws.alternative)) if len(sampled) else float("nan")
    return Autocorrelation(value, expected, variance, float(statistic), float(2 * ndtr(-abs(statistic))), p, sampled, n)


def _undefined(n: int) -> Autocorrelation:
    nan = float("nan")
    return Autocorrelation(nan, nan, nan, nan, nan, nan, np.empty(0), n)
