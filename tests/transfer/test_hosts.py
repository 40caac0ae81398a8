"""Reception, constraints and selection of an analysis: the numbers of their functions, what needs which input, and codes in words."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest

import hinterland as hl
from hinterland.data.io_table import IOTable
from hinterland.transfer.arrivals import market_potential
from hinterland.transfer.constraints import Indicator, constraints
from hinterland.transfer.economy import Economy
from hinterland.transfer.reception import KINDS, reception
from hinterland.transfer.selection import select_industries
from hinterland.transfer.words import code, explanation

ROLES = {"region": "place", "industry": "trade", "time": "year", "value": "jobs"}
REGIONS, INDUSTRIES = [f"r{k}" for k in range(6)], [f"i{k}" for k in range(5)]
HOSTS = ["r1", "r2", "r4"]


def cells(seed: int = 3) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    x = rng.gamma(0.8, 500, (1, 6, 5)) * np.exp(rng.normal(0, 0.2, (4, 6, 5)).cumsum(axis=0))
    t, r, i = (a.ravel() for a in np.indices(x.shape))
    return pl.DataFrame({"year": 2010 + t, "place": [REGIONS[k] for k in r], "trade": [INDUSTRIES[k] for k in i], "jobs": x.ravel()})


def activity(year: int) -> np.ndarray:
    return cells().filter(year=year).sort("place", "trade")["jobs"].to_numpy().reshape(6, 5)


def table_of(seed: int = 1) -> IOTable:
    rng = np.random.default_rng(seed)
    n = 30
    a = rng.uniform(0, 1, (n, n)) ** 6
    a *= 0.5 / a.sum(axis=0)
    f = rng.gamma(2, 50, (n, 6))
    x = np.linalg.solve(np.eye(n) - a, f.sum(axis=1))
    return IOTable(a * x, f, x, np.repeat(REGIONS, 5), np.tile(INDUSTRIES, 6), np.array(REGIONS), np.array(["final"] * 6), year=2009)


LEVELS = pl.DataFrame({"region": REGIONS, "value": [6.0, 5, 4, 3, 2, 1]})
WAGES = pl.DataFrame({"region": REGIONS, "value": [9.0, 8, 7, 6, 5, 4]})
ZONES = pl.DataFrame({"region": ["r1", "r4"], "value": [0.6, 1.0]})
PLACES = pl.DataFrame({"region": REGIONS, "lon": np.linspace(100, 115, 6), "lat": np.linspace(25, 35, 6)})
FLOWS = pl.DataFrame(
    {
        "source": ["r0", "r3", "r0", "r5"],
        "host": ["r1", "r2", "r4", "r4"],
        "trade": ["i0", "i1", "i2", "i0"],
        "year": 2012,
        "value": [9.0, 5, 4, 7],
    }
)


@pytest.fixture(scope="module")
def tr() -> hl.Transfer:
    return hl.transfer(
        cells(), **ROLES, hosts=HOSTS, flows=FLOWS, same_unit=True, io=table_of(), levels=LEVELS, wages=WAGES, zones=ZONES, places=PLACES
    )


def test_reception_is_that_of_its_function(tr: hl.Transfer) -> None:
    t = table_of()
    z = t.Z.reshape(6, 5, 6, 5)
    x = t.x.reshape(6, 5)
    at = PLACES.select("lon", "lat").to_numpy()
    economy = Economy(
        tuple(REGIONS),
        tuple(INDUSTRIES),
        activity(2010),
        LEVELS["value"].to_numpy(),
        requirements=z.sum(axis=(0, 2)) / x.sum(axis=0),
        local_linkage=np.array([[z[r, :, r, i].sum() / z[:, :, r, i].sum() for i in range(5)] for r in range(6)]),
        local_demand=np.array([[(z[r, i, r].sum() + t.final_demand[r * 5 + i, r]) / x[r, i] for i in range(5)] for r in range(6)]),
        wage=WAGES["value"].to_numpy(),
        market_potential=market_potential(at, activity(2010).sum(axis=1)),
        zone=np.array([0, 0.6, 0, 0, 1.0, 0]),
    )
    want = reception(FLOWS.select("source", "host", "value", industry="trade"), economy)
    got = tr.reception.filter(measure="reception-score", basis="observed")
    for kind in KINDS:
        both = got.filter(component=kind).join(want.flows, left_on=["region", "other", "industry"], right_on=["source", "host", "industry"])
        assert both.height == 4
        np.testing.assert_allclose(both["value"].to_numpy(), both[kind].to_numpy())
        assert (both["label"] == both["kind"]).all()
    assert got["value"].null_count() == 0


def test_parts_and_shares_of_reception(tr: hl.Transfer) -> None:
    parts = tr.reception.filter(measure="reception-part", basis="observed", component="policy-driven/zone")
    assert parts.sort("other", "industry")["value"].to_list() == [0.6, 0.0, 1.0, 1.0]
    shares = tr.reception.filter(measure="reception-share").group_by("basis", "other").agg(pl.col("value").sum())
    np.testing.assert_allclose(shares["value"].to_numpy(), 1)
    assert set(tr.reception.filter(basis="imputed")["imputed"]) == {True}


def test_an_arrival_in_another_unit_is_no_enclave() -> None:
    tr = hl.transfer(cells(), **ROLES, hosts=HOSTS, flows=FLOWS, io=table_of(), levels=LEVELS)
    rows = tr.reception.filter(measure="reception-score", component="enclave")
    assert set(rows.filter(basis="observed")["reason"]) == {"input-not-given"}
    assert rows.filter(basis="imputed")["value"].null_count() == 0
    assert "transfer-flow-unit" in {n.code for n in tr.notes}


def test_scores_without_their_input_say_so() -> None:
    rows = hl.transfer(cells(), **ROLES, hosts=HOSTS).reception.filter(measure="reception-score")
    known = rows.filter(pl.col("value").is_not_null())["component"].unique().to_list()
    assert known == ["cluster"]


def test_links_by_threshold_are_those_of_measure() -> None:
    owned = FLOWS.with_columns(parent_industry=pl.Series(["i0", "i2", "i3", "i4"]))
    t = table_of()
    tr = hl.transfer(cells(), **ROLES, hosts=HOSTS, flows=owned, io=t)
    z, x = t.Z.reshape(6, 5, 6, 5), t.x.reshape(6, 5)
    need = z.sum(axis=(0, 2)) / x.sum(axis=0)
    i, j = (a.ravel() for a in np.indices((5, 5)))
    requirements = pl.DataFrame(
        {"industry": [INDUSTRIES[k] for k in i], "other_industry": [INDUSTRIES[k] for k in j], "value": need.ravel()}
    )
    want = hl.measure(
        "link-kind", owned, industry="trade", other_industry="parent_industry", value="value", region="host", requirements=requirements
    ).frame
    got = tr.reception.filter(measure="link-kind")
    np.testing.assert_allclose(
        got.sort("component", "other", "values")["value"].to_numpy(), want.sort("component", "host", "point")["value"].to_numpy()
    )
    assert explanation(got["rule"][0], got["values"][0]) == "Links are vertical from a direct requirement of 0.001."


def test_candidates_are_those_of_their_function() -> None:
    strategic = pl.DataFrame({"industry": INDUSTRIES, "value": [0.2, 0.4, 0.6, 0.8, 1.0]})
    planned = pl.DataFrame({"region": ["r1", "r1", "r2", "r2", "r4"], "industry": ["i0", "i1", "i1", "i9", "i2"]})
    tr = hl.transfer(cells(), **ROLES, hosts=HOSTS, strategic=strategic, planned=planned)
    plans = {"r1": ["i0", "i1"], "r2": ["i1"], "r4": ["i2"]}
    want = select_industries(activity(2013), REGIONS, INDUSTRIES, HOSTS, strategic=strategic["value"].to_numpy(), planned=plans)
    got = tr.selection.filter(measure="candidate", component="candidate-score").join(
        want.candidates, left_on=["region", "industry"], right_on=["host", "industry"], suffix="_want"
    )
    assert got.height == want.candidates.height
    np.testing.assert_allclose(got["value"].to_numpy(), got["score"].to_numpy())
    assert got["rank"].equals(got["rank_want"].alias("rank"))
    pairs = tr.selection.filter(component="competition-planned").sort("region", "other")["value"].to_list()
    assert pairs == pytest.approx([0.5, 0.0, 0.0])
    assert "planned-industries" in {f.code for f in tr.findings}
    row = got.row(0, named=True)
    for language in ("en", "zh"):
        assert code(row["strongest"], "selection_part", language) in explanation(row["rule"], row["values"], language)  # type: ignore[arg-type]


CONDITIONS = pl.DataFrame(
    {
        "region": HOSTS * 2,
        "year": [2010] * 3 + [2013] * 3,
        "graduates": [1.0, 2, 3, 2, 3, 5],
        "roads": [4.0, 5, 6, 5, 7, 9],
        "dust": [9.0, 5, 6, 8, 4, None],
    }
)
DIMENSIONS = {"talent": "graduates", "infrastructure": ["roads"], "environment": ["-dust"]}


def test_constraints_are_those_of_their_function() -> None:
    tr = hl.transfer(cells(), **ROLES, hosts=HOSTS, conditions=CONDITIONS, dimensions=DIMENSIONS)
    columns = [Indicator("graduates", "talent"), Indicator("roads", "infrastructure"), Indicator("dust", "environment", cost=True)]
    want = constraints(CONDITIONS, columns, time="year")
    rows = tr.constraints.filter(measure="constraint-score")
    for component in ("talent", "infrastructure", "environment", "total"):
        got = rows.filter(component=component).sort("time", "region")["value"].to_list()
        assert got == want.scores.sort("year", "region")[component].to_list()
    assert rows.filter(component="total", region="r4", time=2013)["reason"].item() == "missing-input"
    parts = tr.constraints.filter(measure="constraint-part")
    np.testing.assert_allclose(parts.group_by("region", "time").agg(pl.col("weight").sum())["weight"].to_numpy(), 1)
    first = rows.filter(component="total", region="r1", time=2010).row(0, named=True)
    assert "talent" in explanation(first["rule"], first["values"]) and "人才" in explanation(first["rule"], first["values"], "zh")
    assert "incomplete-rows" in {f.code for f in tr.findings}


def test_every_rule_can_be_said(tr: hl.Transfer) -> None:
    for frame in tr.tables.values():
        if "rule" in frame.columns:
            for rule, values in frame.filter(pl.col("rule") != "").select("rule", "values").unique().iter_rows():
                assert explanation(rule, values) and explanation(rule, values, "zh")


@pytest.mark.parametrize(
    ("more", "codes"),
    [
        ({"conditions": CONDITIONS}, {"no-indicator"}),
        ({"conditions": CONDITIONS, "dimensions": {"luck": "roads"}}, {"unknown-dimension"}),
        ({"strategic": pl.DataFrame({"industry": ["i0"], "value": [2.0]})}, {"scores-lack-industry", "not-between-0-and-1"}),
        ({"planned": pl.DataFrame({"region": ["r0"], "industry": ["i0"]})}, {"planned-regions"}),
    ],
)
def test_bad_input_about_hosts(more: dict[str, Any], codes: set[str]) -> None:
    with pytest.raises(hl.InputError) as error:
        hl.transfer(cells(), **ROLES, hosts=HOSTS, **more)
    assert {f.code for f in error.value.findings} == codes
