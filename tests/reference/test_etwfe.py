"""Extended two-way fixed effects against R's etwfe 0.5.0 with ``emfx`` (../shared/reference/extra.json).

Estimates agree to 1e-6 and closer. ``emfx`` differentiates numerically (package marginaleffects), which leaves its standard errors with an
error of about 1e-6: they are compared at 3e-6.

With ``ivar`` and a covariate that does not vary within units, R's formula gives every unit a slope that is zero by construction, after which
fixest counts all 500 unit effects among the parameters (K = 524) although they are nested in the clusters; the factor is undone here.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from hinterland.data.adoption import adoption
from hinterland.data.panel import Panel
from hinterland.evaluate.estimate import estimate

RTOL, RTOL_SE = 1e-6, 3e-6
KINDS: dict[str, Any] = {"simple": "overall", "group": "cohort", "calendar": "calendar", "event": "event-time"}
CASES: dict[str, dict[str, Any]] = {
    "nocov,notyet": {"comparison": "not-yet-treated"},
    "lpop,notyet": {"comparison": "not-yet-treated", "covariates": "~ lpop"},
    "nocov,never": {"comparison": "never-treated"},
    "lpop,never": {"comparison": "never-treated", "covariates": "~ lpop"},
    "lpop,notyet,ivar": {"comparison": "not-yet-treated", "covariates": "~ lpop", "unit_effects": True},
    "poisson,lpop,notyet": {"comparison": "not-yet-treated", "covariates": "~ lpop", "family": "poisson"},
}


@pytest.mark.parametrize("case", CASES)
def test_etwfe(reference: Path, case: str) -> None:
    records = {r["id"]: r for r in json.loads((reference / "extra.json").read_text())}
    values = records[f"etwfe/mpdta/{case}"]["values"]
    frame = pl.read_csv(reference / "mpdta.csv").with_columns(emp=pl.col("lemp").exp()).sort("countyreal", "year")
    panel = Panel(frame, "countyreal", "year")
    outcome = "emp" if "poisson" in case else "lemp"
    effects = estimate(panel, outcome, adoption(panel, "first_treat", never=[0]), "etwfe", **CASES[case])
    undo = np.sqrt((2500 - effects.meta["n_parameters"]) / (2500 - 524)) if "ivar" in case else 1.0
    for name, kind in KINDS.items():
        ours, theirs = effects.aggregate(kind), values[name]
        own = ~ours.terms.reference
        assert len(own) == len(theirs["estimate"])
        np.testing.assert_allclose(ours.estimate[own], np.array(theirs["estimate"])[own], rtol=RTOL, err_msg=name)
        if "std.error" in theirs:
            errors = np.array(theirs["std.error"], dtype=np.float64)[own]
            np.testing.assert_allclose(undo * ours.std_error[own], errors, rtol=RTOL_SE, err_msg=name)
