"""Programmes made one: what is shared is there once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hinterland.errors import InputError
from hinterland.plan.compose import compose, mean_program
from hinterland.plan.model import Model
from hinterland.plan.solve import SolverOptions, solve

TIGHT = SolverOptions(gap=1e-7)


def test_what_is_decided_together_is_one_programme(every_model: Model) -> None:
    """Three equal scenarios that share everything are the programme itself: columns, rows and optimum."""
    program = every_model.program.aimed_at("cost")
    whole = compose([program] * 3, [0.2, 0.3, 0.5], np.zeros((3, program.shape[1]), dtype=np.int64))
    assert whole.program.shape == program.shape
    assert whole.program.matrix.nnz == program.matrix.nnz
    assert solve(whole.program, TIGHT).objective == pytest.approx(solve(program, TIGHT).objective, rel=1e-7)
    assert (whole.row_at == whole.row_at[0]).all()


def test_what_is_decided_apart_is_there_for_each(every_model: Model) -> None:
    """Nothing shared: two programmes side by side, and the mean of their optima."""
    program = every_model.program.aimed_at("cost")
    dearer = replace(program, cost=2 * program.cost)
    whole = compose([program, dearer], [0.25, 0.75], np.arange(2)[:, None] * np.ones((1, program.shape[1]), dtype=np.int64))
    assert whole.program.shape == (2 * program.shape[0], 2 * program.shape[1])
    assert solve(whole.program, TIGHT).objective == pytest.approx(1.75 * solve(program, TIGHT).objective, rel=1e-6)


def test_rows_of_shared_columns_are_there_once_unless_they_differ(every_model: Model) -> None:
    """Moves are shared, all else is not: rows of moves alone are kept once, and twice where a side differs."""
    program = every_model.program.aimed_at("cost")
    together = np.ones((2, program.shape[1]), dtype=np.int64) * np.arange(2)[:, None]
    start, end, _ = program.columns["move"]
    together[:, start:end] = 0
    first, last, _ = program.columns["departures"]
    together[:, first:last] = 0
    once = compose([program, program], [0.5, 0.5], together).program.shape[0]
    rows = [np.arange(*program.rows[name][:2]) for name in ("departures", "release_in_year", "release_in_all")]
    assert once == 2 * program.shape[0] - sum(len(r) for r in rows)
    upper = program.row_upper.copy()
    upper[rows[1][0]] += 1.0
    assert compose([program, replace(program, row_upper=upper)], [0.5, 0.5], together).program.shape[0] == once + 1


def test_a_shared_decision_without_a_value_is_found(every_model: Model) -> None:
    program = every_model.program.aimed_at("cost")
    start, end, _ = program.columns["greenfield"]
    lower, upper = program.lower.copy(), program.upper.copy()
    lower[start:end], upper[start:end] = 5.0, 4.0
    shared = np.zeros((2, program.shape[1]), dtype=np.int64)
    with pytest.raises(InputError, match="no value: greenfield"):
        compose([replace(program, lower=lower), replace(program, upper=upper)], [0.5, 0.5], shared)


def test_the_mean_programme_has_the_mean_of_every_number(every_model: Model) -> None:
    program = every_model.program.aimed_at("cost")
    other = replace(program, cost=3 * program.cost, matrix=2 * program.matrix, row_upper=program.row_upper + 4, upper=program.upper + 1)
    mean = mean_program([program, other], [0.75, 0.25])
    np.testing.assert_allclose(mean.cost, 1.5 * program.cost)
    np.testing.assert_allclose(mean.matrix.toarray(), 1.25 * program.matrix.toarray())
    np.testing.assert_allclose(mean.row_upper, program.row_upper + 1)
    np.testing.assert_allclose(mean.upper, program.upper + 0.25)
