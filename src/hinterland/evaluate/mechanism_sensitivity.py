"""How strong an unmeasured confounder of mediator and outcome would have to be.

With ρ the correlation of the errors of the mediator's and the outcome's equation, the slope of the outcome in the mediator is (Imai, Keele & Yamamoto 2010, Statistical Science 25(1), theorem 4)

    b(ρ) = (σ₁/σ₂) { ρ̃ − ρ √((1 − ρ̃²)/(1 − ρ²)) },

with σ₁, σ₂ and ρ̃ the standard deviations and the correlation of the residuals of outcome and mediator when the mediator is not among the regressors. Since ρ̃ σ₁/σ₂ = b(0) = b and
(σ₁/σ₂)√(1 − ρ̃²) = s, the outcome's residual standard deviation given the mediator over the mediator's, this is

    b(ρ) = b − s ρ/√(1 − ρ²),    b(ρ) = 0 at ρ̃ = b/√(s² + b²).

An omitted variable that explains the shares R²_M and R²_Y of the residual variances has ρ² = R²_M R²_Y.
"""

from __future__ import annotations

import numpy as np

from hinterland.evaluate.coding import Floats
from hinterland.evaluate.mechanism_intervals import percentile
from hinterland.evaluate.mechanism_paths import Paths

GRID = np.round(np.arange(-9, 10) / 10, 1)
"""Correlations at which indirect effects are told."""
STEP = 0.01


def slope_at(paths: Paths, rho: float) -> Floats:
    """[R, K] slopes if the errors of outcome and mediator had the correlation ``rho``."""
    return np.asarray(paths.slope - paths.spread * rho / np.sqrt(1 - rho**2))


def indirect_at(paths: Paths, rho: float) -> Floats:
    """[R, K] indirect effects at ``rho``."""
    return np.asarray(paths.effect * slope_at(paths, rho))


def rho_at_zero(paths: Paths) -> Floats:
    """[R, K] the correlation at which the indirect effect is zero, ρ̃."""
    with np.errstate(invalid="ignore"):
        return np.asarray(paths.slope / np.hypot(paths.spread, paths.slope))


def rho_at_doubt(estimate: Paths, draws: Paths, level: float) -> Floats:
    """[K] the correlation nearest to zero, on the side of ρ̃ and to ``STEP``, at which the percentile interval of the indirect effect holds zero; 0 where it does without confounding."""
    breakdown = rho_at_zero(estimate)[0]
    out: Floats = breakdown.copy()
    open_ = np.ones(len(out), dtype=np.bool_)
    for size in np.arange(0.0, 1.0, STEP):
        if not open_.any():
            break
        rho = size * np.sign(breakdown)
        moved = draws.effect * (draws.slope - draws.spread * rho / np.sqrt(1 - size**2))
        low, high = percentile(moved, level)
        found = open_ & ((low <= 0) & (high >= 0) | (size >= np.abs(breakdown)))
        out[found] = np.where(size >= np.abs(breakdown), breakdown, rho)[found]
        open_ &= ~found
    return out + 0.0


def robustness_value(partial_f: Floats, share: float = 1.0) -> Floats:
    """Least share of the residual variance of both mediator and outcome that an omitted variable must explain to take away ``share`` of a coefficient.

    RV = (√(f⁴ + 4f²) − f²)/2 with f = ``share`` · |partial f|, and partial f = t/√df = b/s (Cinelli & Hazlett 2020, Journal of the Royal Statistical Society B 82(1), the robustness value).
    """
    f = share * np.abs(partial_f)
    return np.asarray((np.sqrt(f**4 + 4 * f**2) - f**2) / 2)
