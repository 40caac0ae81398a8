"""Weber's point against theorems and a general optimiser; stages of a product cycle from curves whose stages are known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from hinterland.measure.location import LIFE_STAGES, STAGES, entry_stages, logistic_stages, weber_point, weber_site

TRIANGLE = np.array([[0.0, 0], [4, 0], [2, 2 * np.sqrt(3)]])


def test_equilateral_triangle_meets_at_its_centre() -> None:
    w = weber_point(TRIANGLE, np.ones(3))
    assert np.allclose(w.point, [2, 2 / np.sqrt(3)], atol=1e-8) and w.converged and w.vertex == -1
    assert w.cost == pytest.approx(4 * np.sqrt(3))


def test_majority_theorem() -> None:
    """One weight at least the sum of the others: the optimum is there."""
    assert weber_point(TRIANGLE, np.array([1.0, 2, 1])).vertex == 1
    assert weber_point(TRIANGLE, np.array([1.0, 5, 1])).vertex == 1
    assert weber_point(TRIANGLE, np.array([1.0, 1, 1.9])).vertex in (-1, 2)


def test_vertex_of_a_wide_angle() -> None:
    """No majority, but an angle above 120 degrees pulls the optimum into the corner."""
    assert weber_point(np.array([[-2.0, 0.5], [0, 0], [2, 0.5]]), np.ones(3)).vertex == 1


def test_points_on_top_of_each_other_count_together() -> None:
    w = weber_point(np.array([[0.0, 0], [0, 0], [3, 0]]), np.array([1.0, 1, 1.5]))
    assert np.allclose(w.point, 0)
    assert weber_point(np.array([[1.0, 2]]), np.array([3.0])).cost == 0


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 9))
def test_no_point_is_cheaper(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    points, weights = rng.uniform(-10, 10, (count, 2)), rng.uniform(0.2, 3, count)
    w = weber_point(points, weights)
    cost = lambda p: float(weights @ np.linalg.norm(points - p, axis=1))  # noqa: E731
    other = minimize(cost, w.point + 0.1, method="Nelder-Mead", options={"xatol": 1e-10, "fatol": 1e-12})
    assert w.cost <= other.fun + 1e-7 and w.cost == pytest.approx(cost(w.point))
    if weights.max() >= weights.sum() - weights.max():
        assert w.vertex == weights.argmax()


def test_bad_points() -> None:
    for points, weights in ((np.empty((0, 2)), np.empty(0)), (TRIANGLE, np.array([1.0, 0, 1]))):
        with pytest.raises(ValueError, match="Weber"):
            weber_point(points, weights)


def test_site() -> None:
    distance = np.array([[0.0, 10], [5, 5]])
    s = weber_site(distance, np.array([1.0, 2]), rate=0.5, wage=np.array([3.0, 2]), labour=4.0, saving=np.array([0.0, 1]))
    assert s.transport.tolist() == [10, 7.5] and s.labour.tolist() == [12, 8] and s.total.tolist() == [22, 14.5] and s.best == 1
    assert weber_site(distance, np.array([1.0, 0])).best == 0


@pytest.mark.parametrize(("ceiling", "rate", "midpoint"), [(100.0, 0.4, 2010.0), (5e4, 0.2, 2015.0), (1.0, 0.8, 2008.0)])
def test_logistic_curve_is_recovered(ceiling: float, rate: float, midpoint: float) -> None:
    time = np.arange(1995.0, 2026)
    values = ceiling / (1 + np.exp(-rate * (time - midpoint)))
    fit = logistic_stages(time, values)
    assert (fit.ceiling, fit.rate, fit.midpoint) == pytest.approx((ceiling, rate, midpoint), rel=1e-4)
    assert fit.r_squared == pytest.approx(1)
    part = values / ceiling
    known = np.digitize(part, [(3 - np.sqrt(3)) / 6, 0.5 + 1e-9, (3 + np.sqrt(3)) / 6])
    assert (fit.stage == known).mean() > 0.95
    assert [STAGES[k] for k in (fit.stage[0], fit.stage[-1])] == ["introduction", "mature" if fit.covered > 0.79 else "slowing"]


def test_logistic_curve_needs_data() -> None:
    for values in (np.ones(4), np.array([1.0, 2, 0, 3, 4])):
        with pytest.raises(ValueError, match="logistic"):
            logistic_stages(np.arange(float(len(values))), values)


def test_entry_stages() -> None:
    firms = np.array([10.0, 40, 80, 100, 90, 70, 50, 40, 40, 40, 40, 40])
    assert [LIFE_STAGES[k] for k in entry_stages(firms)] == ["growth"] * 4 + ["shake-out"] * 3 + ["mature"] * 5
    assert set(entry_stages(np.arange(1.0, 9)).tolist()) == {0}
