"""``hinterland measure`` and what ``explain`` says of indicators, in the process of the test."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from hinterland.cli.main import invoke
from hinterland.measure.register import INDICATORS

STUDY = """
[study]
title = "Jobs"
[measure.lq]
indicator = "location-quotient"
source = "jobs.csv"
columns = { region = "city", industry = "sector", value = "jobs" }
[measure.second]
indicator = "location-quotient"
source = "measure:lq"
columns = { region = "city", industry = "sector", value = "value" }
"""
TABLE = ("--indicator", "location-quotient", "--column", "region=city", "--column", "industry=sector", "--column", "value=jobs")


@pytest.fixture
def jobs(tmp_path: Path) -> Path:
    frame = pl.DataFrame({"city": ["A", "A", "B", "B"], "sector": ["p", "q", "p", "q"], "jobs": [60, 40, 20, 80]})
    frame.write_csv(tmp_path / "jobs.csv")
    (tmp_path / "study.toml").write_text(STUDY, encoding="utf-8")
    return tmp_path


def run(*arguments: object) -> int:
    return invoke([str(a) for a in arguments])


def test_a_study(jobs: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run("measure", jobs / "study.toml") == 0
    assert "1.5" in capfd.readouterr().out
    assert run("measure", jobs / "study.toml", "--name", "second", "--json") == 0
    (document,) = json.loads(capfd.readouterr().out)
    assert document["measure"] == "second" and document["name"] == "Location quotient" and len(document["values"]) == 4
    assert run("measure", jobs / "study.toml", "-o", jobs / "out.parquet") == 0
    assert set(pl.read_parquet(jobs / "out.parquet")["measure"]) == {"lq", "second"}


def test_a_table(jobs: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run("measure", jobs / "jobs.csv", *TABLE, "--csv") == 0
    shown = pl.read_csv(capfd.readouterr().out.encode())
    assert shown.columns == ["city", "sector", "value", "n_used", "coverage", "reason"]
    assert shown["value"].to_list() == pytest.approx([1.5, 2 / 3, 0.5, 4 / 3])


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("measure", "jobs.csv", *TABLE[:-2]), "missing-role"),
        (("measure", "jobs.csv", *TABLE, "--set", "refrence=x"), "unknown-argument"),
        (("measure", "jobs.csv", *TABLE, "--column", "value"), "bad-pair"),
        (("measure", *TABLE), "missing-argument"),
        (("measure", "none.csv", *TABLE), "no-such-file"),
        (("measure", "jobs.csv", "--indicator", "location-quotent"), "did you mean 'location-quotient'"),
        (("measure", "study.toml", "--set", "a=b"), "needs-indicator"),
        (("measure", "jobs.csv", *TABLE, "--name", "lq"), "study-only"),
        (("measure", "study.toml", "--name", "lqq"), "did you mean 'lq'"),
        (("measure", "study.toml", "--json", "--csv"), "two-formats"),
    ],
)
def test_bad_use(
    jobs: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], says: str
) -> None:
    monkeypatch.chdir(jobs)
    assert run(*arguments) == 2
    said = capfd.readouterr()
    assert says in said.err and not said.out


def test_a_study_without_measures(jobs: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (jobs / "study.toml").write_text(
        '[study]\ntitle = "t"\n[panel]\nsource = "jobs.csv"\nunit = "city"\ntime = "jobs"\n[policy]\ncolumn = "first"\n[[outcome]]\nname = "y"\n',
        encoding="utf-8",
    )
    assert run("measure", jobs / "study.toml") == 2
    assert "no measure" in capfd.readouterr().err


@pytest.mark.parametrize("language", ["en", "zh"])
def test_explain_knows_every_indicator(capfd: pytest.CaptureFixture[str], language: str) -> None:
    assert run("explain", "--language", language) == 0
    listed = capfd.readouterr().out
    assert all(f"    {i}" in listed for i in INDICATORS)
    assert run("explain", "location-quotient", "--language", language) == 0
    said = capfd.readouterr().out
    assert "Florence (1939)" in said and INDICATORS["location-quotient"].caution(language) in said  # type: ignore[arg-type]
    assert "location-quotient.reference" in said
