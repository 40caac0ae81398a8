"""Steps of [moderation]: one for each outcome, moderator and estimator of its strata; and what must hold between the keys."""

from __future__ import annotations

from collections.abc import Iterator

from hinterland.errors import did_you_mean
from hinterland.evaluate.methods import METHODS
from hinterland.study.schema import OutcomeTable, Study
from hinterland.study.schema_moderation import ModeratorTable
from hinterland.study.step import Step, headline_for, settings_of
from hinterland.study.unbuilt import Problem


def moderation_steps(study: Study, outcome: OutcomeTable) -> Iterator[Step]:
    """The steps of one outcome."""
    for name, table in study.moderation.items():
        if table.outcomes and outcome.name not in table.outcomes:
            continue
        for method in strata_methods(study, outcome, table):
            settings = {**settings_of(study, outcome, [method]), "moderator": table.model_dump(mode="json")}
            yield Step(
                f"moderation/{outcome.name}/{name}/{method}", "moderation", settings, ("data", "policy"), outcome.name, method, group=name
            )


def strata_methods(study: Study, outcome: OutcomeTable, table: ModeratorTable) -> tuple[str, ...]:
    """Estimators of the strata that are of the outcome's family; the headline where none is named, or none of them is."""
    return tuple(m for m in table.methods if outcome.family in METHODS[m].family) or (headline_for(study, outcome),)


def moderation_problems(study: Study) -> Iterator[Problem]:
    """Moderators that are the outcome or the treatment; outcomes that the study does not have; bins that are none."""
    known = [o.name for o in study.outcome]
    roles = {study.policy.column, study.policy.treatment, study.panel.unit, study.panel.time} - {None}
    for name, table in study.moderation.items():
        path = ("moderation", name)
        own = [o for o in known if not table.outcomes or o in table.outcomes]
        remedy = "name a characteristic that the policy cannot have changed"
        if table.column in own:
            what = f"the moderator {table.column!r} is the outcome"
            yield (*path, "column"), "moderator-is-outcome", what, f"{remedy}, or list other outcomes"
        if table.column in roles:
            what = f"the moderator {table.column!r} is the treatment, or a role of the panel"
            yield (*path, "column"), "moderator-is-treatment", what, remedy
        for i, outcome in enumerate(table.outcomes):
            if outcome not in known:
                what = f"there is no outcome {outcome!r} to moderate"
                yield (*path, "outcomes", i), "unknown-outcome", what, did_you_mean(outcome, known)
        if isinstance(table.bins, int) and table.bins < 2:
            yield (*path, "bins"), "bad-bins", f"bins is {table.bins}", "give 2 bins or more, or a list of cut points"
        for i, method in enumerate(table.methods):
            if method in table.methods[:i]:
                yield (*path, "methods", i), "repeated-method", f"the estimator {method!r} is there twice", "name each estimator once"


def moderated_by_segmentation(study: Study) -> bool:
    """Whether some moderator is the one of the simulated world: segmentation as it was before the first adoption."""
    tables = study.moderation.values()
    return any(t.column == "segmentation_pre" or (t.column == "segmentation" and t.fixed == "pre") for t in tables)
