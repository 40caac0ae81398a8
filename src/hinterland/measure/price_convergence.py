"""Price convergence: how fast relative price levels return to their mean, as a half-life.

    Δx_st = a_s + (ρ − 1) x_s,t−1 + Σ_l φ_l Δx_s,t−l + ε_st,    x_pqt = ln(P_pt/P_qt)

by least squares within series (Parsley & Wei 1996, Quarterly Journal of Economics 111(4); Fan & Wei 2006, Review of Economics and Statistics 88(4)).
The half-life is ln ½ / ln ρ periods. Within series of T usable periods ρ is estimated too low, by about (1 + ρ)/(T − 1) (Nickell 1981,
Econometrica 49(6)), and the half-life too short.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LEAST_PERIODS = 3
"""Usable periods below which a series is left out."""
CONSTANT = 1e-20
"""A sum of squares below this share of the raw one is rounding."""
NEAR_ONE = 0.999
"""Largest ρ that the correction tells from 1; closer, the formula loses its digits."""


@dataclass(frozen=True, slots=True)
class Series:
    """S relative prices [T, S] and the positions of the two regions of each: ``a`` [S], ``b`` [S] (−1: the mean of all regions)."""

    x: Floats
    a: Ints
    b: Ints


@dataclass(frozen=True, slots=True)
class Persistence:
    """An estimated autoregression.

    Attributes:
        rho: persistence; NaN where it cannot be estimated.
        std_error: clustered by region at both ends of a pair; NaN where every two pairs share a region, so that nothing is left to compare.
        half_life: periods; NaN where ρ is not between 0 and 1.
        half_life_std_error: by the delta method.
        n: observations;  series: how many entered;  periods: their mean number of usable periods.
        reason: why there is no persistence, or no half-life, or an empty text.
    """

    rho: float
    std_error: float
    half_life: float
    half_life_std_error: float
    n: int
    series: int
    periods: float
    reason: str


def relative_prices(level: Floats, a: Ints, b: Ints) -> Series:
    """ln(P_a/P_b) of each pair: ``level`` [T, P] positive, NaN where not observed."""
    logs = np.log(level)
    return Series(logs[:, a] - logs[:, b], a, b)


def deviations_from_mean(level: Floats) -> Series:
    """Logs less their mean over the regions of the period, one series a region; a period counts only where every region that is ever observed is.

    A region that comes and goes would move the mean.
    """
    logs = np.log(level)
    here = np.flatnonzero(np.isfinite(logs).any(axis=0))
    whole = np.isfinite(logs[:, here]).all(axis=1)
    x = np.full((len(logs), len(here)), np.nan)
    x[whole] = logs[np.ix_(whole, here)] - logs[np.ix_(whole, here)].mean(axis=1, keepdims=True)
    return Series(x, here, np.full(len(here), -1))


def stacked(series: list[Series]) -> Series:
    """The series of several goods as one list, with a persistence in common."""
    return Series(*(np.concatenate([getattr(s, name) for s in series], axis=-1) for name in ("x", "a", "b")))


def persistence(series: Series, periods: Ints, *, lags: int = 0, nickell: bool = False) -> Persistence:
    """Estimate ρ and the half-life.

    Args:
        series: relative price levels, NaN where not observed.
        periods: [T] ascending; a lag is the period before, not the row before.
        lags: lagged changes beside the lagged level, against serial correlation.
        nickell: correct ρ for the bias of Nickell (1981, eq. 18) at the mean number of periods; defined without lagged changes.
    """
    y, regressors, used = _columns(series.x, periods, lags)
    n, kept, each = int(used.sum()), int(used.any(axis=0).sum()), used.sum(axis=0)
    length = n / kept if kept else 0.0
    if n - kept - len(regressors) <= 0:
        return Persistence(np.nan, np.nan, np.nan, np.nan, n, kept, length, "too-short")
    within = np.stack([_within(c, used, each) for c in (y, *regressors)])
    x = within[1:]
    gram = np.einsum("cts,dts->cd", x, x)
    raw = np.array([(np.where(used, c, 0.0) ** 2).sum() for c in regressors])
    if (np.diag(gram) <= CONSTANT * raw).any() or np.linalg.matrix_rank(gram) < len(x):
        return Persistence(np.nan, np.nan, np.nan, np.nan, n, kept, length, "zero-variance")
    bread = np.linalg.inv(gram)
    slope = bread @ np.einsum("cts,ts->c", x, within[0])
    each_score = x * (within[0] - np.tensordot(slope, x, 1))
    scores = each_score.sum(axis=1)
    variance = float((bread @ _dyadic(scores, series) @ bread)[0, 0])
    alone = float((np.tensordot(bread[0], each_score, 1) ** 2).sum())
    error = float(np.sqrt(variance)) if variance > CONSTANT * alone else np.nan
    rho = 1 + float(slope[0])
    if nickell:
        rho, factor = unbiased(rho, length)
        error *= factor
    return _with_half_life(rho, error, n, kept, length)


def _with_half_life(rho: float, error: float, n: int, series: int, length: float) -> Persistence:
    if not 0 < rho < 1:
        return Persistence(rho, error, np.nan, np.nan, n, series, length, "not-mean-reverting" if rho >= 1 else "oscillating")
    half = np.log(0.5) / np.log(rho)
    return Persistence(rho, error, half, half * error / (rho * abs(np.log(rho))), n, series, length, "")


def _columns(x: Floats, periods: Ints, lags: int) -> tuple[Floats, list[Floats], NDArray[np.bool_]]:
    """[T, S] changes, the lagged level and the lagged changes, and where all of them are known in a series that is long enough."""
    before = _lag(x, periods, 1)
    change = x - before
    regressors = [before, *(_lag(change, periods, k) for k in range(1, lags + 1))]
    used = np.isfinite(np.stack([change, *regressors])).all(axis=0)
    return change, regressors, np.asarray(used & (used.sum(axis=0) >= LEAST_PERIODS))


def _lag(x: Floats, periods: Ints, count: int) -> Floats:
    """The series x [T, S] ``count`` periods before, NaN where there is no such period."""
    at = np.searchsorted(periods, periods - count)
    out = np.full_like(x, np.nan)
    there = periods[at] == periods - count
    out[there] = x[at[there]]
    return out


def _within(x: Floats, used: NDArray[np.bool_], count: Ints) -> Floats:
    """The series x [T, S] less the mean of its series, zero where it is not used."""
    kept = np.where(used, x, 0.0)
    mean = np.divide(kept.sum(axis=0), count, out=np.zeros(len(count)), where=count > 0)
    return np.where(used, kept - mean, 0.0)


def _dyadic(scores: Floats, series: Series) -> Floats:
    """Σ s_i s_j' over all series i, j that share a region (Cameron & Miller 2014; Aronow, Samii & Assenova 2015): ``scores`` [c, S].

    Series of the same two regions share both and must count once.
    """
    size = int(max(series.a.max(), series.b.max())) + 1
    low, high = np.minimum(series.a, series.b), np.maximum(series.a, series.b)
    real = low >= 0
    by_region = _sums(scores, high, size) + _sums(scores[:, real], low[real], size)
    _, pair = np.unique((low + 1) * (size + 1) + high, return_inverse=True)
    twice = real[np.unique(pair, return_index=True)[1]]
    by_pair = _sums(scores, pair, len(twice))[:, twice]
    meat: Floats = by_region @ by_region.T - by_pair @ by_pair.T
    return meat


def _sums(scores: Floats, group: Ints, size: int) -> Floats:
    return np.stack([np.bincount(group, weights=row, minlength=size) for row in scores])


def nickell_bias(rho: float, length: float) -> float:
    """plim(ρ̂ − ρ) of the within estimator for many series of ``length`` usable periods (Nickell 1981, eq. 18)."""
    inner = 1 - (1 - rho**length) / (length * (1 - rho))
    return float(-(1 + rho) / (length - 1) * inner / (1 - 2 * rho * inner / ((1 - rho) * (length - 1))))


def unbiased(estimate: float, length: float) -> tuple[float, float]:
    """The ρ whose estimate would be ``estimate``, and the factor by which its standard error grows; 1 where ρ would be above 0.999."""
    low, high = -0.99, NEAR_ONE

    def expected(rho: float) -> float:
        return rho + nickell_bias(rho, length)

    if estimate >= expected(high):
        return 1.0, 1.0
    if estimate <= expected(low):
        return estimate, 1.0
    rho = float(brentq(lambda r: expected(r) - estimate, low, high))
    step = 1e-5
    return rho, 2 * step / (expected(min(rho + step, high)) - expected(rho - step)) if rho + step < high else 1.0
