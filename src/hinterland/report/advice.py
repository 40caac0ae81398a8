"""The chapter "What follows": statements generated from the record by stated rules, each with a grade of its evidence and the rows behind it."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from hinterland.labels import LANGUAGES
from hinterland.report import tables
from hinterland.report.advice_actions import actions, limits
from hinterland.report.advice_evidence import CHECKS, Evidence
from hinterland.report.advice_plan import plan_rows
from hinterland.report.advice_record import TOPICS, Statement, effect_rows, frame
from hinterland.report.advice_rules import by_channel, by_group, by_moderator, displaced, effects, family, graded
from hinterland.report.blocks import Block, Bullets, Heading, Prose
from hinterland.report.description import own_labels
from hinterland.report.digits import count
from hinterland.report.record import Record
from hinterland.report.sentences import Ref, Sentence, Speaker, say
from hinterland.report.table import Heading as Column
from hinterland.report.table import Row, Table


def statements(record: Record) -> tuple[Statement, ...]:
    """Everything that follows from the record, advice first; nothing where no effect was estimated."""
    found = graded(record)
    makers = (effects, by_group, by_moderator, by_channel, displaced, family)
    made = tuple(s for make in makers for s in make(record, found))
    return (*actions(record, found, made), *made, *limits(record, found, made))


def advice_table(record: Record) -> pl.DataFrame:
    """Every statement as table ``advice`` of the record, in both languages: what follows from the effects, then what follows from the plan."""
    labels = own_labels(record)
    speakers: dict[str, Speaker] = {language: Speaker(language, labels) for language in LANGUAGES}
    return frame([*effect_rows(statements(record), speakers), *plan_rows(record, speakers)])


def advice(record: Record, speaker: Speaker, _: str) -> tuple[Block, ...]:
    """The statements as bullets by topic, the checks behind the grades, and where in the record each statement comes from."""
    made = statements(record)
    if not made:
        return ()
    found = graded(record)
    refs = {"checks": Ref("table", "advice-checks"), "sources": Ref("table", "advice-sources")}
    blocks: list[Block] = [Prose((say("advice.intro", **refs), say("advice.grades")))]
    for topic in TOPICS:
        chosen = [s for s in made if s.topic == topic]
        if chosen:
            blocks += [Heading(speaker.ui(f"heading.advice_{topic}")), Bullets(tuple(_numbered(made, s) for s in chosen))]
    return (*blocks, check_table(record, speaker, found), source_table(record, speaker, made))


def _numbered(made: tuple[Statement, ...], statement: Statement) -> Sentence:
    number = made.index(statement) + 1
    if statement.grade is None:
        return say("advice.numbered", n=count(number), said=statement.sentence)
    return say("advice.numbered_graded", n=count(number), said=statement.sentence, grade=Sentence(f"advice_grade.{statement.grade}"))


def check_table(record: Record, speaker: Speaker, found: Mapping[str, Evidence]) -> Table:
    """Checks by outcome, and the grade that follows."""
    rows = []
    for name in CHECKS:
        cells = [speaker.ui(f"advice.{_mark(e, name)}") for e in found.values()]
        rows.append(Row((speaker.labelled(f"sentence.advice_check.{name}"), *cells)))
    grades = [speaker.labelled(f"sentence.advice_grade.{e.grade}") for e in found.values()]
    rows.append(Row((speaker.ui("row.advice_grade"), *grades), "fact"))
    columns = (Column(speaker.ui("col.advice_check"), "left"), *(Column(speaker.name(o), "center") for o in found))
    title, note = speaker.ui("title.advice_checks"), speaker.ui("note.advice_checks")
    return Table("advice-checks", title, columns, tuple(rows), tables.source_line(record, speaker), (note,))


def _mark(e: Evidence, name: str) -> str:
    made = {c.name: c.passed for c in e.checks}
    return "absent" if name not in made else "passed" if made[name] else "failed"


def source_table(record: Record, speaker: Speaker, made: tuple[Statement, ...]) -> Table:
    """For every statement its rule, its grade, and the tables and rows of the record that it follows from."""
    rows = []
    for i, s in enumerate(made):
        grade = speaker.labelled(f"sentence.advice_grade.{s.grade}") if s.grade else "–"
        held: dict[str, int] = {}
        for source in s.sources:
            held[source.table] = held.get(source.table, 0) + source.rows(record).height
        tabled = ", ".join(f"{table} ({count(n)})" for table, n in held.items())
        rule = speaker.labelled(f"advice_rule.{s.rule.removeprefix('advice.')}")
        rows.append(Row((count(i + 1), speaker.ui(f"heading.advice_{s.topic}"), rule, grade, tabled)))
    headings = ("number", "topic", "rule", "grade", "tables")
    columns = tuple(Column(speaker.ui(f"col.advice_{h}"), "left") for h in headings)
    note = speaker.ui("note.advice_sources")
    return Table("advice-sources", speaker.ui("title.advice_sources"), columns, tuple(rows), tables.source_line(record, speaker), (note,))
