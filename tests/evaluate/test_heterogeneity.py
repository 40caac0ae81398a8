"""Differences between groups: the routes against each other, against fits one by one, and against calculations by hand."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.testing import assert_allclose

import hinterland as hl
from hinterland.data.grouping import REST, cut_groups, group_order, listed_groups, table_groups, with_rest
from hinterland.errors import EstimationError, PanelError
from hinterland.evaluate.design import Design, make_design
from hinterland.evaluate.estimate import fit
from hinterland.evaluate.heterogeneity import compare_groups
from hinterland.evaluate.heterogeneity_batches import make_batch
from hinterland.evaluate.heterogeneity_groups import GroupFits, codes_of, fit_groups
from hinterland.evaluate.heterogeneity_interaction import interact
from hinterland.evaluate.heterogeneity_permutation import Request, pair_of, permute_all, permute_pair
from hinterland.evaluate.heterogeneity_stacked import difference, stack
from hinterland.evaluate.heterogeneity_tests import Asked

Make = Callable[..., Any]


def grouped(design: Design, groups: int = 2) -> pl.DataFrame:
    """Units in turn, so that every cohort of the toy is in every group."""
    names = [f"g{(i // 4) % groups}" for i in range(design.n_units)]
    return pl.DataFrame({"unit": design.unit_labels.tolist(), "group": names})


def fits_of(toy: Make, method: str, groups: int = 2, options: dict[str, Any] | None = None, **made: Any) -> GroupFits:
    made_design = {k: made.pop(k) for k in ("covariates", "cluster", "comparison", "fe") if k in made}
    data = toy(**{"units": 48, **made})
    design = make_design(data.panel, "count" if method == "ppml" else "y", data.policy, **made_design)
    return fit_groups(design, *codes_of(design, grouped(design, groups)), method, options or {})


def one(effects: Any) -> Any:
    return effects.aggregate("overall") if effects.aggregation != "coefficient" else effects.take(np.array([0]))


@pytest.mark.parametrize("method", ["twfe", "event-study", "ppml"])
@pytest.mark.parametrize("made", [{}, {"covariates": "~ x + z"}, {"drop": 0.1, "covariates": "~ x"}, {"weight": True, "cluster": "region"}])
def test_full_interaction_is_the_groups_fitted_one_by_one(toy: Make, method: str, made: dict[str, Any]) -> None:
    """Poisson converges to 1e-11 of its deviance, so that coefficients agree to about its root."""
    fits = fits_of(toy, method, 3, **made)
    found = interact(fits, method, {}, "group")
    apart = [g.effects.estimate[0] for g in fits.groups]
    assert_allclose(found.estimate, apart, rtol=1e-6 if method == "ppml" else 1e-9)
    if "cluster" not in made:  # no cluster spans groups: uncorrelated, and the same but for the small-sample factor
        errors = np.array([g.effects.std_error[0] for g in fits.groups])
        scale = np.sqrt(np.diag(found.vcov))
        off = found.vcov - np.diag(np.diag(found.vcov))
        assert np.abs(off / np.outer(scale, scale)).max() < 1e-8
        ratio = errors / scale
        assert ((ratio > 0.98) & (ratio < 1.06)).all()


def test_interaction_and_stack_are_the_same_but_for_small_sample_factors(toy: Make) -> None:
    """Clusters span groups here: without factors the two covariances are one number."""
    fits = fits_of(toy, "twfe", 2, {"ssc": "none"}, cluster="region", covariates="~ x")
    stacked, single = stack(fits, "twfe", {"ssc": "none"}), interact(fits, "twfe", {"ssc": "none"}, "group")
    assert stacked.shared == 6
    assert abs(stacked.vcov[0, 1]) > 0
    assert_allclose(stacked.vcov, single.vcov, rtol=1e-9)
    assert_allclose(stacked.estimate, single.estimate, rtol=1e-10)


def test_common_period_effects_are_one_regression_by_hand(toy: Make) -> None:
    """Dummies and least squares, with the sandwich by cluster written out."""
    fits = fits_of(toy, "twfe", 2, {"ssc": "none"}, covariates="~ x")
    found = interact(fits, "twfe", {"ssc": "none"}, "common")
    d = fits.design
    unit, period = np.eye(d.n_units)[d.unit], np.eye(d.n_periods)[d.period][:, 1:]
    treated = d.treated.astype(float)
    group = fits.of[d.unit]
    x = np.column_stack([treated * (group == 0), treated * (group == 1), d.covariates, unit, period])
    beta = np.linalg.lstsq(x, d.y, rcond=None)[0]
    assert_allclose(found.estimate, beta[:2], rtol=1e-9)
    score = x * (d.y - x @ beta)[:, None]
    sums = np.stack([score[d.unit == u].sum(0) for u in range(d.n_units)])
    bread = np.linalg.pinv(x.T @ x)
    assert_allclose(found.vcov, (bread @ sums.T @ sums @ bread)[:2, :2], rtol=1e-7)


@pytest.mark.parametrize("method", ["callaway-santanna", "sun-abraham", "imputation", "twfe"])
def test_stack_without_shared_clusters_is_independent_samples(toy: Make, method: str) -> None:
    fits = fits_of(toy, method, 2)
    found = stack(fits, method, {})
    errors = np.array([g.effects.std_error[0] for g in fits.groups])
    assert found.shared == 0
    assert_allclose(found.vcov, np.diag(errors**2), rtol=1e-12)
    tested = difference(found, 0, 1)
    assert_allclose(tested.std_error, np.hypot(*errors), rtol=1e-12)
    assert_allclose(tested.estimate, fits.groups[0].effects.estimate[0] - fits.groups[1].effects.estimate[0])


def test_stack_with_shared_clusters_by_hand(toy: Make) -> None:
    """Means over provinces' influence functions: Callaway and Sant'Anna clustered on regions that span groups."""
    fits = fits_of(toy, "callaway-santanna", 2, cluster="region")
    found = stack(fits, "callaway-santanna", {})
    table = np.zeros((6, 2))
    for k, g in enumerate(fits.groups):
        for label, value in zip(g.effects.clusters.tolist(), g.effects.influence[:, 0], strict=True):
            table[int(label[1:]), k] = value
    assert_allclose(found.vcov, table.T @ table, rtol=1e-12)
    tested = difference(found, 0, 1)
    assert_allclose(tested.std_error, np.sqrt(((table[:, 0] - table[:, 1]) ** 2).sum()), rtol=1e-12)


def test_years_as_clusters_span_groups(toy: Make) -> None:
    fits = fits_of(toy, "twfe", 2, cluster="year")
    found = stack(fits, "twfe", {})
    assert found.shared == 8
    assert found.vcov[0, 1] != 0
    assert difference(found, 0, 1).df == 7


def test_two_groupings_add_up_by_inclusion_and_exclusion(toy: Make) -> None:
    fits = fits_of(toy, "twfe", 2, {"ssc": "none"}, cluster=["unit", "year"])
    found = stack(fits, "twfe", {"ssc": "none"})
    by_year = stack(fits_of(toy, "twfe", 2, {"ssc": "none"}, cluster="year"), "twfe", {"ssc": "none"})
    assert_allclose(found.vcov[0, 1], by_year.vcov[0, 1], rtol=1e-10)  # neither units nor unit-years span groups
    assert_allclose(np.sqrt(np.diag(found.vcov)), [g.effects.std_error[0] for g in fits.groups], rtol=1e-10)


def test_distance_and_periods_are_not_stacked(toy: Make) -> None:
    options = {"vcov": "driscoll-kraay", "lag": 1}
    fits = fits_of(toy, "twfe", 2, options)
    with pytest.raises(EstimationError, match="not-stacked"):
        stack(fits, "twfe", options)
    assert np.isfinite(interact(fits, "twfe", options, "group").vcov).all()


BATCHED = [
    ("twfe", {}),
    ("twfe", {"covariates": "~ x + z"}),
    ("twfe", {"cluster": "region"}),
    ("callaway-santanna", {}),
    ("callaway-santanna", {"comparison": "not-yet-treated"}),
    ("callaway-santanna", {"cluster": "region"}),
]


@pytest.mark.parametrize(("method", "made"), BATCHED)
@pytest.mark.parametrize("strata", ["cohort", "status"])
def test_batch_is_the_loop(toy: Make, method: str, made: dict[str, Any], strata: str) -> None:
    """Estimates and variances of relabelled groups, against a fit of each group of each draw."""
    fits = fits_of(toy, method, 3, starts=(2004, 2006, None, None), **made)
    request = Request(draws=25, seed=3, strata=strata)  # type: ignore[arg-type]
    p, batch = permute_all(fits, method, {}, request)
    looped = _looped(fits, method, request)
    assert batch.batched
    assert_allclose(batch.estimate, looped[0], rtol=1e-8, atol=1e-10)
    assert_allclose(batch.estimate[0], [g.effects.estimate[0] for g in fits.groups], rtol=1e-9)
    if strata == "cohort" and not (
        method == "twfe" and "cluster" in made
    ):  # elsewhere the number of clusters in a group, and its factor, changes
        assert_allclose(np.einsum("rgg->rg", batch.vcov), np.einsum("rgg->rg", looped[1]), rtol=1e-7)
    if "cluster" in made and method == "callaway-santanna":
        assert_allclose(batch.vcov, looped[1], rtol=1e-7, atol=1e-12)
    assert 0 < p <= 1


def _looped(fits: GroupFits, method: str, request: Request) -> tuple[Any, Any]:
    from hinterland.evaluate.heterogeneity_permutation import _plan, _refitted
    from hinterland.evaluate.permutation import permutations

    plan = _plan(fits, method, {}, request)
    return _refitted(plan, np.concatenate(list(permutations(plan.scheme, request.draws, request.seed, request.draws))))


def test_batch_without_never_treated(toy: Make) -> None:
    fits = fits_of(toy, "callaway-santanna", 2, comparison="not-yet-treated", starts=(2004, 2006, 2007, 2007))
    request = Request(draws=20, seed=1)
    _, batch = permute_all(fits, "callaway-santanna", {}, request)
    assert_allclose(batch.estimate, _looped(fits, "callaway-santanna", request)[0], rtol=1e-8)


def test_draws_do_not_depend_on_the_size_of_chunks(toy: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    fits = fits_of(toy, "twfe", 2)
    request = Request(draws=40, seed=5)
    whole = permute_pair(fits, "twfe", {}, request, interval=True)
    monkeypatch.setattr("hinterland.evaluate.heterogeneity_permutation.MEMORY", 3000)
    assert permute_pair(fits, "twfe", {}, request, interval=True) == whole


def test_permutation_interval_is_the_inverted_test(toy: Make) -> None:
    """At the ends of the interval the p-value of the shifted outcome passes 5 %."""
    fits = fits_of(toy, "twfe", 2)
    request = Request(draws=199, seed=2)
    found = permute_pair(fits, "twfe", {}, request, interval=True)
    treated = fits.design.treated * (fits.of == 0)[fits.design.unit]

    def p_value(shift: float) -> float:
        design = replace(fits.design, y=fits.design.y - shift * treated)
        again = fit_groups(design, fits.of, fits.labels, "twfe", {})
        return permute_pair(again, "twfe", {}, request, interval=False).p_value

    assert p_value(found.low - 1e-4) <= 0.05 < p_value(found.low + 1e-4)
    assert p_value(found.high + 1e-4) <= 0.05 < p_value(found.high - 1e-4)
    estimate = fits.groups[0].effects.estimate[0] - fits.groups[1].effects.estimate[0]
    assert found.low < estimate < found.high


def test_pairs_are_permuted_among_their_own_units(toy: Make) -> None:
    fits = fits_of(toy, "twfe", 3)
    pair = pair_of(fits, 2, 0)
    assert pair.labels == ("g2", "g0")
    assert pair.design.n_units == 32
    assert_allclose(make_batch(pair, "twfe")[0](pair.of[None])[0][0], [fits.groups[k].effects.estimate[0] for k in (2, 0)])


def test_treated_units_whose_labels_cannot_move(toy: Make) -> None:
    data = toy(units=40)
    design = make_design(data.panel, "y", data.policy)
    early = {2004: "early", 2006: "late"}
    names = [early.get(int(c), "early" if i % 8 < 4 else "late") for i, c in enumerate(design.cohort)]
    groups = pl.DataFrame({"unit": design.unit_labels.tolist(), "group": names})
    fits = fit_groups(design, *codes_of(design, groups), "twfe", {})
    with pytest.raises(EstimationError, match="treated-not-exchangeable"):
        permute_pair(fits, "twfe", {}, Request(draws=9), interval=False)
    assert permute_pair(fits, "twfe", {}, Request(draws=9, strata="status"), interval=False).draws == 9


def test_an_estimator_without_a_batch_is_fitted_anew(toy: Make) -> None:
    data = toy(units=24, drop=0.05)
    design = make_design(data.panel, "y", data.policy)
    found = compare_groups(design, grouped(design), "twfe", {}, tests=Asked(request=Request(draws=30, refits=9)), by="turn")
    assert found.differences["draws"].to_list() == [9]
    assert "het-refitted" in {n.code for n in found.notes}
    none = compare_groups(design, grouped(design), "twfe", {}, tests=Asked(request=Request(draws=30, refits=0), few=0), by="turn")
    assert none.differences["p_permutation"].to_list() == [None]
    assert none.differences["relied"].to_list() == ["stacked"]


def test_result(toy: Make) -> None:
    data = toy(units=48)
    found = hl.heterogeneity(
        data.panel, "y", data.policy, {f"g{g}": [f"u{i:03d}" for i in range(48) if (i // 4) % 3 == g] for g in range(3)}, "twfe", draws=99
    )
    assert repr(found).startswith("Heterogeneity(twfe, y by groups: g0 ")
    assert found.groups == ("g0", "g1", "g2")
    assert found.differences.select("first", "second").rows() == [("g0", "g1"), ("g0", "g2"), ("g1", "g2")]
    assert found.tidy().equals(found.differences)
    assert found.frame["few"].to_list() == [True] * 3  # 8 treated units each
    assert found.frame.null_count().row(0) == (0,) * found.frame.width
    assert found.differences["relied"].to_list() == ["permutation"] * 3
    assert (found.differences["p_adjusted"] >= found.differences["p_relied"]).all()
    assert_allclose(found.differences["difference"], found.differences["difference_interaction"], rtol=1e-9)
    assert found.equality["route"].to_list() == ["stacked", "interaction", "permutation"]
    assert found.equality["df1"].to_list()[:2] == [2.0, 2.0]
    assert_allclose(found.effects[0].estimate, found.frame["estimate"][:1])
    same = fit(make_design(data.panel, "y", data.policy).take(np.arange(48 * 8) // 32 % 3 == 0), "twfe")
    assert_allclose(found.frame["estimate"][0], same.estimate[0])
    with pytest.raises(AttributeError):
        found.by = "other"  # type: ignore[misc]


def test_equality_of_two_groups_is_the_square_of_the_difference(toy: Make) -> None:
    data = toy(units=48)
    design = make_design(data.panel, "y", data.policy)
    for method in ("twfe", "callaway-santanna"):
        found = compare_groups(design, grouped(design), method, {}, tests=Asked(("stacked", "interaction")), by="turn")
        equal = found.equality.filter(route="stacked")
        assert_allclose(equal["statistic"], found.differences["statistic"] ** 2, rtol=1e-10)
        assert_allclose(equal["p_value"], found.differences["p_value"], rtol=1e-9)


def test_groups_that_cannot_be_compared_are_named(toy: Make) -> None:
    data = toy(units=40)
    design = make_design(data.panel, "y", data.policy)
    never = design.cohort > 2010
    names = [
        "untreated" if n and i % 8 == 7 else "all-2004" if c == 2004 and i % 8 == 0 else f"g{i // 4 % 2}"
        for i, (n, c) in enumerate(zip(never, design.cohort, strict=True))
    ]
    groups = pl.DataFrame({"unit": design.unit_labels.tolist(), "group": names}).filter(pl.col("unit") != "u005")
    found = compare_groups(design, groups, "callaway-santanna", {}, tests=Asked(("stacked",)), by="mixed")
    codes = {n.code: n.values for n in found.notes}
    assert found.groups == ("g0", "g1")
    assert codes["het-no-treated"]["group"] == "untreated"
    assert codes["het-no-comparison"]["group"] == "all-2004"
    assert codes["het-no-group"]["count"] == 1
    alone = groups.filter(pl.col("group").is_in(["untreated", "g0"]))
    with pytest.raises(EstimationError, match="nothing-to-compare"):
        compare_groups(design, alone, "callaway-santanna", {}, tests=Asked(("stacked",)), by="mixed")


def test_many_groups_are_tested_for_equality_only(toy: Make) -> None:
    data = toy(units=144)
    design = make_design(data.panel, "y", data.policy)
    groups = pl.DataFrame({"unit": design.unit_labels.tolist(), "group": [f"p{i // 16}" for i in range(144)]})
    found = compare_groups(design, groups, "twfe", {}, tests=Asked(request=Request(draws=19)), by="province")
    assert found.differences.height == 0
    assert found.equality.height == 3
    assert "het-many-groups" in {n.code for n in found.notes}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"tests": ["stackd"]}, "stacked"),
        ({"tests": []}, "name some of"),
        ({"periods": "year"}, "group"),
        ({"strata": "unit"}, "cohort"),
        ({"adjustment": "romano-wolf"}, "holm"),
        ({"draws": 0}, "1 or more"),
        ({"refits": -1}, "0 or more"),
        ({"few_treated": 1.5}, "0 or more"),
        ({"level": 95}, "0.95"),
    ],
)
def test_bad_options_are_named(toy: Make, options: dict[str, Any], said: str) -> None:
    data = toy()
    with pytest.raises(EstimationError, match=said):
        hl.heterogeneity(data.panel, "y", data.policy, "region", "twfe", **options)


def test_region_sets_and_the_rest() -> None:
    world = hl.simulate("demonstration-zones", seed=0)
    policy = world.zones.cohorts(partial="treat", uncertain="treat", until=2022)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = hl.heterogeneity(world.panel, "ln_inventions", policy, "sichuan-chongqing", draws=99, seed=4)
    assert found.groups == ("sichuan-chongqing", REST)
    few, many = found.frame.rows(named=True)
    assert (few["n_treated"], few["few"], many["few"]) == (2, True, False)
    assert few["few_low"] < few["estimate"] < few["few_high"]
    assert few["few_high"] - few["few_low"] > 2 * (few["conf_high"] - few["conf_low"])
    row = found.differences.row(0, named=True)
    assert row["relied"] == "permutation"
    assert row["permutation_low"] < row["difference"] < row["permutation_high"]


def test_listed_groups_by_code_or_name() -> None:
    panel = hl.simulate("demonstration-zones", seed=0).panel
    units = panel.frame["adcode"].unique(maintain_order=True).to_list()
    frame = listed_groups(panel, {"a": ["石家庄市", "1302", "Qinhuangdao"], "b": units[3:5]})
    assert frame.rows() == [("130100", "a"), ("130200", "a"), ("130300", "a"), ("130400", "b"), ("130500", "b")]
    assert with_rest(panel, frame).equals(frame)
    rest = with_rest(panel, frame.filter(pl.col("group") == "a"))
    assert group_order(rest) == ("a", REST)
    assert rest.height == 293


def test_listed_groups_say_everything_that_is_wrong(toy: Make) -> None:
    with pytest.raises(PanelError) as caught:
        listed_groups(toy().panel, {"a": ["u001", "u002", "nowhere"], "b": ["u002"], "c": ["x", "y"], "d": []})
    assert sorted(f.code for f in caught.value.findings) == ["empty-group", "empty-group", "unit-in-two-groups", "unknown-unit"]
    assert "nowhere" in str(caught.value)


def test_a_file_of_units_may_name_more_than_the_panel(toy: Make) -> None:
    table = pl.DataFrame({"code": ["u001", "u003", "u999"], "kind": ["old", "old", "new"]})
    assert table_groups(toy().panel, table, unit="code", group=None, name="bases", where="file").rows() == [
        ("u001", "bases"),
        ("u003", "bases"),
    ]
    assert set(table_groups(toy().panel, table, unit="code", group="kind", name="bases", where="file")["group"]) == {"old"}
    with pytest.raises(PanelError, match="unknown-column"):
        table_groups(toy().panel, table, unit="city", group="kind", name="bases", where="file")
    with pytest.raises(PanelError, match="empty-group"):
        table_groups(toy().panel, table.tail(1), unit="code", group=None, name="bases", where="file")


def test_cuts_are_fixed_before_the_policy(toy: Make) -> None:
    data = toy(units=40)
    frame = cut_groups(data.panel, "x", "median", 2003, 2004)
    assert group_order(frame) == ("high", "low")
    values = data.panel.frame.filter(pl.col("year") == 2003).select("unit", "x").join(frame, on="unit")
    assert values.filter(group="low")["x"].max() < values.filter(group="high")["x"].min()
    assert values["group"].value_counts()["count"].to_list() == [20, 20]
    assert cut_groups(data.panel, "x", "median", None, 2004).equals(frame)
    assert group_order(cut_groups(data.panel, "x", "quartiles", 2001)) == ("q4", "q3", "q2", "q1")
    assert group_order(cut_groups(data.panel, "x", [-0.5, 0.5])) == (">0.5", "-0.5–0.5", "≤-0.5")
    found = hl.heterogeneity(data.panel, "y", data.policy, "x", "twfe", cut="median", draws=19)
    assert found.groups == ("high", "low")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("x", "median", 2005, 2004), "cut-after-adoption"),
        (("x", "median", 1999), "unknown-period"),
        (("region", "median"), "not-numeric"),
        (("xx", "median"), "unknown-column"),
        (("x", "mode"), "unknown-value"),
        (("x", [1.0, 0.0]), "bad-cut"),
        (("x", [100.0]), "empty-group"),
    ],
)
def test_bad_cuts_are_named(toy: Make, arguments: tuple[Any, ...], code: str) -> None:
    with pytest.raises(PanelError, match=code):
        cut_groups(toy().panel, *arguments)


def test_nothing_is_relied_on_where_labels_would_tear_few_clusters_apart(toy: Make) -> None:
    data = toy(units=48)
    design = make_design(data.panel, "y", data.policy, cluster="region")
    found = compare_groups(design, grouped(design), "twfe", {}, tests=Asked(request=Request(draws=19)), by="turn")
    row = found.differences.row(0, named=True)
    assert row["few"]
    assert row["p_permutation"] is not None
    assert (row["relied"], row["p_relied"], row["p_adjusted"]) == (None, None, None)
    assert "het-units-permuted" in {n.code for n in found.notes}
