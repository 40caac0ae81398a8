"""Sensitivity intervals on an event study with 8 leads and 6 lags. Run: python benchmarks/honest.py."""

from __future__ import annotations

import sys

import numpy as np
from _harness import contend, median_time, report, table

LEADS, LAGS, BOUND, SLOPE = 8, 6, 1.0, 0.01


def event_study() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    root = rng.normal(size=(LEADS + LAGS, 3 * (LEADS + LAGS)))
    vcov = 0.0025 * (root @ root.T / root.shape[1] + 0.5)
    return np.append(rng.normal(0, 0.03, LEADS), 0.4 + rng.normal(0, 0.03, LAGS)), vcov


def hinterland(kind: str) -> None:
    from hinterland.evaluate.honest.intervals import interval, make_problem
    from hinterland.evaluate.honest.restrictions import Shape

    estimates, vcov = event_study()
    method, bound = ("c-lf", BOUND) if kind == "relative-magnitude" else ("flci", SLOPE)

    def run() -> float:
        shape = Shape(kind, LEADS, LAGS)  # type: ignore[arg-type]
        problem = make_problem(estimates, vcov, np.eye(LAGS)[0], shape, method, level=0.95, draws=10_000, seed=0)  # type: ignore[arg-type]
        return interval(problem, bound).low

    seconds, answer = median_time(run, 7)
    report(f"hinterland {kind}", seconds, answer)


def statspai(kind: str) -> None:
    from statspai.did.honest_did import honest_did_from_moments

    estimates, vcov = event_study()
    method, bound = ("relative_magnitude", BOUND) if kind == "relative-magnitude" else ("smoothness", SLOPE)

    def run() -> float:
        found = honest_did_from_moments(estimates, vcov, num_pre_periods=LEADS, method=method, m_grid=[bound])
        return float(found["ci_lower"].iloc[0])

    seconds, answer = median_time(run, 3)
    report(f"statspai {kind}", seconds, answer)


def main() -> None:
    kinds = ("relative-magnitude", "smoothness")
    runs = {f"{name} {kind}": (call, kind) for kind in kinds for name, call in (("hinterland", hinterland), ("statspai", statspai))}
    if "--only" in sys.argv:
        call, kind = runs[sys.argv[sys.argv.index("--only") + 1]]
        call(kind)
        return
    results = contend(__file__, {name: name.split()[0] for name in runs})
    for kind in kinds:
        chosen = [r for r in results if r.name.endswith(kind)]
        table(f"One {kind} interval, {LEADS} leads and {LAGS} lags (answer: its lower end)", chosen, f"hinterland {kind}")


if __name__ == "__main__":
    main()
