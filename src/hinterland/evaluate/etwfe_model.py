"""The saturated model of the extended two-way fixed effects estimator, fitted from sums by cell.

With a canonical link h, m = 1 + k regressors z = (1, x):

    untreated cells   h(E[y]) = z'(a_g + b_t)          treated cell j   h(E[y]) = z'c_j

which spans what R's ``etwfe`` regresses on (cohort, period, their interactions with x, and cell × (1, x)). Treated cells have
coefficients of their own, so the two parts are separate: a and b are fitted to untreated rows only (Wooldridge 2023, section 4: pooled
estimation is imputation under a canonical link). All of it needs sums by cell of w v z z' and w (y − μ) z.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from hinterland.errors import EstimationError, Finding
from hinterland.evaluate.coding import Floats
from hinterland.evaluate.hdfe import direct_solver
from hinterland.evaluate.saturated import Layout, Mask, cell_sums

Family = Literal["gaussian", "poisson", "logit"]

ITERATIONS = 100
CONVERGED = 1e-10
LARGEST = 30.0
"""Linear predictors are kept within ± this (poisson: of that of the mean): beyond it exp and the logistic function carry no information."""


def mean_of(family: Family, eta: Floats) -> Floats:
    """μ = h⁻¹(η)."""
    if family == "gaussian":
        return eta
    if family == "poisson":
        return np.asarray(np.exp(eta))
    return np.asarray(1 / (1 + np.exp(-eta)))


def slope_of(family: Family, mu: Floats) -> Floats:
    """dμ/dη, which is the variance function too."""
    if family == "gaussian":
        return np.ones_like(mu)
    return mu if family == "poisson" else mu * (1 - mu)


@dataclass(frozen=True, slots=True)
class Model:
    """What is fitted: ``own`` [K + 1, T] cells with coefficients of their own; ``z`` [n, m] with the constant first."""

    layout: Layout
    family: Family
    own: Mask
    z: Floats

    @property
    def free(self) -> Mask:
        """[n] rows of cells with coefficients of their own."""
        return np.asarray(self.own.reshape(-1)[self.layout.cell])

    def sums(self, x: Floats) -> Floats:
        """[K + 1, T] weighted sums of x [n]."""
        w = self.layout.design.weight
        return cell_sums(self.layout, x if w is None else x * w)

    def scores(self, x: Floats) -> Floats:
        """[K + 1, T, m] weighted sums of x · z."""
        return np.stack([self.sums(x * self.z[:, a]) for a in range(self.z.shape[1])], axis=-1)

    def second(self, v: Floats | None) -> Floats:
        """[K + 1, T, m, m] weighted sums of v · z z' (``None``: v = 1)."""
        m = self.z.shape[1]
        out = np.empty((*self.layout.shape, m, m))
        for a in range(m):
            column = self.z[:, a] if v is None else self.z[:, a] * v
            for b in range(a + 1):
                out[..., a, b] = out[..., b, a] = self.sums(column if b == 0 else column * self.z[:, b])
        return out


@dataclass(frozen=True, slots=True)
class Fitted:
    """A fitted model.

    Attributes:
        mu: [n] fitted means;  untreated: [n] means without treatment (equal to ``mu`` in cells without coefficients of their own).
        weight: [n] dμ/dη at ``mu``, and untreated_slope at ``untreated``.
        solve: b [(K + 1 + T)·m] → the system of a and b, solved;  system: that system.
        iterations: steps taken;  extreme: [n] rows whose untreated predictor is ``LARGEST`` or more from the centre.
    """

    mu: Floats
    untreated: Floats
    weight: Floats
    untreated_slope: Floats
    system: Floats
    solve: Callable[[Floats], Floats]
    rank: int
    iterations: int
    extreme: Mask


@dataclass(frozen=True, slots=True)
class _State:
    """Coefficients ``common`` [K + 1 + T, m] and ``own`` [K + 1, T, m], and the last step of each."""

    common: Floats
    own: Floats
    common_step: Floats
    own_step: Floats

    def table(self, model: Model) -> Floats:
        """[K + 1, T, m] coefficients of each cell."""
        return np.where(model.own[..., None], self.own, self.untreated(model))

    def untreated(self, model: Model) -> Floats:
        """[K + 1, T, m] coefficients without treatment."""
        groups = model.layout.shape[0]
        return np.asarray(self.common[:groups, None] + self.common[None, groups:])

    def halved(self, worse_own: Mask, worse_common: bool) -> _State:
        """Back by half a step where the likelihood fell."""
        own_step = np.where(worse_own[..., None], self.own_step / 2, self.own_step)
        common_step = self.common_step / 2 if worse_common else self.common_step
        own = np.where(worse_own[..., None], self.own - own_step, self.own)
        return _State(self.common - common_step if worse_common else self.common, own, common_step, own_step)


def fit_model(model: Model) -> Fitted:
    """Newton's method; a step that lowers the likelihood of a cell (or of the untreated rows) is halved there.

    Raises:
        EstimationError: no convergence.
    """
    layout, family, y = model.layout, model.family, model.layout.design.y
    groups, periods = layout.shape
    m = model.z.shape[1]
    state, centre = _start(model), _centre(model)
    scale = max(float(model.sums(np.abs(y)).max()), float(np.finfo(float).tiny))
    best: Floats | None = None
    for iteration in range(1, ITERATIONS + 1):
        eta = _clip(family, _predict(model, state.table(model)), centre)
        likelihood = model.sums(_log_likelihood(family, y, eta))
        if best is not None:
            worse_own, worse_common = _worse(model, likelihood, best)
            if worse_own.any() or worse_common:
                state = state.halved(worse_own, worse_common)
                continue
        best = likelihood
        mu = mean_of(family, eta)
        slope = slope_of(family, mu)
        score = model.scores(y - mu)
        hessian = model.second(None if family == "gaussian" else slope)
        system, right = assemble(hessian, score, model.own)
        solve, rank = direct_solver(system, _norms(system))
        largest = max(float(np.abs(score[model.own]).max(initial=0.0)), float(np.abs(right).max()))
        if largest <= CONVERGED * scale or (family == "gaussian" and iteration == 2):
            break
        step = solve(right).reshape(groups + periods, m)
        move = np.zeros_like(state.own)
        move[model.own] = np.einsum("jab,jb->ja", np.linalg.pinv(hessian[model.own], rcond=1e-12, hermitian=True), score[model.own])
        if family != "gaussian":
            step, move = _short(step, np.abs(step).max()), _short(move, np.abs(move).max(axis=-1, keepdims=True))
        state = _State(state.common + step, state.own + move, step, move)
    else:
        raise _not_converged(model)
    plain = _predict(model, state.untreated(model))
    untreated = mean_of(family, _clip(family, plain, centre))
    extreme = np.abs(plain - centre) >= LARGEST if family != "gaussian" else np.zeros(len(y), dtype=np.bool_)
    return Fitted(mu, untreated, slope, slope_of(family, untreated), system, solve, rank, iteration, extreme)


def _start(model: Model) -> _State:
    groups, periods = model.layout.shape
    common, own = np.zeros((groups + periods, model.z.shape[1])), np.zeros((groups, periods, model.z.shape[1]))
    common[:groups, 0] = own[..., 0] = _link(model.family, _mean(model))
    return _State(common, own, np.zeros_like(common), np.zeros_like(own))


def _mean(model: Model) -> float:
    return float(np.average(model.layout.design.y, weights=model.layout.design.weight))


def _centre(model: Model) -> float:
    """The predictor around which others are kept: under a log link it moves with the outcome's unit of measurement."""
    return _link("poisson", _mean(model)) if model.family == "poisson" else 0.0


def _log_likelihood(family: Family, y: Floats, eta: Floats) -> Floats:
    """[n] y η less the cumulant: what the canonical link maximises."""
    if family == "gaussian":
        return np.asarray(y * eta - eta**2 / 2)
    return np.asarray(y * eta - (np.exp(eta) if family == "poisson" else np.logaddexp(0.0, eta)))


def _worse(model: Model, now: Floats, before: Floats) -> tuple[Mask, bool]:
    """[K + 1, T] own cells whose likelihood fell, and whether that of the other rows did."""
    slack = 1e-9 * (np.abs(before) + 1e-3)
    total, earlier = float(now[~model.own].sum()), float(before[~model.own].sum())
    return np.asarray(model.own & (now < before - slack)), total < earlier - 1e-9 * (abs(earlier) + 1e-3)


def _short(step: Floats, size: Any) -> Floats:
    """Newton's steps, no longer than 4 in any coefficient."""
    return np.asarray(step * np.minimum(1.0, 4.0 / np.maximum(size, 1e-300)))


def _link(family: Family, mean: float) -> float:
    if family == "gaussian":
        return 0.0
    return float(np.log(mean)) if family == "poisson" else float(np.log(mean / (1 - mean)))


def _clip(family: Family, eta: Floats, centre: float) -> Floats:
    return eta if family == "gaussian" else np.clip(eta, centre - LARGEST, centre + LARGEST)


def _predict(model: Model, table: Floats) -> Floats:
    """[n] z'·table[cell]."""
    flat = table.reshape(-1, table.shape[-1])
    out = flat[:, 0][model.layout.cell]
    for a in range(1, flat.shape[1]):
        out = out + flat[:, a][model.layout.cell] * model.z[:, a]
    return np.asarray(out)


def assemble(hessian: Floats, score: Floats, own: Mask) -> tuple[Floats, Floats]:
    """The system [q, q] and right-hand side [q] of a (by cohort) then b (by period), q = (K + 1 + T)·m, over cells not in ``own``."""
    groups, periods, m = score.shape
    inside = np.where(own[..., None, None], 0.0, hessian)
    size = groups + periods
    system = np.zeros((size, m, size, m))
    g, t = np.arange(groups), np.arange(periods)
    system[g, :, g, :] = inside.sum(axis=1)
    system[groups + t, :, groups + t, :] = inside.sum(axis=0)
    system[:groups, :, groups:, :] = inside.transpose(0, 2, 1, 3)
    system[groups:, :, :groups, :] = inside.transpose(1, 2, 0, 3)
    part = np.where(own[..., None], 0.0, score)
    return system.reshape(size * m, size * m), np.concatenate([part.sum(axis=1), part.sum(axis=0)]).reshape(-1)


def _norms(system: Floats) -> Floats:
    diagonal = np.sqrt(np.maximum(np.diag(system), 0.0))
    return np.where(diagonal > 0, diagonal, 1.0)


@dataclass(frozen=True, slots=True)
class CellEffects:
    """Effects of p cells on the response scale.

    Attributes:
        effect: [p] mean of y less the mean without treatment; NaN where the untreated model does not reach;  untreated: [p] that mean.
        tables: [K + 1, T, m, p]: row i of cell c moves effect j by ``u_i · z_i'tables[c, :, j]``, u = w (y − μ).
        untreated_tables: the same of ``untreated``.
    """

    effect: Floats
    untreated: Floats
    tables: Floats
    untreated_tables: Floats


def cell_effects(model: Model, fitted: Fitted) -> CellEffects:
    """The effect of each own cell of a cohort, and how each row moves it (delta method; covariates taken as given)."""
    groups, periods = model.layout.shape
    m = model.z.shape[1]
    k, t = np.nonzero(model.own)
    p = len(k)
    mass = model.layout.weight[k, t]
    observed = model.sums(model.layout.design.y)[k, t] / mass
    untreated = model.sums(fitted.untreated)[k, t] / mass
    slopes = model.scores(fitted.untreated_slope)[k, t] / mass[:, None]
    targets = np.zeros((p, groups + periods, m))
    targets[np.arange(p), k] = slopes
    targets[np.arange(p), groups + t] = slopes
    flat = targets.reshape(p, -1)
    norms = _norms(fitted.system)
    moved = np.stack([fitted.solve(row) for row in flat])
    gap = np.abs(moved @ fitted.system - flat) / norms
    size = np.abs(flat / norms).max(axis=1)
    reached = gap.max(axis=1) <= 1e-7 * size
    moved = moved.reshape(p, groups + periods, m)
    counter = np.where(model.own[..., None, None], 0.0, (moved[:, :groups, None] + moved[:, None, groups:]).transpose(1, 2, 3, 0))
    tables = -counter
    tables[k, t, 0, np.arange(p)] = 1 / mass
    effect = np.where(reached, observed - untreated, np.nan)
    return CellEffects(effect, untreated, tables, counter)


def _not_converged(model: Model) -> EstimationError:
    return EstimationError(
        Finding(
            "not-converged",
            f"the {model.family} model did not converge in {ITERATIONS} iterations",
            f"{len(model.z)} rows, {model.z.shape[1] - 1} covariate(s)",
            "use fewer covariates, or look for one that predicts the outcome almost perfectly",
        ),
        "design",
    )
