"""Bootstrap intervals from draws: percentile, and bias-corrected and accelerated (Efron 1987; Efron & Tibshirani 1993, An Introduction to the Bootstrap, chapter 14)."""

from __future__ import annotations

import numpy as np

from hinterland.evaluate.coding import Floats

TIE = 1e-12


def percentile(draws: Floats, level: float) -> tuple[Floats, Floats]:
    """[m] ends of the equal-tailed percentile intervals of draws [R, m]."""
    tail = (1 - level) / 2
    low, high = np.quantile(draws, [tail, 1 - tail], axis=0)
    return low, high


def accelerated(estimate: Floats, draws: Floats, left_out: Floats, level: float) -> tuple[Floats, Floats]:
    """[m] ends of the BCa intervals of estimates [m] with draws [R, m] and leave-one-cluster-out values [C, m].

    The quantiles taken are Φ(z₀ + (z₀ + z)/(1 − a(z₀ + z))), with z₀ the normal quantile of the share of draws below the estimate and a = Σ d³ / (6 (Σ d²)^{3/2}), d the mean
    of the leave-one-out values less each of them (Efron & Tibshirani 1993, equations 14.10, 14.14, 14.15). NaN where every draw is on one side of the estimate.
    """
    from scipy import special

    below = (draws < estimate - TIE * np.abs(estimate)).mean(axis=0)
    ties = (np.abs(draws - estimate) <= TIE * np.abs(estimate)).mean(axis=0)
    bias = special.ndtri(below + ties / 2)
    gap = left_out.mean(axis=0) - left_out
    square = (gap**2).sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        lean = np.where(square > 0, (gap**3).sum(axis=0) / (6 * square**1.5), 0.0)
        ends = [
            _taken(draws, special.ndtr(bias + (bias + z) / (1 - lean * (bias + z))))
            for z in special.ndtri([(1 - level) / 2, (1 + level) / 2])
        ]
    return ends[0], ends[1]


def _taken(draws: Floats, share: Floats) -> Floats:
    """[m] the ``share`` [m] quantile of each column of draws [R, m]; NaN where the share is none."""
    out = np.full(draws.shape[1], np.nan)
    for j in np.flatnonzero(np.isfinite(share) & (share > 0) & (share < 1)):
        out[j] = np.quantile(draws[:, j], share[j])
    return out


def two_sided(draws: Floats) -> Floats:
    """[m] p-values against zero: twice the smaller share of draws [R, m] on either side of it, the estimate counted as one draw."""
    count = len(draws)
    tail = np.minimum((draws <= 0).sum(axis=0), (draws >= 0).sum(axis=0))
    return np.asarray(np.minimum(2 * (1 + tail) / (1 + count), 1.0))
