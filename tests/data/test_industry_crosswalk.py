"""GB/T 4754: the editions, conversion between them, and coarser levels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from polars.testing import assert_frame_equal

from hinterland.data.industry import STANDARDS, divisions, industry_classes, industry_sections, known_codes
from hinterland.data.industry_crosswalk import aggregate_industry, convert_industry, industry_pairs
from hinterland.errors import InputError

EDITIONS = [(a, b) for a in STANDARDS for b in STANDARDS if a != b]


def cells(rows: list[tuple[str, float | None]], **more: list[str]) -> pl.DataFrame:
    frame = pl.DataFrame(rows, schema={"industry": pl.String, "v": pl.Float64}, orient="row")
    return frame.with_columns(region=pl.lit("340100"), time=pl.lit(2012), **{k: pl.Series(v) for k, v in more.items()})


def shown(frame: pl.DataFrame) -> list[tuple[Any, ...]]:
    return frame.select("industry", "v", "v_coverage", "split").rows()


@pytest.mark.parametrize(
    ("standard", "counts"), [("2002", (20, 95, 396, 913)), ("2011", (20, 96, 432, 1094)), ("2017", (20, 97, 473, 1381))]
)
def test_editions_have_the_codes_that_they_say(standard: str, counts: tuple[int, ...]) -> None:
    """Sections, divisions, groups and classes as the editions count themselves (2017: 1380 classes at first; the concordance has one more)."""
    assert tuple(len(known_codes(standard, level)) for level in ("section", "division", "group", "class")) == counts
    assert len(divisions()) == 98


def test_sections_follow_each_other_without_gaps() -> None:
    for standard, part in industry_sections().group_by("standard"):
        first, last = part.sort("section")["first_division"].cast(int), part.sort("section")["last_division"].cast(int)
        assert (first[1:] > last[:-1]).all(), standard
        assert part.sort("section")["section"].to_list() == [chr(c) for c in range(ord("A"), ord("U"))]


def test_concordance_is_the_public_one(shared_data: Path) -> None:
    source = pl.read_parquet(shared_data / "industry_codes" / "GB4754_2017_2011_2002.parquet").select("GB2002", "GB2011", "GB2017")
    want = source.with_columns(pl.all().str.strip_chars()).rename(str.lower).unique()
    assert_frame_equal(industry_classes(), want, check_row_order=False, check_dtypes=True)


def test_one_to_one_many_to_one_and_one_to_many() -> None:
    """2011: 0111 stays; 0169 becomes 0164 and 0169. 2017: 0171 and 0179 were 0170."""
    forward = convert_industry(cells([("0111", 5.0), ("0169", 3.0)]), from_="2011", to="2017", values=["v"])
    assert shown(forward.frame) == [("0111", 5.0, 1.0, False), ("0164", 1.5, 1.0, True), ("0169", 1.5, 1.0, True)]
    assert forward.splits.rows() == [("0169", "0164", 0.5), ("0169", "0169", 0.5)]
    (finding,) = forward.findings
    assert (finding.code, finding.where) == ("industry-split", "'0169'")
    back = convert_industry(cells([("0171", 1.0), ("0179", 2.0)]), from_="2017", to="2011", values=["v"])
    assert shown(back.frame) == [("0170", 3.0, 1.0, False)]
    assert back.findings == ()
    assert repr(forward) == "Converted(3 cells, 2 with a divided part; 0 cells unmatched)"


def test_weights_decide_how_a_code_is_divided() -> None:
    weights = pl.DataFrame({"from": ["0169", "0169"], "to": ["0164", "0169"], "weight": [0.9, 0.1]})
    frame = cells([("0169", 10.0), ("0190", 4.0)])
    got = convert_industry(frame, from_="2011", to="2017", values=["v"], weights=weights)
    assert shown(got.frame) == [("0164", 9.0, 1.0, True), ("0169", 1.0, 1.0, True), ("0181", 2.0, 1.0, True), ("0190", 2.0, 1.0, True)]
    certain = pl.DataFrame({"from": ["0169"], "to": ["0169"], "weight": [1.0]})
    whole = convert_industry(frame.head(1), from_="2011", to="2017", values=["v"], weights=certain)
    assert shown(whole.frame) == [("0169", 10.0, 1.0, False)], "nothing is divided, by the caller's word"


@pytest.mark.parametrize(
    ("weights", "code"),
    [
        ([("0169", "0164", 0.9), ("0169", "0169", 0.2)], "weights-not-one"),
        ([("0169", "0164", 1.5), ("0169", "0169", -0.5)], "bad-weight"),
        ([("0169", "0111", 1.0)], "pair-unknown"),
    ],
)
def test_weights_that_are_no_shares(weights: list[tuple[str, str, float]], code: str) -> None:
    table = pl.DataFrame(weights, schema=["from", "to", "weight"], orient="row")
    with pytest.raises(InputError) as error:
        convert_industry(cells([("0169", 1.0)]), from_="2011", to="2017", values=["v"], weights=table)
    assert [f.code for f in error.value.findings] == [code]


def test_codes_that_the_edition_does_not_have_are_named_with_their_cells() -> None:
    frame = cells([("0111", 1.0), ("0199", 2.0), ("38", 4.0)])
    with pytest.raises(InputError) as error:
        convert_industry(frame, from_="2011", to="2017", values=["v"])
    (finding,) = error.value.findings
    assert finding.code == "industry-absent"
    assert "'0199', '38'" in finding.what
    assert "0199 340100 2012" in finding.where
    got = convert_industry(frame, from_="2011", to="2017", values=["v"], unknown="report")
    assert got.unmatched["v"].sum() + got.frame["v"].sum() == 7.0
    assert [f.code for f in got.findings] == ["industry-absent"]


def test_missing_and_withheld_parts() -> None:
    frame = cells([("0171", 1.0), ("0179", None), ("0211", None)], state=["observed", "suppressed", "missing"])
    strict = convert_industry(frame, from_="2017", to="2011", values=["v"], state="state").frame
    assert strict.select("industry", "v", "v_coverage", "state").rows() == [
        ("0170", None, 0.5, "suppressed"),
        ("0211", None, 0.0, "missing"),
    ]
    loose = convert_industry(frame, from_="2017", to="2011", values=["v"], state="state", missing="skip").frame
    assert loose.select("industry", "v", "v_coverage", "state").rows() == [("0170", 1.0, 0.5, "observed"), ("0211", None, 0.0, "missing")]


def test_codes_are_mended() -> None:
    frame = pl.DataFrame({"industry": [111, 1310], "v": [1, 2], "region": [1, 1], "time": [1, 1]})
    assert convert_industry(frame, from_="2011", to="2017", values=["v"]).frame["industry"].to_list() == [
        "0111",
        "1311",
        "1312",
        "1313",
        "1314",
        "1319",
    ]
    text = pl.DataFrame({"industry": [" 0111", "13 11 ", "１３１２"], "v": [1, 2, 3], "region": 1, "time": 1})
    assert convert_industry(text, from_="2017", to="2011", values=["v"]).frame["v"].to_list()[0] == 1.0


@pytest.mark.parametrize(("from_", "to"), EDITIONS)
@pytest.mark.parametrize("level", ["class", "group", "division", "section"])
def test_every_code_has_successors_whose_weights_are_one(from_: str, to: str, level: str) -> None:
    pairs = industry_pairs(from_, to, level)
    assert set(pairs["from"]) == known_codes(from_, level)
    assert set(pairs["to"]) == known_codes(to, level)
    np.testing.assert_allclose(pairs.group_by("from").agg(pl.col("weight").sum())["weight"].to_numpy(), 1.0, rtol=1e-14)
    assert pairs.filter(~pl.col("split"))["weight"].to_list() == [1.0] * pairs.filter(~pl.col("split")).height
    assert (pairs.filter("split")["weight"] < 1).all()


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_totals_are_preserved(data: st.DataObject) -> None:
    from_, to = data.draw(st.sampled_from(EDITIONS))
    level = data.draw(st.sampled_from(["class", "group", "division", "section"]))
    codes = st.sampled_from(sorted(known_codes(from_, level)))
    keys = data.draw(st.lists(st.tuples(codes, st.integers(1, 3), st.integers(2010, 2012)), min_size=1, max_size=60, unique=True))
    values = data.draw(st.lists(st.floats(0, 1e9), min_size=len(keys), max_size=len(keys)))
    frame = pl.DataFrame(keys, schema=["industry", "region", "time"], orient="row").with_columns(v=pl.Series(values), w=1.0)
    got = convert_industry(frame, from_=from_, to=to, values=["v", "w"], level=level).frame
    old, new = (f.group_by("region", "time").agg(pl.col("v", "w").sum()).sort("region", "time") for f in (frame, got))
    assert_frame_equal(old, new, rel_tol=1e-12, abs_tol=1e-300)
    pairs = industry_pairs(from_, to, level)
    divided = set(pairs.filter("split")["from"])
    for region, time, industry, split in got.select("region", "time", "industry", "split").iter_rows():
        here = set(frame.filter((pl.col("region") == region) & (pl.col("time") == time))["industry"])
        assert split == bool(divided & here & set(pairs.filter(pl.col("to") == industry)["from"]))


def test_a_level_above_divides_as_its_classes_do() -> None:
    """Division 70 of 2011 (real estate) has one class that went partly to 72 and 79 in 2017."""
    classes = industry_pairs("2011", "2017").filter(pl.col("from").str.starts_with("70"))
    want = classes.group_by(pl.col("to").str.slice(0, 2)).agg(pl.col("weight").sum() / classes["from"].n_unique()).sort("to")
    got = industry_pairs("2011", "2017", "division").filter(pl.col("from") == "70")
    assert got["to"].to_list() == want["to"].to_list() == ["70", "72", "79"]
    np.testing.assert_allclose(got["weight"].to_numpy(), want["weight"].to_numpy(), rtol=1e-14)


def test_coarser_levels() -> None:
    frame = cells([("0111", 1.0), ("0112", 2.0), ("3611", 4.0), ("4411", 8.0)])
    for level, want in (
        ("group", [("011", 3.0), ("361", 4.0), ("441", 8.0)]),
        ("division", [("01", 3.0), ("36", 4.0), ("44", 8.0)]),
        ("section", [("A", 3.0), ("C", 4.0), ("D", 8.0)]),
        ("class", [("0111", 1.0), ("0112", 2.0), ("3611", 4.0), ("4411", 8.0)]),
    ):
        got = aggregate_industry(frame, level=level, standard="2017", values=["v"])
        assert got.frame.select("industry", "v").rows() == want
        assert not got.frame["split"].any()
    up = aggregate_industry(cells([("63", 1.0)]), level="section", standard="2002", values=["v"], from_level="division")
    assert up.frame["industry"].item() == "H", "retail and wholesale trade in 2002; software from 2011 on"


BAD: list[tuple[dict[str, Any], str]] = [
    ({"from_": "1994"}, "unknown-standard"),
    ({"to": "2020"}, "unknown-standard"),
    ({"level": "letter"}, "unknown-level"),
    ({"values": ["w"]}, "unknown-column"),
    ({"values": ["region"]}, "not-numeric"),
    ({"by": ["region"]}, "duplicate-cell"),
    ({"missing": "zero"}, "unknown-value"),
    ({"unknown": "drop"}, "unknown-value"),
    ({"weights": pl.DataFrame({"from": ["0111"]})}, "unknown-column"),
]


@pytest.mark.parametrize(("options", "code"), BAD, ids=[f"{c}{k}" for k, (_, c) in enumerate(BAD)])
def test_bad_arguments(options: dict[str, Any], code: str) -> None:
    frame = pl.concat([cells([("0111", 1.0)]), cells([("0111", 1.0)]).with_columns(time=pl.lit(2013))])
    with pytest.raises(InputError) as error:
        convert_industry(frame, **{"from_": "2011", "to": "2017", "values": ["v"], **options})
    assert [f.code for f in error.value.findings] == [code]


def test_a_finer_level_than_the_codes_is_refused() -> None:
    with pytest.raises(InputError, match="finer"):
        aggregate_industry(cells([("01", 1.0)]), level="class", standard="2017", values=["v"], from_level="division")
