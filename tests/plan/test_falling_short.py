"""Ambitions that cannot be met: the plan says which constraint, where, when and by how much, and there is always a plan.

The case: a coast and two hosts with nothing to decide. Nothing moves, wears out or is built; the coast has 100 of chips, inland 10, upland 20, and each region
wants just what it can make, but for what a test changes. One year, no trade.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import polars as pl
import pytest
from broken_cases import Break, both, put, table

from hinterland.plan.case import read_problem
from hinterland.plan.entry import plan
from hinterland.plan.result import Plan
from hinterland.plan.validate import validate

REGIONS = ["coast", "inland", "upland"]
Case = dict[str, Any]


def still() -> Case:
    """The case of the module's docstring; cloth is a second industry that nobody makes or wants."""
    cells = {"region": [r for r in REGIONS for _ in range(2)], "industry": ["chips", "cloth"] * 3}
    return {
        "regions": pl.DataFrame({"region": REGIONS, "source": [True, False, False], "host": [False, True, True], "population": [50.0] * 3}),
        "industries": pl.DataFrame({"industry": ["chips", "cloth"], "depreciation": [0.0] * 2, "relocatable": [False] * 2}),
        "years": pl.DataFrame({"year": [2026]}),
        "phases": pl.DataFrame({"phase": ["all"]}),
        "cells": pl.DataFrame({**cells, "capacity": [100.0, 0, 10, 0, 20, 0], "operating_cost": [0.5] * 6}),
        "demand": pl.DataFrame({**cells, "demand": [100.0, 0, 10, 0, 20, 0]}),
        "paths": pl.DataFrame({"parameter": ["greenfield_limit"], "value": [0.0]}),
    }


def rising(*changes: Break) -> Break:
    """Two years, the first observed, in which 50 of chips came inland on record, decided before any rule: inland has 10 and then 60."""
    return both(
        table("years", year=[2025, 2026], observed=[True, False]),
        put("industries", lead=1),
        table("arcs", source=["coast"], host=["inland"], industry=["chips"]),
        table("moves", source=["coast"], host=["inland"], industry=["chips"], year=[2025], flow=[50.0]),
        put("demand", demand=[50.0, 0, 10, 0, 20, 0]),
        *changes,
    )


LAND = both(
    table("resources", resource=["land"], base=["capacity"]),
    table("intensities", resource=["land"], industry=["chips"], value=[2.0]),
)
FEW = both(
    table("skills", skill=["any"]),
    table("staffing", industry=["chips", "cloth"], skill=["any"] * 2, value=[0.1, 30.1]),
)
LESS = put("demand", demand=[40.0, 0, 10, 0, 20, 0])

AMBITIONS: list[tuple[str, Break, dict[str, Any], float]] = [
    # demand 115 of the coast against 100
    ("balance", put("demand", demand=[115.0, 0, 10, 0, 20, 0]), {"region": "coast", "industry": "chips", "side": "short"}, 15.0),
    # 30 must travel inland, where 10 are wanted and nothing need be made: 20 are left over
    (
        "balance",
        both(
            table("routes", industry=["chips"], origin=["coast"], destination=["inland"], flow=[30.0], new=[0.0], cost=[0.0]),
            put("demand", demand=[70.0, 0, 10, 0, 20, 0]),
            table("phases", phase=["all"], trade_flexibility=[0.0]),
        ),
        {"region": "inland", "industry": "chips", "side": "over"},
        20.0,
    ),
    # the market asks for 8 that the coast does not have; what is not sent saves its way
    (
        "markets",
        table("exports", region=["coast"], industry=["chips"], market=["sea"], flow=[8.0], cost=[0.1]),
        {"good": "sea/chips", "side": "short"},
        8.0,
    ),
    # capacity of 100 where 70 are allowed
    (
        "capacity_limit",
        table(
            "paths", parameter=["greenfield_limit", "capacity_limit"], region=[None, "coast"], industry=[None, "chips"], value=[0.0, 70.0]
        ),
        {"region": "coast", "industry": "chips", "side": "over"},
        30.0,
    ),
    # 2 of land for each of 100 and 150 allowed; of 130 in all and 240 allowed
    (
        "limit:land",
        both(LAND, table("limits", resource=["land"], region=["coast"], value=[150.0])),
        {"region": "coast", "side": "over"},
        50.0,
    ),
    ("national:land", both(LAND, table("limits", resource=["land"], value=[240.0])), {"side": "over"}, 20.0),
    # 20 of chips take 3 each of parks, of which there are 45
    (
        "infrastructure:park",
        both(
            table("infrastructure", kind=["park"], lead=[1], depreciation=[0.0]),
            table("stocks", region=["inland", "upland"], kind=["park"] * 2, value=[30.0, 45.0]),
            table("requirements", kind=["park"], industry=["chips"], value=[3.0]),
        ),
        {"region": "upland", "side": "over"},
        15.0,
    ),
    # 20 of chips employ 2, and there are 1.5; cloth, of which there is none, makes people cheap against output: 15.1 a unit in the median
    (
        "labour:any",
        both(FEW, table("labour", region=["upland"], skill=["any"], supply=[1.5])),
        {"region": "upland", "side": "over"},
        0.5,
    ),
    # the coast could employ 10 and must employ 9, with 40 of 100 wanted: 4
    ("jobs_at_sources", both(FEW, LESS, table("phases", phase=["all"], job_loss=[0.1])), {"region": "coast", "side": "short"}, 5.0),
    ("floors_of_jobs", both(FEW, table("jobs", region=["upland"], floor=[2.6])), {"region": "upland", "side": "short"}, 0.6),
    # hosts make 30 of 130 and shall make 40 %
    ("security_share", table("security", industry=["chips"], share=[0.4]), {"industry": "chips", "side": "short"}, 22.0),
    # without the coast 30 × 1.1 are left of 130, and half may fail
    (
        "backup",
        both(
            put("regions", backup_tested=[True, False, False]),
            put("industries", surge=1.1),
            table("backup", industry=["chips"], tolerance=[0.5]),
        ),
        {"lost": "coast", "industry": "chips", "side": "over"},
        130 - 33 - 65.0,
    ),
    # a head makes 130 / 150 in the mean and 0.2 inland; 0.3 of the mean is 0.26
    ("equity", table("phases", phase=["all"], equity=[0.3]), {"region": "inland", "side": "short"}, 0.06),
    # heads upland make 20 / 50, inland 10 / 30, and shall make the same
    (
        "range",
        both(put("regions", population=[50.0, 30.0, 50.0]), table("phases", phase=["all"], range=[0.0])),
        {"side": "over"},
        0.4 - 1 / 3,
    ),
    # a host of the group holds 10 of 30, and shall hold half
    (
        "role:first",
        table("roles", role=["first"], region=["inland"], group=["chips"], share=[0.5]),
        {"side": "short"},
        5.0,
    ),
    # of 30 of relocatable capacity at hosts none is cloth, and a fifth shall be
    (
        "gate:cloth",
        both(
            put("industries", relocatable=True, lead=1),
            table("gates", gate=["cloth"], phase=["all"], kind=["capacity-share"], group=["cloth"], value=[0.2]),
        ),
        {"side": "short"},
        6.0,
    ),
    # both hosts hold chips only: 10 / 10 and 20 / 20 differ by nothing
    (
        "similarity",
        table("similarity", region=["inland"], other=["upland"], least=[0.4]),
        {"region": "inland", "other": "upland", "side": "short"},
        0.4,
    ),
    # from 10 to 60, where a tenth more is allowed
    (
        "ramp_up",
        rising(table("phases", phase=["all"], ramp=[0.1])),
        {"region": "inland", "industry": "chips", "side": "over"},
        49.0,
    ),
    # 60 inland and 20 upland have a mean of 40; half of it and the first 10 are 30
    (
        "specialisation",
        rising(table("specialisation", industry=["chips"], cap=[0.5])),
        {"region": "inland", "industry": "chips", "side": "over"},
        30.0,
    ),
]
"""Constraint, how the case is changed, where and on which side it is missed, by how much."""


@pytest.mark.parametrize(("constraint", "change", "where", "amount"), AMBITIONS, ids=[f"{c}-{w['side']}" for c, _, w, _ in AMBITIONS])
def test_a_shortfall_names_constraint_place_year_and_amount(constraint: str, change: Break, where: dict[str, Any], amount: float) -> None:
    made = plan(read_problem(change(still())))
    assert made.status == "optimal"
    row = made.shortfalls.filter(pl.col("constraint") == constraint).to_dicts()
    assert len(row) == 1, made.shortfalls
    assert {k: row[0][k] for k in where} == where
    assert row[0]["value"] == pytest.approx(amount, abs=1e-6)
    assert row[0]["year"] in (2026, None)
    assert row[0]["unit"] and row[0]["family"].startswith("C")
    assert validate(made).height == 0
    assert any(f"{amount:,.4g}" in sentence for sentence in made.explain())
    assert any(note.code == "plan-shortfalls" for note in made.notes)


def test_the_case_itself_falls_short_of_nothing() -> None:
    assert plan(read_problem(still())).shortfalls.height == 0
    assert plan(read_problem(rising()(still()))).shortfalls.height == 0


def subsidised(budget: Break) -> Plan:
    """Chips may be built upland, where 12 a year are let in and a yuan of support brings 3 more; the nation's use asks for 50 of hosts, who have 30."""
    change = both(
        table("years", year=[2026, 2027]),
        put("industries", lead=1),
        table("paths", parameter=["greenfield_limit"] * 2, region=[None, "upland"], industry=[None, "chips"], value=[0.0, 100.0]),
        put("cells", absorption=[None, None, None, None, 12.0, None]),
        put("demand", demand=[100.0, 0, 10, 0, 40, 0]),
        table("security", industry=["chips"] * 2, year=[2026, 2027], share=[0.0, 1.0], demand=[50.0] * 2),
        table("instruments", instrument=["grant"]),
        table("uptake", instrument=["grant"], segment=[1], response=[3.0], width=[1.0]),
        budget,
    )
    return plan(read_problem(change(still())))


@pytest.mark.parametrize(
    ("constraint", "where", "given"),
    [
        ("budget", {"region": "upland"}, lambda: table("budgets", region=["upland"], value=[2.0])),
        ("national_budget", {"region": None}, lambda: table("budgets", region=[None], value=[2.0])),
    ],
)
def test_a_budget_is_passed_where_money_is_worth_more_than_its_price(
    constraint: str, where: dict[str, Any], given: Callable[[], Break]
) -> None:
    """8 beyond the 12 are needed in 2026, for 8 / 3 of support: 2 / 3 more than the budget of 2. A unit short costs 20, a third of a yuan over 6.7."""
    made = subsidised(given())
    row = made.shortfalls.filter(pl.col("constraint") == constraint).to_dicts()
    assert [(r["year"], r["region"]) for r in row] == [(2026, where["region"])]
    assert row[0]["value"] == pytest.approx(2 / 3)
    assert validate(made).height == 0


def roads_and_parks() -> Case:
    """Chips upland take 3 of parks a unit, of which there are 80 that wear by a quarter a year; half of all investment shall go to roads, of which 1 a year is built."""
    change = both(
        table("years", year=[2026, 2027]),
        table(
            "infrastructure",
            kind=["road", "park"],
            lead=[1, 1],
            depreciation=[0.25] * 2,
            service=[4.0] * 2,
            public=[0.0] * 2,
            limit=[1.0, None],
        ),
        table("stocks", region=["upland"], kind=["park"], value=[80.0]),
        table("requirements", kind=["park"], industry=["chips"], value=[3.0]),
        table("gates", gate=["roads"], phase=["all"], kind=["investment-share"], group=["road"], value=[0.5]),
        put("regions", host=[False, False, True]),
    )
    return change(still())


def test_a_share_of_investment_is_missed_where_other_infrastructure_is_needed_more() -> None:
    """20 of chips take 60 of parks: the 80 are 60 in 2026 and 45 in 2027, when 15 are wanted. A yuan brings 4 of them, so 15 / 4 = 3.75 are spent in 2026.

    To keep the share, roads would have to get as much, and get 1 at most: half of 1 + 3.75 is 2.375, and 1.375 is missing. A yuan less for parks brings the
    share nearer by a half, worth 10 at the price of 20, and leaves 4 of service short, worth 4 × 20 / 3 = 26.7: parks are built. A yuan more for roads costs
    less than 1 and brings the share nearer by a half: the whole 1 is spent. The gate speaks of a phase and of all hosts: its row has no place and no year.
    """
    made = plan(read_problem(roads_and_parks()))
    spent = made.infrastructure.filter(pl.col("investment") > 1e-9)
    assert sorted(spent.select("region", "kind", "year").rows()) == [("upland", "park", 2026), ("upland", "road", 2026)]
    assert spent.sort("kind")["investment"].to_list() == pytest.approx([3.75, 1.0])
    row = made.shortfalls.to_dicts()
    assert [(r["constraint"], r["family"], r["side"], r["unit"]) for r in row] == [("gate:roads", "C20", "short", "100m-yuan")]
    assert row[0]["value"] == pytest.approx(0.5 * (1 + 3.75) - 1)
    assert [row[0][k] for k in ("region", "industry", "kind", "phase", "year")] == [None] * 5
    assert validate(made).height == 0
    assert "Gate of the phase (roads): the whole is short of 1.375 hundred million yuan." in made.explain()
    assert "阶段门槛（roads）：总体缺 1.375 亿元。" in made.explain("zh")


def test_a_share_of_investment_that_can_be_kept_is_kept() -> None:
    """As above, but as much may be spent on roads as on parks: 3.75 each, which costs less than the share is worth."""
    case = roads_and_parks()
    made = plan(read_problem({**case, "infrastructure": case["infrastructure"].with_columns(limit=pl.lit(None, dtype=pl.Float64))}))
    assert made.shortfalls.height == 0
    assert made.infrastructure.filter(year=2026, region="upland").sort("kind")["investment"].to_list() == pytest.approx([3.75, 3.75])


def dirty_and_clean(years: list[int]) -> Case:
    """Inland and upland want 20 more of chips than they have from the second year on, and may build them; a unit upland takes 6 of carbon, inland 3."""
    wanted = {("coast", "chips"): 100.0, ("inland", "chips"): 10.0, ("upland", "chips"): 20.0}
    more = {("inland", "chips"): 20.0, ("upland", "chips"): 20.0}
    rows = [(*k, y, wanted.get(k, 0.0) + (more.get(k, 0.0) if y > years[0] else 0.0)) for y in years for k in wanted]
    change = both(
        table("years", year=years),
        put("industries", lead=1),
        table(
            "paths",
            parameter=["greenfield_limit"] * 3,
            region=[None, "inland", "upland"],
            industry=[None, "chips", "chips"],
            value=[0.0, 99.0, 99.0],
        ),
        table("resources", resource=["carbon"], base=["output"]),
        table("intensities", resource=["carbon"] * 2, industry=["chips"] * 2, region=["inland", "upland"], value=[3.0, 6.0]),
        table("gates", gate=["clean"], phase=["all"], kind=["clean"], value=[5.0], resource=["carbon"]),
    )
    demand = pl.DataFrame(rows, schema=["region", "industry", "year", "demand"], orient="row")
    return {**change(still()), "demand": demand}


def test_a_dirty_cell_is_built_where_goods_would_run_out_for_years() -> None:
    """No cell may be built that takes more than 5 of carbon a unit: upland takes 6. Nobody trades, so that its 20 more must be made there, or are missing.

    Built in 2026 they serve in 2027 and 2028. A unit against the gate costs the price of 20 once, and with its capital less than 22; a unit missing in both
    years costs 20 twice: 20 are built, against the gate. Inland takes 3, and its 20 are no matter of the gate.
    """
    made = plan(read_problem(dirty_and_clean([2026, 2027, 2028])))
    built = made.capacity.filter(pl.col("greenfield") > 1e-9).sort("region")
    assert built.select("region", "industry", "year").rows() == [("inland", "chips", 2026), ("upland", "chips", 2026)]
    assert built["greenfield"].to_list() == pytest.approx([20.0, 20.0])
    row = made.shortfalls.to_dicts()
    assert [(r["constraint"], r["family"], r["side"], r["unit"]) for r in row] == [("gate:clean", "C20", "over", "100m-yuan")]
    assert row[0]["value"] == pytest.approx(20.0)
    assert [row[0][k] for k in ("region", "industry", "year")] == ["upland", "chips", 2026]
    assert validate(made).height == 0
    assert "Gate of the phase (clean): upland, chips, 2026 goes over by 20 hundred million yuan." in made.explain()
    assert "阶段门槛（clean）：upland、chips、2026超出 20 亿元。" in made.explain("zh")


def test_a_dirty_cell_is_not_built_where_goods_would_run_out_for_one_year() -> None:
    """In two years what is built serves once: a unit against the gate costs 20 and its capital, a unit missing 20. The gate holds, and 20 are missing in 2027."""
    made = plan(read_problem(dirty_and_clean([2026, 2027])))
    assert made.capacity.filter(pl.col("greenfield") > 1e-9).select("region").rows() == [("inland",)]
    row = made.shortfalls.to_dicts()
    assert [(r["constraint"], r["region"], r["industry"], r["year"], r["side"]) for r in row] == [
        ("balance", "upland", "chips", 2027, "short")
    ]
    assert row[0]["value"] == pytest.approx(20.0)


def test_every_constraint_that_gives_way_was_made_to(every_plan: Plan) -> None:
    tested = {c.split(":")[0] for c, *_ in AMBITIONS} | {"budget", "national_budget"}
    assert {name.split(":")[0] for name, row in every_plan.model.rows.items() if row.short} <= tested
