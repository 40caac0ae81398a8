from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

from hinterland.errors import EstimationError
from hinterland.evaluate.coding import Factor
from hinterland.evaluate.design import make_design
from hinterland.evaluate.estimate import fit
from hinterland.evaluate.vcov import RULES, Ssc, cluster_sums, intersect, is_nested, resolve_ssc

Make = Callable[..., Any]


def _factor(*codes: int) -> Factor:
    return Factor("f", np.array(codes, dtype=np.int32), max(codes) + 1)


def test_rules_by_name_table_and_object() -> None:
    assert resolve_ssc("reghdfe") == resolve_ssc({"k_exact": True}) == resolve_ssc(Ssc(k_exact=True))
    assert str(RULES["reghdfe"]) == "reghdfe"
    assert str(Ssc(g_adj=False)) == "g_adj=False"


@pytest.mark.parametrize("rule", ["fixset", {"k_fixed": "full"}, {"k_fixef": "all"}, Ssc(t_df="max")])
def test_unknown_rules_are_findings(rule: Any) -> None:
    with pytest.raises(EstimationError) as caught:
        resolve_ssc(rule)
    assert caught.value.findings[0].code == "unknown-value"


def test_nesting() -> None:
    assert is_nested(_factor(0, 0, 1, 1, 2, 2), _factor(0, 0, 1, 1, 1, 1))
    assert not is_nested(_factor(0, 0, 1, 1, 2, 2), _factor(0, 1, 1, 1, 1, 1))
    assert intersect([_factor(0, 0, 1, 1), _factor(0, 1, 0, 0)]).codes.tolist() == [0, 1, 2, 2]


def test_sums_do_not_depend_on_the_order_of_rows() -> None:
    rng = np.random.default_rng(0)
    x, u, codes = rng.normal(size=(50, 2)), rng.normal(size=50), np.sort(rng.integers(0, 7, 50)).astype(np.int32)
    shuffled = rng.permutation(50)
    assert_allclose(
        cluster_sums(x, u, Factor("c", codes, 7)),
        cluster_sums(x[shuffled], u[shuffled], Factor("c", codes[shuffled], 7)),
        atol=1e-13,
    )


@pytest.mark.parametrize("method", ["twfe", "event-study"])
@pytest.mark.parametrize("ssc", RULES)
def test_influence_reproduces_the_one_way_covariance(toy: Make, method: str, ssc: str) -> None:
    made = toy(drop=0.2, weight=True)
    design = make_design(made.panel, "y", made.policy, covariates=["x"], cluster="region")
    effects = fit(design, method, ssc=ssc)
    assert_allclose(effects.influence.T @ effects.influence, effects.vcov, atol=1e-15)
    assert effects.clusters.tolist() == [f"r{i}" for i in range(6)]
    assert effects.df == 5


def test_influence_is_by_the_first_cluster_under_other_covariances(toy: Make) -> None:
    made = toy()
    one = fit(make_design(made.panel, "y", made.policy, cluster="region"), "twfe", ssc="none")
    two = fit(make_design(made.panel, "y", made.policy, cluster=["region", "year"]), "twfe", ssc="none")
    assert_allclose(one.influence, two.influence)
    assert one.vcov[0, 0] != two.vcov[0, 0]
    assert two.meta["cluster"] == "region + year"
    assert two.meta["n_clusters"] == 6


def test_indefinite_two_way_covariance_is_repaired_and_said(toy: Make) -> None:
    found = False
    for seed in range(6):
        made = toy(units=12, periods=6, seed=seed, starts=(2003, 2004, 2005, None))
        effects = fit(make_design(made.panel, "y", made.policy, cluster=["region", "year"]), "event-study")
        assert np.linalg.eigvalsh(effects.vcov).min() > -1e-10
        found |= any(n.code == "negative-variance" for n in effects.notes)
    assert found


def test_no_degrees_of_freedom_is_a_finding(toy: Make) -> None:
    made = toy(units=3, periods=2, starts=(2002, None, None))
    with pytest.raises(EstimationError) as caught:
        fit(make_design(made.panel, "y", made.policy, covariates=["x"]), "twfe", vcov="iid")
    assert caught.value.findings[0].code == "no-degrees-of-freedom"
