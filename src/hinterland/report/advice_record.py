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


def row(
    topic: str, outcome: str | None, key: str, sources: Sequence[Source], words: tuple[str, str], **of: str | None
) -> dict[str, str | None]:
    """One row of table ``advice``, but for its number: the rule by its ``key``, ``words`` in English and Chinese, sources as JSON; ``of``: grade and basis."""
    listed = json.dumps([{"table": x.table, "where": dict(x.where)} for x in sources], ensure_ascii=False)
    text, text_zh = words
    return {
        "topic": topic,
        "outcome": outcome,
        "rule": key,
        "grade": None,
        "basis": None,
        "text": text,
        "text_zh": text_zh,
        "sources": listed,
        **of,
    }


def effect_rows(statements: Sequence[Statement], speakers: Mapping[str, Speaker]) -> list[dict[str, str | None]]:
    """Statements about effects as rows of table ``advice``: they rest on estimates."""
    made = []
    for s in statements:
        words = (speakers["en"].sentence(s.sentence), speakers["zh"].sentence(s.sentence))
        made.append(row(s.topic, s.outcome, s.rule, s.sources, words, grade=s.grade, basis="estimates"))
    return made


def frame(listed: Sequence[Mapping[str, str | None]]) -> pl.DataFrame:
    """Table ``advice`` of the record: one row per statement, numbered from 1."""
    columns = ("topic", "outcome", "rule", "grade", "basis", "text", "text_zh", "sources")
    made = pl.DataFrame(listed, schema=dict.fromkeys(columns, pl.String))
    return made.select(pl.int_range(1, pl.len() + 1, dtype=pl.Int64).alias("number"), *columns)
