"""Global Malmquist–Luenberger index of a panel of cities: all programs in a batch, beside scipy's linprog one program at a time.

The task: ``--regions`` × ``--years``, three inputs, one output, two pollutants, slacks-based inefficiency to the frontier of all years and to
each year's own; one program per city and year in each. CPU seconds are compared. ``linprog`` solves a random sample of ``--sample`` programs of each kind; its
time is that of the sample times the number of programs over the sample's size. The greatest difference between the two on the sample is printed.

    python benchmarks/green_productivity.py
"""

from __future__ import annotations

import argparse
import resource
import time

import numpy as np
from numpy.typing import NDArray

from hinterland.measure.efficiency import Model, Observations, _programs, distances
from hinterland.measure.green_productivity import global_malmquist_luenberger

Floats = NDArray[np.float64]


def panel(regions: int, years: int, seed: int = 0) -> tuple[Floats, Floats, Floats]:
    """Inputs, output and pollution of cities of different size and efficiency, with a frontier that moves out by 2 % a year."""
    rng = np.random.default_rng(seed)
    x = np.exp(rng.normal(size=(regions, 1))) * np.exp(0.3 * rng.normal(size=(years, regions, 3)))
    shortfall = -np.abs(0.3 * rng.normal(size=(years, regions, 1))) + 0.02 * np.arange(years)[:, None, None]
    y = np.exp(np.log(x).mean(axis=2, keepdims=True) + shortfall)
    return x, y, y**0.9 * np.exp(0.4 * rng.normal(size=(years, regions, 2)))


def sampled(units: Observations, frontier: Observations, expected: Floats, size: int, rng: np.random.Generator) -> tuple[float, float]:
    """CPU seconds per program of linprog, and its greatest difference from ``expected``."""
    from scipy.optimize import linprog

    shared, own, cost, rhs = _programs(units.all, frontier, units.all, Model())
    start, worst = time.process_time(), 0.0
    chosen = rng.choice(len(rhs), min(size, len(rhs)), replace=False)
    for b in chosen:
        found = linprog(np.r_[np.zeros(shared.shape[1]), -cost[b]], A_eq=np.hstack([shared, own[b]]), b_eq=rhs[b], method="highs")
        worst = max(worst, abs(-found.fun - expected[b]))
    return (time.process_time() - start) / len(chosen), worst


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--regions", type=int, default=293)
    parser.add_argument("--years", type=int, default=15)
    parser.add_argument("--sample", type=int, default=100)
    asked = parser.parse_args()
    x, y, b = panel(asked.regions, asked.years)
    global_malmquist_luenberger(x[:2, :20], y[:2, :20], b[:2, :20])
    start = time.process_time()
    found = global_malmquist_luenberger(x, y, b)
    ours = time.process_time() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    rng, programs = np.random.default_rng(1), asked.regions * asked.years
    everything = Observations(*(a.reshape(programs, -1) for a in (x, y, b)))
    wide, worst_wide = sampled(everything, everything, found.globally.value.ravel(), asked.sample, rng)
    year = Observations(x[0], y[0], b[0])
    narrow, worst_narrow = sampled(year, year, distances(year, year).value, asked.sample, rng)
    peer = (wide + narrow) * programs
    print(f"{2 * programs} programs ({asked.regions} cities × {asked.years} years, two frontiers); mean GML {np.nanmean(found.index):.6f}")
    print(f"{'hinterland, batched':<34}{ours:>10.2f} s{1:>10.1f}x{peak:>10.0f} MB peak")
    print(f"{'scipy linprog, extrapolated':<34}{peer:>10.2f} s{peer / ours:>10.1f}x   from {asked.sample} programs of each kind")
    print(f"{'':<34}{1e3 * wide:.1f} ms per program of all years, {1e3 * narrow:.1f} ms per program of one year")
    print(f"greatest difference on the sample  {max(worst_wide, worst_narrow):.1e}")


if __name__ == "__main__":
    main()
