"""Simultaneous bands: known critical values, coverage of the draws, determinism."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from hinterland.data.world import simulate
from hinterland.errors import EstimationError
from hinterland.evaluate.bands import add_band, multiplier_draws, sup_t
from hinterland.evaluate.estimate import estimate
from hinterland.evaluate.result import Effects, Terms


def _effects(clusters: int = 3000, p: int = 4, rho: float = 0.0, seed: int = 0) -> Effects:
    rng = np.random.default_rng(seed)
    common = rng.normal(size=(clusters, 1))
    influence = (np.sqrt(rho) * common + np.sqrt(1 - rho) * rng.normal(size=(clusters, p))) / clusters
    names = tuple(str(e) for e in range(p))
    labels = np.arange(clusters).astype(np.str_)
    return Effects(
        "m", "y", "event-time", Terms.make(names, event_time=np.arange(p)), np.ones(p), influence.T @ influence, influence, labels
    )


def test_independent_terms_have_the_sidak_value() -> None:
    p = 5
    expected = stats.norm.ppf(0.5 + 0.95 ** (1 / p) / 2)
    assert sup_t(np.eye(p) * 7, 0.95, 200_000, 0) == pytest.approx(expected, rel=0.005)


def test_identical_terms_and_one_term_have_the_pointwise_value() -> None:
    assert sup_t(np.ones((3, 3)), 0.95, 200_000, 0) == pytest.approx(1.959964, rel=0.005)
    assert sup_t(np.eye(1), 0.9, 200_000, 1) == pytest.approx(1.644854, rel=0.005)
    assert sup_t(np.eye(1), 0.95, 200_000, 1, df=6) == pytest.approx(stats.t.ppf(0.975, 6), rel=0.01)


@pytest.mark.parametrize("multiplier", ["rademacher", "mammen", "webb"])
def test_draws_have_the_covariance_of_the_influence(multiplier: str) -> None:
    effects = _effects(800, rho=0.5)
    draws = multiplier_draws(effects.influence, 20_000, 1, multiplier)  # type: ignore[arg-type]
    scale = np.sqrt(np.outer(np.diag(effects.vcov), np.diag(effects.vcov)))
    np.testing.assert_allclose(np.cov(draws.T) / scale, effects.vcov / scale, atol=0.03)
    np.testing.assert_allclose(draws.mean(axis=0) / np.sqrt(np.diag(effects.vcov)), 0, atol=0.03)


@pytest.mark.parametrize("kind", ["multiplier", "analytic"])
def test_both_kinds_agree_in_large_samples(kind: str) -> None:
    effects = add_band(_effects(rho=0.3), kind=kind, draws=20_000, seed=2)  # type: ignore[arg-type]
    assert effects.band is not None
    assert effects.band.critical == pytest.approx(sup_t(_effects(rho=0.3).vcov, 0.95, 400_000, 5), rel=0.02)
    tidy = effects.tidy()
    assert (tidy["band_low"] < tidy["conf_low"]).all() and (tidy["band_high"] > tidy["conf_high"]).all()


def test_the_seed_decides() -> None:
    effects = _effects(400)
    assert add_band(effects, seed=1).band.critical == add_band(effects, seed=1).band.critical  # type: ignore[union-attr]
    assert add_band(effects, seed=1).band.critical != add_band(effects, seed=2).band.critical  # type: ignore[union-attr]


def test_terms_without_variance_take_no_part() -> None:
    effects = _effects()
    influence = effects.influence.copy()
    influence[:, 2] = 0
    fixed = replace(effects, influence=influence, vcov=influence.T @ influence)
    band = add_band(fixed, draws=999).band
    assert band is not None and band.std_error is not None
    assert np.isnan(band.std_error).tolist() == [False, False, True, False]
    assert fixed.with_band().tidy()["band_low"].null_count() == 1
    with pytest.raises(EstimationError, match="no term has a standard error"):
        add_band(replace(fixed, vcov=np.zeros((4, 4))))


def test_two_way_covariance_needs_the_analytic_band() -> None:
    effects = replace(_effects(), vcov=2 * _effects().vcov)
    with pytest.raises(EstimationError, match="analytic"):
        add_band(effects)
    assert add_band(effects, kind="analytic").band is not None


def test_bad_options_are_found_together() -> None:
    with pytest.raises(EstimationError) as caught:
        add_band(_effects(50), 95, kind="boot", draws=3, multiplier="normal")  # type: ignore[arg-type]
    assert {f.code for f in caught.value.findings} == {"bad-level", "unknown-band", "few-draws", "unknown-multiplier"}


def test_terms_on_very_few_clusters_keep_their_exact_standard_error() -> None:
    effects = _effects(500)
    influence = effects.influence.copy()
    influence[:, 1] = 0
    influence[:2, 1] = 0.3, 0.31
    few = replace(effects, influence=influence, vcov=influence.T @ influence)
    banded = add_band(few, draws=4999)
    assert banded.band is not None and banded.band.std_error is not None
    assert banded.band.std_error[1] == pytest.approx(few.std_error[1])
    assert 2 < banded.band.critical < 3
    assert [n.code for n in banded.notes] == ["band-lumpy"]


def test_a_band_asked_for_is_there_after_aggregating() -> None:
    world = simulate()
    asked = estimate(world.panel, "ln_inventions", world.policy, bootstrap={"draws": 299}, seed=3).aggregate("event-time")
    added = estimate(world.panel, "ln_inventions", world.policy).aggregate("event-time").with_band(draws=299, seed=3)
    assert asked.band is not None
    assert added.band is not None
    assert asked.band.critical == added.band.critical
    assert asked.aggregate("overall").band is not None
    assert add_band(asked, kind="analytic").aggregate("overall").band.kind == "analytic"  # type: ignore[union-attr]
