"""Complexity and relatedness: ours and the peers on the same activity table, each in a process of its own.

The task: 3000 regions × 1000 industries of log-normal activity; presence, ECI, PCI, proximity and relatedness density. Ours is timed on the array, from
a long frame of 3 million rows, and as four calls of hl.measure, which read and check that frame each time and give labelled rows; ecomplexity takes the
long frame only, without its check of log-supermodularity. econcomplex solves a dense
non-symmetric eigenproblem of the larger side, which takes minutes: ``--slow`` includes it. The answer is the ECI of the first region.

    python benchmarks/complexity.py
    python benchmarks/complexity.py --regions 300 --industries 100 --slow
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent))
from _harness import contend, report, table

IDS = ("economic-complexity", "product-complexity", "proximity", "relatedness-density")
NAMES = {
    "hinterland": "array",
    "hinterland from frame": "long frame",
    "hl.measure": "four calls",
    "ecomplexity": "long frame",
    "econcomplex": "array",
}


def activity(regions: int, industries: int) -> np.ndarray:
    return np.random.default_rng(0).lognormal(0, 2, (regions, industries))


def _columns(x: np.ndarray) -> dict[str, np.ndarray]:
    r, i = np.indices(x.shape, dtype=np.int32)
    return {"time": np.ones(x.size, dtype=np.int32), "region": r.ravel(), "industry": i.ravel(), "value": x.ravel()}


def _hinterland(x: np.ndarray) -> Callable[[], float]:
    from hinterland.measure.complexity import complexity, presence
    from hinterland.measure.relatedness import density, proximity

    def call() -> float:
        p = presence(x)
        c = complexity(p.matrix)
        density(p.matrix, proximity(p.matrix))
        return float(c.eci[0])

    return call


def _from_frame(x: np.ndarray) -> Callable[[], float]:
    import polars as pl

    frame = pl.DataFrame(_columns(x))
    del x

    def call() -> float:
        from hinterland.measure.complexity import complexity, presence
        from hinterland.measure.relatedness import density, proximity

        at = tuple(frame[name].rank("dense").to_numpy().astype(np.int64) - 1 for name in ("region", "industry"))
        wide = np.zeros((at[0].max() + 1, at[1].max() + 1))
        wide[at] = frame["value"].to_numpy()
        p = presence(wide)
        c = complexity(p.matrix)
        density(p.matrix, proximity(p.matrix))
        return float(c.eci[0])

    return call


def _measured(x: np.ndarray) -> Callable[[], float]:
    import polars as pl

    import hinterland as hl

    frame = pl.DataFrame(_columns(x)).drop("time")
    del x

    def call() -> float:
        first = [hl.measure(name, frame, region="region", industry="industry", value="value").frame["value"][0] for name in IDS]
        return float(first[0])

    return call


def _ecomplexity(x: np.ndarray) -> Callable[[], float]:
    import pandas as pd
    from ecomplexity import ecomplexity

    frame = pd.DataFrame(_columns(x))
    names = {"time": "time", "loc": "region", "prod": "industry", "val": "value"}

    def call() -> float:
        return float(ecomplexity(frame, names, check_logsupermodularity=False, verbose=False)["eci"].iloc[0])

    return call


def _econcomplex(x: np.ndarray) -> Callable[[], float]:
    import econcomplex

    def call() -> float:
        eci, _ = econcomplex.eci_pci(x)
        econcomplex.relatedness_density(x)
        return float(eci[0])

    return call


CALLS: dict[str, Callable[[np.ndarray], Callable[[], float]]] = {
    "hinterland": _hinterland,
    "hinterland from frame": _from_frame,
    "hl.measure": _measured,
    "ecomplexity": _ecomplexity,
    "econcomplex": _econcomplex,
}


def measure(name: str, regions: int, industries: int, repeats: int) -> None:
    """Least seconds of ``repeats`` calls in this process, after a small one that loads what there is to load."""
    warnings.simplefilter("ignore")
    CALLS[name](activity(30, 20))()
    call = CALLS[name](activity(regions, industries))
    times, answer = [], float("nan")
    for _ in range(repeats):
        start = time.perf_counter()
        answer = call()
        times.append(time.perf_counter() - start)
        if sum(times) > 10:
            break
    report(name, min(times), answer, NAMES[name])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--regions", type=int, default=3000)
    parser.add_argument("--industries", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--slow", action="store_true", help="include econcomplex")
    parser.add_argument("--only", choices=list(CALLS))
    arguments = parser.parse_args()
    if arguments.only:
        measure(arguments.only, arguments.regions, arguments.industries, arguments.repeats)
        return
    modules = {n: n if n in ("ecomplexity", "econcomplex") else "hinterland" for n in CALLS if arguments.slow or n != "econcomplex"}
    results = contend(__file__, modules, "--regions", str(arguments.regions), "--industries", str(arguments.industries))
    table(f"ECI, PCI, proximity and density, {arguments.regions} x {arguments.industries}", results, "hinterland")


if __name__ == "__main__":
    main()
