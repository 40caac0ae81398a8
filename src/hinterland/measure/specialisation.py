"""Specialisation and diversity of regions: how their industries share their activity.

Shapes: ``X`` [..., R, I] activity of R regions in I industries, NaN where nothing is known; results [..., R]. Shares run over the
industries that a region has on record; where two structures are compared, both are shares over those. A region without any activity is NaN.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from scipy.spatial.distance import pdist
from scipy.special import entr

from hinterland.measure.shares import Floats, nansum_or_nan, ratio, shares, shares_beside

Versus = Literal["nation", "rest"]


def herfindahl(X: Floats, axis: int = -1, *, normalised: bool = False) -> Floats:
    """Σ s² of the shares along ``axis``: industries of a region (−1) or regions of an industry (−2); from 1/n to 1.

    Normalised: (H − 1/n) / (1 − 1/n), from 0 to 1, with n the cells on record, zeros among them; NaN for a single cell.
    """
    raw = nansum_or_nan(shares(X, axis) ** 2, axis)
    if not normalised:
        return raw
    n = np.isfinite(X).sum(axis=axis)
    return ratio(raw - ratio(1, n), 1 - ratio(1, n))


def entropy(X: Floats, base: float | None = None) -> Floats:
    """Shannon entropy −Σ s ln s of a region's industries, from 0 to ln n; in bits with ``base`` 2."""
    found = nansum_or_nan(entr(shares(X, -1)), -1)
    return found if base is None else np.asarray(found / np.log(base), dtype=np.float64)


def national_total(X: Floats, reference: Floats | None = None) -> Floats:
    """[..., I] the reference given, or the sum over the regions."""
    return np.nansum(X, axis=-2) if reference is None else reference


def krugman(X: Floats, reference: Floats | None = None, versus: Versus = "nation") -> Floats:
    """Σ |s_ri − m_i|: the region's shares of industries against the nation's, or against the rest of the nation (Krugman 1991).

    From 0, the same structure, towards 2, nothing in common.

    Args:
        X: [..., R, I] activity.
        reference: [..., I] national activity, the regions' own included; their sum by default.
        versus: ``nation``, or ``rest``: the nation less the region.
    """
    nation = np.broadcast_to(national_total(X, reference)[..., None, :], X.shape)
    own, other = shares_beside(X, nation - np.nan_to_num(X) if versus == "rest" else nation, -1)
    return nansum_or_nan(np.abs(own - other), -1)


def krugman_pairs(X: Floats) -> Floats:
    """[..., R (R − 1) / 2] Σ |s_ri − s_qi| for each pair of regions r < q, over the industries that both have on record."""
    first, second = np.triu_indices(X.shape[-2], 1)
    flat = X.reshape(-1, *X.shape[-2:])
    found = np.stack([_distances(table) for table in flat])
    return found.reshape(*X.shape[:-2], len(first)) if len(second) else np.zeros((*X.shape[:-2], 0))


def _distances(X: Floats) -> Floats:
    """[pairs] of one table [R, I]."""
    if np.isfinite(X).all():
        return np.asarray(pdist(shares(X, -1), "cityblock"), dtype=np.float64)
    rows = []
    for r in range(len(X) - 1):
        own, other = np.broadcast_to(X[r], X[r + 1 :].shape), X[r + 1 :]
        seen = np.isfinite(own) & np.isfinite(other)
        gap = shares(np.where(seen, own, np.nan), -1) - shares(np.where(seen, other, np.nan), -1)
        rows.append(nansum_or_nan(np.abs(gap), -1))
    return np.concatenate(rows) if rows else np.zeros(0)


def relative_diversity(X: Floats, reference: Floats | None = None) -> Floats:
    """1 / Σ |s_ri − m_i|: the more like the nation, the larger (Duranton & Puga 2000). NaN for a region that is exactly like it."""
    gap = krugman(X, reference)
    return ratio(1, np.where(gap > _SAME, gap, 0))


_SAME = 1e-12
"""Structures this close differ by rounding only."""


def jacobs_diversity(X: Floats) -> Floats:
    """1 / Σ s²: how many industries of equal size would be as diverse, from 1 to n."""
    return ratio(1, herfindahl(X))
