"""What must hold between [mechanism] and the rest of a study file."""

from __future__ import annotations

from collections.abc import Iterator

from hinterland.errors import did_you_mean
from hinterland.evaluate.covariates import plain_names
from hinterland.study.schema import Study
from hinterland.study.unbuilt import Problem


def mechanism_problems(study: Study) -> Iterator[Problem]:
    """Mediators that are something else already, outcomes that cannot be explained, labels of nothing."""
    table = study.mechanism
    if table is None:
        return
    taken = dict(_roles(study))
    for i, name in enumerate(table.mediators):
        if name in table.mediators[:i]:
            yield ("mechanism", "mediators", i), "repeated-value", f"mechanism.mediators names {name!r} twice", "name each once"
        elif name in taken:
            code, role, remedy = taken[name]
            yield ("mechanism", "mediators", i), code, f"the mediator {name!r} is also {role}", remedy
        if name in table.confounders:
            what = f"{name!r} is a mediator and an intermediate confounder"
            yield ("mechanism", "confounders"), "mediator-is-covariate", what, "let it be one of them"
    yield from _outcomes(study)
    for name in table.labels:
        if name not in table.mediators:
            what = f"mechanism.labels names {name!r}, which is no mediator"
            yield ("mechanism", "labels", name), "unknown-column", what, did_you_mean(name, table.mediators)


def _roles(study: Study) -> Iterator[tuple[str, tuple[str, str, str]]]:
    """Column → code, role and remedy of what a mediator cannot be."""
    held = "leave it out of the covariates: holding a mediator fixed takes away what the policy does through it"
    for name in plain_names(study.evaluate.covariates) or ():
        yield name, ("mediator-is-covariate", "a covariate", held)
    policy, panel = study.policy, study.panel
    for column, role in ((policy.column, "policy.column"), (policy.treatment, "policy.treatment")):
        if column is not None:
            yield column, ("mediator-is-treatment", role, "name what the policy changes")
    for column, role in ((panel.unit, "panel.unit"), (panel.time, "panel.time")):
        yield column, ("role-shared", role, "name a column that the policy may have changed")
    for outcome in study.outcome:
        yield (
            outcome.name,
            ("mediator-is-outcome", "an outcome", "name what lies between policy and outcome, or take it out of the outcomes"),
        )


def _outcomes(study: Study) -> Iterator[Problem]:
    table, families = study.mechanism, {o.name: o.family for o in study.outcome}
    if table is None:
        return
    linear = [name for name, family in families.items() if family == "gaussian"]
    if not table.outcomes and not linear:
        what = "every outcome is a count, and shares of an effect are told for linear outcomes"
        yield ("mechanism",), "mechanism-count", what, 'add an [[outcome]] of family gaussian, such as ln_y = "log1p(y)"'
    for i, name in enumerate(table.outcomes):
        path = ("mechanism", "outcomes", i)
        if name not in families:
            yield path, "unknown-outcome", f"mechanism.outcomes names {name!r}, which is no outcome", did_you_mean(name, families)
        elif name not in linear:
            what = f"the outcome {name!r} is a count, and shares of an effect are told for linear outcomes"
            yield path, "mechanism-count", what, "name an outcome of family gaussian, such as its logarithm"
