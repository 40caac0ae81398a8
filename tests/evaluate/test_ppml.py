from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.testing import assert_allclose

from hinterland.data.cohorts import Cohorts
from hinterland.data.panel import Panel
from hinterland.errors import EstimationError
from hinterland.evaluate.design import make_design
from hinterland.evaluate.estimate import estimate, fit
from hinterland.evaluate.poisson import fit_poisson, separated, zero_groups
from hinterland.evaluate.regression import absorbed, treatment

Make = Callable[..., Any]

PYFIXEST: list[tuple[dict[str, Any], float, float]] = [
    ({"vcov": "iid"}, -0.014683504901609459, 0.0029000801974954256),
    ({"vcov": "hetero"}, -0.014683504901609459, 0.014505802782710082),
    ({}, -0.014683504901609459, 0.01970963311643695),
    ({"cluster": "state"}, -0.014683504901609459, 0.03513441981815141),
    ({"cluster": ["state", "year"]}, -0.014683504901609459, 0.03835999018397522),
]
"""pyfixest 0.60.0: fepois("emp ~ treat_post | countyreal + year", mpdta with emp = exp(lemp), vcov = "iid" | "hetero" |
{"CRV1": "countyreal"} | {"CRV1": "state"} | {"CRV1": "state+year"}, fixef_rm="none", iwls_tol=1e-13, fixef_tol=1e-12)."""


@pytest.fixture(scope="module")
def mpdta(reference: Path) -> tuple[Panel, Cohorts]:
    frame = pl.read_csv(reference / "mpdta.csv").sort("countyreal", "year").with_columns(emp=pl.col("lemp").exp())
    low = np.quantile(frame["emp"].to_numpy(), 0.08)
    frame = frame.with_columns(zeros=pl.when(pl.col("emp") < low).then(0.0).otherwise(pl.col("emp").round()))
    table = frame.group_by("countyreal", maintain_order=True).agg(pl.col("first_treat").first())
    table = table.select(
        unit=pl.col("countyreal").cast(pl.String),
        cohort=pl.when(pl.col("first_treat") > 0).then("first_treat"),
        dose=pl.lit(1.0),
        excluded=pl.lit(False),
        reason=pl.lit(""),
    )
    return Panel(frame, "countyreal", "year"), Cohorts(table, closed=True, source="first_treat", timing="column")


@pytest.mark.parametrize(("options", "value", "error"), PYFIXEST)
def test_pyfixest(mpdta: tuple[Panel, Cohorts], options: dict[str, Any], value: float, error: float) -> None:
    effects = estimate(mpdta[0], "emp", mpdta[1], "ppml", **options)
    assert_allclose(effects.estimate, [value], rtol=1e-7)
    assert_allclose(effects.std_error, [error], rtol=1e-7)
    assert_allclose(effects.meta["deviance"], 13318.869996885951, rtol=1e-10)
    assert effects.df == np.inf


def test_pyfixest_with_zeros(mpdta: tuple[Panel, Cohorts]) -> None:
    """pyfixest 0.60.0, as above with emp = 0 below its 8 % quantile and rounded elsewhere, separation_check=["fe"]."""
    effects = estimate(mpdta[0], "zeros", mpdta[1], "ppml")
    assert_allclose([effects.estimate[0], effects.std_error[0]], [-0.014922087853662759, 0.01972823189046036], rtol=1e-7)
    assert effects.meta["n_obs"] == 2350
    assert {n.code: n.values for n in effects.notes}["ppml-separated-groups"] == {"count": 150, "factors": "countyreal"}


def test_pyfixest_event_study(mpdta: tuple[Panel, Cohorts]) -> None:
    """pyfixest 0.60.0, as above with i(rel, ref=-1), rel = -1 for never treated."""
    effects = estimate(mpdta[0], "emp", mpdta[1], "ppml", event_study=True)
    estimates = [
        0.041466371558122044,
        0.03563349969080075,
        0.00612778576223003,
        0.0,
        -0.003914673329500644,
        0.0031926917888613873,
        -0.05926205930436976,
        -0.051735737340000074,
    ]
    errors = [
        0.02292756692273975,
        0.017798918183250394,
        0.01355589539793795,
        np.nan,
        0.010889567638658079,
        0.029833949711722242,
        0.0202599721462167,
        0.02235319854569706,
    ]
    assert_allclose(effects.estimate, estimates, rtol=1e-7)
    assert_allclose(effects.std_error, errors, rtol=1e-7)
    assert effects.aggregation == "event-time"
    assert_allclose(effects.meta["percent_effect"], 100 * np.expm1(effects.estimate))


def test_pyfixest_with_weights_and_covariates(mpdta: tuple[Panel, Cohorts]) -> None:
    """pyfixest 0.60.0, as above with weights="wgt"; and with i(year, lpop, ref=2003)."""
    panel, policy = mpdta
    weighted = estimate(replace(panel, weight="wgt"), "emp", policy, "ppml")
    assert_allclose([weighted.estimate[0], weighted.std_error[0]], [-9.309688356803608e-05, 0.03672852005698682], rtol=1e-6)
    adjusted = estimate(panel, "emp", policy, "ppml", covariates="~ lpop + C(year):lpop")
    assert_allclose(adjusted.estimate[:2], [-0.01482167915504235, -0.0064310266448890105], rtol=1e-7)
    assert_allclose(adjusted.std_error[:2], [0.01931033530816397, 0.004665610786249953], rtol=1e-7)


@pytest.mark.parametrize("extra", [(), ("region^year",), ("unit[year]",)])
def test_first_order_conditions(toy: Make, extra: tuple[str, ...]) -> None:
    made = toy(drop=0.2, weight=True)
    design = make_design(made.panel, "count", made.policy, covariates=["x"], fe=extra)
    lost, _ = zero_groups(design.y, absorbed(design))
    design = design.take(~lost)
    columns = np.column_stack([treatment(design), design.covariates])
    fitted = fit_poisson(design.y, columns, absorbed(design), design.weight)
    score = (design.y - fitted.mu) * design.weight
    assert_allclose(columns.T @ score, 0, atol=1e-6)
    for factor in absorbed(design):
        assert_allclose(
            np.bincount(factor.codes, weights=score if factor.slope is None else score * factor.slope),
            0,
            atol=1e-4 if factor.slope is not None else 1e-7,
        )


def test_saturated_model_is_the_log_ratio_of_ratios(toy: Make) -> None:
    made = toy(periods=2, starts=(2002, None))
    means = (
        made.panel.frame.with_columns(g=pl.col("unit").str.slice(1).cast(pl.Int64) % 2 == 0)
        .group_by("g", "year")
        .agg(pl.col("count").sum())
        .sort("g", "year")["count"]
    )
    never, treated = np.log(means[1] / means[0]), np.log(means[3] / means[2])
    assert_allclose(estimate(made.panel, "count", made.policy, "ppml").estimate, treated - never, rtol=1e-8)


def test_scale_of_the_outcome_does_not_matter(toy: Make) -> None:
    made = toy()
    panel = made.panel.with_columns(big=pl.col("count") * 1000.0, small=pl.col("count") / 1e4)
    a, b, c = (estimate(panel, y, made.policy, "ppml", covariates=["x"]) for y in ("count", "big", "small"))
    for other in (b, c):
        assert_allclose(other.estimate, a.estimate, rtol=1e-7)
        assert_allclose(other.std_error, a.std_error, rtol=1e-6)


def test_weights_are_replications(toy: Make) -> None:
    made = toy(units=20, periods=5)
    frame = made.panel.frame.with_columns(w=pl.lit(2.0))
    twice = pl.concat([frame, frame.with_columns(unit=pl.col("unit") + "b")]).with_columns(pair=pl.col("unit").str.slice(0, 4))
    table = pl.concat([made.policy.table, made.policy.table.with_columns(unit=pl.col("unit") + "b")])
    one = estimate(replace(made.panel, frame=frame, weight="w"), "count", made.policy, "ppml", ssc="none")
    two = estimate(replace(made.panel, frame=twice), "count", replace(made.policy, table=table), "ppml", ssc="none", cluster="pair")
    assert_allclose(one.estimate, two.estimate, rtol=1e-8)
    assert_allclose(one.std_error, two.std_error, rtol=1e-8)


def test_separated_regressor_is_found() -> None:
    """A covariate that is positive only where the outcome is zero predicts those zeros perfectly; noise does not."""
    rng = np.random.default_rng(0)
    y = rng.poisson(3, 200).astype(float)
    y[:20] = 0
    toy = np.zeros(200)
    toy[:10] = rng.uniform(0.5, 2, 10)
    from hinterland.evaluate.coding import Factor

    factors = (Factor("g", (np.arange(200) % 10).astype(np.int32), 10),)
    assert separated(y, np.column_stack([toy, rng.normal(size=200)]), factors)[:10].all()
    assert separated(y, np.column_stack([toy, rng.normal(size=200)]), factors).sum() == 10
    assert not separated(y, rng.normal(size=(200, 2)), factors).any()


def test_separated_rows_are_left_out_and_counted(toy: Make) -> None:
    made = toy(seed=2)
    rng = np.random.default_rng(5)
    spike = pl.Series(np.where((made.panel.frame["count"].to_numpy() == 0) & (rng.uniform(size=320) < 0.3), 1.0, 0.0))
    panel = made.panel.with_columns(spike=spike)
    effects = estimate(panel, "count", made.policy, "ppml", covariates=["x", "spike"])
    assert effects.terms.name == ("treated", "x")
    notes = {n.code: n.values for n in effects.notes}
    assert notes["ppml-separated-regressors"]["count"] == int(spike.sum())
    assert notes["collinear-dropped"]["names"] == "spike"
    without = estimate(replace(panel, frame=panel.frame.filter(pl.col("spike") == 0)), "count", made.policy, "ppml", covariates=["x"])
    assert_allclose(effects.estimate, without.estimate, rtol=1e-8)


@pytest.mark.parametrize("event_study", [False, True])
def test_zeros_in_every_treated_row_are_a_finding(toy: Make, event_study: bool) -> None:
    made = toy(starts=(2004, None))
    odd = pl.col("unit").str.slice(1).cast(pl.Int64) % 2 == 0
    panel = made.panel.with_columns(count=pl.when(odd & (pl.col("year") >= (1 if event_study else 2004))).then(0).otherwise("count"))
    with pytest.raises(EstimationError) as caught:
        estimate(panel, "count", made.policy, "ppml", event_study=event_study)
    assert caught.value.findings[0].code == "treatment-separated"


def test_negative_outcomes_are_a_finding(toy: Make) -> None:
    made = toy()
    with pytest.raises(EstimationError) as caught:
        fit(make_design(made.panel, "y", made.policy), "ppml")
    assert caught.value.findings[0].code == "negative-outcome"
    assert "u0" in caught.value.findings[0].where
