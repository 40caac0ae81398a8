"""Group-time effects (Callaway & Sant'Anna 2021) without covariates, from moments."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hinterland.data.cohorts import NEVER
from hinterland.errors import EstimationError, Finding, fail_if_any, listed
from hinterland.evaluate.group_time import BasePeriod, make_grid
from hinterland.evaluate.moment_influence import Floats, Ints, Live, facts_of, influence_of, labels_of, left_out, small_sample
from hinterland.evaluate.result import CohortShares, Effects, Terms
from hinterland.evaluate.vcov import resolve_ssc
from hinterland.labels import Note


@dataclass(frozen=True, slots=True)
class _Scope:
    """Cohorts that take part (``use`` [K]), those that are estimated, the periods used, and the notes on what is not."""

    use: NDArray[np.bool_]
    treated: Ints
    n_periods: int
    notes: tuple[Note, ...]


def _scope(live: Live, never_only: bool, anticipation: int) -> _Scope:
    moments, notes = live.moments, []
    use = live.cohort > moments.periods[0] + anticipation
    early = int(moments.n_units[~use].sum())
    if early:
        notes.append(Note("moments-always-treated-dropped", {"count": early, "first": int(moments.periods[0])}))
    treated, n_periods = live.cohort[use & (live.cohort != NEVER)], len(moments.periods)
    never = bool((live.cohort == NEVER).any())
    where = f"{int(moments.n_units.sum())} units, {moments.periods[0]}–{moments.periods[-1]}"
    findings = []
    if not len(treated):
        what = "no cohort is observed before it is treated"
        findings.append(Finding("no-period-before", what, where, "start the panel earlier, or set a smaller anticipation"))
    elif not never and never_only:
        what = "every unit is treated in the end: there is no never-treated unit to compare with"
        findings.append(
            Finding("no-never-treated", what, where, "set comparison='not-yet-treated', which compares with units treated later")
        )
    elif not never and len(treated) < 2:
        what = "every unit is first treated in the same period: there is nobody to compare with"
        findings.append(Finding("no-comparison", what, where, "add units that are treated later or never"))
    fail_if_any(findings, "comparison group", EstimationError)
    if not never:
        n_periods = int(np.searchsorted(moments.periods, treated[-1] - anticipation))
        count = int(moments.n_units[live.cohort == treated[-1]].sum())
        values = {"cohort": int(treated[-1]), "count": count, "periods": len(moments.periods) - n_periods}
        notes.append(Note("cs-no-never-treated", values))
        treated = treated[:-1]
    return _Scope(use, treated, n_periods, tuple(notes))


def group_time(live: Live, never_only: bool, anticipation: int, base_period: BasePeriod) -> Effects:
    """Group-time effects of every cohort in every period, as :mod:`hinterland.evaluate.callaway_santanna` gives without covariates."""
    scope = _scope(live, never_only, anticipation)
    moments, periods = live.moments, live.moments.periods[: scope.n_periods]
    grid = make_grid(periods, scope.treated, anticipation, base_period)
    estimate, loadings = np.zeros(len(grid.cohort)), np.zeros((len(live.cohort), len(moments.periods) + 1, len(grid.cohort)))
    for i in np.flatnonzero(~grid.reference):
        t, b, own = int(grid.time[i]), int(grid.base[i]), scope.use & (live.cohort == grid.cohort[i])
        later = live.cohort == NEVER if never_only else live.cohort > periods[max(t, b)] + anticipation
        control = scope.use & later & ~own
        if control.any():
            estimate[i] = _difference(live, own, control, (t, b), loadings[:, :, i])
        else:
            estimate[i] = np.nan
    time = periods[grid.time]
    names = tuple(f"cohort={g},time={t}" for g, t in zip(grid.cohort, time, strict=True))
    counts = np.array([int(moments.n_units[live.cohort == g].sum()) for g in grid.cohort])
    terms = Terms.make(names, cohort=grid.cohort, time=time, event_time=time - grid.cohort, reference=grid.reference, n_treated=counts)
    influence = influence_of(live, loadings)
    rule = {"comparison": "never-treated" if never_only else "not-yet-treated", "anticipation": anticipation, "base_period": base_period}
    clusters = small_sample(live, scope.use, 1, resolve_ssc("none"))[3]
    facts = {**facts_of(live, scope.use, clusters), "n_obs": int(moments.n_units[scope.use].sum()) * len(periods)}
    facts |= {"n_periods": len(periods), "last_period": int(periods[-1])}
    missing = [n for n, value in zip(names, estimate, strict=True) if np.isnan(value)]
    lost = [Note("cs-no-comparison", {"count": len(missing), "cells": listed(missing, 8), "limit": 0})] if missing else []
    left = [n for n in left_out(live, scope.use) if n.code == "moments-left-out"]
    return Effects(
        method="callaway-santanna",
        outcome=moments.outcome,
        aggregation="group-time",
        terms=terms,
        estimate=estimate,
        vcov=influence.T @ influence,
        influence=influence,
        clusters=labels_of(live),
        shares=_shares(live, scope),
        notes=(*left, *scope.notes, *lost),
        meta={"estimand": "ATT(g,t)", "est_method": "or", "panel": True, "fixed_effects": [], **rule, **facts},
    )


def _difference(live: Live, own: NDArray[np.bool_], control: NDArray[np.bool_], periods: tuple[int, int], into: Floats) -> float:
    """Change from period b to t of cohorts ``own`` less that of ``control``; its loadings [K, T + 1] are written to ``into``."""
    (t, b), mass, mean, effect = periods, live.moments.mass, live.mean, 0.0
    for group, sign in ((own, 1.0), (control, -1.0)):
        share = sign / mass[group].sum()
        change = float(mass[group] @ (mean[group, t] - mean[group, b]) / mass[group].sum())
        effect += sign * change
        into[group, t], into[group, b], into[group, -1] = share, -share, -share * change
    return effect


def _shares(live: Live, scope: _Scope) -> CohortShares:
    mass = np.where(scope.use, live.moments.mass, 0.0)
    own = scope.treated == live.cohort[:, None]
    share = mass @ own / mass.sum()
    loadings = np.zeros((len(mass), len(live.moments.periods) + 1, len(share)))
    loadings[:, -1] = np.where(scope.use[:, None], (own - share) / mass.sum(), 0.0)
    return CohortShares(scope.treated, share, influence_of(live, loadings))
