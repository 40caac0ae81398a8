"""``[measure]``: one table per indicator that is computed from raw inputs, under a name of one's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, StrictFloat, StrictInt, WithJsonSchema
from pydantic_core import PydanticCustomError

from hinterland.errors import did_you_mean
from hinterland.measure.register import INDICATORS
from hinterland.study.fields import Names, Table, Value, Words


def _known_indicator(value: str) -> str:
    if value not in INDICATORS:
        raise PydanticCustomError("unknown_indicator", "{hint}", {"hint": did_you_mean(value, INDICATORS)})
    return value


def _as_mapping(value: Any) -> Any:
    """Names of columns as a mapping of each to itself."""
    if isinstance(value, str):
        return {value: value}
    if isinstance(value, tuple) and all(isinstance(v, str) for v in value):
        return {v: v for v in value}
    return value


IndicatorId = Annotated[str, AfterValidator(_known_indicator), WithJsonSchema({"enum": sorted(INDICATORS)})]
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


class MeasureJoinTable(Table):
    """Columns of a further table, joined to the source before anything is measured."""

    source: str = Field(description="A file, world:NAME, or measure:NAME (its values).")
    on: Columns = Field(description='Columns in which rows meet: names, or { theirs = "ours" }.')
    columns: Columns = Field(description='The columns to take: names, or { theirs = "ours" }; a measure\'s values are its column value.')
    where: str | None = Field(default=None, description="Only the rows for which this expression is true.")


class MeasureTable(Table):
    """One indicator: from which table, with which columns and choices, and what becomes of it."""

    indicator: IndicatorId = Field(description="Its id in the catalogue (`hinterland explain` lists all).")
    source: str = Field(
        description='The raw table: a file, relative to --data or to the study file; "world:NAME" (an input of the simulated world); "panel" (the panel\'s own columns); "measure:NAME" (the values of a measure above).'
    )
    columns: Mapping[str, str] = Field(description='Which column has which role: { region = "city", industry = "sector", value = "jobs" }.')
    parameters: Mapping[str, Value] = Field(
        default_factory=dict, description="Choices of the formula; a parameter that is a table is named as sources are."
    )
    join: tuple[MeasureJoinTable, ...] = Field(default=(), description="Columns of further tables.")
    rename: Mapping[str, str] = Field(default_factory=dict, description='New names of the source\'s columns: { old = "new" }.')
    where: str | None = Field(
        default=None, description="Only the rows for which this expression is true, in the language of [panel.derive]."
    )
    derive: Mapping[str, str] = Field(default_factory=dict, description='New columns of the table by expressions: jobs = "a + b".')
    encoding: str | None = Field(default=None, description="Text encoding of a CSV file; found by itself by default.")
    sheet: str | int | None = Field(default=None, description="Sheet of a workbook, by name or by number from 0.")
    missing: Names = Field(default=(), description="Further marks of a missing value.")
    suppressed: Names = Field(default=(), description="Marks of a value that is withheld.")
    state: str | None = Field(default=None, description="Column that says observed, missing or suppressed of each row.")
    complete: bool = Field(default=False, description="The table lists every cell that is not zero: an absent row is a true zero.")
    on_negative: Literal["raise", "nan"] = Field(
        default="raise", description="Negative numbers where there can be none: an error, or counted as missing."
    )
    min_coverage: StrictFloat | StrictInt = Field(
        default=0.0, ge=0, le=1, description="Values of which a smaller share of the cells is known are taken out."
    )
    component: str | None = Field(
        default=None, description="Of an indicator of several numbers: the one that leads, and becomes the column."
    )
    select: Mapping[str, str | int] = Field(
        default_factory=dict, description='The values that become the column, by their keys: { industry = "manufacturing" }.'
    )
    column: str | None = Field(default=None, description="Make this column of the panel from the values; none by default.")
    region: str | None = Field(
        default=None, description="Column of the panel whose values are the regions, for values of provinces; the unit by default."
    )
    label: Words | None = Field(default=None, description='What it is called in the report: one text, or { en = "…", zh = "…" }.')
    boundaries: str | None = Field(
        default=None, description="GeoJSON file of the regions' boundaries, for its map; without one, places are shown as points or tiles."
    )
    boundary_key: str = Field(default="code", description="Property of the boundaries that holds the region's code or name.")
