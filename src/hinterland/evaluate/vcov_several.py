"""CR3 with several groupings of clusters: the cluster jackknife by each of them and by their intersections, and the rule that combines them.

With V_S the jackknife by the intersection of the groupings in S (delete-one-cluster estimates around β̂, times (G_S − 1)/G_S),

    V = Σ_S (−1)^(|S|+1) V_S,   for two of them V_G + V_H − V_GH

(Cameron, Gelbach & Miller 2011; MacKinnon, Nielsen & Webb 2024, CV₃). V need not be positive semi-definite, and may give a coefficient less
variance than one grouping alone. MacKinnon, Nielsen & Webb's remedy ("max-se") is the largest of the standard errors by V and by each grouping.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from hinterland.evaluate.coding import Factor, Floats
from hinterland.evaluate.vcov import intersect, nearest_positive
from hinterland.evaluate.vcov_leverage import JACKKNIFE, Adjusted, Projection, adjusted_scores

ROUNDING = 1e-12
"""Relative to a variance, what is rounding."""


def subsets(groupings: int) -> list[tuple[int, ...]]:
    """The 2^q − 1 sets of q groupings: each alone first, then pairs, and so on."""
    return [chosen for count in range(1, groupings + 1) for chosen in combinations(range(groupings), count)]


def jackknife(projection: Projection, clusters: Sequence[Factor]) -> tuple[Floats, list[Adjusted]]:
    """[2^q − 1, k, k] covariances by each set of q groupings, in the order of :func:`subsets`; and the scores by each grouping alone.

    An intersection with as many clusters as one of the sets within it is that set again, and is not computed anew.
    """
    parts: dict[tuple[int, ...], Floats] = {}
    sizes: dict[tuple[int, ...], int] = {}
    alone = []
    for chosen in subsets(len(clusters)):
        group = clusters[chosen[0]] if len(chosen) == 1 else intersect([clusters[i] for i in chosen])
        same = [s for s, size in sizes.items() if size == group.size and set(s) < set(chosen)]
        sizes[chosen] = group.size
        if same:
            parts[chosen] = parts[same[0]]
            continue
        found = adjusted_scores(projection, group, JACKKNIFE)
        parts[chosen] = found.scores.T @ found.scores * ((group.size - 1) / group.size)
        if len(chosen) == 1:
            alone.append(found)
    return np.array(list(parts.values())), alone


def together(parts: Floats) -> Floats:
    """[p, p] inclusion and exclusion over the sets of groupings: Σ_S (−1)^(|S|+1) of ``parts`` [2^q − 1, p, p]."""
    signs = np.array([(-1) ** (len(s) + 1) for s in subsets(len(parts).bit_length())], dtype=np.float64)
    return np.asarray(np.einsum("s,sij->ij", signs, parts))


def smaller_than_alone(parts: Floats) -> int:
    """How many of the p variances are smaller by all groupings together than by one of them."""
    return int((np.diag(together(parts)) < _alone(parts) * (1 - ROUNDING)).sum())


def combined(parts: Floats) -> Floats:
    """[p, p] positive semi-definite covariance of estimates whose ``parts`` [2^q − 1, p, p] are the covariances by sets of groupings.

    Each variance is the largest of those by all groupings together and by each alone, so that standard errors are MacKinnon, Nielsen & Webb's.
    Their rule is about one coefficient at a time: covariances stay those by all groupings together, and where the correlations that follow
    are not positive semi-definite their negative eigenvalues are set to zero, and their diagonal back to one.
    """
    out = together(parts)
    variance = np.maximum(np.diag(out), _alone(parts))
    scale = np.sqrt(variance)
    inverse = np.divide(1.0, scale, out=np.zeros_like(scale), where=scale > 0)
    correlation = out * np.outer(inverse, inverse)
    np.fill_diagonal(correlation, 1.0)
    correlation, repaired = nearest_positive((correlation + correlation.T) / 2)
    if repaired:
        root = np.sqrt(np.diag(correlation))
        correlation = correlation / np.outer(root, root)
    out = correlation * np.outer(scale, scale)
    np.fill_diagonal(out, variance)
    return np.asarray(out)


def _alone(parts: Floats) -> Floats:
    """[p] the largest variance by one grouping alone."""
    groupings = len(parts).bit_length()
    return np.asarray(np.diagonal(parts[:groupings], axis1=1, axis2=2).max(axis=0))
