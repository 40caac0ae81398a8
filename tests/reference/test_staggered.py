"""Against R's staggered 1.2.3 (values and calls in ../shared/reference/staggered.json): estimates, both standard errors and covariances to 1e-6.

R calls "simple", "cohort", "calendar" and "eventstudy" what are here the estimands "overall", "cohort-average", "calendar-average" and
"event-time"; staggered_cs is beta=1, staggered_sa is beta=1 with controls="last-treated".
"""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from hinterland.data.adoption import adoption
from hinterland.data.panel import Panel
from hinterland.evaluate.design import Design, make_design
from hinterland.evaluate.efficient import fit

RTOL = 1e-6
FOLDER = Path(__file__).resolve().parents[3] / "shared" / "reference"
ESTIMANDS = {"simple": "overall", "cohort": "cohort-average", "calendar": "calendar-average", "eventstudy": "event-time"}


def _records() -> dict[str, dict[str, Any]]:
    file = FOLDER / "staggered.json"
    return {r["id"]: r for r in json.loads(file.read_text())} if file.exists() else {}


RECORDS = _records()


@cache
def _design(dataset: str) -> Design:
    panel = Panel(pl.read_csv(FOLDER / dataset).sort("countyreal", "year"), "countyreal", "year")
    return make_design(panel, "lemp", adoption(panel, "first_treat", never=(0,)))


def _options(call: str) -> dict[str, Any]:
    estimand = re.search(r'estimand = "(\w+)"', call)
    beta = re.search(r"beta = ([\d.e-]+)", call)
    assert estimand is not None
    classic = call.startswith(("staggered_cs", "staggered_sa"))
    return {
        "estimand": ESTIMANDS[estimand.group(1)],
        "beta": float(beta.group(1)) if beta else (1 if classic else None),
        "controls": "last-treated" if call.startswith("staggered_sa") else "not-yet-treated",
    }


@pytest.mark.usefixtures("reference")
@pytest.mark.parametrize("key", RECORDS)
def test_estimates_and_standard_errors(key: str) -> None:
    record = RECORDS[key]
    values = record["values"]
    effects = fit(_design(record["dataset"]), **_options(record["call"]))
    events = effects.terms.event_time.tolist()
    at = [events.index(e) for e in values["eventTime"]] if "eventTime" in values else [0]
    np.testing.assert_allclose(effects.estimate[at], values["estimate"], rtol=RTOL, atol=1e-12)
    np.testing.assert_allclose(np.array(effects.meta["std_error_adjusted"])[at], values["se"], rtol=RTOL, atol=1e-12)
    np.testing.assert_allclose(np.array(effects.meta["std_error_neyman"])[at], values["se_neyman"], rtol=RTOL, atol=1e-12)
    if "vcv" in values:
        square = np.ix_(at, at)
        np.testing.assert_allclose(effects.vcov[square], values["vcv"], rtol=RTOL)
        neyman = fit(_design(record["dataset"]), variance="neyman")
        np.testing.assert_allclose(neyman.vcov[square], values["vcv_neyman"], rtol=RTOL)
