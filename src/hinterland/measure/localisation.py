"""Localisation of industries: how their activity spreads over regions, beside the size of the regions.

Shapes: ``X`` [..., R, I] activity of R regions in I industries, NaN where nothing is known; ``size`` [..., R] what regions are compared
with (population, area), all activity by default; results [..., I]. Shares g of the industry and x of size run over the regions in which
the industry is on record.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from scipy.special import rel_entr

from hinterland.measure.shares import Floats, nansum_or_nan, ratio, shares_beside

Scale = Literal["unit", "area"]


def regional_size(X: Floats, size: Floats | None = None) -> Floats:
    """[..., R] the size given, or the sum over the industries."""
    return np.nansum(X, axis=-1) if size is None else size


def _beside(X: Floats, size: Floats | None) -> tuple[Floats, Floats]:
    return shares_beside(X, regional_size(X, size)[..., :, None], -2)


def hoover_localisation(X: Floats, size: Floats | None = None) -> Floats:
    """½ Σ_r |g_ri − x_r|: the share of the industry that would have to move for it to spread like size (Hoover 1936)."""
    industry, regions = _beside(X, size)
    return np.asarray(nansum_or_nan(np.abs(industry - regions), -2) / 2, dtype=np.float64)


def locational_gini(X: Floats, size: Floats | None = None, scale: Scale = "unit") -> Floats:
    """Gini coefficient of the location quotients with regions weighted by size (Hoover 1936; Krugman 1991).

    Regions in order of g/x; 1 − Σ (G_r + G_{r−1})(X_r − X_{r−1}) with G and X cumulated: from 0 towards 1. ``area``: the area between
    curve and diagonal, which is half of it.
    """
    industry, regions = _beside(X, size)
    with np.errstate(divide="ignore", invalid="ignore"):
        order = np.argsort(industry / regions, axis=-2)
    g, x = (np.nan_to_num(np.take_along_axis(a, order, axis=-2)) for a in (industry, regions))
    gini = 1 - np.sum((2 * np.cumsum(g, axis=-2) - g) * x, axis=-2)
    known = np.isfinite(industry).any(axis=-2) & np.isfinite(regions).any(axis=-2)
    return np.where(known, gini if scale == "unit" else gini / 2, np.nan)


def theil_localisation(X: Floats, size: Floats | None = None) -> Floats:
    """Σ_r g_ri ln(g_ri / x_r), from 0 (Theil 1967; Brülhart & Traeger 2005). NaN where there is activity in a region of size 0."""
    found = nansum_or_nan(rel_entr(*_beside(X, size)), -2)
    return np.where(np.isfinite(found), found, np.nan)


def density(activity: Floats, area: Floats) -> Floats:
    """Activity per unit of area (Ciccone & Hall 1996); whether area is built-up or administrative is the caller's choice."""
    return ratio(activity, area)


def relative_density(X: Floats, area: Floats) -> Floats:
    """[..., R, I] (X_ri / a_r) / (X_.i / a_.): density of an industry in a region beside the nation's.

    Args:
        X: [..., R, I] activity or people.
        area: [..., R] of the regions, > 0.
    """
    national = ratio(np.nansum(X, axis=-2, keepdims=True), np.nansum(area, axis=-1)[..., None, None])
    return ratio(ratio(X, area[..., :, None]), national)
