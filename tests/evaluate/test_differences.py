"""The difference between two estimates, against a stacked regression and in simulation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.testing import assert_allclose

import hinterland as hl
from hinterland.data.panel import Panel
from hinterland.evaluate.design import make_design
from hinterland.evaluate.differences import difference
from hinterland.evaluate.estimate import fit

Make = Callable[..., Any]


@pytest.mark.parametrize("cluster", ["unit", "region"])
def test_it_is_that_of_a_stacked_regression(toy: Make, cluster: str) -> None:
    """Two copies of the data, unit and period effects by copy, clustered by the original cluster: what Stata's suest computes."""
    made = toy(units=48)
    panel = made.panel
    if cluster == "unit":
        panel = panel.with_columns(region=pl.col("unit"))
    small = panel.filter((pl.col("year") < 2008) & (pl.col("unit") < "u040"))
    one, two = (hl.estimate(p, "y", made.policy, method="twfe", cluster="region", ssc="none") for p in (small, panel))
    found = difference(one, two)
    starts = dict(made.policy.table.select("unit", "cohort").iter_rows())

    def copy(p: Panel, name: str) -> pl.DataFrame:
        first = pl.col("unit").replace_strict(starts, return_dtype=pl.Int64)
        on = (pl.col("year") >= first).fill_null(False).cast(pl.Float64)
        return p.frame.with_columns(on.alias("d"), pl.lit(name).alias("copy"), group="region", unit=pl.col("unit") + name)

    stacked = pl.concat([copy(small, "a"), copy(panel, "b")]).with_columns(gap=pl.col("d") * (pl.col("copy") == "a"))
    policy = hl.adoption(
        both := Panel(
            stacked.with_columns(first=pl.col("unit").str.head(4).replace_strict(starts, return_dtype=pl.Int64)).sort("unit", "year"),
            "unit",
            "year",
        ),
        "first",
        never=(None,),
    )
    joint = hl.estimate(both, "y", policy, method="twfe", covariates=["gap"], fe=["copy^year"], cluster="group", ssc="none")
    place = joint.terms.name.index("gap")
    assert_allclose([found.estimate, found.std_error], [joint.estimate[place], joint.std_error[place]], rtol=1e-9)


def test_what_cannot_be_compared_says_why(toy: Make) -> None:
    made = toy(units=48)

    def twfe(**options: Any) -> Any:
        return hl.estimate(made.panel, "y", made.policy, method="twfe", **options)

    base = twfe()
    assert difference(base, base).reason == "no-difference"
    assert difference(twfe(cluster="region"), base).reason == "clusters-differ"
    assert difference(twfe(cluster=["unit", "region"]), base).reason == "not-from-influence"
    assert difference(twfe(vcov="CR2"), base).reason == "not-from-influence"
    other = difference(hl.estimate(made.panel, "y", made.policy).aggregate("overall"), base)
    assert other.reason == ""
    assert 0 < other.std_error < 2 * base.std_error[0]
    assert 0 < other.p_value < 1


def test_a_result_of_several_terms_is_compared_by_its_first(toy: Make) -> None:
    made = toy(units=48)
    one, two = (hl.estimate(made.panel, "y", made.policy, method="twfe", covariates=c) for c in ("~ x", None))
    assert difference(one, two) == difference(one.take(np.array([0])), two)


@pytest.mark.validate
def test_the_size_of_a_true_zero_difference(toy: Make, validated: Any) -> None:
    """Effects are the same everywhere, so leaving out a third of the units, or another estimator, changes nothing in truth."""
    draws, level = 1000, 0.05
    p: dict[str, list[float]] = {"sample": [], "estimator": []}
    for seed in range(draws):
        made = toy(units=90, periods=6, seed=seed, effect=0.0, starts=(2003, 2005, None))
        panel = made.panel.with_columns(pl.Series("e", np.random.default_rng(seed).normal(size=made.panel.frame.height)))
        design = make_design(panel, "e", made.policy)
        part = design.take(np.array([int(u[1:]) % 9 < 6 for u in design.unit_labels])[design.unit])
        whole = fit(design, "callaway-santanna").aggregate("overall")
        p["sample"].append(difference(fit(part, "callaway-santanna").aggregate("overall"), whole).p_value)
        p["estimator"].append(difference(fit(design, "twfe").take(np.array([0])), whole).p_value)
    for change, values in p.items():
        simulated = validated("tests", "difference to the baseline", "90 units × 6 periods, 60 treated", seed=0, variant=f"other {change}")
        simulated.size(np.array(values) < level)
