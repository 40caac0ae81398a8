"""Estimates and words of the spatial estimators: channels and their total, by event time, and by cohort and period."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hinterland.data.cohorts import NEVER
from hinterland.errors import EstimationError, Finding
from hinterland.evaluate.design import Design
from hinterland.evaluate.design_checks import cells
from hinterland.evaluate.hdfe import singletons
from hinterland.evaluate.inference import Inference, near_notes, neighbourhood
from hinterland.evaluate.regression import (
    TREATED,
    absorbed,
    cluster_labels,
    describe,
    independent_columns,
    least_squares,
)
from hinterland.evaluate.result import BLANK, CohortShares, Effects, Terms, least_df
from hinterland.evaluate.spillover_channels import DIRECT, SPILLOVER, TOTAL, Channels, channel_facts
from hinterland.evaluate.spillover_exposure import lagged_covariates
from hinterland.evaluate.spillover_two_stage import two_stage
from hinterland.evaluate.vcov import resolve_ssc
from hinterland.evaluate.vcov_several import combined
from hinterland.evaluate.vcov_time import sum_columns
from hinterland.labels import Note, text

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class _Fitted:
    """Coefficients [p] of columns that were kept, their influence by cluster [C, p], covariance and degrees of freedom, and notes."""

    names: tuple[str, ...]
    estimate: Floats
    influence: Floats
    vcov: Floats
    notes: tuple[Note, ...]
    kept: Mask
    term_df: Floats | None = None
    parts: Floats | None = None


def _fit(sample: Channels, columns: Floats, names: tuple[str, ...], inference: Inference) -> _Fitted:
    """The two stages on columns [n, p], without those that are empty or collinear."""
    design = sample.design
    weighted = columns if design.weight is None else columns * design.weight[:, None]
    gram = columns.T @ weighted
    kept = independent_columns(gram, np.diag(gram), np.diag(gram))
    notes = tuple([Note("spillover-empty", {"names": ", ".join(np.array(names)[~kept])})] if not kept.all() else [])
    fitted = two_stage(design, sample.clean, columns[:, kept])
    cluster = design.clusters[0]
    influence = sum_columns(cluster.codes, fitted.scores, cluster.size)
    vcov = influence.T @ influence
    if inference.vcov == "conley":
        near = neighbourhood(design, inference.cutoff_km, inference.kernel)
        vcov = near.products(sum_columns(design.unit, fitted.scores, design.n_units))
        vcov, notes = (vcov + vcov.T) / 2, (*notes, *near_notes(near))
    return _Fitted(tuple(np.array(names)[kept].tolist()), fitted.estimate, influence, vcov, notes, kept)


def two_stage_effects(sample: Channels, inference: Inference, facts: Mapping[str, Any]) -> Effects:
    """Direct effect, spillovers by exposure, their mean and the total."""
    columns, names = sample.columns
    fitted = _fit(sample, columns, names, inference)
    _fail_if_no_direct(fitted)
    return _with_total(sample, fitted, columns[:, fitted.kept], _meta(sample, inference, facts, "spillover"), np.inf)


def pooled_effects(sample: Channels, inference: Inference, facts: Mapping[str, Any], lag_covariates: bool) -> Effects:
    """The same from one regression of all rows with unit and period effects."""
    design = sample.design
    extra, extra_names = design.covariates, design.covariate_names
    if lag_covariates and sample.weights is not None:
        around, around_names = lagged_covariates(design, sample.weights)
        extra, extra_names = np.column_stack([extra, around]), (*extra_names, *around_names)
    alone = singletons(absorbed(design))
    if alone.any() and inference.ssc.singletons == "drop":
        dropped = Note("singletons-dropped", {"count": int(alone.sum()), "cells": cells(design, np.flatnonzero(alone))})
        sample, extra = sample.take(~alone, [dropped]), extra[~alone]
        design = sample.design
    columns, names = sample.columns
    matrix = np.asfortranarray(np.concatenate([columns, extra], axis=1))
    made = least_squares(design, matrix, (TREATED, *names[1:], *extra_names), inference)
    covariance = made.covariance
    kept = np.array([n in made.names for n in (TREATED, *names[1:])])
    notes = (*staggered(design), *made.notes)
    by_term, parts = covariance.term_df, covariance.parts
    fitted = _Fitted((DIRECT, *made.names[1:]), made.estimate, covariance.influence, covariance.vcov, notes, kept, by_term, parts)
    meta = describe(design, inference, covariance, covariance.df, "spillover", **masses(sample), **facts)
    return _with_total(sample, fitted, columns[:, kept], meta, covariance.df)


def staggered(design: Design) -> tuple[Note, ...]:
    """What one regression makes of several dates of adoption."""
    times = len(design.cohorts)
    return (Note("spillover-staggered", {"cohorts": times}),) if times > 1 else ()


def _fail_if_no_direct(fitted: _Fitted) -> None:
    if fitted.names and fitted.names[0] == DIRECT:
        return
    remedy = "start the panel earlier, or take narrower rings"
    raise EstimationError(Finding("nobody-treated", "no treated row has a clean comparison", "first stage of spillover", remedy), "design")


def _with_total(sample: Channels, fitted: _Fitted, columns: Floats, meta: Mapping[str, Any], df: float) -> Effects:
    """The coefficients, the mean spillover per exposed unit-period and the total per treated unit-period, which are linear in them."""
    p, q = len(fitted.names), columns.shape[1]
    mass = columns.sum(axis=0) if sample.design.weight is None else sample.design.weight @ columns
    exposed = _exposed_mass(sample)
    spill = np.zeros(p)
    spill[1:q] = mass[1:]
    total = np.zeros(p)
    total[0] = 1.0
    total += spill / mass[0]
    matrix = np.concatenate([np.eye(p)[:q], (spill / exposed)[None, :], total[None, :], np.eye(p)[q:]])
    names = (*fitted.names[:q], SPILLOVER, TOTAL, *fitted.names[q:])
    parts = None if fitted.parts is None else matrix @ fitted.parts @ matrix.T
    n_treated = np.full(len(names), -1)
    n_treated[0] = len(np.unique(sample.design.unit[sample.level != 0]))
    return Effects(
        method="spillover",
        outcome=sample.design.outcome,
        aggregation="coefficient",
        terms=Terms.make(names, n_treated=n_treated),
        estimate=matrix @ fitted.estimate,
        vcov=matrix @ fitted.vcov @ matrix.T if parts is None else combined(parts),
        influence=fitted.influence @ matrix.T,
        clusters=cluster_labels(sample.design),
        df=df,
        term_df=None if fitted.term_df is None else np.array([least_df(fitted.term_df[row != 0]) for row in matrix]),
        parts=parts,
        notes=(*sample.design.notes, *fitted.notes),
        meta={**meta, **channel_facts(sample, fitted.names[:q], mass)},
    )


def _exposed_mass(sample: Channels) -> float:
    """Weight of the unit-periods that spillovers are estimated on."""
    reached = (sample.amount != 0).any(axis=1)
    if sample.on_treated == "no":
        reached &= sample.level == 0
    return float(reached.sum() if sample.design.weight is None else sample.design.weight[reached].sum())


def masses(sample: Channels) -> dict[str, float]:
    """Weighted unit-periods under treatment, and exposed to that of others."""
    weight = np.ones(sample.design.n_obs) if sample.design.weight is None else sample.design.weight
    return {"treated_unit_periods": float(weight @ sample.level), "exposed_unit_periods": _exposed_mass(sample)}


def _meta(sample: Channels, inference: Inference, facts: Mapping[str, Any], code: str) -> dict[str, Any]:
    design = sample.design
    return {
        "estimand": text(f"estimand.{code}"),
        "estimand_code": code,
        "comparison": "unexposed",
        "anticipation": design.anticipation,
        "n_obs": design.n_obs,
        "n_units": design.n_units,
        "n_treated": len(np.unique(design.unit[sample.level != 0])),
        "n_clean_rows": int(sample.clean.sum()),
        "n_periods": design.n_periods,
        "first_period": int(design.periods[0]),
        "last_period": int(design.periods[-1]),
        "n_clusters": design.clusters[0].size,
        "cluster": design.clusters[0].name,
        "vcov": inference.vcov,
        **({"cutoff_km": inference.cutoff_km, "kernel": inference.kernel} if inference.vcov == "conley" else {}),
        "df": None,
        "covariates": " + ".join(design.covariate_names),
        "fixed_effects": f"{design.unit_name}, {design.time_name}",
        "weights": design.weight_name or "",
        **masses(sample),
        **facts,
    }


def direct_effects(sample: Channels, inference: Inference, facts: Mapping[str, Any]) -> Effects:
    """ATT(g, t) of treated cells against clean rows; averages weigh cells by their treated rows, taken as given."""
    design = sample.design
    rows = np.flatnonzero(sample.level != 0)
    period = design.periods[design.period[rows]]
    key = np.column_stack([design.cohort[design.unit[rows]], period])
    cells, place = np.unique(key, axis=0, return_inverse=True)
    columns = np.zeros((design.n_obs, len(cells)), order="F")
    columns[rows, place.reshape(-1)] = sample.level[rows]
    names = tuple(f"cohort={g},time={t}" for g, t in cells)
    fitted = _fit(sample, columns, names, inference)
    kept = cells[fitted.kept]
    count = np.bincount(place.reshape(-1), minlength=len(cells))[fitted.kept]
    return Effects(
        method="spillover",
        outcome=design.outcome,
        aggregation="group-time",
        terms=Terms.make(fitted.names, cohort=kept[:, 0], time=kept[:, 1], event_time=kept[:, 1] - kept[:, 0], n_treated=count),
        estimate=fitted.estimate,
        vcov=fitted.vcov,
        influence=fitted.influence,
        clusters=cluster_labels(design),
        shares=_shares(design, kept, rows, fitted.vcov),
        notes=(*design.notes, *fitted.notes),
        meta=_meta(sample, inference, facts, "spillover-direct"),
    )


def _shares(design: Design, cells: Ints, rows: Ints, vcov: Floats) -> CohortShares:
    """Weights, as given: of cohorts, by their units with treated ``rows``; of cells (cohort, period) [p, 2], by the treated rows."""
    weight = np.ones(len(rows)) if design.weight is None else design.weight[rows]
    unit, place = np.unique(design.unit[rows], return_inverse=True)
    by_unit = np.bincount(place, weight) / np.bincount(place)
    own = np.column_stack([design.cohort[design.unit[rows]], design.periods[design.period[rows]]])
    cohorts = np.unique(cells[:, 0])
    whole = [by_unit[design.cohort[unit] == g].sum() for g in cohorts]
    mass = [weight[(own == cell).all(axis=1)].sum() for cell in cells]
    total = 1.0 * design.n_obs if design.weight is None else float(design.weight.sum())
    p, size = len(cells), len(cohorts) + len(cells)
    joint = np.zeros((p + size, p + size))
    joint[:p, :p] = vcov
    time = np.concatenate([np.full(len(cohorts), BLANK), cells[:, 1]])
    share = np.array([*whole, *mass]) / total
    return CohortShares(np.concatenate([cohorts, cells[:, 0]]), share, np.zeros((design.clusters[0].size, size)), joint, time)


def event_effects(sample: Channels, inference: Inference, leads: int, facts: Mapping[str, Any]) -> Effects:
    """Every channel by event time: from 0 on by two stages, before it by a regression of the clean rows on indicators of the
    last ``leads`` periods before adoption and before exposure (as Borusyak, Jaravel & Spiess 2024 test pre-trends).
    """
    base, names = sample.columns
    parts: list[Floats] = []
    labels: list[tuple[str, int]] = []
    for j, name in enumerate(names):
        age = sample.age if j == 0 else sample.exposed_for
        inside = base[:, j] != 0
        for e in np.unique(age[inside]):
            parts.append(np.where(inside & (age == e), base[:, j], 0.0))
            labels.append((name, int(e)))
    after = _fit(sample, np.column_stack(parts), tuple(_named(label) for label in labels), inference)
    labels = [label for label, keep in zip(labels, after.kept, strict=True) if keep]
    before, early, notes = _before(sample, leads)
    influence = np.concatenate([before.influence, after.influence], axis=1) if early else after.influence
    estimate = np.concatenate([before.estimate, after.estimate]) if early else after.estimate
    vcov = influence.T @ influence
    if inference.vcov == "conley":
        start = len(early)
        vcov[start:, start:] = after.vcov
        notes = (*notes, Note("spillover-leads-clustered")) if early else notes
    every = [*early, *labels]
    return Effects(
        method="spillover",
        outcome=sample.design.outcome,
        aggregation="coefficient",
        terms=Terms.make(tuple(_named(label) for label in every), event_time=np.array([e for _, e in every])),
        estimate=estimate,
        vcov=vcov,
        influence=influence,
        clusters=cluster_labels(sample.design),
        notes=(*sample.design.notes, *after.notes, *notes),
        meta=_meta(sample, inference, facts, "spillover-event-study"),
    )


def _named(label: tuple[str, int]) -> str:
    return f"{label[0]}, event time {label[1]}"


def _before(sample: Channels, leads: int) -> tuple[_Fitted, list[tuple[str, int]], tuple[Note, ...]]:
    """Leads of adoption and of first exposure, from clean rows; the earlier clean rows are the reference."""
    full = sample.design
    nothing = _Fitted((), np.empty(0), np.empty((full.clusters[0].size, 0)), np.empty((0, 0)), (), np.empty(0, dtype=np.bool_))
    if leads == 0:
        return nothing, [], ()
    rows = sample.clean
    design = full.take(rows)
    ever = full.cohort[full.unit][rows] != NEVER
    parts, labels = [], []
    for name, age, member in ((DIRECT, sample.age[rows], ever), ("exposed", sample.exposed_for[rows], sample.exposed_for[rows] > BLANK)):
        # Units that adopt later are also exposed before: their leads count with their own adoption.
        inside = member & ~ever if name != DIRECT else member
        for e in range(-leads, 0):
            parts.append((inside & (age == e)).astype(np.float64))
            labels.append((name, e))
    if not any(p.any() for p in parts):
        return nothing, [], ()
    columns = np.column_stack([*parts, design.covariates])
    names = (*(_named(label) for label in labels), *design.covariate_names)
    made = least_squares(design, np.asfortranarray(columns), names, Inference("cluster", resolve_ssc("none")))
    position = {n: i for i, n in enumerate(made.names)}
    left = [label for label in labels if _named(label) in position]
    take = np.array([position[_named(label)] for label in left], dtype=np.int64)
    influence = np.zeros((full.clusters[0].size, len(left)))
    influence[np.unique(full.clusters[0].codes[rows])] = made.covariance.influence[:, take]
    notes = (Note("collinear-dropped", {"names": ", ".join(made.dropped)}),) if made.dropped else ()
    return (
        _Fitted(tuple(_named(x) for x in left), made.estimate[take], influence, influence.T @ influence, (), np.empty(0, np.bool_)),
        left,
        notes,
    )
