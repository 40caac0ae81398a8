"""Checks of input-output tables: shapes, labels, gaps, balance, negative entries. Each looks at the whole table and names what is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hinterland.data.io_table import ARRAYS, Floats, row_blocks
from hinterland.errors import Finding, listed

if TYPE_CHECKING:
    from hinterland.data.io_table import IOTable

REPORT = 1e-6
"""Residual of a row or column, as a share of average output, from which it is reported."""
FATAL = 0.05
"""Sum of absolute residuals, as a share of total output, from which a table is refused: a column was left out or read twice."""

CHECKED = frozenset({"io-row-balance", "io-column-balance", "io-error-column", "io-no-output", "io-negative"})
"""Warnings that every table makes of itself."""


def shape_findings(t: IOTable) -> list[Finding]:
    """Shapes that do not fit, gaps, labels that repeat, and rows of a region that stand apart."""
    n, m = t.x.size, t.final_region.size
    wanted: dict[str, tuple[int, ...]] = {
        "Z": (n, n),
        "F": (n, m),
        "x": (n,),
        "regions": (n,),
        "sectors": (n,),
        "final_kind": (m,),
        **dict.fromkeys(("exports", "imports", "outflow", "inflow", "error"), (n,)),
        "imported_final": (m,),
        "imported_inputs": (t.imported_kind.size, n),
        "value_added": (t.value_added_kind.size, n),
    }
    found = []
    for name, shape in wanted.items():
        have = getattr(t, name).shape
        if have != shape:
            what = f"{name} has shape {have}, not {shape}"
            found.append(Finding("io-shape", what, t.source, "give arrays and labels of one n and one m"))
    if not n:
        found.append(Finding("io-empty", "the table has no rows", t.source, "check the file and its layout"))
    return found or [*_gaps(t), *_labels(t)]


def _gaps(t: IOTable) -> list[Finding]:
    found = []
    for name in ARRAYS:
        array = getattr(t, name)
        # A sum is finite only if every term is, and makes no mask of the table's size.
        bad = ~np.isfinite(array.sum(axis=1) if array.ndim == 2 else array)
        if bad.any():
            at = np.flatnonzero(bad)
            where = _named(t, at) if len(bad) == t.n and name != "imported_final" else f"rows {listed(at.tolist())}"
            what = f"{name} has values that are missing or not finite in {len(at)} row(s)"
            found.append(Finding("io-gap", what, f"{t.source}: {where}", "fill them in: a table has no gaps"))
    return found


def _labels(t: IOTable) -> list[Finding]:
    found = []
    pairs = np.char.add(np.char.add(t.regions, " · "), t.sectors)
    names, counts = np.unique(pairs, return_counts=True)
    if (counts > 1).any():
        what = f"region and sector repeat: {listed(names[counts > 1].tolist())}"
        found.append(Finding("io-duplicate-label", what, t.source, "give each row its own region and sector"))
    starts = t.regions[np.concatenate([[True], t.regions[1:] != t.regions[:-1]])]
    names, counts = np.unique(starts, return_counts=True)
    if (counts > 1).any():
        what = f"rows of a region stand apart: {listed(names[counts > 1].tolist())}"
        found.append(Finding("io-region-order", what, t.source, "order the rows region by region"))
    return found


def balance_findings(t: IOTable) -> list[Finding]:
    """Rows and columns that do not add up to output, the published error, and entries that are negative."""
    scale = float(np.abs(t.x).sum())
    rows, total = _residual(t, t.row_residual, scale)
    columns, total_columns = _residual(t, t.column_residual, scale)
    found = []
    for side, share, check in (
        ("rows", total, "columns of final demand, trade and error"),
        ("columns", total_columns, "rows of imported inputs and value added"),
    ):
        if share > FATAL:
            what = f"the {side} miss output by {share:.1%} of it in all; worst: {rows if side == 'rows' else columns}"
            found.append(Finding("io-unbalanced", what, t.source, f"check that the {check} were all read, once each"))
    remedy = "none if the source rounds; see balance() for every residual"
    if rows and total <= FATAL:
        what = f"rows miss output, by {total:.2g} of it in all; worst: {rows}"
        found.append(Finding("io-row-balance", what, t.source, remedy, "warning"))
    if columns and total_columns <= FATAL:
        what = f"columns miss output, by {total_columns:.2g} of it in all; worst: {columns}"
        found.append(Finding("io-column-balance", what, t.source, remedy, "warning"))
    return [*found, *_error(t, scale), *_silent(t), *_negative(t)]


def _residual(t: IOTable, residual: Floats, scale: float) -> tuple[str, float]:
    """The worst residuals in words, empty where none is worth a word, and the sum of all as a share of output."""
    size = np.abs(residual)
    bad = np.flatnonzero(size > REPORT * scale / t.n)
    total = float(size.sum()) / scale if scale > 0 else float(size.any())
    return (f"{_worst(t, residual, bad)}, {len(bad)} in all" if len(bad) else ""), total


def _error(t: IOTable, scale: float) -> list[Finding]:
    at = np.flatnonzero(t.error)
    if not len(at):
        return []
    share = float(np.abs(t.error).sum()) / scale if scale > 0 else 1.0
    what = f"the source has a statistical error in {len(at)} row(s), {share:.2g} of output in all; largest: {_worst(t, t.error, at)}"
    return [Finding("io-error-column", what, t.source, "none: it is kept as a column and not spread over the table", "warning")]


def _silent(t: IOTable) -> list[Finding]:
    # A product that is only imported is delivered without being made.
    uses = (t.Z.sum(axis=0) != 0) | ((t.Z.sum(axis=1) != 0) & (t.imports + t.inflow == 0))
    at = np.flatnonzero((t.x <= 0) & uses)
    if not len(at):
        return []
    what = f"{len(at)} sector(s) have no output, but use or deliver: {_named(t, at)}"
    return [Finding("io-no-output", what, t.source, "merge them with a neighbouring sector by aggregate()", "warning")]


def _negative(t: IOTable) -> list[Finding]:
    found = []
    for name in ("Z", "F", "x", "value_added", "exports", "imports", "outflow", "inflow", "imported_inputs"):
        count, rows = _below_zero(getattr(t, name))
        if count:
            at = _kinds(t, name, rows)
            what = f"{count} value(s) of {name} are negative: {at}"
            remedy = "none where stocks fall or subsidies exceed taxes; otherwise correct the source"
            found.append(Finding("io-negative", what, f"{t.source}: {name}", remedy, "warning"))
    return found


def _below_zero(array: Floats) -> tuple[int, NDArray[np.intp]]:
    """How many entries are negative, and which rows have one (for F, which columns)."""
    counts = np.zeros(len(array), dtype=np.intp)
    for rows in row_blocks(len(array)):
        below = array[rows] < 0
        counts[rows] = below.sum(axis=1) if below.ndim == 2 else below
    return int(counts.sum()), np.flatnonzero(counts)


def _kinds(t: IOTable, name: str, rows: NDArray[np.intp]) -> str:
    if name == "F":
        return "final demand of " + listed(sorted({str(k) for k in t.final_kind[(t.F < 0).any(axis=0)]}))
    if name in ("value_added", "imported_inputs"):
        return listed([str(k) for k in (t.value_added_kind if name == "value_added" else t.imported_kind)[rows]])
    return _named(t, rows)


def _named(t: IOTable, at: NDArray[np.intp]) -> str:
    return listed([f"{t.regions[i]} · {t.sectors[i]}" for i in at])


def _worst(t: IOTable, values: Floats, at: NDArray[np.intp]) -> str:
    order = at[np.argsort(-np.abs(values[at]), kind="stable")][:3]
    return ", ".join(f"{t.regions[i]} · {t.sectors[i]} ({values[i]:.6g})" for i in order)
