"""Backward and forward linkages of sectors, and how evenly they spread (Rasmussen 1956; Jones 1976; Miller & Blair 2009, chapter 12)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hinterland.measure.leontief import allocation, coefficients, factorised, fail_if_not_table

__all__ = ["Linkages", "linkages"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Linkages:
    """Linkages of each sector, [n] each.

    Attributes:
        backward_total, forward_total: output multipliers: column sums of L, and row sums of G (or of L).
        backward, forward: the same divided by their mean: above 1, the sector pulls (or pushes) more than the average one.
        backward_variation, forward_variation: coefficients of variation (ddof = 1) of the sector's column of L and row of G (or of L):
            low when the effect is spread over many sectors.
    """

    backward_total: Floats
    forward_total: Floats
    backward: Floats
    forward: Floats
    backward_variation: Floats
    forward_variation: Floats


def linkages(deliveries: Floats, x: Floats, *, forward: Literal["ghosh", "leontief"] = "ghosh") -> Linkages:
    """Linkages of a table Z [n, n] with output x [n].

    Backward: BL_j = nΣ_i L_ij/ΣΣL with L = (I - A)⁻¹. Forward: FL_i = nΣ_j G_ij/ΣΣG with G = (I - B)⁻¹ (``ghosh``); row sums of L, as in China's yearbooks
    (感应度系数), answer what one more unit of every final demand needs, and are kept as ``leontief``.
    """
    fail_if_not_table(deliveries, x)
    one = np.eye(len(x))
    leontief = factorised(coefficients(deliveries, x)).solve(one)
    rows = factorised(allocation(deliveries, x)).solve(one) if forward == "ghosh" else leontief
    back, front = leontief.sum(axis=0), rows.sum(axis=1)
    return Linkages(back, front, back / back.mean(), front / front.mean(), _variation(leontief, 0), _variation(rows, 1))


def _variation(inverse: Floats, axis: int) -> Floats:
    if len(inverse) < 2:
        return np.full(len(inverse), np.nan)
    return np.asarray(inverse.std(axis=axis, ddof=1) / inverse.mean(axis=axis), dtype=np.float64)
