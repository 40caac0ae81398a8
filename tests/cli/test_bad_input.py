"""Bad input, end to end: a message with what, where and remedy, exit code 2, no traceback, nothing that looks finished."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from small import STUDY, small_panel, write_small

from hinterland.cli.main import invoke

Change = Callable[[pl.DataFrame], pl.DataFrame]
Y_ONLY = STUDY.replace('[[outcome]]\nname = "count"\nfamily = "poisson"\n', "")


def same(frame: pl.DataFrame) -> pl.DataFrame:
    return frame


def fails(study: Path, capfd: pytest.CaptureFixture[str], *codes: str) -> str:
    out = study.parent / "out"
    assert invoke(["run", str(study), "-o", str(out)]) == 2
    said = capfd.readouterr()
    assert said.out == ""
    assert "Traceback" not in said.err
    for code in codes:
        assert f"[{code}]" in said.err
    assert said.err.count("where:") == said.err.count("do:") >= len(codes)
    assert not out.exists()
    return said.err


@pytest.mark.parametrize(
    ("study", "change", "code"),
    [
        (STUDY.replace('source = "small.csv"', 'source = "smal.csv"'), same, "missing-file"),
        (STUDY.replace('unit = "city"', 'unit = "ctiy"'), same, "unknown-column"),
        (STUDY.replace('name = "y"', 'name = "yy"'), same, "unknown-column"),
        (STUDY.replace('unit = "city"', 'unit = "city"\nencoding = "utf-32"'), same, "wrong-encoding"),
        (STUDY.replace('unit = "city"', 'unit = "city"\nencoding = "klingon"'), same, "unknown-encoding"),
        (STUDY.replace('unit = "city"', 'unit = "city"\nyears = [1950, 1960]'), same, "years-outside"),
        (STUDY, lambda f: f.with_columns(y=pl.lit(3.5)), "constant-outcome"),
        (
            STUDY.replace('column = "first"', 'treatment = "on"'),
            lambda f: f.with_columns(on=(pl.col("year") == 2004).cast(pl.Int8)),
            "treatment-reversal",
        ),
        (Y_ONLY, lambda f: f.with_columns(first=pl.col("first").replace(0, 2005)), "no-never-treated"),
        (Y_ONLY, lambda f: f.with_columns(first=pl.lit(1999)), "all-always-treated"),
        (STUDY, lambda f: pl.concat([f, f.head(2)]), "duplicate-unit-period"),
        (STUDY, lambda f: f.clear(), "empty-panel"),
    ],
)
def test_bad_input(tmp_path: Path, capfd: pytest.CaptureFixture[str], study: str, change: Change, code: str) -> None:
    path = write_small(tmp_path, study)
    change(small_panel()).write_csv(tmp_path / "small.csv")
    fails(path, capfd, code)


def test_several_problems_are_said_at_once(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = write_small(tmp_path)
    frame = small_panel().with_columns(y=pl.when(pl.col("city") == "C03").then(pl.lit("n.k.")).otherwise(pl.col("y").cast(pl.String)))
    pl.concat([frame, frame.head(1)]).write_csv(tmp_path / "small.csv")
    said = fails(path, capfd, "not-a-number", "duplicate-unit-period")
    assert "n.k." in said


def test_a_large_file_with_one_bad_cell_names_its_row(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = write_small(tmp_path)
    frame = small_panel(units=125_000).select("city", "year", "first", "side", "count", y=pl.col("y").round(3).cast(pl.String))
    frame = frame.with_row_index().with_columns(y=pl.when(pl.col("index") == 777_776).then(pl.lit("1.2.3")).otherwise("y")).drop("index")
    frame.write_csv(tmp_path / "small.csv")
    said = fails(path, capfd, "not-a-number")
    assert "1.2.3" in said
    assert "777778" in said or "777,778" in said


def test_a_cohort_of_one_unit_is_refused_or_kept_by_name(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = write_small(tmp_path, Y_ONLY)
    small_panel().with_columns(first=pl.when(pl.col("city") == "C00").then(2004).otherwise("first")).write_csv(tmp_path / "small.csv")
    said = fails(path, capfd, "single-unit-cohort")
    assert "C00" in said
    assert "2004" in said
    path.write_text(path.read_text(encoding="utf-8").replace("[policy]", '[policy]\nsingle_unit_cohorts = "keep"'), encoding="utf-8")
    assert invoke(["run", str(path), "-o", str(tmp_path / "out"), "--only", "evaluate"]) == 0
    assert "one unit" in capfd.readouterr().err


def test_an_unexpected_error_is_one_line_and_code_1(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("by nought")

    monkeypatch.setattr("hinterland.study.packaged.table", broken)
    assert invoke(["data", "show", "cities"]) == 1
    said = capfd.readouterr().err
    assert "ZeroDivisionError: by nought" in said
    assert "--debug" in said
    assert "Traceback" not in said


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no device that is always full")
def test_a_full_disk_is_no_defect(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    with open("/dev/full", "w", encoding="utf-8") as full:  # noqa: PTH123  # a text stream over the device
        monkeypatch.setattr("sys.stdout", full)
        assert invoke(["explain"]) == 1
        monkeypatch.undo()
        with contextlib.suppress(OSError):
            full.close()
    said = capfd.readouterr().err
    assert "cannot be written" in said
    assert "defect" not in said
