"""Triple differences: an effect that reaches the eligible units of a treated place, and only them.

Units are eligible (Q = 1) or not (Q = 0) within places that adopt in period S. ``group-time`` follows Ortiz-Villavicencio & Sant'Anna
(2025), arXiv 2505.09942: ATT(g, t) from three differences-in-differences against one comparison cohort at a time, combined with
the weights of least variance. ``regression`` is the two-way-interacted regression of Olden & Møen (2022), Econometrics Journal 25(3).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal, Unpack

import numpy as np
from numpy.typing import NDArray

from hinterland.data.cohorts import NEVER
from hinterland.errors import EstimationError, Finding, did_you_mean, fail_if_any, listed
from hinterland.evaluate.callaway_santanna import cohort_shares, gap_notes, size_notes, sum_by_cluster, unit_clusters
from hinterland.evaluate.design import Design
from hinterland.evaluate.drdid import OVERLAP_LIMIT, EstMethod, Rule
from hinterland.evaluate.group_time import LEFT_OUT, BasePeriod, Grid, Sample, make_grid
from hinterland.evaluate.group_time_sample import Scope, make_covariates, make_sample, make_scope
from hinterland.evaluate.regression import Inference, InferenceOptions, cluster_labels
from hinterland.evaluate.result import Effects, Terms
from hinterland.evaluate.threads import one_thread
from hinterland.evaluate.triple_cells import Triples, estimate_triples
from hinterland.evaluate.triple_regression import fit_regression
from hinterland.labels import Note, text

Mask = NDArray[np.bool_]
Estimator = Literal["group-time", "regression"]

_CHOICES: Mapping[str, tuple[str, ...]] = {
    "estimator": ("group-time", "regression"),
    "est_method": ("dr", "ipw", "or"),
    "base_period": ("varying", "universal"),
}


@one_thread()
def fit(
    design: Design,
    *,
    partition: str | None = None,
    estimator: Estimator = "group-time",
    est_method: EstMethod = "dr",
    base_period: BasePeriod = "varying",
    trim: float = 0.995,
    place: str | None = None,
    industry: str | None = None,
    event_study: bool = False,
    reference: int = -1,
    **options: Unpack[InferenceOptions],
) -> Effects:
    """Effects on the eligible units of treated places, net of what moves their ineligible units and the eligible units elsewhere.

    Args:
        design: units within places; ``cohort`` is when the unit's *place* adopts, for its ineligible units too.
        partition: column that is 1 for eligible units and 0 for the others, constant within units.
        estimator: ``group-time`` (any timing) or ``regression`` (one adoption date).
        est_method: of ``group-time`` with covariates: ``dr``, ``ipw`` or ``or``.
        base_period: of ``group-time``: ``varying`` or ``universal``, as in callaway-santanna.
        trim: of ``group-time``: comparison units with a propensity score of at least this get no weight.
        place: of ``regression``: column of the place whose period effects are absorbed; cohorts' by default.
        industry: of ``regression``: column of the industry whose period effects are absorbed; the partition's by default.
        event_study: of ``regression``: leads and lags instead of one coefficient.
        reference: of ``regression``: the event time set to zero.
        options: of ``regression``: the covariance, see :class:`~hinterland.evaluate.regression.InferenceOptions`.

    Returns:
        ``group-time``: Effects of aggregation ``group-time``, whose averages weigh cohorts by their eligible units. ``regression``:
        one coefficient ``eligible treated``, or effects by event time.

    Raises:
        EstimationError: no partition, or one that is not 0/1 and constant; a cohort without eligible or ineligible units; unknown
            options; nobody to compare with.
    """
    given = {"estimator": estimator, "est_method": est_method, "base_period": base_period}
    eligible = _eligible(design, partition, [*_option_findings(given, trim), *_misplaced(estimator, options, design)])
    if estimator == "regression":
        wanted = {"place": place, "industry": industry}
        return fit_regression(design, eligible, wanted, reference if event_study else None, Inference.of(**options))
    scope, left = _whole_groups(design, make_scope(design, balance=False), eligible)
    covariates = make_covariates(design, scope, panel=True)
    sample = make_sample(design, scope, covariates.x)
    grid = make_grid(sample.periods, sample.treated, design.anticipation, base_period)
    codes = unit_clusters(design)
    size = design.clusters[0].size
    rule = Rule(est_method if covariates.names else "or", trim)
    cells = estimate_triples(sample, eligible, grid, rule, lambda values: sum_by_cluster(values, codes, size))
    _fail_if_nothing(design, cells, grid)
    only = replace(sample, cohort=np.where(eligible, sample.cohort, LEFT_OUT))
    sized = (*size_notes(only), *gap_notes(sample, panel=True))
    return Effects(
        method="triple",
        outcome=design.outcome,
        aggregation="group-time",
        terms=_terms(only, grid, cells),
        estimate=cells.att,
        vcov=cells.influence.T @ cells.influence,
        influence=cells.influence,
        clusters=cluster_labels(design),
        shares=cohort_shares(design, only),
        notes=(*design.notes, *scope.notes, *left, *covariates.notes, *sized, *_cell_notes(sample, grid, cells)),
        meta={
            "estimand": text("estimand.triple"),
            "estimand_code": "triple",
            "estimator": estimator,
            "est_method": est_method,
            "base_period": base_period,
            "trim": trim,
            "partition": partition,
            "covariates": list(covariates.names),
            "comparisons": cells.comparisons,
            **_facts(design, sample, eligible),
        },
    )


def _option_findings(given: Mapping[str, str], trim: object) -> list[Finding]:
    findings = [
        Finding("unknown-value", f"{name} is {value!r}", f"option {name} of triple", did_you_mean(str(value), _CHOICES[name]))
        for name, value in given.items()
        if value not in _CHOICES[name]
    ]
    if isinstance(trim, bool) or not isinstance(trim, int | float) or not 0 < trim <= 1:
        findings.append(Finding("bad-trim", f"trim is {trim!r}", "option trim of triple", "give a propensity score above 0, up to 1"))
    return findings


def _misplaced(estimator: str, options: Mapping[str, Any], design: Design) -> list[Finding]:
    """What only one of the two estimators is defined with."""
    where = f"method triple, estimator={estimator!r}"
    if estimator == "regression":
        if design.anticipation:
            remedy = "set anticipation=0, choose an earlier reference with event_study=True, or estimator='group-time'"
            return [Finding("not-defined", "the regression is not defined with anticipation", where, remedy)]
        return []
    findings = []
    if len(design.clusters) > 1:
        what = "group-time effects are not defined with clustering on more than one column"
        findings.append(Finding("not-defined", what, where, "cluster on one column"))
    if design.fixed_effects:
        what = "group-time effects are not defined with extra fixed effects"
        findings.append(Finding("not-defined", what, where, "leave out fe=, or choose estimator='regression'"))
    if asked := [f"{k}={v!r}" for k, v in options.items() if v not in ("cluster", "fixest")]:
        what = f"group-time effects come with their influence functions: {', '.join(asked)} has no meaning"
        findings.append(Finding("not-defined", what, where, "leave it out, or choose estimator='regression'"))
    return findings


def _eligible(design: Design, partition: str | None, findings: list[Finding]) -> Mask:
    """[N] whether a unit is eligible; raises with these and its own findings."""
    values = None if partition is None else design.columns.get(partition)
    where = "option partition of triple"
    if values is None:
        remedy = "name a column that is 1 for units the policy is meant for (such as an encouraged industry) and 0 for the others"
        findings.append(Finding("no-partition", "no column says which units are eligible", where, remedy))
        raise EstimationError(findings, "options")
    if values.dtype.kind in "US":
        findings.append(Finding("not-numeric", f"column {partition!r} holds text", where, "give 1 for eligible units and 0 for the others"))
        raise EstimationError(findings, "options")
    other = np.unique(values[(values != 0) & (values != 1)])
    if len(other):
        what = f"column {partition!r} holds values other than 0 and 1: {listed([f'{v:g}' for v in other], 6)}"
        findings.append(Finding("partition-not-binary", what, where, "give 1 for eligible units and 0 for the others"))
    eligible = np.zeros(design.n_units, dtype=np.bool_)
    eligible[design.unit] = values == 1
    moved = np.unique(design.unit[eligible[design.unit] != (values == 1)])
    if len(moved):
        what = f"column {partition!r} changes over time in {len(moved)} unit(s): {listed(design.unit_labels[moved].tolist(), 8)}"
        findings.append(Finding("partition-changes", what, where, "fix eligibility before the policy"))
    elif not len(other):
        findings += _group_findings(design, eligible, str(partition))
    fail_if_any(findings, "options", EstimationError)
    return eligible


def _group_findings(design: Design, eligible: Mask, partition: str) -> list[Finding]:
    """Treated units must be found on both sides of the partition."""
    treated = design.cohort != NEVER
    findings = []
    for side, word in ((True, "eligible"), (False, "ineligible")):
        if not (treated & (eligible == side)).any():
            what = f"no {word} unit belongs to a place that adopts"
            remedy = "give the place's adoption date to all of its units, eligible or not" if not side else f"check column {partition!r}"
            findings.append(Finding("empty-partition", what, f"option partition of triple, column {partition!r}", remedy))
    return findings


def _whole_groups(design: Design, scope: Scope, eligible: Mask) -> tuple[Scope, tuple[Note, ...]]:
    """The scope without cohorts that lack eligible or ineligible units: they can be neither treated nor compared with."""
    values = np.unique(scope.cohort[scope.cohort != LEFT_OUT])
    bad = [int(g) for g in values if len(np.unique(eligible[scope.cohort == g])) < 2]
    if not bad:
        return scope, ()
    lost = np.isin(scope.cohort, bad)
    cohort = np.where(lost, LEFT_OUT, scope.cohort)
    treated = np.setdiff1d(scope.treated, bad)
    names = ["never treated" if g == NEVER else str(g) for g in bad]
    left = np.setdiff1d(values, bad)
    if len(treated) == 0 or len(left) < 2 or (design.comparison == "never-treated" and NEVER not in left):
        what = f"no two cohorts with both eligible and ineligible units are left to compare; lacking one of them: {listed(names, 8)}"
        remedy = "give the place's adoption date to all of its units, or compare with cohorts not yet treated"
        raise EstimationError(Finding("nobody-to-compare", what, "option partition of triple", remedy), "design")
    note = Note("triple-one-sided", {"count": int(lost.sum()), "cohorts": listed(names, 12)})
    return replace(scope, cohort=cohort, treated=treated), (note,)


def _fail_if_nothing(design: Design, cells: Triples, grid: Grid) -> None:
    if np.isfinite(cells.att[~grid.reference]).any():
        return
    why = listed(sorted({p for p in cells.problem if p}), 6) or "no period before or after adoption"
    remedy = "use fewer covariates, another comparison, or start the panel earlier"
    where = f"method triple, outcome {design.outcome!r}"
    raise EstimationError(Finding("no-cell", f"no group-time effect can be estimated: {why}", where, remedy), "cells")


def _cell_notes(sample: Sample, grid: Grid, cells: Triples) -> tuple[Note, ...]:
    names = [f"({g}, {sample.periods[t]})" for g, t in zip(grid.cohort, grid.time, strict=True)]
    notes = []
    for problem in sorted({p for p in cells.problem if p}):
        hit = [n for n, p in zip(names, cells.problem, strict=True) if p == problem]
        notes.append(Note(f"cs-{problem}", {"count": len(hit), "cells": listed(hit, 8), "limit": OVERLAP_LIMIT}))
    if cells.skipped:
        notes.append(Note("triple-comparison-skipped", {"count": len(cells.skipped), "cells": listed(cells.skipped, 8)}))
    if cells.n_combined:
        notes.append(Note("triple-combined", {"count": cells.n_combined}))
    return tuple(notes)


def _terms(eligible: Sample, grid: Grid, cells: Triples) -> Terms:
    time = eligible.periods[grid.time]
    members = {int(g): int((eligible.cohort == g).sum()) for g in eligible.treated}
    n_treated = np.where(grid.reference, [members[int(g)] for g in grid.cohort], cells.n_treated)
    names = tuple(f"cohort={g},time={t}" for g, t in zip(grid.cohort, time, strict=True))
    return Terms.make(names, cohort=grid.cohort, time=time, event_time=time - grid.cohort, reference=grid.reference, n_treated=n_treated)


def _facts(design: Design, sample: Sample, eligible: Mask) -> dict[str, Any]:
    used = sample.cohort != LEFT_OUT
    rows = np.bincount(sample.unit, minlength=len(used))
    clusters = np.unique(design.clusters[0].codes[used[design.unit]])
    treated = used & np.isin(sample.cohort, sample.treated)
    return {
        "comparison": design.comparison,
        "anticipation": design.anticipation,
        "fixed_effects": [],
        "weights": design.weight_name,
        "cluster": [design.clusters[0].name],
        "vcov": "cluster",
        "n_clusters": len(clusters),
        "n_obs": int(rows[used].sum()),
        "n_units": int(used.sum()),
        "n_treated": int((treated & eligible).sum()),
        "n_treated_ineligible": int((treated & ~eligible).sum()),
        "n_never": int((sample.cohort == NEVER).sum()),
        "n_periods": len(sample.periods),
        "first_period": int(sample.periods[0]),
        "last_period": int(sample.periods[-1]),
    }
