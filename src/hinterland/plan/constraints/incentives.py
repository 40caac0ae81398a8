"""C10: what a host can take in, and what support adds to it."""

from __future__ import annotations

import numpy as np

from hinterland.plan.algebra import at_most, column, gathered, rows_where, spread
from hinterland.plan.building import Building
from hinterland.plan.constraints.family import Family

UNIT = "100m-yuan"


def limited(b: Building) -> np.ndarray:
    """[cell] cells of hosts whose yearly intake is limited in some decided year."""
    p = b.problem
    given = np.isfinite(p["absorption"].transpose("cell", "year").sel(year=b.open).values).any(axis=1)
    return np.asarray(given & p.cells_where(region="host"))


def add_support(b: Building) -> None:
    """Support paid, by cell, instrument and step of response: each step ends at its width, and at the instrument's cap."""
    p = b.problem
    cells = limited(b)
    if not cells.any() or not len(p.index["instrument"]) or not len(p.index["segment"]):
        return
    cell = rows_where(cells, b.cell)
    index = (cell, p.index["instrument"], p.index["segment"], b.year)
    share = p["width"].transpose("instrument", "segment")
    there = np.isfinite(share.values) & (p["response"].transpose("instrument", "segment", "region").values > 0).any(axis=2)
    size = p["absorption"].sel(cell=cell).fillna(0.0).transpose("cell", "year").values
    high = np.where(there, np.nan_to_num(share.values), 0.0)[None, :, :, None] * size[:, None, None, :]
    high = np.where(p.decided[None, None, None], high, 0.0)
    b.variable("support", *index, upper=column(high, *index), unit=UNIT, meaning="support paid")


def support_cap(b: Building) -> None:
    r"""Support of a cell by one instrument ends at its cap.

    Rows: host cell × instrument with a cap × decided year
    Unit: 100m-yuan
    Formula: \sum_n g_{hiunt} \le \bar g_u A_{hit}
    Gives way: no
    """
    add_support(b)
    p = b.problem
    where = np.isfinite(p["subsidy_cap"].values)
    if "support" not in b or not where.any():
        return
    some = rows_where(where, p.index["instrument"])
    paid = b["support"].sel(instrument=some, year=b.open).sum("segment")
    size = p["absorption"].sel(cell=b["support"].indexes["cell"], year=b.open).fillna(0.0)
    most = (p["subsidy_cap"].sel(instrument=some) * size).transpose("cell", "instrument", "year")
    b.require("support_cap", paid, "<=", most, family="C10", unit=UNIT)


def intake(b: Building) -> None:
    r"""New capacity at a host is no more than its business environment lets in, and what support brings beyond that, less with each step.

    Rows: host cell with a limit × decided year; years without one are free
    Unit: 100m-yuan
    Formula: n_{hit} + b_{hit} \le be_{ht} A_{hit} + \sum_{un} \beta_{un} g_{hiunt}
    Gives way: no
    Steps of response fall, so that the linear programme fills them in order without binaries.
    """
    p, cells = b.problem, limited(b)
    if not cells.any():
        return
    cell = rows_where(cells, b.cell)
    new = 1 * b["greenfield"].sel(cell=cell, year=b.open)
    if b.arriving.any():
        new = new + spread(b["arrivals"], cell=b.cell).sel(cell=cell, year=b.open)
    if "support" in b:
        at = p.links["cell.region"][np.flatnonzero(cells)]
        response = gathered(p["response"], "region", at, cell)
        new = new - (response * b["support"].sel(year=b.open)).sum(["instrument", "segment"])
    ease = gathered(p["business_environment"], "region", p.links["cell.region"][np.flatnonzero(cells)], cell)
    most = (ease * p["absorption"].sel(cell=cell)).sel(year=b.open).transpose("cell", "year")
    b.require("intake", new, "<=", at_most(most), family="C10", unit=UNIT)


FAMILY = Family("C10", "incentives", (support_cap, intake))
