"""The border effect by PPML: pyfixest, simulated truth, zeros, and what cannot be estimated."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.testing import assert_allclose
from numpy.typing import NDArray

from hinterland.errors import EstimationError
from hinterland.measure.border_effect import BorderEffect, border_effect, tariff_equivalent

Floats = NDArray[np.float64]


def world(regions: int = 12, layers: int = 3, seed: int = 0, beta: float = 1.5, theta: float = -0.9) -> tuple[Floats, Floats, Floats]:
    """Mean flows, distances with own distances on the diagonal, and a generator's draws about the means."""
    rng = np.random.default_rng(seed)
    place = rng.uniform(0, 1000, (regions, 2))
    distance = np.hypot(*(place[:, None] - place[None]).transpose(2, 0, 1))
    np.fill_diagonal(distance, rng.uniform(20, 60, regions))
    ends = rng.normal(3, 0.8, (2, layers, regions))
    mean = np.exp(ends[0][:, :, None] + ends[1][:, None, :] + theta * np.log(distance) + beta * np.eye(regions))
    return mean, distance, rng.gamma(2.0, 0.5, mean.shape)


def rows(flow: Floats, distance: Floats) -> pl.DataFrame:
    layers, regions, _ = flow.shape
    g, p, q = (i.ravel() for i in np.indices(flow.shape))
    return pl.DataFrame(
        {
            "flow": flow.ravel(),
            "border": (p == q).astype(float),
            "lnd": np.log(distance[p, q]),
            "exporter": p * layers + g,
            "importer": q * layers + g,
            "pair": np.minimum(p, q) * regions + np.maximum(p, q),
        }
    ).filter(pl.col("flow").is_finite())


def pyfixest(frame: pl.DataFrame, vcov: Any) -> Any:
    import pyfixest as pf

    return pf.fepois(
        "flow ~ border + lnd | exporter + importer",
        frame.to_pandas(),
        vcov=vcov,
        fixef_rm="none",
        iwls_tol=1e-13,
        iwls_maxiter=100,
        fixef_tol=1e-12,
        separation_check=["fe", "ir"],
        ssc=pf.ssc(k_fixef="full"),
    )


def compare(found: BorderEffect, frame: pl.DataFrame) -> None:
    """The same coefficients to 1e-8 and standard errors to 1e-6: both iterate until nothing moves.

    pyfixest counts one redundant effect in all; there is one in every layer, which the exact rank counts.
    """
    fit = pyfixest(frame, "hetero")
    levels = int((found.used.any(axis=2).sum()) + found.used.any(axis=1).sum())
    n, layers = found.n_used, int(found.used.any(axis=(1, 2)).sum())
    counted = np.sqrt((n - levels + layers - 2) / (n - levels + 1 - 2))
    assert_allclose(found.estimate, fit.coef().to_numpy(), rtol=1e-8)
    assert_allclose(found.robust * counted, fit.se().to_numpy(), rtol=1e-6)
    assert_allclose(found.clustered * counted, pyfixest(frame, {"CRV1": "pair"}).se().to_numpy(), rtol=1e-6)
    assert n == fit._N


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("layers", [1, 3])
def test_pyfixest(layers: int) -> None:
    mean, distance, noise = world(layers=layers)
    compare(border_effect(mean * noise, distance), rows(mean * noise, distance))


@pytest.mark.filterwarnings("ignore")
def test_pyfixest_with_zeros_and_gaps() -> None:
    mean, distance, noise = world(seed=4)
    flow = np.where(mean * noise < np.quantile(mean * noise, 0.4), 0.0, mean * noise)
    rng = np.random.default_rng(1)
    flow[rng.uniform(size=flow.shape) < 0.1] = np.nan
    flow[0, 3, :] = 0.0
    found = border_effect(flow, distance)
    assert found.zero_margin[0, 3].sum() == np.isfinite(flow[0, 3]).sum()
    assert found.zeros == int((found.used & (flow == 0)).sum()) > 0
    compare(found, rows(flow, distance))


def test_exact_on_means_without_noise() -> None:
    mean, distance, _ = world()
    found = border_effect(mean, distance)
    assert_allclose(found.estimate, [1.5, -0.9], rtol=1e-9)
    assert found.names == ("border", "distance")
    assert (found.n_used, found.pairs) == (3 * 144, 78)


def test_only_the_leverage_corrected_errors_cover_the_truth() -> None:
    """150 worlds of 12 regions and 3 layers: nominal 95 % intervals for β cover 73 % with robust errors and 96 % with leverage-corrected ones.

    The bounds leave three binomial standard errors (5 points at 96 %, 11 at 73 %).
    """
    worlds = [(border_effect(mean * noise, distance)) for mean, distance, noise in (world(seed=seed) for seed in range(150))]
    covers = {name: np.mean([abs(f.estimate[0] - 1.5) < 1.96 * getattr(f, name)[0] for f in worlds]) for name in ("robust", "leverage")}
    assert covers["robust"] < 0.85
    assert 0.91 <= covers["leverage"] <= 0.99
    assert abs(np.mean([f.estimate[0] - 1.5 for f in worlds])) < 3 * np.std([f.estimate[0] for f in worlds]) / np.sqrt(150)


def test_scale_of_flows_and_distances_does_not_move_the_border() -> None:
    mean, distance, noise = world(seed=2)
    base = border_effect(mean * noise, distance)
    moved = border_effect(mean * noise * 1e4, distance / 1000)
    assert_allclose(moved.estimate, base.estimate, rtol=1e-7)
    assert_allclose(moved.robust, base.robust, rtol=1e-6)


def test_separated_zeros_are_left_out() -> None:
    """Zeros from one half to the other, with no flows back: the effects can send them to zero without moving anything else."""
    mean, distance, noise = world(regions=8, layers=1, seed=5)
    flow = mean * noise
    flow[0, :4, 4:], flow[0, 4:, :4] = 0.0, np.nan
    found = border_effect(flow, distance)
    assert found.separated[0, :4, 4:].all()
    assert found.separated.sum() == 16
    flow[0, :4, 4:] = np.nan
    assert_allclose(found.estimate, border_effect(flow, distance).estimate, rtol=1e-9)


@pytest.mark.parametrize("side", ["own", "cross"])
def test_a_side_without_flows_is_separated(side: str) -> None:
    mean, distance, _ = world()
    flow = mean * (1 - np.eye(12)) if side == "own" else mean * np.eye(12)
    with pytest.raises(EstimationError) as caught:
        border_effect(flow, distance)
    assert caught.value.findings[0].code == "border-separated"


def test_two_regions_do_not_identify_border_and_distance() -> None:
    mean, distance, noise = world(regions=2)
    with pytest.raises(EstimationError) as caught:
        border_effect(mean * noise, distance)
    assert caught.value.findings[0].code == "border-not-identified"


def test_tariff_equivalent() -> None:
    assert_allclose(tariff_equivalent(np.array([0.0, 1.5]), 8.0), [0.0, np.exp(1.5 / 7) - 1])
