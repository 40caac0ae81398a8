"""Two stages (Gardner 2021) with clean controls: untreated outcomes are predicted from rows that are neither treated nor exposed.

First stage on clean rows: y = α_i + λ_t + x'β. Second stage on the other rows: what is left of y, on indicators of what reaches the row.
The covariance is that of both stages as one system of moments; its score of row it is linear in the residuals,

    second-stage rows: (W'ΩW)⁻¹ W_it ω_it û_it;   clean rows: −(W'ΩW)⁻¹ Γ' z_it ω_it ê_it,   Γ = (Z₀'Ω₀Z₀)⁻¹ Z'ΩW,

with Z the first stage's columns (0: on clean rows) and Ω the weights.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hinterland.errors import EstimationError, Finding, listed
from hinterland.evaluate.design import Design
from hinterland.evaluate.hdfe import tally
from hinterland.evaluate.regression import column_scale, independent_columns

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

_RANK = 1e-10


@dataclass(frozen=True, slots=True)
class FirstStage:
    """Unit and period effects and covariates' coefficients, from clean rows.

    ``unit`` [N, p], ``period`` [T, p], ``slope`` [k, p] solve Z₀'Ω₀Z₀ γ = b for p right-hand sides.
    """

    unit: Floats
    period: Floats
    slope: Floats

    def at(self, design: Design) -> Floats:
        """[n, p] z'γ of every row."""
        fitted = self.unit[design.unit] + self.period[design.period]
        return fitted + design.covariates @ self.slope if self.slope.shape[0] else fitted


@dataclass(frozen=True, slots=True)
class System:
    """Z₀'Ω₀Z₀ with unit effects eliminated.

    ``count`` [N] weight of each unit's clean rows;  ``cross`` [N, M] weighted sums of the M other columns (T periods, k covariates) by
    unit;  ``schur`` [M, M] what is left of the others' cross products;  ``inverse`` [M, M] a generalised inverse of it.
    """

    count: Floats
    cross: Floats
    schur: Floats
    inverse: Floats
    periods: int

    def solve(self, by_unit: Floats, by_other: Floats) -> FirstStage:
        """γ for right-hand sides ``by_unit`` [N, p] and ``by_other`` [M, p].

        Raises ``EstimationError`` where clean rows do not identify what is asked for.
        """
        share = by_unit / self.count[:, None]
        right = by_other - self.cross.T @ share
        other = self.inverse @ right
        self._fail_if_not_identified(other, right)
        return FirstStage(share - (self.cross @ other) / self.count[:, None], other[: self.periods], other[self.periods :])

    def _fail_if_not_identified(self, other: Floats, right: Floats) -> None:
        error = np.abs(self.schur @ other - right).max(initial=0.0)
        if error > 1e-6 * max(np.abs(right).max(initial=0.0), 1e-12):
            what = "the rows that are neither treated nor exposed do not connect all units and periods"
            where = "first stage of spillover"
            remedy = "take fewer or narrower rings, start the panel earlier, or leave out covariates"
            raise EstimationError(Finding("not-connected", what, where, remedy), "design")


def system(design: Design, clean: Mask) -> System:
    """The first stage's system on the rows ``clean`` [n]; every unit and period must have one."""
    n, periods, k = design.n_units, design.n_periods, design.covariates.shape[1]
    unit, period, x = design.unit[clean], design.period[clean], design.covariates[clean]
    w = np.ones(len(unit)) if design.weight is None else design.weight[clean]
    count = tally(unit, w, n)
    cross = np.zeros((n, periods + k))
    np.add.at(cross, (unit, period), w)
    inner = np.zeros((periods + k, periods + k))
    inner[np.arange(periods), np.arange(periods)] = tally(period, w, periods)
    for j in range(k):
        cross[:, periods + j] = tally(unit, w * x[:, j], n)
        inner[:periods, periods + j] = inner[periods + j, :periods] = tally(period, w * x[:, j], periods)
    inner[periods:, periods:] = x.T @ (x * w[:, None])
    schur = inner - cross.T @ (cross / count[:, None])
    scale = np.sqrt(np.maximum(np.diag(inner), np.finfo(float).tiny))
    inverse = np.linalg.pinv(schur / np.outer(scale, scale), rcond=_RANK, hermitian=True) / np.outer(scale, scale)
    return System(count, cross, schur, inverse, periods)


def told_apart(design: Design, clean: Mask) -> Mask:
    """[k] covariates that neither the effects of units and periods nor the covariates before them explain on clean rows."""
    prepared, t = system(design, clean), design.n_periods
    outer = prepared.schur[:t, t:]
    gram = prepared.schur[t:, t:] - outer.T @ np.linalg.pinv(prepared.schur[:t, :t], rcond=_RANK, hermitian=True) @ outer
    raw, centred = column_scale(design.covariates[clean], None if design.weight is None else design.weight[clean])
    return independent_columns(gram, raw, centred)


@dataclass(frozen=True, slots=True)
class TwoStage:
    """``estimate`` [p]; ``scores`` [n, p] of each row, whose sums by cluster are the influence; ``effects`` [n] y less the first
    stage's prediction, for every row.
    """

    estimate: Floats
    scores: Floats
    effects: Floats


def two_stage(design: Design, clean: Mask, columns: Floats) -> TwoStage:
    """Regress what the first stage leaves of y on ``columns`` [n, p] (zero on clean rows, of full rank).

    Args:
        design: the rows used; every unit and period with a clean row.
        clean: [n] rows of the first stage.
    """
    k = design.covariates.shape[1]
    w = np.ones(design.n_obs) if design.weight is None else design.weight
    prepared = system(design, clean)

    def moments(values: Floats, rows: Mask) -> tuple[Floats, Floats]:
        weighted = values[rows] * w[rows, None]
        by_unit = _sums(design.unit[rows], weighted, design.n_units)
        by_period = _sums(design.period[rows], weighted, design.n_periods)
        return by_unit, np.concatenate([by_period, design.covariates[rows].T @ weighted]) if k else by_period

    first = prepared.solve(*moments(design.y[:, None], clean)).at(design)[:, 0]
    left = design.y - first
    weighted = columns * w[:, None]
    bread = np.linalg.inv(columns.T @ weighted)
    estimate = bread @ (weighted.T @ left)
    touched = (columns != 0).any(axis=1)
    through = prepared.solve(*moments(columns, touched))
    scores = np.zeros_like(columns)
    scores[touched] = weighted[touched] * (left - columns @ estimate)[touched, None]
    scores[clean] -= through.at(design)[clean] * (w * left)[clean, None]
    return TwoStage(estimate, scores @ bread, left)


def _sums(codes: NDArray[np.int32], values: Floats, size: int) -> Floats:
    return np.column_stack([tally(codes, values[:, j], size) for j in range(values.shape[1])])


def fail_if_no_clean_rows(design: Design, clean: Mask) -> None:
    """Raise where nothing is left to predict untreated outcomes from."""
    if clean.any():
        return
    what = "every row is treated or exposed to the treatment of others"
    where = f"{design.n_units} units, cohorts {listed(design.cohorts.tolist(), 8)}"
    raise EstimationError(Finding("nobody-unexposed", what, where, "take narrower rings, or fewer neighbours"), "design")
