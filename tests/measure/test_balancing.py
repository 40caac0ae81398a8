"""Balancing: worked example, the entropy problem solved another way, identities, boundaries and what cannot be balanced."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from hinterland.measure.balancing import bottleneck, cross_entropy, ras

OFF = np.where(np.eye(4, dtype=bool), -np.inf, 0.0)


def plain_ras(prior: np.ndarray, rows: np.ndarray, columns: np.ndarray, rounds: int = 5000) -> np.ndarray:
    x = prior.copy()
    for _ in range(rounds):
        x *= (rows / x.sum(axis=1))[:, None]
        x *= (columns / x.sum(axis=0))[None, :]
    return x


def random_case(seed: int, r: int = 5, c: int = 4, spread: float = 1.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    true = np.exp(rng.normal(0, spread, (r, c)))
    return rng.normal(0, spread, (r, c)), true.sum(axis=1), true.sum(axis=0)


def test_two_by_two_by_hand() -> None:
    """k = [[1, 1], [1, 1]], rows (3, 1), columns (2, 2): independence, x = rows columns'/4."""
    found = ras(np.zeros((2, 2)), np.array([3.0, 1]), np.array([2.0, 2]))
    np.testing.assert_allclose(found.flows, [[1.5, 1.5], [0.5, 0.5]], rtol=1e-12)


def test_three_regions_have_one_solution_up_to_a_circle() -> None:
    """Three regions and no diagonal leave one degree of freedom: the product around the circle is the prior's."""
    prior = np.log([[1.0, 4, 2], [3, 1, 1], [2, 5, 1]])
    prior[np.eye(3, dtype=bool)] = -np.inf
    x = ras(prior, np.array([10.0, 20, 30]), np.array([25.0, 15, 20])).flows
    np.testing.assert_allclose(x.sum(axis=1), [10, 20, 30], rtol=1e-12)
    around = x[0, 1] * x[1, 2] * x[2, 0] / (x[0, 2] * x[2, 1] * x[1, 0])
    assert around == pytest.approx(4 * 1 * 2 / (2 * 5 * 3), rel=1e-10)


@pytest.mark.parametrize("seed", range(5))
def test_as_plain_ras(seed: int) -> None:
    prior, rows, columns = random_case(seed)
    np.testing.assert_allclose(ras(prior, rows, columns).flows, plain_ras(np.exp(prior), rows, columns), rtol=1e-9)


def test_is_the_minimum_of_relative_entropy() -> None:
    """The same problem given to a general optimiser with equality constraints; its own tolerance sets ours."""
    prior, rows, columns = random_case(3, 3, 3)
    k = np.exp(prior).reshape(-1)
    limits = [{"type": "eq", "fun": lambda x, i=i: x.reshape(3, 3)[i].sum() - rows[i]} for i in range(3)]
    limits += [{"type": "eq", "fun": lambda x, j=j: x.reshape(3, 3)[:, j].sum() - columns[j]} for j in range(2)]
    start = np.outer(rows, columns).reshape(-1) / rows.sum()
    free = minimize(lambda x: (x * np.log(x / k)).sum(), start, constraints=limits, bounds=[(1e-9, None)] * 9, method="SLSQP", tol=1e-14)
    np.testing.assert_allclose(ras(prior, rows, columns).flows.reshape(-1), free.x, atol=1e-5)


@given(seed=st.integers(0, 10_000), spread=st.floats(0.1, 4.0))
@settings(max_examples=40, deadline=None)
def test_margins_hold_and_flows_are_positive(seed: int, spread: float) -> None:
    prior, rows, columns = random_case(seed, 6, 5, spread)
    found = ras(prior, rows, columns)
    np.testing.assert_allclose(found.flows.sum(axis=1), rows, atol=1e-9 * rows.sum())
    np.testing.assert_allclose(found.flows.sum(axis=0), columns, atol=1e-9 * rows.sum())
    assert (found.flows >= 0).all()
    assert found.error < 1e-9


@given(seed=st.integers(0, 10_000))
@settings(max_examples=30, deadline=None)
def test_scaling_rows_and_columns_of_the_prior_changes_nothing(seed: int) -> None:
    prior, rows, columns = random_case(seed)
    rng = np.random.default_rng(seed)
    scaled = prior + rng.normal(0, 5, 5)[:, None] + rng.normal(0, 5, 4)[None, :]
    np.testing.assert_allclose(ras(scaled, rows, columns).flows, ras(prior, rows, columns).flows, rtol=1e-7, atol=1e-12)


@given(seed=st.integers(0, 10_000))
@settings(max_examples=30, deadline=None)
def test_a_prior_with_the_margins_is_its_own_answer(seed: int) -> None:
    x = np.exp(np.random.default_rng(seed).normal(0, 2, (5, 6)))
    np.testing.assert_allclose(ras(np.log(x), x.sum(axis=1), x.sum(axis=0)).flows, x, rtol=1e-8)


def test_the_unit_of_margins_does_not_matter() -> None:
    prior, rows, columns = random_case(7)
    np.testing.assert_allclose(ras(prior, rows * 1e8, columns * 1e8).flows, ras(prior, rows, columns).flows * 1e8, rtol=1e-10)


def test_batch_is_each_alone() -> None:
    cases = [random_case(s, spread=3.0) for s in range(12)]
    batch = ras(*(np.stack([c[k] for c in cases]).reshape(3, 4, *cases[0][k].shape) for k in range(3)))
    assert batch.flows.shape == (3, 4, 5, 4)
    for n, case in enumerate(cases):
        np.testing.assert_allclose(batch.flows.reshape(12, 5, 4)[n], ras(*case).flows, rtol=1e-8, atol=1e-12)


def test_prior_over_a_hundred_orders_of_magnitude() -> None:
    rng = np.random.default_rng(0)
    prior = rng.normal(0, 10, (6, 6)) + rng.normal(0, 400, 6)[:, None] - rng.normal(0, 400, 6)[None, :]
    rows = columns = np.ones(6)
    assert ras(prior, rows, columns).error < 1e-9


def test_zero_margins_give_zero_rows() -> None:
    found = ras(OFF, np.array([2.0, 0, 1, 1]), np.array([0.0, 2, 1, 1])).flows
    assert (found[1] == 0).all()
    assert (found[:, 0] == 0).all()
    np.testing.assert_allclose(found.sum(axis=1), [2, 0, 1, 1], atol=1e-10)
    assert (ras(OFF, np.zeros(4), np.zeros(4)).flows == 0).all()


def test_on_the_edge_of_what_is_feasible() -> None:
    """Region 0 sends all that the others take and takes all that they send: they trade with it alone. Plain scaling never arrives."""
    found = ras(OFF, np.array([3.0, 1, 1, 1]), np.array([3.0, 1, 1, 1]))
    assert found.error < 1e-10
    np.testing.assert_allclose(found.flows[1:, 1:], 0, atol=1e-9)


def test_what_cannot_be_balanced_is_named() -> None:
    with pytest.raises(ValueError, match=r"rows \[0\] reach only columns \[1, 2, 3\], which take 1 less"):
        ras(OFF, np.array([4.0, 1, 1, 1]), np.array([4.0, 1, 1, 1]))
    with pytest.raises(ValueError, match="rows sum to 4, columns to 5"):
        ras(OFF, np.ones(4), np.array([2.0, 1, 1, 1]))
    with pytest.raises(ValueError, match="negative or not finite"):
        ras(OFF, np.array([-1.0, 3, 1, 1]), np.ones(4))


def test_bottleneck() -> None:
    found = bottleneck(np.isfinite(OFF), np.array([1.0, 5, 1, 1]), np.array([2.0, 4, 1, 1]))
    assert found is not None
    assert found.rows.tolist() == [1]
    assert found.columns.tolist() == [0, 2, 3]
    assert found.excess == pytest.approx(1.0)
    assert bottleneck(np.isfinite(OFF), np.ones(4), np.ones(4)) is None
    nowhere = bottleneck(np.zeros((2, 2), dtype=bool), np.ones(2), np.ones(2))
    assert nowhere is not None
    assert nowhere.excess == 2.0


def test_cross_entropy_is_the_minimum_of_its_objective() -> None:
    prior, rows, columns = random_case(5, 3, 3)
    columns = columns * 1.3
    k, trust = np.exp(prior), 4.0

    def objective(logs: np.ndarray) -> float:
        x = np.exp(logs).reshape(3, 3)
        d = [(x * np.log(x / k) - x + k).sum()]
        d += [trust * (m * np.log(m / y) - m + y).sum() for m, y in ((x.sum(axis=1), rows), (x.sum(axis=0), columns))]
        return float(sum(d))

    free = minimize(objective, prior.reshape(-1), method="BFGS", options={"gtol": 1e-9})
    np.testing.assert_allclose(cross_entropy(prior, rows, columns, trust=trust).flows.reshape(-1), np.exp(free.x), rtol=1e-5)


def test_cross_entropy_comes_to_ras_as_trust_grows() -> None:
    prior, rows, columns = random_case(9)
    exact = ras(prior, rows, columns).flows
    gaps = [np.abs(cross_entropy(prior, rows, columns, trust=t, most=100_000).flows - exact).max() for t in (1, 10, 100, 1000)]
    assert gaps == sorted(gaps, reverse=True)
    assert gaps[-1] < 2e-3 * exact.max()


def test_cross_entropy_takes_margins_that_conflict() -> None:
    found = cross_entropy(OFF, np.ones(4), np.full(4, 2.0))
    assert 4 < found.flows.sum() < 8
    assert found.error > 0
    assert (np.diagonal(found.flows) == 0).all()
    with pytest.raises(ValueError, match="must be positive"):
        cross_entropy(OFF, np.ones(4), np.ones(4), trust=0.0)
    with pytest.raises(ValueError, match="still move"):
        cross_entropy(OFF, np.ones(4), np.full(4, 2.0), trust=1e6, most=50)
