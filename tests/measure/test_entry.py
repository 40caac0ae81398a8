"""The labelled entry: states of cells, what every result carries, and every problem of a table at once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

import hinterland as hl

X = np.array([[60.0, 30, 10], [20, 60, 20], [20, 10, 70]])


def table(x: np.ndarray = X, **extra: object) -> pl.DataFrame:
    regions, industries = np.indices(x.shape)
    return pl.DataFrame(
        {"city": np.array(list("ABC"))[regions.ravel()], "sector": np.array(["p", "q", "r"])[industries.ravel()], "jobs": x.ravel()}
    ).with_columns(**extra)  # type: ignore[arg-type]


def lq(frame: object, **more: object) -> hl.Measure:
    return hl.measure("location-quotient", frame, region="city", industry="sector", value="jobs", **more)  # type: ignore[arg-type]


def test_worked_example_and_columns() -> None:
    m = lq(table())
    assert m.frame.columns == ["city", "sector", "value", "n_used", "coverage", "reason"]
    assert np.allclose(m.frame["value"].to_numpy().reshape(3, 3), [[1.8, 0.9, 0.3], [0.6, 1.8, 0.6], [0.6, 0.3, 2.1]], atol=1e-12)
    assert m.frame["n_used"].to_list() == [5] * 9
    assert m.frame["coverage"].to_list() == [1.0] * 9
    assert m.meta["variant"] == "default" and m.meta["roles"] == {"region": "city", "industry": "sector", "value": "jobs"}
    assert m.meta["n_rows"] == 9 and len(m.meta["input_hash"]) == 16


def test_zero_missing_and_suppressed_are_told_apart() -> None:
    frame = pl.DataFrame({"city": list("AAABB"), "sector": list("pqrpq"), "jobs": ["0", "D", "10", "5", ".."]})
    m = lq(frame, suppressed=("D",))
    found = {(r["city"], r["sector"]): (r["value"], r["reason"]) for r in m.frame.iter_rows(named=True)}
    assert found["A", "p"] == (0.0, "")
    assert found["A", "q"] == (None, "suppressed-input")
    assert found["B", "q"] == (None, "missing-input")
    assert found["B", "r"] == (None, "missing-input"), "a row that the table does not have is missing"
    assert m.frame.filter(pl.col("city") == "A", pl.col("sector") == "p")["coverage"].item() == pytest.approx(3 / 4)


def test_complete_tables_have_zeros_where_they_have_no_row() -> None:
    frame = pl.DataFrame({"city": list("AAB"), "sector": list("pqp"), "jobs": [1, 1, 2]})
    m = lq(frame, complete=True)
    assert m.frame.filter(pl.col("city") == "B", pl.col("sector") == "q")["value"].item() == 0.0
    assert m.frame["coverage"].min() == 1.0


def test_a_state_column_rules() -> None:
    frame = table(state=pl.Series(["suppressed", *[None] * 8]))
    m = lq(frame, state="state")
    assert m.frame["reason"][0] == "suppressed-input"
    assert m.frame["reason"].to_list().count("") == 8


def test_min_coverage_takes_values_out() -> None:
    frame = table(jobs=pl.Series([None, *X.ravel()[1:]]))
    assert set(lq(frame, min_coverage=0.9).frame["reason"]) == {"missing-input", "low-coverage", ""}


def test_years_are_separate_and_codes_keep_their_type() -> None:
    frame = pl.concat([table().with_columns(year=2001), table(2 * X).with_columns(year=2002)]).with_columns(
        city=pl.col("city").replace_strict({"A": 110000, "B": 120000, "C": 130000})
    )
    m = lq(frame, time="year")
    assert m.frame.columns[:3] == ["year", "city", "sector"]
    assert m.frame.schema["city"] == pl.Int64
    assert np.allclose(m.frame["value"][:9].to_numpy(), m.frame["value"][9:].to_numpy())


def test_paths_and_pandas_are_read(tmp_path: Path) -> None:
    table().write_csv(tmp_path / "t.csv")
    assert lq(tmp_path / "t.csv").frame.equals(lq(table().to_pandas()).frame)


def test_a_national_reference() -> None:
    national = pl.DataFrame({"sector": ["p", "q", "r"], "jobs": [500, 300, 200]})
    m = lq(table(), reference=national)
    assert m.frame["value"][0] == pytest.approx(0.6 / 0.5)
    assert "table of 3 rows" in m.meta["variant"]


def test_every_problem_of_a_table_at_once() -> None:
    frame = pl.DataFrame({"city": ["A", "A", None, "B"], "sector": list("ppqq"), "jobs": [1.0, -2.0, float("inf"), 3.0]})
    with pytest.raises(hl.InputError) as caught:
        lq(frame)
    assert {f.code for f in caught.value.findings} == {"missing-key", "negative-value", "infinite"}
    with pytest.raises(hl.InputError) as caught:
        lq(pl.DataFrame({"city": ["A", "A"], "sector": ["p", "p"], "jobs": [1, 2]}))
    assert [f.code for f in caught.value.findings] == ["duplicate-cell"]
    assert "time" in caught.value.findings[0].remedy


def test_negative_numbers_can_count_as_missing() -> None:
    m = lq(table(jobs=pl.Series([-1.0, *X.ravel()[1:]])), on_negative="nan")
    assert m.frame["reason"][0] == "missing-input"
    assert [f.code for f in m.findings] == ["negative-value"]


def test_every_problem_of_a_call_at_once() -> None:
    with pytest.raises(hl.InputError) as caught:
        hl.measure("location-quotient", table(), regio="city", industry=3, on_negative="drop", min_coverage=2)  # type: ignore[arg-type]
    assert sorted(f.code for f in caught.value.findings) == [
        "bad-column",
        "missing-role",
        "missing-role",
        "missing-role",
        "out-of-range",
        "unknown-argument",
        "unknown-value",
    ]
    with pytest.raises(hl.InputError, match="location-quotient"):
        hl.measure("location-quotien", table())
    with pytest.raises(hl.InputError, match="no column 'town'"):
        hl.measure("location-quotient", table(), region="town", industry="sector", value="jobs")


def test_zero_totals_have_reasons_and_nothing_is_infinite() -> None:
    x = X.copy()
    x[0] = 0.0
    x[1:, 2] = 0.0
    m = lq(table(x))
    assert set(m.frame.filter(pl.col("city") == "A")["reason"]) == {"zero-region-total"}
    assert set(m.frame.filter(pl.col("city") == "B")["reason"]) == {"", "zero-industry-total"}
    assert m.frame["value"].is_infinite().sum() == 0


def test_catalogue_is_whole() -> None:
    from hinterland.labels import catalogue
    from hinterland.measure.entry import compute_of
    from hinterland.measure.indicator import LABEL_KEYS, NUMBER_KEYS
    from hinterland.measure.register import INDICATORS
    from hinterland.units import UNITS

    frame = hl.indicators()
    assert frame["id"].is_unique().all() and frame.height == len(INDICATORS)
    for indicator in INDICATORS.values():
        assert callable(compute_of(indicator)), indicator.id
        assert indicator.unit in UNITS, indicator.id
        for language in ("en", "zh"):
            assert all((indicator.name(language), indicator.meaning(language), indicator.caution(language)))  # type: ignore[arg-type]
        names = [r.name for r in indicator.roles]
        assert len(set(names) | set(indicator.parameters)) == len(names) + len(indicator.parameters), indicator.id
        assert set(indicator.unique) <= set(names), indicator.id
        assert set(indicator.keys) <= {*LABEL_KEYS, *NUMBER_KEYS, "time"}, indicator.id
        assert catalogue("en").get(f"indicator_family.{indicator.family}"), indicator.id


def test_withheld_is_told_from_missing_for_either_member_of_a_pair() -> None:
    frame = pl.DataFrame({"city": list("AABBCC"), "sector": list("pqpqpq"), "jobs": ["1", "2", "D", "D", None, None]})
    m = hl.measure("krugman-dissimilarity", frame, region="city", industry="sector", value="jobs", suppressed=("D",))
    assert {(r["city"], r["other"]): r["reason"] for r in m.frame.iter_rows(named=True)} == {
        ("A", "B"): "suppressed-input",
        ("A", "C"): "missing-input",
        ("B", "C"): "suppressed-input",
    }


def test_a_result_without_rows_says_so() -> None:
    m = hl.measure("krugman-dissimilarity", table().filter(city="A"), region="city", industry="sector", value="jobs")
    assert m.frame.height == 0 and [f.code for f in m.findings] == ["empty-result"]
    assert "1 region(s)" in m.findings[0].what


def test_components_have_units_of_their_own() -> None:
    from hinterland.measure.register import INDICATORS

    prices = INDICATORS["market-segmentation"]
    assert [prices.unit_of(c) for c in (None, "segmentation", "integration", "goods")] == ["squared-log", "squared-log", "index", "count"]
    frame = pl.DataFrame({"r": list("AB"), "t": [2020, 2020], "p": [3, 4], "n": [1.0, 2]})
    m = hl.measure("patents-per-capita", frame, region="r", time="t", patents="p", population="n")
    assert m.meta["unit"] == "per-10k-person" and m.meta["units"] == {"log-patents": "log"}
