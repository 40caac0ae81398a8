"""The panel that synthetic difference-in-differences is estimated on: one block per cohort, all against the same controls."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hinterland.data.cohorts import NEVER
from hinterland.errors import EstimationError, Finding, listed
from hinterland.evaluate.callaway_santanna import sum_by_cluster, unit_clusters
from hinterland.evaluate.design import Design
from hinterland.evaluate.event_study import without_always_treated
from hinterland.labels import Note

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
METHOD = "sdid"


@dataclass(frozen=True, slots=True)
class Block:
    """One cohort: its label, its ``units``, and the number of periods ``before`` it is treated."""

    cohort: int
    units: NDArray[np.intp]
    before: int


@dataclass(frozen=True, slots=True)
class Sample:
    """N units, T periods, C clusters.

    ``design``: without always-treated units;  ``periods`` [T];  ``y`` [N, T] outcomes, net of covariates once these are projected out;
    ``controls`` [n] and ``blocks``: who is compared with whom;  ``cluster`` [N].
    """

    design: Design
    periods: Ints
    y: Floats
    controls: NDArray[np.intp]
    blocks: tuple[Block, ...]
    cluster: NDArray[np.int32]
    notes: tuple[Note, ...]

    @property
    def n_clusters(self) -> int:
        """Number of clusters C."""
        return self.design.clusters[0].size

    @property
    def clustered(self) -> bool:
        """Whether some cluster holds more than one unit."""
        return self.n_clusters < self.design.n_units

    def by_cluster(self, values: Floats, units: NDArray[np.intp]) -> Floats:
        """[C, ...] sums over clusters of ``values`` [len(units), ...]."""
        flat = values.reshape(len(units), -1)
        return sum_by_cluster(flat, self.cluster[units], self.n_clusters).reshape(self.n_clusters, *values.shape[1:])

    def count_by_cluster(self, units: NDArray[np.intp]) -> Floats:
        """[C] how many of ``units`` are in each cluster."""
        return np.bincount(self.cluster[units], minlength=self.n_clusters).astype(np.float64)


def make_sample(design: Design) -> Sample:
    """Leave out always-treated units; the controls are the never-treated, or the last cohort where nobody is never treated.

    The last cohort serves only where the design compares with the not yet treated; periods from its adoption on are not used.

    Raises:
        EstimationError: nobody is a control throughout; nobody else is treated; clusters that cut through units.
    """
    design = without_always_treated(design)
    cluster = unit_clusters(design)
    cohort, periods, notes = design.cohort, design.periods, []
    never = cohort == NEVER
    if not never.any():
        _fail_if_no_control(design)
        last = int(cohort.max())
        never = cohort == last
        width = int(np.searchsorted(periods, last))
        notes.append(Note("sdid-last-cohort", {"cohort": last, "count": int(never.sum()), "periods": len(periods) - width}))
        periods = periods[:width]
    y = design.y.reshape(design.n_units, design.n_periods)[:, : len(periods)]
    labels = np.unique(cohort[~never])
    blocks = tuple(Block(int(g), np.flatnonzero(cohort == g), int(np.searchsorted(periods, g))) for g in labels if g <= periods[-1])
    if short := [b.cohort for b in blocks if b.before == 1]:
        notes.append(Note("sdid-one-period-before", {"count": len(short), "cohorts": listed(short, 12)}))
    return Sample(design, periods, y, np.flatnonzero(never), blocks, cluster, tuple(notes))


def _fail_if_no_control(design: Design) -> None:
    where = f"{design.n_units} units, {design.periods[0]}–{design.periods[-1]}; cohorts {listed(design.cohorts.tolist(), 8)}"
    if design.comparison == "never-treated":
        what = "every unit is treated in the end: there is no never-treated unit to build a synthetic control from"
        remedy = "set comparison='not-yet-treated', which takes the last cohort as controls until it is treated"
        raise EstimationError(Finding("no-never-treated", what, where, remedy), "comparison group")
    if len(design.cohorts) < 2:
        what = "every unit is first treated in the same period: there is nobody to compare with"
        raise EstimationError(Finding("no-comparison", what, where, "add units that are treated later or never"), "comparison group")
