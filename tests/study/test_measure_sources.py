"""Raw tables of a study: recoded, joined, screened with reasons, totalled; and every way in which that can go wrong."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

import hinterland as hl
from hinterland.errors import Finding, StudyError
from hinterland.report.formula import plain
from hinterland.study.check import check
from hinterland.study.load import load_study
from hinterland.study.plan import plan
from hinterland.study.preparing import Prepared
from hinterland.study.workspace import Workspace

STUDY = """
[study]
title = "Screened"
language = "both"
[table.jobs]
source = "jobs.csv"
[table.jobs.recode.province]
xizang = "西藏"
[[table.jobs.join]]
source = "packaged:provinces"
on = { short_zh = "province" }
columns = { macro_region = "part" }
[[table.jobs.exclude]]
source = "faulty.csv"
on = ["province", "year"]
reason = { en = "two series differ", zh = "两个序列不一致" }
[[table.jobs.exclude]]
where = "jobs > 900"
reason = "a misprint"
[measure.krugman]
indicator = "krugman-specialisation"
source = "table:jobs"
columns = { region = "province", industry = "sector", time = "year", value = "jobs" }
[measure.spread]
indicator = "gini"
source = "table:jobs"
columns = { region = "province", time = "year", value = "all" }
[measure.spread.total]
by = ["province", "year"]
sum = { jobs = "all" }
"""
PLACES = ("北京", "上海", "xizang", "四川")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rows = [(p, s, float(t), 10 * i + j + t - 2000) for i, p in enumerate(PLACES) for j, s in enumerate("ab") for t in (2001, 2002, 2003)]
    frame = pl.DataFrame(rows, schema=["province", "sector", "year", "jobs"], orient="row")
    frame = frame.with_columns(
        jobs=pl.when(pl.col("province") == "上海", pl.col("year") == 2003, pl.col("sector") == "a").then(1000).otherwise("jobs")
    )
    frame = frame.with_columns(
        jobs=pl.when(~((pl.col("province") == "四川") & (pl.col("sector") == "b") & (pl.col("year") == 2002))).then("jobs")
    )
    frame.write_csv(tmp_path / "jobs.csv")
    pl.DataFrame({"province": ["北京", "北京", "青海"], "year": [2001, 2002, 2001]}).write_csv(tmp_path / "faulty.csv")
    return tmp_path


def work(folder: Path, text: str = STUDY) -> Workspace:
    (folder / "study.toml").write_text(text, encoding="utf-8")
    return Workspace(load_study(folder / "study.toml"))


def prepared(folder: Path, text: str = STUDY) -> Prepared:
    return work(folder, text).prepared("jobs")


def problem(folder: Path, old: str, new: str) -> list[Finding]:
    assert old in STUDY
    with pytest.raises(StudyError) as caught:
        loaded = work(folder, STUDY.replace(old, new))
        for name in ("krugman", "spread"):
            loaded.measured(name)
    assert all(f.what and f.where and f.remedy for f in caught.value.findings)
    return list(caught.value.findings)


def test_labels_are_recoded_and_packaged_tables_joined(folder: Path) -> None:
    frame = prepared(folder).frame
    assert "xizang" not in set(frame["province"])
    assert dict(frame.select("province", "part").iter_rows()) == {"北京": "east", "上海": "east", "西藏": "west", "四川": "west"}


def test_what_is_left_out_is_kept_with_its_reason(folder: Path) -> None:
    made = prepared(folder)
    first, second = made.left_out
    assert (first.owner, first.rule, first.before, first.rows.height) == ("table:jobs", 1, 24, 4)
    assert set(first.rows.select("province", "year").iter_rows()) == {("北京", 2001.0), ("北京", 2002.0)}
    assert (second.before, second.rows["jobs"].to_list(), second.table.reason.en) == (20, [1000], "a misprint")
    assert made.frame.height == 19
    assert [(f.code, f.severity) for f in made.findings] == [("unmatched-rows", "warning")]
    assert "1 of the 3 rows" in made.findings[0].what


def test_totals_leave_missing_cells_out_and_say_so(folder: Path) -> None:
    loaded = work(folder)
    found = loaded.measured("spread")
    assert found.meta["n_rows"] == 10
    sums = [f for f in found.findings if f.code == "partial-sum"]
    assert [f.what for f in sums] == ["1 of 10 sums lack a part: 1 cells of jobs are missing"]


def test_the_record_and_the_report_show_the_screen(folder: Path) -> None:
    (folder / "study.toml").write_text(STUDY, encoding="utf-8")
    run = hl.run(folder / "study.toml", folder / "out")
    left = run.tables["measure_excluded"].filter(pl.col("measure") == "krugman")
    assert left.select("region", "time", "n", "rule", "why_zh").rows() == [
        ("北京", 2001, 2, 1, "两个序列不一致"),
        ("北京", 2002, 2, 1, "两个序列不一致"),
        ("上海", 2003, 1, 2, "a misprint"),
    ]
    page = (folder / "out" / "report.html").read_text(encoding="utf-8")
    for text in ("Beijing 2001–2002: two series differ", "北京 2001–2002 年：两个序列不一致", "The same 5 rows are left out as above"):
        assert text in page, text
    assert str(run.tables["measure_models"]["input"][0]) == "jobs.csv"


def test_a_rule_of_a_table_is_part_of_the_steps_that_read_it(folder: Path) -> None:
    first = {s.id: s.settings for s in plan(work(folder).study)}
    second = {s.id: s.settings for s in plan(work(folder, STUDY.replace("jobs > 900", "jobs > 990")).study)}
    assert first["measure/krugman"] != second["measure/krugman"]


def test_the_same_finding_of_a_table_is_said_once(folder: Path) -> None:
    (folder / "study.toml").write_text(STUDY, encoding="utf-8")
    found = [f.code for f in check(load_study(folder / "study.toml")).findings]
    assert found.count("unmatched-rows") == 1


@pytest.mark.parametrize(
    ("old", "new", "code", "part"),
    [
        ('xizang = "西藏"', 'xizag = "西藏"', "unknown-label", "did you mean 'xizang'"),
        ("[table.jobs.recode.province]", "[table.jobs.recode.provinc]", "unknown-column", "did you mean 'province'"),
        ("on = { short_zh =", "on = { name_en =", "nothing-joined", "write the keys alike"),
        ('columns = { macro_region = "part" }', 'columns = { macro_region = "jobs" }', "column-taken", "another name"),
        ('on = ["province", "year"]\nreason', 'on = { year = "jobs" }\nreason', "nothing-excluded", "write the keys alike"),
        ("jobs > 900", "jobs > 9000", "empty-table", "correct the expression"),
        ("jobs > 900", "jobs > -1 or isnull(jobs)", "empty-table", "correct the rule"),
        ('sum = { jobs = "all" }', 'sum = { sector = "all" }', "not-a-number", "column of numbers"),
        ('by = ["province", "year"]', 'by = ["provinces", "year"]', "unknown-column", "did you mean 'province'"),
        ('source = "packaged:provinces"', 'source = "packaged:province-s"', "unknown-data", "did you mean"),
        ('source = "table:jobs"\ncolumns = { region = "province", time', 'source = "table:job"\ncolumns = { region = "province", time', "unknown-table", "'jobs'"),
        ('source = "jobs.csv"', 'source = "measure:spread"', "unknown-table", "join the values in the measure"),
        ('source = "jobs.csv"', 'source = "jobs.csv"\nunit = "province"', "missing-key", "unit and time together"),
        ('where = "jobs > 900"\n', "", "missing-key", "add source and on, or where"),
        ('on = ["province", "year"]\nreason', "reason", "missing-key", "give both"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(folder: Path, old: str, new: str, code: str, part: str) -> None:
    (found,) = problem(folder, old, new)
    assert (found.code, part in found.remedy, "study.toml, line" in found.where) == (code, True, True), found


def test_units_and_periods_give_lags_their_meaning(folder: Path) -> None:
    text = """
[study]
title = "Lags"
[table.jobs]
source = "jobs.csv"
unit = "key"
time = "year"
[table.jobs.derive]
before = "lag(jobs)"
[measure.one]
indicator = "gini"
source = "table:jobs"
columns = { region = "key", time = "year", value = "jobs" }
"""
    keyed = pl.read_csv(folder / "jobs.csv").with_columns(key=pl.col("province") + pl.col("sector"))
    keyed.write_csv(folder / "jobs.csv")
    frame = prepared(folder, text).frame
    one = frame.filter(pl.col("key") == "四川a").sort("year")
    assert one["before"].to_list() == [None, *one["jobs"].to_list()[:-1]]
    pl.concat([keyed, keyed.head(1)]).write_csv(folder / "jobs.csv")
    with pytest.raises(StudyError) as caught:
        prepared(folder, text)
    assert [f.code for f in caught.value.findings] == ["duplicate-cell"]


@pytest.mark.parametrize(
    ("latex", "text"),
    [
        (r"K_t = (1-\delta)K_{t-1} + I_t/P_t", "K_t = (1-δ)K_(t-1) + I_t/P_t"),
        (r"\frac{1}{2\bar y}\sum_i\sum_j p_i p_j |y_i - y_j|", "1/(2mean(y)) Σ_i Σ_j p_i p_j|y_i - y_j|"),
        (r"\sum_{i\in g} x_i^2", "Σ_(i in g) x_i²"),
        (r"\sqrt{\frac{a+b}{c}}", "√((a+b)/c)"),
    ],
)
def test_formulas_are_readable(latex: str, text: str) -> None:
    assert plain(latex) == text
