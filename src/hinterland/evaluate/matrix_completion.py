"""Matrix completion (Athey, Bayati, Doudchenko, Imbens & Khosravi 2021, Journal of the American Statistical Association 116(536)).

The outcomes that treated units would have had without treatment are missing cells of a matrix that is, beside unit and period effects,
of low nuclear norm: common factors with loadings that may differ between treated and untreated units. Standard errors by a jackknife
over clusters, with the penalty held fixed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hinterland.errors import EstimationError, Finding, fail_if_any
from hinterland.evaluate.callaway_santanna import unit_clusters
from hinterland.evaluate.design import Design
from hinterland.evaluate.matrix_completion_solver import Choice, Completed, Problem, choose_penalty, complete
from hinterland.evaluate.result import Effects, Floats
from hinterland.evaluate.threads import one_thread
from hinterland.evaluate.untreated import Cells, Sample, impute, make_cells, untreated_sample
from hinterland.evaluate.untreated_effects import cell_weights, facts, group_time, observed_shares, single_notes
from hinterland.evaluate.untreated_grid import fit_grid, to_grid
from hinterland.labels import Note

ENOUGH = 1e-4
"""Tolerance of a jackknife replicate: errors far below those of sampling."""


@one_thread()
def fit(
    design: Design,
    *,
    penalty: float | None = None,
    folds: int = 5,
    penalties: int = 20,
    replicates: int = 200,
    cv_seed: int = 1,
) -> Effects:
    """Group-time effects, weighted by observations in every average.

    Args:
        design: N units, T periods, n rows. Rows up to ``anticipation`` periods before adoption count as missing.
        penalty: weight of the nuclear norm, on the scale of the paper's λ (mean squared error plus λ‖L‖_*). ``None``: chosen by
            cross-validation.
        folds: parts of the observed untreated cells that are held out in turn.
        penalties: how many are tried, from the least that gives L = 0 down to a hundredth of it.
        replicates: with at most this many clusters the jackknife leaves out one at a time; with more, groups of them, dealt at random
            within cohorts.
        cv_seed: of the held-out parts and of the jackknife's groups.

    Returns:
        Effects of aggregation ``group-time``. Averages weigh by observations, and their standard errors count cohort sizes as estimated.
        ``meta`` holds the penalty, the path of penalties with its errors, and the rank.

    Raises:
        EstimationError: unknown options, nobody to impute for, or clusters that cut through units.
    """
    _fail_if_bad(penalty, {"folds": folds, "penalties": penalties, "replicates": replicates, "cv_seed": cv_seed})
    sample = untreated_sample(design)
    stage = fit_grid(sample, None)
    grid = _Grid.of(sample, stage.names)
    chosen_rows, notes = impute(sample, stage)
    choice = choose_penalty(grid.problem, folds, penalties, cv_seed) if penalty is None else None
    weight = choice.best if choice is not None else float(penalty or 0.0)
    completed = complete(grid.problem, weight)
    effect = grid.problem.residual(completed.low_rank)
    cells = make_cells(sample.design, chosen_rows)
    total, _ = cell_weights(sample.design, cells)
    where = grid.position[cells.rows]
    estimate = cells.sum(effect.reshape(-1)[where]) / total
    influence, lost = _jackknife(grid, cells, (weight, completed, estimate), (replicates, cv_seed))
    prediction = replace(stage, coefficients=grid.problem.coefficients(grid.problem.solver.residual(grid.problem.y - completed.low_rank)))
    return group_time(
        "matrix-completion",
        sample.design,
        cells,
        estimate,
        influence,
        shares=observed_shares(sample.design, cells, total, estimated=True),
        notes=(*sample.design.notes, *notes, *_notes(cells, completed, lost, choice)),
        meta=facts(sample.design, prediction, "matrix-completion", **_described(completed, choice, weight, grid, replicates)),
    )


MOST = 1000
"""Folds and penalties, at the most."""


def _fail_if_bad(penalty: object, given: Mapping[str, object]) -> None:
    findings = []
    if penalty is not None and (isinstance(penalty, bool) or not isinstance(penalty, int | float) or not 0 <= penalty < np.inf):
        findings.append(
            Finding("bad-penalty", f"penalty is {penalty!r}", "option penalty of matrix-completion", "give a number of 0 or more")
        )
    for name, value in given.items():
        least = 0 if name == "cv_seed" else 2
        most = MOST if name in ("folds", "penalties") else np.inf
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or not least <= value <= most:
            remedy = f"give a whole number, {least} " + ("or more" if most == np.inf else f"to {most}")
            findings.append(Finding("not-whole", f"{name} is {value!r}", f"option {name} of matrix-completion", remedy))
    fail_if_any(findings, "options", EstimationError)


@dataclass(frozen=True, slots=True)
class _Grid:
    """The problem, the position [n] of each row in its [N, T] grid, and the design."""

    problem: Problem
    position: NDArray[np.int64]
    design: Design

    @classmethod
    def of(cls, sample: Sample, names: tuple[str, ...]) -> _Grid:
        design = sample.design
        position = design.unit.astype(np.int64) * design.n_periods + design.period
        kept = [design.covariate_names.index(n) for n in names]
        x = [to_grid(design, design.covariates[:, j], position) for j in kept]
        seen = to_grid(design, sample.free.astype(np.float64), position)
        return cls(Problem.of(to_grid(design, design.y, position), seen, x), position, design)


def _jackknife(grid: _Grid, cells: Cells, fitted: tuple[float, Completed, Floats], plan: tuple[int, int]) -> tuple[Floats, int]:
    """Influence [C, p] whose products are the jackknife covariance, and the number of cells that some replicate loses whole.

    V = (G − 1)/G Σ_g (θ_(−g) − θ̄)(θ_(−g) − θ̄)'. A group of several clusters shares its part equally among them.
    """
    penalty, completed, estimate = fitted
    clusters = unit_clusters(grid.design)
    group = _groups(clusters, grid.design, *plan)
    count = int(group.max()) + 1
    rows_unit = grid.design.unit[cells.rows]
    code = cells.code
    left = np.tile(estimate, (count, 1))
    lost = np.zeros(cells.size, dtype=np.bool_)
    of_unit = group[clusters]
    for g in range(count):
        kept = of_unit != g
        problem = grid.problem
        part = Problem.of(problem.y[kept], problem.seen[kept], [v[kept] for v in problem.x])
        low_rank = complete(part, penalty, completed.low_rank[kept], ENOUGH).low_rank
        effect = np.zeros_like(problem.y)
        effect[kept] = part.residual(low_rank)
        inside = kept[rows_unit]
        size = np.bincount(code[inside], minlength=cells.size)
        sums = np.bincount(code[inside], weights=effect.reshape(-1)[grid.position[cells.rows[inside]]], minlength=cells.size)
        there = size > 0
        left[g, there] = sums[there] / size[there]
        lost |= ~there
    spread = np.sqrt((count - 1) / count) * (left.mean(axis=0) - left)
    members = np.bincount(group, minlength=count)
    return spread[group] / np.sqrt(members[group])[:, None], int(lost.sum())


def _groups(clusters: NDArray[np.int32], design: Design, replicates: int, seed: int) -> NDArray[np.int64]:
    """[C] the replicate that leaves each cluster out: one each, or dealt over ``replicates`` groups in random order within cohorts."""
    count = design.clusters[0].size
    if count <= replicates:
        return np.arange(count)
    first = np.zeros(count, dtype=np.int64)
    first[clusters[::-1]] = design.cohort[::-1]
    order = np.lexsort((np.random.default_rng(seed).random(count), first))
    group = np.empty(count, dtype=np.int64)
    group[order] = np.arange(count) % replicates
    return group


def _notes(cells: Cells, completed: Completed, lost: int, choice: Choice | None) -> tuple[Note, ...]:
    notes = list(single_notes(cells))
    if lost and not notes:
        notes.append(Note("mc-cells-lost", {"count": lost}))
    if not completed.converged:
        notes.append(Note("mc-not-converged", {"iterations": completed.iterations}))
    if completed.rank == 0:
        notes.append(Note("mc-no-factor"))
    elif choice is not None and choice.best == choice.penalties[-1]:
        notes.append(Note("mc-least-penalty", {"penalty": round(choice.best, 6)}))
    return tuple(notes)


def _described(completed: Completed, choice: Choice | None, penalty: float, grid: _Grid, replicates: int) -> dict[str, Any]:
    return {
        "penalty": penalty,
        "rank": completed.rank,
        "iterations": completed.iterations,
        "cv_penalties": [] if choice is None else choice.penalties.tolist(),
        "cv_errors": [] if choice is None else choice.errors.tolist(),
        "vcov": "jackknife",
        "replicates": min(replicates, grid.design.clusters[0].size),
    }
