from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from small import STUDY, small_panel, write_small

from hinterland.study.check import Checked, check
from hinterland.study.load import load_study
from hinterland.study.workspace import Workspace

Change = Callable[[pl.DataFrame], pl.DataFrame]
GAUSSIAN = STUDY.replace('[[outcome]]\nname = "count"\nfamily = "poisson"\n', "")


def checked(folder: Path, study: str = STUDY, change: Change = lambda f: f) -> Checked:
    path = write_small(folder, study)
    change(small_panel()).write_csv(folder / "small.csv")
    return check(load_study(path))


def codes(found: Checked) -> set[str]:
    return {f.code for f in found.findings if f.severity == "error"}


def test_a_study_in_order(tmp_path: Path) -> None:
    found = checked(tmp_path)
    assert found.ok
    assert found.findings == ()
    assert len(found.designs) == 4


def test_findings_of_all_outcomes_together(tmp_path: Path) -> None:
    found = checked(tmp_path, change=lambda f: f.with_columns(y=pl.lit(1.0), count=-pl.col("count") - 1))
    assert {"constant-outcome", "negative-count"} <= codes(found)


@pytest.mark.parametrize(
    ("study", "change", "code"),
    [
        (STUDY, lambda f: f.with_columns(first=pl.lit(0)), "nobody-treated"),
        (GAUSSIAN, lambda f: f.filter(pl.col("first") > 0), "no-never-treated"),
        (STUDY, lambda f: f.with_columns(first=pl.lit(1990)), "all-always-treated"),
        (STUDY, lambda f: pl.concat([f, f.head(1)]), "duplicate-unit-period"),
        (STUDY, lambda f: f.with_columns(first=pl.col("first") + (pl.col("year") == 2001)), "varying-adoption"),
        (STUDY.replace('time = "year"', 'time = "year"\nyears = [2050, 2060]'), lambda f: f, "years-outside"),
        (STUDY.replace('groups = ["side"]', 'groups = ["sides"]'), lambda f: f, "unknown-group"),
        (STUDY.replace('groups = ["side"]', 'groups = ["macro-region"]'), lambda f: f, "no-unit-in-region"),
        (STUDY.replace('groups = ["side"]', 'groups = ["year"]'), lambda f: f, "varying-group"),
        (STUDY.replace("[policy]", '[panel.filter]\nwhere = "year > 3000"\n[policy]'), lambda f: f, "empty-panel"),
        (STUDY.replace("[policy]", '[panel.filter]\ndrop_units = ["C99"]\n[policy]'), lambda f: f, "unknown-unit"),
        (STUDY.replace('column = "first"', 'register = "zones"'), lambda f: f, "unknown-register"),
        (
            STUDY.replace('column = "first"', 'treatment = "on"'),
            lambda f: f.with_columns(on=(pl.col("year") == 2004).cast(pl.Int8)),
            "treatment-reversal",
        ),
        (STUDY.replace("[evaluate]", "[evaluate]\nanticipation = 1"), lambda f: f, "not-defined"),
        (STUDY.replace("[evaluate]", '[evaluate]\ncluster = "one"'), lambda f: f.with_columns(one=pl.lit(1)), "one-cluster"),
        (STUDY, lambda f: f.with_columns(first=pl.when(pl.col("first") > 0).then(1999).otherwise(0)), "treatment-collinear"),
        (
            STUDY.replace("[evaluate]", '[evaluate]\ncomparison = "not-yet-treated"').replace('comparison = ["not-yet-treated"]', ""),
            lambda f: f.with_columns(first=pl.lit(2004)),
            "treatment-collinear",
        ),
        (STUDY.replace('name = "late"', 'name = "late"\ncluster = "citty"'), lambda f: f, "unknown-column"),
        (STUDY.replace('name = "late"', 'name = "late"\nfe = ["citty^year"]'), lambda f: f, "unknown-column"),
        (STUDY.replace('name = "late"', 'name = "late"\ncovariates = "~ sise"'), lambda f: f, "unknown-column"),
        (STUDY.replace("[policy]", '[panel.filter]\ncomplete = ["yy"]\n[policy]'), lambda f: f, "unknown-column"),
    ],
)
def test_what_the_data_make_impossible_is_said_before_estimating(tmp_path: Path, study: str, change: Change, code: str) -> None:
    found = checked(tmp_path, study, change)
    assert not found.ok
    assert code in codes(found)
    assert all(f.what and f.where and f.remedy for f in found.findings)


def test_an_option_sets_one_estimator_apart(tmp_path: Path) -> None:
    study = STUDY.replace("[evaluate]", "[evaluate]\nanticipation = 1")
    apart = "".join(f"[evaluate.options.{m}]\nanticipation = 0\n" for m in ("twfe", "event-study", "ppml"))
    found = checked(tmp_path, study + apart)
    assert found.ok
    assert sum("anticipation 1" in line for line in found.designs) == 1


def test_always_treated_are_warned_of_and_a_cohort_of_one_unit_is_refused_unless_kept(tmp_path: Path) -> None:
    def change(frame: pl.DataFrame) -> pl.DataFrame:
        return frame.with_columns(
            first=pl.when(pl.col("city") == "C00").then(2004).when(pl.col("city") == "C03").then(1999).otherwise("first")
        )

    refused = checked(tmp_path, change=change)
    assert {"single-unit-cohort"} == {f.code for f in refused.findings if f.severity == "error"}
    assert "always-treated" in {f.code for f in refused.findings}
    kept = checked(tmp_path, STUDY.replace('column = "first"', 'column = "first"\nsingle_unit_cohorts = "keep"'), change)
    assert kept.ok
    assert "single-unit-cohort" in {f.code for f in kept.findings}
    regression = checked(tmp_path, STUDY.replace("[evaluate]", '[evaluate]\nheadline = "twfe"\nmethods = ["twfe", "event-study"]'), change)
    assert regression.ok, "a regression pools the cohorts"


def test_complete_keeps_units_seen_in_every_period(tmp_path: Path) -> None:
    study = STUDY.replace("[policy]", '[panel.filter]\ncomplete = ["y"]\n[policy]')
    found = checked(
        tmp_path, study, lambda f: f.with_columns(y=pl.when((pl.col("city") == "C01") & (pl.col("year") == 2002)).then(None).otherwise("y"))
    )
    assert found.ok
    assert all("23 units × 8 periods, 184 rows;" in line for line in found.designs)


def test_a_cohort_of_one_unit_is_one_finding(tmp_path: Path) -> None:
    found = checked(tmp_path, change=lambda f: f.with_columns(first=pl.when(pl.col("city") == "C00").then(2004).otherwise("first")))
    assert [f.severity for f in found.findings if f.code == "single-unit-cohort"] == ["error"]


@pytest.mark.parametrize(
    ("form", "remedy"),
    [
        (lambda code: code[:4], "match_cities"),
        (lambda code: f"{code}000000", "first six digits"),
        (lambda code: f"unit {code[::-1]}", "name the column"),
    ],
)
def test_codes_that_are_not_the_registers(tmp_path: Path, form: Callable[[str], str], remedy: str) -> None:
    codes_of = dict(zip([f"C{i:02}" for i in range(24)], [f"{n}" for n in range(340100, 342500, 100)], strict=True))
    study = STUDY.replace('column = "first"', 'register = "industrial-transfer-zones"')
    found = checked(
        tmp_path, study, lambda f: f.with_columns(city=pl.col("city").replace_strict({k: form(v) for k, v in codes_of.items()}))
    )
    (said,) = (f for f in found.findings if f.code == "units-not-codes")
    assert remedy in said.remedy
    assert "panel.unit" in said.where


def test_roles_may_be_columns_that_the_study_makes(tmp_path: Path) -> None:
    pl.DataFrame({"city": [f"C{c:02}" for c in range(24)], "size": range(1, 25)}).write_csv(tmp_path / "sizes.csv")
    made = """
weight = "size"
cluster = "half"
[panel.derive]
on = "where(first > 0 and year >= first, 1, 0)"
half = "where(size > 12, 1, 0) + 2 * size"
[[panel.join]]
source = "sizes.csv"
unit = "city"
columns = ["size"]
"""
    study = STUDY.replace('time = "year"', f'time = "year"{made}').replace('column = "first"', 'treatment = "on"')
    found = checked(tmp_path, study)
    assert [f for f in found.findings if f.severity == "error"] == []
    assert all("16 treated in 2 cohorts" in line for line in found.designs)
    work = Workspace(load_study(tmp_path / "study.toml"))
    assert (work.panel.weight, work.panel.cluster) == ("size", "half")
    broken = checked(tmp_path, study.replace('"where(first > 0 and year >= first, 1, 0)"', '"where(year == 2004, 1, 0)"'))
    assert "treatment-reversal" in codes(broken)
    unweighted = checked(tmp_path, study.replace('weight = "size"', 'weight = "none"').replace("half =", 'none = "size - 5"\nhalf ='))
    assert "weight-not-positive" in codes(unweighted)


def test_labels_of_columns_that_are_not_there_are_refused(tmp_path: Path) -> None:
    labels = '[panel.labels]\nshaer = "A share"\n\n[policy]'
    found = checked(tmp_path, STUDY.replace("[policy]", labels, 1))
    assert [f.what for f in found.findings if f.code == "unknown-column"] == ["panel.labels names 'shaer', which is no column of the panel"]
