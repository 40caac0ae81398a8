"""Covariates of the switchers' comparisons: first differences of the outcome on those of the covariates, among units not changed yet.

de Chaisemartin & D'Haultfœuille (2024), web appendix: in each group of units with the same treatment in the first period, ΔY is
regressed on ΔX and period effects over the cells before the first change; the outcome is then Y - X'θ.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from hinterland.evaluate.dcdh_contrasts import Contrast, Window, contrast
from hinterland.evaluate.dcdh_paths import Block, Floats, Ints, Mask, Paths

_SINGULAR = 1e-10
"""Eigenvalues of the covariates' correlation matrix below this share of the largest count as zero."""


@dataclass(frozen=True, slots=True)
class Slopes:
    """Coefficients θ of the covariates among units with one treatment in the first period.

    ``theta`` [k]; ``influence`` [k, N], zero outside those units; ``rank`` of the regression, k unless covariates are collinear.
    """

    theta: Floats
    influence: Floats
    rank: int


def regress(paths: Paths, y: Floats, x: Floats) -> Mapping[int, Slopes]:
    """The slopes by treatment of the first period, for the outcome ``y`` [T, N] and covariates ``x`` [k, T, N]."""
    by_status: dict[int, list[Block]] = {}
    for block in paths.blocks:
        by_status.setdefault(block.status, []).append(block)
    return {status: _regress_one(paths, y, x, blocks) for status, blocks in by_status.items()}


def residual(paths: Paths, y: Floats, x: Floats, slopes: Mapping[int, Slopes]) -> Floats:
    """Y - X'θ [T, N]."""
    out = y.copy()
    for block in paths.blocks:
        where = slice(block.low, block.high)
        out[:, where] -= np.tensordot(slopes[block.status].theta, x[:, :, where], axes=1)
    return out


def with_slopes(paths: Paths, x: Floats, slopes: Mapping[int, Slopes], window: Window, plain: Contrast) -> Contrast:
    """The contrast of the residual, its influence including that of θ."""
    influence = plain.influence.copy()
    for j in range(len(x)):
        for status, part in contrast(paths, x[j], window).by_status.items():
            influence -= part * slopes[status].influence[j]
    return replace(plain, influence=influence)


def _regress_one(paths: Paths, y: Floats, x: Floats, blocks: list[Block]) -> Slopes:
    k, n = len(x), y.shape[1]
    scores = np.zeros((k, n))
    gram, cross = np.zeros((k, k)), np.zeros(k)
    pieces = [_demeaned(paths, y, x, block, t) for block in blocks for t in range(1, paths.n_periods)]
    parts = [p for p in pieces if p is not None]
    for part in parts:
        gram += (part.x * part.weight) @ part.x.T
        cross += (part.x * part.weight) @ part.y
    inverse, rank = _inverse(gram)
    theta = inverse @ cross
    for part in parts:
        scores[:, part.low : part.high] += part.x * part.weight * part.inflate * (part.y - theta @ part.x)
    return Slopes(theta, inverse @ scores, rank)


@dataclass(frozen=True, slots=True)
class _Part:
    """First differences of units not changed by one period, at positions ``low`` to ``high``, less their means."""

    low: int
    high: int
    y: Floats
    x: Floats
    weight: Floats
    inflate: float


def _demeaned(paths: Paths, y: Floats, x: Floats, block: Block, t: int) -> _Part | None:
    low, high = int(block.after[t]), block.high
    where = slice(low, high)
    dy, dx = y[t, where] - y[t - 1, where], x[:, t, where] - x[:, t - 1, where]
    seen = np.isfinite(dy) & np.isfinite(dx).all(axis=0)
    weight = seen.astype(np.float64) if paths.weight is None else np.where(seen, paths.weight[t, where], 0.0)
    total = float(weight.sum())
    if total == 0:
        return None
    dy, dx = np.where(seen, dy, 0.0), np.where(seen, dx, 0.0)
    count = _units(paths.cluster, where, seen)
    inflate = float(np.sqrt(count / (count - 1))) if count > 1 else 1.0
    return _Part(low, high, (dy - weight @ dy / total) * seen, (dx - (dx @ weight / total)[:, None]) * seen, weight, inflate)


def _units(clusters: Ints | None, where: slice, seen: Mask) -> int:
    return int(seen.sum()) if clusters is None else len(np.unique(clusters[where][seen]))


def _inverse(gram: Floats) -> tuple[Floats, int]:
    """Moore–Penrose inverse of a cross product and its rank, judged on its correlation matrix."""
    scale = np.sqrt(np.diag(gram))
    unit = np.where(scale > 0, scale, 1.0)
    values, vectors = np.linalg.eigh(gram / unit / unit[:, None])
    keep = values > _SINGULAR * max(float(values.max(initial=0.0)), 1e-300)
    inverse = (vectors[:, keep] / values[keep]) @ vectors[:, keep].T
    return inverse / unit / unit[:, None], int(keep.sum())
