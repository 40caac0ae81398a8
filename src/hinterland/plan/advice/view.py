"""A plan seen by host, phase and group: what every frame of advice is summed from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl

from hinterland.plan.frames import labelled
from hinterland.plan.problem import Problem
from hinterland.plan.result import Plan

NOISE = 1e-6
"""Amounts below this part of the largest of their column are rounding of the solver."""


@dataclass(frozen=True)
class View:
    """A plan with its phases, hosts and groups as frames. Money and capacity are in 100 million yuan."""

    plan: Plan

    @property
    def problem(self) -> Problem:
        """The problem of the plan."""
        return self.plan.problem

    @cached_property
    def years(self) -> pl.DataFrame:
        """``year``, ``phase``, ``observed``, ``weight``: every year, its phase and its discount factor."""
        p = self.problem
        phases = [p.phases[n] for n in p.links["year.phase"]]
        return pl.DataFrame({"year": p.years, "phase": phases, "observed": ~p.decided, "weight": p.weights.values})

    @cached_property
    def spans(self) -> pl.DataFrame:
        """``phase``, ``first_year``, ``last_year``, ``observed`` (all of its years), in the order of time."""
        return self.years.group_by("phase", maintain_order=True).agg(
            first_year=pl.col("year").min(), last_year=pl.col("year").max(), observed=pl.col("observed").all()
        )

    @cached_property
    def hosts(self) -> list[str]:
        """Regions that receive."""
        return self.regions_that("host")

    def regions_that(self, flag: str) -> list[str]:
        """Regions that carry a flag."""
        return [str(r) for r in self.problem.index["region"][self.problem[flag].values.astype(bool)]]

    @cached_property
    def groups(self) -> pl.DataFrame:
        """``group``, ``industry``, in the order of the case."""
        return self.problem.text["group"].select(pl.col("group", "industry").cast(pl.String))

    @cached_property
    def cells(self) -> pl.DataFrame:
        """The plan's capacity with ``phase`` and ``observed``, and capacity of the year before (``before``) in each cell."""
        start = self.of("capacity").rename({"value": "start"})
        frame = self.plan.capacity.join(self.years, on="year", how="left").join(start, on=["region", "industry"], how="left")
        frame = frame.sort("region", "industry", "year")
        earlier = pl.col("capacity").shift(1).over("region", "industry")
        return tidied(frame.with_columns(before=pl.coalesce(earlier, "start")), ("arrivals", "departures", "greenfield", "output"))

    @cached_property
    def at_hosts(self) -> pl.DataFrame:
        """Cells of hosts."""
        return self.cells.filter(pl.col("region").is_in(self.hosts)).rename({"region": "host"})

    def of(self, name: str) -> pl.DataFrame:
        """A parameter as a frame: its labels (a cell as region and industry) and ``value``."""
        array = self.problem[name]
        return labelled(self.problem, [self.problem.index[str(d)] for d in array.dims], np.asarray(array.values, dtype=float))

    def of_cells(self, name: str) -> pl.DataFrame:
        """A parameter of regions or industries by cell: region, industry, further labels and ``value``."""
        array = self.problem.of_cells(name)
        return labelled(self.problem, [self.problem.index[str(d)] for d in array.dims], np.asarray(array.values, dtype=float))

    @cached_property
    def jobs(self) -> pl.DataFrame:
        """``region``, ``industry``, ``year``, ``jobs``: people of every skill that a unit of output employs, 10 thousand per 100 million yuan."""
        if not len(self.problem.index["skill"]):
            return pl.DataFrame(schema={"region": pl.String, "industry": pl.String, "year": pl.Int64, "jobs": pl.Float64})
        return self.of("staffing").group_by("region", "industry", "year").agg(jobs=pl.col("value").sum())


def tidied(frame: pl.DataFrame, columns: Sequence[str]) -> pl.DataFrame:
    """The frame with amounts that are rounding of the solver as 0."""
    exprs = []
    for name in columns:
        largest = frame[name].abs().max() if frame.height else None
        size = NOISE * max(1.0, float(largest or 0.0))  # type: ignore[arg-type]
        exprs.append(pl.when(pl.col(name).abs() > size).then(pl.col(name)).otherwise(0.0).alias(name))
    return frame.with_columns(exprs)


def leveled(frame: pl.DataFrame, groups: pl.DataFrame) -> pl.DataFrame:
    """Rows by industry three times over: as they are, by each group that the industry is in, and for all; ``level`` says which."""
    text = pl.String
    by_industry = frame.with_columns(level=pl.lit("industry"), group=pl.lit(None, dtype=text))
    by_group = frame.join(groups, on="industry", how="inner").with_columns(level=pl.lit("group"), industry=pl.lit(None, dtype=text))
    whole = frame.with_columns(level=pl.lit("all"), group=pl.lit(None, dtype=text), industry=pl.lit(None, dtype=text))
    columns = by_industry.columns
    return pl.concat([by_industry, by_group.select(columns), whole.select(columns)])
