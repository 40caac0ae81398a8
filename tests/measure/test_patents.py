"""Patents by region and year: counts, shares, citations, renewal, and years that are not over yet."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

import hinterland as hl
from hinterland.measure import innovation

CELL = {"region": "city", "time": "year"}


def counts(**columns: object) -> pl.DataFrame:
    base = pl.DataFrame(
        {
            "city": ["A", "A", "B", "B"],
            "year": [2018, 2019, 2018, 2019],
            "inv": [10.0, 0, 4, None],
            "util": [20.0, 0, 4, 1],
            "des": [10.0, 0, 0, 1],
            "pop": [100.0, 100, 50, 0],
        }
    )
    return base.with_columns(total=pl.sum_horizontal("inv", "util", "des", ignore_nulls=False)).with_columns(**columns)  # type: ignore[arg-type]


def rows(**columns: object) -> pl.DataFrame:
    base = pl.DataFrame(
        {
            "patent": ["p", "q", "r", "s", "u"],
            "city": ["A", "A", "A", "B", "B"],
            "year": [2010, 2010, 2011, 2010, 2010],
            "field": ["x", "x", "x", "x", "y"],
            "cites": [4.0, 0, 3, 2, 0],
        }
    )
    return base.with_columns(**columns)  # type: ignore[arg-type]


def patents(name: str, frame: pl.DataFrame, **more: object) -> hl.Measure:
    return hl.measure(name, frame, **(CELL | {"entity": "patent"} | more))  # type: ignore[arg-type]


def test_patents_per_head_and_their_logarithm() -> None:
    m = hl.measure("patents-per-capita", counts(), **CELL, patents="total", population="pop", status="applied")  # type: ignore[arg-type]
    found = m.component("patents-per-head").sort("city", "year")
    assert found["value"].to_list() == [0.4, 0.0, 0.16, None]
    assert found["reason"].to_list() == ["", "", "", "missing-input"]
    logs = m.component("log-patents").sort("city", "year")
    assert logs["value"].to_list() == pytest.approx([np.log(41), 0.0, np.log(9), None])
    zero = hl.measure("patents-per-capita", counts(total=pl.lit(3.0)), **CELL, patents="total", population="pop", status="applied")  # type: ignore[arg-type]
    assert zero.component("patents-per-head").sort("city", "year")["reason"].to_list() == ["", "", "", "zero-population"]


def test_invention_share() -> None:
    m = hl.measure("invention-share", counts(), **CELL, invention="inv", utility="util", design="des", status="applied")  # type: ignore[arg-type]
    found = m.frame.sort("city", "year")
    assert found["value"].to_list() == [0.25, None, 0.5, None]
    assert found["reason"].to_list() == ["", "no-patents", "", "missing-input"]


def test_recent_grants_are_flagged_and_can_be_taken_out() -> None:
    frame = pl.DataFrame({"city": "A", "year": range(2012, 2023), "n": 5.0, "pop": 10.0})
    call = {**CELL, "patents": "n", "population": "pop"}
    m = hl.measure("patents-per-capita", frame, **call)  # type: ignore[arg-type]
    assert [f.code for f in m.findings] == ["grants-truncated"] and m.meta["truncated_years"] == [2020, 2021, 2022]
    assert m.frame["value"].null_count() == 0
    m = hl.measure("patents-per-capita", frame, **call, truncated="nan")  # type: ignore[arg-type]
    assert m.component("patents-per-head").filter(pl.col("year") >= 2020)["reason"].unique().to_list() == ["grants-truncated"]
    assert m.component("patents-per-head")["value"].null_count() == 3
    assert hl.measure("patents-per-capita", frame, **call, observed_until=2025).findings == ()  # type: ignore[arg-type]
    assert hl.measure("patents-per-capita", frame, **call, status="applied").findings == ()  # type: ignore[arg-type]


def test_scaled_citations_have_mean_one_in_every_field_and_year() -> None:
    rng = np.random.default_rng(0)
    cohort = rng.integers(0, 5, 400).astype(np.intp)
    c = rng.poisson(0.3 + cohort).astype(float)
    scaled = innovation.scaled_citations(c, cohort)
    assert np.allclose([scaled[cohort == k].mean() for k in range(5)], 1, atol=1e-12)
    doubled = innovation.scaled_citations(np.where(cohort == 2, 2 * c, c), cohort)
    assert np.allclose(scaled, doubled), "a field that cites twice as much counts the same"
    c[cohort == 0] = 0
    assert np.isnan(innovation.scaled_citations(c, cohort)[cohort == 0]).all()


def test_citation_weighted_patents() -> None:
    """Field x of 2010 has mean (4+0+2)/3 = 2; of 2011, 3; field y is never cited."""
    m = patents("citation-weighted-patents", rows(), field="field", citations="cites")
    found = {(c, y, t): (v, r) for c, y, t, v, r in m.frame.select("city", "year", "component", "value", "reason").iter_rows()}
    assert found["A", 2010, "citation-weighted"] == (2.0, "")
    assert found["A", 2011, "citation-weighted"] == (1.0, "")
    assert found["B", 2010, "citation-weighted"] == (1.0, "")
    assert found["B", 2010, "mean-citations"] == (1.0, "")
    assert found["B", 2011, "citation-weighted"] == (None, "no-patents")
    assert m.component("citation-weighted").filter(pl.col("city") == "B", pl.col("year") == 2010)["coverage"].item() == 0.5
    dead = patents("citation-weighted-patents", rows(cites=pl.lit(0.0)), field="field", citations="cites")
    assert set(dead.component("citation-weighted")["reason"]) == {"no-citations", "no-patents"}


def test_a_window_counts_single_citations() -> None:
    events = pl.DataFrame({"patent": ["p", "p", "p", "q", "u", "zz"], "citing_year": [2009, 2012, 2016, 2015, 2010, 2012]})
    counted = {}
    for window in (3, 5, None):
        m = patents("citation-weighted-patents", rows(), field="field", cited_by=events, window=window, observed_until=2030)
        counted[window] = m.component("mean-citations").filter(pl.col("city") == "A", pl.col("year") == 2010)["value"].item()
    assert counted == {3: 0.5, 5: 1.0, None: 1.5}, "not before application, and within 3, 5 or any number of years"
    open_ones = patents("citation-weighted-patents", rows(), field="field", cited_by=events)
    assert [f.code for f in open_ones.findings] == []
    assert patents("citation-weighted-patents", rows(), field="field", cited_by=events, observed_until=2015).meta["open_years"] == [2011]
    with pytest.raises(hl.InputError, match="cited_by"):
        patents("citation-weighted-patents", rows(), field="field")


def test_claims_of_inventions() -> None:
    frame = rows(claims=pl.Series([10.0, 4, 8, 2, 6]), kind=pl.Series(["发明", "实用新型", "1", "invention", "发明专利"]))
    m = patents("patent-claims", frame, claims="claims", patent_type="kind").frame.sort("city", "year")
    assert m["value"].to_list() == [10.0, 8.0, 4.0, None] and m["n_used"].to_list() == [1, 1, 2, 0]
    assert patents("patent-claims", frame, claims="claims").frame.sort("city", "year")["value"][0] == 7.0
    only = rows(claims=pl.Series([None, None, 8, 2, 6], dtype=pl.Float64))
    assert patents("patent-claims", only, claims="claims").frame.sort("city", "year")["reason"][0] == "missing-input"


def test_renewal_counts_only_patents_old_enough() -> None:
    frame = rows(kept=pl.Series([5.0, 4, 3, 9, 6]))
    m = patents("patent-renewal", frame, maintained="kept", observed_until=2015).frame.sort("city", "year")
    assert m["value"].to_list() == [0.5, None, 1.0, None]
    assert m["reason"].to_list() == ["", "window-open", "", "no-patents"]
    assert (
        patents("patent-renewal", frame, maintained="kept", observed_until=2016, threshold=3).frame.sort("city", "year")["value"][1] == 1.0
    )
    with pytest.raises(hl.InputError) as caught:
        patents("patent-renewal", frame, maintained="kept", threshold=0)
    assert sorted(f.code for f in caught.value.findings) == ["missing-parameter", "out-of-range"]


def test_family_size_and_transfer() -> None:
    frame = rows(family=pl.Series([1.0, 3, 1, 2, 2]), moved=pl.Series([1, 0, 0, 1, None]))
    m = patents("patent-family-size", frame, family="family").frame.sort("city", "year")
    assert m["value"].to_list() == [2.0, 1.0, 2.0, None]
    m = patents("patent-transfer", frame, assigned="moved").frame.sort("city", "year")
    assert m["value"].to_list() == [0.5, 0.0, 1.0, None] and m["coverage"].to_list() == [1.0, 1.0, 0.5, 0.0]
    with pytest.raises(hl.InputError) as caught:
        patents("patent-transfer", frame.with_columns(moved=pl.lit(2.0)), assigned="moved")
    assert [f.code for f in caught.value.findings] == ["not-an-indicator"]


def test_a_patent_twice_in_a_city_is_a_finding() -> None:
    with pytest.raises(hl.InputError) as caught:
        patents("patent-claims", pl.concat([rows(c=1.0), rows(c=1.0)]), claims="c")
    assert [f.code for f in caught.value.findings] == ["duplicate-cell"]


def test_patent_types_as_files_write_them() -> None:
    written = pl.Series(["发明", " 实用新型 ", "外观设计", "Invention", "2", "3", "other", None])
    assert innovation.patent_type(written).to_list() == ["invention", "utility", "design", "invention", "utility", "design", None, None]
