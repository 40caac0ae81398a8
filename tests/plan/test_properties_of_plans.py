"""What must hold of every plan: optimality checked by other means, and invariance to units, order, names and scale of what is said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest
import scipy.sparse as sp
from cases import every, tiny
from golden_cases import GOLDEN
from scipy.optimize import linprog

from hinterland.errors import InputError, SolverError
from hinterland.plan import solve as solving
from hinterland.plan.case import read_problem
from hinterland.plan.constraints import FAMILIES
from hinterland.plan.entry import plan, plan_of
from hinterland.plan.model import build
from hinterland.plan.program import Program, residuals
from hinterland.plan.result import Plan
from hinterland.plan.schema import columns_of, parameters
from hinterland.plan.settings import OBJECTIVES
from hinterland.plan.solve import Attempt, Solution, SolverOptions, solve
from hinterland.plan.validate import validate

Case = dict[str, pl.DataFrame]


def small(**changes: Any) -> Program:
    """min x + 2 y, where x + y ≥ 3, 0 ≤ x ≤ 2, y ≥ 0: x = 2, y = 1, value 4; the row's dual is 2, the reduced cost of x is −1."""
    arrays: dict[str, Any] = {
        "cost": np.array([1.0, 2.0]),
        "matrix": sp.csr_array(np.array([[1.0, 1.0]])),
        "row_lower": np.array([3.0]),
        "row_upper": np.array([np.inf]),
        "lower": np.zeros(2),
        "upper": np.array([2.0, np.inf]),
        "integral": np.zeros(2, dtype=bool),
        "constant": 0.0,
        "columns": {"x": (0, 1, (1,)), "y": (1, 2, (1,))},
        "rows": {"r": (0, 1, (1,))},
        "objectives": {"cost": np.array([1.0, 2.0])},
        "penalty": np.zeros(2),
    }
    return Program(**{**arrays, **changes})


# ------------------------------------------------------------------------------------------------------------------- optimality


def test_residuals_of_an_optimum_are_none() -> None:
    found = residuals(small(), np.array([2.0, 1.0]), np.array([2.0]))
    assert (found.primal, found.dual, found.gap, found.integral) == (0.0, 0.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("x", "y", "expected"),
    [
        # x + y = 2.5 misses 3 by 0.5, over 1 + 2.5; the value 3 lies below the bound 4 by 1, over 1 + 3
        ([2.0, 0.5], [2.0], (0.5 / 3.5, 0.0, -1 / 4)),
        # x = 2.2 exceeds 2 by 0.2, over 1 + 2; value 3.8
        ([2.2, 0.8], [2.0], (0.2 / 3, 0.0, -0.2 / 4.8)),
        # the dual 1 bounds by 3: 1 below the value 4
        ([2.0, 1.0], [1.0], (0.0, 0.0, 1 / 5)),
        # the dual 3 lets y, which has no upper bound, have the reduced cost −1, over 1 + 2; the bound is 9 − 2 × 2 = 5
        ([2.0, 1.0], [3.0], (0.0, 1 / 3, -1 / 5)),
        # a negative dual points at an upper side that is not there
        ([2.0, 1.0], [-0.5], (0.0, 0.5, 4 / 5)),
    ],
)
def test_residuals_of_what_is_no_optimum_are_as_large_as_it_is_wrong(
    x: list[float], y: list[float], expected: tuple[float, float, float]
) -> None:
    found = residuals(small(), np.array(x), np.array(y))
    assert (found.primal, found.dual, found.gap) == pytest.approx(expected)


def lagrangian(p: Program, y: np.ndarray) -> float:
    """The bound of weak duality, term by term: min over each row's activity of y·a and over each column of its reduced cost."""
    reduced = p.cost - p.matrix.T @ y
    total = 0.0
    for dual, low, high in zip(y, p.row_lower, p.row_upper, strict=True):
        if abs(dual) > 1e-9:
            total += dual * (low if dual > 0 else high)
    for rate, low, high in zip(reduced, p.lower, p.upper, strict=True):
        if abs(rate) > 1e-7:
            total += rate * (low if rate > 0 else high)
    return total


@pytest.mark.parametrize("objective", ["cost", "value-added", "equity"])
def test_the_optimum_is_that_of_another_interface_and_its_duals_prove_it(tiny_problem: Any, objective: str) -> None:
    """scipy's linprog takes the arrays by another way; the Lagrangian bound is summed here a second time."""
    program = build(tiny_problem).program.aimed_at(objective)
    found = solve(program)
    equal = program.row_lower == program.row_upper
    dense = program.matrix.toarray()
    above = np.isfinite(program.row_lower) & ~equal
    below = np.isfinite(program.row_upper) & ~equal
    other = linprog(
        program.cost,
        A_ub=np.vstack([dense[below], -dense[above]]),
        b_ub=np.concatenate([program.row_upper[below], -program.row_lower[above]]),
        A_eq=dense[equal],
        b_eq=program.row_lower[equal],
        bounds=np.column_stack([program.lower, program.upper]),
        method="highs-ipm",
    )
    assert other.status == 0
    assert found.objective == pytest.approx(other.fun, rel=1e-8)
    assert found.y is not None
    assert lagrangian(program, found.y) == pytest.approx(found.objective, rel=1e-8)
    assert max(found.residuals.primal, found.residuals.dual, abs(found.residuals.gap)) < 1e-7


@pytest.mark.parametrize("method", ["simplex", "ipx", "hipo"])
def test_every_method_reaches_the_same_optimum(every_plan: Plan, method: Any) -> None:
    program = every_plan.model.program.aimed_at("cost").relaxed()
    found = solve(program, SolverOptions(method=method))
    assert found.solver == method
    assert found.status == "optimal"
    assert found.objective == pytest.approx(solve(program).objective, rel=1e-7)
    assert max(found.residuals.primal, found.residuals.dual, abs(found.residuals.gap)) < 1e-6


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_a_whole_plan_reports_its_gap_and_bound(every_problem: Any, every_plan: Plan, objective: str) -> None:
    found = plan(every_problem, objective, model=every_plan.model, options=SolverOptions(gap=1e-4))
    assert found.status == "optimal"
    assert 0 <= found.gap <= 1e-4
    assert found.solver["gap"] == found.gap
    assert found.solver["bound"] <= found.solver["objective"] + 1e-9
    assert found.solver["integrality"] < 1e-6
    assert found.solver["primal_residual"] < 1e-6


def test_each_objective_is_best_where_it_is_aimed_at(every_problem: Any, every_plan: Plan) -> None:
    """With what falls short: no plan that aims at something else has a better sum of the two."""
    made = {o: plan(every_problem, o, model=every_plan.model, options=SolverOptions(gap=1e-6)) for o in OBJECTIVES}

    def value(p: Plan, aim: str) -> float:
        row = {r["objective"]: r for r in p.objectives.iter_rows(named=True)}
        return float(row[aim]["value"] * (1 if row[aim]["better"] == "less" else -1) + row["shortfall"]["value"])

    for aim in OBJECTIVES:
        best = value(made[aim], aim)
        assert all(best <= value(other, aim) + 1e-4 * (1 + abs(best)) for other in made.values()), aim


# ------------------------------------------------------------------------------------------------------------------- invariance


def same(one: Program, other: Program) -> bool:
    """Whether two programmes are the same, array by array."""
    arrays = ("cost", "row_lower", "row_upper", "lower", "upper", "integral", "penalty")
    return (
        one.rows == other.rows
        and one.columns == other.columns
        and all(np.allclose(getattr(one, n), getattr(other, n), rtol=1e-12, atol=1e-12) for n in arrays)
        and abs(one.matrix - other.matrix).max() < 1e-12
    )


def test_the_order_of_rows_and_columns_of_tables_does_not_matter(every_plan: Plan) -> None:
    shuffled = {
        name: frame.sample(fraction=1.0, shuffle=True, seed=3).select(frame.columns[::-1]) for name, frame in reversed(every().items())
    }
    assert same(build(read_problem(shuffled)).program, every_plan.model.program)


MONEY = {"100m-yuan": ("10k-yuan", 1e4), "10k-person": ("person", 1e4)}


def in_other_units(case: Case) -> tuple[Case, dict[str, str]]:
    """Every column in 100m yuan given in 10k yuan, every column of people in persons."""
    units, out = {}, dict(case)
    for name, frame in case.items():
        for column, spec in columns_of(name).items():
            if column in frame.columns and spec.kind == "number" and spec.unit in MONEY:
                other, factor = MONEY[spec.unit]
                units[spec.name] = other
                out[name] = out[name].with_columns(pl.col(column) * factor)
    return out, units


def test_the_unit_in_which_columns_are_given_does_not_matter(every_plan: Plan) -> None:
    case, units = in_other_units(every())
    assert {"capacity", "demand", "trade", "absorption", "labour", "population", "levy"} <= set(units)
    assert same(build(read_problem(case, units=units)).program, every_plan.model.program)


PLACES = ("region", "other", "origin", "destination", "source", "host", "industry", "using")


def renamed(case: Case, names: Mapping[str, str]) -> Case:
    """A case in which regions and industries have other names, wherever they are labels."""
    return {
        table: frame.with_columns(pl.col(c).replace(dict(names)) for c in PLACES if frame.schema.get(c) == pl.String)
        for table, frame in case.items()
    }


def test_names_do_not_matter(every_plan: Plan) -> None:
    """Regions and industries under names whose order is the reverse: the same optimum, and the same plan under the new names."""
    names = {"east": "c-east", "hill": "b-hill", "plain": "a-plain", "chips": "z-chips", "cloth": "y-cloth", "power": "x-power"}
    found = plan(read_problem(renamed(every(), names)), options=SolverOptions(gap=1e-9))
    before = plan(read_problem(every()), options=SolverOptions(gap=1e-9), model=every_plan.model)
    assert found.solver["objective"] == pytest.approx(before.solver["objective"], rel=1e-8)
    assert sorted(before.flows["value"].to_list()) == pytest.approx(sorted(found.flows["value"].to_list()), abs=1e-5)
    moved = {(r["source"], r["host"], r["industry"], r["year"]): r["value"] for r in found.flows.iter_rows(named=True)}
    for row in before.flows.iter_rows(named=True):
        key = (names[row["source"]], names[row["host"]], names[row["industry"]], row["year"])
        assert moved[key] == pytest.approx(row["value"], abs=1e-5)


def test_an_economy_a_thousand_times_as_large_has_a_plan_a_thousand_times_as_large() -> None:
    """Every amount of money grows; shares, prices and costs a unit stay."""
    case = tiny()
    for table, column in (("cells", "capacity"), ("demand", "demand"), ("routes", "flow")):
        case[table] = case[table].with_columns(pl.col(column) * 1000)
    one, thousand = plan(read_problem(tiny())), plan(read_problem(case))
    assert thousand.solver["objective"] == pytest.approx(1000 * one.solver["objective"], rel=1e-9)
    assert thousand.flows["value"].to_list() == pytest.approx([1000 * v for v in one.flows["value"].to_list()])
    assert thousand.duals.filter(pl.col("constraint") == "balance")["value"].to_list() == pytest.approx(
        one.duals.filter(pl.col("constraint") == "balance")["value"].to_list()
    )


# ----------------------------------------------------------------------------------------------------------------- leaving out

SWITCHED = [f.id for f in FAMILIES if not f.kept or f.id == "C7"]


@pytest.mark.parametrize("family", SWITCHED)
def test_without_a_family_its_rows_are_gone_and_no_plan_is_worse(family: str) -> None:
    """In the case cut to the family. Use of resources (C7) is accounting and stays; with agreements (C11) goes what they share (C12).

    Agglomeration (C13) saves, so that without it a plan may cost more by what it saved, and no more.
    """
    golden = GOLDEN[family]
    on, off = (build(read_problem(golden.case(), settings={**golden.settings, "off": left})) for left in ((), (family,)))
    gone = {n for n, row in on.rows.items() if row.family == family and not n.startswith("use:")}
    others = {n for n, row in on.rows.items() if row.family != family or n.startswith("use:")}
    assert gone
    assert others - set(off.rows) == ({n for n, row in on.rows.items() if row.family == "C12"} if family == "C11" else set())
    with_it, without = (solve(m.program.aimed_at("cost"), SolverOptions(gap=1e-9)) for m in (on, off))
    saved = float(on.costs["agglomeration"] @ with_it.x) if family == "C13" else 0.0
    assert without.objective <= with_it.objective - saved + 1e-6


def test_all_families_that_can_be_left_out_can_be_left_out_together() -> None:
    made = plan(read_problem(every(), settings={"off": tuple(SWITCHED)}))
    assert {row.family for row in made.model.rows.values()} == {"C2", "C3", "C4", "C7", "objective"}
    assert validate(made).height == 0
    note = next(n for n in made.notes if n.code == "plan-off")
    assert all(family in note.text("en") for family in SWITCHED)


# ---------------------------------------------------------------------------------------------------------- how it was answered


def test_a_method_that_answers_by_another_one_is_an_error(tiny_problem: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a HiGHS without HiPO would: asked for an interior point it goes on with simplex, and says so in its log at most."""
    program = build(tiny_problem).program.aimed_at("cost")
    real = solving._options

    def simplex(method: str, options: SolverOptions) -> dict[str, object]:
        return {**real(method, options), "solver": "simplex", "presolve": "off"}

    monkeypatch.setattr(solving, "_options", simplex)
    with pytest.raises(SolverError, match="asked for hipo and answered with another solver"):
        solve(program, SolverOptions(method="hipo"))


@pytest.mark.parametrize("line", ["HiPO not available, using IPX instead", "WARNING: Falling back to simplex", "Switching to IPX"])
def test_a_line_of_the_log_that_tells_of_another_solver_is_an_error(line: str) -> None:
    class Info:
        ipm_iteration_count, simplex_iteration_count, crossover_iteration_count = 10, 0, 0

    solving._fail_if_fallen_back("hipo", ["Solving the presolved LP"], Info())
    with pytest.raises(SolverError, match="another solver"):
        solving._fail_if_fallen_back("hipo", ["Solving the presolved LP", line], Info())


def test_a_method_that_is_not_there_is_an_error(tiny_problem: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import highspy

    real = highspy.Highs.setOptionValue

    def refuse(self: Any, name: str, value: object) -> Any:
        return highspy.HighsStatus.kError if value == "hipo" else real(self, name, value)

    monkeypatch.setattr(highspy.Highs, "setOptionValue", refuse)
    with pytest.raises(InputError, match="install highspy-extras"):
        plan(tiny_problem, options=SolverOptions(method="hipo"))


def answered(status: Any, method: str, objective: float = 1.0) -> Solution:
    """A solution of one attempt."""
    empty = residuals(small(), np.array([2.0, 1.0]), None)
    return Solution(status, np.array([2.0, 1.0]), None, objective, np.nan, np.nan, empty, (Attempt(method, status, 0.1, 1),), "1", True)


@pytest.mark.parametrize(
    ("answers", "tried", "status", "solver"),
    [
        (["optimal"], ["simplex"], "optimal", "simplex"),
        (["unknown", "optimal"], ["simplex", "ipx"], "optimal", "ipx"),
        (["feasible", "unknown"], ["simplex", "ipx"], "feasible", "simplex"),
        (["infeasible"], ["simplex"], "infeasible", "simplex"),
    ],
)
def test_the_ladder_is_climbed_until_there_is_an_answer_and_each_step_is_recorded(
    monkeypatch: pytest.MonkeyPatch, answers: list[str], tried: list[str], status: str, solver: str
) -> None:
    left = iter(answers)
    monkeypatch.setattr(solving, "_attempt", lambda program, method, options: answered(next(left), method))
    found = solve(small())
    assert [a.method for a in found.attempts] == tried
    assert [a.status for a in found.attempts] == answers
    assert (found.status, found.solver) == (status, solver)


def test_without_an_answer_from_any_solver_there_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(solving, "_attempt", lambda program, method, options: answered("unknown", method))
    with pytest.raises(SolverError, match=r"simplex \(0 s\), ipx \(0 s\); raise time_limit"):
        solve(small())


def test_large_programmes_begin_with_an_interior_point(tiny_problem: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(solving, "SMALL", 10)
    monkeypatch.setattr(solving, "SPARSE", 20)
    found = plan(tiny_problem)
    assert [a["method"] for a in found.solver["attempts"]] == ["hipo"]
    assert found.solver["vertex"]


def test_programmes_whose_columns_have_few_entries_try_the_simplex_method_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    """Then an interior point with all the time that there is; no more than was asked for in any case."""
    asked: list[tuple[str, float]] = []

    def attempt(program: Any, method: str, options: SolverOptions) -> Solution:
        asked.append((method, options.time_limit))
        return answered("optimal" if method == "hipo" else "unknown", method)

    monkeypatch.setattr(solving, "_attempt", attempt)
    monkeypatch.setattr(solving, "SMALL", 0)
    assert solve(small()).solver == "hipo"
    assert asked == [("simplex", solving.TRIAL), ("hipo", 3600.0)]
    asked.clear()
    solve(small(), SolverOptions(time_limit=30.0))
    assert asked == [("simplex", 30.0), ("hipo", 30.0)]


def test_a_plan_that_time_cut_short_says_how_far_it_may_be_from_the_best(every_plan: Plan) -> None:
    """A bound that is known, and none."""
    short = replace(every_plan.solution, status="feasible", gap=0.03)
    made = plan_of(every_plan.model, short)
    assert made.status == "feasible"
    assert "3.00%" in next(n for n in made.notes if n.code == "plan-not-proven").text("en")
    unknown = plan_of(every_plan.model, replace(short, gap=float("nan")))
    assert [n.code for n in unknown.notes if n.code in ("plan-not-proven", "plan-without-bound")] == ["plan-without-bound"]


def test_an_interior_point_without_crossover_says_so(tiny_problem: Any) -> None:
    found = plan(tiny_problem, options=SolverOptions(method="ipx", crossover=False))
    assert not found.solver["vertex"]
    assert any(n.code == "plan-interior" for n in found.notes)


def test_no_answer_in_no_time_is_an_error(every_plan: Plan) -> None:
    with pytest.raises(SolverError, match="no solver reached an end"):
        solve(every_plan.model.program.aimed_at("cost").relaxed(), SolverOptions(time_limit=0.0))


def test_units_of_every_parameter_are_units() -> None:
    from hinterland.units import conversion

    for spec in parameters().values():
        if spec.unit in MONEY:
            assert conversion(MONEY[spec.unit][0], spec.unit) == pytest.approx(1 / MONEY[spec.unit][1])
