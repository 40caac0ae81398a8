"""A table as it was read: columns, the row numbers a reader of the file sees, and what the reader had to say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import polars as pl

from hinterland.data.panel import Column
from hinterland.errors import Finding, listed


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of one source before roles are given.

    Attributes:
        frame: the columns; all ``String`` when ``typed`` is ``False``.
        source: name of the file, or ``data frame``.
        rows: [n] UInt32 row numbers: as a spreadsheet shows them for text and Excel files, counted from 1 otherwise.
        columns: label, value labels and source per column.
        findings: what reading found.
        typed: whether the source records types, so that text is meant as text.
        exact: the numbers of text columns at full precision, where the format holds them (Excel).
    """

    frame: pl.DataFrame
    source: str
    rows: pl.Series
    columns: Mapping[str, Column] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    typed: bool = True
    exact: pl.DataFrame | None = None

    def where(self, rows: pl.Series | None = None, column: str | None = None) -> str:
        """File, rows (positions in ``frame``) and column in words."""
        parts = [self.source]
        if rows is not None and len(rows):
            numbers = self.rows.gather(rows.head(6))
            parts.append(f"row{'s' if len(rows) > 1 else ''} {_with_count(numbers.to_list(), len(rows))}")
        if column is not None:
            parts.append(f"column {column!r}")
        return ", ".join(parts)

    def filter(self, keep: pl.Series) -> Table:
        """The rows where ``keep`` holds."""
        exact = None if self.exact is None else self.exact.filter(keep)
        return replace(self, frame=self.frame.filter(keep), rows=self.rows.filter(keep), exact=exact)

    def with_findings(self, *findings: Finding) -> Table:
        """The table with further findings."""
        return replace(self, findings=(*self.findings, *findings))


def some(values: pl.Series, at: pl.Series) -> str:
    """Up to five different ones of ``values`` at positions ``at``, and how many cells there are beside them."""
    shown = values.gather(at).unique(maintain_order=True).head(5).to_list()
    return _with_count(shown, len(at) if len(at) > 5 else len(shown))


def _with_count(items: Sequence[object], total: int) -> str:
    shown = listed(items[:5])
    rest = total - len(items[:5])
    return f"{shown} and {rest} more" if rest > 0 else shown


def numbered(height: int, first: int = 1) -> pl.Series:
    """Row numbers ``first … first + height − 1``."""
    return pl.int_range(first, first + height, dtype=pl.UInt32, eager=True)
