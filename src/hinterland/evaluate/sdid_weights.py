"""Unit and time weights of synthetic difference-in-differences (Arkhangelsky et al. 2021, American Economic Review 111(12)).

Unit weights ω make the controls' path before treatment parallel to that of the treated (their eq. 4), with a ridge ζ² T_pre ‖ω‖²; time
weights λ make the controls' periods before treatment as far from those after it for every control alike (eq. 6). Both are intercepts-
allowed least squares over the simplex.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hinterland.evaluate.sdid_simplex import Gram, active_set, frank_wolfe, least_squares

Floats = NDArray[np.float64]
Estimator = Literal["sdid", "sc", "did"]
Solver = Literal["exact", "frank-wolfe"]

_NEGLIGIBLE = 1e-6
"""Ridge, in units of the noise level, that only makes the solution unique."""


@dataclass(frozen=True, slots=True)
class Synthetic:
    """The weights of one cohort: ``omega`` [n] of the controls;  ``lam`` [T] of the periods, 0 from adoption on (all 0 for ``sc``);  the ridges
    ``zeta_omega`` and ``zeta_lambda``, in units of the outcome;  ``noise``: standard deviation of the controls' changes before adoption.
    """

    omega: Floats
    lam: Floats
    zeta_omega: float
    zeta_lambda: float
    noise: float


def noise_level(controls: Floats, before: int) -> float:
    """Standard deviation of the period-to-period changes of ``controls`` [n, T] in the first ``before`` periods (0 if there are none)."""
    changes = np.diff(controls[:, :before], axis=1)
    return float(changes.std(ddof=1)) if changes.size > 1 else 0.0


@dataclass(frozen=True, slots=True)
class Problem:
    """The two least-squares problems of one cohort: those of ω, ``columns`` [before, n], and of λ, ``rows`` [n, before + 1] with the
    mean after adoption last.

    Adding a constant to a unit or to a period changes neither solution (``sc``: to a period), so both are taken out first.
    """

    estimator: Estimator
    columns: Floats
    rows: Floats
    origin: Floats
    zeta_omega: float
    zeta_lambda: float
    noise: float
    periods: int

    @classmethod
    def make(cls, controls: Floats, before: int, treated: int, estimator: Estimator) -> Problem:
        """For ``controls`` [n, T] and a cohort of ``treated`` units, untreated in the first ``before`` periods."""
        noise = noise_level(controls, before)
        periods = controls.shape[1]
        ridge = _NEGLIGIBLE if estimator == "sc" else (treated * (periods - before)) ** 0.25
        origin = controls[:, :before].mean(axis=0)
        columns = (controls[:, :before] - origin).T
        if estimator != "sc":
            columns = columns - columns.mean(axis=0)
        rows = np.column_stack([controls[:, :before], controls[:, before:].mean(axis=1)])
        rows = rows - rows.mean(axis=1, keepdims=True)
        rows = rows - rows.mean(axis=0)
        return cls(estimator, columns, rows, origin, ridge * noise, _NEGLIGIBLE * noise, noise, periods)

    @property
    def before(self) -> int:
        """Periods before adoption."""
        return len(self.columns)

    @property
    def count(self) -> int:
        """Number of controls n."""
        return int(self.columns.shape[1])

    def target(self, paths: Floats) -> Floats:
        """[B, before] what ω is to match, from mean paths [B, T] of treated units."""
        early = paths[:, : self.before] - self.origin
        return early if self.estimator == "sc" else early - early.mean(axis=1, keepdims=True)

    def omega(self, paths: Floats, counts: Floats | None = None) -> Floats:
        """[B, n] exact unit weights (of one copy) for treated paths [B, T] and ``counts`` [B, n] copies of each control."""
        if self.estimator == "did":
            total = np.full(len(paths), float(self.count)) if counts is None else counts.sum(axis=1)
            return np.repeat(1.0 / total[:, None], self.count, axis=1)
        ridge = np.full(len(paths), self.before * self.zeta_omega**2)
        return least_squares(self.columns, self.target(paths), ridge, counts)

    def lam(self, counts: Floats | None = None) -> Floats:
        """[B, T] exact time weights, for ``counts`` [B, n] copies of each control (B = 1 without)."""
        draws = 1 if counts is None else len(counts)
        out = np.zeros((draws, self.periods))
        if self.estimator == "sc":
            return out
        if self.estimator == "did" or self.before == 1:
            out[:, : self.before] = 1.0 / self.before
            return out
        out[:, : self.before] = self._few_controls(counts) if self.count <= self.before + 1 else self._many_controls(counts)
        return out

    def _many_controls(self, counts: Floats | None) -> Floats:
        copies = np.ones((1, self.count)) if counts is None else counts
        total = copies.sum(axis=1)
        mean = copies @ self.rows / total[:, None]
        product = (
            Gram.of(np.ascontiguousarray(self.rows.T), len(copies)).weighted(copies)
            - total[:, None, None] * mean[:, :, None] * mean[:, None, :]
        )
        k = self.before
        ridge = np.maximum(total * self.zeta_lambda**2, 1e-14 * np.trace(product[:, :k, :k], axis1=1, axis2=2))
        flat = np.where(ridge > 0, ridge, 1.0)
        return active_set(product[:, :k, :k] + flat[:, None, None] * np.eye(k), product[:, :k, k])

    def _few_controls(self, counts: Floats | None) -> Floats:
        copies = np.ones((1, self.count)) if counts is None else counts
        out = np.empty((len(copies), self.before))
        for i, c in enumerate(copies):
            root = np.sqrt(c)[:, None]
            centred = (self.rows - c @ self.rows / c.sum()) * root
            ridge = np.array([c.sum() * self.zeta_lambda**2])
            out[i] = least_squares(np.ascontiguousarray(centred[:, :-1]), centred[None, :, -1], ridge)[0]
        return out


def fit_weights(problem: Problem, path: Floats, solver: Solver) -> Synthetic:
    """The weights for a treated ``path`` [T]: exact, or those at which R's ``synthdid`` stops."""
    if solver == "exact" or problem.estimator == "did":
        omega, lam = problem.omega(path[None])[0], problem.lam()[0]
    else:
        omega, lam = _stopped(problem, path)
    return Synthetic(omega, lam, problem.zeta_omega, problem.zeta_lambda, problem.noise)


def _stopped(problem: Problem, path: Floats) -> tuple[Floats, Floats]:
    """Frank–Wolfe from equal weights, 100 steps; weights up to a quarter of the largest set to zero; then up to 10 000 steps more."""
    least = 1e-5 * problem.noise
    omega = _two_rounds(problem.columns, problem.target(path[None])[0], problem.before * problem.zeta_omega**2, least)
    lam = np.zeros(problem.periods)
    if problem.estimator == "sdid":
        ridge = problem.count * problem.zeta_lambda**2
        lam[: problem.before] = _two_rounds(np.ascontiguousarray(problem.rows[:, :-1]), problem.rows[:, -1], ridge, least)
    return omega, lam


def _two_rounds(A: Floats, b: Floats, eta: float, least: float) -> Floats:
    n = A.shape[1]
    first = frank_wolfe(A, b, eta, least_decrease=least, start=np.full(n, 1.0 / n), steps=100)
    sparse = np.where(first <= first.max() / 4, 0.0, first)
    return frank_wolfe(A, b, eta, least_decrease=least, start=sparse / sparse.sum(), steps=10_000)
