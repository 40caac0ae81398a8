"""What follows from several plans, in sentences: what is robust and what is a choice, what the answer hangs on, and a published pathway beside it."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from hinterland.report.advice_record import Source
from hinterland.report.digits import compact, count
from hinterland.report.pathway_choices import active, swings, widest
from hinterland.report.pathway_said import Said, state
from hinterland.report.pathway_words import PlanWords
from hinterland.report.sentences import Both, Listed, Sentence, Value

_FIRST = 3
"""Parameters named as those that move the objective most."""


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
    frame = active(words)
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
            "parameter": _started(words.parameter_both(row)),
            "basis": words.both("basis", row["basis"]),
            "low": words.amount(row["at_low"], 4),
            "high": words.amount(row["at_high"], 4),
            "unit": words.unit_both(row["unit"]),
        }
        key = "swing" if row["again"] else "swing_prices"
        yield state(
            words,
            "doubt",
            Sentence(f"pathway.{key}", values),
            Source("plan_sensitivity", {k: row[k] for k in ("parameter", "of") if k in row}),
        )
    for table, told in WORTH.items():
        frame = words.rows(table)
        for row in (frame.filter(pl.col("measure").is_in(told)) if frame.height else frame).iter_rows(named=True):
            values = {"measure": words.both("measure", row["measure"]), "value": words.amount(row["value"], 4)}
            values |= {"unit": words.unit_both(row["unit"])}
            source = Source(f"plan_{table}", {"measure": row["measure"]})
            yield state(words, "doubt", Sentence("pathway.worth", values), source)


WORTH = {"continuity": ("continuity-value",), "scenarios": ("evpi", "vss")}
"""Measures of each table that are told: what commitment is worth; knowing, and minding uncertainty."""


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
