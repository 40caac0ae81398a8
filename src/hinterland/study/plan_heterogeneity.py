"""The steps of [heterogeneity]: estimates by group, and tests of their differences."""

from __future__ import annotations

from collections.abc import Iterator

from hinterland.study.groups import definition
from hinterland.study.schema import OutcomeTable, Study
from hinterland.study.step import Step, row_methods, settings_of
from hinterland.study.variant import BASELINE

_BEFORE = ("data", "policy")


def heterogeneity_steps(study: Study, outcome: OutcomeTable) -> Iterator[Step]:
    """One step per grouping for the estimates, one per grouping and estimator for the tests."""
    table, name = study.heterogeneity, outcome.name
    methods = row_methods(study, outcome, BASELINE, None)
    for group in table.groups:
        own = {"few_treated": table.few_treated, "draws": table.draws, **definition(study, group)}
        settings = {**settings_of(study, outcome, methods), **own}
        yield Step(f"subgroup/{name}/{group}", "subgroup", settings, _BEFORE, name, "", BASELINE, group)
        if not table.tests:
            continue
        tests = {k: getattr(table, k) for k in ("period_effects", "strata", "refits", "adjustment")} | {"tests": list(table.tests)}
        for method in methods:
            asked = {**settings_of(study, outcome, [method]), **own, **tests}
            yield Step(f"group-difference/{name}/{group}/{method}", "group-difference", asked, _BEFORE, name, method, BASELINE, group)
