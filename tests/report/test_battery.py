"""The table and the figure of the robustness rows."""

from __future__ import annotations

import polars as pl
import pytest

import hinterland as hl
from hinterland.report.battery import Changed, battery, changed_rows, words
from hinterland.report.battery_figure import Line, Mark, battery_forest
from hinterland.report.blocks import Chart, Prose
from hinterland.report.chapters import document
from hinterland.report.record import Record, read_record
from hinterland.report.sentences import Speaker
from hinterland.report.table import Table

STUDY = """
[study]
title = "Battery"
language = "both"
[panel]
source = "world:demonstration-zones"
unit = "adcode"
time = "year"
[panel.derive]
ln_citations = "log1p(citations)"
smart_since = "where(ln_gdp_pc_base > 9.5, 2012, 0)"
[policy]
register = "industrial-transfer-zones"
partial = "treat"
[[outcome]]
name = "ln_inventions"
[evaluate]
methods = ["twfe", "callaway-santanna", "imputation"]
[robustness]
drop = ["municipalities"]
winsorise = [0.01, [0.005, 0.98]]
trim = [0.01]
concurrent = ["low-carbon-pilots", { name = "smart", label = { en = "the smart cities", zh = "智慧城市" }, column = "smart_since" }]
concurrent_how = ["drop", "control"]
fe = ["province^year"]
outcomes = ["ln_citations", "quality"]
cluster = ["province", ["adcode", "year"]]
methods = ["imputation"]
[[robustness.model]]
name = "late"
label = { en = "from 2010 on", zh = "2010 年起" }
years = [2010, 2022]
"""


@pytest.fixture(scope="module")
def run_record(tmp_path_factory: pytest.TempPathFactory) -> Record:
    folder = tmp_path_factory.mktemp("battery")
    (folder / "study.toml").write_text(STUDY, encoding="utf-8")
    hl.run(folder / "study.toml", folder / "out", only="data,policy,evaluate,robustness")
    return read_record(folder / "out")


def blocks(record: Record, language: str) -> tuple[Prose, Chart, Table, Speaker]:
    made = document(record, language)  # type: ignore[arg-type]  # a language
    chapter = next(c for c in made.chapters if c.key == "robustness")
    _, prose, chart, table = battery(record, made.speaker, record.headline("ln_inventions"))  # type: ignore[arg-type]  # there is one
    assert any(isinstance(b, Table) and b.key == "robustness" for b in chapter.blocks)
    return prose, chart, table, made.speaker  # type: ignore[return-value]  # in this order


def test_each_row_says_what_changed_and_on_how_much(run_record: Record) -> None:
    _, _, table, _ = blocks(run_record, "en")
    heads = [r.cells[0] for r in table.rows if r.kind == "head"]
    assert heads[:3] == ["Baseline", "Sample", "Controls and fixed effects"]
    assert heads[3:] == ["Outcome", "Estimator and comparison group", "Clusters", "Further rows of this study"]
    rows = [r.cells for r in table.rows if r.kind != "head"]
    named = {r[0]: r for r in rows if r[0]}
    assert {"winsorised at 1% and 99%", "winsorised at 0.5% and 98%"} <= set(named)
    assert {"without the low-carbon pilots", "controlling for the smart cities"} <= set(named)
    assert {"with province × year effects", "outcome: ln(1 + citations received)", "clustered by province", "from 2010 on"} <= set(named)
    assert all(len(r) == 10 for r in rows)
    assert [r[1] for r in rows[:2]] == ["Callaway–Sant'Anna", "TWFE"]
    assert named["without the four municipalities"][7:] == ("4,365", "291", "29")
    assert named["clustered by province"][5:7] == ("0.000", "–")
    assert named["outcome: ln(1 + citations received)"][5:7] == ("–", "–")
    assert "winsor2" in " ".join(table.notes)


@pytest.mark.parametrize(
    ("language", "fragments"),
    [
        ("en", ("Not possible on the samples", "clustered by city and year (Callaway–Sant'Anna)", "in the baseline", "at the 5% level")),
        ("zh", ("无法估计", "按城市和年份聚类", "基准为", "5% 水平")),
    ],
)
def test_the_text_says_what_moves_and_what_is_not_possible(run_record: Record, language: str, fragments: tuple[str, ...]) -> None:
    prose, _, _, speaker = blocks(run_record, language)
    said = speaker.paragraph(prose.sentences)
    assert [f for f in fragments if f not in said] == []


def test_chinese_rows(run_record: Record) -> None:
    _, _, table, _ = blocks(run_record, "zh")
    named = {r.cells[0] for r in table.rows}
    assert {"在 1% 与 99% 分位缩尾", "剔除低碳试点", "控制智慧城市", "加入省份 × 年份固定效应", "按省份聚类", "2010 年起"} <= named


def test_the_figure_has_a_line_for_each_row_on_the_headline_s_scale(run_record: Record) -> None:
    """Quality is no logarithm: its row is in the table only."""
    _, chart, table, _ = blocks(run_record, "en")
    labels = chart.data["label"].unique(maintain_order=True).to_list()
    assert labels[0] == "Baseline"
    assert "outcome: ln(1 + citations received)" in labels
    assert not [label for label in labels if "quality" in label]
    assert [r for r in table.rows if "quality" in r.cells[0]]
    assert set(chart.data["kind"]) == {"headline", "static", "other"}
    axes = chart.figure.axes[0]
    assert [t.get_text() for t in axes.get_yticklabels()] == labels
    upright = [line.get_xdata() for line in axes.lines if len(line.get_xdata()) == 2]  # type: ignore[arg-type]  # matplotlib's arrays
    verticals = sorted(float(x[0]) for x in upright if x[0] == x[1])  # type: ignore[index]
    base = chart.data.filter(label="Baseline")["estimate"].to_list()
    assert verticals == pytest.approx(sorted([0.0, *base]))


def test_estimators_differ_in_shape_and_fill_so_that_grey_tells_them_apart() -> None:
    marks = tuple(Mark(kind, kind, 0.1, 0.05, 0.0, 0.2, 10) for kind in ("headline", "static", "other"))  # type: ignore[arg-type]  # kinds
    figure = battery_forest([Line("", "a", marks[:2]), Line("g", "b", marks)], Speaker("en"), unit="x")
    marked = [line for line in figure.axes[0].lines if line.get_marker() in ("o", "s", "D")]
    drawn = {(line.get_marker(), line.get_markerfacecolor() == line.get_color()) for line in marked}
    assert drawn == {("o", True), ("s", False), ("D", True)}


def test_a_record_without_the_table_of_differences_still_has_its_rows(run_record: Record) -> None:
    older = Record(run_record.folder, run_record.run, {k: v for k, v in run_record.tables.items() if k != "robustness"})
    rows = changed_rows(older, "ln_inventions")
    assert len(rows) == len(changed_rows(run_record, "ln_inventions"))
    assert {r.difference for r in rows} == {None}


def test_rows_that_differ_from_the_baseline_are_named(run_record: Record) -> None:
    table = run_record.tables["robustness"].with_columns(
        difference_p_value=pl.when(pl.col("row") == "trim-0.01-0.99").then(0.01).otherwise(pl.col("difference_p_value"))
    )
    told = Record(run_record.folder, run_record.run, {**run_record.tables, "robustness": table})
    prose, _, _, speaker = blocks(told, "en")
    said = speaker.paragraph(prose.sentences)
    trimmed = "without values beyond 1% and 99%"
    assert f"2 differ from zero at the 5% level: {trimmed} (Callaway–Sant'Anna) and {trimmed} (TWFE)" in said


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_code_has_words(run_record: Record, language: str) -> None:
    made = document(run_record, language)  # type: ignore[arg-type]  # a language
    for row in changed_rows(run_record, "ln_inventions"):
        assert isinstance(row, Changed)
        text = words(made.speaker, row.fit.label, row.code, row.values)
        assert text
        assert "{" not in text
