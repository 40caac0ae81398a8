"""Fronts of planning cases: one that follows by hand, shortfalls that cannot be avoided, floors, and the case with every table."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from choice_cases import TENTH, dirty_and_clean

import hinterland as hl
from hinterland.errors import EstimationError, InputError
from hinterland.plan.dominance import dominated
from hinterland.plan.pareto import Pareto


@pytest.fixture(scope="module")
def problem() -> hl.Problem:
    return hl.read_problem(dirty_and_clean(), settings=TENTH)


@pytest.fixture(scope="module")
def front(problem: hl.Problem) -> Pareto:
    return hl.pareto(problem, ["cost", "emissions"], points=5)


def test_front_by_hand(front: Pareto) -> None:
    """The coast makes 100 at cost 1 in 2026, with 200 of carbon. In 2027 all from the dirty host costs 100 (0.5 · 10/11 + 1/11) = 54.545, with 300 of carbon;
    all from the clean one 72.727 with 100; half and half is cheaper than the coast at the same carbon. A unit of carbon less costs 0.2 · 10/11 / 2 = 1/11.
    """
    emissions = np.array([500.0, 450, 400, 350, 300])
    np.testing.assert_allclose(front.front["emissions"], emissions, rtol=1e-6)
    np.testing.assert_allclose(front.front["cost"], 100 + 600 / 11 + (500 - emissions) / 11, rtol=1e-6)
    assert front.penalty == 0.0
    assert front.hypervolume == pytest.approx(sum(0.25 * s for s in (0.75, 0.5, 0.25)), abs=1e-5)


def test_payoff_and_shares(front: Pareto) -> None:
    cells = {(r["made_best"], r["objective"]): r["value"] for r in front.payoff.iter_rows(named=True)}
    assert cells["cost", "emissions"] == pytest.approx(500)
    assert cells["emissions", "cost"] == pytest.approx(100 + 800 / 11)
    shares = front.points.filter(pl.col("objective") == "emissions")["share"]
    np.testing.assert_allclose(shares, [1.0, 0.75, 0.5, 0.25, 0.0], atol=2e-6)
    units = dict(front.points.select("objective", "unit").unique().iter_rows())
    assert units["emissions"] == "10k-tonne"
    assert units["cost"] == "100m-yuan"
    roles = dict(front.points.select("objective", "role").unique().iter_rows())
    assert (roles["cost"], roles["emissions"], roles["value-added"], roles["shortfall"]) == ("best", "limited", "reported", "kept")


def test_trade_offs_are_the_slope(front: Pareto) -> None:
    assert set(front.trade_offs["unit"]) == {"100m-yuan per 10k-tonne"}
    np.testing.assert_allclose(front.trade_offs["price"], 1 / 11, rtol=1e-5)
    assert front.trade_offs["basis"].value_counts().sort("basis").rows() == [("difference", 4), ("dual", 3)]


def test_plan_of_a_point(front: Pareto) -> None:
    """Half of the way in carbon is half from each host; the plan's price of demand in 2027 is what the next unit costs."""
    middle = front.plan(2)
    made = dict(middle.capacity.filter(pl.col("year") == 2027).select("region", "output").iter_rows())
    assert made["dirty"] == pytest.approx(50, abs=1e-4)
    assert made["clean"] == pytest.approx(50, abs=1e-4)
    assert middle.objectives.filter(pl.col("objective") == "cost")["value"][0] == pytest.approx(front.front["cost"][2])
    ends = front.plan(0), front.plan(4)
    assert all(not e.duals.is_empty() for e in ends)
    with pytest.raises(InputError, match="no point 5"):
        front.plan(5)


def test_more_is_better_keeps_its_sign(problem: hl.Problem) -> None:
    """Value added is 50 in 2026 and 40 to 60 in 2027, times 10/11; a unit of it more takes 200 of carbon over 200/11."""
    front = hl.pareto(problem, ["emissions", "value-added"], points=3)
    np.testing.assert_allclose(front.front["emissions"], [300, 400, 500], rtol=1e-5)
    np.testing.assert_allclose(front.front["value-added"], [50 + 400 / 11, 50 + 500 / 11, 50 + 600 / 11], rtol=1e-5)
    np.testing.assert_allclose(front.trade_offs["price"], 11.0, rtol=1e-4)


def test_nothing_is_bought_with_shortfalls() -> None:
    """With 90 of capacity on the coast, 10 are missing in 2026 whatever is done, at 0.01 each. At that price every plan would rather make nothing; no point of
    the front misses more."""
    case = hl.read_problem(dirty_and_clean(coast=90.0), settings=TENTH | {"penalty": 0.01})
    assert hl.plan(case, "emissions").objectives.filter(pl.col("objective") == "shortfall")["value"][0] == pytest.approx(2.0)
    front = hl.pareto(case, points=5)
    assert front.penalty == pytest.approx(0.1)
    np.testing.assert_allclose(front.front["shortfall"], 0.1, rtol=1e-5)
    emissions = np.array([480.0, 430, 380, 330, 280])
    np.testing.assert_allclose(front.front["emissions"], emissions, rtol=1e-5)
    np.testing.assert_allclose(front.front["cost"], 90 + 600 / 11 + (480 - emissions) / 11, rtol=1e-5)
    assert "shortfall-kept" in [n.code for n in front.notes]


def test_floors_hold(problem: hl.Problem) -> None:
    """Value added of 50 + 500/11 allows no more than half from the clean host: carbon no lower than 400."""
    front = hl.pareto(problem, points=3, floors={"value-added": 50 + 500 / 11})
    np.testing.assert_allclose(front.front["emissions"], [500, 450, 400], rtol=1e-5)
    np.testing.assert_allclose(front.front["cost"], 100 + 600 / 11 + np.array([0, 50, 100]) / 11, rtol=1e-5)
    assert front.points.filter(pl.col("objective") == "value-added")["role"].unique().to_list() == ["floor"]
    with pytest.raises(InputError, match=r"floor-out-of-reach(.|\n)*reaches 104.545"):
        hl.pareto(problem, points=3, floors={"value-added": 200.0})


def test_what_cannot_be_asked_of_a_case(problem: hl.Problem) -> None:
    with pytest.raises(InputError, match="unknown-objective"):
        hl.pareto(problem, ["cost", "emission"])
    with pytest.raises(InputError, match="objective-not-possible"):
        hl.pareto(problem, ["cost", "resilience"])
    with pytest.raises(InputError, match="floor-of-objective"):
        hl.pareto(problem, floors={"cost": 1.0})


def test_flat_objectives_are_named(tiny_plan: hl.Plan) -> None:
    with pytest.raises(EstimationError, match="do not conflict: 'cost', 'equity'"):
        hl.pareto(tiny_plan, ["cost", "equity"])


def test_every_table_with_whole_decisions(every_plan: hl.Plan) -> None:
    """No point dominates another, limits hold, and the reported values are those of the plans, although binaries leave a gap."""
    front = hl.pareto(every_plan, points=4)
    values = front.front.select("cost", "emissions").to_numpy()
    assert len(values) >= 3
    assert not dominated(values / np.abs(values).max(axis=0)).any()
    limits = front.solves.filter(pl.col("point").is_not_null() & ~pl.col("bypassed"))
    for row in limits.iter_rows(named=True):
        assert values[row["point"], 1] <= row["limit:emissions"] * (1 + 1e-6)
    shown = front.plan(1).objectives.filter(pl.col("objective") == "emissions")["value"][0]
    assert shown == pytest.approx(values[1, 1], rel=1e-6)
    assert {"pareto-points", "pareto-mixed"} <= {n.code for n in front.notes}
    assert all(n.text("zh") and n.text("en") for n in front.notes)


def test_three_objectives_of_a_case(every_plan: hl.Plan) -> None:
    front = hl.pareto(every_plan, ["cost", "emissions", "self-sufficiency"], points=3)
    values = front.front.select("cost", "emissions", "self-sufficiency").to_numpy() * [1, 1, -1]
    assert len(values) >= 4
    size = values.max(axis=0) - values.min(axis=0)
    assert not dominated(values / size, 1e-3).any()
    assert "pareto-nadir" in [n.code for n in front.notes]


def test_a_plan_is_taken_up_where_it_stands(problem: hl.Problem, front: Pareto) -> None:
    """The front of a plan that is best in the first objective starts from it; of another plan, and of an interior point, it starts anew. All are the same."""
    for plan in (
        hl.plan(problem),
        hl.plan(problem, "emissions"),
        hl.plan(problem, options=hl.SolverOptions(method="ipx", crossover=False)),
    ):
        again = hl.pareto(plan, points=5)
        np.testing.assert_allclose(again.front["cost"], front.front["cost"], rtol=1e-6)
        np.testing.assert_allclose(again.front["emissions"], front.front["emissions"], rtol=1e-6)


def test_whole_decisions_can_be_held(every_plan: hl.Plan) -> None:
    """With agreements where the plan has them the front is linear and no better than with all of them, but for the gap of the plan; its first end is the plan's
    cost."""
    free, fixed = hl.pareto(every_plan, points=3), hl.pareto(every_plan, points=3, hold=True)
    whole = every_plan.model.program.integral
    assert whole.any()
    assert not fixed.model.program.is_mixed
    assert all(v.solution is not None for v in fixed.visits)
    for visit in fixed.visits:
        assert visit.solution is not None
        assert visit.solution.x[whole] == pytest.approx(np.round(every_plan.solution.x[whole]))
    keys = {n.code for n in fixed.notes}
    assert "plan-whole-held" in keys and "pareto-mixed" not in keys
    assert "plan-whole-held" not in {n.code for n in free.notes}

    def ends(front: Pareto, objective: str) -> list[float]:
        return front.points.filter(objective=objective)["value"].to_list()

    assert min(ends(fixed, "cost")) == pytest.approx(min(ends(free, "cost")), rel=2e-3)
    assert min(ends(fixed, "emissions")) >= min(ends(free, "emissions")) * (1 - 2e-3)


def test_holding_without_whole_decisions_changes_nothing(tiny_plan: hl.Plan) -> None:
    free, fixed = hl.alternatives(tiny_plan, 0.02), hl.alternatives(tiny_plan, 0.02, hold=True)
    assert fixed.ranges.equals(free.ranges)
    assert "plan-whole-held" not in {n.code for n in fixed.notes}


def test_alternatives_with_whole_decisions_held(every_plan: hl.Plan) -> None:
    """The plan itself is within each range, and agreements are where it has them; the text of alternatives without a class can be shown."""
    fixed = hl.alternatives(every_plan, 0.05, groups=["chips"], hold=True)
    slack = 1e-3 * fixed.ranges["optimum"].max()  # type: ignore[operator]  # what rounding whole variables may move
    assert (fixed.ranges["lowest"] <= fixed.ranges["optimum"] + slack).all()
    assert (fixed.ranges["optimum"] <= fixed.ranges["highest"] + slack).all()
    assert not fixed.model.program.is_mixed
    assert "plan-whole-held" in {n.code for n in fixed.notes}
    assert repr(replace(fixed, ranges=fixed.ranges.with_columns(pl.lit(None, dtype=pl.String).alias("class")))).endswith("no classes)")
