"""From the rows and columns of a file, once it is said what each of them is, to an input-output table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from hinterland.data.geography import catalogue_table
from hinterland.data.io_table import Floats, IOTable
from hinterland.errors import Finding, InputError, fail_if_any, listed

Codes = NDArray[np.intp]
Blanks = Literal["error", "zero"]

__all__ = ["Line", "Meta", "Sheet", "assemble", "recognised"]

_SIGNS = {"exports": 1, "outflow": 1, "imports": -1, "inflow": -1, "error": 1}


@dataclass(frozen=True, slots=True)
class Line:
    """What a row or column of a file is.

    Attributes:
        role: sector, final, exports, imports, outflow, inflow, net-outflow, error, output, value-added, or skip (totals and checks).
        region: of a sector or a column of final demand.
        label: sector, kind of final demand, or kind of primary input.
    """

    role: str
    region: str = ""
    label: str = ""


@dataclass(frozen=True, slots=True)
class Meta:
    """What is known of a file beside its numbers.

    Attributes:
        source: its name.
        unit: id of a unit.
        year: of the table.
        blanks: whether an empty cell is an error or a zero.
    """

    source: str
    unit: str
    year: int | None
    blanks: Blanks = "error"


@dataclass(frozen=True, slots=True)
class Sheet:
    """A file's numbers and what its lines are.

    Attributes:
        values: [rows, columns], NaN where there is no number.
        rows, columns: what each line is.
    """

    values: Floats
    rows: Sequence[Line]
    columns: Sequence[Line]


@cache
def _vocabulary() -> Mapping[str, tuple[str, str]]:
    """Role and kind by the code or the words that statistical offices write."""
    found: dict[str, tuple[str, str]] = {}
    for code, role, kind, written in catalogue_table("io_codes").iter_rows():
        for name in (code, *(written or "").split("|")):
            found[_plain(name)] = (role, kind or "")
    return found


def _plain(text: str) -> str:
    return "".join(text.split()).casefold()


def recognised(*texts: str | None) -> Line | None:
    """The line that one of ``texts`` stands for (``FU201``, ``固定资本形成总额``, ``Exports``); ``None`` when none of them does."""
    for text in texts:
        if text and _plain(text) in _vocabulary():
            role, kind = _vocabulary()[_plain(text)]
            return Line(role, label=kind)
    return None


def assemble(sheet: Sheet, meta: Meta, findings: Sequence[Finding] = ()) -> IOTable:
    """The table of a sheet; Z is a view of its values where rows and columns stand in one order.

    Raises:
        InputError: sectors that stand in rows or columns only, and whatever the checks of :class:`IOTable` find.
    """
    rows, columns = _at(sheet.rows, "sector"), _at(sheet.columns, "sector")
    columns = _aligned(sheet, rows, columns, meta)
    finals = _at(sheet.columns, "final")
    Z, F = _part(sheet.values, rows, columns), _part(sheet.values, rows, finals)
    Z, F, blank = _filled(Z, F, meta)
    trade = _trade(sheet, rows)
    used = Z.sum(axis=1) + F.sum(axis=1) + sum(sign * trade[name] for name, sign in _SIGNS.items())
    x, said = _output(sheet, rows, columns, used, meta)
    added, added_kind = _primary(sheet, "value-added", columns)
    inputs, inputs_kind = _primary(sheet, "imports", columns)
    added, filled = _balanced(added, x - Z.sum(axis=0) - inputs.sum(axis=0), meta)
    return IOTable(
        Z=Z,
        F=F,
        x=x,
        regions=np.array([sheet.rows[i].region for i in rows], dtype=np.str_),
        sectors=np.array([sheet.rows[i].label for i in rows], dtype=np.str_),
        final_region=np.array([sheet.columns[j].region for j in finals], dtype=np.str_),
        final_kind=np.array([sheet.columns[j].label for j in finals], dtype=np.str_),
        value_added=added,
        value_added_kind=added_kind,
        imported_inputs=inputs,
        imported_kind=inputs_kind,
        imported_final=np.nan_to_num(_primary(sheet, "imports", finals)[0]).sum(axis=0),
        **trade,
        unit=meta.unit,
        year=meta.year,
        source=meta.source,
        findings=(*findings, *blank, *said, *filled),
    )


def _at(lines: Sequence[Line], role: str) -> Codes:
    return np.array([i for i, line in enumerate(lines) if line.role == role], dtype=np.intp)


def _aligned(sheet: Sheet, rows: Codes, columns: Codes, meta: Meta) -> Codes:
    """The columns of the sectors in the order of the rows.

    Raises:
        InputError: sectors that are in rows or columns only, or twice.
    """
    keys = [(sheet.rows[i].region, sheet.rows[i].label) for i in rows]
    where = {(sheet.columns[j].region, sheet.columns[j].label): int(j) for j in columns}
    found = []
    for side, extra in (("rows", [k for k in keys if k not in where]), ("columns", [k for k in where if k not in set(keys)])):
        if extra:
            what = f"{len(extra)} sector(s) are in {side} only: {listed([' · '.join(k) for k in extra])}"
            found.append(
                Finding("io-not-square", what, meta.source, "check the layout, and that labels are written alike in rows and columns")
            )
    if len(where) != len(columns) or len(set(keys)) != len(keys):
        found.append(Finding("io-duplicate-label", "region and sector repeat", meta.source, "give each row its own region and sector"))
    if not len(rows):
        found.append(Finding("io-empty", "no rows of sectors were found", meta.source, "check the layout and the sheet"))
    fail_if_any(found, meta.source, InputError)
    return np.array([where[k] for k in keys], dtype=np.intp)


def _part(values: Floats, rows: Codes, columns: Codes) -> Floats:
    """A block of the values: a view where it is one, a copy elsewhere."""
    found: Floats = values[_slice(rows)][:, _slice(columns)]
    return found


def _slice(at: Codes) -> Any:
    whole = len(at) > 0 and bool((np.diff(at) == 1).all())
    return slice(int(at[0]), int(at[-1]) + 1) if whole else at


def _filled(Z: Floats, F: Floats, meta: Meta) -> tuple[Floats, Floats, list[Finding]]:
    """Empty cells as zeros where that was asked for; else left, for the checks to refuse."""
    if meta.blanks == "error":
        return Z, F, []
    count = sum(int(np.isnan(block).sum()) for block in (Z, F))
    if not count:
        return Z, F, []
    what = f"{count} empty cell(s) were read as zero"
    said = Finding("io-blanks-as-zero", what, meta.source, "none if the source leaves zeros empty", "warning")
    return np.nan_to_num(Z, copy=False), np.nan_to_num(F, copy=False), [said]


def _primary(sheet: Sheet, role: str, columns: Codes) -> tuple[Floats, NDArray[np.str_]]:
    """Rows with a role, summed by label: [k, len(columns)] and the labels."""
    at = _at(sheet.rows, role)
    labels = list(dict.fromkeys(sheet.rows[i].label for i in at))
    found = np.zeros((len(labels), len(columns)))
    for i in at:
        found[labels.index(sheet.rows[i].label)] += sheet.values[i][columns]
    return found, np.array(labels, dtype=np.str_)


def _balanced(added: Floats, total: Floats, meta: Meta) -> tuple[Floats, list[Finding]]:
    """The one primary input that a column lacks, as what the others leave of value added."""
    lone = np.isnan(added) & (np.isnan(added).sum(axis=0) == 1)
    if not lone.any():
        return added, []
    left = np.broadcast_to(total - np.nansum(added, axis=0), added.shape)
    what = f"{int(lone.sum())} primary input(s) are missing, and were set to what the column leaves"
    return np.where(lone, left, added), [Finding("io-primary-filled", what, meta.source, "fill them in, if they are known", "warning")]


def _trade(sheet: Sheet, rows: Codes) -> dict[str, Any]:
    """Columns of trade and error, summed by role, [n] each; a net outflow is split by its sign."""
    found = {}
    for role in ("exports", "imports", "outflow", "inflow", "error", "net-outflow"):
        at = _at(sheet.columns, role)
        found[role] = sheet.values[rows][:, at].sum(axis=1) if len(at) else np.zeros(len(rows))
    net = found.pop("net-outflow")
    found["outflow"], found["inflow"] = found["outflow"] + np.maximum(net, 0), found["inflow"] + np.maximum(-net, 0)
    # Offices write imports with either sign; the table wants amounts.
    return {k: -v if k in ("imports", "inflow") and v.sum() < 0 else v for k, v in found.items()}


def _output(sheet: Sheet, rows: Codes, columns: Codes, used: Floats, meta: Meta) -> tuple[Floats, list[Finding]]:
    """Output from its column, else from its row, else what the rows add up to; a word where column and row differ."""
    across, down = _at(sheet.columns, "output"), _at(sheet.rows, "output")
    below = sheet.values[down[0]][columns] if len(down) else None
    if not len(across):
        if below is not None:
            return below, []
        what = "the file has no output: rows were added up"
        return used, [Finding("io-output-added-up", what, meta.source, "give output, so that the rows can be checked", "warning")]
    x = sheet.values[rows][:, across[0]]
    at: Any = [] if below is None else np.flatnonzero(np.abs(below - x) > 1e-6 * np.abs(x).mean())
    if below is None or not len(at):
        return x, []
    what = f"output at the foot differs from output at the side in {len(at)} sector(s), by {np.abs(below - x).max():.6g} at most"
    return x, [Finding("io-output-differs", what, meta.source, "none if it is rounding; the column at the side was used", "warning")]
