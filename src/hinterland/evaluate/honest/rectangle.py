"""Normal probabilities of rectangles, and means inside them (Genz 1992), on a fixed lattice: the same input gives the same digits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_POINTS = 20_011


def _primes(count: int) -> NDArray[np.int64]:
    """The first ``count`` primes."""
    most = max(20, int(2 * count * np.log(count + 2)))
    sieve = np.ones(most, dtype=np.bool_)
    sieve[:2] = False
    for i in range(2, int(most**0.5) + 1):
        if sieve[i]:
            sieve[i * i :: i] = False
    return np.flatnonzero(sieve)[:count]


@dataclass(frozen=True, slots=True)
class Rectangle:
    """``probability`` that N(mean, vcov) falls into a rectangle, and its ``mean`` [k] there."""

    probability: float
    mean: Floats


def rectangle(mean: Floats, vcov: Floats, low: Floats, high: Floats) -> Rectangle:
    """Probability and conditional mean of N(``mean``, ``vcov``) in [low, high], to about five digits.

    The product of conditional probabilities is averaged over a Richtmyer lattice; variables with the narrowest limits come first.
    """
    from scipy import special

    scale = np.sqrt(np.diag(vcov))
    a, b = (low - mean) / scale, (high - mean) / scale
    order = np.argsort(special.ndtr(b) - special.ndtr(a), kind="stable")
    root = np.linalg.cholesky((vcov / np.outer(scale, scale))[np.ix_(order, order)])
    a, b, k = a[order], b[order], len(mean)
    steps = np.sqrt(_primes(k).astype(np.float64))
    points = np.abs(2 * np.modf(np.arange(1, _POINTS + 1)[:, None] * steps)[0] - 1)
    z, weight = np.zeros((_POINTS, k)), np.ones(_POINTS)
    for j in range(k):
        shift = z[:, :j] @ root[j, :j]
        below, above = special.ndtr((a[j] - shift) / root[j, j]), special.ndtr((b[j] - shift) / root[j, j])
        weight = weight * (above - below)
        z[:, j] = special.ndtri(np.clip(below + points[:, j] * (above - below), 1e-300, 1 - 1e-16))
    total = weight.mean()
    inside = np.empty(k)
    inside[order] = (weight @ (z @ root.T)) / max(weight.sum(), 1e-300)
    return Rectangle(float(total), mean + scale * inside)
