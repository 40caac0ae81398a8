"""Whole decisions of large programmes: chosen from the relaxation, they keep the logic, and the gap that is said is no smaller than the true one."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from cases import every

import hinterland as hl
from hinterland.plan.mixed import candidates, held
from hinterland.plan.model import Model, build
from hinterland.plan.program import Program, residuals

solving = sys.modules[hl.SolverOptions.__module__]


@pytest.fixture(scope="module")
def model() -> Model:
    return build(hl.read_problem(every()))


def test_bound_and_plan_enclose_the_optimum(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    exact = solving.solve(model.program, hl.SolverOptions(gap=1e-6))
    monkeypatch.setattr(solving, "LARGE_MIXED", 0)
    found = solving.solve(model.program, hl.SolverOptions(gap=1e-6))
    assert found.bound <= exact.objective + 1e-6 and found.objective >= exact.bound - 1e-6
    assert found.gap == pytest.approx((found.objective - found.bound) / abs(found.objective))
    assert (found.objective - exact.objective) / exact.objective <= found.gap + 1e-9
    assert found.status == ("optimal" if found.gap <= 1e-6 else "feasible")
    check = residuals(model.program, found.x, None)
    assert check.primal < 1e-6 and check.integral < 1e-9
    assert found.attempts[0].method.endswith(", relaxed")
    assert found.y is not None and found.y.shape == (model.program.shape[0],)


def test_a_gap_that_is_wide_enough_ends_the_search(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(solving, "LARGE_MIXED", 0)
    found = solving.solve(model.program, hl.SolverOptions(gap=0.5))
    assert found.status == "optimal" and sum("held" in a.method for a in found.attempts) == 1


def test_candidates_keep_the_rows_of_whole_variables(model: Model) -> None:
    program = model.program
    relaxed = solving.solve(program.relaxed())

    def whole(small: Program) -> np.ndarray | None:
        answer = solving.solve(small)
        return answer.x if answer.status == "optimal" else None

    found = candidates(program, relaxed.x, whole)
    assert found
    at = np.flatnonzero(program.integral)
    others = program.matrix[:, np.flatnonzero(~program.integral)]
    own = (np.diff(others.tocsr().indptr) == 0) & (np.diff(program.matrix.indptr) > 0)
    for values in found:
        assert set(values) <= {0.0, 1.0}
        x = np.zeros(program.shape[1])
        x[at] = values
        activity = (program.matrix @ x)[own]
        assert (activity >= program.row_lower[own] - 1e-9).all() and (activity <= program.row_upper[own] + 1e-9).all()
        fixed = held(program, values)
        assert not fixed.is_mixed and (fixed.lower[at] == values).all() and (fixed.upper[at] == values).all()
