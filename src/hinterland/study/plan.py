"""From study to steps: a pure expansion. Nothing here reads data."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from hinterland.errors import Finding, StudyError, did_you_mean, fail_if_any
from hinterland.study.battery import BatteryRow, battery_rows
from hinterland.study.estimators import COVARIANCE
from hinterland.study.groups import definition
from hinterland.study.plan_curve import curve_steps
from hinterland.study.plan_displacement import displacement_steps
from hinterland.study.plan_heterogeneity import heterogeneity_steps
from hinterland.study.plan_matching import matching_steps, matching_variants
from hinterland.study.plan_measure import measure_steps
from hinterland.study.plan_mechanism import family_steps, mechanism_steps
from hinterland.study.plan_moderation import moderated_by_segmentation, moderation_steps
from hinterland.study.plan_pathway import KINDS as PLAN_KINDS
from hinterland.study.plan_pathway import pathway_steps
from hinterland.study.plan_transfer import transfer_steps
from hinterland.study.schema import OutcomeTable, Study
from hinterland.study.step import Step, base_methods, headline_for, methods_for, row_methods, settings_of
from hinterland.study.variant import BASELINE, Variant

KINDS = (
    "measure",
    "transfer",
    "data",
    "policy",
    "describe",
    "truth",
    "evaluate",
    "pretrends",
    "bacon",
    "recommend",
    "sensitivity",
    "power",
    "leave-out",
    "small-sample",
    "oster",
    "displacement",
    "placebo-space",
    "placebo-time",
    "matching",
    "robustness",
    "curve",
    "subgroup",
    "group-difference",
    "moderation",
    "mechanism",
    "outcome-family",
    *PLAN_KINDS,
    "report",
)
"""What ``--only`` can name."""

GROUPS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "planning": PLAN_KINDS,
        "diagnostics": ("pretrends", "bacon", "recommend", "sensitivity", "power", "leave-out", "small-sample", "oster", "displacement"),
    }
)
"""Names for several kinds at once."""

_STATIC = ("twfe",)
"""Estimators of one coefficient, whatever their options: there is no path before adoption to test."""


def plan(study: Study) -> tuple[Step, ...]:
    """Every step of ``study``, each after the steps it builds on."""
    return tuple(_steps(study))


def _steps(study: Study) -> Iterator[Step]:
    resolved = study.resolved()
    mediators = [] if study.mechanism is None else list(study.mechanism.mediators)
    panel = {key: value for key, value in resolved["panel"].items() if key != "labels"}
    measures = (*measure_steps(study), *transfer_steps(study))
    yield from measures
    if not study.evaluates:
        planned = tuple(pathway_steps(study, [s.id for s in measures]))
        yield from planned
        yield _report(study, [s.id for s in (*measures, *planned)])
        return
    made = tuple(f"measure/{name}" for name, table in study.measure.items() if table.column is not None)
    yield Step("data", "data", {"panel": panel}, made)
    yield Step("policy", "policy", {"policy": resolved["policy"]}, ("data",))
    yield Step(
        "describe",
        "describe",
        {"outcome": [o.name for o in study.outcome], "covariates": resolved["evaluate"]["covariates"], "mediators": mediators},
        ("data", "policy"),
    )
    last = [*(s.id for s in measures), "data", "policy", "describe"]
    if study.is_world:
        aims = {o.name: list(methods_for(study, o)) for o in study.outcome}
        aimed: dict[str, Any] = {"outcome": aims, "groups": list(study.heterogeneity.groups), "mediators": mediators}
        aimed["moderation"] = moderated_by_segmentation(study)
        yield Step("truth", "truth", aimed, ("data", "policy"))
        last.append("truth")
    for step in matching_steps(study):
        last.append(step.id)
        yield step
    for outcome in study.outcome:
        for step in _outcome_steps(study, outcome):
            last.append(step.id)
            yield step
    for step in family_steps(study):
        last.append(step.id)
        yield step
    planned = tuple(pathway_steps(study, tuple(last)))
    yield from planned
    yield _report(study, [*last, *(s.id for s in planned)])


def _report(study: Study, after: Iterable[str]) -> Step:
    """The last step."""
    resolved = study.resolved()
    labels = resolved["panel"].get("labels", {}) | ({} if study.mechanism is None else resolved["mechanism"]["labels"])
    settings = {"study": resolved["study"], "report": resolved["report"], "outcome": resolved["outcome"], "labels": labels}
    return Step("report", "report", settings, tuple(after))


def _outcome_steps(study: Study, outcome: OutcomeTable) -> Iterator[Step]:
    name = outcome.name
    for method in methods_for(study, outcome):
        settings = settings_of(study, outcome, [method])
        yield Step(f"evaluate/{name}/{method}", "evaluate", settings, ("data", "policy"), name, method, BASELINE)
        if method not in _STATIC:
            yield Step(f"pretrends/{name}/{method}", "pretrends", {}, (f"evaluate/{name}/{method}",), name, method)
    if outcome.family == "gaussian":
        yield Step(f"bacon/{name}", "bacon", settings_of(study, outcome, ["twfe"]), ("data", "policy"), name, "twfe")
    yield from _diagnostics(study, outcome)
    yield from _placebos(study, outcome)
    yield from _robustness(study, outcome)
    yield from curve_steps(study, outcome)
    yield from heterogeneity_steps(study, outcome)
    yield from moderation_steps(study, outcome)
    yield from mechanism_steps(study, outcome)


def _diagnostics(study: Study, outcome: OutcomeTable) -> Iterator[Step]:
    """The steps of [diagnostics], and what the data themselves recommend."""
    table, name, lead = study.diagnostics, outcome.name, headline_for(study, outcome)
    run = methods_for(study, outcome)
    before = ("data", "policy")
    yield Step(f"recommend/{name}", "recommend", settings_of(study, outcome, [lead]), before, name, lead)
    for method in dict.fromkeys([lead, *(m for m in table.sensitivity_methods if m in run)]):
        settings = {"kinds": list(table.sensitivity), "grid": list(table.grid), "seed": study.study.seed}
        if table.sensitivity:
            yield Step(f"sensitivity/{name}/{method}", "sensitivity", settings, (f"evaluate/{name}/{method}",), name, method)
        if table.power:
            yield Step(f"power/{name}/{method}", "power", {}, (f"evaluate/{name}/{method}",), name, method)
    compared = row_methods(study, outcome, BASELINE, None)
    for method in compared:
        settings = settings_of(study, outcome, [method])
        for group in table.leave_out:
            step = f"leave-out/{name}/{group}/{method}"
            yield Step(step, "leave-out", {**settings, "by": group, **definition(study, group)}, before, name, method, BASELINE, group)
        if table.small_sample:
            chosen = list(table.small_sample)
            asked = {**settings_of(study, outcome, [lead, method]), "procedures": chosen, "draws": table.draws}
            yield Step(f"small-sample/{name}/{method}", "small-sample", asked, before, name, method)
    if table.oster and outcome.family == "gaussian":
        yield Step(f"oster/{name}", "oster", settings_of(study, outcome, ["twfe"]), before, name, "twfe")
    if "spillover" in run:
        yield Step(f"displacement/{name}", "displacement", {}, (f"evaluate/{name}/spillover",), name, "spillover")
    yield from displacement_steps(study, outcome)


def placebo_methods(study: Study, outcome: OutcomeTable) -> tuple[str, ...]:
    """Estimators whose placebos are asked for: twfe and the headline; for counts the headline alone."""
    return base_methods(study, outcome)


def _placebos(study: Study, outcome: OutcomeTable) -> Iterator[Step]:
    rows, name = study.robustness, outcome.name
    for method in placebo_methods(study, outcome):
        settings = settings_of(study, outcome, [method])
        if rows.placebo_space:
            yield Step(
                f"placebo-space/{name}/{method}",
                "placebo-space",
                {**settings, "draws": rows.placebo_space},
                ("data", "policy"),
                name,
                method,
            )
        if rows.placebo_time:
            yield Step(
                f"placebo-time/{name}/{method}",
                "placebo-time",
                {**settings, "shifts": list(rows.placebo_time)},
                ("data", "policy"),
                name,
                method,
            )


def robustness_rows(study: Study) -> Iterator[BatteryRow]:
    """Every robustness row."""
    yield from (BatteryRow(variant, own) for variant, own in _sample_variants(study))
    yield from battery_rows(study)
    yield from (BatteryRow(variant, own) for variant, own in _model_variants(study))


def _sample_variants(study: Study) -> Iterator[tuple[Variant, tuple[str, ...] | None]]:
    """Rows of other samples and policy rules."""
    rows = study.robustness
    for region_set in rows.drop:
        yield Variant(f"drop-{region_set}", "robustness", drop=region_set), None
    for timing in rows.timing:
        yield Variant(f"timing-{timing}", "robustness", timing=timing), None
    for partial in rows.partial:
        yield Variant(f"partial-{partial}", "robustness", partial=partial), None
    for comparison in rows.comparison:
        yield Variant(f"comparison-{comparison}", "robustness", comparison=comparison), None
    yield from ((variant, None) for variant in matching_variants(study))


def _model_variants(study: Study) -> Iterator[tuple[Variant, tuple[str, ...] | None]]:
    """Rows written out, with their own estimators where they name some."""
    for model in study.robustness.model:
        covariates = (
            ("" if model.covariates is None or len(model.covariates) == 0 else model.covariates)
            if "covariates" in model.model_fields_set
            else None
        )
        changes = {
            k: getattr(model, k)
            for k in ("timing", "partial", "uncertain", "comparison", "cluster", "fe", "years", "where", "present", *COVARIANCE)
        }
        yield Variant(f"model-{model.name}", "robustness", covariates=covariates, **changes), model.methods


def _robustness(study: Study, outcome: OutcomeTable) -> Iterator[Step]:
    lead = headline_for(study, outcome)
    for row in robustness_rows(study):
        if row.leading and outcome is not study.outcome[0]:
            continue
        for method in row_methods(study, outcome, row.variant, row.methods):
            settings = {**settings_of(study, outcome, [lead, method]), "change": row.variant.as_json(), **row.reads}
            step = f"robustness/{outcome.name}/{row.variant.key}/{method}"
            yield Step(step, "robustness", settings, ("data", "policy"), outcome.name, method, row.variant)


def selected(steps: tuple[Step, ...], only: Iterable[str]) -> tuple[Step, ...]:
    """The steps of the kinds or ids in ``only``, with everything they build on. All of them when ``only`` is empty.

    Raises:
        StudyError: a name in ``only`` that is no kind and no step.
    """
    wanted = [kind for name in only for kind in _kinds_of(steps, name)]
    if not wanted:
        return steps
    ids = {s.id: s for s in steps}
    unknown = [w for w in wanted if w not in ids and w not in KINDS]
    fail_if_any(
        [Finding("unknown-step", f"there is no step {w!r}", "option --only", did_you_mean(w, [*KINDS, *GROUPS, *ids])) for w in unknown],
        "options",
        StudyError,
    )
    absent = [w for w in wanted if w in KINDS and not any(s.kind == w for s in steps)]
    fail_if_any(
        [
            Finding(
                "nothing-to-do",
                f"the study asks for no step of kind {w!r}",
                "option --only",
                "add it to the study file, or leave the option out",
            )
            for w in absent
        ],
        "options",
        StudyError,
    )
    keep: set[str] = set()
    queue = [s.id for s in steps if s.kind in wanted or s.id in wanted]
    while queue:
        step = ids[queue.pop()]
        if step.id not in keep:
            keep.add(step.id)
            queue.extend(step.after)
    return tuple(s for s in steps if s.id in keep)


def _kinds_of(steps: tuple[Step, ...], name: str) -> tuple[str, ...]:
    """The kinds of a group that the study has; any other name as it is."""
    if name not in GROUPS:
        return (name,)
    return tuple(kind for kind in GROUPS[name] if any(s.kind == kind for s in steps))


def step_hashes(steps: tuple[Step, ...], code: str, inputs: Mapping[str, str]) -> dict[str, str]:
    """Hash of each step: code version, its own part of the study, the inputs (first step), and the hashes it builds on."""
    hashes: dict[str, str] = {}
    for step in steps:
        content = {
            "code": code,
            "id": step.id,
            "settings": step.settings,
            "inputs": dict(inputs) if not step.after else {},
            "after": {name: hashes[name] for name in step.after},
        }
        hashes[step.id] = hashlib.sha256(json.dumps(content, sort_keys=True, ensure_ascii=False).encode()).hexdigest()
    return hashes
