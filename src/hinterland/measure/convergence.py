"""Convergence between regions: sigma (dispersion over time) and beta (growth on the initial level).

Barro, R. J. & Sala-i-Martin, X. (1992), Convergence, *Journal of Political Economy* 100(2), 223-251.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import stdtr

from hinterland.measure.inequality import Floats, shares, small_sample


@dataclass(frozen=True, slots=True)
class Beta:
    """A regression of mean yearly growth on the log of the initial level.

    Attributes:
        slope, intercept: of ``(1/T) ln(y_T/y_0) = a + b ln y_0 (+ controls)``; the intercept is at the mean of the controls.
        std_error: of the slope.
        statistic, p_value: t test of b = 0, two-sided, with n - k degrees of freedom.
        speed: ``-ln(1 + bT)/T`` per year; NaN where ``1 + bT <= 0``: no steady path implies such a slope.
        speed_std_error: by the delta method, ``se(b) / (1 + bT)``.
        half_life: ``ln 2 / speed`` in years; NaN unless the speed is positive.
        r_squared: of the regression.
        n_obs, n_parameters: rows and regressors, the constant among them.
        years: T.
    """

    slope: float
    intercept: float
    std_error: float
    statistic: float
    p_value: float
    speed: float
    speed_std_error: float
    half_life: float
    r_squared: float
    n_obs: int
    n_parameters: int
    years: float


def sd_log(y: Floats, weight: Floats | None = None, ddof: int = 0) -> Floats:
    """[...] standard deviation of ln y over the last axis; NaN where a value that counts is zero, since its log is not defined.

    Args:
        y: [..., R] values, none negative; NaN leaves a region out.
        weight: [..., R] weights; equal by default.
        ddof: 0 for the population.

    Raises:
        InputError: ``negative-value``.
    """
    p, values, _ = shares(y, weight)
    counts = p > 0
    logs = np.log(np.where(values > 0, values, 1.0))
    mean = (p * logs).sum(-1, keepdims=True)
    variance = (p * (logs - mean) ** 2).sum(-1) * small_sample(counts.sum(-1), ddof)
    return np.where((counts & (values <= 0)).any(-1) | ~counts.any(-1), np.nan, np.sqrt(variance))


def speed(slope: float, years: float) -> float:
    """``-ln(1 + bT)/T``, NaN where ``1 + bT <= 0``."""
    inside = 1 + slope * years
    return float(-np.log(inside) / years) if inside > 0 else float("nan")


def beta(initial: Floats, final: Floats, years: float, controls: Floats | None = None, robust: bool = False) -> Beta:
    """Absolute convergence, or conditional on ``controls`` [R, K], by least squares.

    Args:
        initial, final: [R] levels, positive.
        years: T, the years between the two.
        controls: [R, K] columns besides the constant.
        robust: heteroskedasticity-robust (HC1) instead of classical standard errors.

    Returns:
        NaN for everything estimated when there are no degrees of freedom, or when ln y_0 does not vary apart from the controls.
    """
    if len(initial) == 0:
        return _undefined(0, 2, years)
    x = np.log(initial)
    g = np.log(final / initial) / years
    others = np.ones((len(x), 1)) if controls is None else np.column_stack([np.ones(len(x)), controls - controls.mean(axis=0)])
    rank = int(np.linalg.matrix_rank(others)) + 1
    z = x - others @ np.linalg.lstsq(others, x, rcond=None)[0]
    zz, degrees = float(z @ z), len(x) - rank
    if degrees < 1 or zz <= 1e-20 * max(float(x @ x), 1.0):
        return _undefined(len(x), rank, years)
    b = float(z @ g) / zz
    rest = np.linalg.lstsq(others, g - b * x, rcond=None)[0]
    residual = g - b * x - others @ rest
    variance = float((z * residual) @ (z * residual)) * len(x) / degrees / zz**2 if robust else float(residual @ residual) / degrees / zz
    return _summary((float(rest[0]), b, float(np.sqrt(variance))), residual, g, rank, years)


def _summary(line: tuple[float, float, float], residual: Floats, g: Floats, rank: int, years: float) -> Beta:
    a, b, se = line
    degrees = len(g) - rank
    statistic = b / se if se > 0 else float("nan")
    rate = speed(b, years)
    spread = float(((g - g.mean()) ** 2).sum())
    return Beta(
        slope=b,
        intercept=a,
        std_error=se,
        statistic=statistic,
        p_value=float(2 * stdtr(degrees, -abs(statistic))),
        speed=rate,
        speed_std_error=se / (1 + b * years) if 1 + b * years > 0 else float("nan"),
        half_life=float(np.log(2) / rate) if rate > 0 else float("nan"),
        r_squared=1 - float(residual @ residual) / spread if spread > 0 else float("nan"),
        n_obs=len(g),
        n_parameters=rank,
        years=years,
    )


def _undefined(n: int, rank: int, years: float) -> Beta:
    nan = float("nan")
    return Beta(nan, nan, nan, nan, nan, nan, nan, nan, nan, n, rank, years)
