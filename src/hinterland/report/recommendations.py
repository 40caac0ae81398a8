"""What the data call for, against what the report leads with and what the record holds."""

from __future__ import annotations

from typing import Any

import polars as pl

from hinterland.report import tables
from hinterland.report.appendix import note_text
from hinterland.report.blocks import Block, Heading, Prose
from hinterland.report.record import Record
from hinterland.report.sentences import Listed, Name, Ref, Sentence, Speaker, Value, say
from hinterland.report.table import Heading as Column
from hinterland.report.table import Row, Table

_SAME = {
    "randomisation-inference": {"randomisation", "randomisation-inference"},
    "wild-cluster-bootstrap": {"wild-cluster-bootstrap", "score-bootstrap"},
}
"""Procedures of table ``small_sample`` that count as the one that is recommended."""


def recommendations(record: Record, speaker: Speaker, outcome: str) -> tuple[Block, ...]:
    """The sentences and the table for ``outcome``; nothing where the record has no table ``recommendations``."""
    rows = rows_of(record, outcome)
    if not rows:
        return ()
    said, against = sentences(record, outcome, rows)
    blocks: list[Block] = [Heading(speaker.ui("heading.recommendations")), Prose(said)]
    if against:
        blocks.append(Prose(against, "warning"))
    return (*blocks, table(record, speaker, rows))


def rows_of(record: Record, outcome: str) -> list[dict[str, Any]]:
    """The recommendations on ``outcome``, in the record's order."""
    if not record.has("recommendations"):
        return []
    return record.tables["recommendations"].filter(pl.col("outcome") == outcome).to_dicts()


def sentences(record: Record, outcome: str, rows: list[dict[str, Any]]) -> tuple[tuple[Sentence, ...], tuple[Sentence, ...]]:
    """The estimator called for against the one that leads, the inference called for, and what is not in the record; then a warning where
    the data speak against the headline.
    """
    head = record.headline(outcome)
    if head is None:
        return (say("recommendations.table", table=Ref("table", "recommendations")),), ()
    said, lead = [], Name("method", head.method)
    called = [r["id"] for r in rows if r["kind"] == "estimator" and r["role"] == "headline"]
    if called:
        run = {f.method for f in record.fits if f.outcome == outcome}
        key = "same" if head.method in called else "other" if called[0] in run else "other_absent"
        values: dict[str, Value] = {"method": Name("method", head.method if key == "same" else called[0])}
        said.append(Sentence(f"recommendations.{key}", values if key == "same" else {**values, "lead": lead}))
    instead = tuple(Name("procedure", r["id"]) for r in rows if r["kind"] == "inference" and r["role"] == "instead")
    if instead:
        said.append(say("recommendations.instead", procedures=Listed(instead)))
    missing = tuple(_name(r) for r in rows if r["role"] != "avoid" and not in_record(record, outcome, r))
    if missing:
        said.append(say("recommendations.absent", procedures=Listed(missing)))
    said.append(say("recommendations.table", table=Ref("table", "recommendations")))
    avoided = any(r["kind"] == "estimator" and r["role"] == "avoid" and r["id"] == head.method for r in rows)
    against = (say("recommendations.avoid", lead=lead, table=Ref("table", "recommendations")),) if avoided else ()
    return tuple(said), against


def in_record(record: Record, outcome: str, row: dict[str, Any]) -> bool:
    """Whether the record holds what is recommended."""
    name = str(row["id"])
    if row["kind"] == "estimator":
        return any(f.method == name and f.outcome == outcome and f.role != "robustness" for f in record.fits)
    if row["kind"] == "sensitivity":
        table_, column, wanted = ("pretrend_power", "outcome", outcome) if name == "pretrend-power" else ("sensitivity", "kind", name)
        return record.has(table_) and wanted in record.tables[table_].filter(pl.col("outcome") == outcome)[column].to_list()
    if any(f.outcome == outcome and f.facts.get("vcov") == name for f in record.fits):
        return True
    if record.has("small_sample"):
        held = set(record.tables["small_sample"].filter(pl.col("outcome") == outcome)["procedure"])
        if held & _SAME.get(name, {name}):
            return True
    return name == "randomisation-inference" and _permuted(record, outcome)


def _permuted(record: Record, outcome: str) -> bool:
    if not record.has("placebo"):
        return False
    return record.tables["placebo"].filter((pl.col("outcome") == outcome) & (pl.col("kind") == "space")).height > 0


def _name(row: dict[str, Any]) -> Name:
    return Name("method" if row["kind"] == "estimator" else "procedure", str(row["id"]))


def table(record: Record, speaker: Speaker, rows: list[dict[str, Any]]) -> Table:
    """Procedure, what it is for, and the reason found in the data; a panel per kind."""
    body: list[Row] = []
    for kind in dict.fromkeys(r["kind"] for r in rows):
        body.append(Row((speaker.name(kind, "recommend_kind"),), "head"))
        for r in rows:
            if r["kind"] == kind:
                why = note_text(speaker, str(r["code"]), r["values"])
                body.append(Row((speaker.value(_name(r)), speaker.name(str(r["role"]), "recommend_role"), why)))
    headings = tuple(Column(speaker.ui(f"col.{c}"), "left") for c in ("procedure", "role", "why"))
    title, notes = speaker.ui("title.recommendations"), (speaker.ui("note.recommendations"),)
    return Table("recommendations", title, headings, tuple(body), tables.source_line(record, speaker), notes)
