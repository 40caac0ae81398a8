"""Extended two-way fixed effects (Wooldridge 2021, working paper; 2023, The Econometrics Journal 26(3)).

A regression with an indicator for every treated cell of cohort and period, saturated with covariates. Linear, Poisson or logit; effects
are on the scale of the outcome: the mean over a cell's rows of the fitted mean with treatment less that without.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Unpack, get_args

import numpy as np

from hinterland.errors import EstimationError, Finding, did_you_mean, fail_if_any, listed
from hinterland.evaluate.coding import Factor, Floats
from hinterland.evaluate.design import Design
from hinterland.evaluate.design_checks import cells
from hinterland.evaluate.etwfe_model import CellEffects, Family, Fitted, Model, cell_effects, fit_model
from hinterland.evaluate.etwfe_units import fit_with_unit_effects
from hinterland.evaluate.inference import CLUSTERED, coefficient_covariance
from hinterland.evaluate.regression import Inference, InferenceOptions, cluster_labels, describe, independent_columns, without_singletons
from hinterland.evaluate.result import Effects
from hinterland.evaluate.saturated import (
    Counted,
    Layout,
    Mask,
    base_periods,
    cell_terms,
    cluster_tables,
    comparable,
    concentration,
    lost_cells_note,
    make_layout,
    shares_of,
    size_notes,
    small_sample,
    spread,
    spread_square,
    treated_mix,
    without_rounding,
)
from hinterland.evaluate.threads import one_thread
from hinterland.evaluate.vcov import Covariance, Moments, is_nested
from hinterland.labels import Note


@one_thread()
def fit(
    design: Design,
    *,
    family: Family = "gaussian",
    unit_effects: bool = False,
    share_variance: bool = False,
    **options: Unpack[InferenceOptions],
) -> Effects:
    """Estimate the effect of every treated cell of cohort and period.

    Args:
        design: its comparison rule applies. ``not-yet-treated``: every period before adoption serves as comparison, and only treated
            cells have an indicator. ``never-treated``: cells before adoption have one too, but for the last more than ``anticipation``
            before it, so that comparison is with units never treated.
        family: ``gaussian``, ``poisson`` (counts and amounts) or ``logit`` (outcomes between 0 and 1).
        unit_effects: unit instead of cohort effects (``gaussian`` only).
        share_variance: standard errors of averages include the estimation of the cohorts' shares (R's ``emfx`` takes them as given).
        options: the covariance, see :class:`~hinterland.evaluate.regression.InferenceOptions`.

    Returns:
        Effects with aggregation ``group-time`` on the scale of the outcome; standard errors by the delta method, covariates taken as
        given. For ``poisson`` and ``logit`` tests use the normal, and ``meta`` has each cell's effect in per cent of its mean without
        treatment (``cell_percent_effect``), that of all treated cells together (``overall_percent_effect``) and their standard errors.

    Raises:
        EstimationError: unknown options; an outcome outside the family's range; nobody to compare with; no convergence.
    """
    inference = Inference.of(**options)
    _fail_if_bad(design, family, unit_effects, share_variance)
    _fail_if_leverage(inference, unit_effects)
    design, control = comparable(design)
    if unit_effects:
        layout = make_layout(without_singletons(design, inference.ssc), control)
        effects = _from_units(layout, inference)
    else:
        layout = make_layout(design, control)
        layout, notes = _without_empty_levels(layout, family)
        effects = _from_cohorts(layout, family, inference, notes)
    meta = {**effects.meta, "unit_effects": unit_effects, "share_variance": share_variance}
    return replace(effects, shares=shares_of(layout, variance=share_variance), meta=meta)


def _fail_if_bad(design: Design, family: str, unit_effects: object, share_variance: object) -> None:
    findings = []
    if family not in get_args(Family):
        findings.append(Finding("unknown-value", f"family is {family!r}", "option family", did_you_mean(str(family), get_args(Family))))
    for name, value in (("unit_effects", unit_effects), ("share_variance", share_variance)):
        if not isinstance(value, bool):
            findings.append(Finding("unknown-value", f"{name} is {value!r}", f"option {name}", "give true or false"))
    if unit_effects is True and family != "gaussian":
        remedy = "leave out unit_effects, or use family='gaussian'"
        findings.append(Finding("not-defined", f"etwfe has no unit effects in a {family} model", "option unit_effects", remedy))
    if design.fixed_effects and unit_effects is not True:
        findings.append(
            Finding("not-defined", "etwfe takes extra fixed effects beside unit effects only", "argument fe", "set unit_effects=True")
        )
    low = np.flatnonzero(design.y < 0) if family != "gaussian" else np.array([], dtype=np.int64)
    high = np.flatnonzero(design.y > 1) if family == "logit" else np.array([], dtype=np.int64)
    if len(low):
        what = f"outcome {design.outcome!r} is negative in {len(low)} row(s), as low as {design.y.min():g}"
        findings.append(Finding("negative-outcome", what, cells(design, low), "give the outcome in levels, not its logarithm"))
    if len(high):
        what = f"outcome {design.outcome!r} is above 1 in {len(high)} row(s), as high as {design.y.max():g}"
        findings.append(Finding("not-a-share", what, cells(design, high), "a logit needs outcomes of 0 and 1, or shares between them"))
    fail_if_any(findings, "options", EstimationError)


def _fail_if_leverage(inference: Inference, unit_effects: bool) -> None:
    """Corrections for leverage need the regressors as columns, which cohort effects do without."""
    if inference.vcov not in ("CR2", "CR3", "HC2", "HC3") or unit_effects:
        return
    what = f"etwfe has {inference.vcov} with unit effects only"
    raise EstimationError(Finding("not-defined", what, "option vcov", "set unit_effects=True, or choose vcov='cluster'"), "options")


def own_cells(layout: Layout) -> tuple[Mask, Mask]:
    """[K + 1, T] cells with an indicator, and [K, T] those held at zero (none, when comparison is with the not yet treated)."""
    design = layout.design
    seen = layout.rows[:-1] > 0
    own = np.zeros(layout.shape, dtype=np.bool_)
    held = np.zeros(layout.event.shape, dtype=np.bool_)
    if design.comparison == "not-yet-treated":
        own[:-1] = seen & (layout.event >= -design.anticipation)
        return own, held
    base = base_periods(layout, design.anticipation)
    has = np.flatnonzero(base >= 0)
    held[has, base[has]] = True
    own[:-1] = seen & ~held
    return own, held


def _without_empty_levels(layout: Layout, family: Family) -> tuple[Layout, list[Note]]:
    """The layout without cohorts whose untreated rows are all 0 (``logit``: or all 1): their effect in a nonlinear model is at infinity."""
    if family == "gaussian":
        return layout, []
    own, _ = own_cells(layout)
    plain = ~own.reshape(-1)[layout.cell]
    y = layout.design.y
    extreme = _one_sided(y[plain], layout.design.unit[plain], layout, family)
    if not extreme.any():
        return layout, []
    lost = layout.cohorts[extreme[:-1]]
    if extreme[-1] or len(lost) == len(layout.cohorts):
        what = f"the outcome {layout.design.outcome!r} does not vary before treatment, or among the units compared with"
        remedy = "use family='gaussian', or aggregate units or periods"
        raise EstimationError(Finding("untreated-constant", what, f"cohorts {listed(lost.tolist(), 12)}", remedy), "design")
    note = Note("etwfe-separated-cohorts", {"cohorts": listed(lost.tolist(), 12), "family": family})
    keep = ~extreme[layout.group][layout.design.unit]
    return make_layout(layout.design.take(keep, note), layout.control), []


def _one_sided(y: Floats, unit: Any, layout: Layout, family: Family) -> Mask:
    """[K + 1] cohorts whose untreated outcomes are all at an end of the family's range."""
    group = layout.group[unit]
    size = len(layout.cohorts) + 1
    count = np.bincount(group, minlength=size)
    low = np.bincount(group[y == 0], minlength=size) == count
    high = np.bincount(group[y == 1], minlength=size) == count
    return np.asarray((count > 0) & (low | (high if family == "logit" else False)))


def _regressors(layout: Layout) -> tuple[Floats, tuple[str, ...], tuple[str, ...]]:
    """Constant and standardised covariates [n, 1 + k]; names kept, and names left out as constant or collinear."""
    design = layout.design
    x = design.covariates
    centre, scale = x.mean(axis=0), x.std(axis=0)
    varies = scale > 1e-12 * np.abs(centre)
    standard = (x - centre) / np.where(varies, scale, 1.0)
    gram = standard.T @ standard
    kept = independent_columns(gram, np.diag(gram).copy(), np.diag(gram).copy()) & varies
    z = np.ones((design.n_obs, 1 + int(kept.sum())), order="F")
    z[:, 1:] = standard[:, kept]
    names = np.array(design.covariate_names, dtype=object)
    return z, tuple(names[kept]), tuple(names[~kept])


@dataclass(frozen=True, slots=True)
class _Result:
    """Effects of the own cells and what is said of them."""

    effect: Floats
    covariance: Covariance
    own: Mask
    held: Mask
    notes: tuple[Note, ...]
    meta: Mapping[str, Any]


def _from_cohorts(layout: Layout, family: Family, inference: Inference, notes: list[Note]) -> Effects:
    own, held = own_cells(layout)
    z, names, dropped = _regressors(layout)
    model = Model(layout, family, own, z)
    fitted = fit_model(model)
    found = cell_effects(model, fitted)
    if not np.isfinite(found.effect).any():
        raise EstimationError(
            Finding(
                "no-cell",
                "no effect of a cohort in a period is identified: no untreated row shares its cohort and its period's comparison",
                f"cohorts {listed(layout.cohorts.tolist(), 12)}",
                "use fewer covariates, or add units that are treated later or never",
            ),
            "cells",
        )
    whole = _covariance(model, fitted, found, inference)
    if inference.vcov in CLUSTERED:
        whole = _with_effective_clusters(model, fitted, found, whole)
    meta: dict[str, Any] = {"model_family": family, "covariates": " + ".join(names), "iterations": fitted.iterations}
    if family != "gaussian":
        meta |= _percent(model, fitted, found, whole, held)
    if dropped:
        notes = [*notes, Note("collinear-dropped", {"names": listed(dropped)})]
    if fitted.extreme.any():
        notes = [*notes, Note("etwfe-extreme", {"count": int(fitted.extreme.sum())})]
    if family == "gaussian" and not layout.design.balanced:
        notes = [*notes, Note("etwfe-unbalanced")]
    unit = Factor(layout.design.unit_name, layout.design.unit, layout.design.n_units)
    if not any(is_nested(unit, c) for c in layout.design.clusters):
        notes = [*notes, Note("etwfe-clusters-cut-units", {"clusters": listed(c.name for c in layout.design.clusters)})]
    fe = f"cohort, {layout.design.time_name}"
    return _effects(layout, _Result(found.effect, whole, own, held, tuple(notes), {**meta, "fixed_effects": fe}), inference)


def _residual(model: Model, fitted: Fitted) -> Floats:
    """[n] w (y − μ)."""
    w, y = model.layout.design.weight, model.layout.design.y
    residual = y - fitted.mu
    return without_rounding(residual, y) if w is None else without_rounding(residual * w, y * w)


def _move(model: Model, u: Floats, tables: Floats) -> Floats:
    """[C, p] sums by cluster of u · z'tables."""
    cluster = model.layout.design.clusters[0]
    out = cluster_tables(model.layout, u, cluster, tables[:, :, 0])
    for a in range(1, model.z.shape[1]):
        out += cluster_tables(model.layout, u * model.z[:, a], cluster, tables[:, :, a])
    return out


def _counted(model: Model, fitted: Fitted) -> Counted:
    """Cohort and period effects with their slopes, and the cells' slopes: what R's regression has."""
    layout = model.layout
    design, k = layout.design, model.z.shape[1] - 1
    groups = Factor("cohort", layout.group[design.unit].astype(np.int32), layout.shape[0])
    periods = Factor(design.time_name, design.period, design.n_periods)
    p = int(model.own.sum())
    slopes = [replace(f, slope=model.z[:, 1 + j]) for j in range(k) for f in (groups, periods)]
    slopes += [Factor("cell", periods.codes, p, None, model.z[:, 1 + j]) for j in range(k)]
    return Counted((groups, periods, *slopes), fitted.rank + p * k)


def _covariance(model: Model, fitted: Fitted, found: CellEffects, inference: Inference) -> Covariance:
    design, ssc = model.layout.design, inference.ssc
    u = _residual(model, fitted)
    counted = _counted(model, fitted)
    identified = np.isfinite(found.effect)
    if inference.vcov == "cluster" and len(design.clusters) == 1:
        cluster = design.clusters[0]
        influence = _move(model, u, found.tables)
        c, parameters = small_sample(design.n_obs, found.tables.shape[3], counted, cluster, ssc)
        influence *= np.sqrt(c) * identified
        df = float(cluster.size - 1) if ssc.t_df == "min" else float(design.n_obs - parameters)
        return Covariance(influence.T @ influence, influence, df, parameters, (cluster.size,))
    moved = np.einsum("nm,nmp->np", model.z, found.tables.reshape(-1, *found.tables.shape[2:])[model.layout.cell][..., identified])
    weight = fitted.weight if design.weight is None else fitted.weight * design.weight
    gram = (moved * weight[:, None]).T @ moved
    dispersion = float((design.y - fitted.mu) @ u) if model.family == "gaussian" else None
    x = np.asfortranarray(moved @ np.linalg.inv(gram))
    moments = Moments(x, u, gram, counted.factors, counted.rank if ssc.k_exact else None, dispersion, weight)
    whole = coefficient_covariance(design, moments, inference)
    where, size = np.flatnonzero(identified), len(identified)
    return replace(whole, vcov=spread_square(whole.vcov, where, size), influence=spread(whole.influence, where, size))


def _with_effective_clusters(model: Model, fitted: Fitted, found: CellEffects, whole: Covariance) -> Covariance:
    """The effective number of clusters behind the mean effect of treated cells (of several groupings, the least)."""
    design = model.layout.design
    mix = treated_mix(model.layout, *np.nonzero(model.own)) * np.isfinite(found.effect)
    table = (found.tables @ mix).reshape(-1, model.z.shape[1])[model.layout.cell]
    d = (table * model.z).sum(axis=1)
    weight = fitted.weight if design.weight is None else fitted.weight * design.weight
    least = min(concentration(d * d * weight, c) for c in design.clusters)
    return replace(whole, facts={**whole.facts, "effective_clusters": least})


def _percent(model: Model, fitted: Fitted, found: CellEffects, whole: Covariance, held: Mask) -> dict[str, Any]:
    """Effects relative to the mean without treatment, in per cent, with standard errors by the delta method (clustered): one per term,
    ``None`` for references (``held`` [K, T]) and cells that are not identified.
    """
    k, t = np.nonzero(model.own)
    effect, base = np.nan_to_num(found.effect), found.untreated
    u = _residual(model, fitted)
    shift = _move(model, u, found.untreated_tables)
    raw = _move(model, u, found.tables)
    known = np.flatnonzero(np.isfinite(found.effect))[0]
    scale = float(np.linalg.norm(whole.influence[:, known])) / max(float(np.linalg.norm(raw[:, known])), 1e-150)
    safe = np.where(base > 0, base, np.nan)
    cell = 100 * np.linalg.norm(scale * (raw - shift * (effect / safe)) / safe, axis=0)
    post = (model.layout.event[k, t] >= 0) & np.isfinite(found.effect)
    mass = model.layout.weight[k, t] * post
    total = float(mass @ base)
    ratio = float(mass @ effect) / total if total > 0 else np.nan
    overall = 100 * float(np.linalg.norm(scale * (raw - ratio * shift) @ mass)) / total if total > 0 else np.nan
    place = np.flatnonzero(model.own[:-1][model.own[:-1] | held])
    size = int((model.own[:-1] | held).sum())

    def by_term(values: Floats) -> list[float | None]:
        return [float(v) if np.isfinite(v) else None for v in spread(values, place, size, np.nan)]

    return {
        "cell_percent_effect": by_term(100 * found.effect / safe),
        "cell_percent_std_error": by_term(np.where(np.isfinite(found.effect), cell, np.nan)),
        "overall_percent_effect": 100 * ratio,
        "overall_percent_std_error": overall,
    }


def _from_units(layout: Layout, inference: Inference) -> Effects:
    own, held = own_cells(layout)
    fitted = fit_with_unit_effects(layout, own[:-1], inference)
    notes = [Note("collinear-dropped", {"names": listed(fitted.dropped)})] if fitted.dropped else []
    meta = {"model_family": "gaussian"}
    return _effects(layout, _Result(fitted.estimate, fitted.covariance, own, held, tuple(notes), meta), inference)


def _effects(layout: Layout, result: _Result, inference: Inference) -> Effects:
    design, whole = layout.design, result.covariance
    terms = cell_terms(layout, result.own[:-1] | result.held, result.held)
    where, size = np.flatnonzero(~terms.reference), len(terms.name)
    estimate = spread(result.effect, where, size)
    family = result.meta["model_family"]
    df = whole.df if family == "gaussian" else np.inf
    repaired = [Note("negative-variance")] if whole.repaired else []
    compared = design.comparison if layout.control == "never-treated" else layout.control
    return Effects(
        method="etwfe",
        outcome=design.outcome,
        aggregation="group-time",
        terms=terms,
        estimate=estimate,
        vcov=spread_square(whole.vcov, where, size),
        influence=spread(whole.influence, where, size),
        parts=None if whole.parts is None else spread_square(whole.parts, where, size),
        clusters=cluster_labels(design),
        df=df,
        term_df=None if whole.term_df is None else spread(whole.term_df, where, size, np.nan),
        notes=(*design.notes, *result.notes, *size_notes(layout), *lost_cells_note(terms, estimate), *repaired, *whole.notes),
        meta=describe(
            design,
            inference,
            whole,
            df if np.isfinite(df) else None,
            "etwfe" if family == "gaussian" else f"etwfe-{family}",
            **{"comparison": compared, "n_never": int((layout.group == len(layout.cohorts)).sum()), **result.meta},
        ),
    )
