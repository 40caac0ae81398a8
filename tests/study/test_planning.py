"""A study's planning case: from a folder, prepared tables and an input-output table, put together and checked."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from hinterland.errors import StudyError
from hinterland.study.case_tables import Part, combined
from hinterland.study.load import load_study
from hinterland.study.planning import plan_sources, problem_of
from hinterland.study.workspace import Workspace

STUDY = """
[study]
title = "A plan"
[table.people]
source = "people.csv"
[plan]
case = "case"
discount = 0.05
off = ["C13"]
{more}
"""
FILES = {
    "case/industries.csv": "industry\ncorn\ncars\n",
    "case/regions.csv": "region,source,host\nA,true,false\nB,false,true\n",
    "case/phases.csv": "phase\nfirst\n",
    "case/years.csv": "year,phase\n2024,first\n2025,first\n",
    "case/cells.csv": "region,industry,capacity\nA,corn,10\nA,cars,20\nB,corn,5\nB,cars,1\n",
    "people.csv": "place,heads\nA,1000\nB,2000\n",
}
TABLES = '[plan.tables]\nregions = { source = "table:people", columns = { place = "region", heads = "population" }, scale = { population = 10 } }\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def study(folder: Path, more: str = TABLES, data: Path | None = None) -> Workspace:
    path = folder / "study.toml"
    path.write_text(STUDY.format(more=more), encoding="utf-8")
    return Workspace(load_study(path, data=data))


def test_folder_and_prepared_tables_make_one_case(folder: Path) -> None:
    problem = problem_of(study(folder))
    assert problem["population"].sel(region="B").values.ravel()[0] == 20_000
    assert float(problem["capacity"].sel(cell="A/cars")) == 20
    assert problem.settings.discount == 0.05
    assert problem.settings.off == ("C13",)


def test_files_beside_the_study_are_found_when_data_lie_elsewhere(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("data")
    (elsewhere / "people.csv").write_text("place,heads\nA,1\nB,3\n", encoding="utf-8")
    work = study(folder, data=elsewhere)
    assert problem_of(work)["population"].sel(region="B").values.ravel()[0] == 30, "the data folder comes first"
    assert ("plan", "case") in [key for key, _ in plan_sources(work.loaded)]


def test_constant_columns_and_several_sources(folder: Path) -> None:
    (folder / "limit.csv").write_text("place,most\nA,7\n", encoding="utf-8")
    (folder / "case" / "resources.csv").write_text("resource\ncarbon\n", encoding="utf-8")
    more = (
        "[plan.tables]\nlimits = [\n"
        + "".join(
            f'{{ source = "limit.csv", columns = {{ place = "region", most = "value" }}, set = {{ resource = "carbon", year = {y} }}, '
            f"scale = {{ value = {f} }} }},\n"
            for y, f in ((2024, 1), (2025, 2))
        )
        + "]\n"
    )
    problem = problem_of(study(folder, more))
    assert problem["limit"].sel(resource="carbon", region="A").values.tolist() == [7, 14]


@pytest.mark.parametrize(
    ("more", "code", "where"),
    [
        ('[plan.tables]\nregion = "people.csv"\n', "unknown-table", "plan.tables.region"),
        ('[plan.tables]\nregions = "table:nobody"\n', "unknown-table", "plan.tables.regions"),
        ('[plan.tables]\nregions = "measure:nothing"\n', "unknown-measure", "plan.tables.regions"),
        ('[plan.units]\nwages = "yuan"\n', "unknown-parameter", "plan.units.wages"),
        ('[plan.economy]\nsource = "io"\nlayout = "long"\nreference = 2012\n', "needs-estimate", "plan.economy.reference"),
        ('[plan.economy]\nsource = "io"\nlayout = "long"\nprices = "constant 2012"\n', "unused-key", "plan.economy.prices"),
        ('[plan.economy]\nsource = "io"\nlayout = "long"\ngateways = "g.csv"\n', "needs-freight", "plan.economy.gateways"),
        ('[plan.economy]\nsource = "io"\nlayout = "long"\nmarkets = { a = 0.5 }\n', "bad-value", "plan.economy.markets"),
        ('[plan.economy]\nsource = "io"\nlayout = "long"\nroutes = 0\n', "bad-value", "plan.economy.routes"),
        ("[plan.tables]\nregions = { source = 3 }\n", "wrong-type", "plan.tables.regions"),
    ],
)
def test_what_the_file_says_wrong_is_said_with_its_place(folder: Path, more: str, code: str, where: str) -> None:
    with pytest.raises(StudyError) as error:
        study(folder, more)
    found = [(f.code, f.where) for f in error.value.findings]
    assert code in [c for c, _ in found]
    assert any(where in w for c, w in found if c == code)


def test_unknown_families_and_objectives(folder: Path) -> None:
    with pytest.raises(StudyError) as error:
        study(folder, 'off = ["C99"]\n'.replace("off", 'roles = true\nobjective = "profit"\nname'))
    assert "plan.objective" in error.value.findings[0].where
    path = folder / "study.toml"
    path.write_text(STUDY.format(more="").replace('["C13"]', '["C99"]'), encoding="utf-8")
    with pytest.raises(StudyError) as error:
        load_study(path)
    assert error.value.findings[0].code == "unknown-family"


@pytest.mark.parametrize(
    ("more", "code"),
    [
        (TABLES.replace("place =", "town ="), "unknown-column"),
        (TABLES.replace("population = 10", "region = 10"), "not-a-number"),
        ('[plan.tables]\ncells = "more.csv"\n', "given-twice"),
        ('[plan.tables]\ncells = "twice.csv"\n', "duplicate-row"),
        ('[plan.tables]\ncells = "people.csv"\n', "missing-column"),
    ],
)
def test_tables_that_do_not_fit_are_said(folder: Path, more: str, code: str) -> None:
    (folder / "more.csv").write_text("region,industry,capacity\nA,corn,11\n", encoding="utf-8")
    (folder / "twice.csv").write_text("region,industry,capex\nA,corn,1\nA,corn,2\n", encoding="utf-8")
    with pytest.raises(StudyError) as error:
        problem_of(study(folder, more))
    assert code in [f.code for f in error.value.findings]
    assert all("study.toml" in f.where for f in error.value.findings)


def test_a_missing_folder_and_a_study_without_plan(folder: Path) -> None:
    work = study(folder, "")
    (folder / "case").rename(folder / "moved")
    with pytest.raises(StudyError) as error:
        problem_of(work)
    assert error.value.findings[0].code == "missing-folder"


def test_nothing_to_plan_from(folder: Path) -> None:
    path = folder / "study.toml"
    path.write_text('[study]\ntitle = "t"\n[plan]\nname = "empty"\n', encoding="utf-8")
    with pytest.raises(StudyError) as error:
        load_study(path)
    assert [f.code for f in error.value.findings] == ["nothing-to-plan"]


def test_rows_meet_by_keys_and_blanks_are_keys() -> None:
    wide = pl.DataFrame({"resource": ["carbon"], "industry": ["corn"], "value": [1.0]})
    narrow = pl.DataFrame({"region": ["A", None], "resource": ["carbon"] * 2, "industry": ["corn"] * 2, "improvement": [0.1, 0.2]})
    made, findings = combined([Part("intensities", wide, "one"), Part("intensities", narrow, "two")])
    assert findings == []
    rows = made["intensities"].sort("region", nulls_last=True).select("region", "value", "improvement").rows()
    assert rows == [("A", None, 0.1), (None, 1.0, 0.2)]
