"""A robustness row beside the baseline: what it changes, and how far the estimate moves."""

from __future__ import annotations

import json
from typing import Any

import polars as pl

from hinterland.errors import EstimationError
from hinterland.evaluate.differences import difference
from hinterland.evaluate.result import Effects
from hinterland.study.battery import told
from hinterland.study.results import average
from hinterland.study.step import Step, headline_for
from hinterland.study.steps.evaluate import outcome_of
from hinterland.study.steps.output import effects_id
from hinterland.study.variant import BASELINE
from hinterland.study.workspace import Workspace


def beside_baseline(work: Workspace, step: Step, effects: Effects) -> pl.DataFrame:
    """The row of table ``robustness``: the difference to the same estimator's baseline; for another estimator, to the headline's."""
    code, _ = told(step.variant, step.method)
    method = headline_for(work.study, outcome_of(work.study, step.outcome)) if code == "method" else step.method
    row = {**_row(step), "effects_id": effects_id(effects, step.variant)}
    if code == "outcome":
        return pl.DataFrame([{**row, "reason": "other-outcome"}])
    try:
        baseline = average(work, step.outcome, method, BASELINE)
    except EstimationError:
        return pl.DataFrame([{**row, "reason": "no-baseline"}])
    found = difference(effects, baseline)
    numbers = {"difference": found.estimate, "difference_std_error": found.std_error, "difference_p_value": found.p_value}
    known = {name: value for name, value in numbers.items() if value == value}  # noqa: PLR0124  # NaN is null in the record
    return pl.DataFrame([{**row, "baseline_id": effects_id(baseline, BASELINE), **known, "reason": found.reason}])


def not_possible(step: Step, reason: str) -> pl.DataFrame:
    """The row of an estimator that the changed sample does not allow."""
    return pl.DataFrame([{**_row(step), "reason": reason}])


def _row(step: Step) -> dict[str, Any]:
    code, values = told(step.variant, step.method)
    return {
        "outcome": step.outcome,
        "row": step.variant.key,
        "code": code,
        "values": json.dumps(values, ensure_ascii=False, sort_keys=True),
        "method": step.method,
    }
