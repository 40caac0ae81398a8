"""What the world says is true is true: in its potential outcomes, and on average over draws."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from hinterland.data.cohorts import NEVER
from hinterland.data.world import World, simulate
from hinterland.labels import LANGUAGES, catalogue

SMALL = {"units": 150, "periods": 9, "cohorts": (2011, 2013), "treated_share": 0.4}
DRAWS = 200


def did(world: World, outcome: str) -> float:
    """Mean over treated unit-years of the change since the year before adoption, less that of the never treated."""
    units, periods = world.panel.n_units, world.panel.n_periods
    y = world.panel.frame[outcome].to_numpy().astype(float).reshape(units, periods)
    years = world.panel.frame["year"].to_numpy()[:periods]
    cohort, _, keep = world.policy.assign(world.panel.frame["adcode"].gather_every(periods))
    total = count = 0.0
    for g in np.unique(cohort[keep & (cohort <= years[-1])]):
        treated, never, base = keep & (cohort == g), keep & (cohort == NEVER), int(np.flatnonzero(years == g - 1)[0])
        for t in np.flatnonzero(years >= g):
            total += treated.sum() * ((y[treated, t] - y[treated, base]).mean() - (y[never, t] - y[never, base]).mean())
            count += treated.sum()
    return total / count


@pytest.fixture(scope="module")
def world() -> World:
    return simulate()


@pytest.fixture(scope="module")
def draws() -> list[World]:
    return [simulate(seed=s, **SMALL) for s in range(DRAWS)]


@pytest.mark.parametrize("outcome", ["ln_inventions", "quality", "agglomeration", "capital_mismatch", "labour_mismatch"])
def test_estimates_centre_on_the_truth(draws: list[World], outcome: str) -> None:
    truth = "did/ln_inventions/overall" if outcome == "ln_inventions" else f"att/{outcome}/overall"
    errors = np.array([did(w, outcome) - w.value(truth) for w in draws])
    assert abs(errors.mean()) < 3 * errors.std(ddof=1) / np.sqrt(DRAWS)
    size = np.mean([w.value(truth) for w in draws])
    assert abs(size) > 20 * errors.std(ddof=1) / np.sqrt(DRAWS) or outcome.endswith("mismatch")


def test_broken_parallel_trends_bend_the_untreated_outcome_and_bias_the_estimate() -> None:
    straight, bent = (simulate(seed=5, pretrend=d, **SMALL) for d in (0.0, 0.05))
    lead = (straight.potential["year"] - straight.potential["cohort"] + 1).fill_null(0).to_numpy()
    assert np.allclose((bent.potential["log_mean_00"] - straight.potential["log_mean_00"]).to_numpy(), 0.05 * lead, atol=1e-12)
    mean_lead = straight.potential.filter(pl.col("event_time") >= 0)["event_time"].mean() + 1
    assert did(bent, "ln_inventions") - did(straight, "ln_inventions") == pytest.approx(0.05 * mean_lead, abs=0.05)
    assert bent.potential["theta"].equals(straight.potential["theta"])


def test_selection_is_removed_by_the_baseline_covariates() -> None:
    biased, adjusted = [], []
    for seed in range(60):
        world = simulate(seed=seed, selection=1.0, effect=0.0, **SMALL)
        frame = world.panel.frame
        ends = frame.filter(pl.col("year").is_in([2010, 2016])).sort("adcode", "year")
        change = ends["ln_inventions"].to_numpy().reshape(-1, 2) @ np.array([-1.0, 1.0])
        first = ends.gather_every(2)
        d = first["first_treat"].is_not_null().to_numpy().astype(float)
        x = np.column_stack([np.ones(len(d)), d, first["ln_gdp_pc_base"].to_numpy(), first["share2_base"].to_numpy()])
        biased.append(change[d == 1].mean() - change[d == 0].mean())
        adjusted.append(np.linalg.lstsq(x, change, rcond=None)[0][1])
    assert np.mean(biased) > 6 * np.std(biased) / np.sqrt(60)
    assert abs(np.mean(adjusted)) < 3 * np.std(adjusted) / np.sqrt(60)


def test_null_world_moves_nothing() -> None:
    world = simulate(seed=3, effect=0.0)
    moved = world.truth.filter(
        pl.col("family").is_in(["att", "log-ratio", "did", "moderation"]) | pl.col("estimand").str.starts_with("log-points")
    )
    assert moved.height > 600
    assert (moved["value"].abs() == 0).all()


def test_att_rows_are_means_of_potential_outcomes(world: World) -> None:
    treated = world.potential.filter(pl.col("sampled") & (pl.col("event_time") >= 0))
    cell = treated.filter((pl.col("cohort") == 2012) & (pl.col("year") == 2016))
    expected = (cell["quality_1"] - cell["quality_0"]).mean()
    assert world.value("att/quality/group-time/2012/2016") == pytest.approx(expected, rel=1e-12)
    ratio = np.log(treated["inventions_1"].sum() / treated["inventions_0"].sum())
    assert world.value("log-ratio/inventions/overall") == pytest.approx(ratio, rel=1e-12)
    assert world.panel.frame["inventions"].equals(world.potential["inventions_1"].alias("inventions"))
    groups = world.truth.filter((pl.col("outcome") == "ln_inventions") & (pl.col("estimand") == "group-time"))
    assert np.average(groups["value"], weights=groups["n"]) == pytest.approx(world.value("att/ln_inventions/overall"), rel=1e-12)


def test_potential_outcomes_agree_before_adoption(world: World) -> None:
    before = world.potential.filter(pl.col("event_time").is_null())
    for outcome in ("inventions", "quality", "citations", "agglomeration", "labour_mismatch"):
        assert before[f"{outcome}_0"].equals(before[f"{outcome}_1"].alias(f"{outcome}_0"))


def test_log_effect_is_mediated_in_the_stated_shares(world: World) -> None:
    """The mediators' own potential outcomes, times their elasticities, carry the stated shares of θ."""
    treated = world.potential.filter(pl.col("event_time") >= 0)
    elasticity = {"agglomeration": 0.8, "capital_mismatch": -0.6, "labour_mismatch": -0.5}
    theta = (treated["log_mean_1"] - treated["log_mean_0"]).to_numpy()
    assert np.allclose(theta, treated["theta"], atol=1e-12)
    for name, slope in elasticity.items():
        through = slope * np.log((treated[f"{name}_1"] / treated[f"{name}_0"]).to_numpy())
        share = world.value(f"mediation/ln_inventions/share-{name}")
        assert np.allclose(through, share * theta, atol=1e-12)
    assert world.value("mediation/ln_inventions/log-points-indirect") == pytest.approx(0.5 * treated.filter("sampled")["theta"].mean())


def test_segmentation_weakens_the_effect_by_the_stated_slope() -> None:
    """Two worlds of one seed that differ only in ``moderation`` differ by -effect · moderation · maturity · z."""
    with_it, without = simulate(seed=2), simulate(seed=2, moderation=0.0, moderation_sichuan_chongqing=0.0)
    frame = with_it.potential
    rate = 0.25 + 0.1 * frame["sichuan_chongqing"].cast(pl.Float64).to_numpy()
    expected = -0.5 * rate * (frame["maturity"] * frame["segmentation_z"]).to_numpy()
    assert np.allclose((frame["theta"] - without.potential["theta"]).to_numpy(), expected, atol=1e-12)
    assert with_it.value("moderation/ln_inventions/slope-per-sd") < 0
    assert without.value("moderation/ln_inventions/slope-per-sd") == 0


def test_sichuan_and_chongqing_gain_more() -> None:
    plain = simulate(seed=2, sichuan_chongqing=0.0).potential
    strong = simulate(seed=2, sichuan_chongqing=1.0).potential
    gain = (strong["theta"] - plain["theta"]).to_numpy()
    assert np.allclose(gain, np.where(plain["sichuan_chongqing"], 0.5 * plain["maturity"].to_numpy(), 0.0), atol=1e-12)


@pytest.mark.parametrize("fraction", [0.4, -0.4])
def test_neighbours_receive_the_stated_fraction(fraction: float) -> None:
    world = simulate(seed=4, spillover=fraction)
    frame = world.potential
    received = (frame["log_mean_0"] - frame["log_mean_00"]).to_numpy()
    assert np.allclose(received, fraction * 0.5 * frame["exposure"].to_numpy(), atol=1e-12)
    assert frame["exposure"].is_between(0, 1).all()
    assert np.sign(world.value("spillover/ln_inventions/exposed-never-treated")) == np.sign(fraction)
    exposed = frame.filter(pl.col("event_time").is_null() & (pl.col("exposure") > 0.2))
    ratio = np.log(exposed["inventions_0"].sum() / exposed["inventions_00"].sum())
    weighted = np.log(exposed["log_mean_0"].exp().sum() / exposed["log_mean_00"].exp().sum())
    assert ratio == pytest.approx(weighted, abs=0.01)


def test_early_cohorts_gain_more_and_effects_grow(world: World) -> None:
    even = simulate(seed=0, heterogeneity=0.0, moderation=0.0, moderation_sichuan_chongqing=0.0, sichuan_chongqing=0.0)
    frame = (
        even.potential.filter(pl.col("sampled") & (pl.col("event_time") == 2)).group_by("cohort").agg(pl.col("theta").mean()).sort("cohort")
    )
    mature = 0.5 * (1 - np.exp(-1))
    assert frame["theta"].to_numpy() == pytest.approx(mature * (1 + np.linspace(0.2, -0.2, 6)), rel=1e-12)
    assert world.value("att/ln_inventions/event-time/8") > world.value("att/ln_inventions/event-time/0") > 0


def test_lower_and_higher_means_give_exact_counts() -> None:
    """Counts moved down and up have the Poisson mean and variance of the new mean."""
    from hinterland.data.world_process import shifted_count

    rng = np.random.default_rng(1)
    old, frailty = np.full((200_000, 1), 6.0), np.ones((200_000, 1))
    for new in (9.0, 2.0):
        moved = shifted_count(rng, rng.poisson(old), frailty, old, np.full_like(old, new))
        assert moved.mean() == pytest.approx(new, rel=0.01)
        assert moved.var() == pytest.approx(new, rel=0.02)


def test_every_truth_is_defined_in_both_languages(world: World) -> None:
    assert world.truth["parameter"].is_unique().all()
    assert (world.truth["definition"].str.len_chars() > 20).all()
    assert (world.truth["definition_zh"].str.len_chars() > 10).all()
    own = [{k for k in catalogue(language) if k.startswith(("truth.", "world_outcome."))} for language in LANGUAGES]
    assert own[0] == own[1]


def test_truth_follows_the_rule_that_makes_the_sample(world: World) -> None:
    assert world.truth_for(world.policy).equals(world.truth)
    everybody = world.zones.cohorts(partial="treat", uncertain="treat", until=2022)
    wider = world.truth_for(everybody)
    cells = dict(wider.select("parameter", "n").iter_rows())
    assert cells["att/ln_inventions/overall"] > dict(world.truth.select("parameter", "n").iter_rows())["att/ln_inventions/overall"]
    assert cells["att/ln_inventions/sichuan-chongqing"] == 12 + 9, "Chongqing since 2011 and Guang'an since 2014"
    assert not wider["parameter"].str.contains("left-out").any()
