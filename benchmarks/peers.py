"""Every estimator beside every peer that is installed: the same data, one run, CPU seconds, ratio and peak memory.

Each library runs in a process of its own, on one thread, after a first call on a small panel (imports and compilation are not
counted). The time is the least of up to three calls; a library that needs longer than ``--limit`` is stopped and said to be so. Ours is
timed on a panel that has been read, as in a study, where one panel serves many fits, and from the raw frame, reading, checking and
cohorts included, which is what peers are given. Ratios are to the fastest peer that finished.

    python benchmarks/peers.py                                     # 5 000 units × 15
    python benchmarks/peers.py --units 50000 --tasks twfe imputation
    python benchmarks/peers.py --curve                             # ours alone, from 1 000 to 1 000 000 units
    python benchmarks/peers.py --peer-python other/bin/python      # peers that live in another environment
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

from _contenders import OURS, PEERS, contender, simulate

ENOUGH = 4.0
"""Wall seconds after which a call is not repeated."""
CURVE = (1_000, 10_000, 100_000, 500_000, 1_000_000)
CURVE_TASKS = ("twfe", "twfe, 2 covariates", "event study", "callaway-santanna", "sun-abraham", "imputation", "two-stage")


def measure(name: str, task: str, units: int) -> dict[str, float | str]:
    """Run one library on one task, in this process."""
    contender(name, task, simulate(400))()
    call = contender(name, task, simulate(units))
    best, answer = float("inf"), (float("nan"), float("nan"))
    for _ in range(3):
        wall, cpu = time.perf_counter(), time.process_time()
        answer = call()
        best = min(best, time.process_time() - cpu)
        if time.perf_counter() - wall > ENOUGH:
            break
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"cpu": best, "peak": peak, "estimate": answer[0], "std_error": answer[1]}


def run(python: str, name: str, task: str, units: int, limit: float) -> dict[str, float | str]:
    """The same in a process of its own, with one thread."""
    threads = {f"{p}_NUM_THREADS": "1" for p in ("OMP", "OPENBLAS", "MKL", "NUMBA", "POLARS_MAX", "RAYON")} | {"POLARS_MAX_THREADS": "1"}
    command = [python, str(Path(__file__)), "--one", name, task, str(units)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit, env={**os.environ, **threads}, check=False)
    except subprocess.TimeoutExpired:
        return {"error": f"more than {limit:.0f} s"}
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode or not lines:
        return {"error": (done.stderr.strip().splitlines() or ["failed"])[-1][:100]}
    found: dict[str, float | str] = json.loads(lines[-1])
    return found


def _pythons(options: argparse.Namespace) -> dict[str, str]:
    """Which interpreter has which peer."""
    found = {}
    for name, (module, _, _) in PEERS.items():
        for python in (sys.executable, *options.peer_python):
            probe = f"import importlib.util, sys; sys.exit(importlib.util.find_spec({module!r}) is None)"
            if subprocess.run([python, "-c", probe], check=False).returncode == 0:
                found[name] = python
                break
    return found


def table(task: str, units: int, options: argparse.Namespace, pythons: dict[str, str]) -> None:
    """One task at one size: a line per library."""
    rows = {}
    for name in ("hinterland", "hinterland, from frame", *(n for n, p in PEERS.items() if task in p[2] and n in pythons)):
        rows[name] = run(pythons.get(name, sys.executable), name, task, units, options.limit)
    peers = [float(r["cpu"]) for n, r in rows.items() if not n.startswith("hinterland") and "cpu" in r]
    print(f"\n{task}, {units:,} units × 15")
    for name, row in rows.items():
        if "error" in row:
            print(f"  {name:24s} {row['error']}")
            continue
        ratio = f"{min(peers) / float(row['cpu']):7.1f} ×" if peers and name.startswith("hinterland") else " " * 9
        line = f"  {name:24s} {row['cpu']:9.3f} CPU s {ratio} {row['peak']:8.0f} MB   {row['estimate']:.6f} ({row['std_error']:.6f})"
        print(line, flush=True)


def curve(options: argparse.Namespace) -> None:
    """Ours alone at growing sizes: cost per million rows should not grow."""
    for task in [t for t in CURVE_TASKS if t in options.tasks]:
        print(f"\n{task}")
        for units in CURVE:
            row = run(sys.executable, "hinterland", task, units, options.limit)
            if "error" in row:
                print(f"  {units:>9,} units  {row['error']}", flush=True)
                continue
            each = float(row["cpu"]) / (units * 15 / 1e6)
            print(f"  {units:>9,} units {row['cpu']:9.3f} CPU s {each:8.3f} s per million rows {row['peak']:8.0f} MB", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--units", type=int, nargs="+", default=[5_000])
    parser.add_argument("--tasks", nargs="+", default=list(OURS), choices=list(OURS), metavar="TASK")
    parser.add_argument("--limit", type=float, default=120.0, help="wall seconds that one library may take")
    parser.add_argument("--peer-python", nargs="+", default=[], help="further interpreters to look for peers in")
    parser.add_argument("--curve", action="store_true", help="ours alone, to a million units")
    parser.add_argument("--one", nargs=3, metavar=("LIBRARY", "TASK", "UNITS"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(options.one[0], options.one[1], int(options.one[2]))))
    elif options.curve:
        curve(options)
    else:
        pythons = _pythons(options)
        for units in options.units:
            for task in options.tasks:
                table(task, units, options, pythons)


if __name__ == "__main__":
    main()
