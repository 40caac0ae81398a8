"""Rolling horizon: the ends, what is carried from window to window, and the myopia of short windows."""

from __future__ import annotations

import numpy as np
import pytest
from cases import tiny

from hinterland.errors import InputError
from hinterland.plan.case import read_problem
from hinterland.plan.entry import plan
from hinterland.plan.model import Model, build
from hinterland.plan.problem import Problem
from hinterland.plan.rolling import RollingPlan, rolling, spans, windowed
from hinterland.plan.scenarios import TIMELESS, column_years
from hinterland.plan.solve import SolverOptions

TIGHT = SolverOptions(gap=1e-7)


@pytest.fixture(scope="module")
def small() -> Problem:
    return read_problem(tiny())


@pytest.fixture(scope="module")
def small_model(small: Problem) -> Model:
    return build(small)


@pytest.fixture(scope="module")
def short(every_problem: Problem, every_model: Model) -> RollingPlan:
    return rolling(every_problem, 3, options=TIGHT, model=every_model)


def test_one_year_ahead_nothing_is_built(small: Problem, small_model: Model) -> None:
    """A move takes a year, so that who sees one year never moves; the coast supplies both places each year.

    Cost of a year: the coast makes 180 units at 0.9 less the 20 that inland makes of its own at 0.5, and sends 20 at 0.05: 180·0.9 + 20·0.5 + 20·0.05 = 173.
    """
    found = rolling(small, 1, model=small_model)
    assert found.plan.flows.height == 0
    assert found.windows["objective"][0] == pytest.approx(173.0)
    assert found.value("rolling") == pytest.approx(173 * (1 + 1 / 1.04 + 1 / 1.04**2))
    assert "plan-window-short" in {n.code for n in found.notes}


@pytest.mark.parametrize("step", [1, 2, 3])
def test_a_window_of_all_years_is_foresight(small: Problem, small_model: Model, step: int) -> None:
    found = rolling(small, 3, step, model=small_model)
    assert found.value("myopia") == pytest.approx(0.0, abs=1e-7)
    assert found.value("rolling") == pytest.approx(plan(small, model=small_model).solution.objective)


def test_a_window_of_all_years_is_foresight_with_agreements(every_problem: Problem, every_model: Model) -> None:
    found = rolling(every_problem, 6, 3, options=TIGHT, model=every_model)
    assert found.value("myopia") == pytest.approx(0.0, abs=1e-3)
    assert found.windows["done"].to_list() == [2028, 2031]


def test_short_sight_costs(short: RollingPlan) -> None:
    assert short.value("myopia") > 0
    assert short.value("rolling") == pytest.approx(short.value("foresight") + short.value("myopia"))
    assert short.windows.height == 6


def test_what_is_carried_out_satisfies_every_row(short: RollingPlan) -> None:
    """The pathway put together from six windows is a solution of the whole programme: nothing was lost between windows."""
    assert short.plan.solver["primal_residual"] < 1e-6
    assert short.plan.solver["integrality"] < 1e-6
    assert short.plan.status == "feasible"
    assert "plan-not-proven" not in {n.code for n in short.plan.notes}


def test_what_is_on_its_way_arrives(every_problem: Problem, every_model: Model, short: RollingPlan) -> None:
    """A window knows the moves and investments of the years before: its rows hold them as numbers."""
    x = short.plan.solution.x
    part, open_ = windowed(every_model, x, 2028, 2030)
    years = column_years(every_model)[open_]
    assert years.min() == 2028
    assert set(years[years > 2030]) <= {2031, TIMELESS}
    ahead = (years == 2031).nonzero()[0]
    names = {n for n, (a, b, _) in every_model.program.columns.items() for j in open_[ahead] if a <= j < b}
    assert names <= {"active"}
    activity = part.matrix @ x[open_]
    bad = np.maximum(part.row_lower - activity, activity - part.row_upper)
    known = years <= 2030
    inside = np.abs(part.matrix[:, np.flatnonzero(~known)]).sum(axis=1) == 0
    assert bad[inside].max() < 1e-6


def test_other_objectives_roll_too(every_problem: Problem, every_model: Model) -> None:
    found = rolling(every_problem.with_settings(objective="emissions"), 4, 2, options=TIGHT, model=every_model)
    assert found.value("myopia") > -1e-3
    assert found.values["unit"].unique().to_list() == ["resource"]


def test_spans_end_with_the_plan() -> None:
    assert list(spans([2026, 2027, 2028, 2029, 2030], 3, 2)) == [(2026, 2028, 2027), (2028, 2030, 2029), (2030, 2030, 2030)]


@pytest.mark.parametrize(("window", "step"), [(0, 1), (9, 1), (2, 0), (2, 3)])
def test_windows_that_make_no_sense(small: Problem, small_model: Model, window: int, step: int) -> None:
    with pytest.raises(InputError):
        rolling(small, window, step, model=small_model)
