"""``[plan]``: the planning case of a study, from a folder of tables, tables that the study prepares, and an input-output table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, StrictInt, WithJsonSchema

from hinterland.plan.settings import FAMILIES, Objective
from hinterland.study.fields import Names, Scalar, Table, Words
from hinterland.study.schema_pathway import (
    AlternativesTable,
    ColumnsTable,
    EvidenceTable,
    FrontTable,
    ScenarioTable,
    SensitivityTable,
    SolverTable,
)
from hinterland.study.schema_source import Columns
from hinterland.study.schema_transfer import InputOutputTable

__all__ = ["SETTINGS", "EconomyTable", "PlanSource", "PlanTable"]


class PlanSource(Table):
    """Where rows of one table of the case come from."""

    source: str = Field(description="A file, table:NAME, packaged:NAME, measure:NAME, or world:NAME.")
    columns: Columns = Field(default_factory=dict, description='The columns to take: names, or { theirs = "ours" }; all by default.')
    set: Mapping[str, Scalar] = Field(
        default_factory=dict, description='Columns with one value in all rows: { resource = "carbon", year = 2030 }.'
    )
    scale: Mapping[str, float] = Field(
        default_factory=dict, description="Columns (as the case calls them) times a number: { value = 1.03 }."
    )


def _as_sources(value: Any) -> Any:
    """One source, or several, as a tuple of tables."""
    several = value if isinstance(value, tuple) else (value,)
    return tuple({"source": v} if isinstance(v, str) else v for v in several)


_ONE: dict[str, Any] = {
    "anyOf": [
        {"type": "string"},
        {
            "type": "object",
            "properties": {"source": {"type": "string"}, "columns": {}, "set": {"type": "object"}, "scale": {"type": "object"}},
            "required": ["source"],
            "additionalProperties": False,
        },
    ]
}
Sources = Annotated[
    tuple[PlanSource, ...],
    BeforeValidator(_as_sources),
    Field(min_length=1),
    WithJsonSchema({"anyOf": [*_ONE["anyOf"], {"type": "array", "items": _ONE}]}),
]


class EconomyTable(InputOutputTable):
    """The base year of the case from a multi-regional input-output table: cells, inputs, demand, routes, imports and exports, in balance."""

    groups: str | None = Field(default=None, description="Table of sector and industry: sectors are merged before anything else.")
    unit: str | None = Field(default=None, description='What the table is measured in, where it does not say: "10k-yuan".')
    growth: str | None = Field(
        default=None, description="Table of region and value: output of the plan's first year over that of the table's, at constant prices."
    )
    routes: StrictInt = Field(default=8, ge=1, description="Origins kept for each destination and industry.")
    keep: Names = Field(default=(), description="Regions that keep as many destinations too, so that what is newly made there can be sold.")
    markets: Mapping[str, float] = Field(
        default_factory=dict, description="Share of exports that goes to each external market; one market, world, by default."
    )
    freight: str | None = Field(
        default=None,
        description="Table of industry and per_1000km: cost of carrying goods worth 1 over a thousand kilometres; needs lon and lat of regions.",
    )
    gateways: str | None = Field(
        default=None, description="Table of market, lon and lat: where goods for a market leave the country; with freight."
    )


class PlanTable(Table):
    """What is planned: tables of the case, and choices beside them."""

    case: str | None = Field(
        default=None,
        description="Folder of tables, one file each, and perhaps case.toml; in the data folder or beside the study. packaged:demonstration is the invented one that comes with the package.",
    )
    tables: Mapping[str, Sources] = Field(
        default_factory=dict,
        description='Further rows and columns of the case, by its tables: regions = "table:places". Of several sources, rows with the same keys become one row; none may give a value that another gives.',
    )
    economy: EconomyTable | None = Field(default=None, description="The base year from an input-output table.")
    units: Mapping[str, str] = Field(default_factory=dict, description='Units that are not the schema\'s: { wage = "yuan" }.')
    name: str | None = Field(default=None, description="What the case is called.")
    prices: str | None = Field(default=None, description='What money is at: "constant 2017".')
    discount: float | None = Field(default=None, ge=0, lt=1, description="Discount rate per year.")
    penalty: float | None = Field(
        default=None, gt=0, description="Price of falling short of a constraint, per unit of output that would have to be given up."
    )
    public_funds: float | None = Field(default=None, ge=0, description="Welfare cost of a unit of public money beyond the unit itself.")
    continuity: float | None = Field(
        default=None, ge=0, description="Price of changing support from one year to the next, per unit of change."
    )
    transition: float | None = Field(default=None, ge=0, description="Support of a worker displaced at a source, 10k yuan per person.")
    emissions: str | None = Field(default=None, description="The resource that the objective of emissions counts.")
    off: Names | None = Field(default=None, description=f"Families of constraints that are left out, of {FAMILIES[0]} to {FAMILIES[-1]}.")
    roles: bool | tuple[str, ...] | None = Field(default=None, description="Whether spatial roles hold; or which of them.")
    similarity: Literal["base-sign", "exact"] | None = Field(
        default=None, description="How differences of structure are required: keeping the signs of the first year (linear), or exactly."
    )
    objective: Objective | None = Field(default=None, description="What is made as small, or as large, as it can be.")

    pareto: FrontTable | None = Field(default=None, description="The front of objectives against each other.")
    alternatives: AlternativesTable | None = Field(default=None, description="Near-optimal alternatives.")
    sensitivity: SensitivityTable | None = Field(default=None, description="What the ranges of parameters do to the plan.")
    scenario: tuple[ScenarioTable, ...] = Field(
        default=(), description="What may come: the plan under uncertainty, and the value of policy continuity where some withdraw support."
    )
    evidence: EvidenceTable | None = Field(default=None, description="Estimates that calibrate the plan.")
    columns: ColumnsTable | None = Field(
        default=None, description="Plan with the moves that pay, where all are too many for one model, and price all others."
    )
    solver: SolverTable = Field(default_factory=SolverTable, description="How the plan is solved.")
    without_roles: bool = Field(
        default=True,
        description="Plan a second time without spatial roles, where there are any, so that the plan can contradict them.",
    )
    label: Words | None = Field(default=None, description="What the plan is called in the report.")

    @property
    def settings(self) -> dict[str, Any]:
        """The choices that were made, by the names of :class:`~hinterland.plan.settings.Settings`."""
        return {k: v for k in SETTINGS if (v := getattr(self, k)) is not None}


SETTINGS = (
    "name",
    "prices",
    "discount",
    "penalty",
    "public_funds",
    "continuity",
    "transition",
    "emissions",
    "off",
    "roles",
    "similarity",
    "objective",
)
"""Keys of ``[plan]`` that are settings of the planning problem."""
