"""Firms to cells: the sums, the states, the codes, and the same cells whatever reads them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import hypothesis.strategies as st
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from polars.testing import assert_frame_equal

import hinterland as hl
from hinterland.data.micro import Cells, add_cells, reduce_firms
from hinterland.errors import InputError

ROLES: dict[str, Any] = {"region": "county", "industry": "class", "time": "year"}


def firms(n: int = 3000, seed: int = 0) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    staff = rng.integers(0, 500, n).astype(float)
    capital = np.exp(rng.normal(3, 1.5, n))
    return pl.DataFrame(
        {
            "county": rng.choice([110105, 340104, 340203, 510107, 500103], n),
            "class": rng.choice([111, 1311, 1312, 2614, 3612, 3919], n),
            "year": rng.integers(2008, 2012, n),
            "staff": np.where(rng.random(n) < 0.1, np.nan, staff),
            "capital": np.where(rng.random(n) < 0.05, np.nan, capital),
        }
    ).with_columns(pl.col("staff", "capital").fill_nan(None))


def sources(frame: pl.DataFrame, folder: Path) -> dict[str, tuple[Any, str]]:
    """The same rows as each kind of source: the source, and the engine that reads files."""
    frame.write_parquet(folder / "firms.parquet")
    frame.write_csv(folder / "firms.csv")
    return {
        "parquet": (folder / "firms.parquet", "duckdb"),
        "pattern": (str(folder / "firm*.parquet"), "duckdb"),
        "csv": (folder / "firms.csv", "duckdb"),
        "relation": (duckdb.from_arrow(frame.to_arrow()), "duckdb"),
        "parquet by polars": ([folder / "firms.parquet"], "polars"),
        "csv by polars": (folder / "firms.csv", "polars"),
        "lazy frame": (frame.lazy(), "duckdb"),
        "data frame": (frame, "duckdb"),
        "arrow": (frame.to_arrow(), "duckdb"),
    }


def codes(cells: Cells) -> list[str]:
    return [f.code for f in cells.findings]


def same(one: pl.DataFrame, two: pl.DataFrame) -> None:
    """Counts exactly; sums of floats to 1e-9, because the engines add in different orders."""
    assert_frame_equal(one, two, rel_tol=1e-9, abs_tol=0)
    counts = [c for c in one.columns if one.schema[c] == pl.Int64]
    assert one.select(counts).equals(two.select(counts))


def test_sums_are_those_of_the_rows() -> None:
    frame = firms()
    cells = reduce_firms(frame.lazy(), **ROLES, values=["staff", "capital"])
    want = (
        frame.group_by(
            region=pl.col("county").cast(pl.String),
            industry=pl.col("class").cast(pl.String).str.zfill(4),
            time=pl.col("year").cast(pl.Int64),
        )
        .agg(
            n=pl.len().cast(pl.Int64),
            staff=pl.col("staff").sum(),
            staff_squares=(pl.col("staff") ** 2).sum(),
            staff_n=pl.col("staff").count().cast(pl.Int64),
            capital=pl.col("capital").sum(),
        )
        .sort("region", "industry", "time")
    )
    same(cells.frame.select(want.columns), want)
    assert cells.n == frame.height
    assert cells.coverage["staff"] == pytest.approx(1 - frame["staff"].null_count() / frame.height, abs=0)
    assert cells.findings == ()
    assert repr(cells).startswith("Cells(region × industry × time: 120 cells of 3000 rows; staff, capital")


@pytest.mark.parametrize("levels", [{}, {"region_level": "prefecture", "industry_level": "division"}], ids=["as coded", "cut"])
def test_every_source_gives_the_same_cells(tmp_path: Path, levels: dict[str, str]) -> None:
    made = {
        name: reduce_firms(source, **ROLES, **levels, values=["staff", "capital"], engine=engine)
        for name, (source, engine) in sources(firms(), tmp_path).items()
    }
    for cells in made.values():
        same(cells.frame, made["parquet"].frame)
    assert {name: cells.engine for name, cells in made.items() if "polars" in name or "frame" in name} == {
        "parquet by polars": "polars",
        "csv by polars": "polars",
        "lazy frame": "polars",
        "data frame": "polars",
    }


@pytest.mark.parametrize("engine", ["duckdb", "polars"])
def test_states_survive(engine: str) -> None:
    frame = pl.DataFrame(
        {
            "r": ["340100"] * 7,
            "i": ["1311", "1311", "1312", "1313", "1313", "1314", "1314"],
            "v": [0.0, 0.0, None, -99.0, None, -99.0, 5.0],
        }
    )
    source = frame.lazy() if engine == "polars" else duckdb.from_arrow(frame.to_arrow())
    cells = reduce_firms(source, region="r", industry="i", values=["v"], suppressed={"v": [-99]})
    table = cells.table("v")
    assert table.select("industry", "value", "state", "n_used", "coverage").rows() == [
        ("1311", 0.0, "observed", 2, 1.0),
        ("1312", None, "missing", 0, 0.0),
        ("1313", None, "suppressed", 0, 0.0),
        ("1314", 5.0, "observed", 1, 0.5),
    ]
    assert cells.frame["v_suppressed"].to_list() == [0, 0, 1, 1]
    assert cells.table("v", "mean")["value"].to_list() == [0.0, None, None, 5.0]
    assert cells.table("v", "n")["value"].to_list() == [2.0, 1.0, 2.0, 2.0]


@pytest.mark.parametrize("flag", [[True, False, None], [1, 0, None], ["yes", "", None], ["1", "0", "false"]])
def test_a_column_may_say_what_is_withheld(flag: list[object]) -> None:
    frame = pl.DataFrame({"r": ["340100", "340200", "340300"], "v": [1.0, 2.0, 3.0], "f": flag})
    for source in (frame.lazy(), duckdb.from_arrow(frame.to_arrow())):
        cells = reduce_firms(source, region="r", values=["v"], suppressed={"v": "f"})
        assert cells.table("v")["state"].to_list() == ["suppressed", "observed", "observed"]


def test_marks_and_numbers_in_text(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("r,v\n340100,1.5\n340100,—\n340200,*\n340300, 2e3 \n340400,\n340500,-99\n", encoding="utf-8")
    for engine in ("duckdb", "polars"):
        cells = reduce_firms(tmp_path / "t.csv", region="r", values=["v"], suppressed={"v": ["*", -99]}, engine=engine)  # type: ignore[arg-type]
        assert cells.table("v").select("value", "state").rows() == [
            (1.5, "observed"),
            (None, "suppressed"),
            (2000.0, "observed"),
            (None, "missing"),
            (None, "suppressed"),
        ]


def test_text_among_numbers_is_an_error_with_its_text(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("r,v\n340100,1.5\n340100,about 7\n340200,?\n340300,?\n", encoding="utf-8")
    with pytest.raises(InputError) as error:
        reduce_firms(tmp_path / "t.csv", region="r", values=["v"])
    (finding,) = error.value.findings
    assert finding.code == "not-a-number"
    assert finding.what == "3 row(s) of 'v' hold text that is no number: '?', 'about 7'"


@pytest.mark.parametrize("frame", [lambda f: f.lazy(), lambda f: duckdb.from_arrow(f.to_arrow())], ids=["polars", "duckdb"])
def test_numbers_that_are_not_finite_are_missing_and_said(frame: Callable[[pl.DataFrame], Any]) -> None:
    data = pl.DataFrame({"r": ["340100", "340100", "340200"], "v": [1.0, float("nan"), float("-inf")], "w": [1.0, 2.0, 3.0]})
    cells = reduce_firms(frame(data), region="r", values=["v", "w"])
    assert cells.frame.select("v", "v_n", "w", "w_n").rows() == [(1.0, 1, 3.0, 2), (None, 0, 3.0, 1)]
    assert codes(cells) == ["infinite-values"]


def test_codes_are_mended() -> None:
    frame = pl.DataFrame(
        {
            "r": [" 340104 ", "340104", "３４０１０４", "340104.0"],
            "i": ["0111", "111", " 111", "111.0"],
            "y": ["2010", "2010年", "2010-06-30", "2010.0"],
        }
    )
    cells = reduce_firms(frame.lazy(), region="r", industry="i", time="y")
    assert cells.frame.rows() == [("340104", "0111", 2010, 4)]
    cut = reduce_firms(
        frame.lazy(), region="r", industry="i", time="y", region_level="province", industry_level="section", industry_standard="2017"
    )
    assert cut.frame.rows() == [("340000", "A", 2010, 4)]


@pytest.mark.parametrize("kind", [pl.Int64, pl.String, pl.Float64])
@pytest.mark.parametrize("level", ["class", "division"])
def test_codes_that_are_none_are_counted_and_named(kind: Any, level: str) -> None:
    frame = pl.DataFrame(
        {"r": pl.Series([340104, 340104, 34, 990104, None]).cast(kind), "i": pl.Series([1311, 9911, 1311, 12345, 1311]).cast(kind)}
    )
    frame = frame.with_columns(pl.col(pl.String).str.strip_suffix(".0"), v=pl.Series([1.0, 2.0, 4.0, 8.0, 16.0]))
    for source in (frame.lazy(), duckdb.from_arrow(frame.to_arrow())):
        cells = reduce_firms(source, region="r", industry="i", industry_level=level, values=["v"])
        assert cells.frame.select("n", "v").rows() == [(1, 1.0)]
        assert cells.rejected["n"].sum() == 4
        assert cells.rejected["v"].sum() == 30.0
        said = {f.code: (f.what, f.where) for f in cells.findings if "region" in f.what}
        assert said["code-missing"] == ("in 1 row(s) the region has no value", "column 'r'")
        assert said["code-malformed"] == ("in 1 row(s) the region is no code of its kind", "column 'r': '34'")
        assert said["code-unknown"] == ("in 1 row(s) the region is a code that does not exist", "column 'r': '990104'")
        industries = {f.code: f.where for f in cells.findings if "industry" in f.what}
        assert industries == {
            "code-malformed": "column 'i': '12345'",
            "code-unknown": f"column 'i': {'9911' if level == 'class' else '99'!r}",
        }


def test_a_list_of_codes_or_an_edition_says_what_exists() -> None:
    frame = pl.DataFrame({"r": ["340104", "340199"], "i": ["3811", "1311"]})
    cells = reduce_firms(frame.lazy(), region="r", industry="i", industry_standard="2002", known={"region": ["340104"]})
    assert cells.frame.is_empty()
    assert [f.where for f in cells.findings] == ["column 'r': '340199'", "column 'i': '3811'"], "GB/T 4754-2002 has no division 38"


def test_a_municipality_is_its_own_prefecture() -> None:
    frame = pl.DataFrame({"r": [110105, 500103, 310115, 120101, 340104]})
    cells = reduce_firms(frame.lazy(), region="r", region_level="prefecture")
    assert cells.frame["region"].to_list() == ["110000", "120000", "310000", "340100", "500000"]
    long = reduce_firms(pl.DataFrame({"r": [110105001002]}).lazy(), region="r", region_digits=12, region_level="county")
    assert long.frame["region"].to_list() == ["110105"]


def test_dates_become_years_and_labels_stay() -> None:
    frame = pl.DataFrame({"r": ["Anhui ", "Anhui"], "y": ["2010-05-01", "2011-05-01"], "o": ["private", "state"]}).with_columns(
        pl.col("y").str.to_date()
    )
    cells = reduce_firms(frame.lazy(), region="r", time="y", by=["o"], region_level="label")
    assert cells.frame.rows() == [("Anhui", 2010, "private", 1), ("Anhui", 2011, "state", 1)]


def test_a_complete_source_has_zeros_where_it_has_no_rows() -> None:
    frame = pl.DataFrame({"r": ["340100", "340200"], "i": ["1311", "1312"], "v": [1.0, None]})
    cells = reduce_firms(frame.lazy(), region="r", industry="i", values=["v"])
    assert cells.table("v").height == 2
    assert cells.table("v", complete=True).select("value", "state").rows() == [
        (1.0, "observed"),
        (0.0, "observed"),
        (0.0, "observed"),
        (None, "missing"),
    ]


def test_indicators_read_the_table() -> None:
    cells = reduce_firms(firms().lazy(), **ROLES, values=["staff"], region_level="prefecture", industry_level="division")
    table = cells.table("staff")
    measured = hl.measure("location-quotient", table, region="region", industry="industry", time="time", value="value", state="state")
    shares = table.with_columns(x=pl.col("value").sum().over("region", "time") / pl.col("value").sum().over("time"))
    joined = measured.frame.join(shares.select("region", "time", "x").unique(), on=["region", "time"])
    mean = joined.group_by("industry", "time").agg((pl.col("value") * pl.col("x")).sum())
    np.testing.assert_allclose(mean["value"].to_numpy(), 1.0, rtol=1e-12)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 3), min_size=1, max_size=40), st.integers(0, 1000))
def test_cells_of_parts_add_up_to_those_of_the_whole(part_of_row: list[int], seed: int) -> None:
    frame = firms(len(part_of_row), seed).with_columns(
        part=pl.Series(part_of_row), county=pl.when(pl.col("year") == 2008).then(1).otherwise("county")
    )
    whole = reduce_firms(frame.lazy(), **ROLES, values=["staff", "capital"])
    parts = [reduce_firms(p.lazy(), **ROLES, values=["staff", "capital"]) for p in frame.partition_by("part", maintain_order=True)]
    together = add_cells(parts)
    same(together.frame, whole.frame)
    same(together.rejected, whole.rejected)
    assert whole.n + whole.rejected["n"].sum() == frame.height
    assert float(whole.frame["staff"].sum() + whole.rejected["staff"].sum()) == float(frame["staff"].sum()), "whole numbers add up exactly"


def test_cells_of_different_shape_do_not_add_up() -> None:
    one = reduce_firms(firms(10).lazy(), **ROLES, values=["staff"])
    with pytest.raises(InputError, match="cells-differ"):
        add_cells([one, reduce_firms(firms(10).lazy(), **ROLES)])
    with pytest.raises(InputError, match="cells-differ"):
        add_cells([])


BAD: list[tuple[dict[str, Any], str]] = [
    ({"region": "nowhere"}, "unknown-column"),
    ({"values": ["staf"]}, "unknown-column"),
    ({"suppressed": {"capital": [1]}}, "unknown-column"),
    ({"region": None, "industry": None, "time": None}, "no-keys"),
    ({"region_level": "village"}, "unknown-level"),
    ({"industry_level": "class", "industry_digits": 2}, "unknown-level"),
    ({"industry_level": "section"}, "no-standard"),
    ({"industry_standard": "2024"}, "unknown-standard"),
    ({"by": ["n"]}, "duplicate-column"),
    ({"engine": "dask"}, "unknown-engine"),
]


@pytest.mark.parametrize(("options", "code"), BAD, ids=[f"{c}{k}" for k, (_, c) in enumerate(BAD)])
def test_bad_arguments(options: dict[str, Any], code: str, tmp_path: Path) -> None:
    firms(20).with_columns(n=pl.lit("x")).write_parquet(tmp_path / "f.parquet")
    with pytest.raises(InputError) as error:
        reduce_firms(tmp_path / "f.parquet", **{**ROLES, "values": ["staff"], **options})
    assert [f.code for f in error.value.findings] == [code]


def test_bad_sources(tmp_path: Path) -> None:
    firms(5).write_parquet(tmp_path / "a.parquet")
    firms(5).write_csv(tmp_path / "a.csv")
    (tmp_path / "b.parquet").write_text("no Parquet")
    for source, code in (
        (tmp_path / "none.parquet", "missing-file"),
        (str(tmp_path / "none*.csv"), "missing-file"),
        ([], "missing-file"),
        ([tmp_path / "a.parquet", tmp_path / "a.csv"], "unknown-format"),
        (tmp_path, "unknown-format"),
        (tmp_path / "b.parquet", "corrupt-file"),
        (17, "not-a-table"),
    ):
        with pytest.raises(InputError) as error:
            reduce_firms(source, **ROLES)
        assert [f.code for f in error.value.findings] == [code]
    with pytest.raises(InputError, match="memory_limit"):
        reduce_firms(tmp_path / "a.parquet", **ROLES, memory_limit="much")
    cells = reduce_firms(tmp_path / "a.parquet", **ROLES)
    for arguments in (("staff",), ("staff", "median")):
        with pytest.raises(InputError):
            cells.table(*arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize("engine", ["duckdb", "polars"])
def test_a_file_that_is_not_utf8_is_an_error(tmp_path: Path, engine: str) -> None:
    rows = ["340100,1,合肥"] * 30_000
    (tmp_path / "gbk.csv").write_bytes("\n".join(["r,v,city", *rows]).encode("gb18030"))
    with pytest.raises(InputError) as error:
        reduce_firms(tmp_path / "gbk.csv", region="r", values=["v"], by=["city"], engine=engine)  # type: ignore[arg-type]
    assert [f.code for f in error.value.findings] == ["corrupt-file"]


def test_a_limit_that_is_too_small_is_an_error(tmp_path: Path) -> None:
    pl.DataFrame({"r": pl.int_range(200_000, eager=True).cast(pl.String)}).write_parquet(tmp_path / "f.parquet")
    with pytest.raises(InputError, match="memory-limit"):
        reduce_firms(tmp_path / "f.parquet", region="r", region_level="label", memory_limit="2MB")


def test_an_empty_source_has_no_cells() -> None:
    cells = reduce_firms(firms(3).clear().lazy(), **ROLES, values=["staff"])
    assert cells.frame.height == cells.rejected.height == cells.n == 0
    assert cells.table("staff", complete=True).height == 0
    assert np.isnan(cells.coverage["staff"])


LARGE = """
import sys
import polars as pl
from hinterland.data.micro import reduce_firms
cells = reduce_firms(sys.argv[1], region="r", industry="i", time="t", values=["v"], industry_level="label", memory_limit=sys.argv[2], threads=1)
print(cells.frame.height, cells.n, int(cells.frame["v"].sum()), int(cells.frame["v_squares"].sum()))
"""


def test_more_data_than_memory_allows(tmp_path: Path) -> None:
    """The sums of 1.6 million cells under a limit at which DuckDB gives up when it may not write temporary files."""
    n = 1_600_000
    row = pl.int_range(0, n, eager=True)
    rows = {
        "r": 340100 + row % 100,
        "i": (row // 100 % 8000).cast(pl.String),
        "t": 2010 + row // 800000 % 2,
        "v": (row % 97).cast(pl.Float64),
    }
    path = tmp_path / "large.parquet"
    pl.DataFrame(rows).write_parquet(path)
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    answers = {
        limit: subprocess.run(
            [sys.executable, "-c", LARGE, path, limit], capture_output=True, text=True, check=True, env=environment
        ).stdout
        for limit in ("60MB", "2GB")
    }
    want = pl.DataFrame(rows)
    cells = want.select("r", "i", "t").n_unique()
    squares = int((want["v"] ** 2).sum())
    assert answers["2GB"].split() == [str(x) for x in (cells, n, int(want["v"].sum()), squares)]
    assert answers["60MB"] == answers["2GB"]
    plain = "SELECT count(*) FROM (SELECT r, i, t, sum(v), sum(v * v) FROM read_parquet(?) GROUP BY ALL)"
    with (
        duckdb.connect(config={"memory_limit": "60MB", "threads": 1, "temp_directory": ""}) as connection,
        pytest.raises(duckdb.OutOfMemoryException),
    ):
        connection.execute(plain, [str(path)]).fetchall()
