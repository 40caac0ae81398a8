"""Difference-in-differences of two periods on repeated cross-sections (or on a panel with gaps, pooled).

The influence functions are scaled as in :mod:`hinterland.evaluate.drdid`. Sant'Anna & Zhao (2020), Journal of Econometrics
219(1): ``dr`` is their locally efficient estimator, eq. 3.4, with outcome regressions for both groups in both periods.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hinterland.evaluate.drdid import Floats, Problem, Rule, fit_logit, is_singular

Group = tuple[bool, bool]
"""(treated group, later period)."""

InfluenceOf = Literal["exact", "drdid"]
"""Influence function of ``dr``: ``exact`` is the derivative of the estimator; ``drdid`` repeats R's DRDID::drdid_rc, in which the
terms for estimating the comparison regression of the earlier period have the opposite sign. The two agree where the
propensity score balances the covariates exactly."""

_COMPARISON: tuple[Group, ...] = ((False, False), (False, True))
_TREATED: tuple[Group, ...] = ((True, False), (True, True))


@dataclass(frozen=True, slots=True)
class SectionCell:
    """``att``, the influence of each row [n], comparison rows trimmed, and why there is no estimate (empty if there is)."""

    att: float
    influence: Floats
    trimmed: int = 0
    problem: Problem = ""


@dataclass(frozen=True, slots=True)
class _Propensity:
    """Odds [n] of the comparison rows by period (each sums to one), the score of the logit [n], the covariance of its coefficients, rows trimmed."""

    odds: Mapping[bool, Floats]
    score: Floats
    covariance: Floats
    trimmed: int


@dataclass(frozen=True, slots=True)
class _Regression:
    """Least squares within one group and period: prediction for every row [n], weighted residual [n], cross-product [k, k]."""

    fitted: Floats
    score: Floats
    gram: Floats


@dataclass(frozen=True, slots=True)
class Rows:
    """n rows of two periods: outcome ``y`` [n], later period ``post`` [n], treated group ``d`` [n], covariates ``x`` [n, k] (first
    column: ones), weights ``w`` [n].
    """

    y: Floats
    post: NDArray[np.bool_]
    d: NDArray[np.bool_]
    x: Floats
    w: Floats


def section_cell(rows: Rows, rule: Rule, influence_of: InfluenceOf = "exact") -> SectionCell:
    """The effect in two periods, of which different units may be seen."""
    y, post, d, x, w = rows.y, rows.post, rows.d, rows.x, rows.w
    method = rule.method
    groups = {(g, p): w * ((d == g) & (post == p)) for g, p in (*_COMPARISON, *_TREATED)}
    weights = {key: value / value.sum() for key, value in groups.items()}
    fits: dict[Group, _Regression] = {}
    for key in () if method == "ipw" else _COMPARISON if method == "or" else (*_COMPARISON, *_TREATED):
        fit = _regress(y, x, groups[key])
        if fit is None:
            return SectionCell(np.nan, np.empty(0), 0, "few-treated" if key[0] else "few-comparison")
        fits[key] = fit
    everyone = w * d / (w * d).sum()
    if method == "or":
        return _regression_cell(y, x, everyone, weights, fits)
    propensity = _propensity(rows, groups, rule.trim)
    if not isinstance(propensity, _Propensity):
        return SectionCell(np.nan, np.empty(0), 0, propensity)
    att, influence = _weighted(rows, weights, propensity, fits)
    if method == "dr":
        extra, extra_influence = _efficiency(x, everyone, weights, fits)
        att, influence = att + extra, influence + extra_influence
        influence = influence + _regression_effects(x, everyone, weights, propensity, fits)
        if influence_of == "drdid":
            gap = propensity.odds[False] @ x - weights[True, False] @ x
            influence = influence + _direction(fits[False, False], x, 2 * gap)
    return SectionCell(att, influence, propensity.trimmed)


def _regress(y: Floats, x: Floats, w: Floats) -> _Regression | None:
    """Regression weighted by ``w`` [n] (zero outside the group); ``None`` where it is not defined."""
    wx = x * w[:, None]
    gram = wx.T @ x
    if is_singular(gram):
        return None
    fitted = x @ np.linalg.solve(gram, wx.T @ y)
    return _Regression(fitted, w * (y - fitted), gram)


def _direction(fit: _Regression, x: Floats, direction: Floats) -> Floats:
    """[n] influence of ``direction @ coefficients``."""
    return np.asarray(fit.score * (x @ np.linalg.solve(fit.gram, direction)))


def _mean(values: Floats, weight: Floats) -> tuple[float, Floats]:
    """Weighted mean of ``values`` [n] and its influence [n]; ``weight`` sums to one."""
    mean = float(weight @ values)
    return mean, weight * (values - mean)


def _change(values: Floats, later: Floats, earlier: Floats) -> tuple[float, Floats]:
    """Difference of two weighted means and its influence."""
    (a, ia), (b, ib) = _mean(values, later), _mean(values, earlier)
    return a - b, ia - ib


def _propensity(rows: Rows, groups: Mapping[Group, Floats], trim: float) -> _Propensity | Problem:
    d, x, w = rows.d, rows.x, rows.w
    order = np.argsort(~d, kind="stable")
    logit = fit_logit(x[order], int(d.sum()), w[order])
    if not logit.overlap:
        return "no-overlap"
    score = np.empty(len(d))
    score[order] = logit.score
    kept = score < trim
    odds = {p: np.where(kept, groups[False, p] * score / np.where(kept, 1 - score, 1.0), 0.0) for p in (False, True)}
    if not all(o.sum() > 0 for o in odds.values()):
        return "all-trimmed"
    return _Propensity({p: o / o.sum() for p, o in odds.items()}, w * (d - score), logit.covariance, int((~kept & ~d).sum()))


def _regression_cell(
    y: Floats, x: Floats, everyone: Floats, weights: Mapping[Group, Floats], fits: Mapping[Group, _Regression]
) -> SectionCell:
    """Outcome regression: the treated group's change less the change predicted from comparison rows."""
    gain, gain_influence = _change(y, weights[True, True], weights[True, False])
    trend, trend_influence = _mean(fits[False, True].fitted - fits[False, False].fitted, everyone)
    centre = everyone @ x
    nuisance = _direction(fits[False, True], x, centre) - _direction(fits[False, False], x, centre)
    return SectionCell(gain - trend, gain_influence - trend_influence - nuisance)


def _weighted(
    rows: Rows, weights: Mapping[Group, Floats], propensity: _Propensity, fits: Mapping[Group, _Regression]
) -> tuple[float, Floats]:
    """Weighted change of the outcome (or of the comparison regression's residual), with the effect of estimating the scores."""
    y, x = rows.y, rows.x
    gap = y - np.where(rows.post, fits[False, True].fitted, fits[False, False].fitted) if fits else y
    gain, gain_influence = _change(gap, weights[True, True], weights[True, False])
    trend, trend_influence = _change(gap, propensity.odds[True], propensity.odds[False])
    slope = sum((sign * (_mean(gap, propensity.odds[p])[1] @ x) for p, sign in ((True, 1.0), (False, -1.0))), np.zeros(x.shape[1]))
    nuisance = propensity.score * (x @ (propensity.covariance @ slope))
    return gain - trend, gain_influence - trend_influence - nuisance


def _efficiency(x: Floats, everyone: Floats, weights: Mapping[Group, Floats], fits: Mapping[Group, _Regression]) -> tuple[float, Floats]:
    """The locally efficient adjustment: predicted effects over all treated rows less those over one period's."""
    total, influence = 0.0, np.zeros(len(x))
    for p, sign in ((True, 1.0), (False, -1.0)):
        shift, shift_influence = _change(fits[True, p].fitted - fits[False, p].fitted, everyone, weights[True, p])
        total, influence = total + sign * shift, influence + sign * shift_influence
    return total, influence


def _regression_effects(
    x: Floats, everyone: Floats, weights: Mapping[Group, Floats], propensity: _Propensity, fits: Mapping[Group, _Regression]
) -> Floats:
    """[n] influence of estimating the four outcome regressions."""
    influence = np.zeros(len(x))
    centre = everyone @ x
    for p, sign in ((True, 1.0), (False, -1.0)):
        influence += sign * _direction(fits[False, p], x, propensity.odds[p] @ x - centre)
        influence += sign * _direction(fits[True, p], x, centre - weights[True, p] @ x)
    return influence
