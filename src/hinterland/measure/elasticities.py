"""Output elasticities of capital and labour from a regional panel (要素产出弹性).

``ln(Y/L)_rt = β_K ln(K/L)_rt + μ_r + λ_t + ε_rt`` and ``β_L = 1 − β_K``: a Cobb–Douglas function with constant returns, region and
year effects. Observations are rows ``[N]``; regions and years are integer codes. An elasticity outside bounds is not an elasticity: it
becomes NaN and is counted, never moved to the bound.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq

Array = NDArray[np.float64]
Codes = NDArray[np.intp]
BOUNDS = (0.05, 0.95)


@dataclass(frozen=True, slots=True)
class Slopes:
    """Slopes of classes of regions in one regression.

    Attributes:
        estimate: ``[C]``, NaN where the class has no variation left by the effects.
        std_error: ``[C]``.
        n_used: ``[C]``, observations of the class.
    """

    estimate: Array
    std_error: Array
    n_used: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Shrunk:
    """Slopes drawn to their common mean.

    Attributes:
        estimate: ``[C]``, posterior means.
        std_error: ``[C]``, posterior standard deviations given the two moments below.
        mean: precision-weighted mean of the slopes.
        variance: estimated variance of the true slopes between classes.
    """

    estimate: Array
    std_error: Array
    mean: float
    variance: float


@dataclass(frozen=True, slots=True)
class Elasticities:
    """Elasticities by region, after the bounds.

    Attributes:
        capital: ``[R]``, NaN where not estimated or outside the bounds.
        labour: ``[R]``, one minus the former.
        estimate: ``[R]``, the estimate of capital before the bounds.
        std_error: ``[R]``.
        n_used: ``[R]``, observations behind the region's estimate.
        outside: ``[R]``, whether the estimate is outside the bounds.
    """

    capital: Array
    labour: Array
    estimate: Array
    std_error: Array
    n_used: NDArray[np.int64]
    outside: NDArray[np.bool_]


def residualise(columns: ArrayLike, region: Codes, time: Codes) -> Array:
    """Columns ``[N, P]`` net of region and year effects, exactly and for unbalanced panels too (the within transformation, then a projection)."""
    values = np.asarray(columns, dtype=np.float64)
    years = np.unique(time)
    dummies = (time[:, None] == years[None, 1:]).astype(np.float64)
    both = _demean(np.column_stack([values, dummies]), region)
    mine, others = both[:, : values.shape[1]], both[:, values.shape[1] :]
    if not others.shape[1]:
        return mine
    return mine - others @ np.linalg.lstsq(others, mine, rcond=None)[0]


def _demean(values: Array, group: Codes) -> Array:
    sums = np.zeros((int(group.max()) + 1, values.shape[1]))
    np.add.at(sums, group, values)
    return values - (sums / np.maximum(np.bincount(group), 1)[:, None])[group]


def class_slopes(productivity: ArrayLike, intensity: ArrayLike, region: Codes, time: Codes, member: Codes | None = None) -> Slopes:
    """Slopes of ``ln(Y/L)`` on ``ln(K/L)`` by class of regions, net of region effects and of year effects common to all rows.

    Standard errors are clustered by region (CR1, with the degrees of freedom of slopes and year effects). Where every region is its own
    class, a cluster has no say in its own slope's sandwich; the errors are then heteroskedastic between regions and taken as uncorrelated within them. A class of one region beside larger ones has no standard error.

    Args:
        productivity: ``[N]`` ln(Y/L).
        intensity: ``[N]`` ln(K/L).
        region, time: ``[N]`` codes from 0.
        member: ``[N]`` class codes from 0; one class by default.
    """
    codes = np.zeros(len(region), dtype=np.intp) if member is None else member
    classes = int(codes.max()) + 1
    x = np.zeros((len(region), classes))
    x[np.arange(len(region)), codes] = intensity
    within = residualise(np.column_stack([np.asarray(productivity, dtype=np.float64), x]), region, time)
    y, x = within[:, 0], within[:, 1:]
    counts = np.bincount(codes, minlength=classes)
    own = np.array([np.linalg.norm(x[codes == c, c]) for c in range(classes)])
    scale = np.array([np.linalg.norm(np.asarray(intensity, dtype=np.float64)[codes == c]) for c in range(classes)])
    usable = own > 1e-9 * np.maximum(scale, 1.0)
    estimate, std_error = np.full(classes, np.nan), np.full(classes, np.nan)
    if usable.any():
        alone = np.bincount(np.unique(region * classes + codes) % classes, minlength=classes) == 1
        single = classes > 1 and bool(alone.all())
        estimate[usable], std_error[usable] = _solve(y, x[:, usable], region, len(np.unique(time)), single)
        std_error[alone & (not single)] = np.nan
    return Slopes(estimate, std_error, counts.astype(np.int64))


def _solve(y: Array, x: Array, region: Codes, years: int, single: bool) -> tuple[Array, Array]:
    """Least squares of within-transformed data, and standard errors."""
    bread = np.linalg.pinv(x.T @ x)
    slope = bread @ (x.T @ y)
    residual = y - x @ slope
    if single:
        meat = _between_region_meat(x, residual, region)
    else:
        scores = np.zeros((int(region.max()) + 1, x.shape[1]))
        np.add.at(scores, region, x * residual[:, None])
        clusters, n = len(np.unique(region)), len(y)
        freedom = n - x.shape[1] - years
        factor = clusters / (clusters - 1) * (n - 1) / freedom if clusters > 1 and freedom > 0 else np.nan
        meat = factor * scores.T @ scores
    variance = np.diag(bread @ meat @ bread)
    return slope, np.sqrt(np.where(variance > 0, variance, np.nan))


def _between_region_meat(x: Array, residual: Array, region: Codes) -> Array:
    """``Σ_r σ̂²_r X_r'X_r`` with ``σ̂²_r = e_r'e_r / (T_r − 2)``: a variance for every region, no serial correlation."""
    freedom = np.bincount(region) - 2.0
    variance = np.divide(np.bincount(region, residual**2), freedom, out=np.full(len(freedom), np.nan), where=freedom > 0)
    weighted: Array = x * variance[region][:, None]
    return x.T @ weighted


def shrink(estimate: ArrayLike, std_error: ArrayLike) -> Shrunk:
    """Empirical-Bayes partial pooling: ``β̃_c = (β_c/v_c + β̄/τ²) / (1/v_c + 1/τ²)``.

    ``τ²`` is the estimate of Paule & Mandel (1982): the value at which ``Σ (β_c − β̄)²/(v_c + τ²)`` equals its expectation, the number of classes less
    one; 0 where the sampling errors alone explain the spread, and then every class gets the common mean.

    Args:
        estimate: ``[C]``, NaN allowed (NaN out).
        std_error: ``[C]``.
    """
    slope, error = np.asarray(estimate, dtype=np.float64), np.asarray(std_error, dtype=np.float64)
    seen = np.isfinite(slope) & (error > 0)
    if seen.sum() < 2:
        return Shrunk(
            np.where(seen, slope, np.nan), np.where(seen, error, np.nan), float(slope[seen].sum()) if seen.any() else np.nan, np.nan
        )
    b, v = slope[seen], error[seen] ** 2

    def excess(variance: float) -> float:
        weight = 1 / (v + variance)
        return float(weight @ (b - weight @ b / weight.sum()) ** 2) - (len(b) - 1)

    top = float(np.sum((b - b.mean()) ** 2)) + 1e-12
    between = 0.0 if excess(0.0) <= 0 else float(brentq(excess, 0.0, top, xtol=1e-14, rtol=1e-12))
    weight = 1 / (v + between)
    mean = float(weight @ b / weight.sum())
    keep = between / (between + v)
    posterior, spread = np.full(slope.shape, np.nan), np.full(slope.shape, np.nan)
    posterior[seen], spread[seen] = mean + keep * (b - mean), np.sqrt(keep * v + (1 - keep) ** 2 / weight.sum())
    return Shrunk(posterior, spread, mean, between)


def within_bounds(estimate: ArrayLike, std_error: ArrayLike, n_used: ArrayLike, bounds: tuple[float, float] = BOUNDS) -> Elasticities:
    """Elasticities by region from estimates by region: outside the open interval ``bounds`` they are NaN, and counted.

    Args:
        estimate, std_error, n_used: ``[R]``.
    """
    slope = np.asarray(estimate, dtype=np.float64)
    outside = np.isfinite(slope) & ~((slope > bounds[0]) & (slope < bounds[1]))
    capital = np.where(outside, np.nan, slope)
    return Elasticities(capital, 1 - capital, slope, np.asarray(std_error, dtype=np.float64), np.asarray(n_used, dtype=np.int64), outside)


def estimate_elasticities(
    output: ArrayLike,
    capital: ArrayLike,
    labour: ArrayLike,
    *,
    rule: str = "by-group",
    group: Codes | None = None,
    year_effects: str = "common",
    bounds: tuple[float, float] = BOUNDS,
) -> Elasticities:
    """Elasticities of every region of a panel.

    Args:
        output, capital, labour: ``[T, R]``, constant prices and persons; cells where any is NaN or not positive are left out.
        rule: ``pooled`` (one slope), ``by-group`` (one per group), ``by-region`` (one per region), ``partial-pooling`` (the latter, drawn to their
            mean by :func:`shrink`).
        group: ``[R]`` codes from 0, for ``by-group``.
        year_effects: ``common`` to all regions, as in the equation; ``group``: of each group, which makes each group a regression of its own.
        bounds: open interval outside which an elasticity is NaN.
    """
    each_region = rule in {"by-region", "partial-pooling"}
    productivity, intensity, time, region = _rows(output, capital, labour, at_least=3 if each_region else 2)
    regions = np.asarray(output).shape[1]
    groups = group if rule == "by-group" and group is not None else np.zeros(regions, dtype=np.intp)
    member = np.arange(regions) if each_region else groups
    together = groups if year_effects == "group" else np.zeros(regions, dtype=np.intp)
    estimate, error, used = np.full(regions, np.nan), np.full(regions, np.nan), np.zeros(regions, dtype=np.int64)
    for code in np.unique(together[region]):
        rows = np.flatnonzero(together[region] == code)
        classes, local = np.unique(member[region[rows]], return_inverse=True)
        slopes = class_slopes(productivity[rows], intensity[rows], np.unique(region[rows], return_inverse=True)[1], time[rows], local)
        place = np.searchsorted(classes, member)
        inside = np.isin(member, classes)
        estimate[inside], error[inside], used[inside] = (v[place[inside]] for v in (slopes.estimate, slopes.std_error, slopes.n_used))
    if rule == "partial-pooling":
        drawn = shrink(estimate, error)
        estimate, error = drawn.estimate, drawn.std_error
    return within_bounds(estimate, error, used, bounds)


def _rows(output: ArrayLike, capital: ArrayLike, labour: ArrayLike, at_least: int) -> tuple[Array, Array, Codes, Codes]:
    """ln(Y/L), ln(K/L), year and region of complete positive cells, of regions with at least so many."""
    y, k, n = (np.asarray(v, dtype=np.float64) for v in (output, capital, labour))
    complete = np.all([np.isfinite(v) & (v > 0) for v in (y, k, n)], axis=0)
    time, region = np.nonzero(complete & (complete.sum(axis=0) >= at_least))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.log(y / n)[time, region], np.log(k / n)[time, region], time, region
