"""Indicators that estimate a coefficient: border effects, output elasticities, convergence of incomes and of prices, common shocks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from recording import Recorder
from scipy.stats import t as student

from hinterland.measure.border_effect import border_effect
from hinterland.measure.comovement import variance_shares
from hinterland.measure.convergence import Beta, beta
from hinterland.measure.elasticities import Elasticities, estimate_elasticities
from hinterland.measure.misallocation import misallocation
from hinterland.measure.price_convergence import Persistence, Series, persistence, relative_prices
from hinterland.measure.segmentation import Pairs

pytestmark = pytest.mark.validate

REPLICATIONS = 1000
NORMAL = 1.96
Floats = NDArray[np.float64]

HOME, DECAY = 1.5, -0.9
GOODS = 3


def trade(rng: np.random.Generator, noise: str, regions: int) -> tuple[Floats, Floats]:
    """[GOODS, regions, regions] flows with mean exp(μ + ν + θ ln d + β·own), and distances."""
    place = rng.uniform(0, 1000, (regions, 2))
    distance = np.hypot(*(place[:, None] - place[None]).transpose(2, 0, 1))
    np.fill_diagonal(distance, rng.uniform(20, 60, regions))
    ends = rng.normal(3, 0.8, (2, GOODS, regions))
    mean = np.exp(ends[0][:, :, None] + ends[1][:, None, :] + DECAY * np.log(distance) + HOME * np.eye(regions))
    draw = rng.gamma(2.0, 0.5, mean.shape)
    if noise == "zeros":
        draw = draw * (rng.random(mean.shape) < 0.7) / 0.7
    if noise == "shocks of pairs":
        pair = rng.gamma(2.0, 0.5, (regions, regions))
        draw = draw * np.triu(pair) + draw * np.triu(pair, 1).T
    return mean * draw, distance


@pytest.mark.parametrize(("noise", "regions"), [("independent", 12), ("zeros", 12), ("shocks of pairs", 12), ("independent", 31)])
def test_border_effect(noise: str, regions: int, validated: Recorder) -> None:
    """A region's sales to itself pull the fit to themselves, and the usual errors are far too small; those corrected for leverage hold."""
    rng = np.random.default_rng(51)
    fits = [border_effect(*trade(rng, noise, regions)) for _ in range(REPLICATIONS)]
    kind = {
        "independent": "",
        "zeros": "; a third of flows are zero",
        "shocks of pairs": "; both directions and all goods of a pair share a shock",
    }
    where = f"{regions} regions, {GOODS} goods{kind[noise]}"
    errors = np.array([f.estimate for f in fits]) - [HOME, DECAY]
    rows = validated("measures", "border-effect", where, variant="corrected for leverage", seed=51)
    for j, name in enumerate(("border", "distance")):
        rows.bias(errors[:, j], name, within=0.25, reason="small sample")
        hits = np.abs(errors[:, j]) <= NORMAL * np.array([f.leverage[j] for f in fits])
        wide: dict[str, Any] = {"within": (0.93, 0.985), "reason": "conservative"} if noise == "zeros" else {}
        rows.coverage(hits, name, **wide)
    for error in ("robust", "clustered"):
        hits = np.abs(errors[:, 0]) <= NORMAL * np.array([getattr(f, error)[0] for f in fits])
        validated("failures", "border-effect", where, variant=error, seed=51).coverage(
            hits, "border", within=(0, 0.9), reason="known failure"
        )


def economy(rng: np.random.Generator, slopes: Floats, years: int, memory: float) -> tuple[Floats, Floats, Floats]:
    """[years, R] output, capital and labour, with region and year effects and AR(1) errors."""
    regions = len(slopes)
    labour = np.exp(rng.normal(5, 0.5, regions) + rng.normal(0, 0.05, (years, regions)).cumsum(0))
    intensity = rng.normal(1, 0.4, regions) + rng.normal(0.08, 0.12, (years, regions)).cumsum(0)
    error = rng.normal(0, 0.06, (years, regions))
    for t in range(1, years):
        error[t] += memory * error[t - 1]
    logs = rng.normal(0, 0.3, regions) + rng.normal(0, 0.05, (years, 1)).cumsum(0) + slopes * intensity + error
    return np.exp(logs) * labour, np.exp(intensity) * labour, labour


def estimated(found: Elasticities, slopes: Floats, chosen: Any) -> tuple[Floats, Floats]:
    return found.estimate[chosen] - slopes[chosen], found.std_error[chosen]


@pytest.mark.parametrize(("sizes", "count"), [((11, 8, 12), 1000), ((95, 90, 100), 300)])
def test_output_elasticities(sizes: tuple[int, ...], count: int, validated: Recorder) -> None:
    """AR(1) errors of regions, in panels of provinces and of cities."""
    rng = np.random.default_rng(52)
    group = np.repeat(np.arange(3), sizes)
    common, apart = np.full(len(group), 0.45), np.array([0.35, 0.45, 0.55])[group]
    pooled, by_group = [], []
    for _ in range(count):
        pooled.append(estimated(estimate_elasticities(*economy(rng, common, 15, 0.5), rule="pooled"), common, [0]))
        first = np.searchsorted(group, np.arange(3))
        by_group.append(estimated(estimate_elasticities(*economy(rng, apart, 15, 0.5), group=group), apart, first))
    where = f"{len(group)} regions, 15 years, AR(1) errors"
    error, std = (np.array([p[k] for p in pooled])[:, 0] for k in (0, 1))
    validated("measures", "output-elasticity", where, variant="pooled", seed=52).interval(error, student.ppf(0.975, len(group) - 1) * std)
    rows = validated("measures", "output-elasticity", where, variant="by-group", seed=52)
    for g, size in enumerate(sizes):
        error, std = (np.array([p[k] for p in by_group])[:, g] for k in (0, 1))
        rows.interval(error, student.ppf(0.975, size - 1) * std, f"group {g + 1}")


def test_elasticities_of_regions(validated: Recorder) -> None:
    """Slopes that differ between 31 regions: shrinking them to their mean halves the error; the intervals take errors as uncorrelated over years."""
    rng = np.random.default_rng(53)
    error: dict[tuple[str, float], list[float]] = {}
    inside: dict[tuple[str, float], list[float]] = {}
    off: list[float] = []
    for _ in range(500):
        slopes = rng.normal(0.45, 0.08, 31)
        for memory in (0.0, 0.5):
            data = economy(rng, slopes, 15, memory)
            for rule in ("by-region", "partial-pooling"):
                gap, std = estimated(estimate_elasticities(*data, rule=rule), slopes, slice(None))
                error.setdefault((rule, memory), []).append(float(np.sqrt((gap**2).mean())))
                inside.setdefault((rule, memory), []).append(float((np.abs(gap) <= student.ppf(0.975, 13) * std).mean()))
                if (rule, memory) == ("partial-pooling", 0.0):
                    off.append(float(gap.mean()))
    where = "31 regions, 15 years, slopes 0.45 ± 0.08"
    for (rule, memory), values in error.items():
        design = f"{where}{'; AR(1) errors' if memory else ''}"
        known: dict[str, Any] = {"within": (0, 0.93), "reason": "known failure"} if memory else {}
        rows = validated("failures" if memory else "measures", "output-elasticity", design, variant=rule, seed=53)
        rows.coverage(inside[rule, memory], "mean over regions", **known)
        validated("measures", "output-elasticity", design, variant=rule, seed=53).error(values, 0.2, "root mean square")
    validated("measures", "output-elasticity", where, variant="partial-pooling", seed=53).bias(off, "mean over regions")


def test_misallocation_through_estimated_elasticities(validated: Recorder) -> None:
    """What |τ_K| of a region is off by because elasticities are estimates; where one elasticity serves all it cancels."""
    rng = np.random.default_rng(54)
    group = np.repeat(np.arange(3), (11, 8, 12))
    gaps: dict[str, list[float]] = {rule: [] for rule in ("pooled", "by-group", "partial-pooling", "by-region")}
    for _ in range(REPLICATIONS):
        apart = np.array([0.35, 0.45, 0.55])[group]
        for rule, kept in gaps.items():
            slopes = np.full(31, 0.45) if rule == "pooled" else apart
            output, capital, labour = economy(rng, slopes, 15, 0.5)
            found = estimate_elasticities(output, capital, labour, rule=rule, group=group)
            truth, tau = (misallocation(output[-1], capital[-1], b).absolute for b in (slopes, found.capital))
            kept.append(float(np.nanmean(np.abs(tau - truth))))
    most = {"pooled": 1e-9, "by-group": 0.15, "partial-pooling": 0.3, "by-region": 0.5}
    for rule, values in gaps.items():
        design = f"31 regions, 15 years, AR(1) errors, {'one elasticity' if rule == 'pooled' else 'elasticities 0.35, 0.45, 0.55'}"
        validated("measures", "capital-misallocation", design, variant=rule, seed=54).error(values, most[rule], "size of τ")


def growth(rng: np.random.Generator, regions: int, noise: float, uneven: bool) -> tuple[Floats, Floats]:
    """Levels [regions] of two years ten apart, converging at 2 % a year, the first measured with ``noise``."""
    start = rng.normal(9, 0.5, regions)
    spread = 0.06 * (np.exp(1.0 * (start - 9)) if uneven else np.ones(regions))
    end = 9 + 0.3 + np.exp(-0.02 * 10) * (start - 9) + rng.normal(0, 1, regions) * spread
    return np.exp(start + rng.normal(0, noise, regions)), np.exp(end)


def test_beta_convergence(validated: Recorder) -> None:
    """A speed of 2 % a year: classical and robust intervals, and an error in the first year that passes for convergence."""
    rng = np.random.default_rng(55)
    for regions, uneven, robust in ((31, False, False), (60, True, True), (285, True, True)):
        fits = [beta(*growth(rng, regions, 0, uneven), 10, robust=robust) for _ in range(2000)]
        where = f"{regions} regions, 10 years{', variance differs' if uneven else ''}"
        rows = validated("measures", "beta-convergence", where, variant="robust" if robust else "classical", seed=55)
        rows.coverage(held(fits, regions), "speed")
        rows.bias([f.speed - 0.02 for f in fits], "speed")
        rows.bias([f.slope - np.expm1(-0.2) / 10 for f in fits], "slope")
    wrong = [beta(*growth(rng, 31, 0.2, False), 10) for _ in range(2000)]
    rows = validated("failures", "beta-convergence", "31 regions, 10 years; the first year is measured with error", seed=55)
    rows.bias([f.speed - 0.02 for f in wrong], "speed", least=0.005, reason="known failure")
    rows.coverage(held(wrong, 31), "speed", within=(0, 0.9), reason="known failure")


def held(fits: list[Beta], regions: int) -> Floats:
    reach = student.ppf(0.975, regions - 2)
    return np.array([abs(f.speed - 0.02) <= reach * f.speed_std_error for f in fits], dtype=np.float64)


def prices(rng: np.random.Generator, regions: int, years: int, goods: int, rho: float) -> Series:
    """Relative prices of all pairs, of price levels that are AR(1) about means of their own."""
    level = rng.normal(0, 1 / np.sqrt(1 - rho**2), (regions, goods))
    out = np.empty((years, regions, goods))
    for t in range(years):
        level = rho * level + rng.normal(size=level.shape)
        out[t] = level
    out = out + rng.normal(0, 2, (regions, goods))
    pairs = Pairs.every(regions)
    found = [relative_prices(np.exp(0.02 * out[:, :, g]), pairs.a, pairs.b) for g in range(goods)]
    return Series(np.concatenate([f.x for f in found], axis=1), *(np.concatenate([getattr(f, k) for f in found]) for k in ("a", "b")))


@pytest.mark.parametrize(("rho", "regions"), [(0.5, 31), (0.7, 31), (0.7, 60)])
def test_price_convergence(rho: float, regions: int, validated: Recorder) -> None:
    """Fifteen years: least squares is far too fast; corrected for the bias of short series it is right."""
    rng = np.random.default_rng(56)
    years = np.arange(2005, 2020)
    plain: list[Persistence] = []
    corrected: list[Persistence] = []
    for _ in range(REPLICATIONS if regions == 31 else 400):
        series = prices(rng, regions, len(years), 5, rho)
        plain.append(persistence(series, years))
        corrected.append(persistence(series, years, nickell=True))
    where, half = f"{regions} regions, 5 goods, 15 years, ρ = {rho}", np.log(0.5) / np.log(rho)
    rows = validated("measures", "price-convergence", where, variant="nickell", seed=56)
    rows.bias([f.rho - rho for f in corrected], "persistence")
    rows.coverage([abs(f.rho - rho) <= NORMAL * f.std_error for f in corrected], "persistence", within=(0.90, 0.97), reason="small sample")
    rows.bias([f.half_life - half for f in corrected], "half-life", within=0.4, reason="small sample")
    rows = validated("failures", "price-convergence", where, variant="none", seed=56)
    rows.bias([f.rho - rho for f in plain], "persistence", least=-0.08, reason="known failure")
    rows.bias([f.half_life - half for f in plain], "half-life", least=-0.15, reason="known failure")
    rows.coverage([abs(f.rho - rho) <= NORMAL * f.std_error for f in plain], "persistence", within=(0, 0.5), reason="known failure")


def test_shares_of_common_shocks(validated: Recorder) -> None:
    """Growth that is noise alone: the shares of provinces and industries are those of the degrees of freedom, not zero."""
    rng = np.random.default_rng(57)
    provinces, industries = 31, 30
    found = variance_shares(rng.normal(size=(2000, provinces, industries)))
    rows = validated("measures", "growth-comovement", "noise alone, 31 provinces and 30 industries", seed=57)
    for name, shares, count in (("province", found.province, provinces), ("industry", found.industry, industries)):
        rows.bias(shares - (count - 1) / (provinces * industries - 1), f"share of {name}, less what noise has")
