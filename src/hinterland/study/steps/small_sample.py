"""Inference for one effect beside its clustered standard error: few clusters, few treated clusters, uneven clusters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import polars as pl

from hinterland.errors import EstimationError, Finding
from hinterland.evaluate.design import Design
from hinterland.evaluate.methods import METHODS
from hinterland.evaluate.result import Effects
from hinterland.labels import Note
from hinterland.study.estimators import covariances_of
from hinterland.study.results import average
from hinterland.study.step import Step, headline_for, seed_of
from hinterland.study.steps.evaluate import outcome_of
from hinterland.study.steps.output import Output, notes_table, output
from hinterland.study.variant import BASELINE
from hinterland.study.workspace import Workspace, tolerated

REFITTED = 999
"""Most re-assignments for an estimator that is fitted anew for each."""
_IN_BATCH = ("twfe", "callaway-santanna")
_CALLED = {"randomisation-inference": "randomisation"}
"""Procedures that the recommendations call by another name."""

Row = dict[str, Any]
Made = tuple[Row, tuple[Note, ...]]


def small_sample(work: Workspace, step: Step) -> Output:
    """Each procedure on one estimator; a note where one is not defined for it."""
    from hinterland.evaluate.balance import clusters_report

    rows: list[Row] = []
    parts: list[tuple[str, pl.DataFrame]] = []
    asked = _procedures(work, step)
    if asked:
        design = work.design(step.outcome, step.method)
        clusters = clusters_report(design)
        facts = {"n_clusters": clusters.n_clusters, "n_treated_clusters": clusters.n_treated, "effective_clusters": clusters.effective}
    for procedure in asked:
        scope = f"{step.id}/{procedure}"
        try:
            row, notes = _MAKE[procedure](work, step, procedure)
        except EstimationError as error:
            note = Note("small-sample-not-possible", {"method": step.method, "procedure": procedure, "reason": tolerated(error)})
            row, notes = {}, (note,)
        said = work.effects(step.outcome, step.method).notes if row else ()
        if row:
            rows.append({"outcome": step.outcome, "method": step.method, "procedure": procedure, **facts, **row})
        parts.append(("notes", notes_table(scope, [n for n in notes if n not in said])))
    if rows:
        parts.append(("small_sample", pl.DataFrame(rows, infer_schema_length=None).with_columns(pl.col(pl.Float64).fill_nan(None))))
    return output(parts)


def _procedures(work: Workspace, step: Step) -> tuple[str, ...]:
    """Those of the study; for ``auto`` those that the data call for, as far as this estimator has them."""
    chosen = work.study.diagnostics.small_sample
    found = [*(_called_for(work, step) if "auto" in chosen else ()), *(name for name in chosen if name != "auto")]
    return tuple(dict.fromkeys(found))


def _called_for(work: Workspace, step: Step) -> list[str]:
    lead = headline_for(work.study, outcome_of(work.study, step.outcome))
    try:
        found = work.diagnosis(step.outcome, lead).recommendations
    except EstimationError:
        return []
    named = [_CALLED.get(r.id, r.id) for r in found if r.kind == "inference" and r.role != "avoid"]
    return [name for name in named if name in _MAKE and _has(work, step.method, name)]


def _has(work: Workspace, method: str, procedure: str) -> bool:
    """Whether the procedure is defined for the estimator at all."""
    if procedure in ("CR2", "CR3"):
        return procedure in covariances_of(work.study, method)
    return procedure not in ("conley-taber", "ferman-pinto") or method in _IN_BATCH


def _wild(work: Workspace, step: Step, _: str) -> Made:
    """The wild cluster bootstrap of a regression; its score form for other estimators."""
    from hinterland.evaluate.wild import score_bootstrap, wild_bootstrap

    draws, seed = work.study.diagnostics.draws, seed_of(work.study, step.id)
    options = work.options(step.outcome, step.method)
    if step.method in ("twfe", "event-study"):
        own = {k: v for k, v in options.items() if k in ("ssc", "leads", "lags", "reference")}
        term = None if step.method == "twfe" else "overall"
        found = wild_bootstrap(work.design(step.outcome, step.method), step.method, term, draws=draws, seed=seed, **own)
    else:
        found = score_bootstrap(average(work, step.outcome, step.method).take(np.arange(1)), draws=draws, seed=seed)
    row = found.tidy().row(0, named=True)
    return {**row, "draws": found.draws, "enumerated": found.enumerated}, found.notes


def _leverage(work: Workspace, step: Step, procedure: str) -> Made:
    """CR2 with Satterthwaite's degrees of freedom, or CR3."""
    if not _has(work, step.method, procedure):
        _refuse(step, f"{step.method} is no regression, and {procedure} corrects for the leverage of one")
    known = METHODS[step.method].options
    plain: dict[str, Any] = {k: known[k].default for k in ("cutoff_km", "lag", "kernel") if k in known}
    fitted = work.effects(step.outcome, step.method, BASELINE, vcov=procedure, **plain)
    one = fitted.aggregate("overall") if fitted.aggregation in ("group-time", "event-time") else fitted.take(np.arange(1))
    return _of_effects(one), one.notes


def _of_effects(effects: Effects) -> Row:
    columns = ("term", "estimate", "std_error", "statistic", "p_value", "conf_low", "conf_high")
    return dict(zip(columns, effects.tidy().select(columns).row(0), strict=True))


def _few(work: Workspace, step: Step, procedure: str) -> Made:
    """Tests for few treated clusters."""
    from hinterland.evaluate.few_treated import few_treated

    if not _has(work, step.method, procedure):
        _refuse(step, f"{procedure} is defined for {' and '.join(_IN_BATCH)}")
    draws, seed = work.study.diagnostics.draws, seed_of(work.study, f"{step.id}/{procedure}")
    design = work.design(step.outcome, step.method)
    found = few_treated(design, procedure, estimator=step.method, draws=draws, seed=seed)  # type: ignore[arg-type]  # one of them
    row = found.tidy().select("estimate", "p_value", "conf_low", "conf_high").row(0, named=True)
    more = {"term": _term(step.method), "std_error": found.std_error, "draws": len(found.drawn), "enumerated": found.enumerated}
    return {**row, **more}, found.notes


def _term(method: str) -> str:
    return "treated" if method in ("twfe", "ppml") else "overall"


def _randomisation(work: Workspace, step: Step, _: str) -> Made:
    """Adoption dealt out again, by the t statistic."""
    from hinterland.evaluate.randomisation import randomisation_test

    options = work.options(step.outcome, step.method)
    batched = step.method in _IN_BATCH and not options
    draws = work.study.diagnostics.draws if batched else min(work.study.diagnostics.draws, REFITTED)
    design: Design = work.design(step.outcome, step.method)
    found = randomisation_test(design, step.method, draws=draws, seed=seed_of(work.study, step.id), **options)
    row = found.tidy().select("term", "estimate", "std_error", "p_value", "conf_low", "conf_high").row(0, named=True)
    return {**row, "statistic": found.draws["statistic"][0], "draws": found.n_draws, "enumerated": found.enumerated}, found.notes


def _refuse(step: Step, what: str) -> None:
    raise EstimationError(Finding("not-defined", what, step.id, "leave it out of diagnostics.small_sample"), "small-sample")


_MAKE: Mapping[str, Callable[[Workspace, Step, str], Made]] = MappingProxyType(
    {
        "wild-cluster-bootstrap": _wild,
        "CR2": _leverage,
        "CR3": _leverage,
        "conley-taber": _few,
        "ferman-pinto": _few,
        "ibragimov-muller": _few,
        "sign-changes": _few,
        "randomisation": _randomisation,
    }
)
