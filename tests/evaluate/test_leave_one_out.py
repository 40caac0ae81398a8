"""Leaving out units, clusters, cohorts and zones: subtraction gives what another fit gives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from hinterland.errors import EstimationError
from hinterland.evaluate.design import make_design
from hinterland.evaluate.estimate import fit
from hinterland.evaluate.leave_one_out import leave_one_out


@pytest.mark.parametrize("cluster", [None, "region"])
@pytest.mark.parametrize("by", ["unit", "cluster", "cohort", "region"])
@pytest.mark.parametrize("shape", [{}, {"drop": 0.1, "weight": True}])
def test_subtraction_is_another_fit(toy: Any, cluster: Any, by: str, shape: Any) -> None:
    data = toy(**shape)
    design = make_design(data.panel, "y", data.policy, covariates=["x", "z"], cluster=cluster, columns=["region"])
    quick = leave_one_out(design, by)
    # An option that changes nothing sends the estimator down the path of refitting.
    slow = leave_one_out(design, by, vcov="cluster")
    assert quick.frame["group"].to_list() == slow.frame["group"].to_list()
    assert quick.frame["estimate"].to_numpy() == pytest.approx(slow.frame["estimate"].to_numpy(), rel=1e-9)
    assert quick.frame["std_error"].to_numpy() == pytest.approx(slow.frame["std_error"].to_numpy(), rel=1e-9)
    assert quick.estimate == pytest.approx(fit(design, "twfe").estimate[0])
    assert quick.notes[-1].code.startswith("leave-out")


def test_other_estimators_are_fitted_again(toy: Any) -> None:
    data = toy(units=60)
    design = make_design(data.panel, "y", data.policy, columns=["region"])
    found = leave_one_out(design, "region", method="callaway-santanna")
    rows = design.columns["region"] != "r0"
    again = fit(design.take(rows), "callaway-santanna").aggregate("overall")
    assert found.frame["estimate"][0] == pytest.approx(again.estimate[0])
    assert found.frame["std_error"][0] == pytest.approx(again.std_error[0])


def test_extra_fixed_effects_are_fitted_again(toy: Any) -> None:
    data = toy(units=60)
    design = make_design(data.panel, "y", data.policy, fe=["region^year"], columns=["region"])
    found = leave_one_out(design, "cohort")
    kept = fit(design.take(design.cohort[design.unit] != 2004), "twfe")
    assert found.frame["estimate"][0] == pytest.approx(kept.estimate[0])


def test_groups_that_cannot_be_left_out(toy: Any) -> None:
    data = toy(units=12, starts=(2004, None, None))
    design = make_design(data.panel, "y", data.policy, columns=["region"])
    found = leave_one_out(design, "unit")
    assert found.frame["estimate"].null_count() == 0
    one = toy(units=4, starts=(2004, None, None, None))
    design = make_design(one.panel, "y", one.policy)
    found = leave_one_out(design, "unit")
    assert found.frame["estimate"].null_count() == 1
    assert "leave-out-undefined" in {n.code for n in found.notes}


def test_what_is_refused(toy: Any) -> None:
    data = toy(units=20, starts=(2004, None))
    design = make_design(data.panel, "y", data.policy, columns=["x"])
    for by, code in (("zone", "not-a-group"), ("x", "not-a-group"), ("cohort", "nothing-to-leave-out")):
        with pytest.raises(EstimationError) as caught:
            leave_one_out(design, by)
        assert caught.value.findings[0].code == code


def test_order_of_units_does_not_matter(toy: Any) -> None:
    data = toy(units=24, seed=5)
    first = leave_one_out(make_design(data.panel, "y", data.policy), "unit").frame
    from hinterland.data.panel import Panel

    renamed = data.panel.frame.with_columns(unit=("v" + (999 - data.panel.frame["unit"].str.slice(1).cast(int)).cast(str))).sort(
        "unit", "year"
    )
    policy = data.policy.table.with_columns(unit="v" + (999 - data.policy.table["unit"].str.slice(1).cast(int)).cast(str))
    from dataclasses import replace

    second = leave_one_out(make_design(Panel(renamed, "unit", "year"), "y", replace(data.policy, table=policy)), "unit").frame
    assert np.sort(first["estimate"].to_numpy()) == pytest.approx(np.sort(second["estimate"].to_numpy()))
