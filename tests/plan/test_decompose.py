"""A plan taken apart by industry ends where the whole ends, and its bound holds in every round."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import scipy.sparse as sp
from tests.plan.cases import every
from tests.plan.scale_cases import Case, scattered

import hinterland as hl
from hinterland.errors import SolverError
from hinterland.plan.columns import FEW, Generation, solve_by_columns
from hinterland.plan.model import build
from hinterland.plan.parts import industries_of_columns, share_of_ties, taken_apart
from hinterland.plan.solve import SolverOptions
from hinterland.plan.subproblem import Limits, Subproblem, Whole
from hinterland.plan.validate import validate

APART = Generation(hosts=1, per_cell=1, tolerance=1e-9, gap=0.0, apart=True)


def separate(seed: int, **size: int) -> Case:
    """Industries that use nothing of each other, but the same workers, of whom hosts have few; what is made at home is not enough."""
    case = scattered(seed, **size)
    del case["inputs"]
    case["demand"] = case["demand"].with_columns(pl.col("demand") * 1.4)
    few = pl.when(pl.col("region").str.starts_with("h")).then(0.5).otherwise(1.0)
    case["labour"] = case["labour"].with_columns(supply=pl.col("supply") * few)
    return case


def scattered_apart(seed: int) -> Case:
    """Four industries whose demand is not met without moves and new plants: what is short is dear, and the first prices with it."""
    case = scattered(seed, industries=4, sources=6, hosts=4)
    del case["inputs"]
    return case


@pytest.mark.parametrize(("seed", "industries"), [(0, 2), (0, 4), (1, 4)])
def test_parts_reach_the_optimum_of_the_whole(seed: int, industries: int) -> None:
    """The model with every arc and every industry, solved at once, is the oracle; its labour binds, so that prices matter."""
    problem = hl.read_problem(separate(seed, industries=industries, sources=5))
    whole = hl.plan(problem)
    assert whole.duals.filter(pl.col("family") == "C6").height > 0
    found = solve_by_columns(problem, generation=APART)
    c = found.certificate
    assert found.plan.solution.objective == pytest.approx(whole.solution.objective, rel=1e-9)
    assert c.bound == pytest.approx(whole.solution.objective, rel=1e-7)
    assert c.bound <= whole.solution.objective * (1 + 1e-9)
    assert c.complete
    assert c.excluded == c.arcs - int(found.inside.sum()) > 0
    assert c.dual_residual < 1e-9
    assert found.plan.solution.residuals.primal < 1e-8
    assert validate(found.plan).height == 0


def test_goods_that_industries_use_of_each_other_may_tie_as_well() -> None:
    """Prices of all goods: slower, and the same optimum."""
    problem = hl.read_problem(scattered(1))
    apart = taken_apart(build(problem))
    assert len(apart.parts) == 2
    assert share_of_ties(apart, build(problem).program) > FEW
    found = solve_by_columns(problem, generation=APART)
    assert found.plan.solution.objective == pytest.approx(hl.plan(problem).solution.objective, rel=1e-9)
    assert found.certificate.complete


@pytest.mark.parametrize("seed", range(2))
def test_each_round_is_bounded(seed: int) -> None:
    problem = hl.read_problem(separate(seed, sources=6, hosts=4, industries=3))
    whole = hl.plan(problem).solution.objective
    history = solve_by_columns(problem, generation=APART).history
    assert (history["bound"] <= whole * (1 + 1e-9)).all()
    assert (history["objective"] >= whole * (1 - 1e-9)).all()
    assert history["objective"].is_sorted(descending=True)
    assert history["bound"].is_sorted()
    first = solve_by_columns(problem, generation=replace(APART, rounds=1))
    assert first.history.height == 1
    assert first.history["objective"][0] == pytest.approx(history["objective"][0])
    assert first.certificate.complete == (history.height == 1)
    assert first.certificate.bound <= whole * (1 + 1e-9)


def test_how_rounds_ended_is_told() -> None:
    """One round leaves no bound here, since parts are endless at the first prices; a few leave a bound that the plan has not met; all prove it."""
    problem = hl.read_problem(scattered_apart(1))
    whole = hl.plan(problem).solution.objective
    told = {n: solve_by_columns(problem, generation=replace(APART, tolerance=1e-6, rounds=n)).plan for n in (1, 6, 30)}
    assert [p.notes[-1].code for p in told.values()] == ["plan-columns-unbounded", "plan-parts-stopped", "plan-certified"]
    assert told[1].gap == np.inf
    assert 1e-3 < told[6].gap < 0.1
    assert told[6].solver["bound"] < whole < told[6].solver["objective"]
    assert told[30].gap < 1e-9
    for n, plan in told.items():
        assert f"{n if n < 30 else plan.solver['rounds']}" in plan.explain("zh")[-1]
        assert "rounds" in plan.explain("en")[-1]


def test_threads_change_nothing() -> None:
    """One process may ask for one number of threads and then for another."""
    problem = hl.read_problem(separate(2, industries=4))
    one, two = (solve_by_columns(problem, generation=APART, options=SolverOptions(threads=n)) for n in (1, 2))
    assert np.array_equal(one.plan.solution.x, two.plan.solution.x)
    assert one.history.drop("seconds_solve", "seconds_parts", "seconds_all").equals(
        two.history.drop("seconds_solve", "seconds_parts", "seconds_all")
    )


@pytest.mark.parametrize("method", ["ipx", "hipo"])
def test_the_master_may_be_solved_by_an_interior_point(method: str) -> None:
    problem = hl.read_problem(separate(3))
    options = SolverOptions(method=method, crossover=False)  # type: ignore[arg-type]
    found = solve_by_columns(problem, generation=replace(APART, tolerance=1e-6, gap=1e-6), options=options)
    assert found.plan.solution.objective == pytest.approx(hl.plan(problem).solution.objective, rel=2e-6)
    assert found.certificate.complete


def test_observed_years_and_other_objectives() -> None:
    """What was moved in an observed year is in no part's hands, and other aims do not count what moves cost."""
    case = separate(4)
    observed = [{"source": "s0", "host": "h1", "industry": "g0", "year": 2026, "flow": 3.0}]
    case["years"] = case["years"].with_columns(observed=pl.col("year") == 2026)
    case["moves"] = pl.DataFrame(observed)
    problem = hl.read_problem(case)
    for objective in ("cost", "value-added"):
        whole = hl.plan(problem, objective)
        found = solve_by_columns(problem, objective, generation=APART)
        assert found.plan.solution.objective == pytest.approx(whole.solution.objective, rel=1e-8)
        assert found.certificate.complete
        seen = found.plan.flows.filter(pl.col("year") == 2026)
        assert seen["value"].to_list() == [3.0]


def test_every_entry_is_in_its_part_or_ties() -> None:
    """The matrix in the order of the parts is block-diagonal but for the rows that tie; every column and row is in one place."""
    made = build(hl.read_problem(separate(0, industries=3)))
    apart, matrix = taken_apart(made), sp.csc_array(made.program.matrix)
    assert len(apart.parts) == 3
    start, end, _ = made.program.columns["move"]
    columns = np.concatenate([p.columns for p in apart.parts] + [apart.own, np.arange(start, end)])
    rows = np.concatenate([p.rows for p in apart.parts] + [apart.ties])
    assert np.array_equal(np.sort(columns), np.arange(made.program.shape[1]))
    assert np.array_equal(np.sort(rows), np.arange(made.program.shape[0]))
    for part in apart.parts:
        elsewhere = np.setdiff1d(np.arange(matrix.shape[0]), np.concatenate([part.rows, apart.ties]))
        assert matrix[:, part.columns][elsewhere].nnz == 0
        assert len(np.unique(industries_of_columns(made)[part.columns].clip(min=0))) >= 1
    assert matrix[:, apart.own][np.concatenate([p.rows for p in apart.parts])].nnz == 0


def test_one_industry_cannot_be_taken_apart() -> None:
    problem = hl.read_problem(separate(0, industries=1))
    assert len(taken_apart(build(problem)).parts) == 1
    found = solve_by_columns(problem, generation=replace(APART, tolerance=1e-7))
    assert found.plan.solution.objective == pytest.approx(hl.plan(problem).solution.objective, rel=1e-7)


@pytest.mark.parametrize("floor", [0.5, 1.5])
def test_floors_may_make_a_part_endless_at_some_prices(floor: float) -> None:
    """Where jobs are short, the first prices pay more for a job than a plant costs; what an endless part would build enters, and the prices fall."""
    case = separate(1)
    hosts = ["h0", "h1", "h2"]
    people = case["labour"].filter(pl.col("region").is_in(hosts))["supply"]
    case["jobs"] = pl.DataFrame({"region": hosts, "floor": people * floor})
    problem = hl.read_problem(case)
    found = solve_by_columns(problem, generation=APART)
    assert found.plan.solution.objective == pytest.approx(hl.plan(problem).solution.objective, rel=1e-9)
    assert found.certificate.complete
    assert found.certificate.gap < 1e-7


def test_a_direction_without_end_says_what_it_is_made_of() -> None:
    """Paid for every hour of work, the first industry builds and makes more without end, and uses both to do so."""
    problem = hl.read_problem(separate(0))
    made = build(problem)
    apart, program = taken_apart(made), made.program
    none = np.zeros(len(problem.index["arc"]), dtype=bool)
    part = Subproblem(apart.parts[0], Whole(problem, program, apart), none, Limits(1, 1e-9, 0.0, 1, SolverOptions()))
    prices = np.zeros(program.shape[0])
    start, end, _ = program.rows["labour:any"]
    prices[start:end] = 1e6
    endless = part.at(prices[apart.ties])
    assert not endless.bounded
    at = apart.parts[0].columns[endless.used]
    used = {name for name, (a, b, _) in program.columns.items() if ((at >= a) & (at < b)).any()}
    assert {"greenfield", "output"} <= used
    assert part.at(np.zeros(len(apart.ties))).bounded


def test_a_case_with_every_table_but_whole_variables_and_goods_between_industries() -> None:
    """Resources with banks, two skills with training, instruments, budgets, floors, gates, equity: what ties is many and of every kind."""
    case = every()
    for table in ("inputs", "enclaves", "enclave_industries", "agglomeration"):
        case.pop(table, None)
    problem = hl.read_problem(case)
    whole = hl.plan(problem)
    found = solve_by_columns(problem, generation=APART)
    assert found.plan.solution.objective == pytest.approx(whole.solution.objective, rel=1e-8)
    assert found.certificate.complete
    assert validate(found.plan).height == 0


def test_hard_rows_that_contradict_each_other_are_an_error() -> None:
    """A part without a feasible point is the whole's fault as well."""
    case = separate(0)
    case["cells"] = case["cells"].with_columns(greenfield_limit=pl.lit(0.0))
    problem = hl.read_problem(case)
    made = build(problem)
    apart, program = taken_apart(made), made.program
    row = apart.parts[0].rows[0]
    program.row_lower[row], program.row_upper[row] = 1e9, np.inf
    none = np.zeros(len(problem.index["arc"]), dtype=bool)
    part = Subproblem(apart.parts[0], Whole(problem, program, apart), none, Limits(1, 1e-9, 0.0, 1, SolverOptions()))
    with pytest.raises(SolverError, match="Infeasible on its own"):
        part.at(np.zeros(len(apart.ties)))
