"""Security of supply: worked examples and edges."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hinterland.measure.security import cover, domestic_self_sufficiency, resilience, self_sufficiency, supply_concentration


def test_concentration_example() -> None:
    c = supply_concentration(np.array([[50.0, 30, 20], [0, 0, 0], [1, 0, 0]]))
    assert c.hhi[0] == pytest.approx(0.38) and c.suppliers[0] == pytest.approx(2.6316, abs=5e-5)
    assert np.isnan(c.hhi[1]) and np.isnan(c.suppliers[1]) and c.suppliers[2] == 1


def test_self_sufficiency_example() -> None:
    assert self_sufficiency(np.array([80.0]), np.array([30.0]), np.array([10.0]))[0] == pytest.approx(0.8)
    assert self_sufficiency(np.array([80.0]), np.array([0.0]), np.array([30.0]))[0] == pytest.approx(1.6), "a net exporter is above 1"
    assert np.isnan(self_sufficiency(np.array([10.0]), np.array([0.0]), np.array([10.0])))[0], "nothing is used"


def test_domestic_self_sufficiency_adds_up() -> None:
    q, m, e = np.array([80.0, 20]), np.array([10.0, 5]), np.array([4.0, 2])
    inflow, outflow = np.array([20.0, 30]), np.array([30.0, 20])
    found = domestic_self_sufficiency(q, m, e, inflow, outflow)
    assert np.allclose(found, [70 / 76, 30 / 33])
    country = self_sufficiency(q.sum(), m.sum(), e.sum())
    used = q + inflow - outflow + m - e
    assert (found * used).sum() / used.sum() == pytest.approx(country)


def test_resilience_example() -> None:
    r = resilience(np.array([[100.0, 200]]), np.array([[95.0, 196]]), rates=np.array([-0.1, -0.04]))
    assert r.expected[0] == pytest.approx(-18) and r.actual[0] == pytest.approx(-9) and r.index[0] == pytest.approx(0.5)


def test_resilience_is_zero_when_regions_move_as_the_nation() -> None:
    start = np.array([[100.0, 200], [300, 50]])
    assert np.allclose(resilience(start, start * np.array([0.9, 0.96])).index, 0, atol=1e-12)


def test_resilience_without_an_expected_change_is_undefined() -> None:
    start = np.array([[100.0, 100], [1, 0]])
    r = resilience(start, start, rates=np.array([0.05, -0.0499]))
    assert np.isnan(r.index[0]) and r.index[1] == pytest.approx(-1)


def test_cover_by_hand() -> None:
    """Spare (20, 30) and (10, 0): usable at a half, (10, 15) and (5, 0), for needs of 20 and 10."""
    c = cover(np.array([[100.0, 60], [20, 40]]), np.array([[0.8, 0.5], [0.5, 1.0]]), np.array([20.0, 10]), ramp=0.5)
    assert np.allclose(c.cover, [15 / 20, 1])
    assert np.allclose(c.concentration, [(4 + 1) / 9, 1])
    assert np.allclose(c.penalised, [0.75 * 4 / 9, 0]), "one member with all the spare capacity covers nothing safely"
    assert np.allclose(c.without_one, [5 / 20, 0]) and c.weakest.tolist() == [0, 0]


def test_cover_edges() -> None:
    c = cover(np.array([[10.0, 10]]), np.array([[1.0, 0.5]]), np.array([5.0, 0]))
    assert c.cover[0] == 0 and c.penalised[0] == 0 and np.isnan(c.cover[1]) and np.isnan(c.penalised[1])
    with pytest.raises(ValueError, match="not negative"):
        cover(np.array([[-1.0]]), np.array([[0.5]]), np.array([1.0]))
    with pytest.raises(ValueError, match="shares"):
        cover(np.array([[1.0]]), np.array([[1.5]]), np.array([1.0]))


@settings(max_examples=50, deadline=None)
@given(arrays(np.float64, (4, 3), elements=st.floats(0, 1e4)), arrays(np.float64, (4, 3), elements=st.floats(0, 1)))
def test_cover_is_a_share_and_losing_a_member_never_helps(capacity: np.ndarray, utilisation: np.ndarray) -> None:
    c = cover(capacity, utilisation, np.array([10.0, 100, 1000]))
    for v in (c.cover, c.penalised, c.without_one):
        assert ((v >= 0) & (v <= 1)).all()
    assert (c.without_one <= c.cover + 1e-12).all() and (c.penalised <= c.cover + 1e-12).all()
