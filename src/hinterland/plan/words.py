"""A plan in sentences: what it does, what binds it, what it falls short of."""

from __future__ import annotations

import polars as pl

from hinterland.labels import Language, catalogue, text
from hinterland.plan.frames import PLACES
from hinterland.plan.result import Plan


def sentences(plan: Plan, language: Language = "en") -> list[str]:
    """Sentences about a plan, each from a row or a sum of its frames: status, shortfalls first, then the dearest constraints, then notes."""
    out = [_status(plan, language)]
    out += [_shortfall(row, language) for row in plan.shortfalls.sort("value", descending=True).head(20).iter_rows(named=True)]
    out += [_binding(row, language) for row in binding(plan).head(10).iter_rows(named=True)]
    return out + [note.text(language) for note in plan.notes]


def binding(plan: Plan) -> pl.DataFrame:
    """Constraints that are no accounting, by what a unit of each is worth: mean and largest price and number of rows that bind, largest effect first."""
    accounting = ("C2", "C3", "C4", "objective")
    rows = plan.duals.filter(~pl.col("family").is_in(accounting) & (pl.col("price") > 0))
    keys = ("constraint", "family", "unit")
    return rows.group_by(keys).agg(price=pl.col("price").mean(), most=pl.col("price").max(), rows=pl.len()).sort("most", descending=True)


def _status(plan: Plan, language: Language) -> str:
    value = plan.objectives.filter(pl.col("objective") == plan.objective)
    unit = unit_said(value["unit"][0], language)
    aim = catalogue(language).get(f"plan.objective.{plan.objective}", plan.objective)
    state = text(f"plan.status.{plan.status}", language)
    return text("plan.said.status", language, status=state, aim=aim, value=f"{value['value'][0]:,.4g}", unit=unit, gap=f"{plan.gap:.2g}")


def _shortfall(row: dict[str, object], language: Language) -> str:
    return text(
        f"plan.said.{row['side']}",
        language,
        constraint=said(str(row["constraint"]), language),
        where=where(row, language),
        amount=f"{row['value']:,.4g}",
        unit=unit_said(str(row["unit"]), language),
    )


def _binding(row: dict[str, object], language: Language) -> str:
    unit = unit_said(str(row["unit"]), language)
    name = said(str(row["constraint"]), language)
    return text("plan.said.binding", language, constraint=name, rows=row["rows"], most=f"{row['most']:,.4g}", unit=unit)


def unit_said(unit: str, language: Language) -> str:
    """A unit in words behind a number: none that begins with a digit, where it has such words; the unit itself where it has none."""
    known = catalogue(language)
    return known.get(f"plan_unit.{unit}", known.get(f"unit.{unit}", unit))


def said(constraint: str, language: Language) -> str:
    """A constraint in words; blocks with a part of their own (``labour:trained``) name it."""
    name, _, part = constraint.partition(":")
    words = text(f"plan.constraint.{name}", language)
    return text("plan.said.part", language, constraint=words, part=part) if part else words


def where(row: dict[str, object], language: Language) -> str:
    """Place and year of a row."""
    places = [str(row[p]) for p in PLACES if row.get(p) is not None and p != "phase"]
    parts = places + ([str(row["year"])] if row.get("year") is not None else [])
    joint = text("plan.said.joint", language)
    return joint.join(parts) if parts else text("plan.said.everywhere", language)
