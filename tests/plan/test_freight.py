"""Freight of routes and exports by distance."""

from __future__ import annotations

import polars as pl
import pytest

from hinterland.errors import InputError
from hinterland.plan.freight import with_freight

PLACES = {"A": (0.0, 0.0), "B": (0.0, 9.0)}
TABLES = {
    "cells": pl.DataFrame({"region": ["A", "A", "B", "B"], "industry": ["corn", "cars"] * 2}),
    "routes": pl.DataFrame({"industry": ["corn", "cars"], "origin": ["A", "B"], "destination": ["B", "A"], "flow": [1.0, 1.0]}),
    "exports": pl.DataFrame({"region": ["A", "B"], "industry": ["corn", "corn"], "market": ["asia", "rest"], "flow": [1.0, 1.0]}),
}
DEGREE = 6371.0 * 3.141592653589793 / 180


def test_cost_is_rate_times_distance() -> None:
    made = with_freight(TABLES, PLACES, {"corn": 0.2})
    assert made["routes"]["cost"].to_list() == pytest.approx([0.2 * 9 * DEGREE / 1000, 0.0], rel=1e-3)
    assert made["exports"]["cost"].to_list() == [0.0, 0.0]


def test_exports_go_to_the_nearest_gateway() -> None:
    made = with_freight(TABLES, PLACES, {"corn": 0.2}, {"asia": ((0.0, 30.0), (0.0, -2.0))})
    assert made["exports"]["cost"].to_list() == pytest.approx([0.2 * 2 * DEGREE / 1000, 0.0], rel=1e-3)


def test_all_that_is_unknown_is_said_at_once() -> None:
    with pytest.raises(InputError) as error:
        with_freight(TABLES, {"A": (0.0, 0.0)}, {"corm": 1.0}, {"mars": ((0.0, 0.0),)})
    said = [f.what for f in error.value.findings]
    assert len(said) == 3
    assert "'B'" in said[0] and "'corm'" in said[1] and "'mars'" in said[2]
