"""Changes of a problem: where they act, what follows from them, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from cases import every

from hinterland.errors import InputError
from hinterland.plan.case import read_problem
from hinterland.plan.changes import Change, changed
from hinterland.plan.problem import Problem


def test_a_factor_acts_where_it_says(every_problem: Problem) -> None:
    got = changed(every_problem, [Change("wage", 1.5, years=(2030, 2031), regions=("east",), of={"skill": ("trained",)})])
    ratio = (got["wage"] / every_problem["wage"]).transpose("region", "skill", "year")
    assert float(ratio.sel(region="east", skill="trained", year=2030)) == 1.5
    assert float(ratio.sel(region="east", skill="plain", year=2030)) == 1.0
    assert float(ratio.sel(region="east", skill="trained", year=2029)) == 1.0
    assert float(ratio.sel(region="hill", skill="trained", year=2031)) == 1.0


def test_moves_belong_to_their_host_and_trade_to_its_destination(every_problem: Problem) -> None:
    moved = changed(every_problem, [Change("arc_cost", 2.0, regions=("hill",))])["arc_cost"].values / every_problem["arc_cost"].values
    host = every_problem.links["cell.region"][every_problem.links["arc.host"]]
    assert (moved == np.where(every_problem.index["region"][host] == "hill", 2.0, 1.0)).all()
    sent = changed(every_problem, [Change("transport", 2.0, regions=("hill",))])["transport"].values / every_problem["transport"].values
    to = every_problem.links["cell.region"][every_problem.links["route.destination"]]
    assert (sent == np.where(every_problem.index["region"][to] == "hill", 2.0, 1.0)).all()


def test_what_follows_follows_again(every_problem: Problem) -> None:
    """The changed problem is the one that is read from changed tables: demand and its use, and value added as what changed inputs leave."""
    case = every()
    got = changed(every_problem, {"demand": 1.2, "coefficient": 0.5, "staff": 0.9})
    tables = case | {
        "demand": case["demand"].with_columns(demand=case["demand"]["demand"] * 1.2),
        "inputs": case["inputs"].with_columns(coefficient=case["inputs"]["coefficient"] * 0.5),
        "staffing": case["staffing"].with_columns(value=case["staffing"]["value"] * 0.9),
    }
    read = read_problem(tables)
    for name in got.data:
        np.testing.assert_allclose(got[name].values.astype(float), read[name].values.astype(float), rtol=1e-12, atol=1e-15, err_msg=name)


def test_the_problem_itself_stays(every_problem: Problem) -> None:
    before = every_problem["demand"].values.copy()
    changed(every_problem, {"demand": 3.0})
    assert (every_problem["demand"].values == before).all()


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (Change("demnd", 1.1), "unknown-parameter"),
        (Change("host", 1.1), "unknown-parameter"),
        (Change("relocation_cost", 1.1), "consumed-parameter"),
        (Change("demand", -1.0), "bad-factor"),
        (Change("demand", float("nan")), "bad-factor"),
        (Change("capacity", 1.1, years=(2027,)), "key-too-many"),
        (Change("demand", 1.1, years=(2050,)), "unknown-label"),
        (Change("demand", 1.1, regions=("hil",)), "unknown-label"),
        (Change("limit", 1.1, of={"resource": ("carbn",)}), "unknown-label"),
        (Change("demand", 1.1, of={"skill": ("plain",)}), "key-too-many"),
        (Change("migration_share", 1.1, of={"skill": ()}), "unknown-label"),
        (Change("observed_greenfield", 1.1), "changes-nothing"),
    ],
)
def test_what_makes_no_sense_is_found(every_problem: Problem, change: Change, code: str) -> None:
    with pytest.raises(InputError) as error:
        changed(every_problem, [change])
    assert [f.code for f in error.value.findings] == [code]


def test_all_problems_at_once(every_problem: Problem) -> None:
    with pytest.raises(InputError) as error:
        changed(every_problem, {"demnd": 1.0, "wage": -1.0})
    assert sorted(f.code for f in error.value.findings) == ["bad-factor", "unknown-parameter"]
    assert "did you mean 'demand'" in str(error.value)


def test_a_change_says_what_it_is() -> None:
    assert str(Change("demand", 1.2, years=(2030,), regions=("hill",))) == "demand × 1.2 (years 2030, regions 'hill')"
