"""The accounts behind a simulated panel: residents, output, capital, investment and labour of its cities, and of the nation around them."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hinterland.data.panel import Panel
from hinterland.data.world_distortions import Distortions, draw_distortions
from hinterland.data.world_prices import inflation
from hinterland.data.world_process import bounded_normal, stream

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

GROWTH_YEARS = 5
"""Years of investment whose mean growth gives the initial stock (Hall & Jones 1999)."""


@cache
def input_laws() -> Mapping[str, Any]:
    """The packaged constants of the raw inputs (see ``catalogue/world_inputs.toml``)."""
    source = files("hinterland.data").joinpath("catalogue", "world_inputs.toml").read_text(encoding="utf-8")
    return MappingProxyType(tomllib.loads(source))


@dataclass(frozen=True, slots=True)
class Economy:
    """N cities, T years.

    Attributes:
        area: [N] km²;  residents: [N, T] persons.
        output: [N, T] 10⁴ yuan at constant prices;  capital: [N, T] stock at the end of the year, likewise.
        labour: [N, T] persons employed;  manufacturing: [N, T] of them in manufacturing.
        national_output, national_capital: [T] 10⁴ yuan at constant prices;  national_labour, national_manufacturing: [T] persons.
    """

    area: Floats
    residents: Ints
    output: Floats
    capital: Floats
    labour: Ints
    manufacturing: Ints
    national_output: Floats
    national_capital: Floats
    national_labour: Ints
    national_manufacturing: Ints


def grid(panel: Panel, column: str) -> NDArray[Any]:
    """[N, T] a column of the panel."""
    return panel.frame[column].to_numpy().reshape(panel.n_units, panel.n_periods)


def cities(panel: Panel, *columns: str) -> pl.DataFrame:
    """N rows: what does not change over the years."""
    return panel.frame.select("adcode", *columns).gather_every(panel.n_periods)


def years(panel: Panel) -> Ints:
    """[T] calendar years."""
    return panel.frame["year"].head(panel.n_periods).to_numpy()


def calendar_position(panel: Panel) -> Floats:
    """[T] years since 2015, held at ±15 as in the panel."""
    return np.clip(years(panel) - 2015.0, -15.0, 15.0)


def draw_economy(panel: Panel, seed: int) -> Economy:
    """The economy in which Chen and Hu's distortions and manufacturing's location quotient are the panel's.

    With a common elasticity γ_r = (K_r/K)/s_r, so K_r = γ_Kr s_r K and L_r = γ_Lr s_r L, where s_r = Y_r/Y and K, L, Y are the nation's.
    """
    law, position = input_laws()["nation"], calendar_position(panel)
    area, residents = _residents(panel, seed)
    output = np.exp(grid(panel, "ln_gdp_pc")) * residents / 1e4
    deepening, employed = (np.exp(law[f"{name}_growth"] * position) * law[name] for name in ("capital_output", "employed"))
    workers = employed * residents.sum(axis=0)
    gamma = _distortions(panel, seed, output * deepening, output / output.sum(axis=0) * workers, residents)
    manufacturing = _manufacturing_share(panel)
    share = _cities_share(output, gamma, grid(panel, "agglomeration"), manufacturing)
    nation = output.sum(axis=0) / share
    national_capital = deepening * nation
    national_labour = np.rint(workers / share).astype(np.int64)
    labour = np.maximum(np.rint(gamma.labour * output / nation * national_labour), 1).astype(np.int64)
    return Economy(
        area=area,
        residents=residents,
        output=output,
        capital=gamma.capital * output / nation * national_capital,
        labour=labour,
        manufacturing=np.rint(grid(panel, "agglomeration") * manufacturing * labour).astype(np.int64),
        national_output=nation,
        national_capital=national_capital,
        national_labour=national_labour,
        national_manufacturing=np.rint(manufacturing * national_labour).astype(np.int64),
    )


def _residents(panel: Panel, seed: int) -> tuple[Floats, Ints]:
    """[N] area and [N, T] residents, whose ratio is the panel's density."""
    law, density = input_laws()["residents"], grid(panel, "ln_pop_density")
    drawn = law["sd"] * bounded_normal(stream(seed, "inputs area"), panel.n_units)
    area = np.exp(law["level"] + law["density"] * (density[:, 0] - law["centre"]) + drawn)
    return area, np.maximum(np.rint(np.exp(density) * area[:, None]), 1).astype(np.int64)


def _distortions(panel: Panel, seed: int, capital: Floats, labour: Floats, residents: Ints) -> Distortions:
    """``capital``, ``labour`` [N, T]: what the cities would have without distortions."""
    law = input_laws()["misallocation"]
    size = {factor: grid(panel, f"{factor}_mismatch") for factor in ("capital", "labour")}
    first = grid(panel, "ln_gdp_pc")[:, 0]
    return draw_distortions(
        seed,
        size,
        law,
        free=_free(size, law, capital[:, 1:] / capital[:, :-1], labour / residents),
        gdp=(first - first.mean()) / max(float(first.std()), 1e-9),
        ratio=np.log(capital.sum(axis=0) / labour.sum(axis=0)),
        groups=cities(panel, "macro_region")["macro_region"].to_numpy(),
    )


def _free(size: Mapping[str, Floats], law: Mapping[str, Any], growth: Floats, employed: Floats) -> dict[str, Flags]:
    """[N] by factor, whether a city's distortion may be negative.

    |τ| must never be above ``at_most``. Capital may then never shrink by more than nine tenths of its depreciation (``growth`` [N, T - 1] is what its stock
    would do without distortion), and no more than ``crowded`` of the residents be employed (``employed`` [N, T] is the share that would be).
    """
    small = {factor: tau.max(axis=1) <= law[factor]["at_most"] for factor, tau in size.items()}
    room = {factor: 1 - np.where(small[factor][:, None], tau, 0.0) for factor, tau in size.items()}
    kept = growth * room["capital"][:, :-1] / room["capital"][:, 1:] > 1 - 0.9 * law["depreciation"]
    placed = employed / room["labour"] <= law["crowded"]
    return {"capital": small["capital"] & kept.all(axis=1), "labour": small["labour"] & placed.all(axis=1)}


def _manufacturing_share(panel: Panel) -> Floats:
    """[T] manufacturing's share of national employment, low enough that no city's exceeds the law's limit."""
    law = input_laws()["manufacturing"]
    share = law["share"] + law["drift"] * calendar_position(panel)
    most = float((grid(panel, "agglomeration") * share).max())
    return np.asarray(share * min(1.0, law["at_most"] / most))


def _cities_share(output: Floats, gamma: Distortions, quotient: Floats, manufacturing: Floats) -> float:
    """The cities' share of national output with which what is left for the rest of the nation is nowhere negative.

    Per unit of that share the cities hold the shares A of its labour, B of its manufacturing labour and C of its capital; the rest's
    other labour is (1 - m) - share · (A - mB) ≥ 0 of the nation's.
    """
    weight = output / output.sum(axis=0)
    labour = (weight * gamma.labour).sum(axis=0)
    made = (weight * gamma.labour * quotient).sum(axis=0)
    other = (labour - manufacturing * made) / (1 - manufacturing)
    law = input_laws()["nation"]
    most = max(float(held.max()) for held in (labour, made, other, (weight * gamma.capital).sum(axis=0)))
    return float(min(law["share"], law["slack"] / most))


def investment(capital: Floats, depreciation: float) -> Floats:
    """[N, T] real investment with which K_t = (1 - δ) K_t-1 + I_t.

    The first year's is the one from which K_0 = I_0/(g + δ) follows, with g the mean growth of investment over the next five years (fewer if there are fewer).
    """
    made = np.empty_like(capital)
    made[:, 1:] = capital[:, 1:] - (1 - depreciation) * capital[:, :-1]
    span = min(GROWTH_YEARS, capital.shape[1] - 1)
    made[:, 0] = _first_investment(capital[:, 0], made[:, span], span, depreciation)
    return made


def _first_investment(stock: Floats, later: Floats, span: int, depreciation: float) -> Floats:
    """[N] I_0 that solves I_0 = K_0 ((I_span/I_0)^(1/span) - 1 + δ), by bisection; δ K_0 where later investment is not positive."""
    low, high = np.zeros_like(stock), stock + np.abs(later)
    target = np.maximum(later, 0.0)
    for _ in range(100):
        middle = (low + high) / 2
        growth = (target / np.maximum(middle, np.finfo(float).tiny)) ** (1 / span) - 1
        above = middle > stock * (growth + depreciation)
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    return np.where(later > 0, (low + high) / 2, depreciation * stock)


def investment_prices(panel: Panel, seed: int) -> Floats:
    """[N, T] price index of investment goods (previous year = 100): recorded inflation, and a movement of the city's province."""
    codes = cities(panel, "province_code")["province_code"]
    names = codes.unique().sort()
    place = codes.replace_strict(names, range(len(names)), return_dtype=pl.Int64).to_numpy()
    own = input_laws()["investment_prices"]["sd"] * stream(seed, "inputs prices").standard_normal((len(names), panel.n_periods))
    return np.asarray(100 * np.exp(inflation(years(panel))[None, :] + own[place]))


def price_level(index: Floats) -> Floats:
    """[N, T] level of a chain index, 1 in the first year."""
    level = np.ones_like(index)
    level[:, 1:] = np.cumprod(index[:, 1:] / 100, axis=1)
    return level


def accounts_frame(panel: Panel, economy: Economy, seed: int) -> pl.DataFrame:
    """One row per city and year: what national accounts and labour statistics publish."""
    index = investment_prices(panel, seed)
    real = investment(economy.capital, input_laws()["misallocation"]["depreciation"])
    return panel.frame.select(
        "adcode",
        "province_code",
        "macro_region",
        "year",
        area=pl.Series(np.repeat(economy.area, panel.n_periods)),
        residents=pl.Series(economy.residents.ravel()),
        output=pl.Series(economy.output.ravel()),
        investment=pl.Series((real * price_level(index)).ravel()),
        investment_price=pl.Series(index.ravel()),
        labour=pl.Series(economy.labour.ravel()),
    )


def national_frame(panel: Panel, economy: Economy) -> pl.DataFrame:
    """One row per year: the totals of the nation, of which the cities are a part."""
    return pl.DataFrame(
        {
            "year": years(panel),
            "output": economy.national_output,
            "capital": economy.national_capital,
            "labour": economy.national_labour,
        }
    )


def initial_frame(panel: Panel, economy: Economy) -> pl.DataFrame:
    """One row per city: its capital stock at the end of the first year."""
    return cities(panel).with_columns(year=pl.lit(int(years(panel)[0]), dtype=pl.Int64), capital=pl.Series(economy.capital[:, 0]))
