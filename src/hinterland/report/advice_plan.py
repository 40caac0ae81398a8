"""What follows from a plan as rows of table ``advice``: the statements of the chapter of the plan, so that the record alone tells them."""

from __future__ import annotations

from collections.abc import Mapping

from hinterland.report.advice_record import row
from hinterland.report.pathway_said import Said
from hinterland.report.pathway_statements import statements
from hinterland.report.pathway_words import PlanWords
from hinterland.report.record import Record
from hinterland.report.sentences import Speaker

PREFIX = "pathway-"
"""Stands before the topics of the chapter, so that they are told from those of effects."""
PAST = "pathway.phase_past"
"""The rule of statements about observed years only."""


def plan_rows(record: Record, speakers: Mapping[str, Speaker]) -> list[dict[str, str | None]]:
    """Every statement of the chapter of the plan, in its order; none where the record has no plan.

    A plan is no estimate and has no grade. Its ``basis`` is ``observed`` (years that are past), ``illustrative`` (what the plan decides, where one of its
    parameters is illustrative: the numbers carry the mark of the report) or ``plan`` (what it decides, where none is).

    Args:
        record: the record.
        speakers: by language, with the labels that come with the record.
    """
    if not record.has("plan_objectives", "plan_pathway"):
        return []
    by_language = {language: PlanWords(record, speaker) for language, speaker in speakers.items()}
    pairs = zip(statements(by_language["en"]), statements(by_language["zh"]), strict=True)
    return [_row(en, zh, by_language) for en, zh in pairs]


def _row(en: Said, zh: Said, words: Mapping[str, PlanWords]) -> dict[str, str | None]:
    said = (words["en"].speaker.sentence(en.sentence), words["zh"].speaker.sentence(zh.sentence))
    basis = "observed" if en.sentence.key == PAST else "illustrative" if words["en"].illustrative else "plan"
    return row(PREFIX + en.topic, None, en.sentence.key, en.sources, said, basis=basis)
