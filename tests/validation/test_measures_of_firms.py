"""Indicators that compute from a model: gains between firms, breadth of few symbols, capital stocks, complexity, green productivity."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray
from recording import Recorder
from scipy.stats import spearmanr

from hinterland.measure.capital import perpetual_inventory
from hinterland.measure.complexity import complexity, fitness, presence_of
from hinterland.measure.efficiency import Model
from hinterland.measure.green_productivity import global_malmquist_luenberger
from hinterland.measure.hsieh_klenow import allocation
from hinterland.measure.knowledge_width import group_counts, patent_sums, width

pytestmark = pytest.mark.validate

REPLICATIONS = 1000
Floats = NDArray[np.float64]
SIGMA, ALPHA = 3.0, 0.4


def firms(rng: np.random.Generator, count: int, wedge: float) -> tuple[Floats, Floats, Floats, float]:
    """Value added, capital and wages [count] of firms whose marginal revenue products differ by ``wedge``, and the gain of equal ones."""
    skill, capital_wedge, labour_wedge = np.exp(rng.normal(0, [[0.8], [wedge], [wedge]], (3, count)))
    cost = capital_wedge**ALPHA * labour_wedge ** (1 - ALPHA)
    revenue = (skill / cost) ** (SIGMA - 1)
    k, labour = ALPHA * revenue / capital_wedge, (1 - ALPHA) * revenue / labour_wedge
    share = skill ** (SIGMA - 1) / (skill ** (SIGMA - 1)).sum()
    made, best = (total(skill * a**ALPHA * b ** (1 - ALPHA)) for a, b in ((k, labour), (share * k.sum(), share * labour.sum())))
    return revenue, k, labour, best / made - 1


def total(quantity: Floats) -> float:
    return float((quantity ** ((SIGMA - 1) / SIGMA)).sum() ** (SIGMA / (SIGMA - 1)))


def test_gain_of_reallocation(validated: Recorder) -> None:
    """Exact without trimming; error of measurement passes for misallocation (Bils, Klenow & Ruane 2021), and makes a gain where there is none."""
    rng = np.random.default_rng(71)
    exact, trimmed, noisy, nothing = [], [], [], []
    cell = np.zeros(500, dtype=np.intp)

    def gain(rows: Any, trim: float) -> float:
        return float(allocation(*rows, cell, ALPHA, sigma=SIGMA, trim=trim).gain[0])

    for _ in range(REPLICATIONS):
        *rows, true = firms(rng, 500, 0.3)
        *even, _ = firms(rng, 500, 0.0)
        error = np.exp(rng.normal(0, 0.2, (3, 500)))
        exact.append(abs(gain(rows, 0.0) - true))
        trimmed.append(gain(rows, 0.01) - true)
        noisy.append(gain(np.array(rows) * error, 0.0) - true)
        nothing.append(gain(np.array(even) * error, 0.0))
    where = "500 firms, marginal products ± 30 %"
    validated("measures", "hsieh-klenow", where, variant="trim 0", seed=71).error(exact, 1e-9, "gain")
    rows_ = validated("failures", "hsieh-klenow", where, variant="trim 1 %", seed=71)
    rows_.bias(trimmed, "gain", least=-0.002, reason="known failure")
    rows_ = validated("failures", "hsieh-klenow", f"{where}; each number measured with an error of 20 %", variant="trim 0", seed=71)
    rows_.bias(noisy, "gain", least=0.05, reason="known failure")
    rows_ = validated(
        "failures",
        "hsieh-klenow",
        "500 firms, marginal products equal; each number measured with an error of 20 %",
        variant="trim 0",
        seed=71,
    )
    rows_.bias(nothing, "gain", least=0.05, reason="known failure")


def breadths(rng: np.random.Generator, number: NDArray[np.int64], groups: int) -> tuple[pl.DataFrame, Floats]:
    """Breadth of patents with ``number`` [N] symbols each, drawn from shares of their own, and 1 − Σp²."""
    shares = rng.dirichlet(np.full(groups, 0.7), len(number))
    patent = np.repeat(np.arange(len(number)), number)
    group = (rng.random(len(patent))[:, None] > shares.cumsum(1)[patent]).sum(1)
    symbols = pl.DataFrame({"patent": patent, "group": group, "symbol": np.arange(len(patent))})
    found = width(patent_sums(group_counts(symbols, ["patent"]), ["patent"])).sort("patent")
    return found, (1 - (shares**2).sum(1))[found["patent"].to_numpy()]


def test_breadth_from_few_symbols(validated: Recorder) -> None:
    """1 − Σp² from N draws is too low by one N-th of itself; N/(N − 1) undoes it."""
    rng = np.random.default_rng(72)
    cases = [("knowledge-width", f"{n} symbols in 8 groups", np.full(20_000, n), -0.5 / n) for n in (2, 3, 5, 10)]
    cases.append(("generality", "citations Poisson with mean 4, from 8 classes", rng.poisson(4, 20_000), -0.1))
    for subject, where, number, low in cases:
        found, truth = breadths(rng, number, 8)
        kept = found["width_unbiased"].is_not_null().to_numpy()
        errors = {name: (found[name].to_numpy() - truth)[kept] for name in ("width", "width_unbiased")}
        validated("measures", subject, where, variant="unbiased", seed=72).bias(errors["width_unbiased"])
        validated("failures", subject, where, seed=72).bias(errors["width"], least=low, reason="known failure")


def test_capital_stock(validated: Recorder) -> None:
    """What the first stock leaves of its error, for investment that grew as before and for investment that took off in the first year on record."""
    rng = np.random.default_rng(73)
    before, years, rate = 60, 21, 0.096
    for where, earlier in (("investment grows 10 % ± 3 % throughout", 0.10), ("investment grew 5 % until it took off to 10 %", 0.05)):
        mean = rng.normal(0, 0.03, (REPLICATIONS, 31)) + np.concatenate([np.full(before, earlier), np.full(years, 0.10)])[:, None, None]
        investment = np.exp((mean + rng.normal(0, 0.05, mean.shape)).cumsum(axis=0))
        stock, true = np.zeros(investment.shape[1:]), np.empty(investment.shape)
        for t, now in enumerate(investment):
            stock = (1 - rate) * stock + now
            true[t] = stock
        for rule in ("harberger", "ten-percent"):
            given = investment[before:].reshape(years, -1)
            found = perpetual_inventory(given, depreciation=rate, rule=rule).stock / true[before:].reshape(years, -1) - 1  # type: ignore[arg-type]
            gap = np.abs(found).reshape(years, REPLICATIONS, 31).mean(axis=2)
            for year, most in ((0, 1.0), (8, 0.2), (20, 0.02)):
                rows = validated("measures", "capital-stock", where, variant=f"{rule}, after {year} years", seed=73)
                rows.error(gap[year], most, "relative")


def ranks_agree(x: Floats, y: Floats) -> float:
    return float(spearmanr(x, y).statistic)


@pytest.mark.parametrize("slope", [10.0, 5.0, 3.0])
def test_complexity(slope: float, validated: Recorder) -> None:
    """Regions make what their capability c allows: the log odds of M = 1 rise with c − q. Where they hardly do, the second vector is noise."""
    rng = np.random.default_rng(74)
    eci, pci, fit, wrong = [], [], [], []
    for _ in range(500):
        c, q = rng.random(60), rng.random(80)
        made = presence_of(rng.random((60, 80)) < 1 / (1 + np.exp(-slope * (c[:, None] - q))))
        found = complexity(made.matrix)
        used, kept = found.regions, found.industries
        eci.append(ranks_agree(found.eci[used], c[made.regions][used]))
        pci.append(ranks_agree(found.pci[kept], q[made.industries][kept]))
        fit.append(ranks_agree(fitness(made.matrix).fitness, c[made.regions]))
        wrong.append(eci[-1] < 0)
    where = f"60 regions, 80 industries; odds × e^{slope:.0f} from least to most capable"
    validated("measures", "fitness", where, seed=74).correlation(fit, 0.9, "ranks of regions")
    if slope < 5:
        rows = validated("failures", "economic-complexity", where, variant="sign by diversity", seed=74)
        rows.rate("correlation", eci, "ranks of regions", within=(0, 0.6), reason="known failure")
        rows.rate("error rate", wrong, "wrong sign", within=(0.01, 0.2), reason="known failure")
        return
    least = 0.9 if slope > 5 else 0.7
    rows = validated("measures", "economic-complexity", where, variant="sign by diversity", seed=74)
    rows.correlation(eci, least, "ranks of regions")
    rows.rate("error rate", wrong, "wrong sign", within=(0, 0.01))
    validated("measures", "product-complexity", where, seed=74).correlation(pci, least, "ranks of industries")


def test_sign_of_complexity(validated: Recorder) -> None:
    """Regions make what is near their capability, so that diversity says nothing about it: the sign is a coin, unless an earlier year fixes it."""
    rng = np.random.default_rng(75)
    by_diversity, unnoticed, by_reference, size = [], [], [], []
    for _ in range(500):
        c, q = rng.random(60), rng.random(80)
        likely = 0.9 * np.exp(-((c[:, None] - q) ** 2) / (2 * 0.25**2))
        made = [(rng.random((60, 80)) < likely).astype(np.float64) for _ in range(2)]
        if not all(m.any(axis=0).all() and m.any(axis=1).all() for m in made):
            continue
        first, second = complexity(made[0]), complexity(made[1], reference=c)
        found = ranks_agree(first.eci, c)
        size.append(abs(found))
        by_diversity.append(found < 0)
        unnoticed.append(found < 0 and not first.sign_doubtful)
        by_reference.append(ranks_agree(second.eci, c) < 0)
    where = "60 regions, 80 industries, each region makes what is near its capability"
    validated("measures", "economic-complexity", where, variant="sign by reference", seed=75).rate(
        "error rate", by_reference, "wrong sign", within=(0, 0.01)
    )
    validated("measures", "economic-complexity", where, variant="either sign", seed=75).correlation(size, 0.9, "ranks of regions, absolute")
    rows = validated("failures", "economic-complexity", where, variant="sign by diversity", seed=75)
    rows.rate("error rate", by_diversity, "wrong sign", within=(0.3, 0.7), reason="known failure")
    rows.rate("error rate", unnoticed, "wrong sign, not flagged", within=(0.05, 0.6), reason="known failure")


STRONG = Model("ddf", "crs", "strong", "own-outputs")
YEARS, GROWTH = 5, 1.03


def polluters(rng: np.random.Generator, regions: int, inputs: int, best: int) -> tuple[Floats, Floats, Floats, Floats]:
    """[YEARS, regions, ·] inputs, output, emissions and [YEARS, regions] inefficiency, for a frontier that rises 3 % a year and emits 10 % less.

    ``best`` regions of each year stand on it. Emissions are high enough never to limit the distance.
    """
    x = np.exp(rng.normal(0, 0.4, (YEARS, regions, inputs)))
    gap = rng.uniform(0.05, 0.3, (YEARS, regions))
    gap[:, :best] = 0.0
    year = np.arange(YEARS)[:, None]
    reach = np.exp(np.log(x).mean(axis=2))
    y, b = GROWTH**year * reach / (1 + gap), 0.9**year * reach * np.where(gap > 0, 3.0, 1.0)
    return x, y[:, :, None], b[:, :, None], gap


def test_green_productivity(validated: Recorder) -> None:
    """GML, catching up and the shift of the frontier: exact where the frontier is seen; with error of output, which the frontier takes for skill."""
    rng = np.random.default_rng(76)
    for where, inputs, best, noise in (
        ("frontier seen in full", 1, 4, 0.0),
        ("frontier of two inputs, four of 30 regions on it", 2, 4, 0.0),
        ("frontier seen in full; output measured with an error of 5 %", 1, 4, 0.05),
    ):
        errors: dict[str, list[float]] = {name: [] for name in ("index", "efficiency change", "best-practice change")}
        typical: list[float] = []
        level: list[float] = []
        for _ in range(300):
            x, y, b, gap = polluters(rng, 30, inputs, best)
            found = global_malmquist_luenberger(x, y * np.exp(rng.normal(0, noise, y.shape)), b, STRONG)
            catching = np.log((1 + gap[:-1]) / (1 + gap[1:]))
            truth = {
                "index": catching + np.log(GROWTH),
                "efficiency change": catching,
                "best-practice change": np.full_like(catching, np.log(GROWTH)),
            }
            told = (found.index, found.efficiency_change, found.best_practice_change)
            for (name, true), values in zip(truth.items(), told, strict=True):
                errors[name].append(float(np.nanmean(np.log(values[1:]) - true)))
            typical.append(float(np.nanmean(np.abs(np.log(found.index[1:]) - truth["index"]))))
            level.append(float(np.nanmean(found.within.value - gap)))
        most = 1e-6 if (inputs, noise) == (1, 0.0) else 0.1
        rows = validated("measures", "green-productivity", f"30 regions, 5 years, {where}", seed=76)
        rows.error(typical, most, "log GML of a region")
        if most < 0.1:
            for name, values in errors.items():
                rows.error(np.abs(values), most, f"log of mean {name}")
            validated("measures", "green-inefficiency", f"30 regions, 5 years, {where}", seed=76).error(np.abs(level), most)
            continue
        for name, values in errors.items():
            rows.error(np.abs(values), 0.03, f"log of mean {name}")
        rows = validated("failures", "green-inefficiency", f"30 regions, 5 years, {where}", seed=76)
        rows.bias(level, least=0.02 if noise else -0.01, reason="known failure")
