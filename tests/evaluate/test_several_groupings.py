"""Designs with several groupings of clusters: none of them is taken silently for all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from hinterland.errors import EstimationError
from hinterland.evaluate.design import Design, make_design
from hinterland.evaluate.estimate import fit
from hinterland.evaluate.families import adjust
from hinterland.evaluate.leave_one_out import leave_one_out
from hinterland.evaluate.randomisation import randomisation_test

Make = Callable[..., Any]


@pytest.fixture(scope="module")
def design(toy: Make) -> Design:
    made = toy(units=48)
    panel = made.panel.with_columns(block=made.panel.frame["unit"].str.slice(1).cast(int) // 4)
    return make_design(panel, "y", made.policy, cluster=["block", "region"])


def test_randomisation_studentises_with_all_of_them(design: Design) -> None:
    found = randomisation_test(design, draws=19)
    assert found.meta["cluster"] == "block + region"
    effects = fit(design, "twfe")
    assert found.std_error == pytest.approx(effects.std_error[0])
    assert found.draws["statistic"][0] == pytest.approx(effects.statistic[0])
    assert "ri-no-interval" in {n.code for n in found.notes}


def test_leave_one_out_asks_which_one(design: Design) -> None:
    with pytest.raises(EstimationError, match="several groupings"):
        leave_one_out(design)
    assert leave_one_out(design, "block").frame.height == 12
    assert leave_one_out(design, "region").frame["group"].to_list() == [f"r{i}" for i in range(6)]


def test_an_interval_without_end_is_said_to_have_none(toy: Make) -> None:
    made = toy(units=12, starts=(2004, *[None] * 11))
    found = randomisation_test(make_design(made.panel, "y", made.policy))
    assert np.isinf([found.conf_low, found.conf_high]).any()
    assert next(n for n in found.notes if n.code == "ri-unbounded").values["smallest"] == pytest.approx(1 / 12)


def test_a_family_takes_no_test_without_a_statistic(toy: Make) -> None:
    made = toy()
    panel = made.panel.with_columns(flat=made.panel.frame["unit"].str.slice(1).cast(float))
    tests = [randomisation_test(make_design(panel, y, made.policy), draws=19, interval=False) for y in ("y", "flat")]
    assert np.isnan(tests[1].p_value)
    for method in ("romano-wolf", "holm"):
        with pytest.raises(EstimationError, match="no t statistic for twfe on flat"):
            adjust(tests, method)  # type: ignore[arg-type]
