"""Fronts of programmes: published ones, ones that follow by hand, and brute force."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import programs
import pytest
from scipy.optimize import linprog

from hinterland.errors import EstimationError, InputError, SolverError
from hinterland.plan.augmecon import Grid, Visit, grid, sweep
from hinterland.plan.dominance import dominated, first_of_same, hypervolume
from hinterland.plan.hold import kept, least_shortfall, limited
from hinterland.plan.payoff import lexicographic, payoff
from hinterland.plan.program import Floats, Program
from hinterland.plan.session import Session
from hinterland.plan.several import counts_of, fail_if_flat
from hinterland.plan.solve import SolverOptions, solve

EXACT = SolverOptions(gap=0.0)


def swept(program: Program, counts: tuple[int, ...], *, bypass: bool = True) -> tuple[Grid, list[Visit]]:
    table = payoff(program, list(program.objectives), EXACT)
    made = grid(program, table, counts, EXACT, bypass=bypass)
    return made, sweep(made)


def points(made: Grid, visits: list[Visit]) -> Floats:
    """Distinct efficient points, the best of the first objective first."""
    values = np.array([[o @ v.answer.x for o in made.program.objectives.values()] for v in visits if v.found])
    shares = (values - made.payoff.ideal) / made.payoff.ranges
    same = first_of_same(shares)
    keep = [n for n in range(len(values)) if same[n] == n and not dominated(shares)[n]]
    return np.asarray(sorted(values[keep].tolist()))


def test_two_objectives_of_mavrotas() -> None:
    """Payoff table (20, 160), (8, 184); ten levels give ten points on the edge 5 x1 + 4 x2 = 200, where f2 = 200 − 2 f1."""
    made, visits = swept(programs.mavrotas(), (10,))
    np.testing.assert_allclose(-made.payoff.values, [[20, 160], [8, 184]], atol=1e-6)
    found = -points(made, visits)
    np.testing.assert_allclose(np.sort(found[:, 0]), np.linspace(8, 20, 10), atol=1e-4)
    np.testing.assert_allclose(found[:, 1], 200 - 2 * found[:, 0], atol=1e-6)


def test_single_optima_would_exaggerate_the_range() -> None:
    """The best x1 alone allows any x2 from 0 to 25, and so 3 x1 + 4 x2 from 60 to 160: the lexicographic table has 160."""
    made = programs.mavrotas()
    worst = replace(kept(replace(made, cost=made.objectives["first"]), solve(replace(made, cost=made.objectives["first"])), "kept"))
    least = solve(replace(worst, cost=-made.objectives["second"]))
    assert -float(made.objectives["second"] @ least.x) == pytest.approx(60, abs=1e-4)
    best = lexicographic(made, ("first", "second"), options=EXACT)
    assert -float(made.objectives["second"] @ best.x) == pytest.approx(160, abs=1e-6)


def test_three_objectives_of_power_generation() -> None:
    """Payoff table and the 16 points of ten levels each, as published; 100 positions, most of them passed over or out of reach."""
    made, visits = swept(programs.power(), (10, 10))
    table = [[3075000, 62460, 33000], [3855000, 45180, 37000], [3225000, 55260, 23000]]
    np.testing.assert_allclose(made.payoff.values, table, rtol=1e-7)
    found = points(made, visits)
    assert found.shape == programs.POWER_POINTS.shape
    np.testing.assert_allclose(found, programs.POWER_POINTS, rtol=2e-6)
    assert sum(v.solution is None for v in visits) > 0
    assert sum(v.solution is not None for v in visits) < 100


def test_bypass_gives_the_same_set() -> None:
    with_bypass, without = (points(*swept(programs.power(), (6, 5), bypass=b)) for b in (True, False))
    np.testing.assert_allclose(with_bypass, without, rtol=1e-6)


def test_every_efficient_knapsack_is_found() -> None:
    """A level for every whole value of the second profit, 1529 to 2020, finds all 35 efficient solutions, with most levels passed over."""
    made, visits = swept(programs.knapsack(), (492,))
    np.testing.assert_array_equal(-made.payoff.values, [[2103, 1529], [1547, 2020]])
    found = -points(made, visits)
    np.testing.assert_array_equal(np.round(found).astype(int), programs.KNAPSACK_POINTS)
    assert sum(v.solution is not None for v in visits) < 60


def test_front_by_hand() -> None:
    """Ten units: all dirty cost 10 and emit 30. Mixed for dirty costs 1 per unit of emission, up to 4 units: (14, 26). Clean for dirty costs 3 for 2: 6 units,
    (32, 14). Clean for mixed costs 2 for 1: (40, 10). Levels each 2.5: the cost is linear in between, and the dual is the slope where a level is within one.
    """
    made, visits = swept(programs.sources(), (9,))
    levels = np.linspace(30, 10, 9)
    expected = np.interp(levels, [10, 14, 26, 30], [40, 32, 14, 10])
    values = np.array([[o @ v.answer.x for o in made.program.objectives.values()] for v in visits])
    np.testing.assert_allclose(values[:, 0], expected, rtol=1e-5)
    np.testing.assert_allclose(values[:, 1], levels, rtol=1e-5)
    row = made.row(1)
    added = 1e-3 * made.payoff.ranges[0] / made.payoff.ranges[1]
    prices = [added - v.answer.y[row] for v in visits[1:-1] if v.answer.y is not None]
    np.testing.assert_allclose(prices, [1, 1.5, 1.5, 1.5, 1.5, 1.5, 2], rtol=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_random_front_is_that_of_brute_force(seed: int) -> None:
    """Each point's first objective is the least that scipy's solver finds under the point's own second objective, and no weighted sum beats the front."""
    rng = np.random.default_rng(seed)
    n, m = 12, 8
    matrix = rng.uniform(0, 1, (m, n)) * (rng.random((m, n)) < 0.6)
    objectives = {"one": rng.uniform(1, 5, n), "two": rng.uniform(1, 5, n)}
    made, visits = swept(programs.program(objectives, matrix, [1.0] * m, [np.inf] * m, most=10.0), (7,))
    found = points(made, visits)
    assert len(found) >= 3
    assert not dominated(found).any()
    for one, two in found:
        both = np.vstack([-matrix, objectives["two"]])
        least = linprog(objectives["one"], A_ub=both, b_ub=[*[-1.0] * m, two + 1e-9], bounds=(0, 10))
        assert one == pytest.approx(least.fun, rel=1e-5)
    for weight in np.linspace(0.05, 0.95, 10):
        mix = weight * objectives["one"] + (1 - weight) * objectives["two"]
        least = linprog(mix, A_ub=-matrix, b_ub=[-1.0] * m, bounds=(0, 10)).fun
        assert (found @ [weight, 1 - weight] >= least - 1e-6).all()


def test_threads_find_the_same_front() -> None:
    table = payoff(programs.power(), ["cost", "carbon", "imports"], EXACT)
    made = grid(programs.power(), table, (4, 3), EXACT)
    with ThreadPoolExecutor(2) as pool:
        spread = points(made, sweep(made, pool))
    np.testing.assert_allclose(spread, points(made, sweep(made)), rtol=1e-6)


def test_least_shortfall_is_kept() -> None:
    """One unit is asked for and 0.6 can be had: 0.4 is missing at a price of 5, and no cost can buy it. With a margin of a quarter, 0.5 may be missing."""
    made = programs.program({"cost": [1.0, 0.0]}, [[1.0, 1.0]], [1.0], [np.inf], most=[0.6, np.inf], penalty=[0.0, 5.0])
    least = least_shortfall(made, "cost", EXACT)
    assert least.penalty == pytest.approx(2.0)
    cheap = solve(replace(least.program, cost=made.objectives["cost"]))
    np.testing.assert_allclose(cheap.x, [0.6, 0.4], atol=1e-6)
    wider = least_shortfall(made, "cost", EXACT, margin=0.25).program
    np.testing.assert_allclose(solve(replace(wider, cost=made.objectives["cost"])).x, [0.5, 0.5], atol=1e-6)


def test_nothing_falls_short_where_it_need_not() -> None:
    """Falling short would be cheaper (price 0.1 against cost 1), and is ruled out because it can be avoided."""
    made = programs.program({"cost": [1.0, 0.0]}, [[1.0, 1.0]], [1.0], [np.inf], penalty=[0.0, 0.1])
    least = least_shortfall(made, "cost", EXACT)
    assert least.penalty == 0.0
    np.testing.assert_allclose(solve(replace(least.program, cost=made.objectives["cost"])).x, [1.0, 0.0], atol=1e-9)


def test_contradicting_rows_are_said() -> None:
    made = programs.program({"cost": [1.0]}, [[1.0], [1.0]], [2.0, -np.inf], [np.inf, 1.0])
    with pytest.raises(SolverError, match="hard rows contradict"):
        least_shortfall(made, "cost", EXACT)


def test_face_and_row_keep_the_same() -> None:
    """Among the cheapest plans of a transport problem with ties, the least of a second expression is the same whether the face is fixed or a row added."""
    rng = np.random.default_rng(5)
    n, m = 30, 12
    matrix = (rng.random((m, n)) < 0.4).astype(float)
    made = programs.program({"one": np.round(rng.uniform(1, 3, n)), "two": rng.uniform(0, 1, n)}, matrix, [1.0] * m, [np.inf] * m)
    first = replace(made, cost=made.objectives["one"])
    found = solve(first)
    values = [solve(replace(kept(first, found, "kept", face=face), cost=made.objectives["two"])).objective for face in (True, False)]
    assert values[0] == pytest.approx(values[1], abs=1e-5)


def test_flat_objectives_are_refused() -> None:
    made = programs.program({"cost": [1.0, 2.0], "emissions": [2.0, 4.0]}, [[1.0, 1.0]], [1.0], [np.inf])
    table = payoff(made, ["cost", "emissions"], EXACT)
    assert table.flat == ["cost", "emissions"]
    with pytest.raises(EstimationError, match="do not conflict"):
        fail_if_flat(table, 0.0)


@pytest.mark.parametrize(
    ("objectives", "number", "code"),
    [
        (["cost"], 8, "number-of-objectives"),
        (["cost", "emissions", "equity", "resilience"], 3, "number-of-objectives"),
        (["cost", "cost"], 8, "repeated-objective"),
        (["cost", "emissions", "equity"], 11, "too-many-points"),
        (["cost", "emissions"], 1, "too-few-points"),
        (["cost", "emissions"], [3, 3], "points-per-objective"),
    ],
)
def test_what_cannot_be_asked(objectives: list[str], number: int | list[int], code: str) -> None:
    with pytest.raises(InputError) as caught:
        counts_of(objectives, number)
    assert code in [f.code for f in caught.value.findings]


def test_hypervolume_by_hand() -> None:
    """(0, 1/2) and (1/2, 0): the unit square less a quarter. (0, 0, 1/2) and (1/2, 1/2, 0): half the cube, and a quarter of the other half."""
    assert hypervolume(np.array([[0.0, 0.5], [0.5, 0.0]])) == pytest.approx(0.75)
    assert hypervolume(np.array([[0.0, 0.0, 0.5], [0.5, 0.5, 0.0]])) == pytest.approx(0.5 + 0.5 * 0.25)
    assert hypervolume(np.array([[0.0, 1.0], [1.0, 0.0]])) == pytest.approx(0.0)


def test_dominance() -> None:
    values = np.array([[0.0, 1.0], [0.5, 0.5], [0.5, 0.6], [1.0, 0.0], [0.5, 0.5]])
    assert dominated(values).tolist() == [False, False, True, False, False]
    assert first_of_same(values).tolist() == [0, 1, 2, 3, 1]


def test_a_session_goes_on_from_its_last_vertex() -> None:
    """Costs and sides that change give what solving anew gives, by the simplex method from the second time on."""
    made = replace(programs.power(), cost=programs.power().objectives["cost"])
    made = limited(made, made.objectives["carbon"], 62460.0, "level")
    session, row = Session(made), made.shape[0] - 1
    session.solve()
    for cost, level in (("cost", 60000.0), ("imports", 60000.0), ("cost", 46000.0)):
        warm = session.solve(cost=made.objectives[cost], sides={row: (-np.inf, level)})
        cold = solve(session.program)
        assert warm.objective == pytest.approx(cold.objective, rel=1e-9)
        assert [a.method for a in warm.attempts] == ["simplex"]
        assert warm.residuals.primal < 1e-7
        assert warm.residuals.gap < 1e-9
    assert session.solve(sides={row: (-np.inf, 1000.0)}).status == "infeasible"
    assert made.row_upper[row] == 62460.0


def test_a_session_of_an_interior_point_starts_anew() -> None:
    made = replace(programs.power(), cost=programs.power().objectives["cost"])
    session = Session(made, SolverOptions(method="ipx", crossover=False))
    first, second = session.solve(), session.solve(cost=made.objectives["carbon"])
    assert not session.warm
    assert second.solver == "ipx"
    assert second.objective == pytest.approx(45180, rel=1e-5)
    assert first.objective == pytest.approx(3075000, rel=1e-5)
