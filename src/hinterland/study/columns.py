"""Which columns a study names for what: roles that exclude each other, and roles of columns that the study itself makes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from hinterland.data.panel import Panel
from hinterland.errors import StudyError, fail_if_any
from hinterland.evaluate.covariates import plain_names
from hinterland.study.measure_columns import made_by_measures
from hinterland.study.schema import Study
from hinterland.study.unbuilt import Problem


def made_columns(study: Study) -> frozenset[str]:
    """The columns that are not in the data file itself: joined, measured, derived, or taken from the packaged geography."""
    panel = study.panel
    joined = (j.rename.get(c, c) for j in panel.join for c in j.columns)
    return frozenset({*panel.derive, *made_by_measures(study.measure), *(name.replace("-", "_") for name in panel.regions), *joined})


def with_made_roles(panel: Panel, study: Study) -> Panel:
    """The panel with the roles of columns that the study makes, checked as those of the file are when it is read.

    Raises:
        StudyError: weights, coordinates or a treatment that cannot be what they are named for.
    """
    from hinterland.data.checks import check_roles

    table, made = study.panel, made_columns(study)
    switched = None if study.policy.reversible else study.policy.treatment
    weight, cluster, treatment = (n if n in made else None for n in (table.weight, table.cluster, switched))
    coordinates = table.coordinates if made.intersection(table.coordinates or ()) else None
    if not any((weight, cluster, treatment, coordinates)):
        return panel
    findings = check_roles(panel, weight=weight, cluster=cluster, coordinates=coordinates, treatment=treatment)
    fail_if_any(findings, "panel", StudyError)
    return replace(
        panel,
        weight=weight or panel.weight,
        cluster=cluster or panel.cluster,
        coordinates=coordinates or panel.coordinates,
        treatment=treatment or panel.treatment,
        findings=(*panel.findings, *findings),
    )


def clashes(study: Study) -> Iterator[Problem]:
    """Columns named for two things that exclude each other: an outcome that is the treatment, a control that is the outcome."""
    panel, policy = study.panel, study.policy
    roles = {
        n: role
        for n, role in (
            (panel.unit, "panel.unit"),
            (panel.time, "panel.time"),
            (panel.weight, "panel.weight"),
            (policy.column, "policy.column"),
            (policy.treatment, "policy.treatment"),
        )
        if n is not None
    }
    for i, outcome in enumerate(study.outcome):
        if outcome.name in roles:
            what = f"the outcome {outcome.name!r} is also {roles[outcome.name]}"
            yield ("outcome", i, "name"), "role-shared", what, "name a column that the policy may have changed"
    outcomes = {o.name: f"outcome[{i + 1}]" for i, o in enumerate(study.outcome)}
    for path, names in _controls(study):
        for name in names:
            if name in roles and roles[name] != "panel.weight":
                remedy = "leave it out: unit and period effects and the treatment are in every model already"
                yield path, "role-shared", f"the covariate {name!r} is also {roles[name]}", remedy
            elif name in outcomes:
                yield path, "role-shared", f"the covariate {name!r} is also {outcomes[name]}", "leave it out: nothing explains itself"


def _controls(study: Study) -> Iterator[tuple[tuple[str | int, ...], Sequence[str]]]:
    """Where covariates are named, and which, as far as a formula is a plain sum of columns."""
    yield ("evaluate", "covariates"), plain_names(study.evaluate.covariates) or ()
    for method, options in study.evaluate.options.items():
        own = options.get("covariates")
        if isinstance(own, str | tuple | list):
            yield (
                ("evaluate", "options", method, "covariates"),
                plain_names(own if isinstance(own, str) else [str(name) for name in own]) or (),
            )
    for i, model in enumerate(study.robustness.model):
        yield ("robustness", "model", i, "covariates"), plain_names(model.covariates) or ()
