"""The specification curve: the estimate under every combination of choices, which choice moves it, and the curve against chance."""

from __future__ import annotations

from typing import Any

import polars as pl

from hinterland.report import figures, tables
from hinterland.report.blocks import Block, Chart, Heading, Prose
from hinterland.report.curve_figure import choice_name, curve_figure, varying
from hinterland.report.digits import ALPHA, count, decimals_for, number, p_cell, p_value, share, signed
from hinterland.report.record import Record
from hinterland.report.sentences import Listed, Name, Ref, Sentence, Speaker, Value, say
from hinterland.report.table import Heading as Column
from hinterland.report.table import Row, Table

STATISTICS = ("median", "significant", "stouffer")
INTERACTION = "interaction"
TOLD = 2
"""Further choices that are named as moving the estimate."""


def curve(record: Record, speaker: Speaker, outcome: str) -> tuple[Block, ...]:
    """The chapter's part on the curve of ``outcome``; nothing where the record has none."""
    if not record.has("specifications"):
        return ()
    frame = record.tables["specifications"].filter(pl.col("outcome") == outcome)
    if not frame.height:
        return ()
    tests = _of(record, "specification_inference", outcome)
    said = (*_intro(record, frame, outcome), *_range(frame), *_moves(record, outcome))
    family = record.headline(outcome)
    unit = figures.unit_axis(speaker, record.scale(outcome, family.family if family else "gaussian"), outcome)
    title = speaker.ui("title.curve", outcome=Name("variable", outcome))
    subtitle = speaker.ui(
        "subtitle.curve_null" if frame["null_low"].null_count() < frame.height else "subtitle.curve"
    ) + tables.source_line(record, speaker)
    alt = speaker.ui("alt.curve", n=count(frame.height), low=signed(frame["estimate"].min()), high=signed(frame["estimate"].max()))
    chart = Chart("curve", title, subtitle, alt, curve_figure(frame, speaker, unit=unit), frame)
    blocks: list[Block] = [Heading(speaker.ui("heading.curve")), Prose(said), chart]
    if tests.height:
        blocks += [*(Prose(part) for part in joint_sentences(tests, frame.height)), joint_table(record, speaker, outcome, tests)]
    shares = _of(record, "specification_shares", outcome)
    return (*blocks, *((shares_table(record, speaker, outcome, shares),) if shares.height else ()))


def _of(record: Record, table: str, outcome: str) -> pl.DataFrame:
    return record.tables[table].filter(pl.col("outcome") == outcome) if record.has(table) else pl.DataFrame()


def _intro(record: Record, frame: pl.DataFrame, outcome: str) -> tuple[Sentence, ...]:
    left = _of(record, "specification_left_out", outcome).height
    choices = Listed(tuple(Name("curve_choice", c) for c in varying(frame)))
    values: dict[str, Value] = {"figure": Ref("figure", "curve"), "n": count(frame.height), "choices": choices}
    return (say("curve.intro", **values), *((say("curve.left_out", left=count(left)),) if left else ()))


def _range(frame: pl.DataFrame) -> tuple[Sentence, ...]:
    estimates = frame["estimate"]
    up = int((estimates > 0).sum()) * 2 >= frame.height
    same = estimates > 0 if up else estimates < 0
    clear = int((same & (frame["p_value"] < ALPHA)).sum())
    values: dict[str, Value] = {
        "median": signed(estimates.median()),
        "low": signed(estimates.min()),
        "high": signed(estimates.max()),
        "same": count(int(same.sum())),
        "n": count(frame.height),
        "clear": count(clear),
    }
    base = frame.filter("baseline")
    said = (say("curve.range_up" if up else "curve.range_down", **values),)
    if not base.height:
        return said
    place = int((estimates < base["estimate"][0]).sum()) + 1
    return (*said, say("curve.baseline", estimate=signed(base["estimate"][0]), place=count(place), n=count(frame.height)))


def moved_by(row: dict[str, Any]) -> Value:
    """What moves the estimate, in words: a control by its name, else the choice."""
    return Sentence("curve.control", {"name": Name("variable", row["control"])}) if row["control"] else Name("curve_choice", row["choice"])


def _moves(record: Record, outcome: str) -> tuple[Sentence, ...]:
    shares = _of(record, "specification_shares", outcome)
    if not shares.height:
        return ()
    rows = [r for r in shares.iter_rows(named=True) if r["choice"] != INTERACTION and r["share"] is not None]
    if not rows:
        return (say("curve.nothing_moves"),)
    first, rest = rows[0], [r for r in rows[1 : 1 + TOLD] if r["share"] >= 0.01]
    said = [say("curve.moves", choice=moved_by(first), share=share(first["share"], 0), range=number(first["range"]))]
    if rest:
        named = tuple(say("curve.moved", choice=moved_by(r), share=share(r["share"], 0)) for r in rest)
        said.append(say("curve.moves_next", choices=Listed(named), table=Ref("table", "curve-shares")))
    return tuple(said)


def joint_sentences(tests: pl.DataFrame, specifications: int) -> list[tuple[Sentence, ...]]:
    """A paragraph on each joint test, what it says and means; the first starts with why they are needed."""
    parts: list[tuple[Sentence, ...]] = []
    for kind in tests["kind"].unique(maintain_order=True):
        rows = {r["statistic"]: r for r in tests.filter(pl.col("kind") == kind).iter_rows(named=True)}
        one = rows[STATISTICS[0]]
        said = [say(f"curve.{kind}", draws=count(one["draws"]), **{f"p_{s}": p_value(rows[s]["p_value"]) for s in STATISTICS})]
        if one["n_specifications"] < specifications:
            said.append(say("curve.part", n=count(one["n_specifications"]), of=count(specifications)))
        below = sum(rows[s]["p_value"] < ALPHA for s in STATISTICS)
        said.append(
            say("curve.all_clear" if below == len(STATISTICS) else "curve.none_clear" if not below else "curve.some_clear", k=count(below))
        )
        parts.append((*(() if parts else (say("curve.joint_intro", table=Ref("table", "curve")),)), *said))
    return parts


def joint_table(record: Record, speaker: Speaker, outcome: str, tests: pl.DataFrame) -> Table:
    """Observed, range under the null and p-value of each statistic, a panel per null."""
    rows: list[Row] = []
    decimals = decimals_for([abs(v) / 10 for v in tests.filter(pl.col("statistic") == "median")["observed"] if v])
    for kind in tests["kind"].unique(maintain_order=True):
        part = tests.filter(pl.col("kind") == kind)
        first = part.row(0, named=True)
        rows.append(Row((speaker.ui(f"row.curve_null_{kind}", n=count(first["n_specifications"]), draws=count(first["draws"])),), "head"))
        rows += [
            Row((speaker.ui(f"row.curve_{r['statistic']}"), *_cells(r, decimals), p_cell(r["p_value"]))) for r in part.iter_rows(named=True)
        ]
    headings = (
        Column(speaker.ui("col.curve_statistic"), "left"),
        *(Column(speaker.ui(f"col.{c}")) for c in ("curve_observed", "curve_under_null", "p")),
    )
    title = speaker.ui("title.curve_joint", outcome=Name("variable", outcome))
    return Table("curve", title, headings, tuple(rows), tables.source_line(record, speaker), (speaker.ui("note.curve_joint"),))


def _cells(row: dict[str, Any], decimals: int) -> tuple[str, str]:
    if row["statistic"] == "significant":
        told = f"{share(abs(row['observed']), 0)}% ({count(row['n_significant'])} / {count(row['n_specifications'])})"
        return told, f"[{signed(100 * row['null_low'], 0)}%, {signed(100 * row['null_high'], 0)}%]"
    places = decimals if row["statistic"] == "median" else 2
    return signed(row["observed"], places), f"[{number(row['null_low'], places)}, {number(row['null_high'], places)}]"


def shares_table(record: Record, speaker: Speaker, outcome: str, shares: pl.DataFrame) -> Table:
    """What part of the variance of the estimates each choice accounts for."""
    body = []
    for r in shares.iter_rows(named=True):
        if r["choice"] == INTERACTION:
            body.append(Row((speaker.ui("row.curve_interaction"), "", share(r["share"]) if r["share"] is not None else "–", ""), "fact"))
            continue
        name = speaker.ui("row.curve_control", name=Name("variable", r["control"])) if r["control"] else choice_name(speaker, r["choice"])
        body.append(Row((name, count(r["options"]), share(r["share"]) if r["share"] is not None else "–", number(r["range"]))))
    headings = (
        Column(speaker.ui("col.curve_choice"), "left"),
        *(Column(speaker.ui(f"col.{c}")) for c in ("curve_options", "curve_share_variance", "curve_range_means")),
    )
    title = speaker.ui("title.curve_shares", outcome=Name("variable", outcome))
    return Table("curve-shares", title, headings, tuple(body), tables.source_line(record, speaker), (speaker.ui("note.curve_shares"),))
