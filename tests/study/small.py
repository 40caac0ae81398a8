"""A small panel and a study of it, for tests that need a whole run in little time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

STUDY = """
[study]
title = "Small"
seed = 7

[panel]
source = "small.csv"
unit = "city"
time = "year"

[policy]
column = "first"

[[outcome]]
name = "y"

[[outcome]]
name = "count"
family = "poisson"

[evaluate]
bootstrap = { draws = 99 }

[robustness]
placebo_space = 39
placebo_time = [1]
comparison = ["not-yet-treated"]

[[robustness.model]]
name = "late"
years = [2002, 2007]

[heterogeneity]
groups = ["side"]
draws = 39
"""


def small_panel(units: int = 24, periods: int = 8, seed: int = 1) -> pl.DataFrame:
    """``city, year, first, side, y, count``: a third adopts in 2003, a third in 2005, a third never; the effect is 1."""
    rng = np.random.default_rng(seed)
    city, year = np.repeat(np.arange(units), periods), np.tile(np.arange(2000, 2000 + periods), units)
    first = np.array([2003, 2005, 0])[city % 3]
    treated = (first > 0) & (year >= first)
    y = rng.normal(size=units)[city] + 0.1 * (year - 2000) + treated + rng.normal(scale=0.3, size=len(city))
    return pl.DataFrame(
        {
            "city": [f"C{c:02}" for c in city],
            "year": year,
            "first": first,
            "side": np.where(city % 2, "north", "south"),
            "y": y,
            "count": rng.poisson(np.exp(1 + 0.2 * y)),
        }
    )


def write_small(folder: Path, study: str = STUDY) -> Path:
    """The panel and the study in ``folder``: the path of the study file."""
    small_panel().write_csv(folder / "small.csv")
    path = folder / "study.toml"
    path.write_text(study, encoding="utf-8")
    return path
