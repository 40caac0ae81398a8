"""Shares, levels, concentration and centres of gravity; gradient coefficients."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hinterland.measure.gradient import gradient_coefficient
from hinterland.measure.redistribution import (
    absolute_transfer,
    closure_share,
    gravity_centre,
    gravity_shift,
    gross_shift,
    hhi_shift,
    proportional_match,
    relative_transfer,
    share_change,
)
from hinterland.measure.shift_share import shift_share

X0, X1 = np.array([[100.0, 50], [60, 90], [40, 60]]), np.array([[110.0, 60], [100, 100], [60, 80]])


def test_worked_example() -> None:
    """To the six digits printed; shares in percentage points."""
    assert np.allclose(100 * share_change(X0, X1), [[-9.259259, 0], [7.037037, -3.333333], [2.222222, 3.333333]], atol=5e-7)
    moved = absolute_transfer(X0, X1)
    assert np.allclose(moved, [[-25, 0], [19, -8], [6, 8]])
    assert np.allclose(100 * gross_shift(X0, X1), [9.259259, 3.333333], atol=5e-7)
    assert np.allclose(hhi_shift(X0, X1), [-0.027462, -0.007778], atol=5e-7)
    wanted = [[-0.111111, 0.083333], [0.144444, -0.1375], [0.009524, 0.014286]]
    assert np.allclose(relative_transfer(X0, X1), wanted, atol=5e-7)
    match = proportional_match(moved)
    assert np.allclose(match[0, :, 0], [0, 19, 6]) and match[1:, :, 0].sum() == 0
    assert closure_share(X0, X1)[0] == 0, "the loser grew: relative transfer only"


def test_absolute_transfer_is_the_regional_shift() -> None:
    assert np.allclose(absolute_transfer(X0, X1), shift_share(X0, X1).regional)


def test_closure_share_is_decline_over_loss() -> None:
    start, end = np.array([[100.0], [100], [100]]), np.array([[80.0], [110], [170]])
    # 360/300 = 1.2: expected 120 each, losses 40 and 10; only the first fell, by 20.
    assert closure_share(start, end)[0] == pytest.approx(20 / 50)
    assert np.isnan(closure_share(start, start)[0]), "nobody loses"


def test_industry_without_base_or_end() -> None:
    start, end = np.array([[0.0, 1], [0, 1]]), np.array([[1.0, 0], [2, 0]])
    for f in (gross_shift, hhi_shift):
        assert np.isnan(f(start, end)).all()
    assert np.isnan(absolute_transfer(start, end)[:, 0]).all() and np.isnan(closure_share(start, end)[0])


def test_missing_regions_stay_missing() -> None:
    start = X0.copy()
    start[0, 0] = np.nan
    end = np.where(np.isnan(start), np.nan, X1)
    assert np.isnan(share_change(start, end)[0, 0])
    assert np.allclose(share_change(start, end)[1:, 0], [100 / 160 - 0.6, 60 / 160 - 0.4])


def test_gravity_on_the_sphere() -> None:
    lon, lat = np.array([0.0, 90]), np.array([0.0, 0])
    x = np.array([[1.0], [1.0]])
    assert np.allclose(gravity_centre(x, lon, lat), [[45, 0]])
    assert np.allclose(gravity_centre(x, lon, lat, method="sphere"), [[45, 0]])
    # Across the date line the mean of degrees is on the wrong side of the earth.
    assert np.allclose(np.abs(gravity_centre(x, np.array([179.0, -179]), lat, method="sphere"))[0, 0], 180)
    quarter = gravity_shift(np.array([0.0, 0]), np.array([90.0, 0]))
    assert quarter.distance == pytest.approx(np.pi / 2 * 6371.0088) and quarter.bearing == pytest.approx(90)
    north = gravity_shift(np.array([10.0, 10]), np.array([10.0, 11]))
    assert north.distance == pytest.approx(111.195, abs=0.001) and north.bearing == pytest.approx(0)
    assert np.isnan(gravity_shift(np.array([1.0, 1]), np.array([1.0, 1])).bearing)
    assert np.isnan(gravity_centre(np.zeros((2, 1)), lon, lat)).all()


def test_methods_of_gravity_agree_for_near_places() -> None:
    rng = np.random.default_rng(0)
    lon, lat, x = rng.uniform(103, 107, 20), rng.uniform(28, 32, 20), rng.uniform(1, 5, (20, 3))
    moved = gravity_shift(gravity_centre(x, lon, lat), gravity_centre(x, lon, lat, method="sphere"))
    assert (moved.distance < 5).all()


def test_gradient_example() -> None:
    """LQ 1.5, shares of value added .12, labour .10, capital .08: 1.8 and 2.7."""
    output = np.array([[12.0, 68], [88, 832]])
    labour, capital = np.array([[10.0, 1], [90, 1]]), np.array([[8.0, 1], [92, 1]])
    g = gradient_coefficient(output, labour, capital)
    assert (g.quotient[0, 0], g.labour[0, 0], g.capital[0, 0]) == pytest.approx((1.5, 1.2, 1.5))
    assert (g.coefficient[0, 0], g.improved[0, 0]) == pytest.approx((1.8, 2.7))
    assert g.log_coefficient[0, 0] == pytest.approx(np.log(1.8))
    assert np.isnan(gradient_coefficient(output, labour).improved).all()


def test_gradient_base_and_edges() -> None:
    output, labour = np.array([[12.0, 68], [88, 832]]), np.array([[10.0, 30], [0, 60]])
    by_region = gradient_coefficient(output, labour, cp_base="region")
    assert by_region.labour[0, 0] == pytest.approx((12 / 80) / (10 / 40))
    assert np.isnan(gradient_coefficient(output, labour).coefficient[1, 0]), "no labour"


cells = arrays(np.float64, (5, 3), elements=st.floats(0.01, 1e6))


@settings(max_examples=60, deadline=None)
@given(cells, cells)
def test_identities(start: np.ndarray, end: np.ndarray) -> None:
    moved = absolute_transfer(start, end)
    assert np.allclose(moved.sum(axis=0), 0, atol=1e-9 * end.sum())
    assert np.allclose(share_change(start, end).sum(axis=0), 0, atol=1e-12)
    gross = gross_shift(start, end)
    assert ((gross >= 0) & (gross <= 1)).all()
    match = proportional_match(moved)
    assert np.allclose(match.sum(axis=1) - match.sum(axis=0), -moved, atol=1e-8 * end.sum())
    assert (match >= 0).all()
