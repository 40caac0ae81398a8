"""Breadth of knowledge: one minus the concentration of classes, of a patent or of a portfolio (知识宽度).

Rows are polars frames: patents × symbols may be many millions. Every step is a sum or a count, so a frame already reduced to ``k``
(symbols of a patent in a group) or to ``Σk`` and ``Σk²`` by patent gives the same numbers as the symbols themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import polars as pl

Count = Literal["multiplicity", "distinct-groups"]


def group_counts(symbols: pl.DataFrame, keys: Sequence[str], *, count: Count = "multiplicity") -> pl.DataFrame:
    """``k`` by patent and group from patent × symbol rows.

    Args:
        symbols: columns ``keys``, ``symbol``, ``group``; exact duplicates of a patent's symbol count once.
        keys: what identifies a patent, and what it is reported by.
        count: ``multiplicity``: k is the number of distinct symbols in the group; ``distinct-groups``: k is 1.
    """
    distinct = symbols.select(*keys, "group", "symbol").unique()
    k = pl.len() if count == "multiplicity" else pl.lit(1)
    return distinct.group_by(*keys, "group").agg(k=k.cast(pl.Int64))


def patent_sums(counts: pl.DataFrame, keys: Sequence[str]) -> pl.DataFrame:
    """``s`` = Σ k and ``s2`` = Σ k² by patent from ``k`` by patent and group."""
    k = pl.col("k")
    return counts.group_by(*keys).agg(s=k.sum(), s2=(k * k).sum())


def width(sums: pl.DataFrame) -> pl.DataFrame:
    """``width`` = 1 − Σk²/(Σk)² and ``width_unbiased`` = width · N/(N−1), N = Σk, of each patent.

    The second is null where N < 2 (Hall 2005); a patent with one symbol has width 0.

    Args:
        sums: columns ``s`` and ``s2``.
    """
    s, s2 = pl.col("s").cast(pl.Float64), pl.col("s2").cast(pl.Float64)
    biased = 1 - s2 / (s * s)
    return sums.with_columns(
        width=pl.when(s > 0).then(biased),
        width_unbiased=pl.when(s > 1).then(biased * s / (s - 1)),
    )


def by_region(widths: pl.DataFrame, keys: Sequence[str], column: str, aggregate: Literal["mean", "median"] = "mean") -> pl.DataFrame:
    """``value`` over the patents that have one, ``n_used`` and ``n`` (all patents) by ``keys``."""
    defined = pl.col(column).drop_nulls()
    summary = defined.mean() if aggregate == "mean" else defined.median()
    return widths.group_by(*keys).agg(value=summary, n_used=defined.len().cast(pl.Int64), n=pl.len().cast(pl.Int64)).sort(*keys)


def portfolio_width(symbols: pl.DataFrame, region: str = "region", time: str = "time") -> pl.DataFrame:
    """Breadth of a region's stock of symbols: ``1 − Σ_g (C_g/C)²`` with C cumulated over all years up to each one.

    It measures diversification of the region, not quality of its patents (Li Hong & Wang Yunting 李宏、王云廷 2021), and rises with size.

    Args:
        symbols: ``region``, ``time``, ``group``, and ``k`` (how many symbols; 1 a row when the column is absent).

    Returns:
        ``region``, ``time`` (the years in which the region has symbols), ``value``, ``stock`` (C), sorted.
    """
    k = pl.col("k") if "k" in symbols.columns else pl.lit(1, dtype=pl.Int64)
    flows = symbols.group_by(region, time, "group").agg(k=k.sum().cast(pl.Float64)).sort(region, "group", time)
    after = flows.with_columns(c=pl.col("k").cum_sum().over(region, "group"))
    changes = after.with_columns(square=pl.col("c") ** 2 - (pl.col("c") - pl.col("k")) ** 2)
    years = changes.group_by(region, time).agg(stock=pl.col("k").sum(), square=pl.col("square").sum()).sort(region, time)
    stocks = years.with_columns(pl.col("stock", "square").cum_sum().over(region))
    return stocks.select(region, time, value=1 - pl.col("square") / pl.col("stock") ** 2, stock=pl.col("stock").cast(pl.Int64))
