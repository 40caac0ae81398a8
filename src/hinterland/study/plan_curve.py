"""The step of the specification curve."""

from __future__ import annotations

from collections.abc import Iterator

from hinterland.study.curve import declared
from hinterland.study.schema import OutcomeTable, Study
from hinterland.study.step import Step, headline_for, settings_of


def curve_steps(study: Study, outcome: OutcomeTable) -> Iterator[Step]:
    """One step, for the first outcome, where the study declares a curve."""
    wanted = declared(study)
    if wanted is None or outcome.name != study.outcome[0].name:
        return
    settings = {**settings_of(study, outcome, wanted.methods), "curve": wanted.as_json()}
    yield Step(f"curve/{outcome.name}", "curve", settings, ("data", "policy"), outcome.name, headline_for(study, outcome))
