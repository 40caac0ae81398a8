"""Redistribution of industries between regions: shares, levels, concentration, centre of gravity.

None of these identifies a source: a region that gains and one that loses share are not thereby trading partners. Arrays: regions are rows,
industries columns; X⁰ and X¹ are two years.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hinterland.data.globe import haversine_km, on_sphere
from hinterland.measure.agglomeration import location_quotient
from hinterland.measure.division import ratio

__all__ = [
    "Shift",
    "absolute_transfer",
    "closure_share",
    "gravity_centre",
    "gravity_shift",
    "gross_shift",
    "hhi_shift",
    "proportional_match",
    "relative_transfer",
    "share_change",
    "shares",
]

Floats = NDArray[np.float64]


def shares(values: Floats) -> Floats:
    """g_ri = X_ri/X_.i, share of each region in each industry, [..., R, I]; NaN where the total is zero or a region is not observed."""
    return ratio(values, np.nansum(values, axis=-2, keepdims=True))


def share_change(start: Floats, end: Floats) -> Floats:
    """Change of the share, g¹ - g⁰, [R, I], as a fraction: positive where an industry arrives on balance, negative where it leaves."""
    return np.asarray(shares(end) - shares(start), dtype=np.float64)


def absolute_transfer(start: Floats, end: Floats) -> Floats:
    """X¹_ri - X⁰_ri X¹_.i/X⁰_.i, [R, I], in the unit of the data: what a region has beyond its old share; sums to zero over regions.

    Equal to the regional shift of shift-share. NaN where the industry has no base.
    """
    growth = ratio(np.nansum(end, axis=0), np.nansum(start, axis=0))
    return np.asarray(end - start * growth[None, :], dtype=np.float64)


def relative_transfer(start: Floats, end: Floats) -> Floats:
    """Change of the location quotient, LQ¹ - LQ⁰, [R, I]: specialisation, which can rise while the share falls."""
    return np.asarray(location_quotient(end) - location_quotient(start), dtype=np.float64)


def gross_shift(start: Floats, end: Floats) -> Floats:
    """½Σ_r|g¹ - g⁰|, [I]: the fraction of an industry that would have to move to undo the change; between 0 and 1."""
    return np.where(_both(start, end), np.nansum(np.abs(share_change(start, end)), axis=0) / 2, np.nan)


def hhi_shift(start: Floats, end: Floats) -> Floats:
    """Change of the Herfindahl index of regional shares, [I]: negative when the industry disperses."""
    return np.where(_both(start, end), np.nansum(shares(end) ** 2, axis=0) - np.nansum(shares(start) ** 2, axis=0), np.nan)


def _both(start: Floats, end: Floats) -> NDArray[np.bool_]:
    """Which industries exist in both years, [I]."""
    return np.asarray((np.nansum(start, axis=0) > 0) & (np.nansum(end, axis=0) > 0))


def closure_share(start: Floats, end: Floats) -> Floats:
    """Σ_s max(X⁰ - X¹, 0)/Σ_s loss_s, [I], with the losses of :func:`absolute_transfer`; NaN where nobody loses.

    How much of the loss is real decline at the source rather than slower growth: 0 when every losing region still grew. In an industry that
    shrinks everywhere it exceeds 1.
    """
    moved = absolute_transfer(start, end)
    loss, decline = np.nansum(np.maximum(-moved, 0.0), axis=0), np.nansum(np.maximum(start - end, 0.0), axis=0)
    # Differences of sums leave rounding where nobody moved.
    return np.where(loss > 1e-12 * np.nansum(start, axis=0), ratio(decline, loss), np.nan)


def proportional_match(moved: Floats) -> Floats:
    """Flows imputed from losses and gains: T_sh,i = loss_s gain_h/Σ gain, [R, R, I] from source to host.

    An assumption, not data: every host is served by every losing region in proportion. ``moved``: :func:`absolute_transfer`, [R, I].
    """
    loss, gain = np.maximum(-np.nan_to_num(moved), 0.0), np.maximum(np.nan_to_num(moved), 0.0)
    part = np.nan_to_num(ratio(gain, gain.sum(axis=0)))
    return np.asarray(loss[:, None, :] * part[None, :, :], dtype=np.float64)


def gravity_centre(values: Floats, longitude: Floats, latitude: Floats, *, method: Literal["degrees", "sphere"] = "degrees") -> Floats:
    """Centre of gravity of each industry, [..., I, 2] longitude and latitude in degrees, from values [..., R, I] and positions [R].

    ``degrees``: weighted mean of the degrees, as the literature does;  ``sphere``: direction of the weighted mean of unit vectors, right also
    near the poles and across the date line. NaN where the industry is empty.
    """
    share = shares(values)
    weight = np.moveaxis(np.where(np.isnan(share).all(axis=-2, keepdims=True), np.nan, np.nan_to_num(share)), -2, -1)
    if method == "degrees":
        return np.asarray(weight @ np.column_stack([longitude, latitude]), dtype=np.float64)
    mean = weight @ on_sphere(np.column_stack([longitude, latitude]))
    x, y, z = np.moveaxis(mean, -1, 0)
    return np.asarray(np.degrees(np.stack([np.arctan2(y, x), np.arctan2(z, np.hypot(x, y))], axis=-1)))


@dataclass(frozen=True, slots=True)
class Shift:
    """Movement of a point on the sphere: ``distance`` in km; ``bearing`` in degrees clockwise from north, NaN if it did not move."""

    distance: Floats
    bearing: Floats


def gravity_shift(start: Floats, end: Floats) -> Shift:
    """Great-circle distance and initial bearing from ``start`` to ``end``, both [..., 2] longitude and latitude in degrees."""
    before, after = (np.radians(np.moveaxis(p, -1, 0)) for p in (start, end))
    distance = haversine_km(before, after)
    (lon0, lat0), (lon1, lat1) = before, after
    dlon = lon1 - lon0
    east, north = np.sin(dlon) * np.cos(lat1), np.cos(lat0) * np.sin(lat1) - np.sin(lat0) * np.cos(lat1) * np.cos(dlon)
    bearing = np.where(distance > 0, np.degrees(np.arctan2(east, north)) % 360, np.nan)
    return Shift(distance, np.asarray(bearing))
