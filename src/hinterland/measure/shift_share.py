"""Shift-share: what a region's growth owes to the nation, to its industries and to itself.

Dunn (1960); Esteban-Marquillas (1972); Barff & Knight (1988); Nazara & Hewings (2004). Arrays: regions are rows, industries columns.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hinterland.measure.division import ratio

__all__ = ["ShiftShare", "SpatialShiftShare", "dynamic_shift_share", "shift_share", "spatial_shift_share"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ShiftShare:
    """Components of the change of each region and industry, [R, I], in the unit of the data.

    Attributes:
        national: what the nation's total growth would have given, E⁰G.
        industry: what the industry's growth beyond the nation's would have given, E⁰(G_i - G).
        regional: the region's own shift, E⁰(g - G_i); all of the change where E⁰ = 0.
        new_industry: change in an industry that the nation did not have in the base year.
        competitive: regional shift at the nation's structure, H(g - G_i) with H = E⁰_r. N⁰_i/N⁰; NaN where E⁰ = 0 and g is undefined.
        allocation: the rest of the regional shift, (E⁰ - H)(g - G_i).
    """

    national: Floats
    industry: Floats
    regional: Floats
    new_industry: Floats
    competitive: Floats
    allocation: Floats

    @property
    def total(self) -> Floats:
        """National + industry + regional + new industry: the change itself."""
        return np.asarray(self.national + self.industry + self.regional + self.new_industry, dtype=np.float64)


def shift_share(start: Floats, end: Floats, *, national_start: Floats | None = None, national_end: Floats | None = None) -> ShiftShare:
    """Dunn's three components, with Esteban-Marquillas' split of the third.

    Rulings: where E⁰_ri = 0 the regional growth rate is undefined and the whole change is the regional shift, so that components add up; an
    industry that the nation lacked in the base year is its own component. Regional shifts of an industry sum to zero if the nation is the
    sum of the sample (the default).

    Args:
        start, end: E⁰, E¹, [R, I]; NaN gives NaN.
        national_start, national_end: N⁰, N¹, [I]; by default sums over the regions.

    Raises:
        ValueError: shapes differ, one national vector without the other, or an industry with a regional but no national base.
    """
    n0, n1 = _nation(start, end, national_start, national_end)
    total, rate = _rates(n0, n1)
    fresh = np.broadcast_to((n0 == 0)[None, :], start.shape)
    change = end - start
    national, industry = start * total, start * np.where(n0 > 0, rate - total, 0.0)[None, :]
    rest = change - national - industry
    homothetic = np.nansum(start, axis=1, keepdims=True) * ratio(n0, n0.sum())[None, :]
    lead = ratio(change, start) - rate[None, :]
    competitive = np.where(fresh, 0.0, homothetic * lead)
    allocation = np.where(fresh, 0.0, (start - homothetic) * lead)
    return ShiftShare(national, industry, np.where(fresh, 0.0, rest), np.where(fresh, rest, 0.0), competitive, allocation)


def dynamic_shift_share(panel: Floats, *, national: Floats | None = None) -> ShiftShare:
    """Dunn's components of each pair of consecutive years, summed (Barff & Knight 1988): growth and structure are brought up to date yearly.

    Args:
        panel: E, [T, R, I], consecutive periods.
        national: N, [T, I]; by default sums over the regions.
    """
    steps = [
        shift_share(
            panel[t],
            panel[t + 1],
            national_start=None if national is None else national[t],
            national_end=None if national is None else national[t + 1],
        )
        for t in range(len(panel) - 1)
    ]
    names = ("national", "industry", "regional", "new_industry", "competitive", "allocation")
    return ShiftShare(*(np.sum([getattr(s, name) for s in steps], axis=0) for name in names))


@dataclass(frozen=True, slots=True)
class SpatialShiftShare:
    """Components with the neighbourhood as yardstick, [R, I].

    Attributes:
        national: E⁰G.
        neighbourhood: E⁰(ğ - G): the industry's growth around the region beyond the nation's total growth.
        regional: E⁰(g - ğ): growth beyond the neighbours' in the same industry; all of the change where E⁰ = 0.
        rate: ğ, the neighbours' growth rate; NaN where neighbours have no base.
    """

    national: Floats
    neighbourhood: Floats
    regional: Floats
    rate: Floats


def spatial_shift_share(
    start: Floats,
    end: Floats,
    weights: Floats,
    *,
    national_start: Floats | None = None,
    national_end: Floats | None = None,
    rate: str = "ratio",
) -> SpatialShiftShare:
    """Shift-share with the neighbours' growth in place of the industry's national growth (Nazara & Hewings 2004).

    Args:
        start, end: E⁰, E¹, [R, I].
        weights: W, [R, R], nonnegative, zero diagonal; rows are divided by their sums.
        national_start, national_end: N⁰, N¹, [I]; by default sums over the regions.
        rate: ``ratio``: growth of the neighbours' weighted sum, Σ_s W_rs(E¹-E⁰)/Σ_s W_rs E⁰ (a neighbour of any size, also without base);
            ``mean``: weighted mean of their rates, Σ_s W_rs g_si, over neighbours with a base.

    Raises:
        ValueError: as :func:`shift_share`, or an unknown ``rate``.
    """
    n0, n1 = _nation(start, end, national_start, national_end)
    total, _ = _rates(n0, n1)
    if rate == "ratio":
        base, gain = weights @ start, weights @ (end - start)
    elif rate == "mean":
        has = start > 0
        base = weights @ has.astype(np.float64)
        gain = weights @ np.where(has, ratio(end - start, start), 0.0)
    else:
        raise ValueError(f"rate is 'ratio' or 'mean', not {rate!r}")
    around = ratio(gain, base)
    neighbourhood = np.where(start == 0, 0.0, start * (around - total))
    national = start * total
    return SpatialShiftShare(national, neighbourhood, (end - start) - national - neighbourhood, around)


def _nation(start: Floats, end: Floats, n0: Floats | None, n1: Floats | None) -> tuple[Floats, Floats]:
    if start.shape != end.shape or start.ndim != 2:
        raise ValueError(f"start and end are tables of regions by industries of one shape, not {start.shape} and {end.shape}")
    if (n0 is None) != (n1 is None):
        raise ValueError("give the nation's industries in both years, or in neither")
    first = np.asarray(np.nansum(start, axis=0) if n0 is None else n0, dtype=np.float64)
    last = np.asarray(np.nansum(end, axis=0) if n1 is None else n1, dtype=np.float64)
    impossible = np.flatnonzero((first == 0) & (np.nansum(start, axis=0) > 0))
    if len(impossible):
        raise ValueError(f"the nation has nothing of industries {impossible.tolist()} in the base year, but regions have")
    return first, last


def _rates(n0: Floats, n1: Floats) -> tuple[float, Floats]:
    """G and G_i (NaN without a base)."""
    total = float(n1.sum() / n0.sum() - 1) if n0.sum() > 0 else float("nan")
    return total, ratio(n1, n0) - 1
