"""Effects of a dose in every cohort and period: over the cohort's doses, or as a curve averaged over a cohort's treated periods."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hinterland.evaluate.dose_basis import Basis
from hinterland.evaluate.dose_cells import DoseCells, Split, dose_cells
from hinterland.evaluate.drdid import Floats, fit_comparison
from hinterland.evaluate.group_time import Grid, Ints, Sample, contrast_of, make_tensor, plan_cells

Summed = Callable[[Floats], Floats]
Target = Literal["level", "slope"]


@dataclass(frozen=True, slots=True)
class DoseSample:
    """The rows used, each unit's dose [N], the basis, and how influence [N, m] by unit is summed to [C, m] by cluster."""

    sample: Sample
    dose: Floats
    basis: Basis
    by_cluster: Summed


@dataclass(frozen=True, slots=True)
class GroupTimes:
    """p cells: ``estimate`` [p] (NaN where there is none), ``influence`` [C, p], ``n_treated`` [p], ``problem`` [p]."""

    estimate: Floats
    influence: Floats
    n_treated: Ints
    problem: list[str]


@dataclass(frozen=True, slots=True)
class _Made:
    """Cells at positions ``index`` of the grid, with their treated and comparison units; or why there are none."""

    index: Ints
    problem: str
    cells: DoseCells | None = None
    treated: NDArray[np.intp] | None = None
    control: NDArray[np.intp] | None = None


def _every(work: DoseSample, grid: Grid, *, post: bool) -> Iterator[_Made]:
    """The cells, in groups that share units; ``post``: those from adoption on only."""
    sample = work.sample
    tensor = make_tensor(sample)
    wanted = sample.periods[grid.time] >= grid.cohort if post else ~grid.reference
    for key, by_cohort in plan_cells(sample, grid, tensor).items():
        seen = np.True_ if tensor.seen is None else tensor.seen[:, key.time] & tensor.seen[:, key.base]
        control = np.flatnonzero((sample.cohort >= key.after) & (sample.cohort != key.excluded) & seen)
        chosen = {g: np.array(index)[wanted[index]] for g, index in by_cohort.items()}
        cells = np.concatenate(list(chosen.values()))
        if len(cells) == 0:
            continue
        if len(control) == 0:
            yield _Made(cells, "no-comparison")
            continue
        periods = np.unique([grid.time[cells], grid.base[cells]])
        comparison = fit_comparison(tensor.units(control, periods, key.moment), "or")
        for g, index in chosen.items():
            treated = np.flatnonzero((sample.cohort == g) & seen)
            if len(index) == 0:
                continue
            if comparison.singular or len(treated) == 0:
                yield _Made(index, "few-comparison" if comparison.singular else "no-treated")
                continue
            contrast = contrast_of(grid, index, periods)
            units = tensor.units(treated, periods, key.moment)
            yield _Made(index, "", dose_cells(units, work.dose[treated], comparison, contrast, work.basis), treated, control)


def group_times(work: DoseSample, grid: Grid, target: Target) -> GroupTimes:
    """ATT° (``level``) or ACRT° (``slope``) of every cohort in every period."""
    p, n = len(grid.cohort), len(work.sample.cohort)
    estimate = np.where(grid.reference, 0.0, np.nan)
    n_treated, problem = np.zeros(p, dtype=np.int64), ["" if r else "no-comparison" for r in grid.reference]
    influence = np.zeros((work.by_cluster(np.zeros((n, 1))).shape[0], p))
    for made in _every(work, grid, post=False):
        few = made.cells is not None and target == "slope" and (made.cells.inverse is None or bool(np.isnan(made.cells.slope).any()))
        for i in made.index:
            problem[i] = "few-doses" if few else made.problem
        if made.cells is None or few:
            continue
        estimate[made.index] = made.cells.level if target == "level" else made.cells.slope
        n_treated[made.index] = len(made.cells.weight)
        split = made.cells.level_influence() if target == "level" else made.cells.slope_influence()
        influence[:, made.index] = work.by_cluster(_spread(n, made, split))
    return GroupTimes(estimate, influence, n_treated, problem)


def _spread(n: int, made: _Made, split: Split) -> Floats:
    """[N, m] influence by unit."""
    out = np.zeros((n, split.treated.shape[1]))
    out[made.treated] += split.treated
    out[made.control] += split.comparison
    return out


@dataclass(frozen=True, slots=True)
class CohortCurves:
    """Of each of K cohorts, the mean over its treated periods of q functionals.

    ``cohort`` [K]; ``estimate`` [K, q], NaN where the cohort has no unit at a dose that is needed; ``influence`` K arrays [C, q]; ``cells`` [K] periods averaged; ``missing``: cells without a
    curve, ``problem`` of each.
    """

    cohort: Ints
    estimate: Floats
    influence: list[Floats]
    cells: Ints
    missing: list[tuple[int, str]]


def cohort_curves(work: DoseSample, grid: Grid, at: Floats) -> CohortCurves:
    """ATT°, ACRT° (zero for steps, which have no slope) and ``at`` [q, K] @ coefficient by cohort."""
    n, q, slopes = len(work.sample.cohort), 2 + len(at), work.basis.kind != "bins"
    total = {int(g): np.zeros(q) for g in work.sample.treated}
    influence = {int(g): np.zeros((n, q)) for g in work.sample.treated}
    count = dict.fromkeys(total, 0)
    missing: list[tuple[int, str]] = []
    for made in _every(work, grid, post=True):
        cells = made.cells
        if cells is None or cells.inverse is None:
            missing += [(int(i), made.problem or "few-doses") for i in made.index]
            continue
        g = int(grid.cohort[made.index[0]])
        count[g] += len(made.index)
        parts = [_summed(cells.level_influence()), _summed(cells.slope_influence()) if slopes else None, _curve(cells, at)]
        curve = np.where(cells.told(at), (at @ cells.coefficient).sum(axis=1), np.nan)
        total[g] += np.concatenate([[cells.level.sum(), cells.slope.sum() if slopes else 0.0], curve])
        for where, split in zip((slice(0, 1), slice(1, 2), slice(2, q)), parts, strict=True):
            if split is not None:
                influence[g][made.treated, where] += split.treated
                influence[g][made.control, where] += split.comparison
    cohorts = [g for g, m in count.items() if m]
    return CohortCurves(
        np.array(cohorts, dtype=np.int64),
        np.array([total[g] / count[g] for g in cohorts]).reshape(-1, q),
        [work.by_cluster(influence[g] / count[g]) for g in cohorts],
        np.array([count[g] for g in cohorts], dtype=np.int64),
        missing,
    )


def _summed(split: Split) -> Split:
    return Split(split.treated.sum(axis=1, keepdims=True), split.comparison.sum(axis=1, keepdims=True))


def _curve(cells: DoseCells, at: Floats) -> Split:
    """Influence of the curve summed over the cells: residuals are summed first, so that nothing of size [n, q, m] is made."""
    added = DoseCells(
        cells.weight,
        cells.change.sum(axis=1, keepdims=True),
        cells.basis,
        cells.slopes,
        cells.inverse,
        cells.present,
        cells.coefficient.sum(axis=1, keepdims=True),
        cells.covariates,
        cells.lever,
        cells.residual.sum(axis=1, keepdims=True),
    )
    split = added.curve_influence(at)
    return Split(split.treated[:, :, 0], split.comparison[:, :, 0])
