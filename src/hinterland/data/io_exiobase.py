"""EXIOBASE 3: a folder of tab-separated files (Stadler et al. 2018).

``Z.txt`` (deliveries) or ``A.txt`` (coefficients), with country and sector in two rows above and two columns left; ``Y.txt``, final demand by country
and kind; ``x.txt``, output; ``unit.txt``; primary inputs in ``factor_inputs/F.txt`` where there is one, else output less inputs.
Million euro, or what ``unit.txt`` says.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from hinterland.data.io_cells import years_in
from hinterland.data.io_table import Floats, IOTable, Text
from hinterland.errors import Finding, InputError, fail_if_any
from hinterland.units import find_unit

__all__ = ["read_exiobase"]


@dataclass(frozen=True, slots=True)
class _Block:
    """Numbers with the labels of a file: pairs of [rows] and of [columns]."""

    values: Floats
    rows: Text
    columns: Text


def read_exiobase(path: Path, year: int | None, unit: str | None) -> IOTable:
    """The table of a folder. Raises ``InputError`` with what is wrong with the folder or the table."""
    folder = _folder(path, year)
    x = _read(folder / "x.txt", above=1)
    output = np.ascontiguousarray(x.values[:, -1])
    Z, findings = _deliveries(folder, output)
    Y = _read(folder / "Y.txt", above=2)
    fail_if_any([*findings, *_labels(folder, Z, x, Y)], folder.name, InputError)
    added, kinds = _factor_inputs(folder, Z.columns)
    return IOTable(
        Z=Z.values,
        F=Y.values,
        x=output,
        regions=Z.rows[:, 0],
        sectors=Z.rows[:, 1],
        final_region=Y.columns[:, 0],
        final_kind=Y.columns[:, 1],
        value_added=added,
        value_added_kind=kinds,
        unit=unit or _unit(folder),
        year=year or next(iter(years_in(folder.resolve().name)), None),
        source=folder.resolve().name,
    )


def _folder(path: Path, year: int | None) -> Path:
    """The folder with the files: the path itself, or the folder in it whose name holds the year.

    Raises:
        InputError: files that are missing.
    """
    inner = [p for p in sorted(path.iterdir()) if p.is_dir() and (p / "Y.txt").is_file()] if path.is_dir() else []
    chosen = [p for p in inner if year is None or year in years_in(p.name)]
    folder = chosen[0] if len(chosen) == 1 and not (path / "Y.txt").is_file() else path
    missing = [n for n in ("Y.txt", "x.txt") if not (folder / n).is_file()]
    if not any((folder / n).is_file() for n in ("Z.txt", "A.txt")):
        missing.append("Z.txt or A.txt")
    if missing:
        remedy = "unpack the archive, and name the folder that holds these files"
        raise InputError(
            [Finding("io-missing-file", f"the folder has no {name}", str(folder), remedy) for name in missing], folder.name or str(folder)
        )
    return folder


def _deliveries(folder: Path, output: Floats) -> tuple[_Block, list[Finding]]:
    """Z as written, or A times output in place."""
    if (folder / "Z.txt").is_file():
        return _read(folder / "Z.txt", above=2), []
    A = _read(folder / "A.txt", above=2)
    if A.values.shape[1] != len(output):
        what = f"A.txt has {A.values.shape[1]} columns and x.txt {len(output)} rows"
        return A, [Finding("io-shape", what, str(folder), "give files of one table")]
    np.multiply(A.values, output, out=A.values)
    return A, []


def _read(file: Path, *, above: int, left: int = 2) -> _Block:
    """A file's numbers and labels; empty cells are NaN.

    Raises:
        InputError: a file that is no table of numbers.
    """
    with file.open(encoding="utf-8-sig") as lines:
        head = [next(lines, "").rstrip("\r\n").split("\t") for _ in range(above)]
        row = next(lines, "").split("\t")
    # The line that names the levels of the index has no numbers.
    named = not any(c.strip() for c in row[left:])
    names = [f"c{j}" for j in range(len(head[0]))]
    schema = {n: pl.String if j < left else pl.Float64 for j, n in enumerate(names)}
    try:
        frame = pl.read_csv(file, separator="\t", has_header=False, skip_rows=above + named, schema=schema, quote_char=None)
    except pl.exceptions.PolarsError as error:
        what = f"the file cannot be read: {str(error).splitlines()[0]}"
        raise InputError(Finding("corrupt-file", what, str(file), "give the tab-separated file as it was published"), file.name) from error
    values = np.empty((frame.height, frame.width - left))
    for j in range(left, frame.width):
        values[:, j - left] = frame[:, j].fill_null(float("nan")).to_numpy()
    rows = np.array(frame[:, :left].rows(), dtype=np.str_).reshape(frame.height, left)
    columns = np.array([h[left:] for h in head], dtype=np.str_).T
    return _Block(values, rows, columns)


def _labels(folder: Path, Z: _Block, x: _Block, Y: _Block) -> list[Finding]:
    found = []
    for name, have in (("columns of Z or A", Z.columns), ("rows of x.txt", x.rows), ("rows of Y.txt", Y.rows)):
        if have.shape != Z.rows.shape or (have != Z.rows).any():
            what = f"the {name} are not the rows of Z or A, or not in their order"
            found.append(Finding("io-label-order", what, str(folder), "give files of one table, as they were published"))
    return found


def _factor_inputs(folder: Path, columns: Text) -> tuple[Floats, Text]:
    """Primary inputs [k, n] and their labels, where the folder has them for the same columns; else none."""
    file = folder / "factor_inputs" / "F.txt"
    if not file.is_file():
        return np.zeros((0, len(columns))), np.zeros(0, dtype=np.str_)
    F = _read(file, above=2, left=1)
    if F.columns.shape != columns.shape or (F.columns != columns).any():
        what = "the columns of factor_inputs/F.txt are not those of the table"
        raise InputError(Finding("io-label-order", what, str(file), "give files of one table, as they were published"), file.name)
    return F.values, F.rows[:, 0]


def _unit(folder: Path) -> str:
    """The unit in ``unit.txt``; million euro without the file.

    Raises:
        InputError: several units, or one that is not known.
    """
    file = folder / "unit.txt"
    if not file.is_file():
        return "million-euro"
    units = sorted({line.split("\t")[-1].strip() for line in file.read_text(encoding="utf-8-sig").splitlines()[1:] if line.strip()})
    try:
        (only,) = units
        return find_unit(only).id
    except ValueError as error:
        what = f"unit.txt has the units {', '.join(units)}"
        raise InputError(Finding("io-unit", what, str(file), "name one with unit=, in which the whole table is"), folder.name) from error
