"""A built model with other moves: since a move enters only what leaves and what arrives, its columns can be written without building anew."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TypeVar

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from hinterland.plan.arcs import Mask, charge_of_moves, free_years, with_arcs
from hinterland.plan.model import Model
from hinterland.plan.problem import Problem
from hinterland.plan.program import Floats, Program

Kind = TypeVar("Kind", bound=np.generic)
Span = tuple[int, int, tuple[int, ...]]


def with_moves(made: Model, problem: Problem, inside: Mask) -> Model:
    """The model with the arcs of ``inside`` in place of its own.

    Equal, array by array, to building ``with_arcs(problem, inside)``, in a small part of the time.

    Args:
        made: a model of the problem with some of its arcs, none under an agreement; every cell that any arc leaves or enters has one.
        problem: with all its arcs.
        inside: [arc] which arcs the model shall have.
    """
    some = with_arcs(problem, inside)
    start, end, _ = made.program.columns["move"]
    free = free_years(some)[some.links["arc.host"]]
    seen = np.where(some.decided[None, :], 0.0, some["observed_move"].values)
    cost = (charge_of_moves(some)[some.links["arc.host"]] * some["arc_cost"].values[:, None]).ravel()
    none = np.zeros(cost.size)

    def of(vector: NDArray[Kind], moves: NDArray[Kind]) -> NDArray[Kind]:
        return np.concatenate([vector[:start], moves, vector[end:]])

    def by_name(vectors: Mapping[str, Floats], paid: str) -> dict[str, Floats]:
        return {name: of(v, cost if name == paid else none) for name, v in vectors.items()}

    p = made.program
    aimed = cost if np.array_equal(p.cost[start:end], p.objectives["cost"][start:end]) else none
    program = replace(
        p,
        cost=of(p.cost, aimed),
        matrix=sp.hstack([p.matrix[:, :start], _columns(p, some), p.matrix[:, end:]], format="csr"),
        lower=of(p.lower, seen.ravel()),
        upper=of(p.upper, np.where(free, np.inf, seen).ravel()),
        integral=of(p.integral, none.astype(bool)),
        columns=_moved(p.columns, start, end, free.shape),
        objectives=by_name(p.objectives, "cost"),
        penalty=of(p.penalty, none),
    )
    labels = {**made.labels, "move": (some.index["arc"], some.index["year"])}
    return replace(made, problem=some, program=program, labels=labels, costs=by_name(made.costs, "relocation"), trace=None)


def _columns(program: Program, problem: Problem) -> sp.csr_array:
    """[m, arcs × years] −1 where a move counts as leaving its source and coming to its host."""
    arcs, years = len(problem.index["arc"]), len(problem.years)
    rows = []
    for name, end in (("departures", "source"), ("arrivals", "host")):
        cells = problem.links[f"arc.{end}"]
        place = np.cumsum(np.bincount(cells, minlength=len(problem.index["cell"])) > 0) - 1
        rows.append((program.rows[name][0] + place[cells] * years)[:, None] + np.arange(years))
    at = np.concatenate([r.ravel() for r in rows])
    columns = np.tile(np.arange(arcs * years), 2)
    return sp.csr_array((np.full(len(at), -1.0), (at, columns)), shape=(program.shape[0], arcs * years))


def _moved(columns: Mapping[str, Span], start: int, end: int, shape: tuple[int, ...]) -> dict[str, Span]:
    """Where each block of columns lies when the moves take another number of places."""
    by = shape[0] * shape[1] - (end - start)
    out = {name: (a + by, b + by, s) if a >= end else (a, b, s) for name, (a, b, s) in columns.items()}
    return out | {"move": (start, start + shape[0] * shape[1], shape)}
