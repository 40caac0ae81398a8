"""A problem with one parameter multiplied, and everything that follows from it.

Beyond :mod:`hinterland.plan.changes` it carries what the cost of moves follows from, where the case does not give that cost, and leaves the schema's range.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

import numpy as np

from hinterland.data.globe import haversine_km
from hinterland.plan.changes import CONSUMED, Change, multiplied, where
from hinterland.plan.problem import Problem
from hinterland.plan.program import Floats
from hinterland.plan.schema import parameters

Scalable = Literal["scaled", "not-a-parameter", "not-a-number", "absent"]
Of = Mapping[str, tuple[str, ...]]
WHOLE: Of = MappingProxyType({})
"""The whole parameter: no label is named."""


def scalable(problem: Problem, name: str, of: Of = WHOLE) -> Scalable:
    """Whether a parameter can be multiplied: it must exist, be a number that need not be whole, and have a value other than 0 (of the labels ``of``)."""
    spec = parameters().get(name)
    if spec is None:
        return "not-a-parameter"
    if spec.kind != "number":
        return "not-a-number"
    if name not in problem:
        return "absent"
    values = _values(problem, name, of)
    return "scaled" if bool((np.isfinite(values) & (values != 0)).any()) else "absent"


def scaled(problem: Problem, name: str, factor: float, of: Of = WHOLE) -> Problem:
    """The problem with every value of the parameter, or those of some labels, multiplied by ``factor``; values may leave the range of the schema.

    Args:
        problem: the case.
        name: of a parameter that is :func:`scalable`.
        factor: 1 changes nothing.
        of: labels by the dimension of the parameter, such as ``{"resource": ("carbon",)}``; the whole parameter without any.
    """
    changed = multiplied(problem, [Change(name, factor, of=of)])
    if name not in CONSUMED:
        return changed
    given, old, new = problem["arc_cost"].values, arc_costs(problem), arc_costs(changed)
    cost = np.where(np.isclose(given, old, rtol=1e-12, atol=0.0), new, given)
    return changed.with_data(arc_cost=problem["arc_cost"].copy(data=cost))


def beyond(problem: Problem, name: str, factor: float, of: Of = WHOLE) -> bool:
    """Whether multiplying takes some value out of the range that the schema allows."""
    spec = parameters()[name]
    values = _values(problem, name, of)
    values = values[np.isfinite(values)] * factor
    low, high = spec.low, spec.high
    return bool((low is not None and (values < low).any()) or (high is not None and (values > high).any()))


def _values(problem: Problem, name: str, of: Of) -> Floats:
    """[n] the parameter's values of these labels."""
    return np.asarray(problem[name].values[where(problem, Change(name, 1.0, of=of)).values], dtype=float)


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
