"""Agglomeration and specialisation from a table of regions and industries.

Shapes: ``X`` [..., R, I] activity (employment, output) of R regions in I industries, NaN where nothing is known; leading axes (years) are
batched. Sums run over what is observed.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from hinterland.measure.shares import Floats, ratio

Transform = Literal["none", "log"]

_FLAT = 1e-12
"""Quotients whose standard deviation is this small a part of their size do not vary but for rounding."""


def location_quotient(X: Floats, reference: Floats | None = None) -> Floats:
    """[..., R, I] location quotient: an industry's share of the region over its share of the nation.

    LQ_ri = (X_ri / X_r.) / (X_.i / X_..) (Florence 1939; the revealed comparative advantage of Balassa 1965). NaN where the cell, the
    region's total or the industry's national total is missing or zero.

    Args:
        X: [..., R, I] activity, ≥ 0.
        reference: [..., I] national activity by industry; the sum over the regions by default.
    """
    national = np.nansum(X, axis=-2) if reference is None else reference
    with np.errstate(divide="ignore", invalid="ignore"):
        share = X / np.nansum(X, axis=-1, keepdims=True)
        nation = national / np.nansum(national, axis=-1, keepdims=True)
        quotient = share / nation[..., None, :]
    return np.where(np.isfinite(quotient), quotient, np.nan)


def symmetric_location_quotient(quotient: Floats) -> Floats:
    """(LQ − 1) / (LQ + 1), from −1 to 1, so that under- and over-representation weigh the same (Laursen 2015, written in 1998)."""
    return np.asarray((quotient - 1) / (quotient + 1), dtype=np.float64)


def standardised_location_quotient(quotient: Floats, transform: Transform = "none", ddof: int = 1) -> Floats:
    """[..., R, I] (LQ − mean) / standard deviation over the regions of an industry (O'Donoghue & Gleave 2004).

    The paper calls a region an agglomeration where this z exceeds the normal cut-off (1.65 at 5 %, one-sided), on condition that quotients,
    or their logarithms, are normal over regions. NaN where there are fewer than two regions, or no variation, and for the logarithm of 0.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        x = np.log(quotient) if transform == "log" else quotient
    x = np.where(np.isfinite(x), x, np.nan)
    n = np.isfinite(x).sum(axis=-2, keepdims=True)
    mean = ratio(np.nansum(x, axis=-2, keepdims=True), n)
    spread = np.sqrt(ratio(np.nansum((x - mean) ** 2, axis=-2, keepdims=True), n - ddof))
    return ratio(x - mean, np.where(spread > _FLAT * (1 + np.abs(mean)), spread, 0))


def bootstrap_cutoffs(standardised: Floats, level: float = 0.95, draws: int = 999, seed: int = 0) -> Floats:
    """[..., I] cut-off of each industry without assuming normality: the mean, over resamples of the regions, of their quantile ``level``.

    Tian (2013): regions are drawn with replacement from the standardised quotients of the industry. NaN with fewer than two regions.
    """
    z = np.moveaxis(standardised, -2, -1)
    flat = z.reshape(-1, z.shape[-1])
    out = np.full(len(flat), np.nan)
    for i, column in enumerate(flat):
        known = column[np.isfinite(column)]
        if len(known) > 1:
            rng = np.random.default_rng(seed)
            resampled = known[rng.integers(len(known), size=(draws, len(known)))]
            out[i] = np.quantile(resampled, level, axis=1).mean()
    return out.reshape(z.shape[:-1])


def co_agglomeration(first: Floats, second: Floats) -> tuple[Floats, Floats]:
    """C = 1 − |LQ_m − LQ_s| / (LQ_m + LQ_s), from 0 to 1 (Yang 2013), and C⁺ = C + LQ_m + LQ_s (after Chen & Chen 2012).

    C tells how alike the two quotients are, C⁺ adds how high they are. NaN where both quotients are 0.
    """
    both = first + second
    closeness = 1 - ratio(np.abs(first - second), both)
    return closeness, np.asarray(closeness + both, dtype=np.float64)
