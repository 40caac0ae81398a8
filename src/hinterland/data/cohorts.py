"""Cohorts: when each unit is first treated, by a rule that is written down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hinterland.labels import Note

NEVER: int = int(np.iinfo(np.int64).max)
"""First treated period of a unit that is never treated: later than every period."""


@dataclass(frozen=True, slots=True)
class Cohorts:
    """First treated period of each unit, with the rule that made it.

    Attributes:
        table: one row per unit that the rule names: ``unit`` (String: codes as text), ``cohort`` (Int64, null = never
            treated), ``dose`` (Float64, share of the unit covered, 1.0 unless partial), ``excluded`` (Boolean: the
            rule removes the unit from the sample), ``reason`` (String, why, empty unless excluded), and, from a
            register, ``zone`` (String).
        closed: ``True`` when every unit of a panel must be in ``table`` (adoption column); ``False`` when a unit that
            is absent was never treated (register).
        source: register id or column name.
        timing: ``approval_year``, ``first_full_year``, ``cutoff_month`` or ``column``.
        partial: ``treat``, ``exclude`` or ``dose``.
        until: last period whose adoptions count; later ones are never (or not yet) treated in the window.
        notes: what the rule did, to be said in reports.
        options: every other argument of the rule.
        path: the panel column that holds treatment as observed, when it may be switched off again or change its level; then a
            cohort is the first period in which a unit's treatment differs from that of its first period. ``None``: treatment is
            1 from the cohort's period on.
    """

    table: pl.DataFrame
    closed: bool
    source: str
    timing: str
    partial: str = "treat"
    until: int | None = None
    notes: tuple[Note, ...] = ()
    options: Mapping[str, str | int | float | bool | None] = field(default_factory=dict)
    path: str | None = None

    def __repr__(self) -> str:
        treated = self.table.filter(pl.col("cohort").is_not_null() & ~pl.col("excluded"))
        sizes = treated.group_by("cohort").len().sort("cohort")
        parts = ", ".join(f"{g}: {n}" for g, n in sizes.iter_rows())
        return f"Cohorts({self.source}, {self.timing}, partial={self.partial}; {treated.height} treated — {parts})"

    def assign(self, units: pl.Series) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.bool_]]:
        """First treated period [N] (``NEVER`` = never), dose [N] and keep mask [N] for the N distinct ``units``.

        Codes are matched as text, so an integer 340100 and a string "340100" are the same unit. With ``closed``, units
        that are absent from the table are marked not to be kept.
        """
        if self.table.is_empty():
            return np.full(len(units), NEVER), np.zeros(len(units)), np.full(len(units), not self.closed)
        row = self._rows(units.cast(pl.String))
        year, share, out = (self.table[c].cast(pl.Float64).to_numpy()[row] for c in ("cohort", "dose", "excluded"))
        never = np.isnan(year) | (row < 0)
        cohort = np.where(never, NEVER, np.where(never, 0.0, year).astype(np.int64))
        dose = np.where(never, 0.0, np.where(np.isnan(share), 1.0, share))
        absent = (row < 0) | np.isnan(out)
        return cohort, dose, np.where(absent, not self.closed, out == 0.0)

    def _rows(self, units: pl.Series) -> NDArray[np.int64]:
        """[N] row of each unit in the table (the last, if there are several), -1 where there is none."""
        known = self.table["unit"]
        if len(known) == len(units) and units.equals(known):
            return np.arange(len(units))
        order = np.arange(len(known)) if known.is_sorted() else known.arg_sort().to_numpy().astype(np.int64)
        known = known[order]
        place = known.search_sorted(units, side="right").to_numpy().astype(np.int64) - 1
        found = (place >= 0) & (known[np.maximum(place, 0)] == units).to_numpy()
        return np.where(found, order[place], -1)
