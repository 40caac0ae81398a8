"""The noun of planning: sets and parameters of one problem, labelled, checked and frozen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import xarray as xr
from numpy.typing import NDArray

from hinterland.errors import Finding
from hinterland.plan.settings import Settings

Positions = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """A planning problem.

    A *cell* is a region and an industry; an *arc* leads from a source's cell to a host's cell of the same industry; a *route* carries trade from one cell to
    another; an *input* says which cell uses which; a *sale* leads from a cell to an external market.

    Attributes:
        settings: choices beside the tables.
        index: labels of each dimension, in the order of every array; numbers for arcs, routes, inputs and sales.
        data: parameters by the names of :func:`hinterland.plan.schema.parameters`, with labelled dimensions; not a number where there is no limit.
        links: [n] positions that tie one dimension to another, such as ``arc.host`` to cells; −1 for none.
        text: tables of text by the name of their dimension: names of places and industries, groups, gates, roles.
        provenance: basis, source and range of parameters, one row for each that the case documents, or for each of its labels (column ``of``).
        findings: warnings of reading.
    """

    settings: Settings
    index: Mapping[str, pd.Index[Any]]
    data: Mapping[str, xr.DataArray]
    links: Mapping[str, Positions]
    text: Mapping[str, pl.DataFrame]
    provenance: pl.DataFrame
    findings: tuple[Finding, ...] = field(default=())

    def __getitem__(self, name: str) -> xr.DataArray:
        """The parameter ``name``."""
        return self.data[name]

    def __contains__(self, name: str) -> bool:
        return name in self.data

    @property
    def years(self) -> list[int]:
        """Every year, first to last."""
        return [int(y) for y in self.index["year"]]

    @property
    def decided(self) -> NDArray[np.bool_]:
        """[years] whether decisions of the year are free; those of observed years are fixed."""
        return np.asarray(~self.data["is_observed"].values.astype(bool))

    @property
    def weights(self) -> xr.DataArray:
        """[year] discount factors: 1 in the first year."""
        years = np.asarray(self.years)
        return xr.DataArray((1 + self.settings.discount) ** -(years - years[0]).astype(float), coords=[self.index["year"]])

    @property
    def phases(self) -> list[str]:
        """Names of the phases, in order."""
        return [str(p) for p in self.index["phase"]]

    def phase_of(self, name: str) -> xr.DataArray:
        """A parameter of phases, by year."""
        values = self.data[name].values[self.links["year.phase"]]
        return xr.DataArray(values, coords=[self.index["year"]])

    def phase_years(self, phase: str) -> list[int]:
        """The years of a phase."""
        at = self.phases.index(phase)
        return [y for y, p in zip(self.years, self.links["year.phase"], strict=True) if p == at]

    def of_cells(self, name: str) -> xr.DataArray:
        """A parameter of regions or industries (and further dimensions), by cell."""
        source = self.data[name]
        dim = "region" if "region" in source.dims else "industry"
        rest = tuple(d for d in source.dims if d != dim)
        values = source.transpose(dim, *rest).values[self.links[f"cell.{dim}"]]
        return xr.DataArray(values, dims=("cell", *rest), coords={"cell": self.index["cell"], **{d: self.index[str(d)] for d in rest}})

    def cells_where(self, region: str | None = None, industry: str | None = None) -> NDArray[np.bool_]:
        """[cell] cells whose region and industry carry these flags."""
        keep = np.ones(len(self.index["cell"]), dtype=bool)
        if region is not None:
            keep &= self.data[region].values.astype(bool)[self.links["cell.region"]]
        if industry is not None:
            keep &= self.data[industry].values.astype(bool)[self.links["cell.industry"]]
        return keep

    def members(self, group: str) -> NDArray[np.bool_]:
        """[industry] whether the industry is in the group; an industry's own name is a group of itself."""
        industries = self.index["industry"]
        if group in industries:
            return np.asarray(industries == group)
        table = self.text["group"].filter(pl.col("group") == group)
        return np.asarray(industries.isin(table["industry"].to_list()))

    def has(self, family: str) -> bool:
        """Whether a family of constraints is on."""
        return family not in self.settings.off

    def with_data(self, **changes: xr.DataArray) -> Problem:
        """The problem with some parameters replaced."""
        return replace(self, data={**self.data, **changes})

    def with_settings(self, **changes: object) -> Problem:
        """The problem with some choices replaced, checked again."""
        return replace(self, settings=Settings.model_validate({**self.settings.model_dump(), **changes}))

    def __repr__(self) -> str:
        n = {d: len(i) for d, i in self.index.items()}
        return (
            f"Problem({self.settings.name}: {n['region']} regions × {n['industry']} industries, {self.years[0]}–{self.years[-1]}, "
            f"{n['arc']} arcs, {n['route']} routes)"
        )
