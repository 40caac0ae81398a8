"""The imputation estimator: against its definition written out densely, properties, truth in simulated panels, bad input."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from recording import Recorder

sys.path.insert(0, str(Path(__file__).parent))

import staggered as world

import hinterland as hl
from hinterland.data.cohorts import NEVER
from hinterland.errors import EstimationError
from hinterland.evaluate.design import Design
from hinterland.evaluate.estimate import estimate, fit
from hinterland.evaluate.pretrends import pretrend_test
from hinterland.evaluate.result import Effects
from hinterland.evaluate.untreated import first_stage, untreated_sample
from hinterland.evaluate.untreated_absorbed import fit_absorbed
from hinterland.evaluate.untreated_grid import fit_grid
from hinterland.labels import LANGUAGES

Floats = np.ndarray[Any, np.dtype[np.float64]]
SETTINGS: dict[str, dict[str, Any]] = {
    "plain": {},
    "covariates": {"covariates": "~ v + z:year"},
    "weights": {"weight": "w"},
    "gaps": {"gaps": 0.15, "covariates": "~ v", "weight": "w"},
    "clusters": {"cluster": "region", "gaps": 0.1},
    "anticipation": {"anticipation": 1, "covariates": "~ v"},
}


@pytest.fixture(scope="module")
def frame() -> pl.DataFrame:
    return world.make_frame(90)


def design_of(frame: pl.DataFrame, *, gaps: float = 0.0, weight: str | None = None, **options: Any) -> Design:
    if gaps:
        frame = frame.filter(pl.Series(np.random.default_rng(5).random(len(frame)) >= gaps))
    return world.make(frame, weight=weight, **options)


def dense(design: Design) -> tuple[Floats, Floats]:
    """Overall estimate and standard error from dummies and a pseudo-inverse: eqs. 4, 6, 8 and 10 of the paper as they stand."""
    start = design.cohort[design.unit] - design.anticipation
    free = design.periods[design.period] < start
    post = design.treated
    columns = [np.eye(design.n_units)[design.unit], np.eye(design.n_periods)[design.period], design.covariates]
    columns += [np.eye(f.size)[f.codes] * (1.0 if f.slope is None else f.slope[:, None]) for f in design.fixed_effects]
    z = np.hstack(columns)
    w = np.ones(design.n_obs) if design.weight is None else design.weight
    bread = np.linalg.pinv(z[free].T @ (z[free] * w[free, None]), rcond=1e-11)
    effect = design.y - z @ (bread @ (z[free].T @ (w * design.y)[free]))
    target = w * post / (w * post).sum()
    v = -w * (z @ (bread @ (z.T @ target)))
    v[~free] = target[~free]
    centred = effect.copy()
    cell = design.cohort[design.unit] % 10_000 * 1000 + design.period
    for c in np.unique(cell[post]):
        rows = post & (cell == c)
        centred[rows] -= np.average(effect[rows], weights=v[rows] ** 2)
    sums = np.bincount(design.clusters[0].codes, weights=v * centred)
    return np.array([target @ effect]), np.array([np.sqrt(sums @ sums)])


@pytest.mark.parametrize("setting", SETTINGS)
def test_it_is_what_the_paper_defines(frame: pl.DataFrame, setting: str) -> None:
    design = design_of(frame, **SETTINGS[setting])
    ours = fit(design, "imputation").aggregate("overall")
    estimate_, error = dense(design)
    np.testing.assert_allclose(ours.estimate, estimate_, rtol=1e-9)
    np.testing.assert_allclose(ours.std_error, error, rtol=1e-8)


@pytest.mark.parametrize("fe", [["region^year"], ["region[v]"], ["unit[year]"]])
def test_further_fixed_effects_and_slopes(frame: pl.DataFrame, fe: list[str]) -> None:
    many = frame.with_columns(region=pl.col("region").str.slice(1).cast(pl.Int64) % 3)
    design = design_of(
        many.filter(pl.col("g").is_null() | (pl.col("g") > 3)), fe=fe, gaps=0.05, covariates="~ v" if fe != ["region[v]"] else None
    )
    ours = fit(design, "imputation")
    assert not [n for n in ours.notes if n.code == "untreated-not-determined"]
    estimate_, error = dense(design)
    np.testing.assert_allclose(ours.aggregate("overall").estimate, estimate_, rtol=1e-7)
    np.testing.assert_allclose(ours.aggregate("overall").std_error, error, rtol=1e-6)


@pytest.mark.parametrize("setting", SETTINGS)
def test_the_closed_form_agrees_with_the_general_one(frame: pl.DataFrame, setting: str) -> None:
    sample = untreated_sample(design_of(frame, **SETTINGS[setting]))
    grid, general = fit_grid(sample, sample.design.weight), fit_absorbed(sample, sample.design.weight)
    np.testing.assert_array_equal(grid.imputable, general.imputable)
    np.testing.assert_allclose(grid.residual[grid.imputable], general.residual[grid.imputable], atol=1e-9)
    np.testing.assert_allclose(grid.coefficients, general.coefficients, atol=1e-10)


def test_periods_without_untreated_units_are_left_out_and_named(frame: pl.DataFrame) -> None:
    treated = frame.filter(pl.col("g").is_not_null())
    for fe in ((), ("region[v]",)):
        ours = fit(design_of(treated, fe=list(fe)), "imputation")
        assert ours.terms.time.max() == 5
        note = next(n for n in ours.notes if n.code == "untreated-not-determined")
        assert note.values["periods"] == "6, 7"
        assert all(note.text(language) for language in LANGUAGES)
    shorter = fit(design_of(treated.filter(pl.col("year") < 6)), "imputation")
    np.testing.assert_allclose(fit(design_of(treated), "imputation").estimate, shorter.estimate, rtol=1e-9)


def test_periods_that_no_unit_connects_are_not_compared() -> None:
    early = pl.DataFrame(
        {"unit": ["a", "a", "b", "b", "c", "c"], "year": [1, 2] * 3, "y": [1.0, 2, 3, 5, 2, 2], "g": [2, 2, None, None, None, None]}
    )
    late = early.with_columns(unit=pl.col("unit") + "2", year=pl.col("year") + 10, g=pl.lit(None, pl.Int64))
    lone = pl.DataFrame({"unit": ["d", "d"], "year": [1, 12], "y": [1.0, 9.0], "g": [12, 12]})
    ours = fit(world.make(pl.concat([early, late, lone])), "imputation")
    assert ours.terms.name == ("cohort=2,time=2",)
    np.testing.assert_allclose(ours.estimate, [0.0], atol=1e-12)


def test_a_covariate_that_untreated_rows_do_not_vary_in(frame: pl.DataFrame) -> None:
    treated = (pl.col("year") >= pl.col("g")).fill_null(False)
    moved = frame.with_columns(q=(treated & (pl.col("year") == 6)).cast(pl.Float64) * pl.col("z"))
    ours = fit(design_of(moved, covariates=["q"]), "imputation")
    assert 6 not in ours.terms.time
    assert {"collinear-dropped", "untreated-not-determined"} <= {n.code for n in ours.notes}
    with pytest.raises(EstimationError, match="nothing-to-impute"):
        fit(design_of(frame.with_columns(q=treated.cast(pl.Float64) * (1.0 + pl.col("z"))), covariates=["q"]), "imputation")


def test_covariates_explained_by_others_are_dropped_with_a_note(frame: pl.DataFrame) -> None:
    ours = fit(design_of(frame.with_columns(v2=2 * pl.col("v")), covariates=["v", "v2", "x"]), "imputation")
    assert next(n for n in ours.notes if n.code == "collinear-dropped").values["names"] == "v2, x"
    np.testing.assert_allclose(ours.estimate, fit(design_of(frame, covariates=["v"]), "imputation").estimate, rtol=1e-9)


@pytest.mark.parametrize("apart", [1e-5, 1e-6, 1e-8])
@pytest.mark.parametrize("fe", [[], ["region^year"]])
def test_covariates_that_are_nearly_others_leave_every_effect(frame: pl.DataFrame, apart: float, fe: list[str]) -> None:
    noise = pl.Series(np.random.default_rng(2).normal(size=frame.height))
    ours = fit(design_of(frame.with_columns(v2=pl.col("v") + apart * noise), covariates=["v", "v2"], fe=fe), "imputation")
    np.testing.assert_allclose(ours.estimate, fit(design_of(frame, covariates=["v"], fe=fe), "imputation").estimate, rtol=1e-9)
    treated = (pl.col("year") >= pl.col("g")).fill_null(False)
    far = frame.with_columns(v2=pl.col("v") + 1e6 + treated.cast(pl.Float64))
    with pytest.raises(EstimationError, match="nothing-to-impute"):
        fit(design_of(far, covariates=["v", "v2"], fe=fe), "imputation")


def test_always_treated_units_are_left_out_and_named(frame: pl.DataFrame) -> None:
    early = frame.with_columns(g=pl.when(pl.col("unit") == "u0003").then(1).otherwise(pl.col("g")))
    ours = fit(design_of(early), "imputation")
    assert "u0003" in str(next(n for n in ours.notes if n.code == "always-treated-dropped"))
    np.testing.assert_allclose(ours.estimate, fit(design_of(frame.filter(pl.col("unit") != "u0003")), "imputation").estimate, rtol=1e-12)


def test_units_never_seen_untreated_are_left_out_and_named(frame: pl.DataFrame) -> None:
    unit = frame.filter(pl.col("g") == 4)["unit"][0]
    gone = frame.filter((pl.col("unit") != unit) | (pl.col("year") >= 4))
    assert unit in str(next(n for n in fit(design_of(gone), "imputation").notes if n.code == "untreated-never-seen"))
    everyone = frame.filter(pl.col("g").is_null() | (pl.col("year") >= pl.col("g")))
    with pytest.raises(EstimationError) as error:
        fit(design_of(everyone), "imputation")
    assert {f.code for f in error.value.findings} == {"nothing-to-impute"}


def test_a_single_untreated_unit_is_noted(frame: pl.DataFrame) -> None:
    only = frame.filter(pl.col("g").is_null())["unit"][0]
    ours = fit(design_of(frame.filter(pl.col("g").is_not_null() | (pl.col("unit") == only))), "imputation")
    assert next(n for n in ours.notes if n.code == "untreated-alone").values["periods"] == "6, 7"


# Variance ------------------------------------------------------------------------------------------------------------


def _error(design: Design, **options: Any) -> Floats:
    return fit(design, "imputation", **options).aggregate("overall").std_error


def test_means_by_cluster_differ_only_with_several_rows_of_a_cluster_in_a_group(frame: pl.DataFrame) -> None:
    by_unit, by_region = design_of(frame), design_of(frame, cluster="region")
    np.testing.assert_allclose(_error(by_unit, variance_means="cluster"), _error(by_unit), rtol=1e-12)
    assert not np.allclose(_error(by_region, variance_means="cluster"), _error(by_region), rtol=1e-4)


def test_leaving_one_out_matches_dropping_the_unit_from_its_mean(frame: pl.DataFrame) -> None:
    design = design_of(frame)
    base, out = fit(design, "imputation"), fit(design, "imputation", leave_one_out=True)
    size = base.terms.n_treated
    units = np.flatnonzero(design.cohort == 4)
    cell = int(np.flatnonzero((base.terms.cohort == 4) & (base.terms.time == 5))[0])
    stage = first_stage(untreated_sample(design), None)
    effect = stage.residual.reshape(design.n_units, -1)[units, 4]
    others = (effect.sum() - effect) / (len(units) - 1)
    jump = (out.influence - base.influence)[units, cell]
    np.testing.assert_allclose(jump, ((effect - others) - (effect - effect.mean())) / size[cell], atol=1e-12)
    assert (out.std_error > base.std_error).all()


@pytest.mark.parametrize("groups", ["cohort", "event-time", "period", "all"])
def test_broader_groups_are_more_conservative_when_effects_grow(frame: pl.DataFrame, groups: str) -> None:
    growing = frame.with_columns(y=pl.col("y") + 3 * (pl.col("year") - pl.col("g")).clip(lower_bound=0).fill_null(0))
    design = design_of(growing)
    errors = fit(design, "imputation", variance_groups=groups).std_error
    assert errors.mean() > fit(design, "imputation").std_error.mean() - 1e-12


def test_a_cohort_of_one_unit_is_named_and_needs_broader_groups(frame: pl.DataFrame) -> None:
    lone = frame.filter((pl.col("g") != 6).fill_null(True) | (pl.col("unit") == frame.filter(pl.col("g") == 6)["unit"][0]))
    design = design_of(lone)
    ours = fit(design, "imputation")
    assert "6" in str(next(n for n in ours.notes if n.code == "imputation-single-unit-cohorts"))
    with pytest.raises(EstimationError, match="one cluster"):
        fit(design, "imputation", leave_one_out=True)
    assert np.isfinite(fit(design, "imputation", leave_one_out=True, variance_groups="event-time").std_error).all()


def test_averages_weigh_by_observations(frame: pl.DataFrame) -> None:
    design = untreated_sample(design_of(frame, gaps=0.2, weight="w")).design
    ours = fit(design, "imputation")
    stage = first_stage(untreated_sample(design), design.weight)
    assert design.weight is not None
    for kind, key in (
        ("event-time", design.event_time),
        ("calendar", design.periods[design.period]),
        ("cohort", design.cohort[design.unit]),
    ):
        means = ours.aggregate(kind)  # type: ignore[arg-type]
        values = getattr(means.terms, {"event-time": "event_time", "calendar": "time", "cohort": "cohort"}[kind])
        for value, mean in zip(values, means.estimate, strict=True):
            rows = design.treated & (key == value)
            np.testing.assert_allclose(mean, np.average(stage.residual[rows], weights=design.weight[rows]), rtol=1e-10)
        assert np.isfinite(means.aggregate("overall").std_error).all()


# Leads ---------------------------------------------------------------------------------------------------------------


def test_leads_do_not_use_treated_rows(frame: pl.DataFrame) -> None:
    treated = (pl.col("year") >= pl.col("g")).fill_null(False)
    a = fit(design_of(frame), "imputation", pretrends=2)
    b = fit(design_of(frame.with_columns(y=pl.col("y") + 100 * treated.cast(pl.Float64))), "imputation", pretrends=2)
    pre = a.terms.event_time < 0
    assert a.terms.event_time[pre].tolist() == [-2, -1]
    np.testing.assert_allclose(a.estimate[pre], b.estimate[pre], rtol=1e-9)
    np.testing.assert_allclose(a.vcov, a.influence.T @ a.influence, atol=1e-15)
    plain = fit(design_of(frame), "imputation").aggregate("event-time")
    np.testing.assert_allclose(a.estimate[~pre], plain.estimate)
    np.testing.assert_allclose(a.vcov[np.ix_(~pre, ~pre)], plain.vcov)
    assert pretrend_test(a).n_leads == 2


def test_all_leads_leave_one_as_reference(frame: pl.DataFrame) -> None:
    ours = fit(design_of(frame), "imputation", pretrends=9)
    assert ours.terms.event_time[ours.terms.reference].tolist() == [-1]
    assert any(n.code == "imputation-lead-reference" for n in ours.notes)
    with pytest.raises(EstimationError, match="no treated unit is observed"):
        fit(design_of(frame.filter(pl.col("year") > 2), anticipation=3), "imputation", pretrends=1)


def test_leads_with_gaps_clusters_and_the_last_cohort_beyond_the_untreated_rows(frame: pl.DataFrame) -> None:
    treated = frame.filter(pl.col("g").is_not_null())
    ours = fit(design_of(treated, gaps=0.1, cluster="region"), "imputation", pretrends=1)
    assert ours.influence.shape[0] == len(ours.clusters) == treated["region"].n_unique()
    assert np.isfinite(ours.std_error).all()


# Options and truth ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [{"variance_groups": "cohorts"}, {"variance_means": "unit"}, {"pretrends": -1}, {"pretrends": 1.5}, {"leave_one_out": "yes"}],
)
def test_bad_options_are_refused(frame: pl.DataFrame, options: dict[str, Any]) -> None:
    with pytest.raises(EstimationError):
        fit(design_of(frame), "imputation", **options)


def test_two_way_clusters_are_refused(frame: pl.DataFrame) -> None:
    with pytest.raises(EstimationError, match="changes over time"):
        fit(design_of(frame, cluster=["unit", "year"]), "imputation")


def test_clusters_that_cut_through_units(frame: pl.DataFrame) -> None:
    moved = frame.with_columns(place=pl.col("region") + (pl.col("year") > 3).cast(pl.String))
    design = design_of(moved, cluster="place")
    estimate_, error = dense(design)
    ours = fit(design, "imputation").aggregate("overall")
    np.testing.assert_allclose(ours.estimate, estimate_, rtol=1e-9)
    np.testing.assert_allclose(ours.std_error, error, rtol=1e-7)


def test_without_errors_the_effects_are_exact() -> None:
    frame = world.make_frame(60)
    effect = pl.when(pl.col("year") >= pl.col("g")).then(1.0 + pl.col("year") - pl.col("g")).otherwise(0.0)
    level = pl.col("unit").str.slice(1).cast(pl.Int64) * 0.7 + (pl.col("year") * 1.3).sin() + 2 * pl.col("v")
    ours = fit(design_of(frame.with_columns(y=level + effect), covariates="~ v"), "imputation")
    np.testing.assert_allclose(ours.estimate, 1.0 + ours.terms.event_time, atol=1e-9)
    assert (ours.terms.cohort != NEVER).all()


def test_it_is_reached_by_name(frame: pl.DataFrame) -> None:
    panel = hl.read_panel(frame, unit="unit", time="year")
    ours: Effects = estimate(panel, "y", hl.adoption(panel, "g"), "imputation", bootstrap={"draws": 99})
    assert ours.aggregation == "group-time"
    assert ours.band is not None


# What must not matter -------------------------------------------------------------------------------------------------

METHODS = ("imputation", "two-stage")


def _same(a: Effects, b: Effects) -> None:
    np.testing.assert_allclose(a.estimate, b.estimate, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(a.std_error, b.std_error, rtol=1e-7)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("gaps", [0.0, 0.1])
def test_order_names_and_unit_and_period_shifts(frame: pl.DataFrame, method: str, gaps: float) -> None:
    plain = frame.filter(pl.Series(np.random.default_rng(8).random(len(frame)) >= gaps))
    number = pl.col("unit").str.slice(1).cast(pl.Int64)
    renamed = plain.with_columns(unit=pl.format("城市{}", 9000 - number))
    shifted = plain.with_columns(y=pl.col("y") + number - 3 * pl.col("year"))
    base = fit(world.make(plain, covariates="~ v"), method).aggregate("event-time")
    for other in (plain.sample(fraction=1.0, shuffle=True, seed=1), renamed, shifted):
        _same(fit(world.make(other, covariates="~ v"), method).aggregate("event-time"), base)


@pytest.mark.parametrize("method", METHODS)
def test_a_weight_counts_like_copies_of_the_unit(frame: pl.DataFrame, method: str) -> None:
    copies = pl.concat(
        frame.filter(pl.col("w") > k).with_columns(owner=pl.col("unit"), unit=pl.format("{}-{}", "unit", pl.lit(k))) for k in range(3)
    )
    options = {"variance_means": "cluster"} if method == "imputation" else {}
    ours, many = fit(world.make(frame, weight="w"), method, **options), fit(world.make(copies, cluster="owner"), method, **options)
    _same(ours, many)
    for kind in ("overall", "event-time", "cohort", "calendar"):
        _same(ours.aggregate(kind), many.aggregate(kind))  # type: ignore[arg-type]


@pytest.mark.validate
@pytest.mark.parametrize("method", ["imputation", "two-stage"])
def test_bias_coverage_and_size(method: str, validated: Recorder) -> None:
    """AR(1) errors, effects that grow and differ between cohorts: 1500 panels of 200 units."""
    from hinterland.evaluate.result import Effects as _Effects

    reps, results, tests = 1500, [], []
    for r in range(reps):
        frame, true = correlated(200, r)
        design = world.make(frame)
        ours: _Effects = fit(design, method).aggregate("overall")
        results.append((ours.estimate[0] - true, ours.half_width()[0]))
        if method == "imputation":
            tests.append(pretrend_test(fit(design, method, pretrends=2)).p_value < 0.05)
    where = "effects grow and differ; AR(1) errors, 200 units × 8, two cohorts"
    validated("estimators", method, where, seed=0).interval(*np.transpose(results), "overall")
    if tests:
        validated("tests", "pretrend_test", where, variant="imputation, leads on untreated rows", seed=0).size(tests)


def correlated(n: int, seed: int) -> tuple[pl.DataFrame, float]:
    """n units × 8 periods, cohorts 4 and 6 and never treated, AR(1) errors; true mean effect of the sample's treated rows."""
    rng = np.random.default_rng(seed)
    g = np.array([4, 6, 0, 0, 0])[np.arange(n) % 5]
    t = np.arange(1, 9)
    error = rng.normal(size=(n, 8))
    for j in range(1, 8):
        error[:, j] += 0.4 * error[:, j - 1]
    on = (g[:, None] > 0) & (t >= g[:, None])
    effect = on * (0.5 + 0.2 * (t - g[:, None]) + 0.1 * (g[:, None] == 4))
    y = rng.normal(size=n)[:, None] + 0.3 * t + 0.1 * g[:, None] + effect + error
    frame = pl.DataFrame(
        {
            "unit": np.repeat(np.arange(n), 8),
            "year": np.tile(t, n),
            "y": y.ravel(),
            "g": pl.Series(np.repeat(g, 8)).replace(0, None),
        }
    )
    return frame, float(effect[on].mean())
