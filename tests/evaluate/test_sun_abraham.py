"""Sun and Abraham's event study: against the regression on columns, properties, truth in simulated panels, bad input."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from recording import Recorder

sys.path.insert(0, str(Path(__file__).parent))

import saturated_worlds as worlds
import staggered as world

from hinterland.errors import EstimationError
from hinterland.evaluate import event_study, twfe
from hinterland.evaluate.pretrends import pretrend_test
from hinterland.evaluate.sun_abraham import fit, reference_cells

BALANCED, GAPS = worlds.frames()

CASES: dict[str, tuple[pl.DataFrame, str | None, dict[str, Any], dict[str, Any]]] = {
    "balanced": (BALANCED, None, {}, {}),
    "covariates": (BALANCED, None, {"covariates": "~ v + z"}, {}),
    "weights by unit": (BALANCED, "w", {"covariates": "~ v"}, {}),
    "weights by row": (BALANCED, "w2", {"covariates": "~ v"}, {}),
    "clusters of units": (BALANCED, "w", {"covariates": "~ v", "cluster": "region"}, {}),
    "gaps": (GAPS, None, {}, {}),
    "gaps, weights, covariates": (GAPS, "w2", {"covariates": "~ v + x"}, {}),
    "extra effects": (GAPS, "w2", {"covariates": "~ v", "fe": ["region^year"]}, {}),
    "unit trends": (GAPS, None, {"covariates": "~ v", "fe": ["unit[year]"]}, {"reference": [-1, -2]}),
    "two groupings": (GAPS, "w2", {"covariates": "~ v", "cluster": ["region", "year"]}, {}),
    "by row": (GAPS, "w2", {"covariates": "~ v"}, {"vcov": "hetero"}),
    "iid": (BALANCED, None, {"covariates": "~ v"}, {"vcov": "iid"}),
    "CR2": (BALANCED, None, {"covariates": "~ v", "cluster": "region"}, {"vcov": "CR2"}),
    "exact count": (GAPS, None, {"covariates": "~ v"}, {"ssc": "reghdfe"}),
}


@pytest.mark.parametrize("case", CASES)
def test_equals_the_regression_on_columns(case: str) -> None:
    frame, weight, options, own = CASES[case]
    design = worlds.design_of(frame, weight=weight, **options)
    effects = fit(design, **own)
    events = tuple(own["reference"]) if "reference" in own else None
    brute, cells = worlds.on_columns(
        design,
        lambda layout: (layout.rows[:-1] > 0) & ~reference_cells(layout, events)[0],
        **{k: v for k, v in own.items() if k != "reference"},
    )
    worlds.agree(effects, brute, cells)
    if design.covariate_names:
        size = len(effects.meta["covariate_estimates"])
        np.testing.assert_allclose(effects.meta["covariate_estimates"], brute.estimate[-size:], rtol=1e-8)
        np.testing.assert_allclose(effects.meta["covariate_std_errors"], np.sqrt(np.diag(brute.covariance.vcov))[-size:], rtol=1e-8)


def test_a_cell_is_a_difference_of_mean_changes_from_the_period_before() -> None:
    effects = fit(world.make(BALANCED))
    change = BALANCED.pivot(on="year", index=["unit", "g"], values="y")
    for i, (g, t) in enumerate(zip(effects.terms.cohort, effects.terms.time, strict=True)):
        gain = (pl.col(str(t)) - pl.col(str(g - 1))).mean()
        treated, never = change.filter(pl.col("g") == g).select(gain).item(), change.filter(pl.col("g").is_null()).select(gain).item()
        assert effects.estimate[i] == pytest.approx(treated - never, abs=1e-12)


def test_estimated_shares_add_variance_to_averages_only() -> None:
    given, estimated = fit(world.make(BALANCED), share_variance=False), fit(world.make(BALANCED))
    np.testing.assert_array_equal(given.vcov, estimated.vcov)
    one, two = given.aggregate("overall"), estimated.aggregate("overall")
    assert one.estimate == two.estimate
    assert two.std_error[0] > one.std_error[0]
    single = estimated.aggregate("event-time")
    alone = np.isin(single.terms.event_time, [3])  # only the first cohort is seen there
    np.testing.assert_allclose(single.std_error[alone], given.aggregate("event-time").std_error[alone], rtol=1e-12)


def test_averages_weigh_cells_by_the_rows_behind_them_when_the_panel_has_gaps() -> None:
    effects = fit(worlds.design_of(GAPS), share_variance=False)
    rows = GAPS.group_by("g", "year").len()
    count = {(r["g"], r["year"]): r["len"] for r in rows.iter_rows(named=True)}
    weight = np.array([count[g, t] for g, t in zip(effects.terms.cohort, effects.terms.time, strict=True)], dtype=np.float64)
    post = effects.terms.event_time >= 0
    expected = weight[post] @ effects.estimate[post] / weight[post].sum()
    assert effects.aggregate("overall").estimate[0] == pytest.approx(expected, rel=1e-12)


def test_without_never_treated_the_last_cohort_is_the_control() -> None:
    frame = BALANCED.filter(pl.col("g").is_not_null())
    effects = fit(world.make(frame))
    assert effects.meta["comparison"] == "last-treated"
    assert "saturated-last-treated" in [n.code for n in effects.notes]
    assert set(effects.terms.cohort.tolist()) == {4}
    assert effects.terms.time.max() == 5
    same = fit(world.make(frame.filter(pl.col("year") < 6).with_columns(g=pl.when(pl.col("g") < 6).then(pl.col("g")))))
    np.testing.assert_allclose(effects.estimate, same.estimate)
    np.testing.assert_allclose(effects.std_error, same.std_error)


def test_anticipation_moves_the_reference_and_leaves_out_units_without_a_period_before_it() -> None:
    effects = fit(world.make(BALANCED, anticipation=2))
    assert set(effects.terms.event_time[effects.terms.reference]) == {-3}
    early = BALANCED.with_columns(g=pl.when(pl.col("g") == 4).then(2).otherwise(pl.col("g")))
    effects = fit(world.make(early, anticipation=1))
    assert "saturated-no-period-before" in [n.code for n in effects.notes]


def test_invariances() -> None:
    rng = np.random.default_rng(0)
    plain = fit(world.make(GAPS, covariates="~ v"))
    units = {u: f"z{rng.integers(10**9)}" for u in GAPS["unit"].unique(maintain_order=True)}
    moved = GAPS.with_columns(
        unit=pl.col("unit").replace_strict(units),
        y=2 * (pl.col("y") + pl.col("unit").rank("dense") * 0.7 + pl.col("year").sin()),
    ).sample(fraction=1, shuffle=True, seed=1)
    other = fit(world.make(moved, covariates="~ v"))
    np.testing.assert_allclose(other.estimate, 2 * plain.estimate, atol=1e-10)
    np.testing.assert_allclose(other.std_error, 2 * plain.std_error, rtol=1e-9)


def test_weights_repeat_units() -> None:
    weighted = fit(world.make(BALANCED, weight="w", covariates="~ v"), ssc="none")
    copies = [BALANCED.filter(pl.col("w") > k).with_columns(unit=pl.col("unit") + f"-{k}", origin=pl.col("unit")) for k in range(3)]
    first = BALANCED.with_columns(origin=pl.col("unit"))
    repeated = pl.concat([c.select(first.columns) for c in copies])
    many = fit(world.make(repeated, covariates="~ v", cluster="origin"), ssc="none")
    np.testing.assert_allclose(many.estimate, weighted.estimate, atol=1e-11)
    np.testing.assert_allclose(many.std_error, weighted.std_error, rtol=1e-9)


def test_cells_that_extra_effects_explain_are_named_and_missing() -> None:
    frame = BALANCED.with_columns(place=pl.when(pl.col("g") == 4).then(pl.lit("east")).otherwise(pl.lit("west")))
    effects = fit(world.make(frame, fe=["place^year"]))
    lost = ~np.isfinite(effects.estimate)
    assert set(effects.terms.cohort[lost]) == {4}
    assert "saturated-not-identified" in [n.code for n in effects.notes]
    assert np.isfinite(effects.aggregate("overall").estimate).all()


@pytest.mark.parametrize(
    ("options", "own", "code"),
    [
        ({"fe": ["unit[year]"]}, {}, "treatment-collinear"),
        ({"cluster": "year"}, {}, "cluster-of-periods"),
        ({}, {"reference": -40}, "reference-not-observed"),
        ({}, {"reference": "first"}, "not-whole"),
        ({}, {"share_variance": "yes"}, "unknown-value"),
        ({}, {"vcov": "robust"}, "unknown-value"),
    ],
)
def test_errors(options: dict[str, Any], own: dict[str, Any], code: str) -> None:
    with pytest.raises(EstimationError) as caught:
        fit(world.make(BALANCED, **options), **own)
    assert caught.value.findings[0].code == code


def test_one_cohort_without_anybody_else_is_an_error() -> None:
    with pytest.raises(EstimationError) as caught:
        fit(world.make(BALANCED.filter(pl.col("g") == 4)))
    assert caught.value.findings[0].code == "no-comparison"


def test_single_unit_cohort_is_noted() -> None:
    keep = BALANCED.filter(pl.col("g") == 6)["unit"][0]
    frame = BALANCED.filter((pl.col("g") != 6) | pl.col("g").is_null() | (pl.col("unit") == keep))
    effects = fit(world.make(frame))
    assert "saturated-small-cohorts" in [n.code for n in effects.notes]
    assert np.isfinite(effects.estimate).all()


@pytest.mark.validate
def test_bias_coverage_and_size(validated: Recorder) -> None:
    """Cohorts drawn anew in each of 1500 panels of 200 units: the shares are estimates; TWFE is not centred on the truth."""
    results, static, truth = [], [], worlds.population_truth()
    for design, _ in worlds.draws(1500, 1, random_cohorts=True):
        overall = fit(design).aggregate("overall")
        results.append((overall.estimate[0] - truth, overall.half_width()[0]))
        plain = twfe.fit(design)
        static.append((plain.estimate[0] - truth, plain.half_width()[0]))
    where = "effects differ by cohort and grow; cohorts drawn at random, 200 units × 8"
    validated("averages", "sun-abraham", where, seed=1).interval(*np.transpose(results), "overall")
    error, half = np.transpose(static)
    found = validated("failures", "twfe", where, seed=1)
    found.bias(error, reason="known failure", least=-0.1)
    found.coverage(np.abs(error) <= half, within=(0, 0.8), reason="known failure")


@pytest.mark.validate
def test_size_of_pretrend_tests(validated: Recorder) -> None:
    """Effects differ between cohorts but nothing precedes them: leads of the interaction-weighted event study reject in 5 % of panels, those of the
    TWFE event study pick up later effects.
    """
    robust, plain = [], []
    for design, _ in worlds.draws(1000, 2):
        robust.append(pretrend_test(fit(design, share_variance=False).aggregate("event-time")).p_value < 0.05)
        plain.append(pretrend_test(event_study.fit(design)).p_value < 0.05)
    where = "effects differ by cohort and grow; AR(1) errors, 200 units × 8, other cohorts"
    validated("tests", "pretrend_test", where, variant="sun-abraham", seed=2).size(robust)
    validated("failures", "pretrend_test", where, variant="event-study", seed=2).size(plain, within=(0.07, 1), reason="known failure")
