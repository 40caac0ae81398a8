"""Agglomeration through the labelled entry: columns, components, references, gaps, and every finding."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
import pytest

import hinterland as hl

X = np.array([[60.0, 30, 10], [20, 60, 20], [20, 10, 70]])
CELLS = {"region": "city", "industry": "sector", "value": "jobs"}
REGIONS = ("herfindahl-specialisation", "krugman-specialisation", "industrial-entropy", "relative-diversity", "jacobs-diversity")
INDUSTRIES = ("herfindahl-concentration", "hoover-localisation", "locational-gini", "theil-localisation")


def table(x: np.ndarray = X, names: str = "pqr", **extra: Any) -> pl.DataFrame:
    regions, industries = np.indices(x.shape)
    frame = {
        "city": np.array(list("ABCDEFGH"))[regions.ravel()],
        "sector": np.array(list(names))[industries.ravel()],
        "jobs": x.ravel(),
    }
    return pl.DataFrame(frame).with_columns(**extra)


def measured(name: str, frame: Any, **more: Any) -> hl.Measure:
    return hl.measure(name, frame, **(CELLS | more))


def values(m: hl.Measure, component: str | None = None) -> np.ndarray:
    frame = m.frame if component is None else m.component(component)
    return frame["value"].fill_null(np.nan).to_numpy()


def found_codes(name: str, frame: Any, **more: Any) -> list[str]:
    with pytest.raises(hl.InputError) as caught:
        hl.measure(name, frame, **more)
    return [f.code for f in caught.value.findings]


@pytest.mark.parametrize(
    ("name", "options", "expected"),
    [
        ("symmetric-location-quotient", {}, (np.array([1.8, 0.9, 0.3, 0.6, 1.8, 0.6, 0.6, 0.3, 2.1]) - 1) / np.array([2.8, 1.9, 1.3, 1.6, 2.8, 1.6, 1.6, 1.3, 3.1])),
        ("herfindahl-specialisation", {}, [0.46, 0.44, 0.54]),
        ("herfindahl-specialisation", {"normalised": True}, [0.19, 0.16, 0.31]),
        ("herfindahl-concentration", {}, [0.44, 0.46, 0.54]),
        ("krugman-specialisation", {}, [0.533333, 0.533333, 0.733333]),
        ("krugman-specialisation", {"versus": "rest"}, [0.8, 0.8, 1.1]),
        ("krugman-dissimilarity", {}, [0.8, 1.2, 1.0]),
        ("industrial-entropy", {}, [0.897946, 0.950271, 0.801819]),
        ("industrial-entropy", {"base": 2}, np.array([0.897946, 0.950271, 0.801819]) / np.log(2)),
        ("relative-diversity", {}, [1.875, 1.875, 1.363636]),
        ("jacobs-diversity", {}, [2.173913, 2.272727, 1.851852]),
        ("hoover-localisation", {}, [0.266667, 0.266667, 0.366667]),
        ("locational-gini", {}, [0.266667, 0.333333, 0.4]),
        ("locational-gini", {"scale": "area"}, [0.133333, 0.166667, 0.2]),
        ("theil-localisation", {}, [0.148342, 0.200667, 0.296794]),
    ],
)  # fmt: skip
def test_worked_examples(name: str, options: Mapping[str, Any], expected: Any) -> None:
    m = measured(name, table(), **options)
    assert np.allclose(values(m), expected, atol=2e-6)
    assert set(m.frame["coverage"]) == {1.0} and set(m.frame["reason"]) == {""} and m.findings == ()


def test_years_are_apart() -> None:
    frame = pl.concat([table().with_columns(year=2001), table(X.T).with_columns(year=2002)])
    for name in (*REGIONS, *INDUSTRIES, "krugman-dissimilarity", "co-agglomeration"):
        both = measured(name, frame, time="year")
        assert both.frame.columns[0] == "year"
        for year, x in ((2001, X), (2002, X.T)):
            assert np.allclose(both.frame.filter(year=year)["value"], values(measured(name, table(x))), atol=1e-14), name


def test_standardised_quotient() -> None:
    m = measured("standardised-location-quotient", table(), draws=99)
    z = values(m, "standardised-quotient")
    assert z[0] == pytest.approx(0.8 / np.std([1.8, 0.6, 0.6], ddof=1))
    assert values(m, "normal-p-value")[0] == pytest.approx(0.124107, abs=1e-5)  # of z = 1.154701
    assert m.component("cut-off")["city"].null_count() == 3
    zero = X.copy()
    zero[0, 1] = 0
    logs = measured("standardised-location-quotient", table(zero), transform="log", draws=9)
    assert logs.component("standardised-quotient").filter(city="A", sector="q")["reason"].item() == "zero-quotient"
    flat = measured("standardised-location-quotient", table(np.ones((3, 3))), draws=9)
    assert set(flat.frame["reason"]) == {"flat-quotients"}
    assert found_codes("standardised-location-quotient", table(), **CELLS, draws=0) == ["out-of-range"]
    assert found_codes("standardised-location-quotient", table(), **CELLS, level=95) == ["out-of-range"]


def test_zero_margins_are_named_and_have_reasons() -> None:
    x = X.copy()
    x[0], x[:, 2] = 0, 0
    for name in (*REGIONS, "krugman-dissimilarity"):
        m = measured(name, table(x))
        assert m.frame.filter(city="A")["reason"].unique().to_list() == ["zero-region-total"], name
        assert "empty-margin" in [f.code for f in m.findings] and "region A" in m.findings[-1].where
    for name in INDUSTRIES:
        m = measured(name, table(x))
        assert m.frame.filter(sector="r")["reason"].to_list() == ["zero-industry-total"], name
        assert any("industry r" in f.where for f in m.findings)
    assert "empty-margin" in [f.code for f in measured("location-quotient", table(x)).findings]


def test_gaps_lower_coverage_and_whole_gaps_have_reasons() -> None:
    frame = table(jobs=pl.Series([None, 30.0, 10, None, None, None, 20, 10, 70]))
    m = measured("herfindahl-specialisation", frame)
    assert m.frame["coverage"].to_list() == pytest.approx([2 / 3, 0, 1])
    assert m.frame["reason"].to_list() == ["", "missing-input", ""]
    assert values(m)[0] == pytest.approx(0.75**2 + 0.25**2)
    withheld = pl.DataFrame({"city": ["A", "A", "B", "B"], "sector": list("pqpq"), "jobs": ["D", "D", "1", "2"]})
    assert measured("industrial-entropy", withheld, suppressed=("D",)).frame["reason"].to_list() == ["suppressed-input", ""]


def test_shares_are_taken_at_their_word_and_checked() -> None:
    s = X / X.sum(axis=1, keepdims=True)
    for name in ("herfindahl-specialisation", "industrial-entropy", "jacobs-diversity"):
        assert np.allclose(values(measured(name, table(s), given="shares")), values(measured(name, table())))
    wrong = s.copy()
    wrong[1, 0] += 0.2
    with pytest.raises(hl.InputError, match=r"region B \(1.2\)") as caught:
        measured("herfindahl-specialisation", table(wrong), given="shares")
    assert [f.code for f in caught.value.findings] == ["shares-do-not-sum"]
    with pytest.raises(hl.InputError, match="divide by 100"):
        measured("industrial-entropy", table(100 * s), given="shares")
    with pytest.raises(hl.InputError, match="industry p"):
        measured("herfindahl-concentration", table(s / 2), given="shares")
    assert found_codes("krugman-specialisation", table(s), **CELLS, given="shares") == ["shares-need-reference"]
    nation = pl.DataFrame({"sector": list("pqr"), "jobs": [1 / 3] * 3})
    m = measured("krugman-specialisation", table(s), given="shares", reference=nation)
    assert np.allclose(values(m), [0.533333, 0.533333, 0.733333], atol=1e-6)


def test_an_external_nation() -> None:
    nation = pl.DataFrame({"sector": list("pqr"), "jobs": [500, 300, 200]})
    assert values(measured("krugman-specialisation", table(), reference=nation))[0] == pytest.approx(0.2)
    assert values(measured("relative-diversity", table(), reference=nation))[0] == pytest.approx(5)


def test_a_region_larger_than_the_nation_has_no_rest() -> None:
    nation = pl.DataFrame({"sector": list("pqr"), "jobs": [50, 300, 200]})
    with pytest.raises(hl.InputError, match="region A, industry p") as caught:
        measured("krugman-specialisation", table(), reference=nation, versus="rest")
    assert [f.code for f in caught.value.findings] == ["reference-below-region"]


def test_structure_of_the_nation_has_no_relative_diversity() -> None:
    m = measured("relative-diversity", table(np.ones((2, 3))))
    assert m.frame["reason"].to_list() == ["same-structure"] * 2
    lone = measured("krugman-specialisation", table(X[:1]), versus="rest")
    assert lone.frame["reason"].to_list() == ["no-other-region"]


def test_size_from_a_column() -> None:
    population = pl.Series(np.repeat([1.0, 1, 2], 3))
    m = measured("hoover-localisation", table(pop=population), size="pop")
    assert values(m)[0] == pytest.approx(0.5 * (0.35 + 0.05 + 0.3))
    assert found_codes("locational-gini", table(pop=pl.Series(np.arange(9.0))), **CELLS, size="pop") == ["differs-within-region"]
    unknown = measured("theil-localisation", table(pop=pl.Series([None] * 3 + [1.0] * 6)), size="pop")
    assert set(unknown.frame["n_used"]) == {2} and set(unknown.frame["reason"]) == {""}
    none = table(pop=pl.Series([None] * 9, dtype=pl.Float64))
    assert set(measured("locational-gini", none, size="pop").frame["reason"]) == {"missing-region-size"}
    empty = measured("theil-localisation", table(pop=pl.Series([0.0] * 3 + [1.0] * 6)), size="pop")
    assert set(empty.frame["reason"]) == {"zero-size"}


def test_one_industry_beside_itself_is_said() -> None:
    m = measured("hoover-localisation", table(X[:, :1], "p"))
    assert [f.code for f in m.findings] == ["one-industry"]


def test_density_and_spatial_concentration() -> None:
    frame = table(km2=pl.Series(np.repeat([1.0, 2, 3], 3)))
    totals = frame.group_by("city", maintain_order=True).agg(pl.col("jobs").sum(), pl.col("km2").first())
    m = hl.measure("density", totals, region="city", value="jobs", area="km2")
    assert values(m).tolist() == pytest.approx([100, 50, 100 / 3])
    s = measured("spatial-concentration", frame, area="km2")
    each = X / np.array([1.0, 2, 3])[:, None] / (100 / 6)
    assert np.allclose(values(s, "relative-density"), each.ravel())
    assert np.allclose(values(s, "summed-density"), each.sum(axis=1))
    unknown = measured("spatial-concentration", frame.with_columns(km2=pl.when(pl.col("city") != "B").then("km2")), area="km2")
    assert set(unknown.frame.filter(city="B")["reason"]) == {"missing-area"}
    assert found_codes("density", totals, region="city", value="jobs", area="jobs_") == ["unknown-column"]
    assert found_codes("density", totals.with_columns(km2=0.0), region="city", value="jobs", area="km2") == ["negative-value"]


def test_variety_from_codes_and_from_groups() -> None:
    p = [0.2, 0.2, 0.1, 0.3, 0.15, 0.05]
    frame = pl.DataFrame({"city": ["A"] * 6, "sector": ["1311", "1312", "1320", "1411", "1412", "1490"], "jobs": p})
    for extra in ({}, {"group": "g"}):
        m = measured("variety", frame.with_columns(g=pl.Series(list("xxxyyy"))), **extra)
        assert [values(m, k)[0] for k in ("unrelated-variety", "related-variety", "total-variety")] == pytest.approx([1.0, 1.408695, 2.408695], abs=5e-7)  # fmt: skip
    assert found_codes("variety", frame, **CELLS, digits=4) == ["code-too-short"]
    assert found_codes("variety", frame, **CELLS, digits=0) == ["out-of-range"]
    assert found_codes("variety", frame, **CELLS, base=1) == ["out-of-range"]
    double = pl.concat([frame, frame.with_columns(city=pl.lit("B"))]).with_columns(g=pl.Series(list("xxxyyyyxxyyy")))
    assert found_codes("variety", double, **CELLS, group="g") == ["two-groups"]


def test_producer_services() -> None:
    x = np.array([[48.0, 12, 12, 28], [32, 18, 8, 42]])
    m = measured("producer-services-co-agglomeration", table(x, "CGJZ"))
    lq = {"m": x[:, 0] / 100 / 0.4, "s": x[:, 1:3].sum(1) / 100 / 0.25}
    assert np.allclose(values(m, "lq-manufacturing"), lq["m"]) and np.allclose(values(m, "lq-services"), lq["s"])
    closeness = 1 - np.abs(lq["m"] - lq["s"]) / (lq["m"] + lq["s"])
    assert np.allclose(values(m, "closeness"), closeness)
    assert np.allclose(values(m, "closeness-and-depth"), closeness + lq["m"] + lq["s"])
    named = measured("producer-services-co-agglomeration", table(x, "pqrs"), services=["q", "r"], manufacturing=["p"])
    assert np.allclose(values(named, "closeness"), closeness)


def test_producer_services_without_either_or_unknown() -> None:
    x = np.array([[0.0, 0, 5], [3, 4, 5]])
    m = measured("producer-services-co-agglomeration", table(x, "CGZ"))
    assert m.component("closeness")["reason"].to_list() == ["both-zero", ""]
    assert values(m, "lq-services")[0] == 0
    gap = table(x, "CGZ").filter(~((pl.col("city") == "A") & (pl.col("sector") == "G")))
    assert measured("producer-services-co-agglomeration", gap).component("closeness")["reason"].to_list() == ["missing-input", ""]
    codes = found_codes("producer-services-co-agglomeration", table(x, "pqr"), **CELLS)
    assert codes == ["unknown-industry", "unknown-industry"]
    codes = found_codes("producer-services-co-agglomeration", table(x, "pqr"), **CELLS, services=["p", "q"], manufacturing=["p"])
    assert codes == ["industry-in-both"]
