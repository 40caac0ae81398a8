"""Kernel matching and entropy balancing of cross-sections. Run: python benchmarks/matching.py [--units 20000]."""

from __future__ import annotations

import os
import sys

import numpy as np
from _harness import Result, contend, median_time, report, table

if "--units" in sys.argv:
    os.environ["BENCH_UNITS"] = sys.argv[sys.argv.index("--units") + 1]
UNITS, BANDWIDTH, MOMENTS = int(os.environ.get("BENCH_UNITS", "2000")), 0.06, 2


def _data() -> dict[str, np.ndarray]:
    """Five covariates, on which adoption and the outcome depend; a quarter is treated. The answer is the effect on the treated."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=(UNITS, 5))
    treated = (rng.random(UNITS) < 1 / (1 + np.exp(1.5 - x @ [0.6, -0.4, 0.3, 0.0, 0.2]))).astype(float)
    y = x.sum(axis=1) + treated + rng.normal(size=UNITS)
    return {"y": y, "d": treated, **{f"x{j}": column for j, column in enumerate(x.T)}}


def _hinterland(method: str, name: str, **options: object) -> None:
    import polars as pl

    import hinterland as hl
    from hinterland.data.panel import Panel

    data = _data()
    frame = pl.DataFrame(data).with_columns(
        unit=pl.Series([f"u{i:07d}" for i in range(UNITS)]), first=(2 * pl.col("d")).cast(pl.Int64), year=pl.lit(1, dtype=pl.Int64)
    )
    frame = pl.concat([frame, frame.with_columns(year=pl.lit(2, dtype=pl.Int64))]).sort("unit", "year")
    panel = Panel(frame, "unit", "year")
    policy = hl.adoption(panel, "first", never=(0, None))

    def call() -> float:
        weights = hl.match(panel, policy, [f"x{j}" for j in range(5)], method, **options).weights["weight"].to_numpy()
        y, d = data["y"], data["d"] == 1
        return float(np.average(y[d], weights=weights[d]) - np.average(y[~d], weights=weights[~d]))

    seconds, answer = median_time(call, 5)
    report(name, seconds, answer, "from a panel, with balance")


def _statspai(entropy: bool) -> None:
    import pandas as pd
    import statspai as sp

    frame, names = pd.DataFrame(_data()), [f"x{j}" for j in range(5)]

    def call() -> float:
        if entropy:
            return float(sp.ebalance(frame, y="y", treat="d", covariates=names, moments=MOMENTS).estimate)
        found = sp.psmatch2(frame, treat="d", covariates=names, outcome="y", method="kernel", kernel="epan", bwidth=BANDWIDTH)
        return float(found.att)

    seconds, answer = median_time(call, 3)
    report(f"statspai {'ebalance' if entropy else 'psmatch2'}", seconds, answer, "with standard errors")


CONTENDERS = {
    "hinterland kernel": lambda: _hinterland(
        "kernel", "hinterland kernel", bandwidth=BANDWIDTH, distance_in="raw", scale="score", support="none"
    ),
    "statspai psmatch2": lambda: _statspai(entropy=False),
    "hinterland entropy": lambda: _hinterland("entropy-balancing", "hinterland entropy", moments=MOMENTS),
    "statspai ebalance": lambda: _statspai(entropy=True),
}


def main() -> None:
    if "--only" in sys.argv:
        CONTENDERS[sys.argv[sys.argv.index("--only") + 1]]()
        return
    found: list[Result] = contend(__file__, {name: name.split()[0] for name in CONTENDERS})
    for title, ours in (
        ("Kernel matching, epanechnikov, bandwidth 0.06", "hinterland kernel"),
        (f"Entropy balancing, {MOMENTS} moments", "hinterland entropy"),
    ):
        names = (ours, "statspai psmatch2" if "kernel" in ours else "statspai ebalance")
        table(f"{title}, {UNITS} units", [r for r in found if r.name in names], ours)


if __name__ == "__main__":
    main()
