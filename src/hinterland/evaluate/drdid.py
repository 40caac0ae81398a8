"""Difference-in-differences of two periods on a panel: doubly robust, inverse probability weighting, outcome regression.

Every function takes arrays and returns estimates with the influence of each row, scaled so that the sum of squares over
independent rows is the variance. Sant'Anna & Zhao (2020), Journal of Econometrics 219(1), eq. 3.1 and 2.2; weights are of
the Hájek type (normalised to sum to one in each group).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
EstMethod = Literal["dr", "ipw", "or"]
Problem = Literal["", "few-comparison", "few-treated", "no-overlap", "all-trimmed"]

OVERLAP_LIMIT = 0.999
"""A fitted propensity score of this or more means that treated and comparison units do not overlap."""

_RANK_TOLERANCE = 1e-11
_NEWTON_STEPS = 60
_HALVINGS = 30
_NEWTON_TOLERANCE = 1e-12
_LARGEST_INDEX = 500.0


@dataclass(frozen=True, slots=True)
class Rule:
    """How cells are estimated: the method, and the propensity score from which on comparison units get no weight."""

    method: EstMethod
    trim: float


@dataclass(frozen=True, slots=True)
class Units:
    """n units: outcome levels ``y`` [n, T], covariates ``x`` [n, k] (first column: ones), weights ``w`` [n] or ``None`` (all one)."""

    y: Floats
    x: Floats
    w: Floats | None


@dataclass(frozen=True, slots=True)
class Logit:
    """Propensity scores [n] of rows (treated first), the covariance [k, k] of the coefficients, and whether they can be used."""

    score: Floats
    covariance: Floats
    overlap: bool


def fit_logit(x: Floats, n_treated: int, w: Floats | None, limit: float = OVERLAP_LIMIT) -> Logit:
    """Weighted logit of being among the first ``n_treated`` rows of ``x`` [n, k] (first column: ones), by Newton's method.

    Stops once the Newton decrement per unit of weight is below 1e-12. Where few rows are treated, full steps can run away from a
    maximum that exists: then steps are halved until the likelihood rises. Where the classes are separated the scores run to one
    and ``overlap`` is false; where comparison units are unlike every treated one (a region without treated units, say) theirs run
    to zero, which is no obstacle. Collinear columns are. With weights the scores of an unweighted fit decide, as in R's ``did``: a
    heavy unit with a score near one is no lack of overlap. With an infinite ``limit`` no score is, and only collinear columns and a
    maximum that is not found are.
    """
    logit = _newton(x, n_treated, w, limit, guarded=False)
    if w is not None and not logit.overlap and fit_logit(x, n_treated, None).overlap:
        limit = np.inf
    return logit if logit.overlap else _newton(x, n_treated, w, limit, guarded=True)


def _newton(x: Floats, n_treated: int, w: Floats | None, limit: float, *, guarded: bool) -> Logit:
    """``guarded`` halves the steps that lower the likelihood; without, ``overlap`` is false where full steps do not converge."""
    total = float(len(x)) if w is None else float(w.sum())
    treated = x[:n_treated].sum(axis=0) if w is None else w[:n_treated] @ x[:n_treated]
    beta = np.zeros(x.shape[1])
    beta[0] = np.log(treated[0] / (total - treated[0]))
    converged = False
    for _ in range(_NEWTON_STEPS):
        score = 1 / (1 + np.exp(-np.clip(x @ beta, -_LARGEST_INDEX, _LARGEST_INDEX)))
        mass = score if w is None else w * score
        hessian = (x * (mass * (1 - score))[:, None]).T @ x
        if converged:
            break
        gradient = treated - mass @ x
        try:
            step = np.linalg.solve(hessian, gradient)
        except np.linalg.LinAlgError:
            break
        converged = bool(gradient @ step < _NEWTON_TOLERANCE * total)
        beta = beta + (_rising(x, treated, w, beta, step) if guarded else step)
    overlap = converged and bool(score.max() < limit)
    if overlap and is_singular(hessian):
        overlap = not is_singular((x if w is None else x * w[:, None]).T @ x)
    return Logit(score, _inverse(hessian) if overlap else hessian, overlap)


def _inverse(hessian: Floats) -> Floats:
    """The inverse; where no treated unit is like some comparison units, whose scores then run to zero, that of the directions left.

    The scores of those units are limits, not estimates, and nothing depends on how they are approached.
    """
    scale = np.sqrt(np.diag(hessian))
    values, vectors = np.linalg.eigh(hessian / np.outer(scale, scale))
    inverse = np.where(values < _RANK_TOLERANCE * values[-1], 0.0, 1 / np.where(values > 0, values, 1.0))
    return np.asarray((vectors * inverse) @ vectors.T / np.outer(scale, scale))


def _rising(x: Floats, treated: Floats, w: Floats | None, beta: Floats, step: Floats) -> Floats:
    """The Newton ``step`` [k], halved until the log-likelihood does not fall; ``treated`` [k] sums the covariates of the treated."""

    def likelihood(b: Floats) -> float:
        loss = np.logaddexp(0.0, x @ b)
        return float(treated @ b - (loss.sum() if w is None else w @ loss))

    start = likelihood(beta)
    for _ in range(_HALVINGS):
        if likelihood(beta + step) >= start - 1e-12 * abs(start):
            break
        step = step / 2
    return step


@dataclass(frozen=True, slots=True)
class Comparison:
    """Comparison units of a set of cells, with the outcome regression that the cells share.

    ``residual`` [n, T]: outcome less its prediction from the covariates (the outcome itself for ``ipw``); ``coefficients``
    [k, T]; ``gram`` [k, k] = x'wx; ``singular``: the regression is not defined.
    """

    units: Units
    residual: Floats
    coefficients: Floats
    gram: Floats
    singular: bool = False


def fit_comparison(units: Units, method: EstMethod) -> Comparison:
    """Regress the outcome levels of the comparison units on their covariates.

    Least squares is linear in the outcome, so the regression of any difference is the difference of these.
    """
    y, x = units.y, units.x
    k = x.shape[1]
    nothing = np.zeros((k, y.shape[1]))
    if method == "ipw":
        return Comparison(units, y, nothing, np.eye(k))
    wx = x if units.w is None else x * units.w[:, None]
    gram = np.asarray(wx.T @ x, dtype=np.float64)
    if is_singular(gram):
        return Comparison(units, y, nothing, np.eye(k), singular=True)
    coefficients = np.asarray(np.linalg.solve(gram, wx.T @ y), dtype=np.float64)
    return Comparison(units, y - x @ coefficients, coefficients, gram)


def is_singular(gram: Floats) -> bool:
    """Whether the cross-product matrix has lost rank, up to the scale of its columns."""
    scale = np.sqrt(np.diag(gram))
    if not (scale > 0).all():
        return True
    values = np.linalg.eigvalsh(gram / np.outer(scale, scale))
    return bool(values[0] < _RANK_TOLERANCE * values[-1])


@dataclass(frozen=True, slots=True)
class Cells:
    """m two-by-two estimates on the same units.

    ``att`` [m]; influence of each treated [n1, m] and comparison [n0, m] unit; number of comparison units trimmed; why there is
    no estimate (empty if there is).
    """

    att: Floats
    treated: Floats
    comparison: Floats
    trimmed: int = 0
    problem: Problem = ""


def _failed(problem: Problem, m: int) -> Cells:
    return Cells(np.full(m, np.nan), np.empty((0, m)), np.empty((0, m)), 0, problem)


def panel_cells(treated: Units, comparison: Comparison, contrast: Floats, rule: Rule) -> Cells:
    """Effects on ``treated`` units; ``contrast`` [T, m] holds +1 for the period of each of m cells and -1 for its base."""
    if comparison.singular:
        return _failed("few-comparison", contrast.shape[1])
    residual = treated.y - treated.x @ comparison.coefficients
    weight = np.full(len(residual), 1 / len(residual)) if treated.w is None else treated.w / treated.w.sum()
    mean = (weight @ residual) @ contrast
    influence = weight[:, None] * (residual @ contrast - mean)
    centre = weight @ treated.x
    if rule.method != "or":
        return _weighted_cells(_Half(mean, influence, centre), treated, comparison, contrast, rule)
    lever = _weigh(comparison.units.x @ np.linalg.solve(comparison.gram, -centre), comparison.units.w)
    return Cells(mean, influence, (lever[:, None] * comparison.residual) @ contrast)


def _weigh(values: Floats, w: Floats | None) -> Floats:
    return values if w is None else values * w


@dataclass(frozen=True, slots=True)
class _Half:
    """The treated units' side of m cells: mean residual change [m], its influence [n1, m], mean covariates [k]."""

    mean: Floats
    influence: Floats
    centre: Floats


def _weighted_cells(half: _Half, treated: Units, comparison: Comparison, contrast: Floats, rule: Rule) -> Cells:
    """Take the weighted mean of comparison units from the treated ``half``.

    The influence of a comparison unit is linear in its residuals, so all m cells come from one product:
    ``[lever·residual, odds, chance·x] @ [contrast; mean; tilt]``.
    """
    units, n1 = comparison.units, len(treated.x)
    w = None if treated.w is None or units.w is None else np.concatenate([treated.w, units.w])
    logit = fit_logit(np.concatenate([treated.x, units.x]), n1, w)
    if not logit.overlap:
        return _failed("no-overlap", contrast.shape[1])
    score = logit.score[n1:]
    kept = score < rule.trim
    chance = _weigh(score, units.w)
    odds = np.where(kept, chance / np.where(kept, 1 - score, 1.0), 0.0)
    if not odds.sum() > 0:
        return _failed("all-trimmed", contrast.shape[1])
    odds /= odds.sum()
    balance = odds @ units.x
    mean = (odds @ comparison.residual) @ contrast
    slope = ((units.x * odds[:, None]).T @ comparison.residual) @ contrast - np.outer(balance, mean)
    tilt = logit.covariance @ slope
    lever = -odds
    if rule.method == "dr":
        lever = lever + _weigh(units.x @ np.linalg.solve(comparison.gram, balance - half.centre), units.w)
    factors = np.concatenate([lever[:, None] * comparison.residual, odds[:, None], chance[:, None] * units.x], axis=1)
    miss = _weigh(1 - logit.score[:n1], treated.w)
    return Cells(
        half.mean - mean,
        half.influence - (miss[:, None] * treated.x) @ tilt,
        factors @ np.concatenate([contrast, mean[None, :], tilt]),
        int((~kept).sum()),
    )
