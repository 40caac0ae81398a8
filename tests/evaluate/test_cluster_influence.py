"""Leverage and influence of clusters, against fits that leave each cluster out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

from hinterland.errors import EstimationError
from hinterland.evaluate.balance import clusters_report
from hinterland.evaluate.cluster_influence import cluster_influence
from hinterland.evaluate.design import make_design
from hinterland.evaluate.estimate import fit

Make = Callable[..., Any]


@pytest.mark.parametrize("shape", ["balanced", "gaps and weights"])
def test_estimates_without_a_cluster_are_those_of_fits_without_it(toy: Make, shape: str) -> None:
    made = toy(units=36, drop=0.15, weight=True) if shape != "balanced" else toy(units=36)
    design = make_design(made.panel, "y", made.policy, covariates=["x", "z"], cluster="region")
    found = cluster_influence(design)
    codes = design.clusters[0].codes
    without = [fit(design.take(codes != g), "twfe", ssc="none").estimate[0] for g in range(design.clusters[0].size)]
    assert_allclose(found.estimate_without, without, rtol=1e-8)
    assert found.leverage.sum() == pytest.approx(3 + design.n_periods - 1)
    assert found.partial_leverage.sum() == pytest.approx(1)
    assert found.effective == pytest.approx(clusters_report(design).effective)
    assert found.effective == pytest.approx(fit(design, "twfe").meta["effective_clusters"])
    jackknife = np.sqrt(5 / 6 * ((found.estimate_without - found.estimate) ** 2).sum())
    assert found.std_errors["CR3"] == pytest.approx(jackknife)
    assert found.std_errors["cluster"] == pytest.approx(fit(design, "twfe").std_error[0])
    assert found.n_obs.sum() == design.n_obs and found.n_treated.sum() == design.treated.sum()


def test_tables(toy: Make) -> None:
    made = toy()
    found = cluster_influence(make_design(made.panel, "y", made.policy, cluster="region"))
    assert found.tidy()["cluster"].to_list() == [f"r{i}" for i in range(6)]
    summary = found.summary()
    assert summary["measure"].to_list() == ["n_obs", "leverage", "partial_leverage", "estimate_without"]
    assert summary.filter(summary["measure"] == "partial_leverage")["mean"][0] == pytest.approx(1 / 6)
    assert "6 clusters" in repr(found)


def test_a_cluster_that_holds_all_treated_units_is_named(toy: Make) -> None:
    made = toy(units=30, starts=(2004, None, None, None, None, None))
    design = make_design(made.panel, "y", made.policy, cluster="region")
    found = cluster_influence(design)
    assert np.isnan(found.estimate_without).tolist() == [True] + [False] * 5
    assert found.tidy()["estimate_without"].null_count() == 1
    assert [n.code for n in found.notes] == ["not-identified-without"]
    assert "'r0'" in str(found.notes[0])
    assert "not-identified-without" in [n.code for n in fit(design, "twfe", vcov="CR3").notes]


def test_one_grouping_only(toy: Make) -> None:
    made = toy()
    with pytest.raises(EstimationError) as caught:
        cluster_influence(make_design(made.panel, "y", made.policy, cluster=["region", "year"]))
    assert caught.value.findings[0].code == "not-defined"
