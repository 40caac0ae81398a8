"""Parts of a panel: by years, by expression, by completeness, by group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import polars as pl

from hinterland.data.panel import Panel
from hinterland.errors import Finding, StudyError, did_you_mean, fail_if_any


def between(panel: Panel, years: Sequence[int]) -> Panel:
    """The rows of the years from ``years[0]`` to ``years[1]``. Raises ``StudyError`` when there is none."""
    kept = panel.filter(pl.col(panel.time).is_between(years[0], years[1]))
    if kept.frame.is_empty():
        years_seen = panel.frame[panel.time].to_list()
        span = f"{min(years_seen)}–{max(years_seen)}" if years_seen else "no period"
        raise StudyError(
            Finding("empty-window", f"the panel has no row in {years[0]}–{years[1]}", f"it covers {span}", "give years inside that span"),
            "panel",
        )
    return kept


def where(panel: Panel, expression: str) -> Panel:
    """The rows for which ``expression`` is true; a missing value is not."""
    from hinterland.data.derive import derive

    name = "where" if "where" not in panel.frame.columns else "where_"
    flagged = derive(panel, {name: expression})
    kept = flagged.filter(pl.col(name).cast(pl.Boolean).fill_null(False))
    return replace(panel, frame=kept.frame.drop(name))


def without_columns(panel: Panel, names: Sequence[str], key: str) -> Panel:
    """The panel without columns that have no role. Raises ``StudyError`` for names that it does not have, and for roles."""
    roles = {panel.unit, panel.time, panel.weight, panel.cluster, panel.treatment, *(panel.coordinates or ())} - {None}
    have = panel.frame.columns
    findings = [
        Finding("unknown-column", f"there is no column {n!r} to leave out", key, did_you_mean(n, have)) for n in names if n not in have
    ]
    findings += [
        Finding("role-shared", f"column {n!r} has a role and cannot be left out", key, "take it off the list") for n in names if n in roles
    ]
    fail_if_any(findings, "panel", StudyError)
    columns = {c: described for c, described in panel.columns.items() if c not in names}
    return replace(panel, frame=panel.frame.drop(names), columns=columns)


def complete(panel: Panel, columns: Sequence[str]) -> Panel:
    """Units with a value of every one of ``columns`` in every period."""
    panel.require(columns, "panel.filter.complete")
    whole = panel.frame.filter(pl.all_horizontal(pl.col(c).is_not_null() for c in columns))
    counts = whole.group_by(panel.unit).len().filter(pl.col("len") == panel.n_periods)
    return panel.filter(pl.col(panel.unit).is_in(counts[panel.unit].implode()))


def units_where(panel: Panel, groups: pl.DataFrame, *, keep: bool) -> Panel:
    """The panel with only the units of ``groups``, or without them."""
    inside = pl.col(panel.unit).cast(pl.String).is_in(groups["unit"].implode())
    return panel.filter(inside if keep else ~inside)
