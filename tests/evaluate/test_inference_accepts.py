"""Tests beside an estimator stand on the designs that it stands on, and say where nothing varies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from hinterland.errors import EstimationError
from hinterland.evaluate.cluster_influence import cluster_influence
from hinterland.evaluate.design import make_design
from hinterland.evaluate.few_treated import few_treated
from hinterland.evaluate.few_treated_groups import cluster_t, sign_changes
from hinterland.evaluate.oster import oster
from hinterland.evaluate.wild import wild_bootstrap

Make = Callable[..., Any]


@pytest.mark.parametrize("call", [wild_bootstrap, few_treated, cluster_influence, oster])
def test_anticipation_is_refused_where_twfe_refuses_it(toy: Make, call: Any) -> None:
    made = toy()
    design = make_design(made.panel, "y", made.policy, anticipation=1, covariates="~ x")
    with pytest.raises(EstimationError, match="twfe is not defined with anticipation"):
        call(design)


@pytest.mark.parametrize("test", [cluster_t, lambda *a: sign_changes(*a, 99, 0)])
@pytest.mark.parametrize("null", [0.0, 1.0])
def test_estimates_that_do_not_differ_have_no_test(test: Any, null: float) -> None:
    with pytest.raises(EstimationError, match="do not differ at all") as raised:
        test(np.ones(4), null, 0.95)
    assert raised.value.findings[0].code == "no-positive-variance"


@pytest.mark.parametrize("method", ["conley-taber", "ferman-pinto"])
def test_paths_without_variation_have_no_test(toy: Make, method: Any) -> None:
    made = toy()
    design = make_design(made.panel, "y", made.policy)
    still = replace(design, y=design.unit.astype(float))
    with pytest.raises(EstimationError, match="do not differ at all"):
        few_treated(still, method, draws=99)


def test_groups_are_named_where_there_are_two_groupings(toy: Make) -> None:
    made = toy(units=48)
    frame = made.panel.frame
    half = frame["unit"].str.slice(1).cast(int) // 12
    panel = replace(made.panel, frame=frame.with_columns(half=half))
    design = make_design(panel, "y", made.policy, cluster=["half", "region"])
    with pytest.raises(EstimationError, match="several groupings"):
        few_treated(design, "sign-changes")
    named = few_treated(design, "sign-changes", groups="half")
    assert named.meta["groups"] == "half"
    by_unit = few_treated(design, "sign-changes", groups=np.arange(48) // 12)
    assert by_unit.meta["groups"] is None
    assert by_unit.p_value == named.p_value
