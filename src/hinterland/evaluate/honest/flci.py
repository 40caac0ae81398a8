"""Fixed-length confidence intervals under bounded second differences (Rambachan & Roth 2023, section 4.1; Armstrong & Kolesár 2018).

The affine estimator is l'β_post plus weights on β_pre. In terms of c, the estimator's loading on each second difference, its worst bias is
M(b₀ + Σ|c_j|) and its variance is quadratic in c: the frontier of the two is the path of a lasso, which is piecewise linear and computed exactly.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Quantile = Callable[[float, float], float]

_NO_VARIANCE = 1e-12
"""A standard deviation below this share of the bias counts as zero: some combination of the estimates is known exactly."""


@dataclass(frozen=True, slots=True)
class Frontier:
    """Least variance for each worst-case bias: knots from no weight on curvature before treatment to the least variance.

    ``loading`` [k, pre] c at the knots; ``weights`` [k, pre] on β_pre; ``bias`` [k] for M = 1; the path is linear between knots.
    ``vcov`` of (β_pre, l'β_post) [pre + 1, pre + 1].
    """

    loading: Floats
    weights: Floats
    bias: Floats
    vcov: Floats

    def at(self, position: float) -> tuple[Floats, float, float]:
        """Weights, bias for M = 1 and standard deviation at ``position`` (knot number plus the share of the way to the next)."""
        low = min(int(position), len(self.bias) - 1)
        high, share = min(low + 1, len(self.bias) - 1), position - low
        weights = (1 - share) * self.weights[low] + share * self.weights[high]
        full = np.append(weights, 1.0)
        return weights, float((1 - share) * self.bias[low] + share * self.bias[high]), float(np.sqrt(max(full @ self.vcov @ full, 0.0)))


@dataclass(frozen=True, slots=True)
class Flci:
    """``estimate ± half_length``; ``weights`` [pre + post] of the estimator."""

    estimate: float
    half_length: float
    weights: Floats


def frontier(vcov: Floats, weights: Floats, pre: int) -> Frontier:
    """The bias-variance frontier for the effect ``weights`` [post] with covariance ``vcov`` [pre + post, pre + post]."""
    post = len(weights)
    joint = np.zeros((pre + 1, pre + post))
    joint[:pre, :pre], joint[pre, pre:] = np.eye(pre), weights
    small = joint @ vcov @ joint.T
    slope = float(weights @ np.arange(1, post + 1))
    ahead = sum(abs(float(weights[-s:] @ np.arange(1, s + 1))) for s in range(1, post))
    # Weight on the period t before the reference is c_{t-1} - 2c_t + c_{t+1}, with c_0 = slope, c_pre = 0; periods run from the earliest.
    to_weights = (np.eye(pre, pre, -1) - 2 * np.eye(pre) + np.eye(pre, pre, 1))[:, : pre - 1]
    base = np.eye(pre)[0] * slope
    flip = np.eye(pre)[::-1]
    to_weights, base = flip @ to_weights, flip @ base
    quadratic = to_weights.T @ small[:pre, :pre] @ to_weights
    linear = to_weights.T @ (small[:pre, :pre] @ base + small[:pre, pre])
    path = _lasso_path(quadratic, linear)
    loading = np.column_stack([np.full(len(path), slope), path])
    return Frontier(loading, base + path @ to_weights.T, ahead + np.abs(loading).sum(axis=1), small)


def _lasso_path(quadratic: Floats, linear: Floats) -> Floats:
    """Knots [k, p] of argmin ½c'Qc + q'c + λ|c|₁ from λ = ∞ down to 0 (Efron et al. 2004, with the lasso modification)."""
    p = len(linear)
    c, knots = np.zeros(p), [np.zeros(p)]
    gradient = -linear.copy()
    penalty = float(np.abs(gradient).max(initial=0.0))
    active = np.abs(gradient) >= penalty * (1 - 1e-12) if penalty > 0 else np.zeros(p, dtype=np.bool_)
    sign = np.where(active, np.sign(gradient), 0.0)
    for _ in range(50 * (p + 1)):
        if penalty <= 1e-14 * np.abs(linear).max(initial=0.0) or not active.any():
            break
        step = np.zeros(p)
        step[active] = np.linalg.lstsq(quadratic[np.ix_(active, active)], sign[active], rcond=1e-13)[0]
        drift = quadratic @ step
        length, event = _next_knot((c, step), (gradient, drift), penalty, active)
        c, gradient, penalty = c + length * step, gradient - length * drift, penalty - length
        knots.append(c.copy())
        if event < 0:
            break
        if active[event]:
            active[event], sign[event], c[event] = False, 0.0, 0.0
        else:
            active[event], sign[event] = True, np.sign(gradient[event])
    return np.array(knots)


def _next_knot(
    moving: tuple[Floats, Floats], slopes: tuple[Floats, Floats], penalty: float, active: NDArray[np.bool_]
) -> tuple[float, int]:
    """How far λ falls before a coordinate enters or leaves, and which (-1: none before λ = 0).

    ``moving``: coordinates and their rate of change as λ falls;  ``slopes``: the negative gradient and the rate at which it falls.
    """
    (c, step), (gradient, drift) = moving, slopes
    best, event = penalty, -1
    for j in range(len(c)):
        if active[j]:
            candidates = [-c[j] / step[j]] if step[j] != 0 else []
        else:
            candidates = [(penalty - s * gradient[j]) / (1 - s * drift[j]) for s in (1.0, -1.0) if 1 - s * drift[j] > 1e-14]
        for length in candidates:
            if 1e-12 * penalty < length < best:
                best, event = float(length), j
    return best, event


def folded_quantile(level: float, mean: float) -> float:
    """The ``level`` quantile of |Z + mean|, Z standard normal: the root of Φ(q - mean) - Φ(-q - mean) = level."""
    from scipy import optimize, special

    mean = abs(mean)
    low, high = float(special.ndtri(level)) + mean, float(special.ndtri(0.5 + level / 2)) + mean
    if mean > 8:
        return low
    return float(optimize.brentq(lambda q: special.ndtr(q - mean) - special.ndtr(-q - mean) - level, low - 1e-9, high + 1e-9, xtol=1e-14))


def shortest(
    path: Frontier, estimates: Floats, weights: Floats, bound: float, level: float, *, quantile: Quantile = folded_quantile
) -> Flci:
    """The shortest interval of its kind for second differences of at most ``bound``.

    Its length is convex along the frontier, so the optimum is found between knots by the sign of its derivative.
    """
    last = len(path.bias) - 1

    def length(position: float) -> float:
        _, bias, sd = path.at(position)
        return bound * bias if sd <= _NO_VARIANCE * bound * bias else sd * quantile(level, bound * bias / sd)

    position = float(last)
    if last and bound > 0:
        position = _minimise(length, last)
    chosen, _, _ = path.at(position)
    full = np.concatenate([chosen, weights])
    return Flci(float(full @ estimates), length(position), full)


def _minimise(length: Callable[[float], float], last: int) -> float:
    """The minimum of a convex function on [0, last], to about eight digits of its argument, within the segment that holds it."""
    from scipy import optimize

    values = [length(float(k)) for k in range(last + 1)]
    best = int(np.argmin(values))
    positions = [(float(best), values[best])]
    for low in {max(best - 1, 0), min(best, last - 1)}:
        found = optimize.minimize_scalar(length, bounds=(low, low + 1), method="bounded", options={"xatol": 1e-10})
        positions.append((float(found.x), float(found.fun)))
    return min(positions, key=lambda item: item[1])[0]
