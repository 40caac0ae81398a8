"""Matrix completion: optimality, limits, a plain second implementation, the jackknife written out, truth with common factors."""

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

from hinterland.errors import EstimationError
from hinterland.evaluate.estimate import fit
from hinterland.evaluate.matrix_completion_solver import Problem, choose_penalty, complete, largest_penalty, shrink

Floats = np.ndarray[Any, np.dtype[np.float64]]


def factor_frame(n: int, periods: int, seed: int, *, noise: float = 0.5, shift: float = 1.0, factor: float = 1.0) -> pl.DataFrame:
    """One common factor whose loadings are larger for treated units; every effect is 1. Cohorts: 1/5 each at two dates, 3/5 never."""
    rng = np.random.default_rng(seed)
    g = np.array([periods - 5, periods - 3, 0, 0, 0])[np.arange(n) % 5]
    t = np.arange(1, periods + 1)
    path = np.cumsum(rng.normal(size=periods))
    loading = rng.normal(size=n) + shift * (g > 0)
    on = (g[:, None] > 0) & (t >= g[:, None])
    y = rng.normal(size=n)[:, None] + 0.1 * t + factor * np.outer(loading, path) + on + noise * rng.normal(size=(n, periods))
    return pl.DataFrame(
        {
            "unit": [f"u{i:04d}" for i in np.repeat(np.arange(n), periods)],
            "year": np.tile(t, n),
            "y": y.ravel(),
            "g": pl.Series(np.repeat(g, periods)).replace(0, None),
        }
    )


def problem(seed: int = 0, *, n: int = 20, periods: int = 9, covariates: int = 0) -> Problem:
    rng = np.random.default_rng(seed)
    y = np.outer(rng.normal(size=n), rng.normal(size=periods)) + 0.3 * rng.normal(size=(n, periods)) + rng.normal(size=n)[:, None]
    seen = (rng.random((n, periods)) < 0.85).astype(np.float64)
    seen[: n // 3, periods // 2 :] = 0
    seen[:, 0] = 1
    return Problem.of(y, seen, [rng.normal(size=(n, periods)) for _ in range(covariates)])


@pytest.mark.parametrize(("n", "periods", "covariates"), [(20, 9, 0), (8, 14, 0), (20, 9, 2)])
@pytest.mark.parametrize("share", [0.7, 0.2, 0.02])
def test_the_solution_is_optimal(n: int, periods: int, covariates: int, share: float) -> None:
    """Zero is in the subdifferential: the gradient has spectral norm at most the threshold, and attains it along L."""
    given = problem(n=n, periods=periods, covariates=covariates)
    penalty = share * largest_penalty(given)
    found = complete(given, penalty, tolerance=1e-9)
    threshold = penalty * given.size / 2
    gradient = given.seen * given.residual(found.low_rank)
    norm = np.linalg.norm(found.low_rank, "nuc")
    assert found.converged
    assert np.linalg.norm(gradient, 2) <= threshold * (1 + 1e-6)
    np.testing.assert_allclose(np.vdot(gradient, found.low_rank), threshold * norm, rtol=1e-6)


@pytest.mark.parametrize("share", [0.5, 0.1])
def test_it_agrees_with_plain_alternation(share: float) -> None:
    """Least squares on dummies, then soft thresholding by a full singular value decomposition, over and over."""
    given = problem(3)
    n, periods = given.y.shape
    penalty = share * largest_penalty(given)
    dummies = np.hstack([np.repeat(np.eye(n), periods, axis=0), np.tile(np.eye(periods), (n, 1))])
    seen = given.seen.ravel() > 0
    solve = np.linalg.pinv(dummies[seen])
    low_rank = np.zeros((n, periods))
    for _ in range(4000):
        effects = (dummies @ (solve @ (given.y - low_rank).ravel()[seen])).reshape(n, periods)
        u, s, v = np.linalg.svd(np.where(seen.reshape(n, periods), given.y - effects, low_rank), full_matrices=False)
        low_rank = (u * np.maximum(s - penalty * given.size / 2, 0)) @ v
    np.testing.assert_allclose(complete(given, penalty, tolerance=1e-9).low_rank, low_rank, atol=1e-6)


def test_shrinking_is_that_of_singular_values() -> None:
    rng = np.random.default_rng(0)
    for shape in ((7, 4), (4, 7)):
        matrix = rng.normal(size=shape)
        u, s, v = np.linalg.svd(matrix, full_matrices=False)
        cut = float(s[1] + s[2]) / 2
        out, rank = shrink(matrix, cut)
        np.testing.assert_allclose(out, (u * np.maximum(s - cut, 0)) @ v, atol=1e-12)
        assert rank == 2
    assert shrink(rng.normal(size=(3, 3)), 100.0)[1] == 0


def test_above_the_largest_penalty_it_is_imputation() -> None:
    design = world.make(world.make_frame(60).filter(pl.Series(np.random.default_rng(0).random(420) > 0.1)), covariates="~ v")
    ours, plain = fit(design, "matrix-completion", penalty=1e6), fit(design, "imputation")
    np.testing.assert_allclose(ours.estimate, plain.estimate, rtol=1e-9)
    np.testing.assert_allclose(ours.meta["covariate_estimates"], plain.meta["covariate_estimates"], rtol=1e-9)
    assert "mc-no-factor" in {n.code for n in ours.notes}
    assert ours.meta["rank"] == 0


def test_the_largest_penalty_is_where_the_first_factor_enters() -> None:
    given = problem()
    top = largest_penalty(given)
    assert complete(given, top * 1.0001).rank == 0
    assert complete(given, top * 0.99).rank == 1


def test_common_factors_that_bias_difference_in_differences() -> None:
    design = world.make(factor_frame(150, 16, 1, noise=0.1))
    ours = fit(design, "matrix-completion", replicates=10).aggregate("overall")
    plain = fit(design, "imputation").aggregate("overall")
    assert abs(ours.estimate[0] - 1) < 0.15
    assert abs(plain.estimate[0] - 1) > 0.4


def test_the_jackknife_is_that_of_fits_without_each_unit() -> None:
    frame = factor_frame(25, 8, 2)
    ours = fit(world.make(frame), "matrix-completion", penalty=0.02)
    units = frame["unit"].unique().sort().to_list()
    left = np.array(
        [fit(world.make(frame.filter(pl.col("unit") != u)), "matrix-completion", penalty=0.02, replicates=2).estimate for u in units]
    )
    deviations = left - left.mean(axis=0)
    vcov = (len(units) - 1) / len(units) * deviations.T @ deviations
    np.testing.assert_allclose(ours.vcov, vcov, rtol=1e-2, atol=1e-4 * np.diag(vcov).max())
    np.testing.assert_allclose(ours.influence.T @ ours.influence, ours.vcov)


def test_groups_of_clusters_give_about_the_same_errors() -> None:
    design = world.make(factor_frame(200, 8, 3))
    one = fit(design, "matrix-completion", penalty=0.02).aggregate("overall")
    many = fit(design, "matrix-completion", penalty=0.02, replicates=50).aggregate("overall")
    np.testing.assert_allclose(many.std_error, one.std_error, rtol=0.25)
    assert many.influence.shape == (200, 1)


def test_gaps_anticipation_clusters_and_covariates() -> None:
    frame = world.make_frame(80).filter(pl.Series(np.random.default_rng(1).random(560) > 0.1))
    ours = fit(world.make(frame, covariates="~ v", anticipation=1, cluster="region"), "matrix-completion")
    assert ours.influence.shape[0] == 15
    assert ours.terms.event_time.min() == -1
    for kind in ("overall", "event-time", "cohort", "calendar"):
        assert np.isfinite(ours.aggregate(kind).std_error).all()  # type: ignore[arg-type]
    assert len(ours.meta["cv_errors"]) == 20


def test_the_same_seed_gives_the_same_penalty_and_another_need_not() -> None:
    given = problem(1)
    first, again = choose_penalty(given, 4, 10, 1), choose_penalty(given, 4, 10, 1)
    np.testing.assert_array_equal(first.errors, again.errors)
    assert not np.array_equal(first.errors, choose_penalty(given, 4, 10, 2).errors)


def test_shifts_by_unit_and_period_do_not_matter() -> None:
    frame = factor_frame(40, 9, 4)
    moved = frame.with_columns(y=pl.col("y") + 3 * pl.col("unit").str.slice(1).cast(pl.Int64) - 2 * pl.col("year") ** 2)
    a, b = (fit(world.make(f), "matrix-completion", replicates=5) for f in (frame, moved))
    np.testing.assert_allclose(a.estimate, b.estimate, atol=1e-5)


def test_cohorts_of_one_unit_are_named() -> None:
    frame = factor_frame(40, 9, 5)
    one = frame.filter(pl.col("g").is_null() | (pl.col("g") != 4) | (pl.col("unit") == "u0000"))
    ours = fit(world.make(one), "matrix-completion", penalty=0.05)
    assert "imputation-single-unit-cohorts" in {n.code for n in ours.notes}
    assert np.isfinite(ours.std_error).all()


@pytest.mark.parametrize("options", [{"penalty": -1}, {"folds": 1}, {"replicates": 1.5}, {"penalties": True}])
def test_bad_options_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(EstimationError):
        fit(world.make(world.make_frame(30)), "matrix-completion", **options)


def test_weights_and_further_fixed_effects_are_refused() -> None:
    frame = world.make_frame(40)
    with pytest.raises(EstimationError, match="sampling weights"):
        fit(world.make(frame, weight="w"), "matrix-completion")
    with pytest.raises(EstimationError, match="extra fixed effects"):
        fit(world.make(frame, fe=["region^year"]), "matrix-completion")


@pytest.mark.validate
def test_bias_and_coverage(validated: Recorder) -> None:
    """1000 panels of 60 units × 10: a factor unrelated to treatment (valid), and one that is related, where imputation is far off."""
    for shift in (0.0, 1.0):
        error, half, plain, plain_half = [], [], [], []
        for r in range(1000 if shift == 0 else 300):
            design = world.make(factor_frame(60, 10, r, noise=0.3, shift=shift, factor=0.5))
            ours = fit(design, "matrix-completion", penalty=0.015, replicates=15).aggregate("overall")
            beside = fit(design, "imputation").aggregate("overall")
            error.append(ours.estimate[0] - 1)
            half.append(ours.half_width()[0])
            plain.append(beside.estimate[0] - 1)
            plain_half.append(beside.half_width()[0])
        if shift == 0:
            found = validated("estimators", "matrix-completion", "a factor unrelated to treatment; 60 units × 10", seed=0)
            found.interval(error, half, "overall")
        else:  # the penalty shrinks the factor, so that part of the bias remains and intervals do not hold
            where = "a factor related to treatment; 60 units × 10"
            for name, gap, width in (("matrix-completion", error, half), ("imputation", plain, plain_half)):
                covered = np.abs(gap) <= np.array(width)
                validated("failures", name, where, seed=0).coverage(covered, "overall", within=(0, 0.92), reason="known failure")
            assert np.mean(np.square(error)) < 0.6 * np.mean(np.square(plain))


@pytest.mark.validate
def test_size(validated: Recorder) -> None:
    """Nothing happens, and the penalty is chosen by cross-validation on each panel."""
    rejected = []
    for r in range(1000):
        frame = factor_frame(60, 10, 5000 + r, noise=0.3, shift=0.0, factor=0.5)
        null = frame.with_columns(y=pl.col("y") - (pl.col("year") >= pl.col("g")).fill_null(value=False).cast(pl.Float64))
        found = fit(world.make(null), "matrix-completion", replicates=15, folds=3, penalties=6).aggregate("overall")
        rejected.append(bool(found.p_value[0] < 0.05))
    validated(
        "estimators",
        "matrix-completion",
        "a factor unrelated to treatment; 60 units × 10",
        variant="penalty by cross-validation",
        seed=5000,
    ).size(rejected, "overall")
