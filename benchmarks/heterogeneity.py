"""1000 permutations of group labels, with the clustered t statistic of the difference, 293 × 15. Run: python benchmarks/heterogeneity.py.

The peer is a loop over two fits per draw, as Stata's ``bdiff`` does it, by pyfixest; a part of the draws is measured.
"""

from __future__ import annotations

import sys
import time

import numpy as np
from _harness import UNITS, columns, contend, median_time, report, table

DRAWS, MEASURED = 1000, 40


def hinterland(method: str, covariates: bool) -> None:
    import polars as pl

    import hinterland as hl
    from hinterland.data.panel import Panel

    frame = pl.DataFrame(columns()).with_columns(pl.col("unit").cast(pl.String).str.zfill(3), group=(pl.col("unit") % 2).cast(pl.String))
    panel = Panel(frame, "unit", "year")
    policy = hl.adoption(panel, "first")
    names = ["x1", "x2"] if covariates else None

    def call() -> float:
        found = hl.heterogeneity(panel, "y", policy, "group", method, covariates=names, draws=DRAWS, tests=["permutation"], few_treated=0)
        return float(found.differences["p_permutation"][0])

    seconds, answer = median_time(call, 5)
    report(f"hinterland {method}{' + 2 covariates' if covariates else ''}", seconds, answer)


def pyfixest(covariates: bool) -> None:
    import pandas as pd
    import pyfixest as pf

    frame = pd.DataFrame(columns())
    unit = frame["unit"].to_numpy()
    first = frame.groupby("unit")["first"].first().to_numpy()
    rng = np.random.default_rng(1)
    formula = f"y ~ treat {'+ x1 + x2 ' if covariates else ''}| unit + year"

    def statistic(group: np.ndarray) -> float:
        fits = [pf.feols(formula, frame[group[unit] == g], vcov={"CRV1": "unit"}) for g in (0, 1)]
        effect, error = (np.array([float(getattr(f, k)()["treat"]) for f in fits]) for k in ("coef", "se"))
        return float((effect[0] - effect[1]) / np.hypot(*error))

    def draw() -> float:
        group = np.arange(UNITS) % 2
        for cohort in np.unique(first):
            group[first == cohort] = rng.permutation(group[first == cohort])
        return statistic(group)

    actual = statistic(np.arange(UNITS) % 2)
    start = time.perf_counter()
    drawn = np.array([draw() for _ in range(MEASURED)])
    seconds = (time.perf_counter() - start) / MEASURED * DRAWS
    p = (1 + int((np.abs(drawn) >= abs(actual)).sum())) / (1 + MEASURED)
    name = f"pyfixest loop{' + 2 covariates' if covariates else ''}"
    report(name, seconds, p, f"({MEASURED} draws measured, × {DRAWS / MEASURED:g})")


def main() -> None:
    runs = {
        "hinterland twfe": lambda: hinterland("twfe", False),
        "hinterland twfe + 2 covariates": lambda: hinterland("twfe", True),
        "hinterland callaway-santanna": lambda: hinterland("callaway-santanna", False),
        "pyfixest loop": lambda: pyfixest(False),
        "pyfixest loop + 2 covariates": lambda: pyfixest(True),
    }
    if "--only" in sys.argv:
        runs[sys.argv[sys.argv.index("--only") + 1]]()
        return
    results = contend(__file__, {name: name.split()[0] for name in runs})
    title = f"Difference of two groups under {DRAWS} permuted labels, clustered by unit, {UNITS} units × 15 periods (answer: p)"
    table(title, results, "hinterland twfe")


if __name__ == "__main__":
    main()
