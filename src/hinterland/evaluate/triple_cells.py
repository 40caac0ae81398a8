"""Group-time triple differences: three differences-in-differences per comparison cohort, combined with the least variance."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hinterland.data.cohorts import NEVER
from hinterland.evaluate.drdid import Cells, Comparison, Floats, Rule, fit_comparison, panel_cells
from hinterland.evaluate.group_time import LEFT_OUT, Grid, Ints, Sample, Tensor, contrast_of, make_tensor

Mask = NDArray[np.bool_]
Summed = Callable[[Floats], Floats]

_SINGULAR = 1e-10


@dataclass(frozen=True, slots=True)
class Triples:
    """p cells: ``att`` [p] (NaN where there is none), ``influence`` [C, p] by cluster, ``n_treated`` [p] eligible treated units,
    ``problem`` [p] (empty if none), ``comparisons`` [p] number of comparison cohorts behind each; ``skipped``: comparisons with a
    cohort that could not be made, in words; ``n_combined``: cells with several.
    """

    att: Floats
    influence: Floats
    n_treated: Ints
    problem: list[str]
    comparisons: list[int]
    skipped: list[str]
    n_combined: int


@dataclass(frozen=True, slots=True)
class _Key:
    """Cells that share units: cohort, comparison cohort, the period of covariates and weights (-1: never vary), and the two
    periods (-1: no unit misses any).
    """

    treated: int
    other: int
    moment: int
    time: int
    base: int


def estimate_triples(sample: Sample, eligible: Mask, grid: Grid, rule: Rule, by_cluster: Summed) -> Triples:
    """ATT(g, t) on eligible units (Ortiz-Villavicencio & Sant'Anna 2025, equations 4.8, 4.11 and 4.12).

    For cohort g and a comparison cohort c, with R(Q, s) the adjusted change of units of eligibility Q in cohort s,

        ATT_c(g, t) = DiD[(g, 1) vs (g, 0)] + DiD[(g, 1) vs (c, 1)] − DiD[(g, 1) vs (c, 0)],

    each adjusted to the covariates of the eligible units of g. Several c are combined with weights Ω⁻¹1 / 1'Ω⁻¹1, where Ω is the
    covariance of the ATT_c by cluster. Pooling the cohorts c instead is biased where their trends differ.

    Args:
        sample: the rows used; eligible: [N]; grid: the p cells.
        by_cluster: sums influence [N, m] to [C, m].
    """
    tensor = make_tensor(sample)
    work = _Work(sample, tensor, eligible, grid, rule)
    p = len(grid.cohort)
    found: list[list[tuple[float, Floats]]] = [[] for _ in range(p)]
    n_treated, problem, skipped = np.zeros(p, dtype=np.int64), ["" if r else "no-comparison" for r in grid.reference], []
    for key, cells in _plan(sample, grid, tensor).items():
        made, count, trouble = _against(work, key, np.array(cells))
        if trouble:
            name = "never treated" if key.other == NEVER else str(key.other)
            for i in cells:
                problem[i] = trouble if not found[i] else problem[i]
                skipped.append(f"({grid.cohort[i]}, {sample.periods[grid.time[i]]}) with {name}")
            continue
        n_treated[cells] = np.maximum(n_treated[cells], count)
        summed = by_cluster(made[1])
        for column, i in enumerate(cells):
            found[i].append((made[0][column], summed[:, column]))
            problem[i] = ""
    size = by_cluster(np.zeros((len(sample.cohort), 1))).shape[0]
    att, influence = np.where(grid.reference, 0.0, np.nan), np.zeros((size, p))
    for i, estimates in enumerate(found):
        if estimates:
            att[i], influence[:, i] = combine(np.array([e for e, _ in estimates]), np.column_stack([f for _, f in estimates]))
    counts = [len(f) for f in found]
    partly = [s for s in skipped if any(s.startswith(f"({grid.cohort[i]}, {sample.periods[grid.time[i]]})") for i in range(p) if counts[i])]
    return Triples(att, influence, n_treated, problem, counts, partly, sum(c > 1 for c in counts))


def combine(att: Floats, influence: Floats) -> tuple[float, Floats]:
    """The mean of ``att`` [m] with the weights of least variance, and its influence [C] from theirs [C, m].

    Where their covariance is singular (a comparison without variance), the weights come from its pseudo-inverse; where nothing
    has a variance, they are equal.
    """
    if len(att) == 1:
        return float(att[0]), influence[:, 0]
    omega = influence.T @ influence
    scale = np.sqrt(np.diag(omega))
    scale = np.where(scale > 0, scale, 1.0)
    ones = np.ones(len(att)) / scale
    inverse = np.linalg.pinv(omega / np.outer(scale, scale), rcond=_SINGULAR, hermitian=True)
    raw = (inverse @ ones) / scale
    total = raw.sum()
    weights = raw / total if total > 0 else np.full(len(att), 1 / len(att))
    return float(weights @ att), influence @ weights


def _plan(sample: Sample, grid: Grid, tensor: Tensor) -> dict[_Key, list[int]]:
    """Cell positions by cohort, comparison cohort and what they share."""
    values = np.unique(sample.cohort[sample.cohort != LEFT_OUT])
    gaps = tensor.seen is not None
    plan: dict[_Key, list[int]] = {}
    for i in np.flatnonzero(~grid.reference):
        g, t, b = int(grid.cohort[i]), int(grid.time[i]), int(grid.base[i])
        horizon = sample.periods[max(t, b)] + sample.anticipation
        others = [NEVER] if sample.never_only else values[(values > horizon) & (values != g)].tolist()
        moment = min(t, b) if gaps or tensor.varies else -1
        for other in others:
            plan.setdefault(_Key(g, int(other), moment, t if gaps else -1, b if gaps else -1), []).append(int(i))
    return plan


@dataclass(frozen=True, slots=True)
class _Work:
    """What every comparison needs: the rows, as arrays too, who is eligible [N], the cells and the rule."""

    sample: Sample
    tensor: Tensor
    eligible: Mask
    grid: Grid
    rule: Rule


def _against(work: _Work, key: _Key, cells: Ints) -> tuple[tuple[Floats, Floats], int, str]:
    """Estimates [m] and influence by unit [N, m] of cells against one comparison cohort; eligible treated units; what is wrong."""
    sample, tensor, eligible, grid = work.sample, work.tensor, work.eligible, work.grid
    seen = np.True_ if tensor.seen is None else tensor.seen[:, key.time] & tensor.seen[:, key.base]
    periods = np.unique([grid.time[cells], grid.base[cells]])
    own, other = (sample.cohort == key.treated) & seen, (sample.cohort == key.other) & seen
    treated = np.flatnonzero(own & eligible)
    contrast = contrast_of(grid, cells, periods)
    att, influence = np.zeros(len(cells)), np.zeros((len(sample.cohort), len(cells)))
    if len(treated) == 0:
        return (att, influence), 0, "no-treated"
    units = tensor.units(treated, periods, key.moment)
    for member, sign in ((own & ~eligible, 1.0), (other & eligible, 1.0), (other & ~eligible, -1.0)):
        control = np.flatnonzero(member)
        if len(control) == 0:
            return (att, influence), 0, "no-comparison"
        fitted: Comparison = fit_comparison(tensor.units(control, periods, key.moment), work.rule.method)
        made: Cells = panel_cells(units, fitted, contrast, work.rule)
        if made.problem:
            return (att, influence), 0, made.problem
        att += sign * made.att
        influence[treated] += sign * made.treated
        influence[control] += sign * made.comparison
    return (att, influence), len(treated), ""
