"""Industrial structure: worked values, identities, edge cases, and the entries of the catalogue."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import hinterland as hl
from hinterland.measure import structure as s
from hinterland.measure.entry import measure

Y, L = np.array([0.1, 0.4, 0.5]), np.array([0.3, 0.3, 0.4])
A, B = np.array([0.5, 0.3, 0.2]), np.array([0.4, 0.2, 0.4])
NAN = np.nan
activity = arrays(float, (2, 5), elements=st.floats(0, 1e6).map(lambda x: 0.0 if x < 1e-3 else x))


def test_worked_values() -> None:
    """Printed to six digits."""
    assert s.tertiary_secondary_ratio(Y) == pytest.approx(1.25)
    assert s.level_coefficient(Y) == pytest.approx(2.4)
    assert s.rationalisation(Y, L) == pytest.approx(0.116783, abs=5e-7)
    assert s.structural_deviation(Y, L) == pytest.approx(1.25)
    assert s.cosine_similarity(A, B) == pytest.approx(0.919255, abs=5e-7)
    assert s.krugman_distance(A, B) == pytest.approx(0.4)
    assert s.krugman_similarity(A, B) == pytest.approx(0.8)
    assert s.moore_angle(A, B) == pytest.approx(0.404613, abs=5e-7)


def test_vector_angle() -> None:
    """3θ₁ + 2θ₂ + θ₃: 1.5π, 2π and 2.5π at the corners; by hand in between."""
    np.testing.assert_allclose(s.vector_angle(np.eye(3)) / np.pi, [1.5, 2.0, 2.5])
    length = np.sqrt(0.42)
    by_hand = 3 * np.arccos(0.1 / length) + 2 * np.arccos(0.4 / length) + np.arccos(0.5 / length)
    assert s.vector_angle(Y) == pytest.approx(by_hand)
    assert s.vector_angle(1e6 * Y) == pytest.approx(by_hand)


@given(activity)
def test_bounds_and_symmetry(tables: np.ndarray) -> None:
    a, b = tables
    for index, low, high in ((s.cosine_similarity, 0, 1), (s.krugman_similarity, 0, 1), (s.moore_angle, 0, np.pi / 2)):
        value, back = index(a, b), index(b, a)
        assert np.isnan(value) == (a.sum() == 0 or b.sum() == 0)
        if not np.isnan(value):
            assert low - 1e-12 <= value <= high + 1e-12 and value == pytest.approx(back, abs=1e-12)
            assert np.cos(s.moore_angle(a, b)) == pytest.approx(s.cosine_similarity(a, b), abs=1e-9)
        if a.sum() > 0:
            assert s.moore_angle(a, 3 * a) == pytest.approx(0, abs=1e-7)
            assert s.krugman_similarity(a, a) == pytest.approx(1)


@given(activity)
def test_rationalisation_is_zero_only_in_balance(tables: np.ndarray) -> None:
    y, labour = tables
    theil, deviation = s.rationalisation(y, labour), s.structural_deviation(y, labour)
    if y.sum() == 0 or labour.sum() == 0 or ((y > 0) & (labour == 0)).any():
        assert np.isnan(theil) and np.isnan(deviation)
        return
    assert theil >= 0 and deviation >= 0
    assert s.rationalisation(y, labour, "negative") == -theil
    if theil > 0:
        assert s.rationalisation(y, labour, "inverse") * theil == pytest.approx(1)
    assert s.rationalisation(labour, 2 * labour) == pytest.approx(0, abs=1e-12)
    assert s.structural_deviation(labour, 2 * labour) == pytest.approx(0, abs=1e-9)


def test_edges() -> None:
    assert np.isnan(s.tertiary_secondary_ratio(np.array([1.0, 0.0, 2.0])))
    assert np.isnan(s.level_coefficient(np.zeros(3))) and np.isnan(s.vector_angle(np.zeros(3)))
    assert np.isnan(s.rationalisation(np.array([1.0, 1.0]), np.array([1.0, 0.0])))
    assert s.rationalisation(np.array([1.0, 0.0]), np.array([1.0, 0.0])) == 0, "an industry that does not exist does not count"
    assert s.structural_deviation(np.array([1.0, 0.0]), np.array([1.0, 0.0])) == 0
    assert s.structural_deviation(np.array([1.0, 0.0]), np.array([1.0, 1.0])) == pytest.approx(2.0)
    assert np.isnan(s.rationalisation(np.array([1.0]), np.array([1.0]), "inverse"))
    assert str(s.rationalisation(np.array([1.0]), np.array([1.0]), "negative")) == "0.0"
    with pytest.raises(ValueError, match="direction is 'up'"):
        s.rationalisation(Y, L, "up")  # type: ignore[arg-type]
    assert np.isnan(s.jaccard(np.zeros(3, dtype=bool), np.zeros(3, dtype=bool)))


def test_gaps_are_left_out_on_both_sides() -> None:
    """An industry that one of two does not record counts for neither."""
    a, b = np.array([0.5, 0.3, 0.2, NAN]), np.array([0.4, 0.2, 0.4, 9.0])
    assert s.cosine_similarity(a, b) == pytest.approx(s.cosine_similarity(A, B))
    assert s.krugman_distance(a, b) == pytest.approx(0.4)
    assert s.rationalisation(np.array([*Y, 3.0]), np.array([*L, NAN])) == pytest.approx(s.rationalisation(Y, L))


def test_small_angles_keep_their_digits() -> None:
    a, b = np.array([1.0, 1.0]), np.array([1.0, 1.0 + 2e-9])
    assert s.moore_angle(a, b) == pytest.approx(1e-9, rel=1e-6)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000))
def test_pairs_and_years_equal_one_at_a_time(seed: int) -> None:
    x = np.random.default_rng(seed).exponential(size=(3, 4, 6))
    x[1, 2, 3] = NAN
    pairs = s.pairwise(x, s.cosine_similarity)
    for t, a, b in np.ndindex(3, 4, 4):
        assert pairs[t, a, b] == pytest.approx(s.cosine_similarity(x[t, a], x[t, b]))
    turned = s.change(x, np.array([2000, 2001, 2003]), s.moore_angle, lag=2)
    assert np.isnan(turned[:2]).all()
    np.testing.assert_allclose(turned[2], s.moore_angle(x[2], x[1]))


def test_similarity_rises_with_aggregation() -> None:
    """The trap: random structures of 60 industries, added up to 3 sectors."""
    fine = np.random.default_rng(0).exponential(size=(30, 60))
    coarse = fine.reshape(30, 3, 20).sum(axis=2)
    pairs = np.triu_indices(30, 1)
    assert np.median(s.pairwise(fine, s.cosine_similarity)[pairs]) < 0.6
    assert np.median(s.pairwise(coarse, s.cosine_similarity)[pairs]) > 0.95


def test_key_industries() -> None:
    x = np.array([[8.0, 1, 1, 0], [1, 8, 1, 0], [1, 1, 8, 0]])
    assert s.key_industries(x, top=1).tolist() == np.eye(3, 4, dtype=bool).tolist()
    assert s.key_industries(x, top=4).sum() == 3, "a quotient of 1 or less is no key industry"
    tied = np.array([[4.0, 2.0, 4.0], [4.0, 2.0, 4.0]])
    assert s.key_industries(tied, top=2, least=0.5).tolist() == [[True, False, True]] * 2, "ties go to the larger industry"
    x[0, 0] = NAN
    assert not s.key_industries(x)[0, 0]


def frame(**columns: object) -> pl.DataFrame:
    return pl.DataFrame(columns)


SECTORS = ["第一产业", "第二产业", "第三产业"]
ONE = frame(city=["甲"] * 3, sector=SECTORS, gdp=Y, jobs=L)


@pytest.mark.parametrize(("name", "value"), [("tertiary-secondary-ratio", 1.25), ("structural-level", 2.4), ("structural-angle", 6.748397)])
def test_upgrading_entries(name: str, value: float) -> None:
    shuffled = ONE[[2, 0, 1]]
    row = measure(name, shuffled, region="city", industry="sector", value="gdp").frame.row(0, named=True)
    assert row["value"] == pytest.approx(value, abs=5e-7) and row["n_used"] == 3 and row["coverage"] == 1
    english = shuffled.with_columns(sector=pl.Series(["services", "farms", "industry"]))
    order = ["farms", "industry", "services"]
    again = measure(name, english, region="city", industry="sector", value="gdp", order=order)
    assert again.frame["value"][0] == pytest.approx(value, abs=5e-7)
    gap = measure(name, ONE[:2], region="city", industry="sector", value="gdp", order=SECTORS[:2]) if name == "structural-level" else None
    assert gap is None or gap.frame["value"][0] == pytest.approx(1.8)


def test_upgrading_reasons() -> None:
    table = frame(
        city=list("aaabbbcccdd"), sector=["1", "2", "3"] * 3 + ["1", "2"], gdp=["1", "0", "2", "0", "0", "0", "1", "x", "1", "1", "1"]
    )
    found = measure("tertiary-secondary-ratio", table, region="city", industry="sector", value="gdp", suppressed=["x"]).frame
    assert found["reason"].to_list() == ["zero-secondary", "zero-region-total", "suppressed-input", "missing-input"]
    assert found["value"].null_count() == 4


def test_order_of_sectors_is_never_guessed() -> None:
    table = frame(city=["a"] * 4, sector=["1", "2", "3", "total"], gdp=[1, 2, 3, 6])
    with pytest.raises(hl.InputError) as error:
        measure("tertiary-secondary-ratio", table, region="city", industry="sector", value="gdp")
    assert [f.code for f in error.value.findings] == ["sector-order", "sector-count"]
    with pytest.raises(hl.InputError) as error:
        measure("structural-level", table, region="city", industry="sector", value="gdp", order=["1", "2", "3"])
    assert [f.code for f in error.value.findings] == ["sector-order"]


def test_rationalisation_entries() -> None:
    table = pl.concat([ONE, frame(city=["乙"] * 3, sector=SECTORS, gdp=[1.0, 1.0, 1.0], jobs=[1.0, 1.0, 0.0])])
    roles = {"region": "city", "industry": "sector", "output": "gdp", "labour": "jobs"}
    theil = measure("structural-rationalisation", table, **roles).frame.sort("city")
    assert theil["reason"].to_list() == ["zero-labour", ""] and theil["value"][1] == pytest.approx(0.116783, abs=5e-7)
    for direction, value in (("negative", -0.116783), ("inverse", 1 / 0.11678337577100634)):
        turned = measure("structural-rationalisation", ONE, direction=direction, **roles)
        assert turned.frame["value"][0] == pytest.approx(value, abs=5e-7) and turned.meta["variant"] == f"direction={direction}"
    balanced = frame(city=["a"] * 2, sector=["p", "q"], gdp=[2.0, 4.0], jobs=[1.0, 2.0])
    assert measure("structural-rationalisation", balanced, direction="inverse", **roles).frame["reason"][0] == "perfect-balance"
    assert measure("structural-deviation", ONE, **roles).frame["value"][0] == pytest.approx(1.25)


def wide(x: np.ndarray, year: int = 2000) -> pl.DataFrame:
    regions, industries = np.indices(x.shape)
    labels = np.array([f"{i:02d}" for i in range(x.shape[1])])[industries.ravel()]
    return frame(year=np.full(x.size, year), city=np.array(list("abcdef"))[regions.ravel()], industry=labels, jobs=x.ravel())


def test_similarity_entry_lists_each_pair_once() -> None:
    x = np.random.default_rng(1).exponential(size=(4, 12))
    x[0, 3] = NAN
    m = measure("structural-similarity", wide(x), region="city", industry="industry", value="jobs", time="year")
    assert m.findings == () and m.frame.columns[:4] == ["year", "city", "other", "component"]
    cosine = m.component("cosine")
    assert cosine.select("city", "other").rows() == [(a, b) for i, a in enumerate("abcd") for b in "abcd"[i + 1 :]]
    assert cosine["value"][0] == pytest.approx(s.cosine_similarity(x[0], x[1])) and cosine["n_used"][0] == 11
    assert cosine["coverage"][0] == pytest.approx(11 / 12)
    few = measure("structural-similarity", wide(x[:, :3]), region="city", industry="industry", value="jobs", time="year")
    assert [f.code for f in few.findings] == ["coarse-industries"]
    apart = measure("structural-similarity", wide(np.array([[1.0, NAN], [NAN, 1.0]])), region="city", industry="industry", value="jobs")
    assert set(apart.frame["reason"]) == {"missing-input"}
    empty = measure("structural-similarity", wide(np.array([[1.0, 0.0], [0.0, 0.0]])), region="city", industry="industry", value="jobs")
    assert set(empty.frame["reason"]) == {"no-common-industry"}


def test_change_entry_compares_with_the_year_named() -> None:
    x = np.random.default_rng(2).exponential(size=(3, 2, 12))
    table = pl.concat([wide(x[0], 2000), wide(x[1], 2001), wide(x[2], 2003)])
    roles = {"region": "city", "industry": "industry", "value": "jobs", "time": "year"}
    one = measure("structural-change", table, **roles).component("moore-angle")
    assert one["reason"].to_list() == ["no-earlier-year"] * 2 + [""] * 2 + ["no-earlier-year"] * 2
    np.testing.assert_allclose(one["value"][2:4].to_numpy(), s.moore_angle(x[1], x[0]))
    two = measure("structural-change", table, lag=2, **roles).component("cosine")
    np.testing.assert_allclose(two["value"][4:].to_numpy(), s.cosine_similarity(x[2], x[1]))
    with pytest.raises(hl.InputError, match="lag is 0"):
        measure("structural-change", table, lag=0, **roles)


def test_overlap_entry() -> None:
    plan = frame(city=list("aaabbc"), industry=["06", "13", "26", "13", "26", "39"], planned=[1, 1, 1, 1, 1, 0])
    roles = {"region": "city", "industry": "industry", "value": "planned"}
    found = measure("key-industry-overlap", plan, sets="planned", **roles).frame
    assert found["value"].to_list() == [pytest.approx(2 / 3), 0.0, 0.0] and found["n_used"].to_list() == [3, 3, 2]
    x = np.array([[8.0, 1, 1], [8, 1, 1], [1, 8, 8]])
    top = measure("key-industry-overlap", wide(x), region="city", industry="industry", value="jobs", top=1).frame
    assert top["value"].to_list() == [1.0, 0.0, 0.0]
    even = measure("key-industry-overlap", wide(np.ones((2, 3))), region="city", industry="industry", value="jobs").frame
    assert even["reason"].to_list() == ["no-key-industry"]
    with pytest.raises(hl.InputError) as error:
        measure("key-industry-overlap", wide(x), region="city", industry="industry", value="jobs", top=0, least=-1)
    assert [f.code for f in error.value.findings] == ["out-of-range", "out-of-range"]
