"""Doses: identities, a computation by hand, properties, bad input, and truth in simulated panels."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest
from recording import Recorder

from hinterland.data.adoption import adoption
from hinterland.data.cohorts import NEVER
from hinterland.data.panel import Panel
from hinterland.errors import EstimationError
from hinterland.evaluate.callaway_santanna import fit as callaway_santanna
from hinterland.evaluate.design import Design, make_design
from hinterland.evaluate.dose import fit
from hinterland.evaluate.dose_basis import bins, levels, spline
from hinterland.evaluate.estimate import estimate
from hinterland.evaluate.result import Effects
from hinterland.evaluate.twfe import fit as twfe
from hinterland.labels import LANGUAGES

PERIODS = 5
COHORTS = (3, 4, NEVER)
FLAT: dict[str, Any] = {"dose": "d", "degree": 1}


def draw(n: int, rng: np.random.Generator, *, effect: float = 1.0, discrete: bool = False) -> dict[str, Any]:
    """Cohort, dose and y [n, 5]; the effect of dose d is ``effect · (d + d²/2) (1 + 0.2 (t - g))``, so its slope is ``1 + d``."""
    cohort = rng.choice(COHORTS, size=n)
    dose = rng.choice([0.25, 0.5, 1.0], size=n) if discrete else np.round(0.05 + 2 * rng.beta(2, 2, size=n), 6)
    dose = np.where(cohort == NEVER, 0.0, dose)
    x = rng.normal(size=n)
    t = np.arange(1, PERIODS + 1)
    since = np.where(cohort == NEVER, -99, t[:, None] - cohort).T
    gain = effect * (dose + dose**2 / 2)[:, None] * (1 + 0.2 * since) * (since >= 0)
    y = rng.normal(size=n)[:, None] + 0.2 * t + gain + rng.normal(size=(n, PERIODS))
    return {"cohort": cohort, "dose": dose, "y": y, "x": x}


def make_frame(n: int = 300, seed: int = 0, **options: Any) -> pl.DataFrame:
    drawn = draw(n, np.random.default_rng(seed), **options)
    unit = np.repeat(np.arange(n), PERIODS)
    return pl.DataFrame(
        {
            "unit": [f"u{i:04d}" for i in unit],
            "year": np.tile(np.arange(1, PERIODS + 1), n),
            "y": drawn["y"].ravel(),
            "g": pl.Series(np.where(drawn["cohort"] == NEVER, 0, drawn["cohort"])[unit]).replace(0, None),
            "d": drawn["dose"][unit],
            "x": drawn["x"][unit],
            "w": np.random.default_rng(1).integers(1, 4, size=n)[unit],
            "region": [f"r{i % 20}" for i in unit],
        }
    )


def make(frame: pl.DataFrame, *, weight: str | None = None, **options: Any) -> Design:
    panel = Panel(frame.sort("unit", "year"), "unit", "year", weight=weight)
    return make_design(panel, "y", adoption(panel, "g"), columns=("d",), **options)


@pytest.fixture(scope="module")
def frame() -> pl.DataFrame:
    return make_frame()


def _equal(a: Effects, b: Effects, rtol: float = 1e-8) -> None:
    assert a.terms.name == b.terms.name
    np.testing.assert_allclose(a.estimate, b.estimate, rtol=rtol, atol=1e-9)
    np.testing.assert_allclose(a.vcov, b.vcov, rtol=1e-7, atol=1e-11)


# Identities ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{}, {"comparison": "not-yet-treated"}, {"covariates": "~ x"}, {"anticipation": 1}])
def test_levels_by_cohort_and_period_are_the_group_time_effects(frame: pl.DataFrame, options: dict[str, Any]) -> None:
    """Averaged over doses, the level effect is that of being treated: nothing new is assumed."""
    ours = fit(make(frame, **options), dose="d", by="group-time", base_period="universal")
    usual = callaway_santanna(make(frame, **options), est_method="or", base_period="universal")
    _equal(ours, usual)
    _equal(ours.aggregate("event-time"), usual.aggregate("event-time"))


def test_one_cell_by_hand(frame: pl.DataFrame) -> None:
    one = frame.filter(pl.col("g").is_null() | (pl.col("g") == 3), pl.col("year").is_in([2, 3]))
    wide = one.pivot("year", index=["unit", "g", "d"], values="y").with_columns(change=pl.col("3") - pl.col("2"))
    treated, never = wide.filter(pl.col("g").is_not_null()), wide.filter(pl.col("g").is_null())["change"].to_numpy()
    d, change = treated["d"].to_numpy(), treated["change"].to_numpy() - never.mean()
    design = np.vander(d, 4, increasing=True)
    beta = np.linalg.lstsq(design, change, rcond=None)[0]
    points = np.array([0.5, 1.0, 1.5])
    ours = fit(make(one), dose="d", target="both", grid=points.tolist())
    curve, slope = np.vander(points, 4, increasing=True) @ beta, beta[1] + 2 * beta[2] * points + 3 * beta[3] * points**2
    own = beta[1] + 2 * beta[2] * d + 3 * beta[3] * d**2
    np.testing.assert_allclose(ours.estimate, [change.mean(), *curve, own.mean(), *slope], rtol=1e-9)
    residual = change - design @ beta
    inverse = np.linalg.inv(design.T @ design)
    at = np.vander(points, 4, increasing=True)
    meat = inverse @ (design.T * residual**2) @ design @ inverse
    variance = np.einsum("ij,jk,ik->i", at, meat, at) + ((never - never.mean()) ** 2).sum() / len(never) ** 2
    np.testing.assert_allclose(ours.std_error[1:4], np.sqrt(variance), rtol=1e-9)
    assert ours.terms.name[:2] == ("att", "att(0.5)")


def test_levels_are_a_difference_in_mean_changes_per_dose() -> None:
    frame = make_frame(discrete=True)
    ours = fit(make(frame), dose="d", basis="levels", target="both")
    each = [callaway_santanna(make(frame.filter((pl.col("d") == d) | pl.col("g").is_null()))) for d in (0.25, 0.5, 1.0)]
    counts = np.array([frame.filter(d=d)["unit"].n_unique() for d in (0.25, 0.5, 1.0)])
    assert ours.meta["doses"] == [0.25, 0.5, 1.0]
    means = []
    for level, effects in zip((0.25, 0.5, 1.0), each, strict=True):
        by_cohort = effects.aggregate("cohort").estimate
        share = frame.group_by("g").agg(pl.col("unit").n_unique()).drop_nulls().sort("g")["unit"].to_numpy()
        means.append(float(share @ by_cohort / share.sum()))
        assert ours.estimate[ours.terms.name.index(f"att({level:g})")] == pytest.approx(means[-1], rel=1e-9)
    slopes = np.diff([0, *means]) / np.diff([0, 0.25, 0.5, 1.0])
    np.testing.assert_allclose(ours.estimate[-3:], slopes, rtol=1e-9)
    assert len(counts) == 3


def test_numbers_of_knots_and_bins_may_come_from_numpy(frame: pl.DataFrame) -> None:
    made = make(frame)
    _equal(fit(made, dose="d", knots=np.int64(1)), fit(made, dose="d", knots=1))  # type: ignore[arg-type]  # what numpy users pass
    _equal(fit(made, dose="d", basis="bins", bins=np.int64(3)), fit(made, dose="d", basis="bins", bins=3))  # type: ignore[arg-type]


def test_bins_are_levels_within_edges() -> None:
    frame = make_frame(discrete=True)
    stepped = fit(make(frame), dose="d", basis="bins", bins=[0.2, 0.4, 0.7, 1.0])
    exact = fit(make(frame), dose="d", basis="levels")
    np.testing.assert_allclose(stepped.estimate, exact.estimate, rtol=1e-9)
    np.testing.assert_allclose(stepped.std_error, exact.std_error, rtol=1e-9)


def test_splines_with_different_knots_agree_where_they_span_the_same() -> None:
    d = np.linspace(0.1, 2, 50)
    for basis in (spline(d, 3, 0), spline(d, 3, 2), spline(d, 2, [0.5, 1.1])):
        values = basis.values(d)
        np.testing.assert_allclose(values.sum(axis=1), 1)
        step = 1e-6
        inner = d[1:-1]
        numeric = (basis.values(inner + step) - basis.values(inner - step)) / (2 * step)
        np.testing.assert_allclose(basis.slopes(inner), numeric, atol=1e-5)
    assert levels(np.array([0.1, 0.1 + 1e-12, 0.5])).size == 2
    assert bins(d, 4).size == 4


def test_influence_is_the_derivative_of_the_estimate(frame: pl.DataFrame) -> None:
    """Moving one unit's weight moves every term by its influence, shares of cohorts and doses included."""
    w = frame.with_columns(v=pl.lit(1.0))
    base = fit(make(w, weight="v"), dose="d", target="both", degree=2)
    for unit in ("u0001", "u0002", "u0005"):
        step = 1e-5
        moved = w.with_columns(v=pl.when(pl.col("unit") == unit).then(1 + step).otherwise(1.0))
        change = (fit(make(moved, weight="v"), dose="d", target="both", degree=2, grid=base.meta["doses"]).estimate - base.estimate) / step
        np.testing.assert_allclose(change, base.influence[base.clusters.tolist().index(unit)], rtol=2e-3, atol=2e-6)


# Properties ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("covariates", [None, "~ x"])
def test_weights_are_replication(frame: pl.DataFrame, covariates: str | None) -> None:
    weighted = fit(make(frame, weight="w", covariates=covariates), **FLAT, target="both")
    copies = [frame.filter(pl.col("w") >= k).with_columns(pl.col("unit") + f"#{k}") for k in (1, 2, 3)]
    copied = pl.concat(copies).with_columns(origin=pl.col("unit").str.split("#").list.first())
    replicated = fit(make(copied, cluster="origin", covariates=covariates), **FLAT, target="both", grid=weighted.meta["doses"])
    _equal(weighted, replicated)


def test_shifts_by_unit_and_by_period_change_nothing(frame: pl.DataFrame) -> None:
    rng = np.random.default_rng(4)
    t = frame["year"].to_numpy()
    unit = np.repeat(rng.normal(size=len(frame) // PERIODS), PERIODS)
    moved = frame.with_columns(y=pl.col("y") + pl.Series(unit + rng.normal(size=9)[t]))
    _equal(fit(make(frame), dose="d", target="both"), fit(make(moved), dose="d", target="both"))


def test_scaling_the_dose_scales_the_slope(frame: pl.DataFrame) -> None:
    one, ten = (fit(make(frame.with_columns(d=pl.col("d") * k)), dose="d", target="both") for k in (1, 10))
    half = len(one.estimate) // 2
    np.testing.assert_allclose(ten.estimate[:half], one.estimate[:half], rtol=1e-8)
    np.testing.assert_allclose(ten.estimate[half:] * 10, one.estimate[half:], rtol=1e-8)


def test_gaps_use_units_seen_in_both_periods(frame: pl.DataFrame) -> None:
    kept = frame.filter(pl.Series(np.random.default_rng(2).random(len(frame)) > 0.15))
    ours, usual = fit(make(kept), dose="d", by="group-time"), callaway_santanna(make(kept), est_method="or")
    _equal(ours, usual)
    assert "cs-pairwise" in [n.code for n in ours.notes]
    assert np.isfinite(fit(make(kept), dose="d", target="both").std_error).all()


def test_averages_of_slopes_and_of_cells(frame: pl.DataFrame) -> None:
    design = make(frame)
    slope = fit(design, dose="d", by="group-time", target="slope")
    curve = fit(design, dose="d", target="both")
    cohorts = slope.aggregate("cohort").aggregate("overall")
    place = curve.terms.name.index("acrt")
    assert cohorts.estimate[0] == pytest.approx(curve.estimate[place], rel=1e-9)
    assert cohorts.std_error[0] == pytest.approx(curve.std_error[place], rel=1e-9)
    cells = fit(design, dose="d", average="cell")
    overall = fit(design, dose="d", by="group-time").aggregate("overall")
    assert cells.estimate[0] == pytest.approx(overall.estimate[0], rel=1e-9)
    assert cells.std_error[0] == pytest.approx(overall.std_error[0], rel=1e-9)


def test_a_band_covers_the_whole_curve(frame: pl.DataFrame) -> None:
    effects = fit(make(frame), dose="d").with_band(draws=499)
    assert effects.band is not None
    assert effects.band.critical > 2
    np.testing.assert_allclose(effects.influence.T @ effects.influence, effects.vcov, atol=1e-12)


def test_the_share_covered_is_the_dose_by_default(toy: Any, cohorts: Any) -> None:
    made = toy(60)
    units = [f"u{i:03d}" for i in range(60)]
    first = [(2004, 2006, None, None)[i % 4] for i in range(60)]
    share = [0.2 + 0.8 * ((i * 7) % 13) / 13 if f else 0.0 for i, f in enumerate(first)]
    effects = estimate(made.panel, "y", cohorts(units, first, share), "dose", degree=1, target="slope")
    assert effects.terms.name[0] == "acrt"
    assert effects.meta["dose"] == "share covered"


# Bad input -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "options", "code"),
    [
        (None, {"target": "levels"}, "unknown-value"),
        (None, {"by": "group-time", "target": "both"}, "unknown-value"),
        (None, {"basis": "bins", "target": "slope"}, "no-slope"),
        (None, {"degree": 0}, "not-whole"),
        (None, {"knots": -1}, "not-whole"),
        (None, {"knots": [9.0]}, "few-doses"),
        (None, {"grid": [5.0]}, "dose-outside"),
        (None, {"grid": ["a"]}, "not-a-number"),
        (None, {"basis": "bins", "bins": [0.0, 0.5]}, "dose-outside"),
        ((pl.col("d") * (1 + pl.col("year"))).alias("d"), {}, "dose-changes"),
        ((pl.col("d") * 0).alias("d"), {}, "dose-not-positive"),
        ((pl.col("d") + 1).alias("d"), {}, "dose-untreated"),
        (pl.when(pl.col("d") > 0).then(1.0).otherwise(0.0).alias("d"), {}, "few-doses"),
        (pl.col("d").cast(pl.String).alias("d"), {}, "not-numeric"),
    ],
)
def test_bad_input_is_a_finding(frame: pl.DataFrame, change: pl.Expr | None, options: dict[str, Any], code: str) -> None:
    table = frame if change is None else frame.with_columns(change)
    panel = Panel(table.sort("unit", "year"), "unit", "year")
    with pytest.raises(EstimationError) as caught:
        estimate(panel, "y", adoption(panel, "g"), "dose", **{"dose": "d", **options})
    assert code in [f.code for f in caught.value.findings]
    assert all(f.what and f.remedy for f in caught.value.findings)


def test_units_that_adopt_after_the_window_may_have_their_dose(frame: pl.DataFrame) -> None:
    table = frame.filter(pl.col("year") < 4)
    effects = fit(make(table), dose="d")
    nobody = fit(make(table.with_columns(d=pl.when(pl.col("g") == 4).then(0.0).otherwise(pl.col("d")))), dose="d")
    _equal(effects, nobody)


def test_cohorts_seen_in_their_anticipation_only_have_no_dose_on_the_curve(frame: pl.DataFrame) -> None:
    table = frame.filter(pl.col("year") < 4).with_columns(d=pl.when(pl.col("g") == 4).then(0.0).otherwise(pl.col("d")))
    effects = fit(make(table, anticipation=1), dose="d")
    assert min(effects.meta["marks"]) == table.filter(pl.col("g") == 3)["d"].min()
    assert "dose-extrapolated" not in {n.code for n in effects.notes}
    cells = fit(make(table, anticipation=1), dose="d", by="group-time", target="slope", degree=1)
    assert set(cells.terms.cohort) == {3}
    with pytest.raises(EstimationError, match="no unit is treated inside the window"):
        fit(make(table.filter(pl.col("g").is_null() | (pl.col("g") == 4)), anticipation=1), dose="d")


def test_one_dose_has_levels_and_a_note(frame: pl.DataFrame) -> None:
    effects = fit(make(frame.with_columns(d=(pl.col("d") > 0).cast(pl.Float64))), dose="d", basis="levels")
    note = next(n for n in effects.notes if n.code == "dose-one-level")
    assert all(note.text(language) for language in LANGUAGES)
    assert effects.estimate[0] == pytest.approx(effects.estimate[1])


def test_cohorts_with_few_doses_are_left_out_of_the_curve_and_said(frame: pl.DataFrame) -> None:
    table = frame.with_columns(d=pl.when(pl.col("g") == 4).then(0.7).otherwise(pl.col("d")))
    effects = fit(make(table), dose="d", target="both")
    assert {"dose-few-doses", "dose-extrapolated"} <= {n.code for n in effects.notes}
    assert np.isfinite(effects.estimate).all()
    slopes = fit(make(table), dose="d", by="group-time", target="slope")
    assert np.isnan(slopes.estimate[slopes.terms.cohort == 4]).all()
    assert np.isfinite(slopes.aggregate("overall").estimate[0])


def test_levels_are_averaged_over_the_cohorts_that_have_them() -> None:
    table = make_frame(discrete=True).filter((pl.col("g").fill_null(0) != 4) | (pl.col("d") != 0.5))
    effects = fit(make(table), dose="d", basis="levels", target="both")
    one = fit(make(table.filter(pl.col("g").fill_null(0) != 4)), dose="d", basis="levels", target="both")
    for name in ("att(0.5)", "acrt(0.5)", "acrt(1)", "acrt"):
        i = effects.terms.name.index(name)
        assert effects.estimate[i] == pytest.approx(one.estimate[i], rel=1e-9)
        assert effects.std_error[i] == pytest.approx(one.std_error[i], rel=1e-9)
    both = effects.terms.name.index("att(1)")
    assert effects.estimate[both] != pytest.approx(one.estimate[both], rel=1e-3)
    note = next(n for n in effects.notes if n.code == "dose-some-cohorts")
    assert "att(0.5)" in str(note.values["terms"])
    assert all(note.text(language) for language in LANGUAGES)


# Simulation ----------------------------------------------------------------------------------------------------------


def simulated(design: Design, drawn: dict[str, Any]) -> Design:
    return replace(design, y=drawn["y"].ravel(), cohort=drawn["cohort"], columns={"d": np.repeat(drawn["dose"], PERIODS)})


@pytest.mark.validate
@pytest.mark.parametrize("comparison", ["never-treated", "not-yet-treated"])
def test_coverage_and_size(comparison: str, validated: Recorder) -> None:
    """ATT(d) = (d + d²/2) k and ACRT(d) = (1 + d) k, k the mean of 1 + 0.2 e over cohorts' treated periods."""
    n, draws, points = 1000, 1000, np.array([0.5, 1.0, 1.5])
    base = make(make_frame(n), comparison=comparison)
    k = (np.mean([1, 1.2, 1.4]) + np.mean([1, 1.2])) / 2
    mean, square = 1.05, 4 * 0.05 + 1.05**2
    truth = k * np.array([mean + square / 2, *(points + points**2 / 2), 1 + mean, *(1 + points)])
    rng = np.random.default_rng(32117)
    gap, half, null = [], [], []
    options: dict[str, Any] = {"dose": "d", "target": "both", "degree": 2, "grid": points.tolist()}
    for _ in range(draws):
        made = fit(simulated(base, draw(n, rng)), **options)
        gap.append(made.estimate - truth)
        half.append(made.half_width())
        null.append(fit(simulated(base, draw(n, rng, effect=0.0)), **options).p_value < 0.05)
    found = validated("estimators", "dose", "effects bend with the dose; 1000 units × 5", variant=comparison, seed=32117)
    for j, name in enumerate(made.terms.name):
        found.interval(np.array(gap)[:, j], np.array(half)[:, j], name)
        found.size(np.array(null)[:, j], name)


@pytest.mark.validate
def test_coverage_and_size_by_level(validated: Recorder) -> None:
    """Three doses: ATT(d) = (d + d²/2) k as above, each level an estimate of its own; and the mean over cohorts and periods."""
    n, draws, points = 600, 2000, np.array([0.25, 0.5, 1.0])
    base = make(make_frame(n, discrete=True))
    k = (np.mean([1, 1.2, 1.4]) + np.mean([1, 1.2])) / 2
    by_level = points + points**2 / 2
    every = by_level.mean() * np.array([1, 1.2, 1.4, 1, 1.2]).mean()
    rng = np.random.default_rng(32118)
    gap, half, null, overall, wide = [], [], [], [], []
    for _ in range(draws):
        design = simulated(base, draw(n, rng, discrete=True))
        made = fit(design, dose="d", basis="levels")
        whole = fit(design, dose="d", basis="levels", by="group-time").aggregate("overall")
        gap.append(made.estimate[-3:] - k * by_level)
        half.append(made.half_width()[-3:])
        overall.append(whole.estimate[0] - every)
        wide.append(whole.half_width()[0])
        null.append(fit(simulated(base, draw(n, rng, discrete=True, effect=0.0)), dose="d", basis="levels").p_value[-3:] < 0.05)
    found = validated("estimators", "dose", "three doses; 600 units × 5", variant="levels", seed=32118)
    for j, name in enumerate(made.terms.name[-3:]):
        found.interval(np.array(gap)[:, j], np.array(half)[:, j], name)
        found.size(np.array(null)[:, j], name)
    found = validated("estimators", "dose", "three doses; 600 units × 5", variant="levels, by cohort and period", seed=32118)
    found.interval(overall, wide, "overall")


@pytest.mark.validate
def test_regression_on_the_dose_is_neither_the_level_nor_the_mean_slope(validated: Recorder) -> None:
    """With skewed doses and an effect that bends, the coefficient of D·d is no ATT°, and not ACRT° either."""
    rng = np.random.default_rng(2)
    coefficient, slope, truth = [], [], []
    base = make(make_frame(600))
    for _ in range(1000):
        drawn = draw(600, rng)
        dose = np.where(drawn["cohort"] == NEVER, 0.0, np.minimum(drawn["dose"] ** 3 / 3, 3.0) + 0.02)
        t = np.arange(1, PERIODS + 1)
        since = np.where(drawn["cohort"] == NEVER, False, t[:, None] >= drawn["cohort"]).T
        y = rng.normal(size=(600, PERIODS)) + np.log1p(5 * dose)[:, None] * since
        design = simulated(base, {**drawn, "dose": dose, "y": y})
        slope.append(fit(design, dose="d", target="slope", knots=2).estimate[0])
        partly = replace(design, dose=dose, policy=replace(design.policy, partial="dose"))
        coefficient.append(twfe(partly).estimate[0])
        truth.append(float(np.mean(5 / (1 + 5 * dose[dose > 0]))))
    where = "skewed doses, effect logarithmic in the dose"
    off = np.array(coefficient) - truth
    validated("failures", "twfe", where, variant="on the dose", seed=2).bias(
        off, "against the mean slope", reason="known failure", least=-0.2
    )
    assert abs(np.mean(off)) > 2 * abs(np.mean(slope) - np.mean(truth))
