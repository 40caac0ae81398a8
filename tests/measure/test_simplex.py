"""The batched simplex against HiGHS, one program at a time, on ordinary, tied and badly scaled data."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import linprog

from hinterland.measure import simplex
from hinterland.measure.efficiency import Model, Observations, _direction, _programs, _reasons, usable

Floats = NDArray[np.float64]
Programs = tuple[Floats, Floats, Floats, Floats]
TIGHT = {"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10}
MODELS = [
    Model("sbm", returns, "weak", direction, weights)
    for returns, direction, weights in (("crs", "own", "halves"), ("vrs", "own", "thirds"), ("crs", "mean", "equal"))
] + [
    Model("ddf", returns, disposability, direction)
    for returns in ("crs", "vrs")
    for disposability in ("weak", "strong")
    for direction in ("own", "own-outputs", "mean")
]


def alone(programs: Programs, b: int) -> tuple[int, float]:
    shared, own, cost, rhs = programs
    matrix = np.hstack([shared, own[b]])
    scale = np.abs(matrix).max(axis=1)
    found = linprog(np.r_[np.zeros(shared.shape[1]), -cost[b]], A_eq=matrix / scale[:, None], b_eq=rhs[b] / scale, options=TIGHT)
    status = {0: simplex.OPTIMAL, 2: simplex.INFEASIBLE, 3: simplex.UNBOUNDED}.get(found.status, simplex.UNDECIDED)
    return status, -found.fun if found.status == 0 else np.nan


def frontier_programs(rng: np.random.Generator, kind: str, model: Model) -> Programs | None:
    """Programs of a random technology; half of the time of observations outside of it."""

    def numbers(*shape: int) -> Floats:
        if kind == "ties":
            return rng.integers(0, 4, shape).astype(float)
        return np.exp((3.0 if kind == "wild" else 0.5) * rng.normal(size=shape))

    count, sizes = int(rng.integers(2, 25)), (int(rng.integers(1, 4)), int(rng.integers(1, 3)), int(rng.integers(0, 3)))
    frontier = Observations(*(numbers(count, n) for n in sizes))
    units = frontier if rng.random() < 0.5 else Observations(*(numbers(count, n) for n in sizes))
    spanning = frontier.take(usable(frontier))
    step = _direction(units, spanning, model, None)
    ready = ~np.any(list(_reasons(units, step, len(spanning.x), model).values()), axis=0)
    return _programs(units.all[ready], spanning, step[ready], model) if ready.any() else None


@pytest.mark.parametrize("kind", ["usual", "ties", "wild"])
@pytest.mark.parametrize("model", MODELS, ids=lambda m: f"{m.distance}-{m.returns}-{m.disposability}-{m.direction}")
def test_equals_highs_one_by_one(kind: str, model: Model) -> None:
    rng = np.random.default_rng(7)
    for _ in range(6):
        programs = frontier_programs(rng, kind, model)
        if programs is None:
            continue
        found = simplex.maximise(*programs)
        for b in range(len(found.status)):
            status, objective = alone(programs, b)
            if status == simplex.UNDECIDED:  # HiGHS gave up
                continue
            assert found.status[b] == status
            if status == simplex.OPTIMAL:
                assert found.objective[b] == pytest.approx(objective, rel=1e-8, abs=1e-9)
        assert found.handed_over == 0


def test_does_not_cycle_where_the_largest_gain_does() -> None:
    """Beale's (1955) example, on which pivoting by the largest gain can cycle for ever; its optimum is 0.05."""
    own = np.array([[[0.25, -60.0, -0.04, 9.0, 1, 0, 0], [0.5, -90.0, -0.02, 3.0, 0, 1, 0], [0.0, 0.0, 1.0, 0.0, 0, 0, 1]]])
    cost = np.array([[0.75, -150.0, 0.02, -6.0, 0, 0, 0]])
    found = simplex.maximise(np.empty((3, 0)), own, cost, np.array([[0.0, 0.0, 1.0]]))
    assert found.objective[0] == pytest.approx(0.05, abs=1e-12)


def test_infeasible_and_unbounded_programs_are_told_apart() -> None:
    """z₁ + z₂ = 1, −z₁ − z₂ = 1 and z₁ − z₂ = 1, each with z₁ + z₂ to be maximised."""
    own = np.array([[[1.0, 1.0]], [[-1.0, -1.0]], [[1.0, -1.0]]])
    found = simplex.maximise(np.empty((1, 0)), own, np.ones((3, 2)), np.ones((3, 1)))
    assert found.status.tolist() == [simplex.OPTIMAL, simplex.INFEASIBLE, simplex.UNBOUNDED]
    assert found.objective[0] == pytest.approx(1.0)
    assert np.isnan(found.objective[1:]).all()


def test_what_has_no_certificate_goes_to_highs(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    programs = frontier_programs(rng, "usual", Model())
    assert programs is not None
    expected = simplex.maximise(*programs)
    monkeypatch.setattr(simplex, "_pivot", lambda _batch, _basis, active: np.full(len(active), simplex.UNDECIDED))
    found = simplex.maximise(*programs)
    assert found.handed_over == len(found.status)
    np.testing.assert_array_equal(found.status, expected.status)
    np.testing.assert_allclose(found.objective, expected.objective, rtol=1e-9, atol=1e-12)


def test_a_batch_is_split_without_a_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    programs = frontier_programs(np.random.default_rng(5), "usual", Model("ddf"))
    assert programs is not None
    whole = simplex.maximise(*programs)
    monkeypatch.setattr(simplex, "CELLS", 60)
    np.testing.assert_allclose(simplex.maximise(*programs).objective, whole.objective, rtol=1e-10, atol=1e-12)


def test_no_program_is_no_answer() -> None:
    assert simplex.maximise(np.ones((1, 1)), np.ones((0, 1, 1)), np.ones((0, 1)), np.ones((0, 1))).objective.shape == (0,)


def test_singular_bases_are_marked_not_raised() -> None:
    stack = np.array([np.eye(2), np.ones((2, 2))])
    inverse = simplex._inverse(stack)
    np.testing.assert_array_equal(inverse[0], np.eye(2))
    assert np.isnan(inverse[1]).all()
