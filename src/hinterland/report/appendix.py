"""The appendix: how the numbers were computed, every note of the estimators, and, for simulated data, the truth."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from itertools import groupby

import polars as pl

from hinterland.labels import Note, catalogue
from hinterland.report.blocks import Block, Heading, Prose
from hinterland.report.digits import MINUS, count, number
from hinterland.report.record import Estimate, Record
from hinterland.report.sentences import Ref, Sentence, Speaker, bracketed, say
from hinterland.report.table import Heading as Column
from hinterland.report.table import Row, Table


def appendix(record: Record, speaker: Speaker) -> tuple[Block, ...]:
    """Truth (simulated data only), notes, inputs, versions, steps."""
    blocks: list[Block] = []
    found = truths(record, speaker)
    if found:
        blocks += [
            Heading(speaker.ui("heading.truth")),
            Prose((say("truth.intro", table=Ref("table", "truth")), *_coverage(found))),
            truth_table(speaker, found),
        ]
    if record.has("notes"):
        blocks += [Heading(speaker.ui("heading.notes")), notes_table(record, speaker)]
    blocks += [
        Heading(speaker.ui("heading.computed")),
        Prose((say("computed.intro", seed=str(record.run.get("seed", "–")), version=str(record.run.get("hinterland", "–"))),)),
    ]
    blocks += [t for t in (inputs_table(record, speaker), steps_table(record, speaker), versions_table(record, speaker)) if t.rows]
    return tuple(blocks)


@dataclass(frozen=True, slots=True)
class Truth:
    """One truth of a simulated world and the estimate that aims at it. ``term`` is the cohort, period or event time, if any."""

    definition: str
    effects_id: str
    term: str
    value: float
    estimate: Estimate

    @property
    def covered(self) -> bool:
        """Whether the pointwise interval holds the truth."""
        return self.estimate.conf_low <= self.value <= self.estimate.conf_high


_TERM = {"event-time": "event_time", "cohort": "cohort", "calendar": "time"}


def truths(record: Record, speaker: Speaker) -> tuple[Truth, ...]:
    """Every truth that an estimate of the record aims at: averages, and terms by cohort, period or event time."""
    if not record.has("truth", "effects"):
        return ()
    found = []
    effects = {key[0]: frame for key, frame in record.tables["effects"].group_by("effects_id", maintain_order=True)}
    for row in record.tables["truth"].filter(pl.col("effects_id").is_not_null()).iter_rows(named=True):
        parts = str(row["parameter"]).split("/")
        rows = effects.get(row["effects_id"], pl.DataFrame())
        column = next((_TERM[p] for p in parts if p in _TERM), None)
        if column is not None and rows.height:
            rows = rows.filter((pl.col(column).cast(pl.String) == parts[-1]) & pl.col("estimate").is_not_null())
        if rows.height == 1 and row["value"] is not None:
            definition = _definition(speaker, parts, str(row.get("definition") or row["parameter"]))
            term = "" if column is None else parts[-1].replace("-", MINUS)
            found.append(Truth(definition, row["effects_id"], term, float(row["value"]), Estimate.of(rows.row(0, named=True))))
    return tuple(found)


def _definition(speaker: Speaker, parts: list[str], recorded: str) -> str:
    key = f"truth.{parts[0]}-{parts[2]}" if len(parts) > 2 else ""
    texts = catalogue(speaker.language)
    return texts[key].format(outcome=texts.get(f"world_outcome.{parts[1]}", parts[1])) if key in texts else recorded


def _coverage(found: tuple[Truth, ...]) -> tuple[Sentence, ...]:
    paired = [t for t in found if math.isfinite(t.estimate.conf_low)]
    return (say("truth.coverage", inside=count(sum(t.covered for t in paired)), n=count(len(paired))),) if paired else ()


def truth_table(speaker: Speaker, found: tuple[Truth, ...]) -> Table:
    """What is true in the simulated world against what was estimated, one panel per estimand."""
    rows: list[Row] = []
    for (effects_id, definition), group in groupby(found, key=lambda t: (t.effects_id, t.definition)):
        rows.append(Row((bracketed(definition.rstrip(".。"), _estimator(speaker, effects_id), speaker.language),), "head"))
        for t in group:
            e = t.estimate
            interval = f"[{number(e.conf_low)}, {number(e.conf_high)}]"
            cells = (number(t.value), number(e.estimate), interval, speaker.ui("yes" if t.covered else "no"))
            rows.append(Row((t.term or speaker.ui("average"), *cells)))
    headings = (
        Column(speaker.ui("col.term"), "left"),
        *(Column(speaker.ui(f"col.{c}")) for c in ("truth", "estimate", "pointwise", "covers")),
    )
    return Table("truth", speaker.ui("title.truth"), headings, tuple(rows), speaker.ui("subtitle.truth"), (speaker.ui("note.truth"),))


def _estimator(speaker: Speaker, effects_id: str) -> str:
    """The estimator of an id ``OUTCOME/METHOD/AGGREGATION``, with what sets it apart after ``@``."""
    name, _, apart = effects_id.partition("@")
    method = name.split("/")[1] if name.count("/") else name
    return speaker.name(method, "method_short") + (f", {speaker.name(apart, 'region')}" if apart else "")


def notes_table(record: Record, speaker: Speaker) -> Table:
    """Every note of every step, said in the language of the report; on paper the first of each kind and how many there are."""
    merged: dict[str, list[str]] = {}
    kinds: dict[str, dict[str, None]] = {}
    for scope, code, values in record.tables["notes"].select("scope", "code", "values").iter_rows():
        said = note_text(speaker, code, values)
        merged.setdefault(said, []).append(scope)
        kinds.setdefault(code, {})[said] = None
    title, heading = speaker.ui("title.notes"), Column(speaker.ui("col.note"), "left")
    rows = tuple(Row((said, _scopes(scopes, speaker))) for said, scopes in merged.items())
    firsts = tuple(Row((next(iter(said)), count(len(said)))) for said in kinds.values())
    note = speaker.ui("note.notes_short", n=count(len(merged)))
    short = Table("notes", title, (heading, Column(speaker.ui("col.alike"))), firsts, notes=(note,))
    return Table("notes", title, (heading, Column(speaker.ui("col.scope"), "left")), rows, paper=short)


def _scopes(scopes: list[str], speaker: Speaker) -> str:
    unique = list(dict.fromkeys(scopes))
    return ", ".join(unique[:3]) + (speaker.ui("and_more", n=len(unique) - 3) if len(unique) > 3 else "")


def note_text(speaker: Speaker, code: str, values: str | None) -> str:
    """A note in words; the code and its values where the label files do not hold it."""
    fields = json.loads(values or "{}")
    if f"note.{code}" not in catalogue(speaker.language):
        return f"{code} {values or ''}".strip()
    try:
        return Note(code, fields).text(speaker.language)
    except KeyError:  # a record written by another version may lack a value that the text now asks for
        return f"{code} {values or ''}".strip()


def inputs_table(record: Record, speaker: Speaker) -> Table:
    """Every input file with its hash."""
    rows = [Row((str(i.get("path")), count(i.get("bytes")), str(i.get("sha256"))[:16])) for i in record.run.get("inputs", [])]
    headings = (Column(speaker.ui("col.file"), "left"), Column(speaker.ui("col.bytes")), Column("SHA-256", "left"))
    return Table("inputs", speaker.ui("title.inputs"), headings, tuple(rows), "", (speaker.ui("note.hashes"),))


def steps_table(record: Record, speaker: Speaker) -> Table:
    """Every step of the run with its state, time and hash; on paper one row per kind."""
    rows = [
        Row(
            (
                str(s.get("id")),
                speaker.name(str(s.get("status")), "step_status"),
                number(s.get("seconds"), 2),
                str(s.get("hash") or "")[:12],
            )
        )
        for s in record.run.get("steps", [])
    ]
    headings = (
        Column(speaker.ui("col.step"), "left"),
        Column(speaker.ui("col.status"), "left"),
        Column(speaker.ui("col.seconds")),
        Column(speaker.ui("col.hash"), "left"),
    )
    return Table("steps", speaker.ui("title.steps"), headings, tuple(rows), paper=_kinds_of_steps(record, speaker))


def _kinds_of_steps(record: Record, speaker: Speaker) -> Table:
    steps = [(str(s.get("id")).partition("/")[0], s) for s in record.run.get("steps", [])]
    rows = []
    for kind in dict.fromkeys(k for k, _ in steps):
        own = [s for k, s in steps if k == kind]
        states = dict.fromkeys(speaker.name(str(s.get("status")), "step_status") for s in own)
        rows.append(Row((kind, count(len(own)), ", ".join(states), number(sum(float(s.get("seconds") or 0) for s in own), 2))))
    headings = (
        Column(speaker.ui("col.step"), "left"),
        Column(speaker.ui("col.how_many")),
        Column(speaker.ui("col.status"), "left"),
        Column(speaker.ui("col.seconds")),
    )
    return Table("steps", speaker.ui("title.steps"), headings, tuple(rows), notes=(speaker.ui("note.steps_short"),))


def versions_table(record: Record, speaker: Speaker) -> Table:
    """Versions of everything that computed something."""
    rows = [Row((str(name), str(version))) for name, version in sorted(record.run.get("versions", {}).items())]
    return Table(
        "versions",
        speaker.ui("title.versions"),
        (Column(speaker.ui("col.software"), "left"), Column(speaker.ui("col.version"), "left")),
        tuple(rows),
    )
