"""Flows of firms and investment between regions: intensity, kind of link, and pattern of transfer.

Alfaro & Charlton (2009, American Economic Review 99) for horizontal and vertical links. Patterns of transfer have no canonical measure; the rule here is
this library's own, from tiers, complexity (Hidalgo & Hausmann 2009) and relatedness (Pinheiro et al. 2022): read the scores first, the label last.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hinterland.measure.division import ratio

__all__ = ["LINKS", "PATTERNS", "Pattern", "complexity_gap", "link_kind", "link_shares", "pattern", "tiers", "undertaking_intensity"]

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

LINKS = ("horizontal", "vertical-upstream", "vertical-downstream", "unrelated")
PATTERNS = ("gradient", "leapfrog", "reverse-gradient", "lateral")


def undertaking_intensity(flows: Floats) -> Floats:
    """Share of what settles in each host that comes from elsewhere: Σ_{s≠h} F_sh/Σ_s F_sh, [..., R], from flows [..., R, R] source by host.

    The diagonal holds what owners of the region itself establish there. NaN where nothing settles.
    """
    total = flows.sum(axis=-2)
    own = np.diagonal(flows, axis1=-2, axis2=-1)
    return ratio(total - own, total)


def link_kind(child: Ints, parent: Ints, requirements: Floats, tau: float) -> NDArray[np.int64]:
    """Position in :data:`LINKS` of each pair of child and parent industries, [N].

    ``requirements``: direct requirements a, [I, I], input of the row per unit of the column. The same industry is horizontal; else a_{child,parent} ≥ τ
    is vertical, the child upstream of its parent; else a_{parent,child} ≥ τ, downstream; else unrelated.
    """
    up, down = requirements[child, parent] >= tau, requirements[parent, child] >= tau
    return np.select([child == parent, up, down], [0, 1, 2], 3).astype(np.int64)


def link_shares(child: Ints, parent: Ints, weight: Floats, requirements: Floats, taus: Sequence[float]) -> Floats:
    """Share of the weight that each kind of link holds at each τ, [len(taus), 4]; NaN where weights sum to zero: how much the threshold decides."""
    total = weight.sum()
    rows = [np.bincount(link_kind(child, parent, requirements, tau), weights=weight, minlength=len(LINKS)) for tau in taus]
    return np.array(rows) / total if total > 0 else np.full((len(taus), len(LINKS)), np.nan)


def tiers(level: Floats, count: int = 4) -> Floats:
    """Tier of each region, 1 (lowest) to ``count``, by quantiles of ``level`` [R] (such as the logarithm of GDP per head); NaN stays NaN."""
    seen = np.isfinite(level)
    edges = np.quantile(level[seen], np.arange(1, count) / count) if seen.any() else np.array([])
    return np.where(seen, 1.0 + np.searchsorted(edges, np.where(seen, level, 0.0), side="left"), np.nan)


def complexity_gap(matrix: Floats, pci: Floats) -> Floats:
    """Π_hi = PCI_i - Σ_k M_hk PCI_k/Σ_k M_hk, [R, I]: how far an industry is above the mean complexity of what a region has."""
    known = np.isfinite(pci)
    held = matrix * known[None, :]
    count = held.sum(axis=1)
    mean = ratio(held @ np.where(known, pci, 0.0), count)
    return np.asarray(pci[None, :] - mean[:, None], dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Pattern:
    """Scores and label of each flow, [N] each.

    ``tier_gap``: Γ, tier of the source less that of the host;  ``complexity_gap``: Π of the industry in the host;  ``relatedness``: z of its density
    within the host;  ``label``: position in :data:`PATTERNS`, or -1 where a score that decides is missing.
    """

    tier_gap: Floats
    complexity_gap: Floats
    relatedness: Floats
    label: NDArray[np.int64]


def pattern(
    source: Ints,
    host: Ints,
    industry: Ints,
    *,
    tier: Floats,
    gap: Floats,
    relatedness: Floats,
    tier_threshold: float = 0.0,
    complexity_threshold: float = 0.0,
    relatedness_threshold: float = 0.0,
) -> Pattern:
    """Gradient (Γ > 0 and z ≥ 0), leapfrog (Π > 0 and z < 0), reverse-gradient (Γ < 0), or lateral; the first that holds.

    Args:
        source, host, industry: positions of each flow, [N].
        tier: of each region, [R] (:func:`tiers`).
        gap: Π, [R, I] (:func:`complexity_gap`).
        relatedness: z, [R, I] (:func:`hinterland.measure.relatedness.relative_density`, over all industries if hosts may have the industry already).
        tier_threshold, complexity_threshold, relatedness_threshold: in place of the zeros; reverse-gradient is Γ below minus the first.
    """
    gamma, pi, z = tier[source] - tier[host], gap[host, industry], relatedness[host, industry]
    related = z >= relatedness_threshold
    rules = [
        (gamma > tier_threshold) & related,
        (pi > complexity_threshold) & (z < relatedness_threshold),
        gamma < -tier_threshold,
    ]
    label = np.select(rules, [0, 1, 2], 3)
    known = np.isfinite(gamma) & np.isfinite(pi) & np.isfinite(z)
    return Pattern(gamma, pi, z, np.where(known, label, -1).astype(np.int64))
