"""Gravity by PPML: against pyfixest, against a Poisson regression on dummies, and on the packaged world whose law is known."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy import optimize

from hinterland.data.world import simulate
from hinterland.data.world_flows import gravity_law
from hinterland.errors import EstimationError, InputError
from hinterland.transfer.gravity import gravity, with_zeros

TERMS = ["ln_distance", "contiguous", "relatedness"]
ROLES: dict[str, Any] = {"value": "projects", "time": "year", "industry": "industry"}


@pytest.fixture(scope="module")
def flows() -> pl.DataFrame:
    return simulate(periods=6).input("flows")


@pytest.fixture(scope="module")
def small(flows: pl.DataFrame) -> pl.DataFrame:
    """Twelve provinces, three years, two industries, no rows within a province."""
    some = flows["source"].unique().sort().gather_every(2)[:12]
    chosen = flows.filter(pl.col("source").is_in(some.implode()) & pl.col("host").is_in(some.implode()))
    return chosen.filter(
        pl.col("year").is_in([2010, 2011, 2012]) & pl.col("industry").is_in(["17", "39"]) & (pl.col("source") != pl.col("host"))
    )


def codes(findings: Any) -> list[str]:
    return [f.code for f in findings]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("effects", "fixed", "cluster", "vcov"),
    [
        (["source^time", "host^time", "industry"], "st + ht + industry", ["pair"], {"CRV1": "pair"}),
        (["source", "host", "time"], "source + host + year", ["source", "host"], {"CRV1": "source+host"}),
        (["pair", "time"], "pair + year", [], "hetero"),
    ],
    ids=["three effects", "two-way clusters", "pair effects"],
)
def test_estimates_and_errors_are_pyfixests(small: pl.DataFrame, effects: list[str], fixed: str, cluster: list[str], vcov: Any) -> None:
    """Both converge to 1e-12 of the deviance: 1e-8 of estimates and of standard errors."""
    pf = pytest.importorskip("pyfixest", reason="pyfixest is part of the peers extra")
    terms = ["relatedness"] if effects[0] == "pair" else TERMS
    ours = gravity(small, terms=terms, effects=effects, cluster=cluster, **ROLES)
    year = pl.col("year").cast(pl.String)
    frame = small.with_columns(st=pl.col("source") + year, ht=pl.col("host") + year, pair=pl.col("source") + pl.col("host"))
    theirs = pf.fepois(
        f"projects ~ {' + '.join(terms)} | {fixed}", frame.to_pandas(), vcov=vcov, iwls_tol=1e-13, fixef_tol=1e-13, iwls_maxiter=200
    )
    table = theirs.tidy()
    assert ours.facts["n_obs"] == theirs._N
    assert ours.estimate == pytest.approx(table["Estimate"].to_numpy(), abs=1e-8)
    if "gravity-covariance-repaired" not in codes(ours.findings):
        assert ours.std_error == pytest.approx(table["Std. Error"].to_numpy(), rel=1e-8)


def test_estimates_are_those_of_a_poisson_regression_on_dummies(small: pl.DataFrame) -> None:
    """Minimised without weights, steps or elimination: Newton on every dummy; 1e-6, where the minimiser stops."""
    ours = gravity(small, terms=TERMS, effects=["source", "host", "time", "industry"], **ROLES)
    dummies = [
        np.asarray(small[c].cast(pl.String).to_physical().to_dummies().to_numpy()[:, 1:]) for c in ("source", "host", "year", "industry")
    ]
    x = np.column_stack([small.select(TERMS).to_numpy(), np.ones(small.height), *dummies]).astype(float)
    y = small["projects"].to_numpy().astype(float)
    b = optimize.minimize(
        lambda b: np.exp(x @ b).sum() - y @ (x @ b),
        np.zeros(x.shape[1]),
        jac=lambda b: x.T @ (np.exp(x @ b) - y),
        hess=lambda b: (x * np.exp(x @ b)[:, None]).T @ x,
        method="trust-exact",
        options={"gtol": 1e-9},
    ).x
    assert ours.estimate == pytest.approx(b[:3], abs=1e-6)
    assert ours.fitted["mean"].sum() == pytest.approx(y.sum())


def test_known_coefficients_come_back_and_zeros_are_kept(flows: pl.DataFrame) -> None:
    fit = gravity(flows, terms=TERMS, effects=["source^time", "host^time", "industry"], vcov="CR3", **ROLES)
    between = flows.filter(pl.col("source") != pl.col("host"))
    assert fit.facts["n_obs"] == between.height
    assert fit.facts["n_zeros"] == (between["projects"] == 0).sum() > 0.5 * between.height
    law = gravity_law()
    for name, estimate, error in zip(fit.names, fit.estimate, fit.std_error, strict=True):
        assert abs(estimate - law[name]) < 3.5 * error
    assert codes(fit.findings) == ["within-region"]
    positive = gravity(flows.filter(pl.col("projects") > 0), terms=TERMS, effects=["source^time", "host^time", "industry"], **ROLES)
    assert abs(positive.estimate[0] - law["ln_distance"]) > 0.3  # what leaving zeros out does to distance
    assert "zeros-absent" in codes(positive.findings)


def test_host_time_effects_absorb_the_zone_and_both_ends_the_gap(small: pl.DataFrame) -> None:
    terms = ["ln_distance", "wage_gap", "zone", "zone:wage_gap"]
    fit = gravity(small, terms=terms, effects=["source^time", "host^time"], **ROLES)
    assert (fit.names, fit.dropped) == (("ln_distance", "zone:wage_gap"), ("wage_gap", "zone"))
    said = {f.where: f for f in fit.findings if f.code == "term-absorbed"}
    assert "constant within host^time" in said["term 'zone'"].what
    assert "zone:…" in said["term 'zone'"].remedy
    assert "sum of what source^time, host^time absorb" in said["term 'wage_gap'"].what
    tidy = fit.tidy()
    assert tidy["term"].to_list() == ["ln_distance", "zone:wage_gap", "wage_gap", "zone"]
    assert tidy["estimate"].null_count() == 2
    whole = gravity(small, terms=terms, effects=["source^time", "host"], **ROLES)
    assert whole.dropped == ()
    with pytest.raises(EstimationError, match="term-absorbed"):
        gravity(small, terms=["zone"], effects=["source^time", "host^time"], **ROLES)


def test_collinear_terms_are_named(small: pl.DataFrame) -> None:
    twice = small.with_columns(double=2 * pl.col("ln_distance"))
    fit = gravity(twice, terms=["ln_distance", "double"], effects=["source", "host"], **ROLES)
    assert fit.dropped == ("double",)
    assert codes(fit.findings) == ["term-collinear"]


def test_levels_without_flows_and_separated_zeros_are_left_out_and_named(small: pl.DataFrame) -> None:
    """A host without any flow, and a regressor that is one only where flows are zero."""
    last = small["host"].max()
    empty = small.with_columns(projects=pl.when(pl.col("host") == last).then(0).otherwise(pl.col("projects")))
    few = (
        empty.filter((pl.col("projects") == 0) & (pl.col("host") != last))
        .head(7)
        .select("source", "host", "industry", "year", odd=pl.lit(1.0))
    )
    data = empty.join(few, on=["source", "host", "industry", "year"], how="left").with_columns(pl.col("odd").fill_null(0.0))
    fit = gravity(data, terms=["ln_distance", "odd"], effects=["source", "host", "time"], **ROLES)
    said = {f.code: f for f in fit.findings}
    assert said["flow-empty-levels"].where == f"host: '{last}'"
    assert said["flow-empty-levels"].what.startswith(f"{(data['host'] == last).sum()} row(s)")
    assert said["flow-separated"].what.startswith("7 zero flow(s)")
    assert " → " in said["flow-separated"].where
    assert fit.dropped == ("odd",)
    clean = data.filter((pl.col("host") != last) & (pl.col("odd") == 0))
    assert fit.estimate == pytest.approx(
        gravity(clean, terms=["ln_distance"], effects=["source", "host", "time"], **ROLES).estimate, abs=1e-9
    )


def test_rows_alone_in_a_level_are_left_out(small: pl.DataFrame) -> None:
    alone = small.filter(pl.col("source") != small["source"].min()).vstack(
        small.filter(pl.col("projects") > 0, pl.col("source") == small["source"].min()).head(1)
    )
    fit = gravity(alone, terms=["ln_distance"], effects=["source", "host"], **ROLES)
    assert "flow-singletons" in codes(fit.findings)
    assert fit.facts["n_obs"] == alone.height - 1
    kept = gravity(alone, terms=["ln_distance"], effects=["source", "host"], ssc="dummies", **ROLES)
    assert kept.facts["n_obs"] == alone.height
    assert kept.estimate == pytest.approx(fit.estimate, abs=1e-8)


def test_everything_wrong_is_said_at_once(small: pl.DataFrame) -> None:
    with pytest.raises(InputError) as error:
        gravity(small, terms=["ln_distanse", "zone"], effects=["source", "county"], value="projets", time="year")
    assert codes(error.value.findings) == ["unknown-column"] * 3
    assert "ln_distance" in str(error.value)
    bad = small.with_columns(projects=-pl.col("projects"), ln_distance=pl.lit(float("-inf"))).vstack(
        small.head(1).with_columns(ln_distance=pl.lit(1.0))
    )
    with pytest.raises(InputError) as error:
        gravity(bad, terms=["ln_distance"], effects=["source"], **ROLES)
    assert codes(error.value.findings) == ["flow-repeated", "flow-negative", "regressor-infinite"]
    for changes, code in (
        ({"effects": ["source^time"], "time": None}, "role-missing"),
        ({"vcov": "CR9"}, "unknown-value"),
        ({"vcov": "CR3", "cluster": []}, "option-unused"),
        ({"terms": []}, "nothing-asked"),
        ({"effects": []}, "nothing-asked"),
    ):
        with pytest.raises(InputError) as error:
            gravity(small, **{"terms": ["ln_distance"], "effects": ["source"], **ROLES, **changes})  # type: ignore[arg-type]
        assert codes(error.value.findings) == [code]
    with pytest.raises(InputError, match="no-flow"):
        gravity(small.with_columns(projects=pl.lit(0)), terms=["ln_distance"], effects=["source"], **ROLES)
    with pytest.raises(EstimationError, match="only-singletons"):
        gravity(small.filter(pl.col("projects") > 0), terms=["ln_distance"], effects=["pair^time^industry"], **ROLES)


def test_gaps_are_left_out_and_counted(small: pl.DataFrame) -> None:
    gap = small.with_row_index().with_columns(relatedness=pl.when(pl.col("index") >= 5).then(pl.col("relatedness")))
    fit = gravity(gap, terms=TERMS, effects=["source", "host"], **ROLES)
    assert fit.facts["n_obs"] == small.height - 5
    said = next(f for f in fit.findings if f.code == "gravity-gap")
    assert said.what.startswith("5 row(s)")
    assert "relatedness 5" in said.where


def test_zeros_are_added_back(small: pl.DataFrame) -> None:
    keys = ["source", "host", "industry", "year"]
    positive = small.filter(pl.col("projects") > 0).select(*keys, "projects")
    tables = [
        small.select("source", "host", "ln_distance", "contiguous").unique(),
        small.select("host", "industry", "year", "relatedness").unique(),
    ]
    whole = with_zeros(positive, values=["projects"], by=["industry", "year"], covariates=tables)
    assert whole.height == small.height
    assert whole.sort(keys)["projects"].to_list() == small.sort(keys)["projects"].to_list()
    a, b = (gravity(f, terms=TERMS, effects=["source", "host"], **ROLES) for f in (whole, small))
    assert a.estimate == pytest.approx(b.estimate, abs=1e-12)
    assert with_zeros(positive, values=["projects"], by=["year"], regions=["a", "b", "c"]).height == 3 * 2 * 3
    for table, code in ((pl.DataFrame({"x": [1]}), "no-shared-key"), (tables[0].vstack(tables[0]), "covariate-repeated")):
        with pytest.raises(InputError, match=code):
            with_zeros(positive, values=["projects"], covariates=[table])
    with pytest.raises(InputError, match="unknown-column"):
        with_zeros(positive, values=["n"])


def test_jackknife_is_that_of_dropping_clusters_one_by_one(small: pl.DataFrame) -> None:
    """CR3 takes one Newton step from the whole fit for each cluster left out: within a quarter of what refitting gives."""
    kw: dict[str, Any] = {"terms": ["ln_distance", "contiguous"], "effects": ["time", "industry"], **ROLES}
    fit = gravity(small, vcov="CR3", cluster=["source"], **kw)
    sources = small["source"].unique()
    refits = np.array([gravity(small.filter(pl.col("source") != s), **kw).estimate for s in sources])
    g = len(sources)
    spread = refits - fit.estimate
    assert fit.vcov == pytest.approx((g - 1) / g * spread.T @ spread, rel=0.25)
    assert fit.facts["df"] == g - 1
    plain = gravity(small, cluster=["source"], **kw)
    assert (fit.std_error > plain.std_error).all()
    assert "gravity-few-clusters" in codes(plain.findings)
    assert all(1 < n < g for n in plain.facts["effective_clusters"])


def test_jackknife_by_two_groupings_is_no_smaller_than_by_either(small: pl.DataFrame) -> None:
    kw: dict[str, Any] = {"terms": TERMS, "effects": ["source", "host", "time"], "vcov": "CR3", **ROLES}
    both, source, host = (gravity(small, cluster=c, **kw) for c in (["source", "host"], ["source"], ["host"]))
    assert (both.std_error >= np.maximum(source.std_error, host.std_error) * (1 - 1e-9)).all()
    assert both.facts["n_clusters"] == (12, 12)
    assert both.facts["df"] == 11.0


def test_same_numbers_whatever_the_order_of_rows(small: pl.DataFrame) -> None:
    a = gravity(small, terms=TERMS, effects=["source", "host"], **ROLES)
    b = gravity(small.sample(fraction=1, shuffle=True, seed=1), terms=TERMS, effects=["source", "host"], **ROLES)
    assert a.estimate == pytest.approx(b.estimate, abs=1e-10)
    assert repr(a).startswith("Gravity(ln_distance -")
