"""The triple-difference regression (Olden & Møen 2022): unit effects and every two-way interaction with the period."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hinterland.data.cohorts import NEVER
from hinterland.errors import EstimationError, Finding
from hinterland.evaluate.coding import Codes, Factor
from hinterland.evaluate.design import Design
from hinterland.evaluate.event_study import (
    covariate_values,
    event_columns,
    event_window,
    place_terms,
    without_always_treated,
    without_repeats,
)
from hinterland.evaluate.regression import (
    TREATED,
    Inference,
    cluster_labels,
    describe,
    fit_quality,
    least_squares,
    without_singletons,
)
from hinterland.evaluate.result import Effects, Terms, least_df
from hinterland.labels import Note

Mask = NDArray[np.bool_]
ELIGIBLE_TREATED = "eligible treated"


def fit_regression(
    design: Design, eligible: Mask, wanted: Mapping[str, str | None], reference: int | None, inference: Inference
) -> Effects:
    """y_ipt = α_i + λ_{place,t} + μ_{industry,t} + τ Q_i 1[t ≥ S_i] + x'β + ε, or with leads and lags instead of τ.

    Args:
        design: as observed; eligible: [N].
        wanted: columns ``place`` and ``industry`` whose period effects are absorbed; ``None``: the cohort's and the partition's.
        reference: event time set to zero, or ``None`` for one coefficient.
        inference: the covariance.
    """
    whole = (design.cohort != NEVER).astype(np.float64)
    design = replace(design, dose=whole, columns={**design.columns, "": eligible[design.unit]})
    if reference is not None:
        design = without_always_treated(design)
    factors = (_by_period(design, _place(design, wanted["place"])), _by_period(design, _industry(design, wanted["industry"])))
    absorbed = replace(design, fixed_effects=(*design.fixed_effects, *factors))
    absorbed = without_singletons(absorbed, inference.ssc)
    side = absorbed.columns[""] == 1
    staggered = Note("triple-regression-staggered", {"cohorts": len(design.cohorts)})
    notes = (*absorbed.notes, staggered) if len(design.cohorts) > 1 else absorbed.notes
    return _static(absorbed, side, inference, notes) if reference is None else _dynamic(absorbed, side, reference, inference, notes)


def _place(design: Design, name: str | None) -> Factor:
    if name is not None:
        return _factor(name, design.columns[name])
    values, codes = np.unique(design.cohort, return_inverse=True)
    return Factor("cohort", codes.astype(np.int32)[design.unit], len(values))


def _industry(design: Design, name: str | None) -> Factor:
    if name is not None:
        return _factor(name, design.columns[name])
    return Factor("partition", design.columns[""].astype(np.int32), 2)


def _factor(name: str, values: NDArray[Any]) -> Factor:
    levels, codes = np.unique(values, return_inverse=True)
    return Factor(name, codes.astype(np.int32), len(levels))


def _by_period(design: Design, factor: Factor) -> Factor:
    combined = factor.codes.astype(np.int64) * design.n_periods + design.period
    present = np.bincount(combined) > 0
    codes: Codes = (np.cumsum(present) - 1).astype(np.int32)[combined]
    return Factor(f"{factor.name}^{design.time_name}", codes, int(present.sum()))


def _fail_if_one_sided(design: Design, side: Mask) -> None:
    treated = design.cohort[design.unit] != NEVER
    if (treated & side).any() and (treated & ~side).any() and (~treated).any():
        return
    where = f"{design.n_treated} units of places that adopt, of {design.n_units}"
    remedy = "widen the sample: a triple difference needs eligible and ineligible units in places that adopt and in others"
    raise EstimationError(Finding("nobody-to-compare", "one of the four groups has no rows", where, remedy), "design")


def _static(design: Design, side: Mask, inference: Inference, notes: tuple[Note, ...]) -> Effects:
    columns = np.empty((design.n_obs, 1 + len(design.covariate_names)), order="F")
    columns[:, 0] = design.treated & side
    columns[:, 1:] = design.covariates
    fitted = least_squares(design, columns, (TREATED, *design.covariate_names), inference)
    names = tuple(ELIGIBLE_TREATED if n == TREATED else n for n in fitted.names)
    treated = len(np.unique(design.unit[design.treated & side]))
    covariance = fitted.covariance
    return Effects(
        method="triple",
        outcome=design.outcome,
        aggregation="coefficient",
        terms=Terms.make(names, n_treated=np.array([treated if n == ELIGIBLE_TREATED else -1 for n in names])),
        estimate=fitted.estimate,
        vcov=covariance.vcov,
        influence=covariance.influence,
        clusters=cluster_labels(design),
        df=covariance.df,
        term_df=covariance.term_df,
        parts=covariance.parts,
        notes=(*notes, *fitted.notes),
        meta=describe(design, inference, covariance, covariance.df, "triple-regression", estimator="regression", **fit_quality(fitted)),
    )


def _dynamic(design: Design, side: Mask, reference: int, inference: Inference, notes: tuple[Note, ...]) -> Effects:
    _fail_if_one_sided(design, side)
    window = event_window(design, None, None, reference)
    inside = side[window.rows]
    window = replace(window, rows=window.rows[inside], position=window.position[inside], n_treated=_seen(design, window, inside))
    columns, names = event_columns(design, window)
    fitted = least_squares(design, columns, names, inference)
    placed = place_terms(design, window, fitted)
    covariance = fitted.covariance
    return Effects(
        method="triple",
        outcome=design.outcome,
        aggregation="event-time",
        terms=placed.terms,
        estimate=placed.estimate,
        vcov=placed.vcov,
        influence=placed.influence,
        clusters=cluster_labels(design),
        df=covariance.df if placed.term_df is None else least_df(placed.term_df),
        term_df=placed.term_df,
        parts=placed.parts,
        notes=(*notes, *window.notes, *placed.notes, *without_repeats(fitted.notes, placed)),
        meta=describe(
            design,
            inference,
            covariance,
            covariance.df,
            "triple-event-study",
            estimator="regression",
            reference=reference,
            reference_event_time=reference,
            **covariate_values(fitted, len(design.covariate_names)),
            **fit_quality(fitted),
        ),
    )


def _seen(design: Design, window: Any, inside: Mask) -> NDArray[np.int64]:
    """[p] eligible treated units observed at each event time."""
    seen = np.zeros((design.n_units, len(window.times)), dtype=np.bool_)
    seen[design.unit[window.rows[inside]], window.position[inside]] = True
    return np.asarray(seen.sum(axis=0))
