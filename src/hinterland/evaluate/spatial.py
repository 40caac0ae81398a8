"""Distances on the globe: pairs of units within a radius, nearest distances, neighbours' weights.

Points go on the unit sphere and into a KD-tree; chords are turned into great-circle kilometres. Nothing is [N × N].
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hinterland.data.globe import EARTH_KM, arc_km, chord, on_sphere

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_SLACK = 1e-9
_FAR = np.pi * EARTH_KM
_CELLS = 64


@dataclass(frozen=True, slots=True)
class Pairs:
    """Pairs of units: ``i``, ``j`` [m] indices and their distance ``km`` [m]."""

    i: Ints
    j: Ints
    km: Floats


def pairs_within(coordinates: Floats, km: float) -> Pairs:
    """Every pair i < j no further apart than ``km``, once, ordered by i then j.

    Args:
        coordinates: [N, 2] longitude and latitude in degrees, finite.
        km: largest great-circle distance.
    """
    from scipy.spatial import cKDTree

    points = on_sphere(coordinates)
    found = cKDTree(points).query_pairs(chord(km) * (1 + _SLACK), output_type="ndarray").astype(np.int64)
    distance = arc_km(np.linalg.norm(points[found[:, 0]] - points[found[:, 1]], axis=1))
    inside = distance <= km * (1 + _SLACK)
    found, distance = found[inside], distance[inside]
    low, high = found.min(axis=1), found.max(axis=1)
    order = np.lexsort((high, low))
    return Pairs(low[order], high[order], distance[order])


def local_order(points: Floats) -> Ints:
    """[N] the points one cell of a grid after another: asked for in this order, near ones find their part of a tree in the cache."""
    return np.lexsort(np.floor(points.T * _CELLS)).astype(np.int64)


def nearest_km(points: Floats, sources: NDArray[np.bool_], reach: float = np.inf) -> Floats:
    """[N] distance to the nearest other source, infinite where there is none.

    Args:
        points: [N, 3] from :func:`on_sphere`.
        sources: [N] which units are sources; a source is not its own neighbour.
        reach: kilometres beyond which a distance may be given as infinite.
    """
    from scipy.spatial import cKDTree

    index = np.flatnonzero(sources)
    out = np.full(len(points), np.inf)
    if len(index) == 0:
        return out
    tree = cKDTree(points[index])
    limit = chord(reach) * (1 + _SLACK) if reach < _FAR else np.inf
    out[~sources] = _arc_or_inf(tree.query(points[~sources], distance_upper_bound=limit)[0])
    if len(index) > 1:
        # A source finds itself first; of several at one place, the second hit is another one at distance 0 all the same.
        out[index] = _arc_or_inf(tree.query(points[index], k=2, distance_upper_bound=limit)[0][:, 1])
    return out


def _arc_or_inf(chords: Floats) -> Floats:
    found = np.isfinite(chords)
    return np.where(found, arc_km(np.where(found, chords, 0.0)), np.inf)


def nearest_weights(coordinates: Floats, count: int, km: float = np.inf, power: float = 0.0) -> csr_array:
    """[N, N] sparse weights of each unit's nearest ``count`` others within ``km``, rows adding up to one (or empty).

    ``power``: weights fall with distance to this power (0: all alike). Units at one place count as 1 km apart.
    """
    from scipy.spatial import cKDTree

    points = on_sphere(coordinates)
    n = len(points)
    wanted = min(count, n - 1)
    chords, index = cKDTree(points).query(points, k=wanted + 1)
    rows = np.repeat(np.arange(n), wanted + 1)
    columns, distance = index.reshape(-1), arc_km(chords.reshape(-1))
    keep = columns != rows
    # Where several units share a place, a unit may not be among its own nearest: its furthest hit is one too many.
    keep[wanted :: wanted + 1] &= (index == np.arange(n)[:, None]).any(axis=1)
    keep &= distance <= km * (1 + _SLACK)
    return row_standardised(rows[keep], columns[keep], _decay(distance[keep], power), n)


def radius_weights(coordinates: Floats, km: float, power: float = 0.0) -> csr_array:
    """[N, N] sparse weights of every other unit within ``km``, rows adding up to one (or empty); ``power`` as in
    :func:`nearest_weights`.
    """
    pairs = pairs_within(coordinates, km)
    rows, columns = np.concatenate([pairs.i, pairs.j]), np.concatenate([pairs.j, pairs.i])
    return row_standardised(rows, columns, _decay(np.concatenate([pairs.km, pairs.km]), power), len(coordinates))


def host_weights(coordinates: Floats, hosts: NDArray[np.bool_], count: int, km: float = np.inf, power: float = 0.0) -> csr_array:
    """[N, N] sparse weights of each unit's nearest ``count`` other units among ``hosts`` [N] within ``km`` (0: all of them), rows adding up to one
    (or empty); ``power`` as in :func:`nearest_weights`.
    """
    from scipy.spatial import cKDTree

    points, index = on_sphere(coordinates), np.flatnonzero(hosts)
    n, reach = len(points), chord(km) * (1 + _SLACK) if km < _FAR else 2.0 * (1 + _SLACK)
    if len(index) == 0:
        return row_standardised(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0), n)
    tree = cKDTree(points[index])
    if count == 0:
        found = cKDTree(points).sparse_distance_matrix(tree, reach, output_type="ndarray")
        rows, columns, distance = found["i"], index[found["j"]], arc_km(found["v"])
        keep = (rows != columns) & (distance <= km * (1 + _SLACK))
        return row_standardised(rows[keep], columns[keep], _decay(distance[keep], power), n)
    wanted = min(count + 1, len(index))
    chords, place = tree.query(points, k=np.arange(1, wanted + 1))
    rows, columns, distance = np.repeat(np.arange(n), wanted), index[place.reshape(-1)], arc_km(chords.reshape(-1))
    other = (columns != rows).reshape(n, wanted)
    keep = (other & (np.cumsum(other, axis=1) <= count)).reshape(-1) & (distance <= km * (1 + _SLACK))
    return row_standardised(rows[keep], columns[keep], _decay(distance[keep], power), n)


def _decay(km: Floats, power: float) -> Floats:
    return np.asarray(np.maximum(km, 1.0) ** -power)


def row_standardised(rows: NDArray[Any], columns: NDArray[Any], weights: Floats, n: int) -> csr_array:
    """[n, n] sparse matrix whose rows add up to one, or are empty; repeated pairs are added up."""
    from scipy.sparse import csr_array

    matrix = csr_array((weights, (rows, columns)), shape=(n, n))
    matrix.sum_duplicates()
    total = np.asarray(matrix.sum(axis=1)).reshape(-1)
    matrix.data /= np.repeat(np.where(total > 0, total, 1.0), np.diff(matrix.indptr))
    return matrix
