"""What must not matter, or must matter in a known way, for every registered method: order and names, units of measurement, weights, gaps.

Each property is one small panel; what a method does not promise is listed with the reason.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

import hinterland as hl
from hinterland.evaluate.result import Effects

Floats = NDArray[np.float64]

METHODS: tuple[str, ...] = tuple(hl.methods()["id"])
ACCEPTS: Mapping[str, list[str]] = {r["id"]: list(r["accepts"]) for r in hl.methods().iter_rows(named=True)}
PLACES, YEARS = 48, tuple(range(2000, 2007))
OPTIONS: Mapping[str, Mapping[str, Any]] = {
    "dose": {"dose": "share", "basis": "spline", "degree": 1},
    "triple": {"partition": "part"},
    "spillover": {"rings": [130.0]},
    "matrix-completion": {"penalty": 0.3, "replicates": 20},
    "sdid": {"variance": "jackknife"},
    "efficient": {"beta": 1},
    "etwfe": {"unit_effects": True},
    "stacked": {"kappa_pre": 2, "kappa_post": 1},
}
COUNTS = {"ppml"}
AVERAGED = {"callaway-santanna", "sun-abraham", "etwfe", "stacked", "imputation", "two-stage", "matrix-completion", "sdid", "triple"}


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", hl.HinterlandWarning)
        yield


@cache
def frame(gaps: bool = False) -> pl.DataFrame:
    """48 places × 7 years × 2 industries (``part``); columns unit, year, g, share, x, y, n, w (1–3), lon, lat."""
    rng = np.random.default_rng(7)
    cohort = np.array([0, 2003, 2005, 0])[np.arange(PLACES) % 4]
    shape = (PLACES, 2, len(YEARS))
    year = np.broadcast_to(np.array(YEARS), shape)
    on = (cohort[:, None, None] > 0) & (year >= cohort[:, None, None])
    x = np.broadcast_to(rng.normal(size=(PLACES, 2, 1)), shape)
    part = np.broadcast_to(np.array([0, 1])[None, :, None], shape)
    place = np.broadcast_to(np.arange(PLACES)[:, None, None], shape)
    noise = rng.normal(size=shape).cumsum(axis=2) * 0.5
    y = rng.normal(size=(PLACES, 2, 1)) + 0.1 * (year - 2000) + on * part * (1 + 0.2 * (year - cohort[:, None, None])) + 0.3 * x + noise
    out = pl.DataFrame(
        {
            "unit": (2 * place + part).ravel(),
            "place": place.ravel(),
            "part": part.ravel().astype(float),
            "year": year.ravel(),
            "g": np.broadcast_to(cohort[:, None, None], shape).ravel(),
            "share": np.where(cohort > 0, 0.2 + 0.1 * (np.arange(PLACES) // 4 % 6), 0.0)[place.ravel()],
            "x": x.ravel(),
            "y": y.ravel(),
            "n": 1.0 + rng.poisson(np.exp(0.7 + 0.3 * on * part)).ravel(),
            "w": rng.integers(1, 4, PLACES)[place.ravel()].astype(float),
            "lon": 100 + (place.ravel() % 8) * 1.2,
            "lat": 24 + (place.ravel() // 8) * 1.2,
        }
    )
    keep = rng.random(out.height) >= 0.06
    return out.filter(pl.Series(keep)) if gaps else out


def run(method: str, table: pl.DataFrame, *, weight: str | None = None, **options: Any) -> Effects:
    used = table if method == "triple" else table.filter(pl.col("part") == 1)
    panel = hl.read_panel(used, unit="unit", time="year", weight=weight, coordinates=("lon", "lat"))
    policy = hl.adoption(panel, "g", never=(0, None))
    return hl.estimate(panel, "n" if method in COUNTS else "y", policy, method, **{**OPTIONS.get(method, {}), **options})


@cache
def plain(method: str) -> Effects:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", hl.HinterlandWarning)
        return run(method, frame())


def assert_same(ours: Effects, want: Effects, *, factor: float = 1.0, errors: bool = True, rtol: float = 1e-6) -> None:
    """Estimates, and (``errors``) standard errors, those of ``want`` times ``factor``."""
    assert len(ours.estimate) == len(want.estimate)
    size = factor * float(np.nanmax(np.abs(want.estimate)))
    np.testing.assert_allclose(ours.estimate, factor * want.estimate, rtol=rtol, atol=rtol * size)
    if errors:
        np.testing.assert_allclose(ours.std_error, factor * want.std_error, rtol=rtol, atol=rtol * size)


@pytest.mark.parametrize("method", METHODS)
def test_order_and_names_of_units(method: str) -> None:
    names = np.random.default_rng(3).permutation(2 * PLACES)
    renamed = frame().with_columns(unit=pl.format("区{}", pl.Series(names[frame()["unit"].to_numpy()]).cast(pl.String).str.zfill(3)))
    ours = run(method, renamed.sample(fraction=1.0, shuffle=True, seed=2))
    # Replicates of matrix completion are drawn unit by unit, in their order.
    assert_same(ours, plain(method), errors=method != "matrix-completion", rtol=1e-5 if method == "matrix-completion" else 1e-7)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("factor", [1e-6, 1e5])
def test_unit_of_measurement(method: str, factor: float) -> None:
    column = "n" if method in COUNTS else "y"
    options = {"penalty": 0.3 * factor} if method == "matrix-completion" else {}
    ours = run(method, frame().with_columns(pl.col(column) * factor), **options)
    assert_same(ours, plain(method), factor=1.0 if method in COUNTS else factor, errors=method != "matrix-completion", rtol=1e-5)


@pytest.mark.parametrize("method", [m for m in METHODS if m not in COUNTS])
def test_effects_of_units_and_periods_are_absorbed(method: str) -> None:
    rng = np.random.default_rng(5)
    # The ridge of synthetic difference-in-differences is the standard deviation of all changes, common ones included.
    by_unit, by_year = 10 * rng.normal(size=2 * PLACES), (0 if method == "sdid" else 10) * rng.normal(size=len(YEARS))
    shift = by_unit[frame()["unit"].to_numpy()] + by_year[frame()["year"].to_numpy() - YEARS[0]]
    # The adjusted variance under random timing is predicted from levels before adoption.
    options = {"variance": "neyman"} if method == "efficient" else {}
    ours = run(method, frame().with_columns(y=pl.col("y") + pl.Series(shift)), **options)
    want = run(method, frame(), **options) if options else plain(method)
    # Matrix completion stops at a tolerance that goes with the size of the outcome.
    assert_same(ours, want, errors=method != "matrix-completion", rtol=1e-4 if method == "matrix-completion" else 1e-6)


@pytest.mark.parametrize("method", [m for m in METHODS if m not in COUNTS])
def test_a_large_level_costs_no_digits_that_matter(method: str) -> None:
    ours = run(method, frame().with_columns(y=pl.col("y") + 1e6))
    assert_same(ours, plain(method), errors=method != "matrix-completion", rtol=1e-4 if method == "matrix-completion" else 1e-6)


@pytest.mark.parametrize("method", [m for m in METHODS if "weights" in ACCEPTS[m]])
def test_constant_weights_do_not_matter(method: str) -> None:
    assert_same(run(method, frame().with_columns(w=pl.lit(7.5)), weight="w"), plain(method), rtol=1e-8)


# Copies of a place would be neighbours of one another, and exposed to one another.
REPLICATED = [m for m in METHODS if "weights" in ACCEPTS[m] and m != "spillover"]


@pytest.mark.parametrize("method", REPLICATED)
def test_a_weight_counts_like_copies(method: str) -> None:
    copies = pl.concat(frame().filter(pl.col("w") > k).with_columns(unit=pl.col("unit") + 1000 * k, owner=pl.col("unit")) for k in range(3))
    ours, want = run(method, frame(), weight="w"), run(method, copies, cluster="owner")
    np.testing.assert_allclose(ours.estimate, want.estimate, rtol=1e-6, atol=1e-8)
    # Factors for small samples count rows; elsewhere the standard error is the same too.
    if method in ("callaway-santanna", "two-stage", "triple", "dose"):
        np.testing.assert_allclose(ours.std_error, want.std_error, rtol=1e-6)


@pytest.mark.parametrize("method", [m for m in METHODS if "unbalanced" in ACCEPTS[m]])
def test_a_unit_seen_once_adds_nothing_but_takes_the_path_for_gaps(method: str) -> None:
    alone = frame().filter((pl.col("unit") < 2) & (pl.col("year") == YEARS[0]))
    alone = alone.with_columns(unit=pl.col("unit") + 9000, lon=pl.lit(20.0), g=pl.lit(0, frame()["g"].dtype), share=pl.lit(0.0))
    ours = run(method, pl.concat([frame(), alone]), **({"unit_effects": True} if method == "etwfe" else {}))
    np.testing.assert_allclose(ours.estimate, plain(method).estimate, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("method", [m for m in METHODS if "unbalanced" in ACCEPTS[m]])
def test_with_gaps_nothing_depends_on_order_or_level(method: str) -> None:
    want = run(method, frame(gaps=True))
    column = "n" if method in COUNTS else "y"
    ours = run(
        method, frame(gaps=True).sample(fraction=1.0, shuffle=True, seed=4).with_columns(pl.col(column) + (0 if method in COUNTS else 1e3))
    )
    assert_same(ours, want, errors=method != "matrix-completion", rtol=1e-4 if method == "matrix-completion" else 1e-6)


@pytest.mark.parametrize("method", METHODS)
def test_two_clusters_are_said_or_refused(method: str) -> None:
    try:
        effects = run(method, frame().with_columns(side=pl.col("place") // 4 % 2), cluster="side")
    except hl.InputError as error:
        assert all(f.what and f.remedy for f in error.findings)
        return
    assert "two-clusters" in {n.code for n in effects.notes}


@pytest.mark.parametrize("method", METHODS)
def test_the_same_call_gives_the_same_bits(method: str) -> None:
    again = run(method, frame())
    assert again.estimate.tobytes() == plain(method).estimate.tobytes()
    assert again.vcov.tobytes() == plain(method).vcov.tobytes()


@pytest.mark.parametrize("method", METHODS)
def test_bands_depend_on_the_seed_alone(method: str) -> None:
    one, same, other = (plain(method).with_band(draws=199, seed=s) for s in (1, 1, 2))
    assert one.band is not None and same.band is not None and other.band is not None
    assert one.band.critical == same.band.critical
    np.testing.assert_array_equal(one.tidy()["band_low"].to_numpy(), same.tidy()["band_low"].to_numpy())
    if (~one.terms.reference).sum() > 1:
        assert one.band.critical != other.band.critical


@pytest.mark.parametrize("method", METHODS)
def test_taking_terms_takes_their_numbers(method: str) -> None:
    effects = plain(method)
    pick = np.flatnonzero(~effects.terms.reference)[::-2][:3]
    part = effects.take(pick)
    np.testing.assert_array_equal(part.estimate, effects.estimate[pick])
    np.testing.assert_array_equal(part.vcov, effects.vcov[np.ix_(pick, pick)])
    assert part.terms.name == tuple(effects.terms.name[i] for i in pick)


@pytest.mark.parametrize("method", sorted(AVERAGED))
def test_averages_are_weighted_cells(method: str) -> None:
    """Every average is Σ share · cell / Σ share, and the overall one the mean of cohorts by their treated cells."""
    effects = plain(method)
    assert effects.aggregation == "group-time" and effects.shares is not None
    terms, shares = effects.terms, effects.shares
    share = shares.share[shares.place(terms.cohort, terms.time)]
    event = terms.time - terms.cohort
    known = np.isfinite(effects.estimate)
    for kind, label, own in (("event-time", "event_time", event), ("calendar", "time", terms.time)):
        averages = effects.aggregate(kind)  # type: ignore[arg-type]
        for value, mean in zip(getattr(averages.terms, label), averages.estimate, strict=True):
            cells = known & (own == value) & ((event >= 0) | (kind == "event-time"))
            np.testing.assert_allclose(mean, share[cells] @ effects.estimate[cells] / share[cells].sum(), rtol=1e-10, atol=1e-12)
    post = known & (event >= 0)
    overall = effects.aggregate("overall")
    np.testing.assert_allclose(overall.estimate[0], share[post] @ effects.estimate[post] / share[post].sum(), rtol=1e-10)
    path = effects.aggregate("event-time")
    after = path.terms.event_time >= 0
    np.testing.assert_allclose(path.aggregate("overall").estimate[0], path.estimate[after].mean(), rtol=1e-10)
    if effects.from_influence:
        np.testing.assert_allclose(path.vcov, path.influence.T @ path.influence, rtol=1e-8, atol=1e-14)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", ["relative-magnitude", "smoothness"])
def test_sensitivity_starts_from_the_interval_and_widens_with_the_bound_or_is_refused(method: str, kind: Any) -> None:
    effects = plain(method)
    grid = [0.0, 0.5, 1.0, 2.0]
    try:
        found = hl.sensitivity(effects, kind, grid=grid, draws=1000)
    except hl.InputError as error:
        assert all(f.what and f.remedy for f in error.findings)
        return
    path = effects if effects.aggregation == "event-time" else effects.aggregate("event-time")
    first = int(np.flatnonzero(path.terms.event_time == 0)[0])
    half = 1.959963984540054 * path.std_error[first]
    np.testing.assert_allclose(found.original, (path.estimate[first] - half, path.estimate[first] + half), rtol=1e-7)
    table = found.tidy()
    width = table["conf_high"].to_numpy() - table["conf_low"].to_numpy()
    assert np.isfinite(width).all()
    assert (np.diff(width) > -1e-6 * width[-1]).all()
