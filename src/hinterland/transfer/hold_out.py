"""How good an estimate of flows is, where the true ones are known: collapse a true table to its margins, estimate, compare.

The error is Σ|x̂ - x|/Σx over the pairs of a band of distance, of flows by sector (``cells``) and of flows of all sectors together (``pairs``).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl

from hinterland.data.io_table import Floats, IOTable
from hinterland.measure.trade_matrix import gravity_prior
from hinterland.transfer.mrio import DECAY, estimate_mrio

__all__ = ["BANDS", "hold_out", "true_flows"]

BANDS = (1000.0, 2500.0, 6000.0)
"""Kilometres at which bands of distance end."""


def true_flows(t: IOTable) -> Floats:
    """Flows between regions by sector, [S, R, R], of a table that knows them; falls of stocks are left in."""
    flows = np.ascontiguousarray(t.supply.transpose(1, 0, 2))
    own = np.arange(t.n_regions)
    flows[:, own, own] = 0.0
    return flows


def hold_out(
    t: IOTable, distance: Floats, *, decay: float | Floats = DECAY, bands: Sequence[float] = BANDS, **options: Any
) -> pl.DataFrame:
    """``method, from_km, to_km, cells, pairs`` for each band and for all.

    Methods are

    * ``proportional``: shares of destinations are shares of inflow, whatever the distance (no decay), not balanced;
    * ``gravity``: the prior alone, scaled to the sector's total;
    * ``ras-uniform``: balanced, from a prior that knows no distance;
    * ``ras``: balanced, from gravity;  ``cross-entropy``: margins weighed against gravity, then balanced.

    Args:
        t: a table that knows its flows.
        distance: kilometres, [R, R].
        decay: θ of the prior, best from other data than ``t``.
        bands: ends of the bands.
        options: of :func:`~hinterland.transfer.mrio.estimate_mrio`.
    """
    given, true = t.margins(), true_flows(t)
    by_ras = estimate_mrio(given, distance, decay=decay, **options)
    out, back, theta = by_ras.margins.outflow, by_ras.margins.inflow, by_ras.prior.decay
    flows = {
        "proportional": gravity_prior(out, back, distance, np.zeros_like(theta)),
        "gravity": gravity_prior(out, back, distance, theta),
        "ras-uniform": estimate_mrio(given, distance, decay=0.0, **options).trade,
        "ras": by_ras.trade,
        "cross-entropy": estimate_mrio(given, distance, decay=decay, method="cross-entropy", **options).trade,
    }
    ends = [0.0, *bands, np.inf]
    spans = [(0.0, np.inf), *pairwise(ends)]
    apart = ~np.eye(len(distance), dtype=bool)
    rows = [
        {"method": name, "from_km": low, "to_km": high, **_errors(estimate, true, apart & (distance >= low) & (distance < high))}
        for name, estimate in flows.items()
        for low, high in spans
    ]
    return pl.DataFrame(rows)


def _errors(estimate: Floats, true: Floats, at: Any) -> dict[str, float]:
    found = {}
    for name, a, b in (("cells", estimate, true), ("pairs", estimate.sum(axis=0), true.sum(axis=0))):
        total = float(np.abs(b[..., at]).sum())
        found[name] = float(np.abs(a - b)[..., at].sum()) / total if total > 0 else float("nan")
    return found
