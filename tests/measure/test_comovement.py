"""Variance decomposition of growth and the Krugman index against the nation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray

from hinterland.measure.comovement import VarianceShares, growth_rates, krugman_from_nation, variance_shares

Floats = NDArray[np.float64]


def total(s: VarianceShares) -> Floats:
    return s.national + s.industry + s.province + s.residual


def test_two_provinces_and_two_industries_by_hand() -> None:
    """g = [[4, 2], [1, 1]]: mean 2; provinces 3 and 1, industries 2.5 and 1.5; squares 4·1, 4·0.25 and 4·0.25 of 6."""
    s = variance_shares(np.array([[[4.0, 2.0], [1.0, 1.0]]]))
    assert_allclose([s.province[0], s.industry[0], s.residual[0], s.national[0]], [4 / 6, 1 / 6, 1 / 6, 0], atol=1e-15)
    assert_allclose(s.variance, 6 / 4)
    assert (s.n[0], s.spare[0]) == (4, 1)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.booleans(), st.booleans())
def test_shares_sum_to_one(seed: int, pooled: bool, gaps: bool) -> None:
    rng = np.random.default_rng(seed)
    growth = rng.standard_normal((3, 6, 5)) + rng.standard_normal((3, 6, 1))
    if gaps:
        growth[rng.uniform(size=growth.shape) < 0.15] = np.nan
    s = variance_shares(growth, pooled)
    assert_allclose(total(s), 1, atol=1e-12)
    moved = variance_shares(3 * growth + 1, pooled)
    assert_allclose(moved.province, s.province, atol=1e-11)


def test_pooled_shares_are_the_analysis_of_variance_of_all_years() -> None:
    rng = np.random.default_rng(0)
    growth = rng.standard_normal((4, 6, 5)) + rng.standard_normal((4, 1, 1)) + rng.standard_normal((4, 1, 5))
    s = variance_shares(growth, pooled=True)
    year = growth.mean(axis=(1, 2), keepdims=True)
    province, industry = growth.mean(axis=2, keepdims=True) - year, growth.mean(axis=1, keepdims=True) - year
    squares = ((growth - growth.mean()) ** 2).sum()
    assert_allclose(s.national, 30 * ((year - growth.mean()) ** 2).sum() / squares)
    assert_allclose(s.province, 5 * (province**2).sum() / squares)
    assert_allclose(s.industry, 6 * (industry**2).sum() / squares)
    assert s.n[0] == 120 and s.spare[0] == 4 * 20


def test_gaps_are_fitted_by_least_squares() -> None:
    rng = np.random.default_rng(2)
    growth = rng.standard_normal((1, 7, 6))
    growth[rng.uniform(size=growth.shape) < 0.2] = np.nan
    p, i = np.nonzero(np.isfinite(growth[0]))
    g = growth[0, p, i]
    design = np.column_stack([np.eye(7)[p], np.eye(6)[i][:, 1:]])
    coefficient = np.linalg.lstsq(design, g, rcond=None)[0]
    province, industry = design[:, :7] @ coefficient[:7], design[:, 7:] @ coefficient[7:]
    s = variance_shares(growth)
    assert_allclose(s.province, np.cov(g, province, ddof=0)[0, 1] / g.var(), atol=1e-12)
    assert_allclose(s.industry, np.cov(g, industry, ddof=0)[0, 1] / g.var(), atol=1e-12)


def test_the_shares_of_simulated_worlds() -> None:
    """Standard deviations 2, 1 and 1: shares 4/6, 1/6, 1/6, plus what noise leaves in few groups; 200 provinces and industries leave under 1 %."""
    rng = np.random.default_rng(0)
    growth = 2 * rng.standard_normal((20, 200, 1)) + rng.standard_normal((20, 1, 200)) + rng.standard_normal((20, 200, 200))
    s = variance_shares(growth)
    assert_allclose([s.province.mean(), s.industry.mean(), s.residual.mean()], [4 / 6, 1 / 6, 1 / 6], atol=0.015)


def test_noise_alone_leaves_the_shares_that_the_docstring_says() -> None:
    rng = np.random.default_rng(0)
    s = variance_shares(rng.standard_normal((4000, 5, 4)))
    assert_allclose([s.province.mean(), s.industry.mean()], [4 / 19, 3 / 19], atol=0.004)  # four standard errors


def test_cells_in_two_islands_are_not_connected() -> None:
    growth = np.full((1, 4, 4), np.nan)
    growth[0, :2, :2] = growth[0, 2:, 2:] = [[1.0, 2.0], [4.0, 3.0]]
    assert_array_equal(variance_shares(growth).connected, [False])
    assert np.isnan(variance_shares(np.full((1, 3, 3), np.nan)).province).all()
    still = variance_shares(np.full((1, 3, 3), 0.07) + 1e-17 * np.random.default_rng(0).standard_normal((1, 3, 3)))
    assert np.isnan(still.province).all() and still.variance[0] == 0


def test_growth_needs_the_period_before_and_positive_levels() -> None:
    level = np.array([[[1.0, 0.0]], [[2.0, 3.0]], [[4.0, 6.0]]])
    found = growth_rates(level, np.array([2000, 2001, 2003]))
    assert_array_equal(np.isfinite(found[:, 0]), [[False, False], [True, False], [False, False]])
    assert_allclose(found[1, 0, 0], np.log(2))


def test_krugman_against_the_nation() -> None:
    X = np.array([[60.0, 30, 10], [20, 60, 20], [20, 10, 70]])
    assert_allclose(krugman_from_nation(X), [0.533333, 0.533333, 0.733333], atol=5e-7)  # printed to six digits
    assert_allclose(krugman_from_nation(np.array([[50.0, 10], [30, 40], [20, 150]])), [1.0, 0.190476, 0.431373], atol=5e-7)
    assert np.isnan(krugman_from_nation(np.array([[0.0, 0.0], [1.0, 2.0]]))[0])


def test_krugman_against_a_peer() -> None:
    peer = pytest.importorskip("econcomplex")
    X = np.random.default_rng(0).gamma(1.0, 1.0, (8, 6))
    assert_allclose(krugman_from_nation(X), np.asarray(peer.krugman_index(X)).ravel(), rtol=1e-12)
