"""What estimators have in common: on a balanced panel without covariates many of them are the same number, by algebra.

Each identity ties independent code to independent code, standard errors included where they are the same statistic.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
import polars as pl
import pytest

import hinterland as hl
from hinterland.evaluate.result import Effects

UNITS, YEARS = 60, tuple(range(2000, 2008))
COHORTS = (0, 2003, 2005, 0, 2006)
SEEDS = (1, 2, 3)


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", hl.HinterlandWarning)
        yield


@cache
def frame(seed: int, cohorts: tuple[int, ...] = COHORTS, years: tuple[int, ...] = YEARS) -> pl.DataFrame:
    """60 units × 8 years: unit, year, g (0 = never), y, part (half the units)."""
    rng = np.random.default_rng(seed)
    g = np.array(cohorts)[np.arange(UNITS) % len(cohorts)]
    t = np.array(years)
    on = (g[:, None] > 0) & (t >= g[:, None])
    noise = rng.normal(size=(UNITS, len(t))).cumsum(axis=1)
    y = rng.normal(size=(UNITS, 1)) + 0.2 * t + on * (1 + 0.3 * (t - g[:, None])) + noise
    unit = np.repeat(np.arange(UNITS), len(t))
    part = (np.arange(UNITS) // len(cohorts) % 2).astype(float)
    return pl.DataFrame({"unit": unit, "year": np.tile(t, UNITS), "g": g[unit], "y": y.ravel(), "part": part[unit]})


def run(table: pl.DataFrame, method: str, comparison: str = "never-treated", **options: Any) -> Effects:
    panel = hl.read_panel(table, unit="unit", time="year")
    return hl.estimate(panel, "y", hl.adoption(panel, "g", never=(0,)), method, comparison=comparison, **options)


def cells(effects: Effects) -> dict[tuple[int, int], tuple[float, float]]:
    """Estimate and standard error of each cohort and period that has an estimate."""
    terms = effects.terms
    known = ~terms.reference & np.isfinite(effects.estimate)
    rows = zip(terms.cohort[known], terms.time[known], effects.estimate[known], effects.std_error[known], strict=True)
    return {(int(g), int(t)): (float(b), float(s)) for g, t, b, s in rows}


def assert_cells(ours: Effects, theirs: Effects, *, post: bool = False) -> None:
    one, two = ({k: v[0] for k, v in cells(e).items() if not post or k[1] >= k[0]} for e in (ours, theirs))
    assert one.keys() == two.keys()
    np.testing.assert_allclose(list(one.values()), [two[k] for k in one], rtol=1e-9, atol=1e-10)


def by_event(effects: Effects) -> dict[int, float]:
    path = effects if effects.aggregation == "event-time" else effects.aggregate("event-time")
    return {int(e): float(b) for e, b, r in zip(path.terms.event_time, path.estimate, path.terms.reference, strict=True) if not r}


@pytest.mark.parametrize("seed", SEEDS)
def test_saturated_regressions_are_group_time_effects(seed: int) -> None:
    """Sun–Abraham = ETWFE with leads = a stack of never-treated controls = group-time effects from the last period before adoption."""
    want = run(frame(seed), "callaway-santanna", base_period="universal")
    assert_cells(run(frame(seed), "sun-abraham"), want)
    assert_cells(run(frame(seed), "etwfe"), want)
    assert_cells(run(frame(seed), "etwfe", unit_effects=True), want)
    windowed = cells(run(frame(seed), "stacked", kappa_pre=2, kappa_post=1))
    assert windowed
    for key, (estimate, _) in windowed.items():
        assert estimate == pytest.approx(cells(want)[key][0], rel=1e-9)


@pytest.mark.parametrize("seed", SEEDS)
def test_their_standard_errors_differ_by_small_sample_factors_only(seed: int) -> None:
    group_time, saturated = run(frame(seed), "callaway-santanna", base_period="universal"), run(frame(seed), "sun-abraham", ssc="none")
    one, two = cells(group_time), cells(saturated)
    np.testing.assert_allclose([one[k][1] for k in one], [two[k][1] for k in one], rtol=1e-9)


@pytest.mark.parametrize("seed", SEEDS)
def test_averages_of_saturated_regressions_are_those_of_group_time_effects(seed: int) -> None:
    want, ours = run(frame(seed), "callaway-santanna", base_period="universal"), run(frame(seed), "sun-abraham")
    for kind in ("overall", "event-time", "cohort", "calendar"):
        np.testing.assert_allclose(ours.aggregate(kind).estimate, want.aggregate(kind).estimate, rtol=1e-9, atol=1e-10)  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", SEEDS)
def test_imputation_two_stage_and_etwfe_are_one_fit_of_the_untreated(seed: int) -> None:
    want = run(frame(seed), "imputation")
    for ours in (
        run(frame(seed), "two-stage"),
        run(frame(seed), "etwfe", "not-yet-treated"),
        run(frame(seed), "etwfe", "not-yet-treated", unit_effects=True),
    ):
        assert_cells(ours, want, post=True)
        assert ours.aggregate("overall").estimate[0] == pytest.approx(want.aggregate("overall").estimate[0], rel=1e-9)
    static = run(frame(seed), "two-stage", second_stage="static")
    assert static.estimate[0] == pytest.approx(want.aggregate("overall").estimate[0], rel=1e-9)


@pytest.mark.parametrize("seed", SEEDS)
def test_switchers_against_not_yet_treated_are_group_time_effects(seed: int) -> None:
    """dCDH and reweighted local projections average the same comparisons over cohorts, by cohort size."""
    want = by_event(run(frame(seed), "callaway-santanna", "not-yet-treated", base_period="universal"))
    intertemporal, projections = by_event(run(frame(seed), "dcdh")), by_event(run(frame(seed), "lp-did", reweight=True))
    for event in (0, 1, 2, 3, 4):
        assert intertemporal[event] == pytest.approx(want[event], rel=1e-9)
        assert projections[event] == pytest.approx(want[event], rel=1e-9)
    unadjusted = by_event(run(frame(seed), "efficient", "not-yet-treated", beta=1))
    for event in (0, 1, 2, 3, 4):
        assert unadjusted[event] == pytest.approx(want[event], rel=1e-9)
    never = by_event(run(frame(seed), "callaway-santanna", base_period="universal"))
    only = by_event(run(frame(seed), "dcdh", only_never_switchers=True))
    projected = by_event(run(frame(seed), "lp-did", reweight=True, never_treated=True))
    for event in (0, 1, 2, 3, 4):
        assert only[event] == pytest.approx(never[event], rel=1e-9)
        assert projected[event] == pytest.approx(never[event], rel=1e-9)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("base", ["varying", "universal"])
def test_triple_differences_are_the_difference_of_two_group_time_effects(seed: int, base: str) -> None:
    table = frame(seed)
    triple = run(table, "triple", partition="part", base_period=base)
    eligible, other = (run(table.filter(pl.col("part") == p), "callaway-santanna", base_period=base) for p in (1, 0))
    ours, one, two = cells(triple), cells(eligible), cells(other)
    assert ours.keys() == one.keys() == two.keys()
    for key, (estimate, error) in ours.items():
        assert estimate == pytest.approx(one[key][0] - two[key][0], rel=1e-9)
        assert error == pytest.approx(np.hypot(one[key][1], two[key][1]), rel=1e-9)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_dose_averaged_over_its_units_is_the_group_time_effect(seed: int) -> None:
    amount = 0.2 + 0.1 * (pl.col("unit") % 7)
    table = frame(seed).with_columns(dose=pl.when(pl.col("g") > 0).then(amount).otherwise(0.0))
    ours, want = run(table, "dose", dose="dose", by="group-time", degree=1), run(table, "callaway-santanna")
    assert_cells(ours, want)
    np.testing.assert_allclose(ours.vcov, want.vcov, rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_slope_of_a_dose_is_that_of_treated_changes(seed: int) -> None:
    amount = 0.2 + 0.1 * (pl.col("unit") % 7)
    table = frame(seed, (0, 2001, 0), (2000, 2001)).with_columns(dose=pl.when(pl.col("g") > 0).then(amount).otherwise(0.0))
    change = table.filter(pl.col("g") > 0).pivot("year", index=["unit", "dose"], values="y")
    slope = np.polyfit(change["dose"].to_numpy(), (change["2001"] - change["2000"]).to_numpy(), 1)[0]
    assert run(table, "dose", dose="dose", target="slope", degree=1).estimate[0] == pytest.approx(slope, rel=1e-9)


@pytest.mark.parametrize("seed", SEEDS)
def test_synthetic_controls_with_equal_weights_are_averages_over_periods(seed: int) -> None:
    """``sdid`` with equal weights compares the mean after adoption with the mean before it, against the never treated."""
    table = frame(seed)
    ours = run(table, "sdid", estimator="did", variance="none").aggregate("cohort")
    for g, estimate in zip(ours.terms.cohort, ours.estimate, strict=True):
        means = table.with_columns(after=pl.col("year") >= int(g)).group_by("g", "after").agg(pl.col("y").mean())
        mean = {(int(c), bool(a)): y for c, a, y in means.iter_rows()}
        change = mean[int(g), True] - mean[int(g), False] - mean[0, True] + mean[0, False]
        assert estimate == pytest.approx(change, rel=1e-9)


TWO = {
    "twfe": {"ssc": "none"},
    "event-study": {"ssc": "none"},
    "sun-abraham": {"ssc": "none"},
    "etwfe": {"ssc": "none"},
    "callaway-santanna": {},
    "imputation": {},
    "two-stage": {},
    "stacked": {"kappa_pre": 1, "kappa_post": 0, "ssc": "none"},
    "dcdh": {},
    "lp-did": {"ssc": "none"},
    "efficient": {"beta": 1, "variance": "neyman"},
    "sdid": {"variance": "none"},
    "matrix-completion": {"penalty": 1e6, "replicates": 20},
}


def _factor(method: str, treated: int, control: int, spread: tuple[float, float]) -> float:
    """Standard error over that with divisors n: two use n - 1, in the variance of each group."""
    if method not in ("dcdh", "efficient"):
        return 1.0
    (a, b), (n, m) = spread, (treated, control)
    return float(np.sqrt((a * n / (n - 1) + b * m / (m - 1)) / (a + b)))


@pytest.mark.parametrize("method", TWO)
@pytest.mark.parametrize("seed", SEEDS)
def test_two_periods_and_one_cohort_are_the_two_by_two_comparison(method: str, seed: int) -> None:
    """One estimate, and one standard error: √(Var(ΔY | treated)/n₁ + Var(ΔY | control)/n₀)."""
    table = frame(seed, (0, 2001, 0), (2000, 2001))
    change = table.pivot("year", index=["unit", "g"], values="y").with_columns(d=pl.col("2001") - pl.col("2000"))
    one, zero = (change.filter(pl.col("g") == g)["d"].to_numpy() for g in (2001, 0))
    spread = (float(one.var()) / len(one), float(zero.var()) / len(zero))
    effects = run(table, method, **TWO[method])
    overall = effects if effects.aggregation == "coefficient" else effects.aggregate("overall")
    assert overall.estimate[0] == pytest.approx(one.mean() - zero.mean(), rel=1e-6)
    if method not in ("sdid", "matrix-completion"):
        assert overall.std_error[0] == pytest.approx(np.sqrt(sum(spread)) * _factor(method, len(one), len(zero), spread), rel=1e-6)


@pytest.mark.parametrize("seed", SEEDS)
def test_poisson_without_covariates_is_a_ratio_of_ratios(seed: int) -> None:
    table = frame(seed, (0, 2001, 0), (2000, 2001)).with_columns(y=(pl.col("y").abs() * 3).round())
    total = {(int(g), int(t)): y for g, t, y in table.group_by("g", "year").agg(pl.col("y").sum()).iter_rows()}
    ratio = total[2001, 2001] / total[2001, 2000] / (total[0, 2001] / total[0, 2000])
    assert np.exp(run(table, "ppml").estimate[0]) == pytest.approx(ratio, rel=1e-8)
    share = run(table, "etwfe", "not-yet-treated", family="poisson")
    treated = table.filter((pl.col("g") == 2001) & (pl.col("year") == 2001))["y"].mean()
    assert isinstance(treated, float)
    assert share.aggregate("overall").estimate[0] == pytest.approx(treated * (1 - 1 / ratio), rel=1e-8)
