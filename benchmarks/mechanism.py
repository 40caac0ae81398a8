"""Cluster bootstrap of the share mediated, 2 000 draws, 293 units × 15, three mediators. Run: python benchmarks/mechanism.py.

The peers have no such bootstrap for panels: their fits are looped over drawn clusters, some of them, and the time is extrapolated to 2 000.
"""

from __future__ import annotations

import sys
import time

import numpy as np
from _harness import UNITS, Result, columns, contend, report, table

DRAWS, LOOPED, SEED = 2000, 20, 1
MEDIATORS = ("m1", "m2", "m3")


def _data() -> dict[str, np.ndarray]:
    data = columns()
    rng = np.random.default_rng(3)
    for name, moved in zip(MEDIATORS, (0.5, -0.3, 0.2), strict=True):
        data[name] = moved * data["treat"] + rng.normal(size=len(data["y"]))
    data["y"] = data["y"] + 0.4 * data["m1"] - 0.3 * data["m2"] + 0.2 * data["m3"]
    return data


def _cpu(call) -> tuple[float, float]:  # type: ignore[no-untyped-def]
    call()
    times, answer = [], 0.0
    for _ in range(3):
        start = time.process_time()
        answer = call()
        times.append(time.process_time() - start)
    return float(np.median(times)), answer


def hinterland() -> None:
    import polars as pl

    import hinterland as hl
    from hinterland.data.panel import Panel
    from hinterland.evaluate.design import make_design
    from hinterland.evaluate.mechanism_pairs import cluster_sums

    frame = pl.DataFrame(_data()).with_columns(pl.col("unit").cast(pl.String).str.zfill(7))
    panel = Panel(frame, "unit", "year")
    design = make_design(panel, "y", hl.adoption(panel, "first"), covariates=["x1", "x2"], columns=MEDIATORS)

    def call() -> float:
        weights = np.random.default_rng(SEED).multinomial(UNITS, np.full(UNITS, 1 / UNITS), size=DRAWS).astype(float)
        theta = cluster_sums(design, MEDIATORS, (), ("x1", "x2")).paths(weights)
        share = (theta[:, 1:4] * theta[:, 4:7]).sum(axis=1) / theta[:, 0]
        return float(share.std())

    seconds, answer = _cpu(call)
    report("hinterland", seconds, answer, f"{DRAWS} draws")


def hinterland_whole() -> None:
    import polars as pl

    import hinterland as hl
    from hinterland.data.panel import Panel

    frame = pl.DataFrame(_data()).with_columns(pl.col("unit").cast(pl.String).str.zfill(7))
    panel = Panel(frame, "unit", "year")
    policy = hl.adoption(panel, "first")

    def call() -> float:
        found = hl.mechanism(panel, "y", policy, MEDIATORS, "twfe", covariates=["x1", "x2"], draws=DRAWS, seed=SEED)
        return float(found.frame.filter((pl.col("quantity") == "share") & pl.col("mediator").is_null())["std_error"][0])

    seconds, answer = _cpu(call)
    report("hinterland, everything", seconds, answer, "BCa, sensitivity, pre-trends, adjusted p-values; delta method")


def _looped(name: str, share: object) -> None:
    """``LOOPED`` draws of clusters, each copy a unit of its own; seconds for ``DRAWS`` of them."""
    import pandas as pd

    frame = pd.DataFrame(_data())
    rows = [np.flatnonzero(frame["unit"].to_numpy() == u) for u in range(UNITS)]
    counts = np.random.default_rng(SEED).multinomial(UNITS, np.full(UNITS, 1 / UNITS), size=LOOPED)
    drawn, start = [], time.process_time()
    for n in counts:
        picked = np.repeat(np.arange(UNITS), n)
        sample = frame.iloc[np.concatenate([rows[u] for u in picked])].assign(unit=np.repeat(np.arange(UNITS), 15))
        drawn.append(share(sample))  # type: ignore[operator]
    seconds = (time.process_time() - start) * DRAWS / LOOPED
    report(name, seconds, float(np.std(drawn)), f"{LOOPED} draws, extrapolated")


def pyfixest() -> None:
    import pyfixest as pf

    def share(sample: object) -> float:
        total = pf.feols("y ~ treat + x1 + x2 | unit + year", sample, vcov="iid").coef()["treat"]
        direct = pf.feols("y ~ treat + m1 + m2 + m3 + x1 + x2 | unit + year", sample, vcov="iid").coef()["treat"]
        return float(1 - direct / total)

    _looped("pyfixest in a loop", share)


def linearmodels() -> None:
    from linearmodels.panel import PanelOLS

    def share(sample: object) -> float:
        indexed = sample.set_index(["unit", "year"])  # type: ignore[attr-defined]
        total = PanelOLS.from_formula("y ~ treat + x1 + x2 + EntityEffects + TimeEffects", indexed).fit().params["treat"]
        direct = PanelOLS.from_formula("y ~ treat + m1 + m2 + m3 + x1 + x2 + EntityEffects + TimeEffects", indexed).fit().params["treat"]
        return float(1 - direct / total)

    _looped("linearmodels in a loop", share)


def main() -> None:
    runs = {
        "hinterland": hinterland,
        "hinterland, everything": hinterland_whole,
        "pyfixest in a loop": pyfixest,
        "linearmodels in a loop": linearmodels,
    }
    if "--only" in sys.argv:
        runs[sys.argv[sys.argv.index("--only") + 1]]()
        return
    modules = {
        "hinterland": "hinterland",
        "hinterland, everything": "hinterland",
        "pyfixest in a loop": "pyfixest",
        "linearmodels in a loop": "linearmodels",
    }
    results: list[Result] = contend(__file__, modules)
    table(
        f"Cluster bootstrap of the share mediated, {DRAWS} draws, {UNITS} units × 15 (CPU seconds; answer: standard error of the share)",
        results,
        "hinterland",
    )


if __name__ == "__main__":
    main()
