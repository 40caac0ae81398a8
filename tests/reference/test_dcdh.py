"""Intertemporal effects against R's DIDmultiplegtDYN."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from hinterland.data.adoption import adoption, adoption_from_treatment
from hinterland.data.cohorts import Cohorts
from hinterland.data.panel import Panel
from hinterland.evaluate.estimate import estimate
from hinterland.evaluate.pretrends import pretrend_test
from hinterland.evaluate.result import Effects

RTOL = 1e-6


@pytest.fixture(scope="module")
def record(reference: Path) -> dict[str, Any]:
    records = json.loads((reference / "extra.json").read_text(encoding="utf-8"))
    values: dict[str, Any] = next(r["values"] for r in records if r["id"] == "DIDmultiplegtDYN/mpdta/effects4_placebo3")
    return values


@pytest.fixture(scope="module")
def panel(reference: Path) -> Panel:
    return Panel(pl.read_csv(reference / "mpdta.csv").sort("countyreal", "year"), "countyreal", "year")


@pytest.fixture(scope="module", params=["dates", "treatment", "reversible"])
def effects(panel: Panel, request: pytest.FixtureRequest) -> Effects:
    policies: dict[str, Cohorts] = {
        "dates": adoption(panel, "first_treat"),
        "treatment": adoption_from_treatment(panel, "treat_post"),
        "reversible": adoption_from_treatment(panel, "treat_post", reversible=True),
    }
    return estimate(panel, "lemp", policies[request.param], "dcdh", effects=4, placebos=3)


def test_effects_and_placebos(effects: Effects, record: dict[str, Any]) -> None:
    rows = [*reversed(list(record["Placebos"].values())), *record["Effects"].values()]
    given = np.array(rows)
    free = ~effects.terms.reference
    assert effects.terms.event_time[free].tolist() == [-3, -2, 0, 1, 2, 3]
    np.testing.assert_allclose(effects.estimate[free], given[:, 0], rtol=RTOL)
    np.testing.assert_allclose(effects.std_error[free], given[:, 1], rtol=RTOL)
    np.testing.assert_allclose(effects.tidy()["conf_low"].to_numpy()[free], given[:, 2], rtol=RTOL)
    assert effects.meta["term_rows"] == given[:, 4].astype(int).tolist()
    assert effects.terms.n_treated[free].tolist() == given[:, 5].astype(int).tolist()
    assert [n.code for n in effects.notes if n.code.startswith("dcdh")] == ["dcdh-fewer-placebos"]


def test_average_total_effect(effects: Effects, record: dict[str, Any]) -> None:
    overall = effects.aggregate("overall")
    np.testing.assert_allclose(overall.estimate, record["ATE"][0], rtol=RTOL)
    np.testing.assert_allclose(overall.std_error, record["ATE"][1], rtol=RTOL)
    assert effects.meta["overall_rows"] == record["ATE"][4]
    assert effects.meta["overall_switchers"] == record["ATE"][5]


def test_joint_tests(effects: Effects, record: dict[str, Any]) -> None:
    np.testing.assert_allclose(effects.meta["p_effects_zero"], record["p_jointeffects"], rtol=RTOL)
    np.testing.assert_allclose(effects.meta["p_placebos_zero"], record["p_jointplacebo"], rtol=RTOL)
    np.testing.assert_allclose(pretrend_test(effects, small_sample=False).p_value, record["p_jointplacebo"], rtol=RTOL)


def test_the_covariance_that_r_returns_is_not_one(effects: Effects, record: dict[str, Any]) -> None:
    """Its joint tests use the right covariance, but the matrix that the R package hands out has correlations below -1."""
    given = np.array(record["vcov"])
    error = np.sqrt(np.diag(given))
    assert (given / np.outer(error, error)).min() < -1
    free = ~effects.terms.reference
    order = np.array([2, 3, 4, 5, 1, 0])
    np.testing.assert_allclose(np.diag(effects.vcov)[free][order], np.diag(given), rtol=RTOL)
    assert np.linalg.eigvalsh(effects.vcov[np.ix_(free, free)]).min() > 0
