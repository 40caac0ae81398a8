"""Interacted regressions against pyfixest 0.60.0 and linearmodels 7.1 on the toy panel (48 units × 8 years, seed 0; numpy 2.4.6).

Units are in two groups in turn (number // 4 mod 2). With d0, d1 the treatment in each group and x0, x1 the covariate in each::

    group   feols("y ~ d0 + d1 + x0 + x1 | unit + g^year", vcov={"CRV1": cluster})
    common  feols("y ~ d0 + d1 + x | unit + year", vcov={"CRV1": cluster})
    poisson fepois("count ~ d0 + d1 | unit + g^year"), and "| unit + year", iwls_tol=1e-12

Each row: the two effects, their standard errors, and that of their difference, from the covariance of the two.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.testing import assert_allclose

from hinterland.evaluate.design import make_design
from hinterland.evaluate.heterogeneity_groups import GroupFits, codes_of, fit_groups
from hinterland.evaluate.heterogeneity_interaction import PeriodEffects, interact

Make = Callable[..., Any]
DATA: dict[str, dict[str, Any]] = {"balanced": {}, "gaps": {"drop": 0.1}, "weights": {"weight": True}}
PYFIXEST = {
    ("balanced", "group", "unit"): (0.48671139429, 0.279250943836, 0.234376079332, 0.274841387074, 0.361206221723),
    ("balanced", "common", "unit"): (0.355015528513, 0.389949120767, 0.212888676783, 0.245814045799, 0.296974139463),
    ("balanced", "group", "region"): (0.48671139429, 0.279250943836, 0.355802206374, 0.293733509091, 0.442279893972),
    ("balanced", "common", "region"): (0.355015528513, 0.389949120767, 0.315269564209, 0.264177049031, 0.370257876255),
    ("gaps", "group", "unit"): (0.667209219527, 0.229381188874, 0.236181874243, 0.301702117504, 0.383152770351),
    ("gaps", "common", "unit"): (0.495727652931, 0.396193233103, 0.220102788809, 0.260799285903, 0.304156449638),
    ("gaps", "group", "region"): (0.667209219527, 0.229381188874, 0.337877329733, 0.349861878447, 0.542742332371),
    ("gaps", "common", "region"): (0.495727652931, 0.396193233103, 0.301936730469, 0.298439070773, 0.422861077567),
    ("weights", "group", "unit"): (0.323911088988, 0.438049106207, 0.246514817865, 0.304451363472, 0.391739949644),
    ("weights", "common", "unit"): (0.198329004229, 0.514974775363, 0.230534853939, 0.267209761459, 0.320901620492),
    ("weights", "group", "region"): (0.323911088988, 0.438049106207, 0.34944363648, 0.329397191437, 0.485953635639),
    ("weights", "common", "region"): (0.198329004229, 0.514974775363, 0.350064320092, 0.256755182916, 0.436629606421),
}
FEPOIS = {
    "group": (-0.00930800828869, 0.200202078234, 0.236474347923, 0.185279565036, 0.300414104938),
    "common": (0.0992887354332, 0.0840613511503, 0.222060626428, 0.175521712171, 0.251238742611),
}
LINEARMODELS = 0.3870582093287589
"""PanelOLS(y, [d0, d1, x0, x1], entity_effects=True, other_effects=g × year), clustered by entity with debiased and group_debias."""


def made(toy: Make, kind: str, cluster: str, method: str = "twfe") -> GroupFits:
    data = toy(units=48, **DATA[kind])
    covariates = None if method == "ppml" else "~ x"
    design = make_design(data.panel, "count" if method == "ppml" else "y", data.policy, covariates=covariates, cluster=cluster)
    groups = pl.DataFrame({"unit": design.unit_labels, "group": [f"g{int(str(u)[1:]) // 4 % 2}" for u in design.unit_labels]})
    return fit_groups(design, *codes_of(design, groups), method, {})


def told(fits: GroupFits, method: str, periods: PeriodEffects) -> tuple[float, ...]:
    found = interact(fits, method, {}, periods)
    v = found.vcov
    return (*found.estimate, *np.sqrt(np.diag(v)), float(np.sqrt(v[0, 0] + v[1, 1] - 2 * v[0, 1])))


@pytest.mark.parametrize(("kind", "periods", "cluster"), PYFIXEST)
def test_pyfixest(toy: Make, kind: str, periods: PeriodEffects, cluster: str) -> None:
    """Both demean iteratively or exactly to about 1e-10; values are given to 12 digits."""
    fits = made(toy, kind, cluster)
    assert_allclose(told(fits, "twfe", periods), PYFIXEST[kind, periods, cluster], rtol=1e-7)


@pytest.mark.parametrize("periods", FEPOIS)
def test_pyfixest_poisson(toy: Make, periods: PeriodEffects) -> None:
    """Effects agree to the convergence of both (1e-6); pyfixest drops (n − 1)/(n − K) of no fit, as here."""
    assert_allclose(told(made(toy, "balanced", "unit", "ppml"), "ppml", periods), FEPOIS[periods], rtol=1e-5, atol=1e-7)


def test_linearmodels(toy: Make) -> None:
    """It counts every level in K (67 with the effects), where fixest counts units nested in clusters once (20): the factor is the only difference."""
    fits = made(toy, "balanced", "unit")
    rows = fits.design.n_obs
    assert_allclose(told(fits, "twfe", "group")[-1] * np.sqrt((rows - 20) / (rows - 67)), LINEARMODELS, rtol=1e-8)
