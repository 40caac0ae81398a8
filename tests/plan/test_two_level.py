"""Two levels: what cities do adds up to what provinces settled, and the plan is near the best that one model finds."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import polars as pl
import pytest
from tests.plan.cases import every, tiny
from tests.plan.scale_cases import scattered

import hinterland as hl
from hinterland.plan.aggregate import aggregated
from hinterland.plan.two_level import two_level
from hinterland.plan.validate import validate

Case = dict[str, pl.DataFrame]


def cities(seed: int, alike: bool = False) -> Case:
    """Two sending provinces of two cities, one receiving province of two and one of one; ``alike`` makes the cities of a province equal."""
    case = scattered(seed)
    pool = {"s0": "s0", "s1": "s0", "s2": "s2", "s3": "s2", "h0": "h0", "h1": "h0", "h2": "h2"}
    members = [m for m, c in pool.items() if m != c]
    regions = case["regions"].with_columns(pool=pl.col("region").replace_strict(pool))
    out = {**case, "regions": regions}
    out["routes"] = case["routes"].filter(~pl.col("origin").is_in(members) & ~pl.col("destination").is_in(members))
    if alike:
        for table in ("regions", "cells", "demand", "labour"):
            frame = out[table]
            keys = [c for c in ("industry", "skill") if c in frame.columns]
            own = frame.drop("region").columns
            centre = frame.rename({"region": "_centre"})
            placed = frame.select("region", *keys).with_columns(_centre=pl.col("region").replace_strict(pool))
            out[table] = placed.join(centre, on=["_centre", *keys], how="left").select("region", *own)
    return out


@pytest.mark.parametrize("seed", range(2))
def test_equal_cities_lose_nothing(seed: int) -> None:
    """Where the cities of a province are the same, the province is exactly their sum, and two levels find the optimum of one model."""
    problem = hl.read_problem(cities(seed, alike=True))
    found = two_level(problem)
    whole = hl.plan(problem)
    assert found.provinces.solution.objective == pytest.approx(whole.solution.objective, rel=1e-7)
    assert found.plan.solution.objective == pytest.approx(whole.solution.objective, rel=1e-6)


@pytest.mark.parametrize("seed", range(2))
def test_the_gap_to_one_model_is_small_and_never_negative(seed: int) -> None:
    problem = hl.read_problem(cities(seed))
    found = two_level(problem)
    whole = hl.plan(problem).solution.objective
    gap = found.plan.solution.objective / whole - 1
    assert -1e-7 <= gap < 0.05
    assert validate(found.plan).is_empty()


def test_what_cities_do_adds_up_to_what_was_settled() -> None:
    problem = hl.read_problem(cities(1))
    found = two_level(problem)
    centre = dict(problem.text["region"].select("region", "pool").rows())
    keys = ["source", "host", "industry", "year"]
    summed = (
        found.plan.flows.with_columns(pl.col(c).replace_strict(centre) for c in ("source", "host"))
        .group_by(keys)
        .agg(pl.col("value").sum())
    )
    both = found.provinces.flows.join(summed, on=keys, how="full", coalesce=True).fill_null(0.0)
    missed = found.history["missed"][-1]
    assert (both["value"] - both["value_right"]).sum() == pytest.approx(missed, abs=1e-6)
    assert missed <= 0.2 * found.history["settled"][-1]


def test_amounts_are_summed_and_costs_are_means() -> None:
    """By hand: two halves of a region are the region again."""
    problem = hl.read_problem(cities(2))
    made = aggregated(problem)
    p, q = problem, made.problem
    assert list(q.index["region"]) == ["h0", "h2", "s0", "s2"]
    of = {c: n for n, c in enumerate(p.index["cell"])}
    to = {c: n for n, c in enumerate(q.index["cell"])}
    k = p["capacity"].values
    pair = [of["s0/g1"], of["s1/g1"]]
    assert q["capacity"].values[to["s0/g1"]] == pytest.approx(k[pair].sum())
    cost = p["operating_cost"].transpose("cell", "year").values[pair, 0]
    assert q["operating_cost"].transpose("cell", "year").values[to["s0/g1"], 0] == pytest.approx((cost * k[pair]).sum() / k[pair].sum())
    assert q["final_demand"].values.sum() == pytest.approx(p["final_demand"].values.sum())
    assert q["labour"].values.sum() == pytest.approx(p["labour"].values.sum())
    assert len(q.index["arc"]) == 2 * 2 * 2
    ends = [(q.index["cell"][a], q.index["cell"][b]) for a, b in zip(q.links["arc.source"], q.links["arc.host"], strict=True)]
    at = ends.index(("s0/g1", "h0/g1"))
    mine = made.arc == at
    assert mine.sum() == 4
    weight = k[p.links["arc.source"][mine]]
    assert q["arc_cost"].values[at] == pytest.approx((p["arc_cost"].values[mine] * weight).sum() / weight.sum())


def short_of_land(seed: int) -> Case:
    """The receiving province has land in one city and room for newcomers in the other."""
    case = cities(seed)
    absorption = {"h0": 0.5, "h1": 80.0, "h2": 1.0}
    land = case["cells"].group_by("region").agg(value=pl.col("capacity").sum()).filter(pl.col("region").is_in(["h0", "h1"]))
    more = land.with_columns(value=pl.when(pl.col("region") == "h0").then(500.0).otherwise(pl.col("value")), resource=pl.lit("land"))
    return {
        **case,
        "cells": case["cells"].with_columns(absorption=pl.col("region").replace_strict(absorption, default=None, return_dtype=pl.Float64)),
        "resources": pl.DataFrame({"resource": ["land"], "base": ["capacity"]}),
        "intensities": pl.DataFrame({"resource": ["land"] * 2, "industry": ["g0", "g1"], "value": [1.0, 1.0]}),
        "limits": more,
    }


def test_what_cities_cannot_do_limits_the_next_plan_of_provinces() -> None:
    problem = hl.read_problem(short_of_land(1))
    one, two = (two_level(problem, rounds=n) for n in (1, 2))
    assert one.history["missed"][0] > 1.0
    assert two.history["round"].to_list() == [1, 2]
    assert two.history["missed"][1] < 0.1 * two.history["missed"][0]
    assert two.plan.solution.objective < one.plan.solution.objective
    for found in (one, two):
        assert validate(found.plan).is_empty()


def test_an_executor_changes_nothing() -> None:
    problem = hl.read_problem(cities(0))
    with ThreadPoolExecutor(2) as pool:
        beside = two_level(problem, executor=pool)
    assert beside.plan.solution.objective == pytest.approx(two_level(problem).plan.solution.objective, rel=1e-9)


def test_the_plan_says_how_it_was_made() -> None:
    found = two_level(hl.read_problem(cities(0)))
    for language in ("en", "zh"):
        assert f"{found.history.height}" in found.plan.explain(language)[-1]


def test_cases_without_levels_are_refused() -> None:
    with pytest.raises(hl.InputError, match="no region has a pool"):
        two_level(hl.read_problem(tiny()))
    with pytest.raises(hl.InputError, match="value-added"):
        two_level(hl.read_problem(cities(0)).with_settings(objective="value-added"))
    with pytest.raises(hl.InputError, match="step"):
        aggregated(hl.read_problem(every()))
