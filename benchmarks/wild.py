"""Wild cluster bootstrap of the treatment's t statistic, 9 999 draws, 50 clusters. Run: python benchmarks/wild.py [--units 5000]."""

from __future__ import annotations

import os
import sys
import time

import numpy as np
from _harness import Result, columns, contend, report, table

DRAWS, STATES = 9999, 50
if "--units" in sys.argv:
    os.environ["BENCH_UNITS"] = sys.argv[sys.argv.index("--units") + 1]
UNITS = int(os.environ.get("BENCH_UNITS", "5000"))


def _data() -> dict[str, np.ndarray]:
    data = columns(units=UNITS)
    data["state"] = np.random.default_rng(7).integers(0, STATES, UNITS)[data["unit"]]
    return data


def _cpu(call, repeats: int = 3) -> tuple[float, float]:  # type: ignore[no-untyped-def]
    call()
    times, answer = [], 0.0
    for _ in range(repeats):
        start = time.process_time()
        answer = call()
        times.append(time.process_time() - start)
    return float(np.median(times)), answer


def hinterland(cluster: str) -> None:
    import polars as pl

    import hinterland as hl
    from hinterland.data.panel import Panel
    from hinterland.evaluate.design import make_design
    from hinterland.evaluate.wild import wild_bootstrap

    frame = pl.DataFrame(_data()).with_columns(pl.col("unit").cast(pl.String).str.zfill(7))
    panel = Panel(frame, "unit", "year")
    policy = hl.adoption(panel, "first")
    design = make_design(panel, "y", policy, covariates=["x1", "x2"], cluster=cluster)
    seconds, answer = _cpu(lambda: float(wild_bootstrap(design, draws=DRAWS).statistic[0]))
    report(f"hinterland{'' if cluster == 'state' else ', clusters = units'}", seconds, answer, "with the interval")


def statspai() -> None:
    import pandas as pd
    import statspai as sp

    frame = pd.DataFrame(_data())

    def call() -> float:
        fit = sp.feols("y ~ treat + x1 + x2 | unit + year", data=frame, cluster="state")
        return float(sp.wild_cluster_boot(fit, frame, cluster="state", variable="treat", n_boot=DRAWS, seed=1)["t_stat"])

    seconds, answer = _cpu(call, 1)
    report("statspai", seconds, answer, "without the interval")


def pyfixest() -> None:
    import pandas as pd
    import pyfixest as pf

    frame = pd.DataFrame(_data())
    fit = pf.feols("y ~ treat + x1 + x2 | unit + year", frame, vcov={"CRV1": "state"})
    seconds, answer = _cpu(lambda: float(fit.wildboottest(param="treat", reps=DRAWS, seed=1)["t value"]), 1)
    report("pyfixest + wildboottest", seconds, answer, "fit not counted")


def main() -> None:
    runs = {
        "hinterland": lambda: hinterland("state"),
        "hinterland, clusters = units": lambda: hinterland("unit"),
        "statspai": statspai,
        "pyfixest + wildboottest": pyfixest,
    }
    if "--only" in sys.argv:
        runs[sys.argv[sys.argv.index("--only") + 1]]()
        return
    modules = {"hinterland": "hinterland", "hinterland, clusters = units": "hinterland", "statspai": "statspai"}
    if UNITS <= 300:
        modules["pyfixest + wildboottest"] = "wildboottest"
    results: list[Result] = contend(__file__, modules)
    table(f"Wild cluster bootstrap, {DRAWS} draws, {STATES} clusters, {UNITS} units × 15 (CPU seconds; answer: t)", results, "hinterland")


if __name__ == "__main__":
    main()
