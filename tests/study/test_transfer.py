"""[transfer]: from tables to the record and the report, and everything that is wrong with it before anything is written."""

from __future__ import annotations

import html
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from moves import IO, STUDY, io_long, write_moves

import hinterland as hl
from hinterland.errors import StudyError
from hinterland.report.document import write_report
from hinterland.study.check import check
from hinterland.study.load import load_study
from hinterland.study.plan import plan
from hinterland.transfer.tables import TRANSFER_TABLES


def found(folder: Path, text: str) -> dict[str, str]:
    """Codes of the findings of a study, each with where it is."""
    try:
        findings = check(load_study(write_moves(folder, text))).findings
    except StudyError as error:
        findings = error.findings
    return {f.code: f.where for f in findings}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> hl.Run:
    folder = tmp_path_factory.mktemp("moves")
    return hl.run(write_moves(folder, STUDY + IO), out=folder / "out")


def test_every_frame_is_in_the_record_with_its_columns(run: hl.Run) -> None:
    have = [name for name in run.tables if name.startswith("transfer_")]
    assert set(TRANSFER_TABLES) - set(have) == {"transfer_constraints", "transfer_pattern"}, "needs conditions; needs levels"
    for name in have:
        frame = run.tables[name]
        assert frame.columns == list(TRANSFER_TABLES[name]) and frame.height, name
        if {"value", "reason"} <= set(frame.columns):
            assert frame.filter(pl.col("value").is_null() & (pl.col("reason") == "")).height == 0, name


def test_the_record_says_what_the_function_says(run: hl.Run) -> None:
    jobs = pl.read_csv(run.path.parent / "jobs.csv")
    direct = hl.transfer(
        jobs, region="province", industry="sector", time="year", value="jobs", hosts=["四川", "重庆"], sources=["上海", "广东"]
    )
    keys = ["measure", "component", "region", "industry", "span", "time_from", "time"]
    theirs = run.tables["transfer_scale"].filter(pl.col("group").is_null() & (pl.col("level") == "region"))
    joined = direct.scale.filter(level="region").join(theirs, on=keys, nulls_equal=True, suffix=":run")
    assert joined.height >= 24 and joined["value"].to_list() == pytest.approx(joined["value:run"].to_list())


def test_net_redistribution_sums_to_zero_and_is_what_was_put_in(run: hl.Run) -> None:
    rows = run.tables["transfer_scale"].filter(measure="absolute-transfer", span="whole", level="region")
    assert rows["value"].sum() == pytest.approx(0, abs=1e-9)
    net = dict(rows.select("region", "value").iter_rows())
    assert net["四川"] > 0 > net["上海"], "industry was moved from Shanghai to Sichuan"


def test_the_report_has_the_chapter_in_both_languages(run: hl.Run) -> None:
    page = (run.path / "report.html").read_text(encoding="utf-8")
    for text in ("Industrial transfer", "产业转移", "Sichuan", "四川", "Net redistribution", "Centres of gravity"):
        assert text in page, text
    files = {p.name for p in (run.path / "figures").iterdir()}
    assert {"transfer-regions.en.svg", "transfer-map-imputed.zh.png", "transfer-paths.en.pdf"} <= files
    again = write_report(run.path, ["en", "zh"], ["html", "docx", "pdf", "tex"])
    assert {p.suffix for p in again if p.parent == run.path} == {".html", ".docx", ".pdf", ".tex"}


def test_every_code_of_the_report_has_words(run: hl.Run) -> None:
    """Codes look like ``product-stage``; none may stand in a cell of a table as it is."""
    codes = {str(c) for f in run.tables.values() if "component" in f.columns for c in f["component"].unique() if "-" in str(c)}
    codes |= {str(c) for n, f in run.tables.items() if n.startswith("transfer_") and "measure" in f.columns for c in f["measure"].unique()}
    shown = set()
    for path in (run.path / "tables").glob("table-transfer-*.zh.csv"):
        shown |= {cell.strip('"') for line in path.read_text(encoding="utf-8").splitlines() for cell in line.split(",")}
    assert not sorted(c for c in codes & shown if "-" in c)


def test_done_once_and_again_where_an_input_changed(tmp_path: Path) -> None:
    path = write_moves(tmp_path, STUDY)
    hl.run(path, out=tmp_path / "out")
    second = hl.run(path, out=tmp_path / "out")
    assert not [s["id"] for s in second.record["steps"] if s["status"] == "done" and s["id"] != "report"]
    path.write_text(STUDY.replace('hosts = ["四川", "重庆"]', 'hosts = ["四川"]'), encoding="utf-8")
    third = hl.run(path, out=tmp_path / "out")
    assert [s["id"] for s in third.record["steps"] if s["status"] == "done"] == ["transfer", "report"]


def test_a_changed_price_is_a_changed_input(tmp_path: Path) -> None:
    path = write_moves(tmp_path, STUDY + IO)
    hl.run(path, out=tmp_path / "out")
    prices = tmp_path / "prices.csv"
    prices.write_text(prices.read_text(encoding="utf-8").replace("0.8", "0.9"), encoding="utf-8")
    again = hl.run(path, out=tmp_path / "out")
    assert "transfer" in [s["id"] for s in again.record["steps"] if s["status"] == "done"]


def test_a_report_in_other_words_makes_no_analysis_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_moves(tmp_path, STUDY + IO)
    hl.run(path, out=tmp_path / "out")
    monkeypatch.setattr("hinterland.study.transferring.transferred", lambda work: pytest.fail("it was made again"))
    path.write_text((STUDY + IO).replace('language = "both"', 'language = "en"'), encoding="utf-8")
    again = hl.run(path, out=tmp_path / "out")
    assert [s["id"] for s in again.record["steps"] if s["status"] == "done"] == ["report"]


def test_a_table_that_it_does_not_read_is_none_of_its_settings(tmp_path: Path) -> None:
    tables = '[table.used]\nsource = "jobs.csv"\n[table.other]\nsource = "kinds.csv"\n'
    text = STUDY.replace('source = "jobs.csv"', 'source = "table:used"', 1)
    steps = {s.id: s for s in plan(load_study(write_moves(tmp_path, tables + text)).study)}
    assert list(steps["transfer"].settings["tables"]) == ["used"]


def test_boundaries_need_no_input_output_tables(tmp_path: Path) -> None:
    text = STUDY.replace("min_years = 6", 'min_years = 6\nboundaries = "map.geojson"\nboundary_key = "name"')
    assert found(tmp_path, text) == {"missing-file": "study.toml, line 13 (transfer.boundaries)"}


def test_rows_left_out_are_in_the_record_and_in_the_report(tmp_path: Path) -> None:
    text = (
        STUDY
        + """
[[transfer.exclude]]
where = "province == '湖北' and year == 2006"
reason = { en = "the yearbook was misprinted", zh = "年鉴印刷有误" }
"""
    )
    made = hl.run(write_moves(tmp_path, text), out=tmp_path / "out")
    rows = made.tables["measure_excluded"].filter(measure="transfer")
    assert rows.select("region", "time", "n", "before").rows() == [("湖北", 2006, 6, 288)]
    page = (made.path / "report.html").read_text(encoding="utf-8")
    assert "the yearbook was misprinted" in page and "年鉴印刷有误" in page and "Hubei 2006" in page


def test_what_was_found_about_the_data_is_in_the_report(run: hl.Run) -> None:
    found = run.tables["measure_findings"].filter(measure="transfer")
    assert found.height
    page = (run.path / "report.html").read_text(encoding="utf-8")
    assert all(html.escape(str(what), quote=False)[:40] in page for what in found["what"])


def test_what_it_builds_on_comes_first(tmp_path: Path) -> None:
    text = STUDY.replace(
        'source = "jobs.csv"',
        'source = "measure:lq"',
    ).replace('value = "jobs"', 'value = "value"')
    text += '[measure.lq]\nindicator = "location-quotient"\nsource = "jobs.csv"\n'
    text += 'columns = { region = "province", industry = "sector", value = "jobs", time = "year" }\n'
    steps = {s.id: s for s in plan(load_study(write_moves(tmp_path, text)).study)}
    assert steps["transfer"].after == ("measure/lq",)


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ('source = "jobs.csv"', 'source = "job.csv"', "missing-file"),
        ('source = "jobs.csv"', 'source = "table:jobs"', "unknown-table"),
        ('source = "jobs.csv"', 'source = "measure:lq"', "unknown-measure"),
        ('source = "jobs.csv"', 'source = "world:employment"', "world-only"),
        ('source = "jobs.csv"', 'source = "packaged:provnces"', "unknown-data"),
        ('source = "jobs.csv"', 'source = "panel"', "missing-key"),
        ('source = "jobs.csv"', 'source = "jobs.csv"\nunit = "province"', "missing-key"),
        ("min_years = 6", "min_years = 6\nexclude = [{ reason = 'none' }]", "missing-key"),
        ('value = "jobs"', 'value = "jbs"', "unknown-column"),
        ('value = "jobs"', 'valu = "jobs"', "missing-role"),
        ('value = "jobs"', 'value = "jobs", labor = "jobs"', "unknown-argument"),
        ('value = "jobs"', 'value = "jobs", labour = "jobs"', "output-is-labour"),
        ('hosts = ["四川", "重庆"]', 'hosts = ["四川", "成都"]', "region-unknown"),
        ("periods = [2005, 2010]", "periods = [2005, 2011]", "periods-wrong"),
        ("periods = [2005, 2010]", "periods = [2005]", "bad-value"),
        ("periods = [2005, 2010]", "period = [2005, 2010]", "unknown-key"),
        ("min_years = 6", "min_years = 2", "bad-value"),
        ('groups = "kinds.csv"', 'groups = "jobs.csv"', "unknown-column"),
        ('groups = "kinds.csv"', 'groups = "kind.csv"', "missing-file"),
        ("min_years = 6", 'min_years = 6\ngravity = ["distance"]', "gravity-needs-flows"),
    ],
)
def test_what_is_wrong_is_found_before_anything_is_written(tmp_path: Path, old: str, new: str, code: str) -> None:
    assert old in STUDY
    codes = found(tmp_path, STUDY.replace(old, new, 1))
    assert code in codes
    assert "study.toml, line" in codes[code] or code in ("missing-file", "unknown-column"), codes[code]
    with pytest.raises(hl.InputError):
        hl.run(tmp_path / "study.toml", out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ('source = "io.csv"\nlayout = "long"\nyear = 2005', 'source = "oi.csv"\nlayout = "long"\nyear = 2005', "missing-file"),
        ("year = 2005\nestimate = true", "year = 2005", "io-unlinked"),
        ("year = 2005", "year = 2010", "io-years"),
        ("year = 2005\nestimate = true", "year = 2005\nreference = 2010", "needs-estimate"),
        ('prices = "constant 2010"\n', "", "deflators-and-prices"),
        ('deflators = "prices.csv"', 'deflators = "kinds.csv"', "unknown-column"),
        ('deflators = "prices.csv"', 'deflators = "table:prices"', "unknown-table"),
    ],
)
def test_what_is_wrong_with_input_output_tables(tmp_path: Path, old: str, new: str, code: str) -> None:
    assert old in IO
    assert code in found(tmp_path, STUDY + IO.replace(old, new, 1))
    with pytest.raises(hl.InputError):
        hl.run(tmp_path / "study.toml", out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_several_problems_are_said_at_once(tmp_path: Path) -> None:
    wrong = STUDY.replace('hosts = ["四川", "重庆"]', 'hosts = ["成都"]').replace("periods = [2005, 2010]", "periods = [2005, 2011]")
    assert {"region-unknown", "periods-wrong"} <= set(found(tmp_path, wrong))


def test_tables_of_several_years_get_one_order_and_one_price_level(tmp_path: Path) -> None:
    from hinterland.study.chains import io_tables
    from hinterland.study.workspace import Workspace

    work = Workspace(load_study(write_moves(tmp_path, STUDY + IO)))
    first, last = io_tables(work, work.study.transfer.io)  # type: ignore[union-attr]
    assert (first.regions == last.regions).all() and (first.sectors == last.sectors).all()
    assert list(first.region_labels) == ["四川", "上海", "广东"], "重庆 has no table of 2005"
    assert "io-region-left-out" in {f.code for f in last.findings} and first.prices == last.prices == "constant 2010"
    given = io_long(2005).filter(pl.col("other_sector") == "output").sort("region", "sector")
    assert first.x[first.regions == "四川"] == pytest.approx(given.filter(region="四川")["value"].to_numpy() / 0.8)
    assert last.x.sum() == pytest.approx(
        io_long(2010).filter(region=pl.col("region")).filter(pl.col("other_sector") == "output", pl.col("region") != "重庆")["value"].sum()
    )
    assert np.all(first.Z >= 0) and first.is_linked
