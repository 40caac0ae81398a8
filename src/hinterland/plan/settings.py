"""What a plan is asked for beside its tables: discounting, prices of falling short, and which families of constraints hold."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

FAMILIES = tuple(f"C{n}" for n in range(1, 23))
"""Identifiers of the families of constraints."""

Objective = Literal["cost", "value-added", "emissions", "resilience", "equity", "self-sufficiency"]
OBJECTIVES: tuple[Objective, ...] = ("cost", "value-added", "emissions", "resilience", "equity", "self-sufficiency")

_Share = Annotated[float, Field(ge=0, le=1)]
_Positive = Annotated[float, Field(gt=0)]


class Settings(BaseModel):
    """Choices of a planning problem.

    Money is in 100 million yuan at the prices named by ``prices``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(default="case", description="What the case is called.")
    prices: str = Field(default="constant prices", description="The prices that money is counted at.")
    discount: Annotated[float, Field(ge=0, lt=1, description="Discount rate per year.")] = 0.04
    penalty: _Positive = Field(
        default=20.0,
        description="Price of falling short of a constraint, per unit of output that would have to be given up (100m yuan per 100m yuan).",
    )
    public_funds: float = Field(default=0.2, ge=0, description="Welfare cost of a unit of public money beyond the unit itself.")
    continuity: float = Field(default=0.0, ge=0, description="Price of changing support from one year to the next, per unit of change.")
    transition: float = Field(default=0.0, ge=0, description="Support of a worker displaced at a source, 10k yuan per person.")
    emissions: str = Field(default="carbon", description="The resource that the objective of emissions counts.")
    off: tuple[str, ...] = Field(default=(), description="Families of constraints that are left out, such as C15.")
    roles: bool | tuple[str, ...] = Field(default=True, description="Whether spatial roles hold; or which of them.")
    similarity: Literal["base-sign", "exact"] = Field(
        default="base-sign",
        description="How differences of structure are required: keeping the signs of the first year (linear), or exactly (binary).",
    )
    objective: Objective = Field(default="cost", description="What the plan makes best.")


def discount_factors(settings: Settings, years: list[int]) -> list[float]:
    """Weight of each year: 1 in the first, less by the discount rate in each that follows."""
    return [(1 + settings.discount) ** -(y - years[0]) for y in years]
