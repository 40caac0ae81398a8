"""Every named check is triggered by the smallest table that breaks it, and by nothing else."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from hinterland import Finding, PanelError, read_panel
from hinterland.data import checks
from hinterland.data.checks import CHECKS, check_frame
from hinterland.data.roles import Roles
from hinterland.data.table import Table, numbered
from hinterland.labels import catalogue

GOOD: dict[str, list[Any]] = {
    "u": [1, 1, 2, 2],
    "t": [2010, 2011, 2010, 2011],
    "x": [1.0, 2.0, 3.0, 4.0],
    "d": [0, 1, 0, 0],
    "lon": [117.0] * 4,
    "lat": [31.0] * 4,
}
ROLES = Roles("u", "t")


def table(**columns: list[Any]) -> Table:
    frame = pl.DataFrame({**GOOD, **columns})
    return Table(frame, "a.csv", numbered(frame.height, 2))


def only(found: list[Finding]) -> Finding:
    assert len(found) == 1, found
    assert all((found[0].what, found[0].where, found[0].remedy))
    return found[0]


def test_a_good_panel_passes() -> None:
    assert [f.code for f in check_frame(table(), ROLES)] == ["constant-column"]
    assert check_frame(table(lon=[1.0, 2, 3, 4], lat=[1.0, 2, 3, 4]), Roles("u", "t", treatment="d", coordinates=("lon", "lat"))) == []


CASES: list[tuple[str, dict[str, list[Any]], dict[str, Any], str, str]] = [
    ("fail_if_unit_missing", {"u": [1, None, 2, 2]}, {}, "1 row(s) have no unit code", "a.csv, row 3, column 'u'"),
    ("fail_if_time_missing", {"t": [2010, None, 2010, None]}, {}, "2 row(s) have no period", "a.csv, rows 3, 5, column 't'"),
    ("fail_if_unit_code_is_fraction", {"u": [1.0, 1.5, 2.0, 2.0]}, {}, "not whole numbers: 1.5", "row 3"),
    ("fail_if_unit_codes_mixed", {"u": ["340100", "340200", "合肥", "340300"]}, {}, "1 of 4 are names ('合肥')", "row 4"),
    ("fail_if_duplicate_unit_period", {"t": [2010, 2010, 2010, 2011]}, {}, "1 in 2010 (rows 2, 3)", "a.csv"),
    ("fail_if_infinite", {"x": [1.0, float("-inf"), 3, 4]}, {}, "1 value(s) of 'x' are infinite", "row 3, column 'x'"),
    ("fail_if_role_not_numeric", {"x": ["a", "b", "c", "d"]}, {"weight": "x"}, "(weight) holds String", "column 'x'"),
    ("fail_if_role_all_missing", {"x": [None] * 4}, {"numeric": ("x",)}, "empty in every row", "column 'x'"),
    (
        "fail_if_weight_not_positive",
        {"x": [1.0, 0.0, -2.0, 1.0]},
        {"weight": "x"},
        "2 value(s) of 'x' are zero or negative: 0.0, -2.0",
        "rows 3, 4",
    ),
    ("fail_if_weight_missing", {"x": [1.0, None, 2.0, 1.0]}, {"weight": "x"}, "1 row(s) have no weight", "row 3"),
    (
        "fail_if_coordinates_out_of_range",
        {"lon": [117.0, 500000, 1, 1]},
        {"coordinates": ("lon", "lat")},
        "of longitude: 500000.0",
        "row 3",
    ),
    ("fail_if_treatment_not_binary", {"d": [0, 2010, 0, 0]}, {"treatment": "d"}, "neither 0 nor 1: 2010", "row 3, column 'd'"),
    ("fail_if_treatment_not_binary", {"d": [0.0, 0.5, 1.0, 0.0]}, {"treatment": "d"}, "neither 0 nor 1: 0.5", "row 3, column 'd'"),
    ("fail_if_treatment_reverses", {"d": [1, 0, 0, 0]}, {"treatment": "d"}, "withdrawn in 1 unit(s): 1 (in 2011)", "column 'd'"),
    ("fail_if_years_outside", {}, {"years": (1990, 1999)}, "the data cover 2010–2011", "column 't'"),
    ("warn_if_column_all_missing", {"x": [None] * 4}, {}, "empty in every row: 'x'", "a.csv"),
    ("warn_if_column_constant", {"lat": [1.0, 2, 3, 4]}, {}, "lon = 117.0", "a.csv"),
    ("warn_if_unbalanced", {"u": [1, 1, 2, 3]}, {}, "1 of 3 units", "a.csv"),
    ("warn_if_period_absent", {"t": [2010, 2011, 2013, 2014]}, {}, "no unit is observed in 2012", "column 't'"),
    ("warn_if_gaps", {"u": [1, 1, 1, 2], "t": [2010, 2011, 2013, 2012]}, {}, "1 unit(s) have gaps: 1 lacks 2012", "a.csv"),
    ("warn_if_unit_changes_cluster", {"x": [1, 2, 3, 3]}, {"cluster": "x"}, "1 unit(s) change cluster 'x': 1", "column 'x'"),
]


@pytest.mark.parametrize(("name", "columns", "roles", "what", "where"), CASES, ids=[f"{c[0]}-{'-'.join(c[1])}" for c in CASES])
def test_each_check(name: str, columns: dict[str, list[Any]], roles: dict[str, Any], what: str, where: str) -> None:
    from hinterland.data import warnings

    check = getattr(checks, name, None) or getattr(warnings, name)
    found = only(check(table(**columns), Roles("u", "t", **roles)))
    assert what in found.what
    assert where in found.where
    assert found.severity == ("warning" if name.startswith("warn") else "error")
    assert check(table(lon=[1.0, 2, 3, 4], lat=[1.0, 2, 3, 4]), Roles("u", "t", treatment="d", weight="x", cluster="u")) == []


def test_every_check_that_runs_has_a_case() -> None:
    tested = {c[0] for c in CASES} | {"fail_if_empty"}
    assert {c.__name__ for c in CHECKS} <= tested


def test_an_empty_table_is_one_finding() -> None:
    empty = Table(pl.DataFrame(GOOD).clear(), "a.csv", numbered(0))
    assert [f.code for f in check_frame(empty, Roles("u", "t", weight="x", treatment="d"))] == ["empty-panel"]


def test_checks_have_nothing_to_say_without_their_columns() -> None:
    bare = Table(pl.DataFrame({"x": [1, 2]}), "a.csv", numbered(2))
    roles = Roles("u", "t", weight="w", cluster="c", coordinates=("a", "b"), treatment="d", years=(1, 2))
    assert check_frame(bare, roles) == []
    assert [f.code for f in checks.fail_if_column_unknown(bare, list(roles.named()))] == ["unknown-column"] * 7


def test_warnings_stay_with_the_panel_and_have_titles_in_both_languages() -> None:
    frame = pl.DataFrame({"u": [1, 1, 2], "t": [1, 3, 2], "x": [1.0, None, float("nan")], "e": [None, None, None]}, strict=False)
    panel = read_panel(frame, unit="u", time="t")
    codes = [f.code for f in panel.findings]
    assert codes == ["gaps", "unbalanced", "all-missing", "constant-column"]
    assert panel.frame["x"].to_list() == [1.0, None, None]
    for language in ("en", "zh"):
        assert all(f"finding.{code}" in catalogue(language) for code in codes)


def test_many_duplicates_are_counted() -> None:
    with pytest.raises(PanelError, match="100 unit-period") as caught:
        read_panel(pl.DataFrame({"u": [*range(100)] * 2, "t": [1] * 200}), unit="u", time="t")
    assert "and 95 more" in caught.value.findings[0].what
