"""Synthetic difference-in-differences: the solver, batches against loops, invariance, bad input, truth in a factor model."""

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

from hinterland.errors import EstimationError
from hinterland.evaluate import twfe
from hinterland.evaluate.design import Design
from hinterland.evaluate.estimate import fit as fit_any
from hinterland.evaluate.sdid import _fit_weights, fit, synthetic_weights
from hinterland.evaluate.sdid_simplex import active_set, dual_newton, frank_wolfe, least_squares, objective
from hinterland.evaluate.sdid_variance import _draw_clusters, _orders, bootstrap, placebo
from hinterland.labels import LANGUAGES

Floats = np.ndarray
ESTIMATORS = ("sdid", "sc", "did")


@pytest.fixture(scope="module")
def frame() -> pl.DataFrame:
    return world.make_frame(n=75, periods=9, cohorts=(5, 7, None, None, None, None, None, None), seed=3)


@pytest.fixture(scope="module")
def design(frame: pl.DataFrame) -> Design:
    return world.make(frame)


# The solver ----------------------------------------------------------------------------------------------------------


def _optimal(A: Floats, b: Floats, eta: float, w: Floats, counts: Floats | None = None) -> None:
    """Stationarity: the gradient is one number on columns in use, and no smaller elsewhere."""
    copies = np.ones(len(w)) if counts is None else counts
    gradient = A.T @ (A @ (w * copies) - b) + eta * w
    level = gradient @ (w * copies)
    assert w.min() >= 0
    assert_allclose((w * copies).sum(), 1, rtol=1e-12)
    allowed = copies > 0
    assert ((gradient - level)[allowed] > -1e-9).all()
    assert_allclose(((gradient - level) * w)[allowed], 0, atol=1e-9)


@pytest.mark.parametrize(("m", "n", "eta"), [(8, 60, 4.0), (8, 500, 30.0), (12, 7, 1e-10), (12, 40, 1e-10), (4, 200, 1e-10), (1, 5, 0.0)])
def test_weights_are_optimal(m: int, n: int, eta: float) -> None:
    rng = np.random.default_rng(m + n)
    A, b = rng.normal(size=(m, n)), rng.normal(size=(6, m))
    w = least_squares(A, b, np.full(6, eta))
    for i in range(6):
        _optimal(A, b[i], eta, w[i])
    counts = rng.integers(0, 3, size=(6, n)).astype(float)
    counts[:, 0] = 1
    w = least_squares(A, b, np.full(6, eta), counts)
    for i in range(6):
        _optimal(A, b[i], eta, w[i], counts[i])


def test_counts_are_copies_of_columns() -> None:
    rng = np.random.default_rng(1)
    A, b, counts = rng.normal(size=(5, 30)), rng.normal(size=(4, 5)), rng.integers(0, 3, size=(4, 30)).astype(float)
    together = dual_newton(A, b, np.full(4, 2.0), counts)
    assert together.converged.all()
    for i in range(4):
        index = np.repeat(np.arange(30), counts[i].astype(int))
        alone = dual_newton(A[:, index], b[i : i + 1], np.array([2.0])).weights[0]
        assert_allclose(together.weights[i][index], alone, atol=1e-11)


def test_both_exact_solvers_agree_and_frank_wolfe_approaches_them() -> None:
    rng = np.random.default_rng(2)
    A, b = rng.normal(size=(10, 25)), rng.normal(size=(3, 10))
    dual = least_squares(A, b, np.full(3, 1.5))
    primal = active_set(np.broadcast_to(A.T @ A + 1.5 * np.eye(25), (3, 25, 25)), b @ A)
    assert_allclose(dual, primal, atol=1e-11)
    for i in range(3):
        steps = frank_wolfe(A, b[i], 1.5, least_decrease=1e-9, start=np.full(25, 1 / 25), steps=20_000)
        exact, stopped = (objective(A, b[i], 1.5, w) for w in (dual[i], steps))
        assert exact <= stopped
        assert_allclose(stopped, exact, rtol=1e-3)


# Identities ----------------------------------------------------------------------------------------------------------


def test_equal_weights_are_difference_in_differences(frame: pl.DataFrame) -> None:
    one = world.make(frame.filter(pl.col("g").is_null() | (pl.col("g") == 5)))
    assert_allclose(fit(one, estimator="did", estimand="overall").estimate, twfe.fit(one).estimate, rtol=1e-10)


def test_the_estimator_is_a_weighted_two_way_regression(frame: pl.DataFrame) -> None:
    """Arkhangelsky et al. (2021, eq. 1): least squares with unit and period effects, weighted by ω λ."""
    one = world.make(frame.filter(pl.col("g").is_null() | (pl.col("g") == 5)))
    fitted = _fit_weights(one, "sdid", "exact")
    sample, w = fitted.sample, fitted.weights[0]
    units, periods = sample.y.shape
    omega, lam = np.zeros(units), np.where(w.lam > 0, w.lam, 0.0)
    omega[sample.controls], omega[sample.blocks[0].units] = w.omega, 1 / len(sample.blocks[0].units)
    lam[sample.blocks[0].before :] = 1 / (periods - sample.blocks[0].before)
    treated = np.zeros((units, periods))
    treated[sample.blocks[0].units, sample.blocks[0].before :] = 1
    dummies = np.column_stack(
        [treated.ravel(), np.kron(np.eye(units), np.ones((periods, 1))), np.kron(np.ones((units, 1)), np.eye(periods))]
    )
    root = np.sqrt(np.outer(omega, lam).ravel())
    slope = np.linalg.lstsq(dummies * root[:, None], sample.y.ravel() * root, rcond=None)[0][0]
    assert_allclose(fit(one, estimand="overall").estimate[0], slope, rtol=1e-8)


@pytest.mark.parametrize("kind", ["overall", "event-time", "cohort", "calendar"])
def test_averages_of_cells_and_of_replicates(design: Design, kind: Any) -> None:
    asked, after = fit(design, estimand=kind, variance="jackknife"), fit(design, variance="jackknife").aggregate(kind)
    assert asked.terms.name == after.terms.name
    assert asked.terms.n_treated.tolist() == after.terms.n_treated.tolist()
    assert_allclose(asked.estimate, after.estimate, atol=1e-12)
    assert_allclose(asked.std_error, after.std_error, rtol=0.15)
    drawn, averaged = fit(design, estimand=kind, variance="placebo"), fit(design, variance="placebo").aggregate(kind)
    assert_allclose(drawn.vcov, averaged.vcov, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_invariance(frame: pl.DataFrame, design: Design, estimator: Any) -> None:
    effects = fit(design, estimator=estimator)
    # The noise level is taken about one mean change, so that a common trend must be linear to leave the ridge alone.
    moved = frame.with_columns(
        y=pl.col("y") + 3 * pl.col("year") ** (1 if estimator == "sdid" else 2) + (0 if estimator == "sc" else 40 * pl.col("x"))
    )
    renamed = frame.with_columns(unit=pl.lit("z") + (1000 - pl.col("unit").str.slice(1).cast(pl.Int64)).cast(pl.String).str.zfill(4))
    for changed, scale in ((moved, 1.0), (renamed, 1.0), (frame.with_columns(y=pl.col("y") * 1e6), 1e6)):
        again = fit(world.make(changed), estimator=estimator)
        assert_allclose(again.estimate / scale, effects.estimate, atol=1e-7)
        assert_allclose(again.vcov / scale**2, effects.vcov, atol=1e-7)


def test_influence_and_time_weights(design: Design) -> None:
    effects = fit(design, variance="jackknife")
    assert_allclose(effects.influence.T @ effects.influence, effects.vcov)
    weights = synthetic_weights(design)
    joined = weights.periods.join(effects.tidy(), left_on=["cohort", "period"], right_on=["cohort", "time"])
    gaps = joined.group_by("cohort").agg((pl.col("weight") * pl.col("estimate")).sum().alias("mean"))
    assert_allclose(gaps["mean"], 0, atol=1e-9)
    assert_allclose(weights.units.group_by("cohort").agg(pl.col("weight").sum())["weight"], 1)
    assert "cohorts" in repr(weights)


def test_one_period_before_is_difference_in_differences(frame: pl.DataFrame) -> None:
    short = frame.filter(pl.col("year") >= 4)
    effects, plain = (fit(world.make(short), estimator=e, estimand="cohort") for e in ("sdid", "did"))
    assert_allclose(effects.estimate[0], plain.estimate[0], rtol=1e-10)
    assert "sdid-one-period-before" in {n.code for n in effects.notes}


# Variance ------------------------------------------------------------------------------------------------------------


def _loop_jackknife(design: Design, frame: pl.DataFrame, cluster: str, covariates: str | None) -> tuple[Floats, Floats]:
    """Leave each cluster out with fixed weights, one after another: overall effects, and those by cell [C, G T]."""
    fitted = _fit_weights(design, "sdid", "exact")
    sample = fitted.sample
    labels = frame.group_by("unit", maintain_order=True).first()[cluster].to_numpy()
    y0 = design.y.reshape(design.n_units, -1)
    x = design.covariates[:, 0].reshape(y0.shape) if covariates else None
    overall, cells = [], []
    for label in np.unique(labels):
        kept = labels != label
        controls = sample.controls[kept[sample.controls]]
        y = y0
        if x is not None:
            within = [v[controls] - v[controls].mean(1, keepdims=True) - v[controls].mean(0) + v[controls].mean() for v in (x, y0)]
            y = y0 - x * (within[0] * within[1]).sum() / (within[0] ** 2).sum()
        taus, sizes, row = [], [], []
        for block, w in zip(sample.blocks, fitted.weights, strict=True):
            omega = w.omega[kept[sample.controls]]
            treated = block.units[kept[block.units]]
            gap = y[treated].mean(axis=0) - omega / omega.sum() @ y[controls]
            tau = gap - gap @ w.lam
            taus.append(tau[block.before :].sum() * len(treated))
            sizes.append(len(treated) * (len(tau) - block.before))
            row.append(tau)
        overall.append(sum(taus) / sum(sizes))
        cells.append(np.concatenate(row))
    return np.array(overall), np.array(cells)


@pytest.mark.parametrize("covariates", [None, "~ v"])
@pytest.mark.parametrize("cluster", ["unit", "region"])
def test_jackknife_equals_a_loop(frame: pl.DataFrame, cluster: str, covariates: str | None) -> None:
    design = world.make(frame, cluster=cluster, covariates=covariates)
    overall, cells = _loop_jackknife(design, frame.sort("unit", "year"), cluster, covariates)
    scale = (len(overall) - 1) / len(overall)
    centred = cells - cells.mean(axis=0)
    assert_allclose(fit(design).vcov, scale * centred.T @ centred, rtol=1e-7, atol=1e-12)
    assert_allclose(fit(design, estimand="overall").vcov[0, 0], scale * ((overall - overall.mean()) ** 2).sum(), rtol=1e-9)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_placebos_equal_a_loop(design: Design, estimator: Any) -> None:
    fitted = _fit_weights(design, estimator, "exact")
    sample = fitted.sample
    sizes = [len(b.units) for b in sample.blocks]
    drawn = placebo(sample, fitted.problems, 5, 1)
    controls = sample.y[sample.controls]
    for i, order in enumerate(np.vstack(list(_orders(len(controls), sum(sizes), 5, 1)))):
        left = np.setdiff1d(np.arange(len(controls)), order)
        row = []
        for g, problem in enumerate(fitted.problems):
            path = controls[order[sum(sizes[:g]) : sum(sizes[: g + 1])]].mean(axis=0)
            row.append(_alone(problem, controls[left], path))
        assert_allclose(drawn.cells[i], np.concatenate(row), atol=1e-7)


def test_bootstrap_equals_a_loop(design: Design) -> None:
    fitted = _fit_weights(design, "sdid", "exact")
    sample = fitted.sample
    drawn = bootstrap(sample, fitted.problems, 5, 1)
    copies = _draw_clusters(sample, 5, np.random.default_rng(1)).astype(int)
    for i in range(5):
        controls = np.repeat(sample.y[sample.controls], copies[i, sample.controls], axis=0)
        row = []
        for block, problem in zip(sample.blocks, fitted.problems, strict=True):
            path = np.repeat(sample.y[block.units], copies[i, block.units], axis=0).mean(axis=0)
            row.append(_alone(problem, controls, path))
        assert_allclose(drawn.cells[i], np.concatenate(row), atol=1e-7)


def _alone(problem: Any, controls: Floats, path: Floats) -> Floats:
    """The effects of one draw, with weights from a problem of its own but the ridges of the sample."""
    fresh = type(problem).make(controls, problem.before, 1, problem.estimator)
    fresh = replace(fresh, zeta_omega=problem.zeta_omega, zeta_lambda=problem.zeta_lambda)
    gap = path - fresh.omega(path[None])[0] @ controls
    return np.asarray(gap - gap @ fresh.lam()[0])


def test_the_kinds_of_variance_agree_where_all_are_valid() -> None:
    design = world.make(world.make_frame(n=300, periods=8, cohorts=(5, 6, *[None] * 12), effect=0.0, trend=0.0))
    errors = {v: fit(design, estimand="overall", variance=v).std_error[0] for v in ("jackknife", "placebo", "bootstrap")}  # type: ignore[arg-type]
    assert max(errors.values()) / min(errors.values()) < 1.35


# Bad input -----------------------------------------------------------------------------------------------------------


def _codes(effects: Any) -> set[str]:
    for note in effects.notes:
        assert all(note.text(language) for language in LANGUAGES)
    return {n.code for n in effects.notes}


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"estimator": "synth"}, "unknown-value"),
        ({"solver": "fw"}, "unknown-value"),
        ({"variance": "hc1"}, "unknown-value"),
        ({"draws": 10}, "few-draws"),
        ({"draw_seed": -1}, "unknown-value"),
    ],
)
def test_bad_options(design: Design, options: dict[str, Any], code: str) -> None:
    with pytest.raises(EstimationError) as caught:
        fit(design, **options)
    assert caught.value.findings[0].code == code


def test_what_the_method_does_not_define(frame: pl.DataFrame) -> None:
    for bad in (world.make(frame, weight="w"), world.make(frame.filter(pl.int_range(pl.len()) != 5)), world.make(frame, anticipation=1)):
        with pytest.raises(EstimationError) as caught:
            fit_any(bad, "sdid")
        assert caught.value.findings[0].code == "not-defined"


def test_one_treated_unit(frame: pl.DataFrame) -> None:
    first = frame.filter(pl.col("g") == 5)["unit"][0]
    single = world.make(frame.filter(pl.col("g").is_null() | (pl.col("unit") == first)))
    effects = fit(single)
    assert effects.meta["vcov"] == "placebo"
    assert effects.meta["draws"] == single.n_units - 1
    assert effects.clusters[0] == "draw 1"
    assert "sdid-not-jackknife-placebo" in _codes(effects)
    with pytest.raises(EstimationError) as caught:
        fit(single, variance="jackknife")
    assert caught.value.findings[0].code == "variance-impossible"
    assert "placebo" in caught.value.findings[0].remedy
    two = world.make(frame.filter((pl.col("unit") == first) | (pl.col("unit") == frame.filter(pl.col("g").is_null())["unit"][0])))
    lone = fit(two)
    assert lone.meta["vcov"] == "none"
    assert np.isnan(lone.std_error).all()
    assert "sdid-not-jackknife-none" in _codes(lone)


def test_nobody_is_never_treated() -> None:
    everyone = world.make_frame(n=60, cohorts=(4, 5, 7))
    with pytest.raises(EstimationError) as caught:
        fit(world.make(everyone))
    assert caught.value.findings[0].code == "no-never-treated"
    effects = fit(world.make(everyone, comparison="not-yet-treated"))
    assert effects.terms.time.max() == 6
    assert set(effects.terms.cohort.tolist()) == {4, 5}
    assert "sdid-last-cohort" in _codes(effects)


def test_covariates_that_do_not_vary_are_named(frame: pl.DataFrame) -> None:
    effects = fit(world.make(frame, covariates=["x", "v"]))
    assert effects.meta["covariates"] == ["v"]
    assert "collinear-dropped" in _codes(effects)
    assert "sdid-covariates-fixed" in _codes(fit(world.make(frame, covariates=["v"]), variance="bootstrap"))


def test_controls_that_never_move(frame: pl.DataFrame) -> None:
    still = frame.with_columns(y=pl.when(pl.col("g").is_null()).then(1.0).otherwise("y"))
    for estimator in ESTIMATORS:
        effects = fit(world.make(still), estimator=estimator)  # type: ignore[arg-type]
        assert np.isfinite(effects.estimate).all()


def test_always_treated_units_are_named(frame: pl.DataFrame) -> None:
    early = frame.with_columns(g=pl.when(pl.col("unit") < "u0002").then(1).otherwise("g"))
    assert "always-treated-dropped" in _codes(fit(world.make(early)))


# Truth ---------------------------------------------------------------------------------------------------------------


def _factor_world(rng: np.random.Generator, units: int = 200, treated: int = 30) -> pl.DataFrame:
    """Units with a high loading on a factor are more likely to be treated, in two cohorts: parallel trends fail. The effect is 1."""
    loading = rng.normal(size=units)
    order = np.argsort(-0.5 * loading - rng.gumbel(size=units))
    first = np.zeros(units, dtype=int)
    first[order[:treated]] = rng.permuted(np.resize([31, 34], treated))
    time = np.arange(1, 41)
    factor = 1.5 * (np.sin(time / 3) + 0.05 * time)
    y = rng.normal(size=units)[:, None] + 0.1 * time + np.outer(loading, factor) + 0.5 * rng.normal(size=(units, 40))
    y += (first[:, None] > 0) & (time >= first[:, None])
    unit = np.repeat(np.arange(units), 40)
    columns = {"unit": [f"u{i:03d}" for i in unit], "year": np.tile(time, units), "y": y.ravel(), "g": first[unit]}
    return pl.DataFrame(columns).with_columns(g=pl.when(pl.col("g") > 0).then("g"))


@pytest.mark.validate
def test_coverage_where_parallel_trends_fail(validated: Recorder) -> None:
    """1 000 panels of an interactive factor model: bias and coverage of sdid, next to two-way fixed effects."""
    rng = np.random.default_rng(5)
    rows = []
    for _ in range(1000):
        design = world.make(_factor_world(rng))
        ours, plain = fit(design, estimand="overall", variance="jackknife"), twfe.fit(design)
        rows.append((ours.estimate[0] - 1, ours.half_width()[0], plain.estimate[0] - 1, plain.half_width()[0]))
    got = np.array(rows)
    where = "units with high loadings on a factor adopt; 200 units × 40, 30 treated"
    ours_ = validated("estimators", "sdid", where, variant="jackknife", seed=5)
    ours_.bias(got[:, 0], "overall", within=0.25, reason="small sample")
    ours_.coverage(np.abs(got[:, 0]) <= got[:, 1], "overall")
    failing = validated("failures", "twfe", where, seed=5)
    failing.bias(got[:, 2], reason="known failure", least=float(np.copysign(0.1, got[:, 2].mean())))
    failing.coverage(np.abs(got[:, 2]) <= got[:, 3], within=(0, 0.5), reason="known failure")


@pytest.mark.validate
@pytest.mark.parametrize(("variance", "treated"), [("jackknife", 24), ("jackknife", 6), ("bootstrap", 24), ("placebo", 6), ("placebo", 1)])
def test_coverage_and_size_where_trends_are_parallel(variance: Any, treated: int, validated: Recorder) -> None:
    """AR(1) errors, two cohorts (one with one treated unit). The jackknife needs more than a few treated units; placebos do not."""
    rng = np.random.default_rng(6)
    units, periods = 80, 12
    first = np.zeros(units, dtype=int)
    first[:treated] = np.resize([8, 10], treated)
    unit = np.repeat(np.arange(units), periods)
    columns = {
        "unit": [f"u{i:03d}" for i in unit],
        "year": np.tile(np.arange(1, periods + 1), units),
        "y": rng.normal(size=len(unit)),
        "g": first[unit],
    }
    base = world.make(pl.DataFrame(columns).with_columns(g=pl.when(pl.col("g") > 0).then("g")))
    on = (first[:, None] > 0) & (np.arange(1, periods + 1) >= first[:, None])
    error, half, null = [], [], []
    for _ in range(1000):
        y = rng.normal(size=(units, periods + 1))
        for j in range(1, periods + 1):
            y[:, j] += 0.5 * y[:, j - 1]
        y = y[:, 1:] + rng.normal(size=(units, 1))
        there, nothing = (fit(replace(base, y=(y + k * on).ravel()), estimand="overall", variance=variance, draws=100) for k in (1.0, 0.0))
        error.append(there.estimate[0] - 1)
        half.append(there.half_width()[0])
        null.append(bool(nothing.p_value[0] < 0.05))
    found = validated("estimators", "sdid", f"one effect for all, AR(1) errors; 80 units × 12, {treated} treated", variant=variance, seed=6)
    few = variance == "jackknife" and treated < 10
    wide: dict[str, Any] = {"within": (0.88, 0.97), "reason": "small sample"} if few else {}
    narrow: dict[str, Any] = {"within": (0.03, 0.12), "reason": "small sample"} if few else {}
    found.interval(error, half, "overall", **wide)
    found.size(null, "overall", **narrow)
