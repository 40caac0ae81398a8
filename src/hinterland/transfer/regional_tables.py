"""Single-region tables side by side, with trade among the regions as margins: what an inter-regional table is estimated from.

Tables of Chinese provinces changed in what they say of trade. 2012 and 2017 have exports, imports, outflow and inflow. 2007 has outflow and inflow that
include trade with abroad, 2002 only net outflow that includes it. :func:`gross_margins` completes those with shares of a later year, and says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hinterland.data.io_table import Floats, IOTable
from hinterland.errors import Finding, InputError, did_you_mean, listed
from hinterland.labels import Note
from hinterland.measure.division import ratio
from hinterland.measure.margins import cross_hauling, gross_from_net, transit, turned

__all__ = ["INCOMPLETE", "gross_margins", "in_order", "own_use", "side_by_side"]

INCOMPLETE = {"io-net-trade", "io-trade-combined"}
"""Findings of a reader by which margins are net, or hold trade with abroad."""
_FLAT = ("x", "regions", "sectors", "exports", "imports", "outflow", "inflow", "error")
_ACROSS = ("final_region", "final_kind", "imported_final")


def side_by_side(tables: Sequence[IOTable]) -> IOTable:
    """Tables of single regions with the same sectors, stacked into one whose deliveries are those within each region.

    Raises:
        InputError: no table, sectors, units or years that differ.
    """
    differ = [
        name
        for name, values in (
            ("sectors", {tuple(t.sectors.tolist()) for t in tables}),
            ("units", {t.unit for t in tables}),
            ("years", {t.year for t in tables}),
            ("rows of value added", {tuple(t.value_added_kind.tolist()) for t in tables}),
            ("rows of imported inputs", {tuple(t.imported_kind.tolist()) for t in tables}),
        )
        if len(values) != 1
    ]
    if differ:
        what = f"the tables have different {listed(differ)}" if tables else "there is no table"
        raise InputError(Finding("io-tables-differ", what, "regional tables", "bring them to one classification first"), "regional tables")
    blocks: dict[str, Any] = {"Z": _diagonal([t.Z for t in tables]), "F": _diagonal([t.F for t in tables])}
    joined: dict[str, Any] = {name: np.concatenate([getattr(t, name) for t in tables]) for name in (*_FLAT, *_ACROSS)}
    tall: dict[str, Any] = {name: np.hstack([getattr(t, name) for t in tables]) for name in ("value_added", "imported_inputs")}
    return replace(tables[0], **blocks, **joined, **tall, source="regional tables")


def in_order(t: IOTable, regions: Sequence[str], sectors: Sequence[str] | None = None) -> IOTable:
    """The table with ``regions`` only, in that order, so that tables of two years can be set beside each other; ``sectors`` orders those too.

    Raises:
        InputError: regions that the table lacks, or that are named twice; sectors other than those of the table.
    """
    names, kinds = [str(r) for r in regions], None if sectors is None else [str(s) for s in sectors]
    findings = list(_order_findings(t, names, kinds))
    if findings:
        raise InputError(findings, t.source)
    kept = t.within(*names)
    rows = np.concatenate([_rows(kept, r, kinds) for r in names])
    columns = np.concatenate([np.flatnonzero(kept.final_region == r) for r in names])
    moved: dict[str, Any] = {name: getattr(kept, name)[rows] for name in _FLAT} | {name: getattr(kept, name)[columns] for name in _ACROSS}
    tall: dict[str, Any] = {name: getattr(kept, name)[:, rows] for name in ("value_added", "imported_inputs")}
    return replace(kept, Z=kept.Z[np.ix_(rows, rows)], F=kept.F[np.ix_(rows, columns)], **moved, **tall)


def _order_findings(t: IOTable, names: list[str], kinds: list[str] | None) -> Iterator[Finding]:
    missing = [r for r in names if r not in set(t.region_labels.tolist())]
    if missing or len(set(names)) != len(names) or not names:
        what = f"the table has no region {listed(missing)}" if missing else "regions are named twice, or none is"
        remedy = did_you_mean(missing[0], t.region_labels.tolist()) if missing else "name each once"
        yield Finding("io-unknown-label", what, "argument regions", remedy)
    if kinds is not None and sorted(kinds) != sorted(map(str, t.sector_labels)):
        odd = sorted(set(kinds) ^ set(map(str, t.sector_labels)))
        what = f"sectors are not those of the table: {listed(odd)}" if odd else "sectors are named twice"
        yield Finding("io-unknown-label", what, "argument sectors", "merge sectors first (IOTable.aggregate), and name each once")


def _rows(t: IOTable, region: str, kinds: list[str] | None) -> NDArray[np.int64]:
    rows = np.flatnonzero(t.regions == region)
    return rows if kinds is None else rows[np.argsort([kinds.index(str(s)) for s in t.sectors[rows]], kind="stable")]


def _diagonal(blocks: Sequence[Floats]) -> Floats:
    out = np.zeros((sum(len(b) for b in blocks), sum(b.shape[1] for b in blocks)))
    i = j = 0
    for b in blocks:
        out[i : i + len(b), j : j + b.shape[1]] = b
        i, j = i + len(b), j + b.shape[1]
    return out


def own_use(t: IOTable) -> Floats:
    """Use of each product within its region, whatever its origin, [n]."""
    return np.asarray(t.Z.sum(axis=1) + t.F.sum(axis=1), dtype=np.float64)


def gross_margins(t: IOTable, reference: IOTable, *, sectors: Mapping[str, str] | None = None) -> IOTable:
    """Margins of trade imputed where tables show them net, or mixed with trade abroad: shares come from ``reference``, a table that has them all.

    Net outflow becomes gross by CHARM (Kronenberg 2009) with the reference's trade both ways per unit of output and use, by sector. Trade abroad is
    split off with the reference's shares of exports in sales to outside, and of imports in purchases from outside: of the region's own sector, else of
    the sector, else of all. Nothing else changes; ``sectors`` maps sectors of ``t`` to those of the reference where names differ.

    Raises:
        InputError: the reference has itself no full margins.
    """
    incomplete = INCOMPLETE & {f.code for f in t.findings}
    if not incomplete:
        return t
    if INCOMPLETE & {f.code for f in reference.findings}:
        what = f"the reference of {reference.year} has no exports and imports apart from outflow and inflow"
        raise InputError(Finding("mrio-no-reference", what, "argument reference", "give tables of a year that has them"), "gross margins")
    known = _Shares.of(reference)
    names = [(sectors or {}).get(str(s), str(s)) for s in t.sectors]
    unmatched = sorted({s for s in names if s not in known.sectors})
    share = [known.of_row(str(r), s) for r, s in zip(t.regions, names, strict=True)]
    both, abroad_out, abroad_in = (np.array([row[k] for row in share]) for k in range(3))
    outflow, inflow = turned(t.outflow, t.inflow)
    if "io-net-trade" in incomplete:
        gross = gross_from_net(outflow - inflow, np.maximum(t.x, 0.0), np.maximum(own_use(t), 0.0), both)
        outflow, inflow = gross.outflow, gross.inflow
    what = f"margins of {t.year} are completed with shares of {reference.year}; sectors without a namesake there: {listed(unmatched) or 'none'}"
    said = Finding("mrio-imputed-margins", what, t.source, "read flows of this year as imputed, not as observed margins", "warning")
    return replace(
        t,
        outflow=outflow * (1 - abroad_out),
        exports=outflow * abroad_out,
        inflow=inflow * (1 - abroad_in),
        imports=inflow * abroad_in,
        notes=(*t.notes, Note("mrio-imputed-margins")),
        findings=(*(f for f in t.findings if f.code not in INCOMPLETE), said),
    )


class _Shares:
    """Trade both ways, and shares of trade abroad in outward and inward trade, of a table with all margins."""

    def __init__(self, cells: Mapping[tuple[str, str], NDArray[np.float64]], sectors: Mapping[str, NDArray[np.float64]]) -> None:
        self.cells, self.sectors, self.all = cells, sectors, np.sum(list(sectors.values()), axis=0)

    @classmethod
    def of(cls, t: IOTable) -> _Shares:
        use = own_use(t)
        m = transit(use, *turned(t.outflow, t.inflow), *turned(t.exports, t.imports))
        out, back = m.outflow + m.exports, m.inflow + m.imports
        size = np.maximum(t.x, 0.0) + np.maximum(use, 0.0)
        both = np.nan_to_num(cross_hauling(out, back, np.maximum(t.x, 0.0), np.maximum(use, 0.0))) * size
        columns = np.stack([both, size, m.exports, out, m.imports, back], axis=1)
        cells = {(str(r), str(s)): row for r, s, row in zip(t.regions, t.sectors, columns, strict=True)}
        return cls(cells, {str(s): columns[t.sectors == s].sum(axis=0) for s in t.sector_labels})

    def of_row(self, region: str, sector: str) -> tuple[float, float, float]:
        """Trade both ways h of the sector; shares of exports and of imports of the cell, or of the sector where the cell has no trade."""
        wide = self.sectors.get(sector, self.all)
        levels = [v for v in (self.cells.get((region, sector)), wide, self.all) if v is not None]
        exports = next((v[2] / v[3] for v in levels if v[3] > 0), 0.0)
        imports = next((v[4] / v[5] for v in levels if v[5] > 0), 0.0)
        return float(np.nan_to_num(ratio(wide[0], wide[1]))), float(exports), float(imports)
