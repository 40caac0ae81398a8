"""Mechanisms: paths equal least squares written out, draws equal estimating again, intervals equal scipy's, identities hold, and what is no mediator is named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

import hinterland as hl
from hinterland.data.adoption import adoption
from hinterland.data.panel import Panel
from hinterland.errors import EstimationError, InputError, PanelError
from hinterland.evaluate.design import Design, make_design
from hinterland.evaluate.estimate import fit
from hinterland.evaluate.mechanism import Mechanism, mechanism, mechanism_of
from hinterland.evaluate.mechanism_checks import interaction
from hinterland.evaluate.mechanism_intervals import accelerated, percentile, two_sided
from hinterland.evaluate.mechanism_pairs import cluster_sums, is_exact
from hinterland.evaluate.mechanism_paths import Paths, one_number, slopes
from hinterland.evaluate.mechanism_sensitivity import indirect_at, rho_at_zero, robustness_value, slope_at
from hinterland.evaluate.regression import treatment

Floats = NDArray[np.float64]
M = ("m1", "m2")


def frame(units: int = 60, periods: int = 8, seed: int = 0, *, hidden: float = 0.0, missing: int = 0) -> pl.DataFrame:
    """A third adopts in 4, a third in 6. a = (0.5, -0.4), b = (0.6, 0.5), direct 0.7; ``hidden`` moves m1 and y alike."""
    rng = np.random.default_rng(seed)
    unit, year = np.repeat(np.arange(units), periods), np.tile(np.arange(1, periods + 1), units)
    first = np.array([4, 6, 0])[unit % 3]
    d = ((first > 0) & (year >= first)).astype(float)
    z, x, u = (rng.normal(size=len(unit)) for _ in range(3))
    z = z + 0.3 * d
    m1 = rng.normal(size=units)[unit] + 0.5 * d + 0.2 * x + 0.3 * z + hidden * u + rng.normal(size=len(unit))
    m2 = rng.normal(size=units)[unit] - 0.4 * d + rng.normal(size=len(unit))
    y = (
        rng.normal(size=units)[unit]
        + 0.1 * year
        + 0.7 * d
        + 0.6 * m1
        + 0.5 * m2
        + 0.3 * x
        + 0.4 * z
        + hidden * u
        + rng.normal(size=len(unit))
    )
    columns = {"unit": [f"u{i:03}" for i in unit], "year": year, "first": first, "x": x, "z": z, "m1": m1, "m2": m2, "y": y}
    columns |= {"w": rng.integers(1, 4, size=units).astype(float)[unit], "region": [f"r{i % 7:02}" for i in unit]}
    out = pl.DataFrame(columns)
    return out if not missing else out.filter(pl.Series(rng.permutation(len(unit)) >= missing)).sort("unit", "year")


def panel(data: pl.DataFrame, weight: str | None = None) -> Panel:
    return Panel(data, "unit", "year", weight=weight)


def design_of(data: pl.DataFrame, *, weight: str | None = None, **options: Any) -> Design:
    made = panel(data, weight)
    return make_design(made, "y", adoption(made, "first"), columns=(*M, "z"), **options)


def dummies(codes: NDArray[Any]) -> Floats:
    return (codes[:, None] == np.unique(codes)).astype(float)


def least_squares(y: Floats, columns: Sequence[Floats], unit: NDArray[Any], year: NDArray[Any], w: Floats) -> tuple[Floats, float, Floats]:
    """Coefficients of ``columns`` beside all unit and period dummies, the weighted sum of squared residuals, and the residual sums of squares of the columns."""
    x = np.column_stack([*columns, dummies(unit), dummies(year)[:, 1:]])
    root = np.sqrt(w)
    beta = np.linalg.lstsq(x * root[:, None], y * root, rcond=None)[0]
    left = []
    for j in range(len(columns)):
        others = np.delete(x, j, axis=1) * root[:, None]
        rest = x[:, j] * root - others @ np.linalg.lstsq(others, x[:, j] * root, rcond=None)[0]
        left.append(rest @ rest)
    return beta[: len(columns)], float(((y - x @ beta) * root) @ ((y - x @ beta) * root)), np.array(left)


def by_hand(data: dict[str, NDArray[Any]], confounders: Sequence[str] = (), covariates: Sequence[str] = ()) -> Floats:
    """[1 + 3K] total, effects, slopes and spreads from dummies."""
    unit, year, w = data["unit"], data["year"], data["w"]
    base = [data["d"], *(data[c] for c in covariates)]
    short = [least_squares(data[v], base, unit, year, w)[0][0] for v in ("y", *M)]
    beta, ssr, left = least_squares(data["y"], [data["d"], *(data[c] for c in (*M, *confounders, *covariates))], unit, year, w)
    return np.array([*short, *beta[1 : 1 + len(M)], *np.sqrt(ssr / left[1 : 1 + len(M)])])


def as_arrays(design: Design, rows: NDArray[Any] | None = None, unit: NDArray[Any] | None = None) -> dict[str, NDArray[Any]]:
    at = np.arange(design.n_obs) if rows is None else rows
    data = {"unit": design.unit[at] if unit is None else unit, "year": design.period[at], "y": design.y[at], "d": treatment(design)[at]}
    data |= {name: np.asarray(values)[at] for name, values in design.columns.items()}
    data |= {name: design.covariates[at, j] for j, name in enumerate(design.covariate_names)}
    return data | {"w": np.ones(len(at)) if design.weight is None else design.weight[at]}


CASES = [
    ("plain", {}, {}, (), ()),
    ("weights, covariate, confounder", {}, {"weight": "w", "covariates": ["x"]}, ("z",), ("x",)),
    ("gaps, coarse clusters", {"missing": 60}, {"cluster": "region", "covariates": ["x"]}, (), ("x",)),
]


@pytest.mark.parametrize(("name", "make", "options", "confounders", "covariates"), CASES, ids=[c[0] for c in CASES])
def test_paths_and_draws_equal_least_squares_with_dummies(name: str, make: Any, options: Any, confounders: Any, covariates: Any) -> None:
    """The estimates to 1e-8 (a system of normal equations against a QR on dummies), and so each draw of clusters, estimated again with every drawn copy a unit of its own."""
    design = design_of(frame(units=36, **make), **options)
    found = mechanism_of(design, M, "twfe", confounders=confounders, draws=99, seed=1)
    hand = by_hand(as_arrays(design), confounders, covariates)
    assert [found.value("total"), *(found.value("effect-on-mediator", m) for m in M)] == pytest.approx(hand[:3], rel=1e-8)
    assert [found.value("slope", m) for m in M] == pytest.approx(hand[3:5], rel=1e-8)
    assert found.meta["bootstrap"] == "pairs"
    sums = cluster_sums(design, M, confounders, covariates)
    codes, size = design.clusters[0].codes, design.clusters[0].size
    assert sums.paths(np.ones((1, size)))[0] == pytest.approx(hand, rel=1e-8)
    rng = np.random.default_rng(5)
    for _ in range(3):
        counts = rng.multinomial(size, np.full(size, 1 / size))
        rows = np.concatenate([np.flatnonzero(codes == c) for c in range(size) for _ in range(counts[c])])
        copy = np.repeat(np.arange(counts.sum()), [int((codes == c).sum()) for c in range(size) for _ in range(counts[c])])
        unit = copy * design.n_units + design.unit[rows]
        drawn = sums.paths(counts[None].astype(float))[0]
        assert drawn == pytest.approx(by_hand(as_arrays(design, rows, unit), confounders, covariates), rel=1e-7)
    kept = np.flatnonzero(codes != 3)
    assert sums.without()[3] == pytest.approx(by_hand(as_arrays(design, kept), confounders, covariates), rel=1e-7)


def test_draws_that_do_not_identify_are_left_out_and_counted() -> None:
    data = frame(units=12).with_columns(first=pl.when(pl.col("unit") < "u002").then(4).otherwise(0))
    found = mechanism_of(design_of(data), M, "twfe", draws=400, seed=3)
    lost = next(n for n in found.notes if n.code == "mechanism-draws-lost")
    assert found.draws == 400 - lost.values["count"]  # type: ignore[operator]
    assert 0.02 < float(lost.values["count"]) / 400 < 0.25, "two of twelve: missed with probability (10/12)^12 = 0.11"
    assert any(n.code == "mechanism-few-treated" for n in found.notes)


@pytest.mark.filterwarnings("ignore::hinterland.errors.EstimationWarning")
def test_where_most_draws_identify_nothing_there_is_no_share() -> None:
    """Two clusters, treated and not: a draw of two holds both half of the time, 44 times of 99 with this seed."""
    on = pl.col("first") > 0
    data = frame(units=12).with_columns(region=pl.when(on).then(pl.lit("a")).otherwise(pl.lit("b")), first=pl.when(on).then(4).otherwise(0))
    with pytest.raises(EstimationError) as caught:
        mechanism_of(design_of(data, cluster="region"), M, "twfe", draws=99, seed=6)
    assert codes(caught) == {"paths-not-identified"}


def test_total_less_indirect_is_the_coefficient_beside_the_mediators() -> None:
    design = design_of(frame(), covariates=["x"])
    found = mechanism_of(design, M, "twfe", draws=99)
    beside = fit(
        replace(design, covariates=np.column_stack([design.covariates, *(design.columns[m] for m in M)]), covariate_names=("x", *M)), "twfe"
    )
    assert found.value("direct") == pytest.approx(float(beside.estimate[0]), rel=1e-9)
    assert found.value("indirect") == pytest.approx(sum(found.value("indirect", m) for m in M), rel=1e-12)
    assert found.value("share") == pytest.approx(found.value("indirect") / found.value("total"), rel=1e-12)


@pytest.mark.parametrize("slope", ["untreated", "saturated", "pooled"])
@pytest.mark.parametrize("method", ["callaway-santanna", "imputation", "twfe"])
def test_direct_effect_is_that_on_the_demediated_outcome(method: str, slope: Any) -> None:
    """Sequential g-estimation: take slopes times mediators off the outcome, and estimate the effect on what is left (Acharya, Blackwell & Sen 2016)."""
    design = design_of(frame(seed=2))
    found = mechanism_of(design, M, method, confounders=["z"], slope=slope, draws=99)
    left = design.y - sum(found.value("slope", m) * design.columns[m] for m in M)
    direct = one_number(fit(replace(design, y=left), method))
    assert found.value("direct") == pytest.approx(float(direct.estimate[0]), rel=1e-9)


def test_slopes_of_untreated_rows_and_of_saturated_cells() -> None:
    design = design_of(frame(seed=3))
    off = np.flatnonzero(treatment(design) == 0)
    data = as_arrays(design, off)
    beta, ssr, left = least_squares(data["y"], [data[m] for m in M], data["unit"], data["year"], data["w"])
    found = slopes(design, M, (), "untreated")
    assert found.slope == pytest.approx(beta, rel=1e-8)
    assert found.spread == pytest.approx(np.sqrt(ssr / left), rel=1e-8)
    assert found.n_obs == len(off)
    cell = np.where(treatment(design) > 0, design.cohort[design.unit] * 100 + design.period, 0)
    whole = as_arrays(design)
    inside = [*(whole[m] for m in M), *dummies(cell)[:, 1:].T]
    assert slopes(design, M, (), "saturated").slope == pytest.approx(
        least_squares(whole["y"], inside, whole["unit"], whole["year"], whole["w"])[0][:2], rel=1e-7
    )


def test_influence_functions_are_what_leaving_clusters_out_does() -> None:
    """The jackknife differs from the influence function by the leverage of a cluster, about K/C: correlation above 0.99."""
    design = design_of(frame(units=120))
    found = slopes(design, M, (), "pooled")
    sums = cluster_sums(design, M, (), ())
    out = sums.without()
    for j in range(4):
        gap = found.influence[:, j], sums.paths(np.ones((1, design.n_units)))[0, 3 + j] - out[:, 3 + j]
        assert np.corrcoef(*gap)[0, 1] > 0.99
        assert np.sqrt((gap[0] ** 2).sum() / (gap[1] ** 2).sum()) == pytest.approx(1, abs=0.05)


def test_two_bootstraps_and_the_delta_method_agree() -> None:
    design = design_of(frame(units=150, seed=4))
    drawn = {slope: mechanism_of(design, M, "twfe", slope=slope, draws=1999, seed=0) for slope in ("pooled", "saturated")}
    assert [d.meta["bootstrap"] for d in drawn.values()] == ["pairs", "influence"]
    for found in drawn.values():
        rows = found.frame.filter(pl.col("quantity") == "indirect")
        width = (rows["conf_high"] - rows["conf_low"]).to_numpy() / 3.92
        assert width == pytest.approx(rows["std_error"].to_numpy(), rel=0.12), "normal in large samples; 1999 draws are good for 3 %"
        assert rows["bca_low"].to_numpy() == pytest.approx(rows["conf_low"].to_numpy(), abs=0.15 * width.max() * 3.92)


def test_coefficients_have_the_intervals_of_their_own_estimates() -> None:
    data = frame()
    made = panel(data)
    policy = adoption(made, "first")
    found = hl.mechanism(made, "y", policy, M, draws=99, comparison="not-yet-treated")
    for name, mediator in (("y", None), ("m1", "m1"), ("m2", "m2")):
        alone = hl.estimate(made, name, policy, comparison="not-yet-treated").aggregate("overall").tidy().row(0, named=True)
        quantity = "total" if mediator is None else "effect-on-mediator"
        row = found.frame.filter((pl.col("quantity") == quantity) & pl.col("mediator").eq_missing(pl.lit(mediator, dtype=pl.String))).row(
            0, named=True
        )
        for column in ("estimate", "std_error", "p_value", "conf_low", "conf_high"):
            assert row[column] == pytest.approx(alone[column], rel=1e-9)


def test_intervals_equal_scipy() -> None:
    """Percentile and BCa of a mean and a ratio, from the draws and leave-one-out values that scipy uses (scipy.stats.bootstrap)."""
    from scipy import stats

    rng = np.random.default_rng(0)
    x = rng.exponential(size=40)

    def statistic(values: Floats, axis: int = -1) -> Floats:
        return np.asarray(np.mean(values, axis=axis) ** 2)

    left_out = np.array([statistic(np.delete(x, i)) for i in range(40)])
    for method in ("percentile", "BCa"):
        made = stats.bootstrap((x,), statistic, method=method, n_resamples=999, rng=np.random.default_rng(1))
        draws = made.bootstrap_distribution[:, None]
        ends = percentile(draws, 0.95) if method == "percentile" else accelerated(np.array([statistic(x)]), draws, left_out[:, None], 0.95)
        assert [float(e[0]) for e in ends] == pytest.approx(list(made.confidence_interval), rel=1e-9)


def test_p_value_by_hand() -> None:
    assert two_sided(np.array([[-1.0], [1.0], [2.0], [3.0]])) == pytest.approx([2 * 2 / 5])
    assert two_sided(np.ones((99, 1))) == pytest.approx([0.02])


def paths_of(y: Floats, m: Floats, d: Floats) -> Paths:
    """Of one cross-section with an intercept."""
    one = np.ones_like(d)
    short = np.column_stack([d, one])
    e1, e2 = (v - short @ np.linalg.lstsq(short, v, rcond=None)[0] for v in (y, m))
    total, effect = (np.linalg.lstsq(short, v, rcond=None)[0][0] for v in (y, m))
    b = np.linalg.lstsq(np.column_stack([m, d, one]), y, rcond=None)[0][0]
    e3 = e1 - b * e2
    return Paths(np.array([total]), np.array([[effect]]), np.array([[b]]), np.array([[np.sqrt((e3 @ e3) / (e2 @ e2))]]))


def test_sensitivity_is_theorem_4_of_imai_keele_and_yamamoto() -> None:
    rng = np.random.default_rng(1)
    d = (np.arange(300) % 2).astype(float)
    m = 0.5 * d + rng.normal(size=300)
    y = 0.3 * d + 0.7 * m + rng.normal(size=300)
    paths = paths_of(y, m, d)
    short = np.column_stack([d, np.ones(300)])
    e1, e2 = (v - short @ np.linalg.lstsq(short, v, rcond=None)[0] for v in (y, m))
    tilde = np.corrcoef(e1, e2)[0, 1]
    assert rho_at_zero(paths)[0, 0] == pytest.approx(tilde, rel=1e-10)
    for rho in (-0.7, 0.0, 0.2, 0.9):
        theirs = float(paths.effect[0, 0]) * e1.std() / e2.std() * (tilde - rho * np.sqrt((1 - tilde**2) / (1 - rho**2)))
        assert indirect_at(paths, rho)[0, 0] == pytest.approx(theirs, rel=1e-10)
    assert indirect_at(paths, float(tilde))[0, 0] == pytest.approx(0, abs=1e-12)


def test_true_correlation_gives_the_true_slope() -> None:
    """u moves mediator and outcome: errors correlate by 1/2, the slope is 0.6 + 1/2, and at ρ = 1/2 it is 0.6 (20 000 rows: standard error below 0.01)."""
    rng = np.random.default_rng(2)
    d = (np.arange(20_000) % 2).astype(float)
    u, e2, e3 = (rng.normal(size=20_000) for _ in range(3))
    m = 0.5 * d + u + e2
    paths = paths_of(0.3 * d + 0.6 * m + u + e3, m, d)
    assert paths.slope[0, 0] == pytest.approx(1.1, abs=0.03)
    assert slope_at(paths, 0.5)[0, 0] == pytest.approx(0.6, abs=0.03)


def test_robustness_value_takes_the_slope_away() -> None:
    """A confounder that explains the robustness value of what is left of both, in the worst direction, leaves nothing: bias = f s with f² = R²R²/(1 - R²)."""
    f = np.array([0.05, 0.3, 2.0])
    value = robustness_value(f)
    assert value / np.sqrt(1 - value) == pytest.approx(f)
    assert robustness_value(f, 0.5) == pytest.approx(robustness_value(f / 2))


def test_breakdown_is_reported_and_confounding_moves_it() -> None:
    found = mechanism_of(design_of(frame(units=150, seed=6)), M, draws=499)
    told = found.checks.row(0, named=True)
    assert 0 < told["rho_doubt"] < told["rho_zero"] < 1
    grid = found.sensitivity.filter(mediator="m1")
    at_zero = grid.filter(rho=0.0).row(0, named=True)
    assert at_zero["estimate"] == pytest.approx(found.value("indirect", "m1"))
    signs = grid.filter(pl.col("estimate") > 0)["rho"].max()
    assert signs < told["rho_zero"] < signs + 0.1  # type: ignore[operator]
    hidden = mechanism_of(design_of(frame(units=150, seed=6, hidden=1.0)), M, draws=499)
    assert hidden.value("slope", "m1") > found.value("slope", "m1") + 0.2, "an unmeasured confounder inflates the slope"


def test_interaction_is_found_where_there_is_one() -> None:
    data = frame(units=150, seed=7)
    same = interaction(design_of(data), M, (), "untreated")
    on = (pl.col("first") > 0) & (pl.col("year") >= pl.col("first"))
    changed = interaction(
        design_of(data.with_columns(y=pl.col("y") + pl.when(on).then(0.5 * pl.col("m1")).otherwise(0.0))), M, (), "untreated"
    )
    assert same.p_value > 0.05
    assert changed.p_value < 1e-6
    assert changed.change[0] - same.change[0] == pytest.approx(0.5, abs=1e-9)
    found = mechanism_of(design_of(data.with_columns(y=pl.col("y") + pl.when(on).then(0.5 * pl.col("m1")).otherwise(0.0))), M, draws=99)
    assert any(n.code == "mechanism-interaction" for n in found.notes)


def test_mediators_are_a_family_with_pretrends() -> None:
    found = mechanism_of(design_of(frame(units=120)), M, draws=999)
    checks = found.checks
    assert checks["mediator"].to_list() == ["m1", "m2", None]
    assert all(t is not None and 0 <= t.p_value <= 1 for t in found.pretrends)
    assert all(p is not None and p.aggregation == "event-time" for p in found.paths)
    for column in ("p_romano_wolf", "p_benjamini_hochberg"):
        assert (checks[column].drop_nulls() >= checks["p_value"].drop_nulls() - 1e-12).all()
    trended = frame(units=120).with_columns(m1=pl.col("m1") + 0.5 * pl.col("year") * (pl.col("first") > 0))
    assert mechanism_of(design_of(trended), M, draws=99).checks["pretrend_p"][0] < 0.001


def test_rows_without_a_mediator_are_out_of_everything() -> None:
    data = frame().with_columns(m1=pl.when(pl.col("unit") == "u002").then(None).otherwise(pl.col("m1")))
    made = panel(data)
    found = mechanism(made, "y", adoption(made, "first"), list(M), "twfe", draws=99)
    assert found.meta["n_units"] == 59
    assert any(n.code == "rows-missing" for n in found.notes)


def test_what_it_says_of_itself() -> None:
    found = mechanism_of(design_of(frame()), ["m1"], draws=99)
    assert repr(found).startswith("Mechanism(callaway-santanna, y through m1: indirect ")
    assert found.tidy().equals(found.frame)
    assert [n.code for n in found.notes if n.code.startswith("mechanism")][:2] == ["mechanism-identified", "mechanism-slope-untreated"]
    again = mechanism_of(design_of(frame()), ["m1"], draws=99)
    assert again.frame.equals(found.frame), "the same seed gives the same bytes"
    with pytest.raises(EstimationError, match="unknown-value"):
        found.value("shares")


def codes(caught: pytest.ExceptionInfo[InputError]) -> set[str]:
    return {f.code for f in caught.value.findings}


def broken(data: pl.DataFrame, mediators: Sequence[str], **options: Any) -> Mechanism:
    made = panel(data)
    return mechanism(made, "y", adoption(made, "first"), mediators, draws=99, **options)


def test_what_is_no_mediator_is_named() -> None:
    treated = ((pl.col("first") > 0) & (pl.col("year") >= pl.col("first"))).cast(pl.Float64)
    data = frame().with_columns(
        copy=2 * pl.col("y") - 3,
        shifted=pl.col("y") + pl.col("year") + pl.col("w"),
        on=treated,
        still=pl.col("w"),
        calendar=pl.col("year") * 1.0,
        nothing=pl.lit(None, dtype=pl.Float64),
        twin=3 * pl.col("m1"),
        word=pl.lit("a"),
    )
    assert (data["shifted"] - data["y"] - data["year"]).n_unique() > 1
    cases: list[tuple[list[str], dict[str, Any], set[str]]] = [
        (["copy"], {}, {"mediator-is-outcome"}),
        (["shifted"], {}, {"mediator-is-outcome"}),
        (["y"], {}, {"mediator-is-outcome"}),
        (["on"], {}, {"mediator-is-treatment"}),
        (["still"], {}, {"mediator-constant"}),
        (["calendar"], {}, {"mediator-constant"}),
        (["x"], {"covariates": ["x"]}, {"mediator-is-covariate"}),
        (["m1", "twin"], {}, {"mediator-collinear"}),
        (["m1", "m1"], {}, {"repeated-value"}),
        (["m1"], {"confounders": ["m1"]}, {"mediator-is-covariate"}),
        ([], {}, {"no-mediator"}),
        (["copy", "on", "still"], {}, {"mediator-is-outcome", "mediator-is-treatment", "mediator-constant"}),
    ]
    for mediators, options, expected in cases:
        with pytest.raises(EstimationError) as caught:
            broken(data, mediators, **options)
        assert codes(caught) == expected, mediators
    for mediators, expected in ((["m3"], {"unknown-column"}), (["nothing", "word"], {"mediator-not-observed", "not-numeric"})):
        with pytest.raises(PanelError) as unread:
            broken(data, mediators)
        assert codes(unread) == expected


def test_bad_options_are_named_together() -> None:
    with pytest.raises(EstimationError) as caught:
        mechanism_of(design_of(frame(), cluster=["unit", "year"]), M, slope="treated", draws=5, level=95)  # type: ignore[arg-type]
    assert codes(caught) == {"unknown-value", "few-draws", "bad-level", "not-defined"}


def test_estimators_without_influence_function_are_refused() -> None:
    with pytest.raises(EstimationError) as caught:
        mechanism_of(design_of(frame()), M, "twfe", vcov="hetero", draws=99)
    assert codes(caught) == {"not-from-influence"}


def test_further_fixed_effects_use_the_influence_function() -> None:
    design = design_of(frame(), fe=["region^year"])
    assert not is_exact(design)
    assert mechanism_of(design, M, "twfe", draws=99).meta["bootstrap"] == "influence"


def test_nothing_untreated_to_take_slopes_from() -> None:
    data = frame().with_columns(first=pl.when(pl.col("first") == 0).then(4).otherwise(1))
    design = design_of(data)
    with pytest.raises(EstimationError):
        mechanism_of(design.take(treatment(design) > 0), M, "twfe", slope="untreated", draws=99)
