"""The wild cluster bootstrap of a Wald statistic: several restrictions of one regression at once.

With H = X B R' [n, q] for restrictions R θ = 0, restricted residuals ũ, weights v on clusters and M the projection off fixed effects and regressors,

    R θ* = Σ_g v_g Σ_{i∈g} H_i w_i ũ_i,    s*_h = Σ_g v_g k_hg,    k_hg = Σ_{i∈h} H_i w_i (M ũ 1_g)_i

and W* = (R θ*)' [Σ_h s*_h s*_h']⁻¹ (R θ*): the null imposed, as in Cameron, Gelbach & Miller (2008), for one-way clusters.
"""

from __future__ import annotations

import numpy as np

from hinterland.evaluate.coding import Factor, Floats
from hinterland.evaluate.threads import one_thread
from hinterland.evaluate.vcov import cluster_sums
from hinterland.evaluate.wild_draws import TIE, Weights, enumerable, weight_blocks
from hinterland.evaluate.wild_regression import Regression

ROWS = 256
"""Draws worked on at a time."""
SINGULAR = 1e-12
"""Smallest eigenvalue, of a correlation matrix, that is not rounding."""
MOST = 1500
"""Clusters up to which their table is made: it has their square in numbers, for each restriction."""


@one_thread()
def joint_wild(
    fitted: Regression, restrictions: Floats, *, draws: int = 999, weights: Weights = "rademacher", seed: int = 0
) -> float | None:
    """P-value of ``restrictions`` [q, p] on the regression's coefficients, all zero under the null: the data are one more draw, or one of all.

    ``None`` where there are more than :data:`MOST` clusters, several groupings, or no more clusters than restrictions.
    """
    cluster = fitted.design.clusters[0]
    if len(fitted.design.clusters) > 1 or not len(restrictions) < cluster.size <= MOST:
        return None
    w = fitted.design.weight
    half = fitted.bread @ restrictions.T
    middle = np.linalg.inv(restrictions @ half)
    residual = fitted.residuals + fitted.x @ (half @ (middle @ (restrictions @ fitted.estimate)))
    direction = fitted.x @ half
    if w is not None:
        direction = direction * w[:, None]
    own = cluster_sums(direction, residual, cluster)
    table = _table(fitted, residual, direction, cluster)
    actual = _wald((fitted.estimate @ restrictions.T)[None], cluster_sums(direction, fitted.residuals, cluster)[None])[0]
    if not np.isfinite(actual):
        return None
    larger = total = 0
    for block in weight_blocks(cluster.size, draws, weights, seed):
        for start in range(0, len(block), ROWS):
            v = block[start : start + ROWS]
            drawn = _wald(v @ own, np.tensordot(v, table, axes=(1, 2)))
            larger += int((drawn >= actual * (1 - TIE)).sum())
            total += int(np.isfinite(drawn).sum())
    own_draw = 0 if enumerable(cluster.size, draws, weights) else 1
    return (own_draw + larger) / (own_draw + total)


def _wald(estimate: Floats, scores: Floats) -> Floats:
    """[R] θ' [Σ s s']⁻¹ θ for θ [R, q] and scores s [R, G, q]; NaN where the sum has no inverse."""
    spread = np.swapaxes(scores, 1, 2) @ scores
    size = np.sqrt(np.einsum("rqq->rq", spread))
    singular = ~(size > 0).all(axis=1)
    size[singular] = 1.0
    spread[singular] = np.eye(spread.shape[1])
    alike = spread / (size[:, :, None] * size[:, None, :])
    singular |= np.linalg.eigvalsh(alike)[:, 0] < SINGULAR
    alike[singular] = np.eye(spread.shape[1])
    scaled = estimate / size
    found = np.einsum("rq,rq->r", scaled, np.linalg.solve(alike, scaled[:, :, None])[:, :, 0])
    return np.where(singular, np.nan, found)


def _table(fitted: Regression, residual: Floats, direction: Floats, cluster: Factor) -> Floats:
    """The table k [G, q, G]: as a product with v, the scores [G, q] of a draw."""
    w = fitted.design.weight
    out = np.empty((cluster.size, direction.shape[1], cluster.size))
    for g in range(cluster.size):
        part = np.where(cluster.codes == g, residual, 0.0)
        rest = fitted.prepared.column(part) - fitted.x @ (fitted.bread @ (fitted.x.T @ (part if w is None else part * w)))
        out[:, :, g] = cluster_sums(direction, rest, cluster)
    return out
