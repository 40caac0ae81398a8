"""The reduction itself: the expressions that touch every row, and the passes that run them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import polars as pl

from hinterland.data.micro_cells import Cells, Raw, finished, sum_columns
from hinterland.data.micro_exact import Steps, added, constants_of, extent
from hinterland.data.micro_keys import Key, staged
from hinterland.data.micro_source import Opened, Reader, from_arrow, reading
from hinterland.data.micro_values import Value, columns_of, number, sums_of, value_findings
from hinterland.errors import Finding, InputError, fail_if_any, listed

if TYPE_CHECKING:
    import narwhals as nw

MAX_EXAMPLES = 5


@dataclass(frozen=True, slots=True)
class Engine:
    """What reads files, and DuckDB's limits."""

    name: str
    memory_limit: str
    threads: int

    def reading(self) -> Any:
        """A reader for one pass."""
        return reading(self.name, self.memory_limit, self.threads)


@dataclass(frozen=True, slots=True)
class Reduction:
    """What is asked of the rows.

    Attributes:
        prepared: opens the source, with every column that keys and values read.
        keys, values: that make the cells.
        checks: conditions on a row that no row may meet, each with the finding for the rows that do (``{count}`` in its text).
        exact: whether sums must not depend on the order of rows.
    """

    prepared: Callable[[Reader], Opened]
    keys: tuple[Key, ...]
    values: tuple[Value, ...]
    checks: Mapping[str, tuple[Callable[[Mapping[str, Any]], Any], Finding]] = field(default_factory=dict)
    exact: bool = False


def fail_if_names_collide(keys: Sequence[Key], values: Sequence[Value]) -> list[Finding]:
    """No key at all, or one name for two columns of the cells."""
    if not keys:
        return [Finding("no-keys", "no column tells cells apart", "arguments", "name region, industry, time or by")]
    names = ["n", *(k.name for k in keys), *(f"{v.name}{s}" for v in values for s in ("", "_squares", "_n", "_suppressed"))]
    twice = sorted({n for n in names if names.count(n) > 1})
    what = f"the cells would have two columns {listed(twice)}"
    return [Finding("duplicate-column", what, "arguments", "rename the column in the source")] if twice else []


def reduced(reduction: Reduction, engine: Engine) -> Cells:
    """The cells. Sums that are not finite are made again without the numbers that are not."""
    names = [v.name for v in reduction.values]
    if reduction.exact:
        raw, name = _one_pass(reduction, engine, guard=True, constants=_constants(reduction, engine))
        raw = added(raw, [f"{v}{s}" for v in names for s in ("", "_squares")])
    else:
        raw, name = _one_pass(reduction, engine, guard=False)
        if not all(raw[c].is_finite().all() for v in names for c in (v, f"{v}_squares")):
            raw, name = _one_pass(reduction, engine, guard=True)
    findings = tuple(value_findings(reduction.values, raw))
    return finished(Raw(whole_counts(raw, names), reduction.keys, tuple(names), name, findings))


def _constants(reduction: Reduction, engine: Engine) -> dict[str, Steps]:
    """How many rows there are, and the largest of each value, which take a pass."""
    names = [v.name for v in reduction.values]
    with engine.reading() as reader:
        frame = reduction.prepared(reader).frame
        found = reader.collect(frame.select(**_numbers(frame, reduction, guard=True)).select(**extent(names)))
    return constants_of(found.row(0, named=True), names)


def whole_counts(raw: pl.DataFrame, values: Sequence[str]) -> pl.DataFrame:
    """Counts as Int64, and columns of zeros where nothing is withheld."""
    counts = [c for c in ("n", *(f"{v}{s}" for v in values for s in ("_n", "_suppressed"))) if c in raw.columns]
    zeros = [pl.lit(0, pl.Int64).alias(c) for c in sum_columns(values) if c not in raw.columns]
    return raw.with_columns(pl.col(counts).cast(pl.Int64), *zeros)


def _one_pass(
    reduction: Reduction, engine: Engine, *, guard: bool, constants: Mapping[str, Steps] = MappingProxyType({})
) -> tuple[pl.DataFrame, str]:
    """Every row of the source read once: one row per raw label of the keys, and the name of what computed them."""
    with engine.reading() as reader:
        opened = reduction.prepared(reader)
        cells = reader.collect(grouped(opened.frame, reduction, guard=guard, constants=constants))
    findings = []
    for value in reduction.values:
        bad = int(cells[f"{value.name}_bad"].sum()) if f"{value.name}_bad" in cells.columns else 0
        findings += _unreadable(reduction, value, engine) if bad else []
    for name, (_, said) in reduction.checks.items():
        count = int(cells[name].sum())
        findings += [replace(said, what=said.what.format(count=count))] if count else []
    fail_if_any(findings, opened.name)
    return cells, opened.engine


def grouped(frame: nw.LazyFrame[Any], reduction: Reduction, *, guard: bool, constants: Mapping[str, Steps]) -> nw.LazyFrame[Any]:
    """The cells as a lazy expression, the only one that touches the rows."""
    import narwhals as nw

    schema = dict(frame.collect_schema())
    numbers = _numbers(frame, reduction, guard=guard)
    flags = {name: nw.when(check(schema)).then(1).otherwise(0) for name, (check, _) in reduction.checks.items()}
    labels = {k.name: staged(k, schema[k.column]) for k in reduction.keys}
    sums: dict[str, nw.Expr] = {}
    for value in reduction.values:
        sums |= sums_of(value, numbers, constants)
    sums |= {name: nw.col(name).sum() for name in flags}
    return frame.select(**labels, **numbers, **flags).group_by(*labels).agg(n=nw.len(), **sums)


def _numbers(frame: nw.LazyFrame[Any], reduction: Reduction, *, guard: bool) -> dict[str, nw.Expr]:
    schema = dict(frame.collect_schema())
    numbers: dict[str, nw.Expr] = {}
    for value in reduction.values:
        numbers |= columns_of(value, schema, guard=guard)
    return numbers


def _unreadable(reduction: Reduction, value: Value, engine: Engine) -> list[Finding]:
    """Texts among numbers: how many rows, with examples, which take another pass."""
    import narwhals as nw

    found = []
    for k, column in enumerate(value.columns):
        with engine.reading() as reader:
            opened = reduction.prepared(reader)
            strange = number(column, opened.frame.collect_schema()[column], value.marks if k == 0 else ())[1]
            if strange is None:
                continue
            texts = from_arrow(opened.frame.filter(strange).group_by(nw.col(column).alias("text")).agg(rows=nw.len()))
        if texts.height:
            shown = listed(texts.sort("rows", "text", descending=[True, False])["text"].to_list(), MAX_EXAMPLES)
            what = f"{texts['rows'].sum()} row(s) of {column!r} hold text that is no number: {shown}"
            remedy = "correct the cells, or name marks of withheld values in suppressed"
            found.append(Finding("not-a-number", what, f"{opened.name}, column {column!r}", remedy))
    return found


def opened_with(reader: Reader, source: Any, columns: Sequence[str]) -> Opened:
    """The source, with every column asked for. Raises ``InputError`` for those that it lacks."""
    from hinterland.data.micro_source import fail_if_columns_unknown

    opened = reader.open(source)
    fail_if_any(fail_if_columns_unknown(opened, columns), opened.name, InputError)
    return opened
