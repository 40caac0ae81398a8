"""Cells across administrative changes, and the changes beside those of an independent crosswalk."""

from __future__ import annotations

from pathlib import Path

import hypothesis.strategies as st
import polars as pl
import pytest
from hypothesis import given, settings

from hinterland.data.administrative import administrative_changes
from hinterland.data.administrative_cells import merge_cells
from hinterland.data.micro import reduce_firms
from hinterland.errors import PanelError


def cells(values: dict[str, float | None], years: tuple[int, ...] = (2010, 2012), gone: tuple[str, ...] = ("341400",)) -> pl.DataFrame:
    rows = [(c, t, i, v) for c, v in values.items() for t in years for i in ("13", "14") if not (c in gone and t == 2012)]
    return pl.DataFrame(rows, schema=["region", "time", "industry", "v"], orient="row")


CHAOHU = {"340100": 1.0, "340200": 2.0, "340500": 4.0, "341400": 8.0}


def test_a_divided_prefecture_is_one_territory_and_flagged() -> None:
    got = merge_cells(cells(CHAOHU | {"522400": 3.0}), values=["v"])
    assert got.frame.filter(pl.col("industry") == "13").select("region", "time", "v", "split", "merged").rows() == [
        ("340100", 2010, 15.0, True, True),
        ("340100", 2012, 7.0, True, True),
        ("520500", 2010, 3.0, False, False),
        ("520500", 2012, 3.0, False, False),
    ]
    assert [f.code for f in got.findings] == ["recoded", "units-merged"]
    assert got.splits["from"].to_list() == ["340100", "340200", "340500", "341400"]


def test_a_divided_prefecture_can_be_left_out() -> None:
    got = merge_cells(cells(CHAOHU), values=["v"], split="drop")
    assert not got.frame["split"].any()
    assert got.unmatched["region"].unique().to_list() == ["341400"]
    assert got.frame["v"].sum() + got.unmatched["v"].sum() == cells(CHAOHU)["v"].sum()


def test_a_prefecture_that_went_whole_is_merged_and_not_flagged() -> None:
    got = merge_cells(cells({"370100": 5.0, "371200": 1.0}, gone=()), values=["v"])
    assert got.frame.select("region", "v", "split", "merged").unique().rows() == [("370100", 6.0, False, True)]


def test_a_territory_without_one_of_its_parts_is_empty() -> None:
    frame = cells(CHAOHU, (2010, 2012, 2013)).filter((pl.col("region") != "341400") | (pl.col("time") == 2010))
    frame = frame.filter((pl.col("region") != "340200") | (pl.col("time") != 2012)).with_columns(state=pl.lit("observed"))
    got = merge_cells(frame, values=["v"], state="state")
    assert got.frame.filter(pl.col("industry") == "13").select("time", "v", "state").rows() == [
        (2010, 15.0, "observed"),
        (2012, None, "missing"),
        (2013, 7.0, "observed"),
    ]
    assert [f.code for f in got.findings] == ["units-merged", "incomplete-merge"]
    loose = merge_cells(frame, values=["v"], missing="skip")
    assert loose.frame.filter(pl.col("industry") == "13")["v"].to_list() == [15.0, 5.0, 7.0]


def test_missing_parts_and_absent_cells() -> None:
    frame = pl.concat([cells(CHAOHU), cells({"340200": 9.0}).with_columns(industry=pl.col("industry").replace({"13": "15", "14": "16"}))])
    frame = frame.with_columns(v=pl.when((pl.col("region") == "341400") & (pl.col("industry") == "14")).then(None).otherwise("v"))
    got = merge_cells(frame, values=["v"]).frame.filter(pl.col("time") == 2010)
    assert got.select("industry", "v", "v_coverage").rows() == [("13", 15.0, 1.0), ("14", None, 0.75), ("15", 9.0, 1.0), ("16", 9.0, 1.0)]


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["340100", "341400", "522400", "110000", "371200"]), st.integers(2008, 2013), st.integers(1, 3)),
        unique=True,
        min_size=1,
    )
)
def test_totals_are_preserved(keys: list[tuple[str, int, int]]) -> None:
    frame = pl.DataFrame(keys, schema=["region", "time", "industry"], orient="row").with_columns(v=pl.int_range(pl.len()).cast(pl.Float64))
    got = merge_cells(frame, values=["v"], missing="skip").frame
    assert got["v"].sum() == frame["v"].sum()
    assert not set(got["region"]) & {"341400", "522400", "371200"} or got.findings  # type: ignore[attr-defined]


def test_from_firms_to_comparable_prefectures() -> None:
    """Counties of Chaohu (3414..) reduce to Chaohu, whose cells go to the territory of all four."""
    firms = pl.DataFrame({"county": [341402, 340104, 340202, 340503, 340104, 340202, 340503], "year": [2010] * 4 + [2012] * 3, "v": 1.0})
    reduced = reduce_firms(firms, region="county", time="year", values=["v"], region_level="prefecture")
    got = merge_cells(reduced.frame, values=["v", "n"], by=())
    assert got.frame.select("region", "time", "v", "n").rows() == [("340100", 2010, 4.0, 4.0), ("340100", 2012, 3.0, 3.0)]


def test_counties_are_told() -> None:
    got = merge_cells(pl.DataFrame({"region": ["340104", "340202"], "time": 2010, "v": 1.0}), values=["v"], by=())
    assert [f.code for f in got.findings] == ["counties-unchanged"]


def test_bad_cells() -> None:
    for frame, options, code in (
        (cells({"Hefei": 1.0}), {}, "units-not-codes"),
        (cells(CHAOHU), {"by": ()}, "duplicate-cell"),
        (cells(CHAOHU), {"values": ["w"]}, "unknown-column"),
        (cells(CHAOHU), {"split": "apportion"}, "unknown-split"),
        (cells({"522400": 1.0, "520500": 1.0}), {}, "old-and-new-code"),
    ):
        with pytest.raises(PanelError) as error:
            merge_cells(frame, **{"values": ["v"], **options})  # type: ignore[arg-type]
        assert [f.code for f in error.value.findings] == [code]


def test_every_event_of_the_crosswalk_is_known(shared_data: Path) -> None:
    """Every change of 2000–2022 in the crosswalk is among ours, by year of approval and a name."""
    events = pl.read_parquet(shared_data / "prefecture_crosswalk" / "prefecture_administrative_events_1983_2026.parquet")
    events = events.filter(pl.col("year").cast(pl.Int64).is_between(2000, 2022))
    assert events.height == 63
    ours = administrative_changes().with_columns(pl.col("approved").str.slice(0, 4))
    told = {(year, name) for row in ours.select("approved", "former_zh", "successor_zh").iter_rows() for year, name in (row[:2], row[::2])}
    names = events.select("year", "old_prefecture_name", "new_prefecture_name").rows()
    assert [e for e in names if not {(e[0], e[1]), (e[0], e[2])} & told] == []


def test_boundaries_that_moved_within_a_code_are_not_known(shared_data: Path) -> None:
    """What is not undone: counties made districts change what a prefecture's urban statistics cover, not its territory."""
    breaks = pl.read_parquet(shared_data / "prefecture_crosswalk" / "fixed_boundary_district_breaks_1999_2020.parquet")
    assert breaks.filter(pl.col("break_flag") == "1").height == 164
