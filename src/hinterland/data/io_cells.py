"""The cells of a wide table in a workbook or text file: labels as text, the body as numbers."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from hinterland.data.encoding import decode
from hinterland.data.io_table import Floats
from hinterland.errors import Finding, InputError, did_you_mean, listed

EXCEL = (".xlsx", ".xlsb", ".xls", ".xlsm", ".ods")
TEXT = (".csv", ".tsv", ".txt")
HEAD = 12
"""Rows in which headers are looked for."""
LABELS = 5
"""Columns in which labels of rows are looked for."""


@dataclass(frozen=True, slots=True)
class Cells:
    """A wide table as a file has it.

    Attributes:
        head: the first rows, as text, over all columns; empty cells are ``""``.
        labels: the first columns, as text, over all rows.
        body: every cell as a number, NaN elsewhere, [rows, columns]; text cells of the head and of labels are NaN too.
        source: file, and sheet where there are several.
    """

    head: tuple[tuple[str, ...], ...]
    labels: tuple[tuple[str, ...], ...]
    body: Floats
    source: str


def pick_file(path: Path, suffixes: tuple[str, ...], year: int | None) -> Path:
    """The file itself, or the one in a folder whose name holds the year (four digits, or two after letters: ``wiot07``).

    Raises:
        InputError: no such path, or no or several files of that year.
    """
    if path.is_file():
        return path
    if not path.is_dir():
        near = sorted(p.name for p in path.parent.iterdir()) if path.parent.is_dir() else []
        what = f"there is no file or folder {path.name!r}"
        raise InputError(Finding("missing-file", what, str(path), did_you_mean(path.name, near)), path.name)
    have = sorted(p for p in path.iterdir() if p.suffix.lower() in suffixes)
    chosen = [p for p in have if year is None or year in years_in(p.name)]
    if len(chosen) == 1:
        return chosen[0]
    what = f"{len(chosen)} of the {len(have)} tables in the folder are of the year {year}" if year else f"the folder has {len(have)} tables"
    remedy = f"name one file, or a year of which there is one: {listed([p.name for p in chosen or have], 12)}"
    raise InputError(Finding("io-which-file", what, str(path), remedy), path.name)


def years_in(name: str) -> list[int]:
    """Years in a name, the likeliest first: ``ICIO2021_2018.csv`` is of 2018, ``wiot07_row_apr12.xlsx`` of 2007."""
    four = [int(y) for y in re.findall(r"(?<!\d)(?:19|20)\d\d(?!\d)", name)]
    two = [2000 + int(y) if int(y) < 50 else 1900 + int(y) for y in re.findall(r"(?<=[A-Za-z])\d\d(?!\d)", name)]
    return [*reversed(four), *two[:1]]


def read_cells(path: Path, sheet: str | int | None = None, prefer: str = "") -> Cells:
    """The cells of a workbook's sheet, or of a text file.

    Args:
        path: file.
        sheet: name or number of a sheet; else the first whose name matches ``prefer``, else the first of all.
        prefer: pattern of a sheet's name.

    Raises:
        InputError: no such sheet, or a file that cannot be read.
    """
    suffix = path.suffix.lower()
    if suffix in EXCEL:
        return _workbook(path, sheet, prefer)
    if suffix in TEXT:
        return _text(path)
    remedy = f"save the table as one of {', '.join((*EXCEL, *TEXT))}"
    raise InputError(Finding("unknown-format", f"files that end in {suffix!r} cannot be read", str(path), remedy), path.name)


def _workbook(path: Path, sheet: str | int | None, prefer: str) -> Cells:
    import fastexcel

    try:
        book = fastexcel.read_excel(path)
        names = book.sheet_names
        chosen = _sheet(names, sheet, prefer, path)
        plain: dict[str, Any] = {"header_row": None, "skip_rows": 0}
        head = book.load_sheet(chosen, **plain, dtypes="string", n_rows=HEAD).to_polars()
        labels = book.load_sheet(chosen, **plain, dtypes="string", use_columns=list(range(min(LABELS, head.width)))).to_polars()
        body = book.load_sheet(chosen, **plain, dtypes="float").to_polars()
    except fastexcel.FastExcelError as error:
        what = f"the file cannot be read as Excel: {str(error).splitlines()[0]}"
        raise InputError(
            Finding("corrupt-file", what, str(path), "export it again, or give it the suffix of what it is"), path.name
        ) from error
    source = path.name if len(names) == 1 else f"{path.name}[{chosen}]"
    return Cells(_clean(head.rows()), _clean(labels.rows()), _numbers(body), source)


def _sheet(names: list[str], sheet: str | int | None, prefer: str, path: Path) -> str:
    if isinstance(sheet, int) and 0 <= sheet < len(names):
        return names[sheet]
    if sheet is None:
        return next((n for n in names if prefer and re.search(prefer, n, re.IGNORECASE)), names[0])
    if isinstance(sheet, str) and sheet in names:
        return sheet
    remedy = f"choose one of: {listed(names, 20)}"
    raise InputError(Finding("unknown-sheet", f"there is no sheet {sheet!r}", str(path), remedy), path.name)


def _text(path: Path) -> Cells:
    text = decode(path.read_bytes(), None, path.name).text
    first = text[: _cut(text, HEAD)].decode()
    mark = "\t" if first.count("\t") > first.count(",") else ","
    lines = csv.reader(io.StringIO(first), delimiter=mark)
    head = [[c.strip() for c in line] for line in lines]
    width = max((len(line) for line in head), default=0)
    names = [f"c{i}" for i in range(width)]
    # Titles are short lines: the width is that of the widest line above the numbers.
    frame = pl.read_csv(mark.join(names).encode() + b"\n" + text, separator=mark, infer_schema=False, truncate_ragged_lines=True)
    labels = frame[:, : min(LABELS, width)]
    return Cells(_clean([(*line, *[""] * (width - len(line))) for line in head]), _clean(labels.rows()), _numbers(frame), path.name)


def _cut(text: bytes, lines: int) -> int:
    """Where the first lines end."""
    end = 0
    for _ in range(lines):
        end = text.find(b"\n", end) + 1
        if end == 0:
            return len(text)
    return end


def _clean(rows: Any) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple("" if c is None else " ".join(str(c).split()) for c in row) for row in rows)


def _numbers(frame: pl.DataFrame) -> Floats:
    """Columns as numbers one after the other, so that the frame and the array are all that is held."""
    found = np.empty((frame.height, frame.width))
    for j, name in enumerate(frame.columns):
        column = frame[name]
        if column.dtype == pl.String:
            column = column.str.strip_chars().cast(pl.Float64, strict=False)
        found[:, j] = column.cast(pl.Float64).fill_null(float("nan")).to_numpy()
    return found


def filled_forward(cells: tuple[str, ...]) -> list[str]:
    """Labels of merged cells carried to the cells that they cover; blanks inside Chinese names are taken out."""
    found, last = [], ""
    for cell in cells:
        last = plain_label(cell) or last
        found.append(last)
    return found


def plain_label(text: str) -> str:
    """``北  京`` as ``北京``; other labels as they are."""
    return text if re.search(r"[A-Za-z]", text) else text.replace(" ", "")
