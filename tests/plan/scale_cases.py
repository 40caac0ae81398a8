"""Random cases with several sources and hosts, small enough to solve with every move."""

from __future__ import annotations

import numpy as np
import polars as pl

Case = dict[str, pl.DataFrame]


def scattered(seed: int, sources: int = 4, hosts: int = 3, industries: int = 2, years: int = 3) -> Case:
    """Sources make goods dearly, hosts cheaply but for labour that is scarce; goods travel back to the sources. Costs are drawn."""
    rng = np.random.default_rng(seed)
    names = [f"s{n}" for n in range(sources)] + [f"h{n}" for n in range(hosts)]
    goods = [f"g{n}" for n in range(industries)]
    n, k = len(names), len(goods)
    cells = {"region": [r for r in names for _ in goods], "industry": goods * n}
    sends = np.arange(n) < sources
    capacity = np.where(sends[:, None], rng.uniform(50, 150, (n, k)), rng.uniform(5, 15, (n, k)))
    cost = np.where(sends[:, None], rng.uniform(0.7, 0.9, (n, k)), rng.uniform(0.3, 0.5, (n, k)))
    pairs = [(o, d) for o in names for d in names if o != d]
    routes = [
        {"industry": g, "origin": o, "destination": d, "flow": 2.0, "cost": float(rng.uniform(0.01, 0.1))} for g in goods for o, d in pairs
    ]
    staff, people = rng.uniform(0.01, 0.03, k), capacity.sum(axis=1) * 0.03
    return {
        "regions": pl.DataFrame(
            {"region": names, "source": sends, "host": ~sends, "lon": rng.uniform(100, 120, n), "lat": rng.uniform(22, 40, n)}
        ),
        "industries": pl.DataFrame(
            {
                "industry": goods,
                "depreciation": rng.uniform(0.0, 0.08, k),
                "lead": rng.integers(0, 2, k),
                "relocation_cost": rng.uniform(0.05, 0.3, k),
                "relocation_per_1000km": rng.uniform(0.02, 0.2, k),
            }
        ),
        "years": pl.DataFrame({"year": list(range(2026, 2026 + years)), "phase": ["only"] * years}),
        "phases": pl.DataFrame({"phase": ["only"], "release_share": [0.3], "release_total": [0.6], "trade_flexibility": [4.0]}),
        "cells": pl.DataFrame({**cells, "capacity": capacity.ravel(), "capex": [1.0] * n * k, "operating_cost": cost.ravel()}),
        "inputs": pl.DataFrame({"industry": goods, "using": goods[1:] + goods[:1], "coefficient": rng.uniform(0.05, 0.2, k)}),
        "demand": pl.DataFrame({**cells, "demand": (capacity * rng.uniform(0.5, 0.9, (n, k))).ravel()}),
        "routes": pl.DataFrame(routes),
        "skills": pl.DataFrame({"skill": ["any"], "migration_share": [0.3], "migration_cost": [0.5]}),
        "labour": pl.DataFrame({"region": names, "skill": ["any"] * n, "supply": people, "wage": rng.uniform(4, 8, n)}),
        "staffing": pl.DataFrame({"industry": goods, "skill": ["any"] * k, "value": staff}),
    }
