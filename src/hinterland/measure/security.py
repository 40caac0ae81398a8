"""Security of supply: concentration of origins, self-sufficiency, cover by a hinterland, and resilience.

The cover index has no canonical formula: it is this library's own and labelled so.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hinterland.measure.division import ratio

__all__ = [
    "Concentration",
    "Cover",
    "Resilience",
    "cover",
    "domestic_self_sufficiency",
    "embodied_self_sufficiency",
    "resilience",
    "self_sufficiency",
    "supply_concentration",
]

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Concentration:
    """``hhi``: Σ share² over origins;  ``suppliers``: 1/HHI, the number of equal suppliers that would be as concentrated. NaN without supply."""

    hhi: Floats
    suppliers: Floats


def supply_concentration(supply: Floats) -> Concentration:
    """Concentration of the origins of each product, over the last axis of ``supply`` [..., O] (0 where an origin supplies nothing)."""
    total = np.nansum(supply, axis=-1)
    share = ratio(supply, total[..., None])
    hhi = np.where(total > 0, np.nansum(share**2, axis=-1), np.nan)
    return Concentration(hhi, 1 / hhi)


def self_sufficiency(production: Floats, imports: Floats, exports: Floats) -> Floats:
    """Q/(Q + M - E): production over what is used; above 1 for a net exporter. NaN where nothing is used on balance.

    For a province, M and E hold flows from and to other provinces as well as abroad.
    """
    return ratio(production, production + imports - exports)


def domestic_self_sufficiency(production: Floats, imports: Floats, exports: Floats, inflow: Floats, outflow: Floats) -> Floats:
    """(Q + M_d - E_d)/(Q + M_d - E_d + M_f - E_f): supply from the whole country over what is used.

    ``imports``, ``exports`` are flows from and to abroad, ``inflow``, ``outflow`` from and to other regions of the country. Summed over the country the inner
    flows cancel, and it is the ordinary ratio.
    """
    return self_sufficiency(production + inflow - outflow, imports, exports)


def embodied_self_sufficiency(flow: Floats, members: Ints) -> Floats:
    """Share of each region's final demand whose value added is made in ``members``: Σ_{q∈H} T^VA_qr/Σ_q T^VA_qr, [R]; NaN without demand.

    ``flow``: T^VA summed over sectors, [R, R] from region of origin to region of demand (:func:`hinterland.measure.multiregional.by_region`). Imports through
    third regions are counted where they are made.
    """
    return ratio(flow[members].sum(axis=0), flow.sum(axis=0))


@dataclass(frozen=True, slots=True)
class Resilience:
    """``index``: (ΔE - ΔE^exp)/|ΔE^exp|, [R], positive when a region holds better than expected;  ``actual``, ``expected``: changes."""

    index: Floats
    actual: Floats
    expected: Floats


def resilience(start: Floats, end: Floats, *, rates: Floats | None = None, floor: float = 0.001) -> Resilience:
    """Resistance over a contraction, or recoverability over an expansion (Martin 2012; Martin, Sunley, Gardiner & Tyler 2016).

    ΔE^exp_r = Σ_i G_i E_ri(t₀): what the region would have lost had each of its industries moved as in the nation.

    Args:
        start, end: E at the two turning points, [R, I].
        rates: G, national growth rates by industry [I]; by default from sums over the regions. Only industries with a base count.
        floor: |ΔE^exp| below this share of E leaves the index undefined.
    """
    if rates is None:
        rates = ratio(np.nansum(end, axis=0), np.nansum(start, axis=0)) - 1
    size = np.nansum(start, axis=1)
    expected = np.nansum(start * rates, axis=1)
    actual = np.nansum(end, axis=1) - size
    index = np.where(np.abs(expected) > floor * size, ratio(actual - expected, np.abs(expected)), np.nan)
    return Resilience(index, actual, expected)


@dataclass(frozen=True, slots=True)
class Cover:
    """How far a hinterland could replace threatened supply, by product, [P] each; NaN where nothing is needed.

    Attributes:
        cover: min(1, Σ_h spare·κ/D).
        penalised: cover·(1 - HHI of spare capacity over the hinterland).
        without_one: the least cover when any one member of the hinterland fails (N - 1).
        concentration: HHI of spare capacity; NaN without any.
        weakest: position of the member whose failure costs most.
    """

    cover: Floats
    penalised: Floats
    without_one: Floats
    concentration: Floats
    weakest: Ints


def cover(capacity: Floats, utilisation: Floats, demand: Floats, *, ramp: Floats | float = 1.0) -> Cover:
    """Cover of demand D [P] by a hinterland with capacity and utilisation [H, P]; spare capacity is capacity·(1 - utilisation).

    Args:
        capacity: output that each member could make per period, [H, P].
        utilisation: share in use, 0 to 1, [H, P].
        demand: what the threatened set supplies and must be replaced, per period, [P].
        ramp: κ, share of spare capacity that can be running in time, 0 to 1, [H, P] or a number.

    Raises:
        ValueError: negative capacity or demand, or shares outside 0 to 1.
    """
    if (capacity < 0).any() or (demand < 0).any():
        raise ValueError("capacity and demand are not negative")
    if not _is_share(utilisation) or not _is_share(np.asarray(ramp)):
        raise ValueError("utilisation and ramp-up are shares between 0 and 1")
    spare = capacity * (1 - utilisation)
    usable = spare * ramp
    reach, without = ratio(usable.sum(axis=0), demand), ratio(usable.sum(axis=0) - usable, demand)
    hhi = supply_concentration(spare.T).hhi
    covered = np.minimum(1.0, reach)
    least = np.minimum(1.0, without.min(axis=0))
    # Without spare capacity there is nothing to be concentrated, and cover is 0 already.
    penalised = covered * (1 - np.where(np.isnan(hhi), 1.0, hhi))
    return Cover(covered, penalised, least, hhi, np.asarray(usable.argmax(axis=0)))


def _is_share(values: Floats) -> bool:
    return bool(((values >= 0) & (values <= 1)).all())
