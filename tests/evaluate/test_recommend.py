from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest

import hinterland as hl
from hinterland.data.cohorts import Cohorts
from hinterland.data.panel import Panel
from hinterland.evaluate.design import make_design
from hinterland.evaluate.diagnose import Diagnosis
from hinterland.evaluate.recommend import Recommendation, outcome_kind
from hinterland.labels import LANGUAGES

Make = Callable[..., Any]


def first(found: Diagnosis, kind: str, role: str) -> Recommendation:
    return next(r for r in found.recommendations if r.kind == kind and r.role == role)


def reasons(found: Diagnosis) -> set[str]:
    return {r.reason.code for r in found.recommendations}


def test_staggered_adoption_leads_with_group_time_effects_and_not_with_twfe(toy: Make) -> None:
    made = toy(units=120, starts=(2003, 2005, 2007, None), effect=2.0)
    found = hl.diagnose(made.panel, "y", made.policy)
    assert first(found, "estimator", "headline").id == "callaway-santanna"
    twfe = next(r for r in found.recommendations if r.id == "twfe")
    assert found.weights is not None
    assert twfe.role == ("avoid" if found.weights.n_negative else "beside")
    assert {"relative-magnitude", "pretrend-power"} <= {r.id for r in found.recommendations if r.kind == "sensitivity"}


def test_one_cohort_lets_twfe_stand_beside(toy: Make) -> None:
    made = toy(units=60, starts=(2005, None))
    found = hl.diagnose(made.panel, "y", made.policy)
    assert {"recommend-one-cohort", "recommend-one-cohort-twfe"} <= reasons(found)


def test_nobody_untreated_for_ever_asks_for_not_yet_treated(toy: Make) -> None:
    made = toy(units=60, starts=(2003, 2005, 2007))
    with pytest.warns(hl.HinterlandWarning, match="treated in the end"):
        found = hl.diagnose(made.panel, "y", made.policy, comparison="not-yet-treated")
    assert {"recommend-no-never", "recommend-no-never-last", "recommend-random-timing"} <= reasons(found)


def test_few_treated_clusters_ask_for_randomisation(toy: Make) -> None:
    made = toy(units=60, starts=(2005, *[None] * 19))
    found = hl.diagnose(made.panel, "y", made.policy)
    assert first(found, "inference", "instead").id == "randomisation-inference"
    assert first(found, "inference", "avoid").id == "wild-cluster-bootstrap"


def test_few_clusters_ask_for_the_wild_bootstrap(toy: Make) -> None:
    made = toy(units=240, starts=(2005, None, 2006, None, None))
    frame = made.panel.frame.with_columns(province=pl.col("unit").str.slice(1).cast(pl.Int64) % 14)
    found = hl.diagnose(replace(made.panel, frame=frame), "y", made.policy, cluster="province")
    assert first(found, "inference", "instead").id == "wild-cluster-bootstrap"


def test_counts_and_binary_outcomes_are_seen(toy: Make) -> None:
    made = toy(units=80)
    panel = made.panel.with_columns(high=(pl.col("y") > 0).cast(pl.Float64))
    assert "recommend-count" in reasons(hl.diagnose(panel, "count", made.policy))
    assert "recommend-binary" in reasons(hl.diagnose(panel, "high", made.policy))
    assert "recommend-count" not in reasons(hl.diagnose(panel, "y", made.policy))


def test_gaps_and_coordinates_are_seen(toy: Make) -> None:
    made = toy(units=80, drop=0.1)
    number = pl.col("unit").str.slice(1).cast(pl.Float64)
    frame = made.panel.frame.with_columns(lon=100 + number / 10, lat=30 + number / 20)
    panel = replace(made.panel, frame=frame, coordinates=("lon", "lat"))
    found = reasons(hl.diagnose(panel, "y", made.policy))
    assert {"recommend-gaps", "recommend-spillover", "recommend-conley"} <= found


def test_treatment_that_switches_off_leads_to_dcdh_and_nothing_else_is_computed_silently() -> None:
    rng = np.random.default_rng(3)
    rows = [
        {"unit": f"u{i:02d}", "year": 2000 + t, "d": float(i % 3 == 0 and 3 <= t < 6), "y": float(rng.normal())}
        for i in range(60)
        for t in range(8)
    ]
    panel = Panel(pl.DataFrame(rows), "unit", "year")
    units = [f"u{i:02d}" for i in range(60)]
    table = pl.DataFrame(
        {
            "unit": units,
            "cohort": pl.Series([2003 if i % 3 == 0 else None for i in range(60)], dtype=pl.Int64),
            "dose": 1.0,
            "excluded": False,
            "reason": "",
        }
    )
    found = hl.diagnose(panel, "y", Cohorts(table, True, "d", "column", path="d"))
    lead = first(found, "estimator", "headline")
    assert (lead.id, lead.reason.values["count"]) == ("dcdh", 20)
    assert found.bacon is None
    assert found.weights is not None and found.weights.table.height == 60
    assert {n.values["name"] for n in found.notes if n.code == "diagnostic-unavailable"} >= {"Goodman-Bacon decomposition"}


def test_every_reason_is_said_in_both_languages(toy: Make) -> None:
    made = toy(units=60, starts=(2005, 2007, None))
    found = hl.diagnose(made.panel, "y", made.policy)
    for language in LANGUAGES:
        frame = found.recommended(language)
        assert frame.columns == ["kind", "id", "role", "reason"]
        assert frame["reason"].str.len_chars().min() > 10
    assert len({(r.kind, r.id) for r in found.recommendations}) == len(found.recommendations)


def test_a_level_outcome_is_continuous(toy: Make) -> None:
    made = toy()
    assert outcome_kind(make_design(made.panel, "y", made.policy)) == "continuous"
