"""The estimation step: one estimator on one outcome, with every aggregation it allows."""

from __future__ import annotations

import polars as pl

from hinterland.evaluate.result import Effects
from hinterland.labels import Note
from hinterland.study.plan import Step, headline_for, methods_for, seed_of
from hinterland.study.schema import OutcomeTable, Study
from hinterland.study.steps.output import Output, effects_id, effects_parts, notes_table, output
from hinterland.study.variant import BASELINE, Role
from hinterland.study.workspace import Workspace

AGGREGATIONS = ("event-time", "overall", "cohort", "calendar")


def outcome_of(study: Study, name: str) -> OutcomeTable:
    """The outcome table with this name."""
    return next(o for o in study.outcome if o.name == name)


def role_of(study: Study, outcome: OutcomeTable, method: str) -> Role:
    """The headline leads, twfe stands beside it as the baseline, the rest are alternatives."""
    if method == headline_for(study, outcome):
        return "headline"
    return "baseline" if method == "twfe" else "alternative"


def results(work: Workspace, outcome: str, method: str, seed: int) -> tuple[Effects, ...]:
    """The fit and its aggregations; event-time effects carry a simultaneous band when the study asks for one."""
    fitted = work.effects(outcome, method)
    every = [fitted]
    if fitted.aggregation == "group-time":
        every += [fitted.aggregate(kind) for kind in AGGREGATIONS]  # type: ignore[arg-type]  # a subset of the kinds
    elif has_own_average(fitted):
        every.append(fitted.aggregate("overall"))
    if method == "ppml":
        every.append(work.effects(outcome, method, dynamic=True))
    return tuple(_banded(work, e, seed) if e.aggregation == "event-time" else e for e in every)


def has_own_average(effects: Effects) -> bool:
    """Whether these event-time effects come with an overall effect that their estimator defines."""
    return effects.aggregation == "event-time" and sum(effects.meta.get("overall_denominator", ())) != 0


def _banded(work: Workspace, effects: Effects, seed: int) -> Effects:
    band = work.study.evaluate.bootstrap
    return effects if band is None else effects.with_band(band.level, kind=band.kind, draws=band.draws, seed=seed)


def evaluate(work: Workspace, step: Step) -> Output:
    """Fit, aggregate, and write down."""
    outcome = outcome_of(work.study, step.outcome)
    design = work.design(step.outcome, step.method)
    role = role_of(work.study, outcome, step.method)
    parts: list[tuple[str, pl.DataFrame]] = []
    said: tuple[Note, ...] = ()
    for effects in results(work, step.outcome, step.method, seed_of(work.study, step.id)):
        parts += effects_parts(effects, BASELINE, role, design, said)
        said = said or effects.notes
    first = work.effects(step.outcome, step.method)
    parts.append(("notes", notes_table(effects_id(first, BASELINE), _remarks(work, outcome, step.method))))
    return output(parts)


def _remarks(work: Workspace, outcome: OutcomeTable, method: str) -> list[Note]:
    """What the study asked for that this outcome's family leaves out; said once, with the first estimator."""
    study = work.study
    run = methods_for(study, outcome)
    if method != run[0]:
        return []
    return [
        Note("method-not-for-family", {"method": m, "family": outcome.family, "outcome": outcome.name})
        for m in study.evaluate.methods
        if m not in run
    ]
