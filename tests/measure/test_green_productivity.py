"""Malmquist–Luenberger indices: the worked example, identities, and worlds whose productivity is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from hinterland.measure.efficiency import Model
from hinterland.measure.green_productivity import (
    global_inefficiency,
    global_malmquist_luenberger,
    level,
    malmquist_luenberger,
    yearly_inefficiency,
)

Floats = NDArray[np.float64]
ONES = np.ones((2, 2, 1))
Y = np.array([[[2.0], [1.0]], [[2.4], [1.5]]])
B = np.array([[[1.0], [1.0]], [[1.0], [0.9]]])
TOY = Model("ddf", "crs", "weak", "own-outputs")
SIX = {"atol": 5e-7}
"""Printed to six digits."""


def world(seed: int, years: int = 4, regions: int = 12) -> tuple[Floats, Floats, Floats]:
    rng = np.random.default_rng(seed)
    x = np.exp(0.4 * rng.normal(size=(years, regions, 2)))
    y = np.sqrt(x.prod(axis=2, keepdims=True)) * np.exp(-np.abs(0.3 * rng.normal(size=(years, regions, 1))))
    return x, y, y * np.exp(0.3 * rng.normal(size=y.shape))


def test_worked_example() -> None:
    found = global_malmquist_luenberger(ONES, Y, B, TOY)
    np.testing.assert_allclose(found.within.value, [[0, 0.333333], [0, 0.180328]], **SIX)
    np.testing.assert_allclose(found.globally.value, [[0.090909, 0.411765], [0, 0.180328]], **SIX)
    np.testing.assert_allclose(found.index[1], [1.090909, 1.196078], **SIX)
    np.testing.assert_allclose(found.efficiency_change[1], [1, 1.129630], **SIX)
    np.testing.assert_allclose(found.best_practice_change[1], [1.090909, 1.058824], **SIX)
    assert np.isnan(found.index[0]).all()
    np.testing.assert_allclose(found.level, [[1, 1], [1.090909, 1.196078]], **SIX)
    np.testing.assert_allclose(yearly_inefficiency(ONES, Y, B).value[1], [0, 0.263889], **SIX)


def test_worked_example_between_adjacent_years() -> None:
    found = malmquist_luenberger(ONES, Y, B, TOY)
    assert found.infeasible.tolist() == [[False, False], [True, False]]
    assert np.isnan(found.index[1, 0]) and found.index[1, 1] == pytest.approx(1.209080, abs=5e-7)
    assert np.isnan(found.level[1, 0]) and found.level[1, 1] == pytest.approx(1.209080, abs=5e-7)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000), distance=st.sampled_from(["sbm", "ddf"]))
def test_identities(seed: int, distance: str) -> None:
    """GML = EC × BPC; the index is circular; the level is its product; the global frontier holds each year's."""
    x, y, b = world(seed)
    found = global_malmquist_luenberger(x, y, b, Model(distance))  # type: ignore[arg-type]
    np.testing.assert_allclose(found.index[1:], (found.efficiency_change * found.best_practice_change)[1:], rtol=1e-12)
    np.testing.assert_allclose(found.index[1:].prod(axis=0), (1 + found.globally.value[0]) / (1 + found.globally.value[-1]), rtol=1e-12)
    np.testing.assert_allclose(found.level[1:], np.cumprod(found.index[1:], axis=0), rtol=1e-12)
    assert (found.globally.value >= found.within.value - 1e-9).all()


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_one_input_one_output(seed: int) -> None:
    """Without pollution, under constant returns, both indices are the growth of output per input, whatever the frontier."""
    rng = np.random.default_rng(seed)
    x, y = (np.exp(rng.normal(size=(5, 6, 1))) for _ in range(2))
    none = np.empty((5, 6, 0))
    ratio = (y / x)[..., 0]
    growth = ratio[1:] / ratio[:-1]
    np.testing.assert_allclose(global_malmquist_luenberger(x, y, none, TOY).index[1:], growth, rtol=1e-9)
    np.testing.assert_allclose(malmquist_luenberger(x, y, none, TOY).index[1:], growth, rtol=1e-9)
    np.testing.assert_allclose(yearly_inefficiency(x, y, none, TOY).value, ratio.max(axis=1, keepdims=True) / ratio - 1, atol=1e-9)


def test_a_frontier_that_moves_by_a_known_factor() -> None:
    """All regions raise output by 5 % a year at the same inputs and pollution: nobody catches up, the frontier does it all."""
    x, y, b = (a[:1].repeat(4, axis=0) for a in world(1))
    b = np.empty((4, 12, 0))
    y = y * 1.05 ** np.arange(4)[:, None, None]
    found = global_malmquist_luenberger(x, y, b, TOY)
    np.testing.assert_allclose(found.efficiency_change[1:], 1.0, rtol=1e-9)
    np.testing.assert_allclose(found.best_practice_change[1:], 1.05, rtol=1e-9)
    np.testing.assert_allclose(malmquist_luenberger(x, y, b, TOY).technical_change[1:], 1.05, rtol=1e-9)


def test_gaps_break_the_index_but_not_the_level() -> None:
    x, y, b = world(2)
    y[1, 0] = np.nan
    found = global_malmquist_luenberger(x, y, b)
    assert np.isnan(found.index[:3, 0]).all() and np.isfinite(found.index[3, 0])
    assert np.isfinite(found.level[[0, 2, 3], 0]).all() and np.isnan(found.level[1, 0])
    assert found.globally.reasons["missing-input"][1, 0] and found.globally.reasons["missing-input"].sum() == 1
    assert found.within.spanning[:, 0].tolist() == [12, 11, 12, 12]
    adjacent = malmquist_luenberger(x, y, b)
    assert np.isnan(adjacent.level[1:, 0]).all()


def test_a_year_without_anybody() -> None:
    x, y, b = world(3)
    x[2] = np.nan
    found = yearly_inefficiency(x, y, b, Model(direction="mean"))
    assert np.isnan(found.value[2]).all() and found.reasons["empty-frontier"][2].all() and np.isfinite(found.value[[0, 1, 3]]).all()
    assert np.isfinite(global_inefficiency(x, y, b).value[[0, 1, 3]]).all()
    nobody = np.full_like(x, np.nan)
    assert np.isnan(global_malmquist_luenberger(nobody, y, b, Model(direction="mean")).level).all()


def test_level_starts_at_the_first_known_year() -> None:
    np.testing.assert_allclose(level(np.array([[np.nan], [0.5], [0.2]])), [[np.nan], [1.0], [1.25]])


def test_of_slacks_measured_across_years_many_have_no_solution() -> None:
    x, y, b = world(4)
    assert malmquist_luenberger(x, y, b).infeasible[1:].mean() > 0.2
    assert np.isfinite(global_malmquist_luenberger(x, y, b).index[1:]).all()
