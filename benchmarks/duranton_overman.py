"""Duranton–Overman density with bands of 1000 random draws of sites. Run: python benchmarks/duranton_overman.py.

An industry of n plants among N sites, great-circle distances, 101 points up to the median distance. No Python package has it: the peer is the
loop that one would write with numpy and scipy, which takes the distances of each draw with ``pdist`` and counts them with ``np.histogram`` in
the same bins. The loop is measured on a few draws and multiplied up.
"""

from __future__ import annotations

import sys
import time

import numpy as np
from _harness import contend, report, table

DRAWS = 1000
CASES = {(1000, 10_000): 5, (10_000, 20_000): 2}
"""(plants, sites) → draws that the loop is measured on."""


def places(plants: int, sites: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Longitude and latitude of sites, half of them around thirty cities, and the industry's rows: those in three of the cities are six times as likely."""
    rng = np.random.default_rng(0)
    towns = rng.uniform([100, 22], [122, 42], (30, 2))
    town = np.where(rng.random(sites) < 0.5, rng.integers(30, size=sites), -1)
    at = np.where(town[:, None] >= 0, towns[town] + rng.normal(0, 0.4, (sites, 2)), rng.uniform([100, 22], [122, 42], (sites, 2)))
    chance = np.where((town >= 0) & (town < 3), 6.0, 1.0)
    return at[:, 0], at[:, 1], rng.choice(sites, plants, replace=False, p=chance / chance.sum())


def hinterland(plants: int, sites: int) -> None:
    from hinterland.measure.duranton_overman import duranton_overman
    from hinterland.measure.k_density import points

    x, y, mine = places(plants, sites)
    start = time.perf_counter()
    everywhere = points(x, y)
    found = duranton_overman(everywhere.take(mine), everywhere, draws=DRAWS, seed=1)
    report(name("hinterland", plants, sites), time.perf_counter() - start, found.localisation_index, f"h = {found.bandwidth:.2f} km")


def loop(plants: int, sites: int) -> None:
    from scipy.spatial.distance import pdist

    from hinterland.measure.duranton_overman import median_distance
    from hinterland.measure.k_density import points, silverman_bandwidth

    x, y, mine = places(plants, sites)
    everywhere = points(x, y)
    h, reach = silverman_bandwidth(everywhere.take(mine)), median_distance(everywhere)
    grid, edges = np.linspace(0, reach, 101), np.arange(0, reach + 6 * h, h / 10)
    middle, pairs = (edges[1:] + edges[:-1]) / 2, plants * (plants - 1) / 2
    kernel = sum(np.exp(-(((grid[:, None] + sign * middle) / h) ** 2) / 2) for sign in (-1, 1)) / (h * np.sqrt(2 * np.pi))
    rng = np.random.default_rng(1)

    def draw() -> np.ndarray:
        at = everywhere.at[rng.choice(sites, plants, replace=False)]
        counts, _ = np.histogram(2 * 6371.0088 * np.arcsin(pdist(at) / 2), edges)
        return kernel @ counts / pairs

    measured = CASES[plants, sites]
    start = time.perf_counter()
    drawn = np.stack([draw() for _ in range(measured)])
    seconds = (time.perf_counter() - start) / measured * DRAWS
    report(
        name("numpy and scipy loop", plants, sites), seconds, float(drawn.mean(axis=0)[50]), f"({measured} draws, × {DRAWS / measured:g})"
    )


def name(who: str, plants: int, sites: int) -> str:
    return f"{who} {plants:,}/{sites:,}"


def main() -> None:
    runs = {
        name(who, *case): (lambda f=f, case=case: f(*case))
        for case in CASES
        for who, f in (("hinterland", hinterland), ("numpy and scipy loop", loop))
    }
    if "--only" in sys.argv:
        runs[sys.argv[sys.argv.index("--only") + 1]]()
        return
    for case in CASES:
        ours = name("hinterland", *case)
        results = contend(__file__, {ours: "hinterland", name("numpy and scipy loop", *case): "scipy"})
        table(f"Duranton–Overman, {case[0]:,} plants among {case[1]:,} sites, {DRAWS} draws", results, ours)


if __name__ == "__main__":
    main()
