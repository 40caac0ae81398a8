"""Critical values, p-values and intervals of dates for structural breaks.

Critical values of supF(l + 1|l): Bai & Perron (1998, table II; 2003, Econometrics Journal 6), on the scale of Wald. p-values: DeLong's (1981) tail of the supremum of
a standardised Bessel process, as in Estrella (2003, Econometric Theory 19). Intervals: Bai (1997, Review of Economics and Statistics 79).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import gammaln, log_ndtr, ndtr

__all__ = ["Level", "critical_values", "date_distribution", "date_interval", "date_quantile", "sup_f_p_value"]

Floats = NDArray[np.float64]
Level = float
"""Size of a test: 0.1, 0.05 or 0.01."""

TRIMMINGS = (0.05, 0.10, 0.15, 0.20, 0.25)
LEVELS = (0.1, 0.05, 0.01)
_TABLE = """
0.1   0.05  8.02  9.56 10.45 11.07 11.65 11.02 12.79 13.72 14.45 14.90 13.43 15.26 16.38 17.07 17.52 15.53 17.54 18.55 19.30 19.80 17.42 19.38 20.46 21.37 21.96
0.1   0.10  7.42  9.05  9.97 10.49 10.91 10.37 12.19 13.20 13.79 14.37 12.77 14.54 15.64 16.46 16.94 14.81 16.70 17.84 18.51 19.13 16.65 18.61 19.74 20.46 21.04
0.1   0.15  7.04  8.51  9.41 10.04 10.58  9.81 11.40 12.29 12.90 13.47 12.08 13.91 14.96 15.68 16.35 14.26 16.11 17.31 18.00 18.45 16.14 18.14 19.10 19.84 20.50
0.1   0.20  6.72  8.13  9.07  9.66 10.17  9.37 10.92 11.90 12.50 12.89 11.59 13.43 14.43 15.16 15.72 13.72 15.59 16.67 17.53 18.17 15.51 17.59 18.76 19.43 20.02
0.1   0.25  6.35  7.79  8.70  9.22  9.71  8.96 10.50 11.47 12.13 12.56 11.17 12.96 13.96 14.58 15.13 13.22 15.16 16.14 16.94 17.52 14.98 16.98 18.12 18.87 19.47
0.05  0.05  9.63 11.14 12.16 12.83 13.45 12.89 14.50 15.42 16.16 16.61 15.37 17.15 17.97 18.72 19.23 17.60 19.33 20.22 20.75 21.15 19.50 21.43 22.57 23.33 23.90
0.05  0.10  9.10 10.55 11.36 12.35 12.97 12.25 13.83 14.73 15.46 16.13 14.60 16.53 17.43 17.98 18.61 16.76 18.56 19.53 20.24 20.72 18.68 20.57 21.60 22.55 23.00
0.05  0.15  8.58 10.13 11.14 11.83 12.25 11.47 12.95 14.03 14.85 15.29 13.98 15.72 16.83 17.61 18.14 16.19 18.11 18.93 19.64 20.19 18.23 19.91 20.99 21.71 22.37
0.05  0.20  8.22  9.71 10.66 11.34 11.93 10.98 12.55 13.46 14.22 14.78 13.47 15.25 16.36 17.08 17.51 15.67 17.61 18.54 19.21 19.80 17.66 19.50 20.63 21.40 21.72
0.05  0.25  7.86  9.29 10.12 10.93 11.37 10.55 12.19 12.97 13.84 14.32 13.04 14.65 15.60 16.51 17.08 15.19 17.00 18.10 18.72 19.14 17.12 18.94 20.02 20.81 21.45
0.01  0.05 13.58 15.03 15.62 16.39 16.60 16.64 17.98 18.66 19.22 20.03 19.25 21.33 22.01 22.73 23.13 21.20 22.84 24.04 24.54 24.96 23.99 25.58 26.32 26.84 27.39
0.01  0.10 13.00 14.51 15.44 15.73 16.39 16.19 17.58 18.31 18.98 19.63 18.72 20.35 21.60 22.35 22.96 20.75 22.40 23.55 24.13 24.54 23.12 25.14 25.79 26.32 26.60
0.01  0.15 12.29 13.89 14.80 15.28 15.76 15.37 16.84 17.72 18.67 19.17 18.26 19.77 20.75 21.98 22.46 20.23 21.97 22.80 23.06 23.76 22.40 24.42 25.53 26.17 26.53
0.01  0.20 11.94 13.61 14.31 14.80 15.26 14.92 16.69 17.41 17.72 18.27 17.60 19.35 20.02 20.64 21.23 19.82 21.55 22.27 22.80 23.06 21.75 23.67 24.60 25.18 25.76
0.01  0.25 11.44 13.09 14.02 14.63 14.89 14.34 16.34 16.81 17.18 17.61 17.08 18.72 19.58 20.45 20.72 19.22 21.23 22.07 22.61 22.89 21.51 23.15 24.36 24.82 25.18
"""
"""Level, trimming, then l = 0…4 for q = 1, again for q = 2, to q = 5."""
_ROWS = np.array([row.split() for row in _TABLE.strip().splitlines()], dtype=np.float64)
_VALUES = _ROWS[:, 2:].reshape(len(LEVELS), len(TRIMMINGS), 5, 5)


def critical_values(q: int, trimming: float, level: Level, count: int) -> Floats | None:
    """Critical values of supF(l + 1|l), l = 0…``count`` - 1, for q coefficients that shift; ``None`` where the tables have none (q or count above 5, trimming below 5 %).

    Between tabulated trimmings the smaller one is taken, whose values are larger: the test then rejects too seldom rather than too often.
    """
    below = [k for k, e in enumerate(TRIMMINGS) if e <= trimming + 1e-9]
    if not below or not 1 <= q <= 5 or count > 5 or level not in LEVELS:
        return None
    return np.asarray(_VALUES[LEVELS.index(level), below[-1], q - 1, :count])


def sup_f_p_value(statistic: Floats, q: int, trimming: float, breaks: int = 0) -> Floats:
    """Asymptotic p-value of supF(l + 1|l) with l = ``breaks``, same shape as ``statistic``; regressors without trend.

    P(supF > c) ≈ c^(q/2) e^(-c/2)/(2^(q/2) Γ(q/2)) · [(1 - q/c) ln λ + 2/c] with λ = ((1 - ε)/ε)², close below 0.2 and an order of magnitude above; for l > 0 it is the
    largest of l + 1 independent ones.
    """
    log_odds = 2 * np.log((1 - trimming) / trimming)
    c = np.clip(statistic, 1e-12, 1e6)
    tail = np.exp(q / 2 * np.log(c / 2) - c / 2 - gammaln(q / 2)) * ((1 - q / c) * log_odds + 2 / c)
    one = np.where(c > q, np.clip(tail, 0.0, 1.0), 1.0)
    return np.where(np.isnan(statistic), np.nan, 1 - (1 - one) ** (breaks + 1))


def date_distribution(x: float, *, ratio: float = 1.0, spread: float = 1.0) -> float:
    """P(argmax V ≤ x), where V(s) = W₁(-s) - |s|/2 for s ≤ 0 and √ξ φ W₂(s) - ξ s/2 beyond (Bai 1997): the scaled error of an estimated break date.

    Args:
        x: where.
        ratio: ξ, size of the shift in the moments of the regressors after the break over that before.
        spread: φ, standard deviation of the errors after the break over that before.
    """
    left = 1 / (1 + spread**2)
    if x <= 0:
        return left - _side(-x, 0.5, 1 / spread**2)
    scale = np.sqrt(ratio) * spread
    return left + _side(x, np.sqrt(ratio) / (2 * spread), scale)


def _side(x: float, drift: float, rate: float) -> float:
    """P(0 ≤ time of the maximum of W(s) - drift·s ≤ x, and the maximum above an exponential variable of ``rate``).

    The integral over s of 2·drift·∫ (1 - exp(-rate·m)) m/√(2πs³) exp(-(m + drift·s)²/2s) dm: the first passage to m, from where W never climbs higher.
    """
    root, top = np.sqrt(x), drift + rate
    c = (top**2 - drift**2) / 2
    inside = ndtr(drift * root) - 0.5
    free = (inside + drift * root * _bell(drift * root)) / drift - drift * x * ndtr(-drift * root)
    below = 2 * inside / drift - top * ((np.exp(c * x + log_ndtr(-top * root)) - 0.5) / c + top * inside / (c * drift))
    return float(2 * drift * (free - below))


def _bell(z: float) -> float:
    return float(np.exp(-z * z / 2) / np.sqrt(2 * np.pi))


def date_quantile(p: float, *, ratio: float = 1.0, spread: float = 1.0) -> float:
    """Where :func:`date_distribution` is ``p``."""
    reach = 1.0
    while not date_distribution(-reach, ratio=ratio, spread=spread) < p < date_distribution(reach, ratio=ratio, spread=spread):
        reach *= 2
    return float(brentq(lambda x: date_distribution(x, ratio=ratio, spread=spread) - p, -reach, reach, xtol=1e-8))


def date_interval(y: Floats, x: Floats, edges: tuple[int, int, int], confidence: float = 0.95) -> tuple[int, int] | None:
    """Interval of the last period of the old regime, for the break between stretches [e₀, e₁) and [e₁, e₂) of one series y [T] on x [T, q].

    Errors without serial correlation; their variance and the moments of the regressors may differ between the two regimes (Bai 1997). ``None`` where a
    regime is fitted exactly or nothing shifts.
    """
    start, at, end = edges
    first, second = _fit(y[start:at], x[start:at]), _fit(y[at:end], x[at:end])
    shift = second[0] - first[0]
    moved = [float(shift @ (z.T @ z / len(z)) @ shift) for z in (x[start:at], x[at:end])]
    if min(first[1], second[1]) <= 1e-24 * float((y[start:end] ** 2).mean()) or min(moved) <= 0:
        return None
    xi, spread = moved[1] / moved[0], np.sqrt(second[1] / first[1])
    scale = first[1] / moved[0]
    low, high = (date_quantile(p, ratio=xi, spread=spread) * scale for p in ((1 - confidence) / 2, (1 + confidence) / 2))
    return at - 1 - int(np.ceil(high)), at - 1 - int(np.floor(low))


def _fit(y: Floats, x: Floats) -> tuple[Floats, float]:
    """Coefficients and variance (divided by n) of the errors."""
    beta = np.linalg.lstsq(x, y, rcond=None)[0]
    return np.asarray(beta), float(((y - x @ beta) ** 2).mean())
