"""Arcs of a problem as arrays: what a move costs, when it may be decided, how much may leave; and the problem with some of its arcs only."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from hinterland.plan.costs import capital_charge
from hinterland.plan.problem import Problem
from hinterland.plan.variables import lead_of

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


def with_arcs(problem: Problem, keep: Mask) -> Problem:
    """The problem with the arcs of ``keep`` [arc] only, in their order."""
    at = np.flatnonzero(keep)
    index = pd.RangeIndex(len(at), name="arc")
    links = {name: v[at] if name.startswith("arc.") else v for name, v in problem.links.items()}
    data = {name: _taken(a, at, index) if "arc" in a.dims else a for name, a in problem.data.items()}
    return replace(problem, index={**problem.index, "arc": index}, links=links, data=data)


def _taken(array: xr.DataArray, at: NDArray[np.int64], index: pd.Index) -> xr.DataArray:
    axis = array.dims.index("arc")
    coords = {d: index if d == "arc" else array.indexes[d] for d in array.dims}
    return xr.DataArray(np.take(array.values, at, axis=axis), dims=array.dims, coords=coords)


def charge_of_moves(problem: Problem) -> Floats:
    """[cell, year] discounted user cost of a unit of capacity that is decided to come to the cell, per unit of what its move costs."""
    wear = problem.of_cells("depreciation").values
    return capital_charge(problem.weights.values, wear, lead_of(problem), problem.settings.discount)


def free_years(problem: Problem) -> Mask:
    """[cell, year] years in which a move to the cell may be decided: not observed, and early enough to arrive."""
    n = len(problem.years)
    return np.asarray((np.arange(n)[None, :] + lead_of(problem)[:, None] < n) & problem.decided[None, :])


def most_release(problem: Problem) -> Floats:
    """[cell, year] the most that may leave a cell in a year, 100m yuan.

    In decided years what C1 allows, infinite where that family is off; in observed years what was observed.
    """
    share = (problem["release_share_cell"] * problem["capacity"]).transpose("cell", "year").values
    seen = np.zeros_like(share)
    if not problem.decided.all():
        np.add.at(seen, problem.links["arc.source"], problem["observed_move"].values)
    return np.where(problem.decided[None, :], share if problem.has("C1") else np.inf, seen)
