"""Means and covariances of cohorts, and what the adjusted estimator makes of them (Roth & Sant'Anna 2023).

The estimator is θ̂(β) = θ̂_0 - X̂'β, with θ̂_0 = Σ A_θ,g Ȳ_g and X̂ = Σ A_0,g Ȳ_g. Its variance under random timing is at most
Σ a_g S_g a_g' / N_g, a_g = A_θ,g - β'A_0,g (Neyman), less what the outcomes before the first treatment predict of the effects.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hinterland.evaluate.efficient_weights import Timing, Weighting

Floats = NDArray[np.float64]

_PINV = float(np.sqrt(np.finfo(np.float64).eps))
"""Eigenvalues below this share of the largest count as zero, as in R's ``MASS::ginv``."""


@dataclass(frozen=True, slots=True)
class Moments:
    """Per cohort: ``mean`` [G, T] path;  ``cov`` [G, T, T] covariance of the path over units (divisor N_g - 1)."""

    mean: Floats
    cov: Floats


def cohort_moments(y: Floats, group: NDArray[np.intp], count: int) -> Moments:
    """Moments of ``y`` [N, T] by ``group`` [N], each 0 … ``count`` - 1 with at least two units."""
    order = np.argsort(group, kind="stable")
    starts = np.searchsorted(group[order], np.arange(count + 1))
    mean = np.empty((count, y.shape[1]))
    cov = np.empty((count, y.shape[1], y.shape[1]))
    for k in range(count):
        block = y[order[starts[k] : starts[k + 1]]]
        mean[k] = block.mean(axis=0)
        centred = block - mean[k]
        cov[k] = centred.T @ centred / (len(block) - 1)
    return Moments(mean, cov)


@dataclass(frozen=True, slots=True)
class Fit:
    """K estimates.

    ``beta`` [K, R] adjustment coefficients;  ``weights`` [K, G, T] the estimates as weights on cohort means, A_θ - β'A_0;  ``neyman`` and
    ``adjusted`` [K, K] covariances;  ``reference`` [K]: the estimate is zero whatever the data.
    """

    estimate: Floats
    beta: Floats
    weights: Floats
    neyman: Floats
    adjusted: Floats
    reference: NDArray[np.bool_]


def fit_moments(timing: Timing, moments: Moments, weighting: Weighting, beta: float | None) -> Fit:
    """Estimates and covariances; ``beta`` ``None`` takes the plug-in efficient one, Var(X̂)⁻ Cov(X̂, θ̂_0)."""
    coefficients = _efficient_beta(timing, moments, weighting) if beta is None else np.full(weighting.before.shape[:2], float(beta))
    weights = weighting.theta - np.einsum("kr,krgt->kgt", coefficients, weighting.before)
    reference = np.abs(weights).max(axis=(1, 2)) < 1e-9
    weights[reference] = 0.0
    estimate = np.einsum("kgt,gt->k", weights, moments.mean)
    neyman = covariance(timing, moments, weights, weights)
    adjusted = neyman - _adjustment(timing, moments, weighting, reference)
    negative = np.diag(adjusted) < 0
    adjusted[negative] = 0.0
    adjusted[:, negative] = 0.0
    return Fit(estimate, coefficients, weights, neyman, adjusted, reference)


def covariance(timing: Timing, moments: Moments, left: Floats, right: Floats) -> Floats:
    """[J, K] Σ_g left_g S_g right_g' / N_g of weights ``left`` [J, G, T] and ``right`` [K, G, T]."""
    return np.asarray(np.einsum("jgs,gst,kgt,g->jk", left, moments.cov, right, 1.0 / timing.size, optimize=True))


def _efficient_beta(timing: Timing, moments: Moments, weighting: Weighting) -> Floats:
    out = np.empty(weighting.before.shape[:2])
    for k, (theta, before) in enumerate(zip(weighting.theta, weighting.before, strict=True)):
        variance = covariance(timing, moments, before, before)
        out[k] = pseudo_inverse(variance) @ covariance(timing, moments, before, theta[None])[:, 0]
    return out


def pseudo_inverse(matrix: Floats) -> Floats:
    """Moore–Penrose inverse of a symmetric matrix."""
    return np.asarray(np.linalg.pinv(matrix, rcond=_PINV, hermitian=True))


def _adjustment(timing: Timing, moments: Moments, weighting: Weighting, reference: NDArray[np.bool_]) -> Floats:
    """[K, K] how much smaller than Neyman's the variance must at least be: b_j' (mean of M S_g M') b_k / N.

    M picks the periods before the first cohort that the estimands use is treated, and b_k = Σ_g (M S_g M')⁻ M S_g A_θ,g'. For two
    estimands with different first cohorts, the earlier counts.
    """
    first = first_periods(timing, weighting.theta)
    first[reference] = 0
    out = np.zeros((len(first), len(first)))
    for width in np.unique(first[first > 0]):
        use = first >= width
        slopes, spread = _slopes(timing, moments, weighting.theta[use], int(width))
        block = slopes @ spread @ slopes.T / timing.size.sum()
        at = np.minimum.outer(first[use], first[use]) == width
        out[np.ix_(use, use)] = np.where(at, block, out[np.ix_(use, use)])
    return out


def first_periods(timing: Timing, theta: Floats) -> NDArray[np.int64]:
    """[K] number of periods before the first cohort with a weight is treated."""
    used = np.abs(theta).max(axis=2) > 0
    cohort = timing.cohort[used.argmax(axis=1)]
    return np.where(used.any(axis=1), np.searchsorted(timing.periods, cohort), 0)


def _slopes(timing: Timing, moments: Moments, theta: Floats, width: int) -> tuple[Floats, Floats]:
    """The slopes b [K, width] and the mean of M S_g M' [width, width], over cohorts treated after the first ``width`` periods."""
    later = np.searchsorted(timing.periods, timing.cohort) >= width
    slopes = np.zeros((len(theta), width))
    for g in np.flatnonzero(later):
        cross = moments.cov[g, :width] @ theta[:, g].T
        slopes += (pseudo_inverse(moments.cov[g, :width, :width]) @ cross).T
    return slopes, np.asarray(moments.cov[later, :width, :width].mean(axis=0))


def unit_influence(y: Floats, group: NDArray[np.intp], timing: Timing, mean: Floats, weights: Floats) -> Floats:
    """[N, K] influence whose product is Neyman's covariance: a_g (Y_i - Ȳ_g) / √(N_g (N_g - 1))."""
    out = np.empty((len(y), len(weights)))
    scale = 1.0 / np.sqrt(timing.size * (timing.size - 1.0))
    for g in range(len(timing.cohort)):
        rows = group == g
        out[rows] = (y[rows] - mean[g]) @ (weights[:, g].T * scale[g])
    return out


def carry(influence: Floats, have: Floats, want: Floats) -> Floats:
    """``influence`` [N, K], whose product is ``have`` [K, K], moved as little as possible so that its product is ``want``.

    The symmetric map L = have^-½ (have^½ want have^½)^½ have^-½ solves L have L = want.
    """
    root, inverse = _roots(have)
    middle, _ = _roots(root @ want @ root)
    return np.asarray(influence @ (inverse @ middle @ inverse))


def _roots(matrix: Floats) -> tuple[Floats, Floats]:
    """Symmetric square root of a positive semi-definite matrix, and its pseudo-inverse."""
    values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
    values = np.maximum(values, 0.0)
    root = np.sqrt(values)
    live = values > values.max(initial=0.0) * 1e-13
    inverse = np.where(live, 1.0 / np.where(live, root, 1.0), 0.0)
    return (vectors * root) @ vectors.T, (vectors * inverse) @ vectors.T
