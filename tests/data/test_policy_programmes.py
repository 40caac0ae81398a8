"""The registers of other programmes: known codes, and the lists they were read from."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from hinterland.data.geography import cities, match_cities
from hinterland.data.policy import policy_register, registers

PROGRAMMES = registers()[1:]


@pytest.mark.parametrize("name", PROGRAMMES)
def test_every_unit_is_known_once_and_in_a_batch(name: str) -> None:
    register = policy_register(name)
    known = dict(cities().select("adcode", "name_zh").iter_rows())
    assert register.members["adcode"].is_duplicated().sum() == 0
    assert all(known.get(code) == zh for code, zh in register.members.select("adcode", "name_zh").iter_rows())
    assert set(register.members["zone_id"]) == set(register.zones["zone_id"])
    assert set(register.members["coverage"]) <= {"full", "partial"}
    assert (register.members["dose"].is_null() == (register.members["coverage"] == "partial")).all()
    assert register.members.filter(coverage="partial")["districts"].null_count() == 0
    assert register.zones["sources"].null_count() == 0


def test_sizes_of_the_lists() -> None:
    """Thirteen places of 2010 with every unit of five provinces, 27 cities and Hainan's of 2012; 39 places a year of Broadband China."""
    sizes = {n: dict(policy_register(n).members.group_by("zone_id").len().sort("zone_id").iter_rows()) for n in PROGRAMMES}
    assert sizes == {
        "low-carbon-pilots": {"LC1": 81, "LC2": 27, "LC3": 34},
        "broadband-china": {"BC1": 39, "BC2": 38, "BC3": 36},
        "innovative-cities": {"IC1": 60, "IC2": 17},
        "ip-demonstration-cities": {"IP1": 23, "IP2": 16},
    }
    assert policy_register("innovative-cities").zones["precision"].to_list() == ["latest", "year"]


def test_the_lists_agree_with_official_ones_as_transcribed(shared_data: Path) -> None:
    listed = pl.read_csv(shared_data / "concurrent_policies" / "policies.csv", infer_schema=False).drop_nulls("adcode")
    for theirs, ours in (
        ("broadband_china", "broadband-china"),
        ("innovative_city", "innovative-cities"),
        ("ip_demo_city", "ip-demonstration-cities"),
    ):
        first = listed.filter(policy=theirs).group_by("adcode").agg(pl.col("batch_year").min().cast(pl.Int64)).sort("adcode")
        cohorts = policy_register(ours).cohorts(timing="approval_year", partial="treat").table
        assert dict(cohorts.select("unit", "cohort").iter_rows()) == dict(first.iter_rows()), ours


def test_low_carbon_pilots_agree_with_a_replication(shared_data: Path) -> None:
    """It has 92 cities and counts a city from the batch that names it, though its province was a pilot before; its second batch is that of 2012."""
    listed = pl.read_csv(shared_data / "city_panel_2000_2023" / "low_carbon_pilots_gp.csv")
    batch = dict(policy_register("low-carbon-pilots").members.select("adcode", "zone_id").iter_rows())
    codes = match_cities(listed["city_name"])["adcode"]
    theirs = [{2010: "LC1", 2013: "LC2", 2017: "LC3"}[y] for y in listed["pilot_year"]]
    differ = {n: (a, batch[c]) for n, c, a in zip(listed["city_name"], codes, theirs, strict=True) if batch[c] != a}
    assert differ == {
        **dict.fromkeys(["广州市", "武汉市", "昆明市", "延安市"], ("LC2", "LC1")),
        **dict.fromkeys(["中山市", "玉溪市"], ("LC3", "LC1")),
        "三亚市": ("LC3", "LC2"),
    }
