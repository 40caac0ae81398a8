"""Near-optimal alternatives: classes and ranges that follow by hand, and the same by an independent solver."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import polars as pl
import pytest
import scipy.sparse as sp
from cases import every
from choice_cases import TENTH, dirty_and_clean, hosts_of_four_kinds
from scipy.optimize import linprog

import hinterland as hl
from hinterland.errors import InputError
from hinterland.plan.alternatives import Alternatives
from hinterland.plan.directions import extremes, halton, sites

INDUSTRIES = {"chips": ["chips"], "ore": ["ore"]}
COST = 200 + 1200 / 11
"""100 of each industry on the coast at cost 1; then 100 of each at hosts for 0.5 · 10/11 and capital of 1/11."""


@pytest.fixture(scope="module")
def problem() -> hl.Problem:
    return hl.read_problem(hosts_of_four_kinds(), settings=TENTH)


@pytest.fixture(scope="module")
def found(problem: hl.Problem) -> Alternatives:
    return hl.alternatives(problem, [0.01, 0.05], groups=INDUSTRIES)


def row(found: Alternatives, host: str, group: str, slack: float = 0.05) -> dict[str, object]:
    return found.ranges.row(by_predicate=(pl.col("host") == host) & (pl.col("group") == group) & (pl.col("slack") == slack), named=True)


def test_classes_and_ranges_by_hand(found: Alternatives) -> None:
    """The slack is S = 0.05 · 309.09 = 15.45. Not making a unit of ore at the mine loses 0.5 · 10/11 − 1/11 = 4/11: at least 100 − S · 11/4 = 57.5 is made, more than
    half. A twin can be left out, or have all 100 and S · 11 = 170 idle. The summit costs 50/11 where a twin costs 1/11: instead of it at most S · 11/49 = 3.47, of
    270 that a twin can have.
    """
    slack = 0.05 * COST
    assert found.cost == pytest.approx(COST)
    mine, twin, summit = row(found, "mine", "ore"), row(found, "east", "chips"), row(found, "summit", "chips")
    assert (mine["class"], twin["class"], summit["class"]) == ("must-have", "free", "must-avoid")
    assert mine["lowest"] == pytest.approx(100 - slack * 11 / 4, rel=1e-5)
    assert mine["highest"] == pytest.approx(100 + slack * 11, rel=1e-5)
    assert twin["lowest"] == pytest.approx(0.0, abs=1e-5)
    assert twin["highest"] == pytest.approx(100 + slack * 11, rel=1e-5)
    assert summit["highest"] == pytest.approx(slack * 11 / 49, rel=1e-4)
    assert row(found, "west", "chips")["class"] == "free"
    assert found.ranges["proven"].all()


def test_less_slack_has_narrower_ranges(found: Alternatives) -> None:
    narrow, wide = (found.ranges.filter(pl.col("slack") == s) for s in (0.01, 0.05))
    assert (narrow["lowest"] >= wide["lowest"] - 1e-6).all()
    assert (narrow["highest"] <= wide["highest"] + 1e-6).all()
    assert row(found, "mine", "ore", 0.01)["lowest"] == pytest.approx(100 - 0.01 * COST * 11 / 4, rel=1e-5)


def test_every_alternative_keeps_to_the_slack(found: Alternatives) -> None:
    assert (found.found["cost"] <= COST * (1 + found.found["slack"]) + 1e-4).all()
    assert found.found["alternative"].n_unique() == 2 * 2 * 4
    assert found.penalty == 0.0


def test_plan_of_an_alternative(found: Alternatives) -> None:
    asked = found.found.filter((pl.col("aim") == "least mine ore") & (pl.col("slack") == 0.05))
    plan = found.plan(asked["alternative"][0])
    held = plan.capacity.filter((pl.col("region") == "mine") & (pl.col("year") == 2027))["capacity"][0]
    assert held == pytest.approx(100 - 0.05 * COST * 11 / 4, rel=1e-5)
    with pytest.raises(InputError, match="no alternative 99"):
        found.plan(99)


def test_extremes_are_those_of_another_solver() -> None:
    """Without whole variables, ranges of the case with every table are those that scipy's interface finds one by one, with shortfalls at 0."""
    plan = hl.plan(hl.read_problem(_continuous()))
    made, program = plan.model, plan.model.program
    found = hl.alternatives(plan, 0.03, groups=["cloth"])
    assert not program.is_mixed
    assert found.penalty == 0.0
    where = sites(made, ["cloth"], None)
    bounds = np.column_stack([program.lower, np.where(program.penalty > 0, 0.0, program.upper)])
    cost = program.objectives["cost"]
    low, high = np.isfinite(program.row_lower), np.isfinite(program.row_upper)
    rows = sp.vstack([-program.matrix[np.flatnonzero(low)], program.matrix[np.flatnonzero(high)]], format="csr")
    sides = np.concatenate([-program.row_lower[low], program.row_upper[high]])
    best = linprog(cost, A_ub=rows, b_ub=sides, bounds=bounds).fun
    assert found.cost == pytest.approx(best, rel=1e-7)
    for n, weights in enumerate(extremes(len(where.host))):
        end = linprog(
            where.cost(weights, len(cost)),
            A_ub=sp.vstack([rows, sp.csr_array(cost[None, :])], format="csr"),
            b_ub=[*sides, 1.03 * best],
            bounds=bounds,
        )
        shown = found.ranges["highest" if n % 2 else "lowest"][n // 2]
        assert shown == pytest.approx(abs(end.fun), rel=1e-4), where.host[n // 2]


def _continuous() -> dict[str, pl.DataFrame]:
    """The case with every table, without what needs whole variables."""
    return {k: v for k, v in every().items() if k not in ("enclaves", "enclave_industries", "agglomeration")}


def test_random_directions_are_inner_bounds(problem: hl.Problem, found: Alternatives) -> None:
    drawn, again = (hl.alternatives(problem, groups=INDUSTRIES, directions="random", count=12, seed=3) for _ in range(2))
    keys = ["host", "group"]
    both = found.ranges.filter(pl.col("slack") == 0.05).join(drawn.ranges, on=keys, suffix="_drawn")
    assert (both["lowest_drawn"] >= both["lowest"] - 1e-5).all()
    assert (both["highest_drawn"] <= both["highest"] + 1e-5).all()
    assert not drawn.ranges["proven"].any()
    assert drawn.found.equals(again.found)
    assert drawn.found.filter(pl.col("host") == "east")["value"].n_unique() > 1
    assert "alternatives-sampled" in [n.code for n in drawn.notes]


def test_halton_directions_have_unit_length_in_sizes() -> None:
    sizes = np.array([1.0, 10.0, 100.0])
    drawn = halton(64, sizes, seed=1)
    np.testing.assert_allclose(np.linalg.norm(drawn * sizes, axis=1), 1.0)
    assert np.abs((drawn * sizes).mean(axis=0)).max() < 0.1


def test_threads_find_the_same(problem: hl.Problem, found: Alternatives) -> None:
    with ThreadPoolExecutor(2) as pool:
        spread = hl.alternatives(problem, [0.01, 0.05], groups=INDUSTRIES, executor=pool)
    for name in ("lowest", "highest"):
        np.testing.assert_allclose(spread.ranges[name], found.ranges[name], rtol=1e-5, atol=1e-5)


def test_time_that_is_up_leaves_classes_open(problem: hl.Problem) -> None:
    none = hl.alternatives(problem, groups=INDUSTRIES, seconds=0.0)
    assert none.ranges["class"].null_count() == none.ranges.height
    assert none.found.is_empty()
    note = next(n for n in none.notes if n.code == "alternatives-unbegun")
    assert note.values["count"] == 8
    assert none.ranges["optimum"].sum() == pytest.approx(200.0)


def test_shortfall_is_kept() -> None:
    """10 are missing in 2026 whatever is done; falling short of more would free capacity for every direction."""
    case = hl.read_problem(dirty_and_clean(coast=90.0), settings=TENTH | {"penalty": 0.01})
    found = hl.alternatives(case, 0.05, groups=["chips"])
    assert found.penalty == pytest.approx(0.1)
    for n in (0, 1):
        short = found.plan(n).objectives.filter(pl.col("objective") == "shortfall")["value"][0]
        assert short == pytest.approx(0.1, rel=1e-4)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({"slack": 0.0}, "bad-slack"),
        ({"slack": []}, "bad-slack"),
        ({"directions": "all"}, "unknown-directions"),
        ({"directions": "random"}, "no-seed"),
        ({"directions": "random", "seed": 1, "count": 0}, "bad-count"),
        ({"threshold": 2.0}, "not-a-part"),
        ({"negligible": -1.0}, "not-a-part"),
        ({"year": 1999}, "unknown-year"),
        ({"groups": ["chip"]}, "unknown-group"),
        ({"groups": {"all": ["chips", "tea"]}}, "unknown-group"),
        ({"groups": {"none": []}}, "no-sites"),
    ],
)
def test_what_cannot_be_asked(problem: hl.Problem, arguments: dict[str, object], code: str) -> None:
    with pytest.raises(InputError) as caught:
        hl.alternatives(problem, **arguments)  # type: ignore[arg-type]
    assert [f.code for f in caught.value.findings] == [code]
