"""What the data recommend, who carries the estimate, what unobserved confounders would need, and whether neighbours lost."""

from __future__ import annotations

import json
import warnings
from dataclasses import replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hinterland.errors import EstimationError, HinterlandWarning
from hinterland.evaluate.design import Design
from hinterland.evaluate.spillover_displacement import Displacement
from hinterland.labels import Note
from hinterland.study.step import Step
from hinterland.study.steps.output import Output, effects_id, notes_table, output
from hinterland.study.variant import BASELINE
from hinterland.study.workspace import Workspace, tolerated

ZONE = "zone"
"""Units that entered with the same entry of the policy's register."""
NOT_A_GROUP = ""
"""Units of no group: a region set need not hold every unit."""


def recommend(work: Workspace, step: Step) -> Output:
    """Estimators, inference and sensitivity analysis that the data call for, each with its reason."""
    try:
        found = work.diagnosis(step.outcome, step.method).recommendations
    except EstimationError as error:
        return _not_possible(step, "recommend-not-possible", error)
    rows = [
        {
            "outcome": step.outcome,
            "kind": r.kind,
            "id": r.id,
            "role": r.role,
            "code": r.reason.code,
            "values": json.dumps(dict(r.reason.values), ensure_ascii=False, sort_keys=True),
        }
        for r in found
    ]
    return output([("recommendations", pl.DataFrame(rows))]) if rows else Output()


def leave_out(work: Workspace, step: Step) -> Output:
    """The estimate without each group in turn."""
    from hinterland.evaluate.leave_one_out import leave_one_out

    try:
        design = work.design(step.outcome, step.method)
        if step.group not in ("cohort", "cluster", "unit"):
            design = replace(design, columns={**design.columns, step.group: _labels(work, design, step.group)})
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", HinterlandWarning)  # of samples that lack a group, one by one
            found = leave_one_out(design, step.group, step.method, **work.options(step.outcome, step.method))
    except EstimationError as error:
        return _not_possible(step, "leave-out-not-possible", error, method=step.method, by=step.group)
    table = found.frame.filter(pl.col("group") != NOT_A_GROUP).select(
        outcome=pl.lit(step.outcome),
        method=pl.lit(step.method),
        by=pl.lit(step.group),
        dropped="group",
        n_units_dropped="n_units",
        estimate="estimate",
        std_error="std_error",
    )
    own = [n for n in found.notes if n not in design.notes]
    return output([("leave_out", table), ("notes", notes_table(step.id, own))])


def _labels(work: Workspace, design: Design, name: str) -> NDArray[np.str_]:
    """[n] the group of each row's unit."""
    groups = work.cohorts().table.select("unit", group="zone").drop_nulls() if name == ZONE else work.group_of(name)
    placed = dict(groups.select("unit", "group").iter_rows())
    by_unit = np.array([placed.get(str(label), NOT_A_GROUP) for label in design.unit_labels.tolist()])
    return by_unit[design.unit]


def oster(work: Workspace, step: Step) -> Output:
    """Selection on unobservables relative to the covariates, for the twfe coefficient."""
    from hinterland.evaluate.oster import oster as compare

    try:
        design = work.design(step.outcome, step.method)
        found = compare(design)
    except EstimationError as error:
        return _not_possible(step, "oster-not-possible", error)
    table = found.tidy().with_columns(covariates=pl.lit(" + ".join(found.covariates)))
    own = [n for n in found.notes if n not in design.notes]
    return output([("oster", finite(table)), ("notes", notes_table(step.id, own))])


def displacement(work: Workspace, step: Step) -> Output:
    """Whether others lost what the treated gained, and which share of it."""
    from hinterland.evaluate.spillover_displacement import displacement_test

    try:
        effects = work.effects(step.outcome, step.method)
        if effects.aggregation != "coefficient":
            effects = work.effects(step.outcome, step.method, effect="channels")
        found = displacement_test(effects)
    except EstimationError as error:
        return _not_possible(step, "displacement-not-possible", error)
    table = pl.DataFrame(quantities(found, effects.critical(found.level))).with_columns(
        outcome=pl.lit(step.outcome), effects_id=pl.lit(effects_id(effects, BASELINE)), verdict=pl.lit(found.verdict)
    )
    return output([("displacement", finite(table))])


def quantities(found: Displacement, critical: float) -> list[dict[str, float | str | None]]:
    """Rows of table ``displacement``: direct effect, spillover, total, and the share displaced with its set."""
    rows: list[dict[str, float | str | None]] = [
        {
            "quantity": name,
            "estimate": float(found.estimate[i]),
            "std_error": float(found.std_error[i]),
            "conf_low": float(found.estimate[i] - critical * found.std_error[i]),
            "conf_high": float(found.estimate[i] + critical * found.std_error[i]),
            "p_value": float(found.p_value[i]),
            "shape": "interval",
        }
        for i, name in enumerate(("direct", "spillover", "total"))
    ]
    bounded = found.shape != "everything"
    rows.append(
        {
            "quantity": "share",
            "estimate": found.share,
            "std_error": found.share_std_error,
            "conf_low": found.share_low if bounded else None,
            "conf_high": found.share_high if bounded else None,
            "p_value": None,
            "shape": found.shape,
        }
    )
    return rows


def finite(table: pl.DataFrame) -> pl.DataFrame:
    """Null where a number is not finite."""
    real = pl.col(pl.Float64)
    return table.with_columns(pl.when(real.is_finite()).then(real))


def _not_possible(step: Step, code: str, error: EstimationError, **values: str) -> Output:
    note = Note(code, {"outcome": step.outcome, "reason": tolerated(error), **values})
    return output([("notes", notes_table(step.id, [note]))])
