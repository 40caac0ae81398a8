"""Local projections: against least squares written out, against group-time effects, and in designs where the truth is known."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray
from recording import Recorder

from hinterland.data.adoption import adoption, adoption_from_treatment
from hinterland.data.panel import Panel
from hinterland.errors import EstimationError, InputError
from hinterland.evaluate.design import Design, make_design
from hinterland.evaluate.estimate import estimate
from hinterland.evaluate.lp_did import fit
from hinterland.evaluate.result import Effects

Floats = NDArray[np.float64]


def frame(n: int = 80, periods: int = 7, seed: int = 0, *, lasting: bool = True) -> pl.DataFrame:
    """Columns unit, year, y, d, g (0 = never), x, w, state; the effect grows by 0.2 a period."""
    rng = np.random.default_rng(seed)
    g = rng.choice([2, 3, 4, 99], n, p=[0.2, 0.15, 0.15, 0.5])
    d = (np.arange(periods) >= g[:, None]).astype(float)
    if not lasting:
        d = np.cumsum(rng.random((n, periods)) < 0.15, axis=1) % 2.0
        d[:, 0] = 0
    x = rng.normal(size=(n, periods)).cumsum(axis=1)
    gain = d * (1 + 0.2 * (np.arange(periods) - np.minimum(g, periods)[:, None]) if lasting else 1.0)
    y = rng.normal(size=(n, 1)) + 0.1 * np.arange(periods) + gain + 0.4 * x + rng.normal(size=(n, periods))
    unit = np.repeat(np.arange(n), periods)
    return pl.DataFrame(
        {
            "unit": [f"u{i:03d}" for i in unit],
            "year": np.tile(np.arange(periods) + 2000, n),
            "y": y.ravel(),
            "d": d.ravel(),
            "g": np.repeat(np.where(g < periods, g + 2000, 0), periods),
            "x": x.ravel(),
            "w": np.repeat(rng.integers(1, 4, n), periods),
            "state": [f"s{i // 4}" for i in unit],
        }
    )


def design(table: pl.DataFrame, *, weight: str | None = None, dates: bool = True, **options: Any) -> Design:
    panel = Panel(table.sort("unit", "year"), "unit", "year", weight=weight)
    policy = adoption(panel, "g") if dates else adoption_from_treatment(panel, "d", reversible=True)
    return make_design(panel, "y", policy, **options)


def wide(table: pl.DataFrame, name: str) -> Floats:
    return np.asarray(table.sort("unit", "year")[name].to_numpy().reshape(-1, table["year"].n_unique()), dtype=np.float64)


def rows(table: pl.DataFrame, horizon: int, window: int | None = None) -> list[tuple[int, int, float]]:
    """(unit, period, entry) of the sample at ``horizon``, unit by unit, as in the authors' Stata code."""
    d = wide(table, "d")
    n, periods = d.shape
    change = np.zeros_like(d)
    change[:, 1:] = np.diff(d, axis=1)
    out = []
    for i in range(n):
        for t in range(1, periods):
            if not 0 <= t + horizon < periods:
                continue
            if window is None:
                if change[i, t] == 1 or d[i, t + max(horizon, 0)] == 0:
                    out.append((i, t, change[i, t]))
                continue
            back = window + max(-horizon - 1, 0)
            if change[i, max(t - back, 0) : t].any() or change[i, t + 1 : t + max(horizon, 0) + 1].any() or change[i, t] < 0:
                continue
            out.append((i, t, change[i, t]))
    return out


def by_least_squares(
    table: pl.DataFrame, horizon: int, *, window: int | None = None, x: bool = False, reweight: bool = False
) -> tuple[float, float]:
    """Coefficient and standard error clustered by unit, with one dummy per period."""
    y, z = wide(table, "y"), wide(table, "x")
    unit, period, entry = (np.array(v) for v in zip(*rows(table, horizon, window), strict=True))
    weight = np.ones(len(unit))
    if reweight:
        share = np.array([entry[period == t].mean() for t in period])
        keep = (share > 0) & (share < 1)
        unit, period, entry, weight = unit[keep], period[keep], entry[keep], 1 / (1 - share[keep])
    outcome = y[unit, period + horizon] - y[unit, period - 1]
    dummies = (period[:, None] == np.unique(period)).astype(float)
    columns = np.column_stack([entry, dummies, *([z[unit, period - 1]] if x else [])])
    bread = np.linalg.inv(columns.T @ (columns * weight[:, None]))
    beta = bread @ (columns.T @ (outcome * weight))
    scores = columns * (weight * (outcome - columns @ beta))[:, None]
    sums = np.array([scores[unit == i].sum(axis=0) for i in np.unique(unit)])
    n, k, g = len(unit), columns.shape[1], len(sums)
    return float(beta[0]), float(np.sqrt((bread @ sums.T @ sums @ bread)[0, 0] * (n - 1) / (n - k) * g / (g - 1)))


@pytest.mark.parametrize("options", [{}, {"reweight": True}, {"x": True}])
def test_each_horizon_is_a_regression(options: dict[str, bool]) -> None:
    table = frame()
    made = design(table, covariates=["x"] if options.get("x") else None)
    effects = fit(made, pre_window=3, post_window=3, reweight=options.get("reweight", False))
    assert effects.terms.event_time.tolist() == [-3, -2, -1, 0, 1, 2, 3]
    for e, estimate_, error in zip(effects.terms.event_time, effects.estimate, effects.std_error, strict=True):
        if e != -1:
            np.testing.assert_allclose((estimate_, error), by_least_squares(table, int(e), **options), rtol=1e-9)
    np.testing.assert_allclose(effects.influence.T @ effects.influence, effects.vcov)


@pytest.mark.parametrize("window", [1, 2])
def test_switching_off_leaves_a_window(window: int) -> None:
    table = frame(n=150, lasting=False)
    effects = fit(design(table, dates=False), pre_window=3, post_window=2, nonabsorbing=window)
    for e, estimate_, error in zip(effects.terms.event_time, effects.estimate, effects.std_error, strict=True):
        if e != -1:
            np.testing.assert_allclose((estimate_, error), by_least_squares(table, int(e), window=window), rtol=1e-9)
    assert "lp-did-reentry" in [n.code for n in effects.notes]


def test_a_long_window_of_first_entries_is_lasting_treatment() -> None:
    table = frame()
    lasting = fit(design(table), pre_window=3, post_window=3)
    first = fit(design(table, dates=False), pre_window=3, post_window=3, nonabsorbing=7, notyet=True, firsttreat=True)
    np.testing.assert_allclose(first.estimate, lasting.estimate)


@pytest.mark.parametrize("comparison", ["not-yet-treated", "never-treated"])
def test_reweighted_effects_are_group_time_averages(comparison: str) -> None:
    """Dube et al. (2023), section 3.3: with equal weights, the average of Callaway & Sant'Anna with the period before as base."""
    panel = Panel(frame().sort("unit", "year"), "unit", "year")
    policy = adoption(panel, "g")
    ours = estimate(panel, "y", policy, "lp-did", reweight=True, never_treated=comparison == "never-treated")
    cells = estimate(panel, "y", policy, "callaway-santanna", comparison=comparison, base_period="universal").aggregate("event-time")
    assert ours.terms.event_time.tolist() == cells.terms.event_time.tolist()
    np.testing.assert_allclose(ours.estimate, cells.estimate, atol=1e-12)
    np.testing.assert_allclose(ours.aggregate("overall").estimate, cells.aggregate("overall").estimate)


def test_pooled_effects_of_a_fixed_sample_are_the_mean() -> None:
    made = design(frame())
    pooled = fit(made, pre_window=2, post_window=2, pooled=True, nocomp=True)
    single = fit(made, pre_window=2, post_window=2, nocomp=True)
    assert pooled.terms.name == ("event-time -2 to -2", "event-time 0 to 2")
    np.testing.assert_allclose(pooled.estimate[1], single.estimate[-3:].mean())
    assert len(set(single.terms.n_treated[-3:].tolist())) == 1


def test_base_of_several_periods() -> None:
    table = frame()
    y = wide(table, "y")
    shifted = table.sort("unit", "year").with_columns(y=pl.Series(np.column_stack([y[:, :1], y[:, 1:]]).ravel()))
    one = fit(design(shifted), pre_window=3, post_window=2, pmd=1)
    plain = fit(design(table), pre_window=3, post_window=2)
    np.testing.assert_allclose(one.estimate, plain.estimate, atol=1e-12)
    assert not one.terms.reference.any()
    every = fit(design(table), pre_window=3, post_window=2, pmd="max")
    assert abs(every.estimate[every.terms.event_time == -1][0]) > 0
    assert every.std_error[-1] < plain.std_error[-1]


def test_adjustment_takes_the_controls_regression() -> None:
    table = frame(n=150)
    effects = fit(design(table, covariates=["x"]), pre_window=1, post_window=1, reweight=True, ssc="none")
    y, z = wide(table, "y"), wide(table, "x")
    unit, period, entry = (np.array(v) for v in zip(*rows(table, 1), strict=True))
    outcome, x = y[unit, period + 1] - y[unit, period - 1], z[unit, period - 1]
    columns = np.column_stack([x, period[:, None] == np.unique(period)])
    control = entry == 0
    gamma = np.linalg.lstsq(columns[control], outcome[control], rcond=None)[0]
    known = ~control & np.isin(period, period[control])
    np.testing.assert_allclose(effects.estimate[-1], (outcome - columns @ gamma)[known].mean())
    made = design(table, covariates=["x"])
    draws = np.array([fit(made.take(made.unit != i), pre_window=1, post_window=1, reweight=True).estimate[-1] for i in range(made.n_units)])
    np.testing.assert_allclose(effects.std_error[-1], np.sqrt(((draws - draws.mean()) ** 2).sum() * (1 - 1 / len(draws))), rtol=0.05)


def test_covariates_may_be_those_of_entry() -> None:
    made = design(frame(), covariates=["x"])
    base, entry = (fit(made, post_window=1, covariate_period=when) for when in ("base", "entry"))  # type: ignore[arg-type]
    assert not np.allclose(base.estimate[-1], entry.estimate[-1])


def test_lags_that_explain_a_placebo_make_it_a_reference() -> None:
    effects = fit(design(frame()), pre_window=3, post_window=1, dylags=1)
    notes = {n.code: n.values for n in effects.notes}
    assert notes["lp-did-spanned"]["horizons"] == "-2"
    assert effects.terms.event_time[effects.terms.reference].tolist() == [-2, -1]
    assert "L1.Δy" in effects.meta["covariates"]


def same(a: Effects, b: Effects, rtol: float = 1e-8) -> None:
    np.testing.assert_allclose(a.estimate, b.estimate, rtol=rtol, atol=1e-9)
    np.testing.assert_allclose(a.std_error, b.std_error, rtol=rtol, atol=1e-9)


@pytest.mark.parametrize("reweight", [False, True])
def test_unit_and_period_effects_do_not_matter(reweight: bool) -> None:
    made = design(frame(), covariates=["x"], cluster="state")
    rng = np.random.default_rng(5)
    shift = rng.normal(size=made.n_units)[made.unit] * 10 + rng.normal(size=made.n_periods)[made.period]
    same(fit(replace(made, y=made.y + shift), reweight=reweight), fit(made, reweight=reweight), 1e-6)


def test_order_and_names_of_units_do_not_matter() -> None:
    table = frame()
    names = {u: f"n{i:03d}" for i, u in enumerate(np.random.default_rng(1).permutation(table["unit"].unique().sort().to_list()))}
    same(fit(design(table.with_columns(pl.col("unit").replace(names)), covariates=["x"])), fit(design(table, covariates=["x"])))


@pytest.mark.parametrize("reweight", [False, True])
def test_weights_are_copies(reweight: bool) -> None:
    table = frame(n=40)
    copies = pl.concat([table.filter(pl.col("w") > k).with_columns(pl.col("unit") + f"-{k}") for k in range(3)])
    for covariates in (None, ["x"]):
        weighted = fit(design(table, weight="w", covariates=covariates), reweight=reweight)
        np.testing.assert_allclose(weighted.estimate, fit(design(copies, covariates=covariates), reweight=reweight).estimate, atol=1e-9)


def test_a_panel_without_gaps_takes_either_path_and_gaps_are_told() -> None:
    made = design(frame(), weight="w", covariates=["x"])
    same(fit(replace(made, balanced=False)), fit(made))
    holes = made.take(np.random.default_rng(2).random(made.n_obs) > 0.1)
    effects = fit(holes, post_window=2)
    assert "lp-did-gaps" in [n.code for n in effects.notes]
    assert np.isfinite(effects.estimate).all()


@pytest.mark.parametrize(("periods", "steps"), [([0, 2, 4, 6, 8, 10, 12], 6), ([0, 1, 2, 3, 5, 6, 7], 1), ([0, 1, 2, 3, 4, 5, 6], 0)])
def test_periods_that_do_not_follow_one_another_are_said(periods: list[int], steps: int) -> None:
    table = frame(n=60)
    later = dict(zip(sorted(table["year"].unique()), (2000 + p for p in periods), strict=True))
    moved = table.with_columns(pl.col("year").replace_strict(later), pl.col("g").replace_strict(later, default=0))
    effects = fit(design(moved))
    notes = [n for n in effects.notes if n.code == "event-time-steps"]
    assert [n.values["count"] for n in notes] == ([steps] if steps else [])
    np.testing.assert_allclose(effects.estimate, fit(design(table)).estimate, rtol=1e-10)


def test_collinear_covariates_are_left_out() -> None:
    table = frame().with_columns(x2=-3 * pl.col("x"))
    effects = fit(design(table, covariates=["x", "x2"]), post_window=1)
    same(effects, fit(design(table, covariates=["x"]), post_window=1), 1e-2)
    np.testing.assert_allclose(effects.estimate, fit(design(table, covariates=["x"]), post_window=1).estimate)
    assert "lp-did-collinear" in [n.code for n in effects.notes]


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"pre_window": 0}, "not-whole"),
        ({"post_window": -1}, "not-whole"),
        ({"pmd": "all"}, "not-whole"),
        ({"ylags": None}, "not-whole"),
        ({"nonabsorbing": 0}, "not-whole"),
        ({"reweight": "yes"}, "unknown-value"),
        ({"covariate_period": "now"}, "unknown-value"),
        ({"notyet": True}, "not-defined"),
        ({"ssc": "stata"}, "unknown-value"),
    ],
)
def test_bad_options_are_findings(options: dict[str, Any], code: str) -> None:
    with pytest.raises(InputError) as caught:
        fit(design(frame(n=20)), **options)
    assert code in [f.code for f in caught.value.findings]


def test_what_it_is_not_defined_on() -> None:
    table = frame(n=40, lasting=False)
    with pytest.raises(EstimationError, match="give nonabsorbing"):
        fit(design(table, dates=False))
    with pytest.raises(EstimationError, match="neither 0 nor 1"):
        fit(design(table.with_columns(d=2 * pl.col("d")), dates=False), nonabsorbing=1)
    together = frame(n=20).with_columns(g=pl.lit(2003))
    with pytest.raises(EstimationError, match="no effect can be estimated"):
        fit(design(together))


@pytest.mark.validate
@pytest.mark.parametrize("reweight", [False, True])
def test_bias_and_coverage(reweight: bool, validated: Recorder) -> None:
    """Effects are the same in every cohort, so that either weighting estimates them."""
    reps, gains = 1000, np.array([0.5, 0.7, 0.9])
    table = frame(n=150)
    made = design(table)
    g = wide(table, "g")[:, 0]
    since = np.arange(7) - np.where(g > 0, g - 2000, 99)[:, None]
    gain = np.where(since >= 0, 0.5 + 0.2 * since, 0.0)
    rng = np.random.default_rng(4)
    found, rejected = [], []
    for _ in range(reps):
        error = rng.normal(size=gain.shape)
        error[:, 1:] += 0.5 * error[:, :-1]
        y = rng.normal(size=(len(gain), 1)) + gain + error
        effects = fit(replace(made, y=y.ravel()), pre_window=3, post_window=2, reweight=reweight)
        found.append((effects.estimate[-3:] - gains, effects.half_width()[-3:]))
        rejected.append(bool(effects.p_value[0] < 0.05))
    error, half = (np.array(v) for v in zip(*found, strict=True))
    where = "150 units × 7, effects grow alike in every cohort"
    record = validated("estimators", "lp-did", where, variant="reweighted" if reweight else "variance-weighted", seed=4)
    for h in range(3):
        record.interval(error[:, h], half[:, h], f"event time {h}")
    record.size(rejected, "event time -3")
