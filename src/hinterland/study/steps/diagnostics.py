"""Diagnostic steps of every estimator: the joint test of pre-trends, and the decomposition of the two-way coefficient."""

from __future__ import annotations

import polars as pl

from hinterland.errors import EstimationError
from hinterland.labels import Note
from hinterland.study.estimators import WITHOUT_LEADS
from hinterland.study.results import event_time_effects, fitted_before
from hinterland.study.step import Step
from hinterland.study.steps.output import Output, effects_id, notes_table, output
from hinterland.study.variant import BASELINE
from hinterland.study.workspace import Workspace, tolerated


def pretrends(work: Workspace, step: Step) -> Output:
    """The joint test that effects before adoption are zero.

    Nothing where the estimator has no path by event time, or none before adoption by its nature; a note where it has one and no lead
    can be tested, or where the leads were fitted.
    """
    from hinterland.evaluate.pretrends import pretrend_test

    try:
        effects = event_time_effects(work, step.outcome, step.method)
        if effects.aggregation != "event-time" or (step.method in WITHOUT_LEADS and (effects.terms.event_time >= 0).all()):
            return Output()
        name = effects_id(effects, BASELINE)
        if fitted_before(effects):
            return output([("notes", notes_table(name, [Note("pretrends-fitted", {"method": step.method})]))])
        test = pretrend_test(effects)
    except EstimationError as error:
        note = Note("pretrends-not-possible", {"reason": tolerated(error), "method": step.method})
        return output([("notes", notes_table(step.id, [note]))])
    return output([("pretrends", test.tidy().with_columns(effects_id=pl.lit(name))), ("notes", notes_table(name, test.notes))])


def bacon(work: Workspace, step: Step) -> Output:
    """The Goodman-Bacon decomposition of the twfe coefficient; a note where it is not defined."""
    from hinterland.evaluate.bacon import bacon as decompose

    try:
        found = decompose(work.design(step.outcome, "twfe"))
    except EstimationError as error:
        return output([("notes", notes_table(step.id, [Note("bacon-not-possible", {"reason": tolerated(error)})]))])
    named = pl.lit(step.outcome).alias("outcome")
    return output(
        [
            ("bacon", found.table.with_columns(named)),
            ("bacon_summary", found.summary().with_columns(named)),
            ("notes", notes_table(step.id, found.notes)),
        ]
    )
