"""The estimation step: one estimator on one outcome, with every aggregation it allows."""

from __future__ import annotations

import polars as pl

from hinterland.errors import EstimationError
from hinterland.evaluate.result import Effects
from hinterland.labels import Note
from hinterland.study.estimators import covariance_not_taken
from hinterland.study.results import results
from hinterland.study.schema import OutcomeTable, Study
from hinterland.study.step import Step, headline_for, methods_for, seed_of
from hinterland.study.steps.output import Output, effects_id, effects_parts, notes_table, output
from hinterland.study.variant import BASELINE, Role
from hinterland.study.workspace import Workspace, tolerated


def outcome_of(study: Study, name: str) -> OutcomeTable:
    """The outcome table with this name."""
    return next(o for o in study.outcome if o.name == name)


def role_of(study: Study, outcome: OutcomeTable, method: str) -> Role:
    """The headline leads, twfe stands beside it as the baseline, the rest are alternatives."""
    if method == headline_for(study, outcome):
        return "headline"
    return "baseline" if method == "twfe" else "alternative"


def _banded(work: Workspace, effects: Effects, seed: int) -> tuple[Effects, list[Note]]:
    """With the band that the study asks for; drawn from the covariance where that is no product of influence functions."""
    band = work.study.evaluate.bootstrap
    if band is None or effects.aggregation != "event-time":
        return effects, []
    kinds = (band.kind, "analytic") if band.kind == "multiplier" else (band.kind,)
    reason = ""
    for kind in kinds:
        try:
            return effects.with_band(band.level, kind=kind, draws=band.draws, seed=seed), []  # type: ignore[arg-type]  # one of the kinds
        except EstimationError as error:
            reason = tolerated(error)
    return effects, [Note("band-not-possible", {"method": effects.method, "reason": reason})]


def evaluate(work: Workspace, step: Step) -> Output:
    """Fit, aggregate, and write down; a note where an estimator beside the headline is not possible on these data."""
    outcome = outcome_of(work.study, step.outcome)
    role = role_of(work.study, outcome, step.method)
    try:
        found, notes = results(work, step.outcome, step.method)
    except EstimationError as error:
        if role == "headline":
            raise
        values: dict[str, str | int | float] = {"method": step.method, "outcome": step.outcome, "reason": tolerated(error)}
        return output([("notes", notes_table(step.id, [Note("method-not-possible", values), *_remarks(work, outcome, step.method)]))])
    design = work.design(step.outcome, step.method)
    parts: list[tuple[str, pl.DataFrame]] = []
    said: tuple[Note, ...] = ()
    for effects in found:
        banded, missing = _banded(work, effects, seed_of(work.study, step.id))
        parts += effects_parts(banded, BASELINE, role, design, said)
        said = said or effects.notes
        notes += missing
    parts.append(("notes", notes_table(effects_id(found[0], BASELINE), [*notes, *_remarks(work, outcome, step.method)])))
    return output(parts)


def _remarks(work: Workspace, outcome: OutcomeTable, method: str) -> list[Note]:
    """What the study asked for and does not get: a covariance that the estimator lacks; estimators of other families, said once."""
    study = work.study
    refused = covariance_not_taken(study, method)
    notes = [] if refused is None else [Note("covariance-not-taken", {"method": method, "vcov": refused})]
    run = methods_for(study, outcome)
    others = [m for m in study.evaluate.methods if m not in run]
    if method != run[0] or not others:
        return notes
    return [*notes, Note("method-not-for-family", {"method": ", ".join(others), "family": outcome.family, "outcome": outcome.name})]
