"""Small cases in which fronts and alternatives follow by hand."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl
from cases import Case


def two_years(hosts: dict[str, dict[str, float]], industries: Sequence[str], *, coast: float = 100.0) -> Case:
    """Demand of 100 on the coast in 2026 and 2027, made there in the first year; from the second, hosts can make it as well, and only there can it be added. Goods
    travel for nothing.

    With a discount rate of a tenth, no wear and a year from decision to service, a unit of capital decided in 2026 is charged 0.1 in 2027: 1/11 today; output of 2027
    counts 10/11.

    Args:
        hosts: for each host its ``industry: operating cost``, and the cost of capital as ``capex``.
        industries: what is made.
        coast: capacity of each industry there.
    """
    cells = [
        {"region": "coast", "industry": i, "capacity": coast, "capex": 100.0, "operating_cost": 1.0, "greenfield_limit": 0.0}
        for i in industries
    ]
    cells += [
        {"region": h, "industry": i, "capacity": 0.0, "capex": made["capex"], "operating_cost": made[i], "greenfield_limit": None}
        for h, made in hosts.items()
        for i in industries
        if i in made
    ]
    routes = [
        {"industry": c["industry"], "origin": c["region"], "destination": "coast", "flow": 0.0, "cost": 0.0}
        for c in cells[len(industries) :]
    ]
    names = ["coast", *hosts]
    return {
        "regions": pl.DataFrame({"region": names, "source": [True] + [False] * len(hosts), "host": [False] + [True] * len(hosts)}),
        "industries": pl.DataFrame({"industry": list(industries), "relocatable": [False] * len(industries), "depreciation": 0.0}),
        "years": pl.DataFrame({"year": [2026, 2027], "phase": ["only", "only"]}),
        "phases": pl.DataFrame({"phase": ["only"]}),
        "cells": pl.DataFrame(cells),
        "demand": pl.DataFrame({"region": ["coast"] * len(industries), "industry": list(industries), "demand": 100.0}),
        "routes": pl.DataFrame(routes),
    }


TENTH = {"discount": 0.1}


def dirty_and_clean(*, coast: float = 100.0) -> Case:
    """Two hosts make chips: one cheaply with 3 units of carbon each, one at more cost with 1; the coast takes 2. Value added is 0.6, 0.4 and 0.5."""
    case = two_years({"dirty": {"capex": 1.0, "chips": 0.5}, "clean": {"capex": 1.0, "chips": 0.7}}, ["chips"], coast=coast)
    resources = {"resource": ["carbon"], "base": ["output"], "unit": ["10k-tonne"]}
    takes = {"resource": ["carbon"] * 3, "region": ["coast", "dirty", "clean"], "industry": ["chips"] * 3, "value": [2.0, 3.0, 1.0]}
    cells = case["cells"].with_columns(value_added=pl.col("region").replace_strict({"coast": 0.5, "dirty": 0.6, "clean": 0.4}))
    return case | {"cells": cells, "resources": pl.DataFrame(resources), "intensities": pl.DataFrame(takes)}


def hosts_of_four_kinds() -> Case:
    """Only one host has ore; twins make chips at the same cost; a fourth needs fifty times the capital for it."""
    twin = {"capex": 1.0, "chips": 0.5}
    return two_years(
        {"mine": {"capex": 1.0, "ore": 0.5}, "east": dict(twin), "west": dict(twin), "summit": {"capex": 50.0, "chips": 0.5}},
        ["chips", "ore"],
    )
