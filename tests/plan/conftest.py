"""Make the cases beside the tests importable, and build and solve the base cases once."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from cases import every, tiny

from hinterland.plan.case import read_problem
from hinterland.plan.entry import plan
from hinterland.plan.model import Model, build
from hinterland.plan.problem import Problem
from hinterland.plan.result import Plan


@pytest.fixture(scope="session")
def tiny_problem() -> Problem:
    return read_problem(tiny())


@pytest.fixture(scope="session")
def every_problem() -> Problem:
    return read_problem(every())


@pytest.fixture(scope="session")
def every_model(every_problem: Problem) -> Model:
    return build(every_problem)


@pytest.fixture(scope="session")
def tiny_plan(tiny_problem: Problem) -> Plan:
    return plan(tiny_problem)


@pytest.fixture(scope="session")
def every_plan(every_problem: Problem, every_model: Model) -> Plan:
    return plan(every_problem, model=every_model)
