"""Imputation and two-stage: ours and every peer that is installed, on the same data, each in a process of its own.

The task: a balanced panel of ``--units`` × 15, 6 cohorts, 60 % never treated, three covariates that vary over time; the mean effect
and its standard error, clustered by unit. Ours gives all 42 group-time effects with their covariance and averages them; peers give the
mean only. ``from frame`` includes reading, checking and cohorts. CPU seconds, the least of up to three calls, after a first call on a
small panel. Matrix completion has no fast peer: its line is there for the record.

    python benchmarks/imputation.py --units 50000
    python benchmarks/imputation.py --peer-python other/bin/python      # peers that live in another environment
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from callaway_santanna import COVARIATES, ENOUGH, PERIODS, simulate

Answer = tuple[float, float]
Columns = dict[str, np.ndarray]
METHODS = ("imputation", "two-stage", "matrix-completion")
MODULES = {"hinterland": "hinterland", "from frame": "hinterland", "diff-diff": "diff_diff", "statspai": "statspai"}


def panel(units: int) -> Columns:
    """The panel of ``callaway_santanna.py``, with covariates that vary over time."""
    columns = simulate(units)
    rng = np.random.default_rng(2)
    return columns | {name: columns[name] + rng.normal(size=len(columns["y"])) for name in COVARIATES}


def _hinterland(columns: Columns, method: str, *, whole: bool = False) -> Callable[[], Answer]:
    import polars as pl

    from hinterland.data.adoption import adoption
    from hinterland.data.readers import read_panel
    from hinterland.evaluate.estimate import estimate

    frame = pl.DataFrame(columns)
    ready = read_panel(frame, unit="unit", time="year")
    cohorts = adoption(ready, "g")

    def call() -> Answer:
        read = read_panel(frame, unit="unit", time="year") if whole else ready
        effects = estimate(read, "y", adoption(read, "g") if whole else cohorts, method, covariates="~ x1 + x2 + x3")
        overall = effects.aggregate("overall")
        return float(overall.estimate[0]), float(overall.std_error[0])

    return call


def _from_frame(columns: Columns, method: str) -> Callable[[], Answer]:
    return _hinterland(columns, method, whole=True)


def _frame(columns: Columns) -> Any:
    import pandas as pd

    return pd.DataFrame(columns)


def _diff_diff(columns: Columns, method: str) -> Callable[[], Answer]:
    import diff_diff

    frame = _frame(columns)
    model = {"imputation": diff_diff.ImputationDiD, "two-stage": diff_diff.TwoStageDiD}[method]

    def call() -> Answer:
        result = model().fit(frame, outcome="y", unit="unit", time="year", first_treat="g", covariates=list(COVARIATES))
        return float(result.overall_att), float(result.overall_se)

    return call


def _statspai(columns: Columns, method: str) -> Callable[[], Answer]:
    import statspai

    frame = _frame(columns)
    function = {"imputation": statspai.did_imputation, "two-stage": statspai.did_2stage}[method]

    def call() -> Answer:
        result = function(frame, y="y", group="unit", time="year", first_treat="g", controls=list(COVARIATES))
        return float(result.estimate), float(result.se)

    return call


CALLS = {"hinterland": _hinterland, "from frame": _from_frame, "diff-diff": _diff_diff, "statspai": _statspai}


def measure(library: str, method: str, units: int, runs: int) -> dict[str, float]:
    """Least CPU seconds of ``runs`` calls, peak memory (MB) and the answer, in this process."""
    import resource

    warnings.simplefilter("ignore")
    CALLS[library](panel(300), method)()
    call = CALLS[library](panel(units), method)
    cpu, spent, answer = [], 0.0, (np.nan, np.nan)
    for _ in range(runs):
        started, clock = time.process_time(), time.perf_counter()
        answer = call()
        cpu.append(time.process_time() - started)
        spent += time.perf_counter() - clock
        if spent > ENOUGH:
            break
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"cpu": min(cpu), "peak": peak, "estimate": answer[0], "std_error": answer[1]}


def run(python: str, library: str, method: str, options: argparse.Namespace) -> dict[str, float] | str:
    """The measurement of one library in a process of its own, or why there is none."""
    told = ["--library", library, "--method", method, "--units", str(options.units), "--runs", str(options.runs)]
    try:
        done = subprocess.run(
            [python, str(Path(__file__).resolve()), *told], capture_output=True, text=True, timeout=options.limit, check=False
        )
    except subprocess.TimeoutExpired:
        return f"more than {options.limit:.0f} s"
    last = done.stdout.strip().splitlines()[-1] if done.stdout.strip() else ""
    if done.returncode == 0 and last.startswith("{"):
        result: dict[str, float] = json.loads(last)
        return result
    return (done.stderr.strip().splitlines() or ["failed"])[-1][:80]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--units", type=int, default=5_000)
    parser.add_argument("--runs", type=int, default=3, help="calls of each library, unless they take long")
    parser.add_argument("--limit", type=float, default=240, help="wall seconds a library may take")
    parser.add_argument("--peer-python", default=sys.executable, help="interpreter of the peers")
    parser.add_argument("--method", choices=METHODS)
    parser.add_argument("--library", choices=list(CALLS), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.library:
        if importlib.util.find_spec(MODULES[options.library]) is None:
            raise SystemExit("not installed")
        print(json.dumps(measure(options.library, options.method, options.units, options.runs)))
        return
    for method in [options.method] if options.method else METHODS:
        print(f"\n{method}, 3 covariates, {options.units} × {PERIODS}, mean effect, clustered by unit")
        print(f"{'library':<12}{'CPU s':>9}{'ratio':>8}{'peak MB':>9}   effect (SE)")
        ours = None
        for library in ("hinterland", "from frame") if method == "matrix-completion" else CALLS:
            python = sys.executable if MODULES[library] == "hinterland" else options.peer_python
            result = run(python, library, method, options)
            if isinstance(result, str):
                print(f"{library:<12}{result}")
                continue
            ours = ours or result["cpu"]
            print(
                f"{library:<12}{result['cpu']:>9.3f}{result['cpu'] / ours:>8.1f}{result['peak']:>9.0f}"
                f"   {result['estimate']:.6f} ({result['std_error']:.6f})"
            )


if __name__ == "__main__":
    main()
