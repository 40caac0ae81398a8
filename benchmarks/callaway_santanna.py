"""Group-time effects: ours and every peer that is installed, on the same data, each in a process of its own.

The task: a balanced panel of ``--units`` × 15, 6 cohorts, 60 % never treated, three covariates that do not vary over time; doubly
robust effects of every cohort in every period against the never treated, averaged by event time, with analytic standard errors;
then the same with ``--draws`` multiplier draws for a uniform band. Imports and a first call on a small panel come before
the clock. Peers take a data frame in each call; ours is timed both on a panel that has been read (as in any study, where one
panel serves many fits) and from the data frame (reading, checking and cohorts included). CPU seconds are compared, the least of
up to three calls, since a shared machine disturbs them less than wall time.

    python benchmarks/callaway_santanna.py --units 50000
    python benchmarks/callaway_santanna.py --peer-python other/bin/python      # peers that live in another environment
"""

from __future__ import annotations

import argparse
import importlib.util
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
COVARIATES = ("x1", "x2", "x3")
MODULES = {
    "hinterland": "hinterland",
    "from frame": "hinterland",
    "diff-diff": "diff_diff",
    "moderndid": "moderndid",
    "csdid": "csdid",
    "differences": "differences",
}
ENOUGH = 8.0
"""Wall seconds after which a library is not called again."""
Answer = tuple[float, float]
"""Effect and standard error at event time 0."""


def simulate(units: int, seed: int = 1) -> dict[str, np.ndarray]:
    """Columns of the panel, unit-major: AR(1) errors, effects that grow with exposure and differ between cohorts."""
    rng = np.random.default_rng(seed)
    g = np.where(rng.random(units) < 0.6, 0, rng.choice(COHORTS, units))
    x = rng.normal(size=(units, 3))
    t = np.arange(1, PERIODS + 1)
    error = rng.normal(size=(units, PERIODS))
    for j in range(1, PERIODS):
        error[:, j] += 0.5 * error[:, j - 1]
    treated = (g[:, None] > 0) & (t >= g[:, None])
    trend = (x @ np.array([0.03, 0.02, -0.01]))[:, None] * t
    y = rng.normal(size=units)[:, None] + 0.1 * t + trend + treated * (0.3 + 0.1 * (t - g[:, None]) + 0.02 * g[:, None]) + error
    columns = {"unit": np.repeat(np.arange(units), PERIODS), "year": np.tile(t, units), "y": y.ravel(), "g": np.repeat(g, PERIODS)}
    return columns | {name: np.repeat(x[:, j], PERIODS) for j, name in enumerate(COVARIATES)}


def _hinterland(columns: dict[str, np.ndarray], draws: int, *, whole: bool = False) -> Callable[[], Answer]:
    import polars as pl

    from hinterland.data.adoption import adoption
    from hinterland.data.readers import read_panel
    from hinterland.evaluate.estimate import estimate

    frame = pl.DataFrame(columns)
    ready = read_panel(frame, unit="unit", time="year")
    cohorts = adoption(ready, "g")

    def call() -> Answer:
        panel = read_panel(frame, unit="unit", time="year") if whole else ready
        policy = adoption(panel, "g") if whole else cohorts
        effects = estimate(panel, "y", policy, covariates="~ x1 + x2 + x3").aggregate("event-time")
        effects = effects.with_band(draws=draws, seed=1) if draws else effects
        i = int(np.flatnonzero(effects.terms.event_time == 0)[0])
        return float(effects.estimate[i]), float(effects.std_error[i])

    return call


def _from_frame(columns: dict[str, np.ndarray], draws: int) -> Callable[[], Answer]:
    return _hinterland(columns, draws, whole=True)


def _frame(columns: dict[str, np.ndarray]) -> Any:
    import pandas as pd

    return pd.DataFrame(columns)


def _diff_diff(columns: dict[str, np.ndarray], draws: int) -> Callable[[], Answer]:
    from diff_diff import CallawaySantAnna

    frame = _frame(columns)

    def call() -> Answer:
        model = CallawaySantAnna(estimation_method="dr", control_group="never_treated", n_bootstrap=draws, seed=1 if draws else None)
        result = model.fit(
            frame, outcome="y", unit="unit", time="year", first_treat="g", covariates=list(COVARIATES), aggregate="event_study"
        )
        effect = result.event_study_effects[0]
        return float(effect["effect"]), float(effect["se"])

    return call


def _moderndid(columns: dict[str, np.ndarray], draws: int) -> Callable[[], Answer]:
    import moderndid

    frame = _frame(columns)
    options: dict[str, Any] = {"boot": bool(draws), "cband": bool(draws)}
    options |= {"biters": draws, "random_state": 1} if draws else {}

    def call() -> Answer:
        cells = moderndid.att_gt(frame, yname="y", tname="year", idname="unit", gname="g", xformla="~ x1 + x2 + x3", **options)
        result = moderndid.aggte(cells, type="dynamic")
        i = int(np.flatnonzero(np.asarray(result.event_times) == 0)[0])
        return float(result.att_by_event[i]), float(result.se_by_event[i])

    return call


def _csdid(columns: dict[str, np.ndarray], draws: int) -> Callable[[], Answer]:
    import contextlib
    import io

    from csdid.att_gt import ATTgt

    frame = _frame(columns)

    def call() -> Answer:
        with contextlib.redirect_stdout(io.StringIO()):
            model = ATTgt(
                yname="y", gname="g", idname="unit", tname="year", xformla="y~x1+x2+x3", data=frame, control_group=["nevertreated"],
                biters=draws or 1000, cband=bool(draws),
            ).fit(est_method="dr", bstrap=bool(draws))  # fmt: skip
            model.aggte(typec="dynamic", bstrap=bool(draws), cband=bool(draws))
        i = int(np.flatnonzero(np.asarray(model.atte["egt"]) == 0)[0])
        return float(model.atte["att_egt"][i]), float(np.ravel(model.atte["se_egt"])[i])

    return call


def _differences(columns: dict[str, np.ndarray], draws: int) -> Callable[[], Answer]:
    from differences import ATTgt

    frame = _frame(columns)
    frame["g"] = frame["g"].where(frame["g"] > 0)
    frame = frame.set_index(["unit", "year"])

    def call() -> Answer:
        model = ATTgt(data=frame, cohort_column="g")
        model.fit("y ~ x1 + x2 + x3", est_method="dr", control_group="never_treated", boot_iterations=draws, progress_bar=False)
        table = model.aggregate("event", boot_iterations=draws)
        row = table.loc[0]
        return float(row.iloc[0]), float(row.iloc[1])

    return call


CALLS = {
    "hinterland": _hinterland,
    "from frame": _from_frame,
    "diff-diff": _diff_diff,
    "moderndid": _moderndid,
    "csdid": _csdid,
    "differences": _differences,
}


def measure(library: str, units: int, draws: int, runs: int) -> dict[str, float]:
    """Least CPU and wall seconds of ``runs`` calls, peak memory (MB) and the answer, in this process."""
    warnings.simplefilter("ignore")
    CALLS[library](simulate(300), draws)()
    call = CALLS[library](simulate(units), draws)
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


def run(python: str, library: str, *, units: int, draws: int, runs: int, limit: float) -> dict[str, float] | str:
    """The measurement of one library in a process of its own, or why there is none."""
    command = [
        python,
        str(Path(__file__).resolve()),
        "--library",
        library,
        "--units",
        str(units),
        "--draws",
        str(draws),
        "--runs",
        str(runs),
    ]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit, check=False)
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
    parser.add_argument("--draws", type=int, default=999, help="multiplier draws of the second task")
    parser.add_argument("--runs", type=int, default=3, help="calls of each library, unless they take long")
    parser.add_argument("--limit", type=float, default=240, help="wall seconds a library may take")
    parser.add_argument("--peer-python", default=sys.executable, help="interpreter of the peers")
    parser.add_argument("--library", choices=list(CALLS), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.library:
        if importlib.util.find_spec(MODULES[options.library]) is None:
            raise SystemExit("not installed")
        print(json.dumps(measure(options.library, options.units, options.draws, options.runs)))
        return
    for draws, task in ((0, "analytic standard errors"), (options.draws, f"and {options.draws} multiplier draws")):
        print(f"\nCallaway–Sant'Anna, doubly robust, 3 covariates, {options.units} × {PERIODS}, by event time, {task}")
        print(f"{'library':<12}{'CPU s':>9}{'ratio':>8}{'wall s':>9}{'peak MB':>9}   effect (SE) at event time 0")
        ours = None
        for library in CALLS:
            python = sys.executable if MODULES[library] == "hinterland" else options.peer_python
            result = run(python, library, units=options.units, draws=draws, runs=options.runs, limit=options.limit)
            if isinstance(result, str):
                print(f"{library:<12}{result}")
                continue
            ours = ours or result["cpu"]
            print(
                f"{library:<12}{result['cpu']:>9.3f}{result['cpu'] / ours:>8.1f}{result['wall']:>9.3f}{result['peak']:>9.0f}"
                f"   {result['estimate']:.6f} ({result['std_error']:.6f})"
            )


if __name__ == "__main__":
    main()
