"""Tests of the differences between groups: every pair by every route, and the equality of all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any, get_args

import numpy as np
import polars as pl

from hinterland.errors import EstimationError, Finding, did_you_mean, fail_if_any
from hinterland.evaluate.families import Adjustment, adjust
from hinterland.evaluate.heterogeneity_groups import GroupFits
from hinterland.evaluate.heterogeneity_interaction import Interacted, PeriodEffects, interact
from hinterland.evaluate.heterogeneity_permutation import PairTest, Request, Strata, pair_of, permute_all, permute_pair
from hinterland.evaluate.heterogeneity_stacked import Difference, Stacked, difference, equality, least_df, stack
from hinterland.labels import Note

ROUTES = ("interaction", "stacked", "permutation")
FEW = 10
"""Treated clusters of a group up to which its normal approximation is not relied on (Ferman & Pinto 2019)."""
PAIRS = 28
"""Differences up to which all pairs are tested; of more groups, their equality alone."""
ADJUSTMENTS = tuple(name for name in get_args(Adjustment) if name not in ("romano-wolf", "westfall-young"))
"""Adjustments that take p-values of any kind."""

_TEXT, _REAL, _WHOLE, _FLAG = pl.String(), pl.Float64(), pl.Int64(), pl.Boolean()
DIFFERENCES: Mapping[str, pl.DataType] = {
    **dict.fromkeys(("first", "second", "relied"), _TEXT),
    **dict.fromkeys(("difference", "std_error", "statistic", "df", "p_value", "conf_low", "conf_high"), _REAL),
    **dict.fromkeys(("difference_interaction", "std_error_interaction", "p_interaction"), _REAL),
    **dict.fromkeys(("p_permutation", "p_coefficient", "permutation_low", "permutation_high", "assignments"), _REAL),
    "draws": _WHOLE,
    "few": _FLAG,
    "p_relied": _REAL,
    "p_adjusted": _REAL,
}
EQUALITY: Mapping[str, pl.DataType] = {
    "route": _TEXT,
    "groups": _WHOLE,
    **dict.fromkeys(("statistic", "df1", "df2", "p_value"), _REAL),
    "draws": _WHOLE,
}


@dataclass(frozen=True, slots=True)
class Asked:
    """Which ``routes`` are taken, and how: ``periods`` of the interaction, ``request`` of the permutation, ``few`` treated clusters, and the
    ``adjustment`` for the number of pairs.
    """

    routes: tuple[str, ...] = ROUTES
    periods: PeriodEffects = "group"
    request: Request = field(default_factory=Request)
    few: int = FEW
    adjustment: Adjustment = "holm"


@dataclass(frozen=True, slots=True)
class Case:
    """What is tested: the groups, the estimator and its options, the tests."""

    fits: GroupFits
    method: str
    options: Mapping[str, Any]
    tests: Asked

    def asks(self, route: str) -> bool:
        """Whether the route is taken."""
        return route in self.tests.routes

    def refused(self, route: str, error: EstimationError) -> Note:
        """The note that a route is not defined, and why."""
        return Note("het-route-not-possible", {"route": route, "method": self.method, "reason": error.findings[0].code})


@dataclass(frozen=True, slots=True)
class Joint:
    """The groups' effects with their covariance, by stacking and by interaction, where defined."""

    stacked: Stacked | None
    interacted: Interacted | None


def joint_of(case: Case) -> tuple[Joint, list[Note]]:
    """Effects of all groups with their covariances, and a note on each that is not defined."""
    notes: list[Note] = []
    stacked, interacted = None, None
    try:
        stacked = stack(case.fits, case.method, case.options)
        if stacked.shared:
            name = case.fits.design.clusters[0].name
            notes.append(Note("het-shared-clusters", {"count": stacked.shared, "clusters": stacked.clusters, "cluster": name}))
    except EstimationError as error:
        notes.append(case.refused("stacked", error))
    if case.asks("interaction"):
        try:
            interacted = interact(case.fits, case.method, case.options, case.tests.periods)
        except EstimationError as error:
            notes.append(case.refused("interaction", error))
    return Joint(stacked, interacted), notes


def pairs(case: Case, joint: Joint) -> tuple[pl.DataFrame, list[Note]]:
    """Every difference by every route (:data:`DIFFERENCES`), its p-value adjusted for their number."""
    fits, few = case.fits, case.tests.few
    every = list(combinations(range(len(fits.groups)), 2))
    if len(every) > PAIRS:
        note = Note("het-many-groups", {"groups": len(fits.groups), "pairs": len(every), "most": PAIRS})
        return pl.DataFrame(schema=dict(DIFFERENCES)), [note]
    rows, notes = [], []
    for a, b in every:
        one, other = fits.groups[a], fits.groups[b]
        thin = min(one.treated_clusters, other.treated_clusters) <= few
        row: dict[str, Any] = {"first": one.label, "second": other.label, "few": thin}
        row["difference"] = float(one.effects.estimate[0] - other.effects.estimate[0])
        permuted, said = _by_permutation(case, (a, b), interval=thin)
        row |= _by_stacking(case, joint, a, b) | _by_interaction(joint, a, b) | permuted
        notes += said
        rows.append(row | _relied(row, coarse=fits.design.clusters[0].size < fits.design.n_units))
    _adjust(rows, case.tests.adjustment)
    return pl.DataFrame(rows, schema=dict(DIFFERENCES)).with_columns(pl.col(pl.Float64).fill_nan(None)), notes


def _by_stacking(case: Case, joint: Joint, a: int, b: int) -> dict[str, Any]:
    if joint.stacked is None or not case.asks("stacked"):
        return {}
    found: Difference = difference(joint.stacked, a, b)
    low, high = found.interval(case.tests.request.level)
    numbers = {"std_error": found.std_error, "statistic": found.statistic, "p_value": found.p_value, "conf_low": low, "conf_high": high}
    return {**numbers, "df": None if np.isinf(found.df) else found.df}


def _by_interaction(joint: Joint, a: int, b: int) -> dict[str, Any]:
    found = joint.interacted
    if found is None:
        return {}
    both = np.full(len(found.estimate), found.df)
    tested = difference(Stacked(found.estimate, found.vcov, both, 1, 0), a, b, welch=False)
    return {"difference_interaction": tested.estimate, "std_error_interaction": tested.std_error, "p_interaction": tested.p_value}


def _by_permutation(case: Case, pair: tuple[int, int], *, interval: bool) -> tuple[dict[str, Any], list[Note]]:
    if not case.asks("permutation"):
        return {}, []
    try:
        found = permute_pair(pair_of(case.fits, *pair), case.method, case.options, case.tests.request, interval=interval)
    except EstimationError as error:
        return {}, [case.refused("permutation", error)]
    row = {"p_permutation": found.p_value, "p_coefficient": found.p_coefficient, "draws": found.draws, "assignments": found.distinct}
    return row | {"permutation_low": found.low, "permutation_high": found.high}, _permutation_notes(found, case, pair)


def _permutation_notes(found: PairTest, case: Case, pair: tuple[int, int]) -> list[Note]:
    names: dict[str, str | int | float] = {"first": case.fits.labels[pair[0]], "second": case.fits.labels[pair[1]]}
    notes = [Note("het-permuted-cohort" if case.tests.request.strata == "cohort" else "het-permuted-status")]
    if not found.batched:
        notes.append(Note("het-refitted", {"method": case.method, "draws": found.draws}))
    if found.enumerated:
        notes.append(Note("het-enumerated", {**names, "count": found.draws + 1}))
    if found.undefined:
        notes.append(Note("het-undefined", {**names, "count": found.undefined, "draws": found.draws}))
    if found.distinct < 1 / 0.05:
        notes.append(Note("het-few-labellings", {**names, "count": int(found.distinct)}))
    factor = case.fits.design.clusters[0]
    if factor.size < case.fits.design.n_units:
        notes.append(Note("het-units-permuted", {"cluster": factor.name}))
    return notes


_P = {"permutation": "p_permutation", "stacked": "p_value", "interaction": "p_interaction"}


def _relied(row: Mapping[str, Any], *, coarse: bool) -> dict[str, Any]:
    """The p-value to read: of the permutation where a group has few treated clusters, else stacked.

    None where that is not there, or moves units within clusters that hold several (``coarse``).
    """
    thin: tuple[str, ...] = () if coarse else ("permutation",)
    order = thin if row["few"] else ("stacked", "interaction", "permutation")
    known = [route for route in order if row.get(_P[route]) is not None and np.isfinite(row[_P[route]])]
    return {"relied": known[0], "p_relied": row[_P[known[0]]]} if known else {"relied": None, "p_relied": None}


def _adjust(rows: list[dict[str, Any]], adjustment: Adjustment) -> None:
    """Put ``p_adjusted`` into every row that has a p-value to rely on."""
    known = [row for row in rows if row["p_relied"] is not None]
    if known:
        for row, p in zip(known, adjust([row["p_relied"] for row in known], adjustment).p_adjusted.tolist(), strict=True):
            row["p_adjusted"] = p


def equal(case: Case, joint: Joint) -> tuple[pl.DataFrame, list[Note]]:
    """The hypothesis that no group differs from another, by each route (:data:`EQUALITY`)."""
    rows: list[dict[str, Any]] = []
    notes: list[Note] = []
    count = len(case.fits.groups)
    covariances = (
        ("stacked", joint.stacked, None if joint.stacked is None else least_df(joint.stacked)),
        ("interaction", joint.interacted, None if joint.interacted is None else joint.interacted.df),
    )
    for route, found, df in covariances:
        if found is None or df is None or not case.asks(route):
            continue
        try:
            test = equality(found.estimate, found.vcov, df)
        except EstimationError as error:
            notes.append(case.refused(route, error))
            continue
        numbers = {"statistic": test.statistic, "df1": float(test.df1), "p_value": test.p_value}
        rows.append({"route": route, "groups": count, **numbers, "df2": None if np.isinf(test.df2) else test.df2})
    if case.asks("permutation") and count > 2:
        try:
            p, drawn = permute_all(case.fits, case.method, case.options, case.tests.request)
            rows.append({"route": "permutation", "groups": count, "p_value": p, "draws": drawn.draws})
        except EstimationError as error:
            notes.append(case.refused("permutation", error))
    return pl.DataFrame(rows, schema=dict(EQUALITY)).with_columns(pl.col(pl.Float64).fill_nan(None)), notes


def fail_if_bad(tests: Asked) -> None:
    """Raise ``EstimationError`` naming every option that is none."""
    request, findings = tests.request, []
    for name, value, known in (
        *(("tests", t, ROUTES) for t in tests.routes),
        ("periods", tests.periods, get_args(PeriodEffects)),
        ("strata", request.strata, get_args(Strata)),
        ("adjustment", tests.adjustment, ADJUSTMENTS),
    ):
        if value not in known:
            findings.append(Finding("unknown-value", f"{name} is {value!r}", f"argument {name}", did_you_mean(str(value), known)))
    for name, number, least in (("draws", request.draws, 1), ("refits", request.refits, 0), ("few_treated", tests.few, 0)):
        if isinstance(number, bool) or not isinstance(number, int) or number < least:
            findings.append(Finding("bad-draws", f"{name} is {number!r}", f"argument {name}", f"give a whole number, {least} or more"))
    if not tests.routes:
        findings.append(Finding("no-tests", "tests is empty", "argument tests", f"name some of {', '.join(ROUTES)}"))
    if not 0 < request.level < 1:
        remedy = "give a probability between 0 and 1, such as 0.95"
        findings.append(Finding("bad-level", f"level is {request.level!r}", "argument level", remedy))
    fail_if_any(findings, "heterogeneity", EstimationError)
