"""A small valid table for every indicator of the catalogue, built from its roles."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np
import polars as pl
import pytest

from hinterland.measure.indicator import Indicator
from hinterland.measure.register import INDICATORS

Name = Callable[[str], str]
Columns = dict[str, Any]

LABELS: Mapping[str, tuple[str, ...]] = {
    "region": ("11", "12", "13", "14", "15", "21"),
    "other": ("11", "12", "13", "14", "15", "21"),
    "industry": ("31", "32", "33", "34"),
    "other_industry": ("31", "32", "33", "34"),
    "item": ("41", "42", "43", "44", "45"),
    "group": ("51", "52"),
    "field": ("61", "62"),
}
YEARS = tuple(range(2010, 2018))
LONG = {"structural-breaks": tuple(range(2000, 2024)), "common-breaks": tuple(range(2000, 2024))}
"""Years of indicators that need more of them."""
OWN_LABELS: Mapping[tuple[str, str], tuple[str, ...]] = {
    **{(i, "industry"): ("1", "2", "3") for i in ("tertiary-secondary-ratio", "structural-level", "structural-angle")},
    ("knowledge-width", "item"): ("A01B1/00", "A01B1/02", "B02C3/00", "C07D5/00", "H04L9/00"),
    ("portfolio-width", "item"): ("A01B1/00", "A01B1/02", "B02C3/00", "C07D5/00", "H04L9/00"),
    ("supply-concentration", "item"): ("41", "42"),
}
OPTIONAL: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("output-elasticity", "capital-misallocation", "labour-misallocation"), ("time", "capital", "labour", "group")),
    **dict.fromkeys(("upstreamness", "linkages", "hypothetical-extraction", "inoperability"), ("time", "region", "other")),
    "structural-breaks": ("time", "region"),
    "common-breaks": ("time", "region", "industry"),
    "theil": ("time", "group"),
    "gradient-coefficient": ("time", "capital"),
    "self-sufficiency": ("time", "inflow", "outflow"),
    "variety": ("time", "group"),
    "border-effect": ("time", "item"),
    "citation-weighted-patents": ("time", "citations"),
    "knowledge-width": ("time", "entity", "item"),
    "spatial-concentration": ("time", "industry"),
    "supply-concentration": ("time", "item"),
    "undertaking-intensity": ("time", "industry"),
    "link-kind": ("time", "region"),
}
"""Optional roles that a table has; time alone where nothing is said."""
PLANTS = 240


@dataclass(frozen=True)
class Case:
    """A table with the arguments that measure it."""

    id: str
    frame: pl.DataFrame
    arguments: dict[str, Any] = field(default_factory=dict)

    @property
    def indicator(self) -> Indicator:
        """Its entry in the catalogue."""
        return INDICATORS[self.id]

    def roles(self, *kinds: str) -> list[str]:
        """The roles of a kind that the table has."""
        return [r.name for r in self.indicator.roles if r.kind in kinds and r.name in self.frame.columns]


@pytest.fixture(scope="session")
def case_of() -> Callable[..., Case]:
    """``case_of(id, name)``: the indicator's table, with labels passed through ``name``."""
    return build


def build(name_of_indicator: str, name: Name = str) -> Case:
    """The table of an indicator with ``value`` under its role's name, and the parameters without which it measures nothing."""
    indicator = INDICATORS[name_of_indicator]
    given = [r for r in indicator.roles if r.required or r.name in OPTIONAL.get(indicator.id, ("time",))]
    keys = [r.name for r in given if r.kind in ("key", "time")]
    unique = [k for k in indicator.unique if k in keys]
    rows = _plants(indicator, keys) if not unique or "entity" in unique else _product(indicator, unique)
    rows |= {k: _dependent(k, rows) for k in keys if k not in rows}
    rng = np.random.default_rng(7)
    columns: Columns = {k: _named(indicator, k, rows[k], name) for k in keys}
    for role in given:
        if role.kind == "number":
            columns[role.name] = NUMBERS.get((indicator.id, role.name), NUMBERS.get(("", role.name), _positive))(rng, rows, columns)
    made = ARGUMENTS.get(indicator.id)
    return Case(indicator.id, pl.DataFrame(columns), {r.name: r.name for r in given} | ({} if made is None else made(name, columns)))


def _size(indicator: Indicator, role: str) -> int:
    return (
        len(LONG.get(indicator.id, YEARS))
        if role == "time"
        else len(OWN_LABELS.get((indicator.id, role), LABELS.get(role, LABELS["group"])))
    )


def _product(indicator: Indicator, unique: list[str]) -> Columns:
    found = np.array(list(product(*(range(_size(indicator, k)) for k in unique))))
    return {k: found[:, i] for i, k in enumerate(unique)}


def _plants(indicator: Indicator, keys: list[str]) -> Columns:
    """Rows at random; three of them to a patent where a row is not one."""
    rng, rows = np.random.default_rng(3), np.arange(PLANTS)
    of = rows if "entity" in indicator.unique else rows // 3
    columns: Columns = {"entity": of}
    for k in keys:
        if k != "entity":
            drawn = rng.integers(_size(indicator, k), size=PLANTS)
            columns[k] = drawn[of] if "entity" in keys and k in ("region", "time") else drawn
    return columns


def _dependent(role: str, rows: Columns) -> Any:
    """A key that another decides: the group of an item, of an industry, of a region."""
    return rows[next(r for r in ("item", "industry", "region") if r in rows)] % len(LABELS.get(role, LABELS["group"]))


def _named(indicator: Indicator, role: str, codes: Any, name: Name) -> list[Any]:
    if role == "time":
        return [LONG.get(indicator.id, YEARS)[i] for i in codes]
    if role == "entity":
        return [name(str(1000 + i)) for i in codes]
    labels = OWN_LABELS.get((indicator.id, role), LABELS.get(role, LABELS["group"]))
    return [x if "/" in x else name(x) for x in (labels[i] for i in codes)]


def _positive(rng: np.random.Generator, rows: Columns, columns: Columns) -> Any:
    return np.round(rng.lognormal(3, 0.6, len(next(iter(rows.values())))), 3) + 1


def _of_region(low: float, high: float) -> Callable[..., Any]:
    return lambda rng, rows, columns: np.round(np.random.default_rng(11).uniform(low, high, 60), 3)[rows["region"]]


def _apart(rng: np.random.Generator, rows: Columns, columns: Columns) -> Any:
    return 100.0 + 70 * np.abs(rows["region"] - rows["other"]) + 13 * np.minimum(rows["region"], rows["other"])


def _produced(rng: np.random.Generator, rows: Columns, columns: Columns) -> Any:
    if "time" not in rows or "industry" in rows:
        return _positive(rng, rows, columns)
    capital, labour = (np.random.default_rng(s).lognormal(3, 0.8, len(rows["time"])) for s in (5, 6))
    return np.round(capital**0.4 * labour**0.6 * rng.lognormal(0, 0.05, len(capital)), 4)


def _factor(seed: int) -> Callable[..., Any]:
    return lambda rng, rows, columns: np.round(np.random.default_rng(seed).lognormal(3, 0.8, len(next(iter(rows.values())))), 4) + 0.5


def _uniform(low: float, high: float) -> Callable[..., Any]:
    return lambda rng, rows, columns: np.round(rng.uniform(low, high, len(next(iter(rows.values())))), 3)


def _whole(low: int, high: int) -> Callable[..., Any]:
    return lambda rng, rows, columns: rng.integers(low, high, len(next(iter(rows.values())))).astype(np.float64)


NUMBERS: Mapping[tuple[str, str], Callable[..., Any]] = {
    ("", "distance"): _apart,
    ("", "area"): _of_region(50, 400),
    ("", "size"): _of_region(50, 400),
    ("", "x"): _of_region(100, 120),
    ("", "y"): _of_region(20, 40),
    ("", "output"): _produced,
    ("", "capital"): _factor(5),
    ("", "labour"): _factor(6),
    ("", "assigned"): _whole(0, 2),
    ("", "maintained"): _whole(0, 9),
    ("self-sufficiency", "output"): _uniform(50, 90),
    ("self-sufficiency", "exports"): _uniform(1, 9),
    ("self-sufficiency", "outflow"): _uniform(1, 9),
    ("", "utilisation"): _uniform(0.5, 0.95),
    ("coupling-coordination", "value"): _uniform(0.05, 0.95),
    ("duranton-overman", "x"): _uniform(100, 103),
    ("duranton-overman", "y"): _uniform(30, 33),
    ("weber-point", "x"): _uniform(100, 103),
    ("weber-point", "y"): _uniform(30, 33),
    ("product-cycle", "value"): lambda rng, rows, columns: 100 / (1 + np.exp(-(rows["time"] - 3.0))) + rng.uniform(0, 1, len(rows["time"])),
}


def _ring(name: Name, columns: Columns) -> pl.DataFrame:
    """Regions around a circle, each beside two, and the two ends beside a third."""
    r = LABELS["region"]
    pairs = [(r[i], r[(i + 1) % len(r)]) for i in range(len(r))] + [(r[0], r[3])]
    return pl.DataFrame({"region": [name(a) for a, _ in pairs], "other": [name(b) for _, b in pairs]})


def _items(name: Name, columns: Columns) -> dict[str, Any]:
    a, b, c, d, e = (name(x) for x in LABELS["item"])
    return {"inputs": (a, b), "outputs": (c, d), "undesirable": (e,)}


def _io(name: Name, columns: Columns) -> dict[str, Any]:
    """Final demand: by region of demand where the table has regions."""
    frame = pl.DataFrame(columns)
    of = [c for c in ("time", "region", "industry", "other") if c in columns]
    made = frame.select(of).unique(maintain_order=True)
    return {"final": made.with_columns(value=pl.Series(np.random.default_rng(2).uniform(200, 400, made.height)))}


def _vector(role: str, low: float, high: float, column: str = "value") -> Callable[..., pl.DataFrame]:
    def made(name: Name) -> pl.DataFrame:
        drawn = np.random.default_rng(4).uniform(low, high, len(LABELS[role]))
        return pl.DataFrame({role: [name(x) for x in LABELS[role]], column: drawn})

    return made


def _requirements(name: Name) -> pl.DataFrame:
    i = LABELS["industry"]
    return pl.DataFrame(
        {"industry": [name(a) for a in i for _ in i], "other_industry": [name(b) for _ in i for b in i], "value": np.linspace(0, 0.1, 16)}
    )


def _activity(name: Name) -> pl.DataFrame:
    case = build("location-quotient", name).frame
    return case.filter(pl.col("time") == YEARS[0]).drop("time")


ARGUMENTS: Mapping[str, Callable[[Name, Columns], dict[str, Any]]] = {
    **{
        i: lambda n, c: {"pairs": _ring(n, c)}
        for i in ("market-segmentation", "relative-price-variance", "factor-market-segmentation", "price-convergence")
    },
    "city-market-segmentation": lambda n, c: {
        "pairs": _ring(n, c),
        "cities": pl.DataFrame({"city": [n("91"), n("92"), n("93")], "province": [n("11"), n("12"), n("12")]}),
    },
    **{i: lambda n, c: {"order": [n("1"), n("2"), n("3")]} for i in ("tertiary-secondary-ratio", "structural-level", "structural-angle")},
    "producer-services-co-agglomeration": lambda n, c: {"manufacturing": [n("31")], "services": [n("33"), n("34")]},
    **dict.fromkeys(("green-inefficiency", "green-productivity"), _items),
    "standardised-location-quotient": lambda n, c: {"draws": 20},
    "duranton-overman": lambda n, c: {"draws": 20, "steps": 5},
    "hsieh-klenow": lambda n, c: {"alpha": 0.4, "trim": 0.0},
    **dict.fromkeys(("structural-breaks", "common-breaks"), lambda n, c: {"dates": (2010,)}),
    "patent-renewal": lambda n, c: {"observed_until": YEARS[-1]},
    "spatial-shift-share": lambda n, c: {"weights": _ring(n, c).with_columns(value=1.0)},
    **dict.fromkeys(
        (
            *("induced-output", "mrio-transfer", "mrio-net-transfer", "value-added-export-share", "upstreamness", "linkages"),
            *("hypothetical-extraction",),
        ),
        _io,
    ),
    "inoperability": lambda n, c: {
        **_io(n, c),
        "shock": pl.DataFrame({"region": [n("11")], "industry": [n("31")], "value": [0.1]}),
    },
    "embodied-self-sufficiency": lambda n, c: {**_io(n, c), "members": (n("11"), n("12"))},
    "link-kind": lambda n, c: {"requirements": _requirements(n)},
    "transfer-pattern": lambda n, c: {"levels": _vector("region", 1, 9)(n), "activity": _activity(n)},
    "supply-cover": lambda n, c: {"demand": _vector("item", 1, 9)(n)},
    **{i: lambda n, c: {"neighbours": _ring(n, c), "draws": 19} for i in ("moran", "geary", "local-moran")},
    "spatial-markov-chain": lambda n, c: {"neighbours": _ring(n, c), "draws": 3, "classes": 2},
    "markov-chain": lambda n, c: {"classes": 2},
    "kernel-density": lambda n, c: {"points": 7},
    "stochastic-kernel": lambda n, c: {"points": 7},
}
