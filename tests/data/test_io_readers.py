"""Every layout read from a file in its own shape: the same numbers come back, under the file's labels."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import xlsxwriter
from numpy.testing import assert_allclose

import hinterland as hl
from hinterland.data.io_cells import years_in

R, S, K = 3, 4, 5
N = R * S
Rows = list[list[Any]]


def numbers(seed: int = 0) -> dict[str, Any]:
    """A table in balance: Z, F, exports, an error, imported inputs, four rows of value added, output."""
    rng = np.random.default_rng(seed)
    Z, F = rng.uniform(0, 10, (N, N)).round(3), rng.uniform(5, 50, (N, R * K)).round(3)
    out, error = rng.uniform(1, 20, N).round(3), rng.uniform(-0.1, 0.1, N).round(3)
    x = Z.sum(axis=1) + F.sum(axis=1) + out + error
    imports = (0.1 * (x - Z.sum(axis=0))).round(3)
    left = x - Z.sum(axis=0) - imports
    added = np.stack([0.4 * left, 0.3 * left, 0.2 * left, 0.1 * left])
    return {"Z": Z, "F": F, "exports": out, "error": error, "x": x, "imports": imports, "added": added}


def write_xlsx(path: Path, sheets: dict[str, Rows]) -> Path:
    book = xlsxwriter.Workbook(str(path))
    for name, rows in sheets.items():
        sheet = book.add_worksheet(name)
        for i, row in enumerate(rows):
            for j, cell in enumerate(row):
                if cell not in ("", None):
                    sheet.write(i, j, cell)
    book.close()
    return path


def write_text(path: Path, rows: Rows, mark: str = ",", encoding: str = "utf-8") -> Path:
    path.write_text("\n".join(mark.join(_cell(c, mark) for c in row) for row in rows) + "\n", encoding=encoding)
    return path


def _cell(c: Any, mark: str) -> str:
    return repr(float(c)) if isinstance(c, float) else f'"{c}"' if mark in str(c) else str(c)


def codes(t: hl.IOTable) -> list[str]:
    return [f.code for f in t.findings]


# CEADs

ZH = (("北 京", "河北", "内蒙古"), ("农林牧渔产品和服务", "煤炭采选产品", "纺织品", "建筑"))
EN = (("Beijing", "Hebei", "Inner Mongolia"), ("Farming", "Coal mining", "Textiles", "Construction"))
FINAL_ZH = ("农村居民消费", "城镇居民消费", "政府消费", "固定资本形成总额", "存货增加")
FINAL_EN = (
    "Rural household consumption",
    "Urban household consumption",
    "Government consumption",
    "Fixed capital formation",
    "Changes in inventories",
)
KINDS = ["rural households", "urban households", "government", "fixed capital", "inventories"]


def ceads(have: dict[str, Any], chinese: bool = True, with_codes: bool = True) -> Rows:
    """A sheet as CEADs lays it out, with totals, checks and emissions around the table."""
    places, sectors = ZH if chinese else EN
    finals = FINAL_ZH if chinese else FINAL_EN
    words = (
        ("中间使用合计", "出口", "最终使用合计", "误差", "总产出")
        if chinese
        else ("Total intermediate use", "Export", "Total Final Use", "Errors", "Gross Output")
    )
    blank = [""] * 3
    province = [*blank, *_merged(places, S), "", *_merged(places, K), *[""] * 5]
    name = [*blank, *list(sectors) * R, words[0], *list(finals) * R, *words[1:], "Proportion of errors"]
    code = [
        *blank,
        *[f"{s + 1:02d}" for s in range(S)] * R,
        "TIU",
        *["FU101", "FU102", "FU103", "FU201", "FU202"] * R,
        "EX",
        "TFU",
        "ERR",
        "GO",
        "",
    ]
    rows: Rows = [[f"MRIO {2017}" if not chinese else "2017年多区域投入产出表"], province, name]
    rows += [code] if with_codes else []
    for i in range(N):
        r, s = divmod(i, S)
        Z, F = have["Z"][i], have["F"][i]
        tail = [have["exports"][i], F.sum() + have["exports"][i], have["error"][i], have["x"][i], have["error"][i] / have["x"][i]]
        rows.append([places[r] if s == 0 else "", sectors[s], f"{s + 1:02d}" if with_codes else "", *Z, Z.sum(), *F, *tail])
    foot = [("IM", "进口", have["imports"]), ("TII", "中间投入合计", have["Z"].sum(axis=0))]
    foot += [(f"VA00{k + 1}", w, have["added"][k]) for k, w in enumerate(("劳动者报酬", "生产税净额", "固定资产折旧", "营业盈余"))]
    foot += [("TVA", "增加值合计", have["added"].sum(axis=0)), ("TI", "总投入", have["x"]), ("", "CO2 (Mt)", have["x"] / 7)]
    return [*rows, *(["", word, code_ if with_codes else "", *values] for code_, word, values in foot)]


def _merged(labels: Sequence[str], width: int) -> list[str]:
    return [v for label in labels for v in (label, *[""] * (width - 1))]


def same_table(t: hl.IOTable, have: dict[str, Any]) -> None:
    assert_allclose(t.Z, have["Z"])
    assert_allclose(t.F, have["F"])
    assert_allclose(t.x, have["x"])
    assert_allclose(t.row_residual, 0, atol=1e-9)
    assert_allclose(t.column_residual, 0, atol=1e-9)


@pytest.mark.parametrize("chinese", [True, False])
@pytest.mark.parametrize("with_codes", [True, False])
def test_ceads_workbook(tmp_path: Path, chinese: bool, with_codes: bool) -> None:
    have = numbers()
    sheet = "Table_2017" if chinese else "Table_2017_English Version"
    rows = ceads(have, chinese, with_codes)
    t = hl.read_io(write_xlsx(tmp_path / "MRIO.xlsx", {"Note": [["a note"]], sheet: rows}), layout="ceads")
    same_table(t, have)
    assert list(t.region_labels) == (["北京", "河北", "内蒙古"] if chinese else list(EN[0]))
    assert list(t.sector_labels) == list(ZH[1] if chinese else EN[1])
    assert list(t.final_kind[:K]) == KINDS
    assert list(t.final_region[::K]) == list(t.region_labels)
    assert list(t.value_added_kind) == ["compensation of employees", "net taxes on production", "depreciation", "operating surplus"]
    assert_allclose(t.exports, have["exports"])
    assert_allclose(t.error, have["error"])
    assert_allclose(t.imported_inputs, have["imports"][None, :])
    assert (t.unit, t.year, t.import_treatment) == ("10k-yuan", 2017, "separate")
    assert codes(t) == ["io-unread-lines", "io-error-column", *["io-negative"] * 0]
    assert "CO2" in t.findings[0].what


def test_ceads_as_text_in_gbk(tmp_path: Path) -> None:
    have = numbers(1)
    t = hl.read_io(write_text(tmp_path / "mrio_2017.csv", ceads(have), encoding="gbk"), layout="ceads")
    same_table(t, have)
    assert t.year == 2017


def test_ceads_competitive_imports_are_netted(tmp_path: Path) -> None:
    """A provincial workbook with imports as a column that is taken off."""
    have = numbers(2)
    rows = ceads(have | {"imports": np.zeros(N), "added": have["added"] * 0 + (have["x"] - have["Z"].sum(axis=0)) / 4})
    at = rows[3].index("ERR")
    for i, row in enumerate(rows[: 4 + N]):
        row.insert(at, ["", "", "进口", "IM"][i] if i < 4 else 2.0)
        if i >= 4:
            row[at - 1 - 1] += 2.0  # exports grow by what is imported
    t = hl.read_io(write_xlsx(tmp_path / "t.xlsx", {"表": rows}), layout="ceads", year=2012)
    assert t.import_treatment == "competitive"
    assert_allclose(t.imports, 2.0)
    d = t.domestic()
    assert_allclose(d.row_residual, 0, atol=1e-9)
    assert d.import_treatment == "separate"


def test_a_folder_is_read_by_its_year(tmp_path: Path) -> None:
    for year in (2015, 2017):
        write_xlsx(tmp_path / f"MRIO {year}.xlsx", {"Table": ceads(numbers(year))})
    t = hl.read_io(tmp_path, layout="ceads", year=2015)
    same_table(t, numbers(2015))
    with pytest.raises(hl.InputError, match="io-which-file"):
        hl.read_io(tmp_path, layout="ceads")
    with pytest.raises(hl.InputError, match="io-which-file"):
        hl.read_io(tmp_path, layout="ceads", year=2018)


def test_a_blank_cell_is_a_gap_unless_said_to_be_zero(tmp_path: Path) -> None:
    have = numbers()
    rows = ceads(have)
    rows[5][4] = ""
    path = write_xlsx(tmp_path / "t.xlsx", {"Table": rows})
    with pytest.raises(hl.InputError, match="io-gap"):
        hl.read_io(path, layout="ceads")
    t = hl.read_io(path, layout="ceads", blanks="zero")
    assert "io-blanks-as-zero" in codes(t)
    assert t.Z[1, 1] == 0
    assert_allclose(t.row_residual[1], have["Z"][1, 1])


def test_labels_that_differ_between_rows_and_columns(tmp_path: Path) -> None:
    rows = ceads(numbers())
    rows[6][1] = "纺织业"
    with pytest.raises(hl.InputError) as caught:
        hl.read_io(write_xlsx(tmp_path / "t.xlsx", {"Table": rows}), layout="ceads")
    assert [f.what for f in caught.value.findings] == [
        "1 sector(s) are in rows only: '北京 · 纺织业'",
        "1 sector(s) are in columns only: '北京 · 纺织品'",
    ]


def test_a_sheet_that_is_no_table(tmp_path: Path) -> None:
    path = write_xlsx(tmp_path / "t.xlsx", {"Table": [["a", "b"], [1, 2]], "other": [["x"]]})
    for more in ({}, {"sheet": "other"}, {"sheet": 1}):
        with pytest.raises(hl.InputError, match="io-no-header"):
            hl.read_io(path, layout="ceads", **more)
    with pytest.raises(hl.InputError, match="unknown-sheet"):
        hl.read_io(path, layout="ceads", sheet="tabel")
    (tmp_path / "broken.xlsx").write_bytes(b"no workbook")
    with pytest.raises(hl.InputError, match="corrupt-file"):
        hl.read_io(tmp_path / "broken.xlsx", layout="ceads")
    (tmp_path / "t.dbf").write_bytes(b"x")
    with pytest.raises(hl.InputError, match="unknown-format"):
        hl.read_io(tmp_path / "t.dbf", layout="ceads")


@pytest.mark.parametrize(
    ("name", "years"),
    [
        ("wiot07_row_apr12.xlsx", [2007]),
        ("wiot95_row_sep12.xlsx", [1995]),
        ("ICIO2021_2018.csv", [2018, 2021]),
        ("IOT_2011_ixi", [2011]),
        ("table.csv", []),
    ],
)
def test_years_in_names(name: str, years: list[int]) -> None:
    assert years_in(name) == years


def test_ceads_with_the_codes_of_the_foot_in_the_first_column(tmp_path: Path) -> None:
    have = numbers()
    rows = ceads(have)
    for row in rows[4 + N :]:
        row[0], row[2] = row[2], ""
        row[1] = f"{row[1]}（万元）"
    t = hl.read_io(write_xlsx(tmp_path / "t.xlsx", {"Table": rows}), layout="ceads")
    same_table(t, have)


# OECD ICIO

ICIO_PLACES, ICIO_SECTORS = ("AUS", "CHN", "CN1", "CN2", "USA"), ("01T02", "05T06")


def icio(old: bool = False) -> tuple[Rows, dict[str, Any]]:
    """CHN has final demand and no industries of its own; CN1 and CN2 have industries and no final demand."""
    rng = np.random.default_rng(5)
    n = len(ICIO_PLACES) * 2
    live = np.array([p != "CHN" for p in ICIO_PLACES for _ in ICIO_SECTORS])
    Z = rng.uniform(1, 9, (n, n)) * np.outer(live, live)
    demand = [p for p in ICIO_PLACES if not p.startswith("CN")]
    kinds = ("HC", "GFCF") if old else ("HFCE", "GFCF")
    F = rng.uniform(20, 60, (n, len(demand) * 2 + 1)) * live[:, None]
    x = Z.sum(axis=1) + F.sum(axis=1)
    tax = 0.05 * (x - Z.sum(axis=0))
    added = x - Z.sum(axis=0) - tax
    labels = [f"{p}_{s}" for p in ICIO_PLACES for s in ICIO_SECTORS]
    final = [f"{k}_{p}" if old else f"{p}_{k}" for p in demand for k in kinds] + ["DISC" if old else "OUT_SKIP"]
    if not old:
        F, final = F[:, :-1], final[:-1]
        x = Z.sum(axis=1) + F.sum(axis=1)
        tax = 0.05 * (x - Z.sum(axis=0))
        added = x - Z.sum(axis=0) - tax
    out = "TOTAL" if old else "OUT"
    rows: Rows = [["V1", *labels, *final, out]]
    rows += [[labels[i], *Z[i], *F[i], x[i]] for i in range(n)]
    none = [0.0] * (len(final) + 1)
    rows += [
        ["AUS_TAXSUB" if old else "TLS", *tax, *none],
        ["VALU" if old else "VA", *added, *none],
        ["OUTPUT" if old else "OUT", *x, *none],
    ]
    return rows, {"Z": Z, "F": F, "x": x, "tax": tax, "added": added}


def test_icio_merges_the_parts_of_china(tmp_path: Path) -> None:
    rows, have = icio()
    t = hl.read_io(write_text(tmp_path / "2021_2018.csv", rows), layout="icio")
    assert list(t.region_labels) == ["AUS", "CHN", "USA"]
    assert list(t.final_region[::2]) == ["AUS", "CHN", "USA"]
    assert_allclose(t.Z.sum(), have["Z"].sum())
    china = [2, 3, 4, 5, 6, 7]
    assert_allclose(t.Z[2, 2], have["Z"][np.ix_([4, 6], [4, 6])].sum())
    assert_allclose(t.x[2:4].sum(), have["x"][china].sum())
    assert list(t.value_added_kind) == ["TLS", "VA"]
    assert (t.unit, t.year) == ("million-dollar", 2018)
    assert codes(t) == ["io-merged-splits"]
    assert_allclose(t.row_residual, 0, atol=1e-9)


def test_icio_keeps_the_parts(tmp_path: Path) -> None:
    rows, have = icio()
    t = hl.read_io(write_text(tmp_path / "ICIO2021_2018.csv", rows), layout="icio", splits="keep")
    assert list(t.region_labels) == ["AUS", "CN1", "CN2", "USA"]
    assert_allclose(t.Z, have["Z"][np.ix_([0, 1, 4, 5, 6, 7, 8, 9], [0, 1, 4, 5, 6, 7, 8, 9])])
    assert codes(t) == ["io-unsplit-final"]


def test_icio_of_2016(tmp_path: Path) -> None:
    rows, have = icio(old=True)
    t = hl.read_io(write_text(tmp_path / "ICIO2016_2011.csv", rows), layout="icio")
    assert list(t.value_added_kind) == ["TAXSUB", "VALU"]
    assert list(t.final_kind[:2]) == ["HC", "GFCF"]
    assert_allclose(t.error.sum(), have["F"][:, -1].sum())
    assert "io-error-column" in codes(t)


def test_icio_that_is_no_csv(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("V1,AUS_1\nAUS_1,abc\n")
    with pytest.raises(hl.InputError, match="corrupt-file"):
        hl.read_io(tmp_path / "t.csv", layout="icio")


# WIOD

PLACES = ("AUS", "CHN", "USA")
WIOD_NAMES = ("Agriculture", "Mining", "Food, beverages", "Transport")


def wiod(have: dict[str, Any], release: int) -> Rows:
    """A sheet as WIOD lays it out: title, four rows and columns of labels, rows of country TOT, total output."""
    finals = (37, 38, 39, 41, 42) if release == 2013 else (57, 58, 59, 60, 61)
    number = [f"c{s + 1}" for s in range(S)]
    head = [["Intercountry Input-Output Table, 2007"], ["(industry-by-industry)"]]
    labels = [
        [f"A{s}" for s in range(S)] * R + [""] * (R * K) + ["GO"],
        list(WIOD_NAMES) * R + [f"Final {k}" for k in range(K)] * R + ["Total output"],
        [p for p in PLACES for _ in range(S)] + [p for p in PLACES for _ in range(K)] + ["TOT"],
        number * R + [f"c{f}" for f in finals] * R + ["c62"],
    ]
    rows: Rows = [*[[h[0], *[""] * (3 + len(labels[0]))] for h in head], *[["", "", "", "", *line] for line in labels]]
    row_letter = "c" if release == 2013 else "r"
    for i in range(N):
        r, s = divmod(i, S)
        rows.append([f"A{s}", WIOD_NAMES[s], PLACES[r], f"{row_letter}{s + 1}", *have["Z"][i], *have["F"][i], have["x"][i]])
    zeros = [0.0] * (R * K + 1)
    foot = (
        ("II_fob", "Total intermediate consumption", "r60", have["Z"].sum(axis=0)),
        ("TXSP", "taxes less subsidies on products", "r61", have["added"][:2].sum(axis=0)),
    )
    foot += (
        ("VA", "Value added at basic prices", "r64", have["added"][2:].sum(axis=0) + have["imports"]),
        ("GO", "Output at basic prices", "r69", have["x"]),
    )
    return [*rows, *([code, name, "TOT", num, *values, *zeros] for code, name, num, values in foot)]


def closed(seed: int = 0) -> dict[str, Any]:
    """A table without exports and error, as the world's are."""
    have = numbers(seed)
    x = have["Z"].sum(axis=1) + have["F"].sum(axis=1)
    left = x - have["Z"].sum(axis=0)
    return have | {"x": x, "imports": 0.1 * left, "added": np.stack([0.3 * left, 0.2 * left, 0.3 * left, 0.1 * left])}


@pytest.mark.parametrize("release", [2013, 2016])
@pytest.mark.parametrize(
    "write", [lambda p, rows: write_xlsx(p / "wiot07.xlsx", {"WIOT_2007": rows}), lambda p, rows: write_text(p / "wiot.csv", rows)]
)
def test_wiod(tmp_path: Path, release: int, write: Callable[[Path, Rows], Path]) -> None:
    have = closed(4)
    t = hl.read_io(write(tmp_path, wiod(have, release)), layout="wiod")
    same_table(t, have)
    assert list(t.region_labels) == list(PLACES)
    assert list(t.sector_labels) == ["c1", "c2", "c3", "c4"]
    assert list(t.final_kind[:K]) == [f"c{f}" for f in ((37, 38, 39, 41, 42) if release == 2013 else range(57, 62))]
    assert list(t.value_added_kind) == ["TXSP", "VA"]
    assert (t.unit, t.year, t.import_treatment) == ("million-dollar", 2007, "within")
    assert codes(t) == []


def test_wiod_arrays(tmp_path: Path) -> None:
    have = closed(4)
    whole = {k: np.rint(have[k]).astype(np.int32) for k in ("Z", "F")}
    X = whole["Z"].sum(axis=1) + whole["F"].sum(axis=1)
    np.savez(tmp_path / "wiot_2000.npz", **whole, X=X, countries=np.array(PLACES), industries=np.array(["c1", "c2", "c3", "c4"]))
    t = hl.read_io(tmp_path / "wiot_2000.npz", layout="wiod")
    assert_allclose(t.Z, whole["Z"])
    assert (t.year, list(t.final_kind[:K])) == (2000, ["c37", "c38", "c39", "c41", "c42"])
    np.savez(tmp_path / "other.npz", Z=whole["Z"])
    with pytest.raises(hl.InputError, match="io-no-array"):
        hl.read_io(tmp_path / "other.npz", layout="wiod")


def test_wiod_without_numbers(tmp_path: Path) -> None:
    with pytest.raises(hl.InputError, match="io-no-header"):
        hl.read_io(write_text(tmp_path / "t.csv", [["a", "b"], ["c", 1.0]]), layout="wiod")


# EXIOBASE

CATEGORIES = ("households", "npish", "government", "capital", "stocks")


def exiobase(folder: Path, have: dict[str, Any], *, coefficients: bool = False, factors: bool = False, unit: str = "M.EUR") -> Path:
    folder.mkdir(parents=True)
    places = [p for p in PLACES for _ in range(S)]
    sectors = list(WIOD_NAMES) * R
    A = have["Z"] / have["x"]
    name, values = ("A", A) if coefficients else ("Z", have["Z"])

    def block(file: str, top: Rows, named: list[str], left: Rows, body: Any) -> None:
        rows = [*top, *([named] if named else []), *([*a, *b] for a, b in zip(left, body, strict=True))]
        write_text(folder / file, rows, "\t")

    left = [[p, s] for p, s in zip(places, sectors, strict=True)]
    block(f"{name}.txt", [["region", "", *places], ["sector", "", *sectors]], ["region", "sector", *[""] * N], left, values)
    demand = [["region", "", *[p for p in PLACES for _ in CATEGORIES]], ["category", "", *list(CATEGORIES) * R]]
    block("Y.txt", demand, ["region", "sector", *[""] * (R * K)], left, have["F"])
    block("x.txt", [["region", "sector", "indout"]], [], left, have["x"][:, None])
    block("unit.txt", [["region", "sector", "unit"]], [], left, [[unit]] * N)
    if factors:
        (folder / "factor_inputs").mkdir()
        F = [have["added"].sum(axis=0) + have["imports"]]
        block("factor_inputs/F.txt", [["region", *places], ["sector", *sectors]], ["stressor", *[""] * N], [["Value Added"]], F)
    return folder


@pytest.mark.parametrize("coefficients", [False, True])
@pytest.mark.parametrize("factors", [False, True])
def test_exiobase(tmp_path: Path, coefficients: bool, factors: bool) -> None:
    have = closed(6)
    t = hl.read_io(exiobase(tmp_path / "IOT_2011_ixi", have, coefficients=coefficients, factors=factors), layout="exiobase")
    same_table(t, have)
    assert list(t.sector_labels) == list(WIOD_NAMES)
    assert list(t.final_kind[:K]) == list(CATEGORIES)
    assert list(t.value_added_kind) == (["Value Added"] if factors else ["value-added"])
    assert (t.unit, t.year) == ("million-euro", 2011)
    assert codes(t) == []
    again = hl.read_io(tmp_path, layout="exiobase", year=2011)
    assert_allclose(again.Z, t.Z)


def test_exiobase_agrees_with_pymrio(tmp_path: Path) -> None:
    pymrio = pytest.importorskip("pymrio")
    system = pymrio.load_test().calc_all()
    system.save_all(tmp_path / "test_mrio")
    # Its value added is not what its output leaves: a made-up account, which the checks refuse.
    with pytest.raises(hl.InputError, match="io-unbalanced"):
        hl.read_io(tmp_path / "test_mrio", layout="exiobase", unit="million-dollar")
    shutil.rmtree(tmp_path / "test_mrio" / "factor_inputs")
    t = hl.read_io(tmp_path / "test_mrio", layout="exiobase", unit="million-dollar")
    assert_allclose(t.Z, system.Z.to_numpy())
    assert_allclose(t.F, system.Y.to_numpy())
    assert_allclose(t.A, system.A.to_numpy(), atol=1e-12)


def test_exiobase_that_lacks_files(tmp_path: Path) -> None:
    have = closed(6)
    folder = exiobase(tmp_path / "e", have)
    (folder / "Y.txt").unlink()
    (folder / "Z.txt").unlink()
    with pytest.raises(hl.InputError) as caught:
        hl.read_io(folder, layout="exiobase")
    assert [f.what for f in caught.value.findings] == ["the folder has no Y.txt", "the folder has no Z.txt or A.txt"]


def test_exiobase_of_two_tables(tmp_path: Path) -> None:
    folder = exiobase(tmp_path / "e", closed(6))
    text = (folder / "x.txt").read_text().splitlines()
    (folder / "x.txt").write_text("\n".join([text[0], *reversed(text[1:])]))
    with pytest.raises(hl.InputError, match="io-label-order"):
        hl.read_io(folder, layout="exiobase")


def test_exiobase_of_an_unknown_unit(tmp_path: Path) -> None:
    folder = exiobase(tmp_path / "e", closed(6), unit="M.XYZ")
    with pytest.raises(hl.InputError, match="io-unit"):
        hl.read_io(folder, layout="exiobase")
    assert hl.read_io(folder, layout="exiobase", unit="million-dollar").unit == "million-dollar"


# Long


def long_frame(have: dict[str, Any], linked: bool = True) -> pl.DataFrame:
    cells = []
    label = [(ZH[0][r].replace(" ", ""), ZH[1][s]) for r in range(R) for s in range(S)]
    kinds = ("FU101", "FU102", "FU103", "FU201", "FU202")
    for i, (r, s) in enumerate(label):
        for j, (q, k) in enumerate(label):
            cells.append((2017, r, s, q, k, have["Z"][i, j]))
        cells += [(2017, r, s, label[j // K * S][0], kinds[j % K], have["F"][i, j]) for j in range(R * K)]
        for kind, name in (("EX", "exports"), ("ERR", "error"), ("GO", "x")):
            cells.append((2017, r, s, r, kind, have[name][i]))
        cells.append((2017, r, "IM", r, s, have["imports"][i]))
        cells += [(2017, r, f"VA00{k + 1}", r, s, have["added"][k, i]) for k in range(4)]
        if i % S == 0:
            cells.append((2017, r, "VA001", r, "EX", None))  # a corner of the table that does not exist
    frame = pl.DataFrame(cells, schema=["year", "region", "sector", "other", "other_sector", "value"], orient="row")
    return frame if linked else frame.filter(pl.col("region") == pl.col("other")).drop("other")


@pytest.mark.parametrize("suffix", [".csv", ".parquet", "frame"])
def test_long(tmp_path: Path, suffix: str) -> None:
    have = numbers(8)
    frame = long_frame(have)
    path = tmp_path / f"io{suffix}"
    {".csv": frame.write_csv, ".parquet": frame.write_parquet, "frame": lambda _: None}[suffix](path)  # type: ignore[operator]
    t = hl.read_io(frame if suffix == "frame" else path, layout="long", unit="万元")
    same_table(t, have)
    assert list(t.final_kind[:K]) == KINDS
    assert_allclose(t.imported_inputs[0], have["imports"])
    assert_allclose(t.exports, have["exports"])
    assert (t.unit, t.year) == ("10k-yuan", 2017)


def test_long_finds_gaps_repeats_and_years() -> None:
    frame = long_frame(numbers())
    broken = pl.concat([frame, frame.head(2)]).with_columns(
        value=pl.when(pl.int_range(pl.len()) == 5).then(None).otherwise(pl.col("value"))
    )
    with pytest.raises(hl.InputError) as caught:
        hl.read_io(broken, layout="long")
    assert [f.code for f in caught.value.findings] == ["io-duplicate-cell", "io-gap"]
    two = pl.concat([frame, frame.with_columns(year=pl.lit(2012, pl.Int64))])
    with pytest.raises(hl.InputError, match=r"years 2012, 2017"):
        hl.read_io(two, layout="long")
    with pytest.raises(hl.InputError, match="io-which-year"):
        hl.read_io(two, layout="long", year=2007)
    assert hl.read_io(two, layout="long", year=2012).year == 2012
    with pytest.raises(hl.InputError) as caught:
        hl.read_io(frame.drop("value", "sector"), layout="long", columns={"other": "nowhere", "colour": "x"})
    assert sorted(f.code for f in caught.value.findings) == ["io-role", "unknown-column", "unknown-column", "unknown-column"]


def test_long_names_of_columns_and_absent_cells() -> None:
    frame = pl.DataFrame(
        {
            "from": ["a", "a", "b", "wages", "wages", "a", "b"],
            "to": ["a", "b", "a", "a", "b", "consumption", "consumption"],
            "money": [1.0, 2.0, 3.0, 4.0, 6.0, 5.0, 5.0],
        }
    )
    t = hl.read_io(frame, layout="long", columns={"sector": "from", "other_sector": "to", "value": "money"})
    assert_allclose(t.Z, [[1, 2], [3, 0]])
    assert_allclose(t.x, [8, 8])
    assert list(t.value_added_kind) == ["wages"]
    assert codes(t) == ["io-primary-guessed", "io-output-added-up"]


def test_a_lone_missing_primary_input_is_what_the_column_leaves() -> None:
    have = numbers()
    frame = long_frame(have)
    first = (pl.col("sector") == "VA004") & (pl.col("other_sector") == ZH[1][0]) & (pl.col("region") == "北京")
    t = hl.read_io(frame.with_columns(value=pl.when(first).then(None).otherwise(pl.col("value"))), layout="long")
    assert "io-primary-filled" in codes(t)
    assert_allclose(t.value_added[3, 0], have["added"][3, 0])
    with pytest.raises(hl.InputError, match="io-gap"):
        hl.read_io(
            frame.with_columns(value=pl.when(pl.col("sector").str.starts_with("VA")).then(None).otherwise(pl.col("value"))), layout="long"
        )


# Arguments


def test_arguments_that_do_not_exist(tmp_path: Path) -> None:
    with pytest.raises(hl.InputError) as caught:
        hl.read_io(tmp_path, layout="eora", sectors="all", splits="no", blanks="nan", unit="gold")  # type: ignore[arg-type]
    assert [f.code for f in caught.value.findings] == ["unknown-option"] * 4 + ["io-unit"]
    with pytest.raises(hl.InputError, match="missing-file"):
        hl.read_io(tmp_path / "none.csv", layout="icio")
    with pytest.raises(hl.InputError, match="io-no-path"):
        hl.read_io(pl.DataFrame(), layout="ceads")


# Real tables


@pytest.mark.parametrize(
    ("year", "regions", "code"), [(2002, 30, "io-net-trade"), (2007, 30, "io-trade-combined"), (2012, 31, ""), (2017, 31, "")]
)
def test_tables_of_provinces(shared_data: Path, year: int, regions: int, code: str) -> None:
    path = shared_data / "province_io_tables" / "province_io_long.parquet"
    t = hl.read_io(path, layout="long", year=year, unit="10k-yuan")
    assert (t.n_regions, t.n_sectors, t.n, t.is_linked, t.import_treatment) == (regions, 42, regions * 42, False, "competitive")
    # Published rows balance with their error column, but for one row of Fujian in 2002 (0.005 % of the province's output).
    assert np.abs(t.row_residual).sum() / t.x.sum() < (3e-6 if year == 2002 else 1e-9)
    assert not code or code in codes(t)
    d = t.domestic()
    assert_allclose(d.row_residual, t.row_residual, atol=1e-3)
    assert d.import_treatment == "separate"
    A = d.A
    # Output of 0.008 in one sector (Guangxi's petroleum) makes a coefficient huge; all others are below one.
    assert np.median(A.sum(axis=0)[t.x > 0]) < 0.7
    sichuan = t.by_region()["四川"]
    assert sichuan.n == 42
    assert_allclose(sichuan.inflow, t.inflow[t.regions == "四川"])


def test_provinces_by_common_sectors(shared_data: Path) -> None:
    path = shared_data / "province_io_tables" / "province_io_long.parquet"
    tables = {y: hl.read_io(path, layout="long", year=y, sectors="common") for y in (2002, 2007, 2012, 2017)}
    for t in tables.values():
        assert list(np.sort(t.sector_labels)) == [f"s{i:02d}" for i in range(1, 39)]
    # Electricity (sec23, sec23, sec25, sec24) grows with the economy; sec23 of 2017, repair of equipment, is a fraction of it.
    electricity = [t.x[t.sectors == "s22"].sum() for t in tables.values()]
    assert electricity == sorted(electricity)
    original = hl.read_io(path, layout="long", year=2017)
    assert_allclose(electricity[-1], original.x[original.sectors == "sec24"].sum())
    trade = sum(t.outflow.sum() for t in tables.values())
    assert trade > 0
    # 71.98 and 78.86 trillion yuan, the published sums of 2017.
    assert_allclose([original.outflow.sum() / 1e8, original.inflow.sum() / 1e8], [71.98, 78.86], atol=0.01)


@pytest.mark.parametrize("year", [2000, 2007, 2011])
def test_wiod_itself(shared_data: Path, year: int) -> None:
    t = (
        hl.read_io(shared_data / "wiod2013", layout="wiod", year=year)
        if year != 2011
        else hl.read_io(shared_data / "wiod2013" / "wiot_2011.npz", layout="wiod")
    )
    assert (t.n_regions, t.n_sectors, t.n) == (41, 35, 1435)
    # Integers: rows round to 0.1 % of output in all at most.
    assert np.abs(t.row_residual).sum() / t.x.sum() < 1e-3
    china = t.within("CHN")
    assert_allclose(china.x, t.x[t.regions == "CHN"])
    m = t.margins()
    assert_allclose(m.row_residual, t.row_residual, atol=1e-6)
    assert_allclose(m.inflow.sum(), m.outflow.sum())


def test_common_sectors_by_name() -> None:
    from hinterland.data.io_sectors import common_sectors, io_sectors

    assert io_sectors().group_by("vintage").len()["len"].to_list() == [42] * 4
    assert set(io_sectors()["common"]) == set(common_sectors()["common"])
    have = numbers(9)
    t = hl.read_io(long_frame(have), layout="long", sectors="common")
    assert list(t.sector_labels) == ["s01", "s02", "s07", "s25"]
    with pytest.raises(hl.InputError, match="io-no-concordance"):
        hl.read_io(
            long_frame(have).with_columns(pl.col("sector", "other_sector").str.replace("建筑", "别的")), layout="long", sectors="common"
        )


def test_a_damaged_parquet_file_is_a_finding(tmp_path: Path) -> None:
    path = tmp_path / "io.parquet"
    path.write_bytes(b"PAR1xx")
    with pytest.raises(hl.InputError) as caught:
        hl.read_io(path, layout="long")
    assert [f.code for f in caught.value.findings] == ["corrupt-file"]
