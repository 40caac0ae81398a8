"""The panel: a unit × period table whose roles are declared once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import polars as pl

from hinterland.errors import Finding, PanelError, did_you_mean


@dataclass(frozen=True, slots=True)
class Column:
    """Where a column comes from and what it is measured in.

    Attributes:
        source: file and column, or formula.
        unit: unit of measurement (see :mod:`hinterland.units`); empty when unknown.
        label: the variable label that the file gives.
        values: label of each code, for coded columns (Stata value labels); the column keeps the codes.
    """

    source: str
    unit: str = ""
    label: str = ""
    values: Mapping[int | float | str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Panel:
    """A unit × period table, sorted by unit then period, one row per unit and period.

    Build it with :func:`hinterland.read_panel`, which checks it; the constructor checks nothing.

    Attributes:
        frame: all columns; ``frame[unit]`` is string or integer, ``frame[time]`` is Int64; no null in either.
        unit: name of the column that identifies the unit.
        time: name of the period column (calendar year, quarter index, ...).
        weight: name of the column of sampling weights, if any (positive, finite).
        cluster: name of the column inference clusters on by default; ``None`` means the unit.
        coordinates: names of the longitude and latitude columns (degrees, WGS84), if any.
        treatment: name of the column that is 1 in treated periods, if any: adoption dates are compared with it before anything is
            estimated (:mod:`hinterland.data.reconcile`).
        columns: source and unit of measurement per column.
        findings: what the checks warned of (errors never get this far).
    """

    frame: pl.DataFrame
    unit: str
    time: str
    weight: str | None = None
    cluster: str | None = None
    coordinates: tuple[str, str] | None = None
    treatment: str | None = None
    columns: Mapping[str, Column] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()

    def __repr__(self) -> str:
        periods = self.frame[self.time].unique().sort()
        span = f"{periods[0]}–{periods[-1]}" if len(periods) else "empty"
        return f"Panel({self.n_units} {self.unit} × {self.n_periods} {self.time} ({span}), {self.frame.height} rows, {self.frame.width} columns)"

    @property
    def n_units(self) -> int:
        """Number of distinct units."""
        return self.frame[self.unit].n_unique()

    @property
    def n_periods(self) -> int:
        """Number of distinct periods."""
        return self.frame[self.time].n_unique()

    @property
    def is_balanced(self) -> bool:
        """Whether every unit is observed in every period."""
        return self.frame.height == self.n_units * self.n_periods

    def require(self, names: Iterable[str], purpose: str) -> None:
        """Raise :class:`~hinterland.PanelError` naming every one of ``names`` that is not a column."""
        have = self.frame.columns
        missing = [n for n in dict.fromkeys(names) if n not in have]
        if missing:
            raise PanelError(
                [
                    Finding(
                        "unknown-column",
                        f"there is no column {n!r} ({purpose})",
                        f"panel with columns {', '.join(have[:12])}{', …' if len(have) > 12 else ''}",
                        did_you_mean(n, have),
                    )
                    for n in missing
                ],
                "panel",
            )

    def filter(self, condition: pl.Expr) -> Panel:
        """The panel restricted to the rows where ``condition`` holds."""
        return replace(self, frame=self.frame.filter(condition))

    def with_columns(self, *expressions: pl.Expr, **named: pl.Expr) -> Panel:
        """The panel with further columns."""
        return replace(self, frame=self.frame.with_columns(*expressions, **named))
