"""Two-stage difference-in-differences: against the stacked moments written out densely, and how it relates to imputation."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

sys.path.insert(0, str(Path(__file__).parent))

import staggered as world

from hinterland.data.cohorts import NEVER
from hinterland.errors import EstimationError
from hinterland.evaluate.design import Design
from hinterland.evaluate.estimate import fit
from hinterland.evaluate.untreated import untreated_sample

Floats = np.ndarray[Any, np.dtype[np.float64]]
SETTINGS: dict[str, dict[str, Any]] = {
    "plain": {},
    "gaps": {"gaps": 0.15, "covariates": "~ v"},
    "weights": {"weight": "w", "cluster": "region"},
    "varying-weights": {"weight": "s"},
    "fixed-effects": {"fe": ["half^year"], "gaps": 0.1},
    "anticipation": {"anticipation": 1},
}


@pytest.fixture(scope="module")
def frame() -> pl.DataFrame:
    made = world.make_frame(80)
    return made.with_columns(s=pl.col("v").exp(), half=pl.col("unit").str.slice(1).cast(pl.Int64) % 2)


def design_of(frame: pl.DataFrame, *, gaps: float = 0.0, weight: str | None = None, **options: Any) -> Design:
    if gaps:
        frame = frame.filter(pl.Series(np.random.default_rng(5).random(len(frame)) >= gaps))
    return untreated_sample(world.make(frame, weight=weight, **options)).design


def stacked(design: Design, second: Floats) -> tuple[Floats, Floats]:
    """Second-stage coefficients and covariance: Gardner (2021, appendix B) with dummies for the fixed effects."""
    free = design.periods[design.period] < design.cohort[design.unit] - design.anticipation
    columns = [np.eye(design.n_units)[design.unit], np.eye(design.n_periods)[design.period], design.covariates]
    z = np.hstack([*columns, *(np.eye(f.size)[f.codes] for f in design.fixed_effects)])
    w = np.ones(design.n_obs) if design.weight is None else design.weight
    first = np.linalg.pinv(z[free].T @ (z[free] * w[free, None]), rcond=1e-11)
    adjusted = design.y - z @ (first @ (z[free].T @ (w * design.y)[free]))
    bread = np.linalg.inv(second.T @ (second * w[:, None]))
    coefficients = bread @ (second.T @ (w * adjusted))
    own = second * (w * (adjusted - second @ coefficients))[:, None]
    passed = (z * (w * adjusted * free)[:, None]) @ (first @ (z.T @ (second * w[:, None])))
    scores = np.zeros((design.clusters[0].size, second.shape[1]))
    np.add.at(scores, design.clusters[0].codes, own - passed)
    half = scores @ bread
    return coefficients, half.T @ half


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("second_stage", ["static", "event-study"])
def test_it_is_the_system_of_both_stages(frame: pl.DataFrame, setting: str, second_stage: str) -> None:
    design = design_of(frame, **SETTINGS[setting])
    ours = fit(design, "two-stage", second_stage=second_stage)
    event = np.where(design.cohort[design.unit] == NEVER, -99, design.event_time)
    if second_stage == "static":
        columns = design.treated[:, None].astype(np.float64)
    else:
        columns = (event[:, None] == ours.terms.event_time).astype(np.float64)
    coefficients, vcov = stacked(design, columns)
    np.testing.assert_allclose(ours.estimate, coefficients, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(ours.vcov, vcov, rtol=1e-6, atol=1e-10)


def test_leads_are_means_of_first_stage_residuals(frame: pl.DataFrame) -> None:
    design = design_of(frame, gaps=0.1, weight="w")
    ours = fit(design, "two-stage", second_stage="event-study", leads=True)
    event = np.where(design.cohort[design.unit] == NEVER, -99, design.event_time)
    coefficients, vcov = stacked(design, (event[:, None] == ours.terms.event_time).astype(np.float64))
    assert ours.terms.event_time.min() < -1
    np.testing.assert_allclose(ours.estimate, coefficients, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(ours.vcov, vcov, rtol=1e-6, atol=1e-10)
    plain = fit(design, "two-stage", second_stage="event-study")
    np.testing.assert_allclose(ours.estimate[ours.terms.event_time >= 0], plain.estimate, rtol=1e-10)


def test_estimates_are_those_of_imputation_and_cells_have_the_same_variance(frame: pl.DataFrame) -> None:
    design = design_of(frame, gaps=0.1, covariates="~ v")
    two, one = fit(design, "two-stage"), fit(design, "imputation")
    np.testing.assert_allclose(two.estimate, one.estimate, rtol=1e-12)
    np.testing.assert_allclose(two.vcov, one.vcov, rtol=1e-9, atol=1e-14)
    for kind in ("overall", "event-time", "cohort", "calendar"):
        a, b = two.aggregate(kind), one.aggregate(kind)  # type: ignore[arg-type]
        np.testing.assert_allclose(a.estimate, b.estimate, rtol=1e-10)
        assert np.isfinite(a.std_error).all()


@pytest.mark.parametrize("options", [{"second_stage": "cells"}, {"leads": 2}])
def test_bad_options_are_refused(frame: pl.DataFrame, options: dict[str, Any]) -> None:
    with pytest.raises(EstimationError):
        fit(design_of(frame), "two-stage", **options)
