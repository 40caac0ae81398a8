"""Against R's fixest 0.14.2 (values and calls in ../shared/reference/fixest.json), to 1e-6."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from hinterland.data.cohorts import Cohorts
from hinterland.data.panel import Panel
from hinterland.errors import EstimationError
from hinterland.evaluate.estimate import estimate
from hinterland.evaluate.result import Effects
from hinterland.evaluate.vcov import Ssc

RTOL = 1e-6

FILES = {
    "mpdta.csv": ("countyreal", "year", "first_treat"),
    "base_stagg.csv": ("id", "year", "year_treated"),
    "sim_panel_293.csv": ("unit", "year", "g"),
}


def _load(reference: Path, name: str, weight: str | None = None) -> tuple[Panel, Cohorts]:
    unit, time, first = FILES[name]
    frame = pl.read_csv(reference / name).sort(unit, time)
    last = frame[time].max()
    table = (
        frame.group_by(unit, maintain_order=True)
        .agg(pl.col(first).first())
        .select(
            unit=pl.col(unit).cast(pl.String),
            cohort=pl.when((pl.col(first) > 0) & (pl.col(first) <= last)).then(pl.col(first)).cast(pl.Int64),
            dose=pl.lit(1.0),
            excluded=pl.lit(False),
            reason=pl.lit(""),
        )
    )
    return Panel(frame, unit, time, weight=weight), Cohorts(table, closed=True, source=first, timing="column")


def _records(reference: Path) -> dict[str, dict[str, Any]]:
    return {r["id"]: r for r in json.loads((reference / "fixest.json").read_text())}


def _agrees(effects: Effects, values: dict[str, Any], terms: list[int]) -> None:
    """Estimates, standard errors, t, p, degrees of freedom, K and R², for the ``terms`` (positions in our result)."""
    tidy = effects.tidy()
    for ours, theirs in (("estimate", "estimate"), ("std_error", "se"), ("statistic", "stat"), ("p_value", "p")):
        np.testing.assert_allclose(tidy[ours].to_numpy()[terms], values[theirs], rtol=RTOL, err_msg=ours)
    assert effects.df == values["df_t"]
    assert effects.meta["n_parameters"] == values["df_k"]
    assert effects.meta["n_obs"] == values["nobs"]
    np.testing.assert_allclose(
        [effects.meta["r2"], effects.meta["r2_within"], effects.meta["ssr"]], [values["r2"], values["wr2"], values["ssr"]], rtol=RTOL
    )
    if "vcov" in values:
        np.testing.assert_allclose(effects.vcov[np.ix_(terms, terms)], values["vcov"], rtol=2 * RTOL, atol=1e-14)


VCOVS: dict[str, dict[str, Any]] = {
    "iid": {"vcov": "iid"},
    "hetero": {"vcov": "hetero"},
    "cluster_unit": {"cluster": "countyreal"},
    "cluster_state": {"cluster": "state"},
    "twoway_unit_year": {"cluster": ["countyreal", "year"]},
    "twoway_state_year": {"cluster": ["state", "year"]},
    "NW0": {"vcov": "newey-west", "lag": 0},
    "NW2": {"vcov": "newey-west", "lag": 2},
    "DK0": {"vcov": "driscoll-kraay", "lag": 0},
    "DK2": {"vcov": "driscoll-kraay", "lag": 2},
}


@pytest.mark.parametrize("kind", VCOVS)
def test_covariances(reference: Path, kind: str) -> None:
    panel, policy = _load(reference, "mpdta.csv")
    values = _records(reference)[f"fixest/mpdta/twfe/{kind}"]["values"]
    _agrees(estimate(panel, "lemp", policy, "twfe", **VCOVS[kind]), values, [0])


def test_every_small_sample_rule(reference: Path) -> None:
    panel, policy = _load(reference, "mpdta.csv")
    records = [r for key, r in _records(reference).items() if "/twfe/ssc/" in key and "options" in r]
    assert len(records) == 28
    for record in records:
        options = dict(record["options"])
        cluster = options.pop("cluster", ["state", "year"])
        rule = Ssc(**{k.lower().replace(".", "_"): v for k, v in options.items()})
        _agrees(estimate(panel, "lemp", policy, "twfe", cluster=cluster, ssc=rule), record["values"], [0])


def test_exact_count_of_fixed_effects(reference: Path) -> None:
    panel, policy = _load(reference, "mpdta.csv")
    values = _records(reference)["fixest/mpdta/twfe/ssc/exact"]["values"]
    _agrees(estimate(panel, "lemp", policy, "twfe", vcov="hetero", ssc={"k_exact": True}), values, [0])


def test_covariate_interacted_with_years(reference: Path) -> None:
    panel, policy = _load(reference, "mpdta.csv")
    values = _records(reference)["fixest/mpdta/twfe_cov/cluster_unit"]["values"]
    effects = estimate(panel, "lemp", policy, "twfe", covariates="~ lpop + C(year):lpop")
    assert effects.terms.name == ("treated", *(f"C(year)[T.{y}]:lpop" for y in range(2004, 2008)))
    assert [n.values["names"] for n in effects.notes if n.code == "collinear-dropped"] == ["lpop"]
    _agrees(effects, values, list(range(5)))


def test_three_covariates_interacted_with_years(reference: Path) -> None:
    panel, policy = _load(reference, "sim_panel_293.csv")
    values = _records(reference)["fixest/sim_panel_293/twfe_xyear/cluster_unit"]["values"]
    effects = estimate(panel, "y", policy, "twfe", covariates="~ C(year):(x1 + x2 + x3) + x1 + x2 + x3")
    at = {name: i for i, name in enumerate(effects.terms.name)}
    names = [f"C(year)[T.{t.split('::')[1].split(':')[0]}]:{t.split(':')[-1]}" for t in values["term"][1:]]
    _agrees(effects, values, [0, *(at[n] for n in names)])


@pytest.mark.parametrize("kind", ["cluster_unit", "iid"])
def test_weights(reference: Path, kind: str) -> None:
    panel, policy = _load(reference, "mpdta.csv", weight="wgt")
    values = _records(reference)[f"fixest/mpdta/twfe_weights/{kind}"]["values"]
    _agrees(estimate(panel, "lemp", policy, "twfe", vcov=kind.split("_", maxsplit=1)[0]), values, [0])


def test_unit_trends(reference: Path) -> None:
    panel, policy = _load(reference, "mpdta.csv")
    values = _records(reference)["fixest/mpdta/unit_trends/cluster_unit"]["values"]
    _agrees(estimate(panel, "lemp", policy, "twfe", fe=["countyreal[year]"]), values, [0])


def test_treatment_explained_by_state_by_year_effects_is_an_error(reference: Path) -> None:
    panel, policy = _load(reference, "mpdta.csv")
    with pytest.raises(EstimationError, match="collinear with the fixed effects") as caught:
        estimate(panel, "lemp", policy, "twfe", fe=["state^year"])
    assert caught.value.findings[0].code in {"collinear", "treatment-collinear"}


@pytest.mark.parametrize("cluster", ["unit", "state"])
def test_simulated_panel(reference: Path, cluster: str) -> None:
    panel, policy = _load(reference, "sim_panel_293.csv")
    values = _records(reference)[f"fixest/sim_panel_293/twfe/cluster_{cluster}"]["values"]
    _agrees(estimate(panel, "y", policy, "twfe", cluster=cluster), values, [0])


def test_event_study(reference: Path) -> None:
    panel, policy = _load(reference, "mpdta.csv")
    values = _records(reference)["fixest/mpdta/es/cluster_unit"]["values"]
    effects = estimate(panel, "lemp", policy, "event-study")
    assert effects.terms.event_time.tolist() == [-4, -3, -2, -1, 0, 1, 2, 3]
    assert effects.terms.reference.tolist() == [e == -1 for e in range(-4, 4)]
    _agrees(effects, values, [0, 1, 2, 4, 5, 6, 7])


def test_event_study_with_a_covariate(reference: Path) -> None:
    panel, policy = _load(reference, "base_stagg.csv")
    values = _records(reference)["fixest/base_stagg/es/cluster_unit"]["values"]
    effects = estimate(panel, "y", policy, "event-study", covariates=["x1"])
    np.testing.assert_allclose(effects.meta["covariate_estimates"], values["estimate"][:1], rtol=RTOL)
    np.testing.assert_allclose(effects.meta["covariate_std_errors"], values["se"][:1], rtol=RTOL)
    rest = {k: v[1:] if isinstance(v, list) else v for k, v in values.items()} | {"vcov": np.array(values["vcov"])[1:, 1:]}
    _agrees(effects, rest, [i for i, e in enumerate(effects.terms.event_time) if e != -1])
