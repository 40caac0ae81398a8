"""Differences between groups from one regression: the treatment interacted with the groups.

``group``: unit effects, period effects by group, and coefficients of covariates and levels of further fixed effects by group. Everything is
interacted, so that the estimates are those of the groups fitted one by one. ``common``: period effects, covariates and further fixed effects are
common to all groups, as in y_it = α_i + λ_t + Σ_g τ_g D_it 1[i ∈ g] + x_it'β: comparison units of all groups identify one path without treatment.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from hinterland.errors import EstimationError, Finding
from hinterland.evaluate.coding import Factor, Floats
from hinterland.evaluate.design import Design
from hinterland.evaluate.event_study import event_columns, event_window, without_always_treated
from hinterland.evaluate.hdfe import absorber, project_off, singletons
from hinterland.evaluate.heterogeneity_groups import GROUP, GroupFits
from hinterland.evaluate.inference import Inference, coefficient_covariance
from hinterland.evaluate.poisson import fit_poisson, separated, zero_groups
from hinterland.evaluate.regression import absorbed, column_scale, gram_of, independent_columns, treatment
from hinterland.evaluate.threads import one_thread
from hinterland.evaluate.vcov import Moments, intersect

PeriodEffects = Literal["group", "common"]
REGRESSIONS = ("twfe", "event-study", "ppml")
"""Estimators that are one regression, whose treatment can be interacted."""


@dataclass(frozen=True, slots=True)
class Interacted:
    """Effects [G] of the groups in one regression, their covariance [G, G], and its degrees of freedom."""

    estimate: Floats
    vcov: Floats
    df: float


@dataclass(frozen=True, slots=True)
class _Columns:
    """Regressors [n, p]: blocks of effects by group, then covariates. ``weight`` [G, p] averages them to one effect per group;
    ``needed`` [p] columns without which that average does not exist.
    """

    values: Floats
    weight: Floats
    needed: Any


@one_thread()
def interact(fits: GroupFits, method: str, options: Mapping[str, Any], periods: PeriodEffects = "group") -> Interacted:
    """Fit ``method`` once, with an effect for each group.

    Args:
        fits: the groups;  method: ``twfe``, ``event-study`` or ``ppml``;  options: of the estimator.
        periods: whether period effects, covariates and further fixed effects differ by ``group`` or are ``common``.

    Raises:
        EstimationError: another estimator, effects that are not identified, or a covariance that these data do not have.
    """
    if method not in REGRESSIONS:
        what = f"{method} is no regression whose treatment could be interacted with groups"
        raise EstimationError(
            Finding("no-interaction", what, f"method {method}", "read the difference of stacked influence functions"), "groups"
        )
    inference = Inference.of(**{k: v for k, v in options.items() if k in ("vcov", "ssc", "cutoff_km", "lag", "kernel")})
    window = {k: options.get(k) for k in ("leads", "lags")} | {"reference": options.get("reference", -1)}
    design = without_always_treated(fits.design) if method == "event-study" else fits.design
    if method == "ppml":
        design = _without(design, zero_groups(design.y, _factors(design, periods))[0])
    alone = singletons(_factors(design, periods))
    if inference.ssc.singletons == "drop" and alone.any():
        design = _without(design, alone)

    def make(part: Design) -> _Columns:
        effect, after = _event_columns(part, window) if method == "event-study" else (treatment(part)[:, None], np.ones(1))
        return _columns(part, effect, after, len(fits.groups), periods)

    return (_poisson if method == "ppml" else _linear)(design, make, periods, inference)


def _without(design: Design, lost: Any) -> Design:
    return design.take(~lost) if lost.any() else design


def _factors(design: Design, periods: PeriodEffects) -> tuple[Factor, ...]:
    """Unit, period and further fixed effects; the latter two by group, where everything is interacted."""
    unit, period, *rest = absorbed(design)
    if periods == "common":
        return unit, period, *rest
    codes = design.columns[GROUP].astype(np.int32)
    group = Factor("group", codes, int(codes.max()) + 1)
    return unit, *(replace(intersect((group, f)), slope=f.slope) for f in (period, *rest))


def _event_columns(design: Design, window: Mapping[str, Any]) -> tuple[Floats, Floats]:
    """Columns [n, e] of the event times but the reference, and [e] which of them are from 0 on."""
    found = event_window(design, window["leads"], window["lags"], window["reference"])
    columns, names = event_columns(design, found)
    width = columns.shape[1] - len(design.covariate_names)
    after = np.array([int(name.rsplit(" ", 1)[1]) >= 0 for name in names[:width]], dtype=np.float64)
    return columns[:, :width], after


def _columns(design: Design, effect: Floats, post: Floats, count: int, periods: PeriodEffects) -> _Columns:
    """The effects [n, e] of each group, then covariates (by group, where everything is interacted); ``post`` [e] are averaged."""
    member = design.columns[GROUP][:, None] == np.arange(count)
    parts, weight = [effect * member[:, [g]] for g in range(count)], []
    for g, part in enumerate(parts):
        seen = post * (part != 0).any(axis=0)
        if not seen.any():
            what = f"group number {g + 1} has no treated row"
            raise EstimationError(Finding("treatment-collinear", what, "groups", "leave the group out"), "groups")
        weight.append(seen / seen.sum())
    controls = [design.covariates * member[:, [g]] for g in range(count)] if periods == "group" else [design.covariates]
    values = np.asfortranarray(np.concatenate([*parts, *controls], axis=1))
    table = np.zeros((count, values.shape[1]))
    width = effect.shape[1]
    for g in range(count):
        table[g, g * width : (g + 1) * width] = weight[g]
    return _Columns(values, table, (table > 0).any(axis=0))


Make = Callable[[Design], _Columns]


def _linear(design: Design, make: Make, periods: PeriodEffects, inference: Inference) -> Interacted:
    columns, factors, weights = make(design), _factors(design, periods), design.weight
    prepared = absorber(factors, weights)
    raw, centred = column_scale(columns.values, weights)
    x = project_off(prepared, columns.values)
    y = prepared.column(design.y)
    gram = gram_of(x, weights)
    kept = independent_columns(gram, raw, centred)
    _fail_if_lost(columns, kept)
    x = np.asfortranarray(x[:, kept])
    bread: Floats = np.linalg.inv(gram[np.ix_(kept, kept)]).astype(np.float64, copy=False)
    estimate = bread @ (x.T @ (y if weights is None else y * weights))
    residual = y - x @ estimate
    u = residual if weights is None else residual * weights
    rank = prepared.rank() if inference.ssc.k_exact else None
    moments = Moments(x, u, bread, factors, rank, float(residual @ u), weights)
    return _averaged(design, columns.weight[:, kept], estimate, moments, inference)


def _poisson(design: Design, make: Make, periods: PeriodEffects, inference: Inference) -> Interacted:
    design = _without(design, separated(design.y, make(design).values, _factors(design, periods)))
    columns, factors = make(design), _factors(design, periods)
    fitted = fit_poisson(design.y, columns.values, factors, design.weight)
    _fail_if_lost(columns, fitted.kept)
    residual = design.y - fitted.mu
    moments = Moments(
        x=fitted.x,
        u=residual if design.weight is None else residual * design.weight,
        bread=np.linalg.inv(fitted.gram).astype(np.float64, copy=False),
        factors=factors,
        rank=fitted.prepared.rank() if inference.ssc.k_exact else None,
        dispersion=None,
        weights=fitted.mu if design.weight is None else fitted.mu * design.weight,
    )
    found = _averaged(design, columns.weight[:, fitted.kept], fitted.estimate, moments, inference)
    return replace(found, df=np.inf) if inference.vcov not in ("CR2", "HC2") else found


def _fail_if_lost(columns: _Columns, kept: Any) -> None:
    if (kept | ~columns.needed).all():
        return
    what = f"{int((columns.needed & ~kept).sum())} effect(s) by group are collinear with the fixed effects"
    raise EstimationError(
        Finding("treatment-collinear", what, "groups", "leave out fixed effects that move with the policy within a group"), "groups"
    )


def _averaged(design: Design, weight: Floats, estimate: Floats, moments: Moments, inference: Inference) -> Interacted:
    """One effect per group, by ``weight`` [G, p] of the coefficients [p]."""
    found = coefficient_covariance(design, moments, inference)
    df = found.df if found.term_df is None else float(np.nanmin(found.term_df))
    return Interacted(weight @ estimate, weight @ found.vcov @ weight.T, df)
