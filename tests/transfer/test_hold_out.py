"""The hold-out: on tables with known flows, and on the World Input-Output Database, whose flows between countries are known."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from hinterland.data.geography import catalogue_table
from hinterland.data.globe import great_circle
from hinterland.data.io_readers import read_io
from hinterland.data.io_table import IOTable
from hinterland.measure.multiregional import by_region, induced_output
from hinterland.measure.trade_matrix import estimated_decay
from hinterland.transfer.hold_out import hold_out, true_flows
from hinterland.transfer.mrio import estimate_mrio
from hinterland.transfer.mrio_draws import flow_intervals, solved

Make = Callable[..., tuple[IOTable, np.ndarray]]


def overall(frame: pl.DataFrame, column: str = "cells") -> dict[str, float]:
    every = frame.filter((pl.col("from_km") == 0) & pl.col("to_km").is_infinite())
    return dict(every.select("method", column).iter_rows())


def test_exact_gravity_is_found_exactly(make: Make) -> None:
    t, d = make(regions=8)
    error = overall(hold_out(t, d, decay=1.1))
    assert error["ras"] < 1e-6
    assert error["gravity"] > 0.05
    assert error["ras-uniform"] > 0.05


def test_balancing_beats_the_prior_under_noise(make: Make) -> None:
    for seed in range(5):
        t, d = make(regions=8, seed=seed, noise=0.5)
        error = overall(hold_out(t, d, decay=1.1))
        assert error["ras"] < min(error["gravity"], error["proportional"])


def test_bands_and_columns(make: Make) -> None:
    frame = hold_out(*make(), bands=[500.0])
    assert frame.columns == ["method", "from_km", "to_km", "cells", "pairs"]
    assert frame.height == 5 * 3


def distances() -> np.ndarray:
    at = catalogue_table("wiod_places").select(pl.col("lon", "lat").cast(pl.Float64)).to_numpy()
    return great_circle(at, at)


@pytest.fixture(scope="module")
def wiod(shared_data: Path) -> Callable[[int], IOTable]:
    def read(year: int) -> IOTable:
        world = read_io(shared_data / "wiod2013" / f"wiot_{year}.npz", layout="wiod")
        names = [str(r) for r in world.region_labels if r != "RoW"]
        assert catalogue_table("wiod_places")["code"].to_list() == names
        return world.within(*names)

    return read


def test_world_tables(wiod: Callable[[int], IOTable]) -> None:
    """The numbers of docs/explanation/measures/estimated-mrio.md, to the digits printed there; decay is from 2000, flows from 2011."""
    t, d = wiod(2011), distances()
    decay = estimated_decay(np.maximum(true_flows(wiod(2000)), 0), d).decay
    assert round(decay, 2) == 0.89
    frame = hold_out(t, d, decay=decay)
    cells = {k: round(v, 3) for k, v in overall(frame).items()}
    pairs = {k: round(v, 3) for k, v in overall(frame, "pairs").items()}
    assert cells == {"proportional": 0.738, "gravity": 0.756, "ras-uniform": 0.727, "ras": 0.463, "cross-entropy": 0.471}
    assert pairs == {"proportional": 0.606, "gravity": 0.611, "ras-uniform": 0.598, "ras": 0.295, "cross-entropy": 0.303}
    by_band = frame.pivot(on="method", index=["from_km", "to_km"], values="pairs")
    assert (by_band["ras"] < by_band["gravity"]).all()
    assert (by_band["ras"] < by_band["ras-uniform"]).all()


def test_world_table_and_its_uncertainty(wiod: Callable[[int], IOTable]) -> None:
    """Default decay and noise: margins to 1e-8, 90 % intervals of flows between pairs cover 85 to 95 % (in 2007, which set nothing, too), and output that others' demand induces."""
    t, d = wiod(2011), distances()
    e = estimate_mrio(t.margins(), d)
    assert e.reproduced()["largest"].max() < 1e-8  # type: ignore[operator]
    apart = ~np.eye(40, dtype=bool)
    true = true_flows(t).sum(axis=0)[apart]
    ci = flow_intervals(e, 60, conflict=False)
    inside = (ci["low"].to_numpy() <= true) & (true <= ci["high"].to_numpy())
    assert 0.85 < inside.mean() < 0.95
    later, other = wiod(2007), estimate_mrio(wiod(2007).margins(), d)
    ci, true = flow_intervals(other, 60, conflict=False), true_flows(later).sum(axis=0)[apart]
    assert 0.85 < ((ci["low"].to_numpy() <= true) & (true <= ci["high"].to_numpy())).mean() < 0.95
    ours, real = (by_region(induced_output(solved(x)))[apart] for x in (e.table, t))
    assert np.abs(ours - real).sum() / real.sum() < 0.3
