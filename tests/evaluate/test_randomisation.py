"""Randomisation inference: batch and loop give the same, small designs are listed in full, intervals invert the test."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.testing import assert_allclose
from recording import Recorder

from hinterland.data.cohorts import NEVER
from hinterland.data.panel import Panel
from hinterland.errors import EstimationError
from hinterland.evaluate.design import make_design
from hinterland.evaluate.estimate import fit
from hinterland.evaluate.permutation import every_assignment, make_scheme
from hinterland.evaluate.placebo_space import placebo_space
from hinterland.evaluate.randomisation import randomisation_test, unit_values
from hinterland.evaluate.regression import treatment

Make = Callable[..., Any]


@pytest.mark.parametrize(
    ("world", "options", "method", "force"),
    [
        ({}, {}, "twfe", {"ssc": "fixest"}),
        ({"drop": 0.1, "weight": True}, {"covariates": "~ x", "cluster": "region"}, "twfe", {"ssc": "fixest"}),
        ({}, {"cluster": "region"}, "callaway-santanna", {"base_period": "varying"}),
        ({}, {"comparison": "not-yet-treated"}, "callaway-santanna", {"base_period": "varying"}),
    ],
)
def test_batch_equals_the_loop(toy: Make, world: dict[str, Any], options: dict[str, Any], method: str, force: dict[str, Any]) -> None:
    made = toy(units=24, **world)
    design = make_design(made.panel, "y", made.policy, **options)
    batch = randomisation_test(design, method, draws=15, seed=2)
    loop = randomisation_test(design, method, draws=15, seed=2, **force)
    assert "ri-loop" in {n.code for n in loop.notes}
    assert "ri-loop" not in {n.code for n in batch.notes}
    assert_allclose(batch.draws["estimate"], loop.draws["estimate"], rtol=1e-9, atol=1e-12)
    assert_allclose(batch.draws["statistic"], loop.draws["statistic"], rtol=1e-8)
    assert_allclose([batch.p_value, batch.p_coefficient], [loop.p_value, loop.p_coefficient])
    assert_allclose([batch.conf_low, batch.conf_high], [loop.conf_low, loop.conf_high], rtol=1e-6)


def test_draws_are_those_of_the_placebo(toy: Make) -> None:
    made = toy()
    design = make_design(made.panel, "y", made.policy, covariates="~ x")
    ours, placebo = randomisation_test(design, draws=99), placebo_space(design, draws=99)
    assert ours.draws["estimate"].equals(placebo.draws["estimate"])
    assert_allclose(ours.draws["statistic"], placebo.draws["statistic"], rtol=1e-9)
    assert (ours.p_statistic, ours.p_coefficient) == (placebo.p_exact_statistic, placebo.p_exact)


def test_small_designs_are_listed_in_full(toy: Make) -> None:
    made = toy(units=9, starts=(2004, None, None))
    design = make_design(made.panel, "y", made.policy)
    test = randomisation_test(design, draws=84)
    each = []
    for who in combinations(range(9), 3):
        cohort = np.full(9, NEVER)
        cohort[list(who)] = 2004
        effects = fit(replace(design, cohort=cohort), "twfe")
        each.append((effects.estimate[0], effects.statistic[0]))
    table = np.abs(np.array(each))
    assert test.enumerated
    assert test.n_assignments == 84
    assert_allclose(np.sort(np.abs(test.draws["estimate"])), np.sort(table[:, 0]), rtol=1e-9)
    assert test.p_coefficient == np.mean(table[:, 0] >= abs(test.estimate) * (1 - 1e-9))
    assert test.p_statistic == np.mean(table[:, 1] >= abs(test.estimate / test.std_error) * (1 - 1e-9))
    assert not randomisation_test(design, draws=82).enumerated
    assert randomisation_test(design, draws=84, seed=5).draws.equals(test.draws)


def test_every_assignment_is_listed_once() -> None:
    adoption, strata = np.array([0, 1, 1, 2, 0, 1]), np.array([0, 0, 0, 0, 1, 1])
    scheme = make_scheme(adoption, None, strata)
    listed = every_assignment(scheme)
    assert len(listed) == scheme.distinct == 24
    assert len(np.unique(listed, axis=0)) == 24
    assert (listed[0] == adoption).all()
    assert (np.sort(listed[:, :4], axis=1) == [0, 1, 1, 2]).all()
    blocks = make_scheme(np.array([0, 0, 1, 1, 1, 1]), np.array([0, 0, 1, 1, 2, 2]))
    assert sorted(map(tuple, every_assignment(blocks).tolist())) == [(0, 0, 1, 1, 1, 1), (1, 1, 0, 0, 1, 1), (1, 1, 1, 1, 0, 0)]


@pytest.mark.parametrize("statistic", ["t", "coefficient"])
@pytest.mark.parametrize("options", [{}, {"covariates": "~ x", "cluster": "region"}])
def test_interval_holds_the_effects_that_are_not_rejected(toy: Make, statistic: Any, options: dict[str, Any]) -> None:
    made = toy(units=30)
    design = make_design(made.panel, "y", made.policy, **options)
    test = randomisation_test(design, draws=199, statistic=statistic)
    assert test.conf_low < test.estimate < test.conf_high
    for bound, inwards in ((test.conf_low, 1e-6), (test.conf_high, -1e-6)):
        p = []
        for shift in (-inwards, inwards):
            left = replace(design, y=design.y - (bound + shift) * treatment(design))
            p.append(randomisation_test(left, draws=199, statistic=statistic, interval=False).p_value)
        assert p[0] <= 0.05 < p[1]


def test_strata_and_blocks_by_name_or_value(toy: Make) -> None:
    made = toy(units=24)
    design = make_design(made.panel, "y", made.policy, columns=["region"])
    by_name = randomisation_test(design, draws=20, strata="region")
    codes = unit_values(design, "strata", "region")
    assert codes is not None
    assert by_name.draws.equals(randomisation_test(design, draws=20, strata=codes).draws)
    assert by_name.draws.equals(placebo_space(design, draws=20, strata=codes).draws.with_columns(by_name.draws["statistic"]))
    policy = make_design(made.panel, "y", made.policy, cluster="region")
    assert unit_values(policy, "block", "region") is not None
    with pytest.raises(EstimationError, match="mixed-block"):
        randomisation_test(design, block="region")


def test_any_estimator_and_any_executor(toy: Make) -> None:
    made = toy(units=20)
    design = make_design(made.panel, "y", made.policy)
    alone = randomisation_test(design, "event-study", draws=12, term="event-time 0", leads=-2, lags=2)
    with ThreadPoolExecutor(2) as pool:
        spread = randomisation_test(design, "event-study", draws=12, term="event-time 0", leads=-2, lags=2, executor=pool)
    assert spread.draws.equals(alone.draws)
    assert (spread.conf_low, spread.conf_high) == (alone.conf_low, alone.conf_high)
    assert pickle.loads(pickle.dumps(design)).n_obs == design.n_obs
    count = make_design(made.panel, "count", made.policy)
    poisson = randomisation_test(count, "ppml", draws=9)
    assert np.isnan(poisson.conf_low)
    assert "ri-no-interval" in {n.code for n in poisson.notes}
    assert poisson.tidy()["conf_low"].null_count() == 1
    assert all(n.text("zh") for n in poisson.notes)


def test_bad_requests_are_named(toy: Make) -> None:
    made = toy()
    design = make_design(made.panel, "y", made.policy, columns=["x"])
    with pytest.raises(EstimationError) as wrong:
        randomisation_test(design, draws=0, statistic="z", level=1)  # type: ignore[arg-type]
    assert [f.code for f in wrong.value.findings] == ["bad-draws", "unknown-value", "bad-level"]
    for options, code in [
        ({"strata": "province"}, "unknown-column"),
        ({"strata": "x"}, "not-constant-in-unit"),
        ({"strata": np.arange(3)}, "bad-groups"),
        ({"strata": np.arange(40)}, "nothing-to-permute"),
        ({"term": "lead"}, "unknown-term"),
        ({"method": "did"}, "unknown-method"),
    ]:
        with pytest.raises(EstimationError, match=code):
            randomisation_test(design, **options)  # type: ignore[arg-type]


@pytest.mark.validate
@pytest.mark.parametrize("treated", [1, 2, 5])
def test_size_and_coverage_with_few_treated(treated: int, cohorts: Make, validated: Recorder) -> None:
    """Exact, whatever the errors: skewed here, with a treated group too small for any approximation."""
    reps, units, periods = 1000, 20, 6
    rng = np.random.default_rng(treated)
    names = [f"u{i:02d}" for i in range(units)]
    hits: dict[str, list[bool]] = {"t": [], "coefficient": [], "clustered": [], "covered": []}
    for r in range(reps):
        who = rng.permutation(units)[:treated]
        policy = cohorts(names, [2004 if i in who else None for i in range(units)])
        y = rng.exponential(size=(units, periods)).cumsum(axis=1)
        y[who, 3:] += 0.7
        frame = pl.DataFrame({"unit": np.repeat(names, periods), "year": np.tile(np.arange(2001, 2001 + periods), units), "y": y.ravel()})
        design = make_design(Panel(frame, "unit", "year"), "y", policy)
        test = randomisation_test(design, draws=199, seed=r, statistic="coefficient")
        hits["covered"].append(test.conf_low <= 0.7 <= test.conf_high)
        null = randomisation_test(replace(design, y=design.y - 0.7 * treatment(design)), draws=199, seed=r, interval=False)
        hits["t"].append(null.p_statistic <= 0.05)
        hits["coefficient"].append(null.p_coefficient <= 0.05)
        hits["clustered"].append(bool(fit(replace(design, y=design.y - 0.7 * treatment(design)), "twfe").p_value[0] <= 0.05))
    where = f"{treated} treated of {units} units, skewed errors that last"
    for statistic in ("t", "coefficient"):
        validated("few clusters", "randomisation_test", where, variant=statistic, seed=treated).size(hits[statistic])
    validated("few clusters", "randomisation_test", where, variant="coefficient", seed=treated).coverage(hits["covered"])
    validated("failures", "vcov, cluster", where, seed=treated).size(hits["clustered"], within=(0.075, 1), reason="known failure")
