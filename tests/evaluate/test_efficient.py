"""Estimation under random timing: identities, the tests that go with it, bad input, and truth in simulated experiments."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.testing import assert_allclose
from recording import Recorder

sys.path.insert(0, str(Path(__file__).parent))

import staggered as world

from hinterland.data.cohorts import NEVER
from hinterland.errors import EstimationError
from hinterland.evaluate import callaway_santanna
from hinterland.evaluate.design import Design
from hinterland.evaluate.efficient import fit
from hinterland.evaluate.efficient_moments import cohort_moments, fit_moments
from hinterland.evaluate.efficient_tests import _draw, _prepare, balance_test, permutation_test
from hinterland.evaluate.efficient_weights import Timing, make_cells, make_weighting
from hinterland.evaluate.estimate import fit as fit_any
from hinterland.evaluate.permutation import make_scheme, permutations
from hinterland.labels import LANGUAGES

ESTIMANDS = ("event-time", "overall", "cohort", "calendar", "group-time", "cohort-average", "calendar-average")


@pytest.fixture(scope="module")
def frame() -> pl.DataFrame:
    return world.make_frame(cohorts=(3, 5, 6, None), n=160)


@pytest.fixture(scope="module")
def design(frame: pl.DataFrame) -> Design:
    return world.make(frame)


# Identities ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("estimand", ESTIMANDS)
@pytest.mark.parametrize("variance", ["adjusted", "neyman"])
def test_influence_multiplies_to_the_covariance(design: Design, estimand: Any, variance: Any) -> None:
    effects = fit(design, estimand=estimand, variance=variance)
    assert_allclose(effects.influence.T @ effects.influence, effects.vcov, rtol=1e-9, atol=1e-14)
    assert_allclose(effects.influence.sum(axis=0), 0, atol=1e-12)
    assert np.isfinite(effects.std_error[~effects.terms.reference]).all()


def test_difference_in_differences_is_callaway_santanna(frame: pl.DataFrame) -> None:
    ours = fit(world.make(frame), estimand="group-time", beta=1)
    theirs = callaway_santanna.fit(world.make(frame, comparison="not-yet-treated"))
    names = dict(zip(theirs.terms.name, theirs.estimate, strict=True))
    after = ours.terms.event_time >= 0
    assert_allclose(ours.estimate[after], [names[n] for n, a in zip(ours.terms.name, after, strict=True) if a], rtol=1e-10)


@pytest.mark.parametrize("kind", ["overall", "event-time", "cohort", "calendar"])
@pytest.mark.parametrize("beta", [1.0, 0.0, 0.6])
def test_with_one_coefficient_for_all_averaging_before_and_after_agree(design: Design, kind: Any, beta: float) -> None:
    before = fit(design, estimand=kind, beta=beta, variance="neyman")
    after = fit(design, estimand="group-time", beta=beta, variance="neyman").aggregate(kind)
    assert before.terms.name == after.terms.name
    assert_allclose(before.estimate, after.estimate, atol=1e-12)
    assert_allclose(before.vcov, after.vcov, atol=1e-14)


@pytest.mark.parametrize("kind", ["cohort", "calendar"])
def test_averages_of_averages_are_those_of_the_cells(design: Design, kind: Any) -> None:
    both = [fit(design, estimand=e, beta=1, variance="neyman") for e in (kind, f"{kind}-average")]  # type: ignore[arg-type]
    assert_allclose(both[0].aggregate("overall").estimate, both[1].estimate, rtol=1e-12)
    assert_allclose(both[0].aggregate("overall").vcov, both[1].vcov, rtol=1e-9)


@pytest.mark.parametrize("estimand", ["overall", "event-time"])
@pytest.mark.parametrize("contrasts", ["did", "all"])
def test_no_coefficient_has_a_smaller_variance(design: Design, estimand: Any, contrasts: Any) -> None:
    best = np.array(fit(design, estimand=estimand, contrasts=contrasts).meta["std_error_neyman"])
    for beta in (0.0, 0.5, 1.0, 1.3):
        assert (best <= np.array(fit(design, estimand=estimand, beta=beta).meta["std_error_neyman"]) * (1 + 1e-9)).all()


def test_invariance(frame: pl.DataFrame, design: Design) -> None:
    effects = fit(design)
    moved = frame.with_columns(y=pl.col("y") + pl.col("year") ** 2 * 3 - 100)
    renamed = frame.with_columns(unit=pl.lit("z") + (1000 - pl.col("unit").str.slice(1).cast(pl.Int64)).cast(pl.String).str.zfill(4))
    scaled = frame.with_columns(y=pl.col("y") * 1e4)
    assert_allclose(fit(world.make(moved)).estimate, effects.estimate, atol=1e-9)
    assert_allclose(fit(world.make(renamed)).estimate, effects.estimate, atol=1e-12)
    assert_allclose(fit(world.make(renamed)).vcov, effects.vcov, atol=1e-14)
    assert_allclose(fit(world.make(scaled)).std_error / 1e4, effects.std_error, rtol=1e-9)
    fixed = frame.with_columns(y=pl.col("y") + pl.col("x") * 7)
    assert_allclose(fit(world.make(fixed), beta=1).estimate, fit(design, beta=1).estimate, atol=1e-10)


def test_the_period_before_adoption_is_the_reference(design: Design) -> None:
    effects = fit(design)
    assert effects.terms.event_time[effects.terms.reference].tolist() == [-1]
    assert effects.estimate[effects.terms.reference] == 0
    band = effects.with_band(draws=199)
    assert band.band is not None
    assert band.band.critical > 1.9


# Its tests -----------------------------------------------------------------------------------------------------------


def test_batched_permutations_equal_a_loop_over_fits(design: Design) -> None:
    sample, weighting = _prepare(design, "event-time", "not-yet-treated", 5)
    drawn = _draw(sample, weighting, None, 5, 3)
    labels = np.concatenate(list(permutations(make_scheme(sample.group), 5, 3, 2)))
    for i, group in enumerate(labels):
        fitted = fit_moments(sample.timing, cohort_moments(sample.y, group, len(sample.timing.size)), weighting, None)
        live = ~fitted.reference
        assert_allclose(drawn.estimate[i, live], fitted.estimate[live], rtol=1e-9)
        for have, want in ((drawn.neyman, fitted.neyman), (drawn.adjusted, fitted.adjusted)):
            assert_allclose(have[i, live], fitted.estimate[live] / np.sqrt(np.diag(want)[live]), rtol=1e-7)


def test_an_effect_is_seen_and_the_draws_depend_on_the_seed_only(design: Design) -> None:
    first, second = (permutation_test(design, draws=199, seed=4) for _ in range(2))
    assert first.frame.equals(second.frame)
    assert first.frame["p_value"][0] == pytest.approx(1 / 200)
    assert "overall" in repr(first)


def test_balance_finds_selection_on_levels(frame: pl.DataFrame) -> None:
    late = pl.col("g").fill_null(99)
    chosen = frame.with_columns(y=pl.col("y") + 3.0 * (late == 3))
    fair, unfair = balance_test(world.make(frame)), balance_test(world.make(chosen), draws=199)
    assert unfair.p_value < 1e-6
    assert unfair.p_permutation == pytest.approx(1 / 200)
    assert unfair.wald > fair.wald
    assert unfair.df == len(unfair.frame) - 1  # event times 3 and 4 adjust for the same contrast
    assert "chi2" in repr(unfair)


# Bad input -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"estimand": "simple"}, "unknown-value"),
        ({"controls": "never"}, "unknown-value"),
        ({"beta": "one"}, "unknown-value"),
        ({"beta": float("nan")}, "unknown-value"),
        ({"beta": 1, "contrasts": "all"}, "beta-contrasts"),
    ],
)
def test_bad_options(design: Design, options: dict[str, Any], code: str) -> None:
    with pytest.raises(EstimationError) as caught:
        fit(design, **options)
    assert caught.value.findings[0].code == code


@pytest.mark.parametrize("draws", [-1, 50, 2.5, True])
def test_too_few_draws(design: Design, draws: Any) -> None:
    with pytest.raises(EstimationError, match="draws"):
        permutation_test(design, draws=draws)


def test_what_the_method_does_not_define(frame: pl.DataFrame) -> None:
    cases = [
        (world.make(frame, covariates="~ x"), "not-defined"),
        (world.make(frame, weight="w"), "not-defined"),
        (world.make(frame.filter(pl.int_range(pl.len()) != 5)), "not-defined"),
        (world.make(frame, anticipation=1), "not-defined"),
        (world.make(frame, cluster="region"), "cluster-not-unit"),
    ]
    for bad, code in cases:
        with pytest.raises(EstimationError) as caught:
            fit_any(bad, "efficient")
        assert caught.value.findings[0].code == code


def test_single_units_and_early_units_are_named(frame: pl.DataFrame) -> None:
    alone = frame.with_columns(g=pl.when(pl.col("unit") == "u0003").then(4).when(pl.col("unit") < "u0003").then(1).otherwise("g"))
    effects = fit(world.make(alone))
    codes = {n.code: n for n in effects.notes}
    assert codes["efficient-single-unit-cohorts"].values["units"] == "'u0003'"
    assert "u0001" in str(codes["efficient-levels"].values["units"])
    assert "always-treated-dropped" in {n.code for n in fit(world.make(alone), beta=1).notes}
    for note in effects.notes:
        assert all(note.text(language) for language in LANGUAGES)


@pytest.mark.parametrize("cohorts", [(3,), (3, 3)])
def test_nobody_to_compare_with(cohorts: tuple[int, ...]) -> None:
    with pytest.raises(EstimationError) as caught:
        fit(world.make(world.make_frame(n=30, cohorts=cohorts)))
    assert caught.value.findings[0].code == "few-cohorts"


def test_everyone_treated_in_the_end() -> None:
    effects = fit(world.make(world.make_frame(n=80, cohorts=(3, 5, 6))), estimand="group-time")
    assert effects.terms.time.max() == 5
    assert set(effects.terms.cohort.tolist()) == {3, 5}


# Truth ---------------------------------------------------------------------------------------------------------------


def _population(n: int, seed: int, differ: float) -> tuple[np.ndarray, np.ndarray]:
    """Untreated outcomes [n, 8], moderately persistent, and each unit's own effect per period of exposure (mean 0.5)."""
    rng = np.random.default_rng(seed)
    level = 0.7 * rng.normal(size=n)[:, None]
    return level + 0.8 * rng.normal(size=(n, 8)) + 0.1 * np.arange(8), 0.5 + differ * (rng.normal(size=n) + level[:, 0])


def _assigned(untreated: np.ndarray, slope: np.ndarray, cohort: np.ndarray) -> np.ndarray:
    time = np.arange(1, 9)
    exposure = np.where(cohort[:, None] > 8, 0, np.maximum(time - np.minimum(cohort, 99)[:, None] + 1, 0))
    return np.asarray(untreated + slope[:, None] * exposure)


@pytest.mark.validate
@pytest.mark.parametrize("differ", [0.0, 0.3])
@pytest.mark.parametrize("estimand", ["overall", "event-time"])
def test_coverage_under_random_timing(estimand: Any, differ: float, validated: Recorder) -> None:
    """2 000 random assignments of one population of 240. Where units' effects differ, both variances are conservative, by design."""
    untreated, slope = _population(240, 1, differ)
    cohorts = np.repeat([3, 5, 7, NEVER], 60)
    timing = Timing(np.array([3, 5, 7, NEVER]), np.full(4, 60), np.arange(1, 9))
    weighting = make_weighting(timing, make_cells(timing, "not-yet-treated"), estimand, "did")
    after = (weighting.terms.event_time >= 0) | (estimand == "overall")
    exposure = np.arange(1, 7)
    truth = slope.mean() * (
        np.array([np.concatenate([exposure[: 9 - g] for g in (3, 5, 7)]).mean()]) if estimand == "overall" else exposure
    )
    rng = np.random.default_rng(2)
    rows: list[list[np.ndarray]] = []
    for _ in range(2000):
        cohort = rng.permutation(cohorts)
        moments = cohort_moments(_assigned(untreated, slope, cohort), np.searchsorted(timing.cohort, cohort), 4)
        best, did, means = (fit_moments(timing, moments, weighting, beta) for beta in (None, 1.0, 0.0))
        errors = [np.sqrt(np.diag(v)) for v in (best.adjusted, best.neyman)]
        rows.append([v[after] for v in (best.estimate, did.estimate, means.estimate, *errors)])
    estimate, did_, means_, adjusted, neyman = np.array(rows).transpose(1, 0, 2)
    where = f"random timing, 240 units × 8, effects {'alike' if differ == 0 else 'that differ between units'}"
    names = ["overall"] if estimand == "overall" else [f"event time {e}" for e in range(len(truth))]
    wide: dict[str, Any] = {"within": (0.93, 1.0), "reason": "conservative"}
    for variance, error in (("adjusted", adjusted), ("neyman", neyman)):
        found = validated("estimators", "efficient", where, variant=f"{estimand}, {variance}", seed=2)
        for j, name in enumerate(names):
            if variance == "adjusted":
                found.bias(estimate[:, j] - truth[j], name)
            found.coverage(
                np.abs(estimate[:, j] - truth[j]) <= 1.959964 * error[:, j], name, **(wide if differ or variance == "neyman" else {})
            )
    assert all((other.std(axis=0) / estimate.std(axis=0) > 1.0).all() for other in (did_, means_))


@pytest.mark.validate
@pytest.mark.parametrize("units", [120, 480])
def test_size_of_the_tests_of_random_timing(units: int, validated: Recorder) -> None:
    """1 000 random assignments: the Wald test of balance, whose covariance is estimated, and permutation tests (exact)."""
    frame = world.make_frame(n=units, periods=6, trend=0.0, effect=0.0, cohorts=(3, 5, None, None))
    design = world.make(frame)
    rng = np.random.default_rng(0)
    wald, balance, exact, effects = [], [], [], []
    for r in range(1000):
        moved = replace(design, cohort=rng.permutation(design.cohort))
        found = balance_test(moved, draws=199, seed=r)
        wald.append(found.p_value)
        balance.append(found.p_permutation)
        effects.append(fit(moved, estimand="overall").p_value[0])
        exact.append(permutation_test(moved, draws=199, seed=r).frame["p_value"][0])
    where = f"random timing, {units} units × 6"
    small: dict[str, Any] = {"within": (0.03, 0.08), "reason": "small sample"} if units == 120 else {}
    validated("tests", "balance_test", where, variant="Wald", seed=0).size(np.array(wald) <= 0.05, **small)
    validated("tests", "balance_test", where, variant="permutation", seed=0).size(np.array(balance) <= 0.05)
    validated("tests", "permutation_test", where, seed=0).size(np.array(exact) <= 0.05)
    validated("estimators", "efficient", where, variant="overall, adjusted", seed=0).size(np.array(effects) <= 0.05, "overall")
