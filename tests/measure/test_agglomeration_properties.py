"""Identities of agglomeration and specialisation, on tables drawn at random."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hinterland.measure import agglomeration, localisation, plants, specialisation
from hinterland.measure.variety import variety

CLOSE = {"atol": 1e-10, "rtol": 1e-10}
cells = st.one_of(st.just(0.0), st.floats(1e-3, 1e4))
tables = st.tuples(st.integers(2, 6), st.integers(2, 6)).flatmap(lambda shape: arrays(float, shape, elements=cells))


def filled(x: np.ndarray) -> np.ndarray:
    """The rows and columns that have a total."""
    x = x[x.sum(axis=1) > 0]
    return x[:, x.sum(axis=0) > 0] if x.size else np.ones((2, 2))


@given(tables)
def test_weighted_means_of_quotients_are_one(x: np.ndarray) -> None:
    x = filled(x)
    lq = agglomeration.location_quotient(x)
    regions, industries = x.sum(axis=1) / x.sum(), x.sum(axis=0) / x.sum()
    assert np.allclose(regions @ lq, 1, **CLOSE)
    assert np.allclose(lq @ industries, 1, **CLOSE)


@given(tables, st.data())
def test_related_and_unrelated_variety_sum_to_entropy(x: np.ndarray, data: st.DataObject) -> None:
    group = np.array(data.draw(st.lists(st.integers(0, 3), min_size=x.shape[1], max_size=x.shape[1])))
    found = variety(x, group)
    assert np.allclose(found.unrelated + found.related, found.total, equal_nan=True, **CLOSE)
    assert np.allclose(found.total, specialisation.entropy(x, 2), equal_nan=True, **CLOSE)
    assert (np.nan_to_num(found.related) >= -1e-12).all() and (np.nan_to_num(found.unrelated) >= -1e-12).all()


@given(tables)
def test_ranges(x: np.ndarray) -> None:
    n = x.shape[1]
    inside = [
        (specialisation.herfindahl(x), 1 / n, 1),
        (specialisation.herfindahl(x, normalised=True), 0, 1),
        (specialisation.krugman(x), 0, 2),
        (specialisation.krugman(x, versus="rest"), 0, 2),
        (specialisation.krugman_pairs(x), 0, 2),
        (specialisation.entropy(x), 0, np.log(n)),
        (specialisation.jacobs_diversity(x), 1, n),
        (localisation.hoover_localisation(x), 0, 1),
        (localisation.locational_gini(x), 0, 1),
        (localisation.theil_localisation(x), 0, np.inf),
        (agglomeration.symmetric_location_quotient(agglomeration.location_quotient(x)), -1, 1),
    ]
    for found, low, high in inside:
        known = found[np.isfinite(found)]
        assert (known >= low - 1e-9).all() and (known <= high + 1e-9).all()
        assert not np.isinf(found).any()


@given(tables, st.floats(0.01, 100), st.randoms(use_true_random=False))
def test_units_and_order_of_regions_change_nothing(x: np.ndarray, factor: float, random: object) -> None:
    order = np.array(random.sample(range(len(x)), len(x)))  # type: ignore[attr-defined]
    for f in (localisation.hoover_localisation, localisation.locational_gini, localisation.theil_localisation):
        assert np.allclose(f(x), f(factor * x[order]), equal_nan=True, **CLOSE)  # type: ignore[operator]
    assert np.allclose(specialisation.krugman(x)[order], specialisation.krugman(factor * x[order]), equal_nan=True, **CLOSE)


@given(tables)
def test_krugman_against_the_rest_is_wider(x: np.ndarray) -> None:
    """s − m = (1 − x_r)(s − s_{−r}): the nation's index is the rest's, times one less the region's weight."""
    x = filled(x)
    weight = x.sum(axis=1) / x.sum()
    rest = specialisation.krugman(x, versus="rest")
    known = np.isfinite(rest)
    assert np.allclose(specialisation.krugman(x)[known], ((1 - weight) * rest)[known], atol=1e-8)


@given(tables)
def test_an_industry_spread_like_all_activity_has_no_localisation(x: np.ndarray) -> None:
    x = filled(x)
    alike = np.outer(x.sum(axis=1), [1.0, 3.0])
    for f in (localisation.hoover_localisation, localisation.locational_gini, localisation.theil_localisation):
        assert np.allclose(f(alike), 0, atol=1e-9)  # type: ignore[operator]
    if len(x) > 1:
        assert np.allclose(plants.pairwise_coagglomeration(alike), 0, atol=1e-9)


@given(tables)
def test_co_agglomeration_with_itself_is_raw_concentration(x: np.ndarray) -> None:
    x = filled(x)
    if len(x) > 1:
        size = x.sum(axis=1) / x.sum()
        found = np.diag(plants.pairwise_coagglomeration(x))
        raw = plants.ellison_glaeser(x, np.full(x.shape[1], 0.1)).concentration
        assert np.allclose(found, raw / (1 - (size**2).sum()), **CLOSE)
