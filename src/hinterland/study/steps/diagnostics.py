"""Diagnostic steps: joint test of pre-trends, and the decomposition of the two-way coefficient."""

from __future__ import annotations

import polars as pl

from hinterland.errors import EstimationError
from hinterland.evaluate.result import Effects
from hinterland.labels import Note
from hinterland.study.plan import Step
from hinterland.study.steps.output import Output, effects_id, notes_table, output
from hinterland.study.variant import BASELINE
from hinterland.study.workspace import Workspace, tolerated


def dynamic_effects(work: Workspace, outcome: str, method: str) -> Effects:
    """Effects by event time, without a band."""
    if method == "ppml":
        return work.effects(outcome, method, dynamic=True)
    effects = work.effects(outcome, method)
    return effects.aggregate("event-time") if effects.aggregation == "group-time" else effects


def pretrends(work: Workspace, step: Step) -> Output:
    """The joint test that effects before adoption are zero; a note where no lead can be tested."""
    from hinterland.evaluate.pretrends import pretrend_test

    effects = dynamic_effects(work, step.outcome, step.method)
    name = effects_id(effects, BASELINE)
    try:
        test = pretrend_test(effects)
    except EstimationError as error:
        return output([("notes", notes_table(name, [Note("pretrends-not-possible", {"reason": tolerated(error), "method": step.method})]))])
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
