"""Sums of products of scores over time: within units (Newey & West 1987) and of whole periods (Driscoll & Kraay 1998).

Bartlett's weights 1 − l/(L + 1) keep the result positive semi-definite. Lags are counted in steps of the panel (its smallest distance
between periods), on the calendar: a year that is missing stays missing, and its neighbours are two apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hinterland.evaluate.coding import Codes, Floats

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Cells:
    """Scores summed by unit and period: ``unit`` [c], ``step`` [c] steps since the first period, ``score`` [c, k], in that order."""

    unit: Ints
    step: Ints
    score: Floats


def default_lag(periods: int) -> int:
    """⌊T^¼⌋, as in R's ``fixest``, and no more than T − 2."""
    return max(min(int(np.floor(periods**0.25 + 1e-12)), periods - 2), 0)


def steps(periods: Ints) -> Ints:
    """[T] steps since the first of the periods (labels, increasing)."""
    apart = np.diff(periods)
    return np.asarray((periods - periods[0]) // (int(np.gcd.reduce(apart)) if len(apart) else 1))


def bartlett(lag: int) -> Floats:
    """[lag + 1] weights of lags 0 … ``lag``."""
    return 1 - np.arange(lag + 1) / (lag + 1)


def cell_sums(unit: Codes, step: Ints, scores: Floats) -> Cells:
    """Sums of ``scores`` [n, k] by ``unit`` [n] and ``step`` [n]."""
    span = int(step.max()) + 1
    key = unit.astype(np.int64) * span + step
    if (key[1:] > key[:-1]).all():
        return Cells(unit.astype(np.int64), step, scores)
    found, place = np.unique(key, return_inverse=True)
    total = sum_columns(place, scores, len(found))
    return Cells(found // span, found % span, total)


def sum_columns(codes: NDArray[Any], columns: Floats, size: int) -> Floats:
    """[size, k] sums of ``columns`` [n, k] by ``codes`` [n]."""
    out = np.empty((size, columns.shape[1]))
    for j in range(columns.shape[1]):
        out[:, j] = np.bincount(codes, weights=columns[:, j], minlength=size)
    return out


def lagged_products(cells: Cells, lag: int, first: int = 0) -> Floats:
    """[k, k] Σ_l w_l (Γ_l + Γ_l'), Γ_l = Σ_i Σ_t s_it s_i,t−l', over l = ``first`` … ``lag`` (Γ_0 counted once)."""
    k = cells.score.shape[1]
    out = np.zeros((k, k))
    span = int(cells.step.max()) + 1 + lag
    key = cells.unit * span + cells.step
    for back, weight in list(enumerate(bartlett(lag)))[first:]:
        if back == 0:
            out += cells.score.T @ cells.score
            continue
        place = np.minimum(np.searchsorted(key, key - back), len(key) - 1)
        paired = (key[place] == key - back) & (cells.unit[place] == cells.unit)
        gamma = cells.score[paired].T @ cells.score[place[paired]]
        out += weight * (gamma + gamma.T)
    return out


def period_products(step: Ints, scores: Floats, lag: int) -> Floats:
    """[k, k] Σ_l w_l (Γ_l + Γ_l') of the scores [n, k] summed over all rows of a period."""
    everyone = cell_sums(np.zeros(len(step), dtype=np.int32), step, scores)
    return lagged_products(everyone, lag)
