"""A specification curve of 512 specifications with clustered standard errors on 293 × 15, and its joint test. Run: python benchmarks/curve.py.

Peers fit one specification after another; they are timed on 25 of them (one in twenty) and the time is multiplied by 20, which the remark says.
"""

from __future__ import annotations

import sys
import time
from itertools import combinations

import numpy as np
from _harness import Result, columns, contend, report, table

CONTROLS = [f"c{j}" for j in range(6)]
SUBSETS = [s for k in range(len(CONTROLS) + 1) for s in combinations(CONTROLS, k)]
"""64 sets of controls: with 2 outcomes, 2 samples and 2 sets of fixed effects, 512 specifications."""
FITTED, EVERY, DRAWS = 25, 20, 500


def _data() -> dict[str, np.ndarray]:
    data = columns()
    rng = np.random.default_rng(3)
    n = len(data["y"])
    data |= {c: rng.normal(size=n) + 0.2 * data["treat"] for c in CONTROLS}
    data["y2"] = data["y"] + rng.normal(size=n)
    data["region"] = (data["unit"] % 5).astype(np.int64)
    data["cell"] = data["region"] * 10_000 + data["year"]
    return data


def _specifications() -> list[tuple[str, tuple[str, ...], bool, bool]]:
    """Outcome, controls, whether the region-by-year effects are in, whether one region is left out: all 512, as every contender takes them."""
    return [(y, s, fe, sub) for y in ("y", "y2") for s in SUBSETS for fe in (False, True) for sub in (False, True)]


def _panel():  # type: ignore[no-untyped-def]
    import polars as pl

    import hinterland as hl
    from hinterland.data.panel import Panel

    frame = pl.DataFrame(_data()).with_columns(pl.col("unit").cast(pl.String).str.zfill(4))
    panel = Panel(frame, "unit", "year")
    return panel, hl.adoption(panel, "first")


def _ours():  # type: ignore[no-untyped-def]
    import polars as pl

    import hinterland as hl

    panel, policy = _panel()
    samples = {"all": None, "sub": pl.col("region") != 0}
    fe = [None, "region^year"]
    return lambda: hl.specification_curve(panel, ["y", "y2"], policy, controls=CONTROLS, fe=fe, samples=samples, limit=1000)


def hinterland() -> None:
    make = _ours()
    curve = make()
    times = []
    for _ in range(5):
        start = time.process_time()
        curve = make()
        times.append(time.process_time() - start)
    report("hinterland", float(np.median(times)), float(curve.frame["estimate"].sum()), f"{curve.frame.height} specifications")


def joint() -> None:
    curve = _ours()()
    start = time.process_time()
    found = curve.joint(DRAWS, "permutation")
    report(
        "hinterland, joint test",
        time.process_time() - start,
        float(found.frame["p_value"][0]),
        f"{DRAWS} permutations of all of them; answer: p",
    )


def looped() -> None:
    """Our own single fits, one after another."""
    import polars as pl

    import hinterland as hl

    panel, policy = _panel()
    asked = _specifications()[::EVERY][:FITTED]
    start, total = time.process_time(), 0.0
    for y, s, fe, sub in asked:
        some = panel.filter(pl.col("region") != 0) if sub else panel
        total += float(hl.estimate(some, y, policy, "twfe", covariates=list(s) or None, fe=["region^year"] if fe else ()).estimate[0])
    seconds = (time.process_time() - start) * len(_specifications()) / FITTED
    report("hinterland, one fit at a time", seconds, total, f"extrapolated from {FITTED} fits; answer: their sum")


def pyfixest() -> None:
    import pandas as pd
    import pyfixest as pf

    frame = pd.DataFrame(_data())
    part = frame[frame["region"] != 0]
    asked = _specifications()[::EVERY][:FITTED]

    def call(y: str, s: tuple[str, ...], fe: bool, sub: bool) -> float:
        right, effects = " + ".join(["treat", *s]), "unit + year + cell" if fe else "unit + year"
        fit = pf.feols(f"{y} ~ {right} | {effects}", part if sub else frame, vcov={"CRV1": "unit"})
        return float(fit.coef()["treat"])

    call(*asked[0])
    call(*asked[-1])
    start, total = time.process_time(), 0.0
    for one in asked:
        total += call(*one)
    seconds = (time.process_time() - start) * len(_specifications()) / FITTED
    report("pyfixest, one fit at a time", seconds, total, f"extrapolated from {FITTED} fits; answer: their sum")


def statspai() -> None:
    import pandas as pd
    import statspai as sp

    frame = pd.DataFrame(_data())
    sets = [list(s) for s in SUBSETS[:: len(SUBSETS) // 6]][:6]
    start = time.process_time()
    found = sp.spec_curve(
        frame, "y", "treat", controls=sets, se_types=["cluster"], cluster_var="unit", fe=[["unit", "year"], ["unit", "year", "cell"]]
    )
    seconds = (time.process_time() - start) * len(_specifications()) / len(found.results_df)
    name = next(c for c in ("coef", "estimate", "beta") if c in found.results_df)
    report("statspai spec_curve", seconds, float(found.results_df[name].sum()), f"extrapolated from {len(found.results_df)} specifications")


def main() -> None:
    runs = {
        "hinterland": hinterland,
        "hinterland, joint test": joint,
        "hinterland, one fit at a time": looped,
        "pyfixest, one fit at a time": pyfixest,
        "statspai spec_curve": statspai,
    }
    if "--only" in sys.argv:
        runs[sys.argv[sys.argv.index("--only") + 1]]()
        return
    modules = dict.fromkeys(runs, "hinterland") | {"pyfixest, one fit at a time": "pyfixest", "statspai spec_curve": "statspai"}
    results: list[Result] = contend(__file__, modules)
    table(
        "Specification curve, 512 specifications, clustered by unit, 293 × 15 (CPU seconds; answer: sum of estimates)",
        results,
        "hinterland",
    )


if __name__ == "__main__":
    main()
