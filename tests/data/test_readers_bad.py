"""Bad files: each message says what (with the value), where, and what to do."""

from __future__ import annotations

import gzip
from pathlib import Path

import polars as pl
import pyreadstat
import pytest
import xlsxwriter

from hinterland import Finding, PanelError, read_panel
from hinterland.data.readers import read_table

GOOD = "城市,年份,值\n合肥,2010,1\n合肥,2011,2\n芜湖,2010,3\n芜湖,2011,4\n"
ROLES = {"unit": "城市", "time": "年份"}


def findings(source: object, **options: object) -> list[Finding]:
    with pytest.raises(PanelError) as caught:
        read_panel(source, **{**ROLES, **options})  # type: ignore[arg-type]
    assert all(f.what and f.where and f.remedy for f in caught.value.findings)
    return list(caught.value.findings)


def only(source: object, **options: object) -> Finding:
    found = findings(source, **options)
    assert len(found) == 1, found
    return found[0]


def text(path: Path, content: str, encoding: str = "utf-8") -> Path:
    path.write_bytes(content.encode(encoding))
    return path


def test_no_such_file(tmp_path: Path) -> None:
    text(tmp_path / "cities.csv", GOOD)
    found = only(tmp_path / "citties.csv")
    assert found.code == "no-such-file"
    assert "did you mean 'cities.csv'" in found.remedy
    found = only(tmp_path / "dat" / "x.csv")
    assert "there is no folder 'dat'" in found.what


def test_folder_and_unknown_format(tmp_path: Path) -> None:
    text(tmp_path / "cities.csv", GOOD)
    assert "'cities.csv'" in only(tmp_path).remedy
    assert only(text(tmp_path / "a.doc", GOOD)).code == "unknown-format"
    assert only(text(tmp_path / "a.parquet.gz", GOOD)).code == "unknown-format"
    assert only([1, 2]).code == "not-a-table"


@pytest.mark.parametrize("name", ["a.csv", "a.xlsx", "a.xls", "a.dta", "a.parquet"])
def test_empty_files(tmp_path: Path, name: str) -> None:
    assert only(text(tmp_path / name, "")).code == "empty-file"


@pytest.mark.parametrize("name", ["a.xlsx", "a.xls", "a.dta", "a.parquet", "a.csv.gz"])
def test_corrupt_files(tmp_path: Path, name: str) -> None:
    found = only(text(tmp_path / name, GOOD))
    assert found.code == "corrupt-file"
    assert name in found.where


@pytest.mark.parametrize("name", ["a.xlsx", "a.dta", "a.parquet", "a.csv.gz"])
def test_truncated_files(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name == "a.xlsx":
        xlsxwriter.Workbook(path).close()
    elif name == "a.dta":
        pyreadstat.write_dta(pl.DataFrame({"u": range(100), "t": range(100)}), str(path))
    elif name == "a.parquet":
        pl.DataFrame({"u": range(100)}).write_parquet(path)
    else:
        path.write_bytes(gzip.compress(GOOD.encode()))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert only(path).code == "corrupt-file"


def test_content_that_contradicts_the_suffix(tmp_path: Path) -> None:
    xlsxwriter.Workbook(tmp_path / "a.xlsx").close()
    (tmp_path / "a.xlsx").rename(tmp_path / "a.csv")
    found = only(tmp_path / "a.csv")
    assert (found.code, ".xlsx" in found.remedy) == ("not-text", True)
    pl.DataFrame({"x": [1]}).write_parquet(tmp_path / "a.dta")
    assert ".parquet" in only(tmp_path / "a.dta").remedy


def test_wrong_encodings(tmp_path: Path) -> None:
    gbk = text(tmp_path / "gbk.csv", GOOD, "gb18030")
    found = only(gbk, encoding="utf-8")
    assert (found.code, "line 1 (byte 1)" in found.where, "'gb18030'" in found.remedy) == ("wrong-encoding", True, True)
    found = only(text(tmp_path / "utf.csv", GOOD), encoding="gbk")
    assert (found.code, "utf-8" in found.remedy) == ("wrong-encoding", True)
    assert only(gbk, encoding="utf9").remedy == "did you mean 'utf-8' or 'utf-16'?"
    (tmp_path / "neither.csv").write_bytes(GOOD.encode() + b"\x81\x20\xff\xff,2012,1\n")
    assert only(tmp_path / "neither.csv").code == "wrong-encoding"


def test_headers(tmp_path: Path) -> None:
    found = only(text(tmp_path / "twice.csv", "城市,值,年份,值\n合肥,1,2010,2\n"))
    assert (found.code, "columns 2, 4" in found.what) == ("duplicate-column", True)
    panel = read_panel(text(tmp_path / "unnamed.csv", ",城市,年份\n1,合肥,2010\n2,芜湖,2010\n"), **ROLES)
    assert panel.frame.columns == ["column_1", "城市", "年份"]
    assert panel.findings[0].code == "unnamed-column"
    assert only(text(tmp_path / "header-only.csv", "城市,年份,值\n")).code == "empty-panel"


def test_ragged_rows(tmp_path: Path) -> None:
    found = only(text(tmp_path / "a.csv", GOOD + "蚌埠,2010\n蚌埠,2011,1,2\n"))
    assert (found.code, "row 6 has 2, row 7 has 4" in found.what) == ("ragged-row", True)
    assert only(text(tmp_path / "b.csv", GOOD + '"蚌埠",2010\n')).code == "ragged-row"
    assert only(text(tmp_path / "c.csv", GOOD + '"蚌埠,2010,1\n')).code in {"ragged-row", "corrupt-file"}


def test_sheets(tmp_path: Path) -> None:
    with xlsxwriter.Workbook(tmp_path / "a.xlsx") as book:
        book.add_worksheet("说明").write_row(0, 0, ["城市", "年份"])
        book.add_worksheet("空")
    found = only(tmp_path / "a.xlsx", sheet="数据")
    assert (found.code, "'空'" in found.remedy) == ("unknown-sheet", True)
    assert only(tmp_path / "a.xlsx", sheet=5).code == "unknown-sheet"
    assert only(tmp_path / "a.xlsx", sheet="空").code == "empty-file"


def test_all_problems_at_once(tmp_path: Path) -> None:
    path = text(tmp_path / "a.csv", "city,year,gdp,w\n合肥,2010,1,1\n合肥,2010,x9,0\n,2011,3,2\n合肥,2012.5,inf,\n")
    codes = [f.code for f in findings(path, unit="city", time="year", weight="w", numeric=["gpd"])]
    assert set(codes) == {
        "unknown-column",
        "not-a-number",
        "duplicate-unit-period",
        "unit-missing",
        "time-not-integer",
        "weight-not-positive",
    }
    found = findings(path, unit="ctiy", time="yaer", weight="w")
    assert [f.remedy for f in found if f.code == "unknown-column"] == ["did you mean 'city'?", "did you mean 'year'?"]


def test_one_bad_cell_in_many_rows_is_named(tmp_path: Path) -> None:
    n = 100_000
    lines = [f"{i},{2010 + t},{i * 0.5}" for i in range(n // 10) for t in range(10)]
    lines[77_775] = lines[77_775].rsplit(",", 1)[0] + ",12..3"
    found = only(text(tmp_path / "a.csv", "u,t,x\n" + "\n".join(lines) + "\n"), unit="u", time="t")
    assert (found.what, found.where) == ("1 cell(s) of 'x' are not numbers: '12..3'", "a.csv, row 77777, column 'x'")


def test_declared_numbers_in_a_column_of_text() -> None:
    frame = pl.DataFrame({"城市": ["a", "b", "c"], "年份": [1, 1, 1], "值": ["保密", "1,5", "12%"]})
    found = only(frame, numeric=["值"])
    assert (found.code, found.what) == ("not-numeric", "column '值' (numeric) holds String, not numbers: '保密', '1,5', '12%'")
    assert read_panel(frame, **ROLES).frame["值"].dtype == pl.String


def test_rename_and_roles(tmp_path: Path) -> None:
    path = text(tmp_path / "a.csv", GOOD)
    assert only(path, rename={"值": "年份"}).code == "duplicate-column"
    assert only(path, rename={"直": "x"}).code == "unknown-column"
    assert "role-shared" in [f.code for f in findings(path, time="城市")]
    assert only(path, coordinates=("值",)).code == "bad-coordinates"


def test_years(tmp_path: Path) -> None:
    path = text(tmp_path / "a.csv", GOOD)
    found = only(path, years=(1990, 1999))
    assert (found.code, "2010–2011" in found.remedy) == ("years-outside", True)
    assert only(path, years=(2011, 2010)).code == "years-reversed"
    assert read_panel(path, years=(2010, 2020), **ROLES).findings[0].code == "years-beyond-data"


def test_read_table_reports_bad_cells(tmp_path: Path) -> None:
    assert read_table(text(tmp_path / "a.csv", GOOD))["值"].to_list() == [1, 2, 3, 4]
    with pytest.raises(PanelError, match="row 6"):
        read_table(text(tmp_path / "b.csv", GOOD + "蚌埠,2011,v5\n"))


def test_gzip_of_text(tmp_path: Path) -> None:
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(GOOD.encode("gb18030")))
    assert only(tmp_path / "a.csv.gz", encoding="utf-8").code == "wrong-encoding"
