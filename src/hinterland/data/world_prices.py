"""Simulated retail price indices by category, and the market segmentation they imply."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hinterland.data.geography import province_adjacency, provinces
from hinterland.data.world_parameters import calibration

Floats = NDArray[np.float64]


def simulate_prices(rng: np.random.Generator, years: NDArray[np.int64]) -> Floats:
    """[P, T, K] retail price indices (previous year = 100) of the provinces and the goods, in catalogue order.

    ln(R_pkt/100) = π_t + g_kt + c_p + c_pt + σ_pt ε_pkt, with σ_pt = dispersion · exp(s_p + v_pt) · (1 + early · early_decay^(t - t0)):
    national inflation π, movements g common to a good and c common to a province, and independent movements whose
    standard deviation differs between provinces for good (s_p, market segmentation) and from year to year (v_pt).
    """
    process: Mapping[str, Any] = calibration()["process"]["prices"]
    count, periods, goods = provinces().height, len(years), len(process["goods"])
    early = 1.0 + process["early"] * process["early_decay"] ** np.arange(periods)
    permanent = process["province_sd"] * rng.standard_normal((count, 1))
    passing = process["year_sd"] * rng.standard_normal((count, periods))
    spread = process["dispersion"] * np.exp(permanent + passing) * early
    common = process["common_permanent_sd"] * rng.standard_normal((count, 1)) + _autoregression(rng, count, periods, process) * early
    by_good = process["good_sd"] * rng.standard_normal((periods, goods))
    own = spread[:, :, None] * rng.standard_normal((count, periods, goods))
    return np.asarray(100 * np.exp(inflation(years)[None, :, None] + by_good[None] + common[:, :, None] + own))


def _autoregression(rng: np.random.Generator, count: int, periods: int, process: Mapping[str, Any]) -> Floats:
    """[P, T] stationary movements with standard deviation ``common_sd`` and persistence ``common_rho``."""
    rho = process["common_rho"]
    moved = rng.standard_normal((count, periods))
    for t in range(1, periods):
        moved[:, t] = rho * moved[:, t - 1] + np.sqrt(1 - rho**2) * moved[:, t]
    return np.asarray(process["common_sd"] * moved)


def inflation(years: NDArray[np.int64]) -> Floats:
    """[T] recorded inflation of each year, and of later ones what the calibration assumes."""
    calendar = calibration()["calendar"]
    recorded = dict(enumerate(calendar["inflation"], calendar["first"]))
    return np.array([recorded.get(int(year), calendar["inflation_after"]) for year in years])


def price_frame(prices: Floats, years: NDArray[np.int64]) -> pl.DataFrame:
    """``prices`` [P, T, K] as rows: ``province_code``, ``province``, ``year``, ``good``, ``index`` (previous year = 100)."""
    goods = calibration()["process"]["prices"]["goods"]
    table = provinces()
    count, periods, kinds = prices.shape
    rows = np.repeat(np.arange(count), periods * kinds)
    return table.select("province_code", pl.col("name_en").alias("province"))[rows].with_columns(
        year=pl.Series(np.tile(np.repeat(years, kinds), count)),
        good=pl.Series(goods)[np.tile(np.arange(kinds), count * periods)],
        index=pl.Series(prices.ravel()),
    )


def segmentation(prices: Floats) -> Floats:
    """[P, T] market segmentation of each province: relative-price variance over its neighbours, in squared log points.

    Parsley & Wei (1996, 2001), Gui, Chen, Lu & Chen (2006), Lu & Chen (2009), on chain indices R (previous year = 100):
    a_pqkt = |ln(R_pkt/R_qkt)| for neighbouring p, q; q_pqkt = a_pqkt minus its mean over all pairs, by good and year;
    V_pqt = variance of q_pqkt over the K goods (ddof 1); the province's value is the mean of V_pqt over its neighbours.
    """
    codes = provinces()["province_code"]
    place = dict(zip(codes.to_list(), range(len(codes)), strict=True))
    pairs = province_adjacency().filter(pl.col("a") < pl.col("b"))
    a = np.array([place[code] for code in pairs["a"]])
    b = np.array([place[code] for code in pairs["b"]])
    gaps = np.abs(np.log(prices[a] / prices[b]))
    variance = (gaps - gaps.mean(axis=0)).var(axis=2, ddof=1)
    total = np.zeros(prices.shape[:2])
    np.add.at(total, a, variance)
    np.add.at(total, b, variance)
    return np.asarray(total / np.bincount(np.concatenate([a, b]), minlength=len(codes))[:, None])
