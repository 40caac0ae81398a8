"""The study of transfer into the southwest on the real data beside the project, against computations of its numbers in another way."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from hinterland.data.io_table import IOTable
from hinterland.study.chains import io_tables
from hinterland.study.load import load_study
from hinterland.study.workspace import Workspace
from hinterland.transfer.result import Transfer

STUDY = Path(__file__).parents[2] / "studies" / "southwest-transfer.toml"
HOSTS = ["四川", "重庆", "贵州", "云南", "广西", "西藏"]


@pytest.fixture(scope="module")
def work(shared_data: Path) -> Workspace:
    return Workspace(load_study(STUDY, data=shared_data))


@pytest.fixture(scope="module")
def found(work: Workspace) -> Transfer:
    return work.transferred


@pytest.fixture(scope="module")
def tables(work: Workspace) -> list[IOTable]:
    assert work.study.transfer is not None
    return io_tables(work, work.study.transfer.io)


@pytest.fixture(scope="module")
def jobs(shared_data: Path) -> pl.DataFrame:
    frame = pl.read_parquet(shared_data / "province_industry_2005_2016" / "urban_unit_employment.parquet")
    return frame.with_columns(pl.col("year").cast(pl.Int64))


def test_who_gained_and_lost(found: Transfer, jobs: pl.DataFrame) -> None:
    """Net redistribution of a region: over the industries that it has in both years, jobs less those of 2005 grown as the nation's."""
    first, last = (jobs.filter(year=y).drop_nulls("employment").select("province", "industry", "employment") for y in (2005, 2016))
    both = first.join(last, on=["province", "industry"], suffix=":last")
    nation = both.group_by("industry").agg(rate=pl.col("employment:last").sum() / pl.col("employment").sum())
    cells = both.join(nation, on="industry").with_columns(moved=pl.col("employment:last") - pl.col("employment") * pl.col("rate"))
    rows = found.scale.filter(measure="absolute-transfer", span="whole", level="cell").drop_nulls("value")
    theirs = rows.join(cells, left_on=["region", "industry"], right_on=["province", "industry"])
    assert theirs.height > 1000
    same = (theirs["value"] - theirs["moved"]).abs() <= 1e-6 * theirs["employment"].max()  # type: ignore[operator]
    assert same.mean() > 0.9, "cells differ only in industries where a province lacks one of the years"  # type: ignore[operator]
    net = dict(found.scale.filter(measure="absolute-transfer", span="whole", level="region").select("region", "value").iter_rows())
    assert sum(net.values()) == pytest.approx(0, abs=1e-3)
    assert net["重庆"] > 0 > net["四川"] and sum(net[h] for h in HOSTS) < 0 < net["广东"]


def test_tables_of_four_years_are_in_one_order_and_reproduce_what_provinces_publish(tables: list[IOTable], shared_data: Path) -> None:
    assert [t.year for t in tables] == [2002, 2007, 2012, 2017]
    assert all((t.regions == tables[-1].regions).all() and (t.sectors == tables[-1].sectors).all() for t in tables)
    assert "西藏" not in tables[-1].region_labels and tables[-1].n_regions == 30 and tables[-1].n_sectors == 38
    raw = pl.read_parquet(shared_data / "province_io_tables" / "province_io_long.parquet")
    made = raw.filter(pl.col("col") == "GO", pl.col("year") == 2012, pl.col("row").cast(pl.String).str.starts_with("sec")).group_by("province").agg(pl.col("value").sum())
    by = dict(made.iter_rows())
    of = tables[2]
    for region in ("四川", "广东", "重庆"):
        assert of.x[of.regions == region].sum() == pytest.approx(by[region], rel=1e-6), "prices are those of 2012"


def test_deflated_by_the_retail_prices_of_each_province(tables: list[IOTable], shared_data: Path) -> None:
    prices = pl.read_parquet(shared_data / "province_panel" / "rpi_overall_1951_2022.parquet").with_columns(pl.col("year").cast(pl.Int64))
    rise = prices.filter((pl.col("province") == "四川") & pl.col("year").is_between(2013, 2017))["rpi_prev_year_100"].to_numpy() / 100
    raw = pl.read_parquet(shared_data / "province_io_tables" / "province_io_long.parquet")
    current = raw.filter(pl.col("col") == "GO", pl.col("year") == 2017, pl.col("row").cast(pl.String).str.starts_with("sec"), pl.col("province") == "四川")["value"].sum()
    t = tables[-1]
    assert t.x[t.regions == "四川"].sum() == pytest.approx(current / rise.prod(), rel=1e-6)


def test_net_transfer_between_two_provinces_by_the_plain_inverse(found: Transfer, tables: list[IOTable]) -> None:
    """Structure part of the change in output that another region's final demand induces, both ways, from the Leontief inverse itself."""
    old, new = (t.domestic() for t in (tables[2], tables[3]))
    induced = []
    for t in (old, new):
        a = t.Z / np.where(t.x > 0, t.x, 1)[None, :]
        induced.append((np.linalg.inv(np.eye(t.n) - a), t.final_demand))
    (l0, y0), (l1, y1) = induced
    structure = 0.5 * (l1 - l0) @ (y0 + y1)
    at = {str(r): k for k, r in enumerate(old.region_labels)}
    by = structure.reshape(30, 38, 30).sum(axis=1)
    rows = found.flows.filter(measure="mrio-net-transfer", component="mrio-structure", time_from=2012, time=2017).filter(pl.col("industry").is_null())
    for source, host in (("广东", "四川"), ("浙江", "重庆"), ("广东", "贵州")):
        net = by[at[host], at[source]] - by[at[source], at[host]]
        pair = rows.filter(pl.col("region").is_in([source, host]) & pl.col("other").is_in([source, host])).row(0, named=True)
        signed = pair["value"] if pair["other"] == host else -pair["value"]
        assert signed == pytest.approx(net, rel=1e-8)


def test_complexity_goes_with_development(found: Transfer) -> None:
    """By diversity alone the sign is that of broad inland provinces, and mining would be the most complex industry."""
    pci = dict(found.selection.filter(measure="product-complexity").select("industry", "value").iter_rows())
    assert pci["计算机、通信和其他电子设备制造业"] > 0 > pci["煤炭开采和洗选业"]


def test_extraction_of_sichuan_by_solving_without_it(found: Transfer, tables: list[IOTable]) -> None:
    t = tables[-1].domestic()
    own = t.regions == "四川"
    a = t.Z / np.where(t.x > 0, t.x, 1)[None, :]
    final = t.x - t.Z.sum(axis=1)
    cut = a.copy()
    cut[np.ix_(own, ~own)] = 0
    cut[np.ix_(~own, own)] = 0
    cut[np.ix_(own, own)] = 0
    lost = t.x.sum() - np.linalg.solve(np.eye(t.n) - cut, final).sum()
    row = found.security.filter(measure="hypothetical-extraction", component="extraction-importance", region="四川", time=2017)
    assert row["value"][0] == pytest.approx(lost / t.x.sum(), rel=1e-6)
