"""What the columns of a panel are for, before the panel exists."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Roles:
    """What columns are for.

    Attributes:
        unit: column of unit codes.
        time: column of periods.
        weight: column of weights.
        cluster: column of clusters.
        coordinates: columns of longitude and latitude (degrees).
        treatment: column that is 1 in treated unit-periods and 0 otherwise.
        numeric: columns that must hold numbers.
        years: first and last period asked for.
    """

    unit: str
    time: str
    weight: str | None = None
    cluster: str | None = None
    coordinates: tuple[str, str] | None = None
    treatment: str | None = None
    numeric: tuple[str, ...] = ()
    years: tuple[int, int] | None = None

    def named(self) -> Iterator[tuple[str, str]]:
        """Role and column name of every role that is given."""
        yield "unit", self.unit
        yield "time", self.time
        for role, name in (("weight", self.weight), ("cluster", self.cluster), ("treatment", self.treatment)):
            if name is not None:
                yield role, name
        yield from zip(("longitude", "latitude"), self.coordinates or (), strict=False)
        for name in self.numeric:
            yield "numeric", name
