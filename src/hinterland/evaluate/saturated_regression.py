"""Least squares on indicators of cells of cohort and period, net of unit, period and further fixed effects.

With covariates x, by Frisch–Waugh–Lovell: the outcome and each covariate are taken net of fixed effects and cells, which needs the
cells' S [p, p] and sums by cell only (:mod:`hinterland.evaluate.saturated_systems`). Columns of indicators are made where the kind of
covariance asks for the regressors themselves.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hinterland.errors import EstimationError, Finding
from hinterland.evaluate.coding import Floats
from hinterland.evaluate.inference import CLUSTERED, Inference, coefficient_covariance
from hinterland.evaluate.regression import absorbed, column_scale, fixed_effects_text, gram_of, independent_columns
from hinterland.evaluate.saturated import (
    Counted,
    Ints,
    Layout,
    Mask,
    cell_sums,
    concentration,
    small_sample,
    spread,
    treated_mix,
    without_rounding,
)
from hinterland.evaluate.saturated_systems import CellSystem, cell_system
from hinterland.evaluate.vcov import Covariance, Moments, cluster_sums


@dataclass(frozen=True, slots=True)
class CellFit:
    """A fitted regression on p cells, those held at zero included, and k covariates.

    Attributes:
        estimate: [p], zero where held, NaN where not identified;  covariance: of the estimates (zero in both).
        covariates: names, coefficients and standard errors of those kept;  dropped: the collinear ones.
        ssr, ss_within, ss_total: sums of squares of residuals, of the outcome net of fixed effects, and around its mean.
    """

    estimate: Floats
    covariance: Covariance
    covariates: dict[str, list[Any]]
    dropped: tuple[str, ...]
    ssr: float
    ss_within: float
    ss_total: float


def fit_cells(layout: Layout, shown: Mask, held: Mask, inference: Inference) -> CellFit:
    """Regress the outcome on the cells ``shown`` [K, T], less those ``held`` at zero, and on the design's covariates.

    Raises:
        EstimationError: no cell is identified, or no degrees of freedom.
    """
    k, t = np.nonzero(shown & ~held)
    system = cell_system(layout, k, t)
    kept, found = _identified(system.gram, layout, k, t)
    _fail_unless_found(layout, found)
    place = np.flatnonzero(~held[shown])
    cells = _Cells(k, t, kept, found, _inverse(system.gram, kept), place, int(shown.sum()))
    parts = _least_squares(layout, system, cells)
    whole, errors = _covariance(layout, system, parts, cells, inference)
    if inference.vcov in CLUSTERED:
        whole = _with_effective_clusters(layout, system, parts, cells, whole)
    names = np.array(layout.design.covariate_names, dtype=object)
    covariates = {
        "covariate_names": names[parts.use].tolist(),
        "covariate_estimates": parts.beta.tolist(),
        "covariate_std_errors": errors.tolist(),
    }
    _, total = column_scale(layout.design.y[:, None], layout.design.weight)
    return CellFit(
        estimate=spread(np.where(found, parts.own - parts.slopes @ parts.beta, np.nan), place, cells.size),
        covariance=whole,
        covariates=covariates if len(names) else {},
        dropped=tuple(str(n) for n in names[~parts.use]),
        ssr=parts.ssr,
        ss_within=parts.ss_within,
        ss_total=float(total[0]),
    )


@dataclass(frozen=True, slots=True)
class _Cells:
    """Cohort ``k`` and period ``t`` [q] of the cells estimated, which are ``kept`` (not redundant) and ``found`` (identified), the
    ``inverse`` [q, q] of their gram, and their ``place`` [q] among the ``size`` cells shown.
    """

    k: Ints
    t: Ints
    kept: Mask
    found: Mask
    inverse: Floats
    place: Ints
    size: int

    def put(self, values: Floats) -> Floats:
        """[..., size] ``values`` [..., q] at their places; zero where not identified."""
        return spread(np.where(self.found, values, 0.0), self.place, self.size)


@dataclass(frozen=True, slots=True)
class _Parts:
    """The least squares fit, before its covariance.

    ``x`` [n, k] covariates net of fixed effects and cells, those in ``use``; ``u`` [n] weighted residuals; ``bread`` (x'Wx)⁻¹; ``beta``
    [k]; ``own`` [p] and ``slopes`` [p, k] coefficients of the outcome and of the covariates on the cells; ``inverse`` [p, p].
    """

    x: Floats
    u: Floats
    use: Mask
    bread: Floats
    beta: Floats
    own: Floats
    slopes: Floats
    inverse: Floats
    ssr: float
    ss_within: float


def _least_squares(layout: Layout, system: CellSystem, cells: _Cells) -> _Parts:
    design, weights = layout.design, layout.design.weight

    def weighted(x: Floats) -> Floats:
        return x if weights is None else x * weights

    def on_cells(x: Floats) -> Floats:
        return np.asarray(cells.inverse @ cell_sums(layout, weighted(x))[cells.k, cells.t])

    raw, centred = column_scale(design.covariates, weights)
    slopes, x = np.empty((len(cells.k), len(raw))), np.empty((design.n_obs, len(raw)), order="F")
    for j in range(len(raw)):
        column = system.column(design.covariates[:, j])
        slopes[:, j] = on_cells(column)
        x[:, j] = system.subtract(column, slopes[:, j])
    y = system.column(design.y)
    ss_within = float(y @ weighted(y))
    own = on_cells(y)
    rest = system.subtract(y, own)
    gram = gram_of(x, weights)
    use = independent_columns(gram, raw, centred)
    if not use.all():
        x, gram, slopes = np.asfortranarray(x[:, use]), gram[np.ix_(use, use)], slopes[:, use]
    bread: Floats = np.linalg.inv(gram).astype(np.float64, copy=False)
    beta: Floats = bread @ (x.T @ weighted(rest))
    residual = rest - x @ beta if len(beta) else rest
    u = without_rounding(weighted(residual), weighted(design.y))
    return _Parts(x, u, use, bread, beta, own, slopes, cells.inverse, float(residual @ u), ss_within)


def _identified(gram: Floats, layout: Layout, k: Ints, t: Ints) -> tuple[Mask, Mask]:
    """[p] cells kept (the earliest go first where some are redundant), and cells whose coefficient the kept ones do not decide."""
    mass = layout.weight[k, t]
    order = np.argsort(-t, kind="stable")
    kept = np.zeros(len(k), dtype=np.bool_)
    kept[order] = independent_columns(gram[np.ix_(order, order)], mass[order], (mass * (1 - mass / layout.weight.sum()))[order])
    if kept.all():
        return kept, kept
    scale = np.sqrt(mass)
    _, vectors = np.linalg.eigh(gram / scale[:, None] / scale)
    empty = vectors[:, : int((~kept).sum())]
    return kept, kept & ((empty**2).sum(axis=1) < 1e-8)


def _inverse(gram: Floats, kept: Mask) -> Floats:
    """[p, p] inverse on the cells kept, zero elsewhere."""
    out = np.zeros_like(gram)
    at = np.ix_(kept, kept)
    out[at] = np.linalg.inv(gram[at])
    return (out + out.T) / 2


def _fail_unless_found(layout: Layout, found: Mask) -> None:
    if found.any():
        return
    design = layout.design
    raise EstimationError(
        Finding(
            "treatment-collinear",
            "no effect of a cohort in a period is identified beside the fixed effects",
            f"{design.n_treated} treated of {design.n_units} units × {design.n_periods} periods; fixed effects {fixed_effects_text(design)}",
            "leave out fixed effects that move with the policy; beside unit trends, set a second reference to zero",
        ),
        "design",
    )


def _covariance(layout: Layout, system: CellSystem, parts: _Parts, cells: _Cells, inference: Inference) -> tuple[Covariance, Floats]:
    """Of the cells shown; and the covariates' standard errors [k]."""
    design = layout.design
    cluster, ssc = design.clusters[0], inference.ssc
    if inference.vcov != "cluster" or len(design.clusters) > 1:
        return _by_columns(layout, system, parts, cells, inference)
    counted = Counted(absorbed(design), system.rank() if ssc.k_exact else None)
    c, parameters = small_sample(design.n_obs, int(cells.kept.sum()) + len(parts.beta), counted, cluster, ssc)
    beta = cluster_sums(parts.x, parts.u, cluster) @ (np.sqrt(c) * parts.bread)
    own = system.influence(parts.u, cluster, np.sqrt(c) * cells.put(cells.inverse), (beta, cells.put(parts.slopes.T)))
    if own is None:
        return _by_columns(layout, system, parts, cells, inference)
    df = float(cluster.size - 1) if ssc.t_df == "min" else float(design.n_obs - parameters)
    return Covariance(own.T @ own, own, df, parameters, (cluster.size,)), np.linalg.norm(beta, axis=0)


def _by_columns(layout: Layout, system: CellSystem, parts: _Parts, cells: _Cells, inference: Inference) -> tuple[Covariance, Floats]:
    """The covariance from the regressors as columns, for every kind there is."""
    design = layout.design
    use, k = np.flatnonzero(cells.kept), len(parts.beta)
    x = np.empty((design.n_obs, len(use) + k), order="F")
    for place, j in enumerate(use):
        basis = np.zeros(len(cells.kept))
        basis[j] = -1.0
        x[:, place] = system.subtract(np.zeros(design.n_obs), basis)
    slopes = parts.slopes[use]
    for place in range(k):
        # x net of the cells plus its part along them is x net of the fixed effects.
        x[:, len(use) + place] = parts.x[:, place] + x[:, : len(use)] @ slopes[:, place]
    inverse = parts.inverse[np.ix_(use, use)]
    mixed = -slopes @ parts.bread
    bread = np.block([[inverse + slopes @ parts.bread @ slopes.T, mixed], [mixed.T, parts.bread]])
    rank = system.rank() if inference.ssc.k_exact else None
    moments = Moments(x, parts.u, bread, absorbed(design), rank, parts.ssr, design.weight)
    whole = coefficient_covariance(design, moments, inference)
    count = len(use)

    def put(values: Floats) -> Floats:
        return cells.put(spread(values[..., :count], use, len(cells.kept)))

    def square(values: Floats) -> Floats:
        return put(np.swapaxes(put(values[..., :count, :]), -1, -2))

    by_term = (
        None if whole.term_df is None else spread(spread(whole.term_df[:count], use, len(cells.kept)), cells.place, cells.size, np.nan)
    )
    by_grouping = None if whole.parts is None else square(whole.parts)
    out = replace(whole, vcov=square(whole.vcov), influence=put(whole.influence), term_df=by_term, parts=by_grouping)
    return out, np.sqrt(np.diag(whole.vcov)[count:])


def _with_effective_clusters(layout: Layout, system: CellSystem, parts: _Parts, cells: _Cells, whole: Covariance) -> Covariance:
    """The effective number of clusters behind the mean effect of treated cells (of several groupings, the least)."""
    design = layout.design
    mix = treated_mix(layout, cells.k, cells.t)
    d = -system.subtract(np.zeros(design.n_obs), parts.inverse @ mix)
    if parts.x.shape[1]:
        d -= parts.x @ (parts.bread @ (parts.slopes.T @ mix))
    d *= d
    if design.weight is not None:
        d *= design.weight
    least = min(concentration(d, c) for c in design.clusters)
    return replace(whole, facts={**whole.facts, "effective_clusters": least})
