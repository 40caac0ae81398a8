"""Checks that warn: nothing is wrong for certain, but what can be estimated, or how it reads, may change."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import polars as pl

from hinterland.data.roles import Roles
from hinterland.data.table import Table
from hinterland.errors import Finding, listed

_SHOWN = 5
_GLANCE = 256
"""Rows in which most columns already vary."""
_SPAN = 100_000
"""Periods are counted rather than sorted when they span less than this."""


def warn_if_column_all_missing(table: Table, roles: Roles) -> list[Finding]:
    """Columns without a role that are empty."""
    given = {n for _, n in roles.named()}
    empty = [c for c in table.frame.columns if c not in given and table.frame.height and table.frame[c].null_count() == table.frame.height]
    if not empty:
        return []
    return [
        Finding("all-missing", f"{len(empty)} column(s) are empty in every row: {listed(empty)}", table.source, "leave them out", "warning")
    ]


def warn_if_column_constant(table: Table, roles: Roles) -> list[Finding]:
    """Numeric columns that never vary."""
    given = {roles.unit, roles.time}
    names = [c for c, t in table.frame.schema.items() if c not in given and t.is_numeric()]
    if not names or table.frame.height < 2:
        return []
    varies = table.frame.head(_GLANCE).select(pl.col(names).min() < pl.col(names).max()).row(0)
    names = [c for c, yes in zip(names, varies, strict=True) if not yes]
    if not names:
        return []
    low, high = table.frame.select(pl.col(names).min()).row(0), table.frame.select(pl.col(names).max()).row(0)
    constant = [f"{c} = {a}" for c, a, b in zip(names, low, high, strict=True) if a is not None and a == b]
    if not constant:
        return []
    what = f"{len(constant)} column(s) have the same value in every row: {', '.join(constant[:_SHOWN])}"
    return [Finding("constant-column", what, table.source, "they cannot explain or be explained; check the years and the file", "warning")]


def _fills_grid(table: Table, roles: Roles) -> bool:
    """Whether there are as many rows as units times periods: then nothing is missing, unless a row is there twice (an error of its own)."""
    units, periods = table.frame.select(pl.col(roles.unit).n_unique().alias("u"), pl.col(roles.time).n_unique().alias("t")).row(0)
    return bool(units * periods == table.frame.height)


def warn_if_gaps(table: Table, roles: Roles) -> list[Finding]:
    """Units that are missing in some period between their first and their last."""
    if not {roles.unit, roles.time} <= set(table.frame.columns) or not table.frame.height or _fills_grid(table, roles):
        return []
    unit, time = pl.col(roles.unit).alias("unit"), pl.col(roles.time).alias("time")
    keys = table.frame.select(unit, time).drop_nulls()
    periods = keys["time"].unique().sort()
    spans = keys.group_by("unit").agg(
        pl.col("time").min().alias("low"), pl.col("time").max().alias("high"), pl.col("time").n_unique().alias("n")
    )
    rank = {t: i for i, t in enumerate(periods.to_list())}
    expected = pl.col("high").replace_strict(rank) - pl.col("low").replace_strict(rank) + 1
    gaps = spans.filter(expected > pl.col("n")).sort("unit")
    if gaps.is_empty():
        return []
    shown = []
    for one, low, high in gaps.head(_SHOWN).select("unit", "low", "high").iter_rows():
        seen = set(keys.filter(pl.col("unit") == one)["time"].to_list())
        shown.append(f"{one} lacks {', '.join(str(t) for t in [t for t in periods if low < t < high and t not in seen][:4])}")
    more = f" and {gaps.height - _SHOWN} more" if gaps.height > _SHOWN else ""
    what = f"{gaps.height} unit(s) have gaps: {'; '.join(shown)}{more}"
    return [Finding("gaps", what, table.source, "lags look up the period, not the row before; fill the gaps if the data exist", "warning")]


def _distinct(periods: pl.Series) -> list[int]:
    """The periods that occur, increasing."""
    if periods.dtype == pl.Int64 and len(periods) and not periods.null_count():
        values = periods.to_numpy()
        low = int(values.min())
        if int(values.max()) - low < _SPAN:
            return (np.flatnonzero(np.bincount(values - low)) + low).tolist()
    return periods.drop_nulls().unique().sort().to_list()


def warn_if_period_absent(table: Table, roles: Roles) -> list[Finding]:
    """Periods that no unit has, in a series whose other periods are evenly spaced."""
    if roles.time not in table.frame.columns:
        return []
    periods = _distinct(table.frame[roles.time])
    steps = [b - a for a, b in pairwise(periods)]
    if not steps or len(set(steps)) == 1:
        return []
    step = min(steps)
    absent = [t for a, b in pairwise(periods) for t in range(a + step, b, step)]
    if not absent:
        return []
    return [
        Finding(
            "period-absent",
            f"no unit is observed in {listed(absent)}",
            table.where(column=roles.time),
            "event times count calendar periods, absent ones included",
            "warning",
        )
    ]


def warn_if_unbalanced(table: Table, roles: Roles) -> list[Finding]:
    """Units that are not observed in every period."""
    if not {roles.unit, roles.time} <= set(table.frame.columns) or not table.frame.height or _fills_grid(table, roles):
        return []
    counts = table.frame.group_by(pl.col(roles.unit).alias("unit")).agg(pl.col(roles.time).n_unique().alias("n"))
    n_periods = table.frame[roles.time].n_unique()
    whole = counts.filter(pl.col("n") == n_periods).height
    if whole == counts.height:
        return []
    what = f"the panel is unbalanced: {whole} of {counts.height} units are observed in all {n_periods} periods"
    return [
        Finding(
            "unbalanced",
            what,
            table.source,
            "nothing, where an estimator accepts it; otherwise restrict the sample to complete units",
            "warning",
        )
    ]


def warn_if_unit_changes_cluster(table: Table, roles: Roles) -> list[Finding]:
    """Units that belong to more than one cluster: clusters should contain units whole."""
    name = roles.cluster
    if name is None or name == roles.unit or not {name, roles.unit} <= set(table.frame.columns):
        return []
    pairs = table.frame.select(pl.col(roles.unit).alias("unit"), pl.col(name).alias("cluster")).drop_nulls().unique()
    moved = pairs.group_by("unit").len().filter(pl.col("len") > 1)["unit"].sort()
    if not len(moved):
        return []
    what = f"{len(moved)} unit(s) change cluster {name!r}: {listed(moved.to_list())}"
    return [Finding("cluster-changes", what, table.where(column=name), "give each unit one cluster, unless the change is real", "warning")]
