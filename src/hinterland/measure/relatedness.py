"""Relatedness of industries and what it says about a region: proximity, density, outlook, entry.

Hidalgo et al. (2007, Science 317); Hausmann et al. (2014); Boschma, Balland & Kogler (2015, Industrial and Corporate Change 24); Neffke, Otto &
Weyh (2017, Research Policy 46); Balland et al. (2019, Regional Studies 53); Pinheiro et al. (2022, Research Policy 51).
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hinterland.measure.division import ratio

__all__ = [
    "capped_cosine",
    "density",
    "entry",
    "flow_proximity",
    "outlook_gain",
    "outlook_index",
    "proximity",
    "quadrant",
    "relative_density",
]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Proximity = Literal["minimum", "conditional", "cosine"]
Diagonal = Literal[0, 1]

QUADRANTS = ("dead-end", "slow-road", "casino", "high-road")
"""Related or not, complex or not, in words (Balland et al. 2019): the position is 2·complex + related."""


def proximity(matrix: Floats, *, method: Proximity = "minimum", diagonal: Diagonal = 0) -> Floats:
    """Proximity φ of industries from the presence matrix [R, I]; [I, I].

    ``minimum``: C_ij/max(u_i, u_j), the smaller of the two conditional probabilities (Hidalgo et al. 2007);  ``conditional``: φ_ij = C_ij/u_j,
    the share of regions with j that have i (not symmetric);  ``cosine``: C_ij/√(u_i u_j), with C = M'M. An industry without any region has
    proximity 0 to every other. ``diagonal``: φ_ii; the definition of density leaves the industry itself out, so it is 0.
    """
    narrow = matrix.astype(np.float32) if matrix.shape[0] < 2**24 else matrix
    shared = (narrow.T @ narrow).astype(np.float64)
    u = shared.diagonal().copy()
    if method == "minimum":
        scale = np.maximum(u[:, None], u[None, :])
    elif method == "conditional":
        scale = np.broadcast_to(u[None, :], shared.shape)
    else:
        scale = np.sqrt(u[:, None] * u[None, :])
    np.divide(shared, scale, out=shared, where=scale > 0)
    np.fill_diagonal(shared, float(diagonal))
    return shared


def capped_cosine(quotient: Floats, *, cap: float = 2.0, diagonal: Diagonal = 0) -> Floats:
    """Cosine of industries' columns of location quotients [R, I], each at most ``cap``; NaN quotients count as 0. [I, I].

    The cap keeps one small region with an extreme quotient from deciding how near two industries are.
    """
    capped = np.minimum(np.nan_to_num(quotient), cap)
    norm = np.sqrt((capped**2).sum(axis=0))
    cosine = np.nan_to_num(ratio(capped.T @ capped, norm[:, None] * norm[None, :]))
    np.fill_diagonal(cosine, float(diagonal))
    return cosine


def flow_proximity(flows: Floats, *, diagonal: Diagonal = 0) -> Floats:
    """Proximity from what moves between industries: workers who change jobs, or intermediate deliveries; [I, I], symmetric, in [0, 1).

    With R_ij = F_ij F../(F_i. F_.j), flows over those that the margins would give (diagonal left out), φ_ij is the mean of R/(1 + R) in both
    directions: (SR + 1)/2 of the skill relatedness SR = (R - 1)/(R + 1) of Neffke, Otto & Weyh (2017). ½ is what chance gives.
    """
    between = np.array(flows, dtype=np.float64)
    np.fill_diagonal(between, 0.0)
    expected = between.sum(axis=1)[:, None] * between.sum(axis=0)[None, :]
    observed = between * between.sum()
    part = np.nan_to_num(ratio(observed, observed + expected))
    mean: Floats = (part + part.T) / 2
    np.fill_diagonal(mean, float(diagonal))
    return mean


def density(matrix: Floats, phi: Floats) -> Floats:
    """Relatedness density ω_ri = Σ_j M_rj φ_ij/Σ_j φ_ij, [R, I], in [0, 1] (Hidalgo et al. 2007); NaN where an industry is near to none."""
    found: Floats = matrix @ (phi.T * ratio(1.0, phi.sum(axis=1)))
    return np.clip(found, 0.0, 1.0, out=found)


def relative_density(omega: Floats, matrix: Floats, *, over: Literal["options", "all"] = "options") -> Floats:
    """Density standardised (ddof = 0) within each region, [R, I]: relative relatedness (Pinheiro et al. 2022, eq. 7).

    ``options``: mean and spread over the industries that the region lacks, and NaN for those it has, as in the source;  ``all``: over every
    industry, so that flows into an industry already present have a value too. NaN where fewer than two values differ.
    """
    pool = np.where(matrix > 0, np.nan, omega) if over == "options" else omega
    seen = np.isfinite(pool)
    count = np.maximum(seen.sum(axis=1), 1)[:, None]
    mean = np.where(seen, pool, 0.0).sum(axis=1)[:, None] / count
    spread = np.sqrt(np.where(seen, (pool - mean) ** 2, 0.0).sum(axis=1)[:, None] / count)
    return np.where(spread > 1e-12, ratio(pool - mean, spread), np.nan)


def outlook_index(omega: Floats, matrix: Floats, pci: Floats) -> Floats:
    """Complexity outlook index COI_r = Σ_i ω_ri (1 - M_ri) PCI_i, [R] (Hausmann et al. 2014, eq. 8)."""
    return np.asarray((omega * (1 - matrix)) @ pci, dtype=np.float64)


def outlook_gain(phi: Floats, matrix: Floats, pci: Floats) -> Floats:
    """Complexity outlook gain COG_ri = Σ_j φ_ij/Σ_k φ_jk · (1 - M_rj) PCI_j, [R, I]; 0 where the region has the industry (Hausmann et al. 2014, eq. 9).

    It is what entering i adds to the outlook through other industries: COI after entry, less COI before, plus the term ω_ri PCI_i of i itself, which
    leaves the outlook. The normaliser belongs to j, whose density rises.
    """
    worth = np.nan_to_num(ratio(pci, phi.sum(axis=1)))
    missing = 1 - matrix
    return np.asarray(missing * ((missing * worth[None, :]) @ phi), dtype=np.float64)


def entry(before: Floats, after: Floats) -> Floats:
    """1 where a region gains an industry, 0 where it still lacks it, NaN where it had it already; [R, I] (Boschma, Balland & Kogler 2015)."""
    return np.where(before > 0, np.nan, (after > 0).astype(np.float64))


def quadrant(omega: Floats, pci: Floats, matrix: Floats) -> Ints:
    """Where each industry that a region lacks stands: 2·(complexity above the median) + (density above the median); -1 for those it has.

    Medians are over the region's options. 3: related and complex ("high road"), 2: complex but unrelated ("casino"), 1: related but simple
    ("slow road"), 0: neither ("dead end") (Balland et al. 2019, figure 1). [R, I].
    """
    lacks = matrix == 0
    worth = np.broadcast_to(pci, omega.shape)
    complex_ = worth > _row_median(worth, lacks)
    related = omega > _row_median(omega, lacks)
    return np.where(lacks, 2 * complex_ + related, -1).astype(np.int64)


def _row_median(values: Floats, where: NDArray[np.bool_]) -> Floats:
    rows = [np.median(v[w]) if w.any() else np.nan for v, w in zip(values, where, strict=True)]
    return np.asarray(rows, dtype=np.float64)[:, None]
