"""The three reductions on a cluster: a master and two workers, each a process of its own; the same cells as DuckDB's."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

sys.path.insert(0, str(Path(__file__).parents[1]))

import spark_cluster
from hinterland.data.micro import Cells, reduce_firms, reduce_links, reduce_symbols
from hinterland.errors import InputError

pytestmark = [pytest.mark.filterwarnings("ignore::ResourceWarning"), pytest.mark.filterwarnings("ignore::DeprecationWarning")]


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    if reason := spark_cluster.missing():
        pytest.skip(reason)
    with spark_cluster.cluster(tmp_path_factory.mktemp("spark")) as session:
        assert session.sparkContext.master.startswith("spark://")
        yield session


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Firms with codes in every state, links with their owners, and symbols."""
    rng = np.random.default_rng(7)
    n, root = 20_000, tmp_path_factory.mktemp("rows")
    firms = pl.DataFrame(
        {
            "county": rng.choice(["110105", "340104", " 340203", "510107", "34", "990101"], n),
            "class": rng.choice([111, 1311, 2614, 3612, 9911], n),
            "year": rng.integers(2008, 2012, n),
            "staff": rng.integers(-1, 500, n),
            "capital": np.where(rng.random(n) < 0.05, np.nan, np.exp(rng.normal(3, 1.5, n))),
        }
    )
    firms.write_parquet(root / "firms.parquet")
    firms.write_csv(root / "firms.csv")
    owners = pl.DataFrame({"id": np.arange(300), "county": rng.choice([310104, 440301, 340104], 300)})
    owners.write_parquet(root / "owners.parquet")
    links = {"owner": rng.integers(0, 320, n), "county": rng.choice([340104, 310115], n), "capital": rng.random(n), "share": rng.random(n)}
    pl.DataFrame(links).write_parquet(root / "links.parquet")
    symbols = {"patent": rng.integers(0, 4000, n), "symbol": [f"G0{a}F {b}/{c:02d}" for a, b, c in rng.integers(1, 6, (n, 3))]}
    pl.DataFrame(symbols).with_columns(city=340100 + 100 * (pl.col("patent") % 9)).write_parquet(root / "symbols.parquet")
    return root


def same(there: Cells, here: Cells) -> None:
    assert (there.engine, here.engine) == ("spark", "duckdb")
    for one, two in ((there.frame, here.frame), (there.rejected, here.rejected)):
        assert_frame_equal(one, two, rel_tol=1e-9, abs_tol=0)
        counts = [c for c in two.columns if two.schema[c] == pl.Int64]
        assert one.select(counts).equals(two.select(counts))
    assert {(f.code, f.what) for f in there.findings} == {(f.code, f.what) for f in here.findings}


@pytest.mark.parametrize("levels", [{}, {"region_level": "prefecture", "industry_level": "section", "industry_standard": "2017"}])
def test_firms(session: Any, folder: Path, levels: dict[str, str]) -> None:
    roles: dict[str, Any] = {
        "region": "county",
        "industry": "class",
        "time": "year",
        "values": ["staff", "capital"],
        "suppressed": {"staff": [-1]},
    }
    here = reduce_firms(folder / "firms.parquet", **roles, **levels)
    assert here.frame.height > 20
    assert "infinite-values" in {f.code for f in here.findings}
    there = reduce_firms(session.read.parquet(str(folder / "firms.parquet")), **roles, **levels)
    same(there, here)
    assert len(session.sparkContext._jsc.sc().statusTracker().getExecutorInfos()) == 3, "the driver and two workers"


def test_reproducible_sums_have_the_same_bits(session: Any, folder: Path) -> None:
    roles: dict[str, Any] = {"region": "county", "values": ["capital"], "reproducible": True}
    here = reduce_firms(folder / "firms.parquet", **roles)
    there = reduce_firms(session.read.parquet(str(folder / "firms.parquet")), **roles)
    assert there.frame.equals(here.frame)


def test_files_and_text(session: Any, folder: Path) -> None:
    roles: dict[str, Any] = {"region": "county", "industry": "class", "time": "year", "values": ["staff"], "suppressed": {"staff": [-1]}}
    same(reduce_firms(folder / "firms.csv", **roles, engine="spark"), reduce_firms(folder / "firms.csv", **roles))


def test_links(session: Any, folder: Path) -> None:
    roles: dict[str, Any] = {
        "owner": "owner",
        "region": "county",
        "parent": "id",
        "parent_region": "county",
        "capital": "capital",
        "share": "share",
    }
    here = reduce_links(folder / "links.parquet", folder / "owners.parquet", **roles)
    there = reduce_links(*(session.read.parquet(str(folder / f"{n}.parquet")) for n in ("links", "owners")), **roles)
    same(there, here)


def test_symbols(session: Any, folder: Path) -> None:
    roles: dict[str, Any] = {"patent": "patent", "symbol": "symbol", "region": "city"}
    here = reduce_symbols(folder / "symbols.parquet", **roles)
    assert here.coverage["width"] == 1.0
    same(reduce_symbols(session.read.parquet(str(folder / "symbols.parquet")), **roles), here)


def test_spark_needs_a_session(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pyspark.sql import SparkSession

    monkeypatch.setattr(SparkSession, "getActiveSession", classmethod(lambda cls: None))
    with pytest.raises(InputError, match="no-spark-session"):
        reduce_firms(folder / "firms.csv", region="county", engine="spark")
