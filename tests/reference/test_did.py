"""Against R's did 2.5.1 (values and calls in ../shared/reference/did.json), point estimates and standard errors to 1e-6.

One record asks for an option of its own: on repeated cross-sections with covariates, R's DRDID::drdid_rc gives one term of the
influence function the opposite sign; ``influence_of="drdid"`` repeats it, and the default is the derivative itself (which
``test_callaway_santanna`` checks against numerical differentiation). Its estimates agree either way.
"""

from __future__ import annotations

import json
import re
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

RTOL = 1e-6
FOLDER = Path(__file__).resolve().parents[3] / "shared" / "reference"
COLUMNS = {
    "mpdta.csv": ("countyreal", "first_treat", "lemp"),
    "base_stagg.csv": ("id", "year_treated", "y"),
    "sim_panel_293.csv": ("unit", "g", "y"),
}
KINDS = {"dynamic": "event-time", "group": "cohort", "calendar": "calendar"}


def _records() -> dict[str, dict[str, Any]]:
    file = FOLDER / "did.json"
    return {r["id"]: r for r in json.loads(file.read_text())} if file.exists() else {}


RECORDS = _records()
PLAIN = [key for key in RECORDS if "/aggte/" not in key and "/bootstrap" not in key]


@cache
def _frame(dataset: str) -> pl.DataFrame:
    frame = pl.read_csv(FOLDER / dataset)
    if dataset == "mpdta.csv":
        frame = frame.with_columns(lpop2=pl.col("lpop") ** 2)
    return frame


def _argument(call: str, name: str, default: str) -> str:
    found = re.search(rf'{name} = "?(\w+)', call)
    return found.group(1) if found else default


def _formula(call: str) -> str | None:
    found = re.search(r"xformla = (~.*?)(?:, (?:data|control)|\)$)", call)
    text = found.group(1) if found else "~1"
    return None if text == "~1" else text.replace("I(lpop^2)", "lpop2")


@cache
def fit_call(dataset: str, call: str) -> Effects:
    """The fit that an ``att_gt`` call of R asks for."""
    unit, first, outcome = COLUMNS[dataset]
    frame = _frame(dataset)
    sections = "panel = FALSE" in call
    if sections:
        frame, unit = frame.with_row_index("row"), "row"
    weight = "wgt" if "weightsname" in call else None
    panel = Panel(frame.sort(unit, "year"), unit, "year", weight=weight)
    design = make_design(
        panel,
        outcome,
        adoption(panel, first, never=(0, 10000)),
        covariates=_formula(call),
        comparison="not-yet-treated" if "notyettreated" in call else "never-treated",
        anticipation=int(_argument(call, "anticipation", "0")[0]),
        cluster="state" if "clustervars" in call else None,
    )
    method = _argument(call, "est_method", "dr")
    options: dict[str, Any] = {"influence_of": "drdid"} if sections else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)
        return fit(
            design,
            "callaway-santanna",
            est_method="or" if method == "reg" else method,
            base_period=_argument(call, "base_period", "varying"),
            panel=not sections,
            **options,
        )


def _same(ours: np.ndarray, theirs: list[float | None], rtol: float = RTOL) -> None:
    values = np.array([np.nan if v is None else v for v in theirs])
    np.testing.assert_allclose(ours, values, rtol=rtol, atol=1e-10)


@pytest.mark.usefixtures("reference")
@pytest.mark.parametrize("key", PLAIN)
def test_did(key: str) -> None:
    record = RECORDS[key]
    values = record["values"]
    effects = fit_call(record["dataset"], record["call"])
    assert effects.terms.time.tolist() == values["t"]
    _same(effects.estimate, values["att"])
    _same(effects.std_error, values["se"])
    simple = effects.aggregate("overall")
    _same(simple.estimate, [values["simple"]["overall_att"]])
    _same(simple.std_error, [values["simple"]["overall_se"]])
    for theirs, kind in KINDS.items():
        expected = values[theirs]
        ours = effects.aggregate(kind)  # type: ignore[arg-type]
        labels = {"dynamic": ours.terms.event_time, "group": ours.terms.cohort, "calendar": ours.terms.time}[theirs]
        assert labels.tolist() == expected["egt"]
        _same(ours.estimate, expected["att"])
        _same(ours.std_error, expected["se"])
        overall = ours.aggregate("overall")
        _same(overall.estimate, [expected["overall_att"]])
        _same(overall.std_error, [expected["overall_se"]])


@pytest.mark.usefixtures("reference")
def test_every_record_is_used() -> None:
    assert len(RECORDS) == 77
    assert len(PLAIN) == 70


@pytest.mark.usefixtures("reference")
@pytest.mark.parametrize(
    ("key", "formula", "base", "window"),
    [
        ("dynamic_balance_e1", "~lpop", "varying", {"balance_e": 1}),
        ("dynamic_min-1_max1", "~lpop", "varying", {"min_e": -1, "max_e": 1}),
        ("simple_max0", "~lpop", "varying", {"max_e": 0}),
        ("dynamic_V_universal", "~1", "universal", {}),
        ("dynamic_V_varying", "~1", "varying", {}),
    ],
)
def test_aggte(key: str, formula: str, base: str, window: dict[str, int]) -> None:
    values = RECORDS[f"did/mpdta/aggte/{key}"]["values"]
    effects = fit_call("mpdta.csv", f'att_gt(base_period = "{base}", xformla = {formula}, data = mp)')
    if key.startswith("simple"):
        overall = effects.aggregate("overall", **window)  # type: ignore[arg-type]
    else:
        ours = effects.aggregate("event-time", **window)  # type: ignore[arg-type]
        assert ours.terms.event_time.tolist() == values["egt"]
        _same(ours.estimate, values["att"])
        _same(ours.std_error, values["se"])
        overall = ours.aggregate("overall")
        if "V" in values:
            np.testing.assert_allclose(ours.vcov, np.array(values["V"]), rtol=RTOL, atol=1e-12)
    _same(overall.estimate, [values["overall_att"]])
    _same(overall.std_error, [values["overall_se"]])


@pytest.mark.usefixtures("reference")
@pytest.mark.parametrize("key", [k for k in RECORDS if "pretest_W" in RECORDS[k]["values"] and "bootstrap" not in k][:48:5])
def test_pretest_follows_from_the_covariance(key: str) -> None:
    """The Wald statistic of all estimates before adoption: the covariance matches off its diagonal too."""
    record = RECORDS[key]
    effects = fit_call(record["dataset"], record["call"])
    before = (effects.terms.event_time < 0) & ~effects.terms.reference
    estimate, vcov = effects.estimate[before], effects.vcov[np.ix_(before, before)]
    assert estimate @ np.linalg.solve(vcov, estimate) == pytest.approx(record["values"]["pretest_W"], rel=1e-5)


@pytest.mark.usefixtures("reference")
@pytest.mark.parametrize("cluster", ["none", "state"])
def test_bootstrap(cluster: str) -> None:
    """20 000 draws there and here: standard errors within 4 %, critical values within 2 %."""
    record = RECORDS[f"did/mpdta/bootstrap,dr,lpop,cluster={cluster}"]
    values = record["values"]
    effects = fit_call("mpdta.csv", record["call"].replace("biters = 20000", "")).with_band(draws=20_000, seed=1)
    assert effects.band is not None and effects.band.std_error is not None
    np.testing.assert_allclose(effects.band.std_error, values["se"], rtol=0.04)
    assert effects.band.critical == pytest.approx(values["crit_val"], rel=0.02)
    _same(effects.estimate, values["att"])
    event = effects.aggregate("event-time").with_band(draws=20_000, seed=1)
    assert event.band is not None
    assert event.band.critical == pytest.approx(values["dynamic"]["crit_val"], rel=0.02)
