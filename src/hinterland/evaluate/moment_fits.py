"""Estimators from :class:`~hinterland.evaluate.moments.PanelMoments`: the same numbers as in memory, whatever the size of the data.

Each estimate is Σ_i w_i (z_i, 1)' B_g(i): linear in a unit's outcomes, with a matrix B_g [T + 1, p] per cohort. So is its influence
function. Clustered by unit, the covariance is Σ_g B_g' Q_g B_g with Q_g the cross-products of the cohort; clustered by a coarser
grouping, the sum of squares of the clusters' own sums times B_g.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hinterland.data.cohorts import NEVER
from hinterland.errors import EstimationError, Finding, did_you_mean, fail_if_any, listed
from hinterland.evaluate.group_time import BasePeriod
from hinterland.evaluate.moment_group_time import group_time
from hinterland.evaluate.moment_influence import Floats, Live, facts_of, influence_of, labels_of, left_out, small_sample
from hinterland.evaluate.moments import PanelMoments
from hinterland.evaluate.regression import TREATED, independent_columns
from hinterland.evaluate.result import Effects, Terms
from hinterland.evaluate.vcov import Ssc, resolve_ssc
from hinterland.labels import Note, text

METHODS = ("twfe", "event-study", "callaway-santanna")


def fit(
    moments: PanelMoments,
    method: str,
    *,
    comparison: str = "never-treated",
    anticipation: int = 0,
    base_period: BasePeriod = "varying",
    leads: int | None = None,
    lags: int | None = None,
    reference: int = -1,
    ssc: str | Ssc = "fixest",
) -> Effects:
    """Fit ``method`` (twfe, event-study, callaway-santanna) on moments; an option of another method is refused.

    Clustered by unit, ``influence`` has one row per cohort and dimension of its outcomes instead of one per cluster: its product is the
    covariance, which aggregation and analytic bands need; a multiplier bootstrap needs the clusters themselves and is refused.

    Raises:
        EstimationError: unknown method or option; nobody treated or to compare with; effects that are not identified.
    """
    given = {
        "comparison": comparison,
        "anticipation": anticipation,
        "base_period": base_period,
        "leads": leads,
        "lags": lags,
        "reference": reference,
    }
    _fail_if_bad(method, given)
    live = _window(moments, anticipation)
    if method == "callaway-santanna":
        return group_time(live, comparison == "never-treated", anticipation, base_period)
    if method == "event-study":
        return _event_study(live, (leads, lags, reference), resolve_ssc(ssc))
    return _twfe(live, resolve_ssc(ssc))


_OF = {
    "twfe": (),
    "event-study": ("leads", "lags", "reference"),
    "callaway-santanna": ("comparison", "anticipation", "base_period"),
}
_DEFAULT = {"comparison": "never-treated", "anticipation": 0, "base_period": "varying", "leads": None, "lags": None, "reference": -1}
_VALUES = {"comparison": ("never-treated", "not-yet-treated"), "base_period": ("varying", "universal")}


def _fail_if_bad(method: str, given: dict[str, Any]) -> None:
    if method not in METHODS:
        what = f"method {method!r} is not defined on moments"
        raise EstimationError(Finding("unknown-method", what, "argument method", did_you_mean(method, METHODS)), "options")
    findings = [
        Finding("unknown-option", f"{method} has no option {n!r}", f"option {n}={v!r}", did_you_mean(n, _OF[method] or ("ssc",)))
        for n, v in given.items()
        if v != _DEFAULT[n] and n not in _OF[method]
    ]
    findings += [
        Finding("unknown-value", f"{n} is {given[n]!r}", f"option {n} of {method}", did_you_mean(str(given[n]), values))
        for n, values in _VALUES.items()
        if given[n] not in values
    ]
    fail_if_any(findings, "options", EstimationError)


def _window(moments: PanelMoments, anticipation: int) -> Live:
    cohort = np.where(moments.cohort > moments.periods[-1] + anticipation, NEVER, moments.cohort)
    early = cohort <= moments.periods[0]
    if not (cohort != NEVER).any():
        where = f"{int(moments.n_units.sum())} units, {moments.periods[0]}–{moments.periods[-1]}"
        raise EstimationError(
            Finding("nobody-treated", "no unit is treated inside the window", where, "check the adoption column and the periods"), "design"
        )
    return Live(moments, cohort, early)


@dataclass(frozen=True, slots=True)
class _Regression:
    """p of k coefficients (``kept`` [k]) and their loadings B [K, T + 1, p], without small-sample factor."""

    kept: NDArray[np.bool_]
    estimate: Floats
    loadings: Floats


def _regress(live: Live, use: NDArray[np.bool_], columns: Floats) -> _Regression:
    """Least squares of z on ``columns`` [k, K, T] (functions of cohort and period) net of unit and period effects, for cohorts ``use``."""
    mass = np.where(use, live.moments.mass, 0.0)
    weight = mass / mass.sum()

    def centred(x: Floats) -> Floats:
        out = x - x.mean(axis=-1, keepdims=True)
        return np.asarray(out - np.einsum("g,...gt->...t", weight, out)[..., None, :])

    x = centred(columns)
    gram = np.einsum("g,kgt,lgt->kl", mass, x, x)
    raw = np.einsum("g,kgt,kgt->k", mass, columns, columns)
    middle = np.einsum("g,kgt->k", weight, columns) / columns.shape[-1]
    spread = np.maximum(raw - mass.sum() * columns.shape[-1] * middle**2, 0.0)
    kept = independent_columns(gram, raw, spread)
    x, bread = x[kept], np.linalg.inv(gram[np.ix_(kept, kept)]) if kept.any() else np.empty((0, 0))
    mean = live.mean
    estimate = bread @ np.einsum("g,kgt,gt->k", mass, x, np.where(use[:, None], mean, 0.0))
    overall = weight @ np.where(use[:, None], mean, 0.0)
    fitted = overall + np.einsum("k,kgt->gt", estimate, x)
    loadings = np.zeros((len(mass), x.shape[-1] + 1, int(kept.sum())))
    loadings[:, :-1] = np.einsum("kgt,kl->gtl", x, bread)
    loadings[:, -1] = -np.einsum("gt,gtl->gl", fitted, loadings[:, :-1])
    loadings[~use] = 0.0
    return _Regression(kept, estimate, loadings)


def _twfe(live: Live, ssc: Ssc) -> Effects:
    moments = live.moments
    use = np.ones(len(live.cohort), dtype=np.bool_)
    treated = (moments.periods >= live.cohort[:, None]).astype(np.float64)
    fitted = _regress(live, use, treated[None])
    if not fitted.kept.all():
        where = f"{live.n_treated(use)} treated of {int(moments.n_units.sum())} units × {len(moments.periods)} periods"
        what = "the treatment is collinear with the fixed effects: no comparison is left within their levels"
        raise EstimationError(
            Finding("treatment-collinear", what, where, "add units that are never treated, or widen the periods"), "design"
        )
    terms = Terms.make((TREATED,), n_treated=np.array([live.n_treated(use)]))
    notes = [Note("twfe-staggered", {"cohorts": n})] if (n := len(live.cohort[live.cohort != NEVER])) > 1 else []
    return _effects(live, use, terms, estimate=fitted.estimate, loadings=fitted.loadings, ssc=ssc, notes=notes)


def _event_study(live: Live, window: tuple[int | None, int | None, int], ssc: Ssc) -> Effects:
    moments, (leads, lags, reference) = live.moments, window
    use = ~live.early
    treated = use & (live.cohort != NEVER)
    if not treated.any():
        what = "every treated unit is treated from the first period on"
        raise EstimationError(
            Finding("all-always-treated", what, f"first period {moments.periods[0]}", "start the panel before the first adoption"), "design"
        )
    event = moments.periods - np.where(treated, live.cohort, 0)[:, None]
    event = np.clip(event, leads, lags) if leads is not None or lags is not None else event
    times = np.unique(event[treated])
    if reference not in times:
        where = f"event times {listed(times.tolist(), 12)}"
        what = f"no treated unit is observed at event time {reference}"
        raise EstimationError(Finding("reference-not-observed", what, where, "choose another reference, or widen the periods"), "options")
    others = times[times != reference]
    order = np.concatenate((others[1:], others[:1]))
    columns = ((event == order[:, None, None]) & treated[:, None]).astype(np.float64)
    fitted = _regress(live, use, columns)
    lost = order[~fitted.kept]
    everyone = not (live.cohort[use] == NEVER).any()
    if len(lost) and not (everyone and lost.tolist() == [int(times[0])] and len(times) > 2):
        where = f"{live.n_treated(use)} treated of {int(moments.n_units[use].sum())} units"
        what = f"event times {listed(lost.tolist(), 12)} are not identified beside the fixed effects"
        remedy = "bin the ends (leads=, lags=), or add units that are never treated"
        raise EstimationError(Finding("event-times-not-identified", what, where, remedy), "design")
    place = np.array([int(np.flatnonzero(order[fitted.kept] == e)[0]) if e in order[fitted.kept] else -1 for e in times])
    inside = place >= 0
    estimate, loadings = np.zeros(len(times)), np.zeros((*fitted.loadings.shape[:2], len(times)))
    estimate[inside], loadings[:, :, inside] = fitted.estimate[place[inside]], fitted.loadings[:, :, place[inside]]
    seen = np.array([int(moments.n_units[treated & (event == e).any(axis=1)].sum()) for e in times])
    names = tuple(f"event-time {e}" for e in times)
    terms = Terms.make(names, event_time=times, reference=~inside, n_treated=seen)
    notes = [Note("second-reference", {"lead": int(lost[0])})] if len(lost) else []
    return _effects(live, use, terms, estimate=estimate, loadings=loadings, ssc=ssc, notes=notes, reference=reference)


def _effects(
    live: Live,
    use: NDArray[np.bool_],
    terms: Terms,
    *,
    estimate: Floats,
    loadings: Floats,
    ssc: Ssc,
    notes: Sequence[Note],
    reference: int | None = None,
) -> Effects:
    kept = int((~terms.reference).sum())
    factor, df, parameters, clusters = small_sample(live, use, kept, ssc)
    influence = influence_of(live, loadings) * np.sqrt(factor)
    method = "twfe" if reference is None else "event-study"
    estimand = text("estimand.twfe") if reference is None else text("estimand.event-study", reference=reference)
    return Effects(
        method=method,
        outcome=live.moments.outcome,
        aggregation="coefficient" if reference is None else "event-time",
        terms=terms,
        estimate=estimate,
        vcov=influence.T @ influence,
        influence=influence,
        clusters=labels_of(live),
        df=df,
        notes=(*left_out(live, use), *notes),
        meta={
            "estimand": estimand,
            "estimand_code": method,
            "ssc": str(ssc),
            "df": df,
            "n_parameters": parameters,
            "comparison": "all-rows",
            "anticipation": 0,
            "fixed_effects": f"{live.moments.unit}, {live.moments.time}",
            **({} if reference is None else {"reference_event_time": reference}),
            **facts_of(live, use, clusters),
        },
    )
