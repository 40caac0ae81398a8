"""Ellison–Glaeser index and pairwise co-agglomeration: worked examples, loops, and plants dealt with a known tendency to be together."""

from __future__ import annotations

import numpy as np
import pytest

from hinterland.measure import plants

X_SIZE = np.array([0.4, 0.35, 0.25])


def test_worked_example_of_ellison_glaeser() -> None:
    z = np.array([0.3, 0.2, 0.2, 0.1, 0.1, 0.1])
    h = plants.plant_herfindahl(np.array([z.sum()]), np.array([(z**2).sum()]))
    found = plants.ellison_glaeser(np.array([[0.6], [0.3], [0.1]]), h, X_SIZE)
    assert h[0] == pytest.approx(0.20, abs=1e-12)
    assert found.concentration[0] == pytest.approx(0.065, abs=1e-12)
    assert found.gamma[0] == pytest.approx(-0.125954, abs=5e-7)


def test_worked_example_of_co_agglomeration() -> None:
    found = plants.pairwise_coagglomeration(np.array([[0.6, 0.5], [0.3, 0.4], [0.1, 0.1]]), X_SIZE)
    assert found[0, 1] == pytest.approx(0.061069, abs=5e-7)
    assert np.allclose(found, found.T)


def test_a_loop_over_years_and_industries_agrees() -> None:
    rng = np.random.default_rng(0)
    x = rng.gamma(1, 10, (3, 7, 4))
    h = rng.uniform(0.01, 0.9, (3, 4))
    found, pairs = plants.ellison_glaeser(x, h), plants.pairwise_coagglomeration(x)
    mean = plants.pairwise_coagglomeration(x, weighting="mean-share")
    for t in range(3):
        size = x[t].sum(1) / x[t].sum()
        shares = x[t] / x[t].sum(0)
        room = 1 - (size**2).sum()
        for i in range(4):
            g = ((shares[:, i] - size) ** 2).sum()
            assert found.gamma[t, i] == pytest.approx((g - room * h[t, i]) / (room * (1 - h[t, i])), abs=1e-12)
            for j in range(4):
                assert pairs[t, i, j] == pytest.approx(((shares[:, i] - size) * (shares[:, j] - size)).sum() / room, abs=1e-12)
        m = shares.mean(1)
        assert mean[t, 0, 1] == pytest.approx(((shares[:, 0] - m) * (shares[:, 1] - m)).sum() / (1 - (m**2).sum()), abs=1e-12)


def test_regions_in_which_an_industry_is_not_known_are_left_out_of_both_sides() -> None:
    rng = np.random.default_rng(3)
    x, size = rng.gamma(1, 10, (6, 3)), rng.gamma(1, 10, 6)
    gap = x.copy()
    gap[2, 0] = np.nan
    rest = np.delete(np.arange(6), 2)
    found = plants.ellison_glaeser(gap, np.full(3, 0.1), size).gamma
    assert found[0] == pytest.approx(plants.ellison_glaeser(x[rest], np.full(3, 0.1), size[rest]).gamma[0], abs=1e-12)
    assert found[1] == pytest.approx(plants.ellison_glaeser(x, np.full(3, 0.1), size).gamma[1], abs=1e-12)
    pairs = plants.pairwise_coagglomeration(gap, size)
    assert pairs[0, 1] == pytest.approx(plants.pairwise_coagglomeration(x[rest], size[rest])[0, 1], abs=1e-12)
    assert pairs[1, 2] == pytest.approx(plants.pairwise_coagglomeration(x, size)[1, 2], abs=1e-12)


def test_one_plant_has_no_index() -> None:
    found = plants.ellison_glaeser(np.array([[5.0, 1], [0, 2]]), np.array([1.0, 0.4]))
    assert np.isnan(found.gamma[0]) and np.isfinite(found.gamma[1])


@pytest.mark.parametrize("gamma", [0.0, 0.05, 0.3])
def test_the_index_recovers_the_tendency_with_which_plants_were_dealt(gamma: float) -> None:
    """Two plants share their region's draw with probability γ: shares p of an industry are Dirichlet with variance γ x (1 − x).

    The mean of 3000 industries is within four standard errors.
    """
    rng = np.random.default_rng(7)
    x = rng.dirichlet(np.full(30, 2.0))
    n, industries = 40, 3000
    z = rng.pareto(3.0, (industries, n)) + 1
    p = np.tile(x, (industries, 1)) if gamma == 0 else rng.dirichlet(x * (1 - gamma) / gamma, industries)
    place = np.stack([rng.choice(30, n, p=row) for row in p])
    employment = np.stack([np.bincount(place[i], z[i], 30) for i in range(industries)], axis=1)
    h = plants.plant_herfindahl(z.sum(1), (z**2).sum(1))
    found = plants.ellison_glaeser(employment, h, x).gamma
    assert found.mean() == pytest.approx(gamma, abs=4 * found.std() / np.sqrt(industries))
