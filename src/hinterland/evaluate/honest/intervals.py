"""Intervals at one bound: the values of the effect that are not rejected by any polyhedron of Δ."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hinterland.evaluate.honest.conditional import (
    Hybridisation,
    Moments,
    complete_bounds,
    least_favourable,
    make_moments,
    p_margin,
)
from hinterland.evaluate.honest.flci import Flci, Frontier, frontier, shortest
from hinterland.evaluate.honest.restrictions import Polyhedron, Shape, polyhedra

Floats = NDArray[np.float64]
Method = Literal["flci", "conditional", "c-f", "c-lf"]

_POINTS, _FEWER_POINTS = 1000, 200
"""Points at which an interval is searched, and where each point is a linear programme."""
_THINNED = 5
_SECTIONS, _ROUNDS = 32, 10
_WIDEST = 12
"""Doublings of the search for the end of a conditional interval, from forty standard errors on: beyond, the end is open."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Estimates [pre + post] with their covariance, the effect ``weights`` [post], and how to bound it.

    ``draws`` [n, pre + post] of the estimates around zero, for least-favourable critical values; ``kappa``: the size of a hybrid's first stage;
    ``path``: the bias-variance frontier; ``critical``: the critical value of a bound that is not relative, since it does not change with it.
    """

    estimates: Floats
    vcov: Floats
    weights: Floats
    shape: Shape
    method: Method
    level: float
    draws: Floats
    kappa: float
    path: Frontier | None = None
    critical: float = np.nan

    @property
    def estimate(self) -> float:
        """The effect under parallel trends."""
        return float(self.weights @ self.estimates[self.shape.pre :])

    @property
    def std_error(self) -> float:
        """Its standard error."""
        pre = self.shape.pre
        return float(np.sqrt(self.weights @ self.vcov[pre:, pre:] @ self.weights))


@dataclass(frozen=True, slots=True)
class Interval:
    """``low`` and ``high`` (NaN when every value is rejected, infinite when no end was found)."""

    low: float
    high: float


def make_problem(
    estimates: Floats, vcov: Floats, weights: Floats, shape: Shape, method: Method, *, level: float, draws: int, seed: int
) -> Problem:
    """Prepare what does not depend on the bound: the random draws and the bias-variance frontier."""
    normals = np.zeros((0, len(estimates)))
    if method == "c-lf":
        values, vectors = np.linalg.eigh(vcov)
        half = np.random.default_rng(seed).standard_normal((-(-draws // 2), len(estimates)))
        # The symmetric root does not depend on the signs of the eigenvectors; antithetic pairs make mirror images agree.
        normals = np.vstack([half, -half]) @ ((vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T)
    path = frontier(vcov, weights, shape.pre) if method in ("flci", "c-f") else None
    problem = Problem(estimates, vcov, weights, shape, method, level, normals, (1 - level) / 10, path)
    if shape.relative or method != "c-lf":
        return problem
    critical = least_favourable(_moments(problem, polyhedra(shape, 0.0)[0]), _drawn(problem), problem.kappa)
    return replace(problem, critical=critical)


def _drawn(problem: Problem) -> Floats:
    """The draws for a critical value; one in five where each is a linear programme."""
    return problem.draws[:: _THINNED if problem.shape.restricted else 1]


def _moments(problem: Problem, polyhedron: Polyhedron) -> Moments:
    return make_moments(polyhedron, problem.estimates, problem.vcov, problem.weights, complete=not problem.shape.restricted)


def interval(problem: Problem, bound: float) -> Interval:
    """The confidence interval at ``bound``: the convex hull of the values accepted."""
    if problem.method == "flci":
        return _fixed_length(problem, bound, problem.level)
    found, critical = [], problem.critical
    mirror = problem.shape.relative and not problem.shape.restricted
    for number, polyhedron in enumerate(polyhedra(problem.shape, bound)):
        moments = _moments(problem, polyhedron)
        if problem.method == "c-lf" and problem.shape.relative and not (mirror and number % 2):
            critical = least_favourable(moments, _drawn(problem), problem.kappa)
        found.append(_accepted(problem, moments, _first_stage(problem, moments, bound, critical)))
    lows, highs = [i.low for i in found if i.low <= i.high], [i.high for i in found if i.low <= i.high]
    return Interval(min(lows), max(highs)) if lows else Interval(np.nan, np.nan)


def _first_stage(problem: Problem, moments: Moments, bound: float, critical: float) -> Hybridisation:
    """The first stage of the method."""
    if problem.method == "conditional":
        return Hybridisation("none")
    if problem.method == "c-lf":
        return Hybridisation("least-favourable", problem.kappa, critical)
    wide = _flci(problem, bound, 1 - problem.kappa)
    covariance = moments.root @ problem.vcov @ wide.weights
    return Hybridisation("fixed-length", problem.kappa, estimate=wide.estimate, half_length=wide.half_length, covariance=covariance)


def _flci(problem: Problem, bound: float, level: float) -> Flci:
    path = problem.path if problem.path is not None else frontier(problem.vcov, problem.weights, problem.shape.pre)
    return shortest(path, problem.estimates, problem.weights, bound, level)


def _fixed_length(problem: Problem, bound: float, level: float) -> Interval:
    found = _flci(problem, bound, level)
    return Interval(found.estimate - found.half_length, found.estimate + found.half_length)


def _accepted(problem: Problem, moments: Moments, hybrid: Hybridisation) -> Interval:
    """The hull of the values accepted for one polyhedron."""
    alpha = 1 - problem.level
    low, high, moments = _search(problem, moments, hybrid)
    if not low <= high:
        return Interval(np.nan, np.nan)
    points = _FEWER_POINTS if problem.shape.restricted else _POINTS
    for _ in range(_WIDEST):
        theta = np.linspace(low, high, points)
        margin, moments = p_margin(moments, theta, alpha, hybrid)
        accepted = np.flatnonzero(margin >= 0)
        open_low, open_high = bool(margin[0] >= 0), bool(margin[-1] >= 0)
        if hybrid.kind != "none" or not (open_low or open_high):
            break
        low, high = low - (high - low) * open_low, high + (high - low) * open_high
    if not len(accepted):
        return Interval(np.nan, np.nan)
    unbounded = hybrid.kind == "none"
    first, last = int(accepted[0]), int(accepted[-1])
    ends = [theta[first], theta[last]]
    outside = [theta[max(first - 1, 0)], theta[min(last + 1, points - 1)]]
    refined = _refine(moments, np.array(ends), np.array(outside), alpha, hybrid)
    return Interval(
        -np.inf if unbounded and first == 0 else float(refined[0]),
        np.inf if unbounded and last == points - 1 else float(refined[1]),
    )


def _search(problem: Problem, moments: Moments, hybrid: Hybridisation) -> tuple[float, float, Moments]:
    """Where the values accepted can lie: exactly, for a hybrid; for the conditional test, a range that may have to be widened."""
    if hybrid.kind == "fixed-length":
        return hybrid.estimate - hybrid.half_length, hybrid.estimate + hybrid.half_length, moments
    if hybrid.kind == "least-favourable":
        return complete_bounds(moments, hybrid.critical)
    low, high, moments = complete_bounds(moments, 0.0)
    if not low <= high:
        low = high = problem.estimate
    reach = 40 * problem.std_error
    return low - reach, high + reach, moments


def _refine(moments: Moments, inside: Floats, outside: Floats, alpha: float, hybrid: Hybridisation) -> Floats:
    """[2] the ends of the accepted values between accepted points ``inside`` and rejected points ``outside``.

    Both gaps are cut into parts at once: the points of a row cost hardly more than one.
    """
    tolerance = 1e-10 * max(1e-300, float(np.abs(inside).max()), float(np.abs(inside - outside).max()))
    cuts = np.linspace(0, 1, _SECTIONS + 1)
    for _ in range(_ROUNDS):
        if np.abs(inside - outside).max() <= tolerance:
            break
        theta = inside[:, None] + cuts * (outside - inside)[:, None]
        margin, moments = p_margin(moments, theta.ravel(), alpha, hybrid)
        rejected = (margin < 0).reshape(theta.shape)
        rejected[:, 0], rejected[:, -1] = False, True
        first = rejected.argmax(axis=1)
        inside, outside = theta[[0, 1], first - 1], theta[[0, 1], first]
    return inside


def identified_set(problem: Problem, bound: float) -> Interval:
    """The effects compatible with Δ at ``bound`` were the estimates the truth."""
    found = []
    for polyhedron in polyhedra(problem.shape, bound):
        moments = _moments(problem, polyhedron)
        low, high, _ = complete_bounds(moments, 0.0)
        if low <= high:
            found.append(Interval(low, high))
    if not found:
        return Interval(np.nan, np.nan)
    return Interval(min(i.low for i in found), max(i.high for i in found))
