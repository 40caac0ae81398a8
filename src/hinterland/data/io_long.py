"""Tables in long form: one row per cell, with year, region and sector of the row, and region and sector (or kind of final use) of the column.

Labels of rows and columns that are no sectors are known by code or word (``FU101``, ``exports``, ``VA001``, ``GO``: see ``io_codes.csv``); any other
label is a sector if it stands in both rows and columns, a kind of final demand if it stands in columns only, and a primary input if it stands in
rows only. Cells that the file does not have are zeros. Without a column of the other region, the file holds tables of single regions, which are put
side by side: trade with the other regions is then known by its margins, outflow and inflow.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from hinterland.data.io_cells import EXCEL, TEXT, pick_file
from hinterland.data.io_layout import Blanks, Line, Meta, Sheet, assemble, recognised
from hinterland.data.io_table import IOTable
from hinterland.data.readers import load_frame
from hinterland.errors import Finding, InputError, did_you_mean, fail_if_any, listed

WRITTEN = {
    "year": ("year", "time", "年份"),
    "region": ("region", "province", "country", "省份", "地区"),
    "sector": ("sector", "row", "industry", "行业", "部门"),
    "other": ("other", "other_region"),
    "other_sector": ("other_sector", "col", "column", "other_industry"),
    "value": ("value", "数值"),
}
"""Names that columns are known by."""
REQUIRED = ("sector", "other_sector", "value")
LONG = (*EXCEL, *TEXT, ".parquet", ".pq")
FINAL, PRIMARY, TRADE = "final", "value-added", ("exports", "imports", "outflow", "inflow", "net-outflow", "error", "output")

__all__ = ["read_long"]


def read_long(source: Any, year: int | None, unit: str | None, blanks: Blanks, columns: Mapping[str, str]) -> IOTable:
    """The table of a file or frame. Raises ``InputError`` with what is wrong with it."""
    if isinstance(source, Path):
        source = pick_file(source, LONG, year)
    name = source.name if isinstance(source, Path) else "data frame"
    cells = _of_year(_renamed(load_frame(source), columns, name), year, name)
    across = _columns(cells)
    down = _rows(cells, across)
    at = _placed(cells, across, down)
    found = [*_duplicates(cells, name), *_gaps(cells, across, down, blanks, name)]
    fail_if_any(found, name, InputError)
    sheet = _sheet(at, across, down)
    known = cells["year"][0] if "year" in cells.columns and cells.height else None
    said = [*_primary_guessed(down, name), *_trade_said(across, name)]
    return assemble(sheet, Meta(name, unit or "as-input", year or known, blanks), said)


def _renamed(frame: pl.DataFrame, columns: Mapping[str, str], name: str) -> pl.DataFrame:
    """The columns under the names of their roles.

    Raises:
        InputError: columns that are missing.
    """
    found, problems = {}, []
    for role, written in WRITTEN.items():
        asked = columns.get(role)
        have = next((w for w in ((asked,) if asked else written) if w in frame.columns), None)
        if have is not None:
            found[role] = have
        elif role in REQUIRED or asked:
            what = f"there is no column of {role}" if not asked else f"there is no column {asked!r}"
            problems.append(Finding("unknown-column", what, name, did_you_mean(asked or role, frame.columns)))
    problems += [
        Finding("io-role", f"there is no role {r!r}", "argument columns", did_you_mean(r, WRITTEN)) for r in columns if r not in WRITTEN
    ]
    fail_if_any(problems, name, InputError)
    renamed = frame.select(pl.col(have).alias(role) for role, have in found.items())
    if "region" not in found:
        renamed = renamed.with_columns(region=pl.lit("region"))
    if "other" not in found:
        renamed = renamed.with_columns(other=pl.col("region"))
    texts = [pl.col(c).cast(pl.String).fill_null("") for c in ("region", "sector", "other", "other_sector")]
    years = [pl.col("year").cast(pl.Int64)] if "year" in found else []
    return renamed.with_columns(*texts, *years, pl.col("value").cast(pl.Float64))


def _of_year(cells: pl.DataFrame, year: int | None, name: str) -> pl.DataFrame:
    if "year" not in cells.columns:
        return cells
    have = cells["year"].unique().sort().to_list()
    if year is None and len(have) > 1:
        what = f"the file holds the years {listed(have, 30)}"
        raise InputError(Finding("io-which-year", what, name, "name one with year="), name)
    if year is not None and year not in have:
        what = f"the file holds no year {year}"
        raise InputError(Finding("io-which-year", what, name, f"choose one of {listed(have, 30)}"), name)
    return cells if year is None else cells.filter(pl.col("year") == year)


def _columns(cells: pl.DataFrame) -> dict[str, Line]:
    rows = set(cells["sector"].unique())
    found = {}
    for label in cells["other_sector"].unique(maintain_order=True):
        own = Line("sector", label=label) if label in rows else Line(FINAL, label=label)
        found[label] = recognised(label) or own
    return found


def _rows(cells: pl.DataFrame, across: Mapping[str, Line]) -> dict[str, Line]:
    sectors = {label for label, line in across.items() if line.role == "sector"}
    found = {}
    for label in cells["sector"].unique(maintain_order=True):
        own = Line("sector", label=label) if label in sectors else Line(PRIMARY, label=label)
        found[label] = recognised(label) or own
    return found


def _placed(cells: pl.DataFrame, across: Mapping[str, Line], down: Mapping[str, Line]) -> pl.DataFrame:
    """The cells that count, with the role of their row and column."""
    roles = cells.with_columns(
        row_role=pl.col("sector").replace_strict({k: v.role for k, v in down.items()}, return_dtype=pl.String),
        column_role=pl.col("other_sector").replace_strict({k: v.role for k, v in across.items()}, return_dtype=pl.String),
    )
    inner = pl.col("row_role") == "sector"
    used = inner & (pl.col("column_role") != "skip") | (pl.col("column_role").is_in(["sector", FINAL]) & (pl.col("row_role") != "skip"))
    return roles.filter(used)


def _duplicates(cells: pl.DataFrame, name: str) -> list[Finding]:
    keys = ["region", "sector", "other", "other_sector"]
    twice = cells.select(keys).is_duplicated()
    if not twice.any():
        return []
    rows = cells.filter(twice).unique(keys, maintain_order=True)
    what = f"{int(twice.sum())} rows give a cell more than once: {listed([' · '.join(r) for r in rows.select(keys).rows()])}"
    return [Finding("io-duplicate-cell", what, name, "give each cell once")]


def _gaps(cells: pl.DataFrame, across: Mapping[str, Line], down: Mapping[str, Line], blanks: Blanks, name: str) -> list[Finding]:
    """Cells of a sector's row, or of a primary input to a sector, without a number."""
    if blanks == "zero":
        return []
    sectors = [k for k, v in down.items() if v.role == "sector"]
    counted = [k for k, v in across.items() if v.role != "skip"]
    empty = cells.filter(
        pl.col("sector").is_in(sectors) & pl.col("other_sector").is_in(counted) & ~pl.col("value").is_finite().fill_null(value=False)
    )
    if not empty.height:
        return []
    keys = ["region", "sector", "other_sector"]
    what = f"{empty.height} cell(s) have no number: {listed([' · '.join(r) for r in empty.select(keys).rows()])}"
    return [Finding("io-gap", what, name, "fill them in, or read with blanks='zero' if empty cells are zeros")]


def _sheet(cells: pl.DataFrame, across: Mapping[str, Line], down: Mapping[str, Line]) -> Sheet:
    regions = cells.filter(pl.col("row_role") == "sector")["region"].unique(maintain_order=True).to_list()
    buyers = [*regions, *(r for r in cells.filter(pl.col("column_role") == FINAL)["other"].unique(maintain_order=True) if r not in regions)]
    rows = _lines(down, "sector", regions)
    columns = {**_lines(across, "sector", regions), **_lines(across, FINAL, buyers, len(regions) * _count(across, "sector"))}
    rows |= {("", k): len(rows) + i for i, k in enumerate(k for k, v in down.items() if v.role not in ("sector", "skip"))}
    columns |= {("", k): len(columns) + i for i, k in enumerate(k for k, v in across.items() if v.role in TRADE)}
    values = np.zeros((len(rows), len(columns)))
    i = _index(cells, rows, "row_role", "region", "sector")
    j = _index(cells, columns, "column_role", "other", "other_sector")
    inside = (i >= 0) & (j >= 0)
    values[i[inside], j[inside]] = cells["value"].fill_null(float("nan")).to_numpy()[inside]
    return Sheet(
        values, [Line(down[k].role, r, down[k].label) for r, k in rows], [Line(across[k].role, r, across[k].label) for r, k in columns]
    )


def _count(lines: Mapping[str, Line], role: str) -> int:
    return sum(v.role == role for v in lines.values())


def _lines(lines: Mapping[str, Line], role: str, regions: Sequence[str], start: int = 0) -> dict[tuple[str, str], int]:
    keys = [(r, k) for r in regions for k, v in lines.items() if v.role == role]
    return {key: start + i for i, key in enumerate(keys)}


def _index(cells: pl.DataFrame, lines: Mapping[tuple[str, str], int], role: str, region: str, label: str) -> Any:
    """Position of each cell's row or column; -1 for none. Primary inputs and trade have one line for all regions."""
    keys = pl.DataFrame(
        {"_r": [k[0] for k in lines], "_k": [k[1] for k in lines], "_at": list(lines.values())},
        schema={"_r": pl.String, "_k": pl.String, "_at": pl.Int64},
    )
    place = pl.when(pl.col(role).is_in(["sector", FINAL])).then(pl.col(region)).otherwise(pl.lit(""))
    own = cells.select(place.alias("_r"), pl.col(label).alias("_k"))
    return own.join(keys, on=["_r", "_k"], how="left", maintain_order="left")["_at"].fill_null(-1).to_numpy()


def _primary_guessed(down: Mapping[str, Line], name: str) -> list[Finding]:
    guessed = [k for k, v in down.items() if v.role == PRIMARY and recognised(k) is None]
    if not guessed:
        return []
    what = f"rows that are no columns were read as primary inputs: {listed(guessed)}"
    return [Finding("io-primary-guessed", what, name, "none if they are; a sector needs a column, even if it is empty", "warning")]


def _trade_said(across: Mapping[str, Line], name: str) -> list[Finding]:
    kinds = {v.label for v in across.values()}
    found = []
    if "net outflow" in kinds:
        what = "the source has net outflow only: a sector has outflow or inflow, never both, and exports abroad are in it"
        found.append(Finding("io-net-trade", what, name, "read gross trade as unknown: true outflow and inflow are larger", "warning"))
    if kinds & {"outflow and exports", "inflow and imports"}:
        what = "outflow and inflow hold trade abroad too"
        found.append(
            Finding("io-trade-combined", what, name, "take exports and imports off with customs data, where they matter", "warning")
        )
    return found
