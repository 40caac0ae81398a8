"""Difference-in-differences with a dose (Callaway, Goodman-Bacon & Sant'Anna 2024, NBER Working Paper 32117).

Units adopt in different periods and in different amounts d > 0. Parallel trends identify the level effect of a dose on those who
received it, ATT(d | d). Comparing doses, and so the slope ACRT(d), needs *strong* parallel trends: units that received one dose
would have responded to another as those who received that one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from hinterland.data.cohorts import NEVER
from hinterland.errors import EstimationError, Finding, did_you_mean, fail_if_any, listed
from hinterland.evaluate.callaway_santanna import cohort_shares, gap_notes, size_notes, sum_by_cluster, unit_clusters
from hinterland.evaluate.design import Design
from hinterland.evaluate.dose_basis import Basis, bins, levels, spline
from hinterland.evaluate.dose_groups import CohortCurves, DoseSample, GroupTimes, cohort_curves, group_times
from hinterland.evaluate.group_time import LEFT_OUT, BasePeriod, Grid, Sample, make_grid
from hinterland.evaluate.group_time_sample import Scope, make_covariates, make_sample, make_scope
from hinterland.evaluate.regression import cluster_labels
from hinterland.evaluate.result import CohortShares, Effects, Terms
from hinterland.evaluate.threads import one_thread
from hinterland.labels import Note, text

Floats = NDArray[np.float64]
Target = Literal["level", "slope", "both"]
By = Literal["dose", "group-time"]
Average = Literal["cohort", "cell"]

_CHOICES: Mapping[str, tuple[str, ...]] = {
    "target": ("level", "slope", "both"),
    "by": ("dose", "group-time"),
    "basis": ("spline", "levels", "bins"),
    "average": ("cohort", "cell"),
    "base_period": ("varying", "universal"),
}
_DECILES = np.arange(0.1, 0.95, 0.1)
_FEW = 12
"""Up to so many distinct doses are all on the grid."""


@dataclass(frozen=True, slots=True)
class _Options:
    target: str
    by: str
    basis: str
    degree: int
    knots: int | Sequence[float]
    bins: int | Sequence[float]
    grid: Sequence[float] | None
    average: str
    base_period: str


@one_thread()
def fit(
    design: Design,
    *,
    dose: str | None = None,
    target: Target = "level",
    by: By = "dose",
    basis: Literal["spline", "levels", "bins"] = "spline",
    degree: int = 3,
    knots: int | Sequence[float] = 0,
    bins: int | Sequence[float] = 4,
    grid: Sequence[float] | None = None,
    average: Average = "cohort",
    base_period: BasePeriod = "varying",
) -> Effects:
    """Effects of a dose: as a curve over doses, or averaged over doses by cohort and period.

    Args:
        design: its comparison rule and anticipation apply; covariates adjust by regression among comparison units.
        dose: column with the dose of treated units, one value per unit while it is treated; the share covered, if not given.
        target: ``level`` ATT, ``slope`` ACRT, or (by dose) ``both``.
        by: ``dose``: the mean over doses, then the curve at the grid's doses, averaged over cohorts and treated periods;
            ``group-time``: the mean over the cohort's doses for every cohort and period, to be aggregated as usual.
        basis: ``spline`` (``degree``, ``knots``: how many, at quantiles of the doses, or where); ``levels``: every distinct dose
            apart; ``bins``: steps (how many, at quantiles, or their edges), which have levels but no slope.
        grid: doses at which the curve is told; deciles of the treated units' doses by default (all, if few are distinct).
        average: by dose: ``cohort`` averages each cohort's treated periods, then cohorts by share; ``cell`` all treated
            cohort-periods by share.
        base_period: as in callaway-santanna.

    Returns:
        Effects: ``coefficient`` (``att``, ``att(0.25)``, …; ``acrt``, ``acrt(0.25)``, …; doses in ``meta["doses"]``) or ``group-time``.

    Raises:
        EstimationError: bad options; doses that are not positive on treated units, change while treated, or are too few for the basis.
    """
    options = _Options(target, by, basis, degree, _plain(knots), _plain(bins), grid, average, base_period)
    found = _option_findings(options)
    amount = _doses(design, dose, found)
    scope = _adopting(design, make_scope(design, balance=False))
    used = amount[np.isin(scope.cohort, scope.treated)]
    shape = _basis(options, used)
    points = _grid(options, shape, used)
    covariates = make_covariates(design, scope, panel=True)
    sample = make_sample(design, scope, covariates.x)
    codes, size = unit_clusters(design), design.clusters[0].size
    work = DoseSample(sample, amount, shape, lambda values: sum_by_cluster(values, codes, size))
    cells = make_grid(sample.periods, sample.treated, design.anticipation, base_period)
    notes = (*design.notes, *scope.notes, *covariates.notes, *_dose_notes(design, sample, amount, shape, points))
    meta = {
        **_facts(design, sample),
        "covariates": list(covariates.names),
        "dose": dose or "share covered",
        "doses": points.tolist(),
        "basis": basis,
        "marks": shape.marks.tolist(),
        "base_period": base_period,
    }
    if by == "group-time":
        made = group_times(work, cells, "level" if target == "level" else "slope")
        return _group_time_effects(design, (sample, cells), made, notes, {**meta, **_estimand(f"dose-{target}")})
    curves = cohort_curves(work, cells, np.concatenate([shape.values(points), _slopes(shape, points)]))
    shares = cohort_shares(design, sample)
    return _curve_effects(design, _Curve(options, points, curves, shares), (*notes, *_missing_notes(sample, cells, curves.missing)), meta)


def _estimand(code: str) -> dict[str, str]:
    return {"estimand": text(f"estimand.{code}"), "estimand_code": code}


def _slopes(shape: Basis, points: Floats) -> Floats:
    return shape.slopes(points) if shape.kind != "bins" else np.empty((0, shape.size))


def _option_findings(given: _Options) -> list[Finding]:
    findings = [
        Finding("unknown-value", f"{name} is {value!r}", f"option {name} of dose", did_you_mean(str(value), choices))
        for name, choices in _CHOICES.items()
        if (value := getattr(given, name)) not in choices
    ]
    if given.by == "group-time" and given.target == "both":
        remedy = "choose target='level' or target='slope', or by='dose'"
        findings.append(Finding("unknown-value", "by='group-time' has one target", "option target of dose", remedy))
    if given.basis == "bins" and given.target != "level":
        findings.append(
            Finding("no-slope", "steps between bins have no slope", "options basis and target of dose", "use basis='spline' or 'levels'")
        )
    for name, low in (("degree", 1), ("knots", 0), ("bins", 2)):
        value = getattr(given, name)
        if isinstance(value, bool) or (isinstance(value, int | np.integer) and value < low):
            findings.append(Finding("not-whole", f"{name} is {value!r}", f"option {name} of dose", f"give a whole number, {low} or more"))
        elif not isinstance(value, int | np.integer) and (name == "degree" or not _numbers(value)):
            findings.append(
                Finding("not-whole", f"{name} is {value!r}", f"option {name} of dose", "give a whole number, or a list of doses")
            )
    if given.grid is not None and (not _numbers(given.grid) or len(given.grid) == 0):
        findings.append(Finding("not-a-number", f"grid is {given.grid!r}", "option grid of dose", "give a list of doses"))
    return findings


def _plain(value: int | Sequence[float]) -> int | Sequence[float]:
    return int(value) if isinstance(value, np.integer) else value


def _numbers(values: Any) -> bool:
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        return False
    return array.ndim == 1 and bool(np.isfinite(array).all()) and bool((np.diff(array) > 0).all())


def _doses(design: Design, name: str | None, findings: list[Finding]) -> Floats:
    """[N] dose of each unit once treated, 0 where it never is; raises with these and its own findings."""
    treated = design.treated
    ever = np.zeros(design.n_units, dtype=np.bool_)
    ever[design.unit[treated]] = True
    if name is None:
        dose, where = design.dose * ever, f"share covered, policy {design.policy.source!r} (partial={design.policy.partial!r})"
    else:
        values, where = design.columns[name], f"column {name!r}"
        if values.dtype.kind in "US":
            findings.append(Finding("not-numeric", f"{where} holds text", "option dose", "name a column of numbers"))
            raise EstimationError(findings, "options")
        dose = np.zeros(design.n_units)
        dose[design.unit[treated]] = values[treated]
        moved = np.unique(design.unit[treated & (values != dose[design.unit])])
        if len(moved):
            what = f"the dose changes while treated in {len(moved)} unit(s): {listed(design.unit_labels[moved].tolist(), 8)}"
            findings.append(Finding("dose-changes", what, where, "give each unit one dose, such as its mean, or choose dcdh"))
        idle = _without_later(design, np.unique(design.unit[(values != 0) & (design.cohort[design.unit] == NEVER)]))
        if len(idle):
            what = f"{len(idle)} unit(s) that are never treated have a dose: {listed(design.unit_labels[idle].tolist(), 8)}"
            findings.append(Finding("dose-untreated", what, where, "set their dose to 0, or give their adoption date"))
    wrong = np.flatnonzero(ever & ~((dose > 0) & np.isfinite(dose)))
    if len(wrong):
        what = f"{len(wrong)} treated unit(s) have no positive dose: {listed(design.unit_labels[wrong].tolist(), 8)}"
        findings.append(Finding("dose-not-positive", what, where, "give them a dose above 0, or leave them out"))
    fail_if_any(findings, "options", EstimationError)
    return dose


def _adopting(design: Design, scope: Scope) -> Scope:
    """The scope with the cohorts that adopt inside the window only: others, seen in their anticipation alone, have no dose yet."""
    treated = scope.treated[scope.treated <= design.periods[scope.n_periods - 1]]
    if len(treated) == 0:
        what = "no unit is treated inside the window"
        where = f"cohorts {listed(scope.treated.tolist(), 8)}, last period {design.periods[scope.n_periods - 1]}"
        raise EstimationError(Finding("nobody-treated", what, where, "widen the panel's years past the first adoption"), "design")
    return replace(scope, treated=treated)


def _without_later(design: Design, units: NDArray[np.int32]) -> NDArray[np.int32]:
    """The ``units`` that never adopt, not even after the window: those that do may know their dose already."""
    later = set(design.policy.table.filter(design.policy.table["cohort"].is_not_null())["unit"].to_list())
    return units[[label not in later for label in design.unit_labels[units].tolist()]] if len(units) else units


def _basis(given: _Options, doses: Floats) -> Basis:
    """The basis on the treated units' doses; raises where they are too few for it."""
    distinct = len(np.unique(doses))
    if given.basis == "levels":
        return levels(doses)
    if given.basis == "bins":
        shape = bins(doses, given.bins)
        if shape.size < 1 or doses.min() < shape.marks[0] or doses.max() > shape.marks[-1]:
            what = f"doses from {doses.min():g} to {doses.max():g} are not within the bins' edges {listed(shape.marks.tolist(), 12)}"
            raise EstimationError(Finding("dose-outside", what, "option bins of dose", "widen the edges"), "options")
        return shape
    inner = given.knots if isinstance(given.knots, int) else len(given.knots)
    outside = [] if isinstance(given.knots, int) else [k for k in given.knots if not doses.min() < k < doses.max()]
    if distinct < inner + given.degree + 1 or outside:
        what = (
            f"{distinct} distinct dose(s) are too few for a spline of degree {given.degree} with {inner} knot(s)"
            if not outside
            else f"knots {listed(outside, 8)} are not within the doses, {doses.min():g} to {doses.max():g}"
        )
        remedy = "use basis='levels', or a lower degree and fewer knots"
        raise EstimationError(Finding("few-doses", what, "options degree and knots of dose", remedy), "options")
    return spline(doses, given.degree, given.knots)


def _grid(given: _Options, shape: Basis, doses: Floats) -> Floats:
    """Doses at which the curve is told."""
    if given.grid is not None:
        points = np.asarray(given.grid, dtype=np.float64)
        low, high = (shape.marks[0], shape.marks[-1]) if shape.kind == "bins" else (doses.min(), doses.max())
        outside = points[(points < low) | (points > high)]
        if len(outside):
            what = f"no treated unit has a dose as small or as large as {listed(outside.tolist(), 8)}"
            where = "option grid of dose"
            raise EstimationError(Finding("dose-outside", what, where, f"give doses from {low:g} to {high:g}"), "options")
        return points
    if shape.kind == "bins":
        return np.asarray((shape.marks[1:] + shape.marks[:-1]) / 2)
    distinct = shape.marks if shape.kind == "levels" else np.unique(doses)
    return distinct if shape.kind == "levels" or len(distinct) <= _FEW else np.unique(np.quantile(doses, _DECILES))


def _dose_notes(design: Design, sample: Sample, dose: Floats, shape: Basis, points: Floats) -> tuple[Note, ...]:
    notes = []
    if shape.kind == "spline":
        narrow = []
        for g in sample.treated:
            own = dose[sample.cohort == g]
            if own.min() > points.min() or own.max() < points.max():
                narrow.append(int(g))
        if narrow:
            notes.append(Note("dose-extrapolated", {"count": len(narrow), "cohorts": listed(narrow, 12)}))
    if design.policy.partial != "dose" and (dose[dose > 0] == 1).all():
        notes.append(Note("dose-one-level"))
    return (*size_notes(sample), *gap_notes(sample, panel=True), *notes)


def _missing_notes(sample: Sample, grid: Grid, missing: list[tuple[int, str]]) -> tuple[Note, ...]:
    notes = []
    for problem in sorted({p for _, p in missing}):
        cells = [f"({grid.cohort[i]}, {sample.periods[grid.time[i]]})" for i, p in missing if p == problem]
        code = "dose-few-doses" if problem == "few-doses" else f"cs-{problem}"
        notes.append(Note(code, {"count": len(cells), "cells": listed(cells, 8)}))
    return tuple(notes)


def _group_time_effects(
    design: Design, work: tuple[Sample, Grid], made: GroupTimes, notes: tuple[Note, ...], meta: dict[str, Any]
) -> Effects:
    sample, grid = work
    missing = [(i, p) for i, p in enumerate(made.problem) if p]
    why = _missing_notes(sample, grid, missing)
    if not np.isfinite(made.estimate[~grid.reference]).any():
        what = f"no group-time effect can be estimated: {' '.join(str(n) for n in why) or 'no period before or after adoption'}"
        remedy = "use fewer covariates, another basis, or choose a comparison group with more units"
        raise EstimationError(Finding("no-cell", what, f"method dose, outcome {design.outcome!r}", remedy), "cells")
    time = sample.periods[grid.time]
    names = tuple(f"cohort={g},time={t}" for g, t in zip(grid.cohort, time, strict=True))
    members = {int(g): int((sample.cohort == g).sum()) for g in sample.treated}
    n_treated = np.where(grid.reference, [members[int(g)] for g in grid.cohort], made.n_treated)
    terms = Terms.make(names, cohort=grid.cohort, time=time, event_time=time - grid.cohort, reference=grid.reference, n_treated=n_treated)
    return Effects(
        method="dose",
        outcome=design.outcome,
        aggregation="group-time",
        terms=terms,
        estimate=made.estimate,
        vcov=made.influence.T @ made.influence,
        influence=made.influence,
        clusters=cluster_labels(design),
        shares=cohort_shares(design, sample),
        notes=(*notes, *why),
        meta=meta,
    )


@dataclass(frozen=True, slots=True)
class _Curve:
    """What a curve over doses is made of."""

    options: _Options
    points: Floats
    cohorts: CohortCurves
    shares: CohortShares


def _curve_effects(design: Design, made: _Curve, notes: tuple[Note, ...], meta: dict[str, Any]) -> Effects:
    curves, options = made.cohorts, made.options
    if len(curves.cohort) == 0:
        what = f"no cohort has enough doses for the basis: {' '.join(str(n) for n in notes)}"
        raise EstimationError(Finding("no-cell", what, f"method dose, outcome {design.outcome!r}", "use basis='levels' or 'bins'"), "cells")
    place = np.searchsorted(made.shares.cohort, curves.cohort)
    raw = made.shares.share[place] * (curves.cells if options.average == "cell" else 1)
    finite = np.isfinite(curves.estimate)
    mass = raw @ finite
    weight = raw[:, None] * finite / np.where(mass > 0, mass, 1.0)
    each = np.where(finite, curves.estimate, 0.0)
    estimate = np.where(mass > 0, (weight * each).sum(axis=0), np.nan)
    influence = np.zeros_like(curves.influence[0])
    for w, own in zip(weight, curves.influence, strict=True):
        influence += w * own
    excess = np.where(finite, each - np.where(mass > 0, estimate, 0.0), 0.0) / np.where(mass > 0, mass, 1.0)
    influence += made.shares.influence[:, place] @ (excess * (raw / made.shares.share[place])[:, None])
    names, index = _named(made)
    partly = [n for n, i in zip(names, index, strict=True) if not finite[:, i].all()]
    if partly:
        notes = (*notes, Note("dose-some-cohorts", {"count": len(partly), "terms": listed(partly, 12)}))
    treated = int(np.isin(design.cohort, curves.cohort).sum())
    return Effects(
        method="dose",
        outcome=design.outcome,
        aggregation="coefficient",
        terms=Terms.make(names, n_treated=np.full(len(names), treated)),
        estimate=estimate[index],
        vcov=(influence.T @ influence)[np.ix_(index, index)],
        influence=influence[:, index],
        clusters=cluster_labels(design),
        notes=notes,
        meta={**meta, **_estimand(f"dose-curve-{options.target}"), "average": options.average},
    )


def _named(made: _Curve) -> tuple[tuple[str, ...], NDArray[np.intp]]:
    """Names of the terms wanted, and their positions among ATT°, ACRT°, levels, slopes."""
    size, target = len(made.points), made.options.target
    doses = [f"{d:.6g}" for d in made.points]
    level = [("att", 0), *((f"att({d})", 2 + i) for i, d in enumerate(doses))]
    slope = [("acrt", 1), *((f"acrt({d})", 2 + size + i) for i, d in enumerate(doses))]
    chosen = level if target == "level" else slope if target == "slope" else [*level, *slope]
    return tuple(n for n, _ in chosen), np.array([i for _, i in chosen])


def _facts(design: Design, sample: Sample) -> dict[str, Any]:
    used = sample.cohort != LEFT_OUT
    rows = np.bincount(sample.unit, minlength=len(used))
    return {
        "comparison": design.comparison,
        "anticipation": design.anticipation,
        "fixed_effects": [],
        "weights": design.weight_name,
        "cluster": [design.clusters[0].name],
        "vcov": "cluster",
        "n_clusters": len(np.unique(design.clusters[0].codes[used[design.unit]])),
        "n_obs": int(rows[used].sum()),
        "n_units": int(used.sum()),
        "n_treated": int((used & (sample.cohort != NEVER)).sum()),
        "n_never": int((sample.cohort == NEVER).sum()),
        "n_periods": len(sample.periods),
        "first_period": int(sample.periods[0]),
        "last_period": int(sample.periods[-1]),
    }
