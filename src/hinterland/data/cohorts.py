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
    """

    table: pl.DataFrame
    closed: bool
    source: str
    timing: str
    partial: str = "treat"
    until: int | None = None
    notes: tuple[Note, ...] = ()
    options: Mapping[str, str | int | float | bool | None] = field(default_factory=dict)

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
        keys = pl.DataFrame({"unit": units.cast(pl.String)})
        joined = keys.join(self.table, on="unit", how="left", maintain_order="left")
        cohort = joined["cohort"].fill_null(NEVER).to_numpy()
        dose = np.where(cohort == NEVER, 0.0, joined["dose"].fill_null(1.0).to_numpy())
        keep = ~joined["excluded"].fill_null(self.closed).to_numpy()
        return cohort.astype(np.int64), dose, keep
