"""Random weights of a wild cluster bootstrap, and what follows from the bootstrap statistics: p-values and intervals.

Nothing here knows of rows. R draws, G bootstrap clusters; v [G] are a draw's weights, with mean 0 and variance 1. Under the null value
r the bootstrap residuals are û + δ z, δ = τ̂ − r, so numerator and variance of every bootstrap statistic are polynomials in δ whose
coefficients do not depend on r:

    t*(δ) = (n₀ + δ n₁) / √(V₀₀ + 2δ V₀₁ + δ² V₁₁)

Inverting the test for an interval is then a search over δ, without another draw or fit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from hinterland.evaluate.coding import Floats
from hinterland.evaluate.inversion import invert

Weights = Literal["rademacher", "webb", "mammen", "normal"]
Tail = Literal["symmetric", "equal-tailed"]

BLOCK = 4_000_000
"""Weights that exist at one time."""
TIE = 1e-10
"""Statistics closer than this, relatively, are equal."""


def enumerable(clusters: int, draws: int, kind: Weights) -> bool:
    """Whether every vector of signs is used instead of random ones: 2^G ≤ draws."""
    return kind == "rademacher" and clusters <= 60 and 2**clusters <= draws


def weight_blocks(clusters: int, draws: int, kind: Weights, seed: int) -> Iterator[Floats]:
    """Weights [rows, G] in blocks of bounded size; with few clusters (:func:`enumerable`) every vector of signs with v₁ = 1, since
    the statistic of −v is minus that of v.

    The size of a block depends on G alone, so the same seed gives the same weights.
    """
    rows = max(1, BLOCK // clusters)
    if enumerable(clusters, draws, kind):
        codes = np.arange(2 ** (clusters - 1))
        for start in range(0, len(codes), rows):
            bits = (codes[start : start + rows, None] >> np.arange(clusters)) & 1
            yield (1.0 - 2.0 * bits).astype(np.float64)[:, ::-1]
        return
    rng = np.random.default_rng(seed)
    for start in range(0, draws, rows):
        yield _random(rng, min(rows, draws - start), clusters, kind)


def _random(rng: np.random.Generator, rows: int, clusters: int, kind: Weights) -> Floats:
    if kind == "rademacher":
        width = -(-clusters // 8)
        packed = np.frombuffer(rng.bytes(rows * width), dtype=np.uint8).reshape(rows, width)
        bits = np.unpackbits(packed, axis=1, count=clusters)
        return np.asarray(2.0 * bits - 1.0)
    if kind == "webb":
        points = np.sqrt(np.array([1.5, 1.0, 0.5]))
        six = np.concatenate([-points, points[::-1]])
        return np.asarray(six[rng.integers(0, 6, size=(rows, clusters), dtype=np.uint8)])
    if kind == "normal":
        return rng.standard_normal((rows, clusters))
    root = np.sqrt(5.0)
    low, high = (1 - root) / 2, (1 + root) / 2
    return np.asarray(np.where(rng.random((rows, clusters)) < high / root, low, high))


@dataclass(frozen=True, slots=True)
class Statistics:
    """The bootstrap statistics of one hypothesis, for every null value.

    Attributes:
        estimate: τ̂;  variance: of the estimate.
        numerator: [R, 2] n₀, n₁;  spread: [R, 3] V₀₀, V₀₁, V₁₁ (n₁, V₀₁, V₁₁ are zero where the null is not imposed).
        enumerated: the draws are every vector of signs (one of each pair v, −v).
        holds_data: one of the draws is the data themselves: all signs +1, with the null imposed.
    """

    estimate: float
    variance: float
    numerator: Floats
    spread: Floats
    enumerated: bool
    holds_data: bool

    def drawn(self, delta: float) -> Floats:
        """[R] t*(δ); NaN where a draw's variance is not positive, which only multi-way variances can be."""
        above = self.numerator[:, 0] + delta * self.numerator[:, 1]
        variance = self.spread @ np.array([1.0, 2 * delta, delta**2])
        variance = np.where(variance > 0, variance, np.nan)
        return np.asarray(above / np.sqrt(variance))

    def p_value(self, delta: float, tail: Tail) -> float:
        """P-value of the null value τ̂ − δ.

        Draws at least as far out as the statistic count, ties included: (1 + count)/(1 + R), as in a permutation test, where the data are one
        more draw; count/R where they are among the draws already.
        """
        actual = delta / np.sqrt(self.variance)
        drawn = self.drawn(delta)
        drawn = drawn[np.isfinite(drawn)]
        one = 0 if self.holds_data else 1
        if tail == "symmetric":
            count = np.count_nonzero(np.abs(drawn) >= abs(actual) * (1 - TIE))
            return float((one + count) / (one + len(drawn))) if one + len(drawn) else float("nan")
        if self.enumerated:
            drawn = np.concatenate((drawn, -drawn))
        slack = abs(actual) * TIE
        least = min(np.count_nonzero(drawn <= actual + slack), np.count_nonzero(drawn >= actual - slack))
        return float(min(1.0, 2 * (one + least) / (one + len(drawn)))) if one + len(drawn) else float("nan")

    def interval(self, level: float, tail: Tail) -> tuple[float, float]:
        """The null values around the estimate that are not rejected at 1 − ``level``; infinite where the test never rejects."""
        return invert(lambda delta: self.p_value(delta, tail), self.estimate, float(np.sqrt(self.variance)), 1 - level)
