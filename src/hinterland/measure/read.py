"""From a caller's table to :class:`~hinterland.measure.data.Data`: roles, states, and everything that is wrong, at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hinterland.data.cells import MISSING_MARKS, Wanted, convert, normalise_codes, normalise_time
from hinterland.data.readers import load_table
from hinterland.data.table import Table
from hinterland.errors import Finding, InputError, did_you_mean, fail_if_any, listed
from hinterland.measure.data import Data
from hinterland.measure.indicator import Indicator, Role
from hinterland.measure.parameters import value_findings
from hinterland.measure.states import MISSING, OBSERVED, STATES, SUPPRESSED

OnNegative = Literal["raise", "nan"]


@dataclass(frozen=True, slots=True)
class Reading:
    """How a table is read.

    Attributes:
        roles: role → column.
        state: column that says ``observed``, ``missing`` or ``suppressed``, if there is one.
        suppressed: marks in a text column of numbers that mean: withheld.
        complete: absent rows are true zeros.
        on_negative: whether a number that must not be negative is an error, or counts as missing with a warning.
    """

    roles: Mapping[str, str]
    state: str | None = None
    suppressed: tuple[str, ...] = ()
    complete: bool = False
    on_negative: OnNegative = "raise"


def read_data(source: Any, indicator: Indicator, reading: Reading) -> Data:
    """The columns that ``indicator`` reads, under its roles.

    Raises:
        InputError: every problem of the table: columns that do not exist, keys that are missing or repeated, cells that are no numbers, are
            infinite, or have a sign that the quantity cannot have.
    """
    table = load_table(source)
    _fail_if_columns_wrong(table, indicator, reading)
    findings = list(_state_findings(table, reading))
    states = {r.name: _states(table, reading.roles[r.name], reading) for r in _given(indicator, reading, "number")}
    table = _without_marks(table, indicator, reading)
    wanted = Wanted(numeric=[reading.roles[r.name] for r in _given(indicator, reading, "number")])
    keys = [reading.roles[r.name] for r in _given(indicator, reading, "key", "time")]
    converted = convert(replace(table, frame=table.frame.select([*dict.fromkeys([*keys, *wanted.numeric])])), wanted)
    columns, whole, said = _columns(converted, indicator, reading, states)
    findings += [*converted.findings, *said]
    fail_if_any(findings, table.source, InputError)
    data = Data(pl.DataFrame(columns), dict(reading.roles), whole, reading.complete, tuple(findings))
    fail_if_any(_repeated(converted, data, indicator), table.source, InputError)
    return data


def _given(indicator: Indicator, reading: Reading, *kinds: str) -> list[Role]:
    return [r for r in indicator.roles if r.name in reading.roles and r.kind in kinds]


def _fail_if_columns_wrong(table: Table, indicator: Indicator, reading: Reading) -> None:
    have = table.frame.columns
    asked = [*reading.roles.items(), *([("state", reading.state)] if reading.state else [])]
    findings = [
        Finding("unknown-column", f"there is no column {name!r} (asked for as {role})", table.source, did_you_mean(name, have))
        for role, name in asked
        if name not in have
    ]
    if not table.frame.height:
        findings.append(Finding("empty-table", "the table has no rows", table.source, "give at least one row"))
    keys = [reading.roles[r.name] for r in _given(indicator, reading, "key", "time")]
    findings += [
        Finding("role-shared", f"column {name!r} has two roles", table.source, "name a column for each")
        for name in dict.fromkeys(k for k in keys if keys.count(k) > 1)
    ]
    fail_if_any(findings, table.source, InputError)


def _states(table: Table, column: str, reading: Reading) -> NDArray[np.uint8]:
    """[n] state of each cell: what the state column or the marks say; a cell without a number is missing."""
    values = table.frame[column]
    empty = np.isnan(values.to_numpy()) if values.dtype.is_float() else values.is_null().to_numpy()
    state = np.where(empty, np.uint8(MISSING), np.uint8(OBSERVED))
    if values.dtype == pl.String:
        text = values.str.strip_chars()
        state[text.str.to_lowercase().is_in([*MISSING_MARKS, ""]).fill_null(value=True).to_numpy()] = MISSING
        state[text.is_in(list(reading.suppressed)).fill_null(value=False).to_numpy()] = SUPPRESSED
    if reading.state is not None:
        said = table.frame[reading.state].cast(pl.String)
        for number, name in enumerate(STATES):
            state[(said == name).fill_null(value=False).to_numpy()] = number
    return state


def _without_marks(table: Table, indicator: Indicator, reading: Reading) -> Table:
    """The table with the marks of suppressed cells emptied, so that what is left of a column is numbers."""
    names = [reading.roles[r.name] for r in _given(indicator, reading, "number")]
    texts = [n for n in dict.fromkeys(names) if table.frame.schema[n] == pl.String]
    if not texts or not reading.suppressed:
        return table
    emptied = [pl.when(~pl.col(n).str.strip_chars().is_in(list(reading.suppressed))).then(pl.col(n)).alias(n) for n in texts]
    return replace(table, frame=table.frame.with_columns(emptied))


def _columns(
    table: Table, indicator: Indicator, reading: Reading, states: Mapping[str, NDArray[np.uint8]]
) -> tuple[dict[str, pl.Series], frozenset[str], list[Finding]]:
    """Columns by role, the roles whose labels are whole numbers, and what is wrong."""
    columns: dict[str, pl.Series] = {}
    whole: set[str] = set()
    findings: list[Finding] = []
    for role in indicator.roles:
        if role.name not in reading.roles:
            continue
        if role.kind == "number":
            values, state, said = _numbers(table, role, reading, states[role.name])
            columns |= {role.name: values, f"state:{role.name}": state}
        else:
            columns[role.name], is_whole, said = _keys(table, role, reading.roles[role.name])
            whole |= {role.name} if is_whole else set()
        findings += said
    return columns, frozenset(whole), findings


def _state_findings(table: Table, reading: Reading) -> Iterable[Finding]:
    if reading.state is None:
        return
    said = table.frame[reading.state].cast(pl.String)
    odd = said.filter(said.is_not_null() & ~said.is_in(list(STATES))).unique(maintain_order=True)
    if len(odd):
        yield Finding(
            "unknown-state",
            f"states are {listed(odd)}",
            table.where(column=reading.state),
            f"write one of: {', '.join(STATES)}; or leave it empty",
        )


def _keys(table: Table, role: Role, column: str) -> tuple[pl.Series, bool, list[Finding]]:
    """The labels, whether they are whole-number codes, and what is wrong with them."""
    if role.kind == "time":
        values, findings = normalise_time(table, column)
    else:
        values, findings = normalise_codes(table.frame[column], typed=table.typed), []
    if values.null_count() and not findings:
        broken = values.is_null().arg_true()
        what = f"{len(broken)} row(s) have no {role.name}"
        findings.append(Finding("missing-key", what, table.where(broken, column), "complete the rows, or leave them out on purpose"))
    whole = role.kind == "key" and values.dtype.is_integer()
    return values.cast(pl.Int64 if role.kind == "time" else pl.String).alias(role.name), whole, findings


def _numbers(table: Table, role: Role, reading: Reading, state: NDArray[np.uint8]) -> tuple[pl.Series, pl.Series, list[Finding]]:
    """The numbers (null unless observed), their states, and what is wrong with them."""
    column = reading.roles[role.name]
    raw = table.frame[column]
    if not (raw.dtype.is_numeric() or raw.dtype in (pl.Boolean, pl.Null)):
        what = f"column {column!r} holds text, such as {listed(raw.drop_nulls().head(3))}"
        finding = Finding("not-a-number", what, table.where(column=column), f"name a column of numbers as {role.name}")
        return pl.Series(role.name, [None] * len(raw), dtype=pl.Float64), pl.Series(state), [finding]
    values = np.where(state == OBSERVED, raw.cast(pl.Float64).to_numpy(), np.nan)
    findings = list(_infinite(table, values, column))
    wrong = values < 0 if role.sign == "non-negative" else values <= 0 if role.sign == "positive" else np.zeros(0, dtype=np.bool_)
    if wrong.any():
        findings.append(_wrong_sign(table, role, reading, values, wrong))
        values[wrong] = np.nan
    settled = np.where((state == OBSERVED) & np.isnan(values), np.uint8(MISSING), state)
    return pl.Series(role.name, values, nan_to_null=True), pl.Series(settled), findings


def _wrong_sign(table: Table, role: Role, reading: Reading, values: NDArray[np.float64], wrong: NDArray[np.bool_]) -> Finding:
    at, column = pl.Series(np.flatnonzero(wrong)), reading.roles[role.name]
    said = "negative" if role.sign == "non-negative" else "not positive"
    what = f"{len(at)} value(s) of {column!r} are {said}: {listed(values[wrong][:5].tolist())}"
    if reading.on_negative == "raise":
        remedy = 'correct them; or pass on_negative="nan" to count them as missing'
        return Finding("negative-value", what, table.where(at, column), remedy)
    return Finding("negative-value", f"{what}; they count as missing", table.where(at, column), "nothing, if that is meant", "warning")


def _infinite(table: Table, values: NDArray[np.float64], column: str) -> Iterable[Finding]:
    at = pl.Series(np.flatnonzero(np.isinf(values)))
    if len(at):
        yield Finding(
            "infinite", f"{len(at)} value(s) of {column!r} are infinite", table.where(at, column), "correct the cells, or empty them"
        )


def _repeated(table: Table, data: Data, indicator: Indicator) -> list[Finding]:
    """Rows that describe the same cell twice."""
    keys = [k for k in indicator.unique if data.has(k)]
    if not indicator.unique or data.distinct(keys):
        return []
    if not keys:
        what, at = f"there are {data.frame.height} rows and no column tells them apart", pl.Series([0, 1])
    else:
        at = data.frame.select(keys).is_duplicated().arg_true()
        names = ", ".join(data.columns[k] for k in keys)
        what = f"{len(at)} rows share {names} with another row: {_shown(data.frame.select(keys)[at])}"
    lacking = [r for r in indicator.unique if not data.has(r)]
    remedy = "give each cell one row: sum or drop the others"
    remedy += f"; or name a column as {' or '.join(lacking)}" if lacking else ""
    return [Finding("duplicate-cell", what, table.where(at), remedy)]


def _shown(rows: pl.DataFrame) -> str:
    return "; ".join(", ".join(map(str, row)) for row in rows.unique(maintain_order=True).head(3).iter_rows())


def named_columns(indicator: Indicator, given: Mapping[str, Any]) -> tuple[dict[str, str], dict[str, Any], list[Finding]]:
    """What was given by keyword, told apart: columns by role, parameters, and what is neither."""
    columns: dict[str, str] = {}
    parameters: dict[str, Any] = {}
    findings: list[Finding] = []
    roles = {r.name: r for r in indicator.roles}
    for name, value in given.items():
        if name in roles:
            if isinstance(value, str):
                columns[name] = value
            elif value is not None:
                findings.append(Finding("bad-column", f"{name} is {value!r}", f"argument {name}", "give the name of a column"))
        elif name in indicator.parameters:
            parameters[name] = value
            findings += value_findings(indicator, name, value)
        else:
            remedy = did_you_mean(name, [*roles, *indicator.parameters])
            findings.append(Finding("unknown-argument", f"{indicator.id} has no column or parameter {name!r}", f"{name}={value!r}", remedy))
    for role in roles.values():
        if role.required and role.name not in columns:
            what = f"{indicator.id} needs a column for {role.name}" + (f" ({role.help})" if role.help else "")
            findings.append(Finding("missing-role", what, f"argument {role.name}", f'pass {role.name}="<name of the column>"'))
    return columns, parameters, findings
