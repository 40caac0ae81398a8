"""OECD inter-country input-output tables (ICIO), the CSV files of the editions 2016 to 2025.

Labels are ``AUS_01T02`` (country and industry) in rows and columns; columns of final demand are ``AUS_HFCE`` (the edition of 2016: ``HC_AUS``);
rows of primary inputs ``TLS`` or ``AUS_TAXSUB`` (taxes less subsidies on products) and ``VA``; output is ``OUT``. Million US dollars.
China and Mexico are split by export processing into ``CN1``, ``CN2`` and ``MX1``, ``MX2`` among industries, but not in final demand.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl

from hinterland.data.io_cells import pick_file, years_in
from hinterland.data.io_layout import Blanks, Line, Meta, Sheet, assemble
from hinterland.data.io_table import Floats, IOTable
from hinterland.errors import Finding, InputError

Splits = Literal["merge", "keep"]
FINAL = ("HFCE", "HC", "NPISH", "NPS", "GGFC", "GFCF", "INVNT", "INV", "DIRP", "DPABR", "NONRES", "P33", "FD")
OUTPUT = ("OUT", "TOTAL", "OUTPUT")
PRIMARY = ("TLS", "TAXSUB", "VA", "VALU")
SPLIT = {"CN": "CHN", "MX": "MEX"}

__all__ = ["read_icio"]


def read_icio(path: Path, year: int | None, unit: str | None, blanks: Blanks, splits: Splits) -> IOTable:
    """The table of a CSV file. Raises ``InputError`` with what is wrong with the file or the table."""
    file = pick_file(path, (".csv",), year)
    names, labels, values = _read(file)
    meta = Meta(file.name, unit or "million-dollar", year or next(iter(years_in(file.name)), None), blanks)
    table = assemble(Sheet(values, [_line(x) for x in labels], [_line(x) for x in names]), meta)
    return _merged(table) if splits == "merge" else _without_empty(table)


def _read(file: Path) -> tuple[list[str], list[str], Floats]:
    """Labels of columns and rows, and the numbers."""
    try:
        first = pl.read_csv(file, n_rows=0).columns
        frame = pl.read_csv(file, schema_overrides=dict.fromkeys(first[1:], pl.Float64))
    except pl.exceptions.PolarsError as error:
        what = f"the file cannot be read as CSV: {str(error).splitlines()[0]}"
        raise InputError(
            Finding("corrupt-file", what, str(file), "unpack the archive, and give the CSV file with its header"), file.name
        ) from error
    labels = frame[:, 0].cast(pl.String).fill_null("").to_list()
    values = np.empty((frame.height, frame.width - 1))
    for j in range(1, frame.width):
        values[:, j - 1] = frame[:, j].fill_null(float("nan")).to_numpy()
    return first[1:], labels, values


def _line(label: str) -> Line:
    place, _, name = label.strip().partition("_")
    if place in OUTPUT and not name:
        return Line("output")
    if place in PRIMARY and not name:
        return Line("value-added", label=place)
    if name in PRIMARY:
        return Line("value-added", label=name)
    if label == "DISC" or name == "DISC":
        return Line("error")
    if name in FINAL:
        return Line("final", place, name)
    if place in FINAL and name:
        return Line("final", name, place)
    return Line("sector", place, name) if name else Line("skip")


def _split(region: str) -> str | None:
    """The country that ``CN1`` or ``MX2`` is a part of."""
    found = re.fullmatch(r"(CN|MX)\d", region)
    return SPLIT[found.group(1)] if found else None


def _merged(t: IOTable) -> IOTable:
    parts = {str(r): whole for r in t.region_labels if (whole := _split(str(r)))}
    if not parts:
        return t
    what = f"{', '.join(parts)} were merged into {', '.join(sorted(set(parts.values())))}"
    said = Finding("io-merged-splits", what, t.source, "none; to keep export processing apart, read with splits='keep'", "warning")
    merged = t.aggregate(regions=parts)
    return replace(merged, findings=(*merged.findings, said))


def _without_empty(t: IOTable) -> IOTable:
    """The parts kept as regions: the country's own rows, which are empty then, go; its final demand stays under its own name."""
    split = {whole for r in t.region_labels if (whole := _split(str(r)))}
    empty = [r for r in split if not t.x[t.regions == r].any()]
    if not empty:
        return t
    keep = ~np.isin(t.regions, empty)
    rows = ("x", "regions", "sectors", "exports", "imports", "outflow", "inflow", "error")
    what = f"final demand of {', '.join(sorted(empty))} is not split, and stands under that name"
    said = Finding("io-unsplit-final", what, t.source, "read with splits='merge' for measures by region of final demand", "warning")
    return replace(
        t,
        Z=t.Z[np.ix_(keep, keep)],
        F=t.F[keep],
        value_added=t.value_added[:, keep],
        imported_inputs=t.imported_inputs[:, keep],
        **{name: getattr(t, name)[keep] for name in rows},
        findings=(*t.findings, said),
    )
