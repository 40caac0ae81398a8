"""Two-way fixed effects with standard errors clustered by unit, 293 × 15, and the time of a cold import. Run: python benchmarks/twfe.py."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np
from _harness import Result, columns, contend, median_time, report, table

CONTENDERS = {"hinterland": "hinterland", "pyfixest": "pyfixest", "diff-diff": "diff_diff", "linearmodels": "linearmodels"}
REPEATS = 50


def hinterland() -> Callable[[], float]:
    import polars as pl

    import hinterland as hl
    from hinterland.data.panel import Panel

    panel = Panel(pl.DataFrame(columns()).with_columns(pl.col("unit").cast(pl.String).str.zfill(3)), "unit", "year")
    policy = hl.adoption(panel, "first")
    return lambda: float(hl.estimate(panel, "y", policy, method="twfe", covariates=["x1", "x2"]).std_error[0])


def pyfixest() -> Callable[[], float]:
    import pandas as pd
    import pyfixest as pf

    frame = pd.DataFrame(columns())
    return lambda: float(pf.feols("y ~ treat + x1 + x2 | unit + year", frame, vcov={"CRV1": "unit"}).se()["treat"])


def diff_diff() -> Callable[[], float]:
    import pandas as pd
    from diff_diff import DifferenceInDifferences

    frame = pd.DataFrame(columns())
    frame["ever"] = (frame["first"] > 0).astype(int)
    model = DifferenceInDifferences(cluster="unit", rank_deficient_action="silent")
    options = {"outcome": "y", "treatment": "ever", "post": "treat", "absorb": ["unit", "year"], "covariates": ["x1", "x2"]}
    return lambda: float(model.fit(frame, **options).se)


def linearmodels() -> Callable[[], float]:
    import pandas as pd
    from linearmodels import PanelOLS

    frame = pd.DataFrame(columns()).set_index(["unit", "year"])
    model = lambda: PanelOLS(frame["y"], frame[["treat", "x1", "x2"]], entity_effects=True, time_effects=True)  # noqa: E731
    return lambda: float(model().fit(cov_type="clustered", cluster_entity=True).std_errors["treat"])


def cold_import(module: str, runs: int = 7) -> float:
    """Median seconds of importing in a new process, less those of starting Python."""

    def once(code: str) -> float:
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True)
        return time.perf_counter() - start

    once(f"import {module}")
    return statistics.median(once(f"import {module}") for _ in range(runs)) - statistics.median(once("pass") for _ in range(runs))


def main() -> None:
    if "--only" in sys.argv:
        name = sys.argv[sys.argv.index("--only") + 1]
        makers = {"hinterland": hinterland, "pyfixest": pyfixest, "diff-diff": diff_diff, "linearmodels": linearmodels}
        seconds, answer = median_time(makers[name](), REPEATS)
        report(name, seconds, answer)
        return
    results = contend(__file__, CONTENDERS)
    table("TWFE + 2 covariates, SE clustered by unit, 293 × 15, warm (answer: the standard error)", results, "hinterland")
    print("linearmodels counts the unit effects as parameters, hence its larger standard error; the others follow fixest.")
    imports = [Result(f"import {CONTENDERS[r.name]}", cold_import(CONTENDERS[r.name]), np.nan, np.nan) for r in results]
    table("Cold import, start of Python not counted", imports, "import hinterland")


if __name__ == "__main__":
    main()
