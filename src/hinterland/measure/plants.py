"""Localisation beyond that of plants: the index of Ellison & Glaeser, and co-agglomeration of pairs of industries.

Shapes: ``X`` [..., R, I] employment of I industries in R regions; ``size`` [..., R] what regions are compared with, all employment by default.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from hinterland.measure.localisation import regional_size
from hinterland.measure.shares import Floats, nansum_or_nan, ratio, shares, shares_beside

Weighting = Literal["total", "mean-share"]


@dataclass(frozen=True, slots=True)
class EllisonGlaeser:
    """The index with its parts: [..., I] arrays.

    Attributes:
        gamma: γ; 0 if plants are as good as dealt at random, above 0.05 high, below 0.02 low (Ellison & Glaeser 1997); below 0: dispersed.
        concentration: G = Σ_r (g_r − x_r)².
        herfindahl: H = Σ_j z_j² of plants, as given.
    """

    gamma: Floats
    concentration: Floats
    herfindahl: Floats


def plant_herfindahl(total: Floats, squares: Floats) -> Floats:
    """H = Σ_j z_j² from the sum of plants' employment and the sum of its squares."""
    return ratio(squares, np.square(total))


def ellison_glaeser(X: Floats, herfindahl: Floats, size: Floats | None = None) -> EllisonGlaeser:
    """γ = (G − (1 − Σx²) H) / ((1 − Σx²)(1 − H)) (Ellison & Glaeser 1997). NaN for an industry of one plant, H = 1.

    Args:
        X: [..., R, I] employment: 0 where an industry has no plant, NaN where it is not known; g and x run over the regions known.
        herfindahl: [..., I] Σ_j z_j² over the plants of the industry.
        size: [..., R] of regions; all employment by default.
    """
    g, x = shares_beside(X, regional_size(X, size)[..., :, None], -2)
    concentration = nansum_or_nan((g - x) ** 2, -2)
    room = 1 - np.nansum(x**2, axis=-2)
    spread = np.where(herfindahl < 1 - _ONE, 1 - herfindahl, 0)
    return EllisonGlaeser(ratio(concentration - room * herfindahl, room * spread), concentration, herfindahl)


_ONE = 1e-12
"""A Herfindahl index this close to 1 is that of one plant."""


def pairwise_coagglomeration(X: Floats, size: Floats | None = None, weighting: Weighting = "total") -> Floats:
    """[..., I, I] Σ_r (g_ri − x_r)(g_rj − x_r) / (1 − Σ x_r²) (Ellison, Glaeser & Kerr 2010).

    Args:
        X: [..., R, I] employment: 0 where an industry has no plant, NaN where it is not known; shares run over the regions in which both
            industries are known.
        size: [..., R] of regions, which ``weighting`` then does not decide.
        weighting: x is the region's share of all employment (``total``, as in the index of one industry), or the mean over the industries
            of its shares of them (``mean-share``, as Ellison, Glaeser & Kerr have it).
    """
    if size is None and weighting == "mean-share":
        g = shares(X, -2)
        size = ratio(np.nansum(g, axis=-1), np.isfinite(g).sum(axis=-1))
    sizes = np.broadcast_to(regional_size(X, size)[..., :, None], X.shape)
    return np.stack([_with_industry(X, sizes, i) for i in range(X.shape[-1])], axis=-2)


def _with_industry(X: Floats, sizes: Floats, i: int) -> Floats:
    """[..., I] co-agglomeration of industry i with every industry."""
    own = np.broadcast_to(X[..., i : i + 1], X.shape)
    known = np.isfinite(own) & np.isfinite(X)
    first, second, x = (shares(np.where(known, a, np.nan), -2) for a in (own, X, sizes))
    return ratio(nansum_or_nan((first - x) * (second - x), -2), 1 - np.nansum(x**2, axis=-2))
