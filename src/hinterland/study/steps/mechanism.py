"""The steps about mediators, and about all outcomes as one family of tests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from hinterland.errors import EstimationError
from hinterland.evaluate.design import Design, make_design
from hinterland.evaluate.mechanism import Mechanism, mechanism_of
from hinterland.evaluate.result import Effects
from hinterland.labels import Note
from hinterland.study.estimators import COVARIANCE
from hinterland.study.results import average
from hinterland.study.schema_mechanism import MechanismTable
from hinterland.study.step import Step, headline_for, seed_of
from hinterland.study.steps.output import Output, effects_id, notes_table, output
from hinterland.study.variant import BASELINE
from hinterland.study.workspace import Workspace, tolerated


def mechanism_design(work: Workspace, table: MechanismTable, outcome: str, method: str) -> Design:
    """The design of ``method`` on ``outcome``, on the rows that have every mediator and intermediate confounder."""
    settings = work.settings(method)
    return make_design(
        work.panel,
        outcome,
        work.cohorts(),
        covariates=settings.covariates,
        fe=settings.fe,
        comparison=settings.comparison,
        anticipation=settings.anticipation,
        cluster=settings.cluster or None,
        columns=tuple(dict.fromkeys((*table.mediators, *table.confounders, *settings.columns))),
    )


def mechanism(work: Workspace, step: Step) -> Output:
    """Effects on mediators, shares and their sensitivity; a note where they cannot be told for an estimator."""
    table = work.study.mechanism
    if table is None:
        return Output()
    options = {k: v for k, v in work.options(step.outcome, step.method).items() if k not in COVARIANCE}
    try:
        design = mechanism_design(work, table, step.outcome, step.method)
        found = mechanism_of(
            design,
            table.mediators,
            step.method,
            confounders=table.confounders,
            slope="pooled" if step.method == "twfe" else table.slope,
            draws=table.draws,
            seed=seed_of(work.study, step.id),
            **options,
        )
    except EstimationError as error:
        note = Note("mechanism-not-possible", {"outcome": step.outcome, "method": step.method, "reason": tolerated(error)})
        return output([("notes", notes_table(step.id, [note]))])
    return output([*_tables(found), ("notes", notes_table(step.id, _own(work, step, found)))])


def _own(work: Workspace, step: Step, found: Mechanism) -> list[Note]:
    """Its notes, without those of the outcome's own design."""
    said = work.design(step.outcome, step.method).notes
    return [n for n in found.notes if n not in said]


def _tables(found: Mechanism) -> list[tuple[str, pl.DataFrame]]:
    named = {"outcome": pl.lit(found.outcome), "method": pl.lit(found.method)}
    facts = {
        k: pl.lit(found.meta[k])
        for k in ("bootstrap", "n_obs", "n_units", "n_treated", "n_clusters", "cluster", "n_obs_slope", "confounders", "covariates")
    }
    paths = [
        p.tidy().with_columns(**named, mediator=pl.lit(m), path_method=pl.lit(p.method))
        for m, p in zip(found.mediators, found.paths, strict=True)
        if p is not None
    ]
    return [
        (
            "mechanism",
            found.frame.with_columns(**named, **facts, slope=pl.lit(found.slope), draws=pl.lit(found.draws), level=pl.lit(found.level)),
        ),
        ("mechanism_checks", found.checks.with_columns(**named)),
        ("mechanism_sensitivity", found.sensitivity.with_columns(**named)),
        *(("mediator_events", path) for path in paths),
    ]


def outcome_family(work: Workspace, step: Step) -> Output:
    """The headline's average effects on all outcomes side by side, with p-values that account for their number."""
    from hinterland.evaluate.families import adjust

    heads = {o.name: headline_for(work.study, o) for o in work.study.outcome}
    found = [average(work, name, method).take(np.array([0])) for name, method in heads.items()]
    table = pl.DataFrame([_row(work, e) for e in found], infer_schema_length=None)
    notes = _alignment(found)
    tested = [e for e in found if e.p_value[0] == e.p_value[0]]
    for name in work.study.evaluate.family_adjust:
        try:
            family = adjust(tested, name, draws=work.study.diagnostics.draws, seed=seed_of(work.study, step.id))
        except EstimationError as error:
            notes.append(Note("family-not-possible", {"adjustment": name, "reason": tolerated(error)}))
            continue
        adjusted = pl.DataFrame({"outcome": [e.outcome for e in tested], f"p_{name.replace('-', '_')}": family.p_adjusted})
        table = table.join(adjusted, on="outcome", how="left", maintain_order="left")
        notes += family.notes
    return output([("outcome_family", table), ("notes", notes_table(step.id, notes))])


def _row(work: Workspace, effects: Effects) -> dict[str, Any]:
    tidy = effects.tidy().select("estimate", "std_error", "p_value", "conf_low", "conf_high").row(0, named=True)
    facts = {k: effects.meta.get(k) for k in ("n_obs", "n_units", "n_treated", "n_clusters")}
    family = next(o.family for o in work.study.outcome if o.name == effects.outcome)
    return {
        "outcome": effects.outcome,
        "family": family,
        "method": effects.method,
        "effects_id": effects_id(effects, BASELINE),
        **tidy,
        **facts,
    }


def _alignment(found: Sequence[Effects]) -> list[Note]:
    """A note where outcomes do not share all clusters: draws are lined up by label, and a cluster counts where it is."""
    sets = [set(e.clusters.tolist()) for e in found]
    shared = set.intersection(*sets)
    if all(s == shared for s in sets):
        return []
    return [Note("family-clusters-differ", {"shared": len(shared), "most": max(map(len, sets)), "least": min(map(len, sets))})]
