"""Regions of one pool share their balance."""

from __future__ import annotations

from dataclasses import replace

import polars as pl
import pytest
from tests.plan.cases import every, tiny
from tests.plan.scale_cases import scattered

import hinterland as hl
from hinterland.plan.changes import Change, multiplied
from hinterland.plan.model import build
from hinterland.plan.validate import validate


def pooled_tiny() -> dict[str, pl.DataFrame]:
    """The coast is two cities, half of the coast each, in one pool whose centre is the first; the inland is as it was."""
    case = tiny()
    regions = case["regions"]
    cities = regions.filter(pl.col("region") == "coast")
    two = [cities.with_columns(region=pl.lit(n), population=pl.lit(50.0), pool=pl.lit("north")) for n in ("north", "south")]
    out = {"regions": pl.concat([*two, regions.filter(pl.col("region") != "coast")], how="diagonal")}
    for table, columns in (("cells", ("capacity",)), ("demand", ("demand",))):
        frame = case[table]
        coast = frame.filter(pl.col("region") == "coast").with_columns(pl.col(c) / 2 for c in columns)
        halves = [coast.with_columns(region=pl.lit(n)) for n in ("north", "south")]
        out[table] = pl.concat([*halves, frame.filter(pl.col("region") != "coast")])
    ends = ("origin", "destination")
    out["routes"] = case["routes"].with_columns(pl.col(c).replace({"coast": "north"}) for c in ends)
    return {**case, **out}


def test_two_halves_in_a_pool_are_the_whole() -> None:
    """A region cut into two equal cities that share a balance costs what the region did."""
    whole, halves = hl.plan(hl.read_problem(tiny())), hl.plan(hl.read_problem(pooled_tiny()))
    assert halves.solution.objective == pytest.approx(whole.solution.objective, rel=1e-9)
    moved = halves.flows.group_by("industry").agg(pl.col("value").sum()).sort("industry")["value"]
    assert moved.to_list() == pytest.approx(whole.flows.group_by("industry").agg(pl.col("value").sum()).sort("industry")["value"].to_list())


def test_balances_are_of_pools() -> None:
    model = build(hl.read_problem(pooled_tiny()))
    assert list(model.labels["row:balance"][0]) == ["inland/chips", "inland/cloth", "north/chips", "north/cloth"]
    assert model.program.rows["pooled_output"][2] == (4, 3)
    assert "pooled_output" not in build(hl.read_problem(tiny())).rows


@pytest.fixture(scope="module")
def trading() -> hl.Plan:
    """Cloth takes a tenth of its output of chips; the south, which is no centre, imports chips and exports cloth."""
    case = pooled_tiny()
    case["inputs"] = pl.DataFrame({"industry": ["chips"], "using": ["cloth"], "coefficient": [0.1]})
    case["imports"] = pl.DataFrame({"region": ["south"], "industry": ["chips"], "flow": [12.0]})
    case["exports"] = pl.DataFrame({"region": ["south"], "industry": ["cloth"], "market": ["sea"], "flow": [3.0]})
    return hl.plan(hl.read_problem(case))


def test_coefficients_and_trade_of_pools_are_checked_without_the_model(trading: hl.Plan) -> None:
    """Inputs, imports, exports and value added of a pooled case pass the check that computes them anew."""
    problem, plan = trading.problem, trading
    assert validate(plan).is_empty()
    assert len(problem.index["input"]) == 2
    assert problem["value_added"].sel(cell="south/cloth").values == pytest.approx(0.9)
    assert plan.abroad.height


def moved_by(plan: hl.Plan, frame: str, column: str, amount: float, **where: object) -> hl.Plan:
    """The plan with a number of one row of a frame raised."""
    table: pl.DataFrame = getattr(plan, frame)
    row = pl.all_horizontal(pl.col(k).eq_missing(pl.lit(v)) for k, v in where.items())
    assert table.filter(row).height == 1
    return replace(plan, **{frame: table.with_columns(pl.when(row).then(pl.col(column) + amount).otherwise(pl.col(column)).alias(column))})


def balances(plan: hl.Plan) -> dict[tuple[str, int], float]:
    """Balances that do not hold, by their cell and year: how far they are off."""
    rows = validate(plan).filter(pl.col("constraint") == "balance")
    assert set(rows["family"]) <= {"C4"}
    return {(w, y): v for w, y, v in rows.select("where", "year", "violation").iter_rows()}


@pytest.mark.parametrize(
    ("frame", "column", "where", "broken"),
    [
        ("capacity", "output", {"region": "south", "industry": "cloth"}, {"cloth": 1.0, "chips": 0.1}),
        ("capacity", "output", {"region": "north", "industry": "chips"}, {"chips": 1.0}),
        ("abroad", "imports", {"region": "south", "industry": "chips", "market": None}, {"chips": 1.0}),
        ("abroad", "exports", {"region": "south", "industry": "cloth", "market": "sea"}, {"cloth": 1.0}),
    ],
)
def test_a_broken_balance_of_a_pool_is_caught_at_its_centre(
    trading: hl.Plan, frame: str, column: str, where: dict[str, object], broken: dict[str, float]
) -> None:
    """A unit more of what any member makes, buys or sells leaves the pool's balance off by that unit, and by what it takes of inputs, in that year."""
    found = balances(moved_by(trading, frame, column, 1.0, year=2027, **where))
    assert found == {(f"north, {i}", 2027): pytest.approx(v, abs=1e-6) for i, v in broken.items()}


def test_trade_that_a_pool_does_not_send_is_caught_at_both_ends(trading: hl.Plan) -> None:
    row = trading.trade.filter((pl.col("origin") == "inland") & (pl.col("industry") == "chips") & (pl.col("year") == 2027))
    assert row["destination"].to_list() == ["north"]
    found = balances(moved_by(trading, "trade", "value", 1.0, origin="inland", destination="north", industry="chips", year=2027))
    assert found == {(f"{r}, chips", 2027): pytest.approx(1.0, abs=1e-6) for r in ("inland", "north")}


def test_what_one_member_makes_for_another_breaks_no_balance(trading: hl.Plan) -> None:
    one = moved_by(trading, "capacity", "output", 1.0, region="south", industry="cloth", year=2027)
    assert balances(moved_by(one, "capacity", "output", -1.0, region="north", industry="cloth", year=2027)) == {}


def test_pools_are_those_of_the_table_and_not_of_the_model(trading: hl.Plan) -> None:
    """The same plan breaks the balances of cities that the table does not pool, whatever the model took for pools."""
    p = trading.problem
    alone = replace(p, text={**p.text, "region": p.text["region"].drop("pool")})
    broken = {place for place, _ in balances(replace(trading, problem=alone))}
    assert {"south, chips", "south, cloth"} <= broken


def test_a_pool_of_cities_shares_final_demand_growth() -> None:
    problem = hl.read_problem({**pooled_tiny(), "demand": pooled_tiny()["demand"].with_columns(growth=pl.lit(0.1))})
    assert problem["trade_scale"].sel(region="south").values == pytest.approx([1.0, 1.1, 1.21])
    assert problem["trade_scale"].sel(region="north").values == pytest.approx([1.0, 1.1, 1.21])


def test_random_cases_with_pools_are_consistent() -> None:
    case = scattered(3)
    pool = ["s0", "s0", "s0", "s0", None, None, None]
    cities = case["regions"].with_columns(pool=pl.Series(pool))
    members = ["s1", "s2", "s3"]
    routes = case["routes"].filter(~pl.col("origin").is_in(members) & ~pl.col("destination").is_in(members))
    plan = hl.plan(hl.read_problem({**case, "regions": cities, "routes": routes}))
    assert plan.status == "optimal"
    assert validate(plan).is_empty()


@pytest.mark.parametrize(
    ("pool", "code"),
    [
        ({"north": "north", "south": "nowhere"}, "unknown-label"),
        ({"north": "inland", "south": "north"}, "pool-in-pool"),
    ],
)
def test_wrong_centres(pool: dict[str, str], code: str) -> None:
    case = pooled_tiny()
    case["regions"] = case["regions"].with_columns(pool=pl.col("region").replace_strict(pool, default=None, return_dtype=pl.String))
    with pytest.raises(hl.InputError) as error:
        hl.read_problem(case)
    assert code in {f.code for f in error.value.findings}


def test_members_have_no_say() -> None:
    """Routes and coefficients of a member, and a centre without a cell that its members have, are findings together."""
    case = pooled_tiny()
    case["routes"] = case["routes"].with_columns(origin=pl.col("origin").replace({"north": "south"}))
    case["inputs"] = pl.DataFrame({"region": ["south"], "industry": ["chips"], "using": ["cloth"], "coefficient": [0.1]})
    case["cells"] = case["cells"].filter(~((pl.col("region") == "north") & (pl.col("industry") == "cloth")))
    case["demand"] = case["demand"].filter(~((pl.col("region") == "north") & (pl.col("industry") == "cloth")))
    with pytest.raises(hl.InputError) as error:
        hl.read_problem(case)
    codes = [f.code for f in error.value.findings]
    assert codes.count("pool-member") == 2
    assert codes.count("pool-without-cell") == 1


def test_the_case_with_every_table_is_unchanged_by_pools_of_one() -> None:
    case = every()
    alone = case["regions"].with_columns(pool=pl.col("region"))
    a, b = build(hl.read_problem(case)).program, build(hl.read_problem({**case, "regions": alone})).program
    assert abs(a.matrix - b.matrix).max() == 0.0


def test_value_added_of_every_member_follows_coefficients_that_change() -> None:
    """Members use the inputs of their centre: where coefficients are halved, what they leave grows in each of them, as reading them halved would have it."""
    case = pooled_tiny()
    case["inputs"] = pl.DataFrame({"region": ["north"], "industry": ["cloth"], "using": ["chips"], "coefficient": [0.4]})
    half = {**case, "inputs": case["inputs"].with_columns(pl.col("coefficient") / 2)}
    made = multiplied(hl.read_problem(case), [Change("coefficient", 0.5)])["value_added"]
    read = hl.read_problem(half)["value_added"]
    assert made.to_series().to_dict() == pytest.approx(read.to_series().to_dict())
    assert made.sel(cell="south/chips").values == pytest.approx(0.8)
