"""What could come next: how near and how complex industries are that hosts lack, and how alike hosts are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import polars as pl

from hinterland.errors import Finding, InputError, listed
from hinterland.measure.data import Data
from hinterland.measure.relatedness import QUADRANTS
from hinterland.measure.second import table
from hinterland.transfer.inputs import Cells, for_years
from hinterland.transfer.rows import applied, conformed, measured_rows, ranked

__all__ = ["selection_frame"]

_BY_CELL = ("relatedness-density", "relative-relatedness", "complexity-outlook-gain", "diversification-quadrant")


def selection_frame(cells: Cells, planned: Any) -> pl.DataFrame:
    """Rows of ``transfer_selection``."""
    data = for_years(cells.data, cells.years[-1])
    scores = [cells.grouped(f) for f in _scores(cells, data)]
    rows = [*scores, *_competition(cells, data, planned)]
    return conformed("transfer_selection", [f.with_columns(concept=pl.lit("potential")) for f in rows])


def _scores(cells: Cells, data: Data) -> Iterator[pl.DataFrame]:
    """Measures of relatedness and complexity: of each host and industry, of each industry, of each region."""
    for name in _BY_CELL:
        found = measured_rows(name, applied(name, data)).filter(pl.col("region").is_in(list(cells.hosts)))
        rows = found.with_columns(ranked(pl.col("value"), "region"))
        yield rows.with_columns(rank=pl.lit(None, pl.Int64), label=_quadrant()) if name == "diversification-quadrant" else rows
    yield measured_rows("product-complexity", applied("product-complexity", data)).with_columns(ranked(pl.col("value")))
    regions = measured_rows("economic-complexity", applied("economic-complexity", data)).with_columns(ranked(pl.col("value")))
    yield regions.with_columns(industry=pl.lit(None, pl.String))


def _quadrant() -> pl.Expr:
    names = dict(enumerate(QUADRANTS))
    return pl.col("value").cast(pl.Int64).replace_strict(names, default="", return_dtype=pl.String).fill_null("").alias("label")


def _competition(cells: Cells, data: Data, planned: Any) -> Iterator[pl.DataFrame]:
    """``structural-similarity`` and ``key-industry-overlap`` of every two hosts: by structure, by top location quotients, by what they plan."""
    hosts = list(cells.hosts)
    both = pl.col("region").is_in(hosts) & pl.col("other").is_in(hosts)
    found = [measured_rows("structural-similarity", applied("structural-similarity", data))]
    found.append(measured_rows("key-industry-overlap", applied("key-industry-overlap", data)).with_columns(component=pl.lit("overlap-top")))
    if planned is not None:
        overlap = applied("key-industry-overlap", planned_data(cells, planned), sets="planned")
        found.append(measured_rows("key-industry-overlap", overlap).with_columns(component=pl.lit("overlap-planned")))
    for rows in found:
        yield rows.filter(both).with_columns(ranked(pl.col("value"), "component"), time=pl.lit(cells.years[-1], pl.Int64))


def planned_data(cells: Cells, planned: Any) -> Data:
    """Planned industries as cells of ones, from a table of ``region`` and ``industry``.

    Raises:
        InputError: columns missing, or no region of it among those of the table.
    """
    found = (
        table(planned, "planned", ["region", "industry"]).with_columns(pl.col("region", "industry").cast(pl.String)).drop_nulls().unique()
    )
    regions = cells.data.labels("region")
    inside = found.filter(pl.col("region").is_in(regions.implode())).sort("region", "industry")
    if not inside.height:
        what = f"no region with planned industries is in the table: {listed(found['region'].unique())}"
        raise InputError(Finding("planned-regions", what, "argument planned", "use the labels of the table"), "argument planned")
    rows = inside.with_columns(pl.lit(1.0).alias("value"), pl.lit(0, pl.UInt8).alias("state:value"))
    return Data(rows, {k: k for k in ("region", "industry", "value")}, complete=True)
