"""Reproducible sums: the same bits in any order, and as near to the true sum as a double can be."""

from __future__ import annotations

from math import fsum
from pathlib import Path

import duckdb
import hypothesis.strategies as st
import numpy as np
import polars as pl
from hypothesis import given, settings

from hinterland.data.micro import reduce_firms

NUMBERS = (
    st.floats(-1e12, 1e12, allow_subnormal=False) | st.floats(-1e-3, 1e-3, allow_subnormal=False) | st.integers(-(10**9), 10**9).map(float)
)


def sums(frame: pl.DataFrame, **options: object) -> pl.DataFrame:
    return reduce_firms(frame.lazy(), region="r", values=["v"], region_level="label", reproducible=True, **options).frame  # type: ignore[arg-type]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("ab"), NUMBERS), min_size=1, max_size=60), st.randoms(use_true_random=False))
def test_sums_are_true_and_do_not_depend_on_order(rows: list[tuple[str, float]], random: object) -> None:
    frame = pl.DataFrame(rows, schema={"r": pl.String, "v": pl.Float64}, orient="row")
    got = sums(frame)
    random.shuffle(rows)  # type: ignore[attr-defined]
    assert sums(pl.DataFrame(rows, schema=frame.schema, orient="row")).equals(got)
    for label, total, squares in got.select("region", "v", "v_squares").iter_rows():
        mine = [v for r, v in rows if r == label]
        largest = max(abs(v) for _, v in rows)
        # What is cut off is below 2⁻¹⁰⁰ of the largest number; the rest is one rounding of the sum per level.
        assert abs(total - fsum(mine)) <= 4e-16 * abs(fsum(mine)) + 1e-28 * largest * len(rows)
        assert abs(squares - fsum(v * v for v in mine)) <= 4e-16 * squares + 1e-28 * largest**2 * len(rows)


def test_engines_threads_and_limits_give_the_same_bits(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    n = 200_000
    frame = pl.DataFrame({"r": rng.integers(0, 500, n).astype(str), "v": np.exp(rng.normal(0, 6, n)) * rng.choice([-1, 1], n)})
    path = tmp_path / "f.parquet"
    frame.write_parquet(path, row_group_size=10_000)
    want = sums(frame)
    for threads, limit in ((1, "1GB"), (2, "1GB"), (2, "60MB")):
        got = reduce_firms(path, region="r", values=["v"], region_level="label", reproducible=True, threads=threads, memory_limit=limit)
        assert got.frame.equals(want)
    relation = reduce_firms(duckdb.from_arrow(frame.to_arrow()), region="r", values=["v"], region_level="label", reproducible=True)
    assert relation.frame.equals(want)
    plain = reduce_firms(path, region="r", values=["v"], region_level="label").frame
    np.testing.assert_allclose(plain["v"], want["v"], rtol=1e-9)


def test_missing_and_infinite_values_are_left_out() -> None:
    frame = pl.DataFrame({"r": ["a", "a", "b"], "v": [1.5, None, float("inf")]})
    assert sums(frame).select("v", "v_n").rows() == [(1.5, 1), (None, 0)]
    assert sums(frame.clear()).height == 0
    assert sums(frame.with_columns(v=pl.lit(0.0))).select("v", "v_squares").rows() == [(0.0, 0.0)] * 2
