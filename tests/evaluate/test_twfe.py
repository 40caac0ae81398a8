from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from hinterland.errors import EstimationError
from hinterland.evaluate.design import make_design
from hinterland.evaluate.estimate import estimate, fit
from hinterland.evaluate.result import Effects

Make = Callable[..., Any]


def _same(a: Effects, b: Effects) -> None:
    assert_allclose(a.estimate, b.estimate, rtol=1e-9)
    assert_allclose(a.std_error, b.std_error, rtol=1e-9)


def test_terms_and_meta(toy: Make) -> None:
    made = toy()
    effects = estimate(made.panel, "y", made.policy, "twfe", covariates=["x"], cluster="region")
    assert effects.terms.name == ("treated", "x")
    assert effects.terms.n_treated.tolist() == [20, -1]
    assert effects.meta["n_obs"] == 320
    assert effects.meta["fixed_effects"] == "unit, year"
    assert (effects.meta["vcov"], effects.meta["ssc"], effects.meta["cluster"]) == ("cluster", "fixest", "region")
    assert "unit and period effects" in effects.meta["estimand"]
    assert [n.code for n in effects.notes] == ["twfe-staggered", "few-clusters"]
    assert all(n.text("zh") != n.text("en") for n in effects.notes)


def test_two_by_two_is_the_difference_in_differences(toy: Make) -> None:
    made = toy(periods=2, starts=(2002, None))
    frame = made.panel.frame.with_columns(treated=pl.int_range(pl.len()) // 2 % 2 == 0)
    change = frame.group_by("unit", maintain_order=True).agg(pl.col("y").diff().last(), pl.col("treated").first())
    by_group = change.group_by("treated").agg(pl.col("y").mean()).sort("treated")["y"]
    assert_allclose(estimate(made.panel, "y", made.policy, "twfe").estimate, by_group[1] - by_group[0], rtol=1e-12)


def test_balanced_and_general_paths_agree(toy: Make) -> None:
    made = toy()
    design = make_design(made.panel, "y", made.policy, covariates=["x", "z"])
    _same(fit(design, "twfe"), fit(replace(design, balanced=False), "twfe"))
    _same(fit(design, "twfe"), fit(replace(design, weight=np.full(design.n_obs, 3.0)), "twfe"))


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), drop=st.sampled_from([0.0, 0.3]))
def test_unit_and_period_shifts_and_scale_do_not_matter(toy: Make, seed: int, drop: float) -> None:
    made = toy(units=24, seed=seed, drop=drop)
    rng = np.random.default_rng(seed)
    shift = pl.DataFrame({"unit": made.panel.frame["unit"].unique()}).with_columns(a=pl.lit(0.0))
    shift = shift.with_columns(a=pl.Series(rng.normal(size=shift.height) * 10))
    moved = (
        made.panel.frame.join(shift, on="unit")
        .with_columns(y2=3 * (pl.col("y") + pl.col("a") + 5 * (pl.col("year") - 2000) ** 2))
        .sort("unit", "year")
    )
    panel = replace(made.panel, frame=moved)
    before, after = estimate(panel, "y", made.policy, "twfe"), estimate(panel, "y2", made.policy, "twfe")
    assert_allclose(after.estimate, 3 * before.estimate, rtol=1e-8, atol=1e-9)
    assert_allclose(after.std_error, 3 * before.std_error, rtol=1e-8)


def test_names_of_units_do_not_matter(toy: Make, cohorts: Make) -> None:
    made = toy(drop=0.2)
    names = made.panel.frame["unit"].unique().sort()
    other = {n: f"x{(i * 17) % 40:03d}" for i, n in enumerate(names)}
    frame = made.panel.frame.with_columns(pl.col("unit").replace_strict(other)).sort("unit", "year")
    table = made.policy.table.with_columns(pl.col("unit").replace_strict(other))
    _same(
        estimate(made.panel, "y", made.policy, "twfe"),
        estimate(replace(made.panel, frame=frame), "y", replace(made.policy, table=table), "twfe"),
    )


def test_weights_are_replications(toy: Make) -> None:
    made = toy(units=20, periods=5)
    frame = made.panel.frame
    times = np.random.default_rng(1).integers(1, 4, 20)
    weighted = replace(made.panel, frame=frame.with_columns(w=pl.Series(np.repeat(times, 5).astype(float))), weight="w")
    copies = [
        frame.filter(pl.col("unit") == f"u{i:03d}").with_columns(clone=pl.lit(f"u{i:03d}"), unit=pl.lit(f"u{i:03d}-{k}"))
        for i, m in enumerate(times)
        for k in range(m)
    ]
    clones = pl.concat(copies)
    rows = clones.select("unit", "clone").unique(maintain_order=True)
    table = rows.join(made.policy.table, left_on="clone", right_on="unit").drop("clone")
    many = estimate(replace(made.panel, frame=clones), "y", replace(made.policy, table=table), "twfe", cluster="clone", ssc="none")
    _same(estimate(weighted, "y", made.policy, "twfe", ssc="none"), many)


def test_dose_is_the_effect_of_full_coverage(toy: Make, cohorts: Make) -> None:
    made = toy()
    units = made.panel.frame["unit"].unique().sort().to_list()
    first = made.policy.table.sort("unit")["cohort"].to_list()
    half = cohorts(units, first, [0.5] * 40)
    full = estimate(made.panel, "y", made.policy, "twfe")
    effects = estimate(made.panel, "y", half, "twfe")
    assert_allclose(effects.estimate, 2 * full.estimate)
    assert effects.meta["estimand_code"] == "twfe-dose"
    assert "twfe-dose" in [n.code for n in effects.notes]


def test_collinear_covariates_are_named(toy: Make) -> None:
    made = toy()
    frame = made.panel.frame.with_columns(twice=2 * pl.col("x"), fixed=pl.col("unit").rank("dense"), trend=pl.col("year") * 1.0)
    effects = estimate(replace(made.panel, frame=frame), "y", made.policy, "twfe", covariates=["fixed", "x", "trend", "twice"])
    assert effects.terms.name == ("treated", "x")
    assert [n.values["names"] for n in effects.notes if n.code == "collinear-dropped"] == ["fixed, trend, twice"]


def test_treatment_within_region_years_is_an_error(toy: Make, cohorts: Make) -> None:
    made = toy()
    units = made.panel.frame["unit"].unique().sort().to_list()
    by_region = cohorts(units, [2004 if i % 6 < 2 else None for i in range(40)])
    with pytest.raises(EstimationError, match="collinear with the fixed effects"):
        estimate(made.panel, "y", by_region, "twfe", fe=["region^year"])


def test_singletons_are_counted_or_dropped(toy: Make) -> None:
    made = toy()
    frame = made.panel.frame.filter((pl.col("unit") != "u003") | (pl.col("year") == 2001))
    panel = replace(made.panel, frame=frame)
    kept, dropped = (estimate(panel, "y", made.policy, "twfe", ssc=rule) for rule in ("dummies", "fixest"))
    assert [(n.code, n.values["count"]) for n in kept.notes if "single" in n.code] == [("singletons-kept", 1)]
    assert [(n.code, n.values["count"]) for n in dropped.notes if "single" in n.code] == [("singletons-dropped", 1)]
    assert (kept.meta["n_obs"], dropped.meta["n_obs"]) == (313, 312)
    assert_allclose(kept.estimate, dropped.estimate)


def test_always_treated_units_are_named(toy: Make) -> None:
    made = toy(starts=(2001, 2005, None))
    notes = {n.code: n.values for n in estimate(made.panel, "y", made.policy, "twfe").notes}
    assert notes["always-treated-kept"]["count"] == 14


def test_the_truth_is_covered_at_the_nominal_rate(toy: Make) -> None:
    rng = np.random.default_rng(3)
    made = toy(units=60, periods=6, starts=(2004, None))
    design = make_design(made.panel, "y", made.policy)
    treated = design.treated * 1.0
    estimates, covered = [], 0
    for _ in range(300):
        errors = rng.normal(size=60)[design.unit] + rng.normal(size=360) + 0.7 * (rng.normal(size=60)[design.unit] * design.period)
        effects = fit(replace(design, y=0.5 * treated + errors), "twfe")
        estimates.append(effects.estimate[0])
        covered += abs(effects.estimate[0] - 0.5) < effects.critical() * effects.std_error[0]
    assert abs(np.mean(estimates) - 0.5) < 4 * np.std(estimates) / np.sqrt(300)
    assert 0.91 < covered / 300 < 0.985
