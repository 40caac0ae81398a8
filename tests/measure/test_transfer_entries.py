"""Transfer through the labelled entry: the same numbers as the formulas, gaps that survive, and every bad input."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest

import hinterland as hl
from hinterland.measure import redistribution, shift_share

X0, X1 = np.array([[100.0, 50], [60, 90], [40, 60]]), np.array([[110.0, 60], [100, 100], [60, 80]])


def cells(*years: np.ndarray, first: int = 2000, regions: str = "ABCDEFGH", industries: str = "pqrstuv") -> pl.DataFrame:
    rows = [
        {"year": first + t, "place": regions[r], "sector": industries[i], "jobs": float(x[r, i])}
        for t, x in enumerate(years)
        for r in range(x.shape[0])
        for i in range(x.shape[1])
    ]
    return pl.DataFrame(rows)


def take(name: str, frame: Any, **more: Any) -> hl.Measure:
    return hl.measure(name, frame, region="place", industry="sector", time="year", value="jobs", **more)


def grid(m: hl.Measure, component: str | None = None, shape: tuple[int, ...] = (3, 2)) -> np.ndarray:
    frame = m.frame if component is None else m.component(component)
    return frame["value"].fill_null(np.nan).to_numpy().reshape(shape)


@pytest.mark.parametrize(
    ("name", "formula"),
    [
        ("share-change", redistribution.share_change),
        ("absolute-transfer", redistribution.absolute_transfer),
        ("relative-transfer", redistribution.relative_transfer),
    ],
)
def test_changes_of_cells(name: str, formula: Any) -> None:
    m = take(name, cells(X0, X1))
    assert np.allclose(grid(m), formula(X0, X1))
    assert m.frame["year"].unique().to_list() == [2001] and m.meta["compared"] == [[2000, 2001]]
    assert m.frame["n_used"].unique().to_list() == [3] and m.frame["coverage"].unique().to_list() == [1.0]


@pytest.mark.parametrize(
    ("name", "formula"), [("gross-shift", redistribution.gross_shift), ("concentration-shift", redistribution.hhi_shift)]
)
def test_changes_of_industries(name: str, formula: Any) -> None:
    m = take(name, cells(X0, X1))
    assert np.allclose(grid(m, shape=(2,)), formula(X0, X1)) and m.frame.columns[:2] == ["year", "sector"]


def test_closure_share_has_a_reason_where_nobody_loses() -> None:
    m = take("closure-share", cells(X0, X0))
    assert set(m.frame["reason"]) == {"nobody-loses"}
    assert grid(take("closure-share", cells(X0, X1)), shape=(2,))[0] == 0


def test_years_compared() -> None:
    frame = cells(X0, X1, 2 * X1)
    first, previous = take("share-change", frame, compare="first"), take("share-change", frame, compare="previous")
    assert first.meta["compared"] == [[2000, 2001], [2000, 2002]] and previous.meta["compared"] == [[2000, 2001], [2001, 2002]]
    assert np.allclose(grid(previous, shape=(2, 3, 2))[1], 0) and np.allclose(
        grid(first, shape=(2, 3, 2))[1], redistribution.share_change(X0, X1)
    )


def test_cell_missing_in_one_year_leaves_both() -> None:
    frame = cells(X0, X1).filter(~((pl.col("year") == 2000) & (pl.col("place") == "A") & (pl.col("sector") == "p")))
    m = take("share-change", frame)
    a = m.frame.filter(pl.col("place") == "A", pl.col("sector") == "p")
    assert a["reason"].item() == "missing-input" and a["value"].item() is None
    b = m.frame.filter(pl.col("place") == "B", pl.col("sector") == "p")
    assert b["value"].item() == pytest.approx(100 / 160 - 60 / 100) and b["coverage"].item() == pytest.approx(2 / 3)


def test_one_year_is_no_change() -> None:
    for name in ("share-change", "shift-share", "gross-shift", "dynamic-shift-share"):
        with pytest.raises(hl.InputError) as caught:
            take(name, cells(X0))
        assert [f.code for f in caught.value.findings] == ["change-needs-two-periods"]


def test_industry_without_base() -> None:
    start = X0.copy()
    start[:, 1] = 0
    assert set(take("share-change", cells(start, X1)).frame.filter(pl.col("sector") == "q")["reason"]) == {"no-industry-base"}
    m = take("shift-share", cells(start, X1))
    assert np.allclose(grid(m, "new-industry")[:, 1], X1[:, 1]) and (grid(m, "regional-shift")[:, 1] == 0).all()


def test_shift_share_example_with_a_nation() -> None:
    frame = pl.DataFrame({"year": [2000] * 3 + [2001] * 3, "place": "A", "sector": list("pqr") * 2, "jobs": [100, 200, 50, 120, 190, 80]})
    nation = pl.DataFrame({"year": [2000] * 3 + [2001] * 3, "sector": list("pqr") * 2, "jobs": [1000, 3000, 400, 1100, 3000, 520]})
    m = take("shift-share", frame, reference=nation, level="region")
    found = {r["component"]: r["value"] for r in m.frame.iter_rows(named=True)}
    assert (found["national-growth"], found["industry-mix"], found["regional-shift"]) == pytest.approx((17.5, 7.5, 15))
    assert (found["competitive-effect"], found["allocation-effect"]) == pytest.approx((5.568182, 9.431818), abs=5e-7)
    bad = nation.with_columns(jobs=pl.when(pl.col("sector") == "p", pl.col("year") == 2000).then(0).otherwise("jobs"))
    with pytest.raises(hl.InputError) as caught:
        take("shift-share", frame, reference=bad)
    assert [f.code for f in caught.value.findings] == ["nation-lacks-base"]


def test_split_without_a_regional_base_says_why() -> None:
    start = X0.copy()
    start[0, 0] = 0
    m = take("shift-share", cells(start, X1))
    row = m.component("competitive-effect").filter(pl.col("place") == "A", pl.col("sector") == "p")
    assert row["reason"].item() == "no-regional-base"
    assert set(m.component("regional-shift")["reason"]) == {""}


def test_dynamic_shift_share() -> None:
    mid = (X0 + X1) / 2
    m = take("dynamic-shift-share", cells(X0, mid, X1))
    assert np.allclose(grid(m, "regional-shift"), shift_share.dynamic_shift_share(np.stack([X0, mid, X1])).regional)


def test_spatial_shift_share_and_its_neighbours() -> None:
    line = pl.DataFrame({"region": list("ABBC"), "other": list("BACB"), "value": [1, 1, 1, 1]})
    m = take("spatial-shift-share", cells(X0, X1), weights=line)
    wanted = shift_share.spatial_shift_share(X0, X1, np.array([[0.0, 1, 0], [1, 0, 1], [0, 1, 0]]))
    assert np.allclose(grid(m, "neighbourhood-mix"), wanted.neighbourhood)
    lonely = take("spatial-shift-share", cells(X0, X1), weights=line.head(2))
    assert set(lonely.component("neighbourhood-mix").filter(pl.col("place") == "C")["reason"]) == {"no-neighbour-base"}
    for weights, code in ((None, "missing-neighbours"), (line.with_columns(value=pl.lit(-1)), "neighbour-weight-wrong")):
        with pytest.raises(hl.InputError) as caught:
            take("spatial-shift-share", cells(X0, X1), weights=weights)
        assert [f.code for f in caught.value.findings] == [code]


def test_proportional_match_is_marked_as_imputed() -> None:
    m = take("proportional-match", cells(X0, X1))
    found = {(r["place"], r["other"], r["sector"]): r["value"] for r in m.frame.iter_rows(named=True)}
    assert (
        found["A", "B", "p"] == pytest.approx(19) and found["A", "C", "p"] == pytest.approx(6) and found["B", "C", "q"] == pytest.approx(8)
    )
    assert m.meta["imputed"] is True and [n.code for n in m.notes] == ["transfer-imputed"]


def placed(*years: np.ndarray) -> pl.DataFrame:
    at = pl.DataFrame({"place": list("ABC"), "lon": [104.0, 106.0, 116.0], "lat": [30.0, 29.0, 40.0]})
    return cells(*years).join(at, on="place")


def test_centre_of_gravity() -> None:
    frame = placed(X0, X1)
    centre = take("gravity-centre", frame, x="lon", y="lat")
    first = centre.component("centre-longitude").filter(pl.col("year") == 2000, pl.col("sector") == "p")["value"].item()
    assert first == pytest.approx(0.5 * 104 + 0.3 * 106 + 0.2 * 116)
    distance, bearing = (take(n, frame, x="lon", y="lat").frame["value"] for n in ("gravity-shift", "gravity-bearing"))
    assert (distance > 0).all() and (bearing.is_between(0, 360)).all()
    still = take("gravity-bearing", placed(X0, X0), x="lon", y="lat")
    assert set(still.frame["reason"]) == {"did-not-move"}


def test_bad_positions() -> None:
    frame = placed(X0, X1)
    moving = frame.with_columns(lon=pl.when(pl.col("year") == 2000, pl.col("place") == "A").then(1.0).otherwise("lon"))
    metres = frame.with_columns(lon=pl.col("lon") * 1000)
    for bad, code in ((moving, "region-position"), (metres, "position-not-degrees")):
        with pytest.raises(hl.InputError) as caught:
            take("gravity-centre", bad, x="lon", y="lat")
        assert [f.code for f in caught.value.findings] == [code]


def test_gradient() -> None:
    frame = pl.DataFrame(
        {"place": list("AABB"), "sector": list("pqpq"), "va": [12, 68, 88, 832], "staff": [10, 1, 90, 1], "stock": [8.0, 1, 92, None]}
    )
    m = hl.measure("gradient-coefficient", frame, region="place", industry="sector", output="va", labour="staff", capital="stock")
    found = {(r["component"], r["place"], r["sector"]): (r["value"], r["reason"]) for r in m.frame.iter_rows(named=True)}
    assert found["gradient", "A", "p"] == (pytest.approx(1.8), "")
    assert found["improved-gradient", "B", "q"] == (None, "missing-input")
    without = hl.measure("gradient-coefficient", frame, region="place", industry="sector", output="va", labour="staff")
    assert "improved-gradient" not in without.frame["component"]
    idle = frame.with_columns(staff=pl.when(pl.col("sector") == "q").then(0).otherwise("staff"))
    reasons = hl.measure("gradient-coefficient", idle, region="place", industry="sector", output="va", labour="staff").component("gradient")
    assert reasons.filter(pl.col("sector") == "q")["reason"].to_list() == ["zero-denominator"] * 2


def test_undertaking_intensity() -> None:
    frame = pl.DataFrame({"owner": list("AABB"), "host": list("ABAB"), "n": [5, 3, 5, None]})
    m = hl.measure("undertaking-intensity", frame, region="owner", other="host", value="n")
    assert m.frame["value"].to_list() == [0.5, 1.0] and m.frame["coverage"].to_list() == [1.0, 0.5]


REQUIREMENTS = pl.DataFrame({"industry": ["p", "q", "r"], "other_industry": ["q", "p", "r"], "value": [0.02, 0.004, 0.0]})


def test_kinds_of_link() -> None:
    frame = pl.DataFrame({"child": list("ppqr"), "parent": list("pqpp"), "n": [4, 3, 2, 1]})
    m = hl.measure("link-kind", frame, industry="child", other_industry="parent", value="n", requirements=REQUIREMENTS)
    assert m.frame["point"].unique().sort().to_list() == [0.001, 0.01, 0.05]
    assert m.component("link-vertical-upstream")["value"].to_list() == pytest.approx([0.5, 0.3, 0])
    total = m.frame.group_by("point").agg(pl.col("value").sum())["value"]
    assert np.allclose(total, 1)
    counted = hl.measure("link-kind", frame, industry="child", other_industry="parent", requirements=REQUIREMENTS, taus=0.01)
    assert counted.component("link-horizontal")["value"].to_list() == [0.25]


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({}, "missing-requirements"),
        ({"requirements": REQUIREMENTS.head(2)}, "requirements-lack-industry"),
        ({"requirements": REQUIREMENTS.with_columns(value=None)}, "requirements-gap"),
        ({"requirements": REQUIREMENTS, "taus": [0.0]}, "out-of-range"),
    ],
)
def test_bad_requirements(more: dict[str, Any], code: str) -> None:
    frame = pl.DataFrame({"child": list("pr"), "parent": list("pq")})
    with pytest.raises(hl.InputError) as caught:
        hl.measure("link-kind", frame, industry="child", other_industry="parent", **more)
    assert code in [f.code for f in caught.value.findings]


def setting() -> tuple[pl.DataFrame, pl.DataFrame]:
    x = np.random.default_rng(8).lognormal(0, 1.2, (8, 7))
    activity = cells(x).select(region="place", industry="sector", value="jobs")
    return pl.DataFrame({"region": list("ABCDEFGH"), "value": np.arange(8.0)}), activity


def test_pattern_of_transfer() -> None:
    levels, activity = setting()
    frame = pl.DataFrame({"from": list("HAAH"), "to": list("AHAZ"), "sector": list("ppqp")})
    m = hl.measure("transfer-pattern", frame, region="from", other="to", industry="sector", levels=levels, activity=activity)
    gap = m.component("tier-gap")["value"].to_list()
    assert gap == [3, -3, 0, None] and m.component("tier-gap")["reason"][3] == "no-level"
    pattern, z = m.component("transfer-pattern"), m.component("relatedness-in-host")["value"]
    assert pattern["reason"][3] == "score-missing" and pattern["value"][0] == (
        1 if z[0] >= 0 else 2 if m.component("complexity-gap")["value"][0] > 0 else 4
    )
    assert [n.code for n in m.notes] == ["pattern-own-rule"]


def test_orientation_turns_the_complexity_gap() -> None:
    levels, activity = setting()
    frame = pl.DataFrame({"from": ["H"], "to": ["A"], "sector": ["p"]})
    roles = {"region": "from", "other": "to", "industry": "sector", "levels": levels, "activity": activity}
    gaps = [
        hl.measure("transfer-pattern", frame, orient=levels.with_columns(pl.col("value") * sign), **roles)
        .component("complexity-gap")["value"]
        .item()
        for sign in (1, -1)
    ]
    assert gaps[0] == pytest.approx(-gaps[1]) and gaps[0] != 0


def test_pattern_without_its_tables() -> None:
    levels, activity = setting()
    frame = pl.DataFrame({"from": ["H"], "to": ["A"], "sector": ["p"]})
    thin = activity.filter(pl.col("region") == "A")
    cases = [
        ({"activity": activity}, "missing-levels"),
        ({"levels": levels}, "missing-activity"),
        ({"levels": pl.concat([levels, levels]), "activity": activity}, "levels-repeated"),
        ({"levels": levels, "activity": thin}, "activity-too-thin"),
        ({"levels": levels, "activity": activity.with_columns(value=-1.0)}, "negative-value"),
        ({"levels": levels, "activity": activity, "tiers": 1}, "out-of-range"),
    ]
    for more, code in cases:
        with pytest.raises(hl.InputError) as caught:
            hl.measure("transfer-pattern", frame, region="from", other="to", industry="sector", **more)
        assert [f.code for f in caught.value.findings] == [code]


def test_weber_point_by_group() -> None:
    frame = pl.DataFrame({"plant": list("aaab"), "e": [0.0, 4, 2, 7], "n": [0.0, 0, 2 * np.sqrt(3), 8], "w": [1.0, 1, 1, 0]})
    m = hl.measure("weber-point", frame, x="e", y="n", weight="w", group="plant")
    assert m.component("weber-x")["value"][0] == pytest.approx(2) and m.component("weber-y")["value"][0] == pytest.approx(2 / np.sqrt(3))
    assert m.component("weber-x")["reason"][1] == "missing-input"


def test_product_cycle() -> None:
    years = np.arange(2000, 2021)
    frame = pl.DataFrame({"year": years, "good": "tv", "output": 100 / (1 + np.exp(-0.6 * (years - 2010.0)))})
    short = pl.DataFrame({"year": [2000, 2001], "good": "robot", "output": [1.0, 2.0]})
    m = hl.measure("product-cycle", pl.concat([frame, short]), industry="good", time="year", value="output")
    stage = m.component("product-stage").filter(pl.col("good") == "tv")["value"].to_list()
    assert stage == sorted(stage) and stage[0] == 1 and stage[-1] == 4
    robot = m.component("product-stage").filter(pl.col("good") == "robot").sort("year")["reason"]
    assert robot.to_list()[:2] == ["short-cycle"] * 2 and set(robot[2:]) == {"missing-input"}


def test_an_absent_industry_has_a_gradient_of_zero_and_no_logarithm() -> None:
    frame = pl.DataFrame({"r": list("AABB"), "i": list("pqpq"), "y": [0.0, 2, 3, 4], "l": [1.0, 2, 3, 4]})
    m = hl.measure("gradient-coefficient", frame, region="r", industry="i", output="y", labour="l")
    assert m.component("gradient").row(0)[-4:] == (0.0, 2, 1.0, "")
    assert m.component("log-gradient")["reason"].to_list() == ["zero-value", "", "", ""]
