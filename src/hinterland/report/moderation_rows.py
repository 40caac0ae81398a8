"""The rows of the record on one outcome and one moderator, as the chapter on moderation reads them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from hinterland.report.record import Record
from hinterland.report.sentences import Both, Name, Sentence, Value

Facts = Mapping[str, Any]


def table_of(record: Record, moderator: str) -> Facts:
    """What the study says of the moderator."""
    found: Facts = (record.run.get("study", {}).get("moderation") or {}).get(moderator) or {}
    return found


def moderator_name(record: Record, moderator: str) -> Value:
    """What the study calls it; else the label of its name, or of its column."""
    table = table_of(record, moderator)
    label = table.get("label")
    if isinstance(label, Mapping):
        return Both(str(label["en"]), str(label["zh"]))
    return Name("variable", str(table.get("column") or moderator))


@dataclass(frozen=True, slots=True)
class Found:
    """The tables ``slopes``, ``effects``, ``bins`` and ``histogram`` of one outcome and moderator, and what the study says of the moderator."""

    record: Record
    outcome: str
    moderator: str
    slopes: pl.DataFrame
    effects: pl.DataFrame
    bins: pl.DataFrame
    histogram: pl.DataFrame
    table: Facts

    @classmethod
    def of(cls, record: Record, outcome: str, moderator: str) -> Found:
        """Its rows of every table."""
        mine = (pl.col("outcome") == outcome) & (pl.col("moderator") == moderator)
        names = ("moderation", "moderation_effects", "moderation_bins", "moderation_histogram")
        slopes, effects, bins, histogram = (record.tables[n].filter(mine) if record.has(n) else pl.DataFrame() for n in names)
        return cls(record, outcome, moderator, slopes, effects, bins, histogram, table_of(record, moderator))

    @property
    def names(self) -> dict[str, Value]:
        """Outcome and moderator in words."""
        return {"outcome": Name("variable", self.outcome), "moderator": moderator_name(self.record, self.moderator)}

    @property
    def key(self) -> str:
        """Name of its tables and figure."""
        return f"{self.outcome}-{self.moderator}".replace("_", "-")

    def row(self, version: str, group: str = "all") -> dict[str, Any] | None:
        """One slope."""
        rows = self.slopes.filter((pl.col("version") == version) & (pl.col("group") == group))
        return rows.row(0, named=True) if rows.height else None

    @property
    def lead(self) -> dict[str, Any] | None:
        """The linear slope."""
        return self.row("linear")

    @property
    def scale(self) -> float:
        """Standard deviation of the moderator."""
        return float((self.lead or {})["scale"])

    def at(self, kind: str, version: str = "linear", group: str = "all") -> dict[str, Any] | None:
        """The effect at a named point, or a difference of two."""
        rows = self.effects.filter((pl.col("kind") == kind) & (pl.col("version") == version) & (pl.col("group") == group))
        return rows.row(0, named=True) if rows.height else None

    @property
    def group(self) -> Value:
        """The group in words."""
        name = str(self.table.get("group") or "")
        return Name("region", name.partition("=")[2] or name)


def fixed_words(row: Facts) -> Sentence:
    """How the moderator was fixed, as a phrase."""
    rule = str(row.get("fixed") or "constant")
    year = rule.lstrip("-").isdigit()
    return Sentence(f"moderation_fixed.{'year' if year else rule}", {"year": rule} if year else {})
