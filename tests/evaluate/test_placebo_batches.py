"""Batched placebos of imputation and Poisson, and draws that are fits of their own: each equals a loop over the estimator itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.testing import assert_allclose

import hinterland as hl
from hinterland.data.world import simulate
from hinterland.errors import EstimationError
from hinterland.evaluate.design import Design, make_design
from hinterland.evaluate.estimate import fit
from hinterland.evaluate.permutation import assignment_codes, make_scheme, permutations
from hinterland.evaluate.placebo_space import placebo_space
from hinterland.evaluate.placebo_time import placebo_time
from hinterland.evaluate.randomisation_loop import target

Make = Callable[..., Any]
DRAWS = 12


def loop(design: Design, method: str, draws: int = DRAWS, **options: Any) -> np.ndarray:
    """[1 + draws, 2] estimate and t statistic under each permutation, by the estimator itself; NaN where it has none."""
    code = assignment_codes(design)
    first = dict(zip(*np.unique(code, return_index=True), strict=True))
    out = []
    for row in np.concatenate(list(permutations(make_scheme(code), draws, 3, 5))):
        donor = np.array([first[c] for c in row])
        try:
            effects = target(fit(replace(design, cohort=design.cohort[donor], dose=design.dose[donor]), method, **options), None)
            out.append((float(effects.estimate[0]), float(effects.statistic[0])))
        except EstimationError:
            out.append((np.nan, np.nan))
    return np.array(out)


def assert_batch_equals_loop(design: Design, method: str, rtol: float = 1e-9) -> None:
    result = placebo_space(design, method, draws=DRAWS, seed=3)
    assert "placebo-fits" not in {n.code for n in result.notes}
    expected = loop(design, method)
    assert_allclose(result.draws["estimate"].to_numpy(), expected[:, 0], rtol=rtol, atol=1e-11)
    assert_allclose(result.draws["statistic"].to_numpy(), expected[:, 1], rtol=rtol * 10, atol=1e-10)
    assert len(set(np.round(expected[:, 0], 8))) > DRAWS // 2


@pytest.mark.filterwarnings("ignore::hinterland.errors.HinterlandWarning")
@pytest.mark.parametrize("anticipation", [0, 1])
@pytest.mark.parametrize("cluster", [None, "region"])
@pytest.mark.parametrize(
    "starts",
    [
        (2004, 2006, None, None),
        (2003, 2004, 2006, 2008, None),
        (2004, 2006, 2010, 2010),  # untreated to the end: one cohort after the panel
        (2001, 2004, 2006, None),  # one cohort without a period before
    ],
)
def test_imputation_batch_equals_a_loop_over_fits(
    toy: Make, starts: tuple[int | None, ...], cluster: str | None, anticipation: int
) -> None:
    made = toy(units=48, starts=starts)
    design = make_design(made.panel, "y", made.policy, cluster=cluster, anticipation=anticipation)
    if (design.cohort <= design.periods[0] + anticipation).any():
        design = design.take(~(design.cohort <= design.periods[0] + anticipation)[design.unit])
    assert_batch_equals_loop(design, "imputation")


@pytest.mark.parametrize("cluster", [None, "region"])
@pytest.mark.parametrize("starts", [(2004, 2006, None, None), (2001, 2004, 2006, None)])
def test_poisson_batch_equals_a_loop_over_fits(toy: Make, starts: tuple[int | None, ...], cluster: str | None) -> None:
    """Tolerance: the estimator stops when the deviance changes by less than 1e-11 of itself, the batch at steps below 1e-10."""
    made = toy(units=48, starts=starts)
    panel = made.panel.with_columns(count=pl.when(pl.col("unit").is_in(["u003", "u010"])).then(0).otherwise(pl.col("count")))
    assert_batch_equals_loop(make_design(panel, "count", made.policy, cluster=cluster), "ppml", rtol=1e-6)


def test_poisson_batch_with_shares_covered_and_a_year_of_zeros(toy: Make) -> None:
    made = toy(units=36, starts=(2004, 2006, None))
    doses = made.policy.table.with_columns(dose=pl.when(pl.col("unit").str.slice(1).cast(pl.Int64) % 2 == 0).then(0.5).otherwise(1.0))
    policy = replace(made.policy, table=doses, partial="dose")
    panel = made.panel.with_columns(count=pl.when(pl.col("year") == 2002).then(0).otherwise(pl.col("count")))
    assert_batch_equals_loop(make_design(panel, "count", policy), "ppml", rtol=1e-6)


def test_poisson_draws_that_are_separated_are_not_counted(toy: Make) -> None:
    """Where the treated cells of a draw hold zeros only, no coefficient exists."""
    made = toy(units=24, starts=(2007, *[None] * 7))
    positive = (pl.col("year") < 2007) | pl.col("unit").is_in(["u000", "u001", "u002", "u003", "u004", "u005", "u006", "u007", "u008"])
    panel = made.panel.with_columns(count=pl.when(positive).then(1 + pl.col("count")).otherwise(0))
    design = make_design(panel, "count", made.policy)
    result = placebo_space(design, "ppml", draws=60, seed=3)
    expected = loop(design, "ppml", 60)
    lost = ~np.isfinite(expected[:, 0])
    assert 0 < lost.sum() < 50
    assert (result.draws["estimate"].is_null().to_numpy() == lost).all()
    assert_allclose(result.draws["estimate"].to_numpy()[~lost], expected[~lost, 0], rtol=1e-6)
    assert next(n for n in result.notes if n.code == "placebo-undefined").values["count"] == int(lost.sum())


@pytest.mark.parametrize("options", [{}, {"covariates": "~ x"}, {"fe": ["region^year"]}])
def test_two_way_clusters_of_twfe_are_a_batch(toy: Make, options: dict[str, Any]) -> None:
    made = toy()
    design = make_design(made.panel, "y", made.policy, cluster=["unit", "year"], **options)
    result = placebo_space(design, "twfe", draws=DRAWS, seed=3)
    assert "placebo-fits" not in {n.code for n in result.notes}
    assert result.meta["cluster"] == "unit + year"
    expected = loop(design, "twfe")
    assert_allclose(result.draws["estimate"], expected[:, 0], rtol=1e-9)
    defined = result.draws["statistic"].is_not_null().to_numpy()
    assert defined.sum() > DRAWS // 2
    assert_allclose(result.draws["statistic"].to_numpy()[defined], expected[defined, 1], rtol=1e-7)


@pytest.mark.parametrize(
    ("method", "world", "arguments", "options", "reason"),
    [
        ("callaway-santanna", {"drop": 0.05}, {}, {}, "not-batched"),
        ("callaway-santanna", {"weight": True}, {"covariates": "~ x"}, {}, "not-batched"),
        ("imputation", {}, {"covariates": "~ x"}, {}, "not-batched"),
        ("imputation", {}, {"cluster": ["unit", "region"]}, {}, "not-batched"),
        ("imputation", {"starts": (2003, 2005, 2007)}, {}, {}, "not-batched"),  # periods without an untreated unit
        ("imputation", {}, {}, {"variance_groups": "cohort"}, "own-options"),
        ("two-stage", {}, {}, {}, "no-batch"),
        ("sun-abraham", {}, {}, {}, "no-batch"),
    ],
)
def test_other_draws_are_fits_of_their_own(
    toy: Make, method: str, world: dict[str, Any], arguments: dict[str, Any], options: dict[str, Any], reason: str
) -> None:
    made = toy(**world)
    result = hl.placebo(made.panel, "y", made.policy, method, draws=500, fits=DRAWS, seed=3, **arguments, **options)
    note = next(n for n in result.notes if n.code == "placebo-fits")
    assert (note.values["draws"], note.values["asked"], note.values["reason"]) == (DRAWS, 500, reason)
    assert reason not in note.text("en")
    expected = loop(make_design(made.panel, "y", made.policy, **arguments), method, **options)
    assert_allclose(result.draws["estimate"], expected[:, 0], rtol=1e-9)
    smaller = np.abs(expected[1:, 0]) >= abs(expected[0, 0])
    assert result.p_exact == pytest.approx((1 + smaller.sum()) / (1 + DRAWS))


@pytest.mark.parametrize("method", ["imputation", "ppml"])
def test_size_is_right_under_the_null(toy: Make, method: str) -> None:
    """The share of exact p-values up to 0.1 is binomial(120, 0.1), up to the 0.1 % tails."""
    small = 0
    for seed in range(120):
        made = toy(units=24, periods=6, seed=seed, effect=0.0, starts=(2003, 2005, None, None, None, None))
        outcome = "z" if method == "imputation" else "count"
        panel = made.panel.with_columns(count=pl.Series(np.random.default_rng(seed).poisson(2, made.panel.frame.height)))
        small += placebo_space(make_design(panel, outcome, made.policy), method, draws=99, seed=seed).p_exact_statistic <= 0.1
    assert 3 <= small <= 24


@pytest.mark.parametrize(("method", "outcome"), [("imputation", "ln_inventions"), ("ppml", "inventions")])
def test_permutations_of_the_packaged_world_are_centred(method: str, outcome: str) -> None:
    """Counts are carried by few large cities, so that their permutations are wide; the log is not."""
    world = simulate()
    result = placebo_space(make_design(world.panel, outcome, world.policy), method, draws=1000)
    assert result.n_draws == 1000
    assert abs(result.draws["estimate"][1:].mean()) < 0.2 * result.sd_draws  # type: ignore[operator]  # a column of floats
    assert (result.p_exact < 0.05) == (method == "imputation")


@pytest.mark.parametrize(("method", "outcome"), [("imputation", "y"), ("two-stage", "y"), ("ppml", "count"), ("event-study", "y")])
def test_time_placebo_uses_only_rows_before_adoption(toy: Make, method: str, outcome: str) -> None:
    made = toy(units=60, periods=10, starts=(2005, 2007, None))
    adopted = (pl.col("unit").str.slice(1).cast(pl.Int64) % 3 == 0) & (pl.col("year") >= 2005)
    spoiled = made.panel.with_columns(pl.when(adopted).then(1000).otherwise(pl.col(outcome)).alias(outcome))
    one, two = (placebo_time(make_design(p, outcome, made.policy), method, shifts=(2, 3)) for p in (made.panel, spoiled))
    assert_allclose(one.shifts["estimate"], two.shifts["estimate"], rtol=1e-8)
