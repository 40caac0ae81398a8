"""Relative factor misallocation (要素错配指数), after Aoki (2012) and Chen & Hu 陈永伟、胡伟民 (2011).

Arrays are ``[T, R]`` (or ``[R]``): periods by regions, NaN where not observed. A region enters the totals of a period when all
its numbers are there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hinterland.measure.division import quotient

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Misallocation:
    """How far a factor's regional shares are from what equal marginal products would give.

    Attributes:
        gamma: ``[…, R]``, relative distortion: the region's share of the factor over its share under equal marginal products; 0 where it has none.
        tau: ``[…, R]``, ``1/γ − 1``; positive where the factor is short (as if taxed), negative where there is too much; NaN where γ is 0.
        absolute: ``[…, R]``, ``|τ|``.
        share: ``[…, R]``, output share ``s_r``.
        mean_elasticity: ``[…]``, ``β̄ = Σ s_r β_r``.
        used: ``[…, R]``, whether the region is in the totals.
    """

    gamma: Array
    tau: Array
    absolute: Array
    share: Array
    mean_elasticity: Array
    used: NDArray[np.bool_]

    def identity_gap(self, elasticity: ArrayLike) -> Array:
        """``Σ_r s_r β_r γ_r / β̄ − 1``, ``[…]``: 0 where the totals are those of the sample."""
        beta = np.broadcast_to(np.asarray(elasticity, dtype=np.float64), self.gamma.shape)
        total = np.where(self.used, self.share * beta * self.gamma, 0.0).sum(axis=-1)
        return np.asarray(total / self.mean_elasticity - 1)


def misallocation(
    output: ArrayLike,
    factor: ArrayLike,
    elasticity: ArrayLike,
    *,
    sample: ArrayLike | None = None,
    output_total: ArrayLike | None = None,
    factor_total: ArrayLike | None = None,
    mean_elasticity: ArrayLike | None = None,
) -> Misallocation:
    """``γ_r = (F_r/ΣF) / (s_r β_r/β̄)`` and ``τ_r = 1/γ_r − 1`` of one factor (Aoki 2012; Chen & Hu 2011).

    Args:
        output: ``[…, R]``, real output.
        factor: ``[…, R]``, capital or labour, any unit.
        elasticity: output elasticity of the factor, broadcast to ``[…, R]``.
        sample: ``[…, R]``, regions that may enter the totals (where another factor must be observed too); all by default.
        output_total, factor_total: totals ``[…]`` of a wider area instead of the sum of the sample.
        mean_elasticity: ``β̄`` ``[…]`` of the wider area; by default the mean over the sample weighted by output.
    """
    y, f = np.asarray(output, dtype=np.float64), np.asarray(factor, dtype=np.float64)
    beta = np.broadcast_to(np.asarray(elasticity, dtype=np.float64), y.shape)
    used = np.isfinite(y) & np.isfinite(f) & np.isfinite(beta)
    if sample is not None:
        used &= np.asarray(sample, dtype=bool)
    y, f, beta = (np.where(used, v, 0.0) for v in (y, f, beta))
    own_output = y.sum(axis=-1)
    s = quotient(y, (own_output if output_total is None else np.asarray(output_total, dtype=np.float64))[..., None])
    b = (
        quotient((y * beta).sum(axis=-1), own_output)
        if mean_elasticity is None
        else np.broadcast_to(np.asarray(mean_elasticity, dtype=np.float64), y.shape[:-1])
    )
    factor_share = quotient(f, (f.sum(axis=-1) if factor_total is None else np.asarray(factor_total, dtype=np.float64))[..., None])
    gamma = np.where(used, quotient(factor_share, quotient(s * beta, b[..., None])), np.nan)
    tau = quotient(np.ones_like(gamma), gamma) - 1
    return Misallocation(gamma, tau, np.abs(tau), np.where(used, s, np.nan), np.asarray(b), used)
