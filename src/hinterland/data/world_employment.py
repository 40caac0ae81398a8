"""Employment by industry behind a simulated panel, from which manufacturing's location quotient follows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hinterland.data.panel import Panel
from hinterland.data.world_economy import Economy, calendar_position, grid, input_laws, years
from hinterland.data.world_process import bounded_normal, movement, stream

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def industries_frame() -> pl.DataFrame:
    """The industries: ``industry`` (section of GB/T 4754-2017), names, ``group`` (manufacturing, producer services, other)."""
    return pl.DataFrame([{c: law[c] for c in ("industry", "name_zh", "name_en", "group")} for law in input_laws()["industry"]])


def draw_employment(panel: Panel, economy: Economy, seed: int) -> tuple[Ints, Ints]:
    """[N, T, I] persons by city, year and industry, and [T, I] the nation's; industries in catalogue order.

    A city's other industries share what manufacturing leaves of its labour: in proportion to the national weights, its own permanent profile and movements,
    and its GDP per head. What of the nation is outside the cities has the national weights.
    """
    laws = input_laws()["industry"]
    focal = next(i for i, law in enumerate(laws) if law["group"] == "manufacturing")
    others = [i for i in range(len(laws)) if i != focal]
    weight = np.stack([_weights(panel, seed, laws[i]) for i in others], axis=-1)
    city = np.empty((panel.n_units, panel.n_periods, len(laws)), dtype=np.int64)
    city[..., focal] = economy.manufacturing
    city[..., others] = apportioned(economy.labour - economy.manufacturing, weight)
    nation = city.sum(axis=0)
    outside = economy.national_labour - economy.national_manufacturing - (economy.labour - economy.manufacturing).sum(axis=0)
    trend = np.exp(np.multiply.outer(calendar_position(panel), [laws[i]["growth"] for i in others]))
    nation[:, others] += apportioned(np.maximum(outside, 0), trend * [laws[i]["weight"] for i in others])
    nation[:, focal] = economy.national_manufacturing
    return city, nation


def _weights(panel: Panel, seed: int, law: Mapping[str, Any]) -> Floats:
    """[N, T] an industry's weight among the others, in city and year."""
    rng, n = stream(seed, f"inputs industry {law['industry']}"), panel.n_units
    gdp = grid(panel, "ln_gdp_pc")[:, 0]
    profile = law["sd"] * bounded_normal(rng, n) + law["gdp"] * (gdp - gdp.mean()) / max(float(gdp.std()), 1e-9)
    moved = movement(rng, n, panel.n_periods, input_laws()["industry_movement"])
    return np.asarray(law["weight"] * np.exp(profile[:, None] + moved + law["growth"] * calendar_position(panel)))


def apportioned(total: Ints, weight: Floats) -> Ints:
    """[…, I] whole persons that add up to ``total`` […] in proportion to ``weight`` […, I], by largest remainder."""
    exact = total[..., None] * (weight / weight.sum(axis=-1, keepdims=True))
    whole = np.floor(exact).astype(np.int64)
    left = total - whole.sum(axis=-1)
    rank = np.argsort(np.argsort(whole - exact, axis=-1, kind="stable"), axis=-1, kind="stable")
    return np.asarray(whole + (rank < left[..., None]))


def employment_frame(panel: Panel, persons: Ints) -> pl.DataFrame:
    """``adcode``, ``year``, ``industry``, ``persons``: one row per cell."""
    count = persons.shape[2]
    rows = panel.frame.select("adcode", "year")[np.repeat(np.arange(panel.n_units * panel.n_periods), count)]
    sections = industries_frame()["industry"]
    return rows.with_columns(
        industry=sections[np.tile(np.arange(count), panel.n_units * panel.n_periods)], persons=pl.Series(persons.ravel())
    )


def national_employment_frame(panel: Panel, persons: Ints) -> pl.DataFrame:
    """``year``, ``industry``, ``persons`` of the nation."""
    count = persons.shape[1]
    sections = industries_frame()["industry"]
    return pl.DataFrame({"year": np.repeat(years(panel), count), "persons": persons.ravel()}).select(
        "year", industry=sections[np.tile(np.arange(count), panel.n_periods)], persons="persons"
    )
