"""Market segmentation by relative prices: regions, pairs, factor markets, cities."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hinterland.data.geography import cities as packaged_cities
from hinterland.data.geography import provinces
from hinterland.data.globe import great_circle
from hinterland.errors import Finding, InputError, listed
from hinterland.measure import segmentation as prices
from hinterland.measure.data import Cube, Data
from hinterland.measure.entries.segmentation_findings import about_goods
from hinterland.measure.indicator import Indicator, Parameter, Role
from hinterland.measure.neighbours import find_provinces, pair_set, seats
from hinterland.measure.result import Block, Measured, block, dense
from hinterland.measure.second import Second, table

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Options:
    """Choices that all indicators of relative prices share; see their entries."""

    input: Literal["chain", "fixed"] = "chain"
    pairs: Second = "contiguous"
    distances: Second | None = None
    hainan_guangdong: bool = True
    basket: prices.Basket = "balanced"
    least_goods: int | None = None
    ddof: int = 1
    scale: float = 1.0


@dataclass(frozen=True, slots=True)
class Segmented:
    """Segmentation with what it was computed from."""

    cube: Cube
    pairs: prices.Pairs
    found: prices.Segmentation
    first: Bools
    findings: tuple[Finding, ...]

    @property
    def goods(self) -> NDArray[np.int64]:
        """[T] goods that any region has a price change of."""
        return np.asarray((self.cube.observed.any(axis=1) & ~self.first[:, None]).sum(axis=1))


def segmented(data: Data, options: Options) -> Segmented:
    """The variances of all pairs and regions of ``data``."""
    _fail_if_options_wrong(options)
    cube = data.cube("time", "region", "item")
    pairs, findings = pair_set(cube.labels[1], options.pairs, options.distances, options.hainan_guangdong)
    periods = cube.labels[0].fill_null(0).to_numpy()
    change = prices.price_changes(cube.values, periods, options.input)
    found = prices.segmentation(change, pairs, basket=options.basket, least_goods=options.least_goods, ddof=options.ddof)
    first = np.zeros(len(periods), dtype=np.bool_)
    if options.input == "fixed":
        first = np.concatenate([[True], np.diff(periods) != 1])
    findings += about_goods(cube, change, pairs, found, first)
    return Segmented(cube, pairs, found, first, findings)


def _fail_if_options_wrong(options: Options) -> None:
    findings = []
    if options.least_goods is not None and (isinstance(options.least_goods, bool) or options.least_goods < prices.LEAST_GOODS):
        what = f"least_goods is {options.least_goods!r}"
        findings.append(Finding("out-of-range", what, "parameter least_goods", f"give a whole number from {prices.LEAST_GOODS}"))
    if not 0 < options.scale < np.inf:
        findings.append(Finding("out-of-range", f"scale is {options.scale!r}", "parameter scale", "give a number above 0, such as 1e4"))
    if findings:
        raise InputError(findings, "parameters")


def market_segmentation(data: Data, **options: Any) -> Measured:
    """Segmentation, the integration index and the number of goods by time and region."""
    chosen = Options(**options)
    s = segmented(data, chosen)
    used, coverage = _used(s)
    reasons = _reasons(s)
    blocks = [
        dense(s.cube, v, n_used=used, coverage=coverage, reasons=r, component=c, dims=("time", "region"))
        for c, v, r in (
            ("segmentation", s.found.value * chosen.scale, reasons),
            ("integration", prices.integration(s.found.value), {**reasons, "zero-variance": s.found.value <= prices.ZERO}),
            ("goods", _mean_goods(s), reasons),
        )
    ]
    return Measured(blocks, s.findings, meta={"resolution": "region", "pairs": len(s.pairs.a), "goods": _goods_by_period(s)})


def _used(s: Segmented) -> tuple[NDArray[np.int64], Floats]:
    """[T, P] relative prices that entered, and their share of those that the region's pairs could have."""
    possible = s.found.possible[None, :] * s.goods[:, None]
    return s.found.prices, np.divide(s.found.prices, possible, out=np.zeros(possible.shape), where=possible > 0)


def _mean_goods(s: Segmented) -> Floats:
    """[T, P] goods per pair: K_t in a balanced basket, the mean of K_pqt otherwise."""
    count = s.found.neighbours
    return np.asarray(np.divide(s.found.prices, count, out=np.full(count.shape, np.nan), where=count > 0))


def _reasons(s: Segmented) -> Mapping[str, Any]:
    missing = s.found.reason == "missing-input"
    return {
        "no-previous-period": s.first[:, None] & (s.found.possible > 0),
        "suppressed-input": missing & s.cube.suppressed.any(axis=2),
        **{code: s.found.reason == code for code in ("no-neighbour", "too-few-pairs", "too-few-goods", "missing-input")},
    }


def _goods_by_period(s: Segmented) -> dict[str, int]:
    return {str(t): int(k) for t, k in zip(s.cube.labels[0], s.found.pairs.basket.sum(axis=1), strict=True)}


def relative_price_variance(data: Data, **options: Any) -> Measured:
    """V by time and pair, the pair in the order of its labels."""
    chosen = Options(**options)
    s = segmented(data, chosen)
    times, regions = s.cube.labels[0], s.cube.labels[1]
    periods, count = s.found.pairs.variance.shape
    goods = s.found.pairs.goods
    at = {"time": np.repeat(np.arange(periods), count), "region": np.tile(s.pairs.a, periods), "other": np.tile(s.pairs.b, periods)}
    keys = {"time": times[at["time"]], "region": regions[at["region"]], "other": regions[at["other"]]}
    reasons = {"no-previous-period": np.repeat(s.first, count)} | {
        code: (s.found.pairs.reason == code).ravel() for code in ("too-few-pairs", "too-few-goods", "missing-input")
    }
    coverage = np.divide(goods, s.goods[:, None], out=np.zeros(goods.shape), where=s.goods[:, None] > 0)
    rows = block(keys, (s.found.pairs.variance * chosen.scale).ravel(), n_used=goods.ravel(), coverage=coverage.ravel(), reasons=reasons)
    return Measured([rows], s.findings, meta={"pairs": count, "goods": _goods_by_period(s)})


def city_market_segmentation(
    data: Data, *, cities: Second | None = None, city_method: str = "broadcast", nearest: float = 100.0, **options: Any
) -> Measured:
    """Segmentation of cities (under the key ``region``) from their provinces' prices, or from their own."""
    if city_method == "city-pairs":
        return _of_city_pairs(data, options)
    chosen = Options(**options)
    s = segmented(data, chosen)
    places = _places(cities, city_method, nearest)
    home = _home(places["province"], s.cube.labels[1])
    distance = _city_distances(s, places, home, city_method)
    if distance is None:
        value, (used, coverage) = prices.broadcast(s.found.value, home), (x[:, home] for x in _used(s))
        reasons = {code: np.broadcast_to(mask, s.found.value.shape)[:, home] for code, mask in _reasons(s).items()}
    else:
        value, near = prices.distance_weighted(s.found.value, distance, nearest), np.isfinite(distance).T
        used, coverage = _used(s)[0] @ near, _used(s)[1] @ near / np.maximum(near.sum(axis=0), 1)
        reasons = {"missing-input": ~np.isfinite(value)}
    known = home >= 0
    reasons = {"no-province": np.broadcast_to(~known, value.shape), **reasons}
    keys = _city_keys(s.cube.labels[0], places["city"])
    flat = {code: mask.ravel() for code, mask in reasons.items()}
    rows = block(keys, value.ravel() * chosen.scale, n_used=(used * known).ravel(), coverage=(coverage * known).ravel(), reasons=flat)
    return Measured([rows], s.findings, meta={"resolution": "province", "cluster": "province", "goods": _goods_by_period(s)})


def _of_city_pairs(data: Data, options: Mapping[str, Any]) -> Measured:
    """Cities compared with cities, on prices of their own."""
    measured = market_segmentation(data, **options)
    rows = measured.blocks[0]
    return Measured([Block(rows.keys, rows.value, rows.n_used, rows.coverage, rows.reason)], measured.findings, meta={"resolution": "city"})


def _city_keys(times: pl.Series, names: pl.Series) -> dict[str, pl.Series]:
    index = np.indices((len(times), len(names)))
    return {"time": times[index[0].ravel()], "region": names[index[1].ravel()]}


def _places(cities: Second | None, method: str, nearest: float) -> pl.DataFrame:
    """Cities as ``city``, ``province`` and, where distances are needed, ``lon``, ``lat``."""
    if method == "distance-weighted" and not 0 < nearest < np.inf:
        raise InputError(Finding("out-of-range", f"nearest is {nearest!r}", "parameter nearest", "give kilometres above 0"), "parameters")
    located = ["lon", "lat"] if method == "distance-weighted" else []
    if cities is None:
        return packaged_cities().select("lon", "lat", city="adcode", province="province_code")
    frame = table(cities, "cities", ["city", "province", *located]).with_columns(pl.col("city", "province").cast(pl.String))
    twice = frame.filter(frame["city"].is_duplicated())["city"].unique(maintain_order=True)
    if len(twice):
        what = f"cities occur twice: {listed(twice)}"
        raise InputError(Finding("duplicate-cell", what, "parameter cities", "give each city one row"), "parameter cities")
    return frame


def _home(of: pl.Series, regions: pl.Series) -> NDArray[np.int64]:
    """[C] position of each city's province among ``regions``, −1 where it is not there: by label, else as a known province."""
    by_label = pl.DataFrame({"at": of}).join(
        pl.DataFrame({"at": regions, "position": np.arange(len(regions))}), on="at", how="left", maintain_order="left"
    )["position"]
    place = np.full(provinces().height + 1, -1)
    place[find_provinces(regions)] = np.arange(len(regions))
    place[-1] = -1
    return np.where(by_label.is_null(), place[find_provinces(of)], by_label.fill_null(-1)).astype(np.int64)


def _city_distances(s: Segmented, places: pl.DataFrame, home: NDArray[np.int64], method: str) -> Floats | None:
    """[C, P] distances from a city to the seats of its own and the neighbouring provinces, NaN elsewhere; ``None`` for a broadcast."""
    if method == "broadcast":
        return None
    regions = s.cube.labels[1]
    at = find_provinces(regions)
    if (at < 0).any():
        what = f"the seats of {listed(regions.filter(pl.Series(at < 0)))} are not known"
        raise InputError(Finding("not-a-province", what, "parameter city_method", "name provinces by code or name, or broadcast"), "cities")
    near = np.eye(len(regions), dtype=np.bool_)
    near[s.pairs.a, s.pairs.b] = near[s.pairs.b, s.pairs.a] = True
    distance = great_circle(places.select("lon", "lat").cast(pl.Float64).to_numpy(), seats()[at])
    return np.where(near[home] & (home >= 0)[:, None], distance, np.nan)


_ROLES = (
    Role("region", "key", "province, by code or name, or another region"),
    Role("item", "key", "good of the basket"),
    Role("value", "number", "price index of the good in the region", sign="positive"),
    Role("time", "time", "year", required=False),
)
_PARAMETERS = {
    "input": Parameter(
        "chain", ("chain", "fixed"), "chain: previous period = 100, not differenced again; fixed: one base period, differenced"
    ),
    "pairs": Parameter(
        "contiguous",
        help="contiguous, all, distance (all, weighted by inverse distance), or a table of columns region and other",
        table=True,
    ),
    "distances": Parameter(None, help="for pairs=distance: a table of region, other, distance; seats of provinces by default", table=True),
    "hainan_guangdong": Parameter(True, (True, False), "count the two, which share no land border, as neighbours"),
    "basket": Parameter("balanced", ("balanced", "unbalanced"), "goods that all pairs have in the year, or goods that each pair shares"),
    "least_goods": Parameter(None, help="goods below which a variance is undefined; 3 balanced, 5 unbalanced, never below 3", kind="whole"),
    "ddof": Parameter(1, (1, 0), "1 divides by K − 1, 0 by K"),
    "scale": Parameter(1.0, help="multiplies the variance; published tables use 100, 1e3 or 1e4"),
}
_COMPONENTS = ("segmentation", "integration", "goods")
_UNITS = {"integration": "index", "goods": "count"}
_SOURCE = "Parsley & Wei (1996, 2001); Gui, Chen, Lu & Chen (2006); Lu & Chen (2009)"
_VARIANCE = r"V_{pqt} = \operatorname{Var}_k\bigl(|\ln(R_{pkt}/R_{qkt})| - \overline{|\ln(R_{kt}/R_{kt})|}\bigr)"
_MEAN = r"Seg_{pt} = |N(p)|^{-1}\sum_{q\in N(p)} \operatorname{Var}_k\bigl(|\ln(R_{pkt}/R_{qkt})| - \bar a_{kt}\bigr)"


def _entry(name: str, function: str, **more: Any) -> Indicator:
    given: dict[str, Any] = {"keys": ("time", "region"), "formula": _MEAN, "parameters": _PARAMETERS, "source": _SOURCE} | more
    return Indicator(
        id=name,
        family="segmentation",
        unit="squared-log",
        range=(0.0, None),
        roles=_ROLES,
        compute=f"hinterland.measure.entries.segmentation:{function}",
        unique=("time", "region", "item"),
        **given,
    )


ENTRIES = (
    _entry("market-segmentation", "market_segmentation", components=_COMPONENTS, units=_UNITS),
    _entry("relative-price-variance", "relative_price_variance", keys=("time", "region", "other"), formula=_VARIANCE),
    _entry("factor-market-segmentation", "market_segmentation", components=_COMPONENTS, units=_UNITS),
    _entry(
        "city-market-segmentation",
        "city_market_segmentation",
        parameters={
            **_PARAMETERS,
            "cities": Parameter(None, help="a table of city, province (and lon, lat); the packaged cities by default", table=True),
            "city_method": Parameter(
                "broadcast",
                ("broadcast", "distance-weighted", "city-pairs"),
                "a city takes its province's value, or a mean over its own and neighbouring provinces; or prices are of cities themselves",
            ),
            "nearest": Parameter(100.0, help="distance-weighted: kilometres that shorter distances to a seat count as"),
        },
    ),
)
