"""Variety of a region's industries within and between groups (Frenken, Van Oort & Verburg 2007)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import entr

from hinterland.measure.shares import Floats, nansum_or_nan, shares


@dataclass(frozen=True, slots=True)
class Variety:
    """[..., R] entropies in bits (or to the base asked for); ``related`` + ``unrelated`` = ``total``.

    Attributes:
        unrelated: UV = Σ_G P_G log(1 / P_G) between groups.
        related: RV = Σ_G P_G H_G, H_G = Σ_{i∈G} (p_i / P_G) log(P_G / p_i), within groups.
        total: Σ_i p_i log(1 / p_i) over the leaves.
    """

    unrelated: Floats
    related: Floats
    total: Floats


def variety(X: Floats, group: NDArray[np.integer], base: float = 2.0) -> Variety:
    """Related and unrelated variety of [..., R, I] activity, ``group`` [I] numbering the group of each industry from 0."""
    p = shares(X, -1)
    member = np.eye(int(group.max()) + 1)[group]
    between = np.where(np.isfinite(p).any(axis=-1, keepdims=True), np.nan_to_num(p) @ member, np.nan)
    unrelated = nansum_or_nan(entr(between), -1) / np.log(base)
    total = nansum_or_nan(entr(p), -1) / np.log(base)
    return Variety(unrelated, _within(p, between, group) / np.log(base), total)


def _within(p: Floats, between: Floats, group: NDArray[np.integer]) -> Floats:
    """Σ_i p_i ln(P_G(i) / p_i)."""
    whole = np.broadcast_to(between[..., group], p.shape)
    positive = p > 0
    found = np.where(
        positive, p * (np.log(np.where(positive, whole, 1)) - np.log(np.where(positive, p, 1))), np.where(np.isnan(p), np.nan, 0)
    )
    return nansum_or_nan(found, -1)
