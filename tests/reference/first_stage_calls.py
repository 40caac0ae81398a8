"""Calls of R's didimputation and did2s, read from their records: shared by the tests of both."""

from __future__ import annotations

import json
import re
import warnings
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from hinterland.data.adoption import adoption
from hinterland.data.panel import Panel
from hinterland.errors import HinterlandWarning
from hinterland.evaluate.design import Design, make_design
from hinterland.evaluate.result import Effects

RTOL = 1e-6
FOLDER = Path(__file__).resolve().parents[3] / "shared" / "reference"
COLUMNS = {
    "mpdta.csv": ("countyreal", "first_treat", "lemp"),
    "base_stagg.csv": ("id", "year_treated", "y"),
    "sim_panel_293.csv": ("unit", "g", "y"),
}


def records(name: str) -> dict[str, dict[str, Any]]:
    file = FOLDER / name
    return {r["id"]: r for r in json.loads(file.read_text())} if file.exists() else {}


@cache
def design_of(dataset: str, call: str) -> Design:
    """The design of a call of R: covariates by year from ``i(year, x, ref = …)``, weights and clusters."""
    unit, first, outcome = COLUMNS[dataset]
    frame = pl.read_csv(FOLDER / dataset)
    names = ["x1"] if "first_stage = ~x1 |" in call else []
    for column, reference in re.findall(r"i\(year, (\w+), ref = (\d+)\)", call):
        years = [t for t in frame["year"].unique().sort() if t != int(reference)]
        frame = frame.with_columns(((pl.col("year") == t) * pl.col(column)).alias(f"{column}_{t}") for t in years)
        names += [f"{column}_{t}" for t in years]
    panel = Panel(frame.sort(unit, "year"), unit, "year", weight="wgt" if '"wgt"' in call else None)
    cluster = "state" if '"state"' in call else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", HinterlandWarning)
        return make_design(panel, outcome, adoption(panel, first, never=(0, 10000)), covariates=names or None, cluster=cluster)


def compare(effects: Effects, position: list[int], values: dict[str, Any]) -> None:
    size = float(np.abs(values["estimate"]).max())
    np.testing.assert_allclose(effects.estimate[position], values["estimate"], rtol=RTOL, atol=RTOL * size)
    np.testing.assert_allclose(effects.std_error[position], values["se"], rtol=RTOL)


def at(effects: Effects, times: list[int]) -> list[int]:
    return [int(np.flatnonzero(effects.terms.event_time == t)[0]) for t in times]
