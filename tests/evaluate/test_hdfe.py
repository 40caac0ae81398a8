from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

from hinterland.evaluate import hdfe
from hinterland.evaluate.coding import Factor
from hinterland.evaluate.hdfe import absorber, residualise, singletons

RNG = np.random.default_rng(7)


def _factor(codes: Any, slope: Any = None) -> Factor:
    _, dense = np.unique(codes, return_inverse=True)
    return Factor("f", dense.astype(np.int32), int(dense.max()) + 1, None, slope)


def _dummies(factors: list[Factor]) -> np.ndarray[Any, Any]:
    blocks = [np.eye(f.size)[f.codes] * (1.0 if f.slope is None else f.slope[:, None]) for f in factors]
    return np.hstack(blocks)


def _panel(kind: str) -> list[Factor]:
    unit, period = np.repeat(np.arange(30), 8), np.tile(np.arange(8), 30)
    if kind != "balanced":
        keep = RNG.uniform(size=240) > 0.25
        unit, period = unit[keep], period[keep]
    base = [_factor(unit), _factor(period)]
    province = unit % 4
    extra = {
        "province-year": [_factor(province * 100 + period)],
        "unit-slopes": [_factor(unit, RNG.normal(size=len(unit)) + 2000.0)],
        "trend": [_factor(unit, period + 2003.0)],
        "province-slopes": [_factor(province, RNG.normal(size=len(unit)) + 5)],
        "three": [_factor(RNG.integers(0, 12, len(unit))), _factor(RNG.integers(0, 9, len(unit)))],
        "disconnected": [_factor(np.where(unit < 10, period, 100 + period))],
    }
    return base + extra.get(kind, [])


KINDS = ["balanced", "unbalanced", "province-year", "unit-slopes", "trend", "province-slopes", "three", "disconnected"]


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_residuals_are_those_of_the_dummy_regression(kind: str, weighted: bool) -> None:
    factors = _panel(kind)
    n = len(factors[0].codes)
    columns = RNG.normal(size=(n, 3)) + 1e3
    weights = RNG.uniform(0.1, 9, n) if weighted else None
    root = np.ones(n) if weights is None else np.sqrt(weights)
    z = _dummies(factors)
    fitted = z @ np.linalg.lstsq(z * root[:, None], columns * root[:, None], rcond=None)[0]
    grid = (30, 8) if kind == "balanced" else None
    prepared = absorber(factors, weights, grid=grid)
    assert_allclose(hdfe.project_off(prepared, columns), columns - fitted, atol=2e-8)
    assert prepared.rank() == np.linalg.matrix_rank(z, tol=1e-8 * np.linalg.norm(z, 2))


@pytest.mark.parametrize("kind", ["unbalanced", "province-year", "three", "disconnected"])
def test_conjugate_gradients_agree_with_the_direct_solution(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    factors = _panel(kind)
    x = RNG.normal(size=len(factors[0].codes))
    weights = RNG.uniform(0.1, 9, len(x))
    direct = residualise(x, factors, weights)
    monkeypatch.setattr(hdfe, "DIRECT", 0)
    monkeypatch.setattr(hdfe, "DENSE", 0)
    prepared = absorber(factors, weights)
    assert prepared.rank() is None
    assert_allclose(prepared.column(x), direct, atol=1e-9)


def test_closed_form_and_elimination_agree() -> None:
    factors = _panel("balanced")
    x = RNG.normal(size=240)
    assert_allclose(residualise(x, factors, grid=(30, 8)), residualise(x, factors), atol=1e-12)


def test_residualising_twice_changes_nothing() -> None:
    factors = _panel("three")
    once = residualise(RNG.normal(size=len(factors[0].codes)), factors)
    assert_allclose(residualise(once, factors), once, atol=1e-10)


def test_singletons_are_found_one_after_another() -> None:
    # The last row is alone in its unit; without it, the row before is alone in its period.
    factors = [_factor(np.array([0, 0, 1, 1, 1, 2])), _factor(np.array([0, 1, 0, 1, 2, 2]))]
    assert singletons(factors).tolist() == [False, False, False, False, True, True]
    assert not singletons(_panel("balanced")).any()
