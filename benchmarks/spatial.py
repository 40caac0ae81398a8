"""Moran's I with 999 permutations and the spatial Markov test with 99, n = 3000: ours and esda, giddy. Run: python benchmarks/spatial.py [--regions 3000]."""

from __future__ import annotations

import os
import sys

import numpy as np
from _harness import Result, contend, median_time, report, table

if "--regions" in sys.argv:
    os.environ["BENCH_REGIONS"] = sys.argv[sys.argv.index("--regions") + 1]
REGIONS, YEARS, NEAREST = int(os.environ.get("BENCH_REGIONS", "3000")), 15, 6


def _weights():  # type: ignore[no-untyped-def]
    from hinterland.measure.weights import nearest, row_standardised

    rng = np.random.default_rng(0)
    return row_standardised(nearest(np.column_stack([rng.uniform(80, 130, REGIONS), rng.uniform(20, 50, REGIONS)]), NEAREST))


def _panel() -> np.ndarray:
    y = np.exp(np.random.default_rng(1).normal(size=(YEARS, REGIONS)).cumsum(axis=0) / 10)
    return y / y.mean(axis=1, keepdims=True)


def _libpysal(weights):  # type: ignore[no-untyped-def]
    from libpysal.weights import WSP

    return WSP(weights).to_W(silence_warnings=True)


def moran_ours() -> None:
    from hinterland.measure.moran import Draws, moran

    w, y = _weights(), _panel()[0]
    seconds, answer = median_time(lambda: moran(y, w, Draws(999)).value, 7)
    report("hinterland", seconds, answer)


def moran_esda() -> None:
    from esda.moran import Moran

    w, y = _libpysal(_weights()), _panel()[0]
    seconds, answer = median_time(lambda: float(Moran(y, w, permutations=999).I), 7)
    report("esda", seconds, answer)


def local_ours() -> None:
    from hinterland.measure.lisa import local_moran
    from hinterland.measure.moran import Draws

    w, y = _weights(), _panel()[0]
    seconds, answer = median_time(lambda: float(local_moran(y, w, Draws(999)).value[0]), 5)
    report("hinterland, local", seconds, answer)


def local_esda() -> None:
    import time
    import warnings

    from esda.moran import Moran_Local

    w, y = _libpysal(_weights()), _panel()[0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        start = time.perf_counter()
        Moran_Local(y, w, permutations=999, seed=1)
        first = time.perf_counter() - start
        seconds, answer = median_time(lambda: float(Moran_Local(y, w, permutations=999, seed=1).Is[0]), 5)
    report("esda, local", seconds, answer, f"first call {first:.1f} s")


def markov_ours(scheme: str) -> None:
    from hinterland.measure.markov import Cut
    from hinterland.measure.spatial_markov import classified, homogeneity, permuted

    w, y = _weights(), _panel()

    def call() -> float:
        found = classified(y, w, Cut(4))
        permuted(y, w, found, draws=99, seed=1, scheme=scheme)  # type: ignore[arg-type]
        return homogeneity(found.counts()).likelihood_ratio

    seconds, answer = median_time(call, 5)
    report(f"hinterland, {scheme}", seconds, answer)


def markov_giddy() -> None:
    from giddy.markov import Spatial_Markov

    w, y = _libpysal(_weights()), _panel().T
    import time

    start = time.perf_counter()
    answer = float(Spatial_Markov(y, w, permutations=99).LR)
    report("giddy", time.perf_counter() - start, answer, "one call")


RUNS = {
    "hinterland": moran_ours,
    "esda": moran_esda,
    "hinterland, local": local_ours,
    "esda, local": local_esda,
    "hinterland, exchange": lambda: markov_ours("exchange"),
    "hinterland, lag-only": lambda: markov_ours("lag-only"),
    "giddy": markov_giddy,
}


def main() -> None:
    if "--only" in sys.argv:
        RUNS[sys.argv[sys.argv.index("--only") + 1]]()
        return
    for title, ours, modules in (
        (f"Moran's I, 999 permutations, {REGIONS} regions (answer: I)", "hinterland", {"hinterland": "hinterland", "esda": "esda"}),
        (
            f"Local Moran, 999 conditional permutations, {REGIONS} regions (answer: I of the first)",
            "hinterland, local",
            {"hinterland, local": "hinterland", "esda, local": "esda"},
        ),
        (
            f"Spatial Markov, 99 permutations, {REGIONS} regions × {YEARS} years (answer: LR)",
            "hinterland, exchange",
            {"hinterland, exchange": "hinterland", "hinterland, lag-only": "hinterland", "giddy": "giddy"},
        ),
    ):
        results: list[Result] = contend(__file__, modules)
        table(title, results, ours)


if __name__ == "__main__":
    main()
