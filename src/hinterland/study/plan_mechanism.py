"""Steps about mediators, and about all outcomes as one family of tests."""

from __future__ import annotations

from collections.abc import Iterator

from hinterland.study.schema import OutcomeTable, Study
from hinterland.study.step import Step, headline_for, row_methods, settings_of
from hinterland.study.variant import BASELINE


def explained(study: Study) -> tuple[str, ...]:
    """The outcomes whose mechanism is asked for."""
    if study.mechanism is None:
        return ()
    return study.mechanism.outcomes or tuple(o.name for o in study.outcome if o.family == "gaussian")[:1]


def mechanism_steps(study: Study, outcome: OutcomeTable) -> Iterator[Step]:
    """One step for the headline and one for twfe."""
    table = study.mechanism
    if table is None or outcome.name not in explained(study):
        return
    asked = table.model_dump(mode="json", exclude={"labels", "outcomes"})
    for method in reversed(row_methods(study, outcome, BASELINE, None)):
        settings = {**settings_of(study, outcome, [method]), "mechanism": asked}
        yield Step(f"mechanism/{outcome.name}/{method}", "mechanism", settings, ("data", "policy"), outcome.name, method)


def family_steps(study: Study) -> Iterator[Step]:
    """The headline's average effects on all outcomes, tested together."""
    if len(study.outcome) < 2 or not study.evaluate.family_adjust:
        return
    heads = {o.name: headline_for(study, o) for o in study.outcome}
    settings = {"adjust": list(study.evaluate.family_adjust), "draws": study.diagnostics.draws, "seed": study.study.seed, "outcome": heads}
    yield Step("outcome-family", "outcome-family", settings, tuple(f"evaluate/{name}/{method}" for name, method in heads.items()))
