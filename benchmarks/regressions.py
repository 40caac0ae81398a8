"""Event study, Poisson with fixed effects and the Goodman-Bacon decomposition beside their peers, 5 000 × 15. Run: python benchmarks/regressions.py [--units N]."""

from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np
from _harness import columns, contend, median_time, report, table

TASKS = {
    "event study, clustered by unit (answer: effect at event time 0)": {
        "hinterland event-study": "hinterland",
        "pyfixest event-study": "pyfixest",
    },
    "Poisson with unit and year effects, clustered by unit (answer: the coefficient)": {
        "hinterland ppml": "hinterland",
        "pyfixest ppml": "pyfixest",
    },
    "Goodman-Bacon decomposition (answer: the two-way coefficient)": {"hinterland bacon": "hinterland", "diff-diff bacon": "diff_diff"},
}


def units() -> int:
    return int(sys.argv[sys.argv.index("--units") + 1]) if "--units" in sys.argv else 5000


def data() -> dict[str, np.ndarray]:
    made = columns(units=units())
    made["count"] = np.random.default_rng(1).poisson(np.exp(np.clip(made["y"], -3, 3) + 1)).astype(float)
    event = np.where(made["first"] > 0, made["year"] - made["first"], -1).astype(float)
    made["event"] = event
    return made


def ours(task: str) -> Callable[[], float]:
    import polars as pl

    import hinterland as hl
    from hinterland.data.panel import Panel
    from hinterland.evaluate.bacon import bacon
    from hinterland.evaluate.design import make_design

    panel = Panel(pl.DataFrame(data()).with_columns(pl.col("unit").cast(pl.String).str.zfill(7)), "unit", "year")
    policy = hl.adoption(panel, "first")
    if task == "bacon":
        return lambda: float(bacon(make_design(panel, "y", policy)).estimate)
    if task == "ppml":
        return lambda: float(hl.estimate(panel, "count", policy, method="ppml").estimate[0])

    def event_study() -> float:
        effects = hl.estimate(panel, "y", policy, method="event-study")
        return float(effects.estimate[effects.terms.event_time == 0][0])

    return event_study


def pyfixest(task: str) -> Callable[[], float]:
    import pandas as pd
    import pyfixest as pf

    frame = pd.DataFrame(data())
    if task == "ppml":
        return lambda: float(pf.fepois("count ~ treat | unit + year", frame, vcov={"CRV1": "unit"}).coef()["treat"])

    def event_study() -> float:
        coefficients = pf.feols("y ~ i(event, ref=-1) | unit + year", frame, vcov={"CRV1": "unit"}).coef()
        return float(coefficients[next(c for c in coefficients.index if "[0.0]" in c or c.endswith("::0.0") or "[T.0.0]" in c)])

    return event_study


def diff_diff(_: str) -> Callable[[], float]:
    import pandas as pd
    from diff_diff import BaconDecomposition

    frame = pd.DataFrame(data())
    return lambda: float(BaconDecomposition().fit(frame, outcome="y", unit="unit", time="year", first_treat="first").twfe_estimate)


def main() -> None:
    if "--only" in sys.argv:
        library, task = sys.argv[sys.argv.index("--only") + 1].split(" ", 1)
        maker = {"hinterland": ours, "pyfixest": pyfixest, "diff-diff": diff_diff}[library]
        seconds, answer = median_time(maker(task), 3)
        report(f"{library} {task}", seconds, answer)
        return
    for title, contenders in TASKS.items():
        table(f"{title}, {units()} × 15", contend(__file__, contenders), next(iter(contenders)))


if __name__ == "__main__":
    main()
