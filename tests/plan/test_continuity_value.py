"""The value of policy continuity: a case solved by hand, and the tree behind it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from risk_cases import FREE, measures_named, supported

import hinterland as hl
from hinterland.errors import InputError
from hinterland.plan.case import read_problem
from hinterland.plan.changes import Change, changed
from hinterland.plan.continuity_value import ContinuityValue, continuity_value, shared_until_they_differ
from hinterland.plan.model import Model, build
from hinterland.plan.problem import Problem
from hinterland.plan.scenarios import TIMELESS, Scenario
from hinterland.plan.solve import SolverOptions
from hinterland.report.pathway_choices import COMMITMENT
from hinterland.report.pathway_statements_several import WORTH

STAYS, ENDS = Scenario("stays", 0.5), Scenario("ends", 0.5, withdrawal=2027)


@pytest.fixture(scope="module")
def problem() -> Problem:
    return read_problem(supported(), settings=FREE)


@pytest.fixture(scope="module")
def model(problem: Problem) -> Model:
    return build(problem)


@pytest.fixture(scope="module")
def found(problem: Problem, model: Model) -> ContinuityValue:
    return continuity_value(problem, [STAYS, ENDS], model=model)


def test_by_hand(found: ContinuityValue) -> None:
    """Support may end in 2027 with probability ½; ``y`` is what is decided in 2026, of which 0.9 is left in 2028.

    Commitment: a unit decided in 2027 with support costs 0.1 + 0.1 = 0.2, less than 0.19/0.9 = 0.211 for one decided in 2026 without it: all 5 in 2027, of
    which 3 with support, 0.5 + 0.3 = 0.8. If support ends, 2027 brings 2 for 0.2, and imports cost 0.8, so that 2026 must bring 3/0.9 = 10/3, of which 4/3 with
    support: 0.19·10/3 + 0.1·4/3 + 0.2 = 29/30. Not knowing, each unit of ``y`` costs at most 0.29 and saves 0.9·(½·0.2 + ½·0.8) = 0.45: y = 10/3 too, and 29/30
    in both scenarios. So continuity is worth 29/30 − 0.8 = 1/6, WS = ½ (0.8 + 29/30) and EVPI = 1/12.
    For the mean of support, 0.75 in 2027, 3.5 are decided then and y = 1.5/0.9 = 5/3 in 2026: 0.19·5/3 + 0.35 + 0.15 = 49/60 if support stays and
    0.19·5/3 + 0.2 + 0.8·1.5 = 103/60 if it ends: EEV = 76/60 and VSS = 76/60 − 58/60 = 0.3.
    """
    values = dict(found.values.select("measure", "value").rows())
    wanted = {
        "withdrawal": 29 / 30,
        "commitment": 0.8,
        "continuity-value": 1 / 6,
        "wait-and-see": 53 / 60,
        "evpi": 1 / 12,
        "expected-plan": 76 / 60,
        "vss": 0.3,
    }
    assert {k: values[k] for k in wanted} == pytest.approx(wanted, abs=1e-7)
    assert found.share == pytest.approx(1 / 6 / 0.8, abs=1e-6)
    assert (values["continuity-objective"], values["continuity-shortfall"]) == pytest.approx((1 / 6, 0.0), abs=1e-7)


def test_decisions_before_the_withdrawal_are_one(found: ContinuityValue) -> None:
    built = [p.capacity.filter(region="place").sort("year")["greenfield"].to_list() for p in found.uncertain]
    assert built[0][0] == pytest.approx(10 / 3)
    assert built[0] == pytest.approx(built[1])
    paid = [p.support.filter(p.support["year"] >= 2027)["value"].sum() for p in found.uncertain]
    assert paid == pytest.approx([0.0, 0.0], abs=1e-9)
    assert found.committed[0].support["value"].sum() == pytest.approx(1.5)


def test_it_is_a_public_name(problem: Problem, model: Model) -> None:
    assert hl.continuity_value is continuity_value


def test_certain_withdrawal_costs_what_it_costs(problem: Problem, model: Model) -> None:
    """With one scenario there is nothing to learn: 29/30 against 0.8, and EVPI and VSS are 0."""
    got = continuity_value(problem, [replace(ENDS, probability=1.0)], model=model)
    values = dict(got.values.select("measure", "value").rows())
    assert (values["continuity-value"], values["evpi"], values["vss"]) == pytest.approx((1 / 6, 0.0, 0.0), abs=1e-7)


def test_without_withdrawal_there_is_nothing_to_ask(problem: Problem, model: Model) -> None:
    with pytest.raises(InputError) as error:
        continuity_value(problem, [STAYS, Scenario("also", 0.5)], model=model)
    assert [f.code for f in error.value.findings] == ["no-withdrawal"]


def test_scenarios_share_what_they_do_not_differ_in() -> None:
    """Two withdrawals and a change of demand: who is with whom in which year, and columns of no year with the last."""
    scenarios = [
        Scenario("stays", 0.4),
        Scenario("ends in 2028", 0.2, withdrawal=2028),
        Scenario("ends in 2030", 0.2, withdrawal=2030),
        Scenario("ends in 2030, more demand from 2029", 0.2, (Change("demand", 1.1, years=(2029, 2030)),), withdrawal=2030),
    ]
    years = np.array([2026, 2027, 2028, 2029, 2030, TIMELESS])
    together = shared_until_they_differ(years, scenarios, range(2026, 2031))
    assert together.tolist() == [[0] * 6, [0, 0, 1, 1, 1, 1], [0, 0, 0, 0, 2, 2], [0, 0, 0, 3, 3, 3]]


def test_where_everything_binds(every_problem: Problem) -> None:
    """With every family of constraints, and hosts that take in little by themselves: nothing is negative, and every plan satisfies its own rows."""
    scarce = changed(every_problem, {"absorption": 0.3})
    scenarios = [Scenario("stays", 0.5), Scenario("ends", 0.25, withdrawal=2027), Scenario("ends later", 0.25, withdrawal=2029)]
    got = continuity_value(scarce, scenarios, options=SolverOptions(gap=1e-7))
    values = dict(got.values.select("measure", "value").rows())
    assert values["continuity-value"] > 0
    assert values["evpi"] > 0
    assert values["vss"] > -1e-3
    assert values["continuity-objective"] + values["continuity-shortfall"] == pytest.approx(values["continuity-value"], rel=1e-6)
    assert max(p.solver["primal_residual"] for p in (*got.uncertain, *got.committed)) < 1e-6
    assert got.uncertain[1].support.filter(got.uncertain[1].support["year"] >= 2027).height == 0
    assert set(got.tables) == {"plan_continuity", "plan_continuity_each", "plan_continuity_solver"}
    assert {n.code for n in got.notes} == {"plan-withdrawal", "plan-values-within-gap", "plan-continuity-shortfall"}


def test_if_nothing_is_decided_unknowing_it_is_said(problem: Problem, model: Model) -> None:
    got = continuity_value(problem, [STAYS, replace(ENDS, withdrawal=2026)], model=model)
    assert "plan-nothing-shared" in {n.code for n in got.notes}
    assert dict(got.values.select("measure", "value").rows())["evpi"] == pytest.approx(0.0, abs=1e-9)


def test_every_measure_has_words_and_is_told(found: ContinuityValue) -> None:
    """The chapter names each measure in both languages, and the value itself is among what it tells."""
    for language in ("en", "zh"):
        assert set(found.values["measure"]) <= measures_named(language)
    assert set(COMMITMENT) <= set(found.values["measure"])
    assert set(WORTH["continuity"]) <= set(found.values["measure"])
