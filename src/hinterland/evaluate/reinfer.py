"""Other covariances for estimators that are known by their influence function: several groupings, and distance.

The estimator is fitted with the unit as cluster, so that ψ [N, p] holds each unit's influence on each estimate, whatever its correlation over
time. Then V = Σ_ij K_ij ψ_i ψ_j', with K_ij = 1 where units share a group (less the double counting: Cameron, Gelbach & Miller 2011), or
a kernel of their distance (Conley 1999). Cohort shares are estimates too and enter the same sum, so that averages are right as well.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hinterland.errors import EstimationError, Finding, fail_if_any, listed
from hinterland.evaluate.coding import Factor, Floats
from hinterland.evaluate.design import Design
from hinterland.evaluate.inference import near_notes, neighbourhood, spatial_findings
from hinterland.evaluate.result import Effects
from hinterland.evaluate.vcov import intersect, nearest_positive
from hinterland.evaluate.vcov_spatial import Kernel
from hinterland.evaluate.vcov_time import sum_columns
from hinterland.labels import Note

Fit = Callable[[Design], Effects]


def fit_with_vcov(
    fit: Fit, design: Design, *, vcov: str = "cluster", cutoff_km: float | None = None, kernel: Kernel = "uniform"
) -> Effects:
    """What ``fit`` estimates on ``design``, with the covariance asked for.

    Args:
        fit: an estimator whose covariance is the product of its influence function by cluster.
        design: its grouping, or groupings, must be constant within units where there are several.
        vcov: ``cluster`` or ``conley``;  cutoff_km, kernel: of ``conley``.

    Raises:
        EstimationError: options that do not go together; a grouping that changes within units; units without coordinates.
    """
    fail_if_any(spatial_findings(vcov, cutoff_km, kernel), "options", EstimationError)
    if vcov == "cluster" and len(design.clusters) == 1:
        return fit(design)
    groups = [_by_unit(design, c) for c in design.clusters] if vcov == "cluster" else []
    near = neighbourhood(design, cutoff_km, kernel) if vcov == "conley" else None
    unit = Factor(design.unit_name, design.unit, design.n_units, design.unit_labels)
    effects = fit(replace(design, clusters=(unit,)))
    joint = _on_all_units(design, effects)
    if near is not None:
        facts: dict[str, Any] = {"cutoff_km": float(near.cutoff_km), "kernel": near.kernel, "mean_neighbours": near.mean_neighbours}
        return _with_joint(effects, near.products(joint), "conley", facts, near_notes(near))
    sizes = [g.size for g in groups]
    facts = {"cluster": [g.name for g in groups], "n_clusters": min(sizes), "cluster_sizes": sizes}
    return _by_first(_with_joint(effects, _several(joint, groups), "cluster", facts, ()), joint, groups[0])


def _by_unit(design: Design, cluster: Factor) -> Factor:
    """The grouping of the units [N]. Raises ``EstimationError`` where a unit is in more than one group."""
    codes = np.zeros(design.n_units, dtype=np.int32)
    codes[design.unit] = cluster.codes
    moved = np.unique(design.unit[codes[design.unit] != cluster.codes])
    if len(moved):
        what = f"cluster {cluster.name!r} changes over time in {len(moved)} unit(s)"
        remedy = "cluster on columns that are constant within unit, or choose a regression (twfe, event-study)"
        raise EstimationError(Finding("cluster-not-nested", what, listed(design.unit_labels[moved].tolist()), remedy), "clusters")
    return Factor(cluster.name, codes, cluster.size, cluster.labels)


def _on_all_units(design: Design, effects: Effects) -> Floats:
    """[N, p + K] influence of every unit of the design on the estimates and the shares; zero for units that were not used."""
    if not effects.from_influence:
        what = f"the covariance of {effects.method} is not that of its influence function by unit"
        raise EstimationError(Finding("not-from-influence", what, "option vcov", "choose vcov='cluster' on one column"), "options")
    shares = effects.shares
    values = effects.influence if shares is None else np.hstack([effects.influence, shares.influence])
    order = np.argsort(design.unit_labels)
    place = order[np.searchsorted(design.unit_labels, effects.clusters, sorter=order)]
    out = np.zeros((design.n_units, values.shape[1]))
    out[place] = values
    return out


def _several(joint: Floats, groups: Sequence[Factor]) -> Floats:
    """Inclusion and exclusion over the intersections of the groupings."""
    total = np.zeros((joint.shape[1], joint.shape[1]))
    for count in range(1, len(groups) + 1):
        for chosen in combinations(groups, count):
            group = chosen[0] if count == 1 else intersect(chosen)
            sums = sum_columns(group.codes, joint, group.size)
            total += (-1) ** (count + 1) * (sums.T @ sums)
    return total


def _with_joint(effects: Effects, joint: Floats, vcov: str, facts: dict[str, Any], notes: Sequence[Note]) -> Effects:
    """The effects with the covariance ``joint`` [p + K, p + K] of estimates and shares."""
    joint, p = (joint + joint.T) / 2, len(effects.estimate)
    own, repaired = nearest_positive(joint[:p, :p])
    shares = effects.shares if effects.shares is None else replace(effects.shares, joint=joint)
    said = (*notes, Note("covariance-repaired", {"vcov": vcov})) if repaired else tuple(notes)
    df = effects.df if "n_clusters" not in facts or np.isinf(effects.df) else float(facts["n_clusters"] - 1)
    meta = {**effects.meta, **facts, **_tested_again(effects, own), "vcov": vcov}
    return replace(effects, vcov=own, shares=shares, df=df, notes=(*effects.notes, *said), meta=meta)


def _tested_again(effects: Effects, vcov: Floats) -> dict[str, Any]:
    """The joint tests that dcdh keeps in ``meta``, with the covariance ``vcov`` [p, p]."""
    if effects.method != "dcdh":
        return {}
    from hinterland.evaluate.dcdh import joint_tests

    return dict(joint_tests(effects.estimate, vcov, effects.terms.event_time))


def _by_first(effects: Effects, joint: Floats, group: Factor) -> Effects:
    """The same with the influence functions summed over the first grouping."""
    p = len(effects.estimate)
    sums = sum_columns(group.codes, joint, group.size)
    shares = effects.shares if effects.shares is None else replace(effects.shares, influence=sums[:, p:])
    labels: NDArray[np.str_] = np.arange(group.size).astype(np.str_) if group.labels is None else group.labels
    return replace(effects, influence=sums[:, :p], shares=shares, clusters=labels)
