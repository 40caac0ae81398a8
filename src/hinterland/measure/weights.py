"""Spatial weights: who is whose neighbour, from pairs, from coordinates, with nobody left alone by accident."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from hinterland.data.globe import EARTH_KM, arc_km, on_sphere
from hinterland.measure.inequality import Bools, Floats, Ints


@dataclass(frozen=True, slots=True)
class Joined:
    """A neighbour given to a region that had none.

    Attributes:
        region, neighbour: positions;  km: distance between the two.
    """

    region: int
    neighbour: int
    km: float


def from_pairs(a: Ints, b: Ints, n: int) -> csr_array:
    """[n, n] ones where a pair (a, b) or (b, a) is given; a pair of a region with itself is left out."""
    keep = a != b
    rows, columns = np.concatenate([a[keep], b[keep]]), np.concatenate([b[keep], a[keep]])
    found = csr_array((np.ones(len(rows)), (rows, columns)), shape=(n, n))
    found.sum_duplicates()
    found.data[:] = 1.0
    return found


def nearest(coordinates: Floats, count: int) -> csr_array:
    """[n, n] ones for each region's ``count`` nearest others by great circle; of equally near ones those of lower position."""
    from scipy.spatial import cKDTree

    points = on_sphere(coordinates)
    n = len(points)
    wanted = min(count, n - 1)
    reach, _ = cKDTree(points).query(points, k=[wanted + 1])
    radius = np.nextafter(reach[:, 0], np.inf) * (1 + 1e-12)
    rows: list[Ints] = []
    columns: list[Ints] = []
    for i, found in enumerate(cKDTree(points).query_ball_point(points, radius, return_sorted=True)):
        others = np.array([j for j in found if j != i], dtype=np.int64)
        chord = np.round(np.linalg.norm(points[others] - points[i], axis=1), 12)
        chosen = others[np.argsort(chord, kind="stable")[:wanted]]
        rows.append(np.full(len(chosen), i))
        columns.append(chosen)
    at = (np.concatenate(rows), np.concatenate(columns)) if rows else (np.empty(0, np.int64), np.empty(0, np.int64))
    return csr_array((np.ones(len(at[0])), at), shape=(n, n))


def within(coordinates: Floats, km: float) -> csr_array:
    """[n, n] ones for pairs no further apart than ``km`` by great circle."""
    from scipy.spatial import cKDTree

    points = on_sphere(coordinates)
    chord = 2 * np.sin(min(km / EARTH_KM, np.pi) / 2)
    pairs = cKDTree(points).query_pairs(chord * (1 + 1e-12), output_type="ndarray").astype(np.int64)
    return from_pairs(pairs[:, 0], pairs[:, 1], len(points))


def islands(neighbours: csr_array) -> Bools:
    """[n] regions without a neighbour."""
    return np.asarray(np.diff(neighbours.indptr) == 0)


def attach_islands(neighbours: csr_array, coordinates: Floats) -> tuple[csr_array, tuple[Joined, ...]]:
    """The same neighbours, and for each island its nearest region, both ways round; and which these are.

    Args:
        neighbours: [n, n].
        coordinates: [n, 2] longitude and latitude in degrees, finite.
    """
    alone = np.flatnonzero(islands(neighbours))
    if len(alone) == 0 or len(coordinates) < 2:
        return neighbours, ()
    points = on_sphere(coordinates)
    chord = np.linalg.norm(points[alone][:, None] - points, axis=2)
    chord[np.arange(len(alone)), alone] = np.inf
    to = np.argmin(chord, axis=1)
    km = arc_km(chord[np.arange(len(alone)), to])
    joined = csr_array(neighbours.maximum(from_pairs(alone, to, len(coordinates))))
    return joined, tuple(Joined(int(i), int(j), float(d)) for i, j, d in zip(alone, to, km, strict=True))


def row_standardised(neighbours: csr_array) -> csr_array:
    """Rows that add up to one; those of islands stay empty."""
    out = csr_array(neighbours, dtype=float, copy=True)
    out.eliminate_zeros()
    out.sort_indices()
    total = np.asarray(out.sum(axis=1)).reshape(-1)
    out.data /= np.repeat(np.where(total > 0, total, 1.0), np.diff(out.indptr))
    return out


def among(neighbours: csr_array, held: Bools) -> csr_array:
    """The same neighbours among the regions that are ``held`` [R] only."""
    return neighbours if held.all() else csr_array(neighbours[held][:, held])


def lag(weights: csr_array, y: Floats) -> Floats:
    """[T, R] mean of the neighbours of each region in each year; neighbours not observed are left out, NaN where none is.

    Args:
        weights: [R, R] whose rows add up to one.
        y: [T, R] values, NaN where not observed.
    """
    return lag_columns(weights, np.ascontiguousarray(y.T)).T


def lag_columns(weights: csr_array, y: Floats) -> Floats:
    """The same as :func:`lag` for a column per year, [R, T]: the layout in which the product is fastest."""
    seen = np.isfinite(y)
    if seen.all():
        around = np.asarray(weights @ y)
        around[np.diff(weights.indptr) == 0] = np.nan
        return around
    mass = np.asarray(weights @ seen.astype(float))
    return np.asarray(np.divide(weights @ np.where(seen, y, 0.0), mass, out=np.full(y.shape, np.nan), where=mass > 1e-12))
