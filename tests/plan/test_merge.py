"""Merging regions that only trade: amounts are sums, coefficients are means by output, balances stay, and nothing decided is merged."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from cases import every

import hinterland as hl
from hinterland.plan.problem import Problem


def two_more() -> dict[str, pl.DataFrame]:
    """The case with every table, and two regions that only trade: north and steppe, of 30 and 10 of each industry, and steppe's inputs dearer."""
    case = every()
    regions = case["regions"]
    more = pl.DataFrame({"region": ["north", "steppe"], "population": [300.0, 100.0], "lon": [110.0, 100.0], "lat": [40.0, 45.0]})
    flags = [pl.lit(False).alias(c) for c in ("source", "host", "backup_tested")]
    case["regions"] = pl.concat([regions, more.with_columns(flags)], how="diagonal")
    industries = case["industries"]["industry"].to_list()
    cells = [
        {"region": r, "industry": i, "capacity": size, "capex": cost, "operating_cost": cost / 4}
        for r, size, cost in (("north", 30.0, 1.0), ("steppe", 10.0, 2.0))
        for i in industries
    ]
    case["cells"] = pl.concat([case["cells"], pl.DataFrame(cells)], how="diagonal")
    rows = [{"region": r, "industry": i, "demand": d} for r, d in (("north", 20.0), ("steppe", 8.0)) for i in industries]
    case["demand"] = pl.concat([case["demand"], pl.DataFrame(rows)], how="diagonal")
    observed = [{"region": c["region"], "industry": c["industry"], "year": 2025, "capacity": c["capacity"]} for c in cells]
    case["observed"] = pl.concat([case["observed"], pl.DataFrame(observed)], how="diagonal_relaxed")
    steppe = case["inputs"].with_columns(region=pl.lit("steppe"), coefficient=pl.col("coefficient") * 1.5)
    case["inputs"] = pl.concat(
        [case["inputs"].with_columns(region=pl.lit(None, dtype=pl.String)), steppe.select(*case["inputs"].columns, "region")]
    )
    routes = [
        {"industry": i, "origin": o, "destination": d, "flow": f, "cost": c}
        for i in industries
        for o, d, f, c in (
            ("north", "east", 2.0, 0.02),
            ("steppe", "east", 1.0, 0.08),
            ("north", "steppe", 3.0, 0.01),
            ("east", "north", 1.0, 0.03),
        )
    ]
    case["routes"] = pl.concat([case["routes"], pl.DataFrame(routes)], how="diagonal")
    return case


def merge(case: dict[str, pl.DataFrame], name: str = "far") -> dict[str, pl.DataFrame]:
    far = pl.col("region").is_in(["north", "steppe"])
    column = pl.when(far).then(pl.lit(name)).alias("merge")
    return {**case, "regions": case["regions"].with_columns(column, merge_en=pl.when(far).then(pl.lit("Far north")))}


@pytest.fixture(scope="module")
def apart() -> Problem:
    return hl.read_problem(two_more())


@pytest.fixture(scope="module")
def together() -> Problem:
    return hl.read_problem(merge(two_more()))


def of(problem: Problem, name: str, cell: str) -> np.ndarray:
    return np.asarray(problem[name].sel(cell=cell).values)


def test_amounts_are_sums_and_costs_are_means(apart: Problem, together: Problem) -> None:
    assert list(together.index["region"]) == ["east", "far", "hill", "plain"]
    assert of(together, "capacity", "far/chips") == 40.0
    assert of(together, "demand", "far/chips")[0] == 28.0
    assert together["population"].sel(region="far").values[0] == 400.0
    # Costs by capacity: (30 × 1 + 10 × 2) / 40.
    assert of(together, "capex", "far/cloth") == pytest.approx([1.25] * 7, abs=1e-12)
    # Position by capacity too: three quarters of the way to the north.
    assert float(together["lat"].sel(region="far")) == pytest.approx(41.25)
    assert of(together, "observed_capacity", "far/power")[0] == 40.0
    names = together.text["region"].filter(pl.col("region") == "far")
    assert together.text["region"].height == 4 and ("name_en" not in names.columns or names["name_en"][0] == "Far north")
    for cell in ("east/chips", "hill/cloth", "plain/power"):
        for name in ("capacity", "capex", "operating_cost", "absorption", "staff", "intensity", "value_added"):
            a, b = (p[name].sel(cell=cell).values for p in (apart, together))
            assert np.array_equal(a, b, equal_nan=True), (cell, name)


def test_coefficients_are_means_by_output(together: Problem) -> None:
    cells = list(together.index["cell"])
    at = (together.links["input.supply"] == cells.index("far/chips")) & (together.links["input.user"] == cells.index("far/chips"))
    # The north's .2 with 30 of 40, steppe's .3 with 10.
    assert together["coefficient"].values[at] == pytest.approx([0.225], abs=1e-12)
    assert of(together, "value_added", "far/chips") == pytest.approx([1 - 0.225 - (0.1 * 30 + 0.15 * 10) / 40] * 7, abs=1e-12)


def test_trade_between_merged_regions_is_their_own(together: Problem) -> None:
    cells = list(together.index["cell"])
    at = (together.links["route.origin"] == cells.index("far/chips")) & (together.links["route.destination"] == cells.index("east/chips"))
    assert together["trade"].values[at] == [3.0]
    assert together["transport"].values[at] == pytest.approx([(2 * 0.02 + 1 * 0.08) / 3], abs=1e-12)
    assert (together.links["route.origin"] != together.links["route.destination"]).all()


def test_the_balance_of_the_base_year_is_a_sum_of_balances(apart: Problem, together: Problem) -> None:
    def left(p: Problem) -> np.ndarray:
        n = len(p.index["cell"])
        made = p["capacity"].values * p.of_cells("utilisation").values
        used = np.bincount(p.links["input.supply"], weights=p["coefficient"].values * made[p.links["input.user"]], minlength=n)
        sent = np.bincount(p.links["route.origin"], weights=p["trade"].values, minlength=n)
        got = np.bincount(p.links["route.destination"], weights=p["trade"].values, minlength=n)
        return made - used + got - sent - p["demand"].values[:, 0]

    names = [str(r) for r in apart.index["region"]]
    far = np.isin(apart.links["cell.region"], [names.index("north"), names.index("steppe")])
    for i, industry in enumerate(apart.index["industry"]):
        parts = left(apart)[far & (apart.links["cell.industry"] == i)].sum()
        whole = left(together)[list(together.index["cell"]).index(f"far/{industry}")]
        assert whole == pytest.approx(parts, abs=1e-10)


def test_a_plan_of_merged_regions_keeps_every_rule(together: Problem) -> None:
    from hinterland.plan.validate import validate

    plan = hl.plan(together.with_settings(off=["C11", "C12", "C13"]))
    assert plan.status == "optimal" and validate(plan).is_empty()


def pooled(case: dict[str, pl.DataFrame], member: str, centre: str) -> dict[str, pl.DataFrame]:
    """The case with one region in the pool of another, without what only a centre may say."""
    pool = pl.when(pl.col("region") == member).then(pl.lit(centre)).alias("pool")
    routes = case["routes"].filter((pl.col("origin") != member) & (pl.col("destination") != member))
    inputs = case["inputs"].filter(pl.col("region").ne_missing(pl.lit(member)))
    return {**case, "regions": case["regions"].with_columns(pool), "routes": routes, "inputs": inputs}


def test_pools_stand_beside_merged_regions() -> None:
    """Members keep their centre where other regions are merged, and the plan keeps the balance of their pool, derived from the table's names."""
    from hinterland.plan.validate import checked

    problem = hl.read_problem(pooled(merge(two_more()), "plain", "hill"), settings={"off": ("C11", "C12", "C13")})
    names = [str(r) for r in problem.index["region"]]
    assert [names[i] for i in problem.links["region.pool"]] == ["east", "far", "hill", "hill"]
    plan = hl.plan(problem)
    sheet = checked(plan)
    assert sheet.result().is_empty()
    output = pl.when((pl.col("region") == "plain") & (pl.col("year") == 2028)).then(pl.col("output") + 1.0).otherwise(pl.col("output"))
    broken = checked(replace(plan, capacity=plan.capacity.with_columns(output))).result()
    assert {"hill, chips", "hill, cloth", "hill, power"} <= set(broken.filter(pl.col("constraint") == "balance")["where"])


def test_members_of_pools_are_not_merged() -> None:
    with pytest.raises(hl.InputError) as caught:
        hl.read_problem(pooled(merge(two_more()), "steppe", "north"))
    assert [f.code for f in caught.value.findings] == ["merge-decided"]
    assert "'north', 'steppe'" in caught.value.findings[0].what


@pytest.mark.parametrize(("region", "name", "code"), [("hill", "far", "merge-decided"), ("north", "east", "merge-into-other")])
def test_what_cannot_be_merged(region: str, name: str, code: str) -> None:
    case = two_more()
    column = pl.when(pl.col("region") == region).then(pl.lit(name)).alias("merge")
    with pytest.raises(hl.InputError) as caught:
        hl.read_problem({**case, "regions": case["regions"].with_columns(column)})
    assert [f.code for f in caught.value.findings] == [code]
