"""Single-region tables side by side, with trade among the regions as margins: what an inter-provincial table is estimated from.

Tables of Chinese provinces changed in what they say of trade. 2012 and 2017 have exports, imports, outflow and inflow. 2007 has outflow and inflow that
include trade with abroad, 2002 only net outflow that includes it. :func:`gross_margins` completes those with shares of a later year, and says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hinterland.data.geography import catalogue_table
from hinterland.data.io_table import Floats, IOTable
from hinterland.data.readers import load_frame
from hinterland.errors import Finding, InputError, listed
from hinterland.measure.division import ratio
from hinterland.measure.margins import cross_hauling, gross_from_net, transit, turned
from hinterland.measure.neighbours import find_provinces

__all__ = ["common_sectors", "gross_margins", "provincial_tables", "side_by_side"]

FINAL = ("FU101", "FU102", "FU103", "FU201", "FU202")
KINDS = ("rural-consumption", "urban-consumption", "government-consumption", "fixed-capital", "inventories")
VALUE_ADDED = ("VA001", "VA002", "VA003", "VA004")
VALUE_ADDED_KINDS = ("labour", "net-taxes", "depreciation", "surplus")
TRADE = {"exports": "EX", "imports": "IM", "outflow": "OF", "inflow": "IF"}
_COLUMNS = ("province", "row", "col", "value")


def common_sectors(year: int) -> dict[str, str]:
    """Code → sector of the 37 that the provincial tables of 2002, 2007, 2012 and 2017 have in common: what the codes mean differs between them.

    Raises:
        InputError: another year.
    """
    known = catalogue_table("provincial_io_sectors")
    if f"y{year}" not in known.columns:
        what = f"there is no list of sectors for {year}"
        raise InputError(
            Finding("io-no-year", what, "argument year", "take 2002, 2007, 2012 or 2017, or map codes yourself"), "common sectors"
        )
    codes = known.select("sector", pl.col(f"y{year}").str.split(";").alias("code")).explode("code")
    return dict(codes.select("code", "sector").iter_rows())


def provincial_tables(
    source: Any, year: int, *, sectors: Mapping[str, str] | Literal["common"] | None = None, unit: str = "10k-yuan"
) -> IOTable:
    """Tables of provinces from a long frame with columns ``year, province, row, col, value``, one year of it.

    Codes are those of the provincial tables of China: ``sec01`` and so on, ``FU101`` … ``FU202`` for final use, ``VA001`` … ``VA004``, ``GO``, ``ERR``,
    and for trade ``EX, IM, OF, IF``; or ``FU302`` and ``FU304`` (outflow and inflow with trade abroad, note ``margins-with-foreign``); or ``NOF`` (net
    outflow, note ``net-margins``). ``sectors`` maps codes to names; those of one name are merged. ``common``: :func:`common_sectors`.

    Raises:
        InputError: columns or the year are missing, or cells that a table needs.
    """
    frame = load_frame(source)
    missing = [c for c in ("year", *_COLUMNS) if c not in frame.columns]
    if missing:
        raise InputError(
            Finding("unknown-column", f"the tables have no column {listed(missing)}", "provincial tables", "name them so"),
            "provincial tables",
        )
    rows = frame.filter(pl.col("year") == year).with_columns(pl.col("province", "row", "col").cast(pl.String))
    if not rows.height:
        what = f"there is no table of {year}; years: {listed(sorted(frame['year'].unique().to_list()))}"
        raise InputError(Finding("io-no-year", what, "argument year", "name one of them"), "provincial tables")
    table = _stacked(rows, year, unit)
    names = common_sectors(year) if sectors == "common" else sectors
    return table.aggregate(sectors=names) if names else table


def _stacked(rows: pl.DataFrame, year: int, unit: str) -> IOTable:
    labels = _ordered(rows["province"].unique(maintain_order=True))
    codes = sorted(c for c in rows["row"].unique() if str(c).startswith("sec"))
    R, S = len(labels), len(codes)
    cube = _Cube(rows, labels)
    Z, F = np.zeros((R * S, R * S)), np.zeros((R * S, R * len(FINAL)))
    use, final = cube.take(codes, codes), cube.take(codes, FINAL)
    for r in range(R):
        at = slice(r * S, (r + 1) * S)
        Z[at, at], F[at, r * len(FINAL) : (r + 1) * len(FINAL)] = use[r], final[r]
    trade, note = _trade(cube, codes)
    return IOTable(
        Z=Z,
        F=F,
        x=cube.flat(codes, "GO"),
        regions=np.repeat(labels, S),
        sectors=np.tile(codes, R),
        final_region=np.repeat(labels, len(FINAL)),
        final_kind=np.tile(KINDS, R),
        value_added=_value_added(cube, codes),
        value_added_kind=np.array(VALUE_ADDED_KINDS),
        error=cube.flat(codes, "ERR") if "ERR" in cube.columns else np.zeros(R * S),
        unit=unit,
        year=year,
        source="provincial tables",
        notes=note,
        **trade,
    )


def _ordered(labels: pl.Series) -> list[str]:
    """Provinces in the order of their codes, whatever the table's, so that years can be compared; other names as they come."""
    place = find_provinces(labels)
    return [str(labels[int(i)]) for i in np.argsort(place, kind="stable")] if (place >= 0).all() else [str(v) for v in labels]


class _Cube:
    """Cells of all provinces by row and column code; what is not listed is zero, a listed gap is an error."""

    def __init__(self, rows: pl.DataFrame, labels: Sequence[str]) -> None:
        self.rows, self.columns = sorted(rows["row"].unique()), sorted(rows["col"].unique())
        place = [{k: i for i, k in enumerate(keys)} for keys in (labels, self.rows, self.columns)]
        at = tuple(rows[c].replace_strict(p, return_dtype=pl.Int64).to_numpy() for c, p in zip(_COLUMNS[:3], place, strict=True))
        self.values = np.zeros((len(labels), len(self.rows), len(self.columns)))
        self.values[at] = rows["value"].cast(pl.Float64).to_numpy()

    def take(self, rows: Sequence[str], columns: Sequence[str], gaps: bool = False) -> Floats:
        """[R, rows, columns]; values that are rounding of zero are zero."""
        found = [[k for k in wanted if k not in have] for wanted, have in ((rows, self.rows), (columns, self.columns))]
        if any(found):
            what = f"the tables have no {listed([*found[0], *found[1]])}"
            raise InputError(Finding("io-no-column", what, "provincial tables", "give the code to the row or column"), "provincial tables")
        part = self.values[:, [self.rows.index(k) for k in rows]][:, :, [self.columns.index(k) for k in columns]]
        if not gaps and not np.isfinite(part).all():
            what = f"{int((~np.isfinite(part)).sum())} cell(s) of rows {listed(rows, 3)} and columns {listed(columns, 3)} are empty"
            raise InputError(Finding("io-gap", what, "provincial tables", "fill them in: a table has no gaps"), "provincial tables")
        return np.asarray(np.where(np.abs(part) < 1e-6, 0.0, part), dtype=np.float64)

    def flat(self, rows: Sequence[str], column: str) -> Floats:
        return self.take(rows, [column]).reshape(-1)


def _value_added(cube: _Cube, codes: Sequence[str]) -> Floats:
    """[4, n]; where one entry of a column is empty, it is what output leaves after all others."""
    values = cube.take(VALUE_ADDED, codes, gaps=True)
    left = cube.take(["GO"], codes)[:, 0] if "GO" in cube.rows else cube.take(codes, ["GO"])[:, :, 0]
    left = left - cube.take(codes, codes).sum(axis=1) - np.nansum(values, axis=1)
    alone = np.isnan(values) & (np.isnan(values).sum(axis=1) == 1)[:, None, :]
    return np.where(alone, left[:, None, :], values).transpose(1, 0, 2).reshape(len(VALUE_ADDED), -1)


def _trade(cube: _Cube, codes: Sequence[str]) -> tuple[dict[str, Floats], tuple[str, ...]]:
    """Margins, and notes on what they hold."""
    have = set(cube.columns)
    if set(TRADE.values()) <= have:
        return {name: cube.flat(codes, column) for name, column in TRADE.items()}, ()
    if {"FU302", "FU304"} <= have:
        return {"outflow": cube.flat(codes, "FU302"), "inflow": cube.flat(codes, "FU304")}, ("margins-with-foreign",)
    net = cube.flat(codes, "NOF")
    return {"outflow": np.maximum(net, 0.0), "inflow": np.maximum(-net, 0.0)}, ("margins-with-foreign", "net-margins")


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
        )
        if len(values) != 1
    ]
    if differ:
        what = f"the tables have different {listed(differ)}" if tables else "there is no table"
        raise InputError(
            Finding("io-tables-differ", what, "provincial tables", "bring them to one classification first"), "provincial tables"
        )
    blocks = {"Z": _diagonal([t.Z for t in tables]), "F": _diagonal([t.F for t in tables])}
    names = ("x", "regions", "sectors", "final_region", "final_kind", "exports", "imports", "outflow", "inflow", "error", "imported_final")
    joined: dict[str, Any] = {name: np.concatenate([getattr(t, name) for t in tables]) for name in names}
    return replace(tables[0], **blocks, **joined, value_added=np.hstack([t.value_added for t in tables]), source="provincial tables")


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
    if not {"margins-with-foreign", "net-margins"} & set(t.notes):
        return t
    if {"margins-with-foreign", "net-margins"} & set(reference.notes):
        what = f"the reference of {reference.year} has no exports and imports apart from outflow and inflow"
        raise InputError(Finding("mrio-no-reference", what, "argument reference", "give tables of a year that has them"), "gross margins")
    known, unmatched = _Shares.of(reference), []
    names = [(sectors or {}).get(str(s), str(s)) for s in t.sectors]
    unmatched = sorted({s for s in names if s not in known.sectors})
    share = [known.of_row(str(r), s) for r, s in zip(t.regions, names, strict=True)]
    both, abroad_out, abroad_in = (np.array([row[k] for row in share]) for k in range(3))
    outflow, inflow = turned(t.outflow, t.inflow)
    if "net-margins" in t.notes:
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
        notes=(*(n for n in t.notes if n not in ("margins-with-foreign", "net-margins")), "imputed-margins"),
        findings=(*t.findings, said),
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
        """H of the sector; shares of exports and of imports of the cell, or of the sector where the cell has no trade."""
        wide = self.sectors.get(sector, self.all)
        levels = [v for v in (self.cells.get((region, sector)), wide, self.all) if v is not None]
        exports = next((v[2] / v[3] for v in levels if v[3] > 0), 0.0)
        imports = next((v[4] / v[5] for v in levels if v[5] > 0), 0.0)
        return float(np.nan_to_num(ratio(wide[0], wide[1]))), float(exports), float(imports)
