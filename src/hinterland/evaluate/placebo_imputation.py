"""Imputation's overall effect under many permuted assignments at once (balanced, without covariates, weights and further effects).

A permutation keeps the number of units in each cohort, so which cohort is untreated in which period, and with it the projection of
Borusyak, Jaravel & Spiess (2024, eq. 4 and 6), is the same in every draw: all that changes is which units' outcomes a cohort's mean is
made of. N units, K cohorts, T periods, R draws.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hinterland.data.cohorts import NEVER
from hinterland.evaluate.design import Design
from hinterland.evaluate.placebo_callaway import cohort_means
from hinterland.evaluate.untreated_grid import Solver

Floats = NDArray[np.float64]
Index = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class ImputationBatch:
    """Everything about a design that no permutation of its cohorts changes.

    ``y`` [N, T]; ``size`` [K] units per cohort; ``path`` [K, T] weight of a unit's outcomes in the overall effect, by cohort;
    ``fitted`` [K·T, K] what the influence of a unit subtracts, from the cohort means: its weights times what is predicted for its rows
    (period effects, and in treated rows the mean effect of its cohort and period, section 4.3).
    """

    y: Floats
    size: Floats
    path: Floats
    fitted: Floats

    def __call__(self, assignments: Index) -> tuple[Floats, Floats]:
        """Overall effect [R] and influence of each unit on it [R, N], for the cohorts ``assignments`` [R, N]."""
        constant = cohort_means(self.y, self.size, assignments) @ self.fitted
        contribution = (self.y @ self.path.T).ravel().take(assignments + len(self.size) * np.arange(assignments.shape[1]))
        return contribution.sum(1), contribution - np.take_along_axis(constant, assignments, axis=1)


def untreated_cells(design: Design, labels: NDArray[np.int64]) -> NDArray[np.bool_]:
    """[K, T] whether a cohort first treated in ``labels`` [K] is observed without treatment, and without anticipation of it."""
    start = np.where(labels == NEVER, NEVER, labels - design.anticipation)
    return np.asarray(design.periods < start[:, None])


def imputation_solver(design: Design, code: Index, labels: NDArray[np.int64]) -> Solver:
    """The projection on unit and period effects that all permutations share; every cohort must be seen without treatment."""
    size = np.bincount(code, minlength=len(labels)).astype(np.float64)
    return Solver.of(size[:, None] * untreated_cells(design, labels))


def imputation_batch(design: Design, code: Index, labels: NDArray[np.int64]) -> ImputationBatch:
    """Prepare the batch; ``code`` [N] is each unit's cohort, ``labels`` [K] the cohorts' first treated periods, increasing.

    The functions of the cohort means are linear, so they are told by what they give for each mean on its own.
    """
    size = np.bincount(code, minlength=len(labels)).astype(np.float64)
    solver, (k, t) = imputation_solver(design, code, labels), (len(labels), design.n_periods)
    basis = np.eye(k * t).reshape(k * t, k, t)
    after = (design.periods >= labels[:, None]) & (labels != NEVER)[:, None]
    alpha, theta = _effects(solver, basis)
    effect = basis - alpha[:, :, None] - theta[:, None, :]
    weight = size[:, None] * after / float((size[:, None] * after).sum())
    path = np.einsum("bkt,kt->b", effect, weight).reshape(k, t) / size[:, None]
    predicted = theta[:, None, :] + after * effect
    return ImputationBatch(y=design.y.reshape(design.n_units, t), size=size, path=path, fitted=np.einsum("bkt,kt->bk", predicted, path))


def _effects(solver: Solver, means: Floats) -> tuple[Floats, Floats]:
    """[B, K] cohort and [B, T] period effects fitted to the untreated cells of ``means`` [B, K, T]."""
    centred = means - np.einsum("bkt,kt->bk", means, solver.share)[:, :, None]
    theta = np.einsum("bkt,kt->bt", centred, solver.w0) @ solver.inverse.T
    return np.einsum("bkt,kt->bk", means - theta[:, None, :], solver.share), theta
