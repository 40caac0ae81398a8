"""Inequality between regions: what each indicator reads, and how its rows are made."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hinterland.measure import inequality as formulas
from hinterland.measure.dagum import Dagum, dagum
from hinterland.measure.data import Bools, Data, Floats, Ints
from hinterland.measure.indicator import Indicator, Parameter, Role
from hinterland.measure.result import Block, Measured, block, product_of

_REGION = Role("region", "key", "region")
_VALUE = Role("value", "number", "a quantity per head, or another that is not negative", sign="non-negative")
_TIME = Role("time", "time", "year", required=False)
_WEIGHT = Role("weight", "number", "population or another weight; regions count alike without it", required=False, sign="non-negative")
_GROUP = Role("group", "key", "group of the region")
_ROLES = (_REGION, _VALUE, _TIME, _WEIGHT)
_UNIQUE = ("time", "region")
_DDOF = Parameter(0, (0, 1), "0: the formula of the population; 1: times n/(n-1)")
_HERE = "hinterland.measure.entries.inequality"


@dataclass(frozen=True, slots=True)
class Years:
    """Values and weights [T, R] of a table, with what was seen."""

    times: pl.Series
    value: Floats
    weight: Floats
    seen: Bools
    suppressed: Bools

    @property
    def used(self) -> Ints:
        """[T] regions with a value and a weight."""
        return np.asarray(self.seen.sum(axis=1))

    @property
    def coverage(self) -> Floats:
        """[T] their share of all regions."""
        return np.asarray(self.seen.mean(axis=1))

    @property
    def reasons(self) -> dict[str, Any]:
        """Masks [T]: nothing seen (withheld or not recorded), or nothing there."""
        nothing = ~self.seen.any(axis=1)
        total = np.where(self.seen, self.value * self.weight, 0.0).sum(axis=1)
        return {"suppressed-input": nothing & self.suppressed.any(axis=1), "missing-input": nothing, "zero-total": total == 0}


def years_of(data: Data) -> Years:
    """The table as years by regions."""
    cube = data.cube("time", "region")
    weight = data.cube("time", "region", value="weight").values if data.has("weight") else np.ones_like(cube.values)
    seen = np.isfinite(cube.values) & np.isfinite(weight)
    return Years(cube.labels[0], np.where(seen, cube.values, np.nan), np.where(seen, weight, np.nan), seen, cube.suppressed)


def groups_of(data: Data) -> Ints:
    """[T, R] number of each region's group; where a year has no row of the region, its group in its first row."""
    out = np.zeros((len(data.labels("time")), len(data.labels("region"))), dtype=np.int64)
    regions, groups = data.codes("region"), data.codes("group")
    first = np.unique(regions, return_index=True)[1]
    out[:] = groups[first]
    out[data.codes("time"), regions] = groups
    return out


def _yearly(years: Years, value: Floats, component: str = "", more: Mapping[str, Any] | None = None) -> Block:
    reasons = years.reasons | dict(more or {})
    return block({"time": years.times}, value, n_used=years.used, coverage=years.coverage, reasons=reasons, component=component)


def _by_year(years: Years, groups: Ints, count: int) -> Iterator[formulas.TheilParts]:
    for t in range(len(years.times)):
        yield formulas.theil_decomposition(years.value[t], groups[t], count, years.weight[t])


def theil(data: Data) -> Measured:
    """Theil T by year, and where groups are given its parts."""
    years = years_of(data)
    blocks = [_yearly(years, formulas.theil(years.value, years.weight), "theil")]
    if data.has("group"):
        parts = list(_by_year(years, groups_of(data), len(data.labels("group"))))
        total, between, within = (np.array([getattr(p, k) for p in parts]) for k in ("total", "between", "within"))
        share = np.divide(between, total, out=np.full(total.shape, np.nan), where=total > 0)
        blocks += [_yearly(years, between, "theil-between"), _yearly(years, within, "theil-within")]
        blocks.append(_yearly(years, share, "theil-between-share", {"no-variation": total <= 0}))
    return Measured(blocks)


def theil_by_group(data: Data) -> Measured:
    """Theil T inside each group and what each adds to the whole, by year."""
    years, groups, labels = years_of(data), groups_of(data), data.labels("group")
    parts = list(_by_year(years, groups, len(labels)))
    inside = np.stack([p.group_theil for p in parts])
    share, weight, between = (np.stack([getattr(p, k) for p in parts]) for k in ("income_share", "weight_share", "group_between"))
    used = np.stack([np.bincount(g[s], minlength=len(labels)) for g, s in zip(groups, years.seen, strict=True)])
    there = np.stack([np.bincount(g, minlength=len(labels)) for g in groups])
    coverage = np.divide(used, there, out=np.zeros(used.shape), where=there > 0)
    keys = product_of(("time", "group"), [years.times, labels])
    empty = {"missing-input": (used == 0).ravel()}

    def rows(value: Floats, component: str, more: Mapping[str, Any]) -> Block:
        return block(keys, value.ravel(), n_used=used.ravel(), coverage=coverage.ravel(), reasons=empty | dict(more), component=component)

    whole = {"zero-total": np.repeat(years.reasons["zero-total"], len(labels))}
    alone = {"zero-total": np.isnan(inside).ravel()}
    return Measured(
        [
            rows(inside, "group-theil", alone),
            rows(share * np.nan_to_num(inside), "group-theil-within", whole),
            rows(between, "group-theil-between", whole),
            rows(share, "value-share", whole),
            rows(weight, "weight-share", {"zero-total": np.isnan(weight).ravel()}),
        ]
    )


def gini(data: Data, *, ddof: int = 0) -> Measured:
    """The Gini coefficient by year."""
    return _spread(data, ddof, formulas.gini)


def coefficient_of_variation(data: Data, *, ddof: int = 0) -> Measured:
    """The coefficient of variation by year."""
    return _spread(data, ddof, formulas.coefficient_of_variation)


def _spread(data: Data, ddof: int, formula: Callable[[Floats, Floats, int], Floats]) -> Measured:
    years = years_of(data)
    counted = (years.seen & (years.weight > 0)).sum(axis=1)
    return Measured([_yearly(years, formula(years.value, years.weight, ddof), more={"too-few": counted <= ddof})])


def _dagum_by_year(data: Data) -> tuple[Years, list[Dagum]]:
    years, groups, count = years_of(data), groups_of(data), len(data.labels("group"))
    return years, [dagum(years.value[t], groups[t], count, years.weight[t]) for t in range(len(years.times))]


def dagum_gini(data: Data) -> Measured:
    """Dagum's decomposition by year."""
    years, found = _dagum_by_year(data)
    parts = {k: np.array([getattr(d, k) for d in found]) for k in ("gini", "within", "net_between", "transvariation")}
    total = parts["gini"]
    blocks = [_yearly(years, v, _dagum_name(k)) for k, v in parts.items()]
    for name in ("within", "net_between", "transvariation"):
        share = np.divide(parts[name], total, out=np.full(total.shape, np.nan), where=total > 0)
        blocks.append(_yearly(years, share, f"{_dagum_name(name)}-share", {"no-variation": total <= 0}))
    return Measured(blocks)


def _dagum_name(part: str) -> str:
    return f"dagum-{part.replace('_', '-')}"


def dagum_pairs(data: Data) -> Measured:
    """Every pair of groups, once, and every group with itself, by year."""
    years, found = _dagum_by_year(data)
    labels, groups = data.labels("group"), groups_of(data)
    a, b = np.triu_indices(len(labels))
    size = np.stack([np.bincount(g[s], minlength=len(labels)) for g, s in zip(groups, years.seen, strict=True)])
    used = (size[:, a] + np.where(a == b, 0, size[:, b])).ravel()
    keys = {
        "time": years.times.gather(np.repeat(np.arange(len(years.times)), len(a))),
        "group": labels.gather(np.tile(a, len(years.times))),
        "other_group": labels.gather(np.tile(b, len(years.times))),
    }
    coverage = np.repeat(years.coverage, len(a))
    missing = ((size[:, a] == 0) | (size[:, b] == 0)).ravel()

    def rows(name: str, component: str, code: str, kept: NDArray[np.bool_]) -> Block:
        value = np.stack([getattr(d, name)[a, b] for d in found]).ravel()
        chosen = {k: v.filter(pl.Series(kept)) for k, v in keys.items()}
        reasons = {"missing-input": missing[kept], code: np.isnan(value)[kept]}
        return block(chosen, value[kept], n_used=used[kept], coverage=coverage[kept], reasons=reasons, component=component)

    every, apart = np.ones(len(used), dtype=bool), np.tile(a != b, len(years.times))
    return Measured(
        [
            rows("pair_gini", "pair-gini", "zero-total", every),
            rows("affluence", "relative-affluence", "no-variation", apart),
            rows("pair_net", "pair-net-between", "zero-total", apart),
            rows("pair_transvariation", "pair-transvariation", "zero-total", apart),
        ]
    )


def _entry(name: str, compute: str, formula: str, source: str, **more: Any) -> Indicator:
    given = {"unit": "index", "range": (0.0, None), "roles": _ROLES, "keys": ("time",)} | more
    return Indicator(id=name, family="inequality", formula=formula, source=source, compute=f"{_HERE}:{compute}", unique=_UNIQUE, **given)


_GROUPED = (*_ROLES, _GROUP)
ENTRIES = (
    _entry(
        "theil",
        "theil",
        r"T = \sum_i p_i \frac{y_i}{\bar y}\ln\frac{y_i}{\bar y} = \sum_g s_g \ln\frac{\bar y_g}{\bar y} + \sum_g s_g T_g",
        "Theil (1967), ch. 4; Shorrocks (1980)",
        roles=(*_ROLES, Role("group", "key", "group of the region, for the parts between and within", required=False)),
        components=("theil", "theil-between", "theil-within", "theil-between-share"),
        units={"theil-between-share": "share"},
    ),
    _entry(
        "theil-by-group",
        "theil_by_group",
        r"T_g = \sum_{i\in g} \frac{p_i}{p_g}\frac{y_i}{\bar y_g}\ln\frac{y_i}{\bar y_g}",
        "Theil (1967), ch. 4; Shorrocks (1980)",
        roles=_GROUPED,
        range=(None, None),
        keys=("time", "group"),
        components=("group-theil", "group-theil-within", "group-theil-between", "value-share", "weight-share"),
        units={"value-share": "share", "weight-share": "share"},
    ),
    _entry(
        "gini",
        "gini",
        r"G = \frac{1}{2\bar y}\sum_i\sum_j p_i p_j |y_i - y_j|",
        "Gini (1914); Lerman and Yitzhaki (1989)",
        range=(0.0, 1.0),
        parameters={"ddof": _DDOF},
    ),
    _entry(
        "coefficient-of-variation",
        "coefficient_of_variation",
        r"CV = \frac{1}{\bar y}\sqrt{\sum_i p_i (y_i - \bar y)^2}",
        "Williamson (1965), with population weights",
        parameters={"ddof": _DDOF},
    ),
    _entry(
        "dagum-gini",
        "dagum_gini",
        r"G = \sum_j G_{jj}p_js_j + \sum_{j>h} G_{jh}(p_js_h+p_hs_j)D_{jh} + \sum_{j>h} G_{jh}(p_js_h+p_hs_j)(1-D_{jh})",
        "Dagum (1997)",
        roles=_GROUPED,
        range=(0.0, 1.0),
        components=(
            *("dagum-gini", "dagum-within", "dagum-net-between", "dagum-transvariation"),
            *("dagum-within-share", "dagum-net-between-share", "dagum-transvariation-share"),
        ),
        units=dict.fromkeys(("dagum-within-share", "dagum-net-between-share", "dagum-transvariation-share"), "share"),
    ),
    _entry(
        "dagum-gini-pairs",
        "dagum_pairs",
        r"G_{jh} = \frac{E|y_j - y_h|}{\bar y_j + \bar y_h},\quad D_{jh} = \frac{E(y_j-y_h)^+ - E(y_h-y_j)^+}{E|y_j-y_h|}",
        "Dagum (1997)",
        roles=_GROUPED,
        range=(0.0, 1.0),
        keys=("time", "group", "other_group"),
        components=("pair-gini", "relative-affluence", "pair-net-between", "pair-transvariation"),
    ),
)
