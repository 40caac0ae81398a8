"""Structural breaks: worked values, brute force, reference series, critical values, size and power."""

from __future__ import annotations

from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from hinterland.measure.break_tests import (
    LEVELS,
    TRIMMINGS,
    critical_values,
    date_distribution,
    date_interval,
    date_quantile,
    sup_f_p_value,
)
from hinterland.measure.breaks import breaks, partitions, regressors, segment_ssr, shortest
from hinterland.measure.common_breaks import _admissible, agreement, common_breaks, overlay

WORKED = np.array([1, 1.2, 0.9, 1.1, 3, 3.2, 2.9, 3.1, 5, 5.2, 4.9, 5.1, 5])
SERIES = Path(__file__).parent / "series"
NILE, REAL_RATE = (np.loadtxt(SERIES / f"{name}.txt") for name in ("nile", "real_rate"))


def test_worked_values_of_strucchange() -> None:
    """R strucchange 1.5-3, breakpoints(y ~ 1, h = 3) and Fstats(from = 0.25), to the digits printed."""
    found = breaks(WORKED[None], regressors(13), h=3, max_breaks=3)
    assert found.partitions.ssr[0].round(4).tolist() == [35.66, 8.152, 0.152, 2.8033]
    assert (found.partitions.last[0, 2, :2] + 1).tolist() == [4, 8]
    assert found.bic[0].round(4).tolist() == [55.1403, 41.0853, -5.5526, 37.4682]
    assert found.sup_f[0, 0] == pytest.approx(37.118, abs=5e-4)
    assert found.by_bic[0] == found.by_lwz[0] == found.by_sequence[0] == 2


def test_the_nile_of_strucchange() -> None:
    """The example of R strucchange: RSS and BIC as printed, one break after 1898 (the 28th year) with the interval 25 to 32."""
    found = breaks(NILE[None], regressors(100), h=shortest(100))
    assert found.partitions.ssr[0].round().tolist() == [2835157, 1597457, 1552924, 1538097, 1507888, 1659994]
    assert found.bic[0].round().tolist() == [1318, 1270, 1276, 1285, 1292, 1311]
    assert found.dates("bic")[0, 0] + 1 == 28
    assert date_interval(NILE, regressors(100), (0, 28, 100)) == (25 - 1, 32 - 1)


def test_the_real_interest_rate_of_bai_and_perron() -> None:
    """RSS of strucchange, classical supF(l + 1|l) of mbreaks (robust = 0), dates 1966Q4, 1972Q3, 1980Q3, and two breaks by BIC and LWZ as published."""
    found = breaks(REAL_RATE[None], regressors(103), h=15)
    assert found.partitions.ssr[0, :4].round(2).tolist() == [1214.92, 645.0, 455.95, 445.18]
    assert found.sup_f[0, :3] == pytest.approx([89.245, 52.204, 7.414], abs=2e-3)
    assert (found.partitions.last[0, 3, :3] + 1).tolist() == [24, 47, 79]
    assert (found.by_bic[0], found.by_lwz[0], found.by_sequence[0]) == (2, 2, 2)
    means = [REAL_RATE[a:b].mean() for a, b in pairwise([0, 47, 79, 103])]
    assert np.round(means, 2).tolist() == [1.36, -1.80, 5.64] or np.allclose(means, [1.3550, -1.7961, 5.6429], atol=1e-4)


def brute(y: np.ndarray, x: np.ndarray, h: int, m: int) -> tuple[float, list[int]]:
    best = (np.inf, [-1])
    for last in combinations(range(len(y)), m):
        edges = [0, *(k + 1 for k in last), len(y)]
        if all(b - a >= h for a, b in pairwise(edges)):
            ssr = 0.0
            for a, b in pairwise(edges):
                rest = y[a:b] - x[a:b] @ np.linalg.lstsq(x[a:b], y[a:b], rcond=None)[0]
                ssr += float(rest @ rest)
            best = min(best, (ssr, list(last)))
    return best


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(9, 15), st.sampled_from(["mean", "trend"]), st.integers(3, 4))
def test_partitions_are_those_of_brute_force(seed: int, periods: int, model: str, h: int) -> None:
    y = np.random.default_rng(seed).normal(size=periods) + np.arange(periods) // 5
    x = regressors(periods, model)  # type: ignore[arg-type]
    found = breaks(y[None], x, h=h, max_breaks=3, trending=model == "trend")
    for m in range(found.partitions.ssr.shape[1]):
        ssr, last = brute(y, x, h, m)
        assert found.partitions.ssr[0, m] == pytest.approx(ssr, rel=1e-9)
        assert found.partitions.last[0, m, :m].tolist() == last


def test_stretches_are_least_squares_with_any_regressors() -> None:
    rng = np.random.default_rng(3)
    x = np.column_stack([np.ones(14), rng.normal(size=14), (np.arange(14) > 5) * 1.0])
    y = rng.normal(size=(2, 14))
    cost = segment_ssr(y, x, 4)
    for a in range(14):
        for b in range(a + 4, 15):
            rest = y[:, a:b].T - x[a:b] @ np.linalg.lstsq(x[a:b], y[:, a:b].T, rcond=None)[0]
            assert cost[:, a, b] == pytest.approx((rest**2).sum(axis=0), rel=1e-9, abs=1e-12)
    assert np.isinf(cost[:, 0, :4]).all()


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.floats(-1e3, 1e3), st.floats(0.01, 1e3))
def test_breaks_do_not_change_with_level_and_unit(seed: int, level: float, unit: float) -> None:
    y = np.random.default_rng(seed).normal(size=(3, 20)) + 2.0 * (np.arange(20) > 8)
    x = regressors(20)
    one, other = breaks(y, x, h=3), breaks(level + unit * y, x, h=3)
    assert (one.partitions.last == other.partitions.last).all()
    assert one.sup_f == pytest.approx(other.sup_f, rel=1e-6, nan_ok=True)
    backwards = breaks(y[:, ::-1], x, h=3).partitions
    assert backwards.ssr == pytest.approx(one.partitions.ssr, rel=1e-9)


def test_a_step_without_noise_is_found_and_leaves_nothing_infinite() -> None:
    y = np.array([[1.0] * 8 + [2.0] * 8, [3.0] * 16])
    found = breaks(y, regressors(16), h=3)
    assert found.by_bic.tolist() == found.by_lwz.tolist() == found.by_sequence.tolist() == [1, 0]
    assert found.dates("lwz")[0, 0] == 7
    assert np.isnan(found.bic[0, 1]) and np.isnan(found.bic[1]).all()


def test_no_room_and_gaps_are_refused() -> None:
    with pytest.raises(ValueError, match="no room"):
        breaks(np.zeros((1, 5)), regressors(5), h=3)
    with pytest.raises(ValueError, match="gaps"):
        breaks(np.full((1, 15), np.nan), regressors(15), h=3)
    with pytest.raises(ValueError, match="no room"):
        common_breaks(np.zeros((2, 5)), regressors(5), h=3)
    with pytest.raises(ValueError, match="varies"):
        common_breaks(np.ones((2, 15)), regressors(15), h=3)


@pytest.mark.parametrize(("periods", "q", "h"), [(13, 1, 3), (20, 1, 3), (25, 1, 3), (30, 1, 4), (100, 1, 15), (20, 3, 4)])
def test_shortest_regime(periods: int, q: int, h: int) -> None:
    assert shortest(periods, 0.15, q) == h


def test_critical_values_depend_on_coefficients_and_trimming() -> None:
    """Andrews (1993) and Bai & Perron (1998): a table for q = 1 used for all q would reject far too often."""
    assert critical_values(1, 0.15, 0.05, 3) == pytest.approx([8.58, 10.13, 11.14])
    assert critical_values(2, 0.15, 0.05, 3) == pytest.approx([11.47, 12.95, 14.03])
    assert critical_values(1, 0.05, 0.05, 1) == pytest.approx([9.63])
    assert critical_values(1, 0.12, 0.05, 1) == critical_values(1, 0.10, 0.05, 1)
    assert critical_values(6, 0.15, 0.05, 1) is None and critical_values(1, 0.04, 0.05, 1) is None
    every = np.array([[[critical_values(q, e, a, 5) for q in range(1, 6)] for e in TRIMMINGS] for a in LEVELS])
    assert all((np.diff(every, axis=k) * s > 0).all() for k, s in ((0, 1), (1, -1), (2, 1), (3, 1)))


def test_the_tail_agrees_with_the_tables() -> None:
    """Two sources of one distribution: DeLong's tail and Bai & Perron's simulations, within their errors of 1-2 points at 10 %."""
    for q in range(1, 6):
        for e in TRIMMINGS:
            for level, within in ((0.1, 0.02), (0.05, 0.012), (0.01, 0.006)):
                table = critical_values(q, e, level, 5)
                for breaks_given in range(5):
                    p = sup_f_p_value(table[breaks_given], q, e, breaks_given)
                    assert p == pytest.approx(level, abs=within + 0.01 * level * breaks_given * 10)
    assert np.isnan(sup_f_p_value(np.array(np.nan), 1, 0.15))
    assert sup_f_p_value(np.array([0.0, 0.5, 1e4, np.inf]), 1, 0.15).tolist() == [1.0, 1.0, 0.0, 0.0]


def bai_1997(x: float) -> float:
    """Bai's closed form for equal regimes, x ≥ 0."""
    r = np.sqrt(x)
    return float(1 + r / np.sqrt(2 * np.pi) * np.exp(-x / 8) + 1.5 * np.exp(x) * norm.cdf(-1.5 * r) - 0.5 * (x + 5) * norm.cdf(-0.5 * r))


def test_distribution_of_a_date() -> None:
    """The closed form and its quantiles 7.7 and 11.0 for equal regimes; simulated random walks for unequal ones."""
    for x in (0.1, 1.0, 5.0, 20.0):
        assert date_distribution(x) == pytest.approx(bai_1997(x), abs=1e-8)
        assert date_distribution(-x) == pytest.approx(1 - bai_1997(x), abs=1e-8)
    assert round(date_quantile(0.975), 1) == 11.0 and round(date_quantile(0.95), 1) == 7.7
    rng, step, n = np.random.default_rng(0), 0.02, 2500
    ratio, spread, at = 1.5, 0.7, []
    time = step * np.arange(1, n + 1)
    for _ in range(1500):
        left = np.cumsum(rng.normal(0, np.sqrt(step), n)) - time / 2
        right = np.sqrt(ratio) * spread * np.cumsum(rng.normal(0, np.sqrt(step), n)) - ratio * time / 2
        at.append(-time[left.argmax()] if left.max() > right.max() else time[right.argmax()])
    for x in (-5.0, -1.0, 1.0, 3.0):
        assert np.mean(np.array(at) <= x) == pytest.approx(date_distribution(x, ratio=ratio, spread=spread), abs=0.04)


def test_intervals_cover_the_date() -> None:
    """T = 60, shift of 1.5 standard deviations: nominal 95 % in 300 draws; too few to see less than a point or two."""
    rng, x = np.random.default_rng(5), regressors(60)
    y = rng.normal(size=(300, 60)) + 1.5 * (np.arange(60) > 29)
    last = breaks(y, x, h=9, max_breaks=1).partitions.last[:, 1, 0]
    ends = [date_interval(s, x, (0, int(k) + 1, 60)) for s, k in zip(y, last, strict=True)]
    assert 0.9 <= np.mean([e is not None and e[0] <= 29 <= e[1] for e in ends]) <= 1.0
    assert date_interval(np.array([1.0] * 30 + [2.0] * 30), x, (0, 30, 60)) is None


def test_size_and_power_in_short_series() -> None:
    """Independent errors, T = 20: BIC finds a break where there is none in about a fifth, LWZ and the tests in less than a tenth; a shift of 2 is found."""
    rng, x = np.random.default_rng(0), regressors(20)
    e = rng.normal(size=(2000, 20))
    none, some = breaks(e, x, h=3), breaks(e + 2.0 * (np.arange(20) > 9), x, h=3)
    assert 0.15 < (none.by_bic > 0).mean() < 0.24
    assert (none.by_lwz > 0).mean() < 0.1 and (none.by_sequence > 0).mean() < 0.1
    assert (some.by_lwz > 0).mean() > 0.9 and (some.by_sequence > 0).mean() > 0.9


def test_correlated_errors_make_breaks() -> None:
    rng = np.random.default_rng(1)
    e = rng.normal(size=(1000, 70))
    for t in range(1, 70):
        e[:, t] += 0.5 * e[:, t - 1]
    assert (breaks(e[:, 50:], regressors(20), h=3).by_lwz > 0).mean() > 0.35


def test_trends_have_no_critical_values() -> None:
    found = breaks(NILE[None], regressors(100, "trend"), h=15, trending=True)
    assert found.by_sequence[0] == -1
    t = np.arange(24.0)
    bent = np.where(t < 12, t, 12 - 2 * (t - 12)) + np.random.default_rng(2).normal(0, 0.2, 24)
    found = breaks(bent[None], regressors(24, "trend"), h=4, trending=True)
    assert found.by_lwz[0] >= 1 and abs(found.partitions.last[0, 1, 0] - 11) <= 1


def test_common_breaks_of_one_series_are_its_own() -> None:
    y = np.random.default_rng(4).normal(size=(1, 22)) + 1.5 * (np.arange(22) > 10)
    x = regressors(22)
    for scale in ("standard", "none"):
        shared, own = common_breaks(y, x, h=3, scale=scale), breaks(y, x, h=3)  # type: ignore[arg-type]
        assert (shared.last == own.partitions.last[0]).all()
        assert (shared.by_bic, shared.by_lwz) == (own.by_bic[0], own.by_lwz[0])
    assert shared.bic == pytest.approx(own.bic[0]) and shared.lwz == pytest.approx(own.lwz[0])


def test_common_breaks_are_those_of_brute_force() -> None:
    rng, x = np.random.default_rng(6), regressors(14)
    y = rng.normal(size=(4, 14)) * np.array([1.0, 2, 5, 0.1])[:, None]
    found = common_breaks(y, x, h=3, scale="none")
    for m in (1, 2, 3):
        sums = {
            last: sum(((s[a:b] - s[a:b].mean()) ** 2).sum() for s in y for a, b in pairwise([0, *(k + 1 for k in last), 14]))
            for last in combinations(range(14), m)
            if all(b - a >= 3 for a, b in pairwise([0, *(k + 1 for k in last), 14]))
        }
        best = min(sums, key=lambda k: sums[k])
        assert found.last[m, :m].tolist() == list(best) and found.ssr[m] == pytest.approx(sums[best])


def test_many_weak_breaks_make_one_that_is_sure() -> None:
    """A shift of one standard deviation, found in less than half of the series by themselves, is dated in a pool of 30; without any, none is found."""
    rng, x, shift = np.random.default_rng(7), regressors(20), 1.0 * (np.arange(20) > 9)
    pools = [rng.normal(size=(30, 20)) for _ in range(40)]
    with_shift = [common_breaks(p + shift, x, h=3) for p in pools]
    assert np.mean([c.by_bic == 1 and c.last[1, 0] == 9 for c in with_shift]) > 0.9
    assert [c.by_bic for c in (common_breaks(p, x, h=3) for p in pools)] == [0] * 40


def test_a_loud_series_decides_only_where_it_may() -> None:
    rng, x = np.random.default_rng(8), regressors(20)
    quiet = rng.normal(size=(10, 20)) + 2.0 * (np.arange(20) > 12)
    loud = 1000 * (rng.normal(size=(1, 20)) + 2.0 * (np.arange(20) > 5) * 2)
    y = np.concatenate([quiet, loud])
    assert common_breaks(y, x, h=3).last[1, 0] == 12
    assert common_breaks(y, x, h=3, scale="none").last[1, 0] in (4, 5, 6)


@settings(max_examples=30, deadline=None)
@given(st.integers(9, 18), st.integers(1, 3), st.integers(0, 17), st.integers(0, 2))
def test_chance_of_a_date_is_that_of_all_sets(periods: int, m: int, date: int, tolerance: int) -> None:
    if periods < 3 * (m + 1) or date >= periods:
        return
    sets, exact = _admissible(periods, 3, m, 0, 0)
    assert exact and len({tuple(s) for s in sets.tolist()}) == len(sets)
    edges = np.column_stack([np.full(len(sets), -1), sets, np.full(len(sets), periods - 1)])
    assert (np.diff(edges, axis=1) >= 3).all()
    found = agreement(sets, np.array([date]), periods=periods, h=3, tolerance=tolerance)
    assert found.share == pytest.approx(found.expected)


def test_agreement_by_hand() -> None:
    own = np.array([[4, -1], [5, 9], [9, -1], [-1, -1]])
    found = agreement(own, np.array([5, 9]), periods=13, h=3, tolerance=1)
    assert found.share.tolist() == [0.5, 0.5]
    # One break may end at 2..9 (eight places), two in one of fifteen ways; windows {4, 5, 6} and {8, 9}.
    assert found.expected == pytest.approx([(2 * 3 / 8 + 9 / 15) / 4, (2 * 2 / 8 + 9 / 15) / 4])


def test_overlay_by_hand() -> None:
    """New regimes from positions 5 and 9; a policy at 5 and one at 11: distances 0 and -2, mean 1."""
    found = overlay(np.array([4, 8]), np.array([5, 11]), periods=13, h=3)
    assert found.distance.tolist() == [0, -2] and found.mean == 1.0 and found.exact
    sets = [(a, b) for a in range(2, 10) for b in range(a + 3, 10)]
    near = [np.mean([min(abs(a + 1 - d), abs(b + 1 - d)) for d in (5, 11)]) <= 1 for a, b in sets]
    assert len(sets) == 15 and found.p_value == pytest.approx(np.mean(near))
    drawn = overlay(np.arange(20, 120, 20) - 1, np.array([30, 90]), periods=140, h=10)
    assert not drawn.exact and 0 < drawn.p_value <= 1
    again = overlay(np.arange(20, 120, 20) - 1, np.array([30, 90]), periods=140, h=10)
    assert drawn.p_value == again.p_value
    with pytest.raises(ValueError, match="no break"):
        overlay(np.array([], dtype=np.int64), np.array([3]), periods=13, h=3)


def test_ties_take_the_earliest() -> None:
    cost = np.full((1, 7, 7), np.inf)
    for a in range(7):
        for b in range(a + 2, 7):
            cost[0, a, b] = 1.0
    assert partitions(cost, 2).last[0, 2].tolist() == [1, 3] and partitions(cost, 1).last[0, 1, 0] == 1
