"""Nuclear-norm matrix completion with unit and period effects that are not penalised (Athey et al. 2021, JASA 116(536), eq. 4.3).

    min over L, α, λ, β of  Σ_O (y − L − α_i − λ_t − x'β)² / |O| + penalty · ‖L‖_*,

over the observed untreated cells O of an [N, T] grid. The effects and β are profiled out, so that what is left is a smooth convex
function of L (gradient with Lipschitz constant 1, up to the factor) plus the nuclear norm: accelerated proximal gradient with
restarts (Beck & Teboulle 2009; O'Donoghue & Candès 2015), whose step without acceleration is soft-impute (Mazumder, Hastie &
Tibshirani 2010). Singular values come from the Gram matrix of the shorter side.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hinterland.evaluate.coding import Floats
from hinterland.evaluate.untreated_grid import Solver

Mask = NDArray[np.bool_]
TOLERANCE = 1e-6
ROUGH = 1e-3
"""Step of L, relative to the threshold of singular values, at which iterations stop: for estimates, and for choosing the penalty."""
FLOOR = 1e-3
"""The threshold that the tolerance refers to is at least this share of the outcome's residuals."""
ITERATIONS = 5000
TIE = 1e-3
"""Of penalties whose errors differ by less than this share, the largest is chosen: errors level off as the penalty vanishes."""


@dataclass(frozen=True, slots=True)
class Problem:
    """The grid: ``y`` [N, T]; ``seen`` [N, T] floats, one on the observed untreated cells; ``x`` [k][N, T] covariates.

    ``solver`` of the unit and period effects on ``seen``; ``net`` [k][N, T] covariates less their prediction by them; ``bread`` [k, k].
    """

    y: Floats
    seen: Floats
    x: tuple[Floats, ...]
    solver: Solver
    net: tuple[Floats, ...]
    bread: Floats

    @classmethod
    def of(cls, y: Floats, seen: Floats, x: Sequence[Floats]) -> Problem:
        """Prepare it. Every unit must be seen; the covariates must vary on ``seen`` beside the effects."""
        solver = Solver.of(seen)
        net = tuple(solver.residual(v) for v in x)
        gram = np.array([[np.vdot(a * seen, b) for b in net] for a in net]).reshape(len(net), len(net))
        return cls(y, seen, tuple(x), solver, net, np.linalg.pinv(gram))

    def residual(self, low_rank: Floats) -> Floats:
        """[N, T] outcome less L, effects and covariates, fitted on the seen cells given L: in every cell."""
        out = self.solver.residual(self.y - low_rank)
        for value, column in zip(self.coefficients(out), self.net, strict=True):
            out -= value * column
        return out

    def coefficients(self, out: Floats) -> Floats:
        """[k] coefficients of the covariates, for an outcome net of the effects."""
        return np.asarray(self.bread @ np.array([np.vdot(v * self.seen, out) for v in self.net]))

    @property
    def size(self) -> float:
        """Number of seen cells |O|."""
        return float(self.seen.sum())


@dataclass(frozen=True, slots=True)
class Completed:
    """``low_rank`` [N, T]; ``rank`` of it; ``iterations``; ``converged``."""

    low_rank: Floats
    rank: int
    iterations: int
    converged: bool


def shrink(matrix: Floats, threshold: float) -> tuple[Floats, int]:
    """The matrix with its singular values reduced by ``threshold`` (not below zero), and how many are left."""
    tall = matrix if matrix.shape[0] >= matrix.shape[1] else matrix.T
    values, vectors = np.linalg.eigh(tall.T @ tall)
    singular = np.sqrt(np.maximum(values, 0.0))
    alive = singular > threshold
    if not alive.any():
        return np.zeros_like(matrix), 0
    v = vectors[:, alive]
    out = tall @ ((v * (1 - threshold / singular[alive])) @ v.T)
    return out if tall is matrix else np.ascontiguousarray(out.T), int(alive.sum())


def largest_penalty(problem: Problem) -> float:
    """The least penalty at which L is zero."""
    matrix = problem.seen * problem.residual(np.zeros_like(problem.y))
    return 2 * float(np.linalg.norm(matrix, 2)) / problem.size


def complete(problem: Problem, penalty: float, start: Floats | None = None, tolerance: float = TOLERANCE) -> Completed:
    """Solve for L from ``start`` (zero by default)."""
    threshold = penalty * problem.size / 2
    current = np.zeros_like(problem.y) if start is None else start
    scale = float(np.linalg.norm(problem.seen * problem.residual(np.zeros_like(problem.y))))
    enough = tolerance * max(threshold, FLOOR * scale)
    ahead, momentum, rank = current, 1.0, 0
    for step in range(1, ITERATIONS + 1):
        new, rank = shrink(ahead + problem.seen * problem.residual(ahead), threshold)
        move = new - current
        if float(np.linalg.norm(new - ahead)) <= enough:
            return Completed(new, rank, step, True)
        if float(np.vdot(ahead - new, move)) > 0:
            momentum = 1.0
        following = (1 + np.sqrt(1 + 4 * momentum**2)) / 2
        ahead = new + ((momentum - 1) / following) * move
        current, momentum = new, following
    return Completed(current, rank, ITERATIONS, False)


@dataclass(frozen=True, slots=True)
class Choice:
    """Cross-validation: ``penalties`` [q], decreasing; ``errors`` [q] mean squared error of held-out cells; ``best``: the chosen one."""

    penalties: Floats
    errors: Floats
    best: float


def choose_penalty(problem: Problem, folds: int, count: int, seed: int) -> Choice:
    """Predict seen cells that are held out, in ``folds`` random parts, for ``count`` penalties from the largest down to 1 % of it.

    Every unit keeps at least one cell in each part. Held-out cells whose effects the rest does not determine do not count.
    """
    top = largest_penalty(problem)
    if top <= 0:
        return Choice(np.zeros(1), np.zeros(1), 0.0)
    penalties = top * np.geomspace(1.0, 0.01, count)
    part = _parts(problem.seen > 0, folds, np.random.default_rng(seed))
    errors, cells = np.zeros(count), 0
    for k in range(folds):
        held = part == k
        rest = Problem.of(problem.y, np.where(held, 0.0, problem.seen), problem.x)
        connected = rest.solver.connected()
        judged = held if connected is None else held & connected
        cells += int(judged.sum())
        low_rank: Floats | None = None
        for j, penalty in enumerate(penalties):
            low_rank = complete(rest, float(penalty), low_rank, ROUGH).low_rank
            errors[j] += float((rest.residual(low_rank)[judged] ** 2).sum())
    errors /= max(cells, 1)
    good = errors <= errors.min() * (1 + TIE)
    return Choice(penalties, errors, float(penalties[int(np.argmax(good))]))


def _parts(seen: Mask, folds: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """[N, T] the part in which a seen cell is held out; -1: in none. A unit's cells are dealt over the parts in random order."""
    order = np.argsort(np.where(seen, rng.random(seen.shape), 2.0), axis=1)
    rank = np.empty_like(order)
    np.put_along_axis(rank, order, np.arange(seen.shape[1])[None, :], axis=1)
    part = (rank + rng.integers(folds, size=len(seen))[:, None]) % folds
    part[~seen | (seen.sum(axis=1) < 2)[:, None]] = -1
    return part
