"""Plans under scenarios: a case solved by hand, what must hold in any, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from risk_cases import FREE, measures_named, newsvendor

from hinterland.errors import InputError
from hinterland.plan.case import read_problem
from hinterland.plan.changes import Change
from hinterland.plan.cvar import CVaR, conditional_value_at_risk
from hinterland.plan.entry import plan
from hinterland.plan.model import Model, build
from hinterland.plan.problem import Problem
from hinterland.plan.scenarios import TIMELESS, Scenario, column_years, row_years
from hinterland.plan.solve import SolverOptions
from hinterland.plan.stochastic import StochasticPlan, stochastic
from hinterland.report.pathway_statements_several import WORTH

LOW, HIGH = Scenario("low", 0.5, {"demand": 0.5}), Scenario("high", 0.5, {"demand": 1.5})
TIGHT = SolverOptions(gap=1e-7)


@pytest.fixture(scope="module")
def problem() -> Problem:
    return read_problem(newsvendor(), settings=FREE)


@pytest.fixture(scope="module")
def model(problem: Problem) -> Model:
    return build(problem)


@pytest.fixture(scope="module")
def neutral(problem: Problem, model: Model) -> StochasticPlan:
    return stochastic(problem, [LOW, HIGH], first_stage_until=2026, model=model)


def test_newsvendor_by_hand(neutral: StochasticPlan) -> None:
    """Demand is 10 or 30, each with probability ½; a unit built costs 0.5 and a unit lacking 0.8.

    The critical fractile is (0.8 − 0.5)/0.8 = 0.375 < ½, so 10 are built: 5 in the low scenario and 5 + 0.8·20 = 21 in the high one, RP = 13. With
    perfect information 10 or 30 are built: 5 and 15, WS = 10, EVPI = 3. For the mean demand of 20, 20 are built: 10 and 10 + 0.8·10 = 18, EEV = 14, VSS = 1.
    """
    found = {m: neutral.value(m) for m in ("recourse", "wait-and-see", "expected-plan", "evpi", "vss", "expected")}
    wanted = {"recourse": 13.0, "wait-and-see": 10.0, "expected-plan": 14.0, "evpi": 3.0, "vss": 1.0, "expected": 13.0}
    assert found == pytest.approx(wanted, abs=1e-6)
    assert neutral.scenarios["value"].to_list() == pytest.approx([5.0, 21.0])
    assert neutral.scenarios["regret"].to_list() == pytest.approx([0.0, 6.0], abs=1e-9)


def test_the_first_stage_is_one_and_recourse_differs(neutral: StochasticPlan) -> None:
    low, high = (p.capacity.filter(region="place", year=2026)["greenfield"][0] for p in neutral.plans)
    assert (low, high) == pytest.approx((10.0, 10.0))
    assert [p.abroad["imports"].sum() for p in neutral.plans] == pytest.approx([0.0, 20.0], abs=1e-9)
    assert neutral.plan("high").costs.filter(part="imports")["value"][0] == pytest.approx(16.0)


def test_prices_are_those_given_the_scenario(neutral: StochasticPlan) -> None:
    """A unit of demand more costs an import of 0.8 in the high scenario; in the low one nothing is imported and capacity is paid already."""
    paid = [p.duals.filter(constraint="balance", region="place", year=2027)["value"].to_list() for p in neutral.plans]
    assert paid[1] == pytest.approx([0.8])
    assert paid[0] == pytest.approx(
        [0.2]
    )  # a unit more in both: 0.5 built, of which the high scenario saves ½·0.8 and the low one owes the rest, 0.1/½


def test_caution_by_hand(problem: Problem, model: Model) -> None:
    """With all weight on the worst tenth, the worst cost ``24 − 0.3 x`` is made least by building 30: 15 in both scenarios, 2 more than on average."""
    found = stochastic(problem, [LOW, HIGH], first_stage_until=2026, risk=CVaR(level=0.9, weight=1.0), model=model)
    assert found.scenarios["value"].to_list() == pytest.approx([15.0, 15.0])
    assert (found.value("cvar"), found.value("caution"), found.value("recourse")) == pytest.approx((15.0, 2.0, 13.0))


def test_caution_of_level_zero_is_the_mean(problem: Problem, model: Model) -> None:
    found = stochastic(problem, [LOW, HIGH], first_stage_until=2026, risk=CVaR(level=0.0, weight=1.0), model=model)
    assert (found.value("cvar"), found.value("expected")) == pytest.approx((13.0, 13.0))


@pytest.mark.parametrize("weight", [0.25, 0.5, 0.75])
def test_caution_is_between_mean_and_worst(problem: Problem, model: Model, weight: float) -> None:
    """The mean plan costs 13 with a tail of 21, the cautious one 15 with 15: it is chosen where ``13 (1 − w) + 21 w > 15``, that is above w = 1/4."""
    found = stochastic(problem, [LOW, HIGH], first_stage_until=2026, risk=CVaR(level=0.9, weight=weight), model=model)
    mixed = (1 - weight) * found.value("expected") + weight * found.value("cvar")
    assert mixed == pytest.approx(min(13 * (1 - weight) + 21 * weight, 15.0))


def test_tail_mean_by_hand() -> None:
    """The worst 30 % of costs 10, 20, 30 with probabilities 0.5, 0.3, 0.2 are all of 30 and 0.1 of 20: (0.2·30 + 0.1·20)/0.3."""
    values, p = np.array([10.0, 20.0, 30.0]), np.array([0.5, 0.3, 0.2])
    assert conditional_value_at_risk(values, p, 0.7) == pytest.approx(8 / 0.3)
    assert conditional_value_at_risk(values, p, 0.0) == pytest.approx(17.0)
    assert conditional_value_at_risk(values, p, 0.999) == pytest.approx(30.0)


def test_one_scenario_is_the_plan(every_problem: Problem, every_model: Model) -> None:
    found = stochastic(every_problem, [Scenario("only", 1.0)], options=TIGHT, model=every_model)
    alone = plan(every_problem, options=TIGHT, model=every_model)
    assert found.value("recourse") == pytest.approx(alone.solution.objective, rel=1e-9)
    assert (found.value("evpi"), found.value("vss")) == pytest.approx((0.0, 0.0), abs=1e-4)
    assert found.plans[0].flows["value"].sum() == pytest.approx(alone.flows["value"].sum(), rel=1e-6)
    assert found.plans[0].solver["primal_residual"] < 1e-6


def test_values_are_ordered_where_everything_binds(every_problem: Problem, every_model: Model) -> None:
    """WS ≤ RP ≤ EEV (Madansky 1960), with whole variables, agreements and investment in the first stage."""
    scenarios = [Scenario("as planned", 0.6), Scenario("more", 0.4, (Change("demand", 1.1, years=tuple(range(2028, 2032))),))]
    found = stochastic(every_problem, scenarios, options=TIGHT, model=every_model)
    assert found.first_stage_until == 2028
    assert found.value("evpi") > 0
    assert found.value("vss") > 0
    for p in found.plans:
        assert p.solver["primal_residual"] < 1e-6
        assert p.solver["integrality"] < 1e-6
    early = [p.flows.filter(p.flows["year"] <= 2028) for p in found.plans]
    assert early[0].equals(early[1])
    assert found.plans[0].infrastructure["investment"].to_list() == found.plans[1].infrastructure["investment"].to_list()
    assert {n.code for n in found.notes} == {"plan-first-stage", "plan-values-within-gap"}
    assert found.solver.filter(programme="wait-and-see").height == 2


def test_every_column_and_row_has_its_year(every_model: Model) -> None:
    years, rows = column_years(every_model), row_years(every_model)
    program = every_model.program
    assert (program.column("capacity", years.astype(float))[0] == np.arange(2025, 2032)).all()
    assert set(program.column("filled", years.astype(float)).ravel()) == {2028.0, 2031.0}
    assert (program.row("release_in_all", rows.astype(float)) == float(TIMELESS)).all()
    assert (program.row("balance", rows.astype(float))[0] == np.arange(2025, 2032)).all()


@pytest.mark.parametrize(
    ("scenarios", "code"),
    [
        ([], "bad-scenario"),
        ([replace(LOW, probability=0.4), HIGH], "probabilities-not-one"),
        ([replace(LOW, probability=0.0), replace(HIGH, probability=1.0)], "bad-scenario"),
        ([LOW, replace(HIGH, name="low")], "bad-scenario"),
        ([LOW, replace(HIGH, changes={"demnd": 2.0})], "unknown-parameter"),
        ([LOW, replace(HIGH, withdrawal=2027)], "nothing-to-withdraw"),
        ([LOW, replace(HIGH, withdrawal=2050)], "bad-argument"),
    ],
)
def test_scenarios_that_make_no_sense(problem: Problem, model: Model, scenarios: list[Scenario], code: str) -> None:
    with pytest.raises(InputError) as error:
        stochastic(problem, scenarios, model=model)
    assert code in {f.code for f in error.value.findings}


def test_a_scenario_of_another_shape_is_found(every_problem: Problem, every_model: Model) -> None:
    with pytest.raises(InputError) as error:
        stochastic(every_problem, [Scenario("a", 0.5), Scenario("b", 0.5, {"levy": 0.0})], model=every_model)
    assert {f.code for f in error.value.findings} == {"scenario-shape"}
    assert "'compensation'" in str(error.value)


def test_a_year_that_is_not_there(problem: Problem, model: Model) -> None:
    with pytest.raises(InputError, match="first_stage_until is 2030"):
        stochastic(problem, [LOW, HIGH], first_stage_until=2030, model=model)


@pytest.mark.parametrize(("level", "weight"), [(1.0, 0.5), (-0.1, 0.5), (0.9, 1.5)])
def test_measures_of_risk_that_are_none(level: float, weight: float) -> None:
    with pytest.raises(InputError):
        CVaR(level=level, weight=weight)


def test_every_measure_has_words_and_is_told(problem: Problem, model: Model, neutral: StochasticPlan) -> None:
    """The chapter names each measure in both languages, those of a plan that minds its tail among them."""
    careful = stochastic(problem, [LOW, HIGH], first_stage_until=2026, risk=CVaR(0.5, 0.5), model=model)
    measures = {*neutral.values["measure"], *careful.values["measure"]}
    assert "cvar" in measures
    for language in ("en", "zh"):
        assert measures <= measures_named(language)
    assert set(WORTH["scenarios"]) <= measures
