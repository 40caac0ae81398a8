from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.testing import assert_allclose

import hinterland as hl
from hinterland.data.adoption import adoption_from_treatment
from hinterland.errors import EstimationError
from hinterland.evaluate.balance import balance_table, clusters_report, comparison_counts, support
from hinterland.evaluate.design import make_design
from hinterland.evaluate.diagnose import Diagnosis, diagnose
from hinterland.evaluate.estimate import fit
from hinterland.evaluate.negative_weights import cell_weights
from hinterland.labels import LANGUAGES

Make = Callable[..., Any]


def _codes(found: Diagnosis) -> set[str]:
    return {n.code for n in found.notes}


def test_everything_is_there_and_speaks_both_languages(toy: Make) -> None:
    made = toy(units=80)
    found = hl.diagnose(made.panel, "y", made.policy, covariates="~ x + z", comparison="not-yet-treated")
    assert found.bacon is not None
    assert found.weights is not None
    assert [(t.method, t.aggregation) for t in found.pretrends] == [
        ("event-study", "event-time"),
        ("callaway-santanna", "event-time"),
        ("callaway-santanna", "group-time"),
    ]
    assert found.balance["variable"].to_list() == ["y", "x", "z"]
    assert all(note.text(language) for note in found.notes for language in LANGUAGES)
    tidy = found.tidy()
    assert tidy.columns == ["diagnostic", "measure", "value"]
    assert_allclose(tidy.filter(pl.col("measure").str.starts_with("weight "))["value"].sum(), 1)


def test_support_and_comparison_counts_add_up(toy: Make) -> None:
    made = toy(units=60, drop=0.1, starts=(2001, 2004, 2006, None))
    design = make_design(made.panel, "y", made.policy, comparison="not-yet-treated", anticipation=1)
    counts = comparison_counts(design)
    assert sum(counts.drop("time").sum().row(0)) == design.n_obs
    assert counts["n_treated"].sum() == design.treated.sum()
    row = counts.row(2, named=True)  # 2003: cohort 2004 may react already
    in_2003 = design.cohort[design.unit[design.periods[design.period] == 2003]]
    assert row["n_anticipating"] == (in_2003 == 2004).sum() > 0
    assert row["n_not_yet"] == (in_2003 == 2006).sum()
    reach = support(design)
    assert reach["n_units"].sum() == (design.cohort[design.unit] < 9000).sum()
    assert set(reach.filter(pl.col("cohort") == 2001)["event_time"]) == set(range(8))


def test_cell_weights_reproduce_the_coefficient_under_known_effects(toy: Make) -> None:
    for options in ({}, {"covariates": "~ x"}, {"fe": ["region^year"]}):
        made = toy(units=60, weight=True, drop=0.05, starts=(2002, 2004, 2006, None))
        design = make_design(made.panel, "y", made.policy, **options)
        w = cell_weights(design)
        assert_allclose(w.estimate, fit(design, "twfe").estimate[0], rtol=1e-9)
        assert_allclose(w.table["weight"].sum(), 1)
        effects = np.random.default_rng(0).normal(size=w.table.height)
        truth = made.panel.frame["y"].to_numpy() * 0
        truth[design.treated] = effects
        known = made.panel.with_columns(y=pl.Series(truth))
        # Without noise the coefficient is the weighted sum of the effects, plus nothing.
        coefficient = fit(make_design(known, "y", made.policy, **options), "twfe").estimate[0]
        assert_allclose(coefficient, w.table["weight"].to_numpy() @ effects, rtol=1e-8)


@pytest.mark.parametrize("levels", [2, 3])
def test_cell_weights_of_a_treatment_that_is_switched_off_again(toy: Make, levels: int) -> None:
    made = toy(units=60, weight=True, drop=0.05, starts=(2002, 2004, 2006, None))
    level = np.random.default_rng(1).integers(0, levels, made.panel.frame.height).astype(float)
    panel = made.panel.with_columns(d=pl.Series(level))
    policy = adoption_from_treatment(panel, "d", reversible=True)
    w = cell_weights(make_design(panel, "y", policy))
    effects = np.random.default_rng(0).normal(size=w.table.height)
    truth = np.zeros(len(level))
    truth[level > 0] = level[level > 0] * effects
    known = panel.with_columns(y=pl.Series(truth))
    assert_allclose(fit(make_design(known, "y", policy), "twfe").estimate[0], w.table["weight"].to_numpy() @ effects, rtol=1e-8)


def test_balance_is_the_normalised_difference_before_the_first_adoption(toy: Make) -> None:
    made = toy(units=60, starts=(2001, 2004, 2006, None))
    design = make_design(made.panel, "y", made.policy, covariates=["x"])
    before = made.panel.frame.filter(pl.col("year") < 2004).group_by("unit").agg(pl.col("x").mean()).sort("unit")["x"].to_numpy()
    group = np.arange(60) % 4
    treated, never = before[(group == 1) | (group == 2)], before[group == 3]
    expected = (treated.mean() - never.mean()) / np.sqrt((treated.var(ddof=1) + never.var(ddof=1)) / 2)
    assert_allclose(balance_table(design).row(1, named=True)["normalised_difference"], expected)


def test_effective_clusters(toy: Make) -> None:
    even = toy(units=40, starts=(2005, None))
    report = clusters_report(make_design(even.panel, "y", even.policy))
    assert (report.n_clusters, report.n_treated) == (40, 20)
    assert_allclose(report.effective, 40)  # half treated, all on one path: every cluster carries the same information
    lone = toy(units=40, starts=(2005, *[None] * 39))
    assert clusters_report(make_design(lone.panel, "y", lone.policy)).effective < 2


def test_notes_follow_from_the_data(toy: Make) -> None:
    few = toy(units=60, starts=(2004, 2006, *[None] * 28))
    found = diagnose(few.panel, "y", few.policy)
    assert {"few-treated-clusters", "effective-clusters", "prefer-robust", "bacon-already-treated"} <= _codes(found)
    assert found.notes[[n.code for n in found.notes].index("few-treated-clusters")].values["treated"] == 4
    one = toy(units=60, starts=(2004, None))
    plain = diagnose(one.panel, "y", one.policy)
    assert {"one-cohort", "no-negative-weights"} <= _codes(plain)
    assert not {"few-treated-clusters", "prefer-robust", "bacon-already-treated"} & _codes(plain)
    count = diagnose(one.panel, "count", one.policy, covariates="~ x")
    assert "count-outcome" in _codes(count)
    far = one.panel.with_columns(x=pl.col("x") + 3.0 * (pl.col("unit").str.slice(1).cast(pl.Int64) % 2 == 0))
    note = next(n for n in diagnose(far, "y", one.policy, covariates="~ x").notes if n.code == "unbalanced-covariates")
    assert str(note.values["names"]).startswith("x (+")


def test_what_is_not_defined_is_named_not_hidden(toy: Make) -> None:
    weighted = toy(weight=True)
    found = diagnose(weighted.panel, "y", weighted.policy)
    assert found.bacon is None
    assert found.weights is not None
    missing = [n for n in found.notes if n.code == "diagnostic-unavailable"]
    assert [n.values["name"] for n in missing] == ["Goodman-Bacon decomposition"]
    assert "weights" in missing[0].text("en")
    early = toy(starts=(2002, None))  # one period before adoption: no lead to test
    assert not diagnose(early.panel, "y", early.policy).pretrends
    with pytest.raises(EstimationError, match="never varies"):
        diagnose(early.panel.with_columns(y=pl.lit(1.0)), "y", early.policy)
