"""Shift-share: worked examples to the printed digits, the identity, and the edges."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hinterland.measure.shift_share import dynamic_shift_share, shift_share, spatial_shift_share

E0, E1 = np.array([[100.0, 200, 50]]), np.array([[120.0, 190, 80]])
N0, N1 = np.array([1000.0, 3000, 400]), np.array([1100.0, 3000, 520])


def test_worked_example() -> None:
    s = shift_share(E0, E1, national_start=N0, national_end=N1)
    assert np.allclose(s.national, [[5, 10, 2.5]])
    assert np.allclose(s.industry, [[5, -10, 12.5]])
    assert np.allclose(s.regional, [[10, -10, 15]])
    assert s.total.sum() == pytest.approx(40)
    assert np.allclose(s.competitive, [[7.954545, -11.931818, 9.545455]], atol=5e-7)
    assert np.allclose(s.allocation, [[2.045455, 1.931818, 5.454545]], atol=5e-7)
    assert s.competitive.sum() == pytest.approx(5.568182, abs=5e-7) and s.allocation.sum() == pytest.approx(9.431818, abs=5e-7)
    homothetic = s.competitive / np.array([[0.1, -0.05, 0.3]])
    assert np.allclose(homothetic, [[79.545455, 238.636364, 31.818182]], atol=5e-7)


def test_dynamic_example() -> None:
    panel = np.stack([E0, np.array([[105.0, 198, 60]]), E1])
    national = np.stack([N0, np.array([1040.0, 3020, 450]), N1])
    s = dynamic_shift_share(panel, national=national)
    assert (s.national.sum(), s.industry.sum(), s.regional.sum()) == pytest.approx((17.603659, 8.059442, 14.336899), abs=5e-7)
    assert s.total.sum() == pytest.approx(40)


def test_region_without_base_has_its_whole_change_as_its_own_shift() -> None:
    s = shift_share(np.array([[0.0, 10], [5, 10]]), np.array([[3.0, 12], [6, 10]]))
    assert s.regional[0, 0] == 3 and s.national[0, 0] == 0 and s.industry[0, 0] == 0
    assert np.isnan(s.competitive[0, 0]) and np.isnan(s.allocation[0, 0])
    assert np.allclose(s.total, [[3, 2], [1, 0]])


def test_industry_new_to_the_nation_has_a_bucket_of_its_own() -> None:
    s = shift_share(np.array([[0.0, 10], [0, 10]]), np.array([[3.0, 12], [6, 10]]))
    assert s.new_industry[:, 0].tolist() == [3, 6] and (s.regional[:, 0] == 0).all() and (s.new_industry[:, 1] == 0).all()
    assert np.allclose(s.total, [[3, 2], [6, 0]])


def test_missing_cells_stay_missing() -> None:
    s = shift_share(np.array([[np.nan, 10], [5, 10.0]]), np.array([[3.0, 12], [6, 10]]))
    assert np.isnan(s.total[0, 0]) and np.isfinite(s.total).sum() == 3


def test_impossible_input() -> None:
    with pytest.raises(ValueError, match="nothing of industries"):
        shift_share(E0, E1, national_start=np.array([0.0, 3000, 400]), national_end=N1)
    with pytest.raises(ValueError, match="both years"):
        shift_share(E0, E1, national_start=N0)
    with pytest.raises(ValueError, match="one shape"):
        shift_share(E0, E1[:, :2])
    with pytest.raises(ValueError, match="ratio"):
        spatial_shift_share(E0, E1, np.zeros((1, 1)), rate="median")


def test_spatial_by_hand() -> None:
    """Three regions on a line, one industry. Neighbours of the middle: (10 + 30) -> (12 + 33), a rate of .125; mean of .2 and .1 is .15."""
    start, end = np.array([[10.0], [20], [30]]), np.array([[12.0], [26], [33]])
    line = np.array([[0.0, 1, 0], [1, 0, 1], [0, 1, 0]])
    national = 71 / 60 - 1
    s = spatial_shift_share(start, end, line)
    assert np.allclose(s.rate[:, 0], [0.3, 0.125, 0.3])
    assert np.allclose(s.national[:, 0], start[:, 0] * national)
    assert np.allclose(s.neighbourhood[1, 0], 20 * (0.125 - national)) and np.allclose(s.regional[1, 0], 20 * (0.3 - 0.125))
    assert np.allclose(s.national + s.neighbourhood + s.regional, end - start)
    assert spatial_shift_share(start, end, line, rate="mean").rate[1, 0] == pytest.approx(0.15)


def test_spatial_with_everyone_as_neighbour_is_the_nation() -> None:
    rng = np.random.default_rng(1)
    start, end = rng.uniform(1, 9, (4, 3)), rng.uniform(1, 9, (4, 3))
    s, plain = spatial_shift_share(start, end, np.ones((4, 4))), shift_share(start, end)
    assert np.allclose(s.neighbourhood, plain.industry) and np.allclose(s.regional, plain.regional)


def test_spatial_without_neighbours_is_missing() -> None:
    s = spatial_shift_share(np.ones((2, 1)), np.full((2, 1), 2.0), np.array([[0.0, 0], [1, 0]]))
    assert np.isnan(s.rate[0, 0]) and np.isnan(s.regional[0, 0]) and np.isfinite(s.regional[1, 0])


cells = arrays(np.float64, (5, 4), elements=st.floats(0, 1e6).map(lambda v: round(v, 3)))


@settings(max_examples=80, deadline=None)
@given(cells, cells)
def test_components_sum_to_the_change_and_own_shifts_to_zero(start: np.ndarray, end: np.ndarray) -> None:
    if start.sum() == 0:
        return
    s = shift_share(start, end)
    scale = 1 + start.sum() + end.sum()
    assert np.allclose(s.total, end - start, atol=1e-9 * scale)
    assert np.allclose(s.regional.sum(axis=0), 0, atol=1e-9 * scale)
    both = np.isfinite(s.competitive)
    assert np.allclose((s.competitive + s.allocation)[both], s.regional[both], atol=1e-6 * scale)
    assert not np.isinf(s.competitive).any()
