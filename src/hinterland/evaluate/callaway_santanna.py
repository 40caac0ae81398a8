"""Group-time average treatment effects (Callaway & Sant'Anna 2021, Journal of Econometrics 225(2)).

ATT(g, t) is the effect in period t on the units first treated in g. It is identified against units never treated, or not yet
treated by t, from the change of the outcome since a base period before adoption, conditional on covariates.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from hinterland.data.cohorts import NEVER
from hinterland.errors import DataWarning, EstimationError, EstimationWarning, Finding, did_you_mean, fail_if_any, listed
from hinterland.evaluate.design import Design
from hinterland.evaluate.drdid import OVERLAP_LIMIT, EstMethod, Floats, Rule
from hinterland.evaluate.drdid_sections import InfluenceOf
from hinterland.evaluate.group_time import (
    LEFT_OUT,
    BasePeriod,
    Estimates,
    Grid,
    Grouping,
    Sample,
    estimate_panel,
    estimate_sections,
    make_grid,
)
from hinterland.evaluate.group_time_sample import make_covariates, make_sample, make_scope
from hinterland.evaluate.result import CohortShares, Effects, Terms
from hinterland.evaluate.threads import one_thread
from hinterland.labels import Note

Ints = NDArray[np.int64]
Unbalanced = Literal["pairwise", "balance"]

_CHOICES: dict[str, tuple[str, ...]] = {
    "est_method": ("dr", "ipw", "or"),
    "base_period": ("varying", "universal"),
    "unbalanced": ("pairwise", "balance"),
    "influence_of": ("exact", "drdid"),
}


@one_thread()
def fit(
    design: Design,
    *,
    est_method: EstMethod = "dr",
    base_period: BasePeriod = "varying",
    panel: bool = True,
    trim: float = 0.995,
    unbalanced: Unbalanced = "pairwise",
    influence_of: InfluenceOf = "exact",
) -> Effects:
    """Group-time effects of every cohort in every period, with their influence functions by cluster.

    Args:
        design: what is estimated on what; its comparison rule and anticipation apply.
        est_method: ``dr`` doubly robust, ``ipw`` inverse probability weighting, ``or`` outcome regression. Without covariates
            the three are one.
        base_period: ``varying`` compares each period before treatment with the one before it; ``universal`` compares every
            period with the last one more than ``anticipation`` before adoption, whose effect is zero by construction.
        panel: ``False`` pools rows as repeated cross-sections; units may then come and go, and influence is summed by cluster.
        trim: comparison units with a propensity score of at least this get no weight.
        unbalanced: with gaps in the panel, ``pairwise`` uses for each cell every unit seen in its two periods; ``balance`` first
            leaves out units with a gap.
        influence_of: of ``dr`` on repeated cross-sections: ``exact``, or ``drdid`` to repeat the standard errors of R's DRDID, where
            one term has the opposite sign.

    Returns:
        Effects with aggregation ``group-time``, terms ordered by cohort then period. A cell that cannot be estimated stays, with
        a missing estimate and a note that says why. Standard errors use the normal distribution and no small-sample factor.

    Raises:
        EstimationError: unknown options; nobody to compare with; no cohort with a period before it; no cell that can be
            estimated; clusters that cut through units.
    """
    _fail_if_bad_options(
        {"est_method": est_method, "base_period": base_period, "unbalanced": unbalanced, "influence_of": influence_of}, panel, trim
    )
    scope = make_scope(design, panel and unbalanced == "balance")
    covariates = make_covariates(design, scope, panel)
    sample = make_sample(design, scope, covariates.x)
    grid = make_grid(sample.periods, sample.treated, design.anticipation, base_period)
    rule = Rule(est_method if covariates.names else "or", trim)
    clusters = design.clusters[0]
    if panel:
        codes = unit_clusters(design)
        estimates = estimate_panel(sample, grid, rule)
        influence = sum_by_cluster(estimates.influence, codes, clusters.size)
    else:
        estimates = estimate_sections(sample, Grouping(clusters.codes[scope.rows], clusters.size), grid, rule, influence_of)
        influence = estimates.influence
    _fail_if_nothing(design, sample, grid, estimates)
    notes = (*scope.notes, *covariates.notes, *size_notes(sample), *gap_notes(sample, panel), *_cell_notes(sample, grid, estimates, trim))
    _warn(notes)
    return Effects(
        method="callaway-santanna",
        outcome=design.outcome,
        aggregation="group-time",
        terms=_terms(sample, grid, estimates),
        estimate=estimates.att,
        vcov=influence.T @ influence,
        influence=influence,
        clusters=_labels(design),
        shares=cohort_shares(design, sample),
        notes=(*design.notes, *notes),
        meta={
            "estimand": "ATT(g,t)",
            "est_method": est_method,
            "base_period": base_period,
            "panel": panel,
            "trim": trim,
            "covariates": list(covariates.names),
            **_facts(design, sample),
        },
    )


def _fail_if_bad_options(given: Mapping[str, str], panel: object, trim: object) -> None:
    findings = [
        Finding("unknown-value", f"{name} is {value!r}", f"option {name} of callaway-santanna", did_you_mean(str(value), _CHOICES[name]))
        for name, value in given.items()
        if value not in _CHOICES[name]
    ]
    if not isinstance(panel, bool):
        findings.append(Finding("unknown-value", f"panel is {panel!r}", "option panel of callaway-santanna", "give true or false"))
    if isinstance(trim, bool) or not isinstance(trim, int | float) or not 0 < trim <= 1:
        findings.append(
            Finding("bad-trim", f"trim is {trim!r}", "option trim of callaway-santanna", "give a propensity score above 0, up to 1")
        )
    fail_if_any(findings, "options", EstimationError)


def unit_clusters(design: Design) -> NDArray[np.int32]:
    """[N] cluster of each unit. Raises ``EstimationError`` where a unit is in more than one."""
    factor = design.clusters[0]
    codes = np.zeros(design.n_units, dtype=np.int32)
    codes[design.unit] = factor.codes
    moved = np.unique(design.unit[codes[design.unit] != factor.codes])
    if len(moved):
        what = f"cluster {factor.name!r} changes over time in {len(moved)} unit(s)"
        remedy = "cluster on a column that is constant within unit, or set panel=False"
        raise EstimationError(Finding("cluster-not-nested", what, listed(design.unit_labels[moved]), remedy), "clusters")
    return codes


def sum_by_cluster(values: Floats, codes: NDArray[np.int32], size: int) -> Floats:
    """[C, p] sums of ``values`` [N, p] over the clusters ``codes`` [N]."""
    if (codes[:-1] < codes[1:]).all():
        return values if size == len(codes) else _spread(values, codes, size)
    order = np.argsort(codes, kind="stable")
    present, starts = np.unique(codes[order], return_index=True)
    return _spread(np.add.reduceat(values[order], starts, axis=0), present, size)


def _spread(values: Floats, where: NDArray[Any], size: int) -> Floats:
    """[size, p] ``values`` in the rows ``where``, zeros elsewhere."""
    out = np.zeros((size, values.shape[1]))
    out[where] = values
    return out


def _labels(design: Design) -> NDArray[np.str_]:
    factor = design.clusters[0]
    return np.arange(factor.size).astype(np.str_) if factor.labels is None else factor.labels


def cohort_shares(design: Design, sample: Sample) -> CohortShares:
    """Weighted share of each estimated cohort among the units used; a unit weighs what it does in its first period (mean over
    its periods, if it misses some).
    """
    n = len(sample.cohort)
    used = sample.cohort != LEFT_OUT
    if sample.w is None:
        weight = np.ones(n)
    else:
        seen = np.bincount(sample.unit, minlength=n)
        if (seen[used] == len(sample.periods)).all():
            weight = np.zeros(n)
            weight[sample.unit[sample.period == 0]] = sample.w[sample.period == 0]
        else:
            weight = np.bincount(sample.unit, sample.w, n) / np.maximum(seen, 1)
    weight = np.where(used, weight, 0.0)
    weight /= weight.sum()
    member = (sample.cohort[:, None] == sample.treated) * weight[:, None]
    share = member.sum(axis=0)
    codes = np.zeros(n, dtype=np.int32)
    codes[design.unit] = design.clusters[0].codes
    return CohortShares(sample.treated, share, sum_by_cluster(member - weight[:, None] * share, codes, design.clusters[0].size))


def _fail_if_nothing(design: Design, sample: Sample, grid: Grid, estimates: Estimates) -> None:
    if np.isfinite(estimates.att[~grid.reference]).any():
        return
    notes = _cell_notes(sample, grid, estimates, 1.0)
    why = " ".join(str(n) for n in notes) or "no period before or after adoption"
    fewer = "use fewer covariates, or est_method='or'; " if design.covariates.shape[1] else ""
    remedy = f"{fewer}choose a comparison group with more units, or start the panel earlier"
    where = f"method callaway-santanna, outcome {design.outcome!r}"
    raise EstimationError(Finding("no-cell", f"no group-time effect can be estimated: {why}", where, remedy), "cells")


def size_notes(sample: Sample) -> Iterable[Note]:
    """Cohorts and comparison groups of few units."""
    sizes = {int(g): int((sample.cohort == g).sum()) for g in sample.treated}
    needed = sample.x.shape[1] + 4
    if single := [g for g, n in sizes.items() if n == 1]:
        yield Note("cs-single-unit-cohorts", {"count": len(single), "cohorts": listed(single, 12)})
    if small := [f"{g} ({n})" for g, n in sizes.items() if 1 < n < needed]:
        yield Note("cs-small-cohorts", {"count": len(small), "cohorts": ", ".join(small)})
    never = int((sample.cohort == NEVER).sum())
    if sample.never_only and never < needed:
        yield Note("cs-few-never-treated", {"count": never})


def gap_notes(sample: Sample, panel: bool) -> Iterable[Note]:
    """What is done with units that miss periods."""
    used = int((sample.cohort != LEFT_OUT).sum())
    if not panel:
        yield Note("cs-cross-sections", {"rows": len(sample.y)})
        return
    seen = np.bincount(sample.unit, minlength=len(sample.cohort))
    gaps = int(((seen < len(sample.periods)) & (sample.cohort != LEFT_OUT)).sum())
    if gaps:
        yield Note("cs-pairwise", {"count": gaps, "units": used})


def _cell_notes(sample: Sample, grid: Grid, estimates: Estimates, trim: float) -> Iterable[Note]:
    cells = [f"({g}, {sample.periods[t]})" for g, t in zip(grid.cohort, grid.time, strict=True)]
    for problem in ("no-treated", "no-comparison", "few-comparison", "few-treated", "no-overlap", "all-trimmed"):
        if hit := [c for c, p in zip(cells, estimates.problem, strict=True) if p == problem]:
            yield Note(
                f"cs-{problem}", {"count": len(hit), "cells": ", ".join(hit[:8]) + (" …" if len(hit) > 8 else ""), "limit": OVERLAP_LIMIT}
            )
    if (estimates.trimmed > 0).any():
        count = int((estimates.trimmed > 0).sum())
        yield Note("cs-trimmed", {"count": count, "most": int(estimates.trimmed.max()), "trim": trim})


_DATA = frozenset({"cs-always-treated", "cs-no-never-treated", "cs-units-with-gaps"})
_FIT = frozenset(
    {"cs-single-unit-cohorts", "cs-few-never-treated", "cs-few-comparison", "cs-few-treated", "cs-no-overlap", "cs-all-trimmed"}
)


def _warn(notes: Iterable[Note]) -> None:
    """Issue as warnings the notes that change what is estimated, or that leave estimates missing."""
    for note in notes:
        if note.code in _DATA:
            warnings.warn(str(note), DataWarning, stacklevel=5)
        elif note.code in _FIT:
            warnings.warn(str(note), EstimationWarning, stacklevel=5)


def _terms(sample: Sample, grid: Grid, estimates: Estimates) -> Terms:
    time = sample.periods[grid.time]
    members = np.array([int((sample.cohort == g).sum()) for g in sample.treated])
    n_treated = np.where(grid.reference, members[np.searchsorted(sample.treated, grid.cohort)], estimates.n_treated)
    names = tuple(f"cohort={g},time={t}" for g, t in zip(grid.cohort, time, strict=True))
    return Terms.make(names, cohort=grid.cohort, time=time, event_time=time - grid.cohort, reference=grid.reference, n_treated=n_treated)


def _facts(design: Design, sample: Sample) -> dict[str, Any]:
    used = sample.cohort != LEFT_OUT
    rows = np.bincount(sample.unit, minlength=len(used))
    clusters = np.zeros(design.clusters[0].size, dtype=np.bool_)
    clusters[design.clusters[0].codes[used[design.unit]]] = True
    return {
        "comparison": design.comparison,
        "anticipation": design.anticipation,
        "fixed_effects": [],
        "weights": design.weight_name,
        "cluster": [design.clusters[0].name],
        "vcov": "cluster",
        "n_clusters": int(clusters.sum()),
        "n_obs": int(rows[used].sum()),
        "n_units": int(used.sum()),
        "n_treated": int((used & (sample.cohort != NEVER)).sum()),
        "n_never": int((sample.cohort == NEVER).sum()),
        "n_periods": len(sample.periods),
        "first_period": int(sample.periods[0]),
        "last_period": int(sample.periods[-1]),
    }
