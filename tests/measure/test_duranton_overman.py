"""Bands of random sites: how many draws they hold, and industries with known location."""

from __future__ import annotations

import numpy as np
import pytest

from hinterland.errors import InputError
from hinterland.measure.duranton_overman import bands_of, departures, duranton_overman, global_bands, median_distance
from hinterland.measure.k_density import Points, k_density, pair_distances, points, silverman_bandwidth


@pytest.fixture(scope="module")
def sites() -> Points:
    rng = np.random.default_rng(3)
    return points(rng.uniform(0, 400, 900), rng.uniform(0, 400, 900), "planar")


def between(draws: np.ndarray, low: np.ndarray, high: np.ndarray) -> float:
    return float(((draws > low) & (draws < high)).all(axis=1).mean())


@pytest.mark.parametrize("level", [0.95, 0.9])
def test_bands_hold_the_share_of_draws_that_they_say(level: float) -> None:
    """At least the level, and the next narrower band of one rank holds less."""
    rng = np.random.default_rng(0)
    draws = np.cumsum(rng.normal(size=(1000, 30)), axis=1)
    low, high = global_bands(draws, level)
    assert between(draws, low, high) >= level
    rank = int((np.sort(draws, axis=0) < low).sum(axis=0)[0]) + 1
    ordered = np.sort(draws, axis=0)
    assert np.array_equal(ordered[rank - 1], low) and np.array_equal(ordered[-rank], high)
    assert between(draws, ordered[rank], ordered[-rank - 1]) < level


def test_one_more_random_industry_leaves_the_bands_no_more_often_than_they_say() -> None:
    """4000 sets of 199 draws: 5 % within three binomial errors, where bands that 5 % of the draws leave would be left by 8 %."""
    rng = np.random.default_rng(2)
    left = 0
    for _ in range(4000):
        draws = np.repeat(rng.normal(size=(200, 4)), 2, axis=1)
        low, high = global_bands(draws[1:])
        left += bool(((draws[0] < low) | (draws[0] > high)).any())
    assert 0.03 <= left / 4000 <= 0.0604


def test_each_band_on_its_own_is_narrower() -> None:
    draws = np.cumsum(np.random.default_rng(1).normal(size=(1000, 30)), axis=1)
    both, each = global_bands(draws), global_bands(draws, hold="each")
    assert (each[0] >= both[0]).all() and (each[1] <= both[1]).all()
    assert (draws > each[0]).all(axis=1).mean() >= 0.95
    assert (draws < each[1]).all(axis=1).mean() >= 0.95
    local = bands_of(draws)
    assert np.allclose(local.local_low, np.quantile(draws, 0.05, axis=0))
    assert (local.local_low >= local.global_low).all() and (local.local_high <= local.global_high).all()


def test_ties_do_not_count_as_leaving() -> None:
    draws = np.zeros((100, 4))
    draws[0, 0] = 1
    assert np.array_equal(np.stack(global_bands(draws)), np.zeros((2, 4)))


def test_a_cluster_is_localised_and_a_ring_dispersed(sites: Points) -> None:
    x, y = sites.at.T
    middle = np.argsort(np.hypot(x - 200, y - 200))[:60]
    cluster = duranton_overman(sites.take(middle), sites, draws=200)
    assert cluster.localisation_index > 0.1 and cluster.dispersion_index == 0
    corners = np.concatenate([np.argsort(np.hypot(x - a, y - b))[:1] for a in np.linspace(0, 400, 6) for b in np.linspace(0, 400, 6)])
    even = duranton_overman(sites.take(np.unique(corners)), sites, draws=200)
    assert even.localisation_index == 0 and even.dispersion_index > 0


def test_an_industry_at_random_sites_leaves_the_bands_one_time_in_twenty(sites: Points) -> None:
    """60 industries of 40 plants: 3 are expected outside the 95 % bands, more than 8 in one of 200 cases."""
    rng = np.random.default_rng(11)
    outside = 0
    for k in range(60):
        found = duranton_overman(sites.take(rng.choice(900, 40, replace=False)), sites, draws=100, seed=k, steps=40)
        outside += found.localisation_index > 0 or found.dispersion_index > 0
    assert outside <= 8


def test_density_and_steps(sites: Points) -> None:
    plants = sites.take(np.arange(50))
    found = duranton_overman(plants, sites, draws=50, steps=25)
    assert found.bandwidth == silverman_bandwidth(plants)
    assert found.distance[-1] == median_distance(sites) == np.median(pair_distances(sites))
    assert np.allclose(found.density, k_density(pair_distances(plants), found.distance, found.bandwidth), rtol=1e-12)
    above, below = departures(found.density, found.bands)
    assert found.localisation_index == pytest.approx(above.sum() * found.distance[1])
    assert found.dispersion_index == pytest.approx(below.sum() * found.distance[1])
    assert (found.plants, found.sites) == (50, 900)


def test_seeds_repeat_and_equal_weights_change_nothing(sites: Points) -> None:
    plants = sites.take(np.arange(100, 300))
    a = duranton_overman(plants, sites, draws=50, seed=4)
    b = duranton_overman(plants, sites, draws=50, seed=4)
    assert np.array_equal(a.bands.global_high, b.bands.global_high)
    w = duranton_overman(plants, sites, draws=50, seed=4, weights=np.full(200, 7.0))
    assert np.allclose(w.bands.local_low, a.bands.local_low, rtol=1e-12) and np.allclose(w.density, a.density, rtol=1e-12)
    assert not np.array_equal(a.bands.global_high, duranton_overman(plants, sites, draws=50, seed=5).bands.global_high)


def test_weights_follow_large_plants(sites: Points) -> None:
    """Large plants together, small ones apart: localised by employment only."""
    x, y = sites.at.T
    middle = np.argsort(np.hypot(x - 200, y - 200))[:8]
    others = np.random.default_rng(6).choice(np.setdiff1d(np.arange(900), middle), 60, replace=False)
    plants = sites.take(np.concatenate([middle, others]))
    weighted = duranton_overman(plants, sites, draws=200, weights=np.r_[np.full(8, 500.0), np.ones(60)])
    assert weighted.localisation_index > duranton_overman(plants, sites, draws=200).localisation_index
    assert weighted.localisation_index > 0


def test_median_distance_of_many_sites_is_close() -> None:
    rng = np.random.default_rng(0)
    many = points(rng.uniform(0, 1, 2500), rng.uniform(0, 1, 2500), "planar")
    assert median_distance(many) == pytest.approx(np.median(pair_distances(many)), rel=3e-3)


def test_binned_density_of_large_industries(monkeypatch: pytest.MonkeyPatch, sites: Points) -> None:
    from hinterland.measure import duranton_overman as module

    plants = sites.take(np.arange(120))
    exact = duranton_overman(plants, sites, draws=20)
    monkeypatch.setattr(module, "_EXACT_PLANTS", 10)
    assert np.abs(duranton_overman(plants, sites, draws=20).density - exact.density).max() < 1e-3 * exact.density.max()


def test_every_problem_at_once(sites: Points) -> None:
    two = sites.take(np.arange(2))
    with pytest.raises(InputError) as caught:
        duranton_overman(two, two.take(np.arange(1)), draws=1, level=2, weights=np.array([1.0, 0.0]), cutoff=-1)
    codes = [f.code for f in caught.value.findings]
    assert codes == ["too-few-plants", "fewer-sites-than-plants", "out-of-range", "out-of-range", "out-of-range", "plant-weights"]
    same = sites.take(np.zeros(5, dtype=int))
    with pytest.raises(InputError, match="no-bandwidth"):
        duranton_overman(same, sites)
