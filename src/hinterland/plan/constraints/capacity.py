"""C2: capacity follows from what was there, what wears out, what comes, what goes and what is built."""

from __future__ import annotations

import numpy as np

from hinterland.plan.algebra import Expression, column, lag, rows_where, spread, total
from hinterland.plan.building import Building
from hinterland.plan.constraints.family import Family
from hinterland.plan.variables import lead_of_cells

UNIT = "100m-yuan"


def departures(b: Building) -> None:
    r"""What leaves a cell is what its arcs carry away.

    Rows: source cell × year
    Unit: 100m-yuan
    Formula: o_{sit} = \sum_h x_{shit}
    Gives way: no
    """
    if not b.leaving.any():
        return
    index = rows_where(b.leaving, b.cell)
    at = np.cumsum(b.leaving) - 1
    carried = total(b["move"], "arc", at[b.problem.links["arc.source"]], index)
    b.require("departures", b["departures"] - carried, "=", 0, family="C2", unit=UNIT)


def arrivals(b: Building) -> None:
    r"""What is decided to come to a cell is what its arcs bring.

    Rows: host cell × year
    Unit: 100m-yuan
    Formula: n_{hit} = \sum_s x_{shit}
    Gives way: no
    """
    if not b.arriving.any():
        return
    index = rows_where(b.arriving, b.cell)
    at = np.cumsum(b.arriving) - 1
    brought = total(b["move"], "arc", at[b.problem.links["arc.host"]], index)
    b.require("arrivals", b["arrivals"] - brought, "=", 0, family="C2", unit=UNIT)


def capacity(b: Building) -> None:
    r"""Capacity is last year's less wear, plus what comes into service, less what leaves.

    Rows: cell × year
    Unit: 100m-yuan
    Formula: K_{rit} = (1-\delta_i) K_{ri,t-1} + n_{ri,t-\ell_i} + b_{ri,t-\ell_{ri}} - o_{rit}
    Gives way: no
    A move or a new plant at a host comes into service after the industry's lead time; capacity that is renewed in place elsewhere does at once. In
    years whose capacity was observed it is fixed there, and a free variable holds the part of its change that nothing on record explains.
    """
    p = b.problem
    kept = 1 - p.of_cells("depreciation")
    rest = b["capacity"] - kept * lag(b["capacity"], 1, b.year)
    if b.leaving.any():
        rest = rest + spread(b["departures"], cell=b.cell)
    if b.arriving.any():
        rest = rest - _in_service(b, "arrivals", b.arriving)
    rest = rest - _in_service(b, "greenfield", np.ones(len(b.cell), dtype=bool))
    if "unexplained" in b:
        rest = rest - spread(b["unexplained"], year=b.year)
    first = np.zeros((len(b.cell), len(b.year)))
    first[:, 0] = (kept * p["capacity"]).values
    b.require("capacity", rest, "=", column(first, b.cell, b.year), family="C2", unit=UNIT)


def _in_service(b: Building, name: str, where: np.ndarray) -> Expression:
    """[cell, year] what was decided a lead time before."""
    index, lead = rows_where(where, b.cell), lead_of_cells(b)[where]
    parts = []
    for years in np.unique(lead):
        some = rows_where(lead == years, index)
        parts.append(spread(lag(b[name].sel(cell=some), int(years), b.year), cell=b.cell))
    return sum(parts[1:], start=parts[0])


FAMILY = Family("C2", "capacity", (departures, arrivals, capacity), kept=True)
