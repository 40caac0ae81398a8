"""Variables of the core: moves, new capacity, capacity, output, trade. Families add those that only they need."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from hinterland.plan.algebra import column, gathered, rows_where
from hinterland.plan.building import Building
from hinterland.plan.problem import Problem

MONEY = "100m-yuan"


def add_core(b: Building) -> None:
    """Moves by arc, what leaves and arrives by cell, new capacity, capacity, output, trade, imports, exports."""
    p, year = b.problem, b.year
    _moves(b)
    leave, arrive = rows_where(b.leaving, b.cell), rows_where(b.arriving, b.cell)
    b.variable("departures", leave, year, unit=MONEY, meaning="capacity that leaves the cell in the year")
    b.variable("arrivals", arrive, year, unit=MONEY, meaning="capacity that is decided to come to the cell in the year")
    low, high = _greenfield(b)
    b.variable("greenfield", b.cell, year, lower=low, upper=high, unit=MONEY, meaning="new capacity decided in the year")
    _capacity(b)
    b.variable("output", b.cell, year, unit=MONEY, meaning="gross output")
    if len(p.index["route"]):
        low, high = trade_bounds(b)
        b.variable("trade", p.index["route"], year, lower=low, upper=high, unit=MONEY, meaning="goods sent on the route")
    _abroad(b)


def lead_of(problem: Problem) -> np.ndarray:
    """[cell] years from decision to service: the industry's for hosts, none where capacity is renewed in place."""
    return np.asarray(np.where(problem.cells_where(region="host"), problem.of_cells("lead").values, 0).astype(np.int64))


def lead_of_cells(b: Building) -> np.ndarray:
    """[cell] the same of a model that is being built."""
    return lead_of(b.problem)


def in_time(b: Building, lead: np.ndarray) -> np.ndarray:
    """[n, year] whether a decision comes into service by the last year."""
    return np.asarray(np.arange(len(b.year))[None, :] + lead[:, None] < len(b.year))


def _moves(b: Building) -> None:
    """Moves are free in decided years, if they arrive in time; in observed years they are what was observed."""
    p = b.problem
    lead = lead_of_cells(b)[p.links["arc.host"]]
    free = in_time(b, lead) & p.decided[None, :]
    seen = np.where(p.decided[None, :], 0.0, p["observed_move"].values)
    index = (p.index["arc"], b.year)
    high = column(np.where(free, np.inf, seen), *index)
    b.variable("move", *index, lower=column(seen, *index), upper=high, unit=MONEY, meaning="capacity moved along the arc")


def _greenfield(b: Building) -> tuple[xr.DataArray, xr.DataArray]:
    """New capacity is free in decided years, if it comes into service in time; in observed years it is what was observed."""
    p = b.problem
    limit = np.where(np.isfinite(p["greenfield_limit"].values), p["greenfield_limit"].values, np.inf)
    decided = np.broadcast_to(p.decided[None, :], limit.shape)
    seen = p["observed_greenfield"].values
    high = np.where(in_time(b, lead_of_cells(b)), limit, 0.0)
    return column(np.where(decided, 0.0, seen), b.cell, b.year), column(np.where(decided, high, seen), b.cell, b.year)


def observed_capacity(b: Building) -> np.ndarray:
    """[cell, year] capacity of observed years; not a number where none was observed."""
    return np.where(b.problem.decided[None, :], np.nan, b.problem["observed_capacity"].values)


def _capacity(b: Building) -> None:
    """Capacity, fixed where it was observed; and the part of an observed change that wear, moves and new plants do not explain."""
    seen = observed_capacity(b)
    known = np.isfinite(seen)
    index = (b.cell, b.year)
    low, high = np.where(known, seen, 0.0), np.where(known, seen, np.inf)
    meaning = "gross output that can be made in the year"
    b.variable("capacity", *index, lower=column(low, *index), upper=column(high, *index), unit=MONEY, meaning=meaning)
    if not known.any():
        return
    year = rows_where(~b.problem.decided, b.year)
    free = np.where(known[:, ~b.problem.decided], np.inf, 0.0)
    index = (b.cell, year)
    meaning = "change of capacity that was observed, beyond wear, moves and new plants on record"
    b.variable("unexplained", *index, lower=column(-free, *index), upper=column(free, *index), unit=MONEY, meaning=meaning)


def trade_bounds(b: Building) -> tuple[xr.DataArray, xr.DataArray]:
    """[route, year] trade keeps to the pattern of the base year, grown with demand at its destination, by a margin that widens by phase."""
    p = b.problem
    route = p.index["route"]
    region = p.links["cell.region"][p.links["route.destination"]]
    usual = p["trade"] * gathered(p["trade_scale"], "region", region, route)
    margin = p.phase_of("trade_flexibility")
    new = p["new_trade"]
    fresh = new.where(new.notnull(), np.inf)
    low = (usual * (1 - margin)).clip(min=0.0)
    return low.transpose("route", "year"), (usual * (1 + margin) + fresh).transpose("route", "year")


def _abroad(b: Building) -> None:
    """Imports and exports along the pattern of the base year, within the margin of the phase; imports also up to a limit that is given."""
    p = b.problem
    cells = np.asarray((p["imports"].values > 0).any(axis=1) | np.isfinite(p["import_limit"].values).any(axis=1))
    if cells.any():
        index = rows_where(cells, b.cell)
        low, high = (side.sel(cell=index) for side in import_bounds(b))
        b.variable("imports", index, b.year, lower=low, upper=high, unit=MONEY, meaning="imports from abroad")
    if len(p.index["sale"]):
        b.variable("exports", p.index["sale"], b.year, unit=MONEY, meaning="exports to the market")


def import_bounds(b: Building) -> tuple[xr.DataArray, xr.DataArray]:
    """[cell, year] imports keep to those of the base year, grown with demand in the region, by the margin of the phase; a limit that is given goes before."""
    p = b.problem
    margin = p.phase_of("trade_flexibility")
    usual = p["imports"] * gathered(p["trade_scale"], "region", p.links["cell.region"], b.cell)
    high = p["import_limit"].where(p["import_limit"].notnull(), usual * (1 + margin))
    usual_low = usual * (1 - margin).clip(min=0.0)
    low = usual_low.where(usual_low < high, high)
    return low.transpose("cell", "year"), high.transpose("cell", "year")


def export_demand(b: Building) -> tuple[xr.DataArray, np.ndarray, pd.Index[Any]]:
    """[good, year] demand of each market for each industry; the good of each sale; labels of goods (market and industry)."""
    p = b.problem
    n = len(p.index["industry"])
    code = p.links["sale.market"] * n + p.links["cell.industry"][p.links["sale.cell"]]
    kinds, at = np.unique(code, return_inverse=True)
    first = np.bincount(at, weights=p["exports"].values, minlength=len(kinds))
    growth = p["market_growth"].transpose("market", "industry", "year").values[kinds // n, kinds % n]
    age = np.arange(len(b.year))
    names = [f"{p.index['market'][k // n]}/{p.index['industry'][k % n]}" for k in kinds]
    good = pd.Index(names, name="good", dtype=object)
    return column(first[:, None] * (1 + growth) ** age, good, b.year), at.astype(np.int64), good
