"""Against PySAL's spreg 1.9.0 (data, values and calls in spreg.json beside this file): the likelihood of all rows with dummies of periods.

Coefficients, log-likelihood and σ² to 1e-7, where spreg's search for ρ stops; standard errors (inverse of the expected information) and the
multipliers behind average effects to 1e-6. spreg's own direct effect leaves out what returns to a unit from its neighbours' treatment,
θ tr((I − ρW)⁻¹W)/N, so that ours is compared through its multipliers.
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
from hinterland.errors import HinterlandWarning
from hinterland.evaluate.design import make_design
from hinterland.evaluate.spillover import fit

RECORD: dict[str, Any] = json.loads((Path(__file__).parent / "spreg.json").read_text(encoding="utf-8"))
CASES = {r["id"]: r["values"] for r in RECORD["records"]}


@cache
def ours(key: str) -> Any:
    panel = Panel(pl.DataFrame(RECORD["data"]), "unit", "year")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", HinterlandWarning)
        design = make_design(panel, "y", adoption(panel, "g"), covariates="~ x" if key.endswith("/x") else None)
        asked: dict[str, Any] = {"exposure": "neighbours", "estimator": "sdm", "likelihood": "direct", "vcov": "iid"}
        return fit(design, neighbours=pl.DataFrame(RECORD["neighbours"]), **asked)


@pytest.mark.parametrize("key", CASES)
def test_coefficients_likelihood_and_errors(key: str) -> None:
    effects, values = ours(key), CASES[key]
    place = [effects.terms.name.index(t) for t in values["term"]]
    np.testing.assert_allclose(effects.estimate[place], values["estimate"], rtol=1e-7)
    np.testing.assert_allclose(effects.std_error[place], values["se"], rtol=1e-6)
    assert effects.meta["log_likelihood"] == pytest.approx(values["log_likelihood"], rel=1e-10)
    assert effects.meta["sigma2"] == pytest.approx(values["sigma2"], rel=1e-7)


@pytest.mark.parametrize("key", CASES)
def test_average_effects_from_the_multipliers(key: str) -> None:
    """tr((I − ρW)⁻¹W)/N = (tr(I − ρW)⁻¹/N − 1)/ρ."""
    effects, values = ours(key), CASES[key]
    own, every = values["average_direct_multiplier"], values["average_total_multiplier"]
    coefficient = dict(zip(values["term"], values["estimate"], strict=True))
    beta, theta, rho = (coefficient[t] for t in ("treated", "neighbours treated", "rho"))
    direct, total = beta * own + theta * (own - 1) / rho, (beta + theta) * every
    np.testing.assert_allclose(effects.estimate[:3], [direct, total - direct, total], rtol=1e-6)
