"""Variances that are zero by construction are no standard errors, and bands are no narrower than intervals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest

from hinterland.data.panel import Panel
from hinterland.errors import EstimationError
from hinterland.evaluate.bands import add_band
from hinterland.evaluate.design import Design, make_design
from hinterland.evaluate.estimate import fit

Make = Callable[..., Any]


def located(toy: Make) -> Design:
    made = toy()
    number = pl.col("unit").str.slice(1).cast(pl.Float64)
    frame = made.panel.frame.with_columns(lon=100 + number / 10, lat=30 + number / 20)
    return make_design(replace(made.panel, frame=frame, coordinates=("lon", "lat")), "y", made.policy)


def test_scores_of_everybody_add_up_to_zero(toy: Make) -> None:
    """Within a distance that holds all pairs, the sum over pairs is the square of the sum of all scores."""
    design = located(toy)
    wide = fit(design, "twfe", vcov="conley", cutoff_km=20_000)
    assert np.isnan(wide.std_error).all()
    assert np.isnan(wide.p_value).all()
    assert {"wide-cutoff", "no-std-error"} <= {n.code for n in wide.notes}
    assert np.isfinite(fit(design, "twfe", vcov="conley", cutoff_km=20).std_error).all()


@pytest.mark.filterwarnings("ignore::hinterland.HinterlandWarning")
@pytest.mark.parametrize("options", [{"vcov": "driscoll-kraay"}, {"vcov": "cluster"}])
def test_two_periods_say_nothing_of_variation_between_periods(toy: Make, options: dict[str, str]) -> None:
    made = toy(units=40, periods=2, starts=(2002, None))
    assert isinstance(made.panel, Panel)
    design = make_design(made.panel, "y", made.policy, cluster="year" if options["vcov"] == "cluster" else None)
    found = fit(design, "twfe", **options)
    assert np.isnan(found.std_error).all()
    assert "no-std-error" in {n.code for n in found.notes}


def test_a_kernel_without_a_distance_is_refused(toy: Make) -> None:
    made = toy()
    design = make_design(made.panel, "y", made.policy)
    with pytest.raises(EstimationError, match="kernel='bartlett' has no meaning"):
        fit(design, "twfe", kernel="bartlett")


def test_a_band_is_no_narrower_than_an_interval(toy: Make) -> None:
    made = toy(units=48)
    panel = made.panel.with_columns(block=made.panel.frame["unit"].str.slice(1).cast(int) // 6)
    effects = fit(make_design(panel, "y", made.policy, cluster="block"), "event-study")
    drawn = add_band(effects)
    assert drawn.band is not None
    assert drawn.band.critical >= effects.critical()
    many = add_band(fit(make_design(made.panel, "y", made.policy), "event-study"))
    assert many.band is not None
    assert many.band.critical > many.critical()
    assert "band-pointwise" not in {n.code for n in many.notes}
    single = add_band(fit(make_design(panel, "y", made.policy, cluster="block"), "twfe"))
    assert single.band is not None
    assert single.band.critical >= single.critical()
