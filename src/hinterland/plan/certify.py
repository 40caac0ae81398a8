"""Reduced costs of moves that a plan left out, and the certificate that follows from them.

A move enters the model in two rows only, what leaves its source's cell and what is decided to come to its host's, and has a cost. Its reduced cost in year t is

    c_{at} + π^{departures}_{s(a),t} + π^{arrivals}_{h(a),t},

where π are the duals of the two rows. Where it is not negative for any move that was left out, the plan is optimal with every move in it. Where it is, what the
optimum can be better by is bounded: the moves from one cell in one year carry no more than the cell may release (C1), so that for every dual vector

    optimum ≥ dual objective of the plan + Σ_{s,t} release_{st} · min(0, min_a reduced cost_{at})

(Lagrangian bound; Lasdon 1970; Desrosiers and Lübbecke 2005).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hinterland.plan.arcs import Mask, charge_of_moves, free_years, most_release
from hinterland.plan.problem import Problem
from hinterland.plan.program import Floats, Program, dual_objective

CHUNK = 100_000
"""Arcs whose reduced costs are held in memory at a time."""


@dataclass(frozen=True, slots=True, eq=False)
class Prices:
    """Reduced costs of moves.

    Attributes:
        gain: [arc] what a move could save in all years if it carried all that its source may release: the sum of what is negative; 0 where nothing is.
        least: [cell, year] least reduced cost of the moves that leave the cell; 0 where none does or none is negative.
        minimum: least reduced cost of the moves that were left out; infinite where none was.
        minimum_kept: the same of the moves in the plan, which measures how far its duals are from exact.
        priced: how many reduced costs were computed: arcs times years in which they may be decided.
    """

    gain: Floats
    least: Floats
    minimum: float
    minimum_kept: float
    priced: int


@dataclass(frozen=True, slots=True)
class Certificate:
    """How far a plan with some of the moves can be from the plan with all of them.

    Attributes:
        arcs: admissible moves.
        arc_years: reduced costs computed: moves times years in which they may be decided.
        excluded: moves that the plan's model does not have.
        minimum: least reduced cost of those, 100m yuan per 100m yuan of yearly output.
        tolerance: below which size a negative reduced cost counts as none.
        objective: what the plan reaches, with the price of falling short.
        bound: what no plan with any of the moves can go below.
        gap: their relative distance.
        dual_residual: largest violation of a reduced cost's sign in the plan's own model that the bound could not take in, over 1 + the cost's size.
        rounds: how often the model was solved.
        complete: whether the minimum is no less than minus the tolerance and, where rounds were taken apart, nothing else was left to gain.
    """

    arcs: int
    arc_years: int
    excluded: int
    minimum: float
    tolerance: float
    objective: float
    bound: float
    gap: float
    dual_residual: float
    rounds: int
    complete: bool

    @property
    def table(self) -> pl.DataFrame:
        """One row: every attribute under its name."""
        return pl.DataFrame({name: [getattr(self, name)] for name in self.__slots__})

    def __repr__(self) -> str:
        state = "complete" if self.complete else "not complete"
        return f"Certificate({state}: {self.excluded} of {self.arcs} arcs priced out, least {self.minimum:.2e}, gap {self.gap:.1e}, {self.rounds} rounds)"


def priced(problem: Problem, departures: Floats, arrivals: Floats, inside: Mask, *, costly: bool = True, chunk: int = CHUNK) -> Prices:
    """Price every move.

    Args:
        problem: with all its arcs.
        departures, arrivals: [cell, year] duals of the rows of the same names; 0 for cells without such a row.
        inside: [arc] the moves that the plan's model has.
        costly: whether the objective counts what moves cost.
        chunk: arcs at a time: memory is a few times chunk × years × 8 bytes.
    """
    release = most_release(problem)
    source = problem.links["arc.source"]
    order = np.argsort(source, kind="stable")
    gain, least = np.zeros(len(source)), np.zeros(release.shape)
    minimum, kept, count = np.inf, np.inf, 0
    charge, free = charge_of_moves(problem) if costly else np.zeros(release.shape), free_years(problem)
    for start in range(0, len(order), chunk):
        arcs = order[start : start + chunk]
        s, h = source[arcs], problem.links["arc.host"][arcs]
        reduced = charge[h] * problem["arc_cost"].values[arcs, None] + departures[s] + arrivals[h]
        count += int(np.count_nonzero(free[h]))
        reduced[~free[h]] = np.inf
        own = inside[arcs]
        minimum = min(minimum, float(reduced[~own].min(initial=np.inf)))
        kept = min(kept, float(reduced[own].min(initial=np.inf)))
        np.minimum(reduced, 0.0, out=reduced)
        gain[arcs] = savings(reduced, release[s])
        first = np.flatnonzero(np.r_[True, s[1:] != s[:-1]])
        least[s[first]] = np.minimum(least[s[first]], np.minimum.reduceat(reduced, first, axis=0))
    return Prices(gain, least, minimum, kept, count)


def savings(reduced: Floats, release: Floats) -> Floats:
    """[arc] what a move could save in all years, of reduced costs [arc, year] and what its source may release [arc, year]; a unit where that has no limit."""
    return np.asarray(-(np.minimum(reduced, 0.0) * np.where(np.isfinite(release), release, 1.0)).sum(axis=1))


def priced_by(program: Program, y: Floats, problem: Problem, inside: Mask) -> Prices:
    """Price every move by the duals [m] of a model with some of them, under the problem's objective."""
    leave, arrive = duals_of_cells(program, y, problem)
    return priced(problem, leave, arrive, inside, costly=problem.settings.objective == "cost")


def distance(objective: float, bound: float) -> float:
    """How far a bound is below an objective, relative to it; infinite without a bound."""
    return (objective - bound) / max(abs(objective), 1e-9)


def lower_bound(program: Program, y: Floats, objective: float, problem: Problem, prices: Prices) -> tuple[float, float]:
    """Bound on the optimum with every move, and the largest violation of a sign that it could not take in.

    Violations of signs in the plan's model itself are taken in where a bound on the variable follows: moves and departures by what may be released; a
    variable with a cost, where no cost is negative, by the objective that the plan reaches over that cost, one budget for all of them.

    Args:
        program: the plan's model, aimed at its objective.
        y: [m] its duals.
        objective: what the plan reaches.
        problem: with every arc.
        prices: of every arc under ``y``.
    """
    reduced = program.cost - program.matrix.T @ y
    release = most_release(problem)
    with np.errstate(invalid="ignore"):
        moved = float(np.where(prices.least < 0, prices.least * release, 0.0).sum())
    upper = program.upper.copy()
    left = np.ones(len(upper), dtype=bool)
    start, end, _ = program.columns["move"]
    left[start:end] = np.isfinite(upper[start:end])
    if "departures" in program.columns:
        first, last, _ = program.columns["departures"]
        leaving = np.bincount(problem.links["arc.source"], minlength=len(release)) > 0
        upper[first:last] = np.minimum(upper[first:last], release[leaving].ravel())
    wrong = np.where((reduced < 0) & ~np.isfinite(upper), -reduced, 0.0) * left
    budget = (program.cost > 0) & bool((program.cost >= 0).all() and (program.lower >= 0).all())
    share = float(np.where(budget, wrong / np.where(budget, program.cost, 1.0), 0.0).max(initial=0.0))
    outside = float((np.where(budget, 0.0, wrong) / (1 + np.abs(program.cost))).max(initial=0.0))
    inner = np.where(left, reduced, np.maximum(reduced, 0.0))
    dual = dual_objective(_bounded(program, upper), y, inner)
    sided = np.where((y > 0) & ~np.isfinite(program.row_lower) | (y < 0) & ~np.isfinite(program.row_upper), np.abs(y), 0.0)
    return dual + moved - share * max(objective, 0.0), max(outside, float(sided.max(initial=0.0)))


def _bounded(program: Program, upper: Floats) -> Program:
    return replace(program, upper=upper)


def duals_of_cells(program: Program, y: Floats, problem: Problem) -> tuple[Floats, Floats]:
    """[cell, year] duals of departures and arrivals; 0 for cells that no arc leaves or enters."""
    out = []
    for name, end in (("departures", "source"), ("arrivals", "host")):
        values = np.zeros((len(problem.index["cell"]), len(problem.years)))
        where: NDArray[np.bool_] = np.bincount(problem.links[f"arc.{end}"], minlength=len(values)) > 0
        if where.any():
            values[where] = program.row(name, y)
        out.append(values)
    return out[0], out[1]
