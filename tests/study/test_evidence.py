"""From a study to a plan: the evidence of a run that was made, read by planning and used by it."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from small import small_panel

import hinterland as hl
from hinterland.plan.calibration import calibration
from hinterland.plan.evidence import Evidence
from hinterland.plan.rules import Rules, Transmission

STUDY = """
[study]
title = "Evidence for a plan"
seed = 7
[panel]
source = "small.csv"
unit = "city"
time = "year"
[panel.derive]
output = "log(y_level)"
[policy]
column = "first"
[[outcome]]
name = "output"
[evaluate]
methods = ["twfe", "callaway-santanna"]
bootstrap = { draws = 99 }
[diagnostics]
leave_out = []
small_sample = []
[moderation.segmentation]
column = "seg"
fixed = "pre"
draws = 99
[mechanism]
mediators = ["density"]
draws = 99
[report]
formats = ["html"]
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> hl.Run:
    """A run whose outcome is a logarithm by its formula, with a moderator and a mediator."""
    folder = tmp_path_factory.mktemp("evidence")
    rng = np.random.default_rng(5)
    panel = small_panel(units=48)
    city = panel["city"].str.slice(1).cast(pl.Int64).to_numpy()
    treated = (panel["first"].to_numpy() > 0) & (panel["year"].to_numpy() >= panel["first"].to_numpy())
    seg = rng.uniform(size=48)[city]
    density = 0.5 * treated + rng.normal(scale=0.2, size=panel.height)
    y = panel["y"].to_numpy() - 0.6 * treated * (seg - 0.5) + 0.4 * density
    made = panel.drop("y", "count").with_columns(seg=pl.Series(seg), density=pl.Series(density), y_level=pl.Series(np.exp(y)))
    made.write_csv(folder / "small.csv")
    (folder / "study.toml").write_text(STUDY, encoding="utf-8")
    return hl.run(folder / "study.toml", out=folder / "out")


def test_every_estimate_is_the_record_s(run: hl.Run) -> None:
    """The headline's average effect, the linear slope, the headline's share, with the grades of the advice; the truth is 1, −0.6 and about 0.2."""
    found = Evidence.from_record(run.path, "output", moderator="segmentation", mediators=["density"])
    effect = run.effects.filter(role="headline", aggregation="overall", sample="all").row(0, named=True)
    assert (found.values[0], found.estimates[0].std_error) == (effect["estimate"], effect["std_error"])
    slope = run.tables["moderation"].filter(version="linear", group="all").row(0, named=True)
    assert (found.values[1], found.estimates[1].centre) == (slope["estimate"], slope["centre"])
    share = run.tables["mechanism"].filter(method="callaway-santanna", mediator="density", quantity="share")
    assert found.values[2] == share["estimate"][0]
    advice = run.tables["advice"]
    grades = [advice.filter(topic=topic)["grade"][0] for topic in ("effects", "moderation", "mechanism")]
    assert [e.grade for e in found.estimates] == grades
    assert None not in grades


def test_the_line_of_a_run_has_the_covariance_of_its_regression(run: hl.Run) -> None:
    """What standard errors along the line give back is what explains them everywhere on it."""
    found = Evidence.from_record(run.path, "output", moderator="segmentation", level="line")
    rows = run.tables["moderation_effects"].filter(version="linear", group="all", kind="grid")
    away = rows["value"].to_numpy() - found.estimates[1].centre
    variance = found.vcov[0, 0] + 2 * away * found.vcov[0, 1] + away**2 * found.vcov[1, 1]
    np.testing.assert_allclose(np.sqrt(variance), rows["std_error"].to_numpy(), rtol=1e-7)
    np.testing.assert_allclose(found.values[0] + found.values[1] * away, rows["estimate"].to_numpy(), rtol=1e-7)


def test_a_plan_is_calibrated_by_it(run: hl.Run) -> None:
    """The same tables as files and as frames: one factor for the host that is under a programme, by the rule."""
    evidence = Evidence.from_record(run.tables, "output", moderator="segmentation", unit="log-points")
    case = {
        "regions": pl.DataFrame(
            {"region": ["coast", "inland"], "source": [True, False], "host": [False, True], "zone": [0.0, 0.5], "segmentation": [0.5, 0.3]}
        ),
        "industries": pl.DataFrame({"industry": ["chips"]}),
        "years": pl.DataFrame({"year": [2026, 2027]}),
        "phases": pl.DataFrame({"phase": ["all"]}),
        "cells": pl.DataFrame({"region": ["coast", "inland"], "industry": ["chips"] * 2, "capacity": [10.0, 1.0]}),
        "skills": pl.DataFrame({"skill": ["plain"]}),
        "staffing": pl.DataFrame({"industry": ["chips"], "skill": ["plain"], "value": [0.1]}),
    }
    rules = Rules((Transmission("productivity", "output", 0.3, 0.1, 0.5, "illustrative", "assumption"),), weak="use")
    found = calibration(hl.read_problem(case), evidence, rules)
    effect = evidence.values[0] + evidence.values[1] * (0.3 - evidence.estimates[1].centre)
    assert found.frame["factor"].to_list() == pytest.approx([np.exp(-0.3 * 0.5 * effect)])
    assert float(found.problem["staffing"].sel(cell="inland/chips", year=2027)[0]) == pytest.approx(0.1 * np.exp(-0.3 * 0.5 * effect))
