"""Read panels and tables from files of every format and from data frames, with all problems reported together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from hinterland.data.cells import Wanted, convert, normalise_time
from hinterland.data.checks import check_frame, fail_if_column_unknown, fail_if_role_shared, fail_if_years_outside
from hinterland.data.formats import read_file
from hinterland.data.join import join_columns
from hinterland.data.order import grid_periods
from hinterland.data.panel import Column, Panel
from hinterland.data.roles import Roles
from hinterland.data.table import Table, numbered
from hinterland.errors import Finding, PanelError, did_you_mean, fail_if_any, listed

if TYPE_CHECKING:
    from narwhals.typing import IntoFrame

__all__ = ["join_columns", "load_table", "read_panel", "read_table"]


def read_panel(
    source: str | Path | IntoFrame,
    *,
    unit: str,
    time: str,
    weight: str | None = None,
    cluster: str | None = None,
    coordinates: tuple[str, str] | None = None,
    years: tuple[int, int] | None = None,
    encoding: str | None = None,
    sheet: str | int | None = None,
    treatment: str | None = None,
    numeric: Sequence[str] = (),
    text: Sequence[str] = (),
    columns: Sequence[str] | None = None,
    rename: Mapping[str, str] | None = None,
    missing: Sequence[str] = (),
    label_text: Sequence[str] = (),
) -> Panel:
    """Read a panel, check it, and report every problem at once.

    Args:
        source: CSV, TSV or TXT (also ``.gz``), Excel, Stata ``.dta``, Parquet; or any frame that narwhals supports.
        unit: column of unit codes or names; 340100, ``"340100"`` and 340100.0 are the same code.
        time: column of periods (whole numbers; ``2010年`` and dates on one day of the year are understood).
        weight: column of weights (positive).
        cluster: column that inference clusters on by default.
        coordinates: columns of longitude and latitude in degrees.
        years: first and last period to keep.
        encoding: of text files and old Stata files; found out when ``None``.
        sheet: name or number (from 0) of an Excel sheet; the first by default.
        treatment: column that is 1 once a unit is treated and 0 before; checked for values and reversal, and against the adoption dates
            of every policy that the panel is estimated with.
        numeric: columns that must hold numbers: any other cell is an error.
        text: columns of text and Excel files to leave as text.
        columns: columns to keep beside those with a role; all by default.
        rename: new name by name in the file; all other arguments use the new names.
        missing: further marks of a missing value, beside the usual ones (``—``, ``..``, ``NA``, ``缺失``, ...).
        label_text: Stata columns to be read as the text of their value labels; others keep their codes, with the labels
            in ``Panel.columns[name].values``.

    Returns:
        The panel, sorted by unit and period; its ``findings`` hold the warnings.

    Raises:
        PanelError: with every problem of the file, its cells, roles and rows.
    """
    table = rename_columns(load_table(source, encoding=encoding, sheet=sheet), rename or {})
    coordinates = _two(coordinates)
    roles = Roles(unit, time, weight, cluster, coordinates, treatment, tuple(numeric), years)
    asked = [*roles.named(), *(("text", n) for n in text), *(("kept column", n) for n in columns or ())]
    findings = [*fail_if_column_unknown(table, asked), *fail_if_role_shared(table, roles)]
    fail_if_any([f for f in findings if f.code == "role-shared"], table.source, PanelError)
    if columns is not None:
        keep = {name for _, name in asked}
        table = replace(table, frame=table.frame.select([c for c in table.frame.columns if c in keep]))
    table = _with_label_text(table, label_text)
    numbers = {name for role, name in roles.named() if role not in ("unit", "time", "cluster")}
    codes = {name for name in (unit, cluster) if name is not None}
    table = convert(table, Wanted(numbers, {*text, time} - numbers, codes, missing))
    table, said = _settle_time(table, roles)
    table = table.with_findings(*findings, *said)
    every = _without_echo((*table.findings, *check_frame(table, roles)))
    fail_if_any(every, table.source, PanelError)
    return Panel(
        frame=table.frame.rechunk() if grid_periods(table.frame, unit, time) is not None else table.frame.sort(unit, time),
        unit=unit,
        time=time,
        weight=weight,
        cluster=cluster,
        coordinates=coordinates,
        treatment=treatment,
        columns={c: table.columns.get(c, Column(table.source)) for c in table.frame.columns},
        findings=tuple(f for f in every if f.severity == "warning"),
    )


def _without_echo(findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """No word about an empty panel where its periods could not be read: that is why it is empty."""
    unread = any(f.code == "time-not-integer" for f in findings)
    return tuple(f for f in findings if not (unread and f.code == "empty-panel"))


def read_table(path: str | Path, *, encoding: str | None = None, sheet: str | int | None = None) -> pl.DataFrame:
    """Read a table of any format as it is: numbers where a column holds numbers, text elsewhere; no roles, no row checks.

    Raises:
        PanelError: the file cannot be read, or a column of numbers has cells that are none.
    """
    table = convert(load_table(path, encoding=encoding, sheet=sheet), Wanted())
    fail_if_any(table.findings, table.source, PanelError)
    return table.frame


def load_frame(source: Any) -> pl.DataFrame:
    """A table of any format, or any data frame that narwhals knows, as a polars frame: numbers where a column holds numbers.

    Raises:
        PanelError: neither a path nor a data frame, a file that cannot be read, or a column of numbers with cells that are none.
    """
    table = convert(load_table(source), Wanted())
    fail_if_any(table.findings, table.source, PanelError)
    return table.frame


def read_numbers(
    path: str | Path,
    *,
    encoding: str | None = None,
    sheet: str | int | None = None,
    missing: Sequence[str] = (),
    keep: Sequence[str] = (),
) -> pl.DataFrame:
    """:func:`read_table` with further marks of a missing value; columns that hold one of the marks in ``keep`` stay as written.

    Raises:
        PanelError: the file cannot be read, or a column of numbers has cells that are none.
    """
    table = load_table(path, encoding=encoding, sheet=sheet)
    texts = [c for c, t in table.frame.schema.items() if t == pl.String]
    marked = [c for c in texts if keep and table.frame[c].str.strip_chars().is_in(list(keep)).any()]
    table = convert(table, Wanted(text=marked, missing=missing))
    fail_if_any(table.findings, table.source, PanelError)
    return table.frame


def load_table(source: Any, *, encoding: str | None = None, sheet: str | int | None = None) -> Table:
    """A file or frame as a :class:`~hinterland.data.table.Table`, its text cells not yet converted."""
    if isinstance(source, str | Path):
        return read_file(Path(source).expanduser(), encoding, sheet)
    return _from_frame(source)


def rename_columns(table: Table, rename: Mapping[str, str]) -> Table:
    """The table with columns renamed. Raises ``PanelError`` for names that do not exist or would collide."""
    have = table.frame.columns
    findings = fail_if_column_unknown(table, [("rename", name) for name in rename])
    names = [rename.get(c, c) for c in have]
    twice = sorted({n for n in names if names.count(n) > 1})
    findings += [
        Finding("duplicate-column", f"after renaming, {listed(twice)} would occur more than once", table.source, "choose other new names")
        for _ in twice[:1]
    ]
    fail_if_any(findings, table.source, PanelError)
    columns = {rename.get(n, n): c for n, c in table.columns.items()}
    exact = None if table.exact is None else table.exact.rename(dict(rename))
    return replace(table, frame=table.frame.rename(dict(rename)), columns=columns, exact=exact)


def _two(coordinates: Sequence[str] | None) -> tuple[str, str] | None:
    if coordinates is None:
        return None
    if isinstance(coordinates, str) or len(coordinates) != 2:
        what = f"coordinates are {coordinates!r}"
        raise PanelError(
            Finding("bad-coordinates", what, "argument coordinates", "name two columns: longitude, then latitude"), "arguments"
        )
    return coordinates[0], coordinates[1]


def _settle_time(table: Table, roles: Roles) -> tuple[Table, list[Finding]]:
    """Periods as integers, and only the years asked for."""
    if roles.time not in table.frame.columns or roles.unit == roles.time:
        return table, []
    broken = table.frame[roles.time].is_null()
    periods, findings = normalise_time(table, roles.time)
    table = replace(table, frame=table.frame.with_columns(periods))
    outside = fail_if_years_outside(table, roles)
    findings += outside
    keep = ~(periods.is_null() & ~broken)
    if roles.years is not None and not any(f.severity == "error" for f in outside):
        keep &= periods.is_between(*roles.years).fill_null(value=True)
    return table if keep.all() else table.filter(keep), findings


def _with_label_text(table: Table, names: Sequence[str]) -> Table:
    findings = fail_if_column_unknown(table, [("label_text", n) for n in names])
    frame = table.frame
    for name in (n for n in names if n in frame.columns):
        values = table.columns[name].values
        if not values:
            labelled = [n for n, c in table.columns.items() if c.values]
            what = f"column {name!r} has no value labels"
            findings.append(Finding("no-value-labels", what, table.where(column=name), did_you_mean(name, labelled)))
            continue
        codes = frame[name]
        old = pl.Series(list(values), dtype=codes.dtype, strict=False)
        plain = codes.cast(pl.Float64).cast(pl.String).str.replace(r"\.0$", "") if codes.dtype.is_numeric() else codes
        frame = frame.with_columns(codes.replace_strict(old, list(values.values()), default=plain, return_dtype=pl.String).alias(name))
    fail_if_any(findings, table.source, PanelError)
    return replace(table, frame=frame)


def _from_frame(source: Any) -> Table:
    import narwhals as nw

    name = "data frame"
    try:
        frame = nw.from_native(_with_index(source))
        frame = frame.collect("polars") if isinstance(frame, nw.LazyFrame) else frame
    except TypeError as error:
        what = f"a {type(source).__name__} is neither a path nor a data frame"
        raise PanelError(
            Finding("not-a-table", what, "argument source", "give a path, or a pandas, polars, pyarrow or DuckDB frame"), "arguments"
        ) from error
    except nw.exceptions.DuplicateError as error:
        names = [str(c) for c in source.columns]
        twice = listed(dict.fromkeys(n for n in names if names.count(n) > 1))
        raise PanelError(
            Finding("duplicate-column", f"column names repeat: {twice}", name, "give each column its own name"), name
        ) from error
    try:
        polars = frame.to_polars()
        findings: tuple[Finding, ...] = ()
    except (ValueError, TypeError):
        polars, findings = _column_by_column(frame, name)
    return Table(polars, name, numbered(polars.height), {c: Column(f"{name}:{c}") for c in polars.columns}, findings)


def _with_index(source: Any) -> Any:
    """A pandas frame with the named levels of its index as columns, where units and periods often are."""
    levels = getattr(getattr(source, "index", None), "names", None)
    if not levels or not hasattr(source, "reset_index") or any(n is None or n in source.columns for n in levels):
        return source
    return source.reset_index()


def _column_by_column(frame: Any, name: str) -> tuple[pl.DataFrame, tuple[Finding, ...]]:
    """Convert a frame one column of which mixes types: that column becomes text, with a warning."""
    columns, mixed = [], []
    for column in frame.columns:
        try:
            columns.append(frame.select(column).to_polars()[column])
        except (ValueError, TypeError):
            mixed.append(column)
            values = frame[column].to_list()
            columns.append(pl.Series(column, [None if v is None or v != v else str(v) for v in values], dtype=pl.String))  # noqa: PLR0124  # NaN
    what = f"{len(mixed)} column(s) mix types and were read as text: {listed(mixed)}"
    return pl.DataFrame(columns), (Finding("mixed-types", what, name, "give each column one type", "warning"),)
