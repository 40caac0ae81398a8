"""Amounts too small to be told: where the line is, what is said to be left out, and that an interior point's answer tells the moves of the vertex."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from cases import every

from hinterland.plan.advice import advice_frames
from hinterland.plan.case import read_problem
from hinterland.plan.entry import plan
from hinterland.plan.solve import SolverOptions
from hinterland.plan.specks import AT_ALL, NOTHING, OF_LARGEST, OF_PLACE, Left, cut, region_sizes, specks


def small(amounts: list[float | None], sizes: list[float | None]) -> list[bool]:
    frame = pl.DataFrame({"amount": amounts, "size": sizes}, schema={"amount": pl.Float64, "size": pl.Float64})
    return frame.select(specks("amount", "size")).to_series().to_list()


@pytest.mark.parametrize(
    ("amount", "size", "expected"),
    [
        (0.06, 3000.0, True),  # of a place of 3 000, beside 2 000: 0.06 is less than a thousandth of 3 000 and a ten-thousandth of 2 000
        (0.06, 50.0, False),  # of a place of 50 it is more than a thousandth
        (0.21, 3000.0, False),  # more than a ten-thousandth of 2 000
        (-0.06, 3000.0, True),  # what falls is judged by its size
        (0.02, 3000.0, True),
        (0.0, 3000.0, False),  # nothing is no speck
        (0.15, None, True),  # without a size the largest amount stands for it
        (0.15, 0.0, True),
        (0.25, None, False),
        (None, 3000.0, False),
    ],
)
def test_a_speck_is_small_beside_its_place_and_beside_the_largest(amount: float | None, size: float | None, expected: bool) -> None:
    """Beside an amount of 2 000."""
    assert small([2000.0, amount], [3000.0, size]) == [False, expected]


def test_a_column_of_specks_has_no_large_one() -> None:
    """Nobody moves: the largest amount is a speck itself, and less than a hundred-thousandth of its place."""
    assert small([2e-9, 3e-9, 9.9e-3], [1000.0] * 3) == [True] * 3
    assert small([2e-9, 3e-9, 1.1e-2], [1000.0] * 3) == [True, True, False]
    assert (AT_ALL, OF_PLACE, OF_LARGEST) == (1e-5, 1e-3, 1e-4)


def test_what_is_left_out_is_counted_and_summed() -> None:
    frame = pl.DataFrame({"moved": [2000.0, 0.06, 0.02], "new": [0.0, 500.0, 0.01], "size": [3000.0] * 3})
    made, left = cut(frame, ["moved", "new"])
    assert made["moved"].to_list() == [2000.0, 0.0, 0.0]
    assert made["new"].to_list() == [0.0, 500.0, 0.0]
    assert left.n == 3
    assert left.amount == pytest.approx(0.09)
    assert float(made["moved"].sum() + made["new"].sum()) + left.amount == pytest.approx(float(frame["moved"].sum() + frame["new"].sum()))
    assert cut(frame.head(0), ["moved"])[1] == NOTHING
    assert Left(1, 0.5) + Left(2, 0.25) == Left(3, 0.75)


def test_blocks_are_judged_apart() -> None:
    """People trained cost little beside roads: each kind of need has its own largest amount."""
    frame = pl.DataFrame({"kind": ["road", "training", "training"], "amount": [5000.0, 0.2, 1e-5], "size": [1000.0] * 3})
    assert frame.select(specks("amount", "size")).to_series().to_list() == [False, True, True]
    assert frame.select(specks("amount", "size", ["kind"])).to_series().to_list() == [False, False, True]


def test_the_size_of_a_place_is_the_most_capacity_of_a_year() -> None:
    capacity = pl.DataFrame({"region": ["a"] * 4, "year": [1, 1, 2, 2], "capacity": [3.0, 4, 5, 1]})
    assert region_sizes(capacity).rows() == [("a", 7.0)]


def linear() -> dict[str, Any]:
    """The case with every table, without what needs whole decisions."""
    return {n: f for n, f in every().items() if n not in ("enclaves", "enclave_industries", "agglomeration")}


def test_an_interior_point_tells_the_moves_of_the_vertex() -> None:
    """IPX without crossover leaves amounts in cells where the vertex has none: the frames keep them, and what moves first is that of the vertex."""
    problem = read_problem(linear())
    corner, inside = (plan(problem, options=SolverOptions(method=m, crossover=c)) for m, c in (("simplex", True), ("ipx", False)))  # type: ignore[arg-type]
    assert not inside.solution.crossover
    columns = ("arrivals", "greenfield")
    counts = {c: [int((p.capacity[c].abs() > 1e-12).sum()) for p in (corner, inside)] for c in columns}
    assert any(kept > there for there, kept in counts.values()), counts
    told = [
        advice_frames(p)["plan_first_moves"].select("host", "kind", "industry", "observed", "first_year", "rank") for p in (corner, inside)
    ]
    assert told[0].rows() == told[1].rows()
