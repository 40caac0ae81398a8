"""Relative-price variance: the worked example, a loop over its definition, its invariances and its edges."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray

from hinterland.data.geography import province_adjacency, provinces
from hinterland.data.world_prices import segmentation as world_segmentation
from hinterland.data.world_prices import simulate_prices
from hinterland.measure import segmentation as module
from hinterland.measure.segmentation import (
    Pairs,
    basket_changes,
    broadcast,
    distance_weighted,
    integration,
    pair_variances,
    price_changes,
    segmentation,
)

Floats = NDArray[np.float64]
YEARS = np.array([2010])
TRIANGLE = Pairs.every(3)
EXAMPLE = np.array([[[102.0, 105.0, 100.0], [104.0, 103.0, 101.0], [101.0, 108.0, 99.0]]])


def simulated(periods: int = 4, regions: int = 6, goods: int = 7, seed: int = 0) -> Floats:
    return 100 * np.exp(0.03 * np.random.default_rng(seed).standard_normal((periods, regions, goods)))


def by_hand(prices: Floats, pairs: Pairs, ddof: int = 1) -> Floats:
    """The definition, one number at a time; NaN where a price is missing."""
    periods, regions, goods = prices.shape
    out = np.full((periods, regions), np.nan)
    for t in range(periods):
        gaps = {
            (p, q): [abs(np.log(prices[t, p, k] / prices[t, q, k])) for k in range(goods)] for p, q in zip(pairs.a, pairs.b, strict=True)
        }
        means = [np.mean([g[k] for g in gaps.values()]) for k in range(goods)]
        variance = {pair: np.var([g[k] - means[k] for k in range(goods)], ddof=ddof) for pair, g in gaps.items()}
        for p in range(regions):
            mine = [(w, variance[a, b]) for a, b, w in zip(pairs.a, pairs.b, pairs.weight, strict=True) if p in {a, b}]
            if mine:
                out[t, p] = sum(w * v for w, v in mine) / sum(w for w, _ in mine)
    return out


def test_the_worked_example() -> None:
    found = segmentation(price_changes(EXAMPLE, YEARS), TRIANGLE)
    assert_allclose(found.value[0] * 1e4, [0.268131, 0.309785, 0.174187], atol=5e-7)  # printed to six digits
    assert_array_equal(found.neighbours, [[2, 2, 2]])
    assert_array_equal(found.prices, [[6, 6, 6]])
    assert_array_equal(found.reason, [["", "", ""]])
    assert_allclose(integration(found.value), found.value**-0.5, rtol=1e-15)


@pytest.mark.parametrize("ddof", [0, 1])
@pytest.mark.parametrize("kind", ["contiguous", "every", "distance"])
def test_agrees_with_the_definition_written_as_loops(kind: str, ddof: int) -> None:
    prices = simulated()
    distance = np.abs(np.subtract.outer(np.arange(6.0), np.arange(6.0) ** 1.3)) + 1
    distance = distance + distance.T
    pairs = {
        "contiguous": Pairs.of(np.array([0, 1, 2, 3, 4, 1, 0]), np.array([1, 0, 3, 4, 5, 5, 2])),
        "every": Pairs.every(6),
        "distance": Pairs.by_distance(distance),
    }[kind]
    found = segmentation(price_changes(prices, np.arange(4)), pairs, ddof=ddof)
    assert_allclose(found.value, by_hand(prices, pairs, ddof), rtol=1e-11)


def test_pairs_are_unordered_and_listed_once() -> None:
    pairs = Pairs.of(np.array([2, 0, 1, 1]), np.array([0, 2, 1, 0]))
    assert list(zip(pairs.a, pairs.b, strict=True)) == [(0, 1), (0, 2)]
    assert len(Pairs.of(np.array([], dtype=np.int64), np.array([], dtype=np.int64)).a) == 0


def test_agrees_with_the_simulated_world() -> None:
    """The world's own statistic, computed apart from this module; equal but for rounding in the last bits."""
    prices = simulate_prices(np.random.default_rng(3), np.arange(2008, 2023))
    place = {code: i for i, code in enumerate(provinces()["province_code"])}
    adjacency = province_adjacency()
    pairs = Pairs.of(np.array([place[c] for c in adjacency["a"]]), np.array([place[c] for c in adjacency["b"]]))
    found = segmentation(price_changes(prices.transpose(1, 0, 2), np.arange(2008, 2023)), pairs)
    assert_allclose(found.value.T, world_segmentation(prices), rtol=1e-11)


def test_long_panels_are_worked_through_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    change = price_changes(simulated(9), np.arange(9))
    whole = segmentation(change, Pairs.every(6))
    monkeypatch.setattr(module, "BLOCK", 210)
    assert_array_equal(segmentation(change, Pairs.every(6)).value, whole.value)


def test_a_fixed_base_is_differenced_once() -> None:
    chain = simulated(5)
    fixed = 100 * np.cumprod(chain / 100, axis=0)
    found = segmentation(price_changes(fixed, np.arange(5), "fixed"), Pairs.every(6))
    assert_allclose(found.value[1:], segmentation(price_changes(chain, np.arange(5)), Pairs.every(6)).value[1:], rtol=1e-9)
    assert np.isnan(found.value[0]).all()
    assert (found.reason[0] == "missing-input").all()


def test_a_fixed_base_has_no_change_after_a_gap() -> None:
    change = price_changes(simulated(3), np.array([2010, 2012, 2013]), "fixed")
    assert_array_equal(np.isfinite(change).all(axis=(1, 2)), [False, False, True])


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.2, 5), st.integers(0, 6))
def test_common_factors_and_the_order_of_pairs_do_not_matter(seed: int, factor: float, good: int) -> None:
    prices = simulated(seed=seed)
    base = segmentation(price_changes(prices, np.arange(4)), Pairs.every(6)).value
    scaled = prices.copy()
    scaled[:, :, good] *= factor
    assert_allclose(segmentation(price_changes(scaled, np.arange(4)), Pairs.every(6)).value, base, rtol=1e-9)
    every = list(combinations(range(6), 2))
    turned = np.random.default_rng(seed).permutation(len(every))
    pairs = Pairs(np.array([every[i][1] for i in turned]), np.array([every[i][0] for i in turned]), np.ones(len(every)))
    assert_allclose(segmentation(price_changes(prices, np.arange(4)), pairs).value, base, rtol=1e-12)


@pytest.mark.parametrize("count", [1, 2])
def test_one_or_two_pairs_say_nothing(count: int) -> None:
    pairs = Pairs.of(np.array([0, 1])[:count], np.array([1, 2])[:count])
    found = segmentation(price_changes(EXAMPLE, YEARS), pairs)
    assert np.isnan(found.value).all()
    assert set(found.reason[0, : count + 1]) == {"too-few-pairs"}


def test_an_island_is_undefined_and_leaves_the_others_alone() -> None:
    prices = np.concatenate([EXAMPLE, [[[101.0, 99.0, 140.0]]]], axis=1)
    found = segmentation(price_changes(prices, YEARS), TRIANGLE)
    assert found.reason[0, 3] == "no-neighbour"
    assert np.isnan(found.value[0, 3])
    assert_allclose(found.value[0, :3], segmentation(price_changes(EXAMPLE, YEARS), TRIANGLE).value[0], rtol=1e-14)


def test_two_goods_are_too_few() -> None:
    found = segmentation(price_changes(EXAMPLE[:, :, :2], YEARS), TRIANGLE)
    assert np.isnan(found.value).all()
    assert (found.reason == "too-few-goods").all()


def test_the_balanced_basket_holds_the_goods_that_all_pairs_have() -> None:
    prices = simulated(2)
    prices[1, 2, 4] = np.nan
    found = segmentation(price_changes(prices, np.arange(2)), Pairs.every(6))
    assert_array_equal(found.pairs.basket.sum(axis=1), [7, 6])
    assert_allclose(found.value[1], by_hand(np.delete(prices[1:], 4, axis=2), Pairs.every(6))[0], rtol=1e-11)
    assert_array_equal(basket_changes(found.pairs.basket), [1])


def test_a_region_without_prices_leaves_the_pair_set_of_that_period() -> None:
    prices = simulated(1)
    prices[0, 5] = np.nan
    found = segmentation(price_changes(prices, YEARS), Pairs.every(6))
    assert_allclose(found.value[0, :5], by_hand(prices[:, :5], Pairs.every(5))[0], rtol=1e-11)
    assert found.reason[0, 5] == "missing-input"
    assert_array_equal(found.neighbours[0], [4, 4, 4, 4, 4, 0])


def test_a_region_whose_only_neighbour_is_missing_is_undefined() -> None:
    prices = simulated(1)
    prices[0, 4] = np.nan
    pairs = Pairs.of(np.array([0, 1, 2, 4]), np.array([1, 2, 0, 5]))
    found = segmentation(price_changes(prices, YEARS), pairs)
    assert found.reason[0, 5] == "missing-input"
    assert np.isfinite(found.value[0, :3]).all()


def test_the_unbalanced_basket_takes_each_pairs_own_goods() -> None:
    prices = simulated(1)
    prices[0, 0, 0] = prices[0, 1, [1, 2]] = np.nan
    change = price_changes(prices, YEARS)
    pairs = Pairs.every(6)
    found = pair_variances(change, pairs, basket="unbalanced")
    gaps = np.abs(change[0, pairs.a] - change[0, pairs.b])
    moved = gaps - np.nanmean(gaps, axis=0)
    common = np.isfinite(gaps).sum(axis=1)
    assert_array_equal(found.goods[0], common)
    assert_allclose(found.variance[0], np.where(common >= 5, np.nanvar(moved, axis=1, ddof=1), np.nan), rtol=1e-11)
    assert list(found.reason[0][common < 5]) == ["too-few-goods"]
    assert np.isfinite(pair_variances(change, pairs, basket="unbalanced", least_goods=4).variance).all()


def test_goods_that_fewer_than_three_pairs_have_are_left_out_of_an_unbalanced_basket() -> None:
    prices = simulated(1)
    prices[0, 2:, 3] = np.nan
    assert_array_equal(pair_variances(price_changes(prices, YEARS), Pairs.every(6), basket="unbalanced").basket[0], np.arange(7) != 3)


def test_nothing_is_ever_infinite() -> None:
    same = np.full((1, 3, 4), 101.0)
    found = segmentation(price_changes(same, YEARS), TRIANGLE)
    assert_array_equal(found.value, np.zeros((1, 3)))
    assert np.isnan(integration(found.value)).all()
    empty = segmentation(np.empty((0, 3, 4)), TRIANGLE)
    assert empty.value.shape == (0, 3)


def test_cities_take_the_value_of_their_province() -> None:
    value = np.array([[1.0, 2.0], [3.0, np.nan]])
    assert_array_equal(broadcast(value, np.array([0, 1, 1, -1])), [[1, 2, 2, np.nan], [3, np.nan, np.nan, np.nan]])


def test_cities_between_provinces_take_a_mean_by_distance() -> None:
    value = np.array([[1.0, 3.0, 5.0], [1.0, np.nan, 5.0]])
    distance = np.array([[0.0, 300.0, np.nan], [np.nan, np.nan, np.nan]])
    found = distance_weighted(value, distance, nearest=100.0)
    assert_allclose(found[0, 0], (1 / 100 * 1 + 1 / 300 * 3) / (1 / 100 + 1 / 300))
    assert found[1, 0] == 1.0
    assert np.isnan(found[:, 1]).all()
