"""The study of the southwest by revenue on the real data beside the project, against its numbers computed from the raw rows in another way."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from hinterland.study.load import load_study
from hinterland.study.workspace import Workspace
from hinterland.transfer.result import Transfer

STUDY = Path(__file__).parents[2] / "studies" / "southwest-revenue.toml"
FAULTY = [("青海", 2005), ("甘肃", 2005), ("江西", 2014), ("山东", 2015), ("上海", 2015)]
ELECTRONICS = ("通信设备、计算机及其他电子设备制造业", "计算机、通信和其他电子设备制造业")


@pytest.fixture(scope="module")
def work(shared_data: Path) -> Workspace:
    return Workspace(load_study(STUDY, data=shared_data))


@pytest.fixture(scope="module")
def found(work: Workspace) -> Transfer:
    return work.transferred


@pytest.fixture(scope="module")
def revenue(shared_data: Path) -> pl.DataFrame:
    """Revenue of electronics under either name, in 100 million yuan of 2012: the rows as published, over a chain of the retail index."""
    rows = pl.read_parquet(shared_data / "province_industry_2005_2016" / "main_business_revenue.parquet")
    index = pl.read_parquet(shared_data / "province_panel" / "rpi_overall_1951_2022.parquet").filter(pl.col("year").is_between(2005, 2016))
    level = index.sort("province", "year").select("province", "year", price=(pl.col("rpi_prev_year_100") / 100).cum_prod().over("province"))
    base = level.filter(year=2012).select("province", base="price")
    level = level.join(base, on="province").select("province", "year", price=pl.col("price") / pl.col("base"))
    electronics = rows.filter(pl.col("industry").is_in(ELECTRONICS)).join(level, on=["province", "year"])
    return electronics.select("province", "year", value=pl.col("revenue_10k_yuan") / pl.col("price") / 10_000)


def test_both_editions_of_the_classification_are_one_series_of_33_industries(found: Transfer, work: Workspace) -> None:
    cells = found.scale.filter(measure="absolute-transfer", level="cell")
    assert cells["industry"].n_unique() == 33 and cells["region"].n_unique() == 31
    assert not set(cells["industry"]) & {"合计", "制造业", "通信设备、计算机及其他电子设备制造业", "汽车制造业"}


def test_moved_revenue_of_electronics(found: Transfer, revenue: pl.DataFrame) -> None:
    """Revenue less that of 2012 grown as the nation's, over the provinces that have both years."""
    first, last = (revenue.filter(year=y).drop("year") for y in (2012, 2016))
    both = first.join(last, on="province", suffix=":last")
    rate = both["value:last"].sum() / both["value"].sum()
    want = {p: b - a * rate for p, a, b in both.iter_rows()}
    rows = found.scale.filter(
        measure="absolute-transfer", span="period", level="cell", industry=ELECTRONICS[1], time_from=2012, time=2016
    ).drop_nulls("value")
    got = dict(rows.select("region", "value").iter_rows())
    assert got.keys() == want.keys() and got == pytest.approx(want, rel=1e-9, abs=1e-6)
    assert got["重庆"] > 0, "notebooks went to Chongqing"


def test_years_that_do_not_add_up_are_left_out(found: Transfer) -> None:
    cells = found.scale.filter(measure="absolute-transfer", level="cell", span="year").drop_nulls("value")
    for region, year in FAULTY:
        assert not cells.filter((pl.col("time") == year) | (pl.col("time_from") == year), region=region).height


def test_productivity_gives_gradients(found: Transfer) -> None:
    gradients = found.sources.filter(measure="gradient-coefficient").drop_nulls("value")
    assert gradients.height > 300 and gradients["region"].n_unique() > 25
