"""Integration read from production: whose shocks growth follows, and how far structures lie apart.

Growth of output is split into what moves the nation, an industry everywhere, a province in all its industries, and neither (Xu 2002, China Economic
Review 13(2–3)): in integrated markets the industry's part is large and the province's small. Structures are compared with the nation's by the
Krugman index (Young 2000, Quarterly Journal of Economics 115(4)): provinces that shield their markets grow alike.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hinterland.measure.division import ratio
from hinterland.measure.two_way import TwoWay

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

CONSTANT = 1e-24
"""A variance below this share of the mean square is rounding."""


@dataclass(frozen=True, slots=True)
class VarianceShares:
    """Shares of the variance of growth, which sum to one.

    Attributes:
        national: [G] moves of the nation from year to year; zero within one year.
        industry: [G] an industry's growth in all provinces.
        province: [G] a province's growth in all industries.
        residual: [G] the rest.
        n: [G] growth rates observed.
        spare: [G] degrees of freedom that both effects leave.
        variance: [G] variance of growth (divided by n), in squared log points.
        connected: [G] whether the cells tie all provinces and industries together; otherwise the parts are not told apart.
    """

    national: Floats
    industry: Floats
    province: Floats
    residual: Floats
    n: Ints
    spare: Ints
    variance: Floats
    connected: NDArray[np.bool_]


def growth_rates(level: Floats, periods: Ints) -> Floats:
    """[T, P, I] log growth since the period before, NaN where that is not observed or either level is not positive."""
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.where(level > 0, np.log(level), np.nan)
    out = np.full_like(logs, np.nan)
    after = np.flatnonzero(np.diff(periods) == 1) + 1
    out[after] = logs[after] - logs[after - 1]
    return out


def variance_shares(growth: Floats, pooled: bool = False) -> VarianceShares:
    """Decompose g_pit = λ_t + α_it + β_pt + u_pit by least squares in each year; a part's share is its covariance with g over the variance of g.

    Where every cell is observed the parts are orthogonal and the shares are those of the analysis of variance. Growth that is noise alone has
    an expected province share of (P − 1)/(P·I − 1) and an industry share of (I − 1)/(P·I − 1).

    Args:
        growth: [T, P, I] growth rates, NaN where not observed.
        pooled: one decomposition over all years (G = 1) instead of one a year (G = T).
    """
    seen = np.isfinite(growth)
    weight = seen.astype(np.float64)
    filled = np.where(seen, growth, 0.0)
    projection = TwoWay.of(weight)
    province, industry = projection.effects(filled)
    yearly = _mean(filled, weight, (1, 2))
    by_province = np.broadcast_to(province[:, :, None], growth.shape)
    by_industry = np.broadcast_to(industry[:, None, :], growth.shape)
    by_province, by_industry = (x - _mean(x, weight, (1, 2)) for x in (by_province, by_industry))
    axes = (0, 1, 2) if pooled else (1, 2)
    deviation = (filled - _mean(filled, weight, axes)) * weight
    parts = [yearly - _mean(yearly * np.ones_like(filled), weight, axes), by_industry, by_province]
    parts.append(deviation - sum(parts))
    total = (deviation**2).sum(axis=axes)
    total = np.where(total > CONSTANT * (filled**2).sum(axis=axes), total, 0.0)
    shares = [ratio((deviation * part).sum(axis=axes), total) for part in parts]
    n = weight.sum(axis=(1, 2))
    spare = n - projection.rank
    tied = (n == 0) | (projection.rank == np.any(seen, axis=2).sum(axis=1) + np.any(seen, axis=1).sum(axis=1) - 1)
    if pooled:
        shares, total = [np.atleast_1d(s) for s in shares], np.atleast_1d(total)
        n, spare, tied = n.sum(keepdims=True), spare.sum(keepdims=True), tied.all(keepdims=True)
    variance = ratio(total, n)
    return VarianceShares(shares[0], shares[1], shares[2], shares[3], n.astype(np.int64), spare.astype(np.int64), variance, tied)


def _mean(x: Floats, weight: Floats, axes: tuple[int, ...]) -> Floats:
    below = weight.sum(axis=axes, keepdims=True)
    return np.asarray(np.divide((x * weight).sum(axis=axes, keepdims=True), below, out=np.zeros_like(below), where=below > 0))


def krugman_from_nation(X: Floats) -> Floats:
    """[..., R] Krugman index Σ_i |s_ri − m_i| of each region's structure against that of all regions together; 0 alike, towards 2 apart.

    NaN where a region's total is zero.

    Args:
        X: [..., R, I] output, not negative, NaN where not observed; sums run over what is observed.
    """
    nation = np.nansum(X, axis=-2)
    with np.errstate(invalid="ignore"):
        share = X / np.nansum(X, axis=-1, keepdims=True)
        gap = np.abs(share - (nation / nation.sum(axis=-1, keepdims=True))[..., None, :])
    return np.where(np.isfinite(gap).any(axis=-1), np.nansum(gap, axis=-1), np.nan)
