"""The border effect, comovement, structures and price convergence through ``hl.measure``."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.testing import assert_allclose
from numpy.typing import NDArray

import hinterland as hl
from hinterland.measure.border_effect import border_effect
from hinterland.measure.comovement import variance_shares
from hinterland.measure.price_convergence import persistence, relative_prices

Floats = NDArray[np.float64]


def flows(regions: int = 10, years: int = 2, goods: int = 2, seed: int = 0) -> tuple[pl.DataFrame, Floats, Floats]:
    rng = np.random.default_rng(seed)
    place = rng.uniform(0, 1000, (regions, 2))
    distance = np.hypot(*(place[:, None] - place[None]).transpose(2, 0, 1)) + 40 * np.eye(regions)
    ends = rng.normal(3, 0.7, (2, years, goods, regions))
    mean = np.exp(ends[0][..., :, None] + ends[1][..., None, :] - 0.9 * np.log(distance) + 1.2 * np.eye(regions))
    flow = mean * rng.gamma(2.0, 0.5, mean.shape)
    t, k, p, q = (x.ravel() for x in np.indices(flow.shape))
    names = np.array([f"r{i}" for i in range(regions)])
    frame = pl.DataFrame(
        {"year": 2010 + t, "good": np.array(["x", "y"])[k], "from": names[p], "to": names[q], "flow": flow.ravel(), "km": distance[p, q]}
    )
    return frame, flow, distance


BORDER: dict[str, Any] = {"region": "from", "other": "to", "value": "flow", "distance": "km", "item": "good", "time": "year"}


def border(frame: pl.DataFrame, **more: Any) -> hl.Measure:
    return hl.measure("border-effect", frame, **{k: v for k, v in BORDER.items() if v in frame.columns}, **more)


def codes(m: hl.Measure) -> set[str]:
    return {f.code for f in m.findings}


def test_border_effects_by_period_good_and_in_all() -> None:
    frame, flow, distance = flows()
    yearly = border(frame.sample(fraction=1, shuffle=True, seed=1), sigma=5.0)
    found = border_effect(flow[1], distance)
    last = dict(yearly.frame.filter(pl.col("year") == 2011).select("component", "value").iter_rows())
    assert_allclose(last["border-effect"], found.estimate[0], rtol=1e-9)
    assert_allclose(last["border-distance-elasticity"], found.estimate[1], rtol=1e-9)
    assert_allclose(last["border-std-error"], found.leverage[0], rtol=1e-9)
    assert_allclose(last["border-std-error-robust"], found.robust[0], rtol=1e-9)
    assert_allclose(last["border-std-error-pair"], found.clustered[0], rtol=1e-9)
    assert_allclose(last["border-tariff-equivalent"], np.exp(found.estimate[0] / 4) - 1, rtol=1e-9)
    assert set(yearly.frame["n_used"]) == {200} and set(yearly.frame["coverage"]) == {1.0}
    goods = border(frame, by="item").component("border-effect")
    assert goods.select("year", "good").rows() == [(2010, "x"), (2010, "y"), (2011, "x"), (2011, "y")]
    assert_allclose(goods["value"][3], border_effect(flow[1, 1:], distance).estimate[0], rtol=1e-9)
    whole = border(frame, by="all").component("border-effect")
    assert_allclose(whole["value"], [border_effect(flow.reshape(4, 10, 10), distance).estimate[0]], rtol=1e-9)
    assert whole["year"].to_list() == [None]


def test_one_table_without_goods_and_years() -> None:
    frame, flow, distance = flows(years=1, goods=1)
    m = border(frame.drop("year", "good"))
    assert m.frame.columns == ["component", "value", "n_used", "coverage", "reason"]
    assert_allclose(m.component("border-effect")["value"], [border_effect(flow[0], distance).estimate[0]], rtol=1e-9)


def test_a_period_without_own_flows_has_a_reason_and_a_finding() -> None:
    frame, _, _ = flows()
    m = border(frame.filter((pl.col("from") != pl.col("to")) | (pl.col("year") == 2010)))
    found = m.component("border-effect")
    assert found["reason"].to_list() == ["", "border-separated"]
    assert found["value"].null_count() == 1
    assert "border-separated" in codes(m)
    assert any("2011" in f.what for f in m.findings)


def test_a_region_without_own_flow_and_zero_margins_are_named() -> None:
    frame, _, _ = flows()
    frame = frame.filter((pl.col("from") != "r3") | (pl.col("to") != "r3"))
    frame = frame.with_columns(flow=pl.when((pl.col("from") == "r5") & (pl.col("good") == "x")).then(0.0).otherwise("flow"))
    m = border(frame)
    assert codes(m) == {"no-own-flow", "zero-margin"}
    assert "'r3'" in next(f.what for f in m.findings if f.code == "no-own-flow")
    assert set(m.frame["n_used"]) == {200 - 2 - 10}


def test_absent_rows_are_zeros_in_a_complete_table_only() -> None:
    frame, flow, distance = flows()
    gone = (pl.col("from") == "r1") & (pl.col("to") == "r2")
    flow[:, :, 1, 2] = 0.0
    m = border(frame.filter(~gone), complete=True)
    assert_allclose(m.component("border-effect")["value"][0], border_effect(flow[0], distance).estimate[0], rtol=1e-9)
    flow[:, :, 1, 2] = np.nan
    m = border(frame.filter(~gone))
    assert_allclose(m.component("border-effect")["value"][0], border_effect(flow[0], distance).estimate[0], rtol=1e-9)
    assert m.frame["coverage"][0] == 0.99


def test_bad_flows_are_named() -> None:
    frame, _, _ = flows()
    moved = frame.with_columns(km=pl.when(pl.col("year") == 2010).then(pl.col("km") * 2).otherwise("km"))
    with pytest.raises(hl.InputError) as caught:
        border(moved)
    assert [f.code for f in caught.value.findings] == ["distance-changes"]
    with pytest.raises(hl.InputError) as caught:
        border(frame.with_columns(km=-pl.col("km"), flow=-pl.col("flow")))
    assert {f.code for f in caught.value.findings} == {"negative-value"} and len(caught.value.findings) == 2
    with pytest.raises(hl.InputError) as caught:
        border(frame, sigma=1.0)
    assert caught.value.findings[0].code == "out-of-range"
    two = frame.filter(pl.col("from").is_in(["r1", "r2"]), pl.col("to").is_in(["r1", "r2"]))
    assert set(border(two).frame["reason"]) == {"border-not-identified"}


def output(seed: int = 0) -> tuple[pl.DataFrame, Floats]:
    rng = np.random.default_rng(seed)
    growth = 0.05 + 0.03 * rng.standard_normal((4, 6, 1)) + 0.02 * rng.standard_normal((4, 1, 5)) + 0.02 * rng.standard_normal((4, 6, 5))
    level = 100 * np.exp(np.cumsum(growth, axis=0))
    t, p, i = (x.ravel() for x in np.indices(level.shape))
    return pl.DataFrame({"year": 2000 + t, "place": p, "sector": i, "va": level.ravel(), "g": growth.ravel()}), growth


CELL: dict[str, Any] = {"region": "place", "industry": "sector", "time": "year"}


def test_growth_comovement_from_levels_and_from_growth() -> None:
    frame, growth = output()
    m = hl.measure("growth-comovement", frame, value="va", **CELL)
    expected = variance_shares(growth[1:])
    found = m.component("comovement-province")
    assert found["reason"].to_list() == ["no-previous-period", "", "", ""]
    assert_allclose(found["value"].to_list()[1:], expected.province, rtol=1e-9)
    given = hl.measure("growth-comovement", frame, value="g", input="growth", **CELL)
    assert_allclose(given.component("comovement-industry")["value"].to_list()[1:], expected.industry, rtol=1e-9)
    total = m.frame.filter(pl.col("year") > 2000).group_by("year").agg(pl.col("value").sum())
    assert_allclose(total["value"], 1.0)
    whole = hl.measure("growth-comovement", frame, value="va", pool="all", **CELL)
    assert_allclose(whole.component("comovement-national")["value"], variance_shares(growth[1:], pooled=True).national, rtol=1e-9)
    assert whole.frame["n_used"].to_list() == [90] * 4 and whole.frame["coverage"].to_list() == [1.0] * 4


def test_levels_that_have_no_growth() -> None:
    frame, _ = output()
    first = (pl.col("place") == 0) & (pl.col("sector") == 0)
    m = hl.measure("growth-comovement", frame.with_columns(va=pl.when(first).then(0.0).otherwise("va")), value="va", **CELL)
    assert codes(m) == {"zero-level"}
    assert set(m.frame.filter(pl.col("year") > 2000)["n_used"]) == {29}
    with pytest.raises(hl.InputError) as caught:
        hl.measure("growth-comovement", frame.with_columns(va=-pl.col("va")), value="va", **CELL)
    assert caught.value.findings[0].code == "negative-value"
    one = hl.measure("growth-comovement", frame.filter(pl.col("place") == 0), value="va", **CELL)
    assert set(one.frame["reason"]) == {"no-previous-period", "too-few-cells"}


def test_output_structure() -> None:
    X = np.array([[[60.0, 30, 10], [20, 60, 20], [20, 10, 70]], [[40.0, 30, 30], [30, 40, 30], [0, 0, 0]]])
    t, p, i = (x.ravel() for x in np.indices(X.shape))
    frame = pl.DataFrame({"year": t, "place": np.array(list("ABC"))[p], "sector": i, "jobs": X.ravel()})
    m = hl.measure("output-structure", frame, value="jobs", **CELL)
    level = m.component("structure-difference")
    assert_allclose(level["value"].to_list()[:3], [0.533333, 0.533333, 0.733333], atol=5e-7)  # printed to six digits
    assert_allclose(level["value"].to_list()[3:5], [0.1, 0.1])
    assert level["reason"].to_list()[5] == "zero-region-total"
    change = m.component("structure-change")["value"].to_list()
    assert_allclose(change[:5], [0, 0, 0, 0.1 - 0.533333, 0.1 - 0.533333], atol=1e-6)
    assert change[5] is None


def prices(rho: float = 0.6, seed: int = 0) -> tuple[pl.DataFrame, Floats]:
    rng = np.random.default_rng(seed)
    x = np.zeros((25, 8, 2))
    for t in range(1, 25):
        x[t] = rho * x[t - 1] + 0.05 * rng.standard_normal((8, 2))
    level = 10 * np.exp(x + np.linspace(0, 1, 25)[:, None, None])
    t, p, k = (i.ravel() for i in np.indices(level.shape))
    return pl.DataFrame({"year": 1998 + t, "place": p, "good": np.array(["rice", "tea"])[k], "yuan": level.ravel()}), level


PRICES: dict[str, Any] = {"region": "place", "item": "good", "time": "year", "value": "yuan"}


def test_price_convergence_by_good_and_pooled() -> None:
    frame, level = prices()
    m = hl.measure("price-convergence", frame, **PRICES)
    expected = persistence(relative_prices(level[:, :, 1], *np.triu_indices(8, 1)), np.arange(25))
    tea = dict(m.frame.filter(pl.col("good") == "tea").select("component", "value").iter_rows())
    assert_allclose(tea["price-persistence"], expected.rho, rtol=1e-10)
    assert_allclose(tea["price-half-life"], expected.half_life, rtol=1e-10)
    assert m.frame["coverage"].to_list() == [1.0] * 8
    pooled = hl.measure("price-convergence", frame, pooled=True, lags=1, **PRICES)
    assert pooled.frame["good"].to_list() == [None] * 4
    assert set(pooled.frame["n_used"]) == {2 * 28 * 23}
    mean = hl.measure("price-convergence", frame, against="mean", bias="nickell", **PRICES)
    plain = hl.measure("price-convergence", frame, against="mean", **PRICES)
    assert (mean.component("price-half-life")["value"] > plain.component("price-half-life")["value"]).all()
    assert_allclose(plain.component("price-persistence")["value"], m.component("price-persistence")["value"], rtol=1e-9)


def test_no_half_life_has_a_reason_and_persistence_stays() -> None:
    frame, _ = prices()
    apart = frame.with_columns(yuan=pl.col("yuan") ** (1 + pl.col("place") * 1.2 ** (pl.col("year") - 1998) / 10))
    m = hl.measure("price-convergence", apart, **PRICES)
    assert set(m.component("price-half-life")["reason"]) == {"not-mean-reverting"}
    assert m.component("price-persistence")["value"].null_count() == 0
    two = hl.measure("price-convergence", frame.filter(pl.col("place") < 2), **PRICES)
    assert set(two.component("price-persistence-std-error")["reason"]) == {"too-few-regions"}
    assert set(two.component("price-half-life-std-error")["reason"]) == {"too-few-regions"}
    assert two.component("price-half-life")["value"].null_count() == 0
    short = hl.measure("price-convergence", frame.filter(pl.col("year") < 2000), **PRICES)
    assert set(short.frame["reason"]) == {"too-short"}


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"lags": -1}, "out-of-range"),
        ({"lags": 1, "bias": "nickell"}, "option-not-available"),
        ({"pairs": "distance"}, "unknown-value"),
        ({"pairs": "contiguous"}, "not-a-province"),
    ],
)
def test_bad_choices_of_convergence(more: dict[str, Any], code: str) -> None:
    with pytest.raises(hl.InputError) as caught:
        hl.measure("price-convergence", prices()[0], **PRICES, **more)
    assert [f.code for f in caught.value.findings] == [code]
