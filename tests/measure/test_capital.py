"""Capital stock: the worked example, both first stocks, prices that end, levels that end, gaps."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hinterland as hl
from hinterland.measure import capital

EXAMPLE = np.array([[100.0], [110 / 1.02], [120 / 1.03]])


def panel(**columns: object) -> pl.DataFrame:
    """Two regions over 2000–2009, investment growing by a tenth and by a twentieth a year."""
    t = np.arange(10)
    return pl.DataFrame(
        {
            "prov": ["A"] * 10 + ["B"] * 10,
            "year": [*range(2000, 2010)] * 2,
            "invest": [*(100 * 1.1**t), *(50 * 1.05**t)],
        }
    ).with_columns(**columns)  # type: ignore[arg-type]


def stock(frame: pl.DataFrame, **more: object) -> hl.Measure:
    return hl.measure("capital-stock", frame, region="prov", time="year", investment="invest", **more)  # type: ignore[arg-type]


def test_worked_example() -> None:
    """Catalogue 3.3, to its printed four decimals."""
    found = capital.perpetual_inventory(EXAMPLE, growth=0.10)
    assert np.round(found.stock[:, 0], 4).tolist() == [510.2041, 569.0676, 630.9420]
    frame = pl.DataFrame({"prov": ["A"] * 3, "year": [2000, 2001, 2002], "invest": [100.0, 110, 120], "price": [1.0, 1.02, 1.03]})
    m = stock(frame, price="price", price_form="fixed", assumed_growth=0.10)
    assert m.component("capital-stock")["value"].round(4).to_list() == [510.2041, 569.0676, 630.9420]


def test_growth_is_the_geometric_mean_of_the_first_five_changes() -> None:
    rng = np.random.default_rng(1)
    real = rng.uniform(90, 110, (9, 3))
    found = capital.perpetual_inventory(real)
    assert np.allclose(found.growth, (real[5] / real[0]) ** 0.2 - 1, rtol=1e-14)
    assert np.allclose(found.initial, real[0] / (found.growth + 0.096), rtol=1e-14)
    by_hand = found.initial
    for t in range(1, 9):
        by_hand = by_hand * (1 - 0.096) + real[t]
    assert np.allclose(found.stock[-1], by_hand, rtol=1e-14)


def test_steady_growth_keeps_the_ratio_of_stock_to_investment() -> None:
    """With investment growing at ḡ the first stock is on the balanced path, up to the year in which I_0 falls."""
    found = capital.perpetual_inventory(100 * 1.1 ** np.arange(40.0)[:, None])
    ratio = found.stock[:, 0] / (100 * 1.1 ** np.arange(40.0))
    assert ratio[0] == pytest.approx(1 / 0.196)
    assert ratio[-1] == pytest.approx(1.1 / 0.196, rel=2e-3)


def test_first_stock_decays() -> None:
    """Eight years at 9.6 % leave 44.6 % of the first stock (catalogue 3.3)."""
    found = capital.perpetual_inventory(np.r_[100.0, np.zeros(8)][:, None], growth=0.1)
    assert found.stock[8, 0] / found.stock[0, 0] == pytest.approx(0.904**8)
    assert round(0.904**8, 3) == 0.446
    assert found.initial_share[8, 0] == pytest.approx(1.0)


def test_other_first_stocks_and_rates() -> None:
    found = capital.perpetual_inventory(EXAMPLE, rule="ten-percent", depreciation=0.1096)
    assert found.stock[0, 0] == pytest.approx(1000)
    assert found.stock[1, 0] == pytest.approx(1000 * (1 - 0.1096) + 110 / 1.02)
    assert capital.perpetual_inventory(EXAMPLE, initial=[300.0]).stock[1, 0] == pytest.approx(300 * 0.904 + 110 / 1.02)
    rates = np.array([[0.1], [0.2], [0.05]])
    by_year = capital.perpetual_inventory(EXAMPLE, initial=[300.0], depreciation=rates).stock[:, 0]
    assert by_year[2] == pytest.approx((300 * 0.8 + EXAMPLE[1, 0]) * 0.95 + EXAMPLE[2, 0])


def test_no_first_stock_where_growth_and_depreciation_cancel_or_investment_is_zero() -> None:
    real = np.column_stack([100 * 0.85 ** np.arange(8.0), np.r_[0.0, np.full(7, 10.0)]])
    found = capital.perpetual_inventory(real)
    assert np.isnan(found.stock).all()


def test_price_chain_and_fixed_base_agree() -> None:
    level = np.cumprod(np.r_[1.0, 1.05, 0.98, 1.1, 1.02])[:, None]
    chain = np.r_[[np.nan], 100 * level[1:, 0] / level[:-1, 0]][:, None]
    for base in range(5):
        a = capital.price_level(chain, form="chain", base=base).level
        b = capital.price_level(250 * level, form="fixed", base=base).level
        assert np.allclose(a, level / level[base], rtol=1e-13)
        assert np.allclose(b, a, rtol=1e-13)


def test_second_price_index_takes_over_by_its_changes() -> None:
    first = np.array([[np.nan], [102.0], [103.0], [np.nan], [np.nan]])
    second = np.array([[99.0], [90.0], [91.0], [104.0], [105.0]])
    prices = capital.price_level(first, substitute=second)
    assert prices.level[:, 0] == pytest.approx([1, 1.02, 1.02 * 1.03, 1.02 * 1.03 * 1.04, 1.02 * 1.03 * 1.04 * 1.05])
    assert prices.spliced[:, 0].tolist() == [False, False, False, True, True]


def test_levels_are_carried_on_by_growth() -> None:
    level = np.array([[100.0, np.nan], [110.0, 50.0], [np.nan, np.nan], [np.nan, np.nan]])
    growth = np.array([[np.nan, 0.3], [np.nan, 0.3], [0.05, 0.1], [-0.1, np.nan]])
    values, chained = capital.chain_levels(level, growth)
    assert np.allclose(values[:, 0], [100, 110, 115.5, 103.95])
    assert np.isnan(values[[0, 3], 1]).all() and values[2, 1] == pytest.approx(55)
    assert chained.tolist() == [[False, False], [False, False], [True, True], [True, False]]


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.01, 0.5), st.floats(0.1, 1000))
def test_stock_is_homogeneous_and_adds_up(seed: int, delta: float, factor: float) -> None:
    """K(cI) = c K(I) with the growth given; ΔK = I − δK of the year before."""
    real = np.random.default_rng(seed).uniform(1, 100, (12, 4))
    a = capital.perpetual_inventory(real, depreciation=delta, growth=0.08).stock
    b = capital.perpetual_inventory(factor * real, depreciation=delta, growth=0.08).stock
    assert np.allclose(b, factor * a, rtol=1e-12)
    assert np.allclose(np.diff(a, axis=0), real[1:] - delta * a[:-1], rtol=1e-9, atol=1e-9)


def test_a_gap_ends_the_stock_and_says_why() -> None:
    frame = panel(invest=pl.when(pl.col("prov") == "A", pl.col("year") == 2005).then(None).otherwise("invest"))
    m = stock(frame).component("capital-stock").filter(pl.col("prov") == "A").sort("year")
    assert m["reason"].unique().to_list() == ["initial-stock-undefined"], "the sixth year is the end of the first five changes"
    frame = panel(invest=pl.when(pl.col("prov") == "A", pl.col("year") == 2006).then(None).otherwise("invest"))
    m = stock(frame).component("capital-stock").filter(pl.col("prov") == "A").sort("year")
    assert m["reason"].to_list() == [*[""] * 6, "missing-input", *["earlier-gap"] * 3]
    assert m["value"].null_count() == 4


def test_withheld_and_late_investment() -> None:
    text = panel()["invest"].cast(pl.String).to_list()
    text[7], text[10], text[11] = "D", "", ""
    m = stock(panel(invest=pl.Series(text)), suppressed=("D",), assumed_growth=0.05).component("capital-stock")
    assert m.filter(pl.col("prov") == "A").sort("year")["reason"].to_list() == [*[""] * 7, "suppressed-input", *["earlier-gap"] * 2]
    assert m.filter(pl.col("prov") == "B").sort("year")["reason"].to_list() == ["before-start", "before-start", *[""] * 8]


def test_components_and_flags() -> None:
    frame = panel(
        growth=pl.when(pl.col("year") >= 2008).then(0.04),
        invest=pl.when(pl.col("year") < 2008).then("invest"),
        price=pl.when(pl.col("year") < 2009).then(102.0),
        gdp=pl.lit(103.0),
    )
    m = stock(frame, investment_growth="growth", price="price", price_substitute="gdp", used_from=2009)
    assert {f.code for f in m.findings} == {"level-chained", "price-substituted"}
    assert m.meta["years_chained"] == [2008, 2009] and m.meta["years_price_substituted"] == [2009]
    assert m.component("level-chained")["value"].sum() == 4
    real = m.component("real-investment").filter(pl.col("prov") == "A").sort("year")["value"].to_numpy()
    assert real[9] == pytest.approx(100 * 1.1**7 * 1.04**2 / (1.02**8 * 1.03))
    share = m.component("initial-share").filter(pl.col("prov") == "A").sort("year")["value"].to_numpy()
    assert share[0] == 1 and np.all(np.diff(share) < 0)


def test_short_warm_up_is_said() -> None:
    assert [f.code for f in stock(panel(), used_from=2004).findings] == ["short-warm-up"]
    assert [f.code for f in stock(panel()).findings] == ["short-warm-up"]
    assert stock(panel().with_columns(first=100.0), k0="given", initial="first").findings == (), "a stock that is given is no assumption"
    assert stock(panel(), used_from=2008).findings == ()


def test_negative_investment() -> None:
    frame = panel(invest=pl.when(pl.col("prov") == "B", pl.col("year") == 2007).then(-1.0).otherwise("invest"))
    with pytest.raises(hl.InputError) as caught:
        stock(frame)
    assert [f.code for f in caught.value.findings] == ["negative-investment"]
    assert "-1.0" in caught.value.findings[0].what and "2007" in caught.value.findings[0].where
    kept = stock(frame, negative="keep", used_from=2009)
    assert kept.component("capital-stock")["reason"].unique().to_list() == [""]
    assert [f.code for f in kept.findings] == ["negative-investment"]
    gap = stock(frame, negative="gap").component("capital-stock").filter(pl.col("prov") == "B").sort("year")
    assert gap["reason"].to_list() == [*[""] * 7, "missing-input", "earlier-gap", "earlier-gap"]


def test_scales_that_are_not_what_they_should_be() -> None:
    with pytest.raises(hl.InputError) as caught:
        stock(panel(p=pl.lit(1.02), g=pl.lit(5.0)), price="p", investment_growth="g", delta=9.6, growth_years=0, k0="given", base=1990)
    assert sorted(f.code for f in caught.value.findings) == [
        "growth-in-percent",
        "missing-role",
        "out-of-range",
        "out-of-range",
        "out-of-range",
        "price-not-per-hundred",
    ]


def test_years_must_follow_each_other() -> None:
    with pytest.raises(hl.InputError, match="2004"):
        stock(panel().filter(pl.col("year") != 2004))


def test_prices_that_do_not_reach_the_base() -> None:
    frame = panel(price=pl.when((pl.col("prov") == "A") | (pl.col("year") >= 2003)).then(102.0))
    m = stock(frame, price="price")
    assert "base-without-price" in {f.code for f in m.findings}
    assert m.component("capital-stock").filter(pl.col("prov") == "B")["reason"].unique().sort().to_list() == [
        "initial-stock-undefined",
        "missing-price",
    ]
    later = stock(frame, price="price", base=2004)
    assert later.component("capital-stock").filter(pl.col("prov") == "B", pl.col("year") == 2009)["reason"].item() == ""


def test_given_first_stock_and_rates_in_columns() -> None:
    frame = panel(k=pl.when(pl.col("prov") == "A").then(700.0).otherwise(900.0), d=pl.lit(0.05))
    m = stock(frame, k0="given", initial="k", depreciation="d").component("capital-stock").sort("prov", "year")
    assert m["value"][0] == 700 and m["value"][1] == pytest.approx(700 * 0.95 + 110)
    assert m["value"][10] == 900
