"""Plans whose optimum can be derived on paper: two regions, two industries, three years.

The case: chips and cloth are made on the coast (capacity 120 each), none inland. Demand for each is 60 on the coast and 40 inland, every year. A unit costs
0.5 to make anywhere and 0.3 to send inland. The discount rate is 0.25, so that years weigh 1, 0.8 and 0.64, in all 2.44. Nothing wears out. A move that is
decided arrives a year later; moving a unit of chips costs 0.5, of cloth 2. Money for a move is paid as it is used, ``0.25 × (weights of its years inland)``
a unit: 0.25 (0.8 + 0.64) = 0.36 for one decided in 2026, 0.25 × 0.64 = 0.16 in 2027. New plants cost 10 a unit, too much to be built.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest

from hinterland.plan.case import read_problem
from hinterland.plan.costs import capital_charge
from hinterland.plan.entry import plan
from hinterland.plan.model import build
from hinterland.plan.result import Plan
from hinterland.plan.solve import solve
from hinterland.plan.validate import validate

YEARS = [2026, 2027, 2028]
WEIGHTS = [1.0, 0.8, 0.64]
Case = dict[str, pl.DataFrame]


def coast_and_inland(**tables: pl.DataFrame) -> Case:
    """The case of the module's docstring, with further tables or others in their place."""
    cells = {"region": ["coast", "coast", "inland", "inland"], "industry": ["chips", "cloth"] * 2}
    case = {
        "regions": pl.DataFrame({"region": ["coast", "inland"], "source": [True, False], "host": [False, True]}),
        "industries": pl.DataFrame(
            {"industry": ["chips", "cloth"], "depreciation": [0.0] * 2, "lead": [1] * 2, "relocation_cost": [0.5, 2.0]}
        ),
        "years": pl.DataFrame({"year": YEARS, "phase": ["only"] * 3}),
        "phases": pl.DataFrame({"phase": ["only"], "release_share": [1.0], "release_total": [1.0], "trade_flexibility": [1.0]}),
        "cells": pl.DataFrame({**cells, "capacity": [120.0, 120.0, 0.0, 0.0], "capex": [10.0] * 4, "operating_cost": [0.5] * 4}),
        "demand": pl.DataFrame({**cells, "demand": [60.0, 60.0, 40.0, 40.0]}),
        "routes": pl.DataFrame(
            {"industry": ["chips", "cloth"], "origin": ["coast"] * 2, "destination": ["inland"] * 2, "flow": [40.0] * 2, "cost": [0.3] * 2}
        ),
    }
    return {**case, **tables}


def made(case: Case, **settings: Any) -> Plan:
    """The plan of a case at the discount rate 0.25; it keeps every rule and is proven optimal without a solver."""
    found = plan(read_problem(case, settings={"discount": 0.25, **settings}))
    assert found.status == "optimal"
    assert validate(found).height == 0
    assert found.solver["primal_residual"] < 1e-9
    return found


def cost(found: Plan) -> float:
    return float(found.objectives.filter(pl.col("objective") == "cost")["value"][0])


def only(frame: pl.DataFrame, **where: Any) -> pl.DataFrame:
    """The rows with these labels."""
    return frame.filter(*(pl.col(k) == v for k, v in where.items()))


def moved(found: Plan, **where: Any) -> float:
    return float(only(found.flows, **where)["value"].sum())


def dual(found: Plan, constraint: str, **where: Any) -> float:
    rows = only(found.duals, constraint=constraint, **where)
    assert rows.height <= 1
    return float(rows["value"][0]) if rows.height else 0.0


def with_column(frame: pl.DataFrame, **columns: list[Any]) -> pl.DataFrame:
    return frame.with_columns(**{k: pl.Series(v) for k, v in columns.items()})


def test_what_is_cheap_to_move_moves_and_what_is_not_is_sent() -> None:
    """Of the coast's 120 it needs 100, so 20 can leave in 2026 while all is still made there; with 20 inland it needs 80 of 100, and 20 more can leave.

    A unit of chips that moves in 2026 costs 0.36 × 0.5 = 0.18 and saves 0.3 (0.8 + 0.64) = 0.432 of transport; in 2027 0.08 against 0.192: both pay, and
    after 40 there is no one left to serve inland. A unit of cloth costs 0.36 × 2 = 0.72 against 0.432, in 2027 0.32 against 0.192: none moves.
    Production 200 × 0.5 × 2.44 = 244; transport of cloth 40 × 0.3 × 2.44 = 29.28; of chips 0.3 (40 + 20 × 0.8) = 16.8; moves 20 × 0.18 + 20 × 0.08 = 5.2.
    """
    found = made(coast_and_inland())
    assert moved(found, industry="chips", year=2026) == pytest.approx(20)
    assert moved(found, industry="chips", year=2027) == pytest.approx(20)
    assert moved(found) == pytest.approx(40)
    parts = dict(found.costs.iter_rows())
    assert parts["operating"] == pytest.approx(244)
    assert parts["transport"] == pytest.approx(29.28 + 16.8)
    assert parts["relocation"] == pytest.approx(5.2)
    assert cost(found) == pytest.approx(295.28)


@pytest.mark.parametrize(("lead", "moves", "total"), [(2, 20.0, 300.72), (3, 0.0, 302.56)])
def test_a_move_that_would_come_too_late_is_not_made(lead: int, moves: float, total: float) -> None:
    """With two years of lead only a move of 2026 arrives, in 2028: it saves 0.3 × 0.64 = 0.192 a unit.

    Money is bound a year longer before it serves, so a unit costs 0.25 × 1.25 × 0.64 × 0.5 = 0.1, and 20 move: production 244, cloth 29.28, chips
    0.3 (40 + 40 × 0.8 + 20 × 0.64) = 25.44, moves 2; in all 300.72. With three years none arrives within the plan: 244 + 2 × 29.28 = 302.56.
    """
    case = coast_and_inland()
    found = made({**case, "industries": with_column(case["industries"], lead=[lead] * 2)})
    assert moved(found) == pytest.approx(moves)
    assert cost(found) == pytest.approx(total)


def test_the_dual_of_a_release_cap_is_what_one_more_move_saves() -> None:
    """A tenth of 120 may leave in a year: 12 in 2026 and in 2027. One more would save 0.432 − 0.18 = 0.252 in 2026, and 0.192 − 0.08 = 0.112 in 2027."""
    case = coast_and_inland()
    found = made({**case, "phases": with_column(case["phases"], release_share=[0.1])})
    assert [moved(found, year=y) for y in YEARS] == pytest.approx([12, 12, 0])
    assert dual(found, "release_in_year", industry="chips", year=2026) == pytest.approx(-0.252)
    assert dual(found, "release_in_year", industry="chips", year=2027) == pytest.approx(-0.112)


def with_carbon(limits: dict[str, list[Any]], inland_cost: float) -> Case:
    """Both regions can make 120 of each; only chips emit: 1 a unit on the coast, 2 inland. Trade either way costs 0.05; nothing moves."""
    case = coast_and_inland()
    both = [("coast", "inland"), ("inland", "coast")]
    return {
        **case,
        "regions": with_column(case["regions"], source=[False, False]),
        "cells": with_column(case["cells"], capacity=[120.0] * 4, operating_cost=[0.5, 0.5, inland_cost, 0.5]),
        "routes": pl.DataFrame([{"industry": "chips", "origin": o, "destination": d, "flow": 40.0, "cost": 0.05} for o, d in both]),
        "resources": pl.DataFrame({"resource": ["carbon"], "unit": ["tonne"]}),
        "intensities": pl.DataFrame(
            {"resource": ["carbon"] * 2, "industry": ["chips"] * 2, "region": ["coast", "inland"], "value": [1.0, 2.0]}
        ),
        **({"limits": pl.DataFrame({"resource": ["carbon"], **limits})} if limits else {}),
    }


def emitted(found: Plan, **where: Any) -> list[float]:
    return only(found.resources, **where).group_by("year").agg(pl.col("used").sum()).sort("year")["used"].to_list()


def test_a_limit_of_one_region_leaks_to_the_other_and_a_national_one_does_not() -> None:
    """Inland a unit costs 0.6: all 100 are made on the coast at 0.5, 40 sent at 0.05. Emissions are 100.

    If the coast may emit 60, the other 40 are made inland, where they are wanted: the coast's emissions fall by 40 and inland's rise by 80, to 140 in all.
    One tonne less at the coast costs 0.6 − (0.5 + 0.05) = 0.05, times the weight of the year. A national limit of 100 keeps the coast's plan.
    """
    free = made(with_carbon({}, 0.6))
    assert emitted(free) == pytest.approx([100] * 3)
    one = made(with_carbon({"region": ["coast"], "value": [60.0]}, 0.6))
    assert emitted(one, region="coast") == pytest.approx([60] * 3)
    assert emitted(one) == pytest.approx([140] * 3)
    assert [dual(one, "limit:carbon", year=y) for y in YEARS] == pytest.approx([-0.05 * w for w in WEIGHTS])
    nation = made(with_carbon({"region": [None], "value": [100.0]}, 0.6))
    assert emitted(nation) == pytest.approx([100] * 3)
    assert cost(nation) == pytest.approx(cost(free))


def test_the_dual_of_a_national_limit_is_the_cost_of_cleaner_places() -> None:
    """Inland a unit costs 0.4: all 100 would be made there, 60 of them sent to the coast at 0.05, and emit 200.

    160 tonnes allow i inland and 100 − i on the coast with 2 i + 100 − i = 160: i = 60. One tonne more lets one unit move from the coast, at 0.5, to
    inland, at 0.4 + 0.05: it saves 0.05.
    """
    found = made(with_carbon({"region": [None], "value": [160.0]}, 0.4))
    inland = found.capacity.filter((pl.col("region") == "inland") & (pl.col("industry") == "chips"))
    assert inland["output"].to_list() == pytest.approx([60] * 3)
    assert [dual(found, "national:carbon", year=y) for y in YEARS] == pytest.approx([-0.05 * w for w in WEIGHTS])


def with_support(budget: float | None) -> Case:
    """The coast has 150 of chips. Inland takes in 10 a year by itself; a first 2 of support bring 3 each, the next 4 bring 1 each."""
    case = coast_and_inland()
    return {
        **case,
        "cells": with_column(case["cells"], capacity=[150.0, 120.0, 0.0, 0.0], absorption=[None, None, 10.0, 10.0]),
        "instruments": pl.DataFrame({"instrument": ["grant"]}),
        "uptake": pl.DataFrame({"instrument": ["grant"] * 2, "segment": [1, 2], "response": [3.0, 1.0], "width": [0.2, 0.4]}),
        **({"budgets": pl.DataFrame({"region": ["inland"], "value": [budget]})} if budget is not None else {}),
    }


def test_support_is_paid_as_long_as_what_it_brings_is_worth_more_than_public_money_costs() -> None:
    """A unit that comes in 2026 is worth 0.252, in 2027 0.112; public money costs a fifth of itself: 0.2 in 2026, 0.16 in 2027.

    In 2026 the first step costs 0.2 / 3 a unit and the second 0.2: both are paid in full, 2 + 4, and 10 + 6 + 4 = 20 come. In 2027 the first costs
    0.16 / 3 and is paid, the second 0.16 and is not: 10 + 6 = 16 come. Fewer than the 40 that inland needs.
    """
    found = made(with_support(None))
    paid = {(r["segment"], r["year"]): r["value"] for r in found.support.iter_rows(named=True)}
    assert paid == pytest.approx({("1", 2026): 2.0, ("2", 2026): 4.0, ("1", 2027): 2.0})
    assert [moved(found, year=y) for y in YEARS] == pytest.approx([20, 16, 0])
    assert dict(found.costs.iter_rows())["public-funds"] == pytest.approx(0.2 * 6 + 0.16 * 2)


def test_the_dual_of_a_budget_is_what_its_last_yuan_would_bring() -> None:
    """With 5 a year the second step gets 3 in 2026; one more would bring a unit worth 0.252 for 0.2: the dual is −0.052. In 2027 money is left."""
    found = made(with_support(5.0))
    paid = {(r["segment"], r["year"]): r["value"] for r in found.support.iter_rows(named=True)}
    assert paid == pytest.approx({("1", 2026): 2.0, ("2", 2026): 3.0, ("1", 2027): 2.0})
    assert dual(found, "budget", year=2026) == pytest.approx(-0.052)
    assert dual(found, "budget", year=2027) == 0.0
    assert dual(found, "intake", industry="chips", year=2026) == pytest.approx(-0.252)


def with_agreement(fixed: float) -> Case:
    """An agreement under which moves of chips cost half; it lasts two years."""
    return coast_and_inland(
        enclaves=pl.DataFrame(
            {"enclave": ["joint park"], "source": ["coast"], "host": ["inland"], "cost": [fixed], "term": [2], "cost_factor": [0.5]}
        ),
        enclave_industries=pl.DataFrame({"enclave": ["joint park"], "industry": ["chips"]}),
    )


@pytest.mark.parametrize(("fixed", "worth"), [(2.1, True), (2.2, False)])
def test_an_agreement_is_made_if_it_saves_more_than_it_costs(fixed: float, worth: bool) -> None:
    """Half the cost of the moves is 0.09 × 20 + 0.04 × 20 = 2.6; setting up costs 1.2 of its price in 2026, with public money: worth it below 2.1667.

    Set up in 2027 it would save 0.8 and cost 0.96 of its price: not worth it at either.
    """
    found = made(with_agreement(fixed))
    active = found.enclaves.filter(pl.col("active") > 0.5)["year"].to_list()
    assert active[:2] == ([2026, 2027] if worth else [])
    assert moved(found, enclave="joint park") == pytest.approx(40.0 if worth else 0.0)
    assert cost(found) == pytest.approx(295.28 + min(0.0, 1.2 * fixed - 2.6))
    assert found.gap <= 1e-6


def with_steps(width: float) -> Case:
    """Chips inland beyond a first step save half of their cost a unit; 20 of chips may leave a year, so that there are 40 at most."""
    case = coast_and_inland(
        agglomeration=pl.DataFrame({"industry": ["chips"] * 2, "segment": [1, 2], "width": [width, 10.0], "saving": [0.0, 0.5]})
    )
    return {**case, "phases": with_column(case["phases"], release_share=[1 / 6])}


@pytest.mark.parametrize(("width", "saved"), [(30.0, 12.2), (50.0, 0.0)])
def test_agglomeration_saves_only_what_lies_beyond_the_first_step(width: float, saved: float) -> None:
    """Of 40 inland at the end of the only phase 10 lie beyond a step of 30, and save 0.5 × 2.44 each; none beyond one of 50.

    A new plant would cost 0.36 × 10 = 3.6 a unit in 2026, 1.6 in 2027, more than the 1.22 that it could save.
    """
    found = made(with_steps(width))
    assert dict(found.costs.iter_rows())["agglomeration"] == pytest.approx(-saved)
    assert cost(found) == pytest.approx(295.28 - saved)
    assert found.sizes.filter(pl.col("reached") > 0.5)["segment"].to_list() == ([1, 2] if saved else [1])


def test_without_whole_variables_agglomeration_would_save_what_is_not_there() -> None:
    """Increasing returns are not convex: without binaries the second step may be reached by a fraction a, so that the first is filled to 50 a only.

    The last step is as wide as twice the nation's 120 and its use of 120: 360. Of 40, f ≤ 360 a lie in it while 40 − f ≥ 50 a: f = 40 × 360 / 410. The
    relaxation saves 1.22 f = 42.85 that no plan can save.
    """
    model = build(read_problem(with_steps(50.0), settings={"discount": 0.25}))
    relaxed = solve(model.program.aimed_at("cost").relaxed())
    assert relaxed.objective == pytest.approx(295.28 - 1.22 * 40 * 360 / 410)
    assert solve(model.program.aimed_at("cost")).objective == pytest.approx(295.28)


def test_two_regions_trade_what_one_uses_and_the_other_makes() -> None:
    """Chips are made on the coast only, power inland only; a unit of chips takes 0.25 of power. Demand: 80 of chips and 10 of power there, 5 of power here.

    Output of chips 80, of power 80 × 0.25 + 10 + 5 = 35, of which 30 are sent at 0.05. A year costs 80 × 0.5 + 35 × 0.1 + 30 × 0.05 = 45, in all 109.8.
    Value added is 80 × 0.75 + 35 = 95 a year. A unit more of demand costs 0.1 for power inland, 0.15 on the coast, 0.5 + 0.25 × 0.15 = 0.5375 for chips.
    """
    cells = {"region": ["coast", "coast", "inland"], "industry": ["chips", "power", "power"]}
    case = coast_and_inland(
        industries=pl.DataFrame({"industry": ["chips", "power"], "depreciation": [0.0] * 2, "relocatable": [False] * 2}),
        cells=pl.DataFrame({**cells, "capacity": [100.0, 0.0, 50.0], "capex": [10.0] * 3, "operating_cost": [0.5, 9.0, 0.1]}),
        demand=pl.DataFrame({**cells, "demand": [80.0, 10.0, 5.0]}),
        inputs=pl.DataFrame({"industry": ["power"], "using": ["chips"], "coefficient": [0.25]}),
        routes=pl.DataFrame({"industry": ["power"], "origin": ["inland"], "destination": ["coast"], "flow": [30.0], "cost": [0.05]}),
    )
    found = made(case)
    assert found.trade["value"].to_list() == pytest.approx([30] * 3)
    assert cost(found) == pytest.approx(109.8)
    assert float(found.objectives.filter(pl.col("objective") == "value-added")["value"][0]) == pytest.approx(95 * 2.44)
    for region, industry, price in (("inland", "power", 0.1), ("coast", "power", 0.15), ("coast", "chips", 0.5375)):
        got = [dual(found, "balance", region=region, industry=industry, year=y) for y in YEARS]
        assert got == pytest.approx([price * w for w in WEIGHTS])


def test_what_is_not_used_of_a_limit_is_used_later() -> None:
    """Inland makes its own 8, 10 and 12 of chips with a tonne each; 10 a year are allowed. If they can be kept, 2 are, from the first year to the last.

    If not, 2 units fall short in the last year: missing demand and missing the limit have the same price, and what is not made saves its 0.4.
    """
    demand = pl.DataFrame({"region": ["inland"] * 3, "industry": ["chips"] * 3, "year": YEARS, "demand": [8.0, 10.0, 12.0]})
    case = {**with_carbon({"region": ["inland"], "value": [10.0]}, 0.4), "demand": demand}
    case |= {"intensities": case["intensities"].with_columns(value=pl.lit(1.0)), "routes": case["routes"].clear()}
    kept = made({**case, "resources": with_column(case["resources"], banking=[True])})
    assert kept.shortfalls.height == 0
    assert kept.resources.filter(pl.col("region") == "inland")["banked"].to_list() == pytest.approx([2, 2, 0])
    lost = made(case)
    assert lost.shortfalls.select("constraint", "region", "year", "value").rows() == [("balance", "inland", 2028, pytest.approx(2.0))]


@pytest.mark.parametrize("lead", [0, 1, 2, 5])
@pytest.mark.parametrize("wear", [0.0, 0.05, 0.3])
def test_the_charge_for_capital_is_a_geometric_sum(lead: int, wear: float) -> None:
    """Decided in the year t of n, with r the rate, v = 1 / (1 + r) and q = v (1 − wear): (r + wear) (1 + r)^(lead − 1) v^(t + lead) (1 − q^(n − t − lead)) / (1 − q)."""
    rate, n = 0.08, 30
    v = 1 / (1 + rate)
    q = v * (1 - wear)
    t = np.arange(n)
    closed = (rate + wear) * (1 + rate) ** (lead - 1) * v ** (t + lead) * (1 - q ** np.maximum(n - t - lead, 0)) / (1 - q)
    found = capital_charge(v ** t.astype(float), np.array([wear]), np.array([lead]), rate)
    assert found[0] == pytest.approx(closed, rel=1e-12)


@pytest.mark.parametrize("lead", [0, 1, 4])
def test_in_an_endless_plan_capital_costs_its_price(lead: int) -> None:
    """Interest and wear for ever are worth the price in the year of the decision (Jorgenson 1963), whatever the lead: here over 2,000 years."""
    weights = 1.05 ** -np.arange(2000.0)
    charge = capital_charge(weights, np.array([0.1]), np.array([lead]), 0.05)
    assert charge[0, :3] == pytest.approx(weights[:3], rel=1e-10)
