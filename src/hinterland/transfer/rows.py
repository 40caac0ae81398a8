"""From measures to the rows of a frame: indicators applied to cells already read, and their results under the columns of the tables."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from hinterland.measure.data import Data
from hinterland.measure.entry import compute_of, find_indicator
from hinterland.measure.result import Measured, reasons_of
from hinterland.transfer.tables import TRANSFER_TABLES

Floats = NDArray[np.float64]

_FILL: Mapping[str, Any] = {
    "basis": "",
    "imputed": False,
    "component": "",
    "role": "",
    "label": "",
    "rule": "",
    "values": "{}",
    "coverage": 1.0,
    "reason": "",
}
"""What a column holds where a row says nothing of it; the others are null."""


def applied(id: str, data: Data, **parameters: Any) -> Measured:  # noqa: A002  # the catalogue's word
    """The indicator ``id`` on ``data``, with its default parameters but for those given: what :func:`hinterland.measure` would compute."""
    indicator = find_indicator(id)
    chosen = {name: p.default for name, p in indicator.parameters.items()} | parameters
    return compute_of(indicator)(data, **chosen)


def measured_rows(measure: str, measured: Measured, **said: Any) -> pl.DataFrame:
    """A measure's blocks as rows, with ``said`` in further columns; ``time_from`` is the year that each year is compared with, if any."""
    compared = dict(reversed([(b, a) for a, b in measured.meta.get("compared", ())]))
    parts = []
    for made in measured.blocks:
        number = {"value": pl.Series(made.value), "n_used": made.n_used, "coverage": pl.Series(made.coverage), "reason": made.reason}
        rows = pl.DataFrame({k: v.alias(k) for k, v in {**made.keys, **number}.items()})
        parts.append(rows.with_columns(component=pl.lit(made.component), value=pl.col("value").fill_nan(None)))
    frame = pl.concat(parts, how="diagonal") if parts else pl.DataFrame()
    if compared and frame.height:
        frame = frame.with_columns(time_from=pl.col("time").replace_strict(compared, default=None, return_dtype=pl.Int64))
    return frame.with_columns(measure=pl.lit(measure), **{k: pl.lit(v) for k, v in said.items()})


def number_rows(
    keys: Mapping[str, Any], value: ArrayLike, *, n_used: ArrayLike = 1, reasons: Mapping[str, ArrayLike] | None = None, **said: Any
) -> pl.DataFrame:
    """[n] numbers as rows with label columns ``keys``; a number that is not finite has the first of ``reasons`` that holds, or ``undefined``."""
    values = np.atleast_1d(np.asarray(value, dtype=np.float64))
    why = reasons_of({**(reasons or {}), "undefined": ~np.isfinite(values)}, values.shape)
    columns = {k: pl.Series(k, v) for k, v in keys.items()}
    columns["value"] = pl.Series(np.where((why == "").to_numpy(), values, np.nan), nan_to_null=True)
    columns["n_used"] = pl.Series(np.broadcast_to(np.asarray(n_used), values.shape).astype(np.int64))
    columns["reason"] = why
    return pl.DataFrame({k: v.alias(k) for k, v in columns.items()}).with_columns(**{k: pl.lit(v) for k, v in said.items()})


def conformed(table: str, frames: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """The rows of ``frames`` under the columns and types of ``table``, in order; none gives an empty frame.

    Raises:
        KeyError: a frame has a column that the table lacks.
    """
    schema = TRANSFER_TABLES[table]
    parts = []
    for frame in frames:
        extra = set(frame.columns) - set(schema)
        if extra:
            raise KeyError(f"{table} has no column {sorted(extra)}")
        parts.append(frame.select(_column(name, frame, dtype) for name, dtype in schema.items()))
    return pl.concat(parts) if parts else pl.DataFrame(schema=dict(schema))


def _column(name: str, frame: pl.DataFrame, dtype: pl.DataType) -> pl.Expr:
    fill = _FILL.get(name)
    if name not in frame.columns:
        return pl.lit(fill, dtype=dtype).alias(name)
    found = pl.col(name).cast(dtype)
    return found if fill is None else found.fill_null(fill)


def as_values(frame: pl.DataFrame, columns: Iterable[str]) -> pl.Series:
    """[n] JSON objects with the values of ``columns``, for the fields of a sentence; numbers rounded to six significant digits."""
    rows = frame.select(list(columns)).iter_rows(named=True)
    return pl.Series("values", [json.dumps({k: _plain(v) for k, v in row.items()}, ensure_ascii=False) for row in rows], dtype=pl.String)


def _plain(value: Any) -> Any:
    return float(f"{value:.6g}") if isinstance(value, float) else value


def ranked(values: pl.Expr, *over: str) -> pl.Expr:
    """Place of each row by ``values``, greatest first, among those with the same ``over``; null where there is no value."""
    rank = values.rank("min", descending=True).cast(pl.Int64)
    return (rank.over(over) if over else rank).alias("rank")
