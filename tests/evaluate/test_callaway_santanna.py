"""Group-time effects: properties, truth in simulated panels, and what happens to bad input."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from recording import Recorder

sys.path.insert(0, str(Path(__file__).parent))

import staggered as world

from hinterland.errors import DataWarning, EstimationError, EstimationWarning
from hinterland.evaluate import drdid, drdid_sections
from hinterland.evaluate.callaway_santanna import fit, sum_by_cluster
from hinterland.evaluate.drdid import Rule, fit_logit
from hinterland.evaluate.result import Effects
from hinterland.labels import LANGUAGES

METHODS = ("dr", "ipw", "or")


@pytest.fixture(scope="module")
def frame() -> pl.DataFrame:
    return world.make_frame()


def _equal(a: Effects, b: Effects, rtol: float = 1e-9) -> None:
    assert a.terms.name == b.terms.name
    np.testing.assert_allclose(a.estimate, b.estimate, rtol=rtol, atol=1e-10)
    np.testing.assert_allclose(a.vcov, b.vcov, rtol=rtol, atol=1e-12)


def _codes(effects: Effects) -> list[str]:
    return [n.code for n in effects.notes if n.code.startswith("cs-")]


def _say(effects: Effects) -> Iterator[str]:
    for note in effects.notes:
        for language in LANGUAGES:
            yield note.text(language)


# Properties ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("panel", [True, False])
def test_methods_agree_without_covariates(frame: pl.DataFrame, panel: bool) -> None:
    fits = [fit(world.make(frame), est_method=m, panel=panel) for m in METHODS]
    _equal(fits[0], fits[1])
    _equal(fits[0], fits[2])


def test_without_covariates_it_is_a_difference_of_mean_changes(frame: pl.DataFrame) -> None:
    effects = fit(world.make(frame))
    wide = frame.pivot("year", index=["unit", "g"], values="y")
    change = wide["6"] - wide["3"]
    treated, never = wide["g"] == 4, wide["g"].is_null()
    expected = float(change.filter(treated).mean()) - float(change.filter(never).mean())  # type: ignore[arg-type]
    variance = sum(float(change.filter(k).var(ddof=0)) / int(k.sum()) for k in (treated, never))  # type: ignore[arg-type]
    i = effects.terms.name.index("cohort=4,time=6")
    assert effects.estimate[i] == pytest.approx(expected)
    assert effects.vcov[i, i] == pytest.approx(variance)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("panel", [True, False])
def test_nothing_depends_on_the_order_or_names_of_units(frame: pl.DataFrame, method: str, panel: bool) -> None:
    names = dict(zip(frame["unit"].unique(maintain_order=True), [f"z{i * 7919 % 120:04d}" for i in range(120)], strict=True))
    shuffled = frame.with_columns(pl.col("unit").replace_strict(names)).sample(fraction=1, shuffle=True, seed=3)
    options = {"covariates": "~ x + z", "cluster": "region"}
    _equal(
        fit(world.make(frame, **options), est_method=method, panel=panel),  # type: ignore[arg-type]
        fit(world.make(shuffled, **options), est_method=method, panel=panel),  # type: ignore[arg-type]
        rtol=1e-7,
    )


@pytest.mark.parametrize("comparison", ["never-treated", "not-yet-treated"])
def test_unit_and_period_shifts_leave_no_trace(frame: pl.DataFrame, comparison: str) -> None:
    moved = frame.with_columns(y=pl.col("y") + 5 * pl.col("x") + pl.col("year") ** 2 * 3)
    _equal(
        fit(world.make(frame, comparison=comparison, covariates="~ x")),
        fit(world.make(moved, comparison=comparison, covariates="~ x")),
        1e-6,
    )


def test_location_and_scale_of_covariates_do_not_matter(frame: pl.DataFrame) -> None:
    moved = frame.with_columns(x=100 + 0.1 * pl.col("x"), z=-7 * pl.col("z"))
    _equal(fit(world.make(frame, covariates="~ x + z")), fit(world.make(moved, covariates="~ x + z")), rtol=1e-6)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("panel", [True, False])
def test_weights_are_replication(frame: pl.DataFrame, method: str, panel: bool) -> None:
    """A unit of weight k is k units of its cluster: the same estimates and, clustered by the unit they copy, the same variance."""
    copies = pl.concat(
        [frame.filter(pl.col("w") > k).with_columns(source=pl.col("unit"), unit=pl.col("unit") + f"-{k}") for k in range(3)]
    ).sort("unit", "year")
    weighted = fit(world.make(frame, weight="w", covariates="~ x + v"), est_method=method, panel=panel)  # type: ignore[arg-type]
    copied = fit(world.make(copies, covariates="~ x + v", cluster="source"), est_method=method, panel=panel)  # type: ignore[arg-type]
    _equal(weighted, copied, rtol=1e-7)
    for kind in ("overall", "event-time", "cohort", "calendar"):
        _equal(weighted.aggregate(kind), copied.aggregate(kind), rtol=1e-7)  # type: ignore[arg-type]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("base", ["varying", "universal"])
@pytest.mark.parametrize("comparison", ["never-treated", "not-yet-treated"])
def test_cells_that_share_work_equal_cells_alone(frame: pl.DataFrame, method: str, base: str, comparison: str) -> None:
    """One extra unit seen once forces the cell-by-cell path for gaps, which shares nothing."""
    extra = frame.head(1).with_columns(unit=pl.lit("zzz"), g=pl.lit(None, pl.Int64))
    options = {"covariates": "~ x + z", "comparison": comparison}
    whole = fit(world.make(frame, **options), est_method=method, base_period=base)  # type: ignore[arg-type]
    gaps = fit(world.make(pl.concat([frame, extra]), **options), est_method=method, base_period=base)  # type: ignore[arg-type]
    np.testing.assert_allclose(whole.estimate, gaps.estimate, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(whole.vcov, gaps.vcov, rtol=1e-7, atol=1e-12)
    assert _codes(gaps) == ["cs-pairwise"]


@pytest.mark.parametrize("method", METHODS)
def test_influence_is_the_derivative_of_the_estimate(frame: pl.DataFrame, method: str) -> None:
    """The influence of a unit is the derivative of each estimate in the unit's weight (panel, aggregations too)."""
    _check_derivative(frame, method, panel=True)


@pytest.mark.parametrize("method", METHODS)
def test_influence_is_the_derivative_on_cross_sections(frame: pl.DataFrame, method: str) -> None:
    _check_derivative(frame, method, panel=False)


def _check_derivative(frame: pl.DataFrame, method: str, *, panel: bool) -> None:
    step, unit = 1e-4, frame["unit"].unique().sort()[17]

    def estimates(weight: float) -> list[np.ndarray]:
        weighted = frame.with_columns(w=pl.when(pl.col("unit") == unit).then(weight).otherwise(1.0))
        cells = fit(world.make(weighted, weight="w", covariates="~ x + v"), est_method=method, panel=panel)  # type: ignore[arg-type]
        return [cells.estimate, cells.aggregate("event-time").estimate, cells.aggregate("overall").estimate]

    slopes = [(up - down) / (2 * step) for up, down in zip(estimates(1 + step), estimates(1 - step), strict=True)]
    cells = fit(world.make(frame, covariates="~ x + v"), est_method=method, panel=panel)  # type: ignore[arg-type]
    row = int(np.flatnonzero(cells.clusters == unit)[0])
    for effects, slope in zip([cells, cells.aggregate("event-time"), cells.aggregate("overall")], slopes, strict=True):
        np.testing.assert_allclose(effects.influence[row], slope, rtol=1e-4, atol=1e-8)


def test_the_other_sign_of_drdid_is_not_the_derivative() -> None:
    rng = np.random.default_rng(0)
    n = 2000
    x = rng.normal(size=n)
    d = rng.random(n) < 1 / (1 + np.exp(-x - x**2 + 1))
    post = rng.random(n) < 0.5
    y = x**2 * (1 + post) + d * post + rng.normal(size=n)

    def cell(w: np.ndarray, of: str = "exact") -> drdid_sections.SectionCell:
        rows = drdid_sections.Rows(y, post, d, np.column_stack([np.ones(n), x]), w)
        return drdid_sections.section_cell(rows, Rule("dr", 0.995), of)  # type: ignore[arg-type]

    one = np.ones(n)
    for i in np.flatnonzero(~d & ~post)[:5]:
        bump = 1e-4 * (np.arange(n) == i)
        slope = (cell(one + bump).att - cell(one - bump).att) / 2e-4
        assert cell(one).influence[i] == pytest.approx(slope, rel=1e-3, abs=1e-9)
        assert abs(cell(one, "drdid").influence[i] - slope) > 10 * abs(cell(one).influence[i] - slope)


def test_time_varying_covariates_and_weights_come_from_the_earlier_period(frame: pl.DataFrame) -> None:
    effects = fit(world.make(frame, covariates="~ v"), est_method="or")
    wide = frame.pivot("year", index=["unit", "g"], values=["y", "v"])
    never = wide["g"].is_null().to_numpy()
    for g, t, base in ((4, 6, 3), (6, 3, 2)):
        change = (wide[f"y_{t}"] - wide[f"y_{base}"]).to_numpy()
        x = np.column_stack([np.ones(len(wide)), wide[f"v_{min(t, base)}"].to_numpy()])
        beta = np.linalg.lstsq(x[never], change[never], rcond=None)[0]
        member = (wide["g"] == g).fill_null(value=False).to_numpy()
        i = effects.terms.name.index(f"cohort={g},time={t}")
        assert effects.estimate[i] == pytest.approx((change - x @ beta)[member].mean())


def test_clusters_of_units_are_sums(frame: pl.DataFrame) -> None:
    units, regions = fit(world.make(frame)), fit(world.make(frame, cluster="region"))
    assert regions.influence.shape[0] == len(regions.clusters) == regions.meta["n_clusters"] == 15
    np.testing.assert_allclose(regions.influence.sum(axis=0), units.influence.sum(axis=0), atol=1e-12)
    np.testing.assert_allclose(regions.influence.T @ regions.influence, regions.vcov)
    np.testing.assert_allclose(units.influence.T @ units.influence, units.vcov)


def test_sum_by_cluster() -> None:
    values = np.arange(8.0).reshape(4, 2)
    np.testing.assert_array_equal(sum_by_cluster(values, np.array([2, 0, 2, 0], np.int32), 3), [[8, 10], [0, 0], [4, 6]])
    np.testing.assert_array_equal(sum_by_cluster(values, np.array([1, 0, 3, 2], np.int32), 4), values[[1, 0, 3, 2]])
    np.testing.assert_array_equal(sum_by_cluster(values, np.array([0, 0, 2, 3], np.int32), 4), [[2, 4], [0, 0], [4, 5], [6, 7]])
    np.testing.assert_array_equal(sum_by_cluster(values[:2], np.array([1, 3], np.int32), 4), [[0, 0], [0, 1], [0, 0], [2, 3]])


def test_not_consecutive_periods(frame: pl.DataFrame) -> None:
    thinned = frame.filter(pl.col("year").is_in([1, 3, 4, 7]))
    effects = fit(world.make(thinned), base_period="universal")
    assert effects.terms.time[effects.terms.reference].tolist() == [3, 4]
    assert effects.aggregate("event-time").terms.event_time.tolist() == [-5, -3, -2, -1, 0, 1, 3]


def test_anticipation_moves_the_base_and_the_comparison(frame: pl.DataFrame) -> None:
    effects = fit(world.make(frame, anticipation=1), base_period="universal")
    base = {int(g): int(t) for g, t, r in zip(effects.terms.cohort, effects.terms.time, effects.terms.reference, strict=True) if r}
    assert base == {4: 2, 6: 4}
    late = frame.with_columns(g=pl.when(pl.col("g") == 6).then(8).otherwise(pl.col("g")))
    with_late = fit(world.make(late, anticipation=1))
    assert set(with_late.terms.cohort.tolist()) == {4, 8}
    assert with_late.meta["n_never"] == frame.filter(pl.col("g").is_null())["unit"].n_unique()


def test_separable_scores_are_no_overlap() -> None:
    x = np.column_stack([np.ones(8), np.r_[np.ones(4), -np.ones(4)]])
    assert not fit_logit(x, 4, None).overlap
    assert fit_logit(x[[0, 1, 4, 2, 3, 5, 6, 7]], 3, None).overlap


def test_scores_of_few_treated_units_are_found() -> None:
    """Full Newton steps often run away where covariates are skewed, though the likelihood has a maximum."""
    rng = np.random.default_rng(13)
    found = 0
    for _ in range(200):
        x = np.column_stack([np.ones(150), np.exp(rng.normal(size=(150, 3)))])
        x[:2, 1:] += rng.normal(size=3)
        logit = fit_logit(x, 2, None)
        if logit.overlap:
            found += not drdid._newton(x, 2, None, 1.0, guarded=False).overlap
            np.testing.assert_allclose(x[:2].sum(axis=0), logit.score @ x, atol=1e-4)
    assert found > 3


@pytest.mark.parametrize("panel", [True, False])
def test_comparison_units_unlike_every_treated_one_have_no_say(frame: pl.DataFrame, panel: bool) -> None:
    """A region without treated units: its scores run to zero, which leaves the weights as they are without it."""
    inside = pl.col("g").is_not_null() | (pl.col("unit").str.slice(1).cast(pl.Int64) % 3 > 0)
    marked = frame.with_columns(far=pl.when(inside).then(0.0).otherwise(1.0))
    whole = fit(world.make(marked, covariates="~ x + far"), est_method="ipw", panel=panel)
    near = fit(world.make(marked.filter(pl.col("far") == 0), covariates="~ x"), est_method="ipw", panel=panel)
    np.testing.assert_allclose(whole.estimate, near.estimate, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(whole.std_error, near.std_error, rtol=1e-6)
    if panel:
        assert np.isfinite(fit(world.make(marked, covariates="~ x + far")).std_error).all()


def test_overlap_is_judged_without_weights() -> None:
    rng = np.random.default_rng(4)
    x = np.column_stack([np.ones(40), np.r_[rng.normal(size=8) + 2, rng.normal(size=32)]])
    w = np.r_[np.full(8, 1e4), np.ones(32)]
    weighted = fit_logit(x, 8, w)
    assert weighted.score.max() > 0.999 and fit_logit(x, 8, None).overlap
    assert weighted.overlap


# Truth ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
def test_conditional_parallel_trends_need_the_covariate(method: str) -> None:
    estimate, half, _ = world.draw(240, 60, 100, method, "~ x", 1.0)
    mean_error = estimate.std() / np.sqrt(len(estimate))
    assert abs(estimate.mean() - world.truth(1.0)) < 3.5 * mean_error
    assert half.mean() / 1.96 == pytest.approx(estimate.std(), rel=0.3)
    plain, _, _ = world.draw(240, 10, 100, method, None, 1.0)
    assert plain.mean() - world.truth(1.0) > 0.2


@pytest.mark.validate
@pytest.mark.parametrize("method", METHODS)
def test_bias_coverage_and_size(method: str, validated: Recorder) -> None:
    """Adoption and trends depend on a covariate, and cohorts are drawn anew in each panel."""
    found = validated(
        "estimators",
        "callaway-santanna",
        "adoption and trends depend on x; 600 units × 6, cohorts drawn at random",
        variant=method,
        seed=10_000,
    )
    estimate, half, _ = world.draw(600, 1000, 10_000, method, "~ x", 1.0)
    found.interval(estimate - world.truth(1.0), half, "overall")
    assert np.mean(half) / 1.959964 == pytest.approx(np.std(estimate), rel=0.05)
    found.size(world.draw(600, 1000, 20_000, method, "~ x", 0.0)[2] < 0.05, "overall")


# Bad input -----------------------------------------------------------------------------------------------------------


def _findings(frame: pl.DataFrame, fit_options: dict[str, object] | None = None, **design: object) -> dict[str, str]:
    with pytest.raises(EstimationError) as caught, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit(world.make(frame, **design), **(fit_options or {}))  # type: ignore[arg-type]
    assert all(f.what and f.where and f.remedy for f in caught.value.findings)
    return {f.code: f.remedy for f in caught.value.findings}


def test_no_never_treated_unit(frame: pl.DataFrame) -> None:
    treated = frame.filter(pl.col("g").is_not_null())
    assert "not-yet-treated" in _findings(treated)["no-never-treated"]
    with pytest.warns(DataWarning, match="Every unit is treated in the end"):
        effects = fit(world.make(treated, comparison="not-yet-treated"))
    assert set(effects.terms.cohort.tolist()) == {4}
    assert effects.terms.time.max() == 5
    assert _findings(treated.filter(pl.col("g") == 4), comparison="not-yet-treated").keys() == {"no-comparison"}


def test_always_treated_units_are_named(frame: pl.DataFrame) -> None:
    early = frame.with_columns(g=pl.when(pl.col("unit") == "u0003").then(1).otherwise(pl.col("g")))
    with pytest.warns(DataWarning, match="'u0003'"):
        effects = fit(world.make(early, covariates="~ x"))
    assert _codes(effects) == ["cs-always-treated"]
    without = fit(world.make(frame.filter(pl.col("unit") != "u0003"), covariates="~ x"))
    np.testing.assert_allclose(effects.estimate, without.estimate)
    np.testing.assert_allclose(effects.vcov, without.vcov)
    np.testing.assert_allclose(effects.aggregate("overall").vcov, without.aggregate("overall").vcov)


def test_nobody_has_a_period_before(frame: pl.DataFrame) -> None:
    early = frame.with_columns(g=pl.when(pl.col("g").is_not_null()).then(2))
    assert _findings(early, anticipation=1).keys() == {"no-period-before"}


def test_cohort_of_one_unit_is_flagged(frame: pl.DataFrame) -> None:
    one = frame.with_columns(g=pl.when(pl.col("unit") == "u0003").then(5).otherwise(pl.col("g")))
    with pytest.warns(EstimationWarning, match="one unit only"):
        effects = fit(world.make(one))
    assert np.isfinite(effects.estimate).all()
    assert "cs-single-unit-cohorts" in _codes(effects)
    assert all(_say(effects))


def test_collinear_covariates_are_left_out(frame: pl.DataFrame) -> None:
    copied = frame.with_columns(x2=2 * pl.col("x") + 1, one=pl.lit(3.0))
    effects = fit(world.make(copied, covariates="~ x + x2 + one + z"))
    assert effects.meta["covariates"] == ["x", "z"]
    assert _codes(effects) == ["cs-collinear"]
    assert any("'x2', 'one'" in text for text in _say(effects))
    _equal(effects, fit(world.make(frame, covariates="~ x + z")))


def test_cells_without_overlap_stay_and_say_so(frame: pl.DataFrame) -> None:
    apart = frame.with_columns(s=pl.when(pl.col("g") == 6).then(10.0).otherwise(0.0) + 0.1 * pl.col("x"))
    with pytest.warns(EstimationWarning, match="covariates predict treatment"):
        effects = fit(world.make(apart, covariates="~ s"))
    failed = effects.terms.cohort == 6
    assert np.isnan(effects.estimate[failed]).all() and np.isfinite(effects.estimate[~failed]).all()
    assert np.isfinite(effects.vcov).all()
    assert effects.tidy()["estimate"].null_count() == failed.sum()
    event = effects.aggregate("event-time")
    assert np.isfinite(event.estimate).all() and "cs-cells-left-out" in _codes(event)
    assert event.aggregate("overall").notes == event.notes
    assert "est_method='or'" in _findings(apart.filter((pl.col("g") == 6) | pl.col("g").is_null()), covariates="~ s")["no-cell"]


def test_too_few_comparison_units_for_a_regression(frame: pl.DataFrame) -> None:
    never = frame.filter(pl.col("g").is_null())["unit"].unique().sort()[:2].to_list()
    few = frame.filter(pl.col("g").is_not_null() | pl.col("unit").is_in(never))
    with pytest.warns(EstimationWarning, match="never treated"):
        assert _codes(fit(world.make(few))) == ["cs-few-never-treated"]
    assert "no-cell" in _findings(few, {"est_method": "or"}, covariates="~ x + z + v")


def test_trimming_is_counted(frame: pl.DataFrame) -> None:
    effects = fit(world.make(frame, covariates="~ x + z"), trim=0.4)
    assert _codes(effects) == ["cs-trimmed"]
    assert not np.allclose(effects.estimate, fit(world.make(frame, covariates="~ x + z")).estimate)
    with pytest.raises(EstimationError, match="trimmed"):
        fit(world.make(frame, covariates="~ x + z"), trim=1e-9)


def test_gaps(frame: pl.DataFrame) -> None:
    rng = np.random.default_rng(0)
    gaps = frame.filter(pl.Series(rng.random(len(frame)) > 0.1))
    pairwise = fit(world.make(gaps, covariates="~ x"))
    assert _codes(pairwise) == ["cs-pairwise"]
    with pytest.warns(DataWarning, match="missing in some period"):
        balance = fit(world.make(gaps, covariates="~ x"), unbalanced="balance")
    full = gaps.filter(pl.len().over("unit") == 7)
    _equal(balance, fit(world.make(full, covariates="~ x")))
    sections = fit(world.make(gaps, covariates="~ x"), panel=False)
    assert _codes(sections) == ["cs-cross-sections"]
    wide = gaps.pivot("year", index=["unit", "g"], values="y")
    change = wide["5"] - wide["3"]
    expected = float(change.filter(wide["g"] == 4).mean()) - float(change.filter(wide["g"].is_null()).mean())  # type: ignore[arg-type]
    plain = fit(world.make(gaps))
    assert plain.estimate[plain.terms.name.index("cohort=4,time=5")] == pytest.approx(expected)
    for effects in (pairwise, balance, sections):
        assert effects.aggregate("overall").estimate[0] == pytest.approx(world.truth(1.0), abs=0.6)


def test_clusters_that_cut_through_units(frame: pl.DataFrame) -> None:
    moving = frame.with_columns(place=pl.when(pl.col("year") > 3).then(pl.lit("a")).otherwise(pl.col("region")))
    assert "panel=False" in _findings(moving, cluster="place")["cluster-not-nested"]
    assert fit(world.make(moving, cluster="place"), panel=False).meta["cluster"] == ["place"]


def test_infinite_covariate(frame: pl.DataFrame) -> None:
    assert "infinite-covariate" in _findings(frame.with_columns(x=pl.col("x").log().fill_nan(float("-inf"))), covariates="~ x")


def test_missing_values_make_gaps(frame: pl.DataFrame) -> None:
    holes = frame.with_columns(y=pl.when((pl.col("unit") == "u0005") & (pl.col("year") == 2)).then(None).otherwise(pl.col("y")))
    effects = fit(world.make(holes))
    assert [n.code for n in effects.notes][-1] == "cs-pairwise"
    assert any(n.code == "rows-missing" for n in effects.notes)


def test_bad_options_are_found_together(frame: pl.DataFrame) -> None:
    options: dict[str, object] = {"est_method": "drr", "base_period": "long", "trim": 2.0, "panel": "no", "unbalanced": "x"}
    with pytest.raises(EstimationError) as caught:
        fit(world.make(frame), **options)  # type: ignore[arg-type]
    assert len(caught.value.findings) == len(options)
    assert "'dr'" in str(caught.value)
