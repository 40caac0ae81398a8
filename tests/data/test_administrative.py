"""Administrative changes: the facts, and panels made comparable."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pytest

from hinterland.data.administrative import administrative_changes, merge_administrative
from hinterland.data.geography import cities
from hinterland.data.panel import Panel
from hinterland.errors import PanelError


def panel(rows: Sequence[tuple[str, int, float | None]], **more: Sequence[object]) -> Panel:
    frame = pl.DataFrame(rows, schema=["adcode", "year", "y"], orient="row", infer_schema_length=None).with_columns(
        pl.Series(k, v) for k, v in more.items()
    )
    return Panel(frame.sort("adcode", "year"), "adcode", "year")


CHAOHU = [
    (c, t, v)
    for c, v in (("340100", 1.0), ("340200", 2.0), ("340500", 4.0), ("341400", 8.0))
    for t in (2009, 2010, 2011, 2012)
    if c != "341400" or t < 2011
]


def told(merged: Panel) -> list[str]:
    return [f.code for f in merged.findings]


def test_changes_lead_to_codes_of_2022() -> None:
    changes = administrative_changes()
    successors = set(changes["successor_codes"].explode())
    assert successors <= set(cities()["adcode"])
    former = changes.filter(~pl.col("kind").is_in(["rename", "establish", "transfer"]))["former_code"]
    assert not set(former) & set(cities()["adcode"])
    assert former.n_unique() == len(former)
    assert changes["change_id"].n_unique() == changes.height
    chaohu = changes.row(by_predicate=pl.col("former_code") == "341400", named=True)
    assert (chaohu["kind"], chaohu["year"], chaohu["successor_codes"]) == ("split", 2011, ["340100", "340200", "340500"])
    laiwu = changes.row(by_predicate=pl.col("former_code") == "371200", named=True)
    assert (laiwu["kind"], laiwu["year"], laiwu["successor_codes"]) == ("merge", 2019, ["370100"])


def test_codes_of_every_year_are_explained(shared_data: Path) -> None:
    links = pl.read_parquet(shared_data / "prefecture_crosswalk" / "ctamap_prefecture_links.parquet").filter(
        pl.col("panel_year").cast(pl.Int64).is_between(1999, 2022)
    )
    known = {*cities()["adcode"], *administrative_changes()["former_code"].drop_nulls()}
    assert set(links["source_code"]) - known == set()


def test_a_divided_unit_becomes_one_group_with_its_successors() -> None:
    merged = merge_administrative(panel(CHAOHU), {"y": "sum"})
    assert merged.frame.rows() == [("340100", t, v) for t, v in ((2009, 15.0), (2010, 15.0), (2011, 7.0), (2012, 7.0))]
    assert told(merged) == ["units-merged"]


def test_a_divided_unit_can_be_left_out() -> None:
    merged = merge_administrative(panel(CHAOHU), split="drop")
    assert merged.frame["adcode"].unique(maintain_order=True).to_list() == ["340100", "340200", "340500"]
    assert told(merged) == ["unit-dropped"]


def test_means_may_be_weighted_and_labels_are_those_of_the_head() -> None:
    rows = [(c, t, v) for c, v in (("370100", 10.0), ("371200", 40.0)) for t in (2010, 2011)]
    data = panel(rows, people=[2, 2, 1, 1], name=["济南市"] * 2 + ["莱芜市"] * 2, same=[1, 2, 1, 2])
    merged = merge_administrative(data, {"y": "mean:people", "people": "sum"})
    assert merged.frame.rows() == [("370100", 2010, 20.0, 3, "济南市", 1), ("370100", 2011, 20.0, 3, "济南市", 2)]
    mean = merge_administrative(data, {"y": "mean", "people": "mean"}).frame
    assert mean["people"].to_list() == [1.5, 1.5]


def test_a_sum_without_a_member_is_missing() -> None:
    absent = [r for r in CHAOHU if r[:2] != ("340200", 2010)]
    merged = merge_administrative(panel(absent), {"y": "sum"})
    assert merged.frame["y"].to_list() == [15.0, None, 7.0, 7.0]
    assert "incomplete-merge" in told(merged)
    empty = [(c, t, None if (c, t) == ("340200", 2010) else v) for c, t, v in CHAOHU]
    assert merge_administrative(panel(empty), {"y": "sum"}).frame["y"].to_list() == [15.0, None, 7.0, 7.0]


def test_new_codes_replace_old_ones() -> None:
    merged = merge_administrative(panel([("522400", 2010, 1.0), ("522400", 2011, 2.0), ("520500", 2012, 3.0)]))
    assert merged.frame.rows() == [("520500", 2010, 1.0), ("520500", 2011, 2.0), ("520500", 2012, 3.0)]
    assert told(merged) == ["recoded"]
    with pytest.raises(PanelError, match="520500 in 2010"):
        merge_administrative(panel([("522400", 2010, 1.0), ("520500", 2010, 3.0)]))


def test_integer_codes_stay_integers_and_other_units_stay_as_they_are() -> None:
    frame = panel([*CHAOHU, ("110000", 2010, 5.0)]).frame.with_columns(pl.col("adcode").cast(pl.Int64))
    merged = merge_administrative(Panel(frame, "adcode", "year"), {"y": "sum"})
    assert merged.frame["adcode"].to_list() == [110000] + [340100] * 4
    assert merged.frame.schema["adcode"] == pl.Int64


def test_what_cannot_be_undone_is_told() -> None:
    rows = [(c, t, 1.0) for c in ("341500", "340400", "340100") for t in (2010, 2016)]
    assert told(merge_administrative(panel(rows))) == ["boundary-break", "boundary-break"]
    late = merge_administrative(panel([*CHAOHU, ("341400", 2012, 8.0)]), {"y": "sum"})
    assert told(late)[:2] == ["units-merged", "observed-after-abolition"]
    lonely = merge_administrative(panel([r for r in CHAOHU if r[0] in ("340100", "341400")]), {"y": "sum"})
    assert "successor-absent" in told(lonely)


def test_all_bad_arguments_are_reported_together() -> None:
    with pytest.raises(PanelError) as error:
        merge_administrative(panel(CHAOHU), {"z": "sum", "y": "average"}, split="halve")
    assert [f.code for f in error.value.findings] == ["unknown-split", "unknown-column", "unknown-rule"]
    with pytest.raises(PanelError, match=r"how=\{'y': 'sum'\}"):
        merge_administrative(panel(CHAOHU))
    with pytest.raises(PanelError, match="match_cities"):
        merge_administrative(panel([("合肥市", 2010, 1.0)]))
