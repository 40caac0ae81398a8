"""Uncertainty of estimated tables: every draw keeps its margins, intervals are where they should be, measures follow."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from hinterland.data.io_table import IOTable
from hinterland.errors import InputError
from hinterland.measure.multiregional import by_region, induced_output, net_transfer, table, transfer
from hinterland.transfer.hold_out import true_flows
from hinterland.transfer.mrio import estimate_mrio
from hinterland.transfer.mrio_draws import draws, flow_intervals, induced_intervals, net_transfer_intervals, solved
from hinterland.transfer.mrio_result import EstimatedMRIO

Make = Callable[..., tuple[IOTable, np.ndarray]]


@pytest.fixture
def estimate(known: tuple[IOTable, np.ndarray]) -> EstimatedMRIO:
    t = known[0].margins()
    scale = np.random.default_rng(0).uniform(0.7, 1.4, t.n)
    inflow = t.inflow * scale
    return estimate_mrio(replace(t, inflow=inflow, error=inflow - t.inflow), known[1])


def with_prior(e: EstimatedMRIO, **changes: float) -> EstimatedMRIO:
    """The same estimate with another uncertainty of its prior."""
    return replace(e, prior=replace(e.prior, **changes))


@pytest.mark.parametrize("conflict", [True, False])
def test_every_draw_keeps_its_margins(estimate: EstimatedMRIO, conflict: bool) -> None:
    made = list(draws(estimate, 20, conflict=conflict))
    assert len(made) == 20
    for d in made:
        np.testing.assert_allclose(d.trade.sum(axis=2), d.margins.outflow, atol=1e-7 * d.margins.outflow.sum())
        np.testing.assert_allclose(d.trade.sum(axis=1), d.margins.inflow, atol=1e-7 * d.margins.inflow.sum())
    totals = {round(float(d.margins.outflow.sum()), 6) for d in made}
    assert (len(totals) > 1) == conflict


def test_same_seed_same_draws(estimate: EstimatedMRIO) -> None:
    one, two, other = (np.stack([d.trade for d in draws(estimate, 5, seed=s)]) for s in (1, 1, 2))
    np.testing.assert_array_equal(one, two)
    assert not np.allclose(one, other)


def test_no_uncertainty_no_interval(estimate: EstimatedMRIO) -> None:
    sure = with_prior(estimate, decay_sd=0.0, pair_noise=0.0, cell_noise=0.0)
    for frame in (flow_intervals(sure, 4, conflict=False), induced_intervals(sure, 4, conflict=False)):
        np.testing.assert_allclose(frame["low"], frame["value"], rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(frame["high"], frame["value"], rtol=1e-5, atol=1e-6)


def test_intervals_cover_flows_with_the_noise_that_they_assume(make: Make) -> None:
    """20 worlds of 6 regions with ln-noise 0.8: 90 % intervals of flows by sector cover 86 to 94 % of them (30 pairs × 4 sectors each)."""
    inside: list[bool] = []
    for seed in range(20):
        true, d = make(regions=6, seed=seed, noise=0.8)
        e = estimate_mrio(true.margins(), d, decay_sd=0.0, noise=(0.0, 0.8))
        ci = flow_intervals(e, 100, seed=seed, conflict=False, by_sector=True)
        flows = true_flows(true)
        s, r, q = np.nonzero(flows)
        truth = pl.DataFrame(
            {"sector": true.sector_labels[s], "region": true.region_labels[r], "other": true.region_labels[q], "true": flows[s, r, q]}
        )
        both = ci.join(truth, on=["sector", "region", "other"])
        inside += both.select(pl.col("true").is_between("low", "high"))["true"].to_list()
    assert len(inside) == 20 * 120
    assert 0.86 < np.mean(inside) < 0.94


def test_wider_noise_wider_intervals(estimate: EstimatedMRIO) -> None:
    widths = []
    for noise in (0.1, 0.4, 1.0):
        ci = flow_intervals(with_prior(estimate, pair_noise=noise, cell_noise=noise), 60, conflict=False)
        widths.append(float((ci["high"] - ci["low"]).mean()))  # type: ignore[arg-type]
    assert widths == sorted(widths)


def test_induced_output_as_the_measure_gives_it(estimate: EstimatedMRIO) -> None:
    ci = induced_intervals(estimate, 10)
    t = estimate.table
    direct = by_region(induced_output(table(t.Z, t.final_demand, x=t.x)))
    np.testing.assert_allclose(ci["value"], direct.reshape(-1), rtol=1e-12)
    assert ci.height == 25
    assert (ci["low"] <= ci["high"]).all()
    added = induced_intervals(estimate, 4, value_added=True)
    assert float(added["value"].sum()) < float(ci["value"].sum())


def test_net_transfer_between_two_years(make: Make) -> None:
    (first, d), (second, _) = make(seed=3), make(seed=4)
    one, two = estimate_mrio(first.margins(), d), estimate_mrio(second.margins(), d)
    ci = net_transfer_intervals(one, two, 6)
    structure = transfer(solved(one.table), solved(two.table)).structure
    np.testing.assert_allclose(ci["value"].to_numpy().reshape(5, 5), net_transfer(structure).sum(axis=1), rtol=1e-10, atol=1e-9)
    values = ci["value"].to_numpy().reshape(5, 5)
    np.testing.assert_allclose(values, -values.T, atol=1e-9)
    low, high = (ci[k].to_numpy().reshape(5, 5) for k in ("low", "high"))
    np.testing.assert_allclose(low, -high.T, atol=1e-6)


def test_bad_requests(estimate: EstimatedMRIO, make: Make) -> None:
    with pytest.raises(InputError, match="count is 1"):
        next(draws(estimate, 1))
    with pytest.raises(InputError, match="level is 90"):
        flow_intervals(estimate, 2, level=90)
    true, d = make(regions=4)
    with pytest.raises(InputError, match="5 × 4 and 4 × 4"):
        net_transfer_intervals(estimate, estimate_mrio(true.margins(), d), 2)
