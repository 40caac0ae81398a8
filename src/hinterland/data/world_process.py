"""The data-generating process of a simulated world, on [N, T] arrays (units × periods).

Every random block has its own stream, so y(no policy) does not depend on what the policy does: worlds of one seed that
differ in ``effect`` share their untreated outcomes.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hinterland.data.cohorts import NEVER
from hinterland.data.world_parameters import Parameters, calibration

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

CONTROLS = ("ln_gdp_pc", "share2", "ln_pop_density", "ln_fin_dev", "ln_fdi_share")
MEDIATORS = ("agglomeration", "capital_mismatch", "labour_mismatch")


def stream(seed: int, name: str) -> np.random.Generator:
    """The random stream of one block of a world: the same for the same seed and name, whatever else is drawn."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, zlib.crc32(name.encode())])))


@dataclass(frozen=True, slots=True)
class Dynamics:
    """Event time and the effect's path.

    Attributes:
        treated: [N, T] whether the unit is treated in the period (in whole or in part).
        maturity: [N, T] dose · (1 - exp(-(e + 1)/dynamics)) where treated, else 0.
        theta: [N, T] effect on the log mean of innovation.
    """

    treated: NDArray[np.bool_]
    maturity: Floats
    theta: Floats


def effect_path(
    rng: np.random.Generator, p: Parameters, years: Ints, *, cohort: Ints, dose: Floats, west: NDArray[np.bool_], z: Floats
) -> Dynamics:
    """The effect θ [N, T] (see :class:`Parameters`); ``west`` [N] marks Sichuan–Chongqing, ``z`` [N] is standardised segmentation."""
    treated = years[None, :] >= cohort[:, None]
    age = np.where(treated, years[None, :] - np.where(cohort == NEVER, years[-1] + 1, cohort)[:, None], 0)
    maturity = np.where(treated, dose[:, None] * -np.expm1(-(age + 1) / p.dynamics), 0.0)
    nu = p.heterogeneity * rng.standard_normal(len(cohort))
    slope = p.moderation + p.moderation_sichuan_chongqing * west
    strength = 1 + cohort_factor(cohort, p.cohort_gap) + p.sichuan_chongqing * west - slope * z + nu
    return Dynamics(treated, maturity, p.effect * strength[:, None] * maturity)


def cohort_factor(cohort: Ints, gap: float) -> Floats:
    """[N] κ: ``gap`` for the first cohort, falling linearly to -``gap`` for the last; 0 for never treated."""
    dates = np.unique(cohort[cohort != NEVER])
    rank = np.linspace(gap, -gap, len(dates)) if len(dates) > 1 else np.zeros(len(dates))
    found = dict(zip(dates.tolist(), rank.tolist(), strict=True))
    return np.array([found.get(int(c), 0.0) for c in cohort])


def bounded_normal(rng: np.random.Generator, size: int, widest: float = 2.5) -> Floats:
    """[size] standard normals, values beyond ±``widest`` set to it: no city is absurdly far from the others."""
    return np.clip(rng.standard_normal(size), -widest, widest)


def movement(rng: np.random.Generator, units: int, periods: int, law: Mapping[str, float]) -> Floats:
    """[N, T] deviations: u_t = ρ u_{t-1} + innovation, a straight line of the unit's own, and noise.

    With ``spread``, a unit's movements are scaled by a log-normal factor, cut off at ±1.5 standard deviations of its log.
    The first year and the line are cut off at ±2.5 standard deviations.
    Over more than 15 periods the lines are flattened so that they spread units no further than over 15.
    """
    u = np.empty((periods, units))
    u[0] = law["start"] * bounded_normal(rng, units)
    shocks = rng.standard_normal((periods - 1, units))
    for t in range(1, periods):
        u[t] = law["rho"] * u[t - 1] + law["innovation"] * shocks[t - 1]
    line = law["slope"] * min(1.0, 15 / periods) * bounded_normal(rng, units)
    u += line * (np.arange(periods) - (periods - 1) / 2)[:, None]
    if law.get("spread"):
        z = bounded_normal(rng, units, 1.5)
        u *= np.exp(law["spread"] * z - law["spread"] ** 2)
    if law["noise"]:
        u += law["noise"] * rng.standard_normal((periods, units))
    return np.ascontiguousarray(u.T)


@dataclass(frozen=True, slots=True)
class Cities:
    """Permanent city traits and controls.

    Attributes:
        trait: [N] permanent log innovation, without the tier's mean;  alpha: [N] with it.
        controls: name → [N, T] control.
        push: [N, T] what the controls' movements add to log innovation.
    """

    trait: Floats
    alpha: Floats
    controls: Mapping[str, Floats]
    push: Floats


def simulate_cities(seed: int, tier: Ints, ever: NDArray[np.bool_], years: Ints, p: Parameters) -> Cities:
    """Traits from a multivariate normal with tier means; controls move around them; ``ever`` [N] marks units that will be treated."""
    process = calibration()["process"]
    city, n, periods = process["city"], len(tier), len(years)
    traits = _correlated(stream(seed, "traits"), n, np.array(city["correlation"])) * np.array(city["sd"])
    shift = np.array([np.zeros(len(city["sd"])), city["higher"], city["municipality"]])[tier]
    level = traits + shift + np.array(city["mean"])
    moved = {name: movement(stream(seed, name), n, periods, process["dynamics"][name]) for name in CONTROLS}
    moved["ln_gdp_pc"] -= 0.45 * moved["ln_pop_density"]
    moved["share2"] += 0.17 * moved["ln_gdp_pc"]
    controls = {}
    for k, name in enumerate(CONTROLS, 1):
        chosen = process["selection"].get(name, 0.0) * p.selection
        drift = process["drift"][name] * (_calendar_position(years))
        controls[name] = level[:, [k]] + chosen * ever[:, None] + drift + moved[name]
    controls["share2"] = np.clip(controls["share2"], 0.02, 0.95)
    fdi = np.exp(controls.pop("ln_fdi_share"))
    weights = process["outcome"]
    push = sum((weights[name] * moved[name] for name in CONTROLS[:-1]), start=np.zeros((n, periods)))
    push += weights["fdi_share"] * (fdi - fdi.mean(axis=1, keepdims=True))
    controls["fin_dev"], controls["fdi_share"] = np.exp(controls.pop("ln_fin_dev")), np.minimum(fdi, 0.5)
    return Cities(traits[:, 0] / city["sd"][0], level[:, 0], controls, push)


def _calendar_position(years: Ints) -> Floats:
    """[T] years since the middle of 2008–2022, held at ±15 so that long worlds stay in range."""
    return np.clip(years - 2015.0, -15.0, 15.0)


def _correlated(rng: np.random.Generator, n: int, correlation: Floats) -> Floats:
    """[n, k] standard normals, cut off at ±2.5, with this correlation. Written out: a matrix product may differ in the last bit between machines."""
    root = np.linalg.cholesky(correlation)
    z = np.clip(rng.standard_normal((n, len(root))), -2.5, 2.5)
    return np.column_stack([sum((root[i, j] * z[:, j] for j in range(i + 1)), start=np.zeros(n)) for i in range(len(root))])


def national_path(years: Ints) -> Floats:
    """[T] mean of log innovation by calendar year: recorded growth inside 2008–2017, the set rate outside (and none beyond 2037)."""
    calendar = calibration()["calendar"]
    recorded = dict(enumerate(calendar["growth"], calendar["first"] + 1))
    after = calendar["growth_after"]
    ahead = np.array(
        [
            recorded.get(y, after if calendar["first"] < y <= calendar["first"] + 29 else 0.0)
            for y in range(calendar["first"], max(int(years[-1]), calendar["first"]) + 1)
        ]
    )
    path = dict(enumerate(calendar["ln_count_first"] + np.cumsum(ahead), calendar["first"]))
    return np.array([path.get(int(y), calendar["ln_count_first"] + after * max(int(y) - calendar["first"], -10)) for y in years])


def simulate_mediators(
    seed: int, trait: Floats, theta: Floats, years: Ints, p: Parameters
) -> tuple[Mapping[str, Floats], Mapping[str, Floats], Floats]:
    """Mediators without and with the policy (name → [N, T], in levels) and what their own movement adds to log innovation.

    ln M_k = level + trait + drift + movement + share_k θ / elasticity_k, so that the channel k carries share_k of θ.
    """
    process, (n, periods) = calibration()["process"], theta.shape
    law, shares = process["mediators"], mediated_shares(p)
    without, with_policy, push = {}, {}, np.zeros((n, periods))
    for name in MEDIATORS:
        log = f"ln_{name}"
        rng = stream(seed, f"mediator {name}")
        r = law["correlation_with_ln_count"][log]
        permanent = law["sd"][log] * (r * trait + np.sqrt(1 - r**2) * rng.standard_normal(n))
        moved = movement(rng, n, periods, process["dynamics"][log])
        value = law["level"][log] + permanent[:, None] + process["drift"][log] * _calendar_position(years) + moved
        without[name] = np.exp(value)
        with_policy[name] = np.exp(value + shares[name] * theta / law["elasticity"][log])
        push += law["elasticity"][log] * moved
    return without, with_policy, push


def mediated_shares(p: Parameters) -> dict[str, float]:
    """Share of θ through each mediator."""
    return dict(zip(MEDIATORS, (p.mediated_agglomeration, p.mediated_capital, p.mediated_labour), strict=True))


def shifted_count(
    rng: np.random.Generator, count: NDArray[np.int64], frailty: Floats | None, old_mean: Floats, new_mean: Floats
) -> NDArray[np.int64]:
    """A count with mean ``new_mean`` from one with mean ``old_mean``, changed as little as possible.

    Where the mean rises, add Poisson(frailty · rise); where it falls, keep each event with probability new/old. Given the
    frailty both counts are Poisson, and the new one is never below (above) the old one where the mean rises (falls).
    """
    changed = np.flatnonzero(new_mean != old_mean)
    moved = count.copy().ravel()
    old, new, start = old_mean.ravel()[changed], new_mean.ravel()[changed], moved[changed]
    factor = np.ones(len(changed)) if frailty is None else frailty.ravel()[changed]
    added = rng.poisson(factor * np.maximum(new - old, 0.0))
    kept = rng.binomial(start, np.where(new < old, new / np.where(old > 0, old, 1.0), 1.0))
    moved[changed] = np.where(new < old, kept, start + added)
    return moved.reshape(count.shape)


def logistic(x: Floats) -> Floats:
    """1 / (1 + exp(-x))."""
    return np.asarray(1.0 / (1.0 + np.exp(-x)))


def simulate_quality(seed: int, trait: Floats, mean_count: Floats, years: Ints) -> Floats:
    """[N, T] log-odds of quality without the policy; measurement noise falls with the number of inventions."""
    process: Mapping[str, Any] = calibration()["process"]
    law, (n, periods) = process["quality"], mean_count.shape
    rng = stream(seed, "quality")
    r = law["correlation_with_ln_count"]
    permanent = law["sd"] * (r * trait + np.sqrt(1 - r**2) * rng.standard_normal(n))
    moved = movement(rng, n, periods, process["dynamics"]["logit_quality"])
    noise = law["measurement"] / np.sqrt(1 + mean_count) * rng.standard_normal((n, periods))
    return np.asarray(law["level"] + permanent[:, None] + process["drift"]["logit_quality"] * _calendar_position(years) + moved + noise)
