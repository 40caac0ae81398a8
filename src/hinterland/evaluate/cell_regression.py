"""Least squares on regressors that are functions of cohort and period, beside covariates, in a balanced panel.

Net of unit and period effects such a regressor is a function of cohort and period still. So no column of rows is made for it: cross
products are those of tables [K, T], weighted by units, and sums by unit are one product of matrices per cohort.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hinterland.evaluate.coding import Factor, Floats
from hinterland.evaluate.design import Design
from hinterland.evaluate.hdfe import BLOCK, Balanced, group_sums, project_off
from hinterland.evaluate.inference import Inference, effective_number
from hinterland.evaluate.regression import Fit, absorbed, column_scale, fail_if_nothing_left, headline, independent_columns
from hinterland.evaluate.saturated import Counted, small_sample
from hinterland.evaluate.vcov import Covariance, is_nested

FEW = 2
"""Regressors up to which one pass each over the rows is quicker than a product by cohort."""


@dataclass(frozen=True, slots=True)
class CellRegressors:
    """Regressors that are functions of cohort and period.

    Attributes:
        cohorts: [K] the distinct cohorts, increasing, ``NEVER`` among them;  group: [N] each unit's position among them.
        size: [K] units of each cohort;  values: [K, T, q] the q regressors.
    """

    cohorts: NDArray[np.int64]
    group: NDArray[np.int64]
    size: Floats
    values: Floats

    @classmethod
    def of(cls, design: Design, columns: int) -> CellRegressors:
        """The cohorts of ``design``, and room for ``columns`` regressors, all zero."""
        cohorts = np.unique(design.cohort)
        group = np.searchsorted(cohorts, design.cohort)
        size = np.bincount(group, minlength=len(cohorts)).astype(np.float64)
        return cls(cohorts, group, size, np.zeros((len(cohorts), design.n_periods, columns)))


def are_cells_enough(design: Design, inference: Inference) -> bool:
    """Whether a regressor that is one of cohort and period stays one net of the fixed effects, and its covariance needs no more.

    So it is in a balanced panel, unweighted, with unit and period effects, treatment that lasts and is whole, and one grouping of units.
    """
    plain = design.balanced and design.weight is None and not design.fixed_effects
    if not plain or inference.vcov != "cluster" or len(design.clusters) > 1:
        return False
    if design.treatment_level is not None or design.policy.partial == "dose":
        return False
    return is_nested(Factor(design.unit_name, design.unit, design.n_units), design.clusters[0])


def cell_least_squares(design: Design, cells: CellRegressors, names: Sequence[str], inference: Inference) -> Fit:
    """What :func:`~hinterland.evaluate.regression.least_squares` gives on the q regressors of ``cells`` and the design's k covariates.

    Args:
        design: one that :func:`are_cells_enough` for.
        cells: the regressors.
        names: [q + k] of the regressors and the covariates.
        inference: covariance ``cluster``.

    Raises:
        EstimationError: no column is left, or no degrees of freedom.
    """
    shape = (design.n_units, design.n_periods)
    prepared = Balanced(*shape)
    y, v = prepared.column(design.y), project_off(prepared, design.covariates)
    made = _Cross.of(cells, y.reshape(shape), v)
    raw, centred = (np.concatenate(parts) for parts in zip(_scale(cells), column_scale(design.covariates, None), strict=True))
    kept = independent_columns(made.gram, raw, centred)
    fail_if_nothing_left(design, names, kept)
    bread: Floats = np.linalg.inv(made.gram[np.ix_(kept, kept)]).astype(np.float64, copy=False)
    estimate: Floats = bread @ made.target[kept]
    q = made.net.shape[2]
    own, v = made.net[:, :, kept[:q]], v if kept[q:].all() else np.asfortranarray(v[:, kept[q:]])
    direct, beta = np.split(estimate, [own.shape[2]])
    residuals = (own @ direct).take(cells.group, axis=0)
    np.subtract(y.reshape(shape), residuals, out=residuals)
    if len(beta):
        residuals -= (v @ beta).reshape(shape)
    flat = residuals.reshape(-1)
    left, lost = (tuple(n for n, keep in zip(names, kept, strict=True) if bool(keep) is want) for want in (True, False))
    _, total = column_scale(design.y[:, None], None)
    covariance = _Scores(cells, own, v, bread).covariance(design, residuals, inference, headline(left))
    return Fit(left, lost, estimate, covariance, float(flat @ flat), float(y @ y), float(total[0]), flat)


def _scale(cells: CellRegressors) -> tuple[Floats, Floats]:
    """Sums of squares [q] of the regressors, raw and around the mean."""
    raw = np.einsum("g,gtq,gtq->q", cells.size, cells.values, cells.values)
    mean = np.einsum("g,gtq->q", cells.size, cells.values)
    return raw, np.maximum(raw - mean**2 / (cells.size.sum() * cells.values.shape[1]), 0.0)


@dataclass(frozen=True, slots=True)
class _Cross:
    """``net`` [K, T, q] the regressors net of the fixed effects; ``gram`` [p, p] and ``target`` [p] cross products of all p = q + k
    columns, with each other and with the outcome.
    """

    net: Floats
    gram: Floats
    target: Floats

    @classmethod
    def of(cls, cells: CellRegressors, y: Floats, v: Floats) -> _Cross:
        """``y`` [N, T] and ``v`` [n, k] are net of the fixed effects."""
        q, k = cells.values.shape[2], v.shape[1]
        net = cells.values - cells.values.mean(axis=1, keepdims=True)
        net -= ((cells.size / len(y)) @ net.reshape(len(net), -1)).reshape(net.shape[1:])
        table = net.reshape(-1, q)
        gram, target = np.empty((q + k, q + k)), np.empty(q + k)
        gram[:q, :q] = table.T @ (table * np.repeat(cells.size, net.shape[1])[:, None])
        target[:q] = group_sums(cells.group, len(cells.size), y).reshape(-1) @ table
        for j in range(k):
            gram[:q, q + j] = group_sums(cells.group, len(cells.size), v[:, j].reshape(y.shape)).reshape(-1) @ table
        gram[q:, :q] = gram[:q, q:].T
        gram[q:, q:] = v.T @ v
        target[q:] = v.T @ y.reshape(-1)
        return cls(net, gram, target)


@dataclass(frozen=True, slots=True)
class _Scores:
    """The columns kept: ``own`` [K, T, a] and ``v`` [n, b] net of the fixed effects, and their ``bread`` [a + b, a + b]."""

    cells: CellRegressors
    own: Floats
    v: Floats
    bread: Floats

    def covariance(self, design: Design, residuals: Floats, inference: Inference, contrast: Floats | None) -> Covariance:
        """Clustered on the design's grouping, from ``residuals`` [N, T]."""
        cluster, ssc, n = design.clusters[0], inference.ssc, design.n_obs
        counted = Counted(absorbed(design), design.n_units + design.n_periods - 1 if ssc.k_exact else None)
        factor, parameters = small_sample(n, len(self.bread), counted, cluster, ssc)
        owner = cluster.codes.reshape(residuals.shape)[:, 0]
        scores = _by_cluster(self._influence(residuals, np.sqrt(factor) * self.bread), owner, cluster.size)
        df = float(cluster.size - 1) if ssc.t_df == "min" else float(n - parameters)
        facts = {}
        if contrast is not None:
            share = self._shares(self.bread @ contrast)[:, None]
            facts["effective_clusters"] = effective_number(_by_cluster(share, owner, cluster.size)[:, 0])
        return Covariance(scores.T @ scores, scores, df, parameters, (cluster.size,), facts=facts)

    def _influence(self, residuals: Floats, right: Floats) -> Floats:
        """[N, a + b] sums over periods of columns times residuals, times ``right``."""
        a, shape = self.own.shape[2], residuals.shape
        own = [self.own[:, :, j].take(self.cells.group, axis=0) for j in range(a)] if a <= FEW else []
        columns = [*own, *(self.v[:, j].reshape(shape) for j in range(self.v.shape[1]))]
        scores = np.empty((len(residuals), len(columns)))
        for j, column in enumerate(columns):
            np.einsum("it,it->i", column, residuals, out=scores[:, j])
        if a <= FEW:
            return scores @ right
        tables, out = self.own @ right[:a], np.empty((len(residuals), len(right)))
        for g, some in self._blocks():
            out[some] = residuals[some] @ tables[g]
        if columns:
            out += scores @ right[a:]
        return out

    def _blocks(self) -> Iterator[tuple[int, NDArray[np.int64]]]:
        order = np.argsort(self.cells.group.astype(np.int16 if len(self.cells.size) < 2**15 else np.int64), kind="stable")
        ends = np.cumsum(self.cells.size).astype(np.int64)
        for g, end in enumerate(ends):
            first = int(ends[g - 1]) if g else 0
            for start in range(first, int(end), BLOCK):
                yield g, order[start : min(start + BLOCK, int(end))]

    def _shares(self, direction: Floats) -> Floats:
        """[N] sums over periods of the squares of the columns times ``direction`` [a + b]."""
        table = self.own @ direction[: self.own.shape[2]]
        if not self.v.shape[1]:
            return np.asarray((table**2).sum(axis=1)[self.cells.group])
        d = table.take(self.cells.group, axis=0)
        d += (self.v @ direction[self.own.shape[2] :]).reshape(d.shape)
        return np.asarray(np.einsum("it,it->i", d, d))


def _by_cluster(values: Floats, owner: NDArray[np.int32], size: int) -> Floats:
    """[C, p] sums of ``values`` [N, p] over the units of each cluster."""
    if size == len(values) and (owner == np.arange(size)).all():
        return values
    columns = [np.bincount(owner, weights=values[:, j], minlength=size) for j in range(values.shape[1])]
    return np.column_stack(columns)
