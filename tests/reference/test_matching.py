"""Matching and entropy balancing against R's MatchIt, ebal and ksmooth, scikit-learn, and a published matched sample."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy.optimize import minimize

from hinterland.data.cohorts import Cohorts
from hinterland.data.panel import Panel
from hinterland.evaluate.entropy_balancing import balance, constraints
from hinterland.evaluate.estimate import estimate
from hinterland.evaluate.matching import Matched, match
from hinterland.evaluate.matching_weights import Sides, nearest

HERE = Path(__file__).parent
COVARIATES = ["age", "educ", "black", "hispan", "married", "nodegree", "re74", "re75"]
CONTINUOUS = ["age", "educ", "re74", "re75"]


@pytest.fixture(scope="module")
def reference() -> dict[str, Any]:
    return dict(json.loads((HERE / "matching.json").read_text(encoding="utf-8")))


@pytest.fixture(scope="module")
def lalonde() -> tuple[Panel, Cohorts, pl.DataFrame]:
    """The men as units of two periods, the treated adopting in the second; covariates are of the first."""
    frame = pl.read_csv(HERE / "lalonde.csv", infer_schema_length=None)
    units = [f"m{i:03d}" for i in range(frame.height)]
    table = pl.DataFrame(
        {
            "unit": units,
            "cohort": pl.Series([2 if t else None for t in frame["treat"]], dtype=pl.Int64),
            "dose": 1.0,
            "excluded": False,
            "reason": "",
        }
    )
    rows = pl.concat([frame.with_columns(unit=pl.Series(units), year=pl.lit(t, dtype=pl.Int64)) for t in (1, 2)]).sort("unit", "year")
    return Panel(rows, "unit", "year"), Cohorts(table, closed=True, source="nsw", timing="column"), frame


def means(found: Matched, frame: pl.DataFrame) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Weighted means of the covariates, treated and comparison."""
    w, treated, x = found.weights["weight"].to_numpy(), found.weights["treated"].to_numpy(), frame.select(COVARIATES).to_numpy()
    return x[treated].T @ w[treated] / w[treated].sum(), x[~treated].T @ w[~treated] / w[~treated].sum()


SHARED: dict[str, Any] = {"scale": "score", "distance_in": "raw", "support": "none"}
CASES: dict[str, dict[str, Any]] = {
    "nearest_with": {"ties": "first"},
    "nearest_with_3": {"ties": "first", "k": 3},
    "nearest_without": {"replacement": False, "order": "data"},
    "nearest_without_2": {"replacement": False, "order": "data", "k": 2},
    "nearest_with_caliper": {"ties": "first", "caliper": 0.01},
    "nearest_without_caliper": {"replacement": False, "order": "data", "caliper": 0.01},
    "nearest_support": {"ties": "first", "support": "both"},
}


def test_scores_are_those_of_glm(reference: dict[str, Any], lalonde: tuple[Panel, Cohorts, pl.DataFrame]) -> None:
    panel, policy, _ = lalonde
    found = match(panel, policy, COVARIATES, "nearest")
    # R's glm stops at a relative change of the deviance of 1e-8.
    assert np.abs(found.weights["score"].to_numpy() - reference["score"]).max() < 1e-6


@pytest.mark.parametrize("name", CASES)
def test_nearest_neighbours_are_those_of_matchit(
    reference: dict[str, Any], lalonde: tuple[Panel, Cohorts, pl.DataFrame], name: str
) -> None:
    panel, policy, frame = lalonde
    there = reference[name]
    found = match(panel, policy, COVARIATES, "nearest", **{**SHARED, **CASES[name]})
    counts = found.counts
    assert (counts["n_treated_matched"], counts["n_comparison_matched"]) == (there["matched_treated"], there["matched_comparison"])
    assert counts["effective"] == pytest.approx(there["ess_comparison"], rel=1e-9)
    treated, comparison = means(found, frame)
    np.testing.assert_allclose(treated, there["mean_treated"], rtol=1e-9)
    np.testing.assert_allclose(comparison, there["mean_comparison"], rtol=1e-9)
    table = {r["variable"]: r for r in found.balance().iter_rows(named=True)}
    for when, suffix in (("after", ""), *([("before", "_before")] if name != "nearest_support" else [])):  # R's is without rows off it
        ratios = [table[v][f"variance_ratio_{when}"] for v in CONTINUOUS]
        np.testing.assert_allclose(ratios, there[f"variance_ratio{suffix}"], rtol=1e-8)
        np.testing.assert_allclose([table[v][f"ks_{when}"] for v in COVARIATES], there[f"ks{suffix}"], rtol=1e-8)


@pytest.mark.parametrize("width", ["0.05", "0.1"])
def test_radius_and_kernel_are_local_means(reference: dict[str, Any], lalonde: tuple[Panel, Cohorts, pl.DataFrame], width: str) -> None:
    """R's ksmooth: a box exactly; a normal kernel that it cuts at four standard deviations, 6e-5 of its mass, up to 2e-3 of earnings' means."""
    panel, policy, frame = lalonde
    box = match(panel, policy, COVARIATES, "radius", radius=float(width), **SHARED)
    there = reference[f"ksmooth_box_{width}"]
    np.testing.assert_allclose(means(box, frame)[1], there["mean"][:8], rtol=1e-7)
    assert box.counts["n_treated"] - box.counts["n_treated_matched"] == there["unmatched"]
    normal = match(panel, policy, COVARIATES, "kernel", kernel="gaussian", bandwidth=float(width), **SHARED)
    np.testing.assert_allclose(means(normal, frame)[1], reference[f"ksmooth_normal_{width}"]["mean"][:8], rtol=2e-3)


def test_three_neighbours(reference: dict[str, Any], lalonde: tuple[Panel, Cohorts, pl.DataFrame]) -> None:
    _, _, frame = lalonde
    score, treated = np.array(reference["score"]), frame["treat"].to_numpy() == 1
    _, first = np.unique(np.round(score[~treated], 12), return_index=True)
    comparison, outcome = score[~treated][first], frame["re78"].to_numpy()[~treated][first]
    found = nearest(Sides(score[treated], comparison, np.ones(int(treated.sum())), np.ones(len(first))), 3, np.inf, all_ties=True)
    assert found.comparison @ outcome / treated.sum() == pytest.approx(reference["knn_3"]["mean"], rel=1e-9)


@pytest.mark.parametrize("moments", [1, 2, 3])
def test_entropy_balancing_is_that_of_ebal(reference: dict[str, Any], lalonde: tuple[Panel, Cohorts, pl.DataFrame], moments: int) -> None:
    """Hainmueller's own code, stopped at a gap of 1e-9 in sums over 185 treated: weights that sum to 185 agree to 1e-6."""
    panel, policy, frame = lalonde
    there = reference[f"entropy_{moments}"]
    found = match(panel, policy, COVARIATES, "entropy-balancing", moments=moments)
    weight = found.weights.filter(~pl.col("treated"))["weight"].to_numpy()
    np.testing.assert_allclose(weight, there["weights"], atol=1e-6)
    assert found.counts["effective"] == pytest.approx(there["ess"], rel=1e-7)
    y, treated = frame["re78"].to_numpy(), frame["treat"].to_numpy() == 1
    assert y[treated].mean() - weight @ y[~treated] / weight.sum() == pytest.approx(there["effect"], rel=1e-7)
    assert found.counts["largest_after"] < 1e-10


def test_moments_are_met_exactly(lalonde: tuple[Panel, Cohorts, pl.DataFrame]) -> None:
    _, _, frame = lalonde
    x, treated = frame.select(COVARIATES).to_numpy(), frame["treat"].to_numpy() == 1
    made = balance(constraints(x[treated], x[~treated], np.ones(int(treated.sum())), 3), np.ones(int((~treated).sum())))
    assert made.converged
    for power in (1, 2, 3):
        target, got = (x[treated] ** power).mean(axis=0), made.weight @ x[~treated] ** power
        np.testing.assert_allclose(got, target, rtol=1e-8)


CONTROLS = ["ln_pgdp", "ln_pop_density", "industrial_advanced", "ln_road_area", "financial_development"]


@pytest.fixture(scope="module")
def low_carbon(shared_data: Path) -> tuple[pl.DataFrame, pl.DataFrame, Cohorts, dict[str, Any]]:
    """All rows, the published matched rows, the policy, and the published model of them."""
    folder = shared_data / "replication_low_carbon_did"
    rows = pl.read_parquet(folder / "regression_sample.parquet").sort("city_name", "year")
    table = rows.group_by("city_name", maintain_order=True).agg(cohort=pl.col("year").filter(pl.col("did") == 1).min())
    table = table.select(unit="city_name", cohort="cohort", dose=pl.lit(1.0), excluded=pl.lit(False), reason=pl.lit(""))
    published = json.loads((folder / "published_results.json").read_text())["models"]["psm_all_controls"]
    return rows, pl.read_parquet(folder / "psm_sample.parquet"), Cohorts(table, closed=True, source="did", timing="column"), published


def _ridge_scores(x: np.ndarray[Any, Any], treated: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """A logit whose slopes are shrunk by half their squares, which is what the published scores are (scikit-learn's default)."""

    def loss(b: np.ndarray[Any, Any]) -> tuple[float, np.ndarray[Any, Any]]:
        index = b[0] + x @ b[1:]
        miss = 1 / (1 + np.exp(-index)) - treated
        value = np.logaddexp(0, index).sum() - treated @ index + b[1:] @ b[1:] / 2
        return float(value), np.append(miss.sum(), x.T @ miss + b[1:])

    b = minimize(loss, np.zeros(x.shape[1] + 1), jac=True, method="BFGS", options={"gtol": 1e-8, "maxiter": 5000}).x
    return np.asarray(1 / (1 + np.exp(-(b[0] + x @ b[1:]))))


def test_a_published_matched_sample(low_carbon: tuple[pl.DataFrame, pl.DataFrame, Cohorts, dict[str, Any]]) -> None:
    """Year by year, one neighbour with replacement within 0.05: 2,282 rows, as published; six of them are others, by the published solver's tolerance."""
    rows, published, policy, model = low_carbon
    kept = []
    for _, year in rows.group_by("year", maintain_order=True):
        treated = year["treat"].to_numpy() == 1
        score = _ridge_scores(year.select(CONTROLS).to_numpy(), treated.astype(float))
        sides = Sides(score[treated], score[~treated], np.ones(int(treated.sum())), np.ones(int((~treated).sum())))
        found = nearest(sides, 1, 0.05, all_ties=False)
        mask = np.zeros(len(treated), dtype=bool)
        mask[treated], mask[~treated] = found.matched, found.comparison > 0
        kept.append(year.with_columns(score=score).filter(pl.Series(mask)))
    sample = pl.concat(kept)
    assert (sample.height, int(sample["treat"].sum())) == (published.height, int(published["treat"].sum())) == (2282, 1467)
    common = sample.join(published.select("city_name", "year", "pscore"), on=["city_name", "year"])
    assert common.height == 2276
    assert (common["score"] - common["pscore"]).abs().max() < 5e-4  # type: ignore[operator]
    panel = Panel(sample.sort("city_name", "year"), "city_name", "year")
    effects = estimate(panel, "ln_carbon_intensity", policy, "twfe", covariates=CONTROLS, ssc="dummies")
    # Six rows of 2,282 move the coefficient by a tenth of a standard error at most.
    assert effects.estimate[0] == pytest.approx(model["coef"]["did"], abs=0.1 * model["se"]["did"])


def test_match_on_the_published_rows(low_carbon: tuple[pl.DataFrame, pl.DataFrame, Cohorts, dict[str, Any]]) -> None:
    """With the usual logit, scores correlate 0.998 with the published ones, and 1,862 of the 2,282 rows are matched too."""
    rows, published, policy, _ = low_carbon
    found = match(
        Panel(rows, "city_name", "year"), policy, CONTROLS, "nearest", by="year", caliper=0.05, distance_in="raw", scale="score",
        ties="first", support="none", weighted=False,
    )  # fmt: skip
    both = found.weights.rename({"unit": "city_name", "period": "year"}).join(
        published.select("city_name", pl.col("year").cast(pl.Int64), "pscore"), on=["city_name", "year"]
    )
    assert np.corrcoef(both["score"], both["pscore"])[0, 1] > 0.997
    assert (found.panel.frame.height, both.filter(pl.col("weight") > 0).height) == (2273, 1862)
    assert found.panel.weight is None
    assert [f.code for f in found.findings] == ["covariate-after-treatment"]
