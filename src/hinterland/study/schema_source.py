"""Raw tables of a study, and what is done to them before anything is measured: names, labels, joins, columns, exclusions, totals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema

from hinterland.study.fields import Names, Table, Words


def _as_mapping(value: Any) -> Any:
    """Names of columns as a mapping of each to itself."""
    if isinstance(value, str):
        return {value: value}
    if isinstance(value, tuple) and all(isinstance(v, str) for v in value):
        return {v: v for v in value}
    return value


Columns = Annotated[
    Mapping[str, str],
    BeforeValidator(_as_mapping),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string"},
                {"type": "array", "items": {"type": "string"}},
                {"type": "object", "additionalProperties": {"type": "string"}},
            ]
        }
    ),
]
"""Columns by name, or ``{ theirs = "ours" }``."""


class SourceJoinTable(Table):
    """Columns of a further table, joined to the source."""

    source: str = Field(description="A file, world:NAME, table:NAME, packaged:NAME (cities, provinces, …), or measure:NAME (its values).")
    on: Columns = Field(description='Columns in which rows meet: names, or { theirs = "ours" }.')
    columns: Columns = Field(description='The columns to take: names, or { theirs = "ours" }; a measure\'s values are its column value.')
    where: str | None = Field(default=None, description="Only the rows for which this expression is true.")


class ExcludeTable(Table):
    """Rows that are left out, with the reason, which the report shows beside how many they are and which."""

    reason: Words = Field(description='Why: one text, or { en = "…", zh = "…" }.')
    source: str | None = Field(default=None, description="A table that lists the rows: a file, table:NAME, packaged:NAME, or measure:NAME.")
    on: Columns = Field(
        default_factory=dict, description='With source: columns in which rows meet its rows: names, or { theirs = "ours" }.'
    )
    where: str | None = Field(default=None, description="The rows for which this expression is true; with source, only those of its rows.")


class TotalTable(Table):
    """One row for each group: sums of numbers."""

    by: Names = Field(description="Columns whose values make a group; they are kept.")
    sum: Columns = Field(
        description='Columns that are added up: names, or { old = "new" }. A missing cell is left out of its sum, and counted.'
    )


class SourceTable(Table):
    """A raw table and what is done to it, in this order: rename, recode, join, derive, where, exclude, total."""

    source: str = Field(
        description='The raw table: a file, relative to --data or to the study file; "world:NAME" (an input of the simulated world); "panel" (the panel\'s own columns); "table:NAME" (a table prepared under [table]); "packaged:NAME" (`hinterland data` lists them); "measure:NAME" (the values of a measure above).'
    )
    encoding: str | None = Field(default=None, description="Text encoding of a CSV file; found by itself by default.")
    sheet: str | int | None = Field(default=None, description="Sheet of a workbook, by name or by number from 0.")
    missing: Names = Field(default=(), description="Further marks of a missing value.")
    suppressed: Names = Field(default=(), description="Marks of a value that is withheld.")
    rename: Mapping[str, str] = Field(default_factory=dict, description='New names of the source\'s columns: { old = "new" }.')
    recode: Mapping[str, Mapping[str, str]] = Field(
        default_factory=dict, description='New labels in a column: { province = { xizang = "tibet" } }; others stay as they are.'
    )
    join: tuple[SourceJoinTable, ...] = Field(default=(), description="Columns of further tables.")
    unit: str | None = Field(
        default=None, description="Column of the unit, for lag, diff, growth, at and chain in expressions; needs time."
    )
    time: str | None = Field(default=None, description="Column of the period, for the same.")
    derive: Mapping[str, str] = Field(default_factory=dict, description='New columns of the table by expressions: jobs = "a + b".')
    where: str | None = Field(
        default=None, description="Only the rows for which this expression is true, in the language of [panel.derive]."
    )
    exclude: tuple[ExcludeTable, ...] = Field(default=(), description="Rows that are left out, each rule with its reason.")
    total: TotalTable | None = Field(default=None, description="One row for each group: sums of numbers.")
