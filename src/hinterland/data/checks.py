"""Checks of a panel's rows, each a named sentence that returns its findings; :func:`check_frame` runs them all.

Every check takes a :class:`~hinterland.data.table.Table` whose unit codes and periods are in one form already, and the
:class:`~hinterland.data.roles.Roles` of its columns. A check whose columns are absent has nothing to say: the absence is its own finding.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import isfinite

import polars as pl

from hinterland.data.order import grid_periods
from hinterland.data.panel import Panel
from hinterland.data.roles import Roles
from hinterland.data.table import Table, numbered, some
from hinterland.data.warnings import (
    warn_if_column_all_missing,
    warn_if_column_constant,
    warn_if_gaps,
    warn_if_period_absent,
    warn_if_unbalanced,
    warn_if_unit_changes_cluster,
)
from hinterland.errors import Finding, did_you_mean, listed

_SHOWN = 5


def check_frame(table: Table, roles: Roles) -> list[Finding]:
    """Run every check on rows whose codes, periods and years are settled. Order: errors of structure first."""
    keys = {roles.unit, roles.time} <= set(table.frame.columns) and roles.unit != roles.time
    whole = keys and grid_periods(table.frame, roles.unit, roles.time) is not None
    return [finding for check in CHECKS if not (whole and check in MET_BY_GRID) for finding in check(table, roles)]


def check_roles(
    panel: Panel,
    *,
    weight: str | None = None,
    cluster: str | None = None,
    coordinates: tuple[str, str] | None = None,
    treatment: str | None = None,
) -> list[Finding]:
    """The findings of the roles of columns that were joined or derived after the panel was read."""
    table = Table(panel.frame, "panel", numbered(panel.frame.height), panel.columns)
    roles = Roles(panel.unit, panel.time, weight, cluster, coordinates, treatment)
    missing = fail_if_column_unknown(table, list(roles.named()))
    return [*missing, *(finding for check in ROLE_CHECKS for finding in check(table, roles))]


def fail_if_column_unknown(table: Table, names: Sequence[tuple[str, str]]) -> list[Finding]:
    """Every (role, column) must be a column of the table."""
    have = table.frame.columns
    missing = [(role, name) for role, name in dict.fromkeys(names) if name not in have]
    shown = f"{table.source} with columns {', '.join(have[:12])}{', …' if len(have) > 12 else ''}"
    return [
        Finding("unknown-column", f"there is no column {name!r} (asked for as {role})", shown, did_you_mean(name, have))
        for role, name in missing
    ]


def fail_if_role_shared(table: Table, roles: Roles) -> list[Finding]:
    """Unit and time must be two columns."""
    if roles.unit != roles.time:
        return []
    return [Finding("role-shared", f"column {roles.unit!r} is asked for as unit and as time", table.source, "name two columns")]


def fail_if_empty(table: Table, roles: Roles) -> list[Finding]:
    """There must be rows."""
    if table.frame.height:
        return []
    within = f" in {roles.years[0]}–{roles.years[1]}" if roles.years else ""
    return [
        Finding(
            "empty-panel",
            f"there is no row{within}",
            table.source,
            "check that the file has rows below its header, and the years asked for",
        )
    ]


def fail_if_unit_missing(table: Table, roles: Roles) -> list[Finding]:
    """Every row needs a unit code."""
    return _missing_key(
        table,
        roles.unit,
        "unit-missing",
        "unit code",
        "fill in the code, or delete the rows (totals and notes under a table are often such rows)",
    )


def fail_if_time_missing(table: Table, roles: Roles) -> list[Finding]:
    """Every row needs a period."""
    return _missing_key(table, roles.time, "time-missing", "period", "fill in the period, or delete the rows")


def _missing_key(table: Table, name: str, code: str, word: str, remedy: str) -> list[Finding]:
    if name not in table.frame.columns:
        return []
    at = table.frame[name].is_null().arg_true()
    return [Finding(code, f"{len(at)} row(s) have no {word}", table.where(at, name), remedy)] if len(at) else []


def fail_if_unit_code_is_fraction(table: Table, roles: Roles) -> list[Finding]:
    """Unit codes are text or whole numbers."""
    if roles.unit not in table.frame.columns or not table.frame[roles.unit].dtype.is_float():
        return []
    codes = table.frame[roles.unit]
    at = (codes.is_not_null() & (~codes.is_finite() | (codes.round(0) != codes))).arg_true()
    if not len(at):
        return []
    what = f"{len(at)} unit code(s) are not whole numbers: {some(codes, at)}"
    return [Finding("unit-not-code", what, table.where(at, roles.unit), "name a column of codes or names as unit")]


def fail_if_unit_codes_mixed(table: Table, roles: Roles) -> list[Finding]:
    """Units are named by codes throughout or by names throughout, never by both."""
    if roles.unit not in table.frame.columns or table.frame[roles.unit].dtype != pl.String:
        return []
    units = table.frame[roles.unit]
    distinct = units.drop_nulls().unique()
    codes = distinct.filter(distinct.str.contains(r"^\d+$"))
    names = distinct.filter(~distinct.str.contains(r"\d"))
    if not len(codes) or not len(names):
        return []
    rare, common, word = (names, codes, "names") if len(names) <= len(codes) else (codes, names, "codes")
    at = units.is_in(rare.implode()).arg_true()
    what = f"units change type: {len(rare)} of {len(distinct)} are {word} ({listed(rare.sort().to_list())}), the others are like {common.min()!r}"
    return [Finding("unit-type-mixed", what, table.where(at, roles.unit), "identify every unit by the same kind of code")]


def fail_if_duplicate_unit_period(table: Table, roles: Roles) -> list[Finding]:
    """One row per unit and period."""
    if not {roles.unit, roles.time} <= set(table.frame.columns):
        return []
    keys = table.frame.select(pl.col(roles.unit).alias("unit"), pl.col(roles.time).alias("time"))
    if not _repeats(keys):
        return []
    keys = keys.with_columns(at=numbered(keys.height, 0)).drop_nulls()
    repeated = keys.group_by("unit", "time").agg("at", pl.len().alias("n")).filter(pl.col("n") > 1).sort(pl.col("at").list.first())
    if repeated.is_empty():
        return []
    shown = [
        f"{unit} in {time} (rows {', '.join(str(table.rows[i]) for i in at[:4])})"
        for unit, time, at, _ in repeated.head(_SHOWN).iter_rows()
    ]
    more = f" and {repeated.height - _SHOWN} more" if repeated.height > _SHOWN else ""
    what = f"{repeated.height} unit-period(s) occur more than once: {', '.join(shown)}{more}"
    return [
        Finding(
            "duplicate-unit-period",
            what,
            table.source,
            "keep one row per unit and period: delete copies, or add up the parts before reading",
        )
    ]


def _repeats(keys: pl.DataFrame) -> bool:
    """Whether some (unit, time) occurs twice: neighbours are compared after a sort, which rows in order do not need."""
    unit, time = pl.col("unit"), pl.col("time")
    after = (unit > unit.shift()) | ((unit == unit.shift()) & (time > time.shift()))
    if keys.select(after.slice(1).fill_null(value=False).all()).item():
        return False
    same = (unit == unit.shift()) & (time == time.shift())
    return bool(keys.sort("unit", "time").select(same.any()).item())


def fail_if_infinite(table: Table, roles: Roles) -> list[Finding]:
    """No number may be infinite, but for +inf in a column without a role: it may stand for "never" in a column of dates."""
    floats = [c for c, t in table.frame.schema.items() if t.is_float()]
    if not floats or not table.frame.height:
        return []
    named = {name for _, name in roles.named()}
    sums = table.frame.select(pl.col(floats).sum()).row(0)
    suspects = [c for c, total in zip(floats, sums, strict=True) if not isfinite(total)]
    has = table.frame.select(pl.col(suspects).is_infinite().any()).row(0) if suspects else ()
    findings = []
    for name in (c for c, yes in zip(suspects, has, strict=True) if yes):
        at = table.frame[name].is_infinite().fill_null(value=False).arg_true()
        remedy = "correct the cells, or empty them if the value is missing; a logarithm of 0 gives -inf: use log1p"
        if name in named or not (table.frame[name][at] > 0).all():
            findings.append(Finding("infinite", f"{len(at)} value(s) of {name!r} are infinite", table.where(at, name), remedy))
    return findings


def fail_if_role_not_numeric(table: Table, roles: Roles) -> list[Finding]:
    """Weight, treatment, coordinates and columns declared numeric hold numbers."""
    names = [(r, n) for r, n in roles.named() if r not in ("unit", "time", "cluster") and n in table.frame.columns]
    bad = [(r, n) for r, n in names if not (table.frame.schema[n].is_numeric() or table.frame.schema[n] == pl.Boolean)]
    findings = []
    for role, name in dict.fromkeys(bad):
        at = table.frame[name].is_not_null().arg_true()
        what = f"column {name!r} ({role}) holds {table.frame.schema[name]}, not numbers: {some(table.frame[name], at)}"
        findings.append(Finding("not-numeric", what, table.where(at, name), "convert the cells to numbers, or name another column"))
    return findings


def fail_if_role_all_missing(table: Table, roles: Roles) -> list[Finding]:
    """A column that has a role must hold something."""
    names = [(r, n) for r, n in roles.named() if n in table.frame.columns and table.frame.height]
    return [
        Finding(
            "all-missing",
            f"column {n!r} ({r}) is empty in every row",
            table.where(column=n),
            "name another column, or check how the file was exported",
        )
        for r, n in dict.fromkeys(names)
        if table.frame[n].null_count() == table.frame.height
    ]


def fail_if_weight_not_positive(table: Table, roles: Roles) -> list[Finding]:
    """Weights are positive."""
    remedy = "give every row a positive weight, or leave out rows that should not count"
    return _bad_values(table, roles.weight, lambda w: w <= 0, code="weight-not-positive", wrong="are zero or negative", remedy=remedy)


def fail_if_weight_missing(table: Table, roles: Roles) -> list[Finding]:
    """Every row has its weight."""
    name = roles.weight
    if name is None or name not in table.frame.columns:
        return []
    at = table.frame[name].is_null().arg_true()
    if not len(at) or len(at) == table.frame.height:
        return []
    return [
        Finding("weight-missing", f"{len(at)} row(s) have no weight", table.where(at, name), "fill in the weights, or leave out the rows")
    ]


def fail_if_coordinates_out_of_range(table: Table, roles: Roles) -> list[Finding]:
    """Longitude lies in [−180, 180] and latitude in [−90, 90] degrees."""
    if roles.coordinates is None:
        return []
    longitude, latitude = roles.coordinates
    code = "coordinates-out-of-range"
    remedy = f"give degrees, longitude first: coordinates=({longitude!r}, {latitude!r}) reads {longitude!r} as longitude; projected metres must be converted"
    wrong = "lie outside [-180, 180] degrees of longitude", "lie outside [-90, 90] degrees of latitude"
    return [
        *_bad_values(table, longitude, lambda x: x.abs() > 180, code=code, wrong=wrong[0], remedy=remedy),
        *_bad_values(table, latitude, lambda x: x.abs() > 90, code=code, wrong=wrong[1], remedy=remedy),
    ]


def _bad_values(table: Table, name: str | None, test: Callable[[pl.Expr], pl.Expr], *, code: str, wrong: str, remedy: str) -> list[Finding]:
    if name is None or name not in table.frame.columns or not table.frame.schema[name].is_numeric():
        return []
    at = table.frame.select(test(pl.col(name)).fill_null(value=False)).to_series().arg_true()
    if not len(at):
        return []
    return [Finding(code, f"{len(at)} value(s) of {name!r} {wrong}: {some(table.frame[name], at)}", table.where(at, name), remedy)]


def fail_if_treatment_not_binary(table: Table, roles: Roles) -> list[Finding]:
    """The treatment column is 0 or 1."""
    remedy = "give 0 before and 1 from the first treated period; for a column of first treated periods use adoption"
    return _bad_values(
        table, roles.treatment, lambda d: (d != 0) & (d != 1), code="treatment-not-binary", wrong="are neither 0 nor 1", remedy=remedy
    )


def fail_if_treatment_reverses(table: Table, roles: Roles) -> list[Finding]:
    """Once treated, always treated."""
    name = roles.treatment
    if name is None or not {name, roles.unit, roles.time} <= set(table.frame.columns):
        return []
    if not (table.frame.schema[name].is_numeric() or table.frame.schema[name] == pl.Boolean):
        return []
    keys = table.frame.select(
        pl.col(roles.unit).alias("unit"), pl.col(roles.time).alias("time"), pl.col(name).cast(pl.Float64).alias("d")
    ).drop_nulls()
    keys = keys.sort("unit", "time").filter(pl.col("d").shift(1).over("unit") > pl.col("d"))
    if keys.is_empty():
        return []
    units = keys.unique("unit", keep="first", maintain_order=True)
    shown = [f"{u} (in {t})" for u, t in units.head(_SHOWN).select("unit", "time").iter_rows()]
    more = f" and {units.height - _SHOWN} more" if units.height > _SHOWN else ""
    what = f"treatment {name!r} is withdrawn in {units.height} unit(s): {', '.join(shown)}{more}"
    remedy = (
        "check the cells; if treatment is really withdrawn, end the sample before it is, or leave these units out; "
        "if effects of switching off are wanted too, say reversible = true under [policy] and choose dcdh; "
        f"if the column marks only when it begins, derive first_period({name} == 1) and take it as adoption column"
    )
    return [Finding("treatment-reversal", what, table.where(column=name), remedy)]


def fail_if_years_outside(table: Table, roles: Roles) -> list[Finding]:
    """The years asked for are in order and touch the data (call before rows are left out)."""
    if roles.years is None:
        return []
    first, last = roles.years
    if not all(isinstance(y, int) for y in roles.years) or first > last:
        return [
            Finding("years-reversed", f"years {first!r} to {last!r} are no range", "argument years", "give the first year, then the last")
        ]
    if roles.time not in table.frame.columns or table.frame[roles.time].null_count() == table.frame.height:
        return []
    low, high = table.frame.select(pl.col(roles.time).min().alias("low"), pl.col(roles.time).max().alias("high")).row(0)
    where = table.where(column=roles.time)
    if first > high or last < low:
        return [
            Finding(
                "years-outside", f"no row lies in {first}–{last}: the data cover {low}–{high}", where, f"choose years within {low}–{high}"
            )
        ]
    if first < low or last > high:
        what = f"the years asked for, {first}–{last}, reach beyond the data, which cover {low}–{high}"
        return [Finding("years-beyond-data", what, where, f"set years to {max(first, low)}–{min(last, high)} to say so", "warning")]
    return []


CHECKS: tuple[Callable[[Table, Roles], list[Finding]], ...] = (
    fail_if_empty,
    fail_if_unit_missing,
    fail_if_time_missing,
    fail_if_unit_code_is_fraction,
    fail_if_unit_codes_mixed,
    fail_if_duplicate_unit_period,
    fail_if_role_all_missing,
    fail_if_role_not_numeric,
    fail_if_infinite,
    fail_if_weight_not_positive,
    fail_if_weight_missing,
    fail_if_coordinates_out_of_range,
    fail_if_treatment_not_binary,
    fail_if_treatment_reverses,
    warn_if_gaps,
    warn_if_period_absent,
    warn_if_unbalanced,
    warn_if_column_all_missing,
    warn_if_column_constant,
    warn_if_unit_changes_cluster,
)
"""Every check that :func:`check_frame` runs, in order."""

MET_BY_GRID = frozenset(
    (fail_if_empty, fail_if_unit_missing, fail_if_time_missing, fail_if_duplicate_unit_period, warn_if_gaps, warn_if_unbalanced)
)
"""Those that rows of every unit in every period, in order, meet by being so."""

ROLE_CHECKS: tuple[Callable[[Table, Roles], list[Finding]], ...] = (
    fail_if_role_all_missing,
    fail_if_role_not_numeric,
    fail_if_weight_not_positive,
    fail_if_weight_missing,
    fail_if_coordinates_out_of_range,
    fail_if_treatment_not_binary,
    fail_if_treatment_reverses,
    warn_if_unit_changes_cluster,
)
"""The checks of one column's role, which :func:`check_roles` runs."""
