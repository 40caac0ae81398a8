"""What is wrong with the rows of a battery is said before anything is estimated, all at once; changing one row redoes one row."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from small import STUDY, small_panel, write_small

import hinterland as hl
from hinterland.errors import Finding, StudyError
from hinterland.study.check import check
from hinterland.study.load import load_study, parse_study
from hinterland.study.plan import plan, step_hashes

BATTERY = """
[robustness]
placebo_space = 39
placebo_time = [1]
winsorise = [0.05]
trim = [0.02]
concurrent = ["other", { name = "listed", source = "listed.csv", unit = "city", first = "since" }]
lag_controls = [1]
fe = ["side^year"]
outcomes = ["z"]
cluster = ["side"]
methods = ["imputation"]
"""


def with_battery(rows: str, covariates: str = 'covariates = ["x"]') -> str:
    """The small study with other robustness rows and a control."""
    head, _, rest = STUDY.partition("[robustness]")
    tail = rest[rest.index("[heterogeneity]") :]
    return head.replace("[evaluate]", f"[evaluate]\n{covariates}") + rows.strip() + "\n\n" + tail


def write(folder: Path, rows: str, **options: str) -> Path:
    """That study, its panel with a control, another outcome and a programme, and a list of units."""
    path = write_small(folder, with_battery(rows, **options))
    number = pl.col("city").str.slice(1).cast(pl.Int64)
    panel = small_panel().with_columns(
        x=(pl.col("year") * 7919 + number * 104729) % 13 / 13.0,
        z=pl.col("y") * 2,
        other=pl.when(number % 4 == 1).then(2004).otherwise(0),
    )
    panel.write_csv(folder / "small.csv")
    pl.DataFrame({"city": ["C02", "C10"], "since": [2003, 2006]}).write_csv(folder / "listed.csv")
    return path


def found(path: Path) -> tuple[Finding, ...]:
    return tuple(f for f in check(load_study(path)).findings if f.severity == "error")


def test_a_battery_in_order_has_no_findings(tmp_path: Path) -> None:
    assert found(write(tmp_path, BATTERY)) == ()


def test_keys_that_make_no_sense_are_named_all_at_once(tmp_path: Path) -> None:
    rows = """
[robustness]
drop = ["partially-covered"]
winsorise = [0.6, [0.2, 0.1], [0, 1], 0.05, 0.05]
trim = [-0.1]
concurrent = ["other", "other", { name = "broadband-china", column = "other" }, { name = "both", column = "other", source = "a.csv" }, { name = "bare", source = "a.csv" }]
lag_controls = [0, 1]
fe = [[]]
outcomes = ["y", "city", "first"]
cluster = ["city"]
methods = ["callaway-santanna", "ppml", "triple"]
"""
    with pytest.raises(StudyError) as error:
        parse_study(with_battery(rows, covariates=""))
    told = [(f.code, f.where.partition("(")[2].rstrip(")")) for f in error.value.findings]
    assert sorted(told) == sorted(
        [
            ("register-only", "robustness.drop[1]"),
            *(("bad-value", f"robustness.winsorise[{i}]") for i in (1, 2)),
            ("same-as-baseline", "robustness.winsorise[3]"),
            ("repeated-value", "robustness.winsorise[5]"),
            ("bad-value", "robustness.trim[1]"),
            ("repeated-value", "robustness.concurrent[2]"),
            ("name-taken", "robustness.concurrent[3].name"),
            ("one-source", "robustness.concurrent[4]"),
            ("missing-key", "robustness.concurrent[4]"),
            ("missing-key", "robustness.concurrent[5]"),
            ("no-covariates", "robustness.lag_controls"),
            ("bad-value", "robustness.lag_controls[1]"),
            ("same-as-baseline", "robustness.fe[1]"),
            ("same-as-baseline", "robustness.outcomes[1]"),
            *(("role-shared", f"robustness.outcomes[{i}]") for i in (2, 3)),
            ("same-as-baseline", "robustness.cluster[1]"),
            *(("same-as-baseline", f"robustness.methods[{i}]") for i in (1, 2)),
            ("no-partition", "robustness.methods[3]"),
        ]
    )
    assert "did you mean" in str(error.value) or "choose" in str(error.value) or "name other" in str(error.value)


def test_the_policy_itself_is_no_concurrent_programme() -> None:
    register = STUDY.replace('column = "first"', 'register = "low-carbon-pilots"\ntiming = "approval_year"')
    rows = "[robustness]\nconcurrent = ['low-carbon-pilots']\ndrop = ['partially-covered']"
    with pytest.raises(StudyError) as error:
        parse_study(register.replace("[robustness]", rows))
    assert [f.code for f in error.value.findings] == ["same-as-baseline", "same-as-baseline"]


def test_what_the_data_have_against_the_rows_is_said_all_at_once(tmp_path: Path) -> None:
    rows = """
[robustness]
drop = ["municipalities"]
concurrent = ["othre", "innovative-cities", { name = "listed", source = "listed.csv", unit = "city", first = "since" }, { name = "text", column = "side" }, { name = "moving", column = "year" }]
concurrent_how = ["drop", "control"]
lag_controls = [8]
fe = ["sied^year"]
outcomes = ["zz", "side"]
cluster = ["prvince"]

[[robustness.model]]
name = "none"
where = "year > 2050"
"""
    path = write(tmp_path, rows)
    pl.DataFrame({"city": ["C02", "XX", "YY", "C03"], "since": [2003, 2004, 2005, None]}).write_csv(tmp_path / "listed.csv")
    told = {(f.code, f.what) for f in found(path)}
    codes = {code for code, _ in told}
    assert codes == {
        "no-unit-in-region",
        "unknown-programme",
        "empty-programme",
        "unknown-unit",
        "bad-year",
        "not-numeric",
        "varying-programme",
        "controls-never-seen",
        "unknown-column",
        "empty-row",
    }
    text = " ".join(what for _, what in told)
    assert "'XX', 'YY'" in text
    for name in ("'othre'", "'sied'", "'zz'", "'prvince'", "'innovative-cities'"):
        assert name in text
    remedies = " ".join(f.remedy for f in found(path))
    assert "'other'" in remedies


def test_dates_of_a_cumulative_list_cannot_be_controlled_for(tmp_path: Path) -> None:
    study = """
[study]
title = "Dates"
[panel]
source = "world:demonstration-zones"
unit = "adcode"
time = "year"
[policy]
register = "industrial-transfer-zones"
[[outcome]]
name = "ln_inventions"
[evaluate]
methods = ["twfe", "callaway-santanna"]
[robustness]
concurrent = ["innovative-cities"]
concurrent_how = ["drop", "control"]
"""
    findings = [f for f in check(parse_study(study)).findings if f.severity == "error"]
    assert [f.code for f in findings] == ["dates-unknown"]
    assert "line 15" in findings[0].where
    assert check(parse_study(study.replace('"drop", "control"', '"drop"'))).ok


def test_a_row_that_leaves_nobody_treated_is_a_warning_and_a_note(tmp_path: Path) -> None:
    path = write(tmp_path, "[robustness]\n[[robustness.model]]\nname = 'early'\nwhere = 'year < 2003'")
    findings = check(load_study(path)).findings
    assert {(f.code, f.severity) for f in findings} == {("nobody-treated", "warning")}
    table = hl.run(path, tmp_path / "out", only="robustness").tables["robustness"]
    assert set(table["reason"]) == {"nobody-treated"}
    assert table["effects_id"].null_count() == table.height


def test_an_indicator_column_dates_a_programme(tmp_path: Path) -> None:
    """1 from the first year on says what a column of first years says."""
    path = write(tmp_path, "[robustness]\nconcurrent = ['on', 'other']\nconcurrent_how = ['control', 'drop']")
    frame = pl.read_csv(tmp_path / "small.csv").with_columns(on=((pl.col("other") > 0) & (pl.col("year") >= 2004)).cast(pl.Int8))
    frame.write_csv(tmp_path / "small.csv")
    effects = hl.run(path, tmp_path / "out", only="robustness").tables["effects"].filter(pl.col("term").is_in(["treated", "overall"]))
    by_row = {name.partition("@")[2]: value for name, value in effects.select("effects_id", "estimate").iter_rows()}
    for how in ("control", "drop"):
        assert by_row[f"concurrent-{how}-on"] == pytest.approx(by_row[f"concurrent-{how}-other"])


def changed(before: str, after: str) -> set[str]:
    one, two = (step_hashes(plan(parse_study(t).study), "code", {}) for t in (before, after))
    return {k for k in one.keys() | two.keys() if one.get(k) != two.get(k)}


@pytest.mark.parametrize(
    ("old", "new", "steps"),
    [
        ("winsorise = [0.05]", "winsorise = [0.1]", ("winsorise-0.05-0.95", "winsorise-0.1-0.9")),
        ("lag_controls = [1]", "lag_controls = [2]", ("lag-controls-1", "lag-controls-2")),
        ('first = "since"', 'first = "from"', ("concurrent-drop-listed", "concurrent-drop-listed")),
        ('outcomes = ["z"]', 'outcomes = ["x2"]', ("outcome-z", "outcome-x2")),
        ('methods = ["imputation"]\n\n[het', 'methods = ["two-stage"]\n\n[het', ("method-imputation", "method-two-stage")),
    ],
)
def test_a_changed_row_changes_its_own_steps_and_the_report(old: str, new: str, steps: tuple[str, str]) -> None:
    text = with_battery(BATTERY)
    assert old in text
    touched = changed(text, text.replace(old, new))
    assert "report" in touched
    rest = touched - {"report"}
    assert rest
    assert {name.split("/")[2] for name in rest if name.startswith("robustness/")} == set(steps)
    assert all(name.startswith("robustness/") for name in rest)


def test_a_second_run_redoes_the_changed_row_alone(tmp_path: Path) -> None:
    path = write(tmp_path, BATTERY.replace("placebo_space = 39\nplacebo_time = [1]\n", ""))
    quiet = "[diagnostics]\nsensitivity = []\npower = false\nleave_out = []\nsmall_sample = []\n"
    text = (
        path.read_text(encoding="utf-8").partition("[heterogeneity]")[0].replace('[[outcome]]\nname = "count"\nfamily = "poisson"\n', "")
        + quiet
    )
    path.write_text(text, encoding="utf-8")
    first = hl.run(path, tmp_path / "out")
    before = {s["id"]: s["status"] for s in first.record["steps"]}
    assert set(before.values()) == {"done"}
    old = first.tables["robustness"]
    path.write_text(path.read_text(encoding="utf-8").replace("winsorise = [0.05]", "winsorise = [0.1]"), encoding="utf-8")
    second = hl.run(path, tmp_path / "out")
    again = {s["id"] for s in second.record["steps"] if s["status"] == "done"}
    assert again == {"report", *(f"robustness/y/winsorise-0.1-0.9/{m}" for m in ("twfe", "callaway-santanna"))}
    new = second.tables["robustness"]
    assert new.filter(pl.col("code") != "winsorise").equals(old.filter(pl.col("code") != "winsorise"))
    html = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "winsorised at 10% and 90%" in html
    assert "winsorised at 5% and 95%" not in html
