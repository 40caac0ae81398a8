"""Placebo steps: adoption dealt to other units, or moved to years before it."""

from __future__ import annotations

import polars as pl

from hinterland.errors import EstimationError
from hinterland.evaluate.placebo import Placebo
from hinterland.labels import Note
from hinterland.study.step import Step, seed_of
from hinterland.study.steps.output import Output, notes_table, output
from hinterland.study.workspace import Workspace, tolerated


def space(work: Workspace, step: Step) -> Output:
    """Random re-assignments of the adoption dates: one batch where the estimator has one, else fits of their own, and fewer."""
    from hinterland.evaluate.placebo_space import placebo_space

    count, seed = work.study.robustness.placebo_space, seed_of(work.study, step.id)
    try:
        design, options = work.design(step.outcome, step.method), work.options(step.outcome, step.method)
        found = placebo_space(design, step.method, draws=count, seed=seed, options=options)
    except EstimationError as error:
        return _not_possible(step, error)
    draws = found.draws.with_columns(outcome=pl.lit(step.outcome), method=pl.lit(step.method))
    return output([("placebo", tidy(found)), ("placebo_space", draws), ("notes", notes_table(step.id, found.notes))])


def time(work: Workspace, step: Step) -> Output:
    """Adoption moved to earlier years, on the years before it only."""
    from hinterland.evaluate.placebo_time import placebo_time

    try:
        design, options = work.design(step.outcome, step.method), work.options(step.outcome, step.method)
        found = placebo_time(design, step.method, shifts=work.study.robustness.placebo_time, options=options)
    except EstimationError as error:
        return _not_possible(step, error)
    return output([("placebo", tidy(found)), ("notes", notes_table(step.id, found.notes))])


def tidy(found: Placebo, sample: str = "all") -> pl.DataFrame:
    """The rows of table ``placebo``; NaN becomes null."""
    return found.tidy().with_columns(pl.col(pl.Float64).fill_nan(None), sample=pl.lit(sample))


def _not_possible(step: Step, error: EstimationError) -> Output:
    return output([("notes", notes_table(step.id, [Note("placebo-not-possible", {"reason": tolerated(error), "method": step.method})]))])
