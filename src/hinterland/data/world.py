"""Simulated worlds: panels whose every effect is known.

The data-generating process is written down in ``docs/explanation/world.md``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hinterland.data.cohorts import NEVER, Cohorts
from hinterland.data.geography import provinces
from hinterland.data.panel import Column, Panel
from hinterland.data.policy import PolicyRegister, policy_register
from hinterland.data.world_parameters import Parameters, calibration, read_parameters
from hinterland.data.world_prices import price_frame, segmentation, simulate_prices
from hinterland.data.world_process import (
    MEDIATORS,
    Cities,
    Dynamics,
    effect_path,
    logistic,
    national_path,
    shifted_count,
    simulate_cities,
    simulate_mediators,
    simulate_quality,
    stream,
)
from hinterland.data.world_truth import truth_frame
from hinterland.data.world_units import Units, exposure, real_units, synthetic_units
from hinterland.errors import Finding, InputError, did_you_mean, fail_if_any

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

WORLDS = ("demonstration-zones",)
_REAL_UNITS = 293
_SOURCE = "simulated world demonstration-zones"
_UNITS_OF_MEASUREMENT = {
    "adcode": "GB/T 2260 code (synthetic units: province, dash, number)",
    "year": "calendar year",
    "inventions": "invention patents, count",
    "ln_inventions": "log points: ln(1 + inventions)",
    "quality": "mean knowledge width of inventions, 0–1",
    "citations": "citations received by the year's inventions, count",
    "agglomeration": "location quotient, 1 = national share",
    "capital_mismatch": "|τ_K|, absolute relative distortion",
    "labour_mismatch": "|τ_L|, absolute relative distortion",
    "segmentation": "relative-price variance over neighbouring provinces, squared log points (province level)",
    "segmentation_pre": "mean of segmentation before the first adoption, squared log points (province level)",
    "ln_gdp_pc": "ln of GDP per head, yuan at constant prices",
    "share2": "value added of secondary industry over GDP, 0–1",
    "ln_pop_density": "ln of residents per km²",
    "fin_dev": "(loans + deposits) over GDP",
    "fdi_share": "foreign direct investment over GDP, 0–1",
    "ln_gdp_pc_base": "ln_gdp_pc in the first year",
    "share2_base": "share2 in the first year",
    "lon": "degrees east, WGS84",
    "lat": "degrees north, WGS84",
    "first_treat": "first treated year, null = never in the window; partly covered cities included",
    "dose": "share of the unit that the policy covers once it is treated, 0–1",
    "treated": "1 from the first treated year, else 0",
}


@dataclass(frozen=True, slots=True)
class World:
    """A simulated world.

    Attributes:
        panel: what an analyst would see.
        truth: every known truth (see :func:`hinterland.data.world_truth.truth_frame`).
        zones: the register behind the dates.
        policy: first treated periods by the default rule (partly covered and disputed units are left out).
        prices: ``province_code``, ``province``, ``year``, ``good``, ``index`` (previous year = 100), from which segmentation follows.
        potential: one row per unit and year: outcomes with the policy as it happened (``…_1``), without the unit's own policy but with its
            neighbours' (``…_0``), with no policy anywhere (``…_00``); log means, ``theta``, ``exposure`` and the moderator.
        parameters: what was chosen.
        seed: of every draw.
    """

    panel: Panel
    truth: pl.DataFrame
    zones: PolicyRegister
    policy: Cohorts
    prices: pl.DataFrame
    potential: pl.DataFrame
    parameters: Parameters
    seed: int

    def __repr__(self) -> str:
        overall = self.truth.filter(pl.col("parameter") == "att/ln_inventions/overall")["value"]
        said = f"{overall[0]:.3f}" if len(overall) else "none"
        return f"World(demonstration-zones, seed {self.seed}: {self.panel.n_units} units × {self.panel.n_periods} years; ATT on ln_inventions {said}; {self.truth.height} truths)"

    def value(self, parameter: str) -> float:
        """The truth called ``parameter`` (``"att/ln_inventions/overall"``).

        Raises:
            InputError: there is none of that name.
        """
        found = self.truth.filter(pl.col("parameter") == parameter)["value"]
        if len(found) == 0:
            raise InputError(Finding("unknown-truth", f"this world has no truth {parameter!r}", "World.truth", did_you_mean(parameter, self.truth["parameter"])), "world")
        return float(found[0])


def simulate(
    name: str = "demonstration-zones",
    seed: int = 0,
    *,
    units: int = _REAL_UNITS,
    periods: int = 15,
    first_year: int = 2008,
    cohorts: int | Sequence[int] | None = None,
    **parameters: Any,
) -> World:
    """Simulate a world with known truth.

    With 293 units and no ``cohorts`` or ``treated_share`` the units are the 293 prefecture-level cities and adopt when the register says so (first
    full year). Otherwise they are synthetic cities that adopt at random, in the register's proportions.

    Args:
        name: ``demonstration-zones``.
        seed: 0 or more; the same seed and arguments give the same bytes.
        units: number of units (≥ 2).
        periods: number of years (≥ 2).
        first_year: first calendar year.
        cohorts: how many cohorts, or their years; equal shares of the treated.
        parameters: fields of :class:`Parameters`: ``effect=0`` (nothing happens), ``pretrend=0.02``, ``spillover=-0.3``, …

    Raises:
        InputError: unknown world or parameter, impossible sizes.
    """
    _fail_if_sizes_impossible(name, seed, units, periods, first_year, cohorts)
    chosen = read_parameters(parameters)
    years = np.arange(first_year, first_year + periods, dtype=np.int64)
    register = policy_register("industrial-transfer-zones")
    if units == _REAL_UNITS and cohorts is None and chosen.treated_share is None:
        who = real_units(register, years)
    else:
        who = synthetic_units(register, stream(seed, "units"), units, years, cohorts, chosen.treated_share)
    return _assemble(who, years, register, chosen, seed)


def _fail_if_sizes_impossible(name: str, seed: Any, units: Any, periods: Any, first_year: Any, cohorts: Any) -> None:
    findings = []
    if name not in WORLDS:
        findings.append(Finding("unknown-world", f"there is no world {name!r}", "argument name", did_you_mean(name, WORLDS)))
    least = {"seed": (seed, 0), "units": (units, 2), "periods": (periods, 2), "first_year": (first_year, 1)}
    for argument, (value, low) in least.items():
        if isinstance(value, bool) or not isinstance(value, int) or value < low:
            findings.append(Finding("bad-size", f"{argument} is {value!r}", f"argument {argument}", f"give a whole number, {low} or more"))
    given = [cohorts] if isinstance(cohorts, int) else list(cohorts or [])
    if any(isinstance(c, bool) or not isinstance(c, int) for c in given) or (isinstance(cohorts, int) and cohorts < 1):
        findings.append(Finding("bad-cohorts", f"cohorts is {cohorts!r}", "argument cohorts", "give how many (1 or more), or their years"))
    fail_if_any(findings, "world", InputError)


@dataclass(frozen=True, slots=True)
class _Market:
    """Segmentation: [P, T] by province, [P] its mean before the policy, [N] the unit's province and standardised moderator."""

    value: Floats
    before: Floats
    place: Ints
    z: Floats
    prices: pl.DataFrame


def _market(who: Units, years: Ints, seed: int) -> _Market:
    indices = simulate_prices(stream(seed, "prices"), years)
    value = segmentation(indices)
    adopted = who.cohort[who.cohort != NEVER]
    early = years < (adopted.min() if len(adopted) else years[-1])
    before = value[:, early if early.any() else slice(0, 1)].mean(axis=1)
    codes = provinces()["province_code"].to_list()
    place = who.table["province_code"].replace_strict(codes, range(len(codes)), return_dtype=pl.Int64).to_numpy()
    return _Market(value, before, place, ((before - before.mean()) / before.std(ddof=1))[place], price_frame(indices, years))


def _assemble(who: Units, years: Ints, register: PolicyRegister, p: Parameters, seed: int) -> World:
    market = _market(who, years, seed)
    ever = who.cohort != NEVER
    west = who.table["sichuan_chongqing"].to_numpy()
    path = effect_path(stream(seed, "effect"), who.cohort, who.dose, years, west, market.z, p)
    cities = simulate_cities(seed, who.table["tier"].to_numpy().astype(np.int64), ever, years, p)
    shown = exposure(who.table, path.maturity, p.neighbours, p.neighbour_km)
    outcomes = _outcomes(who, years, cities, path, shown, p, seed)
    columns = _identity(who, years)
    potential = _potential(columns, outcomes, who, years, path, shown, market)
    panel = _panel(columns, outcomes, cities, who, years, path, market)
    return World(panel, truth_frame(potential, p), register, who.policy, market.prices, potential, p, seed)


def _outcomes(who: Units, years: Ints, cities: Cities, path: Dynamics, shown: Floats, p: Parameters, seed: int) -> dict[str, NDArray[Any]]:
    """Every potential outcome and log mean, name → [N, T]."""
    process = calibration()["process"]
    without, with_policy, push = simulate_mediators(seed, cities.trait, path.theta, years, p)
    base = _untreated_log_mean(who, years, cities, push, p, seed)
    spilled = base + p.spillover * p.effect * shown
    treated = spilled + path.theta
    mediated = spilled + (p.mediated_agglomeration + p.mediated_capital + p.mediated_labour) * path.theta
    shape = 1 / process["outcome"]["overdispersion"]
    frailty = stream(seed, "frailty").gamma(shape, 1 / shape, base.shape)
    means = [np.exp(x) for x in (base, spilled, treated)]
    count = stream(seed, "count").poisson(frailty * means[0])
    with_spillover = shifted_count(stream(seed, "count spillover"), count, frailty, means[0], means[1])
    with_both = shifted_count(stream(seed, "count policy"), with_spillover, frailty, means[1], means[2])
    log_odds = simulate_quality(seed, cities.trait, means[0], years)
    cites = _citations(log_odds, with_spillover, with_both, path.theta, p, seed)
    counts = {"inventions_00": count, "inventions_0": with_spillover, "inventions_1": with_both}
    return {
        **counts,
        **{f"ln_{name}": np.log1p(value) for name, value in counts.items()},
        "quality_0": logistic(log_odds),
        "quality_1": logistic(log_odds + p.quality * path.theta),
        "citations_0": cites[0],
        "citations_1": cites[1],
        **{f"{m}_0": without[m] for m in MEDIATORS},
        **{f"{m}_1": with_policy[m] for m in MEDIATORS},
        "log_mean_00": base,
        "log_mean_0": spilled,
        "log_mean_mediated": mediated,
        "log_mean_1": treated,
    }


def _untreated_log_mean(who: Units, years: Ints, cities: Cities, push: Floats, p: Parameters, seed: int) -> Floats:
    """[N, T] log mean of innovation with no policy anywhere."""
    process = calibration()["process"]
    n, periods = push.shape
    tiers = process["city"]["higher"][0] * 45 / _REAL_UNITS
    moved = _innovation_movement(seed, n, periods)
    eta = (national_path(years) - tiers)[None, :] + cities.alpha[:, None] + moved + cities.push + push
    if p.pretrend:
        lead = years[None, :] - (np.where(who.cohort == NEVER, 0, who.cohort)[:, None] - 1)
        eta = eta + np.where((who.cohort != NEVER)[:, None], p.pretrend * lead, 0.0)
    if p.selection:
        city = process["city"]
        gdp = (cities.controls["ln_gdp_pc"][:, 0] - city["mean"][1]) / city["sd"][1]
        industry = (cities.controls["share2"][:, 0] - city["mean"][2]) / city["sd"][2]
        eta = eta + p.selection * (0.02 * industry - 0.03 * gdp)[:, None] * np.arange(periods)
    return np.asarray(eta)


def _innovation_movement(seed: int, n: int, periods: int) -> Floats:
    from hinterland.data.world_process import movement

    return movement(stream(seed, "innovation"), n, periods, calibration()["process"]["dynamics"]["ln_count"])


def _citations(log_odds: Floats, before: NDArray[np.int64], after: NDArray[np.int64], theta: Floats, p: Parameters, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """[N, T] citations without and with the unit's policy: Poisson with a rate per invention that rises with quality."""
    law = calibration()["process"]["quality"]
    rate = np.exp(law["citations"] + law["citations_quality"] * (log_odds - law["level"]))
    old, new = before * rate, after * rate * np.exp(p.quality_citations * theta)
    count = stream(seed, "citations").poisson(old)
    return count, shifted_count(stream(seed, "citations policy"), count, None, old, new)


def _identity(who: Units, years: Ints) -> pl.DataFrame:
    """The unit's description and the year, one row per unit and year."""
    n, periods = who.table.height, len(years)
    rows = np.repeat(np.arange(n), periods)
    return who.table.drop("tier")[rows].with_columns(year=pl.Series(np.tile(years, n)))


def _adoption(who: Units, years: Ints, path: Dynamics) -> dict[str, pl.Series]:
    periods = len(years)
    missing = who.cohort == NEVER
    first = pl.Series(np.where(missing, 0, who.cohort)).replace(0, None)
    rows = np.repeat(np.arange(len(missing)), periods)
    return {"first_treat": first.gather(rows), "dose": pl.Series(np.repeat(who.dose, periods)), "treated": pl.Series(path.treated.ravel().astype(np.int8))}


def _panel(columns: pl.DataFrame, outcomes: dict[str, NDArray[Any]], cities: Cities, who: Units, years: Ints, path: Dynamics, market: _Market) -> Panel:
    periods = len(years)
    observed = ("inventions", "ln_inventions", "quality", "citations", *MEDIATORS)
    frame = columns.with_columns(
        **{c: pl.Series(outcomes[f"{c}_1"].ravel()) for c in observed},
        segmentation=pl.Series(market.value[market.place].ravel()),
        segmentation_pre=pl.Series(np.repeat(market.before[market.place], periods)),
        **{c: pl.Series(v.ravel()) for c, v in cities.controls.items()},
        **{f"{c}_base": pl.Series(np.repeat(cities.controls[c][:, 0], periods)) for c in ("ln_gdp_pc", "share2")},
        **_adoption(who, years, path),
    )
    identity = ("adcode", "city_zh", "city_en", "province_code", "province", "macro_region", "sichuan_chongqing", "year")
    controls = ("ln_gdp_pc", "share2", "ln_pop_density", "fin_dev", "fdi_share", "ln_gdp_pc_base", "share2_base")
    frame = frame.select(*identity, *observed, "segmentation", "segmentation_pre", *controls, "lon", "lat", "first_treat", "dose", "treated")
    described = {c: Column(_SOURCE, _UNITS_OF_MEASUREMENT.get(c, "")) for c in frame.columns}
    return Panel(frame, unit="adcode", time="year", coordinates=("lon", "lat"), columns=described)


def _potential(columns: pl.DataFrame, outcomes: dict[str, NDArray[Any]], who: Units, years: Ints, path: Dynamics, shown: Floats, market: _Market) -> pl.DataFrame:
    periods = len(years)
    adoption = _adoption(who, years, path)
    return columns.select("adcode", "year", "sichuan_chongqing").with_columns(
        cohort=adoption["first_treat"],
        dose=adoption["dose"],
        event_time=pl.when(adoption["treated"] == 1).then(pl.col("year") - adoption["first_treat"]),
        sampled=pl.Series(np.repeat(who.sampled, periods)),
        **{name: pl.Series(value.ravel()) for name, value in outcomes.items()},
        theta=pl.Series(path.theta.ravel()),
        maturity=pl.Series(path.maturity.ravel()),
        exposure=pl.Series(shown.ravel()),
        segmentation_pre=pl.Series(np.repeat(market.before[market.place], periods)),
        segmentation_z=pl.Series(np.repeat(market.z, periods)),
    )
