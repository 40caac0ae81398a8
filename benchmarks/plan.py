"""Planning: read, build and solve, beside the same programme in plain linopy (dense labelled arrays, as PyPSA writes models) and in Pyomo.

Run: ``python benchmarks/plan.py [--large] [--full] [--again] [--cities N]``. By default some 16 thousand columns, where Pyomo is feasible too; ``--large`` is the core of
provinces at 0.3 million columns without Pyomo; ``--full`` ours alone with every family; ``--again`` builds the small case again with five
parameters changed in turn, as derivatives need it; ``--cities N`` column generation with N industries of 293 cities.

Each contender gets the arrays of one problem. *Build* ends when HiGHS holds the programme; *solve* is HiGHS with the same options. The answer is the objective,
which must agree within 1e-6.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from _harness import contend, report, table
from _plan_case import PROVINCES, SMALL, Cities, Size, cities, provinces
from _plan_peers import data, linopy_model, pyomo_model

SIZES = {"small": SMALL, "core": replace(PROVINCES, full=False), "full": PROVINCES}
OPTIONS = {
    "small": {"solver": "simplex"},
    "core": {"solver": "ipx", "run_crossover": "off"},
    "full": {"solver": "ipx", "run_crossover": "off"},
}


def _timed(name: str, build: Callable[[], Any], solve: Callable[[Any], float], remark: str = "") -> None:
    """Build and solve, CPU seconds each; what is reported is the build."""
    start, cpu = time.perf_counter(), time.process_time()
    made = build()
    built, built_cpu = time.perf_counter() - start, time.process_time() - cpu
    start, cpu = time.perf_counter(), time.process_time()
    value = solve(made)
    wall, solved = time.perf_counter() - start, time.process_time() - cpu
    report(name, built_cpu, value, f"{remark}build {built:.2f} s wall; solve {solved:.2f} CPU s, {wall:.2f} s wall")


def _options(size: str) -> dict[str, Any]:
    return {**OPTIONS[size], "threads": 2}


def _run(solver: Any, options: dict[str, Any]) -> float:
    solver.setOptionValue("output_flag", False)
    for name, value in options.items():
        solver.setOptionValue(name, value)
    solver.run()
    return float(solver.getInfo().objective_function_value)


def hinterland(size: str) -> None:
    import hinterland as hl
    from hinterland.plan.model import build
    from hinterland.plan.solve import opened

    start = time.process_time()
    case = provinces(SIZES[size])
    made, start = time.process_time() - start, time.process_time()
    problem = hl.read_problem(case)
    read = time.process_time() - start
    build(hl.read_problem(provinces(Size(4, 1, 2, 3, 2, full=False))))
    model = build(problem)
    m, n = model.program.shape
    _timed(
        f"hinterland {size}",
        lambda: opened(build(problem).program)[0],
        lambda s: _run(s, _options(size)),
        f"{n:,} columns, {m:,} rows; case {made:.2f}, read {read:.2f} CPU s; ",
    )


def plain_linopy(size: str) -> None:
    import linopy

    import hinterland as hl

    linopy.options.set_value(semantics="v1")
    d = data(hl.read_problem(provinces(SIZES[size])))
    linopy_model(data(hl.read_problem(provinces(Size(4, 1, 2, 3, 2, full=False)))))

    def build() -> Any:
        from linopy.io import to_highspy

        return to_highspy(linopy_model(d))

    _timed(f"linopy, dense {size}", build, lambda s: _run(s, _options(size)))


def pyomo(size: str) -> None:
    import pyomo.environ as po
    from pyomo.contrib.appsi.solvers import Highs

    import hinterland as hl

    d = data(hl.read_problem(provinces(SIZES[size])))

    def build() -> Any:
        model, solver = pyomo_model(d), Highs()
        solver.set_instance(model)
        return model, solver

    def solve(made: Any) -> float:
        model, solver = made
        solver.highs_options = _options(size)
        solver.solve(model)
        return float(po.value(model.cost))

    _timed(f"Pyomo {size}", build, solve)


AGAIN = ("capex", "operating_cost", "demand", "coefficient", "capacity")
"""Parameters that are changed in turn: read by one part of the cost, or by half of the model."""


def again(like: bool) -> None:
    """Build anew or again with each of a few parameters a little larger; the answer is the sum of all coefficients of cost."""
    import hinterland as hl
    from hinterland.plan.model import build
    from hinterland.plan.scaling import scaled

    problem = hl.read_problem(provinces(SMALL))
    first = build(problem)
    changed = [scaled(problem, name, 1.0001) for name in AGAIN]
    start = time.process_time()
    made = [build(p, like=first if like else None) for p in changed]
    seconds = time.process_time() - start
    answer = sum(float(m.program.cost.sum() + m.program.matrix.sum()) for m in made)
    report("built again" if like else "built anew", seconds, answer, f"{first.program.shape[1]:,} columns, {len(AGAIN)} parameters; ")


def again_linopy() -> None:
    """Plain linopy has no way to build a part again: the same programme is built whole."""
    import linopy

    import hinterland as hl
    from hinterland.plan.scaling import scaled

    linopy.options.set_value(semantics="v1")
    problem = hl.read_problem(provinces(SMALL))
    given = [data(scaled(problem, name, 1.0001)) for name in AGAIN]
    linopy_model(given[0])
    start = time.process_time()
    for d in given:
        linopy_model(d)
    report("linopy, dense, anew", time.process_time() - start, float("nan"))


def by_columns(industries: int) -> None:
    import hinterland as hl
    from hinterland.plan.columns import Generation, solve_by_columns
    from hinterland.plan.solve import SolverOptions

    start, wall = time.process_time(), time.perf_counter()
    problem = hl.read_problem(cities(Cities(industries=industries)))
    how = Generation(hosts=3, per_cell=4, tolerance=1e-5, gap=1e-6, rounds=12)
    found = solve_by_columns(problem, generation=how, options=SolverOptions(crossover=False, threads=2, time_limit=7200))
    for row in found.history.iter_rows(named=True):
        print(row, file=sys.stderr)
    c = found.certificate
    remark = (
        f"{c.arc_years:,} arc-years priced, {c.arcs - c.excluded:,} arcs in, least {c.minimum:.1e}, gap {c.gap:.1e}, {c.rounds} rounds, "
    )
    report(f"cities {industries}", time.process_time() - start, c.objective, remark + f"{time.perf_counter() - wall:.0f} s wall")


RUNS: dict[str, Callable[[], None]] = {
    f"{name} {size}": (lambda call=call, size=size: call(size))
    for size in SIZES
    for name, call in (("hinterland", hinterland), ("linopy, dense", plain_linopy), ("Pyomo", pyomo))
}


RUNS |= {"built again": lambda: again(True), "built anew": lambda: again(False), "linopy, dense, anew": again_linopy}


def main() -> None:
    if "--only" in sys.argv:
        RUNS[sys.argv[sys.argv.index("--only") + 1]]()
        return
    if "--cities" in sys.argv:
        by_columns(int(sys.argv[sys.argv.index("--cities") + 1]))
        return
    if "--again" in sys.argv:
        modules = {"built again": "hinterland", "built anew": "hinterland", "linopy, dense, anew": "linopy"}
        table(f"Planning, {len(AGAIN)} parameters changed in turn: CPU seconds", contend(__file__, modules), "built again")
        return
    size = "full" if "--full" in sys.argv else "core" if "--large" in sys.argv else "small"
    modules = {"full": {}, "core": {"linopy, dense core": "linopy"}, "small": {"linopy, dense small": "linopy", "Pyomo small": "pyomo"}}[
        size
    ]
    results = contend(__file__, {f"hinterland {size}": "hinterland", **modules})
    table(f"Planning, {size}: CPU seconds to build; the answer is the objective", results, f"hinterland {size}")
    apart = [r.name for r in results if abs(r.answer / results[0].answer - 1) > 1e-6]
    print(f"objectives agree within 1e-6: {'yes' if not apart else 'no: ' + ', '.join(apart)}")


if __name__ == "__main__":
    main()
