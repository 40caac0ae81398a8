"""Seconds of a cold import, less those of starting Python: ours and the peers that are installed. Run: python benchmarks/imports.py."""

from __future__ import annotations

import importlib.util
import statistics
import subprocess
import sys
import time

MODULES = ("hinterland", "pyfixest", "diff_diff", "statspai", "linearmodels")
RUNS = 7


def once(code: str) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True)
    return time.perf_counter() - start


def cold_import(module: str) -> float:
    """Median over processes that have read the files once before."""
    once(f"import {module}")
    return statistics.median(once(f"import {module}") for _ in range(RUNS)) - statistics.median(once("pass") for _ in range(RUNS))


def main() -> None:
    found = {module: cold_import(module) for module in MODULES if importlib.util.find_spec(module)}
    print("\nCold import")
    for module, seconds in found.items():
        print(f"{module:<16}{seconds:>8.2f} s {seconds / found['hinterland']:>8.1f} ×")


if __name__ == "__main__":
    main()
