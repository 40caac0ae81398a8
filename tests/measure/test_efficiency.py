"""Distances to a frontier: worked values, what they do not depend on, and why one may be missing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from hinterland.measure.efficiency import Model, Observations, distances, slack_weights, usable

Floats = NDArray[np.float64]
PAIR = Observations(np.ones((2, 1)), np.array([[2.4], [1.5]]), np.array([[1.0], [0.9]]))
"""One input, one output, one pollutant; the first dominates in output."""
ALL = [
    Model("sbm", "crs"),
    Model("sbm", "vrs", direction="mean"),
    Model("ddf", "crs", "weak"),
    Model("ddf", "vrs", "weak"),
    Model("ddf", "crs", "strong", "own-outputs"),
    Model("ddf", "vrs", "strong", "mean"),
]


def random(seed: int, count: int = 20, sizes: tuple[int, int, int] = (2, 1, 1)) -> Observations:
    rng = np.random.default_rng(seed)
    return Observations(*(np.exp(0.5 * rng.normal(size=(count, n))) for n in sizes))


def test_worked_values() -> None:
    """Directional distance 0.180328 and slacks-based inefficiency 0.263889 (printed to six digits)."""
    ddf = distances(PAIR, PAIR, Model("ddf", direction="own-outputs")).value
    sbm = distances(PAIR, PAIR, Model()).value
    np.testing.assert_allclose(ddf, [0.0, 0.180328], atol=5e-7)
    np.testing.assert_allclose(sbm, [0.0, 0.263889], atol=5e-7)


def test_slacks_by_hand() -> None:
    """The best target of the second observation is 0.625 of the first: slacks 0.375 of input, 0 of output, 0.275 of 0.9 of pollution."""
    by_hand = {
        "halves": 0.5 * (0.375 / 1 + 0.5 * (0.275 / 0.9)),
        "thirds": (0.375 + 0.275 / 0.9) / 3,
        "equal": (0.375 + 0.275 / 0.9) / 3,
    }
    for weights, expected in by_hand.items():
        assert distances(PAIR, PAIR, Model(weights=weights)).value[1] == pytest.approx(expected, abs=1e-12)  # type: ignore[arg-type]


@pytest.mark.parametrize(("n", "m", "j"), [(3, 1, 2), (1, 2, 0), (2, 1, 1)])
def test_slack_weights_sum_to_one(n: int, m: int, j: int) -> None:
    halves, thirds, equal = (slack_weights(n, m, j, w) for w in ("halves", "thirds", "equal"))  # type: ignore[arg-type]
    assert {round(float(w.sum()), 12) for w in (halves, thirds, equal)} == {1.0}
    assert halves[:n].sum() == pytest.approx(0.5)
    assert thirds[:n].sum() == pytest.approx(1 / 3 if j else 1 / 2)
    np.testing.assert_allclose(halves[n:], 0.5 / (m + j))


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), number=st.integers(0, len(ALL) - 1))
def test_invariances(seed: int, number: int) -> None:
    """Units of measurement and order do not matter; more observations can only push the frontier out."""
    model, data = ALL[number], random(seed)
    base = distances(data, data, model).value
    assert (base >= -1e-10).all() and np.isclose(base, 0, atol=1e-9).any()
    other = Observations(data.x * [1000.0, 0.01], data.y * 7, data.b / 9)
    np.testing.assert_allclose(distances(other, other, model).value, base, rtol=1e-8, atol=1e-9)
    turned = np.random.default_rng(seed).permutation(len(base))
    moved = Observations(data.x[turned], data.y[turned], data.b[turned])
    np.testing.assert_allclose(distances(moved, moved, model).value, base[turned], rtol=1e-8, atol=1e-9)
    fewer = np.arange(len(base)) < 12
    mean = data.all.mean(axis=0)
    part = distances(data.take(fewer), data.take(fewer), model, mean).value
    assert (part <= distances(data.take(fewer), data, model, mean).value + 1e-9).all()


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_a_larger_technology_is_further_away(seed: int) -> None:
    """Constant returns hold variable ones; under them, strong disposability holds weak; for slacks the two are one."""
    data = random(seed)

    def value(*model: str) -> Floats:
        return distances(data, data, Model(*model)).value  # type: ignore[arg-type]

    assert (value("sbm", "vrs") <= value("sbm", "crs") + 1e-9).all()
    assert (value("ddf", "crs", "weak") <= value("ddf", "crs", "strong") + 1e-9).all()
    for returns in ("crs", "vrs"):
        np.testing.assert_allclose(value("sbm", returns, "weak"), value("sbm", returns, "strong"), atol=1e-12)
    for disposability in ("weak", "strong"):
        assert (value("ddf", "vrs", disposability) <= value("ddf", "crs", disposability) + 1e-9).all()


def test_an_inefficient_observation_leaves_the_slacks_based_frontier_as_it_is() -> None:
    data = random(11, 60, (3, 1, 2))
    every = distances(data, data).value
    efficient = every < 1e-9
    assert 0 < efficient.sum() < len(every)
    np.testing.assert_allclose(distances(data, data.take(efficient)).value, every, atol=1e-10)


def test_weak_disposability_under_variable_returns_abates_each_observation() -> None:
    """Kuosmanen (2005): with one observation (1, 2, 1) all (1, 2θ, θ) are possible, 0 ≤ θ ≤ 1; without θ only (1, 2, 1) is."""
    one = Observations(np.array([[1.0]]), np.array([[2.0]]), np.array([[1.0]]))
    half = Observations(np.array([[1.0]]), np.array([[0.8]]), np.array([[0.5]]))
    found = distances(half, one, Model("ddf", "vrs", "weak", "own-outputs"))
    # 2θ = 0.8(1 + β), θ = 0.5(1 − β)  →  1 − β = 0.8 + 0.8β  →  β = 1/9
    assert found.value[0] == pytest.approx(1 / 9, abs=1e-12)


def test_distance_beyond_a_frontier_is_negative_or_infeasible() -> None:
    one = Observations(np.array([[1.0]]), np.array([[2.0]]), np.array([[1.0]]))
    better = Observations(np.array([[1.0]]), np.array([[2.2]]), np.array([[1.3]]))
    cleaner = Observations(np.array([[1.0]]), np.array([[2.4]]), np.array([[1.0]]))
    model = Model("ddf", "crs", "weak", "own-outputs")
    # λ = 1.3(1 − β) ≤ 1 and 2λ ≥ 2.2(1 + β): β = 0.4/4.8 would need λ > 1 — so it has no solution
    assert distances(better, one, model).reasons["infeasible"].all()
    assert distances(cleaner, one, model).reasons["infeasible"].all()
    low = Observations(np.array([[1.0]]), np.array([[2.2]]), np.array([[0.9]]))
    # 2·0.9(1 − β) = 2.2(1 + β)  →  β = −0.1
    assert distances(low, one, model).value[0] == pytest.approx(-0.1, abs=1e-12)


def test_reasons() -> None:
    x = np.array([[1.0], [1], [0], [1], [-1], [np.nan], [1]])
    y = np.array([[2.0], [0], [1], [1], [1], [1], [1]])
    b = np.array([[1.0], [1], [1], [0], [1], [1], [1]])
    data = Observations(x, y, b)
    found = distances(data, data)
    assert usable(data).tolist() == [True, True, False, True, False, False, True]
    codes = [[code for code, mask in found.reasons.items() if mask[i]] for i in range(7)]
    assert codes == [
        [],
        ["zero-direction"],
        ["zero-input", "zero-direction"],
        ["zero-direction"],
        ["negative-input", "zero-input", "zero-direction"],
        ["missing-input", "zero-input"],
        [],
    ]
    assert np.isfinite(found.value).tolist() == [not c for c in codes]
    # a direction that is the same for all measures those with a zero, too
    mean = distances(data, data, Model(direction="mean"))
    assert np.isfinite(mean.value).tolist() == [True, True, False, True, False, False, True]


def test_nobody_on_the_frontier() -> None:
    none = Observations(np.full((1, 1), np.nan), np.ones((1, 1)), np.ones((1, 1)))
    found = distances(PAIR, none)
    assert found.reasons["empty-frontier"].all() and np.isnan(found.value).all()
    assert distances(PAIR, none, Model(direction="mean")).reasons["empty-frontier"].all()


def test_wrong_models() -> None:
    with pytest.raises(ValueError, match="returns is 'irs'; it is one of crs, vrs"):
        Model(returns="irs")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="gives inputs no step"):
        Model(direction="own-outputs")
