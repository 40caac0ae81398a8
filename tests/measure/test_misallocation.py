"""Relative misallocation of factors between regions: worked examples, identities, the edges that must not be infinite."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hinterland as hl
from hinterland.measure.misallocation import misallocation

Y, K, L = np.array([60.0, 40]), np.array([120.0, 180]), np.array([30.0, 20])


def frame(**columns: object) -> pl.DataFrame:
    base = pl.DataFrame({"prov": ["A", "B"], "year": [2010, 2010], "gdp": Y, "capital": K, "labour": L})
    return base.with_columns(**columns)  # type: ignore[arg-type]


def measure(factor: str, table: pl.DataFrame, **more: object) -> hl.Measure:
    columns = {"region": "prov", "time": "year", "output": "gdp", factor: factor}
    return hl.measure(f"{factor}-misallocation", table, **(columns | more))  # type: ignore[arg-type]


def test_worked_examples() -> None:
    """Catalogue 3.1, to its printed digits."""
    found = misallocation(Y, K, 0.5)
    assert np.allclose(found.gamma, [2 / 3, 1.5], atol=1e-15)
    assert np.allclose(found.tau, [0.5, -1 / 3], atol=1e-15)
    assert np.allclose(misallocation(Y, L, 0.5).tau, 0, atol=1e-15)
    found = misallocation(Y, K, [0.6, 0.4])
    assert np.round(found.gamma, 6).tolist() == [0.577778, 1.95]
    assert np.round(found.tau, 6).tolist() == [0.730769, -0.487179]
    found = misallocation(Y, L, [0.4, 0.6])
    assert np.allclose(found.gamma, [1.2, 0.8], atol=1e-15)
    assert np.allclose(found.tau, [-1 / 6, 0.25], atol=1e-15)


def test_entry_gives_the_absolute_value_first() -> None:
    m = measure("capital", frame(b=pl.Series([0.6, 0.4])), factor_elasticity="b")
    assert m.frame["component"].unique(maintain_order=True).to_list() == ["absolute-distortion", "distortion", "relative-intensity"]
    assert m.component("absolute-distortion")["value"].round(6).to_list() == [0.730769, 0.487179]
    assert m.component("distortion")["value"].round(6).to_list() == [0.730769, -0.487179]
    assert m.frame["n_used"].unique().to_list() == [2] and m.frame["coverage"].unique().to_list() == [1.0]
    assert measure("labour", frame(), elasticity=0.5).component("distortion")["value"].to_numpy() == pytest.approx([0, 0], abs=1e-15)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 100_000), st.integers(2, 40), st.floats(0.01, 1000))
def test_identity_and_invariance_to_scale(seed: int, regions: int, factor: float) -> None:
    """Σ s β γ / β̄ = 1 for the sample's totals; the units of the factor and of output do not matter."""
    rng = np.random.default_rng(seed)
    y, f = rng.lognormal(0, 1, (3, regions)), rng.lognormal(0, 1, (3, regions))
    beta = rng.uniform(0.1, 0.9, regions)
    y[rng.random(y.shape) < 0.1] = np.nan
    found = misallocation(y, f, beta)
    some = found.used.any(axis=1)
    assert np.allclose(found.identity_gap(beta)[some], 0, atol=1e-12)
    scaled = misallocation(3 * y, factor * f, beta)
    assert np.allclose(scaled.tau, found.tau, rtol=1e-9, atol=1e-12, equal_nan=True)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 100_000))
def test_equal_marginal_products_are_no_misallocation(seed: int) -> None:
    """βY/F equal everywhere: γ = 1. A factor below that: τ > 0."""
    rng = np.random.default_rng(seed)
    y, beta = rng.lognormal(0, 1, 8), rng.uniform(0.2, 0.8, 8)
    assert np.allclose(misallocation(y, beta * y * 5, beta).tau, 0, atol=1e-12)
    short = beta * y
    short[0] /= 2
    found = misallocation(y, short, beta)
    assert found.tau[0] > 0 and np.all(found.tau[1:] < 0)


def test_years_are_separate() -> None:
    rng = np.random.default_rng(0)
    y, k = rng.lognormal(size=(4, 6)), rng.lognormal(size=(4, 6))
    together = misallocation(y, k, 0.4).tau
    assert np.allclose(together, [misallocation(a, b, 0.4).tau for a, b in zip(y, k, strict=True)], rtol=1e-14)


def test_no_factor_is_nan_never_infinite() -> None:
    """K = 0: γ is 0 and τ has no value."""
    m = measure("capital", frame(capital=pl.Series([0.0, 180])), elasticity=0.5)
    assert m.component("relative-intensity")["value"].to_list() == [0.0, 2.5]
    tau = m.component("distortion")
    assert tau["value"].to_list() == [None, pytest.approx(-0.6)] and tau["reason"].to_list() == ["zero-factor", ""]


def test_no_output_is_nan() -> None:
    m = measure("capital", frame(gdp=pl.Series([0.0, 40])), elasticity=0.5)
    assert m.component("relative-intensity")["reason"].to_list() == ["zero-output", ""]
    m = measure("capital", frame(capital=pl.Series([0.0, 0])), elasticity=0.5)
    assert set(m.frame["reason"]) == {"zero-total"}
    assert m.frame["value"].is_infinite().sum() == 0


def test_missing_and_withheld_regions_leave_the_totals() -> None:
    table = pl.DataFrame(
        {
            "prov": list("ABCD"),
            "year": [2010] * 4,
            "gdp": [60.0, 40, 50, None],
            "capital": ["120", "180", "x", "10"],
            "labour": [30.0, 20, 5, 9],
        }
    )
    m = measure("capital", table, elasticity=0.5, suppressed=("x",))
    tau = m.component("distortion")
    assert tau["value"].to_list()[:2] == pytest.approx([0.5, -1 / 3])
    assert tau["reason"].to_list() == ["", "", "suppressed-input", "missing-input"]
    assert tau["n_used"].unique().to_list() == [2] and tau["coverage"].unique().to_list() == [0.5]


def test_an_outside_total() -> None:
    national = pl.DataFrame({"year": [2010, 2011], "gdp": [200.0, 1], "capital": [600.0, 1]})
    m = measure("capital", frame(), elasticity=0.5, reference=national)
    assert m.component("relative-intensity")["value"].to_list() == pytest.approx([(120 / 600) / (60 / 200), (180 / 600) / (40 / 200)])
    assert m.meta["totals"] == "reference"
    given_beta = national.with_columns(b=pl.lit(0.4))
    m = measure("capital", frame(b=pl.lit(0.5)), factor_elasticity="b", reference=given_beta)
    assert m.component("relative-intensity")["value"][0] == pytest.approx((120 / 600) / (60 / 200) * 0.4 / 0.5)
    with pytest.raises(hl.InputError) as caught:
        measure("capital", frame(), elasticity=0.5, reference=pl.DataFrame({"year": [2009, 2009], "gdp": [0.0, 1], "capital": [6.0, 1]}))
    assert sorted(f.code for f in caught.value.findings) == ["bad-reference", "duplicate-cell", "reference-lacks-time"]


def panel(noise: float = 0.05) -> pl.DataFrame:
    rng = np.random.default_rng(2)
    t = np.arange(12)[:, None]
    k = np.exp(rng.normal(4, 1, 9) + rng.normal(0.08, 0.05, 9) * t + 0.1 * rng.normal(size=(12, 9)))
    n = np.exp(rng.normal(3, 0.5, 9) + 0.1 * rng.normal(size=(12, 9)))
    y = np.exp(noise * rng.normal(size=(12, 9))) * k**0.4 * n**0.6
    year, region = np.indices(y.shape)
    return pl.DataFrame(
        {
            "prov": np.array(list("ABCDEFGHI"))[region.ravel()],
            "year": 2005 + year.ravel(),
            "gdp": y.ravel(),
            "capital": k.ravel(),
            "labour": n.ravel(),
            "area": np.array(["p", "q", "r"])[region.ravel() % 3],
        }
    )


@pytest.mark.parametrize("rule", ["pooled", "by-group", "partial-pooling"])
def test_estimated_elasticities_are_those_of_their_own_indicator(rule: str) -> None:
    table = panel()
    betas = hl.measure(
        "output-elasticity",
        table,
        region="prov",
        time="year",
        output="gdp",
        capital="capital",
        labour="labour",
        group="area",
        elasticity=rule,
    )
    with_betas = table.join(betas.component("labour-elasticity").select("prov", b="value"), on="prov")
    a = measure("labour", table, capital="capital", group="area", elasticity=rule)
    b = measure("labour", with_betas, factor_elasticity="b", capital="capital")
    assert a.component("distortion")["value"].to_numpy() == pytest.approx(b.component("distortion")["value"].to_numpy(), rel=1e-12)
    assert a.meta["elasticities"] and a.meta["elasticities_outside_bounds"] == 0


def test_a_region_with_an_impossible_elasticity_leaves_the_totals() -> None:
    table = panel(0.0).with_columns(
        gdp=pl.when(pl.col("prov") == "A").then(pl.col("capital") ** 1.3 / pl.col("labour") ** 0.3).otherwise("gdp")
    )
    m = measure("capital", table, labour="labour", elasticity="by-region")
    tau = m.component("distortion")
    assert set(tau.filter(pl.col("prov") == "A")["reason"]) == {"elasticity-outside-bounds"}
    assert tau["n_used"].unique().to_list() == [8]
    assert [f.code for f in m.findings] == ["elasticity-outside-bounds"]


def test_bad_calls() -> None:
    with pytest.raises(hl.InputError) as caught:
        measure("capital", frame(), elasticity="by-province")
    assert [f.code for f in caught.value.findings] == ["unknown-value"]
    with pytest.raises(hl.InputError) as caught:
        measure("capital", frame())
    assert [f.code for f in caught.value.findings] == ["missing-role"] and "labour" in caught.value.findings[0].what
    with pytest.raises(hl.InputError):
        measure("capital", frame(), elasticity=1.2)
    m = measure("capital", frame(b=pl.Series([1.4, 0.5])), factor_elasticity="b")
    assert [f.code for f in m.findings] == ["elasticity-outside-bounds"]
    assert m.component("distortion")["reason"].to_list() == ["elasticity-outside-bounds", ""]
    with pytest.raises(hl.InputError) as caught:
        measure("capital", frame(capital=pl.Series([-5.0, 180])), elasticity=0.5)
    assert [f.code for f in caught.value.findings] == ["negative-value"]


def test_given_elasticities_obey_the_bounds() -> None:
    m = measure("capital", frame(b=pl.Series([0.97, 0.5])), factor_elasticity="b")
    assert m.component("distortion")["reason"].to_list() == ["elasticity-outside-bounds", ""]
    assert m.meta["elasticities_outside_bounds"] == 1 and "0.97" in m.findings[0].what and "A" in m.findings[0].where
    wide = measure("capital", frame(b=pl.Series([0.97, 0.5])), factor_elasticity="b", bounds=(0.0, 1.0))
    assert wide.component("distortion")["reason"].to_list() == ["", ""]
    with pytest.raises(hl.InputError, match=r"between 0\.05 and 0\.95"):
        measure("capital", frame(), elasticity=0.97)
