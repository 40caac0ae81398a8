"""Investment flows between the provinces of a simulated world, drawn from a gravity law whose coefficients are known, and the links behind them."""

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

from hinterland.data.geography import province_adjacency
from hinterland.data.globe import great_circle
from hinterland.data.industry import industry_classes
from hinterland.data.panel import Panel
from hinterland.data.world_economy import cities, grid, years
from hinterland.data.world_process import bounded_normal, movement, stream

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LEAST_KM = 50.0
"""No distance is shorter."""


@cache
def flow_laws() -> Mapping[str, Any]:
    """The packaged constants of the flows (see ``catalogue/world_flows.toml``)."""
    source = files("hinterland.data").joinpath("catalogue", "world_flows.toml").read_text(encoding="utf-8")
    return MappingProxyType(tomllib.loads(source))


def gravity_law(effect: float = 0.5) -> dict[str, float]:
    """The coefficients from which ``flows`` are drawn, by term, in a world with this ``effect``."""
    law = dict(flow_laws()["coefficient"])
    law["zone"] = law.pop("zone_per_effect") * effect
    return law


def flow_industries() -> tuple[str, ...]:
    """The divisions of GB/T 4754-2017 that flow."""
    return tuple(flow_laws()["industry"])


@dataclass(frozen=True, slots=True)
class Setting:
    """What P provinces, T years and I industries bring to the law.

    Attributes:
        codes: [P] of the provinces;  city: [N] position of each city's province;  years: [T].
        distance: [P, P] km between mean positions of cities, and within a province their mean distance from it.
        contiguous: [P, P] 1 where two provinces share a border.
        wage: [P, T] mean ln GDP per head of the cities, which stands for the wage.
        zone: [P, T] mean share of the cities that a zone covers.
        relatedness: [P, I, T], 0 to 1.
    """

    codes: tuple[str, ...]
    city: Ints
    years: Ints
    distance: Floats
    contiguous: Floats
    wage: Floats
    zone: Floats
    relatedness: Floats


def setting(panel: Panel, seed: int) -> Setting:
    """The setting of a panel."""
    where = cities(panel, "province_code", "lon", "lat")
    codes = where["province_code"].unique().sort().to_list()
    city = where["province_code"].replace_strict(codes, range(len(codes)), return_dtype=pl.Int64).to_numpy()
    mean = np.eye(len(codes))[:, city]
    mean /= mean.sum(axis=1, keepdims=True)
    place = where.select("lon", "lat").to_numpy()
    distance, own = great_circle(mean @ place, mean @ place), great_circle(place, mean @ place)[np.arange(len(city)), city]
    np.fill_diagonal(distance, mean @ own)
    return Setting(
        tuple(codes),
        city,
        years(panel),
        np.maximum(distance, LEAST_KM),
        _contiguous(codes),
        mean @ grid(panel, "ln_gdp_pc"),
        mean @ (grid(panel, "dose") * grid(panel, "treated")),
        _relatedness(seed, len(codes), panel.n_periods),
    )


def _contiguous(codes: list[str]) -> Floats:
    near = set(province_adjacency().select("a", "b").iter_rows())
    return np.array([[float((a, b) in near) for b in codes] for a in codes])


def _relatedness(seed: int, provinces: int, periods: int) -> Floats:
    law, industries = flow_laws()["relatedness"], len(flow_industries())
    rng = stream(seed, "inputs flow relatedness")
    profile = law["level"] + law["sd"] * bounded_normal(rng, provinces * industries)
    moved = movement(rng, provinces * industries, periods, law["movement"])
    return np.asarray(1 / (1 + np.exp(-(profile[:, None] + moved))).reshape(provinces, industries, periods))


def mean_flows(known: Setting, law: Mapping[str, float], seed: int) -> Floats:
    """[P, P, I, T] expected projects from source to host, given everything but the frailties; the diagonal is what a province founds at home."""
    laws, level = flow_laws(), flow_laws()["level"]
    size = np.log(np.bincount(known.city) * len(known.codes) / len(known.city))
    source, host = (_effects(stream(seed, f"inputs flow {side}"), size, len(known.years), laws[side]) for side in ("source", "host"))
    gap = known.wage[:, None, :] - known.wage[None, :, :]
    between = level["between"] + law["ln_distance"] * (np.log(known.distance) - level["centre"]) + law["contiguous"] * known.contiguous
    pull = law["wage_gap"] * gap + known.zone * (law["zone"] + law["zone:wage_gap"] * gap)
    pair = np.where(np.eye(len(known.codes), dtype=bool), level["within"], between)[:, :, None] + pull
    eta = pair + source[:, None, :] + host[None, :, :]
    weight = np.array(list(laws["industry"].values()))
    return np.asarray(np.exp(eta[:, :, None, :] + weight[:, None] + law["relatedness"] * known.relatedness[None]))


def _effects(rng: np.random.Generator, size: Floats, periods: int, law: Mapping[str, float]) -> Floats:
    """[P, T] half the ln of the relative size, what is permanent, and what is new every year."""
    permanent = law["permanent"] * bounded_normal(rng, len(size))
    return np.asarray((size / 2 + permanent)[:, None] + law["yearly"] * rng.standard_normal((len(size), periods)))


def draw_projects(rng: np.random.Generator, mean: Floats) -> Ints:
    """[P, P, I, T] counts: Poisson around the mean times the gamma factors of pair and cell, whose means are one."""
    law = flow_laws()["frailty"]
    pair = rng.gamma(1 / law["pair"], law["pair"], mean.shape[:2])
    cell = rng.gamma(1 / law["cell"], law["cell"], mean.shape)
    return rng.poisson(mean * pair[:, :, None, None] * cell).astype(np.int64)


@dataclass(frozen=True, slots=True)
class Drawn:
    """Projects by cell, and the L links that they are.

    Attributes:
        known: the setting;  projects: [P, P, I, T].
        cell: [L] position of each link's cell;  capital: [L] of the child, 10⁴ yuan;  share: [L] of the owner.
    """

    known: Setting
    projects: Ints
    cell: Ints
    capital: Floats
    share: Floats


def draw_flows(panel: Panel, seed: int, effect: float) -> Drawn:
    """Projects, and each one's capital and share."""
    known, law = setting(panel, seed), flow_laws()["link"]
    projects = draw_projects(stream(seed, "inputs flow projects"), mean_flows(known, gravity_law(effect), seed))
    cell = np.repeat(np.arange(projects.size), projects.ravel())
    rng = stream(seed, "inputs flow capital")
    capital = np.round(np.exp(law["capital"] + law["capital_sd"] * bounded_normal(rng, len(cell))), 1)
    part = np.round(rng.uniform(law["lowest"], 1.0, len(cell)), 2)
    return Drawn(known, projects, cell, capital, np.where(rng.random(len(cell)) < law["whole"], 1.0, part))


def flows_frame(drawn: Drawn) -> pl.DataFrame:
    """One row per source, host, industry and year, zeros among them: projects, capital, and what the law depends on."""
    known, shape = drawn.known, drawn.projects.shape
    amount = np.bincount(drawn.cell, weights=drawn.capital * drawn.share, minlength=drawn.projects.size)
    gap = known.wage[:, None, :] - known.wage[None, :, :]
    labels = [pl.Series(known.codes), pl.Series(known.codes), pl.Series(flow_industries()), pl.Series(known.years)]
    places = np.indices(shape).reshape(4, -1)
    keys = {n: s.gather(p) for n, s, p in zip(("source", "host", "industry", "year"), labels, places, strict=True)}

    def spread(values: Floats, axes: tuple[int, ...]) -> pl.Series:
        return pl.Series(np.ascontiguousarray(np.broadcast_to(np.expand_dims(values, axes), shape)).ravel())

    return pl.DataFrame(keys).with_columns(
        projects=pl.Series(drawn.projects.ravel()),
        capital=pl.Series(amount),
        distance_km=spread(known.distance, (2, 3)),
        ln_distance=spread(np.log(known.distance), (2, 3)),
        contiguous=spread(known.contiguous, (2, 3)),
        wage_gap=spread(gap, (2,)),
        zone=spread(known.zone, (0, 2)),
        relatedness=spread(known.relatedness, (0,)),
    )


def links_frame(drawn: Drawn, panel: Panel, seed: int) -> pl.DataFrame:
    """One row per project: ``child``, its ``owner``, ``adcode``, ``class`` and ``year``, ``capital`` (10⁴ yuan) and the owner's ``share``."""
    rng = stream(seed, "inputs flow links")
    source, host, industry, when = np.unravel_index(drawn.cell, drawn.projects.shape)
    members = _members(drawn.known)
    count = np.array([len(m) for m in members])
    city = np.concatenate(members)[(np.cumsum(count) - count)[host] + (rng.random(len(host)) * count[host]).astype(np.int64)]
    number = (rng.random(len(source)) * count[source] * flow_laws()["link"]["owners"]).astype(np.int64)
    classes = industry_classes()["gb2017"].unique().sort()
    fitting = [classes.filter(classes.str.starts_with(d)) for d in flow_industries()]
    each = np.array([len(c) for c in fitting])
    chosen = (np.cumsum(each) - each)[industry] + (rng.random(len(industry)) * each[industry]).astype(np.int64)
    return pl.DataFrame(
        {
            "child": pl.select(pl.format("C{}", pl.int_range(1, len(city) + 1))).to_series(),
            "owner": _owner_names(drawn.known, source, number),
            "adcode": cities(panel)["adcode"].gather(city),
            "class": pl.concat(fitting).gather(chosen),
            "year": drawn.known.years[when],
            "capital": drawn.capital,
            "share": drawn.share,
        }
    )


def owners_frame(drawn: Drawn, panel: Panel) -> pl.DataFrame:
    """One row per owner: ``owner`` and the ``adcode`` of its seat."""
    each = flow_laws()["link"]["owners"]
    members = _members(drawn.known)
    city = np.concatenate([np.repeat(m, each) for m in members])
    province = np.repeat(np.arange(len(members)), [each * len(m) for m in members])
    number = np.concatenate([np.arange(each * len(m)) for m in members])
    return pl.DataFrame({"owner": _owner_names(drawn.known, province, number), "adcode": cities(panel)["adcode"].gather(city)})


def _members(known: Setting) -> list[Ints]:
    """Positions of each province's cities."""
    return [np.flatnonzero(known.city == p) for p in range(len(known.codes))]


def _owner_names(known: Setting, province: Ints, number: Ints) -> pl.Series:
    frame = pl.DataFrame({"p": pl.Series(known.codes).gather(province), "n": number})
    return frame.select(owner=pl.format("P{}-{}", "p", "n"))["owner"]
