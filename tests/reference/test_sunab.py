"""Sun and Abraham's event study against R's fixest 0.14.2 ``sunab`` (../shared/reference/fixest.json), to 1e-6.

fixest takes the cohorts' shares as given: ``share_variance=False`` here.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from test_fixest import _load

from hinterland.evaluate.estimate import estimate

RTOL = 1e-6
BASE, MP, SIM = ("base_stagg.csv", "y"), ("mpdta.csv", "lemp"), ("sim_panel_293.csv", "y")
BY_YEAR = "~ lpop + C(year):lpop"

CASES: dict[str, tuple[tuple[str, str], str | None, dict[str, Any]]] = {
    "base_stagg/sunab/cluster_id": (BASE, None, {"covariates": "~ x1"}),
    "base_stagg/sunab/iid": (BASE, None, {"covariates": "~ x1", "vcov": "iid"}),
    "base_stagg/sunab_nocov/cluster_id": (BASE, None, {}),
    "base_stagg/sunab_refp/cluster_id": (BASE, None, {"covariates": "~ x1", "reference": [-9, -1]}),
    "mpdta/sunab/cluster_countyreal": (MP, None, {}),
    "mpdta/sunab/cluster_state": (MP, None, {"cluster": "state"}),
    "mpdta/sunab_cov/cluster_countyreal": (MP, None, {"covariates": BY_YEAR}),
    "mpdta/sunab_cov/cluster_state": (MP, None, {"covariates": BY_YEAR, "cluster": "state"}),
    "mpdta/sunab_w/cluster_countyreal": (MP, "wgt", {}),
    "mpdta/sunab_w/cluster_state": (MP, "wgt", {"cluster": "state"}),
    "sim_panel_293/sunab/cluster_unit": (SIM, None, {}),
}


@pytest.mark.parametrize("case", CASES)
def test_sunab(reference: Path, case: str) -> None:
    (file, outcome), weight, options = CASES[case]
    records = {r["id"]: r for r in json.loads((reference / "fixest.json").read_text())}
    values = records[f"fixest/{case}"]["values"]
    panel, policy = _load(reference, file, weight=weight)
    effects = estimate(panel, outcome, policy, "sun-abraham", share_variance=False, **options)
    assert effects.df == values["df_t"]
    assert effects.meta["n_parameters"] == values["df_k"]
    assert effects.meta["n_obs"] == values["nobs"]

    raw = {term: i for i, term in enumerate(values["raw_cohort_by_period"]["term"])}
    own = np.flatnonzero(~effects.terms.reference)
    at = [raw[f"year::{e}:cohort::{g}"] for g, e in zip(effects.terms.cohort[own], effects.terms.event_time[own], strict=True)]
    _agree(effects.tidy().to_numpy()[own], values["raw_cohort_by_period"], at)

    event = effects.aggregate("event-time")
    own = np.flatnonzero(~event.terms.reference)
    names = values["event"]["term"]
    _agree(event.tidy().to_numpy()[own], values["event"], [names.index(f"year::{e}") for e in event.terms.event_time[own]])
    _agree(effects.aggregate("overall").tidy().to_numpy(), values["att"], [values["att"]["term"].index("ATT")])
    cohort = effects.aggregate("cohort")
    _agree(cohort.tidy().to_numpy(), values["cohort"], [values["cohort"]["term"].index(f"cohort::{g}") for g in cohort.terms.cohort])

    if "covariate_estimates" in effects.meta:
        first = [values["event"]["estimate"][i] for i in range(len(effects.meta["covariate_estimates"]))]
        np.testing.assert_allclose(effects.meta["covariate_estimates"], first, rtol=RTOL)


def _agree(rows: Any, values: dict[str, Any], at: list[int]) -> None:
    """Estimate, standard error, t and p (columns 4 to 7 of ``tidy``) of ``rows`` equal the values at ``at``."""
    for column, name in ((4, "estimate"), (5, "se"), (6, "stat"), (7, "p")):
        np.testing.assert_allclose(rows[:, column].astype(np.float64), np.array(values[name])[at], rtol=RTOL, atol=1e-12, err_msg=name)


def test_estimated_shares_widen_the_errors_of_averages(reference: Path) -> None:
    """fixest leaves out the variance of the shares that Sun and Abraham (2021) include; single-cohort averages do not have any."""
    panel, policy = _load(reference, "sim_panel_293.csv")
    given = estimate(panel, "y", policy, "sun-abraham", share_variance=False)
    estimated = estimate(panel, "y", policy, "sun-abraham")
    assert estimated.aggregate("overall").std_error[0] > given.aggregate("overall").std_error[0]
    np.testing.assert_allclose(estimated.aggregate("cohort").std_error, given.aggregate("cohort").std_error)
