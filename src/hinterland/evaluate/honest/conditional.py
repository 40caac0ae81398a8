"""Conditional and hybrid tests of moment inequalities with nuisance parameters (Andrews, Roth & Pakes 2023).

θ is rejected when the least violation η(θ) = max γ'(Y - a₁θ) over the vertices of the dual polytope is large given where its maximiser
is: v = γ'y is normal, truncated to the values [v_lo, v_up] at which γ stays the maximiser. All values of θ are tested together, since
vertices and covariances do not change with θ.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hinterland.evaluate.honest.dual import Polytope, best_vertices, first_vertex
from hinterland.evaluate.honest.restrictions import Polyhedron

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Hybrid = Literal["none", "least-favourable", "fixed-length"]

_FLAT = 1e-10
_GAIN = 1e-9
_MOST_ROUNDS = 60


@dataclass(frozen=True, slots=True)
class Moments:
    """Moments Y - a₁θ - Xδ ≤ 0 of one polyhedron, and the p known vertices of their dual.

    ``level`` [m] Y; ``slope`` [m] a₁; ``vcov`` [m, m] of Y; ``root`` [m, pre + post] A; ``vertices`` [p, m]; ``polytope`` where more
    vertices may be needed, else ``None``.
    """

    level: Floats
    slope: Floats
    vcov: Floats
    root: Floats
    vertices: Floats
    polytope: Polytope | None

    def values(self, theta: Floats) -> Floats:
        """[n, p] γ'y(θ) for ``theta`` [n]."""
        return self.vertices @ self.level - theta[:, None] * (self.vertices @ self.slope)

    def improved(self, y: Floats) -> Moments:
        """With the vertices that do better at the rows of ``y`` [n, m] than those known; the same object when there are none."""
        if self.polytope is None:
            return self
        found = best_vertices(self.polytope, y)
        gain = np.einsum("nm,nm->n", found, y) - (y @ self.vertices.T).max(axis=1)
        fresh = found[gain > _GAIN * np.abs(y / self.polytope.w[:, 0]).max(axis=1)]
        if not len(fresh):
            return self
        _, first = np.unique(np.round(fresh / np.abs(fresh).max(), 7), axis=0, return_index=True)
        return replace(self, vertices=np.vstack([self.vertices, fresh[np.sort(first)]]))


@dataclass(frozen=True, slots=True)
class Hybridisation:
    """The first stage of a hybrid test, of size ``size``: a least-favourable critical value for η, or the interval
    |l'β̂ - θ| ≤ half_length with ``covariance`` [m] of Y with l'β̂.
    """

    kind: Hybrid
    size: float = 0.0
    critical: float = np.inf
    estimate: float = 0.0
    half_length: float = np.inf
    covariance: Floats | None = None


def make_moments(polyhedron: Polyhedron, estimates: Floats, vcov: Floats, weights: Floats, *, complete: bool) -> Moments:
    """The moments of ``polyhedron`` for the effect ``weights`` [post]; ``complete``: the closed-form vertices are all there are."""
    a, post = polyhedron.a, len(weights)
    after = a[:, -post:]
    # θ = l'τ, and the nuisance parameters are the directions of τ that leave it unchanged.
    basis = np.linalg.svd(weights[None, :])[2]
    slope = after @ (weights / (weights @ weights))
    nuisance = after @ basis[1:].T
    spread = a @ vcov @ a.T
    polytope, vertices = first_vertex(np.sqrt(np.diag(spread)), nuisance)
    return Moments(a @ estimates - polyhedron.d, slope, spread, a, vertices, None if complete else polytope)


def least_favourable(moments: Moments, draws: Floats, size: float) -> float:
    """The 1 - ``size`` quantile of η when every moment binds, from ``draws`` [n, pre + post] of estimates with mean zero."""
    if moments.polytope is None:
        largest = (draws @ (moments.vertices @ moments.root).T).max(axis=1)
    else:
        y = draws @ moments.root.T
        largest = np.einsum("nm,nm->n", best_vertices(moments.polytope, y), y)
    return float(np.quantile(largest, 1 - size))


def acceptable(moments: Moments, critical: float) -> tuple[float, float]:
    """The interval of θ with η(θ) ≤ ``critical`` (NaN, NaN where it is empty), over the vertices known."""
    level, slope = moments.vertices @ moments.level, moments.vertices @ moments.slope
    flat = np.abs(slope) < _FLAT * np.abs(slope).max(initial=1e-300)
    if (level[flat] > critical + 1e-12 * np.abs(level).max()).any():
        return np.nan, np.nan
    with np.errstate(divide="ignore", invalid="ignore"):
        at = (level - critical) / slope
    low = float(at[~flat & (slope > 0)].max(initial=-np.inf))
    high = float(at[~flat & (slope < 0)].min(initial=np.inf))
    return (low, high) if low <= high else (np.nan, np.nan)


def complete_bounds(moments: Moments, critical: float) -> tuple[float, float, Moments]:
    """:func:`acceptable` over all vertices, generating those that are missing."""
    low, high = acceptable(moments, critical)
    for _ in range(_MOST_ROUNDS):
        ends = np.array([e for e in (low, high) if np.isfinite(e)])
        if moments.polytope is None or not len(ends):
            break
        richer = moments.improved(moments.level - ends[:, None] * moments.slope)
        if richer is moments:
            break
        moments = richer
        low, high = acceptable(moments, critical)
    return low, high, moments


def p_margin(moments: Moments, theta: Floats, alpha: float, hybrid: Hybridisation) -> tuple[Floats, Moments]:
    """[n] p-value less the size of the second stage: ``theta`` is accepted where it is not negative; and the moments with the vertices met."""
    if moments.polytope is not None:
        moments = _generate(moments, theta)
    values = moments.values(theta)
    spread = moments.vertices @ moments.vcov @ moments.vertices.T
    best = values.argmax(axis=1)
    eta = np.take_along_axis(values, best[:, None], axis=1)[:, 0]
    low, high = _truncation(values, eta, spread, best)
    variance = np.diag(spread)[best]
    still = variance <= 1e-16 * np.diag(spread).max()
    sd = np.sqrt(np.where(still, 1.0, variance))
    if hybrid.kind == "least-favourable":
        high = np.minimum(high, hybrid.critical)
    elif hybrid.kind == "fixed-length":
        low, high = _within_interval(moments, (theta, eta, best), hybrid, (low, high))
    size = (alpha - hybrid.size) / (1 - hybrid.size)
    tail = _tail(eta / sd, low / sd, high / sd)
    margin = np.where(eta <= 0, 1.0, np.where(still, -1.0, tail - size))
    return np.where(_first_stage(theta, eta, hybrid), -1.0, margin), moments


def _first_stage(theta: Floats, eta: Floats, hybrid: Hybridisation) -> Mask:
    """[n] whether the first stage rejects."""
    if hybrid.kind == "least-favourable":
        return eta > hybrid.critical
    return np.abs(hybrid.estimate - theta) > hybrid.half_length * (1 + 1e-12)


def _truncation(values: Floats, eta: Floats, spread: Floats, best: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """[n] v_lo and v_up: where, as v moves with the rest of the data fixed, another vertex takes over."""
    variance = np.diag(spread)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = (spread / variance).T[best]
        rest = values - share * eta[:, None]
        crossing = rest / (1 - share)
        low = np.where(share < 1 - _FLAT, crossing, -np.inf)
        high = np.where(share > 1 + _FLAT, crossing, np.inf)
    here = np.arange(len(eta))
    low[here, best], high[here, best] = -np.inf, np.inf
    return np.minimum(low.max(axis=1), eta), np.maximum(high.min(axis=1), eta)


def _within_interval(
    moments: Moments, at: tuple[Floats, Floats, NDArray[np.int64]], hybrid: Hybridisation, limits: tuple[Floats, Floats]
) -> tuple[Floats, Floats]:
    """The truncation ``limits`` at (θ, η, maximiser), further restricted to |l'β̂ - θ| ≤ half_length."""
    theta, eta, best = at
    if hybrid.covariance is None:
        return limits
    variance = np.einsum("pi,ij,pj->p", moments.vertices, moments.vcov, moments.vertices)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = (moments.vertices @ hybrid.covariance / variance)[best]
        rest = hybrid.estimate - theta - share * eta
        ends = np.sort(np.stack([(-hybrid.half_length - rest) / share, (hybrid.half_length - rest) / share]), axis=0)
    flat = ~np.isfinite(ends).all(axis=0)
    low = np.maximum(limits[0], np.where(flat, -np.inf, ends[0]))
    high = np.minimum(limits[1], np.where(flat, np.inf, ends[1]))
    return np.minimum(low, eta), np.maximum(high, eta)


def _tail(z: Floats, low: Floats, high: Floats) -> Floats:
    """P(Z > z | low ≤ Z ≤ high) for a standard normal, accurate in both tails."""
    from scipy import special

    flip = low > 0
    # Where all is far to the right, work with the mirror image: the left tail keeps its digits.
    top, bottom = np.where(flip, -low, high), np.where(flip, -high, low)
    cut = np.where(flip, -z, z)
    with np.errstate(divide="ignore", invalid="ignore"):
        log_top, log_bottom, log_cut = special.log_ndtr(top), special.log_ndtr(bottom), special.log_ndtr(cut)
        mass = -np.expm1(log_bottom - log_top)
        above = np.where(flip, np.exp(log_cut - log_top) - np.exp(log_bottom - log_top), -np.expm1(log_cut - log_top))
        share = above / mass
    return np.asarray(np.clip(np.nan_to_num(share, nan=0.0), 0.0, 1.0))


def _generate(moments: Moments, theta: Floats) -> Moments:
    """The moments with every vertex that maximises at ``theta``, or at its limits of truncation."""
    moments = moments.improved(moments.level - theta[:, None] * moments.slope)
    for _ in range(_MOST_ROUNDS):
        values = moments.values(theta)
        spread = moments.vertices @ moments.vcov @ moments.vertices.T
        best = values.argmax(axis=1)
        eta = values[np.arange(len(theta)), best]
        variance = np.diag(spread)[best]
        moving = variance > 1e-16 * np.diag(spread).max()
        if not moving.any():
            return moments
        gamma = moments.vertices[best[moving]]
        direction = gamma @ moments.vcov / variance[moving][:, None]
        y = moments.level - theta[moving][:, None] * moments.slope
        sd = np.sqrt(np.maximum(variance, 0.0))
        targets = []
        for v in _truncation(values, eta, spread, best):
            # Beyond forty standard deviations the truncation no longer matters.
            reach = np.clip(v, eta - 40 * sd, eta + 40 * sd)[moving] - eta[moving]
            targets.append(y + reach[:, None] * direction)
        richer = moments.improved(np.vstack(targets))
        if richer is moments:
            return moments
        moments = richer
    return moments
