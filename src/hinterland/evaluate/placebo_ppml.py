"""Poisson coefficients with unit and period effects under many permuted assignments at once (balanced, without covariates and weights).

Given a unit's total, its outcomes are multinomial over the periods, with shares exp(λ_t + τ p_t)/Σ_s exp(λ_s + τ p_s) that depend on the
unit's treatment path p only (Hausman, Hall & Griliches 1984, Econometrica 52(4)). The likelihood therefore knows a draw by the sums of
outcomes over the units of each path, and Newton's method runs on [K, T] tables, all draws together. N units, K paths, T periods, R draws.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hinterland.evaluate.design import Design
from hinterland.evaluate.placebo_callaway import cohort_means

Floats = NDArray[np.float64]
Index = NDArray[np.intp]

STEPS = 60
CONVERGED = 1e-10
LARGEST_STEP = 2.0
"""A step is shortened to this change of a coefficient: the likelihood is concave, but flat far from its maximum."""


@dataclass(frozen=True, slots=True)
class PoissonBatch:
    """A balanced design of counts: ``y`` [N, T] (periods with some outcome), ``paths`` [K, T], ``size`` [K] units on each path."""

    y: Floats
    paths: Floats
    size: Floats

    def __call__(self, assignments: Index) -> tuple[Floats, Floats]:
        """Coefficient [R] (NaN where none exists) and influence of each unit on it [R, N], for the paths ``assignments`` [R, N]."""
        sums = cohort_means(self.y, self.size, assignments).reshape(len(assignments), *self.paths.shape) * self.size[:, None]
        slope, share, row = _newton(sums, self.paths, self.y.sum(axis=0))
        direction = row[:, :1, None] * self.paths + row[:, None, 1:]
        direction -= np.einsum("rkt,rkt->rk", share, direction)[:, :, None]
        return slope, np.take_along_axis(direction @ self.y.T, assignments[:, None, :], axis=1)[:, 0, :]


def poisson_batch(design: Design, code: Index, table: Floats) -> PoissonBatch:
    """Prepare the batch for the treatment paths ``table`` [K, T] of the units, ``code`` [N]."""
    y = design.y.reshape(design.n_units, design.n_periods)
    alive = y.sum(axis=0) > 0
    return PoissonBatch(y[:, alive], np.ascontiguousarray(table[:, alive]), np.bincount(code, minlength=len(table)).astype(np.float64))


def _newton(sums: Floats, paths: Floats, totals: Floats) -> tuple[Floats, Floats, Floats]:
    """Maximise Σ_kt S_kt log s_kt for each draw's ``sums`` S [R, K, T].

    Returns the coefficient [R], the shares s [R, K, T], and the coefficient's row of the inverse Hessian [R, 1 + T], with zero for the
    first period's effect, which is normalised. NaN where the treatment is separated or not identified.
    """
    draws, _, periods = sums.shape
    theta = np.zeros((draws, 1 + periods))
    theta[:, 1:] = np.log(totals / totals[0])
    mass = sums.sum(axis=2)
    for _ in range(STEPS):
        share = _shares(theta, paths)
        score = _score(sums - mass[:, :, None] * share, paths)
        inverse = _inverse(_hessian(share, mass, paths))
        step = np.einsum("rij,rj->ri", inverse, score)
        longest = np.abs(step).max(axis=1)
        theta = theta + step * np.minimum(1.0, LARGEST_STEP / np.maximum(longest, LARGEST_STEP))[:, None]
        if not (longest > CONVERGED).any():
            break
    lost = ~(longest <= CONVERGED) | (np.abs(theta[:, 0]) > 30)
    slope = np.where(lost, np.nan, theta[:, 0])
    return slope, _shares(theta, paths), inverse[:, 0]


def _shares(theta: Floats, paths: Floats) -> Floats:
    index = theta[:, None, 1:] + theta[:, :1, None] * paths
    index -= index.max(axis=2, keepdims=True)
    share = np.exp(index)
    return np.asarray(share / share.sum(axis=2, keepdims=True))


def _score(residual: Floats, paths: Floats) -> Floats:
    """[R, 1 + T] derivatives of the likelihood; the first period's effect is held."""
    out = np.concatenate([np.einsum("rkt,kt->r", residual, paths)[:, None], residual.sum(axis=1)], axis=1)
    out[:, 1] = 0.0
    return out


def _hessian(share: Floats, mass: Floats, paths: Floats) -> Floats:
    """[R, 1 + T, 1 + T] information; one for the first period's effect, which is held."""
    draws, _, periods = share.shape
    mean = np.einsum("rkt,kt->rk", share, paths)
    out = np.zeros((draws, 1 + periods, 1 + periods))
    weighted = mass[:, :, None] * share
    out[:, 1:, 1:] = -np.matmul(np.swapaxes(weighted, 1, 2), share)
    place = np.arange(1, 1 + periods)
    out[:, place, place] += weighted.sum(axis=1)
    out[:, 0, 1:] = np.einsum("rkt,rkt->rt", weighted, paths[None] - mean[:, :, None])
    out[:, 1:, 0] = out[:, 0, 1:]
    out[:, 0, 0] = np.einsum("rkt,kt->r", weighted, paths**2) - (mass * mean**2).sum(axis=1)
    out[:, 1, :] = out[:, :, 1] = 0.0
    out[:, 1, 1] = 1.0
    return out


def _inverse(information: Floats) -> Floats:
    """The inverses; NaN for draws whose information is singular."""
    scale = np.sqrt(np.einsum("rii->ri", information))
    usable = np.isfinite(scale).all(axis=1) & (scale > 0).all(axis=1)
    scaled = information / np.where(usable[:, None, None], scale[:, :, None] * scale[:, None, :], 1.0)
    usable &= np.abs(np.linalg.det(np.where(usable[:, None, None], scaled, np.eye(scaled.shape[1])))) > 0
    safe = np.where(usable[:, None, None], scaled, np.eye(scaled.shape[1]))
    inverse = np.linalg.inv(safe) / np.where(usable[:, None, None], scale[:, :, None] * scale[:, None, :], 1.0)
    return np.asarray(np.where(usable[:, None, None], inverse, np.nan))
