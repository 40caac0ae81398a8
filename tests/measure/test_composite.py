"""Composite indices: worked values, a brute force without arrays, identities, edge cases, and the entries of the catalogue."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import hinterland as hl
from hinterland.measure import composite as c
from hinterland.measure.entry import measure

X = np.array([[10.0, 5, 3], [8, 7, 2], [6, 9, 4], [9, 6, 1]])
COST = np.array([False, False, True])
SIX = {"atol": 5e-7}
"""Printed to six digits."""
NAN = np.nan
unit = st.floats(0, 1).map(lambda x: round(x, 6))


def brute_force(x: list[list[float]], cost: list[bool]) -> tuple[list[float], list[float], list[float], list[float]]:
    """Entropies, weights, linear scores and TOPSIS, number by number."""
    n, k = len(x), len(x[0])
    z = [[0.0] * k for _ in range(n)]
    for j in range(k):
        column = [row[j] for row in x]
        for i in range(n):
            better = max(column) - x[i][j] if cost[j] else x[i][j] - min(column)
            z[i][j] = better / (max(column) - min(column)) if max(column) > min(column) else 0.0
    entropies = []
    for j in range(k):
        total = sum(row[j] for row in z)
        parts = [row[j] / total for row in z] if total else []
        entropies.append(-sum(p * math.log(p) for p in parts if p) / math.log(n) if total else 1.0)
    weights = [(1 - e) / sum(1 - f for f in entropies) for e in entropies]
    linear = [sum(w * v for w, v in zip(weights, row, strict=True)) for row in z]
    v = [[w * u for w, u in zip(weights, row, strict=True)] for row in z]
    best, worst = ([f(row[j] for row in v) for j in range(k)] for f in (max, min))
    far = [math.dist(row, worst) for row in v]
    return entropies, weights, linear, [f / (f + math.dist(row, best)) for f, row in zip(far, v, strict=True)]


def test_entropy_and_topsis() -> None:
    z = c.normalise(X, COST)
    found = c.entropy_weights(z)
    np.testing.assert_allclose(found.entropy, [0.765247, 0.689392, 0.729574], **SIX)
    np.testing.assert_allclose(found.weight, [0.287763, 0.380746, 0.331491], **SIX)
    np.testing.assert_allclose(c.linear_score(z, found.weight), [0.398260, 0.555248, 0.380746, 0.642499], **SIX)
    np.testing.assert_allclose(c.topsis(z, found.weight), [0.411831, 0.552933, 0.464486, 0.580109], **SIX)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000))
def test_equals_brute_force(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, cost = rng.integers(0, 9, (int(rng.integers(3, 30)), 4)).astype(float), rng.random(4) < 0.5
    x[:2, 0] = 0, 8
    entropy, weight, linear, close = brute_force(x.tolist(), cost.tolist())
    z = c.normalise(x, cost)
    found = c.entropy_weights(z)
    np.testing.assert_allclose(found.entropy, entropy, atol=1e-12)
    np.testing.assert_allclose(found.weight, weight, atol=1e-12)
    np.testing.assert_allclose(c.linear_score(z, found.weight), linear, atol=1e-12)
    np.testing.assert_allclose(c.topsis(z, found.weight), close, atol=1e-12)


@settings(max_examples=50, deadline=None)
@given(arrays(float, (8, 3), elements=st.integers(-50, 50).map(float)), st.floats(0.1, 100), st.floats(-100, 100))
def test_weights_sum_to_one_and_ignore_affine_rescaling(x: np.ndarray, scale: float, shift: float) -> None:
    base = c.entropy_weights(c.normalise(x))
    if np.isnan(base.weight).all():
        assert base.constant.all()
        return
    assert base.weight.sum() == pytest.approx(1) and (base.weight >= 0).all()
    moved = c.entropy_weights(c.normalise(x * [scale, 1, 1] + [shift, 0, 0]))
    np.testing.assert_allclose(moved.weight, base.weight, atol=1e-9)
    flipped = c.entropy_weights(c.normalise(-x, np.ones(3, dtype=bool)))
    np.testing.assert_allclose(flipped.weight, base.weight, atol=1e-9)


def test_a_constant_indicator_weighs_nothing() -> None:
    x = np.column_stack([X, np.full(4, 7.0)])
    found = c.entropy_weights(c.normalise(x))
    assert found.constant.tolist() == [False] * 3 + [True] and found.weight[3] == 0
    nothing = c.entropy_weights(c.normalise(np.ones((4, 2))))
    assert np.isnan(nothing.weight).all() and np.isnan(c.topsis(c.normalise(np.ones((4, 2))), nothing.weight)).all()
    assert np.isnan(c.entropy_weights(c.normalise(np.ones((1, 2)))).weight).all()
    assert np.isnan(c.topsis(np.full((3, 2), 0.5), np.array([0.5, 0.5]))).all(), "all the same: no ideal to be close to"


def test_a_shift_changes_the_weights() -> None:
    z = c.normalise(X, COST)
    shifted = c.entropy_weights(z, shift=0.01)
    assert abs(shifted.weight - c.entropy_weights(z).weight).max() > 1e-4 and shifted.weight.sum() == pytest.approx(1)


def test_rows_with_a_gap_have_no_part_in_the_weights() -> None:
    x = np.vstack([X, [100.0, NAN, 0.0]])
    z = c.normalise(x, COST)
    assert np.isnan(z[4]).all()
    found = c.entropy_weights(z)
    np.testing.assert_allclose(found.weight, c.entropy_weights(c.normalise(X, COST)).weight)
    assert found.used == 4 and np.isnan(c.topsis(z, found.weight)[4]) and np.isnan(c.linear_score(z, found.weight)[4])


def test_pooled_and_yearly_normalisation() -> None:
    x = np.array([[1.0], [2.0], [3.0], [5.0]])
    np.testing.assert_allclose(c.normalise(x)[:, 0], [0, 0.25, 0.5, 1])
    np.testing.assert_allclose(c.normalise(x, groups=np.array([0, 0, 1, 1]))[:, 0], [0, 1, 0, 1])


@pytest.mark.parametrize(
    ("levels", "coupling", "development", "coordination"),
    [((0.6, 0.4), 0.979796, 0.5, 0.699927), ((0.6, 0.4, 0.8), 0.961500, 0.6, 0.759539)],
)
def test_coupling(levels: tuple[float, ...], coupling: float, development: float, coordination: float) -> None:
    found = c.coupling_coordination(np.array(levels))
    np.testing.assert_allclose([found.coupling, found.development, found.coordination], [coupling, development, coordination], **SIX)


def test_coupling_of_wang_by_hand() -> None:
    assert c.coupling_coordination(np.array([0.6, 0.4]), variant="wang2021").coupling == pytest.approx(0.730297, abs=5e-7)
    three = math.sqrt((1 - (0.2 + 0.2 + 0.4) / 3) * math.sqrt((0.6 / 0.8) * (0.4 / 0.8)))
    assert c.coupling_coordination(np.array([0.6, 0.4, 0.8]), variant="wang2021").coupling == pytest.approx(three)


@given(arrays(float, 4, elements=unit), st.sampled_from(["original", "wang2021"]))
def test_coupling_lies_between_zero_and_one(levels: np.ndarray, variant: str) -> None:
    found = c.coupling_coordination(levels, variant=variant)  # type: ignore[arg-type]
    assert 0 <= found.coupling <= 1 and 0 <= found.coordination <= 1
    assert found.coordination == pytest.approx(math.sqrt(found.coupling * found.development))
    if (levels == 0).any():
        assert found.coupling == 0
    if levels[0] > 0:
        assert c.coupling_coordination(np.full(4, levels[0]), variant=variant).coupling == pytest.approx(1)  # type: ignore[arg-type]


def test_coupling_edges() -> None:
    weighted = c.coupling_coordination(np.array([[0.6, 0.4], [NAN, 0.5], [0.0, 0.0]]), np.array([0.9, 0.1]))
    np.testing.assert_allclose(weighted.development, [0.58, NAN, 0.0])
    np.testing.assert_allclose(weighted.coupling, [0.9797959, NAN, 0.0], atol=1e-7)
    for bad, match in (
        ({"U": np.array([1.2, 0.1])}, r"\[0, 1\]"),
        ({"U": np.array([0.5])}, "two subsystems"),
        ({"U": np.array([0.5, 0.5]), "weights": np.array([0.5, 0.6])}, "sum to one"),
        ({"U": np.array([0.5, 0.5]), "variant": "new"}, "variant is 'new'"),
    ):
        with pytest.raises(ValueError, match=match):
            c.coupling_coordination(**bad)  # type: ignore[arg-type]


def test_carrying_capacity() -> None:
    demand = np.array([[8.0, 30, 5], [0, 0, 0], [1, 1, 1], [1, 0, 0], [1, 1, NAN]])
    capacity = np.array([[10.0, 20, 10], [1, 1, 1], [1, 0, 2], [1, 0, 1], [1, 1, 1]])
    found = c.carrying_capacity(demand, capacity)
    np.testing.assert_allclose(found.pressure[0], [0.8, 1.5, 0.5])
    np.testing.assert_allclose(found.mean, [2.8 / 3, 0, NAN, NAN, NAN])
    np.testing.assert_allclose(found.short_board, [2 / 3, NAN, 0, NAN, NAN])
    assert found.binding.tolist() == [1, -1, 1, -1, -1]
    assert c.carrying_capacity(demand[0], capacity[0], np.array([0.5, 0.25, 0.25])).mean == pytest.approx(0.9)
    with pytest.raises(ValueError, match="sum to one"):
        c.carrying_capacity(demand, capacity, np.ones(3))


def test_dimensions_add_up() -> None:
    z, dimension = c.normalise(X, COST), np.array([0, 0, 1])
    weight = c.entropy_weights(z).weight
    found = c.grouped_score(z, weight, dimension)
    np.testing.assert_allclose(found.parts @ found.share, found.total)
    np.testing.assert_allclose(found.total, c.linear_score(z, weight))
    np.testing.assert_allclose(c.equal_weights(dimension), [0.25, 0.25, 0.5])


def long(x: np.ndarray, items: str = "abc", **more: object) -> pl.DataFrame:
    rows, columns = np.indices(x.shape)
    return pl.DataFrame({"city": [f"r{i}" for i in rows.ravel()], "item": [items[j] for j in columns.ravel()], "v": x.ravel(), **more})


ROLES = {"region": "city", "item": "item", "value": "v"}


def test_entropy_entries() -> None:
    m = measure("entropy-weight", long(X), negative=["c"], **ROLES)
    np.testing.assert_allclose(m.component("entropy-weight")["value"], [0.287763, 0.380746, 0.331491], **SIX)
    np.testing.assert_allclose(m.component("information-entropy")["value"], [0.765247, 0.689392, 0.729574], **SIX)
    score = measure("entropy-score", long(X), negative=["c"], **ROLES)
    np.testing.assert_allclose(score.component("topsis")["value"], [0.411831, 0.552933, 0.464486, 0.580109], **SIX)
    equal = measure("entropy-score", long(X), negative="c", weights="equal", **ROLES)
    np.testing.assert_allclose(equal.component("linear")["value"], c.normalise(X, COST).mean(axis=1))


def test_entropy_by_year() -> None:
    frame = pl.concat([long(X).with_columns(year=2000), long(X * 2).with_columns(year=2001)])
    roles = {**ROLES, "time": "year"}
    pooled = measure("entropy-weight", frame, **roles).component("entropy-weight")
    assert pooled["year"].null_count() == 3 and pooled["n_used"].to_list() == [8] * 3
    yearly = measure("entropy-weight", frame, pool="cross-section", **roles).component("entropy-weight")
    assert yearly["year"].to_list() == [2000] * 3 + [2001] * 3
    np.testing.assert_allclose(yearly["value"][:3], yearly["value"][3:], atol=1e-12)
    scores = measure("entropy-score", frame, pool="cross-section", **roles).component("linear")["value"].to_numpy()
    np.testing.assert_allclose(scores[:4], scores[4:], atol=1e-12)
    assert not np.allclose(*np.split(measure("entropy-score", frame, **roles).component("linear")["value"].to_numpy(), 2))


def test_entropy_findings_and_reasons() -> None:
    x = np.column_stack([X[:, :2], np.full(4, 3.0)])
    m = measure("entropy-score", long(x), **ROLES)
    assert [f.code for f in m.findings] == ["constant-indicator"] and "'c'" in m.findings[0].what
    flat = measure("entropy-score", long(np.ones((4, 3))), **ROLES)
    assert set(flat.frame["reason"]) == {"all-constant"}
    x = X.copy()
    x[0, 0] = NAN
    gap = measure("entropy-score", long(x), **ROLES).component("linear")
    assert gap["reason"].to_list() == ["missing-input", "", "", ""] and gap["coverage"][0] == pytest.approx(2 / 3)
    alone = measure("entropy-weight", long(X[:1]), **ROLES)
    assert set(alone.frame["reason"]) == {"too-few"}
    for bad, code in (({"negative": ["d"]}, "unknown-item"), ({"shift": -1}, "out-of-range"), ({"pool": "year"}, "unknown-value")):
        with pytest.raises(hl.InputError) as error:
            measure("entropy-weight", long(X), **bad, **ROLES)  # type: ignore[arg-type]
        assert [f.code for f in error.value.findings] == [code]


def test_coupling_entry() -> None:
    frame = long(np.array([[0.6, 0.4], [0.0, 0.5]]), "EP")
    m = measure("coupling-coordination", frame, **ROLES)
    assert m.component("coordination")["value"].to_list() == [pytest.approx(0.699927, abs=5e-7), 0.0]
    wang = measure("coupling-coordination", frame, variant="wang2021", weights={"E": 0.7, "P": 0.3}, **ROLES)
    assert wang.component("coupling")["value"][0] == pytest.approx(0.730297, abs=5e-7)
    assert wang.component("development")["value"][0] == pytest.approx(0.54)
    with pytest.raises(hl.InputError) as error:
        measure("coupling-coordination", long(np.array([[1.6], [-0.4]]), "E"), **ROLES)
    assert [f.code for f in error.value.findings] == ["level-outside", "one-subsystem"]
    assert "1.6" in error.value.findings[0].what and "r0" in error.value.findings[0].where
    gap = measure("coupling-coordination", frame[:3], **ROLES).component("coupling")
    assert gap["reason"].to_list() == ["", "missing-input"]


@pytest.mark.parametrize(
    ("weights", "code"),
    [
        ({"E": 1.0}, "item-weights"),
        ({"E": 0.5, "P": 0.6}, "item-weights"),
        ([0.5, 0.5], "item-weights"),
        ({"E": 0.5, "Q": 0.5}, "unknown-item"),
    ],
)
def test_weights_must_cover_the_items(weights: object, code: str) -> None:
    with pytest.raises(hl.InputError) as error:
        measure("coupling-coordination", long(np.array([[0.6, 0.4]]), "EP"), weights=weights, **ROLES)
    assert error.value.findings[0].code == code


def test_capacity_entry() -> None:
    frame = long(np.array([[8.0, 30, 5], [1, 1, 1], [0, 0, 0]]), "LWE").with_columns(cap=pl.Series([10.0, 20, 10, 1, 0, 2, 1, 1, 1]))
    roles = {"region": "city", "item": "item", "demand": "v", "capacity": "cap"}
    m = measure("carrying-capacity", frame, **roles)
    short = m.component("short-board")
    assert short["item"].to_list() == ["W", "W", None] and short["reason"].to_list() == ["", "", "no-demand"]
    assert short["value"].to_list()[:2] == [pytest.approx(2 / 3), 0.0]
    mean = m.component("mean-pressure")
    assert mean["reason"].to_list() == ["", "zero-capacity", ""] and mean["item"].null_count() == 3
    assert m.component("pressure").filter(city="r1", item="W")["reason"].item() == "zero-capacity"
    weighted = measure("carrying-capacity", frame, weights={"L": 0.5, "W": 0.25, "E": 0.25}, **roles)
    assert weighted.component("mean-pressure")["value"][0] == pytest.approx(0.9)


def test_business_environment_entry() -> None:
    frame = long(X).with_columns(side=pl.col("item").replace_strict({"a": "market", "b": "market", "c": "law"}))
    m = measure("business-environment", frame, group="side", negative=["c"], **ROLES)
    total = m.component("all-dimensions")
    np.testing.assert_allclose(total["value"], [0.398260, 0.555248, 0.380746, 0.642499], **SIX)
    parts = m.component("dimension")
    assert total["side"].null_count() == 4 and parts["side"].unique().sort().to_list() == ["law", "market"]
    np.testing.assert_allclose(parts.filter(side="law")["value"], c.normalise(X, COST)[:, 2])
    equal = measure("business-environment", frame, group="side", negative=["c"], weights="equal", **ROLES)
    np.testing.assert_allclose(equal.component("all-dimensions")["value"], c.normalise(X, COST) @ [0.25, 0.25, 0.5])
    flat = measure("business-environment", frame.with_columns(v=pl.when(item="c").then(1.0).otherwise("v")), group="side", **ROLES)
    assert set(flat.component("dimension").filter(side="law")["reason"]) == {"constant-dimension"}
    mixed = frame.with_columns(side=pl.Series(["law", *frame["side"][1:]]))
    with pytest.raises(hl.InputError, match="several dimensions: 'a'"):
        measure("business-environment", mixed, group="side", **ROLES)
