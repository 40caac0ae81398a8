"""Inoperability input-output model (Haimes & Santos): how a fall of demand for some sectors spreads to the others.

Demand-driven: it follows orders that are not placed. It cannot represent a shortage of supply, for which :mod:`hinterland.measure.adaptive` is made.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hinterland.measure.leontief import allocation, factorised, fail_if_not_table

__all__ = ["Inoperability", "inoperability"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Inoperability:
    """``inoperability``: share of each sector's output lost, q [n] or [n, m];  ``loss``: output lost, q̂x, in the unit of the table."""

    inoperability: Floats
    loss: Floats


def inoperability(deliveries: Floats, x: Floats, demand_loss: Floats) -> Inoperability:
    """Inoperability q = (I - A*)⁻¹c*, A* = x̂⁻¹Ax̂ = x̂⁻¹Z, from Z [n, n], output x [n] and c* [n] or [n, m], final demand lost as a share of output.

    Raises:
        ValueError: shares outside 0 to 1, or a table that is not one.
    """
    fail_if_not_table(deliveries, x)
    if not ((demand_loss >= 0) & (demand_loss <= 1)).all():
        raise ValueError(f"demand lost is a share of output between 0 and 1, not {np.min(demand_loss)} to {np.max(demand_loss)}")
    q = factorised(allocation(deliveries, x)).solve(demand_loss)
    return Inoperability(q, q * (x if q.ndim == 1 else x[:, None]))
