"""Cases drawn at random around the one with every table: other numbers, fewer tables, limits that begin later, other settings."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from cases import YEARS, every

from hinterland.plan.schema import columns_of

OPTIONAL = (
    ("agglomeration",),
    ("congestion",),
    ("specialisation",),
    ("similarity",),
    ("security",),
    ("backup",),
    ("jobs",),
    ("gates",),
    ("roles",),
    ("compensation",),
    ("instruments", "uptake"),
    ("enclaves", "enclave_industries"),
    ("exports", "markets"),
    ("imports",),
    ("inputs",),
    ("moves",),
)
"""Tables that may be left out, with those that go with them."""
LATER = ("capacity_limit", "job_floor", "absorption", "budget", "national_budget", "tolerance")
"""Parameters that may begin in some decided year."""


def random_case(seed: int) -> tuple[dict[str, pl.DataFrame], dict[str, Any]]:
    """Tables and settings: each amount times a factor between a half and two, each share within its range."""
    rng = np.random.default_rng(seed)
    case = every()
    for tables in OPTIONAL:
        if rng.random() < 0.25:
            case = {name: frame for name, frame in case.items() if name not in tables}
    case = {name: _shaken(name, frame, rng) for name, frame in case.items()}
    case["resources"] = case["resources"].with_columns(falling=pl.lit(False))
    case["paths"] = pl.concat([case["paths"], *(_later(name, rng) for name in LATER if rng.random() < 0.5)], how="diagonal_relaxed")
    settings: dict[str, Any] = {
        "discount": float(rng.choice([0.0, 0.04, 0.1])),
        "continuity": float(rng.choice([0.0, 0.05])),
        "transition": float(rng.choice([0.0, 1.0])),
        "similarity": str(rng.choice(["base-sign", "exact"])),
    }
    return case, settings


def _shaken(name: str, frame: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    if name in ("observed", "moves", "inputs", "uptake", "agglomeration", "provenance", "paths"):
        return frame
    for column, spec in columns_of(name).items():
        if column in frame.columns and spec.kind == "number" and not spec.name.startswith(("lon", "lat")):
            factor = pl.Series(np.exp(rng.uniform(-0.7, 0.7, frame.height)))
            values = frame[column].cast(pl.Float64) * factor
            frame = frame.with_columns(values.clip(spec.low, spec.high).alias(column))
    return frame


def _later(name: str, rng: np.random.Generator) -> pl.DataFrame:
    """A path that begins in a decided year: of a place, where the parameter has places."""
    year = int(rng.choice(YEARS[2:]))
    rows: dict[str, list[Any]] = {"parameter": [name], "year": [year], "value": [float(rng.uniform(0.5, 8.0))]}
    if name in ("capacity_limit", "absorption"):
        rows |= {"region": [str(rng.choice(["hill", "plain"]))], "industry": [str(rng.choice(["chips", "cloth", "power"]))]}
        rows["value"] = [rows["value"][0] * 20] if name == "capacity_limit" else rows["value"]
    elif name == "tolerance":
        rows |= {"industry": ["cloth"], "value": [float(rng.uniform(0.3, 0.9))]}
    elif name != "national_budget":
        rows |= {"region": ["hill"]}
    return pl.DataFrame(rows)
