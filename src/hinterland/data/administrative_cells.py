"""Cells of regions, industries and years made comparable across administrative changes: one code per territory in every year."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from hinterland.data.administrative import Comparable, administrative_changes, comparable_units
from hinterland.data.combine import Converted, Plan, combined, plan_findings
from hinterland.data.geography import cities, provinces
from hinterland.data.panel import Panel
from hinterland.errors import Finding, PanelError, fail_if_any, listed


def merge_cells(
    frame: pl.DataFrame,
    *,
    values: Sequence[str],
    region: str = "region",
    time: str = "time",
    by: Sequence[str] = ("industry",),
    split: str = "group",
    state: str | None = None,
    missing: str = "null",
) -> Converted:
    """Cells by today's codes of prefectures, with one row per comparable territory, period and further key.

    The rules are those of :func:`hinterland.data.administrative.merge_administrative`: units with a new code are recoded; an abolished
    unit is one with its successor in every period; a unit that was divided among several is one with all of them (``split="group"``) or
    left out (``"drop"``). Nothing is apportioned. A territory one of whose parts has no row at all in a period is empty in it.

    Args:
        frame: one row per cell of ``region`` × ``time`` × ``by``. A cell that has no row adds nothing.
        values: columns that can be added up.
        region, time: columns of GB/T 2260 codes of prefectures, and of years.
        by: the other keys.
        split: ``group`` or ``drop``.
        state: column that says ``observed``, ``missing`` or ``suppressed``; a sum has the state of its worst part.
        missing: ``null`` (a sum of some parts is not the sum) or ``skip`` (add what is observed).

    Returns:
        Cells whose column ``split`` marks territories to which a divided unit belongs, and ``merged`` those of more than one unit.

    Raises:
        PanelError: unknown columns, repeated cells, regions that are no codes.
    """
    plan = Plan(region, (time, *by), tuple(values), state, missing)
    fail_if_any(plan_findings(frame, plan), "merging administrative changes", PanelError)
    cells = frame.with_columns(pl.col(region).cast(pl.String))
    units = comparable_units(Panel(cells.select(region, time).unique().sort(region, time), region, time), split)
    pairs = pl.DataFrame({"from": list(units.codes), "to": list(units.codes.values())}, schema={"from": pl.String, "to": pl.String})
    pairs = pairs.with_columns(weight=pl.lit(1.0), split=pl.col("to").is_in(list(units.divided)))
    merged = combined(cells, pairs, plan).with_columns(pl.col(region).is_in(list(units.merged)).alias("merged"))
    merged, said = _emptied(merged, units, plan)
    left = cells.filter(~pl.col(region).is_in(list(units.codes)))
    divided = pairs.filter(pl.col("split")).select("from", "to", "weight").sort("to", "from")
    return Converted(merged, divided, left, (*units.findings, *said, *_strangers(cells, region), *_counties(cells, region)))


def _emptied(merged: pl.DataFrame, units: Comparable, plan: Plan) -> tuple[pl.DataFrame, list[Finding]]:
    """Territories without values in periods in which a part of them has no row."""
    if units.incomplete.is_empty() or plan.missing == "skip":
        return merged, []
    keys = [plan.column, plan.by[0]]
    short = pl.struct(*keys).is_in(units.incomplete.select(pl.struct(*keys)).to_series().implode())
    emptied = [pl.when(~short).then(v).alias(v) for v in plan.values]
    state = [pl.when(short).then(pl.lit("missing")).otherwise(plan.state).alias(plan.state)] if plan.state else []
    where = listed((f"{u} in {t}" for u, t in units.incomplete.iter_rows()), 6)
    what = f"{units.incomplete.height} merged territory-period(s) lack a member and are empty in {listed(plan.values)}"
    said = Finding("incomplete-merge", what, where, "add the missing rows, or leave these periods out", "warning")
    return merged.with_columns(*emptied, *state), [said]


def _strangers(cells: pl.DataFrame, region: str) -> list[Finding]:
    """Codes of provinces and prefectures that neither today's division nor a recorded change knows."""
    changes = administrative_changes()
    known = {*cities()["adcode"], *provinces()["province_code"], *changes["former_code"], *changes["successor_codes"].explode()}
    strange = cells.filter(pl.col(region).str.ends_with("00") & ~pl.col(region).is_in(list(known)))
    if strange.is_empty():
        return []
    codes = strange[region].unique().sort().to_list()
    what = f"{len(codes)} region(s) are in no division and no recorded change, and keep their codes: {listed(codes)}"
    remedy = "correct the codes, or check by hand what became of the regions"
    return [Finding("region-absent", what, f"column {region!r}, {strange.height} row(s)", remedy, "warning")]


def _counties(cells: pl.DataFrame, region: str) -> list[Finding]:
    """Codes of counties: what is known of changes is known of prefectures."""
    codes = cells.filter(~pl.col(region).str.ends_with("00"))[region].unique().sort()
    if codes.is_empty():
        return []
    what = f"{len(codes)} region(s) are counties, whose changes are not known here"
    remedy = "reduce to prefectures first (region_level='prefecture'), or check county codes by hand"
    return [Finding("counties-unchanged", what, listed(codes.to_list()), remedy, "warning")]
