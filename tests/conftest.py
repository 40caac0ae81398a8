"""Fixtures shared by all tests."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "validation"))
from recording import Recorder, record_path

SHARED = Path(__file__).resolve().parents[2] / "shared"


def _folder(name: str) -> Path:
    folder = SHARED / name
    if not folder.is_dir():
        pytest.skip(f"needs ../shared/{name} beside the project: it is not part of the repository")
    return folder


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real panels, registers and tables that lie beside the project."""
    return _folder("data")


@pytest.fixture(scope="session")
def reference() -> Path:
    """Folder of reference values computed with other software."""
    return _folder("reference")


@pytest.fixture
def validated(capsys: pytest.CaptureFixture[str]) -> Iterator[Recorder]:
    """Records what a simulation found, and fails at the end if anything is outside its range."""

    def say(line: str) -> None:
        with capsys.disabled():
            sys.stdout.write(line)

    recorder = Recorder(say, record_path())
    yield recorder
    recorder.fail_if_outside()
