"""Stacked differences-in-differences: against weighted least squares on the stack itself, properties, truth in simulated panels, bad input."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from recording import Recorder

sys.path.insert(0, str(Path(__file__).parent))

import saturated_worlds as worlds
import staggered as world

from hinterland.errors import EstimationError
from hinterland.evaluate.design import Design
from hinterland.evaluate.estimate import fit as fit_method
from hinterland.evaluate.stacked import fit
from hinterland.evaluate.stacked_experiments import Tensor, Window, balance, make_stack

FRAME = world.make_frame(80, 9, seed=4, cohorts=(4, 5, 6, 8, None, None))
GAPS = FRAME.filter(pl.Series(np.random.default_rng(1).uniform(size=len(FRAME)) > 0.05))


@dataclass(frozen=True)
class Physical:
    """The stack as rows: ``stack`` is the number of the sub-experiment, ``event`` the position of the event time."""

    y: worlds.Floats
    x: worlds.Floats
    weight: worlds.Floats
    unit: Any
    stack: Any
    event: Any
    treated: Any


def build(design: Design, corrective: bool) -> Physical:
    tensor = Tensor.of(design)
    stack = make_stack(design, tensor, Window(np.arange(-2, 3), 1))
    parts = []
    for a, (e, q) in enumerate(zip(stack, balance(stack, corrective), strict=True)):
        for m, unit in enumerate(e.units):
            treated = m < e.n_treated
            parts += [
                (tensor.y[unit, c], e.weight[m] * (1 if treated else q), unit, a, i, treated, *tensor.x[:, unit, c])
                for i, c in enumerate(e.columns)
            ]
    table = np.array(parts, dtype=np.float64)
    whole = table[:, 2:6].astype(np.int64)
    return Physical(table[:, 0], table[:, 6:], table[:, 1], whole[:, 0], whole[:, 1], whole[:, 2], whole[:, 3] == 1)


def regress(rows: Physical, columns: worlds.Floats, count: int, parameters: int) -> tuple[worlds.Floats, worlds.Floats]:
    """Weighted least squares, clustered by unit with fixest's small-sample factor, of the first ``count`` columns."""
    bread = np.linalg.pinv(columns.T @ (columns * rows.weight[:, None]))
    beta = bread @ (columns.T @ (rows.weight * rows.y))
    scores = np.zeros((int(rows.unit.max()) + 1, columns.shape[1]))
    np.add.at(scores, rows.unit, columns * (rows.weight * (rows.y - columns @ beta))[:, None])
    half = (scores @ bread)[:, :count]
    n, groups = len(rows.y), len(np.unique(rows.unit))
    return beta[:count], half.T @ half * (n - 1) / (n - parameters) * groups / (groups - 1)


def indicators(codes: Any) -> worlds.Floats:
    return np.eye(int(codes.max()) + 1)[codes]


def by_stack(rows: Physical, common: bool) -> tuple[worlds.Floats, worlds.Floats]:
    """Effects by stack and event time (or by event time only) beside unit-by-stack and event-by-stack effects."""
    events = [0, 2, 3, 4]
    stacks = range(int(rows.stack.max()) + 1)
    if common:
        cells = [rows.treated & (rows.event == e) for e in events]
    else:
        cells = [rows.treated & (rows.stack == a) & (rows.event == e) for a in stacks for e in events]
    unit = np.unique(rows.stack * 10000 + rows.unit, return_inverse=True)[1]
    period = rows.stack * 5 + rows.event
    columns = np.column_stack([np.column_stack(cells).astype(np.float64), rows.x, indicators(unit), indicators(period)])
    return regress(rows, columns, len(cells), len(cells) + rows.x.shape[1] + 5 * len(stacks))


@pytest.mark.parametrize(
    ("frame", "weight", "options", "corrective"),
    [
        (FRAME, None, {}, True),
        (FRAME, None, {"covariates": "~ v"}, True),
        (FRAME, "w", {"covariates": "~ v"}, True),
        (FRAME, "w", {"covariates": "~ v"}, False),
        (GAPS, "w", {"covariates": "~ v", "comparison": "not-yet-treated"}, True),
    ],
)
def test_equals_weighted_least_squares_on_the_stack(
    frame: pl.DataFrame, weight: str | None, options: dict[str, Any], corrective: bool
) -> None:
    design = worlds.design_of(frame, weight=weight, **options)
    effects = fit(design, kappa_pre=2, kappa_post=2, weighting="corrective" if corrective else "none")
    estimate, vcov = by_stack(build(design, corrective), common=False)
    own = ~effects.terms.reference
    np.testing.assert_allclose(effects.estimate[own], estimate, atol=1e-9)
    np.testing.assert_allclose(effects.vcov[np.ix_(own, own)], vcov, rtol=1e-7, atol=1e-12)


@pytest.mark.parametrize("corrective", [True, False])
def test_averages_are_the_coefficients_of_one_event_study_on_the_stack(corrective: bool) -> None:
    design = worlds.design_of(FRAME, comparison="not-yet-treated")
    effects = fit(design, kappa_pre=2, kappa_post=2, weighting="corrective" if corrective else "none").aggregate("event-time")
    estimate, _ = by_stack(build(design, corrective), common=True)
    np.testing.assert_allclose(effects.estimate[~effects.terms.reference], estimate, atol=1e-10)


def test_pooled_effects_equal_weighted_least_squares_on_the_stack() -> None:
    design = worlds.design_of(FRAME, weight="w", comparison="not-yet-treated")
    effects = fit(design, kappa_pre=2, kappa_post=2, effects="pooled")
    rows = build(design, True)
    others = [0, 2, 3, 4]
    time = np.column_stack([rows.event == e for e in others]).astype(np.float64)
    treated = rows.treated.astype(np.float64)[:, None]
    columns = np.column_stack([time * treated, time, treated, np.ones(len(rows.y))])
    estimate, vcov = regress(rows, columns, 4, 10)
    own = ~effects.terms.reference
    np.testing.assert_allclose(effects.estimate[own], estimate, atol=1e-10)
    np.testing.assert_allclose(effects.vcov[np.ix_(own, own)], vcov, rtol=1e-9)
    np.testing.assert_allclose(estimate, fit(design, kappa_pre=2, kappa_post=2).aggregate("event-time").estimate[own], atol=1e-10)
    assert np.isfinite(effects.aggregate("overall").std_error).all()


def test_what_is_left_out_is_noted() -> None:
    effects = fit(worlds.design_of(GAPS), kappa_pre=2, kappa_post=2)
    notes = {n.code: n for n in effects.notes}
    assert {"stacked-outside", "stacked-gaps"} <= notes.keys()
    assert notes["stacked-outside"].values["cohorts"] == "8"
    assert effects.meta["cohorts"] == [4, 5, 6]


def test_anticipation_widens_the_window_and_moves_the_reference() -> None:
    effects = fit(world.make(FRAME, anticipation=1), kappa_pre=2, kappa_post=1)
    assert sorted(set(effects.terms.event_time.tolist())) == [-3, -2, -1, 0, 1]
    assert set(effects.terms.event_time[effects.terms.reference].tolist()) == {-2}


def test_invariances() -> None:
    plain = fit(world.make(GAPS, covariates="~ v"), kappa_pre=2, kappa_post=2)
    moved = GAPS.with_columns(
        unit=pl.col("unit").rank("dense").cast(pl.Int64) * 7 % 131,
        y=3 * (pl.col("y") + pl.col("year").sin() + pl.col("unit").rank("dense")),
        v=5 - 2 * pl.col("v"),
    ).sample(fraction=1, shuffle=True, seed=1)
    other = fit(world.make(moved, covariates="~ v"), kappa_pre=2, kappa_post=2)
    np.testing.assert_allclose(other.estimate, 3 * plain.estimate, atol=1e-9)
    np.testing.assert_allclose(other.std_error, 3 * plain.std_error, rtol=1e-9)


def test_weights_repeat_units() -> None:
    weighted = fit(world.make(FRAME, weight="w", covariates="~ v"), kappa_pre=2, kappa_post=2, ssc="none")
    copies = [FRAME.filter(pl.col("w") > k).with_columns(unit=pl.col("unit") + f"-{k}", origin=pl.col("unit")) for k in range(3)]
    many = fit(world.make(pl.concat(copies), covariates="~ v", cluster="origin"), kappa_pre=2, kappa_post=2, ssc="none")
    np.testing.assert_allclose(many.estimate, weighted.estimate, atol=1e-11)
    np.testing.assert_allclose(many.std_error, weighted.std_error, rtol=1e-9)


def test_two_groupings_come_from_the_influence_function() -> None:
    design = worlds.design_of(FRAME.with_columns(other=pl.col("unit").str.slice(-1)), cluster=["region", "other"])
    effects = fit_method(design, "stacked", kappa_pre=2, kappa_post=2)
    assert effects.meta["cluster_sizes"] == [15, 10]
    assert not effects.from_influence


@pytest.mark.parametrize(
    ("options", "own", "code"),
    [
        ({}, {"kappa_pre": 0}, "bad-window"),
        ({}, {"kappa_post": 2.5}, "bad-window"),
        ({}, {"kappa_pre": 8}, "no-experiment"),
        ({}, {"weighting": "equal"}, "unknown-value"),
        ({"covariates": "~ v"}, {"effects": "pooled"}, "not-defined"),
        ({}, {"share_variance": 1}, "unknown-value"),
        ({"cluster": "year"}, {}, "cluster-of-periods"),
    ],
)
def test_errors(options: dict[str, Any], own: dict[str, Any], code: str) -> None:
    with pytest.raises(EstimationError) as caught:
        fit(world.make(FRAME, **options), **own)
    assert caught.value.findings[0].code == code


@pytest.mark.validate
@pytest.mark.parametrize("effects", ["by-stack", "pooled"])
def test_bias_coverage_and_size(effects: Any, validated: Recorder) -> None:
    """Cohorts fixed over 1500 panels of 200 units; the truth is the mean effect of the stacked cohorts in the window, by treated units."""
    results = []
    for design, gain in worlds.draws(1500, 5):
        found = fit(replace(design, comparison="not-yet-treated"), kappa_pre=2, kappa_post=2, effects=effects).aggregate("overall")
        window = [gain[i, g - 1 : g + 2] for i, g in enumerate(design.cohort) if g in worlds.COHORTS]
        results.append((found.estimate[0] - np.mean(window), found.half_width()[0]))
    where = "effects differ by cohort and grow; AR(1) errors, 200 units × 8, other cohorts"
    validated("estimators", "stacked", where, variant=effects, seed=5).interval(*np.transpose(results), "overall")
