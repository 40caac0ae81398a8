"""Transfer between two tables of 31 regions × 42 sectors (1302²), and extraction of each region. Run: python benchmarks/transfer.py.

Ours factorises I - A once a table and never forms an inverse: induced output, its change split into structure and demand, net transfer; then losses
without each of 31 regions. The peers do the same by the plain Leontief inverse with numpy, by pymrio's calc_L, and, for extraction, by a solve for each
region. The answer is net transfer into region 0 by structure, or the loss without region 0 over all output.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np
from _harness import contend, median_time, report, table

REGIONS, SECTORS = 31, 42
N = REGIONS * SECTORS
CONTENDERS = {
    "transfer": "hinterland",
    "extraction": "hinterland",
    "transfer by numpy inverse": "numpy",
    "transfer by pymrio calc_L": "pymrio",
    "extraction, a solve a region": "numpy",
}


def case(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Deliveries [n, n], final demand by destination [n, R], output [n], of a productive economy."""
    rng = np.random.default_rng(seed)
    a = rng.lognormal(0, 1.5, (N, N))
    a *= rng.uniform(0.3, 0.8, N) / a.sum(axis=0)
    final = rng.lognormal(0, 1.5, (N, REGIONS))
    x = np.linalg.solve(np.eye(N) - a, final.sum(axis=1))
    return a * x, final, x


def split(old: np.ndarray, new: np.ndarray, f0: np.ndarray, f1: np.ndarray) -> float:
    structure = 0.5 * (new - old) @ (f0 + f1)
    by = structure.reshape(REGIONS, SECTORS, REGIONS).sum(axis=1)
    return float(by[0].sum() - by[:, 0].sum())


def ours() -> Callable[[], float]:
    from hinterland.measure import multiregional as m

    (z0, f0, x0), (z1, f1, x1) = case(0), case(1)

    def answer() -> float:
        found = m.transfer(m.table(z0, f0, x=x0), m.table(z1, f1, x=x1))
        return float(m.net_transfer(found.structure)[0].sum())

    return answer


def with_numpy() -> Callable[[], float]:
    (z0, f0, x0), (z1, f1, x1) = case(0), case(1)
    one = np.eye(N)
    return lambda: split(np.linalg.inv(one - z0 / x0), np.linalg.inv(one - z1 / x1), f0, f1)


def with_pymrio() -> Callable[[], float]:
    import pandas as pd
    from pymrio.tools.iomath import calc_A, calc_L

    (z0, f0, x0), (z1, f1, x1) = case(0), case(1)
    rows = pd.MultiIndex.from_product([range(REGIONS), range(SECTORS)])

    def inverse(z: np.ndarray, x: np.ndarray) -> np.ndarray:
        frame = pd.DataFrame(z, rows, rows)
        return np.asarray(calc_L(calc_A(frame, pd.DataFrame(x, rows, ["indout"]))))

    return lambda: split(inverse(z0, x0), inverse(z1, x1), f0, f1)


def extraction() -> Callable[[], float]:
    from hinterland.measure.extraction import extract

    z, f, _ = case(0)
    blocks = list(np.arange(N).reshape(REGIONS, SECTORS))
    return lambda: float(extract(z, f.sum(axis=1), blocks).importance[0])


def by_solves() -> Callable[[], float]:
    z, f, x = case(0)
    a, final = z / x, f.sum(axis=1)

    def answer() -> float:
        lost = []
        for r in range(REGIONS):
            cut = a.copy()
            rows = slice(r * SECTORS, (r + 1) * SECTORS)
            cut[rows], cut[:, rows] = 0, 0
            lost.append(1 - np.linalg.solve(np.eye(N) - cut, final).sum() / x.sum())
        return float(lost[0])

    return answer


MAKE = dict(zip(CONTENDERS, (ours, extraction, with_numpy, with_pymrio, by_solves), strict=True))


def main() -> None:
    if "--only" in sys.argv:
        name = sys.argv[sys.argv.index("--only") + 1]
        seconds, answer = median_time(MAKE[name](), 3)
        report(name, seconds, answer)
        return
    found = contend(__file__, CONTENDERS)
    table(f"Transfer between two tables, {REGIONS} × {SECTORS}", [r for r in found if "transfer" in r.name], "transfer")
    table(f"Extraction of {REGIONS} regions", [r for r in found if "extraction" in r.name], "extraction")


if __name__ == "__main__":
    main()
