"""Triple differences: identities, a computation by hand, properties, bad input, and truth in simulated panels."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest
from recording import Recorder

from hinterland.data.adoption import adoption
from hinterland.data.cohorts import NEVER
from hinterland.data.panel import Panel
from hinterland.errors import EstimationError
from hinterland.evaluate.callaway_santanna import fit as callaway_santanna
from hinterland.evaluate.design import Design, make_design
from hinterland.evaluate.estimate import estimate
from hinterland.evaluate.result import Effects
from hinterland.evaluate.triple import fit
from hinterland.evaluate.triple_cells import combine
from hinterland.labels import LANGUAGES

PERIODS = 6
COHORTS = (3, 5, NEVER)


def draw(n: int, rng: np.random.Generator, effect: float = 1.0) -> dict[str, Any]:
    """Cohort, eligibility and x of n units, and y [n, 6]: eligible and ineligible units drift apart, and so do cohorts; x moves both,
    and eligible units have more of it.

    The effect on eligible units of cohort g in period t is ``effect · (1 + 0.3 (t - g))``.
    """
    x = rng.normal(size=n)
    eligible = rng.random(n) < 1 / (1 + np.exp(-0.8 * x))
    cohort = rng.choice(COHORTS, size=n, p=[0.3, 0.3, 0.4])
    t = np.arange(1, PERIODS + 1)
    drift = 0.3 * eligible + (0.2 * (cohort == 3) - 0.1 * (cohort == 5)) * (1 + x) + 0.2 * x * (1 + eligible)
    since = np.where(cohort == NEVER, -99, t[:, None] - cohort).T
    gain = effect * (1 + 0.3 * since) * (since >= 0) * eligible[:, None]
    y = rng.normal(size=n)[:, None] + drift[:, None] * t + gain + rng.normal(size=(n, PERIODS))
    return {"x": x, "eligible": eligible, "cohort": cohort, "y": y}


def make_frame(n: int = 240, seed: int = 0, effect: float = 1.0) -> pl.DataFrame:
    drawn = draw(n, np.random.default_rng(seed), effect)
    unit = np.repeat(np.arange(n), PERIODS)
    return pl.DataFrame(
        {
            "unit": [f"u{i:04d}" for i in unit],
            "year": np.tile(np.arange(1, PERIODS + 1), n),
            "y": drawn["y"].ravel(),
            "g": pl.Series(np.where(drawn["cohort"] == NEVER, 0, drawn["cohort"])[unit]).replace(0, None),
            "q": drawn["eligible"].astype(np.int64)[unit],
            "x": drawn["x"][unit],
            "w": np.random.default_rng(1).integers(1, 4, size=n)[unit],
            "region": [f"r{i % 20}" for i in unit],
        }
    )


def make(frame: pl.DataFrame, *, weight: str | None = None, extra: tuple[str, ...] = (), **options: Any) -> Design:
    panel = Panel(frame.sort("unit", "year"), "unit", "year", weight=weight)
    return make_design(panel, "y", adoption(panel, "g"), columns=("q", *extra), **options)


@pytest.fixture(scope="module")
def frame() -> pl.DataFrame:
    return make_frame()


def _equal(a: Effects, b: Effects, rtol: float = 1e-8) -> None:
    assert a.terms.name == b.terms.name
    np.testing.assert_allclose(a.estimate, b.estimate, rtol=rtol, atol=1e-9)
    np.testing.assert_allclose(a.vcov, b.vcov, rtol=1e-7, atol=1e-11)


# Identities ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("base_period", ["varying", "universal"])
def test_without_covariates_it_is_the_difference_of_two_group_time_effects(frame: pl.DataFrame, base_period: Any) -> None:
    triple = fit(make(frame), partition="q", base_period=base_period)
    sides = [callaway_santanna(make(frame.filter(q=q)), base_period=base_period) for q in (1, 0)]
    np.testing.assert_allclose(triple.estimate, sides[0].estimate - sides[1].estimate, atol=1e-12)
    np.testing.assert_allclose(triple.vcov, sides[0].vcov + sides[1].vcov, atol=1e-12)


def test_with_covariates_it_is_not_since_both_sides_must_have_the_covariates_of_the_eligible(frame: pl.DataFrame) -> None:
    triple = fit(make(frame, covariates="~ x"), partition="q")
    sides = [callaway_santanna(make(frame.filter(q=q), covariates="~ x")) for q in (1, 0)]
    assert np.abs(triple.estimate - (sides[0].estimate - sides[1].estimate)).max() > 0.01


def test_one_cell_by_hand(frame: pl.DataFrame) -> None:
    wide = frame.pivot("year", index=["unit", "g", "q"], values="y").with_columns(change=pl.col("4") - pl.col("2"))

    def mean(g: int | None, q: int) -> float:
        side = wide.filter((pl.col("g") == g) if g is not None else pl.col("g").is_null(), pl.col("q") == q)
        return float(side["change"].to_numpy().mean())

    triple = fit(make(frame), partition="q")
    found = triple.estimate[triple.terms.name.index("cohort=3,time=4")]
    assert found == pytest.approx((mean(3, 1) - mean(3, 0)) - (mean(None, 1) - mean(None, 0)), abs=1e-12)


def test_methods_agree_without_covariates(frame: pl.DataFrame) -> None:
    fits = [fit(make(frame, comparison="not-yet-treated"), partition="q", est_method=m) for m in ("dr", "ipw", "or")]
    _equal(fits[0], fits[1])
    _equal(fits[0], fits[2])


def test_comparison_cohorts_are_combined_with_the_least_variance(frame: pl.DataFrame) -> None:
    never = fit(make(frame), partition="q")
    both = fit(make(frame, comparison="not-yet-treated"), partition="q")
    later = frame.filter(pl.col("g").is_not_null())
    one = fit(make(later, comparison="not-yet-treated"), partition="q")
    name = "cohort=3,time=4"
    i, j, k = (e.terms.name.index(name) for e in (never, both, one))
    att, influence = combine(np.array([never.estimate[i], one.estimate[k]]), _side_by_side(never, i, one, k))
    assert both.estimate[j] == pytest.approx(att, abs=1e-10)
    assert both.std_error[j] == pytest.approx(np.sqrt(influence @ influence), rel=1e-9)
    assert both.std_error[j] < min(never.std_error[i], one.std_error[k])
    assert "triple-combined" in [n.code for n in both.notes]


def _side_by_side(a: Effects, i: int, b: Effects, j: int) -> np.ndarray[Any, Any]:
    clusters = np.union1d(a.clusters, b.clusters)
    out = np.zeros((len(clusters), 2))
    out[np.searchsorted(clusters, a.clusters), 0] = a.influence[:, i]
    out[np.searchsorted(clusters, b.clusters), 1] = b.influence[:, j]
    return out


def test_two_periods_regression_is_the_group_time_effect(frame: pl.DataFrame) -> None:
    two = frame.filter(pl.col("year").is_in([2, 3]), pl.col("g").is_null() | (pl.col("g") == 3))
    static = fit(make(two), partition="q", estimator="regression")
    assert static.estimate[0] == pytest.approx(fit(make(two), partition="q").estimate[0], abs=1e-10)


def test_regression_event_study_of_one_cohort_is_the_difference_of_event_studies(frame: pl.DataFrame) -> None:
    one = frame.filter(pl.col("g").is_null() | (pl.col("g") == 3))
    regression = fit(make(one), partition="q", estimator="regression", event_study=True)
    cells = fit(make(one), partition="q", base_period="universal")
    np.testing.assert_allclose(regression.estimate, cells.estimate, atol=1e-9)
    assert regression.aggregation == "event-time"


def test_each_term_of_the_regression_has_its_degrees_of_freedom(frame: pl.DataFrame) -> None:
    made = make(frame.filter(pl.col("g").is_null() | (pl.col("g") == 5)), cluster="region")
    study = fit(made, partition="q", estimator="regression", event_study=True, vcov="CR2")
    assert study.term_df is not None
    assert np.isnan(study.term_df[study.terms.reference]).all()
    assert len(np.unique(study.term_df[~study.terms.reference])) > 1
    assert study.df == np.nanmin(study.term_df)
    one = fit(made, partition="q", estimator="regression", vcov="CR2")
    assert one.term_df is not None
    assert one.term_df[0] == one.df


@pytest.mark.parametrize("event_study", [False, True])
def test_regression_takes_places_as_treated_in_full(frame: pl.DataFrame, event_study: bool) -> None:
    whole = make(frame)
    half = replace(whole, dose=whole.dose * 0.5, policy=replace(whole.policy, partial="dose"))
    options: dict[str, Any] = {"partition": "q", "estimator": "regression", "event_study": event_study}
    _equal(fit(half, **options), fit(whole, **options))


def test_regression_absorbs_named_places_and_industries() -> None:
    rng = np.random.default_rng(3)
    cities, industries, years = 24, 6, 5
    index = [(c, i, t) for c in range(cities) for i in range(industries) for t in range(years)]
    c, i, t = np.array(index).T
    treated = (c < 10) & (t >= 3)
    y = rng.normal(size=(cities, years))[c, t] + rng.normal(size=(industries, years))[i, t] + rng.normal(size=(cities, industries))[c, i]
    y = y + 0.7 * treated * (i < 3) + 0.1 * rng.normal(size=len(y))
    table = pl.DataFrame({"unit": [f"{a}-{b}" for a, b in zip(c, i, strict=True)], "year": t, "y": y, "city": c, "industry": i})
    table = table.with_columns(q=(i < 3).astype(int), g=pl.Series(np.where(c < 10, 3, -1)).replace(-1, None))
    panel = Panel(table.sort("unit", "year"), "unit", "year")
    options = {"partition": "q", "estimator": "regression", "place": "city", "industry": "industry", "cluster": "city"}
    found = estimate(panel, "y", adoption(panel, "g"), "triple", **options)  # type: ignore[arg-type]
    by_hand = estimate(
        panel,
        "y",
        adoption(panel, "g"),
        "triple",
        partition="q",
        estimator="regression",
        fe=["city^year", "industry^year"],
        cluster="city",
    )
    assert found.estimate[0] == pytest.approx(0.7, abs=4 * found.std_error[0])
    assert found.estimate[0] == pytest.approx(by_hand.estimate[0], abs=1e-9)


# Properties ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("covariates", [None, "~ x"])
def test_weights_are_replication_and_order_does_not_matter(frame: pl.DataFrame, covariates: str | None) -> None:
    weighted = fit(make(frame, weight="w", covariates=covariates, comparison="not-yet-treated"), partition="q")
    copies = [frame.filter(pl.col("w") >= k).with_columns(pl.col("unit") + f"#{k}") for k in (1, 2, 3)]
    copied = pl.concat(copies).with_columns(origin=pl.col("unit").str.split("#").list.first())
    replicated = fit(make(copied, cluster="origin", covariates=covariates, comparison="not-yet-treated"), partition="q")
    _equal(weighted, replicated)
    _equal(weighted.aggregate("event-time"), replicated.aggregate("event-time"))


def test_shifts_by_place_and_period_and_by_eligibility_and_period_change_nothing(frame: pl.DataFrame) -> None:
    rng = np.random.default_rng(4)
    shift = rng.normal(size=(7, 10)) * 3
    g, q, t = frame["g"].fill_null(0).to_numpy(), frame["q"].to_numpy(), frame["year"].to_numpy()
    moved = frame.with_columns(y=pl.col("y") + pl.Series(shift[0, t] * (g == 3) + shift[1, t] * (g == 5) + shift[2, t] * q))
    for options in ({}, {"comparison": "not-yet-treated"}):
        _equal(fit(make(frame, **options), partition="q"), fit(make(moved, **options), partition="q"))


def test_gaps_use_units_seen_in_both_periods(frame: pl.DataFrame) -> None:
    kept = frame.filter(pl.Series(np.random.default_rng(2).random(len(frame)) > 0.15))
    triple = fit(make(kept), partition="q")
    sides = [callaway_santanna(make(kept.filter(q=q))) for q in (1, 0)]
    np.testing.assert_allclose(triple.estimate, sides[0].estimate - sides[1].estimate, atol=1e-10)


def test_averages_weigh_cohorts_by_their_eligible_units(frame: pl.DataFrame) -> None:
    effects = fit(make(frame), partition="q")
    assert effects.shares is not None
    counts = frame.filter(q=1).group_by("g").agg(pl.col("unit").n_unique()).drop_nulls().sort("g")["unit"].to_numpy()
    total = frame.filter(q=1)["unit"].n_unique()
    np.testing.assert_allclose(effects.shares.share, counts / total)
    assert effects.aggregate("event-time").aggregate("overall").std_error[0] > 0
    np.testing.assert_allclose(effects.influence.T @ effects.influence, effects.vcov)


def test_clusters_sum_influence(frame: pl.DataFrame) -> None:
    effects = fit(make(frame, cluster="region", comparison="not-yet-treated"), partition="q")
    assert effects.influence.shape[0] == 20
    assert np.isfinite(effects.std_error).all()


# Bad input -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "options", "code"),
    [
        (None, {"partition": None}, "no-partition"),
        (pl.lit(2).alias("q"), {}, "partition-not-binary"),
        (pl.lit(1).alias("q"), {}, "empty-partition"),
        ((pl.col("year") > 3).cast(pl.Int64).alias("q"), {}, "partition-changes"),
        (pl.col("q").cast(pl.String).alias("q"), {}, "not-numeric"),
        (pl.when(pl.col("q") == 1).then(pl.col("g")).alias("g"), {}, "empty-partition"),
        (pl.when(pl.col("g").is_null()).then(1).otherwise(pl.col("q")).alias("q"), {}, "nobody-to-compare"),
        (None, {"est_method": "drr"}, "unknown-value"),
        (None, {"trim": 2}, "bad-trim"),
        (None, {"vcov": "iid"}, "not-defined"),
        (None, {"fe": ["region^year"]}, "not-defined"),
        (None, {"estimator": "regression", "anticipation": 1}, "not-defined"),
        (None, {"cluster": ["unit", "region"]}, "not-defined"),
    ],
)
def test_bad_input_is_a_finding(frame: pl.DataFrame, change: pl.Expr | None, options: dict[str, Any], code: str) -> None:
    table = frame if change is None else frame.with_columns(change)
    panel = Panel(table.sort("unit", "year"), "unit", "year")
    with pytest.raises(EstimationError) as caught:
        estimate(panel, "y", adoption(panel, "g"), "triple", **{"partition": "q", **options})
    assert code in [f.code for f in caught.value.findings]
    assert all(f.remedy for f in caught.value.findings)


def test_cohorts_with_one_side_are_left_out_with_a_note(frame: pl.DataFrame) -> None:
    table = frame.with_columns(q=pl.when(pl.col("g") == 5).then(1).otherwise(pl.col("q")))
    effects = fit(make(table), partition="q")
    assert set(effects.terms.cohort) == {3}
    note = next(n for n in effects.notes if n.code == "triple-one-sided")
    assert all("5" in note.text(language) for language in LANGUAGES)


def test_too_many_covariates_for_a_cell_is_a_note(frame: pl.DataFrame) -> None:
    rng = np.random.default_rng(0)
    few = frame.filter(pl.col("unit").is_in([f"u{i:04d}" for i in range(70)]))
    names = [f"z{j}" for j in range(12)]
    wide = few.select("unit").unique(maintain_order=True)
    wide = wide.with_columns(**{z: pl.Series(rng.normal(size=len(wide))) for z in names})
    with pytest.raises(EstimationError, match="no group-time effect"):
        fit(make(few.join(wide, on="unit"), covariates=names), partition="q")


# Simulation ----------------------------------------------------------------------------------------------------------


def simulated(design: Design, drawn: dict[str, Any]) -> Design:
    """The design with another draw of units: cohort, eligibility, covariate and outcome."""
    x = None if design.covariates.shape[1] == 0 else np.asfortranarray(np.repeat(drawn["x"], PERIODS)[:, None])
    return replace(
        design,
        y=drawn["y"].ravel(),
        cohort=drawn["cohort"],
        columns={"q": np.repeat(drawn["eligible"], PERIODS).astype(np.float64)},
        covariates=design.covariates if x is None else x,
    )


TRUTH = float(np.mean([1, 1.3, 1.6, 1.9, 1, 1.3]))


@pytest.mark.validate
@pytest.mark.parametrize(
    ("comparison", "method"), [("never-treated", "dr"), ("not-yet-treated", "dr"), ("never-treated", "ipw"), ("not-yet-treated", "or")]
)
def test_coverage_and_size(comparison: str, method: Any, validated: Recorder) -> None:
    """x moves trends differently on the two sides, so only the estimators that use it are right."""
    n, draws = 1000, 1000
    base = make(make_frame(n), covariates="~ x", comparison=comparison)
    rng = np.random.default_rng(20250509)
    half, error, size = [], [], []
    for _ in range(draws):
        overall = fit(simulated(base, draw(n, rng)), partition="q", est_method=method).aggregate("overall")
        error.append(overall.estimate[0] - TRUTH)
        half.append(overall.half_width()[0])
        null = fit(simulated(base, draw(n, rng, 0.0)), partition="q", est_method=method).aggregate("overall")
        size.append(null.p_value[0] < 0.05)
    where = "sides and cohorts drift apart, x moves both; 1000 units × 6"
    found = validated("estimators", "triple", where, variant=f"{comparison}, {method}", seed=20250509)
    found.interval(error, half, "overall")
    found.size(size, "overall")


@pytest.mark.validate
@pytest.mark.parametrize("event_study", [False, True])
def test_coverage_and_size_of_the_regression(event_study: bool, validated: Recorder) -> None:
    """One date of adoption, sides and places drift apart: the regression with every two-way interaction by period."""
    n, draws = 300, 1000
    rng = np.random.default_rng(20250510)
    eligible, adopts = np.arange(n) % 2 == 0, np.arange(n) % 5 < 2
    frame = make_frame(n).with_columns(
        g=pl.Series(np.where(np.repeat(adopts, PERIODS), 4, 0)).replace(0, None), q=pl.Series(np.repeat(eligible, PERIODS).astype(np.int64))
    )
    base = make(frame)
    t = np.arange(1, PERIODS + 1)
    drift = (0.3 * eligible + 0.2 * adopts)[:, None] * t
    on = (eligible & adopts)[:, None] & (t >= 4)
    error, half, size = [], [], []
    for _ in range(draws):
        y = rng.normal(size=(n, 1)) + drift + rng.normal(size=(n, PERIODS))
        found = [
            fit(replace(base, y=(y + k * on).ravel()), partition="q", estimator="regression", event_study=event_study) for k in (1.0, 0.0)
        ]
        there, nothing = (e.aggregate("overall") if event_study else e for e in found)
        error.append(there.estimate[0] - 1)
        half.append(there.half_width()[0])
        size.append(nothing.p_value[0] < 0.05)
    variant = "regression, event study" if event_study else "regression"
    found_ = validated("estimators", "triple", "sides and places drift apart, one date; 300 units × 6", variant=variant, seed=20250510)
    found_.interval(error, half, "overall")
    found_.size(size, "overall")


@pytest.mark.validate
def test_difference_of_two_estimates_with_covariates_is_biased(validated: Recorder) -> None:
    """Two effects, each adjusted to the covariates of its own side, do not difference to the effect on the eligible."""
    n, draws = 600, 1000
    base = make(make_frame(n), covariates="~ x")
    rng = np.random.default_rng(1)
    naive, right = [], []
    for _ in range(draws):
        drawn = draw(n, rng)
        design = simulated(base, drawn)
        row = design.columns["q"] == 1
        sides = [callaway_santanna(design.take(side)).aggregate("overall").estimate[0] for side in (row, ~row)]
        naive.append(sides[0] - sides[1])
        right.append(fit(design, partition="q").aggregate("overall").estimate[0])
    where = "sides and cohorts drift apart, x moves both; 600 units × 6"
    validated("estimators", "triple", where, variant="never-treated, dr", seed=1).bias(np.array(right) - TRUTH, "overall")
    found = validated("failures", "callaway-santanna", where, variant="difference of the two sides, each with its own covariates", seed=1)
    found.bias(np.array(naive) - TRUTH, "overall", reason="known failure", least=0.1)
