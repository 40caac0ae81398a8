"""Intertemporal effects: against the definition, against group-time effects, and in designs where the truth is known."""

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
from hinterland.evaluate.dcdh import fit
from hinterland.evaluate.design import Design, make_design
from hinterland.evaluate.estimate import estimate
from hinterland.evaluate.result import Effects

Floats = NDArray[np.float64]


def paths(n: int, periods: int, seed: int, kind: str) -> Floats:
    """Treatment [n, periods]: absorbing, on/off (from 0 or 1, some back again) or levels 0, 1, 2."""
    rng = np.random.default_rng(seed)
    out = np.zeros((n, periods))
    for row in out:
        start = {"absorbing": 0, "switching": int(rng.random() < 0.3), "levels": int(rng.integers(0, 3))}[kind]
        first = int(rng.choice([2, 3, 5, 99]))
        row[:] = start
        if kind == "absorbing":
            row[first:] = 1
        elif first < periods:
            step = 1 if start == 0 else -1
            row[first:] = start + step
            if rng.random() < 0.5:
                row[first + 2 :] = start if kind == "switching" else max(0, start + 2 * step)
    return out


def frame(n: int = 80, periods: int = 7, seed: int = 0, kind: str = "switching") -> pl.DataFrame:
    """Columns unit, year, y, d, x, region, w, state, with the effect 0.6 d."""
    rng = np.random.default_rng(seed + 1000)
    d = paths(n, periods, seed, kind)
    x = rng.normal(size=(n, periods)).cumsum(axis=1)
    y = rng.normal(size=(n, 1)) + 0.1 * np.arange(periods) + 0.6 * d + 0.5 * x + rng.normal(size=(n, periods))
    unit = np.repeat(np.arange(n), periods)
    return pl.DataFrame(
        {
            "unit": [f"u{i:03d}" for i in unit],
            "year": np.tile(np.arange(periods) + 2000, n),
            "y": y.ravel(),
            "d": d.ravel(),
            "x": x.ravel(),
            "region": [f"r{i % 2}" for i in unit],
            "w": np.repeat(rng.integers(1, 4, n), periods),
            "state": [f"s{i // 4}" for i in unit],
        }
    )


def design(table: pl.DataFrame, *, weight: str | None = None, **options: Any) -> Design:
    panel = Panel(table.sort("unit", "year"), "unit", "year", weight=weight)
    return make_design(panel, "y", adoption_from_treatment(panel, "d", reversible=True), **options)


def by_definition(table: pl.DataFrame, horizon: int, *, placebo: bool = False) -> tuple[float, float, float]:
    """DID, its switchers, and the change of treatment at the horizon, unit by unit."""
    wide = {name: table.sort("unit", "year").select(pl.col(name)).to_numpy().reshape(-1, table["year"].n_unique()) for name in ("y", "d")}
    y, d = wide["y"], wide["d"]
    differs = d != d[:, :1]
    first = np.where(differs.any(axis=1), differs.argmax(axis=1), 99)
    parts, doses = [], []
    for i in np.flatnonzero(first < 99):
        late, base = first[i] - 1 + horizon, first[i] - 1
        other = base - horizon if placebo else late
        if late >= y.shape[1] or other < 0:
            continue
        controls = (d[:, 0] == d[i, 0]) & (first > late)
        if not controls.any():
            continue
        sign = np.sign(d[i, first[i]] - d[i, 0])
        parts.append(sign * (y[i, other] - y[i, base] - (y[controls, other] - y[controls, base]).mean()))
        doses.append(sign * (d[i, late] - d[i, 0]))
    return float(np.mean(parts)), len(parts), float(np.mean(doses))


@pytest.mark.parametrize("kind", ["absorbing", "switching", "levels"])
def test_estimates_follow_the_definition(kind: str) -> None:
    table = frame(kind=kind)
    effects = fit(design(table), effects=3, placebos=1)
    given = [by_definition(table, h) for h in (1, 2, 3)]
    assert effects.terms.event_time.tolist() == [-2, -1, 0, 1, 2]
    np.testing.assert_allclose(effects.estimate, [by_definition(table, 1, placebo=True)[0], 0, *(g[0] for g in given)])
    assert effects.terms.n_treated.tolist()[2:] == [g[1] for g in given]
    overall = effects.aggregate("overall")
    np.testing.assert_allclose(overall.estimate[0], sum(g[0] * g[1] for g in given) / sum(g[1] * g[2] for g in given))
    np.testing.assert_allclose(effects.influence.T @ effects.influence, effects.vcov)


def test_lasting_treatment_gives_the_group_time_averages() -> None:
    table = frame(kind="absorbing")
    wide = table.with_columns(g=pl.when(pl.col("d") == 1).then(pl.col("year")).min().over("unit"))
    panel = Panel(wide.sort("unit", "year"), "unit", "year")
    policy = adoption(panel, "g")
    ours = estimate(panel, "y", policy, "dcdh", placebos=0)
    cells = estimate(panel, "y", policy, "callaway-santanna", comparison="not-yet-treated")
    theirs = cells.aggregate("event-time", min_e=0, max_e=int(ours.terms.event_time.max()))
    np.testing.assert_allclose(ours.estimate[~ours.terms.reference], theirs.estimate)
    np.testing.assert_allclose(ours.aggregate("overall").estimate, cells.aggregate("overall").estimate)


def test_both_directions_are_the_mean_of_each() -> None:
    made = design(frame())
    both, rise, fall = (fit(made, effects=2, placebos=0, switchers=s) for s in ("both", "in", "out"))  # type: ignore[arg-type]
    n = np.array([rise.terms.n_treated[1:], fall.terms.n_treated[1:]])
    np.testing.assert_allclose(both.estimate[1:], (n * [rise.estimate[1:], fall.estimate[1:]]).sum(axis=0) / n.sum(axis=0))


def test_normalised_effects_divide_by_treatment_received() -> None:
    made = design(frame(kind="levels"))
    plain, per_unit = (fit(made, effects=3, placebos=1, normalized=flag) for flag in (False, True))
    first = plain.meta["overall_denominator"][0] / plain.meta["overall_numerator"][0]
    np.testing.assert_allclose(per_unit.estimate[2] * first, plain.estimate[2])
    np.testing.assert_allclose(per_unit.statistic, plain.statistic)
    np.testing.assert_allclose(per_unit.aggregate("overall").estimate, plain.aggregate("overall").estimate)
    np.testing.assert_allclose(per_unit.aggregate("overall").std_error, plain.aggregate("overall").std_error)


def test_same_switchers_are_the_same() -> None:
    made = design(frame())
    effects = fit(made, effects=3, placebos=1, same_switchers=True)
    assert len(set(effects.terms.n_treated[2:].tolist())) == 1
    assert effects.terms.n_treated[2] == fit(made, effects=3, placebos=0).terms.n_treated[-1]
    same = fit(made, effects=3, placebos=2, same_switchers=True, same_switchers_placebos=True)
    assert len(set(same.terms.n_treated[:2].tolist())) == 1


def shifted(made: Design, by: Floats) -> Design:
    return replace(made, y=made.y + by)


def same(a: Effects, b: Effects, **tolerance: float) -> None:
    np.testing.assert_allclose(a.estimate, b.estimate, **{"rtol": 1e-9, "atol": 1e-9, **tolerance})
    np.testing.assert_allclose(a.std_error, b.std_error, **{"rtol": 1e-9, "atol": 1e-9, **tolerance})


def test_unit_and_period_effects_do_not_matter() -> None:
    made = design(frame(), covariates=["x"])
    rng = np.random.default_rng(5)
    shift = rng.normal(size=made.n_units)[made.unit] * 10 + rng.normal(size=made.n_periods)[made.period]
    same(fit(shifted(made, shift), effects=3), fit(made, effects=3), rtol=1e-7)


def test_trends_of_units_and_of_sets_do_not_matter_where_they_are_allowed_for() -> None:
    table = frame(n=120, kind="absorbing")
    made = design(table, columns=["region"])
    rng = np.random.default_rng(6)
    slopes = rng.normal(size=made.n_units)[made.unit] * made.period
    same(fit(shifted(made, slopes), effects=2, placebos=1, trends_lin=True), fit(made, effects=2, placebos=1, trends_lin=True), rtol=1e-6)
    moves = rng.normal(size=(2, made.n_periods))[(made.columns["region"] == "r1").astype(int), made.period]
    options: dict[str, Any] = {"effects": 3, "placebos": 1, "trends_nonparam": "region"}
    same(fit(shifted(made, moves), **options), fit(made, **options))
    assert abs(fit(shifted(made, slopes), effects=2).estimate - fit(made, effects=2).estimate).max() > 0.01


def test_weights_that_grow_alike_everywhere_do_not_matter() -> None:
    """Each first-differenced effect is a mean of its own before effects are summed: no period counts more for its larger weights."""
    adopters = pl.col("d").sum().over("unit").is_in([0.0, 4.0])
    table = frame(kind="absorbing").filter(adopters)
    grown = table.with_columns(w=2.0 ** pl.col("year").rank("dense"))
    for options in ({}, {"trends_lin": True}):
        same(fit(design(grown, weight="w"), **options), fit(design(table), **options), rtol=1e-7)


def test_order_and_names_of_units_do_not_matter() -> None:
    table = frame()
    names = {u: f"n{i:03d}" for i, u in enumerate(np.random.default_rng(1).permutation(table["unit"].unique().sort().to_list()))}
    renamed = table.with_columns(pl.col("unit").replace(names))
    same(fit(design(table, covariates=["x"]), effects=3), fit(design(renamed, covariates=["x"]), effects=3))


@pytest.mark.parametrize("covariates", [None, ["x"]])
def test_weights_are_copies(covariates: list[str] | None) -> None:
    table = frame(n=40)
    copies = pl.concat([table.filter(pl.col("w") > k).with_columns(pl.col("unit") + f"-{k}") for k in range(3)])
    weighted = fit(design(table, weight="w", covariates=covariates), effects=3)
    np.testing.assert_allclose(weighted.estimate, fit(design(copies, covariates=covariates), effects=3).estimate, rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("options", [{}, {"covariates": ["x"], "cluster": "state"}, {"weight": "w"}])
def test_a_panel_without_gaps_takes_either_path(options: dict[str, Any]) -> None:
    made = design(frame(), **options)
    same(fit(replace(made, balanced=False), effects=3), fit(made, effects=3))


def test_gaps_cost_only_their_own_comparisons() -> None:
    table = frame(n=60)
    holes = table.with_columns(y=pl.when((pl.col("unit") == "u007") & (pl.col("year") == 2006)).then(None).otherwise(pl.col("y")))
    effects, whole = fit(design(holes), effects=1, placebos=0), fit(design(table), effects=1, placebos=0)
    codes = [n.code for n in effects.notes]
    assert "rows-missing" in codes
    assert "dcdh-gaps" in codes
    np.testing.assert_allclose(effects.estimate, whole.estimate, atol=0.05)
    assert np.isfinite(effects.estimate).all()


def test_a_missing_row_at_the_change_leaves_its_date() -> None:
    """The date of the change is known from the treatment column, though the outcome of that period is not."""
    table = frame(n=60, kind="absorbing")
    first = table.filter(pl.col("d") == 1).group_by("unit").agg(pl.col("year").min())
    unit, year = first.sort("unit").row(0)
    holes = table.with_columns(y=pl.when((pl.col("unit") == unit) & (pl.col("year") == year)).then(None).otherwise(pl.col("y")))
    whole, less = (fit(design(t), effects=2, placebos=0) for t in (table, holes))
    assert whole.terms.n_treated[1:].tolist() == [less.terms.n_treated[1] + 1, less.terms.n_treated[2]]
    np.testing.assert_allclose(whole.estimate[2], less.estimate[2])


def test_treatment_counts_where_the_outcome_is_missing() -> None:
    """A unit that changes right after a first period without outcome starts from its first treatment: it has no base, and nobody is like it."""
    table = frame(kind="levels")
    early = table["unit"].unique().sort()[:12]
    changed = table.with_columns(
        d=pl.when(pl.col("unit").is_in(early.implode()) & (pl.col("year") > 2000)).then(1.0).otherwise(pl.col("d"))
    ).with_columns(d=pl.when(pl.col("unit").is_in(early.implode()) & (pl.col("year") == 2000)).then(0.0).otherwise(pl.col("d")))
    first = pl.col("unit").is_in(early.implode()) & (pl.col("year") == 2000)
    missing = changed.with_columns(y=pl.when(first).then(None).otherwise(pl.col("y")))
    without = changed.filter(~pl.col("unit").is_in(early.implode()))
    ours, want = fit(design(missing), effects=3, placebos=1), fit(design(without), effects=3, placebos=1)
    same(ours, want)
    made = design(missing)
    part = made.take(made.period > 0)
    assert part.treatment_path is not None and part.treatment_path.shape == (made.n_units, made.n_periods - 1)


@pytest.mark.parametrize("kind", ["absorbing", "switching"])
def test_covariates_enter_the_standard_error(kind: str) -> None:
    """The influence of the slopes is theirs: standard errors are those of the jackknife."""
    table = frame(n=60, kind=kind)
    made = design(table, covariates=["x"])
    effects = fit(made, effects=2, placebos=1)
    free = ~effects.terms.reference
    draws = np.array([fit(made.take(made.unit != i), effects=2, placebos=1).estimate[free] for i in range(made.n_units)])
    jackknife = np.sqrt(((draws - draws.mean(axis=0)) ** 2).sum(axis=0) * (1 - 1 / made.n_units))
    np.testing.assert_allclose(effects.std_error[free], jackknife, rtol=0.1)


def test_covariates_take_out_what_they_explain() -> None:
    table = frame(n=200)
    plain, adjusted = fit(design(table), effects=2), fit(design(table, covariates=["x"]), effects=2)
    assert (adjusted.std_error[-2:] < plain.std_error[-2:]).all()
    collinear = fit(design(table.with_columns(x2=2 * pl.col("x")), covariates=["x", "x2"]), effects=2)
    np.testing.assert_allclose(collinear.estimate, adjusted.estimate, rtol=1e-6)
    assert "dcdh-collinear" in [n.code for n in collinear.notes]


def test_paths_that_cross_are_cut_and_units_without_comparison_named() -> None:
    table = frame(n=60, kind="absorbing")
    crossing = (
        pl.when((pl.col("unit") == "u000") & (pl.col("year") == 2002))
        .then(-1)
        .when((pl.col("unit") == "u000") & (pl.col("year") > 2002))
        .then(1)
        .when(pl.col("unit") == "u000")
        .then(0)
        .otherwise(pl.col("d"))
    )
    alone = pl.when(pl.col("unit") == "u001").then(pl.lit(7) + (pl.col("year") > 2003)).otherwise(crossing)
    made = design(table.with_columns(d=alone.cast(pl.Float64)))
    notes = {n.code: n.values for n in fit(made, effects=2).notes}
    assert notes["dcdh-crossed"]["units"] == "'u000'"
    assert notes["dcdh-lost"] == {"count": 1, "changing": 1, "units": "'u001'"}
    kept = {n.code for n in fit(made, effects=2, keep_bidirectional=True).notes}
    assert "dcdh-crossed" not in kept


def test_partial_coverage_is_a_dose() -> None:
    table = frame(n=60, kind="absorbing").with_columns(d=pl.col("d") * 0.5)
    half = fit(design(table), effects=2).aggregate("overall")
    full = fit(design(table.with_columns(d=pl.col("d") * 2)), effects=2).aggregate("overall")
    np.testing.assert_allclose(half.estimate, 2 * full.estimate)


@pytest.mark.parametrize(("periods", "steps"), [([0, 2, 4, 6, 8, 10, 12], 6), ([0, 1, 2, 3, 5, 6, 7], 1), ([0, 1, 2, 3, 4, 5, 6], 0)])
def test_periods_that_do_not_follow_one_another_are_said(periods: list[int], steps: int) -> None:
    table = frame(n=60)
    later = dict(zip(sorted(table["year"].unique()), (2000 + p for p in periods), strict=True))
    moved = table.with_columns(pl.col("year").replace_strict(later))
    effects = fit(design(moved))
    notes = [n for n in effects.notes if n.code == "event-time-steps"]
    assert [n.values["count"] for n in notes] == ([steps] if steps else [])
    np.testing.assert_allclose(effects.estimate, fit(design(table)).estimate, rtol=1e-10)


def test_narrower_cohorts_change_standard_errors_only() -> None:
    made = design(frame(n=150, kind="levels"))
    wide, narrow = (fit(made, effects=3, less_conservative_se=flag) for flag in (False, True))
    np.testing.assert_allclose(narrow.estimate, wide.estimate)
    assert not np.allclose(narrow.std_error[-1], wide.std_error[-1])


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"effects": 0}, "not-whole"),
        ({"placebos": 1.5}, "not-whole"),
        ({"switchers": "up"}, "unknown-value"),
        ({"normalized": 2}, "unknown-value"),
        ({"trends_nonparam": "x"}, "varying-group"),
        ({"trends_nonparam": "nowhere"}, "unknown-column"),
    ],
)
def test_bad_options_are_findings(options: dict[str, Any], code: str) -> None:
    panel = Panel(frame(n=30).sort("unit", "year"), "unit", "year")
    with pytest.raises(InputError) as caught:
        estimate(panel, "y", adoption_from_treatment(panel, "d", reversible=True), "dcdh", **options)
    assert code in [f.code for f in caught.value.findings]


def test_nobody_to_compare_with() -> None:
    table = frame(n=20, kind="absorbing").with_columns(d=(pl.col("year") >= 2003).cast(pl.Float64))
    with pytest.raises(EstimationError, match="nobody else starts from the same treatment"):
        fit(design(table))
    everyone = frame(n=30).with_columns(d=pl.col("unit").str.slice(1).cast(pl.Float64) + (pl.col("year") > 2003))
    with pytest.raises(EstimationError, match="30 different"):
        fit(design(everyone))
    late = frame(n=20, kind="absorbing").with_columns(
        d=(pl.col("year") > 2000 + pl.col("unit").str.slice(3).cast(pl.Int64) % 2).cast(pl.Float64)
    )
    with pytest.raises(EstimationError, match="no effect can be estimated"):
        fit(design(late), switchers="out")


def test_clusters_cut_through_no_unit() -> None:
    with pytest.raises(EstimationError, match="changes over time"):
        fit(design(frame(n=20).with_columns(state=pl.col("year").cast(pl.String)), cluster="state"))


def truth(d: Floats, effect: Floats, horizon: int) -> float:
    """Mean over the switchers that have a control of the effect of their path at ``horizon``, in their direction."""
    differs = d != d[:, :1]
    first = np.where(differs.any(axis=1), differs.argmax(axis=1), 99)
    values = []
    for i in np.flatnonzero(first < 99):
        late = first[i] - 1 + horizon
        if late < d.shape[1] and ((d[:, 0] == d[i, 0]) & (first > late)).any():
            values.append(np.sign(d[i, first[i]] - d[i, 0]) * (effect[i, late] - d[i, 0] * EFFECT.sum()))
    return float(np.mean(values))


EFFECT = np.array([0.5, 0.3])
"""Effect of treatment in the same period and of treatment in the period before; further back there is none."""


@pytest.mark.validate
@pytest.mark.parametrize("kind", ["absorbing", "switching"])
@pytest.mark.parametrize("n", [150, 600])
def test_bias_and_coverage(kind: str, n: int, validated: Recorder) -> None:
    """Two lags of treatment matter; units that start treated have always been. The joint test of placebos is chi-squared, as in the paper's
    package: a little too eager in 150 units, right in 600.
    """
    periods, reps = 7, 1000
    table = frame(n, periods, 3, kind)
    made = design(table)
    d = table["d"].to_numpy().reshape(n, periods)
    before = np.column_stack([d[:, :1], d[:, :-1]])
    effect = EFFECT[0] * d + EFFECT[1] * before
    target = np.array([truth(d, effect, h) for h in (1, 2, 3)])
    rng = np.random.default_rng(9)
    found = []
    for _ in range(reps):
        error = rng.normal(size=(n, periods))
        error[:, 1:] += 0.5 * error[:, :-1]
        y = rng.normal(size=(n, 1)) + effect + error
        found.append(fit(replace(made, y=y.ravel()), effects=3, placebos=2))
    estimate_, error_ = (np.array([getattr(e, name)[-3:] for e in found]) for name in ("estimate", "std_error"))
    half = np.array([e.half_width()[-3:] for e in found])
    where = f"{n} units × 7, two lags of {'lasting treatment' if kind == 'absorbing' else 'treatment that switches on and off'}"
    record = validated("estimators", "dcdh", where, seed=9)
    for h in range(3):
        record.interval(estimate_[:, h] - target[h], half[:, h], f"event time {h}")
    rejected = [e.meta["p_placebos_zero"] < 0.05 for e in found]
    within: dict[str, Any] = {"within": (0.03, 0.09), "reason": "small sample"} if n == 150 else {}
    validated("tests", "dcdh, placebos", where, seed=9).size(rejected, **within)
    assert np.all(np.abs(error_.mean(axis=0) / estimate_.std(axis=0) - 1) < 0.1)
