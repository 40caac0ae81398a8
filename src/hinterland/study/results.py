"""Everything that one estimator says on one outcome: its fit, its path by event time, and every average it allows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hinterland.errors import EstimationError
from hinterland.evaluate.result import BLANK, Aggregation, Effects
from hinterland.labels import Note
from hinterland.study.estimators import estimand_options, path_options
from hinterland.study.variant import BASELINE, Variant
from hinterland.study.workspace import Workspace, tolerated

AGGREGATIONS: tuple[Aggregation, ...] = ("event-time", "overall", "cohort", "calendar")

Found = tuple[list[Effects], list[Note]]


def results(work: Workspace, outcome: str, method: str, variant: Variant = BASELINE) -> Found:
    """The fit, then its averages; and a note on each that these data do not allow.

    Raises:
        EstimationError: the fit itself is not possible.
    """
    fitted = work.effects(outcome, method, variant)
    found, notes = [fitted], []
    path = path_options(work.study, method)
    for kind in _averages(work, fitted):
        if kind == "event-time" and path is not None:
            continue
        try:
            found.append(_as(work, fitted, kind, variant))
        except EstimationError as error:
            notes.append(Note("average-not-possible", {"method": method, "aggregation": kind, "reason": tolerated(error)}))
    if path is not None:
        try:
            found.insert(1, event_time_effects(work, outcome, method, variant))
        except EstimationError as error:
            notes.append(Note("average-not-possible", {"method": method, "aggregation": "event-time", "reason": tolerated(error)}))
    return found, notes


def _averages(work: Workspace, fitted: Effects) -> tuple[Aggregation, ...]:
    """The averages beside the fit, in the order of the record."""
    if fitted.aggregation == "group-time":
        return AGGREGATIONS
    if fitted.aggregation != "event-time" or _back_where_it_was(fitted):
        return ()
    return ("overall", *(k for k in AGGREGATIONS if k != "overall" and k in estimand_options(work.study, fitted.method)))


def _back_where_it_was(effects: Effects) -> bool:
    """Whether treatment has not changed on average, so that no effect per unit of it exists; the estimator's notes say so."""
    return "overall_denominator" in effects.meta and sum(effects.meta["overall_denominator"]) == 0


def _as(work: Workspace, fitted: Effects, kind: Aggregation, variant: Variant) -> Effects:
    """The average; fitted anew by an estimator that adjusts for each estimand on its own."""
    changes = estimand_options(work.study, fitted.method)
    if fitted.aggregation == "event-time" and kind in changes:
        return work.effects(fitted.outcome, fitted.method, variant, **changes[kind])
    return fitted.aggregate(kind)


def average(work: Workspace, outcome: str, method: str, variant: Variant = BASELINE) -> Effects:
    """The one number of an estimator, where it has one: its coefficient, or its overall average; otherwise all that it estimates."""
    fitted = work.effects(outcome, method, variant)
    return _as(work, fitted, "overall", variant) if "overall" in _averages(work, fitted) else fitted


def event_time_effects(work: Workspace, outcome: str, method: str, variant: Variant = BASELINE) -> Effects:
    """Effects by event time with their leads; the fit itself where it has no such path."""
    path = path_options(work.study, method)
    if path is not None:
        return _direct_path(work.effects(outcome, method, variant, **path))
    fitted = work.effects(outcome, method, variant)
    return fitted.aggregate("event-time") if fitted.aggregation == "group-time" else fitted


def path_source(work: Workspace, outcome: str, method: str) -> Effects:
    """What a path around one reference is made from: cells by cohort and period where they exist, which lose nothing."""
    fitted = work.effects(outcome, method)
    return fitted if fitted.aggregation == "group-time" else event_time_effects(work, outcome, method)


def _direct_path(effects: Effects) -> Effects:
    """Direct and indirect effects by event time as one path: that of the direct effects, the others beside it under their names."""
    if effects.aggregation != "coefficient":
        return effects
    direct = np.array([name.startswith("direct") for name in effects.terms.name])
    if not direct.any() or (effects.terms.event_time[direct] == BLANK).any():
        return effects
    terms = replace(effects.terms, event_time=np.where(direct, effects.terms.event_time, BLANK))
    return replace(effects, aggregation="event-time", terms=terms)


def fitted_before(effects: Effects) -> bool:
    """Whether the effects before adoption are what the estimator made small, and so no test of anything; its notes say so."""
    return any(n.code.endswith("-fitted-before") for n in effects.notes)
