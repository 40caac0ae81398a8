"""Covariances computed from influence functions after the fit: several groupings, and distance."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.testing import assert_allclose

from hinterland.data.panel import Panel
from hinterland.errors import EstimationError, EstimationWarning
from hinterland.evaluate.design import Design, make_design
from hinterland.evaluate.estimate import fit
from hinterland.evaluate.vcov_spatial import Neighbourhood

Make = Callable[..., Any]
METHOD = "callaway-santanna"


def _design(toy: Make, cluster: Any = None, **made_as: Any) -> Design:
    made = toy(units=48, starts=(2003, 2004, 2006, None, None, None), **made_as)
    number = pl.col("unit").str.slice(1).cast(pl.Int64)
    frame = made.panel.frame.with_columns(
        lon=104 + (number * 37 % 48) * 0.2, lat=28 + (number * 17 % 48) * 0.15, half=pl.format("h{}", number // 4)
    )
    frame = frame.with_columns(region=pl.format("r{}", number % 7))
    return make_design(Panel(frame, "unit", "year", coordinates=("lon", "lat")), "y", made.policy, cluster=cluster)


@pytest.mark.parametrize("kind", ["overall", "event-time", "cohort", "calendar"])
def test_two_groupings_are_those_of_three_one_way_fits(toy: Make, kind: str) -> None:
    """V₁ + V₂ − V₁₂, for the cells and for every average of them: shares are estimates too."""
    both = fit(_design(toy, ["region", "half"]), METHOD).aggregate(kind)  # type: ignore[arg-type]  # by name
    parts = [fit(_design(toy, cluster), METHOD).aggregate(kind).vcov for cluster in ("region", "half")]  # type: ignore[arg-type]
    design = _design(toy, "half")
    pair = design.clusters[0].codes.astype(np.int64) * 7 + _design(toy, "region").clusters[0].codes
    codes = np.unique(pair, return_inverse=True)[1].astype(np.int32)
    crossed = replace(design.clusters[0], codes=codes, size=int(codes.max()) + 1, labels=None)
    expected = parts[0] + parts[1] - fit(replace(design, clusters=(crossed,)), METHOD).aggregate(kind).vcov  # type: ignore[arg-type]
    values, vectors = np.linalg.eigh(expected)
    assert_allclose(both.vcov, (vectors * np.maximum(values, 0)) @ vectors.T, rtol=1e-7, atol=1e-14)
    assert both.meta["cluster"] == ["region", "half"] and both.meta["n_clusters"] == 7


@pytest.mark.parametrize("kernel", ["uniform", "bartlett"])
def test_conley_is_the_sum_over_pairs_of_units(toy: Make, kernel: str) -> None:
    design = _design(toy)
    plain = fit(design, METHOD).aggregate("overall")
    ours = fit(design, METHOD, vcov="conley", cutoff_km=130, kernel=kernel).aggregate("overall")
    near = Neighbourhood.of(design.coordinates, 130, kernel)  # type: ignore[arg-type]  # given above
    assert_allclose(ours.vcov, near.products(plain.influence), rtol=1e-7)
    assert ours.estimate == plain.estimate
    assert ours.meta["vcov"] == "conley" and ours.meta["cutoff_km"] == 130
    assert not ours.from_influence


def test_without_neighbours_conley_is_clustering_by_unit(toy: Make) -> None:
    design = _design(toy)
    ours = fit(design, METHOD, vcov="conley", cutoff_km=0.01)
    assert_allclose(ours.vcov, fit(design, METHOD).vcov, atol=1e-15)


def test_a_band_comes_from_the_covariance_itself(toy: Make) -> None:
    design = _design(toy)
    effects = fit(design, METHOD, vcov="conley", cutoff_km=130, kernel="bartlett", bootstrap={"kind": "analytic"})
    assert effects.aggregate("event-time").band is not None
    with pytest.raises(EstimationError) as caught:
        fit(design, METHOD, vcov="conley", cutoff_km=130, kernel="bartlett", bootstrap={"kind": "multiplier"})
    assert caught.value.findings[0].code == "not-from-influence"


def test_groupings_that_change_within_units_are_named(toy: Make) -> None:
    with pytest.raises(EstimationError) as caught:
        fit(_design(toy, ["region", "year"]), METHOD)
    assert caught.value.findings[0].code == "cluster-not-nested"


def test_unused_distance_is_a_finding(toy: Make) -> None:
    with pytest.raises(EstimationError) as caught:
        fit(_design(toy), METHOD, cutoff_km=100)
    assert caught.value.findings[0].code == "option-unused"


@pytest.mark.parametrize("method", ["twfe", METHOD])
def test_few_clusters_are_said_and_two_are_warned_of(toy: Make, method: str) -> None:
    design = _design(toy, "region")
    assert "few-clusters" in [n.code for n in fit(design, method).notes]
    cluster = replace(design.clusters[0], codes=(design.clusters[0].codes % 2).astype(np.int32), size=2, labels=None)
    with pytest.warns(EstimationWarning, match="only 2 clusters"):
        effects = fit(replace(design, clusters=(cluster,)), method)
    assert "two-clusters" in [n.code for n in effects.notes]
