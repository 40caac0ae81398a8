"""Spatial Durbin difference-in-differences: against dense matrices and numerical derivatives, properties, bad input, simulated truth."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray
from recording import Recorder
from scipy import optimize

import hinterland as hl
from hinterland.data.adoption import adoption
from hinterland.data.panel import Panel
from hinterland.errors import EstimationError
from hinterland.evaluate.design import Design, make_design
from hinterland.evaluate.estimate import estimate
from hinterland.evaluate.inference import Inference
from hinterland.evaluate.spatial import nearest_weights
from hinterland.evaluate.spillover import fit
from hinterland.evaluate.spillover_channels import channels_of
from hinterland.evaluate.spillover_displacement import displacement_test
from hinterland.evaluate.spillover_durbin import Durbin, average_effects, maximum_likelihood
from hinterland.evaluate.spillover_durbin_covariance import Fitted, information, scores
from hinterland.evaluate.spillover_durbin_likelihood import Likelihood
from hinterland.evaluate.spillover_exposure import Neighbourhood, neighbour_exposure, neighbour_weights
from hinterland.evaluate.vcov import resolve_ssc
from hinterland.labels import LANGUAGES

Floats = NDArray[np.float64]
FAR = 99
SDM: dict[str, Any] = {"exposure": "neighbours", "estimator": "sdm"}
TRUTH = {"rho": 0.4, "beta": 1.0, "theta": -0.5, "gamma": 0.5, "delta": 0.3}


@cache
def places(n: int, box: float, seed: int, start: tuple[int, ...] = (3, 4, FAR, FAR, FAR)) -> tuple[Floats, Floats, Floats]:
    """Coordinates [n, 2], dates of adoption [n], and W [n, n] of the four nearest."""
    rng = np.random.default_rng(seed)
    at = np.column_stack([100 + box * rng.random(n), 25 + box * rng.random(n)])
    return at, rng.choice(start, size=n), nearest_weights(at, 4).toarray()


def make_frame(n: int = 30, periods: int = 5, *, seed: int = 0, box: float = 4.0) -> pl.DataFrame:
    """A spatial Durbin model with the parameters of ``TRUTH`` and one covariate; regions of five units."""
    at, first, w = places(n, box, seed)
    rng, t = np.random.default_rng(seed + 1), np.arange(1, periods + 1)
    own, x = (t >= first[:, None]).astype(float), rng.normal(size=(n, periods))
    mean = own + TRUTH["theta"] * (w @ own) + TRUTH["gamma"] * x + TRUTH["delta"] * (w @ x)
    noise = rng.normal(size=(n, 1)) + 0.2 * t + rng.normal(size=(n, periods))
    y = np.linalg.solve(np.eye(n) - TRUTH["rho"] * w, mean + noise)
    unit = np.repeat(np.arange(n), periods)
    return pl.DataFrame(
        {
            "unit": [f"u{i:04d}" for i in unit],
            "year": np.tile(t, n),
            "y": y.ravel(),
            "x": x.ravel(),
            "g": pl.Series(first[unit]).replace(FAR, None),
            "lon": at[unit, 0],
            "lat": at[unit, 1],
            "region": [f"r{i // 5}" for i in unit],
            "w": np.ones(len(unit)),
        }
    )


def make(frame: pl.DataFrame, *, weight: str | None = None, covariates: Any = "~ x", **options: Any) -> Design:
    panel = Panel(frame.sort("unit", "year"), "unit", "year", weight=weight, coordinates=("lon", "lat"))
    return make_design(panel, "y", adoption(panel, "g"), covariates=covariates, **options)


@pytest.fixture(scope="module")
def frame() -> pl.DataFrame:
    return make_frame()


# Dense matrices ------------------------------------------------------------------------------------------------------


def fitted(design: Design, likelihood: Likelihood = "transformation") -> Fitted:
    weights, notes = neighbour_weights(design, Neighbourhood(None, 4, None, 0.0))
    level = design.treated.astype(float)
    exposure = neighbour_exposure(weights, level.reshape(design.n_units, -1), notes)
    sample = channels_of(design, level, exposure, np.zeros(design.n_obs, dtype=bool), "same")
    return maximum_likelihood(sample, weights, Inference("cluster", resolve_ssc("none")), Durbin(likelihood, "units", True))[0]


def off(size: int) -> Floats:
    """[size, size − 1] an orthonormal basis of what is orthogonal to the constant."""
    return np.asarray(np.linalg.qr(np.column_stack([np.ones(size), np.eye(size)[:, 1:]]))[0][:, 1:])


class Dense:
    """The likelihood written out: data multiplied with bases that take off effects, or (``direct``) with every dummy."""

    def __init__(self, design: Design, likelihood: Likelihood) -> None:
        n, periods = design.n_units, design.n_periods
        w = nearest_weights(np.asarray(design.coordinates), 4).toarray()
        y, own, x = (a.reshape(n, periods) for a in (design.y, design.treated.astype(float), design.covariates[:, 0]))
        columns = (own, w @ own, x, w @ x)
        if likelihood == "transformation":
            left, right = off(n), off(periods)
            self.w = left.T @ w @ left
            self.y, self.x = left.T @ y @ right, [left.T @ c @ right for c in columns]
        else:
            q = np.eye(n) - 1 / n, np.eye(periods) - 1 / periods
            self.w, self.y, self.x = w, y, [q[0] @ c @ q[1] for c in columns]
            self.off = q
        self.direct = likelihood == "direct"

    def at(self, theta: Floats) -> float:
        """ℓ at (b, ρ, σ²)."""
        b, rho, sigma2 = theta[:4], theta[4], theta[5]
        n, periods = self.y.shape
        jump = self.y - rho * self.w @ self.y
        if self.direct:
            jump = self.off[0] @ jump @ self.off[1]
        e = jump - sum(c * value for c, value in zip(self.x, b, strict=True))
        determinant = np.linalg.slogdet(np.eye(n) - rho * self.w)[1]
        return float(-n * periods / 2 * np.log(2 * np.pi * sigma2) + periods * determinant - (e**2).sum() / (2 * sigma2))


@pytest.mark.parametrize("likelihood", ["transformation", "direct"])
def test_the_likelihood_is_that_of_dense_matrices(frame: pl.DataFrame, likelihood: Likelihood) -> None:
    """Value to rounding; the gradient vanishes; minus the second derivatives are the information (differences: 1e-5)."""
    design = make(frame)
    ours, dense = fitted(design, likelihood), Dense(design, likelihood)
    theta = np.array([*ours.slope, ours.rho, ours.sigma2])
    assert ours.log_likelihood == pytest.approx(dense.at(theta), rel=1e-12)
    gradient = optimize.approx_fprime(theta, dense.at, 1e-6)
    assert np.abs(gradient / np.sqrt(np.diag(information(design, ours)))).max() < 1e-3
    step = 1e-4
    shift = step * np.eye(6)
    hessian = np.array(
        [
            [
                (dense.at(theta + a + b) - dense.at(theta + a - b) - dense.at(theta - a + b) + dense.at(theta - a - b)) / (4 * step**2)
                for b in shift
            ]
            for a in shift
        ]
    )
    scale = np.sqrt(np.outer(np.diag(hessian), np.diag(hessian)))
    np.testing.assert_allclose(-hessian / scale, information(design, ours) / scale, atol=1e-5)


@pytest.mark.parametrize("likelihood", ["transformation", "direct"])
def test_no_other_coefficient_is_likelier(frame: pl.DataFrame, likelihood: Likelihood) -> None:
    """The profile over a fine grid, with b and σ² at their best for each ρ by dense least squares."""
    design = make(frame)
    ours, dense = fitted(design, likelihood), Dense(design, likelihood)
    x = np.column_stack([c.ravel() for c in dense.x])

    def profile(rho: float) -> float:
        jump = dense.y - rho * dense.w @ dense.y
        jump = dense.off[0] @ jump @ dense.off[1] if dense.direct else jump
        b = np.linalg.lstsq(x, jump.ravel(), rcond=None)[0]
        return dense.at(np.array([*b, rho, ((jump.ravel() - x @ b) ** 2).mean()]))

    best = optimize.minimize_scalar(lambda rho: -profile(rho), bounds=(-0.99, 0.99), method="bounded", options={"xatol": 1e-10})
    assert ours.rho == pytest.approx(best.x, abs=1e-6)
    assert max(profile(rho) for rho in np.linspace(-0.99, 0.99, 199)) <= ours.log_likelihood + 1e-9


def kernel(design: Design, rho: float, likelihood: Likelihood) -> tuple[Floats, Floats, Floats]:
    """W(I − ρW)⁻¹, the same without period effects, and (I − ρW)⁻¹, dense."""
    n = design.n_units
    w = nearest_weights(np.asarray(design.coordinates), 4).toarray()
    inverse = np.linalg.inv(np.eye(n) - rho * w)
    q = np.eye(n) - 1 / n if likelihood == "transformation" else np.eye(n)
    return w @ inverse, q @ w @ inverse @ q, inverse


@pytest.mark.parametrize("likelihood", ["transformation", "direct"])
def test_the_covariance_of_the_likelihood_is_the_expected_information(frame: pl.DataFrame, likelihood: Likelihood) -> None:
    design = make(frame)
    ours, n, periods = fitted(design, likelihood), design.n_units, design.n_periods
    g, inner, _ = kernel(design, ours.rho, likelihood)
    x, s2 = ours.moments.x, ours.sigma2
    both = [np.eye(n) - 1 / n, np.eye(periods) - 1 / periods]
    y = design.y.reshape(n, periods)
    errors = ours.residuals.reshape(n, periods)
    w = nearest_weights(np.asarray(design.coordinates), 4).toarray()
    explained = (both[0] @ (g @ (y - ours.rho * w @ y - errors)) @ both[1]).ravel()
    times, size = (periods - 1, (n - 1) * (periods - 1)) if likelihood == "transformation" else (periods, n * periods)
    want = np.zeros((6, 6))
    want[:4, :4], want[:4, 4] = x.T @ x / s2, x.T @ explained / s2
    want[4, :4] = want[:4, 4]
    want[4, 4] = times * (np.trace(inner @ inner) + np.trace(inner.T @ inner)) + explained @ explained / s2
    want[4, 5] = want[5, 4] = times * np.trace(inner) / s2
    want[5, 5] = size / (2 * s2**2)
    np.testing.assert_allclose(information(design, ours, expected=True), want, rtol=1e-9, atol=1e-9 * want.max())
    effects = fit(design, **SDM, likelihood=likelihood, vcov="iid")
    np.testing.assert_allclose(effects.std_error[[4, 5, 6, 7, 3]], np.sqrt(np.diag(np.linalg.inv(want)))[:5], rtol=1e-9)


@pytest.mark.parametrize("average", ["units", "treated"])
def test_average_effects_are_those_of_the_inverse(frame: pl.DataFrame, average: str) -> None:
    """Means of the diagonal and of column sums of (I − ρW)⁻¹(βI + θW), and their derivatives by differences."""
    design = make(frame)
    ours = fitted(design)
    n = design.n_units
    given = design.treated.reshape(n, -1).sum(axis=1)
    share = np.full(n, 1 / n) if average == "units" else given / given.sum()
    w = nearest_weights(np.asarray(design.coordinates), 4).toarray()

    def effects(theta: Floats) -> Floats:
        change = np.linalg.solve(np.eye(n) - theta[2] * w, theta[0] * np.eye(n) + theta[1] * w)
        direct, total = float(np.diag(change) @ share), float(change.sum(axis=0) @ share)
        return np.array([direct, total - direct, total])

    value, slope = average_effects(ours, share)
    theta = np.array([*ours.slope[:2], ours.rho])
    np.testing.assert_allclose(value, effects(theta), rtol=1e-11)
    np.testing.assert_allclose(slope[:, [0, 1, 4]], optimize.approx_fprime(theta, effects, 1e-7), rtol=1e-5)
    assert (slope[:, 2:4] == 0).all()
    found = fit(design, **SDM, average=average)
    np.testing.assert_allclose(found.estimate[:3], value, rtol=1e-12)
    if average == "units":
        assert value[2] == pytest.approx((theta[0] + theta[1]) / (1 - theta[2]), rel=1e-12)


@pytest.mark.parametrize("cluster", [None, "region"])
@pytest.mark.parametrize("likelihood", ["transformation", "direct"])
def test_clustered_errors_are_sums_over_pairs_of_units(frame: pl.DataFrame, cluster: str | None, likelihood: Likelihood) -> None:
    """Squares of what a cluster's own rows add to the score, and squares of what two clusters add together, half to each."""
    design = make(frame, cluster=cluster)
    ours, n = fitted(design, likelihood), design.n_units
    _, inner, _ = kernel(design, ours.rho, likelihood)
    errors, x = ours.residuals.reshape(n, -1), ours.moments.x.reshape(n, design.n_periods, 4)
    s2, data = ours.sigma2, ours.data
    exact = (ours.lag.reshape(n, -1) - (np.eye(n) - 1 / n) @ kernel(design, ours.rho, likelihood)[0] @ errors) * errors
    owner = np.zeros(n, dtype=int)
    owner[design.unit] = design.clusters[0].codes
    shares = np.zeros((design.clusters[0].size, 6))
    for c in range(len(shares)):
        own = np.flatnonzero(owner == c)
        shares[c, :4] = np.einsum("itk,it->k", x[own], errors[own])
        pairs = inner * (errors @ errors.T)
        inside = pairs[np.ix_(own, own)].sum() - s2 * data.times * np.diag(inner)[own].sum()
        across = pairs[own].sum() + pairs[:, own].sum() - 2 * pairs[np.ix_(own, own)].sum()
        shares[c, 4] = exact[own].sum() + inside + across / np.sqrt(2)
        shares[c, 5] = ((errors[own] ** 2).sum() - s2 * data.size / n * len(own)) / (2 * s2)
    influence = (shares / s2 @ np.linalg.inv(information(design, ours)))[:, :5]
    effects = fit(design, **SDM, likelihood=likelihood, ssc="none")
    np.testing.assert_allclose(effects.vcov[np.ix_([4, 5, 6, 7, 3], [4, 5, 6, 7, 3])], influence.T @ influence, rtol=1e-8)
    np.testing.assert_allclose(effects.influence.T @ effects.influence, effects.vcov, atol=1e-14)
    assert effects.from_influence
    assert effects.df == design.clusters[0].size - 1


def test_squares_of_each_units_score_understate_the_error_of_the_lag() -> None:
    """With independent errors of one variance the two covariances estimate the same thing; the usual sandwich leaves a quarter out."""
    n = 1500
    design = make(make_frame(n, 7, seed=3, box=30.0))
    ours = fitted(design)
    usual = scores(design, ours, design.clusters[0])
    own = ours.multiplier.own - ours.multiplier.sent / n
    products = (ours.lag * ours.residuals).reshape(n, -1).sum(axis=1)
    usual[:, 4] = (products - ours.sigma2 * ours.data.times * own) / ours.sigma2
    np.testing.assert_allclose(usual.sum(axis=0), 0, atol=1e-8)
    bread = np.linalg.inv(information(design, ours))
    error = np.sqrt(np.diag(bread @ usual.T @ usual @ bread))[4]
    clustered, plain = (fit(design, **SDM, vcov=vcov).std_error[3] for vcov in ("cluster", "iid"))
    assert clustered == pytest.approx(plain, rel=0.03)
    assert error < 0.8 * plain


# Properties ----------------------------------------------------------------------------------------------------------


def test_given_the_lag_the_rest_is_one_regression(frame: pl.DataFrame) -> None:
    """With ρ̂ W y taken off the outcome, least squares finds the same coefficients; their total is that of one regression at ρ = 0."""
    design = make(frame)
    effects = fit(design, **SDM, average="treated")
    rho = effects.estimate[3]
    _, _, w = places(30, 4.0, 0)
    freed = replace(design, y=(design.y.reshape(30, -1) - rho * w @ design.y.reshape(30, -1)).ravel())
    options: dict[str, Any] = {"exposure": "neighbours", "on_treated": "same", "lag_covariates": True}
    least = fit(freed, estimator="twfe", **options)
    np.testing.assert_allclose(effects.estimate[4:], least.estimate[[0, 1, 4, 5]], rtol=1e-9)
    shared = fitted(design)
    level = design.treated.reshape(30, -1).sum(axis=1)
    _, flat = average_effects(replace(shared, rho=0.0, multiplier=_without_lag(shared, w)), level / level.sum())
    np.testing.assert_allclose(flat[2, :2] @ least.estimate[:2], least.estimate[3], rtol=1e-9)


def _without_lag(ours: Fitted, w: Floats) -> Any:
    twice = w @ w
    return replace(ours.multiplier, own=np.diag(w), own_twice=np.diag(twice), sent=w.sum(axis=0), sent_twice=twice.sum(axis=0))


@pytest.mark.parametrize("options", [{}, {"vcov": "iid"}, {"likelihood": "direct"}, {"average": "treated"}, {"lag_covariates": False}])
def test_shifts_by_unit_and_period_and_order_change_nothing(frame: pl.DataFrame, options: dict[str, Any]) -> None:
    rng = np.random.default_rng(4)
    year = frame["year"].to_numpy()
    unit = np.repeat(rng.normal(size=30), 5)
    moved = frame.with_columns(y=pl.col("y") + pl.Series(rng.normal(size=9)[year] + unit))
    renamed = moved.with_columns(unit="z" + (9999 - pl.col("unit").str.slice(1).cast(pl.Int64)).cast(pl.String))
    plain = fit(make(frame), **SDM, **options)
    shifted = fit(make(renamed.sample(fraction=1.0, shuffle=True, seed=1)), **SDM, **options)
    np.testing.assert_allclose(plain.estimate, shifted.estimate, atol=1e-8)
    np.testing.assert_allclose(plain.vcov, shifted.vcov, atol=1e-8)


@pytest.mark.parametrize("vcov", ["cluster", "iid"])
def test_the_unit_of_measurement_scales_all_but_the_lag(frame: pl.DataFrame, vcov: str) -> None:
    plain = fit(make(frame), **SDM, vcov=vcov)
    scaled = fit(make(frame.with_columns(y=pl.col("y") * 1e5 + 1e7)), **SDM, vcov=vcov)
    factor = np.where(np.array(plain.terms.name) == "rho", 1.0, 1e5)
    np.testing.assert_allclose(scaled.estimate, factor * plain.estimate, rtol=1e-7)
    np.testing.assert_allclose(scaled.std_error, factor * plain.std_error, rtol=1e-7)


def test_terms_notes_and_facts(frame: pl.DataFrame) -> None:
    effects = hl.estimate(*_asked(frame), "spillover", covariates="~ x", **SDM)
    names = ("direct", "spillover", "total", "rho", "treated", "neighbours treated", "x", "neighbours' x")
    assert effects.terms.name == names
    assert effects.estimate[2] == pytest.approx(effects.estimate[0] + effects.estimate[1])
    assert "spillover-staggered" in [n.code for n in effects.notes]
    assert effects.meta["estimand_code"] == "spillover-durbin"
    assert np.isfinite(effects.meta["log_likelihood"])
    assert fit(make(frame), **SDM, lag_covariates=False).terms.name == names[:-1]
    assert fit(make(frame, covariates=None), **SDM).terms.name == names[:-2]
    banded = effects.take(np.arange(3)).with_band(draws=99)
    assert banded.band is not None
    plain = fit(make(frame), **SDM, vcov="iid")
    assert not plain.from_influence
    assert np.isinf(plain.df)


def _asked(frame: pl.DataFrame) -> tuple[Panel, str, Any]:
    panel = Panel(frame.sort("unit", "year"), "unit", "year", coordinates=("lon", "lat"))
    return panel, "y", adoption(panel, "g")


def test_collinear_covariates_are_said(frame: pl.DataFrame) -> None:
    table = frame.with_columns(x2=pl.col("x") * 2 + 1)
    effects = fit(make(table, covariates=["x", "x2"]), **SDM)
    assert next(n for n in effects.notes if n.code == "collinear-dropped").values["names"] == "x2, neighbours' x2"
    np.testing.assert_allclose(effects.estimate, fit(make(frame), **SDM).estimate, rtol=1e-9)


def test_a_unit_without_neighbours_is_refused_or_takes_the_likelihood_of_all_rows(frame: pl.DataFrame) -> None:
    table = frame.with_columns(lon=pl.when(pl.col("unit") == "u0003").then(10.0).otherwise(pl.col("lon")))
    with pytest.raises(EstimationError, match="u0003") as caught:
        fit(make(table), **SDM, within_km=400)
    assert caught.value.findings[0].code == "units-without-neighbours"
    effects = fit(make(table), **SDM, within_km=400, likelihood="direct")
    note = next(n for n in effects.notes if n.code == "spillover-no-neighbours")
    assert "u0003" in str(note.values["units"])
    design = make(table)
    w = nearest_weights(np.asarray(design.coordinates), 4, 400.0).toarray()
    rho, beta, theta = effects.estimate[3:6]
    change = np.linalg.solve(np.eye(30) - rho * w, beta * np.eye(30) + theta * w)
    np.testing.assert_allclose(effects.estimate[[0, 2]], [np.trace(change) / 30, change.sum() / 30], rtol=1e-10)


# Displacement --------------------------------------------------------------------------------------------------------


def test_displacement_is_per_unit_treated(frame: pl.DataFrame) -> None:
    effects = fit(make(frame), **SDM, average="treated")
    found = displacement_test(effects)
    np.testing.assert_allclose(found.estimate, effects.estimate[:3], rtol=1e-12)
    np.testing.assert_allclose(found.std_error, effects.std_error[:3], rtol=1e-12)
    assert found.share == pytest.approx(-effects.estimate[1] / effects.estimate[0])
    for language in LANGUAGES:
        assert found.statement(language)


# Bad input -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"exposure": "rings"}, "not-defined"),
        ({"effect": "direct"}, "not-defined"),
        ({"effect": "event-study"}, "not-defined"),
        ({"on_treated": "no"}, "not-defined"),
        ({"on_treated": "apart"}, "not-defined"),
        ({"anticipation": 1}, "not-defined"),
        ({"fe": ["region^year"]}, "not-defined"),
        ({"weight": "w"}, "not-defined"),
        ({"gaps": True}, "not-defined"),
        ({"cluster": ["unit", "region"]}, "not-defined"),
        ({"vcov": "conley", "cutoff_km": 100}, "not-defined"),
        ({"vcov": "CR2"}, "not-defined"),
        ({"likelihood": "exact"}, "unknown-value"),
        ({"average": "all"}, "unknown-value"),
        ({"estimator": "twfe", "average": "treated"}, "option-unused"),
        ({"estimator": "two-stage", "likelihood": "direct"}, "option-unused"),
        ({"covariates": None, "lag_covariates": True}, "option-unused"),
        ({"cluster": "moving"}, "cluster-not-nested"),
        ({"nearest": 29}, "exposure-collinear"),
        ({"apart": 0.0}, "rho-not-identified"),
        ({"apart": 5e-5}, "rho-at-bound"),
    ],
)
def test_bad_input_is_a_finding(frame: pl.DataFrame, options: dict[str, Any], code: str) -> None:
    table, asked = frame.with_columns(moving=pl.col("region") + (pl.col("year") > 2).cast(pl.String)), {**SDM, **options}
    if asked.pop("gaps", False):
        table = table.filter((pl.col("unit") != "u0001") | (pl.col("year") != 2))
    if "apart" in asked:
        pairs = [(f"u{i:04d}", f"u{i + 1 - 2 * (i % 2):04d}") for i in range(30)]
        asked["neighbours"] = pl.DataFrame(pairs, schema=["unit", "neighbour"], orient="row")
        copied = np.repeat(frame["y"].to_numpy().reshape(15, 2, 5)[:, :1], 2, axis=1).ravel()
        table = table.with_columns(y=pl.Series(copied) + asked.pop("apart") * pl.col("y"))
    panel = Panel(table.sort("unit", "year"), "unit", "year", weight=asked.pop("weight", None), coordinates=("lon", "lat"))
    with pytest.raises(EstimationError) as caught:
        estimate(panel, "y", adoption(panel, "g"), "spillover", **{"covariates": "~ x", **asked})
    assert code in [f.code for f in caught.value.findings]
    assert all(f.what and f.remedy for f in caught.value.findings)


# Simulation ----------------------------------------------------------------------------------------------------------


WORLD = "spatial Durbin model, everything gained is lost by others; 150 units × 7"


def draw(n: int, periods: int, persistence: float, rng: np.random.Generator) -> Floats:
    """[n, periods] unit effects and AR(1) errors of variance one."""
    error = np.empty((n, periods))
    error[:, 0] = rng.normal(size=n)
    for t in range(1, periods):
        error[:, t] = persistence * error[:, t - 1] + np.sqrt(1 - persistence**2) * rng.normal(size=n)
    return np.asarray(error + rng.normal(size=(n, 1)) + 0.2 * np.arange(periods))


def simulated(rho: float, beta: float, theta: float) -> tuple[Design, Floats, Floats, Floats]:
    """A design whose outcome is to be drawn, (I − ρW)⁻¹ [150, 150], the mean before it, and direct effect, spillover, total, ρ, β and θ."""
    n, periods = 150, 7
    base = make(make_frame(n, periods, seed=3, box=8.0))
    _, _, w = places(n, 8.0, 3)
    inverse = np.linalg.inv(np.eye(n) - rho * w)
    own, x = base.treated.reshape(n, periods).astype(float), base.covariates[:, 0].reshape(n, periods)
    change = inverse @ (beta * np.eye(n) + theta * w)
    direct, total = float(np.trace(change) / n), float(change.sum() / n)
    mean = beta * own + theta * (w @ own) + 0.5 * x + 0.3 * (w @ x)
    return base, inverse, mean, np.array([direct, total - direct, total, rho, beta, theta])


SMALL: dict[str, Any] = {"reason": "small sample", "within": 0.2}
NAMES = ("direct", "spillover", "total", "rho", "treated", "neighbours treated")


@pytest.mark.validate
@pytest.mark.parametrize(("vcov", "persistence"), [("cluster", 0.5), ("iid", 0.0)])
def test_coverage_and_size(vcov: str, persistence: float, validated: Recorder) -> None:
    """ρ = 0.4, β = 1, θ = −1, so that the total is zero; and a world without any effect and without a lag, for sizes.

    Maximum likelihood finds ρ a little too low, by a term of order 1/n from the regressors, which move together in space.
    """
    base, inverse, mean, truth = simulated(0.4, 1.0, -1.0)
    null, _, flat, _ = simulated(0.0, 0.0, 0.0)
    rng, gap, half, reject, hold, none = np.random.default_rng(12), [], [], [], [], []
    for _ in range(1000):
        error = draw(150, 7, persistence, rng)
        found = fit(replace(base, y=(inverse @ (mean + error)).ravel()), **SDM, vcov=vcov)
        gap.append(found.estimate[:6] - truth)
        half.append(found.half_width()[:6])
        moved = displacement_test(found)
        reject.append(moved.p_value[2] < 0.05)
        inside = moved.share_low <= 1 <= moved.share_high
        hold.append(moved.shape == "everything" or inside == (moved.shape == "interval"))
        none.append(fit(replace(null, y=(flat + error).ravel()), **SDM, vcov=vcov).p_value[:6] < 0.05)
    errors = f"{'AR(1)' if persistence else 'independent'} errors"
    said = f"{WORLD}; {errors}"
    record = validated("estimators", "spillover", said, variant=f"sdm, {vcov}", seed=12)
    for j, name in enumerate(NAMES):
        record.bias(np.array(gap)[:, j], name, **(SMALL if name == "rho" else {}))
        record.coverage(np.abs(gap)[:, j] <= np.array(half)[:, j], name)
    record = validated("tests", "displacement_test", said, variant=f"sdm, {vcov}", seed=12)
    record.size(reject, "total")
    record.coverage(hold, "share displaced")
    record = validated("estimators", "spillover", f"no effect, no lag; 150 units × 7; {errors}", variant=f"sdm, {vcov}", seed=12)
    for j, name in enumerate(NAMES):
        record.size(np.array(none)[:, j], name)


@pytest.mark.validate
def test_the_likelihood_of_all_rows_is_biased(validated: Recorder) -> None:
    """Its ρ is too low by a term of order 1/N, and its errors, with σ² too small, cover too little: what taking effects off is for."""
    base, inverse, mean, truth = simulated(0.4, 1.0, -1.0)
    rng, gap, half = np.random.default_rng(13), [], []
    for _ in range(1000):
        design = replace(base, y=(inverse @ (mean + draw(150, 7, 0.0, rng))).ravel())
        found = fit(design, **SDM, vcov="iid", likelihood="direct")
        gap.append(found.estimate[3] - truth[3])
        half.append(found.half_width()[3])
    record = validated("failures", "spillover", f"{WORLD}; independent errors", variant="sdm, likelihood of all rows", seed=13)
    record.bias(np.array(gap), "rho", reason="known failure", least=-0.005)
    record.coverage(np.abs(gap) <= np.array(half), "rho", within=(0.80, 0.93), reason="known failure")


@pytest.mark.validate
def test_coverage_where_variances_differ(validated: Recorder) -> None:
    """Standard deviations of units' errors are lognormal (0.7): the likelihood is then wrong for ρ, and its effects hold."""
    base, inverse, mean, truth = simulated(0.4, 1.0, -1.0)
    rng, gap, half = np.random.default_rng(14), [], []
    for _ in range(1000):
        error = rng.normal(size=(150, 7)) * np.exp(0.7 * rng.normal(size=(150, 1)))
        found = fit(replace(base, y=(inverse @ (mean + error)).ravel()), **SDM)
        gap.append(found.estimate[:4] - truth[:4])
        half.append(found.half_width()[:4])
    record = validated("estimators", "spillover", f"{WORLD}; variances differ between units", variant="sdm, cluster", seed=14)
    for j, name in enumerate(NAMES[:4]):
        record.bias(np.array(gap)[:, j], name, **(SMALL if name == "rho" else {}))
        record.coverage(np.abs(gap)[:, j] <= np.array(half)[:, j], name)
