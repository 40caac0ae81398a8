"""``diagnose``: everything to look at before an estimate is believed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import numpy as np
import polars as pl

from hinterland.data.cohorts import NEVER, Cohorts
from hinterland.data.panel import Panel
from hinterland.errors import EstimationError
from hinterland.evaluate.bacon import Bacon, bacon
from hinterland.evaluate.balance import Clusters, balance_table, clusters_report, comparison_counts, support
from hinterland.evaluate.design import Design, make_design
from hinterland.evaluate.estimate import fit
from hinterland.evaluate.negative_weights import CellWeights, cell_weights
from hinterland.evaluate.pretrends import PretrendTest, pretrend_test
from hinterland.evaluate.recommend import FEW_EFFECTIVE, FEW_NEVER, FEW_TREATED, Evidence, Recommendation, recommend
from hinterland.evaluate.result import Effects
from hinterland.labels import Language, Note

T = TypeVar("T")

THIN = 5
"""Treated units below which an event time is called thin."""
IMBALANCE = 0.25
"""Normalised difference beyond which regression adjustment is sensitive to its form (Imbens & Rubin 2015, ch. 14)."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What the data allow.

    Attributes:
        outcome: name of the outcome;  n_units, n_obs: of the design.
        bacon: Goodman-Bacon decomposition, where it is defined.
        weights: weights of the treated cells in the two-way fixed-effects coefficient, where it is defined.
        support: ``cohort, event_time, n_units``.
        comparison: ``time, n_treated, n_anticipating, n_not_yet, n_never``.
        pretrends: joint tests where they are defined: event study, Callaway–Sant'Anna by event time, and by group-time cell (which
            rejects too often where cohorts are small: its verdict is not among the notes).
        clusters: number of clusters, treated clusters, effective clusters.
        balance: ``variable, mean_treated, mean_comparison, sd_treated, sd_comparison, normalised_difference, variance_ratio``.
        recommendations: which estimators, inference and sensitivity analysis the data call for, headline first, with reasons.
        notes: what follows, in words, most consequential first.
    """

    outcome: str
    n_units: int
    n_obs: int
    bacon: Bacon | None
    weights: CellWeights | None
    support: pl.DataFrame
    comparison: pl.DataFrame
    pretrends: tuple[PretrendTest, ...]
    clusters: Clusters
    balance: pl.DataFrame
    recommendations: tuple[Recommendation, ...]
    notes: tuple[Note, ...]

    def __repr__(self) -> str:
        tests = ", ".join(f"{t.method} {t.aggregation} p = {t.p_value:.3g}" for t in self.pretrends) or "none"
        return f"Diagnosis({self.outcome}: pre-trends {tests}; {self.clusters.n_treated} of {self.clusters.n_clusters} clusters treated; {len(self.notes)} notes)"

    def recommended(self, language: Language = "en") -> pl.DataFrame:
        """``kind, id, role, reason``: the recommendations, with the reason in words."""
        rows = [(r.kind, r.id, r.role, r.reason.text(language)) for r in self.recommendations]
        return pl.DataFrame(rows, schema=["kind", "id", "role", "reason"], orient="row")

    def tidy(self) -> pl.DataFrame:
        """``diagnostic, measure, value``: every number of one row; the tables are attributes."""
        rows: list[tuple[str, str, float]] = []
        if self.bacon is not None:
            rows += [("bacon", f"weight {r['type']}", r["weight"]) for r in self.bacon.summary().iter_rows(named=True)]
            rows += [("bacon", f"average {r['type']}", r["average"]) for r in self.bacon.summary().iter_rows(named=True)]
        if self.weights is not None:
            w = self.weights
            rows += [("weights", "negative cells", w.n_negative), ("weights", "treated cells", w.table.height)]
            rows += [
                ("weights", "sum of negative weights", w.sum_negative),
                ("weights", "sigma", w.sigma),
                ("weights", "sigma all", w.sigma_all),
            ]
        for test in self.pretrends:
            head = f"pretrends {test.method} {test.aggregation}"
            rows += [(head, "statistic", test.statistic), (head, "p-value", test.p_value)]
        c = self.clusters
        rows += [
            ("clusters", "clusters", c.n_clusters),
            ("clusters", "treated clusters", c.n_treated),
            ("clusters", "effective clusters", c.effective),
        ]
        schema = {"diagnostic": pl.String, "measure": pl.String, "value": pl.Float64}
        return pl.DataFrame(rows, schema=schema, orient="row").with_columns(pl.col("value").fill_nan(None))


def diagnose(
    panel: Panel,
    outcome: str,
    policy: Cohorts,
    *,
    covariates: str | Sequence[str] | None = None,
    comparison: str = "never-treated",
    cluster: str | Sequence[str] | None = None,
    anticipation: int = 0,
    fe: Sequence[str] = (),
) -> Diagnosis:
    """Look at a design before estimating on it.

    A diagnostic that is not defined on these data is left out and its reason noted; arguments are those of
    :func:`hinterland.estimate`.

    Raises:
        EstimationError, PanelError: the design itself is impossible.
    """
    design = make_design(
        panel, outcome, policy, covariates=covariates, fe=fe, comparison=comparison, anticipation=anticipation, cluster=cluster
    )
    return diagnose_design(design)


def diagnose_design(design: Design) -> Diagnosis:
    """The same on a design that exists already."""
    missing: list[Note] = []
    decomposition = _attempt(partial(bacon, design), "Goodman-Bacon decomposition", missing)
    weights = _attempt(partial(cell_weights, design), "weights of treated cells", missing)
    group_time = _attempt(partial(fit, design, "callaway-santanna"), "group-time effects", missing)
    found = [_attempt(partial(_event_study_test, design), "pre-trend test (event-study)", missing)]
    if group_time is not None:
        found.append(_attempt(partial(_by_event_time, group_time), "pre-trend test (callaway-santanna)", missing))
        found.append(_attempt(partial(pretrend_test, group_time), "pre-trend test (group-time cells)", missing))
    tests = tuple(t for t in found if t is not None)
    clusters, reach, counts, balance = clusters_report(design), support(design), comparison_counts(design), balance_table(design)
    advice = recommend(Evidence(design, weights, clusters, tests))
    led = any(r.kind == "estimator" and r.role == "headline" for r in advice)
    notes = [
        *(() if led else (Note("recommend-none"),)),
        *(t.notes[-1] for t in tests if t.aggregation == "event-time"),
        *_about_adoption(design, decomposition, weights),
        *_about_clusters(clusters),
        *_about_support(design, reach),
        *_about_balance(balance),
        *_about_outcome(design),
        *(n for t in tests for n in t.notes[:-1]),
        *design.notes,
        *missing,
    ]
    return Diagnosis(
        outcome=design.outcome,
        n_units=design.n_units,
        n_obs=design.n_obs,
        bacon=decomposition,
        weights=weights,
        support=reach,
        comparison=counts,
        pretrends=tests,
        clusters=clusters,
        balance=balance,
        recommendations=advice,
        notes=tuple(notes),
    )


def _event_study_test(design: Design) -> PretrendTest:
    return pretrend_test(fit(design, "event-study"))


def _by_event_time(effects: Effects) -> PretrendTest:
    return pretrend_test(effects.aggregate("event-time"))


def _attempt(make: Callable[[], T], name: str, missing: list[Note]) -> T | None:
    """The diagnostic, or a note on why there is none."""
    try:
        return make()
    except EstimationError as error:
        missing.append(Note("diagnostic-unavailable", {"name": name, "reason": "; ".join(f.what for f in error.findings)}))
        return None


def _about_adoption(design: Design, decomposition: Bacon | None, weights: CellWeights | None) -> list[Note]:
    inside = design.cohorts[design.cohorts > design.periods[0]]
    never = int((design.cohort == NEVER).sum())
    notes = [Note("one-cohort")] if len(design.cohorts) == 1 and len(inside) == 1 else []
    if len(inside) and len(design.cohorts) > 1 and design.absorbing:
        notes.append(Note("prefer-robust", {"cohorts": len(design.cohorts)}))
    if decomposition is not None:
        notes += decomposition.notes
    if weights is not None:
        notes.append(weights.note)
    if never == 0:
        notes.append(Note("no-never-treated"))
    elif never < max(THIN, FEW_NEVER * design.n_units) and design.comparison == "never-treated":
        notes.append(Note("few-comparison-units", {"count": never}))
    return notes


def _about_clusters(clusters: Clusters) -> list[Note]:
    notes = []
    if clusters.n_treated <= FEW_TREATED:
        notes.append(Note("few-treated-clusters", {"treated": clusters.n_treated, "clusters": clusters.n_clusters}))
    if clusters.effective < FEW_EFFECTIVE:
        notes.append(Note("effective-clusters", {"clusters": clusters.n_clusters, "effective": clusters.effective}))
    return notes


def _about_support(design: Design, reach: pl.DataFrame) -> list[Note]:
    after = reach.filter(pl.col("event_time") >= 0).group_by("event_time").agg(pl.col("n_units").sum()).sort("event_time")
    thin = after.filter(pl.col("n_units") < THIN)["event_time"]
    if not len(thin) or design.n_treated < THIN:
        return []
    return [Note("thin-support", {"times": _ranges(thin.to_list()), "least": THIN})]


def _ranges(values: Sequence[int]) -> str:
    """Sorted whole numbers as text, runs joined: ``3, 7–9``."""
    runs: list[list[int]] = []
    for v in values:
        if runs and v == runs[-1][1] + 1:
            runs[-1][1] = v
        else:
            runs.append([v, v])
    return ", ".join(f"{a}" if a == b else f"{a}–{b}" for a, b in runs)


def _about_balance(balance: pl.DataFrame) -> list[Note]:
    far = balance[1:].filter(pl.col("normalised_difference").abs() > IMBALANCE)
    if far.is_empty():
        return []
    named = ", ".join(f"{r['variable']} ({r['normalised_difference']:+.2f})" for r in far.iter_rows(named=True))
    return [Note("unbalanced-covariates", {"names": named})]


def _about_outcome(design: Design) -> list[Note]:
    y = design.y
    if (y < 0).any() or (y != np.round(y)).any() or len(np.unique(y)) < 3:
        return []
    return [Note("count-outcome", {"zeros": float(np.mean(y == 0))})]
