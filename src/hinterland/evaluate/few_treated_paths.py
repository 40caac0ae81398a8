"""An estimate's error as a sum over clusters and periods: Σ_c Σ_t κ_ct η_ct.

η_ct is the shock of cluster c in period t, κ_ct the weight with which it enters the estimate. C clusters, T periods. What few treated clusters would have
done is then read off the paths of the others.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hinterland.data.cohorts import NEVER
from hinterland.errors import EstimationError, Finding, fail_if_any, listed
from hinterland.evaluate.coding import Floats
from hinterland.evaluate.design import Design
from hinterland.evaluate.placebo_callaway import callaway_batch
from hinterland.evaluate.placebo_space import batch_findings, without_always_treated
from hinterland.evaluate.regression import TREATED, treatment
from hinterland.evaluate.vcov import resolve_ssc
from hinterland.evaluate.wild_regression import regression, restrictions
from hinterland.labels import Note


@dataclass(frozen=True, slots=True)
class Contributions:
    """What an estimate is made of, by cluster and period.

    Attributes:
        estimate: τ̂.
        kappa: [C, T] weights;  path: [C, T] mean residuals, NaN where a cluster is not observed;  step: [C, T] what one unit of δ adds to the residuals of
            the model restricted to τ̂ − δ.
        size: [C] units (or weight, or the size column) per period.
        treated: [C] clusters with a treated row;  labels: [C].
        notes: what a reader must know.
    """

    estimate: float
    kappa: Floats
    path: Floats
    step: Floats
    size: Floats
    treated: NDArray[np.bool_]
    labels: NDArray[np.str_]
    notes: tuple[Note, ...]

    @property
    def complete(self) -> NDArray[np.bool_]:
        """[C] clusters observed in every period."""
        return np.asarray(np.isfinite(self.path).all(axis=1))


def contributions(design: Design, estimator: str, size: Floats | None) -> Contributions:
    """The contributions to the static two-way fixed-effects coefficient, or to the overall effect of ``callaway-santanna``.

    Args:
        size: [n] the size of each row, or ``None``: its weight, or one.

    Raises:
        EstimationError: another estimator, several cluster columns, clusters that units move between, or what the estimator cannot estimate.
    """
    _fail_if_not_possible(design, estimator)
    if estimator == "twfe":
        return _regression(design, size)
    return _group_time(design, size)


def _fail_if_not_possible(design: Design, estimator: str) -> None:
    findings = []
    if estimator not in ("twfe", "callaway-santanna"):
        remedy = "choose 'twfe' or 'callaway-santanna'; randomisation_test takes any estimator"
        findings.append(Finding("unknown-value", f"estimator is {estimator!r}", "argument estimator", remedy))
    if estimator == "callaway-santanna":
        findings += batch_findings(design, estimator)
    elif len(design.clusters) > 1:
        where = f"cluster = {', '.join(c.name for c in design.clusters)}"
        findings.append(
            Finding("not-batched", "inference with few treated clusters takes one-way clusters", where, "cluster on one column")
        )
    codes = design.clusters[0].codes
    owner = np.zeros(design.n_units, dtype=codes.dtype)
    owner[design.unit] = codes
    moved = np.unique(design.unit[owner[design.unit] != codes])
    if len(moved):
        what = f"cluster {design.clusters[0].name!r} changes over time in {len(moved)} unit(s)"
        remedy = "cluster on a column that is constant within unit"
        findings.append(Finding("cluster-not-nested", what, listed(design.unit_labels[moved].tolist()), remedy))
    fail_if_any(findings, "few treated clusters", EstimationError)


def _cells(design: Design, values: Floats) -> Floats:
    """[C, T] sums of values by cluster and period."""
    factor = design.clusters[0]
    code = factor.codes.astype(np.int64) * design.n_periods + design.period
    total = np.bincount(code, weights=values, minlength=factor.size * design.n_periods)
    return total.astype(np.float64, copy=False).reshape(factor.size, design.n_periods)


def _regression(design: Design, size: Floats | None) -> Contributions:
    before = design.n_obs
    fitted = regression(design, "twfe", resolve_ssc("dummies"))
    estimate, restricted = fitted.restrict(restrictions(fitted, "twfe", TREATED)[TREATED], impose_null=True)
    kappa = restricted.wz / float(restricted.z @ restricted.wz)
    if fitted.design.n_obs != before:
        size = None
    return _assemble(fitted.design, estimate, kappa, (fitted.residuals, restricted.z), size)


def _group_time(design: Design, size: Floats | None) -> Contributions:
    """The overall effect is linear in the outcomes: its weight on a unit's period is that of the unit's cohort."""
    before = design.n_obs
    design, _ = without_always_treated(design, "callaway-santanna")
    code = np.unique(design.cohort, return_inverse=True)[1].astype(np.intp)
    batch = callaway_batch(design, code, np.unique(design.cohort))
    kappa = batch.path[code].reshape(-1)
    estimate = float(kappa @ design.y)
    never = design.cohort == NEVER
    if not never.any():
        what = "no unit is never treated, so there is no path to read the treated units' shocks off"
        raise EstimationError(
            Finding("no-control-cluster", what, "design", "use randomisation_test, or add units that are never treated"),
            "few treated clusters",
        )
    treated = treatment(design)
    rest = (design.y - estimate * treated).reshape(design.n_units, -1)
    rest = (rest - rest[never].mean(axis=0)).reshape(-1)
    return _assemble(design, estimate, kappa, (rest, treated), size if design.n_obs == before else None)


def _assemble(design: Design, estimate: float, kappa: Floats, paths: tuple[Floats, Floats], size: Floats | None) -> Contributions:
    weight = np.ones(design.n_obs) if design.weight is None else design.weight
    total = _cells(design, weight)
    seen = total > 0
    with np.errstate(invalid="ignore"):
        path, step = (np.where(seen, _cells(design, weight * p) / total, np.nan) for p in paths)
    rows = _cells(design, weight if size is None else size)
    factor = design.clusters[0]
    labels = np.arange(factor.size).astype(np.str_) if factor.labels is None else factor.labels
    ever = np.bincount(factor.codes[design.treated], minlength=factor.size) > 0
    return Contributions(estimate, _cells(design, kappa), path, step, rows.sum(axis=1) / seen.sum(axis=1), ever, labels, design.notes)
