"""Interaction with a moderator of 50 states, its clustered errors and a wild bootstrap of 9 999 draws. Run: python benchmarks/moderation.py [--units 5000].

The peer fits with `pyfixest` (the moderator in every year as controls) and bootstraps in a loop over draws, each a regression of new outcomes on the
residualised columns: the bootstrap that `pyfixest` hands to `wildboottest` makes dummies of the fixed effects, which this size does not allow.
"""

from __future__ import annotations

import os
import sys
import time

import numpy as np
from _harness import FIRST, PERIODS, Result, columns, contend, report, table

DRAWS, LOOPED, STATES = 9999, 499, 50
if "--units" in sys.argv:
    os.environ["BENCH_UNITS"] = sys.argv[sys.argv.index("--units") + 1]
UNITS = int(os.environ.get("BENCH_UNITS", "5000"))


def _data() -> dict[str, np.ndarray]:
    data = columns(units=UNITS)
    rng = np.random.default_rng(7)
    state, moderator = rng.integers(0, STATES, UNITS), rng.normal(size=STATES)
    data["state"], data["m"] = state[data["unit"]], moderator[state][data["unit"]]
    data["y"] = data["y"] - 0.2 * data["treat"] * data["m"]
    return data


def hinterland() -> None:
    import polars as pl

    import hinterland as hl
    from hinterland.data.panel import Panel
    from hinterland.evaluate.design import make_design
    from hinterland.evaluate.moderation_linear import INTERACTION, Scaling, fit_linear
    from hinterland.evaluate.wild import Rule, bootstrap_regression

    frame = pl.DataFrame(_data()).with_columns(pl.col("unit").cast(pl.String).str.zfill(7))
    panel = Panel(frame, "unit", "year")
    design = make_design(panel, "y", hl.adoption(panel, "first"), covariates=["x1", "x2"], cluster="state", columns=("m",))
    centre = float(design.columns["m"][design.treated].mean())

    def call() -> float:
        fitted = fit_linear(design, Scaling("m", centre, 1.0), "gaussian")
        regression = fitted.regression
        assert regression is not None
        at = np.array([float(n == INTERACTION) for n in regression.names])
        bootstrap_regression(regression, {INTERACTION: at}, "twfe", Rule(draws=DRAWS))
        return float(fitted.effects.statistic[1])

    start = time.perf_counter()
    call()
    first = time.perf_counter() - start
    start = time.perf_counter()
    answer = call()
    report("hinterland", min(first, time.perf_counter() - start), answer, f"{DRAWS} draws, with the interval")


def pyfixest() -> None:
    import pandas as pd
    import pyfixest as pf

    frame = pd.DataFrame(_data())
    centre = frame.loc[frame.treat > 0, "m"].mean()
    frame["dm"] = frame.treat * (frame.m - centre)
    formula = f"y ~ dm + treat + i(year, m, ref={FIRST}) + x1 + x2 | unit + year"
    pf.feols(formula, frame, vcov={"CRV1": "state"})
    start = time.perf_counter()
    fit = pf.feols(formula, frame, vcov={"CRV1": "state"})
    fitted = time.perf_counter() - start
    x = np.asarray(fit._X)
    bread = np.linalg.inv(x.T @ x)
    other = x[:, 1:]
    restricted = np.asarray(fit._Y).ravel() - other @ np.linalg.lstsq(other, np.asarray(fit._Y).ravel(), rcond=None)[0]
    codes, rng = frame.state.to_numpy(), np.random.default_rng(1)
    start = time.perf_counter()
    for _ in range(LOOPED):
        y = restricted * (2 * rng.integers(0, 2, STATES) - 1)[codes]
        u = y - x @ (bread @ (x.T @ y))
        scores = np.stack([np.bincount(codes, x[:, j] * u, minlength=STATES) for j in range(x.shape[1])], axis=1)
        _ = (bread @ (scores.T @ scores) @ bread)[0, 0]
    looped = (time.perf_counter() - start) * DRAWS / LOOPED
    report(
        "pyfixest + loop over draws", fitted + looped, float(fit.tstat()["dm"]), f"fit {fitted:.2f} s; loop scaled up from {LOOPED} draws"
    )


def main() -> None:
    runs = {"hinterland": hinterland, "pyfixest + loop over draws": pyfixest}
    if "--only" in sys.argv:
        runs[sys.argv[sys.argv.index("--only") + 1]]()
        return
    results: list[Result] = contend(__file__, {"hinterland": "hinterland", "pyfixest + loop over draws": "pyfixest"})
    table(f"Moderation: interaction and wild bootstrap, {STATES} states, {UNITS} units × {PERIODS} (answer: t)", results, "hinterland")


if __name__ == "__main__":
    main()
