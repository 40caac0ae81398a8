from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.testing import assert_allclose

from hinterland.errors import EstimationError
from hinterland.evaluate.bacon import bacon
from hinterland.evaluate.design import Design, make_design
from hinterland.evaluate.estimate import fit

Make = Callable[..., Any]


def _design(made: Any, **options: Any) -> Design:
    return make_design(made.panel, "y", made.policy, **options)


@pytest.mark.parametrize(
    "starts",
    [
        (2004, 2006, None),
        (2004, 2006),  # nobody is never treated
        (2001, 2004, 2006, None),  # always treated
        (2001, 2005),  # always treated and one cohort
        (2003, None),
        (2002, 2008, 2004, 2003),
    ],
)
@pytest.mark.parametrize("covariates", [None, "~ x + z"])
def test_weighted_average_is_the_twfe_coefficient(toy: Make, starts: tuple[int | None, ...], covariates: str | None) -> None:
    design = _design(toy(starts=starts), covariates=covariates)
    result = bacon(design)
    expected = fit(design, "twfe").estimate[0]
    assert_allclose(result.estimate, expected, rtol=1e-10, atol=1e-12)
    assert_allclose(result.table["weight"].sum(), 1.0, atol=1e-12)
    assert (result.table["weight"] >= 0).all()
    assert_allclose((result.summary()["weight"] * result.summary()["average"]).sum(), expected, rtol=1e-10, atol=1e-12)


def test_each_2x2_equals_its_own_regression(toy: Make) -> None:
    made = toy(starts=(2001, 2004, 2006, None))
    design = _design(made)
    table = bacon(design).table
    assert set(table["type"]) == {"earlier-vs-later", "later-vs-earlier", "treated-vs-never", "treated-vs-always"}
    start = {2001: 0, 2004: 3, 2006: 5, None: 8}
    for row in table.iter_rows(named=True):
        own, other = start[row["treated"]], start[row["control"]]
        units = np.isin(design.cohort, [g for g in (row["treated"], row["control"]) if g is not None])
        units |= (row["control"] is None) & (design.cohort > 2008)
        first, last = (other, 8) if other < own else (0, other)
        rows = units[design.unit] & (design.period >= first) & (design.period < last)
        treated = (design.period >= own) & (design.cohort[design.unit] == row["treated"])
        assert_allclose(row["estimate"], _two_way(design.y[rows], treated[rows], design.unit[rows], design.period[rows]), rtol=1e-10)


def _two_way(y: np.ndarray, d: np.ndarray, unit: np.ndarray, period: np.ndarray) -> float:
    dummies = [np.equal.outer(codes, np.unique(codes)).astype(float) for codes in (unit, period)]
    return float(np.linalg.lstsq(np.column_stack([d, *dummies]), y, rcond=None)[0][0])


def test_covariates_constant_within_units_change_nothing(toy: Make) -> None:
    made = toy()
    panel = made.panel.with_columns(pl.col("x").mean().over("unit").alias("fixed"))
    plain, adjusted = bacon(_design(made)), bacon(make_design(panel, "y", made.policy, covariates="~ fixed"))
    assert plain.table.equals(adjusted.table)
    assert adjusted.omega == 0


def test_unbalanced_panel_decomposes_the_complete_units_and_says_so(toy: Make) -> None:
    made = toy(units=80, drop=0.04)
    design = _design(made)
    result = bacon(design)
    complete = design.take((np.bincount(design.unit) == design.n_periods)[design.unit])
    assert_allclose(result.estimate, fit(complete, "twfe").estimate[0], rtol=1e-10)
    assert_allclose(result.full_estimate, fit(design, "twfe").estimate[0], rtol=1e-10)
    assert result.n_left_out == design.n_units - complete.n_units > 0
    assert {n.code for n in result.notes} >= {"bacon-balanced-part", "bacon-full-sample"}
    assert str(result.n_left_out) in result.notes[0].text("en")
    assert str(result.n_left_out) in result.notes[0].text("zh")


def test_already_treated_share_is_reported(toy: Make) -> None:
    result = bacon(_design(toy(starts=(2001, 2004, 2006, None))))
    share = result.table.filter(pl.col("type").is_in(["later-vs-earlier", "treated-vs-always"]))["weight"].sum()
    assert result.already_treated_share == share > 0
    assert next(n for n in result.notes if n.code == "bacon-already-treated").values["share"] == share


def test_what_it_is_not_defined_on(toy: Make, cohorts: Make) -> None:
    made = toy(weight=True)
    with pytest.raises(EstimationError) as error:
        bacon(_design(made, fe=["region^year"]))
    assert len(error.value.findings) == 2
    with pytest.raises(EstimationError, match="nothing to compare"):
        bacon(_design(toy(starts=(2004,))))
    sparse = toy(units=6)
    gaps = sparse.panel.filter(pl.col("year") != 2001 + pl.col("unit").str.slice(3).cast(pl.Int64))
    with pytest.raises(EstimationError, match="no unit is observed in every period"):
        bacon(make_design(gaps, "y", sparse.policy))
    names = [f"u{i:03d}" for i in range(40)]
    partial = cohorts(names, [2004 if i % 2 else None for i in range(40)], [0.5] * 40)
    with pytest.raises(EstimationError, match="partial coverage"):
        bacon(make_design(toy().panel, "y", partial))
