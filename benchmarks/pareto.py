"""Fronts of cost and emissions, 8 points, on a synthetic nation. Run: python benchmarks/pareto.py [small | provinces].

``small`` has some 16 thousand columns, ``provinces`` 0.3 million. Ours builds the model once and changes arrays: the least shortfall, the payoff table by
lexicographic optimisation, and six levels between its ends, each going on from the last vertex where that is quicker. Beside it, what one would write with
linopy: the two single optima, then for each of 8 levels the model built anew with one more row and handed to HiGHS. The answer is the cost of the point in
the middle of the emissions' range. Each runs in a process of its own, whose peak memory is shown.
"""

from __future__ import annotations

import sys
import time
from typing import Any

import numpy as np
from _harness import contend, report, table
from _plan_case import PROVINCES, SMALL, provinces

POINTS = 8
SIZES = {"small": SMALL, "provinces": PROVINCES}
CONTENDERS = {"hinterland.pareto": "hinterland", "linopy, built anew for each point": "linopy"}


def ours(case: Any) -> tuple[float, float, str]:
    import hinterland as hl

    problem = hl.read_problem(case)
    started, processor = time.perf_counter(), time.process_time()
    front = hl.pareto(problem, ["cost", "emissions"], points=POINTS)
    seconds, processor = time.perf_counter() - started, time.process_time() - processor
    found = front.front.sort("emissions")
    middle = float(np.interp(_middle(front.payoff), found["emissions"], found["cost"]))
    columns = front.model.program.shape[1]
    solved = ", ".join(f"{s:.1f}" for s in front.solves["seconds"].drop_nulls())
    return (
        seconds,
        middle,
        f"{columns} columns, {seconds / POINTS:.2f} s a point, {processor:.1f} processor s (solves {solved} s), penalty {front.penalty:.3g}",
    )


def _middle(payoff: Any) -> float:
    values = payoff.filter(payoff["objective"] == "emissions")["value"]
    return float((values.min() + values.max()) / 2)


def anew(case: Any) -> tuple[float, float, str]:
    import hinterland as hl

    problem = hl.read_problem(case)
    started, processor = time.perf_counter(), time.process_time()
    worst, best = (_emissions(_solved(problem, aim, None)) for aim in ("cost", "emissions"))
    points = []
    for level in np.linspace(worst, best + 1e-6 * (worst - best), POINTS):
        model = _solved(problem, "cost", float(level))
        points.append((_emissions(model), float(model.objective.value)))
    seconds, processor = time.perf_counter() - started, time.process_time() - processor
    emissions, cost = np.array(sorted(points)).T
    return seconds, float(np.interp((worst + best) / 2, emissions, cost)), f"{seconds / POINTS:.2f} s a point, {processor:.1f} processor s"


def _solved(problem: Any, aim: str, most: float | None) -> Any:
    """The model built and solved, with a row for emissions."""
    from hinterland.plan.model import build, strict

    with strict():
        model = build(problem.with_settings(objective=aim), keep=True).linopy
        if model is None:
            raise RuntimeError("linopy's model was not kept")
        if most is not None:
            model.add_constraints(model.variables["use:carbon"].sum(), "<=", most, name="level")
        model.solve("highs", io_api="direct", output_flag=False)
    return model


def _emissions(model: Any) -> float:
    return float(model.variables["use:carbon"].solution.sum())


if __name__ == "__main__":
    size = next((a for a in sys.argv[1:] if a in SIZES), "small")
    if "--only" in sys.argv:
        name = sys.argv[sys.argv.index("--only") + 1]
        report(name, *(ours if name == "hinterland.pareto" else anew)(provinces(SIZES[size])))
    else:
        kept = CONTENDERS if size == "small" or "--all" in sys.argv else dict(list(CONTENDERS.items())[:1])
        table(f"Front of {POINTS} points, {size}", contend(__file__, kept, size), "hinterland.pareto")
