"""How sure an estimated inter-regional table is, and what follows for measures of transfer.

Draws vary what the margins leave open: the distance decay, how far flows are from gravity (by pair of regions, and by cell), and which of two conflicting
margins is right. Every draw reproduces its margins. Measures are taken from each draw by solving for R right-hand sides; no inverse is formed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from hinterland.data.io_table import Floats, IOTable
from hinterland.errors import Finding, InputError
from hinterland.measure.balancing import ras
from hinterland.measure.multiregional import Table, by_region, induced_output, induced_value_added, net_transfer, table_of, transfer
from hinterland.measure.trade_matrix import log_gravity
from hinterland.transfer.chains import value_added_coefficients
from hinterland.transfer.mrio import consistent, linked
from hinterland.transfer.mrio_result import EstimatedMRIO, Margins

__all__ = ["Draw", "draws", "flow_intervals", "induced_intervals", "net_transfer_intervals", "solved"]

_BATCH = 16
_TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True, repr=False)
class Draw:
    """One possible table: flows [S, R, R] and the margins that they have."""

    trade: Floats
    margins: Margins


def draws(e: EstimatedMRIO, count: int = 200, *, seed: int = 0, conflict: bool = True) -> Iterator[Draw]:
    """Draws of the flows of an estimate.

    θ is drawn with one normal deviation for all sectors, not below 0; the prior gets normal noise in logarithms, of a pair and of each cell; with
    ``conflict``, the trust in outflow against inflow is w : 1 - w with w uniform. The same seed gives the same draws of θ, w and noise for any table of
    the same regions and sectors, so that draws of two years can be paired.

    Raises:
        InputError: fewer than two draws.
    """
    if count < 2:
        raise InputError(Finding("mrio-parameter", f"count is {count}", "argument count", "draw at least 2, better 200"), "draws")
    S, R = e.trade.shape[:2]
    for start in range(0, count, _BATCH):
        size = min(_BATCH, count - start)
        rng = np.random.default_rng([seed, start])
        z, w = rng.normal(size=size), rng.uniform(0.02, 0.98, size=size)
        prior = np.stack([log_gravity(e.prior.distance, np.maximum(e.prior.decay + e.prior.decay_sd * d, 0.0)) for d in z])
        prior += e.prior.pair_noise * rng.normal(size=(size, 1, R, R)) + e.prior.cell_noise * rng.normal(size=(size, S, R, R))
        margins = [consistent(e.given, e.prior, e.method, (v, 1 - v))[0] if conflict else e.margins for v in w]
        out, back = np.stack([m.outflow for m in margins]), np.stack([m.inflow for m in margins])
        flows = ras(prior, out, back, tolerance=_TOLERANCE).flows
        yield from (Draw(flow, m) for flow, m in zip(flows, margins, strict=True))


def flow_intervals(
    e: EstimatedMRIO, count: int = 200, *, seed: int = 0, level: float = 0.9, conflict: bool = True, by_sector: bool = False
) -> pl.DataFrame:
    """``region, other, [sector,] value, low, high``: estimated flows between regions with the middle ``level`` of the draws.

    Raises:
        InputError: ``level`` is not between 0 and 1, or too few draws.
    """
    made = draws(e, count, seed=seed, conflict=conflict)
    flows = np.stack([d.trade if by_sector else d.trade.sum(axis=0)[None] for d in made])
    low, high = _bounds(flows, level)
    value = e.trade if by_sector else e.trade.sum(axis=0)[None]
    names, sectors = e.table.region_labels, e.table.sector_labels
    s, r, q = np.nonzero(np.broadcast_to(~np.eye(len(names), dtype=bool), value.shape))
    sector = {"sector": sectors[s]} if by_sector else {}
    return pl.DataFrame(
        {"region": names[r], "other": names[q], **sector, "value": value[s, r, q], "low": low[s, r, q], "high": high[s, r, q]}
    )


def induced_intervals(
    e: EstimatedMRIO, count: int = 50, *, seed: int = 0, level: float = 0.9, conflict: bool = True, value_added: bool = False
) -> pl.DataFrame:
    """``region, other, value, low, high``: output (or value added) of each region that each region's final demand induces, and its interval.

    Raises:
        InputError: ``level`` is not between 0 and 1, or too few draws.
    """

    def measured(table: IOTable) -> Floats:
        solvable = solved(table)
        return by_region(induced_value_added(solvable, value_added_coefficients(table)) if value_added else induced_output(solvable))

    found = np.stack([measured(linked(e.given, d.trade, d.margins)) for d in draws(e, count, seed=seed, conflict=conflict)])
    return _pairs(e, measured(e.table), found, level)


def net_transfer_intervals(
    start: EstimatedMRIO, end: EstimatedMRIO, count: int = 50, *, seed: int = 0, level: float = 0.9, conflict: bool = True
) -> pl.DataFrame:
    """``region, other, value, low, high``: net transfer into ``region`` from ``other``, all sectors, from the structure part of the change.

    Draws of both years are paired: what is wrong with gravity between two regions is taken to stay so. Both tables must be at the same prices.

    Raises:
        InputError: tables of different regions or sectors, ``level`` not between 0 and 1, or too few draws.
    """
    a, b = start.table, end.table
    if a.n != b.n or (a.regions != b.regions).any() or (a.sectors != b.sectors).any():
        what = f"the tables have {a.n_regions} × {a.n_sectors} and {b.n_regions} × {b.n_sectors} rows, or other labels, or another order"
        raise InputError(
            Finding("io-tables-differ", what, "arguments start, end", "bring both to one classification, and in_order()"), "net transfer"
        )

    def measured(first: IOTable, last: IOTable) -> Floats:
        return np.asarray(net_transfer(transfer(solved(first), solved(last)).structure).sum(axis=1), dtype=np.float64)

    pair = zip(*(draws(e, count, seed=seed, conflict=conflict) for e in (start, end)), strict=True)
    found = [measured(linked(start.given, a.trade, a.margins), linked(end.given, b.trade, b.margins)) for a, b in pair]
    return _pairs(end, measured(start.table, end.table), np.stack(found), level)


def solved(t: IOTable) -> Table:
    """The table factorised for as many right-hand sides as are asked: A and final demand by region of demand."""
    return table_of(t.A, t.final_demand)


def _pairs(e: EstimatedMRIO, value: Floats, found: Floats, level: float) -> pl.DataFrame:
    low, high = _bounds(found, level)
    names = e.table.region_labels
    R = len(names)
    keys = {"region": np.repeat(names, R), "other": np.tile(names, R)}
    return pl.DataFrame({**keys, "value": value.reshape(-1), "low": low.reshape(-1), "high": high.reshape(-1)})


def _bounds(found: Floats, level: float) -> tuple[Floats, Floats]:
    if not 0 < level < 1:
        raise InputError(Finding("mrio-parameter", f"level is {level}", "argument level", "give a share between 0 and 1"), "intervals")
    tail = (1 - level) / 2
    low, high = np.quantile(found, [tail, 1 - tail], axis=0)
    return low, high
