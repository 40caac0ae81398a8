"""How far parallel trends may fail before the conclusion changes, and what the pre-trend test could have seen."""

from __future__ import annotations

from typing import get_args

import numpy as np
import polars as pl

from hinterland.errors import EstimationError
from hinterland.evaluate.result import Effects
from hinterland.labels import Note
from hinterland.study.results import event_time_effects, path_source
from hinterland.study.step import Step, seed_of
from hinterland.study.steps.output import Output, effects_id, notes_table, output
from hinterland.study.variant import BASELINE
from hinterland.study.workspace import Workspace, tolerated

ESTIMANDS = ("first", "average")
POWERS = (0.5, 0.8)
"""Detection rates whose linear trends are told: those of Roth (2022)."""

Parts = list[tuple[str, pl.DataFrame]]


def sensitivity(work: Workspace, step: Step) -> Output:
    """Intervals under violations of each kind and size, for the first effect and the average; a note where there is no path to read."""
    parts: Parts = []
    try:
        source = path_source(work, step.outcome, step.method)
        path = event_time_effects(work, step.outcome, step.method)
    except EstimationError as error:
        return _not_possible(step, "sensitivity-not-possible", error, kind=", ".join(work.study.diagnostics.sensitivity))
    first, thin = first_lead(source, path)
    refused: dict[str, list[str]] = {}
    for kind in work.study.diagnostics.sensitivity:
        for estimand in ESTIMANDS:
            try:
                parts += _one(work, step, source, (kind, estimand, effects_id(path, BASELINE)), first)
            except EstimationError as error:
                refused.setdefault(tolerated(error), []).append(kind)
    without = [
        Note("sensitivity-not-possible", {"method": step.method, "kind": ", ".join(dict.fromkeys(kinds)), "reason": reason})
        for reason, kinds in refused.items()
    ]
    parts.append(("notes", notes_table(step.id, [*(thin if parts else ()), *without])))
    return output(parts)


def _one(work: Workspace, step: Step, source: Effects, what: tuple[str, str, str], first: int | None) -> Parts:
    from hinterland.evaluate.sensitivity import sensitivity as analyse

    kind, estimand, name = what
    grid = _grid(work, source, kind, first)
    seed = seed_of(work.study, step.id)
    found = analyse(source, kind, grid, estimand=estimand, min_e=first, seed=seed)  # type: ignore[arg-type]  # checked by the schema
    table = found.frame.rename({"bound": "value", "method": "interval"}).with_columns(
        effects_id=pl.lit(name),
        outcome=pl.lit(step.outcome),
        method=pl.lit(step.method),
        kind=pl.lit(kind),
        estimand=pl.lit(estimand),
        breakdown=pl.lit(found.breakdown if np.isfinite(found.breakdown) else None, dtype=pl.Float64),
        breakdown_beyond=pl.lit(bool(np.isinf(found.breakdown))),
        original_low=pl.lit(found.original[0]),
        original_high=pl.lit(found.original[1]),
        n_leads=pl.lit(found.pre),
    )
    return [("sensitivity", table), ("notes", notes_table(f"{step.id}/{kind}/{estimand}", found.notes))]


def _grid(work: Workspace, source: Effects, kind: str, first: int | None) -> list[float]:
    """Zero and the study's sizes; for changes of slope, times the largest one estimated before adoption."""
    from hinterland.evaluate.honest.event_path import event_path
    from hinterland.evaluate.honest.restrictions import second_differences

    sizes = sorted({0.0, *work.study.diagnostics.grid})
    if kind != "smoothness":
        return sizes
    path = event_path(source, first)
    if path.pre < 2:
        return sizes[:1]
    slopes = second_differences(path.pre, path.post)[: path.pre - 1] @ path.estimates
    return [float(size * np.abs(slopes).max()) for size in sizes]


def first_lead(source: Effects, path: Effects) -> tuple[int | None, list[Note]]:
    """The earliest event time that enough treated units are behind, by the rule of the pre-trend test; a note on those left out.

    One-period changes (callaway-santanna with a varying base) are put together to distances, which start one period earlier.
    """
    from hinterland.evaluate.pretrends import MIN_TREATED

    terms = path.terms
    lead = (terms.event_time < 0) & (terms.n_treated >= 0) & ~terms.reference
    if not lead.any():
        return None, []
    least = min(MIN_TREATED, int(terms.n_treated[lead].max()))
    thin = terms.event_time[lead & (terms.n_treated < least)]
    if not len(thin):
        return None, []
    first = int(thin.max()) + 1 - (source.meta.get("base_period") == "varying")
    return first, [Note("diagnostics-thin-leads", {"method": path.method, "count": len(thin), "least": least, "first": first})]


def power(work: Workspace, step: Step) -> Output:
    """Linear trends that the pre-trend tests detect at given rates, and the bias that is left where they are not."""
    from hinterland.evaluate.power import Test, pretrend_power

    try:
        source = path_source(work, step.outcome, step.method)
        path = event_time_effects(work, step.outcome, step.method)
        first, thin = first_lead(source, path)
        asked = [(test, rate) for test in get_args(Test) for rate in POWERS]
        found = [pretrend_power(source, rate, test=test, min_e=first) for test, rate in asked]
    except EstimationError as error:
        return _not_possible(step, "power-not-possible", error)
    leads = int((found[0].frame["event_time"] < -1 - int(source.meta.get("anticipation", 0) or 0)).sum())
    table = pl.concat([f.tidy() for f in found]).with_columns(
        effects_id=pl.lit(effects_id(path, BASELINE)),
        power=pl.Series([rate for _, rate in asked]),
        level=pl.Series([f.level for f in found]),
        n_leads=pl.lit(leads),
    )
    return output([("pretrend_power", table), ("notes", notes_table(step.id, [*thin, *found[0].notes]))])


def _not_possible(step: Step, code: str, error: EstimationError, **values: str) -> Output:
    note = Note(code, {"method": step.method, "reason": tolerated(error), **values})
    return output([("notes", notes_table(step.id, [note]))])
