"""What must not matter, or must matter in a known way, on random panels: for every estimator that it concerns."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import hinterland as hl
from hinterland.errors import EstimationError, HinterlandWarning
from hinterland.evaluate.bacon import bacon
from hinterland.evaluate.design import make_design
from hinterland.evaluate.estimate import estimate, fit
from hinterland.evaluate.group_time import LEFT_OUT
from hinterland.evaluate.group_time_sample import make_scope
from hinterland.evaluate.placebo_space import placebo_space
from hinterland.evaluate.result import Effects

LINEAR = ("twfe", "event-study", "callaway-santanna")
METHODS = (*LINEAR, "ppml")
FEW = settings(max_examples=12, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", HinterlandWarning)
        yield


def random_frame(seed: int, units: int, periods: int, gaps: float, never: float) -> pl.DataFrame:
    """Columns unit, year, g (0 = never), x, y, n (counts), w (whole numbers, constant within units), block (4 units each)."""
    rng = np.random.default_rng(seed)
    unit, year = np.repeat(np.arange(units), periods), np.tile(np.arange(2000, 2000 + periods), units)
    starts = rng.choice(np.arange(2001, 2000 + periods), 2, replace=False)
    g = np.where(rng.random(units) < never, 0, rng.choice(starts, units))
    g[:6] = [0, 0, starts[0], starts[0], starts[1], starts[1]]
    x = rng.normal(size=len(unit))
    on = (g[unit] > 0) & (year >= g[unit])
    y = rng.normal(size=units)[unit] + 0.1 * (year - 2000) + on + 0.5 * x + rng.normal(size=len(unit))
    return pl.DataFrame(
        {
            "unit": unit,
            "year": year,
            "g": g[unit],
            "x": x,
            "y": y,
            "n": 1 + rng.poisson(np.exp(0.5 + 0.3 * on)),
            "w": rng.integers(1, 4, units)[unit],
            "block": unit // 4,
        }
    ).filter(pl.Series(rng.random(len(unit)) >= gaps))


FRAMES = st.builds(
    random_frame,
    seed=st.integers(0, 10_000),
    units=st.integers(18, 40),
    periods=st.integers(4, 7),
    gaps=st.sampled_from([0.0, 0.0, 0.1]),
    never=st.sampled_from([0.3, 0.6]),
)


def run(frame: pl.DataFrame, method: str, *, outcome: str = "", weight: str | None = None, **options: Any) -> Effects:
    panel = hl.read_panel(frame, unit="unit", time="year", weight=weight)
    name = outcome or ("n" if method == "ppml" else "y")
    try:
        return estimate(panel, name, hl.adoption(panel, "g"), method, **options)
    except EstimationError as error:
        known = {"event-times-not-identified", "reference-not-observed", "no-cell", "treatment-separated"}
        assume(not known & {f.code for f in error.findings})
        raise


def same(ours: Effects, theirs: Effects, *, scale: float = 1.0) -> None:
    assert ours.terms.name == theirs.terms.name
    size = float(np.nanmax(np.abs(theirs.estimate)))
    np.testing.assert_allclose(ours.estimate, scale * theirs.estimate, rtol=1e-7, atol=1e-9 * size * scale)
    np.testing.assert_allclose(ours.vcov, scale**2 * theirs.vcov, rtol=1e-6, atol=1e-10 * (scale * size) ** 2)


@FEW
@given(frame=FRAMES, method=st.sampled_from(METHODS), seed=st.integers(0, 99))
def test_row_order_does_not_matter(frame: pl.DataFrame, method: str, seed: int) -> None:
    same(run(frame.sample(fraction=1.0, shuffle=True, seed=seed), method, covariates="~ x"), run(frame, method, covariates="~ x"))


@FEW
@given(frame=FRAMES, method=st.sampled_from(METHODS))
def test_names_do_not_matter(frame: pl.DataFrame, method: str) -> None:
    renamed = frame.with_columns(unit=pl.format("城市{}", 1000 - pl.col("unit"))).rename({"y": "产出", "n": "专利"})
    outcome = "专利" if method == "ppml" else "产出"
    same(run(renamed, method, outcome=outcome, cluster="block"), run(frame, method, cluster="block"))


@FEW
@given(frame=FRAMES, method=st.sampled_from(LINEAR), seed=st.integers(0, 99))
def test_unit_and_period_effects_are_absorbed(frame: pl.DataFrame, method: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    shift = 10 * rng.normal(size=60)[frame["unit"].to_numpy()] + 10 * rng.normal(size=60)[frame["year"].to_numpy() - 2000]
    same(run(frame.with_columns(y=pl.col("y") + shift), method), run(frame, method))


@FEW
@given(frame=FRAMES, method=st.sampled_from(LINEAR), factor=st.sampled_from([1e-6, 1e-3, 1e6]))
def test_the_unit_of_measurement_scales(frame: pl.DataFrame, method: str, factor: float) -> None:
    scaled = frame.with_columns(y=pl.col("y") * factor, x=pl.col("x") * 1e4)
    ours, theirs = (run(f, method, covariates="~ x").take(np.array([0])) for f in (scaled, frame))
    assume(np.isfinite(theirs.estimate[0]))
    same(ours, theirs, scale=factor)


@FEW
@given(frame=FRAMES, method=st.sampled_from(METHODS))
def test_a_weight_counts_like_copies_of_the_unit(frame: pl.DataFrame, method: str) -> None:
    copies = pl.concat(frame.filter(pl.col("w") > k).with_columns(owner=pl.col("unit"), unit=pl.col("unit") + 1000 * k) for k in range(3))
    options: dict[str, Any] = {"ssc": "none"} if method != "callaway-santanna" else {}
    many = run(copies, method, cluster="owner", **options)
    same(run(frame, method, weight="w", **options), many)


@FEW
@given(frame=FRAMES, method=st.sampled_from(METHODS))
def test_constant_weights_do_not_matter(frame: pl.DataFrame, method: str) -> None:
    same(run(frame.with_columns(w=pl.lit(7.5)), method, weight="w", covariates="~ x"), run(frame, method, covariates="~ x"))


@FEW
@given(frame=FRAMES.filter(lambda f: f.height == f["unit"].n_unique() * f["year"].n_unique()), method=st.sampled_from(METHODS))
def test_the_path_for_gaps_agrees_with_the_balanced_one(frame: pl.DataFrame, method: str) -> None:
    """A unit seen once adds nothing to a within estimate, but sends the fit down the path for unbalanced panels."""
    alone = frame.head(1).with_columns(unit=pl.lit(9999, pl.Int64), g=pl.lit(0, frame["g"].dtype))
    options: dict[str, Any] = {"unbalanced": "balance"} if method == "callaway-santanna" else {}
    ours, theirs = run(pl.concat([frame, alone]), method, **options), run(frame, method)
    np.testing.assert_allclose(ours.estimate, theirs.estimate, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(ours.std_error, theirs.std_error, rtol=1e-8)


@FEW
@given(frame=FRAMES, comparison=st.sampled_from(["never-treated", "not-yet-treated"]), weight=st.sampled_from([None, "w"]))
def test_aggregates_are_consistent(frame: pl.DataFrame, comparison: str, weight: str | None) -> None:
    effects = run(frame, "callaway-santanna", comparison=comparison, weight=weight)
    means = {kind: effects.aggregate(kind) for kind in ("event-time", "cohort", "calendar")}
    post = means["event-time"].terms.event_time >= 0
    event = means["event-time"]
    np.testing.assert_allclose(event.aggregate("overall").estimate[0], event.estimate[post].mean(), rtol=1e-10)
    np.testing.assert_allclose(event.vcov, event.influence.T @ event.influence, rtol=1e-10, atol=1e-14)
    for g, ours in zip(means["cohort"].terms.cohort, means["cohort"].estimate, strict=True):
        cells = (effects.terms.cohort == g) & (effects.terms.time >= g) & np.isfinite(effects.estimate)
        np.testing.assert_allclose(ours, effects.estimate[cells].mean(), rtol=1e-10)
    low, high = np.nanmin(effects.estimate), np.nanmax(effects.estimate)
    assert all(low - 1e-12 <= v <= high + 1e-12 for m in means.values() for v in m.estimate)


@FEW
@given(frame=FRAMES.filter(lambda f: f.height == f["unit"].n_unique() * f["year"].n_unique()), covariates=st.sampled_from([None, "~ x"]))
def test_the_decomposition_sums_to_the_coefficient(frame: pl.DataFrame, covariates: str | None) -> None:
    panel = hl.read_panel(frame, unit="unit", time="year")
    design = make_design(panel, "y", hl.adoption(panel, "g"), covariates=covariates)
    parts = bacon(design)
    np.testing.assert_allclose(parts.table["weight"].sum(), 1, rtol=1e-12)
    np.testing.assert_allclose(parts.estimate, fit(design, "twfe").estimate[0], rtol=1e-9)


@settings(FEW, max_examples=5)
@given(frame=FRAMES, method=st.sampled_from(["twfe", "callaway-santanna"]))
def test_the_first_placebo_draw_is_the_estimate(frame: pl.DataFrame, method: str) -> None:
    whole = frame.filter(pl.len().over("unit") == pl.col("year").n_unique()) if method == "callaway-santanna" else frame
    panel = hl.read_panel(whole, unit="unit", time="year")
    policy = hl.adoption(panel, "g")
    design = make_design(panel, "y", policy)
    effects = fit(design, method)
    overall = effects.take(np.array([0])) if method == "twfe" else effects.aggregate("overall")
    result = placebo_space(design, method, draws=9, seed=1)
    np.testing.assert_allclose(result.draws["estimate"][0], overall.estimate[0], rtol=1e-9)
    np.testing.assert_allclose(result.draws["statistic"][0], overall.statistic[0], rtol=1e-9)


@FEW
@given(frame=FRAMES, balance=st.booleans())
def test_units_without_a_usable_row_take_no_part(frame: pl.DataFrame, balance: bool) -> None:
    """Nobody is never treated: the periods of the last cohort go, and units seen only there must not count anywhere."""
    treated = frame.filter(pl.col("g") > 0)
    last = treated["g"].max()
    late = treated.head(1).with_columns(
        unit=pl.lit(9999, pl.Int64), year=pl.lit(last, treated["year"].dtype), g=pl.lit(last, treated["g"].dtype)
    )
    panel = hl.read_panel(pl.concat([treated, late]), unit="unit", time="year")
    design = make_design(panel, "y", hl.adoption(panel, "g"), comparison="not-yet-treated")
    assume(int((design.cohort == last).sum()) > 1)
    try:
        scope = make_scope(design, balance)
    except EstimationError as error:
        assert {f.code for f in error.findings} <= {"no-comparison", "no-period-before"}
        return
    seen = np.bincount(design.unit[scope.rows], minlength=design.n_units)
    assert ((seen > 0) | (scope.cohort == LEFT_OUT)).all()
