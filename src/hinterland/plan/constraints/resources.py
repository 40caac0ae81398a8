"""C7 and C8: land, energy, water, carbon and any other resource: what regions and the nation may use."""

from __future__ import annotations

import numpy as np
import polars as pl

from hinterland.plan.algebra import at_most, lag, rows_where, total
from hinterland.plan.building import Building, typical
from hinterland.plan.constraints.family import Family


def base_of(b: Building, resource: str) -> str:
    """What the intensity multiplies: output, or capacity."""
    table = b.problem.text["resource"]
    if "base" not in table.columns:
        return "output"
    found = table.filter(pl.col("resource") == resource)["base"].to_list()
    return found[0] if found and found[0] else "output"


def unit_of(b: Building, resource: str) -> str:
    """The resource's unit, as the case writes it."""
    table = b.problem.text["resource"]
    found = table.filter(pl.col("resource") == resource)["unit"].to_list() if "unit" in table.columns else []
    return found[0] if found and found[0] else resource


def use_of_resources(b: Building) -> None:
    r"""What a region uses of a resource follows from its output, or its capacity for what is occupied.

    Rows: region × year, for each resource
    Unit: the resource's
    Formula: U_{rgt} = \sum_i \epsilon_{rigt} z_{rit}
    Gives way: no
    """
    p = b.problem
    region = p.index["region"]
    for resource in p.index["resource"]:
        used = b.variable(f"use:{resource}", region, b.year, unit=unit_of(b, resource), meaning=f"use of {resource}")
        take = p["intensity_now"].sel(resource=resource, drop=True) * b[base_of(b, resource)]
        rest = used - total(take, "cell", p.links["cell.region"], region)
        b.require(f"use:{resource}", rest, "=", 0, family="C7", unit=unit_of(b, resource))


def limits_of_regions(b: Building) -> None:
    r"""A region uses no more of a resource than it has; of one that can be banked, no more than it has and has kept.

    Rows: region with a limit × decided year, for each resource; years without one are free
    Unit: the resource's
    Formula: U_{rgt} + B_{rgt} \le \bar U_{rgt} + B_{rg,t-1}
    Gives way: over where the limit is passed
    """
    p = b.problem
    family = {r: "C8" if r == p.settings.emissions else "C7" for r in p.index["resource"]}
    for resource in p.index["resource"]:
        limit = p["limit"].sel(resource=resource, drop=True).transpose("region", "year").sel(year=b.open)
        where = np.asarray(np.isfinite(limit.values).any(axis=1))
        if not where.any() or not p.has(family[resource]):
            continue
        region = rows_where(where, p.index["region"])
        rest = 1 * b[f"use:{resource}"].sel(region=region, year=b.open)
        if bool(p["banking"].sel(resource=resource)):
            bank = b.variable(f"bank:{resource}", region, b.open, unit=unit_of(b, resource), meaning=f"{resource} kept for later")
            rest = rest + bank - lag(bank, 1, b.open)
        level = typical(p["intensity_now"].sel(resource=resource).values)
        most = at_most(limit.sel(region=region))
        b.require(f"limit:{resource}", rest, "<=", most, family=family[resource], unit=unit_of(b, resource), typical=level)


def national_limits(b: Building) -> None:
    r"""All regions together use no more of a resource than the nation may: without this row a move only carries emissions elsewhere.

    Rows: decided year, for each resource with a national limit; years without one are free
    Unit: the resource's
    Formula: \sum_r U_{rgt} \le \bar U_{gt}
    Gives way: over where the limit is passed
    """
    p = b.problem
    for resource in p.index["resource"]:
        family = "C8" if resource == p.settings.emissions else "C7"
        limit = p["national_limit"].sel(resource=resource, year=b.open, drop=True)
        if not np.isfinite(limit.values).any() or not p.has(family):
            continue
        used = b[f"use:{resource}"].sel(year=b.open).sum("region")
        level = typical(p["intensity_now"].sel(resource=resource).values)
        b.require(f"national:{resource}", used, "<=", at_most(limit), family=family, unit=unit_of(b, resource), typical=level)


FAMILY = Family("C7", "resources", (use_of_resources, limits_of_regions, national_limits), kept=True)
CARBON = Family("C8", "carbon", ())
__all__ = ["CARBON", "FAMILY", "base_of", "unit_of"]
