"""Of which kind: redistribution by group of industries."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from hinterland.transfer.inputs import Cells, by_group
from hinterland.transfer.rows import conformed
from hinterland.transfer.scale import changes, moved_rows

__all__ = ["structure_frame"]


def structure_frame(cells: Cells, scale: pl.DataFrame) -> pl.DataFrame:
    """Rows of ``transfer_structure``; none without groups.

    Measures of a group treat it as one industry: what moves between its industries within a region is no change. The sums of ``shift-share`` and
    ``redistributed`` over its industries do count that.
    """
    if not cells.groups:
        return conformed("transfer_structure", [])
    found = [_as_group(f) for f in changes(cells, by_group(cells), "region-group", "group")]
    return conformed("transfer_structure", [*found, *moved_rows(cells, cells.groups, "group"), *_sums(scale)])


def _as_group(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(group=pl.col("industry"), industry=pl.lit(None, pl.String))


def _sums(scale: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Shift-share components by region and group: sums over the group's industries that are known."""
    names = ["shift-share", "dynamic-shift-share", "spatial-shift-share"]
    rows = scale.filter(pl.col("measure").is_in(names) & (pl.col("level") == "cell") & pl.col("group").is_not_null())
    keys = ["concept", "measure", "component", "region", "group", "span", "time_from", "time"]
    yield (
        rows.group_by(keys, maintain_order=True)
        .agg(
            value=pl.when(pl.col("value").is_not_null().any()).then(pl.col("value").sum()),
            n_used=pl.col("value").count().cast(pl.Int64),
            coverage=pl.col("value").count() / pl.len(),
            reason=pl.when(pl.col("value").is_not_null().any()).then(pl.lit("")).otherwise(pl.col("reason").first()),
        )
        .with_columns(level=pl.lit("region-group"), industry=pl.lit(None, pl.String))
    )
