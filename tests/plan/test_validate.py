"""A plan's rules derived a second time: kept by plans that are made, and broken, each under its family, by plans that are altered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import polars as pl
import pytest
from cases import every
from random_cases import random_case

from hinterland.plan.case import read_problem
from hinterland.plan.entry import plan
from hinterland.plan.problem import Problem
from hinterland.plan.result import Plan
from hinterland.plan.settings import FAMILIES, OBJECTIVES
from hinterland.plan.validate import checked, validate


def altered(p: Plan, frame: str, column: str, value: Callable[[pl.Expr], pl.Expr], **where: Any) -> Plan:
    """The plan with a column of a frame changed in the rows that carry these labels, of which there is at least one."""
    table: pl.DataFrame = getattr(p, frame)
    rows = pl.all_horizontal(pl.col(k) == v for k, v in where.items()) if where else pl.lit(True)
    assert table.filter(rows).height, f"no row of {frame} has {where}"
    changed = table.with_columns(pl.when(rows).then(value(pl.col(column))).otherwise(pl.col(column)).alias(column))
    return replace(p, **{frame: changed})


def added(p: Plan, frame: str, **row: Any) -> Plan:
    """The plan with a further row in a frame; columns that are not named are null."""
    table: pl.DataFrame = getattr(p, frame)
    return replace(p, **{frame: pl.concat([table, pl.DataFrame([row]).cast({k: table.schema[k] for k in row})], how="diagonal")})


def by(amount: float) -> Callable[[pl.Expr], pl.Expr]:
    return lambda column: column + amount


def times(factor: float) -> Callable[[pl.Expr], pl.Expr]:
    return lambda column: column * factor


def test_base_plans_keep_every_rule(tiny_plan: Plan, every_plan: Plan) -> None:
    for made in (tiny_plan, every_plan):
        broken = validate(made, tolerance=1e-6)
        assert broken.height == 0, broken


def test_every_family_was_checked(every_plan: Plan) -> None:
    rows = checked(every_plan).checked
    assert {f for f in FAMILIES if rows.get(f, 0) == 0} == set()


def test_every_family_binds_in_the_base_plan(every_plan: Plan) -> None:
    assert set(FAMILIES) - set(every_plan.duals["family"]) == set()
    assert every_plan.shortfalls.height == 0


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_plans_of_every_objective_keep_every_rule(every_problem: Problem, every_plan: Plan, objective: str) -> None:
    made = plan(every_problem, objective, model=every_plan.model)
    assert validate(made).height == 0, validate(made)


def test_plans_that_fall_short_keep_the_rest() -> None:
    """With a tenth of the carbon most rows of several families give way; what is reported covers what is missing."""
    case = every()
    tight = case["limits"].with_columns(pl.when(pl.col("resource") == "carbon").then(pl.col("value") / 10).otherwise(pl.col("value")))
    made = plan(read_problem({**case, "limits": tight}))
    assert made.shortfalls.height > 5
    assert validate(made).height == 0, validate(made)
    hidden = validate(replace(made, shortfalls=made.shortfalls.clear()))
    reported = set(made.shortfalls["constraint"])
    assert set(hidden["constraint"]) == reported


@pytest.mark.parametrize("seed", range(4))
def test_plans_of_random_cases_keep_every_rule(seed: int) -> None:
    """Other numbers, fewer tables, limits that begin later, other settings: the two derivations of the rules agree; much falls short here."""
    case, settings = random_case(seed)
    made = plan(read_problem(case, settings=settings))
    assert made.status == "optimal"
    assert made.shortfalls.height
    assert validate(made).height == 0, validate(made)


def test_a_plan_with_exact_differences_keeps_them() -> None:
    made = plan(read_problem(every(), settings={"similarity": "exact", "continuity": 0.1}))
    assert validate(made).height == 0, validate(made)


ALTERATIONS: dict[str, list[tuple[str, Callable[[Plan], Plan]]]] = {
    "C1": [
        ("release_in_year", lambda p: altered(p, "flows", "value", by(40.0), host="plain", industry="cloth", year=2026)),
        ("release_in_all", lambda p: altered(p, "flows", "value", by(1.0), host="plain", industry="cloth", year=2026)),
    ],
    "C2": [
        ("capacity", lambda p: altered(p, "capacity", "capacity", by(1.0), region="hill", industry="cloth", year=2028)),
        ("departures", lambda p: altered(p, "capacity", "departures", by(1.0), region="east", industry="cloth", year=2027)),
        ("arrivals", lambda p: altered(p, "capacity", "arrivals", by(1.0), region="hill", industry="cloth", year=2027)),
        ("observed_capacity", lambda p: altered(p, "capacity", "capacity", by(1.0), region="east", industry="power", year=2025)),
        ("observed_move", lambda p: altered(p, "flows", "value", by(0.5), host="hill", year=2025)),
        ("observed_greenfield", lambda p: altered(p, "capacity", "greenfield", by(0.5), region="east", industry="power", year=2025)),
        ("unexplained", lambda p: altered(p, "capacity", "unexplained", by(0.5), region="east", industry="power", year=2027)),
        ("move_in_time", lambda p: added(p, "flows", source="east", host="hill", industry="cloth", year=2031, value=1.0)),
        ("greenfield_in_time", lambda p: altered(p, "capacity", "greenfield", by(1.0), region="hill", industry="power", year=2030)),
        ("move_without_place", lambda p: added(p, "flows", source="hill", host="east", industry="cloth", year=2027, value=1.0)),
        ("greenfield_sign", lambda p: altered(p, "capacity", "greenfield", by(-1.0), region="hill", industry="power", year=2031)),
    ],
    "C3": [
        ("output", lambda p: altered(p, "capacity", "output", times(1.5), region="plain", industry="chips", year=2029)),
        ("output_sign", lambda p: altered(p, "capacity", "output", times(-1.0), region="plain", industry="chips", year=2029)),
    ],
    "C4": [
        ("balance", lambda p: altered(p, "capacity", "output", times(0.9), region="east", industry="cloth", year=2030)),
        ("trade_least", lambda p: altered(p, "trade", "value", times(0.0), origin="east", destination="hill", industry="chips", year=2026)),
        ("imports", lambda p: altered(p, "abroad", "imports", by(9.0), region="east", year=2027)),
        ("export_pattern", lambda p: altered(p, "abroad", "exports", by(20.0), region="plain", market="sea", year=2027)),
        ("markets", lambda p: altered(p, "abroad", "exports", times(0.0), region="east", market="sea", year=2027)),
    ],
    "C5": [
        ("service", lambda p: altered(p, "infrastructure", "service", by(1.0), region="hill", kind="park", year=2028)),
        ("investment", lambda p: altered(p, "infrastructure", "investment", by(41.0), region="hill", kind="park", year=2027)),
        ("infrastructure:park", lambda p: altered(p, "infrastructure", "service", times(0.5), region="hill", kind="park", year=2028)),
    ],
    "C6": [
        ("people:trained", lambda p: altered(p, "people", "people", by(0.01), region="plain", skill="trained", year=2028)),
        ("migration:plain", lambda p: altered(p, "people", "migrants", by(0.5), region="hill", skill="plain", year=2028)),
        ("training:trained", lambda p: altered(p, "people", "trained", by(0.1), region="plain", skill="trained", year=2028)),
        ("labour:trained", lambda p: altered(p, "people", "people", times(0.5), region="hill", skill="trained", year=2028)),
    ],
    "C7": [
        ("use:land", lambda p: altered(p, "resources", "used", by(0.1), region="hill", resource="land", year=2028)),
        ("limit:land", lambda p: altered(p, "resources", "used", by(3.0), region="hill", resource="land", year=2028)),
    ],
    "C8": [
        ("limit:carbon", lambda p: altered(p, "resources", "banked", by(500.0), region="hill", resource="carbon", year=2031)),
        ("national:carbon", lambda p: altered(p, "resources", "used", by(20.0), region="east", resource="carbon", year=2031)),
    ],
    "C9": [
        ("compensation", lambda p: altered(p, "money", "compensation", by(1.0), region="hill", year=2028)),
        ("levy", lambda p: altered(p, "money", "levy", by(3.0), region="east", year=2028)),
        ("budget", lambda p: altered(p, "infrastructure", "investment", by(30.0), region="plain", kind="transport", year=2026)),
        ("national_budget", lambda p: altered(p, "infrastructure", "investment", by(15.0), region="plain", kind="park", year=2026)),
    ],
    "C10": [
        ("intake", lambda p: altered(p, "capacity", "greenfield", by(20.0), region="hill", industry="cloth", year=2028)),
        ("support_step", lambda p: _support(p, 2.0, segment=1)),
        ("support_cap", lambda p: _support(_support(p, 1.0, segment=1), 3.0, segment=2)),
    ],
    "C11": [
        ("agreements", lambda p: altered(p, "enclaves", "active", times(0.0), enclave="east-hill", year=2026)),
        ("starts", lambda p: altered(p, "enclaves", "started", times(0.0), enclave="east-hill")),
        ("terms:3", lambda p: altered(p, "enclaves", "active", times(0.0), enclave="east-hill", year=2027)),
        ("active_or_not", lambda p: altered(p, "enclaves", "active", times(0.5), enclave="east-hill", year=2028)),
        ("menus", lambda p: altered(p, "enclaves", "active", lambda _: pl.lit(1.0), enclave="east-plain")),
        ("agreements_of_host", lambda p: altered(p, "enclaves", "active", lambda _: pl.lit(1.0), enclave="east-plain")),
    ],
    "C12": [("revenue", lambda p: altered(p, "enclaves", "shared", times(0.5), enclave="east-hill", year=2028))],
    "C13": [
        ("steps_of_size", lambda p: altered(p, "sizes", "filled", by(1.0), segment=1, year=2028)),
        ("step_open", lambda p: altered(p, "sizes", "reached", times(0.0), segment=1, year=2031)),
        ("step_full", lambda p: altered(p, "sizes", "filled", by(-5.0), segment=1, year=2031)),
    ],
    "C14": [("price_of_crowding", lambda p: altered(p, "costs", "value", times(0.5), part="congestion"))],
    "C15": [
        ("specialisation", lambda p: altered(p, "capacity", "capacity", by(20.0), region="hill", industry="cloth", year=2030)),
        ("similarity", lambda p: altered(p, "capacity", "capacity", by(40.0), region="hill", industry="cloth", year=2031)),
    ],
    "C16": [("security_share", lambda p: altered(p, "capacity", "output", times(0.8), industry="chips", year=2031))],
    "C17": [("backup", lambda p: altered(p, "capacity", "capacity", times(0.8), industry="chips", year=2026))],
    "C18": [
        ("jobs_at_sources", lambda p: altered(p, "capacity", "output", times(0.3), region="east", year=2029)),
        ("floors_of_jobs", lambda p: altered(p, "capacity", "output", times(0.5), region="hill", year=2029)),
    ],
    "C19": [
        ("equity", lambda p: altered(p, "capacity", "output", times(0.2), region="plain", year=2029)),
        ("range", lambda p: altered(p, "capacity", "output", times(1.2), region="hill", year=2029)),
    ],
    "C20": [
        ("gate:roads-first", lambda p: altered(p, "infrastructure", "investment", times(0.0), kind="transport")),
        ("gate:later", lambda p: altered(p, "capacity", "greenfield", by(1.0), region="hill", industry="power", year=2027)),
        ("gate:emerging-by-end", lambda p: altered(p, "capacity", "capacity", times(0.5), industry="chips", year=2031)),
        ("gate:clean-only", lambda p: altered(p, "capacity", "greenfield", by(1.0), region="hill", industry="power", year=2029)),
    ],
    "C21": [
        ("ramp_up", lambda p: altered(p, "capacity", "capacity", times(1.5), region="hill", industry="chips", year=2029)),
        ("ramp_down", lambda p: altered(p, "capacity", "capacity", times(0.8), region="east", industry="power", year=2029)),
    ],
    "C22": [("role:chips-hill", lambda p: altered(p, "capacity", "capacity", times(1.2), region="plain", industry="chips", year=2029))],
}


def _support(p: Plan, amount: float, segment: int) -> Plan:
    labels = {"region": "hill", "industry": "cloth", "instrument": "land", "year": 2028}
    return added(p, "support", **labels, segment=str(segment) if p.support.schema["segment"] == pl.String else segment, value=amount)


def test_there_is_an_alteration_of_every_family() -> None:
    assert set(ALTERATIONS) == set(FAMILIES)


@pytest.mark.parametrize(
    ("family", "constraint", "alter"),
    [(f, c, a) for f, cases in ALTERATIONS.items() for c, a in cases],
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_an_altered_plan_is_caught_under_its_family(every_plan: Plan, family: str, constraint: str, alter: Callable[[Plan], Plan]) -> None:
    broken = validate(alter(every_plan))
    found = broken.filter(pl.col("constraint") == constraint)
    assert found.height, broken
    assert set(found["family"]) == {family}
    assert (found["violation"] > 0).all() and (found["relative"] > 1e-6).all()


def test_a_violation_is_as_large_as_the_alteration(every_plan: Plan) -> None:
    """Half a unit more land in use at the hill than its output takes breaks the account by half a unit, there and then."""
    broken = validate(altered(every_plan, "resources", "used", by(0.5), region="hill", resource="land", year=2028))
    row = broken.filter(pl.col("constraint") == "use:land").to_dicts()
    assert [(r["where"], r["year"], r["unit"]) for r in row] == [("hill", 2028, "km2")]
    assert row[0]["violation"] == pytest.approx(0.5, abs=1e-9)


def test_a_price_of_change_that_is_too_low_is_caught() -> None:
    made = plan(read_problem(every(), settings={"continuity": 0.02}))
    assert made.support.height
    assert validate(made).height == 0
    broken = validate(altered(made, "costs", "value", times(0.9), part="continuity"))
    assert broken["constraint"].to_list() == ["price_of_change"]
