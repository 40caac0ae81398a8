"""``hinterland transfer``, in the process of the test."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
from moves import STUDY, write_moves

from hinterland.cli.main import invoke


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_moves(tmp_path_factory.mktemp("moves"), STUDY)


def run(*arguments: object) -> int:
    return invoke([str(a) for a in arguments])


def test_a_part(study: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run("transfer", study, "--part", "flows", "--csv") == 0
    shown = pl.read_csv(capfd.readouterr().out.encode(), infer_schema_length=None)
    assert set(shown["basis"]) == {"imputed"} and shown["imputed"].all()
    assert run("transfer", study) == 0
    said = capfd.readouterr()
    assert "note:" in said.err
    assert run("transfer", study, "--language", "zh") == 0
    assert any("\u4e00" <= c <= "\u9fff" for c in capfd.readouterr().err)


def test_the_document_has_every_part(study: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run("transfer", study, "--json") == 0
    document = json.loads(capfd.readouterr().out)
    assert {"scale", "structure", "sources", "flows", "selection", "security", "paths"} <= set(document["parts"])
    assert document["meta"]["hosts"] == ["四川", "重庆"] and document["notes"]


def test_a_file(study: Path, tmp_path: Path) -> None:
    assert run("transfer", study, "--part", "paths", "-o", tmp_path / "paths.parquet") == 0
    assert pl.read_parquet(tmp_path / "paths.parquet").height > 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--part", "flow"), "did you mean 'flows'"),
        (("--part", "flows", "--json", "--csv"), "two-formats"),
    ],
)
def test_bad_use(study: Path, capfd: pytest.CaptureFixture[str], arguments: tuple[str, ...], says: str) -> None:
    assert run("transfer", study, *arguments) == 2
    said = capfd.readouterr()
    assert says in said.err and not said.out


def test_a_study_without_transfer(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    text = '[study]\ntitle = "t"\n[measure.lq]\nindicator = "location-quotient"\nsource = "jobs.csv"\n'
    text += 'columns = { region = "province", industry = "sector", value = "jobs", time = "year" }\n'
    assert run("transfer", write_moves(tmp_path, text)) == 2
    assert "nothing-to-do" in capfd.readouterr().err
