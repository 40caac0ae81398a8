"""Cells to values: numbers stored as text, recognised marks of a missing value, codes and periods in one form."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from math import isfinite

import polars as pl

from hinterland.data.table import Table, some
from hinterland.errors import Finding, listed

MISSING_MARKS = frozenset(
    [
        "-",
        "--",
        "–",
        "—",
        "——",
        "―",
        "─",
        "−−",
        ".",
        "..",
        "...",
        "…",
        "……",
        "na",
        "n/a",
        "#n/a",
        "#na",
        "nan",
        "null",
        "none",
        "nil",
        "#div/0!",
        "#value!",
        "#ref!",
        "#name?",
        "#num!",
        "<na>",
        "\\n",
        "缺失",
        "缺失值",
        "缺",
        "缺测",
        "数据缺失",
        "无数据",
        "暂无",
        "暂无数据",
        "不详",
        "未统计",
        "未公布",
    ]
)
"""Cells that mean "no value", compared after Unicode NFKC, trimming and lower-casing."""

_GROUPED = r"^[+-]?\d{1,3}(?:,\d{3})+(?:\.\d+)?$"
_CODE = r"^(?:0|-?[1-9]\d{0,17})$"


@dataclass(frozen=True, slots=True)
class Numbers:
    """A text column read as numbers.

    Attributes:
        values: [n] Int64 or Float64, null where there is no number.
        bad: positions of cells that are neither a number nor a recognised mark.
        n_numbers: cells that are numbers.
        marks: recognised marks and how often each occurs.
        grouped: cells whose thousands separators were taken out.
    """

    values: pl.Series
    bad: pl.Series
    n_numbers: int
    marks: dict[str, int] = field(default_factory=dict)
    grouped: int = 0


def parse_numbers(texts: pl.Series, marks: Iterable[str] = (), exact: pl.Series | None = None) -> Numbers:
    """Read ``texts`` [n] (String) as numbers; only cells that polars cannot cast are looked at one by one.

    ``exact`` [n] holds the numbers at full precision where the format has them.
    """
    none = pl.Series([], dtype=pl.UInt32)
    empty = texts.null_count()
    whole = texts.cast(pl.Int64, strict=False)
    if whole.null_count() == empty and exact is None:
        return Numbers(whole, none, len(texts) - empty)
    values = texts.cast(pl.Float64, strict=False)
    if exact is not None:
        values = exact.zip_with(exact.is_not_null(), values)
    nan = values.is_nan().fill_null(value=False)
    values = values.fill_nan(None)
    failed = (values.is_null() & texts.is_not_null()).arg_true()
    if not len(failed):
        return Numbers(values, none, len(texts) - empty)
    return _repair(texts, values, failed, frozenset(m.strip().lower() for m in marks), int(nan.sum()))


def _repair(texts: pl.Series, values: pl.Series, failed: pl.Series, marks: frozenset[str], n_nan: int) -> Numbers:
    cells = pl.DataFrame({"at": failed, "text": texts.gather(failed)})
    unique = cells.group_by("text").agg(pl.len().alias("count"))
    clean = pl.col("text").str.normalize("NFKC").str.strip_chars().str.replace("^[−–]", "-")
    unique = unique.with_columns(clean.alias("clean")).with_columns(
        pl.col("clean").str.to_lowercase().is_in([*MISSING_MARKS, *marks, ""]).alias("mark"),
        pl.col("clean").str.contains(_GROUPED).alias("grouped"),
    )
    stripped = pl.when("grouped").then(pl.col("clean").str.replace_all(",", "", literal=True)).otherwise("clean")
    unique = unique.with_columns(pl.when("mark").then(None).otherwise(stripped.cast(pl.Float64, strict=False)).alias("number"))
    cells = cells.join(unique, on="text", how="left", maintain_order="left")
    number = cells["number"].is_not_null()
    if number.any():
        values = values.scatter(cells["at"].filter(number), cells["number"].filter(number))
    bad = cells.filter(~pl.col("mark") & pl.col("number").is_null())["at"]
    said = unique.filter(pl.col("mark") & (pl.col("clean") != "")).sort("count", descending=True)
    counts = dict(said.select("clean", "count").iter_rows())
    if n_nan and "nan" not in {m.lower() for m in counts}:
        counts["nan"] = n_nan
    n_grouped = int(unique.filter("grouped")["count"].sum())
    return Numbers(values, bad, int(values.is_not_null().sum()), counts, n_grouped)


@dataclass(frozen=True, slots=True)
class Wanted:
    """How columns are to be read.

    Attributes:
        numeric: columns that must hold numbers.
        text: columns that stay text whatever they hold.
        codes: columns that identify units or groups: whole-number codes in one form, otherwise text.
        missing: further marks of a missing value.
    """

    numeric: Collection[str] = ()
    text: Collection[str] = ()
    codes: Collection[str] = ()
    missing: Collection[str] = ()


def convert(table: Table, wanted: Wanted) -> Table:
    """Give every column of ``table`` its values; bad cells become findings."""
    series: list[pl.Series] = []
    findings: list[Finding] = []
    for name in table.frame.columns:
        column, said = _convert_one(table, name, wanted)
        series.append(column)
        findings += said
    return replace(table, frame=pl.DataFrame(series) if series else table.frame, findings=(*table.findings, *findings), exact=None)


def _convert_one(table: Table, name: str, wanted: Wanted) -> tuple[pl.Series, list[Finding]]:
    column = table.frame[name]
    if column.dtype in (pl.Categorical, pl.Enum):
        column = column.cast(pl.String)
    if column.dtype.is_decimal():
        column = column.cast(pl.Float64)
    if column.dtype.is_float() and not isfinite(column.sum()):
        column = column.fill_nan(None)
    if name in wanted.codes:
        return normalise_codes(column, typed=table.typed), []
    if column.dtype == pl.Null:
        return column.cast(pl.Float64), []
    if column.dtype != pl.String:
        return column, []
    if name in wanted.text or (table.typed and name not in wanted.numeric):
        return _as_text(column), []
    return _text_or_numbers(table, name, column, wanted)


def _as_text(column: pl.Series) -> pl.Series:
    return (
        column.to_frame()
        .select(pl.when(pl.col(column.name).str.strip_chars() != "").then(pl.col(column.name).str.strip_chars()))
        .to_series()
    )


def _text_or_numbers(table: Table, name: str, column: pl.Series, wanted: Wanted) -> tuple[pl.Series, list[Finding]]:
    declared = name in wanted.numeric
    truth = _truth(column) if declared else None
    if truth is not None:
        return truth, []
    exact = None if table.exact is None or not table.exact.schema[name].is_float() else table.exact[name]
    numbers = parse_numbers(column, wanted.missing, exact)
    if len(numbers.bad) and (not numbers.n_numbers or (not declared and numbers.n_numbers < len(numbers.bad))):
        return _as_text(column), []
    if not declared and numbers.marks and not numbers.n_numbers:
        return _as_text(column), []
    if not declared and _is_code(column, numbers):
        return _as_text(column), []
    findings = [_bad_cells(table, name, column, numbers)] if len(numbers.bad) else []
    if numbers.marks:
        shown = ", ".join(f"{mark!r} ({count})" for mark, count in list(numbers.marks.items())[:5])
        what = f"{sum(numbers.marks.values())} cell(s) of {name!r} hold a mark for a missing value: {shown}"
        findings.append(
            Finding(
                "missing-marks", what, table.where(column=name), "nothing, if these mean missing; otherwise correct the cells", "warning"
            )
        )
    if numbers.grouped:
        what = f"{numbers.grouped} cell(s) of {name!r} have thousands separators, which were taken out"
        findings.append(
            Finding(
                "grouped-numbers",
                what,
                table.where(column=name),
                "nothing, if ',' separates thousands; otherwise correct the cells",
                "warning",
            )
        )
    return numbers.values.alias(name), findings


def _truth(column: pl.Series) -> pl.Series | None:
    """The column as 1 and 0, when every filled cell says TRUE or FALSE."""
    first = column.drop_nulls().head(1)
    if not len(first) or first[0].strip().lower() not in ("true", "false"):
        return None
    truth = column.str.strip_chars().str.to_lowercase().replace_strict({"true": 1, "false": 0}, default=None, return_dtype=pl.Int64)
    return truth if truth.null_count() == column.null_count() else None


def _is_code(column: pl.Series, numbers: Numbers) -> bool:
    """Whether a column of digits must stay text: leading zeros, or more digits than a number can hold."""
    if numbers.values.dtype == pl.Int64:
        return bool((column.str.starts_with("0") & (column.str.len_bytes() > 1)).any())
    return bool(column.str.contains(r"^(?:0\d+|\d{19,})$").any())


def _bad_cells(table: Table, name: str, column: pl.Series, numbers: Numbers) -> Finding:
    what = f"{len(numbers.bad)} cell(s) of {name!r} are not numbers: {some(column, numbers.bad)}"
    remedy = f"correct the cells, or empty them if the value is missing; if {name!r} is meant to be text, list it in text"
    return Finding("not-a-number", what, table.where(numbers.bad, name), remedy)


def normalise_codes(column: pl.Series, *, typed: bool) -> pl.Series:
    """Codes in one form: 340100, ``"340100"`` and 340100.0 are the same.

    Whole floats become Int64; text keeps its type when the source records types (or where a code is no whole number),
    and loses blanks and a trailing ``.0``. Floats that are not whole are left for the checks to report.
    """
    if column.dtype.is_integer():
        return column.cast(pl.Int64)
    if column.dtype.is_float():
        whole = (column.is_null() | (column.is_finite() & (column.round(0) == column))).all()
        return column.cast(pl.Int64) if whole else column
    if column.dtype != pl.String:
        return column if column.dtype == pl.Null else column.cast(pl.String)
    name = column.name
    text = column.to_frame().select(pl.col(name).str.strip_chars().str.replace(r"^(-?\d+)\.0+$", "$1")).to_series()
    lower = text.str.to_lowercase()
    text = text.set(lower.is_in([*MISSING_MARKS, ""]).fill_null(value=False), None)
    if not typed and text.null_count() < len(text) and text.str.contains(_CODE).all():
        return text.cast(pl.Int64)
    return text


def normalise_time(table: Table, name: str) -> tuple[pl.Series, list[Finding]]:
    """Periods as Int64 (null where missing), with what is wrong: text that is no period, fractions, dates."""
    column = table.frame[name]
    if column.dtype in (pl.Date, pl.Datetime):
        return _years_of_dates(table, name, column)
    if column.dtype.is_integer():
        return column.cast(pl.Int64), []
    if column.dtype == pl.String:
        trimmed = column.str.strip_chars().str.replace(r"\s*年$", "")
        dates = _dates(trimmed)
        if dates is not None:
            return _years_of_dates(table, name, dates)
        numbers = parse_numbers(trimmed)
        findings = [_not_a_period(table, name, column, numbers.bad)] if len(numbers.bad) else []
        values = numbers.values.cast(pl.Float64)
    elif column.dtype.is_float() or column.dtype == pl.Null:
        findings, values = [], column.cast(pl.Float64)
    else:
        every = pl.int_range(len(column), dtype=pl.UInt32, eager=True)
        return pl.Series(name, [None] * len(column), dtype=pl.Int64), [_not_a_period(table, name, column, every)]
    broken = (values.is_not_null() & ~(values.is_finite() & (values.round(0) == values))).fill_null(value=False)
    if broken.any():
        findings.append(_not_a_period(table, name, values, broken.arg_true()))
    return values.set(broken, None).cast(pl.Int64).alias(name), findings


def _dates(texts: pl.Series) -> pl.Series | None:
    """``texts`` as dates, when every one is: 2010-12-31, 2010/12/31, 2010.12.31 or 2010年12月31日, with or without a time."""
    day = texts.str.extract(r"^(\d{4}[-/.年]\d{1,2}[-/.月]\d{1,2})日?(?:[ T]\d{1,2}:\d{2}.*)?$")
    if day.null_count() > texts.null_count() or day.null_count() == len(day):
        return None
    dates = day.str.replace_all(r"[/.年月]", "-").str.to_date("%Y-%m-%d", strict=False)
    return None if dates.null_count() > texts.null_count() else dates


def _not_a_period(table: Table, name: str, column: pl.Series, at: pl.Series) -> Finding:
    remedy = "give whole years such as 2010; number quarters or months one after the other"
    return Finding(
        "time-not-integer",
        f"{len(at)} value(s) of period {name!r} are not whole numbers: {some(column, at)}",
        table.where(at, name),
        remedy,
    )


def _years_of_dates(table: Table, name: str, column: pl.Series) -> tuple[pl.Series, list[Finding]]:
    days = column.dt.strftime("%m-%d").unique().drop_nulls()
    years = column.dt.year().cast(pl.Int64)
    if len(days) > 1:
        what = f"period {name!r} holds dates within the year: {listed(days.sort().to_list())}"
        remedy = "add a column of whole numbers that counts the periods, and name it as the time"
        return years, [Finding("time-not-integer", what, table.where(column=name), remedy)]
    finding = Finding(
        "time-from-dates",
        f"period {name!r} holds dates, all on the same day of the year; their years were taken",
        table.where(column=name),
        "nothing",
        "warning",
    )
    return years, [finding]
