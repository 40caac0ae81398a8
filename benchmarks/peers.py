"""Every estimator beside every peer that is installed: the same data, one run, CPU seconds, ratio and peak memory.

Each library runs each task in a process of its own, on one thread, after a first call on a small panel (imports and compilation are not
counted), from small panels to large ones. The time is the least of up to five calls; a library that needs longer than ``--limit``, or
would by what it took on the panel before, or more than 14 GiB of address space, is said to. Ours is timed on a panel that has been read, as in a study, where one panel
serves many fits, and from the raw frame, reading, checking and cohorts included, which is what peers are given. Ratios are to the fastest
peer that finished. At the end: what we want to be faster than, and whether we are.

    python benchmarks/peers.py                                     # 5 000 and 50 000 units × 15, all tasks
    python benchmarks/peers.py --units 5000 --tasks twfe imputation
    python benchmarks/peers.py --curve                             # ours alone, from 1 000 to 1 000 000 units
    python benchmarks/peers.py --peer-python other/bin/python      # peers that live in another environment
    python benchmarks/peers.py --save out/benchmarks.jsonl         # measurements, one a line, for benchmarks/page.py
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
import warnings
from pathlib import Path

from _ours import TASKS, columns_of, ours
from _targets import FRAME, OURS, Row, fastest, verdicts
from _world import simulate

ENOUGH, CALLS = 3.0, 5
"""Wall seconds after which a call is not repeated; most calls."""
MEMORY = 14 * 2**30
"""Bytes of address space that one library may take; some form matrices of clusters × fixed effects."""
LARGE = 500_000
"""Units of the panels that have a limit in seconds, ours alone."""
CURVE = (1_000, 10_000, 100_000, 1_000_000)
MODULES = {
    "pyfixest": "pyfixest",
    "pyfixest + wildboottest": "wildboottest",
    "linearmodels": "linearmodels",
    "diff-diff": "diff_diff",
    "StatsPAI": "statspai",
    "moderndid": "moderndid",
    "csdid": "csdid",
    "differences": "differences",
    "py-did-multiplegt-dyn": "did_multiplegt_dyn",
    "synthdid-py": "synthdid",
}


def _calls(name: str) -> tuple[dict[str, object], dict[str, int]]:
    """The tasks of a peer, and how many of its calls each takes."""
    if name == "StatsPAI":
        from _statspai import STATSPAI

        return dict(STATSPAI.calls), STATSPAI.times
    from _peers import PEERS

    return dict(PEERS[name].calls), PEERS[name].times


def measure(name: str, task: str, sizes: list[int], limit: float) -> None:
    """Run one library on one task in this process; a line of JSON for each size."""
    warnings.simplefilter("ignore")
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    calls, times = ({}, {}) if name in (OURS, FRAME) else _calls(name)
    factor = times.get(task, 1)

    def make(units: int):  # type: ignore[no-untyped-def]
        columns = columns_of(task, simulate(units))
        return ours(task, columns, whole=name == FRAME) if name in (OURS, FRAME) else calls[task](columns)  # type: ignore[operator]

    make(400)()
    for before, units in zip([0, *sizes], sizes, strict=False):
        expected = best * units / before if before else 0.0  # noqa: F821  # of the size before
        if expected > limit:
            print(json.dumps({"units": units, "error": f"not run: {before:,} units took {best:.0f} s"}), flush=True)  # noqa: F821
            return
        call, best, answer = make(units), float("inf"), (float("nan"), float("nan"))
        started = time.perf_counter()
        for _ in range(CALLS):
            cpu = time.process_time()
            answer = call()
            best = min(best, time.process_time() - cpu)
            if time.perf_counter() - started > ENOUGH:
                break
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        row = {"units": units, "cpu": best * factor, "peak": peak, "estimate": answer[0], "std_error": answer[1], "times": factor}
        print(json.dumps(row), flush=True)


def run(python: str, name: str, task: str, sizes: list[int], limit: float) -> dict[int, Row]:
    """The same in a process of its own, with one thread; by size."""
    threads = dict.fromkeys([*(f"{p}_NUM_THREADS" for p in ("OMP", "OPENBLAS", "MKL", "NUMBA", "RAYON")), "POLARS_MAX_THREADS"], "1")
    command = [python, str(Path(__file__)), "--one", name, task, *map(str, sizes), "--limit", str(limit)]
    error = ""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=limit * len(sizes) + 60, env={**os.environ, **threads}, check=False
        )
        out = done.stdout
        if done.returncode:
            error = (done.stderr.strip().splitlines() or ["failed"])[-1][:100]
    except subprocess.TimeoutExpired as late:
        out = late.stdout.decode() if isinstance(late.stdout, bytes) else late.stdout or ""
        error = f"more than {limit:.0f} s"
    rows = {int(r["units"]): r for r in (json.loads(line) for line in out.splitlines() if line.startswith("{"))}
    missing = [n for n in sizes if n not in rows]
    return {**rows, **({missing[0]: {"error": error or "failed"}} if missing else {})}


def pythons(others: list[str]) -> dict[str, str]:
    """Which interpreter has which peer."""
    found: dict[str, str] = {}
    for python in (sys.executable, *others):
        probe = f"import importlib.util as i; print([n for n, m in {MODULES!r}.items() if i.find_spec(m)])"
        done = subprocess.run([python, "-c", probe], check=True, capture_output=True, text=True)
        found |= {name: python for name in json.loads(done.stdout.replace("'", '"')) if name not in found}
    return found


def compare(options: argparse.Namespace) -> dict[tuple[str, str, int], Row]:
    """Every task at every size: a line per library."""
    rows: dict[tuple[str, str, int], Row] = {}
    found = pythons(options.peer_python)
    offers = {name: _offered(python, name) for name, python in found.items()}
    for task in options.tasks:
        sizes = sorted(options.units or TASKS[task].units or (5_000, 50_000))
        names = [OURS, *([FRAME] if task != "sensitivity" else []), *(n for n in found if task in offers[n])]
        for name in names:
            made = run(found.get(name, sys.executable), name, task, sizes, options.limit)
            rows |= _kept({(name, task, units): row for units, row in made.items()}, options.save)
        for units in sizes:
            _show(rows, task, units, names)
    return rows


def _offered(python: str, name: str) -> list[str]:
    """The tasks of a peer, which its own interpreter knows."""
    done = subprocess.run([python, str(Path(__file__)), "--offers", name], check=True, capture_output=True, text=True)
    tasks: list[str] = json.loads(done.stdout.splitlines()[-1])
    return tasks


def _show(rows: dict[tuple[str, str, int], Row], task: str, units: int, names: list[str]) -> None:
    best = fastest(rows, task, units)
    print(f"\n{task}, {units:,} units × 15" if units > 1 else f"\n{task}")
    for name in names:
        row = rows.get((name, task, units))
        if row is None:
            continue
        if "error" in row:
            print(f"  {name:24s} {row['error']}")
            continue
        ratio = f"{best[1] / float(row['cpu']):7.1f} ×" if best and name in (OURS, FRAME) else " " * 9
        line = f"  {name:24s} {row['cpu']:10.4f} CPU s {ratio} {row['peak']:8.0f} MB   {row['estimate']:.6f} ({row['std_error']:.6f})"
        print(line + (f"  1 of {row['times']} draws measured" if row["times"] != 1 else ""), flush=True)


def curve(options: argparse.Namespace) -> dict[tuple[str, str, int], Row]:
    """Ours alone at growing sizes: cost per million rows should not grow."""
    rows: dict[tuple[str, str, int], Row] = {}
    for task in [t for t in options.tasks if TASKS[t].linear]:
        sizes = sorted({*(options.units or CURVE), *([] if options.units else _large(task))})
        made = run(sys.executable, OURS, task, sizes, options.limit)
        rows |= _kept({(OURS, task, units): row for units, row in made.items()}, options.save)
        print(f"\n{task}")
        for units, row in made.items():
            if "error" in row:
                print(f"  {units:>9,} units  {row['error']}", flush=True)
                continue
            each = float(row["cpu"]) / (units * 15 / 1e6)
            print(f"  {units:>9,} units {row['cpu']:9.3f} CPU s {each:8.3f} s per million rows {row['peak']:8.0f} MB", flush=True)
    return rows


def _large(task: str) -> list[int]:
    return [LARGE] if task in ("twfe", "callaway-santanna", "imputation") else []


def _kept(rows: dict[tuple[str, str, int], Row], path: Path | None) -> dict[tuple[str, str, int], Row]:
    """The measurements, appended to the file ``path``, one a line, where there is one: an interrupted run loses none."""
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            for (name, task, units), row in rows.items():
                file.write(json.dumps({"library": name, "task": task, **row, "units": units}) + "\n")
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--units", type=int, nargs="+", default=[])
    parser.add_argument("--tasks", nargs="+", default=list(TASKS), choices=list(TASKS), metavar="TASK")
    parser.add_argument("--limit", type=float, default=60.0, help="CPU seconds that one library may take for a call")
    parser.add_argument("--peer-python", nargs="+", default=[], help="further interpreters to look for peers in")
    parser.add_argument("--curve", action="store_true", help="ours alone, to a million units")
    parser.add_argument("--save", type=Path, help="append the measurements to this file")
    parser.add_argument("--one", nargs="+", help=argparse.SUPPRESS)
    parser.add_argument("--offers", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.offers:
        print(json.dumps(list(_calls(options.offers)[0])))
        return
    if options.one:
        measure(options.one[0], options.one[1], [int(n) for n in options.one[2:]], options.limit)
        return
    rows = curve(options) if options.curve else compare(options)
    table = list(verdicts(rows))
    widths = [max(map(len, column)) for column in zip(*table, strict=True)] if table else []
    print("\nTargets" if table else "")
    for line in table:
        print("  " + "  ".join(f"{cell:{width}s}" for cell, width in zip(line, widths, strict=True)))


if __name__ == "__main__":
    main()
