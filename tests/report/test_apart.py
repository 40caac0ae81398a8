"""Languages written side by side: the same files, and errors and warnings that come through."""

from __future__ import annotations

import subprocess
import sys
import warnings
from pathlib import Path

import pytest
from synthetic import write_record

from hinterland.errors import HinterlandWarning
from hinterland.labels import Language
from hinterland.report import apart
from hinterland.report.document import write_report
from hinterland.report.part import Job, Part
from hinterland.report.record import Record, read_record

BOTH = ["zh", "en"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_record(tmp_path_factory.mktemp("apart"))


def files(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_side_by_side_gives_the_files_of_one_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    together, alone = write_record(tmp_path / "together"), write_record(tmp_path / "alone")
    asked: list[Language] = []

    def here(job: Job, record: Record) -> Part:
        asked.append(job.language)
        return original(job, record)

    original = apart.written
    monkeypatch.setattr(apart, "written", here)
    monkeypatch.setattr(apart, "processors", lambda: 2)
    first = write_report(together, BOTH, ["html", "docx", "pdf", "tex"])
    assert asked == ["zh"]
    monkeypatch.setattr(apart, "processors", lambda: 1)
    second = write_report(alone, BOTH, ["html", "docx", "pdf", "tex"])
    assert asked == ["zh", "zh", "en"]
    assert [p.relative_to(together) for p in first] == [p.relative_to(alone) for p in second]
    assert files(together) == files(alone)


def test_where_another_process_fails_its_error_shows_here(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(job: Job, record: Record) -> Part:
        if job.language == "en":
            raise OSError("no room")
        return Part((), {}, None)

    jobs = [Job(run, "zh", ()), Job(run / "nowhere", "en", (), ".en")]
    monkeypatch.setattr(apart, "processors", lambda: 2)
    monkeypatch.setattr(apart, "written", broken)
    with pytest.raises(OSError, match="no room"):
        apart.write_parts(jobs, read_record(run))
    monkeypatch.setattr(sys, "executable", str(run / "no-python"))
    with pytest.raises(OSError, match="no room"):
        apart.write_parts(jobs, read_record(run))


def test_warnings_of_the_other_process_are_given_here(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    part = Part((), {}, None)
    monkeypatch.setattr(apart, "processors", lambda: 2)
    monkeypatch.setattr(apart, "written", lambda *_: part)
    monkeypatch.setattr(apart.pickle, "loads", lambda _: (part, [(HinterlandWarning, "mind this")]))
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        apart.write_parts([Job(run, "zh", ()), Job(run, "en", (), ".en")], read_record(run))
    assert [str(w.message) for w in said if w.category is HinterlandWarning] == ["mind this"]


def test_a_script_without_a_guard_runs_once(tmp_path: Path) -> None:
    folder = write_record(tmp_path / "run")
    script = tmp_path / "script.py"
    script.write_text(
        "from hinterland.report import apart\nfrom hinterland.report.document import write_report\n"
        f"apart.processors = lambda: 2\nprint('once')\nwrite_report({str(folder)!r}, ['en', 'zh'], ['tex'])\n",
        encoding="utf-8",
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=True)
    assert done.stdout == "once\n"
    assert (folder / "report.zh.tex").is_file()
