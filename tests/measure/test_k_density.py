"""Density of distances: the worked example, brute force, scipy's kernel density, and counting by two ways."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import gaussian_kde

from hinterland.measure.k_density import (
    binned_k_density,
    count_pairs,
    k_density,
    pair_distances,
    pair_products,
    pair_weight,
    points,
    silverman_bandwidth,
)
from hinterland.measure.k_density_draws import count_all_sites, counts_by_draw, draw_sites


def test_worked_example() -> None:
    distance = pair_distances(points(np.array([0.0, 1, 3]), np.zeros(3), "planar"))
    assert sorted(distance) == [1, 2, 3]
    at = np.array([1.0])
    assert k_density(distance, at, 1.0, reflect=False)[0] == pytest.approx(0.231635, abs=5e-7)
    assert k_density(distance, at, 1.0)[0] == pytest.approx(0.251154, abs=5e-7)


def test_great_circle_distances() -> None:
    """A quarter of the equator; Beijing to Shanghai by the haversine formula; two places a metre apart."""
    assert pair_distances(points(np.array([0.0, 90]), np.zeros(2)))[0] == pytest.approx(6371.0088 * np.pi / 2, rel=1e-12)
    lon, lat = np.radians([116.4074, 121.4737]), np.radians([39.9042, 31.2304])
    a = np.sin(np.diff(lat) / 2) ** 2 + np.cos(lat[0]) * np.cos(lat[1]) * np.sin(np.diff(lon) / 2) ** 2
    found = pair_distances(points(np.degrees(lon), np.degrees(lat)))[0]
    assert found == pytest.approx(2 * 6371.0088 * np.arcsin(np.sqrt(a))[0], rel=1e-12)
    near = pair_distances(points(np.array([104.0, 104.0]), np.array([30.0, 30.0 + 1e-5])))[0]
    assert near == pytest.approx(6371.0088 * np.radians(1e-5), rel=1e-8)


@pytest.fixture(scope="module")
def plants() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(5)
    return rng.uniform(0, 100, 60), rng.uniform(0, 50, 60), rng.pareto(2, 60) + 1


def test_scipy_gives_the_same_without_reflection(plants: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    x, y, w = plants
    distance, products = pair_distances(points(x, y, "planar")), pair_products(w)
    at = np.linspace(0, 80, 30)
    theirs = gaussian_kde(distance)
    assert np.allclose(k_density(distance, at, float(np.sqrt(theirs.covariance[0, 0])), reflect=False), theirs(at), rtol=1e-10)
    theirs = gaussian_kde(distance, weights=products)
    assert np.allclose(k_density(distance, at, float(np.sqrt(theirs.covariance[0, 0])), products, reflect=False), theirs(at), rtol=1e-10)


def test_a_double_loop_gives_the_same(plants: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    x, y, w = plants
    h, d, total, found = 4.0, 10.0, 0.0, 0.0
    for a in range(60):
        for b in range(a + 1, 60):
            gap = np.hypot(x[a] - x[b], y[a] - y[b])
            found += w[a] * w[b] * (np.exp(-(((d - gap) / h) ** 2) / 2) + np.exp(-(((d + gap) / h) ** 2) / 2)) / np.sqrt(2 * np.pi) / h
            total += w[a] * w[b]
    distance = pair_distances(points(x, y, "planar"))
    assert k_density(distance, np.array([d]), h, pair_products(w))[0] == pytest.approx(found / total, rel=1e-12)
    assert pair_weight(60, w) == pytest.approx(total, rel=1e-12)


def test_it_integrates_to_one(plants: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    distance = pair_distances(points(*plants[:2], "planar"))
    at = np.linspace(0, 150, 3001)
    assert np.trapezoid(k_density(distance, at, 3.0), at) == pytest.approx(1, abs=1e-6)
    assert np.trapezoid(k_density(distance, at, 3.0, reflect=False), at) < 0.999


def test_bandwidth_is_silvermans(plants: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    at = points(*plants[:2], "planar")
    distance = pair_distances(at)
    low, high = np.quantile(distance, [0.25, 0.75])
    assert silverman_bandwidth(at) == pytest.approx(0.9 * min(distance.std(ddof=1), (high - low) / 1.34) * len(distance) ** -0.2)
    assert silverman_bandwidth(points(np.ones(5), np.ones(5))) == 0
    assert silverman_bandwidth(points(np.array([0.0, 1]), np.zeros(2))) == 0


def test_bandwidth_from_bins_is_close(monkeypatch: pytest.MonkeyPatch) -> None:
    from hinterland.measure import k_density as module

    rng = np.random.default_rng(1)
    at = points(rng.uniform(100, 120, 400), rng.uniform(20, 40, 400))
    exact = silverman_bandwidth(at)
    monkeypatch.setattr(module, "_EXACT_PAIRS", 10)
    monkeypatch.setattr(module, "_BLOCK", 5000)
    assert silverman_bandwidth(at) == pytest.approx(exact, rel=1e-4)


def test_bins_come_close_to_pairs(plants: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    x, y, w = plants
    at, distance = points(x, y, "planar"), pair_distances(points(x, y, "planar"))
    grid, h = np.linspace(0, 60, 40), 5.0
    for weights in (None, w):  # few large plants: their places within bins do not average out
        exact = k_density(distance, grid, h, None if weights is None else pair_products(weights))
        counts = count_pairs(at, h / 10, 10 * 30, weights)
        near = binned_k_density(counts, h / 10, pair_weight(60, weights), grid, h)
        assert np.abs(near - exact).max() < 5e-3 * exact.max()


def test_counts_in_blocks_are_the_same(monkeypatch: pytest.MonkeyPatch, plants: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    from hinterland.measure import k_density as module

    at, w = points(*plants[:2], "planar"), plants[2]
    whole, weighted = count_pairs(at, 1.3, 40), count_pairs(at, 1.3, 40, w)
    monkeypatch.setattr(module, "_BLOCK", 500)
    assert (count_pairs(at, 1.3, 40) == whole).all()
    assert np.allclose(count_pairs(at, 1.3, 40, w), weighted, rtol=1e-12)
    assert whole.sum() <= 60 * 59 / 2


@pytest.mark.parametrize(("together", "draws"), [(0, 13), (400, 64), (700, 3)])
def test_one_pass_over_sites_counts_what_each_draw_counts(together: int, draws: int) -> None:
    """Also where hundreds of plants share one place, and a bin of a site holds more than a byte can count."""
    rng = np.random.default_rng(2)
    sites = points(rng.uniform(100, 110, 700), rng.uniform(25, 35, 700))
    sites.at[:together] = sites.at[0]
    drawn = draw_sites(700, 350, draws, rng)
    one_pass = count_all_sites(sites, drawn, 15.0, 60)
    assert (one_pass == np.stack([count_pairs(sites.take(row), 15.0, 60) for row in drawn])).all()
    assert (counts_by_draw(sites, drawn, 15.0, 60) == one_pass).all()


def test_draws_are_without_replacement() -> None:
    drawn = draw_sites(50, 50, 4, np.random.default_rng(0))
    assert (np.sort(drawn, axis=1) == np.arange(50)).all()
    assert not (drawn[0] == drawn[1]).all()


def test_weights_travel_with_plants() -> None:
    rng = np.random.default_rng(3)
    sites, w = points(rng.uniform(0, 9, 80), rng.uniform(0, 9, 80), "planar"), rng.pareto(2, 30) + 1
    drawn = draw_sites(80, 30, 5, rng)
    found = counts_by_draw(sites, drawn, 0.5, 20, w)
    for row, counts in zip(drawn, found, strict=True):
        assert np.allclose(counts, count_pairs(sites.take(row), 0.5, 20, w), rtol=1e-12)
