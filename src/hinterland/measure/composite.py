"""Composite indices: coupling coordination, entropy weights and TOPSIS, carrying capacity, grouped scores.

Shapes: ``X`` [N, K] K indicators of N observations (region-years), NaN where not known.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Codes = NDArray[np.int64]
Variant = Literal["original", "wang2021"]


@dataclass(frozen=True, slots=True)
class Coupling:
    """Coupling C, development T and coordination D = √(C·T), all [...] in [0, 1]."""

    coupling: Floats
    development: Floats
    coordination: Floats


def coupling_coordination(U: Floats, weights: Floats | None = None, variant: Variant = "original") -> Coupling:
    r"""Degree of coupling coordination of n subsystems.

    * ``original``: :math:`C = n (\prod U_k)^{1/n} / \sum U_k`, the geometric over the arithmetic mean. The n-th root is often forgotten
      in print, which bounds C by ½ or ⅓; here 0 ≤ C ≤ 1.
    * ``wang2021``: :math:`C = \sqrt{[1 - \frac{\sum_{i<j} |U_i - U_j|}{n(n-1)/2}] \cdot [\prod U_i / \max U]^{1/(n-1)}}` (Wang et al.
      2021), in which C is spread over [0, 1]; the product runs over U_i / max U.

    :math:`T = \sum \alpha_k U_k` and :math:`D = \sqrt{C T}`. Where a subsystem is at 0, C is 0.

    Args:
        U: [..., n] level of each subsystem, in [0, 1]; n ≥ 2.
        weights: [n] weight α of each subsystem, summing to one; equal by default.
        variant: definition of C.

    Raises:
        ValueError: a level outside [0, 1], fewer than two subsystems, weights that are negative or do not sum to one, or an unknown
            variant.
    """
    n = U.shape[-1]
    alpha = np.full(n, 1.0 / n) if weights is None else np.asarray(weights, dtype=np.float64)
    _check_coupling(U, alpha, n)
    development = np.asarray(U @ alpha)
    if variant == "original":
        total = U.sum(axis=-1)
        root = np.exp(np.where(U > 0, np.log(np.where(U > 0, U, 1.0)), 0.0).mean(axis=-1))
        coupling = n * root / np.where(total > 0, total, 1.0)
    elif variant == "wang2021":
        coupling = _spread_coupling(U)
    else:
        raise ValueError(f"variant is {variant!r}; it is one of original, wang2021")
    coupling = np.where((U == 0).any(axis=-1), 0.0, np.clip(coupling, 0.0, 1.0))
    coupling = np.where(np.isfinite(development), coupling, np.nan)
    return Coupling(coupling, development, np.sqrt(coupling * development))


def _check_coupling(U: Floats, alpha: Floats, n: int) -> None:
    if n < 2:
        raise ValueError(f"coupling needs two subsystems or more, not {n}")
    if bool(((U < 0) | (U > 1)).any()):
        raise ValueError("levels of subsystems lie in [0, 1]")
    if alpha.shape != (n,) or bool((alpha < 0).any()) or not np.isclose(alpha.sum(), 1.0):
        raise ValueError(f"weights are {n} numbers that are not negative and sum to one")


def _spread_coupling(U: Floats) -> Floats:
    """C of Wang et al. (2021)."""
    n, highest = U.shape[-1], U.max(axis=-1, keepdims=True)
    first, second = np.triu_indices(n, 1)
    apart = np.abs(U[..., first] - U[..., second]).mean(axis=-1)
    relative = np.prod(U / np.where(highest > 0, highest, 1.0), axis=-1)
    return np.asarray(np.sqrt((1.0 - apart) * relative ** (1.0 / (n - 1))))


def normalise(X: Floats, negative: Bools | None = None, groups: Codes | None = None) -> Floats:
    """[N, K] each indicator from 0 (worst) to 1 (best): (x − min) / (max − min), reversed where less is better.

    Minimum and maximum are over all observations, so that scores compare over time, or over those of the same group. A constant
    indicator is 0 everywhere. An observation with a gap is NaN in every indicator: all are normalised on one sample.

    Args:
        X: [N, K].
        negative: [K] whether less is better.
        groups: [N] number of each observation's group (year), where each is normalised by itself.
    """
    complete = np.isfinite(X).all(axis=1)
    z = np.full(X.shape, np.nan)
    codes = np.zeros(len(X), dtype=np.int64) if groups is None else groups
    for code in np.unique(codes[complete]):
        rows = complete & (codes == code)
        low, high = X[rows].min(axis=0), X[rows].max(axis=0)
        spread = high - low
        scaled = (X[rows] - low) / np.where(spread > 0, spread, 1.0)
        turned = scaled if negative is None else np.where(negative, 1.0 - scaled, scaled)
        z[rows] = np.where(spread > 0, turned, 0.0)
    return z


@dataclass(frozen=True, slots=True)
class EntropyWeights:
    """Weights from the dispersion of each indicator.

    Attributes:
        weight: [K], summing to one; NaN where no indicator varies.
        entropy: [K], from 0 (all in one observation) to 1 (evenly spread).
        constant: [K] whether the indicator does not vary, so that its weight is 0.
        used: number of observations.
    """

    weight: Floats
    entropy: Floats
    constant: Bools
    used: int


def entropy_weights(z: Floats, shift: float = 0.0) -> EntropyWeights:
    r"""Entropy weights: :math:`w = (1 - e) / \sum (1 - e)` with :math:`e = -\frac{1}{\ln N} \sum p \ln p`, :math:`p = z / \sum z`.

    Args:
        z: [N, K] normalised indicators in [0, 1] (:func:`normalise`); rows with a gap are left out.
        shift: added to every z, as is often done "against ln 0". It is not needed, since 0·ln 0 = 0, and it changes the weights.
    """
    rows = z[np.isfinite(z).all(axis=1)]
    count, columns = len(rows), z.shape[1]
    constant = np.ones(columns, dtype=np.bool_) if count < 2 else rows.max(axis=0) == rows.min(axis=0)
    if count < 2 or constant.all():
        return EntropyWeights(np.full(columns, np.nan), np.ones(columns), constant, count)
    shifted = rows + shift
    total = shifted.sum(axis=0)
    p = shifted / np.where(total > 0, total, 1.0)
    entropy = -np.where(p > 0, p * np.log(np.where(p > 0, p, 1.0)), 0.0).sum(axis=0) / np.log(count)
    entropy = np.where(constant, 1.0, np.clip(entropy, 0.0, 1.0))
    return EntropyWeights((1.0 - entropy) / (1.0 - entropy).sum(), entropy, constant, count)


def linear_score(z: Floats, weight: Floats) -> Floats:
    """[N] weighted mean of the normalised indicators ``z`` [N, K], in [0, 1]."""
    return np.asarray(z @ weight)


def topsis(z: Floats, weight: Floats) -> Floats:
    """[N] closeness to the ideal, d⁻ / (d⁺ + d⁻), in [0, 1] (Hwang & Yoon 1981).

    Ideals are the best and the worst of each weighted indicator over all rows of ``z`` [N, K], so that scores of a pooled panel compare
    over time. NaN where all rows are the same.
    """
    weighted = z * weight
    rows = weighted[np.isfinite(weighted).all(axis=1)]
    if not len(rows):
        return np.full(len(z), np.nan)
    best, worst = rows.max(axis=0), rows.min(axis=0)
    to_best, to_worst = (np.sqrt(((weighted - ideal) ** 2).sum(axis=1)) for ideal in (best, worst))
    total = to_best + to_worst
    return np.where(total > 0, to_worst / np.where(total > 0, total, 1.0), np.nan)


@dataclass(frozen=True, slots=True)
class CarryingCapacity:
    """How heavily a place is loaded.

    Attributes:
        pressure: [..., K] demand over capacity of each factor; NaN where demand meets no capacity.
        mean: [...] weighted mean of the pressures: above 1 where the place is overloaded on average.
        short_board: [...] smallest capacity over demand: below 1 where some factor is overloaded (Liebig's law of the minimum).
        binding: [...] number of the factor with the smallest; −1 where there is none.
    """

    pressure: Floats
    mean: Floats
    short_board: Floats
    binding: Codes


def carrying_capacity(demand: Floats, capacity: Floats, weights: Floats | None = None) -> CarryingCapacity:
    """Mean pressure and short board of ``demand`` [..., K] on ``capacity`` [..., K] of K factors, in the same unit factor by factor.

    A factor that nobody asks for does not bind. One without capacity that is asked for has no finite pressure: the mean is NaN and the
    short board 0. A factor with neither, or with a gap, leaves both NaN.

    Args:
        demand: [..., K], ≥ 0.
        capacity: [..., K], ≥ 0.
        weights: [K] of the mean, summing to one; equal by default.
    """
    k = demand.shape[-1]
    alpha = np.full(k, 1.0 / k) if weights is None else np.asarray(weights, dtype=np.float64)
    if alpha.shape != (k,) or bool((alpha < 0).any()) or not np.isclose(alpha.sum(), 1.0):
        raise ValueError(f"weights are {k} numbers that are not negative and sum to one")
    pressure = np.where(capacity > 0, demand / np.where(capacity > 0, capacity, 1.0), np.nan)
    with np.errstate(invalid="ignore"):
        room = np.where(demand > 0, capacity / np.where(demand > 0, demand, 1.0), np.where(capacity > 0, np.inf, np.nan))
    room = np.where(np.isfinite(demand) & np.isfinite(capacity), room, np.nan)
    least = room.min(axis=-1)
    binding = np.where(np.isfinite(least), np.argmin(room, axis=-1), -1)
    return CarryingCapacity(pressure, np.asarray(pressure @ alpha), np.where(np.isfinite(least), least, np.nan), binding)


@dataclass(frozen=True, slots=True)
class GroupedScore:
    """A composite with its dimensions: ``total`` [N] and ``parts`` [N, G], all in [0, 1]; ``share`` [G] weight of each dimension."""

    total: Floats
    parts: Floats
    share: Floats


def grouped_score(z: Floats, weight: Floats, dimension: Codes) -> GroupedScore:
    """Weighted means of normalised indicators ``z`` [N, K] within each dimension, and their weighted mean.

    Args:
        z: [N, K].
        weight: [K], summing to one.
        dimension: [K] number of each indicator's dimension, from 0.
    """
    member = np.eye(int(dimension.max()) + 1)[dimension]
    share = weight @ member
    parts = (z * weight) @ member
    return GroupedScore(linear_score(z, weight), np.where(share > 0, parts / np.where(share > 0, share, 1.0), np.nan), share)


def equal_weights(dimension: Codes) -> Floats:
    """[K] equal weights of the dimensions, and of the indicators within each."""
    size = np.bincount(dimension)
    return np.asarray(1.0 / (len(size) * size[dimension]))
