"""The units of a simulated world: real or synthetic cities, their adoption dates and their neighbours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hinterland.data.cohorts import NEVER, Cohorts
from hinterland.data.geography import cities
from hinterland.data.globe import on_sphere
from hinterland.data.policy import policy_register
from hinterland.data.world_parameters import calibration
from hinterland.errors import Finding, InputError
from hinterland.labels import Note

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


REGISTER = "industrial-transfer-zones"
CHONGQING, SANSHA = "500000", "460300"


def world_cities() -> pl.DataFrame:
    """The 293 cities of the world, rows of :func:`~hinterland.data.geography.cities`.

    The prefecture-level cities of 2022, with Chongqing, the one municipality that hosts a zone, in the place of Sansha, which was
    founded in 2012 and for which no statistics are published.
    """
    return (
        cities().filter((pl.col("prefecture_level_city") & (pl.col("adcode") != SANSHA)) | (pl.col("adcode") == CHONGQING)).sort("adcode")
    )


@dataclass(frozen=True, slots=True)
class Units:
    """N units of a world.

    Attributes:
        table: N rows: ``adcode``, ``city_zh``, ``city_en``, ``province_code``, ``province``, ``macro_region``,
            ``sichuan_chongqing``, ``lon``, ``lat`` (degrees), ``tier`` (0 ordinary, 1 capital or sub-provincial, 2 municipality).
        cohort: [N] first treated period in the truth, ``NEVER`` if never in the window.
        dose: [N] share of the unit covered, 0 for never treated.
        sampled: [N] whether the default rule keeps the unit (partly covered units are left out).
        policy: the default rule's cohorts.
    """

    table: pl.DataFrame
    cohort: Ints
    dose: Floats
    sampled: NDArray[np.bool_]
    policy: Cohorts


def real_units(years: Ints) -> Units:
    """The 293 cities of :func:`world_cities` with the register's dates; partly covered cities carry their dose."""
    return _real_units(int(years[-1]))


@cache
def _real_units(last: int) -> Units:
    register = policy_register(REGISTER)
    table = _described(world_cities())
    policy = register.cohorts(until=last)
    unknown = register.members.filter((pl.col("coverage") == "partial") & pl.col("dose").is_null())["adcode"]
    assumed = dict.fromkeys(unknown.to_list(), float(calibration()["process"]["policy"]["unknown_dose"]))
    cohort, dose, _ = register.cohorts(partial="dose", uncertain="treat", until=last, doses=assumed).assign(table["adcode"])
    _, _, sampled = policy.assign(table["adcode"])
    cohort = np.where(cohort > last, NEVER, cohort)
    return Units(table, cohort, np.where(cohort == NEVER, 0.0, dose), sampled, policy)


def synthetic_units(
    rng: np.random.Generator, count: int, years: Ints, cohorts: int | Sequence[int] | None, treated_share: float | None
) -> Units:
    """``count`` cities, each modelled on a real one, with adoption at random: quotas by cohort, as in the register by default.

    Raises:
        InputError: too few units for the cohorts, or no cohort inside the window.
    """
    sizes = _quotas(count, years, cohorts, treated_share)
    models = world_cities()
    rows = np.sort(
        np.concatenate(
            [np.tile(np.arange(models.height), count // models.height), rng.choice(models.height, count % models.height, replace=False)]
        )
    )
    number = pl.Series("number", np.arange(1, count + 1)).cast(pl.String).str.zfill(6)
    table = _described(models[rows]).with_columns(
        adcode=pl.col("province_code").str.head(2) + "-" + number,
        city_zh="模拟城市" + number,
        city_en="Simulated city " + number,
        lon=pl.col("lon") + pl.Series(rng.uniform(-0.8, 0.8, count)),
        lat=pl.col("lat") + pl.Series(rng.uniform(-0.6, 0.6, count)),
    )
    order = rng.permutation(count)
    cohort = np.full(count, NEVER, dtype=np.int64)
    start = 0
    for year, size in sizes.items():
        cohort[order[start : start + size]] = year
        start += size
    policy = _synthetic_policy(table["adcode"], cohort, int(years[-1]))
    return Units(table, cohort, (cohort != NEVER).astype(np.float64), np.ones(count, dtype=np.bool_), policy)


def _described(frame: pl.DataFrame) -> pl.DataFrame:
    tier = (
        pl.when("municipality").then(2).when(pl.col("provincial_capital") | (pl.col("level") == "sub-provincial-city")).then(1).otherwise(0)
    )
    return frame.select(
        "adcode",
        pl.col("name_zh").alias("city_zh"),
        pl.col("name_en").alias("city_en"),
        "province_code",
        pl.col("province_en").alias("province"),
        "macro_region",
        "sichuan_chongqing",
        "lon",
        "lat",
        tier.alias("tier"),
    )


def _quotas(count: int, years: Ints, cohorts: int | Sequence[int] | None, treated_share: float | None) -> dict[int, int]:
    """Units per cohort year, by largest remainder, at least one in each."""
    first, last = int(years[0]), int(years[-1])
    real = real_units(np.arange(2008, 2023))
    recorded, sizes = np.unique(real.cohort[real.sampled & (real.cohort != NEVER)], return_counts=True)
    share = float(sizes.sum() / real.sampled.sum()) if treated_share is None else treated_share
    if cohorts is None:
        inside = (recorded > first) & (recorded <= last)
        chosen, weights = recorded[inside], sizes[inside].astype(np.float64)
    else:
        chosen = (
            np.linspace(first + 1, last, cohorts + 2)[1:-1].round().astype(np.int64)
            if isinstance(cohorts, int)
            else np.array(sorted(cohorts), dtype=np.int64)
        )
        weights = np.ones(len(chosen))
    _fail_if_cohorts_impossible(chosen, count, years, share)
    exact = weights / weights.sum() * share * count
    whole = np.maximum(np.floor(exact), 1).astype(np.int64)
    short = max(round(share * count) - int(whole.sum()), 0)
    whole[np.argsort(-(exact - np.floor(exact)), kind="stable")[:short]] += 1
    return dict(zip(chosen.tolist(), whole.tolist(), strict=True))


def _fail_if_cohorts_impossible(chosen: Ints, count: int, years: Ints, share: float) -> None:
    first, last = int(years[0]), int(years[-1])
    where = f"{count} units, periods {first} to {last}"
    findings = []
    if len(chosen) == 0:
        findings.append(
            Finding("no-cohort", "no cohort falls inside the window", where, "widen the window, or name cohorts=(...) inside it")
        )
    outside = [int(c) for c in chosen if not first < c <= last]
    if outside:
        findings.append(
            Finding(
                "cohort-outside",
                f"cohort(s) {outside} are not after the first period and inside the window",
                where,
                f"choose from {first + 1} to {last}",
            )
        )
    if len(np.unique(chosen)) < len(chosen):
        findings.append(
            Finding("cohort-repeated", f"cohorts {chosen.tolist()} are not distinct", where, "ask for fewer cohorts, or more periods")
        )
    if len(chosen) > share * count:
        findings.append(
            Finding(
                "too-few-units",
                f"{share * count:.1f} treated units for {len(chosen)} cohorts",
                where,
                "raise units or treated_share, or ask for fewer cohorts",
            )
        )
    if findings:
        raise InputError(findings, "world")


def _synthetic_policy(units: pl.Series, cohort: Ints, until: int) -> Cohorts:
    treated = cohort != NEVER
    table = pl.DataFrame(
        {
            "unit": units,
            "cohort": pl.Series(np.where(treated, cohort, 0)).replace(0, None),
            "dose": treated.astype(np.float64),
            "excluded": np.zeros(len(units), dtype=np.bool_),
            "reason": pl.Series([""] * len(units), dtype=pl.String),
        }
    )
    note = Note("world-synthetic", {"units": len(units), "treated": int(treated.sum())})
    return Cohorts(table, closed=True, source="world:demonstration-zones", timing="column", until=until, notes=(note,))


def exposure(table: pl.DataFrame, intensity: Floats, neighbours: int, km: float) -> Floats:
    """[N, T] mean of ``intensity`` [N, T] over each unit's nearest ``neighbours`` within ``km`` kilometres (0 where there is none)."""
    from scipy.spatial import cKDTree

    points = on_sphere(table.select("lon", "lat").to_numpy())
    chord = 2 * np.sin(min(km / 6371.0, np.pi) / 2)
    wanted = min(neighbours, len(points) - 1)
    if wanted == 0:
        return np.zeros_like(intensity)
    distance, index = cKDTree(points).query(points, k=wanted + 1)
    own = index == np.arange(len(points))[:, None]
    near = (distance <= chord) & ~own
    near[:, -1] &= own.any(axis=1)
    count = near.sum(axis=1)
    total = np.zeros_like(intensity)
    for k in range(wanted + 1):
        total += np.where(near[:, k, None], intensity[index[:, k]], 0.0)
    return np.asarray(total / np.maximum(count, 1)[:, None])
