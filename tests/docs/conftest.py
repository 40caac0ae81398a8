"""The documentation's own tools, and its pages."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


def _load(name: str) -> ModuleType:
    path = ROOT / "docs" / "_ext" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"docs_{name}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def snippets() -> ModuleType:
    return _load("snippets")


@pytest.fixture(scope="session")
def codes() -> ModuleType:
    return _load("codes")


@pytest.fixture(scope="session")
def pages() -> ModuleType:
    return _load("pages")


@pytest.fixture(scope="session")
def docs() -> Path:
    return ROOT / "docs"
