"""Small simulated panels shared by the tests of diagnostics and placebos."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl
import pytest

from hinterland.data.cohorts import Cohorts
from hinterland.data.panel import Panel


@dataclass(frozen=True)
class Toy:
    panel: Panel
    policy: Cohorts


def make_cohorts(units: list[str], first: list[int | None], dose: list[float] | None = None) -> Cohorts:
    table = pl.DataFrame(
        {
            "unit": units,
            "cohort": pl.Series(first, dtype=pl.Int64),
            "dose": dose or [1.0] * len(units),
            "excluded": [False] * len(units),
            "reason": [""] * len(units),
        }
    )
    return Cohorts(table, closed=True, source="toy", timing="column", partial="treat" if dose is None else "dose")


def make_toy(
    units: int = 40,
    periods: int = 8,
    *,
    seed: int = 0,
    effect: float = 0.5,
    starts: tuple[int | None, ...] = (2004, 2006, None, None),
    drop: float = 0.0,
    weight: bool = False,
) -> Toy:
    """``units`` × ``periods`` from 2001, cohort of unit i is ``starts[i mod len]``; columns y, x, z, w, region (6 levels), count."""
    rng = np.random.default_rng(seed)
    names = [f"u{i:03d}" for i in range(units)]
    first = [starts[i % len(starts)] for i in range(units)]
    year = np.tile(np.arange(2001, 2001 + periods), units)
    unit = np.repeat(np.arange(units), periods)
    start = np.array([f if f is not None else 9999 for f in first])[unit]
    x = rng.normal(size=len(unit)) + 0.1 * (year - 2001) * (start < 9999)
    y = rng.normal(size=units)[unit] + 0.2 * (year - 2001) + effect * (year >= start) * (1 + 0.2 * (year - start)) + 0.5 * x
    y = y + rng.normal(size=len(unit))
    frame = pl.DataFrame(
        {
            "unit": np.array(names)[unit],
            "year": year,
            "y": y,
            "x": x,
            "z": rng.normal(size=len(unit)),
            "w": rng.uniform(0.5, 2, size=len(unit)),
            "region": [f"r{i % 6}" for i in unit],
            "count": rng.poisson(2, size=len(unit)),
        }
    )
    if drop:
        frame = frame.filter(pl.Series(rng.uniform(size=len(frame)) > drop))
    return Toy(Panel(frame, "unit", "year", weight="w" if weight else None), make_cohorts(names, first))


@pytest.fixture(scope="session")
def toy() -> Callable[..., Toy]:
    return make_toy


@pytest.fixture(scope="session")
def cohorts() -> Callable[..., Cohorts]:
    return make_cohorts
