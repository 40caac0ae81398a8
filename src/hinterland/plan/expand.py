"""From rows of a table to an array over the dimensions of the model: blanks stand for all, narrower rows win over wider ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import xarray as xr
from numpy.typing import NDArray

from hinterland.errors import Finding, did_you_mean, listed
from hinterland.plan.schema import ParameterSpec


def model_dims(spec: ParameterSpec) -> tuple[str, ...]:
    """Dimensions of a parameter in the model: region and industry together are a cell."""
    if {"region", "industry"} <= set(spec.dims):
        return ("cell", *(d for d in spec.dims if d not in ("region", "industry")))
    return spec.dims


def filled(spec: ParameterSpec, index: Mapping[str, pd.Index[Any]]) -> xr.DataArray:
    """The parameter where nothing is given: its default everywhere, not a number where there is no limit."""
    dims = model_dims(spec)
    if spec.kind == "flag":
        values: NDArray[Any] = np.full(tuple(len(index[d]) for d in dims), bool(spec.default))
    else:
        default = np.nan if spec.default is None else float(spec.default)
        values = np.full(tuple(len(index[d]) for d in dims), default)
    return xr.DataArray(values, dims=dims, coords={d: index[d] for d in dims})


def placed(
    array: xr.DataArray, rows: pl.DataFrame, keys: Sequence[str], cells: pl.DataFrame, where: str
) -> tuple[xr.DataArray, list[Finding]]:
    """Write ``rows`` (keys and ``value``) into a copy of ``array``; wide rows first, so that narrow ones win.

    Args:
        array: with the dimensions of the model.
        rows: one per value; a null key stands for all labels of its dimension.
        keys: the key columns of ``rows``.
        cells: region, industry and position of each cell.
        where: what to call the table in a finding.
    """
    out = array.copy()
    findings: list[Finding] = []
    named = [k for k in keys if k in rows.columns]
    pattern = pl.concat_str([pl.col(k).is_not_null().cast(pl.Int8).cast(pl.String) for k in named]) if named else pl.lit("")
    groups = rows.with_columns(pattern.alias("_pattern")).partition_by("_pattern", as_dict=True, maintain_order=True)
    for (shape,), part in sorted(groups.items(), key=lambda g: str(g[0][0]).count("1")):
        present = [k for k, flag in zip(named, str(shape), strict=True) if flag == "1"]
        findings += _write(out, part, present, cells, where)
    return out, findings


def _write(out: xr.DataArray, part: pl.DataFrame, present: list[str], cells: pl.DataFrame, where: str) -> list[Finding]:
    """Write rows that all have the same keys, in place."""
    part = part.filter(pl.col("value").is_not_null())
    at: dict[str, NDArray[np.int64]] = {}
    if "cell" in out.dims:
        on: list[str] = [k for k in ("region", "industry") if k in present]
        part, lost = _in_cells(part, on, cells, where)
        if lost:
            return lost
        at["cell"] = part["_cell"].to_numpy().astype(np.int64)
    for key in present:
        if key in out.dims:
            positions = out.indexes[key].get_indexer(part[key].to_list())
            if (positions < 0).any():
                bad = part[key].filter(pl.Series(positions < 0)).unique(maintain_order=True).to_list()
                remedy = did_you_mean(str(bad[0]), map(str, out.indexes[key]))
                return [Finding("unknown-label", f"there is no {key} {listed(bad)}", where, remedy)]
            at[key] = positions.astype(np.int64)
    rest = [str(d) for d in out.dims if d not in at]
    view = out.transpose(*at, *rest).values
    values = part["value"].to_numpy()
    view[tuple(at.values())] = values.reshape(-1, *([1] * len(rest))) if at else values[-1]
    return []


def _in_cells(part: pl.DataFrame, on: list[str], cells: pl.DataFrame, where: str) -> tuple[pl.DataFrame, list[Finding]]:
    """Each row once for every cell it speaks of."""
    if not on:
        return part.join(cells.select("_cell"), how="cross"), []
    joined = part.join(cells, on=on, how="inner", maintain_order="left")
    lost = part.join(cells, on=on, how="anti")
    if lost.height:
        shown = listed([", ".join(map(str, r)) for r in lost.select(on).unique(maintain_order=True).rows()])
        return joined, [Finding("unknown-cell", f"there is no cell for {shown}", where, "add it to the table cells, or remove the row")]
    return joined, []


def over_years(rows: pl.DataFrame, keys: Sequence[str], years: Sequence[int]) -> pl.DataFrame:
    """Rows by year with the years between two given ones filled by a straight line, and the last one held; earlier years than the first stay as they were."""
    if "year" not in rows.columns or rows["year"].null_count() == rows.height:
        return rows
    dated, undated = rows.filter(pl.col("year").is_not_null()), rows.filter(pl.col("year").is_null())
    others = [k for k in keys if k != "year"]
    grid = pl.DataFrame({"year": list(years)}, schema={"year": pl.Int64})
    groups = dated.partition_by(others, maintain_order=True) if others else [dated]
    out = [undated]
    for group in groups:
        known = group.sort("year")
        inside = grid.filter(pl.col("year") >= known["year"].min())
        values = np.interp(inside["year"].to_numpy(), known["year"].to_numpy(), known["value"].to_numpy())
        constant = {k: group[k][0] for k in others}
        out.append(
            inside.with_columns(value=pl.Series(values), **{k: pl.lit(v, dtype=rows.schema[k]) for k, v in constant.items()}).select(
                rows.columns
            )
        )
    return pl.concat(out)
