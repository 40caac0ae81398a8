"""Plans of many draws: against numbers by hand, and written programmes against built ones."""

from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import polars as pl
import pytest
from cases import tiny
from risk_cases import FREE, newsvendor
from scipy import stats

from hinterland.errors import InputError
from hinterland.plan.affine import AffineProgram, affine_program, program_at
from hinterland.plan.case import read_problem
from hinterland.plan.changes import Change
from hinterland.plan.distributions import Distribution, from_provenance, quantiles
from hinterland.plan.draws import Draws, Task, _kept, draws
from hinterland.plan.model import Model, build
from hinterland.plan.problem import Problem
from hinterland.plan.tables import shaped

DEMAND = Distribution("demand", "uniform", 0.5, 1.5)


@pytest.fixture(scope="module")
def problem() -> Problem:
    return read_problem(newsvendor(), settings=FREE)


@pytest.fixture(scope="module")
def model(problem: Problem) -> Model:
    return build(problem)


@pytest.fixture(scope="module")
def staffed() -> Problem:
    """The small case with people, whose wage and number meet in one cost."""
    people = {
        "skills": pl.DataFrame({"skill": ["plain"]}),
        "labour": pl.DataFrame({"region": ["coast", "inland"], "skill": ["plain"] * 2, "supply": [5.0, 5.0], "wage": [6.0, 4.0]}),
        "staffing": pl.DataFrame({"industry": ["chips", "cloth"], "skill": ["plain"] * 2, "value": [0.01, 0.02]}),
    }
    return read_problem({**tiny(), **people})


@pytest.fixture(scope="module")
def found(problem: Problem, model: Model) -> Draws:
    return draws(problem, [DEMAND, Distribution("import_cost", "uniform", 0.9, 1.1)], 32, seed=4, model=model)


def test_by_hand(found: Draws) -> None:
    """Who knows demand builds for it: the cost is 0.5·20 f, whatever imports cost, and capacity in 2027 is 20 f."""
    f = found.factors.filter(pl.col("factor") == "demand").sort("draw")["value"].to_numpy()
    cost = found.values.filter(objective="cost").sort("draw")["value"].to_numpy()
    np.testing.assert_allclose(cost, 10 * f, rtol=1e-7)
    row = found.objectives.row(by_predicate=pl.col("objective") == "cost", named=True)
    assert row["mean"] == pytest.approx(10 * f.mean())
    assert (row["low"], row["median"], row["high"]) == pytest.approx(tuple(np.quantile(10 * f, [0.025, 0.5, 0.975])))
    held = found.capacity.row(by_predicate=(pl.col("region") == "place") & (pl.col("year") == 2027), named=True)
    assert (held["mean"], held["sd"]) == pytest.approx((20 * f.mean(), 20 * f.std(ddof=1)))


def test_programmes_are_written_down(found: Draws) -> None:
    assert found.written == "affine"
    assert found.solver["status"].unique().to_list() == ["optimal"]


def test_the_same_seed_is_the_same_over_an_executor(problem: Problem, model: Model, found: Draws) -> None:
    with ThreadPoolExecutor(2) as pool:
        again = draws(problem, [DEMAND, Distribution("import_cost", "uniform", 0.9, 1.1)], 32, seed=4, model=model, executor=pool)
    assert again.values.equals(found.values)
    assert again.capacity.equals(found.capacity)


def test_what_is_no_sum_is_built_each_time(problem: Problem, model: Model) -> None:
    """Depreciation enters as a product with itself over years, so that it cannot be written down."""
    got = draws(problem, [Distribution("depreciation", "uniform", 0.8, 1.2)], 4, seed=1, model=model)
    f = got.factors["value"].to_numpy()
    assert got.written == "each"
    np.testing.assert_allclose(got.values.filter(objective="cost")["value"].to_numpy(), 10 * f, rtol=1e-7)


def test_written_programmes_are_the_built_ones(staffed: Problem) -> None:
    """Two parameters that meet in one number need their product; then any factors give the programme that the builder gives."""
    model = build(staffed)
    scopes = [Change("wage", 1.0, regions=("inland",)), Change("staff", 1.0)]
    points = np.array([[0.8, 0.9], [1.2, 1.1]])
    form = affine_program(staffed, scopes, points, model, most=99)
    assert form is not None
    assert form.pairs.tolist() == [[0, 1]]
    f = np.array([0.93, 1.24])
    mine, built = form.at(f), program_at(staffed, scopes, f, model)
    assert abs(mine.matrix - built.matrix).max() < 1e-12
    for name in ("cost", "lower", "upper", "row_lower", "row_upper", "penalty"):
        np.testing.assert_allclose(getattr(mine, name), getattr(built, name), rtol=1e-10, atol=1e-12, err_msg=name)
    for name, aim in mine.objectives.items():
        np.testing.assert_allclose(aim, built.objectives[name], rtol=1e-10, atol=1e-12, err_msg=name)


def test_a_few_draws_are_not_worth_the_builds(staffed: Problem) -> None:
    assert affine_program(staffed, [Change("wage", 1.0)], np.ones((2, 1)), build(staffed), most=3) is None


def test_a_worker_takes_its_task_with_it(problem: Problem, model: Model) -> None:
    """What is sent to another process gives there what it gives here."""
    points = np.array([[0.7], [1.3]])
    form = affine_program(problem, [DEMAND.change], points, model, most=99)
    assert isinstance(form, AffineProgram)
    task = Task(form, problem, (DEMAND.change,), model, None, _kept(model))
    there = pickle.loads(pickle.dumps(task))(points)
    assert [a.objective for a in there] == [a.objective for a in task(points)] == pytest.approx([7.0, 13.0])


def test_moves_that_are_made_in_every_draw(tiny_problem: Problem) -> None:
    got = draws(tiny_problem, [Distribution("transport", "uniform", 0.5, 2.0)], 8, seed=2)
    assert got.moves["share"].to_list() == [1.0, 1.0]
    assert got.robust_moves(1.0).height == 2
    assert got.moves["mean"].to_list() == pytest.approx([10.0, 10.0])
    came = got.capacity.filter(region="inland", industry="chips").sort("year")["share_of_draws"].to_list()
    assert came == [1.0, 1.0, 1.0]
    assert got.capacity.filter(region="coast")["share_of_draws"].max() == 0.0
    table = shaped("plan_draws", got.tables["plan_draws"])
    assert table.select("region", "group", "year", "share_of_draws").rows() == [
        ("inland", "chips", 2028, 1.0),
        ("inland", "cloth", 2028, 1.0),
    ]
    assert table["mean"].to_list() == got.capacity.filter(region="inland", year=2028)["mean"].to_list()


@pytest.mark.parametrize(
    ("kind", "low", "high", "quantile", "value"),
    [
        ("uniform", 0.8, 1.2, 0.25, 0.9),
        ("triangular", 0.8, 1.2, 0.5, 1.0),
        ("triangular", 1.2, 1.6, 1.0, 1.6),
        ("normal", 0.8, 1.2, 0.5, 1.0),
        ("lognormal", 0.5, 2.0, 0.975, 2.0),
        ("lognormal", 0.5, 2.0, 0.5, 1.0),
        ("uniform", 1.1, 1.1, 0.3, 1.1),
    ],
)
def test_quantiles_by_hand(kind: str, low: float, high: float, quantile: float, value: float) -> None:
    assert Distribution("demand", kind, low, high).factor(np.array([quantile]))[0] == pytest.approx(value)  # type: ignore[arg-type]


def test_normal_factors_are_never_negative() -> None:
    f = Distribution("demand", "normal", 0.1, 1.0).factor(np.linspace(1e-9, 1 - 1e-9, 101))
    assert f.min() >= 0
    assert Distribution("demand", "normal", 0.8, 1.2).factor(np.array([0.975]))[0] == pytest.approx(1.2, rel=1e-6)


def test_draws_fill_the_cube() -> None:
    """One point in each of n layers of a Latin hypercube; scrambled Sobol' points pass a test of uniformity in every dimension."""
    cube = quantiles(16, 3, 1, "latin-hypercube")
    assert (np.sort((cube * 16).astype(int), axis=0) == np.arange(16)[:, None]).all()
    net = quantiles(64, 2, 1, "sobol")
    assert all(stats.kstest(net[:, k], "uniform").pvalue > 0.5 for k in range(2))
    with pytest.raises(InputError, match="n is 20"):
        quantiles(20, 2, 1, "sobol")


def test_ranges_of_the_case_become_distributions(every_problem: Problem) -> None:
    assert from_provenance(every_problem, kind="uniform") == (Distribution("response", "uniform", 0.5, 1.5),)
    with pytest.raises(InputError, match="no parameter with the basis observed"):
        from_provenance(every_problem, kind="uniform", basis=("observed",))


@pytest.mark.parametrize(
    ("distributions", "code"),
    [
        ([], "bad-distribution"),
        ([Distribution("demnd", "uniform", 0.9, 1.1)], "unknown-parameter"),
        ([Distribution("demand", "unifrm", 0.9, 1.1)], "bad-distribution"),  # type: ignore[arg-type]
        ([Distribution("demand", "uniform", 1.1, 0.9)], "bad-range"),
        ([Distribution("demand", "lognormal", 0.0, 0.9)], "bad-range"),
        ([DEMAND, Distribution("demand", "normal", 0.9, 1.1)], "bad-distribution"),
    ],
)
def test_distributions_that_make_no_sense(problem: Problem, model: Model, distributions: list[Distribution], code: str) -> None:
    with pytest.raises(InputError) as error:
        draws(problem, distributions, 4, seed=1, model=model)
    assert code in {f.code for f in error.value.findings}


@pytest.mark.parametrize(("n", "level"), [(0, 0.95), (4, 1.0)])
def test_numbers_that_make_no_sense(problem: Problem, model: Model, n: int, level: float) -> None:
    with pytest.raises(InputError):
        draws(problem, [DEMAND], n, seed=1, level=level, model=model)
