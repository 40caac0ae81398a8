"""``match``: weights by hand, who is left out, what is refused, and effects under selection on what is matched."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

import hinterland as hl
from hinterland.data.cohorts import Cohorts
from hinterland.data.panel import Panel
from hinterland.errors import EstimationError, PanelError
from hinterland.evaluate.matching import WEIGHT, match
from hinterland.evaluate.matching_balance import balance_frame, effective_size, kolmogorov_smirnov
from hinterland.evaluate.matching_rule import rule_of
from hinterland.evaluate.matching_score import on_support, pooled_sd
from hinterland.evaluate.matching_weights import KERNELS, Sides, kernel, nearest, nearest_once

Make = Callable[..., Any]
Floats = NDArray[np.float64]
ONES = np.ones


def sides(treated: list[float], comparison: list[float]) -> Sides:
    return Sides(np.array(treated), np.array(comparison), ONES(len(treated)), ONES(len(comparison)))


def selected(
    units: int = 60, periods: int = 6, *, seed: int = 0, effect: float = 1.0, cohorts: tuple[int, ...] = (4,)
) -> tuple[Panel, Cohorts]:
    """``unit, year, y, x, z, moving, w``: x raises the odds of adoption and the trend of y; z is noise; moving follows treatment."""
    rng = np.random.default_rng(seed)
    x, z = rng.normal(size=units), rng.normal(size=units)
    treated = rng.random(units) < 1 / (1 + np.exp(1.0 - 0.9 * x))
    treated[:2], treated[-2:] = True, False
    first = np.where(treated, np.array(cohorts)[np.arange(units) % len(cohorts)], 0)
    unit, year = np.repeat(np.arange(units), periods), np.tile(np.arange(1, periods + 1), units)
    on = (first[unit] > 0) & (year >= first[unit])
    y = rng.normal(size=units)[unit] + 0.3 * x[unit] * year + effect * on + rng.normal(size=len(unit))
    names = np.array([f"u{i:03d}" for i in range(units)])
    frame = pl.DataFrame(
        {"unit": names[unit], "year": year, "y": y, "x": x[unit], "z": z[unit], "moving": x[unit] + on, "w": 1 + (unit % 3) / 2}
    )
    table = pl.DataFrame({"unit": names, "cohort": pl.Series([int(f) or None for f in first], dtype=pl.Int64)})
    table = table.with_columns(dose=pl.lit(1.0), excluded=pl.lit(False), reason=pl.lit(""))
    return Panel(frame, "unit", "year"), Cohorts(table, closed=True, source="drawn", timing="column")


def test_nearest_by_hand() -> None:
    made = sides([0.5, 0.9, 5.0], [0.4, 0.6, 1.0, 9.0])
    first = nearest(made, 1, np.inf, all_ties=False)
    assert first.comparison.tolist() == [1, 0, 2, 0]  # of the equally near, 0.4 and 1.0 come first
    assert nearest(made, 1, np.inf, all_ties=True).comparison.tolist() == [0.5, 0.5, 1.5, 0.5]
    near = nearest(made, 1, 0.2, all_ties=True)
    assert (near.comparison.tolist(), near.matched.tolist()) == ([0.5, 0.5, 1, 0], [True, True, False])
    two = nearest(made, 2, np.inf, all_ties=True)
    assert two.comparison.tolist() == [0.5, 1.0, 1.0, 0.5]


def test_without_replacement_by_hand() -> None:
    made = sides([0.5, 0.55], [0.52, 0.9, 0.1])
    down = nearest_once(made, 1, np.inf, np.array([1, 0]))
    assert down.comparison.tolist() == [1, 1, 0]
    up = nearest_once(made, 1, 0.1, np.array([0, 1]))
    assert (up.comparison.tolist(), up.matched.tolist()) == ([1, 0, 0], [True, False])
    rounds = nearest_once(made, 2, np.inf, np.array([0, 1]))
    assert rounds.comparison.sum() == 2
    assert (rounds.comparison > 0).all()


@pytest.mark.parametrize("shape", KERNELS)
def test_kernels_by_hand(shape: str) -> None:
    made = sides([0.0], [0.5, -1.0, 3.0])
    mass = {
        "epanechnikov": (1 - 0.25**2, 1 - 0.5**2, 0.0),
        "gaussian": (np.exp(-(0.25**2) / 2), np.exp(-(0.5**2) / 2), np.exp(-(1.5**2) / 2)),
        "biweight": ((1 - 0.25**2) ** 2, (1 - 0.5**2) ** 2, 0.0),
        "tricube": ((1 - 0.25**3) ** 3, (1 - 0.5**3) ** 3, 0.0),
        "uniform": (1.0, 1.0, 0.0),
    }[shape]
    np.testing.assert_allclose(kernel(made, shape, 2.0).comparison, np.array(mass) / sum(mass), rtol=1e-12)


def test_kernel_in_blocks_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    made = Sides(rng.normal(size=40), rng.normal(size=70), rng.uniform(1, 2, 40), rng.uniform(1, 2, 70))
    whole = kernel(made, "epanechnikov", 0.3).comparison, nearest(made, 3, 0.5, all_ties=True).comparison
    monkeypatch.setattr("hinterland.evaluate.matching_weights._BLOCK", 300)
    for before, after in zip(
        whole, (kernel(made, "epanechnikov", 0.3).comparison, nearest(made, 3, 0.5, all_ties=True).comparison), strict=True
    ):
        np.testing.assert_allclose(before, after, rtol=1e-12)


def test_support_and_spread() -> None:
    measure, treated = np.array([0.1, 0.5, 0.9, 0.2, 0.6, 0.05]), np.array([True, True, True, False, False, False])
    assert on_support(measure, treated, "treated").tolist() == [True, True, False, True, True, True]
    assert on_support(measure, treated, "both").tolist() == [True, True, False, True, True, False]
    assert on_support(measure, treated, "none").all()
    assert pooled_sd(measure, treated) == pytest.approx(np.sqrt((measure[:3].var(ddof=1) + measure[3:].var(ddof=1)) / 2))


def test_balance_by_hand() -> None:
    x, treated = np.array([[1.0], [3.0], [2.0], [6.0]]), np.array([True, True, False, False])
    table = balance_frame(x, ["x"], treated, ONES(4), np.array([1.0, 1.0, 1.0, 0.0])).row(0, named=True)
    spread = np.sqrt((2 + 8) / 2)
    assert (table["mean_treated_before"], table["mean_comparison_before"]) == (2, 4)
    assert table["smd_before"] == pytest.approx(-2 / spread)
    assert table["smd_after"] == 0
    assert table["variance_ratio_before"] == pytest.approx(0.25)
    assert table["variance_ratio_after"] is None
    assert (table["ks_before"], table["ks_after"]) == (0.5, 0.5)
    assert kolmogorov_smirnov(np.array([1.0, 2.0]), np.array([3.0, 1.0]), np.array([1.0]), np.array([1.0])) == 0.25
    assert effective_size(np.array([1.0, 1.0, 2.0])) == pytest.approx(16 / 6)


@pytest.mark.parametrize("method", ["nearest", "radius", "kernel", "entropy-balancing"])
@pytest.mark.parametrize("by", ["unit", "cohort", "year", "pooled"])
def test_weights_sum_to_the_matched_treated(method: str, by: str) -> None:
    panel, policy = selected(cohorts=(3, 5))
    found = match(panel, policy, "~ x + z", method, by=by)
    matched = found.weights.filter(pl.col("weight") > 0)
    groups = matched.group_by("period" if by in ("year", "cohort") else pl.lit(0)).agg(
        one=pl.col("weight").filter(pl.col("treated")).sum(), zero=pl.col("weight").filter(~pl.col("treated")).sum()
    )
    np.testing.assert_allclose(groups["zero"], groups["one"], rtol=1e-9)
    frame = found.panel.frame
    assert found.panel.weight == WEIGHT
    assert frame[WEIGHT].min() > 0  # type: ignore[operator]
    rows = matched.height if by in ("year", "pooled") else matched["unit"].n_unique() * 6
    assert frame.height == rows
    assert found.counts["largest_after"] < found.counts["largest_before"]


@pytest.mark.parametrize("method", ["twfe", "callaway-santanna", "imputation", "two-stage", "etwfe"])
def test_any_estimator_takes_them(method: str) -> None:
    panel, policy = selected(units=120)
    found = match(panel, policy, ["x"], "entropy-balancing")
    effects = hl.estimate(found.panel, "y", policy, method)
    weighted = hl.estimate(
        Panel(panel.frame.join(found.weights.select("unit", own="weight"), on="unit", maintain_order="left"), "unit", "year", weight="own"),
        "y",
        policy,
        method,
    )
    np.testing.assert_allclose(effects.estimate, weighted.estimate, rtol=1e-12)
    assert effects.meta["n_obs"] == 720


def test_cohorts_are_weighed_by_the_sum() -> None:
    panel, policy = selected(units=80, cohorts=(3, 5))
    found = match(panel, policy, ["x"], "kernel", by="cohort", when="last-before")
    total = found.weights.group_by("unit").agg(pl.col("weight").sum()).filter(pl.col("weight") > 0).sort("unit")
    mine = found.panel.frame.group_by("unit").agg(pl.col(WEIGHT).first()).sort("unit")
    assert total["unit"].to_list() == mine["unit"].to_list()
    np.testing.assert_allclose(total["weight"], mine[WEIGHT], rtol=1e-12)
    assert "match-summed-cohorts" in [n.code for n in found.notes]


def test_when_takes_values_from_before_adoption() -> None:
    panel, policy = selected(cohorts=(4,))
    panel = panel.with_columns(x=pl.col("x") + pl.col("year") * pl.when(pl.col("year") < 4).then(1.0).otherwise(100.0))
    tables = {w: match(panel, policy, ["x"], "entropy-balancing", when=w).balance() for w in ("first-period", "mean-before", "last-before")}
    means = {w: float(t["mean_treated_before"][0]) for w, t in tables.items()}
    assert means["mean-before"] - means["first-period"] == pytest.approx(1.0)
    assert means["last-before"] - means["first-period"] == pytest.approx(2.0)
    early = match(panel, policy, ["x"], "entropy-balancing", when="last-before", anticipation=1).balance()
    assert float(early["mean_treated_before"][0]) - means["first-period"] == pytest.approx(1.0)


def test_base_weights_are_targets_and_starts() -> None:
    panel, policy = selected()
    weighted = Panel(panel.frame, "unit", "year", weight="w")
    found = match(weighted, policy, ["x", "z"], "entropy-balancing")
    one = found.weights.filter(pl.col("treated")).join(panel.frame.filter(pl.col("year") == 1), on="unit")
    assert one["weight"].to_list() == one["w"].to_list()
    assert found.balance()["smd_after"].abs().max() < 1e-9  # type: ignore[operator]
    alone = match(weighted, policy, ["z"], "kernel", bandwidth=1e6, support="none")
    zero = alone.weights.filter(~pl.col("treated")).join(panel.frame.filter(pl.col("year") == 1), on="unit")
    np.testing.assert_allclose(zero["weight"] / zero["weight"].sum(), zero["w"] / zero["w"].sum(), rtol=1e-6)


def test_order_and_scale_do_not_matter() -> None:
    panel, policy = selected()
    found = match(panel, policy, ["x", "z"], "nearest", k=2, caliper=0.5)
    scaled = match(panel.with_columns(x=1e6 * pl.col("x") - 3), policy, ["z", "x"], "nearest", k=2, caliper=0.5)
    np.testing.assert_allclose(scaled.weights["weight"], found.weights["weight"], atol=1e-9)
    renamed = panel.frame.with_columns(unit=pl.lit("v") + (999 - pl.col("unit").str.slice(1).cast(pl.Int64)).cast(pl.String)).sort(
        "unit", "year"
    )
    table = policy.table.with_columns(unit=pl.lit("v") + (999 - pl.col("unit").str.slice(1).cast(pl.Int64)).cast(pl.String))
    other = match(
        Panel(renamed, "unit", "year"),
        Cohorts(table, closed=True, source="drawn", timing="column"),
        ["x", "z"],
        "nearest",
        k=2,
        caliper=0.5,
    )
    np.testing.assert_allclose(other.weights["weight"].reverse(), found.weights["weight"], atol=1e-9)


def test_unweighted_rows_count_once() -> None:
    panel, policy = selected()
    found = match(panel, policy, ["x"], "nearest", weighted=False)
    weighted = match(panel, policy, ["x"], "nearest")
    assert found.panel.weight is None
    assert found.panel.frame.height == weighted.panel.frame.height
    assert set(found.weights["weight"]) == {0.0, 1.0}


def test_notes_name_who_is_left_out() -> None:
    panel, policy = selected()
    frame = panel.frame.with_columns(
        x=pl.when(pl.col("unit") == "u000").then(50.0).when(pl.col("unit") == "u005").then(None).otherwise("x")
    )
    table = policy.table.with_columns(cohort=pl.when(pl.col("unit") == "u001").then(1).otherwise("cohort"))
    found = match(
        Panel(frame, "unit", "year"),
        Cohorts(table, closed=True, source="drawn", timing="column"),
        ["x"],
        "nearest",
        caliper=0.02,
        distance_in="raw",
    )
    said = {n.code: n.values for n in found.notes}
    assert "u000" in str(said["match-treated-off-support-units"]["units"])
    assert said["match-left-out-missing"]["units"] == "'u005'"
    assert said["match-left-out-always-treated"]["units"] == "'u001'"
    assert said["match-counts-units"]["n_treated_matched"] == int(found.counts["n_treated_matched"])
    unmatched = found.weights.filter(pl.col("treated") & (pl.col("status") == "unmatched"))["unit"].to_list()
    assert said["match-treated-unmatched-units"]["count"] == len(unmatched)
    assert not {"u000", "u001", "u005", *unmatched} & set(found.panel.frame["unit"])
    assert all(n.text("zh") for n in found.notes)


def test_collinear_covariates_are_noted() -> None:
    panel, policy = selected()
    doubled = panel.with_columns(twice=2 * pl.col("x"))
    found, alone = (match(doubled, policy, c, "kernel") for c in (["x", "z", "twice"], ["x", "z"]))
    assert {n.code: n.values for n in found.notes}["collinear-dropped"]["names"] == "twice"
    np.testing.assert_allclose(found.weights["weight"], alone.weights["weight"], rtol=1e-9)
    balanced = match(doubled, policy, ["x", "z", "twice"], "entropy-balancing", moments=2)
    assert balanced.counts["largest_after"] < 1e-9


def test_formulas_and_categories() -> None:
    panel, policy = selected(units=90)
    panel = panel.with_columns(side=pl.col("unit").str.slice(-1).is_in(["1", "3", "5"]).cast(pl.String))
    found = match(panel, policy, "~ x + I(x**2) + side", "entropy-balancing")
    assert found.balance()["variable"].to_list() == ["x", "I(x ** 2)", "side[T.true]"]
    assert found.counts["largest_after"] < 1e-9


def test_covariates_of_treated_periods_are_a_finding() -> None:
    panel, policy = selected()
    found = match(panel, policy, ["moving"], "kernel", by="year")
    assert [(f.code, f.severity) for f in found.findings] == [("covariate-after-treatment", "warning")]
    assert "'moving'" in found.findings[0].what
    assert match(panel, policy, ["moving"], "kernel").findings == ()
    assert match(panel, policy, ["x"], "kernel", by="year").findings == ()


def test_bad_requests_are_named_together() -> None:
    panel, policy = selected()
    cases: list[tuple[dict[str, Any], set[str]]] = [
        ({"covariates": []}, {"nothing-to-match-on"}),
        ({"covariates": "~ 1"}, {"nothing-to-match-on"}),
        ({"covariates": ["x"], "method": "nearst"}, {"unknown-value"}),
        ({"covariates": ["x"], "method": "nearst", "by": "yaer"}, {"unknown-value"}),
        ({"covariates": ["x"], "neighbours": 3}, {"unknown-option"}),
        ({"covariates": ["x"], "bandwidth": 0.1}, {"match-option-unused"}),
        ({"covariates": ["x"], "by": "year", "when": "first-period"}, {"match-option-unused"}),
        ({"covariates": ["x"], "k": 0, "caliper": -1.0}, {"bad-value"}),
        ({"covariates": ["x"], "order": "data"}, {"match-option-unused"}),
        ({"covariates": ["x"], "replacement": False, "ties": "all"}, {"match-option-unused"}),
        ({"covariates": ["x"], "scale": "odds"}, {"unknown-value"}),
        ({"covariates": ["x"], "method": "entropy-balancing", "moments": 4}, {"unknown-value"}),
        ({"covariates": ["x"], "method": "kernel", "bandwidth": float("nan")}, {"bad-value"}),
    ]
    for request, codes in cases:
        with pytest.raises(EstimationError) as raised:
            match(panel, policy, **request)
        assert {f.code for f in raised.value.findings} == codes, request
    with pytest.raises(EstimationError) as raised:
        rule_of(["x"], "nearest", "unit", {"k": 0, "caliper": 0, "radius": 1, "foo": 2})
    assert len(raised.value.findings) == 4
    with pytest.raises(PanelError, match="did you mean 'moving'"):
        match(panel, policy, ["moveing"])


def test_impossible_matches_are_named() -> None:
    panel, policy = selected()
    treated = policy.table.filter(pl.col("cohort").is_not_null())["unit"].implode()
    apart = panel.with_columns(x=pl.when(pl.col("unit").is_in(treated)).then(pl.col("x") + 100).otherwise("x"))
    with pytest.raises(EstimationError, match="'x' alone tells every treated row"):
        match(apart, policy, ["x", "z"])
    with pytest.raises(EstimationError) as raised:
        match(apart, policy, ["x", "z"], "entropy-balancing")
    assert [f.code for f in raised.value.findings] == ["moment-out-of-reach"]
    assert "the mean of x" in raised.value.findings[0].what
    with pytest.raises(EstimationError, match="no-common-support"):
        match(panel, policy, ["x"], "nearest", caliper=1e-9)
    with pytest.raises(EstimationError, match="nobody is observed with all covariates in 1"):
        match(panel.with_columns(x=pl.when(pl.col("year") > 1).then("x")), policy, ["x"], when="first-period")
    everyone = Cohorts(policy.table.with_columns(cohort=pl.lit(4, dtype=pl.Int64)), closed=True, source="drawn", timing="column")
    with pytest.raises(EstimationError, match="nobody to match with"):
        match(panel, everyone, ["x"])


def test_quasi_separation_leaves_out_who_is_alone() -> None:
    """A category with treated units only has scores that run to one: those units are off the support, the others are matched."""
    panel, policy = selected(units=80)
    some = policy.table.filter(pl.col("cohort").is_not_null())["unit"].head(3).implode()
    marked = panel.with_columns(alone=pl.col("unit").is_in(some).cast(pl.Float64))
    found = match(marked, policy, ["x", "alone"], "kernel")
    off = found.weights.filter(pl.col("status") == "off-support")["unit"].to_list()
    assert set(off) == set(policy.table.filter(pl.col("cohort").is_not_null())["unit"].head(3))
    assert found.counts["n_treated_matched"] > 0


def test_repr_and_balance() -> None:
    panel, policy = selected()
    found = match(panel, policy, ["x"])
    assert repr(found).startswith("Matched(nearest, by unit: ")
    assert found.balance()["variable"].to_list() == ["propensity_score", "x"]


@pytest.mark.validate
def test_selection_in_the_packaged_world(validated: Any) -> None:
    """Growth and adoption depend on two covariates: bias and coverage without matching, and with each kind."""
    ways: dict[str, dict[str, Any]] = {"": {}, "entropy-balancing": {}, "kernel": {}, "nearest": {"k": 3}}
    errors: dict[str, list[float]] = {w: [] for w in ways}
    inside: dict[str, list[bool]] = {w: [] for w in ways}
    for seed in range(1000):
        world = hl.simulate("demonstration-zones", seed=seed, selection=1.0, spillover=0.0, units=200, treated_share=0.25, cohorts=3)
        policy, truth = hl.adoption(world.panel, "first_treat"), world.value("att/ln_inventions/overall")
        for way, options in ways.items():
            panel = world.panel
            if way:
                panel = match(panel, policy, ["ln_gdp_pc_base", "share2_base"], way, when="first-period", **options).panel
            effects = hl.estimate(panel, "ln_inventions", policy, "callaway-santanna").aggregate("overall")
            errors[way].append(float(effects.estimate[0]) - truth)
            inside[way].append(bool(abs(errors[way][-1]) <= effects.half_width()[0]))
    where = "packaged world, selection = 1, 200 cities, 3 cohorts; Callaway & Sant'Anna"
    alone = validated("failures", "no matching", where, seed=0)
    alone.bias(errors[""], "overall", reason="known failure", least=0.05)
    alone.coverage(inside[""], "overall", within=(0.0, 0.92), reason="known failure")
    for way in ways:
        if way:
            found = validated("packaged world", f"match, {way}", where, seed=0)
            found.bias(errors[way], "overall")
            found.coverage(inside[way], "overall")


@pytest.mark.validate
def test_size_under_the_null(validated: Any) -> None:
    """No effect, trends that depend on what is matched: the t test of the two-way coefficient at 5 %."""
    rejected: dict[str, list[bool]] = {
        w: [] for w in ("", "nearest", "radius", "kernel", "entropy-balancing", "entropy-balancing by cohort")
    }
    for seed in range(1000):
        panel, policy = selected(units=150, seed=seed, effect=0.0, cohorts=(3, 5))
        for way, hits in rejected.items():
            method, _, by = way.partition(" by ")
            used = match(panel, policy, ["x"], method, by=by or "unit").panel if way else panel
            hits.append(bool(hl.estimate(used, "y", policy, "twfe").p_value[0] < 0.05))
    where = "150 units × 6, two cohorts, trends and adoption depend on x; twfe"
    validated("failures", "no matching", where, seed=0).size(rejected[""], within=(0.1, 1.0), reason="known failure")
    for way, hits in rejected.items():
        if way:
            validated("tests", f"match, {way}", where, seed=0).size(hits, within=(0.005, 0.075), reason="conservative")
