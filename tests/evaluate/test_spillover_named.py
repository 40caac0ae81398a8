"""Named channels of spillovers: against single exposures, dense formulas, the pooled regression by hand, bad input, simulated truth."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray
from recording import Recorder

import hinterland as hl
from hinterland.data.globe import arc_km, on_sphere
from hinterland.errors import EstimationError
from hinterland.evaluate.spatial import host_weights
from hinterland.labels import LANGUAGES

Floats = NDArray[np.float64]
NEAR: dict[str, Any] = {"nearest": 4, "within_km": 300.0}


@pytest.fixture(scope="module")
def world() -> hl.World:
    return hl.simulate(units=300, seed=3, periods=9, spillover=-0.5, treated_share=0.2)


def inputs(world: hl.World) -> tuple[hl.Panel, str, hl.Cohorts]:
    return world.panel, "ln_inventions", world.policy


def east(world: hl.World) -> list[str]:
    frame = world.panel.frame
    return [str(u) for u in frame.filter(pl.col("macro_region") == "east")["adcode"].unique(maintain_order=True)]


def channels(world: hl.World) -> dict[str, dict[str, Any]]:
    return {"neighbours": NEAR, "sources": {"among": east(world), "nearest": 5, "within_km": 1500.0, "decay": 1.0}}


def fitted(world: hl.World, given: dict[str, dict[str, Any]], **more: Any) -> hl.Effects:
    return hl.estimate(*inputs(world), "spillover", channels=given, **more)


def test_one_channel_of_everybody_is_the_single_exposure(world: hl.World) -> None:
    single = hl.estimate(*inputs(world), "spillover", exposure="neighbours", **NEAR)
    named = fitted(world, {"neighbours": NEAR})
    np.testing.assert_array_equal(named.estimate, single.estimate)
    np.testing.assert_array_equal(named.vcov, single.vcov)
    rings = hl.estimate(*inputs(world), "spillover", rings=(100.0, 200.0))
    np.testing.assert_array_equal(fitted(world, {"around": {"rings": (100.0, 200.0)}}).estimate, rings.estimate)
    whole, alone = hl.displacement_test(single), hl.displacement_test(named, channel="neighbours")
    np.testing.assert_allclose(alone.estimate, whole.estimate, rtol=1e-12)
    np.testing.assert_allclose(alone.std_error, whole.std_error, rtol=1e-12)
    assert (alone.share, alone.verdict) == (pytest.approx(whole.share), whole.verdict)


def test_hosts_weights_are_those_of_a_dense_matrix() -> None:
    rng = np.random.default_rng(0)
    place = np.column_stack([100 + 8 * rng.random(60), 25 + 8 * rng.random(60)])
    hosts = rng.random(60) < 0.3
    hosts[:2] = True
    points = on_sphere(place)
    km = np.asarray(arc_km(np.linalg.norm(points[:, None] - points, axis=2)))
    np.fill_diagonal(km, np.inf)
    km[:, ~hosts] = np.inf
    for count, reach, power in ((3, np.inf, 0.0), (3, 150.0, 2.0), (0, 200.0, 1.0), (100, np.inf, 0.5)):
        kept = km <= reach
        if count:
            kept &= np.argsort(np.argsort(km, axis=1, kind="stable"), axis=1) < count
        kept &= np.isfinite(km)
        raw = np.where(kept, np.maximum(np.where(kept, km, 1.0), 1.0) ** -power, 0.0)
        total = raw.sum(axis=1, keepdims=True)
        wanted = raw / np.where(total > 0, total, 1.0)
        np.testing.assert_allclose(host_weights(place, hosts, count, reach, power).toarray(), wanted, atol=1e-12)
    place[1] = place[0]  # two hosts at one place are neighbours, 1 km apart
    assert host_weights(place, hosts, 1)[[0, 1], [1, 0]].tolist() == [1.0, 1.0]
    assert host_weights(place, np.zeros(60, dtype=bool), 3).nnz == 0


def test_two_channels_in_one_regression_are_that_regression(world: hl.World) -> None:
    """One regression of all rows, by hand: unit and period dummies, own treatment, and the two exposures of untreated rows."""
    found = fitted(world, channels(world), estimator="twfe", vcov="iid")
    frame = world.panel.frame.sort("adcode", "year")
    units, years = frame["adcode"].unique(maintain_order=True), frame["year"].unique().sort()
    n, t = len(units), len(years)
    first = frame.group_by("adcode", maintain_order=True).first()
    place = first.select("lon", "lat").to_numpy()
    cohorts = dict(world.policy.table.select("unit", "cohort").iter_rows())
    adopted = np.array([cohorts.get(str(u)) or 10**6 for u in units], dtype=np.float64)
    on = years.to_numpy() >= adopted[:, None]
    points = on_sphere(place)
    km = np.asarray(arc_km(np.linalg.norm(points[:, None] - points, axis=2)))
    np.fill_diagonal(km, np.inf)
    rank = np.argsort(np.argsort(km, axis=1), axis=1)
    near = (rank < 4) & (km <= 300)
    to_hosts = np.where(on.any(axis=1), km, np.inf)
    linked = (np.argsort(np.argsort(to_hosts, axis=1), axis=1) < 5) & (to_hosts <= 1500)
    raw = np.where(linked, 1 / np.maximum(np.where(linked, to_hosts, 1.0), 1.0), 0.0)
    inside = np.isin([str(u) for u in units], east(world))
    amounts = [(w / np.maximum(w.sum(axis=1, keepdims=True), 1e-300)) @ on for w in (near.astype(float), raw)]
    amounts[1] = amounts[1] * inside[:, None]
    columns = [on.ravel().astype(float), *(np.where(on, 0.0, a).ravel() for a in amounts)]
    dummies = np.hstack([np.kron(np.eye(n), np.ones((t, 1))), np.kron(np.ones((n, 1)), np.eye(t))[:, 1:]])
    slope = np.linalg.lstsq(np.column_stack([*columns, dummies]), frame["ln_inventions"].to_numpy(), rcond=None)[0][:3]
    np.testing.assert_allclose(found.estimate[:3], slope, rtol=1e-7, atol=1e-9)
    sums = np.array([c.sum() for c in columns])
    whole = hl.displacement_test(found)
    np.testing.assert_allclose(whole.estimate, [slope[0], slope[1:] @ sums[1:] / sums[0], slope @ sums / sums[0]], rtol=1e-6)
    one = hl.displacement_test(found, channel="sources")
    assert one.estimate[1] == pytest.approx(slope[2] * sums[2] / sums[0], rel=1e-6)


def test_channels_add_up_and_say_whom_they_are_about(world: hl.World) -> None:
    found = fitted(world, channels(world))
    whole = hl.displacement_test(found)
    parts = [hl.displacement_test(found, channel=c) for c in ("neighbours", "sources")]
    assert whole.estimate[2] == pytest.approx(whole.estimate[0] + sum(p.estimate[1] for p in parts))
    assert whole.channel == "all"
    for language in LANGUAGES:
        said = {p.channel: p.statement(language) for p in (whole, *parts)}
        assert "sources" in said["sources"]
        assert len(set(said.values())) == 3
    with pytest.raises(EstimationError, match="tell no channel"):
        hl.displacement_test(found, channel="elsewhere")


def test_a_table_of_pairs_is_the_rule_it_was_made_from(world: hl.World) -> None:
    table = pl.DataFrame(world.policy.table).select("unit", "cohort")
    hosts = table.filter(pl.col("cohort") < 10**5)["unit"].to_list()[:20]
    sources = [u for u in east(world) if u not in set(hosts)]
    pairs = pl.DataFrame(
        [(u, h, 1.0 + (i + j) % 3) for i, u in enumerate(sources) for j, h in enumerate(hosts)], ["unit", "host", "weight"], orient="row"
    )
    first = fitted(world, {"sources": {"neighbours": pairs}})
    again = fitted(world, {"sources": {"neighbours": pairs.rename({"host": "neighbour"}), "among": sources}})
    np.testing.assert_array_equal(first.estimate, again.estimate)


def test_others_that_the_link_reaches_are_left_out_where_asked(world: hl.World) -> None:
    given = {"near": {**NEAR, "among": east(world), "partners": "units"}}
    kept, out = fitted(world, given), fitted(world, {"near": {**given["near"], "others": "out"}})
    assert out.meta["n_obs"] < kept.meta["n_obs"]
    assert out.meta["channel_terms"] == kept.meta["channel_terms"]
    assert "channel-left-out" in [n.code for n in out.notes]
    early = fitted(world, {"near": {**given["near"], "others": "out"}}, anticipation=1)
    assert early.meta["n_obs"] < out.meta["n_obs"]


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({}, "bad-channels"),
        ({"all": NEAR}, "bad-channels"),
        ({"a": {"near": 4}}, "unknown-option"),
        ({"a": {"partners": "towns"}}, "unknown-value"),
        ({"a": {"others": "in", "among": ["x"]}}, "unknown-value"),
        ({"a": {"rings": (50.0, 20.0)}}, "bad-rings"),
        ({"a": {"rings": (50.0,), "nearest": 3}}, "option-unused"),
        ({"a": {"others": "out"}}, "option-unused"),
        ({"a": {"within_km": -1}}, "bad-distance"),
        ({"a": {"decay": -1}}, "bad-decay"),
        ({"a": {"nearest": 1.5}}, "not-whole"),
        ({"a": {"nearest": 0}}, "no-neighbours"),
        ({"a": {"among": "east"}}, "bad-among"),
        ({"a": {"among": ["nowhere"]}}, "nobody-among"),
        ({"a": {"within_km": 0.001}}, "no-neighbours"),
        ({"a": {"within_km": 0.001, "partners": "hosts"}}, "nobody-exposed"),
    ],
)
def test_bad_channels_are_findings(world: hl.World, given: dict[str, Any], code: str) -> None:
    with pytest.raises(EstimationError) as caught:
        fitted(world, given)
    assert code in [f.code for f in caught.value.findings]
    assert all(f.what and f.where and f.remedy for f in caught.value.findings)


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"estimator": "sdm"}, "not-defined"),
        ({"within_km": 3.0}, "option-unused"),
        ({"lag_covariates": True}, "option-unused"),
        ({"exposure": "neighbours"}, "option-unused"),
    ],
)
def test_options_of_one_exposure_are_not_taken_beside_channels(world: hl.World, more: dict[str, Any], code: str) -> None:
    with pytest.raises(EstimationError) as caught:
        fitted(world, {"a": NEAR}, **more)
    assert {f.code for f in caught.value.findings} == {code}


def test_sources_that_are_all_treated_or_have_no_coordinates_are_named(world: hl.World) -> None:
    treated = [str(u) for u, g in world.policy.table.select("unit", "cohort").iter_rows() if g is not None and g < 10**5]
    with pytest.raises(EstimationError, match="treated itself"):
        fitted(world, {"sources": {"among": treated}})
    bare = replace(world.panel, coordinates=None)
    with pytest.raises(EstimationError) as caught:
        hl.estimate(bare, "ln_inventions", world.policy, "spillover", channels=channels(world))
    assert [f.code for f in caught.value.findings] == ["no-coordinates"]


@pytest.mark.validate
def test_channels_in_the_packaged_world(validated: Recorder) -> None:
    """Neighbours lose half of the effect and the east loses nothing: each is recovered beside the other, and so is the net effect."""
    settings: dict[str, Any] = {"spillover": -0.5, "dynamics": 1e-6, "cohort_gap": 0.0, "heterogeneity": 0.0, "moderation": 0.0}
    settings |= {"moderation_sichuan_chongqing": 0.0, "sichuan_chongqing": 0.0, "treated_share": 0.25}
    gap, hit, false = [], [], []
    for seed in range(1000):
        drawn = hl.simulate("demonstration-zones", seed=seed, units=400, periods=9, cohorts=(2012, 2014), **settings)
        frame = drawn.potential
        own = (frame["ln_inventions_1"] - frame["ln_inventions_0"]).to_numpy()
        received = (frame["ln_inventions_0"] - frame["ln_inventions_00"]).to_numpy()
        treated = frame["event_time"].fill_null(-1).to_numpy() >= 0
        direct, spill = float(own[treated].mean()), float(received.sum() / treated.sum())
        given: dict[str, dict[str, Any]] = {
            "neighbours": {"within_km": 300.0},
            "sources": {"among": east(drawn), "nearest": 5, "within_km": 800.0},
        }
        found = fitted(drawn, given, on_treated="same")
        whole, near, far = (hl.displacement_test(found, channel=c) for c in (None, "neighbours", "sources"))
        estimate = np.array([whole.estimate[0], near.estimate[1], far.estimate[1], whole.estimate[2]])
        error = np.array([whole.std_error[0], near.std_error[1], far.std_error[1], whole.std_error[2]])
        gap.append(estimate - [direct, spill, 0.0, direct + spill])
        hit.append(np.abs(gap[-1]) < 1.959964 * error)
        false.append(far.p_value[1] < 0.05)
    where = "neighbours lose, the east does not; 400 cities × 9, a quarter treated"
    record = validated("packaged world", "spillover", where, variant="two channels", seed=0)
    for j, name in enumerate(("direct", "neighbours", "sources", "net")):
        record.bias(np.array(gap)[:, j], name)
        record.coverage(np.array(hit)[:, j], name)
    validated("tests", "displacement_test", where, variant="sources", seed=0).size(false, "spillover")
