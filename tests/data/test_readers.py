"""Files of every format give the same panel; names, labels and codes survive."""

from __future__ import annotations

import gzip
from pathlib import Path

import polars as pl
import pyreadstat
import pytest
import xlsxwriter
from polars.testing import assert_frame_equal

from hinterland import PanelError, read_panel
from hinterland.data.readers import read_table

FRAME = pl.DataFrame(
    {
        "城市代码": [340100, 340100, 340200, 340200],
        "年份": [2010, 2011, 2010, 2011],
        "城市": ["合肥市", "合肥市", "芜湖市", "芜湖市"],
        "专利": [12.0, 15.5, None, 7.0],
    }
)
ROLES = {"unit": "城市代码", "time": "年份"}


def write_excel(path: Path, rows: list[list[object]], sheet: str = "数据") -> Path:
    with xlsxwriter.Workbook(path) as book:
        page = book.add_worksheet(sheet)
        for i, row in enumerate(rows):
            page.write_row(i, 0, row)
    return path


def write(path: Path, encoding: str = "utf-8") -> Path:
    """``FRAME`` in the format of the suffix."""
    if path.suffix == ".parquet":
        FRAME.write_parquet(path)
    elif path.suffix == ".dta":
        pyreadstat.write_dta(FRAME, str(path), version=15)
    elif path.suffix == ".xlsx":
        write_excel(path, [list(FRAME.columns), *(list(r) for r in FRAME.rows())])
    else:
        text = FRAME.write_csv(separator="\t" if ".tsv" in path.name else ",").encode("utf-8").decode("utf-8").encode(encoding)
        path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)
    return path


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.csv.gz", "a.txt", "a.xlsx", "a.dta", "a.parquet"])
def test_every_format_gives_the_same_panel(tmp_path: Path, name: str) -> None:
    panel = read_panel(write(tmp_path / name), **ROLES)
    assert_frame_equal(panel.frame, FRAME, check_dtypes=name != "a.dta")
    assert panel.frame["年份"].dtype == pl.Int64
    assert panel.findings == ()
    assert panel.columns["专利"].source == f"{name}:专利"


@pytest.mark.parametrize(
    ("encoding", "said"),
    [
        ("utf-8", False),
        ("utf-8-sig", False),
        ("gb18030", True),
        ("gbk", True),
        ("utf-16", False),
        ("utf-16-le", False),
        ("utf-16-be", False),
    ],
)
def test_encodings_are_found(tmp_path: Path, encoding: str, said: bool) -> None:
    panel = read_panel(write(tmp_path / "a.csv", encoding), **ROLES)
    assert panel.frame.equals(FRAME)
    assert ["encoding-used"] * said == [f.code for f in panel.findings]
    assert read_panel(tmp_path / "a.csv", encoding=encoding, **ROLES).findings == ()


def test_old_mac_lines_semicolons_and_blank_rows(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes("城市代码;年份;备注\r340100;2010;a, b\r;;\r340200;2010;c\r".encode())
    panel = read_panel(path, **ROLES)
    assert panel.frame["备注"].to_list() == ["a, b", "c"]


def test_delimiters_inside_cells_do_not_mislead(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('u,t,来源\n1,2010,"a;b;c, d;e"\n1,2011,a;b;c;d\n2,2010,a;b;c;d\n', encoding="utf-8")
    assert read_panel(path, unit="u", time="t").frame.columns == ["u", "t", "来源"]


def test_quoted_cells_hold_delimiters_and_lines(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('u,t,x\n1,2010,"a,\nb"\n2,2010,c\n', encoding="utf-8")
    assert read_table(path)["x"].to_list() == ["a,\nb", "c"]


def test_titles_above_the_header_are_passed_over_and_rows_keep_their_numbers(tmp_path: Path) -> None:
    rows: list[list[object]] = [
        ["表1 各市专利"],
        [],
        ["城市代码", "年份", "专利"],
        [340100, 2010, 1.5],
        [340100, 2011, "x1"],
        [340200, 2010, 3],
    ]
    path = write_excel(tmp_path / "a.xlsx", rows)
    with pytest.raises(PanelError, match=r"row 5, column '专利'"):
        read_panel(path, **ROLES)
    path.with_suffix(".csv").write_text(
        "表1 各市专利\n\n城市代码,年份,专利\n340100,2010,1\n340100,2011,x1\n340200,2010,2\n", encoding="utf-8"
    )
    with pytest.raises(PanelError, match=r"row 5, column '专利'"):
        read_panel(path.with_suffix(".csv"), **ROLES)


def test_excel_numbers_beside_marks_keep_their_precision(tmp_path: Path) -> None:
    rows: list[list[object]] = [["u", "t", "x"], [1, 2010, 1.23456789e-12], [1, 2011, "—"], [1, 2012, "1,234"], [1, 2013, 123456789.123456]]
    panel = read_panel(write_excel(tmp_path / "a.xlsx", rows), unit="u", time="t")
    assert panel.frame["x"].to_list() == [1.23456789e-12, None, 1234.0, 123456789.123456]
    assert [f.code for f in panel.findings] == ["missing-marks", "grouped-numbers"]


def test_excel_headers_wider_or_narrower_than_the_data(tmp_path: Path) -> None:
    rows: list[list[object]] = [["u", "t", "名", "空"], [1, 2010, "a"], [1, 2011, "b"]]
    panel = read_panel(write_excel(tmp_path / "a.xlsx", rows), unit="u", time="t")
    assert panel.frame["空"].null_count() == 2
    rows = [["u", "t"], [1, 2010, "note"], [1, 2011]]
    assert read_panel(write_excel(tmp_path / "b.xlsx", rows), unit="u", time="t").frame.columns == ["u", "t", "column_3"]


def test_old_excel_and_its_sheets() -> None:
    path = Path(__file__).parent / "files" / "legacy.xls"
    panel = read_panel(path, **ROLES)
    assert panel.frame["专利数"].to_list() == [12.0, 15.5, None, 7.0]
    assert [f.code for f in panel.findings] == ["header-row", "first-sheet", "missing-marks"]
    assert "header-row" in [f.code for f in read_panel(path, sheet="城市", **ROLES).findings]
    assert read_panel(path, sheet=0, **ROLES).n_units == 2


def stata(path: Path, version: int, encoding: str | None) -> Path:
    """A Stata file; with ``encoding``, its Chinese text is put in as bytes of that encoding, as Stata 13 and older did."""
    frame = pl.DataFrame({"adcode": [340100, 340200], "year": [2010, 2010], "cityname": ["aabbccdd", "eeffgghh"], "kind": [1, 2]})
    labels = {"kind": {1: "hhhhffff", 2: "iiiijjjj"}}
    pyreadstat.write_dta(
        frame, str(path), version=version, column_labels=["code", "year", "llllmmmm", "kind"], variable_value_labels=labels
    )
    if encoding is not None:
        raw = path.read_bytes()
        for old, new in zip(
            ("cityname", "aabbccdd", "eeffgghh", "llllmmmm", "hhhhffff", "iiiijjjj"),
            ("城市名称", "合肥城市", "芜湖城市", "变量标签", "省会城市", "一般城市"),
            strict=True,
        ):
            raw = raw.replace(old.encode(), new.encode(encoding))
        path.write_bytes(raw)
    return path


@pytest.mark.parametrize("version", [8, 10, 12, 13, 14, 15])
def test_stata_text_in_gbk_is_read_whatever_the_version(tmp_path: Path, version: int) -> None:
    panel = read_panel(stata(tmp_path / "a.dta", version, "gbk"), unit="adcode", time="year")
    assert panel.frame["城市名称"].to_list() == ["合肥城市", "芜湖城市"]
    assert panel.columns["城市名称"].label == "变量标签"
    assert panel.columns["kind"].values == {1: "省会城市", 2: "一般城市"}
    assert panel.frame["kind"].to_list() == [1, 2]
    assert "encoding-used" in [f.code for f in panel.findings]
    again = read_panel(tmp_path / "a.dta", unit="adcode", time="year", encoding="gbk", label_text=["kind"])
    assert again.frame["kind"].to_list() == ["省会城市", "一般城市"]


def test_stata_text_cut_inside_a_character(tmp_path: Path) -> None:
    path = stata(tmp_path / "a.dta", 12, "gbk")
    path.write_bytes(path.read_bytes().replace("合肥城市".encode("gbk"), "合肥城市".encode("gbk")[:7] + b"\0"))
    assert read_panel(path, unit="adcode", time="year").frame["城市名称"].to_list() == ["合肥城", "芜湖城市"]


def test_stata_wrong_encoding_and_missing_labels(tmp_path: Path) -> None:
    path = stata(tmp_path / "a.dta", 12, "gbk")
    with pytest.raises(PanelError, match="decodes as gb18030"):
        read_panel(path, unit="adcode", time="year", encoding="utf-8")
    with pytest.raises(PanelError, match="no value labels"):
        read_panel(path, unit="adcode", time="year", label_text=["year"])


def test_frames_of_other_libraries() -> None:
    pandas = pytest.importorskip("pandas")
    pyarrow = pytest.importorskip("pyarrow")
    for frame in (FRAME, FRAME.lazy(), pandas.DataFrame(FRAME.to_dict(as_series=False)), pyarrow.table(FRAME.to_dict(as_series=False))):
        assert_frame_equal(read_panel(frame, **ROLES).frame, FRAME)


def test_duckdb_relation() -> None:
    duckdb = pytest.importorskip("duckdb")
    relation = duckdb.sql("select 340100 as u, 2010 as t, 1.5 as x union all select 340200, 2010, 2.5")
    assert read_panel(relation, unit="u", time="t").frame["x"].to_list() == [1.5, 2.5]


def test_pandas_column_of_mixed_types_is_said() -> None:
    pandas = pytest.importorskip("pandas")
    with pytest.raises(PanelError, match="units change type") as caught:
        read_panel(pandas.DataFrame({"u": [340100, "合肥", 340200], "t": [1, 1, 1]}), unit="u", time="t")
    assert [f.code for f in caught.value.findings] == ["unit-type-mixed"]
    assert read_panel(pandas.DataFrame({"u": [340100, "340200"], "t": [1, 1]}), unit="u", time="t").findings[0].code == "mixed-types"


@pytest.mark.parametrize("codes", [["340100", "340200"], [340100.0, 340200.0], ["340100.0", " 340200 "], ["340100", "340200.00"]])
def test_codes_are_normalised(tmp_path: Path, codes: list[object]) -> None:
    frame = pl.DataFrame({"u": codes, "t": [1, 1]})
    assert read_panel(frame, unit="u", time="t").frame["u"].cast(pl.String).to_list() == ["340100", "340200"]
    frame.write_csv(tmp_path / "a.csv")
    assert read_panel(tmp_path / "a.csv", unit="u", time="t").frame["u"].to_list() == [340100, 340200]


def test_codes_with_leading_zeros_or_many_digits_stay_text(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("u,t,stock,id\n001,2010,000001,12345678901234567890\n002,2010,000002,12345678901234567891\n", encoding="utf-8")
    panel = read_panel(path, unit="u", time="t")
    assert panel.frame.row(0) == ("001", 2010, "000001", "12345678901234567890")


@pytest.mark.parametrize("years", [["2010", "2011"], ["2010年", "2011 年"], [2010.0, 2011.0], ["2010.0", "2011.0"]])
def test_periods_are_understood(years: list[object]) -> None:
    frame = pl.DataFrame({"u": [1, 1], "t": years})
    assert read_panel(frame, unit="u", time="t").frame["t"].to_list() == [2010, 2011]


def test_dates_become_years_only_where_nothing_is_lost() -> None:
    yearly = pl.DataFrame({"u": [1, 1], "t": ["2010-12-31", "2011-12-31"]}).with_columns(pl.col("t").str.to_date())
    panel = read_panel(yearly, unit="u", time="t")
    assert panel.frame["t"].to_list() == [2010, 2011]
    assert panel.findings[0].code == "time-from-dates"
    quarterly = yearly.with_columns(t=pl.Series(["2010-03-31", "2010-06-30"]).str.to_date())
    with pytest.raises(PanelError, match="dates within the year"):
        read_panel(quarterly, unit="u", time="t")


def test_years_and_columns_and_names(tmp_path: Path) -> None:
    panel = read_panel(
        write(tmp_path / "a.csv"),
        unit="adcode",
        time="year",
        rename={"城市代码": "adcode", "年份": "year"},
        years=(2011, 2011),
        columns=["专利"],
    )
    assert panel.frame.columns == ["adcode", "year", "专利"]
    assert panel.frame["专利"].to_list() == [15.5, 7.0]


def test_missing_marks_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("u,t,x\n1,2010,1\n1,2011,无\n1,2012,3\n1,2013,缺失\n1,2014, 12 \n1,2015,１２\n", encoding="utf-8")
    with pytest.raises(PanelError, match="'无'"):
        read_panel(path, unit="u", time="t")
    assert read_panel(path, unit="u", time="t", missing=["无"]).frame["x"].to_list() == [1, None, 3, None, 12, 12]
    assert read_panel(path, unit="u", time="t", text=["x"]).frame["x"].dtype == pl.String


def test_real_panels(shared_data: Path) -> None:
    patents = read_panel(shared_data / "city_patents_2007_2017" / "city_patent_counts.parquet", unit="adcode", time="pub_year")
    assert (patents.n_units, patents.n_periods, patents.frame.height) == (331, 11, 3423)
    assert "257 of 331 units" in next(f.what for f in patents.findings if f.code == "unbalanced")
    economy = read_panel(shared_data / "city_panel_2000_2023" / "gdp_structure.parquet", unit="adcode", time="year")
    assert economy.frame.height == 7974
    merged = shared_data / "city_panel_2000_2023" / "gp_merged_2007_2023.parquet"
    with pytest.raises(PanelError, match="1164 row"):
        read_panel(merged, unit="city_code", time="year")


def test_a_real_register_with_notes_in_its_cells(shared_data: Path) -> None:
    register = read_table(shared_data / "industrial_transfer_zones" / "zones_city_registry.csv")
    assert register.height == 38
    assert register["adcode_gbt2260"].dtype == pl.Int64


def test_a_real_panel_survives_csv_gbk_and_stata(shared_data: Path, tmp_path: Path) -> None:
    frame = pl.read_parquet(shared_data / "city_patents_2007_2017" / "city_patent_counts.parquet").with_columns(
        pl.col("adcode").cast(pl.Int64)
    )
    whole = read_panel(frame, unit="adcode", time="pub_year")
    (tmp_path / "a.csv").write_bytes(frame.write_csv().encode("gb18030"))
    pyreadstat.write_dta(frame, str(tmp_path / "a.dta"), version=15)
    for name in ("a.csv", "a.dta"):
        assert_frame_equal(read_panel(tmp_path / name, unit="adcode", time="pub_year").frame, whole.frame, check_dtypes=False)
