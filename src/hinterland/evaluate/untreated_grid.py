"""The first stage with unit and period effects: closed form on [N, T] matrices, with gaps and weights.

Unit effects are eliminated; the T period effects solve a [T, T] system whose null space is one constant per group of periods that
units connect. A treated row can be predicted when its period is connected with the periods in which its unit is seen untreated.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hinterland.evaluate.callaway_santanna import sum_by_cluster, unit_clusters
from hinterland.evaluate.coding import Floats
from hinterland.evaluate.design import Design
from hinterland.evaluate.regression import independent_columns
from hinterland.evaluate.untreated import Cells, Sample

Mask = NDArray[np.bool_]
BLOCK = 4096
"""Units worked on at a time, so that what is read twice is still in the cache."""
UNDETERMINED = 1e-7
"""Rounding, as a share of the largest value: what exceeds it, untreated rows do not determine."""
MOVING = 3e-4
"""A covariate left out as collinear on the untreated rows moves on a treated one beyond this share of its largest value net of fixed effects.
Columns are left out where less than 3e-5 of them is their own (1e-9 of the sum of squares), and that much is no movement.
"""


@dataclass(frozen=True, slots=True)
class Solver:
    """Least squares on unit and period effects with weights ``w0`` [N, T] (zero: not used).

    ``share`` [N, T]: ``w0`` over its sum within the unit. ``inverse`` [T, T]: of the periods' system, zero for one reference period
    in each connected group. ``group`` [T]: the connected group of each period.
    """

    w0: Floats
    share: Floats
    inverse: Floats
    group: NDArray[np.int32]

    @classmethod
    def of(cls, w0: Floats) -> Solver:
        """Prepare it. Every unit must have some weight."""
        share = w0 / w0.sum(axis=1)[:, None]
        crossed = share.T @ w0
        system = np.diag(w0.sum(axis=0)) - (crossed + crossed.T) / 2
        group = _connected(crossed > 0)
        keep = np.ones(len(group), dtype=np.bool_)
        keep[np.unique(group, return_index=True)[1]] = False
        inverse = np.zeros_like(system)
        if keep.any():
            inverse[np.ix_(keep, keep)] = np.linalg.inv(system[np.ix_(keep, keep)])
        return cls(w0, share, inverse, group)

    def residual(self, values: Floats) -> Floats:
        """[N, T] ``values`` less their prediction by unit and period effects, in every cell."""
        out = np.empty(values.shape)
        moments = np.zeros(values.shape[1])
        for at in blocks(len(values)):
            np.subtract(values[at], np.einsum("it,it->i", self.share[at], values[at])[:, None], out=out[at])
            moments += np.einsum("it,it->t", self.w0[at], out[at])
        theta = self.inverse @ moments
        for at in blocks(len(values)):
            out[at] -= theta
            out[at] += (self.share[at] @ theta)[:, None]
        return out

    def connected(self) -> Mask | None:
        """[N, T] cells whose prediction is determined; ``None``: all."""
        if not self.group.any():
            return None
        own = self.group[np.argmax(self.w0 > 0, axis=1)]
        return np.asarray(self.group == own[:, None])


def blocks(size: int) -> Iterator[slice]:
    """Slices of ``BLOCK`` rows."""
    return (slice(start, start + BLOCK) for start in range(0, size, BLOCK))


def _connected(linked: Mask) -> NDArray[np.int32]:
    """[T] number of the connected component of each of T nodes, given links [T, T]."""
    reach = (linked | np.eye(len(linked), dtype=np.bool_)).astype(np.float64)
    while True:
        further = (reach @ reach > 0).astype(np.float64)
        if (further == reach).all():
            break
        reach = further
    return np.unique(np.argmax(reach > 0, axis=1), return_inverse=True)[1].astype(np.int32)


@dataclass(frozen=True, slots=True)
class GridStage:
    """A fitted first stage, see :class:`hinterland.evaluate.untreated.FirstStage`.

    ``score`` [N, T]: weights times residuals of the untreated rows. ``x`` [k][N, T]: covariates kept, net of the fixed effects;
    ``bread`` [k, k]: inverse of their cross products on untreated rows. ``position`` [n] of each row in the [N, T] grid.
    """

    design: Design
    solver: Solver
    residual: Floats
    imputable: Mask
    names: tuple[str, ...]
    dropped: tuple[str, ...]
    coefficients: Floats
    score: Floats
    x: tuple[Floats, ...]
    bread: Floats
    position: NDArray[np.int64] | None

    def charge(self, out: Floats, cells: Cells, omega: Floats) -> None:
        """Add the part of each cell's influence [C, p] that comes from estimating the first stage."""
        from scipy.sparse import csr_array

        design, rows = self.design, cells.rows
        code, unit = cells.code, design.unit[rows]
        t = design.n_periods
        table = np.bincount(code * np.int32(t) + design.period[rows], weights=omega, minlength=cells.size * t).reshape(cells.size, t)
        target = csr_array((omega, (code, unit)), shape=(cells.size, design.n_units))
        steps = [self.inverse_of(table - target @ self.solver.share)]
        scores = [self.score]
        if self.x:
            where = rows if self.position is None else self.position[rows]
            moved = np.array([cells.sum(omega * x.reshape(-1)[where]) for x in self.x])
            steps.append(self.bread @ moved)
            scores.append(np.column_stack([np.einsum("it,it->i", self.score, x) for x in self.x]))
        clusters = unit_clusters(design)
        score = sum_by_cluster(np.hstack(scores) if self.x else self.score, clusters, len(out))
        step = np.vstack(steps)
        for at in blocks(len(out)):
            out[at] -= score[at] @ step

    def inverse_of(self, moments: Floats) -> Floats:
        """[T, p] period coefficients of targets with moments [p, T]."""
        return np.asarray(self.solver.inverse @ moments.T)

    def scored_by(self, score: Floats) -> GridStage:
        """The same projection with the residuals of another fit."""
        return replace(self, score=score)


def fit_grid(sample: Sample, weight: Floats | None) -> GridStage:
    """Fit unit and period effects and the design's covariates on the free rows. Clusters must hold whole units."""
    design = sample.design
    position = None if design.balanced else design.unit.astype(np.int64) * design.n_periods + design.period
    w0 = to_grid(design, sample.free.astype(np.float64) if weight is None else sample.free * weight, position)
    solver = Solver.of(w0)
    y = solver.residual(to_grid(design, design.y, position))
    raw = [to_grid(design, design.covariates[:, j], position) for j in range(len(design.covariate_names))]
    x = [solver.residual(v) for v in raw]
    gram, moments = _cross_products(w0, x, y)
    kept = _kept(w0, raw, gram)
    bread: Floats = np.linalg.inv(gram[np.ix_(kept, kept)]).astype(np.float64, copy=False)
    coefficients = bread @ moments[kept]
    imputable = solver.connected()
    for j in np.flatnonzero(~kept):
        moving = np.abs(_rest(x, gram, kept, int(j))) > max(UNDETERMINED * np.abs(raw[j]).max(), MOVING * np.abs(x[j]).max())
        imputable = ~moving if imputable is None else imputable & ~moving
    own = tuple(x[j] for j in np.flatnonzero(kept))
    for value, column in zip(coefficients, own, strict=True):
        y -= value * column

    return GridStage(
        design=design,
        solver=solver,
        residual=_rows(y, position),
        imputable=np.ones(design.n_obs, dtype=np.bool_) if imputable is None else _rows(imputable, position),
        names=tuple(n for n, keep in zip(design.covariate_names, kept, strict=True) if keep),
        dropped=tuple(n for n, keep in zip(design.covariate_names, kept, strict=True) if not keep),
        coefficients=coefficients,
        score=w0 * y,
        x=own,
        bread=bread,
        position=position,
    )


def to_grid(design: Design, values: Floats, position: NDArray[np.int64] | None) -> Floats:
    """[N, T] values of the rows, zero where a row is missing."""
    if position is None:
        return values.reshape(design.n_units, design.n_periods)
    out = np.zeros(design.n_units * design.n_periods)
    out[position] = values
    return out.reshape(design.n_units, design.n_periods)


def _cross_products(w0: Floats, x: list[Floats], y: Floats) -> tuple[Floats, Floats]:
    """X'W₀X [k, k] and X'W₀y [k] of grids."""
    k = len(x)
    gram, moments = np.zeros((k, k)), np.zeros(k)
    for at in blocks(len(w0) if k else 0):
        for j in range(k):
            weighted = w0[at] * x[j][at]
            moments[j] += np.vdot(weighted, y[at])
            for i in range(j + 1):
                gram[i, j] += np.vdot(weighted, x[i][at])
    return np.triu(gram) + np.triu(gram, 1).T, moments


def _rows(values: NDArray[Any], position: NDArray[np.int64] | None) -> NDArray[Any]:
    """[n] values of an [N, T] grid at the rows."""
    return values.reshape(-1) if position is None else values.reshape(-1)[position]


def _kept(w0: Floats, raw: list[Floats], gram: Floats) -> Mask:
    """[k] covariates that untreated rows tell apart from the fixed effects and from those before them."""
    total = float(w0.sum())
    squares = np.array([float(np.einsum("it,it,it->", w0, v, v)) for v in raw])
    means = np.array([float(np.vdot(w0, v)) for v in raw])
    return independent_columns(gram, squares, np.maximum(squares - means**2 / total, 0.0))


def _rest(x: list[Floats], gram: Floats, kept: Mask, j: int) -> Floats:
    """[N, T] a covariate dropped on the untreated rows, less what those rows say of it."""
    rest = x[j].copy()
    if kept.any():
        for value, i in zip(np.linalg.solve(gram[np.ix_(kept, kept)], gram[kept, j]), np.flatnonzero(kept), strict=True):
            rest -= value * x[i]
    return rest
