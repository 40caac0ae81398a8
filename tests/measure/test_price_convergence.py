"""Persistence of relative prices: a regression on dummies, pyfixest, simulated truth, the bias of short series."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.testing import assert_allclose
from numpy.typing import NDArray

from hinterland.measure.price_convergence import (
    Series,
    deviations_from_mean,
    nickell_bias,
    persistence,
    relative_prices,
    stacked,
    unbiased,
)

Floats = NDArray[np.float64]


def series(rho: float = 0.7, count: int = 40, periods: int = 20, seed: int = 0, drawn: str = "series") -> Series:
    """Independent stationary series, each of a region against the mean; or all pairs of a tenth as many regions."""
    rng = np.random.default_rng(seed)
    x = np.zeros((periods, count))
    x[0] = rng.standard_normal(count) / np.sqrt(1 - rho**2)
    for t in range(1, periods):
        x[t] = rho * x[t - 1] + rng.standard_normal(count)
    x = 0.1 * x + rng.standard_normal(count)
    if drawn == "series":
        return Series(x, np.arange(count), np.full(count, -1))
    a, b = np.triu_indices(count, 1)
    return Series(x[:, a] - x[:, b], a, b)


def years(s: Series) -> NDArray[np.int64]:
    return np.arange(len(s.x))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("lags", [0, 2])
def test_pyfixest(lags: int) -> None:
    import pyfixest as pf

    s = series()
    t, i = (x.ravel() for x in np.indices(s.x.shape))
    frame = pl.DataFrame({"i": i, "t": t, "x": s.x.ravel()}).sort("i", "t")
    frame = frame.with_columns(before=pl.col("x").shift(1).over("i")).with_columns(d=pl.col("x") - pl.col("before"))
    frame = frame.with_columns(pl.col("d").shift(k).over("i").alias(f"d{k}") for k in range(1, 3))
    names = ["before", *(f"d{k}" for k in range(1, lags + 1))]
    fit: Any = pf.feols(f"d ~ {' + '.join(names)} | i", frame.to_pandas(), vcov={"CRV1": "i"}, ssc=pf.ssc(k_adj=False, G_adj=False))
    found = persistence(s, years(s), lags=lags)
    assert_allclose(found.rho - 1, fit.coef()["before"], rtol=1e-10)
    assert_allclose(found.std_error, fit.se()["before"], rtol=1e-10)
    assert found.n == fit._N
    assert_allclose(found.half_life, np.log(0.5) / np.log(found.rho))


def test_errors_of_pairs_count_every_two_pairs_that_share_a_region() -> None:
    s = series(count=6, drawn="pairs")
    found = persistence(s, years(s))
    y, x = np.diff(s.x, axis=0), s.x[:-1] - s.x[:-1].mean(axis=0)
    slope = (x * y).sum() / (x * x).sum()
    score = (x * (y - y.mean(axis=0) - slope * x)).sum(axis=0)
    meat = sum(score[i] * score[j] for i, j in product(range(len(score)), repeat=2) if {s.a[i], s.b[i]} & {s.a[j], s.b[j]})
    assert_allclose(found.std_error, np.sqrt(meat) / (x * x).sum(), rtol=1e-10)
    twice = stacked([s, s])
    assert_allclose(persistence(twice, years(s)).std_error, found.std_error, rtol=1e-10)


def test_long_series_recover_the_truth() -> None:
    """500 series of 200 periods: the bias is 0.009, the standard error 0.002."""
    s = series(count=500, periods=200)
    found = persistence(s, years(s), nickell=True)
    assert_allclose(found.rho, 0.7, atol=0.007)
    assert_allclose(found.half_life, np.log(0.5) / np.log(0.7), rtol=0.03)


@pytest.mark.parametrize("rho", [0.3, 0.7, 0.9])
@pytest.mark.parametrize("periods", [6, 15])
def test_the_bias_of_short_series_and_its_correction(rho: float, periods: int) -> None:
    """20 000 series: sampling error of ρ below 0.004 (three standard errors)."""
    s = series(rho, 20_000, periods)
    length = periods - 1
    raw = persistence(s, years(s))
    assert_allclose(raw.rho - rho, nickell_bias(rho, length), atol=0.01)
    fixed = persistence(s, years(s), nickell=True)
    assert_allclose(fixed.rho, rho, atol=4 * fixed.std_error)
    assert abs(raw.rho - rho) > 5 * abs(fixed.rho - rho)
    assert fixed.std_error > raw.std_error


def test_corrected_intervals_cover() -> None:
    """200 worlds of 40 series and 20 periods; 95 % intervals of the corrected estimate cover in 90 to 99 %."""
    found = [persistence(series(seed=seed), np.arange(20), nickell=True) for seed in range(200)]
    assert 0.90 <= np.mean([abs(f.rho - 0.7) < 1.96 * f.std_error for f in found]) <= 0.99


def test_unbiased_is_the_inverse_of_the_bias() -> None:
    for rho, length in product((-0.5, 0.1, 0.8, 0.99), (5, 30)):
        assert_allclose(unbiased(rho + nickell_bias(rho, length), length)[0], rho, atol=1e-9)
    assert unbiased(1.02, 10)[0] == 1.0


def test_no_half_life_outside_the_unit_interval() -> None:
    t = np.arange(30.0)
    rng = np.random.default_rng(0)
    noise = 1e-3 * rng.standard_normal((30, 4))
    growing = Series(1.1 ** t[:, None] * np.arange(1.0, 5) + noise, np.arange(4), np.full(4, -1))
    found = persistence(growing, t.astype(np.int64))
    assert found.reason == "not-mean-reverting" and np.isnan(found.half_life) and found.rho > 1
    swinging = Series((-0.9) ** t[:, None] * np.arange(1.0, 5) + noise, np.arange(4), np.full(4, -1))
    found = persistence(swinging, t.astype(np.int64))
    assert found.reason == "oscillating" and np.isnan(found.half_life) and found.rho < 0


def test_short_and_constant_series_have_no_persistence() -> None:
    short = Series(np.random.default_rng(0).standard_normal((3, 4)), np.arange(4), np.full(4, -1))
    assert persistence(short, np.arange(3)).reason == "too-short"
    still = Series(np.ones((20, 4)), np.arange(4), np.full(4, -1))
    assert persistence(still, np.arange(20)).reason == "zero-variance"
    nearly = Series(np.log(1.1) * np.ones((20, 4)) + 1e-17 * np.random.default_rng(0).standard_normal((20, 4)), still.a, still.b)
    assert persistence(nearly, np.arange(20)).reason == "zero-variance"


@pytest.mark.parametrize("regions", [2, 3])
def test_no_standard_error_where_every_two_pairs_share_a_region(regions: int) -> None:
    s = series(count=regions, drawn="pairs")
    found = persistence(s, years(s))
    assert np.isfinite(found.rho) and np.isnan(found.std_error)


def test_a_lag_is_the_period_before() -> None:
    s = series()
    gap = np.delete(np.arange(20), 10)
    found = persistence(Series(s.x[gap], s.a, s.b), gap)
    holes = s.x.copy()
    holes[10] = np.nan
    again = persistence(Series(holes, s.a, s.b), np.arange(20))
    assert found.n == again.n == 40 * 17
    assert_allclose(found.rho, again.rho, rtol=1e-12)


def test_relative_prices_and_deviations() -> None:
    level = np.exp(np.random.default_rng(0).standard_normal((5, 4)))
    pairs = relative_prices(level, np.array([0, 1]), np.array([2, 3]))
    assert_allclose(pairs.x[:, 1], np.log(level[:, 1] / level[:, 3]))
    level[:, 2] = np.nan
    level[3, 1] = np.nan
    mean = deviations_from_mean(level)
    assert mean.a.tolist() == [0, 1, 3]
    assert np.isnan(mean.x[3]).all()
    assert_allclose(mean.x[[0, 1, 2, 4]].sum(axis=1), 0, atol=1e-12)
