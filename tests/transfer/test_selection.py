"""Selection of industries and competition between hosts: hand examples, properties, bad input."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hinterland.errors import InputError
from hinterland.measure.complexity import complexity, presence, specialisation
from hinterland.measure.relatedness import density, proximity
from hinterland.transfer.competition import competition, crowding
from hinterland.transfer.selection import Selection, select_industries


def world(seed: int = 0, regions: int = 8, industries: int = 14) -> tuple[np.ndarray, list[str], list[str]]:
    values = np.random.default_rng(seed).lognormal(0, 1.2, (regions, industries))
    return values, [f"r{k}" for k in range(regions)], [f"i{k:02d}" for k in range(industries)]


def selected(seed: int = 0, **more: object) -> Selection:
    values, regions, industries = world(seed)
    return select_industries(values, regions, industries, ["r1", "r4", "r6"], top=4, **more)  # type: ignore[arg-type]


def test_score_is_the_geometric_mean_of_its_parts() -> None:
    values, regions, industries = world()
    strategic = np.linspace(0, 1, 14)
    found = selected(strategic=strategic, weights={"relatedness": 2, "complexity": 1, "strategic": 1})
    c = found.candidates
    expected = c["relatedness"] ** 0.5 * c["complexity"] ** 0.25 * c["strategic"] ** 0.25
    assert c["score_alone"].to_numpy() == pytest.approx(expected.to_numpy())
    assert c["score"].to_numpy() == pytest.approx((c["score_alone"] * (1 - 0.5 * c["crowding"])).to_numpy())
    quotient = specialisation(values)
    matrix = (quotient >= 1) * 1.0
    omega, pci = density(matrix, proximity(matrix)), complexity(presence(values).matrix).pci
    row = c.row(3, named=True)
    h, i = regions.index(row["host"]), industries.index(row["industry"])
    assert row["density"] == pytest.approx(omega[h, i]) and row["pci"] == pytest.approx(pci[i]) and quotient[h, i] < 1


def test_options_ranks_and_reasons() -> None:
    values, regions, industries = world()
    found = selected()
    quotient = specialisation(values)
    for host, rows in found.candidates.group_by("host", maintain_order=True):
        lacks = {industries[i] for i in np.flatnonzero(quotient[regions.index(str(host[0]))] < 1)}
        assert set(rows["industry"]) == lacks
        assert rows["rank"].to_list() == sorted(rows["rank"]) and rows["rank"][0] == 1
        assert (rows["rank_alone"] - rows["rank"] == rows["rank_change"]).all()
        best = rows.sort("complexity", descending=True).row(0, named=True)
        assert best["complexity_rank"] == 1
    assert found.candidates["host"].unique(maintain_order=True).to_list() == ["r1", "r4", "r6"]
    pulled = found.candidates.filter(pl.col("relatedness") > pl.col("complexity"))
    assert (pulled["strongest"] == "relatedness").all() and (pulled["weakest"] == "complexity").all()
    assert found.candidates["quadrant"].is_in(["dead-end", "slow-road", "casino", "high-road"]).all()
    every = selected(over="all").candidates
    assert every.height == 3 * 14


def test_no_penalty_changes_nothing_and_a_penalty_only_lowers() -> None:
    free, half = selected(penalty=0.0), selected(penalty=0.5)
    assert (free.candidates["rank_change"] == 0).all() and free.hosts["replaced"].sum() == 0
    assert free.candidates.sort("host", "industry")["score"].to_list() == half.candidates.sort("host", "industry")["score_alone"].to_list()
    assert (half.candidates["score"] <= half.candidates["score_alone"] + 1e-15).all()


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 500), st.floats(0, 1))
def test_scores_and_indices_lie_between_zero_and_one(seed: int, penalty: float) -> None:
    rng = np.random.default_rng(seed)
    found = selected(seed, green=rng.uniform(size=(3, 14)), strategic=rng.uniform(size=14), penalty=penalty)
    for column in ("score", "score_alone", "crowding", "relatedness", "complexity", "strategic", "green"):
        assert found.candidates[column].is_between(0, 1 + 1e-12).all()
    assert found.pairs.select("cosine", "krugman", "key", "index").to_numpy().max() <= 1 + 1e-12
    assert found.pairs["planned"].null_count() == 3 and repr(found).endswith("of 3 hosts)")


def test_names_do_not_matter() -> None:
    values, regions, industries = world(3)
    order = np.random.default_rng(1).permutation(14)
    hosts = ["r0", "r5"]
    one = select_industries(values, regions, industries, hosts).candidates
    other = select_industries(values[:, order], regions, [industries[k] for k in order], hosts).candidates
    keys = ["host", "industry"]
    assert one.sort(keys).select("score", "crowding").to_numpy() == pytest.approx(other.sort(keys).select("score", "crowding").to_numpy())


def test_competition_by_hand() -> None:
    """Two equal hosts and one apart; plans overlap in one of three."""
    activity = np.array([[6.0, 3, 1, 0], [6, 3, 1, 0], [0, 1, 1, 8], [10, 10, 10, 10]])
    plans = np.array([[1, 1, 0, 0], [1, 0, 1, 0], [0, 0, 0, 0]], dtype=bool)
    found = competition(activity, np.array([0, 1, 2]), plans, top=1)
    assert found.krugman[0, 1] == pytest.approx(1.0) and found.cosine[0, 1] == pytest.approx(1.0)
    assert found.krugman[0, 2] == pytest.approx(0.2)
    assert found.key[0, 1] == 1.0 and found.key[0, 2] == 0.0
    assert found.planned[0, 1] == pytest.approx(1 / 3) and found.planned[0, 2] == 0.0
    assert found.index[0, 1] == pytest.approx((1 + 1 + 1 / 3) / 3) and np.isnan(found.index[0, 0])
    assert found.host[0] == pytest.approx((7 / 9 + 0.2 / 3) / 2)
    assert repr(found) == "Competition(3 hosts)"
    alone = competition(activity, np.array([0]), top=1)
    assert np.isnan(alone.host[0])


def test_crowding_by_hand() -> None:
    index = np.array([[np.nan, 0.8, 0.2], [0.8, np.nan, 0.0], [0.2, 0.0, np.nan]])
    aims = np.array([[1, 0], [1, 0], [0, 1]], dtype=bool)
    assert crowding(index, aims) == pytest.approx(np.array([[0.8, 0.2], [1.0, 0.0], [1.0, 0.0]]))
    assert crowding(np.array([[np.nan]]), aims[:1]).tolist() == [[0.0, 0.0]]


def test_plans_of_rivals_push_a_candidate_down() -> None:
    first = selected(penalty=0.0).candidates.filter(pl.col("host") == "r1")["industry"][0]
    found = selected(penalty=1.0, planned={"r4": [first], "r6": [first]}).candidates.filter(
        (pl.col("host") == "r1") & (pl.col("industry") == first)
    )
    assert found["crowding"].item() == pytest.approx(1.0) and found["score"].item() == 0.0
    assert found["rank_change"].item() < 0


def test_a_part_without_weight_has_no_say_and_a_zero_decides() -> None:
    strategic = np.zeros(14)
    weights = {"relatedness": 1.0, "complexity": 1.0, "strategic": 0.0}
    silent = selected(strategic=strategic, weights=weights).candidates
    plain = selected().candidates
    assert silent["score"].to_list() == pytest.approx(plain["score"].to_list())
    zero = selected(strategic=strategic).candidates
    assert (zero["score"] == 0).all() and (zero["weakest"] == "strategic").all() and (zero["rank"] == 1).all()


def test_one_host_has_no_rival() -> None:
    values, regions, industries = world()
    found = select_industries(values, regions, industries, ["r2"])
    assert (found.candidates["crowding"] == 0).all() and found.pairs.height == 0
    assert found.hosts["competition"].to_list() == [None]


def test_everything_wrong_at_once() -> None:
    values, regions, industries = world()
    with pytest.raises(InputError) as error:
        select_industries(
            values[:, :5],
            regions,
            industries,
            ["Mars"],
            green=np.full(14, 2.0),
            strategic=np.ones(3),
            planned={"r0": ["x"]},
            weights={"relatedness": 1},
            penalty=2.0,
        )
    codes = sorted(f.code for f in error.value.findings)
    assert codes == sorted(["shape-differs"] * 2 + ["label-unknown"] * 2 + ["not-between-0-and-1", "weights-unfit", "out-of-range"])
