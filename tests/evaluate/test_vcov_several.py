"""CR3 with several groupings: against jackknives done by hand, one cluster left out at a time, on a regression with dummies."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from hinterland.data.cohorts import Cohorts
from hinterland.data.panel import Panel
from hinterland.errors import EstimationError
from hinterland.evaluate.coding import Factor
from hinterland.evaluate.design import Design, make_design
from hinterland.evaluate.estimate import fit
from hinterland.evaluate.vcov import intersect
from hinterland.evaluate.vcov_several import combined, smaller_than_alone, subsets, together

Array = Any
Make = Callable[..., Any]
SHAPES: Mapping[str, dict[str, Any]] = {"balanced": {}, "gaps and weights": {"drop": 0.15, "weight": True}}


def _dummies(codes: Array) -> Array:
    return (codes[:, None] == np.unique(codes)).astype(float)


def _least_squares(y: Array, columns: Array, weight: Array) -> Array:
    root = np.sqrt(weight)
    return np.linalg.lstsq(columns * root[:, None], y * root, rcond=None)[0]


def _left_out(design: Design, regressors: Array, codes: Array) -> Array:
    """[k, k] the jackknife by clusters ``codes``: (G − 1)/G Σ (β̂₍₋g₎ − β̂)(β̂₍₋g₎ − β̂)', unit and period dummies estimated again."""
    k = regressors.shape[1]
    columns = np.hstack([regressors, _dummies(design.unit), _dummies(design.period)])
    weight = np.ones(design.n_obs) if design.weight is None else design.weight
    whole = _least_squares(design.y, columns, weight)[:k]
    moved = []
    for g in np.unique(codes):
        rest = codes != g
        moved.append(_least_squares(design.y[rest], columns[rest], weight[rest])[:k] - whole)
    change = np.array(moved)
    return change.T @ change * (len(change) - 1) / len(change)


def _by_hand(design: Design, regressors: Array) -> Array:
    """[2^q − 1, k, k] jackknives by each set of the design's groupings."""
    groups = [intersect([design.clusters[i] for i in chosen]) for chosen in subsets(len(design.clusters))]
    return np.array([_left_out(design, regressors, g.codes) for g in groups])


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("cluster", [["region", "year"], ["unit", "year"], ["half", "region", "year"]])
def test_twfe_is_the_jackknife_by_every_grouping(toy: Make, shape: str, cluster: list[str]) -> None:
    made = toy(units=24, **SHAPES[shape])
    panel = made.panel.with_columns(half=made.panel.frame["unit"].str.slice(1).cast(int) // 5)
    design = make_design(panel, "y", made.policy, covariates=["x"], cluster=cluster)
    effects = fit(design, "twfe", vcov="CR3", ssc="dummies")
    by_hand = _by_hand(design, np.column_stack([design.treated, design.covariates]))
    assert effects.parts is not None
    assert_allclose(effects.parts, by_hand, rtol=1e-7, atol=1e-12)
    signs = [1, 1, -1] if len(cluster) == 2 else [1, 1, 1, -1, -1, -1, 1]
    assert_allclose(together(effects.parts), np.tensordot(signs, by_hand, 1), rtol=1e-6, atol=1e-12)
    largest = np.maximum(np.diag(np.tensordot(signs, by_hand, 1)), np.max([np.diag(v) for v in by_hand[: len(cluster)]], axis=0))
    assert_allclose(effects.std_error**2, largest, rtol=1e-6)
    assert effects.df == min(c.size for c in design.clusters) - 1
    assert effects.meta["cluster_sizes"] == [c.size for c in design.clusters]


def test_an_average_is_the_jackknife_of_itself(toy: Make) -> None:
    """The rule is applied to the average's own variances, not to those of what it averages."""
    made = toy(units=30, drop=0.1)
    design = make_design(made.panel, "y", made.policy, cluster=["region", "year"])
    effects = fit(design, "event-study", vcov="CR3", ssc="dummies", leads=-3, lags=3)
    live = np.flatnonzero(~effects.terms.reference)
    event = design.event_time
    times = effects.terms.event_time[live]
    ends = {int(times[0]): event <= times[0], int(times[-1]): event >= times[-1]}
    treated = design.cohort[design.unit] < 9999
    regressors = np.column_stack([ends.get(int(e), event == e) & treated for e in times]).astype(float)
    by_hand = _by_hand(design, regressors)
    assert effects.parts is not None
    assert_allclose(effects.parts[:, live[:, None], live], by_hand, rtol=1e-6, atol=1e-10)
    after = (times >= 0) / (times >= 0).sum()
    own = np.array([after @ v @ after for v in by_hand])
    overall = effects.aggregate("overall")
    assert overall.std_error[0] ** 2 == pytest.approx(max(own[0] + own[1] - own[2], own[0], own[1]), rel=1e-6)


@pytest.mark.parametrize(("cluster", "other"), [("region", "region"), ("unit", "unit"), ("unit", "region")])
def test_groupings_that_say_the_same(toy: Make, cluster: str, other: str) -> None:
    """The same grouping twice is that grouping; of two that are nested the wider counts, where it has the larger variance."""
    made = toy(units=36)
    both = fit(make_design(made.panel, "y", made.policy, covariates=["x"], cluster=[cluster, other]), "twfe", vcov="CR3")
    alone = [fit(make_design(made.panel, "y", made.policy, covariates=["x"], cluster=c), "twfe", vcov="CR3") for c in (cluster, other)]
    assert both.parts is not None
    assert_allclose(together(both.parts), alone[1].vcov, rtol=1e-12)
    assert_allclose(both.std_error, np.maximum(alone[0].std_error, alone[1].std_error), rtol=1e-12)
    assert both.df == alone[1].df


CALLS: Mapping[str, tuple[str, dict[str, Any]]] = {
    "twfe": ("twfe", {}),
    "event-study": ("event-study", {"leads": -3, "lags": 2}),
    "ppml": ("ppml", {}),
    "ppml by event time": ("ppml", {"event_study": True, "leads": -3, "lags": 2}),
    "sun-abraham": ("sun-abraham", {"share_variance": False}),
    "etwfe": ("etwfe", {"unit_effects": True}),
    "spillover": ("spillover", {"rings": [0, 400], "estimator": "twfe"}),
    "triple": ("triple", {"partition": "side", "estimator": "regression"}),
    "triple by event time": ("triple", {"partition": "side", "estimator": "regression", "event_study": True}),
}


def _world() -> tuple[Panel, Cohorts]:
    rng = np.random.default_rng(3)
    units, periods = 80, 8
    names = np.array([f"u{i:03d}" for i in range(units)])
    unit, year = np.repeat(np.arange(units), periods), np.tile(np.arange(2001, 2001 + periods), units)
    starts = [2004, 2006, None, None, None]
    first = [starts[i // 2 % 5] for i in range(units)]
    frame = pl.DataFrame(
        {
            "unit": names[unit],
            "year": year,
            "y": rng.normal(size=(units, 1)).repeat(periods, 1).ravel() + rng.normal(size=len(unit)),
            "count": rng.poisson(4, len(unit)),
            "x": rng.normal(size=len(unit)),
            "side": unit % 2,
            "block": [f"b{i // 8}" for i in unit],
            "tier": [f"t{i % 7}" for i in unit],
            "lon": (100 + rng.uniform(0, 20, units))[unit],
            "lat": (25 + rng.uniform(0, 10, units))[unit],
        }
    )
    table = pl.DataFrame({"unit": names, "cohort": pl.Series(first, dtype=pl.Int64), "dose": 1.0, "excluded": False, "reason": ""})
    return Panel(frame, "unit", "year", coordinates=("lon", "lat")), Cohorts(table, closed=True, source="drawn", timing="column")


@pytest.mark.parametrize("covariates", [(), ("x",)], ids=["plain", "covariate"])
@pytest.mark.parametrize("name", CALLS)
def test_every_regression_has_it(name: str, covariates: tuple[str, ...]) -> None:
    """The parts are the covariances of fits by one grouping; estimates and averages have the largest of the variances.

    Regressions of one effect for each cohort and period are not clustered by period alone, which would leave nothing to vary.
    """
    method, options = CALLS[name]
    panel, policy = _world()
    outcome, second = "count" if method == "ppml" else "y", "tier" if method in ("sun-abraham", "etwfe") else "year"
    design = make_design(panel, outcome, policy, covariates=list(covariates), cluster=["block", second], columns=["side"])
    effects = fit(design, method, vcov="CR3", **options)
    groups = [*design.clusters, intersect(design.clusters)]
    alone = [fit(replace(design, clusters=(g,)), method, vcov="CR3", **options) for g in groups]
    assert effects.parts is not None
    assert_allclose(effects.parts, [a.vcov for a in alone], rtol=1e-9, atol=1e-15)
    assert_allclose(effects.influence, alone[0].influence, rtol=1e-9, atol=1e-15)
    _assert_largest(effects, alone)
    assert np.linalg.eigvalsh(effects.vcov)[0] >= -1e-12 * np.diag(effects.vcov).max()
    assert effects.df == (np.inf if method == "ppml" else min(g.size for g in groups) - 1)
    taken = effects.take(np.arange(1))
    assert taken.parts is not None and taken.parts.shape == (3, 1, 1)
    if effects.aggregation in ("group-time", "event-time"):
        _assert_largest(effects.aggregate("overall"), [a.aggregate("overall") for a in alone])
    if effects.aggregation == "group-time":
        by_event = effects.aggregate("event-time")
        _assert_largest(by_event, [a.aggregate("event-time") for a in alone])
        _assert_largest(by_event.aggregate("overall"), [a.aggregate("event-time").aggregate("overall") for a in alone])


def _assert_largest(effects: Any, alone: list[Any]) -> None:
    first, second, both = (np.diag(a.vcov) for a in alone)
    assert_allclose(np.diag(effects.vcov), np.maximum.reduce([first + second - both, first, second]), rtol=1e-8, atol=1e-15)


def test_the_variance_of_shares_counts_once(toy: Make) -> None:
    made = toy(units=48)
    design = make_design(made.panel, "y", made.policy, cluster=["region", "year"])
    plain, with_shares = (fit(design, "sun-abraham", vcov="CR3", share_variance=s).aggregate("overall") for s in (False, True))
    one = replace(design, clusters=design.clusters[:1])
    added = [fit(one, "sun-abraham", vcov="CR3", share_variance=s).aggregate("overall").vcov for s in (False, True)]
    assert plain.parts is not None and with_shares.parts is not None
    assert_allclose(together(with_shares.parts) - together(plain.parts), added[1] - added[0], rtol=1e-6)


@pytest.fixture
def mpdta(reference: Path) -> tuple[Panel, Cohorts]:
    frame = pl.read_csv(reference / "mpdta.csv").sort("countyreal", "year")
    table = frame.group_by("countyreal", maintain_order=True).agg(pl.col("first_treat").first())
    first = pl.when(pl.col("first_treat") > 0).then("first_treat")
    table = table.select(unit=pl.col("countyreal").cast(pl.String), cohort=first, dose=1.0, excluded=False, reason=pl.lit(""))
    return Panel(frame, "countyreal", "year"), Cohorts(table, closed=True, source="first_treat", timing="column")


PYFIXEST = {"countyreal": 0.013302342929284108, "year": 0.017843637696081265, "both": 0.013856283645834805}
"""pyfixest 0.60.0: feols("lemp ~ treat_post | countyreal + year", mpdta, vcov = {"CRV3": …}, ssc = ssc(k_adj = False, G_adj = False)).se(),
each cluster left out in turn; without the factor (G − 1)/G."""


def test_pyfixest(mpdta: tuple[Panel, Cohorts]) -> None:
    """The jackknife by county, by year, and by row (the rows are counties in years): to 1e-8, a loop of regressions by demeaning."""
    panel, policy = mpdta
    effects = fit(make_design(panel, "lemp", policy, cluster=["countyreal", "year"]), "twfe", vcov="CR3")
    assert effects.parts is not None
    sizes = np.array([500, 5, 2500])
    expected = np.array(list(PYFIXEST.values())) ** 2 * (sizes - 1) / sizes
    assert_allclose(effects.parts[:, 0, 0], expected, rtol=1e-8)
    assert effects.std_error[0] ** 2 == pytest.approx(max(expected[0] + expected[1] - expected[2], *expected[:2]), rel=1e-8)
    assert effects.df == 4


def test_notes_say_what_was_taken_and_what_is_not_seen(toy: Make) -> None:
    made = toy(units=30, starts=(2004, None, None, None, None, None))
    effects = fit(make_design(made.panel, "y", made.policy, cluster=["region", "year"]), "event-study", vcov="CR3")
    lost = [n for n in effects.notes if n.code == "not-identified-without"]
    assert [n.values["name"] for n in lost] == ["region", "year"]
    assert lost[0].values["clusters"] == "'r0'"
    assert lost[1].values["count"] == 8
    largest = next(n for n in effects.notes if n.code == "several-largest")
    assert effects.parts is not None
    assert largest.values == {"count": smaller_than_alone(effects.parts), "total": 7, "clusters": "region + year"}
    assert "negative-variance" not in {n.code for n in effects.notes}


def test_large_clusters_that_cut_through_units() -> None:
    """Years of 3 100 units are decomposed by CR2 alone."""
    rng = np.random.default_rng(0)
    units = 3100
    names = [f"u{i:04d}" for i in range(units)]
    frame = pl.DataFrame({"unit": np.repeat(names, 4), "year": np.tile([1, 2, 3, 4], units), "y": rng.normal(size=4 * units)})
    first = [3 if i % 3 == 0 else 4 if i % 3 == 1 else None for i in range(units)]
    table = pl.DataFrame({"unit": names, "cohort": pl.Series(first, dtype=pl.Int64), "dose": 1.0, "excluded": False, "reason": ""})
    design = make_design(Panel(frame, "unit", "year"), "y", Cohorts(table, closed=True, source="drawn", timing="column"), cluster="year")
    y = design.y.reshape(units, 4)
    treated = design.treated.reshape(units, 4).astype(float)

    def coefficient(keep: Array) -> float:
        x, v = (a[:, keep] - a[:, keep].mean(1, keepdims=True) - a[:, keep].mean(0) + a[:, keep].mean() for a in (treated, y))
        return float((x * v).sum() / (x * x).sum())

    whole = coefficient(np.ones(4, dtype=bool))
    change = np.array([coefficient(np.arange(4) != t) - whole for t in range(4)])
    assert fit(design, "twfe", vcov="CR3").vcov[0, 0] == pytest.approx(3 / 4 * (change**2).sum(), rel=1e-8)
    with pytest.raises(EstimationError, match="more than 3000") as caught:
        fit(design, "twfe", vcov="CR2")
    assert "CR3" in caught.value.findings[0].remedy


def test_cr2_takes_one_grouping_and_names_the_jackknife(toy: Make) -> None:
    made = toy()
    with pytest.raises(EstimationError) as caught:
        fit(make_design(made.panel, "y", made.policy, cluster=["unit", "year"]), "twfe", vcov="CR2")
    finding = caught.value.findings[0]
    assert finding.code == "not-defined" and "'unit', 'year'" in finding.what and "CR3" in finding.remedy


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), size=st.integers(1, 6), groupings=st.integers(2, 3))
def test_the_combination_is_a_covariance_with_the_largest_variances(seed: int, size: int, groupings: int) -> None:
    rng = np.random.default_rng(seed)
    rows = 40
    scores = rng.normal(size=(rows, size))
    codes = [rng.integers(0, 3 + j, rows).astype(np.int32) for j in range(groupings)]
    factors = [Factor(str(j), np.unique(c, return_inverse=True)[1].astype(np.int32), len(np.unique(c))) for j, c in enumerate(codes)]
    parts = []
    for chosen in subsets(groupings):
        group = intersect([factors[i] for i in chosen])
        sums = np.zeros((group.size, size))
        np.add.at(sums, group.codes, scores)
        parts.append(sums.T @ sums)
    stacked = np.array(parts)
    out, whole = combined(stacked), together(stacked)
    alone = np.diagonal(stacked[:groupings], axis1=1, axis2=2).max(axis=0)
    assert_allclose(np.diag(out), np.maximum(np.diag(whole), alone), rtol=1e-12)
    assert np.linalg.eigvalsh(out)[0] >= -1e-9 * np.diag(out).max()
    if np.linalg.eigvalsh(whole)[0] >= 0 and not smaller_than_alone(stacked):
        assert_allclose(out, whole, rtol=1e-9, atol=1e-9)
