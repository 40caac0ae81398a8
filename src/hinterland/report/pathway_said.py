"""A statement about a plan, and the rows of the record that it follows from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from hinterland.report.advice_record import Source
from hinterland.report.pathway_words import PlanWords
from hinterland.report.sentences import Sentence

Topic = Literal["first", "phases", "support", "restrictions", "people", "choice", "doubt", "compared"]
TOPICS: tuple[Topic, ...] = ("first", "phases", "support", "restrictions", "people", "choice", "doubt", "compared")


@dataclass(frozen=True, slots=True)
class Said:
    """A sentence and the rows that it follows from. Made by :func:`state` only, which looks the rows up."""

    topic: Topic
    sentence: Sentence
    sources: tuple[Source, ...]


def state(words: PlanWords, topic: Topic, sentence: Sentence, *sources: Source) -> Said:
    """A statement with its rows.

    Raises:
        ValueError: no source is given, or the record does not hold the rows of one.
    """
    missing = [s for s in sources if not s.rows(words.record).height]
    if missing or not sources:
        raise ValueError(f"no row of the record is behind {sentence.key!r}: {[(s.table, dict(s.where)) for s in missing]}")
    return Said(topic, sentence, sources)
