"""What a statement of advice rests on: rows of the record, without which it cannot be made."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import polars as pl

from hinterland.report.record import Record
from hinterland.report.sentences import Sentence, Speaker

Topic = Literal["effects", "groups", "moderation", "mechanism", "displacement", "family", "action", "limits"]
Grade = Literal["strong", "moderate", "weak", "unproven"]
TOPICS: tuple[Topic, ...] = ("action", "effects", "groups", "moderation", "mechanism", "displacement", "family", "limits")
GRADES: tuple[Grade, ...] = ("strong", "moderate", "weak", "unproven")
"""From the best evidence to none."""


@dataclass(frozen=True, slots=True)
class Source:
    """Rows of one table of the record: those where every column of ``where`` has its value."""

    table: str
    where: Mapping[str, Any] = field(default_factory=dict)

    def rows(self, record: Record) -> pl.DataFrame:
        """The rows; none where the record does not hold the table."""
        if not record.has(self.table):
            return pl.DataFrame()
        frame = record.tables[self.table]
        return frame.filter(pl.lit(value=True), *(pl.col(c).eq_missing(pl.lit(v)) for c, v in self.where.items()))


@dataclass(frozen=True, slots=True)
class Statement:
    """One sentence of advice, how good the evidence for it is, and the rows of the record that it follows from.

    Made by :func:`state` only, which looks the rows up.
    """

    topic: Topic
    outcome: str
    sentence: Sentence
    grade: Grade | None
    sources: tuple[Source, ...]

    @property
    def rule(self) -> str:
        """The rule that made it: the key of its sentence."""
        return self.sentence.key


def state(
    record: Record, topic: Topic, outcome: str, sentence: Sentence, sources: Sequence[Source], *, grade: Grade | None = None
) -> Statement:
    """A statement with its evidence.

    Raises:
        ValueError: no source is given, or the record does not hold the rows of one: then there is nothing to be said.
    """
    missing = [s for s in sources if not s.rows(record).height]
    if missing or not sources:
        raise ValueError(f"no row of the record is behind {sentence.key!r}: {[(s.table, dict(s.where)) for s in missing]}")
    return Statement(topic, outcome, sentence, grade, tuple(sources))


def worst(*grades: Grade) -> Grade:
    """The lowest of several grades: a chain of reasons is as good as its weakest link."""
    return max(grades, key=GRADES.index)


def frame(statements: Sequence[Statement], speakers: Mapping[str, Speaker]) -> pl.DataFrame:
    """Table ``advice`` of the record: one row per statement, with its words in both languages and its sources as JSON."""
    return pl.DataFrame(
        [
            {
                "number": i + 1,
                "topic": s.topic,
                "outcome": s.outcome,
                "rule": s.rule,
                "grade": s.grade,
                "text": speakers["en"].sentence(s.sentence),
                "text_zh": speakers["zh"].sentence(s.sentence),
                "sources": json.dumps([{"table": x.table, "where": dict(x.where)} for x in s.sources], ensure_ascii=False),
            }
            for i, s in enumerate(statements)
        ],
        schema={"number": pl.Int64, **dict.fromkeys(("topic", "outcome", "rule", "grade", "text", "text_zh", "sources"), pl.String)},
    )
