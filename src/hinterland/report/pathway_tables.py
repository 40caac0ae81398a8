"""Tables of the chapter of a plan: objectives, costs, what it falls short of, the pathway of each host, first moves."""

from __future__ import annotations

import json
from dataclasses import replace

import polars as pl

from hinterland.plan.specks import NOTHING, Left
from hinterland.report.digits import MISSING, compact, count, share
from hinterland.report.pathway_specks import decided, told, without_specks
from hinterland.report.pathway_words import PlanWords, change
from hinterland.report.table import Heading, Row, Table

MOST, PAPER = 60, 30
"""Rows of a long table on a page, and on paper."""


def table(
    words: PlanWords,
    key: str,
    headings: list[Heading],
    rows: list[Row],
    *notes: str,
    subtitle: str | None = None,
    decided: bool = True,
    left_out: Left = NOTHING,
) -> Table:
    """A table of the chapter, shortened where it is long. ``decided``: its numbers are the plan's, and marked; ``left_out``: what is too small to be shown."""
    said = words.notes(*notes) if decided else tuple(words.speaker.ui(f"note.{n}") for n in notes)
    said = (*said, *told(words, left_out))
    sub = words.money() if subtitle is None else subtitle
    whole = Table(f"pathway-{key}", words.speaker.ui(f"title.pathway_{key.replace('-', '_')}"), tuple(headings), tuple(rows), sub, said)
    return shortened(whole, words)


def shortened(whole: Table, words: PlanWords) -> Table:
    """The first rows of a long table, fewer on paper."""
    total = len(whole.rows)

    def cut(most: int) -> Table:
        note = words.speaker.ui("note.transfer_cut", shown=count(min(most, total)), of=count(total))
        return whole if total <= most else replace(whole, rows=whole.rows[:most], notes=(*whole.notes, note))

    return replace(cut(MOST), paper=cut(PAPER)) if total > PAPER else whole


def left(words: PlanWords, *keys: str) -> list[Heading]:
    """Headings of columns of labels."""
    return [Heading(words.speaker.ui(f"col.pathway_{k}"), "left") for k in keys]


def numbers(words: PlanWords, *keys: str) -> list[Heading]:
    """Headings of columns of numbers that the plan decides."""
    return [Heading(words.heading(k)) for k in keys]


def fresh(label: str, before: str) -> str:
    """A label, empty where the row above has the same."""
    return "" if label == before else label


def objectives(words: PlanWords) -> Table:
    """Every objective at this plan, with its unit; the one aimed at first."""
    frame = words.rows("objectives")
    order = pl.when(pl.col("objective") == words.aim).then(0).when(pl.col("objective") == "shortfall").then(2).otherwise(1)
    rows = []
    for row in frame.sort(order, maintain_order=True).iter_rows(named=True):
        aimed = words.speaker.ui("mark.pathway_aimed") if row["objective"] == words.aim else ""
        better = "" if row["objective"] == "shortfall" else words.speaker.ui(f"mark.pathway_{row['better']}")
        rows.append(Row((words.said("objective", row["objective"]), compact(row["value"]), words.unit(row["unit"]), better, aimed)))
    headings = [*left(words, "objective"), *numbers(words, "value"), *left(words, "unit", "better"), Heading("", "left")]
    return table(words, "objectives", headings, rows, "pathway_objectives")


def costs(words: PlanWords) -> Table | None:
    """Discounted cost by what it pays for, the largest first."""
    frame = words.rows("costs").filter(pl.col("value").abs() > 0) if words.rows("costs").height else words.rows("costs")
    if not frame.height:
        return None
    total = float(frame["value"].sum())
    rows = [
        Row((words.said("cost", part), compact(value), share(value / total)))
        for part, value in frame.sort(pl.col("value").abs(), "part", descending=[True, False]).iter_rows()
    ]
    rows.append(Row((words.speaker.ui("total"), compact(total), share(1.0)), "fact"))
    return table(words, "costs", [*left(words, "part"), *numbers(words, "discounted", "percent")], rows)


def shortfalls(words: PlanWords) -> Table:
    """What the plan falls short of, by constraint and place over years, the largest first."""
    frame = words.rows("shortfalls")
    keys = [c for c in frame.columns if c not in ("year", "value")]
    made = frame.group_by(keys).agg(pl.col("value").sum(), first_year=pl.col("year").min(), last_year=pl.col("year").max())
    rows = []
    for row in made.sort("value", "constraint", descending=[True, False]).iter_rows(named=True):
        side = words.speaker.ui(f"mark.pathway_{row['side']}")
        cells = (
            words.constraint(row["constraint"]),
            words.where(row),
            words.span(row),
            side,
            compact(row["value"]),
            words.unit(row["unit"]),
        )
        rows.append(Row(cells))
    headings = [*left(words, "constraint", "where", "years", "side"), *numbers(words, "amount"), *left(words, "unit")]
    return table(words, "shortfalls", headings, rows, "pathway_shortfalls", subtitle="")


def hosts(words: PlanWords) -> Table:
    """By host and phase: what moves in, from whom, what is built, and what capacity becomes."""
    rows, before = [], ""
    frame, small = without_specks(words, words.rows("pathway", level="all"), ["moved", "greenfield"])
    for row in frame.iter_rows(named=True):
        host = words.said("host", row["host"])
        cells = (
            fresh(host, before),
            words.span(row),
            compact(row["moved"], 3),
            senders(words, row),
            compact(row["greenfield"], 3),
            compact(row["capacity_start"], 4),
            compact(row["capacity_end"], 4),
            change(row["change"]),
            share(row["share_of_hosts"]),
        )
        rows.append(Row(cells))
        before = host
    headings = [*left(words, "host", "phase"), *numbers(words, "moved"), *left(words, "from"), *numbers(words, "new")]
    headings += numbers(words, "start", "end", "change", "share_of_hosts")
    return table(words, "hosts", headings, rows, "pathway_decided_in", left_out=small)


def senders(words: PlanWords, row: dict[str, object]) -> str:
    """The largest sources of a row with their parts in what moved."""
    listed = json.loads(str(row["sources"] or "[]"))
    total = float(row["moved"]) if isinstance(row["moved"], int | float) else 0.0
    if not listed or total <= 0:
        return MISSING
    return words.speaker.labelled("plan.said.joint").join(
        words.speaker.ui("mark.pathway_part", name=words.said("source", s["region"]), part=share(s["value"] / total, 0)) for s in listed[:2]
    )


def groups(words: PlanWords) -> Table | None:
    """By host and group (industries where the case has no groups): what is decided in each phase, and capacity at its end."""
    level = "group" if words.rows("pathway", level="group").height else "industry"
    frame, small = without_specks(words, words.rows("pathway", level=level), ["moved", "greenfield"])
    frame = frame.with_columns(new=pl.col("moved") + pl.col("greenfield"))
    active = pl.col("new").sum().over("host", level) > 0
    frame = frame.filter(active)
    if not frame.height:
        return None
    rows, last = [], ""
    for (host, label), part in frame.group_by("host", level, maintain_order=True):
        by = {r["phase"]: r for r in part.iter_rows(named=True)}
        found = [by.get(p) for p in words.phases["phase"]]
        cells = [cell for r in found for cell in (compact(r["new"] if r else None, 3), compact(r["capacity_end"] if r else None, 4))]
        name = words.said("host", host)
        rows.append(Row((fresh(name, last), words.said(level, label), *cells)))
        last = name
    headings = left(words, "host", level)
    for row in words.phases.iter_rows(named=True):
        headings += [Heading(words.heading(k), "right", words.span(row)) for k in ("decided", "end")]
    notes = ("pathway_decided_in", "pathway_groups") if level == "group" else ("pathway_decided_in",)
    return table(words, "groups", headings, rows, *notes, left_out=small)


def first_moves(words: PlanWords) -> Table | None:
    """What moves first to each host, and what is built there first."""
    frame = words.rows("first_moves")
    if not frame.height:
        return None
    rows, before = [], ""
    for row in frame.filter(pl.col("rank").is_null() | (pl.col("rank") <= _FIRST)).iter_rows(named=True):
        host = words.said("host", row["host"])
        year = str(row["first_year"])
        cells = (
            fresh(host, before),
            words.speaker.ui(f"mark.pathway_{row['kind']}"),
            MISSING if row["rank"] is None else count(row["rank"]),
            words.said("industry", row["industry"]),
            words.speaker.ui("mark.pathway_observed", years=year) if row["observed"] else year,
            words.said("source", row["source"]) or MISSING,
            compact(row["first_value"], 3),
            compact(row["value"], 3),
        )
        rows.append(Row(cells))
        before = host
    headings = [*left(words, "host", "kind"), Heading(words.speaker.ui("col.rank")), *left(words, "industry", "since", "source")]
    headings += numbers(words, "first_value", "total")
    return table(words, "first-moves", headings, rows, "pathway_first_moves", left_out=decided(words))


_FIRST = 5
"""Industries of each host that are shown."""
