"""Column generation ends where the model with every move ends, and says how far it is when it is stopped before."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from tests.plan.cases import every
from tests.plan.scale_cases import scattered

import hinterland as hl
from hinterland.plan.arcs import most_release, with_arcs
from hinterland.plan.certify import duals_of_cells, priced
from hinterland.plan.columns import Generation, solve_by_columns
from hinterland.plan.model import build
from hinterland.plan.moves import with_moves
from hinterland.plan.screen import screened
from hinterland.plan.solve import SolverOptions, solve

EXACT = Generation(hosts=1, per_cell=1, tolerance=1e-9, gap=0.0)


@pytest.mark.parametrize("seed", range(3))
def test_columns_reach_the_optimum_with_every_move(seed: int) -> None:
    """The model with all arcs, solved at once, is the oracle."""
    problem = hl.read_problem(scattered(seed))
    whole = hl.plan(problem)
    found = solve_by_columns(problem, generation=EXACT)
    assert found.plan.solution.objective == pytest.approx(whole.solution.objective, rel=1e-9)
    c = found.certificate
    assert c.complete
    assert c.minimum >= -1e-9
    assert c.bound <= whole.solution.objective * (1 + 1e-9)
    assert c.gap == pytest.approx(0.0, abs=1e-7)
    assert c.arcs == 24
    assert c.excluded == 24 - int(found.inside.sum()) > 0
    assert c.arc_years == sum(2 if lead else 3 for lead in problem.of_cells("lead").values[problem.links["arc.host"]])


@pytest.mark.parametrize("seed", range(3))
def test_a_round_stopped_early_is_bounded(seed: int) -> None:
    """After one round the bound is under the optimum with every move, and the objective over it; each round raises neither."""
    problem = hl.read_problem(scattered(seed, sources=5, hosts=4))
    whole = hl.plan(problem).solution.objective
    for rounds in (1, 2):
        c = solve_by_columns(problem, generation=replace(EXACT, rounds=rounds)).certificate
        assert c.rounds <= rounds
        assert c.bound <= whole * (1 + 1e-9)
        assert c.objective >= whole * (1 - 1e-9)
        assert c.gap == pytest.approx((c.objective - c.bound) / c.objective)


@pytest.mark.parametrize("method", ["ipx", "hipo"])
def test_duals_of_an_interior_point_price_as_well(method: str) -> None:
    problem = hl.read_problem(scattered(3))
    options = SolverOptions(method=method, crossover=False)  # type: ignore[arg-type]
    found = solve_by_columns(problem, generation=replace(EXACT, tolerance=1e-5), options=options)
    whole = hl.plan(problem).solution.objective
    assert found.certificate.complete
    assert found.plan.solution.objective == pytest.approx(whole, rel=1e-6)
    assert found.certificate.bound <= whole * (1 + 1e-9)


def test_no_move_enters_twice() -> None:
    problem = hl.read_problem(scattered(2, sources=6, hosts=5))
    found = solve_by_columns(problem, generation=EXACT)
    arcs = found.history["arcs"].to_list()
    entered = found.history["entered"].to_list()
    assert arcs[1:] == [a + e for a, e in zip(arcs, entered, strict=True)][:-1]
    assert arcs[-1] == int(found.inside.sum())
    assert entered[-1] == 0


def test_reduced_costs_are_those_of_the_model_with_every_move() -> None:
    """Priced in chunks, without the model, against cost − A'y of the model that has them all."""
    problem = hl.read_problem(scattered(1))
    made = build(problem)
    answer = solve(made.program)
    assert answer.y is not None
    reduced = made.program.column("move", made.program.cost - made.program.matrix.T @ answer.y)
    free = made.program.column("move", made.program.upper) > 0
    inside = np.arange(len(reduced)) % 2 == 0
    prices = priced(problem, *duals_of_cells(made.program, answer.y, problem), inside, chunk=5)
    assert prices.minimum == pytest.approx(reduced[~inside][free[~inside]].min(), abs=1e-12)
    assert prices.minimum_kept == pytest.approx(reduced[inside][free[inside]].min(), abs=1e-12)
    assert prices.priced == free.sum()
    assert np.allclose(prices.gain, 0.0, atol=1e-9)


def test_gain_is_what_the_release_could_save() -> None:
    """With duals of −1 on arrivals every move saves 1 less its cost, times what its cell may release."""
    problem = hl.read_problem(scattered(0))
    shape = (len(problem.index["cell"]), len(problem.years))
    none = np.zeros(len(problem.index["arc"]), dtype=bool)
    prices = priced(problem, np.zeros(shape), -np.ones(shape), none, costly=False)
    source, host = problem.links["arc.source"], problem.links["arc.host"]
    years = 3 - problem.of_cells("lead").values[host]
    assert prices.gain == pytest.approx(years * 0.3 * problem["capacity"].values[source])
    assert most_release(problem)[source, 0] == pytest.approx(0.3 * problem["capacity"].values[source])


def test_observed_years_and_other_objectives() -> None:
    """A case with an observed year, and aims that do not count what moves cost."""
    case = scattered(4)
    years = case["years"].with_columns(observed=case["years"]["year"] == 2026)
    problem = hl.read_problem({**case, "years": years})
    for objective in ("cost", "value-added"):
        found = solve_by_columns(problem, objective, generation=EXACT)
        whole = hl.plan(problem, objective).solution.objective
        assert found.plan.solution.objective == pytest.approx(whole, rel=1e-8)
        assert found.certificate.complete


def test_agreements_are_refused() -> None:
    with pytest.raises(hl.InputError, match="agreements"):
        solve_by_columns(hl.read_problem(every()))


def test_the_plan_says_what_was_left_out() -> None:
    problem = hl.read_problem(scattered(5))
    found = solve_by_columns(problem, generation=EXACT)
    for language in ("en", "zh"):
        assert f"{found.certificate.excluded}" in found.plan.explain(language)[-1]
    stopped = solve_by_columns(problem, generation=replace(EXACT, rounds=1))
    assert stopped.plan.notes[-1].code == ("plan-certified" if stopped.certificate.complete else "plan-columns-stopped")
    assert found.certificate.table.height == 1


def test_a_problem_with_some_arcs_is_the_same_problem() -> None:
    problem = hl.read_problem(scattered(0))
    keep = np.arange(len(problem.index["arc"])) % 3 == 0
    some = with_arcs(problem, keep)
    assert len(some.index["arc"]) == keep.sum()
    assert np.array_equal(some["arc_cost"].values, problem["arc_cost"].values[keep])
    assert np.array_equal(some.links["arc.host"], problem.links["arc.host"][keep])
    assert some["observed_move"].shape == (keep.sum(), 3)


@pytest.mark.parametrize("observed", [False, True])
def test_columns_written_are_columns_built(observed: bool) -> None:
    """The model with other moves, array by array against building it anew."""
    case = scattered(3)
    years = case["years"].with_columns(observed=pl.Series([observed, False, False]))
    problem = hl.read_problem({**case, "years": years})
    some, others = screened(problem, 1).kept, screened(problem, 2).kept
    written, built = with_moves(build(with_arcs(problem, some)), problem, others), build(with_arcs(problem, others))
    for name in ("cost", "row_lower", "row_upper", "lower", "upper", "integral", "penalty"):
        assert np.array_equal(getattr(written.program, name), getattr(built.program, name)), name
    assert abs(written.program.matrix - built.program.matrix).max() == 0.0
    assert written.program.columns == built.program.columns
    for name, values in built.program.objectives.items():
        assert np.array_equal(written.program.objectives[name], values), name
    for name, values in built.costs.items():
        assert np.array_equal(written.costs[name], values), name
    assert written.labels["move"][0].equals(built.labels["move"][0])
