"""Fixtures of the report's tests: a small run record."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from synthetic import write_record

from hinterland.report.record import Record, read_record


@pytest.fixture(scope="session")
def record(tmp_path_factory: pytest.TempPathFactory) -> Record:
    """A record with every table."""
    return read_record(write_record(tmp_path_factory.mktemp("run")))


@pytest.fixture
def changed(tmp_path: Path) -> Callable[..., Record]:
    """A record with other numbers or fewer tables."""
    return lambda **changes: read_record(write_record(tmp_path / "run", **changes))


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder after its report was written in both languages."""
    from hinterland.report.document import write_report

    folder = write_record(tmp_path_factory.mktemp("written"))
    write_report(folder, ["en", "zh"], ["html", "docx", "pdf", "tex"])
    return folder
