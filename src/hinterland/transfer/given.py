"""Everything that an analysis was given, read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hinterland.transfer.bilateral import Records
from hinterland.transfer.chains import Chains
from hinterland.transfer.constraints import Constraints
from hinterland.transfer.gravity import Gravity
from hinterland.transfer.inputs import Cells
from hinterland.transfer.prospects import Plans

__all__ = ["Given"]


@dataclass(frozen=True, slots=True)
class Given:
    """The inputs of an analysis; ``None`` where one was not given.

    Attributes:
        cells: the main table;  records: observed flows;  gravity: their fitted equation;  chains: input-output tables.
        at: [R, 2] longitude and latitude of the regions;  neighbours: ``region, other, value``.
        levels, wages, zones, utilisation: tables as the caller gave them.
        planned: industries that hosts plan;  strategic, green: scores of candidates;  conditions: scored constraints.
        same_unit: whether observed flows are in the unit of the main table.
        policies: first year of each;  min_years: fewest years in which breaks are looked for.
        threatened: labels of regions.
    """

    cells: Cells
    records: Records | None = None
    gravity: Gravity | None = None
    chains: Chains | None = None
    at: NDArray[np.float64] | None = None
    neighbours: pl.DataFrame | None = None
    levels: Any = None
    wages: Any = None
    planned: Plans | None = None
    strategic: NDArray[np.float64] | None = None
    green: NDArray[np.float64] | None = None
    conditions: Constraints | None = None
    zones: Any = None
    same_unit: bool = False
    policies: Mapping[str, int] | None = None
    min_years: int = 15
    threatened: tuple[str, ...] | None = None
    utilisation: Any = None

    @property
    def has_gradient(self) -> bool:
        """Whether gradient coefficients can be computed."""
        return {"output", "labour"} <= set(self.cells.data.columns)
