"""Doses, triple differences, spillovers and spatial Durbin models: ours and the peers that are installed, on the same data, each in a process of its own.

A balanced panel of ``--units`` × 15, six cohorts, 60 % never treated. ``dose``: cubic splines, levels and slopes at nine doses.
``triple``: doubly robust with three covariates against not-yet-treated cohorts, averaged by event time. ``spillover``: two rings, places
spread so that a unit has the same number of neighbours whatever the number of units. ``sdm``: own and neighbours' treatment and a spatial lag
of the outcome, four nearest neighbours, all rows in the likelihood (spreg: dummies of periods, without its summary). Imports and a first call on a small
panel come before the clock; ours is timed from the data frame (reading and checking included). CPU seconds, the least of three calls.

    python benchmarks/designs.py --units 5000
    python benchmarks/designs.py --peer-python other/bin/python      # peers that live in another environment
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
MODULES = {"hinterland": "hinterland", "diff-diff": "diff_diff", "moderndid": "moderndid", "spreg": "spreg"}
METHODS = ("dose", "triple", "spillover", "sdm")


def columns(units: int, seed: int = 0) -> dict[str, np.ndarray]:
    """unit, year, first (0 = never), dose, eligible, lon, lat, x1–x3, y."""
    rng = np.random.default_rng(seed)
    first = rng.choice([0, *COHORTS], size=units, p=[0.6, *[0.4 / 6] * 6])
    dose = np.where(first > 0, 0.05 + rng.beta(2, 2, size=units), 0.0)
    eligible = rng.integers(0, 2, size=units)
    side = 0.6 * units**0.5
    lon, lat = 60 + rng.random(units) * min(side, 100), -40 + rng.random(units) * min(side, 80)
    x = rng.normal(size=(units, 3))
    t = np.arange(1, PERIODS + 1)
    own = (first[:, None] > 0) & (t >= first[:, None])
    y = rng.normal(size=units)[:, None] + 0.2 * t + own * (1 + dose)[:, None] + rng.normal(size=(units, PERIODS))
    unit = np.repeat(np.arange(units), PERIODS)
    wide = {"first": first, "dose": dose, "eligible": eligible, "lon": lon, "lat": lat} | {f"x{j + 1}": x[:, j] for j in range(3)}
    return {"unit": unit, "year": np.tile(t, units), "y": y.ravel(), **{k: v[unit] for k, v in wide.items()}}


def ours(method: str) -> Callable[[Any], float]:
    import hinterland as hl

    options: dict[str, dict[str, Any]] = {
        "dose": {"dose": "dose", "target": "both"},
        "triple": {"partition": "eligible", "covariates": "~ x1 + x2 + x3", "comparison": "not-yet-treated"},
        "spillover": {"rings": (20.0, 40.0)},
        "sdm": {"exposure": "neighbours", "estimator": "sdm", "likelihood": "direct", "vcov": "iid"},
    }
    name = "spillover" if method == "sdm" else method

    def call(frame: Any) -> float:
        panel = hl.read_panel(frame, unit="unit", time="year", coordinates=("lon", "lat"))
        effects = hl.estimate(panel, "y", hl.adoption(panel, "first", never=(0,)), name, **options[method])
        return float((effects.aggregate("event-time") if method == "triple" else effects).estimate[4 if method == "sdm" else 0])

    return call


def diff_diff(method: str) -> Callable[[Any], float]:
    import diff_diff as dd

    def dose(frame: Any) -> float:
        made = dd.ContinuousDiD(degree=3, num_knots=0, control_group="never_treated", n_bootstrap=0)
        return float(made.fit(frame, outcome="y", unit="unit", time="year", first_treat="first", dose="dose").overall_att)

    def triple(frame: Any) -> float:
        made = dd.StaggeredTripleDifference(estimation_method="dr", control_group="notyettreated")
        names = {"unit": "unit", "time": "year", "first_treat": "first", "eligibility": "eligible"}
        return float(made.fit(frame, outcome="y", **names, covariates=["x1", "x2", "x3"], aggregate="event_study").overall_att)

    def spillover(frame: Any) -> float:
        made = dd.SpilloverDiD(rings=[0, 20, 40], conley_coords=("lat", "lon"), cluster="unit")
        return float(made.fit(frame, outcome="y", unit="unit", time="year", first_treat="first").att)

    known = {"dose": dose, "triple": triple, "spillover": spillover}
    if method not in known:
        raise LookupError("not compared")
    return known[method]


def moderndid(method: str) -> Callable[[Any], float]:
    import moderndid as md

    if method != "triple":
        raise LookupError("not compared")

    def triple(frame: Any) -> float:
        names = {"yname": "y", "tname": "year", "idname": "unit", "gname": "first", "pname": "eligible"}
        made = md.ddd(frame, **names, xformla="~ x1 + x2 + x3", control_group="notyettreated", base_period="varying", est_method="dr")
        return float(md.agg_ddd(made, type="eventstudy", boot=False, cband=False).overall_att)

    return triple


def spreg(method: str) -> Callable[[Any], float]:
    import libpysal
    from spreg.panel import BaseML_LagFE

    if method != "sdm":
        raise LookupError("not compared")

    def sdm(frame: Any) -> float:
        wide = {c: frame[c].to_numpy().reshape(-1, PERIODS) for c in ("y", "year", "first", "lon", "lat")}
        lon, lat = np.radians(wide["lon"][:, 0]), np.radians(wide["lat"][:, 0])
        points = np.column_stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])
        weights = libpysal.weights.KNN.from_array(points, k=4, silence_warnings=True)
        weights.transform = "r"
        own = ((wide["first"] > 0) & (wide["year"] >= wide["first"])).astype(float)
        periods = np.repeat(np.eye(PERIODS), len(own), axis=0)[:, 1:]
        x = np.hstack([own.T.reshape(-1, 1), (weights.sparse @ own).T.reshape(-1, 1), periods])
        return float(BaseML_LagFE(wide["y"].T.reshape(-1, 1), x, weights).betas[0, 0])

    return sdm


def frame_of(name: str, data: dict[str, np.ndarray]) -> Any:
    if name == "hinterland":
        import polars as pl

        return pl.DataFrame(data)
    import pandas as pd

    return pd.DataFrame(data)


def run(name: str, method: str, units: int) -> None:
    """One contender: prints a line of JSON."""
    warnings.simplefilter("ignore")
    call = {"hinterland": ours, "diff-diff": diff_diff, "moderndid": moderndid, "spreg": spreg}[name](method)
    call(frame_of(name, columns(600, 1)))
    frame = frame_of(name, columns(units))
    seconds, answer = [], 0.0
    for _ in range(3):
        start = time.process_time()
        answer = call(frame)
        seconds.append(time.process_time() - start)
        if seconds[-1] > 20:
            break
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"method": method, "name": name, "units": units, "cpu": min(seconds), "peak_mb": peak, "answer": answer}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--units", type=int, nargs="+", default=[5000])
    parser.add_argument("--methods", nargs="+", default=list(METHODS))
    parser.add_argument("--only", choices=list(MODULES))
    parser.add_argument("--peer-python", help="interpreter of an environment that holds the peers")
    parser.add_argument("--limit", type=float, default=200.0, help="wall seconds after which a contender is stopped")
    asked = parser.parse_args()
    if asked.only:
        run(asked.only, asked.methods[0], asked.units[0])
        return
    for units in asked.units:
        for method in asked.methods:
            for name, module in MODULES.items():
                python = sys.executable if name == "hinterland" or not asked.peer_python else asked.peer_python
                if python == sys.executable and importlib.util.find_spec(module) is None:
                    continue
                command = [python, str(Path(__file__)), "--only", name, "--methods", method, "--units", str(units)]
                try:
                    done = subprocess.run(command, capture_output=True, text=True, timeout=asked.limit, check=False)
                    said = done.stdout.strip() or f"{method} {name} {units}: {done.stderr.strip().splitlines()[-1:]}"
                except subprocess.TimeoutExpired:
                    said = f"{method} {name} {units}: more than {asked.limit:g} s"
                print(said, flush=True)


if __name__ == "__main__":
    main()
