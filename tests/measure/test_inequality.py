"""Theil, Gini, coefficient of variation and Dagum: worked examples, brute force, peers, identities, states of cells."""

from __future__ import annotations

from itertools import product

import numpy as np
import polars as pl
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hinterland.errors import InputError
from hinterland.measure.dagum import Dagum, dagum
from hinterland.measure.entry import measure
from hinterland.measure.inequality import coefficient_of_variation, gini, theil, theil_decomposition

Y = np.array([10.0, 20, 30, 60])
TWO = np.array([0, 0, 1, 1])


def brute_gini(y: np.ndarray, w: np.ndarray) -> float:
    return float((np.abs(y[:, None] - y) * w[:, None] * w).sum() / (2 * w.sum() * (w * y).sum()))


def brute_dagum(y: np.ndarray, g: np.ndarray, w: np.ndarray) -> tuple[float, float, float]:
    """The definition, pair of groups by pair of groups."""
    p = w / w.sum()
    mean = (p * y).sum()
    within = net = rest = 0.0
    names = np.unique(g)
    share = {j: p[g == j].sum() for j in names}
    means = {j: (p * y)[g == j].sum() / share[j] for j in names}

    def expected(j: int, h: int, sign: int) -> float:
        d = np.maximum(sign * (y[g == j][:, None] - y[g == h]), 0)
        return float((d * p[g == j][:, None] * p[g == h]).sum() / share[j] / share[h])

    for j, h in product(names, names):
        both = expected(j, h, 1) + expected(j, h, -1)
        between = both / (means[j] + means[h])
        s = {k: share[k] * means[k] / mean for k in (j, h)}
        if j == h:
            within += between * share[j] * s[j]
        elif j > h:
            d = abs(expected(j, h, 1) - expected(j, h, -1)) / both if both > 0 else 0.0
            net += between * (share[j] * s[h] + share[h] * s[j]) * d
            rest += between * (share[j] * s[h] + share[h] * s[j]) * (1 - d)
    return within, net, rest


def test_theil_worked_example() -> None:
    parts = theil_decomposition(Y, TWO, 2)
    assert [round(float(x), 6) for x in (parts.total, parts.between, parts.within)] == [0.187445, 0.130812, 0.056633]
    assert theil(Y) == pytest.approx(parts.total, abs=1e-15)


def test_gini_worked_example() -> None:
    assert float(gini(np.array([10.0, 35, 30, 60]))) == pytest.approx(0.287037, abs=5e-7)
    assert float(gini(Y, ddof=1)) == pytest.approx(float(gini(Y)) * 4 / 3, abs=1e-15)


def test_dagum_worked_example() -> None:
    d = dagum(np.array([10.0, 35, 30, 60]), TWO, 2)
    got = [round(x, 6) for x in (d.gini, d.within, d.net_between, d.transvariation, float(d.affluence[0, 1]))]
    assert got == [0.287037, 0.101852, 0.166667, 0.018519, 0.9]


def test_a_zero_contributes_nothing_and_a_negative_is_an_error() -> None:
    y = np.array([0.0, 1, 3])
    assert float(theil(y)) == pytest.approx((1 / 4) * np.log(3 / 4) + (3 / 4) * np.log(9 / 4), abs=1e-15)
    for call in (theil, gini, coefficient_of_variation):
        with pytest.raises(InputError) as caught:
            call(np.array([1.0, -2, 3]))
        assert caught.value.findings[0].code == "negative-value"
        assert "(1,)" in caught.value.findings[0].where


def test_a_zero_total_is_not_a_number() -> None:
    zeros = np.zeros(3)
    assert all(np.isnan(f(zeros)) for f in (theil, gini, coefficient_of_variation))
    d = dagum(zeros, np.array([0, 0, 1]), 2)
    assert np.isnan([d.gini, d.within, d.net_between, d.transvariation]).all()


def test_years_are_a_batch_and_gaps_leave_a_region_out() -> None:
    y = np.array([[10.0, 20, np.nan, 60], [5, 5, 5, 5]])
    w = np.array([[1.0, 2, 3, 4], [1, 1, np.nan, 1]])
    assert np.allclose(theil(y, w), [theil(np.array([10.0, 20, 60]), np.array([1.0, 2, 4])), 0.0], atol=1e-15)
    assert np.allclose(gini(y, w), [gini(np.array([10.0, 20, 60]), np.array([1.0, 2, 4])), 0.0], atol=1e-15)
    assert np.allclose(coefficient_of_variation(y, w)[1], 0.0, atol=1e-15)


def test_groups_without_total_add_nothing() -> None:
    y, g = np.array([0.0, 0, 1, 3]), TWO
    parts = theil_decomposition(y, g, 3)
    assert parts.total == pytest.approx(parts.between + parts.within, abs=1e-15)
    assert np.isnan(parts.group_theil[[0, 2]]).all()
    d = dagum(y, g, 3)
    assert d.gini == pytest.approx(brute_gini(y, np.ones(4)), abs=1e-15)
    assert np.isnan(d.pair_gini[0, 0]) and np.isnan(d.mean[2])


values = arrays(np.float64, st.integers(2, 24), elements=st.sampled_from([0.0, 1.0, 1.5, 2.0, 7.0, 30.0, 1e4]) | st.floats(0.01, 1e5))


@given(values, st.data())
def test_theil_is_between_plus_within(y: np.ndarray, data: st.DataObject) -> None:
    assume(y.sum() > 0)
    g = data.draw(arrays(np.int64, len(y), elements=st.integers(0, 3)))
    w = data.draw(arrays(np.float64, len(y), elements=st.floats(0.1, 100)))
    p = theil_decomposition(y, g, 4, w)
    assert float(p.total) == pytest.approx(float(p.between + p.within), abs=1e-12)
    assert float(theil(y, w)) == pytest.approx(float(p.total), abs=1e-14)
    assert float(p.between) >= -1e-12
    assert np.nansum(p.income_share) == pytest.approx(1, abs=1e-12)
    assert float(theil(y * 7.3, w)) == pytest.approx(float(p.total), abs=1e-12), "the unit of money does not matter"


@given(values, st.data())
def test_dagum_adds_up_to_gini_and_is_what_its_definition_says(y: np.ndarray, data: st.DataObject) -> None:
    assume(y.sum() > 0)
    g = data.draw(arrays(np.int64, len(y), elements=st.integers(0, 3)))
    w = data.draw(arrays(np.float64, len(y), elements=st.floats(0.1, 100)))
    d = dagum(y, g, 4, w)
    assert d.within + d.net_between + d.transvariation == pytest.approx(d.gini, abs=1e-12)
    assert d.gini == pytest.approx(float(gini(y, w)), abs=1e-12)
    assert d.gini == pytest.approx(brute_gini(y, w), abs=1e-12)
    assume(all((y[g == j] > 0).any() for j in np.unique(g)))
    assert (d.within, d.net_between, d.transvariation) == pytest.approx(brute_dagum(y, g, w), abs=1e-11)
    apart = d.affluence[np.isfinite(d.affluence)]
    assert ((apart >= -1e-12) & (apart <= 1 + 1e-12)).all()


@given(values)
def test_a_whole_weight_is_a_repeated_region(y: np.ndarray) -> None:
    assume(y.sum() > 0)
    w = np.arange(len(y)) % 3 + 1
    again = np.repeat(y, w)
    for f in (theil, gini, coefficient_of_variation):
        assert float(f(y, w.astype(float))) == pytest.approx(float(f(again)), rel=1e-9, abs=1e-12)


def test_pairs_of_groups_add_up_to_the_whole() -> None:
    rng = np.random.default_rng(0)
    y, g = rng.lognormal(size=400), rng.integers(0, 5, 400)
    d: Dagum = dagum(y, g, 5)
    up = np.triu_indices(5, 1)
    assert d.pair_net[up].sum() == pytest.approx(d.net_between, abs=1e-14)
    assert d.pair_transvariation[up].sum() == pytest.approx(d.transvariation, abs=1e-14)
    assert np.allclose(
        d.pair_net,
        d.pair_gini
        * (np.outer(d.weight_share, d.income_share) * 1 + np.outer(d.income_share, d.weight_share))
        * np.nan_to_num(d.affluence),
        atol=1e-14,
    )


def test_the_inequality_package_agrees() -> None:
    """inequality 1.1.2, without weights: TheilD and Gini (n squared) are ours to rounding."""
    from inequality.gini import Gini
    from inequality.theil import Theil, TheilD

    rng = np.random.default_rng(1)
    y, g = rng.lognormal(size=200), rng.integers(0, 4, 200)
    theirs, ours = TheilD(y, g), theil_decomposition(y, g, 4)
    assert float(Theil(y).T) == pytest.approx(float(ours.total), abs=1e-12)
    assert float(theirs.bg[0]) == pytest.approx(float(ours.between), abs=1e-12)
    assert float(theirs.wg[0]) == pytest.approx(float(ours.within), abs=1e-12)
    assert float(Gini(y).g) == pytest.approx(float(gini(y)), abs=1e-12)
    with np.errstate(invalid="ignore"):
        assert np.isnan(Theil(np.array([-1.0, 2, 3])).T), "not a number, and nothing said, for negative values"


def frame() -> pl.DataFrame:
    return pl.DataFrame(
        {
            "province": list("abcd") * 2,
            "area": ["east", "east", "west", "west"] * 2,
            "year": [2000] * 4 + [2001] * 4,
            "gdp": [10.0, 35, 30, 60, 10, 20, 30, None],
        }
    )


def test_the_entry_says_what_it_used() -> None:
    m = measure("theil", frame(), region="province", value="gdp", time="year", group="area")
    later = m.frame.filter(pl.col("year") == 2001)
    assert later["n_used"].to_list() == [3] * 4 and later["coverage"].to_list() == [0.75] * 4
    wide = m.frame.pivot("component", index="year", values="value")
    assert np.allclose(wide["theil"], wide["theil-between"] + wide["theil-within"], atol=1e-15)
    assert measure("theil", frame(), region="province", value="gdp", time="year").frame["component"].unique().to_list() == ["theil"]


def test_the_dagum_entries() -> None:
    m = measure("dagum-gini", frame(), region="province", value="gdp", time="year", group="area")
    first = {r["component"]: r["value"] for r in m.frame.filter(pl.col("year") == 2000).iter_rows(named=True)}
    assert first["dagum-gini"] == pytest.approx(0.287037, abs=5e-7)
    assert sum(first[f"dagum-{k}-share"] for k in ("within", "net-between", "transvariation")) == pytest.approx(1, abs=1e-12)
    pairs = measure("dagum-gini-pairs", frame(), region="province", value="gdp", time="year", group="area")
    assert pairs.frame.columns[:4] == ["year", "area", "other_group", "component"]
    both = pairs.component("relative-affluence").filter(pl.col("year") == 2000)
    assert both.select("area", "other_group", "value").rows() == [("east", "west", pytest.approx(0.9, abs=1e-12))]
    assert pairs.component("pair-gini").filter(pl.col("year") == 2000).height == 3


def test_the_entry_by_group() -> None:
    m = measure("theil-by-group", frame(), region="province", value="gdp", time="year", group="area")
    whole = measure("theil", frame(), region="province", value="gdp", time="year", group="area")
    summed = m.component("group-theil-within").group_by("year", maintain_order=True).agg(pl.col("value").sum())
    assert np.allclose(summed["value"], whole.component("theil-within")["value"], atol=1e-15)


def test_the_entry_gives_reasons_and_names_cells() -> None:
    zeros = frame().with_columns(gdp=pl.lit(0.0))
    m = measure("gini", zeros, region="province", value="gdp", time="year")
    assert m.frame["reason"].to_list() == ["zero-total"] * 2 and m.frame["value"].null_count() == 2
    none = frame().with_columns(gdp=pl.lit(None, dtype=pl.Float64))
    assert measure("gini", none, region="province", value="gdp", time="year").frame["reason"].to_list() == ["missing-input"] * 2
    one = frame().filter(pl.col("province") == "a")
    assert measure("gini", one, region="province", value="gdp", time="year", ddof=1).frame["reason"].to_list() == ["too-few"] * 2
    with pytest.raises(InputError) as caught:
        measure("theil", frame().with_columns(gdp=-pl.col("gdp")), region="province", value="gdp", time="year")
    assert caught.value.findings[0].code == "negative-value" and "gdp" in str(caught.value)


def test_a_suppressed_year_is_called_so() -> None:
    text = frame().with_columns(gdp=pl.when(pl.col("year") == 2001).then(pl.lit("D")).otherwise(pl.col("gdp").cast(pl.String)))
    m = measure("coefficient-of-variation", text, region="province", value="gdp", time="year", suppressed=("D",))
    assert m.frame["reason"].to_list() == ["", "suppressed-input"]
