"""Trade between regions: gravity, its decay against a regression with fixed effects, and the allocation to users."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hinterland.measure.balancing import ras
from hinterland.measure.trade_matrix import allocated, estimated_decay, gravity_prior, log_gravity, supply_shares


def places(regions: int, seed: int = 0) -> np.ndarray:
    """Distances between random points, the diagonal zero."""
    at = np.random.default_rng(seed).uniform(0, 1000, (regions, 2))
    return np.hypot(*(at[:, None] - at[None]).transpose(2, 0, 1))


def gravity_flows(decay: float, sectors: int = 3, regions: int = 8, noise: float = 0.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng, d = np.random.default_rng(seed), places(regions, seed)
    masses = np.exp(rng.normal(0, 1, (2, sectors, regions)))
    flows = masses[0][:, :, None] * masses[1][:, None, :] * np.exp(log_gravity(d, decay))
    return flows * np.exp(rng.normal(0, noise, flows.shape)) if noise else flows, d


def test_gravity_prior_by_hand() -> None:
    """o = (6, 2, 2), i = (2, 4, 4), d = 1, 2, 2 and θ = 1: raw 24, 12; 4, 4; 4, 8; scaled from 56 to 10."""
    d = np.array([[0.0, 1, 2], [1, 0, 2], [2, 2, 0]])
    prior = gravity_prior(np.array([[6.0, 2, 2]]), np.array([[2.0, 4, 4]]), d, np.array([1.0]))
    np.testing.assert_allclose(prior[0], np.array([[0, 24, 12], [4, 0, 4], [2, 4, 0]]) * 10 / 50)


@pytest.mark.parametrize("decay", [0.0, 0.6, 1.7])
def test_known_gravity_comes_back(decay: float) -> None:
    flows, d = gravity_flows(decay)
    found = estimated_decay(flows, d)
    assert found.decay == pytest.approx(decay, abs=1e-7)
    back = ras(log_gravity(d, found.decay), flows.sum(axis=2), flows.sum(axis=1)).flows
    np.testing.assert_allclose(back, flows, rtol=1e-6)


def test_decay_is_near_the_truth_under_noise() -> None:
    """40 draws with ln-noise 0.5: mean within three of its standard errors of 1.2."""
    found = [estimated_decay(*gravity_flows(1.2, noise=0.5, seed=s)) for s in range(40)]
    values = np.array([f.decay for f in found])
    assert abs(values.mean() - 1.2) < 3 * values.std(ddof=1) / np.sqrt(40) + 0.02


def test_decay_as_poisson_regression_with_fixed_effects() -> None:
    """pyfixest 0.60: fepois(flow ~ ln d | origin^sector + destination^sector), HC1 without its small-sample factor."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pf = pytest.importorskip("pyfixest")
        import pandas as pd

        flows, d = gravity_flows(0.9, sectors=2, regions=7, noise=0.8, seed=3)
        s, r, q = np.nonzero(flows)
        frame = pd.DataFrame({"y": flows[s, r, q], "logd": np.log(d[r, q]), "o": s * 100 + r, "t": s * 100 + q})
        fit = pf.fepois("y ~ logd | o + t", frame, vcov="hetero", iwls_tol=1e-12, fixef_tol=1e-12)
    ours = estimated_decay(flows, d)
    assert ours.decay == pytest.approx(-float(fit.coef().iloc[0]), rel=1e-6)
    assert 0.8 < ours.std_error / float(fit.se().iloc[0]) <= 1.0  # pyfixest multiplies by n/(n - k)


def test_what_gives_no_decay() -> None:
    flows, d = gravity_flows(1.0)
    with pytest.raises(ValueError, match="distance from region 0 to 1 is -1"):
        estimated_decay(flows, np.where(d == d[0, 1], -1.0, d))
    with pytest.raises(ValueError, match="no decay follows"):
        estimated_decay(flows, np.where(np.eye(len(d), dtype=bool), 0.0, 500.0))


def test_balanced_flows_do_not_depend_on_masses() -> None:
    flows, d = gravity_flows(1.0, noise=1.0)
    out, back = flows.sum(axis=2), flows.sum(axis=1)
    masses = np.log(np.random.default_rng(1).uniform(0.1, 9, (2, *out.shape)))
    with_masses = log_gravity(d, 1.0) + masses[0][:, :, None] + masses[1][:, None, :]
    np.testing.assert_allclose(ras(with_masses, out, back).flows, ras(log_gravity(d, 1.0), out, back).flows, rtol=1e-8)


def test_shares_by_hand() -> None:
    """Region 1 uses 10: 4 of its own, 3 from region 0, 3 imports; region 0 uses 5 of its own and nothing else."""
    trade = np.array([[[0.0, 3], [0, 0]]])
    shares, imports = supply_shares(trade, np.array([[5.0, 4]]), np.array([[0.0, 3]]))
    np.testing.assert_allclose(shares[0], [[1, 0.3], [0, 0.4]])
    np.testing.assert_allclose(imports, [[0, 0.3]])


def test_what_a_region_does_not_use_it_supplies_itself() -> None:
    shares, imports = supply_shares(np.zeros((1, 2, 2)), np.zeros((1, 2)), np.zeros((1, 2)))
    np.testing.assert_array_equal(shares[0], np.eye(2))
    assert not imports.any()


@given(seed=st.integers(0, 10_000))
@settings(max_examples=30, deadline=None)
def test_allocation_keeps_every_use(seed: int) -> None:
    rng = np.random.default_rng(seed)
    trade = np.exp(rng.normal(0, 1, (3, 4, 4))) * ~np.eye(4, dtype=bool)
    shares, imports = supply_shares(trade, *np.exp(rng.normal(0, 1, (2, 3, 4))))
    np.testing.assert_allclose(shares.sum(axis=1) + imports, 1, rtol=1e-12)
    use = rng.uniform(0, 5, (3, 6))
    block = allocated(shares[:, :, 2], use).reshape(4, 3, 6)
    np.testing.assert_allclose(block.sum(axis=0), use * (1 - imports[:, 2])[:, None], rtol=1e-12)
    np.testing.assert_allclose(block[1, 2], use[2] * shares[2, 1, 2], rtol=1e-12)
