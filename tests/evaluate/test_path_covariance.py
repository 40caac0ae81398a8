"""The path over event times keeps the covariance that was asked for, whichever base the cells have."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import polars as pl
import pytest
from numpy.testing import assert_allclose

from hinterland.errors import EstimationError
from hinterland.evaluate.design import make_design
from hinterland.evaluate.efficient_tests import balance_test, permutation_test
from hinterland.evaluate.estimate import fit
from hinterland.evaluate.honest.event_path import event_path
from hinterland.evaluate.sensitivity import sensitivity

Make = Callable[..., Any]


@pytest.mark.parametrize("options", [{"cluster": ["block", "half"]}, {"vcov": "conley", "cutoff_km": 40}, {"cluster": "block"}])
def test_cumulated_changes_have_the_covariance_of_distances(toy: Make, options: dict[str, Any]) -> None:
    made = toy(units=96)
    number = pl.col("unit").str.slice(1).cast(pl.Int64)
    frame = made.panel.frame.with_columns(block=number // 4, half=number % 16, lon=100 + number / 10, lat=30 + number / 20)
    panel = replace(made.panel, frame=frame, coordinates=("lon", "lat"))
    design = make_design(panel, "y", made.policy, cluster=options.get("cluster"))
    asked = {k: v for k, v in options.items() if k != "cluster"}
    ours, want = (event_path(fit(design, "callaway-santanna", base_period=base, **asked)) for base in ("varying", "universal"))
    assert_allclose(ours.times, want.times)
    assert_allclose(ours.estimates, want.estimates, rtol=1e-9)
    assert_allclose(ours.vcov, want.vcov, rtol=1e-6, atol=1e-10)
    assert sensitivity(fit(design, "callaway-santanna", **asked), grid=[1.0]).pre > 1


@pytest.mark.parametrize("call", [balance_test, permutation_test])
def test_tests_of_random_timing_refuse_what_the_estimator_refuses(toy: Make, call: Any) -> None:
    made = toy(weight=True)
    design = make_design(made.panel, "y", made.policy, covariates="~ x", comparison="not-yet-treated")
    with pytest.raises(EstimationError) as raised:
        call(design)
    assert {f.what for f in raised.value.findings} == {f"efficient is not defined with {w}" for w in ("sampling weights", "covariates")}
