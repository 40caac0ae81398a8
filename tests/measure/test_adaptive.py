"""The adaptive model: the worked steps, a baseline that stays, recovery, and balances of goods."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hinterland.measure.adaptive import adaptive

Z, F = np.array([[150.0, 500], [200, 100]]), np.array([350.0, 1700])


def loss_of(steps: int, hit: int, share: float = 0.2) -> np.ndarray:
    loss = np.zeros((steps, 2))
    loss[:hit, 0] = share
    return loss


def test_worked_steps() -> None:
    """Sector 1 loses a fifth of its capacity, no reserves: the second step is bound by inputs."""
    a = adaptive(Z, F, loss_of(2, 2))
    assert np.allclose(a.production, [[800, 2000], [800, 1600]])
    assert np.allclose(a.delivery_ratio[0], [0.8, 1])
    assert a.limit.tolist() == [[1, 0], [1, 2]]
    assert np.allclose(a.lost_output, [400, 400]) and a.final[0, 0] == pytest.approx(0.8 * 350)


def test_nothing_happens_without_a_loss() -> None:
    a = adaptive(Z, F, np.zeros((50, 2)), inventories=3.0, restore=2.0, overproduction=1.2, overproduction_steps=4.0)
    assert np.allclose(a.production, [1000, 2000]) and np.allclose(a.delivery_ratio, 1) and (a.limit == 0).all()


def test_reserves_delay_and_shrink_the_loss() -> None:
    bare, stocked = (adaptive(Z, F, loss_of(60, 4), inventories=n, restore=5.0) for n in (1.0, 6.0))
    assert bare.limit[1, 1] == 2 and stocked.limit[1, 1] == 0, "with reserves, the other sector only loses orders"
    assert stocked.production[1, 1] > bare.production[1, 1]
    assert stocked.lost_final.sum() < bare.lost_final.sum()


def test_economy_recovers() -> None:
    a = adaptive(Z, F, loss_of(200, 5), inventories=4.0, restore=4.0, overproduction=1.2, overproduction_steps=3.0)
    assert np.allclose(a.production[-1], [1000, 2000], rtol=1e-3)
    assert (a.production[:, 0] > 1000).any(), "overproduction catches up"


def test_bad_arguments() -> None:
    for bad in (np.zeros(2), np.zeros((3, 3)), np.full((3, 2), 1.5)):
        with pytest.raises(ValueError, match="capacity lost"):
            adaptive(Z, F, bad)
    with pytest.raises(ValueError, match="inventories"):
        adaptive(Z, F, np.zeros((3, 2)), inventories=0.5)
    with pytest.raises(ValueError, match="at least 1"):
        adaptive(Z, F, np.zeros((3, 2)), restore=0.5)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.floats(1, 8), st.floats(1, 5))
def test_final_demand_is_never_exceeded_and_ratios_are_shares(seed: int, stock: float, restore: float) -> None:
    rng = np.random.default_rng(seed)
    n = 4
    z = rng.uniform(0, 10, (n, n))
    f = z.sum(axis=0) * rng.uniform(0.5, 2, n)
    loss = rng.uniform(0, 0.5, (20, n)) * (rng.random((20, n)) < 0.2)
    a = adaptive(z, f, loss, inventories=stock, restore=restore, overproduction=1.2)
    x = z.sum(axis=1) + f
    assert (a.delivery_ratio >= 0).all() and (a.delivery_ratio <= 1 + 1e-12).all()
    assert (a.final <= f + 1e-9).all() and (a.production <= 1.2 * x + 1e-9).all() and (a.production >= 0).all()
    assert (a.lost_final >= -1e-9 * f).all()
