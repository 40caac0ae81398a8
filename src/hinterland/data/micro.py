"""Micro-data to cells: firms, ownership links and patents' symbols of any number, reduced where they lie.

Each reduction is a ``group_by`` of sums, sums of squares and counts, written once as narwhals expressions, so that it runs on DuckDB, on
Polars and on Spark, and gives the same cells: counts exactly, sums of floats to 1e-9 (their order differs). Such sums can be added up, so
that the cells of many files are those of their union.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import polars as pl

from hinterland.data.micro_cells import Cells, Raw, add_cells, finished, sum_columns
from hinterland.data.micro_keys import Key, industry_key, region_key, staged
from hinterland.data.micro_source import Engine, Opened, fail_if_columns_unknown, from_arrow, reading
from hinterland.data.micro_values import Value, columns_of, number, sums_of, value_findings, values_of
from hinterland.errors import Finding, InputError, fail_if_any, listed

if TYPE_CHECKING:
    import narwhals as nw

__all__ = ["Cells", "add_cells", "reduce_firms"]


def reduce_firms(
    source: Any,
    *,
    region: str | None = None,
    industry: str | None = None,
    time: str | None = None,
    by: Sequence[str] = (),
    values: Sequence[str] = (),
    suppressed: Mapping[str, object] | None = None,
    region_level: str = "county",
    region_digits: int = 6,
    industry_level: str = "class",
    industry_digits: int = 4,
    industry_standard: str | None = None,
    known: Mapping[str, Collection[str]] | None = None,
    engine: Engine = "duckdb",
    memory_limit: str = "2GB",
    threads: int = 2,
) -> Cells:
    """Firms (or plants, projects, patents: one row each) to cells of region × industry × year.

    Args:
        source: Parquet or CSV files (a path, several, or a pattern with ``*``), or a lazy frame: a DuckDB relation, a Polars lazy frame, a
            Spark data frame. CSV files are read as text, so that codes keep their zeros; a frame is reduced by its own engine.
        region, industry, time: columns of GB/T 2260 codes, GB/T 4754 codes and years (or dates); at least one key.
        by: further keys, taken as they are (``["ownership"]``).
        values: numbers to be summed; of each, sum, sum of squares and how many rows have it are kept.
        suppressed: for a value, the column that is true where it is withheld, or the marks in it that mean so (``{"staff": [-99, "*"]}``).
        region_level: ``county`` (six digits), ``prefecture``, ``province``; ``label`` takes any text.
        region_digits: of a code in the source (12 for statistical codes).
        industry_level: ``class``, ``group``, ``division``, ``section``; ``label`` takes any text.
        industry_digits: of a code in the source. One digit fewer is a lost leading zero.
        industry_standard: ``2002``, ``2011`` or ``2017``: whose divisions exist. Without it, those of any edition do.
        known: labels that exist, by key (``{"region": [...]}``), where a list is at hand.
        engine: what reads files: ``duckdb``, ``polars``, or ``spark`` (the active session).
        memory_limit, threads: of DuckDB, which goes on in temporary files beyond the limit.

    Returns:
        The cells. Rows whose keys are no codes are in ``rejected`` and named in ``findings``.

    Raises:
        InputError: unknown columns, levels or engines; no keys; texts among numbers.
    """
    listing = known or {}
    keys = [
        *([region_key("region", region, region_level, region_digits, listing.get("region"))] if region else []),
        *([industry_key("industry", industry, industry_level, industry_digits, industry_standard, listing.get("industry"))] if industry else []),
        *([Key("time", time, "time")] if time else []),
        *(Key(c, c) for c in by),
    ]
    numbers, findings = values_of(values, suppressed or {})
    fail_if_any([*findings, *_bad_names(keys, numbers)], "reducing firms")
    return _reduced(source, tuple(keys), numbers, (engine, memory_limit, threads))


def _bad_names(keys: Sequence[Key], values: Sequence[Value]) -> list[Finding]:
    """No key at all, or one name for two things."""
    if not keys:
        return [Finding("no-keys", "no column tells cells apart", "arguments", "name region, industry, time or by")]
    names = ["n", *(k.name for k in keys), *(f"{v.name}{s}" for v in values for s in ("", "_squares", "_n", "_suppressed"))]
    twice = sorted({n for n in names if names.count(n) > 1})
    remedy = "rename the column in the source"
    return [Finding("duplicate-column", f"the cells would have two columns {listed(twice)}", "arguments", remedy)] if twice else []


def _reduced(source: Any, keys: tuple[Key, ...], values: Sequence[Value], how: tuple[str, str, int]) -> Cells:
    raw, engine = _one_pass(source, keys, values, how, guard=False)
    if not _all_finite(raw, values):
        raw, engine = _one_pass(source, keys, values, how, guard=True)
    findings = tuple(value_findings(values, raw))
    zeros = [pl.lit(0, pl.Int64).alias(c) for c in sum_columns([v.name for v in values]) if c not in raw.columns]
    counts = ["n", *(c for c in raw.columns for v in values if c in (f"{v.name}_n", f"{v.name}_suppressed"))]
    raw = raw.with_columns(pl.col(counts).cast(pl.Int64), *zeros)
    return finished(Raw(raw, keys, tuple(v.name for v in values), engine, findings))


def _one_pass(source: Any, keys: tuple[Key, ...], values: Sequence[Value], how: tuple[str, str, int], *, guard: bool) -> tuple[pl.DataFrame, str]:
    """Every row of the source read once: one row per raw label of the keys."""
    with reading(*how) as reader:
        opened = reader.open(source)
        reads = [*(k.column for k in keys), *(c for v in values for c in v.reads)]
        fail_if_any(fail_if_columns_unknown(opened, reads), opened.name)
        cells = reader.collect(grouped(opened.frame, keys, values, guard=guard))
    bad = {v.name: int(cells[f"{v.name}_bad"].sum()) for v in values if f"{v.name}_bad" in cells.columns}
    if any(bad.values()):
        raise InputError(_unreadable(source, values, bad, how), opened.name)
    return cells, opened.engine


def grouped(frame: nw.LazyFrame[Any], keys: Sequence[Key], values: Sequence[Value], *, guard: bool = False) -> nw.LazyFrame[Any]:
    """The cells as a lazy expression: this is all that touches the rows."""
    import narwhals as nw

    schema = dict(frame.collect_schema())
    numbers: dict[str, nw.Expr] = {}
    for value in values:
        numbers |= columns_of(value, schema, guard=guard)
    labelled = frame.select(**{k.name: staged(k, schema[k.column]) for k in keys}, **numbers)
    sums: dict[str, nw.Expr] = {}
    for value in values:
        sums |= sums_of(value, numbers)
    return labelled.group_by(*(k.name for k in keys)).agg(n=nw.len(), **sums)


def _all_finite(raw: pl.DataFrame, values: Sequence[Value]) -> bool:
    return all(raw[c].is_finite().all() for v in values for c in (v.name, f"{v.name}_squares"))


def _unreadable(source: Any, values: Sequence[Value], bad: Mapping[str, int], how: tuple[str, str, int]) -> list[Finding]:
    """Texts among numbers, with examples, which take another pass."""
    import narwhals as nw

    found = []
    for value in values:
        if not bad.get(value.name):
            continue
        for k, column in enumerate(value.columns):
            with reading(*how) as reader:
                opened: Opened = reader.open(source)
                dtype = opened.frame.collect_schema()[column]
                strange = number(column, dtype, value.marks if k == 0 else ())[1]
                if strange is None:
                    continue
                texts = from_arrow(opened.frame.filter(strange).select(nw.col(column).alias("text")).unique().sort("text").head(5))
            if texts.height:
                what = f"{bad[value.name]} row(s) of {column!r} hold text that is no number: {listed(texts['text'].to_list())}"
                remedy = "correct the cells, or name marks of withheld values in suppressed"
                found.append(Finding("not-a-number", what, f"{opened.name}, column {column!r}", remedy))
    return found
