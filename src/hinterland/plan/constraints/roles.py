"""C22: spatial roles that a plan gives to regions, as lower bounds that can be switched off: the model must be able to contradict them."""

from __future__ import annotations

import numpy as np
import polars as pl

from hinterland.plan.algebra import rows_where
from hinterland.plan.building import Building
from hinterland.plan.constraints.family import Family


def asked(b: Building) -> list[str]:
    """Names of the roles that hold."""
    names = [str(r) for r in b.problem.index["role"]]
    chosen = b.problem.settings.roles
    return names if chosen is True else [] if chosen is False else [r for r in names if r in chosen]


def parts(b: Building, role: str) -> tuple[np.ndarray, np.ndarray]:
    """[cell] host cells of the role's group, and those of them in its regions."""
    p = b.problem
    group = p.text["role"].filter(pl.col("role") == role)["group"].drop_nulls()[0]
    inside = p.members(group)[p.links["cell.industry"]] & p.cells_where(region="host")
    at = list(p.index["role"]).index(role)
    regions = p.links["member.region"][p.links["member.role"] == at]
    return np.asarray(inside), np.asarray(inside & np.isin(p.links["cell.region"], regions))


def roles(b: Building) -> None:
    r"""The role's regions hold no less than a share of hosts' capacity in the role's group, from its year on.

    Rows: role × decided year from the role's year on
    Unit: 100m-yuan
    Formula: \sum_{h \in H_o, i \in G_o} K_{hit} \ge \sigma_o \sum_{h \in H, i \in G_o} K_{hit}
    Gives way: short where the role is not filled
    """
    p = b.problem
    for role in asked(b):
        everyone, theirs = parts(b, role)
        since = float(p["role_year"].sel(role=role))
        year = rows_where(np.asarray(b.open) >= (since if np.isfinite(since) else b.open[0]), b.open)
        if not theirs.any() or not len(year):
            continue
        held = b["capacity"].sel(year=year)
        share = float(p["role_share"].sel(role=role))
        rest = held.sel(cell=rows_where(theirs, b.cell)).sum("cell") - share * held.sel(cell=rows_where(everyone, b.cell)).sum("cell")
        b.require(f"role:{role}", rest, ">=", 0, family="C22", unit="100m-yuan", typical=1.0)


FAMILY = Family("C22", "spatial-roles", (roles,))
