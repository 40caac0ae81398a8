"""Reception of transfer: scores by hand, labels and ties, properties, bad input."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hinterland.errors import InputError
from hinterland.transfer.economy import Economy
from hinterland.transfer.reception import KINDS, THRESHOLDS, label, label_changes, reception
from hinterland.transfer.reception_scores import (
    arrival_share,
    chain_links,
    chain_score,
    cluster_score,
    cost_score,
    enclave_score,
    market_score,
    percentile,
    policy_score,
    relative_saving,
)


def a(*values: float) -> np.ndarray:
    return np.array(values, dtype=float)


def test_scores_by_hand() -> None:
    assert arrival_share(a(50, 10, 0), a(50, 0, 0)).tolist()[:2] == [0.5, 1.0] and np.isnan(arrival_share(a(0), a(0))[0])
    assert enclave_score(a(0.2, 1.0), a(0.1, 0.1), a(0.9, 0.9)) == pytest.approx([(0.8 * 0.9 * 0.9) ** (1 / 3), 0.0])
    assert cluster_score(a(3.0), a(0.75)) == pytest.approx([0.75])
    assert cluster_score(a(3.0, 3.0), a(0.75, 0.75), a(0.05, -0.1)) == pytest.approx([(0.75 * 0.75 * 0.5) ** (1 / 3), 0.0])
    assert relative_saving(a(60, 120), a(100, 100)).tolist() == pytest.approx([0.4, 0.0])
    assert cost_score(np.array([[0.4, 0.2]])) == pytest.approx([0.3])
    assert cost_score(np.array([[0.4, 0.2]]), a(0.3, 0.1)) == pytest.approx([0.35])
    assert market_score(a(30), a(10)) == pytest.approx([0.75]) and market_score(a(30), a(10), a(0.48)) == pytest.approx([0.6])
    assert policy_score(a(0.5, 0.0, 1.0), a(0.1, 0.3, 0.0)) == pytest.approx([0.75, 0.75, 1.0])
    assert policy_score(a(0.25)) == pytest.approx([0.25])


def test_links_of_a_chain_by_hand() -> None:
    """Three industries; the host is specialised in the second. The first buys .1 from it and .3 from the third; the second buys .2 of the first, the third nothing."""
    requirements = np.array([[0.5, 0.2, 0.0], [0.1, 0.0, 0.0], [0.3, 0.0, 0.9]])
    up, down = chain_links(requirements, np.array([[0.0, 1.0, 0.0]]))
    assert up[0] == pytest.approx([0.25, 0.0, np.nan], nan_ok=True)
    assert down[0] == pytest.approx([1.0, 0.0, 0.0], nan_ok=True)
    assert chain_score(up, down)[0] == pytest.approx([1.0, 0.0, 0.0])
    assert np.isnan(chain_score(a(np.nan), a(np.nan))[0])


def test_percentiles_by_hand() -> None:
    assert percentile(np.array([[10.0, 30, 20, np.nan], [1, 1, 1, 2]])).tolist()[0][:3] == pytest.approx([1 / 6, 5 / 6, 3 / 6])
    assert percentile(a(1, 1, 1, 2)) == pytest.approx([3 / 8, 3 / 8, 3 / 8, 7 / 8])
    assert np.isnan(percentile(a(np.nan, np.nan))).all()


UNIT = st.floats(0, 1)


@settings(max_examples=60, deadline=None)
@given(arrays(float, (6, 7), elements=UNIT), UNIT)
def test_scores_lie_between_zero_and_one_and_move_as_they_should(v: np.ndarray, more: float) -> None:
    every = [
        enclave_score(v[0], v[1], v[2]),
        cluster_score(10 * v[0], v[1], v[2] - 0.5),
        cost_score(v[:3].T, v[3:].T + 0.01),
        market_score(5 * v[0] + 0.1, v[1] + 0.1, v[2]),
        policy_score(v[0], 3 * v[1]),
    ]
    assert all((s >= -1e-12).all() and (s <= 1 + 1e-12).all() for s in every)
    up = np.minimum(v[0] + more, 1)
    assert (enclave_score(up, v[1], v[2]) <= every[0] + 1e-12).all()
    assert (policy_score(up, 3 * v[1]) >= every[4] - 1e-12).all()
    ranks = percentile(v)
    assert ranks.mean(axis=1) == pytest.approx(np.full(6, 0.5))


def test_labels_come_last_and_say_ties() -> None:
    theta = np.array([THRESHOLDS[k] for k in KINDS])
    rows = np.array(
        [
            [0.9, 0.2, 0.2, 0.0, 0.1, 0.1],
            [0.4, 0.4, 0.4, 0.1, 0.4, 0.4],
            [0.8, 0.79, 0.2, 0.0, 0.1, 0.1],
            [np.nan] * 6,
            [np.nan, 0.6, np.nan, np.nan, np.nan, np.nan],
            [0.52, 0.48, 0.2, 0.0, 0.1, 0.1],
            [0.1, 0.1, 0.1, 0.2, 0.1, 0.5],
        ]
    )
    kinds, tied = label(rows, theta, 0.05)
    assert kinds == ["enclave", "none", "tied", None, "chain-extension", "enclave", "tied"]
    assert tied == [None, None, "enclave, chain-extension", None, None, None, "cost-driven, policy-driven"]
    assert label(rows[:1], np.ones(6), 0.05)[0] == ["none"]


def economy() -> Economy:
    activity = np.array([[10.0, 40, 15, 30, 2], [40, 15, 20, 1, 30], [5, 30, 15, 40, 1], [30, 1, 10, 12, 30]])
    rng = np.random.default_rng(0)
    return Economy(
        regions=("Guangdong", "Sichuan", "Jiangsu", "Yunnan"),
        industries=("food", "phones", "metals", "chips", "tea"),
        activity=activity,
        income=a(9, 5, 10, 3),
        requirements=np.round(rng.uniform(0, 0.2, (5, 5)), 3),
        local_linkage=rng.uniform(0, 1, (4, 5)),
        wage=a(100, 60, 110, 50),
        land_price=a(20, 10, 25, 8),
        factor_shares=np.array([[0.2, 0.1]] * 5),
        market_potential=a(10, 6, 12, 3),
        local_demand=rng.uniform(0, 1, (4, 5)),
        localisation=a(0.01, 0.06, 0.03, 0.1, 0.0),
        zone=a(0, 1, 0, 0.5),
        support=a(0, 0.05, 0, 0.1),
    )


FLOWS = pl.DataFrame(
    {
        "source": ["Guangdong", "Jiangsu", "Yunnan", "Guangdong"],
        "host": ["Sichuan", "Yunnan", "Sichuan", "Jiangsu"],
        "industry": ["phones", "chips", "metals", "phones"],
        "parent_industry": ["phones", "phones", "metals", "chips"],
        "value": [20.0, 5.0, 2.0, 10.0],
    }
)


def test_every_flow_has_scores_parts_pattern_link_and_label() -> None:
    found = reception(FLOWS, economy())
    assert found.flows.height == 4 and {*KINDS, "tier_gap", "pattern", "link", "kind", "tied"} <= set(found.flows.columns)
    first = found.flows.row(0, named=True)
    assert first["cost-driven"] == pytest.approx((0.2 * 0.4 + 0.1 * 0.5) / 0.3)
    assert first["policy-driven"] == 1.0 and first["tier_gap"] > 0 and first["link"] == "horizontal"
    parts = {(k, p): v for _, k, p, v in found.parts.filter(pl.col("flow") == 0).iter_rows()}
    assert parts["enclave", "arrival_share"] == pytest.approx(20 / 35)
    assert first["enclave"] == pytest.approx(
        ((1 - parts["enclave", "local_linkage"]) * (1 - parts["enclave", "relatedness"]) * 20 / 35) ** (1 / 3)
    )
    assert found.flows["pattern"].to_list() == ["leapfrog", "leapfrog", "leapfrog", "reverse-gradient"]
    assert found.shares.group_by("host").agg(pl.col("share").sum())["share"].to_list() == pytest.approx([1.0] * 3)


def test_scores_without_their_inputs_are_unknown() -> None:
    bare = replace(
        economy(), requirements=None, local_linkage=None, wage=None, land_price=None, market_potential=None, zone=None, support=None
    )
    found = reception(FLOWS.drop("parent_industry"), bare).flows
    assert all(found[k].null_count() == 4 for k in KINDS if k != "cluster") and found["cluster"].null_count() == 0
    assert "link" not in found.columns
    only = replace(bare, support=a(0, 0.1, 0, 0.1), land_price=a(20, 10, 25, 8), factor_shares=None)
    found = reception(FLOWS, only).flows
    assert found["policy-driven"].to_list() == pytest.approx([0.5, 0.5, 0.5, 0.0])
    assert found["cost-driven"][0] == pytest.approx(0.5)


def test_labels_that_rest_on_a_threshold_are_counted() -> None:
    found = reception(FLOWS, economy())
    changes = label_changes(found, by=0.5)
    assert changes.shape == (12, 3) and changes["share"].is_between(0, 1).all()
    row = changes.filter(pl.col("kind") == "policy-driven", pl.col("direction") == "higher")["share"].item()
    moved = reception(FLOWS, economy(), thresholds={**THRESHOLDS, "policy-driven": 0.75}).flows["kind"]
    assert row == pytest.approx(float((moved != found.flows["kind"]).mean()))
    assert label_changes(found, by=0.0)["share"].sum() == 0


def test_order_of_flows_does_not_matter() -> None:
    one, other = reception(FLOWS, economy()).flows, reception(FLOWS.reverse(), economy()).flows.reverse()
    assert one.equals(other)
    assert repr(economy()) == "Economy(4 regions × 5 industries)" and repr(reception(FLOWS, economy())).startswith("Reception(4 flows")


def test_every_wrong_flow_at_once() -> None:
    bad = FLOWS.with_columns(host=pl.lit("Mars"), value=pl.lit(-1.0)).drop("industry")
    with pytest.raises(InputError) as error:
        reception(bad, economy(), thresholds={"enclave": 2.0})
    assert [f.code for f in error.value.findings] == ["unknown-column", "label-unknown", "negative-value", "out-of-range"]


def test_every_wrong_number_of_an_economy_at_once() -> None:
    with pytest.raises(InputError) as error:
        replace(economy(), zone=a(0, 2, 0, 0), wage=a(1, 2), land_price=a(-1, 1, 1, 1), regions=("a", "a", "b", "c"))
    assert sorted(f.code for f in error.value.findings) == ["negative-value", "not-between-0-and-1", "repeated-label", "shape-differs"]
