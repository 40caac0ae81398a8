"""What follows from a plan, in sentences: each rests on rows of the record, without which it cannot be made."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from hinterland.report.advice_record import Source
from hinterland.report.digits import compact
from hinterland.report.pathway_said import TOPICS, Said, state
from hinterland.report.pathway_specks import jobs_without_specks, rows_without_specks
from hinterland.report.pathway_statements_several import choice, compared, doubt
from hinterland.report.pathway_words import PlanWords
from hinterland.report.sentences import Listed, Sentence, Value, say

_FIRST = 3
"""Industries named as first, and restrictions named as dearest."""


def statements(words: PlanWords) -> tuple[Said, ...]:
    """Everything that follows from the record's plan, by topic."""
    makers = (first, phases, support, restrictions, people, structure, choice, doubt, compared)
    made = [s for make in makers for s in make(words)]
    return tuple(s for topic in TOPICS for s in made if s.topic == topic)


def first(words: PlanWords) -> Iterator[Said]:
    """What each host takes in first; for a host that takes nothing in, what is built there first, or nothing."""
    frame = words.rows("first_moves")
    ranked = frame.filter(pl.col("rank").is_not_null()) if frame.height else frame
    for host in words.hosts:
        for kind in ("move", "new"):
            rows = ranked.filter(host=host, kind=kind).sort("rank") if ranked.height else ranked
            if rows.height:
                named = [_first(words, row) for row in rows.head(_FIRST).iter_rows(named=True)]
                sentence = say(f"pathway.first_{kind}", host=words.both("host", host), listed=Listed(tuple(named), clauses=True))
                yield state(words, "first", sentence, Source("plan_first_moves", {"host": host, "kind": kind, "observed": False}))
                break
        else:
            whole = Source("plan_pathway", {"host": host, "level": "all"})
            yield state(words, "first", say("pathway.first_nothing", host=words.both("host", host)), whole)


def _first(words: PlanWords, row: dict[str, object]) -> Sentence:
    values: dict[str, Value] = {
        "industry": words.both("industry", row["industry"]),
        "year": str(row["first_year"]),
        "first": words.amount(row["first_value"]),
        "total": words.amount(row["value"]),
    }
    if row["source"] is None:
        return Sentence("pathway.first_built", values)
    return Sentence("pathway.first_from", values | {"source": words.both("source", row["source"])})


def phases(words: PlanWords) -> Iterator[Said]:
    """How much moves and is built in each phase, and the group (or industry) and host that most of it is of; nothing where all of it is too small."""
    level = "group" if words.rows("pathway", level="group").height else "industry"
    frame = words.rows("pathway")
    whole = frame.filter(level="all").with_columns(new=pl.col("moved") + pl.col("greenfield"))
    told = rows_without_specks(words, whole.filter(pl.col("new") > 0), "new")[0]["phase"].to_list()
    for phase in (p for p in words.phases["phase"] if p in told):
        rows = whole.filter(phase=phase)
        total = float(rows["new"].sum())
        part = frame.filter(level=level, phase=phase).with_columns(new=pl.col("moved") + pl.col("greenfield"))
        lead = part.group_by(level).agg(pl.col("new").sum()).sort("new", level, descending=[True, False])
        largest = rows.sort("new", "host", descending=[True, False])
        past = bool(rows["observed"].all())
        key = "pathway.phase_past" if past else "pathway.phase"
        values: dict[str, Value] = {
            "span": words.span(rows.row(0, named=True) | {"observed": False}),
            "moved": words.amount(float(rows["moved"].sum()), past=past),
            "new": words.amount(float(rows["greenfield"].sum()), past=past),
            "host": words.both("host", largest["host"][0]),
            "host_part": words.percent(largest["new"][0] / total, past=past),
            "level": words.both("level", level),
            "lead": words.both(level, lead[level][0]),
            "lead_part": words.percent(lead["new"][0] / total, past=past),
        }
        yield state(words, "phases", Sentence(key, values), Source("plan_pathway", {"phase": phase}))


def support(words: PlanWords) -> Iterator[Said]:
    """Public money that each phase needs, by kind, and how much capacity a unit of support brings."""
    frame = words.rows("support_needed", side="need")
    if not frame.height:
        return
    large = rows_without_specks(words, frame, "amount", within=["kind"])[0]
    for phase in (p for p in words.phases["phase"] if p in large["phase"].to_list()):
        rows = frame.filter(phase=phase)
        kinds = large.filter(phase=phase).group_by("kind").agg(pl.col("public").sum()).sort("public", "kind", descending=[True, False])
        kinds = kinds.filter(pl.col("public") > 0)
        parts = [Sentence("pathway.support_part", {"kind": words.both("need", k), "amount": words.amount(v)}) for k, v in kinds.iter_rows()]
        span = words.span(rows.row(0, named=True))
        values: dict[str, Value] = {"span": span, "amount": words.amount(float(rows["public"].sum())), "parts": Listed(tuple(parts))}
        where = {"phase": phase, "side": "need"}
        yield state(words, "support", Sentence("pathway.support", values), Source("plan_support_needed", where))
        paid = large.filter(phase=phase, kind="support")
        if paid.height and float(paid["capacity"].sum()) > 0:
            brought = float(paid["capacity"].sum())
            values = {"span": span, "brought": words.amount(brought), "per_unit": words.amount(float(paid["amount"].sum()) / brought)}
            yield state(
                words, "support", Sentence("pathway.support_brings", values), Source("plan_support_needed", where | {"kind": "support"})
            )


def restrictions(words: PlanWords) -> Iterator[Said]:
    """The restrictions that cost most, those that forbid at the highest price, and what is missed."""
    frame = words.rows("restrictions")
    if not frame.height:
        return
    met = frame.filter(~pl.col("falls_short"))
    dear = met.filter(pl.col("cost").is_not_null()).head(_FIRST)
    bans = met.filter(pl.col("cost").is_null()).sort("price", descending=True).head(1)
    for row in pl.concat([dear, bans]).iter_rows(named=True):
        sentence = Sentence(f"pathway.restriction_{_restricts(row)}", _priced(words, row))
        yield state(words, "restrictions", sentence, Source("plan_restrictions", {"rank": row["rank"]}))
    missed = frame.filter(pl.col("falls_short"))
    if missed.height:
        named = tuple(words.constraint_both(c, inside=True) for c in missed["constraint"].unique(maintain_order=True))
        sentence = say("pathway.restriction_missed", listed=Listed(named))
        yield state(words, "restrictions", sentence, Source("plan_restrictions", {"falls_short": True}))


def _restricts(row: dict[str, object]) -> str:
    """Which sentence tells of a restriction: a limit or floor of its own, one both of whose ends are decided, or one that forbids."""
    if row["cost"] is None:
        return "forbids"
    return str(row["bound"]) if row["scarce_is"] == "side" else "value"


def _priced(words: PlanWords, row: dict[str, object]) -> dict[str, Value]:
    return {
        "constraint": words.constraint_both(str(row["constraint"])),
        "where": words.where_both(row),
        "span": words.span(row),
        "price": words.amount(row["price"]),
        "unit": words.unit_both(str(row["unit"])),
        "price_unit": words.unit_both(str(row["price_unit"])),
        "cost": words.amount(row["cost"]),
        "scarce": words.amount(row["scarce"]),
    }


def people(words: PlanWords) -> Iterator[Said]:
    """Jobs that leave sources, and jobs that come to hosts, in decided phases."""
    frame = words.rows("jobs")
    rows = frame.filter(~pl.col("observed")) if frame.height else frame
    if not rows.height or float(jobs_without_specks(rows, ["displaced"])[0]["displaced"].sum()) <= 0:
        return
    gone, at_hosts = rows.filter(pl.col("displaced") > 0), rows.filter(pl.col("region").is_in(words.hosts))
    by = gone.group_by("region").agg(pl.col("displaced").sum()).sort("displaced", "region", descending=[True, False])
    values: dict[str, Value] = {
        "displaced": words.amount(1e4 * float(rows["displaced"].sum())),
        "region": words.both("region", by["region"][0]),
        "most": words.amount(1e4 * by["displaced"][0]),
        "brought": words.amount(1e4 * float(rows["brought"].sum())),
        "created": words.amount(1e4 * float(at_hosts["created"].sum())),
    }
    yield state(words, "people", Sentence("pathway.jobs", values), Source("plan_jobs", {"observed": False}))


def structure(words: PlanWords) -> Iterator[Said]:
    """Whether hosts become more alike, and whether gaps between them narrow."""
    frame = words.rows("specialisation", measure="finger-kreinin")
    if frame.height:
        means = frame.group_by("year").agg(pl.col("value").mean()).sort("year")["value"]
        yield _moved(words, "alike", means, Source("plan_specialisation", {"measure": "finger-kreinin"}))
    frame = words.rows("equity", measure="theil")
    if frame.height > 1:
        yield _moved(words, "gap", frame.sort("year")["value"], Source("plan_equity", {"measure": "theil"}))


def _moved(words: PlanWords, key: str, values: pl.Series, source: Source) -> Said:
    start, end = float(values[0]), float(values[-1])
    way = "same" if compact(start, 3) == compact(end, 3) else "more" if end > start else "less"
    sentence = say(f"pathway.{key}_{way}", start=words.amount(start), end=words.amount(end))
    return state(words, "people", sentence, source)
