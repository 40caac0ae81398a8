"""Firms to cells: 10^8 rows to county × industry × year, ours against the same query in plain DuckDB SQL. Run: python benchmarks/micro.py.

``--rows 1e7`` takes fewer. The rows (about 1 GB of Parquet for 10^8) are made before the clock starts and removed afterwards. Each contender
runs in a process of its own, with two threads and a limit of 2 GB for DuckDB; both end with the cells as a Polars frame. Ours also sorts
them, reads the codes and checks that every sum is finite.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

from _harness import contend, report, table

FILE = Path(tempfile.gettempdir()) / "hinterland-benchmark-firms.parquet"
LIMIT, THREADS = "2GB", 2
CONTENDERS = {"plain DuckDB SQL": "duckdb", "hinterland": "hinterland", "hinterland, reproducible": "hinterland"}
QUERY = """
SELECT county, industry, year, count(*) AS n,
       sum(staff::DOUBLE) AS staff, sum(staff::DOUBLE * staff) AS staff_squares, count(staff) AS staff_n,
       sum(capital) AS capital, sum(capital * capital) AS capital_squares, count(capital) AS capital_n
FROM read_parquet(?) GROUP BY ALL
"""


def write(rows: int) -> None:
    import duckdb

    select = f"""
    SELECT CAST(110101 + hash(i) % 2900 AS INTEGER) AS county, CAST(1 + hash(i * 7 + 1) % 97 AS INTEGER) AS industry,
           CAST(2000 + hash(i * 13 + 5) % 23 AS INTEGER) AS year,
           CASE WHEN hash(i * 3 + 2) % 50 > 0 THEN CAST(5 * exp(3 * (hash(i * 17) % 1000) / 1000.0) AS INTEGER) END AS staff,
           CASE WHEN hash(i * 5 + 3) % 20 > 0 THEN 10 * exp(5 * (hash(i * 19) % 100000) / 100000.0) END AS capital
    FROM range({rows}) AS t(i)
    """
    with duckdb.connect(config={"memory_limit": LIMIT, "threads": THREADS, "preserve_insertion_order": False}) as connection:
        connection.execute(f"COPY ({select}) TO '{FILE}' (FORMAT PARQUET, COMPRESSION zstd)")


def plain() -> tuple[float, str]:
    import duckdb

    with (
        tempfile.TemporaryDirectory() as spill,
        duckdb.connect(config={"memory_limit": LIMIT, "threads": THREADS, "temp_directory": spill}) as connection,
    ):
        cells = connection.sql(QUERY, params=[str(FILE)]).pl()
    return float(cells["capital"].sum()) / 1e9, f"{cells.height} cells"


def ours(*, reproducible: bool) -> tuple[float, str]:
    from hinterland.data.micro import reduce_firms

    cells = reduce_firms(
        FILE,
        region="county",
        industry="industry",
        time="year",
        values=["staff", "capital"],
        industry_level="division",
        industry_digits=2,
        reproducible=reproducible,
        memory_limit=LIMIT,
        threads=THREADS,
    )
    return float(cells.frame["capital"].sum()) / 1e9, f"{cells.frame.height} cells"


def one(name: str) -> None:
    start, before = time.perf_counter(), os.times()
    answer, remark = plain() if name.startswith("plain") else ours(reproducible=name.endswith("reproducible"))
    after = os.times()
    processor = after.user + after.system - before.user - before.system
    report(name, time.perf_counter() - start, answer, f"{remark}, {processor:.0f} s of processor")


def main() -> None:
    if "--only" in sys.argv:
        one(sys.argv[sys.argv.index("--only") + 1])
        return
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=float, default=1e8)
    rows = int(parser.parse_args().rows)
    try:
        write(rows)
        FILE.read_bytes()  # so that the first contender does not read from the disk what the others find in memory
        table(f"{rows:,} firms to county × industry × year (answer: total capital, 10^9)", contend(__file__, CONTENDERS), "hinterland")
    finally:
        FILE.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
