"""``[measure]``: one table per indicator that is computed from raw inputs, under a name of one's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StrictFloat, StrictInt, WithJsonSchema
from pydantic_core import PydanticCustomError

from hinterland.errors import did_you_mean
from hinterland.measure.register import INDICATORS
from hinterland.study.fields import Value, Words
from hinterland.study.schema_source import SourceTable


def _known_indicator(value: str) -> str:
    if value not in INDICATORS:
        raise PydanticCustomError("unknown_indicator", "{hint}", {"hint": did_you_mean(value, INDICATORS)})
    return value


IndicatorId = Annotated[str, AfterValidator(_known_indicator), WithJsonSchema({"enum": sorted(INDICATORS)})]


class MeasureTable(SourceTable):
    """One indicator: from which table, with which columns and choices, and what becomes of it."""

    indicator: IndicatorId = Field(description="Its id in the catalogue (`hinterland explain` lists all).")
    columns: Mapping[str, str] = Field(description='Which column has which role: { region = "city", industry = "sector", value = "jobs" }.')
    parameters: Mapping[str, Value] = Field(
        default_factory=dict, description="Choices of the formula; a parameter that is a table is named as sources are."
    )
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
    years: tuple[StrictInt, StrictInt] | None = Field(
        default=None, description="First and last year that the report shows; the tables of the run have all."
    )
    label: Words | None = Field(default=None, description='What it is called in the report: one text, or { en = "…", zh = "…" }.')
    boundaries: str | None = Field(
        default=None, description="GeoJSON file of the regions' boundaries, for its map; without one, places are shown as points or tiles."
    )
    boundary_key: str = Field(default="code", description="Property of the boundaries that holds the region's code or name.")
