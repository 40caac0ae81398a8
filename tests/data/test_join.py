"""Joined columns: codes of any type meet, what does not meet is counted, what is ambiguous is refused."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from hinterland import Finding, Panel, PanelError, read_panel
from hinterland.data.readers import join_columns


def panel() -> Panel:
    return read_panel(pl.DataFrame({"u": ["1", "1", "2", "2"], "t": [2010, 2011, 2010, 2011], "y": [1.0, 2, 3, 4]}), unit="u", time="t")


def findings(**arguments: object) -> list[Finding]:
    with pytest.raises(PanelError) as caught:
        join_columns(panel(), **arguments)  # type: ignore[arg-type]
    return list(caught.value.findings)


RIGHT = pl.DataFrame({"code": [1.0, 1.0, 3.0], "year": [2010, 2011, 2010], "x": [5.0, 6.0, 7.0]})


def test_join_by_unit_and_period_counts_what_does_not_meet() -> None:
    joined = join_columns(panel(), RIGHT, unit="code", time="year", columns={"x": "gdp"}, name="economy")
    assert joined.frame["gdp"].to_list() == [5.0, 6.0, None, None]
    assert joined.columns["gdp"].source == "economy:x"
    assert [f.code for f in joined.findings] == ["join-unmatched", "join-unused"]
    assert "2 of 4 rows" in joined.findings[0].what
    assert "'2'" in joined.findings[0].what
    assert "'3'" in joined.findings[1].what


def test_join_by_unit_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes("代码,省份,面积\n1,安徽,一\n2,安徽,3\n,合计,9\n".encode("gb18030"))
    joined = join_columns(panel(), tmp_path / "a.csv", unit="代码", time=None, columns=["省份"])
    assert joined.frame["省份"].to_list() == ["安徽"] * 4
    assert [f.code for f in joined.findings] == ["encoding-used", "unit-missing"]
    with pytest.raises(PanelError, match="row 2, column '面积'"):
        join_columns(panel(), tmp_path / "a.csv", unit="代码", time=None, columns=["面积"])


def test_what_is_ambiguous_is_refused() -> None:
    assert [f.code for f in findings(source=RIGHT, unit="code", time=None, columns=["x"])] == ["many-to-many"]
    twice = pl.concat([RIGHT, RIGHT])
    assert [f.code for f in findings(source=twice, unit="code", time="year", columns=["x"])] == ["duplicate-unit-period"]


def test_names() -> None:
    found = findings(source=RIGHT, unit="cod", time="year", columns={"xx": "z", "x": "y"})
    assert [f.code for f in found] == ["unknown-column", "unknown-column", "column-taken"]
    assert "did you mean 'code'" in found[0].remedy
    assert findings(source=RIGHT, unit="code", time="year", columns={"x": "z", "year": "z"})[0].code == "column-taken"


def test_units_named_otherwise() -> None:
    other = pl.DataFrame({"city": ["合肥", "芜湖"], "x": [1, 2]})
    found = findings(source=other, unit="city", time=None, columns=["x"])
    assert [f.code for f in found] == ["no-unit-matches"]
    assert "'合肥'" in found[0].what


def test_real_columns_join(shared_data: Path) -> None:
    patents = read_panel(shared_data / "city_patents_2007_2017" / "city_patent_counts.parquet", unit="adcode", time="pub_year")
    joined = join_columns(
        patents, shared_data / "city_panel_2000_2023" / "gdp_structure.parquet", unit="adcode", time="year", columns=["gdp", "share2"]
    )
    assert joined.frame.height == 3423
    assert "50 of 3423 rows" in next(f.what for f in joined.findings if f.code == "join-unmatched")
    hefei = joined.frame.filter((pl.col("adcode") == "340100") & (pl.col("pub_year") == 2010))
    assert hefei["gdp"].item() == pytest.approx(2701.6, abs=1)


def test_names_and_codes_of_cities_find_each_other() -> None:
    frame = pl.DataFrame({"city": ["合肥", "合肥", "襄樊市", "nowhere"], "t": [2010, 2011, 2010, 2010], "y": [1.0, 2, 3, 4]})
    named = read_panel(frame, unit="city", time="t")
    coded = pl.DataFrame({"code": [340100, 340100, 420600], "t": [2010, 2011, 2010], "x": [5.0, 6.0, 7.0]})
    joined = join_columns(named, coded, unit="code", time="t", columns=["x"], match="cities")
    assert dict(joined.frame.select(pl.concat_str("city", "t"), "x").iter_rows()) == {
        "合肥2010": 5,
        "合肥2011": 6,
        "襄樊市2010": 7,
        "nowhere2010": None,
    }
    assert joined.frame.columns == [*named.frame.columns, "x"]
    strange = pl.DataFrame({"name": ["合肥市", "Atlantis"], "x": [1.0, 2.0]})
    said = join_columns(named, strange, unit="name", time=None, columns=["x"], match="cities").findings
    assert [f.code for f in said if "Atlantis" in f.what] == ["unknown-city"]
    twice = pl.DataFrame({"name": ["合肥市", "合肥"], "x": [1.0, 2.0]})
    with pytest.raises(PanelError, match="many-to-many"):
        join_columns(named, twice, unit="name", time=None, columns=["x"], match="cities")
