"""A model built again after some numbers changed: only what read them is made anew.

Every step of building (the variables of the core, each block of rows, each part of the cost, each objective) is watched: which numbers of the problem it reads,
and what it makes of them. Where a problem differs from one that was built in a few numbers only, the steps that read none of them would make the same again, so
that their arrays are taken over. Sets, flags, links and settings are not watched: where they differ, the whole model is built.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypedDict

import linopy
import numpy as np
import pandas as pd
import scipy.sparse as sp
import xarray as xr

from hinterland.plan.building import Block, Building, Column, Sign, Terms
from hinterland.plan.problem import Problem
from hinterland.plan.program import Floats, Program
from hinterland.plan.schema import parameters

if TYPE_CHECKING:
    from hinterland.plan.model import Model

Shape = tuple[int, ...]
Span = tuple[int, int, Shape]


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """What one step of building read and made.

    Attributes:
        name: of the step.
        make: what makes it.
        reads: names of the data that it read.
        seen: how many blocks of variables there were when it began.
        columns, rows: blocks that it added.
        costs, objectives: what it added to them.
        prices: of the slacks that it added.
    """

    name: str
    make: Callable[[Building], None]
    reads: frozenset[str]
    seen: int
    columns: tuple[str, ...]
    rows: tuple[str, ...]
    costs: tuple[tuple[str, Terms], ...]
    objectives: tuple[tuple[str, Terms], ...]
    prices: Mapping[str, float]


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """How a model was built.

    Attributes:
        problem: what was built.
        program: as it was built.
        linopy: the model of linopy, without its rows.
        variables: of linopy, by name.
        steps: in order.
        blocks: rows as arrays.
    """

    problem: Problem
    program: Program
    linopy: linopy.Model
    variables: Mapping[str, Any]
    steps: tuple[Step, ...]
    blocks: Mapping[str, Block]


class Reading(Mapping[str, xr.DataArray]):
    """Data that note which of them are read."""

    def __init__(self, data: Mapping[str, xr.DataArray]) -> None:
        self.data = data
        self.seen: set[str] = set()

    def __getitem__(self, name: str) -> xr.DataArray:
        self.seen.add(name)
        return self.data[name]

    def __contains__(self, name: object) -> bool:
        return name in self.data

    def __iter__(self) -> Iterator[str]:
        return iter(self.data)

    def __len__(self) -> int:
        return len(self.data)


class _DiffersError(Exception):
    """The steps made other blocks than before."""


def run(b: Building, name: str, make: Callable[[Building], None]) -> Step:
    """Run a step of building and note what it reads and makes."""
    whole, data = b.problem, Reading(b.problem.data)
    seen, columns, rows, costs = len(b.variables), set(b.columns), set(b.rows), len(b.costs)
    prices, aims = set(b.prices), set(b.objectives)
    b.problem = replace(whole, data=data)
    try:
        make(b)
    finally:
        b.problem = whole
    return Step(
        name=name,
        make=make,
        reads=frozenset(data.seen),
        seen=seen,
        columns=tuple(c for c in b.columns if c not in columns),
        rows=tuple(r for r in b.rows if r not in rows),
        costs=tuple(b.costs[costs:]),
        objectives=tuple((a, terms) for a, terms in b.objectives.items() if a not in aims),
        prices={p: v for p, v in b.prices.items() if p not in prices},
    )


def rebuilt(like: Model, problem: Problem) -> Model | None:
    """The model of a problem that differs in numbers only from what ``like`` was built of; ``None`` where it differs in more, or makes other blocks."""
    trace = like.trace
    changed = None if trace is None else differing(trace.problem, problem)
    if trace is None or changed is None:
        return None
    try:
        return _remade(like, trace, problem, changed)
    except _DiffersError:
        return None


def differing(one: Problem, other: Problem) -> frozenset[str] | None:
    """Names of numbers in which two problems differ; ``None`` where they differ in sets, flags, links, text, or settings beside the objective."""
    if set(one.data) != set(other.data) or any(getattr(one, a) is not getattr(other, a) for a in ("index", "links", "text")):
        return None
    if one.settings.model_copy(update={"objective": ""}) != other.settings.model_copy(update={"objective": ""}):
        return None
    known = parameters()
    out = set()
    for name, array in one.data.items():
        new = other.data[name]
        if new is not array and not (
            array.dims == new.dims and np.array_equal(array.values, new.values, equal_nan=array.dtype.kind == "f")
        ):
            if name in known and known[name].kind != "number":
                return None
            out.add(name)
    return frozenset(out)


class _Again(Building):
    """A building whose blocks exist: it takes the variables that are there, and notes bounds and rows that may differ."""

    def __init__(self, problem: Problem, like: Model, trace: Trace) -> None:
        super().__init__(problem, trace.linopy)
        self.like, self.trace = like, trace
        self.bounds: dict[str, tuple[Floats, Floats]] = {}

    def begin(self, step: Step) -> None:
        """See the variables that the step saw when it ran first."""
        self.variables = dict(list(self.trace.variables.items())[: step.seen])

    def _columns(self, block: Column, index: Sequence[pd.Index[Any]], lower: Any, upper: Any) -> Any:
        there = self.trace.variables.get(block.name)
        if there is None or self.like.columns[block.name] != block or any(not there.indexes[str(i.name)].equals(i) for i in index):
            raise _DiffersError
        if not block.binary:
            fresh = linopy.Model().add_variables(coords=list(index), name=block.name, lower=lower, upper=upper)
            self.bounds[block.name] = (fresh.lower.values.ravel().astype(float), fresh.upper.values.ravel().astype(float))
        return there

    def _rows(self, name: str, left: Any, sign: Sign, right: Any) -> Block:
        made, before = super()._rows(name, left, sign, right), self.trace.blocks.get(name)
        if before is None or self.rows[name] != self.like.rows[name] or not _same_labels(made, before):
            raise _DiffersError
        return made


def _same_labels(one: Block, other: Block) -> bool:
    return len(one.labels) == len(other.labels) and all(a.equals(b) for a, b in zip(one.labels, other.labels, strict=True))


def _remade(like: Model, trace: Trace, problem: Problem, changed: frozenset[str]) -> Model:
    from hinterland.plan.model import fail_if_objective_unknown, strict

    done = list(trace.steps)
    with strict():
        b = _Again(problem, like, trace)
        for i, step in enumerate(done):
            if step.reads & changed:
                b.begin(step)
                done[i] = run(b, step.name, step.make)
                if (done[i].columns, done[i].rows, set(done[i].prices)) != (step.columns, step.rows, set(step.prices)):
                    raise _DiffersError
    n = trace.program.shape[1]
    costs, objectives, penalty = priced(done, trace.program.columns, n)
    fail_if_objective_unknown(problem, tuple(objectives))
    blocks = {**trace.blocks, **b.blocks}
    lower, upper = trace.program.lower.copy(), trace.program.upper.copy()
    for name, sides in b.bounds.items():
        start, end, _ = trace.program.columns[name]
        lower[start:end], upper[start:end] = sides
    program = replace(
        trace.program,
        cost=objectives[problem.settings.objective] + penalty,
        **stacked(blocks, n),
        lower=lower,
        upper=upper,
        objectives=objectives,
        penalty=penalty,
    )
    now = replace(trace, problem=problem, program=program, steps=tuple(done), blocks=blocks)
    return replace(like, problem=problem, program=program, costs=costs, trace=now)


def priced(steps: Iterable[Step], columns: Mapping[str, Span], n: int) -> tuple[dict[str, Floats], dict[str, Floats], Floats]:
    """[n] coefficients of each part of the cost, of each objective, and prices of falling short."""
    costs: dict[str, Floats] = {}
    objectives: dict[str, Floats] = {}
    penalty, whole = np.zeros(n), np.zeros(n)
    for step in steps:
        for name, terms in step.costs:
            vector = terms.vector(n)
            costs[name] = costs[name] + vector if name in costs else vector
        objectives |= {name: terms.vector(n) for name, terms in step.objectives}
        for name, price in step.prices.items():
            start, end, _ = columns[name]
            penalty[start:end] = price
    for vector in costs.values():
        whole = whole + vector
    return costs, {"cost": whole, **objectives}, penalty


def spans(shapes: Mapping[str, Shape]) -> dict[str, Span]:
    """First and last (excluded) position of each block, and its shape."""
    out, start = {}, 0
    for name, shape in shapes.items():
        end = start + int(np.prod(shape, dtype=np.int64))
        out[name] = (start, end, tuple(int(k) for k in shape))
        start = end
    return out


class Sides(TypedDict):
    """Rows of a programme."""

    matrix: sp.csr_array
    row_lower: Floats
    row_upper: Floats


def stacked(blocks: Mapping[str, Block], n: int) -> Sides:
    """Blocks of rows one below the other, over all columns."""
    every = list(blocks.values())
    counts = np.concatenate([[0], *(np.diff(b.matrix.indptr) for b in every)])
    data, indices = (np.concatenate([getattr(b.matrix, a) for b in every]) for a in ("data", "indices"))
    matrix = sp.csr_array((data, indices.astype(np.int32), np.cumsum(counts)), shape=(len(counts) - 1, n))
    return Sides(matrix=matrix, row_lower=np.concatenate([b.lower for b in every]), row_upper=np.concatenate([b.upper for b in every]))
