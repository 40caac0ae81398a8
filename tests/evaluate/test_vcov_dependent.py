"""Conley, Driscoll–Kraay and Newey–West against sums over all pairs of rows, and the checks of their options."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.testing import assert_allclose

from hinterland.data.panel import Panel
from hinterland.errors import EstimationError
from hinterland.evaluate.design import Design, make_design
from hinterland.evaluate.estimate import fit
from hinterland.evaluate.hdfe import residualise
from hinterland.evaluate.regression import absorbed, treatment
from hinterland.evaluate.vcov_spatial import Neighbourhood

Array = Any
Make = Callable[..., Any]
EARTH = 6371.0088


def _placed(made: Any, seed: int = 0, **options: Any) -> Design:
    """A design whose units lie in a box of about 900 × 900 km; the first two share a place."""
    rng = np.random.default_rng(seed)
    names = made.panel.frame["unit"].unique(maintain_order=True)
    place = pl.DataFrame({"unit": names, "lon": 104 + rng.uniform(0, 9, len(names)), "lat": 28 + rng.uniform(0, 8, len(names))})
    place = place.with_columns(
        *(pl.when(pl.col("unit") == names[1]).then(pl.col(c).first()).otherwise(pl.col(c)).alias(c) for c in ("lon", "lat"))
    )
    panel = Panel(made.panel.frame.join(place, on="unit"), "unit", "year", weight=made.panel.weight, coordinates=("lon", "lat"))
    return make_design(panel, "y", made.policy, covariates=["x"], **options)


def _km(design: Design) -> Array:
    """[N, N] great-circle distances by the haversine formula."""
    lon, lat = np.radians(design.coordinates).T  # type: ignore[arg-type]  # given above
    half = np.sin((lat[:, None] - lat) / 2) ** 2 + np.cos(lat)[:, None] * np.cos(lat) * np.sin((lon[:, None] - lon) / 2) ** 2
    return 2 * EARTH * np.arcsin(np.sqrt(np.minimum(half, 1)))


def _scores(design: Design) -> Array:
    """[n, 2] scores of the two coefficients, times the bread."""
    w = np.ones(design.n_obs) if design.weight is None else design.weight
    inside = residualise(np.column_stack([treatment(design), design.covariates, design.y]), absorbed(design), design.weight)
    x, y = inside[:, :2], inside[:, 2]
    bread = np.linalg.inv(x.T @ (w[:, None] * x))
    e = y - x @ (bread @ (x.T @ (w * y)))
    return (x * (w * e)[:, None]) @ bread


@pytest.mark.parametrize("lag", [None, 0, 2])
@pytest.mark.parametrize("kernel", ["uniform", "bartlett"])
@pytest.mark.parametrize("shape", ["balanced", "gaps and weights"])
def test_conley_is_the_sum_over_all_pairs(toy: Make, lag: int | None, kernel: str, shape: str) -> None:
    design = _placed(toy(units=30, drop=0.15, weight=True) if shape != "balanced" else toy(units=30))
    ours = fit(design, "twfe", vcov="conley", cutoff_km=260.0, kernel=kernel, lag=lag, ssc="none")
    km = _km(design)[design.unit][:, design.unit]
    near = np.where(km <= 260, 1 - km / 260 if kernel == "bartlett" else 1.0, 0.0)
    if lag is not None:
        time = design.periods[design.period]
        apart = np.abs(time[:, None] - time)
        same = design.unit[:, None] == design.unit
        near = np.where(apart == 0, near, np.where(same & (apart <= lag), 1 - apart / (lag + 1), 0.0))
    scores = _scores(design)
    expected = scores.T @ near @ scores
    if np.linalg.eigvalsh(expected).min() > 0:
        assert_allclose(ours.vcov, expected, rtol=1e-8, atol=1e-14)
    else:
        assert "covariance-repaired" in [n.code for n in ours.notes]
    assert ours.meta["mean_neighbours"] == pytest.approx((_km(design) <= 260).sum() / design.n_units - 1)


def test_conley_without_neighbours_is_clustering_by_unit(toy: Make) -> None:
    design = _placed(toy(units=24))
    coordinates = design.coordinates.copy()  # type: ignore[union-attr]  # given above
    coordinates[1] = coordinates[0] + 1
    design = replace(design, coordinates=coordinates)
    alone, clustered = fit(design, "twfe", vcov="conley", cutoff_km=0.5), fit(design, "twfe")
    assert_allclose(alone.vcov, clustered.vcov, rtol=1e-12)
    assert alone.df == clustered.df
    assert "no-neighbours" in [n.code for n in alone.notes]


def test_blocks_of_neighbours_do_not_change_the_sum(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    coordinates = np.column_stack([rng.uniform(-180, 180, 400), np.degrees(np.arcsin(rng.uniform(-1, 1, 400)))])
    values = rng.normal(size=(400, 3))
    whole = Neighbourhood.of(coordinates, 2500, "bartlett").products(values)
    monkeypatch.setattr("hinterland.evaluate.vcov_spatial.PAIRS", 97)
    assert_allclose(Neighbourhood.of(coordinates, 2500, "bartlett").products(values), whole, rtol=1e-12)


def test_lags_count_calendar_time(toy: Make) -> None:
    design = _placed(toy(units=20, drop=0.3))
    ours = fit(design, "twfe", vcov="newey-west", lag=2, ssc="none")
    time = design.periods[design.period]
    apart = np.abs(time[:, None] - time)
    weight = np.where((design.unit[:, None] == design.unit) & (apart <= 2), 1 - apart / 3, 0.0)
    scores = _scores(design)
    assert_allclose(ours.vcov, scores.T @ weight @ scores, rtol=1e-9)
    whole = np.where(apart <= 2, 1 - apart / 3, 0.0)
    assert_allclose(fit(design, "twfe", vcov="driscoll-kraay", lag=2, ssc="none").vcov, scores.T @ whole @ scores, rtol=1e-9)


def test_event_study_and_poisson_take_every_covariance(toy: Make) -> None:
    design = _placed(toy(units=40, periods=8))
    count = replace(design, y=np.round(np.exp(design.y)), outcome="count")
    for vcov in ("CR2", "CR3", "HC2", "HC3", "conley", "driscoll-kraay", "newey-west"):
        options = {"cutoff_km": 150.0, "kernel": "bartlett"} if vcov == "conley" else {}
        for effects in (fit(design, "event-study", vcov=vcov, **options), fit(count, "ppml", vcov=vcov, **options)):
            error = effects.std_error[~effects.terms.reference]
            assert np.isfinite(error).all() and effects.meta["vcov"] == vcov
            assert (effects.term_df is None) == (vcov != "CR2")
            assert np.isfinite(effects.p_value[~effects.terms.reference]).all()
            if vcov in ("CR2", "CR3"):
                assert effects.from_influence
    averaged = fit(design, "event-study", vcov="CR2").aggregate("overall")
    assert 1 < averaged.df < design.n_units


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"vcov": "conley"}, "cutoff-missing"),
        ({"vcov": "conley", "cutoff_km": -5}, "bad-cutoff"),
        ({"vcov": "conley", "cutoff_km": float("nan")}, "bad-cutoff"),
        ({"vcov": "conley", "cutoff_km": 100, "kernel": "gauss"}, "unknown-value"),
        ({"vcov": "conley", "cutoff_km": 100, "lag": 9}, "lag-too-long"),
        ({"vcov": "newey-west", "lag": -1}, "bad-lag"),
        ({"vcov": "newey-west", "lag": 1.5}, "bad-lag"),
        ({"vcov": "driscoll-kraay", "lag": 7}, "lag-too-long"),
        ({"lag": 2}, "option-unused"),
        ({"cutoff_km": 100}, "option-unused"),
        ({"vcov": "CR2", "cutoff_km": 100, "lag": 1}, "option-unused"),
    ],
)
def test_bad_options_are_findings(toy: Make, options: dict[str, Any], code: str) -> None:
    with pytest.raises(EstimationError) as caught:
        fit(_placed(toy()), "twfe", **options)
    assert code in [f.code for f in caught.value.findings]
    assert all(f.remedy for f in caught.value.findings)


@pytest.mark.parametrize("method", ["twfe", "callaway-santanna"])
def test_coordinates_are_needed_and_units_without_them_are_named(toy: Make, method: str) -> None:
    made = toy()
    with pytest.raises(EstimationError) as caught:
        fit(make_design(made.panel, "y", made.policy), method, vcov="conley", cutoff_km=100)
    assert caught.value.findings[0].code == "no-coordinates"
    design = _placed(made)
    coordinates = design.coordinates.copy()  # type: ignore[union-attr]  # given above
    coordinates[[2, 5]] = np.nan
    with pytest.raises(EstimationError) as caught:
        fit(replace(design, coordinates=coordinates), method, vcov="conley", cutoff_km=100)
    assert caught.value.findings[0].code == "units-without-coordinates"
    assert "u002" in caught.value.findings[0].where


def test_a_cut_off_across_the_country_is_warned_of(toy: Make) -> None:
    effects = fit(_placed(toy()), "twfe", vcov="conley", cutoff_km=900, kernel="bartlett")
    assert "wide-cutoff" in [n.code for n in effects.notes]


def test_corrections_of_leverage_take_one_grouping(toy: Make) -> None:
    with pytest.raises(EstimationError) as caught:
        fit(_placed(toy(), cluster=["unit", "year"]), "twfe", vcov="CR2")
    assert caught.value.findings[0].code == "not-defined"
