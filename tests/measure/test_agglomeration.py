"""Closed-form indices of agglomeration and specialisation: worked examples, hand checks of batches and gaps, and peers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hinterland.measure import agglomeration, localisation, specialisation
from hinterland.measure.variety import variety

X = np.array([[60.0, 30, 10], [20, 60, 20], [20, 10, 70]])
X2 = np.array([[50.0, 10], [30, 40], [20, 150]])
PRINTED = {"atol": 5e-7, "rtol": 0}
"""The catalogue prints six decimals."""


def test_worked_example_of_equal_regions() -> None:
    assert np.allclose(agglomeration.location_quotient(X), [[1.8, 0.9, 0.3], [0.6, 1.8, 0.6], [0.6, 0.3, 2.1]], atol=1e-12)
    assert np.allclose(specialisation.herfindahl(X), [0.46, 0.44, 0.54], atol=1e-12)
    assert np.allclose(specialisation.krugman(X), [0.533333, 0.533333, 0.733333], **PRINTED)
    assert np.allclose(specialisation.krugman(X, versus="rest"), [0.8, 0.8, 1.1], atol=1e-12)
    assert np.allclose(localisation.hoover_localisation(X), [0.266667, 0.266667, 0.366667], **PRINTED)
    assert np.allclose(specialisation.entropy(X), [0.897946, 0.950271, 0.801819], **PRINTED)
    assert np.allclose(localisation.theil_localisation(X), [0.148342, 0.200667, 0.296794], **PRINTED)
    assert np.allclose(localisation.locational_gini(X), [0.266667, 0.333333, 0.4], **PRINTED)
    assert np.allclose(specialisation.relative_diversity(X), 1 / np.array([8 / 15, 8 / 15, 11 / 15]), atol=1e-12)
    assert np.allclose(specialisation.jacobs_diversity(X), 1 / np.array([0.46, 0.44, 0.54]), atol=1e-12)


def test_worked_example_of_unequal_regions() -> None:
    assert np.allclose(localisation.locational_gini(X2), [0.423333, 0.211667], **PRINTED)
    assert np.allclose(localisation.locational_gini(X2, scale="area"), [0.211667, 0.105833], **PRINTED)
    assert np.allclose(specialisation.krugman(X2), [1.0, 0.190476, 0.431373], **PRINTED)


def test_worked_example_of_co_agglomeration() -> None:
    closeness, deepened = agglomeration.co_agglomeration(np.array([1.2, 0.0, 0.0]), np.array([0.8, 0.0, 1.0]))
    assert np.allclose(closeness, [0.8, np.nan, 0.0], atol=1e-12, equal_nan=True)
    assert np.allclose(deepened, [2.8, np.nan, 1.0], atol=1e-12, equal_nan=True)


def test_worked_example_of_variety() -> None:
    found = variety(np.array([[0.2, 0.2, 0.1, 0.3, 0.15, 0.05]]), np.array([0, 0, 0, 1, 1, 1]))
    assert np.allclose([found.unrelated[0], found.related[0], found.total[0]], [1.0, 1.408695, 2.408695], **PRINTED)


def test_pairs_of_regions_against_a_loop() -> None:
    rng = np.random.default_rng(1)
    x = rng.integers(0, 50, (2, 5, 4)).astype(float)
    x[1, 2, 1] = np.nan
    found = specialisation.krugman_pairs(x)
    for t in range(2):
        expected = []
        for r in range(5):
            for q in range(r + 1, 5):
                both = np.isfinite(x[t, r]) & np.isfinite(x[t, q])
                a, b = x[t, r][both], x[t, q][both]
                expected.append(np.abs(a / a.sum() - b / b.sum()).sum())
        assert np.allclose(found[t], expected, atol=1e-12)
    assert specialisation.krugman_pairs(np.ones((2, 1, 3))).shape == (2, 0)


def test_batches_equal_tables_one_by_one() -> None:
    x = np.random.default_rng(2).gamma(1.0, 10, (3, 2, 6, 5))
    functions = (
        agglomeration.location_quotient,
        agglomeration.standardised_location_quotient,
        specialisation.herfindahl,
        specialisation.entropy,
        specialisation.krugman,
        specialisation.krugman_pairs,
        specialisation.relative_diversity,
        localisation.hoover_localisation,
        localisation.locational_gini,
        localisation.theil_localisation,
    )
    for f in functions:
        whole = f(x)  # type: ignore[operator]
        for t in np.ndindex(3, 2):
            assert np.allclose(whole[t], f(x[t]), atol=1e-13), f  # type: ignore[operator]


def test_single_industry_and_empty_regions() -> None:
    x = np.array([[5.0, 0, 0], [0, 0, 0], [1, 2, 3]])
    assert specialisation.herfindahl(x)[0] == 1 and specialisation.entropy(x)[0] == 0
    assert np.isfinite(specialisation.relative_diversity(x)[0])
    for f in (specialisation.herfindahl, specialisation.entropy, specialisation.krugman, specialisation.jacobs_diversity):
        assert np.isnan(f(x)[1]), f  # type: ignore[operator]
    assert np.isnan(variety(x, np.array([0, 0, 1])).related[1])
    assert np.allclose(specialisation.herfindahl(x, normalised=True)[[0, 2]], [1, (14 / 36 - 1 / 3) / (2 / 3)])


def test_ties_do_not_change_the_gini() -> None:
    x = np.array([[10.0, 20], [20, 40], [5, 1], [1, 8]])
    assert np.allclose(localisation.locational_gini(x), localisation.locational_gini(x[::-1]), atol=1e-14)
    together = np.array([[30.0, 60], [5, 1], [1, 8]])
    assert np.allclose(localisation.locational_gini(x), localisation.locational_gini(together), atol=1e-14)


def test_missing_cells_compare_like_with_like() -> None:
    """A region with a missing industry is set beside the nation's other industries."""
    x = X.copy()
    x[0, 2] = np.nan
    nation = np.array([100.0, 100.0])
    expected = np.abs(np.array([60, 30]) / 90 - nation / nation.sum()).sum()
    assert specialisation.krugman(x)[0] == pytest.approx(expected, abs=1e-12)
    size = np.array([100.0, 100.0])
    g = np.array([20, 70]) / 90
    assert localisation.hoover_localisation(x)[2] == pytest.approx(np.abs(g - size / size.sum()).sum() / 2, abs=1e-12)


def test_external_references() -> None:
    nation, population = np.array([5.0, 3, 2]), np.array([1.0, 1, 2])
    assert specialisation.krugman(X, nation)[0] == pytest.approx(0.1 + 0 + 0.1)
    assert localisation.hoover_localisation(X, population)[0] == pytest.approx(0.5 * (0.35 + 0.05 + 0.3))
    assert localisation.theil_localisation(np.array([[1.0], [1]]), np.array([0.0, 1]))[0] != np.inf


def test_relative_density_by_hand() -> None:
    area = np.array([1.0, 2, 3])
    assert np.allclose(localisation.relative_density(X, area), X / area[:, None] / (100 / 6), atol=1e-12)


def test_standardised_quotients_by_hand() -> None:
    z = agglomeration.standardised_location_quotient(agglomeration.location_quotient(X))
    assert np.allclose(z[:, 0], np.array([0.8, -0.4, -0.4]) / np.std([1.8, 0.6, 0.6], ddof=1), atol=1e-12)
    logs = agglomeration.standardised_location_quotient(np.exp(z), "log")
    assert np.allclose(logs, z, atol=1e-12)
    assert np.isnan(agglomeration.standardised_location_quotient(np.full((3, 1), 0.1 + 0.2))).all()
    assert np.isnan(agglomeration.standardised_location_quotient(np.array([[0.0], [1], [2]]), "log")[0, 0])


def test_bootstrapped_cut_off_of_normal_quotients_is_the_normal_one() -> None:
    """1000 normal values: within two standard errors (0.07 each) of 1.645."""
    z = np.random.default_rng(0).normal(size=(1000, 1))
    z = (z - z.mean()) / z.std(ddof=1)
    assert agglomeration.bootstrap_cutoffs(z)[0] == pytest.approx(1.645, abs=0.14)
    assert agglomeration.bootstrap_cutoffs(z, seed=1)[0] == agglomeration.bootstrap_cutoffs(z, seed=1)[0]
    assert np.isnan(agglomeration.bootstrap_cutoffs(np.full((3, 1), np.nan))[0])


@pytest.fixture(scope="module")
def table() -> np.ndarray:
    return np.random.default_rng(3).gamma(0.7, 100, (31, 20)) + 1e-6


def test_econcomplex_agrees_once_scales_are_mapped(table: np.ndarray) -> None:
    """econcomplex 1.0.1: its locational Gini is half, its Herfindahl index normalised, its Hoover index in per cent, its entropy in bits."""
    import econcomplex as ec

    close = {"atol": 1e-12, "rtol": 1e-12}
    assert np.allclose(agglomeration.location_quotient(table), ec.location_quotient(table), **close)
    assert np.allclose(specialisation.herfindahl(table), ec.herfindahl(table, normalize=False), **close)
    assert np.allclose(specialisation.herfindahl(table, normalised=True), ec.herfindahl(table), **close)
    assert np.allclose(specialisation.entropy(table, 2), ec.shannon_entropy(table), **close)
    assert np.allclose(specialisation.krugman(table), ec.krugman_index(table), **close)
    assert np.allclose(localisation.hoover_localisation(table), np.asarray(ec.hoover_index(table)) / 100, **close)
    assert np.allclose(localisation.locational_gini(table), ec.hoover_gini(table), **close)
    assert np.allclose(localisation.locational_gini(table, scale="area"), ec.locational_gini(table), **close)
    population = np.random.default_rng(4).gamma(2, 10, len(table))
    assert np.allclose(localisation.locational_gini(table, population), ec.hoover_gini(table, population), **close)
    assert np.allclose(localisation.hoover_localisation(table, population), np.asarray(ec.hoover_index(table, population)) / 100, **close)


def test_econcomplex_calls_a_region_without_activity_unspecialised() -> None:
    """Its division by zero gives 0, where there is no value."""
    import econcomplex as ec

    x = np.vstack([X, np.zeros(3)])
    assert ec.herfindahl(x, normalize=False)[3] == 0
    assert np.isnan(specialisation.herfindahl(x)[3])


@pytest.mark.filterwarnings("ignore")  # of the peer's own use of pandas
def test_ecomplexity_agrees_on_the_quotient(table: np.ndarray) -> None:
    from ecomplexity import ecomplexity

    regions, industries = np.indices(table.shape)
    long = pd.DataFrame({"t": 1, "r": regions.ravel(), "i": industries.ravel(), "v": table.ravel()})
    found = ecomplexity(long, {"time": "t", "loc": "r", "prod": "i", "val": "v"})
    theirs = found.pivot_table(index="r", columns="i", values="rca").to_numpy()
    assert np.allclose(agglomeration.location_quotient(table), theirs, rtol=1e-12)
