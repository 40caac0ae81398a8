"""All outcomes side by side, quantity and quality, with p-values that account for their number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hinterland.report import tables
from hinterland.report.blocks import Block, Prose
from hinterland.report.digits import ALPHA, MISSING, count, number, p_cell, percent, places_for
from hinterland.report.record import Record
from hinterland.report.sentences import Listed, Name, Ref, Sentence, Speaker, say
from hinterland.report.table import Heading as Column
from hinterland.report.table import Row, Table

ADJUSTED = {"romano-wolf": "p_romano_wolf", "benjamini-hochberg": "p_benjamini_hochberg"}
Rows = Sequence[Mapping[str, Any]]


def outcome_family(record: Record, speaker: Speaker) -> tuple[Block, ...]:
    """Words and table; nothing where the record has no table ``outcome_family``."""
    if not record.has("outcome_family"):
        return ()
    rows = record.tables["outcome_family"].to_dicts()
    return Prose(sentences(rows)), table(record, speaker, rows)


def told(rows: Rows) -> dict[str, str]:
    """The adjustments that the record has, and their columns."""
    return {name: column for name, column in ADJUSTED.items() if any(r.get(column) is not None for r in rows)}


def survivors(rows: Rows, column: str) -> tuple[Name, ...]:
    """The outcomes whose p-value in ``column`` is below 5 %."""
    return tuple(Name("variable", r["outcome"]) for r in rows if r.get(column) is not None and r[column] < ALPHA)


def sentences(rows: Rows) -> tuple[Sentence, ...]:
    """How many effects differ from zero one by one, and which do when the outcomes are taken as one family."""
    alone = survivors(rows, "p_value")
    said = [say("family.intro", table=Ref("table", "outcome-family"), n=count(len(rows)))]
    said.append(say("family.alone", n=count(len(alone)), outcomes=Listed(alone)) if alone else say("family.nothing"))
    if not alone:
        return tuple(said)
    for name, column in told(rows).items():
        left = survivors(rows, column)
        key = "none" if not left else "all" if len(left) >= len(alone) else "some"
        said.append(say(f"family.{key}", adjustment=Name("adjustment", name), outcomes=Listed(left)))
    return tuple(said)


def table(record: Record, speaker: Speaker, rows: Rows) -> Table:
    """One row per outcome: estimator, effect, percentage, p-values before and after, sample."""
    adjusted = told(rows)
    body = []
    for r in rows:
        places = places_for([r["std_error"]])
        scaled = record.scale(r["outcome"], r["family"]) != "level"
        cells = (
            speaker.name(r["method"], "method_short"),
            number(r["estimate"], places),
            f"({number(r['std_error'], places)})",
            percent(r["estimate"]) if scaled else MISSING,
            p_cell(r["p_value"]),
            *(p_cell(r[column]) for column in adjusted.values()),
            count(r["n_obs"]),
        )
        body.append(Row((speaker.name(r["outcome"]), *cells)))
    headings = (
        Column(speaker.ui("col.outcome"), "left"),
        Column(speaker.ui("col.method"), "left"),
        *(Column(speaker.ui(f"col.{c}")) for c in ("estimate", "std_error", "in_percent", "p")),
        *(Column(speaker.ui(f"col.{column}")) for column in adjusted.values()),
        Column(speaker.ui("col.n")),
    )
    notes = (speaker.ui("note.outcome_family"),)
    return Table("outcome-family", speaker.ui("title.outcome_family"), headings, tuple(body), tables.source_line(record, speaker), notes)
