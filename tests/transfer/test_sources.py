"""Sources of hosts: shares by hand, balances that sum to zero, concepts that stay apart."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hinterland.data.micro import reduce_links
from hinterland.data.world import simulate
from hinterland.errors import InputError
from hinterland.measure.multiregional import net_transfer, table_of, transfer
from hinterland.transfer.gravity import gravity
from hinterland.transfer.sources import (
    Flows,
    balances,
    group_shares,
    imputed_flows,
    intensity,
    modelled_flows,
    net_flows,
    observed_flows,
    relocation_flows,
    source_structure,
    table_flows,
    together,
    top_pairs,
)

TABLE = pl.DataFrame(
    {
        "source": ["A", "B", "C", "A", "B", "A", "B"],
        "host": ["C", "C", "C", "B", "A", "C", "B"],
        "industry": ["17", "17", "17", "39", "39", "39", "17"],
        "year": [2010, 2010, 2010, 2010, 2010, 2011, 2011],
        "n": [6, 2, 8, 4, 1, 3, 5],
    }
)


@pytest.fixture
def flows() -> Flows:
    return observed_flows(TABLE, value="n", industry="industry", time="year")


def test_sources_of_each_host_by_hand(flows: Flows) -> None:
    """Into C in 2010 from A 6 and B 2 (its own 8 are no flow): ¾ and ¼; in 2011 from A alone."""
    found = source_structure(flows).filter(pl.col("host") == "C")
    assert found.select("time", "source", "value", "share", "rank").rows() == [
        (2010, "A", 6.0, 0.75, 1),
        (2010, "B", 2.0, 0.25, 2),
        (2011, "A", 3.0, 1.0, 1),
    ]
    pooled = source_structure(flows, by=()).filter(pl.col("host") == "C")
    assert pooled.select("source", "share").rows() == [("A", 9 / 11), ("B", 2 / 11)]
    assert set(found["concept"]) == {"observed"}


def test_intensity_needs_what_is_founded_at_home(flows: Flows) -> None:
    """C: 11 of 19 from elsewhere; B: 4 of 9; A founded nothing at home that we know of: no value, and a finding."""
    found, findings = intensity(flows)
    assert found.select("host", "value", "outside", "total").rows() == [
        ("A", None, 1.0, 1.0),
        ("B", 4 / 9, 4.0, 9.0),
        ("C", 11 / 19, 11.0, 19.0),
    ]
    assert [f.code for f in findings] == ["no-own-foundings"]
    yearly, _ = intensity(flows, by=("time",))
    assert yearly.filter((pl.col("host") == "C") & (pl.col("time") == 2010))["value"].to_list() == [0.5]


def test_groups_net_flows_balances_and_top_by_hand(flows: Flows) -> None:
    shares = group_shares(flows)
    assert shares.filter(pl.col("host") == "C").select("group", "share").rows() == [("labour", 8 / 11), ("technology", 3 / 11)]
    own = group_shares(flows, {"17": "soft"}, by=())
    assert own.select("group", "share").rows() == [("soft", 0.5), (None, 0.5)]
    net = net_flows(flows)
    assert net.select("source", "host", "value", "back", "net", "reciprocity").rows()[0] == ("A", "B", 4.0, 1.0, 3.0, 0.4)
    found = balances(flows)
    assert found.select("region", "inflow", "outflow", "net").rows() == [
        ("A", 1.0, 13.0, -12.0),
        ("B", 4.0, 3.0, 1.0),
        ("C", 11.0, 0.0, 11.0),
    ]
    top = top_pairs(flows, 2)
    assert top.select("source", "host", "value", "cumulative").rows() == [("A", "C", 9.0, 9 / 16), ("A", "B", 4.0, 13 / 16)]
    assert top_pairs(flows, 1, by=("source",))["share"].to_list() == [13 / 16]


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.sampled_from("ABCD"), st.sampled_from("ABCD"), st.integers(0, 50)), min_size=1, max_size=30))
def test_identities(rows: list[tuple[str, str, int]]) -> None:
    """Balances sum to zero, nets are antisymmetric, shares of each host sum to one."""
    flows = observed_flows(pl.DataFrame(rows, schema=["source", "host", "n"], orient="row"), value="n")
    assert balances(flows)["net"].sum() == 0
    net = {(s, h): v for s, h, v in net_flows(flows).select("source", "host", "net").iter_rows()}
    assert all(net[h, s] == -v for (s, h), v in net.items())
    for _, part in source_structure(flows).group_by("host"):
        assert part["value"].sum() == 0 or part["share"].sum() == pytest.approx(1.0)
    found, _ = intensity(flows)
    assert found["value"].drop_nulls().is_between(0, 1).all()


def test_moves_of_firms() -> None:
    events = pl.DataFrame(
        {
            "firm": ["f1", "f2", "f3", "f4", "f5"],
            "old": ["A", "A", "B", "B", None],
            "new": ["B", "B", "A", "B", "A"],
            "year": [2010, 2010, 2011, 2011, 2011],
            "staff": [10.0, 5.0, 2.0, 9.0, 1.0],
        }
    )
    roles: dict[str, Any] = {"firm": "firm", "before": "old", "after": "new", "time": "year"}
    flows = relocation_flows(events, **roles)
    assert flows.frame.rows() == [("A", "B", 2010, 2.0), ("B", "A", 2011, 1.0)]
    assert [f.code for f in flows.findings] == ["move-open", "within-region"]
    assert relocation_flows(events, **roles, weight="staff").frame["value"].to_list() == [15.0, 2.0]
    with pytest.raises(InputError, match="firm-moves-twice"):
        relocation_flows(events.with_columns(firm=pl.lit("f1")), **roles)
    with pytest.raises(InputError, match="unknown-column"):
        relocation_flows(events, **{**roles, "after": "to"})


def test_concepts_are_kept_apart() -> None:
    """The worked example of absolute transfer, imputed: A → B 19, A → C 6. Of the two-region tables: N¹² = −6.343172, so from 1 to 2."""
    start, end = np.array([[100.0, 50], [60, 90], [40, 60]]), np.array([[110.0, 60], [100, 100], [60, 80]])
    imputed = imputed_flows(start, end, list("ABC"), ["17", "39"], time=2020)
    assert imputed.frame.filter(pl.col("industry") == "17").select("source", "host", "value").rows() == [("A", "B", 19.0), ("A", "C", 6.0)]
    tables = [table_of(np.array(a), np.array(f)) for a, f in (
        ([[0.3, 0.1], [0.05, 0.25]], [[80.0, 20], [10, 60]]), ([[0.28, 0.12], [0.08, 0.27]], [[85.0, 25], [20, 80]]),
    )]  # fmt: skip
    modelled = table_flows(net_transfer(transfer(*tables).change), ["1", "2"], ["all"], time=2020)
    assert modelled.frame.select("source", "host").rows() == [("1", "2")]
    assert modelled.frame["value"].to_list() == pytest.approx([6.343172], abs=1e-6)
    both = together([imputed, modelled])
    assert both["concept"].unique().sort().to_list() == ["imputed", "modelled"]
    assert [f.concept for f in (imputed, modelled)] == ["imputed", "modelled"]
    assert set(source_structure(imputed)["concept"]) == {"imputed"}
    assert repr(imputed).startswith("Flows(imputed, losses matched")


def test_gravity_and_links_become_flows() -> None:
    """The equation's expected flows sum, by source and year, to the observed ones: its effects see to that."""
    world = simulate(periods=2, first_year=2012)
    table = world.input("flows").filter(pl.col("industry").is_in(["17", "39"]))
    fit = gravity(table, terms=["ln_distance"], effects=["source^time", "host^time"], value="projects", time="year", industry="industry")
    expected = modelled_flows(fit)
    observed = observed_flows(table, value="projects", industry="industry", time="year")
    assert expected.concept == "modelled"
    assert expected.keys == ("source", "host", "industry", "time")
    a, b = (f.over("source", "time") for f in (expected, observed))
    assert a["value"].to_numpy() == pytest.approx(b["value"].to_numpy(), rel=1e-7)
    roles: dict[str, Any] = {"owner": "owner", "region": "adcode", "parent": "owner", "parent_region": "adcode", "time": "year"}
    cells = reduce_links(world.input("links").lazy(), world.input("owners").lazy(), **roles, region_level="province")
    counted = observed_flows(cells.frame, value="n", time="time")
    whole = observed_flows(world.input("flows"), value="projects", time="year")
    want = whole.over("source", "host", "time").filter(pl.col("value") > 0)
    assert counted.over("source", "host", "time").equals(want)


def test_bad_flows(flows: Flows) -> None:
    with pytest.raises(InputError) as error:
        observed_flows(TABLE, value="m", industry="industri")
    assert [f.code for f in error.value.findings] == ["unknown-column"] * 2
    with pytest.raises(InputError) as error:
        observed_flows(TABLE.with_columns(n=pl.Series([-1, None, 1, 1, 1, 1, 1])), value="n")
    assert [f.code for f in error.value.findings] == ["flow-missing", "flow-negative"]
    plain = observed_flows(TABLE, value="n")
    for bad in (lambda: plain.over("time"), lambda: group_shares(plain), lambda: intensity(plain, by=("time",))):
        with pytest.raises(InputError, match="flow-key-unknown"):
            bad()
    with pytest.raises(InputError, match="industry-without-group"):
        group_shares(flows, {"x": "y"})
