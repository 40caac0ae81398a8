"""Selection on unobservables: the formulae recover a known degree of selection; two-way fixed effects are taken out first."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from hinterland.errors import EstimationError
from hinterland.evaluate.design import make_design
from hinterland.evaluate.estimate import fit
from hinterland.evaluate.oster import Moments, adjusted, oster, relative_selection


def population(a: float, b: float, s1: float, s2: float, beta: float) -> tuple[Moments, float]:
    """X = a W1 + b W2 + e, Y = beta X + W1 + W2 with W1, W2, e uncorrelated: relative selection is (b s2 / s2) / (a s1 / s1) = b / a."""
    x, cov1, cov2 = a * a * s1 + b * b * s2 + 1, a * s1, b * s2
    with_y = beta * x + cov1 + cov2
    y = beta**2 * x + s1 + s2 + 2 * beta * (cov1 + cov2)
    short = with_y / x
    gram, moment = np.array([[x, cov1], [cov1, s1]]), np.array([with_y, beta * cov1 + s1])
    long = np.linalg.solve(gram, moment)
    explained_short, explained_long = short * with_y, long @ moment
    return Moments(short, float(long[0]), explained_long - explained_short, y - explained_long, x, x - cov1**2 / s1), b / a


@pytest.mark.parametrize(
    ("a", "b", "s1", "s2", "beta"), [(0.7, 0.3, 1, 2, 1.0), (0.5, 0.5, 1, 1, 0.0), (0.6, 0.9, 2, 0.5, -1.0), (0.4, -0.2, 1, 1, 2.0)]
)
def test_known_selection_is_recovered(a: float, b: float, s1: float, s2: float, beta: float) -> None:
    moments, delta = population(a, b, s1, s2, beta)
    assert relative_selection(moments, beta) == pytest.approx(delta, rel=1e-9)
    _, solutions, _ = adjusted(moments, delta)
    assert np.abs(solutions - beta).min() == pytest.approx(0, abs=1e-8)


def test_quadratic_by_hand() -> None:
    """delta = 1: the cubic loses its first term; ν solves -τσ_x²(β̇-β̃)ν² + (missing(σ_x²-τ) - gained τ - σ_x²τ(β̇-β̃)²)ν + missing σ_x²(β̇-β̃) = 0."""
    m = Moments(short=0.5, long=0.4, gained=0.2, missing=0.1, treatment=1.0, residual=0.8)
    b = 0.1 * 0.2 - 0.2 * 0.8 - 1.0 * 0.8 * 0.01
    a, c = -0.8 * 0.1, 0.1 * 0.1
    roots = sorted([(-b + s * np.sqrt(b * b - 4 * a * c)) / (2 * a) for s in (1, -1)])
    value, solutions, direction = adjusted(m, 1.0)
    assert sorted(0.4 - solutions) == pytest.approx(roots)
    assert direction
    assert value == pytest.approx(0.4 - min(r for r in roots if r > 0))
    assert relative_selection(m, value) == pytest.approx(1.0, rel=1e-9)


def test_adjusted_estimate_has_the_selection_it_was_given() -> None:
    m = Moments(short=0.5, long=0.4, gained=0.2, missing=0.05, treatment=1.0, residual=0.8)
    for delta in (0.5, 1.0, 1.5):
        assert relative_selection(m, adjusted(m, delta)[0]) == pytest.approx(delta, rel=1e-8)
    assert adjusted(m, 0.0)[0] == pytest.approx(0.4)


def test_design(toy: Any) -> None:
    data = toy(units=80, periods=8, seed=1)
    design = make_design(data.panel, "y", data.policy, covariates=["x", "z"])
    plain = make_design(data.panel, "y", data.policy)
    found = oster(design)
    long, short = fit(design, "twfe"), fit(plain, "twfe")
    assert found.estimate_long == pytest.approx(long.estimate[0])
    assert found.estimate_short == pytest.approx(short.estimate[0])
    assert found.r2_long == pytest.approx(long.meta["r2_within"])
    assert found.r2_short == pytest.approx(short.meta["r2_within"])
    assert found.r_max == pytest.approx(min(1, 1.3 * found.r2_long))
    overall = oster(design, r2="overall", r_max=0.99)
    assert overall.r2_long == pytest.approx(long.meta["r2"])
    assert found.low <= found.estimate_long <= found.high
    assert found.tidy().height == 1


def test_overall_and_within_are_one_scale(toy: Any) -> None:
    """The same missing variance, written as a share of either variance, gives the same answer."""
    data = toy(units=60, seed=2)
    design = make_design(data.panel, "y", data.policy, covariates=["x"])
    within = oster(design, r_max=0.9)
    total, inside = (oster(design, r2=r, r_max=1.0) for r in ("overall", "within"))  # type: ignore[arg-type]
    ratio = (1 - total.r2_long) / (1 - inside.r2_long)
    same = oster(design, r2="overall", r_max=1 - 0.1 * ratio)
    assert same.delta == pytest.approx(within.delta, rel=1e-9)
    assert same.adjusted == pytest.approx(within.adjusted, rel=1e-9)


def test_weights_are_replication(toy: Any) -> None:
    import polars as pl

    from hinterland.data.panel import Panel

    data = toy(units=30, seed=3)
    doubled = data.panel.frame.with_columns(k=pl.when(pl.col("unit") < "u015").then(2.0).otherwise(1.0))
    weighted = make_design(Panel(doubled, "unit", "year", weight="k"), "y", data.policy, covariates=["x"])
    copies = pl.concat([doubled, doubled.filter(pl.col("k") == 2).with_columns(unit=pl.col("unit") + "b")]).sort("unit", "year")
    cohorts = data.policy.table
    extra = cohorts.filter(pl.col("unit") < "u015").with_columns(unit=pl.col("unit") + "b")
    from dataclasses import replace

    policy = replace(data.policy, table=pl.concat([cohorts, extra]))
    plain = make_design(Panel(copies, "unit", "year"), "y", policy, covariates=["x"])
    one, two = oster(weighted), oster(plain)
    assert (one.delta, one.adjusted) == pytest.approx((two.delta, two.adjusted), rel=1e-9)


def test_covariates_that_say_nothing(toy: Any) -> None:
    import polars as pl

    from hinterland.data.panel import Panel

    data = toy(units=30)
    frame = data.panel.frame.with_columns(fixed=pl.col("unit").str.slice(1).cast(pl.Float64))
    found = oster(make_design(Panel(frame, "unit", "year"), "y", data.policy, covariates=["fixed"]))
    assert found.adjusted == pytest.approx(found.estimate_long)
    assert "oster-not-defined" in {n.code for n in found.notes}


def test_what_is_refused(toy: Any) -> None:
    data = toy(units=30)
    plain = make_design(data.panel, "y", data.policy)
    with pytest.raises(EstimationError, match="no covariates"):
        oster(plain)
    design = make_design(data.panel, "y", data.policy, covariates=["x"])
    for options in ({"r_max": 1.2}, {"r_max": 0.0}, {"r2": "adjusted"}, {"beta": float("inf")}):
        with pytest.raises(EstimationError):
            oster(design, **options)
