"""Callaway–Sant'Anna overall effects of many permuted assignments at once (balanced, without covariates)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hinterland.data.cohorts import NEVER
from hinterland.evaluate.design import Design
from hinterland.evaluate.group_time import make_grid
from hinterland.evaluate.group_time_sample import make_scope

Floats = NDArray[np.float64]
Index = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Cells:
    """The post-treatment group-time cells of a design, for K cohorts (the never treated among them) and T periods.

    P cells. ``treated`` [P] cohort; ``time``, ``base`` [P] period and base period (positions); ``control`` [P, K] whether a
    cohort is compared with.
    """

    treated: Index
    time: Index
    base: Index
    control: NDArray[np.bool_]


def post_cells(design: Design, cohorts: NDArray[np.int64]) -> Cells:
    """The cells with t ≥ g that ``callaway-santanna`` estimates on ``design``, for the K distinct ``cohorts`` in it.

    Not-yet treated in a cell: cohorts later than max(t, base) + anticipation (Callaway & Sant'Anna 2021, section 2).
    """
    scope = make_scope(design, balance=False)
    periods = design.periods[: scope.n_periods]
    grid = make_grid(periods, scope.treated, design.anticipation, "universal")
    after = periods[grid.time] >= grid.cohort
    treated, time, base = grid.cohort[after], grid.time[after], grid.base[after]
    if design.comparison == "never-treated":
        control = np.broadcast_to(cohorts == NEVER, (len(treated), len(cohorts)))
    else:
        control = cohorts > (periods[np.maximum(time, base)] + design.anticipation)[:, None]
    control = control & (cohorts != treated[:, None])
    some = control.any(axis=1)
    return Cells(np.searchsorted(cohorts, treated)[some], time[some], base[some], control[some])


@dataclass(frozen=True, slots=True)
class CallawayBatch:
    """Everything about a design that no permutation of its cohorts changes.

    ``y`` [N, T]; ``size`` [K] units per cohort;
    ``treated_change``, ``control_change`` [K·T, P] pick the two mean changes of each cell out of the cohort means;
    ``path`` [K, T] weight of a cohort's mean outcomes in the overall effect, per unit; ``centre_treated``, ``centre_control``,
    ``shares`` [P, K] what the influence function of a unit subtracts or adds, by cohort.
    """

    y: Floats
    size: Floats
    treated_change: Floats
    control_change: Floats
    path: Floats
    centre_treated: Floats
    centre_control: Floats
    shares: Floats

    def __call__(self, assignments: Index) -> tuple[Floats, Floats]:
        """Overall effect [R] and influence of each unit on it [R, N] (scaled so that its square sums to the variance) for
        the cohorts ``assignments`` [R, N].
        """
        units = assignments.shape[1]
        means = cohort_means(self.y, self.size, assignments)
        treated, control = means @ self.treated_change, means @ self.control_change
        constant = (treated - control) @ self.shares - treated @ self.centre_treated + control @ self.centre_control
        contribution = (self.y @ self.path.T).ravel().take(assignments + len(self.size) * np.arange(units))
        estimate = contribution.sum(1)
        return estimate, contribution + np.take_along_axis(constant, assignments, axis=1)


def cohort_means(y: Floats, size: Floats, assignments: Index) -> Floats:
    """[R, K·T] means of ``y`` [N, T] over the units of each cohort, for the cohorts ``assignments`` [R, N] and their ``size`` [K]."""
    means = np.stack([((assignments == k).astype(np.float64) @ y) / n for k, n in enumerate(size)], axis=1)
    return np.asarray(means.reshape(len(assignments), -1))


def callaway_batch(design: Design, code: Index, labels: NDArray[np.int64]) -> CallawayBatch:
    """Prepare the batch for a balanced, unweighted design without covariates.

    ``code`` [N] is each unit's cohort, ``labels`` [K] the cohorts' first treated periods, increasing (``NEVER`` = never).
    """
    size = np.bincount(code, minlength=len(labels)).astype(np.float64)
    cells = post_cells(design, labels)
    treated, control = _changes(cells, size, design.n_periods)
    share = size[cells.treated] / size.sum()
    weight = share / share.sum()
    member = (cells.treated[:, None] == np.arange(len(size))).astype(np.float64)
    path = ((treated - control) @ weight).reshape(len(size), -1) / size[:, None]
    return CallawayBatch(
        y=design.y.reshape(design.n_units, design.n_periods),
        size=size,
        treated_change=treated,
        control_change=control,
        path=path,
        centre_treated=weight[:, None] * member / size,
        centre_control=weight[:, None] * cells.control / (cells.control @ size)[:, None],
        shares=_share_influence(member, share) / size.sum(),
    )


def _changes(cells: Cells, size: Floats, periods: int) -> tuple[Floats, Floats]:
    """[K·T, P] weights that turn cohort means into the change of the treated, and of the comparison group, in each cell."""
    count = len(cells.treated)
    rows = np.arange(count)
    step = np.zeros((count, periods))
    step[rows, cells.time] += 1.0
    step[rows, cells.base] -= 1.0
    pooled = cells.control * size / (cells.control @ size)[:, None]
    own = np.zeros((count, len(size)))
    own[rows, cells.treated] = 1.0
    return tuple((who[:, :, None] * step[:, None, :]).reshape(count, -1).T for who in (own, pooled))  # type: ignore[return-value]


def _share_influence(member: Floats, share: Floats) -> Floats:
    """[P, K] derivative of the overall effect along a unit's influence on the cohort shares, per cell effect."""
    total = share.sum()
    own = member - share[:, None]
    return np.asarray(own / total - share[:, None] * own.sum(0) / total**2)
