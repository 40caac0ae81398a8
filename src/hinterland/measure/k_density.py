"""The density of distances between plants (Duranton & Overman 2005, section 3): points, distances, bandwidth and estimator."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist, pdist

from hinterland.data.globe import EARTH_KM, on_sphere

Floats = NDArray[np.float64]
Coordinates = Literal["geographic", "planar"]

_BLOCK = 4_000_000
"""Distances held at a time."""
_FINE = 1 << 16
"""Bins from which the quantiles of very many distances are read."""
_EXACT_PAIRS = 5_000_000
"""Up to so many pairs are sorted; the quantiles of more are read from bins."""


@dataclass(frozen=True, slots=True)
class Points:
    """Places between which distances are taken.

    Attributes:
        at: [n, 3] positions on the sphere of unit radius, or [n, 2] on the plane.
        geographic: whether distance is along the great circle, in km; else it is straight, in the unit of the coordinates.
    """

    at: Floats
    geographic: bool

    def __len__(self) -> int:
        return len(self.at)

    def take(self, rows: NDArray[np.integer]) -> Points:
        """Some of the points, in the order of ``rows``."""
        return Points(self.at[rows], self.geographic)

    def along(self, straight: Floats) -> Floats:
        """Distances from straight-line distances between positions, which are overwritten."""
        if self.geographic:
            straight /= 2
            np.minimum(straight, 1, out=straight)
            np.arcsin(straight, out=straight)
            straight *= 2 * EARTH_KM
        return straight

    def extent(self) -> float:
        """An upper bound of every distance between two of the points."""
        box = float(np.linalg.norm(np.ptp(self.at, axis=0)))
        return float(self.along(np.array([min(box, 2.0)]))[0]) if self.geographic else box


def points(x: Floats, y: Floats, coordinates: Coordinates = "geographic") -> Points:
    """Points from longitude and latitude in degrees (``geographic``), or from plane coordinates in any unit of length."""
    if coordinates == "planar":
        return Points(np.column_stack([x, y]).astype(np.float64), geographic=False)
    return Points(on_sphere(np.column_stack([x, y])), geographic=True)


def pair_distances(at: Points) -> Floats:
    """[n (n − 1) / 2] distances between unordered pairs, in the order of ``scipy.spatial.distance.pdist``."""
    return at.along(pdist(at.at))


def _blocks(at: Points, weights: Floats | None) -> Iterator[tuple[Floats, Floats | None]]:
    """Distances of every unordered pair, and the products of their weights, some rows at a time."""
    n = len(at)
    rows = max(1, _BLOCK // max(n, 1))
    for start in range(0, n - 1, rows):
        stop = min(start + rows, n)
        later = np.arange(start, n)[None, :] > np.arange(start, stop)[:, None]
        straight = cdist(at.at[start:stop], at.at[start:])
        yield at.along(straight[later]), None if weights is None else np.outer(weights[start:stop], weights[start:])[later]


def count_pairs(at: Points, width: float, bins: int, weights: Floats | None = None) -> Floats:
    """[bins] pairs, or products of their weights, by distance in steps of ``width`` from 0; longer distances are left out."""
    if len(at) * (len(at) - 1) <= 2 * _BLOCK:
        return count_distances(pair_distances(at), width, bins, None if weights is None else pair_products(weights))
    counts = np.zeros(bins)
    for distance, product in _blocks(at, weights):
        counts += count_distances(distance, width, bins, product)
    return counts


def count_distances(distance: Floats, width: float, bins: int, product: Floats | None = None) -> Floats:
    """[bins] distances, or weights of them, in steps of ``width``; ``distance`` is overwritten."""
    found = np.bincount(bin_of(distance, width, bins).astype(np.intp), weights=product, minlength=bins + 1)
    return found[:bins].astype(np.float64)


def bin_of(distance: Floats, width: float, bins: int) -> Floats:
    """Bin of each distance, rounded down when made whole; ``bins`` beyond the last one. ``distance`` is overwritten."""
    distance /= width
    np.minimum(distance, bins, out=distance)
    return distance


def pair_products(weights: Floats) -> Floats:
    """[n (n − 1) / 2] products of the weights of unordered pairs, in the order of :func:`pair_distances`."""
    first, second = np.triu_indices(len(weights), 1)
    return np.asarray(weights[first] * weights[second], dtype=np.float64)


def pair_weight(n: int, weights: Floats | None = None) -> float:
    """The number of unordered pairs, or the sum of the products of their weights."""
    if weights is None:
        return n * (n - 1) / 2
    return float((weights.sum() ** 2 - (weights**2).sum()) / 2)


def silverman_bandwidth(at: Points) -> float:
    """Silverman's rule 0.9 · min(s, IQR / 1.34) · M^(−1/5) over the M distances between pairs (Silverman 1986, eq. 3.31).

    0 where all distances are equal or there are fewer than three points. The quartiles of more than five million distances are read from 65 536 bins.
    """
    pairs = len(at) * (len(at) - 1) // 2
    if pairs < 2:
        return 0.0
    if pairs <= _EXACT_PAIRS:
        distance = pair_distances(at)
        spread, (low, high) = float(distance.std(ddof=1)), np.quantile(distance, [0.25, 0.75])
    else:
        spread, low, high = _spread(at, pairs)
    scales = [s for s in (spread, float(high - low) / 1.34) if s > 0]
    return float(0.9 * min(scales, default=0.0) * pairs**-0.2)


def _spread(at: Points, pairs: int) -> tuple[float, float, float]:
    """Standard deviation and quartiles of very many distances."""
    total, squares, width = 0.0, 0.0, max(at.extent(), np.finfo(float).tiny) / (_FINE - 1)
    counts = np.zeros(_FINE, dtype=np.int64)
    for distance, _ in _blocks(at, None):
        total += float(distance.sum())
        squares += float(distance @ distance)
        counts += np.bincount((distance / width).astype(np.intp), minlength=_FINE)[:_FINE]
    low, high = ((np.searchsorted(np.cumsum(counts), q * pairs) + 0.5) * width for q in (0.25, 0.75))
    return float(np.sqrt(max(squares - total**2 / pairs, 0) / (pairs - 1))), float(low), float(high)


def _kernel(at: Floats, distance: Floats, bandwidth: float, reflect: bool) -> Floats:
    """[len(at), len(distance)] Gaussian kernel, plus its mirror image below 0."""
    density = np.exp(-0.5 * ((at[:, None] - distance) / bandwidth) ** 2)
    if reflect:
        density += np.exp(-0.5 * ((at[:, None] + distance) / bandwidth) ** 2)
    return np.asarray(density / (bandwidth * np.sqrt(2 * np.pi)), dtype=np.float64)


def k_density(distance: Floats, at: Floats, bandwidth: float, weight: Floats | None = None, *, reflect: bool = True) -> Floats:
    """[len(at)] density of distances: Σ w φ((d − d_ab) / h) / (h Σ w) over unordered pairs (Duranton & Overman 2005, section 3).

    It integrates to 1 over the positive distances if ``reflect`` (Silverman 1986, section 2.10). Formulae over n (n − 1) h in place
    of M h with M = n (n − 1) / 2 run over ordered pairs, or print half of it.

    Args:
        distance: [M] distances between unordered pairs.
        at: where the density is wanted, in the unit of ``distance``.
        bandwidth: h, above 0.
        weight: [M] products of employment of the two plants; equal weights by default.
        reflect: whether density below 0 is folded back.
    """
    w = np.ones(len(distance)) if weight is None else weight
    rows = max(1, _BLOCK // max(len(at), 1))
    found = np.zeros(len(at), dtype=np.float64)
    for start in range(0, len(distance), rows):
        part = slice(start, start + rows)
        found += _kernel(at, distance[part], bandwidth, reflect) @ w[part]
    return np.asarray(found / w.sum(), dtype=np.float64)


def binned_k_density(counts: Floats, width: float, total: float, at: Floats, bandwidth: float, *, reflect: bool = True) -> Floats:
    """[..., len(at)] densities from pairs counted by distance, each pair at the middle of its bin.

    With bins of a tenth of the bandwidth the error is about 4e-4 of the density, and up to 5e-3 where a handful of pairs decides.

    Args:
        counts: [..., bins] pairs or products of weights by distance in steps of ``width`` from 0.
        width: of a bin.
        total: all pairs or the sum of their products, those beyond the last bin included.
        at: where the density is wanted.
        bandwidth: h, above 0.
        reflect: whether density below 0 is folded back.
    """
    middle = np.asarray((np.arange(counts.shape[-1]) + 0.5) * width, dtype=np.float64)
    return np.asarray(counts @ _kernel(at, middle, bandwidth, reflect).T / total, dtype=np.float64)
