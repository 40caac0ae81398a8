"""C1: how fast, and how far, a source may let go."""

from __future__ import annotations

import numpy as np

from hinterland.plan.algebra import column, rows_where
from hinterland.plan.building import Building
from hinterland.plan.constraints.family import Family

UNIT = "100m-yuan"


def release_in_year(b: Building) -> None:
    r"""A source lets go of no more than a share of its first capacity in a year.

    Rows: source cell × decided year
    Unit: 100m-yuan
    Formula: o_{sit} \le \theta_{sit} K^0_{si}
    Gives way: no
    """
    if not b.leaving.any():
        return
    p, index = b.problem, rows_where(b.leaving, b.cell)
    most = (p["release_share_cell"] * p["capacity"]).sel(cell=index, year=b.open).transpose("cell", "year")
    b.require("release_in_year", 1 * b["departures"].sel(year=b.open), "<=", most, family="C1", unit=UNIT)


def release_in_all(b: Building) -> None:
    r"""By the end of a phase no more than a share of a source's first capacity has left, or what is known to have left: no hollowing out.

    Rows: source cell × phase with decided years
    Unit: 100m-yuan
    Formula: \sum_{t' \le t(\varphi)} o_{sit'} \le \max(\Theta_\varphi K^0_{si}, \sum_{t' \in T^{obs}} o_{sit'})
    Gives way: no
    """
    if not b.leaving.any():
        return
    p, index = b.problem, rows_where(b.leaving, b.cell)
    phase = rows_where(np.array([any(y in b.open for y in p.phase_years(f)) for f in p.phases]), p.index["phase"])
    until = np.array([[float(y <= p.phase_years(f)[-1]) for y in p.years] for f in phase])
    gone = b["departures"] @ column(until, phase, b.year)
    most = (p["release_total"].sel(phase=phase) * p["capacity"].sel(cell=index)).transpose("cell", "phase")
    seen = np.where(p.decided[None, :], 0.0, p["observed_move"].transpose("arc", "year").values).sum(axis=1)
    past = np.bincount(p.links["arc.source"], weights=seen, minlength=len(b.cell))[b.leaving]
    most = most.clip(min=column(past, index))
    b.require("release_in_all", gone, "<=", most, family="C1", unit=UNIT)


FAMILY = Family("C1", "source-release", (release_in_year, release_in_all))
