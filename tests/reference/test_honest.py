"""Against R's HonestDiD 0.2.6 (values and calls in ../shared/reference/honest.json).

HonestDiD tests a grid of values and reports the outermost accepted ones. On the same grid, and with the same random draws for the
least-favourable critical value (R's generator is repeated here), the conditional and C-LF intervals are the same points in every record.
Without that, ours differ from R's by less than a grid step plus the noise of a 0.995 quantile of 1000 draws.

Its fixed-length intervals use a folded-normal quantile simulated with 10⁶ draws (0.12 % too large at mean zero) and an optimum found by bisection
on numerical derivatives of a solver's answer. Ours are exact: half-lengths agree to 0.2 % and are never longer than R's would be with
an exact quantile; centres agree to 2 % of the half-length, because the optimum is flat. C-F inherits that from its first stage.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import special

from hinterland.evaluate.honest.conditional import Hybridisation, Moments, acceptable, make_moments, p_margin
from hinterland.evaluate.honest.flci import frontier, shortest
from hinterland.evaluate.honest.intervals import Problem, interval, make_problem
from hinterland.evaluate.honest.restrictions import Shape, polyhedra, second_differences

Floats = NDArray[np.float64]
FOLDER = Path(__file__).resolve().parents[3] / "shared" / "reference"
KAPPA = 0.005


def _records() -> dict[str, dict[str, Any]]:
    file = FOLDER / "honest.json"
    return {r["id"]: r for r in json.loads(file.read_text())} if file.exists() else {}


RECORDS = _records()
RUNS = [k for k in RECORDS if "Delta" in RECORDS[k]["values"] and "original" not in k]


def _of(key: str, *methods: str) -> bool:
    return RECORDS[key]["values"]["method"][0] in methods


@cache
def normals(count: int) -> Floats:
    """``rnorm(count)`` after ``set.seed(0)`` in R: Mersenne Twister, inversion."""
    state = 0
    for _ in range(50):
        state = (69069 * state + 1) % 2**32
    words = []
    for _ in range(625):
        state = (69069 * state + 1) % 2**32
        words.append(state)
    generator = np.random.MT19937()
    fresh: Any = generator.state
    fresh["state"]["key"], fresh["state"]["pos"] = np.array(words[1:], dtype=np.uint32), 624
    generator.state = fresh
    uniform = np.clip(generator.random_raw(2 * count) * 2.3283064365386963e-10, 2.328306437080797e-10, 1 - 2.328306437080797e-10)
    return np.asarray(special.ndtri((np.floor(134217728 * uniform[0::2]) + uniform[1::2]) / 134217728))


def critical_value(moments: Moments) -> float:
    """R's least-favourable critical value: 1000 draws from N(0, Var Y) by the symmetric root, as ``mvtnorm::rmvnorm`` does."""
    size = len(moments.level)
    values, vectors = np.linalg.eigh(moments.vcov)
    draws = normals(1000 * size).reshape(1000, size) @ ((vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T)
    return float(np.quantile((draws @ moments.vertices.T).max(axis=1), 1 - KAPPA))


def parse(key: str) -> tuple[Problem, list[float]]:
    _, data, what, estimand, *_ = [*key.split("/"), ""]
    given = RECORDS[f"honest/{data}/input"]["values"]
    pre, post = given["numPrePeriods"], given["numPostPeriods"]
    weights = np.eye(post)[0] if estimand == "first" else np.full(post, 1 / post)
    kind = "smoothness-relative" if "SDRM" in what else "relative-magnitude" if "relative" in what else "smoothness"
    last: Any = what.split("_")[-1]
    bias = last if last in ("positive", "negative") else None
    monotone = last if last in ("increasing", "decreasing") else None
    values = RECORDS[key]["values"]
    shape = Shape(kind, pre, post, bias, monotone)  # type: ignore[arg-type]
    problem = make_problem(
        np.array(given["betahat"]), np.array(given["sigma"]), weights, shape, values["method"][0].lower(), level=0.95, draws=10_000, seed=0
    )
    return problem, values.get("M", values.get("Mbar"))


def grid_of(key: str, problem: Problem, bound: float) -> Floats:
    if "widegrid" in key:
        return np.linspace(-1, 1, 2000)
    low = high = 0.0
    if not problem.shape.relative and bound > 0:
        polyhedron = polyhedra(problem.shape, bound)[0]
        low, high = acceptable(make_moments(polyhedron, 0 * problem.estimates, problem.vcov, problem.weights, complete=True), 0.0)
    return np.linspace(low - 20 * problem.std_error, high + 20 * problem.std_error, 1000)


@pytest.mark.parametrize("key", [k for k in RUNS if _of(k, "C-LF", "Conditional")])
def test_the_same_points_of_the_same_grid_are_accepted(key: str) -> None:
    problem, bounds = parse(key)
    values = RECORDS[key]["values"]
    for bound, low, high in zip(bounds, values["lb"], values["ub"], strict=True):
        theta = grid_of(key, problem, bound)
        accepted = np.zeros(len(theta), dtype=bool)
        for polyhedron in polyhedra(problem.shape, bound):
            moments = make_moments(polyhedron, problem.estimates, problem.vcov, problem.weights, complete=True)
            first = (
                Hybridisation("none")
                if problem.method == "conditional"
                else Hybridisation("least-favourable", KAPPA, critical_value(moments))
            )
            accepted |= p_margin(moments, theta, 0.05, first)[0] >= 0
        ends = theta[accepted]
        assert abs(ends.min() - low) < 1e-9
        assert abs(ends.max() - high) < 1e-9


@pytest.mark.parametrize("key", [k for k in RUNS if _of(k, "C-LF", "Conditional")])
def test_intervals_agree_to_the_grid_and_the_noise_of_the_critical_value(key: str) -> None:
    problem, bounds = parse(key)
    values = RECORDS[key]["values"]
    for bound, low, high in zip(bounds, values["lb"], values["ub"], strict=True):
        found, theta = interval(problem, bound), grid_of(key, problem, bound)
        tolerance = (theta[1] - theta[0]) + 0.06 * problem.std_error
        # R's grid ends at 20 standard errors and cuts some of its intervals off there: ours go on.
        assert abs(found.low - low) < tolerance or low < theta[1]
        assert abs(found.high - high) < tolerance or (high > theta[-2] and found.high > high)


@pytest.mark.parametrize("key", [k for k in RUNS if _of(k, "FLCI")])
def test_fixed_length_intervals(key: str) -> None:
    problem, bounds = parse(key)
    values = RECORDS[key]["values"]
    for bound, low, high in zip(bounds, values["lb"], values["ub"], strict=True):
        found = interval(problem, bound)
        half, theirs = (found.high - found.low) / 2, (high - low) / 2
        assert half == pytest.approx(theirs, rel=2e-3)
        assert (found.low + found.high) / 2 == pytest.approx((low + high) / 2, abs=0.02 * half)


def test_fixed_length_interval_with_the_simulated_quantile() -> None:
    """At M = 0 the estimator is that of least variance, so with R's simulated quantile the interval is R's up to its solver."""
    draws = np.abs(normals(10**6))
    for key in (k for k in RUNS if _of(k, "FLCI")):
        problem, bounds = parse(key)
        values = RECORDS[key]["values"]
        assert bounds[0] == 0
        path = frontier(problem.vcov, problem.weights, problem.shape.pre)
        found = shortest(path, problem.estimates, problem.weights, 0.0, 0.95, quantile=lambda level, _: float(np.quantile(draws, level)))
        assert found.estimate - found.half_length == pytest.approx(values["lb"][0], abs=2e-4 * found.half_length)
        assert found.half_length == pytest.approx((values["ub"][0] - values["lb"][0]) / 2, rel=1e-6)


@pytest.mark.parametrize("key", [k for k in RUNS if _of(k, "C-F")])
def test_conditional_fixed_length_hybrid(key: str) -> None:
    problem, bounds = parse(key)
    values = RECORDS[key]["values"]
    for bound, low, high in zip(bounds, values["lb"], values["ub"], strict=True):
        found = interval(problem, bound)
        assert found.low == pytest.approx(low, abs=0.025 * problem.std_error)
        assert found.high == pytest.approx(high, abs=0.025 * problem.std_error)


@pytest.mark.parametrize("data", ["BC", "mpdta"])
def test_original_interval_and_largest_second_difference(data: str) -> None:
    if not RECORDS:
        pytest.skip("needs ../shared/reference beside the project")
    for estimand in ("first", "avg"):
        values = RECORDS[f"honest/{data}/original/{estimand}"]["values"]
        problem, _ = parse(f"honest/{data}/smoothness/{estimand}/FLCI")
        assert problem.estimate - 1.959963984540054 * problem.std_error == pytest.approx(values["lb"][0], rel=1e-6)
        assert problem.estimate + 1.959963984540054 * problem.std_error == pytest.approx(values["ub"][0], rel=1e-6)
    pre = problem.shape.pre
    rows = second_differences(pre, problem.shape.post)[: pre - 1]
    error = np.sqrt(np.diag(rows @ problem.vcov @ rows.T))
    upper = (np.abs(rows @ problem.estimates) + 1.6448536269514722 * error).max()
    assert upper == pytest.approx(RECORDS[f"honest/{data}/Mpre_bounds"]["values"]["upper"], rel=1e-6)
