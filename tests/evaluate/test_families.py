"""Families of tests: against scipy, against the step-down written out, and error rates."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose
from recording import Recorder
from scipy import stats

from hinterland.errors import EstimationError
from hinterland.evaluate.design import make_design
from hinterland.evaluate.estimate import fit
from hinterland.evaluate.families import adjust, by_p_values, stepdown
from hinterland.evaluate.placebo_space import placebo_space
from hinterland.evaluate.randomisation import randomisation_test
from hinterland.evaluate.result import Effects, Terms
from hinterland.evaluate.wild import wild_bootstrap

Make = Callable[..., Any]
Floats = np.ndarray[Any, np.dtype[np.float64]]
P = [0.001, 0.2, 0.013, 0.04, 0.9, 0.013, 0.0499]


def means(x: Floats, name: str = "y", labels: Floats | None = None) -> Effects:
    """The means of the columns of x [C, p] as effects, one cluster per row."""
    count = len(x)
    influence = (x - x.mean(0)) / np.sqrt(count * (count - 1))
    clusters = np.array([f"c{i:04d}" for i in range(count)]) if labels is None else labels
    return Effects(
        "mean",
        name,
        "coefficient",
        Terms.make(tuple(f"t{j}" for j in range(x.shape[1]))),
        x.mean(0),
        influence.T @ influence,
        influence,
        clusters,
        df=count - 1.0,
        meta={"cluster": "unit", "n_clusters": count},
    )


def test_p_value_methods_against_scipy_and_by_hand() -> None:
    assert_allclose(adjust(P, "benjamini-hochberg").p_adjusted, stats.false_discovery_control(P, method="bh"))
    assert_allclose(adjust(P, "benjamini-yekutieli").p_adjusted, stats.false_discovery_control(P, method="by"))
    assert_allclose(adjust(P, "bonferroni").p_adjusted, np.minimum(7 * np.array(P), 1))
    order = np.sort(P)
    holm = np.minimum(np.maximum.accumulate(order * np.arange(7, 0, -1)), 1)
    assert_allclose(np.sort(adjust(P, "holm").p_adjusted), holm)
    named = adjust({"patents": 0.01, "output": 0.04}, "holm")
    assert named.terms == ("patents", "output")
    assert_allclose(named.tidy()["p_adjusted"], [0.02, 0.04])
    assert named.controls == "family-wise-error"


def test_sharpened_q_values_are_the_two_stage_rule() -> None:
    """At each level q, the hypotheses with a q-value of at most q are those that the two-stage rule rejects there."""
    rng = np.random.default_rng(0)
    p = np.sort(np.concatenate([rng.uniform(size=15), rng.uniform(0, 0.01, size=10)]))
    q_values = by_p_values(p, "sharpened")
    m, rank = len(p), np.arange(1, len(p) + 1)
    for q in (0.01, 0.05, 0.1, 0.2):
        first = q / (1 + q)
        passed = np.flatnonzero(p <= rank * first / m)
        r1 = passed[-1] + 1 if len(passed) else 0
        if r1 == m:
            kept = m
        else:
            again = np.flatnonzero(p <= rank * first / (m - r1))
            kept = again[-1] + 1 if len(again) else 0
        assert (q_values <= q + 1e-12).sum() == kept
    assert (np.diff(q_values) >= 0).all()
    assert (q_values <= by_p_values(p, "benjamini-hochberg") + 0.05).all()


def test_stepdown_as_written_in_the_paper() -> None:
    rng = np.random.default_rng(1)
    t, drawn = np.abs(rng.normal(size=6)) * 2, np.abs(rng.normal(size=(199, 6)))
    raw, adjusted = stepdown(t, drawn)
    before = 0.0
    left = list(np.argsort(-t))
    while left:
        s = left[0]
        p = (1 + sum(row[left].max() >= t[s] for row in drawn)) / 200
        before = max(before, p)
        assert adjusted[s] == before
        assert raw[s] == (1 + (drawn[:, s] >= t[s]).sum()) / 200
        left.pop(0)
    once = stepdown(t[:1], drawn[:, :1])
    assert once[0] == once[1]
    low_raw, low = stepdown(t, drawn * [1, 1, 5, 1, 0.2, 1], smallest=True)
    assert (low >= low_raw).all()
    scaled = stepdown(t * [1, 1, 1, 1, 3, 1], drawn * [1, 1, 5, 1, 0.6, 1], smallest=True)
    assert_allclose(scaled[1], low)


@pytest.mark.parametrize("method", ["romano-wolf", "westfall-young"])
def test_shared_multipliers_over_outcomes(method: Any) -> None:
    rng = np.random.default_rng(2)
    common = rng.normal(size=(80, 1))
    x = common + 0.05 * rng.normal(size=(80, 5)) + 0.25
    joint = adjust([means(x[:, :2], "a"), means(x[:, 2:], "b")], method, draws=1999)
    apart = adjust([means(x[:, :2], "a"), means(x[:, 2:], "b")], "holm")
    assert joint.outcomes == ("a", "a", "b", "b", "b")
    assert (joint.p_adjusted <= apart.p_adjusted).all()
    assert joint.p_adjusted.max() < 2.2 * joint.p_value.max() + 0.01  # nearly one hypothesis
    assert_allclose(joint.p_value, apart.p_value, atol=0.02)
    shuffled = rng.permutation(80)
    labels = np.array([f"c{i:04d}" for i in range(80)])
    again = adjust([means(x[:, :2], "a"), means(x[shuffled, 2:], "b", labels[shuffled])], method, draws=1999)
    # lining up needs the clusters of each result in the order of its rows, whatever that order is
    assert_allclose(again.p_adjusted, joint.p_adjusted)
    partly = adjust([means(x[:60, :2], "a"), means(x[20:, 2:], "b", labels[20:])], method, draws=1999)
    assert np.isfinite(partly.p_adjusted).all()


def test_tests_that_were_drawn_already(toy: Make) -> None:
    made = toy(units=30)
    designs = [make_design(made.panel, y, made.policy) for y in ("y", "z")]
    ri = adjust([randomisation_test(d, draws=199, interval=False) for d in designs])
    assert ri.draws == 199
    placebo = adjust([placebo_space(d, draws=199, seed=1) for d in designs])
    assert_allclose(placebo.p_adjusted, ri.p_adjusted)
    wild = adjust(wild_bootstrap(designs[0], "event-study", draws=399), "romano-wolf")
    assert wild.terms[0].startswith("event-time")
    assert (wild.p_adjusted >= wild.p_value).all()
    effects = adjust([fit(d, "callaway-santanna").aggregate("event-time") for d in designs], draws=499)
    assert "family-size" in {n.code for n in effects.notes}
    assert all(n.text("zh") for n in effects.notes)
    assert repr(effects).startswith("Family(romano-wolf")


def test_bad_requests_are_named(toy: Make) -> None:
    made = toy(units=30)
    design = make_design(made.panel, "y", made.policy)
    by_region = make_design(made.panel, "y", made.policy, cluster="region")
    one, other = fit(design, "twfe"), fit(by_region, "twfe")
    cases: list[tuple[Any, str, str]] = [
        ([0.1, 0.2], "romano-wolf", "no-joint-draws"),
        ([0.1, 1.2], "holm", "bad-p-value"),
        ([0.1, float("nan")], "holm", "bad-p-value"),
        (["a"], "holm", "bad-p-value"),
        ([], "holm", "no-tests"),
        ([one, 0.1], "holm", "mixed-tests"),
        ([one, other], "romano-wolf", "different-clusters"),
        ([0.1], "bh", "unknown-value"),
        ([wild_bootstrap(design, draws=199), wild_bootstrap(design, draws=199, seed=3)], "romano-wolf", "different-draws"),
        (fit(make_design(made.panel, "y", made.policy, cluster=["region", "year"]), "twfe"), "romano-wolf", "not-from-influence"),
    ]
    for tests, method, code in cases:
        with pytest.raises(EstimationError, match=code):
            adjust(tests, method)  # type: ignore[arg-type]
    with pytest.raises(EstimationError, match="few-draws"):
        adjust([one], draws=3)


@pytest.mark.validate
def test_error_rates_under_correlation(validated: Recorder) -> None:
    """Family-wise error of the step-down methods with half of ten correlated hypotheses true, and the false discovery rate."""
    reps, clusters, m = 1000, 60, 10
    rng = np.random.default_rng(5)
    names = ("unadjusted", "romano-wolf", "westfall-young", "holm", "bonferroni")
    hits: dict[str, list[bool]] = {name: [] for name in names}
    power: dict[str, list[float]] = {name: [] for name in names}
    discovery: dict[str, list[float]] = {name: [] for name in ("benjamini-hochberg", "benjamini-yekutieli", "sharpened")}
    for r in range(reps):
        x = np.sqrt(0.7) * rng.normal(size=(clusters, 1)) + np.sqrt(0.3) * rng.normal(size=(clusters, m))
        x[:, 5:] += 0.45
        effects = means(x)
        for method, found_false in hits.items():
            found = adjust(effects, "holm" if method == "unadjusted" else method, draws=999, seed=r)  # type: ignore[arg-type]
            rejected = (found.p_value if method == "unadjusted" else found.p_adjusted) <= 0.05
            found_false.append(bool(rejected[:5].any()))
            power[method].append(float(rejected[5:].mean()))
        for method, shares in discovery.items():
            rejected = adjust(effects, method).p_adjusted <= 0.05  # type: ignore[arg-type]
            shares.append(float(rejected[:5].sum() / max(int(rejected.sum()), 1)))
    where = "ten hypotheses, correlated 0.7, half of them true; 60 clusters"
    for method in names[1:]:
        found = validated("many hypotheses", f"adjust, {method}", where, seed=5)
        within: dict[str, Any] = {} if method == "romano-wolf" else {"reason": "conservative"}
        found.rate("error rate", hits[method], "family-wise", within=(0.0, 0.065), **within)
        found.power(power[method], (0.3, 1.0))
    alone = validated("failures", "adjust, none", where, seed=5)
    alone.rate("error rate", hits["unadjusted"], "family-wise", within=(0.08, 1.0), reason="known failure")
    for method, shares in discovery.items():
        found = validated("many hypotheses", f"adjust, {method}", where, seed=5)
        found.rate("error rate", shares, "false discoveries", within=(0.0, 0.055), reason="conservative")
    assert np.mean(power["romano-wolf"]) > np.mean(power["holm"])
