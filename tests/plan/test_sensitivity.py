"""Sensitivities: derivatives against re-solving, against the parts of the cost, and shadow prices against another unit."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from cases import every, tiny
from choice_cases import TENTH, dirty_and_clean

import hinterland as hl
from hinterland.errors import InputError
from hinterland.plan.entry import with_duals
from hinterland.plan.envelope import STEP, Optimum, derivative, optimum, same_structure
from hinterland.plan.model import build
from hinterland.plan.prices import natural_unit
from hinterland.plan.program import Program
from hinterland.plan.scaling import arc_costs, beyond, scalable, scaled
from hinterland.plan.solve import solve


def with_ranges(case: dict[str, pl.DataFrame], names: list[str], low: float = 0.8, high: float = 1.2) -> hl.Problem:
    rows = {"parameter": names, "basis": ["illustrative"] * len(names), "low": [low] * len(names), "high": [high] * len(names)}
    return hl.read_problem({**case, "provenance": pl.DataFrame(rows)})


def optimum_of(plan: hl.Plan) -> Optimum:
    return optimum(plan.model.program, plan.solution, with_duals(plan.model, plan.solution, None))


def slopes(plan: hl.Plan, name: str, *, again: bool = True) -> tuple[float, float, float]:
    """Derivative by the envelope theorem; and change of the optimum to either side, whole variables held, per unit of the factor."""
    at = optimum_of(plan)
    below, above = (build(scaled(plan.problem, name, f)).program.aimed_at(plan.objective) for f in (1 - STEP, 1 + STEP))
    assert same_structure(below, at.program)
    assert same_structure(above, at.program)
    if not again:
        return derivative(at, below, above), np.nan, np.nan
    base, low, high = (solve(held(p, at)).objective for p in (at.program, below, above))
    return derivative(at, below, above), (base - low) / STEP, (high - base) / STEP


def held(program: Program, at: Optimum) -> Program:
    """A programme with whole variables where the optimum has them."""
    lower, upper = (np.where(at.held, at.x, side) for side in (program.lower, program.upper))
    return replace(program.relaxed(), lower=lower, upper=upper)


@pytest.mark.parametrize(
    "name", ["operating_cost", "capacity", "demand", "transport", "trade_flexibility", "utilisation", "relocation_cost"]
)
def test_tiny_derivatives_are_those_of_solving_again(tiny_plan: hl.Plan, name: str) -> None:
    """Central differences of step 1e-4 have an error of the order of 1e-8; solutions are exact to 1e-9."""
    found, down, up = slopes(tiny_plan, name)
    assert found == pytest.approx((down + up) / 2, rel=1e-6)


@pytest.mark.parametrize("name", ["demand", "coefficient", "national_limit"])
def test_derivatives_of_every_table_are_those_of_solving_again(every_plan: hl.Plan, name: str) -> None:
    """To 1e-6 of the optimum's size; where slopes differ to both sides, the derivative is one between them."""
    found, down, up = slopes(every_plan, name)
    room = 1e-6 * (abs(found) + abs(every_plan.solution.objective)) + 2e-4 * abs(up - down)
    assert min(down, up) - room <= found <= max(down, up) + room


@pytest.mark.parametrize(("name", "part"), [("wage", "labour"), ("arc_cost", "relocation")])
def test_prices_have_their_part_of_the_cost_as_derivative(every_plan: hl.Plan, name: str, part: str) -> None:
    """Cost is linear in each price, so that its derivative by a factor on all of them is what they cost in all."""
    found, *_ = slopes(every_plan, name, again=False)
    assert found == pytest.approx(dict(every_plan.costs.iter_rows())[part], rel=1e-6, abs=1e-7)


def test_effects_of_ranges() -> None:
    """Cost is concave in prices: first-order effects bound the exact ones from above. 20 % of operating cost at most: exact where the plan stays as it is."""
    problem = with_ranges(tiny(), ["operating_cost", "transport", "lead", "import_cost", "no_such"])
    plan = hl.plan(problem)
    found = hl.sensitivities(plan, exact=2)
    effects = {r["parameter"]: r for r in found.effects.iter_rows(named=True)}
    assert found.effects["parameter"][0] == "operating_cost"
    parts = dict(plan.costs.iter_rows())
    one = effects["operating_cost"]
    assert one["first_order_high"] == pytest.approx(0.2 * parts["operating"])
    assert one["first_order_low"] == pytest.approx(-0.2 * parts["operating"])
    for name in ("operating_cost", "transport"):
        for end in ("low", "high"):
            assert effects[name][f"exact_{end}"] <= effects[name][f"first_order_{end}"] + 1e-6
            again = hl.plan(scaled(problem, name, effects[name][end])).solution.objective - plan.solution.objective
            assert effects[name][f"exact_{end}"] == pytest.approx(again, abs=1e-8)
    statuses = {n: effects[n]["status"] for n in ("lead", "no_such")}
    assert statuses == {"lead": "whole-numbers-or-text", "no_such": "unknown"}
    assert effects["import_cost"]["first_order_high"] == pytest.approx(0.0)
    assert "sensitivities-left-out" in [n.code for n in found.notes]


def test_outputs_where_solved_again() -> None:
    problem = with_ranges(tiny(), ["demand"])
    plan = hl.plan(problem)
    found = hl.sensitivities(plan, exact=["demand"])
    outputs = found.outputs.filter(pl.col("factor") == 1.2)
    assert outputs["output"].to_list() == ["moved", "capacity", "shortfall"]
    assert outputs["region"].to_list() == [None, "inland", None]
    again = hl.plan(scaled(problem, "demand", 1.2))
    held = again.capacity.filter((pl.col("region") == "inland") & (pl.col("year") == 2028))["capacity"].sum()
    assert outputs["value"][1] == pytest.approx(held)
    assert outputs["change"][1] == pytest.approx(held - outputs["base"][1])
    with pytest.raises(InputError, match="no-range"):
        hl.sensitivities(plan, exact=["transport"])


def test_threads_find_the_same() -> None:
    plan = hl.plan(with_ranges(tiny(), ["demand", "capacity"]))
    with ThreadPoolExecutor(2) as pool:
        spread = hl.sensitivities(plan, exact=0, executor=pool)
    assert spread.effects.equals(hl.sensitivities(plan, exact=0).effects)
    assert spread.outputs.is_empty()


def test_a_threshold_that_is_crossed_changes_the_structure() -> None:
    """A gate shuts cells that take more than 3 units of carbon, and the dirty host takes 3: a step down shuts it, and adds rows."""
    gates = {"gate": ["clean"], "phase": ["only"], "kind": ["clean"], "value": [3.0], "resource": ["carbon"]}
    found = hl.sensitivities(hl.plan(with_ranges({**dirty_and_clean(), "gates": pl.DataFrame(gates)}, ["gate_value"])), exact=1)
    row = found.effects.row(0, named=True)
    assert row["status"] == "structure-changes"
    assert row["first_order_low"] is None
    assert row["exact_low"] > 0.0
    assert row["exact_high"] == pytest.approx(0.0, abs=1e-6)


def test_what_follows_from_a_parameter_follows_again(every_problem: hl.Problem) -> None:
    """Moves cost what industry, distance and agreement say: twice that if both are doubled. Value added is what inputs leave."""
    both = scaled(scaled(every_problem, "relocation_cost", 2.0), "relocation_per_1000km", 2.0)
    np.testing.assert_allclose(both["arc_cost"].values, 2 * every_problem["arc_cost"].values)
    np.testing.assert_array_equal(arc_costs(every_problem), every_problem["arc_cost"].values)
    given = {**every(), "arcs": pl.DataFrame({"source": ["east"], "host": ["hill"], "industry": ["cloth"], "cost": [0.123]})}
    kept = scaled(hl.read_problem({k: v for k, v in given.items() if k != "moves"}), "relocation_cost", 2.0)
    np.testing.assert_array_equal(kept["arc_cost"].values, [0.123])
    more = scaled(every_problem, "coefficient", 1.5)
    np.testing.assert_allclose(1 - more["value_added"].values, 1.5 * (1 - every_problem["value_added"].values))


def test_what_can_be_scaled(every_problem: hl.Problem) -> None:
    assert scalable(every_problem, "demand") == "scaled"
    assert scalable(every_problem, "lead") == "not-a-number"
    assert scalable(every_problem, "region") == "not-a-parameter"
    assert scalable(every_problem, "capacity_limit") == "absent"
    assert beyond(every_problem, "utilisation", 1.2)
    assert not beyond(every_problem, "utilisation", 1.01)


def test_shadow_prices_by_hand() -> None:
    """A cap on carbon of 400 in all, in 2026 and 2027, leaves half of 2027 to the clean host: a unit costs 0.1 in 2027's money, of 0.2 over 2, and 1/11 today.
    100m yuan per 10 thousand tonnes is 10 000 yuan per tonne, so that is 1000 yuan per tonne. Another unit of demand in 2027 takes half from each.
    """
    limits = {"resource": ["carbon", "carbon"], "region": [None, None], "year": [2026, 2027], "value": [1000.0, 200.0]}
    case = {**dirty_and_clean(), "limits": pl.DataFrame(limits, schema_overrides={"region": pl.String})}
    plan = hl.plan(hl.read_problem(case, settings=TENTH))
    prices = hl.shadow_prices(plan)
    cap = prices.row(by_predicate=pl.col("constraint") == "national:carbon", named=True)
    assert cap["dual"] == pytest.approx(-1 / 11)
    assert cap["price"] == pytest.approx(0.1)
    assert (cap["natural"], cap["natural_unit"]) == (pytest.approx(1000.0), "yuan per tonne")
    assert (cap["year"], cap["sense"], cap["undiscounted"]) == (2027, "<=", True)
    assert "0.1 hundred million yuan" in cap["said"]
    assert "亿元" in hl.shadow_prices(plan, "zh").row(by_predicate=pl.col("constraint") == "national:carbon", named=True)["said"]


def test_shadow_prices_are_what_another_unit_is_worth(every_plan: hl.Plan) -> None:
    """The side of a row with a price moves by a little: the optimum, whole variables held, moves by the dual times as much."""
    at = optimum_of(every_plan)
    now = held(at.program, at)
    base = solve(now).objective
    prices = hl.shadow_prices(every_plan)
    for constraint in ("national:carbon", "national_budget", "floors_of_jobs"):
        row = prices.filter(pl.col("constraint") == constraint).row(0, named=True)
        start, end, shape = at.program.rows[constraint]
        duals = with_duals(every_plan.model, every_plan.solution, None).y
        assert duals is not None
        n = start + int(np.flatnonzero(np.isclose(duals[start:end], row["dual"]))[0])
        assert len(shape) >= 1
        low, high = now.row_lower.copy(), now.row_upper.copy()
        step = 1e-4 * (1 + abs(low[n] if np.isfinite(low[n]) else high[n]))
        low[n], high[n] = low[n] + step, high[n] + step
        moved = solve(replace(now, row_lower=low, row_upper=high)).objective
        assert (moved - base) / step == pytest.approx(row["dual"], rel=1e-4, abs=1e-7)
        assert row["price"] * row["discount"] == pytest.approx(abs(row["dual"]))


def test_natural_units() -> None:
    assert natural_unit("100m-yuan", "10k-tonne") == (1e4, "yuan per tonne")
    assert natural_unit("100m-yuan", "10k-person") == (1e4, "yuan per person")
    assert natural_unit("100m-yuan", "100m-yuan") == (1.0, "yuan per yuan")
    assert natural_unit("100m-yuan", "service") == (1e8, "yuan per service")
    assert natural_unit("100m-yuan", "10k-yuan/person") == (1e4, "yuan per (yuan/person)")
