"""Regressors as tables of cohort and period give what columns of rows give."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.testing import assert_allclose

sys.path.insert(0, str(Path(__file__).parent))

import staggered

from hinterland.evaluate.cell_regression import are_cells_enough
from hinterland.evaluate.design import Design
from hinterland.evaluate.estimate import fit
from hinterland.evaluate.event_study import event_columns, event_window, place_terms
from hinterland.evaluate.inference import Inference
from hinterland.evaluate.regression import TREATED, Fit, fit_quality, least_squares, treatment
from hinterland.evaluate.result import Effects

FRAME = staggered.make_frame(cohorts=(3, 4, 6, None, None)).with_columns(twice=2 * pl.col("v"))
DESIGNS: dict[str, dict[str, Any]] = {
    "plain": {},
    "covariates": {"covariates": ["v", "z"]},
    "collinear": {"covariates": ["v", "twice"]},
    "regions": {"covariates": ["v"], "cluster": "region"},
}

FITS: list[tuple[str, dict[str, Any]]] = [
    ("twfe", {}),
    ("twfe", {"ssc": "reghdfe"}),
    ("event-study", {}),
    ("event-study", {"leads": -2, "lags": 2}),
    ("event-study", {"ssc": "reghdfe"}),
]


def by_rows(design: Design, method: str, **options: Any) -> tuple[Fit, Any]:
    """The regression on columns of rows."""
    inference = Inference.of(ssc=options.pop("ssc", "fixest"))
    if method == "twfe":
        columns = np.asfortranarray(np.column_stack([treatment(design), design.covariates]))
        made = least_squares(design, columns, (TREATED, *design.covariate_names), inference)
        return made, made
    window = event_window(design, options.get("leads"), options.get("lags"), -1)
    made = least_squares(design, *event_columns(design, window), inference)
    return made, place_terms(design, window, made)


@pytest.mark.parametrize(("method", "options"), FITS, ids=str)
@pytest.mark.parametrize("case", DESIGNS)
def test_tables_give_what_rows_give(case: str, method: str, options: dict[str, Any]) -> None:
    design = staggered.make(FRAME, **DESIGNS[case])
    assert are_cells_enough(design, Inference.of())
    found: Effects = fit(design, method, **options)
    made, want = by_rows(design, method, **options)
    assert_allclose(found.estimate, want.estimate, rtol=1e-11, atol=1e-13)
    covariance = made.covariance.vcov if method == "twfe" else want.vcov
    assert_allclose(found.vcov, covariance, rtol=1e-10, atol=1e-14)
    assert found.influence is not None
    assert_allclose(found.influence.T @ found.influence, found.vcov, rtol=1e-10, atol=1e-15)
    assert_allclose([found.meta[k] for k in ("r2", "r2_within", "ssr")], list(fit_quality(made).values()), rtol=1e-12)
    assert found.meta["effective_clusters"] == pytest.approx(made.covariance.facts["effective_clusters"], rel=1e-10)
    assert found.df == made.covariance.df
    if method == "event-study":
        assert found.terms.n_treated.tolist() == want.terms.n_treated.tolist()


@pytest.mark.parametrize("more", [{"weight": "w"}, {"fe": ["region^year"]}, {"cluster": ["unit", "region"]}, {"cluster": "year"}], ids=str)
def test_rows_are_used_where_tables_do_not_do(more: dict[str, Any]) -> None:
    design = staggered.make(FRAME, **more)
    assert not are_cells_enough(design, Inference.of())


def test_rows_are_used_for_other_covariances_and_gaps() -> None:
    assert not are_cells_enough(staggered.make(FRAME), Inference.of(vcov="CR3"))
    assert not are_cells_enough(staggered.make(FRAME[1:]), Inference.of())
