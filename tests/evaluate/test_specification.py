"""The specification curve: every row equals a single fit, whatever the data; what is no specification is named; findings come first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.testing import assert_allclose

import hinterland as hl
from hinterland.data.panel import Panel
from hinterland.errors import EstimationError
from hinterland.evaluate.specification import SpecificationCurve, specification_curve
from hinterland.evaluate.specification_shares import variance_shares

Make = Callable[..., Any]
SUBSETS = 4
EXACT = {"rtol": 1e-10, "atol": 1e-13}
"""Both solve the same normal equations in doubles; what differs is the order of sums."""


def single(panel: Panel, row: dict[str, Any], policies: dict[str, Any], samples: dict[str, Any], **options: Any) -> Any:
    """The one estimate of a row of the curve, by ``estimate`` on a panel made by hand."""
    keep = samples[row["sample"]]
    panel = panel if keep is None else panel.filter(keep)
    if row["window"]:
        low, high = map(int, row["window"].split("–"))
        panel = panel.filter(pl.col(panel.time).is_between(low, high))
    if row["winsorise"]:
        seen = panel.frame[row["outcome"]].drop_nulls().drop_nans().to_numpy()
        low, high = np.quantile(seen, [row["winsorise"], 1 - row["winsorise"]])
        panel = panel.with_columns(pl.col(row["outcome"]).clip(low, high))
    named = [n for n in (row["covariates"], row["controls"]) if n]
    effects = hl.estimate(
        panel,
        row["outcome"],
        policies[row["policy"]],
        row["method"],
        covariates=" + ".join(named) or None,
        comparison=row["comparison"],
        anticipation=row["anticipation"],
        fe=row["fe"].split(" + ") if row["fe"] else (),
        cluster=row["cluster"].split(" + ") if row["cluster"] else None,
        **options,
    )
    return effects if effects.aggregation == "coefficient" else effects.aggregate("overall")


def assert_equals_single_fits(
    curve: SpecificationCurve, panel: Panel, policies: dict[str, Any], samples: dict[str, Any], options: dict[str, Any] | None = None
) -> None:
    for row in curve.frame.iter_rows(named=True):
        effects = single(panel, row, policies, samples, **(options or {}))
        values = [effects.estimate[0], effects.std_error[0], effects.p_value[0]]
        assert_allclose([row["estimate"], row["std_error"], row["p_value"]], values, **EXACT)
        half = effects.half_width()[0]
        assert_allclose([row["conf_low"], row["conf_high"]], [values[0] - half, values[0] + half], rtol=1e-9)
        assert (row["n_obs"], row["n_units"]) == (effects.meta["n_obs"], effects.meta["n_units"])
        assert row["n_clusters"] == effects.meta["n_clusters"]
        assert (row["df"] is None) == np.isinf(effects.df)


@pytest.fixture(scope="module")
def prepared(toy: Make) -> Callable[..., tuple[Panel, dict[str, Any]]]:
    """A toy panel with two rules for its dates, a constant control and one that is missing in some rows."""

    def make(**options: Any) -> tuple[Panel, dict[str, Any]]:
        made = toy(**options)
        frame = made.panel.frame.with_columns(
            (pl.col("unit").str.slice(1).cast(pl.Int64) % 3).cast(pl.Float64).alias("fixed"),
            pl.when(pl.int_range(pl.len()) % 17 == 3).then(None).otherwise(pl.col("z") ** 2).alias("gappy"),
            (pl.col("y") * 2 + pl.col("z")).alias("y2"),
        )
        late = replace(made.policy, timing="late", table=made.policy.table.with_columns(pl.col("cohort") + 1))
        without = made.policy.table.with_columns(excluded=pl.col("unit").is_in(["u004", "u005", "u010"]))
        return replace(made.panel, frame=frame), {
            "now": made.policy,
            "late": late,
            "without": replace(made.policy, partial="exclude", table=without),
        }

    return make


SAMPLES: dict[str, Any] = {"all": None, "without r1": pl.col("region") != "r1"}


@pytest.mark.parametrize("world", [{}, {"drop": 0.15}, {"weight": True}, {"drop": 0.1, "weight": True}])
def test_every_row_is_a_single_fit(prepared: Make, world: dict[str, Any]) -> None:
    panel, policies = prepared(**world)
    curve = hl.specification_curve(
        panel,
        ["y", "y2"],
        policies,
        controls=["x", "z", "gappy"],
        fe=[None, "region^year"],
        cluster=[None, "region", ("unit", "year")],
        samples=SAMPLES,
        windows=[None, (2002, 2007)],
        winsorise=[0.0, 0.05],
    )
    assert curve.frame.height == 2 * 3 * 8 * 2 * 3 * 2 * 2 * 2
    rows = curve.frame[np.random.default_rng(1).choice(curve.frame.height, 70, replace=False)]
    assert_equals_single_fits(replace(curve, frame=rows), panel, policies, SAMPLES)


@pytest.mark.parametrize("ssc", ["reghdfe", "dummies", "none"])
def test_small_sample_rules(prepared: Make, ssc: str) -> None:
    panel, policies = prepared(drop=0.1)
    curve = specification_curve(panel, "y", policies, controls=["x", "z"], cluster=[None, "region"], options={"twfe": {"ssc": ssc}})
    assert curve.frame.height == 24
    assert_equals_single_fits(curve, panel, policies, {"all": None}, {"ssc": ssc})


def test_other_covariances_are_single_fits_too(prepared: Make) -> None:
    panel, policies = prepared()
    curve = specification_curve(panel, "y", policies, controls=["x"], options={"twfe": {"vcov": "CR2"}})
    assert_equals_single_fits(curve, panel, policies, {"all": None}, {"vcov": "CR2"})


def test_estimators_beside_each_other(prepared: Make) -> None:
    panel, policies = prepared()
    methods = ["twfe", "callaway-santanna", "imputation", "sun-abraham"]
    curve = specification_curve(
        panel,
        "y",
        policies,
        methods,
        controls=["x"],
        cluster=[None, "region"],
        comparison=["never-treated", "not-yet-treated"],
        anticipation=[0, 1],
        winsorise=[0.0, 0.05],
    )
    assert_equals_single_fits(curve, panel, policies, {"all": None})
    count = dict(curve.frame.group_by("method").len().iter_rows())
    assert count["twfe"] == 3 * 2 * 2 * 2, "comparison and anticipation mean nothing to it"
    assert count["callaway-santanna"] == 3 * 2 * 2 * 2 * 2 * 2
    reasons = dict(curve.left_out.group_by("reason").len().iter_rows())
    assert reasons["no-meaning"] > 0
    assert reasons["not-defined"] > 0
    assert set(curve.left_out.filter(reason="not-defined", method="twfe")["detail"]) == {"anticipation"}


def test_formulas_and_lists_of_controls(prepared: Make) -> None:
    panel, policies = prepared()
    curve = specification_curve(panel, "y", policies["now"], covariates=[None, "~ C(region):x", ["z", "gappy"], "~ log(w)"], controls=["x"])
    assert curve.frame.height == 2 * 4 - 1
    assert curve.left_out.select("covariates", "controls", "reason").rows() == [("C(region):x", "x", "same-as-another")], (
        "its slopes span x"
    )
    assert_equals_single_fits(curve, panel, {"policy": policies["now"]}, {"all": None})


def test_the_baseline_is_first_and_marked(prepared: Make) -> None:
    panel, policies = prepared()
    curve = specification_curve(panel, "y", policies, controls=["x", "z"], baseline_controls=["z"], samples=SAMPLES)
    first = curve.frame.row(0, named=True)
    assert first["baseline"]
    assert (first["controls"], first["sample"], first["policy"]) == ("z", "all", "now")
    assert curve.frame["baseline"].sum() == 1
    assert curve.frame["specification"].to_list() == list(range(1, curve.frame.height + 1))


def test_the_same_thing_twice_is_counted_once(prepared: Make) -> None:
    """A control that the fixed effects explain, a sample that loses nothing, a window that is everything, a rule that moves nobody."""
    panel, policies = prepared()
    curve = specification_curve(
        panel,
        "y",
        {"now": policies["now"], "same": replace(policies["now"], timing="other")},
        controls=["fixed", "x"],
        samples={"all": None, "everybody": pl.col("year") > 0},
        windows=[None, (1990, 2030)],
    )
    assert curve.frame.height == 2
    assert set(curve.left_out["reason"]) == {"same-as-another"}
    assert curve.left_out.height == 2 * 4 * 2 * 2 - 2
    assert set(curve.left_out["detail"]) == {"1", "2"}
    assert set(curve.left_out.filter(controls="fixed")["detail"]) == {"1"}


def test_a_choice_that_leaves_nothing_is_named(prepared: Make) -> None:
    panel, policies = prepared()
    panel = panel.with_columns(
        nobody=pl.lit(None, dtype=pl.Float64), endless=pl.when(pl.int_range(pl.len()) == 7).then(np.inf).otherwise(pl.col("z"))
    )
    curve = specification_curve(
        panel,
        ["y", "nobody"],
        policies["now"],
        controls=["x", "endless"],
        samples={"all": None, "none": pl.col("year") > 3000, "untreated": pl.col("unit").str.slice(3).is_in(["2", "3"])},
        windows=[None, (2001, 2003)],
    )
    found = dict(curve.left_out.filter(reason="not-estimable").group_by("detail").len().iter_rows())
    assert set(found) >= {"empty-sample", "nobody-treated", "infinite-covariate"}
    assert curve.frame["outcome"].unique().to_list() == ["y"]
    flat = specification_curve(
        panel.with_columns(flat=pl.when(pl.col("region") == "r1").then(pl.col("y")).otherwise(1.0)),
        ["y", "flat"],
        policies["now"],
        samples=SAMPLES,
    )
    assert flat.frame.select("outcome", "sample").rows() == [("y", "all"), ("y", "without r1"), ("flat", "all")], (
        "an outcome that never varies costs no other"
    )
    assert flat.left_out["detail"].to_list() == ["constant-outcome"]
    with pytest.raises(EstimationError, match="none of 2 specifications"):
        specification_curve(panel, "y", policies["now"], windows=[(2001, 2002)], controls=["x"])
    with pytest.raises(EstimationError, match="baseline, the first option"):
        specification_curve(panel, "y", policies["now"], windows=[(2001, 2002), None])


def test_everything_wrong_is_told_at_once(prepared: Make) -> None:
    panel, policies = prepared()
    with pytest.raises(EstimationError) as caught:
        specification_curve(
            panel,
            ["y", "y"],
            policies,
            ["twfe", "callaway"],
            controls=["xx", "region"],
            baseline_controls=["z"],
            covariates=["xx"],
            fe=["regio^year"],
            cluster=["provinc"],
            comparison=["nobody"],
            anticipation=[-1],
            winsorise=[0.7],
            windows=[(2005, 2001)],
        )
    codes = [f.code for f in caught.value.findings]
    assert {
        "unknown-column",
        "not-numeric",
        "repeated-choice",
        "unknown-method",
        "unknown-comparison",
        "negative-anticipation",
        "bad-share",
        "empty-window",
        "unknown-control",
    } == set(codes)
    assert sum(c == "unknown-column" for c in codes) == 4
    assert "did you mean 'region'" in str(caught.value)


def test_too_many_are_counted_before_anything_is_estimated(prepared: Make) -> None:
    panel, policies = prepared()
    wide = panel.with_columns(**{f"c{i}": pl.col("z") for i in range(30)})
    with pytest.raises(EstimationError, match=rf"{2**30 * 3 * 2} specifications, more than the limit of 5000") as caught:
        specification_curve(wide, "y", policies, controls=[f"c{i}" for i in range(30)], fe=[None, "region^year"])
    assert "policy 3 × fe 2 × subsets of 30 controls" in str(caught.value)


def test_options_and_samples_that_make_no_sense(prepared: Make) -> None:
    panel, policies = prepared()
    with pytest.raises(EstimationError, match="no option 'scc'"):
        specification_curve(panel, "y", policies, options={"twfe": {"scc": "none"}})
    with pytest.raises(EstimationError, match="not among the estimators"):
        specification_curve(panel, "y", policies, options={"sdid": {}})
    with pytest.raises(EstimationError, match="sample 'odd' gives"):
        specification_curve(panel, "y", policies, samples={"all": None, "odd": pl.col("x")})


def test_shares_are_the_analysis_of_variance_of_a_full_cross_product() -> None:
    """With every combination present, a choice's share is its sum of squares over the total, in any order (Searle 1971, section 4.1)."""
    rng = np.random.default_rng(0)
    cells = list(product(range(3), range(2), (False, True)))
    estimate = np.array([0.5 * a + 0.2 * b + 0.1 * c + 0.3 * (a == 2) * b for a, b, c in cells]) + rng.normal(scale=0.01, size=len(cells))
    shares = variance_shares(estimate, {"a": [c[0] for c in cells], "b": [c[1] for c in cells]}, {"c": [c[2] for c in cells]})
    total = ((estimate - estimate.mean()) ** 2).sum()
    for choice, position in (("a", 0), ("b", 1), ("controls", 2)):
        means = {v: estimate[[c[position] == v for c in cells]].mean() for v in {c[position] for c in cells}}
        between = sum((means[c[position]] - estimate.mean()) ** 2 for c in cells)
        found = shares.filter(choice=choice).row(0, named=True)
        assert_allclose(found["share"], between / total, rtol=1e-9)
        assert_allclose(found["range"], max(means.values()) - min(means.values()), rtol=1e-12)
    assert_allclose(shares["share"].sum(), 1.0)
    assert shares["choice"].to_list() == ["a", "b", "controls", "interaction"]


def test_many_controls_are_one_choice_together() -> None:
    rng = np.random.default_rng(1)
    estimate = rng.normal(size=64)
    controls = {f"c{i}": (rng.uniform(size=64) > 0.5).tolist() for i in range(14)}
    shares = variance_shares(estimate, {"a": [i % 2 for i in range(64)], "b": [0] * 64}, controls)
    assert set(shares["choice"]) == {"a", "controls", "interaction"}
    assert_allclose(shares["share"].sum(), 1.0)
    flat = variance_shares(np.ones(64), {"a": [i % 2 for i in range(64)]}, {})
    assert flat["share"].to_list()[0] is None


def test_curve_as_effects(prepared: Make) -> None:
    panel, policies = prepared(drop=0.1)
    curve = specification_curve(panel, "y", policies, controls=["x", "z"], cluster=[None, "region"], samples=SAMPLES)
    effects = curve.effects()
    own = curve.frame.filter(cluster="unit")
    assert_allclose(effects.estimate, own["estimate"])
    assert_allclose(effects.std_error, own["std_error"], rtol=1e-10)
    assert_allclose(effects.p_value, own["p_value"], rtol=1e-8)
    adjusted = hl.adjust(effects, "romano-wolf", draws=499)
    assert (adjusted.p_adjusted >= adjusted.p_value - 1e-12).all()
    assert effects.with_band(draws=199).band.critical > effects.critical()  # type: ignore[union-attr]
    two = specification_curve(panel, "y", policies, cluster=[("unit", "year")])
    with pytest.raises(EstimationError, match="one grouping"):
        two.effects()


def test_repr_and_notes(prepared: Make) -> None:
    panel, policies = prepared()
    curve = specification_curve(
        panel, ["y", "y2"], policies, ["twfe", "callaway-santanna"], controls=["x", "fixed"], fe=[None, "region^year"]
    )
    assert repr(curve).startswith(f"SpecificationCurve(y: {curve.frame.height} specifications, median ")
    assert curve.tidy() is curve.frame
    codes = {n.code for n in curve.notes}
    assert {
        "curve-count",
        "curve-left-out-not-defined",
        "curve-left-out-same-as-another",
        "curve-several-outcomes",
        "curve-moves-most",
    } <= codes
    for note in curve.notes:
        assert note.text("en")
        assert note.text("zh")


@pytest.mark.filterwarnings("ignore")  # of the peer and of what it imports
@pytest.mark.parametrize("panel_weight", [False, True])
def test_against_pyfixest(prepared: Make, panel_weight: bool) -> None:
    """Estimates and errors of a peer, specification by specification (both count parameters by fixest's default rule)."""
    pf = pytest.importorskip("pyfixest")
    panel, policies = prepared(weight=panel_weight, drop=0.05)
    curve = specification_curve(panel, "y", policies["now"], controls=["x", "z"], fe=[None, "region^year"], cluster=[None, "region"])
    table = dict(policies["now"].table.select("unit", "cohort").iter_rows())
    first = pl.Series([table[u] or 9999 for u in panel.frame["unit"]])
    data = panel.frame.with_columns(
        treated=(pl.col("year") >= first).cast(pl.Float64), cell=pl.col("region") + pl.col("year").cast(pl.String)
    ).to_pandas()
    for row in curve.frame.iter_rows(named=True):
        right = " + ".join(["treated", *([row["controls"]] if row["controls"] else [])])
        effects = "unit + year" + (" + cell" if row["fe"] else "")
        fit = pf.feols(
            f"y ~ {right} | {effects}",
            data,
            vcov={"CRV1": row["cluster"] or "unit"},
            weights="w" if panel_weight else None,
            demeaner=pf.MapDemeaner(fixef_tol=1e-12),
        )
        assert_allclose(row["estimate"], fit.coef()["treated"], rtol=1e-8)
        assert_allclose(row["std_error"], fit.se()["treated"], rtol=1e-6)


@pytest.mark.filterwarnings("ignore")  # of the peer and of what it imports
def test_against_statspai(prepared: Make) -> None:
    """The same estimates as a peer's specification curve; its errors count parameters as Stata's reghdfe does."""
    sp = pytest.importorskip("statspai")
    panel, policies = prepared()
    sets = [[], ["x"], ["z"], ["x", "z"]]
    keep = panel.frame["region"] != "r1"
    table = dict(policies["now"].table.select("unit", "cohort").iter_rows())
    first = pl.Series([table[u] or 9999 for u in panel.frame["unit"]])
    data = panel.frame.with_columns(treated=(pl.col("year") >= first).cast(pl.Float64)).to_pandas()
    theirs = sp.spec_curve(
        data,
        "y",
        "treated",
        controls=sets,
        se_types=["cluster"],
        cluster_var="unit",
        fe=[["unit", "year"]],
        subsets={"all": None, "sub": keep.to_pandas()},
    ).results_df
    ours = specification_curve(panel, "y", policies["now"], controls=["x", "z"], samples=SAMPLES, options={"twfe": {"ssc": "reghdfe"}})
    by_ours = np.sort(ours.frame["estimate"].to_numpy())
    estimates = next(theirs[c] for c in ("coef", "estimate", "beta") if c in theirs)
    errors = next(theirs[c] for c in ("se", "std_error") if c in theirs)
    assert_allclose(np.sort(estimates), by_ours, rtol=1e-8)
    assert_allclose(np.sort(errors), np.sort(ours.frame["std_error"].to_numpy()), rtol=1e-6)
