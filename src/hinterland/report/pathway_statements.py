"""What follows from a plan, in sentences: each rests on rows of the record, without which it cannot be made."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import polars as pl

from hinterland.report.advice_record import Source
from hinterland.report.digits import compact, count
from hinterland.report.pathway_choices import swings, widest
from hinterland.report.pathway_words import PlanWords
from hinterland.report.sentences import Both, Listed, Sentence, Value, say

Topic = Literal["first", "phases", "support", "restrictions", "people", "choice", "doubt", "compared"]
TOPICS: tuple[Topic, ...] = ("first", "phases", "support", "restrictions", "people", "choice", "doubt", "compared")

_FIRST = 3
"""Industries named as first, and restrictions named as dearest."""


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
    """How much moves and is built in each phase, and the group (or industry) and host that most of it is of."""
    level = "group" if words.rows("pathway", level="group").height else "industry"
    frame = words.rows("pathway")
    for phase in words.phases["phase"]:
        rows = frame.filter(level="all", phase=phase).with_columns(new=pl.col("moved") + pl.col("greenfield"))
        total = float(rows["new"].sum())
        if total <= 0:
            continue
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
    for phase in words.phases["phase"]:
        rows = frame.filter(phase=phase)
        if not rows.height:
            continue
        kinds = rows.group_by("kind").agg(pl.col("public").sum()).sort("public", "kind", descending=[True, False])
        kinds = kinds.filter(pl.col("public") > 0)
        parts = [Sentence("pathway.support_part", {"kind": words.both("need", k), "amount": words.amount(v)}) for k, v in kinds.iter_rows()]
        span = words.span(rows.row(0, named=True))
        values: dict[str, Value] = {"span": span, "amount": words.amount(float(rows["public"].sum())), "parts": Listed(tuple(parts))}
        where = {"phase": phase, "side": "need"}
        yield state(words, "support", Sentence("pathway.support", values), Source("plan_support_needed", where))
        paid = rows.filter(kind="support")
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
    if not rows.height or float(rows["displaced"].sum()) <= 0:
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


def _moved(words: PlanWords, key: str, values: Sequence[float] | pl.Series, source: Source) -> Said:
    start, end = float(values[0]), float(values[-1])
    way = "same" if compact(start, 3) == compact(end, 3) else "more" if end > start else "less"
    sentence = say(f"pathway.{key}_{way}", start=words.amount(start), end=words.amount(end))
    return state(words, "people", sentence, source)


def choice(words: PlanWords) -> Iterator[Said]:
    """What every plan within the slack has, what none has, and what is free; and what the front says."""
    frame = widest(words)
    for verdict in ("must-have", "must-avoid", "free"):
        rows = frame.filter(verdict=verdict) if frame.height else frame
        if rows.height:
            pairs = rows.unique(["host", "group"], maintain_order=True)
            named = tuple(
                Sentence("pathway.pair", {"host": words.both("host", h), "group": words.both("group", g)})
                for h, g in pairs.select("host", "group").head(6).iter_rows()
            )
            slack = compact(100 * float(rows["slack"][0]), 2)
            values: dict[str, Value] = {"slack": slack, "n": words.amount(pairs.height), "listed": Listed(named)}
            sentence = Sentence(f"pathway.choice_{verdict.replace('-', '_')}", values)
            yield state(words, "choice", sentence, Source("plan_alternatives", {"verdict": verdict, "slack": rows["slack"][0]}))
    yield from _front(words)


def _front(words: PlanWords) -> Iterator[Said]:
    """The ends of the front: what the best of the second objective costs in the first."""
    frame = words.rows("pareto")
    if not frame.height or frame["point"].n_unique() < 2:
        return
    names = frame["objective"].unique(maintain_order=True).to_list()
    wide = frame.pivot("objective", index="point", values="value")
    units = dict(frame.select("objective", "unit").iter_rows())
    better = words.rows("objectives")
    down = dict(better.select("objective", "better").iter_rows()) if better.height else {}
    for other in names[1:]:
        ends = wide.sort(other, descending=down.get(other) == "more")
        values: dict[str, Value] = {"first": words.both("objective", names[0]), "other": words.both("objective", other)}
        values |= {"unit": words.unit_both(units[names[0]]), "other_unit": words.unit_both(units[other])}
        for name, at in (("best", 0), ("worst", -1)):
            values |= {f"other_{name}": words.amount(ends[other][at]), f"first_{name}": words.amount(ends[names[0]][at], 4)}
        yield state(words, "choice", Sentence("pathway.front", values), Source("plan_pareto"))


def doubt(words: PlanWords) -> Iterator[Said]:
    """The parameters that move the objective most, and what commitment to policy is worth."""
    frame = swings(words)
    for row in (frame.drop_nulls("swing").head(_FIRST) if frame.height else frame).iter_rows(named=True):
        values: dict[str, Value] = {
            "parameter": _started(words.both("parameter", row["parameter"])),
            "basis": words.both("basis", row["basis"]),
            "low": words.amount(row["at_low"], 4),
            "high": words.amount(row["at_high"], 4),
            "unit": words.unit_both(row["unit"]),
        }
        key = "swing" if row["again"] else "swing_prices"
        yield state(words, "doubt", Sentence(f"pathway.{key}", values), Source("plan_sensitivity", {"parameter": row["parameter"]}))
    frame = words.rows("continuity")
    for row in frame.iter_rows(named=True):
        values = {
            "measure": words.both("measure", row["measure"]),
            "value": words.amount(row["value"], 4),
            "unit": words.unit_both(row["unit"]),
        }
        yield state(words, "doubt", Sentence("pathway.continuity", values), Source("plan_continuity", {"measure": row["measure"]}))


def _started(words: Both) -> Both:
    """A name that begins a sentence."""
    return Both(words.en[:1].upper() + words.en[1:], words.zh)


def compared(words: PlanWords) -> Iterator[Said]:
    """How many recommendations of the published pathway the plan agrees with; which it does not; what was imposed, and how that looks without roles."""
    frame = words.rows("compared")
    if not frame.height:
        return
    sizes = {v: frame.filter(verdict=v).height for v in ("agrees", "disagrees", "imposed", "cannot")}
    values: dict[str, Value] = {"n": count(frame.height), **{v: count(n) + words.sign for v, n in sizes.items()}}
    yield state(words, "compared", Sentence("pathway.compared", values), Source("plan_compared"))
    for row in frame.filter(verdict="disagrees").iter_rows(named=True):
        yield _recommendation(words, "compared_disagrees", row)
    second = frame["verdict_without"].null_count() < frame.height
    for row in frame.filter(pl.col("verdict") == "imposed").iter_rows(named=True):
        known = second and row["verdict_without"] in ("agrees", "disagrees")
        yield _recommendation(words, f"compared_imposed_{row['verdict_without']}" if known else "compared_imposed", row)


def _recommendation(words: PlanWords, key: str, row: dict[str, object]) -> Said:
    unit = str(row["unit"]) if row["unit"] else None
    values: dict[str, Value] = {
        "statement": Both(str(row["statement_en"]).rstrip("."), str(row["statement_zh"]).rstrip("。")),
        "claim": words.both("claim", row["test"]),
        "value": words.amount(row["value"]),
        "threshold": words.amount(row["threshold"]),
        "unit": words.unit_both(unit),
    }
    if key.startswith("compared_imposed"):
        told = tuple(words.constraint_both(c, inside=True) for c in str(row["imposed_by"]).split(";") if c)
        values |= {"by": Listed(told), "without": words.amount(row["value_without"]), "against": words.amount(row["threshold_without"])}
    return state(words, "compared", Sentence(f"pathway.{key}", values), Source("plan_compared", {"id": row["id"]}))
