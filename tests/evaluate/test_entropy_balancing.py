"""Entropy balancing: exact moments, the least entropy, and moments that cannot be met."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize

from hinterland.evaluate.entropy_balancing import balance, constraints, unmet


def test_two_points_by_hand() -> None:
    """Comparison rows at 0 and 1, treated mean 0.8: the weights can only be 0.2 and 0.8."""
    wanted = constraints(np.array([[0.6], [1.0]]), np.array([[0.0], [1.0]]), np.ones(2), 1)
    made = balance(wanted, np.ones(2))
    assert made.converged
    np.testing.assert_allclose(made.weight, [0.2, 0.8], rtol=1e-12)


def test_least_divergence_among_all_weights_that_fit() -> None:
    """Against scipy's constrained minimum of Σ w log(w/q) over w itself (SLSQP stops at 1e-12 of the objective, so 1e-5 in weights)."""
    rng = np.random.default_rng(1)
    treated, comparison, base = rng.normal(0.4, 1, (30, 2)), rng.normal(size=(12, 2)), rng.uniform(0.5, 2, 12)
    made = balance(constraints(treated, comparison, np.ones(30), 1), base)
    share = base / base.sum()
    fits = [
        {"type": "eq", "fun": lambda w: comparison.T @ w - treated.mean(axis=0)},
        {"type": "eq", "fun": lambda w: w.sum() - 1},
    ]
    found = minimize(
        lambda w: float(w @ np.log(w / share)), share, bounds=[(1e-12, 1)] * 12, constraints=fits, options={"ftol": 1e-14, "maxiter": 1000}
    )
    np.testing.assert_allclose(made.weight, found.x, atol=1e-5)


@pytest.mark.parametrize("moments", [1, 2, 3])
def test_moments_are_those_of_the_weighted_treated(moments: int) -> None:
    rng = np.random.default_rng(2)
    treated, comparison, weight = rng.normal(0.3, 0.9, (80, 3)), rng.normal(size=(400, 3)), rng.uniform(1, 3, 80)
    made = balance(constraints(treated, comparison, weight, moments), np.ones(400))
    share = weight / weight.sum()
    assert made.converged
    for power in range(1, moments + 1):
        np.testing.assert_allclose(made.weight @ comparison**power, share @ treated**power, rtol=1e-8, atol=1e-9)


def test_large_units_and_shifts_do_not_matter() -> None:
    rng = np.random.default_rng(3)
    treated, comparison = rng.normal(0.3, 1, (40, 2)), rng.normal(size=(200, 2))
    plain = balance(constraints(treated, comparison, np.ones(40), 2), np.ones(200))
    scaled = balance(constraints(treated * [1e7, 1e-5] + 1e6, comparison * [1e7, 1e-5] + 1e6, np.ones(40), 2), np.ones(200))
    np.testing.assert_allclose(scaled.weight, plain.weight, rtol=1e-4)


def test_moments_out_of_reach_are_told_with_how_far() -> None:
    rng = np.random.default_rng(4)
    comparison = np.column_stack([rng.uniform(0, 1, 50), rng.normal(size=50)])
    treated = np.column_stack([rng.normal(1.5, 0.1, 20), rng.normal(size=20)])
    wanted = constraints(treated, comparison, np.ones(20), 1)
    made = balance(wanted, np.ones(50))
    assert not made.converged
    assert np.isfinite(made.weight).all()
    (short, *others) = unmet(wanted)
    assert (short.column, short.moment) == (0, 0)
    # No weights bring the mean beyond the largest comparison value.
    reach = (comparison[:, 0].max() - treated[:, 0].mean()) / treated[:, 0].std()
    assert short.short <= reach + 1e-9
    assert all(o.column == 1 for o in others)


def test_what_can_be_met_is_not_out_of_reach() -> None:
    rng = np.random.default_rng(5)
    wanted = constraints(rng.normal(0.2, 1, (30, 2)), rng.normal(size=(100, 2)), np.ones(30), 2)
    assert unmet(wanted) == ()


def test_a_target_at_the_edge_takes_weights_of_zero() -> None:
    """The treated sit on the largest comparison value: only all the weight on it fits, which no positive weights do."""
    wanted = constraints(np.array([[1.0], [1.0]]), np.array([[0.0], [0.5], [1.0]]), np.ones(2), 1)
    made = balance(wanted, np.ones(3))
    assert unmet(wanted) == ()
    assert made.weight[2] > 0.99


def test_constant_and_repeated_columns_are_met_for_free() -> None:
    rng = np.random.default_rng(6)
    x1, x0 = rng.normal(0.3, 1, (30, 1)), rng.normal(size=(90, 1))
    wide = [np.column_stack([x, 2 * x, np.full(len(x), 4.0)]) for x in (x1, x0)]
    alone = balance(constraints(x1, x0, np.ones(30), 1), np.ones(90))
    made = balance(constraints(wide[0], wide[1], np.ones(30), 1), np.ones(90))
    assert made.converged
    np.testing.assert_allclose(made.weight, alone.weight, rtol=1e-9)


def test_a_column_that_only_the_treated_have_is_out_of_reach() -> None:
    wanted = constraints(np.column_stack([np.arange(4.0), np.ones(4)]), np.column_stack([np.arange(6.0), np.zeros(6)]), np.ones(4), 1)
    assert not balance(wanted, np.ones(6)).converged
    assert [(u.column, u.short) for u in unmet(wanted)] == [(1, pytest.approx(-1.0))]
