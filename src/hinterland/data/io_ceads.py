"""Multi-regional tables of China's provinces in the workbooks of CEADs (Zheng et al. 2020; Carbon Emission Accounts and Datasets).

Region, sector name and sector code above the columns and left of the rows; final demand by province, then exports, error (``ERR``) and output
(``GO``); below the sectors imports (``IM``, inputs that are imported: the table is of the separate kind), value added (``VA001`` to ``VA004``)
and total input (``TI``). Unit 10 000 yuan. Both the sheets in Chinese and those in English can be read.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from hinterland.data.io_cells import EXCEL, TEXT, Cells, filled_forward, pick_file, plain_label, read_cells, years_in
from hinterland.data.io_layout import Blanks, Line, Meta, Sheet, assemble, recognised
from hinterland.data.io_table import IOTable
from hinterland.errors import Finding, InputError, listed

__all__ = ["read_ceads"]


def read_ceads(path: Path, year: int | None, sheet: str | int | None, unit: str | None, blanks: Blanks) -> IOTable:
    """The table of a workbook or text file. Raises ``InputError`` with what is wrong with the file or the table."""
    file = pick_file(path, (*EXCEL, *TEXT), year)
    cells = read_cells(file, sheet, prefer=r"^(table|mrio|表)")
    top = _header(cells)
    names = cells.head[top - 1] if _has_codes(cells, top) else cells.head[top]
    codes = cells.head[top]
    places, width = _regions(cells, top)
    said = [recognised(codes[j], names[j]) for j in range(len(codes))]
    inner = range(width, next(j for j, line in enumerate(said) if line is not None and j >= width))
    columns = [
        Line("sector", places[j], plain_label(names[j]) or codes[j]) if j in inner else _final(said[j], places[j])
        for j in range(len(codes))
    ]
    rows, unread = _rows(cells, top, width, {(c.region, c.label) for c in columns if c.role == "sector"})
    unread += [names[j] for j in range(inner.stop, len(codes)) if said[j] is None]
    found = next(iter([*years_in(cells.head[0][0]), *years_in(cells.source)]), None)
    meta = Meta(cells.source, unit or "10k-yuan", year or found, blanks)
    return assemble(Sheet(cells.body, rows, columns), meta, _said(unread, cells.source))


def _header(cells: Cells) -> int:
    """The last row above the numbers: of those that name final demand or output, the lowest."""
    hits = [h for h, row in enumerate(cells.head) if any(recognised(c) for c in row[2:])]
    if not hits:
        what = "no row names final demand, exports or output"
        raise InputError(Finding("io-no-header", what, cells.source, "check the layout and the sheet"), cells.source)
    return hits[-1]


def _has_codes(cells: Cells, top: int) -> bool:
    return top > 0 and any(recognised(c) for c in cells.head[top - 1][2:])


def _regions(cells: Cells, top: int) -> tuple[list[str], int]:
    """Region of each column, and how many columns of labels come first."""
    left = {plain_label(row[0]) for row in cells.labels[top + 1 :] if row[0]}
    found = {h: [j for j, c in enumerate(row) if j and plain_label(c) in left] for h, row in enumerate(cells.head[: top + 1])}
    best = max(found, key=lambda h: len(found[h]))
    if not found[best]:
        what = "the names of regions in the first column stand in no row above the table"
        raise InputError(Finding("io-no-header", what, cells.source, "check the layout and the sheet"), cells.source)
    return filled_forward(cells.head[best]), found[best][0]


def _final(line: Line | None, region: str) -> Line:
    if line is None:
        return Line("skip")
    return replace(line, region=region) if line.role == "final" else line


def _rows(cells: Cells, top: int, width: int, sectors: set[tuple[str, str]]) -> tuple[list[Line], list[str]]:
    """What each row is, and the labels of rows below the sectors that are nothing that is known."""
    places = filled_forward(tuple(row[0] for row in cells.labels))
    lines, unread, below = [Line("skip")] * (top + 1), [], False
    for place, row in zip(places[top + 1 :], cells.labels[top + 1 :], strict=True):
        named = [plain_label(c) for c in row[1:width] if c]
        line = recognised(*named, plain_label(row[0]))
        below = below or line is not None
        if line is None and not below and named:
            line = Line("sector", place, next((n for n in named if (place, n) in sectors), named[0]))
        elif line is None:
            unread += named[:1]
        lines.append(line or Line("skip"))
    return lines, unread


def _said(unread: list[str], source: str) -> list[Finding]:
    checks = [u for u in dict.fromkeys(unread) if u]
    if not checks:
        return []
    what = f"{len(checks)} row(s) or column(s) are no part of the table and were left out: {listed(checks)}"
    return [Finding("io-unread-lines", what, source, "none for checks and emissions; otherwise name them as the layout does", "warning")]
