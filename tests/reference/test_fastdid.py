"""Against R's fastdid 1.0.7 (values and calls in ../shared/reference/extra.json), estimates to 1e-6.

Standard errors of ``ipw`` and ``dr`` agree to 1e-5 only: fastdid inverts the Hessian of the logit one Newton step before the last
(ours, and did's, is that of the solution). ``control_option = "both"`` is our ``not-yet-treated``; ``"notyet"`` is the same
without the never-treated units, where fastdid also estimates the last cohort before its adoption, which we (like did) use as
comparison only: event times before adoption then average over other cohorts and are not compared.
"""

from __future__ import annotations

import json
import warnings
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from hinterland.data.adoption import adoption
from hinterland.data.panel import Panel
from hinterland.errors import DataWarning
from hinterland.evaluate.design import make_design
from hinterland.evaluate.estimate import fit
from hinterland.evaluate.result import Effects

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "reference"
KINDS = {"dynamic": "event-time", "simple": "overall", "group": "cohort", "time": "calendar"}


def _records() -> dict[str, dict[str, Any]]:
    file = FOLDER / "extra.json"
    records = json.loads(file.read_text()) if file.exists() else []
    return {r["id"]: r for r in records if r["id"].startswith("fastdid/")}


RECORDS = _records()


@cache
def _fit(control: str, method: str) -> Effects:
    frame = pl.read_csv(FOLDER / "mpdta.csv").sort("countyreal", "year")
    if control == "notyet":
        frame = frame.filter(pl.col("first_treat") > 0)
    panel = Panel(frame, "countyreal", "year")
    covariates = None if method == "nocov" else "~ lpop"
    comparison = "never-treated" if control == "never" else "not-yet-treated"
    design = make_design(panel, "lemp", adoption(panel, "first_treat"), covariates=covariates, comparison=comparison)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)
        return fit(design, "callaway-santanna", est_method={"nocov": "dr", "reg": "or"}.get(method, method))


def _keys(kind: str, values: dict[str, Any]) -> list[Any]:
    """Label of each estimate; ``None`` for averages over periods before treatment, which we do not form."""
    if kind == "group_time":
        return list(zip(values["cohort"], values["time"], strict=True))
    labels = values[{"dynamic": "event_time", "group": "cohort", "time": "time"}[kind]] if kind != "simple" else ["overall"] * 2
    before = [t == "pre" for t in values["type"]] if "type" in values else [False] * len(labels)
    return [None if b else label for label, b in zip(labels, before, strict=True)]


@pytest.mark.usefixtures("reference")
@pytest.mark.parametrize("key", list(RECORDS))
def test_fastdid(key: str) -> None:
    kind, control, method = key.rsplit("/", 1)[1].split(",")
    values = RECORDS[key]["values"]
    effects = _fit(control, method)
    if kind == "group_time":
        keys = list(zip(effects.terms.cohort.tolist(), effects.terms.time.tolist(), strict=True))
    else:
        effects = effects.aggregate(KINDS[kind])  # type: ignore[arg-type]
        terms = effects.terms
        keys = {"dynamic": terms.event_time.tolist(), "group": terms.cohort.tolist(), "time": terms.time.tolist()}.get(kind, ["overall"])
    if kind == "dynamic" and control == "notyet":
        keys = [k if k >= 0 else "before adoption" for k in keys]
    ours = {k: (b, s) for k, b, s in zip(keys, effects.estimate, effects.std_error, strict=True)}
    theirs = {k: (b, s) for k, b, s in zip(_keys(kind, values), values["att"], values["se"], strict=True) if k in ours}
    assert theirs
    for k, (estimate, error) in theirs.items():
        assert ours[k][0] == pytest.approx(estimate, rel=1e-6, abs=1e-10)
        assert ours[k][1] == pytest.approx(error, rel=1e-5 if method in ("ipw", "dr") else 1e-6)
    if control != "notyet":
        assert set(ours) == set(theirs)


def test_every_record_is_used(reference: Path) -> None:
    assert (reference / "extra.json").exists()
    assert len(RECORDS) == 60
    assert np.isin([r["package"] for r in RECORDS.values()], ["fastdid"]).all()
