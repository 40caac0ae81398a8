"""Which estimators, which inference and which sensitivity analysis the data call for, each with the reason found in the data.

The rules are stated, in order, below; every threshold is a named constant with its source. A rule looks at the design and at
the diagnostics, never at an estimate of the effect: what is recommended does not depend on what it would find. What is not defined on the
design (:func:`possible`) is not recommended.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from hinterland.data.cohorts import NEVER
from hinterland.errors import EstimationError, listed
from hinterland.evaluate.balance import Clusters
from hinterland.evaluate.design import Design
from hinterland.evaluate.estimate import fail_if_not_accepted, find_method
from hinterland.evaluate.negative_weights import CellWeights
from hinterland.evaluate.pretrends import PretrendTest
from hinterland.labels import Note

Kind = Literal["estimator", "inference", "sensitivity"]
Role = Literal["headline", "beside", "instead", "avoid"]

FEW_TREATED = 10
"""Treated clusters up to which the normal approximation is warned of (Conley & Taber 2011; MacKinnon & Webb 2018)."""
FEW_UNTREATED = 5
"""Untreated clusters up to which the wild bootstrap fails as it does with few treated ones, where all adopt at once (MacKinnon & Webb 2018)."""
FEW_EFFECTIVE = 30
"""Effective clusters below which cluster-robust tests reject too often (Carter, Schnepel & Steigerwald 2017; MacKinnon, Nielsen & Webb 2023)."""
LONG_BEFORE = 8
"""Periods before the first adoption from which weighting on past outcomes has something to match (Arkhangelsky et al. 2021, section 4)."""
FEW_NEVER = 0.05
"""Share of never-treated units below which not-yet-treated ones are wanted beside them."""


@dataclass(frozen=True, slots=True)
class Recommendation:
    """One recommendation.

    Attributes:
        kind: ``estimator``, ``inference`` or ``sensitivity``.
        id: of the estimator (:func:`hinterland.methods`), or the name of the procedure.
        role: ``headline``: lead with it; ``beside``: show it next to the headline; ``instead``: in place of the usual procedure;
            ``avoid``: do not lead with it.
        reason: why, from the data.
    """

    kind: Kind
    id: str
    role: Role
    reason: Note

    def __repr__(self) -> str:
        return f"Recommendation({self.role} {self.kind} {self.id}: {self.reason})"


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the rules look at: the design and its diagnostics (``None`` where one is not defined)."""

    design: Design
    weights: CellWeights | None
    clusters: Clusters
    pretrends: tuple[PretrendTest, ...]


def recommend(evidence: Evidence) -> tuple[Recommendation, ...]:
    """The recommendations, headline first; each estimator once, under the first rule that names it. Of several headlines the first leads,
    and the others stand beside it.
    """
    found: dict[tuple[Kind, str], Recommendation] = {}
    leads = False
    for one in (*_estimators(evidence), *_inference(evidence), *_sensitivity(evidence)):
        if one.kind == "estimator" and one.role != "avoid" and not possible(evidence.design, one.id):
            continue
        role: Role = "beside" if one.kind == "estimator" and one.role == "headline" and leads else one.role
        leads = leads or (one.kind == "estimator" and role == "headline")
        found.setdefault((one.kind, one.id), one if role == one.role else replace(one, role=role))
    order = ("headline", "instead", "beside", "avoid")
    return tuple(sorted(found.values(), key=lambda r: (("estimator", "inference", "sensitivity").index(r.kind), order.index(r.role))))


_WITH_CLUSTERS_ACROSS = ("twfe", "ppml", "imputation")
_WITH_GROUPINGS_ACROSS = ("twfe", "ppml", "sun-abraham", "etwfe")
"""Estimators for one grouping, and for several, that units move between."""


def possible(design: Design, method: str) -> bool:
    """Whether an estimator is defined on ``design``, as far as its rows, clusters and fixed effects tell."""
    chosen, clusters = find_method(method), design.clusters
    try:
        fail_if_not_accepted(chosen, design)
    except EstimationError:
        return False
    if cross_sections(design) and "repeated-cross-sections" not in chosen.accepts:
        return False
    if not whole_units(design):
        return method in (_WITH_CLUSTERS_ACROSS if len(clusters) == 1 else _WITH_GROUPINGS_ACROSS)
    if method == "etwfe":
        return not design.fixed_effects
    if method == "spillover":
        return len(clusters) == 1
    if method == "efficient":
        return clusters[0].size == design.n_units and int((np.unique(design.cohort, return_counts=True)[1] > 1).sum()) > 1
    return True


def cross_sections(design: Design) -> bool:
    """Whether no unit is seen twice."""
    return design.n_units == design.n_obs


def whole_units(design: Design) -> bool:
    """Whether each cluster of each grouping holds units as a whole."""
    for cluster in design.clusters:
        owner = np.zeros(design.n_units, dtype=cluster.codes.dtype)
        owner[design.unit] = cluster.codes
        if not (owner[design.unit] == cluster.codes).all():
            return False
    return True


def _estimators(evidence: Evidence) -> Iterator[Recommendation]:
    design = evidence.design
    if not design.absorbing:
        yield from _switching(design)
        return
    inside = design.cohorts[design.cohorts > design.periods[0]]
    if len(inside) < (1 if (design.cohort == NEVER).any() else 2):
        return
    yield from _headline(evidence)
    yield from _beside(evidence)
    if evidence.weights is not None and len(design.cohorts) > 1:
        w = evidence.weights
        values = {"count": w.n_negative, "total": w.table.height, "sum": w.sum_negative}
        if w.n_negative:
            yield Recommendation("estimator", "twfe", "avoid", Note("recommend-negative-weights", values))
        else:
            yield Recommendation("estimator", "twfe", "beside", Note("recommend-twfe-beside", values))


def _switching(design: Design) -> Iterator[Recommendation]:
    level = design.treatment_level if design.treatment_level is not None else design.treated.astype(np.float64)
    units = np.unique(design.unit[level != design.treated])
    values: dict[str, str | int | float] = {"count": len(units), "units": listed(design.unit_labels[units].tolist(), 8)}
    yield Recommendation("estimator", "dcdh", "headline", Note("recommend-switching", values))
    yield Recommendation("estimator", "lp-did", "beside", Note("recommend-switching-window", values))
    yield Recommendation("estimator", "twfe", "avoid", Note("recommend-switching-twfe"))


def _headline(evidence: Evidence) -> Iterator[Recommendation]:
    design = evidence.design
    inside = design.cohorts[design.cohorts > design.periods[0]]
    never = int((design.cohort == NEVER).sum())
    partial = int(((design.dose > 0) & (design.dose < 1)).sum())
    if design.policy.partial == "dose" and partial:
        yield Recommendation("estimator", "dose", "headline", Note("recommend-dose", {"count": partial}))
    if cross_sections(design):
        yield Recommendation("estimator", "callaway-santanna", "headline", Note("recommend-cross-sections"))
    kind = outcome_kind(design)
    if kind == "count":
        zeros = float(np.mean(design.y == 0))
        yield Recommendation("estimator", "etwfe", "headline", Note("recommend-count", {"zeros": zeros}))
        yield Recommendation("estimator", "ppml", "beside", Note("recommend-count-ppml", {"zeros": zeros}))
    if kind == "binary":
        yield Recommendation("estimator", "etwfe", "beside", Note("recommend-binary", {"share": float(design.y.mean())}))
    if len(design.cohorts) == 1 and never:
        yield Recommendation("estimator", "callaway-santanna", "headline", Note("recommend-one-cohort", {"cohort": int(inside[0])}))
        yield Recommendation("estimator", "twfe", "beside", Note("recommend-one-cohort-twfe", {"cohort": int(inside[0])}))
    elif never:
        note = Note("recommend-staggered", {"cohorts": len(design.cohorts), "never": never})
        yield Recommendation("estimator", "callaway-santanna", "beside" if kind == "count" else "headline", note)
    else:
        values = {"cohorts": len(inside), "last": int(inside[-1]) if len(inside) else 0}
        yield Recommendation("estimator", "callaway-santanna", "headline", Note("recommend-no-never", values))
        yield Recommendation("estimator", "sun-abraham", "beside", Note("recommend-no-never-last", values))
        yield Recommendation("estimator", "efficient", "beside", Note("recommend-random-timing", values))
    if not possible(design, "callaway-santanna"):
        second = "imputation" if possible(design, "imputation") else "sun-abraham"
        yield Recommendation("estimator", second, "headline", Note("recommend-without-group-time"))


def _beside(evidence: Evidence) -> Iterator[Recommendation]:
    design = evidence.design
    inside = design.cohorts[design.cohorts > design.periods[0]]
    if not design.balanced:
        share = 1 - design.n_obs / (design.n_units * design.n_periods)
        yield Recommendation("estimator", "imputation", "beside", Note("recommend-gaps", {"share": share}))
    before = int((design.periods < inside[0]).sum()) if len(inside) else 0
    rejected = [t for t in evidence.pretrends if t.aggregation == "event-time" and t.p_value < 0.05]
    if design.balanced and before >= LONG_BEFORE and (rejected or evidence.clusters.n_treated <= FEW_TREATED):
        code = "recommend-synthetic-pretrends" if rejected else "recommend-synthetic-few"
        yield Recommendation(
            "estimator", "sdid", "beside", Note(code, {"before": before, "treated": evidence.clusters.n_treated, **_least_p(rejected)})
        )
    if rejected and before >= LONG_BEFORE:
        yield Recommendation(
            "estimator", "matrix-completion", "beside", Note("recommend-factors", {"before": before, **_least_p(rejected)})
        )
    yield Recommendation("estimator", "imputation", "beside", Note("recommend-imputation"))
    if design.coordinates is not None and np.isfinite(design.coordinates).all():
        yield Recommendation("estimator", "spillover", "beside", Note("recommend-spillover"))


def _least_p(tests: list[PretrendTest]) -> dict[str, float]:
    return {"p": min(t.p_value for t in tests)} if tests else {}


def _inference(evidence: Evidence) -> Iterator[Recommendation]:
    design, clusters = evidence.design, evidence.clusters
    values: dict[str, str | int | float] = {
        "treated": clusters.n_treated,
        "untreated": clusters.n_clusters - clusters.n_treated,
        "clusters": clusters.n_clusters,
        "effective": clusters.effective,
        "name": clusters.name,
    }
    untreated, one_way = clusters.n_clusters - clusters.n_treated, len(design.clusters) == 1
    dealt = design.absorbing or design.balanced
    if untreated and clusters.n_treated <= FEW_TREATED:
        if dealt:
            yield Recommendation("inference", "randomisation-inference", "instead", Note("recommend-few-treated", values))
        if one_way and untreated > 1 and whole_units(design):
            yield Recommendation("inference", "ferman-pinto", "beside", Note("recommend-few-treated-residuals", values))
        yield Recommendation("inference", "wild-cluster-bootstrap", "avoid", Note("recommend-few-treated-wild", values))
    elif 0 < untreated <= FEW_UNTREATED and len(design.cohorts) == 1:
        if dealt:
            yield Recommendation("inference", "randomisation-inference", "instead", Note("recommend-few-untreated", values))
        yield Recommendation("inference", "wild-cluster-bootstrap", "avoid", Note("recommend-few-untreated-wild", values))
    elif clusters.effective < FEW_EFFECTIVE or clusters.n_clusters < FEW_EFFECTIVE:
        yield Recommendation("inference", "wild-cluster-bootstrap", "instead", Note("recommend-few-clusters", values))
        yield Recommendation("inference", "CR3", "beside", Note("recommend-few-clusters-jackknife", values))
    sizes = {int(g): int((design.cohort == g).sum()) for g in design.cohorts if g > design.periods[0]}
    alone = [g for g, size in sizes.items() if size == 1]
    if alone and dealt:
        note = Note("recommend-single-unit-cohort", {"cohorts": listed(alone, 8)})
        yield Recommendation("inference", "randomisation-inference", "instead", note)
    if design.coordinates is not None and np.isfinite(design.coordinates).all():
        yield Recommendation("inference", "conley", "beside", Note("recommend-conley"))


def _sensitivity(evidence: Evidence) -> Iterator[Recommendation]:
    if not evidence.design.absorbing:
        return
    never = bool((evidence.design.cohort == NEVER).any())
    # Without units that are never treated an event study has two references, and no path that could be bounded.
    tests = [t for t in evidence.pretrends if t.aggregation == "event-time" and (never or t.method != "event-study")]
    if not tests:
        return
    least = min(t.p_value for t in tests)
    code = "recommend-honest-rejected" if least < 0.05 else "recommend-honest"
    role: Role = "headline" if least < 0.05 else "beside"
    yield Recommendation("sensitivity", "relative-magnitude", role, Note(code, {"p": least}))
    yield Recommendation("sensitivity", "pretrend-power", "beside", Note("recommend-power", {"leads": tests[0].n_leads}))


def outcome_kind(design: Design) -> Literal["count", "binary", "continuous"]:
    """``count``: whole, not negative, more than two values; ``binary``: 0 and 1 only."""
    y = design.y
    if (y < 0).any() or (y != np.round(y)).any():
        return "continuous"
    values = np.unique(y[:100_000])
    if len(values) <= 2 and np.isin(y, (0.0, 1.0)).all():
        return "binary"
    return "count" if len(np.unique(y)) > 2 else "continuous"
