"""Interaction-weighted event study (Sun & Abraham 2021, Journal of Econometrics 225(2), section 4).

y_it = α_i + λ_t + Σ_g Σ_{e ≠ ref} δ_{g,e} 1[g_i = g] 1[t − g = e] + x_it'β + ε_it

One coefficient per cohort and event time, compared with units that are never treated (or with the last cohort, before it is treated);
then averages of them by the cohorts' shares.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Unpack

import numpy as np

from hinterland.errors import EstimationError, Finding, listed
from hinterland.evaluate.design import Design
from hinterland.evaluate.regression import Inference, InferenceOptions, cluster_labels, describe, without_singletons
from hinterland.evaluate.result import Effects
from hinterland.evaluate.saturated import (
    Layout,
    Mask,
    base_periods,
    cell_terms,
    comparable,
    lost_cells_note,
    make_layout,
    shares_of,
    size_notes,
)
from hinterland.evaluate.saturated_regression import CellFit, fit_cells
from hinterland.evaluate.threads import one_thread
from hinterland.labels import Note


@one_thread()
def fit(
    design: Design,
    *,
    reference: int | Sequence[int] | None = None,
    share_variance: bool = True,
    **options: Unpack[InferenceOptions],
) -> Effects:
    """Estimate δ of every cohort in every period.

    Args:
        design: N units, T periods, n rows. Units without a period before their adoption are left out.
        reference: event time, or event times, set to zero in every cohort. ``None``: the last period more than ``anticipation``
            before adoption (event time -1 in a panel of consecutive periods). A cohort not observed at any of them takes that period.
        share_variance: standard errors of averages include the estimation of the cohorts' shares, as in the article; ``False``
            takes the shares as given.
        options: the covariance, see :class:`~hinterland.evaluate.regression.InferenceOptions`.

    Returns:
        Effects with aggregation ``group-time``, terms ordered by cohort then period, references included (zero, without standard
        error). A cell that the fixed effects leave undetermined has no estimate, and a note names it. Covariates' coefficients are in ``meta``.

    Raises:
        EstimationError: unknown options; nobody to compare with; no cell identified; no degrees of freedom.
    """
    inference = Inference.of(**options)
    events = _events(reference)
    _fail_unless_bool(share_variance)
    design, control = comparable(design)
    layout = _anchored(make_layout(without_singletons(design, inference.ssc), control))
    held, notes = reference_cells(layout, events)
    shown = layout.rows[:-1] > 0
    fitted = fit_cells(layout, shown, held, inference)
    effects = _effects(layout, _Shown(shown, held, tuple(notes)), fitted, inference)
    meta = {**effects.meta, "share_variance": share_variance}
    return replace(effects, shares=shares_of(layout, variance=share_variance), meta=meta)


def _events(reference: int | Sequence[int] | None) -> tuple[int, ...] | None:
    if reference is None:
        return None
    given = tuple(reference) if isinstance(reference, list | tuple | np.ndarray) else (reference,)
    if not given or any(isinstance(e, bool) or not isinstance(e, int | np.integer) for e in given):
        remedy = "give one whole number of periods relative to adoption, or a list of them"
        raise EstimationError(Finding("not-whole", f"reference is {reference!r}", "option reference", remedy), "options")
    return tuple(int(e) for e in given)


def _fail_unless_bool(value: object) -> None:
    if not isinstance(value, bool):
        raise EstimationError(
            Finding("unknown-value", f"share_variance is {value!r}", "option share_variance", "give true or false"), "options"
        )


def _anchored(layout: Layout) -> Layout:
    """The layout without cohorts of which no row before adoption is left: nothing ties their effects to a level.

    Raises:
        EstimationError: no cohort has one.
    """
    design = layout.design
    lost = base_periods(layout, design.anticipation) < 0
    if not lost.any():
        return layout
    names = listed(layout.cohorts[lost].tolist(), 12)
    if lost.all():
        what = f"cohort(s) {names} have no row more than {design.anticipation} period(s) before adoption"
        raise EstimationError(Finding("no-period-before", what, "cohorts", "complete their rows before adoption"), "design")
    keep = ~np.append(lost, False)[layout.group][design.unit]
    return make_layout(design.take(keep, Note("saturated-cohorts-unanchored", {"cohorts": names})), layout.control)


def reference_cells(layout: Layout, events: tuple[int, ...] | None) -> tuple[Mask, list[Note]]:
    """[K, T] cells set to zero, in a layout whose cohorts all have a row before their adoption.

    Raises:
        EstimationError: no cohort is observed at any of ``events``.
    """
    base = base_periods(layout, layout.design.anticipation)
    held = np.zeros(layout.event.shape, dtype=np.bool_)
    held[np.arange(len(base)), base] = True
    if events is None:
        return held, []
    asked: Mask = np.asarray(np.isin(layout.event, events)) & (layout.rows[:-1] > 0)
    has: Mask = np.asarray(asked.any(axis=1))
    if not has.any():
        observed = np.unique(layout.event[layout.rows[:-1] > 0])
        what = f"no treated unit is observed at event time {listed(events)}"
        raise EstimationError(
            Finding(
                "reference-not-observed",
                what,
                f"event times {listed(observed.tolist(), 12)}",
                "choose another reference, or widen the panel's years",
            ),
            "options",
        )
    note = Note("saturated-other-reference", {"cohorts": listed(layout.cohorts[~has].tolist(), 12)})
    return np.asarray(np.where(has[:, None], asked, held)), ([] if has.all() else [note])


@dataclass(frozen=True, slots=True)
class _Shown:
    """The cells ``cells`` [K, T] that are terms, those ``held`` [K, T] at zero, and notes on them."""

    cells: Mask
    held: Mask
    notes: tuple[Note, ...]


def _effects(layout: Layout, shown: _Shown, fitted: CellFit, inference: Inference) -> Effects:
    design, covariance = layout.design, fitted.covariance
    terms = cell_terms(layout, shown.cells, shown.held)
    repaired = [Note("negative-variance")] if covariance.repaired else []
    dropped = [Note("collinear-dropped", {"names": listed(fitted.dropped)})] if fitted.dropped else []
    events = np.unique(layout.event[shown.held]).tolist()
    return Effects(
        method="sun-abraham",
        outcome=design.outcome,
        aggregation="group-time",
        terms=terms,
        estimate=fitted.estimate,
        vcov=covariance.vcov,
        influence=covariance.influence,
        clusters=cluster_labels(design),
        df=covariance.df,
        term_df=covariance.term_df,
        parts=covariance.parts,
        notes=(
            *design.notes,
            *shown.notes,
            *size_notes(layout),
            *dropped,
            *lost_cells_note(terms, fitted.estimate),
            *repaired,
            *covariance.notes,
        ),
        meta=describe(
            design,
            inference,
            covariance,
            covariance.df,
            "sun-abraham",
            comparison=layout.control,
            n_never=int((layout.group == len(layout.cohorts)).sum()),
            reference_event_times=events,
            r2=1 - fitted.ssr / fitted.ss_total,
            r2_within=1 - fitted.ssr / fitted.ss_within if fitted.ss_within > 0 else 0.0,
            ssr=fitted.ssr,
            **fitted.covariates,
        ),
    )
