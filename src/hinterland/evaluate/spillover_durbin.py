"""Spatial Durbin difference-in-differences: treatment, neighbours' treatment and neighbours' outcome, by maximum likelihood.

    Y_t = ρ W Y_t + D_t β + W D_t θ + X_t γ + W X_t δ + μ + λ_t 1 + ε_t

(Elhorst 2014, Spatial Econometrics, ch. 3; Lee & Yu 2010 for the fixed effects). A unit's treatment reaches others through θ and, with their
outcomes, on and on through ρ: ∂Y/∂D' = (I − ρW)⁻¹(βI + θW), whose averages are the direct effect, the spillover and the total (LeSage &
Pace 2009).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from hinterland.errors import EstimationError, Finding, fail_if_any, listed
from hinterland.evaluate.design import Design
from hinterland.evaluate.inference import Inference
from hinterland.evaluate.regression import TREATED, cluster_labels, describe, projection, solve_least_squares
from hinterland.evaluate.result import Effects, Terms
from hinterland.evaluate.spillover_channels import DIRECT, SPILLOVER, TOTAL, Channels
from hinterland.evaluate.spillover_durbin_covariance import Fitted, covariance
from hinterland.evaluate.spillover_durbin_likelihood import Concentrated, Likelihood, Pencil, maximise
from hinterland.evaluate.spillover_durbin_multiplier import multiplier
from hinterland.evaluate.spillover_effects import masses, staggered
from hinterland.evaluate.spillover_exposure import lagged_covariates
from hinterland.labels import Note

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Floats = NDArray[np.float64]
Average = Literal["units", "treated"]

RHO = "rho"
"""Name of the term of the spatial lag's coefficient."""


@dataclass(frozen=True, slots=True)
class Durbin:
    """What the spatial Durbin model is asked for.

    Attributes:
        likelihood: of data freed from fixed effects (``transformation``), or of all rows (``direct``).
        average: effects of the treatment of any unit (``units``), or of those that were treated, by their periods (``treated``).
        lag_covariates: the neighbours' mean of each covariate, too.
    """

    likelihood: Likelihood
    average: Average
    lag_covariates: bool


def durbin_effects(sample: Channels, weights: csr_array, inference: Inference, asked: Durbin, facts: Mapping[str, Any]) -> Effects:
    """Direct effect, spillover and total by the delta method, ρ, and the coefficients behind them.

    Args:
        sample: a balanced panel, and the share of each unit's neighbours that are treated;  weights: [N, N] of the neighbours.
        inference: ``cluster`` or ``iid``.
        asked: likelihood, average, covariates.
        facts: of ``meta``.

    Raises:
        EstimationError: units without neighbours (``transformation``), clusters across units, neighbours' treatment that is collinear, ρ
            that is not identified or at its bound.
    """
    design = sample.design
    fail_if_any([*_alone(design, weights, asked), *_across(design)], "design", EstimationError)
    fitted, dropped = maximum_likelihood(sample, weights, inference, asked)
    covered = covariance(design, fitted, inference)
    averages, slopes = average_effects(fitted, _shares(sample, asked.average))
    k = len(fitted.slope)
    matrix = np.concatenate([slopes, np.eye(k + 1)[[k]], np.eye(k + 1)[:k]])
    names = (DIRECT, SPILLOVER, TOTAL, RHO, *fitted.names)
    n_treated = np.full(len(names), -1)
    n_treated[0] = design.n_treated
    code = "spillover-durbin" if asked.average == "units" else "spillover-durbin-treated"
    more = {"likelihood": asked.likelihood, "average": asked.average, "lag_covariates": asked.lag_covariates}
    reached = {"log_likelihood": fitted.log_likelihood, "sigma2": fitted.sigma2, "mean_neighbours": weights.nnz / design.n_units}
    df = None if np.isinf(covered.df) else covered.df
    return Effects(
        method="spillover",
        outcome=design.outcome,
        aggregation="coefficient",
        terms=Terms.make(names, n_treated=n_treated),
        estimate=np.concatenate([averages, [fitted.rho], fitted.slope]),
        vcov=matrix @ covered.vcov @ matrix.T,
        influence=covered.influence @ matrix.T,
        clusters=cluster_labels(design),
        df=covered.df,
        notes=(*design.notes, *staggered(design), *dropped),
        meta=describe(design, inference, covered, df, code, **masses(sample), **facts, **more, **reached),
    )


def average_effects(fitted: Fitted, share: Floats) -> tuple[Floats, Floats]:
    """Direct effect, spillover and total of treating units with the weights ``share`` [N], and their derivatives [3, k + 1] by (b, ρ).

    Of unit i: direct β(1 + ρG_ii) + θG_ii; total β(1 + ρs_i) + θs_i with s_i the column sum of G; the spillover is what is between.
    """
    beta, theta, rho, k = fitted.slope[0], fitted.slope[1], fitted.rho, len(fitted.slope)
    parts = fitted.multiplier
    value, slope = np.empty(3), np.zeros((3, k + 1))
    for row, once, twice in ((0, parts.own, parts.own_twice), (2, parts.sent, parts.sent_twice)):
        g, change = float(share @ once), float(share @ twice)
        value[row] = beta * (1 + rho * g) + theta * g
        slope[row, [0, 1, k]] = 1 + rho * g, g, beta * (g + rho * change) + theta * change
    value[1], slope[1] = value[2] - value[0], slope[2] - slope[0]
    return value, slope


def maximum_likelihood(sample: Channels, weights: csr_array, inference: Inference, asked: Durbin) -> tuple[Fitted, tuple[Note, ...]]:
    """The maximum of the likelihood, and what was dropped on the way. Raises as :func:`durbin_effects` does."""
    design = sample.design
    extra, extra_names = design.covariates, design.covariate_names
    if asked.lag_covariates:
        around, around_names = lagged_covariates(design, weights)
        extra, extra_names = np.column_stack([extra, around]), (*extra_names, *around_names)
    matrix = np.asfortranarray(np.column_stack([sample.level, sample.amount[:, 0], extra]))
    solved = solve_least_squares(design, matrix, (TREATED, sample.names[0], *extra_names), rank=inference.ssc.k_exact)
    _fail_if_collinear(solved.dropped, sample.names[0])
    x, shape = solved.moments.x, (design.n_units, design.n_periods)
    lag = projection(design, None).column(np.ascontiguousarray(weights @ design.y.reshape(shape)).ravel())
    around_slope = solved.moments.bread @ (x.T @ lag)
    pencil = Pencil.of(weights)
    data = Concentrated.of(pencil, solved.residuals, lag - x @ around_slope, design.n_periods, asked.likelihood)
    rho = maximise(data)
    slope = solved.estimate - rho * around_slope
    residuals = solved.y - rho * lag - x @ slope
    cluster = np.empty(design.n_units, dtype=np.int32)
    cluster[design.unit] = design.clusters[0].codes
    parts = multiplier(pencil, rho, residuals.reshape(shape), cluster, design.clusters[0].size)
    fitted = Fitted(
        names=solved.names,
        slope=slope,
        rho=rho,
        sigma2=data.squares(rho) / data.size,
        log_likelihood=data.at(rho)[0],
        lag=lag,
        residuals=residuals,
        moments=solved.moments,
        multiplier=parts,
        data=data,
    )
    notes = (Note("collinear-dropped", {"names": ", ".join(solved.dropped)}),) if solved.dropped else ()
    return fitted, notes


def _shares(sample: Channels, average: Average) -> Floats:
    """[N] weights of the units whose treatment is averaged over, adding up to one."""
    n = sample.design.n_units
    if average == "units":
        return np.full(n, 1 / n)
    given = sample.level.reshape(n, -1).sum(axis=1)
    return np.asarray(given / given.sum())


def _alone(design: Design, weights: csr_array, asked: Durbin) -> list[Finding]:
    """Units without neighbours, in whose rows the weights do not add up to one."""
    alone = np.flatnonzero(np.diff(weights.indptr) == 0)
    if asked.likelihood == "direct" or not len(alone):
        return []
    units = listed(design.unit_labels[alone].tolist(), 8)
    what = f"{len(alone)} unit(s) have no neighbour, and period effects can be taken off only where every row of the weights adds up to one"
    remedy = "widen within_km, complete the table, leave these units out, or choose likelihood='direct'"
    return [Finding("units-without-neighbours", what, units, remedy)]


def _across(design: Design) -> list[Finding]:
    cluster = design.clusters[0]
    owner = np.empty(design.n_units, dtype=cluster.codes.dtype)
    owner[design.unit] = cluster.codes
    crossing = np.unique(design.unit[owner[design.unit] != cluster.codes])
    if not len(crossing):
        return []
    what = f"{len(crossing)} unit(s) are in more than one cluster of {cluster.name!r}: {listed(design.unit_labels[crossing].tolist(), 8)}"
    return [Finding("cluster-not-nested", what, "argument cluster", "cluster on the unit, or on a column that is constant within units")]


def _fail_if_collinear(dropped: tuple[str, ...], exposure: str) -> None:
    if exposure not in dropped:
        return
    what = "neighbours' treatment is collinear with own treatment and the fixed effects, so that neither effect can be told from the other"
    remedy = "take fewer, or other, neighbours (all others with one weight tell nothing), or an estimator without spillovers"
    raise EstimationError(Finding("exposure-collinear", what, "spillover, estimator='sdm'", remedy), "design")
