"""How a host receives an arriving industry: six continuous scores, each from 0 to 1, from stated rules.

The rules are this library's own: the literature names the types and measures none of them. Arrays: N arrivals; regions are R, industries I. A score is NaN
where an input that it needs is NaN; inputs that are optional enter where they are given.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hinterland.measure.division import ratio

__all__ = [
    "arrival_share",
    "chain_links",
    "chain_score",
    "cluster_score",
    "cost_score",
    "enclave_score",
    "market_score",
    "percentile",
    "policy_score",
    "relative_saving",
]

Floats = NDArray[np.float64]

LOCALISED = 0.05
"""Index of Ellison & Glaeser (1997) above which they call an industry highly localised."""


def percentile(values: Floats) -> Floats:
    """(rank - ½)/n among the values of each row that are known, [..., I], ties sharing their mean rank: from 1/2n to 1 - 1/2n. NaN stays NaN.

    Values that differ by less than 1e-10 of the row's largest are tied: two industries found in the same regions differ by rounding only.
    """
    seen = np.isfinite(values)
    scale = np.where(seen, np.abs(values), 0.0).max(axis=-1, keepdims=True)
    held = np.where(seen, np.round(np.where(seen, values, 0.0) / np.where(scale > 0, scale, 1.0), 10), np.inf)
    ordered = np.sort(held, axis=-1)
    flat, rows = ordered.reshape(-1, values.shape[-1]), held.reshape(-1, values.shape[-1])
    below = np.stack([np.searchsorted(o, v, side="left") for o, v in zip(flat, rows, strict=True)]).reshape(values.shape)
    up_to = np.stack([np.searchsorted(o, v, side="right") for o, v in zip(flat, rows, strict=True)]).reshape(values.shape)
    n = seen.sum(axis=-1, keepdims=True)
    return np.where(seen, (below + up_to) / 2 / np.maximum(n, 1), np.nan)


def _geometric(*parts: Floats) -> Floats:
    """Geometric mean of parts that are 0 or more: 0 as soon as one is."""
    product = np.ones_like(parts[0])
    for part in parts:
        product = product * part
    return np.asarray(product ** (1 / len(parts)), dtype=np.float64)


def arrival_share(arrived: Floats, existing: Floats) -> Floats:
    """m/(m + X), what arrives over what the host then has of the industry, [N]: ½ where arrivals double it; NaN where both are zero."""
    return ratio(arrived, arrived + existing)


def enclave_score(local_linkage: Floats, relatedness: Floats, arrived: Floats) -> Floats:
    """Enclave: a large arrival that buys little locally and has little to do with what the host does; geometric mean of 1 - ℓ, 1 - ω̃ and the arrival share.

    Args:
        local_linkage: ℓ, share of the industry's purchases that comes from within the host, [N].
        relatedness: ω̃, percentile of the industry's density within the host, [N].
        arrived: :func:`arrival_share`, [N].
    """
    return _geometric(1 - local_linkage, 1 - relatedness, arrived)


def chain_links(requirements: Floats, matrix: Floats) -> tuple[Floats, Floats]:
    """Share of each industry's purchases from, and of its sales to, other industries that falls to those the host is specialised in, two of [R, I].

    Upstream: Σ_{j≠i} a_ji M_hj/Σ_{j≠i} a_ji; downstream: Σ_{j≠i} a_ij M_hj/Σ_{j≠i} a_ij, with a_ij the input of i per unit of j and M the presence [R, I]. Sales are
    weighed per unit of each buyer's output. NaN where an industry has no such link.
    """
    a = np.array(requirements, dtype=np.float64)
    np.fill_diagonal(a, 0.0)
    return ratio(matrix @ a, a.sum(axis=0)[None, :]), ratio(matrix @ a.T, a.sum(axis=1)[None, :])


def chain_score(upstream: Floats, downstream: Floats) -> Floats:
    """Chain extension: the arrival completes a chain that is there; the larger of the two shares of :func:`chain_links`, or the one that is known."""
    return np.asarray(np.fmax(upstream, downstream), dtype=np.float64)


def cluster_score(quotient: Floats, relatedness: Floats, localisation: Floats | None = None) -> Floats:
    """Cluster: the arrival joins its like; geometric mean of LQ/(1 + LQ), ω̃ and, where given, γ/(γ + 0.05).

    Args:
        quotient: location quotient of the industry in the host before the arrival, [N].
        relatedness: ω̃, [N].
        localisation: γ of the industry (Ellison & Glaeser 1997), [N]; below 0 it counts as 0.
    """
    parts = [ratio(quotient, 1 + quotient), relatedness]
    if localisation is not None:
        gamma = np.maximum(localisation, 0.0)
        parts.append(ratio(gamma, gamma + LOCALISED))
    return _geometric(*parts)


def relative_saving(host: Floats, source: Floats) -> Floats:
    """max(0, 1 - p_h/p_s), the part by which a price (wage, land) is lower in the host than in the source, [N]."""
    return np.asarray(np.maximum(1 - ratio(host, source), 0.0), dtype=np.float64)


def cost_score(savings: Floats, weights: Floats | None = None) -> Floats:
    """Cost-driven: weighted mean of relative savings [N, K] over K factors, [N].

    ``weights``: cost shares of the factors, [K] or [N, K]; equal by default. With the shares of total cost that do not sum to one they are scaled to it.
    """
    w = np.ones(savings.shape[-1]) if weights is None else np.asarray(weights, dtype=np.float64)
    return ratio((savings * w).sum(axis=-1), np.broadcast_to(w, savings.shape).sum(axis=-1))


def market_score(host_potential: Floats, source_potential: Floats, local_demand: Floats | None = None) -> Floats:
    """Market-driven: geometric mean of P_h/(P_h + P_s), ½ where markets are alike, and, where given, the share of the industry's output sold within the host, [N]."""
    access = ratio(host_potential, host_potential + source_potential)
    return access if local_demand is None else _geometric(access, local_demand)


def policy_score(zone: Floats, support: Floats | None = None, *, half: float = 0.1) -> Floats:
    """Policy-driven: 1 - (1 - z)(1 - s/(s + half)), either is enough.

    Args:
        zone: z, part of the host under a programme that undertakes transfer, 0 to 1, [N].
        support: s, public support over the investment, 0 or more, [N].
        half: the support that alone gives ½.
    """
    given = np.zeros_like(zone) if support is None else ratio(support, support + half)
    return np.asarray(1 - (1 - zone) * (1 - given), dtype=np.float64)
