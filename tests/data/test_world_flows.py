"""Flows of the simulated world: the links give them back, their law is the one written down, and nothing else changes."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from hinterland.data.geography import province_adjacency
from hinterland.data.industry import known_codes
from hinterland.data.micro import reduce_links
from hinterland.data.world import World, simulate
from hinterland.data.world_flows import draw_projects, flow_industries, gravity_law, mean_flows, setting

ROLES: dict[str, Any] = {"owner": "owner", "region": "adcode", "parent": "owner", "parent_region": "adcode", "industry": "class"}
ROLES |= {"time": "year", "capital": "capital", "share": "share", "industry_level": "division", "industry_standard": "2017"}
KEYS = ["source", "host", "industry", "year"]


@pytest.fixture(scope="module")
def world() -> World:
    return simulate(periods=5)


def test_links_reduced_are_the_flows(world: World) -> None:
    cells = reduce_links(world.input("links").lazy(), world.input("owners").lazy(), **ROLES, region_level="province")
    found = cells.frame.select("source", "host", "industry", "n", "amount", year="time").sort(KEYS)
    flows = world.input("flows").filter((pl.col("source") != pl.col("host")) & (pl.col("projects") > 0)).sort(KEYS)
    assert found.select(KEYS).equals(flows.select(KEYS))
    assert found["n"].to_list() == flows["projects"].to_list()
    assert found["amount"].to_numpy() == pytest.approx(flows["capital"].to_numpy(), rel=1e-12)
    assert [f.code for f in cells.findings] == ["within-region"]
    assert cells.rejected.height == 0
    within = world.input("flows").filter(pl.col("source") == pl.col("host"))["projects"].sum()
    assert cells.findings[0].what.startswith(f"{within} link(s)")


def test_every_pair_has_a_row_and_most_pairs_no_flow(world: World) -> None:
    flows = world.input("flows")
    provinces = world.panel.frame["province_code"].n_unique()
    assert flows.height == provinces**2 * len(flow_industries()) * 5
    assert flows.select(KEYS).is_duplicated().sum() == 0
    between = flows.filter(pl.col("source") != pl.col("host"))
    zeros = (between["projects"] == 0).to_numpy().mean()
    assert 0.5 < zeros < 0.7
    assert (between.filter(pl.col("projects") == 0)["capital"] == 0).all()
    assert set(flows["industry"]) <= known_codes("2017", "division")


def test_regressors_are_what_they_say(world: World) -> None:
    flows, panel = world.input("flows"), world.panel.frame
    wage = panel.group_by("province_code", "year").agg(pl.col("ln_gdp_pc").mean(), zone=(pl.col("dose") * pl.col("treated")).mean())
    joined = flows.join(wage, left_on=["source", "year"], right_on=["province_code", "year"]).join(
        wage, left_on=["host", "year"], right_on=["province_code", "year"], suffix="_h"
    )
    assert joined["wage_gap"].to_numpy() == pytest.approx((joined["ln_gdp_pc"] - joined["ln_gdp_pc_h"]).to_numpy(), abs=1e-12)
    assert joined["zone"].to_numpy() == pytest.approx(joined["zone_h"].to_numpy(), abs=1e-15)
    near = set(province_adjacency().select("a", "b").iter_rows())
    pairs = flows.select("source", "host", "contiguous", "distance_km", "ln_distance").unique()
    assert all(bool(c) == ((s, h) in near) for s, h, c in pairs.select("source", "host", "contiguous").iter_rows())
    assert pairs["ln_distance"].to_numpy() == pytest.approx(np.log(pairs["distance_km"].to_numpy()))
    back = pairs.join(pairs, left_on=["source", "host"], right_on=["host", "source"])
    assert back["distance_km"].to_numpy() == pytest.approx(back["distance_km_right"].to_numpy())
    km = dict(pairs.filter(pl.col("source") == "510000").select("host", "distance_km").iter_rows())
    assert 100 < km["500000"] < 400  # centre of Sichuan's prefecture-level cities to Chongqing
    assert 2000 < km["230000"] < 2800


def test_counts_have_the_mean_of_the_law(world: World) -> None:
    """Standardised by variance μ + v μ², v = (1 + pair)(1 + cell) − 1, sums of independent pairs are standard normal within four."""
    mean = mean_flows(setting(world.panel, 0), gravity_law(), 0)
    for seed in range(5):
        drawn = draw_projects(np.random.default_rng(seed), mean)
        pair_mean, pair_drawn = mean.sum(axis=(2, 3)), drawn.sum(axis=(2, 3))
        variance = pair_mean + 0.05 * pair_mean**2 + 1.05 * 0.5 * (mean**2).sum(axis=(2, 3))
        assert abs(pair_drawn.sum() - pair_mean.sum()) < 4 * np.sqrt(variance.sum())


def test_law_has_the_coefficients_that_it_names() -> None:
    """ln μ between provinces, regressed on the terms with dummies of the other dimensions, gives the coefficients exactly."""
    world = simulate(periods=3)
    known = setting(world.panel, 0)
    law = gravity_law(0.5)
    flat = dict.fromkeys(law, 0.0)
    base = np.log(mean_flows(known, flat, 0))
    off = ~np.eye(len(known.codes), dtype=bool)
    gap = known.wage[:, None, :] - known.wage[None, :, :]
    terms = {
        "ln_distance": (np.log(known.distance) - 7.0)[:, :, None, None] + 0 * base,
        "contiguous": known.contiguous[:, :, None, None] + 0 * base,
        "wage_gap": gap[:, :, None, :] + 0 * base,
        "zone": known.zone[None, :, None, :] + 0 * base,
        "relatedness": known.relatedness[None] + 0 * base,
        "zone:wage_gap": (known.zone[None] * gap)[:, :, None, :] + 0 * base,
    }
    for name, x in terms.items():
        only = np.log(mean_flows(known, {**flat, name: law[name]}, 0)) - base
        assert only[off] == pytest.approx((law[name] * x)[off], abs=1e-12), name


def test_zones_attract_nothing_in_the_null_world() -> None:
    assert gravity_law(0.0)["zone"] == 0.0
    assert gravity_law(0.5)["zone"] == pytest.approx(0.4)
    null, world = simulate(periods=5, effect=0.0), simulate(periods=5)
    assert null.input("flows")["zone"].equals(world.input("flows")["zone"])
    assert null.input("flows")["projects"].sum() < world.input("flows")["projects"].sum()


def test_synthetic_worlds_flow_too_and_order_does_not_matter() -> None:
    one, other = simulate(units=60, periods=4, cohorts=1), simulate(units=60, periods=4, cohorts=1)
    links = one.input("links")
    assert_frame_equal(other.input("flows"), one.input("flows"), check_exact=True)
    assert_frame_equal(other.input("links"), links, check_exact=True)
    assert links.height == one.input("flows")["projects"].sum()
    assert set(links["owner"]) <= set(one.input("owners")["owner"])
    tiny = simulate(units=2, periods=2, cohorts=1, treated_share=0.5)
    assert tiny.input("flows").height in (1 * 8 * 2, 4 * 8 * 2)
