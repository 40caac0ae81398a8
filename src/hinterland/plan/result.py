"""The noun that planning gives: a plan, with how it was found, what binds it, and what it falls short of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from hinterland.labels import Language, Note
from hinterland.plan.model import Model
from hinterland.plan.problem import Problem
from hinterland.plan.solve import Solution, Status

__all__ = ["Plan"]


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """A pathway: which industry, from where to where, when, with what support.

    Money is in 100 million yuan at the case's prices; capacity is gross output that can be made in a year.

    Attributes:
        status: ``optimal``, ``feasible`` where a time limit came first, or ``infeasible``.
        gap: relative distance of the objective from the best bound; 0 where it is proven.
        objective: what was aimed at.
        objectives: value, unit and direction of every objective that the case allows, and of falling short.
        costs: discounted cost by what it pays for.
        flows: source, host, industry, enclave, year, value: capacity decided to move.
        capacity: region, industry, year: capacity, output, greenfield, arrivals, departures.
        trade: origin, destination, industry, year, value.
        abroad: region, industry, market, year: imports and exports; market is null for imports.
        support: region, industry, instrument, segment, year, value: support paid.
        infrastructure: region, kind, year: investment and service.
        people: region, skill, year: people, migrants, trained.
        resources: region, resource, year: used, banked.
        money: region, year: levy and compensation.
        enclaves: enclave, year: active, started, shared.
        sizes: region, industry, segment, year: filled and reached steps of agglomeration.
        shortfalls: constraint, family, side, where and when, amount and unit: what the plan falls short of; empty where every constraint holds.
        duals: constraint, family, where and when, value: change of the objective per unit of the constraint's side; price is its size, per unit that is scarce.
        solver: attempts, version, threads, residuals checked without the solver.
        notes: what a reader must know.
        problem, model, solution: the data, the model and the vectors, for further work.
    """

    status: Status
    gap: float
    objective: str
    objectives: pl.DataFrame
    costs: pl.DataFrame
    flows: pl.DataFrame
    capacity: pl.DataFrame
    trade: pl.DataFrame
    abroad: pl.DataFrame
    support: pl.DataFrame
    infrastructure: pl.DataFrame
    people: pl.DataFrame
    resources: pl.DataFrame
    money: pl.DataFrame
    enclaves: pl.DataFrame
    sizes: pl.DataFrame
    shortfalls: pl.DataFrame
    duals: pl.DataFrame
    solver: Mapping[str, Any]
    notes: tuple[Note, ...]
    problem: Problem
    model: Model
    solution: Solution = field(repr=False)

    @property
    def tables(self) -> dict[str, pl.DataFrame]:
        """Every frame by the name of its table."""
        return {f"plan_{name}": getattr(self, name) for name in FRAMES}

    def explain(self, language: Language = "en") -> list[str]:
        """What binds the plan and what it falls short of, in sentences."""
        from hinterland.plan.words import sentences

        return sentences(self, language)

    def __repr__(self) -> str:
        value = self.objectives.filter(pl.col("objective") == self.objective)["value"]
        shown = f"{value[0]:.6g}" if len(value) else "none"
        moved = self.flows["value"].sum() if self.flows.height else 0.0
        return f"Plan({self.problem.settings.name}: {self.status}, {self.objective} {shown}, gap {self.gap:.1e}, moves {moved:.4g}, {self.shortfalls.height} shortfalls)"


FRAMES = (
    "objectives",
    "costs",
    "flows",
    "capacity",
    "trade",
    "abroad",
    "support",
    "infrastructure",
    "people",
    "resources",
    "money",
    "enclaves",
    "sizes",
    "shortfalls",
    "duals",
)
"""Frames of a plan that become tables of a record."""
