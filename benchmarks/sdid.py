"""Staggered synthetic difference-in-differences with jackknife standard errors: ours and every peer installed, on the same data.

The task: a balanced panel of ``--units`` × 15, 6 cohorts, 60 % never treated, AR(1) errors, effects that differ between cohorts; one
average over treated units and periods with its jackknife standard error. Imports and a first call on a small panel come before the
clock; each contender runs in a process of its own; CPU seconds are compared. Peers stop their weights early, as R's ``synthdid``
does; ``frank-wolfe`` is our estimator with the same stop, ``placebo`` ours with ``--draws`` placebos.

    python benchmarks/sdid.py --units 5000
    python benchmarks/sdid.py --peer-python other/bin/python      # peers that live in another environment
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

PERIODS = 15
COHORTS = (4, 6, 8, 10, 12, 14)
ENOUGH = 8.0
"""Wall seconds after which a contender is not called again."""
Answer = tuple[float, float]
"""Effect and standard error."""


def simulate(units: int, seed: int = 1) -> dict[str, np.ndarray]:
    """Columns of the panel, unit-major."""
    rng = np.random.default_rng(seed)
    g = np.where(rng.random(units) < 0.6, 0, rng.choice(COHORTS, units))
    t = np.arange(1, PERIODS + 1)
    error = rng.normal(size=(units, PERIODS))
    for j in range(1, PERIODS):
        error[:, j] += 0.5 * error[:, j - 1]
    treated = (g[:, None] > 0) & (t >= g[:, None])
    y = rng.normal(size=units)[:, None] + 0.1 * t + treated * (0.3 + 0.1 * (t - g[:, None]) + 0.02 * g[:, None]) + error
    return {
        "unit": np.repeat(np.arange(units), PERIODS),
        "year": np.tile(t, units),
        "y": y.ravel(),
        "g": np.repeat(g, PERIODS),
        "d": treated.astype(int).ravel(),
    }


def _ours(columns: dict[str, np.ndarray], **options: Any) -> Callable[[], Answer]:
    import polars as pl

    from hinterland.data.adoption import adoption
    from hinterland.data.readers import read_panel
    from hinterland.evaluate.estimate import estimate

    panel = read_panel(pl.DataFrame({k: v for k, v in columns.items() if k != "d"}), unit="unit", time="year")
    policy = adoption(panel, "g")

    def call() -> Answer:
        effects = estimate(panel, "y", policy, "sdid", estimand="overall", **options)
        return float(effects.estimate[0]), float(effects.std_error[0])

    return call


def _hinterland(columns: dict[str, np.ndarray], _draws: int) -> Callable[[], Answer]:
    return _ours(columns, variance="jackknife")


def _frank_wolfe(columns: dict[str, np.ndarray], _draws: int) -> Callable[[], Answer]:
    return _ours(columns, variance="jackknife", solver="frank-wolfe")


def _placebo(columns: dict[str, np.ndarray], draws: int) -> Callable[[], Answer]:
    return _ours(columns, variance="placebo", draws=draws)


def _statspai(columns: dict[str, np.ndarray], _draws: int) -> Callable[[], Answer]:
    import pandas as pd
    import statspai

    frame = pd.DataFrame(columns)

    def call() -> Answer:
        result = statspai.sdid(frame, outcome="y", unit="unit", time="year", treat="d", se_method="jackknife")
        return float(result.estimate), float(result.se)

    return call


def _synthdid(columns: dict[str, np.ndarray], _draws: int) -> Callable[[], Answer]:
    import pandas as pd
    import synthdid

    frame = pd.DataFrame(columns)

    def call() -> Answer:
        result = synthdid.staggered_synthdid_estimate(frame, unit="unit", time="year", outcome="y", treatment="d")
        return float(result.att), float(result.se("jackknife"))

    return call


CALLS = {
    "hinterland": _hinterland,
    "frank-wolfe": _frank_wolfe,
    "placebo": _placebo,
    "statspai": _statspai,
    "synthdid-py": _synthdid,
}
OURS = ("hinterland", "frank-wolfe", "placebo")


def measure(name: str, units: int, draws: int, runs: int) -> dict[str, float]:
    """Least CPU seconds of ``runs`` calls, peak memory (MB) and the answer, in this process."""
    warnings.simplefilter("ignore")
    CALLS[name](simulate(300), draws)()
    call = CALLS[name](simulate(units), draws)
    cpu, wall, answer = [], 0.0, (np.nan, np.nan)
    for _ in range(runs):
        started, clock = time.process_time(), time.perf_counter()
        answer = call()
        cpu.append(time.process_time() - started)
        wall += time.perf_counter() - clock
        if wall > ENOUGH:
            break
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"cpu": min(cpu), "peak": peak, "estimate": answer[0], "std_error": answer[1]}


def run(python: str, name: str, options: argparse.Namespace) -> dict[str, float] | str:
    """The measurement of one contender in a process of its own, or why there is none."""
    sizes = ["--units", str(options.units), "--draws", str(options.draws), "--runs", str(options.runs)]
    command = [python, str(Path(__file__).resolve()), "--only", name, *sizes]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=options.limit, check=False)
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
    parser.add_argument("--draws", type=int, default=200, help="placebo draws")
    parser.add_argument("--runs", type=int, default=3, help="calls of each contender, unless they take long")
    parser.add_argument("--limit", type=float, default=200, help="wall seconds a contender may take")
    parser.add_argument("--peer-python", default=sys.executable, help="interpreter of the peers")
    parser.add_argument("--only", choices=list(CALLS), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.only:
        print(json.dumps(measure(options.only, options.units, options.draws, options.runs)))
        return
    print(f"\nStaggered synthetic difference-in-differences, {options.units} × {PERIODS}, jackknife")
    print(f"{'contender':<14}{'CPU s':>9}{'ratio':>8}{'peak MB':>9}   effect (SE)")
    ours = None
    for name in CALLS:
        result = run(sys.executable if name in OURS else options.peer_python, name, options)
        if isinstance(result, str):
            print(f"{name:<14}{result}")
            continue
        ours = ours or result["cpu"]
        ratio = result["cpu"] / ours
        print(f"{name:<14}{result['cpu']:>9.3f}{ratio:>8.1f}{result['peak']:>9.0f}   {result['estimate']:.6f} ({result['std_error']:.6f})")


if __name__ == "__main__":
    main()
