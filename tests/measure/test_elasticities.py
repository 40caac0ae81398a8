"""Output elasticities: pyfixest on the same rows, simulated truth, partial pooling, bounds that never clip."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import polars as pl
import pytest

import hinterland as hl
from hinterland.measure import elasticities

Arrays = dict[str, np.ndarray]


def rows(seed: int = 0, regions: int = 30, years: int = 12, keep: float = 0.85) -> Arrays:
    """An unbalanced panel of ln(Y/L) and ln(K/L) with region and year effects."""
    rng = np.random.default_rng(seed)
    region, time = (v.ravel() for v in np.meshgrid(np.arange(regions), np.arange(years), indexing="ij"))
    x = rng.normal(size=regions)[region] + 0.1 * time + rng.normal(scale=0.3, size=len(region))
    y = 0.4 * x + rng.normal(size=regions)[region] + 0.05 * time + rng.normal(scale=0.2, size=len(region))
    kept = rng.random(len(region)) < keep
    return {"y": y[kept], "x": x[kept], "region": region[kept], "time": time[kept], "group": region[kept] % 3}


def panel(seed: int = 0, regions: int = 31, years: int = 15, beta: Any = 0.4, noise: float = 0.05, codes: bool = False) -> pl.DataFrame:
    """Output from a Cobb–Douglas function with constant returns."""
    rng = np.random.default_rng(seed)
    t = np.arange(years)[:, None]
    k = np.exp(rng.normal(4, 1, regions) + rng.normal(0.08, 0.03, regions) * t + 0.1 * rng.normal(size=(years, regions)).cumsum(axis=0))
    n = np.exp(rng.normal(3, 0.5, regions) + 0.02 * rng.normal(size=(years, regions)).cumsum(axis=0))
    a = np.exp(rng.normal(1, 0.3, regions) + 0.03 * t + noise * rng.normal(size=(years, regions)))
    y = a * k**beta * n ** (1 - np.asarray(beta))
    names = hl_codes()[:regions] if codes else [f"r{i:02d}" for i in range(regions)]
    year, region = np.indices(y.shape)
    return pl.DataFrame(
        {
            "prov": np.array(names)[region.ravel()],
            "year": 2005 + year.ravel(),
            "gdp": y.ravel(),
            "capital": k.ravel(),
            "labour": n.ravel(),
            "area": np.array(["east", "west", "centre"])[region.ravel() % 3],
        }
    )


def hl_codes() -> list[str]:
    from hinterland.data.geography import provinces

    return provinces()["province_code"].to_list()


def measure(frame: pl.DataFrame, **more: object) -> hl.Measure:
    columns = {"region": "prov", "time": "year", "output": "gdp", "capital": "capital", "labour": "labour"}
    return hl.measure("output-elasticity", frame, **(columns | more))  # type: ignore[arg-type]


def test_pooled_and_by_class_are_those_of_pyfixest() -> None:
    """Slopes and CR1 standard errors to 1e-9: both solve the same normal equations, pyfixest by alternating projections to 1e-8."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pandas as pd
        import pyfixest as pf

        d = rows()
        frame = pd.DataFrame(d)
        for c in range(3):
            frame[f"x{c}"] = frame["x"] * (frame["group"] == c)
        pooled = pf.feols("y ~ x | region + time", frame, vcov={"CRV1": "region"})
        classes = pf.feols("y ~ x0 + x1 + x2 | region + time", frame, vcov={"CRV1": "region"})
    ours = elasticities.class_slopes(d["y"], d["x"], d["region"], d["time"])
    assert np.allclose(ours.estimate, pooled.coef().to_numpy(), rtol=1e-7)
    assert np.allclose(ours.std_error, pooled.se().to_numpy(), rtol=1e-7)
    ours = elasticities.class_slopes(d["y"], d["x"], d["region"], d["time"], d["group"])
    assert np.allclose(ours.estimate, classes.coef().to_numpy(), rtol=1e-7)
    assert np.allclose(ours.std_error, classes.se().to_numpy(), rtol=1e-7)


def test_by_group_is_a_regression_of_its_own() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pyfixest as pf

        frame = panel(noise=0.2)
        east = frame.filter(pl.col("area") == "east").with_columns(
            y=(pl.col("gdp") / pl.col("labour")).log(), x=(pl.col("capital") / pl.col("labour")).log()
        )
        fit = pf.feols("y ~ x | prov + year", east.to_pandas(), vcov={"CRV1": "prov"})
    m = measure(frame, group="area", year_effects="group")
    estimate = m.component("elasticity-estimate").filter(pl.col("prov") == "r00")["value"].item()
    error = m.component("elasticity-std-error").filter(pl.col("prov") == "r00")["value"].item()
    assert estimate == pytest.approx(fit.coef().iloc[0], rel=1e-7)
    assert error == pytest.approx(fit.se().iloc[0], rel=1e-7)
    assert m.meta["elasticities"]["east"] == {"capital": pytest.approx(estimate), "std_error": pytest.approx(error), "n": 11 * 15}
    assert m.component("elasticity-estimate")["value"].n_unique() == 3


def test_groups_share_year_effects_by_default() -> None:
    """One regression with a slope for each group: pyfixest on interactions (both to 1e-7)."""
    frame = panel(noise=0.2).with_columns(y=(pl.col("gdp") / pl.col("labour")).log(), x=(pl.col("capital") / pl.col("labour")).log())
    frame = frame.with_columns((pl.col("x") * (pl.col("area") == a)).alias(f"x_{a}") for a in ("centre", "east", "west"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pyfixest as pf

        fit = pf.feols("y ~ x_centre + x_east + x_west | prov + year", frame.to_pandas(), vcov={"CRV1": "prov"})
    said = measure(frame, group="area").meta["elasticities"]
    assert [v["capital"] for v in said.values()] == pytest.approx(fit.coef().to_list(), rel=1e-7)
    assert [v["std_error"] for v in said.values()] == pytest.approx(fit.se().to_list(), rel=1e-7)


def test_residuals_are_those_of_dummies() -> None:
    d = rows(seed=3, regions=7, years=5, keep=0.7)
    _, region = np.unique(d["region"], return_inverse=True)
    dummies = np.column_stack([region[:, None] == np.arange(region.max() + 1), d["time"][:, None] == np.arange(5)]).astype(float)
    by_hand = d["x"] - dummies @ np.linalg.lstsq(dummies, d["x"], rcond=None)[0]
    assert np.allclose(elasticities.residualise(d["x"][:, None], region, d["time"])[:, 0], by_hand, atol=1e-12)


def test_region_slopes_are_those_of_dummies_times_intensity() -> None:
    d = rows(seed=4, regions=6, years=9, keep=1.0)
    region, time = d["region"], d["time"]
    own = (region[:, None] == np.arange(6)).astype(float)
    design = np.column_stack([own * d["x"][:, None], own, (time[:, None] == np.arange(1, 9)).astype(float)])
    by_hand = np.linalg.lstsq(design, d["y"], rcond=None)[0][:6]
    assert np.allclose(elasticities.class_slopes(d["y"], d["x"], region, time, region).estimate, by_hand, atol=1e-11)


def test_exact_production_function_is_recovered() -> None:
    exact = panel(beta=0.45, noise=0.0)
    for rule in ("pooled", "by-group", "by-region"):
        found = measure(exact, elasticity=rule, group="area").component("capital-elasticity")["value"].to_numpy()
        assert np.allclose(found, 0.45, atol=1e-9), rule


def test_coverage_of_the_pooled_interval() -> None:
    """200 panels of 31 regions: 95 % intervals cover in 90–98.5 % (binomial 4 standard errors, and CR1 with 31 clusters is a little short)."""
    inside = 0
    for seed in range(200):
        m = elasticities.class_slopes(**panel_rows(seed))
        inside += abs(m.estimate[0] - 0.4) < 2.04 * m.std_error[0]
    assert 0.90 <= inside / 200 <= 0.985


def panel_rows(seed: int) -> Any:
    d = panel(seed, noise=0.1)
    return {
        "productivity": np.log(d["gdp"] / d["labour"]).to_numpy(),
        "intensity": np.log(d["capital"] / d["labour"]).to_numpy(),
        "region": np.tile(np.arange(31), 15),
        "time": np.repeat(np.arange(15), 31),
    }


def test_partial_pooling_is_closer_to_the_truth_than_either_end() -> None:
    """Mean squared error over 40 worlds with slopes spread around 0.45: less than by region, and less than pooled."""
    worse: dict[str, list[float]] = {"by-region": [], "pooled": [], "partial-pooling": []}
    for seed in range(40):
        beta = np.random.default_rng(900 + seed).normal(0.45, 0.10, 31)
        d = panel(seed, beta=beta, noise=0.08)
        cubes = [d[c].to_numpy().reshape(15, 31) for c in ("gdp", "capital", "labour")]
        for rule, errors in worse.items():
            found = elasticities.estimate_elasticities(*cubes, rule=rule, bounds=(0.0, 1.0)).estimate
            errors.append(float(np.mean((found - beta) ** 2)))
    means = {rule: np.mean(v) for rule, v in worse.items()}
    assert means["partial-pooling"] < min(means["by-region"], means["pooled"])


def test_shrinkage_solves_its_moment_and_its_limits() -> None:
    rng = np.random.default_rng(5)
    v = rng.uniform(0.001, 0.02, 40)
    b = rng.normal(0.4, 0.1, 40) + rng.normal(size=40) * np.sqrt(v)
    found = elasticities.shrink(b, np.sqrt(v))
    weight = 1 / (v + found.variance)
    assert weight @ (b - found.mean) ** 2 == pytest.approx(39, rel=1e-8)
    assert np.allclose(found.estimate, (b / v + found.mean / found.variance) / (1 / v + 1 / found.variance), rtol=1e-10)
    alike = elasticities.shrink(np.full(5, 0.4), np.full(5, 0.1))
    assert alike.variance == 0 and np.allclose(alike.estimate, 0.4) and np.allclose(alike.std_error, 0.1 / np.sqrt(5))
    with_gap = elasticities.shrink(np.r_[b, np.nan], np.r_[np.sqrt(v), 0.1])
    assert np.isnan(with_gap.estimate[-1]) and np.allclose(with_gap.estimate[:-1], found.estimate)
    assert elasticities.shrink([0.3, np.nan], [0.1, 0.1]).estimate[0] == 0.3


def test_a_group_of_one_region_has_a_slope_and_no_standard_error() -> None:
    """Its own score is zero by construction: a clustered error would be nil, not small."""
    frame = panel(noise=0.1).with_columns(area=pl.when(pl.col("prov") == "r00").then(pl.lit("alone")).otherwise("area"))
    m = measure(frame, group="area")
    errors = m.component("elasticity-std-error").filter(pl.col("prov") == "r00")
    assert errors["reason"].item() == "no-standard-error"
    assert m.component("elasticity-std-error")["value"].null_count() == 1
    assert m.component("elasticity-estimate")["value"].null_count() == 0


def test_outside_the_bounds_is_nan_and_counted_never_clipped() -> None:
    found = elasticities.within_bounds([0.05, 0.0500001, 0.5, 0.95, 1.4, -0.2, np.nan], np.ones(7), np.ones(7))
    assert np.isnan(found.capital).tolist() == [True, False, False, True, True, True, True]
    assert found.outside.sum() == 4
    assert found.estimate[4] == 1.4
    assert np.nansum(found.capital + found.labour) == pytest.approx(2.0)


def test_outside_the_bounds_is_a_finding_with_the_regions() -> None:
    beta = np.full(31, 0.4)
    beta[[3, 7]] = [1.3, -0.1]
    m = measure(panel(beta=beta, noise=0.001), elasticity="by-region")
    bad = m.component("capital-elasticity").filter(pl.col("reason") != "")
    assert bad["prov"].to_list() == ["r03", "r07"] and bad["reason"].unique().to_list() == ["elasticity-outside-bounds"]
    assert [f.code for f in m.findings] == ["elasticity-outside-bounds"]
    assert "'r03: 1.3" in m.findings[0].what and "2 region(s)" in m.findings[0].what
    assert m.meta["elasticities_outside_bounds"] == 2
    assert m.component("elasticity-estimate")["value"].null_count() == 0


def test_macro_regions_are_the_default_groups_of_codes() -> None:
    m = measure(panel(codes=True))
    assert set(m.meta["elasticities"]) == {"east", "central", "west", "north-east"}


def test_groups_that_cannot_be_told() -> None:
    with pytest.raises(hl.InputError) as caught:
        measure(panel())
    assert [f.code for f in caught.value.findings] == ["group-unknown"] and "'r00'" in caught.value.findings[0].what
    with pytest.raises(hl.InputError) as caught:
        measure(panel().with_columns(area=pl.col("year").cast(pl.String)), group="area")
    assert [f.code for f in caught.value.findings] == ["group-changes"]
    with pytest.raises(hl.InputError, match="bounds"):
        measure(panel(), elasticity="pooled", bounds=[0.9, 0.1])


def test_what_cannot_be_estimated_is_nan() -> None:
    frame = panel(regions=4, years=3)
    lonely = frame.with_columns(gdp=pl.when((pl.col("prov") != "r00") | (pl.col("year") == 2005)).then("gdp"))
    m = measure(lonely, elasticity="by-region").component("elasticity-estimate")
    assert m.filter(pl.col("prov") == "r00")["reason"].item() == "elasticity-not-estimated"
    flat = frame.with_columns(capital=pl.col("labour") * 2)
    m = measure(flat, elasticity="pooled")
    assert set(m.component("capital-elasticity")["reason"]) == {"elasticity-not-estimated"}
    empty = frame.with_columns(labour=pl.lit(0.0))
    assert set(measure(empty, elasticity="pooled").component("capital-elasticity")["reason"]) == {"elasticity-not-estimated"}
