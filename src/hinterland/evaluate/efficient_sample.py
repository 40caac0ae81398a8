"""The units that estimation under random timing uses, as a panel [N, T] with each unit's cohort."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hinterland.data.cohorts import NEVER
from hinterland.errors import EstimationError, Finding, fail_if_any, listed
from hinterland.evaluate.design import Design
from hinterland.evaluate.efficient_weights import Timing
from hinterland.labels import Note

Floats = NDArray[np.float64]
METHOD = "efficient"


@dataclass(frozen=True, slots=True)
class Sample:
    """``y`` [N, T] outcomes of the units used;  ``group`` [N] index of their cohort in ``timing``;  ``units`` [N] their index in the design."""

    y: Floats
    group: NDArray[np.intp]
    timing: Timing
    units: NDArray[np.intp]
    notes: tuple[Note, ...]


def make_sample(design: Design, drop_always_treated: bool) -> Sample:
    """Leave out cohorts of one unit, whose covariance cannot be estimated, and (asked for) units treated from the first period on.

    Raises:
        EstimationError: clusters other than units; fewer than two cohorts of two units; no cohort treated while another is not.
    """
    _fail_if_clustered(design)
    cohort, notes = design.cohort, []
    keep = np.ones(design.n_units, dtype=np.bool_)
    early = design.always_treated
    if early.any():
        code = "always-treated-dropped" if drop_always_treated else "efficient-levels"
        notes.append(Note(code, {"count": int(early.sum()), "units": listed(design.unit_labels[early].tolist(), 8)}))
        keep &= ~(early & drop_always_treated)
    labels, size = np.unique(cohort[keep], return_counts=True)
    single = labels[size == 1]
    if len(single):
        names = listed(["∞" if g == NEVER else int(g) for g in single], 12)
        who = listed(design.unit_labels[keep & np.isin(cohort, single)].tolist(), 12)
        notes.append(Note("efficient-single-unit-cohorts", {"count": len(single), "cohorts": names, "units": who}))
        keep &= ~np.isin(cohort, single)
        labels, size = labels[size > 1], size[size > 1]
    _fail_if_too_few(design, labels)
    units = np.flatnonzero(keep)
    panel = design.y.reshape(design.n_units, design.n_periods)
    y = panel if len(units) == design.n_units else panel[units]
    return Sample(y, np.searchsorted(labels, cohort[units]), Timing(labels, size.astype(np.int64), design.periods), units, tuple(notes))


def _fail_if_clustered(design: Design) -> None:
    factor = design.clusters[0]
    codes = factor.codes.reshape(design.n_units, -1)
    if factor.size == design.n_units and (codes == codes[:, :1]).all():
        return
    raise EstimationError(
        Finding(
            "cluster-not-unit",
            f"{METHOD} takes its variance from the random timing of units, but clusters are {factor.name!r}",
            f"cluster {factor.name!r}: {factor.size} levels for {design.n_units} units",
            "cluster on the unit; where whole groups adopt at random, average the panel to those groups first",
        ),
        "clusters",
    )


def _fail_if_too_few(design: Design, labels: NDArray[np.int64]) -> None:
    sizes = dict(zip(*np.unique(design.cohort, return_counts=True), strict=True))
    where = "units by cohort: " + listed([f"{'never' if g == NEVER else g}: {n}" for g, n in sizes.items()], 12)
    findings = []
    if len(labels) < 2:
        what = "fewer than two cohorts have two units or more, so nothing can be compared with a known variance"
        findings.append(
            Finding("few-cohorts", what, where, "use a coarser timing rule that makes larger cohorts, or choose callaway-santanna")
        )
    elif labels[0] >= labels[-1] or labels[0] > design.periods[-1]:
        what = "no cohort with two units or more is treated while another is not"
        findings.append(Finding("no-comparison", what, where, "add units that are treated later or never"))
    fail_if_any(findings, "cohorts", EstimationError)
