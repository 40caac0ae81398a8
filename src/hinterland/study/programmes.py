"""Other programmes of the same years: who entered when, from a packaged register, a file, or a column of the panel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from hinterland.data.geography import match_cities
from hinterland.data.panel import Panel
from hinterland.errors import Finding, StudyError, did_you_mean, fail_if_any, listed
from hinterland.study.battery import name_of, slug
from hinterland.study.schema_battery import ConcurrentTable

if TYPE_CHECKING:
    from hinterland.study.workspace import Workspace

LATEST = "latest"
"""Precision of a date that is a cumulative list's: the units had entered by then."""


def indicator_columns(programme: str) -> tuple[str, str]:
    """The names of a programme's two columns: whether a unit is in it in the period, and whether it ever enters by the last period."""
    stem = "concurrent_" + slug(programme).replace("-", "_").replace(".", "_")
    return stem, f"{stem}_ever"


@dataclass(frozen=True, slots=True)
class Programme:
    """``first``: ``unit`` (the panel's own codes, as text) and ``first`` (the period in which it enters) of the panel's units that are in
    programme ``name``;  ``last``: last period of the panel;  ``unit``, ``time``: its columns;  ``undated``: units that had entered by their
    date, and may have entered before.
    """

    name: str
    first: pl.DataFrame
    last: int
    undated: tuple[str, ...] = ()

    @property
    def entered(self) -> pl.DataFrame:
        """The units that entered by the last period."""
        return self.first.filter(pl.col("first") <= self.last)

    def added_to(self, panel: Panel) -> Panel:
        """The panel with the programme's two columns."""
        now, ever = indicator_columns(self.name)
        first = panel.frame.select(unit=pl.col(panel.unit).cast(pl.String)).join(self.first, on="unit", how="left", maintain_order="left")[
            "first"
        ]
        time = panel.frame[panel.time]
        return panel.with_columns(
            (time >= first).fill_null(False).cast(pl.Float64).alias(now),  # type: ignore[arg-type]  # a series is a column too
            (first <= self.last).fill_null(False).cast(pl.Float64).alias(ever),  # type: ignore[arg-type]
        )


def read_programme(work: Workspace, name: str) -> Programme:
    """The programme of that name in ``robustness.concurrent``.

    Raises:
        StudyError: neither a packaged register nor a column of the panel, unknown units, dates that are none, or nobody in the panel.
    """
    from hinterland.data.policy import registers

    entries = work.study.robustness.concurrent
    place, entry = next((i, e) for i, e in enumerate(entries) if name_of(e) == name)
    where = work.loaded.where("robustness", "concurrent", place)
    if isinstance(entry, ConcurrentTable):
        found = _of_file(work, entry, where) if entry.source is not None else _of_column(work.panel, str(entry.column), where)
    elif entry in registers():
        found = _of_register(work.panel, entry)
    else:
        found = _of_column(work.panel, entry, where)
    first, undated = found
    programme = Programme(name, first, int(work.panel.frame[work.panel.time].max()), undated)  # type: ignore[arg-type]  # integers, never empty
    if programme.entered.is_empty():
        what = f"no unit of the panel is in the programme {name!r} by {programme.last}"
        raise StudyError(Finding("empty-programme", what, where, "leave the programme out, or correct its codes and years"), "study")
    return programme


def _units(panel: Panel) -> pl.Series:
    return panel.frame[panel.unit].unique(maintain_order=True).cast(pl.String).alias("unit")


def _of_register(panel: Panel, name: str) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """Units count from the year of their batch, wholly or partly covered alike."""
    from hinterland.data.policy import policy_register

    register = policy_register(name)
    entered = register.cohorts(timing="approval_year", partial="treat", uncertain="treat").table.select(
        adcode="unit", first="cohort", zone="zone"
    )
    here = match_cities(_units(panel)).rename({"name": "unit"}).join(entered, on="adcode", how="inner", maintain_order="left")
    late = (
        register.zones.filter(pl.col("precision") == LATEST)["zone_id"]
        if "precision" in register.zones.columns
        else pl.Series([], dtype=pl.String)
    )
    return here.select("unit", "first"), tuple(here.filter(pl.col("zone").is_in(late.implode()))["unit"])


def _of_column(panel: Panel, column: str, where: str) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """From a column of first periods, constant within units, or from an indicator that is 1 from the first period on."""
    from hinterland.data.policy import registers

    if column not in panel.frame.columns:
        what = f"robustness.concurrent names {column!r}, which is neither a packaged register nor a column of the panel"
        remedy = did_you_mean(column, [*registers(), *panel.frame.columns])
        raise StudyError(Finding("unknown-programme", what, where, remedy), "study")
    values = panel.frame.select(unit=pl.col(panel.unit).cast(pl.String), time=panel.time, value=column)
    if not (values["value"].dtype.is_numeric() or values["value"].dtype == pl.Boolean):
        what = f"column {column!r} holds {values['value'].dtype}, not years or 0 and 1"
        raise StudyError(Finding("not-numeric", what, where, "name a column of first years, or of 0 and 1"), "study")
    values = values.with_columns(pl.col("value").cast(pl.Float64)).filter(pl.col("value").is_finite() & (pl.col("value") != 0))
    if values["value"].is_in([1.0]).all():
        return values.group_by("unit", maintain_order=True).agg(first=pl.col("time").min()), ()
    moving = (
        values.group_by("unit", maintain_order=True)
        .agg(pl.col("value").n_unique(), pl.col("value").first().alias("first"))
        .filter(pl.col("value") > 1)
    )
    broken = values.filter(pl.col("value") != pl.col("value").round())
    findings = []
    if moving.height:
        what = f"column {column!r} gives {moving.height} unit(s) several first years"
        findings.append(
            Finding(
                "varying-programme",
                what,
                f"{where}: {listed(moving['unit'].to_list(), 8)}",
                "give each unit one first year, or a column of 0 and 1",
            )
        )
    if broken.height:
        what = f"column {column!r} holds {broken['value'][0]:g}, which is no period"
        findings.append(Finding("bad-year", what, where, "give whole years, 0 or nothing for units that are not in the programme"))
    fail_if_any(findings, "study", StudyError)
    return values.group_by("unit", maintain_order=True).agg(first=pl.col("value").first().cast(pl.Int64)), ()


def _of_file(work: Workspace, entry: ConcurrentTable, where: str) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """Units of a file by code or by name, as the panel has them or as cities that are known; the earliest year of a unit counts."""
    from hinterland.data.readers import read_table

    table = read_table(work.path(str(entry.source)), encoding=entry.encoding, sheet=entry.sheet)
    wanted = [str(entry.unit), str(entry.first)]
    missing = [
        Finding("unknown-column", f"{entry.source} has no column {c!r}", where, did_you_mean(c, table.columns))
        for c in wanted
        if c not in table.columns
    ]
    fail_if_any(missing, "study", StudyError)
    listed_units = table.select(unit=pl.col(wanted[0]).cast(pl.String).str.strip_chars(), year=wanted[1]).drop_nulls("unit")
    years = listed_units["year"].cast(pl.Float64, strict=False)
    bad = listed_units.filter(years.is_null() | (years != years.round()))
    panel_units = _units(work.panel)
    matched = match_cities(listed_units["unit"])["adcode"]
    known = listed_units["unit"].is_in(panel_units.implode()) | matched.is_not_null()
    findings = []
    if not known.all():
        lost = listed_units.filter(~known)["unit"].unique(maintain_order=True).to_list()
        what = f"{entry.source} names {len(lost)} unit(s) that are neither in the panel nor known as cities: {listed(lost, 12)}"
        findings.append(Finding("unknown-unit", what, f"{where}, column {wanted[0]!r}", "correct the codes or names, or take the rows out"))
    if bad.height:
        what = f"{entry.source} has {bad.height} unit(s) without a whole year: {listed(bad['unit'].to_list(), 8)}"
        findings.append(Finding("bad-year", what, f"{where}, column {wanted[1]!r}", "give each unit the year in which it entered"))
    fail_if_any(findings, "study", StudyError)
    here = match_cities(panel_units).rename({"name": "unit", "adcode": "code"}).select("unit", "code")
    entered = listed_units.with_columns(matched.alias("code"), years.cast(pl.Int64).alias("first"))
    by_code = here.drop_nulls("code").join(entered.drop_nulls("code").select("code", "first"), on="code", how="inner")
    by_name = here.join(entered.select("unit", "first"), on="unit", how="inner")
    both = pl.concat([by_code.select("unit", "first"), by_name.select("unit", "first")])
    return both.group_by("unit", maintain_order=True).agg(pl.col("first").min()), ()
