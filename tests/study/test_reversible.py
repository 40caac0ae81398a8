"""A study whose treatment column may be switched off again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from hinterland.errors import InputError
from hinterland.study.check import check
from hinterland.study.evaluation import evaluate_study
from hinterland.study.load import load_study

STUDY = """
[study]
title = "Switching"

[panel]
source = "panel.csv"
unit = "unit"
time = "year"

[policy]
treatment = "d"
reversible = true

[[outcome]]
name = "y"

[evaluate]
headline = "dcdh"
methods = ["dcdh", "lp-did"]

[evaluate.options.dcdh]
effects = 2
placebos = 1
trends_nonparam = ["half"]

[evaluate.options.lp-did]
nonabsorbing = 1
post_window = 1
"""


def write(folder: Path, study: str = STUDY) -> Path:
    rng = np.random.default_rng(0)
    n, periods = 60, 6
    d = np.zeros((n, periods))
    d[:30, 2:] = 1
    d[:12, 4:] = 0
    y = d + rng.normal(size=(n, periods))
    table = {"unit": np.repeat(np.arange(n), periods), "year": np.tile(np.arange(2000, 2000 + periods), n), "d": d.ravel(), "y": y.ravel()}
    pl.DataFrame(table | {"half": np.repeat(np.arange(n) % 2, periods)}).write_csv(folder / "panel.csv")
    path = folder / "study.toml"
    path.write_text(study, encoding="utf-8")
    return path


def test_effects_and_their_total(tmp_path: Path) -> None:
    frame = evaluate_study(load_study(write(tmp_path))).frame
    overall = frame.filter((pl.col("method") == "dcdh") & (pl.col("aggregation") == "overall"))
    assert overall.height == 1
    assert abs(overall["estimate"][0] - 1) < 0.5
    assert frame.filter(pl.col("method") == "lp-did").height > 3


def test_switching_off_is_an_error_unless_allowed(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        evaluate_study(load_study(write(tmp_path, STUDY.replace("reversible = true\n", ""))))
    finding = next(f for f in caught.value.findings if f.code == "treatment-reversal")
    assert "reversible = true" in finding.remedy


def test_the_key_needs_a_treatment_column(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        load_study(write(tmp_path, STUDY.replace('treatment = "d"', 'column = "g"')))
    assert "treatment-only" in [f.code for f in caught.value.findings]


def test_methods_for_lasting_treatment_say_no(tmp_path: Path) -> None:
    study = STUDY.split("[evaluate.options.lp-did]", maxsplit=1)[0].replace('["dcdh", "lp-did"]', '["dcdh", "callaway-santanna"]')
    found = check(load_study(write(tmp_path, study)))
    assert "treatment-reversal" in {f.code for f in found.findings}
