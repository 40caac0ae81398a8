"""Each contender runs in a process of its own, on the same data, and reports its times and its peak memory."""

from __future__ import annotations

import importlib.util
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np

UNITS, PERIODS, FIRST = 293, 15, 2008


@dataclass(frozen=True)
class Result:
    name: str
    seconds: float
    peak_mb: float
    answer: float
    remark: str = ""


def columns(seed: int = 0, units: int = UNITS, periods: int = PERIODS) -> dict[str, np.ndarray]:
    """A staggered panel: unit, year, first (0 = never), treat, y, x1, x2; 60 % never treated, six cohorts."""
    rng = np.random.default_rng(seed)
    cohorts = np.array([0, *range(FIRST + 3, FIRST + 14, 2)])
    first = rng.choice(cohorts, size=units, p=[0.6, *[0.4 / 6] * 6])
    unit, year = np.repeat(np.arange(units), periods), np.tile(np.arange(FIRST, FIRST + periods), units)
    treat = (first[unit] > 0) & (year >= first[unit])
    x = rng.normal(size=(units * periods, 2))
    y = rng.normal(size=units)[unit] + 0.1 * (year - FIRST) + 0.5 * treat + x @ [0.3, -0.2] + rng.normal(size=units * periods)
    return {"unit": unit, "year": year, "first": first[unit], "treat": treat.astype(float), "y": y, "x1": x[:, 0], "x2": x[:, 1]}


def median_time(call: Callable[[], float], repeats: int) -> tuple[float, float]:
    """Median wall seconds of ``repeats`` warm calls, and the answer of the last."""
    call()
    times, answer = [], 0.0
    for _ in range(repeats):
        start = time.perf_counter()
        answer = call()
        times.append(time.perf_counter() - start)
    return statistics.median(times), answer


def report(name: str, seconds: float, answer: float, remark: str = "") -> None:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(asdict(Result(name, seconds, peak, answer, remark))))


def contend(script: str, contenders: dict[str, str], *arguments: str) -> list[Result]:
    """Run ``script --only NAME arguments`` for each contender whose module is installed. ``contenders``: name → module."""
    results = []
    for name, module in contenders.items():
        if importlib.util.find_spec(module) is None:
            print(f"{name:<34} not installed", file=sys.stderr)
            continue
        env = {**os.environ, "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1")}
        done = subprocess.run([sys.executable, script, "--only", name, *arguments], capture_output=True, text=True, check=False, env=env)
        if done.returncode:
            print(f"{name:<34} failed: {(done.stderr.strip().splitlines() or ['?'])[-1]}", file=sys.stderr)
            continue
        results.append(Result(**json.loads(done.stdout.strip().splitlines()[-1])))
    return results


def table(title: str, results: list[Result], ours: str) -> None:
    """Print time, ratio to ours, peak memory and the answer."""
    base = next(r.seconds for r in results if r.name == ours)
    print(f"\n{title}\n{'':<34}{'seconds':>12}{'ratio':>10}{'peak MB':>10}{'answer':>14}")
    for r in results:
        print(f"{r.name:<34}{r.seconds:>12.5f}{r.seconds / base:>9.1f}x{r.peak_mb:>10.0f}{r.answer:>14.8f}  {r.remark}")
