"""C13 and C14: production grows cheaper, or dearer, as a place fills."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from hinterland.plan.algebra import column, gather, rows_where, total
from hinterland.plan.building import Building
from hinterland.plan.constraints.family import Family
from hinterland.plan.problem import Problem

UNIT = "100m-yuan"


def milestones(b: Building) -> pd.Index[Any]:
    """Years at which agglomeration is reckoned: the ends of phases with decided years, and so few binaries."""
    ends = [b.problem.phase_years(f)[-1] for f in b.problem.phases]
    return pd.Index([y for y in ends if y in b.open], name="year")


def milestone_weights(b: Building) -> np.ndarray:
    """[milestone] discounted years from the milestone before up to this one."""
    at = milestones(b)
    starts = [b.open[0], *(y + 1 for y in at[:-1])]
    years = np.asarray(b.year)
    return np.array([b.weights.values[(years >= s) & (years <= e)].sum() for s, e in zip(starts, at, strict=True)])


def steps_of_size(b: Building) -> None:
    r"""Capacity at the end of a phase is what fills the steps of size.

    Rows: host cell with steps × end of phase
    Unit: 100m-yuan
    Formula: K_{hit} = \sum_n K^n_{hit}
    Gives way: no
    """
    p, step = b.problem, b.problem.index["step"]
    if not len(step):
        return
    at = milestones(b)
    b.variable("filled", step, at, unit=UNIT, meaning="capacity in the step of size")
    b.variable("reached", step, at, binary=True, unit="1", meaning="the step of size is reached")
    cells = np.unique(p.links["step.cell"])
    index = rows_where(np.isin(np.arange(len(b.cell)), cells), b.cell)
    inside = total(b["filled"], "step", np.searchsorted(cells, p.links["step.cell"]), index)
    b.require("steps_of_size", inside - b["capacity"].sel(cell=index, year=at), "=", 0, family="C13", unit=UNIT)
    saved = p["saving"] * column(milestone_weights(b), at) * b["filled"]
    b.charge("agglomeration", -1 * saved)


def largest(problem: Problem) -> np.ndarray:
    """[industry] what a cell's capacity could ever be: twice what the nation has, and what it uses."""
    p = problem
    held = np.bincount(p.links["cell.industry"], weights=p["capacity"].values, minlength=len(p.index["industry"]))
    return np.asarray(2 * held + p["use"].transpose("industry", "year").values.max(axis=1))


def widths(b: Building) -> np.ndarray:
    """[step] width of each step; the last of a cell has no end, so it is as wide as capacity could ever be."""
    p = b.problem
    cell, industry = p.links["step.cell"], p.links["cell.industry"][p.links["step.cell"]]
    last = np.r_[cell[1:] != cell[:-1], True] if len(cell) else np.zeros(0, dtype=bool)
    given = p["agglomeration_width"].values
    return np.where(last | ~np.isfinite(given), largest(p)[industry], given)


def step_open(b: Building) -> None:
    r"""A step holds capacity only if it is reached.

    Rows: step × end of phase
    Unit: 100m-yuan
    Formula: K^n_{hit} \le w_n a_{hint}
    Gives way: no
    """
    if "filled" in b:
        b.require("step_open", b["filled"] - column(widths(b), b.problem.index["step"]) * b["reached"], "<=", 0, family="C13", unit=UNIT)


def step_full(b: Building) -> None:
    r"""A step is reached only if the one before is full; the order makes the form tight, and the falling cost makes the binaries needed.

    Rows: step after the first × end of phase
    Unit: 100m-yuan
    Formula: K^{n}_{hit} \ge w_n a_{hi,n+1,t}
    Gives way: no
    """
    if "filled" not in b:
        return
    cell = b.problem.links["step.cell"]
    later = np.flatnonzero(np.r_[False, cell[1:] == cell[:-1]]).astype(np.int64)
    if not len(later):
        return
    index = pd.Index(later, name="step")
    before = gather(b["filled"], "step", later - 1, index)
    wide = column(widths(b)[later - 1], index)
    b.require("step_full", before - wide * gather(b["reached"], "step", later, index), ">=", 0, family="C13", unit=UNIT)


def congestion(b: Building) -> None:
    r"""Beyond each bend every unit of capacity costs more.

    Rows: bend × decided year
    Unit: 100m-yuan
    Formula: c_{hint} \ge K_{hit} - \bar K_n, \quad c_{hint} \ge 0
    Gives way: no
    The cost is convex, so that no binaries are needed.
    """
    p, bend = b.problem, b.problem.index["bend"]
    if not len(bend):
        return
    b.variable("crowded", bend, b.open, unit=UNIT, meaning="capacity beyond the bend")
    held = gather(b["capacity"].sel(year=b.open), "cell", p.links["bend.cell"], bend)
    b.require("congestion", b["crowded"] - held, ">=", -1 * p["congestion_from"], family="C14", unit=UNIT)
    b.charge("congestion", p["congestion_cost"] * b.weights.sel(year=b.open) * b["crowded"])


FAMILY = Family("C13", "agglomeration", (steps_of_size, step_open, step_full))
CONGESTION = Family("C14", "congestion", (congestion,))
