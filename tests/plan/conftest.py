"""Make the cases beside the tests importable, and build the one with every table once."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from cases import every

from hinterland.plan.case import read_problem
from hinterland.plan.model import Model, build
from hinterland.plan.problem import Problem


@pytest.fixture(scope="session")
def whole() -> Problem:
    """The problem in which every family binds or could."""
    return read_problem(every())


@pytest.fixture(scope="session")
def whole_model(whole: Problem) -> Model:
    """Its model."""
    return build(whole)
