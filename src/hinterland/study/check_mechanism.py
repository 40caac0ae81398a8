"""What the data have against the mediators that a study names, before anything is estimated."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from hinterland.errors import Finding, InputError
from hinterland.evaluate.mechanism_checks import fail_if_not_columns, mediator_findings
from hinterland.study.plan_mechanism import explained
from hinterland.study.step import headline_for
from hinterland.study.steps.mechanism import mechanism_design
from hinterland.study.workspace import Workspace


def mechanism_findings(work: Workspace) -> Iterator[Finding]:
    """Every finding, at the line of the study file that names mediators."""
    table = work.study.mechanism
    if table is None:
        return
    for outcome in work.study.outcome:
        if outcome.name not in explained(work.study):
            continue
        try:
            fail_if_not_columns(work.panel, outcome.name, table.mediators, table.confounders)
            found = tuple(
                mediator_findings(mechanism_design(work, table, outcome.name, headline_for(work.study, outcome)), table.mediators)
            )
        except InputError as error:
            found = error.findings
        yield from (replace(f, where=f"{work.loaded.where('mechanism', 'mediators')}: {f.where}") for f in found)
