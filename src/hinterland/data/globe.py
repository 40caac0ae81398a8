"""Distances on the globe, a sphere with the mean radius of the Earth: points on the unit sphere, chords, and great circles in kilometres."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

EARTH_KM = 6371.0088
"""Mean radius of the Earth (IUGG)."""


def on_sphere(coordinates: Floats) -> Floats:
    """[N, 3] points on the unit sphere for ``coordinates`` [N, 2], longitude and latitude in degrees."""
    lon, lat = np.radians(coordinates[:, 0]), np.radians(coordinates[:, 1])
    return np.column_stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])


def chord(km: float) -> float:
    """The chord of the unit sphere under ``km`` kilometres (half the circumference at most)."""
    return float(2 * np.sin(min(km / EARTH_KM, np.pi) / 2))


def arc_km(chords: Floats) -> Floats:
    """Great-circle kilometres over chords of the unit sphere."""
    return np.asarray(2 * EARTH_KM * np.arcsin(np.minimum(chords / 2, 1.0)))


def haversine_km(start: Floats, end: Floats) -> Floats:
    """[...] great-circle kilometres between ``start`` and ``end``, [2, ...] longitude and latitude in radians, broadcast against each other."""
    (x, y), (u, v) = start, end
    half = np.sin((y - v) / 2) ** 2 + np.cos(y) * np.cos(v) * np.sin((x - u) / 2) ** 2
    return np.asarray(2 * EARTH_KM * np.arcsin(np.sqrt(np.minimum(half, 1.0))))


def great_circle(a: Floats, b: Floats) -> Floats:
    """[n, m] kilometres between points ``a`` [n, 2] and ``b`` [m, 2], longitude and latitude in degrees."""
    return haversine_km(np.radians(a).T[:, :, None], np.radians(b).T[:, None, :])
