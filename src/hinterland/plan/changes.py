"""Changes of a problem: parameters multiplied by a factor, everywhere or in some years, regions, industries; checked before they are made.

A change acts on a parameter of the schema, and all that follows from it (:mod:`hinterland.plan.defaults`) follows again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from hinterland.errors import Finding, InputError, did_you_mean, fail_if_any, listed
from hinterland.plan.defaults import left_by_inputs, with_defaults
from hinterland.plan.problem import Problem
from hinterland.plan.schema import parameters

__all__ = ["Change", "changed", "fail_if_bad_changes"]

CONSUMED: Mapping[str, str] = MappingProxyType(
    {"relocation_cost": "arc_cost", "relocation_per_1000km": "arc_cost", "cost_factor": "arc_cost"}
)
"""Parameters that nothing reads once a problem is made, and the one to change instead."""
ENDS: Mapping[str, str] = MappingProxyType(
    {
        "cell": "cell",
        "arc": "arc.host",
        "route": "route.destination",
        "sale": "sale.cell",
        "step": "step.cell",
        "bend": "bend.cell",
        "input": "input.user",
    }
)
"""The cell by which a label of a dimension belongs to a region and an industry: of moves the host's, of trade the destination's."""


@dataclass(frozen=True, slots=True)
class Change:
    """A parameter multiplied by a factor.

    Attributes:
        parameter: its name in the schema.
        factor: what it is multiplied by; 1 changes nothing.
        years, regions, industries: where; ``None`` is everywhere. Of moves the host's region counts, of trade the destination's.
        of: labels of the parameter's other dimensions, such as ``{"resource": ("carbon",)}``.
    """

    parameter: str
    factor: float
    years: tuple[int, ...] | None = None
    regions: tuple[str, ...] | None = None
    industries: tuple[str, ...] | None = None
    of: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def first(self) -> int | None:
        """The first year in which it makes a difference; ``None`` where it does from the start."""
        return None if self.years is None else min(self.years)

    @property
    def scope(self) -> tuple[object, ...]:
        """Everything but the factor, to compare and to sort by."""
        others = tuple(sorted((d, tuple(v)) for d, v in self.of.items()))
        return (self.parameter, self.years or (), self.regions or (), self.industries or (), others)

    def __str__(self) -> str:
        parts = [f"{n} {listed(v, 3)}" for n, v in (("years", self.years), ("regions", self.regions), ("industries", self.industries)) if v]
        parts += [f"{d} {listed(v, 3)}" for d, v in self.of.items()]
        return f"{self.parameter} × {self.factor:g}" + (f" ({', '.join(parts)})" if parts else "")


def as_changes(given: Mapping[str, float] | Iterable[Change]) -> tuple[Change, ...]:
    """Changes as a tuple; a mapping from parameters to factors changes each everywhere."""
    if isinstance(given, Mapping):
        return tuple(Change(str(name), float(factor)) for name, factor in given.items())
    return tuple(given)


def changed(problem: Problem, changes: Mapping[str, float] | Iterable[Change]) -> Problem:
    """The problem with parameters multiplied, and what follows from them.

    Raises:
        InputError: parameters, labels or factors that make no sense, or changes that change nothing.
    """
    asked = as_changes(changes)
    fail_if_bad_changes(problem, asked, "argument changes")
    return multiplied(problem, asked)


def multiplied(problem: Problem, changes: Sequence[Change]) -> Problem:
    """The same without checks."""
    if not changes:
        return problem
    data = dict(problem.data)
    for change in changes:
        array = data[change.parameter]
        data[change.parameter] = array.where(~where(problem, change), array * change.factor)
    if any(c.parameter == "coefficient" for c in changes):
        data["value_added"] = _given_value_added(problem)
    return with_defaults(problem.with_data(**data))


def _given_value_added(problem: Problem) -> xr.DataArray:
    """Value added where it is not what inputs leave: what follows from coefficients shall follow again."""
    return problem["value_added"].where(abs(problem["value_added"] - left_by_inputs(problem)) > 1e-12)


def where(problem: Problem, change: Change) -> xr.DataArray:
    """Where a change acts: true by label of the parameter's dimensions."""
    array = problem[change.parameter]
    out = xr.ones_like(array, dtype=bool)
    for dim in map(str, array.dims):
        out = out & xr.DataArray(_labels(problem, dim, change), dims=[dim], coords={dim: array.indexes[dim]})
    return out


def _labels(problem: Problem, dim: str, change: Change) -> NDArray[np.bool_]:
    """[dim] the labels of one dimension that a change means."""
    index = problem.index[dim]
    inside = np.ones(len(index), dtype=bool)
    if dim in change.of:
        inside &= np.asarray(index.isin([_like(index, v) for v in change.of[dim]]))
    if dim == "year" and change.years is not None:
        inside &= np.asarray(index.isin(change.years))
    for name, asked in (("region", change.regions), ("industry", change.industries)):
        at = _position(problem, dim, name)
        if asked is not None and at is not None:
            inside &= np.isin(at, problem.index[name].get_indexer(list(asked)))
    return inside


def _like(index: pd.Index[Any], value: object) -> object:
    """A label as the index has it: numbers where it has numbers."""
    return int(str(value)) if pd.api.types.is_integer_dtype(index.dtype) else value


def _position(problem: Problem, dim: str, name: str) -> NDArray[np.int64] | None:
    """[dim] region or industry that each label belongs to; ``None`` where it belongs to none."""
    if dim == name:
        return np.arange(len(problem.index[dim]))
    if dim in ENDS:
        cell = np.arange(len(problem.index["cell"])) if dim == "cell" else problem.links[ENDS[dim]]
        return problem.links[f"cell.{name}"][cell]
    if dim == "enclave" and name == "region":
        return problem.links["enclave.host"]
    return None


def fail_if_bad_changes(problem: Problem, changes: Sequence[Change], where_: str) -> None:
    """Every problem of the changes at once.

    Raises:
        InputError: as in :func:`changed`.
    """
    fail_if_any([f for c in changes for f in findings_of(problem, c, where_)], "the changes", InputError)


def findings_of(problem: Problem, change: Change, where_: str) -> list[Finding]:
    """What is wrong with one change."""
    name, place = change.parameter, f"{where_}, {change}"
    numbers = [p.name for p in parameters().values() if p.kind == "number" and p.name in problem and p.name not in CONSUMED]
    if name in CONSUMED:
        what = f"{name} is used up when the problem is read: to change it later changes nothing"
        return [Finding("consumed-parameter", what, place, f"change {CONSUMED[name]!r} instead")]
    if name not in numbers:
        return [Finding("unknown-parameter", f"there is no number {name!r} to multiply", place, did_you_mean(name, numbers))]
    out = [*_scope_findings(problem, change, place)]
    if not np.isfinite(change.factor) or change.factor < 0:
        out.append(Finding("bad-factor", f"the factor is {change.factor:g}", place, "give a number that is 0 or more"))
    if not out:
        inside = problem[name].values[where(problem, change).values]
        if not (np.isfinite(inside) & (inside != 0)).any():
            out.append(Finding("changes-nothing", f"{name} is 0 or not given there", place, "give it in the case, or remove the change"))
    return out


def _scope_findings(problem: Problem, change: Change, place: str) -> list[Finding]:
    """Labels that are not there, and dimensions that the parameter does not have."""
    dims = [str(d) for d in problem[change.parameter].dims]
    asked: dict[str, Sequence[object]] = dict(change.of)
    asked |= {d: v for d, v in (("year", change.years), ("region", change.regions), ("industry", change.industries)) if v is not None}
    out = []
    for dim, labels in asked.items():
        has = dim in dims or any(dim in ("region", "industry") and _position(problem, d, dim) is not None for d in dims)
        if not has:
            what = f"{change.parameter} does not vary by {dim}"
            out.append(Finding("key-too-many", what, place, f"leave {dim} out; it varies by {listed(dims)}"))
            continue
        known = {str(k) for k in problem.index[dim]}
        lost = [v for v in labels if str(v) not in known]
        if lost or not labels:
            what = f"there is no {dim} {listed(lost)}" if lost else f"no {dim} is named"
            remedy = did_you_mean(str(lost[0]), sorted(known)) if lost else "name one, or leave it out"
            out.append(Finding("unknown-label", what, place, remedy))
    return out
