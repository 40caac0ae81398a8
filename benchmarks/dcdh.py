"""Intertemporal effects: ours and every peer that is installed, on the same data, each in a process of its own.

The task: a balanced panel of ``--units`` × 15, 6 cohorts, 60 % never treated, no covariates; five effects, no placebo, against units not
yet treated, with analytic standard errors by unit. A first call on a small panel comes before the clock. Peers take a data frame in
each call; ours is timed both on a panel that has been read and from the data frame. CPU seconds are compared, the least of up to
three calls.

    python benchmarks/dcdh.py --units 50000
    python benchmarks/dcdh.py --peer-python one/bin/python other/bin/python      # peers that live in other environments
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import io
import json
import os
import resource
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent))
from callaway_santanna import PERIODS, simulate

EFFECTS = 5
ENOUGH = 8.0
"""Wall seconds after which a library is not called again."""
Answer = tuple[float, float]
"""First effect and its standard error."""
MODULES = {
    "hinterland": "hinterland",
    "from frame": "hinterland",
    "statspai": "statspai",
    "py-did-multiplegt-dyn": "did_multiplegt_dyn",
    "moderndid": "moderndid",
}


def columns_of(units: int) -> dict[str, np.ndarray]:
    """The panel with a treatment column."""
    columns = simulate(units)
    treated = (columns["g"] > 0) & (columns["year"] >= columns["g"])
    return {name: columns[name] for name in ("unit", "year", "y", "g")} | {"d": treated.astype(float)}


def _hinterland(columns: dict[str, np.ndarray], *, whole: bool = False) -> Callable[[], Answer]:
    import polars as pl

    from hinterland.data.adoption import adoption_from_treatment
    from hinterland.data.readers import read_panel
    from hinterland.evaluate.estimate import estimate

    frame = pl.DataFrame(columns)
    ready = read_panel(frame, unit="unit", time="year")
    cohorts = adoption_from_treatment(ready, "d", reversible=True)

    def call() -> Answer:
        panel = read_panel(frame, unit="unit", time="year") if whole else ready
        policy = adoption_from_treatment(panel, "d", reversible=True) if whole else cohorts
        effects = estimate(panel, "y", policy, "dcdh", effects=EFFECTS, placebos=0)
        return float(effects.estimate[1]), float(effects.std_error[1])

    return call


def _from_frame(columns: dict[str, np.ndarray]) -> Callable[[], Answer]:
    return _hinterland(columns, whole=True)


def _frame(columns: dict[str, np.ndarray]) -> Any:
    import pandas as pd

    return pd.DataFrame(columns)


def _statspai(columns: dict[str, np.ndarray]) -> Callable[[], Answer]:
    import statspai

    frame = _frame(columns)

    def call() -> Answer:
        result = statspai.did_multiplegt_dyn(
            frame, y="y", group="unit", time="year", treatment="d", dynamic=EFFECTS - 1, se_method="analytic", aggregation="switchers"
        )
        row = result.detail.iloc[0]
        return float(row["delta_l"]), float(row["se"])

    return call


def _multiplegt(columns: dict[str, np.ndarray]) -> Callable[[], Answer]:
    import polars as pl
    from did_multiplegt_dyn.did_multiplegt_main import did_multiplegt_main

    frame = pl.DataFrame(columns)

    def call() -> Answer:
        with contextlib.redirect_stdout(io.StringIO()):
            result = did_multiplegt_main(
                df=frame, outcome="y", group="unit", time="year", treatment="d", effects=EFFECTS, placebo=0, switchers=""
            )
        row = result["did_multiplegt_dyn"]["Effects"].to_numpy()[0]
        return float(row[0]), float(row[1])

    return call


def _moderndid(columns: dict[str, np.ndarray]) -> Callable[[], Answer]:
    import moderndid

    frame = _frame(columns)

    def call() -> Answer:
        result = moderndid.did_multiplegt(frame, yname="y", idname="unit", tname="year", dname="d", effects=EFFECTS, placebo=0)
        return float(result.effects.estimates[0]), float(result.effects.std_errors[0])

    return call


CALLS = {
    "hinterland": _hinterland,
    "from frame": _from_frame,
    "statspai": _statspai,
    "py-did-multiplegt-dyn": _multiplegt,
    "moderndid": _moderndid,
}


def measure(library: str, units: int, runs: int) -> dict[str, float]:
    """Least CPU and wall seconds of ``runs`` calls, peak memory (MB) and the answer, in this process."""
    warnings.simplefilter("ignore")
    CALLS[library](columns_of(300))()
    call = CALLS[library](columns_of(units))
    cpu, wall, answer = [], [], (np.nan, np.nan)
    for _ in range(runs):
        started, clock = time.process_time(), time.perf_counter()
        answer = call()
        cpu.append(time.process_time() - started)
        wall.append(time.perf_counter() - clock)
        if sum(wall) > ENOUGH:
            break
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"cpu": min(cpu), "wall": min(wall), "peak": peak, "estimate": answer[0], "std_error": answer[1]}


def run(python: str, library: str, *, units: int, runs: int, limit: float) -> dict[str, float] | str:
    """The measurement of one library in a process of its own, or why there is none."""
    command = [python, str(Path(__file__).resolve()), "--library", library, "--units", str(units), "--runs", str(runs)]
    environment = os.environ | {"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1")}
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit, check=False, env=environment)
    except subprocess.TimeoutExpired:
        return f"more than {limit:.0f} s"
    last = done.stdout.strip().splitlines()[-1] if done.stdout.strip() else ""
    if done.returncode == 0 and last.startswith("{"):
        result: dict[str, float] = json.loads(last)
        return result
    return (done.stderr.strip().splitlines() or ["failed"])[-1][:80]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--units", type=int, default=50_000)
    parser.add_argument("--runs", type=int, default=3, help="calls of each library, unless they take long")
    parser.add_argument("--limit", type=float, default=240, help="wall seconds a library may take")
    parser.add_argument("--peer-python", nargs="+", default=[sys.executable], help="interpreters of the peers")
    parser.add_argument("--library", choices=list(CALLS), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.library:
        if importlib.util.find_spec(MODULES[options.library]) is None:
            raise SystemExit("not installed")
        print(json.dumps(measure(options.library, options.units, options.runs)))
        return
    print(f"\nIntertemporal effects, {EFFECTS} horizons, {options.units} × {PERIODS}, analytic standard errors")
    print(f"{'library':<24}{'CPU s':>9}{'ratio':>8}{'wall s':>9}{'peak MB':>9}   effect (SE) in the period of the change")
    ours = None
    for library in CALLS:
        mine = MODULES[library] == "hinterland"
        for python in [sys.executable] if mine else options.peer_python:
            result = run(python, library, units=options.units, runs=options.runs, limit=options.limit)
            if result != "not installed":
                break
        if isinstance(result, str):
            print(f"{library:<24}{result}")
            continue
        ours = ours or result["cpu"]
        print(
            f"{library:<24}{result['cpu']:>9.3f}{result['cpu'] / ours:>8.1f}{result['wall']:>9.3f}{result['peak']:>9.0f}"
            f"   {result['estimate']:.6f} ({result['std_error']:.6f})"
        )


if __name__ == "__main__":
    main()
