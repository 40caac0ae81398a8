"""Averages of group-time effects, and averages of those (values: tests/reference/test_did.py)."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))

import staggered as world

from hinterland.errors import EstimationError
from hinterland.evaluate.callaway_santanna import fit
from hinterland.evaluate.result import CohortShares, Effects, Terms


@pytest.fixture(scope="module")
def cells() -> Effects:
    return fit(world.make(world.make_frame(), covariates="~ x"), base_period="universal")


def test_overall_weighs_treated_cells_by_cohort_share(cells: Effects) -> None:
    assert cells.shares is not None
    post = cells.terms.event_time >= 0
    share = cells.shares.share[np.searchsorted(cells.shares.cohort, cells.terms.cohort)]
    overall = cells.aggregate("overall")
    assert overall.estimate[0] == pytest.approx(np.average(cells.estimate[post], weights=share[post]))
    assert overall.terms.n_treated.tolist() == [cells.meta["n_treated"]]
    assert overall.meta["aggregated_from"] == "group-time"


def test_two_steps_to_the_overall_mean(cells: Effects) -> None:
    event = cells.aggregate("event-time")
    assert event.aggregate("overall").estimate[0] == pytest.approx(event.estimate[event.terms.event_time >= 0].mean())
    calendar = cells.aggregate("calendar")
    assert calendar.aggregate("overall").estimate[0] == pytest.approx(calendar.estimate.mean())
    cohort = cells.aggregate("cohort")
    assert cohort.shares is not None
    assert cohort.aggregate("overall").estimate[0] == pytest.approx(np.average(cohort.estimate, weights=cohort.shares.share))


def test_reference_event_time_is_marked(cells: Effects) -> None:
    event = cells.aggregate("event-time")
    assert event.terms.event_time[event.terms.reference].tolist() == [-1]
    tidy = event.tidy().filter("reference")
    assert tidy["estimate"].to_list() == [0.0] and tidy["std_error"].to_list() == [None]


def test_window_and_balance(cells: Effects) -> None:
    assert cells.aggregate("event-time", min_e=-2, max_e=1).terms.event_time.tolist() == [-2, -1, 0, 1]
    balanced = cells.aggregate("event-time", balance_e=1)
    assert balanced.terms.event_time.max() == 1
    late = balanced.terms.event_time == 1
    assert balanced.terms.n_treated[late].tolist() == cells.aggregate("event-time", max_e=1).terms.n_treated[[-1]].tolist()
    alone = cells.aggregate("event-time", balance_e=3)
    only = (cells.terms.cohort == 4) & (cells.terms.event_time == 3)
    assert alone.estimate[-1] == pytest.approx(cells.estimate[only][0])
    event = cells.aggregate("event-time")
    assert event.aggregate("event-time") is event
    assert event.aggregate("event-time", max_e=0).terms.event_time.max() == 0
    assert event.aggregate("overall", max_e=0).estimate[0] == pytest.approx(event.estimate[event.terms.event_time == 0][0])


def test_regression_event_study_keeps_its_own_covariance() -> None:
    rng = np.random.default_rng(0)
    vcov = np.diag([1.0, 0.0, 2.0, 4.0])
    terms = Terms.make(("-2", "-1", "0", "1"), event_time=np.array([-2, -1, 0, 1]), reference=np.array([False, True, False, False]))
    event = Effects(
        "event-study", "y", "event-time", terms, np.array([9.0, 0, 1, 3]), vcov, rng.normal(size=(5, 4)), np.array(list("abcde")), df=4
    )
    overall = event.aggregate("overall")
    assert overall.estimate.tolist() == [2.0]
    assert overall.vcov.tolist() == [[1.5]]
    assert overall.df == 4
    assert overall.aggregation == "overall"


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"kind": "evnt-time"}, "unknown-aggregation"),
        ({"kind": "group-time"}, "unknown-aggregation"),
        ({"kind": "overall", "balance_e": 1}, "balance-e"),
        ({"kind": "event-time", "balance_e": -1}, "balance-e"),
        ({"kind": "cohort", "min_e": 1}, "min-e"),
        ({"kind": "event-time", "min_e": 2, "max_e": 1}, "empty-window"),
        ({"kind": "event-time", "min_e": 40}, "nothing-to-average"),
        ({"kind": "overall", "min_e": 40}, "nothing-to-average"),
    ],
)
def test_bad_requests(cells: Effects, options: dict[str, object], code: str) -> None:
    with pytest.raises(EstimationError) as caught:
        cells.aggregate(**options)  # type: ignore[arg-type]
    assert code in [f.code for f in caught.value.findings]


def test_averages_that_do_not_exist(cells: Effects) -> None:
    for effects, kind in ((cells.aggregate("overall"), "event-time"), (cells.aggregate("event-time"), "cohort")):
        with pytest.raises(EstimationError, match="cannot be averaged"):
            effects.aggregate(kind)  # type: ignore[arg-type]
    with pytest.raises(EstimationError, match="no cohort shares"):
        replace(cells, shares=None).aggregate("overall")
    with pytest.raises(EstimationError, match="no overall mean"):
        replace(cells, aggregation="coefficient").aggregate("overall")


def _with_covariance(effects: Effects, factor: float) -> Effects:
    """The same effects with ``factor`` times their covariance, which is then not the product of the influence function."""
    assert effects.shares is not None
    shares = effects.shares
    both = np.hstack([effects.influence, shares.influence])
    return replace(
        effects,
        vcov=factor * effects.vcov,
        shares=replace(shares, joint=factor * both.T @ both),
    )


@pytest.mark.parametrize("kind", ["overall", "event-time", "cohort", "calendar"])
def test_a_covariance_that_is_no_product_of_influence_is_averaged_too(cells: Effects, kind: str) -> None:
    other = _with_covariance(cells, 4.0)
    assert cells.from_influence and not other.from_influence
    averaged, expected = other.aggregate(kind), cells.aggregate(kind)  # type: ignore[arg-type]  # by name
    np.testing.assert_allclose(averaged.vcov, 4 * expected.vcov, atol=1e-15)
    if kind == "cohort":
        np.testing.assert_allclose(averaged.aggregate("overall").vcov, 4 * expected.aggregate("overall").vcov)


def test_averages_take_the_least_degrees_of_freedom(cells: Effects) -> None:
    by_term = np.where(cells.terms.reference, np.nan, 5.0 + np.arange(len(cells.estimate)))
    event = replace(cells, df=5.0, term_df=by_term).aggregate("event-time", min_e=0)
    used = cells.terms.event_time >= 0
    assert event.df == by_term[used].min() and event.term_df is None


def test_a_cohort_without_a_share_is_refused() -> None:
    shares = CohortShares(np.array([4, 4]), np.array([0.2, 0.2]), np.zeros((3, 2)), time=np.array([4, 5]))
    assert shares.place(np.array([4, 4]), np.array([5, 4])).tolist() == [1, 0]
    with pytest.raises(EstimationError, match=r"no share of cohort\(s\) 4"):
        shares.place(np.array([4]))
