"""One table of a case, checked by the schema: its keys as text, its numbers in the model's units, every problem found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from hinterland.errors import Finding, did_you_mean, listed
from hinterland.plan.schema import Kind, ParameterSpec, TableSpec, columns_of, parameters, tables
from hinterland.units import conversion

_WHOLE_KEYS = ("year", "segment")
_TRUE, _FALSE = ("true", "yes", "1", "是"), ("false", "no", "0", "", "否")


@dataclass(frozen=True, slots=True)
class Typed:
    """A table whose columns have their types: keys (null stands for all), and parameters."""

    spec: TableSpec
    frame: pl.DataFrame
    keys: tuple[str, ...]


def typed(name: str, frame: pl.DataFrame, units: Mapping[str, str]) -> tuple[Typed | None, list[Finding]]:
    """The table with types, and what is wrong with it; ``None`` where its rows cannot be told apart."""
    spec, columns = tables()[name], dict(columns_of(name))
    columns |= _free_columns(spec)
    known = {*spec.keys, *spec.optional_keys, *columns}
    findings = [
        Finding("unknown-column", f"table {name!r} has no column {c!r}", f"{name}, column {c!r}", did_you_mean(c, known))
        for c in frame.columns
        if c not in known
    ]
    missing = [k for k in spec.keys if k not in frame.columns]
    findings += [Finding("missing-column", f"table {name!r} lacks its key {k!r}", name, f"add the column {k!r}") for k in missing]
    if missing:
        return None, findings
    keys = tuple(k for k in (*spec.keys, *spec.optional_keys) if k in frame.columns)
    out: list[pl.Series] = []
    for key in keys:
        series, more = _key(name, frame[key], key in spec.keys)
        out.append(series)
        findings += more
    for column, parameter in columns.items():
        if column in frame.columns and column not in keys:
            unit, doubt = _unit(name, column, units)
            series, more = _values(name, frame[column], parameter, unit)
            out.append(series)
            findings += [*doubt, *more]
    result = pl.DataFrame(out)
    findings += _repeated(name, result, keys)
    return Typed(spec, result, keys), findings


def _unit(table: str, column: str, units: Mapping[str, str]) -> tuple[str | None, list[Finding]]:
    """The unit that a column is given in: of any of the parameters that it holds, such as limits of regions and of the nation, which must agree."""
    given = {p.name: units[p.name] for p in parameters().values() if (p.table, p.column) == (table, column) and p.name in units}
    if len(set(given.values())) > 1:
        what = f"column {column!r} of {table} has two units: {listed([f'{k} {v}' for k, v in given.items()])}"
        return None, [Finding("bad-unit", what, "[units]", "give the whole column in one unit")]
    return next(iter(given.values()), None), []


def _free_columns(spec: TableSpec) -> dict[str, ParameterSpec]:
    """Columns of the tables that name parameters instead of holding them."""
    text: dict[str, tuple[str, ...]] = {"provenance": ("basis", "source", "note", "note_zh")}
    numbers: dict[str, tuple[str, ...]] = {"provenance": ("low", "high"), "paths": ("value",)}
    kinds: tuple[tuple[Kind, tuple[str, ...]], ...] = (("text", text.get(spec.name, ())), ("number", numbers.get(spec.name, ())))
    return {c: ParameterSpec(c, spec.name, c, kind, (), "", None, None, None, "") for kind, names in kinds for c in names}


def _key(table: str, series: pl.Series, needed: bool) -> tuple[pl.Series, list[Finding]]:
    """A key as text, or whole numbers for years and steps."""
    where = f"{table}, column {series.name!r}"
    as_text = _plain(series)
    blank = as_text.is_null() | (as_text == "")
    findings = []
    if needed and blank.any():
        rows = listed((blank.arg_true() + 1).to_list())
        findings.append(
            Finding("blank-key", f"{series.name} is empty in row {rows} of {table}", where, "say which it is, or remove the row")
        )
    as_text = as_text.set(blank, None)
    if series.name not in _WHOLE_KEYS:
        return as_text, findings
    whole = as_text.cast(pl.Float64, strict=False)
    bad = as_text.filter(as_text.is_not_null() & (whole.is_null() | (whole != whole.round())).fill_null(True))
    if len(bad):
        findings.append(Finding("not-whole", f"{series.name} is {listed(bad.unique().to_list())}", where, "write a whole number"))
    return whole.cast(pl.Int64, strict=False), findings


def _values(table: str, series: pl.Series, spec: ParameterSpec, unit: str | None) -> tuple[pl.Series, list[Finding]]:
    where = f"{table}, column {series.name!r}"
    if spec.kind == "text":
        return _plain(series), []
    if spec.kind == "flag":
        return _flags(series, where)
    numbers, findings = _numbers(series, where)
    if unit is not None and not findings:
        try:
            numbers = numbers * conversion(unit, spec.unit)
        except ValueError as error:
            findings.append(Finding("bad-unit", f"{spec.name}: {error}", "[units]", f"the model's unit is {spec.unit}"))
    return numbers, findings + _outside(numbers, spec, where)


def _plain(series: pl.Series) -> pl.Series:
    """Text without blanks at its ends; a code read as 340100.0 is 340100."""
    if series.dtype.is_float() and (series.drop_nulls() == series.drop_nulls().round()).all():
        series = series.cast(pl.Int64, strict=False)
    return series.cast(pl.String).str.strip_chars()


def _flags(series: pl.Series, where: str) -> tuple[pl.Series, list[Finding]]:
    if series.dtype == pl.Boolean:
        return series.fill_null(False), []
    said = _plain(series).fill_null("").str.to_lowercase()
    bad = said.filter(~said.is_in([*_TRUE, *_FALSE]))
    finding = [Finding("not-a-flag", f"{series.name} is {listed(bad.unique().to_list())}", where, "write true or false")]
    return said.is_in([*_TRUE]).alias(series.name), finding if len(bad) else []


def _numbers(series: pl.Series, where: str) -> tuple[pl.Series, list[Finding]]:
    if series.dtype.is_numeric() or series.dtype == pl.Null:
        numbers = series.cast(pl.Float64)
    else:
        said = _plain(series).set(_plain(series) == "", None)
        numbers = said.cast(pl.Float64, strict=False)
        bad = said.filter(said.is_not_null() & numbers.is_null())
        if len(bad):
            return numbers, [Finding("not-a-number", f"{series.name} is {listed(bad.unique().to_list())}", where, "write a number")]
    endless = numbers.filter(~numbers.is_finite() & numbers.is_not_null())
    if len(endless):
        return numbers, [
            Finding("not-finite", f"{series.name} has {listed(endless.unique().to_list())}", where, "leave it empty: no limit")
        ]
    return numbers, []


def _outside(numbers: pl.Series, spec: ParameterSpec, where: str) -> list[Finding]:
    low, high = spec.low, spec.high
    bad = numbers.is_not_null() & numbers.is_finite()
    outside = (numbers < low if low is not None else pl.repeat(False, len(numbers), eager=True)) | (
        numbers > high if high is not None else pl.repeat(False, len(numbers), eager=True)
    )
    found = numbers.filter(bad & outside.fill_null(False))
    findings = []
    if len(found):
        bound = f"{'' if low is None else f'{low:g} ≤ '}{spec.column}{'' if high is None else f' ≤ {high:g}'}"
        what = f"{spec.column} is {listed(found.unique().to_list())}, outside {bound}"
        findings.append(Finding("out-of-range", what, where, f"give it in {spec.unit}, within the range"))
    if spec.kind == "whole":
        broken = numbers.filter(numbers.is_not_null() & (numbers != numbers.round()))
        if len(broken):
            findings.append(Finding("not-whole", f"{spec.column} is {listed(broken.unique().to_list())}", where, "write a whole number"))
    return findings


def _repeated(table: str, frame: pl.DataFrame, keys: tuple[str, ...]) -> list[Finding]:
    twice = frame.select(keys).filter(pl.struct(keys).is_duplicated()).unique(maintain_order=True)
    if not twice.height:
        return []
    shown = listed([", ".join("all" if v is None else str(v) for v in row) for row in twice.rows()])
    return [Finding("duplicate-row", f"table {table!r} has several rows for {shown}", table, "keep one row for each")]
