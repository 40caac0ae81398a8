"""Cells of micro-data: sums over the rows of each region, industry and year that can be added to those of other rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import polars as pl

from hinterland.data.micro_keys import Key, labels, problems
from hinterland.errors import Finding, InputError, did_you_mean

Statistic = Literal["sum", "mean", "n"]
SUMS = ("", "_squares", "_n", "_suppressed")
"""What is kept of a value beside its name: sum, sum of squares, observed rows, withheld rows."""


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """Micro-data reduced to cells.

    Attributes:
        frame: one row per cell, sorted: the keys as text (``time`` as Int64); ``n``, rows of the source; and for each value ``v`` its sum
            ``v`` over the rows where it is observed (null where it is in none), ``v_squares`` the sum of squares, ``v_n`` the rows where
            it is observed, ``v_suppressed`` those where it is withheld (zero without a rule). ``n − v_n − v_suppressed`` rows miss it.
        keys: names of the key columns;  values: names of the values.
        rejected: the rows whose keys are no codes, by label as it stood, with the same sums; ``frame`` and ``rejected`` add up to the source.
        findings: what the reduction noticed, warnings only.
        engine: what computed it.
    """

    frame: pl.DataFrame
    keys: tuple[str, ...]
    values: tuple[str, ...]
    rejected: pl.DataFrame
    findings: tuple[Finding, ...] = ()
    engine: str = ""

    def __repr__(self) -> str:
        out = int(self.rejected["n"].sum())
        rest = f", {out} rows rejected" if out else ""
        return f"Cells({' × '.join(self.keys)}: {self.frame.height} cells of {self.n} rows; {', '.join(self.values)}{rest}; {self.engine})"

    @property
    def n(self) -> int:
        """Rows of the source that are in cells."""
        return int(self.frame["n"].sum())

    @property
    def coverage(self) -> dict[str, float]:
        """Share of the rows in cells in which each value is observed (NaN without rows)."""
        return {v: float(self.frame[f"{v}_n"].sum()) / self.n if self.n else float("nan") for v in self.values}

    def table(self, value: str, statistic: Statistic = "sum", *, complete: bool = False) -> pl.DataFrame:
        """One value as an indicator reads it: the keys, ``value``, ``state``, ``n_used``, ``coverage``.

        ``state`` is ``observed`` (zero is a value), ``missing``, or ``suppressed`` where no row is observed and some are withheld.
        ``statistic`` may also be ``mean`` (over observed rows) or ``n`` (how many rows; it is always observed). With ``complete``, the
        table has a row for every combination of labels, zero where the source has no row: only for a source that lists everything.

        Raises:
            InputError: unknown values or statistics.
        """
        return _table(self, value, statistic, complete=complete)


def _table(cells: Cells, value: str, statistic: str, *, complete: bool) -> pl.DataFrame:
    if value not in cells.values and statistic != "n":
        remedy = did_you_mean(value, cells.values)
        raise InputError(Finding("unknown-column", f"the cells hold no value {value!r}", "argument value", remedy))
    if statistic not in ("sum", "mean", "n"):
        remedy = did_you_mean(statistic, ("sum", "mean", "n"))
        raise InputError(Finding("unknown-value", f"statistic is {statistic!r}", "argument statistic", remedy))
    if statistic == "n":
        number, used, hidden = pl.col("n").cast(pl.Float64), pl.col("n"), pl.lit(0)
    else:
        used, hidden = pl.col(f"{value}_n"), pl.col(f"{value}_suppressed")
        number = pl.col(value) / used if statistic == "mean" else pl.col(value)
    state = pl.when(used > 0).then(pl.lit("observed")).when(hidden > 0).then(pl.lit("suppressed")).otherwise(pl.lit("missing"))
    table = cells.frame.select(
        *cells.keys,
        pl.when(used > 0).then(number).alias("value"),
        state.alias("state"),
        used.alias("n_used"),
        (used / pl.col("n")).alias("coverage"),
    )
    return _completed(table, cells.keys) if complete else table


def _completed(table: pl.DataFrame, keys: Sequence[str]) -> pl.DataFrame:
    grid = table.select(pl.col(keys[0]).unique().sort())
    for key in keys[1:]:
        grid = grid.join(table.select(pl.col(key).unique().sort()), how="cross")
    full = grid.join(table, on=list(keys), how="left", maintain_order="left")
    absent = pl.col("state").is_null()
    return full.with_columns(
        pl.when(absent).then(0.0).otherwise("value").alias("value"),
        pl.col("state").fill_null("observed"),
        pl.col("n_used").fill_null(0),
        pl.when(absent).then(1.0).otherwise("coverage").alias("coverage"),
    )


def add_cells(parts: Sequence[Cells]) -> Cells:
    """The cells of several disjoint sets of rows together.

    Raises:
        InputError: no parts, or parts with other keys or values.
    """
    shapes = {(p.keys, p.values) for p in parts}
    if len(shapes) != 1:
        what = f"{len(parts)} sets of cells with {len(shapes)} different lists of keys and values"
        raise InputError(Finding("cells-differ", what, "argument parts", "reduce every source with the same keys and values"))
    first = parts[0]
    if len(parts) == 1:
        return first
    frame = _added(pl.concat([p.frame for p in parts]), first.keys, first.values)
    rejected = _added(pl.concat([p.rejected for p in parts]), first.keys, first.values)
    findings = tuple(dict.fromkeys(f for p in parts for f in p.findings))
    return replace(first, frame=frame, rejected=rejected, findings=findings)


def sum_columns(values: Sequence[str]) -> list[str]:
    """The columns that are added up."""
    return ["n", *(f"{v}{s}" for v in values for s in SUMS)]


def _added(frame: pl.DataFrame, keys: Sequence[str], values: Sequence[str]) -> pl.DataFrame:
    """Rows of the same cell added up, sorted by key; sums of nothing observed are null."""
    cell = _number_of_cell(frame, keys)
    order = cell.arg_sort()
    cell = cell.gather(order)
    frame = frame[order]
    if (cell.head(-1) == cell.tail(-1)).any():
        firsts = [pl.col(k).first() for k in keys]
        sums = [pl.col(c).sum() for c in sum_columns(values)]
        frame = frame.group_by(cell.alias("_cell"), maintain_order=True).agg(*firsts, *sums).drop("_cell")
    return _emptied(frame, values)


def _number_of_cell(frame: pl.DataFrame, keys: Sequence[str]) -> pl.Series:
    """[rows] UInt64: one number per cell, in the order of the keys. Sorting by it is faster than by several columns."""
    number = pl.zeros(frame.height, pl.UInt64, eager=True)
    for key in keys:
        column, kind = frame[key], frame.schema[key]
        if not isinstance(kind, pl.Enum):
            column = column.cast(pl.String)
            kind = pl.Enum(column.unique().drop_nulls().sort())
            column = column.cast(kind)
        rank = (column.to_physical().cast(pl.UInt64) + 1).fill_null(0)
        number = number * (len(kind.categories) + 1) + rank
    return number


def _emptied(frame: pl.DataFrame, values: Sequence[str]) -> pl.DataFrame:
    return frame.with_columns(pl.when(pl.col(f"{v}_n") > 0).then(c).alias(c) for v in values for c in (v, f"{v}_squares"))


@dataclass(frozen=True, slots=True)
class Raw:
    """What an engine gave: one row per raw label of the keys, with the columns of :func:`sum_columns`.

    Attributes:
        frame: the rows;  keys: what the columns mean;  values: names;  findings: so far;  engine: its name.
    """

    frame: pl.DataFrame
    keys: tuple[Key, ...]
    values: tuple[str, ...]
    engine: str
    findings: tuple[Finding, ...] = field(default=())


def finished(raw: Raw) -> Cells:
    """Cells with their labels in one form, and what had to be left out of them."""
    frame, findings, good = raw.frame, list(raw.findings), pl.lit(value=True)
    for key in raw.keys:
        table = labels(key, frame[key.name])
        counts = frame.group_by(pl.col(key.name).alias("raw")).agg(pl.col("n").sum())
        findings += problems(key, table, counts)
        frame = _labelled(frame, key, table)
        good &= pl.col(key.name).is_not_null()
    names = [k.name for k in raw.keys]
    accepted = frame.filter(good).select(*names, *sum_columns(raw.values))
    accepted = _added(accepted, names, raw.values)
    texts = [pl.col(f"{n}_raw").alias(n) for n in names]
    rejected = frame.filter(~good).select(*texts, *sum_columns(raw.values))
    years = [pl.col(k.name).cast(pl.String).cast(pl.Int64) if k.kind == "time" else pl.col(k.name).cast(pl.String) for k in raw.keys]
    rejected = _added(rejected.with_columns(pl.col(n).cast(pl.String) for n in names), names, raw.values)
    return Cells(accepted.with_columns(years), tuple(names), raw.values, rejected, tuple(findings), raw.engine)


def _labelled(frame: pl.DataFrame, key: Key, table: pl.DataFrame) -> pl.DataFrame:
    """The key as labels in order (an enumeration sorts as fast as numbers), and beside it the text as it stood."""
    order = pl.Enum(table["label"].drop_nulls().unique().sort())
    texts = pl.Enum(table["text"].drop_nulls().unique().sort())
    new = table.select(
        pl.col("raw").alias(key.name), pl.col("label").cast(order).alias("_label"), pl.col("text").cast(texts).alias(f"{key.name}_raw")
    )
    joined = frame.join(new, on=key.name, how="left", nulls_equal=True, maintain_order="left")
    return joined.with_columns(pl.col("_label").alias(key.name)).drop("_label")
