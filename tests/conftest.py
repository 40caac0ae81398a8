"""Fixtures shared by all tests."""

from __future__ import annotations

from pathlib import Path

import pytest

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
