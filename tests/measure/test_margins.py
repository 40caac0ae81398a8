"""Margins of trade made consistent: hand-sized cases, closed forms, bounds, and imputation from net flows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hinterland.measure.balancing import bottleneck
from hinterland.measure.margins import cross_hauling, gross_from_net, reconciled, transit, turned, without_self_trade


def margins(seed: int, sectors: int = 3, regions: int = 5) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return np.exp(rng.normal(0, 1.5, (sectors, regions))), np.exp(rng.normal(0.3, 1.5, (sectors, regions)))


def test_transit_by_hand() -> None:
    """Use 10; inflow 12 and imports 3, so 5 must go on: 4 with the outflow, 1 as re-exports."""
    t = transit(*(np.array([[v]]) for v in (10.0, 4.0, 12.0, 6.0, 3.0)))
    assert (t.domestic.item(), t.foreign.item(), t.beyond_use.item()) == (4.0, 1.0, 0.0)
    assert (t.outflow.item(), t.inflow.item(), t.exports.item(), t.imports.item()) == (0.0, 8.0, 5.0, 2.0)


def test_imports_that_nobody_uses() -> None:
    t = transit(*(np.array([[v]]) for v in (2.0, 0.0, 0.0, 1.0, 5.0)))
    assert (t.foreign.item(), t.beyond_use.item(), t.imports.item()) == (1.0, 2.0, 2.0)


@given(seed=st.integers(0, 10_000))
@settings(max_examples=50, deadline=None)
def test_transit_moves_no_net_trade(seed: int) -> None:
    rng = np.random.default_rng(seed)
    use, out, back, exports, imports = np.exp(rng.normal(0, 1.5, (5, 3, 4)))
    t = transit(use, out, back, exports, imports)
    np.testing.assert_allclose(t.outflow - t.inflow, out - back, atol=1e-12)
    np.testing.assert_allclose(t.exports - t.imports - t.beyond_use, exports - imports, atol=1e-12)
    assert min(a.min() for a in (t.outflow, t.inflow, t.exports, t.imports, t.domestic, t.foreign, t.beyond_use)) >= 0
    assert (t.imports <= use + 1e-12).all()


def test_a_negative_margin_is_the_other() -> None:
    out, back = turned(np.array([-2.0, 3.0]), np.array([1.0, -4.0]))
    assert out.tolist() == [0.0, 7.0]
    assert back.tolist() == [3.0, 0.0]


@given(seed=st.integers(0, 10_000), v=st.floats(0.05, 20), w=st.floats(0.05, 20))
@settings(max_examples=50, deadline=None)
def test_common_total_is_the_weighted_geometric_mean(seed: int, v: float, w: float) -> None:
    """With one trust per margin and no bound, ln T = (v ln Σo + w ln Σi)/(v + w), and shares of regions stay."""
    out, back = margins(seed)
    r = reconciled(out, back, trust_outflow=v, trust_inflow=w)
    expected = np.exp((v * np.log(out.sum(axis=1)) + w * np.log(back.sum(axis=1))) / (v + w))
    np.testing.assert_allclose(r.total, expected, rtol=1e-9)
    np.testing.assert_allclose(r.outflow / r.total[:, None], out / out.sum(axis=1, keepdims=True), rtol=1e-9)
    np.testing.assert_allclose(r.outflow.sum(axis=1), r.inflow.sum(axis=1), rtol=1e-13)
    gap = np.abs((out - r.outflow) - (back - r.inflow)).sum(axis=1)
    np.testing.assert_allclose(gap, np.abs(out.sum(axis=1) - back.sum(axis=1)), rtol=1e-7, atol=1e-9)


def test_loses_least_information() -> None:
    """No other pair of margins with one total has a smaller v D(o'|o) + w D(i'|i)."""
    out, back = margins(4, sectors=1)
    v = np.array([[1.0, 5, 0.5, 2, 1]])
    r = reconciled(out, back, trust_outflow=v, trust_inflow=3.0)

    def loss(a: np.ndarray, b: np.ndarray) -> float:
        return float((v * (a * np.log(a / out) - a + out)).sum() + 3 * (b * np.log(b / back) - b + back).sum())

    best, rng = loss(r.outflow, r.inflow), np.random.default_rng(0)
    for _ in range(200):
        a = r.outflow * np.exp(rng.normal(0, 0.05, 5))
        b = r.inflow * np.exp(rng.normal(0, 0.05, 5))
        assert loss(a, b * a.sum() / b.sum()) > best


def test_infinite_trust_keeps_a_margin() -> None:
    out, back = margins(1)
    r = reconciled(out, back, trust_outflow=np.inf)
    np.testing.assert_allclose(r.outflow, out, rtol=1e-12)
    np.testing.assert_allclose(r.inflow.sum(axis=1), out.sum(axis=1), rtol=1e-9)
    with pytest.raises(ValueError, match="cannot meet"):
        reconciled(out, back, trust_outflow=np.inf, trust_inflow=np.inf)


def test_bounds_hold() -> None:
    out, back = margins(2)
    r = reconciled(out, back, most_outflow=out * 0.9, most_inflow=back * 0.5)
    assert (r.outflow <= out * 0.9 * (1 + 1e-9)).all()
    assert (r.inflow <= back * 0.5 * (1 + 1e-9)).all()
    np.testing.assert_allclose(r.outflow.sum(axis=1), r.inflow.sum(axis=1), rtol=1e-12)


def test_a_margin_alone_goes_to_zero() -> None:
    r = reconciled(np.array([[1.0, 2], [0, 0], [3, 1]]), np.array([[0.0, 0], [0, 0], [2, 2]]))
    assert r.one_sided.tolist() == [True, False, False]
    assert r.total[:2].tolist() == [0.0, 0.0]
    assert r.total[2] == pytest.approx(4.0)


def test_bad_margins() -> None:
    good = np.ones((1, 2))
    with pytest.raises(ValueError, match="trust"):
        reconciled(good, good, trust_inflow=0.0)
    with pytest.raises(ValueError, match="inflow is negative"):
        reconciled(good, -good)


def test_self_trade_by_hand() -> None:
    """Region 0 sends 8 of 10 and takes 5: 3 of its outflow can only come back."""
    out, back, taken = without_self_trade(np.array([[8.0, 2, 0]]), np.array([[5.0, 1, 4]]))
    assert taken.tolist() == [[3.0, 0, 0]]
    assert out.tolist() == [[5.0, 2, 0]]
    np.testing.assert_allclose(back, [[2.0, 1, 4]])


@given(seed=st.integers(0, 10_000))
@settings(max_examples=40, deadline=None)
def test_without_self_trade_there_is_a_matrix(seed: int) -> None:
    rng = np.random.default_rng(seed)
    out, back = np.exp(rng.normal(0, 3, (2, 1, 4)))
    back *= out.sum() / back.sum()
    out, back, taken = without_self_trade(out, back)
    assert (taken > 0).sum() <= 1
    assert min(out.min(), back.min()) >= 0
    assert bottleneck(~np.eye(4, dtype=bool), out[0], back[0]) is None


def test_charm_by_hand() -> None:
    """h = (30 + 20 - 10)/(100 + 90) = 0.2105; from net 10 the same h gives 30 and 20 back."""
    h = cross_hauling(*(np.array(v) for v in (30.0, 20.0, 100.0, 90.0)))
    assert float(h) == pytest.approx(40 / 190)
    g = gross_from_net(np.array([10.0]), np.array([100.0]), np.array([90.0]), float(h))
    np.testing.assert_allclose([g.outflow[0], g.inflow[0]], [30, 20])
    least = gross_from_net(np.array([10.0, -4.0]), np.array([100.0, 10.0]), np.array([90.0, 14.0]), 0.0)
    assert least.outflow.tolist() == [10.0, 0.0]
    assert least.inflow.tolist() == [0.0, 4.0]
    assert np.isnan(cross_hauling(*(np.array(v) for v in (0.0, 0.0, 0.0, 0.0))))


@given(seed=st.integers(0, 10_000), share=st.floats(0, 3))
@settings(max_examples=40, deadline=None)
def test_gross_flows_keep_the_net_and_stay_within_output_and_use(seed: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    output, use = np.exp(rng.normal(0, 1, (2, 6)))
    g = gross_from_net(output - use, output, use, share)
    np.testing.assert_allclose(g.outflow - g.inflow, output - use, atol=1e-12)
    assert (g.outflow <= output + 1e-12).all()
    assert (g.inflow <= use + 1e-12).all()
