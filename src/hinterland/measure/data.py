"""What an indicator sees of a table: its roles as columns, and cells as arrays with their states."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hinterland.errors import Finding
from hinterland.measure.states import MISSING, OBSERVED, SUPPRESSED

_GRID = 20_000_000
"""Cells up to which rows are looked for in a grid of all of them."""

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Cube:
    """Cells of one quantity over the product of labels.

    Attributes:
        values: [n1, n2, …]; NaN unless observed.
        state: same shape: ``OBSERVED``, ``MISSING`` or ``SUPPRESSED`` of :mod:`hinterland.measure.states`.
        dims: role of each axis;  labels: labels along each axis.
    """

    values: Floats
    state: NDArray[np.uint8]
    dims: tuple[str, ...]
    labels: tuple[pl.Series, ...]

    @property
    def observed(self) -> Bools:
        """Where there is a value."""
        return np.asarray(self.state == OBSERVED)

    @property
    def suppressed(self) -> Bools:
        """Where a value is withheld."""
        return np.asarray(self.state == SUPPRESSED)


@dataclass(frozen=True, slots=True)
class Data:
    """A table as an indicator reads it.

    Attributes:
        frame: one column per role that was given, under the role's name: keys as text, time as integers, numbers as floats with null
            where nothing was observed; ``state:<role>`` beside each number.
        columns: role → the caller's column.
        whole: roles whose labels are whole-number codes in the caller's table; results have them as numbers again.
        complete: whether a row that is absent means a true zero; otherwise it means missing.
        findings: what reading the table found, warnings only.
    """

    frame: pl.DataFrame
    columns: dict[str, str]
    whole: frozenset[str] = frozenset()
    complete: bool = False
    findings: tuple[Finding, ...] = ()
    _labels: dict[str, pl.Series] = field(default_factory=dict, repr=False, compare=False)
    _codes: dict[str, Ints] = field(default_factory=dict, repr=False, compare=False)

    def has(self, role: str) -> bool:
        """Whether the caller named a column for ``role``."""
        return role in self.columns

    def labels(self, role: str) -> pl.Series:
        """The distinct labels of ``role``, sorted; one null where the role was not given."""
        if role not in self._labels:
            self._labels[role] = (
                self.frame[role].unique().sort()
                if self.has(role)
                else pl.Series(role, [None], dtype=pl.Int64 if role == "time" else pl.String)
            )
        return self._labels[role]

    def codes(self, role: str) -> Ints:
        """[n] position of each row's label in :meth:`labels`; zeros where the role was not given."""
        if role not in self._codes:
            self._codes[role] = (
                positions(self.frame[role], self.labels(role)) if self.has(role) else np.zeros(self.frame.height, dtype=np.int64)
            )
        return self._codes[role]

    def distinct(self, roles: Sequence[str]) -> bool:
        """Whether no two rows have the same labels of ``roles``."""
        if not roles:
            return self.frame.height < 2
        shape = tuple(len(self.labels(r)) for r in roles)
        at = np.ravel_multi_index(tuple(self.codes(r) for r in roles), shape)
        if float(np.prod(shape, dtype=np.float64)) > max(_GRID, 4 * len(at)):
            return len(np.unique(at)) == len(at)
        seen = np.zeros(shape, dtype=np.bool_).ravel()
        seen[at] = True
        return int(np.count_nonzero(seen)) == len(at)

    def number(self, role: str = "value") -> Floats:
        """[n] the numbers of ``role`` by row; NaN unless observed."""
        return self.frame[role].fill_null(np.nan).to_numpy()

    def cube(self, *dims: str, value: str = "value") -> Cube:
        """The cells of ``value`` over the product of the labels of ``dims``; rows must be unique in them."""
        labels = tuple(self.labels(d) for d in dims)
        shape = tuple(len(x) for x in labels)
        at = tuple(self.codes(d) for d in dims)
        values = np.full(shape, 0.0 if self.complete else np.nan)
        state = np.full(shape, OBSERVED if self.complete else MISSING, dtype=np.uint8)
        values[at] = self.number(value)
        state[at] = self.frame[f"state:{value}"].to_numpy()
        return Cube(values, state, dims, labels)

    def where(self, rows: Sequence[int] | Ints, role: str | None = None) -> str:
        """Rows and column in words, for a finding: the first five by their keys."""
        keys = [r for r in self.columns if r in self.frame.columns and not self.frame.schema[r].is_float()]
        shown = self.frame[list(rows[:5])].select(keys)
        cells = "; ".join(", ".join(f"{self.columns[k]} {v}" for k, v in row.items()) for row in shown.iter_rows(named=True))
        more = f" and {len(rows) - 5} more" if len(rows) > 5 else ""
        column = "" if role is None else f"column {self.columns.get(role, role)!r}"
        return ", ".join(x for x in (column, f"{cells}{more}") if x)


def positions(values: pl.Series, labels: pl.Series) -> Ints:
    """[n] position of each value in ``labels``, all of which it is among."""
    if values.dtype == pl.String and labels.dtype == pl.String and not labels.null_count():
        return values.cast(pl.Enum(labels)).to_physical().to_numpy().astype(np.int64)
    index = pl.DataFrame({"label": labels, "position": np.arange(len(labels), dtype=np.int64)})
    found = pl.DataFrame({"label": values}).join(index, on="label", how="left", maintain_order="left")["position"]
    return found.to_numpy()
