"""What the tests of saturated regressions share: brute-force regressions on columns, and a batch of simulated panels."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest
import staggered as world
from numpy.typing import NDArray

from hinterland.data.cohorts import NEVER
from hinterland.data.panel import Panel
from hinterland.evaluate.design import Design, make_design
from hinterland.evaluate.regression import Fit, Inference, least_squares, without_singletons
from hinterland.evaluate.result import Effects
from hinterland.evaluate.saturated import Layout, comparable, make_layout

Floats = NDArray[np.float64]


def frames() -> tuple[pl.DataFrame, pl.DataFrame]:
    """A balanced panel of 110 units, and the same with 15 % of its rows missing; columns as in ``staggered``, with w2, count, binary."""
    rng = np.random.default_rng(5)
    frame = world.make_frame(110, 7, seed=3, cohorts=(4, 6, None, None))
    n = len(frame)
    frame = frame.with_columns(
        w2=pl.Series(rng.uniform(0.5, 2, n)),
        count=pl.Series(rng.poisson(np.exp(1 + 0.3 * frame["y"].to_numpy()))).cast(pl.Float64),
        binary=(pl.col("y") + pl.Series(rng.normal(size=n)) > 0.5).cast(pl.Float64),
    )
    return frame, frame.filter(pl.Series(rng.uniform(size=n) > 0.15))


def design_of(frame: pl.DataFrame, outcome: str = "y", weight: str | None = None, **options: Any) -> Design:
    from hinterland.data.adoption import adoption

    panel = Panel(frame.sort("unit", "year"), "unit", "year", weight=weight)
    return make_design(panel, outcome, adoption(panel, "g"), **options)


def on_columns(design: Design, cells: Callable[[Layout], NDArray[np.bool_]], **options: Any) -> tuple[Fit, int]:
    """Least squares on one column per cell, then the covariates; and the number of cells."""
    inference = Inference.of(**options)
    design, control = comparable(design)
    layout = make_layout(without_singletons(design, inference.ssc), control)
    k, t = np.nonzero(cells(layout))
    indicators = (layout.cell[:, None] == k * layout.design.n_periods + t).astype(np.float64)
    columns = np.asfortranarray(np.column_stack([indicators, layout.design.covariates]))
    names = (*(f"cell {i}" for i in range(len(k))), *layout.design.covariate_names)
    return least_squares(layout.design, columns, names, inference), len(k)


def agree(effects: Effects, fit: Fit, cells: int) -> None:
    """Estimates, covariance and influence of the cells equal those of the regression on columns."""
    own = ~effects.terms.reference
    np.testing.assert_allclose(effects.estimate[own], fit.estimate[:cells], rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(effects.vcov[np.ix_(own, own)], fit.covariance.vcov[:cells, :cells], rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(effects.influence[:, own], fit.covariance.influence[:, :cells], rtol=1e-8, atol=1e-12)
    assert effects.df == pytest.approx(fit.covariance.df, rel=1e-9)
    assert effects.meta["n_parameters"] == fit.covariance.n_parameters


COHORTS = (3, 5, 6)
SLOPES = {3: 0.6, 5: 0.2, 6: 1.0}


def effect(cohort: int, event: NDArray[Any]) -> NDArray[Any]:
    """Effects that grow with exposure and differ between cohorts."""
    return np.where(event >= 0, SLOPES[cohort] * (1 + 0.5 * event), 0.0)


def draws(reps: int, seed: int, *, units: int = 200, size: float = 1.0, random_cohorts: bool = False) -> Iterator[tuple[Design, Floats]]:
    """Simulated panels of 8 periods with AR(1) errors, and the effect of each row; cohorts are drawn once, or anew in each panel."""
    rng = np.random.default_rng(seed)
    periods = np.arange(1, 9)
    template = None
    cohort = _cohorts(rng, units)
    for _ in range(reps):
        if random_cohorts:
            cohort = _cohorts(rng, units)
        error = rng.normal(size=(units, 8))
        for j in range(1, 8):
            error[:, j] += 0.5 * error[:, j - 1]
        gain = np.zeros((units, 8))
        for g in COHORTS:
            gain[cohort == g] = size * effect(g, periods - g)
        y = rng.normal(size=units)[:, None] + 0.3 * (cohort < NEVER)[:, None] + 0.1 * periods + gain + error
        if template is None:
            frame = pl.DataFrame({"unit": np.repeat(np.arange(units), 8), "year": np.tile(periods, units), "y": y.ravel()})
            frame = frame.with_columns(g=pl.Series(np.repeat(np.where(cohort == NEVER, 0, cohort), 8)))
            template = world.make(frame.with_columns(g=pl.col("g").replace(0, None)))
        yield replace(template, y=y.ravel(), cohort=cohort), gain


def _cohorts(rng: np.random.Generator, units: int) -> NDArray[np.int64]:
    return rng.choice(np.array([*COHORTS, NEVER]), size=units, p=[0.2, 0.2, 0.2, 0.4])


def population_truth() -> float:
    """Mean over treated cells of the population, cohorts being equally likely."""
    return float(np.mean(np.concatenate([effect(g, np.arange(g, 9) - g) for g in COHORTS])))
