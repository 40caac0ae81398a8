"""One regression per horizon: the long difference on entry into treatment, with effects of the period of entry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hinterland.evaluate.lp_did_sample import Floats, Ints, Mask
from hinterland.evaluate.regression import column_scale, independent_columns


@dataclass(frozen=True, slots=True)
class Cell:
    """The sample of one period of entry: m units.

    ``unit`` [m] positions; ``y`` [m] long differences; ``entry`` [m] 0 or 1; ``x`` [k, m]; ``weight`` [m].
    """

    unit: Ints
    y: Floats
    entry: Floats
    x: Floats
    weight: Floats

    @property
    def both(self) -> bool:
        """Whether somebody enters while somebody else does not."""
        return bool(0 < self.entry.sum() < len(self.entry))


@dataclass(frozen=True, slots=True)
class Fitted:
    """The effect at one horizon.

    Attributes:
        estimate: the effect; NaN where it is not identified.
        influence: [N] influence function by unit, without small-sample factor.
        n: rows;  entries: entries among them that have a control;  lost: entries that have none.
        periods: periods of entry that have rows;  parameters: of the regression, period effects included.
        kept: [k] covariates that are not collinear.
        used: [N] units with rows;  spanned: the covariates explain the outcome without error, as lags do before entry.
    """

    estimate: float
    influence: Floats
    n: int
    entries: int
    lost: int
    periods: int
    parameters: int
    kept: Mask
    used: Mask
    spanned: bool = False


EXACT = 1e-20
"""Residual sum of squares, over that of the outcome, up to which the covariates explain it without error."""


def fit_horizon(cells: Sequence[Cell], n_units: int, *, reweight: bool) -> Fitted:
    """The effect at one horizon.

    Without ``reweight``, least squares on entry, covariates and period effects: entries of a period count with the variance of entry
    in it. With it and no covariates, the same with weights 1 / (1 - p), p the share that enters: entries count alike. With it and
    covariates, regression adjustment: the controls' regression predicts the change of those who enter (equation 16 of the paper).
    """
    cells = [c for c in cells if len(c.unit) > 1]
    k = len(cells[0].x) if cells else 0
    good = [c for c in cells if c.both]
    entries = int(sum(c.entry.sum() for c in good))
    lost = int(sum(c.entry.sum() for c in cells)) - entries
    if reweight and k == 0:
        cells = good
    rows = sum(len(c.unit) for c in cells)
    units = np.zeros(n_units, dtype=np.bool_)
    for cell in cells:
        units[cell.unit] = True
    if not good:
        return Fitted(np.nan, np.zeros(n_units), rows, 0, lost, len(cells), 0, np.ones(k, dtype=np.bool_), units)
    adjust = reweight and k > 0
    estimate, influence, kept = _adjusted(cells, n_units) if adjust else _least_squares(cells, n_units, reweight=reweight)
    parameters = 1 + int(kept.sum()) + len(cells)
    if k and _spanned(cells, kept):
        return Fitted(0.0, np.zeros(n_units), rows, entries, lost, len(cells), parameters, kept, units, spanned=True)
    return Fitted(estimate, influence, rows, entries, lost, len(cells), parameters, kept, units)


def _spanned(cells: Sequence[Cell], kept: Mask) -> bool:
    """Whether covariates and period effects explain the outcome without error."""
    x = np.hstack([c.x[kept] - c.x[kept].mean(axis=1, keepdims=True) for c in cells])
    y = np.concatenate([c.y - c.y.mean() for c in cells])
    scale = np.sqrt((x**2).sum(axis=1))
    beta = np.linalg.lstsq((x / scale[:, None]) @ (x / scale[:, None]).T, (x / scale[:, None]) @ y, rcond=None)[0]
    residual = y - beta @ (x / scale[:, None])
    return bool(residual @ residual <= EXACT * (y @ y))


def _least_squares(cells: Sequence[Cell], n_units: int, *, reweight: bool) -> tuple[float, Floats, Mask]:
    k = len(cells[0].x)
    gram, cross, raw = np.zeros((k + 1, k + 1)), np.zeros(k + 1), np.zeros((2, k + 1))
    parts = []
    for cell in cells:
        weight = cell.weight
        total = float(weight.sum())
        share = float(weight @ cell.entry) / total
        if reweight and share < 1:
            weight = weight / (1 - share)
        columns = np.vstack([cell.x, cell.entry])
        raw += column_scale(columns.T, weight)
        z = columns - (columns @ weight)[:, None] / weight.sum()
        y = cell.y - weight @ cell.y / weight.sum()
        parts.append((cell.unit, z, y, weight))
        weighted = z * weight
        gram += weighted @ z.T
        cross += weighted @ y
    kept = independent_columns(gram, raw[0], raw[1])
    if not kept[-1]:
        return np.nan, np.zeros(n_units), kept[:-1]
    inverse = np.linalg.inv(gram[np.ix_(kept, kept)])
    beta = inverse @ cross[kept]
    influence = np.zeros(n_units)
    for unit, z, y, weight in parts:
        used = z[kept]
        influence[unit] += (inverse[-1] @ used) * weight * (y - beta @ used)
    return float(beta[-1]), influence, kept[:-1]


def _adjusted(cells: Sequence[Cell], n_units: int) -> tuple[float, Floats, Mask]:
    """Regression adjustment: mean over entries of the difference from what the controls' regression predicts."""
    k = len(cells[0].x)
    gram, cross, raw = np.zeros((k, k)), np.zeros(k), np.zeros((2, k))
    parts = []
    for cell in cells:
        weight = np.where(cell.entry == 0, cell.weight, 0.0)
        if not weight.any():
            continue
        x = cell.x - (cell.x @ weight)[:, None] / weight.sum()
        y = cell.y - weight @ cell.y / weight.sum()
        raw += column_scale(cell.x.T, weight)
        gram += (x * weight) @ x.T
        cross += (x * weight) @ y
        parts.append((cell, x, y, weight))
    kept = independent_columns(gram, raw[0], raw[1])
    inverse = np.linalg.inv(gram[np.ix_(kept, kept)])
    gamma = inverse @ cross[kept]
    size = sum(float(cell.weight @ cell.entry) for cell, *_ in parts)
    gaps = [(y - gamma @ x[kept]) for _, x, y, _ in parts]
    effect = sum(float((cell.weight * cell.entry) @ gap) for (cell, *_), gap in zip(parts, gaps, strict=True)) / size
    slope = inverse @ sum((x[kept] @ (cell.weight * cell.entry) for cell, x, _, _ in parts), np.zeros(int(kept.sum()))) / size
    influence = np.zeros(n_units)
    for (cell, x, _, weight), gap in zip(parts, gaps, strict=True):
        entering = cell.weight * cell.entry / size
        leverage = entering.sum() / weight.sum() + slope @ x[kept]
        influence[cell.unit] += entering * (gap - effect) - weight * leverage * gap
    return effect, influence, kept
