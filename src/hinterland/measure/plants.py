"""Localisation beyond that of plants: the index of Ellison & Glaeser, and co-agglomeration of pairs of industries.

Shapes: ``X`` [..., R, I] employment of I industries in R regions; ``size`` [..., R] what regions are compared with, all employment by default.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from hinterland.measure.localisation import regional_size
from hinterland.measure.shares import Floats, ratio, shares

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
        X: [..., R, I] employment; missing cells count as 0, since an industry without plants in a region has no row there.
        herfindahl: [..., I] Σ_j z_j² over the plants of the industry.
        size: [..., R] of regions; all employment by default.
    """
    g, x = shares(np.nan_to_num(X), -2), shares(regional_size(X, size), -1)[..., :, None]
    concentration = np.sum((g - x) ** 2, axis=-2)
    room = 1 - np.sum(x**2, axis=-2)
    spread = np.where(herfindahl < 1 - _ONE, 1 - herfindahl, 0)
    return EllisonGlaeser(ratio(concentration - room * herfindahl, room * spread), concentration, herfindahl)


_ONE = 1e-12
"""A Herfindahl index this close to 1 is that of one plant."""


def pairwise_coagglomeration(X: Floats, size: Floats | None = None, weighting: Weighting = "total") -> Floats:
    """[..., I, I] Σ_r (g_ri − x_r)(g_rj − x_r) / (1 − Σ x_r²) (Ellison, Glaeser & Kerr 2010).

    Args:
        X: [..., R, I] employment; missing cells count as 0.
        size: [..., R] of regions, which ``weighting`` then does not decide.
        weighting: x is the region's share of all employment (``total``, as in the index of one industry), or the mean over the industries
            of its shares of them (``mean-share``, as Ellison, Glaeser & Kerr have it).
    """
    g = shares(np.nan_to_num(X), -2)
    mean = size is None and weighting == "mean-share"
    x = ratio(np.nansum(g, axis=-1), np.isfinite(g).sum(axis=-1)) if mean else shares(regional_size(X, size), -1)
    gap = g - x[..., :, None]
    return ratio(np.swapaxes(gap, -1, -2) @ gap, (1 - np.sum(x**2, axis=-1))[..., None, None])
