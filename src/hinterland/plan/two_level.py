"""Two levels: a plan of provinces, then a plan of each province's cities on its own, then reconciled.

The provinces' plan settles what each province sends to each other one, and what it makes. Each province with several cities then plans alone: its cities send
or receive what was settled, at a price where they cannot, and make what the province makes. What two provinces' cities can both do is what moves; where that
is less than was settled, it becomes a limit on the provinces' next plan. The flows of cities are the product of the shares of both ends, which keeps both
margins (a proportional fit). Last, all cities are put into one model in which moves and new plants are held, so that goods, trade and shortfalls are consistent.

This is a heuristic, for cases that are too large for :func:`hinterland.plan.columns.solve_by_columns`, whose answer has a proof: a province's plan does not see
which of its cities is cheap, and its cities do not see each other's prices.
"""

from __future__ import annotations

import time
from concurrent.futures import Executor
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
import scipy.sparse as sp
from numpy.typing import NDArray

from hinterland.errors import Finding, InputError, SolverError
from hinterland.labels import Note
from hinterland.plan.aggregate import Aggregation, aggregated
from hinterland.plan.arcs import with_arcs
from hinterland.plan.entry import plan_of
from hinterland.plan.extend import held
from hinterland.plan.model import build
from hinterland.plan.problem import Problem
from hinterland.plan.program import Floats, Program
from hinterland.plan.provinces import Settled, Share, Task, settle, shares, task
from hinterland.plan.result import Plan
from hinterland.plan.solve import Solution, SolverOptions, solve

__all__ = ["TwoLevel", "two_level"]

Positions = NDArray[np.int64]

TRACE = 1e-9
"""Moves below this part of the largest are none."""


@dataclass(frozen=True, slots=True, eq=False)
class TwoLevel:
    """A plan of cities made on two levels.

    Attributes:
        plan: of the cities, over the arcs that they use; its objective is that of the whole model.
        provinces: the provinces' last plan.
        history: round, objective_provinces, settled (capacity to move between provinces), missed (what cities could not do of it), seconds.
    """

    plan: Plan
    provinces: Plan
    history: pl.DataFrame

    def __repr__(self) -> str:
        return f"TwoLevel({self.plan!r}, {self.history.height} rounds)"


def two_level(problem: Problem, *, rounds: int = 2, options: SolverOptions | None = None, executor: Executor | None = None) -> TwoLevel:
    """Plan provinces, then their cities.

    Args:
        problem: of cities whose pools are their provinces, aiming at cost.
        rounds: how often provinces are planned at most.
        options: of the solver, at both levels.
        executor: plans provinces' cities side by side; one after another without it.

    Raises:
        InputError: no pools, another aim than cost, tables whose meaning depends on the size of a region.
        SolverError: a model without an optimum.
    """
    _fail_if_not_possible(problem, rounds)
    chosen = options or SolverOptions()
    above = aggregated(problem)
    made = build(above.problem)
    program, log = made.program, list[dict[str, float]]()
    while True:
        started = time.perf_counter()
        answer = _optimum(program, chosen, "the provinces")
        top = settle(made, answer)
        parts = _planned([task(problem, above, top, region, chosen) for region in _provinces(problem)], executor)
        flows, able = joined(problem, above, top, parts)
        missed = float(np.maximum(top.moves - np.minimum(*able), 0.0).sum())
        log.append(
            {
                "objective_provinces": answer.objective,
                "settled": float(top.moves.sum()),
                "missed": missed,
                "seconds": time.perf_counter() - started,
            }
        )
        if missed <= TRACE * max(1.0, float(top.moves.sum())) or len(log) >= rounds:
            break
        program = limited(program, top, able, len(log))
    plan = _of_cities(problem, flows, _greenfield(above, top, parts), chosen)
    note = Note("plan-two-levels", {"rounds": len(log), "missed": missed, "settled": float(top.moves.sum())})
    history = pl.DataFrame(log).with_row_index("round", offset=1)
    return TwoLevel(replace(plan, notes=(*plan.notes, note)), plan_of(made, answer), history)


def _fail_if_not_possible(problem: Problem, rounds: int) -> None:
    pools = problem.links["region.pool"]
    findings = []
    if (pools == np.arange(len(pools))).all():
        findings.append(
            Finding(
                "no-pools", "no region has a pool, so that there is one level only", "regions, column 'pool'", "name each city's province"
            )
        )
    if problem.settings.objective != "cost":
        what = f"the aim is {problem.settings.objective!r}"
        findings.append(Finding("objective-not-possible", what, "argument objective", "two levels can aim at cost only"))
    if rounds < 1:
        findings.append(Finding("bad-argument", f"rounds is {rounds}", "argument rounds", "plan at least once"))
    if findings:
        raise InputError(findings, "the two levels")


def _provinces(problem: Problem) -> list[int]:
    """Positions of the centres of pools with several regions."""
    pools, counts = np.unique(problem.links["region.pool"], return_counts=True)
    return [int(p) for p in pools[counts > 1]]


def _planned(tasks: list[Task], executor: Executor | None) -> list[Share]:
    return list(map(shares, tasks) if executor is None else executor.map(shares, tasks))


def _optimum(program: Program, options: SolverOptions, who: str) -> Solution:
    answer = solve(program, options)
    if answer.status != "optimal":
        raise SolverError(f"the plan of {who} is {answer.status}")
    return answer


def limited(program: Program, top: Settled, able: tuple[Floats, Floats], number: int) -> Program:
    """The provinces' model with what their cities could not do as a limit.

    Where a province's cities could not send (receive) all that was settled of an industry, it sends (receives) by no year more than they could by then.
    """
    done, years = np.minimum(np.minimum(*able), top.moves), top.moves.shape[1]
    for name, end, could in (("departures", "source", able[0]), ("arrivals", "host", able[1])):
        cells = top.problem.links[f"arc.{end}"]
        n = len(top.problem.index["cell"])
        lost, most = _summed(np.maximum(top.moves - could, 0.0), cells, n), _summed(done, cells, n)
        some = np.flatnonzero(lost.sum(axis=1) > TRACE * max(1.0, float(top.moves.sum())))
        place = np.cumsum(np.bincount(cells, minlength=n) > 0) - 1
        cell, by, year = (x.ravel() for x in np.meshgrid(np.arange(len(some)), np.arange(years), np.arange(years), indexing="ij"))
        keep = year <= by
        at = program.columns[name][0] + place[some][cell[keep]] * years + year[keep]
        ones, rows = np.ones(int(keep.sum())), cell[keep] * years + by[keep]
        matrix = sp.csr_array((ones, (rows, at)), shape=(len(some) * years, program.shape[1]))
        most = np.cumsum(most[some], axis=1).ravel()
        program = program.with_rows(matrix, np.full(len(most), -np.inf), most, f"able:{name}:{number}")
    return program


def joined(problem: Problem, above: Aggregation, top: Settled, parts: list[Share]) -> tuple[Floats, tuple[Floats, Floats]]:
    """[arc, year] moves of cities; and, [arc of provinces, year], what sending and receiving cities can do of what was settled.

    A move between provinces is cut by the shares of the sending cities and of the receiving ones.
    """
    out, into = (_ends(above, top, parts, end) for end in ("source", "host"))
    able = _summed(out[2], out[0], len(top.moves)), _summed(into[2], into[0], len(top.moves))
    done = np.minimum(np.minimum(*able), top.moves)
    pairs = pl.DataFrame({"part": out[0], "out": np.arange(len(out[0]))}).join(
        pl.DataFrame({"part": into[0], "into": np.arange(len(into[0]))}), on="part"
    )
    o, i, a = (pairs[c].to_numpy() for c in ("out", "into", "part"))
    shares_out, shares_in = (
        np.divide(v, t[p], out=np.zeros_like(v), where=t[p] > 0) for (p, _, v), t in zip((out, into), able, strict=True)
    )
    flows = np.zeros((len(problem.index["arc"]), len(problem.years)))
    at = arc_positions(problem, out[1][o], into[1][i])
    flows[at] = done[a] * shares_out[o] * shares_in[i]
    for part in parts:
        inside = part.settled < 0
        flows[arc_positions(problem, part.source[inside], part.host[inside])] = part.moves[inside]
    return flows, able


def _ends(above: Aggregation, top: Settled, parts: list[Share], end: str) -> tuple[Positions, Positions, Floats]:
    """Which move between provinces, which city's cell, and [·, year] how much: of cities that planned, and of provinces that are one city."""
    found = [
        (p.settled[k], getattr(p, end)[k], p.moves[k]) for p in parts if len(k := np.flatnonzero((p.settled >= 0) & (getattr(p, end) >= 0)))
    ]
    alone = np.bincount(above.cell, minlength=len(top.output)) == 1
    cell = np.empty(len(top.output), dtype=np.int64)
    cell[above.cell] = np.arange(len(above.cell))
    ends = top.problem.links[f"arc.{end}"]
    single = np.flatnonzero(alone[ends])
    found.append((single, cell[ends[single]], top.moves[single]))
    part, where, values = (np.concatenate(x) for x in zip(*found, strict=True))
    some = values.sum(axis=1) > 0
    return part[some], where[some], values[some]


def arc_positions(problem: Problem, source: Positions, host: Positions) -> Positions:
    """Positions of the arcs between these cells."""
    n = len(problem.index["cell"])
    code = problem.links["arc.source"] * n + problem.links["arc.host"]
    order = np.argsort(code)
    return np.asarray(order[np.searchsorted(code, source * n + host, sorter=order)])


def _summed(values: Floats, at: Positions, n: int) -> Floats:
    out = np.zeros((n, values.shape[1]))
    np.add.at(out, at, values)
    return out


def _greenfield(above: Aggregation, top: Settled, parts: list[Share]) -> Floats:
    """[cell, year] new capacity of cities: as their province planned them, or as the provinces' plan has it where a province is one city."""
    out = top.greenfield[above.cell]
    for part in parts:
        out[part.cells] = part.greenfield
    return out


def _of_cities(problem: Problem, flows: Floats, greenfield: Floats, options: SolverOptions) -> Plan:
    """All cities in one model, with moves and new capacity held."""
    used = (flows.sum(axis=1) > TRACE * flows.max(initial=0.0)) | (problem["observed_move"].values > 0).any(axis=1)
    made = build(with_arcs(problem, used))
    where, x = np.zeros(made.program.shape[1], dtype=bool), np.zeros(made.program.shape[1])
    for name, values in (("move", flows[used]), ("greenfield", greenfield)):
        start, end, _ = made.program.columns[name]
        where[start:end], x[start:end] = True, values.ravel()
    return plan_of(made, _optimum(held(made.program, where, x), options, "all cities together"))
