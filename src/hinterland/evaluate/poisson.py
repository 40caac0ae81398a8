"""Poisson regression with fixed effects: separation, and iteratively reweighted least squares.

E[y | x] = exp(x'β + fixed effects). Each step regresses the working outcome z = η + (y − μ)/μ on x, net of the fixed effects,
with weights w·μ (Correia, Guimarães & Zylkin 2020, Stata Journal 20(1), eq. 6–10).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hinterland.errors import EstimationError, Finding
from hinterland.evaluate.coding import Factor, Floats
from hinterland.evaluate.hdfe import Absorber, absorber, project_off
from hinterland.evaluate.regression import column_scale, gram_of, independent_columns

CONVERGED = 1e-11
ITERATIONS = 200
RECTIFIER_WEIGHT = 1e7
RECTIFIER_ZERO = 1e-5
RECTIFIER_ITERATIONS = 1000


def zero_groups(y: Floats, factors: Sequence[Factor]) -> tuple[NDArray[np.bool_], tuple[str, ...]]:
    """[n] rows in a level (of an intercept factor) whose outcome is zero throughout, and the factors concerned.

    Dropping a level can empty another one, so the search goes on until nothing changes.
    """
    out = np.zeros(len(y), dtype=np.bool_)
    names: dict[str, None] = {}
    positive = y > 0
    while True:
        before = int(out.sum())
        for factor in factors:
            if factor.slope is not None:
                continue
            alive = np.bincount(factor.codes[positive & ~out], minlength=factor.size) > 0
            lost = ~out & ~alive[factor.codes]
            if lost.any():
                names[factor.name] = None
                out |= lost
        if int(out.sum()) == before:
            return out, tuple(names)


def separated(y: Floats, columns: Floats, factors: Sequence[Factor]) -> NDArray[np.bool_]:
    """[n] rows with a zero outcome that some combination of regressors and fixed effects predicts perfectly.

    The iterative rectifier of Correia, Guimarães & Zylkin (2019, arXiv:1903.01633, algorithm 1): regress u = 1[y = 0] with weight
    one where y = 0 and a very large weight elsewhere, replace u by the positive part of the fit, until no fitted value is negative.
    Where it does not settle, nothing is called separated and the regression must converge on its own.
    """
    zero = y == 0
    none = np.zeros(len(y), dtype=np.bool_)
    if not zero.any():
        return none
    weights = np.where(zero, 1.0, RECTIFIER_WEIGHT)
    prepared = absorber(factors, weights)
    raw, centred = column_scale(columns, weights)
    x = project_off(prepared, columns)
    gram = gram_of(x, weights)
    kept = independent_columns(gram, raw, centred)
    x, gram = x[:, kept], gram[np.ix_(kept, kept)]
    u = zero.astype(np.float64)
    for _ in range(RECTIFIER_ITERATIONS):
        residual = prepared.column(u)
        if kept.any():
            residual -= x @ np.linalg.solve(gram, x.T @ (residual * weights))
        fitted = np.where(zero, u - residual, 0.0)
        fitted[np.abs(fitted) < RECTIFIER_ZERO] = 0.0
        if (fitted >= 0).all():
            return fitted > 0
        u = np.maximum(fitted, 0.0)
    return none


@dataclass(frozen=True, slots=True)
class PoissonFit:
    """A converged Poisson regression.

    Attributes:
        kept: [p] columns that are not collinear.
        estimate: [q] their coefficients.
        mu: [n] fitted means.
        x: [n, q] columns net of the fixed effects, in the metric of the final weights;  gram: [q, q] X'WX.
        prepared: the final projection.
        deviance: 2 Σ w (y log(y/μ) − (y − μ)).
        iterations: steps taken.
    """

    kept: NDArray[np.bool_]
    estimate: Floats
    mu: Floats
    x: Floats
    gram: Floats
    prepared: Absorber
    deviance: float
    iterations: int


def fit_poisson(y: Floats, columns: Floats, factors: Sequence[Factor], weights: Floats | None) -> PoissonFit:
    """Fit by iteratively reweighted least squares until the deviance changes by less than 1e-11 of itself.

    Args:
        y: [n] outcome, not negative;  columns: [n, p];  weights: [n] or ``None``.

    Raises:
        EstimationError: no convergence.
    """
    eta = np.log((y + np.average(y, weights=weights)) / 2)
    kept: NDArray[np.bool_] | None = None
    step = _step(y, eta, columns, factors, weights)
    last = _deviance(y, np.exp(eta), weights)
    for iteration in range(1, ITERATIONS + 1):
        if kept is None:
            kept = independent_columns(step.gram, step.raw, step.centred)
            if not kept.all():
                columns = np.asfortranarray(columns[:, kept])
                step = _step(y, eta, columns, factors, weights)
        previous, eta = eta, step.eta
        mu, deviance = _evaluate(y, eta, weights)
        for _ in range(20):
            if np.isfinite(deviance) and (iteration == 1 or deviance <= last * (1 + 1e-9) + 1e-9):
                break
            eta = (eta + previous) / 2
            mu, deviance = _evaluate(y, eta, weights)
        done = abs(deviance - last) < CONVERGED * (0.1 + abs(deviance))
        last = deviance
        if done:
            # The coefficients belong to the step before; one more at the final weights costs little and is exact.
            final = _step(y, eta, columns, factors, weights)
            return PoissonFit(kept, final.estimate, mu, final.x, final.gram, final.prepared, deviance, iteration)
        step = _step(y, eta, columns, factors, weights)
    raise EstimationError(
        Finding(
            "not-converged",
            f"the Poisson regression did not converge in {ITERATIONS} iterations (deviance {last:g})",
            f"{len(y)} rows, {int((y == 0).sum())} zeros",
            "look for a regressor that predicts zeros almost perfectly, or for outliers",
        ),
        "design",
    )


@dataclass(frozen=True, slots=True)
class _Step:
    estimate: Floats
    eta: Floats
    x: Floats
    gram: Floats
    raw: Floats
    centred: Floats
    prepared: Absorber


def _step(y: Floats, eta: Floats, columns: Floats, factors: Sequence[Factor], weights: Floats | None) -> _Step:
    mu = np.exp(eta)
    w = mu if weights is None else mu * weights
    z = eta + (y - mu) / mu
    prepared = absorber(factors, w)
    raw, centred = column_scale(columns, w)
    x = project_off(prepared, columns)
    within = prepared.column(z)
    gram = gram_of(x, w)
    kept = independent_columns(gram, raw, centred)
    estimate = np.zeros(len(raw))
    estimate[kept] = np.linalg.solve(gram[np.ix_(kept, kept)], x[:, kept].T @ (within * w))
    return _Step(estimate, z - (within - x @ estimate), x, gram, raw, centred, prepared)


def _evaluate(y: Floats, eta: Floats, weights: Floats | None) -> tuple[Floats, float]:
    with np.errstate(over="ignore", invalid="ignore"):
        mu = np.exp(eta)
        return mu, _deviance(y, mu, weights)


def _deviance(y: Floats, mu: Floats, weights: Floats | None) -> float:
    positive = y > 0
    terms = mu - y
    terms[positive] += y[positive] * np.log(y[positive] / mu[positive])
    return float(2 * (terms.sum() if weights is None else terms @ weights))


def log_likelihood(y: Floats, mu: Floats, weights: Floats | None) -> float:
    """Σ w (y log μ − μ − log Γ(y + 1)); for outcomes that are not whole, a quasi-likelihood."""
    from scipy import special

    terms = special.xlogy(y, mu) - mu - special.gammaln(y + 1)
    return float(terms.sum() if weights is None else terms @ weights)
