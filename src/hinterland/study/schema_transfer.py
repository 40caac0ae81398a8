"""``[transfer]``: the anatomy of industrial transfer, from a table of regions and industries and what is known beside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, StrictInt

from hinterland.study.fields import Names, Table, Words
from hinterland.study.schema_source import SourceTable

Years = Annotated[tuple[StrictInt, ...], Field(min_length=2)]


class InputOutputTable(Table):
    """A multi-regional input-output table of one year, read or estimated."""

    source: str = Field(description="Its file or folder.")
    layout: Literal["ceads", "icio", "wiod", "exiobase", "long"] = Field(description="How the file is laid out.")
    year: StrictInt | None = Field(default=None, description="Its year, where the file does not say it or has several.")
    sectors: Literal["as-written", "common"] = Field(
        default="as-written", description="common: the sectors that China's tables of 2002, 2007, 2012 and 2017 share."
    )
    estimate: bool = Field(
        default=False,
        description="The file has tables of single regions with margins of what they send and receive: estimate the flows between them.",
    )
    reference: StrictInt | None = Field(
        default=None,
        description="With estimate: the year, in the same file, whose shares complete margins that are net or hold trade with abroad (2002 and 2007 of China's provinces).",
    )
    deflators: str | None = Field(
        default=None,
        description="Table of region, year and value: price indices that bring this year to the prices of another (1 there); every row of a region by its own.",
    )
    prices: str | None = Field(default=None, description='With deflators: what the table is at then, such as "constant 2012".')


class TransferTable(SourceTable):
    """How much industry moved, of which kind, from where to where, in which mode, and what could come next."""

    columns: Mapping[str, str] = Field(
        description='Which column has which role: { region = "province", industry = "sector", time = "year", value = "revenue", labour = "jobs" }; output and capital where there are any.'
    )
    hosts: Names = Field(default=(), description="Regions asked about as hosts; all by default.")
    sources: Names = Field(default=(), description="Regions asked about as sources; all by default.")
    periods: Years | None = Field(default=None, description="Years between which periods are compared; first and last by default.")
    groups: str | None = Field(
        default=None, description="Table of industry and group: kinds of industry; or factor-intensity, for divisions of GB/T 4754-2017."
    )
    flows: str | None = Field(
        default=None, description="Table of observed flows: source, host, value, and industry and time as in columns."
    )
    gravity: Names = Field(default=(), description="Columns of the flows that they are regressed on by Poisson pseudo-maximum likelihood.")
    places: str | None = Field(default=None, description="Table of region, lon and lat; or provinces, or cities, by code.")
    neighbours: str | None = Field(default=None, description="Table of region and other (and value); or provinces.")
    levels: str | None = Field(default=None, description="Table of region and value: development, such as ln GDP per head.")
    wages: str | None = Field(default=None, description="Table of region and value.")
    same_unit: bool = Field(
        default=False, description="The flows are in the unit of the value, so that arrivals can be set against what the host had."
    )
    zones: str | None = Field(
        default=None, description="Table of region and value: part of each region under a programme that undertakes transfer, 0 to 1."
    )
    conditions: str | None = Field(default=None, description="Table of region (and time) and indicators of what may hold hosts back.")
    dimensions: Mapping[str, Names] = Field(
        default_factory=dict,
        description='What the indicators of conditions measure: { talent = "graduates", environment = ["-dust"] }; a minus: less is better.',
    )
    strategic: str | None = Field(default=None, description="Table of industry (and region) and value: strategic importance, 0 to 1.")
    green: str | None = Field(default=None, description="Table of industry (and region) and value: how clean, 0 to 1.")
    planned: str | None = Field(default=None, description="Table of region and industry: what regions plan.")
    threatened: Names = Field(default=(), description="Regions whose supply may fail.")
    utilisation: str | None = Field(default=None, description="Table of region, industry, value (and ramp): share of capacity in use.")
    policies: Mapping[str, StrictInt] = Field(default_factory=dict, description="Policies and their first years, set beside breaks.")
    min_years: StrictInt = Field(
        default=15, ge=5, description="Series with fewer years are not searched for breaks; below 15 they describe and test nothing."
    )
    io: tuple[InputOutputTable, ...] = Field(default=(), description="Multi-regional input-output tables of one year or more.")
    complete: bool = Field(default=False, description="The table lists every cell that is not zero: an absent row is a true zero.")
    on_negative: Literal["raise", "nan"] = Field(
        default="raise", description="Negative numbers where there can be none: an error, or counted as missing."
    )
    boundaries: str | None = Field(
        default=None, description="GeoJSON file of the regions' boundaries, for the map of flows; tiles or points without one."
    )
    boundary_key: str = Field(default="code", description="Property of the boundaries that holds the region's code or name.")
    label: Words | None = Field(default=None, description="What the quantity is called in the report.")


TABLES = (
    "groups",
    "flows",
    "places",
    "neighbours",
    "levels",
    "wages",
    "zones",
    "conditions",
    "strategic",
    "green",
    "planned",
    "utilisation",
)
"""Keys that name a further table."""
