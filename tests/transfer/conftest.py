"""Small tables with known flows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from hinterland.data.io_table import IOTable
from hinterland.measure.trade_matrix import log_gravity


def points(regions: int, seed: int = 0) -> np.ndarray:
    at = np.random.default_rng(seed).uniform(0, 2000, (regions, 2))
    return np.hypot(*(at[:, None] - at[None]).transpose(2, 0, 1))


def known_table(regions: int = 5, sectors: int = 4, seed: int = 0, decay: float = 1.1, noise: float = 0.0) -> tuple[IOTable, np.ndarray]:
    """A table whose flows between regions follow gravity, and whose users take from origins alike; distances [R, R]."""
    rng, d = np.random.default_rng(seed), points(regions, seed)
    n = regions * sectors
    away = np.exp(log_gravity(d, decay))
    mass = np.exp(rng.normal(0, 0.7, (2, sectors, regions)))
    trade = 300 * mass[0][:, :, None] * mass[1][:, None, :] * away
    if noise:
        trade *= np.exp(rng.normal(0, noise, trade.shape))
    trade[:, np.arange(regions), np.arange(regions)] = 20 * mass.prod(axis=0)
    supply = trade.sum(axis=1)
    shares = trade / supply[:, None, :]
    Z, F = np.zeros((n, n)), np.zeros((n, regions))
    for s in range(regions):
        rows = slice(s * sectors, (s + 1) * sectors)
        split = rng.dirichlet(np.ones(sectors + 2), size=sectors) * supply[:, s][:, None]
        Z[:, rows] = (shares[:, :, s].T[:, :, None] * split[None, :, :sectors]).reshape(n, sectors)
        F[:, s] = (shares[:, :, s].T * split[:, sectors:].sum(axis=1)).reshape(n)
    exports = rng.uniform(0.5, 2, n)
    x = Z.sum(axis=1) + F.sum(axis=1) + exports
    names = [f"r{k}" for k in range(regions)]
    table = IOTable(
        Z=Z,
        F=F,
        x=x,
        exports=exports,
        regions=np.repeat(names, sectors),
        sectors=np.tile([f"s{k}" for k in range(sectors)], regions),
        final_region=np.array(names),
        final_kind=np.repeat("final", regions),
        source="known",
    )
    return table, d


@pytest.fixture(scope="session")
def make() -> Callable[..., tuple[IOTable, np.ndarray]]:
    """:func:`known_table`."""
    return known_table


@pytest.fixture
def known() -> tuple[IOTable, np.ndarray]:
    return known_table()
