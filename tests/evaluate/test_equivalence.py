"""Equivalence tests of the estimates before treatment: their algebra, and their size at the threshold."""

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
from hinterland.evaluate.equivalence import equivalence_test, folded_probability, folded_threshold, non_inferiority

TIMES = [-4, -3, -2, 0, 1]
ROOT = np.random.default_rng(3).normal(size=(5, 9))
VCOV = 0.01 * (ROOT @ ROOT.T / 9 + 0.4)
ESTIMATES = np.array([0.05, -0.03, 0.02, 0.3, 0.4])


@pytest.fixture
def effects() -> Any:
    return event_paths.make_effects(ESTIMATES, VCOV, TIMES)


def test_threshold_inverts_the_probability() -> None:
    for value, error in ((0.3, 0.1), (0.0, 1.0), (2.0, 0.5)):
        smallest = folded_threshold(value, error, 0.05)
        if smallest:
            assert folded_probability(value, smallest, error) == pytest.approx(0.05, abs=1e-10)
        else:
            assert folded_probability(value, 0.0, error) <= 0.05


@pytest.mark.parametrize("options", [{}, {"statistic": "mean"}, {"statistic": "rms"}, {"method": "bootstrap"}])
def test_established_above_the_smallest_threshold_only(effects: Any, options: Any) -> None:
    found = equivalence_test(effects, **options)
    assert found.smallest_threshold >= found.estimate
    assert found.established is None
    assert equivalence_test(effects, found.smallest_threshold * 1.001, **options).established
    assert not equivalence_test(effects, found.smallest_threshold * 0.999, **options).established
    assert found.tidy().height == 1


def test_p_value_is_the_level_at_the_smallest_threshold(effects: Any) -> None:
    for statistic in ("max", "mean"):
        found = equivalence_test(effects, statistic=statistic)  # type: ignore[arg-type]
        at = equivalence_test(effects, found.smallest_threshold, statistic=statistic)  # type: ignore[arg-type]
        assert at.p_value == pytest.approx(0.05, abs=1e-8)


def test_statistics(effects: Any) -> None:
    leads = ESTIMATES[:3]
    assert equivalence_test(effects).estimate == pytest.approx(np.abs(leads).max())
    assert equivalence_test(effects, statistic="mean").estimate == pytest.approx(abs(leads.mean()))
    assert equivalence_test(effects, statistic="rms").estimate == pytest.approx(np.sqrt(np.mean(leads**2)))


def test_bootstrap_has_more_power_than_the_intersection(effects: Any) -> None:
    assert equivalence_test(effects, method="bootstrap").smallest_threshold < equivalence_test(effects).smallest_threshold


def test_change_under_a_linear_trend(effects: Any) -> None:
    found = non_inferiority(effects, 1.0)
    distance = np.array([-3.0, -2.0, -1.0])
    slope = distance @ ESTIMATES[:3] / (distance @ distance)
    assert found.estimate == pytest.approx(abs(1.5 * slope))
    assert found.established
    assert found.p_value < 0.05


def test_what_is_refused(effects: Any) -> None:
    with pytest.raises(EstimationError) as caught:
        equivalence_test(effects, -1, statistic="median", method="exact", level=0.7, draws=3)  # type: ignore[arg-type]
    assert {f.code for f in caught.value.findings} == {"unknown-value", "bad-level", "bad-threshold", "few-draws"}


def size_at_the_threshold(truth: list[float], threshold: float, options: dict[str, Any], reps: int = 1000) -> list[bool]:
    """[reps] whether deviations are found smaller than ``threshold``, when the largest (or mean, or rms) is exactly that."""
    rng = np.random.default_rng(21)
    root = np.linalg.cholesky(VCOV)
    rejected = []
    for r in range(reps):
        if options.get("statistic") == "rms":
            sample = rng.standard_normal((200, 5)) @ root.T * np.sqrt(200)
            estimates = np.append(truth, [0, 0]) + sample.mean(axis=0)
            made = event_paths.make_effects(estimates, VCOV, TIMES)
            influence = (sample - sample.mean(axis=0)) / 200
            columns = np.insert(influence, 3, 0.0, axis=1)
            from dataclasses import replace

            effects = replace(made, influence=columns, vcov=columns.T @ columns)
        else:
            estimates = np.append(truth, [0, 0]) + root @ rng.standard_normal(5)
            effects = event_paths.make_effects(estimates, VCOV, TIMES, clusters=8)
        rejected.append(bool(equivalence_test(effects, threshold, seed=r, **options).established))
    return rejected


@pytest.mark.validate
@pytest.mark.parametrize(
    ("truth", "threshold", "options", "low"),
    [
        ([0.4, 0.0, 0.0], 0.4, {}, 0.0),
        ([0.4, 0.0, 0.0], 0.4, {"method": "bootstrap", "draws": 999}, 0.03),
        ([0.2, 0.5, 0.2], 0.3, {"statistic": "mean"}, 0.03),
        ([3.0, 3.0, 3.0], 3.0, {"statistic": "rms"}, 0.03),
    ],
)
def test_size_at_the_threshold(truth: list[float], threshold: float, options: dict[str, Any], low: float, validated: Recorder) -> None:
    """Where several deviations are near the threshold the intersection of tests rejects less than its level, by construction."""
    statistic, method = options.get("statistic", "max"), options.get("method", "intersection-union")
    variant = f"max, {method}" if statistic == "max" else statistic
    found = validated(
        "tests", "equivalence_test", "the largest (mean, root mean square) deviation is the threshold", variant=variant, seed=21
    )
    within: dict[str, Any] = {} if low else {"within": (0.0, 0.07), "reason": "conservative"}
    found.size(size_at_the_threshold(truth, threshold, options), **within)


@pytest.mark.validate
def test_size_of_non_inferiority(validated: Recorder) -> None:
    """The straight line before treatment moves the mean effect by exactly the threshold."""
    rng = np.random.default_rng(22)
    root = np.linalg.cholesky(VCOV)
    truth = np.array([-0.6, -0.4, -0.2, 0.0, 0.0])
    rejected = []
    for _ in range(2000):
        estimates = truth + root @ rng.standard_normal(5)
        rejected.append(bool(non_inferiority(event_paths.make_effects(estimates, VCOV, TIMES, clusters=8), 0.3).established))
    validated("tests", "non_inferiority", "a trend that moves the mean effect by the threshold", seed=22).size(rejected)
