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
_NEWTON_TOLERANCE = 1e-12
_LARGEST_INDEX = 500.0


@dataclass(frozen=True, slots=True)
class Logit:
    """Propensity scores [n] of rows (treated first), the Hessian [k, k] of the log-likelihood, and whether they can be used."""

    score: Floats
    hessian: Floats
    overlap: bool


def fit_logit(x: Floats, n_treated: int, w: Floats | None) -> Logit:
    """Weighted logit of being among the first ``n_treated`` rows of ``x`` [n, k] (first column: ones), by Newton's method.

    Stops once the Newton decrement per unit of weight is below 1e-12. Where the classes are separated the scores run to one
    and ``overlap`` is false.
    """
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
        beta += step
    return Logit(score, hessian, converged and bool(score.max() < OVERLAP_LIMIT) and not is_singular(hessian))


@dataclass(frozen=True, slots=True)
class Comparison:
    """Comparison units of a set of cells, with the outcome regression that the cells share.

    ``outcome`` [n, T] levels; ``residual`` [n, T] outcome less its prediction from ``x`` [n, k] (the outcome itself for
    ``ipw``); ``coefficients`` [k, T]; ``gram`` [k, k] = x'wx; ``singular``: the regression is not defined.
    """

    outcome: Floats
    residual: Floats
    x: Floats
    w: Floats | None
    coefficients: Floats
    gram: Floats
    singular: bool


def fit_comparison(y: Floats, x: Floats, w: Floats | None, method: EstMethod) -> Comparison:
    """Regress the outcome levels ``y`` [n, T] on ``x`` [n, k] with weights ``w`` [n] (least squares is linear in the outcome, so
    the regression of any difference is the difference of these)."""
    k = x.shape[1]
    if method == "ipw":
        return Comparison(y, y, x, w, np.zeros((k, y.shape[1])), np.eye(k), False)
    wx = x if w is None else x * w[:, None]
    gram = wx.T @ x
    if is_singular(gram):
        return Comparison(y, y, x, w, np.zeros((k, y.shape[1])), np.eye(k), True)
    coefficients = np.linalg.solve(gram, wx.T @ y)
    return Comparison(y, y - x @ coefficients, x, w, coefficients, gram, False)


def is_singular(gram: Floats) -> bool:
    """Whether the cross-product matrix has lost rank, up to the scale of its columns."""
    scale = np.sqrt(np.diag(gram))
    if not (scale > 0).all():
        return True
    values = np.linalg.eigvalsh(gram / np.outer(scale, scale))
    return bool(values[0] < _RANK_TOLERANCE * values[-1])


@dataclass(frozen=True, slots=True)
class Cells:
    """m two-by-two estimates on the same units: ``att`` [m], influence of each treated [n1, m] and comparison [n0, m] unit,
    number of comparison units trimmed, and why they could not be estimated (empty if they could)."""

    att: Floats
    treated: Floats
    comparison: Floats
    trimmed: int = 0
    problem: Problem = ""


def _failed(problem: Problem, m: int) -> Cells:
    return Cells(np.full(m, np.nan), np.empty((0, m)), np.empty((0, m)), 0, problem)


def panel_cells(y: Floats, x: Floats, w: Floats | None, comparison: Comparison, contrast: Floats, method: EstMethod, trim: float) -> Cells:
    """Effects on treated units with outcome levels ``y`` [n1, T] and covariates ``x`` [n1, k] (first column: ones).

    ``contrast`` [T, m] holds +1 for the period of each cell and -1 for its base. Comparison units whose propensity score is
    ``trim`` or more get no weight. The influence of a comparison unit is linear in its residuals, so all m cells come from one
    product: ``[a·residual, odds, p·x] @ [contrast; mean; K]``.
    """
    m, n1 = contrast.shape[1], len(y)
    if comparison.singular:
        return _failed("few-comparison", m)
    residual = y - x @ comparison.coefficients
    weight = np.full(n1, 1 / n1) if w is None else w / w.sum()
    mean_treated = (weight @ residual) @ contrast
    centre = weight @ x
    if method == "or":
        lever = comparison.x @ np.linalg.solve(comparison.gram, -centre)
        influence = ((lever if comparison.w is None else lever * comparison.w)[:, None] * comparison.residual) @ contrast
        return Cells(mean_treated, weight[:, None] * (residual @ contrast - mean_treated), influence)

    logit = fit_logit(np.concatenate([x, comparison.x]), n1, None if w is None or comparison.w is None else np.concatenate([w, comparison.w]))
    if not logit.overlap:
        return _failed("no-overlap", m)
    score = logit.score[n1:]
    chance = score if comparison.w is None else score * comparison.w
    kept = score < trim
    odds = np.where(kept, chance / (1 - score), 0.0)
    if not odds.sum() > 0:
        return _failed("all-trimmed", m)
    odds /= odds.sum()
    mean_comparison = (odds @ comparison.residual) @ contrast
    balance = odds @ comparison.x
    slope = ((comparison.x * odds[:, None]).T @ comparison.residual) @ contrast - np.outer(balance, mean_comparison)
    tilt = np.linalg.solve(logit.hessian, slope)
    lever = -odds
    if method == "dr":
        ols = comparison.x @ np.linalg.solve(comparison.gram, balance - centre)
        lever = lever + (ols if comparison.w is None else ols * comparison.w)
    factors = np.concatenate([lever[:, None] * comparison.residual, odds[:, None], chance[:, None] * comparison.x], axis=1)
    influence = factors @ np.concatenate([contrast, mean_comparison[None, :], tilt])
    miss = 1 - logit.score[:n1] if w is None else w * (1 - logit.score[:n1])
    treated = weight[:, None] * (residual @ contrast - mean_treated) - (miss[:, None] * x) @ tilt
    return Cells(mean_treated - mean_comparison, treated, influence, int((~kept).sum()))
