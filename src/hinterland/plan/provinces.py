"""One province's cities, planned alone: they send, receive and make what the provinces' plan has settled, at a price where they cannot."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
import xarray as xr
from numpy.typing import NDArray

from hinterland.errors import SolverError
from hinterland.plan.aggregate import Aggregation, aggregated
from hinterland.plan.algebra import column
from hinterland.plan.arcs import free_years, with_arcs
from hinterland.plan.extend import with_columns
from hinterland.plan.model import Model, build
from hinterland.plan.problem import Problem
from hinterland.plan.program import Floats, Program
from hinterland.plan.solve import Solution, SolverOptions, solve

Positions = NDArray[np.int64]

ALONE = ("C1", "C2", "C3", "C4", "C5", "C6", "C7", "C8", "C9", "C10", "C18", "C21")
"""Families that a province can keep alone; the others speak of the nation, of agreements, or of regions against each other."""


@dataclass(frozen=True, slots=True, eq=False)
class Settled:
    """What the provinces' plan settles.

    Attributes:
        problem: of provinces.
        moves: [arc, year] capacity that moves between provinces.
        output, greenfield: [cell, year] of provinces.
    """

    problem: Problem
    moves: Floats
    output: Floats
    greenfield: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """One province's cities.

    Attributes:
        problem: cities of the province, and the provinces they move to or from; only the moves that were settled.
        settled: [arc] which move between provinces an arc is a part of; −1 for a move within the province.
        amounts: [arc of provinces, year] what was settled.
        leaving: [arc] whether the arc leaves the province.
        cities: [cell] position of a city's cell in the whole problem; −1 for cells of other provinces.
        options: of the solver.
    """

    problem: Problem
    settled: Positions
    amounts: Floats
    leaving: NDArray[np.bool_]
    cities: Positions
    options: SolverOptions


@dataclass(frozen=True, slots=True, eq=False)
class Share:
    """What a province's cities do of what was settled.

    Attributes:
        settled: [k] the move between provinces; −1 for a move within the province.
        source, host: [k] cells of the whole problem; −1 at the end that lies in another province.
        moves: [k, year] capacity.
        cells: [n] cells of the province's cities; greenfield: [n, year] what is built there.
    """

    settled: Positions
    source: Positions
    host: Positions
    moves: Floats
    cells: Positions
    greenfield: Floats


def settle(made: Model, answer: Solution) -> Settled:
    """What a plan of provinces settles."""
    p = made.program
    moves, output, greenfield = (np.maximum(p.column(name, answer.x), 0.0) for name in ("move", "output", "greenfield"))
    return Settled(made.problem, moves, output, greenfield)


def task(problem: Problem, above: Aggregation, top: Settled, centre: int, options: SolverOptions) -> Task:
    """The cities of the pool with this centre, alone."""
    members = problem.links["region.pool"] == centre
    near = aggregated(problem, members)
    mine = np.flatnonzero(members[problem.links["cell.region"]])
    cities = np.full(len(near.problem.index["cell"]), -1)
    cities[near.cell[mine]] = mine
    province = np.empty(len(cities), dtype=np.int64)
    province[near.cell] = above.cell
    source, host = (near.problem.links[f"arc.{e}"] for e in ("source", "host"))
    part = _part_of(top.problem, province[source], province[host])
    within = (cities[source] >= 0) & (cities[host] >= 0)
    wanted = within | (((cities[source] >= 0) | (cities[host] >= 0)) & (part >= 0) & (top.moves[part].sum(axis=1) > 0))
    alone = _alone(with_arcs(near.problem, wanted), province, cities >= 0, top)
    part = np.where(within, -1, part)[wanted]
    return Task(alone, part, top.moves, (cities[source] >= 0)[wanted], cities, options)


def _part_of(provinces: Problem, source: Positions, host: Positions) -> Positions:
    """[arc] the move between provinces that leads from and to these cells; −1 where there is none."""
    n = len(provinces.index["cell"])
    have = provinces.links["arc.source"] * n + provinces.links["arc.host"]
    at = np.minimum(np.searchsorted(have, source * n + host), max(len(have) - 1, 0))
    return np.where(have[at] == source * n + host, at, -1) if len(have) else np.full(len(source), -1)


def _alone(problem: Problem, province: Positions, mine: NDArray[np.bool_], top: Settled) -> Problem:
    """Without goods from elsewhere: the cities make what their province makes; other provinces employ nobody and use nothing."""
    empty = {d: pd.RangeIndex(0, name=d) for d in ("input", "route", "sale")}
    links = {k: v[:0] if k.split(".")[0] in empty else v for k, v in problem.links.items()}
    data = {k: _none(a, empty) for k, a in problem.data.items()}
    centre = mine & (problem.links["cell.pool"] == np.arange(len(mine)))
    demand = np.where(centre[:, None], top.output[province], 0.0)
    cell, year = problem.index["cell"], problem.index["year"]
    data |= {
        "final_demand": column(demand, cell, year),
        "imports": 0.0 * problem["imports"],
        "import_limit": np.nan * problem["import_limit"],
    }
    here = xr.DataArray(mine, coords=[cell])
    data |= {name: problem[name].where(here, 0.0) for name in ("staffing", "intensity_now")}
    off = tuple(f"C{n}" for n in range(1, 23) if f"C{n}" not in ALONE)
    made = replace(problem, index={**problem.index, **empty}, links=links, data=data)
    return made.with_settings(off=tuple(dict.fromkeys((*problem.settings.off, *off))))


def _none(array: xr.DataArray, empty: dict[str, pd.RangeIndex]) -> xr.DataArray:
    gone: dict[Any, list[int]] = {d: [] for d in array.dims if d in empty}
    return array.isel(gone) if gone else array


def shares(given: Task) -> Share:
    """Plan the cities.

    Raises:
        SolverError: no optimum.
    """
    made = build(given.problem)
    program = _with_targets(made.program, given)
    answer = solve(program, given.options)
    if answer.status != "optimal":
        where = given.problem.index["region"][given.problem.links["cell.region"][np.flatnonzero(given.cities >= 0)[0]]]
        raise SolverError(f"the plan of the cities of the pool of {where} is {answer.status}")
    moves = np.maximum(program.column("move", answer.x), 0.0)
    source, host = (given.cities[given.problem.links[f"arc.{e}"]] for e in ("source", "host"))
    inside = given.cities >= 0
    greenfield = np.maximum(program.column("greenfield", answer.x), 0.0)[inside]
    return Share(given.settled, source, host, moves, given.cities[inside], greenfield)


def _with_targets(program: Program, given: Task) -> Program:
    """What was settled, as rows that may be missed either way at the price of falling short, discounted."""
    free = free_years(given.problem)[given.problem.links["arc.host"]]
    arcs, years = np.nonzero(free & (given.settled >= 0)[:, None])
    keys, row = np.unique(given.settled[arcs] * free.shape[1] + years, return_inverse=True)
    if not len(keys):
        return program
    price = given.problem.settings.penalty * given.problem.weights.values[keys % free.shape[1]]
    n, k = program.shape[1], len(keys)
    for side in ("short", "over"):
        program = with_columns(program, price, np.zeros(k), np.full(k, np.inf), f"{side}:settled")
    at = program.columns["move"][0] + arcs * free.shape[1] + years
    columns = np.concatenate([at, n + np.arange(2 * k)])
    values = np.concatenate([np.ones(len(at)), np.ones(k), -np.ones(k)])
    rows = np.concatenate([row, np.tile(np.arange(k), 2)])
    wanted = given.amounts.ravel()[keys]
    matrix = sp.csr_array((values, (rows, columns)), shape=(k, n + 2 * k))
    return program.with_rows(matrix, wanted, wanted, "settled")
