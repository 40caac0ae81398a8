"""Covariances of the spatial Durbin model's coefficients (b, ρ): of the likelihood, and robust to dependence within clusters.

The score of ρ holds products of errors of different units, e'Γe with Γ what is left of W(I − ρW)⁻¹ when period effects are taken off. With
clusters independent of each other, products of two clusters are uncorrelated with everything else, so that

    Var(Σ_c own_c + Σ_{c<d} cross_cd) = Σ_c Var(own_c) + Σ_{c<d} Var(cross_cd),

(the martingale differences of Kelejian & Prucha 2001, Journal of Econometrics 104(2)). Each cluster carries own_c + Σ_d cross_cd/√2, whose
squares add up to that in expectation, whatever the order of clusters. The squares of Σ_t ∂ℓ_it, as in the usual robust covariance, do not:
they leave out the products' covariance Σ Γ_ij Γ_ji.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hinterland.evaluate.coding import Factor
from hinterland.evaluate.design import Design
from hinterland.evaluate.hdfe import tally
from hinterland.evaluate.inference import Inference, effective_clusters
from hinterland.evaluate.regression import headline
from hinterland.evaluate.spillover_durbin_likelihood import Concentrated
from hinterland.evaluate.spillover_durbin_multiplier import Multiplier
from hinterland.evaluate.vcov import Covariance, Moments, cluster_sums, count_parameters, group_factor, inflation
from hinterland.evaluate.vcov_time import sum_columns

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Fitted:
    """The model at its maximum.

    Attributes:
        names: [k] of the coefficients;  slope: [k] b = (β, θ, γ, δ);  rho: ρ;  sigma2: σ²;  log_likelihood: ℓ.
        lag: [n] neighbours' outcome and residuals: [n] e, both net of fixed effects.
        moments: regressors [n, k] net of fixed effects, and their cross products' inverse.
        multiplier: parts of G at ρ;  data: the likelihood's.
    """

    names: tuple[str, ...]
    slope: Floats
    rho: float
    sigma2: float
    log_likelihood: float
    lag: Floats
    residuals: Floats
    moments: Moments
    multiplier: Multiplier
    data: Concentrated


def covariance(design: Design, fitted: Fitted, inference: Inference) -> Covariance:
    """The covariance [k + 1, k + 1] of (b, ρ), and its influence by cluster.

    ``iid``: the inverse of the expected information (Elhorst 2014, ch. 3). ``cluster``: A⁻¹(Σ_c f_c f_c')A⁻¹ with A the observed information
    and f_c the cluster's share of the score, times the small-sample factor.
    """
    cluster, k = design.clusters[0], len(fitted.slope)
    parameters = count_parameters(k + 1, fitted.moments, design.clusters if inference.vcov == "cluster" else (), inference.ssc)
    factor = inflation(design.n_obs, parameters, inference.ssc) * group_factor(cluster.size, inference.ssc)
    bread = inverse(information(design, fitted))
    influence = (scores(design, fitted, cluster) @ bread * np.sqrt(factor))[:, : k + 1]
    if inference.vcov == "iid":
        vcov = inverse(information(design, fitted, expected=True))[: k + 1, : k + 1]
        return Covariance(vcov, influence, np.inf, parameters, (cluster.size,))
    df = float(cluster.size - 1) if inference.ssc.t_df == "min" else float(design.n_obs - parameters)
    contrast = headline(fitted.names)
    facts = {} if contrast is None else {"effective_clusters": effective_clusters(fitted.moments, cluster, contrast)}
    return Covariance(influence.T @ influence, influence, df, parameters, (cluster.size,), facts=facts)


def information(design: Design, fitted: Fitted, *, expected: bool = False) -> Floats:
    """[k + 2, k + 2] minus the second derivatives of ℓ by (b, ρ, σ²), or (``expected``) their expectation where errors are independent and
    normal. ``expected`` puts what W(I − ρW)⁻¹ makes of the regressors and effects in the place of the neighbours' outcome.
    """
    parts, data, x, sigma2, k = fitted.multiplier, fitted.data, fitted.moments.x, fitted.sigma2, len(fitted.slope)
    once, twice, square = float(parts.own.sum()), float(parts.own_twice.sum()), parts.square
    if data.removed:
        n = len(parts.own)
        once, twice = once - float(parts.sent.mean()), twice - float(parts.sent_twice.mean())
        square -= float(parts.sent @ parts.sent) / n
    lag = explained(design, fitted) if expected else fitted.lag
    out = np.zeros((k + 2, k + 2))
    out[:k, :k] = x.T @ x / sigma2
    out[:k, k] = out[k, :k] = x.T @ lag / sigma2
    out[k, k] = data.times * (twice + square * expected) + float(lag @ lag) / sigma2
    out[k, k + 1] = out[k + 1, k] = data.times * once / sigma2
    out[k + 1, k + 1] = data.size / (2 * sigma2**2)
    return out


def inverse(matrix: Floats) -> Floats:
    """The inverse of a symmetric matrix whose rows may be in very different units."""
    scale = np.sqrt(np.diag(matrix))
    return np.asarray(np.linalg.inv(matrix / np.outer(scale, scale)) / np.outer(scale, scale))


def explained(design: Design, fitted: Fitted) -> Floats:
    """[n] neighbours' outcome less G e, both net of fixed effects: G(Xb + effects)."""
    received = fitted.multiplier.received
    return np.asarray(fitted.lag - (received - received.mean(axis=0)).reshape(design.n_obs))


def scores(design: Design, fitted: Fitted, cluster: Factor) -> Floats:
    """[C, k + 2] each cluster's share f_c of the score of (b, ρ, σ²)."""
    parts, data, e, sigma2 = fitted.multiplier, fitted.data, fitted.residuals, fitted.sigma2
    n, k = design.n_units, len(fitted.slope)
    owner = np.empty(n, dtype=cluster.codes.dtype)
    owner[design.unit] = cluster.codes
    grid, size = e.reshape(n, -1), cluster.size
    share, within = parts.own.copy(), parts.within.copy()
    received, returned = parts.received, parts.returned
    if data.removed:
        received = received - received.mean(axis=0)
        share -= parts.sent / n
        summed, sent = sum_columns(owner, grid, size), sum_columns(owner, parts.sent[:, None] * grid, size)
        within -= (summed * sent).sum(axis=1) / n
    both = tally(owner, ((received + returned) * grid).sum(axis=1), size)
    linear = tally(cluster.codes, explained(design, fitted) * e, size)
    out = np.empty((size, k + 2))
    out[:, :k] = cluster_sums(fitted.moments.x, e, cluster) / sigma2
    out[:, k] = (linear + within - sigma2 * data.times * tally(owner, share, size) + (both - 2 * within) / np.sqrt(2)) / sigma2
    units = np.bincount(owner, minlength=size)
    out[:, k + 1] = (tally(owner, (grid * grid).sum(axis=1), size) - sigma2 * data.size / n * units) / (2 * sigma2**2)
    return out
