"""The rows of each family as text, kept in ``golden/`` and read by people against the formulas of the families.

To write the texts anew after a change that is meant: ``REWRITE_GOLDEN=1 pytest tests/plan/test_text.py``, and read the difference.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from golden_cases import GOLDEN, Case

from hinterland.plan.case import read_problem
from hinterland.plan.constraints import FAMILIES
from hinterland.plan.model import Model, build
from hinterland.plan.problem import Problem
from hinterland.plan.result import Plan
from hinterland.plan.text import as_text

FOLDER = Path(__file__).parent / "golden"


@cache
def built(case: Callable[[], Case], settings: tuple[tuple[str, object], ...]) -> Model:
    """The model of a case, at a discount rate whose factors are short: 1, 0.8, 0.64, 0.512."""
    return build(read_problem(case(), settings={"discount": 0.25, **dict(settings)}))


@pytest.mark.parametrize("name", GOLDEN)
def test_rows_of_each_family_are_as_they_were_read(name: str) -> None:
    golden = GOLDEN[name]
    model = built(golden.case, tuple(golden.settings.items()))
    found, path = as_text(model, golden.rows, golden.costs), FOLDER / f"{name}.txt"
    if os.environ.get("REWRITE_GOLDEN"):
        path.write_text(found, encoding="utf-8")
    assert found == path.read_text(encoding="utf-8")


def test_every_family_has_a_text_and_every_text_a_family() -> None:
    assert {name.split("-")[0] for name in GOLDEN} == {f.id for f in FAMILIES}
    assert {p.stem for p in FOLDER.glob("*.txt")} == set(GOLDEN)


def test_every_block_of_rows_is_in_some_text(every_plan: Plan) -> None:
    """Blocks of the case with every table, by the name before the colon; those of objectives have no family."""
    texts = "".join(p.read_text(encoding="utf-8") for p in FOLDER.glob("*.txt"))
    said = {line[2:].split(":")[0] for line in texts.splitlines() if line.startswith("# ")}
    blocks = {name.split(":")[0] for name, row in every_plan.model.rows.items() if row.family != "objective"}
    assert blocks - said == set()


def test_the_whole_model_is_the_sum_of_its_blocks(tiny_problem: Problem) -> None:
    model = build(tiny_problem)
    whole = [line for line in as_text(model).splitlines() if "]: " in line]
    parts = [line for block in model.rows for line in as_text(model, [block]).splitlines() if "]: " in line]
    assert sorted(whole) == sorted(parts)
    assert len(whole) == model.program.shape[0]
