"""Sigma and beta convergence, densities: worked examples, peers, recovery of known speeds, edges."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from scipy.integrate import trapezoid

from hinterland.errors import InputError
from hinterland.measure.convergence import beta, sd_log, speed
from hinterland.measure.density import kernel_density, silverman, stochastic_kernel
from hinterland.measure.entry import measure

Y0, G = np.array([1.0, 2, 4, 8]), np.array([0.08, 0.06, 0.05, 0.02])


def panel(y: np.ndarray, **more: object) -> pl.DataFrame:
    years, regions = np.indices(y.shape)
    return pl.DataFrame({"city": [f"c{r:03d}" for r in regions.ravel()], "year": 2000 + years.ravel(), "gdp": y.ravel()}).with_columns(
        **more
    )  # type: ignore[arg-type]


def test_worked_example() -> None:
    fit = beta(Y0, Y0 * np.exp(10 * G), 10)
    assert round(fit.slope, 6) == -0.027411 and round(fit.speed, 6) == 0.032036


def test_a_speed_of_two_per_cent_comes_back() -> None:
    b = -(1 - np.exp(-0.02 * 10)) / 10
    assert round(b, 6) == -0.018127
    assert speed(b, 10) == pytest.approx(0.02, abs=1e-15)
    exact = beta(Y0, Y0 * np.exp(10 * (0.05 + b * np.log(Y0))), 10)
    assert exact.speed == pytest.approx(0.02, abs=1e-12)
    assert round(exact.half_life, 2) == 34.66


def test_no_path_has_so_steep_a_slope() -> None:
    assert np.isnan(speed(-0.1, 10)) and np.isnan(speed(-0.2, 10))
    m = measure("beta-convergence", panel(np.array([[1.0, 2, 4, 9], [4, 2.1, 1, 0.4]])), region="city", value="gdp", time="year")
    said = dict(m.frame.select("component", "reason").iter_rows())
    assert said["convergence-speed"] == said["half-life"] == said["convergence-speed-std-error"] == "steep-slope"
    assert said["beta-slope"] == ""


def test_divergence_has_no_half_life() -> None:
    m = measure("beta-convergence", panel(np.array([Y0, Y0**1.2 * np.array([1, 1.1, 1, 0.9])])), region="city", value="gdp", time="year")
    said = dict(m.frame.select("component", "reason").iter_rows())
    assert said["half-life"] == "diverging" and said["convergence-speed"] == ""


@pytest.mark.filterwarnings("ignore:The inplace keyword")
def test_least_squares_is_that_of_pyfixest() -> None:
    """Absolute and with controls, classical and HC1 standard errors, to 1e-9 (two solvers of one problem)."""
    import pyfixest as pf

    rng = np.random.default_rng(0)
    n, years = 60, 10
    x, controls = rng.normal(size=n), rng.normal(size=(n, 2))
    g = 0.05 - 0.02 * x + controls @ [0.01, -0.02] + rng.normal(0, 0.01, n)
    data = pl.DataFrame({"g": g, "x": x, "z1": controls[:, 0], "z2": controls[:, 1]})
    for formula, others in (("g ~ x", None), ("g ~ x + z1 + z2", controls)):
        for vcov, robust in (("iid", False), ("HC1", True)):
            theirs = pf.feols(formula, data, vcov=vcov)
            ours = beta(np.exp(x), np.exp(x + years * g), years, others, robust)
            assert ours.slope == pytest.approx(float(theirs.coef()["x"]), abs=1e-9)
            assert ours.std_error == pytest.approx(float(theirs.se()["x"]), abs=1e-9)
            assert ours.p_value == pytest.approx(float(theirs.pvalue()["x"]), rel=1e-6)


def test_known_speeds_are_recovered_and_covered() -> None:
    """400 worlds of 60 regions: the mean speed within 3 standard errors of the truth, and intervals of b cover in 93-97 %."""
    rng = np.random.default_rng(1)
    truth, years = -(1 - np.exp(-0.03 * 15)) / 15, 15
    slopes, covered = [], 0
    for _ in range(400):
        x = rng.normal(size=60)
        fit = beta(np.exp(x), np.exp(x + years * (0.06 + truth * x + rng.normal(0, 0.01, 60))), years)
        slopes.append(fit.slope)
        covered += abs(fit.slope - truth) < 2.0017 * fit.std_error
    assert abs(np.mean(slopes) - truth) < 3 * np.std(slopes) / 20
    assert 0.925 < covered / 400 < 0.975


def test_groups_are_effects_or_samples() -> None:
    rng = np.random.default_rng(2)
    x, g = rng.normal(size=80), np.repeat([0, 1], 40)
    growth = np.where(g == 0, 0.03, 0.06) - 0.02 * x + rng.normal(0, 0.005, 80)
    frame = panel(np.exp(np.stack([x, x + growth])), area=pl.Series(np.tile(np.where(g == 0, "east", "west"), 2)))
    columns = {"region": "city", "value": "gdp", "time": "year", "group": "area"}
    effects = measure("beta-convergence", frame, **columns)  # type: ignore[arg-type]
    assert effects.component("beta-slope")["value"].item() == pytest.approx(
        beta(np.exp(x), np.exp(x + growth), 1, g[:, None].astype(float)).slope, abs=1e-12
    )
    each = measure("beta-convergence", frame, groups="separate", **columns)  # type: ignore[arg-type]
    assert each.component("beta-slope")["area"].to_list() == ["east", "west"]
    assert each.component("beta-slope")["n_used"].to_list() == [40, 40]
    assert each.component("beta-slope")["coverage"].to_list() == [1.0, 1.0]
    table = pl.DataFrame({"city": frame["city"][:80], "z": (g == 1).astype(float)})
    same = measure("beta-convergence", frame, region="city", value="gdp", time="year", controls=table)
    assert same.component("beta-slope")["value"].item() == pytest.approx(effects.component("beta-slope")["value"].item(), abs=1e-12)


def test_years_and_controls_that_are_wrong_are_named() -> None:
    columns = {"region": "city", "value": "gdp", "time": "year"}
    frame = panel(np.array([Y0, Y0 * 2]))
    for more, code in (
        ({"start": 1990}, "year-absent"),
        ({"start": 2001}, "single-period"),
        ({"controls": pl.DataFrame({"city": ["c000", "c000"], "z": [1.0, 2]})}, "bad-controls"),
        ({"controls": pl.DataFrame({"city": ["c000"], "z": ["a"]})}, "bad-controls"),
    ):
        with pytest.raises(InputError) as caught:
            measure("beta-convergence", frame, **columns, **more)  # type: ignore[arg-type]
        assert caught.value.findings[0].code == code
    with pytest.raises(InputError) as caught:
        measure("beta-convergence", panel(np.array([[0.0, 1, 2], [1, 2, 3]])), **columns)  # type: ignore[arg-type]
    assert caught.value.findings[0].code == "zero-value" and "c000" in caught.value.findings[0].what


def test_too_few_and_alike() -> None:
    columns = {"region": "city", "value": "gdp", "time": "year"}
    few = measure("beta-convergence", panel(np.array([[1.0, 2], [2, 3]])), **columns)  # type: ignore[arg-type]
    assert few.frame["reason"].unique().to_list() == ["too-few"]
    alike = measure("beta-convergence", panel(np.array([[2.0, 2, 2, 2], [2, 3, 4, 5]])), **columns)  # type: ignore[arg-type]
    assert alike.frame["reason"].unique().to_list() == ["no-variation"]


def test_sigma_by_hand() -> None:
    y = np.array([[1.0, 2, 4], [1, 1, 0]])
    m = measure("sigma-convergence", panel(y), region="city", value="gdp", time="year")
    assert m.component("variation")["value"].to_list() == pytest.approx([np.std(y[0]) / y[0].mean(), np.std(y[1]) / y[1].mean()], abs=1e-15)
    assert m.component("sd-log")["value"].to_list() == [pytest.approx(np.log(2) * np.sqrt(2 / 3), abs=1e-15), None]
    assert m.component("sd-log")["reason"].to_list() == ["", "zero-value"]
    assert float(sd_log(y[0], ddof=1)) == pytest.approx(np.std(np.log(y[0]), ddof=1), abs=1e-15)


def test_densities_are_those_of_scipy() -> None:
    """scipy.stats.gaussian_kde at our bandwidth, weighted and not, to rounding."""
    from scipy.stats import gaussian_kde

    rng = np.random.default_rng(3)
    y, w = rng.lognormal(size=300), rng.uniform(1, 5, 300)
    points = np.linspace(-2, 12, 200)
    for weight in (None, w):
        cov = np.cov(y, aweights=weight, bias=False) if weight is not None else np.var(y, ddof=1)
        theirs = gaussian_kde(y, bw_method=0.3 / np.sqrt(float(cov)), weights=weight)
        assert np.allclose(kernel_density(points, y, 0.3, weight), theirs(points), atol=1e-12)


def test_reflection_keeps_all_mass_above_zero() -> None:
    rng = np.random.default_rng(4)
    y = rng.exponential(size=500)
    h, points = silverman(y), np.linspace(0, 20, 4001)
    assert trapezoid(kernel_density(points, y, h, reflect=True), points) == pytest.approx(1, abs=1e-6)
    assert trapezoid(kernel_density(points, y, h), points) < 0.97
    assert kernel_density(np.array([-0.1]), y, h, reflect=True)[0] == 0


def test_silverman() -> None:
    rng = np.random.default_rng(5)
    y = rng.normal(size=1000)
    q = np.quantile(y, [0.25, 0.75])
    assert silverman(y) == pytest.approx(0.9 * min(y.std(ddof=1), (q[1] - q[0]) / 1.34) * 1000**-0.2, abs=1e-15)
    assert np.isnan(silverman(np.ones(5))) and np.isnan(silverman(np.ones(1)))
    assert silverman(np.array([0.0, 0, 0, 0, 9])) > 0, "quartiles may coincide where values do not"


def test_stochastic_kernel_rows_are_densities() -> None:
    rng = np.random.default_rng(6)
    x = rng.normal(size=2000)
    y = 0.8 * x + 0.3 * rng.normal(size=2000)
    to = np.linspace(-5, 5, 1001)
    k = stochastic_kernel(to, np.array([-1.0, 0, 1, 40]), x=x, y=y, bandwidth=(0.15, 0.1))
    assert trapezoid(k[:3], to, axis=1) == pytest.approx([1, 1, 1], abs=1e-8)
    assert trapezoid(k[:3] * to, to, axis=1) == pytest.approx([-0.8, 0, 0.8], abs=0.06)
    assert np.isnan(k[3]).all()


def test_density_entries() -> None:
    rng = np.random.default_rng(7)
    y = rng.lognormal(size=(3, 50))
    y[2] = 1.0
    m = measure("kernel-density", panel(y), region="city", value="gdp", time="year", points=400)
    assert m.meta["reflected"] is True and set(m.meta["bandwidth"]) == {2000, 2001, 2002}
    by_year = m.frame.filter(pl.col("year") == 2000)
    assert trapezoid(by_year["value"], by_year["point"]) == pytest.approx(1, abs=2e-3)
    assert m.frame.filter(pl.col("year") == 2002)["reason"].to_list() == ["no-variation"]
    moves = measure("stochastic-kernel", panel(y[:2]), region="city", value="gdp", time="year", points=11)
    assert moves.frame.height == 121 and moves.frame.columns[:2] == ["given", "point"]
    near = measure(
        "stochastic-kernel",
        panel(y[:2]),
        region="city",
        value="gdp",
        time="year",
        given="neighbours",
        nearest=4,
        coordinates=pl.DataFrame(
            {"city": [f"c{i:03d}" for i in range(50)], "lon": rng.uniform(100, 110, 50), "lat": rng.uniform(25, 35, 50)}
        ),
    )
    assert near.frame.height == 41 * 41
    with pytest.raises(InputError):
        measure("kernel-density", panel(y - 5), region="city", value="gdp", time="year", boundary="reflect")
