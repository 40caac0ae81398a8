"""Synthetic planning cases of any size, seeded: provinces coupled by an input–output table, with a base year that balances.

Magnitudes are China's in 100 million yuan: 2.4 million of gross output, provinces and industries of unequal size, intermediate inputs near 60 % of output,
trade by gravity. How a region's output becomes its use is fitted by iterative proportional fitting on the routes that are kept, and what they cannot carry is
left to final demand, imports and exports, so that the first year balances exactly. The numbers say how the software scales, nothing about China.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Case = dict[str, pl.DataFrame]

OUTPUT = 2.4e6
"""Gross output of the nation, 100m yuan."""


@dataclass(frozen=True)
class Size:
    """How large a case is: ``hosts`` of the ``regions`` receive, the others send; ``routes`` is how many partners each region buys from in each industry."""

    regions: int = 31
    hosts: int = 6
    industries: int = 42
    years: int = 12
    routes: int = 8
    full: bool = True


PROVINCES = Size()
"""25 provinces that send, 6 that receive, 42 industries, 12 years: some 0.3 million columns."""
SMALL = Size(regions=16, hosts=4, industries=12, years=6, routes=4, full=False)
"""Some 20 thousand columns."""


@dataclass(frozen=True)
class World:
    """What the tables are made of: places, output, coefficients, use and trade of the base year."""

    size: Size
    lon: Floats
    lat: Floats
    output: Floats
    coefficients: Floats
    final: Floats
    flows: Floats
    imports: Floats
    exports: Floats

    @property
    def regions(self) -> list[str]:
        return [f"r{n:03d}" for n in range(self.size.regions)]

    @property
    def industries(self) -> list[str]:
        return [f"i{n:02d}" for n in range(self.size.industries)]


def distances(lon: Floats, lat: Floats) -> Floats:
    """[r, r] kilometres, near enough for a made-up world."""
    x, y = lon * 111.0 * np.cos(np.radians(lat.mean())), lat * 111.0
    return np.hypot(x[:, None] - x, y[:, None] - y)


def world(size: Size, seed: int) -> World:
    """A nation whose base year balances."""
    rng = np.random.default_rng(seed)
    n, k = size.regions, size.industries
    lon = np.concatenate([rng.uniform(98, 109, size.hosts), rng.uniform(108, 124, n - size.hosts)])
    lat = rng.uniform(22, 42, n)
    weight = np.concatenate([rng.lognormal(-0.7, 0.5, size.hosts), rng.lognormal(0, 0.7, n - size.hosts)])
    shares = rng.gamma(2.0, size=(n, k)) * weight[:, None] * rng.lognormal(0, 0.6, k)
    output = shares / shares.sum() * OUTPUT
    coefficients = _coefficients(rng, output)
    used = np.einsum("rij,rj->ri", coefficients, output)
    coefficients *= np.minimum(1.0, 0.8 * output.sum(axis=0) / used.sum(axis=0))[None, :, None]
    used = np.einsum("rij,rj->ri", coefficients, output)
    left = output.sum(axis=0) - used.sum(axis=0)
    final = (weight[:, None] * rng.lognormal(0, 0.1, (n, k)) / weight.sum()) * left
    use = used + final * (left / final.sum(axis=0))
    flows = _trade(size, output, use, distances(lon, lat))
    inflow, outflow = flows.sum(axis=2), flows.sum(axis=1)
    exports = output * np.where(rng.random((n, k)) < 0.5, rng.uniform(0.0, 0.08, (n, k)), 0.0)
    imports = output * np.where(rng.random((n, k)) < 0.5, rng.uniform(0.0, 0.08, (n, k)), 0.0)
    rest = output + (inflow - outflow).T + imports - exports - used
    imports, final = imports + np.maximum(-rest, 0.0), np.maximum(rest, 0.0)
    return World(size, lon, lat, output, coefficients, final, flows, imports, exports)


def _coefficients(rng: np.random.Generator, output: Floats) -> Floats:
    """[region, supplied, using] technical coefficients: a national pattern with row sums that leave final use, and each region's own deviations."""
    x = output.sum(axis=0)
    k = len(x)
    pattern = rng.gamma(0.4, size=(k, k)) + np.diag(rng.gamma(4.0, size=k)) + 1e-4
    rows, columns = x * rng.uniform(0.3, 0.85, k), x * rng.uniform(0.45, 0.7, k)
    rows *= columns.sum() / rows.sum()
    rows = np.minimum(rows, 0.95 * x)
    rows *= columns.sum() / rows.sum()
    for _ in range(100):
        pattern *= (rows / pattern.sum(axis=1))[:, None]
        pattern *= columns / pattern.sum(axis=0)
    own = (pattern / x) * rng.lognormal(0, 0.15, (len(output), k, k))
    return np.minimum(own, 0.6) / np.maximum(1.0, own.sum(axis=1, keepdims=True) / 0.85)


def _trade(size: Size, supply: Floats, use: Floats, km: Floats) -> Floats:
    """[industry, destination, origin] flows on the routes that are kept, fitted to supply and use with what stays at home."""
    n = size.regions
    out = np.zeros((size.industries, n, n))
    for i in range(size.industries):
        kernel = use[:, i, None] * supply[None, :, i] * np.exp(-km / 700.0)
        apart = kernel.copy()
        np.fill_diagonal(apart, -np.inf)
        least = np.sort(apart, axis=1)[:, -size.routes][:, None]
        kernel = np.where((apart >= least) | np.eye(n, dtype=bool), kernel, 0.0)
        kernel += 4.0 * np.diag(np.diag(kernel))
        for _ in range(300):
            kernel *= (use[:, i] / np.maximum(kernel.sum(axis=1), 1e-12))[:, None]
            kernel *= supply[:, i] / np.maximum(kernel.sum(axis=0), 1e-12)
        np.fill_diagonal(kernel, 0.0)
        out[i] = kernel
    return out


def provinces(size: Size = PROVINCES, seed: int = 0) -> Case:
    """The tables of a case of provinces; with ``full`` labour, infrastructure, support, security and jobs as well as capacity, trade and carbon."""
    made = world(size, seed)
    rng = np.random.default_rng(seed + 1)
    case = _sets(made, rng) | _production(made, rng) | _trade_tables(made, rng) | _carbon(made, rng)
    return case | (_everything_else(made, rng) if size.full else {})


def _sets(w: World, rng: np.random.Generator) -> Case:
    n, k, years = w.size.regions, w.size.industries, list(range(2024, 2024 + w.size.years))
    third = max(1, len(years) // 3)
    regions = {"region": w.regions, "source": [r >= w.size.hosts for r in range(n)], "host": [r < w.size.hosts for r in range(n)]}
    regions |= {"lon": w.lon, "lat": w.lat, "population": w.output.sum(axis=1) / 18.0, "business_environment": rng.uniform(0.6, 1.0, n)}
    moving = rng.random(k) < (1.0 if w.size.full else 0.8)
    industries = {
        "industry": w.industries,
        "relocatable": moving,
        "depreciation": rng.uniform(0.03, 0.08, k),
        "lead": rng.integers(0, 3, k),
    }
    industries |= {"tax_rate": rng.uniform(0.03, 0.1, k), "relocation_cost": rng.uniform(0.05, 0.3, k)}
    industries |= {"relocation_per_1000km": rng.uniform(0.01, 0.06, k)}
    phases = {"phase": ["one", "two", "three"], "release_share": [0.04, 0.05, 0.05], "release_total": [0.15, 0.35, 0.5]}
    phases |= {"trade_flexibility": [0.15, 0.3, 0.5], "job_loss": [0.15, 0.3, 0.5]}
    return {
        "regions": pl.DataFrame(regions),
        "industries": pl.DataFrame(industries),
        "years": pl.DataFrame({"year": years, "phase": [("one", "two", "three")[min(2, t // third)] for t in range(len(years))]}),
        "phases": pl.DataFrame(phases),
    }


def cells_of(w: World) -> dict[str, list[str]]:
    return {"region": [r for r in w.regions for _ in w.industries], "industry": w.industries * w.size.regions}


def _production(w: World, rng: np.random.Generator) -> Case:
    n, k = w.size.regions, w.size.industries
    inputs = w.coefficients.sum(axis=1)
    wages = np.where(np.arange(n) < w.size.hosts, rng.uniform(0.75, 0.95, n), rng.uniform(0.9, 1.25, n))
    operating = (0.9 - inputs) * 0.6 * wages[:, None] * rng.lognormal(0, 0.05, (n, k))
    cells = {
        **cells_of(w),
        "capacity": 1.15 * w.output.ravel(),
        "capex": rng.uniform(0.6, 1.6, (n, k)).ravel(),
        "operating_cost": operating.ravel(),
    }
    cells["absorption"] = np.where(np.arange(n)[:, None] < w.size.hosts, 0.08 * w.output + 0.01 * w.output.mean(axis=0), np.nan).ravel()
    keys = {
        "region": np.repeat(w.regions, k * k),
        "industry": np.tile(np.repeat(w.industries, k), n),
        "using": np.tile(w.industries, n * k),
    }
    demand = {**cells_of(w), "demand": w.final.ravel(), "growth": np.repeat(rng.uniform(0.01, 0.05, (1, k)), n, axis=0).ravel()}
    return {
        "cells": pl.DataFrame(cells).with_columns(pl.col("absorption").fill_nan(None)),
        "inputs": pl.DataFrame({**keys, "coefficient": w.coefficients.ravel()}),
        "demand": pl.DataFrame(demand),
    }


def _trade_tables(w: World, rng: np.random.Generator) -> Case:
    i, d, o = np.nonzero(w.flows)
    regions, industries = np.array(w.regions), np.array(w.industries)
    cost = distances(w.lon, w.lat)[o, d] / 1000.0 * rng.uniform(0.01, 0.05, w.size.industries)[i]
    routes = {
        "industry": industries[i],
        "origin": regions[o],
        "destination": regions[d],
        "flow": w.flows[i, d, o],
        "cost": cost,
        "new": 0.1 * w.flows[i, d, o],
    }
    keep_in, keep_out = w.imports.ravel() > 0, w.exports.ravel() > 0
    keys = {name: np.array(values) for name, values in cells_of(w).items()}
    imports = {name: v[keep_in] for name, v in keys.items()} | {"flow": w.imports.ravel()[keep_in]}
    exports = {name: v[keep_out] for name, v in keys.items()} | {"flow": w.exports.ravel()[keep_out]}
    exports["cost"] = rng.uniform(0.01, 0.08, keep_out.sum())
    return {
        "routes": pl.DataFrame(routes),
        "imports": pl.DataFrame({**imports, "cost": np.full(keep_in.sum(), 1.3)}),
        "exports": pl.DataFrame(exports).with_columns(market=pl.lit("abroad")),
        "markets": pl.DataFrame({"market": ["abroad"], "growth": [0.02]}),
    }


def _carbon(w: World, rng: np.random.Generator) -> Case:
    k, n = w.size.industries, w.size.regions
    grid = rng.uniform(0.6, 1.4, n)
    each = rng.lognormal(-0.5, 0.9, k)
    first = (w.output * each * grid[:, None]).sum(axis=1)
    years = [2024, 2023 + w.size.years]
    limits = [{"region": r, "year": years[0], "value": f * 1.25} for r, f in zip(w.regions, first, strict=True)]
    limits += [{"region": r, "year": years[1], "value": f * 1.2} for r, f in zip(w.regions, first, strict=True)]
    limits += [{"region": None, "year": y, "value": first.sum() * f} for y, f in zip(years, (1.1, 1.05), strict=True)]
    value = (each * grid[:, None]).ravel()
    return {
        "resources": pl.DataFrame({"resource": ["carbon"], "base": ["output"], "unit": ["10k-tonne"], "price": [0.01]}),
        "intensities": pl.DataFrame({**cells_of(w), "value": value, "improvement": 0.03}).with_columns(resource=pl.lit("carbon")),
        "limits": pl.DataFrame(limits).with_columns(resource=pl.lit("carbon")),
    }


def _everything_else(w: World, rng: np.random.Generator) -> Case:
    """Labour of two skills, two kinds of infrastructure, two instruments with two steps, security, backup, floors of employment."""
    n, k, hosts = w.size.regions, w.size.industries, w.regions[: w.size.hosts]
    staff = rng.lognormal(-5.2, 0.5, (k, 2)) * [1.0, 0.35]
    people = w.output @ staff
    skills = ["plain", "trained"]
    need = rng.uniform(0.2, 1.0, (2, k))
    used = w.output[: w.size.hosts] @ need.T
    years = [2025, 2023 + w.size.years]
    critical = w.industries[: max(1, k // 6)]
    share = w.output[: w.size.hosts, : len(critical)].sum(axis=0) / w.output[:, : len(critical)].sum(axis=0)
    labour = {"region": np.repeat(w.regions, 2), "skill": skills * n, "supply": (people * 1.15).ravel()}
    labour["wage"] = (np.array([7.0, 11.0]) * rng.uniform(0.8, 1.2, (n, 1))).ravel()
    skill = {"skill": skills, "from": [None, "plain"], "migration_share": [0.02, 0.01], "migration_cost": [2.0, 3.0]}
    skill |= {"training_share": [0.0, 0.03], "training_lag": [1, 1], "training_cost": [1.0, 1.0]}
    kinds = {"kind": ["park", "transport"], "lead": [1, 2], "depreciation": [0.03, 0.03], "service": [1.5, 1.2], "public": [0.5, 1.0]}
    steps = {"instrument": ["land", "land", "tax", "tax"], "segment": [1, 2, 1, 2], "response": [1.6, 0.8, 1.4, 0.7]}
    secure = {"industry": critical * 2, "year": [years[0]] * len(critical) + [years[1]] * len(critical)}
    return {
        "skills": pl.DataFrame(skill),
        "labour": pl.DataFrame(labour),
        "staffing": pl.DataFrame({"industry": np.repeat(w.industries, 2), "skill": skills * k, "value": staff.ravel()}),
        "infrastructure": pl.DataFrame(kinds),
        "stocks": pl.DataFrame({"region": hosts * 2, "kind": np.repeat(kinds["kind"], len(hosts)), "value": (used * 1.25).T.ravel()}),
        "requirements": pl.DataFrame({"kind": np.repeat(kinds["kind"], k), "industry": w.industries * 2, "value": need.ravel()}),
        "instruments": pl.DataFrame({"instrument": ["land", "tax"], "cap": [0.4, 0.5]}),
        "uptake": pl.DataFrame({**steps, "width": [0.2, 0.4, 0.2, 0.4]}),
        "budgets": pl.DataFrame({"region": [*hosts, None], "value": [*(w.output[: len(hosts)].sum(axis=1) * 0.03), w.output.sum() * 0.02]}),
        "security": pl.DataFrame({**secure, "share": np.concatenate([share, share * 1.05])}),
        "jobs": pl.DataFrame({"region": hosts, "floor": people[: len(hosts)].sum(axis=1) * 0.6}),
    }


HOST_CITIES = (18, 1, 6, 8, 14, 6)
"""Prefecture-level cities of Sichuan, Chongqing, Guizhou, Yunnan, Guangxi and Tibet: 53."""


@dataclass(frozen=True)
class Cities:
    """How large a case of cities is: ``inputs`` says whether industries use each other's goods, ``pools`` in how many balances the sources are counted."""

    sources: int = 240
    industries: int = 96
    years: int = 13
    pools: int = 25
    routes: int = 8
    inputs: bool = False


def cities(size: Cities = Cities(), seed: int = 0) -> Case:
    """The tables of a case of cities: a nation of provinces cut into cities, whose goods are counted by province.

    Six provinces of 53 cities receive, the others send. Every city makes every industry, in unequal measure; costs, wages and places are a city's own. Goods
    of a province are pooled at its first city, and trade is between provinces. Without ``inputs`` what industries use of each other is in the demand for
    their goods, as when a plan of provinces has settled it.
    """
    nation = Size(6 + size.pools, 6, size.industries, size.years, min(size.routes, 5 + size.pools), full=False)
    made = world(nation, seed)
    rng = np.random.default_rng(seed + 2)
    counts = [*HOST_CITIES, *_spread(size.sources, size.pools)]
    province = np.repeat(np.arange(len(counts)), counts)
    first = np.concatenate([[0], np.cumsum(counts)[:-1]])
    share = rng.gamma(1.5, size=(len(province), size.industries)) + 0.02
    share /= np.stack([np.bincount(province, weights=s) for s in share.T], axis=1)[province]
    case = _sets(made, rng) | _production(made, rng) | _trade_tables(made, rng)
    names = np.array([f"c{n:03d}" for n in range(len(province))])
    centre = dict(zip(made.regions, names[first], strict=True))
    host = province < 6
    case["regions"] = pl.DataFrame({
        "region": names, "source": ~host, "host": host, "pool": names[first][province],
        "lon": made.lon[province] + rng.normal(0, 1.2, len(names)), "lat": made.lat[province] + rng.normal(0, 1.2, len(names)),
    })  # fmt: skip
    case["industries"] = case["industries"].with_columns(relocatable=True)
    for table, columns in (
        ("routes", ("origin", "destination")),
        ("demand", ("region",)),
        ("imports", ("region",)),
        ("exports", ("region",)),
        ("inputs", ("region",)),
    ):
        case[table] = case[table].with_columns(pl.col(c).replace_strict(centre) for c in columns)
    if not size.inputs:
        used = np.einsum("rij,rj->ri", made.coefficients, made.output).ravel()
        case["demand"] = case["demand"].with_columns(pl.col("demand") + used)
        del case["inputs"]
    return case | _cities(made, rng, names, province, share)


def _spread(total: int, parts: int) -> list[int]:
    return [total // parts + (1 if n < total % parts else 0) for n in range(parts)]


def _cities(w: World, rng: np.random.Generator, names: NDArray[np.str_], province: NDArray[np.int64], share: Floats) -> Case:
    """What each city can make and at what cost, and the land that hosts have."""
    n, k, host = len(names), w.size.industries, province < 6
    capacity = 1.15 * w.output[province] * share
    operating = np.where(host[:, None], rng.uniform(0.24, 0.32, (n, 1)), rng.uniform(0.28, 0.42, (n, 1))) * rng.lognormal(0, 0.1, (n, k))
    absorption = np.where(host[:, None], 0.08 * capacity + 0.004 * w.output.mean(axis=0), np.nan)
    land = rng.uniform(0.5, 2.0, k)
    keys = {"region": np.repeat(names, k), "industry": np.tile(w.industries, n)}
    limit = (capacity[host] @ land) * rng.uniform(1.1, 1.6, host.sum())
    cells = {**keys, "capacity": capacity.ravel(), "capex": rng.uniform(0.6, 1.6, n * k), "operating_cost": operating.ravel()}
    return {
        "cells": pl.DataFrame({**cells, "absorption": absorption.ravel()}).with_columns(pl.col("absorption").fill_nan(None)),
        "resources": pl.DataFrame({"resource": ["land"], "base": ["capacity"], "unit": ["km2"]}),
        "intensities": pl.DataFrame({"resource": "land", "industry": w.industries, "value": land}),
        "limits": pl.DataFrame({"resource": "land", "region": names[host], "value": limit}),
    }
