"""[plan.columns]: a study whose plan has some of the moves, and a certificate for all of them."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from tests.plan.cases import every
from tests.plan.scale_cases import Case, scattered

import hinterland as hl
from hinterland.errors import StudyError
from hinterland.study.load import load_study
from hinterland.study.workspace import Workspace

STUDY = '[study]\ntitle = "A plan"\nlanguage = "both"\n[plan]\ncase = "case"\n{more}'


def written(folder: Path, case: Case, more: str) -> Path:
    (folder / "case").mkdir()
    for name, frame in case.items():
        frame.write_csv(folder / "case" / f"{name}.csv")
    path = folder / "study.toml"
    path.write_text(STUDY.format(more=more), encoding="utf-8")
    return path


def separate() -> Case:
    case = scattered(1, industries=3)
    del case["inputs"]
    return case


def test_a_study_records_the_certificate_and_its_report_shows_it(tmp_path: Path) -> None:
    case = separate()
    path = written(tmp_path, case, '[plan.columns]\nhosts = 1\nper_cell = 1\n[report]\nformats = ["html"]\n')
    hl.run(path, tmp_path / "out")
    facts = dict(pl.read_parquet(tmp_path / "out" / "tables" / "plan_solver.parquet").select("key", "value").iter_rows())
    whole = hl.plan(hl.read_problem(case)).solution.objective
    assert float(facts["objective"]) == pytest.approx(whole, rel=1e-7)
    assert float(facts["bound"]) == pytest.approx(whole, rel=1e-6)
    assert int(facts["arcs"]) == 36
    assert 0 < int(facts["excluded"]) < 36
    assert float(facts["minimum"]) >= -float(facts["tolerance"])
    assert facts["complete"] == "True"
    notes = pl.read_parquet(tmp_path / "out" / "tables" / "notes.parquet")
    assert "plan-certified" in notes["code"].to_list()
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "Moves left out of the model" in page
    assert "未进入模型的转移" in page


@pytest.mark.parametrize("key", ["pareto", "alternatives", "sensitivity"])
def test_what_needs_all_moves_is_refused(tmp_path: Path, key: str) -> None:
    with pytest.raises(StudyError) as error:
        load_study(written(tmp_path, separate(), f"[plan.columns]\n[plan.{key}]\n"))
    assert [(f.code, f.where) for f in error.value.findings] == [("needs-all-moves", error.value.findings[0].where)]
    assert f"plan.{key}" in error.value.findings[0].where


def test_agreements_are_refused_with_their_place(tmp_path: Path) -> None:
    case = {name: frame for name, frame in every().items() if name != "agglomeration"}
    work = Workspace(load_study(written(tmp_path, case, "[plan.columns]\n")))
    with pytest.raises(StudyError, match="agreements"):
        _ = work.pathway
