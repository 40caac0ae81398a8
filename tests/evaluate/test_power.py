"""Power of pre-trend tests, and the bias of estimates that pass them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from recording import Recorder

sys.path.insert(0, str(Path(__file__).parent))
import event_paths

from hinterland.errors import EstimationError
from hinterland.evaluate.power import pretrend_power

TIMES = [-4, -3, -2, 0, 1]
ROOT = np.random.default_rng(3).normal(size=(5, 9))
VCOV = 0.01 * (ROOT @ ROOT.T / 9 + 0.4)
ESTIMATES = np.array([0.05, -0.03, 0.02, 0.3, 0.4])


@pytest.fixture
def effects() -> Any:
    return event_paths.make_effects(ESTIMATES, VCOV, TIMES)


@pytest.mark.parametrize("test", ["individual", "joint"])
@pytest.mark.parametrize("power", [0.5, 0.8])
def test_slope_has_the_power_asked_for(effects: Any, test: Any, power: float) -> None:
    found = pretrend_power(effects, power, test=test)
    assert found.power == pytest.approx(power, abs=1e-6)
    again = pretrend_power(effects, slope=found.slope, test=test)
    assert again.power == pytest.approx(power, abs=1e-6)
    assert found.frame["deviation"].to_list() == pytest.approx([found.slope * (e + 1) for e in TIMES])
    assert found.bayes_factor == pytest.approx((1 - found.power) / (1 - found.size))
    assert found.bias_unconditional == pytest.approx(1.5 * found.slope)


def simulate(test: str, slope: float, reps: int = 400_000) -> tuple[float, float, float]:
    """Share of draws that reject, its standard error, and the mean average effect of those that pass."""
    from scipy import stats

    shift = slope * (np.array(TIMES) + 1.0)
    draws = shift + np.random.default_rng(8).standard_normal((reps, 5)) @ np.linalg.cholesky(VCOV).T
    before, sigma = draws[:, :3], VCOV[:3, :3]
    if test == "individual":
        reject = (np.abs(before) > stats.norm.ppf(0.975) * np.sqrt(np.diag(sigma))).any(axis=1)
    else:
        reject = np.einsum("ni,ij,nj->n", before, np.linalg.inv(sigma), before) > stats.chi2.ppf(0.95, 3)
    passed = draws[~reject][:, 3:].mean(axis=1)
    return float(reject.mean()), float(passed.mean()), float(passed.std() / np.sqrt(len(passed)))


@pytest.mark.validate
@pytest.mark.parametrize("test", ["individual", "joint"])
@pytest.mark.parametrize("slope", [0.0, 0.03, 0.08])
def test_power_and_bias_against_simulation(effects: Any, test: Any, slope: float, validated: Recorder) -> None:
    share, bias, error = simulate(test, slope)
    found = pretrend_power(effects, slope=slope, test=test)
    noise = 4 * np.sqrt(share * (1 - share) / 400_000)
    where = f"leads on a line of slope {slope:g}, against the formula's {found.power:.4f}"
    validated("tests", "pretrend_power", where, variant=test, seed=8).rate(
        "power", np.arange(400_000) < share * 400_000, within=(found.power - noise, found.power + noise)
    )
    assert found.power == pytest.approx(share, abs=noise)
    assert found.bias == pytest.approx(bias, abs=4 * error)


def test_likelihood_ratio(effects: Any) -> None:
    from scipy import stats

    found = pretrend_power(effects, slope=0.04)
    shift = 0.04 * (np.array(TIMES[:3]) + 1.0)
    sigma = VCOV[:3, :3]
    expected = stats.multivariate_normal(shift, sigma).pdf(ESTIMATES[:3]) / stats.multivariate_normal(np.zeros(3), sigma).pdf(ESTIMATES[:3])
    assert found.likelihood_ratio == pytest.approx(expected, rel=1e-8)


def test_other_deviations(effects: Any) -> None:
    named = pretrend_power(effects, deviations={-4: 0.1, 0: 0.2})
    listed = pretrend_power(effects, deviations=[0.1, 0, 0, 0.2, 0])
    assert named.power == listed.power
    assert np.isnan(named.slope)
    assert named.tidy()["slope"].null_count() == 1


def test_uncorrelated_periods_are_not_biased_by_passing() -> None:
    flat = event_paths.make_effects(ESTIMATES, np.diag(np.diag(VCOV)), TIMES)
    found = pretrend_power(flat, 0.5)
    assert found.bias == pytest.approx(found.bias_unconditional, rel=1e-9)


def test_what_is_refused(effects: Any) -> None:
    def code(**options: Any) -> set[str]:
        with pytest.raises(EstimationError) as caught:
            pretrend_power(effects, **options)
        return {f.code for f in caught.value.findings}

    assert code(power=1.5, level=0, test="both") == {"bad-power", "bad-level", "unknown-value"}
    assert code(power=0.04) == {"bad-power"}
    assert code(slope=1, deviations=[0]) == {"bad-trend"}
    assert code(deviations=[0.0]) == {"bad-trend"}
    assert code(deviations={9: 1.0}) == {"bad-trend"}
    assert code(deviations={-2: float("nan")}) == {"bad-trend"}
    assert code(slope=1e6) == {"bad-trend"}


def test_singular_leads_are_refused() -> None:
    vcov = VCOV.copy()
    vcov[1], vcov[:, 1] = vcov[0], vcov[:, 0]
    effects = event_paths.make_effects(ESTIMATES, vcov + 1e-15 * np.eye(5), TIMES)
    with pytest.raises(EstimationError, match="singular"):
        pretrend_power(effects)


def test_as_many_leads_as_a_long_monthly_panel_has() -> None:
    """Independent leads: the box has the probability of a product, whatever their number."""
    times = [*range(-37, -1), 0]
    effects = event_paths.make_effects(np.zeros(37), 0.01 * np.eye(37), times)
    assert pretrend_power(effects, slope=0.0).power == pytest.approx(1 - 0.95**36, abs=1e-6)


@pytest.mark.parametrize("slope", [float("nan"), float("inf")])
def test_a_slope_that_is_no_number_is_refused(effects: Any, slope: float) -> None:
    with pytest.raises(EstimationError, match="slope is"):
        pretrend_power(effects, slope=slope)
