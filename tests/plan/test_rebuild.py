"""A model built again from another equals the model built from the start, in every number; and where it cannot, it is built from the start."""

from __future__ import annotations

import pickle
from dataclasses import replace

import linopy
import numpy as np
import pandas as pd
import pytest
from cases import every

import hinterland as hl
from hinterland.errors import InputError
from hinterland.plan.algebra import column, spread
from hinterland.plan.building import Building
from hinterland.plan.changes import Change, multiplied
from hinterland.plan.model import Model, build, strict
from hinterland.plan.moves import with_moves
from hinterland.plan.problem import Problem
from hinterland.plan.rebuild import differing, rebuilt
from hinterland.plan.scaling import scalable, scaled
from hinterland.plan.schema import parameters

GROUPS = 8
"""Parameters are changed in so many groups, so that each build checks what a few changes leave in place."""


def assert_same(one: Model, other: Model) -> None:
    """Every array, block and label is the same, to the last bit."""
    p, q = one.program, other.program
    for name in ("cost", "lower", "upper", "row_lower", "row_upper", "integral", "penalty"):
        np.testing.assert_array_equal(getattr(p, name), getattr(q, name), err_msg=name)
    for name in ("data", "indices", "indptr"):
        np.testing.assert_array_equal(getattr(p.matrix, name), getattr(q.matrix, name), err_msg=name)
    assert (p.columns, p.rows, one.columns, one.rows) == (q.columns, q.rows, other.columns, other.rows)
    for mine, theirs in ((p.objectives, q.objectives), (one.costs, other.costs)):
        assert list(mine) == list(theirs)
        for name in mine:
            np.testing.assert_array_equal(mine[name], theirs[name], err_msg=name)
    assert all(a.equals(b) for name, labels in other.labels.items() for a, b in zip(one.labels[name], labels, strict=True))


@pytest.mark.parametrize("group", range(GROUPS))
def test_every_number_of_the_schema(every_problem: Problem, every_model: Model, group: int) -> None:
    names = [n for n in parameters() if scalable(every_problem, n) == "scaled"]
    assert len(names) > 70
    changed = every_problem
    for i, name in enumerate(names[group::GROUPS]):
        changed = scaled(changed, name, 1.0 + 1e-4 * (i + 1))
    again = rebuilt(every_model, changed)
    assert again is not None
    assert_same(again, build(changed))


def test_a_change_is_read_by_few_steps(every_problem: Problem, every_model: Model) -> None:
    assert every_model.trace is not None
    for name, least in (("capex", {"cost capital"}), ("job_floor", {"C18 floors_of_jobs"}), ("levy", {"C9 compensation"})):
        assert {s.name for s in every_model.trace.steps if name in s.reads} == least


def test_again_from_what_was_built_again(every_problem: Problem, every_model: Model) -> None:
    once = build(scaled(every_problem, "demand", 1.01), like=every_model)
    assert once.trace is not every_model.trace
    back = build(every_problem, like=once)
    assert_same(back, every_model)
    assert_same(build(every_problem, like=pickle.loads(pickle.dumps(every_model))), every_model)


def test_programmes_changed_by_hand_do_not_leak(every_problem: Problem, every_model: Model) -> None:
    spoilt = replace(every_model, program=every_model.program.relaxed(), problem=every_problem.with_settings(objective="emissions"))
    assert_same(build(every_problem, like=spoilt), every_model)


def test_another_objective_is_no_other_model(every_problem: Problem, every_model: Model) -> None:
    for aim in ("value-added", "equity"):
        aimed = every_problem.with_settings(objective=aim)
        again = rebuilt(every_model, aimed)
        assert again is not None
        np.testing.assert_array_equal(again.program.cost, every_model.program.aimed_at(aim).cost)


def test_an_objective_without_tables_is_refused(tiny_problem: Problem) -> None:
    with pytest.raises(InputError, match="needs"):
        build(tiny_problem.with_settings(objective="resilience"), like=build(tiny_problem))


def test_what_differs_in_more_than_numbers_is_built(every_problem: Problem, every_model: Model) -> None:
    flags = every_problem["backup_tested"]
    others = {
        "settings": every_problem.with_settings(discount=0.06),
        "flags": every_problem.with_data(backup_tested=flags.copy(data=np.zeros_like(flags.values))),
        "sets": hl.read_problem(every()),
        "off": every_problem.with_settings(off=("C15",)),
    }
    for name, other in others.items():
        assert differing(every_problem, other) is None, name
        assert rebuilt(every_model, other) is None, name
    assert_same(build(others["settings"], like=every_model), build(others["settings"]))


def test_blocks_that_come_or_go_are_built(every_problem: Problem, every_model: Model) -> None:
    gone = multiplied(every_problem, [Change("job_floor", 0.0), Change("price", 0.0), Change("levy", 0.0)])
    assert_same(build(gone, like=every_model), build(gone))


def test_models_with_other_moves_have_no_trace(every_problem: Problem, tiny_problem: Problem) -> None:
    made = build(tiny_problem)
    moved = with_moves(made, tiny_problem, np.ones(len(tiny_problem.index["arc"]), dtype=bool))
    assert moved.trace is None
    assert rebuilt(moved, tiny_problem) is None
    assert_same(build(tiny_problem, like=moved), made)


def test_rows_with_nothing_in_them_keep_their_place(tiny_problem: Problem) -> None:
    """Of rows on a, b and c only b has a variable: linopy leaves the others out of its matrix, the block does not."""
    some, every_label = pd.Index(["b"], name="place"), pd.Index(["a", "b", "c"], name="place")
    with strict():
        b = Building(tiny_problem, linopy.Model(sparse=True))
        x = b.variable("x", some, unit="1", meaning="a variable")
        b.require("rows", spread(2 * x, place=every_label), "<=", column([1.0, 6.0, 2.0], every_label), family="C1", unit="1")
    block = b.blocks["rows"]
    assert block.matrix.toarray().tolist() == [[0.0], [2.0], [0.0]]
    assert block.upper[1] == 6.0
    assert (block.lower == -np.inf).all()
    assert block.labels[0].tolist() == ["a", "b", "c"]
