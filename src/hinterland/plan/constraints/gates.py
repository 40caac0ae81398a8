"""C20: what one phase must have done before the next, as the case lists it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl

from hinterland.plan.algebra import Expression, column, rows_where, spread
from hinterland.plan.building import Building
from hinterland.plan.constraints.family import Family

UNIT = "100m-yuan"


def _gates(b: Building, kind: str) -> list[tuple[str, str, list[str], str]]:
    """Identifier, phase, named groups or kinds, and resource, of the gates of a kind whose phase has decided years."""
    p, table = b.problem, b.problem.text["gate"]
    if not {"kind", "phase"} <= set(table.columns):
        return []
    return [
        (row["gate"], row["phase"], str(row.get("group") or "").split(";"), str(row.get("resource") or ""))
        for row in table.filter(pl.col("kind") == kind).sort("gate").iter_rows(named=True)
        if any(y in b.open for y in p.phase_years(row["phase"]))
    ]


def _open_years(b: Building, phase: str) -> list[int]:
    return [y for y in b.problem.phase_years(phase) if y in b.open]


def _cells_of(b: Building, groups: list[str]) -> np.ndarray:
    """[cell] host cells of the groups' industries."""
    p = b.problem
    inside = np.any([p.members(g) for g in groups], axis=0)
    return np.asarray(inside[p.links["cell.industry"]] & p.cells_where(region="host"))


def _new(b: Building, where: np.ndarray, years: list[int]) -> Expression:
    """[cell, year] capacity that is decided to come or to be built, in the cells of ``where``."""
    cell = rows_where(where, b.cell)
    new = 1 * b["greenfield"].sel(cell=cell, year=years)
    some = rows_where(where & b.arriving, b.cell)
    return new + spread(b["arrivals"].sel(cell=some, year=years), cell=cell) if len(some) else new


def investment_share(b: Building) -> None:
    r"""In the phase, investment in the named kinds of infrastructure is no less than a share of all.

    Rows: gate of kind investment-share
    Unit: 100m-yuan
    Formula: \sum_{h, k \in \bar K, t \in \varphi} v_{hkt} \ge \alpha \sum_{h, k, t \in \varphi} v_{hkt}
    Gives way: short where too little goes to them
    """
    if "investment" not in b:
        return
    for gate, phase, kinds, _ in _gates(b, "investment-share"):
        spent = b["investment"].sel(year=_open_years(b, phase))
        named = spent.sel(kind=kinds).sum()
        alpha = float(b.problem["gate_value"].sel(gate=gate))
        b.require(f"gate:{gate}", named - alpha * spent.sum(), ">=", 0, family="C20", unit=UNIT, typical=1.0)


def start(b: Building) -> None:
    r"""Before the phase begins, no new capacity of the group is decided at hosts.

    Rows: host cell of the group × decided year before the phase, for each gate of kind start
    Unit: 100m-yuan
    Formula: n_{hit} + b_{hit} \le 0 \quad (t < t_0(\varphi))
    Gives way: no
    """
    p = b.problem
    for gate, phase, groups, _ in _gates(b, "start"):
        early = [y for y in b.open if y < p.phase_years(phase)[0]]
        where = _cells_of(b, groups)
        if early and where.any():
            b.require(f"gate:{gate}", _new(b, where, early), "<=", 0, family="C20", unit=UNIT)


def capacity_share(b: Building) -> None:
    r"""At the end of the phase the group is no less than a share of hosts' capacity in relocatable industries.

    Rows: gate of kind capacity-share
    Unit: 100m-yuan
    Formula: \sum_{h, i \in G} K_{hi\bar t} \ge \alpha \sum_{h, i \in I^{rel}} K_{hi\bar t}
    Gives way: short where the group is too small
    """
    p = b.problem
    for gate, phase, groups, _ in _gates(b, "capacity-share"):
        at = b["capacity"].sel(year=p.phase_years(phase)[-1], drop=True)
        everything = at.sel(cell=rows_where(b.hosting, b.cell)).sum()
        where = _cells_of(b, groups)
        if where.any():
            alpha = float(p["gate_value"].sel(gate=gate))
            rest = at.sel(cell=rows_where(where, b.cell)).sum() - alpha * everything
            b.require(f"gate:{gate}", rest, ">=", 0, family="C20", unit=UNIT, typical=1.0)


def clean(b: Building) -> None:
    r"""From the phase on, no new capacity is decided at hosts in cells that take more of a resource per unit than the limit.

    Rows: host cell above the limit × decided year from the phase on, for each gate of kind clean; years in which it is not above are free
    Unit: 100m-yuan
    Formula: n_{hit} + b_{hit} \le 0 \quad (\epsilon_{hit} > \epsilon^{max},\ t \ge t_0(\varphi))
    Gives way: over where capacity would otherwise run out
    """
    p = b.problem
    for gate, phase, groups, resource in _gates(b, "clean"):
        late = [y for y in b.open if y >= p.phase_years(phase)[0]]
        takes = p["intensity_now"].sel(resource=resource, year=late).transpose("cell", "year").values
        above = takes > float(p["gate_value"].sel(gate=gate))
        where = above.any(axis=1) & (p.cells_where(region="host") if groups == [""] else _cells_of(b, groups))
        if where.any():
            index = (rows_where(where, b.cell), pd.Index(late, name="year"))
            most = column(np.where(above[where], 0.0, np.inf), *index)
            b.require(f"gate:{gate}", _new(b, where, late), "<=", most, family="C20", unit=UNIT, typical=1.0)


FAMILY = Family("C20", "phase-gates", (investment_share, start, capacity_share, clean))
