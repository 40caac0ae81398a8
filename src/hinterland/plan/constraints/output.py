"""C3: output needs capacity."""

from __future__ import annotations

import numpy as np

from hinterland.plan.algebra import at_most, rows_where
from hinterland.plan.building import Building
from hinterland.plan.constraints.family import Family


def output(b: Building) -> None:
    r"""Output is no more than the part of capacity that can be used.

    Rows: cell × year
    Unit: 100m-yuan
    Formula: z_{rit} \le u_i K_{rit}
    Gives way: no
    """
    used = b["output"] - b.problem.of_cells("utilisation") * b["capacity"]
    b.require("output", used, "<=", 0, family="C3", unit="100m-yuan")


def capacity_limit(b: Building) -> None:
    r"""Capacity of a cell ends at its limit, where it has one.

    Rows: cell with a limit × decided year; years without one are free
    Unit: 100m-yuan
    Formula: K_{rit} \le \bar K_{rit}
    Gives way: over where what is there, or was decided before, is more
    """
    limit = b.problem["capacity_limit"].transpose("cell", "year").sel(year=b.open)
    where = np.isfinite(limit.values).any(axis=1)
    if where.any():
        cell = rows_where(where, b.cell)
        held = 1 * b["capacity"].sel(cell=cell, year=b.open)
        b.require("capacity_limit", held, "<=", at_most(limit.sel(cell=cell)), family="C3", unit="100m-yuan", typical=1.0)


FAMILY = Family("C3", "output", (output, capacity_limit), kept=True)
