"""Bootstrap draws of path coefficients: clusters drawn again, or the joint influence function of all paths."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from hinterland.errors import EstimationError, Finding
from hinterland.evaluate.coding import Floats
from hinterland.evaluate.design import Design
from hinterland.evaluate.mechanism_frames import Sampled
from hinterland.evaluate.mechanism_pairs import BLOCK, cluster_sums, is_exact
from hinterland.evaluate.mechanism_paths import Stacked, solve_slopes


@dataclass(frozen=True, slots=True)
class Resampling:
    """Whether everything is estimated again on drawn clusters (``pairs``), how many draws, and their seed."""

    pairs: bool
    count: int
    seed: int


def resampled(design: Design, mediators: tuple[str, ...], confounders: Sequence[str], theta: Stacked, draw: Resampling) -> Sampled:
    """Bootstrap draws of the path coefficients, and their values without each cluster.

    Pairs: clusters are drawn with replacement and everything is estimated again, in one matrix product. Otherwise the influence functions of all path coefficients are drawn together, θ* = θ̂ +
    Σ_c (n_c − 1) ψ_c with multinomial n_c: linear in the coefficients, exact in products and ratios of them.
    """
    clusters = len(theta.clusters)
    if draw.pairs and is_exact(design):
        model, solved = solve_slopes(design, mediators, confounders, "pooled")
        kept = [name for name in model.covariate_names if name in solved.names]
        sums = cluster_sums(model, mediators, [c for c in confounders if c in solved.names], kept)
        drawn, left_out, kind = np.concatenate([sums.paths(w) for w in _weights(clusters, draw)]), sums.without(), "pairs"
    else:
        drawn = np.concatenate([theta.theta + (w - 1.0) @ theta.influence for w in _weights(clusters, draw)])
        left_out, kind = theta.theta - theta.influence, "influence"
    defined = np.isfinite(drawn).all(axis=1)
    if defined.sum() < draw.count / 2:
        what = f"only {int(defined.sum())} of {draw.count} bootstrap draws identify every path"
        remedy = "use coarser clusters or more treated units; with few treated clusters no share can be told"
        raise EstimationError(
            Finding("paths-not-identified", what, f"{clusters} clusters, {design.n_treated} treated units", remedy), "mechanism"
        )
    return Sampled(theta.theta[None], drawn[defined], left_out[np.isfinite(left_out).all(axis=1)], kind, int((~defined).sum()))


def _weights(clusters: int, draw: Resampling) -> Iterator[Floats]:
    """[≤ BLOCK, C] how often each cluster is drawn, some draws at a time."""
    rng, even = np.random.default_rng(draw.seed), np.full(clusters, 1 / clusters)
    for start in range(0, draw.count, BLOCK):
        yield rng.multinomial(clusters, even, size=min(BLOCK, draw.count - start)).astype(np.float64)
