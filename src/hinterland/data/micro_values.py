"""Numbers of micro-data as sums that can be added up: sum, sum of squares, how many were observed, how many withheld."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING

import polars as pl

from hinterland.data.cells import MISSING_MARKS
from hinterland.data.micro_exact import Steps, exact_sums
from hinterland.errors import Finding, did_you_mean, listed

if TYPE_CHECKING:
    import narwhals as nw

    Schema = Mapping[str, nw.dtypes.DType]

_NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"


@dataclass(frozen=True, slots=True)
class Value:
    """A number that is summed.

    Attributes:
        name: of the columns in the result.
        columns: in the source; their product is the value.
        flag: column that is true where the value is withheld.
        marks: of the first column that mean: withheld.
    """

    name: str
    columns: tuple[str, ...]
    flag: str | None = None
    marks: tuple[object, ...] = ()

    @property
    def reads(self) -> tuple[str, ...]:
        """Every column of the source that the value needs."""
        return (*self.columns, *((self.flag,) if self.flag else ()))

    @property
    def withholds(self) -> bool:
        """Whether any value can be withheld."""
        return self.flag is not None or bool(self.marks)


def values_of(names: Sequence[str], suppressed: Mapping[str, object]) -> tuple[list[Value], list[Finding]]:
    """The numbers to be summed, and what is wrong with the rule for withheld ones: a column's name, or a collection of marks."""
    findings = [
        Finding("unknown-column", f"a rule for withheld values names {c!r}", "argument suppressed", did_you_mean(c, names))
        for c in suppressed
        if c not in names
    ]
    made = []
    for name in dict.fromkeys(names):
        rule = suppressed.get(name)
        marks = tuple(rule) if isinstance(rule, Collection) and not isinstance(rule, str) else ()
        made.append(Value(name, (name,), rule if isinstance(rule, str) else None, marks))
    return made, findings


def number(column: str, dtype: nw.dtypes.DType, marks: Collection[object] = ()) -> tuple[nw.Expr, nw.Expr | None]:
    """A column as floats, null where it holds no number, and where its text is neither a number nor a mark (``None`` for numbers)."""
    import narwhals as nw

    if dtype != nw.String:
        return nw.col(column).cast(nw.Float64), None
    text = nw.col(column).str.strip_chars()
    numeric = text.str.contains(_NUMBER)
    blank = text.str.to_lowercase().is_in([*MISSING_MARKS, "", *(str(m).strip().lower() for m in marks)])
    return nw.when(numeric).then(text).cast(nw.Float64), ~numeric & ~blank


def is_finite(x: nw.Expr) -> nw.Expr:
    """Whether a float is a number. DuckDB answers ``isnan`` from a Parquet file's statistics, in which many writers leave NaN out."""
    return (x - x) == 0.0


def _withheld(value: Value, schema: Schema) -> nw.Expr:
    import narwhals as nw

    parts = []
    if value.flag is not None:
        flag, kind = nw.col(value.flag), schema[value.flag]
        text = kind == nw.String
        parts.append(~flag.str.strip_chars().str.to_lowercase().is_in(["", "0", "false"]) if text else flag.cast(nw.Int64) != 0)
    if value.marks:
        first = nw.col(value.columns[0])
        if schema[value.columns[0]] == nw.String:
            parts.append(first.str.strip_chars().is_in([str(m) for m in value.marks]))
        else:
            marks = [float(m) for m in value.marks if isinstance(m, int | float)]
            parts.append(first.cast(nw.Float64).is_in(marks))
    return reduce(lambda a, b: a | b, (nw.when(p).then(nw.lit(value=True)).otherwise(nw.lit(value=False)) for p in parts))


def columns_of(value: Value, schema: Schema, *, guard: bool) -> dict[str, nw.Expr]:
    """The value's columns before grouping: the number, and marks of withheld, unreadable and infinite ones.

    ``guard`` takes values that are not finite for missing; it is needed only where a sum turns out not to be finite.
    """
    import narwhals as nw

    read = [number(c, schema[c], value.marks if k == 0 else ()) for k, c in enumerate(value.columns)]
    x = reduce(lambda a, b: a * b, (r[0] for r in read))
    bad = [r[1] for r in read if r[1] is not None]
    out: dict[str, nw.Expr] = {}
    if value.withholds:
        hidden = _withheld(value, schema)
        out[f"{value.name}_suppressed"] = nw.when(hidden).then(1).otherwise(0)
        x = nw.when(~hidden).then(x)
    if bad:
        out[f"{value.name}_bad"] = nw.when(reduce(lambda a, b: a | b, bad)).then(1).otherwise(0)
    if guard:
        out[f"{value.name}_infinite"] = nw.when(x.is_null()).then(0).when(is_finite(x)).then(0).otherwise(1)
        x = nw.when(is_finite(x)).then(x)
    return {value.name: x, **out}


def sums_of(value: Value, columns: Collection[str], constants: Mapping[str, Steps]) -> dict[str, nw.Expr]:
    """The aggregates of a value over the rows of a cell.

    Args:
        value: the number.
        columns: those that :func:`columns_of` made.
        constants: of sums that must not depend on the order of rows; empty for plain ones.
    """
    import narwhals as nw

    x = nw.col(value.name)
    counts = [
        c for c in columns if c.startswith(f"{value.name}_") and c.removeprefix(f"{value.name}_") in ("suppressed", "bad", "infinite")
    ]
    numbers = {value.name: x, f"{value.name}_squares": x * x}
    sums: dict[str, nw.Expr] = {}
    for name, number_ in numbers.items():
        sums |= exact_sums(name, number_, constants[name]) if constants else {name: number_.sum()}
    return {**sums, f"{value.name}_n": x.count(), **{c: nw.col(c).sum() for c in counts}}


def value_findings(values: Sequence[Value], cells: pl.DataFrame) -> list[Finding]:
    """Warnings of numbers that are not finite, which count as missing."""
    found = []
    for value in values:
        column = f"{value.name}_infinite"
        count = int(cells[column].sum()) if column in cells.columns else 0
        if count:
            what = f"{count} value(s) of {value.name!r} are infinite or not a number, and count as missing"
            remedy = "correct or empty them; the logarithm of 0 is infinite"
            found.append(Finding("infinite-values", what, f"column {listed(value.columns)}", remedy, "warning"))
    return found
