"""Market segmentation through ``hl.measure``: labels, pair sets, baskets, cities, and what is said of bad input."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.testing import assert_allclose

import hinterland as hl
from hinterland.data.geography import provinces
from hinterland.data.globe import great_circle
from hinterland.data.world_prices import price_frame, simulate_prices
from hinterland.data.world_prices import segmentation as world_segmentation
from hinterland.measure.neighbours import find_provinces, seats

YEARS = np.arange(2010, 2013)
PRICES = simulate_prices(np.random.default_rng(1), YEARS)
FRAME = price_frame(PRICES, YEARS)
ROLES: dict[str, Any] = {"region": "province_code", "item": "good", "time": "year", "value": "index"}
EXAMPLE = pl.DataFrame(
    {
        "place": np.repeat(list("ABC"), 3),
        "good": list("xyz") * 3,
        "index": [102.0, 105, 100, 104, 103, 101, 101, 108, 99],
    }
)
TRIANGLE = pl.DataFrame({"region": ["A", "B", "C"], "other": ["B", "C", "A"]})


def example(frame: pl.DataFrame = EXAMPLE, **more: Any) -> hl.Measure:
    return hl.measure("market-segmentation", frame, region="place", item="good", value="index", **{"pairs": TRIANGLE, **more})


def national(frame: pl.DataFrame = FRAME, name: str = "market-segmentation", **more: Any) -> hl.Measure:
    return hl.measure(name, frame, **ROLES, **more)


def codes(m: hl.Measure) -> set[str]:
    return {f.code for f in m.findings}


def test_the_worked_example() -> None:
    m = example(scale=1e4)
    found = m.component("segmentation")
    assert_allclose(found["value"], [0.268131, 0.309785, 0.174187], atol=5e-7)  # printed to six digits
    assert found.columns == ["place", "value", "n_used", "coverage", "reason"]
    assert found["n_used"].to_list() == [6, 6, 6]
    assert m.component("goods")["value"].to_list() == [3.0, 3.0, 3.0]
    assert_allclose(m.component("integration")["value"], (found["value"] / 1e4) ** -0.5)
    assert codes(m) == {"few-goods"}


def test_the_packaged_borders_give_the_worlds_segmentation() -> None:
    m = national()
    found = m.component("segmentation")["value"].to_numpy().reshape(3, 31)
    assert_allclose(found.T, world_segmentation(PRICES), rtol=1e-11)
    assert m.component("segmentation")["coverage"].to_list() == [1.0] * 93
    assert m.findings == ()
    assert m.meta["pairs"] == 69
    assert m.meta["goods"] == {"2010": 16, "2011": 16, "2012": 16}


def test_names_of_provinces_are_understood() -> None:
    base = national().component("segmentation").sort("year", "province_code")
    names = provinces().select("province_code", "name_en", "short_zh")
    for column in ("name_en", "short_zh"):
        m = hl.measure("market-segmentation", FRAME.join(names, on="province_code"), **{**ROLES, "region": column})
        found = m.component("segmentation").join(names, on=column).sort("year", "province_code")
        assert_allclose(found["value"], base["value"], rtol=1e-12)
    assert find_provinces(pl.Series(["11", "新疆", "xinjiang", "Atlantis"])).tolist() == [0, 30, 30, -1]


def test_hainan_is_an_island_without_the_strait() -> None:
    m = national(hainan_guangdong=False)
    island = m.component("segmentation").filter(pl.col("province_code") == "460000")
    assert set(island["reason"]) == {"no-neighbour"}
    assert island["value"].null_count() == 3
    (finding,) = m.findings
    assert finding.code == "no-neighbour"
    assert "460000" in finding.what


def test_pair_sets() -> None:
    every = national(pairs="all")
    assert every.meta["pairs"] == 465
    near = national(pairs="distance")
    assert near.meta["pairs"] == 465
    equal = pl.DataFrame({"region": np.repeat(provinces()["province_code"], 31), "other": list(provinces()["province_code"]) * 31})
    same = national(pairs="distance", distances=equal.with_columns(distance=2.0))
    assert_allclose(same.component("segmentation")["value"], every.component("segmentation")["value"], rtol=1e-12)
    assert not np.allclose(near.component("segmentation")["value"], every.component("segmentation")["value"], rtol=1e-3)


def test_distances_between_seats() -> None:
    """Beijing–Shanghai is 1 067 km and Beijing–Tianjin 113 km between the points that GeoNames has for their seats."""
    place = seats()
    assert_allclose(great_circle(place[:1], place[[1, 8]])[0], [113, 1067], atol=5)


def test_pairs_of_the_same_measure() -> None:
    pairs = national(name="relative-price-variance").frame
    assert pairs.columns == ["year", "province_code", "other", "value", "n_used", "coverage", "reason"]
    assert pairs.height == 69 * 3
    both = pl.concat(
        [pairs, pairs.select("year", pl.col("other").alias("province_code"), pl.col("province_code").alias("other"), "value")],
        how="diagonal",
    )
    mean = both.group_by("year", "province_code").agg(pl.col("value").mean()).sort("year", "province_code")
    assert_allclose(mean["value"], national().component("segmentation")["value"], rtol=1e-12)


def test_a_fixed_base_loses_its_first_year() -> None:
    fixed = price_frame(100 * np.cumprod(PRICES / 100, axis=1), YEARS)
    m = national(fixed, input="fixed")
    found = m.component("segmentation")
    assert set(found.filter(pl.col("year") == 2010)["reason"]) == {"no-previous-period"}
    base = national().component("segmentation").filter(pl.col("year") > 2010)
    assert_allclose(found.filter(pl.col("year") > 2010)["value"], base["value"], rtol=1e-9)
    assert codes(m) == set()


def test_a_missing_good_narrows_the_basket_of_its_year_and_is_named() -> None:
    gone = (pl.col("province_code") == "540000") & (pl.col("year") == 2011) & (pl.col("good") == FRAME["good"][0])
    m = national(FRAME.filter(~gone))
    assert codes(m) == {"basket-narrowed", "basket-changed"}
    said = {f.code: f.what for f in m.findings}
    assert "540000" in said["basket-narrowed"] and FRAME["good"][0] in said["basket-narrowed"] and "2011" in said["basket-narrowed"]
    assert "2011, 2012" in said["basket-changed"]
    assert m.meta["goods"]["2011"] == 15
    assert m.component("segmentation").filter(pl.col("year") == 2011)["coverage"].unique().to_list() == [15 / 16]
    loose = national(FRAME.filter(~gone), basket="unbalanced")
    assert loose.meta["goods"]["2011"] == 16


def test_a_province_without_prices_leaves_the_others() -> None:
    m = national(FRAME.filter((pl.col("province_code") != "540000") | (pl.col("year") != 2012)))
    found = m.component("segmentation").filter(pl.col("year") == 2012)
    assert found.filter(pl.col("reason") != "")["province_code"].to_list() == ["540000"]
    assert found.filter(pl.col("province_code") == "510000")["coverage"].item() == 6 / 7
    withheld = FRAME.with_columns(state=pl.when(pl.col("province_code") == "540000").then(pl.lit("suppressed")))
    tibet = national(withheld, state="state").component("segmentation").filter(pl.col("province_code") == "540000")
    assert set(tibet["reason"]) == {"suppressed-input"}


def test_two_pairs_and_two_goods_are_named() -> None:
    m = example(pairs=TRIANGLE.head(2))
    assert set(m.component("segmentation")["reason"]) == {"too-few-pairs"}
    assert "too-few-pairs" in codes(m)
    m = example(EXAMPLE.filter(pl.col("good") != "z"))
    assert set(m.component("segmentation")["reason"]) == {"too-few-goods"}
    assert "too-few-goods" in codes(m)


def test_identical_prices_have_no_integration_index() -> None:
    m = example(EXAMPLE.with_columns(index=pl.lit(101.0)))
    assert m.component("segmentation")["value"].to_list() == [0.0, 0.0, 0.0]
    assert set(m.component("integration")["reason"]) == {"zero-variance"}


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"pairs": "contiguous"}, "not-a-province"),
        ({"pairs": "contigous"}, "unknown-value"),
        ({"pairs": "distance"}, "not-a-province"),
        ({"pairs": "distance", "distances": TRIANGLE.with_columns(distance=pl.Series([1.0, 0.0, 2.0]))}, "bad-distance"),
        ({"pairs": TRIANGLE.rename({"other": "neighbour"})}, "unknown-column"),
        ({"least_goods": 2}, "out-of-range"),
        ({"scale": 0.0}, "out-of-range"),
        ({"input": "growth"}, "unknown-value"),
    ],
)
def test_bad_choices_are_named(more: dict[str, Any], code: str) -> None:
    with pytest.raises(hl.InputError) as caught:
        example(**more)
    assert [f.code for f in caught.value.findings] == [code]


def test_bad_tables_are_named() -> None:
    with pytest.raises(hl.InputError) as caught:
        example(EXAMPLE.with_columns(index=pl.col("index") - 102))
    assert [f.code for f in caught.value.findings] == ["negative-value"]
    twice = FRAME.with_columns(province_code=pl.col("province_code").replace("120000", "天津").replace("130000", "120000"))
    with pytest.raises(hl.InputError) as caught:
        national(twice)
    assert "duplicate-province" in {f.code for f in caught.value.findings}
    m = example(pairs=pl.concat([TRIANGLE, pl.DataFrame({"region": ["A"], "other": ["D"]})]))
    assert "unknown-pair" in codes(m)


def test_factor_markets_are_the_same_statistic() -> None:
    m = hl.measure("factor-market-segmentation", EXAMPLE, region="place", item="good", value="index", pairs=TRIANGLE)
    assert m.frame["value"].to_list() == example().frame["value"].to_list()


def test_cities_take_their_provinces_value() -> None:
    m = national(name="city-market-segmentation")
    assert m.frame.columns == ["year", "province_code", "value", "n_used", "coverage", "reason"]
    assert m.frame.height == 3 * 337
    assert m.meta["resolution"] == m.meta["cluster"] == "province"
    assert m.frame.filter(pl.col("year") == 2011)["value"].n_unique() == 31
    chengdu = m.frame.filter(pl.col("province_code") == "510100")["value"]
    assert chengdu.to_list() == national().component("segmentation").filter(pl.col("province_code") == "510000")["value"].to_list()


def test_cities_of_ones_own_and_a_province_that_is_not_there() -> None:
    cities = pl.DataFrame({"city": ["a", "b", "c"], "province": ["四川", "110000", "Atlantis"]})
    m = national(name="city-market-segmentation", cities=cities)
    assert m.frame.filter(pl.col("province_code") == "c")["reason"].to_list() == ["no-province"] * 3
    assert m.frame.filter(pl.col("province_code") == "c")["n_used"].to_list() == [0] * 3
    assert m.frame.filter(pl.col("province_code") != "c")["value"].null_count() == 0
    with pytest.raises(hl.InputError) as caught:
        national(name="city-market-segmentation", cities=pl.concat([cities, cities]))
    assert caught.value.findings[0].code == "duplicate-cell"


def test_cities_between_provinces() -> None:
    m = national(name="city-market-segmentation", city_method="distance-weighted")
    province = national().component("segmentation").filter(pl.col("year") == 2010)
    value = dict(province.select("province_code", "value").iter_rows())
    haikou = m.frame.filter(pl.col("province_code") == "460100", pl.col("year") == 2010)["value"].item()
    place = {code: i for i, code in enumerate(provinces()["province_code"])}
    away = great_circle(seats()[[place["460000"]]], seats()[[place["440000"]]]).item()
    weight = np.array([1 / 100, 1 / away])
    assert_allclose(haikou, (weight * [value["460000"], value["440000"]]).sum() / weight.sum(), rtol=1e-9)
    assert m.frame["value"].null_count() == 0
    with pytest.raises(hl.InputError):
        national(name="city-market-segmentation", city_method="distance-weighted", nearest=0.0)


def test_cities_with_prices_of_their_own() -> None:
    m = hl.measure(
        "city-market-segmentation", EXAMPLE, region="place", item="good", value="index", pairs=TRIANGLE, city_method="city-pairs"
    )
    assert m.meta["resolution"] == "city"
    assert m.frame["value"].to_list() == example().component("segmentation")["value"].to_list()
