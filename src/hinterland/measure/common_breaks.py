"""Breaks that several series share, how far the series agree on them, and how near they lie to given dates.

Bai (2010, Journal of Econometrics 157) for common breaks of a panel. Agreement and the comparison with dates are this library's own. Arrays: N series are
rows, T periods columns; a break is the last period of the old regime.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from math import comb
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hinterland.measure.breaks import Partitions, bic, line_ssr, lowest, lwz, partitions, segment_ssr

__all__ = ["Agreement", "CommonBreaks", "Overlay", "agreement", "common_breaks", "overlay"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

_ENUMERATED = 100_000
"""Sets of dates up to which all are looked at; beyond it they are drawn."""


@dataclass(frozen=True, slots=True)
class CommonBreaks:
    """Breaks at the same dates in all of N series.

    Attributes:
        ssr: [M + 1] pooled sum of squared residuals by number of breaks; infinite where they do not fit.
        last: [M + 1, M] positions of the last period of each old regime, -1 beyond the m-th.
        bic, lwz: [M + 1] criteria over all N·T observations.
        by_bic, by_lwz: number of breaks that each takes.
        line_bic, line_lwz: criteria of a straight line of each series without breaks; -infinity where all fit exactly.
        used: number of series that vary at all.
    """

    ssr: Floats
    last: Ints
    bic: Floats
    lwz: Floats
    by_bic: int
    by_lwz: int
    line_bic: float
    line_lwz: float
    used: int

    def count(self, criterion: Literal["bic", "lwz"]) -> int:
        """Number of breaks by one criterion."""
        return self.by_bic if criterion == "bic" else self.by_lwz

    def dates(self, criterion: Literal["bic", "lwz"]) -> Ints:
        """Positions of the last period of each old regime."""
        m = self.count(criterion)
        return self.last[m, :m]

    def line_better(self, criterion: Literal["bic", "lwz"]) -> bool:
        """Whether straight lines describe the series better than the common regimes do; false where there is no break."""
        line, values = (self.line_bic, self.bic) if criterion == "bic" else (self.line_lwz, self.lwz)
        m = self.count(criterion)
        return m > 0 and bool(line < values[m])


def common_breaks(y: Floats, x: Floats, *, h: int, max_breaks: int = 5, scale: Literal["standard", "none"] = "standard") -> CommonBreaks:
    """Dates at which the coefficients of all series y [N, T] on x [T, q] shift together: least squares pooled over series.

    Each series keeps its own coefficients in every regime. The criteria charge ln T (LWZ: (ln T)^2.1) for each of the N q (m + 1) coefficients, since T observations
    inform it, and ln NT for each date and the variance: with ln NT for all, N small shifts at one date would never pay. For N = 1 they are those of one series.

    Args:
        y: series without gaps; those that x fits exactly are left out.
        x: what may shift (:func:`hinterland.measure.breaks.regressors`).
        h: shortest regime.
        max_breaks: most breaks looked for.
        scale: ``standard``: each series divided by the standard deviation of its residuals without breaks, so that none decides by its unit; ``none``: as they are.

    Raises:
        ValueError: no room for one break, a gap, or no series that varies.
    """
    periods, q = x.shape
    most = min(max_breaks, periods // h - 1)
    if most < 1:
        raise ValueError(f"{periods} periods have no room for two regimes of {h}")
    if not np.isfinite(y).all():
        raise ValueError("the series have gaps")
    cost = segment_ssr(y, x, h)
    whole = cost[:, 0, periods]
    varies = whole > 0
    if not varies.any():
        raise ValueError("no series varies")
    weight = periods / whole[varies] if scale == "standard" else np.ones(int(varies.sum()))
    total = np.einsum("n,nse->se", weight, np.where(np.isfinite(cost[varies]), cost[varies], 0.0))
    found = partitions(total[None] + _short(periods, h), most)
    return _judged(found, float(weight @ line_ssr(y[varies])), (int(varies.sum()), periods, q))


def _short(periods: int, h: int) -> Floats:
    """Infinity for stretches shorter than h, 0 for others, [1, T + 1, T + 1]."""
    length = np.arange(periods + 1)[None, :] - np.arange(periods + 1)[:, None]
    return np.where(length < h, np.inf, 0.0)[None]


def _judged(found: Partitions, line: float, shape: tuple[int, int, int]) -> CommonBreaks:
    n, periods, q = shape
    m = np.arange(found.ssr.shape[1], dtype=np.float64)
    by_bic, by_lwz = _criteria(found.ssr, n * q * (m + 1), m, (n, periods))
    lines = [float(c[0]) if line > 0 else -np.inf for c in _criteria(np.array([line]), np.array([2.0 * n]), np.zeros(1), (n, periods))]
    taken = [int(lowest(c, found.ssr)[0]) for c in (by_bic, by_lwz)]
    return CommonBreaks(found.ssr[0], found.last[0], by_bic[0], by_lwz[0], taken[0], taken[1], lines[0], lines[1], n)


def _criteria(ssr: Floats, coefficients: Floats, dates: Floats, shape: tuple[int, int]) -> tuple[Floats, Floats]:
    """Criteria in which a series' coefficient costs ln T, since T observations inform it, and a date or the variance ln NT."""
    n, periods = shape
    observations, small, large = n * periods, np.log(periods), np.log(n * periods)
    return (
        bic(ssr, observations, (coefficients * small + (dates + 1) * large) / large),
        lwz(ssr, observations, coefficients + dates, charge=coefficients * small**2.1 + dates * large**2.1),
    )


@dataclass(frozen=True, slots=True)
class Agreement:
    """How many series have a break of their own near each of K dates.

    ``share``: [K] of the series;  ``expected``: [K] share if each series had its number of breaks at random among all admissible dates.
    """

    share: Floats
    expected: Floats


def agreement(own: Ints, dates: Ints, *, periods: int, h: int, tolerance: int = 1) -> Agreement:
    """Share of series with an own break within ``tolerance`` periods of each of ``dates`` [K].

    Args:
        own: [N, M] positions of the breaks of each series, -1 for none.
        dates: [K] positions, such as those of common breaks.
        periods, h: length of the series and shortest regime: they say which dates are admissible.
        tolerance: how near counts.
    """
    near = (np.abs(own[:, :, None] - dates[None, None, :]) <= tolerance) & (own >= 0)[:, :, None]
    counts = np.bincount((own >= 0).sum(axis=1), minlength=1)
    positions = np.arange(periods)
    chance = np.array(
        [[1 - _misses(periods, h, m, np.abs(positions - d) <= tolerance) if n else 0.0 for m, n in enumerate(counts)] for d in dates]
    ).reshape(len(dates), len(counts))
    return Agreement(near.any(axis=1).mean(axis=0), chance @ (counts / counts.sum()))


def _misses(periods: int, h: int, m: int, window: Bools) -> float:
    """Share of the admissible sets of m dates that have none in ``window`` [T]."""
    ways, clear = np.zeros(periods), np.zeros(periods)
    ways[h - 1 :] = 1.0
    clear[h - 1 :] = (~window)[h - 1 :]
    if m == 0:
        return 1.0
    for _ in range(m - 1):
        ways, clear = (np.concatenate([np.zeros(h), np.cumsum(w)[:-h]]) for w in (ways, clear))
        clear = np.where(window, 0.0, clear)
    return float(clear[: periods - h].sum() / ways[: periods - h].sum())


@dataclass(frozen=True, slots=True)
class Overlay:
    """Distance of breaks from given dates.

    ``distance``: [P] signed periods from each date to the first period of the nearest new regime, positive where the break is later;  ``mean``: of the absolute
    distances;  ``p_value``: share of all admissible sets of as many breaks that are as near or nearer, on average;  ``exact``: whether all were looked at.
    """

    distance: Floats
    mean: float
    p_value: float
    exact: bool


def overlay(last: Ints, dates: Ints, *, periods: int, h: int, draws: int = 9999, seed: int = 0) -> Overlay:
    """Compare breaks with dates that were fixed beforehand (such as the first year of a policy).

    The p-value asks whether m breaks at random would be as near. It is no test of the policy: anything else that happened then would do, and dates chosen
    after looking at the series make it meaningless.

    Args:
        last: [m] positions of the last period of each old regime.
        dates: [P] positions, each the first period in which the new thing holds; they may lie outside the series.
        periods, h: length of the series and shortest regime.
        draws, seed: random sets of dates, where there are too many to look at each.

    Raises:
        ValueError: no break or no date.
    """
    if not len(last) or not len(dates):
        raise ValueError("there is no break or no date to compare")
    sets, exact = _admissible(periods, h, len(last), draws, seed)
    gap = (last + 1)[:, None] - dates[None, :]
    distance = gap[np.abs(gap).argmin(axis=0), np.arange(len(dates))].astype(np.float64)
    mean = float(np.abs(distance).mean())
    others = np.abs((sets + 1)[:, :, None] - dates[None, None, :]).min(axis=1).mean(axis=1)
    near = int((others <= mean + 1e-9).sum())
    return Overlay(distance, mean, near / len(sets) if exact else (near + 1) / (len(sets) + 1), exact)


def _admissible(periods: int, h: int, m: int, draws: int, seed: int) -> tuple[Ints, bool]:
    """Sets of m dates with regimes of h periods or more, [D, m], and whether they are all.

    With every regime shortened by h - 1 (the last by h) they are the subsets of size m.
    """
    size = periods - (m + 1) * h + m
    if size < m:
        raise ValueError(f"{periods} periods have no room for {m + 1} regimes of {h}")
    exact = comb(size, m) <= _ENUMERATED
    if exact:
        picked = np.array(list(combinations(range(size), m)), dtype=np.int64)
    else:
        rng = np.random.default_rng(seed)
        picked = np.sort(rng.random((draws, size)).argpartition(m - 1, axis=1)[:, :m], axis=1).astype(np.int64)
    return picked + (np.arange(m) + 1) * (h - 1), exact
