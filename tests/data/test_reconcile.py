from __future__ import annotations

from dataclasses import replace

import polars as pl
import pytest

import hinterland as hl
from hinterland.data.adoption import adoption
from hinterland.data.panel import Panel
from hinterland.data.reconcile import KINDS, fail_if_contradicted, reconcile
from hinterland.errors import PolicyError

YEARS = (2001, 2002, 2003, 2004, 2005)


def panel(**units: tuple[int | None, str]) -> Panel:
    """Units by name: (adoption date, treatment as one digit per year, ``.`` missing)."""
    rows = [
        (name, year, date, None if mark == "." else float(mark))
        for name, (date, marks) in units.items()
        for year, mark in zip(YEARS, marks, strict=True)
    ]
    schema = {"unit": pl.String, "year": pl.Int64, "g": pl.Int64, "d": pl.Float64}
    return Panel(pl.DataFrame(rows, schema=schema, orient="row").sort("unit", "year"), "unit", "year")


def verdicts(given: Panel) -> dict[str, str]:
    return dict(reconcile(given, adoption(given, "g"), "d").table.select("unit", "verdict").iter_rows())


def test_each_contradiction_is_named_for_its_unit() -> None:
    given = panel(
        fine=(2003, "00111"),
        never=(None, "00000"),
        later=(2009, "00000"),
        gap=(2003, "00.11"),
        always=(2001, "11111"),
        back=(2003, "00110"),
        undated=(None, "00011"),
        idle=(2004, "00000"),
        early=(2004, "00111"),
        late=(2002, "00011"),
    )
    found = verdicts(given)
    assert {u for u, v in found.items() if v == "agree"} == {"fine", "never", "later", "gap"}
    assert found["always"] == "always-treated"
    assert found["back"] == "treatment-reversal"
    assert found["undated"] == "treated-without-date"
    assert found["idle"] == "date-without-treatment"
    assert found["early"] == "treated-before-date"
    assert found["late"] == "untreated-after-date"


def test_a_missing_value_is_no_contradiction_by_itself() -> None:
    given = panel(gap=(2003, "00.11"), hole=(2003, "001.1"), fine=(2003, "00111"), never=(None, "0.000"))
    result = reconcile(given, adoption(given, "g"), "d")
    assert dict(result.table.select("unit", "missing").iter_rows()) == {"fine": 0, "gap": 1, "hole": 1, "never": 1}
    assert set(verdicts(given).values()) == {"agree"}


def test_all_contradictions_are_raised_at_once_with_the_units() -> None:
    given = panel(fine=(2003, "00111"), back=(2003, "00110"), undated=(None, "00011"), never=(None, "00000"))
    with pytest.raises(PolicyError) as caught:
        fail_if_contradicted(given, adoption(given, "g"), "d")
    assert [f.code for f in caught.value.findings] == ["treatment-reversal", "treated-without-date"]
    assert "back (date 2003, 1 from 2003 to 2004)" in caught.value.findings[0].where
    assert all(f.remedy for f in caught.value.findings)


def test_an_always_treated_unit_is_a_warning_that_names_it() -> None:
    given = panel(fine=(2003, "00111"), always=(2000, "11111"), never=(None, "00000"))
    (warning,) = fail_if_contradicted(given, adoption(given, "g"), "d")
    assert (warning.code, warning.severity) == ("always-treated", "warning")
    assert "always" in warning.where


def test_a_column_that_is_not_there_or_no_number_is_refused() -> None:
    given = panel(fine=(2003, "00111"), never=(None, "00000"))
    policy = adoption(given, "g")
    with pytest.raises(PolicyError, match="no column"):
        reconcile(given, policy, "treat")
    with pytest.raises(PolicyError, match="not numbers"):
        reconcile(given.with_columns(d=pl.col("d").cast(pl.String)), policy, "d")


def test_every_kind_has_a_remedy() -> None:
    assert all(kind.what and kind.remedy for kind in KINDS)


def test_estimates_are_refused_when_dates_and_treatment_column_disagree() -> None:
    others = {f"{kind}{i}": units for i in range(9) for kind, units in (("a", (2003, "00111")), ("n", (None, "00000")))}
    given = replace(panel(late=(2002, "00011"), **others), treatment="d")
    given = given.with_columns(y=pl.int_range(pl.len()).cast(pl.Float64).sin())
    policy = adoption(given, "g")
    with pytest.raises(PolicyError, match="still 0") as caught:
        hl.estimate(given, "y", policy, "twfe")
    assert [f.code for f in caught.value.findings] == ["untreated-after-date"]
    fine = replace(given, frame=given.frame.filter(pl.col("unit") != "late"))
    assert hl.estimate(fine, "y", policy, "twfe").estimate.shape == (1,)


def test_reading_with_a_treatment_column_keeps_it_for_the_comparison() -> None:
    frame = panel(a=(2003, "00111"), late=(2002, "00011"), c=(None, "00000")).frame
    assert hl.read_panel(frame, unit="unit", time="year", treatment="d").treatment == "d"
