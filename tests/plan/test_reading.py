"""Reading cases: what is wrong with them is named, all of it at once; folders, units, paths, precedence of rows, provenance."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from broken_cases import ERRORS, WARNINGS, Break, broken, cell, drop, put
from cases import every, tiny

from hinterland.errors import Finding, InputError
from hinterland.plan.case import read_problem
from hinterland.plan.entry import plan
from hinterland.plan.model import build
from hinterland.plan.problem import Problem
from hinterland.plan.solve import SolverOptions


def findings(case: Any, **more: Any) -> tuple[Finding, ...]:
    with pytest.raises(InputError) as raised:
        read_problem(case, **more)
    return raised.value.findings


def at(problem: Problem, name: str, **where: Any) -> float:
    return float(problem[name].sel(**where))


@pytest.mark.parametrize(("code", "what", "change"), ERRORS, ids=[f"{c}-{n}" for n, (c, _, _) in enumerate(ERRORS)])
def test_what_is_wrong_is_named_with_its_value_place_and_remedy(code: str, what: str, change: Break) -> None:
    found = [f for f in findings(broken(change)) if f.code == code]
    assert found
    assert any(what in f.what for f in found), [f.what for f in found]
    assert all(f.where and f.remedy and f.severity == "error" for f in found)


@pytest.mark.parametrize(("code", "what", "change"), WARNINGS, ids=[f"{c}-{n}" for n, (c, _, _) in enumerate(WARNINGS)])
def test_what_is_doubtful_is_a_warning_on_the_problem(code: str, what: str, change: Break) -> None:
    found = [f for f in read_problem(broken(change)).findings if f.code == code]
    assert any(what in f.what for f in found), [f.what for f in found]
    assert all(f.where and f.remedy and f.severity == "warning" for f in found)


def test_cases_that_are_right_have_no_findings(tiny_problem: Problem, every_problem: Problem) -> None:
    assert tiny_problem.findings == every_problem.findings == ()


def test_all_that_is_wrong_is_said_at_once() -> None:
    """In five tables, of values, labels, years and rules; and a setting, a unit and a table that do not exist."""
    case = broken(put("industries", depreciation=2.0))
    for change in (
        cell("demand", "region", 0, "hil"),
        cell("years", "phase", 1, None),
        cell("uptake", "width", 0, None),
        drop("enclaves", "host"),
    ):
        case = change(case)
    found = findings({**case, "nothing": pl.DataFrame({"x": [1]})}, settings={"discuont": 0.1}, units={"capacty": "yuan"})
    expected = {
        "out-of-range",
        "unknown-label",
        "year-without-phase",
        "step-without-width",
        "missing-column",
        "unknown-table",
        "unknown-key",
        "unknown-parameter",
    }
    assert expected <= {f.code for f in found}


def test_findings_of_rows_and_of_values_come_together() -> None:
    """A route to a cell that is not there, and demand for another one."""
    case = broken(lambda c: {**c, "cells": c["cells"].head(8)})
    said = " ".join(f.what for f in findings(case))
    assert "rows of routes lead to no cell" in said
    assert "no cell for 'plain, power'" in said


@pytest.mark.parametrize(
    ("settings", "code", "what"),
    [
        ({"discount": 2.0}, "bad-setting", "discount is 2.0"),
        ({"discuont": 0.1}, "unknown-key", "no setting 'discuont'"),
        ({"roles": ("chips-hil",)}, "unknown-label", "the role 'chips-hil'"),
        ({"emissions": "co2"}, "unknown-label", "emissions of 'co2'"),
    ],
)
def test_choices_that_are_not_possible_are_named(settings: dict[str, Any], code: str, what: str) -> None:
    assert [(f.code, what in f.what) for f in findings(every(), settings=settings)] == [(code, True)]


@pytest.mark.parametrize(("off", "code"), [("C99", "unknown-family"), ("C2", "family-kept"), ("C4", "family-kept")])
def test_families_that_cannot_be_left_out_are_named(off: str, code: str) -> None:
    with pytest.raises(InputError) as raised:
        build(read_problem(tiny(), settings={"off": (off,)}))
    assert [f.code for f in raised.value.findings] == [code]


@pytest.mark.parametrize("objective", ["emissions", "resilience", "self-sufficiency"])
def test_objectives_that_the_tables_do_not_allow_are_named(tiny_problem: Problem, objective: str) -> None:
    with pytest.raises(InputError, match="objective-not-possible"):
        plan(tiny_problem, objective)


def test_an_objective_that_does_not_exist_is_named(tiny_problem: Problem) -> None:
    with pytest.raises(InputError, match="did you mean 'emissions'"):
        plan(tiny_problem, "emision")


def test_an_option_that_the_solver_refuses_is_an_error(tiny_problem: Problem) -> None:
    with pytest.raises(InputError, match="solver-option"):
        plan(tiny_problem, options=SolverOptions(tolerance=-1.0))


def write(folder: Path, case: dict[str, pl.DataFrame]) -> Path:
    """A case as a folder: tables by turns as CSV, Parquet and Excel."""
    for n, (name, frame) in enumerate(case.items()):
        path = folder / f"{name}{('.csv', '.parquet', '.xlsx')[n % 3]}"
        if path.suffix == ".csv":
            frame.write_csv(path)
        elif path.suffix == ".parquet":
            frame.write_parquet(path)
        else:
            frame.to_pandas().to_excel(path, index=False)
    return folder


def test_a_folder_is_the_same_as_its_frames(tmp_path: Path, every_problem: Problem) -> None:
    folder = write(tmp_path, every())
    (folder / "case.toml").write_text('[case]\nname = "all tables"\ndiscount = 0.05\n[units]\ncapex = "yuan/yuan"\n', encoding="utf-8")
    found = read_problem(folder)
    assert (found.settings.name, found.settings.discount) == ("all tables", 0.05)
    assert set(found.data) == set(every_problem.data)
    for name, values in every_problem.data.items():
        assert np.array_equal(values.values, found[name].values, equal_nan=values.dtype.kind == "f"), name
    for name, positions in every_problem.links.items():
        assert np.array_equal(positions, found.links[name]), name
    assert read_problem(folder, settings={"discount": 0.1}).settings.discount == 0.1


def test_a_folder_with_problems_names_its_files(tmp_path: Path) -> None:
    folder = write(tmp_path, tiny())
    (folder / "phases.parquet").write_bytes(b"nothing")
    tiny()["cells"].write_csv(folder / "cells_old.csv")
    tiny()["years"].write_parquet(folder / "years.parquet")
    (folder / "case.toml").write_text("[case\n", encoding="utf-8")
    found = {f.code for f in findings(folder)}
    assert {"unknown-table", "duplicate-table", "bad-toml"} <= found


def test_a_table_whose_file_cannot_be_read_is_not_missing(tmp_path: Path) -> None:
    """One mistake in a file is one finding: nobody is told to add a table that is there."""
    folder = write(tmp_path, tiny())
    next(folder.glob("years.*")).unlink()
    years = tiny()["years"].with_columns(pl.col("year").cast(pl.String).str.replace("2027", "two"))
    years.write_csv(folder / "years.csv")
    assert [(f.code, f.where.split(",")[0]) for f in findings(folder)] == [("not-a-number", "years.csv")]


def test_a_case_file_with_other_tables_is_named(tmp_path: Path) -> None:
    folder = write(tmp_path, tiny())
    (folder / "case.toml").write_text("[csae]\n", encoding="utf-8")
    assert [(f.code, f.remedy) for f in findings(folder)] == [("unknown-key", "did you mean 'case'?")]


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert [f.code for f in findings(tmp_path / "nowhere")] == ["missing-folder"]


def test_units_of_columns_are_converted_into_those_of_the_model() -> None:
    """A thousand of 10k yuan are 0.1 of 100m yuan; 150 thousand persons are 15 of 10k persons."""
    case = tiny()
    case["cells"] = case["cells"].with_columns(capacity=pl.lit(1000.0))
    case["regions"] = case["regions"].with_columns(population=pl.lit(150_000.0))
    found = read_problem(case, units={"capacity": "10k-yuan", "population": "person"})
    assert found["capacity"].values == pytest.approx([0.1] * 4)
    assert found["population"].values.ravel() == pytest.approx([15.0] * 6)


def test_a_unit_of_a_column_that_holds_two_parameters_holds_for_both() -> None:
    """Budgets of regions and of the nation are one column: 4,000 of 10k yuan are 0.4 of 100m yuan, whichever of the two is named."""
    case = every()
    case["budgets"] = case["budgets"].with_columns(value=pl.Series([4000.0, 5000.0, 6000.0]))
    for name in ("budget", "national_budget"):
        found = read_problem(case, units={name: "10k-yuan"})
        assert at(found, "budget", region="hill", year=2026) == pytest.approx(0.4)
        assert at(found, "national_budget", year=2026) == pytest.approx(0.6)
    assert [f.code for f in findings(case, units={"budget": "yuan", "national_budget": "10k-yuan"})] == ["bad-unit"]


def test_a_unit_of_another_quantity_is_named() -> None:
    assert [f.code for f in findings(tiny(), units={"capacity": "km2"})] == ["bad-unit"]


def test_years_between_two_given_ones_lie_on_a_straight_line_and_the_last_is_held() -> None:
    """Given for 2027 and 2030: nothing before, thirds between, the last after."""
    case = every()
    case["jobs"] = pl.DataFrame({"region": ["hill"] * 2, "year": [2027, 2030], "floor": [1.0, 4.0]})
    found = read_problem(case)["job_floor"].sel(region="hill").values
    assert found == pytest.approx([np.nan, np.nan, 1, 2, 3, 4, 4], nan_ok=True)


def test_paths_give_any_parameter_by_year_over_its_table(every_problem: Problem) -> None:
    """Wages of plain skill in the east grow from 9 to 11 in six years; of others they stay."""
    assert every_problem["wage"].sel(region="east", skill="plain").values == pytest.approx(np.linspace(9, 11, 7))
    assert every_problem["wage"].sel(region="east", skill="trained").values == pytest.approx([14] * 7)
    assert every_problem["wage"].sel(region="hill", skill="plain").values == pytest.approx([6] * 7)


def test_narrow_rows_win_over_wide_ones_in_any_order() -> None:
    """Limits of carbon by region and year, by region, and of intensities by region; a row without region speaks of all."""
    rows = [
        {"resource": "carbon", "industry": "chips", "region": None, "value": 0.5},
        {"resource": "carbon", "industry": "chips", "region": "hill", "value": 0.7},
    ]
    for order in (rows, rows[::-1]):
        found = read_problem(
            {
                **every(),
                "intensities": pl.DataFrame(
                    order, schema={"resource": pl.String, "industry": pl.String, "region": pl.String, "value": pl.Float64}
                ),
                "resources": every()["resources"].head(1),
                "limits": every()["limits"].filter(pl.col("resource") == "carbon"),
            }
        )
        assert at(found, "intensity", resource="carbon", cell="hill/chips", year=2030) == 0.7
        assert at(found, "intensity", resource="carbon", cell="east/chips", year=2030) == 0.5
        assert at(found, "intensity", resource="carbon", cell="east/cloth", year=2030) == 0.0


def test_coefficients_of_a_region_win_over_those_of_all() -> None:
    case = every()
    narrow = pl.DataFrame({"industry": ["power"], "using": ["chips"], "coefficient": [0.3], "region": ["hill"]})
    found = read_problem({**case, "inputs": pl.concat([case["inputs"].with_columns(region=pl.lit(None, dtype=pl.String)), narrow])})
    cells = found.index["cell"].to_numpy()
    of = {
        (cells[s], cells[u]): c
        for s, u, c in zip(found.links["input.supply"], found.links["input.user"], found["coefficient"].values, strict=True)
    }
    assert of["hill/power", "hill/chips"] == 0.3
    assert of["east/power", "east/chips"] == 0.1
    assert len(of) == 12


def test_value_added_is_what_inputs_leave_unless_it_is_given() -> None:
    """Chips take 0.2 of chips and 0.1 of power."""
    case = every()
    given = case["cells"].with_columns(value_added=pl.Series([None] * 3 + [0.5] + [None] * 5, dtype=pl.Float64))
    found = read_problem({**case, "cells": given})
    assert at(found, "value_added", cell="east/chips", year=2026) == pytest.approx(0.7)
    assert at(found, "value_added", cell="hill/chips", year=2026) == pytest.approx(0.5)


def test_arcs_lead_from_sources_with_capacity_to_hosts_and_cost_more_the_farther_they_go(every_problem: Problem) -> None:
    """East at (121, 31) and hill at (104, 30): sin² of half the angle is 0.000076 + 0.8572 × 0.8660 × 0.02185 = 0.01629, the angle 0.25600, 1,631 km on a globe
    of 6,371 km. Chips cost 0.4 + 0.1 × 1.631, three tenths of it under the agreement.
    """
    p = every_problem
    cells = p.index["cell"].to_numpy()
    arcs = {
        (cells[s], cells[h], "" if e < 0 else p.index["enclave"][e]): c
        for s, h, e, c in zip(p.links["arc.source"], p.links["arc.host"], p.links["arc.enclave"], p["arc_cost"].values, strict=True)
    }
    assert len(arcs) == 2 * 2 + 3
    assert arcs["east/chips", "hill/chips", ""] == pytest.approx(0.4 + 0.1 * 1.631, abs=2e-5)
    assert arcs["east/chips", "hill/chips", "east-hill"] == pytest.approx(0.3 * arcs["east/chips", "hill/chips", ""])


def test_provenance_is_kept_and_illustrative_parameters_are_a_note(every_problem: Problem, every_plan: Any) -> None:
    table = every_problem.provenance
    assert table.columns == ["parameter", "of", "basis", "source", "low", "high", "note", "note_zh"]
    assert table.filter(pl.col("parameter") == "capacity")["source"].to_list() == ["yearbook"]
    notes = [n for n in every_plan.notes if n.code == "plan-illustrative"]
    assert len(notes) == 1
    assert "response" in notes[0].text("en")
    assert "capacity" not in notes[0].text("en")


def test_codes_that_a_spreadsheet_made_fractions_are_codes() -> None:
    case = tiny()
    code = pl.col("region").replace_strict({"coast": 440000.0, "inland": 520000.0}, return_dtype=pl.Float64)
    for name in ("regions", "cells", "demand"):
        case[name] = case[name].with_columns(region=code)
    ends = {end: pl.col(end).replace({"coast": "440000", "inland": "520000"}) for end in ("origin", "destination")}
    case["routes"] = case["routes"].with_columns(**ends)
    assert list(read_problem(case).index["region"]) == ["440000", "520000"]
