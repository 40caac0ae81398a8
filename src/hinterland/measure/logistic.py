"""Logistic curves fitted to many series at once: a grid of starts, then damped Gauss-Newton steps with exact derivatives."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["curve", "fit_logistic"]

Floats = NDArray[np.float64]

_RATES = np.log(np.geomspace(0.3, 60.0, 20))
_MIDPOINTS = np.linspace(-3.0, 3.0, 49)
_LOW, _HIGH = np.array([-10.0, -10.0, -30.0]), np.array([20.0, 10.0, 30.0])
"""Bounds of ln K, ln b and the midpoint, with the series' greatest value and the span of time as units."""


def curve(p: Floats, s: Floats) -> Floats:
    """K/(1 + exp(-b(s - m))), [N, T], from p [N, 3] = (ln K, ln b, m) and times s [T]."""
    exponent = np.clip(-np.exp(p[:, 1:2]) * (s[None, :] - p[:, 2:3]), -500, 500)
    return np.asarray(np.exp(p[:, :1]) / (1 + np.exp(exponent)), dtype=np.float64)


def fit_logistic(s: Floats, y: Floats, *, iterations: int = 200, tolerance: float = 1e-14) -> Floats:
    """Parameters (ln K, ln b, m), [N, 3], that minimise the squared error of each series y [N, T].

    Args:
        s: times, [T], centred and divided by their span.
        y: series, each divided by its greatest value.
        iterations: steps at most.
        tolerance: on the relative fall of the squared error at which a series rests.
    """
    p = _start(s, y)
    error = ((curve(p, s) - y) ** 2).sum(axis=1)
    damping = np.full(len(y), 1e-3)
    active = np.arange(len(y))
    for _ in range(iterations):
        if not len(active):
            break
        trial = _step(p[active], s, y[active], damping[active])
        found = ((curve(trial, s) - y[active]) ** 2).sum(axis=1)
        better = found < error[active]
        gain = error[active] - found
        settled = (better & (gain <= tolerance * error[active])) | (~better & (damping[active] > 1e10)) | (error[active] < 1e-28)
        won = active[better]
        p[won], error[won] = trial[better], found[better]
        damping[active] = np.where(better, np.maximum(damping[active] / 5, 1e-12), damping[active] * 4)
        active = active[~settled]
    return p


def _start(s: Floats, y: Floats) -> Floats:
    """The best point of a grid of rates and midpoints, with K solved for."""
    rate, midpoint = (x.ravel() for x in np.meshgrid(_RATES, _MIDPOINTS, indexing="ij"))
    shape = curve(np.column_stack([np.zeros(len(rate)), rate, midpoint]), s)
    norm = (shape**2).sum(axis=1)
    along = y @ shape.T
    best = (along**2 / norm).argmax(axis=1)
    scale = np.maximum(along[np.arange(len(y)), best] / norm[best], 1e-4)
    return np.column_stack([np.log(scale), rate[best], midpoint[best]])


def _step(p: Floats, s: Floats, y: Floats, damping: Floats) -> Floats:
    """One Levenberg-Marquardt step of each series, within the bounds."""
    f = curve(p, s)
    part = f * (1 - f * np.exp(-p[:, :1]))
    b = np.exp(p[:, 1:2])
    jacobian = np.stack([f, part * b * (s[None, :] - p[:, 2:3]), -part * b], axis=2)
    normal = np.einsum("ntj,ntk->njk", jacobian, jacobian)
    gradient = np.einsum("ntj,nt->nj", jacobian, f - y)
    diagonal = np.maximum(np.einsum("njj->nj", normal), 1e-12)
    normal = normal + np.eye(3) * (damping[:, None] * diagonal)[:, :, None]
    return np.clip(p - np.linalg.solve(normal, gradient[..., None])[..., 0], _LOW, _HIGH)
