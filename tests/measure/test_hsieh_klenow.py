"""Misallocation between firms: the worked example, reallocation by brute force, identities, trimming."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hinterland as hl
from hinterland.measure import hsieh_klenow as hk

ONE = np.zeros(2, dtype=np.intp)
Y, K, W = np.array([100.0, 100]), np.array([50.0, 200]), np.array([40.0, 60])


def draw(seed: int, firms: int = 60, cells: int = 4) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(seed)
    cell = np.r_[np.arange(cells), rng.integers(0, cells, firms - cells)].astype(np.intp)
    return rng.lognormal(3, 1, firms), rng.lognormal(3, 1, firms), rng.lognormal(2, 1, firms), cell, rng.uniform(0.2, 0.8, cells)[cell]


def by_brute_force(y: np.ndarray, k: np.ndarray, w: np.ndarray, alpha: float, sigma: float) -> float:
    """Output of the CES aggregate as it is over that with the same totals split in proportion to A^{σ−1}."""
    a = y ** (sigma / (sigma - 1)) / (k**alpha * w ** (1 - alpha))
    share = a ** (sigma - 1) / np.sum(a ** (sigma - 1))

    def output(k: np.ndarray, w: np.ndarray) -> float:
        return float(np.sum((a * k**alpha * w ** (1 - alpha)) ** ((sigma - 1) / sigma)) ** (sigma / (sigma - 1)))

    return output(k, w) / output(k.sum() * share, w.sum() * share)


def test_worked_example() -> None:
    """Catalogue 3.2, to its printed digits."""
    firms = hk.productivity(Y, K, W, ONE, 0.5)
    assert np.round(np.exp(firms.log_tfpr), 6).tolist() == [2.236068, 0.912871]
    assert np.round(np.exp(firms.log_a), 5).tolist() == [22.36068, 9.12871]
    found = hk.allocation(Y, K, W, ONE, 0.5, trim=0)
    assert round(found.efficiency[0], 6) == 0.740656
    assert round(100 * found.gain[0], 4) == 35.0154
    assert by_brute_force(Y, K, W, 0.5, 3.0) == pytest.approx(found.efficiency[0], rel=1e-14)


def test_mean_tfpr_is_that_of_the_paper() -> None:
    """σ/(σ−1) (MRPK̄/α)^α (MRPL̄/(1−α))^{1−α} with harmonic means of marginal products, relative to TFPR with the same constant."""
    y, k, w, cell, alpha = draw(1)
    sigma, ours = 3.0, hk.productivity(y, k, w, cell, alpha, sigma=3.0).relative_tfpr
    for c in range(4):
        at, a = cell == c, alpha[cell == c][0]
        share = y[at] / y[at].sum()
        mrpk = a * (sigma - 1) / sigma * y[at] / k[at]
        mrpl = (1 - a) * (sigma - 1) / sigma * y[at] / w[at]
        mean_k, mean_l = 1 / np.sum(share / mrpk), 1 / np.sum(share / mrpl)
        mean = sigma / (sigma - 1) * (mean_k / a) ** a * (mean_l / (1 - a)) ** (1 - a)
        tfpr = sigma / (sigma - 1) * (mrpk / a) ** a * (mrpl / (1 - a)) ** (1 - a)
        assert np.allclose(ours[at], np.log(tfpr / mean), atol=1e-12)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 100_000), st.sampled_from([2.0, 3.0, 5.0]))
def test_efficiency_is_at_most_one_and_that_of_brute_force(seed: int, sigma: float) -> None:
    y, k, w, cell, alpha = draw(seed, firms=25)
    found = hk.allocation(y, k, w, cell, alpha, sigma=sigma, trim=0, min_firms=1)
    assert np.all(found.efficiency <= 1 + 1e-12)
    for c in range(4):
        at = cell == c
        assert found.efficiency[c] == pytest.approx(by_brute_force(y[at], k[at], w[at], alpha[at][0], sigma), rel=1e-9)
    assert np.allclose(found.gain, 1 / found.efficiency - 1)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 100_000), st.floats(0.01, 100))
def test_equal_tfpr_is_efficient_and_units_do_not_matter(seed: int, factor: float) -> None:
    y, k, w, cell, alpha = draw(seed)
    even = hk.allocation(y, factor * y, 0.3 * y, cell, alpha, trim=0)
    assert np.allclose(even.efficiency, 1, atol=1e-12) and np.allclose(even.tfpr_sd, 0, atol=1e-7)
    a = hk.allocation(y, k, w, cell, alpha, trim=0).efficiency
    b = hk.allocation(factor * y, k / factor, 7 * w, cell, alpha, trim=0).efficiency
    assert np.allclose(a, b, rtol=1e-9)


def test_very_large_and_small_numbers_do_not_overflow() -> None:
    y, k, w, cell, alpha = draw(3)
    a = hk.allocation(y * 1e200, k * 1e150, w * 1e-150, cell, alpha, sigma=9.0, trim=0).efficiency
    assert np.allclose(a, hk.allocation(y, k, w, cell, alpha, sigma=9.0, trim=0).efficiency, rtol=1e-8)


def test_tails_are_the_lowest_and_highest_whole_number_of_firms() -> None:
    v = np.arange(250.0)
    pool = np.zeros(250, dtype=np.intp)
    assert hk.inside_tails(v, pool, 0.01).sum() == 250 - 2 * 2
    assert hk.inside_tails(v[:99], pool[:99], 0.01).all(), "1 % of 99 firms is no firm"
    tied = np.r_[np.zeros(50), np.arange(1.0, 151)]
    assert hk.inside_tails(tied, np.zeros(200, dtype=np.intp), 0.01)[:50].all()
    two = np.repeat([0, 1], 125).astype(np.intp)
    assert np.flatnonzero(~hk.inside_tails(v, two, 0.01)).tolist() == [0, 124, 125, 249]


def test_trimming_is_joint_and_means_are_computed_anew() -> None:
    y, k, w, cell, alpha = draw(5, firms=2000)
    first = hk.productivity(y, k, w, cell, alpha)
    pool = np.zeros(2000, dtype=np.intp)
    low, high = (np.sort(v)[[20, -21]] for v in (first.relative_tfpr, first.relative_a))
    kept = (first.relative_tfpr >= low[0]) & (first.relative_tfpr <= low[1]) & (first.relative_a >= high[0]) & (first.relative_a <= high[1])
    found = hk.allocation(y, k, w, cell, alpha, trim=0.01, pool=pool)
    again = hk.allocation(y[kept], k[kept], w[kept], cell[kept], alpha[kept], trim=0)
    assert np.allclose(found.efficiency, again.efficiency, rtol=1e-12)
    assert found.n_used.sum() == kept.sum() and 40 <= 2000 - kept.sum() <= 80
    assert found.n_given.sum() == 2000


def test_relative_a_compares_between_cells_of_different_size() -> None:
    """With M^{1/(σ−1)} a cell of equal firms has relative A of 0 whatever its number of firms."""
    cell = np.repeat([0, 1], [3, 300]).astype(np.intp)
    same = np.ones(303)
    assert np.allclose(hk.productivity(same, same, same, cell, 0.4).relative_a, 0, atol=1e-12)


def test_aggregate_is_the_weighted_geometric_mean() -> None:
    total, held = hk.aggregate([0.5, 0.8, np.nan, 0.9], [1.0, 3.0, 4.0, 2.0], np.array([0, 0, 0, 1], dtype=np.intp))
    assert total == pytest.approx([0.5**0.25 * 0.8**0.75, 0.9])
    assert held == pytest.approx([0.5, 1.0])
    none, held = hk.aggregate([np.nan], [1.0], np.zeros(1, dtype=np.intp))
    assert np.isnan(none[0]) and held[0] == 0


def table(seed: int = 0, firms: int = 800) -> pl.DataFrame:
    y, k, w, cell, _ = draw(seed, firms, cells=6)
    return pl.DataFrame({"ind": np.array(["x", "y", "z"])[cell % 3], "year": 2005 + cell // 3, "va": y, "k": k, "wage": w})


def measure(frame: pl.DataFrame, **more: object) -> hl.Measure:
    columns = {"industry": "ind", "value_added": "va", "capital": "k", "wages": "wage", "time": "year"}
    return hl.measure("hsieh-klenow", frame, **(columns | more))  # type: ignore[arg-type]


def test_entry_by_industry_year_and_in_total() -> None:
    frame = table()
    alphas = pl.DataFrame({"ind": ["x", "y", "z"], "alpha": [0.3, 0.4, 0.5]})
    m = measure(frame, alpha=alphas, trim=0.0)
    one = frame.filter(pl.col("ind") == "y", pl.col("year") == 2006)
    by_hand = by_brute_force(*(one[c].to_numpy() for c in ("va", "k", "wage")), 0.4, 3.0)
    found = m.component("efficiency")
    assert found.filter(pl.col("ind") == "y", pl.col("year") == 2006)["value"].item() == pytest.approx(by_hand, rel=1e-10)
    total = m.component("total-efficiency").sort("year")
    assert total["ind"].null_count() == 2
    share = frame.filter(pl.col("year") == 2005).group_by("ind").agg(pl.col("va").sum()).sort("ind")["va"].to_numpy()
    cells = found.filter(pl.col("year") == 2005).sort("ind")["value"].to_numpy()
    assert total["value"][0] == pytest.approx(np.prod(cells ** (share / share.sum())), rel=1e-10)
    assert total["n_used"].sum() == frame.height
    outside = measure(frame, alpha=alphas, trim=0.0, theta=pl.DataFrame({"industry": ["x", "y", "z"], "theta": [1, 1, 2]}))
    assert outside.component("total-efficiency").sort("year")["value"][0] == pytest.approx(np.prod(cells ** [0.25, 0.25, 0.5]), rel=1e-10)


def test_tails_of_the_year_or_of_the_industry_are_reported() -> None:
    m = measure(table(firms=3000), alpha=0.4)
    assert m.meta["firms"] == 3000 and 0 < m.meta["firms_trimmed"] <= 3000 * 0.04
    assert m.component("efficiency")["coverage"].max() < 1  # type: ignore[operator]
    frame = table(firms=3000)
    cell = (3 * (frame["year"] - 2005)).to_numpy() + frame["ind"].replace_strict({"x": 0, "y": 1, "z": 2}).to_numpy()
    by_hand = hk.allocation(*(frame[c].to_numpy() for c in ("va", "k", "wage")), cell.astype(np.intp), 0.4)  # type: ignore[call-arg, arg-type]
    by_industry = measure(frame, alpha=0.4, tails="industry").component("efficiency")
    assert by_industry["value"].to_numpy() == pytest.approx(by_hand.efficiency, rel=1e-12)
    assert by_industry["n_used"].to_list() == by_hand.n_used.tolist()


def test_firms_without_positive_numbers_are_left_out_and_said() -> None:
    frame = table().with_columns(va=pl.when(pl.int_range(pl.len()) < 5).then(-1.0).otherwise("va"))
    m = measure(frame, alpha=0.4)
    assert [f.code for f in m.findings] == ["firms-not-positive"] and "5 of 800" in m.findings[0].what
    nobody = frame.with_columns(k=pl.when(pl.col("ind") == "x").then(0.0).otherwise("k"))
    found = measure(nobody, alpha=0.4)
    assert set(found.component("efficiency").filter(pl.col("ind") == "x")["reason"]) == {"no-firms"}
    assert found.frame["value"].is_infinite().sum() == 0


def test_few_firms_and_bad_calls() -> None:
    lonely = pl.DataFrame({"ind": ["a", "b", "b"], "year": [2005] * 3, "va": [1.0, 2, 3], "k": [1.0, 2, 1], "wage": [1.0, 1, 1]})
    m = measure(lonely, alpha=0.4)
    assert m.component("efficiency")["reason"].to_list() == ["too-few-firms", ""]
    assert m.component("total-efficiency")["coverage"].item() == pytest.approx(5 / 6)
    assert measure(lonely, alpha=0.4, min_firms=1).component("efficiency")["value"][0] == pytest.approx(1.0)
    with pytest.raises(hl.InputError) as caught:
        measure(lonely, sigma=1.0, trim=0.5, min_firms=0)
    assert sorted(f.code for f in caught.value.findings) == ["missing-parameter", "out-of-range", "out-of-range", "out-of-range"]
    with pytest.raises(hl.InputError) as caught:
        measure(lonely, alpha=pl.DataFrame({"ind": ["a", "a"], "alpha": [1.5, 1.5]}))
    assert sorted(f.code for f in caught.value.findings) == ["duplicate-cell", "out-of-range", "table-lacks-industry"]


def test_without_years_and_with_regions() -> None:
    frame = table().with_columns(city=pl.when(pl.int_range(pl.len()) % 2 == 0).then(pl.lit("A")).otherwise(pl.lit("B")))
    m = hl.measure("hsieh-klenow", frame, industry="ind", value_added="va", capital="k", wages="wage", region="city", alpha=0.4)
    assert m.frame.columns[:2] == ["city", "ind"] and m.component("total-efficiency").height == 2
    plain = hl.measure("hsieh-klenow", frame, industry="ind", value_added="va", capital="k", wages="wage", alpha=0.4)
    assert plain.component("total-efficiency").height == 1
