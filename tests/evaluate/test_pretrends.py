from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from hinterland.data.cohorts import Cohorts
from hinterland.data.panel import Panel
from hinterland.data.world import simulate
from hinterland.errors import EstimationError
from hinterland.evaluate.design import make_design
from hinterland.evaluate.estimate import estimate, fit
from hinterland.evaluate.pretrends import effective_observations, pretrend_test
from hinterland.evaluate.result import Effects, Terms

Make = Callable[..., Any]


def _effects(estimate: list[float], vcov: Any, *, df: float = np.inf, clusters: int = 100, anticipation: int = 0) -> Effects:
    """Event times -4, -3, -2, -1 (reference), 0, with an influence function whose product is ``vcov``."""
    value, vector = np.linalg.eigh(np.array(vcov, dtype=float))
    orthonormal = np.linalg.qr(np.random.default_rng(0).normal(size=(clusters, 5)))[0]
    times = np.array([-4, -3, -2, -1, 0])
    return Effects(
        method="made-up",
        outcome="y",
        aggregation="event-time",
        terms=Terms.make(tuple(map(str, times)), event_time=times, reference=times == -1),
        estimate=np.array(estimate),
        vcov=np.array(vcov, dtype=float),
        influence=orthonormal @ (vector * np.sqrt(np.maximum(value, 0))).T,
        clusters=np.arange(clusters).astype(str),
        df=df,
        meta={"anticipation": anticipation},
    )


def test_wald_by_hand() -> None:
    vcov = np.diag([4.0, 1.0, 0.25, 0.0, 9.0])
    test = pretrend_test(_effects([2, 1, 0.5, 0, 50], vcov), small_sample=False)
    assert (test.statistic, test.df1, test.distribution, test.n_leads) == (pytest.approx(3), 3, "chi2", 3)
    assert_allclose(test.p_value, 0.3916251762710877, rtol=1e-12)
    f = pretrend_test(_effects([2, 1, 0.5, 0, 50], vcov, df=30), small_sample=False)
    assert (f.statistic, f.df1, f.df2, f.distribution) == (pytest.approx(1), 3, 30, "F")
    assert_allclose(f.p_value, stats.f.sf(1, 3, 30), rtol=1e-12)
    assert f.tidy().columns == [
        "method",
        "outcome",
        "statistic",
        "df1",
        "df2",
        "p_value",
        "n_leads",
        "n_thin",
        "p_textbook",
        "distribution",
    ]
    assert_allclose([test.p_textbook, f.p_textbook], [test.p_value, f.p_value])
    assert test.tidy()["df2"][0] is None


def test_effective_observations() -> None:
    rng = np.random.default_rng(0)
    assert_allclose(effective_observations(rng.normal(size=(4000, 3))), 4000, rtol=0.05)
    # Welch (1938): two groups of 50 and 5000 whose shares of the variance are 2/3 and 1/3.
    scale = np.where(np.arange(5050) < 50, np.sqrt(2 / 50), np.sqrt(1 / 5000))[:, None]
    found = np.mean([effective_observations(scale * rng.normal(size=(5050, 1))) for _ in range(100)])
    assert_allclose(found, 9 / (4 / 49 + 1 / 4999), rtol=0.15)
    repeated = rng.normal(size=(100, 2)) @ np.array([[1.0, 2.0, 3.0], [0.0, 1.0, 1.0]])
    assert 80 < effective_observations(repeated) < 130


def test_hotelling_by_hand() -> None:
    effects = _effects([2, 1, 0.5, 0, 50], np.diag([4.0, 1.0, 0.25, 0.0, 9.0]), clusters=30)
    m = effective_observations(effects.influence[:, :3])
    test = pretrend_test(effects)
    assert (test.df1, test.distribution) == (3, "F")
    assert_allclose([test.df2, test.statistic], [m - 3, 3 * (m - 3) / (3 * (m - 1))])
    assert_allclose(test.p_value, stats.f.sf(test.statistic, 3, m - 3))
    other = replace(effects, vcov=2 * effects.vcov, df=30)  # not the product of the influence function: two-way, say
    assert (pretrend_test(other).df2, pretrend_test(other).distribution) == (30, "F")


def test_more_terms_than_the_covariance_is_worth() -> None:
    effects = _effects([9, 9, 9, 0, 1], np.diag([1.0, 1.0, 1.0, 0.0, 1.0]))
    few = replace(effects, influence=np.concatenate([np.diag([1.0, 1, 1, 0, 1]), np.zeros((95, 5))]))
    assert effective_observations(few.influence[:, :3]) == 3
    test = pretrend_test(few)
    assert (test.distribution, test.notes[-1].code) == ("chi2", "pretrend-oversized")


def test_leads_keeps_the_last_ones() -> None:
    test = pretrend_test(_effects([9, 1, 0.5, 0, 50], np.diag([1.0, 1.0, 0.25, 0.0, 9.0])), leads=3, small_sample=False)
    assert test.n_leads == 2
    assert_allclose(test.statistic, 2)


def test_anticipated_periods_are_left_out_unless_asked_for() -> None:
    effects = _effects([0, 0, 5, 0, 1], np.diag([1.0, 1.0, 1.0, 0.0, 1.0]), anticipation=2)
    test = pretrend_test(effects)
    assert (test.n_leads, test.statistic) == (2, 0)
    assert "pretrend-anticipation" in {n.code for n in test.notes}
    assert pretrend_test(effects, include_anticipation=True, small_sample=False).statistic == pytest.approx(25)


def test_singular_covariance_uses_its_rank_whatever_the_units() -> None:
    half = np.array([[1.0, 0.0], [0.0, 2.0], [1.0, 2.0]])
    for scale in (1.0, 1e6):
        vcov = np.zeros((5, 5))
        d = np.diag([scale, 1.0, 1.0])
        vcov[:3, :3] = d @ half @ half.T @ d
        vcov[4, 4] = 1
        test = pretrend_test(_effects([scale, 2, 3, 0, 1], vcov), small_sample=False)
        assert (test.df1, test.n_leads) == (2, 3)
        assert_allclose(test.statistic, 2)  # b = (1, 2, 3) = half @ (1, 1)
        assert test.notes[0].code == "pretrend-singular"


def test_not_rejecting_is_said_to_be_no_proof(toy: Make) -> None:
    made = toy(units=80)
    test = pretrend_test(fit(make_design(made.panel, "y", made.policy, covariates="~ x"), "event-study"))
    assert test.distribution == "F"
    assert test.p_value > 0.05
    assert test.notes[-1].code == "pretrend-not-proof"
    assert "not evidence" in test.notes[-1].text("en")
    trend = made.panel.with_columns(y=pl.col("y") + 0.5 * pl.col("year") * (pl.col("unit").str.slice(1).cast(pl.Int64) % 4 < 2))
    rejected = pretrend_test(fit(make_design(trend, "y", made.policy), "callaway-santanna").aggregate("event-time"))
    assert (rejected.distribution, rejected.notes[-1].code) == ("F", "pretrend-rejected")


def test_group_time_tests_of_small_cohorts_are_said_to_be_oversized(toy: Make) -> None:
    """A rejection carries the caveat where cohorts are small next to their cells, the full verdict where they are not."""
    for made, code in (
        (toy(units=24, periods=10, starts=(2007, 2009, None)), "pretrend-oversized"),
        (toy(units=400, periods=5, starts=(2003, 2004, None)), "pretrend-rejected"),
    ):
        treated = pl.col("unit").is_in(made.policy.table.filter(pl.col("cohort").is_not_null())["unit"].to_list())
        panel = made.panel.with_columns(y=pl.col("y") + 2.0 * pl.col("year") * treated)
        test = pretrend_test(fit(make_design(panel, "y", made.policy), "callaway-santanna"))
        assert (test.distribution, test.notes[-1].code) == ("chi2", code)


def test_size_by_event_time_is_right_with_few_treated_units(toy: Make) -> None:
    """Null panels with 20 treated units and 5 leads: rejections at 5 % are binomial(200, 0.05), up to the 0.1 % tails."""
    made = toy(units=60, periods=9, starts=(2007, None, None))
    design = make_design(made.panel, "y", made.policy)
    rng = np.random.default_rng(1)
    small = {"corrected": 0, "uncorrected": 0, "regression": 0}
    for _ in range(200):
        drawn = replace(design, y=rng.normal(size=design.n_obs))
        effects = fit(drawn, "callaway-santanna").aggregate("event-time")
        small["corrected"] += pretrend_test(effects).p_value < 0.05
        small["uncorrected"] += pretrend_test(effects, small_sample=False).p_value < 0.05
        small["regression"] += pretrend_test(fit(drawn, "event-study")).p_value < 0.05
    assert 2 <= small["corrected"] <= 21
    assert 2 <= small["regression"] <= 21
    assert small["uncorrected"] > small["corrected"]


def test_bad_requests() -> None:
    effects = _effects([1, 1, 1, 0, 1], np.eye(5))
    for leads in (0, -1, 1.5):
        with pytest.raises(EstimationError, match="leads is"):
            pretrend_test(effects, leads=leads)  # type: ignore[arg-type]
    with pytest.raises(EstimationError, match="no pre-treatment term"):
        pretrend_test(effects.take(np.array([3, 4])))
    static = Effects("twfe", "y", "coefficient", Terms.make(("treated",)), np.ones(1), np.eye(1), np.ones((2, 1)), np.array(["a", "b"]))
    with pytest.raises(EstimationError, match="no pre-treatment terms"):
        pretrend_test(static)


def _mpdta(reference: Path) -> tuple[Panel, Cohorts]:
    frame = pl.read_csv(reference / "mpdta.csv").sort("countyreal", "year")
    first = frame.group_by("countyreal", maintain_order=True).agg(pl.col("first_treat").first())
    cohort = pl.when(pl.col("first_treat") > 0).then(pl.col("first_treat")).cast(pl.Int64)
    table = first.select(unit=pl.col("countyreal").cast(pl.String), cohort=cohort, dose=1.0, excluded=False, reason=pl.lit(""))
    return Panel(frame, "countyreal", "year"), Cohorts(table, True, "first_treat", "column")


@pytest.mark.filterwarnings("ignore::hinterland.errors.DataWarning")  # cohorts without a base period are left out, as in did
def test_pretest_of_did(reference: Path) -> None:
    """Every pre-test statistic of R's did 2.5.1 on mpdta that our options can state (covariates: none or lpop)."""
    panel, policy = _mpdta(reference)
    seen = 0
    for record in json.loads((reference / "did.json").read_text()):
        o = record.get("options", {})
        if record["dataset"] != "mpdta.csv" or "control_group" not in o:
            continue
        design = make_design(
            panel,
            "lemp",
            policy,
            covariates=None if o["xformla"] == "~1" else o["xformla"],
            comparison={"nevertreated": "never-treated", "notyettreated": "not-yet-treated"}[o["control_group"]],
            anticipation=o["anticipation"],
        )
        method = {"dr": "dr", "ipw": "ipw", "reg": "or"}[o["est_method"]]
        effects = fit(design, "callaway-santanna", est_method=method, base_period=o["base_period"])
        test = pretrend_test(effects, include_anticipation=True)
        assert_allclose(test.statistic, record["values"]["pretest_W"], rtol=1e-6, err_msg=record["id"])
        assert_allclose(test.p_value, record["values"]["pretest_p"], atol=6e-6, err_msg=record["id"])
        seen += 1
    assert seen >= 48


def test_leads_of_a_tiny_cohort_are_left_out_and_counted() -> None:
    """A cohort of two cities has five leads to itself: with them the test rejects a true null 99 times in 100."""
    rejected = {10: 0, 1: 0}
    draws = 40
    for seed in range(draws):
        world = simulate(seed=seed)
        effects = estimate(world.panel, "quality", world.policy, method="callaway-santanna").aggregate("event-time")
        for least in rejected:
            rejected[least] += pretrend_test(effects, min_treated=least).p_value < 0.05
    test = pretrend_test(effects)
    assert (test.n_thin, test.n_leads) == (6, 4)
    assert test.notes[0].code == "pretrend-thin"
    assert rejected[1] >= 0.9 * draws
    assert rejected[10] <= stats.binom.ppf(0.999, draws, 0.05)
