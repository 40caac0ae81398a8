"""What an estimated inter-regional table is: the table, its flows, and what they rest on. Regions R, sectors S, rows n = RS, region by region."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal

import numpy as np
import polars as pl

from hinterland.data.io_table import Floats, IOTable
from hinterland.errors import Finding

__all__ = ["EstimatedMRIO", "Margins", "Method", "Prior"]

Method = Literal["ras", "cross-entropy"]


@dataclass(frozen=True, slots=True, repr=False)
class Margins:
    """Margins of trade as reconciled, and what was done to them, [S, R] each, in the table's unit.

    Attributes:
        outflow, inflow: to and from other regions; the estimated flows have exactly these sums.
        exports, imports: to and from abroad.
        own: what the region supplies to itself.
        transit: taken off outflow and inflow alike: goods that pass through.
        reexports: taken off exports and imports alike.
        beyond_use: imports that neither use nor exports account for.
        self_trade: taken off outflow and inflow alike: it could only return to the region.
        unplaced_outflow: output with no known use: outflow that no region's inflow answers to, less what other regions report too much.
        unplaced_inflow: use of no known origin: inflow that no region's outflow answers to.
    """

    outflow: Floats
    inflow: Floats
    exports: Floats
    imports: Floats
    own: Floats
    transit: Floats
    reexports: Floats
    beyond_use: Floats
    self_trade: Floats
    unplaced_outflow: Floats
    unplaced_inflow: Floats


@dataclass(frozen=True, slots=True, repr=False)
class Prior:
    """Where flows are expected before margins are known.

    Attributes:
        distance: [R, R], kilometres.
        decay: θ by sector, [S].
        decay_sd: standard deviation of θ, one deviation for all sectors.
        pair_noise, cell_noise: of ln(flow/gravity): common to all sectors of a pair of regions, and of each cell.
    """

    distance: Floats
    decay: Floats
    decay_sd: float
    pair_noise: float
    cell_noise: float


@dataclass(frozen=True, slots=True, repr=False)
class EstimatedMRIO:
    """An estimated inter-regional table, with what it rests on.

    Attributes:
        table: the table itself; imports, and inflow of no known origin, are imported inputs; outflow without known use is in its error.
        given: the single-region tables, side by side.
        trade: flows between regions by sector, origin and destination, [S, R, R].
        margins: as reconciled, and what was changed.
        prior: gravity and its uncertainty.
        method: ``ras`` or ``cross-entropy``.
        trust: in outflow and in inflow, where their totals conflict.
        findings: what to know of the margins.
    """

    table: IOTable
    given: IOTable
    trade: Floats
    margins: Margins
    prior: Prior
    method: Method
    trust: tuple[float, float]
    findings: tuple[Finding, ...]

    def __repr__(self) -> str:
        share = float(self.margins.unplaced_outflow.sum() / max(self.given.outflow.sum(), np.finfo(float).tiny))
        return f"EstimatedMRIO({self.table.n_regions} × {self.table.n_sectors}, {self.method}, {share:.1%} of outflow unplaced, {self.table!r})"

    @property
    def residuals(self) -> pl.DataFrame:
        """One row per region and sector: margins given (``…_given``) and reconciled, what was changed, published error; in the table's unit."""
        t = self.given
        given = {f"{name}_given": getattr(t, name) for name in ("outflow", "inflow", "exports", "imports")}
        ours = {f.name: getattr(self.margins, f.name).T.reshape(-1) for f in fields(self.margins)}
        return pl.DataFrame({"region": t.regions, "sector": t.sectors, **given, **ours, "error": t.error})

    @property
    def flows(self) -> pl.DataFrame:
        """``region, other, sector, value``: estimated flows between regions, those above zero."""
        s, r, q = np.nonzero(self.trade)
        names, sectors = self.table.region_labels, self.table.sector_labels
        return pl.DataFrame({"region": names[r], "other": names[q], "sector": sectors[s], "value": self.trade[s, r, q]})

    def reproduced(self) -> pl.DataFrame:
        """``margin, largest``: how far the table is from every margin, at most, as a share of average output."""
        t, m = self.table, self.margins
        sold = t.supply
        own = np.diagonal(sold, axis1=0, axis2=2)
        gaps = {
            "output": t.row_residual,
            "outflow": sold.sum(axis=2).T - own - m.outflow,
            "inflow": sold.sum(axis=0) - own - m.inflow,
            "use by sector": t.Z.sum(axis=0)
            - self.given.Z.sum(axis=0)
            + t.imported_inputs.sum(axis=0)
            - self.given.imported_inputs.sum(axis=0),
            "final use by column": t.F.sum(axis=0) + t.imported_final - self.given.F.sum(axis=0) - self.given.imported_final,
            "value added": t.column_residual - self.given.column_residual,
        }
        size = float(np.abs(t.x).mean())
        return pl.DataFrame({"margin": list(gaps), "largest": [float(np.abs(g).max()) / size for g in gaps.values()]})
