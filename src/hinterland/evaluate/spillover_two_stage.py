"""Two stages (Gardner 2021) with clean controls: untreated outcomes are predicted from rows that are neither treated nor exposed.

First stage on clean rows: y = α_i + λ_t + x'β. Second stage on the other rows: what is left of y, on indicators of what reaches the row.
The covariance is that of both stages as one system of moments; its score of row it is linear in the residuals,

    second-stage rows: (W'ΩW)⁻¹ W_it ω_it û_it;   clean rows: −(W'ΩW)⁻¹ Γ' z_it ω_it ê_it,   Γ = (Z₀'Ω₀Z₀)⁻¹ Z'ΩW,

with Z the first stage's columns (0: on clean rows) and Ω the weights.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hinterland.errors import EstimationError, Finding, listed
from hinterland.evaluate.coding import Factor
from hinterland.evaluate.design import Design
from hinterland.evaluate.hdfe import BLOCK, tally
from hinterland.evaluate.regression import column_scale, independent_columns
from hinterland.evaluate.vcov import cluster_sums

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

    def at(self, design: Design, rows: slice) -> Floats:
        """[m, p] z'γ of ``rows``."""
        fitted = self.unit.take(design.unit[rows], axis=0)
        fitted += self.period.take(design.period[rows], axis=0)
        if self.slope.shape[0]:
            fitted += design.covariates[rows] @ self.slope
        return fitted


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
    cross[:, :periods] = tally(unit.astype(np.int64) * periods + period, w, n * periods).reshape(n, periods)
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
    k, w = design.covariates.shape[1], design.weight
    prepared = system(design, clean)
    unit = Factor(design.unit_name, design.unit, design.n_units)
    period = Factor(design.time_name, design.period, design.n_periods)

    def moments(values: Floats, rows: Mask) -> tuple[Floats, Floats]:
        mass = rows.astype(np.float64) if w is None else np.where(rows, w, 0.0)
        by_period = cluster_sums(values, mass, period)
        other = np.concatenate([by_period, design.covariates.T @ (values * mass[:, None])]) if k else by_period
        return cluster_sums(values, mass, unit), other

    first = prepared.solve(*moments(design.y[:, None], clean))
    left = np.empty(design.n_obs)
    for rows in _blocks(design):
        left[rows] = design.y[rows] - first.at(design, rows)[:, 0]
    weighted = columns if w is None else columns * w[:, None]
    bread = np.linalg.inv(columns.T @ weighted)
    estimate = bread @ (weighted.T @ left)
    through = prepared.solve(*moments(columns, (columns != 0).any(axis=1)))
    scores = np.empty_like(columns)
    for rows in _blocks(design):
        made = weighted[rows] * (left[rows] - columns[rows] @ estimate)[:, None]
        mass = clean[rows] * left[rows] if w is None else clean[rows] * left[rows] * w[rows]
        scores[rows] = (made - through.at(design, rows) * mass[:, None]) @ bread
    return TwoStage(estimate, scores, left)


def _blocks(design: Design) -> Iterator[slice]:
    """Rows by blocks that stay in the processor's cache."""
    return (slice(start, start + BLOCK) for start in range(0, design.n_obs, BLOCK))


def fail_if_no_clean_rows(design: Design, clean: Mask) -> None:
    """Raise where nothing is left to predict untreated outcomes from."""
    if clean.any():
        return
    what = "every row is treated or exposed to the treatment of others"
    where = f"{design.n_units} units, cohorts {listed(design.cohorts.tolist(), 8)}"
    raise EstimationError(Finding("nobody-unexposed", what, where, "take narrower rings, or fewer neighbours"), "design")
