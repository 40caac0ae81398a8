"""Read input-output tables of the layouts in use: CEADs, OECD ICIO, WIOD, EXIOBASE, and long files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from hinterland.data.io_icio import Splits
from hinterland.data.io_layout import Blanks
from hinterland.data.io_table import IOTable
from hinterland.errors import Finding, InputError, did_you_mean, fail_if_any
from hinterland.units import UNITS, find_unit

if TYPE_CHECKING:
    from narwhals.typing import IntoFrame

Layout = Literal["ceads", "icio", "wiod", "exiobase", "long"]
Sectors = Literal["as-written", "common"]

__all__ = ["read_io"]


def read_io(
    source: str | Path | IntoFrame,
    *,
    layout: Layout,
    year: int | None = None,
    sheet: str | int | None = None,
    unit: str | None = None,
    sectors: Sectors = "as-written",
    splits: Splits = "merge",
    blanks: Blanks = "error",
    columns: Mapping[str, str] | None = None,
) -> IOTable:
    """Read an input-output table, check that it adds up, and report every problem at once.

    Args:
        source: a file, or a folder that holds one file a year; for ``exiobase`` the folder of its files; for ``long`` also a data frame.
        layout: ``ceads`` (workbook or text), ``icio`` (CSV), ``wiod`` (workbook, text or ``.npz``), ``exiobase`` (tab-separated files), or
            ``long`` (any table with columns year, region, sector, other, other_sector, value).
        year: of the file in a folder or of the rows in a long file, where there are several; else found in the file or its name.
        sheet: name or number (from 0) of a workbook's sheet; else the first that is named like a table.
        unit: what the values are in, if it is not what the layout uses (10 000 yuan, million dollars, million euro).
        sectors: ``common`` merges the 42 sectors of China's tables into the 38 that the vintages 2002, 2007, 2012 and 2017 have in common.
        splits: whether the parts of China and Mexico in ICIO (``CN1``, ``CN2``) are merged, or kept as regions.
        blanks: whether an empty cell is an error or a zero (``ceads``, ``icio``, ``wiod``, ``long``).
        columns: names of columns in a long file by role, where they are not known by theirs.

    Returns:
        The table. Without a column of the other region, a long file gives the regions side by side with outflow and inflow as margins;
        ``by_region()`` takes them apart.

    Raises:
        InputError: with every problem of the file, its labels and its balance.
    """
    _fail_if_wrong(
        {"layout": (layout, Layout), "sectors": (sectors, Sectors), "splits": (splits, Splits), "blanks": (blanks, Blanks)}, unit
    )
    unit = None if unit is None else find_unit(unit).id
    if layout == "long":
        from hinterland.data.io_long import read_long

        t = read_long(_local(source), year, unit, blanks, columns or {})
    else:
        t = _read_file(_path(source, layout), layout, year, sheet=sheet, unit=unit, splits=splits, blanks=blanks)
    if sectors == "common":
        from hinterland.data.io_sectors import to_common

        return to_common(t)
    return t


def _read_file(
    path: Path, layout: Layout, year: int | None, *, sheet: str | int | None, unit: str | None, splits: Splits, blanks: Blanks
) -> IOTable:
    """A table of one of the layouts that are files."""
    if layout == "ceads":
        from hinterland.data.io_ceads import read_ceads

        return read_ceads(path, year, sheet, unit, blanks)
    if layout == "icio":
        from hinterland.data.io_icio import read_icio

        return read_icio(path, year, unit, blanks, splits)
    if layout == "wiod":
        from hinterland.data.io_wiod import read_wiod

        return read_wiod(path, year, sheet, unit, blanks)
    from hinterland.data.io_exiobase import read_exiobase

    return read_exiobase(path, year, unit)


def _fail_if_wrong(options: Mapping[str, tuple[str, Any]], unit: str | None) -> None:
    """Refuse values that no option has.

    Raises:
        InputError: which, and what there is.
    """
    found = [
        Finding("unknown-option", f"there is no {name} {value!r}", f"argument {name}", did_you_mean(str(value), get_args(choices)))
        for name, (value, choices) in options.items()
        if value not in get_args(choices)
    ]
    try:
        find_unit(unit or "as-input")
    except ValueError:
        found.append(Finding("io-unit", f"there is no unit {unit!r}", "argument unit", did_you_mean(str(unit), UNITS)))
    fail_if_any(found, "arguments", InputError)


def _local(source: Any) -> Any:
    return Path(source).expanduser() if isinstance(source, str | Path) else source


def _path(source: Any, layout: Layout) -> Path:
    if isinstance(source, str | Path):
        return Path(source).expanduser()
    what = f"a {type(source).__name__} is no path"
    raise InputError(
        Finding("io-no-path", what, "argument source", f"name a file or folder; layout {layout!r} takes no data frame"), "arguments"
    )
