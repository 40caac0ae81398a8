"""An inter-regional table of 31 regions × 42 sectors (1302²) from margins of trade. Run: python benchmarks/mrio.py.

No package estimates one, so the peers are the balancing as scripts write it: RAS in plain Python loops, and RAS with numpy, a sector at a time, both
until margins hold to 1e-10 of the total. Ours does the balancing alone on the same arrays; then the whole estimate (consistent margins, balancing,
allocation to 1302² deliveries, checks), and 200 draws of it. The answer is the flow from region 0 to region 1 over all sectors.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np
from _harness import contend, median_time, report, table

REGIONS, SECTORS = 31, 42
CONTENDERS = {
    "balancing": "hinterland",
    "estimate_mrio": "hinterland",
    "flow_intervals, 200 draws": "hinterland",
    "numpy RAS (written here)": "numpy",
    "plain RAS (written here)": "numpy",
}


def case() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Distances [R, R], outflow and inflow [S, R] of noisy gravity flows."""
    rng = np.random.default_rng(0)
    at = rng.uniform(0, 3000, (REGIONS, 2))
    d = np.hypot(*(at[:, None] - at[None]).transpose(2, 0, 1)) + np.eye(REGIONS)
    mass = np.exp(rng.normal(0, 1.5, (2, SECTORS, REGIONS)))
    flows = mass[0][:, :, None] * mass[1][:, None, :] * d**-1.4 * np.exp(rng.normal(0, 1, (SECTORS, REGIONS, REGIONS)))
    flows[:, np.arange(REGIONS), np.arange(REGIONS)] = 0
    return d, flows.sum(axis=2), flows.sum(axis=1)


def single_region_tables():  # type: ignore[no-untyped-def]
    from hinterland.data.io_table import IOTable

    d, outflow, inflow = case()
    rng, n = np.random.default_rng(1), REGIONS * SECTORS
    out, back = outflow.T.reshape(-1), inflow.T.reshape(-1)
    own = 1.5 * (out + back)
    Z, F = np.zeros((n, n)), np.zeros((n, REGIONS))
    for r in range(REGIONS):
        rows = slice(r * SECTORS, (r + 1) * SECTORS)
        split = rng.dirichlet(np.ones(2 * SECTORS), size=SECTORS) * (own + back)[rows][:, None]
        Z[rows, rows], F[rows, r] = split[:, :SECTORS], split[:, SECTORS:].sum(axis=1)
    names = [f"r{k}" for k in range(REGIONS)]
    labels = {"regions": np.repeat(names, SECTORS), "sectors": np.tile([f"s{k}" for k in range(SECTORS)], REGIONS)}
    final = {"final_region": np.array(names), "final_kind": np.repeat("final", REGIONS)}
    return IOTable(Z=Z, F=F, x=own + out, outflow=out, inflow=back, **labels, **final), d  # type: ignore[arg-type]


def balancing() -> Callable[[], float]:
    from hinterland.measure.balancing import ras
    from hinterland.measure.trade_matrix import log_gravity

    d, out, back = case()
    return lambda: float(ras(log_gravity(d, np.full(SECTORS, 1.1)), out, back, tolerance=1e-10).flows[:, 0, 1].sum())


def estimate() -> Callable[[], float]:
    from hinterland.transfer.mrio import estimate_mrio

    t, d = single_region_tables()
    return lambda: float(estimate_mrio(t, d).trade[:, 0, 1].sum())


def intervals() -> Callable[[], float]:
    from hinterland.transfer.mrio import estimate_mrio
    from hinterland.transfer.mrio_draws import flow_intervals

    e = estimate_mrio(*single_region_tables())
    return lambda: float(flow_intervals(e, 200)["value"][0])


def with_numpy() -> Callable[[], float]:
    d, out, back = case()

    def answer() -> float:
        total = 0.0
        for rows, columns in zip(out, back, strict=True):
            x = d**-1.1
            np.fill_diagonal(x, 0)
            while True:
                x = x * (rows / x.sum(axis=1))[:, None]
                x = x * (columns / x.sum(axis=0))[None, :]
                if np.abs(x.sum(axis=1) - rows).max() < 1e-10 * rows.sum():
                    break
            total += x[0, 1]
        return total

    return answer


def plain() -> Callable[[], float]:
    d, out, back = (a.tolist() for a in case())
    every = range(REGIONS)

    def one(rows: list[float], columns: list[float]) -> float:
        x = [[0.0 if r == s else d[r][s] ** -1.1 for s in every] for r in every]
        while True:
            for r in every:
                scale = rows[r] / sum(x[r])
                x[r] = [v * scale for v in x[r]]
            scales = [columns[s] / sum(x[r][s] for r in every) for s in every]
            x = [[v * k for v, k in zip(line, scales, strict=True)] for line in x]
            if max(abs(sum(x[r]) - rows[r]) for r in every) < 1e-10 * sum(rows):
                return x[0][1]

    return lambda: sum(one(r, c) for r, c in zip(out, back, strict=True))


MAKE = dict(zip(CONTENDERS, (balancing, estimate, intervals, with_numpy, plain), strict=True))


def main() -> None:
    if "--only" in sys.argv:
        name = sys.argv[sys.argv.index("--only") + 1]
        seconds, answer = median_time(MAKE[name](), 1 if name.startswith(("plain", "flow")) else 5)
        report(name, seconds, answer)
        return
    table(f"Inter-regional table, {REGIONS} × {SECTORS} (answer: one flow)", contend(__file__, CONTENDERS), "balancing")


if __name__ == "__main__":
    main()
