"""What follows from what was given: value added from inputs, limits of phases by cell, demand that grows."""

from __future__ import annotations

import numpy as np
import xarray as xr

from hinterland.plan.algebra import column
from hinterland.plan.problem import Problem


def with_defaults(problem: Problem) -> Problem:
    """The problem with everything that follows from its tables."""
    p = problem
    years = np.arange(len(p.years), dtype=float)
    age = column(years, p.index["year"])
    data = {
        "value_added": _value_added(p),
        "release_share_cell": _by_cell(p["release_cell"], p.phase_of("release_share")),
        "final_demand": p["demand"] * (1 + p["demand_growth"]) ** age,
        "staffing": _staffing(p, age),
        "intensity_now": p["intensity"] * (1 - p["improvement"]) ** age,
    }
    p = p.with_data(**data)
    return p.with_data(
        use=_national_use(p, p["security_demand"]), emergency_use=_national_use(p, p["backup_demand"]), trade_scale=_scale(p)
    )


def _value_added(p: Problem) -> xr.DataArray:
    """What inputs leave of a unit of output, where the case does not say."""
    given = p["value_added"]
    return given.where(given.notnull(), left_by_inputs(p))


def left_by_inputs(p: Problem) -> xr.DataArray:
    """[cell] what inputs leave of a unit of output; regions of a pool use the inputs of its centre."""
    taken = np.bincount(p.links["input.user"], weights=p["coefficient"].values, minlength=len(p.index["cell"]))
    return column(1.0 - taken[p.links["cell.pool"]], p.index["cell"])


def _by_cell(given: xr.DataArray, of_phase: xr.DataArray) -> xr.DataArray:
    return given.where(given.notnull(), of_phase)


def _staffing(p: Problem, age: xr.DataArray) -> xr.DataArray:
    """People per unit of output by year: fewer as productivity grows."""
    return p["staff"] * (1 - p["productivity_growth"]) ** age


def _national_use(p: Problem, given: xr.DataArray) -> xr.DataArray:
    """[industry, year] national use: the capacity of the base year grown with final demand, where the case does not say."""
    n = len(p.index["industry"])
    at = p.links["cell.industry"]
    first = np.bincount(at, weights=p["capacity"].values * p["utilisation"].values[at], minlength=n)
    demand = np.stack([np.bincount(at, weights=c, minlength=n) for c in p["final_demand"].transpose("year", "cell").values], axis=1)
    growth = np.where(demand[:, :1] > 0, demand / np.where(demand[:, :1] > 0, demand[:, :1], 1.0), 1.0)
    return given.where(given.notnull(), column(first[:, None] * growth, p.index["industry"], p.index["year"]))


def _scale(p: Problem) -> xr.DataArray:
    """[region, year] size of the final demand of a region's pool against the first year: what trade into it follows."""
    n = len(p.index["region"])
    pool = p.links["region.pool"]
    at = pool[p.links["cell.region"]]
    demand = np.stack([np.bincount(at, weights=c, minlength=n) for c in p["final_demand"].transpose("year", "cell").values], axis=1)[pool]
    first = demand[:, :1]
    return column(np.where(first > 0, demand / np.where(first > 0, first, 1.0), 1.0), p.index["region"], p.index["year"])
