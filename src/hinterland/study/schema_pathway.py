"""What is asked about a plan beyond the plan itself: fronts, alternatives, sensitivity, scenarios, evidence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, StrictInt

from hinterland.plan.settings import Objective
from hinterland.study.fields import Names, Table

__all__ = [
    "AlternativesTable",
    "ColumnsTable",
    "EvidenceTable",
    "FrontTable",
    "RuleTable",
    "ScenarioTable",
    "SensitivityTable",
    "SolverTable",
]

Positive = Annotated[float, Field(gt=0)]


class SolverTable(Table):
    """How the plan is solved."""

    method: Literal["auto", "simplex", "ipx", "hipo"] = Field(
        default="auto", description="auto climbs a ladder of solvers, and the record says which answered; a name asks for that one only."
    )
    crossover: bool = Field(default=True, description="Bring an interior point to a vertex, so that small amounts do not stand for one.")
    time_limit: float = Field(default=3600.0, gt=0, description="Seconds for each attempt.")
    gap: float = Field(default=1e-3, gt=0, lt=1, description="Relative gap at which a plan with whole decisions is done.")
    threads: StrictInt = Field(default=0, ge=0, description="Threads of the solver; 0 lets it choose.")


class ColumnsTable(Table):
    """Column generation: a model with some of the moves, and a certificate for all of them."""

    hosts: Annotated[StrictInt, Field(ge=1)] = Field(
        default=3, description="How many hosts each source's industry has in the first model: those whose move costs least a year."
    )
    per_cell: Annotated[StrictInt, Field(ge=1)] = Field(
        default=4, description="How many moves from one cell may enter in a round, and how many to one cell."
    )
    batch: Annotated[StrictInt, Field(ge=1)] = Field(
        default=100_000, description="How many moves may enter in a round, where industries are planned together."
    )
    tolerance: float = Field(
        default=1e-6, gt=0, description="Below which size a negative reduced cost counts as none, per unit of yearly output moved."
    )
    gap: float = Field(default=1e-7, ge=0, lt=1, description="Relative distance of plan and bound at which the rounds end.")
    rounds: Annotated[StrictInt, Field(ge=1)] = Field(default=30, description="How often the model is solved at most.")
    apart: bool | None = Field(
        default=None,
        description="Whether industries are planned apart, at prices of what they share; by default where few rows tie them.",
    )


HOLD = "Leave whole decisions (agreements, steps of size) where the plan has them, so that all that is asked is linear: minutes instead of hours on large cases."


class FrontTable(Table):
    """The front of two or three objectives (AUGMECON2)."""

    objectives: tuple[Objective, ...] = Field(
        default=("cost", "emissions"), min_length=2, max_length=3, description="The first is made best, the others limited level by level."
    )
    points: Annotated[StrictInt, Field(ge=2, le=100)] = Field(
        default=8, description="Levels of each objective after the first, ends counted."
    )
    floors: Mapping[str, float] = Field(
        default_factory=dict, description="A value that another objective must reach: { value-added = 1e6 }."
    )
    hold: bool = Field(default=False, description=HOLD)


class AlternativesTable(Table):
    """Near-optimal alternatives: what every good plan has, none has, and what is free."""

    slack: tuple[Positive, ...] = Field(
        default=(0.05,), min_length=1, description="Parts of the least cost by which alternatives may be dearer."
    )
    groups: Names = Field(default=(), description="Groups or industries asked about; the case's groups by default.")
    year: StrictInt | None = Field(default=None, description="Year of the capacity; the last by default.")
    threshold: float = Field(default=0.5, gt=0, le=1, description="Part of what the best plan adds that all must add to be a must-have.")
    seconds: float | None = Field(
        default=None, gt=0, description="No further alternative is begun after them; the report says how many were not."
    )
    hold: bool = Field(default=False, description=HOLD)


class SensitivityTable(Table):
    """What the ranges of the case's table of provenance do to the plan."""

    exact: StrictInt | Names = Field(
        default=5,
        description="How many rows of provenance with the largest first-order effect are planned again at both ends; or names of parameters, or of parts: intensity:carbon.",
    )


class ScenarioTable(Table):
    """What may come."""

    name: str = Field(description="Name of the scenario.")
    probability: float = Field(gt=0, le=1, description="Its probability; those of all sum to 1.")
    factors: Mapping[str, float] = Field(default_factory=dict, description="Parameters and what multiplies them: { final_demand = 0.9 }.")
    withdrawal: StrictInt | None = Field(default=None, description="Year from which no support is paid any more.")


class RuleTable(Table):
    """How an estimated effect acts on a parameter of the plan."""

    target: Literal["uptake", "productivity", "agglomeration", "operating-cost"] = Field(description="What it acts on.")
    elasticity: float = Field(ge=0, description="Per cent of the parameter for one per cent of the outcome.")
    low: float = Field(ge=0, description="Lower end of its range.")
    high: float = Field(ge=0, description="Upper end of its range.")
    basis: Literal["estimated", "derived", "illustrative"] = Field(description="What the elasticity rests on.")
    source: str = Field(description="Where it is from, or that it is assumed.")
    through: str = Field(default="", description="Mediator whose share of the effect acts; the whole effect without one.")


class EvidenceTable(Table):
    """Estimates that calibrate the plan: of this study, or of a run that is on record."""

    record: str = Field(default="this", description="Folder of a run with the estimates; this: those of the same study, evaluated first.")
    outcome: str = Field(description="Outcome whose effect acts.")
    moderator: str | None = Field(
        default=None, description="Moderator by which the effect differs between hosts; needs segmentation of regions."
    )
    mediators: Names = Field(default=(), description="Mediators whose shares of the effect are taken.")
    unit: Literal["log-points"] | None = Field(default=None, description="Unit of the effect, where the outcome's name does not say it.")
    level: Literal["headline", "line"] = Field(default="headline", description="With a moderator: whose effect at its centre.")
    weak: Literal["leave-out", "shrink", "use"] = Field(
        default="leave-out",
        description="What becomes of evidence that the record calls weak: left out, shrunk towards zero, or used all the same.",
    )
    rule: tuple[RuleTable, ...] = Field(min_length=1, description="How the effect acts on parameters.")
    draws: StrictInt = Field(
        default=0, ge=0, description="Plans for draws of the estimates, for intervals that come from them; 0 makes none."
    )
    elasticities: Literal["fixed", "range"] = Field(
        default="fixed", description="Whether draws vary the elasticities within their ranges too."
    )
