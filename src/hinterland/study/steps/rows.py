"""Robustness rows and subgroups: the baseline with one thing changed."""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from hinterland.data.grouping import group_order
from hinterland.errors import EstimationError
from hinterland.labels import Note
from hinterland.study.battery import AT_BASE
from hinterland.study.estimators import covariance_not_taken
from hinterland.study.groups import sample_of
from hinterland.study.results import average
from hinterland.study.step import Step, row_methods, seed_of
from hinterland.study.steps.battery import beside_baseline, not_possible
from hinterland.study.steps.evaluate import outcome_of
from hinterland.study.steps.output import Output, effects_id, effects_parts, notes_table, output
from hinterland.study.steps.placebo import tidy
from hinterland.study.variant import BASELINE, Variant
from hinterland.study.workspace import Workspace, tolerated, treated_clusters

Parts = list[tuple[str, pl.DataFrame]]


def robustness(work: Workspace, step: Step) -> Output:
    """One estimator of one row, beside the baseline; a note where the changed sample does not allow it."""
    try:
        effects = average(work, step.outcome, step.method, step.variant)
    except EstimationError as error:
        note = Note("row-not-possible", {"row": step.variant.key, "method": step.method, "reason": tolerated(error)})
        return output([("notes", notes_table(step.id, [note])), ("robustness", not_possible(step, tolerated(error)))])
    effects = replace(effects, outcome=step.outcome)
    parts = effects_parts(effects, step.variant, "robustness", work.design(step.outcome, step.method, step.variant))
    parts.append(("robustness", beside_baseline(work, step, effects)))
    own = []
    refused = covariance_not_taken(work.study, step.method, step.variant)
    if refused is not None and step.variant.vcov is not None:
        own.append(Note("covariance-not-taken", {"method": step.method, "vcov": refused}))
    if step.variant.beside is not None and step.method in AT_BASE:
        own.append(Note("programme-ever", {"method": step.method}))
    return output([*parts, ("notes", notes_table(effects_id(effects, step.variant), own))])


def subgroup(work: Workspace, step: Step) -> Output:
    """The headline and twfe within each group of one set; exact p-values where few clusters are treated."""
    parts: Parts = []
    for group in group_order(work.groups_compared(step.group)):
        sample = sample_of(work, step.group, group)
        variant = Variant(sample, "subgroup", sample=sample, keep=(step.group, group))
        for method in row_methods(work.study, outcome_of(work.study, step.outcome), BASELINE, None):
            parts += _one(work, step, method, variant)
    return output(parts)


def _one(work: Workspace, step: Step, method: str, variant: Variant) -> Parts:
    try:
        effects = average(work, step.outcome, method, variant)
    except EstimationError as error:
        note = Note("group-not-possible", {"group": variant.sample, "method": method, "reason": tolerated(error)})
        return [("notes", notes_table(f"{step.id}/{variant.sample}", [note]))]
    design = work.design(step.outcome, method, variant)
    parts = effects_parts(effects, variant, "subgroup", design)
    few = treated_clusters(design)
    if few <= work.study.heterogeneity.few_treated:
        scope = effects_id(effects, variant)
        parts.append(("notes", notes_table(scope, [Note("few-treated-in-group", {"count": few, "group": variant.sample})])))
        parts += _exact(work, step, method, variant)
    return parts


def _exact(work: Workspace, step: Step, method: str, variant: Variant) -> Parts:
    """Permutation within the group; a note where the estimator has no placebo."""
    from hinterland.evaluate.placebo_space import placebo_space

    scope = f"{step.id}/{variant.sample}/{method}"
    try:
        design, options = work.design(step.outcome, method, variant), work.options(step.outcome, method, variant)
        found = placebo_space(design, method, draws=work.study.heterogeneity.draws, seed=seed_of(work.study, scope), options=options)
    except EstimationError as error:
        return [("notes", notes_table(scope, [Note("placebo-not-possible", {"reason": tolerated(error), "method": method})]))]
    return [("placebo", tidy(found, variant.sample)), ("notes", notes_table(scope, found.notes))]
