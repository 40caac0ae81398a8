"""One draw of a simulated world: its basis (who, when, the effect's path), then every potential outcome."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hinterland.data.cohorts import NEVER
from hinterland.data.geography import provinces
from hinterland.data.world_parameters import Parameters, calibration
from hinterland.data.world_prices import price_frame, segmentation, simulate_prices
from hinterland.data.world_process import (
    MEDIATORS,
    Cities,
    Dynamics,
    effect_path,
    logistic,
    movement,
    national_path,
    shifted_count,
    simulate_cities,
    simulate_mediators,
    simulate_quality,
    stream,
)
from hinterland.data.world_units import Units, exposure

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_HIGHER_SHARE = 32 / 293
"""Provincial capitals and sub-provincial cities among the prefecture-level cities."""


@dataclass(frozen=True, slots=True)
class Market:
    """Segmentation.

    Attributes:
        value: [P, T] by province and year;  before: [P] its mean before the first adoption.
        place: [N] the unit's province;  z: [N] ``before``, standardised over provinces, at the unit.
        prices: the price indices as rows.
    """

    value: Floats
    before: Floats
    place: Ints
    z: Floats
    prices: pl.DataFrame


@dataclass(frozen=True, slots=True)
class Basis:
    """N units, T years, the effect's path, neighbours' exposure [N, T], and city traits, of one seed."""

    who: Units
    years: Ints
    path: Dynamics
    shown: Floats
    market: Market
    cities: Cities
    parameters: Parameters
    seed: int


def draw_basis(who: Units, years: Ints, p: Parameters, seed: int) -> Basis:
    """Everything but the outcomes."""
    market = _market(who, years, seed)
    west = who.table["sichuan_chongqing"].to_numpy()
    path = effect_path(stream(seed, "effect"), p, years, cohort=who.cohort, dose=who.dose, west=west, z=market.z)
    cities = simulate_cities(seed, who.table["tier"].to_numpy().astype(np.int64), who.cohort != NEVER, years, p)
    shown = exposure(who.table, path.maturity, p.neighbours, p.neighbour_km)
    return Basis(who, years, path, shown, market, cities, p, seed)


def _market(who: Units, years: Ints, seed: int) -> Market:
    indices = simulate_prices(stream(seed, "prices"), years)
    value = segmentation(indices)
    adopted = who.cohort[who.cohort != NEVER]
    early = years < (adopted.min() if len(adopted) else years[-1])
    before = value[:, early if early.any() else slice(0, 1)].mean(axis=1)
    codes = provinces()["province_code"].to_list()
    place = who.table["province_code"].replace_strict(codes, range(len(codes)), return_dtype=pl.Int64).to_numpy()
    return Market(value, before, place, ((before - before.mean()) / before.std(ddof=1))[place], price_frame(indices, years))


def draw_outcomes(basis: Basis) -> Mapping[str, NDArray[Any]]:
    """Every potential outcome and log mean, name → [N, T]: ``…_00`` no policy anywhere, ``…_0`` no own policy, ``…_1`` as it happened."""
    p, seed, theta = basis.parameters, basis.seed, basis.path.theta
    without, with_policy, push = simulate_mediators(seed, basis.cities.trait, theta, basis.years, p)
    base = _untreated_log_mean(basis, push)
    spilled = base + p.spillover * p.effect * basis.shown
    share = p.mediated_agglomeration + p.mediated_capital + p.mediated_labour
    logs = {"log_mean_00": base, "log_mean_0": spilled, "log_mean_mediated": spilled + share * theta, "log_mean_1": spilled + theta}
    means = {state: np.exp(logs[f"log_mean_{state}"]) for state in ("00", "0", "1")}
    counts = _inventions(seed, means)
    log_odds = simulate_quality(seed, basis.cities.trait, means["00"], basis.years)
    citations = _citations(basis, log_odds, counts["inventions_0"], counts["inventions_1"])
    quality = {"quality_0": logistic(log_odds), "quality_1": logistic(log_odds + p.quality * theta)}
    mediators = {f"{m}_0": without[m] for m in MEDIATORS} | {f"{m}_1": with_policy[m] for m in MEDIATORS}
    return counts | {f"ln_{name}": np.log1p(value) for name, value in counts.items()} | quality | citations | mediators | logs


def _untreated_log_mean(basis: Basis, push: Floats) -> Floats:
    """[N, T] log mean of innovation with no policy anywhere; ``push`` is what the mediators' own movement adds."""
    process, p, cities, years = calibration()["process"], basis.parameters, basis.cities, basis.years
    n, periods = push.shape
    moved = movement(stream(basis.seed, "innovation"), n, periods, process["dynamics"]["ln_count"])
    level = national_path(years) - process["city"]["higher"][0] * _HIGHER_SHARE
    eta = level[None, :] + cities.alpha[:, None] + moved + cities.push + push
    if p.pretrend:
        ever = basis.who.cohort != NEVER
        lead = years[None, :] - (np.where(ever, basis.who.cohort, 0)[:, None] - 1)
        eta = eta + np.where(ever[:, None], p.pretrend * lead, 0.0)
    if p.selection:
        city, law = process["city"], process["selection"]
        gdp = (cities.controls["ln_gdp_pc"][:, 0] - city["mean"][1]) / city["sd"][1]
        industry = (cities.controls["share2"][:, 0] - city["mean"][2]) / city["sd"][2]
        eta = eta + p.selection * (law["growth_share2"] * industry + law["growth_ln_gdp_pc"] * gdp)[:, None] * np.arange(periods)
    return np.asarray(eta)


def _inventions(seed: int, means: Mapping[str, Floats]) -> dict[str, NDArray[np.int64]]:
    """Counts of inventions: negative binomial given the log mean, one frailty shared by the three states."""
    shape = 1 / calibration()["process"]["outcome"]["overdispersion"]
    frailty = stream(seed, "frailty").gamma(shape, 1 / shape, means["00"].shape)
    none = stream(seed, "count").poisson(frailty * means["00"])
    spilled = shifted_count(stream(seed, "count spillover"), none, frailty, means["00"], means["0"])
    both = shifted_count(stream(seed, "count policy"), spilled, frailty, means["0"], means["1"])
    return {"inventions_00": none, "inventions_0": spilled, "inventions_1": both}


def _citations(basis: Basis, log_odds: Floats, before: Ints, after: Ints) -> dict[str, NDArray[np.int64]]:
    """Citations without and with the unit's policy: Poisson with a rate per invention that rises with quality."""
    law = calibration()["process"]["quality"]
    rate = np.exp(law["citations"] + law["citations_quality"] * (log_odds - law["level"]))
    old, new = before * rate, after * rate * np.exp(basis.parameters.quality_citations * basis.path.theta)
    count = stream(basis.seed, "citations").poisson(old)
    return {"citations_0": count, "citations_1": shifted_count(stream(basis.seed, "citations policy"), count, None, old, new)}
