"""C15: hosts shall not all hold the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from hinterland.plan.algebra import Expression, column, gather, rows_where, total
from hinterland.plan.building import Building
from hinterland.plan.constraints.family import Family
from hinterland.plan.constraints.size import largest
from hinterland.plan.problem import Problem

UNIT = "100m-yuan"


def specialisation(b: Building) -> None:
    r"""A host holds no more of a tagged industry than a multiple of the hosts' mean, beyond what it has.

    Rows: host cell of a tagged industry × decided year
    Unit: 100m-yuan
    Formula: K_{hit} \le \psi_i \frac{1}{|H|} \sum_{h'} K_{h'it} + K^0_{hi}
    Gives way: over where what was decided before is more
    """
    p = b.problem
    tagged = np.isfinite(p["cap"].values)
    cells = p.cells_where(region="host") & tagged[p.links["cell.industry"]]
    if not cells.any():
        return
    cell = rows_where(cells, b.cell)
    industry = p.links["cell.industry"][cells]
    hosts = int(p["host"].values.sum())
    held = b["capacity"].sel(cell=cell, year=b.open)
    all_hosts = total(held, "cell", industry, p.index["industry"])
    mean = gather(all_hosts, "industry", industry, cell)
    rest = held - column(p["cap"].values[industry] / hosts, cell) * mean
    b.require("specialisation", rest, "<=", p["capacity"].sel(cell=cell), family="C15", unit=UNIT, typical=1.0)


def similarity(b: Building) -> None:
    r"""The structures of two hosts, as shares of totals fixed beforehand, differ by no less than a sum.

    Rows: pair of hosts × decided year
    Unit: share
    Formula: \sum_i d_{hh'it} \ge d^{min}_{hh'}, \quad d_{hh'it} = \pm (S_{hit} - S_{h'it}), \quad S_{hit} = K_{hit} / \hat K_{ht}
    Gives way: short where structures are too alike
    Absolute differences are not convex. With ``similarity = "base-sign"`` each keeps the sign of the first year, which is linear and cautious: a plan
    that satisfies it satisfies the exact rule. With ``"exact"`` a binary chooses the sign.
    """
    p, pair = b.problem, b.problem.index["pair"]
    if not len(pair):
        return
    (gap, first), at = _shares(b)
    keep_sign = p.settings.similarity == "base-sign"
    signed = column(np.where(first >= 0, 1.0, -1.0), at) * gap if keep_sign else _absolute(b, gap, at)
    apart = total(signed, "likeness", pairs_of_cells(b.problem)[0], pair)
    b.require("similarity", apart, ">=", p["least_difference"], family="C15", unit="share", typical=1e-3)


def pairs_of_cells(p: Problem) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """[likeness] pair, cell of the first host and cell of the second, for every industry that both have."""
    place = {(r, i): n for n, (r, i) in enumerate(zip(p.links["cell.region"], p.links["cell.industry"], strict=True))}
    rows = [
        (n, place[r, i], place[o, i])
        for n, (r, o) in enumerate(zip(p.links["pair.region"], p.links["pair.other"], strict=True))
        for i in range(len(p.index["industry"]))
        if (r, i) in place and (o, i) in place
    ]
    table = np.array(rows, dtype=np.int64).reshape(-1, 3)
    return table[:, 0], table[:, 1], table[:, 2]


def planned_total(b: Building) -> xr.DataArray:
    """[region] the fixed denominator of shares: capacity of the region at the start."""
    p = b.problem
    held = np.bincount(p.links["cell.region"], weights=p["capacity"].values, minlength=len(p.index["region"]))
    return column(np.where(held > 0, held, 1.0), p.index["region"])


def _shares(b: Building) -> tuple[tuple[Expression, np.ndarray], pd.Index[Any]]:
    """Difference of the two shares by pair and industry, and what it was at the start."""
    p = b.problem
    _, one, two = pairs_of_cells(p)
    at = pd.RangeIndex(len(one), name="likeness")
    size = planned_total(b).values[p.links["cell.region"]]
    share = column(1 / size, b.cell) * b["capacity"].sel(year=b.open)
    start = p["capacity"].values / size
    return (gather(share, "cell", one, at) - gather(share, "cell", two, at), start[one] - start[two]), at


def _absolute(b: Building, gap: Expression, at: pd.Index[Any]) -> Expression:
    """The absolute difference, exactly: never more than the difference in the direction that a binary chooses.

    The direction that is not chosen is set free by as much as its side could ever be: the upper bound of the difference and the largest share of a host.
    """
    p = b.problem
    _, one, two = pairs_of_cells(p)
    size = planned_total(b).values[p.links["cell.region"]]
    share = largest(p)[p.links["cell.industry"]] / size
    first, second = (column(2.0 + share[cells], at) for cells in (one, two))
    b.variable("difference", at, b.open, unit="share", upper=2.0, meaning="absolute difference of two hosts' shares of an industry")
    b.variable("above", at, b.open, binary=True, unit="1", meaning="the first host has the larger share")
    d, above = b["difference"], b["above"]
    b.require("difference_above", d - gap + second * above, "<=", second, family="C15", unit="share")
    b.require("difference_below", d + gap - first * above, "<=", 0, family="C15", unit="share")
    return 1 * d


FAMILY = Family("C15", "anti-homogenisation", (specialisation, similarity))
