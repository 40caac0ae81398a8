from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest

from hinterland.data.cohorts import NEVER
from hinterland.data.world import simulate
from hinterland.errors import EstimationError, InputError, PanelError
from hinterland.evaluate.coding import parse_effect, period_codes
from hinterland.evaluate.design import make_design
from hinterland.labels import catalogue

Make = Callable[..., Any]


def test_codes_of_a_balanced_panel(toy: Make) -> None:
    made = toy(units=5, periods=4, starts=(2003, None))
    design = make_design(made.panel, "y", made.policy)
    assert design.balanced
    assert design.unit.tolist() == np.repeat(range(5), 4).tolist()
    assert design.period.tolist() == list(range(4)) * 5
    assert design.periods.tolist() == [2001, 2002, 2003, 2004]
    assert design.cohort.tolist() == [2003, NEVER, 2003, NEVER, 2003]
    assert design.treated.reshape(5, 4)[0].tolist() == [False, False, True, True]
    assert design.clusters[0].labels is not None
    assert design.clusters[0].labels.tolist() == design.unit_labels.tolist()


def test_codes_of_an_unbalanced_panel_follow_the_frame(toy: Make) -> None:
    made = toy(drop=0.3)
    design = make_design(made.panel, "y", made.policy, cluster="region", fe=["region^year", "z", "region[x]"])
    frame = made.panel.frame
    assert not design.balanced
    assert design.unit_labels[design.unit].tolist() == frame["unit"].to_list()
    assert design.periods[design.period].tolist() == frame["year"].to_list()
    region = design.clusters[0]
    assert region.labels is not None
    assert region.labels[region.codes].tolist() == frame["region"].to_list()
    cells, column, slope = design.fixed_effects
    assert cells.size == frame.select("region", "year").n_unique()
    assert frame.with_columns(code=pl.Series(cells.codes)).group_by("code").agg(pl.struct("region", "year").n_unique())["region"].max() == 1
    assert column.labels is not None
    assert column.labels[column.codes].astype(float).tolist() == frame["z"].to_list()
    assert slope.slope is not None
    assert slope.slope.tolist() == frame["x"].to_list()


def test_integer_and_text_codes_are_the_same_units(toy: Make, cohorts: Make) -> None:
    made = toy(units=6)
    panel = replace(made.panel, frame=made.panel.frame.with_columns(unit=pl.col("unit").str.slice(1).cast(pl.Int64) + 340100))
    policy = cohorts([str(340100 + i) for i in range(6)], [2004, None] * 3)
    assert make_design(panel, "y", policy).n_treated == 3


@pytest.mark.parametrize("missing", [None, float("nan")])
def test_missing_rows_are_left_out_and_counted(toy: Make, missing: float | None) -> None:
    made = toy(units=6, periods=4, starts=(2003, None))
    bad = (pl.col("unit") == "u001") | ((pl.col("unit") == "u002") & (pl.col("year") == 2002))
    panel = made.panel.with_columns(y=pl.when(bad).then(pl.lit(missing, dtype=pl.Float64)).otherwise("y"))
    design = make_design(panel, "y", made.policy)
    assert (design.n_obs, design.n_units, design.balanced) == (19, 5, False)
    assert design.unit_labels.tolist() == ["u000", "u002", "u003", "u004", "u005"]
    assert design.cohort.tolist() == [2003, 2003, NEVER, 2003, NEVER]
    missing_rows, gaps = design.notes
    cells = "u001, 2001; u001, 2002; u001, 2003; u001, 2004; u002, 2002"
    assert dict(missing_rows.values) == {"count": 5, "total": 24, "columns": "y (5)", "units": 1, "cells": cells}
    assert (gaps.code, gaps.values["units"]) == ("design-gaps", "'u002' (3)")


def test_missing_coordinates_cost_no_row(toy: Make) -> None:
    made = toy(units=6)
    frame = made.panel.frame.with_columns(lon=pl.when(pl.col("unit") == "u001").then(None).otherwise(104.0), lat=pl.lit(30.0))
    design = make_design(replace(made.panel, frame=frame, coordinates=("lon", "lat")), "y", made.policy)
    assert design.n_units == 6
    assert design.coordinates is not None
    assert np.isnan(design.coordinates[:, 0]).tolist() == [False, True, False, False, False, False]


def test_excluded_units_are_left_out_and_named(toy: Make) -> None:
    made = toy(units=6, periods=4, starts=(2003, None))
    table = made.policy.table.with_columns(excluded=pl.col("unit") == "u004")
    design = make_design(made.panel, "y", replace(made.policy, table=table))
    assert (design.n_units, design.n_treated) == (5, 2)
    assert design.notes[0].values == {"count": 1, "units": "'u004'"}


def test_units_outside_a_closed_table_leave_and_outside_an_open_one_are_never_treated(toy: Make) -> None:
    made = toy(units=6, periods=4, starts=(2003, None))
    table = made.policy.table.head(4)
    assert make_design(made.panel, "y", replace(made.policy, table=table)).n_units == 4
    assert make_design(made.panel, "y", replace(made.policy, table=table, closed=False)).cohort.tolist()[4:] == [NEVER, NEVER]


def test_adoption_after_the_window_is_never(toy: Make) -> None:
    made = toy(periods=4, starts=(2003, 2006, None))
    design = make_design(made.panel, "y", made.policy)
    assert design.cohorts.tolist() == [2003]
    assert design.dose[design.cohort == NEVER].max() == 0


def test_restriction_recodes_everything(toy: Make) -> None:
    made = toy(drop=0.2, weight=True)
    design = make_design(made.panel, "y", made.policy, covariates=["x"], cluster="region", fe=["region^year"])
    rows = (design.periods[design.period] <= 2005) & (design.unit % 3 != 0)
    smaller = design.take(rows)
    again = make_design(
        replace(made.panel, frame=made.panel.frame.filter(pl.Series(rows))),
        "y",
        made.policy,
        covariates=["x"],
        cluster="region",
        fe=["region^year"],
    )
    for name in ("unit", "period", "y", "cohort", "dose", "weight", "covariates", "periods", "unit_labels", "balanced"):
        np.testing.assert_array_equal(getattr(smaller, name), getattr(again, name), err_msg=name)
    for ours, theirs in zip((*smaller.clusters, *smaller.fixed_effects), (*again.clusters, *again.fixed_effects), strict=True):
        np.testing.assert_array_equal(ours.codes, theirs.codes)
        assert ours.size == theirs.size


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"y": pl.lit(1.0)}, "constant-outcome"),
        ({"y": pl.lit(float("inf"))}, "infinite-outcome"),
        ({"y": pl.lit(None, dtype=pl.Float64)}, "empty-sample"),
        ({"w": pl.lit(-1.0)}, "bad-weight"),
    ],
)
def test_impossible_samples_are_findings(toy: Make, change: dict[str, pl.Expr], code: str) -> None:
    made = toy(weight=True)
    with pytest.raises(EstimationError) as caught:
        make_design(made.panel.with_columns(**change), "y", made.policy)
    assert code in [f.code for f in caught.value.findings]


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"comparison": "never"}, "unknown-comparison"),
        ({"anticipation": -1}, "negative-anticipation"),
        ({"fe": ["region^"]}, "malformed-fixed-effect"),
        ({"fe": ["region[year"]}, "malformed-fixed-effect"),
        ({"cluster": "provnce"}, "unknown-column"),
        ({"covariates": ["gdp"]}, "unknown-column"),
        ({"fe": ["unit[region]"]}, "not-numeric"),
    ],
)
def test_bad_options_are_findings(toy: Make, options: dict[str, Any], code: str) -> None:
    made = toy()
    with pytest.raises(InputError) as caught:
        make_design(made.panel, "y", made.policy, **options)
    assert caught.value.findings[0].code == code


def test_nobody_treated_and_everybody_always_treated(toy: Make) -> None:
    for starts, code in (((None,), "nobody-treated"), ((1999,), "all-always-treated")):
        made = toy(starts=starts)
        with pytest.raises(EstimationError) as caught:
            make_design(made.panel, "y", made.policy)
        assert caught.value.findings[0].code == code


def test_text_outcome_is_a_finding(toy: Make) -> None:
    made = toy()
    with pytest.raises(PanelError, match="holds String"):
        make_design(made.panel, "region", made.policy)


def test_effects_are_parsed() -> None:
    assert parse_effect("province ^ year") == (("province", "year"), None)
    assert parse_effect("city[year]") == (("city",), "year")


def test_periods_far_apart_are_coded() -> None:
    labels, codes, balanced = period_codes(np.array([1, 10**12, 1, 5]), np.array([0, 2, 3]))
    assert (labels.tolist(), codes.tolist(), balanced) == ([1, 5, 10**12], [0, 2, 0, 1], False)


def test_notes_read_the_same_in_both_languages() -> None:
    english, chinese = catalogue("en"), catalogue("zh")
    assert set(english) == set(chinese)
    assert "note.rows-missing" in english


def test_one_cluster_is_no_inference() -> None:
    world = simulate()
    panel = world.panel.with_columns(country=pl.lit("CN"))
    with pytest.raises(EstimationError) as caught:
        make_design(panel, "ln_inventions", world.policy, cluster="country")
    assert [f.code for f in caught.value.findings] == ["one-cluster"]


def test_a_formula_that_another_library_refuses_is_one_plain_line() -> None:
    world = simulate()
    with pytest.raises(EstimationError) as caught:
        make_design(world.panel, "ln_inventions", world.policy, covariates="~ ln_gdp_pc +* share2")
    assert "\n" not in caught.value.findings[0].what
    assert "\x1b" not in caught.value.findings[0].what


@pytest.mark.parametrize(("treated", "note"), [(1, True), (2, False)])
def test_one_treated_unit_is_said(toy: Make, cohorts: Make, treated: int, note: bool) -> None:
    made = toy(20)
    first = [2004] * treated + [None] * (20 - treated)
    design = make_design(made.panel, "y", cohorts([f"u{i:03d}" for i in range(20)], first))
    said = [n for n in design.notes if n.code == "design-one-treated-unit"]
    assert bool(said) is note
    assert not note or (said[0].values == {"unit": "u000", "cohort": 2004} and "u000" in str(said[0]))
