"""Gravity on the packaged world's flows, whose law is known: bias, and coverage by clusters and by their jackknife."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from recording import Recorder
from scipy.stats import t

from hinterland.data.world import simulate
from hinterland.data.world_flows import gravity_law
from hinterland.transfer.gravity import gravity

pytestmark = pytest.mark.validate

REPLICATIONS = 200
ROLES: dict[str, Any] = {"value": "projects", "time": "year", "industry": "industry"}
BOTH_ENDS: dict[str, Any] = {
    "terms": ["ln_distance", "contiguous", "relatedness", "zone:wage_gap"],
    "effects": ["source^time", "host^time", "industry"],
    "cluster": ["pair"],
}
HOSTS: dict[str, Any] = {
    "terms": ["wage_gap", "zone", "relatedness", "zone:wage_gap"],
    "effects": ["pair", "source^time", "industry"],
    "cluster": ["host"],
}
FITS: dict[str, dict[str, Any]] = {
    "source-year and host-year effects, by pair": {**BOTH_ENDS, "vcov": "cluster"},
    "source-year and host-year effects, by pair, CR3": {**BOTH_ENDS, "vcov": "CR3"},
    "pair and source-year effects, by host, CR3": {**HOSTS, "vcov": "CR3"},
}


def test_coefficients_of_the_law(validated: Recorder) -> None:
    law = gravity_law()
    errors: dict[str, list[Any]] = {name: [] for name in FITS}
    widths: dict[str, list[Any]] = {name: [] for name in FITS}
    for seed in range(REPLICATIONS):
        flows = simulate(seed=seed, periods=8).input("flows")
        for name, options in FITS.items():
            fit = gravity(flows, **options, **ROLES)
            errors[name].append(fit.estimate - np.array([law[n] for n in fit.names]))
            widths[name].append(fit.std_error * t.ppf(0.975, fit.facts["df"]))
    for name, options in FITS.items():
        keep = validated(
            "gravity", "gravity by PPML", "the packaged world's flows, 28 provinces × 8 years × 8 industries", seed=0, variant=name
        )
        error, width = np.array(errors[name]), np.array(widths[name])
        within = (0.90, 1.0) if options["vcov"] == "CR3" else (0.75, 0.98)
        for j, term in enumerate(options["terms"]):
            keep.bias(error[:, j], term)
            keep.coverage(np.abs(error[:, j]) <= width[:, j], term, within=within, reason="small sample")
