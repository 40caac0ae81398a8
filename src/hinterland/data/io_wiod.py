"""World Input-Output Database: the workbooks of the releases 2013 and 2016, the same as text, and arrays in ``.npz`` (Timmer et al. 2015).

Four labels over each column and left of each row: industry code, name, country, number (``c1`` to ``c35`` in 2013, ``r1`` to ``r56`` for rows in
2016). Columns of final demand follow the industries; rows with country ``TOT`` hold intermediate consumption, taxes, adjustments, value added,
transport margins and output. Million US dollars. Industries and kinds of final demand are labelled by their number.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from hinterland.data.io_cells import EXCEL, TEXT, Cells, pick_file, read_cells, years_in
from hinterland.data.io_layout import Blanks, Line, Meta, Sheet, assemble
from hinterland.data.io_table import IOTable
from hinterland.errors import Finding, InputError, listed

NUMBER = re.compile(r"[cr](\d+)")
FINAL_2013 = ("c37", "c38", "c39", "c41", "c42")
ARRAYS = ("Z", "F", "X", "countries", "industries")

__all__ = ["read_wiod"]


def read_wiod(path: Path, year: int | None, sheet: str | int | None, unit: str | None, blanks: Blanks) -> IOTable:
    """The table of a workbook, text file or ``.npz``. Raises ``InputError`` with what is wrong with the file or the table."""
    file = pick_file(path, (*EXCEL, *TEXT, ".npz"), year)
    if file.suffix.lower() == ".npz":
        return _from_arrays(file, year, unit or "million-dollar")
    cells = read_cells(file, sheet, prefer=r"^(wiot|20\d\d|19\d\d)")
    across, down = _numbers(cells)
    codes, names, places, numbers = (cells.head[across - k] if across >= k else ("",) * len(cells.head[across]) for k in (3, 2, 1, 0))
    rows = [_row(row, down) if i > across else Line("skip") for i, row in enumerate(cells.labels)]
    sectors = {(r.region, r.label) for r in rows if r.role == "sector"}
    columns = [
        _column(place, number, f"{code} {name}", sectors) if j > down else Line("skip")
        for j, (code, name, place, number) in enumerate(zip(codes, names, places, numbers, strict=True))
    ]
    found = next(iter([*years_in(" ".join(row[0] for row in cells.head[:across])), *years_in(file.name)]), None)
    return assemble(Sheet(cells.body, rows, columns), Meta(cells.source, unit or "million-dollar", year or found, blanks))


def _numbers(cells: Cells) -> tuple[int, int]:
    """The row and the column that hold the numbers of industries."""
    across = max(range(len(cells.head)), key=lambda h: sum(bool(NUMBER.fullmatch(c)) for c in cells.head[h]))
    width = len(cells.labels[0])
    down = max(range(width), key=lambda k: sum(bool(NUMBER.fullmatch(row[k])) for row in cells.labels))
    if not any(NUMBER.fullmatch(c) for c in cells.head[across]) or down < 1:
        what = "no row or column holds the numbers of industries (c1, c2, ...)"
        raise InputError(Finding("io-no-header", what, cells.source, "check the layout and the sheet"), cells.source)
    return across, down


def _row(row: tuple[str, ...], down: int) -> Line:
    place, number = row[down - 1], NUMBER.fullmatch(row[down])
    name = row[down - 3] if down >= 3 and row[down - 3] else row[down - 2] if down >= 2 else ""
    if number is None:
        return Line("skip")
    if place and place != "TOT":
        return Line("sector", place, f"c{number.group(1)}")
    said = f"{name} {row[down - 2] if down >= 2 else ''}".casefold()
    if row[down] == "r60" or "ii_fob" in said or "total intermediate" in said:
        return Line("skip")
    if row[down] == "r69" or re.match(r"go\b", said) or "output at basic" in said:
        return Line("output")
    return Line("value-added", label=name or row[down])


def _column(place: str, number: str, said: str, sectors: set[tuple[str, str]]) -> Line:
    found = NUMBER.fullmatch(number)
    if place == "TOT" or re.match(r"go\b", said.casefold()) or "total output" in said.casefold():
        return Line("output")
    if found is None or not place:
        return Line("skip")
    label = f"c{found.group(1)}"
    return Line("sector" if (place, label) in sectors else "final", place, label)


def _from_arrays(file: Path, year: int | None, unit: str) -> IOTable:
    with np.load(file) as held:
        missing = [name for name in ARRAYS if name not in held]
        if missing:
            what = f"the file has no array {listed(missing)}"
            raise InputError(Finding("io-no-array", what, str(file), f"give {', '.join(ARRAYS)}"), file.name)
        Z, F, x, countries, industries = (held[name] for name in ARRAYS)
    kinds = len(F[0]) // len(countries)
    labels = FINAL_2013 if kinds == len(FINAL_2013) else tuple(f"final {k + 1}" for k in range(kinds))
    return IOTable(
        Z=np.asarray(Z, dtype=np.float64),
        F=np.asarray(F, dtype=np.float64),
        x=np.asarray(x, dtype=np.float64),
        regions=np.repeat(countries, len(industries)),
        sectors=np.tile(industries, len(countries)),
        final_region=np.repeat(countries, kinds),
        final_kind=np.tile(np.array(labels), len(countries)),
        unit=unit,
        year=year or next(iter(years_in(file.name)), None),
        source=file.name,
    )
