"""Extended two-way fixed effects: against regressions on columns with the delta method, properties, truth in simulated panels, bad input."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import pytest
from recording import Recorder

sys.path.insert(0, str(Path(__file__).parent))

import saturated_worlds as worlds
import staggered as world

from hinterland.errors import EstimationError
from hinterland.evaluate import sun_abraham
from hinterland.evaluate.design import Design
from hinterland.evaluate.etwfe import fit, own_cells
from hinterland.evaluate.etwfe_model import mean_of, slope_of
from hinterland.evaluate.saturated import comparable, make_layout

BALANCED, GAPS = worlds.frames()
OUTCOME = {"gaussian": "y", "poisson": "count", "logit": "binary"}
CASES: dict[str, tuple[pl.DataFrame, str | None, dict[str, Any]]] = {
    "plain": (BALANCED, None, {}),
    "not yet": (BALANCED, None, {"covariates": "~ x", "comparison": "not-yet-treated"}),
    "gaps, weights": (GAPS, "w2", {"covariates": "~ x + v", "comparison": "not-yet-treated"}),
    "clusters": (GAPS, None, {"covariates": "~ v", "cluster": "region"}),
}


class Brute(NamedTuple):
    estimate: worlds.Floats
    std_error: worlds.Floats
    iid: worlds.Floats
    ratio: float
    ratio_error: float


def brute(design: Design, family: Any) -> Brute:
    """Newton's method on R's regressors, every one a column; effects and their delta-method errors from the whole coefficient vector."""
    design, control = comparable(design)
    layout = make_layout(design, control)
    own, _ = own_cells(layout)
    k, t = np.nonzero(own)
    codes, group = k * design.n_periods + t, layout.group[design.unit]
    w = np.ones(design.n_obs) if design.weight is None else design.weight
    cell = (layout.cell[:, None] == codes).astype(np.float64)
    g = (group[:, None] == np.arange(layout.shape[0])).astype(np.float64)
    p = (design.period[:, None] == np.arange(1, design.n_periods)).astype(np.float64)
    treated, plain = [cell], [g, p]
    for x in design.covariates.T:
        centred = x - (np.bincount(group, x * w) / np.bincount(group, w))[group]
        treated.append(cell * centred[:, None])
        plain += [g * x[:, None], p * x[:, None]]
    columns = np.column_stack(treated + plain)
    n_own = sum(c.shape[1] for c in treated)
    beta = np.zeros(columns.shape[1])
    if family == "poisson":
        beta[n_own : n_own + layout.shape[0]] = np.log(design.y.mean())
    for _ in range(60):
        mu = mean_of(family, columns @ beta)
        slope = slope_of(family, mu)
        score = columns.T @ (w * (design.y - mu))
        beta += np.linalg.pinv(columns.T @ (columns * (w * slope)[:, None]), rcond=1e-13) @ score
    mu = mean_of(family, columns @ beta)
    without = np.where(np.arange(columns.shape[1]) < n_own, 0.0, columns)
    mu0 = mean_of(family, without @ beta)
    share = np.stack([w * (layout.cell == c) / w[layout.cell == c].sum() for c in codes])
    effect, base = share @ (mu - mu0), share @ mu0
    jacobian0 = share @ (without * slope_of(family, mu0)[:, None])
    jacobian = share @ (columns * slope_of(family, mu)[:, None]) - jacobian0
    bread = np.linalg.pinv(columns.T @ (columns * (w * slope_of(family, mu))[:, None]), rcond=1e-13)
    scores = np.zeros((design.clusters[0].size, columns.shape[1]))
    np.add.at(scores, design.clusters[0].codes, columns * (w * (design.y - mu))[:, None])
    moved = scores @ bread
    mass = layout.weight[k, t] * (layout.event[k, t] >= 0)
    ratio = float(mass @ effect / (mass @ base))
    gradient = (mass @ jacobian - ratio * (mass @ jacobian0)) / (mass @ base)
    iid = np.sqrt(np.diag(jacobian @ bread @ jacobian.T))
    return Brute(effect, np.linalg.norm(moved @ jacobian.T, axis=0), iid, ratio, float(np.linalg.norm(moved @ gradient)))


@pytest.mark.parametrize("family", OUTCOME)
@pytest.mark.parametrize("case", CASES)
def test_equals_the_regression_on_columns(family: Any, case: str) -> None:
    frame, weight, options = CASES[case]
    design = worlds.design_of(frame, OUTCOME[family], weight, **options)
    effects, expected = fit(design, family=family, ssc="none"), brute(design, family)
    own = ~effects.terms.reference
    np.testing.assert_allclose(effects.estimate[own], expected.estimate, rtol=1e-7, atol=1e-10)
    np.testing.assert_allclose(effects.std_error[own], expected.std_error, rtol=1e-7)
    if family != "gaussian":
        np.testing.assert_allclose(fit(design, family=family, ssc="none", vcov="iid").std_error[own], expected.iid, rtol=1e-7)
        assert effects.meta["overall_percent_effect"] == pytest.approx(100 * expected.ratio, rel=1e-7)
        assert effects.meta["overall_percent_std_error"] == pytest.approx(100 * expected.ratio_error, rel=1e-7)
        assert np.isinf(effects.df)


@pytest.mark.parametrize("vcov", ["hetero", "cluster"])
def test_other_covariances_of_the_linear_model(vcov: str) -> None:
    """Two groupings, and by row: against least squares on columns, whose cells' coefficients are effects when covariates are centred in cells."""
    options: dict[str, Any] = {"cluster": ["unit", "region"]} if vcov == "cluster" else {}
    design = worlds.design_of(GAPS, covariates="~ v", comparison="not-yet-treated", **options)
    effects = fit(design, vcov=vcov, ssc="none")
    layout = make_layout(design, "never-treated")
    own, _ = own_cells(layout)
    codes = np.flatnonzero(own.reshape(-1))
    cell = (layout.cell[:, None] == codes).astype(np.float64)
    v = design.covariates[:, 0]
    centred = v - (np.bincount(layout.cell, v) / np.maximum(np.bincount(layout.cell), 1))[layout.cell]
    group = (layout.group[design.unit][:, None] == np.arange(layout.shape[0])).astype(np.float64)
    period = (design.period[:, None] == np.arange(1, design.n_periods)).astype(np.float64)
    x = np.column_stack([cell, cell * centred[:, None], group, period, group * v[:, None], period * v[:, None]])
    bread = np.linalg.pinv(x.T @ x)
    beta = bread @ (x.T @ design.y)
    half = (x * (design.y - x @ beta)[:, None]) @ bread[:, : len(codes)]

    def meat(labels: Any) -> worlds.Floats:
        sums = np.zeros((int(labels.max()) + 1, half.shape[1]))
        np.add.at(sums, labels, half)
        return np.asarray(sums.T @ sums)

    if vcov == "hetero":
        expected = half.T @ half
    else:
        a, b = (c.codes.astype(np.int64) for c in design.clusters)
        expected = meat(a) + meat(b) - meat(np.unique(a * 1000 + b, return_inverse=True)[1])
    np.testing.assert_allclose(effects.estimate, beta[: len(codes)], atol=1e-10)
    np.testing.assert_allclose(effects.vcov, expected, rtol=1e-7, atol=1e-12)


def test_never_treated_comparison_is_sun_and_abraham() -> None:
    design = world.make(BALANCED)
    one, two = fit(design, ssc="none"), sun_abraham.fit(design, ssc="none")
    np.testing.assert_allclose(one.estimate, two.estimate, atol=1e-12)
    np.testing.assert_allclose(one.vcov, two.vcov, atol=1e-13)


def test_unit_effects_change_nothing_where_covariates_and_sample_are_fixed() -> None:
    design = world.make(BALANCED, covariates="~ x + z", comparison="not-yet-treated")
    one, two = fit(design, ssc="none"), fit(design, ssc="none", unit_effects=True)
    np.testing.assert_allclose(two.estimate, one.estimate, atol=1e-9)
    np.testing.assert_allclose(two.std_error, one.std_error, rtol=1e-7)


def test_unit_effects_in_a_panel_with_gaps_equal_cells_beside_unit_effects() -> None:
    design = worlds.design_of(GAPS, comparison="not-yet-treated")
    effects = fit(design, unit_effects=True)
    expected, cells = worlds.on_columns(design, lambda layout: own_cells(layout)[0][:-1])
    worlds.agree(effects, expected, cells)
    assert "etwfe-unbalanced" in [n.code for n in fit(design).notes]
    with_covariates = fit(worlds.design_of(GAPS, covariates="~ v + x", fe=["region^year"], cluster="region"), unit_effects=True, vcov="CR2")
    assert with_covariates.term_df is not None
    assert np.isfinite(with_covariates.estimate).all()


def test_invariances() -> None:
    plain = fit(world.make(GAPS, covariates="~ v", comparison="not-yet-treated"))
    moved = GAPS.with_columns(
        unit=pl.col("unit").rank("dense").cast(pl.Int64) * 7 % 131,
        y=3 * (pl.col("y") + pl.col("year").sin() + pl.col("g").fill_null(0)),
        v=5 - 2 * pl.col("v"),
    ).sample(fraction=1, shuffle=True, seed=1)
    other = fit(world.make(moved, covariates="~ v", comparison="not-yet-treated"))
    np.testing.assert_allclose(other.estimate, 3 * plain.estimate, atol=1e-9)
    np.testing.assert_allclose(other.std_error, 3 * plain.std_error, rtol=1e-8)


def test_poisson_scales_with_the_unit_of_the_outcome_and_fits_the_treated_means() -> None:
    design = worlds.design_of(BALANCED, "count", covariates="~ x")
    one, ten = fit(design, family="poisson"), fit(replace(design, y=10 * design.y), family="poisson")
    np.testing.assert_allclose(ten.estimate, 10 * one.estimate, rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(ten.meta["overall_percent_effect"], one.meta["overall_percent_effect"], rtol=1e-8)


@pytest.mark.parametrize("unit", [1e-16, 1e16])
def test_poisson_finds_the_same_effects_in_the_smallest_and_largest_units(unit: float) -> None:
    design = worlds.design_of(BALANCED, "count")
    one, other = fit(design, family="poisson"), fit(replace(design, y=unit * design.y), family="poisson")
    np.testing.assert_allclose(other.estimate, unit * one.estimate, rtol=1e-7)
    np.testing.assert_allclose(other.meta["overall_percent_std_error"], one.meta["overall_percent_std_error"], rtol=1e-7)
    assert "etwfe-extreme" not in {n.code for n in other.notes}


def test_effects_in_per_cent_are_those_of_the_terms() -> None:
    """Relative to the mean without treatment, y less the effect; also where the first cell, or a reference, has none."""
    gaps = BALANCED.filter(~((pl.col("year") == 4) & (pl.col("g").is_null() | (pl.col("g") > 4))))
    for design in (worlds.design_of(BALANCED, "count"), worlds.design_of(gaps, "count", comparison="not-yet-treated")):
        effects = fit(design, family="poisson")
        percent, error = effects.meta["cell_percent_effect"], effects.meta["cell_percent_std_error"]
        live = np.isfinite(effects.std_error)
        assert [v is not None for v in percent] == [v is not None for v in error] == live.tolist()
        assert not live.all()
        cohort, time = design.cohort[design.unit], design.periods[design.period]
        for i in np.flatnonzero(live):
            mean = design.y[(cohort == effects.terms.cohort[i]) & (time == effects.terms.time[i])].mean()
            assert percent[i] == pytest.approx(100 * effects.estimate[i] / (mean - effects.estimate[i]), rel=1e-8)
            assert error[i] > 0
        assert effects.meta["overall_percent_std_error"] > 0


def test_clusters_that_units_move_between_are_said_beside_cohort_effects() -> None:
    frame = BALANCED.with_columns(block=(pl.col("year") > 4).cast(pl.String) + (pl.col("unit").cast(pl.String).str.slice(-1)))
    codes = [
        {n.code for n in fit(worlds.design_of(frame, cluster=c), unit_effects=u).notes} for c, u in (("block", False), ("block", True))
    ]
    assert ["etwfe-clusters-cut-units" in c for c in codes] == [True, False]
    assert "etwfe-clusters-cut-units" not in {n.code for n in fit(worlds.design_of(frame)).notes}


def test_averages_weigh_cells_by_the_rows_behind_them_when_the_panel_has_gaps() -> None:
    effects = fit(worlds.design_of(GAPS, comparison="not-yet-treated"))
    rows = {(r["g"], r["year"]): r["len"] for r in GAPS.group_by("g", "year").len().iter_rows(named=True)}
    weight = np.array([rows[g, t] for g, t in zip(effects.terms.cohort, effects.terms.time, strict=True)], dtype=np.float64)
    assert effects.aggregate("overall").estimate[0] == pytest.approx(weight @ effects.estimate / weight.sum(), rel=1e-12)


def test_cohorts_without_a_finite_counterfactual_are_left_out_by_name() -> None:
    frame = BALANCED.with_columns(count=pl.when((pl.col("g") == 6) & (pl.col("year") < 6)).then(0.0).otherwise(pl.col("count")))
    effects = fit(worlds.design_of(frame, "count", comparison="not-yet-treated"), family="poisson")
    assert set(effects.terms.cohort.tolist()) == {4}
    assert [n.values["cohorts"] for n in effects.notes if n.code == "etwfe-separated-cohorts"] == ["6"]


def test_effects_that_untreated_rows_do_not_reach_are_missing_and_named() -> None:
    """Without rows of the never treated in the last period, nothing untreated is seen there."""
    frame = BALANCED.filter(~((pl.col("year") == 7) & pl.col("g").is_null()))
    effects = fit(worlds.design_of(frame, comparison="not-yet-treated"))
    assert not np.isfinite(effects.estimate[effects.terms.time == 7]).any()
    assert np.isfinite(effects.estimate[effects.terms.time < 7]).all()
    assert "saturated-not-identified" in [n.code for n in effects.notes]


@pytest.mark.parametrize(
    ("outcome", "options", "own", "code"),
    [
        ("y", {}, {"family": "poisson"}, "negative-outcome"),
        ("count", {}, {"family": "logit"}, "not-a-share"),
        ("y", {}, {"family": "probit"}, "unknown-value"),
        ("count", {}, {"family": "poisson", "unit_effects": True}, "not-defined"),
        ("y", {"fe": ["region^year"]}, {}, "not-defined"),
        ("y", {}, {"vcov": "CR2"}, "not-defined"),
        ("y", {}, {"unit_effects": "yes"}, "unknown-value"),
        ("y", {"cluster": "year"}, {}, "cluster-of-periods"),
    ],
)
def test_errors(outcome: str, options: dict[str, Any], own: dict[str, Any], code: str) -> None:
    with pytest.raises(EstimationError) as caught:
        fit(worlds.design_of(BALANCED, outcome, **options), **own)
    assert caught.value.findings[0].code == code


def test_constant_and_repeated_covariates_are_left_out_with_a_note() -> None:
    frame = BALANCED.with_columns(one=pl.lit(2.0), twice=2 * pl.col("v"))
    effects = fit(worlds.design_of(frame, covariates="~ v + one + twice"))
    assert [n.values["names"] for n in effects.notes if n.code == "collinear-dropped"] == ["'one', 'twice'"]
    np.testing.assert_allclose(effects.estimate, fit(worlds.design_of(frame, covariates="~ v")).estimate)


@pytest.mark.validate
@pytest.mark.parametrize("comparison", ["not-yet-treated", "never-treated"])
def test_bias_coverage_and_size_of_the_linear_model(comparison: Any, validated: Recorder) -> None:
    """Cohorts fixed over 1500 panels of 200 units; the truth is the mean effect over treated rows."""
    results = []
    for design, gain in worlds.draws(1500, 3):
        overall = fit(replace(design, comparison=comparison)).aggregate("overall")
        results.append((overall.estimate[0] - gain[gain > 0].mean(), overall.half_width()[0]))
    where = "effects differ by cohort and grow; AR(1) errors, 200 units × 8, other cohorts"
    validated("estimators", "etwfe", where, variant=comparison, seed=3).interval(*np.transpose(results), "overall")


@pytest.mark.validate
@pytest.mark.parametrize("family", ["poisson", "logit"])
def test_bias_coverage_and_size_of_the_nonlinear_models(family: Any, validated: Recorder) -> None:
    """Parallel trends hold in the link, not in levels: 1000 panels of 400 units; the linear model beside it is not centred on the truth."""
    rng = np.random.default_rng(4)
    results, linear = [], []
    for design, gain in worlds.draws(1000, 4, units=400, size=0.5):
        group = np.searchsorted(worlds.COHORTS, design.cohort)
        level = np.array([0.3, 0.0, 0.6, -0.6])[group][:, None]
        plain = level + 0.15 * design.periods if family == "poisson" else 2.5 * level + 0.35 * design.periods - 1.5
        mean, base = mean_of(family, plain + gain), mean_of(family, plain)
        y = rng.poisson(mean) if family == "poisson" else rng.random(mean.shape) < mean
        draw = replace(design, y=y.astype(np.float64).ravel(), comparison="not-yet-treated")
        truth = (mean - base)[gain > 0].mean()
        overall, ols = fit(draw, family=family).aggregate("overall"), fit(draw).aggregate("overall")
        results.append((overall.estimate[0] - truth, overall.half_width()[0]))
        linear.append(abs(ols.estimate[0] - truth) <= ols.half_width()[0])
    where = f"trends parallel in the {'logarithm' if family == 'poisson' else 'log-odds'}; 400 units × 8"
    validated("estimators", "etwfe", where, variant=family, seed=4).interval(*np.transpose(results), "overall")
    validated("failures", "etwfe", where, variant="linear", seed=4).coverage(linear, "overall", within=(0, 0.9), reason="known failure")
