"""Group-time cells: which cohort, period and base, on which units, and the estimates of all of them at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hinterland.data.cohorts import NEVER
from hinterland.evaluate.drdid import Cells, Floats, Problem, Rule, Units, fit_comparison, panel_cells
from hinterland.evaluate.drdid_sections import InfluenceOf, Rows, section_cell

Ints = NDArray[np.int64]
BasePeriod = Literal["varying", "universal"]

LEFT_OUT: int = int(np.iinfo(np.int64).min)
"""Cohort of a unit that takes no part: it is neither treated nor compared with."""


@dataclass(frozen=True, slots=True)
class Grid:
    """The p cells: ``cohort`` [p] (label), ``time`` and ``base`` [p] (indices into the periods), ``reference`` [p]: the cell is zero
    because its period is its base.
    """

    cohort: Ints
    time: Ints
    base: Ints
    reference: NDArray[np.bool_]


def make_grid(periods: Ints, cohorts: Ints, anticipation: int, base_period: BasePeriod) -> Grid:
    """Cells ordered by cohort, then period.

    From the first treated period on, the base is the last period more than ``anticipation`` before adoption; before it, the
    base is the period before (``varying``) or that same last period (``universal``). Every cohort has such a period.
    """
    rows = []
    for g in cohorts:
        last = int(np.searchsorted(periods + anticipation, g)) - 1
        for t in range(0 if base_period == "universal" else 1, len(periods)):
            base = last if base_period == "universal" or periods[t] >= g else t - 1
            rows.append((int(g), t, base))
    table = np.array(rows, dtype=np.int64).reshape(-1, 3)
    return Grid(table[:, 0], table[:, 1], table[:, 2], table[:, 1] == table[:, 2])


@dataclass(frozen=True, slots=True)
class Sample:
    """What is estimated on.

    N units, T periods, k covariates (the first is the constant). ``cohort`` [N]: first treated period, ``NEVER``, or
    ``LEFT_OUT``; ``treated``: the K cohorts to estimate; ``periods`` [T]. Rows (n of them): ``unit``, ``period`` (indices), ``y``,
    ``w`` [n] or ``None``, and ``x`` [n, k], or [N, k] when units are seen in every period and no covariate varies over time.
    ``never_only``: compare with never-treated units only.
    """

    cohort: Ints
    treated: Ints
    periods: Ints
    unit: NDArray[np.int32]
    period: NDArray[np.int32]
    y: Floats
    x: Floats
    w: Floats | None
    never_only: bool
    anticipation: int


Trouble = Problem | Literal["no-treated", "no-comparison"]


@dataclass(frozen=True, slots=True)
class Estimates:
    """p cells: ``att`` [p] (NaN where there is none), ``influence`` [N, p] by unit (panel) or [C, p] by cluster (cross-sections),
    ``n_treated`` [p] units or rows, ``trimmed`` [p] comparison units left out for their score, ``problem`` [p].
    """

    att: Floats
    influence: Floats
    n_treated: Ints
    trimmed: Ints
    problem: list[Trouble]

    @classmethod
    def empty(cls, rows: int, grid: Grid) -> Estimates:
        """To be filled in: zero for reference cells, NaN for the others."""
        p = len(grid.cohort)
        att = np.where(grid.reference, 0.0, np.nan)
        return cls(att, np.zeros((rows, p)), np.zeros(p, dtype=np.int64), np.zeros(p, dtype=np.int64), [""] * p)


class CellKey(NamedTuple):
    """What cells must have in common to share a comparison group: its first cohort, the cohort left out of it, the period whose
    covariates and weights are used (-1: they never vary), and the two periods (-1: no unit misses any).
    """

    after: int
    excluded: int
    moment: int
    time: int
    base: int


@dataclass(frozen=True, slots=True)
class Tensor:
    """The rows as arrays: ``y`` [N, T], ``x`` [N, T or 1, k], ``w`` [N, T or 1] or ``None``, ``seen`` [N, T] or ``None`` (all are)."""

    y: Floats
    x: Floats
    w: Floats | None
    seen: NDArray[np.bool_] | None

    @property
    def varies(self) -> bool:
        """Whether covariates or weights change over time."""
        return self.x.shape[1] > 1 or (self.w is not None and self.w.shape[1] > 1)

    def units(self, index: NDArray[np.intp], periods: Ints, moment: int) -> Units:
        """Units at ``index``: their outcome in ``periods``, their covariates and weights at period ``moment``."""
        y = self.y[index[:, None], periods] if len(periods) < self.y.shape[1] else self.y[index]
        x = self.x[index, moment if self.x.shape[1] > 1 else 0]
        return Units(y, x, None if self.w is None else self.w[index, moment if self.w.shape[1] > 1 else 0])


def make_tensor(sample: Sample) -> Tensor:
    """The rows of ``sample`` by unit and period; covariates and weights keep one period where they never vary."""
    n, t, k = len(sample.cohort), len(sample.periods), sample.x.shape[1]
    if len(sample.y) == n * t:
        x = sample.x.reshape(n, -1, k)
        w = None if sample.w is None else sample.w.reshape(n, t)
        w = w[:, :1] if w is not None and (w == w[:, :1]).all() else w
        return Tensor(sample.y.reshape(n, t), x, w, None)
    where = (sample.unit, sample.period)
    seen, y, x = np.zeros((n, t), dtype=np.bool_), np.full((n, t), np.nan), np.zeros((n, t, k))
    seen[where], y[where], x[where] = True, sample.y, sample.x
    w = None
    if sample.w is not None:
        w = np.zeros((n, t))
        w[where] = sample.w
    return Tensor(y, x, w, seen)


def plan_cells(sample: Sample, grid: Grid, tensor: Tensor) -> dict[CellKey, dict[int, list[int]]]:
    """Cell positions by comparison group, then by cohort."""
    values = np.unique(sample.cohort[sample.cohort != LEFT_OUT])
    gaps = tensor.seen is not None
    plan: dict[CellKey, dict[int, list[int]]] = {}
    for i in np.flatnonzero(~grid.reference):
        g, t, b = int(grid.cohort[i]), int(grid.time[i]), int(grid.base[i])
        later = np.searchsorted(values, sample.periods[max(t, b)] + sample.anticipation, side="right")
        after = NEVER if sample.never_only or later == len(values) else int(values[later])
        key = CellKey(
            after, g if g >= after else LEFT_OUT, min(t, b) if gaps or tensor.varies else -1, t if gaps else -1, b if gaps else -1
        )
        plan.setdefault(key, {}).setdefault(g, []).append(int(i))
    return plan


def estimate_panel(sample: Sample, grid: Grid, rule: Rule) -> Estimates:
    """Every cell from units seen in both of its periods; covariates and weights are those of the earlier of the two."""
    tensor = make_tensor(sample)
    out = Estimates.empty(len(sample.cohort), grid)
    for key, by_cohort in plan_cells(sample, grid, tensor).items():
        seen = True if tensor.seen is None else tensor.seen[:, key.time] & tensor.seen[:, key.base]
        control = np.flatnonzero((sample.cohort >= key.after) & (sample.cohort != key.excluded) & seen)
        cells = np.concatenate([np.array(index) for index in by_cohort.values()])
        if len(control) == 0:
            _mark(out, cells, "no-comparison")
            continue
        periods = np.unique([grid.time[cells], grid.base[cells]])
        comparison = fit_comparison(tensor.units(control, periods, key.moment), rule.method)
        for g, index in by_cohort.items():
            treated = np.flatnonzero((sample.cohort == g) & seen)
            if len(treated) == 0:
                _mark(out, np.array(index), "no-treated")
                continue
            contrast = contrast_of(grid, np.array(index), periods)
            estimated = panel_cells(tensor.units(treated, periods, key.moment), comparison, contrast, rule)
            _write(out, np.array(index), estimated, treated, control)
    return out


def _mark(out: Estimates, index: NDArray[np.intp], problem: Trouble) -> None:
    for i in index:
        out.problem[i] = problem


def contrast_of(grid: Grid, index: NDArray[np.intp], periods: Ints) -> Floats:
    """[T, m] with +1 in the period of each cell and -1 in its base."""
    contrast = np.zeros((len(periods), len(index)))
    column = np.arange(len(index))
    contrast[np.searchsorted(periods, grid.time[index]), column] = 1
    contrast[np.searchsorted(periods, grid.base[index]), column] = -1
    return contrast


def _write(out: Estimates, index: NDArray[np.intp], cells: Cells, treated: NDArray[np.intp], control: NDArray[np.intp]) -> None:
    """Store the cells at ``index``, which share treated and comparison units."""
    out.att[index], out.n_treated[index], out.trimmed[index] = cells.att, len(treated), cells.trimmed
    _mark(out, index, cells.problem)
    if cells.problem:
        return
    run = index[-1] - index[0] == len(index) - 1
    for units, influence in ((treated, cells.treated), (control, cells.comparison)):
        # A run of columns is written as a slice: fancy columns would cost as much as the estimation.
        if run:
            out.influence[units, index[0] : index[-1] + 1] = influence
        else:
            out.influence[units[:, None], index] = influence


@dataclass(frozen=True, slots=True)
class Grouping:
    """Clusters of the rows: ``codes`` [n], of which there are ``size``."""

    codes: NDArray[np.int32]
    size: int


def estimate_sections(sample: Sample, cluster: Grouping, grid: Grid, rule: Rule, influence_of: InfluenceOf) -> Estimates:
    """Every cell from all rows of its two periods, pooled as repeated cross-sections; influence is summed by ``cluster``."""
    out = Estimates.empty(cluster.size, grid)
    cohort = sample.cohort[sample.unit]
    of_period = [np.flatnonzero(sample.period == t) for t in range(len(sample.periods))]
    w = np.ones(len(sample.y)) if sample.w is None else sample.w
    for i in np.flatnonzero(~grid.reference):
        g, t, b = grid.cohort[i], int(grid.time[i]), int(grid.base[i])
        horizon = NEVER - 1 if sample.never_only else sample.periods[max(t, b)] + sample.anticipation
        pool = np.concatenate([of_period[b], of_period[t]])
        pool = pool[(cohort[pool] == g) | (cohort[pool] > horizon)]
        d, post = cohort[pool] == g, sample.period[pool] == t
        out.n_treated[i] = int((d & post).sum())
        if not all((d & p).any() for p in (post, ~post)):
            out.problem[i] = "no-treated"
        elif not all((~d & p).any() for p in (post, ~post)):
            out.problem[i] = "no-comparison"
        else:
            cell = section_cell(Rows(sample.y[pool], post, d, sample.x[pool], w[pool]), rule, influence_of)
            out.att[i], out.trimmed[i], out.problem[i] = cell.att, cell.trimmed, cell.problem
            if not cell.problem:
                out.influence[:, i] = np.bincount(cluster.codes[pool], cell.influence, cluster.size)
    return out
