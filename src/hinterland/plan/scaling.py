"""A problem with one parameter multiplied, and everything that follows from it."""

from __future__ import annotations

from typing import Literal

import numpy as np
import xarray as xr

from hinterland.data.globe import haversine_km
from hinterland.plan.algebra import column
from hinterland.plan.defaults import with_defaults
from hinterland.plan.problem import Problem
from hinterland.plan.program import Floats
from hinterland.plan.schema import parameters

Scalable = Literal["scaled", "not-a-parameter", "not-a-number", "absent"]

_OF_ARCS = ("relocation_cost", "relocation_per_1000km", "cost_factor")
"""Parameters that the cost of an arc follows from, where the case does not give it."""


def scalable(problem: Problem, name: str) -> Scalable:
    """Whether a parameter can be multiplied: it must exist, be a number that need not be whole, and have a value other than 0."""
    spec = parameters().get(name)
    if spec is None:
        return "not-a-parameter"
    if spec.kind != "number":
        return "not-a-number"
    if name not in problem:
        return "absent"
    values = problem[name].values
    return "scaled" if bool((np.isfinite(values) & (values != 0)).any()) else "absent"


def scaled(problem: Problem, name: str, factor: float) -> Problem:
    """The problem with every value of the parameter multiplied by ``factor``; values may leave the range of the schema.

    Args:
        problem: the case.
        name: of a parameter that is :func:`scalable`.
        factor: 1 changes nothing.
    """
    data: dict[str, xr.DataArray] = {name: problem[name] * factor}
    if name == "coefficient":
        data["value_added"] = _given_value_added(problem)
    if name in _OF_ARCS:
        old, new = arc_costs(problem), arc_costs(problem.with_data(**data))
        given = problem["arc_cost"].values
        data["arc_cost"] = problem["arc_cost"].copy(data=np.where(np.isclose(given, old, rtol=1e-12, atol=0.0), new, given))
    return with_defaults(problem.with_data(**data))


def beyond(problem: Problem, name: str, factor: float) -> bool:
    """Whether multiplying takes some value out of the range that the schema allows."""
    spec = parameters()[name]
    values = problem[name].values
    values = values[np.isfinite(values)] * factor
    low, high = spec.low, spec.high
    return bool((low is not None and (values < low).any()) or (high is not None and (values > high).any()))


def _given_value_added(problem: Problem) -> xr.DataArray:
    """Value added where it is not what inputs leave, so that what follows from the coefficients follows again."""
    taken = np.bincount(problem.links["input.user"], weights=problem["coefficient"].values, minlength=len(problem.index["cell"]))
    given = problem["value_added"]
    return given.where(abs(given - column(1.0 - taken[problem.links["cell.pool"]], problem.index["cell"])) > 1e-12)


def arc_costs(problem: Problem) -> Floats:
    """[arc] what a move costs where the case does not say: the industry's cost and the distance's, less or more under an agreement."""
    p = problem
    source, host, enclave = (p.links[f"arc.{n}"] for n in ("source", "host", "enclave"))
    industry = p.links["cell.industry"][source]
    at = np.radians(np.stack([p["lon"].values, p["lat"].values]))
    ends = (at[:, p.links["cell.region"][cell]] for cell in (source, host))
    thousands = np.nan_to_num(haversine_km(*ends)) / 1000.0
    cost = p["relocation_cost"].values[industry] + p["relocation_per_1000km"].values[industry] * thousands
    factors = np.append(p["cost_factor"].values, 1.0)
    return np.asarray(cost * factors[enclave])
