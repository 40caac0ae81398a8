"""Shares of what is observed, and division without infinities."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def ratio(numerator: ArrayLike, denominator: ArrayLike) -> Floats:
    """``numerator / denominator``; NaN where that is not a finite number."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        found = np.asarray(np.true_divide(numerator, denominator), dtype=np.float64)
    return np.where(np.isfinite(found), found, np.nan)


def shares(X: Floats, axis: int) -> Floats:
    """Parts of the sum along ``axis`` over what is observed: NaN where a part is missing or the sum is 0."""
    return ratio(X, np.nansum(X, axis=axis, keepdims=True))


def shares_beside(X: Floats, size: Floats, axis: int) -> tuple[Floats, Floats]:
    """Shares of ``X`` and of ``size`` along ``axis``, both over the parts that ``X`` has, so that like is compared with like."""
    seen = np.isfinite(X)
    return shares(X, axis), shares(np.where(seen, np.broadcast_to(size, X.shape), np.nan), axis)


def nansum_or_nan(x: Floats, axis: int) -> Floats:
    """Sum along ``axis`` over what is finite; NaN where nothing is."""
    return np.where(np.isfinite(x).any(axis=axis), np.nansum(x, axis=axis), np.nan)
