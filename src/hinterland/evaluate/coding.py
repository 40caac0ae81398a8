"""Integer codes for the columns of a sorted panel: units, periods, groupings.

The panel is sorted by unit then period, so codes are read off where values change; nothing of length n is sorted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hinterland.errors import EstimationError, Finding

Floats = NDArray[np.float64]
Codes = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Factor:
    """An integer-coded grouping of the rows: cluster, or fixed effect (with a slope variable, if it has one).

    Attributes:
        name: as the user wrote it (``"province^year"``, ``"city[year]"``).
        codes: [n] level of each row, 0 … ``size`` - 1, every level present.
        size: number of levels.
        labels: [size] text of each level; empty for interactions, where nobody reads them.
        slope: [n] variable whose coefficient varies over the levels, or ``None`` for an intercept.
    """

    name: str
    codes: Codes
    size: int
    labels: NDArray[np.str_] | None = None
    slope: Floats | None = None


def unit_codes(starts: NDArray[np.int64], n_obs: int) -> Codes:
    """[n] index of each row's unit."""
    lengths = np.diff(starts, append=n_obs)
    return np.repeat(np.arange(len(starts), dtype=np.int32), lengths)


def period_codes(time: NDArray[np.int64], starts: NDArray[np.int64]) -> tuple[NDArray[np.int64], Codes, bool]:
    """Period labels [T], each row's index into them [n], and whether every unit has every period."""
    n_units = len(starts)
    width = len(time) // n_units
    if width * n_units == len(time):
        grid = time.reshape(n_units, width)
        if (grid == grid[0]).all():
            return grid[0].astype(np.int64), np.tile(np.arange(width, dtype=np.int32), n_units), True
    low, high = int(time.min()), int(time.max())
    if high - low > max(len(time), 100_000):
        labels, codes = np.unique(time, return_inverse=True)
        return labels.astype(np.int64), codes.astype(np.int32), False
    present = np.bincount(time - low) > 0
    position = (np.cumsum(present) - 1).astype(np.int32)
    return np.flatnonzero(present).astype(np.int64) + low, position[time - low], False


def parse_effect(text: str) -> tuple[tuple[str, ...], str | None]:
    """``"a^b[x]"`` → (("a", "b"), "x"). Raises ``EstimationError`` when it cannot be read."""
    head, bracket, rest = text.partition("[")
    parts = tuple(p.strip() for p in head.split("^"))
    slope = rest.removesuffix("]").strip() if bracket else None
    if not all(parts) or (bracket and (not slope or not rest.endswith("]"))):
        raise EstimationError(
            Finding(
                "malformed-fixed-effect",
                f"fixed effect {text!r} cannot be read",
                "argument fe",
                "write 'a', 'a^b' for an interaction, 'a[x]' for a slope of x that varies by a",
            ),
            "options",
        )
    return parts, slope


def compact(codes: Codes, size: int) -> tuple[NDArray[np.int64], Codes]:
    """The levels [m] that occur in ``codes`` [n], and the codes renumbered 0 … m − 1."""
    present = np.bincount(codes, minlength=size) > 0
    position = (np.cumsum(present) - 1).astype(np.int32)
    return np.flatnonzero(present), position[codes]


@dataclass(frozen=True, slots=True)
class RowCoder:
    """Codes any column of a sorted frame, reusing the codes of units and periods.

    ``unit`` [n] and ``period`` [n] are codes already made; ``starts`` [N] is the first row of each unit.
    """

    frame: pl.DataFrame
    unit_name: str
    time_name: str
    unit: Codes
    period: Codes
    starts: NDArray[np.int64]
    unit_labels: NDArray[np.str_]
    periods: NDArray[np.int64]

    def factor(self, name: str, parts: Sequence[str], slope: str | None = None) -> Factor:
        """The factor of one column, or of the combinations of several."""
        values = None if slope is None else self.frame[slope].cast(pl.Float64).to_numpy()
        if len(parts) == 1:
            codes, labels = self._column(parts[0])
            return Factor(name, codes, len(labels), labels, values)
        combined = np.zeros(len(self.unit), dtype=np.int64)
        for part in parts:
            codes, labels = self._column(part)
            combined = combined * len(labels) + codes
        levels, codes64 = np.unique(combined, return_inverse=True)
        return Factor(name, codes64.astype(np.int32), len(levels), None, values)

    def _column(self, name: str) -> tuple[Codes, NDArray[np.str_]]:
        if name == self.unit_name:
            return self.unit, self.unit_labels
        if name == self.time_name:
            return self.period, self.periods.astype(np.str_)
        column = self.frame[name]
        change = (column[1:] != column[:-1]).to_numpy()
        constant = not change[self.unit[1:] == self.unit[:-1]].any()
        if not constant:
            return _ranked(column)
        codes, labels = _ranked(column[self.starts])
        return codes[self.unit], labels


def _ranked(column: pl.Series) -> tuple[Codes, NDArray[np.str_]]:
    """Dense ranks from 0, and the text of each rank."""
    codes = (column.rank("dense").to_numpy() - 1).astype(np.int32)
    first = np.empty(int(codes.max()) + 1, dtype=np.int64)
    first[codes[::-1]] = np.arange(len(codes))[::-1]
    return codes, column[first].cast(pl.String).to_numpy().astype(np.str_)
