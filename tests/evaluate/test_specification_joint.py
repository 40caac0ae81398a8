"""Joint inference on a curve: the draws against fits made by hand, the statistics written out, and the size of the tests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.testing import assert_allclose
from recording import Recorder
from scipy import stats

import hinterland as hl
from hinterland.data.panel import Panel
from hinterland.errors import EstimationError
from hinterland.evaluate.design import make_design
from hinterland.evaluate.permutation import make_scheme, permutations
from hinterland.evaluate.placebo_space import placebo_space
from hinterland.evaluate.specification import specification_curve
from hinterland.evaluate.specification_bootstrap import resampled
from hinterland.evaluate.specification_joint import statistics_of, z_values
from hinterland.evaluate.specification_permutation import permuted

Make = Callable[..., Any]
Floats = np.ndarray[Any, np.dtype[np.float64]]


@pytest.mark.parametrize(
    ("world", "options"),
    [
        ({}, {}),
        ({}, {"fe": ["region^year"]}),
        ({}, {"cluster": ["region"]}),
        ({}, {"cluster": ["year"]}),
        ({"drop": 0.1}, {}),
        ({"drop": 0.1, "weight": True}, {"cluster": ["region"]}),
    ],
)
def test_permutations_of_one_specification_are_its_placebo(toy: Make, world: dict[str, Any], options: dict[str, Any]) -> None:
    made = toy(**world)
    curve = specification_curve(made.panel, "y", made.policy, covariates=[("x", "z")], **options)
    drawn = permuted(curve, 30, 3)
    single = {k: v[0] if k == "cluster" else v for k, v in options.items()}
    placebo = hl.placebo(made.panel, "y", made.policy, covariates=["x", "z"], draws=30, seed=3, **single)
    assert_allclose(drawn.estimate[:, 0], placebo.draws["estimate"][1:], rtol=1e-9, atol=1e-11)
    assert_allclose(drawn.statistic[:, 0], placebo.draws["statistic"][1:], rtol=1e-8, atol=1e-9)


def test_every_specification_sees_the_same_deal(toy: Make) -> None:
    """Each draw of each specification equals a fit on the panel whose units carry the records dealt to them, within the groups that are used alike."""
    made = toy(starts=(2004, 2006, None, None, 2005))
    late = replace(made.policy, timing="late", table=made.policy.table.with_columns(pl.col("cohort") + 1))
    policies = {"now": made.policy, "late": late}
    samples = {"all": None, "without r1": pl.col("region") != "r1"}
    curve = specification_curve(made.panel, "y", policies, ["twfe", "callaway-santanna"], controls=["x"], samples=samples)
    drawn = permuted(curve, 3, 5)
    assert len(drawn.places) == curve.frame.filter((pl.col("method") == "twfe") | (pl.col("controls") == "")).height
    units = np.unique(made.panel.frame["unit"].to_numpy()).astype(str)
    table = dict(made.policy.table.select("unit", "cohort").iter_rows())
    codes = np.array([-1 if table[u] is None else table[u] for u in units])
    region = dict(made.panel.frame.select("unit", "region").iter_rows())
    strata = np.array([int(region[u] != "r1") for u in units])
    joint = np.unique(np.column_stack([codes]), axis=0, return_inverse=True)[1].reshape(-1)
    assigned = list(permutations(make_scheme(joint, strata=strata), 3, 5, 10))[1][1]
    donor = [units[np.flatnonzero(joint == c)[0]] for c in assigned]
    place = {e.place: k for k, e in enumerate(curve.fitted.estimated)}
    for k, spot in enumerate(drawn.places):
        row = curve.frame.row(place[int(spot)], named=True)
        policy = policies[row["policy"]]
        first = dict(policy.table.select("unit", "cohort").iter_rows())
        dealt = replace(policy, table=pl.DataFrame({**policy.table.to_dict(as_series=False), "cohort": [first[d] for d in donor]}))
        panel = made.panel if row["sample"] == "all" else made.panel.filter(samples["without r1"])
        effects = hl.estimate(panel, "y", dealt, row["method"], covariates=row["controls"] or None)
        effects = effects.take(np.array([0])) if row["method"] == "twfe" else effects.aggregate("overall")
        assert_allclose(drawn.estimate[1, k], effects.estimate[0], rtol=1e-9)
        assert_allclose(drawn.statistic[1, k], effects.statistic[0], rtol=1e-8)


def sample_of_clusters(panel: Panel, policy: Any, counts: Floats, labels: Floats, drawn: str) -> tuple[Panel, Any]:
    """The panel with each cluster of ``drawn`` repeated ``counts`` times under new names."""
    times = dict(zip(labels.tolist(), counts.astype(int).tolist(), strict=True))
    frame = panel.frame.with_columns(times=pl.col(drawn).cast(pl.String).replace_strict(times))
    parts = [
        frame.filter(pl.col("times") > k).with_columns(copy=pl.col("unit") + f"-{k}", group=pl.col(drawn) + f"-{k}")
        for k in range(int(counts.max()))
    ]
    stacked = pl.concat(parts).join(policy.table.select("unit", "cohort"), on="unit").sort("copy", "year")
    made = Panel(stacked, "copy", "year", weight=panel.weight)
    return made, hl.adoption(made, "cohort", never=(None,))


@pytest.mark.parametrize(
    ("world", "drawn", "fe"),
    [({}, "unit", None), ({}, "region", None), ({"drop": 0.1, "weight": True}, "unit", None), ({"drop": 0.1}, "unit", "half^year")],
)
def test_bootstrap_draws_are_recentred_fits_on_resampled_clusters(toy: Make, world: dict[str, Any], drawn: str, fe: str | None) -> None:
    made = toy(units=48, **world)
    panel = made.panel.with_columns(half=pl.col("unit").str.slice(3).cast(pl.Int64) % 2)
    curve = specification_curve(panel, ["y", "count"], made.policy, controls=["x", "z"], fe=[fe], cluster=[drawn])
    found = resampled(curve, 4, 2)
    labels = np.unique(panel.frame[drawn].to_numpy()).astype(str)
    counts = np.random.default_rng(2).multinomial(len(labels), np.full(len(labels), 1 / len(labels)), size=4)
    frame = curve.frame
    for r in (1, 3):
        sample, policy = sample_of_clusters(panel, made.policy, counts[r], labels, drawn)
        for k, row in enumerate(frame.iter_rows(named=True)):
            effects = hl.estimate(
                sample, row["outcome"], policy, "twfe", covariates=row["controls"] or None, cluster="group", fe=() if fe is None else [fe]
            )
            assert_allclose(found.estimate[r, k], effects.estimate[0] - row["estimate"], rtol=1e-8, atol=1e-11)
            t = (effects.estimate[0] - row["estimate"]) / effects.std_error[0]
            assert_allclose(found.statistic[r, k], t, rtol=0.05 if world or drawn == "region" else 1e-8)


def test_the_null_is_imposed_on_each_specification(toy: Make) -> None:
    """Estimating on y − β̂_k d in the resampled data is estimating on y and taking β̂_k off (Simonsohn et al., Supplement 2)."""
    made = toy()
    curve = specification_curve(made.panel, "y", made.policy, controls=["x"], cluster=["unit"])
    found = resampled(curve, 2, 4)
    labels = np.unique(made.panel.frame["unit"].to_numpy()).astype(str)
    counts = np.random.default_rng(4).multinomial(len(labels), np.full(len(labels), 1 / len(labels)), size=2)
    first = dict(made.policy.table.select("unit", "cohort").iter_rows())
    treated = np.array([first[u] is not None and t >= first[u] for u, t in made.panel.frame.select("unit", "year").iter_rows()])
    for k, row in enumerate(curve.frame.iter_rows(named=True)):
        under = made.panel.with_columns(y=pl.col("y") - row["estimate"] * pl.Series(treated.astype(float)))
        sample, policy = sample_of_clusters(under, made.policy, counts[0], labels, "unit")
        effects = hl.estimate(sample, "y", policy, "twfe", covariates=row["controls"] or None, cluster="group")
        assert_allclose(found.estimate[0, k], effects.estimate[0], rtol=1e-8, atol=1e-12)
        assert_allclose(found.statistic[0, k], effects.statistic[0], rtol=1e-8)


def test_statistics_written_out() -> None:
    rng = np.random.default_rng(3)
    df = np.array([10.0, 39.0, np.inf, 25.0, 60.0])
    t = rng.normal(loc=-1, scale=2, size=(50, 5))
    estimate = t * rng.uniform(0.5, 2, size=5)
    found = statistics_of(estimate, t, df, 0.05)
    for row, e, drawn in zip(t, estimate, found, strict=True):
        p = np.array([2 * stats.norm.sf(abs(v)) if np.isinf(d) else 2 * stats.t.sf(abs(v), d) for v, d in zip(row, df, strict=True)])
        sign = 1 if (e > 0).sum() > 2 else -1
        z = np.sign(row) * stats.norm.isf(p / 2)
        assert_allclose(drawn, [np.median(e), sign * np.mean((p < 0.05) & (np.sign(row) == sign)), z.sum() / np.sqrt(5)], rtol=1e-9)
    assert np.isfinite(z_values(np.array([[-400.0, 400.0]]), np.array([np.inf, 30.0]))).all()


def test_p_values_compare_the_curve_with_the_draws(toy: Make) -> None:
    made = toy(effect=0.25)
    curve = specification_curve(made.panel, "y", made.policy, controls=["x", "z"], cluster=[None, "region"])
    for kind in ("permutation", "bootstrap", "multiplier"):
        found = curve.joint(199, kind, seed=2)
        assert found.draws == 199
        for row in found.frame.iter_rows(named=True):
            drawn = found.drawn[row["statistic"]].to_numpy()
            assert_allclose(row["p_value"], (1 + (np.abs(drawn) >= abs(row["observed"]) - 1e-12).sum()) / 200)
        assert_allclose(found.frame["observed"][0], found.specifications["estimate"].median())
        assert (found.specifications["p_adjusted"] >= found.specifications["p_value"]).all()
        assert found.ranks["low"].is_sorted()
        assert (found.ranks["low"] < found.ranks["high"]).all()
        assert repr(found).startswith(f"SpecificationInference(y, {kind}: {found.n_specifications} specifications, 199 draws; median p = ")
        assert found.tidy() is found.frame
        assert all(n.text("en") and n.text("zh") for n in found.notes)
    assert curve.joint(199, "permutation", seed=2).frame.equals(curve.joint(199, "permutation", seed=2).frame)


def test_a_large_effect_is_found_and_its_direction(toy: Make) -> None:
    made = toy(effect=3.0)
    minus = made.panel.with_columns(y=-pl.col("y"))
    for kind in ("permutation", "bootstrap", "multiplier"):
        found = specification_curve(minus, "y", made.policy, controls=["x", "z"]).joint(99, kind)
        assert (found.frame.filter(pl.col("statistic") != "significant")["p_value"] == 0.01).all()
        assert found.frame["p_value"].max() < 0.15, "all specifications are significant in some draws under the null too"  # type: ignore[operator]
        assert found.direction == -1
        assert found.n_significant == found.n_specifications == 4
        assert found.frame.filter(statistic="significant")["observed"][0] == -1


def test_who_takes_no_part_is_counted(toy: Make) -> None:
    made = toy()
    curve = specification_curve(
        made.panel, "y", made.policy, ["twfe", "imputation", "callaway-santanna"], controls=["x"], cluster=[None, ("unit", "year")]
    )
    parts = {k: curve.joint(49, k) for k in ("permutation", "bootstrap", "multiplier")}
    assert parts["permutation"].n_specifications == 3, "twfe by one grouping, and callaway-santanna without a control"
    assert parts["bootstrap"].n_specifications == 2
    assert parts["multiplier"].n_specifications == 6
    for found in parts.values():
        note = next(n for n in found.notes if n.code == "curve-not-drawn")
        assert note.values["count"] == curve.frame.height - found.n_specifications
    two = specification_curve(made.panel, "y", made.policy, cluster=[("unit", "year")])
    with pytest.raises(EstimationError, match="no specification has bootstrap draws"):
        two.joint(49, "bootstrap")
    with pytest.raises(EstimationError, match="'permutation'") as caught:
        curve.joint(0, "permutatoin", level=2)  # type: ignore[arg-type]
    assert {f.code for f in caught.value.findings} == {"unknown-kind", "bad-draws", "bad-level"}


def test_many_levels_across_clusters_are_left_out_of_the_bootstrap(toy: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    from hinterland.evaluate import specification_bootstrap as bootstrap

    made = toy()
    curve = specification_curve(made.panel, "y", made.policy, fe=[None, "region^year"])
    assert curve.joint(19, "bootstrap").n_specifications == 2
    monkeypatch.setattr(bootstrap, "LARGEST", 10_000)
    found = curve.joint(19, "bootstrap")
    assert found.n_specifications == 1
    assert "curve-many-effects" in {n.code for n in found.notes}


def test_exact_p_of_one_specification_is_the_placebos(toy: Make) -> None:
    made = toy(effect=0.2)
    curve = specification_curve(made.panel, "y", made.policy)
    found = curve.joint(99, seed=1)
    placebo = placebo_space(make_design(made.panel, "y", made.policy), draws=99, seed=1)
    assert_allclose(found.specifications["p_value"][0], placebo.p_exact_statistic)
    assert_allclose(found.frame.filter(statistic="median")["p_value"][0], placebo.p_exact)


def null_panel(rng: np.random.Generator, units: int, periods: int) -> tuple[Panel, Any]:
    """No effect; errors are serially correlated (AR(1), 0.6), and four times as variable in some units as in others; a third of the units adopts."""
    unit, year = np.repeat(np.arange(units), periods), np.tile(np.arange(2000, 2000 + periods), units)
    order = rng.permutation(units)
    first = np.zeros(units, dtype=int)
    first[order[: units // 6]], first[order[units // 6 : units // 3]] = 2003, 2005
    scale = np.where(rng.uniform(size=units) < 0.3, 2.0, 0.5)
    shock = rng.normal(size=(units, periods)) * scale[:, None]
    error = np.empty_like(shock)
    error[:, 0] = shock[:, 0] / np.sqrt(1 - 0.36)
    for t in range(1, periods):
        error[:, t] = 0.6 * error[:, t - 1] + shock[:, t]
    x = rng.normal(size=(units, periods)) + 0.5 * error
    frame = pl.DataFrame(
        {
            "unit": [f"u{i:03d}" for i in unit],
            "year": year,
            "first": first[unit],
            "y": (error + rng.normal(size=units)[:, None]).ravel(),
            "y2": (error + rng.normal(size=(units, periods))).ravel(),
            "x": x.ravel(),
            "z": rng.normal(size=units * periods),
            "half": unit % 2,
        }
    )
    panel = Panel(frame, "unit", "year")
    return panel, hl.adoption(panel, "first", never=(0,))


@pytest.mark.validate
def test_size_of_the_joint_tests(validated: Recorder) -> None:
    """All three statistics keep their size under both nulls; the permutation exactly, the bootstrap as clusters grow."""
    seed, replications, draws = 20260711, 1000, 99
    rng = np.random.default_rng(seed)
    kinds = {"permutation": 36, "bootstrap": 60, "multiplier": 60}
    rejected = {(k, s): np.zeros(replications) for k in kinds for s in ("median", "significant", "stouffer")}
    for r in range(replications):
        for kind, units in kinds.items():
            panel, policy = null_panel(rng, units, 7)
            curve = specification_curve(panel, ["y", "y2"], policy, controls=["x", "z"])
            found = curve.joint(draws, kind, seed=int(rng.integers(2**31)))  # type: ignore[arg-type]
            for statistic, p in found.frame.select("statistic", "p_value").iter_rows():
                rejected[kind, statistic][r] = p <= 0.05
    for kind, units in kinds.items():
        found = validated("tests", "specification curve", f"no effect, {units} units × 7, 8 specifications", seed=seed, variant=kind)
        for statistic in ("median", "significant", "stouffer"):
            conservative = statistic == "significant"
            found.size(
                rejected[kind, statistic],
                statistic,
                within=(0.0, 0.07) if conservative else (0.03, 0.07),
                reason="conservative" if conservative else "",
            )
    validated.fail_if_outside()
