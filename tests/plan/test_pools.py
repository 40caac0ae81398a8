"""Regions of one pool share their balance."""

from __future__ import annotations

import polars as pl
import pytest
from tests.plan.cases import every, tiny
from tests.plan.scale_cases import scattered

import hinterland as hl
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


def test_coefficients_and_trade_of_pools_are_checked_without_the_model() -> None:
    """Inputs, imports and value added of a pooled case pass the check that computes them anew; a plan that breaks the pool's balance does not."""
    case = pooled_tiny()
    case["inputs"] = pl.DataFrame({"industry": ["chips"], "using": ["cloth"], "coefficient": [0.1]})
    case["imports"] = pl.DataFrame({"region": ["south"], "industry": ["chips"], "flow": [12.0]})
    problem = hl.read_problem(case)
    plan = hl.plan(problem)
    assert validate(plan).is_empty()
    assert len(problem.index["input"]) == 2
    assert problem["value_added"].sel(cell="south/cloth").values == pytest.approx(0.9)
    assert plan.abroad.height


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
