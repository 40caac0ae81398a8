"""Size of nominal 5 % tests under each covariance, by simulation (run by ``make validate``; the numbers are printed)."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest

from hinterland.data.cohorts import Cohorts
from hinterland.data.panel import Panel
from hinterland.evaluate.design import Design, make_design
from hinterland.evaluate.estimate import fit

pytestmark = pytest.mark.validate

Array = Any
Make = Callable[..., Any]
REPLICATIONS = 1000


def _design(first: Array, periods: int, columns: Mapping[str, Array], cluster: str = "unit") -> Design:
    """A balanced panel of ``len(first)`` units; ``first`` [N] the first treated period (0-based), or one past the last for never."""
    n = len(first)
    names = np.array([f"u{i:04d}" for i in range(n)])
    unit = np.repeat(np.arange(n), periods)
    frame = pl.DataFrame(
        {
            "unit": names[unit],
            "year": np.tile(np.arange(periods), n),
            "y": np.random.default_rng(0).normal(size=n * periods),
            **{name: values[unit] for name, values in columns.items()},
        }
    )
    cohort = pl.Series([int(f) if f < periods else None for f in first], dtype=pl.Int64)
    table = pl.DataFrame({"unit": names, "cohort": cohort, "dose": 1.0, "excluded": False, "reason": ""})
    coordinates = ("lon", "lat") if "lon" in columns else None
    return make_design(
        Panel(frame, "unit", "year", coordinates=coordinates),
        "y",
        Cohorts(table, closed=True, source="drawn", timing="column"),
        cluster=cluster,
    )


def _sizes(design: Design, draw: Callable[[np.random.Generator], Array], kinds: Mapping[str, dict[str, Any]]) -> dict[str, float]:
    """Share of replications without effect in which the t test of ``treated`` rejects at 5 %."""
    rng = np.random.default_rng(1)
    rejected = dict.fromkeys(kinds, 0)
    for _ in range(REPLICATIONS):
        drawn = replace(design, y=draw(rng))
        for name, options in kinds.items():
            rejected[name] += int(fit(drawn, "twfe", **options).p_value[0] < 0.05)
    return {name: count / REPLICATIONS for name, count in rejected.items()}


def _say(capsys: pytest.CaptureFixture[str], line: str) -> None:
    with capsys.disabled():
        sys.stdout.write(f"\n{line}\n")


@pytest.mark.parametrize(("groups", "treated"), [(10, 3), (20, 4), (50, 6)])
def test_few_unequal_clusters_few_of_them_treated(groups: int, treated: int, capsys: pytest.CaptureFixture[str]) -> None:
    """Cluster-by-year shocks on clusters of 1 to 12 units: CR1 rejects too often, CR2 with its own degrees of freedom does not."""
    periods = 8
    rng = np.random.default_rng(groups)
    sizes = np.maximum(np.round(12 * rng.uniform(size=groups) ** 2), 1).astype(int)
    group = np.repeat(np.arange(groups), sizes)
    first = np.where(group < treated, 3 + group % 3, periods)
    design = _design(first, periods, {"region": np.array([f"r{g:02d}" for g in group])}, "region")

    def draw(rng: np.random.Generator) -> Array:
        shock = np.cumsum(rng.normal(size=(groups, periods)), axis=1) * 0.5
        return (shock[group] + rng.normal(size=(len(group), periods))).reshape(-1)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        size = _sizes(design, draw, {"CR1": {}, "CR2": {"vcov": "CR2"}, "CR3": {"vcov": "CR3"}})
    _say(capsys, f"G = {groups}, {treated} treated, {sizes.min()}-{sizes.max()} units: {size}")
    assert size["CR2"] < size["CR1"]
    assert size["CR2"] < 0.09
    assert size["CR3"] < size["CR1"]


def test_spatially_correlated_errors(capsys: pytest.CaptureFixture[str]) -> None:
    """Regional shocks and regional policies: clustering by unit rejects far too often, Conley's covariance much less."""
    n, periods = 400, 8
    rng = np.random.default_rng(5)
    x, y = rng.uniform(0, 2000, n), rng.uniform(0, 2000, n)
    km = np.hypot(x[:, None] - x, y[:, None] - y)
    root = np.linalg.cholesky(np.exp(-km / 80) + 1e-9 * np.eye(n))
    field = np.linalg.cholesky(np.exp(-km / 120) + 1e-9 * np.eye(n)) @ rng.normal(size=n)
    first = np.where(field > np.quantile(field, 0.65), np.where(field > np.quantile(field, 0.85), 3, 5), periods)
    lat = 20 + y / 111.195
    design = _design(first, periods, {"lon": 100 + x / (111.195 * np.cos(np.radians(29))), "lat": lat})

    def draw(rng: np.random.Generator) -> Array:
        return (root @ np.cumsum(rng.normal(size=(n, periods)), axis=1) * 0.5 + rng.normal(size=(n, periods)) * 0.5).reshape(-1)

    conley = {"vcov": "conley", "cutoff_km": 300.0, "kernel": "bartlett"}
    size = _sizes(design, draw, {"unit": {}, "conley": conley, "conley, lag 2": {**conley, "lag": 2}})
    _say(capsys, f"spatial errors: {size}")
    assert size["unit"] > 0.12
    assert size["conley"] < 0.10
    assert size["conley"] < size["conley, lag 2"]


def test_common_shocks(capsys: pytest.CaptureFixture[str]) -> None:
    """Shocks of single years that hit treated and other units differently: clustering by unit takes them for effects."""
    n, periods = 40, 80
    first = np.where(np.arange(n) < 16, 40, periods)
    loading = 1.0 + (np.arange(n) < 16)
    design = _design(first, periods, {})

    def draw(rng: np.random.Generator) -> Array:
        return (loading[:, None] * rng.normal(size=periods) * 0.5 + rng.normal(size=(n, periods))).reshape(-1)

    kinds = {"unit": {}, "driscoll-kraay": {"vcov": "driscoll-kraay", "lag": 2}, "newey-west": {"vcov": "newey-west", "lag": 2}}
    size = _sizes(design, draw, kinds)
    _say(capsys, f"common shocks: {size}")
    assert size["unit"] > 0.15
    assert size["driscoll-kraay"] < 0.08
