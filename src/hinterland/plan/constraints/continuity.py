"""C21: change takes time, and changing support has a price."""

from __future__ import annotations

import numpy as np

from hinterland.plan.algebra import Expression, column, lag, rows_where
from hinterland.plan.building import Building
from hinterland.plan.constraints.family import Family

UNIT = "100m-yuan"


def _ramped(b: Building) -> tuple[Expression, Expression] | None:
    """Capacity of the year and of the year before, in decided years of phases with a limit."""
    limit = b.problem.phase_of("ramp").sel(year=b.open)
    year = rows_where(np.isfinite(limit.values), b.open)
    return None if not len(year) else (year, limit.sel(year=year))


def ramp_up(b: Building) -> None:
    r"""Capacity of a cell grows by no more than a share in a year; a cell that starts from little may take what its absorption allows.

    Rows: cell × decided year of a phase with a limit
    Unit: 100m-yuan
    Formula: K_{rit} - K_{ri,t-1} \le R_\varphi K_{ri,t-1} + A_{rit}
    Gives way: over where what was decided before adds more
    """
    found = _ramped(b)
    if found is None:
        return
    year, limit = found
    before, first = _before(b)
    start = b.problem["absorption"].fillna(0.0).transpose("cell", "year")
    rest = (b["capacity"] - before).sel(year=year) - limit * before.sel(year=year)
    b.require("ramp_up", rest, "<=", (start + first).sel(year=year) + limit * first.sel(year=year), family="C21", unit=UNIT, typical=1.0)


def ramp_down(b: Building) -> None:
    r"""Capacity of a cell falls by no more than a share in a year, beyond wear.

    Rows: cell × decided year of a phase with a limit
    Unit: 100m-yuan
    Formula: K_{ri,t-1} - K_{rit} \le (R_\varphi + \delta_i) K_{ri,t-1}
    Gives way: no
    """
    found = _ramped(b)
    if found is None:
        return
    year, limit = found
    before, first = _before(b)
    share = limit + b.problem.of_cells("depreciation")
    rest = (before - b["capacity"]).sel(year=year) - share * before.sel(year=year)
    most = (share - 1) * first.sel(year=year)
    b.require("ramp_down", rest, "<=", most.transpose("cell", "year"), family="C21", unit=UNIT)


def _before(b: Building) -> tuple[Expression, Expression]:
    """Capacity of the year before, where it is a variable; and where it is the start's, a number."""
    start = np.zeros((len(b.cell), len(b.year)))
    start[:, 0] = b.problem["capacity"].values
    return lag(b["capacity"], 1, b.year), column(start, b.cell, b.year)


def changes_of_support(b: Building) -> None:
    r"""The change of support from one decided year to the next is counted whichever way it goes, and has a price.

    Rows: host cell × instrument × decided year after the first, up and down
    Unit: 100m-yuan
    Formula: c_{hiut} \ge \pm (g_{hiut} - g_{hiu,t-1})
    Gives way: no
    """
    if "support" not in b or b.problem.settings.continuity == 0 or len(b.open) < 2:
        return
    paid = b["support"].sel(year=b.open).sum("segment")
    step = (paid - lag(paid, 1, b.open)).sel(year=b.open[1:])
    index = (step.indexes["cell"].rename("cell"), b.problem.index["instrument"], b.open[1:])
    b.variable("change", *index, unit=UNIT, meaning="change of support against the year before")
    b.require("change_up", b["change"] - step, ">=", 0, family="C21", unit=UNIT)
    b.require("change_down", b["change"] + step, ">=", 0, family="C21", unit=UNIT)
    b.charge("continuity", b.problem.settings.continuity * b.weights.sel(year=b.open[1:]) * b["change"])


FAMILY = Family("C21", "continuity", (ramp_up, ramp_down, changes_of_support))
