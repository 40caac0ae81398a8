"""Size of the tests that go with an event study, and of tests that deal adoption out again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import simulated
from recording import Recorder

import hinterland as hl
from hinterland.data.cohorts import NEVER, Cohorts
from hinterland.data.panel import Panel
from hinterland.evaluate.estimate import fit
from hinterland.evaluate.placebo_space import placebo_space
from hinterland.evaluate.pretrends import pretrend_test
from hinterland.evaluate.randomisation import randomisation_test

pytestmark = pytest.mark.validate

REPLICATIONS = 1000
PERIODS = 8


@pytest.mark.parametrize("treated", [12, 60, 300])
def test_leads(treated: int, validated: Recorder) -> None:
    """Two cohorts, AR(1) errors, as many untreated units again by half: the textbook test takes a covariance that rests on the treated as known."""
    rng = np.random.default_rng(41)
    cohorts = np.repeat([5, 7, NEVER], [treated // 2, treated // 2, treated * 3 // 2])
    base = simulated.make(cohorts, PERIODS)
    since = simulated.event_time(cohorts, PERIODS)
    names = ("event-time", "event-time, textbook", "group-time", "event-study", "universal base")
    rejected: dict[str, list[bool]] = {name: [] for name in names}
    for _ in range(REPLICATIONS):
        y = (
            rng.normal(size=(len(cohorts), 1))
            + simulated.autoregressive(rng, len(cohorts), PERIODS, 0.5)
            + np.where(since >= 0, 1 + 0.3 * since, 0)
        )
        design = simulated.redrawn(base, y)
        cells = fit(design, "callaway-santanna")
        path = cells.aggregate("event-time")
        universal = fit(design, "callaway-santanna", base_period="universal").aggregate("event-time")
        found = {
            "event-time": pretrend_test(path, min_treated=5),
            "event-time, textbook": pretrend_test(path, min_treated=5, small_sample=False),
            "group-time": pretrend_test(cells),
            "event-study": pretrend_test(fit(design, "event-study"), min_treated=5),
            "universal base": pretrend_test(universal, min_treated=5),
        }
        for name, test in found.items():
            rejected[name].append(test.p_value < 0.05)
    where = f"{treated} treated of {len(cohorts)} units, two cohorts; AR(1) errors"
    asymptotic = ("event-time, textbook", "group-time")
    for name in names:
        if name in asymptotic and treated < 300:
            low = 0.08 if treated == 12 else 0.05
            validated("failures", "pretrend_test", where, variant=name, seed=41).size(
                rejected[name], within=(low, 1), reason="known failure"
            )
        else:
            within: dict[str, Any] = {"within": (0.02, 0.11), "reason": "small sample"} if treated == 12 or name == "group-time" else {}
            validated("tests", "pretrend_test", where, variant=name, seed=41).size(rejected[name], **within)


@pytest.mark.parametrize("method", ["twfe", "callaway-santanna"])
def test_placebo_in_space(method: str, validated: Recorder) -> None:
    """Six of thirty units adopt, chosen at random, with skewed errors: dealing adoption out again is exact."""
    rng = np.random.default_rng(42)
    cohorts = np.repeat([4, 6, NEVER], [3, 3, 24])
    base = simulated.make(cohorts, PERIODS)
    p: dict[str, list[float]] = {"coefficient": [], "t": [], "inference": []}
    for r in range(REPLICATIONS):
        design = replace(base, y=rng.exponential(size=(30, PERIODS)).cumsum(axis=1).ravel(), cohort=rng.permutation(cohorts))
        found = placebo_space(design, method, draws=199, seed=r)
        p["coefficient"].append(found.p_exact)
        p["t"].append(found.p_exact_statistic)
        p["inference"].append(randomisation_test(design, method, draws=199, seed=r, interval=False).p_value)
    where = "6 treated of 30 units, skewed errors that last"
    for name in ("coefficient", "t"):
        validated("tests", "placebo, space", where, variant=f"{method}, {name}", seed=42).size(np.array(p[name]) <= 0.05)
    validated("few clusters", "randomisation_test", where, variant=f"{method}, t", seed=42).size(np.array(p["inference"]) <= 0.05)


def test_placebo_in_time(validated: Recorder) -> None:
    """Adoption moved two and three periods forward, on rows before adoption only, when something happens afterwards."""
    rng = np.random.default_rng(43)
    cohorts = np.repeat([5, 7, NEVER], [40, 40, 80])
    base = simulated.make(cohorts, PERIODS)
    on = base.treated.reshape(-1, PERIODS)
    first: dict[Any, Any] = dict(zip(base.unit_labels.tolist(), cohorts.tolist(), strict=True))
    names = base.unit_labels[base.unit]
    table = {
        "unit": base.unit_labels,
        "cohort": [None if first[u] == NEVER else int(first[u]) for u in base.unit_labels],
        "dose": 1.0,
        "excluded": False,
        "reason": "",
    }
    import polars as pl

    policy = Cohorts(pl.DataFrame(table), closed=True, source="drawn", timing="column")
    rejected = []
    for _ in range(REPLICATIONS):
        y = rng.normal(size=(160, 1)) + simulated.autoregressive(rng, 160, PERIODS, 0.5) + on
        frame = pl.DataFrame({"unit": names, "year": base.periods[base.period], "y": y.ravel()})
        found = hl.placebo(Panel(frame, "unit", "year"), "y", policy, kind="time", shifts=(2, 3))
        rejected.append(found.shifts["p_value"].to_numpy() < 0.05)
    for j, shift in enumerate((2, 3)):
        found_ = validated(
            "tests", "placebo, time", "80 treated of 160 units, AR(1) errors, an effect after adoption", variant=f"{shift} periods", seed=43
        )
        found_.size(np.array(rejected)[:, j])
