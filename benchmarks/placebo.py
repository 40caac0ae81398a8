"""1000 permutations of adoption across units, with clustered t statistics, 293 × 15. Run: python benchmarks/placebo.py."""

from __future__ import annotations

import sys
import time

import numpy as np
from _harness import UNITS, columns, contend, median_time, report, table

DRAWS, MEASURED = 1000, 50


def hinterland(method: str, covariates: bool) -> None:
    import polars as pl

    import hinterland as hl
    from hinterland.data.panel import Panel

    panel = Panel(pl.DataFrame(columns()).with_columns(pl.col("unit").cast(pl.String).str.zfill(3)), "unit", "year")
    policy = hl.adoption(panel, "first")
    names = ["x1", "x2"] if covariates else None
    seconds, answer = median_time(lambda: hl.placebo(panel, "y", policy, method, draws=DRAWS, covariates=names).sd_draws, 7)
    report(f"hinterland {method}{' + 2 covariates' if covariates else ''}", seconds, answer)


def pyfixest(covariates: bool) -> None:
    import pandas as pd
    import pyfixest as pf

    frame = pd.DataFrame(columns())
    first = frame.groupby("unit")["first"].first().to_numpy()
    rng = np.random.default_rng(1)
    formula = f"y ~ treat {'+ x1 + x2 ' if covariates else ''}| unit + year"

    def draw() -> float:
        shuffled = rng.permutation(first)[frame["unit"].to_numpy()]
        frame["treat"] = ((shuffled > 0) & (frame["year"] >= shuffled)).astype(float)
        fit = pf.feols(formula, frame, vcov={"CRV1": "unit"})
        fit.tstat()
        return float(fit.coef()["treat"])

    draw()
    start = time.perf_counter()
    drawn = [draw() for _ in range(MEASURED)]
    seconds = (time.perf_counter() - start) / MEASURED * DRAWS
    report(
        f"pyfixest loop{' + 2 covariates' if covariates else ''}",
        seconds,
        float(np.std(drawn, ddof=1)),
        f"({MEASURED} fits measured, × {DRAWS / MEASURED:g})",
    )


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
    table(
        f"Placebo in space, {DRAWS} draws with t statistics clustered by unit, {UNITS} units × 15 periods (answer: sd of the draws)",
        results,
        "hinterland twfe",
    )


if __name__ == "__main__":
    main()
