"""Agglomeration and specialisation from a table of regions and industries.

Shapes: ``X`` [..., R, I] activity (employment, output) of R regions in I industries, NaN where nothing is known; leading axes (years) are
batched. Sums run over what is observed.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


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
