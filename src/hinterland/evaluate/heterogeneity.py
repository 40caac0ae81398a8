"""For whom a policy works: estimates by group, and tests of their differences.

A group whose effect is significant beside one whose effect is not does not show that the two differ (Gelman & Stern 2006, American Statistician 60(4)):
that is a statement about a difference, which has a standard error of its own. Three routes test it: one regression in which everything is interacted
with the groups (:mod:`~hinterland.evaluate.heterogeneity_interaction`), stacked influence functions
(:mod:`~hinterland.evaluate.heterogeneity_stacked`), and permuted group labels (:mod:`~hinterland.evaluate.heterogeneity_permutation`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

from hinterland.data.cohorts import Cohorts
from hinterland.data.geography import region_sets
from hinterland.data.grouping import Cut, column_groups, cut_groups, listed_groups, region_groups, with_rest
from hinterland.data.panel import Panel
from hinterland.evaluate.coding import Floats
from hinterland.evaluate.design import Design, make_design
from hinterland.evaluate.estimate import columns_of, fail_if_not_accepted, find_method
from hinterland.evaluate.families import Adjustment
from hinterland.evaluate.heterogeneity_groups import codes_of, few_note, fit_groups, group_frame
from hinterland.evaluate.heterogeneity_interaction import PeriodEffects
from hinterland.evaluate.heterogeneity_permutation import Request, Strata
from hinterland.evaluate.heterogeneity_tests import FEW, ROUTES, Asked, Case, equal, fail_if_bad, joint_of, pairs
from hinterland.evaluate.result import Effects
from hinterland.labels import Note

__all__ = ["Heterogeneity", "compare_groups", "heterogeneity", "make_groups"]


@dataclass(frozen=True, slots=True)
class Heterogeneity:
    """Effects of G groups and tests of their differences.

    Attributes:
        method: estimator id;  outcome: its name;  by: what the groups are.
        groups: [G] names of the groups that have an estimate.
        frame: one row per group: ``group, n_units, n_obs, n_treated, n_treated_clusters, few, estimate, std_error, statistic, p_value, conf_low,
            conf_high``. ``few``: so few clusters are treated that the standard error is not to be relied on; then ``p_randomisation`` (adoption dealt out within
            the group), ``p_ferman_pinto``, ``few_low, few_high`` (Ferman & Pinto 2019), where they are defined.
        differences: one row per pair, ``first`` less ``second``: by stacked influence functions ``difference, std_error, statistic, df, p_value, conf_low,
            conf_high``; by one regression ``difference_interaction, std_error_interaction, p_interaction``; by permuted labels ``p_permutation`` (of the t statistic),
            ``p_coefficient`` (of the difference), ``permutation_low, permutation_high`` (differences not rejected, where a group has few treated clusters; infinite
            without end), ``draws``, ``assignments`` (ways to label the treated units). ``relied``: ``permutation`` where a group has few treated clusters (null where clusters hold
            several units, which permuted labels would tear apart), else ``stacked``; ``p_relied`` its p-value, ``p_adjusted`` the same adjusted for the number of pairs. Null where a route is not defined; the notes say why.
        equality: the hypothesis that all groups have the same effect, by route: ``route, groups, statistic, df1, df2, p_value, draws`` (chi2 where ``df2`` is null).
        vcov: [G, G] covariance of the estimates, stacked;  effects: [G] the estimates.
        notes: groups left out and why, routes that are not defined;  meta: period effects, strata, draws, seed, adjustment, clusters that span groups.
    """

    method: str
    outcome: str
    by: str
    groups: tuple[str, ...]
    frame: pl.DataFrame
    differences: pl.DataFrame
    equality: pl.DataFrame
    vcov: Floats
    effects: tuple[Effects, ...]
    notes: tuple[Note, ...] = ()
    meta: Mapping[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        told = ", ".join(f"{g} {e:.4g}" for g, e in self.frame.select("group", "estimate").iter_rows())
        p = self.equality.filter(route="stacked")["p_value"]
        return f"Heterogeneity({self.method}, {self.outcome} by {self.by}: {told}; equal: p = {p[0] if len(p) else float('nan'):.3g})"

    def tidy(self) -> pl.DataFrame:
        """One row per pair of groups: :attr:`differences`."""
        return self.differences


def heterogeneity(
    panel: Panel,
    outcome: str,
    policy: Cohorts,
    by: str | Mapping[str, Sequence[str]],
    method: str = "callaway-santanna",
    *,
    cut: Cut | None = None,
    when: int | None = None,
    covariates: str | Sequence[str] | None = None,
    comparison: str = "never-treated",
    cluster: str | Sequence[str] | None = None,
    anticipation: int = 0,
    fe: Sequence[str] = (),
    tests: Sequence[str] = ROUTES,
    periods: PeriodEffects = "group",
    strata: Strata = "cohort",
    draws: int = 1000,
    refits: int | None = None,
    seed: int = 1,
    few_treated: int = FEW,
    adjustment: Adjustment = "holm",
    level: float = 0.95,
    **options: Any,
) -> Heterogeneity:
    """Estimate the effect within each group of units, and test whether the effects differ.

    Args:
        panel, outcome, policy, method, covariates, comparison, cluster, anticipation, fe, options: as in :func:`hinterland.estimate`.
        by: a packaged region set (``macro-region``, ``sichuan-chongqing``, …), a column that is constant within units, or the units of each group by name.
            Where there is one group only, the other units are the group ``outside``.
        cut: cut the numeric column ``by`` at its ``median``, ``terciles``, ``quartiles`` or at thresholds;  when: by its values in this period, before
            the first adoption (by default the last one before it).
        tests: some of ``interaction``, ``stacked``, ``permutation``.
        periods: of the interaction: period effects and covariates by ``group`` (its estimates are then those of the groups one by one) or ``common``.
        strata: labels are permuted within ``cohort`` or within treatment ``status``.
        draws, seed: of the permutation;  refits: most draws for an estimator without a batch, which is fitted anew for each (``draws`` by default; 0: none).
        few_treated: a group with at most this many treated clusters is not judged by its standard error: its differences rely on the permutation.
        adjustment: for the number of pairs, see :func:`hinterland.adjust`;  level: of the intervals.

    Raises:
        PanelError: groups that are none; unknown columns and units.
        EstimationError: bad options, or fewer than two groups that can be estimated.
    """
    chosen = find_method(method)
    asked = Asked(tuple(tests), periods, Request(draws, seed, strata, draws if refits is None else refits, level), few_treated, adjustment)
    fail_if_bad(asked)
    first = policy.table.filter(pl.col("cohort").is_not_null() & ~pl.col("excluded"))["cohort"].min()
    groups = make_groups(panel, by, cut, when, None if first is None else int(first))  # type: ignore[arg-type]  # a year
    design = make_design(
        panel,
        outcome,
        policy,
        covariates=covariates,
        fe=fe,
        comparison=comparison,
        anticipation=anticipation,
        cluster=cluster,
        columns=columns_of(chosen, options),
    )
    fail_if_not_accepted(chosen, design)
    return compare_groups(design, groups, method, options, tests=asked, by=by if isinstance(by, str) else "groups")


def make_groups(
    panel: Panel, by: str | Mapping[str, Sequence[str]], cut: Cut | None = None, when: int | None = None, first: int | None = None
) -> pl.DataFrame:
    """``unit`` and ``group`` of what ``by`` names, with the rest where it is one group; ``first``: the earliest adoption."""
    if isinstance(by, str):
        if cut is not None:
            return cut_groups(panel, by, cut, when, first)
        return with_rest(panel, region_groups(panel, by) if by in region_sets() else column_groups(panel, by))
    return with_rest(panel, listed_groups(panel, by))


def compare_groups(
    design: Design, groups: pl.DataFrame, method: str, options: Mapping[str, Any], *, tests: Asked, by: str
) -> Heterogeneity:
    """The same on a design that exists already, for ``groups`` (``unit``, ``group``)."""
    known = find_method(method).options
    options = {name: value for name, value in options.items() if name not in known or value != known[name].default}
    case = Case(fit_groups(design, *codes_of(design, groups), method, options), method, options, tests)
    joint, notes = joint_of(case)
    differences, told = pairs(case, joint)
    equality, more = equal(case, joint)
    fits, stacked, request = case.fits, joint.stacked, tests.request
    return Heterogeneity(
        method=method,
        outcome=design.outcome,
        by=by,
        groups=fits.labels,
        frame=group_frame(fits, tests.few, request.draws, request.seed),
        differences=differences,
        equality=equality,
        vcov=np.full((len(fits.groups),) * 2, np.nan) if stacked is None else stacked.vcov,
        effects=tuple(g.effects for g in fits.groups),
        notes=_once([*fits.notes, *few_note(fits, tests.few), *notes, *told, *more]),
        meta={
            "periods": tests.periods,
            "strata": request.strata,
            "seed": request.seed,
            "draws": request.draws,
            "adjustment": tests.adjustment,
            "cluster": " + ".join(c.name for c in design.clusters),
            "shared_clusters": 0 if stacked is None else stacked.shared,
            "few_treated": tests.few,
        },
    )


def _once(notes: Sequence[Note]) -> tuple[Note, ...]:
    """Each note once, in order."""
    found: list[Note] = []
    for note in notes:
        if note not in found:
            found.append(note)
    return tuple(found)
