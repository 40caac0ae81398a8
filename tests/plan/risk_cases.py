"""Cases under uncertainty that can be solved by hand."""

from __future__ import annotations

import tomllib
from importlib.resources import files

import polars as pl

Case = dict[str, pl.DataFrame]

FREE = {"discount": 0.0}
"""Without discounting, capital costs its wear."""


def newsvendor() -> Case:
    """One host builds in 2026 what is used in 2027; what it lacks is imported.

    Half of capacity wears out in a year and capital is worth 1, so that a unit of capacity costs 0.5 in its one year of service; imports cost 0.8.
    Demand is 20 in 2027. With ``x`` built and demand ``D`` the cost is ``0.5 x + 0.8 max(D − x, 0)``.
    """
    cells = {"region": ["coast", "place"], "industry": ["goods", "goods"]}
    return {
        "regions": pl.DataFrame({"region": ["coast", "place"], "source": [True, False], "host": [False, True]}),
        "industries": pl.DataFrame({"industry": ["goods"], "depreciation": [0.5], "relocation_cost": [9.0]}),
        "years": pl.DataFrame({"year": [2026, 2027], "phase": ["one", "two"]}),
        "phases": pl.DataFrame({"phase": ["one", "two"], "release_share": [0.0, 0.0]}),
        "cells": pl.DataFrame({**cells, "capacity": [1.0, 0.0], "capex": [9.0, 1.0]}),
        "demand": pl.DataFrame({"region": ["place", "place"], "industry": ["goods"] * 2, "year": [2026, 2027], "demand": [0.0, 20.0]}),
        "imports": pl.DataFrame({"region": ["place"], "industry": ["goods"], "limit": [1000.0], "cost": [0.8]}),
    }


def supported() -> Case:
    """A host that takes in 2 a year by itself and up to 3 more with support, for a demand of 5 in 2028.

    Capacity takes a year to come into service and a tenth of it wears out in a year, so that without discounting a unit decided in 2026 costs
    ``0.1 (1 + 0.9) = 0.19`` and leaves 0.9 in 2028, and one decided in 2027 costs 0.1. A unit of support brings 2 of capacity and costs the economy 0.2, so
    0.1 per unit of capacity; 1.5 of support is the most in a year. Imports cost 0.8.
    """
    cells = {"region": ["coast", "place"], "industry": ["goods", "goods"]}
    return {
        "regions": pl.DataFrame({"region": ["coast", "place"], "source": [True, False], "host": [False, True]}),
        "industries": pl.DataFrame({"industry": ["goods"], "depreciation": [0.1], "relocation_cost": [9.0]}),
        "years": pl.DataFrame({"year": [2026, 2027, 2028], "phase": ["one"] * 3}),
        "phases": pl.DataFrame({"phase": ["one"], "release_share": [0.0]}),
        "cells": pl.DataFrame({**cells, "capacity": [1.0, 0.0], "absorption": [None, 2.0]}),
        "demand": pl.DataFrame({"region": ["place"] * 3, "industry": ["goods"] * 3, "year": [2026, 2027, 2028], "demand": [0.0, 0.0, 5.0]}),
        "imports": pl.DataFrame({"region": ["place"], "industry": ["goods"], "limit": [1000.0], "cost": [0.8]}),
        "instruments": pl.DataFrame({"instrument": ["land"]}),
        "uptake": pl.DataFrame({"instrument": ["land"], "segment": [1], "response": [2.0], "width": [0.75]}),
    }


def measures_named(language: str) -> set[str]:
    """Measures that the labels have words for."""
    pages = [files("hinterland.labels").joinpath(language, f"{n}.toml") for n in ("pathway_report", "plan_risk")]
    return {name for page in pages for name in tomllib.loads(page.read_text(encoding="utf-8"))["plan_measure"]}
