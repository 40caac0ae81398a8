"""A problem of cities as a problem of their pools: amounts are summed, costs and rates are means weighted by capacity, growth of demand by demand.

Some regions may be kept apart, so that one province is seen city by city and the rest of the nation as provinces.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from hinterland.errors import Finding, InputError, listed
from hinterland.plan.defaults import with_defaults
from hinterland.plan.problem import Problem

Floats = NDArray[np.float64]
Positions = NDArray[np.int64]

SUMMED = frozenset(
    {
        "population", "enclave_limit", "limit", "labour", "stock", "budget", "levy", "job_floor", "investment_limit",
        "capacity", "absorption", "capacity_limit", "greenfield_limit", "demand", "imports", "import_limit",
        "observed_capacity", "observed_greenfield", "observed_move",
    }
)  # fmt: skip
"""Parameters that are amounts: those of a pool are the sums of its members', without limit where one member has none."""
FLAGS = frozenset({"source", "host", "backup_tested"})
_SIZES = ("step", "bend", "pair", "member")


@dataclass(frozen=True, slots=True, eq=False)
class Aggregation:
    """What became what.

    Attributes:
        problem: the aggregated problem.
        cell: [old cell] position of the new cell.
        arc: [old arc] position of the new arc; −1 where it leads to where it came from.
    """

    problem: Problem
    cell: Positions
    arc: Positions


def aggregated(problem: Problem, apart: NDArray[np.bool_] | None = None) -> Aggregation:
    """The problem of pools.

    Args:
        problem: with pools of regions.
        apart: [region] regions that stay themselves; none by default.

    Raises:
        InputError: the case has tables whose meaning depends on the size of a region: steps of size, agreements, roles, pairs.
    """
    _fail_if_sizes(problem)
    own = np.zeros(len(problem.index["region"]), dtype=bool) if apart is None else apart
    here = np.arange(len(own))
    region, regions = _places(np.where(own, here, problem.links["region.pool"]))
    at = problem.links["cell.region"]
    cell, cells = _places(np.where(own[at], np.arange(len(at)), problem.links["cell.pool"]))
    index = {**problem.index, "region": problem.index["region"][regions], "cell": problem.index["cell"][cells]}
    links = {**problem.links, "cell.region": region[at[cells]], "cell.industry": problem.links["cell.industry"][cells]}
    links |= {"region.pool": region[problem.links["region.pool"][regions]], "cell.pool": cell[problem.links["cell.pool"][cells]]}
    links |= {k: cell[problem.links[k]] for k in ("input.supply", "input.user", "route.origin", "route.destination", "sale.cell")}
    arc, ends = _arcs(problem, cell)
    index["arc"] = pd.RangeIndex(len(ends), name="arc")
    links |= {"arc.source": ends[:, 0], "arc.host": ends[:, 1], "arc.enclave": np.full(len(ends), -1)}
    weight = problem["capacity"].values
    maps = {"cell": (cell, weight), "region": (region, np.bincount(at, weights=weight, minlength=len(own)))}
    maps["arc"] = (arc, weight[problem.links["arc.source"]])
    data = {name: _joined(name, values, maps, index) for name, values in problem.data.items()}
    growing = {"cell": (cell, problem["demand"].transpose("cell", "year").values[:, 0])}
    data["demand_growth"] = _joined("demand_growth", problem["demand_growth"], growing, index)
    made = with_defaults(replace(problem, index=index, links=links, data=data))
    return Aggregation(made, cell, arc)


def _places(becomes: Positions) -> tuple[Positions, Positions]:
    """[old] position of what each becomes among those that stay; [new] where those were."""
    stay = np.unique(becomes)
    return np.searchsorted(stay, becomes), stay


def _arcs(problem: Problem, cell: Positions) -> tuple[Positions, Positions]:
    source, host = (cell[problem.links[f"arc.{e}"]] for e in ("source", "host"))
    code = np.where(source == host, -1, source * (cell.max(initial=0) + 1) + host)
    kinds, first, at = np.unique(code, return_index=True, return_inverse=True)
    away = int((kinds < 0).sum())
    ends = np.column_stack([source[first], host[first]])[away:]
    return at - away, ends


def _joined(name: str, array: xr.DataArray, maps: Mapping[str, tuple[Positions, Floats]], index: Mapping[str, pd.Index]) -> xr.DataArray:
    """One parameter of the new problem."""
    dim = next((d for d in array.dims if d in maps), None)
    if dim is None:
        return array
    (to, weight), axis = maps[str(dim)], array.dims.index(dim)
    values = np.moveaxis(array.values, axis, 0)[to >= 0]
    to, weight = to[to >= 0], weight[to >= 0]
    n = len(index[str(dim)])
    if name in FLAGS:
        out = np.zeros((n, *values.shape[1:]), dtype=bool)
        np.logical_or.at(out, to, values.astype(bool))
    else:
        out = _summed(values, to, n) if name in SUMMED else _mean(values, to, weight, n)
    coords = {d: index[str(d)] for d in array.dims}
    return xr.DataArray(np.moveaxis(out, 0, axis), dims=array.dims, coords=coords)


def _summed(values: Floats, to: Positions, n: int) -> Floats:
    out = np.zeros((n, *values.shape[1:]))
    np.add.at(out, to, values)
    return out


def _mean(values: Floats, to: Positions, weight: Floats, n: int) -> Floats:
    """Weighted mean; the plain one where no member has weight."""
    total = np.bincount(to, weights=weight, minlength=n)
    share = np.where(total[to] > 0, weight / np.where(total[to] > 0, total[to], 1.0), 1.0 / np.bincount(to, minlength=n)[to])
    return _summed(values * share.reshape(-1, *([1] * (values.ndim - 1))), to, n)


def _fail_if_sizes(problem: Problem) -> None:
    have = [d for d in _SIZES if len(problem.index[d])]
    have += ["agreement"] if len(problem.index["enclave"]) else []
    if have:
        what = f"the case has {listed(have)}, which mean something else for a pool than for its members"
        raise InputError(Finding("not-for-pools", what, "the case", "leave the tables out, or plan with all regions at once"), "the pools")
