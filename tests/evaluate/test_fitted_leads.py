"""Estimates before treatment that were fitted, or adjusted, are no pre-trends."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from staggered import make, make_frame

from hinterland.errors import EstimationError
from hinterland.evaluate.equivalence import equivalence_test
from hinterland.evaluate.estimate import fit
from hinterland.evaluate.power import pretrend_power
from hinterland.evaluate.pretrends import pretrend_test
from hinterland.evaluate.sensitivity import sensitivity


def codes(call: Any, *arguments: Any) -> tuple[str, str]:
    with pytest.raises(EstimationError) as raised:
        call(*arguments)
    found = raised.value.findings[0]
    return found.code, found.what


@pytest.mark.parametrize(("method", "options"), [("sdid", {}), ("two-stage", {"leads": True})])
def test_fitted_leads_are_refused_whatever_the_average(method: str, options: dict[str, Any]) -> None:
    effects = fit(make(make_frame()), method, **options)
    for one in (effects, effects.aggregate("event-time")):
        code, what = codes(pretrend_test, one)
        assert code == "no-leads"
        assert "fitted" in what
        for call in (sensitivity, pretrend_power, equivalence_test):
            code, what = codes(call, one)
            assert code == "no-reference"
            assert "fitted" in what


def test_two_stage_without_leads_says_nothing_of_them() -> None:
    design = make(make_frame())
    assert "two-stage-fitted-before" not in {n.code for n in fit(design, "two-stage").notes}
    assert codes(pretrend_test, fit(design, "two-stage"))[0] == "no-leads"


@pytest.mark.parametrize("method", ["imputation", "matrix-completion"])
def test_effects_without_leads_are_said_to_have_none(method: str) -> None:
    effects = fit(make(make_frame()), method)
    code, what = codes(sensitivity, effects)
    assert (code, what) == ("no-leads", "there is no estimate before treatment")


def test_leads_adjusted_under_random_timing_test_random_timing() -> None:
    design = make(make_frame(), comparison="not-yet-treated")
    adjusted, plain = fit(design, "efficient"), fit(design, "efficient", beta=1)
    assert "pretrend-random-timing" in {n.code for n in pretrend_test(adjusted).notes}
    assert "pretrend-random-timing" not in {n.code for n in pretrend_test(plain).notes}
    assert codes(sensitivity, adjusted)[0] == "no-reference"
    assert sensitivity(plain, grid=[1.0]).pre > 1


@pytest.mark.parametrize(
    ("method", "options"),
    [
        ("imputation", {"pretrends": 2}),
        ("dcdh", {}),
        ("lp-did", {}),
        ("sun-abraham", {}),
        ("etwfe", {}),
        ("stacked", {"kappa_pre": 2, "kappa_post": 1}),
    ],
)
def test_leads_that_are_tests_are_tested(method: str, options: dict[str, Any]) -> None:
    effects = fit(make(make_frame()), method, **options)
    test = pretrend_test(effects)
    assert 0 < test.p_value <= 1
    assert test.n_leads >= 1
    if method != "imputation":  # whose leads are distances from all earlier periods together
        assert sensitivity(effects, grid=[1.0]).estimate == pytest.approx(
            effects.estimate[effects.terms.event_time == 0][0]
            if effects.aggregation == "event-time"
            else effects.aggregate("event-time", min_e=0, max_e=0).estimate[0]
        )


def test_more_cells_than_clusters_are_no_evidence() -> None:
    """Eight cells on six clusters: the covariance has rank five at most in each direction that a grouping gives."""
    frame = make_frame(900)
    number = frame["unit"].str.slice(1).cast(int)
    frame = frame.with_columns(block=number % 6, strip=number % 7)
    for cluster in ("block", ["block", "strip"]):
        effects = fit(make(frame, cluster=cluster), "callaway-santanna")
        test = pretrend_test(effects)
        assert test.df1 >= 4
        assert test.p_value < 0.05
        assert test.notes[-1].code == "pretrend-oversized"
        assert effects.meta["n_clusters"] == 6
