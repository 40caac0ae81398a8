"""Every estimator that takes other covariances of its influence function agrees with its own clustering where the two meet."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from numpy.testing import assert_allclose

sys.path.insert(0, str(Path(__file__).parent))

from test_bad_input_grid import OPTIONS, PLAIN

import hinterland as hl
from hinterland.data.adoption import adoption
from hinterland.evaluate.methods import METHODS

REINFERRED = [m.id for m in METHODS.values() if m.reinferred]
FINITE = ("dcdh", "stacked")
"""Their clustered standard errors hold a small-sample factor in the number of clusters, so that they agree without it only."""


def effects(method: str, **options: object) -> hl.Effects:
    column = pl.col("place")
    frame = PLAIN.filter(pl.col("part") == 1).with_columns(block=column // 8, strip=column % 12, own=pl.col("unit"))
    panel = hl.read_panel(frame, unit="unit", time="year", coordinates=("lon", "lat"))
    own = {"by": "group-time"} if method == "dose" else {}
    return hl.estimate(panel, "y", adoption(panel, "g"), method, **{**OPTIONS.get(method, {}), **own, **options})  # type: ignore[arg-type]


def overall(fitted: hl.Effects) -> hl.Effects:
    return fitted.aggregate("overall")


@pytest.mark.parametrize("method", REINFERRED)
def test_without_neighbours_conley_is_clustering_by_unit(method: str) -> None:
    want, got = effects(method), effects(method, vcov="conley", cutoff_km=1)
    assert_allclose(got.vcov, want.vcov, rtol=1e-9, atol=1e-15)
    assert_allclose(overall(got).std_error, overall(want).std_error, rtol=1e-9)
    assert got.meta["vcov"] == "conley"


@pytest.mark.parametrize("method", [m for m in REINFERRED if m not in FINITE])
def test_a_grouping_beside_a_finer_one_is_the_coarser_one(method: str) -> None:
    want, got = effects(method, cluster="block"), effects(method, cluster=["own", "block"])
    assert_allclose(got.estimate, want.estimate, rtol=1e-12)
    assert_allclose(overall(got).std_error, overall(want).std_error, rtol=1e-6)


@pytest.mark.filterwarnings("ignore::hinterland.HinterlandWarning")
@pytest.mark.parametrize("method", REINFERRED)
def test_averages_have_an_error_whatever_the_groupings(method: str) -> None:
    fitted = effects(method, cluster=["block", "strip"])
    assert np.isfinite(overall(fitted).std_error).all()


@pytest.mark.filterwarnings("ignore::hinterland.HinterlandWarning")
def test_joint_tests_follow_the_covariance() -> None:
    from scipy import special

    asked = {"effects": 2, "placebos": 2}
    for options in ({"vcov": "conley", "cutoff_km": 300}, {"cluster": ["block", "strip"]}, {"cluster": "block"}):
        fitted = effects("dcdh", **asked, **options)
        late = fitted.terms.event_time >= 0
        b = fitted.estimate[late]
        wald = b @ np.linalg.solve(fitted.vcov[np.ix_(late, late)], b)
        assert fitted.meta["p_effects_zero"] == pytest.approx(special.chdtrc(2, wald), rel=1e-9)
    assert effects("dcdh", **asked).meta["p_placebos_zero"] != fitted.meta["p_placebos_zero"]
