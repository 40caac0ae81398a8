"""Tests of differences between groups, and inference for groups in which few clusters are treated."""

from __future__ import annotations

import polars as pl

from hinterland.errors import EstimationError
from hinterland.evaluate.heterogeneity import Heterogeneity, compare_groups
from hinterland.evaluate.heterogeneity_permutation import Request
from hinterland.evaluate.heterogeneity_tests import Asked
from hinterland.labels import Note
from hinterland.study.groups import sample_of
from hinterland.study.step import Step, seed_of
from hinterland.study.steps.output import Output, notes_table, output
from hinterland.study.workspace import Workspace, tolerated


def group_difference(work: Workspace, step: Step) -> Output:
    """Every difference between the groups of one set, by one estimator; a note where there is none to test."""
    table = work.study.heterogeneity
    request = Request(table.draws, seed_of(work.study, step.id), table.strata, table.refits)
    asked = Asked(table.tests, table.period_effects, request, table.few_treated, table.adjustment)
    try:
        design = work.design(step.outcome, step.method)
        options = work.options(step.outcome, step.method)
        found = compare_groups(design, work.groups_compared(step.group), step.method, options, tests=asked, by=step.group)
    except EstimationError as error:
        values = {"outcome": step.outcome, "method": step.method, "by": step.group, "reason": tolerated(error)}
        return output([("notes", notes_table(step.id, [Note("differences-not-possible", values)]))])
    head = {"outcome": pl.lit(step.outcome), "method": pl.lit(step.method), "by": pl.lit(step.group)}
    names = {g: sample_of(work, step.group, g) for g in found.groups}
    settings = {"adjustment": pl.lit(table.adjustment), "period_effects": pl.lit(table.period_effects), "strata": pl.lit(table.strata)}
    pairs = found.differences.with_columns(pl.col("first", "second").replace_strict(names), **head, **settings)
    parts = [("group_differences", pairs), ("group_equality", found.equality.with_columns(**head))]
    parts.append(("group_few_treated", _few(found, names).with_columns(**head)))
    parts.append(("notes", notes_table(step.id, [n for n in found.notes if n not in design.notes])))
    return output([(name, frame) for name, frame in parts if frame.height])


def _few(found: Heterogeneity, names: dict[str, str]) -> pl.DataFrame:
    """Intervals of Ferman and Pinto (2019) for the groups in which few clusters are treated."""
    return found.frame.filter(pl.col("few") & pl.col("p_ferman_pinto").is_not_null()).select(
        sample=pl.col("group").replace_strict(names, return_dtype=pl.String),
        procedure=pl.lit("ferman-pinto"),
        n_treated="n_treated",
        n_treated_clusters="n_treated_clusters",
        estimate="estimate",
        p_value="p_ferman_pinto",
        conf_low="few_low",
        conf_high="few_high",
    )
