"""Spatial difference-in-differences: against formulas written out with dense matrices, properties, bad input, simulated truth."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray
from recording import Recorder

import hinterland as hl
from hinterland.data.adoption import adoption
from hinterland.data.globe import on_sphere
from hinterland.data.panel import Panel
from hinterland.errors import EstimationError
from hinterland.evaluate.design import Design, make_design
from hinterland.evaluate.estimate import estimate
from hinterland.evaluate.result import Effects
from hinterland.evaluate.spatial import nearest_km, nearest_weights, pairs_within, radius_weights
from hinterland.evaluate.spillover import fit
from hinterland.evaluate.spillover_displacement import displacement_test, fieller
from hinterland.labels import LANGUAGES

Floats = NDArray[np.float64]
PERIODS = 7
FAR = 99


def distances(lon: Floats, lat: Floats) -> Floats:
    """[n, n] great-circle kilometres (haversine), infinite on the diagonal."""
    lo, la = np.radians(lon), np.radians(lat)
    half = np.sin((la[:, None] - la) / 2) ** 2 + np.cos(la[:, None]) * np.cos(la) * np.sin((lo[:, None] - lo) / 2) ** 2
    km = np.asarray(2 * 6371.0088 * np.arcsin(np.sqrt(half)))
    np.fill_diagonal(km, np.inf)
    return km


def exposed(km: Floats, first: Floats) -> Floats:
    """[n, 7] distance to the nearest other unit under treatment."""
    return np.column_stack([np.where(first <= t, km, np.inf).min(axis=1) for t in range(1, PERIODS + 1)])


def make_frame(n: int = 160, seed: int = 0, box: float = 8.0) -> pl.DataFrame:
    """Direct effect 1, −0.5 within 50 km and −0.2 within 100 km on untreated units; periods 4 and 6 of adoption."""
    rng = np.random.default_rng(seed)
    lon, lat = 100 + box * rng.random(n), 25 + box * rng.random(n)
    first = rng.choice([4, 6, FAR, FAR, FAR, FAR, FAR, FAR], size=n)
    near = exposed(distances(lon, lat), first)
    t = np.arange(1, PERIODS + 1)
    own = t >= first[:, None]
    y = rng.normal(size=n)[:, None] + 0.2 * t + 0.5 * rng.normal(size=(n, PERIODS))
    y = y + own + ~own * (-0.5 * (near <= 50) - 0.2 * ((near > 50) & (near <= 100)))
    unit = np.repeat(np.arange(n), PERIODS)
    return pl.DataFrame(
        {
            "unit": [f"u{i:04d}" for i in unit],
            "year": np.tile(t, n),
            "y": y.ravel(),
            "g": pl.Series(first[unit]).replace(FAR, None),
            "lon": lon[unit],
            "lat": lat[unit],
            "x": rng.normal(size=len(unit)),
            "w": np.repeat(rng.integers(1, 4, size=n), PERIODS),
        }
    )


def make(frame: pl.DataFrame, *, weight: str | None = None, **options: Any) -> Design:
    panel = Panel(frame.sort("unit", "year"), "unit", "year", weight=weight, coordinates=("lon", "lat"))
    return make_design(panel, "y", adoption(panel, "g"), **options)


@pytest.fixture(scope="module")
def frame() -> pl.DataFrame:
    return make_frame()


def _equal(a: Effects, b: Effects) -> None:
    assert a.terms.name == b.terms.name
    np.testing.assert_allclose(a.estimate, b.estimate, rtol=1e-8, atol=1e-9)
    np.testing.assert_allclose(a.vcov, b.vcov, rtol=1e-7, atol=1e-11)


def columns_of(frame: pl.DataFrame) -> tuple[Floats, Floats]:
    """Own treatment and rings [n, 3], and distances between units, from the definition."""
    one = frame.group_by("unit", maintain_order=True).first()
    km = distances(one["lon"].to_numpy(), one["lat"].to_numpy())
    near = exposed(km, one["g"].fill_null(FAR).to_numpy())
    place = {u: i for i, u in enumerate(one["unit"])}
    at = near[[place[u] for u in frame["unit"]], frame["year"].to_numpy() - 1]
    own = frame["year"].to_numpy() >= frame["g"].fill_null(FAR).to_numpy()
    return np.column_stack([own, ~own & (at <= 50), ~own & (at > 50) & (at <= 100)]).astype(float), km


def dummies(frame: pl.DataFrame) -> Floats:
    unit, year = (frame[c].rank("dense").to_numpy().astype(int) - 1 for c in ("unit", "year"))
    z = np.zeros((len(frame), unit.max() + 1 + year.max()))
    z[np.arange(len(frame)), unit] = 1
    late = year > 0
    z[np.flatnonzero(late), unit.max() + year[late]] = 1
    return z


def by_hand(frame: pl.DataFrame, extra: Floats | None = None, weight: Floats | None = None) -> tuple[Floats, Floats]:
    """Two stages with every column written out: estimates and the covariance of both stages as one system of moments."""
    y, w = frame["y"].to_numpy(), np.ones(len(frame)) if weight is None else weight
    columns, _ = columns_of(frame)
    clean = columns.sum(axis=1) == 0
    z = dummies(frame) if extra is None else np.column_stack([dummies(frame), extra])
    root = np.sqrt(w)[:, None]
    left = y - z @ np.linalg.lstsq((z * root)[clean], (y * root[:, 0])[clean], rcond=None)[0]
    bread = np.linalg.inv(columns.T @ (columns * w[:, None]))
    theta = bread @ columns.T @ (w * left)
    through = np.linalg.solve(z[clean].T @ (z[clean] * w[clean, None]), z.T @ (columns * w[:, None]))
    scores = columns * (w * (left - columns @ theta))[:, None]
    scores[clean] -= (z[clean] @ through) * (w * left)[clean, None]
    summed = pl.DataFrame(scores @ bread).with_columns(unit=frame["unit"]).group_by("unit").sum().drop("unit").to_numpy()
    return theta, summed.T @ summed


# Distances -----------------------------------------------------------------------------------------------------------


def test_distances_are_great_circles() -> None:
    rng = np.random.default_rng(0)
    at = np.column_stack([rng.uniform(-180, 180, 300), rng.uniform(-89, 89, 300)])
    km = distances(at[:, 0], at[:, 1])
    pairs = pairs_within(at, 1500)
    i, j = np.nonzero(np.triu(km <= 1500))
    np.testing.assert_array_equal(np.column_stack([pairs.i, pairs.j]), np.column_stack([i, j]))
    np.testing.assert_allclose(pairs.km, km[i, j], rtol=1e-9)
    sources = rng.random(300) < 0.2
    np.testing.assert_allclose(nearest_km(on_sphere(at), sources), km[:, sources].min(axis=1), rtol=1e-9)
    assert np.isinf(nearest_km(on_sphere(at), np.zeros(300, dtype=bool))).all()


def test_neighbours_weights_by_definition() -> None:
    rng = np.random.default_rng(1)
    at = np.column_stack([rng.uniform(100, 110, 80), rng.uniform(20, 30, 80)])
    at[5] = at[6]
    km = distances(at[:, 0], at[:, 1])
    for power in (0.0, 1.0):
        dense = nearest_weights(at, 4, 300.0, power).toarray()
        wanted = np.zeros_like(km)
        for r in range(80):
            best = np.argsort(km[r])[:4]
            best = best[km[r, best] <= 300]
            wanted[r, best] = np.maximum(km[r, best], 1.0) ** -power
        total = wanted.sum(axis=1, keepdims=True)
        np.testing.assert_allclose(dense, wanted / np.where(total > 0, total, 1), atol=1e-9)
        inside = np.where(km <= 200, np.maximum(km, 1.0) ** -power, 0.0)
        total = inside.sum(axis=1, keepdims=True)
        np.testing.assert_allclose(radius_weights(at, 200.0, power).toarray(), inside / np.where(total > 0, total, 1), atol=1e-9)


# Against the formulas ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", ["plain", "covariates", "weights", "gaps"])
def test_two_stages_are_those_of_dense_matrices(frame: pl.DataFrame, case: str) -> None:
    table, options, kwargs = frame, {}, {}
    if case == "covariates":
        options, kwargs = {"covariates": "~ x"}, {"extra": frame["x"].to_numpy()[:, None]}
    if case == "weights":
        options, kwargs = {"weight": "w"}, {"weight": frame["w"].to_numpy().astype(float)}
    if case == "gaps":
        table = frame.filter(pl.Series(np.random.default_rng(5).random(len(frame)) > 0.1))
    theta, vcov = by_hand(table, **kwargs)
    ours = fit(make(table, **options))
    np.testing.assert_allclose(ours.estimate[:3], theta, rtol=1e-9)
    np.testing.assert_allclose(ours.vcov[:3, :3], vcov, rtol=1e-7)
    np.testing.assert_allclose(ours.influence.T @ ours.influence, ours.vcov, atol=1e-12)


def test_one_regression_is_least_squares_on_every_column(frame: pl.DataFrame) -> None:
    columns, _ = columns_of(frame)
    theta = np.linalg.lstsq(np.column_stack([columns, dummies(frame)]), frame["y"].to_numpy(), rcond=None)[0][:3]
    ours = fit(make(frame), estimator="twfe")
    np.testing.assert_allclose(ours.estimate[:3], theta, rtol=1e-8)


def test_each_term_of_one_regression_has_its_degrees_of_freedom(frame: pl.DataFrame) -> None:
    table = frame.with_columns(region=pl.col("unit").str.slice(2, 2))
    effects = fit(make(table, covariates="~ x", cluster="region"), estimator="twfe", vcov="CR2")
    assert effects.term_df is not None
    by_name = dict(zip(effects.terms.name, effects.term_df, strict=True))
    rings = [v for k, v in by_name.items() if k.startswith("ring")]
    assert by_name["x"] > by_name["direct"]
    assert by_name["spillover"] == min(rings)
    assert by_name["total"] == min(by_name["direct"], *rings)
    assert effects.df == min(effects.term_df)


def test_spillover_and_total_add_up(frame: pl.DataFrame) -> None:
    columns, _ = columns_of(frame)
    mass = columns.sum(axis=0)
    ours = fit(make(frame))
    direct, near, far, spill, total = ours.estimate
    assert spill == pytest.approx((mass[1] * near + mass[2] * far) / mass[1:].sum(), rel=1e-9)
    assert total == pytest.approx(direct + (mass[1] * near + mass[2] * far) / mass[0], rel=1e-9)
    assert ours.meta["treated_unit_periods"] == mass[0]
    assert ours.meta["exposed_unit_periods"] == mass[1:].sum()


def test_neighbours_share_is_least_squares_on_own_and_neighbours_treatment(frame: pl.DataFrame) -> None:
    one = frame.group_by("unit", maintain_order=True).first()
    km = distances(one["lon"].to_numpy(), one["lat"].to_numpy())
    weights = np.zeros_like(km)
    for r in range(len(km)):
        weights[r, np.argsort(km[r])[:3]] = 1 / 3
    own = (np.arange(1, PERIODS + 1) >= one["g"].fill_null(FAR).to_numpy()[:, None]).astype(float)
    x = frame["x"].to_numpy().reshape(-1, PERIODS)
    columns = np.column_stack([own.ravel(), (weights @ own).ravel(), x.ravel(), (weights @ x).ravel()])
    theta = np.linalg.lstsq(np.column_stack([columns, dummies(frame)]), frame["y"].to_numpy(), rcond=None)[0][:4]
    asked: dict[str, Any] = {"exposure": "neighbours", "on_treated": "same", "estimator": "twfe", "lag_covariates": True}
    ours = fit(make(frame, covariates="~ x"), nearest=3, **asked)
    assert ours.terms.name == ("direct", "neighbours treated", "spillover", "total", "x", "neighbours' x")
    np.testing.assert_allclose(ours.estimate[[0, 1, 4, 5]], theta, rtol=1e-8)
    rows, columns_ = np.nonzero(weights)
    units = np.array(one["unit"].to_list())
    table = pl.DataFrame({"unit": units[rows], "neighbour": units[columns_], "weight": np.full(len(rows), 2.0)})
    _equal(ours, fit(make(frame, covariates="~ x"), neighbours=table, **asked))


def test_direct_effects_average_to_the_direct_channel(frame: pl.DataFrame) -> None:
    cells = fit(make(frame), effect="direct")
    assert cells.aggregation == "group-time"
    overall = cells.aggregate("overall")
    channels = fit(make(frame))
    assert overall.estimate[0] == pytest.approx(channels.estimate[0], rel=1e-9)
    assert overall.std_error[0] == pytest.approx(channels.std_error[0], rel=0.1)
    assert np.isfinite(cells.aggregate("event-time").std_error).all()


def test_averages_of_direct_effects_weigh_rows_and_keep_the_spatial_covariance(frame: pl.DataFrame) -> None:
    table = frame.filter(pl.Series(np.random.default_rng(5).random(len(frame)) > 0.1))
    cells = fit(make(table, weight="w"), effect="direct", vcov="conley", cutoff_km=150)
    overall = cells.aggregate("overall")
    assert overall.estimate[0] == pytest.approx(fit(make(table, weight="w")).estimate[0], rel=1e-9)
    columns, _ = columns_of(table)
    treated = table.filter(pl.Series(columns[:, 0] == 1)).group_by("g", "year").agg(pl.col("w").sum())
    weight = {(g, t): w for g, t, w in treated.iter_rows()}
    share = np.array([weight[g, t] for g, t in zip(cells.terms.cohort, cells.terms.time, strict=True)], dtype=float)
    share /= share.sum()
    assert overall.std_error[0] == pytest.approx(np.sqrt(share @ cells.vcov @ share), rel=1e-9)


@pytest.mark.parametrize("weight", [None, "w"])
def test_means_over_cohorts_weigh_their_treated_units(frame: pl.DataFrame, weight: str | None) -> None:
    by_cohort = fit(make(frame, weight=weight), effect="direct").aggregate("cohort")
    mass = frame.filter(pl.col("g").is_in([4, 6])).unique("unit").group_by("g").agg(n=pl.len(), w=pl.col("w").sum()).sort("g")
    size = mass["n" if weight is None else "w"].to_numpy()
    assert size[0] != size[1]
    share = size / size.sum()
    overall = by_cohort.aggregate("overall")
    assert overall.estimate[0] == pytest.approx(share @ by_cohort.estimate, rel=1e-9)
    assert overall.std_error[0] == pytest.approx(np.sqrt(share @ by_cohort.vcov @ share), rel=1e-9)


def test_event_study_averages_to_the_channels(frame: pl.DataFrame) -> None:
    study = fit(make(frame), effect="event-study", leads=2)
    names = study.terms.name
    assert "direct, event time -1" in names
    assert "exposed, event time -2" in names
    columns, _ = columns_of(frame)
    own = [i for i, n in enumerate(names) if n.startswith("direct") and "-" not in n]
    age = (frame["year"].to_numpy() - frame["g"].fill_null(FAR).to_numpy())[columns[:, 0] == 1]
    mean = np.bincount(age)[study.terms.event_time[own]] @ study.estimate[own] / columns[:, 0].sum()
    assert mean == pytest.approx(fit(make(frame)).estimate[0], rel=1e-9)


def test_conley_errors_are_sums_over_pairs(frame: pl.DataFrame) -> None:
    _, km = columns_of(frame)
    clustered, spatial = fit(make(frame)), fit(make(frame), vcov="conley", cutoff_km=150)
    near = (km <= 150) | np.eye(len(km), dtype=bool)
    np.testing.assert_allclose(spatial.vcov, clustered.influence.T @ near @ clustered.influence, atol=1e-12)
    narrow = fit(make(frame), vcov="conley", cutoff_km=1e-3)
    np.testing.assert_allclose(narrow.vcov, clustered.vcov, atol=1e-12)


def test_the_direct_effect_is_two_stage_without_the_exposed_rows(frame: pl.DataFrame) -> None:
    """One unit is exposed: its later rows count for the spillover only."""
    from hinterland.evaluate.two_stage import fit as gardner

    one = frame.group_by("unit", maintain_order=True).first()
    source = one.filter(pl.col("g") == 4)["unit"][0]
    spare = one.filter(pl.col("g").is_null())["unit"][0]
    table = pl.DataFrame({"unit": [spare], "neighbour": [source]})
    kept = frame.filter((pl.col("unit") != spare) | (pl.col("year") < 4))
    ours = fit(make(frame), exposure="neighbours", neighbours=table)
    usual = gardner(make(kept)).aggregate("overall")
    assert ours.estimate[0] == pytest.approx(usual.estimate[0], rel=1e-8)


# Properties ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{}, {"on_treated": "apart"}, {"exposure": "neighbours"}, {"estimator": "twfe", "ssc": "none"}])
def test_shifts_by_unit_and_period_and_order_change_nothing(frame: pl.DataFrame, options: dict[str, Any]) -> None:
    rng = np.random.default_rng(4)
    unit = np.repeat(rng.normal(size=len(frame) // PERIODS), PERIODS)
    moved = frame.with_columns(y=pl.col("y") + pl.Series(unit + rng.normal(size=9)[frame["year"].to_numpy()]))
    renamed = moved.with_columns(unit="z" + (9999 - pl.col("unit").str.slice(1).cast(pl.Int64)).cast(pl.String))
    plain, shifted = fit(make(frame), **options), fit(make(renamed), **options)
    np.testing.assert_allclose(plain.estimate, shifted.estimate, atol=1e-8)
    np.testing.assert_allclose(plain.vcov, shifted.vcov, atol=1e-9)


def test_anticipation_leaves_rows_out_and_says_so(frame: pl.DataFrame) -> None:
    effects = fit(make(frame, anticipation=1))
    note = next(n for n in effects.notes if n.code == "spillover-anticipation")
    assert all(note.text(language) for language in LANGUAGES)
    columns, _ = columns_of(frame)
    assert effects.meta["n_obs"] < len(columns)


def test_always_treated_units_reach_others_but_have_no_effect_of_their_own(frame: pl.DataFrame) -> None:
    early = frame.with_columns(g=pl.when(pl.col("unit") == "u0000").then(1).otherwise(pl.col("g")))
    effects = fit(make(early))
    note = next(n for n in effects.notes if n.code == "spillover-unit-not-clean")
    assert "u0000" in str(note.values["units"])
    assert np.isfinite(effects.std_error).all()


def test_collinear_covariates_are_said(frame: pl.DataFrame) -> None:
    table = frame.with_columns(x2=pl.col("x") * 2 + 1, x3=pl.col("lon"))
    effects = fit(make(table, covariates=["x", "x2", "x3"]))
    assert next(n for n in effects.notes if n.code == "collinear-dropped").values["names"] == "x2, x3"
    plain = fit(make(frame, covariates="~ x"))
    np.testing.assert_allclose(effects.estimate, plain.estimate, rtol=1e-9)
    np.testing.assert_allclose(effects.vcov, plain.vcov, rtol=1e-7)


def test_an_empty_ring_is_said(frame: pl.DataFrame) -> None:
    effects = fit(make(frame), rings=[(0, 0.001), (0.001, 80)])
    assert effects.terms.name[:2] == ("direct", "ring 0.001-80 km")
    assert "ring 0-0.001 km" in str(next(n for n in effects.notes if n.code == "spillover-empty").values["names"])


# Displacement --------------------------------------------------------------------------------------------------------


def test_displacement_is_the_ratio_with_its_interval(frame: pl.DataFrame) -> None:
    effects = fit(make(frame))
    found = displacement_test(effects)
    table = found.tidy()
    assert table["estimate"][2] == pytest.approx(table["estimate"][0] + table["estimate"][1])
    assert found.share == pytest.approx(-table["estimate"][1] / table["estimate"][0])
    assert found.share_low < found.share < found.share_high
    assert found.shape == "interval"
    for end in (found.share_low, found.share_high):
        line = np.array([end, 1.0])
        pair, vcov = found.estimate[:2], _covariance(effects)
        assert abs(line @ pair) == pytest.approx(1.959964 * np.sqrt(line @ vcov @ line), rel=1e-5)
    for language in LANGUAGES:
        assert f"{100 * found.share:.0f}%" in found.statement(language)


def _covariance(effects: Effects) -> Floats:
    ratio = effects.meta["exposed_unit_periods"] / effects.meta["treated_unit_periods"]
    pick = np.zeros((2, len(effects.estimate)))
    pick[0, 0], pick[1, effects.terms.name.index("spillover")] = 1, ratio
    return np.asarray(pick @ effects.vcov @ pick.T)


def test_fieller_sets_have_three_shapes() -> None:
    assert fieller(np.array([1.0, -0.5]), np.diag([0.01, 0.01]), 1.96)[2] == "interval"
    assert fieller(np.array([0.1, -0.9]), np.diag([0.01, 0.01]), 1.96)[2] == "outside"
    assert fieller(np.array([0.1, -0.1]), np.diag([0.1, 0.1]), 1.96) == (-np.inf, np.inf, "everything")


@pytest.mark.parametrize(
    ("direct", "spill", "verdict"),
    [
        (1.0, 0.0, "no-evidence"),
        (1.0, 0.5, "gained"),
        (2.0, -0.5, "partly-displaced"),
        (1.0, -1.0, "not-told-apart"),
        (1.0, -3.0, "net-loss"),
    ],
)
def test_verdicts(frame: pl.DataFrame, direct: float, spill: float, verdict: str) -> None:
    effects = fit(make(frame))
    ratio = effects.meta["exposed_unit_periods"] / effects.meta["treated_unit_periods"]
    values = np.array([direct, 0, 0, spill / ratio, direct + spill])
    sharp = replace(effects, estimate=values, vcov=effects.vcov / 100)
    assert displacement_test(sharp).verdict == verdict
    assert displacement_test(sharp).statement("zh")


def test_displacement_needs_channels(frame: pl.DataFrame) -> None:
    with pytest.raises(EstimationError, match="channels"):
        displacement_test(fit(make(frame), effect="direct"))


# Bad input -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"rings": [100, 50]}, "bad-rings"),
        ({"rings": [(0, 50), (40, 90)]}, "bad-rings"),
        ({"rings": [(10, 50)]}, "bad-rings"),
        ({"rings": "near"}, "bad-rings"),
        ({"rings": []}, "bad-rings"),
        ({"rings": [0.0001]}, "nobody-exposed"),
        ({"rings": [20_000]}, "all-always-treated"),
        ({"exposure": "ring"}, "unknown-value"),
        ({"nearest": -1}, "not-whole"),
        ({"exposure": "neighbours", "nearest": 0}, "no-neighbours"),
        ({"exposure": "neighbours", "neighbours": pl.DataFrame({"a": [1]})}, "unknown-column"),
        ({"exposure": "neighbours", "neighbours": 3}, "not-a-table"),
        ({"exposure": "neighbours", "neighbours": pl.DataFrame({"unit": ["a"], "neighbour": ["b"]})}, "no-unit-matches"),
        ({"neighbours": pl.DataFrame({"unit": ["a"], "neighbour": ["b"]})}, "option-unused"),
        ({"vcov": "iid"}, "not-defined"),
        ({"estimator": "twfe", "effect": "direct"}, "not-defined"),
        ({"estimator": "twfe", "anticipation": 1}, "not-defined"),
        ({"lag_covariates": True}, "option-unused"),
        ({"fe": ["g"]}, "not-defined"),
        ({"decay": -1}, "bad-decay"),
        ({"within_km": 0}, "bad-distance"),
    ],
)
def test_bad_input_is_a_finding(frame: pl.DataFrame, options: dict[str, Any], code: str) -> None:
    panel = Panel(frame.with_columns(pl.col("g").fill_null(0).alias("z")).sort("unit", "year"), "unit", "year", coordinates=("lon", "lat"))
    options = {"fe": ["z"]} if options == {"fe": ["g"]} else options
    with pytest.raises(EstimationError) as caught:
        estimate(panel, "y", adoption(panel, "g"), "spillover", **options)
    assert code in [f.code for f in caught.value.findings]
    assert all(f.what and f.remedy for f in caught.value.findings)


def test_missing_coordinates_are_named(frame: pl.DataFrame) -> None:
    table = frame.with_columns(lon=pl.when(pl.col("unit") == "u0003").then(None).otherwise(pl.col("lon")))
    with pytest.raises(EstimationError, match="u0003"):
        fit(make(table))
    bare = Panel(frame.sort("unit", "year"), "unit", "year")
    with pytest.raises(EstimationError, match="no coordinates"):
        fit(make_design(bare, "y", adoption(bare, "g")))


# Simulation ----------------------------------------------------------------------------------------------------------


def redrawn(base: Design, mean: Floats, rng: np.random.Generator) -> Design:
    """The same places and dates with another outcome: unit effects and AR(1) errors around ``mean`` [n, 7]."""
    n = base.n_units
    error = np.empty((n, PERIODS))
    error[:, 0] = rng.normal(size=n)
    for t in range(1, PERIODS):
        error[:, t] = 0.5 * error[:, t - 1] + np.sqrt(0.75) * rng.normal(size=n)
    return replace(base, y=(mean + rng.normal(size=n)[:, None] + error).ravel())


@pytest.mark.validate
@pytest.mark.parametrize("options", [{}, {"on_treated": "apart"}, {"vcov": "conley", "cutoff_km": 60}], ids=["rings", "apart", "conley"])
def test_coverage_of_channels(options: dict[str, Any], request: pytest.FixtureRequest, validated: Recorder) -> None:
    """Effects that grow with time, AR(1) errors, 400 units: direct, rings, spillover and total."""
    frame = make_frame(400, 3, 14.0)
    base, (columns, _) = make(frame), columns_of(frame)
    age = np.maximum(frame["year"].to_numpy() - frame["g"].fill_null(FAR).to_numpy(), 0)
    effect = columns[:, 0] * (1 + 0.2 * age) - 0.5 * columns[:, 1] - 0.2 * columns[:, 2]
    mass = columns.sum(axis=0)
    direct = float((effect * columns[:, 0]).sum() / mass[0])
    spill = -0.5 * mass[1] - 0.2 * mass[2]
    rng, made = np.random.default_rng(7), []
    for _ in range(1000):
        design = redrawn(base, effect.reshape(-1, PERIODS) + 0.2 * np.arange(PERIODS), rng)
        found = fit(design, **options)
        place = [found.terms.name.index(n) for n in ("direct", "ring 0-50 km", "ring 50-100 km", "spillover", "total")]
        made.append((found.estimate[place], found.half_width()[place]))
    whole = spill / mass[1:].sum()
    truth = np.array([direct, -0.5, -0.2, whole, direct + spill / mass[0]])
    estimate, half = (np.array(x) for x in zip(*made, strict=True))
    names = ("direct", "ring 0-50 km", "ring 50-100 km", "spillover", "total")
    record = validated("estimators", "spillover", RINGS, variant=request.node.callspec.id, seed=7)
    for j in (1, 2, 4) if options.get("on_treated") == "apart" else range(5):
        record.interval(estimate[:, j] - truth[j], half[:, j], names[j])


RINGS = "spillovers within 100 km, AR(1) errors; 400 units × 7"


@pytest.mark.validate
def test_coverage_of_event_times_and_of_direct_effects(validated: Recorder) -> None:
    """The same places: direct effects and spillovers by event time, their leads, and group-time effects averaged by event time."""
    frame = make_frame(400, 3, 14.0)
    base, (columns, _) = make(frame), columns_of(frame)
    age = np.maximum(frame["year"].to_numpy() - frame["g"].fill_null(FAR).to_numpy(), 0)
    effect = columns[:, 0] * (1 + 0.2 * age) - 0.5 * columns[:, 1] - 0.2 * columns[:, 2]
    wanted = {"direct, event time 0": 1.0, "direct, event time 2": 1.4, "ring 0-50 km, event time 1": -0.5, "direct, event time -2": 0.0}
    rng = np.random.default_rng(9)
    gap, half, cells, wide = [], [], [], []
    for _ in range(1000):
        design = redrawn(base, effect.reshape(-1, PERIODS) + 0.2 * np.arange(PERIODS), rng)
        path = fit(design, effect="event-study", leads=2)
        place = [path.terms.name.index(n) for n in wanted]
        gap.append(path.estimate[place] - list(wanted.values()))
        half.append(path.half_width()[place])
        by_event = fit(design, effect="direct").aggregate("event-time")
        cells.append(by_event.estimate[[0, 2]] - [1.0, 1.4])
        wide.append(by_event.half_width()[[0, 2]])
    record = validated("estimators", "spillover", RINGS, variant="event study", seed=9)
    for j, name in enumerate(wanted):
        record.interval(np.array(gap)[:, j], np.array(half)[:, j], name)
    record = validated("estimators", "spillover", RINGS, variant="direct effects by cohort and period", seed=9)
    for j, e in enumerate((0, 2)):
        record.interval(np.array(cells)[:, j], np.array(wide)[:, j], f"event time {e}")


@pytest.mark.validate
@pytest.mark.parametrize("vcov", ["cluster", "conley"])
def test_coverage_of_one_regression(vcov: str, validated: Recorder) -> None:
    """One regression of all rows, where effects do not grow: rings, and neighbours' treatment."""
    frame = make_frame(400, 3, 14.0)
    base, (columns, _) = make(frame), columns_of(frame)
    mean = (columns @ np.array([1.0, -0.5, -0.2])).reshape(-1, PERIODS)
    options: dict[str, Any] = {"vcov": "conley", "cutoff_km": 60} if vcov == "conley" else {}
    rng = np.random.default_rng(10)
    gap, half, null = [], [], []
    for _ in range(1000):
        design = redrawn(base, mean, rng)
        found = fit(design, estimator="twfe", **options)
        gap.append(found.estimate[:3] - [1.0, -0.5, -0.2])
        half.append(found.half_width()[:3])
        null.append(fit(redrawn(base, np.zeros_like(mean), rng), estimator="twfe", **options).p_value < 0.05)
    record = validated("estimators", "spillover", RINGS, variant=f"twfe, {vcov}", seed=10)
    for j, name in enumerate(("direct", "ring 0-50 km", "ring 50-100 km")):
        record.interval(np.array(gap)[:, j], np.array(half)[:, j], name)
    for j, name in enumerate(("direct", "ring 0-50 km", "ring 50-100 km", "spillover", "total")):
        record.size(np.array(null)[:, j], name)


@pytest.mark.validate
def test_displacement_test_has_its_size_and_ignoring_spillovers_is_biased(validated: Recorder) -> None:
    """Total effect zero: the test rejects in one of twenty samples, and the interval of the share holds one."""
    from hinterland.evaluate.two_stage import fit as gardner

    frame = make_frame(400, 3, 14.0)
    base, (columns, _) = make(frame), columns_of(frame)
    mass = columns.sum(axis=0)
    ratio = mass[1:].sum() / mass[0]
    mean = (columns[:, 0] - (columns[:, 1] + columns[:, 2]) / ratio).reshape(-1, PERIODS)
    rng, reject, hold, null, naive, direct = np.random.default_rng(8), [], [], [], [], []
    for _ in range(1000):
        design = redrawn(base, mean, rng)
        found = displacement_test(fit(design))
        reject.append(found.p_value[2] < 0.05)
        inside = found.share_low <= 1 <= found.share_high
        hold.append(found.shape == "everything" or inside == (found.shape == "interval"))
        none = displacement_test(fit(redrawn(base, np.zeros_like(mean), rng)))
        null.append(none.p_value < 0.05)
        direct.append(found.estimate[0])
        naive.append(gardner(design).aggregate("overall").estimate[0])
    record = validated("tests", "displacement_test", f"everything gained is taken from neighbours; {RINGS}", seed=8)
    record.size(reject, "total")
    record.coverage(hold, "share displaced")
    record = validated("tests", "displacement_test", f"no effect; {RINGS}", seed=8)
    for j, name in enumerate(("direct", "spillover", "total")):
        record.size(np.array(null)[:, j], name)
    validated("estimators", "spillover", f"everything gained is taken from neighbours; {RINGS}", seed=8).bias(
        np.array(direct) - 1, "direct"
    )
    record = validated("failures", "two-stage", f"everything gained is taken from neighbours; {RINGS}", seed=8)
    record.bias(np.array(naive) - 1, "overall", reason="known failure", least=0.05)


@pytest.mark.validate
def test_the_packaged_world(validated: Recorder) -> None:
    """Displacement in the packaged world: own and neighbours' treatment recover direct, spillover and total effects."""
    gap = []
    settings: dict[str, Any] = {"spillover": -0.5, "dynamics": 1e-6, "cohort_gap": 0.0, "heterogeneity": 0.0, "moderation": 0.0}
    settings |= {"moderation_sichuan_chongqing": 0.0, "sichuan_chongqing": 0.0, "treated_share": 0.25}
    hit = []
    for seed in range(1000):
        world = hl.simulate("demonstration-zones", seed=seed, units=400, periods=9, cohorts=(2012, 2014), **settings)
        truth = _world_truth(world)
        found = displacement_test(
            hl.estimate(world.panel, "ln_inventions", world.policy, "spillover", exposure="neighbours", within_km=300.0, on_treated="same")
        )
        gap.append(found.estimate - truth)
        hit.append(np.abs(gap[-1]) < 1.959964 * found.std_error)
    record = validated(
        "packaged world", "spillover", "displacement to neighbours; 400 cities × 9, a quarter treated", variant="neighbours", seed=0
    )
    for j, name in enumerate(("direct", "spillover", "total")):
        record.bias(np.array(gap)[:, j], name)
        record.coverage(np.array(hit)[:, j], name)


def _world_truth(world: Any) -> Floats:
    """Mean own effect on treated unit-years, sum of what reached others per treated unit-year, and their total."""
    frame = world.potential
    own = (frame["ln_inventions_1"] - frame["ln_inventions_0"]).to_numpy()
    received = (frame["ln_inventions_0"] - frame["ln_inventions_00"]).to_numpy()
    treated = frame["event_time"].fill_null(-1).to_numpy() >= 0
    direct, spill = float(own[treated].mean()), float(received.sum() / treated.sum())
    return np.array([direct, spill, direct + spill])
