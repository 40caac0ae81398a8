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
from hinterland.transfer.gravity import Gravity
from hinterland.transfer.inputs import Cells

__all__ = ["Given"]


@dataclass(frozen=True, slots=True)
class Given:
    """The inputs of an analysis; ``None`` where one was not given.

    Attributes:
        cells: the main table;  records: observed flows;  gravity: their fitted equation;  chains: input-output tables.
        at: [R, 2] longitude and latitude of the regions;  neighbours: ``region, other, value``.
        levels, wages, planned, utilisation: tables as the caller gave them.
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
    planned: Any = None
    policies: Mapping[str, int] | None = None
    min_years: int = 15
    threatened: tuple[str, ...] | None = None
    utilisation: Any = None

    @property
    def has_gradient(self) -> bool:
        """Whether gradient coefficients can be computed."""
        return {"output", "labour"} <= set(self.cells.data.columns)
