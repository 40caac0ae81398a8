"""The simulated world: its shape, its determinism, its refusal of nonsense."""

from __future__ import annotations

import time

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from hinterland.data.adoption import adoption
from hinterland.data.policy import policy_register
from hinterland.data.world import World, simulate
from hinterland.data.world_prices import segmentation
from hinterland.errors import InputError


@pytest.fixture(scope="module")
def world() -> World:
    return simulate("demonstration-zones")


def test_packaged_world_has_the_cities_years_and_dates_of_the_register(world: World) -> None:
    assert (world.panel.n_units, world.panel.n_periods, world.panel.is_balanced) == (293, 15, True)
    assert world.panel.frame["year"].to_list()[:15] == list(range(2008, 2023))
    assert_frame_equal(world.policy.table, policy_register().cohorts(until=2022).table)
    cohort, _, keep = world.policy.assign(world.panel.frame["adcode"].unique(maintain_order=True))
    first = world.panel.frame["first_treat"].gather_every(15).fill_null(0).to_numpy()
    inside = (cohort <= 2022) & keep
    assert (first[inside] == cohort[inside]).all()
    assert sorted(set(first[inside])) == [2010, 2011, 2012, 2013, 2014, 2019]


def test_partly_covered_cities_carry_their_dose(world: World) -> None:
    luan = world.potential.filter(pl.col("adcode") == "341500")
    assert luan["dose"][0] == 0.35
    assert not luan["sampled"].any()
    assert 0 < luan.filter(pl.col("event_time") == 12)["maturity"][0] < 0.35


def test_every_column_says_its_unit_of_measurement(world: World) -> None:
    frame = world.panel.frame
    assert set(world.panel.columns) == set(frame.columns)
    assert all(world.panel.columns[c].unit for c, t in frame.schema.items() if t.is_numeric())
    assert frame.null_count().drop("first_treat").sum_horizontal()[0] == 0
    assert frame.select(pl.col(pl.Float64).is_finite().all()).row(0) == (True,) * sum(t == pl.Float64 for t in frame.schema.values())


def test_same_seed_same_bytes(world: World) -> None:
    again = simulate("demonstration-zones")
    for name in ("truth", "prices", "potential"):
        assert_frame_equal(getattr(again, name), getattr(world, name), check_exact=True)
    assert_frame_equal(again.panel.frame, world.panel.frame, check_exact=True)
    assert not simulate(seed=1).panel.frame["inventions"].equals(world.panel.frame["inventions"])


def test_untreated_outcomes_do_not_depend_on_what_the_policy_does(world: World) -> None:
    other = simulate(effect=-0.4, spillover=-0.5, moderation=0.0)
    for column in ("inventions_00", "quality_0", "agglomeration_0", "capital_mismatch_0"):
        assert other.potential[column].equals(world.potential[column])
    assert other.panel.frame["ln_gdp_pc"].equals(world.panel.frame["ln_gdp_pc"])


def test_segmentation_is_the_relative_price_variance_of_the_prices(world: World) -> None:
    wide = world.prices["index"].to_numpy().reshape(31, 15, -1)
    assert wide.shape[2] >= 8
    value = segmentation(wide)
    codes = world.prices["province_code"].unique(maintain_order=True).to_list()
    row = world.panel.frame.filter((pl.col("province_code") == "510000") & (pl.col("year") == 2012))
    assert row["segmentation"].n_unique() == 1
    assert row["segmentation"][0] == value[codes.index("510000"), 4]


def test_segmentation_by_hand() -> None:
    """Hainan has one neighbour only: its value is the variance over goods of |ln R_Hainan/R_Guangdong| less the pairs' mean."""
    rng = np.random.default_rng(0)
    prices = 100 * np.exp(0.02 * rng.standard_normal((31, 1, 9)))
    from hinterland.data.geography import province_adjacency, provinces

    place = {code: i for i, code in enumerate(provinces()["province_code"])}
    pairs = [(place[a], place[b]) for a, b, _ in province_adjacency().iter_rows() if a < b]
    gaps = np.array([[abs(np.log(prices[a, 0, k] / prices[b, 0, k])) for k in range(9)] for a, b in pairs])
    hainan = pairs.index((place["440000"], place["460000"]))
    assert segmentation(prices)[place["460000"], 0] == pytest.approx(np.var(gaps[hainan] - gaps.mean(axis=0), ddof=1), rel=1e-12)


def test_synthetic_world_keeps_the_asked_sizes() -> None:
    world = simulate(units=120, periods=8, cohorts=(2010, 2013), treated_share=0.5)
    sizes = dict(world.policy.table.drop_nulls("cohort").group_by("cohort").len().iter_rows())
    assert sizes == {2010: 30, 2013: 30}
    assert world.panel.frame.height == 960
    assert_frame_equal(
        adoption(world.panel, "first_treat").table.select("unit", "cohort"),
        world.policy.table.select("unit", "cohort"),
        check_row_order=False,
    )
    assert len(simulate(units=400, periods=12, cohorts=3).policy.table["cohort"].drop_nulls().unique()) == 3


def test_long_worlds_stay_in_range() -> None:
    frame = simulate(units=90, periods=80, first_year=1960).panel.frame
    assert frame["share2"].is_between(0, 1).all()
    assert frame["inventions"].max() < 10**9


def test_many_rows_take_seconds() -> None:
    start = time.perf_counter()
    world = simulate(units=13_334)
    assert world.panel.frame.height == 200_010
    assert time.perf_counter() - start < 20
    assert world.panel.frame["adcode"].n_unique() == 13_334


@pytest.mark.parametrize(
    ("arguments", "codes"),
    [
        ({"name": "demonstration-zone"}, {"unknown-world"}),
        ({"seed": -1, "units": 1, "periods": True, "cohorts": "two"}, {"bad-size", "bad-cohorts"}),
        (
            {"efect": 1, "dynamics": 0, "effect": "large", "neighbours": 2.5},
            {"unknown-parameter", "out-of-range", "not-a-number", "not-whole"},
        ),
        ({"mediated_capital": 0.9}, {"shares-above-one"}),
        ({"cohorts": (2008, 2030)}, {"cohort-outside"}),
        ({"units": 20, "cohorts": 12}, {"too-few-units"}),
        ({"first_year": 2030, "units": 50}, {"no-cohort"}),
    ],
)
def test_nonsense_is_refused_with_every_problem(arguments: dict[str, object], codes: set[str]) -> None:
    with pytest.raises(InputError) as caught:
        simulate(**arguments)  # type: ignore[arg-type]
    assert {f.code for f in caught.value.findings} == codes
    assert all(f.remedy and f.where for f in caught.value.findings)
