"""Constraints of hosts: hand example, additive parts, weights, gaps, bad input."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hinterland.errors import InputError
from hinterland.transfer.constraints import DIMENSIONS, Indicator, constraints, input_complementarity

TABLE = pl.DataFrame(
    {
        "region": ["Sichuan", "Guizhou", "Yunnan"],
        "graduates": [10.0, 4.0, 0.0],
        "skilled": [0.5, 0.3, 0.1],
        "roads": [2.0, 4.0, 3.0],
        "emissions": [30.0, 10.0, 20.0],
    }
)
CHOSEN = [
    Indicator("graduates", "talent"),
    Indicator("skilled", "talent"),
    Indicator("roads", "infrastructure"),
    Indicator("emissions", "environment", cost=True),
]


def test_scores_by_hand() -> None:
    """Talent of Guizhou: (.4 + .5)/2 = .45; roads 1, environment 1; each of three dimensions weighs a third."""
    found = constraints(TABLE, CHOSEN)
    assert found.scores["talent"].to_list() == pytest.approx([1.0, 0.45, 0.0])
    assert found.scores["infrastructure"].to_list() == pytest.approx([0.0, 1.0, 0.5])
    assert found.scores["environment"].to_list() == pytest.approx([0.0, 1.0, 0.5])
    assert found.scores["total"].to_list() == pytest.approx([1 / 3, 2.45 / 3, 1 / 3])
    assert found.scores["binding"].to_list() == ["infrastructure, environment", "talent", "talent"]
    assert found.scores["severity"].to_list() == pytest.approx([1.0, 0.55, 1.0])
    assert found.weights["weight"].to_list() == pytest.approx([1 / 6, 1 / 6, 1 / 3, 1 / 3]) and not found.findings
    assert repr(found) == "Constraints(3 rows, 4 indicators)"


def test_dimensions_can_weigh_more() -> None:
    found = constraints(TABLE, CHOSEN, dimension_weights={"talent": 2, "infrastructure": 1, "environment": 1})
    assert found.scores["total"].to_list() == pytest.approx([0.5, 0.225 + 0.5, 0.25])


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 1000), st.sampled_from(["equal", "entropy"]))
def test_contributions_sum_to_the_total(seed: int, weights: str) -> None:
    rng = np.random.default_rng(seed)
    frame = pl.DataFrame({"region": list("abcd") * 3, "year": np.repeat([1, 2, 3], 4), **{f"x{k}": rng.normal(size=12) for k in range(7)}})
    chosen = [Indicator(f"x{k}", DIMENSIONS[k % 5], cost=k == 3) for k in range(7)]
    found = constraints(frame, chosen, time="year", weights=weights)  # type: ignore[arg-type]
    sums = found.parts.group_by("region", "year").agg(pl.col("contribution").sum())
    both = found.scores.join(sums, on=["region", "year"])
    assert both["contribution"].to_numpy() == pytest.approx(both["total"].to_numpy())
    assert found.weights["weight"].sum() == pytest.approx(1.0)
    by = found.weights.group_by("dimension").agg(pl.col("weight").sum())["weight"]
    assert by.to_list() == pytest.approx([0.2] * 5)
    assert found.scores.select(DIMENSIONS).to_numpy().min() >= 0 and found.scores.select(DIMENSIONS).to_numpy().max() <= 1 + 1e-12
    moved = constraints(frame.with_columns(x2=5 - pl.col("x2") * -3), chosen, time="year", weights=weights)  # type: ignore[arg-type]
    assert moved.scores["total"].to_numpy() == pytest.approx(found.scores["total"].to_numpy())


def test_entropy_weights_within_the_dimension() -> None:
    from hinterland.measure.composite import entropy_weights, normalise

    found = constraints(TABLE, CHOSEN, weights="entropy")
    e = entropy_weights(normalise(TABLE.select("graduates", "skilled").to_numpy())).weight
    assert found.weights["weight"].to_list()[:2] == pytest.approx((e / 3).tolist())


def test_gaps_and_constants_are_said() -> None:
    frame = TABLE.with_columns(roads=pl.Series([2.0, None, 3.0]), emissions=pl.lit(1.0))
    for weights in ("equal", "entropy"):
        found = constraints(frame, CHOSEN, weights=weights)  # type: ignore[arg-type]
        assert [f.code for f in found.findings] == ["incomplete-rows", "flat-indicator"]
        assert found.scores["total"][1] is None and found.scores["binding"][1] is None
        assert found.weights["weight"].sum() == pytest.approx(1.0)


def test_everything_wrong_at_once() -> None:
    frame = pl.concat([TABLE, TABLE[:1]]).with_columns(words=pl.lit("x"))
    chosen = [Indicator("words", "talent"), Indicator("nothing", "climate"), Indicator("words", "talent")]
    with pytest.raises(InputError) as error:
        constraints(frame, chosen, dimension_weights={"talent": 0})
    codes = {f.code for f in error.value.findings}
    assert codes == {"unknown-column", "unknown-dimension", "repeated-label", "not-a-number", "duplicate-cell", "weights-unfit"}
    with pytest.raises(InputError, match="no column"):
        constraints(TABLE, [])


def test_input_complementarity_by_hand() -> None:
    """Phones (moving 3) buy .2 of glass and .1 of chips; tea (moving 1) buys .4 of glass: needs glass 1.0, chips .3."""
    requirements = np.array([[0.3, 0, 0, 0], [0, 0.2, 0, 0], [0.2, 0.4, 0, 0], [0.1, 0, 0, 0]])
    hosts = np.array([[0.0, 0, 1, 0], [0, 0, 0, 1], [1, 1, 0, 0]])
    assert input_complementarity(np.array([3.0, 1, 0, 0]), requirements, hosts) == pytest.approx([1 / 1.3, 0.3 / 1.3, 0.0])
    assert np.isnan(input_complementarity(np.zeros(4), requirements, hosts)).all()
