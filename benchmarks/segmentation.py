"""Market segmentation of 31 provinces × 16 goods × 25 years. Run: python benchmarks/segmentation.py.

No package computes it, so the contenders are the statistic as scripts of the literature write it: pandas (a merge and group-bys) and plain loops.
Prices and pairs are in memory for all; for ``hl.measure`` they are the rows of a table that is read and checked.
"""

from __future__ import annotations

import math
import statistics
import sys
from collections.abc import Callable

import numpy as np
from _harness import contend, median_time, report, table

from hinterland.data.geography import province_adjacency, provinces
from hinterland.data.world_prices import price_frame, simulate_prices

YEARS = np.arange(1998, 2023)
CONTENDERS = {"arrays": "hinterland", "hl.measure": "hinterland", "pandas (written here)": "pandas", "loops (written here)": "numpy"}
PAIR_SETS = ("contiguous", "all")


def prices() -> np.ndarray:
    return simulate_prices(np.random.default_rng(0), YEARS)


def pair_list(kind: str) -> list[tuple[int, int]]:
    count = provinces().height
    if kind == "all":
        return [(a, b) for a in range(count) for b in range(a + 1, count)]
    place = {code: i for i, code in enumerate(provinces()["province_code"])}
    return [(place[a], place[b]) for a, b in province_adjacency().select("a", "b").iter_rows() if a < b]


def arrays(kind: str) -> Callable[[], float]:
    from hinterland.measure.segmentation import Pairs, price_changes, segmentation

    cube = np.ascontiguousarray(prices().transpose(1, 0, 2))
    a, b = np.array(pair_list(kind)).T
    pairs = Pairs.of(a, b)
    return lambda: float(segmentation(price_changes(cube, YEARS), pairs).value.mean())


def labelled(kind: str) -> Callable[[], float]:
    import hinterland as hl

    frame = price_frame(prices(), YEARS)
    roles = {"region": "province_code", "item": "good", "time": "year", "value": "index"}
    return lambda: float(hl.measure("market-segmentation", frame, pairs=kind, **roles).component("segmentation")["value"].mean())  # type: ignore[arg-type]


def in_pandas(kind: str) -> Callable[[], float]:
    import pandas as pd

    frame = price_frame(prices(), YEARS).to_pandas()
    codes = provinces()["province_code"].to_list()
    pairs = pd.DataFrame([(codes[a], codes[b]) for a, b in pair_list(kind)], columns=["p", "q"])

    def answer() -> float:
        side = frame[["province_code", "year", "good", "index"]]
        both = pairs.merge(side.rename(columns={"province_code": "p", "index": "x"}), on="p")
        both = both.merge(side.rename(columns={"province_code": "q", "index": "y"}), on=["q", "year", "good"])
        both["gap"] = np.log(both["x"] / both["y"]).abs()
        both["moved"] = both["gap"] - both.groupby(["year", "good"])["gap"].transform("mean")
        variance = both.groupby(["p", "q", "year"])["moved"].var().reset_index()
        mirrored = variance.rename(columns={"p": "q", "q": "p"})
        return float(pd.concat([variance, mirrored]).groupby(["p", "year"])["moved"].mean().mean())

    return answer


def in_loops(kind: str) -> Callable[[], float]:
    cube, pairs = prices().tolist(), pair_list(kind)
    goods = len(cube[0][0])

    def answer() -> float:
        values = []
        for t in range(len(YEARS)):
            gaps = [[abs(math.log(cube[a][t][k] / cube[b][t][k])) for k in range(goods)] for a, b in pairs]
            means = [sum(g[k] for g in gaps) / len(gaps) for k in range(goods)]
            found: dict[int, list[float]] = {}
            for (a, b), g in zip(pairs, gaps, strict=True):
                variance = statistics.variance([g[k] - means[k] for k in range(goods)])
                found.setdefault(a, []).append(variance)
                found.setdefault(b, []).append(variance)
            values += [sum(v) / len(v) for v in found.values()]
        return sum(values) / len(values)

    return answer


MAKE = {"arrays": arrays, "hl.measure": labelled, "pandas (written here)": in_pandas, "loops (written here)": in_loops}


def main() -> None:
    if "--only" in sys.argv:
        name, kind = sys.argv[sys.argv.index("--only") + 1].rsplit(", ", 1)
        seconds, answer = median_time(MAKE[name](kind), 3 if name.startswith("loops") else 15)
        report(f"{name}, {kind}", seconds, answer)
        return
    for kind in PAIR_SETS:
        results = contend(__file__, {f"{name}, {kind}": module for name, module in CONTENDERS.items()})
        table(f"Market segmentation, 31 × 16 × 25, {kind} pairs (answer: mean)", results, f"arrays, {kind}")


if __name__ == "__main__":
    main()
